"""A deliberately naive engine to test the real one against: it walks every path by recursion, and copies every array.

A value knows its parents and, for each, a function from its own gradient to the parent's. The gradient of an output is sent
down every path separately and added up where it lands: 2ⁿ paths for n doublings, and no order, sharing, freeing or versions
that could be wrong. Its formulas were written by hand, apart from the framework's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pull = Callable[[Array], Array]


class Naive:
    """An array, where it came from, and the gradient that landed on it."""

    def __init__(self, value: Any, parents: tuple[tuple[Naive, Pull], ...] = (), wanted: bool = False) -> None:
        self.value: Array = np.array(value, np.float64)
        self.parents = tuple((parent, pull) for parent, pull in parents if parent.wanted)
        self.leaf = wanted
        self.wanted = wanted or bool(self.parents)
        self.grad: Array | None = None
        self.freed = False
        self.memory: Any = None  # for the comparison: the array that owns the memory of the other engine's value
        self.paths = max(1, sum(parent.paths for parent, _ in self.parents))

    def push(self, g: Array, landed: dict[Naive, Array]) -> None:
        """Add g here and send it on along every path."""
        landed[self] = landed.get(self, np.zeros_like(self.value)) + g
        for parent, pull in self.parents:
            parent.push(fit(pull(g), parent.value.shape), landed)

    def ancestors(self) -> set[Naive]:
        """This value and all that it depends on through gradients."""
        return {self}.union(*(parent.ancestors() for parent, _ in self.parents))


def fit(g: Any, shape: tuple[int, ...]) -> Array:
    """A gradient brought back to a shape that had been broadcast: summed one axis at a time."""
    g = np.array(g, np.float64)
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1 and g.shape[axis] != 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def unary(name: str, a: Naive) -> Naive:
    """f(a) with f' written from the input alone."""
    x = a.value.copy()
    with np.errstate(all="ignore"):
        y, slope = {
            "neg": lambda: (-x, -np.ones_like(x)),
            "sin": lambda: (np.sin(x), np.cos(x)),
            "tanh": lambda: (np.tanh(x), 1 / np.cosh(x) ** 2),
            "sigmoid": lambda: (1 / (1 + np.exp(-x)), np.exp(-x) / (1 + np.exp(-x)) ** 2),
            "relu": lambda: (np.where(x > 0, x, 0), np.where(x > 0, 1.0, 0.0)),
            "abs": lambda: (np.where(x < 0, -x, x), np.where(x < 0, -1.0, np.where(x > 0, 1.0, 0.0))),
            "square": lambda: (x * x, 2 * x),
            "atan": lambda: (np.arctan(x), 1 / (1 + x * x)),
            "exp": lambda: (np.exp(x), np.exp(x)),
        }[name]()
    return Naive(y, ((a, lambda g: g * slope),))


def binary(name: str, a: Naive, b: Naive) -> Naive:
    """a ∘ b, broadcast."""
    x, y = a.value.copy(), b.value.copy()
    return {
        "add": lambda: Naive(x + y, ((a, lambda g: g), (b, lambda g: g))),
        "sub": lambda: Naive(x - y, ((a, lambda g: g), (b, lambda g: -g))),
        "mul": lambda: Naive(x * y, ((a, lambda g: g * y), (b, lambda g: g * x))),
        "div": lambda: Naive(x / y, ((a, lambda g: g / y), (b, lambda g: -g * x / y / y))),
        "maximum": lambda: Naive(
            np.maximum(x, y),
            ((a, lambda g: g * ((x > y) + 0.5 * (x == y))), (b, lambda g: g * ((y > x) + 0.5 * (x == y)))),
        ),
        "matmul": lambda: Naive(x @ y, ((a, lambda g: g @ y.T), (b, lambda g: x.T @ g))),
    }[name]()


def reduction(name: str, a: Naive, axis: int | None, keep: bool) -> Naive:
    """Sum, mean or largest value along an axis or over all; equal largest values share the gradient."""
    x = a.value.copy()

    def spread(g: Array) -> Array:
        return np.zeros_like(x) + (g if axis is None or keep else np.expand_dims(g, axis))

    if name == "sum":
        return Naive(x.sum(axis, keepdims=keep), ((a, spread),))
    if name == "mean":
        n = x.size if axis is None else x.shape[axis]
        return Naive(x.sum(axis, keepdims=keep) / n, ((a, lambda g: spread(g) / n),))
    top = x == x.max(axis, keepdims=True)
    return Naive(x.max(axis, keepdims=keep), ((a, lambda g: spread(g) * top / top.sum(axis, keepdims=True)),))


def moved(a: Naive, move: Callable[[Array], Array]) -> Naive:
    """Entries moved or chosen: the gradient is carried back entry by entry, by their numbers."""
    places = move(np.arange(a.value.size).reshape(a.value.shape))

    def back(g: Array) -> Array:
        out = np.zeros(a.value.size)
        for place, number in zip(np.ravel(places), np.ravel(g), strict=True):
            out[int(place)] += number
        return out.reshape(a.value.shape)

    return Naive(np.ravel(a.value)[places], ((a, back),))
