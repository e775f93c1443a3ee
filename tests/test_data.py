"""Data for a training: PyTorch's order for the same seed, batches with the right values and dtypes, workers without a trace.

Each program of `PROGRAMS` runs here and on PyTorch, where it is installed; the values recorded beside it hold without.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tinygrad_fr.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

TEN = list(range(10))


@pytest.fixture(autouse=True)
def the_stream_is_left_as_it_was() -> Iterator[None]:
    state = tg.get_rng_state()
    yield
    tg.set_rng_state(state)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("DataLoader")]


def listed(batches: Any) -> Any:
    """Tensors as lists, at any depth."""
    if hasattr(batches, "tolist"):
        return batches.tolist()
    return [listed(batch) for batch in batches] if hasattr(batches, "__iter__") else batches


# -- PyTorch's order ---------------------------------------------------------------------------------------------------


def epochs(t: Any, count: int = 2, data: Any = TEN, **options: Any) -> Any:
    loader = t.utils.data.DataLoader(data, **options)
    return [listed(loader) for _ in range(count)]


def between(t: Any, workers: int) -> Any:
    """Numbers drawn between two batches, from the generator that the sampler draws from."""
    g = t.Generator().manual_seed(1)
    sampler = t.utils.data.RandomSampler(TEN, replacement=True, num_samples=100, generator=g)
    batches = iter(t.utils.data.DataLoader(TEN, batch_size=4, sampler=sampler, num_workers=workers))
    return [(next(batches).tolist(), t.rand(1, generator=g).item()) for _ in range(25)]


def begun(t: Any, workers: int) -> Any:
    """A number drawn before the first batch is asked for."""
    batches = iter(t.utils.data.DataLoader(TEN, batch_size=4, shuffle=True, num_workers=workers))
    number = t.rand(1).item()
    return number, listed(list(batches))


def eager(t: Any, **options: Any) -> Any:
    """Samplers that draw when the epoch begins, not when the first sample is asked for."""

    class Eager(t.utils.data.Sampler):
        def __iter__(self) -> Any:
            return iter(t.randperm(10).tolist())

    class EagerBatches(t.utils.data.Sampler):
        def __iter__(self) -> Any:
            return iter(t.randperm(10).reshape(5, 2).tolist())

    loader = t.utils.data.DataLoader
    return [
        listed(loader(TEN, batch_size=3, sampler=Eager(), **options)),
        listed(loader(TEN, batch_size=None, sampler=Eager(), **options)),
        listed(loader(TEN, batch_sampler=EagerBatches(), **options)),
    ]


def stream(t: Any) -> Any:
    class Stream(t.utils.data.IterableDataset):
        def __iter__(self) -> Any:
            return iter(t.randperm(7).tolist())

    return [listed(t.utils.data.DataLoader(Stream(), batch_size=n)) for n in (3, None)]


SHUFFLED = [[[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]], [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]]]
PERMUTED = [[[1, 3, 5, 7, 9], [4, 6, 2, 8, 0]], [[5, 1, 6, 0, 9], [7, 8, 4, 3, 2]]]

# What is done after `manual_seed(0)`, what it gives, and what `rand(1)` draws next; None where PyTorch alone is asked.
PROGRAMS: dict[str, tuple[Callable[[Any], Any], Any, float | None]] = {
    "shuffle": (lambda t: epochs(t, batch_size=4, shuffle=True), SHUFFLED, 0.455627977848053),
    "workers": (lambda t: epochs(t, batch_size=4, shuffle=True, num_workers=2), SHUFFLED, 0.455627977848053),
    "in order": (lambda t: epochs(t, 1, batch_size=10), [[TEN]], 0.08847743272781372),
    "generator": (
        lambda t: epochs(t, batch_size=5, shuffle=True, generator=t.Generator().manual_seed(7)), PERMUTED, 0.49625658988952637
    ),
    "replacement": (
        lambda t: list(t.utils.data.RandomSampler(TEN, replacement=True, num_samples=12)),
        [6, 0, 4, 3, 9, 5, 7, 8, 9, 1, 8, 5], 0.08847743272781372,
    ),
    "subset": (lambda t: list(t.utils.data.SubsetRandomSampler([5, 6, 7, 8])), [5, 6, 8, 7], 0.13203048706054688),
    "weights": (
        lambda t: list(t.utils.data.WeightedRandomSampler([0.1, 0.2, 0.3, 0.4], 8)), [3, 3, 2, 3, 3, 3, 1, 2],
        0.6976675987243652,
    ),
    "weights without replacement": (
        lambda t: list(t.utils.data.WeightedRandomSampler([0.1, 0.2, 0.3, 0.4], 3, replacement=False)), [2, 1, 3],
        0.455627977848053,
    ),
    "split": (
        lambda t: [list(s.indices) for s in t.utils.data.random_split(TEN, [7, 3])], [[4, 1, 7, 5, 3, 9, 0], [8, 6, 2]],
        0.6323062777519226,
    ),
    "split by fractions": (
        lambda t: [
            list(s.indices)
            for s in t.utils.data.random_split(TEN, [0.5, 0.3, 0.2], generator=t.Generator().manual_seed(42))
        ],
        [[2, 6, 1, 8, 4], [5, 0, 9], [3, 7]], 0.49625658988952637,
    ),
    "a long replacement": (lambda t: list(t.utils.data.RandomSampler(TEN, True, 70)), None, None),
    "32 at a time": (lambda t: list(t.utils.data.RandomSampler(TEN, True, 64)), None, None),
    "longer than the data": (lambda t: list(t.utils.data.RandomSampler(TEN, num_samples=25)), None, None),
    "shorter than the data": (lambda t: list(t.utils.data.RandomSampler(TEN, num_samples=4)), None, None),
    "large": (lambda t: epochs(t, data=range(1000), batch_size=64, shuffle=True, drop_last=True), None, None),
    "generator and workers": (
        lambda t: epochs(t, 3, batch_size=5, shuffle=True, num_workers=1, generator=t.Generator().manual_seed(7)), None, None
    ),
    "persistent workers": (
        lambda t: epochs(t, 3, batch_size=5, shuffle=True, num_workers=1, persistent_workers=True), None, None
    ),
    "only begun": (lambda t: len([iter(t.utils.data.DataLoader(TEN, shuffle=True))]), None, None),
    "begun": (lambda t: begun(t, 0), None, None),
    "begun with workers": (lambda t: begun(t, 1), None, None),
    "between": (lambda t: between(t, 0), None, None),
    "between with workers": (lambda t: between(t, 2), None, None),
    "eager samplers": (lambda t: eager(t), None, None),
    "eager samplers with workers": (lambda t: eager(t, num_workers=1), None, None),
    "a stream": (stream, None, None),
    "one by one": (lambda t: epochs(t, batch_size=None, shuffle=True), None, None),
}  # fmt: skip
each_program = pytest.mark.parametrize("name", PROGRAMS)


def after_seed(t: Any, seed: int, program: Callable[[Any], Any]) -> Any:
    """What a program gives, and three numbers drawn afterwards."""
    t.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's on the number of workers, and Python's on its processes
        return program(t), t.rand(3).tolist()


@pytest.mark.parametrize("name", [name for name, (_, wanted, _) in PROGRAMS.items() if wanted is not None])
def test_the_order_is_the_recorded_one(name: str) -> None:
    program, wanted, number = PROGRAMS[name]
    found, drawn = after_seed(tg, 0, program)
    assert found == wanted and drawn[0] == number


@each_program
def test_the_order_is_that_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    program = PROGRAMS[name][0]
    seeds = (1,) if "workers" in name else (*range(20), 2**40 + 7)  # a worker of PyTorch is a process, which takes its time
    for seed in seeds:
        assert after_seed(tg, seed, program) == after_seed(torch, seed, program), seed


@given(count=st.integers(1, 60), batch_size=st.integers(1, 20), drop_last=st.booleans(), workers=st.integers(0, 3))
def test_an_epoch_has_each_sample_once(count: int, batch_size: int, drop_last: bool, workers: int) -> None:
    loader = DataLoader(range(count), batch_size, shuffle=True, drop_last=drop_last, num_workers=workers)
    batches = listed(loader)
    assert len(loader) == len(batches) == (count // batch_size if drop_last else -(-count // batch_size))
    assert all(len(batch) == batch_size for batch in batches[: count // batch_size])
    seen = [i for batch in batches for i in batch]
    assert len(set(seen)) == len(seen) and set(seen) <= set(range(count))
    assert len(seen) == (count // batch_size * batch_size if drop_last else count)


# -- samples into batches ----------------------------------------------------------------------------------------------

Point = namedtuple("Point", "x y")

BATCHES = """
[1, 2] | [1, 2.5] | [2.5, 1] | [True, False] | ["a", "b"] | [b"a"] | [range(2), range(2)] | [(1, 2.0), (3, 4.0)]
[[1, "a"], [2, "b"]] | [{"n": 1, "name": "a"}, {"n": 2, "name": "b"}] | [Point(1, 2.0), Point(3, 4.0)]
[np.float64(1), np.float64(2)] | [np.float32(1), np.float32(2)] | [np.int8(1)] | [np.bool_(True)] | [np.uint8(3), np.uint8(4)]
[np.ones(2), np.zeros(2)] | [np.ones((2, 2), np.float32)] | [np.array(1.5), np.array(2.5)] | [np.arange(3), np.arange(3)]
[np.ones(2, np.int32)] | [np.zeros(0)] | [np.ones(2), np.ones(3)]
[t.ones(2), t.zeros(2)] | [t.tensor(1), t.tensor(2)] | [(t.ones(2), 1), (t.zeros(2), 0)] | [t.ones(2), t.ones(2).long()]
[t.ones(2), t.ones(3)] | [[1], [1, 2]] | [None] | [np.array(["a"])] | [np.array([None])] | [1j] | [{1}] | [{"a": 1}, {"b": 1}]
[{"x": (1, [t.ones(1), "s"])}, {"x": (2, [t.zeros(1), "t"])}] | [OrderedDict(b=1, a=2)] | [()] | [[]] | [1, "a"]
"""
EXPRESSIONS = [e for line in BATCHES.split("\n") if line for e in line.split(" | ")]


def described(value: Any) -> Any:
    """Form, dtypes and values."""
    if hasattr(value, "tolist"):
        return str(value.dtype).removeprefix("torch."), tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value), [(key, described(field)) for key, field in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [described(field) for field in value]
    return value


@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_collating_gives_what_pytorch_gives(text: str, function: str) -> None:
    torch = pytest.importorskip("torch")
    names = {"np": np, "Point": Point, "OrderedDict": OrderedDict}

    def run(t: Any) -> Any:
        try:
            return described(getattr(t.utils.data, function)(eval(text, names | {"t": t})))
        except Exception as error:
            return type(error), str(error).partition(":")[0].partition("shape")[0][:40]

    ours, theirs = run(tg), run(torch)
    if text == '[1, "a"]' and function == "default_collate":
        assert ours[0] is theirs[0] is TypeError
    else:
        assert ours == theirs


def test_collating_keeps_dtypes() -> None:
    batch = default_collate([(tg.ones(3), np.float32(1), np.ones(2), 1, 1.5, True, "one", np.uint8(7))] * 4)
    dtypes = [getattr(field, "dtype", None) for field in batch]
    assert dtypes == [tg.float32, tg.float32, tg.float64, tg.int64, tg.float64, tg.bool, None, tg.uint8]
    assert batch[0].shape == (4, 3) and batch[2].shape == (4, 2) and batch[6] == ("one",) * 4
    assert default_collate([{"b": 1, "a": [2]}, {"b": 3, "a": [4]}])["a"][0].tolist() == [2, 4]
    assert default_collate([Point(1, 2), Point(3, 4)]).y.tolist() == [2, 4]


def test_a_batch_owns_its_memory() -> None:
    rows = np.ones((2, 3), np.float32)
    batch = default_collate(list(rows))
    batch += 1
    assert rows.max() == 1


def test_gradients_flow_through_a_batch() -> None:
    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(w), batch_size=2)))
    (batch * tg.tensor([1.0, 10.0])).sum().backward()
    assert w.grad.tolist() == [1, 10, 0]


# -- datasets ----------------------------------------------------------------------------------------------------------


class Squares(Dataset[tuple[int, float]]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[int, float]:
        return index, float(index**2)


def test_a_dataset_of_one_s_own() -> None:
    x, y = next(iter(DataLoader(Squares(), batch_size=3)))
    assert x.tolist() == [0, 1, 2] and x.dtype == tg.int64 and y.tolist() == [0, 1, 4] and y.dtype == tg.float64


def test_tensor_dataset() -> None:
    data = TensorDataset(tg.arange(6).reshape(3, 2), tg.tensor([0.5, 1.5, 2.5]))
    assert len(data) == 3 and listed(data[1]) == [[2, 3], 1.5] and listed(data[-1]) == [[4, 5], 2.5]
    assert [listed(sample) for sample in data] == [[[0, 1], 0.5], [[2, 3], 1.5], [[4, 5], 2.5]]
    with pytest.raises(IndexError, match="out of bounds"):
        data[3]


def test_concat_dataset() -> None:
    joined = Squares() + Subset(TEN, [9, 8])
    assert isinstance(joined, ConcatDataset) and len(joined) == 12 and joined.cumulative_sizes == [10, 12]
    assert joined[9] == (9, 81.0) and joined[10] == 9 and joined[11] == joined[-1] == 8 and joined[-12] == (0, 0.0)
    for bad, error in ((12, IndexError), (-13, ValueError)):
        with pytest.raises(error):
            joined[bad]
    with pytest.raises(AssertionError, match="datasets should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        ConcatDataset([TEN, IterableDataset()])


def test_subset_of_a_subset() -> None:
    part = Subset(Subset("abcdef", [5, 3, 1]), [2, 0])
    assert len(part) == 2 and list(part) == ["b", "f"]
    rows = Subset(TensorDataset(tg.arange(6)), [5, 3, 1])
    assert listed(rows[[0, 2]]) == [[5, 1]]


@given(size=st.integers(1, 50), fractions=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_random_split_is_a_partition(size: int, fractions: list[int]) -> None:
    parts = [n / sum(fractions) for n in fractions]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a part may be empty
        split = random_split(range(size), parts) if sum(parts) <= 1 else random_split(range(size), [size])
    assert sorted(i for part in split for i in part) == list(range(size))
    assert all(abs(len(part) - size * share) < 1 + 1e-9 for part, share in zip(split, parts, strict=False) if len(split) > 1)


def test_random_split_lengths() -> None:
    assert [len(part) for part in random_split(range(11), [0.3, 0.3, 0.4])] == [4, 3, 4]
    assert [len(part) for part in random_split(range(11), [1 / 3] * 3)] == [4, 4, 3]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(11), [0.99, 0.01])
    for lengths in ([7, 7], [12, -2], [5.5, 4.5], [0.5, 0.4]):
        with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset!"):
            random_split(TEN, lengths)
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(TEN, [-0.5, 1.5])


# -- the short way for a TensorDataset ---------------------------------------------------------------------------------


@given(
    rows=st.integers(1, 20),
    dtypes=st.lists(st.sampled_from("float32 float64 int64 int32 uint8 bool".split()), min_size=1, max_size=3),
    batch_size=st.integers(1, 8),
    depth=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_rows_taken_at_once_are_those_taken_one_by_one(
    rows: int, dtypes: list[str], batch_size: int, depth: int, seed: int
) -> None:
    random = np.random.RandomState(seed)
    shapes = [(rows,), (rows, 3), (rows, 2, 2)]
    tensors = [tg.from_numpy(random.randint(0, 9, shapes[i]).astype(dtype)) for i, dtype in enumerate(dtypes)]
    data: Any = TensorDataset(*tensors)
    for _ in range(depth):
        data = Subset(data, random.randint(-len(data), len(data), len(data)).tolist())
    fast = list(DataLoader(data, batch_size))
    slow = list(DataLoader(data, batch_size, collate_fn=lambda samples: default_collate(samples)))
    assert described(fast) == described(slow)
    assert all(type(batch) is list for batch in fast)
    assert all(not np.shares_memory(t.numpy(), batch.numpy()) for b in fast for t, batch in zip(tensors, b, strict=True))


def test_the_short_way_asks_for_each_batch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One index a tensor and batch: this is what makes an epoch quick."""
    asked: list[Any] = []
    take = tg.Tensor.__getitem__
    monkeypatch.setattr(tg.Tensor, "__getitem__", lambda self, index: asked.append(index) or take(self, index))
    list(DataLoader(Subset(TensorDataset(tg.arange(10), tg.arange(10)), TEN[::-1]), batch_size=5))
    assert asked == [[9, 8, 7, 6, 5]] * 2 + [[4, 3, 2, 1, 0]] * 2


