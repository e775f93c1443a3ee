"""Schedulers: they change the learning rate η of an optimiser as training goes on.

A scheduler counts its steps, t = 0, 1, 2, …, and each class is one formula for ηₜ. Where it can, the code follows PyTorch's way
to reckon it, from ηₜ₋₁, so that several schedulers can act on one optimiser: each multiplies what it finds.

>>> import tinygrad_fr as torch
>>> optimizer = torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.8)
>>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
>>> rates = []
>>> for epoch in range(5):
...     rates += scheduler.get_last_lr()
...     optimizer.step()
...     scheduler.step()
>>> rates
[0.8, 0.8, 0.4, 0.4, 0.2]
"""

from __future__ import annotations

import copy
import math
import types
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_fr.optim.optimizer import Optimizer, watch

_EPOCH = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler: it counts by itself."
)


class LRScheduler:
    """The base of all schedulers, and of your own: write `get_lr`, which returns a learning rate for each group.

    Args:
        optimizer: whose `param_groups` get new learning rates.
        last_epoch: t of the last step that was done, when training is resumed; −1 to begin.

    Attributes:
        last_epoch: t.
        base_lrs: η₀ of each group.

    Raises:
        TypeError: when `optimizer` is not one.
        KeyError: when training is resumed and a group does not know its "initial_lr".

    >>> from tinygrad_fr import optim, zeros
    >>> class Harmonic(LRScheduler):
    ...     def get_lr(self):
    ...         return [lr / (1 + self.last_epoch) for lr in self.base_lrs]
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=0.6)
    >>> scheduler = Harmonic(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.3]
    """

    optimizer: Optimizer
    last_epoch: int
    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _checked(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0: "
                    "load the optimizer's state_dict first, or leave last_epoch out to begin."
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        watch(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next t and give each group its learning rate; call it after `optimizer.step()`.

        Args:
            epoch: t itself, PyTorch's old way; it warns.
        """
        if self._step_count == 1 and self.last_epoch >= 0:  # −1 while a sequence takes its first step
            self._check_order()
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._step_count += 1
        try:
            self._update_lr(epoch)
        except BaseException:
            self._step_count -= 1
            raise

    def _check_order(self) -> None:
        """At the first step, warn when the optimizer has made none: the first learning rate would never be used."""
        if not hasattr(self.optimizer.step, "watched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make "
                "sure to call `optimizer.step()` before `lr_scheduler.step()`.",
                UserWarning,
                stacklevel=3,
            )
        elif not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order, "
                "`optimizer.step()` before `lr_scheduler.step()`: otherwise the first value of the schedule is skipped.",
                UserWarning,
                stacklevel=3,
            )

    def _update_lr(self, epoch: int | None = None) -> None:
        """Set t, and the learning rates: by the chained form for the next t, by the closed form for a t that is given."""
        before, closed = self.last_epoch, getattr(self, "_closed", None)
        self._get_lr_called_within_step = True
        try:
            self.last_epoch = before + 1 if epoch is None else epoch
            values = self.get_lr() if epoch is None or closed is None else [closed(base) for base in self.base_lrs]
            if len(values) != len(self.optimizer.param_groups):
                raise ValueError(
                    f"the scheduler has learning rates for {len(values)} parameter groups and the optimizer has "
                    f"{len(self.optimizer.param_groups)}: make the scheduler after the last add_param_group()."
                )
        except BaseException:
            self.last_epoch = before
            raise
        finally:
            self._get_lr_called_within_step = False
        self._set_lr(values)

    def _set_lr(self, values: Sequence[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, values, strict=True):
            group["lr"] = lr
        self._last_lr = list(values)

    def get_lr(self) -> list[float]:
        """The learning rates of the present t, reckoned from the last ones: for `step` alone."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=2,
            )
        pairs = zip(self.optimizer.param_groups, self.base_lrs, strict=False)
        return [self._next(i, group["lr"], base) for i, (group, base) in enumerate(pairs)]

    def _next(self, i: int, lr: float, base: float) -> float:
        """ηₜ of group i, when ηₜ₋₁ is `lr` and η₀ is `base`; at the first step of all, `lr` is what was found there."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr(): write one that returns a list, a rate a group")

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as this scheduler left them."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows, but for the optimizer; PyTorch's has the same keys."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of what `state_dict()` gave, here or in PyTorch; load the optimizer's own state too.

        Raises:
            KeyError: when something is missing: it was another kind of scheduler. This one is then as before.
        """
        mine = self.__dict__.keys() - {"optimizer"}
        missing = sorted(name for name in mine - state_dict.keys() if not name.startswith("_"))
        if missing:
            raise KeyError(f"{', '.join(missing)}: what is loaded is no state of {type(self).__name__}")
        self.__dict__.update({name: copy.deepcopy(value) for name, value in state_dict.items() if name in mine})


_LRScheduler = LRScheduler  # its name in older programs


def _checked(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def _whole(name: str, value: int) -> int:
    """A number of steps that must be 1, 2, 3, …"""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value


def _positive(name: str, value: float) -> float:
    """A number of steps that is divided by."""
    if not value > 0:
        raise ValueError(f"{name} counts steps and must be positive, but got {value}")
    return value


def _for_each_group(name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value for all groups, or a list with one for each."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, param_groups has "
            f"{count}."
        )
    return list(value)


# -- factors -----------------------------------------------------------------------------------------------------------


class _ByFunction(LRScheduler):
    """What LambdaLR and MultiplicativeLR share: a function of t for each group."""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        count = len(_checked(optimizer).param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}: one function for each group")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """What the scheduler knows; of the functions, only the attributes of those that are objects are kept."""
        kept = [None if isinstance(f, types.FunctionType) else dict(getattr(f, "__dict__", {})) for f in self.lr_lambdas]
        return super().state_dict() | {"lr_lambdas": kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, and the attributes of functions that are objects."""
        functions = self.lr_lambdas
        super().load_state_dict(state_dict)
        for function, attributes in zip(functions, state_dict["lr_lambdas"], strict=False):
            if attributes:
                vars(function).update(attributes)
        self.lr_lambdas = functions


class LambdaLR(_ByFunction):
    """ηₜ = η₀ · f(t), with a function f of your own, or a list with one for each group.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=1.0)
    >>> LambdaLR(optimizer, lambda t: 0.5 / (t + 1)).get_last_lr()
    [0.5]
    """

    def _next(self, i: int, lr: float, base: float) -> float:
        return base * self.lr_lambdas[i](self.last_epoch)


class MultiplicativeLR(_ByFunction):
    """ηₜ = ηₜ₋₁ · f(t), with a function f of your own, or a list with one for each group."""

    def _next(self, i: int, lr: float, base: float) -> float:
        return lr if self._is_initial else lr * self.lr_lambdas[i](self.last_epoch)


class StepLR(LRScheduler):
    """ηₜ = η₀ γ^⌊t / s⌋: the learning rate times γ every s steps, s being `step_size`."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = _positive("step_size", step_size)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t = self.last_epoch
        return lr * self.gamma if t and t % self.step_size == 0 else lr

    def _closed(self, base: float) -> float:
        return float(base * self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """ηₜ = η₀ γⁿ, where n is how many of the milestones t has reached.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = MultiStepLR(optimizer, milestones=[2, 3], gamma=0.5)
    >>> rates = []
    >>> for t in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t = self.last_epoch
        return lr * self.gamma ** self.milestones[t] if t in self.milestones else lr

    def _closed(self, base: float) -> float:
        return base * self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(LRScheduler):
    """ηₜ = η₀ · factor while t < `total_iters`, and η₀ from then on."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1, not {factor}.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t = self.last_epoch
        return lr * self.factor if t == 0 else lr * (1 / self.factor) if t == self.total_iters else lr

    def _closed(self, base: float) -> float:
        return base * (self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor))


class LinearLR(LRScheduler):
    """ηₜ = η₀ (a + (b − a) t / T) up to t = T, and η₀ b from then on: a straight warm-up from a to b.

    a is `start_factor`, b `end_factor`, and T `total_iters`.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(
                f"Starting multiplicative factor expected to be greater than 0 and less or equal to 1, not {start_factor}."
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1, not {end_factor}.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t, a, b = self.last_epoch, self.start_factor, self.end_factor
        if t == 0:
            return lr * a
        if self._is_initial or t > self.total_iters:
            return lr
        return lr * (1 + (b - a) / (self.total_iters * a + (t - 1) * (b - a)))

    def _closed(self, base: float) -> float:
        a, b, T = self.start_factor, self.end_factor, self.total_iters
        return base * (a + (b - a) * min(T, self.last_epoch) / T)


class ExponentialLR(LRScheduler):
    """ηₜ = η₀ γᵗ."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        return lr if self._is_initial else lr * self.gamma

    def _closed(self, base: float) -> float:
        return base * self.gamma**self.last_epoch


class PolynomialLR(LRScheduler):
    """ηₜ = η₀ (1 − t / T)^p up to t = T, where it is 0; T is `total_iters` and p `power`."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t, T = self.last_epoch, self.total_iters
        if self._is_initial or t > T:
            return lr
        return lr * float(((1 - t / T) / (1 - (t - 1) / T)) ** self.power)

    def _closed(self, base: float) -> float:
        T = self.total_iters
        return base * float((1 - min(T, self.last_epoch) / T) ** self.power)


# -- waves -------------------------------------------------------------------------------------------------------------


class CosineAnnealingLR(LRScheduler):
    """ηₜ = η_min + (η₀ − η_min) (1 + cos(π t / T)) / 2: half a wave down in T steps, T being `T_max`, and up again after.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> rates = []
    >>> for t in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> " ".join(f"{lr:.3f}" for lr in rates)
    '1.000 0.500 0.000 0.500'
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = _positive("T_max", T_max)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        t, T, low = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return lr
        if (t - 1 - T) % (2 * T) == 0:  # the last one was at the bottom, which no factor leads out of
            return lr + (base - low) * (1 - math.cos(math.pi / T)) / 2
        return (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T)) * (lr - low) + low

    def _closed(self, base: float) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """ηₜ = η_min + (η₀ − η_min) (1 + cos(π c / C)) / 2, where c counts the steps of a cycle of length C.

    The first cycle has C = `T_0` steps and each of the others `T_mult` times as many as the one before; each begins at η₀ again
    (Loshchilov and Hutter, 2017). `step(epoch)` takes a fraction, `epoch + batch / batches`, to move within an epoch.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_0 = self.T_i = _whole("T_0", T_0)
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2

    def step(self, epoch: float | None = None) -> None:
        """Go on by one step, or to a t that is given, which may lie between two epochs."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            if epoch < self.T_0:
                self.T_i, self.T_cur = self.T_0, epoch
            elif self.T_mult == 1:
                self.T_cur = epoch % self.T_0
            else:  # n cycles are over: T_0 (1 + m + … + mⁿ⁻¹) = T_0 (mⁿ − 1) / (m − 1) steps
                n = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
                self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
                self.T_i = self.T_0 * self.T_mult**n
        self._update_lr(math.floor(epoch))


class OneCycleLR(LRScheduler):
    """Up from `max_lr / div_factor` to `max_lr`, then far down, in `total_steps`; momentum goes the other way (Smith, 2018).

    Between two values a and b, ηₜ = b + (a − b) (1 + cos πx) / 2, or a + (b − a) x with `anneal_strategy="linear"`, where x
    runs from 0 to 1. The rise takes the share `pct_start` of the steps; the end is `max_lr / (div_factor · final_div_factor)`.
    With `three_phase` the fall to where it began takes as long as the rise, and the rest leads to the end. Call `step()` after
    each mini-batch.

    Args:
        optimizer: one with momentum or betas, unless `cycle_momentum` is false.
        max_lr: the highest learning rate, or a list with one for each group.
        total_steps: the length of the cycle; or give `epochs` and `steps_per_epoch`.
        cycle_momentum: let the momentum (or β₁) go from `max_momentum` to `base_momentum` and back.

    Raises:
        ValueError: for lengths or shares that mean nothing, and for a step after the last.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=0.1, momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=5, pct_start=0.6)
    >>> for t in range(5):
    ...     print(f"{optimizer.param_groups[0]['lr']:.2f} {optimizer.param_groups[0]['momentum']:.2f}")
    ...     optimizer.step()
    ...     if t < 4:
    ...         scheduler.step()
    0.04 0.95
    0.52 0.90
    1.00 0.85
    0.50 0.90
    0.00 0.95
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = _checked(optimizer)
        if total_steps is not None:
            self.total_steps = _whole("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = _whole("epochs", epochs) * _whole("steps_per_epoch", steps_per_epoch)
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if cycle_momentum and not optimizer.defaults.keys() & {"momentum", "betas"}:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self._anneal_func_type = anneal_strategy
        rise = pct_start * self.total_steps
        self._schedule_phases = [_phase(rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")]
        if three_phase:
            self._schedule_phases += [
                _phase(2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                _phase(self.total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self._schedule_phases += [_phase(self.total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        self.cycle_momentum = cycle_momentum
        highest = _for_each_group("max_lr", max_lr, optimizer)
        if cycle_momentum:
            self.use_beta1 = "betas" in optimizer.defaults
            most = _for_each_group("max_momentum", max_momentum, optimizer)
            least = _for_each_group("base_momentum", base_momentum, optimizer)
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                group["initial_lr"] = highest[i] / div_factor
                group["max_lr"] = highest[i]
                group["min_lr"] = group["initial_lr"] / final_div_factor
                if cycle_momentum:
                    group["max_momentum"], group["base_momentum"] = most[i], least[i]
        super().__init__(optimizer, last_epoch)

    def _next(self, i: int, lr: float, base: float) -> float:
        return self._between(i, "lr")

    def _between(self, i: int, what: str) -> float:
        """The present learning rate or momentum of group i: where t lies between the ends of its phase."""
        t, start, group = self.last_epoch, 0.0, self.optimizer.param_groups[i]
        if t > self.total_steps:
            raise ValueError(
                f"Tried to step {t} times. The specified number of total steps is {self.total_steps}: give OneCycleLR the "
                "number of mini-batches of the whole training, epochs times batches."
            )
        for phase in self._schedule_phases:
            if t <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        a, b, length = group[phase[f"start_{what}"]], group[phase[f"end_{what}"]], phase["end_step"] - start
        x = (t - start) / length if length else 1.0
        if self._anneal_func_type == "cos":
            return float(b + (a - b) / 2 * (math.cos(math.pi * x) + 1))
        return float((b - a) * x + a)

    def _set_lr(self, values: Sequence[float]) -> None:
        super()._set_lr(values)
        for i, group in enumerate(self.optimizer.param_groups if self.cycle_momentum else ()):
            if self.use_beta1:
                group["betas"] = (self._between(i, "momentum"), *group["betas"][1:])
            else:
                group["momentum"] = self._between(i, "momentum")


def _phase(end: float, *names: str) -> dict[str, Any]:
    """A phase of OneCycleLR as PyTorch saves it."""
    return {"end_step": end, **dict(zip(("start_lr", "end_lr", "start_momentum", "end_momentum"), names, strict=True))}


# -- several schedulers ------------------------------------------------------------------------------------------------


class _Several(LRScheduler):
    """What SequentialLR and ChainedScheduler share: schedulers of one optimizer, saved and loaded together."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]) -> None:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
        for i, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, LRScheduler):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute: it is no scheduler.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be specified "
                    f"when calling `step`, but got one at index {i} in the given schedulers sequence."
                )
            optimizer = optimizer or scheduler.optimizer
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name} expects all schedulers to belong to the same optimizer: that at index {i} does not.")
        self.optimizer = _checked(optimizer)
        self._schedulers = schedulers

    def state_dict(self) -> dict[str, Any]:
        """What this scheduler and each of its schedulers know."""
        return super().state_dict() | {"_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of this scheduler and of each of its schedulers.

        Raises:
            ValueError: when there are more of them, or fewer.
        """
        saved, schedulers = state_dict["_schedulers"], self._schedulers
        if len(saved) != len(schedulers):
            raise ValueError(f"the state holds {len(saved)} schedulers, and this {type(self).__name__} has {len(schedulers)}")
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for scheduler, state in zip(schedulers, saved, strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(_Several):
    """One scheduler after the other, the first until t reaches the first of the milestones; each begins at its own t = 0.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=1.0)
    >>> warm_up, decay = LinearLR(optimizer, 0.25, total_iters=3), ExponentialLR(optimizer, 0.5)
    >>> scheduler = SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> rates = []
    >>> for t in range(6):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        super().__init__(_checked(optimizer), schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone "
                f"points, but got number of schedulers {len(schedulers)} and the number of milestones to be equal to "
                f"{len(milestones)}"
            )
        for i, scheduler in enumerate(schedulers):
            if i > 0 and isinstance(scheduler, _Several):
                raise NotImplementedError(
                    f"the {type(scheduler).__name__} at index {i} cannot begin at a milestone: only the first one may be made "
                    "of several. Put its schedulers into this sequence."
                )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:  # each of them has already made its first step: they begin again
            group["lr"] = group["initial_lr"]
        _undo(schedulers)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: None = None) -> None:  # type: ignore[override]  # each scheduler has a t of its own
        """Go on to the next t, with the scheduler whose turn it is."""
        t = self.last_epoch + 1
        turn = bisect_right(self._milestones, t)
        scheduler = self._schedulers[turn]
        if turn > 0 and self._milestones[turn - 1] == t:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self.last_epoch = t
        self._last_lr = scheduler.get_last_lr()


def _undo(schedulers: Iterable[LRScheduler]) -> None:
    """Take back the first step of schedulers, and of those inside them."""
    for scheduler in schedulers:
        if isinstance(scheduler, _Several):
            _undo(scheduler._schedulers)
        else:
            scheduler.last_epoch -= 1


class ChainedScheduler(_Several):
    """All the schedulers at every step: the learning rate is multiplied by each of them in turn.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, 0.5)])
    >>> rates = []
    >>> for t in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     optimizer.step()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(optimizer, schedulers)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self, epoch: None = None) -> None:  # type: ignore[override]  # each scheduler has a t of its own
        """Let each scheduler make its step."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


# -- by the loss -------------------------------------------------------------------------------------------------------


class ReduceLROnPlateau(LRScheduler):
    """η ← max(η · factor, `min_lr`) when the loss has not fallen for more than `patience` epochs: call `step(loss)`.

    The loss has fallen when it is below best · (1 − threshold), or with `threshold_mode="abs"` below best − threshold; with
    `mode="max"` (an accuracy) it has to rise above best · (1 + threshold), or best + threshold. After a reduction, `cooldown`
    epochs are not counted. A reduction of less than `eps` is not made.

    Raises:
        ValueError: for a factor that does not reduce, an unknown mode, or another number of `min_lr` than of groups.

    >>> from tinygrad_fr import optim, zeros
    >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=0.8)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.4]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = _checked(optimizer)
        if factor >= 1.0:
            raise ValueError(f"Factor should be < 1.0, and {factor} does not reduce.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown! Write 'min' for a loss, 'max' for an accuracy.")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown! Write 'rel' or 'abs'.")
        if isinstance(min_lr, (list, tuple)) and len(min_lr) != len(optimizer.param_groups):
            raise ValueError(f"expected {len(optimizer.param_groups)} min_lrs, got {len(min_lr)}")
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = _for_each_group("min_lr", min_lr, optimizer)
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]
        self._reset()

    def _reset(self) -> None:
        """Forget the best loss and the bad epochs."""
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        """Whether the epochs after a reduction are still not counted."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]  # the one that reads a loss
        """Look at the loss of an epoch, a number or a Tensor, and reduce the learning rate when it is time."""
        current = float(metrics)
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, current: float) -> bool:
        """Whether the loss has fallen enough below the best one so far, or the accuracy risen."""
        if self.mode == "min":
            return current < (self.best * (1 - self.threshold) if self.threshold_mode == "rel" else self.best - self.threshold)
        return current > (self.best * (self.threshold + 1) if self.threshold_mode == "rel" else self.best + self.threshold)

    def _reduce_lr(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from when `ReduceLROnPlateau` was "
                    f"initialized ({len(self.min_lrs)}): give `min_lrs` one more value for each group that was added."
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, least)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr
