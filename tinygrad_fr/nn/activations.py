"""Activations as modules, to stand in a `Sequential`: each calls the function of `nn.functional` whose name it bears."""

from __future__ import annotations

from typing import Any

from tinygrad_fr.creation import full
from tinygrad_fr.nn import functional as F
from tinygrad_fr.nn.module import Module
from tinygrad_fr.nn.parameter import Parameter
from tinygrad_fr.operations.activations import sigmoid
from tinygrad_fr.operations.elementary import tanh
from tinygrad_fr.tensor import Tensor


class Activation(Module):
    """What the activations share: options, kept as attributes of the same names and printed between the parentheses.

    Raises:
        TypeError: for a tensor among the options: `nn.ReLU(x)` is meant to be `nn.ReLU()(x)`.
    """

    inplace: bool

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__()
        name = type(self).__name__
        if any(isinstance(value, Tensor) for value in (*given, *options.values())):
            raise TypeError(
                f"nn.{name}(x) makes a layer whose option is x. Make the layer first, `f = nn.{name}()`, then call it, `f(x)`; "
                "or use the function of torch.nn.functional."
            )
        if given:
            raise TypeError(f"{name}.__init__() takes 1 positional argument but {1 + len(given)} were given")
        self._options = tuple(options)
        self.__dict__.update(options)

    def extra_repr(self) -> str:
        values = {name: getattr(self, name) for name in self._options}
        return ", ".join(f"{name}={value!r}" for name, value in values.items() if name != "inplace" or value)


# -- smooth steps ----------------------------------------------------------------------------------------------------------


class Sigmoid(Activation):
    """σ(x) = 1 / (1 + e⁻ˣ), between 0 and 1 (S1)."""

    def forward(self, input: Tensor) -> Tensor:
        return sigmoid(input)


class LogSigmoid(Activation):
    """log σ(x), without underflow."""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Tanh(Activation):
    """The hyperbolic tangent, between −1 and 1 (S0, S1)."""

    def forward(self, input: Tensor) -> Tensor:
        return tanh(input)


class Softsign(Activation):
    """x / (1 + |x|), between −1 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Hardtanh(Activation):
    """x cut at `min_val` and `max_val`."""

    min_val: float
    max_val: float

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)
        if not max_val > min_val:
            raise AssertionError(f"max_val must be larger than min_val, and they are {max_val} and {min_val}")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class Hardsigmoid(Activation):
    """A sigmoid of three straight lines: 0, x/6 + 1/2, 1."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)
        self._options = ()  # PyTorch prints none

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)


# -- rectifiers ------------------------------------------------------------------------------------------------------------


class ReLU(Activation):
    """The rectifier, max(0, x) (S1).

    >>> import tinygrad_fr as torch
    >>> torch.nn.ReLU()(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class ReLU6(Activation):
    """The rectifier cut at 6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


class LeakyReLU(Activation):
    """x where it is positive, `negative_slope` · x elsewhere: it never dies (S1)."""

    negative_slope: float

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(Activation):
    """The leaky rectifier whose slope is learnt: one slope, or one for each channel (axis 1)."""

    num_parameters: int
    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__(num_parameters=num_parameters)
        self.init = init
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def reset_parameters(self) -> None:
        """Set every slope to its first value again."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)


class ELU(Activation):
    """x where it is positive, α (eˣ − 1) elsewhere."""

    alpha: float

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class SELU(Activation):
    """λ · elu(x, α), with the constants that keep mean 0 and variance 1 from layer to layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class CELU(Activation):
    """x where it is positive, α (e^{x/α} − 1) elsewhere."""

    alpha: float

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class GELU(Activation):
    """x Φ(x), with Φ the normal distribution; `approximate="tanh"` is the faster formula."""

    approximate: str

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)


class SiLU(Activation):
    """x σ(x), also called swish."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(Activation):
    """x tanh(softplus(x))."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardswish(Activation):
    """x · hardsigmoid(x)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)
        self._options = ()  # PyTorch prints none

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)


class Softplus(Activation):
    """The smooth rectifier, log(1 + e^{βx}) / β; x itself where βx is above the threshold."""

    beta: float
    threshold: float

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)


# -- what is near 0 becomes 0 ----------------------------------------------------------------------------------------------


class Threshold(Activation):
    """x where it is above the threshold, `value` elsewhere."""

    threshold: float
    value: float

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(threshold=threshold, value=value, inplace=inplace)

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)


class Tanhshrink(Activation):
    """x − tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class _Shrink(Activation):
    lambd: float

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.lambd)


class Softshrink(_Shrink):
    """x brought nearer to 0 by λ (`lambd`), and 0 where |x| ≤ λ."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


class Hardshrink(_Shrink):
    """x, and 0 where |x| ≤ λ (`lambd`)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)


# -- shares of a whole -----------------------------------------------------------------------------------------------------


class _Along(Activation):
    dim: int | None

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class Softmax(_Along):
    """Positive numbers that sum to 1 along `dim` (S1, S4). Before a cross-entropy it is not needed: the loss contains it.

    >>> import tinygrad_fr as torch
    >>> torch.nn.Softmax(dim=1)(torch.tensor([[0.0, 0.0]]))
    tensor([[0.5000, 0.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class LogSoftmax(_Along):
    """The logarithm of softmax."""

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmin(_Along):
    """The softmax of −x."""

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)
