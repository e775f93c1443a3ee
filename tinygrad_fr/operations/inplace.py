"""Writing into a tensor's memory: `x += 1`, `x.zero_()`, `x[i] = v`.

A write is recorded like any operation, and its time is noted in the memory that the tensor shares with its views: the engine
refuses a gradient that would be computed from a value that was overwritten in between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.node import RETAIN, Array, Memory, last, mode, tick
from tinygrad_fr.operations import arithmetic, casting, indexing
from tinygrad_fr.tensor import Tensor, own_array, shared_memory, wrap
from tinygrad_fr.values import BLOCK, LARGE, RANK


def _writable(x: Tensor, what: str) -> None:
    """Refuse to record a write that the graph could not follow."""
    node = x._node
    if node is None:
        return
    if node.operation is None:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({what}): its old value would be lost "
            "to the graph. Update parameters under `with no_grad():`, or make a new tensor, `x = x + ...`."
        )
    base = _base(x)
    if base is not None and base.is_leaf:
        raise RuntimeError(
            f"a view of a leaf Variable that requires grad is being used in an in-place operation ({what}): update parameters "
            "under `with no_grad():`, or make a new tensor."
        )
    if node.operation.view and node.memory is not None and base is None:
        raise RuntimeError(
            f"{what} writes into a view (made by {node.operation.name}) of a tensor that requires grad: write into the tensor "
            "itself, `x[...] = value`, or out of place."
        )


def _base(x: Tensor) -> Tensor | None:
    """The tensor that a recorded part `y[index]` was taken from, if it is still there and nothing has moved since."""
    node = x._node
    if node is None or node.base is None or node.operation.name != "getitem" or node.memory is None or node.memory.stale:
        return None
    base: Tensor | None = node.base()
    return base


def _check_fits(x: Tensor, result: Array, what: str) -> None:
    """An in-place result must have the shape of its tensor, and a dtype that it can hold."""
    if tuple(result.shape) != tuple(x._array.shape):
        raise RuntimeError(
            f"output with shape {list(x._array.shape)} doesn't match the broadcast shape {list(result.shape)}: {what} cannot "
            "change the shape of its tensor. Write it out of place."
        )
    if RANK[result.dtype.kind] > RANK[x._array.dtype.kind]:
        raise RuntimeError(
            f"result type {result.dtype} can't be cast to the desired output type {x._array.dtype}: {what} keeps the dtype of "
            "its tensor. Write it out of place, or convert the tensor with `.float()` first."
        )


def _writes(array: Array) -> bool:
    """Whether an array is not NumPy's, and can be written all the same: a recorder, which notes the write."""
    return getattr(array, "writable", False)


def _wrote(x: Tensor) -> None:
    """Note that the memory of a tensor was written now."""
    node = x._node
    memory = x._memory if node is None else node.memory
    if memory is None:
        memory = shared_memory(x)
    memory.write()


def overwrite(x: Tensor, result: Tensor, what: str = "an in-place operation") -> Tensor:
    """Put a result into the memory of x, which takes over the result's history; x is returned."""
    if mode.state:
        _writable(x, what)
    _check_fits(x, result._array, what)
    base = _base(x) if mode.state else None
    if base is not None and x._node is not None:  # y[0] += 1: the part goes back into the whole, and is taken again
        index = (x._node.params or {})["index"]
        setitem(base, index, result)
        x._node = indexing.getitem(base, index)._node
        return x
    node = result._node
    if node is not None and x._node is None and x._memory is not None and getattr(x._array, "base", None) is not None:
        raise RuntimeError(
            f"{what} writes a value that requires grad into a view: the tensor it is a view of would not know. Write into that "
            "tensor itself, `x[...] = value`."
        )
    array = own_array(x)
    if _writes(array):
        np.copyto(array, result._array)  # a recorder: whoever else holds it sees the write
    elif isinstance(array, np.ndarray) and not _writes(result._array):
        if not array.flags.writeable:
            raise RuntimeError(
                f"{what}: the memory is read-only, since several elements share one place (expand, broadcast_to) or NumPy "
                "marked it so. Call `.clone()` first."
            )
        np.copyto(array, result._array, casting="unsafe")
    else:
        if isinstance(array, np.ndarray) and (x._memory if x._node is None else x._node.memory) is not None:
            raise RuntimeError(
                f"{what}: while a step is compiled, a value that differs from call to call is written into a tensor that was "
                "written or viewed before. Write it out of place, or make the tensor with one expression."
            )
        x._array = result._array  # Dask and its like cannot be written: the tensor takes the new array
    if node is None:
        _wrote(x)
    else:
        memory = shared_memory(x)
        memory.stale = last.stale = memory.write()
        node.memory, node.stamp = Memory(), tick()  # the node stands for the value after the write
        if x._node is not None and x._node.hooks and RETAIN in x._node.hooks:
            x._node.hooks.remove(RETAIN)
            node.hooks = [RETAIN]
        x._node = node  # x._memory stays: nodes that kept x as a constant find the write there
    return x


