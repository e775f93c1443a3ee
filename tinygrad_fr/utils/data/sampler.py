"""Samplers: the order in which a `DataLoader` asks a dataset for its samples.

Each order comes from the stream of random numbers as PyTorch's does: the same `manual_seed` gives the same epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from tinygrad_fr import random
from tinygrad_fr.creation import as_tensor, empty

T_co = TypeVar("T_co", covariant=True)


def new_seed(generator: random.Generator | None) -> int:
    """A number between 0 and 2⁶³ − 1, drawn to seed another generator."""
    return int(empty((), dtype=np.int64).random_(generator=generator).item())


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_flag(name: str, value: Any, error: type[Exception] = ValueError) -> None:
    if not isinstance(value, bool):
        raise error(f"{name} should be a boolean value, but got {name}={value}")


class Sampler(Generic[T_co]):
    """An order of samples: write `__iter__`, which gives their numbers one by one, and `__len__`, which tells how many.

    >>> class Backwards(Sampler[int]):
    ...     def __init__(self, dataset):
    ...         self.dataset = dataset
    ...
    ...     def __iter__(self):
    ...         return iter(range(len(self.dataset) - 1, -1, -1))
    >>> list(Backwards("abc"))
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(
            f"Subclasses of Sampler should implement __iter__: {type(self).__name__} does not say in which order samples come."
        )


class SequentialSampler(Sampler[int]):
    """The samples as they stand: 0, 1, 2, …

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The samples shuffled, or drawn with replacement.

    Without replacement an epoch is a permutation of them all; `num_samples` makes it shorter, or goes on with another
    permutation. Without a generator, an epoch draws one seed from the default stream and shuffles with a generator of its own.

    Raises:
        ValueError: for an empty dataset, or no sample to draw.
        TypeError: when replacement is neither True nor False.

    >>> sorted(RandomSampler("abc"))
    [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: random.Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_flag("replacement", replacement, TypeError)
        _check_count("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many samples an epoch has: all of them, unless told otherwise."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, count = len(self.data_source), self.num_samples
        generator = random.Generator().manual_seed(new_seed(None)) if self.generator is None else self.generator
        if self.replacement:
            for size in [32] * (count // 32) + [count % 32]:
                yield from random.randint(n, (size,), generator=generator).tolist()
            return
        for _ in range(count // n):
            yield from random.randperm(n, generator=generator).tolist()
        if count % n or self.generator is not None:  # PyTorch draws the last permutation even where nothing of it is used
            yield from random.randperm(n, generator=generator).tolist()[: count % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given samples, shuffled.

    >>> sorted(SubsetRandomSampler([7, 2, 5]))
    [2, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: random.Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in random.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Samples drawn with probability in proportion to their weights, which need not sum to 1.

    Raises:
        ValueError: for no sample to draw, or weights that are not one for each sample.
        RuntimeError: for weights that are negative, infinite or NaN; without replacement, for more draws than weights above 0.

    >>> list(WeightedRandomSampler([0.0, 1.0, 0.0], 4))
    [1, 1, 1, 1]
    """

    def __init__(
        self, weights: Any, num_samples: int, replacement: bool = True, generator: random.Generator | None = None
    ) -> None:
        _check_count("num_samples", num_samples)
        _check_flag("replacement", replacement)
        self.weights = as_tensor(weights, dtype=np.float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}: one for each sample"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = random.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The order of another sampler in batches; the last one may be shorter, or is left out with `drop_last=True`.

    Raises:
        ValueError: for a batch size that is not a positive integer.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=True))
    [[0, 1], [2, 3]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _check_count("batch_size", batch_size)
        _check_flag("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        order = iter(self.sampler)
        while batch := list(islice(order, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        samples = len(self.sampler)  # type: ignore[arg-type]  # a sampler without a length makes batches without a number
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)