def test_what_a_subclass_says_counts() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(2 * t for t in super().__getitem__(index))

    class Shifted(Subset):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index)[0] + 100

    assert listed(DataLoader(Doubled(tg.arange(3)), 2)) == [[[0, 2]], [[4]]]
    assert listed(DataLoader(Shifted(TensorDataset(tg.arange(3)), [2, 0]), 2)) == [[102, 100]]


def test_numbers_of_any_kind_are_taken_from_a_sampler() -> None:
    data = TensorDataset(tg.arange(10) * 10)
    for kind in (np.int64, np.int32, tg.tensor):
        order: Any = [kind(i) for i in (3, 1, 2)]
        assert listed(DataLoader(data, 2, sampler=order)) == [[[30, 10]], [[20]]]
    assert listed(DataLoader(data, batch_sampler=[[1, 2], [3]])) == [[[10, 20]], [[30]]]
    pairs: Any = [slice(0, 2), slice(4, 6)]
    assert listed(DataLoader(data, 2, sampler=pairs)) == [[[[0, 10], [40, 50]]]]


def test_a_collate_function_receives_the_rows_one_by_one() -> None:
    loader = DataLoader(TensorDataset(tg.arange(3)), 2, collate_fn=lambda samples: [x.item() for (x,) in samples])
    assert list(loader) == [[0, 1], [2]]


