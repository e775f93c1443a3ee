"""A snapshot is everything that a picture of backpropagation needs, taken from a graph before `backward()` frees it.

It knows nothing of how it will be shown. Pictures, the page, derivations and diagnoses all read it.
"""

from __future__ import annotations

import gc
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.errors import no_gradient
from tinygrad_fr.graph import unbroadcast
from tinygrad_fr.nn import module as modules
from tinygrad_fr.nn.module import Hooks, Module
from tinygrad_fr.node import OUTPUT, Node, switch, tick
from tinygrad_fr.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_fr.optim.optimizer import Optimizer
    from tinygrad_fr.visual.picture import Drawing

Values = NDArray[Any]


@dataclass(slots=True, eq=False)
class Vertex:
    """One quantity of the graph: a leaf, a constant, a number, or the result of an operation.

    Attributes:
        id: 1, 2, ... in the order of creation: the same program gives the same ids.
        kind: "parameter" (a leaf that wants a gradient), "constant", "number", "operation", or "failed".
        name: what the user calls it: a path in the model, a variable, or None.
        operation: for a result, the name of the operation; its symbol and LaTeX template are beside it.
        params: the operation's keyword arguments.
        module: the path of the module whose forward computed it (or that owns it), None outside.
        value: the number or array; None where it can no longer be known.
        gradient: ∂loss/∂value as this graph gives it; None where none was asked for, or none flows.
        stored: what the tensor's own `.grad` holds (leaves, and what retains its gradient).
        state: of `stored`: "none" (no backward yet), "fresh" (this graph's), "stale" (an earlier one's, and still to be
            added to), "accumulated" (an earlier one's plus this graph's), "other".
        after: the value after the optimiser's step, when `look()` found it changed.
        order: the place in the backward pass, from 1 for the loss; None where the pass does not go.
        error: why the operation failed.
        site: "file:line" of the user's code, when `detect_anomaly` noted it.
        constant: whether no gradient flows through it.
    """

    id: int
    kind: str
    name: str | None = None
    operation: str | None = None
    symbol: str = ""
    latex: str = ""
    inputs: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    module: str | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""
    value: Values | None = None
    gradient: Values | None = None
    stored: Values | None = None
    state: str = "none"
    after: Values | None = None
    order: int | None = None
    error: str | None = None
    site: str | None = None

    @property
    def constant(self) -> bool:
        return self.kind in ("constant", "number")


@dataclass(slots=True, eq=False)
class Link:
    """One use of a quantity by an operation; `x * x` has two of them.

    Attributes:
        source, target: the ids of the quantity and of the result it goes into.
        position: the number of the argument, from 0.
        contribution: what this use adds to the gradient of the source; the contributions of all its uses sum to it.
        spread: the same before broadcasting was undone, where that differs.
        axes: the axes of the result over which `spread` was summed, because the source was stretched along them.
    """

    source: int
    target: int
    position: int
    contribution: Values | None = None
    spread: Values | None = None
    axes: tuple[int, ...] = ()


