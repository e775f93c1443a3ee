"""The DataLoader goes through a dataset in batches; `default_collate` makes a batch of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, cycle, islice, repeat
from typing import Any

import numpy as np

from tinygrad_fr import random
from tinygrad_fr.creation import as_tensor, tensor
from tinygrad_fr.operations.shaping import stack
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.utils.data.dataset import IterableDataset, Subset, TensorDataset
from tinygrad_fr.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, new_seed

# -- from samples to a batch -------------------------------------------------------------------------------------------


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch from a list of samples, with a first axis for the samples; what the samples are decides how.

    Tensors and NumPy arrays are stacked and keep their dtype. Python integers become int64, floats float64, booleans bool.
    Strings stay a list. Dicts, named tuples and lists keep their form, and each of their fields becomes a batch; tuples
    become lists.

    Raises:
        RuntimeError: for tensors or arrays of different shapes, or sequences of different lengths.
        TypeError: for anything else, such as None: give the DataLoader a `collate_fn` of your own.

    >>> from tinygrad_fr import tensor
    >>> default_collate([(tensor([1.0, 2.0]), 0), (tensor([3.0, 4.0]), 1)])
    [tensor([[1., 2.],
            [3., 4.]]), tensor([0, 1])]
    >>> default_collate([{"name": "Alice", "age": 31}, {"name": "Bob", "age": 27}])
    {'name': ['Alice', 'Bob'], 'age': tensor([31, 27])}
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray) and first.dtype.kind in "fiub":
        return stack([as_tensor(array) for array in batch])
    if isinstance(first, (np.bool_, np.number)):
        return as_tensor(batch)
    if isinstance(first, (bool, int, float)):
        return tensor(batch, dtype=np.float64 if isinstance(first, float) else None)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        lengths = [len(sample) for sample in batch]
        if len(set(lengths)) > 1:
            raise RuntimeError(
                f"each element in list of batch should be of equal size, and their lengths are {lengths}: make them equal in "
                "the dataset, or give the DataLoader a collate_fn that pads them."
            )
        return _like(first, [default_collate(field) for field in zip(*batch, strict=True)])
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        f"{first.dtype if isinstance(first, np.ndarray) else type(first)}. Return one of these from the dataset, or give the "
        "DataLoader a collate_fn, which makes a batch from a list of samples."
    )


def default_convert(data: Any) -> Any:
    """A sample as it is, with its NumPy arrays as tensors: what a DataLoader does to samples where it makes no batches.

    >>> default_convert({"x": np.array([1.0, 2.0]), "name": "Alice"})
    {'x': tensor([1., 2.], dtype=torch.float64), 'name': 'Alice'}
    """
    if isinstance(data, (np.ndarray, np.bool_, np.number)) and data.dtype.kind in "fiub":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(field) for field in data])
    return data


def _like(example: Any, fields: Any) -> Any:
    """The fields in the form of the example: its own kind of dict, list or named tuple; a plain tuple becomes a list."""
    if isinstance(example, tuple):
        return type(example)(*fields) if hasattr(example, "_fields") else fields
    try:
        return type(example)(fields)
    except TypeError:  # a range, or a class with a constructor of its own
        return fields


# -- the batches of an epoch -------------------------------------------------------------------------------------------

_END = object()  # what comes after the last batch of a stream
_FIXED = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last")


class DataLoader:
    """The samples of a dataset in batches: each `for batch in loader` is one epoch, in a new order with `shuffle=True`.

    After the same `manual_seed` the order is PyTorch's own, and so are the numbers drawn afterwards: an epoch draws one seed
    for workers and, if it shuffles, one for the order, or both from `generator`.

    `num_workers` is a number of threads that prepare batches ahead of the loop. The batches, their order and the errors are
    those of `num_workers=0`; it pays where samples are read from files, or computed in NumPy calls that take long. Since
    threads share the dataset, an `IterableDataset` is read by one of them, and `get_worker_info()` is None. They share the
    default generator as well: a dataset that draws random numbers itself is repeatable with `num_workers=0` only.

    Args:
        dataset: a `Dataset`, or anything with `__getitem__` and `__len__`, such as a list; or an `IterableDataset`.
        batch_size: samples per batch; None passes the samples on one by one, without a batch axis.
        shuffle: whether to draw a new order for each epoch.
        sampler: an order of one's own, instead of `shuffle`.
        batch_sampler: batches of one's own, lists of sample numbers, instead of all four.
        num_workers: how many threads prepare batches; 0 prepares each when it is asked for.
        collate_fn: makes a batch from a list of samples; `default_collate` unless told otherwise.
        drop_last: whether to leave out a last batch that is not full.
        timeout: how many seconds to wait for a batch of the workers; 0 waits as long as it takes.
        worker_init_fn: called with its number in each worker, before its first batch.
        generator: where the order comes from, instead of the default generator.
        prefetch_factor: how many batches each worker prepares ahead; 2, with workers.
        pin_memory, multiprocessing_context, persistent_workers, pin_memory_device, in_order: accepted for PyTorch programs.

    Raises:
        ValueError: for options that contradict each other; the message names them.
        RuntimeError: when a batch of the workers takes longer than `timeout`.

    >>> for batch in DataLoader([1.0, 2.0, 3.0], batch_size=2):
    ...     print(batch)
    tensor([1., 2.], dtype=torch.float64)
    tensor([3.], dtype=torch.float64)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: random.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers option should be non-negative; use num_workers=0 for no workers, not {num_workers}.")
        if timeout < 0:
            raise ValueError(f"timeout option should be non-negative, got {timeout}")
        if num_workers == 0 and (prefetch_factor is not None or timeout or persistent_workers):
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing, as well as timeout and persistent_workers: "
                "they are for workers. Let num_workers > 0, or leave them out."
            )
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError(f"prefetch_factor option should be positive, got {prefetch_factor}")
        streamed = isinstance(dataset, IterableDataset)
        if streamed:
            for option, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if value is not None:
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {option} option, but got {option}={value}. "
                        "Its samples come in their own order, and cannot be asked for by number."
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle: the sampler gives the order")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last: "
                    "it says itself which samples each batch has"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")

        if sampler is None:
            if streamed:
                sampler = dataset
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self._seeded = False  # whether the base seed of persistent workers has been drawn

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and name in vars(self):
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized: its samplers are made. "
                "Make another DataLoader."
            )
        super().__setattr__(name, value)

    @property
    def _order(self) -> Iterable[Any]:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        return len(self._order)  # type: ignore[arg-type]  # without a length it is a TypeError that says so

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            self._draw_base_seed()
            batches = map(self.collate_fn, self._order)
            return self._epoch(lambda _: next(batches, _END), repeat(None), min(self.num_workers, 1))
        order = iter(self._order)
        self._draw_base_seed()
        if self.num_workers:
            order = iter(self._order)  # PyTorch begins anew for its workers: a sampler that draws at once has drawn twice
        return self._epoch(self._fetch, order, self.num_workers)

    def _draw_base_seed(self) -> None:
        """Draw the seed that PyTorch draws for its workers, even where there is none: what is drawn next agrees."""
        if not (self.persistent_workers and self._seeded):
            new_seed(self.generator)
            self._seeded = True

    def _epoch(self, fetch: Callable[[Any], Any], order: Iterator[Any], workers: int) -> Iterator[Any]:
        if workers == 0:
            return _in_turn(fetch, order)
        depth = workers * (self.prefetch_factor or 2)
        first = list(islice(order, depth))  # the order of the first batches is drawn now, as PyTorch does with workers
        return _ahead(fetch, chain(first, order), workers, depth, self.worker_init_fn, self.timeout)

    def _fetch(self, wanted: Any) -> Any:
        """One batch: the samples whose numbers are wanted, collated."""
        if self.batch_sampler is None:
            return self.collate_fn(_sample(self.dataset, wanted))
        if self.collate_fn is default_collate:
            rows = _rows(self.dataset, wanted)
            if rows is not None:
                return rows
        if callable(getattr(self.dataset, "__getitems__", None)):  # a dataset that gives many samples at once
            return self.collate_fn(self.dataset.__getitems__(wanted))
        return self.collate_fn([_sample(self.dataset, i) for i in wanted])


