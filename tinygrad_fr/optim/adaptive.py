"""Optimisers that keep statistics of each gradient and give every element a step of its own size: Adam and its kin."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from tinygrad_fr.node import Array, last, tick
from tinygrad_fr.optim.optimizer import Formula, Params, as_number, in_blocks, with_grad
from tinygrad_fr.tensor import Tensor, own_array, shared_memory, wrap
from tinygrad_fr.values import get_default_dtype

# -- the formulas ------------------------------------------------------------------------------------------------------


def _decayed(w: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """The gradient to descend along: g, or −g where the aim is a maximum, plus λ w."""
    if maximize:
        g = -g
    return g + weight_decay * w if weight_decay != 0 else g


def _towards(a: Array, b: Array, weight: float) -> Array:
    """a + weight · (b − a), the moving average, in place; reckoned from the nearer end, as PyTorch does."""
    if hasattr(weight, "to_number") or weight < 0.5:  # recorded, it may be either: the two differ by rounding
        a += weight * (b - a)
    else:
        a -= b
        a *= 1 - weight
        a += b
    return a


def _larger(a: Array, b: Array) -> Array:
    """The larger of the two, element by element, in place of a."""
    return np.maximum(a, b, out=a) if isinstance(a, np.ndarray) else np.maximum(a, b)


def adam(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    largest: Array | None = None,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0,
    decoupled_weight_decay: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array, Array, Array | None]:
    """Step number t of Adam on arrays, in place where they can be written; (w, m, v, largest) is returned.

        g ← g + λ w                 Adam's weight decay; AdamW's is w ← w − η λ w instead
        m ← β₁ m + (1 − β₁) g       the mean of the gradients
        v ← β₂ v + (1 − β₂) g²      the mean of their squares
        m̂ = m / (1 − β₁ᵗ)           both began with 0: without this the first means would be too small
        v̂ = v / (1 − β₂ᵗ)           with amsgrad, the largest v so far in the place of v
        w ← w − η m̂ / (√v̂ + ε)

    >>> import numpy as np
    >>> w, m, v, _ = adam(np.ones(2), np.array([5.0, -0.1]), np.zeros(2), np.zeros(2), t=1, lr=0.1, betas=(0.9, 0.99), eps=0)
    >>> w  # the first step is η, whatever the size of the gradient
    array([0.9, 1.1])
    """
    beta1, beta2 = betas
    if decoupled_weight_decay and weight_decay != 0:
        w *= 1 - lr * weight_decay
        weight_decay = 0
    g = _decayed(w, g, weight_decay, maximize)
    m = _towards(m, g, 1 - beta1)
    v *= beta2
    v += (1 - beta2) * g * g
    if largest is not None:
        largest = _larger(largest, v)
    deviation = np.sqrt(v if largest is None else largest) / (1 - beta2**t) ** 0.5 + eps
    w -= lr / (1 - beta1**t) * m / deviation
    return w, m, v, largest


def rmsprop(
    w: Array,
    g: Array,
    v: Array,
    b: Array | None = None,
    m: Array | None = None,
    *,
    t: float,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float = 0,
    momentum: float = 0,
    maximize: bool = False,
) -> tuple[Array, Array, Array | None, Array | None]:
    """One step of RMSprop on arrays, in place where they can be written; (w, v, b, m) is returned.

        g ← g + λ w
        v ← α v + (1 − α) g²        the mean of the squares
        m ← α m + (1 − α) g         centered only: then v − m², the variance, in the place of v
        b ← μ b + g / (√v + ε)      b is 0 before, when there is no momentum μ
        w ← w − η b

    >>> import numpy as np
    >>> rmsprop(np.ones(1), np.array([4.0]), np.zeros(1), t=1, lr=0.1, alpha=0.75, eps=0)[:2]
    (array([0.8]), array([4.]))
    """
    g = _decayed(w, g, weight_decay, maximize)
    v *= alpha
    v += (1 - alpha) * g * g
    if m is None:
        deviation = np.sqrt(v) + eps
    else:
        m = _towards(m, g, 1 - alpha)
        deviation = np.sqrt(v - m * m) + eps
    if b is None:
        w -= lr * g / deviation
    else:
        b *= momentum
        b += g / deviation
        w -= lr * b
    return w, v, b, m


def adagrad(
    w: Array,
    g: Array,
    s: Array,
    *,
    t: float,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float = 0,
    maximize: bool = False,
) -> tuple[Array, Array]:
    """Step number t of Adagrad on arrays, in place where they can be written; (w, s) is returned.

        g ← g + λ w
        s ← s + g²                              the sum of all squares: steps grow shorter and shorter
        w ← w − η / (1 + (t − 1) δ) · g / (√s + ε)          δ is lr_decay

    >>> import numpy as np
    >>> adagrad(np.ones(1), np.array([3.0]), np.array([16.0]), t=1, lr=0.5, lr_decay=0, eps=0)
    (array([0.7]), array([25.]))
    """
    g = _decayed(w, g, weight_decay, maximize)
    s += g * g
    w -= lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(s) + eps)
    return w, s


def adadelta(
    w: Array,
    g: Array,
    v: Array,
    u: Array,
    *,
    t: float,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float = 0,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """One step of Adadelta on arrays, in place where they can be written; (w, v, u) is returned.

        g ← g + λ w
        v ← ρ v + (1 − ρ) g²        the mean of the squares of the gradients
        δ = √(u + ε) / √(v + ε) · g
        u ← ρ u + (1 − ρ) δ²        the mean of the squares of the steps
        w ← w − η δ

    >>> import numpy as np
    >>> adadelta(np.ones(1), np.array([1.0]), np.zeros(1), np.zeros(1), t=1, lr=1, rho=0.75, eps=0.25)[0]
    array([0.29289322])
    """
    g = _decayed(w, g, weight_decay, maximize)
    v *= rho
    v += (1 - rho) * g * g
    delta = np.sqrt(u + eps) / np.sqrt(v + eps) * g
    u *= rho
    u += (1 - rho) * delta * delta
    w -= lr * delta
    return w, v, u


def adamax(
    w: Array,
    g: Array,
    m: Array,
    u: Array,
    *,
    t: float,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float = 0,
    maximize: bool = False,
) -> tuple[Array, Array, Array]:
    """Step number t of Adamax on arrays, in place where they can be written; (w, m, u) is returned.

        g ← g + λ w
        m ← β₁ m + (1 − β₁) g
        u ← max(β₂ u, |g| + ε)      the largest gradient, slowly forgotten
        w ← w − η / (1 − β₁ᵗ) · m / u

    >>> import numpy as np
    >>> adamax(np.ones(1), np.array([4.0]), np.zeros(1), np.zeros(1), t=1, lr=0.5, betas=(0.75, 0.9), eps=0)[0]
    array([0.5])
    """
    beta1, beta2 = betas
    g = _decayed(w, g, weight_decay, maximize)
    m = _towards(m, g, 1 - beta1)
    u *= beta2
    u = _larger(u, np.abs(g) + eps)
    w -= lr / (1 - beta1**t) * m / u
    return w, m, u


# -- the classes that keep their state -----------------------------------------------------------------------------------


class _Adaptive(Formula):
    """An optimiser that runs one of the formulas above: a subclass names the formula and the arrays that are kept for it."""

    _formula: Callable[..., tuple[Array, ...]]

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        """The names of the arrays that the formula keeps, in its order; None for one that the options do without."""
        raise NotImplementedError

    def _state_of(self, p: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        """The state of a parameter; what is not there yet begins now."""
        state = self.state[p]
        if not isinstance(state.get("step"), Tensor):  # PyTorch once kept the number of the step as a Python number
            dtype = np.float64 if get_default_dtype() == np.float64 else np.float32
            state["step"] = wrap(np.array(state.get("step", 0), dtype))
        for name in self._kept(group):
            if name is not None and name not in state:
                state[name] = wrap(np.full_like(p._array, group.get("initial_accumulator_value", 0)))
        return state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the closure's loss, if one is given, is returned."""
        loss = None if closure is None else with_grad(closure)
        self._ready()
        stamp = last.write = tick()
        for group in self.param_groups:
            names = self._kept(group)
            options = {name: _plain(group[name]) for name in _options(self._formula)}
            update, now = self._formula, 0.0
            for p in group["params"]:
                node = p._node
                if node is None or node.grad is None:
                    continue
                state = self._state_of(p, group)
                t = as_number(state["step"]._array) + 1
                if type(t) is not float or t != now:
                    now, update = t, partial(self._formula, t=t, **options)
                kept = [None if name is None else state[name] for name in names]
                before = (None if buffer is None else buffer._array for buffer in kept)
                p._array, *after = in_blocks(update, p._array, node.grad._array, *before)
                for buffer, array in zip(kept, after, strict=True):
                    if buffer is not None:
                        buffer._array = array
                own_array(state["step"])[...] = t
                memory = node.memory
                if memory is None:
                    memory = shared_memory(p)
                memory.written = stamp
        return loss