class Snapshot:
    """A graph at rest: its quantities in the order of their creation, their uses, their values and their gradients.

    Take it before `backward()`, which frees the graph (or after `backward(retain_graph=True)`). Values that the program
    has dropped are computed again from the declarations; nothing of the program's own state changes.

    Args:
        loss: the tensor whose graph is wanted.
        model: names the parameters by their paths; found among the caller's variables if it is not given.
        names: names of your own, {"w1": tensor}; they come first. Then the model's, then the caller's variables.
        gradients: compute the gradient of every quantity now, as backward() would, without touching any `.grad`.

    Raises:
        RuntimeError: when no graph leads to the loss, or it was freed.

    >>> import tinygrad_fr as torch
    >>> from tinygrad_fr.visual import Snapshot
    >>> a = torch.tensor(3.0, requires_grad=True)
    >>> b = a + a
    >>> snapshot = Snapshot(b * b)
    >>> [(v.id, v.name or v.symbol, float(v.value), float(v.gradient)) for v in snapshot.vertices]
    [(1, 'a', 3.0, 24.0), (2, 'b', 6.0, 12.0), (3, '×', 36.0, 1.0)]
    >>> [(link.source, link.target, float(link.contribution)) for link in snapshot.links]
    [(1, 2, 12.0), (1, 2, 12.0), (2, 3, 6.0), (2, 3, 6.0)]
    """

    vertices: list[Vertex]
    links: list[Link]

    def __init__(
        self,
        loss: Tensor,
        *,
        model: Module | None = None,
        names: Mapping[str, Tensor] | None = None,
        gradients: bool = True,
        calls: Sequence[Call] = (),
        _frame: FrameType | None = None,
    ) -> None:
        if not isinstance(loss, Tensor):
            raise TypeError(f"a snapshot is taken of a Tensor, got {type(loss).__name__}")
        if loss._node is None:
            no_gradient(loss, "backward")
        if loss._node.operation is not None and loss._node.edges is None:
            raise RuntimeError(
                "the graph of this tensor was freed by backward(): take the snapshot before, or write "
                "`loss.backward(retain_graph=True)`."
            )
        self._take([loss], None, model, names, calls, _frame or sys._getframe(1))
        self.loss = self.vertices[-1]
        if gradients:
            self._differentiate(loss._node, np.ones(loss._array.shape, loss._array.dtype))
        self.look()

    @classmethod
    def of_error(
        cls, error: BaseException, *, model: Module | None = None, names: Mapping[str, Tensor] | None = None
    ) -> Snapshot:
        """The graph up to the operation that raised an error, which is its last vertex, of kind "failed".

        Raises:
            ValueError: when the error did not come out of an operation on tensors.
        """
        name, args, frame = _failed_call(error.__traceback__)
        self = cls.__new__(cls)
        self._take([t for t in args if isinstance(t, Tensor)], (name, args, str(error)), model, names, (), frame)
        self.loss = self.vertices[-1]
        self.look()
        return self

    # -- taking it -------------------------------------------------------------------------------------------------

    def _take(
        self,
        roots: list[Tensor],
        failed: tuple[str, Sequence[Any], str] | None,
        model: Module | None,
        names: Mapping[str, Tensor] | None,
        calls: Sequence[Call],
        frame: FrameType,
    ) -> None:
        nodes = _nodes([t._node for t in roots if t._node is not None])
        self._behind = {node: whole for node in nodes if (whole := _function_behind(node)) is not None}
        whole_ones = set(self._behind.values())
        nodes = [node for node in nodes if node not in whole_ones]
        alive = _tensors_of(nodes)
        self._nodes, self._alive = nodes, alive
        self.vertices, self.links = [], []
        self._ids: dict[Any, int] = {}  # Node, or id of a constant Tensor -> vertex id
        self._constants: dict[int, Tensor] = {}
        self._earlier: dict[int, Values] = {}  # what .grad held before this graph's backward
        self._looked = False
        for node in nodes:
            sources = [self._source(value) for value in self._behind.get(node, node).inputs]
            vertex = self._add(node, "parameter" if node.operation is None else "operation")
            vertex.site = node.site
            for position, source in enumerate(sources):
                self.links.append(Link(source, vertex.id, position))
            if node.operation is not None:
                op = node.operation
                vertex.operation, vertex.symbol, vertex.latex = op.name, op.symbol, op.latex
                vertex.inputs, vertex.params = tuple(op.inputs), dict(node.params or {})
        if failed is not None:
            name, args, why = failed
            sources = [self._source(a._node if isinstance(a, Tensor) and a._node is not None else a) for a in args]
            vertex = self._add(object(), "failed")
            vertex.operation = vertex.symbol = name
            vertex.error = why
            self.links += [Link(source, vertex.id, position) for position, source in enumerate(sources)]
        self._by_id = {self._ids[node]: node for node in nodes}
        self._find_values()
        found = _Names(frame, model, names)
        self.model = found.model
        for node in nodes:
            vertex = self[self._ids[node]]
            vertex.name = found.of(alive.get(node))
        for key, tensor in self._constants.items():
            self[self._ids[key]].name = found.of(tensor)
        self._group(calls)

    def _add(self, key: Any, kind: str) -> Vertex:
        vertex = Vertex(len(self.vertices) + 1, kind)
        self.vertices.append(vertex)
        self._ids[key] = vertex.id
        return vertex

    def _source(self, value: Any) -> int:
        """The id of an argument: a node, a constant tensor (one vertex however often it is used), or a number."""
        if isinstance(value, Node):
            return self._ids[value]
        if isinstance(value, Tensor):
            if id(value) not in self._ids:
                self._constants[id(value)] = value
                vertex = self._add(id(value), "constant")
                _show(vertex, value._array)
            return self._ids[id(value)]
        vertex = self._add(object(), "number")
        _show(vertex, np.asarray(value))
        vertex.dtype = type(value).__name__
        return vertex.id

    def _find_values(self) -> None:
        """The value of each node: of its tensor if that lives, else what some formula kept, else computed once more."""
        kept: dict[Node, Any] = {}
        for node in self._nodes:
            for _, _, saved, _, index in node.edges or ():
                if index < 0 or not hasattr(node.operation, "sources"):
                    continue
                for source, value in zip(node.operation.sources[index], saved, strict=False):
                    origin = node if source == OUTPUT else node.inputs[source] if source >= 0 else None
                    if isinstance(origin, Node):
                        kept.setdefault(origin, value)
        for node in self._nodes:
            vertex = self[self._ids[node]]
            tensor = self._alive.get(node)
            if tensor is not None:
                _show(vertex, tensor._array)
            elif node in kept:
                _show(vertex, kept[node])
            elif hasattr(node.operation, "forward"):
                values = [self[link.source].value for link in self.uses_by(vertex.id)]
                if all(value is not None for value in values):
                    numbers = [self[link.source].kind == "number" for link in self.uses_by(vertex.id)]
                    operands = [v.item() if n else v for v, n in zip(values, numbers, strict=True)]  # type: ignore[union-attr]
                    _show(vertex, node.operation.forward(*operands, **(node.params or {})))

    def _differentiate(self, root: Node, seed: Values) -> None:
        """Walk back as `graph.walk` does, and note on each link what it brings, in the arrays' own dtype."""
        arrived: dict[Node, Any] = {root: seed}
        by_place = {(link.target, link.position): link for link in self.links}
        before = switch(0)
        try:
            for order, node in enumerate(sorted(self._nodes, key=lambda n: -n.stamp), 1):
                g = arrived.get(node)
                if g is None:
                    continue
                vertex = self[self._ids[node]]
                vertex.order = order
                if hasattr(g, "shape"):
                    vertex.gradient = np.array(g)
                edges = node.edges or ()
                if node in self._behind:  # what this output alone sends back: the others count as 0
                    ((_, bundle, place, _, _),) = edges
                    g, edges = bundle(g, *place), self._behind[node].edges or ()
                for target, formula, saved, like, index in edges:
                    raw = formula(g, *saved)
                    total = raw if like is None else unbroadcast(raw, like)
                    arrived[target] = arrived[target] + total if target in arrived else total
                    if index < 0 and len(saved) == 1 and type(saved[0]) is int:  # a user's Function says it there
                        index = saved[0]
                    link = by_place.get((vertex.id, index))
                    if link is not None and hasattr(total, "shape"):
                        link.contribution = np.array(total)
                        if total.shape != raw.shape:
                            link.spread, link.axes = np.array(raw), _stretched(total.shape, raw.shape)
        finally:
            switch(before)

    def _group(self, calls: Sequence[Call]) -> None:
        """Give each vertex the path of its module: of the call that made it, or of the parameters it reads."""
        if self.model is None:
            return
        owners = {id(p): path.rpartition(".")[0] for path, p in self.model.named_parameters(remove_duplicate=False)}
        owners |= {id(b): path.rpartition(".")[0] for path, b in self.model.named_buffers()}
        for key, node in [*((node, node) for node in self._nodes), *((key, None) for key in self._constants)]:
            tensor = self._constants[key] if node is None else self._alive.get(node)  # type: ignore[index]
            if id(tensor) in owners:
                self[self._ids[key]].module = owners[id(tensor)]
        paths = {module: path for path, module in self.model.named_modules()}
        if calls:
            for node in self._nodes:
                if node.operation is not None:
                    inside = [call for call in calls if call.start < node.stamp < call.end and call.module in paths]
                    if inside:
                        self[self._ids[node]].module = paths[max(inside, key=lambda call: call.start).module]
            return
        for vertex in self.vertices:
            if vertex.kind in ("operation", "failed"):
                sources = map(self.source, self.uses_by(vertex.id))
                read = {source.module for source in sources if source.kind == "parameter" and source.module is not None}
                if len(read) == 1:
                    vertex.module = read.pop()

    # -- reading it ------------------------------------------------------------------------------------------------

    def __getitem__(self, key: int | str) -> Vertex:
        """The vertex of an id, or of a name."""
        if isinstance(key, str):
            for vertex in self.vertices:
                if vertex.name == key:
                    return vertex
            raise KeyError(f"no quantity is called {key!r}; there are {[v.name for v in self.vertices if v.name]}")
        return self.vertices[key - 1]

    def __len__(self) -> int:
        return len(self.vertices)

    def __iter__(self) -> Iterator[Vertex]:
        return iter(self.vertices)

    def vertex_of(self, tensor: Tensor) -> Vertex:
        """The vertex of a tensor of the program.

        Raises:
            KeyError: when the tensor has no part in this graph.
        """
        key: Any = tensor._node if tensor._node is not None else id(tensor)
        if key not in self._ids:
            raise KeyError(f"this tensor of shape {tuple(tensor.shape)} has no part in the graph of the snapshot")
        return self[self._ids[key]]

    def source(self, link: Link) -> Vertex:
        """The quantity that a link uses."""
        return self.vertices[link.source - 1]

    def target(self, link: Link) -> Vertex:
        """The result that a link goes into."""
        return self.vertices[link.target - 1]

    def uses_by(self, id: int) -> list[Link]:
        """The links into a vertex, by position: what it is computed from."""
        return self._index()[0].get(id, [])

    def uses_of(self, id: int) -> list[Link]:
        """The links out of a vertex, in order: where it is used."""
        return self._index()[1].get(id, [])

    def _index(self) -> tuple[dict[int, list[Link]], dict[int, list[Link]]]:
        """The links by target and by source; made again while the snapshot grows."""
        known = self.__dict__.get("_indexed")
        if known is None or known[0] != len(self.links):
            into: dict[int, list[Link]] = {}
            out: dict[int, list[Link]] = {}
            for link in self.links:
                into.setdefault(link.target, []).append(link)
                out.setdefault(link.source, []).append(link)
            known = self.__dict__["_indexed"] = (len(self.links), into, out)
        return known[1], known[2]

    def formula(self, link: Link) -> Callable[..., Any] | None:
        """The declaration's gradient formula on a link; None where the input has none (an index, a mask)."""
        op = self.operation(self.target(link))
        return None if op is None else op.formulas[link.position]

    def operation(self, vertex: Vertex) -> Any:
        """The declaration that made a vertex; None for what is not a result, and for a user's `Function`."""
        node = self._by_id.get(vertex.id)
        return node.operation if node is not None and hasattr(node.operation, "formulas") else None

    def look(self) -> Snapshot:
        """Look at the program again: note the gradients that `.grad` holds now, and the values that a step has changed."""
        for node, tensor in self._alive.items():
            vertex = self[self._ids[node]]
            vertex.stored = None if node.grad is None else np.array(node.grad._array)
            vertex.state = self._state(vertex)
            if node.operation is None and vertex.value is not None and _changed(vertex.value, tensor._array):
                vertex.after = np.array(tensor._array)
        self._looked = True
        return self

    def _state(self, vertex: Vertex) -> str:
        """What a stored gradient is: this graph's, an earlier one's, or their sum."""
        stored, gradient, earlier = vertex.stored, vertex.gradient, self._earlier.get(vertex.id)
        if stored is None:
            return "none"
        if earlier is None and not self._looked and not _close(stored, gradient):
            self._earlier[vertex.id] = earlier = stored
        if earlier is not None and _close(stored, earlier):
            return "stale"
        if earlier is not None and gradient is not None and _close(stored, earlier + gradient):
            return "accumulated"
        return "fresh" if _close(stored, gradient) else "other"

    def to_json(self, *, largest: int = 4096) -> dict[str, Any]:
        """Everything as plain Python values, ready for `json.dumps`; arrays of more elements become their statistics."""
        return {
            "vertices": [
                {
                    **{name: getattr(v, name) for name in _PLAIN},
                    "shape": list(v.shape),
                    "inputs": list(v.inputs),
                    "params": {key: _json(value, largest) for key, value in v.params.items()},
                    **{name: _json(getattr(v, name), largest) for name in ("value", "gradient", "stored", "after")},
                }
                for v in self.vertices
            ],
            "links": [
                {
                    "source": link.source,
                    "target": link.target,
                    "position": link.position,
                    "axes": list(link.axes),
                    "contribution": _json(link.contribution, largest),
                    "spread": _json(link.spread, largest),
                }
                for link in self.links
            ],
            "loss": self.loss.id,
        }

    def graphviz(self, **options: Any) -> Drawing:
        """The drawing of this graph, a `graphviz.Digraph`; the options are those of `visual.draw`.

        >>> import tinygrad_fr as torch
        >>> w = torch.tensor(2.0, requires_grad=True)
        >>> print(Snapshot(w * w).graphviz().source.splitlines()[0])
        digraph tinygrad_fr {
        """
        from tinygrad_fr.visual.dot import draw

        return draw(self, **options)

    def html(
        self,
        path: str | os.PathLike[str],
        *,
        lang: str | None = None,
        exercise: bool = False,
        optimizer: Optimizer | None = None,
        checks: bool = True,
        digits: int = 4,
        title: str | Mapping[str, str] | None = None,
    ) -> Path:
        """Write a page that steps forward, backward and through the update of this graph, and return its path.

        One HTML file, which needs no network: buttons, keyboard, both languages, finite differences, an exercise with its
        answers to be printed. It shows what the snapshot knows: `look()` after `optimizer.step()` shows the step that was
        made; without it the page previews plain gradient descent.

        Args:
            path: the file.
            lang: "en" or "fr", which the page lets its reader change; the user's own if left out.
            exercise: whether it opens with blanks to be filled in, which its reader can change as well.
            optimizer: gives its name and learning rate.
            checks: whether every gradient is checked by finite differences.
            digits: 3, 4 or 6 significant digits at first.
            title: a title of your own, or {"en": ..., "fr": ...}.

        Raises:
            ValueError: for another language or number of digits.
            TypeError: when the optimizer is none.
            OSError, RuntimeError: when the folder does not exist, or nothing may be written there.

        >>> import tempfile
        >>> import tinygrad_fr as torch
        >>> a = torch.tensor(3.0, requires_grad=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = Snapshot(a * a).html(f"{folder}/square.html", lang="fr").read_text(encoding="utf-8")
        >>> page[page.index("<title>"):page.index("</title>")]
        '<title>La rétropropagation, pas à pas'
        """
        from tinygrad_fr.visual.page import write

        return write(
            self, path, lang=lang, exercise=exercise, optimizer=optimizer, checks=checks, digits=digits, title=title
        )


