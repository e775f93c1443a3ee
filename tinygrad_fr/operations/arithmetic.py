"""Arithmetic: the operations behind +, −, ×, ÷ and powers, and the comparisons.

Each gradient formula is what the chain rule gives for one input: `g` is ∂E/∂(output), the result ∂E/∂(input). None of
them mentions broadcasting: the engine undoes it on the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import NUMPY, operation
from tinygrad_fr.tensor import Tensor


@operation("+", "{x} + {other}", broadcasts=True, numpy=[np.add], kernel=np.add, dx=lambda g: g, dother=lambda g: g)
def _add(x: Array, other: Array) -> Array:
    """x + other, element by element."""
    return x + other


@operation("−", "{x} - {other}", broadcasts=True, numpy=[np.subtract], kernel=np.subtract, dx=lambda g: g, dother=lambda g: -g)
def _sub(x: Array, other: Array) -> Array:
    """x − other, element by element."""
    return x - other


@operation(
    "×",
    r"{x} \odot {other}",
    broadcasts=True,
    numpy=[np.multiply],
    kernel=np.multiply,
    dx=lambda g, other: g * other,  # ∂E/∂x = ∂E/∂y ⊙ other
    dother=lambda g, x: g * x,
)
def _mul(x: Array, other: Array) -> Array:
    """x ⊙ other, element by element."""
    return x * other


@operation(
    "÷",
    r"\frac{x}{other}",
    broadcasts=True,
    floats=True,
    quiet=True,
    numpy=[np.divide],
    samples=lambda draw: [(draw.uniform((2, 3), -2, 2), draw.uniform((2, 3), 0.5, 2))],
    dx=lambda g, other: g / other,
    dother=lambda g, x, other: -g * x / (other * other),  # (1/v)' = −1/v²
)
def _div(x: Array, other: Array) -> Array:
    """x / other, element by element; integers become floats."""
    return np.true_divide(x, other)


@operation("−", "-{x}", numpy=[np.negative], kernel=np.negative, dx=lambda g: -g)
def neg(x: Array) -> Array:
    """The opposite, y = −x; ∂E/∂x = −∂E/∂y.

    >>> from tinygrad_fr import tensor
    >>> neg(tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return -x


def _pow_dx(g: Any, x: Any, exponent: Any) -> Any:
    """(xⁿ)' = n xⁿ⁻¹; a zero exponent gives 0 even at x = 0, as in PyTorch."""
    if isinstance(exponent, (int, float)):
        return g * exponent * x ** (exponent - 1) if exponent != 0 else g * 0 * x
    smaller = np.where(exponent == 0, 1, exponent) - 1
    return g * exponent * x**smaller


def _pow_dexponent(g: Any, x: Any, exponent: Any, y: Any) -> Any:
    """(xⁿ)' with respect to n is xⁿ ln x, taken as 0 where x is 0 and n is not negative (PyTorch's convention)."""
    if isinstance(x, (int, float)):  # a NumPy logarithm of it would turn float32 into float64
        slope = g * y * float(np.log(float(x)))
        return np.where(exponent >= 0, 0, slope) if x == 0 else slope
    flat = (x == 0) & (exponent >= 0)
    return np.where(flat, 0, g * y * np.log(np.where(flat, 1, x)))


@operation(
    "^",
    "{x}^{exponent}",
    broadcasts=True,
    numpy=[np.power],
    quiet=True,
    samples=lambda draw: [(draw.uniform((2, 3), 0.5, 2.0), draw.uniform((2, 3), 0.5, 3.0))],
    dx=_pow_dx,
    dexponent=_pow_dexponent,
)
def pow(x: Array, exponent: Array) -> Array:
    """Raise to a power element by element, y = xⁿ.

    Gradients: ∂E/∂x = ∂E/∂y · n xⁿ⁻¹ (0 when n is 0), ∂E/∂n = ∂E/∂y · xⁿ ln x (0 where
    x is 0 and n is not negative).

    Raises:
        RuntimeError: for an integer tensor raised to a negative integer, which has no integer result.

    >>> from tinygrad_fr import tensor
    >>> pow(tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    return x**exponent


@operation("|·|", r"\left|{x}\right|", kinks=(0.0,), numpy=[np.abs, np.fabs], kernel=np.abs, dx=lambda g, x: g * np.sign(x))
def abs(x: Array) -> Array:
    """Absolute value, y = |x|; the derivative at 0 is taken as 0, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> abs(tensor([-1.5, 2.0]))
    tensor([1.5000, 2.0000])
    """
    return np.abs(x)


@operation("sgn", r"\operatorname{sgn}({x})", kinks=(0.0,), numpy=[np.sign], dx=lambda g: np.zeros_like(g))
def sign(x: Array) -> Array:
    """The sign, −1, 0 or 1 (0 for NaN, as in PyTorch); flat, hence of derivative 0 everywhere.

    >>> from tinygrad_fr import tensor
    >>> sign(tensor([-3.0, 0.0, 5.0]))
    tensor([-1.,  0.,  1.])
    """
    return np.where(x != x, 0, np.sign(x)) if x.dtype != bool else np.copy(x)


def _share_x(x: Any, other: Any) -> Any:
    """How the gradient of a maximum is shared: 1 to the winner, half to each at a tie (PyTorch's convention)."""
    return (x > other) + 0.5 * (x == other)


def _as(mask: Any, g: Any) -> Any:
    """A 0/1 mask in the gradient's own dtype, so that float32 stays float32."""
    return mask.astype(g.dtype)


@operation(
    "max",
    r"\max({x}, {other})",
    broadcasts=True,
    numpy=[np.maximum],
    samples=lambda draw: [draw.distinct((2, 3), (2, 3))],
    dx=lambda g, x, other: g * _as(_share_x(x, other), g),
    dother=lambda g, x, other: g * _as(_share_x(other, x), g),
)
def maximum(x: Array, other: Array) -> Array:
    """The larger of the two, element by element; at a tie each side receives half of the gradient, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> maximum(tensor([1.0, 5.0]), tensor([3.0, 2.0]))
    tensor([3., 5.])
    """
    return np.maximum(x, other)


@operation(
    "min",
    r"\min({x}, {other})",
    broadcasts=True,
    numpy=[np.minimum],
    samples=lambda draw: [draw.distinct((2, 3), (2, 3))],
    dx=lambda g, x, other: g * _as(_share_x(other, x), g),
    dother=lambda g, x, other: g * _as(_share_x(x, other), g),
)
def minimum(x: Array, other: Array) -> Array:
    """The smaller of the two, element by element; at a tie each side receives half of the gradient, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> minimum(tensor([1.0, 5.0]), tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return np.minimum(x, other)


@operation(
    "mod",
    r"{x} \bmod {other}",
    broadcasts=True,
    quiet=True,
    numpy=[np.remainder],
    samples=lambda draw: [(draw.uniform((2, 3), 2.1, 2.9), draw.uniform((2, 3), 0.8, 0.9))],
    dx=lambda g: g,
    dother=lambda g, x, other: -g * np.floor(x / other),  # x mod n = x − n ⌊x/n⌋, whose floor is flat
)
def remainder(x: Array, other: Array) -> Array:
    """The remainder of the division, with the sign of the divisor, as Python's % gives it.

    >>> from tinygrad_fr import tensor
    >>> remainder(tensor([-3.0, 5.0]), 2)
    tensor([1., 1.])
    """
    return x % other


@operation(
    "fmod",
    r"\operatorname{fmod}({x}, {other})",
    broadcasts=True,
    quiet=True,
    numpy=[np.fmod],
    samples=lambda draw: [(draw.uniform((2, 3), 2.1, 2.9), draw.uniform((2, 3), 0.8, 0.9))],
    dx=lambda g: g,
    dother=lambda g, x, other: -g * np.trunc(x / other),  # x − n trunc(x/n), whose rounding is flat
)
def fmod(x: Array, other: Array) -> Array:
    """The remainder of the division, with the sign of the dividend, as C gives it (`remainder` takes the divisor's).

    >>> from tinygrad_fr import tensor
    >>> fmod(tensor([-3.0, 5.0]), 2)
    tensor([-1.,  1.])
    """
    return np.fmod(x, other)


def into(out: Tensor | None, result: Tensor) -> Tensor:
    """The result itself, or `out` after the result was written into it (an empty `out` takes its shape).

    Raises:
        RuntimeError: when a gradient flows through the result, or its shape or dtype does not fit.
    """
    if out is None:
        return result
    from tinygrad_fr.operations.inplace import overwrite  # it stands on this module

    if result._node is not None:
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad: "
            "leave out= away, or compute under no_grad()."
        )
    if out._array.size == 0 and out._node is None:
        out._array = np.empty(result.shape, out.dtype)
    return overwrite(out, result, "out=")


def mul(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """Multiply element by element, y = input ⊙ other.

    Args:
        input: a tensor of any shape, or a number.
        other: a tensor of a shape that broadcasts with the input's, or a number.
        out: a tensor that the result is written into, where no gradient is wanted.

    Gradients: ∂E/∂input = ∂E/∂y ⊙ other, ∂E/∂other = ∂E/∂y ⊙ input, summed where broadcasting copied.

    >>> from tinygrad_fr import tensor
    >>> mul(tensor([1.0, 2.0]), tensor([[3.0], [4.0]]))
    tensor([[3., 6.],
            [4., 8.]])
    """
    return _mul(input, other) if out is None else into(out, _mul(input, other))


def add(input: Tensor, other: Any, *, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """Add element by element, y = input + alpha · other; shapes broadcast. `out=` takes the result, without a gradient.

    Gradients: ∂E/∂input = ∂E/∂y and ∂E/∂other = alpha ∂E/∂y, summed where broadcasting copied.

    >>> from tinygrad_fr import tensor
    >>> add(tensor([1.0, 2.0]), 10)
    tensor([11., 12.])
    """
    return into(out, _add(input, other if alpha == 1 else _mul(other, alpha)))


def sub(input: Tensor, other: Any, *, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """Subtract element by element, y = input − alpha · other; shapes broadcast.

    >>> from tinygrad_fr import tensor
    >>> sub(tensor([1.0, 2.0]), 1)
    tensor([0., 1.])
    """
    return into(out, _sub(input, other if alpha == 1 else _mul(other, alpha)))


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """Divide element by element, y = input / other; integers give floats. Modes "floor" and "trunc" round the quotient.

    Gradients: ∂E/∂input = ∂E/∂y / other, ∂E/∂other = −∂E/∂y · input / other².

    >>> from tinygrad_fr import tensor
    >>> div(tensor([1, 3]), 2)
    tensor([0.5000, 1.5000])

    Raises:
        ValueError: for another rounding mode.
    """
    if rounding_mode is None:
        return into(out, _div(input, other))
    if rounding_mode == "floor":
        return into(out, floor_divide(input, other))
    if rounding_mode == "trunc":
        whole = _whole(input) and _whole(other)  # integers stay integers: (x − fmod(x, n)) / n is exact
        return into(out, floor_divide(_sub(input, fmod(input, other)), other) if whole else trunc(_div(input, other)))
    raise ValueError(f"rounding_mode must be None, 'floor' or 'trunc', not {rounding_mode!r}")


def _whole(value: Any) -> bool:
    return value.dtype.kind != "f" if isinstance(value, Tensor) else not isinstance(value, float)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """The point between two, y = input + weight (end − input): the moving average of optimisers.

    >>> from tinygrad_fr import tensor
    >>> lerp(tensor([1.0, 2.0]), tensor([3.0, 4.0]), 0.5)
    tensor([2., 3.])
    """
    return _add(input, _mul(weight, _sub(end, input)))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 ⊙ tensor2.

    >>> from tinygrad_fr import tensor
    >>> addcmul(tensor([1.0]), tensor([2.0]), tensor([3.0]), value=0.5)
    tensor([4.])
    """
    return add(input, _mul(tensor1, tensor2), alpha=value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """input + value · tensor1 / tensor2, the step of Adam.

    >>> from tinygrad_fr import tensor
    >>> addcdiv(tensor([1.0]), tensor([3.0]), tensor([2.0]), value=2)
    tensor([4.])
    """
    return add(input, _div(tensor1, tensor2), alpha=value)


def square(input: Tensor) -> Tensor:
    """The square, y = x · x; ∂E/∂x = 2x ∂E/∂y, the two contributions of x added.

    >>> from tinygrad_fr import tensor
    >>> square(tensor([3.0]))
    tensor([9.])
    """
    return _mul(input, input)


NUMPY[np.square] = square


def reciprocal(input: Tensor) -> Tensor:
    """The inverse, y = 1 / x; ∂E/∂x = −∂E/∂y / x².

    >>> from tinygrad_fr import tensor
    >>> reciprocal(tensor([4.0]))
    tensor([0.2500])
    """
    return _div(1.0, input)


NUMPY[np.reciprocal] = reciprocal


def rsub(input: Tensor, other: Any) -> Tensor:
    """The subtraction with its sides exchanged, other − input."""
    return _sub(other, input)


def rdiv(input: Tensor, other: Any) -> Tensor:
    """The division with its sides exchanged, other / input."""
    return _div(other, input)


def rpow(input: Tensor, base: Any) -> Tensor:
    """The power with its sides exchanged, base to the input."""
    return pow(base, input)


def rmod(input: Tensor, other: Any) -> Tensor:
    """The remainder with its sides exchanged, other % input."""
    return remainder(other, input)


def rfloordiv(input: Tensor, other: Any) -> Tensor:
    """The whole-number division with its sides exchanged, other // input."""
    return floor_divide(other, input)


# -- flat functions: steps have derivative 0 wherever they have one ----------------------------------------------------


def _step(name: str, symbol: str, latex: str, function: Any, text: str, example: str) -> Callable[..., Tensor]:
    """Declare a rounding function: constant between its jumps, so its gradient is 0 (PyTorch's convention)."""

    def forward(x: Array) -> Array:
        return function(x)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{text} The derivative is taken as 0 everywhere, jumps included, as in PyTorch.\n\n{example}"
    return operation(
        symbol,
        latex,
        numpy=[function],
        samples=lambda draw: [(draw.integers((2, 3), -3, 3) + draw.uniform((2, 3), 0.1, 0.4),)],
        dx=lambda g: np.zeros_like(g),
    )(forward)


_EXAMPLE = "    >>> from tinygrad_fr import tensor\n    >>> {0}(tensor([-1.7, 2.5]))\n    tensor([{1}, {2}])\n    "
floor = _step("floor", "⌊·⌋", r"\lfloor {x} \rfloor", np.floor, "The whole number below.",
              _EXAMPLE.format("floor", "-2.", " 2."))  # fmt: skip
ceil = _step("ceil", "⌈·⌉", r"\lceil {x} \rceil", np.ceil, "The whole number above.", _EXAMPLE.format("ceil", "-1.", " 3."))
trunc = _step("trunc", "trunc", r"\operatorname{trunc}({x})", np.trunc, "The number without its decimals.",
              _EXAMPLE.format("trunc", "-1.", " 2."))  # fmt: skip


def frac(input: Tensor) -> Tensor:
    """The decimals, x − trunc(x), with the sign of x.

    >>> from tinygrad_fr import tensor
    >>> frac(tensor([-1.5, 2.25]))
    tensor([-0.5000,  0.2500])
    """
    return _sub(input, trunc(input))


_round = _step("round", "round", r"\operatorname{round}({x})", np.rint, "The nearest whole number, halves to the even one.", "")


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals, halves to the even one; its derivative is taken as 0, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> round(tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    if input._array.dtype.kind != "f":
        if decimals:
            raise RuntimeError(f"round with decimals is for floats, and this tensor is {input.dtype}: write `.float()` first")
        return input.clone()
    return _round(input) if decimals == 0 else _div(_round(_mul(input, 10**decimals)), 10**decimals)


# -- answers without a derivative: comparisons, logic, whole-number division -------------------------------------------


def _flat(name: str, symbol: str, latex: str, function: Any, text: str, example: str) -> Callable[..., Tensor]:
    """Declare an operation whose result is not a smooth number, so that no gradient flows through it."""

    def binary(x: Array, other: Array) -> Array:
        return function(x, other)

    def unary(x: Array) -> Array:
        return function(x)

    forward: Callable[..., Array] = binary if "{other}" in latex else unary
    forward.__name__ = forward.__qualname__ = name
    text += " No gradient flows through the answer."
    forward.__doc__ = f"{text}\n\n    >>> from tinygrad_fr import tensor\n    {example}\n    "
    bits = _shifts if name.endswith("shift") else _bits(2 if "{other}" in latex else 1)
    samples = bits if name.startswith("bitwise") else None
    return operation(symbol, latex, broadcasts="{other}" in latex, numpy=[function], quiet=True, samples=samples)(forward)


def _bits(count: int) -> Callable[[Any], Any]:
    return lambda draw: [tuple(make(draw) for _ in range(count)) for make in (_integers, lambda draw: draw.booleans((2, 3)))]


def _integers(draw: Any) -> Any:
    return draw.integers((2, 3), 0, 8)


def _shifts(draw: Any) -> Any:
    return [(_integers(draw), _integers(draw))]


def _comparison(name: str, symbol: str, latex: str, function: Any, answer: str) -> Callable[..., Tensor]:
    return _flat(name, symbol, "{x} " + latex + " {other}", function, f"Whether x {symbol} other, element by element.",
                 f">>> {name}(tensor([1.0, 2.0]), 2)\n    tensor([{answer}])")  # fmt: skip


eq = _comparison("eq", "=", "=", np.equal, "False,  True")
ne = _comparison("ne", "≠", r"\neq", np.not_equal, " True, False")
lt = _comparison("lt", "<", "<", np.less, " True, False")
le = _comparison("le", "≤", r"\leq", np.less_equal, "True, True")
gt = _comparison("gt", ">", ">", np.greater, "False, False")
ge = _comparison("ge", "≥", r"\geq", np.greater_equal, "False,  True")
floor_divide = _flat("floor_divide", "÷", r"\lfloor {x} / {other} \rfloor", np.floor_divide, "The quotient rounded down.",
                     ">>> floor_divide(tensor([7, -7]), 2)\n    tensor([ 3, -4])")  # fmt: skip
logical_and = _flat("logical_and", "∧", r"{x} \land {other}", np.logical_and, "Whether both are true (not zero).",
                    ">>> logical_and(tensor([True, True]), tensor([True, False]))\n    tensor([ True, False])")  # fmt: skip
logical_or = _flat("logical_or", "∨", r"{x} \lor {other}", np.logical_or, "Whether one of the two is true (not zero).",
                   ">>> logical_or(tensor([False, True]), tensor([False, False]))\n    tensor([False,  True])")  # fmt: skip
logical_xor = _flat("logical_xor", "⊻", r"{x} \oplus {other}", np.logical_xor, "Whether exactly one is true (not zero).",
                    ">>> logical_xor(tensor([True, True]), tensor([True, False]))\n    tensor([False,  True])")  # fmt: skip
bitwise_and = _flat("bitwise_and", "&", r"{x} \mathbin{\&} {other}", np.bitwise_and, "The bits that both have.",
                    ">>> bitwise_and(tensor([6]), 3)\n    tensor([2])")  # fmt: skip
bitwise_or = _flat("bitwise_or", "|", r"{x} \mid {other}", np.bitwise_or, "The bits that one of the two has.",
                   ">>> bitwise_or(tensor([6]), 3)\n    tensor([7])")  # fmt: skip
bitwise_xor = _flat("bitwise_xor", "^", r"{x} \oplus {other}", np.bitwise_xor, "The bits that exactly one has.",
                    ">>> bitwise_xor(tensor([6]), 3)\n    tensor([5])")  # fmt: skip
bitwise_left_shift = _flat("bitwise_left_shift", "<<", r"{x} \ll {other}", np.left_shift, "The bits moved left, x 2ⁿ.",
                           ">>> bitwise_left_shift(tensor([3]), 2)\n    tensor([12])")  # fmt: skip
bitwise_right_shift = _flat("bitwise_right_shift", ">>", r"{x} \gg {other}", np.right_shift, "The bits moved right, ⌊x / 2ⁿ⌋.",
                            ">>> bitwise_right_shift(tensor([12]), 2)\n    tensor([3])")  # fmt: skip
logical_not = _flat("logical_not", "¬", r"\lnot {x}", np.logical_not, "Whether the element is zero.",
                    ">>> logical_not(tensor([0.0, 2.0]))\n    tensor([ True, False])")  # fmt: skip
bitwise_not = _flat("bitwise_not", "~", r"\sim {x}", np.invert, "The opposite bits; of booleans, the opposite.",
                    ">>> bitwise_not(tensor([True, False]))\n    tensor([False,  True])")  # fmt: skip
isnan = _flat("isnan", "nan?", r"\operatorname{isnan}({x})", np.isnan, "Whether the element is not a number.",
              ">>> isnan(tensor([1.0, float('nan')]))\n    tensor([False,  True])")  # fmt: skip
isinf = _flat("isinf", "∞?", r"\operatorname{isinf}({x})", np.isinf, "Whether the element is infinite.",
              ">>> isinf(tensor([1.0, float('inf')]))\n    tensor([False,  True])")  # fmt: skip
isfinite = _flat("isfinite", "fin?", r"\operatorname{isfinite}({x})", np.isfinite, "Whether the element is a finite number.",
                 ">>> isfinite(tensor([1.0, float('inf')]))\n    tensor([ True, False])")  # fmt: skip