# -- the loader --------------------------------------------------------------------------------------------------------


def test_attributes_and_length() -> None:
    loader = DataLoader(TEN, 3, drop_last=True, num_workers=0)
    assert (loader.dataset, loader.batch_size, loader.drop_last, loader.num_workers) == (TEN, 3, True, 0)
    assert loader.generator is None and loader.collate_fn is default_collate and loader.prefetch_factor is None
    assert isinstance(loader.sampler, SequentialSampler) and isinstance(loader.batch_sampler, BatchSampler)
    assert len(loader) == 3 and len(DataLoader(TEN, 3)) == 4 and len(DataLoader(TEN, batch_size=None)) == 10
    assert isinstance(DataLoader(TEN, shuffle=True).sampler, RandomSampler)
    assert DataLoader(TEN, batch_size=None).collate_fn is default_convert
    assert DataLoader(TEN, batch_sampler=[[1]]).batch_size is None and len(DataLoader(TEN, batch_sampler=[[1], [2]])) == 2
    assert DataLoader(TEN, num_workers=2).prefetch_factor == 2
    assert get_worker_info() is None


def test_names_where_pytorch_has_them() -> None:
    for module, names in {
        "utils.data": "DataLoader Dataset IterableDataset TensorDataset ConcatDataset Subset random_split Sampler "
        "SequentialSampler RandomSampler SubsetRandomSampler WeightedRandomSampler BatchSampler default_collate "
        "default_convert get_worker_info",
        "utils.data.dataset": "Dataset TensorDataset Subset random_split",
        "utils.data.sampler": "Sampler RandomSampler SubsetRandomSampler",
        "utils.data.dataloader": "DataLoader default_collate",
    }.items():
        room: Any = tg
        for part in module.split("."):
            room = getattr(room, part)
        assert all(hasattr(room, name) for name in names.split())