_PLAIN = ("id", "kind", "name", "operation", "symbol", "latex", "module", "dtype", "state", "order", "error", "site")


def _json(value: Any, largest: int) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        if value.size > largest:
            finite = np.asarray(value)[np.isfinite(value)]
            names = ("min", "max", "mean", "std") if finite.size else ()
            return {"shape": list(value.shape), **{name: float(getattr(np, name)(finite)) for name in names}}
        return _json(value.tolist(), largest)
    if isinstance(value, (list, tuple)):
        return [_json(item, largest) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no nan and no inf
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _show(vertex: Vertex, array: Any) -> None:
    """Note a value, copied: the program may write over it."""
    vertex.value = np.array(array)
    vertex.shape, vertex.dtype = tuple(vertex.value.shape), str(vertex.value.dtype)


def _stretched(shape: tuple[int, ...], spread: tuple[int, ...]) -> tuple[int, ...]:
    """The axes along which broadcasting had stretched an array of `shape` to `spread`."""
    extra = len(spread) - len(shape)
    return (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and spread[i + extra] != 1))


def _changed(before: Values, now: Values) -> bool:
    return not np.array_equal(before, now, equal_nan=before.dtype.kind in "fc")


def _close(a: Values, b: Values | None) -> bool:
    return b is not None and a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-7, equal_nan=True))


def _nodes(roots: list[Node]) -> list[Node]:
    """Every node that leads to the roots, oldest first; no recursion."""
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [value for value in node.inputs if isinstance(value, Node)]
            stack += [edge[0] for edge in node.edges or ()]
    return sorted(seen, key=lambda node: node.stamp)


def _function_behind(node: Node) -> Node | None:
    """For `F[0]`, the node of an output of a user's `Function`, the node of F itself: a snapshot shows the two as one."""
    if node.operation is None or len(node.edges or ()) != 1:
        return None
    ((whole, _, saved, _, _),) = node.edges or ()
    output = whole.operation is not None and saved and node.operation.name == f"{whole.operation.name}[{saved[0]}]"
    return whole if output else None


def _tensors_of(nodes: list[Node]) -> dict[Node, Tensor]:
    """The living tensor of each node. A node does not know its tensor, so all the tensors that live are looked through."""
    wanted = set(nodes)
    kinds = {Tensor, *_subclasses(Tensor)}  # by type: isinstance would wake lazy objects of other libraries
    return {t._node: t for t in gc.get_objects() if type(t) in kinds and getattr(t, "_node", None) in wanted}


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


# -- names -------------------------------------------------------------------------------------------------------------


class _Names:
    """What the user calls each tensor: names given, then paths in the model, then variables of the calling function."""

    def __init__(self, frame: FrameType, model: Module | None, names: Mapping[str, Tensor] | None) -> None:
        local, known = frame.f_locals, frame.f_globals
        models = {name: value for name, value in {**known, **local}.items() if isinstance(value, Module) and name[0] != "_"}
        self.model = model if model is not None else next(iter(models.values()), None) if len(models) == 1 else None
        self._names: dict[int, str] = {}
        for found in (names or {}, self._paths(models), _variables(local), _variables(known)):
            for name, tensor in found.items():
                self._names.setdefault(self._key(tensor), name)

    def _paths(self, models: dict[str, Module]) -> dict[str, Tensor]:
        """Parameters and buffers by path, after the model's own name where there are several models."""
        if self.model is not None:
            models = {"": self.model}
        return {
            f"{name}.{path}" if name else path: tensor
            for name, module in models.items()
            for path, tensor in [*module.named_parameters(), *module.named_buffers()]
        }

    @staticmethod
    def _key(tensor: Tensor) -> int:
        return id(tensor if tensor._node is None else tensor._node)

    def of(self, tensor: Tensor | None) -> str | None:
        return None if tensor is None else self._names.get(self._key(tensor))


