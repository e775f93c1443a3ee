"""The page: one HTML file, without a network, that steps forward, backward and through the update of the user's own graph.

Python writes down everything that is to be seen (the numbers of the snapshot, the formulas of the declarations as MathML);
the script in `page/` draws it and turns the pages. What the page says stands in `page/words.json`, in both languages.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.files import replaced
from tinygrad_fr.language import language
from tinygrad_fr.optim.optimizer import Optimizer
from tinygrad_fr.optim.sgd import SGD
from tinygrad_fr.visual.formulas import Formulas
from tinygrad_fr.visual.labels import SPREADING
from tinygrad_fr.visual.marks import marks
from tinygrad_fr.visual.notation import WORDS, Layout, MathML, text, written
from tinygrad_fr.visual.replay import along, differences, paths, pull
from tinygrad_fr.visual.snapshot import Link, Snapshot, Vertex
from tinygrad_fr.visual.symbols import (
    NeedsValues,
    Symbol,
    applied,
    constant,
    elementwise,
    evaluate,
    forward,
    gradient,
    names,
    noted,
    parts,
    rebuilt,
    shown_as,
    substitute,
)

SCRIPTS = ("state", "layout", "text", "drawing", "panel", "page")
"""The files of the script, in the order in which they are read."""

LARGEST = 256
"""An array of more elements is shown by its statistics and a coarse map."""

WRITTEN = 6
"""A matrix inside a formula is written out if it has no more rows and columns."""

DIGITS = 10
"""Significant digits of the numbers in formulas; the page rounds them to what its reader chooses."""

CHOICES = (3, 4, 6)
"""The significant digits that a reader may choose from."""

UNROLLED = 6
"""An operation whose formula has more calls than this is written by its name."""

PATHS = 50
"""So many paths of a chain rule are written out at most."""

EXPANDED = 400
"""In a graph of more quantities, chain rules are not expanded: nobody would read them."""


def write(
    snapshot: Snapshot,
    path: str | os.PathLike[str],
    *,
    lang: str | None = None,
    exercise: bool = False,
    optimizer: Optimizer | None = None,
    checks: bool = True,
    digits: int = 4,
    title: str | Mapping[str, str] | None = None,
) -> Path:
    """Write the page of a snapshot; see `Snapshot.html`."""
    if lang is not None and lang not in WORDS:
        raise ValueError(f"lang must be 'en' or 'fr', not {lang!r}")
    if digits not in CHOICES:
        raise ValueError(f"digits must be one of {', '.join(map(str, CHOICES))}, not {digits!r}; the page lets one change it")
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be an Optimizer such as optim.SGD(parameters, lr=0.1), got {type(optimizer).__name__}")
    titles = dict.fromkeys(WORDS, title) if isinstance(title, str) else dict(title or {})
    data = {
        "lang": lang or language(),
        "exercise": bool(exercise),
        "digits": digits,
        "choices": CHOICES,
        "title": titles,
        **Content(snapshot).everything(optimizer, checks),
    }
    with replaced(os.fspath(path)) as file:
        file.write(assembled(data).encode())
    return Path(path)


def assembled(data: Mapping[str, Any]) -> str:
    """The template with its style, its scripts, its words and its data inside."""
    folder = files("tinygrad_fr.visual") / "page"

    def part(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8").strip()

    words = json.loads(part("words.json"))
    lang = data["lang"]
    inside = {
        "lang": lang,
        "title": escape(data["title"].get(lang) or words[lang]["title"]),
        "needs script": escape(words[lang]["needs script"]),
        "style": part("page.css"),
        "data": _script({**data, "words": words}),
        "scripts": "\n\n".join(part(f"{name}.js") for name in SCRIPTS),
    }
    return re.sub(r"\{\{([a-z ]+)\}\}", lambda place: inside[place[1]], part("page.html")) + "\n"


def _script(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


class Content:
    """What there is to see of a snapshot, as plain Python values.

    Attributes:
        formulas: the names in the course's notation, and the derivatives between named quantities.
        math: the formulas, each once: MathML in English, followed by the French where more than the decimal comma differs.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        variables = (v for v in snapshot if v.kind == "operation" or v.module is None)  # and not paths in the model
        chosen = {v.name for v in variables if v.name and v is not snapshot.loss}
        whole = all(v.value is not None for v in snapshot)
        self.formulas = Formulas(snapshot, dict.fromkeys(chosen)) if whole else None  # without values, there are only names
        self.names = self.formulas.names if self.formulas else {v.id: v.name for v in snapshot if v.name}
        self.math: list[list[str]] = []
        self._known: dict[str, int] = {}
        self._symbols = {v.id: self._symbol(v) for v in snapshot if v.kind != "number"}
        self._values: dict[Symbol, Any] = {s: snapshot[id].value for id, s in self._symbols.items()}
        self.lengths = self.formulas.lengths if self.formulas else []
        self._values |= {length.symbol: int(length) for length in self.lengths}
        self._ratios: dict[int, Symbol] = {}
        self._numbers = {id(link): k for k, link in enumerate(snapshot.links)}

    def everything(self, optimizer: Optimizer | None, checks: bool) -> dict[str, Any]:
        snapshot = self.snapshot
        found = marks(snapshot)
        vertices = [{**self.vertex(v), "marks": [m._asdict() for m in found.get(v.id, [])]} for v in snapshot]
        links = [self.link(link) for link in snapshot.links]
        expanded = self.chains() if len(snapshot) <= EXPANDED else {}
        modules = dict(snapshot.model.named_modules()) if snapshot.model is not None else {}
        return {
            "loss": snapshot.loss.id,
            "letter": self.name(snapshot.loss),
            "vertices": vertices,
            "links": links,
            "steps": self.steps(),
            "modules": {path: type(module).__name__ for path, module in modules.items() if path},
            "lengths": {text(length.symbol): int(length) for length in self.lengths},
            "chains": expanded,
            "primes": [[*map(self.maths, pair)] for pair in self.formulas.primes.values()] if self.formulas else [],
            "checked": checks,
            "checks": {id: self.check(check) for id, check in differences(snapshot).items()} if checks else {},
            "update": self.update(optimizer),
            "math": self.math,
        }

    def steps(self) -> list[tuple[str, int]]:
        """What the page goes through: the results as they are computed, then the gradients, then the parameters' update."""
        forward = [("forward", v.id) for v in self.snapshot if v.kind in ("operation", "failed")]
        known = sorted((v for v in self.snapshot if v.gradient is not None), key=lambda v: v.order or 0)
        leaves = [v for v in self.snapshot if v.kind == "parameter" and v.gradient is not None]
        return [*forward, *(("backward", v.id) for v in known), *(("update", v.id) for v in leaves)]

    # -- names -----------------------------------------------------------------------------------------------------

    def name(self, v: Vertex) -> str:
        """w₁, ŷ, W⁽¹⁾; v₁₄ for a result that has no name."""
        return text(self._symbol(v))

    def _symbol(self, v: Vertex) -> Symbol:
        dtype = np.float64 if v.dtype.startswith("float") else v.dtype or np.float64
        return Symbol(self.names.get(v.id, f"v{v.id}"), self.shape(v), dtype)

    def shape(self, v: Vertex) -> tuple[int, ...]:
        return self.formulas.shape(v) if self.formulas else v.shape

    def operands(self, v: Vertex) -> list[Any]:
        sources = map(self.snapshot.source, self.snapshot.uses_by(v.id))
        return [_literal(s) if s.kind == "number" else self._symbols[s.id] for s in sources]

    def upstream(self, v: Vertex) -> Symbol:
        """∂ℒ/∂v, as it stands in the formulas of what v is computed from; for the loss itself, 1."""
        if v is self.snapshot.loss:
            return constant(1, self.shape(v))
        if v.id not in self._ratios:
            self._ratios[v.id] = symbol = self.ratio(self.snapshot.loss, v)
            self._values[symbol] = v.gradient
        return self._ratios[v.id]

    def ratio(self, top: Vertex, bottom: Vertex) -> Symbol:
        return Symbol(f"∂{self._symbols[top.id].name}/∂{self._symbols[bottom.id].name}", self.shape(bottom))

    # -- quantities and their uses -----------------------------------------------------------------------------------

    def vertex(self, v: Vertex) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": v.id,
            "kind": v.kind,
            "module": v.module,
            "value": encoded(v.value),
            "gradient": encoded(v.gradient),
            "stored": encoded(v.stored),
            "state": v.state,
            "after": encoded(v.after),
            "change": None if v.after is None or v.value is None else encoded(v.after - v.value),
            "shape": list(v.shape),
            "dtype": v.dtype,
        }
        if v.kind == "number":
            return found
        found |= {"name": self.name(v), "named": v.id in self.names}
        found["math"] = self.maths(self._symbols[v.id])
        if v.name is not None and text(Symbol(v.name)) != found["name"]:
            found["called"] = v.name
        if v.gradient is not None:
            found["ratio"] = self.maths(self.ratio(self.snapshot.loss, v))
        found |= {key: value for key in ("operation", "symbol", "error", "site") if (value := getattr(v, key))}
        if v.kind == "operation" and self.snapshot.operation(v) is not None:
            found["formula"] = self.formula(self.definition(v), v.value)
        return found

    def definition(self, v: Vertex) -> Any:
        """What a result is, from the quantities that it is directly computed from."""
        op, inputs = self.snapshot.operation(v), self.operands(v)
        named = applied(op, *inputs, **v.params)
        if shown_as(op) and len(inputs) == 1:
            return named
        formula = forward(op, inputs, v.params)
        return formula if not isinstance(formula, Symbol) or formula.calls <= UNROLLED else named

    def link(self, link: Link) -> dict[str, Any]:
        """One use: its local derivative where there is one, and what it adds to the gradient of what is used."""
        source, v = self.snapshot.source(link), self.snapshot.target(link)
        found: dict[str, Any] = {"source": link.source, "target": link.target, "position": link.position}
        op = self.snapshot.operation(v)
        if link.contribution is None:
            return found
        found["contribution"] = encoded(link.contribution)
        if link.axes:
            found |= {"axes": list(link.axes), "spread": encoded(link.spread)}
        if op is None:
            found["local"] = encoded(pull(self.snapshot, link, np.ones(v.shape)))
            return found
        inputs, output, g = self.operands(v), self._symbols[v.id], Symbol("g", self.shape(v))

        def rule(g: Symbol) -> Symbol:
            return gradient(op, link.position, g, inputs, output, v.params)

        try:
            rule(g)
        except NeedsValues:  # there is nothing to write down, but what it brings
            return found
        found["rule"] = self.formula(rule(self.upstream(v)), link.contribution if not link.axes else link.spread)
        if _by_element(rule(g), g):
            slope = rule(constant(1, self.shape(v)))
            local = pull(self.snapshot, link, np.ones(v.shape, v.dtype))
            found |= {"local": encoded(local), "slope": self.formula(slope, local), "ratio": self.maths(self.ratio(v, source))}
            found["label"] = self.texts(slope)
        else:
            found["label"] = self.texts(rule(g))
        return found

    # -- formulas ----------------------------------------------------------------------------------------------------

    def formula(self, expression: Any, value: Any) -> dict[str, Any]:
        """A formula, the same with its numbers, and what the rounded numbers give where that is not the rounded value."""
        found: dict[str, Any] = {"math": self.maths(expression), "text": self.texts(expression)}
        known = {s: self._values[s] for s in names(expression) if self._values.get(s) is not None}
        if known and expression.function is not None:
            found["numbers"] = self.maths(_with_numbers(expression, known))
        hand = _by_hand(expression, known, value)
        if hand:
            found["hand"] = hand
        return found

    def maths(self, expression: Any) -> int:
        """The number of a formula in `math`."""
        forms = [str(written(Layout(False, DIGITS, lang).piece(expression).box, MathML)) for lang in ("en", "fr")]
        key = "\n".join(forms)
        if key not in self._known:
            self._known[key] = len(self.math)
            self.math.append(forms if _with_commas(forms[0]) != forms[1] else forms[:1])
        return self._known[key]

    def texts(self, expression: Any) -> list[str]:
        return [text(expression, digits=4, lang=lang) for lang in ("en", "fr")]

    # -- the chain rule, path by path ----------------------------------------------------------------------------------

    def chains(self) -> dict[int, Any]:
        """Each named quantity's derivative as a sum over the paths from the loss."""
        found, budget = {}, 20_000
        for v in self.snapshot:
            if v.gradient is None or v is self.snapshot.loss or v.id not in self.names or budget <= 0:
                continue
            count, ways = paths(self.snapshot, v, PATHS)
            budget -= sum(map(len, ways))
            found[v.id] = {"count": count, "paths": [self.way(way, len(ways)) for way in ways]}
        return found

    def way(self, way: Sequence[Link], among: int) -> dict[str, Any]:
        """One path: the uses on it, and its factors between named quantities, ∂ℒ/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁."""
        found: dict[str, Any] = {"links": [self._numbers[id(link)] for link in way], "factors": []}
        section: list[Link] = []
        for link in way:
            section.append(link)
            if link.source in self.names:
                found["factors"].append(self.factor(section))
                section = []
        if among > 1:
            found["value"] = encoded(along(self.snapshot, way))
        return found

    def factor(self, section: Sequence[Link]) -> dict[str, Any]:
        """The derivative of a named quantity with respect to another, along one path that meets no third."""
        top, bottom = self.snapshot.target(section[0]), self.snapshot.source(section[-1])
        ratio = self.ratio(top, bottom)
        found: dict[str, Any] = {"ratio": self.maths(ratio)}
        if any(math.prod(v.shape) != 1 for v in (top, *(self.snapshot.source(link) for link in section))):
            return found
        slopes = [pull(self.snapshot, link, np.ones(self.snapshot.target(link).shape)) for link in section]
        value = math.prod(math.nan if slope is None else float(np.sum(slope)) for slope in slopes)
        found["value"] = _plain(value)
        if self.formulas is None:
            return found
        g: Symbol | None = constant(1, self.shape(top))
        for link in section:
            g = None if g is None else self.formulas.along(link, g)
        if g is not None and self.snapshot.operation(top) is not None:
            known = {s: self.formulas.values[s] for s in names(g) if s in self.formulas.values}
            found["formula"] = {"math": self.maths(g), "numbers": self.maths(_with_numbers(g, known))}
            hand = _by_hand(g, known, value)
            if hand:
                found["formula"]["hand"] = hand
        return found

    # -- checks and the update -------------------------------------------------------------------------------------------

    def check(self, check: Any) -> dict[str, Any]:
        rows = [[list(index), *map(_plain, numbers[:3]), bool(numbers[3])] for index, *numbers in check.rows]
        return {"size": check.size, "tolerance": check.tolerance, "rows": rows}

    def update(self, optimizer: Optimizer | None) -> dict[str, Any]:
        """What is known of the optimiser: its name; of each parameter its η, its options, −η·∂ℒ/∂w, and whether that is all."""
        parameters: dict[int, dict[str, Any]] = {}
        for group in optimizer.param_groups if optimizer else ():
            rate = float(group["lr"])
            options = {k: x for k, x in group.items() if k != "lr" and type(x) in (bool, int, float, tuple) and x}
            for v in (self.snapshot.vertex_of(p) for p in group["params"] if p._node in self.snapshot._ids):
                gradient = v.gradient if v.stored is None else v.stored
                step = None if gradient is None else -rate * gradient
                plain = isinstance(optimizer, SGD) and not options
                if step is not None and v.value is not None and v.after is not None:
                    slack = 1e-3 * float(np.abs(step).max(initial=0))
                    plain = plain and np.allclose(v.after, v.value + step, rtol=1e-5, atol=slack)
                parameters[v.id] = {"rate": rate, "options": options, "plain": plain, "step": encoded(step)}
        return {"name": type(optimizer).__name__ if optimizer else None, "parameters": parameters}


