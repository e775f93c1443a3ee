"""Indexing: choosing elements, writing elements, sorting; every gradient here moves numbers and computes nothing.

To read `x[index]` is a linear map that copies some entries. Its transpose sends each gradient back to the entry that
was read, and adds where an entry was read several times: `_put`. The transpose of `_put` is reading again, so this pair
differentiates to any order, and everything that chooses (sort, topk, median, gather) is composed of it: the indices are
constants, for a small change of the values does not change which one was chosen.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements, on, operation
from tinygrad_fr.operations.shaping import broadcast_to, read_dim, reshape
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.values import as_array

Index: TypeAlias = "tuple[Any, ...]"
"""An index as NumPy takes it: numbers, slices, None, `...`, masks and arrays of integers, its own."""


class ValuesIndices(NamedTuple):
    """What was chosen, and where it was; printed with the name of the function that chose, as PyTorch does."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return f"torch.return_types.{type(self).__name__}(\nvalues={self.values!r},\nindices={self.indices!r})"


CHOICE: dict[str, type[ValuesIndices]] = {
    name: type(name, (ValuesIndices,), {"__slots__": (), "__module__": __name__})
    for name in ("max", "min", "sort", "topk", "median")
}
"""The pair that each function returns, under its name."""


# -- x[index] and its transpose ----------------------------------------------------------------------------------------


def _repeats(index: Index) -> bool:
    """Whether an entry may be named twice: only arrays of integers can, never numbers, slices and masks."""
    return any(getattr(getattr(i, "dtype", None), "kind", "") in ("i", "u") for i in index)


def _put_kernel(g: Array, x_shape: tuple[int, ...], *, index: Index) -> Array:
    """`_put` for NumPy arrays: additions at repeated places run over flat positions, which `np.add.at` does fastest."""
    out = np.zeros(x_shape, g.dtype)
    if not _repeats(index):
        out[index] = g
    elif g.size:
        flat = out.reshape(-1)
        if all(isinstance(i, np.ndarray) and i.dtype.kind != "b" for i in index):  # leading axes: whole blocks
            rows: Any = np.ravel_multi_index(index, x_shape[: len(index)], mode="wrap").reshape(-1)
            size = math.prod(x_shape[len(index) :])
            if size > 1:
                order, last = np.arange(len(rows)), np.empty(out.size // size, np.intp)
                last[rows] = order  # of equal rows the last one stays: if each reads itself back, all differ
                if np.array_equal(last[rows], order):
                    out.reshape(-1, size)[rows] = g.reshape(-1, size)
                    return out
                rows = (rows[:, None] * size + np.arange(size)).reshape(-1)
        else:
            rows = np.arange(out.size).reshape(x_shape)[index].reshape(-1)
        np.add.at(flat, rows, np.ravel(g))
    return out


@operation(
    "put",
    r"\operatorname{put}({x})",
    samples=lambda draw: [
        ((draw.uniform((2, 2), -2, 2),), {"shape": (3, 2), "index": (slice(1, None),)}),
        ((draw.uniform((4, 2), -2, 2),), {"shape": (3, 2), "index": (np.array([0, 2, 0, -1]),)}),
    ],
    dx=lambda g, *, index: g[index],
)
def _put(x: Array, *, shape: tuple[int, ...], index: Index) -> Array:
    """Zeros of a shape to which x is added at the index: the transpose of `getitem`."""
    out = np.zeros_like(x, shape=shape)
    if _repeats(index):
        np.add.at(out, index, x)
    else:
        out[index] = x
    return out


@operation(
    "[·]",
    r"{x}_{\mathrm{index}}",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((3, 4), -2, 2),), {"index": (1, ...)}),
        ((draw.uniform((3, 4), -2, 2),), {"index": (slice(None), slice(0, 4, 2))}),
        ((draw.uniform((3, 4), -2, 2),), {"index": (None, ..., 0)}),
        ((draw.uniform((3, 2), -2, 2),), {"index": (np.array([0, 2, 0, 0]),)}),
        ((draw.uniform((2, 3), -2, 2),), {"index": (np.array([1, 1, 0]), np.array([-1, 2, 0]))}),
        ((draw.uniform((2, 3, 2), -2, 2),), {"index": (slice(None), np.array([[0, 0], [2, 1]]))}),
        ((draw.uniform((3,), -2, 2),), {"index": (np.array([True, False, True]),)}),
    ],
    dx=lambda g, x_shape, *, index: on(_put, g, shape=x_shape, index=index),
    kernel_dx=_put_kernel,
)
def _getitem(x: Array, *, index: Index) -> Array:
    """x[index], where the index is NumPy's."""
    return x[index]


