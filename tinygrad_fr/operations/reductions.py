"""Reductions: many numbers become one; on the way back, one gradient is dealt out to many numbers.

How it is dealt out is the whole of each formula: a sum gives it to every element, a mean gives everyone a share, a
maximum gives it to the winner, a norm in proportion to the element. `_kept` puts back the dims of length 1 that were
dropped, so that the gradient broadcasts against the input.
"""

from __future__ import annotations

import builtins
import math
from typing import Any, Literal

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements, operation
from tinygrad_fr.operations.arithmetic import abs, maximum, minimum, ne, sub
from tinygrad_fr.operations.casting import to
from tinygrad_fr.operations.indexing import CHOICE, take_along_dim
from tinygrad_fr.operations.shaping import _slab, ravel, read_dim, read_dims, reshape, squeeze
from tinygrad_fr.tensor import Tensor


def _kept(value: Any, dim: Any, keepdim: bool) -> Any:
    """A reduced value with its dims of length 1 put back."""
    return value if keepdim or dim is None else np.expand_dims(value, dim)


def _count(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements are reduced into one."""
    if dim is None:
        return math.prod(shape)
    dims = dim if isinstance(dim, tuple) else (dim,)
    return math.prod(shape[d] for d in dims)


def _over(input: Tensor, dim: Any, axis: Any) -> Any:
    """The dims named by `dim=` or by NumPy's `axis=`; no dims named, `()` included, means all, as in PyTorch."""
    if axis is not None:
        return read_dims(axis, input._array.ndim)
    return None if dim is None or isinstance(dim, (tuple, list)) and not len(dim) else read_dims(dim, input._array.ndim)


def _floating(name: str, input: Tensor, dtype: Any = None, error: type[Exception] = RuntimeError) -> Tensor:
    """The input in the dtype asked for; refused unless it is floating point."""
    input = input if dtype is None else to(input, dtype)
    if input.dtype.kind != "f":
        raise error(
            f"{name}(): could not infer output dtype. Input dtype must be a floating point dtype. Got: {input.dtype}. "
            f"The result is not a whole number: write `x.float().{name}(...)`."
        )
    return input


def _whole(input: Tensor, dtype: Any) -> Tensor:
    """The input in the dtype asked for; booleans and small integers are added and multiplied as int64."""
    if dtype is None and input.dtype.kind in "bu":
        dtype = np.int64
    return input if dtype is None else to(input, dtype)


def _some(name: str, input: Tensor, dim: Any) -> None:
    """Refuse to choose among no elements."""
    shape = tuple(input._array.shape)
    if _count(shape, dim) == 0:
        kind = RuntimeError if dim is None and not name.startswith("arg") else IndexError
        what = "dim to be specified for input.numel() == 0" if dim is None else f"dim {dim} to have non-zero size"
        raise kind(
            f"{name}(): Expected reduction {what}: the tensor has shape {shape}, and no elements have no {name}."
        )


def _cases(draw: Any, **params: Any) -> list[Any]:
    """What every reduction is tested on: all dims, one, the last, several, with and without keepdim."""
    return [
        ((draw(shape),), {"dim": dim, "keepdim": keepdim, **params})
        for shape, dim, keepdim in [
            ((2, 3), None, False), ((2, 3), None, True), ((3,), 0, False), ((2, 3), -1, True), ((2, 3, 2), 1, False),
            ((2, 3, 2), (0, -1), False), ((2, 3, 2), (-1, 1), True),
        ]
    ]  # fmt: skip


def _spread_out(g: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of a sum handed to every element: a copy, which costs less than NumPy's stretched view until it is large."""
    if math.prod(shape) > 4096:
        return np.broadcast_to(g, shape)
    out = np.empty(shape, g.dtype)
    out[...] = g
    return out


# -- sums and means ----------------------------------------------------------------------------------------------------


@operation(
    "Σ",
    r"\sum {x}",
    kernel=lambda x, *, dim, keepdim: np.add.reduce(x, dim, keepdims=keepdim),
    samples=lambda draw: _cases(draw.uniform),
    dx=lambda g, x_shape, *, dim, keepdim: np.broadcast_to(_kept(g, dim, keepdim), x_shape),  # everyone receives g
    kernel_dx=lambda g, x_shape, *, dim, keepdim: _spread_out(_kept(g, dim, keepdim), x_shape),
)
def _sum(x: Array, *, dim: Any, keepdim: bool) -> Array:
    """The sum of the elements."""
    return np.sum(x, axis=dim, keepdims=keepdim)


@implements(np.sum)
def sum(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The sum of the elements, over all dims or those named: y = Σ x. Every element receives ∂E/∂y (S0).

    Args:
        input: a tensor; booleans and integers are summed as int64.
        dim: a dim, several, or None for all.
        keepdim: keep the reduced dims, with length 1.
        dtype: convert to this dtype first.
        axis: NumPy's name of dim.
        keepdims: NumPy's name of keepdim.

    Raises:
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([4., 6.])
    """
    if dim is None and axis is None and dtype is None and input._array.dtype.kind == "f":
        return _sum(input, dim=None, keepdim=keepdim or keepdims)
    return _sum(_whole(input, dtype), dim=_over(input, dim, axis), keepdim=keepdim or keepdims)


@operation(
    "mean",
    r"\overline{{x}}",
    kernel=lambda x, *, dim, keepdim: np.add.reduce(x, dim, keepdims=keepdim) / _count(x.shape, dim),
    samples=lambda draw: _cases(draw.uniform),
    dx=lambda g, x_shape, *, dim, keepdim: np.broadcast_to(_kept(g, dim, keepdim) / _count(x_shape, dim), x_shape),
    kernel_dx=lambda g, x_shape, *, dim, keepdim: _spread_out(_kept(g, dim, keepdim) / _count(x_shape, dim), x_shape),
)
def _mean(x: Array, *, dim: Any, keepdim: bool) -> Array:
    """The sum divided by the number of elements."""
    return np.mean(x, axis=dim, keepdims=keepdim)


@implements(np.mean)
def mean(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
    keepdims: bool = False,
) -> Tensor:
    """The mean of the n elements, over all dims or those named: y = (1/n) Σ x. Each element receives ∂E/∂y / n (S3).

    Raises:
        RuntimeError: for integers and booleans, whose mean is not a whole number: write `.float()` first.
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> mean(tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    tensor([1.5000, 3.5000])
    """
    if dim is None and axis is None and dtype is None and input._array.size and input._array.dtype.kind == "f":
        return _mean(input, dim=None, keepdim=keepdim or keepdims)
    input, over, keep = _floating("mean", input, dtype), _over(input, dim, axis), keepdim or keepdims
    if not _count(tuple(input._array.shape), over):
        return _sum(input, dim=over, keepdim=keep) / 0  # nan, without NumPy's warning
    return _mean(input, dim=over, keepdim=keep)


def _centred(x: Any, dim: Any) -> Any:
    """How far each element is from the mean."""
    return x - np.mean(x, axis=dim, keepdims=True)


def _freedom(shape: tuple[int, ...], dim: Any, correction: Any) -> Any:
    """What the sum of squares is divided by, n − correction."""
    return builtins.max(0, _count(shape, dim) - correction)


@operation(
    "Var",
    r"\operatorname{Var}({x})",
    quiet=True,  # one element has no spread to estimate: 0 / 0
    samples=lambda draw: _cases(draw.uniform, correction=1) + _cases(draw.uniform, correction=0)[:2],
    # ∂/∂xᵢ Σⱼ (xⱼ − m)² = 2 (xᵢ − m): what reaches x through the mean m cancels, since Σⱼ (xⱼ − m) = 0.
    dx=lambda g, x, *, dim, keepdim, correction: (
        _kept(g, dim, keepdim) * (2 * _centred(x, dim) / _freedom(x.shape, dim, correction))
    ),
)
def _var(x: Array, *, dim: Any, keepdim: bool, correction: Any) -> Array:
    """The sum of the squared distances to the mean, divided by n − correction."""
    d = _centred(x, dim)
    return np.sum(d * d, axis=dim, keepdims=keepdim) / _freedom(x.shape, dim, correction)


def _std_dx(g: Any, x: Any, y: Any, *, dim: Any, keepdim: bool, correction: Any) -> Any:
    """(√v)' = v' / 2√v; 0 where all elements are equal, as in PyTorch."""
    g, y = _kept(g, dim, keepdim), _kept(y, dim, keepdim)
    flat = y == 0
    return np.where(flat, 0, g / np.where(flat, 1, y)) * (_centred(x, dim) / _freedom(x.shape, dim, correction))


@operation(
    "σ",
    r"\sigma_{{x}}",
    quiet=True,
    samples=lambda draw: _cases(lambda s: draw.distinct(s)[0], correction=1) + _cases(draw.uniform, correction=0)[:2],
    dx=_std_dx,
)
def _std(x: Array, *, dim: Any, keepdim: bool, correction: Any) -> Array:
    """The square root of the variance."""
    d = _centred(x, dim)
    return np.sqrt(np.sum(d * d, axis=dim, keepdims=keepdim) / _freedom(x.shape, dim, correction))


def _spread(
    name: str, declared: Any, input: Tensor, dim: Any, unbiased: bool, keepdim: bool, correction: Any, axis: Any
) -> Tensor:
    if isinstance(dim, bool):  # var(x, False) is PyTorch's short form of var(x, unbiased=False)
        dim, unbiased = None, dim
    correction = int(unbiased) if correction is None else correction
    input, over = _floating(name, input), _over(input, dim, axis)
    if not _count(tuple(input._array.shape), over):
        return _sum(input, dim=over, keepdim=keepdim) / 0
    result: Tensor = declared(input, dim=over, keepdim=keepdim, correction=correction)
    return result


def var(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Any = None,
) -> Tensor:
    """The variance, Σ (x − m)² / (n − correction), where m is the mean. ∂E/∂x = ∂E/∂y · 2 (x − m) / (n − correction).

    Args:
        input: a floating-point tensor.
        dim: a dim, several, or None for all.
        unbiased: divide by n − 1 (the default), or by n. `correction` says the same with a number.
        keepdim: keep the reduced dims, with length 1.
        correction: what is subtracted from n: 1 for a sample, 0 for a whole population. NumPy's `np.var` subtracts 0.
        axis: NumPy's name of dim.

    Raises:
        RuntimeError: for integers and booleans.

    >>> from tinygrad_fr import tensor
    >>> var(tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.6667)
    """
    return _spread("var", _var, input, dim, unbiased, keepdim, correction, axis)


def std(
    input: Tensor,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    axis: Any = None,
) -> Tensor:
    """The standard deviation, the square root of `var`, with the same arguments; its gradient is 0 where it is 0.

    >>> from tinygrad_fr import tensor
    >>> std(tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.2910)
    """
    return _spread("std", _std, input, dim, unbiased, keepdim, correction, axis)


@implements(np.var)
def _numpy_var(a: Tensor, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return var(a, axis=axis, keepdim=keepdims, correction=ddof)


@implements(np.std)
def _numpy_std(a: Tensor, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Tensor:
    return std(a, axis=axis, keepdim=keepdims, correction=ddof)


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """The variance and the mean, with the arguments of `var`.

    >>> from tinygrad_fr import tensor
    >>> var_mean(tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: float | None = None
) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean, with the arguments of `std`.

    >>> from tinygrad_fr import tensor
    >>> std_mean(tensor([1.0, 3.0]))
    (tensor(1.4142), tensor(2.))
    """
    spread = std(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, None if isinstance(dim, bool) else dim, keepdim)


# -- running sums, products --------------------------------------------------------------------------------------------


def _moved(x: Any, by: int, dim: int, fill: float) -> Any:
    """x moved by so many places along dim, towards the end or (by < 0) the start; `fill` enters behind it."""
    stretch = slice(None, x.shape[dim] - by) if by > 0 else slice(-by, None)
    widths = [(0, 0)] * x.ndim
    widths[dim] = (by, 0) if by > 0 else (0, -by)
    return np.pad(x[_slab(x.ndim, dim, stretch)], widths, constant_values=fill)


@operation(
    "cumsum",
    r"\operatorname{cumsum}({x})",
    samples=lambda draw: [
        ((draw.uniform(4),), {"dim": 0}),
        ((draw.uniform((2, 3)),), {"dim": -1}),
        ((draw.uniform((2, 3, 2)),), {"dim": 1}),
    ],
    dx=lambda g, *, dim: np.flip(np.cumsum(np.flip(g, dim), dim), dim),  # xᵢ is in every sum from place i to the end
)
def _cumsum(x: Array, *, dim: int) -> Array:
    """The sum of the elements up to each place."""
    return np.cumsum(x, dim)


def _cumprod_dx(g: Any, x: Any, y: Any, *, dim: int) -> Any:
    """∂E/∂xᵢ = Lᵢ Rᵢ: Lᵢ, the product before i, times Rᵢ = Σ_{k≥i} g_k Π_{i<j≤k} xⱼ = gᵢ + xᵢ₊₁ Rᵢ₊₁.

    Nothing is divided, so zeros do no harm. Rᵢ is built for all i together, doubling the number of its terms each time:
    2s terms at i are the s terms at i and, times the product of the s factors between, the s terms at i + s.
    """
    if not x.shape[dim]:
        return g
    terms, factor, s = g, _moved(x, -1, dim, 0), 1
    while s < x.shape[dim]:
        terms = terms + factor * _moved(terms, -s, dim, 0)
        factor = factor * _moved(factor, -s, dim, 0)
        s *= 2
    return _moved(y, 1, dim, 1) * terms


@operation(
    "cumprod",
    r"\operatorname{cumprod}({x})",
    quiet=True,
    samples=lambda draw: [
        ((draw.uniform(5, -2, 2),), {"dim": 0}),
        ((draw.uniform((2, 3), -2, 2),), {"dim": -1}),
        ((draw.uniform((2, 3, 2), -2, 2),), {"dim": 1}),
        ((np.array([1.5, 0.0, 2.0, 0.0]),), {"dim": 0}),
    ],
    dx=_cumprod_dx,
)
def _cumprod(x: Array, *, dim: int) -> Array:
    """The product of the elements up to each place."""
    return np.cumprod(x, dim)


def _running(declared: Any, input: Tensor, dim: Any, dtype: Any, axis: Any) -> Tensor:
    dim = dim if axis is None else axis
    source = ravel(input) if dim is None or not input._array.ndim else input
    read_dim(0 if dim is None else dim, input._array.ndim)
    result: Tensor = declared(_whole(source, dtype), dim=0 if source is not input else dim)
    return result if dim is None or input._array.ndim else reshape(result, ())


@implements(np.cumsum)
def cumsum(input: Tensor, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """The running sum along a dim: yᵢ = x₀ + ... + xᵢ. ∂E/∂xᵢ is the sum of ∂E/∂y from i to the end.

    Without dim the tensor is flattened first, as NumPy does.

    >>> from tinygrad_fr import tensor
    >>> cumsum(tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _running(_cumsum, input, dim, dtype, axis)


@implements(np.cumprod)
def cumprod(input: Tensor, dim: int | None = None, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """The running product along a dim: yᵢ = x₀ ... xᵢ. The gradient is exact where elements are 0 as well.

    Without dim the tensor is flattened first, as NumPy does.

    >>> from tinygrad_fr import tensor
    >>> cumprod(tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
    """
    return _running(_cumprod, input, dim, dtype, axis)


def _prod_dx(g: Any, x: Any, *, dim: int | None, keepdim: bool) -> Any:
    """∂y/∂xᵢ is the product of the others, before i and after i: no division by xᵢ, which may be 0."""
    flat, along = (np.reshape(x, (-1,)), 0) if dim is None else (x, dim)
    if not flat.shape[along]:
        return _kept(g, dim, keepdim) * x
    before = _moved(np.cumprod(flat, along), 1, along, 1)
    after = np.flip(_moved(np.cumprod(np.flip(flat, along), along), 1, along, 1), along)
    return _kept(g, dim, keepdim) * np.reshape(before * after, x.shape)


@operation(
    "Π",
    r"\prod {x}",
    quiet=True,
    samples=lambda draw: [
        *(c for c in _cases(lambda s: draw.uniform(s, -2, 2)) if not isinstance(c[1]["dim"], tuple)),
        ((np.array([[2.0, 0.0, 3.0], [0.0, 0.5, 0.0]]),), {"dim": 1, "keepdim": False}),
    ],
    dx=_prod_dx,
)
def _prod(x: Array, *, dim: int | None, keepdim: bool) -> Array:
    """The product of the elements."""
    return np.prod(x, axis=dim, keepdims=keepdim)


@implements(np.prod)
def prod(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: int | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The product of the elements, over all dims or one. Each element receives ∂E/∂y times the product of the others.

    The gradient is exact where elements are 0 as well, to any order. Booleans and integers are multiplied as int64.

    Raises:
        TypeError: for several dims, which PyTorch does not take either: reduce one after the other.

    >>> from tinygrad_fr import tensor
    >>> prod(tensor([[1, 2], [3, 4]]), dim=1)
    tensor([ 2, 12])
    """
    dim = dim if axis is None else axis
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"prod() takes one dim or none, got dim={dim}: write x.prod(i).prod(j), the largest dim first.")
    over = _over(input, dim, None)
    return _prod(_whole(input, dtype), dim=None if over == () else over, keepdim=keepdim or keepdims)


# -- the largest and the smallest --------------------------------------------------------------------------------------


def _shared(g: Any, x: Any, y: Any, *, dim: Any, keepdim: bool) -> Any:
    """The gradient goes to the elements that equal the result, in equal shares (PyTorch's convention at ties)."""
    winner = np.logical_or(x == _kept(y, dim, keepdim), x != x).astype(g.dtype)  # a nan wins every comparison
    return _kept(g, dim, keepdim) * (winner / np.sum(winner, axis=dim, keepdims=True))


@operation(
    "max",
    r"\max {x}",
    quiet=True,
    kernel=lambda x, *, dim, keepdim: np.maximum.reduce(x, dim, keepdims=keepdim),
    samples=lambda draw: _cases(lambda s: draw.distinct(s)[0]),
    dx=_shared,
)
def _amax(x: Array, *, dim: Any, keepdim: bool) -> Array:
    """The largest element."""
    return np.max(x, axis=dim, keepdims=keepdim)


@operation(
    "min",
    r"\min {x}",
    quiet=True,
    kernel=lambda x, *, dim, keepdim: np.minimum.reduce(x, dim, keepdims=keepdim),
    samples=lambda draw: _cases(lambda s: draw.distinct(s)[0]),
    dx=_shared,
)
def _amin(x: Array, *, dim: Any, keepdim: bool) -> Array:
    """The smallest element."""
    return np.min(x, axis=dim, keepdims=keepdim)


@implements(np.max, np.amax)
def amax(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element, over all dims or those named; elements that tie share the gradient equally, as in PyTorch.

    Raises:
        RuntimeError: when there are no elements.
        IndexError: for a dim without elements, or out of range.

    >>> from tinygrad_fr import tensor
    >>> amax(tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([5., 3.])
    """
    over = _over(input, dim, axis)
    _some("amax", input, over)
    return _amax(input, dim=over, keepdim=keepdim or keepdims)


@implements(np.min, np.amin)
def amin(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element, over all dims or those named; elements that tie share the gradient equally, as in PyTorch.

    Raises:
        RuntimeError: when there are no elements.
        IndexError: for a dim without elements, or out of range.

    >>> from tinygrad_fr import tensor
    >>> amin(tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1., 2.])
    """
    over = _over(input, dim, axis)
    _some("amin", input, over)
    return _amin(input, dim=over, keepdim=keepdim or keepdims)


def _place(name: str, symbol: str, choose: Any) -> Any:
    """Declare argmax or argmin: a position has no derivative."""

    def forward(x: Array, *, dim: int | None, keepdim: bool) -> Array:
        """The first place of the chosen element."""
        return choose(x, axis=dim, keepdims=keepdim)

    samples = lambda draw: [
        ((draw.distinct((2, 3))[0],), {"dim": None, "keepdim": False}),
        ((draw.distinct((2, 3))[0],), {"dim": -1, "keepdim": True}),
        ((draw.distinct((2, 3))[0],), {"dim": 0, "keepdim": False}),
    ]
    return operation(symbol, rf"\operatorname{{{name}}} {{x}}", name=name, samples=samples)(forward)


_argmax, _argmin = _place("argmax", "arg max", np.argmax), _place("argmin", "arg min", np.argmin)


def _where_is(name: str, declared: Any, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    over = None if dim is None or not input._array.ndim and read_dim(dim, 0) == 0 else read_dim(dim, input._array.ndim)
    _some(name, input, over)
    result: Tensor = declared(input, dim=over, keepdim=keepdim)
    return result


@implements(np.argmax)
def argmax(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """Where the largest element is, int64: the first of those that tie; without dim, its place in the flat order.

    Raises:
        IndexError: when there are no elements, or for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> argmax(tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([1, 0])
    """
    return _where_is("argmax", _argmax, input, dim if axis is None else axis, keepdim or keepdims)


@implements(np.argmin)
def argmin(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """Where the smallest element is, int64: the first of those that tie; without dim, its place in the flat order.

    Raises:
        IndexError: when there are no elements, or for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> argmin(tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    tensor([0, 1])
    """
    return _where_is("argmin", _argmin, input, dim if axis is None else axis, keepdim or keepdims)


def _best(
    name: Literal["max", "min"], input: Tensor, dim: Any, keepdim: bool, other: Tensor | None, axis: int | None
) -> Any:
    pairwise, whole, place = (maximum, _amax, _argmax) if name == "max" else (minimum, _amin, _argmin)
    if other is not None or isinstance(dim, Tensor):
        return pairwise(input, dim if other is None else other)
    dim = dim if axis is None else axis
    if dim is None:
        _some(name, input, None)
        return whole(input, dim=None, keepdim=keepdim)
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name}() takes one dim, got dim={dim}: a{name}() takes several, and gives the values alone.")
    indices = _where_is(name, place, input, dim, True)
    values = take_along_dim(input, indices, dim)
    return CHOICE[name](*((values, indices) if keepdim else (squeeze(values, dim), squeeze(indices, dim))))


def max(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    axis: int | None = None,
    keepdims: bool = False,
) -> Any:
    """The largest element; with dim, a pair (values, indices); with another tensor, `maximum` of the two.

    Without dim, elements that tie share the gradient equally; with dim, it goes to the index that was chosen, the
    first of those that tie; between two tensors, half to each: PyTorch's conventions.

    Raises:
        RuntimeError: when there are no elements.
        IndexError: for a dim without elements, or out of range.

    >>> from tinygrad_fr import tensor
    >>> max(tensor([1.0, 5.0, 3.0]))
    tensor(5.)
    >>> values, indices = max(tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1)
    >>> indices
    tensor([1, 0])
    """
    return _best("max", input, dim, keepdim or keepdims, other, axis)


def min(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    axis: int | None = None,
    keepdims: bool = False,
) -> Any:
    """The smallest element; with dim, a pair (values, indices); with another tensor, `minimum` of the two.

    The gradient is shared as by `max`.

    >>> from tinygrad_fr import tensor
    >>> min(tensor([1.0, 5.0, 3.0]))
    tensor(1.)
    """
    return _best("min", input, dim, keepdim or keepdims, other, axis)


# -- exponentials that do not overflow ---------------------------------------------------------------------------------


@operation(
    "LSE",
    r"\log \sum e^{x}",
    floats=True,
    quiet=True,
    samples=lambda draw: _cases(draw.uniform),
    dx=lambda g, x, y, *, dim, keepdim: _kept(g, dim, keepdim) * np.exp(x - _kept(y, dim, keepdim)),  # g softmax(x)
)
def _logsumexp(x: Array, *, dim: Any, keepdim: bool) -> Array:
    """log Σ eˣ = m + log Σ eˣ⁻ᵐ for any m: with the maximum for m, no exponential overflows."""
    m = np.max(x, axis=dim, keepdims=True)
    m = np.where(np.isfinite(m), m, 0)  # a row of −∞ gives −∞, and not ∞ − ∞
    total = np.log(np.sum(np.exp(x - m), axis=dim, keepdims=True)) + m
    return total if keepdim else np.squeeze(total, tuple(range(x.ndim)) if dim is None else dim)


def logsumexp(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
) -> Tensor:
    """log Σ eˣ over all dims or those named, without overflow. ∂E/∂x = ∂E/∂y · softmax(x).

    A row that holds ∞ gives ∞, a row of −∞ gives −∞; their gradients are nan, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> logsumexp(tensor([1000.0, 1000.0]), dim=0)
    tensor(1000.6932)
    """
    over, keep = _over(input, dim, axis), keepdim or keepdims
    if not _count(tuple(input._array.shape), over):
        return _sum(_floating("logsumexp", input), dim=over, keepdim=keep) - math.inf  # the log of an empty sum
    return _logsumexp(input, dim=over, keepdim=keep)


_SOFTMAX_CASES = lambda draw: [
    ((draw.uniform((2, 3), -2, 2),), {"dim": 1}),
    ((draw.uniform((2, 3), -2, 2),), {"dim": -2}),
    ((draw.uniform(4, -2, 2),), {"dim": -1}),
    ((draw.uniform((2, 3, 2), -2, 2),), {"dim": 1}),
]


def _softmax_kernel(x: Array, *, dim: Any) -> Array:
    e = np.subtract(x, np.maximum.reduce(x, dim, keepdims=True), out=np.empty_like(x))
    np.exp(e, out=e)
    return np.divide(e, np.add.reduce(e, dim, keepdims=True), out=e)


def _log_softmax_kernel(x: Array, *, dim: Any) -> Array:
    shifted = np.subtract(x, np.maximum.reduce(x, dim, keepdims=True), out=np.empty_like(x))
    return np.subtract(shifted, np.log(np.add.reduce(np.exp(shifted), dim, keepdims=True)), out=shifted)


@operation(
    "softmax",
    r"\operatorname{softmax}({x})",
    quiet=True,
    samples=_SOFTMAX_CASES,
    kernel=_softmax_kernel,
    # The Jacobian is diag(y) − y yᵗ (S4), so its product with g needs no matrix.
    dx=lambda g, y, *, dim: y * (g - np.sum(g * y, axis=dim, keepdims=True)),
)
def _softmax(x: Array, *, dim: Any) -> Array:
    """eˣ / Σ eˣ; subtracting the maximum changes nothing to the quotient and keeps eˣ from overflowing."""
    e = np.exp(x - np.max(x, axis=dim, keepdims=True))
    return e / np.sum(e, axis=dim, keepdims=True)


@operation(
    "log softmax",
    r"\log \operatorname{softmax}({x})",
    quiet=True,
    samples=_SOFTMAX_CASES,
    kernel=_log_softmax_kernel,
    dx=lambda g, y, *, dim: g - np.exp(y) * np.sum(g, axis=dim, keepdims=True),
)
def _log_softmax(x: Array, *, dim: Any) -> Array:
    """x − log Σ eˣ, with the maximum subtracted first: exact where softmax itself would round to 0."""
    shifted = x - np.max(x, axis=dim, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=dim, keepdims=True))


def _along(name: str, declared: Any, input: Tensor, dim: Any, dtype: Any) -> Tensor:
    over = read_dims(dim, input._array.ndim)
    input = _floating(name, input, dtype, NotImplementedError)
    if not math.prod(input._array.shape):
        return input * 1
    result: Tensor = declared(input, dim=over)
    return result


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Positive numbers that sum to 1 along dim: y = eˣ / Σ eˣ, without overflow (S4).

    ∂E/∂x = y (∂E/∂y − Σ ∂E/∂y · y).

    Raises:
        NotImplementedError: for integers; give `dtype=`, or write `.float()` first.
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> softmax(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _along("softmax", _softmax, input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, x − log Σ eˣ, exact where softmax rounds to 0. ∂E/∂x = ∂E/∂y − softmax(x) Σ ∂E/∂y.

    Raises:
        NotImplementedError: for integers; give `dtype=`, or write `.float()` first.
        IndexError: for a dim out of range.

    >>> from tinygrad_fr import tensor
    >>> log_softmax(tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _along("log_softmax", _log_softmax, input, dim, dtype)


# -- norms -------------------------------------------------------------------------------------------------------------


def _norm_dx(g: Any, x: Any, y: Any, *, p: float, dim: Any, keepdim: bool) -> Any:
    """∂‖x‖ₚ/∂x = sgn(x) |x|ᵖ⁻¹ / ‖x‖ₚᵖ⁻¹, that is x / ‖x‖ for p = 2; 0 where x or its norm is 0 (PyTorch's choice)."""
    g, y = _kept(g, dim, keepdim), _kept(y, dim, keepdim)
    null = y == 0
    if p == 2:
        return x * np.where(null, 0, g / np.where(null, 1, y))
    size = np.abs(x)
    flat = size == 0
    power = np.where(flat, 0, np.where(flat, 1, size) ** (p - 1))
    return np.sign(x) * power * np.where(null, 0, g / np.where(null, 1, y) ** (p - 1))


@operation(
    "‖·‖",
    r"\left\lVert {x} \right\rVert",
    quiet=True,
    samples=lambda draw: (
        _cases(lambda s: draw.distinct(s)[0], p=2) + _cases(lambda s: draw.uniform(s, 0.5, 2), p=3)[2:5]
    ),
    dx=_norm_dx,
)
def _norm(x: Array, *, p: float, dim: Any, keepdim: bool) -> Array:
    """(Σ |x|ᵖ) to the power 1/p."""
    if p == 2:
        return np.sqrt(np.sum(x * x, axis=dim, keepdims=keepdim))
    return np.sum(np.abs(x) ** p, axis=dim, keepdims=keepdim) ** (1 / p)


def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The length of a vector, ‖x‖ₚ = (Σ |x|ᵖ)^(1/p), over all dims or those named.

    Args:
        input: a floating-point tensor.
        p: 2 or "fro", the usual length; 1, the sum of |x|; inf or -inf, the largest or the smallest |x|; 0, how many
            are not 0; or another number.
        dim: a dim, several, or None for all.
        keepdim: keep the reduced dims, with length 1.
        dtype: convert to this dtype first.

    For p = 2, ∂E/∂x = ∂E/∂y · x / ‖x‖, taken as 0 at the zero vector, which has no derivative (PyTorch's convention).
    For p = inf, the elements that tie share the gradient equally.

    Raises:
        RuntimeError: for integers, or the largest of no elements.
        NotImplementedError: for "nuc", which needs singular values.

    >>> from tinygrad_fr import tensor
    >>> norm(tensor([3.0, 4.0]))
    tensor(5.)
    >>> norm(tensor([3.0, -4.0]), 1)
    tensor(7.)
    """
    p = 2 if p in (None, "fro") else p
    if isinstance(p, str):
        raise NotImplementedError(
            f"norm: p={p!r} is not there; it is a number, or 'fro' for the root of the sum of squares."
        )
    input, over = _floating("norm", input, dtype), _over(input, dim, None)
    if p == 0:
        return _sum(to(ne(input, 0), input.dtype), dim=over, keepdim=keepdim)
    if p == 1:
        return _sum(abs(input), dim=over, keepdim=keepdim)
    if math.isinf(p):
        if not _count(tuple(input._array.shape), over):
            raise RuntimeError(f"norm: no elements have no {p} norm (shape {tuple(input._array.shape)}, dim={dim})")
        return (_amax if p > 0 else _amin)(abs(input), dim=over, keepdim=keepdim)
    return _norm(input, p=p, dim=over, keepdim=keepdim)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The distance of two tensors, ‖x − y‖ₚ.

    >>> from tinygrad_fr import tensor
    >>> dist(tensor([3.0, 0.0]), tensor([0.0, 4.0]))
    tensor(5.)
    """
    return norm(sub(input, other), p)


@implements(np.linalg.norm)
def _numpy_norm(x: Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    if ord not in (None, "fro") and x._array.ndim != 1 and not isinstance(axis, int):
        raise NotImplementedError(
            f"np.linalg.norm: ord={ord!r} of a matrix is not there; name one axis for a vector norm."
        )
    return norm(x, ord, axis, keepdims)


# -- questions ---------------------------------------------------------------------------------------------------------


def _question(name: str, symbol: str, ask: Any) -> Any:
    """Declare a reduction whose answer is discrete, and has no derivative."""

    def forward(x: Array, *, dim: Any, keepdim: bool) -> Array:
        """Whether some, or all, elements are true."""
        return ask(x, axis=dim, keepdims=keepdim)

    return operation(symbol, rf"\operatorname{{{name}}} {{x}}", name=name, samples=lambda draw: _cases(draw.booleans))(
        forward
    )


_any, _all = _question("any", "∃", np.any), _question("all", "∀", np.all)


@operation(
    "#", r"\#({x} \ne 0)", samples=lambda draw: [((draw.booleans((2, 3)),), {"dim": d}) for d in (None, 1, (0, -1))]
)
def _count_nonzero(x: Array, *, dim: Any) -> Array:
    """How many elements are not 0."""
    return np.sum(x != 0, axis=dim)


@implements(np.any)
def any(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether some element is true (not 0), over all dims or those named.

    >>> from tinygrad_fr import tensor
    >>> any(tensor([[True, False], [False, False]]), dim=1)
    tensor([ True, False])
    """
    return _any(input, dim=read_dims(dim if axis is None else axis, input._array.ndim), keepdim=keepdim or keepdims)  # type: ignore[no-any-return]


@implements(np.all)
def all(input: Tensor, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether every element is true (not 0), over all dims or those named.

    >>> from tinygrad_fr import tensor
    >>> all(tensor([[True, False], [True, True]]), dim=1)
    tensor([False,  True])
    """
    return _all(input, dim=read_dims(dim if axis is None else axis, input._array.ndim), keepdim=keepdim or keepdims)  # type: ignore[no-any-return]


@implements(np.count_nonzero)
def count_nonzero(input: Tensor, dim: Any = None, *, axis: Any = None) -> Tensor:
    """How many elements are not 0, int64, over all dims or those named.

    >>> from tinygrad_fr import tensor
    >>> count_nonzero(tensor([[1, 0], [2, 3]]), dim=0)
    tensor([2, 1])
    """
    return _count_nonzero(input, dim=_over(input, dim, axis))