def test_without_batches() -> None:
    samples = list(DataLoader([(np.ones(2), 1), (np.zeros(2), 2)], batch_size=None))
    assert listed(samples) == [[[1, 1], 1], [[0, 0], 2]] and isinstance(samples[0][0], tg.Tensor)


def test_a_collate_function_of_one_s_own() -> None:
    assert list(DataLoader("abc", 2, collate_fn="".join)) == ["ab", "c"]


def test_a_dataset_that_gives_many_samples_at_once() -> None:
    class Many(Squares):
        def __getitems__(self, indices: list[int]) -> list[tuple[int, float]]:
            return [(-i, 0.0) for i in indices]

    assert listed(DataLoader(Many(), 4))[0] == [[0, -1, -2, -3], [0, 0, 0, 0]]


def test_two_epochs_at_a_time() -> None:
    loader = DataLoader(TEN, 4)
    first, second = iter(loader), iter(loader)
    next(first)
    assert listed(list(second)) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and next(first).tolist() == [4, 5, 6, 7]


class Lines(IterableDataset[int]):
    def __init__(self, count: int) -> None:
        self.count = count
        self.readers: set[str] = set()

    def __iter__(self) -> Iterator[int]:
        for i in range(self.count):
            self.readers.add(threading.current_thread().name)
            yield i

    def __len__(self) -> int:
        return self.count