@cache
def _options(formula: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a formula's keyword arguments: each is an option of the group, but for the number of the step."""
    code = formula.__code__
    return tuple(name for name in code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount] if name != "t")


def _plain(option: Any) -> Any:
    """An option as a Python number: unlike a NumPy scalar, it leaves float32 what it is."""
    if isinstance(option, (tuple, list)):
        return tuple(map(as_number, option))
    return option if isinstance(option, bool) else as_number(option)


class Adam(_Adaptive):
    """Adam (Kingma and Ba, 2015): a step of about η for every element, along the mean of its gradients over their size.

    The formula is `adam`.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: the learning rate η.
        betas: β₁ and β₂, how much of the mean of the gradients and of their squares stays at each step.
        eps: ε, which keeps the quotient finite.
        weight_decay: λ, which adds λ w to the gradient.
        amsgrad: divide by the largest mean of squares so far (Reddi et al., 2018).
        maximize: climb instead of descending.
        decoupled_weight_decay: shrink the parameter itself instead, as `AdamW` does.
        foreach, fused, capturable: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for an option out of its range.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * tensor([100.0, -0.01])).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 2.1000], requires_grad=True)
    """

    _formula = staticmethod(adam)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "exp_avg", "exp_avg_sq", "max_exp_avg_sq" if group["amsgrad"] else None


