"""Shaping: the operations that move, repeat, join or cut elements and never compute with them.

Their gradients are the same movements made backwards: what was transposed is transposed again, what was copied is
summed (the engine does that for broadcasting), what was cut is padded with zeros, what was padded is cut.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements, operation
from tinygrad_fr.tensor import Tensor

# -- reading dims and shapes -------------------------------------------------------------------------------------------


def read_dim(dim: Any, ndim: int) -> int:
    """A dim counted from the left; -1 is the last. A tensor without axes takes 0 and -1, as in PyTorch.

    Raises:
        IndexError: for a dim that the tensor does not have.
    """
    n, limit = operator.index(dim), max(ndim, 1)
    if not -limit <= n < limit:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {n}): the tensor has "
            f"{ndim} dimension{'s' * (ndim != 1)}, counted from 0, or from -1 for the last."
        )
    return n % limit


def read_dims(dim: Any, ndim: int) -> Any:
    """Dims as NumPy takes them: None for all, an int, or a tuple; checked, and kept as they were written."""
    if dim is None or not ndim and not isinstance(dim, (tuple, list)) and read_dim(dim, 0) == 0:
        return None if dim is None else ()
    if not isinstance(dim, (tuple, list)):
        read_dim(dim, ndim)
        return operator.index(dim)
    places = [read_dim(d, ndim) for d in dim]
    for place in places:
        if places.count(place) > 1:
            raise RuntimeError(
                f"dim {place} appears multiple times in the list of dims {list(dim)}: name each dim once."
            )
    return tuple(map(operator.index, dim)) if ndim else ()


def _sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    listed = sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    return tuple(map(operator.index, listed))


def _filled(shape: tuple[int, ...], numel: int, have: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with -1 replaced by the length that is left over."""
    known = math.prod(n for n in shape if n != -1)
    if shape.count(-1) > 1:
        raise RuntimeError(f"only one dimension can be inferred, and {list(shape)} has {shape.count(-1)} times -1.")
    if any(n < -1 for n in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)} in {list(shape)}: a length is 0 or more, or -1 once.")
    if -1 in shape and known == 0:
        raise RuntimeError(
            f"cannot reshape tensor of {numel} elements into shape {list(shape)} because the unspecified dimension "
            "size -1 "
            "can be any value and is ambiguous: write the length itself."
        )
    if numel % known if -1 in shape else numel != known:
        raise RuntimeError(
            f"shape '{list(shape)}' is invalid for input of size {numel}: the tensor has shape {tuple(have)}, that is "
            f"{numel} "
            f"elements, and the new shape {'needs a multiple of' if -1 in shape else 'holds'} {known}. Reshaping "
            "keeps every "
            "element: the products of the lengths must agree; write -1 for the length to work out."
        )
    return tuple(numel // known if n == -1 else n for n in shape)


def _slab(ndim: int, dim: int, at: Any) -> tuple[Any, ...]:
    """The index that takes `at` along one dim and everything along the others."""
    return (slice(None),) * (dim % ndim) + (at,)


# -- the same elements in another shape --------------------------------------------------------------------------------


@operation(
    "reshape",
    r"\operatorname{reshape}({x})",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((2, 6)),), {"shape": (3, 4)}),
        ((draw.uniform((2, 3)),), {"shape": (-1,)}),
        ((draw.uniform(()),), {"shape": (1, 1)}),
    ],
    dx=lambda g, x_shape: np.reshape(g, x_shape),
)
def _reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """The same elements, in the same order, in another shape."""
    return np.reshape(x, shape)


@implements(np.reshape)
def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """The same elements, read row by row, in another shape; one length may be -1, which is then worked out.

    The result shares memory with the input where the layout allows it. ∂E/∂x is ∂E/∂y, reshaped back.

    Raises:
        RuntimeError: when the new shape does not hold as many elements, or has more than one -1.

    >>> from tinygrad_fr import tensor
    >>> reshape(tensor([1, 2, 3, 4, 5, 6]), (2, -1))
    tensor([[1, 2, 3],
            [4, 5, 6]])
    """
    have = input._array.shape
    wanted = _sizes(sizes if shape is None else (shape,))
    return _reshape(input, shape=_filled(wanted, math.prod(have), have))


