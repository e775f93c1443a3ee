"""A snapshot computed again from its declarations: back along one use or one path, or forward with a nudged value.

>>> import tinygrad_fr as torch
>>> from tinygrad_fr.visual import Snapshot
>>> a = torch.tensor(3.0, requires_grad=True)
>>> b = a + a
>>> snapshot = Snapshot(b + b)
>>> count, found = paths(snapshot, snapshot["a"])
>>> count, [float(along(snapshot, path)) for path in found]  # four ways from c to a, each worth 1
(4, [1.0, 1.0, 1.0, 1.0])
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_fr.graph import unbroadcast
from tinygrad_fr.node import OUTPUT, PLAIN
from tinygrad_fr.visual.snapshot import Link, Snapshot, Values, Vertex

# -- back ------------------------------------------------------------------------------------------------------------------


def pull(snapshot: Snapshot, link: Link, g: Any) -> Values | None:
    """What a use makes of the gradient g of its result, before broadcasting is undone; None where nothing flows.

    A user's `Function` has no formula here: what it did to numbers is all that is known of it.
    """
    v = snapshot.target(link)
    op = snapshot.operation(v)
    if op is None:
        if link.contribution is None or v.gradient is None or v.gradient.size != 1 or not v.gradient.item():
            return None
        return np.asarray(g).reshape(()) * (link.contribution / v.gradient.reshape(()))
    if op.formulas[link.position] is None:
        return None
    values = _operands(snapshot, v)
    reads = [
        values[s] if s >= 0 else v.value if s == OUTPUT else np.shape(values[PLAIN - s]) for s in op.sources[link.position]
    ]
    with np.errstate(all="ignore"):
        return np.asarray(op.formulas[link.position](g, *reads, **{k: v.params[k] for k in op.keywords[link.position]}))


def along(snapshot: Snapshot, path: Sequence[Link]) -> Values | None:
    """What arrives at the end of a path, from a gradient of 1 at its beginning."""
    g: Values | None = np.ones(snapshot.loss.shape, snapshot.loss.dtype)
    for link in path:
        g = pull(snapshot, link, g)
        if g is None:
            return None
        g = unbroadcast(g, (snapshot.source(link).shape, g.dtype))
    return g


def paths(snapshot: Snapshot, v: Vertex, most: int = 50) -> tuple[int, list[list[Link]]]:
    """How many ways lead from the loss to a quantity, and the first of them, each as the uses that it goes through."""
    ways = {snapshot.loss.id: 1}
    for id in range(snapshot.loss.id, v.id, -1):
        for link in snapshot.uses_by(id):
            if link.contribution is not None and id in ways:
                ways[link.source] = ways.get(link.source, 0) + ways[id]
    found: list[list[Link]] = []
    stack: list[tuple[int, list[Link]]] = [(v.id, [])]
    while stack and len(found) < most:
        id, path = stack.pop()
        if id == snapshot.loss.id:
            found.append(path[::-1])
        stack += [(use.target, [*path, use]) for use in reversed(snapshot.uses_of(id)) if use.contribution is not None]
    return ways.get(v.id, 0), sorted(found, key=len)


# -- forward ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Check:
    """Gradients of one quantity, beside finite differences.

    Attributes:
        size: how many elements the quantity has.
        tolerance: the relative gap up to which two numbers agree, for the dtype of the gradient.
        rows: for each element that was tried, (index, gradient, difference quotient, relative gap, whether it is at a kink,
            where the slopes to the left and to the right differ).
    """

    size: int
    tolerance: float
    rows: list[tuple[tuple[int, ...], float, float, float, bool]]


WHOLE, SAMPLE = 24, 8
"""An array of at most so many elements is tried whole; of a larger one, so many elements."""

STEPS = 1e-5, 1e-7, 1e-9
"""How far a value is nudged, as a share of it; less far where the loss bends so fast that this says nothing."""

BUDGET = 10**8
"""How much is computed for all checks: an operation counts 3000 and its inputs' elements. About a second."""


