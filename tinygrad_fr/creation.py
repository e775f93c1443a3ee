"""Making tensors: from values, filled, or in sequence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements
from tinygrad_fr.operations.casting import TYPES, to
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.values import as_array, check_device, get_default_dtype, set_default_dtype


def _finished(array: Array, requires_grad: bool, device: Any = None) -> Tensor:
    check_device(device)
    out = wrap(array)
    if requires_grad:
        out.requires_grad = True
    return out


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """Make a tensor from a number, nested lists, or an array; the values are copied.

    Args:
        data: Python floats become the default dtype (float32), integers int64, booleans bool; arrays keep their dtype.
        dtype: another dtype to convert to.
        device: accepted for PyTorch programs; arrays live where their library puts them.
        requires_grad: whether `backward()` shall compute a gradient for it; only for floating dtypes.

    Raises:
        TypeError: for values that are not numeric.
        ValueError: for nested lists of uneven lengths.
        RuntimeError: for requires_grad with an integer or boolean dtype.

    >>> tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    return _finished(as_array(data, dtype, copy=True), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the same values, without a copy where that is possible; a tensor is returned as it is.

    >>> as_tensor(np.array([1, 2]))
    tensor([1, 2])
    """
    check_device(device)
    if isinstance(data, Tensor):
        return data if dtype is None else to(data, dtype)
    return wrap(as_array(data, dtype))


def from_numpy(array: Array) -> Tensor:
    """A tensor that shares the array's memory: a change of one is seen in the other.

    Raises:
        TypeError: for what is not an array.

    >>> from_numpy(np.array([1.0, 2.0]))
    tensor([1., 2.], dtype=torch.float64)
    """
    if isinstance(array, (Tensor, list, tuple, int, float)) or not hasattr(array, "dtype"):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__}): write `tensor(...)` for lists and numbers")
    return wrap(as_array(array))


def _lengths(size: tuple[Any, ...]) -> tuple[int, ...]:
    """`zeros(2, 3)`, `zeros((2, 3))` and `zeros([2, 3])` mean the same."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    try:
        lengths = tuple(int(n.__index__()) for n in size)
    except AttributeError:
        raise TypeError(f"a shape is made of integers, got {size!r}") from None
    if any(n < 0 for n in lengths):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(lengths)}")
    return lengths


def _filled(name: str, make: Callable[[tuple[int, ...], Any], Array], what: str, shown: str) -> Callable[..., Tensor]:
    """Write the creators that differ by their filling only."""

    def create(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **named: Any) -> Tensor:
        if named:
            size = (named.pop("size"),)
        return _finished(make(_lengths(size), dtype or get_default_dtype()), requires_grad, device)

    create.__name__ = create.__qualname__ = name
    example = f"\n\n    >>> {name}(2, 3){shown}\n    " if shown else "\n    "
    create.__doc__ = f"A tensor {what}, of the shape given as integers or as a tuple; float32 by default.{example}"
    return create


zeros = _filled("zeros", np.zeros, "of zeros", "\n    tensor([[0., 0., 0.],\n            [0., 0., 0.]])")
ones = _filled("ones", np.ones, "of ones", "\n    tensor([[1., 1., 1.],\n            [1., 1., 1.]])")
empty = _filled("empty", np.empty, "whose values are whatever was in memory", ".shape\n    torch.Size([2, 3])")