def view(input: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """`reshape` under PyTorch's other name: here it copies where PyTorch's view would refuse.

    >>> from tinygrad_fr import tensor
    >>> view(tensor([1, 2, 3, 4]), 2, 2)
    tensor([[1, 2],
            [3, 4]])
    """
    return reshape(input, *sizes, shape=size)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements of input in the shape of other.

    >>> from tinygrad_fr import tensor
    >>> view_as(tensor([1, 2]), tensor([[0], [0]]))
    tensor([[1],
            [2]])
    """
    return reshape(input, other.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The same elements in the shape of another tensor.

    >>> from tinygrad_fr import tensor
    >>> reshape_as(tensor([1, 2]), tensor([[0], [0]])).shape
    torch.Size([2, 1])
    """
    return reshape(input, other.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dims from start_dim to end_dim, both included, into one: images become rows with `flatten(x, 1)`.

    Raises:
        RuntimeError: when start_dim comes after end_dim.
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> flatten(tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    shape = tuple(input._array.shape)
    first, last = read_dim(start_dim, len(shape)), read_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError(
            f"flatten() has invalid args: start_dim cannot come after end_dim, and {start_dim} is dim {first}, "
            f"{end_dim} is "
            f"dim {last} of a tensor of shape {shape}. Write flatten(x, {last}, {first})."
        )
    if first == last and shape:
        return input  # nothing to merge: the tensor itself, as in PyTorch
    return reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@implements(np.ravel)
def ravel(input: Tensor) -> Tensor:
    """All elements in one row: `flatten` of every dim.

    >>> from tinygrad_fr import tensor
    >>> ravel(tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return reshape(input, (-1,)) if math.prod(input._array.shape) else reshape(input, (0,))


def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """Cut one dim into several, the reverse of `flatten`; one of the sizes may be -1.

    Raises:
        RuntimeError: when the sizes do not multiply up to the length of the dim.

    >>> from tinygrad_fr import tensor
    >>> unflatten(tensor([1, 2, 3, 4, 5, 6]), 0, (2, -1))
    tensor([[1, 2, 3],
            [4, 5, 6]])
    """
    shape = tuple(input._array.shape)
    place, wanted = read_dim(dim, len(shape)), _sizes((sizes,))
    length = shape[place] if shape else 1
    try:
        parts = _filled(wanted, length, (length,))
    except RuntimeError as error:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(wanted)} don't multiply up to the size of dim {place} ({length}) in the "
            "input "
            f"tensor of shape {shape}: {error}"
        ) from None
    return reshape(input, (*shape[:place], *parts, *shape[place + 1 :]))


@operation(
    "squeeze",
    r"\operatorname{squeeze}({x})",
    view=True,
    samples=lambda draw: [((draw.uniform((2, 1, 3, 1)),), {"dim": (1, -1)}), ((draw.uniform((1, 3)),), {"dim": (0,)})],
    dx=lambda g, x_shape: np.reshape(g, x_shape),
)
def _squeeze(x: Array, *, dim: tuple[int, ...]) -> Array:
    """Without the named dims of length 1."""
    return np.squeeze(x, dim)


@implements(np.squeeze)
def squeeze(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """Drop dims of length 1: all of them, or those named; a named dim of another length stays, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> squeeze(tensor([[[1], [2]]])).shape
    torch.Size([2])
    """
    shape = input._array.shape
    dims = read_dims(dim if axis is None else axis, len(shape))
    named = range(len(shape)) if dims is None else dims if isinstance(dims, tuple) else (dims,)
    return _squeeze(input, dim=tuple(d for d in named if shape[d] == 1))


@operation(
    "unsqueeze",
    r"\operatorname{unsqueeze}({x})",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((2, 3)),), {"dim": 1}),
        ((draw.uniform((2, 3)),), {"dim": -1}),
        ((draw.uniform(3),), {"dim": (0, -1)}),
    ],
    dx=lambda g, x_shape: np.reshape(g, x_shape),
)
def _unsqueeze(x: Array, *, dim: Any) -> Array:
    """With new dims of length 1."""
    return np.expand_dims(x, dim)


@implements(np.expand_dims)
def unsqueeze(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """Insert a dim of length 1 so that it stands at `dim` of the result; -1 puts it last.

    Raises:
        IndexError: for a dim that the result does not have.

    >>> from tinygrad_fr import tensor
    >>> unsqueeze(tensor([1, 2]), 1)
    tensor([[1],
            [2]])
    """
    dim = dim if axis is None else axis
    several = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    for d in several:
        read_dim(d, input._array.ndim + len(several))
    return _unsqueeze(input, dim=tuple(dim) if isinstance(dim, list) else dim)


# -- dims in another order ---------------------------------------------------------------------------------------------


@operation(
    "ᵗ",
    "{x}^t",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((2, 3)),), {"dim0": 0, "dim1": 1}),
        ((draw.uniform((2, 3, 4)),), {"dim0": -1, "dim1": 0}),
    ],
    dx=lambda g, *, dim0, dim1: np.swapaxes(g, dim0, dim1),  # exchanging twice gives back the order
)
def _transpose(x: Array, *, dim0: int, dim1: int) -> Array:
    """With two dims exchanged."""
    return np.swapaxes(x, dim0, dim1)


@implements(np.swapaxes)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dims; the result shares memory with the input. ∂E/∂x is ∂E/∂y with the same two dims exchanged.

    `swapaxes` and `swapdims` are other names of it.

    >>> from tinygrad_fr import tensor
    >>> transpose(tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
    """
    ndim = input._array.ndim
    read_dim(dim0, ndim), read_dim(dim1, ndim)
    return (
        _transpose(input, dim0=operator.index(dim0), dim1=operator.index(dim1)) if ndim else _reshape(input, shape=())
    )


swapaxes = swapdims = transpose


@implements(np.matrix_transpose)
def adjoint(input: Tensor) -> Tensor:
    """Exchange the last two dims, the transpose of every matrix (`x.mT`).

    Raises:
        RuntimeError: for a tensor of fewer than two dims.

    >>> from tinygrad_fr import tensor
    >>> adjoint(tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    if input._array.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input._array.ndim}-D tensor: a row "
            "is "
            "`x.unsqueeze(0)`, a column `x.unsqueeze(1)`."
        )
    return _transpose(input, dim0=-2, dim1=-1)


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; tensors of fewer than two dims come back as they are.

    Raises:
        RuntimeError: for more than two dims, where `transpose(dim0, dim1)` or `.mT` say which ones are meant.

    >>> from tinygrad_fr import tensor
    >>> t(tensor([[1, 2, 3]])).shape
    torch.Size([3, 1])
    """
    ndim = input._array.ndim
    if ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D: write `.mT` to transpose each matrix, or "
            "`.transpose(dim0, dim1)`."
        )
    return _transpose(input, dim0=0, dim1=1) if ndim == 2 else _reshape(input, shape=input._array.shape)


def _inverse(dims: Sequence[int]) -> tuple[int, ...]:
    """The order of dims that undoes an order of dims."""
    places = [d % len(dims) for d in dims]
    return tuple(places.index(i) for i in range(len(dims)))


@operation(
    "permute",
    r"\operatorname{permute}({x})",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((2, 3, 4)),), {"dims": (2, 0, 1)}),
        ((draw.uniform((2, 3, 4)),), {"dims": (-1, 0, -2)}),
    ],
    dx=lambda g, *, dims: np.transpose(g, _inverse(dims)),
)
def _permute(x: Array, *, dims: tuple[int, ...]) -> Array:
    """With the dims in another order."""
    return np.transpose(x, dims)