def getitem(input: Tensor, index: Any) -> Tensor:
    """Elements of a tensor, `x[index]`.

    The index is an integer, a slice, `None` (a new axis), `...`, a mask (booleans of the shape of the axes that it
    covers), an array of integers (Tensor, NumPy array or list; several are broadcast together), or a tuple of these.
    Integers, slices, None and `...` give a view: it shares memory with x. Masks and arrays give a copy.
    A list, nested or not, counts as the array it would make, as in NumPy.

    Gradient: ∂E/∂x is zeros with ∂E/∂y added at the index; an entry read twice receives the sum of both gradients.

    Raises:
        IndexError: for an index out of range, too many indices, a mask of another shape, or values that are no index
            (floats, or uint8, which may mean a mask or positions).
        ValueError: for a slice with a step below 1; write `x.flip(0)` to go backwards.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> x[1], x[:, 0], x[[0, 2], [1, 0]]
    (tensor([3., 4.]), tensor([1., 3., 5.]), tensor([2., 5.]))
    >>> x[x > 3]
    tensor([4., 5., 6.])
    """
    key = numpy_index(index)
    try:
        first, rest = _split(key, input.ndim)
        return _getitem(input if first is None else _getitem(input, index=first), index=rest)
    except IndexError as error:
        raise _index_error(tuple(input.shape), key, error) from None


def numpy_index(index: Any) -> Index:
    """The index with Tensors and lists as arrays of its own, so that later writes to them change no gradient."""
    if type(index) is int:
        return (index, ...)  # with `...`, a single element comes out as an array that shares memory, not as a number
    entries = tuple(map(_entry, index)) if isinstance(index, tuple) else (_entry(index),)
    if all(i is None or isinstance(i, (int, slice)) for i in entries):
        return (*entries, ...)
    return entries


def _entry(entry: Any) -> Any:
    """One part of an index as NumPy takes it; what PyTorch refuses is refused here."""
    if entry is None or entry is Ellipsis or type(entry) is int:
        return entry
    if isinstance(entry, slice):
        if entry.step is not None and operator.index(entry.step) < 1:
            raise ValueError(
                f"step must be greater than zero, got {entry.step}: a tensor cannot be sliced backwards. "
                "Write `x.flip(0)` to reverse an axis."
            )
        return slice(*(None if i is None else operator.index(i) for i in (entry.start, entry.stop, entry.step)))
    given = entry
    if isinstance(entry, Tensor):
        entry = entry._array
    elif isinstance(entry, (list, tuple, range)):
        entry = as_array(list(entry)) if len(entry) else np.empty(0, np.intp)
    elif isinstance(entry, (bool, np.generic)):
        entry = np.asarray(entry)
    elif not hasattr(entry, "dtype"):
        try:
            return operator.index(entry)
        except TypeError:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None, masks and tensors or lists of integers are valid "
                f"indices (got {type(given).__name__})"
            ) from None
    kind = entry.dtype.kind
    if entry.dtype == np.uint8:
        raise IndexError("a tensor of dtype uint8 may mean a mask or positions: say which with `.bool()` or `.long()`")
    if kind not in "iub":
        raise IndexError(
            f"tensors used as indices must be long, int or bool tensors, not {entry.dtype}: positions are whole "
            "numbers, write `.long()`; a mask comes from a comparison, as in `x[x > 0]`"
        )
    if not isinstance(entry, (np.ndarray, np.generic)):
        return entry  # a recorder, or an array of another library
    if kind != "b" and entry.ndim == 0:
        return int(entry)
    return np.array(entry) if entry is getattr(given, "_array", given) else entry


def _width(entry: Any) -> int:
    """How many axes of the tensor a part of an index consumes."""
    if entry is None or entry is Ellipsis:
        return 0
    return int(entry.ndim) if getattr(getattr(entry, "dtype", None), "kind", "") == "b" else 1


def _split(key: Index, ndim: int) -> tuple[Index | None, Index]:
    """The index in two steps where NumPy and PyTorch differ: PyTorch applies integers first, in NumPy they are arrays.

    It matters only when a slice stands between an integer and an array: `x[0, :, [1, 2]]` of a (2, 3, 4) tensor is
    (3, 2) in PyTorch and (2, 3) in NumPy.
    """
    if not any(hasattr(i, "dtype") for i in key):
        return None, key
    if sum(map(_width, key)) == ndim:  # `...` that stands for no axis separates nothing
        key = tuple(i for i in key if i is not Ellipsis)
    places = [k for k, i in enumerate(key) if type(i) is int or hasattr(i, "dtype")]
    if not any(type(key[k]) is int for k in places) or places[-1] - places[0] + 1 == len(places):
        return None, key
    if sum(map(_width, key)) > ndim:
        raise IndexError
    first: list[Any] = []
    for i in key:  # the axes that an array, a mask or a slice consumes stay as they are
        first += [i] if type(i) is int else [...] if i is Ellipsis else [slice(None)] * _width(i)
    return tuple(first), tuple(i for i in key if type(i) is not int)


def assign(array: Array, index: Any, value: Any) -> None:
    """Write into an array, `array[index] = value`, by PyTorch's rules for the index; nothing is recorded."""
    key = numpy_index(index)
    try:
        first, rest = _split(key, array.ndim)
        (array if first is None else array[first])[rest] = value
    except IndexError as error:
        raise _index_error(array.shape, key, error) from None


