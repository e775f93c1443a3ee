"""Gradient descent, plain and with momentum: the update that every course begins with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy import ndarray

from tinygrad_fr.node import Array, last, tick
from tinygrad_fr.optim.optimizer import Formula, Params, as_number, in_blocks, with_grad
from tinygrad_fr.tensor import Tensor, shared_memory, wrap
from tinygrad_fr.values import LARGE, NUMBERS


def sgd(
    w: Array,
    g: Array,
    v: Array | None = None,
    *,
    lr: float,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
) -> tuple[Array, Array | None]:
    """One step on arrays, in place where they can be written; the new parameter and velocity are returned.

        g ← −g                  where the aim is a maximum
        g ← g + λ w             with weight decay λ
        v ← μ v + (1 − τ) g     with momentum μ and dampening τ; v ← g at the first step
        g ← v                   or, after Nesterov, g ← g + μ v
        w ← w − η g             S0 to S4

    >>> import numpy as np
    >>> sgd(np.array([1.0, 2.0]), np.array([10.0, 10.0]), lr=0.1)
    (array([0., 1.]), None)
    """
    if maximize:
        g = -g
    if weight_decay != 0:
        g = g + weight_decay * w
    if hasattr(momentum, "to_number") or momentum != 0:  # a recorded number may be any
        if v is None:
            v = +g  # a copy
        else:
            v *= momentum
            v += g if dampening == 0 else (1 - dampening) * g
        g = g + momentum * v if nesterov else v
    w -= lr * g
    return w, v


ROOM = 16384
"""From this number of elements on, the system hands out memory page by page, which takes time."""


class SGD(Formula):
    """Stochastic gradient descent: w ← w − η g, where g is the gradient of the loss over a mini-batch (S0 to S4).

    With momentum, the gradients push a velocity v and v moves the parameter: see `sgd`, where the whole formula stands.

    Args:
        params: the tensors to optimise, or groups of them; see `Optimizer`.
        lr: the learning rate η.
        momentum: μ, the part of the velocity that stays at each step.
        dampening: τ, the part of the gradient that does not go into the velocity.
        weight_decay: λ, which adds λ w to the gradient: the derivative of a penalty λ/2 Σ w².
        nesterov: look ahead by one velocity (Nesterov's momentum; Sutskever et al., 2013).
        maximize: climb instead of descending.
        foreach, fused: PyTorch's choices between ways to compute the same; nothing depends on them here.
        differentiable: False.

    Raises:
        ValueError: for a negative option, and for nesterov without momentum or with dampening.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> (10 * w).sum().backward()
    >>> optimizer.step()
    >>> optimizer.step()  # the gradient is the same, and the velocity is now 0.9 · 10 + 10
    >>> w
    tensor([-1.9000, -0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    @functools.cached_property
    def _room(self) -> dict[tuple[int, ...], Array]:
        """Room for η g, by shape; made when a large parameter is met, and neither saved nor copied."""
        return {}

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the closure's loss, if one is given, is returned."""
        loss = None if closure is None else with_grad(closure)
        self._ready()
        stamp = last.write = tick()
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            if type(lr) is not float:
                lr = as_number(lr)
            if type(momentum) not in NUMBERS:
                momentum = as_number(momentum)
            moving = type(momentum) not in NUMBERS or momentum != 0  # a recorded number may be any
            plain = not (moving or group["weight_decay"] or group["maximize"])
            update = dtype = None
            eta: Any = None
            for p in group["params"]:
                node = p._node
                if node is None or node.grad is None:
                    continue
                w, g = p._array, node.grad._array
                if plain and type(w) is ndarray and (size := w.size) <= LARGE:  # w ← w − η g, without a call of ours
                    if w.dtype is not dtype:
                        dtype = w.dtype
                        eta = np.array(lr, dtype)  # NumPy multiplies by an array in half the time of a Python number
                    if size < ROOM:
                        w -= g * eta
                    else:  # fresh memory of that size costs more than the product: the room is kept from step to step
                        room = self._room.get(w.shape)
                        if room is None or room.dtype is not w.dtype:
                            room = self._room[w.shape] = np.empty_like(w)
                        w -= np.multiply(g, eta, room)
                else:
                    if update is None:
                        update = partial(
                            sgd, lr=lr, momentum=momentum, dampening=float(group["dampening"]), nesterov=group["nesterov"],
                            weight_decay=float(group["weight_decay"]), maximize=group["maximize"],
                        )  # fmt: skip
                    self._move(p, g, update, moving)
                memory = node.memory
                if memory is None:
                    memory = shared_memory(p)
                memory.written = stamp
        return loss

    def _move(self, p: Tensor, g: Array, update: Callable[..., Any], moving: bool) -> None:
        """Update one parameter with all options, and keep its velocity."""
        state = self.state[p] if moving else {}
        velocity = state.get("momentum_buffer")
        if moving and velocity is None:
            p._array, v = update(p._array, g)
            state["momentum_buffer"] = wrap(v)
        else:
            p._array, v = in_blocks(update, p._array, g, None if velocity is None else velocity._array)
            if velocity is not None:
                velocity._array = v