def differences(snapshot: Snapshot, budget: int = BUDGET) -> dict[int, Check]:
    """Every gradient of a snapshot against (ℒ(x + h) − ℒ(x − h)) / 2h, the forward formulas being computed in float64.

    What cannot be computed again, such as a user's `Function`, leaves what comes before it unchecked, and so does a graph
    that is too large: parameters come first.
    """
    exact: dict[int, Any] = {}
    for v in snapshot:
        exact[v.id] = _forward(snapshot, v, exact) if v.kind == "operation" else _precise(v.value)
    top = exact[snapshot.loss.id]
    if top is None or not np.allclose(top, snapshot.loss.value, rtol=1e-2, atol=1e-6, equal_nan=True):  # type: ignore[arg-type]
        return {}
    found = {}
    price = {v.id: 3000 + sum(map(np.size, _operands(snapshot, v))) for v in snapshot}
    wanted = [v for v in snapshot if v.gradient is not None and v.gradient.dtype.kind == "f" and v is not snapshot.loss]
    for v in sorted(wanted, key=lambda v: v.kind != "parameter"):
        if budget <= 0:
            break
        if exact[v.id] is None or not exact[v.id].size:
            continue
        below = _below(snapshot, v)
        budget -= 300 * len(snapshot)  # for having looked
        cost = 2 * sum(price[id] for id in below)
        size = math.prod(v.shape)
        count = min(size if size <= WHOLE else SAMPLE, budget // cost)
        if count <= 0 or any(exact[id] is None for id in below):
            continue
        budget -= count * cost
        found[v.id] = _check(snapshot, v, below, exact, count)
    return dict(sorted(found.items()))


def _check(snapshot: Snapshot, v: Vertex, below: list[int], exact: dict[int, Any], count: int) -> Check:
    assert v.gradient is not None
    tolerance = {2: 3e-2, 4: 1e-3}.get(v.gradient.dtype.itemsize, 1e-5)
    size = v.gradient.size
    largest = float(np.max(np.abs(v.gradient), initial=0, where=np.isfinite(v.gradient)))
    check = Check(size, tolerance, [])
    for flat in range(size) if count == size else np.linspace(0, size - 1, count).astype(int):
        x, gradient = float(exact[v.id].reshape(-1)[flat]), float(v.gradient.reshape(-1)[flat])
        for step in STEPS:
            h = step * max(1.0, abs(x))
            values = []
            for nudge in (-h, 0.0, h):
                nudged = exact[v.id].copy()
                nudged.reshape(-1)[flat] = x + nudge
                again = {**exact, v.id: nudged}
                for id in below:
                    again[id] = _forward(snapshot, snapshot[id], again)
                values.append(float(np.sum(again[snapshot.loss.id])))
            left, right = (values[1] - values[0]) / h, (values[2] - values[1]) / h
            quotient = (values[2] - values[0]) / (2 * h)
            scale = max(abs(gradient), abs(quotient), 1e-4 * largest, 1e-9)
            gap = abs(gradient - quotient) / scale
            if gap <= tolerance:
                break
        kink = abs(right - left) > 0.01 * max(abs(left), abs(right), 1e-6)
        index = tuple(int(i) for i in np.unravel_index(int(flat), v.gradient.shape))
        check.rows.append((index, gradient, quotient, gap, kink))
    return check


def _below(snapshot: Snapshot, v: Vertex) -> list[int]:
    """The results that depend on a quantity, in their order."""
    reached = {v.id}
    for w in snapshot.vertices[v.id :]:
        if any(use.source in reached for use in snapshot.uses_by(w.id)):
            reached.add(w.id)
    return sorted(reached - {v.id})


def _forward(snapshot: Snapshot, v: Vertex, values: dict[int, Any]) -> Any:
    """The value of a result from other values of what it is computed from; None where that is not known."""
    op = snapshot.operation(v)
    if op is None:
        return None
    sources = [snapshot.source(use) for use in snapshot.uses_by(v.id)]
    if any(s.kind != "number" and values[s.id] is None for s in sources):
        return None
    operands = [_literal(s) if s.kind == "number" else values[s.id] for s in sources]
    with np.errstate(all="ignore"):
        return np.asarray(op.forward(*operands, **v.params))


def _operands(snapshot: Snapshot, v: Vertex) -> list[Any]:
    sources = map(snapshot.source, snapshot.uses_by(v.id))
    return [_literal(s) if s.kind == "number" else s.value for s in sources]


def _literal(v: Vertex) -> Any:
    return None if v.value is None else v.value.item()


def _precise(value: Values | None) -> Values | None:
    """In float64, if it is a floating number at all."""
    return value.astype(np.float64) if value is not None and value.dtype.kind == "f" else value