def _by_element(rule: Symbol, g: Symbol) -> bool:
    """Whether a gradient formula multiplies g element by element, so that there is a local derivative to speak of."""
    return all(
        e is g or e.function in SPREADING or elementwise(e.function) for e in parts(rule) if any(s is g for s in names(e))
    )


def _with_numbers(expression: Any, known: Mapping[Symbol, Any]) -> Any:
    """The formula with numbers in place of its names; an array too large to be written out gives its shape, (64×784)."""
    large = {s: Symbol(f"({'×'.join(map(str, np.shape(x)))})", s.shape) for s, x in known.items() if not _writable(x)}

    def sized(e: Symbol, args: Any, kwargs: Any) -> Symbol:
        return large.get(e, e) if e.function is None else noted(e.function, args, kwargs, e.shape, e.dtype)

    small = {s: _short(x) for s, x in known.items() if s not in large}
    return substitute(rebuilt(expression, sized) if large else expression, small)


def _writable(value: Any) -> bool:
    return np.ndim(value) <= 2 and all(length <= WRITTEN for length in np.shape(value))


def _by_hand(expression: Any, known: Mapping[Symbol, Any], value: Any) -> dict[int, float]:
    """For each choice of digits, what the numbers give once they are rounded, where it is not what the value is rounded to."""
    if np.size(value) != 1 or any(np.size(x) != 1 for x in known.values()) or not known:
        return {}
    found = {}
    exact = float(np.asarray(value).reshape(()))
    for digits in CHOICES:
        try:
            with np.errstate(all="ignore"):
                result = evaluate(expression, {s: _rounded(x, digits) for s, x in known.items()})
        except (KeyError, TypeError, ValueError):
            return {}
        by_hand = float(np.asarray(result).reshape(-1)[0])
        if math.isfinite(by_hand) and math.isfinite(exact) and f"{by_hand:.{digits - 1}e}" != f"{exact:.{digits - 1}e}":
            found[digits] = float(f"{by_hand:.{digits - 1}e}")
    return found


