"""The chain rule from the loss to any tensor, as it is written on the blackboard: with symbols, then with numbers.

Every formula comes from the declarations, which run on symbols; the quantities and their values come from a `Snapshot`.
The chain goes through the quantities that have a name: name a tensor to see it, leave it unnamed to pass through it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from tinygrad_fr.language import language
from tinygrad_fr.nn.module import Module
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.visual import notation
from tinygrad_fr.visual.formulas import Formulas
from tinygrad_fr.visual.sheet import Equation, Remark, Sheet, Table, Title
from tinygrad_fr.visual.snapshot import Snapshot, Vertex
from tinygrad_fr.visual.symbols import (
    Function,
    NeedsValues,
    Symbol,
    as_written,
    constant,
    evaluate,
    names,
    noted,
    rebuilt,
    substitute,
)

PATHS, FACTORS = 6, 12
"""A chain rule over more paths, or of more factors, is not written out."""

WHOLE = 16
"""An array of more elements is not written out."""

WORDS = {
    "en": {
        "forward": "Forward pass",
        "chain": "Chain rule",
        "factors": "Each factor",
        "product": "Product",
        "backward": "Backward pass",
        "table": "Gradients",
        "derivative": "derivative",
        "formula": "formula",
        "with": "with",
        "is": "is",
        "exact": "without rounding: ",
        "classes": "is 1 at the class of each sample, 0 elsewhere",
        "guard": "equal factors are struck out; the guard against a division by 0 is left aside",
        "paths": "a sum over more than {} paths, whose gradients are added where they meet",
        "long": "a product of {} factors, one after the other",
    },
    "fr": {
        "forward": "Propagation avant",
        "chain": "Règle de dérivation en chaîne",
        "factors": "Chaque facteur",
        "product": "Produit",
        "backward": "Rétropropagation",
        "table": "Gradients",
        "derivative": "dérivée",
        "formula": "formule",
        "with": "avec",
        "is": "est",
        "exact": "sans arrondir : ",
        "classes": "vaut 1 pour la classe de chaque exemple, 0 ailleurs",
        "guard": "les facteurs égaux se simplifient ; la protection contre la division par 0 est laissée de côté",
        "paths": "une somme sur plus de {} chemins, dont les gradients s'ajoutent là où ils se rejoignent",
        "long": "un produit de {} facteurs, l'un après l'autre",
    },
}


@dataclass
class Factor:
    """One factor of a chain rule between numbers, such as ∂ŷ/∂h₁.

    Attributes:
        name: the factor itself.
        formula: what it is, by the declarations.
        value: its value from the rounded numbers that are shown, as by hand.
        exact: its value without rounding.
    """

    name: str
    formula: Symbol
    value: float
    exact: float


@dataclass(repr=False)
class Derivation(Sheet):
    """A derivation: `print` it, show it in a notebook, or put its `text`, `markdown` or `latex` into a document.

    Attributes:
        factors: between numbers, the factors of the chain rule.
        gradients: between arrays, the formula of each gradient on the way back, by its name.
        values: the value of each symbol in the formulas: `evaluate(gradients["∂ℒ/∂W"], values)` is the gradient.
        value: between numbers, the result from the rounded factors, as by hand.
        exact: the result of the engine.
    """

    factors: list[Factor] = field(default_factory=list)
    gradients: dict[str, Symbol] = field(default_factory=dict)
    values: Mapping[Symbol, Any] = field(default_factory=dict)
    value: float | None = None
    exact: Any = None


def derivation(
    loss: Tensor | Snapshot,
    wrt: Tensor | str | None = None,
    *,
    model: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    lang: str | None = None,
    form: str = "text",
    numbers: bool = True,
    digits: int = 3,
) -> Derivation:
    """Derive the loss with respect to a tensor, step by step; without one, the table of all gradients.

    Between numbers it is a product of factors, summed over the paths from the loss to the tensor (S2). Each factor is
    computed from the rounded numbers that it shows, as by hand; the value without rounding stands beside it. Between
    arrays it is one line for each gradient on the way back (S1).

    Args:
        loss: the loss, before `backward()` frees its graph; or a snapshot of it.
        wrt: the tensor, or its name; None for the gradient of every parameter and every pre-activation.
        model: names the parameters, as in `Snapshot`.
        names: names of your own, {"ŷ": y, "h₁": h1}. With them, other intermediate results go unnamed.
        lang: "en" or "fr"; the user's own if left out.
        form: what `print` shows: "text", "markdown" or "latex".
        numbers: whether the formulas are followed by their numbers.
        digits: the significant digits of the numbers.

    Raises:
        ValueError: for a tensor that has no part in the graph, or to which no gradient flows; and when the program has
            dropped a tensor whose value nobody kept.

    >>> import tinygrad_fr as torch
    >>> x, y = torch.tensor(2.0), torch.tensor(5.0)
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> a = w * x
    >>> print(derivation((a - y) ** 2, w, lang="en"))
    Forward pass
      a = wx
        = 3 × 2
        = 6
      ℒ = (a − y)²
        = (6 − 5)²
        = 1
    <BLANKLINE>
    Chain rule
      ∂ℒ/∂w = ∂ℒ/∂a · ∂a/∂w
    <BLANKLINE>
    Each factor
      ∂ℒ/∂a = 2 (a − y)
            = 2 (6 − 5)
            = 2
      ∂a/∂w = x
            = 2
    <BLANKLINE>
    Product
      ∂ℒ/∂w = 2 × 2
            = 4
    """
    spoken = lang or language()
    if spoken not in WORDS:
        raise ValueError(f"lang must be 'en' or 'fr', not {lang!r}")
    if form not in ("text", "markdown", "latex"):
        raise ValueError(f"form must be 'text', 'markdown' or 'latex', not {form!r}")
    snapshot = loss if isinstance(loss, Snapshot) else Snapshot(loss, model=model, names=names, _frame=sys._getframe(1))
    target = None if wrt is None else _find(snapshot, wrt)
    formulas = Formulas(snapshot, names, () if target is None else {target.id})
    if not formulas.complete:
        raise ValueError(
            "a tensor of this graph no longer exists in the program, and its shape and value are not known: keep it in a "
            "variable or in a model until the derivation is written"
        )
    writer = _Writer(formulas, Derivation(spoken, digits, form), numbers)
    if target is None:
        writer.table()
    else:
        writer.chain(target)
    return writer.sheet


def _find(snapshot: Snapshot, wrt: Tensor | str) -> Vertex:
    try:
        found = snapshot[wrt] if isinstance(wrt, str) else snapshot.vertex_of(wrt)
    except KeyError as error:
        raise ValueError(f"there is no derivative with respect to what the loss does not depend on: {error.args[0]}") from None
    if found.constant or found.order is None:
        raise ValueError(
            f"no gradient flows from the loss to {found.name or 'this tensor'}, which is a constant here: make it with "
            "requires_grad=True before the loss is computed"
        )
    if found is snapshot.loss:
        raise ValueError("the derivative of the loss with respect to itself is 1: name another tensor")
    return found


class _Writer:
    """Writes a derivation onto its sheet."""

    def __init__(self, formulas: Formulas, sheet: Derivation, numbers: bool) -> None:
        self.formulas, self.sheet, self.numbers = formulas, sheet, numbers
        self.snapshot, self.loss = formulas.snapshot, formulas.snapshot.loss
        sheet.values = formulas.values
        self.words = WORDS[sheet.lang]

    # -- between numbers: a product of factors ---------------------------------------------------------------------

    def chain(self, target: Vertex) -> None:
        """The chain rule to one quantity: by factors where all on the way are numbers, else by gradients."""
        paths = self._paths(target.id)
        on_the_way = {self.snapshot[id] for path in paths for id in path}
        scalar = all(v.value is not None and v.value.size == 1 and len(v.shape) < 2 for v in on_the_way)
        longest = max(len(path) - 1 for path in paths)
        self.sheet.exact = target.gradient
        if scalar and len(paths) <= PATHS and longest <= FACTORS:
            self._by_factors(target, paths)
        else:
            self._by_gradients(target, paths, longest, on_the_way)

    def _paths(self, target: int) -> list[tuple[int, ...]]:
        """The ways from the loss to a quantity, the shortest first; a few of them when they are too many to be written."""
        made_of: dict[int, set[int]] = {}
        waiting = [self.loss.id]
        while waiting:
            v = waiting.pop()
            if v not in made_of:
                made_of[v] = self.formulas.made_of(self.snapshot[v], self.formulas.symbols)
                waiting += made_of[v]
        leading = {target}
        for v in sorted(made_of):  # what a quantity is made of is older than it
            if leading & made_of[v]:
                leading.add(v)
        found: list[tuple[int, ...]] = []
        stack: list[tuple[int, ...]] = [(self.loss.id,)]
        while stack and len(found) <= PATHS:
            path = stack.pop()
            if path[-1] == target:
                found.append(path)
            else:
                stack += [(*path, u) for u in sorted(made_of[path[-1]] & leading)]
        return sorted(found, key=lambda path: (len(path), [-id for id in path]))

    def _by_factors(self, target: Vertex, paths: list[tuple[int, ...]]) -> None:
        f, sheet = self.formulas, self.sheet
        self._forward(by_hand=True)
        steps = list(dict.fromkeys(step for path in paths for step in pairwise(path)))
        whole = self._derivative(self.loss.id, target.id)
        self._title("chain")
        if len(steps) > 1:
            self._equation(whole, [_sum_of_products([[self._derivative(*s) for s in pairwise(path)] for path in paths])])
            self._title("factors")
        found: dict[tuple[int, int], Factor] = {}
        for v, u in steps:
            parts = f.partials(self.snapshot[v], constant(1, f.shape(self.snapshot[v])), f.symbols)
            formula, name = _ordered(f.in_course_words(parts[u])), self._derivative(v, u)
            exact = float(np.asarray(evaluate(formula, f.values)).item())
            found[v, u] = Factor(notation.text(name), formula, self._worked_out(name, formula, exact), exact)
        sheet.factors = list(found.values())
        sheet.value = self._rounded(sum(math.prod(found[step].value for step in pairwise(path)) for path in paths)).item()
        self._remarks([factor.formula for factor in sheet.factors])
        if self.numbers and len(steps) > 1:
            self._title("product")
            product = _sum_of_products([[self._number(found[step].value) for step in pairwise(path)] for path in paths])
            self._equation(whole, [product, self._number(sheet.value)], self._exact(sheet.exact, sheet.value, sheet.digits + 1))

    def _worked_out(self, left: Symbol, formula: Symbol, exact: float) -> float:
        """An equation with its numbers, then with the arguments of its functions computed, then its value by hand."""
        value, steps = self._rounded(exact).item(), [formula]
        if self.numbers and all(np.size(self.formulas.values[name]) == 1 for name in names(formula)):
            with_numbers = substitute(formula, {name: self._rounded(self.formulas.values[name]) for name in names(formula)})
            try:
                inside = rebuilt(with_numbers, self._argument_computed)
                value = self._rounded(evaluate(inside, {})).item()
                steps += [with_numbers, inside]
            except NeedsValues:  # a user's autograd.Function
                pass
        if self.numbers:
            steps.append(self._number(value))
        shown = [notation.text(step) for step in [*steps, ""]]
        steps = [s for s, own, after in zip(steps, shown, shown[1:], strict=False) if own not in (after, notation.text(left))]
        self._equation(left, steps, self._exact(exact, value, self.sheet.digits) if self.numbers else ())
        return float(value)

    def _argument_computed(self, e: Symbol, args: Any, kwargs: Any) -> Symbol:
        if e.function is None:
            return e
        named = isinstance(e.function, Function) or notation.is_named(e.function)
        if named and len(args) == 1 and isinstance(args[0], Symbol) and args[0].function is not None:
            args = (self._number(evaluate(args[0], {})),)
        return noted(e.function, args, kwargs, e.shape, e.dtype)

    # -- between arrays: gradients on the way back -----------------------------------------------------------------

    def _by_gradients(self, target: Vertex, paths: list[tuple[int, ...]], longest: int, on_the_way: set[Vertex]) -> None:
        whole = self._derivative(self.loss.id, target.id)
        self._forward()
        self._title("chain")
        if len(paths) > PATHS:
            self.sheet.blocks.append(Remark([whole, " = …, ", self.words["paths"].format(PATHS)]))
        elif longest > FACTORS:
            self.sheet.blocks.append(Remark([whole, " = …, ", self.words["long"].format(longest)]))
        else:
            self._equation(whole, [_sum_of_products([[self._derivative(*s) for s in pairwise(path)] for path in paths])])
        self._title("backward")
        for u, steps in self._gradients().items():
            if self.snapshot[u] in on_the_way:
                value = self.snapshot[u].gradient
                shown = [self._number(value)] if self.numbers and value is not None and value.size <= WHOLE else []
                self._equation(self._derivative(self.loss.id, u), steps + shown)
                self.sheet.gradients[notation.text(self._derivative(self.loss.id, u))] = steps[-1]
        self._remarks(list(self.sheet.gradients.values()))

    def table(self) -> None:
        """S1's summary: one line for each gradient."""
        self._forward()
        self._title("table")
        rows = [Equation(self._derivative(self.loss.id, u), steps) for u, steps in self._gradients().items()]
        self.sheet.blocks.append(Table((self.words["derivative"], self.words["formula"]), rows))
        self.sheet.gradients = {notation.text(row.left): row.steps[-1] for row in rows}
        self._remarks([step for row in rows for step in row.steps])

    def _gradients(self) -> dict[int, list[Symbol]]:
        """The formula of each gradient from those before it on the way back; and once more, simplified, where that helps.

        Activations are passed through, as the course does: ∂C/∂Z⁽¹⁾ comes from ∂C/∂Z⁽²⁾. The last one is not, from which the
        loss is computed.
        """
        f, loss = self.formulas, self.loss
        last = f.made_of(loss, f.symbols)
        stops = {id for id in f.symbols if id in last or not f.passed_through(self.snapshot[id])}
        total: dict[int, Symbol] = {loss.id: constant(1, f.shape(loss))}
        for id in sorted(f.symbols, reverse=True):
            v = self.snapshot[id]
            if id in total and id in stops and v.kind == "operation":
                g = total[id]
                if v is not loss:
                    g = self._derivative(loss.id, id, f.shape(v))
                    f.values[g] = v.gradient
                for u, part in f.partials(v, g, stops).items():
                    total[u] = total[u] + part if u in total else part
        del total[loss.id]
        return {u: [f.in_course_words(e) for e in [total[u], *self._simpler(u, total)]] for u in sorted(total, key=self._place)}

    def _place(self, u: int) -> tuple[int, bool, int]:
        """Where a gradient stands on the way back: a parameter's after those of all results that it is used for."""
        place, parameter = u, self.snapshot[u].kind == "parameter"
        if parameter:
            place = min(link.target for link in self.snapshot.uses_of(u))
            while place not in self.formulas.symbols:
                place = self.snapshot.uses_of(place)[0].target
        return -place, parameter, u

    def _simpler(self, u: int, total: Mapping[int, Symbol]) -> list[Symbol]:
        """∂C/∂Z = ∂C/∂A ⊙ σ′(Z) with ∂C/∂A and σ′ written out, and equal factors struck out: A − y."""
        uses = self.snapshot.uses_of(u)
        if len(uses) != 1 or uses[0].target not in total:
            return []
        slope = self.formulas.slope_with_result(self.snapshot.target(uses[0]))
        short = None if slope is None else self.formulas.struck_out(total[uses[0].target] * slope)
        return [] if short is None else [short]

    # -- what both have --------------------------------------------------------------------------------------------

    def _forward(self, by_hand: bool = False) -> None:
        """What each named result is; with its numbers, where all are numbers."""
        self._title("forward")
        for id, formula in self.formulas.definitions.items():
            value = self.snapshot[id].value
            if by_hand and value is not None and value.size == 1:
                self._worked_out(self.formulas.symbols[id], formula, float(value.item()))
            else:
                self._equation(self.formulas.symbols[id], [formula])

    def _remarks(self, shown: Collection[Symbol]) -> None:
        """What the symbols in the formulas mean that are no quantities of the program."""
        f, words = self.formulas, self.words
        lines: list[Sequence[Any]] = [[words["with"], " ", e, " = ", is_] for e, is_ in (*f.extra.values(), *f.primes.values())]
        lines += [[y, " ", words["classes"]] for y in f.classes.values()]
        used = {name for formula in shown for name in names(formula)}
        lines += [[words["with"], " ", n.symbol, " = ", int(n)] for n in f.lengths if n.symbol in used]
        if f.guarded:
            lines.append([words["guard"]])
        meant = [(", ", Symbol(name), f" {words['is']} ", Symbol(path)) for name, path in f.naming.stands_for.items()]
        if meant:
            lines.append([part for each in meant for part in each][1:])
        self.sheet.blocks += map(Remark, lines)

    def _title(self, word: str) -> None:
        self.sheet.blocks.append(Title(self.words[word]))

    def _equation(self, left: Symbol, steps: list[Any], remark: Sequence[Any] = ()) -> None:
        self.sheet.blocks.append(Equation(left, steps, remark))

    def _derivative(self, v: int, u: int, shape: tuple[int, ...] = ()) -> Symbol:
        return Symbol(f"∂{self.formulas.names[v]}/∂{self.formulas.names[u]}", shape)

    def _rounded(self, value: Any) -> Any:
        """A number with the digits that are shown."""
        return np.full(np.shape(value), float(f"{np.asarray(value).item():.{self.sheet.digits}g}"))

    def _number(self, value: Any) -> Symbol:
        """A number, or an array of numbers, in the place of a formula."""
        shown = constant(self._rounded(value) if np.size(value) == 1 else np.asarray(value))
        shown.given = True
        return shown

    def _exact(self, exact: Any, value: float, digits: int) -> Sequence[Any]:
        """The remark that gives the value without rounding on the way, if it differs in the digits that are shown."""
        full = float(f"{np.asarray(exact).item():.{digits}g}")
        return () if full == value or math.isnan(full) else (self.words["exact"], constant(full))


def _sum_of_products(products: list[list[Symbol]]) -> Symbol:
    total: Symbol | None = None
    for first, *others in products:
        product = first
        for factor in others:
            product = as_written(np.multiply, product, factor)
        total = product if total is None else as_written(np.add, total, product)
    assert total is not None  # there is a path
    return total


def _ordered(formula: Symbol) -> Symbol:
    """Products of numbers in the usual order: numbers, letters, then the rest, x₁ σ′(z)."""

    def factors(e: Any) -> list[Any]:
        return factors(e.args[0]) + factors(e.args[1]) if isinstance(e, Symbol) and e.function is np.multiply else [e]

    def place(e: Any) -> int:
        return 0 if not isinstance(e, Symbol) or e.is_number else 1 if e.name is not None else 2

    def arranged(e: Symbol, args: Any, kwargs: Any) -> Symbol:
        if e.function is None:
            return e
        made = noted(e.function, args, kwargs, e.shape, e.dtype)
        if e.function is not np.multiply or e.size != 1:
            return made
        first, *others = sorted(factors(made), key=place)
        for factor in others:
            first = first * factor
        return first if isinstance(first, Symbol) else made

    return rebuilt(formula, arranged)  # type: ignore[no-any-return]
