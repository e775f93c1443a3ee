"""Which layers a graph is made of, and what each of them does: the values it computes, its plateaus, the gradient it receives.

The layers are found in a `Snapshot`, by what its operations do: no list of activation functions is kept here.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_fr.graph import grad
from tinygrad_fr.nn.activations import Activation
from tinygrad_fr.node import switch
from tinygrad_fr.recording import record
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.visual.snapshot import Snapshot, Values, Vertex

Function = Callable[[Tensor], Tensor]

PLATEAU = 0.01
"""An activation lies on a plateau where |f′| is below this share of its largest value: 99 % of the gradient is lost there."""

BINS = 8
"""How many intervals a histogram has: as many as there are block characters."""


@dataclass(slots=True)
class Layer:
    """What was measured on one layer: a module with weights, an activation, or any other module that computes something.

    Attributes:
        name: its path in the model; where no module is known, a variable's name, its parameters' names, or the operation's.
            A second use of the same layer is called `name#2`.
        kind: the class of its module, or the operation.
        module: the path of the module that it is, or lies in; None where that is not known.
        vertices: the ids of what it computes in the snapshot, the last being its result; none if it has no part in this graph.
        parameters: the ids of its parameters.
        state: "used", "frozen" (its parameters ask for no gradient), or "unused" (it has no part in this loss).
        activates: whether it is an activation function, computed element by element.
        gate: whether it is one that only multiplies something else that was computed, as σ does in x σ(x).
        last: whether no weights come after it.
        shape: the shape of its result.
        examples, units: how many of each the result holds.
        min, max, mean, std: of the result's finite values.
        zeros: the share of zeros.
        histogram: how many values lie in each of 8 equal intervals from min to max.
        saturated: the share of values on a plateau of the activation; None for what is no activation.
        pulled: the share of values that lie on a plateau and that the loss pulls away from it.
        dead: the share of units that are 0 on every example; None for what is no rectifier.
        alike: whether an activation is given the same numbers for every example, as by a layer that is dead before it.
        gradient: the norm of ∂loss/∂result; mean_gradient, the mean of its absolute values.
        weight, weight_gradient: the norms of its parameters and of their gradients, all together.
        update: the length of one step of the optimiser divided by `weight`.
        not_finite: how many values of the result are NaN or infinite.
    """

    name: str
    kind: str
    module: str | None = None
    vertices: list[int] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    state: str = "used"
    activates: bool = False
    gate: bool = False
    last: bool = False
    shape: tuple[int, ...] = ()
    examples: int = 0
    units: int = 0
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    zeros: float | None = None
    histogram: list[int] = field(default_factory=list)
    saturated: float | None = None
    pulled: float | None = None
    dead: float | None = None
    alike: bool = False
    gradient: float | None = None
    mean_gradient: float | None = None
    weight: float | None = None
    weight_gradient: float | None = None
    update: float | None = None
    not_finite: int = 0

    @property
    def size(self) -> int:
        """How many values its result holds."""
        return self.examples * self.units

    @property
    def used(self) -> bool:
        """Whether it has a part in the graph."""
        return bool(self.vertices)


def layers_of(snapshot: Snapshot) -> list[Layer]:
    """The layers of a snapshot in the order of their results, then those of the model that have no part in it.

    >>> import tinygrad_fr as torch
    >>> from tinygrad_fr.visual import Snapshot
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> loss = torch.sigmoid(net(torch.ones(5, 2))).sum()
    >>> [(layer.name, layer.kind, layer.examples, layer.units) for layer in layers_of(Snapshot(loss, model=net))]
    [('0', 'Linear', 5, 3), ('1', 'ReLU', 5, 3), ('2', 'Linear', 5, 1), ('sigmoid', 'sigmoid', 5, 1)]
    """
    with np.errstate(all="ignore"):  # what overflows here is what is looked for
        pieces = _Reader(snapshot).pieces()
        found = [_measured(snapshot, piece) for piece in pieces]
    _name(snapshot, pieces, found)
    return found + _absent(snapshot, found)


def vertex_of(snapshot: Snapshot, tensor: Tensor) -> Vertex | None:
    """The vertex of a tensor; None if it has no part in the graph."""
    try:
        return snapshot.vertex_of(tensor)
    except KeyError:
        return None


def norm(arrays: Sequence[Values]) -> float:
    """The Euclidean norm of all elements together, in float64 and without overflow."""
    largest = max((float(np.abs(a).max()) for a in arrays if a.size), default=0.0)
    if not 0 < largest < math.inf:
        return largest
    return largest * math.sqrt(sum(float(((a.astype(np.float64) / largest) ** 2).sum()) for a in arrays))


# -- which layers a graph is made of ---------------------------------------------------------------------------------------


class _Curve(NamedTuple):
    """An activation function: how it is computed, its largest f′, an x where that is, whether it is flat and 0 somewhere."""

    function: Function
    steepest: float
    at: float
    rectifies: bool


@dataclass(slots=True, eq=False)
class _Piece:
    """The vertices of one layer.

    Attributes:
        vertices: what the layer computes, in order; the last is its result.
        inside: the path of the module that computes it, if that is known.
        whole: whether it is all that this module computes.
        parameters: the weights that it reads.
        curve, source: of an activation, what it looks like and what it is a function of.
        gate: whether it only multiplies something else that was computed (as σ does in x σ(x)).
        last: whether no weights come after it.
        axis: along which its units lie, and the others count examples; None where there is one unit.
    """

    vertices: list[Vertex]
    inside: str | None
    whole: bool
    parameters: list[Vertex]
    curve: _Curve | None = None
    source: Vertex | None = None
    gate: bool = False
    last: bool = False
    axis: int | None = -1

    @property
    def output(self) -> Vertex:
        return self.vertices[-1]


class _Reader:
    """Finds the layers of a snapshot.

    A module that has no module inside is one layer where it is an activation or has no weights. Elsewhere each activation
    function is a layer, and so is what lies between activations and reads weights: X W + b, however it was written.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot, model = snapshot, snapshot.model
        self.operations = [v for v in snapshot if v.kind == "operation"]
        self.leaves = {} if model is None else {
            path: module for path, module in model.named_modules(remove_duplicate=False) if not module._modules
        }  # fmt: skip
        self.weights = self._weights()
        self.where = {v.id: v.module for v in self.operations}
        for v in self.operations:  # a frozen parameter is a constant of the graph: its layer is its layer all the same
            owners = {snapshot[id].module for id in self._read([v])}
            if self.where[v.id] is None and len(owners) == 1:
                self.where[v.id] = owners.pop()
        self._curves: dict[Any, _Curve | None] = {}

    def _weights(self) -> dict[int, frozenset[int]]:
        """The weights that a vertex holds and nothing else: parameters, and what is computed from them alone, as Wᵗ is.

        They are those of the model. Where the graph has none of them, they are all the leaves that ask for a gradient; inputs
        may be among these, so what is computed from two of them is no weight.
        """
        snapshot, model = self.snapshot, self.snapshot.model
        parameters = [] if model is None else list(model.parameters())
        owned = {v.id for v in (vertex_of(snapshot, p) for p in parameters) if v is not None}
        leaves = owned if owned or (model is not None and not parameters) else {
            v.id for v in snapshot if v.kind == "parameter"
        }  # fmt: skip
        found = {id: frozenset([id]) for id in leaves}
        for v in self.operations:
            sources = [s for s in map(snapshot.source, snapshot.uses_by(v.id)) if s.kind != "number"]
            words = [word for value in v.params.values() for word in (value if isinstance(value, tuple) else (value,))]
            indexed = any(hasattr(word, "shape") for word in words)  # by data, as an embedding is
            if not indexed and all(s.id in found for s in sources):
                together = frozenset().union(*(found[s.id] for s in sources))
                penalty = not v.shape and any(s.shape for s in sources)  # a number that is added to the loss: nothing reads it
                if owned or len(together) <= 1:
                    found[v.id] = frozenset() if penalty else together
        if all(v.id in found for v in self.operations):  # no data anywhere: everything is computed from the weights
            return {id: frozenset([id]) for id in leaves}
        return found

    def _read(self, vertices: Sequence[Vertex]) -> list[int]:
        """The weights that some vertices read."""
        links = [link for v in vertices for link in self.snapshot.uses_by(v.id)]
        return sorted({id for link in links for id in self.weights.get(link.source, ())})

    def pieces(self) -> list[_Piece]:
        """The layers, in the order of their results."""
        snapshot, found = self.snapshot, list[_Piece]()
        computing = [v for v in self.operations if v.id not in self.weights]
        free = {v.id for v in computing}

        def take(vertices: list[Vertex], whole: bool, **attributes: Any) -> None:
            own = [snapshot[id] for id in self._read(vertices)]
            inside = next((self.where[v.id] for v in vertices if self.where[v.id] is not None), None)
            found.append(_Piece(vertices, inside, whole, own, **attributes))
            free.difference_update(v.id for v in vertices)

        for group in self._connected([v for v in computing if self.where[v.id] in self.leaves], loose=False):
            module = self.leaves[self.where[group[0].id]]  # type: ignore[index]
            curve, source = self._curve(group)
            if curve is not None or not any(p is not None for p in module._parameters.values()):
                take(group, True, curve=curve, source=source)
        for s in snapshot:  # such as x σ(x) when it was written as a formula
            group = self._composed(s, free)
            curve, source = self._curve(group) if group else (None, None)
            if curve is not None:
                take(group, False, curve=curve, source=source)
        for v in computing:
            if v.id in free:
                curve, source = self._curve([v])
                if curve is not None:
                    take([v], False, curve=curve, source=source)
        self._place(found)
        for group in self._connected([v for v in computing if v.id in free], loose=True):
            if self._read(group):
                take(self._up_to_all(group), False)
        found.sort(key=lambda piece: piece.output.id)
        for piece in found:
            piece.axis = self._axis(piece, found)
            piece.gate = piece.curve is not None and self._gates(piece.output)
        weighty = any(piece.parameters for piece in found)
        before = self._before({v.id for piece in found if piece.parameters or not weighty for v in piece.vertices})
        for piece in found:
            piece.last = piece.output.id not in before
        return found

    def _connected(self, vertices: list[Vertex], loose: bool) -> list[list[Vertex]]:
        """The vertices in groups that hang together inside one module.

        `loose`: a group begins where weights are read, and goes on through what keeps the shape; what is in no module is in
        that of its source.
        """
        group_of: dict[int, list[Vertex]] = {}
        module_of: dict[int, str | None] = {}
        for v in vertices:
            mine, module = [v], self.where[v.id]
            sources = [s for s in map(self.snapshot.source, self.snapshot.uses_by(v.id)) if s.id in group_of]
            if loose and not self._read([v]) and not any(s.shape == v.shape for s in sources):
                continue
            for s in sources:
                other = group_of[s.id]
                if other is mine:
                    continue
                theirs = module_of[other[0].id]
                if theirs != module and not (loose and None in (theirs, module)):
                    continue
                module = theirs if module is None else module
                mine = sorted([*mine, *other], key=lambda vertex: vertex.id)
            for vertex in mine:
                group_of[vertex.id], module_of[vertex.id] = mine, module
        return list({id(group): group for group in group_of.values()}.values())

    def _up_to_all(self, group: list[Vertex]) -> list[Vertex]:
        """A group up to the first result that all its weights have gone into; what comes after that is no part of the layer."""
        inside: dict[int, set[int]] = {}
        for v in group:
            sources = [link.source for link in self.snapshot.uses_by(v.id)]
            inside[v.id] = set(self._read([v])).union(*(inside.get(id, ()) for id in sources))
        wanted = set(self._read(group))
        return group[: 1 + next((i for i, v in enumerate(group) if inside[v.id] == wanted), len(group) - 1)]

    # -- activations -----------------------------------------------------------------------------------------------

    def _curve(self, vertices: list[Vertex]) -> tuple[_Curve | None, Vertex | None]:
        """What the vertices look like as an activation function of the one quantity they are computed from; None if none.

        An activation works element by element, rises, bends, and is never much steeper than it is near 0. So it is known by
        what it does: exp grows too fast, abs and cos fall, log and √ do not exist everywhere, softmax looks at its neighbours.
        """
        inner = {v.id for v in vertices}
        links = [link for v in vertices for link in self.snapshot.uses_by(v.id) if link.source not in inner]
        sources = {link.source for link in links if self.snapshot.source(link).kind != "number"}
        module = self.leaves.get(self.where[vertices[0].id])  # type: ignore[arg-type]
        asked = module.forward if isinstance(module, Activation) and not module._parameters else None
        if asked:  # some compare, and what they found is a constant of the graph: they can only be asked
            sources = {id for id in sources if not self.snapshot[id].constant}
        if len(sources) > 1:
            sources -= self.weights.keys()
        if len(sources) != 1:
            return None, None
        source = self.snapshot[sources.pop()]
        if vertices[-1].shape != source.shape or source.value is None:
            return None, None
        key = (vertices[0].operation, repr(vertices[0].params)) if len(vertices) == len(links) == 1 else None  # None: as new
        if key is None or key not in self._curves:
            self._curves[key] = _tried(asked or self._again(vertices, source), source)
        return self._curves[key], source

    def _again(self, vertices: list[Vertex], source: Vertex) -> Function:
        """The operations of the vertices, to be made again from another value of their source."""

        def again(x: Tensor) -> Tensor:
            known: dict[int, Any] = {source.id: x}
            for v in vertices:
                operands = []
                for s in map(self.snapshot.source, self.snapshot.uses_by(v.id)):
                    assert s.value is not None
                    operands.append(known.get(s.id, s.value.item() if s.kind == "number" else wrap(s.value)))
                known[v.id] = record(self.snapshot.operation(v), tuple(operands), dict(v.params))
            return known[vertices[-1].id]  # type: ignore[no-any-return]

        return again

    def _composed(self, source: Vertex, free: set[int]) -> list[Vertex]:
        """What is computed element by element from several uses of one quantity, up to where all of them have met."""
        waiting = {use.target for use in self.snapshot.uses_of(source.id)}
        group: list[Vertex] = []
        inner = {source.id}
        while len(waiting) + len(group) > 1:
            v = self.snapshot[min(waiting)]  # the oldest: all that it is computed from was seen
            others = [s for s in map(self.snapshot.source, self.snapshot.uses_by(v.id)) if s.id not in inner]
            foreign = [s for s in others if s.kind != "number" and s.id not in self.weights]
            if v.id not in free or v.shape != source.shape or foreign:
                return []
            group.append(v)
            inner.add(v.id)
            waiting.remove(v.id)
            if not waiting:
                return group
            waiting.update(use.target for use in self.snapshot.uses_of(v.id))
        return []

    def _place(self, found: list[_Piece]) -> None:
        """Give activations the paths of their modules where nobody watched the calls.

        It is the module of that name which the model declares after the layer before, and before the next one with weights.
        """
        waiting = {piece.output.id: piece for piece in found if piece.inside is None}
        paths, position = list(self.leaves), 0
        for v in self.operations:
            if self.where[v.id] in self.leaves:
                module = self.leaves[self.where[v.id]]  # type: ignore[index]
                later = [i for i in range(position, len(paths)) if self.leaves[paths[i]] is module]
                position = later[0] + 1 if later else position
            elif v.id in waiting:
                name = (v.operation or "").replace("_", "")
                for i in range(position, len(paths)):
                    if self.leaves[paths[i]]._parameters:
                        break
                    if type(self.leaves[paths[i]]).__name__.lower() == name and paths[i] not in self.where.values():
                        waiting[v.id].inside, waiting[v.id].whole, position = paths[i], True, i + 1
                        break

    def _gates(self, v: Vertex) -> bool:
        """Whether a result only ever multiplies another one that was computed, as it is or after a step with a number."""
        uses = self.snapshot.uses_of(v.id)
        for use in uses:
            target = self.snapshot.target(use)
            others = [s for s in map(self.snapshot.source, self.snapshot.uses_by(target.id)) if s is not v]
            if target.operation == "mul" and any(s.kind == "operation" and s.id not in self.weights for s in others):
                continue
            if not all(s.kind == "number" for s in others) or target.shape != v.shape or not self._gates(target):
                return False
        return bool(uses)

    # -- where things lie ------------------------------------------------------------------------------------------

    def _before(self, goals: set[int]) -> set[int]:
        """The vertices from which the way forward leads to one of the goals."""
        found: set[int] = set()
        for v in reversed(self.snapshot.vertices):
            if any(use.target in goals or use.target in found for use in self.snapshot.uses_of(v.id)):
                found.add(v.id)
        return found

    def _axis(self, piece: _Piece, found: list[_Piece]) -> int | None:
        """The axis of the units. It is where the weights differ; along the others one weight serves all: those are examples."""
        axes = {v.id: other.axis for other in found if other.parameters and other is not piece for v in other.vertices}
        for v in piece.vertices:
            weights = [link for link in self.snapshot.uses_by(v.id) if link.source in self.weights]
            for link in weights if v.shape else ():
                weight, product = self.snapshot.source(link).shape, v.operation == "matmul"
                if product and len(weight) > 1:
                    return -2 if link.position == 0 and len(v.shape) > 1 else -1  # W X or X W
                if product or not weight or max(weight) == 1:
                    return None
                if v.operation in ("mul", "add", "sub", "div"):
                    spread = [i for i in range(-1, -len(v.shape) - 1, -1) if -i > len(weight) or weight[i] != v.shape[i]]
                    own = [i for i in range(-1, -len(v.shape) - 1, -1) if i not in spread]
                    return own[0] if len(own) == 1 else -1
                return -1
        here: Vertex | None = piece.source or piece.vertices[0]
        shape = piece.output.shape
        while here is not None and here.kind == "operation" and math.prod(here.shape) == math.prod(shape):
            if here.id in axes:
                axis = axes[here.id]
                return axis if here.shape == shape else None if axis is None or here.shape[axis] == 1 else -1  # it was reshaped
            uses = self.snapshot.uses_by(here.id)
            here = self.snapshot.source(uses[0]) if uses else None
        return -1


