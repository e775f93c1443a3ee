"""The graph of a snapshot as formulas: each named quantity from the named ones before it, and the gradients on the way back.

A result that has no name is part of the formula of the next one that has.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tinygrad_fr.graph import unbroadcast
from tinygrad_fr.node import OUTPUT
from tinygrad_fr.visual.naming import Names
from tinygrad_fr.visual.notation import LOWERED
from tinygrad_fr.visual.snapshot import Link, Snapshot, Vertex
from tinygrad_fr.visual.symbols import (
    Function,
    Length,
    NeedsValues,
    Symbol,
    applied,
    as_written,
    call,
    constant,
    elementwise,
    evaluate,
    forward,
    gradient,
    names,
    noted,
    parts,
    rebuilt,
    same,
    shown_as,
)

LONG = 12
"""An unnamed result whose formula has more calls than this is given a name, u₁, u₂, ..."""

UNROLLED = 4
"""An operation is written out when its formula has no more calls than this, (1/n) Σ (ŷ − y)², and by its name otherwise,
CE(softmax(Z), y); activations always go by their names."""


class Formulas:
    """What each quantity of a snapshot is, on paper.

    Args:
        snapshot: the graph.
        given: the names that the user chose, as in `Names`.
        wanted: the ids of vertices that must have a name.

    Attributes:
        names: the name of each named quantity, by the id of its vertex; `naming` says what the course's names stand for.
        symbols: its symbol.
        definitions: the formula of each named result.
        values: the value of each symbol.
        lengths: the lengths that have a name, n, m, ...
        primes: the derivatives f′ that were needed: name -> (f′(z), its formula).
        extra: names given to what a formula computes on its way, A⁽³⁾ for softmax(Z⁽³⁾): name -> (symbol, formula).
        classes: the symbols that are 1 at the class of each sample and 0 elsewhere, by name.
        guarded: whether a guard against a division by 0 was left aside to simplify a formula.
        complete: whether every value is known, hence every shape; otherwise there are names and no formulas.
    """

    def __init__(self, snapshot: Snapshot, given: Mapping[str, Any] | None = None, wanted: Collection[int] = ()) -> None:
        self.snapshot = snapshot
        self._slopes: dict[tuple[str, str], Function | None] = {}
        self.naming = Names(snapshot, given, wanted, self._is_activation)
        self.names = self.naming.of
        self._axes = self._name_lengths()
        self.lengths = list(self._axes.values())
        self.symbols: dict[int, Symbol] = {}
        self.definitions: dict[int, Symbol] = {}
        self.values: dict[Symbol, Any] = {length.symbol: int(length) for length in self.lengths}
        self.primes: dict[str, tuple[Symbol, Symbol]] = {}
        self.extra: dict[str, tuple[Symbol, Symbol]] = {}
        self.classes: dict[str, Symbol] = {}
        self.guarded = False
        self._written: dict[int, Any] = {}
        self.complete = all(vertex.value is not None for vertex in snapshot)
        for vertex in snapshot if self.complete else ():
            self._written[vertex.id] = self._write(vertex)

    def _name_lengths(self) -> dict[tuple[int, int], Length]:
        """n, m, ... for the axes of the last array before the loss: a mean divides by n. Key: (axis, length)."""
        shapes = [v.shape for v in self.snapshot if v.kind == "operation" and v.shape]
        free = (name for name in "nmpqrstv" if name not in self.names.values())
        axes = [(axis, size) for axis, size in enumerate(shapes[-1] if shapes else ()) if size > 1]
        return {key: Length(key[1], name) for key, name in zip(axes, free, strict=False)}

    # -- formulas --------------------------------------------------------------------------------------------------

    def shape(self, v: Vertex) -> tuple[int, ...]:
        """The shape of a quantity, with the lengths that have a name."""
        return tuple(self._axes.get((axis, n), n) for axis, n in enumerate(v.shape)) if v.kind != "parameter" else v.shape

    def _write(self, v: Vertex) -> Any:
        """What stands for a quantity in a formula: its symbol, a number, or a formula."""
        if v.kind == "number":
            number = v.value.item()  # type: ignore[union-attr]  # complete: every value is known
            return int(number) if isinstance(number, float) and number.is_integer() else number
        if v.kind != "operation":
            return self._symbol(v) if v.id in self.names else constant(v.value.item(), v.shape, v.dtype)  # type: ignore[union-attr]
        formula = self._formula(v)
        if v.id not in self.names and formula.calls > LONG:
            number = sum(name[0] == "u" for name in self.names.values()) + 1
            self.naming.give(v, f"u{str(number).translate(LOWERED)}")
        if v.id not in self.names:
            return formula
        self.definitions[v.id] = formula
        return self._symbol(v)

    def _symbol(self, v: Vertex) -> Symbol:
        symbol = Symbol(self.names[v.id], self.shape(v), v.dtype if v.dtype[:1] in ("i", "u", "b") else np.float64)
        self.symbols[v.id] = symbol
        self.values[symbol] = v.value
        return symbol

    def _formula(self, v: Vertex) -> Symbol:
        """A result as the declaration writes it, or by its name where that says more."""
        op, inputs = self.snapshot.operation(v), self._inputs(v)
        if op is None:  # a user's autograd.Function
            return as_written(Function((v.operation or "f", *range(len(inputs))), _unknown), *inputs)
        formula = forward(op, inputs, v.params)
        if not isinstance(formula, Symbol):
            return constant(formula, v.shape)
        own = formula.calls - sum(part.calls for part in inputs if isinstance(part, Symbol))
        if own > UNROLLED or self._slope_of(op, v.params) is not None:
            formula = applied(op, *inputs, **v.params)
        if formula.function is not None and all(formula is not part for part in inputs):
            formula.shape = self.shape(v)
        return formula

    def _inputs(self, v: Vertex) -> list[Any]:
        return [self._written[source.id] for source in self.naming.sources(v)]

    # -- derivatives -----------------------------------------------------------------------------------------------

    def partials(self, v: Vertex, g: Symbol, stops: Collection[int]) -> dict[int, Symbol]:
        """What flows from one quantity back to those that it is directly made of, where g is its own gradient.

        The way back passes through what is not among the stops; where ways meet, their gradients are added.
        """
        waiting, heap, found = {v.id: g}, [-v.id], {}
        while heap:
            vertex = self.snapshot[-heapq.heappop(heap)]
            if vertex is not v and (vertex.id in stops or vertex.kind == "parameter"):
                found[vertex.id] = waiting[vertex.id]
                continue
            for link in self.snapshot.uses_by(vertex.id):
                part = self.along(link, waiting[vertex.id])
                if part is None:
                    continue
                if link.source in waiting:
                    part = waiting[link.source] + part
                else:
                    heapq.heappush(heap, -link.source)
                waiting[link.source] = part
        return found

    def made_of(self, v: Vertex, stops: Collection[int]) -> set[int]:
        """The quantities that one is directly made of and that gradients flow to: those of `partials`."""
        found, seen, stack = set(), {v.id}, [v.id]
        while stack:
            for source in self.naming.sources(self.snapshot[stack.pop()]):
                if source.constant or source.id in seen:
                    continue
                seen.add(source.id)
                if source.id in stops or source.kind == "parameter":
                    found.add(source.id)
                else:
                    stack.append(source.id)
        return found

    def along(self, link: Link, g: Symbol) -> Symbol | None:
        """What one use of a quantity adds to its gradient, where g is the gradient of the result; None if nothing flows."""
        v, source = self.snapshot.target(link), self.snapshot.source(link)
        op = self.snapshot.operation(v)
        if source.constant or (op is not None and op.formulas[link.position] is None):
            return None
        if op is None:
            part: Symbol = g * self._unknown_slope(link)
        elif (slope := self._slope_of(op, v.params)) is not None:
            z = Symbol("z")
            formula = gradient(op, 0, constant(1), [z], applied(op, z, **v.params), v.params)
            self.primes.setdefault(slope.shown[0], (call(slope, z), formula))
            part = g * call(slope, self._inputs(v)[0])
        else:
            part = gradient(op, link.position, g, self._inputs(v), self._written[v.id], v.params)
        if tuple(part.shape) != tuple(source.shape):
            part = unbroadcast(part, (source.shape, part.dtype))
        return part

    def _unknown_slope(self, link: Link) -> Symbol:
        """The derivative of a user's autograd.Function, which has a value and no formula."""
        v, source = self.snapshot.target(link), self.snapshot.source(link)
        local = Symbol(f"∂{self.names.get(v.id, v.operation)}/∂{self.names.get(source.id, 'x')}", source.shape)
        arrived, brought = v.gradient, link.contribution
        self.values[local] = math.nan
        if arrived is not None and brought is not None and arrived.size == 1 and arrived.item() != 0:
            self.values[local] = brought / arrived.item()
        return local

    def _slope_of(self, op: Any, params: Mapping[str, Any]) -> Function | None:
        """f′, for a function f of one array, element by element, that is shown by its name."""
        key = op.name, repr(params)
        if key not in self._slopes:
            self._slopes[key] = _slope(op, params)
        return self._slopes[key]

    def slope_with_result(self, v: Vertex) -> Symbol | None:
        """f′ of an activation, written with its result: A (1 − A) for A = σ(Z)."""
        op = self.snapshot.operation(v)
        if op is None or self._slope_of(op, v.params) is None:
            return None
        return gradient(op, 0, constant(1, self.shape(v)), self._inputs(v), self._written[v.id], v.params)

    def _is_activation(self, v: Vertex) -> bool:
        op = self.snapshot.operation(v)
        return op is not None and (op.name == "softmax" or self._slope_of(op, v.params) is not None)

    def passed_through(self, v: Vertex) -> bool:
        """Whether a quantity is the activation of a named one: ∂C/∂Z⁽¹⁾ then comes from ∂C/∂Z⁽²⁾ at once."""
        return self._is_activation(v) and self.naming.sources(v)[0].id in self.symbols

    # -- a formula in the course's words ---------------------------------------------------------------------------

    def in_course_words(self, formula: Symbol) -> Symbol:
        """softmax(Z⁽³⁾) by its name A⁽³⁾, and classes compared with 0…9 by the y that is 1 at the class of each sample."""

        def short(e: Symbol, args: Any, kwargs: Any) -> Symbol:
            leaves = names(e)
            if e.function is None or len(leaves) != 1:
                return e if e.function is None else noted(e.function, args, kwargs, e.shape, e.dtype)
            if isinstance(e.function, Function) and e.args[0] is leaves[0] and len(e.args) == 1:
                return self._activation(e, leaves[0])
            if e.function is np.equal and leaves[0].dtype.kind == "i":
                return self._class(e, leaves[0])
            return noted(e.function, args, kwargs, e.shape, e.dtype)

        return rebuilt(formula, short)  # type: ignore[no-any-return]

    def _activation(self, e: Symbol, z: Symbol) -> Symbol:
        for id, formula in self.definitions.items():
            if same(formula, e):
                return self.symbols[id]
        letter, scripts = (z.name or " ")[0], (z.name or " ")[1:]
        name = {"Z": "A", "z": "a"}.get(letter, "") + scripts
        if letter not in "Zz" or name in self.names.values() or "′" in e.function.shown[0]:  # type: ignore[union-attr]
            return e
        symbol, _ = self.extra.setdefault(name, (Symbol(name, e.shape), e))
        self.values.setdefault(symbol, evaluate(e, self.values))
        return symbol

    def _class(self, e: Symbol, y: Symbol) -> Symbol:
        symbol = self.classes.setdefault(y.name or "", Symbol(y.name or "", e.shape))
        self.values.setdefault(symbol, np.asarray(evaluate(e, self.values), np.float64))
        return symbol

    def struck_out(self, formula: Symbol) -> Symbol | None:
        """The formula after equal factors above and below a fraction stroke are struck out; None if there are none.

        A guard against a division by 0, max(d, 10⁻¹²), counts as the d that it guards.
        """
        negative, above, below = _factors(formula)
        left = []
        for factor in below:
            equal = next((i for i, other in enumerate(above) if same(other, factor)), None)
            if equal is None:
                left.append(factor)
            else:
                del above[equal]
        if len(left) == len(below):
            return None
        self.guarded = self.guarded or any(map(_is_guard, parts(formula)))
        result: Symbol = constant(1, formula.shape)
        for factor in above:
            result = result * factor
        for factor in left:
            result = result / factor
        return -result if negative else result


