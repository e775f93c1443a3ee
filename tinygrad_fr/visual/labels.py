"""What is written on the boxes and arrows of a graph: names, formulas, local derivatives, all from the declarations."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_fr.visual.formulas import Formulas
from tinygrad_fr.visual.notation import read_name, text
from tinygrad_fr.visual.snapshot import Link, Snapshot, Vertex
from tinygrad_fr.visual.symbols import (
    NeedsValues,
    Symbol,
    applied,
    as_written,
    call,
    constant,
    forward,
    gradient,
    names,
    shown_as,
)

LONGEST = 48
"""A formula of more characters is written without its middle."""


class Labels:
    """The names of a snapshot's quantities and, if they are asked for, its formulas.

    Args:
        snapshot: the graph.
        formulas: whether there are formulas; every quantity then has a name, and layers have the course's.
        lang: "en" or "fr", for decimal commas and words.
    """

    def __init__(self, snapshot: Snapshot, formulas: bool, lang: str) -> None:
        self.snapshot, self.formulas, self.lang = snapshot, formulas, lang
        names = Formulas(snapshot).names if formulas and snapshot.loss.kind != "failed" else {}
        self._names = {id: name for id, name in names.items() if name[0] not in "Ku"}  # those say nothing in a drawing

    def name(self, vertex: Vertex) -> str | None:
        """What a quantity is called by the program and, where there are formulas, in the formulas: `W⁽¹⁾ = 0.weight`."""
        name = text(Symbol(vertex.name)) if vertex.name else None
        if not self.formulas:
            return name or ("ℒ" if vertex is self.snapshot.loss and vertex.kind != "failed" else None)
        letter = text(Symbol(self._letter(vertex)))
        return letter if name in (None, letter) else f"{letter} = {name}"

    def formula(self, vertex: Vertex) -> str | None:
        """What an operation computes: σ(z) where its formula has a name, w₁x₁ where it has none."""
        op = self.snapshot.operation(vertex)
        if op is None or not self.formulas:
            return None
        inputs = self._inputs(vertex)
        try:
            return self._text(applied(op, *inputs, **vertex.params) if shown_as(op) else forward(op, inputs, vertex.params))
        except NeedsValues:
            return None

    def gradient(self, vertex: Vertex) -> str | None:
        """∂ℒ/∂w₁."""
        return shortened(text(self._ratio(vertex))) if self.formulas else None

    def local(self, link: Link) -> str | None:
        """`∂/∂x = cos x`, where the gradient of a use is that, times the gradient of the result; else None."""
        rule = self._rule(link)
        factor = None if rule is None else without(rule, self._ratio(self.snapshot.target(link)).name)
        if factor is None:
            return None
        return shortened(f"∂/∂{text(self._symbol(self.snapshot.source(link)))} = {self._text(factor)}", LONGEST)

    def rule(self, link: Link) -> str | None:
        """What a use adds to the gradient: `∂ℒ/∂Y Wᵗ`."""
        rule = self._rule(link)
        return None if rule is None else self._text(rule)

    # -- symbols ---------------------------------------------------------------------------------------------------

    def _text(self, expression: Any) -> str:
        return shortened(text(expression, lang=self.lang), LONGEST)

    def _letter(self, vertex: Vertex) -> str:
        """The name in formulas: the user's or the course's, ℒ for a loss without a letter; of another result v and its id."""
        name = self._names.get(vertex.id) or vertex.name
        if vertex is self.snapshot.loss and vertex.kind != "failed":
            return name if name is not None and read_name(name).letter else "ℒ"
        return name or f"v{vertex.id}"

    def _symbol(self, vertex: Vertex) -> Any:
        if vertex.kind == "number":
            return vertex.value.item() if vertex.value is not None and vertex.value.dtype != object else None
        return Symbol(self._letter(vertex), vertex.shape, vertex.dtype or np.float64)

    def _ratio(self, vertex: Vertex) -> Symbol:
        return Symbol(f"∂{self._letter(self.snapshot.loss)}/∂{self._letter(vertex)}", vertex.shape, vertex.dtype or np.float64)

    def _inputs(self, vertex: Vertex) -> list[Any]:
        return [self._symbol(self.snapshot.source(link)) for link in self.snapshot.uses_by(vertex.id)]

    def _rule(self, link: Link) -> Symbol | None:
        """The declaration's gradient formula of a use."""
        vertex = self.snapshot.target(link)
        op = self.snapshot.operation(vertex)
        if op is None or not self.formulas or op.formulas[link.position] is None or self.snapshot.source(link).constant:
            return None
        try:
            return gradient(op, link.position, self._ratio(vertex), self._inputs(vertex), self._symbol(vertex), vertex.params)
        except NeedsValues:
            return None


_FACTORS = {np.negative: (0,), np.multiply: (0, 1), np.true_divide: (0,), np.where: (1, 2)}
"""The arguments that a function multiplies by the others, element by element."""

SPREADING = (np.broadcast_to, np.expand_dims, np.positive, np.copy)
"""What repeats or copies a gradient, and changes no number."""


def without(rule: Any, name: str | None) -> Any:
    """What a symbol is multiplied by, element by element, in a formula; None where it is used in another way.

    >>> g, x, W = Symbol("g", (2, 2)), Symbol("x", (2, 2)), Symbol("W", (2, 2))
    >>> print(without(-(g * np.cos(x)), "g"), without(g @ W.T, "g"))
    −cos x None
    """
    if rule.name == name:
        return constant(1, rule.shape, rule.dtype)
    holding = [i for i, arg in enumerate(rule.args) if isinstance(arg, Symbol) and any(s.name == name for s in names(arg))]
    if len(holding) != 1:
        return None
    (i,), function = holding, rule.function
    inner = without(rule.args[i], name) if i in _FACTORS.get(function, ()) or function in SPREADING else None
    if inner is None:
        return None
    factor = inner if inner.value is None else inner.value  # a number is written without ⊙
    if function in SPREADING:
        return inner if inner.value is None else constant(inner.value, rule.shape, rule.dtype)
    parts = (*rule.args[:i], factor, *rule.args[i + 1 :])
    if function is np.multiply and inner.value == 1 and isinstance(rule.args[1 - i], Symbol):
        return rule.args[1 - i]
    if any(isinstance(part, Symbol) for part in parts):
        return call(function, *parts)
    exact = function(*parts)
    return as_written(function, *parts) if function is np.true_divide else constant(exact, rule.shape, rule.dtype)  # 1 / 4


def shortened(name: str, longest: int = 32) -> str:
    """A long text without its middle."""
    return name if len(name) <= longest else f"{name[: longest // 2 - 1]}…{name[-longest // 2 :]}"