def _rounded(x: Any, digits: int) -> Any:
    array = np.asarray(x)
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        return x
    return np.array(float(f"{array.item():.{digits - 1}e}")).reshape(array.shape)


def _literal(v: Vertex) -> Any:
    """A number as it was written in the program; 2.0 as 2."""
    number = None if v.value is None else v.value.item()
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _short(value: Any) -> Any:
    """The same array with the digits that its dtype has: 0.1 of float32 is 0.1, and not 0.10000000149."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or array.dtype.itemsize == 8:
        return value
    return np.array([float(str(x)) for x in array.reshape(-1)]).reshape(array.shape)


def _with_commas(mathml: str) -> str:
    """What the page's script does to numbers to make them French."""
    return re.sub("<mn>[^<]*", lambda number: number[0].replace(".", ","), mathml)


# -- arrays ------------------------------------------------------------------------------------------------------------


def encoded(array: NDArray[Any] | None) -> dict[str, Any] | None:
    """An array for the page: its shape with its elements, or with statistics and a coarse map where it is large."""
    if array is None or array.dtype == object:
        return None
    shape = list(array.shape)
    if array.size <= LARGEST:
        return {"shape": shape, "data": [_plain(x) for x in array.reshape(-1)]}
    values = np.real(array).astype(np.float64)
    finite = values[np.isfinite(values)]
    found: dict[str, Any] = {"shape": shape, "map": _map(values), "odd": values.size - finite.size}
    if finite.size:
        found |= {name: _plain(getattr(np, name)(finite)) for name in ("min", "max", "mean", "std")}
    return found


