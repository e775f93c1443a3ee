"""The one visible table where Tensor gets its methods: the ring of imports closes here and nowhere else.

A method is an operation called with the tensor first: `x.exp()` is `exp(x)`. `_methods.pyi` shows the same names to type
checkers, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_fr import creation, graph, numpy_protocol, random
from tinygrad_fr._methods import TensorMethods
from tinygrad_fr.node import RETAIN
from tinygrad_fr.operations import activations, arithmetic, casting, elementary, indexing, inplace, linalg, reductions, shaping
from tinygrad_fr.operations.histograms import histc, histogram
from tinygrad_fr.operations.storage import storage, untyped_storage
from tinygrad_fr.tensor import Tensor

_NAMED: dict[Any, str] = {
    arithmetic: "add sub mul div neg pow abs sign maximum minimum remainder square reciprocal floor ceil trunc round eq ne lt "
    "le gt ge floor_divide logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not "
    "bitwise_left_shift bitwise_right_shift isnan isinf isfinite fmod frac lerp addcmul addcdiv",
    elementary: "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh "
    "atanh erf erfc deg2rad rad2deg",
    activations: "sigmoid relu clamp clamp_min clamp_max",
    reductions: "sum mean var std prod max min amax amin argmax argmin any all cumsum cumprod logsumexp softmax log_softmax "
    "norm count_nonzero dist",
    shaping: "reshape reshape_as view view_as select transpose swapaxes permute movedim moveaxis t adjoint "
    "expand expand_as broadcast_to squeeze unsqueeze flatten unflatten ravel split chunk unbind flip roll tril triu diagonal "
    "diag repeat tile repeat_interleave narrow",
    linalg: "matmul mm bmm mv dot outer addmm baddbmm trace inverse cross",
    indexing: "gather scatter scatter_add index_select index_add take_along_dim take masked_fill masked_select nonzero sort "
    "argsort topk median unique bincount",
    casting: "to clone requires_grad_ detach_ contiguous cuda numel size "
    "stride storage_offset element_size data_ptr is_contiguous allclose isclose equal is_floating_point",
    creation: "new_tensor new_zeros new_ones new_full new_empty",
    inplace: "add_ sub_ mul_ div_ zero_ fill_ copy_ masked_fill_",
    random: "bernoulli multinomial uniform_ normal_ bernoulli_ random_ exponential_ cauchy_ geometric_ log_normal_",
    graph: "register_hook retain_grad",
}


def _eq(self: Tensor, other: Any) -> Any:
    """Element by element; a tensor is never equal to None or to a text, which `x == None` may ask."""
    return NotImplemented if other is None or isinstance(other, str) else arithmetic.eq(self, other)


def _ne(self: Tensor, other: Any) -> Any:
    """Element by element; the opposite of ==."""
    return NotImplemented if other is None or isinstance(other, str) else arithmetic.ne(self, other)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "__add__": arithmetic._add, "__radd__": arithmetic._add, "__sub__": arithmetic._sub, "__rsub__": arithmetic.rsub,
    "__mul__": arithmetic._mul, "__rmul__": arithmetic._mul, "__truediv__": arithmetic._div, "__rtruediv__": arithmetic.rdiv,
    "__pow__": arithmetic.pow, "__rpow__": arithmetic.rpow, "__matmul__": linalg.matmul, "__rmatmul__": linalg.rmatmul,
    "__mod__": arithmetic.remainder, "__floordiv__": arithmetic.floor_divide, "__neg__": arithmetic.neg,
    "__rmod__": arithmetic.rmod, "__rfloordiv__": arithmetic.rfloordiv, "__lshift__": arithmetic.bitwise_left_shift,
    "__rshift__": arithmetic.bitwise_right_shift,
    "__abs__": arithmetic.abs, "__pos__": casting.same, "__invert__": arithmetic.bitwise_not,
    "__eq__": _eq, "__ne__": _ne, "__lt__": arithmetic.lt, "__le__": arithmetic.le, "__gt__": arithmetic.gt,
    "__ge__": arithmetic.ge, "__and__": arithmetic.bitwise_and, "__rand__": arithmetic.bitwise_and,
    "__or__": arithmetic.bitwise_or, "__ror__": arithmetic.bitwise_or, "__xor__": arithmetic.bitwise_xor,
    "__rxor__": arithmetic.bitwise_xor, "__getitem__": indexing.getitem, "__setitem__": inplace.setitem,
    "__iadd__": inplace.add_, "__isub__": inplace.sub_, "__imul__": inplace.mul_, "__itruediv__": inplace.div_,
    "__ipow__": inplace.in_place(arithmetic.pow, "pow_"), "__imod__": inplace.in_place(arithmetic.remainder, "remainder_"),
    "__ifloordiv__": inplace.in_place(arithmetic.floor_divide, "floor_divide_"),
    "__iand__": inplace.in_place(arithmetic.bitwise_and, "bitwise_and_"),
    "__ior__": inplace.in_place(arithmetic.bitwise_or, "bitwise_or_"),
    "__ixor__": inplace.in_place(arithmetic.bitwise_xor, "bitwise_xor_"),
    "__array_ufunc__": numpy_protocol.array_ufunc, "__array_function__": numpy_protocol.array_function,
}  # fmt: skip

_ALIASES: dict[str, Callable[..., Any]] = {
    "multiply": arithmetic.mul, "divide": arithmetic.div, "subtract": arithmetic.sub, "true_divide": arithmetic.div,
    "negative": arithmetic.neg, "absolute": arithmetic.abs, "clip": activations.clamp, "arcsin": elementary.asin,
    "arccos": elementary.acos, "arctan": elementary.atan, "greater": arithmetic.gt, "less": arithmetic.lt,
    "not_equal": arithmetic.ne, "nelement": casting.numel, "ndimension": lambda self: self.ndim, "dim": lambda self: self.ndim,
    "type": casting.type_, "type_as": casting.to, "astype": casting.to, "cpu": casting.same, "swapdims": shaping.transpose,
    "rsub": arithmetic.rsub, "less_equal": arithmetic.le, "greater_equal": arithmetic.ge, "arctan2": elementary.atan2,
    "arcsinh": elementary.asinh, "arccosh": elementary.acosh, "arctanh": elementary.atanh, "inner": linalg.dot,
    "subtract_": inplace.sub_, "multiply_": inplace.mul_, "divide_": inplace.div_, "true_divide_": inplace.div_,
    "storage": storage, "untyped_storage": untyped_storage, "histogram": histogram, "histc": histc,
    "where": lambda self, condition, other: indexing.where(condition, self, other),
    **casting.CONVERTERS,
}  # fmt: skip

_IN_PLACE = {
    arithmetic: "pow neg abs sign remainder fmod floor_divide floor ceil round trunc frac square reciprocal lerp addcmul "
    "addcdiv logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not",
    elementary: "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh erf",
    activations: "sigmoid relu clamp clamp_min clamp_max",
    reductions: "cumsum cumprod",
    shaping: "tril triu",
    linalg: "addmm",
    indexing: "scatter scatter_add index_add",
}
_RESHAPED = "unsqueeze squeeze t transpose swapaxes"


def _backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Compute the gradients of this tensor with respect to the leaves, and add each to its leaf's `.grad`.

    It is `autograd.backward` of one tensor: `gradient` is ∂E/∂(this tensor), which a scalar loss does without.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).backward(gradient=tensor([1.0, 10.0]))
    >>> w.grad
    tensor([ 2., 40.])
    """
    graph.backward(self, gradient, retain_graph, create_graph, inputs)