def _factors(e: Any) -> tuple[bool, list[Any], list[Any]]:
    """The sign of a product or quotient, the factors above the stroke, and those below it."""
    if isinstance(e, Symbol) and e.function is np.negative:
        negative, above, below = _factors(e.args[0])
        return not negative, above, below
    if isinstance(e, Symbol) and e.function in (np.multiply, np.true_divide):
        (one, above, below), (two, more, less) = _factors(e.args[0]), _factors(e.args[1])
        if e.function is np.true_divide:
            more, less = less, more
        return one != two, above + more, below + less
    return _factors(e.args[0]) if isinstance(e, Symbol) and _is_guard(e) else (False, [e], [])


def _is_guard(e: Symbol) -> bool:
    return e.function is np.maximum and isinstance(e.args[1], float) and 0 < e.args[1] < 1e-6


def _slope(op: Any, params: Mapping[str, Any]) -> Function | None:
    """f′ as a function, where the gradient formula of f works element by element and reads only what f took and gave."""
    shown = shown_as(op)
    if shown is None or shown[1:] != (0,) or op.formulas[0] is None or any(s not in (0, OUTPUT) for s in op.sources[0]):
        return None
    z = Symbol("z", (2, 3))
    try:
        y = applied(op, z, **params)
        formula = gradient(op, 0, constant(1, z.shape), [z], y, params)
    except (NeedsValues, ValueError, IndexError):  # it is for other shapes
        return None
    if y.shape != z.shape or not all(elementwise(e.function) or same(e, y) for e in parts(formula) if e.function is not None):
        return None

    def compute(z: Any) -> Any:
        z = np.asarray(z, np.float64)
        return gradient(op, 0, np.ones_like(z), [z], op.forward(z, **params), params)

    return Function((f"{shown[0]}′", 0), compute)


def _unknown(*args: Any) -> Any:
    raise NeedsValues("what a user's autograd.Function computes is not known as a formula")