def _tried(function: Function, source: Vertex) -> _Curve | None:
    """Try a function on numbers from −16 to 16; None if it does not behave as an activation."""
    x = np.linspace(-16.0, 16.0, 513).reshape(-1, *[1] * (len(source.shape) - 1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y, slope = _slope(function, x)
    except Exception:  # a formula may fail in any way on numbers that it was not made for
        return None
    if y.shape != x.shape or not (np.isfinite(y).all() and np.isfinite(slope).all()):
        return None
    steepest = float(slope[np.abs(x) <= 8].max())
    grows, falls = slope.max() > 1.05 * steepest, slope.min() < -0.5 * steepest
    if grows or falls or np.ptp(slope) < 1e-6 * steepest or steepest <= 0:
        return None
    steep = x[slope > 0.99 * steepest]
    return _Curve(function, steepest, float(steep[np.argmin(np.abs(steep))]), bool(((y == 0) & (slope == 0)).any()))


def _slope(function: Function, x: Values) -> tuple[Values, Values]:
    """y = f(x) and f′(x) for a function of tensors that works element by element, whatever mode the program is in."""
    before = switch(1)
    try:
        leaf = wrap(np.array(x))
        leaf.requires_grad = True
        y = function(leaf.clone())
        (slope,) = grad(y, leaf, wrap(np.ones_like(y._array)))
    finally:
        switch(before)
    return np.asarray(y._array), np.asarray(slope._array)


# -- what is measured ------------------------------------------------------------------------------------------------------


def _measured(snapshot: Snapshot, piece: _Piece) -> Layer:
    """The statistics of one layer; its name comes later."""
    out = piece.output
    layer = Layer("", "", piece.inside, [v.id for v in piece.vertices], [v.id for v in piece.parameters], shape=out.shape)
    layer.activates, layer.gate, layer.last = piece.curve is not None, piece.gate, piece.last
    if piece.parameters and all(v.constant for v in piece.parameters):
        layer.state = "frozen"
    if out.value is not None and out.value.size:
        _of_values(layer, out.value, piece)
    if out.gradient is not None and out.gradient.size:
        layer.gradient = norm([out.gradient])
        layer.mean_gradient = float(np.abs(out.gradient.astype(np.float64)).mean())
    if piece.parameters:
        layer.weight = norm([v.value for v in piece.parameters if v.value is not None])
        gradients = [v.gradient for v in piece.parameters if v.gradient is not None]
        layer.weight_gradient = norm(gradients) if gradients else None
    _of_slope(layer, piece)
    return layer


def _of_values(layer: Layer, values: Values, piece: _Piece) -> None:
    units = 1 if piece.axis is None or not values.ndim else values.shape[piece.axis]
    layer.units, layer.examples = units, values.size // units
    known = values[np.isfinite(values)].astype(np.float64)
    layer.not_finite, layer.zeros = values.size - known.size, float((values == 0).mean())
    if known.size:
        layer.min, layer.max, layer.mean, layer.std = (float(f(known)) for f in (np.min, np.max, np.mean, np.std))
        layer.histogram = [int(count) for count in np.histogram(known, BINS)[0]]


def _of_slope(layer: Layer, piece: _Piece) -> None:
    """Which activations are on a plateau, and which units off, from f and f′ at the very values."""
    curve, source, y, g = piece.curve, piece.source, piece.output.value, piece.output.gradient
    if curve is None or source is None or source.value is None or y is None or not y.size or layer.not_finite:
        return
    x = source.value
    _, slope = _slope(curve.function, x)
    off = (y == 0) & (slope == 0) if curve.rectifies else np.zeros(y.shape, bool)
    flat = (np.abs(slope) < PLATEAU * curve.steepest) & ~off
    layer.saturated = float(flat.mean())
    if g is not None:  # the loss pulls x along −g; it pulls towards the slope where x is on the other side of it
        layer.pulled = float((flat & (g * (x - curve.at) > 0)).mean())
    if curve.rectifies:
        layer.dead = float(_by_unit(off, layer, piece).all(axis=0).mean())
    layer.alike = not np.ptp(_by_unit(x, layer, piece), axis=0).any()


def _by_unit(values: Values, layer: Layer, piece: _Piece) -> Values:
    """The values as a matrix: an example in each row, a unit in each column."""
    turned = values if layer.units == 1 else np.moveaxis(values, piece.axis or 0, -1)
    return turned.reshape(-1, layer.units)


def _name(snapshot: Snapshot, pieces: list[_Piece], layers: list[Layer]) -> None:
    """Call each layer by its path, or by what the user calls its result or its weights; the second use is `name#2`."""
    modules = dict(snapshot.model.named_modules(remove_duplicate=False)) if snapshot.model is not None else {}
    uses: dict[str, int] = {}
    for piece, layer in zip(pieces, layers, strict=True):
        out, path = piece.output, piece.inside
        of_module = path is not None and (piece.whole or bool(piece.parameters))
        bent = [v.operation or "" for v in piece.vertices if v.operation not in ("add", "sub", "mul", "div")]
        formula = bent[0] + "…" * (len(piece.vertices) > 1) if piece.curve is not None and bent else out.operation or ""
        layer.kind = type(modules[path]).__name__ if of_module and path in modules else formula
        if of_module and path:
            aliases = [other for other, module in modules.items() if module is modules.get(path)]
            name = next((alias for alias in aliases if alias not in uses), path)
        elif piece.parameters and piece.curve is None:
            name = ", ".join(v.name for v in piece.parameters if v.name) or layer.kind
        else:
            name = out.name or (f"{path}." if path else "") + formula
        uses[name] = uses.get(name, 0) + 1
        layer.name = name if uses[name] == 1 else f"{name}#{uses[name]}"


def _absent(snapshot: Snapshot, layers: list[Layer]) -> list[Layer]:
    """The modules whose own weights have no part in any layer of the graph."""
    seen = {id for layer in layers for id in layer.parameters}
    theirs = {v.id for p in ([] if snapshot.model is None else snapshot.model.parameters()) if (v := vertex_of(snapshot, p))}
    if snapshot.model is None or (seen and not seen & theirs):  # a graph of other weights: this model is not meant
        return []
    found = []
    for path, module in snapshot.model.named_modules():
        own = list(module.parameters(recurse=False))
        vertices = [vertex_of(snapshot, p) for p in own]
        if own and not any(v is not None and v.id in seen for v in vertices):
            state = "unused" if any(p.requires_grad for p in own) else "frozen"
            name = path or ", ".join(name for name, _ in module.named_parameters(recurse=False))
            found.append(Layer(name, type(module).__name__, path, state=state, weight=norm([p.detach().numpy() for p in own])))
    return found
