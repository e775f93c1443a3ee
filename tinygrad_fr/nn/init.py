"""First values of weights: each function fills a tensor in place, without a gradient, with the numbers PyTorch draws.

A weight of shape (out, in) has fan-in `in`, the number of values that are added up for one output, and fan-out `out`; further
axes, the receptive field of a convolution, multiply both.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from tinygrad_fr.modes import no_grad
from tinygrad_fr.operations.inplace import copy_, fill_, setitem, zero_
from tinygrad_fr.random import Generator, randperm
from tinygrad_fr.random import normal_ as _normal
from tinygrad_fr.random import uniform_ as _uniform
from tinygrad_fr.tensor import Tensor, wrap

_GAINS = {"sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4, "linear": 1} | {
    f"conv{transposed}{n}d": 1 for transposed in ("", "_transpose") for n in (1, 2, 3)
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the size of values through a layer: 1 for a linear one and sigmoid, 5/3 for tanh, √2 for relu.

    For leaky_relu of slope `param` (0.01 if left out) it is √(2 / (1 + slope²)); for selu, 3/4.

    Raises:
        ValueError: for an activation that has none, or a slope that is no number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}: choose among {', '.join(_GAINS)} and leaky_relu.")
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many values are added up for one output, and how many outputs one input takes part in."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions: a weight has shape (out, in), and "
            f"this has {tuple(tensor.shape)}. A bias is filled with `zeros_` or `uniform_`."
        )
    outputs, inputs, *field = tensor.shape
    return inputs * math.prod(field), outputs * math.prod(field)


def _fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers that are uniform in [a, b).

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> uniform_(empty(3), -1, 1)
    tensor([-0.0075,  0.5364, -0.8230])
    """
    with no_grad():
        return _uniform(tensor, a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers, N(mean, std²).

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> normal_(empty(3))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    with no_grad():
        return _normal(tensor, mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers, N(mean, std²), that lie in [a, b]: those outside are drawn again.

    Where more than 3 numbers in 10 fall inside, normal numbers are drawn; where fewer do, uniform ones x are, and one is kept
    with probability exp(−(x − mean)² / 2 std²), divided by its largest value in [a, b].

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> trunc_normal_(empty(4), a=-1, b=1)
    tensor([-0.7193, -0.2934,  0.4033,  0.5684])
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.",
            UserWarning,
            stacklevel=2,
        )
    below = [(1 + math.erf((bound - mean) / std / math.sqrt(2))) / 2 for bound in (a, b)]
    again = wrap(np.empty_like(tensor._array))
    if below[1] - below[0] > 0.3:
        values = normal_(tensor, mean, std, generator)._array
        low, high = tensor.dtype.type(a), tensor.dtype.type(b)
        while np.any(outside := (values < low) | (values > high)):
            np.copyto(values, normal_(again, mean, std, generator)._array, where=outside)
        return tensor
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    values = drawn = uniform_(tensor, a, b, generator)._array
    pending, chance = np.ones(values.shape, bool), wrap(np.empty_like(values))
    while True:
        with np.errstate(divide="ignore"):
            log_chance = np.log(uniform_(chance, generator=generator)._array)
        pending &= log_chance > ((drawn - mean) / std) ** 2 * -0.5 - peak
        if not np.any(pending):
            return tensor
        drawn = uniform_(again, a, b, generator)._array
        np.copyto(values, drawn, where=pending)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    >>> from tinygrad_fr import empty
    >>> constant_(empty(2), 0.3)
    tensor([0.3000, 0.3000])
    """
    with no_grad():
        return fill_(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros, as biases usually start."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: a linear layer then passes on as many inputs as it can.

    Raises:
        ValueError: for a tensor that is no matrix.

    >>> from tinygrad_fr import empty
    >>> eye_(empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, and this has shape {tuple(tensor.shape)}")
    with no_grad():
        return copy_(tensor, wrap(np.eye(*tensor.shape, dtype=tensor.dtype)))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution, (out, in, field...), so that channel i passes on unchanged: 1 in the middle of (i, i).

    Raises:
        ValueError: for another number of axes than 3, 4 or 5, or outputs that do not divide into the groups.

    >>> from tinygrad_fr import empty
    >>> dirac_(empty(2, 1, 3))
    tensor([[[0., 1., 0.]],
    <BLANKLINE>
            [[0., 0., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, and this has shape {tuple(tensor.shape)}")
    outputs, inputs, *field = tensor.shape
    if outputs % groups:
        raise ValueError(f"dim 0 must be divisible by groups: {outputs} channels do not make {groups} groups")
    with no_grad():
        zero_(tensor)
        for group in range(groups):
            for channel in range(min(outputs // groups, inputs)):
                setitem(tensor, (group * (outputs // groups) + channel, channel, *(n // 2 for n in field)), 1)
    return tensor


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers that are uniform in [−a, a), a = gain · √(6 / (fan-in + fan-out)) (Glorot and Bengio, 2010).

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> xavier_uniform_(empty(1, 5))
    tensor([[-0.0075,  0.5364, -0.8230, -0.7359, -0.3852]])
    """
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    a = math.sqrt(3.0) * std  # a uniform distribution of that standard deviation
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of standard deviation gain · √(2 / (fan-in + fan-out)) (Glorot and Bengio, 2010).

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> xavier_normal_(empty(1, 7))
    tensor([[ 0.7705, -0.1467, -1.0894,  0.2842, -0.5423, -0.6993,  0.2017]])
    """
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """gain / √fan; None, with a warning, for a tensor without elements."""
    if tensor.numel() == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with numbers that are uniform in [−bound, bound), bound = gain · √(3 / fan) (He et al., 2015).

    Args:
        a: the slope of the leaky_relu that follows, 0 for relu.
        mode: "fan_in" keeps the size of values on the way forward, "fan_out" that of gradients on the way back.
        nonlinearity: the activation that follows, for its gain.

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> kaiming_uniform_(empty(1, 6), nonlinearity="relu")
    tensor([[-0.0075,  0.5364, -0.8230, -0.7359, -0.3852,  0.2682]])
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std  # a uniform distribution of that standard deviation
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal numbers of standard deviation gain / √fan (He et al., 2015); arguments as for `kaiming_uniform_`.

    >>> from tinygrad_fr import empty, manual_seed
    >>> _ = manual_seed(0)
    >>> kaiming_normal_(empty(1, 8), nonlinearity="relu")
    tensor([[ 0.7705, -0.1467, -1.0894,  0.2842, -0.5423, -0.6993,  0.2017,  0.4190]])
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix whose rows (or columns, if there are fewer) are orthogonal and of length `gain` (Saxe et al., 2014).

    It is the Q of the QR factorisation of normal numbers, its columns multiplied by the signs of R's diagonal; axes after the
    first count as one.

    Raises:
        ValueError: for a tensor with fewer than two axes.

    >>> from tinygrad_fr import empty
    >>> w = orthogonal_(empty(2, 3))
    >>> (w @ w.T).round(decimals=3).abs()
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, and this has shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    drawn = normal_(wrap(np.empty((rows, tensor.numel() // rows), tensor.dtype)), generator=generator)._array
    wide = rows < drawn.shape[1]
    q, r = np.linalg.qr(drawn.T if wide else drawn)
    q *= np.sign(np.diagonal(r))
    with no_grad():
        return copy_(tensor, wrap(((q.T if wide else q) * gain).reshape(tensor.shape)))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with normal numbers, N(0, std²), and set the share `sparsity` of each column to zero (Martens, 2010).

    As in PyTorch, `generator` draws the numbers, and the default generator the places of the zeros.

    Raises:
        ValueError: for a tensor that is no matrix.

    >>> from tinygrad_fr import empty
    >>> (sparse_(empty(4, 3), sparsity=0.5) == 0).sum(0)
    tensor([2, 2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, and this has shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    with no_grad():
        normal_(tensor, 0.0, std, generator)
        for column in range(columns):
            setitem(tensor, (randperm(rows)[: math.ceil(sparsity * rows)], column), 0)
    return tensor