@pytest.mark.parametrize("workers", [0, 3])
def test_a_stream_is_read_once_and_in_order(workers: int) -> None:
    data = Lines(10)
    loader = DataLoader(data, 4, num_workers=workers)
    assert len(loader) == 3 and listed(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] == listed(loader)
    assert len(data.readers) == 1 and ("MainThread" in data.readers) == (workers == 0)
    assert listed(DataLoader(data, 4, drop_last=True, num_workers=workers)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert list(DataLoader(data, None, num_workers=workers)) == list(range(10))
    assert list(DataLoader(Lines(0), 4, num_workers=workers)) == []


# -- workers -----------------------------------------------------------------------------------------------------------


class Slow(Dataset[int]):
    """Samples that take their time, the first ones the longest, so that later batches are ready before."""

    def __init__(self, count: int, seconds: float = 0.002) -> None:
        self.count, self.seconds = count, seconds
        self.asked: list[int] = []
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        self.asked.append(index)
        self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds * (self.count - index) / self.count)
        return index


def test_workers_give_the_same_batches_in_the_same_order() -> None:
    data = Slow(20)
    loader = DataLoader(data, 3, num_workers=3)
    assert listed(loader) == listed(DataLoader(range(20), 3)) == listed(loader)
    assert data.threads == {f"DataLoader worker {i}_0" for i in range(3)}