def _index_error(shape: tuple[int, ...], key: Index, error: Exception) -> IndexError:
    """What was wrong with an index: found again from the shape, so that a good index pays for no check."""
    used = sum(map(_width, key))
    if not shape and used:
        return IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a number"
        )
    if used > len(shape):
        return IndexError(
            f"too many indices for tensor of dimension {len(shape)}: {used} were given for the shape {list(shape)}"
        )
    axis = 0
    for i in key:
        if i is Ellipsis:
            axis += len(shape) - used
            continue
        width = _width(i)
        if getattr(getattr(i, "dtype", None), "kind", "") == "b":
            if tuple(i.shape) != shape[axis : axis + width]:
                return IndexError(
                    f"The shape of the mask {list(i.shape)} at index {axis} does not match the shape of the indexed "
                    f"tensor {list(shape)} at index {axis}: a mask has one boolean for each element of its axes"
                )
        elif type(i) is int or isinstance(i, np.ndarray):
            size = shape[axis]
            bad = [int(n) for n in np.ravel(i) if not -size <= n < size]
            if bad:
                valid = f": valid ones go from {-size} to {size - 1}" if size else ", which is empty"
                return IndexError(f"index {bad[0]} is out of bounds for dimension {axis} with size {size}{valid}")
        axis += width
    shapes = ", ".join(str(list(i.shape)) for i in key if hasattr(i, "shape"))
    if "broadcast" in str(error):
        return IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}. Its arrays "
            "are read together, element by element; for rows × columns write `x[rows][:, columns]`"
        )
    return IndexError(str(error))


# -- writing at an index -----------------------------------------------------------------------------------------------


@operation(
    "[·]←",
    r"{x}_{\mathrm{index} \leftarrow {value}}",
    broadcasts=("value",),
    name="index_put",
    samples=lambda draw: [
        ((draw.uniform((3, 4), -2, 2), draw.uniform((4,), -2, 2)), {"index": (1, ...)}),
        ((draw.uniform((3, 4), -2, 2), draw.uniform((2,), -2, 2)), {"index": (slice(None), slice(0, 4, 2))}),
        ((draw.uniform((3, 2), -2, 2), draw.uniform((2, 2), -2, 2)), {"index": (np.array([2, 0]),)}),
        ((draw.uniform((3,), -2, 2), draw.uniform((1,), -2, 2)), {"index": (np.array([True, False, True]),)}),
    ],
    dx=lambda g, *, index: on(_index_put, g, 0, index=index),  # what was overwritten has no influence
    dvalue=lambda g, *, index: g[index],
)
def _index_put(x: Array, value: Array, *, index: Index) -> Array:
    """A copy of x with x[index] = value."""
    out = np.copy(x)
    out[index] = value
    return out


def index_put(x: Tensor, value: Any, index: Any) -> Tensor:
    """A copy of x in which `x[index] = value`: assignment as a function, which in-place assignment records.

    Args:
        x: a tensor.
        value: a number or a tensor that broadcasts to the shape of `x[index]`; it takes the dtype of x.
        index: as for `x[index]`.

    Gradients: ∂E/∂x = ∂E/∂y with zeros at the index, ∂E/∂value = (∂E/∂y)[index]. Where an array of integers names a
    place twice, which of the values stays is not defined, and each receives the gradient, as in PyTorch.

    Raises:
        IndexError: as `x[index]`.
        RuntimeError: when the value does not broadcast to the place where it goes.

    >>> from tinygrad_fr import tensor
    >>> index_put(tensor([1.0, 2.0, 3.0]), 0, slice(1, None))
    tensor([1., 0., 0.])
    """
    key = numpy_index(index)
    if not isinstance(value, Tensor):
        value = wrap(np.asarray(as_array(value)).astype(x.dtype))
    elif value.dtype != x.dtype:
        value = value.astype(x.dtype)
    try:
        first, rest = _split(key, x.ndim)
        if first is not None:  # two steps: write into the part, then the part into the whole
            return _index_put(x, index_put(_getitem(x, index=first), value, rest), index=first)
        if value.ndim > 0 and value.shape[0] == 1:  # axes of length 1 too many in front, as in x[0] = [[1, 2]]
            room = np.broadcast_to(False, x.shape)[rest].ndim
            while value.ndim > room and value.shape[0] == 1:
                value = value[0]
        return _index_put(x, value, index=rest)
    except IndexError as error:
        raise _index_error(tuple(x.shape), key, error) from None


# -- along one axis ----------------------------------------------------------------------------------------------------


def _integers(index: Any, name: str, what: str = "index") -> Array:
    """The array of an index Tensor, checked to hold integers."""
    array = index._array if isinstance(index, Tensor) else np.asarray(index)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for {what}, got {array.dtype}: write `.long()`")
    return array


def _within(array: Array, dim: int, size: int, error: type[Exception] = RuntimeError) -> Array:
    """An array of positions, refused where one is negative or too large (PyTorch's rule for functions of an index)."""
    if isinstance(array, (np.ndarray, np.generic)) and array.size:
        for n in (array.min(), array.max()):
            if not 0 <= n < size:
                raise error(
                    f"index {n} is out of bounds for dimension {dim} with size {size}: they go from 0 to {size - 1}"
                )
    return array


def _add_along_kernel(g: Array, x_shape: tuple[int, ...], indices: Array, *, dim: int) -> Array:
    return _put_kernel(g, x_shape, index=_along(indices, x_shape, dim))


