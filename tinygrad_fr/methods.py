"""The one visible table where Tensor gets its methods: the ring of imports closes here and nowhere else.

A method is an operation called with the tensor first: `x.exp()` is `exp(x)`. `_methods.pyi` shows the same names to type
checkers, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_fr import graph, numpy_protocol
from tinygrad_fr._methods import TensorMethods
from tinygrad_fr.operations import activations, arithmetic, casting, elementary, indexing, inplace, linalg, reductions, shaping

_NAMED: dict[Any, str] = {
    arithmetic: "add sub mul div neg pow abs sign maximum minimum remainder square reciprocal floor ceil trunc round eq ne lt "
    "le gt ge floor_divide logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not isnan "
    "isinf isfinite",
    elementary: "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh "
    "atanh erf erfc deg2rad rad2deg",
    activations: "sigmoid relu clamp",
    reductions: "sum mean var std prod max min amax amin argmax argmin any all cumsum cumprod logsumexp softmax log_softmax norm "
    "count_nonzero",
    shaping: "reshape view view_as transpose swapaxes permute movedim moveaxis t adjoint expand expand_as broadcast_to squeeze "
    "unsqueeze flatten unflatten ravel split chunk unbind flip roll tril triu diagonal diag repeat tile repeat_interleave narrow",
    linalg: "matmul mm bmm mv dot outer addmm",
    indexing: "gather scatter scatter_add index_select index_add take_along_dim take masked_fill masked_select nonzero sort "
    "argsort topk median unique bincount",
    casting: "to clone requires_grad_ detach_ contiguous cuda new_tensor numel size allclose isclose equal is_floating_point",
    inplace: "add_ sub_ mul_ div_ zero_ fill_ copy_ masked_fill_",
    graph: "backward register_hook retain_grad",
}

_OPERATORS: dict[str, Callable[..., Any]] = {
    "__add__": arithmetic._add, "__radd__": arithmetic._add, "__sub__": arithmetic._sub, "__rsub__": arithmetic.rsub,
    "__mul__": arithmetic.mul, "__rmul__": arithmetic.mul, "__truediv__": arithmetic._div, "__rtruediv__": arithmetic.rdiv,
    "__pow__": arithmetic.pow, "__rpow__": arithmetic.rpow, "__matmul__": linalg.matmul, "__rmatmul__": linalg.rmatmul,
    "__mod__": arithmetic.remainder, "__floordiv__": arithmetic.floor_divide, "__neg__": arithmetic.neg,
    "__abs__": arithmetic.abs, "__pos__": casting.same, "__invert__": arithmetic.bitwise_not,
    "__eq__": arithmetic.eq, "__ne__": arithmetic.ne, "__lt__": arithmetic.lt, "__le__": arithmetic.le, "__gt__": arithmetic.gt,
    "__ge__": arithmetic.ge, "__and__": arithmetic.bitwise_and, "__rand__": arithmetic.bitwise_and,
    "__or__": arithmetic.bitwise_or, "__ror__": arithmetic.bitwise_or, "__xor__": arithmetic.bitwise_xor,
    "__rxor__": arithmetic.bitwise_xor, "__getitem__": indexing.getitem, "__setitem__": inplace.setitem,
    "__iadd__": inplace.add_, "__isub__": inplace.sub_, "__imul__": inplace.mul_, "__itruediv__": inplace.div_,
    "__ipow__": inplace.in_place(arithmetic.pow, "pow_"), "__ifloordiv__": inplace.in_place(arithmetic.floor_divide, "floor_divide_"),
    "__imod__": inplace.in_place(arithmetic.remainder, "remainder_"), "__iand__": inplace.in_place(arithmetic.bitwise_and, "bitwise_and_"),
    "__ior__": inplace.in_place(arithmetic.bitwise_or, "bitwise_or_"), "__ixor__": inplace.in_place(arithmetic.bitwise_xor, "bitwise_xor_"),
    "__array_ufunc__": numpy_protocol.array_ufunc, "__array_function__": numpy_protocol.array_function,
}  # fmt: skip

_ALIASES: dict[str, Callable[..., Any]] = {
    "multiply": arithmetic.mul, "divide": arithmetic.div, "subtract": arithmetic.sub, "true_divide": arithmetic.div,
    "negative": arithmetic.neg, "absolute": arithmetic.abs, "clip": activations.clamp, "arcsin": elementary.asin,
    "arccos": elementary.acos, "arctan": elementary.atan, "greater": arithmetic.gt, "less": arithmetic.lt,
    "not_equal": arithmetic.ne, "nelement": casting.numel, "ndimension": lambda self: self.ndim, "dim": lambda self: self.ndim,
    "type": casting.type_, "type_as": casting.to, "astype": casting.to, "cpu": casting.same, "swapdims": shaping.transpose,
    "rsub": arithmetic.rsub,
    **casting.CONVERTERS,
}  # fmt: skip

_IN_PLACE = {
    arithmetic: "pow neg abs remainder floor ceil round trunc square reciprocal",
    elementary: "exp log sqrt sin cos tanh",
    activations: "sigmoid relu clamp",
    indexing: "scatter scatter_add index_add",
}


def _transposed(self: Any) -> Any:
    """The tensor with its axes reversed: of a matrix, the transpose."""
    return self if self.ndim < 2 else shaping.permute(self, *range(self.ndim - 1, -1, -1))


def _matrix_transposed(self: Any) -> Any:
    """The tensor with its last two axes exchanged: the transpose of each matrix of a batch."""
    return shaping.transpose(self, -2, -1)


def attach() -> None:
    """Put every method of the table on the class."""
    table: dict[str, Any] = {name: getattr(room, name) for room, names in _NAMED.items() for name in names.split()}
    table.update(_OPERATORS)
    table.update(_ALIASES)
    for room, names in _IN_PLACE.items():
        for name in names.split():
            table[f"{name}_"] = inplace.in_place(getattr(room, name), f"{name}_")
    table["T"], table["mT"] = property(_transposed), property(_matrix_transposed)
    for name, member in table.items():
        setattr(TensorMethods, name, member)


attach()