def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Put the dims in another order: dim i of the result is dim dims[i] of the input. Memory is shared.

    Raises:
        RuntimeError: when the dims are not all named, each once.

    >>> from tinygrad_fr import tensor
    >>> permute(tensor([[[1, 2, 3]]]), (2, 0, 1)).shape
    torch.Size([3, 1, 1])
    """
    order, ndim = _sizes(order if dims is None else (dims,)), input._array.ndim
    if len(order) != ndim or len({read_dim(d, ndim) for d in order}) != ndim:
        what = (
            "duplicate dims are not allowed" if len(order) == ndim else f"it has {ndim} dims and {len(order)} are named"
        )
        raise RuntimeError(
            f"permute(): {what}: input of shape {tuple(input._array.shape)}, dims={order}. Name each dim once, such as "
            f"permute{tuple(reversed(range(ndim)))}."
        )
    return _permute(input, dims=order)


@implements(np.transpose)
def _numpy_transpose(a: Tensor, axes: Any = None) -> Tensor:
    """NumPy's transpose: every dim in reverse order, or in the order given."""
    return permute(a, tuple(range(a._array.ndim))[::-1] if axes is None else tuple(axes))


@implements(np.moveaxis)
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Move the source dims to the destination places; the others keep their order. `moveaxis` is another name of it.

    >>> from tinygrad_fr import tensor
    >>> movedim(tensor([[[1, 2, 3]]]), -1, 0).shape
    torch.Size([3, 1, 1])
    """
    ndim = input._array.ndim
    pairs = [_sizes((d if isinstance(d, (tuple, list)) else (d,),)) for d in (source, destination)]
    start, end = ([read_dim(d, ndim) for d in dims] for dims in pairs)
    if len(start) != len(end) or len(set(start)) != len(start) or len(set(end)) != len(end):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(pairs[0])}) and destination "
            f"({list(pairs[1])}) must "
            "name the same number of dims, each once."
        )
    order = [d for d in range(ndim) if d not in start]
    for place, origin in sorted(zip(end, start, strict=True)):
        order.insert(place, origin)
    return permute(input, order) if ndim else _reshape(input, shape=())


moveaxis = movedim


# -- copies along new or stretched dims --------------------------------------------------------------------------------


@operation(
    "expand",
    r"\operatorname{expand}({x})",
    view=True,
    broadcasts=("x",),
    samples=lambda draw: [
        ((draw.uniform((3, 1)),), {"shape": (3, 4)}),
        ((draw.uniform((2, 1, 3)),), {"shape": (4, 2, 5, 3)}),
        ((draw.uniform(()),), {"shape": (2,)}),
    ],
    dx=lambda g: g,  # the engine sums over the copies
)
def _expand(x: Array, *, shape: tuple[int, ...]) -> Array:
    """Stretched to a larger shape."""
    return np.broadcast_to(x, shape)


def expand(input: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """Stretch dims of length 1, and add dims on the left, without copying; -1 keeps a length.

    ∂E/∂x sums over the copies. The result is read-only: write `.clone()` before changing it in place.

    Raises:
        RuntimeError: when a dim of another length than 1 would change.

    >>> from tinygrad_fr import tensor
    >>> expand(tensor([[1], [2]]), 2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    shape, wanted = tuple(input._array.shape), _sizes(sizes if size is None else (size,))
    extra = len(wanted) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(wanted)}) must be greater or equal to the number of "
            "dimensions in the "
            f"tensor ({len(shape)}): sizes {list(wanted)}, tensor of shape {shape}."
        )
    for i, n in enumerate(wanted):
        have = shape[i - extra] if i >= extra else 1
        if n == -1 and i < extra:
            raise RuntimeError(
                f"The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension {i}: there "
                "is no length "
                f"to keep. Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
        if n != -1 and (n < 0 or have not in (1, n)):
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at non-singleton "
                f"dimension {i}.  "
                f"Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}. Only a dim of length 1 can be stretched; "
                "`.repeat()` copies longer ones."
            )
    return _expand(input, shape=tuple(shape[i - extra] if n == -1 else n for i, n in enumerate(wanted)))


@implements(np.broadcast_to)
def broadcast_to(input: Tensor, shape: Any) -> Tensor:
    """`expand` under NumPy's name.

    >>> from tinygrad_fr import tensor
    >>> broadcast_to(tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return expand(input, shape)


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of another tensor.

    >>> from tinygrad_fr import tensor
    >>> expand_as(tensor([1]), tensor([0, 0]))
    tensor([1, 1])
    """
    return expand(input, other.shape)


def _tile_dx(g: Any, x_shape: tuple[int, ...], *, repeats: tuple[int, ...]) -> Any:
    """Each element was copied r times along each dim: split these dims in (r, n) and sum over the r."""
    lengths = (1,) * (len(repeats) - len(x_shape)) + tuple(x_shape)
    split = tuple(n for pair in zip(repeats, lengths, strict=True) for n in pair)
    return np.reshape(np.sum(np.reshape(g, split), axis=tuple(range(0, len(split), 2))), x_shape)


@operation(
    "repeat",
    r"\operatorname{repeat}({x})",
    samples=lambda draw: [
        ((draw.uniform((2, 3)),), {"repeats": (2, 2)}),
        ((draw.uniform(3),), {"repeats": (2, 1, 2)}),
        ((draw.uniform(()),), {"repeats": (3,)}),
    ],
    dx=_tile_dx,
)
def _repeat(x: Array, *, repeats: tuple[int, ...]) -> Array:
    """Copies side by side along each dim."""
    return np.tile(x, repeats)