def _plain(x: Any) -> Any:
    """A number for JSON: the shortest that means the same; NaN and infinities as words."""
    if isinstance(x, (complex, np.complexfloating)):
        return str(complex(x)).strip("()").replace("j", "i")
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return int(x)
    if not math.isfinite(x):
        return "nan" if math.isnan(x) else "inf" if x > 0 else "-inf"
    return float(str(x)) if isinstance(x, np.floating) else float(x)


def _map(values: NDArray[np.float64]) -> list[list[int | None]]:
    """A picture of a large array: at most 16 × 32 blocks, each by its element of largest magnitude, from −9 to 9."""
    rows = values.reshape(-1, values.shape[-1])
    side = math.isqrt(rows.size)
    if len(rows) == 1 and side * side == rows.size:
        rows = rows.reshape(side, side)  # an image in one row
    top = float(np.max(np.abs(rows), initial=0, where=np.isfinite(rows))) or 1.0
    down = np.array_split(np.arange(rows.shape[0]), min(28, rows.shape[0]))
    across = np.array_split(np.arange(rows.shape[1]), min(32, rows.shape[1]))
    return [[_level(rows[np.ix_(i, j)], top) for j in across] for i in down]


def _level(block: NDArray[np.float64], top: float) -> int | None:
    if not np.isfinite(block).all():
        return None
    return round(9 * float(block.flat[np.abs(block).argmax()]) / top)
