"""The elementary functions: exponentials and logarithms, roots, circular and hyperbolic functions, and erf.

Where a derivative can be written with the result (e^x, √x, tanh x), it is: the result is there already.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import operation
from tinygrad_fr.operations.arithmetic import mul, rsub
from tinygrad_fr.tensor import Tensor


@operation("exp", r"e^{x}", floats=True, quiet=True, numpy=[np.exp], dx=lambda g, y: g * y)
def exp(x: Array) -> Array:
    """The exponential, y = eˣ; it is its own derivative, ∂E/∂x = ∂E/∂y · y.

    >>> from tinygrad_fr import tensor
    >>> exp(tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return np.exp(x)


@operation("exp2", r"2^{x}", floats=True, quiet=True, numpy=[np.exp2], dx=lambda g, y: g * y * math.log(2))
def exp2(x: Array) -> Array:
    """Two to the power x; ∂E/∂x = ∂E/∂y · y ln 2.

    >>> from tinygrad_fr import tensor
    >>> exp2(tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return np.exp2(x)


@operation("expm1", r"e^{x} - 1", floats=True, quiet=True, numpy=[np.expm1], dx=lambda g, y: g * (y + 1))
def expm1(x: Array) -> Array:
    """eˣ − 1, exact near 0 where eˣ would round to 1; ∂E/∂x = ∂E/∂y (y + 1).

    >>> from tinygrad_fr import tensor
    >>> expm1(tensor([0.0, 1.0]))
    tensor([0.0000, 1.7183])
    """
    return np.expm1(x)


@operation("log", r"\log {x}", domain=(0.2, 3.0), floats=True, quiet=True, numpy=[np.log], dx=lambda g, x: g / x)
def log(x: Array) -> Array:
    """The natural logarithm; ∂E/∂x = ∂E/∂y / x. It is −∞ at 0 and NaN below, without a warning, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> log(tensor([1.0, 0.0]))
    tensor([0., -inf])
    """
    return np.log(x)


@operation(
    "log2", r"\log_2 {x}", domain=(0.2, 3.0), floats=True, quiet=True, numpy=[np.log2], dx=lambda g, x: g / (x * math.log(2))
)
def log2(x: Array) -> Array:
    """The logarithm to base 2; ∂E/∂x = ∂E/∂y / (x ln 2).

    >>> from tinygrad_fr import tensor
    >>> log2(tensor([8.0]))
    tensor([3.])
    """
    return np.log2(x)


@operation(
    "log10",
    r"\log_{10} {x}",
    domain=(0.2, 3.0),
    floats=True,
    quiet=True,
    numpy=[np.log10],
    dx=lambda g, x: g / (x * math.log(10)),
)
def log10(x: Array) -> Array:
    """The logarithm to base 10; ∂E/∂x = ∂E/∂y / (x ln 10).

    >>> from tinygrad_fr import tensor
    >>> log10(tensor([1.0, 100.0])).round(decimals=4)
    tensor([0., 2.])
    """
    return np.log10(x)


@operation(
    "log1p", r"\log(1 + {x})", domain=(-0.8, 3.0), floats=True, quiet=True, numpy=[np.log1p], dx=lambda g, x: g / (1 + x)
)
def log1p(x: Array) -> Array:
    """log(1 + x), exact near 0; ∂E/∂x = ∂E/∂y / (1 + x).

    >>> from tinygrad_fr import tensor
    >>> log1p(tensor([0.0, 1.0]))
    tensor([0.0000, 0.6931])
    """
    return np.log1p(x)


@operation("√", r"\sqrt{x}", domain=(0.2, 3.0), floats=True, quiet=True, numpy=[np.sqrt], dx=lambda g, y: g / (2 * y))
def sqrt(x: Array) -> Array:
    """The square root; ∂E/∂x = ∂E/∂y / (2y), infinite at 0 as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> sqrt(tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return np.sqrt(x)


@operation(
    "1/√", r"\frac{1}{\sqrt{x}}", domain=(0.2, 3.0), floats=True, quiet=True, dx=lambda g, x, y: -0.5 * g * y / x
)
def rsqrt(x: Array) -> Array:
    """The inverse of the square root, y = x^(−1/2); ∂E/∂x = −½ ∂E/∂y · y / x.

    >>> from tinygrad_fr import tensor
    >>> rsqrt(tensor([4.0]))
    tensor([0.5000])
    """
    return 1 / np.sqrt(x)


@operation("sin", r"\sin {x}", floats=True, quiet=True, numpy=[np.sin], dx=lambda g, x: g * np.cos(x))
def sin(x: Array) -> Array:
    """The sine of an angle in radians; ∂E/∂x = ∂E/∂y · cos x.

    >>> from tinygrad_fr import tensor
    >>> sin(tensor([0.0]))
    tensor([0.])
    """
    return np.sin(x)


@operation("cos", r"\cos {x}", floats=True, quiet=True, numpy=[np.cos], dx=lambda g, x: -g * np.sin(x))
def cos(x: Array) -> Array:
    """The cosine of an angle in radians; ∂E/∂x = −∂E/∂y · sin x.

    >>> from tinygrad_fr import tensor
    >>> cos(tensor([0.0]))
    tensor([1.])
    """
    return np.cos(x)


@operation("tan", r"\tan {x}", domain=(-1.0, 1.0), floats=True, quiet=True, numpy=[np.tan], dx=lambda g, y: g * (1 + y * y))
def tan(x: Array) -> Array:
    """The tangent of an angle in radians; ∂E/∂x = ∂E/∂y (1 + y²).

    >>> from tinygrad_fr import tensor
    >>> tan(tensor([0.0]))
    tensor([0.])
    """
    return np.tan(x)


@operation(
    "arcsin", r"\arcsin {x}", domain=(-0.8, 0.8), floats=True, quiet=True, numpy=[np.arcsin],
    dx=lambda g, x: g / np.sqrt(1 - x * x),
)  # fmt: skip
def asin(x: Array) -> Array:
    """The angle, in radians, whose sine is x; ∂E/∂x = ∂E/∂y / √(1 − x²). NaN outside [−1, 1].

    >>> from tinygrad_fr import tensor
    >>> asin(tensor([1.0]))
    tensor([1.5708])
    """
    return np.arcsin(x)


@operation(
    "arccos", r"\arccos {x}", domain=(-0.8, 0.8), floats=True, quiet=True, numpy=[np.arccos],
    dx=lambda g, x: -g / np.sqrt(1 - x * x),
)  # fmt: skip
def acos(x: Array) -> Array:
    """The angle, in radians, whose cosine is x; ∂E/∂x = −∂E/∂y / √(1 − x²). NaN outside [−1, 1].

    >>> from tinygrad_fr import tensor
    >>> acos(tensor([1.0]))
    tensor([0.])
    """
    return np.arccos(x)


@operation("arctan", r"\arctan {x}", floats=True, quiet=True, numpy=[np.arctan], dx=lambda g, x: g / (1 + x * x))
def atan(x: Array) -> Array:
    """The angle, in radians, whose tangent is x; ∂E/∂x = ∂E/∂y / (1 + x²).

    >>> from tinygrad_fr import tensor
    >>> atan(tensor([1.0]))
    tensor([0.7854])
    """
    return np.arctan(x)


@operation("sinh", r"\sinh {x}", floats=True, quiet=True, numpy=[np.sinh], dx=lambda g, x: g * np.cosh(x))
def sinh(x: Array) -> Array:
    """The hyperbolic sine, (eˣ − e⁻ˣ) / 2; ∂E/∂x = ∂E/∂y · cosh x.

    >>> from tinygrad_fr import tensor
    >>> sinh(tensor([1.0]))
    tensor([1.1752])
    """
    return np.sinh(x)


@operation("cosh", r"\cosh {x}", floats=True, quiet=True, numpy=[np.cosh], dx=lambda g, x: g * np.sinh(x))
def cosh(x: Array) -> Array:
    """The hyperbolic cosine, (eˣ + e⁻ˣ) / 2; ∂E/∂x = ∂E/∂y · sinh x.

    >>> from tinygrad_fr import tensor
    >>> cosh(tensor([0.0]))
    tensor([1.])
    """
    return np.cosh(x)


@operation(
    "tanh",
    r"\tanh({x})",
    floats=True,
    numpy=[np.tanh],
    kernel=np.tanh,
    dx=lambda g, y: g * (1 - y * y),  # tanh′ = 1 − tanh²   S0, S1
    kernel_dx=lambda g, y: g - g * y * y,  # a Python 1 costs NumPy as much as another product
)
def tanh(x: Array) -> Array:
    """The hyperbolic tangent, between −1 and 1; ∂E/∂x = ∂E/∂y (1 − y²) (S0, S1).

    >>> from tinygrad_fr import tensor
    >>> tanh(tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return np.tanh(x)


@operation(
    "arsinh", r"\operatorname{arsinh} {x}", floats=True, quiet=True, numpy=[np.arcsinh],
    dx=lambda g, x: g / np.sqrt(1 + x * x),
)  # fmt: skip
def asinh(x: Array) -> Array:
    """The inverse of sinh; ∂E/∂x = ∂E/∂y / √(1 + x²).

    >>> from tinygrad_fr import tensor
    >>> asinh(tensor([1.0]))
    tensor([0.8814])
    """
    return np.arcsinh(x)


@operation(
    "arcosh", r"\operatorname{arcosh} {x}", domain=(1.3, 3.0), floats=True, quiet=True, numpy=[np.arccosh],
    dx=lambda g, x: g / np.sqrt(x * x - 1),
)  # fmt: skip
def acosh(x: Array) -> Array:
    """The inverse of cosh, for x ≥ 1; ∂E/∂x = ∂E/∂y / √(x² − 1).

    >>> from tinygrad_fr import tensor
    >>> acosh(tensor([1.0]))
    tensor([0.])
    """
    return np.arccosh(x)


@operation(
    "artanh", r"\operatorname{artanh} {x}", domain=(-0.8, 0.8), floats=True, quiet=True, numpy=[np.arctanh],
    dx=lambda g, x: g / (1 - x * x),
)  # fmt: skip
def atanh(x: Array) -> Array:
    """The inverse of tanh, for −1 < x < 1; ∂E/∂x = ∂E/∂y / (1 − x²).

    >>> from tinygrad_fr import tensor
    >>> atanh(tensor([0.5]))
    tensor([0.5493])
    """
    return np.arctanh(x)


def _squared_distance(x: Any, other: Any) -> Any:
    """x² + other², or 1 at the origin, where the gradient of the angle is taken as 0 (PyTorch's convention)."""
    d = x * x + other * other
    return np.where(d == 0, 1, d)


@operation(
    "atan2",
    r"\operatorname{atan2}({x}, {other})",
    broadcasts=True,
    floats=True,
    quiet=True,
    numpy=[np.arctan2],
    samples=lambda draw: [(draw.uniform((2, 3), -2, 2), draw.uniform((2, 3), 0.5, 2))],
    dx=lambda g, x, other: g * other / _squared_distance(x, other),
    dother=lambda g, x, other: -g * x / _squared_distance(x, other),
)
def atan2(x: Array, other: Array) -> Array:
    """The angle, in radians, of the point (other, x), between −π and π; its gradient at the origin is taken as 0.

    >>> from tinygrad_fr import tensor
    >>> atan2(tensor([1.0]), tensor([-1.0]))
    tensor([2.3562])
    """
    return np.arctan2(x, other)


@functools.cache
def _erf_series() -> tuple[list[float], list[float]]:
    """Chebyshev coefficients of erf(√s)/√s on 0 ≤ s ≤ 1 and of e^{x²} erfc(x) on 1 ≤ x ≤ 6, from Python's own erf."""
    from numpy.polynomial.chebyshev import chebinterpolate

    near = np.vectorize(lambda t: math.erf(math.sqrt((t + 1) / 2)) / math.sqrt((t + 1) / 2))
    far = np.vectorize(lambda t: math.exp((2.5 * t + 3.5) ** 2) * math.erfc(2.5 * t + 3.5))
    return chebinterpolate(near, 14).tolist(), chebinterpolate(far, 30).tolist()


def _clenshaw(coefficients: list[float], t: Array) -> Array:
    """The sum of cₖ Tₖ(t), for t in [−1, 1]."""
    ahead: Any = 0.0
    here: Any = 0.0
    for c in coefficients[:0:-1]:
        here, ahead = 2 * t * here - ahead + c, here
    return t * here - ahead + coefficients[0]


@operation(
    "erf", r"\operatorname{erf}({x})", floats=True, dx=lambda g, x: g * (2 / math.sqrt(math.pi)) * np.exp(-(x * x)),
    quiet=True,
)  # fmt: skip
def erf(x: Array) -> Array:
    """The error function, 2/√π ∫₀ˣ e^{−t²} dt, to rounding; ∂E/∂x = ∂E/∂y · 2/√π · e^{−x²}.

    NumPy has no erf. Near 0 it is x times a polynomial in x²; further out, 1 minus a polynomial times e^{−x²}.

    >>> from tinygrad_fr import tensor
    >>> erf(tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    near, far = _erf_series()
    size = np.minimum(np.abs(x), 6.0)  # erf is 1 to the last digit from 6 on
    small, large = np.minimum(size, 1.0), np.maximum(size, 1.0)
    inner = small * _clenshaw(near, 2 * small * small - 1)
    outer = 1 - np.exp(-large * large) * _clenshaw(far, (large - 3.5) / 2.5)
    return np.sign(x) * np.where(size < 1, inner, outer)


def erfc(input: Tensor) -> Tensor:
    """The complement of erf, 1 − erf(x).

    >>> from tinygrad_fr import tensor
    >>> erfc(tensor([0.0]))
    tensor([1.])
    """
    return rsub(erf(input), 1)


def deg2rad(input: Tensor) -> Tensor:
    """Degrees to radians, x π / 180.

    >>> from tinygrad_fr import tensor
    >>> deg2rad(tensor([180.0]))
    tensor([3.1416])
    """
    return mul(input, math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    """Radians to degrees, x · 180 / π.

    >>> from tinygrad_fr import tensor
    >>> rad2deg(tensor([3.14159265]))
    tensor([180.])
    """
    return mul(input, 180 / math.pi)