def repeat(input: Tensor, *counts: Any, repeats: Any = None) -> Tensor:
    """Lay copies of the tensor side by side, so many along each dim; more numbers than dims add dims on the left.

    (NumPy's `tile`; NumPy's `repeat` is `repeat_interleave`.) ∂E/∂x sums over the copies.

    Raises:
        RuntimeError: for fewer numbers than dims, or a negative one.

    >>> from tinygrad_fr import tensor
    >>> repeat(tensor([1, 2]), 2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts, ndim = _sizes(counts if repeats is None else (repeats,)), input._array.ndim
    if len(counts) < ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
            f"repeat{counts} of a tensor of shape {tuple(input._array.shape)}. Write one number for each dim, "
            f"repeat{(1,) * (ndim - len(counts)) + counts}; `tile` fills in the ones."
        )
    if any(n < 0 for n in counts):
        raise RuntimeError(f"Trying to create tensor with negative dimension: repeat{counts}")
    return _repeat(input, repeats=counts)


@implements(np.tile)
def tile(input: Tensor, *counts: Any, dims: Any = None) -> Tensor:
    """`repeat`, where missing numbers on the left count as 1.

    >>> from tinygrad_fr import tensor
    >>> tile(tensor([[1], [2]]), 2)
    tensor([[1, 1],
            [2, 2]])
    """
    counts = _sizes(counts if dims is None else (dims,))
    return repeat(input, (1,) * (input._array.ndim - len(counts)) + counts)


@implements(np.repeat)
def repeat_interleave(input: Tensor, repeats: Any, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """Repeat each element (or row, along `dim`) in place; repeats is one number, or one for each.

    Without dim, the tensor is flattened first.

    >>> from tinygrad_fr import tensor
    >>> repeat_interleave(tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    >>> repeat_interleave(tensor([1, 2]), tensor([1, 3]))
    tensor([1, 2, 2, 2])
    """
    dim = dim if axis is None else axis
    source = ravel(input) if dim is None else input
    place = read_dim(0 if dim is None else dim, source._array.ndim)
    length = source._array.shape[place]
    counts = np.asarray(repeats._array if isinstance(repeats, Tensor) else repeats)
    if counts.ndim > 1 or counts.size not in (1, length):
        raise RuntimeError(
            f"repeats must have the same size as input along dim, or be one number: {counts.size} numbers, and dim "
            f"{place} of "
            f"shape {tuple(source._array.shape)} has length {length}."
        )
    if (counts < 0).any():
        raise RuntimeError(f"repeats can not be negative: {counts.tolist()}")
    return source[_slab(source._array.ndim, place, np.repeat(np.arange(length), counts))]


@implements(np.atleast_1d)
def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with one dim at least; several tensors give a tuple.

    >>> from tinygrad_fr import tensor
    >>> atleast_1d(tensor(1))
    tensor([1])
    """
    return _each(tensors, lambda x: reshape(x, (1,)) if x.ndim == 0 else x)


@implements(np.atleast_2d)
def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with two dims at least, new ones on the left; several tensors give a tuple.

    >>> from tinygrad_fr import tensor
    >>> atleast_2d(tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _each(
        tensors, lambda x: x if x.ndim > 1 else reshape(x, (1, -1)) if math.prod(x.shape) else reshape(x, (1, 0))
    )


@implements(np.atleast_3d)
def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with three dims at least: a row becomes (1, n, 1), a matrix (m, n, 1); several give a tuple.

    >>> from tinygrad_fr import tensor
    >>> atleast_3d(tensor([1, 2])).shape
    torch.Size([1, 2, 1])
    """
    return _each(tensors, lambda x: unsqueeze(x if x.ndim == 2 else atleast_2d(x), -1) if x.ndim < 3 else x)


def _each(tensors: tuple[Any, ...], change: Any) -> Any:
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        return change(tensors[0])
    return tuple(change(x) for x in (tensors[0] if len(tensors) == 1 else tensors))


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, from the coordinates of its sides: result k varies along dim k only.

    Args:
        tensors: 1-D tensors, or one sequence of them.
        indexing: "ij" for matrices (PyTorch's default), "xy" for pictures, which exchanges the first two dims.

    >>> from tinygrad_fr import tensor
    >>> rows, columns = meshgrid(tensor([1, 2]), tensor([3, 4, 5]))
    >>> columns
    tensor([[3, 4, 5],
            [3, 4, 5]])
    """
    sides = _listed(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing!r}')
    if any(s.ndim > 1 for s in sides):
        raise RuntimeError(f"meshgrid: expected 0-D or 1-D tensors, but got shapes {[tuple(s.shape) for s in sides]}")
    shape = tuple(math.prod(s.shape) for s in sides)
    grids = tuple(
        expand(reshape(s, (*(1,) * i, shape[i], *(1,) * (len(sides) - 1 - i))), shape) for i, s in enumerate(sides)
    )
    return tuple(transpose(g, 0, 1) for g in grids) if indexing == "xy" and len(sides) > 1 else grids


# -- joining -----------------------------------------------------------------------------------------------------------


def _cat_dtensors(g: Any, *tensors_shape: tuple[int, ...], index: int, dim: int) -> Any:
    """Each tensor takes back its own stretch of the gradient."""
    start = sum(shape[dim] for shape in tensors_shape[:index])
    return g[_slab(g.ndim, dim, slice(start, start + tensors_shape[index][dim]))]


@operation(
    "cat",
    r"\operatorname{cat}({tensors})",
    samples=lambda draw: [
        ((draw.uniform((2, 3)), draw.uniform((4, 3))), {"dim": 0}),
        ((draw.uniform((2, 1)), draw.uniform((2, 3)), draw.uniform((2, 2))), {"dim": -1}),
        ((draw.uniform(3),), {"dim": 0}),
    ],
    dtensors=_cat_dtensors,
)
def _cat(*tensors: Array, dim: int) -> Array:
    """One after the other along a dim."""
    return np.concatenate(tensors, dim)


def _listed(tensors: Any, error: type[Exception] = RuntimeError) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        raise TypeError("expected a list or tuple of Tensors, got one Tensor: write cat([a, b]), with brackets.")
    found = list(tensors)
    if not any(isinstance(x, Tensor) for x in found):
        raise error(f"expected a non-empty list of Tensors, got {found!r}")
    return found


@implements(np.concatenate)
def cat(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Join tensors one after the other along a dim that exists; `stack` makes a new one. Also concat and concatenate.

    The other lengths must agree. ∂E/∂(each tensor) is its own stretch of ∂E/∂y.

    Raises:
        ValueError: for no tensor.
        RuntimeError: for a tensor without dims, or lengths that differ outside `dim`.

    >>> from tinygrad_fr import tensor
    >>> cat([tensor([[1, 2]]), tensor([[3, 4]])], dim=1)
    tensor([[1, 2, 3, 4]])
    """
    found, dim = _listed(tensors, ValueError), dim if axis is None else axis
    shapes = [np.shape(x._array if isinstance(x, Tensor) else x) for x in found]
    if () in shapes:
        raise RuntimeError(
            f"zero-dimensional tensor (at position {shapes.index(())}) cannot be concatenated: `stack` joins numbers."
        )
    if len({len(s) for s in shapes}) > 1:  # PyTorch lets an empty row stand among tensors of any number of dims
        found = [x for x, s in zip(found, shapes, strict=True) if s != (0,)]
        shapes = [s for s in shapes if s != (0,)]
    place = read_dim(dim, len(shapes[0]))
    for i, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(shapes[0])} and {len(shape)} (shapes "
                f"{shapes}). "
                "Insert a dim with `.unsqueeze(dim)`."
            )
        for d, (n, m) in enumerate(zip(shapes[0], shape, strict=True)):
            if n != m and d != place:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {place}. Expected size {n} but got size {m} for "
                    "tensor "
                    f"number {i} in the list, in dimension {d} (shapes {shapes})."
                )
    return _cat(*found, dim=operator.index(dim))


concat = concatenate = cat


@operation(
    "stack",
    r"\operatorname{stack}({tensors})",
    samples=lambda draw: [
        ((draw.uniform((2, 3)), draw.uniform((2, 3))), {"dim": 0}),
        ((draw.uniform((2, 3)), draw.uniform((2, 3)), draw.uniform((2, 3))), {"dim": -1}),
        ((draw.uniform(()), draw.uniform(())), {"dim": 0}),
    ],
    dtensors=lambda g, *, index, dim: g[_slab(g.ndim, dim, index)],
)
def _stack(*tensors: Array, dim: int) -> Array:
    """Side by side along a new dim."""
    return np.stack(tensors, dim)


@implements(np.stack)
def stack(tensors: Any, dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Put tensors of one shape side by side along a new dim. ∂E/∂(tensor i) is slice i of ∂E/∂y.

    Raises:
        RuntimeError: for no tensor, or shapes that differ.

    >>> from tinygrad_fr import tensor
    >>> stack([tensor([1, 2]), tensor([3, 4])], dim=1)
    tensor([[1, 3],
            [2, 4]])
    """
    found, dim = _listed(tensors), dim if axis is None else axis
    shapes = [np.shape(x._array if isinstance(x, Tensor) else x) for x in found]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shapes[0])} at entry 0 and {list(shape)} "
                "at entry "
                f"{i}: `cat` joins along a dim that exists, and only asks the other lengths to agree."
            )
    read_dim(dim, len(shapes[0]) + 1)
    return _stack(*found, dim=operator.index(dim))