def _along(indices: Array, shape: tuple[int, ...], dim: int) -> Index:
    """The NumPy index that reads `indices` along dim and every position of the other axes."""
    grid = np.ix_(*map(range, shape)) if 0 not in shape else np.ogrid[tuple(slice(n) for n in shape)]
    return tuple(indices if k == dim else grid[k].astype(np.intp) for k in range(len(shape)))


@operation(
    "add along",
    r"\operatorname{add\_along}({x}, {indices})",
    samples=lambda draw: [
        ((draw.uniform((2, 3), -2, 2), draw.integers((2, 3), 0, 2)), {"shape": (2, 4), "dim": 1}),
        ((draw.uniform((2, 3), -2, 2), draw.integers((2, 3), 0, 2)), {"shape": (5, 3), "dim": 0}),
    ],
    dx=lambda g, indices, *, dim: np.take_along_axis(g, indices, axis=dim),
)
def _add_along(x: Array, indices: Array, *, shape: tuple[int, ...], dim: int) -> Array:
    """Zeros of a shape to which x is added, along dim, at the indices: the transpose of `take_along_dim`."""
    out = np.zeros_like(x, shape=shape)
    np.add.at(out, _along(indices, shape, dim), x)
    return out


@operation(
    "take along",
    r"\operatorname{take\_along}({x}, {indices})",
    name="take_along_dim",
    samples=lambda draw: [
        ((draw.uniform((3, 4), -2, 2), draw.integers((3, 2), 0, 4)), {"dim": 1}),
        ((draw.uniform((3, 4), -2, 2), draw.integers((1, 4), 0, 3)), {"dim": 0}),
        ((draw.uniform((2, 3, 2), -2, 2), draw.integers((2, 5, 1), 0, 3)), {"dim": 1}),
    ],
    dx=lambda g, x_shape, indices, *, dim: on(_add_along, g, indices, shape=x_shape, dim=dim),
    kernel_dx=_add_along_kernel,
)
def _take_along(x: Array, indices: Array, *, dim: int) -> Array:
    """x at the indices along dim."""
    return np.take_along_axis(x, indices, axis=dim)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """The elements at the indices along one axis: for dim = 1, y[i, j] = x[i, indices[i, j]].

    It undoes an argmax or an argsort: `take_along_dim(x, x.argsort(1), 1)` is x sorted.

    Args:
        input: a tensor.
        indices: integers, with as many axes as the input; other axes than dim are broadcast.
        dim: the axis; None reads the flattened input.

    Gradient: each ∂E/∂y is added where its element was read.

    Raises:
        RuntimeError: for indices that are no integers or have another number of axes.
        IndexError: for a dim or an index out of range.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([[3.0, 1.0, 2.0], [4.0, 6.0, 5.0]])
    >>> take_along_dim(x, tensor([[1], [1]]), dim=1)
    tensor([[1.],
            [6.]])
    """
    array = _integers(indices, "take_along_dim", "indices")
    if dim is None:
        return _take_along(reshape(input, -1), np.reshape(array, (-1,)), dim=0)
    dim = read_dim(dim, input.ndim)
    if input.ndim == 0:
        found: Tensor = reshape(_take_along(_axes(input), np.reshape(array, (-1,)), dim=0), array.shape)
        return found
    if array.ndim != input.ndim:
        raise RuntimeError(
            "take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {array.ndim} dimensions for indices: write `.unsqueeze(dim)`"
        )
    try:
        return _take_along(input, indices, dim=dim)
    except IndexError as error:
        if "broadcast" not in str(error):
            raise
        rule = f"Apart from dim {dim}, each axis of the indices is as long as the input's, or 1."
        raise RuntimeError(f"{error} {rule}") from None


@implements(np.take_along_axis)
def _take_along_axis(arr: Tensor, indices: Any, axis: int | None = -1) -> Tensor:
    return take_along_dim(arr, indices, axis)


def _places(index: Any, dim: int, shape: tuple[int, ...], name: str, source: tuple[int, ...] | None = None) -> Index:
    """For gather and scatter: the NumPy index of the places that an index tensor names, after PyTorch's checks."""
    array = _integers(index, name)
    if array.ndim != len(shape) or (source is not None and len(source) != len(shape)):
        raise RuntimeError(
            f"{name}(): Index tensor must have the same number of dimensions as input tensor and src: got index "
            f"{list(array.shape)}, input {list(shape)}{'' if source is None else f', src {list(source)}'}"
        )
    fits = all(k == dim or n <= shape[k] for k, n in enumerate(array.shape))
    if not fits or (source is not None and any(n > m for n, m in zip(array.shape, source, strict=True))):
        raise RuntimeError(
            f"{name}(): Size does not match, index {list(array.shape)} must be no larger than self {list(shape)} "
            f"apart from dimension {dim}{'' if source is None else f', nor than src {list(source)}'}"
        )
    own = np.array(array) if isinstance(array, np.ndarray) else array
    return _along(_within(own, dim, shape[dim]), (*array.shape[:dim], shape[dim], *array.shape[dim + 1 :]), dim)