def _variables(space: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors among some variables, and those in their lists, dictionaries and objects, one level down."""
    found: dict[str, Tensor] = {}
    for name, value in space.items():
        if name.startswith("_") or not name.isidentifier():  # a tool's own, such as pytest's
            continue
        if isinstance(value, Tensor):
            found[name] = value
    for name, value in space.items():
        if name.startswith("_") or not name.isidentifier() or isinstance(value, (Tensor, Module, type)):
            continue
        if isinstance(value, (list, tuple)) and len(value) <= 100:
            found |= {f"{name}[{i}]": item for i, item in enumerate(value) if isinstance(item, Tensor)}
        elif isinstance(value, dict) and len(value) <= 100:
            found |= {f"{name}[{key!r}]": item for key, item in value.items() if isinstance(item, Tensor)}
        elif type(value).__module__ != "builtins" and isinstance(getattr(value, "__dict__", None), dict):
            found |= {f"{name}.{key}": item for key, item in vars(value).items() if isinstance(item, Tensor)}
    return found


# -- which module computed what, and what failed -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a module: everything recorded between two ticks of the clock was computed inside."""

    module: Module
    start: int
    end: int


class watch:
    """Follow the modules that are called inside a `with` block, so that each result is drawn inside its module.

    Without it a snapshot still groups what reads a parameter with the module that owns the parameter.

    >>> import tinygrad_fr as torch
    >>> from tinygrad_fr import nn, visual
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.Tanh())
    >>> with visual.watch() as watched:
    ...     loss = net(torch.ones(1, 2)).sum()
    >>> [(v.operation, v.module) for v in watched.snapshot(loss, model=net) if v.kind == "operation"]
    [('linear', '0'), ('tanh', '1'), ('sum', None)]
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._open: list[int] = []

    def __enter__(self) -> watch:
        self._before = modules.everywhere
        hooks = Hooks()
        hooks.before.append([(self._enter, False)])
        hooks.after.append([(self._leave, False, True)])
        modules.everywhere = hooks
        return self

    def __exit__(self, *exc: object) -> None:
        modules.everywhere = self._before

    def _enter(self, module: Module, args: Any) -> None:
        self._open.append(tick())

    def _leave(self, module: Module, args: Any, output: Any) -> None:
        self.calls.append(Call(module, self._open.pop(), tick()))

    def snapshot(self, loss: Tensor, **options: Any) -> Snapshot:
        """The snapshot of a loss that was computed inside the block, with its results in their modules."""
        return Snapshot(loss, calls=self.calls, _frame=sys._getframe(1), **options)


_PACKAGE = str(Path(__file__).parents[1]) + os.sep


def _failed_call(traceback: TracebackType | None) -> tuple[str, list[Any], FrameType]:
    """The operation that raised, its arguments, and the user's frame that called it, from a traceback."""
    frames = []
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    own = [f.f_code.co_filename.startswith((_PACKAGE, "<recorder ")) for f in frames]
    first = next((i for i in reversed(range(len(frames))) if not own[i]), -1) + 1
    for frame in reversed(frames[first:]):  # the recorder of an operation, if it got so far
        if frame.f_code.co_filename.startswith("<recorder "):
            op = frame.f_globals["op"]
            known_as = ["input" if name == "x" else name for name in op.inputs]
            return op.name, [frame.f_locals[name] for name in known_as], frames[max(first - 1, 0)]
        if frame.f_code.co_name == "record" and "op" in frame.f_locals:
            return frame.f_locals["op"].name, list(frame.f_locals["args"]), frames[max(first - 1, 0)]
    for frame in frames[first:]:  # else the function that the user called, with its tensors
        code = frame.f_code
        args = [frame.f_locals.get(name) for name in code.co_varnames[: code.co_argcount]]
        if any(isinstance(value, Tensor) for value in args):
            return code.co_name, [value for value in args if isinstance(value, Tensor)], frames[max(first - 1, 0)]
    raise ValueError("this error did not come out of an operation on tensors: there is no graph to show")