@implements(np.hstack)
def hstack(tensors: Any) -> Tensor:
    """Join left to right: along dim 0 for rows, dim 1 otherwise.

    >>> from tinygrad_fr import tensor
    >>> hstack([tensor([1]), tensor([2])])
    tensor([1, 2])
    """
    found = [atleast_1d(x) for x in _listed(tensors)]
    return cat(found, 0 if found[0].ndim == 1 else 1)


@implements(np.vstack)
def vstack(tensors: Any) -> Tensor:
    """Join top to bottom; rows are made matrices of one row first.

    >>> from tinygrad_fr import tensor
    >>> vstack([tensor([1, 2]), tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([atleast_2d(x) for x in _listed(tensors)], 0)


# -- cutting and padding -----------------------------------------------------------------------------------------------


@operation(
    "narrow",
    r"\operatorname{narrow}({x})",
    view=True,
    samples=lambda draw: [
        ((draw.uniform((4, 3)),), {"dim": 0, "start": 1, "length": 2}),
        ((draw.uniform((2, 3, 4)),), {"dim": -1, "start": 0, "length": 3}),
    ],
    dx=lambda g, x_shape, *, dim, start, length: np.pad(
        g, [(0, 0)] * (dim % g.ndim) + [(start, x_shape[dim] - start - length)] + [(0, 0)] * (g.ndim - dim % g.ndim - 1)
    ),
)
def _narrow(x: Array, *, dim: int, start: int, length: int) -> Array:
    """A stretch of one dim."""
    return x[_slab(x.ndim, dim, slice(start, start + length))]


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """The stretch `start`, ..., `start + length - 1` of one dim; memory is shared. Outside it the gradient is 0.

    Raises:
        IndexError: for a start outside the tensor.
        RuntimeError: when the stretch leaves the tensor.

    >>> from tinygrad_fr import tensor
    >>> narrow(tensor([1, 2, 3, 4]), 0, 1, 2)
    tensor([2, 3])
    """
    shape = tuple(input._array.shape)
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    n = shape[read_dim(dim, len(shape))]
    first = start + n if start < 0 else start
    if not 0 <= first <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start}): shape {shape}, dim {dim}"
        )
    if length < 0 or first + length > n:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({n}): dim {dim} of a tensor of shape {shape}."
        )
    return _narrow(input, dim=operator.index(dim), start=operator.index(first), length=operator.index(length))


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut a tensor along a dim: in pieces of one size (the last may be smaller), or of the sizes given.

    Raises:
        RuntimeError: for sizes that do not sum to the length of the dim.

    >>> from tinygrad_fr import tensor
    >>> split(tensor([1, 2, 3, 4, 5]), 2)
    (tensor([1, 2]), tensor([3, 4]), tensor([5]))
    >>> split(tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    shape = tuple(tensor._array.shape)
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    place = read_dim(dim, len(shape))
    n, sizes = shape[place], split_size_or_sections
    if not isinstance(sizes, (tuple, list)):
        size = operator.index(sizes)
        if size < 0 or size == 0 and n:
            raise RuntimeError(
                f"split expects split_size be positive, but got split_size={size} for dim {place} of {shape}"
            )
        sizes = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    elif sum(sizes) != n or any(s < 0 for s in sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {place}), "
            "but got "
            f"split_sizes={list(sizes)}, whose sum is {sum(sizes)}."
        )
    return tuple(narrow(tensor, dim, sum(sizes[:i]), size) for i, size in enumerate(sizes))


@implements(np.split)
def _numpy_split(ary: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """NumPy's split: into so many equal parts, or before the given positions."""
    length = ary.shape[axis]
    if isinstance(indices_or_sections, int):
        if length % indices_or_sections:
            raise ValueError(f"np.split: {length} elements do not make {indices_or_sections} equal parts")
        return list(split(ary, length // indices_or_sections, axis))
    ends = [*np.clip(indices_or_sections, 0, length).tolist(), length]
    return list(split(ary, [end - start for start, end in zip([0, *ends], ends, strict=False)], axis))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut a tensor into so many pieces of equal size along a dim; the last may be smaller, or there may be fewer.

    >>> from tinygrad_fr import tensor
    >>> chunk(tensor([1, 2, 3, 4, 5]), 2)
    (tensor([1, 2, 3]), tensor([4, 5]))
    """
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    shape = input._array.shape
    if not shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    n = shape[read_dim(dim, len(shape))]
    return split(input, -(-n // chunks), dim) if n else (narrow(input, dim, 0, 0),) * chunks


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice number `index` along a dim, which disappears: `x[:, index]` for dim 1. Memory is shared.

    >>> from tinygrad_fr import tensor
    >>> select(tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
    """
    return input[_slab(input.ndim, read_dim(dim, input.ndim), index)]


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices of a tensor along a dim, which disappears.

    >>> from tinygrad_fr import tensor
    >>> unbind(tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("unbind: Dimension specified as 0 but tensor has no dimensions")
    place = read_dim(dim, len(shape))
    return tuple(input[_slab(len(shape), place, i)] for i in range(shape[place]))


@operation(
    "pad",
    r"\operatorname{pad}({x})",
    samples=lambda draw: [
        ((draw.uniform((2, 3)),), {"widths": ((0, 0), (1, 2)), "value": 0}),
        ((draw.uniform(3),), {"widths": ((2, 1),), "value": -1.5}),
    ],
    dx=lambda g, x_shape, *, widths: g[tuple(slice(w[0], w[0] + n) for w, n in zip(widths, x_shape, strict=True))],
)
def _pad(x: Array, *, widths: tuple[tuple[int, int], ...], value: float) -> Array:
    """With a border of constant value; widths are (before, after) for each dim."""
    return np.pad(x, widths, constant_values=value)


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Add a border. `pad` reads from the last dim backwards: (left, right, top, bottom, ...); negative widths cut.

    Args:
        input: a tensor.
        pad: an even number of widths; dims that are not named are left as they are.
        mode: "constant"; PyTorch's other modes are not there.
        value: what the border holds; 0 when left out.

    Raises:
        RuntimeError: for an odd number of widths, or too many of them.
        NotImplementedError: for another mode.

    >>> from tinygrad_fr import tensor
    >>> pad(tensor([[1, 2]]), (1, 0, 0, 1))
    tensor([[0, 1, 2],
            [0, 0, 0]])
    """
    widths, shape = _sizes((pad,)), tuple(input._array.shape)
    if mode != "constant":
        raise NotImplementedError(f"pad: mode {mode!r} is not there, only 'constant'; join slices with `cat` instead.")
    if len(widths) % 2:
        raise RuntimeError(
            f"Padding length must be divisible by 2: {widths} has {len(widths)} numbers, two for each dim."
        )
    if len(widths) > 2 * len(shape):
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(widths)} and input of dimension {len(shape)}"
        )
    pairs = [(0, 0)] * (len(shape) - len(widths) // 2) + list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    for dim, ((before, after), n) in enumerate(zip(pairs, shape, strict=True)):
        if before < 0 or after < 0:
            input = narrow(input, dim, -min(before, 0), n + min(before, 0) + min(after, 0))
    borders = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    return _pad(input, widths=borders, value=0 if value is None else value)


@implements(np.pad)
def _numpy_pad(array: Tensor, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """NumPy's pad: (before, after) for each dim, the first dim first."""
    pairs = np.broadcast_to(np.asarray(pad_width), (array._array.ndim, 2)).tolist()
    return pad(array, [width for pair in reversed(pairs) for width in pair], mode, constant_values)


# -- order and triangles -----------------------------------------------------------------------------------------------


@operation(
    "flip",
    r"\operatorname{flip}({x})",
    samples=lambda draw: [((draw.uniform((2, 3)),), {"dims": (-1,)}), ((draw.uniform((2, 3, 2)),), {"dims": (0, 2)})],
    dx=lambda g, *, dims: np.flip(g, dims),
)
def _flip(x: Array, *, dims: tuple[int, ...]) -> Array:
    """In reverse order; concatenating one array copies it, so that the result has its own memory."""
    return np.concatenate([np.flip(x, dims)])


def flip(input: Tensor, *named: Any, dims: Any = None) -> Tensor:
    """Reverse the order of the elements along the dims named; the result is a copy.

    >>> from tinygrad_fr import tensor
    >>> flip(tensor([[1, 2], [3, 4]]), 0)
    tensor([[3, 4],
            [1, 2]])
    """
    along = read_dims(_sizes(named if dims is None else (dims,)), input._array.ndim)
    return _flip(input, dims=along) if input._array.ndim else _repeat(input, repeats=())


@implements(np.flip)
def _numpy_flip(m: Tensor, axis: Any = None) -> Tensor:
    """NumPy's flip: along every dim when none is named."""
    return flip(m, tuple(range(m._array.ndim)) if axis is None else axis)


@operation(
    "roll",
    r"\operatorname{roll}({x})",
    samples=lambda draw: [
        ((draw.uniform((2, 3)),), {"shifts": 1, "dims": None}),
        ((draw.uniform((2, 3)),), {"shifts": (1, -2), "dims": (0, -1)}),
    ],
    dx=lambda g, *, shifts, dims: np.roll(g, tuple(-s for s in shifts) if isinstance(shifts, tuple) else -shifts, dims),
)
def _roll(x: Array, *, shifts: Any, dims: Any) -> Array:
    """Shifted round."""
    return np.roll(x, shifts, dims)


@implements(np.roll)
def roll(input: Tensor, shifts: Any = None, dims: Any = None, *, shift: Any = None, axis: Any = None) -> Tensor:
    """Shift the elements along dims; what leaves at one end comes back at the other. Without dims, in flat order.

    Raises:
        RuntimeError: when there are not as many shifts as dims.

    >>> from tinygrad_fr import tensor
    >>> roll(tensor([1, 2, 3, 4]), 1)
    tensor([4, 1, 2, 3])
    """
    moves, where = shifts if shift is None else shift, dims if axis is None else axis
    moves = _sizes((moves,)) if isinstance(moves, (tuple, list)) else operator.index(moves)
    where = read_dims(where, input._array.ndim)
    counts = [len(v) if isinstance(v, tuple) else 1 for v in (moves, where)]
    if where is not None and counts[0] != counts[1]:
        raise RuntimeError(f"shifts and dimensions must align. shifts: {counts[0]}, dims: {counts[1]}")
    return _roll(input, shifts=moves, dims=where)


@operation(
    "tril",
    r"\operatorname{tril}({x})",
    samples=lambda draw: [((draw.uniform((3, 3)),), {"diagonal": 0}), ((draw.uniform((2, 3, 4)),), {"diagonal": 1})],
    dx=lambda g, *, diagonal: np.tril(g, diagonal),
)
def _tril(x: Array, *, diagonal: int) -> Array:
    """Zero above the diagonal."""
    return np.tril(x, diagonal)


@operation(
    "triu",
    r"\operatorname{triu}({x})",
    samples=lambda draw: [((draw.uniform((3, 3)),), {"diagonal": 0}), ((draw.uniform((2, 3, 4)),), {"diagonal": -1})],
    dx=lambda g, *, diagonal: np.triu(g, diagonal),
)
def _triu(x: Array, *, diagonal: int) -> Array:
    """Zero below the diagonal."""
    return np.triu(x, diagonal)


def _matrix(name: str, input: Tensor) -> Tensor:
    if input._array.ndim < 2:
        raise RuntimeError(
            f"{name}: input tensor must have at least 2 dimensions, got shape {tuple(input._array.shape)}"
        )
    return input


@implements(np.tril)
def tril(input: Tensor, diagonal: int = 0, *, k: int | None = None) -> Tensor:
    """The lower triangle of a matrix, or of each of a batch; zero above diagonal number `diagonal`.

    >>> from tinygrad_fr import tensor
    >>> tril(tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return _tril(_matrix("tril", input), diagonal=diagonal if k is None else k)


@implements(np.triu)
def triu(input: Tensor, diagonal: int = 0, *, k: int | None = None) -> Tensor:
    """The upper triangle of a matrix, or of each of a batch; zero below diagonal number `diagonal`.

    >>> from tinygrad_fr import tensor
    >>> triu(tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """
    return _triu(_matrix("triu", input), diagonal=diagonal if k is None else k)


def _on_diagonal(values: Any, rows: int, columns: int, offset: int) -> Any:
    """Matrices with the last dim of `values` on one diagonal and 0 elsewhere: entry k at row k, or k − offset below."""
    length = values.shape[-1]
    first = min(max(0, -offset), rows - length)
    by_row = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(first, rows - first - length)])
    return np.where(np.eye(rows, columns, offset, dtype=bool), np.expand_dims(by_row, -1), 0)


@operation(
    "diag",
    r"\operatorname{diag}({x})",
    view=True,
    name="diagonal",
    samples=lambda draw: [
        ((draw.uniform((3, 3)),), {"offset": 0, "dim1": 0, "dim2": 1}),
        ((draw.uniform((2, 4)),), {"offset": -1, "dim1": 0, "dim2": 1}),
        ((draw.uniform((2, 3, 4)),), {"offset": 1, "dim1": -1, "dim2": 0}),
    ],
    dx=lambda g, x_shape, *, offset, dim1, dim2: np.moveaxis(
        _on_diagonal(g, x_shape[dim1], x_shape[dim2], offset), (-2, -1), (dim1, dim2)
    ),
)
def _diagonal(x: Array, *, offset: int, dim1: int, dim2: int) -> Array:
    """The entries whose place in dim2 is `offset` more than in dim1."""
    return np.diagonal(x, offset, dim1, dim2)


@implements(np.diagonal)
def diagonal(
    input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, axis1: int | None = None, axis2: int | None = None
) -> Tensor:
    """The diagonal of a matrix, or of each in a batch, as the last dim; offset 1 is the one above. Memory is shared.

    Raises:
        RuntimeError: when dim1 and dim2 are the same dim.

    >>> from tinygrad_fr import tensor
    >>> diagonal(tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    first, second = dim1 if axis1 is None else axis1, dim2 if axis2 is None else axis2
    ndim = input._array.ndim
    if read_dim(first, ndim) == read_dim(second, ndim):
        raise RuntimeError(f"diagonal dimensions cannot be identical {first}, {second}")
    return _diagonal(input, offset=offset, dim1=first, dim2=second)


@implements(np.diag)
def diag(input: Tensor, diagonal: int = 0, *, k: int | None = None) -> Tensor:
    """From a row, the matrix that has it on its diagonal; from a matrix, its diagonal.

    Raises:
        RuntimeError: for a tensor that is neither.

    >>> from tinygrad_fr import tensor
    >>> diag(tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    offset, shape = diagonal if k is None else k, tuple(input._array.shape)
    if len(shape) == 1:
        size = shape[0] + max(offset, -offset)
        made: Tensor = _on_diagonal(input, size, size, offset)
        return made
    if len(shape) != 2:
        raise RuntimeError(
            f"diag(): Supports 1D or 2D tensors. Got {len(shape)}D: `diagonal(offset, dim1, dim2)` takes more."
        )
    return _diagonal(input, offset=offset, dim1=0, dim2=1)
