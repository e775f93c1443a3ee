"""A Tensor is an array that remembers how it was computed.

It holds two things: the array, kept as it was given (a NumPy array, or anything that speaks NumPy's protocols), and the
`Node` that recorded the operation it came from. What a tensor can *do* is not written here: each method is one of the
operations, attached by the table in `methods.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_fr import printing
from tinygrad_fr._methods import TensorMethods
from tinygrad_fr.node import RETAIN, Array, Memory, Node, new_node, user_site
from tinygrad_fr.values import CPU, Size, as_array, device, get_default_dtype

_new = object.__new__


class Tensor(TensorMethods):
    """An array with a memory of how it was made; `loss.backward()` turns that memory into gradients.

    `Tensor(2, 3)` makes an uninitialised float32 tensor and `Tensor([1, 2])` a float32 one, as in PyTorch;
    new programs write `zeros(2, 3)` and `tensor([1., 2.])`.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_array", "_cut", "_memory", "_node")

    _array: Array
    _node: Node | None  # None: no gradient flows through this tensor
    _memory: Memory | None  # of a tensor without a node; a node carries its own
    _cut: str | None  # why no gradient flows, when an operation or detach() cut the graph here or before

    def __init__(self, *data: Any) -> None:
        if len(data) == 1 and not isinstance(data[0], int):
            self._array = as_array(data[0], np.float32, copy=True)
        else:
            self._array = np.empty(data, np.float32) if data else np.empty(0, np.float32)
        self._node = self._memory = self._cut = None

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The lengths of the axes."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self._array.dtype  # type: ignore[no-any-return]  # an Array is Any by design

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim  # type: ignore[no-any-return]

    @property
    def device(self) -> device:
        """Where the elements are, as the array says it itself; the CPU for NumPy's."""
        where = getattr(self._array, "device", "cpu")
        return CPU if where == "cpu" else device(str(where))

    @property
    def is_leaf(self) -> bool:
        """True for a tensor that the user made, or that needs no gradient."""
        return self._node is None or self._node.operation is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that computed the tensor; None for a leaf."""
        return None if self._node is None or self._node.operation is None else self._node

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor that no gradient flows through; writes to it are not watched (`detach` is safer)."""
        alias = wrap(own_array(self))
        if self._node is not None:
            alias._cut = f".data at {user_site()}"
        return alias

    @data.setter
    def data(self, value: Tensor) -> None:
        self._array = as_array(value)

    # -- its gradient ----------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor; may be set on a leaf of floating dtype."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted == (self._node is not None):
            return
        if not wanted:
            if self._node is not None and self._node.operation is not None:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. This one was computed by "
                    f"{self._node.operation.name}: use `.detach()` to get the same values without their history."
                )
            self._memory, self._node = shared_memory(self), None
            return
        if self._array.dtype.kind != "f":
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients: a derivative needs numbers that can move "
                f"a little, and these are {self._array.dtype}. Write `.float()` first, or `tensor([1., 2.])` with points."
            )
        memory = shared_memory(self)
        self._node = new_node()
        self._node.memory = memory

    @property
    def grad(self) -> Any:
        """The gradient, a Tensor, that `backward()` accumulated here, or None; of a leaf, or after `retain_grad()`.

        It is typed Any so that `w -= lr * w.grad` needs no assertion in typed programs.
        """
        node = self._node
        if node is None:
            return None
        if node.grad is None and node.operation is not None and not (node.hooks and RETAIN in node.hooks):
            import warnings

            warnings.warn(
                f"The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: this one was computed by "
                f"{node.operation.name}, and gradients are kept for leaves only. Its .grad won't be populated during "
                "autograd.backward(); call .retain_grad() on it before backward() to keep its gradient.",
                UserWarning,
                stacklevel=2,
            )
        return node.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        node = self._node
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value.shape != self.shape or value.dtype != self.dtype:
                raise RuntimeError(
                    f"assigned grad has shape {tuple(value.shape)} and dtype {value.dtype}, but the tensor has shape "
                    f"{tuple(self.shape)} and dtype {self.dtype}: a gradient looks like its tensor."
                )
            if node is None:
                raise RuntimeError("this tensor does not require grad: call `.requires_grad_()` before giving it one.")
        if node is not None:
            node.grad = value

    def detach(self) -> Tensor:
        """The same memory, cut from the graph: no gradient flows back through the result. In-place writes are watched."""
        alias = wrap(own_array(self))
        alias._memory = shared_memory(self)
        if self._node is not None:
            alias._cut = f".detach() at {user_site()}"
        return alias

    # -- out of the framework --------------------------------------------------------------------------------------

    def item(self) -> Any:
        """The Python number of a tensor with one element.

        Raises:
            RuntimeError: when there is not exactly one element.
        """
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar (shape {tuple(self.shape)}): "
                "take one element, `t[0].item()`, reduce it, `t.mean().item()`, or use `t.tolist()`."
            )
        return np.asarray(self._array).item()

    def tolist(self) -> Any:
        """The values as nested Python lists, or as a number for a tensor without axes."""
        return np.asarray(self._array).tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """The array itself, sharing memory; `force=True` detaches first.

        Raises:
            RuntimeError: when a gradient flows through the tensor, since NumPy would cut it silently.
        """
        if self._node is not None and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead: "
                "NumPy keeps no history, so the gradient would be cut here without a word."
            )
        return own_array(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        return np.array(array, dtype, copy=copy) if dtype is not None or copy else np.asarray(array)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu":
            raise TypeError(f"only integer tensors of a single element can be converted to an index, not {self.dtype}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with {self._array.size} values is ambiguous: "
                "say what you mean with `.any()` or `.all()`."
            )
        return bool(self._array)

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return int(self._array.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        grad_fn = self.grad_fn
        return printing.format_tensor(
            self._array,
            requires_grad=self._node is not None,
            grad_fn=None if grad_fn is None else grad_fn.name(),
            default_dtype=get_default_dtype(),
        )

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._array.ndim == 0 else object.__format__(self, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment: "
                "copy the values with `.detach().clone()`."
            )
        twin = _rebuild(type(self), self._array.copy(), self.requires_grad)
        if self._node is not None and self._node.grad is not None:
            twin.grad = self._node.grad.__deepcopy__(memo)
        memo[id(self)] = twin
        return twin

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be pickled: save `.detach()`, the values without their history.")
        return _rebuild, (type(self), self._array, self.requires_grad)


def _rebuild(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    twin: Tensor = _new(cls)
    twin._array, twin._node, twin._memory, twin._cut = array, None, None, None
    twin.requires_grad = requires_grad
    return twin


def wrap(array: Array, node: Node | None = None) -> Tensor:
    """A Tensor round an array, with no check and no copy: the engine's own constructor."""
    out: Tensor = _new(Tensor)
    out._array = array
    out._node = node
    out._memory = out._cut = None
    return out


def shared_memory(t: Tensor) -> Memory:
    """The record of writes that a tensor shares with its views and detached copies; made when first asked for."""
    holder: Node | Tensor = t if t._node is None else t._node
    memory = holder.memory if isinstance(holder, Node) else holder._memory
    if memory is None:
        memory = Memory()
        if isinstance(holder, Node):
            holder.memory = memory
        else:
            holder._memory = memory
    return memory


def own_array(t: Tensor) -> Array:
    """The tensor's array, after a NumPy scalar (what NumPy makes of a 0-d result) became an array that can be written."""
    if isinstance(t._array, np.generic):
        t._array = np.array(t._array)
    return t._array