def test_workers_prepare_a_few_batches_ahead_and_no_more() -> None:
    data = Slow(40, 0.0)
    batches = iter(DataLoader(data, 2, num_workers=2, prefetch_factor=3))
    assert not data.asked
    next(batches)
    ends = time.monotonic() + 5
    while len(data.asked) < 14 and time.monotonic() < ends:
        time.sleep(0.001)
    time.sleep(0.01)
    assert len(data.asked) == 14  # the batch that was given, and 2 · 3 more
    batches.close()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_comes_in_its_turn_with_its_origin(workers: int) -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> Any:
            if index == 7:
                raise LookupError("seven is not there")
            return index

    got = []
    with pytest.raises(LookupError, match="seven is not there") as caught:
        for batch in DataLoader(Broken(), 3, num_workers=workers):
            got += batch.tolist()
    assert got == [0, 1, 2, 3, 4, 5]
    assert caught.value.__notes__ == ["This happened in sample 7 of the Broken, which a DataLoader asked for."]
    assert caught.traceback[-1].name == "__getitem__" and caught.traceback[-1].path.name == "test_data.py"


@pytest.mark.parametrize("workers", [0, 2])
def test_shapes_that_differ_are_named(workers: int) -> None:
    data = [tg.ones(2), tg.ones(2), tg.ones(3)]
    with pytest.raises(RuntimeError, match=r"stack expects each tensor to be equal size, but got \[2\] at entry 0 and \[3\]"):
        list(DataLoader(data, 3, num_workers=workers))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_that_stops_short_is_an_error_not_an_end(workers: int) -> None:
    class Short(Squares):
        def __getitem__(self, index: int) -> Any:
            return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(Short(), 3, num_workers=workers))