def _sample(dataset: Any, i: Any) -> Any:
    try:
        return dataset[i]
    except Exception as error:
        error.add_note(f"This happened in sample {i!r} of the {type(dataset).__name__}, which a DataLoader asked for.")
        raise


def _rows(dataset: Any, indices: list[Any]) -> list[Tensor] | None:
    """The batch of a TensorDataset, or of a Subset of one, with one index per tensor: what stacking its rows would give.

    None for other datasets, and for what is not a list of plain numbers.
    """
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    if type(dataset) is not TensorDataset or not all(type(i) is int for i in indices):
        return None
    return [t[indices] for t in dataset.tensors]


def _in_turn(fetch: Callable[[Any], Any], order: Iterator[Any]) -> Iterator[Any]:
    for wanted in order:
        batch = fetch(wanted)
        if batch is _END:
            return
        yield batch


def _ahead(
    fetch: Callable[[Any], Any],
    order: Iterator[Any],
    workers: int,
    depth: int,
    init: Callable[[int], Any] | None,
    timeout: float,
) -> Iterator[Any]:
    """The same batches, `depth` of them under way in threads while the loop is busy with one; an error comes in its turn.

    Worker i has batches i, i + workers, …; when the loop is left, what has not begun is cancelled, and the threads end.
    """
    from collections import deque
    from concurrent.futures import ThreadPoolExecutor

    pools = [ThreadPoolExecutor(1, f"DataLoader worker {i}") for i in range(workers)]
    stuck = False
    try:
        if init is not None:
            for ready in [pool.submit(init, i) for i, pool in enumerate(pools)]:
                ready.result()
        tasks = (pool.submit(fetch, wanted) for wanted, pool in zip(order, cycle(pools)))
        waiting = deque(islice(tasks, depth))
        while waiting:
            task = waiting.popleft()
            try:
                batch = task.result(timeout or None)
            except TimeoutError:
                stuck = not task.done()
                if stuck:
                    raise RuntimeError(
                        f"DataLoader timed out after {timeout} seconds: a worker has not finished its batch. Give it more "
                        "time, or timeout=0 to wait as long as it takes."
                    ) from None
                batch = task.result()  # just finished, or an error of the dataset's own
            if batch is _END:
                return
            waiting.extend(islice(tasks, 1))
            yield batch
    finally:
        for pool in pools:
            pool.shutdown(wait=not stuck, cancel_futures=True)


def get_worker_info() -> Any:
    """None, as in PyTorch's main process: workers are threads that share one dataset, so a stream is read once, by one."""
    return None