def full(size: Sequence[int], fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one value, whose type gives the dtype as in `tensor`.

    >>> full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    value = as_array(fill_value, dtype)
    return _finished(np.full(_lengths((size,)), value, value.dtype), requires_grad, device)


def _like(name: str, function: Any, what: str) -> Callable[..., Tensor]:
    def create(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        array = input._array if isinstance(input, Tensor) else as_array(input)
        return _finished(function(array, dtype=dtype), requires_grad, device)

    create.__name__ = create.__qualname__ = name
    create.__doc__ = (
        f"A tensor {what}, of the same shape and dtype as another; it has no history.\n\n"
        f"    >>> {name}(zeros(2)).shape\n    torch.Size([2])\n    "
    )
    implements(function)(lambda a, dtype=None, order="K", subok=True, shape=None, device=None: create(a, dtype=dtype))
    return create


zeros_like = _like("zeros_like", np.zeros_like, "of zeros")
ones_like = _like("ones_like", np.ones_like, "of ones")
empty_like = _like("empty_like", np.empty_like, "whose values are whatever was in memory")


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor filled with one value, of the same shape and dtype as another.

    >>> full_like(zeros(2), 3)
    tensor([3., 3.])
    """
    return _finished(np.full_like(input._array, as_array(fill_value), dtype=dtype), requires_grad, device)


@implements(np.full_like)
def _numpy_full_like(a: Tensor, fill_value: Any, dtype: Any = None, **_: Any) -> Tensor:
    return full_like(a, fill_value, dtype=dtype)


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given values in this tensor's dtype."""
    return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


def arange(
    start: Any = None, end: Any = None, step: float = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from start (0 if left out) to end, not included, step by step; int64 if all are integers.

    Raises:
        RuntimeError: for a step of zero or in the wrong direction.

    >>> arange(3), arange(1, 2, 0.5)
    (tensor([0, 1, 2]), tensor([1.0000, 1.5000]))
    """
    if start is None or end is None:
        start, end = 0, start if end is None else end
    bounds = [v.item() if isinstance(v, Tensor) else v for v in (start, end, step)]
    _check_step(*bounds)
    dtype = dtype or (np.int64 if all(isinstance(v, int) for v in bounds) else get_default_dtype())
    count = max(math.ceil((bounds[1] - bounds[0]) / bounds[2]), 0)
    return _finished((bounds[0] + np.arange(count) * bounds[2]).astype(dtype), requires_grad, device)


def _check_step(start: Any, end: Any, step: Any) -> None:
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: from {start} to {end} by {step}")


def range(
    start: Any = 0, end: Any = None, step: float = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from start to end, which is included, as floats: PyTorch's old `range`, for which it warns.

    New programs write `arange`, which leaves the end out as Python does.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     range(1, 4)
    tensor([1., 2., 3., 4.])
    """
    import warnings

    warnings.warn(
        "torch.range is deprecated: it includes its end, which Python's range does not. Write `arange(start, end + 1)`.",
        UserWarning,
        stacklevel=2,
    )
    if end is None:
        raise TypeError('range() missing 1 required positional arguments: "end"')
    _check_step(start, end, step)
    count = math.floor((end - start) / step) + 1
    return _finished((start + np.arange(count) * step).astype(dtype or get_default_dtype()), requires_grad, device)


def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Numbers at equal distances from start to end, both included.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    ends: list[Any] = [v.item() if isinstance(v, Tensor) else v for v in (start, end)]
    return _finished(np.linspace(ends[0], ends[1], int(steps), dtype=dtype or get_default_dtype()), requires_grad, device)


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Powers of the base whose exponents are at equal distances.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    return _finished(np.logspace(start, end, int(steps), base=base, dtype=dtype or get_default_dtype()), requires_grad, device)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix, with n rows and m columns (n by default).

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    return _finished(np.eye(n, m, dtype=dtype or get_default_dtype()), requires_grad, device)


def _new(name: str, create: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Write `new_zeros` and its like: `zeros` in the dtype of a tensor."""

    def method(self: Tensor, *size: Any, dtype: Any = None, **named: Any) -> Tensor:
        return create(*size, dtype=dtype or self.dtype, **named)

    method.__name__ = method.__qualname__ = f"new_{name}"
    method.__doc__ = f"`{name}` in this tensor's dtype: a new tensor without history."
    return method


new_zeros, new_ones = _new("zeros", zeros), _new("ones", ones)
new_empty, new_full = _new("empty", empty), _new("full", full)


def tril_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """The coordinates, in two rows, of the lower triangle of a matrix.

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return wrap(np.stack(np.tril_indices(row, offset, col)))


def triu_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """The coordinates, in two rows, of the upper triangle of a matrix.

    >>> triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return wrap(np.stack(np.triu_indices(row, offset, col)))


def typed(name: str, dtype: Any) -> Callable[..., Tensor]:
    """Make one of PyTorch's old constructors, such as `FloatTensor`: a shape, or values of that dtype."""

    def create(*data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return wrap(as_array(data[0], dtype, copy=True))
        return wrap(np.empty(data, dtype))

    create.__name__ = create.__qualname__ = name
    create.__doc__ = f"PyTorch's old constructor of {np.dtype(dtype).name}; new programs write `tensor(data, dtype=...)`."
    return create


FloatTensor = typed("FloatTensor", np.float32)
DoubleTensor = typed("DoubleTensor", np.float64)
LongTensor = typed("LongTensor", np.int64)
IntTensor = typed("IntTensor", np.int32)
HalfTensor = typed("HalfTensor", np.float16)
ShortTensor = typed("ShortTensor", np.int16)
ByteTensor = typed("ByteTensor", np.uint8)
BoolTensor = typed("BoolTensor", np.bool_)


def set_default_tensor_type(t: Any) -> None:
    """PyTorch's old name of `set_default_dtype`: takes `FloatTensor`, `DoubleTensor` or `HalfTensor`, or its name.

    Raises:
        TypeError: for another type, or one of another device.

    >>> set_default_tensor_type("torch.FloatTensor")
    """
    name = str(getattr(t, "__name__", t)).removeprefix("torch.")
    if name not in TYPES:
        raise TypeError(f"type {t} not available: write `set_default_dtype(torch.float64)`, or another dtype of floats.")
    set_default_dtype(TYPES[name])