def test_leaving_the_loop_ends_the_threads() -> None:
    data = Slow(100)
    for batch in DataLoader(data, 1, num_workers=4):
        if batch.item() == 3:
            break
    assert not [t for t in threading.enumerate() if t.name.startswith("DataLoader")]
    asked = len(data.asked)
    time.sleep(0.01)
    assert len(data.asked) == asked < 20


def test_an_epoch_that_is_never_begun_starts_no_thread() -> None:
    before = threading.active_count()
    batches = iter(DataLoader(Slow(10), num_workers=4))
    assert threading.active_count() == before
    del batches


def test_a_worker_that_takes_too_long() -> None:
    release = threading.Event()

    class Stuck(Squares):
        def __getitem__(self, index: int) -> Any:
            release.wait(10)

    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.01 seconds"):
        next(iter(DataLoader(Stuck(), num_workers=1, timeout=0.01)))
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("DataLoader"):
            thread.join()


def test_a_timeout_of_the_dataset_s_own() -> None:
    class Refused(Squares):
        def __getitem__(self, index: int) -> Any:
            raise TimeoutError("the server does not answer")

    with pytest.raises(TimeoutError, match="the server does not answer"):
        next(iter(DataLoader(Refused(), num_workers=1, timeout=5)))


def test_each_worker_is_told_its_number() -> None:
    told: list[tuple[int, str]] = []

    def init(number: int) -> None:
        told.append((number, threading.current_thread().name))

    listed(DataLoader(TEN, num_workers=3, worker_init_fn=init))
    assert sorted(told) == [(i, f"DataLoader worker {i}_0") for i in range(3)]
    listed(DataLoader(TEN, worker_init_fn=init))
    assert len(told) == 3

    def fails(number: int) -> None:
        raise OSError(f"worker {number} cannot open its file")

    with pytest.raises(OSError, match="worker 0 cannot open its file"):
        listed(DataLoader(TEN, num_workers=2, worker_init_fn=fails))


def test_options_for_pytorch_programs_are_accepted() -> None:
    loader = DataLoader(
        TEN, 5, pin_memory=True, pin_memory_device="", num_workers=1, persistent_workers=True, in_order=True,
        multiprocessing_context="fork",
    )  # fmt: skip
    assert loader.pin_memory and listed(loader) == [TEN[:5], TEN[5:]] == listed(loader)


# -- wrong use ---------------------------------------------------------------------------------------------------------