def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Elements along one axis: for dim = 1, y[i, j] = x[i, index[i, j]]; y has the shape of the index.

    With `dim=1` and the classes as an index of shape (n, 1), it picks the score of the right class in each row.

    Gradient: each ∂E/∂y is added where its element was read.

    Raises:
        RuntimeError: for an index that has another number of axes, is longer than the input along an axis other than
            dim, holds no integers, or is out of range (negative positions are refused, as in PyTorch).
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> gather(tensor([[1.0, 2.0], [3.0, 4.0]]), 1, tensor([[0, 0], [1, 0]]))
    tensor([[1., 1.],
            [4., 3.]])
    """
    dim = read_dim(dim, input.ndim)
    if input.ndim == 0:
        return take_along_dim(input, index, dim)
    return _getitem(input, index=_places(index, dim, tuple(input.shape), "gather"))


def _axes(t: Tensor) -> Tensor:
    """A tensor without axes as one with a single element in one axis."""
    return reshape(t, 1) if t.ndim == 0 else t


def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: float | None = None) -> Tensor:
    """A copy of the input with the entries of src written along one axis: for dim = 1, y[i, index[i, j]] = src[i, j].

    Args:
        input: a tensor.
        dim: the axis.
        index: integers, of as many axes as the input, no longer than src.
        src: a tensor of the input's dtype, or a number that is written everywhere.
        value: another name for src, when it is a number.

    Gradients: ∂E/∂input is ∂E/∂y with zeros where something was written, ∂E/∂src = gather(∂E/∂y, dim, index). Of
    several values written to one place, which stays is not defined.

    Raises:
        RuntimeError: as `gather`, and for a src of another dtype.

    >>> from tinygrad_fr import tensor, zeros
    >>> scatter(zeros(2, 3), 1, tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    dim, src = read_dim(dim, input.ndim), value if src is None else src
    whole = _axes(input)
    if not isinstance(src, Tensor):
        out = index_put(whole, src, _places(_axes(index), dim, tuple(whole.shape), "scatter"))
    else:
        out = index_put(whole, *_cut(whole, dim, index, src, "scatter"))
    return out if whole is input else out[0]


def _cut(whole: Tensor, dim: int, index: Tensor, src: Tensor, name: str) -> tuple[Tensor, Index]:
    """The part of src that an index reads, and the places where it goes."""
    if src.dtype != whole.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {whole.dtype} and {src.dtype}: "
            "convert src with `.to(input.dtype)`"
        )
    src, index = _axes(src), _axes(index)
    key = _places(index, dim, tuple(whole.shape), name, tuple(src.shape))
    return (src if src.shape == index.shape else src[tuple(map(slice, index.shape))]), key


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """The input with the entries of src added along one axis: for dim = 1, y[i, index[i, j]] += src[i, j].

    Places named several times receive every sum: it is the transpose of `gather`.

    Gradients: ∂E/∂input = ∂E/∂y, ∂E/∂src = gather(∂E/∂y, dim, index).

    Raises:
        RuntimeError: as `scatter`.

    >>> from tinygrad_fr import tensor, zeros
    >>> scatter_add(zeros(3), 0, tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.])
    """
    dim, whole = read_dim(dim, input.ndim), _axes(input)
    part, key = _cut(whole, dim, index, src, "scatter_add")
    out: Tensor = whole + _put(part, shape=tuple(whole.shape), index=key)
    return out if whole is input else out[0]


