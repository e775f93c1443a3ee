"""What the framework remembers of one operation, so that its gradient can be computed later.

A `Node` points at its parents and at nothing else: no node knows the tensor it made nor the nodes that use
it, so a graph never holds a reference cycle and disappears with the last tensor that needs it.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""Whatever speaks NumPy's protocols: `numpy.ndarray`, a NumPy scalar, a Dask or CuPy array, a recorder."""

Edge: TypeAlias = "tuple[Node, Callable[..., Array], tuple[Array, ...], tuple[tuple[int, ...], Any] | None, int]"
"""From a node to one parent: (parent, gradient formula, what it reads, shape and dtype to come back to, input index)."""

OUTPUT, PLAIN = -1, -2
"""Where a formula's argument comes from when it is not input 0, 1, ...: the operation's output, or a plain value."""

tick = itertools.count(1).__next__
"""The clock. Every node and every in-place write takes a stamp, so "was it made before?" is one comparison."""


class Mode(threading.local):
    """Whether operations are recorded, for the current thread: 0 no, 1 yes, 2 yes with the user's line; see `switch`."""

    state: int = 1


mode = Mode()

switched: list[None] = []
"""One entry for each thread whose mode is not 1: while there is none, nobody needs to ask for the thread's own."""


def switch(state: int) -> int:
    """Set the mode of the current thread, and return the former one."""
    before = mode.state
    if before == 1 != state:
        switched.append(None)
    mode.state = state
    if before != 1 == state:
        switched.pop()
    return before


class _Last:
    """The latest write into any memory: a walk over nodes that are all younger needs no check at all."""

    __slots__ = ("stale", "write")  # of an object, not of a class: assigning to a class empties Python's caches

    def __init__(self) -> None:
        self.write = self.stale = 0


last = _Last()


class Memory:
    """When a piece of memory shared by a tensor, its views and its detached copies was last written in place."""

    __slots__ = ("stale", "written")

    def __init__(self) -> None:
        self.written = 0
        self.stale = 0  # when a recorded write gave the tensor a new history: views made before it know only the old one

    def write(self) -> int:
        """Note a write that happens now; the stamp is returned."""
        self.written = last.write = stamp = tick()
        return stamp


_PYTORCH = {"linear": "Addmm", "matmul": "Mm", "reshape": "View", "cast": "ToCopy", "cross_entropy": "NllLoss"}
"""Where PyTorch's node, as a printed tensor shows it, is not named after the operation."""


class Node:
    """One recorded operation, or a leaf (a tensor whose gradient the user wants).

    Attributes:
        operation: the declaration that was run; None for a leaf.
        inputs: for each input, its Node, the constant Tensor, or the Python number that was given.
        params: the operation's keyword arguments (`dim`, `keepdim`, ...).
        edges: one for each input that needs a gradient; () for a leaf; None once the graph is freed.
        stamp: the time of creation. A parent is always older than its children: sorting is a topological order.
        memory: set when the value is viewed, detached or written in place.
        grad: the gradient, a Tensor, of a leaf or of a node that retains it.
        hooks: what to call on the gradient when it is complete.
        base: for a view, a weak reference to the tensor whose memory it shows.
        site: "file:line" of the user's code that made the node, when it was asked for.
    """

    __slots__ = ("__weakref__", "base", "edges", "grad", "hooks", "inputs", "memory", "operation", "params", "site", "stamp")

    operation: Any
    inputs: tuple[Any, ...]
    params: dict[str, Any] | None
    edges: tuple[Edge, ...] | None
    stamp: int
    memory: Memory | None
    grad: Any
    hooks: list[Any] | None
    site: str | None
    base: Callable[[], Any] | None

    @property
    def is_leaf(self) -> bool:
        """True when nothing was computed to make it: its gradient is accumulated, not passed on."""
        return self.operation is None

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The parents as PyTorch lists them: (node, 0) for each input, (None, 0) for a constant."""
        return tuple((i if isinstance(i, Node) else None, 0) for i in self.inputs)

    def name(self) -> str:
        """PyTorch's name of the node, such as `MulBackward0` or `AccumulateGrad`."""
        if self.operation is None:
            return "AccumulateGrad"
        if self.operation.name in _PYTORCH:
            return _PYTORCH[self.operation.name] + "Backward0"
        return "".join(word.capitalize() for word in self.operation.name.split("_")) + "Backward0"

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def new_node(
    operation: Any = None,
    inputs: tuple[Any, ...] = (),
    edges: tuple[Edge, ...] = (),
    params: dict[str, Any] | None = None,
) -> Node:
    """A node of an operation, or a leaf. A class without `__init__` makes objects in half the time: recorders use that."""
    node = Node()
    node.operation = operation
    node.inputs = inputs
    node.params = params
    node.edges = edges
    node.stamp = tick()
    node.memory = node.grad = node.hooks = node.site = node.base = None
    return node


_OWN = (os.path.dirname(__file__) + os.sep, "<recorder ")


RETAIN: Any = "retain"
"""Stands among a node's hooks for "keep the gradient in node.grad"."""

FIRST_NAN = ", where the first NaN was computed"
"""Added to a node's site when its result is NaN and none of its inputs is."""


def user_site() -> str:
    """The innermost line of the running program that is not the framework's own, as "file:line"."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