class Unwritten(Sampler[int]):
    pass


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: DataLoader(TEN, batch_size=0), ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
    (lambda: DataLoader(TEN, batch_size=2.0), ValueError, r"batch_size=2\.0"),
    (lambda: DataLoader([], shuffle=True), ValueError, "num_samples should be a positive integer value, but got num_samples=0"),
    (lambda: DataLoader(TEN, num_workers=-1), ValueError, "num_workers option should be non-negative"),
    (lambda: DataLoader(TEN, timeout=-1), ValueError, "timeout option should be non-negative"),
    (lambda: DataLoader(TEN, timeout=1), ValueError, "num_workers > 0"),
    (lambda: DataLoader(TEN, prefetch_factor=2), ValueError, "prefetch_factor option could only be specified in"),
    (lambda: DataLoader(TEN, prefetch_factor=0, num_workers=1), ValueError, "prefetch_factor option should be positive"),
    (lambda: DataLoader(TEN, persistent_workers=True), ValueError, "persistent_workers"),
    (lambda: DataLoader(TEN, shuffle=True, sampler=TEN), ValueError, "sampler option is mutually exclusive with shuffle"),
    (lambda: DataLoader(TEN, 2, batch_sampler=[TEN]), ValueError, "batch_sampler option is mutually exclusive with batch_size"),
    (lambda: DataLoader(TEN, drop_last=True, batch_sampler=[TEN]), ValueError, "batch_sampler option is mutually exclusive"),
    (lambda: DataLoader(TEN, None, drop_last=True), ValueError, "batch_size=None option disables auto-batching"),
    (lambda: DataLoader(Lines(3), shuffle=True), ValueError, "expected unspecified shuffle option, but got shuffle=True"),
    (lambda: DataLoader(Lines(3), sampler=TEN), ValueError, "expected unspecified sampler option"),
    (lambda: DataLoader(Lines(3), batch_sampler=[TEN]), ValueError, "expected unspecified batch_sampler option"),
    (lambda: setattr(DataLoader(TEN), "batch_size", 5), ValueError, "batch_size attribute should not be set after DataLoader"),
    (lambda: len(DataLoader(IterableDataset())), TypeError, r"has no len\(\)"),
    (lambda: list(DataLoader([None, None], 2)), TypeError, "default_collate: batch must contain tensors, numpy arrays.*found"),
    (lambda: Dataset()[0], NotImplementedError, "Subclasses of Dataset should implement __getitem__"),
    (lambda: iter(IterableDataset()), NotImplementedError, "Subclasses of IterableDataset should implement __iter__"),
    (lambda: iter(Unwritten()), NotImplementedError, "Unwritten does not say in which order"),
    (lambda: TensorDataset(), ValueError, "at least one tensor"),
    (lambda: TensorDataset(tg.ones(3), tg.ones(2)), AssertionError, r"Size mismatch between tensors: they have \[3, 2\] rows"),
    (lambda: TensorDataset(tg.ones(3), np.ones(3)), TypeError, r"number 1 .* ndarray: write `torch\.from_numpy\(array\)`"),
    (lambda: RandomSampler(TEN, replacement=1), TypeError, "replacement should be a boolean value"),
    (lambda: RandomSampler(TEN, num_samples=0), ValueError, "num_samples should be a positive integer value"),
    (lambda: RandomSampler(TEN, num_samples=True), ValueError, "num_samples should be a positive integer value"),
    (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive integer value"),
    (lambda: WeightedRandomSampler([[1.0]], 1), ValueError, r"weights should be a 1d sequence but given.*\(1, 1\)"),
    (lambda: list(WeightedRandomSampler([-1.0, 2.0], 1)), RuntimeError, "element < 0"),
    (lambda: list(WeightedRandomSampler([1.0, 0.0], 2, replacement=False)), RuntimeError, "not enough"),
    (lambda: BatchSampler(TEN, 2, None), ValueError, "drop_last should be a boolean value"),
    (lambda: list(SubsetRandomSampler(5)), TypeError, "len"),
]


@pytest.mark.parametrize(("wrong", "error", "words"), WRONG, ids=range(len(WRONG)))
def test_wrong_use_is_explained(wrong: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wrong()
