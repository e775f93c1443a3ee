"""Changing the dtype of a tensor, copying it, and PyTorch's names for moving it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.node import Array, user_site
from tinygrad_fr.operation import implements, operation
from tinygrad_fr.operations.storage import whole
from tinygrad_fr.tensor import Tensor, shared_memory, wrap
from tinygrad_fr.values import DEVICES, check_device


@operation(
    "cast",
    r"{x}",
    broadcasts=("x",),  # not for its shape: so that the engine brings the gradient back to the input's dtype
    samples=lambda draw: [((draw.uniform((2, 3), -2, 2),), {"dtype": np.dtype(np.float64)})],
    dx=lambda g: g,
)
def _cast(x: Array, *, dtype: Any) -> Array:
    """The same values in another dtype."""
    return x.astype(dtype)


@operation("copy", r"{x}", kernel=np.copy, dx=lambda g: g)
def clone(x: Array) -> Array:
    """A copy with memory of its own, through which gradients flow back unchanged.

    >>> from tinygrad_fr import tensor
    >>> clone(tensor([1.0, 2.0]))
    tensor([1., 2.])
    """
    return np.positive(x) if x.dtype != bool else np.logical_or(x, x)  # ufuncs, which every array understands


@implements(np.copy)
def _numpy_copy(a: Tensor, order: str = "K", subok: bool = False) -> Tensor:
    return clone(a)


TYPES = {
    "FloatTensor": np.float32, "DoubleTensor": np.float64, "HalfTensor": np.float16, "LongTensor": np.int64,
    "IntTensor": np.int32, "ShortTensor": np.int16, "CharTensor": np.int8, "ByteTensor": np.uint8, "BoolTensor": np.bool_,
}  # fmt: skip
"""PyTorch's old names of tensors by their dtype."""


def to(
    self: Tensor, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False, non_blocking: bool = False
) -> Tensor:
    """Convert to a dtype, or to another tensor's; devices are accepted and the array stays where it is.

    A tensor that has the dtype already is returned as it is. The gradient comes back in the tensor's own dtype.

    Raises:
        RuntimeError: for a device other than the CPU: give the tensor an array of that device's library (CuPy) instead.

    >>> from tinygrad_fr import tensor
    >>> to(tensor([1, 2]), "float32")
    tensor([1., 2.])
    """
    for value in args:
        if isinstance(value, Tensor):
            dtype = value.dtype
        elif str(value).split(":")[0] in DEVICES:
            device = value  # a string or a device object
        elif isinstance(value, bool):
            continue
        else:
            dtype = value
    check_device(device)
    if dtype is None or np.dtype(dtype) == self.dtype:
        return clone(self) if copy else self
    wanted = np.dtype(dtype)
    if wanted.kind == "f" or self._node is None:
        return _cast(self, dtype=wanted)
    whole = _cast(wrap(self._array), dtype=wanted)
    whole._cut = f"the conversion to {wanted} at {user_site()}"  # integers and booleans cannot move a little: no gradient
    return whole


def type_(self: Tensor, dtype: Any = None) -> Any:
    """PyTorch's name of the tensor's type, or, given a dtype or such a name, the tensor converted to it.

    >>> from tinygrad_fr import tensor
    >>> type_(tensor([1.0])), type_(tensor([1]), "torch.FloatTensor")
    ('torch.FloatTensor', tensor([1.]))
    """
    if dtype is None:
        return next((f"torch.{name}" for name, known in TYPES.items() if self.dtype == known), str(self.dtype))
    if isinstance(dtype, str):
        dtype = TYPES.get(dtype.removeprefix("torch."), dtype)
    return to(self, getattr(dtype, "__name__", None) in TYPES and TYPES[dtype.__name__] or dtype)


def _converter(name: str, dtype: Any) -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        return to(self, dtype)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"The same values as {np.dtype(dtype).name}."
    return method


