"""What the quantities of a snapshot are called on paper: the user's names, and the course's where there are none.

A layer without names of its own gets W⁽¹⁾ and b⁽¹⁾ for what it learns, Z⁽¹⁾ for what it computes and A⁽¹⁾ for what its
activation makes of it; the input is X, the target y, the loss ℒ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from tinygrad_fr.visual.notation import RAISED, read_name
from tinygrad_fr.visual.snapshot import Snapshot, Vertex


class Layer(NamedTuple):
    """X W + b, however it was written."""

    source: Vertex
    weight: Vertex
    bias: Vertex | None
    result: Vertex


class Names:
    """The name of each quantity that has one, by the id of its vertex.

    Args:
        snapshot: the graph.
        given: the names that the user chose; with them, results that have another name go unnamed.
        wanted: vertices that must have a name.
        is_activation: tells whether a vertex is the activation of what it is computed from.

    Attributes:
        of: id -> name.
        stands_for: course notation -> the path that it replaces, such as {"W⁽¹⁾": "hidden.weight"}.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        given: Mapping[str, Any] | None,
        wanted: Collection[int],
        is_activation: Callable[[Vertex], bool],
    ) -> None:
        self._snapshot, self._given = snapshot, given
        self.of: dict[int, str] = {}
        self.stands_for: dict[str, str] = {}
        loss = snapshot.loss
        for v in snapshot:
            if v.name is not None and (v.kind != "operation" or v is loss or given is None or v.name in given):
                self.of[v.id] = v.name
        called = self.of.get(loss.id, "")
        if loss.kind == "operation" and not read_name(called).letter and (given is None or called not in given):
            self.of[loss.id] = "C" if called in ("cost", "coût", "cout") else "ℒ"
        self._name_layers(is_activation)
        for v in snapshot:
            if v.kind == "parameter" or (v.kind == "constant" and v.value is not None and v.value.size > 1):
                self.give(v, "K")
            elif v.id in wanted:
                self.give(v, "u")

    def give(self, v: Vertex, name: str) -> str:
        """Name a quantity that has no name, or only the path of a parameter in a model; its name is returned."""
        have = self.of.get(v.id)
        path = v.kind == "parameter" and not (have is None or read_name(have).letter or have in (self._given or ()))
        if have is not None and not path:
            return have
        while name in self.of.values():
            name += "′"
        if path and have is not None:
            self.stands_for[name] = have
        self.of[v.id] = name
        return name

    def _name_layers(self, is_activation: Callable[[Vertex], bool]) -> None:
        layers = [layer for v in self._snapshot if (layer := self._layer(v)) is not None]
        for k, layer in enumerate(layers, 1):
            number = f"⁽{str(k).translate(RAISED)}⁾"
            name = self.give(layer.weight, f"W{number}")
            scripts = name[1:] if name[0] in "Ww" and (len(name) > 1 or len(layers) == 1) else number
            if layer.bias is not None:
                self.give(layer.bias, f"b{scripts}")
            self.give(layer.result, ("z" if name[0] == "w" else "Z") + scripts)
            if k == 1 and layer.source.constant:
                self.give(layer.source, "x" if name[0] == "w" and min(layer.source.shape, default=1) == 1 else "X")
        for v in self._snapshot:
            sources = self.sources(v)
            if "target" in v.inputs:
                target = sources[v.inputs.index("target")]
                if target.constant and target.shape:
                    self.give(target, "y")
            if layers and v is not self._snapshot.loss and is_activation(v):
                before = self.of.get(sources[0].id, "")
                if before[:1] in ("Z", "z"):
                    self.give(v, ("A" if before[0] == "Z" else "a") + before[1:])

    def _layer(self, v: Vertex) -> Layer | None:
        """A `linear`, or a product with a parameter and the addition of another one after it."""
        if v.operation == "linear":
            source, weight, bias = self.sources(v)
            return Layer(source, weight, bias, v) if weight.kind == "parameter" else None
        if v.operation != "matmul":
            return None
        factors = [self._origin(s) for s in self.sources(v)]
        learnt = [f for f in factors if f.kind == "parameter"]
        if not learnt:
            return None
        source = factors[1 - factors.index(learnt[0])]
        product = self._next(v, "squeeze")
        result = self._next(product, "add")
        biases = [s for s in self.sources(result) if s.kind == "parameter"] if result is not product else []
        return Layer(source, learnt[0], *((biases[0], result) if biases else (None, product)))

    def sources(self, v: Vertex) -> list[Vertex]:
        """What a result is computed from."""
        return [self._snapshot.source(link) for link in self._snapshot.uses_by(v.id)]

    def _origin(self, v: Vertex) -> Vertex:
        """What was transposed, or seen as a matrix, to enter a product."""
        while v.operation in ("transpose", "permute", "unsqueeze") and v.id not in self.of:
            v = self.sources(v)[0]
        return v

    def _next(self, v: Vertex, operation: str) -> Vertex:
        """What a result goes into at once, if it has no name and goes nowhere else; else itself."""
        while v.id not in self.of and len(uses := self._snapshot.uses_of(v.id)) == 1:
            target = self._snapshot.target(uses[0])
            if target.operation != operation:
                break
            v = target
        return v
