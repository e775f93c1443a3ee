"""Datasets: samples that can be counted and asked for by number, or that come one after the other."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from tinygrad_fr import random
from tinygrad_fr.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by number: write `__getitem__`, which gives one sample, and `__len__`, which tells how many there are.

    >>> class Squares(Dataset[tuple[int, int]]):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         return index, index**2
    >>> Squares()[2]
    (2, 4)
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(
            f"Subclasses of Dataset should implement __getitem__: {type(self).__name__} does not say what sample {index!r} is."
        )

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples that come one after the other, from a file or a stream: write `__iter__`; there is no order to choose.

    >>> class Lines(IterableDataset[str]):
    ...     def __iter__(self):
    ...         return iter(["one", "two"])
    >>> list(Lines())
    ['one', 'two']
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(
            f"Subclasses of IterableDataset should implement __iter__: {type(self).__name__} does not say which samples come."
        )


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Rows of tensors: sample i is `(x[i], y[i], …)`.

    A `DataLoader` takes a batch of it with one index per tensor, `x[[3, 0, 7]]`, not row by row.

    Raises:
        AssertionError: for tensors with different numbers of rows.
        TypeError: for what is not a tensor, such as a NumPy array.

    >>> from tinygrad_fr import tensor
    >>> TensorDataset(tensor([[1.0], [2.0]]), tensor([0, 1]))[1]
    (tensor([2.]), tensor(1))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one tensor: its rows are the samples")
        for i, t in enumerate(tensors):
            if not isinstance(t, Tensor):
                raise TypeError(
                    f"TensorDataset is made of tensors, and number {i} of those given is of type {type(t).__name__}: write "
                    "`torch.from_numpy(array)` for an array of NumPy, `torch.tensor(values)` for a list."
                )
        rows = [len(t) for t in tensors]
        if len(set(rows)) > 1:
            raise AssertionError(f"Size mismatch between tensors: they have {rows} rows, and each sample takes one of each")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class ConcatDataset(Dataset[Any]):
    """Datasets one behind the other; `a + b` of two datasets is one.

    Raises:
        AssertionError: for no dataset, or an IterableDataset, whose samples have no numbers.

    >>> joined = ConcatDataset([["a", "b"], ["c"]])
    >>> len(joined), joined[2], joined.cumulative_sizes
    (3, 'c', [2, 3])
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset: its samples cannot be asked for by number")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ValueError(f"absolute value of index should not exceed dataset length: {index}, of {len(self)} samples")
            index += len(self)
        elif index >= len(self):
            raise IndexError(f"there is no sample {index} in a dataset of {len(self)}")
        which = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]


class Subset(Dataset[Any]):
    """Some samples of a dataset, given by their numbers there.

    >>> part = Subset(["a", "b", "c", "d"], [3, 0])
    >>> len(part), part[0]
    (2, 'd')
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: random.Generator | None = None) -> list[Subset]:
    """Cut a dataset at random into parts that share no sample: `lengths` are numbers of samples, or fractions of them all.

    Fractions sum to 1. A part receives floor(fraction · len(dataset)) samples, and what remains is dealt out one by one, the
    first part first. The order is `torch.randperm(len(dataset))`, hence PyTorch's own after the same `manual_seed`.

    Raises:
        ValueError: when the lengths do not sum to that of the dataset, or a fraction is not between 0 and 1.

    >>> train, test = random_split(range(10), [0.8, 0.2])
    >>> len(train), len(test), sorted([*train, *test])
    (8, 2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    size = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
        counts = [math.floor(size * fraction) for fraction in lengths]
        for i in range(size - sum(counts)):
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                import warnings

                warnings.warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2)
    else:
        counts = [int(n) for n in lengths]
        if sum(counts) != size or any(n != count or n < 0 for n, count in zip(lengths, counts, strict=True)):
            raise ValueError(
                f"Sum of input lengths does not equal the length of the input dataset! {list(lengths)} are not whole numbers "
                f"with the sum {size}: give these, or fractions with the sum 1, such as [0.8, 0.2]."
            )
    order = random.randperm(size, generator=generator).tolist()
    return [Subset(dataset, order[end - count : end]) for end, count in zip(accumulate(counts), counts, strict=True)]