def _one_axis(index: Any, dim: int, input: Tensor, name: str, error: type[Exception] = RuntimeError) -> Index:
    """The NumPy index that takes the positions of a 1-D index along dim."""
    array = np.reshape(_integers(index, name), (-1,))
    if len(index.shape) > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got shape {list(index.shape)}")
    own = np.array(array) if isinstance(array, np.ndarray) else array
    return (*[slice(None)] * dim, _within(own, dim, input.shape[dim] if input.ndim else 1, error))


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of a tensor at the given positions of one axis, in the given order: `x[:, index]` for dim = 1.

    Gradient: each slice of ∂E/∂y is added to the slice that was read.

    Raises:
        IndexError: for a position out of range (negative ones are refused, as in PyTorch) or an index of several axes.

    >>> from tinygrad_fr import tensor
    >>> index_select(tensor([[1.0, 2.0], [3.0, 4.0]]), 0, tensor([1, 1, 0]))
    tensor([[3., 4.],
            [3., 4.],
            [1., 2.]])
    """
    dim = read_dim(dim, input.ndim)
    out = _getitem(_axes(input), index=_one_axis(index, dim, input, "index_select", IndexError))
    return out if input.ndim else out[0]


def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """The input with alpha times slices of source added at positions of one axis: the transpose of `index_select`.

    Gradients: ∂E/∂input = ∂E/∂y, ∂E/∂source = alpha · index_select(∂E/∂y, dim, index).

    Raises:
        RuntimeError: for a position out of range, or a source whose shape does not fit.

    >>> from tinygrad_fr import tensor, zeros
    >>> index_add(zeros(3), 0, tensor([0, 2, 0]), tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.])
    """
    dim, whole, part = read_dim(dim, input.ndim), _axes(input), _axes(source)
    key = _one_axis(index, dim, input, "index_add")
    room = (*whole.shape[:dim], len(key[-1]), *whole.shape[dim + 1 :])
    if part.shape != room or part.dtype != whole.dtype:
        raise RuntimeError(
            f"index_add(): source of shape {list(source.shape)} and dtype {source.dtype} does not fit: {len(key[-1])} "
            f"positions along dim {dim} of an input {list(input.shape)} want {list(room)} and dtype {input.dtype}"
        )
    added = _put(part, shape=tuple(whole.shape), index=key)
    out: Tensor = whole + (added if alpha == 1 else added * alpha)
    return out if input.ndim else out[0]


@implements(np.take)
def take(input: Tensor, index: Any, axis: int | None = None) -> Tensor:
    """The elements at positions of the flattened tensor; the result has the shape of the index.

    With NumPy's `axis`, the positions are along that axis.

    Gradient: each ∂E/∂y is added where its element was read.

    Raises:
        IndexError: for a position out of range.

    >>> from tinygrad_fr import tensor
    >>> take(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([0, 3, -1]))
    tensor([1., 4., 4.])
    """
    if axis is not None:
        return getitem(input, (*[slice(None)] * read_dim(axis, input.ndim), index))
    return getitem(reshape(input, -1), index)


# -- by a mask ---------------------------------------------------------------------------------------------------------


@operation(
    "where",
    r"\begin{cases} {input} & \text{if } {condition} \\ {other} & \text{otherwise} \end{cases}",
    broadcasts=True,
    name="where",
    samples=lambda draw: [
        (draw.booleans((2, 3)), draw.uniform((2, 3), -2, 2), draw.uniform((2, 3), -2, 2)),
        (draw.booleans((2, 1)), draw.uniform((3,), -2, 2), draw.uniform((2, 3), -2, 2)),
    ],
    dinput=lambda g, condition: np.where(condition, g, 0),
    dother=lambda g, condition: np.where(condition, 0, g),
)
def _where(condition: Array, input: Array, other: Array) -> Array:
    """input where the condition holds, other elsewhere."""
    return np.where(condition, input, other)


@implements(np.where)
def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """Elements of input where the condition holds, of other elsewhere; the three broadcast together.

    `where(condition)` alone is `nonzero(condition, as_tuple=True)`.

    Gradients: ∂E/∂y goes to the one that was chosen, 0 to the other. Both are computed beforehand:
    `where(x > 0, log(x), 0)` still takes the logarithm of what is not chosen, and its gradient there is 0 × ∞ = nan.
    Write `log(where(x > 0, x, 1))`.

    Raises:
        RuntimeError: when the condition is not boolean, or the shapes do not broadcast.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([-1.0, 2.0])
    >>> where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise TypeError("where() takes a condition alone, or a condition and two values")
    if not isinstance(condition, Tensor):
        condition = wrap(as_array(condition))
    if condition.dtype != np.bool_:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}: "
            "make it with a comparison, `x != 0`, or with `.bool()`"
        )
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        both = as_array([input, other]).dtype if np.ndim(input) == np.ndim(other) == 0 else None
        input = wrap(as_array(input, both))
    return _where(condition, input, other)