def _transposed(self: Any) -> Any:
    """The tensor with its axes reversed: of a matrix, the transpose."""
    return self if self.ndim < 2 else shaping.permute(self, *range(self.ndim - 1, -1, -1))


def _matrix_transposed(self: Any) -> Any:
    """The tensor with its last two axes exchanged: the transpose of each matrix of a batch."""
    return shaping.transpose(self, -2, -1)


def _adjoint(self: Any) -> Any:
    """The transpose of a matrix; in PyTorch the complex conjugate as well."""
    if self.ndim != 2:
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.ndim}-D tensor: write `.mT` for a batch of them."
        )
    return shaping.transpose(self, 0, 1)


def _retains_grad(self: Any) -> bool:
    """Whether `retain_grad()` was called on a tensor that is not a leaf; a leaf needs no such call."""
    return bool(self.grad_fn and self.grad_fn.hooks and RETAIN in self.grad_fn.hooks)


_PROPERTIES: dict[str, Callable[[Any], Any]] = {
    "T": _transposed, "mT": _matrix_transposed, "H": _adjoint, "mH": _matrix_transposed, "retains_grad": _retains_grad,
    "itemsize": casting.element_size, "nbytes": casting.nbytes, "is_cuda": lambda self: self.device.type == "cuda",
}  # fmt: skip


def attach() -> None:
    """Put every method of the table on the class."""
    table: dict[str, Any] = {name: getattr(room, name) for room, names in _NAMED.items() for name in names.split()}
    table.update(_OPERATORS)
    table.update(_ALIASES)
    for room, names in _IN_PLACE.items():
        for name in names.split():
            table[f"{name}_"] = inplace.in_place(getattr(room, name), f"{name}_")
    for name in _RESHAPED.split():
        table[f"{name}_"] = inplace.reshaped_in_place(getattr(shaping, name), f"{name}_")
    table["backward"], table["clip_"] = _backward, table["clamp_"]
    table.update({name: property(function) for name, function in _PROPERTIES.items()})
    for name, member in table.items():
        setattr(TensorMethods, name, member)


attach()