def _snapshot(x: Tensor, value: Any) -> Any:
    """An operand, with a copy of its values if the recorded write into x is going to destroy them: formulas keep them."""
    if not mode.state or not isinstance(value, Tensor):
        return value
    if _writes(value._array):
        return wrap(value._array.copy(), value._node)
    if not isinstance(value._array, (np.ndarray, np.generic)):
        return value
    if value is not x and not np.may_share_memory(value._array, x._array):
        return value
    node = value._node
    if _base(x) is not None or (node is not None and node.operation is not None and node.operation.view):
        return casting.clone(value)  # a node of its own, which no later write makes out of date
    return wrap(np.array(value._array), value._node)


def in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The in-place form of an operation: `x.exp_()` is `x.exp()` written into x."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if mode.state:
            _writable(self, name)
        return overwrite(self, function(*(_snapshot(self, value) for value in (self, *args)), **kwargs), name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of `{name.rstrip('_')}`: the result is written into this tensor, which is returned."
    return method


def _scaled(ufunc: Any, array: Array, value: Array, alpha: float) -> None:
    """array −= alpha · value for a large array, a piece at a time: the product stays in the cache and needs no memory."""
    if not (type(value) is np.ndarray and array.shape == value.shape and array.dtype == value.dtype and array.dtype.kind == "f"
            and array.flags.c_contiguous and value.flags.c_contiguous):  # fmt: skip
        ufunc(array, value * alpha, array)
        return
    flat, other, product = array.reshape(-1), value.reshape(-1), np.empty(BLOCK, array.dtype)
    for start in range(0, flat.size, BLOCK):
        piece = flat[start : start + BLOCK]
        ufunc(piece, np.multiply(other[start : start + BLOCK], alpha, product[: piece.size]), piece)


def _augmented(name: str, ufunc: Any, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`add_` and its like: straight to NumPy when nothing is recorded, which is how every optimiser writes."""
    careful = in_place(function, name)

    def method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        array, node = self._array, self._node
        value = other._array if isinstance(other, Tensor) else other
        if (
            (mode.state and (node is not None or (value is not other and other._node is not None)))
            or type(array) is not np.ndarray
            or (type(value) is not np.ndarray and type(value) is not float)
        ):
            return careful(self, other if alpha == 1 else arithmetic.mul(other, alpha))
        try:
            if alpha != 1 and array.size > LARGE:
                _scaled(ufunc, array, value, alpha)
            else:
                ufunc(array, value if alpha == 1 else value * alpha, array)
        except (ValueError, TypeError):
            return careful(self, other if alpha == 1 else arithmetic.mul(other, alpha))  # says what is wrong, or promotes
        memory = self._memory if node is None else node.memory
        if memory is None:
            memory = shared_memory(self)
        memory.written = last.write = tick()
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = careful.__doc__
    return method


add_ = _augmented("add_", np.add, arithmetic.add)
sub_ = _augmented("sub_", np.subtract, arithmetic.sub)
mul_ = _augmented("mul_", np.multiply, arithmetic.mul)
div_ = _augmented("div_", np.true_divide, arithmetic.div)


def reshaped_in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """The in-place form of a change of shape: the tensor looks at the same memory another way."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if mode.state:
            _writable(self, name)
        seen = function(wrap(self._array, self._node if mode.state else None), *args, **kwargs)
        self._array = seen._array
        if seen._node is not None:
            self._node = seen._node
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of `{name.rstrip('_')}`: this tensor takes the new shape and is returned."
    return method


def fill_(self: Tensor, value: Any) -> Tensor:
    """Write one value everywhere."""
    return copy_(self, value)


def zero_(self: Tensor) -> Tensor:
    """Write zeros everywhere."""
    return copy_(self, 0)


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Write the elements of another tensor, broadcast and converted to this tensor's dtype."""
    return setitem(self, ..., src)


def masked_fill_(self: Tensor, mask: Tensor, value: Any) -> Tensor:
    """Write a value where the mask is true."""
    return in_place(indexing.masked_fill, "masked_fill_")(self, mask, value)


def setitem(self: Tensor, index: Any, value: Any) -> Tensor:
    """`x[index] = value`: recorded when a gradient flows through x or the value; in x's dtype.

    Raises:
        IndexError: when the index does not fit.
        RuntimeError: when the value does not fit the place, or x is a leaf that requires grad.
    """
    recorded = mode.state and (self._node is not None or (isinstance(value, Tensor) and value._node is not None))
    array, plain = own_array(self), value._array if isinstance(value, Tensor) else value
    if recorded or not (_writes(array) if not isinstance(array, np.ndarray) else not _writes(plain)):
        if mode.state:
            _writable(self, "index assignment")
        result = indexing.index_put(_snapshot(self, self), _snapshot(self, value), index)
        overwrite(self, result, "index assignment")
        return self
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        raise RuntimeError("index assignment: the memory is read-only (an expanded tensor?). Call `.clone()` first.")
    index = indexing.numpy_index(index)
    if np.ndim(plain) > 1:  # PyTorch ignores axes of length 1 in front
        plain = np.reshape(plain, np.shape(plain)[next((i for i, n in enumerate(np.shape(plain)) if n != 1), -1) :])
    try:
        indexing.assign(array, index, plain)
    except (ValueError, TypeError) as error:
        raise RuntimeError(
            f"index assignment: a value of shape {np.shape(plain)} does not fit the place it is written to in a tensor of "
            f"shape {tuple(array.shape)} ({error})"
        ) from None
    _wrote(self)
    return self