def _mask(mask: Any, name: str) -> Any:
    if mask.dtype != np.bool_:
        raise RuntimeError(
            f"{name} only supports boolean masks, but got mask with dtype {mask.dtype} (expected BoolTensor for mask): "
            "make it with a comparison, or with `.bool()`"
        )
    return mask


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """The input with a number written where the mask holds: `where(mask, value, input)`, in the input's dtype.

    `scores.masked_fill(mask, float("-inf"))` before a softmax gives the masked places the probability 0.

    Gradient: ∂E/∂input is ∂E/∂y where the mask does not hold, 0 elsewhere.

    Raises:
        RuntimeError: for a mask that is not boolean, or a value with axes.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([1.0, 2.0, 3.0])
    >>> masked_fill(x, x > 1.5, -1)
    tensor([ 1., -1., -1.])
    """
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                f"masked_fill only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)"
                ": choose between two tensors with `where(mask, value, input)`"
            )
        value = value if value.dtype == input.dtype else value.astype(input.dtype)
    else:
        value = wrap(np.asarray(value).astype(input.dtype))
    return _where(_mask(mask, "masked_fill"), value, input)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in one axis; input and mask are broadcast together.

    Gradient: ∂E/∂input has ∂E/∂y where the mask holds, 0 elsewhere.

    Raises:
        RuntimeError: for a mask that is not boolean, or does not broadcast with the input.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> masked_select(x, x > 1.5)
    tensor([2., 3., 4.])
    """
    chosen = _mask(mask, "masked_select")._array
    if tuple(chosen.shape) != tuple(input.shape):
        try:
            shape = np.broadcast_shapes(chosen.shape, input.shape)
        except ValueError:
            raise RuntimeError(
                f"masked_select: the mask {list(chosen.shape)} and the input {list(input.shape)} do not broadcast"
            ) from None
        chosen = np.broadcast_to(chosen, shape)
        input = input if tuple(input.shape) == shape else broadcast_to(input, shape)
    return getitem(input, chosen)


@operation(
    "≠0",
    r"\{i : {x}_i \neq 0\}",
    name="nonzero",
    samples=lambda draw: [(draw.integers((2, 3), 0, 2),)],
)
def _nonzero(x: Array) -> Array:
    """The positions of the elements that are not zero, one row for each."""
    return np.argwhere(x)


@implements(np.argwhere)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements are not zero: positions of shape (count, ndim), int64.

    With `as_tuple=True`, one tensor for each axis: `x[nonzero(x, as_tuple=True)]` are the elements themselves.
    Positions have no derivative.

    >>> from tinygrad_fr import tensor
    >>> nonzero(tensor([[0, 5], [7, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    if not as_tuple:
        return _nonzero(input)
    found = _nonzero(_axes(input) if isinstance(input, Tensor) else input)
    return tuple(found[:, k] for k in range(found.shape[1]))


@implements(np.nonzero)
def _nonzero_tuple(a: Tensor) -> Any:
    return nonzero(a, as_tuple=True)


# -- in order ----------------------------------------------------------------------------------------------------------


@operation(
    "argsort",
    r"\operatorname{argsort}({x})",
    samples=lambda draw: [
        (draw.distinct((2, 3)), {"dim": 1, "descending": False}),
        (draw.distinct((2, 3)), {"dim": 0, "descending": True}),
    ],
)
def _argsort(x: Array, *, dim: int, descending: bool) -> Array:
    """The positions along dim, in the order of the values; equal values keep their order."""
    if x.ndim == 0:
        return np.zeros_like(x, dtype=np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    # Sorted backwards from the other end, so that equal values keep their order and no value is negated.
    order = np.argsort(np.flip(x, axis=dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(order, axis=dim)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """The positions that sort the tensor along one axis, int64; they have no derivative.

    The order of equal elements is always kept, whether `stable` is asked for or not; NaN counts as the largest.

    Raises:
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> argsort(tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    return _argsort(input, dim=read_dim(dim, input.ndim), descending=bool(descending))


@implements(np.argsort)
def _np_argsort(a: Tensor, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> Tensor:
    return argsort(a, axis)


def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> ValuesIndices:
    """The elements in order along one axis, and the positions they come from, as a pair (values, indices).

    The order of equal elements is always kept; NaN counts as the largest.

    Gradient: ∂E/∂values goes back to the positions the values come from.

    Raises:
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> values, indices = sort(tensor([3.0, 1.0, 2.0]), descending=True)
    >>> values, indices
    (tensor([3., 2., 1.]), tensor([0, 2, 1]))
    """
    indices = argsort(input, dim, descending)
    return CHOICE["sort"](take_along_dim(input, indices, dim), indices)


@implements(np.sort)
def _np_sort(a: Tensor, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> Tensor:
    return sort(a, axis).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The k largest (or smallest) elements along one axis, in order, and their positions, as a pair (values, indices).

    Gradient: ∂E/∂values goes back to the k chosen positions, the others receive 0.

    Raises:
        RuntimeError: when k is negative or larger than the axis.
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> topk(tensor([1.0, 9.0, 3.0, 7.0]), 2).values
    tensor([9., 7.])
    """
    dim = read_dim(dim, input.ndim)
    size = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"selected index k out of range: k = {k} elements of an axis of {size} (dim {dim})")
    indices = argsort(input, dim, largest)
    if input.ndim:
        indices = indices[(*[slice(None)] * dim, slice(k))]
    return CHOICE["topk"](take_along_dim(input, indices, dim), indices)


def _middle(x: Array) -> Array:
    """The lower of the two middle elements in order; NaN when there is one."""
    flat = np.sort(np.reshape(x, (-1,)))  # NaN comes last
    if not flat.size or (flat.dtype.kind == "f" and np.isnan(flat[-1])):
        return np.full_like(x, np.nan, shape=())
    return flat[(flat.size - 1) // 2]


def _share(g: Any, x: Any, y: Any) -> Any:
    """The gradient of a chosen value, shared equally by all elements that equal it (PyTorch's convention)."""
    equal = (x == y).astype(g.dtype)
    return g * equal / np.maximum(np.sum(equal), 1)


@operation(
    "med",
    r"\operatorname{med}({x})",
    name="median",
    samples=lambda draw: [draw.distinct((2, 3)), draw.distinct((5,))],
    dx=_share,
)
def _median(x: Array) -> Array:
    """The middle value of all elements, the lower one of two."""
    return _middle(x)


def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element in order; of an even count the lower of the middle two, as in PyTorch.

    Without dim, the median of all elements; with dim, a pair (values, indices) along that axis. A NaN makes it NaN.

    Gradient: ∂E/∂y goes to the chosen element; without dim, it is shared equally by the elements that equal the median.

    Raises:
        IndexError: for a dim out of range, or an axis without elements.

    >>> from tinygrad_fr import tensor
    >>> median(tensor([1.0, 4.0, 2.0, 3.0]))
    tensor(2.)
    >>> median(tensor([[1.0, 5.0, 3.0], [4.0, 6.0, 2.0]]), dim=1).values
    tensor([3., 4.])
    """
    if dim is None:
        return _median(input)
    dim = read_dim(dim, input.ndim)
    if not input.ndim:
        return CHOICE["median"](take_along_dim(input, argsort(input, 0), 0), argsort(input, 0))
    size = input.shape[dim]
    if not size:
        raise IndexError(f"median(): Expected reduction dim {dim} to have non-zero size.")
    order, before = argsort(input, dim), [slice(None)] * dim
    middle = order[(*before, slice((size - 1) // 2, (size + 1) // 2))]
    if input.dtype.kind == "f":  # NaN is sorted last: the first of them answers for an axis that holds one
        nan = np.isnan(input._array)
        middle = where(nan.any(axis=dim, keepdims=True), wrap(np.expand_dims(np.argmax(nan, axis=dim), dim)), middle)
    values = take_along_dim(input, middle, dim)
    return CHOICE["median"](*((values, middle) if keepdim else (values[(*before, 0)], middle[(*before, 0)])))


# -- whole numbers and sets: no derivatives here -----------------------------------------------------------------------


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers as rows of zeros with a single 1, int64: the shape gains an axis of `num_classes`.

    Args:
        input: class numbers, integers from 0.
        num_classes: how many classes; -1 for the largest number plus one.

    Raises:
        RuntimeError: for values that are no integers, negative, or not smaller than num_classes.

    >>> from tinygrad_fr import tensor
    >>> one_hot(tensor([2, 0]))
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    if input.dtype.kind not in "iu":
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {input.dtype}")
    classes = input._array
    if num_classes < 0:
        if not classes.size:
            raise RuntimeError("Can not infer total number of classes from empty tensor: pass num_classes.")
        num_classes = int(classes.max()) + 1
    if classes.size and classes.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if classes.size and classes.max() >= num_classes:
        raise RuntimeError(f"Class values must be smaller than num_classes: {classes.max()} ≥ {num_classes}.")
    return wrap((np.expand_dims(classes, -1) == np.arange(num_classes)).astype(np.int64))


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in order; with dim, the distinct slices along that axis.

    With `return_inverse`, also the position in the result of each element; with `return_counts`, how many of each.

    >>> from tinygrad_fr import tensor
    >>> unique(tensor([3, 1, 1]), return_counts=True)
    (tensor([1, 3]), tensor([2, 1]))
    """
    axis = None if dim is None else read_dim(dim, input.ndim)
    call: Any = np.unique
    found = call(input._array, return_inverse=return_inverse, return_counts=return_counts, axis=axis)
    if not return_inverse and not return_counts:
        return wrap(found)
    parts = [wrap(part) for part in found]
    if return_inverse:  # NumPy's releases disagree on its shape
        parts[1] = wrap(np.reshape(parts[1]._array, input.shape if axis is None else (-1,)))
    return tuple(parts)


@operation(
    "search",
    r"\operatorname{searchsorted}({sequence}, {values})",
    name="searchsorted",
    samples=lambda draw: [((np.arange(4.0), draw.uniform((2, 3), -1, 5)), {"right": False})],
)
def _searchsorted(sequence: Array, values: Array, *, right: bool) -> Array:
    """Where each value would be inserted to keep the sequence sorted."""
    return np.searchsorted(sequence, values, side="right" if right else "left")


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None
) -> Tensor:
    """Where each value would go in a sorted sequence: the number of elements below it (`right=True`: not above it).

    Raises:
        RuntimeError: for a sequence of several axes.

    >>> from tinygrad_fr import tensor
    >>> searchsorted(tensor([1.0, 2.0, 3.0]), tensor([2.0, 2.5]))
    tensor([1, 2])
    """
    if sorted_sequence.ndim != 1:
        raise RuntimeError(f"searchsorted(): the sorted sequence must have one axis, not {list(sorted_sequence.shape)}")
    found = _searchsorted(sorted_sequence, input, right=right or side == "right")
    return found.astype(np.int32) if out_int32 else found


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in a 1-D tensor of whole numbers; with weights, their sums.

    No gradient flows to the weights, as in PyTorch: `zeros(n).scatter_add(0, input, weights)` gives the sums with one.

    Raises:
        RuntimeError: for values that are not whole, negative, or not in one axis.

    >>> from tinygrad_fr import tensor
    >>> bincount(tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    numbers = input._array
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or (numbers.size and numbers.min() < 0):
        raise RuntimeError(
            f"bincount only supports 1-d non-negative integral inputs, got {numbers.dtype} {list(numbers.shape)}"
        )
    if weights is None:
        return wrap(np.bincount(numbers, minlength=minlength))
    if weights.shape != input.shape:
        raise RuntimeError(
            f"weights should be 1-d and have the same length as input: {list(weights.shape)} and {list(input.shape)}"
        )
    sums = np.bincount(numbers, weights._array, minlength)
    return wrap(sums.astype(np.float32) if weights.dtype == np.float32 else sums)


@operation(
    "∈",
    r"{elements} \in {tests}",
    name="isin",
    samples=lambda draw: [(draw.integers((2, 3), 0, 4), draw.integers((2,), 0, 4))],
)
def _isin(elements: Array, tests: Array) -> Array:
    """Which elements are among the test values."""
    return np.isin(elements, tests)


@implements(np.isin)
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among the test elements: booleans in the shape of the elements.

    >>> from tinygrad_fr import tensor
    >>> isin(tensor([1, 2, 3]), tensor([2, 5]))
    tensor([False,  True, False])
    """
    found = _isin(elements, test_elements)
    return wrap(~found._array) if invert else found