CONVERTERS = {
    name: _converter(name, dtype)
    for name, dtype in {
        "float": np.float32, "double": np.float64, "half": np.float16, "long": np.int64, "int": np.int32, "short": np.int16,
        "char": np.int8, "byte": np.uint8, "bool": np.bool_,
    }.items()
}  # fmt: skip


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Set whether `backward()` computes this tensor's gradient, and return the tensor.

    >>> from tinygrad_fr import tensor
    >>> requires_grad_(tensor([1.0]))
    tensor([1.], requires_grad=True)
    """
    self.requires_grad = requires_grad
    return self


def detach_(self: Tensor) -> Tensor:
    """Cut this tensor from the graph that made it, in place.

    >>> from tinygrad_fr import tensor
    >>> detach_(tensor([1.0], requires_grad=True) * 2)
    tensor([2.])
    """
    if self._node is not None:
        self._memory, self._node = shared_memory(self), None
    return self


def same(self: Tensor, *_: Any, **__: Any) -> Tensor:
    """The tensor itself: `cpu()` and `contiguous()` have nothing to do for an array that lies where it lies."""
    return self


def contiguous(self: Tensor) -> Tensor:
    """A tensor whose elements lie in order in memory: itself when they do, a copy otherwise."""
    flags = getattr(self._array, "flags", None)
    return self if flags is None or flags.c_contiguous else clone(self)


def cuda(self: Tensor, device: Any = None) -> Tensor:
    """PyTorch's name for moving to a GPU; says how it is done here."""
    return to(self, device="cuda")


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in their own order.

    >>> from tinygrad_fr import zeros
    >>> is_contiguous(zeros(2, 3)), is_contiguous(zeros(2, 3).T)
    (True, False)
    """
    flags = getattr(self._array, "flags", None)
    return flags is None or bool(flags.c_contiguous)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements of memory lie between neighbours along each axis, or along one.

    >>> from tinygrad_fr import zeros
    >>> stride(zeros(2, 3)), stride(zeros(2, 3).T)
    ((3, 1), (1, 3))
    """
    steps = tuple(step // self._array.itemsize for step in self._array.strides)
    return steps if dim is None else steps[dim]


def element_size(self: Tensor) -> int:
    """The bytes that one element takes.

    >>> from tinygrad_fr import zeros
    >>> zeros(2).element_size(), zeros(2).itemsize
    (4, 4)
    """
    return int(self._array.itemsize)


def nbytes(self: Tensor) -> int:
    """The bytes that all elements take.

    >>> from tinygrad_fr import zeros
    >>> zeros(2, 3).nbytes
    24
    """
    return int(self._array.nbytes)


def data_ptr(self: Tensor) -> int:
    """The address of the first element: two tensors that share memory from the start have the same."""
    return int(np.asarray(self._array).ctypes.data)


def storage_offset(self: Tensor) -> int:
    """How many elements of the memory it views lie before this tensor's first.

    >>> from tinygrad_fr import zeros
    >>> storage_offset(zeros(2, 3)[1])
    3
    """
    return (data_ptr(self) - int(np.asarray(whole(self._array)).ctypes.data)) // element_size(self)


def numel(self: Tensor) -> int:
    """The number of elements.

    >>> from tinygrad_fr import tensor
    >>> numel(tensor([[1.0, 2.0]]))
    2
    """
    return self.shape.numel()


def size(self: Tensor, dim: int | None = None) -> Any:
    """The shape, or the length of one axis.

    >>> from tinygrad_fr import tensor
    >>> size(tensor([[1.0, 2.0]])), size(tensor([[1.0, 2.0]]), 1)
    (torch.Size([1, 2]), 2)
    """
    if dim is None:
        return self.shape
    if not -self.ndim <= dim < self.ndim:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-self.ndim}, {self.ndim - 1}], but got {dim})")
    return self.shape[dim]


def is_tensor(obj: Any) -> bool:
    """Whether a value is a Tensor.

    >>> is_tensor([1, 2])
    False
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is floating point.

    >>> from tinygrad_fr import tensor
    >>> is_floating_point(tensor([1.0]))
    True
    """
    return bool(input.dtype.kind == "f")


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements agree, |a − b| ≤ atol + rtol |b|.

    >>> from tinygrad_fr import tensor
    >>> allclose(tensor([1.0]), tensor([1.0 + 1e-7]))
    True
    """
    return bool(np.allclose(input._array, other._array, rtol, atol, equal_nan))


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Which elements agree, |a − b| ≤ atol + rtol |b|.

    >>> from tinygrad_fr import tensor
    >>> isclose(tensor([1.0, 2.0]), tensor([1.0, 3.0]))
    tensor([ True, False])
    """
    return wrap(np.isclose(input._array, other._array, rtol, atol, equal_nan))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements.

    >>> from tinygrad_fr import tensor
    >>> equal(tensor([1, 2]), tensor([1, 2]))
    True
    """
    return bool(np.array_equal(input._array, other._array))
