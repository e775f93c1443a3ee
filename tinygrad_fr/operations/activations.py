"""Activation functions: what a neuron does to its weighted sum.

Every one is computed so that nothing overflows, and its derivative at a kink is PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements, operation
from tinygrad_fr.operations.arithmetic import abs, add, div, maximum, minimum, mul
from tinygrad_fr.operations.casting import clone
from tinygrad_fr.operations.elementary import erf, tanh
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.values import get_default_dtype


def _sigmoid_dx_kernel(g: Array, y: Array) -> Array:
    """g y (1 − y) as (g y) − (g y) y."""
    t = g * y
    return t - t * y


@operation(
    "σ",
    r"\sigma({x})",
    domain=(-6.0, 6.0),
    floats=True,
    dx=lambda g, y: g * y * (1 - y),  # σ′ = σ (1 − σ)   S1, S2, S4
    kernel_dx=_sigmoid_dx_kernel,
)
def sigmoid(x: Array) -> Array:
    """The logistic function, σ(x) = 1 / (1 + e⁻ˣ), between 0 and 1; ∂E/∂x = ∂E/∂y · y (1 − y) (S1, S2, S3, S4).

    It is computed from e^{−|x|}, which cannot overflow.

    >>> from tinygrad_fr import tensor
    >>> sigmoid(tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


@operation(
    "log σ",
    r"\log \sigma({x})",
    domain=(-6.0, 6.0),
    floats=True,
    dx=lambda g, x: g * (0.5 - 0.5 * np.tanh(0.5 * x)),  # (log σ)′ = 1 − σ = (1 − tanh(x/2)) / 2
)
def logsigmoid(x: Array) -> Array:
    """The logarithm of the logistic function, computed as min(x, 0) − log(1 + e^{−|x|}).

    >>> from tinygrad_fr import tensor
    >>> logsigmoid(tensor([-1000.0, 0.0]))
    tensor([-1.0000e+03, -6.9315e-01])
    """
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def _relu_dx_kernel(g: Array, y: Array) -> Array:
    """g where the unit is on, by a mask of bits (−1 has them all): several times faster than np.where on random signs.

    A product with 0 and 1 would make NaN of an infinite g, and needs more memory.
    """
    if g.size < 1024 or g.dtype not in _BITS:  # float16's maximum may be −0, which has a bit set
        return np.where(y <= 0, 0, g)
    mask: Array = np.negative(y.view(_BITS[g.dtype]))  # as integers: y > 0 turns negative, y = 0 stays 0
    np.right_shift(mask, 8 * mask.itemsize - 1, mask)  # the sign bit everywhere: −1 or 0
    np.bitwise_and(mask, g.view(mask.dtype), mask)
    return mask.view(g.dtype)


@operation(
    "ReLU",
    r"\operatorname{ReLU}({x})",
    kinks=(0.0,),
    kernel=lambda x: np.maximum(x, 0),
    dx=lambda g, y: np.where(y <= 0, 0, g),  # 1 where the neuron is on, 0 where it is off, 0 at the kink   S1
    kernel_dx=_relu_dx_kernel,
)
def relu(x: Array) -> Array:
    """The rectifier, max(0, x); its derivative is 1 where x > 0 and 0 elsewhere, the kink included (S1).

    >>> from tinygrad_fr import tensor
    >>> relu(tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return np.maximum(x, 0)


@operation(
    "LReLU",
    r"\operatorname{LeakyReLU}({x})",
    kinks=(0.0,),
    floats=True,
    samples=lambda draw: [((draw.uniform((2, 3), 0.1, 2) * [[1, -1, 1], [-1, 1, -1]],), {"negative_slope": 0.01})],
    dx=lambda g, x, *, negative_slope: np.where(x > 0, g, g * negative_slope),
)
def _leaky_relu(x: Array, *, negative_slope: float) -> Array:
    """x where it is positive, negative_slope · x elsewhere."""
    return np.where(x > 0, x, x * negative_slope)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """The rectifier that never dies: x if x > 0, negative_slope · x otherwise; at 0 the slope is the negative one (S1).

    >>> from tinygrad_fr import tensor
    >>> leaky_relu(tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    if inplace:
        return into(leaky_relu, input, negative_slope)
    return _leaky_relu(input, negative_slope=float(negative_slope))


@operation(
    "ELU",
    r"\operatorname{ELU}({x})",
    kinks=(0.0,),
    floats=True,
    samples=lambda draw: [((draw.uniform((2, 3), 0.1, 2) * [[1, -1, 1], [-1, 1, -1]],), {"alpha": a}) for a in (1.0, 0.5)],
    dx=lambda g, x, y, *, alpha: np.where(x > 0, g, g * (y + alpha)),  # α eˣ = y + α
)
def _elu(x: Array, *, alpha: float) -> Array:
    """x where it is positive, α (eˣ − 1) elsewhere."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Exponential linear unit: x if x > 0, α (eˣ − 1) otherwise; at 0 the slope is α.

    >>> from tinygrad_fr import tensor
    >>> elu(tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return into(elu, input, alpha) if inplace else _elu(input, alpha=float(alpha))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, x Φ(x) with Φ the normal distribution; approximate="tanh" is the faster formula.

    Raises:
        RuntimeError: for another approximation.

    >>> from tinygrad_fr import tensor
    >>> gelu(tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    if approximate == "none":
        return mul(mul(input, 0.5), add(erf(mul(input, math.sqrt(0.5))), 1))
    if approximate != "tanh":
        raise RuntimeError(f"approximate argument must be either none or tanh, not {approximate!r}")
    inner = mul(mul(input, math.sqrt(2 / math.pi)), add(mul(mul(input, input), 0.044715), 1))
    return mul(mul(input, 0.5), add(tanh(inner), 1))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x), also called swish.

    >>> from tinygrad_fr import tensor
    >>> silu(tensor([-1.0, 1.0]))
    tensor([-0.2689,  0.7311])
    """
    return into(silu, input) if inplace else mul(input, sigmoid(input))


@operation(
    "softplus",
    r"\log(1 + e^{x})",
    floats=True,
    samples=lambda draw: [((draw.uniform((2, 3), -3, 3),), {"threshold": 20.0})],
    dx=lambda g, x, *, threshold: g * np.where(x > threshold, 1, 0.5 + 0.5 * np.tanh(0.5 * x)),  # σ(x), without overflow
)
def _softplus(x: Array, *, threshold: float) -> Array:
    """log(1 + eˣ), and x itself past the threshold."""
    return np.where(x > threshold, x, np.log1p(np.exp(np.minimum(x, threshold))))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """The smooth rectifier, log(1 + e^{βx}) / β; it is x itself where βx > threshold, as in PyTorch.

    >>> from tinygrad_fr import tensor
    >>> softplus(tensor([-1.0, 0.0, 1000.0]))
    tensor([3.1326e-01, 6.9315e-01, 1.0000e+03])
    """
    if beta == 1:
        return _softplus(input, threshold=float(threshold))
    return mul(_softplus(mul(input, beta), threshold=float(threshold)), 1 / beta)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|).

    >>> from tinygrad_fr import tensor
    >>> softsign(tensor([1.0, -3.0]))
    tensor([ 0.5000, -0.7500])
    """
    return div(input, add(abs(input), 1))


@operation(
    "clamp",
    r"\operatorname{clamp}({x})",
    samples=lambda draw: [
        ((draw.uniform((2, 3), -0.8, 0.8),), {"min": -1.0, "max": 1.0}),
        ((draw.uniform((2, 3), 1.1, 2),), {"min": None, "max": 1.0}),
        ((draw.uniform((2, 3), 1.1, 2),), {"min": 1.0, "max": None}),
    ],
    dx=lambda g, x, *, min, max: np.where(_inside(x, min, max), g, 0),
)
def _clamp(x: Array, *, min: float | None, max: float | None) -> Array:
    """x held between two numbers."""
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def _inside(x: Any, low: float | None, high: float | None) -> Any:
    """Where clamp lets x through, the bounds included."""
    if low is None or high is None:
        return x <= high if low is None else x >= low
    return (x >= low) & (x <= high)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Hold the elements between two bounds, numbers or tensors; the gradient passes where x is inside, bounds included.

    Raises:
        RuntimeError: when neither bound is given.

    >>> from tinygrad_fr import tensor
    >>> clamp(tensor([-2.0, 0.5, 3.0]), min=0, max=1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None: write clamp(x, min=0), for instance")
    if input._array.dtype.kind != "f" and (isinstance(min, float) or isinstance(max, float)):
        input = input.to(get_default_dtype())
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        low = input if min is None else maximum(input, min)
        return low if max is None else minimum(low, max)
    return _clamp(input, min=min, max=max)


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Hold the elements above a bound: `clamp(x, min=...)`."""
    return clamp(input, min=min)


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Hold the elements below a bound: `clamp(x, max=...)`."""
    return clamp(input, max=max)


@implements(np.clip)
def _numpy_clip(a: Tensor, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Tensor:
    return clamp(a, a_min if min is None else min, a_max if max is None else max)


def into(function: Callable[..., Tensor], input: Tensor, *args: Any) -> Tensor:
    """The input, overwritten with a function of it; computed from a copy, since formulas keep what they were computed from."""
    from tinygrad_fr.operations.inplace import overwrite

    return overwrite(input, function(clone(input), *args), f"{function.__name__}_")