class AdamW(Adam):
    """Adam whose weight decay is apart from the gradient: w ← w − η λ w, then Adam's step (Loshchilov and Hutter, 2019).

    Arguments are those of `Adam`; `weight_decay` is 0.01 here when nothing is said.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> w.grad = tensor([0.0])
    >>> AdamW([w], lr=0.1, weight_decay=0.5).step()
    >>> w
    tensor([0.9500], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


class RMSprop(_Adaptive):
    """RMSprop (Hinton, 2012): the gradient divided by the root of the mean of its squares.

    The formula is `rmsprop`.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: the learning rate η.
        alpha: α, how much of the mean of the squares stays at each step.
        eps: ε, which keeps the quotient finite.
        weight_decay: λ, which adds λ w to the gradient.
        momentum: μ, the part of the last step that is made again.
        centered: divide by the standard deviation of the gradient (Graves, 2013).
        maximize: climb instead of descending.
        capturable, foreach: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for an option out of its range.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> w.grad = tensor([4.0])
    >>> RMSprop([w], lr=0.1, alpha=0.75).step()  # 0.1 · 4 / √(0.25 · 4²)
    >>> w
    tensor([0.8000], requires_grad=True)
    """

    _formula = staticmethod(rmsprop)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered, "weight_decay": weight_decay,
            "capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "square_avg", "momentum_buffer" if group["momentum"] > 0 else None, "grad_avg" if group["centered"] else None


class Adagrad(_Adaptive):
    """Adagrad (Duchi et al., 2011): the gradient divided by the root of the sum of all its squares.

    The formula is `adagrad`.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: the learning rate η.
        lr_decay: δ, which shortens the steps further.
        weight_decay: λ, which adds λ w to the gradient.
        initial_accumulator_value: what the sum begins with.
        eps: ε, which keeps the quotient finite.
        maximize: climb instead of descending.
        foreach, fused: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for an option out of its range.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> w.grad = tensor([3.0])
    >>> Adagrad([w], lr=0.5, initial_accumulator_value=16).step()  # 0.5 · 3 / √(16 + 3²)
    >>> w
    tensor([0.7000], requires_grad=True)
    """

    _formula = staticmethod(adagrad)

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self._state_of(p, group)  # the sums are there before the first step, as in PyTorch

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("sum",)


class Adadelta(_Adaptive):
    """Adadelta (Zeiler, 2012): steps as large as the last ones were, whatever the unit of the gradient.

    The formula is `adadelta`.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: η, a factor on the step.
        rho: ρ, how much of the means of squares stays at each step.
        eps: ε, with which the steps begin.
        weight_decay: λ, which adds λ w to the gradient.
        maximize: climb instead of descending.
        foreach, capturable: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for an option out of its range.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> w.grad = tensor([1.0])
    >>> Adadelta([w], rho=0.75, eps=0.25).step()  # √0.25 / √(0.25 + 0.25) · 1
    >>> w
    tensor([0.2929], requires_grad=True)
    """

    _formula = staticmethod(adadelta)

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize, "capturable": capturable,
            "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "square_avg", "acc_delta"


class Adamax(_Adaptive):
    """Adamax (Kingma and Ba, 2015): Adam that divides by the largest gradient instead of a mean.

    The formula is `adamax`.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: the learning rate η.
        betas: β₁ and β₂, how much of the mean and of the largest gradient stays at each step.
        eps: ε, which keeps the quotient finite.
        weight_decay: λ, which adds λ w to the gradient.
        maximize: climb instead of descending.
        foreach, capturable: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for an option out of its range.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> w.grad = tensor([4.0])
    >>> Adamax([w], lr=0.5).step()
    >>> w
    tensor([0.5000], requires_grad=True)
    """

    _formula = staticmethod(adamax)

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _kept(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return "exp_avg", "exp_inf"
