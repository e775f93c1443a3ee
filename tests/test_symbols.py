"""Formulas as text: what the declarations write is what is shown, and the parentheses are where they belong.

Every forward and gradient formula of the registry runs on symbols, and what comes out must compute, on arrays, what the
formula computes. The written forms are read back by a small parser of this file, which knows nothing of how they are made.
"""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
import tinygrad_fr.nn.functional as F
from tinygrad_fr.graph import unbroadcast
from tinygrad_fr.node import OUTPUT, PLAIN
from tinygrad_fr.operation import REGISTRY, Operation, operation
from tinygrad_fr.testing import Draw, cases
from tinygrad_fr.visual.notation import latex, mathml, read_name, text
from tinygrad_fr.visual.symbols import (
    Length,
    NeedsValues,
    Symbol,
    applied,
    constant,
    evaluate,
    forward,
    gradient,
    names,
    same,
    shown_as,
    substitute,
)

try:
    from latex2mathml.converter import convert
except ImportError:  # a second reader of LaTeX, where it is installed
    convert = None


# -- the whole registry ------------------------------------------------------------------------------------------------


def _cases(name: str) -> list[Any]:
    return cases(REGISTRY[name], Draw(zlib.crc32(name.encode())))


def _keys() -> Iterator[Any]:
    return (pytest.param(name, n, id=f"{name}-{n}") for name in REGISTRY for n in range(len(_cases(name))))


def well_formed(expression: Any) -> None:
    """All three forms can be written and read."""
    for lang in ("en", "fr"):
        assert text(expression, lang=lang)
        assert "<Symbol" not in text(expression, lang=lang)
        line = latex(expression, lang=lang)
        balanced(line)
        if convert is not None:
            ET.fromstring(convert(line))
        root = ET.fromstring(mathml(expression, lang=lang))
        assert root.get("alttext") == text(expression, lang=lang)
        for fraction in root.iter("{http://www.w3.org/1998/Math/MathML}mfrac"):
            assert len(fraction) == 2
        for kind in ("msup", "msub"):
            assert all(len(script) == 2 for script in root.iter(f"{{http://www.w3.org/1998/Math/MathML}}{kind}"))


def balanced(line: str) -> None:
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", line):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, line
    assert depth == 0, line
    assert len(re.findall(r"\\left(?![a-z])", line)) == len(re.findall(r"\\right(?![a-z])", line)), line
    open_ = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+)\}", line):
        if kind == "begin":
            open_.append(environment)
        else:
            assert open_.pop() == environment, line
    assert not open_, line
    assert line.isascii() or r"\text" in line, line


@pytest.mark.parametrize(("name", "number"), list(_keys()))
def test_a_formula_on_symbols_is_the_formula_on_arrays(name: str, number: int) -> None:
    arrays, params = _cases(name)[number]
    op = REGISTRY[name]
    if any(p.kind.name == "VAR_POSITIONAL" for p in inspect.signature(op.forward).parameters.values()):
        op = op.of(len(arrays))
    inputs = [Symbol(word, np.shape(a), np.asarray(a).dtype) for word, a in zip(op.inputs, arrays, strict=True)]
    y = np.asarray(op.forward(*arrays, **params))
    values = dict(zip(inputs, arrays, strict=True))
    expression = forward(op, inputs, params)
    equal(evaluate(expression, values), y)
    well_formed(expression)

    g, output = Symbol("∂ℒ/∂y", y.shape, y.dtype), Symbol("y", y.shape, y.dtype)
    values |= {g: Draw(1).uniform(y.shape, 0.5, 1.5).astype(y.dtype), output: y}
    for i, formula in enumerate(op.formulas):
        if formula is None:
            continue
        reads = [arrays[s] if s >= 0 else y if s == OUTPUT else np.shape(arrays[PLAIN - s]) for s in op.sources[i]]
        expected = formula(values[g], *reads, **{word: params[word] for word in op.keywords[i]})
        expression = gradient(op, i, g, inputs, output, params)
        assert expression.shape == expected.shape
        equal(evaluate(expression, values), expected)
        well_formed(expression)


def equal(actual: Any, expected: Any) -> None:
    actual = np.asarray(actual)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["put", "index_put", "add_along", "median", "erf"])
def test_what_needs_values_or_is_endless_is_written_by_its_name(name: str) -> None:
    arrays, params = _cases(name)[0]
    op = REGISTRY[name]
    inputs = [Symbol(word, np.shape(a), np.asarray(a).dtype) for word, a in zip(op.inputs, arrays, strict=True)]
    shown = text(forward(op, inputs, params))
    assert re.fullmatch(r"\w+\(x(, \w+)*\)", shown), shown


def test_everything_else_is_written_by_its_formula() -> None:
    """The exceptions are few: a new operation whose formula asks for values should be a decision."""
    opaque = set()
    for name, op in REGISTRY.items():
        arrays, params = _cases(name)[0]
        op = op.of(len(arrays)) if "*" in str(inspect.signature(op.forward)).split(",")[0] else op
        inputs = [Symbol(word, np.shape(a), np.asarray(a).dtype) for word, a in zip(op.inputs, arrays, strict=True)]
        if same(forward(op, inputs, params), applied(op, *inputs, **params)):
            opaque.add(name)
    assert opaque <= {"put", "index_put", "add_along", "median", "erf"}


# -- the course's formulas, letter by letter ---------------------------------------------------------------------------


def op(function: Any) -> Operation:
    return getattr(function, "operation", None) or REGISTRY[function]


def of_course(name: Any, i: int | None, *inputs: Symbol, output: Symbol | None = None, **params: Any) -> Symbol:
    """The forward formula (i = None), or the gradient of input i, from a ∂ℒ/∂y of the output's shape."""
    if i is None:
        return forward(op(name), inputs, params)
    y = output if output is not None else forward(op(name), inputs, params)
    return gradient(op(name), i, Symbol(f"∂ℒ/∂{y.name or 'y'}", y.shape), inputs, y, params)


n = Length(4, "n")
x, y, a, t = Symbol("x"), Symbol("y"), Symbol("a"), Symbol("y*")
X, W, B, Y = Symbol("X", (n, 3)), Symbol("W", (3, 2)), Symbol("B", (2,)), Symbol("Y", (n, 2))
V, Z, classes = Symbol("W", (2, 3)), Symbol("Z", (n, 3)), Symbol("y", (n,), np.int64)
P, T = Symbol("A", (n, 1)), Symbol("y", (n, 1))


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        # S0, S1, S2: activations
        (of_course("sigmoid", 0, x, output=y), "∂ℒ/∂y · y (1 − y)"),
        (of_course("sigmoid", 0, Z, output=Symbol("A", (n, 3))), "∂ℒ/∂A ⊙ A ⊙ (1 − A)"),
        (of_course("sigmoid", None, x), "(e^(−|x|) if x < 0, else 1) / (1 + e^(−|x|))"),
        (of_course("tanh", None, x), "tanh x"),
        (of_course("tanh", 0, x, output=y), "∂ℒ/∂y · (1 − y²)"),
        (of_course("tanh", 0, X, output=Symbol("A", (n, 3))), "∂ℒ/∂A ⊙ (1 − A²)"),
        (of_course("relu", None, x), "max(x, 0)"),
        (of_course("relu", 0, x, output=y), "0 if y ≤ 0, else ∂ℒ/∂y"),
        # S0: a layer, rows are samples
        (of_course("matmul", None, X, W), "X W"),
        (of_course("matmul", 0, X, W, output=Y), "∂ℒ/∂Y Wᵗ"),
        (of_course("matmul", 1, X, W, output=Y), "Xᵗ ∂ℒ/∂Y"),
        (of_course("linear", None, X, V, B), "X Wᵗ + B"),
        (of_course("linear", 0, X, V, B, output=Y), "∂ℒ/∂Y W"),
        (of_course("linear", 1, X, V, B, output=Y), "(∂ℒ/∂Y)ᵗ X"),
        (of_course("linear", 2, X, V, B, output=Y), "∂ℒ/∂Y"),
        # S0, S2: mean squared error; S1: cross-entropies
        (of_course("mse_loss", None, P, T), "(1 / n) Σ (A − y)²"),
        (gradient(op("mse_loss"), 0, constant(1), [P, T]), "(2 / n) (A − y)"),
        (gradient(op("mse_loss"), 0, constant(1), [x, t]), "2 (x − y*)"),
        (gradient(op("binary_cross_entropy"), 0, constant(1), [a, y], None, {"reduction": "sum"}),
         "(a − y) / max(a (1 − a), 1e−12)"),
        (gradient(op("binary_cross_entropy_with_logits"), 0, constant(1), [x, y], None, {"reduction": "sum"}), "σ(x) − y"),
        (of_course("cross_entropy", 0, Z, classes), "(∂ℒ/∂y / n) (softmax(Z) − [y = 0…2])"),
        (gradient(op("cross_entropy"), 0, constant(1), [Z, classes]), "(softmax(Z) − [y = 0…2]) / n"),
        (of_course("softmax", None, Z, dim=1), "e^(Z − maxⱼ Z) / Σⱼ e^(Z − maxⱼ Z)"),
        (of_course("softmax", 0, Z, output=Symbol("A", (n, 3)), dim=1), "A ⊙ (∂ℒ/∂A − Σⱼ ∂ℒ/∂A ⊙ A)"),
        # elementary ones
        (of_course("sin", 0, x, output=y), "∂ℒ/∂y · cos x"),
        (of_course("cos", 0, x, output=y), "−∂ℒ/∂y · sin x"),
        (of_course("log", 0, x, output=y), "∂ℒ/∂y / x"),
        (of_course("exp2", 0, x, output=y), "∂ℒ/∂y · y ln 2"),
        (of_course("erf", 0, x, output=y), "∂ℒ/∂y · (2 / √π) e^(−x²)"),
        (of_course("div", 1, x, y, output=Symbol("z")), "−∂ℒ/∂z · x / y²"),
        (of_course("maximum", 0, x, a, output=y), "∂ℒ/∂y · ([x > a] + 0.5 [x = a])"),
        (of_course("mean", 0, X, dim=None, keepdim=False), "∂ℒ/∂y / (3n)"),
        (of_course("var", None, X, dim=0, keepdim=False, correction=1), "(Σᵢ (X − (1 / n) Σᵢ X)²) / (n − 1)"),
    ],
)  # fmt: skip
def test_the_courses_formulas(formula: Symbol, shown: str) -> None:
    assert text(formula) == shown
    well_formed(formula)


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (of_course("sigmoid", 0, x, output=y), r"\frac{\partial \mathcal{L}}{\partial y} \cdot y \, (1 - y)"),
        (of_course("matmul", 0, X, W, output=Y), r"\frac{\partial \mathcal{L}}{\partial Y} \, W^{\mathrm{t}}"),
        (gradient(op("mse_loss"), 0, constant(1), [P, T]), r"\frac{2}{n} \, (A - y)"),
        (of_course("softmax", None, Z, dim=1), r"\frac{e^{Z - \max_j Z}}{\sum_j e^{Z - \max_j Z}}"),
        (of_course("relu", 0, x, output=y),
         r"\begin{cases} 0 & \text{if } y \leq 0 \\ \frac{\partial \mathcal{L}}{\partial y} & \text{otherwise} \end{cases}"),
        (Symbol("Z⁽¹⁾") * Symbol("w_1") * Symbol("ŷ"), r"Z^{(1)} w_1 \hat{y}"),
        (Symbol("y_pred") + Symbol("net.0.weight"), r"y_{\mathrm{pred}} + \mathtt{net.0.weight}"),
        (1e-9 * x, r"10^{-9} x"),
        (2.5e-9 + x, r"2.5 \cdot 10^{-9} + x"),
        (np.sqrt(x / 2) ** 2, r"\left( \sqrt{\frac{x}{2}} \right)^{2}"),
    ],
)  # fmt: skip
def test_latex(formula: Symbol, shown: str) -> None:
    assert latex(formula) == shown
    well_formed(formula)


def test_mathml_is_what_browsers_draw_and_screen_readers_say() -> None:
    assert mathml(x / 2, display="inline") == (
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline" lang="en" alttext="x / 2">'
        "<mfrac><mi>x</mi><mn>2</mn></mfrac></math>"
    )
    assert "<mo>\u2061</mo>" in mathml(np.tanh(x))  # "of"
    assert "<mo>\u2062</mo>" in mathml(x * y)  # "times"
    assert "&lt;" in mathml(np.where(x < y, x, 0))


def test_french_has_its_words_and_its_comma() -> None:
    formula = np.where(x > 0, x, 0.01 * x)
    assert text(formula, lang="fr") == "x si x > 0, sinon 0,01x"
    assert latex(formula, lang="fr") == r"\begin{cases} x & \text{si } x > 0 \\ 0{,}01 x & \text{sinon} \end{cases}"
    assert "<mn>0,01</mn>" in mathml(formula, lang="fr")
    assert text(np.maximum(x, 0.5), lang="fr") == "max(x ; 0,5)", "two commas would be one too many"
    assert text(np.maximum(x, a), lang="fr") == "max(x, a)"
    assert latex(np.maximum(x, 0.5), lang="fr") == r"\max(x; 0{,}5)"
    with pytest.raises(ValueError, match="lang"):
        text(formula, lang="de")


# -- reading back ------------------------------------------------------------------------------------------------------

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵃˣʸᶻ", "0123456789−axyz")
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "cos": math.cos, "tanh": math.tanh, "exp": math.exp, "ln": math.log, "max": max, "min": min, "√": math.sqrt,
}  # fmt: skip


class Reader:
    """A parser of what is written: sums, products with and without a sign, fractions, powers, functions, |x|."""

    def __init__(self, line: str, values: dict[str, float]) -> None:
        line = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵃˣʸᶻ]+", lambda m: f"^({m[0].translate(_RAISED)})", line)
        self.tokens = re.findall(r"\d+(?:\.\d+)?(?:e−?\d+)?|cos|tanh|exp|ln|max|min|[a-z]|\S", line)
        self.values = values

    def whole(self) -> float:
        found = self.sum()
        assert not self.tokens, self.tokens
        return found

    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *expected: str) -> str:
        token = self.tokens.pop(0)
        assert not expected or token in expected, (token, expected)
        return token

    def sum(self) -> float:
        value = self.product()
        while self.next() in ("+", "−"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> float:
        if self.next() == "−":
            self.take()
            return -self.product()
        value = self.power()
        while self.next() and self.next() not in "+−),|]":
            sign = self.take() if self.next() in "·×/" else "·"
            value = value / self.power() if sign == "/" else value * self.power()
        return value

    def power(self) -> float:
        value = self.atom()
        while self.next() == "^":
            self.take()
            value = value ** self.atom()
        return value

    def atom(self) -> float:
        token = self.take()
        if token in ("(", "|"):
            value = self.sum()
            self.take(")", "|")
            return abs(value) if token == "|" else value
        if token in _FUNCTIONS:
            if self.next() != "(":
                return _FUNCTIONS[token](self.atom())
            self.take("(")
            args = [self.sum()]
            while self.next() == ",":
                self.take()
                args.append(self.sum())
            self.take(")")
            return _FUNCTIONS[token](*args)
        return self.values[token] if token in self.values else float(token.replace("−", "-"))


def plain(line: str) -> str:
    """LaTeX as one line of text, for the reader: fractions, roots and powers with parentheses instead of braces."""
    for pattern, signs in [(r"\\left|\\right|\\,", ""), (r"\\cdot|\\times", "·"), (r"\\(cos|tanh|ln|max|min)", r"\1")]:
        line = re.sub(pattern, signs, line)
    line = line.replace("-", "−").replace(r"\vert ", "|").replace(r"\vert", "|")
    while r"\frac" in line or r"\sqrt" in line:
        line = re.sub(r"\\frac\{([^{}\\]*)\}\{([^{}\\]*)\}", r"((\1)/(\2))", line)
        line = re.sub(r"\\sqrt\{([^{}\\]*)\}", r"√(\1)", line)
        line = re.sub(r"\^\{([^{}\\]*)\}", r"^(\1)", line)
    while "^{" in line:
        line = re.sub(r"\^\{([^{}]*)\}", r"^(\1)", line)
    return line


_LEAVES = {"a": 1.37, "x": 0.61, "y": 2.43, "z": 0.89, "e": math.e}
_SYMBOLS = {name: Symbol(name) for name in "axyz"}


def _called(f: Callable[..., Any], *args: Any) -> Any:
    """A call with a symbol in it; numbers stay those of the leaves, which are written with all their digits."""
    return f(*args) if any(isinstance(a, Symbol) for a in args) else args[0]


def _trees() -> st.SearchStrategy[Any]:
    leaves = st.sampled_from(list(_SYMBOLS.values())) | st.sampled_from([1, 2, 3, 0.5, -1, -2.5, 1e-9])
    two = st.sampled_from([np.add, np.subtract, np.multiply, np.true_divide, np.maximum])
    one = st.sampled_from([np.negative, np.cos, np.tanh, np.abs, lambda e: e**2, lambda e: 2.0**e, np.exp])
    return st.recursive(
        leaves,
        lambda parts: st.builds(_called, two, parts, parts) | st.builds(_called, one, parts),
        max_leaves=9,
    )


@given(_trees())
def test_text_and_latex_read_back_to_the_same_value(tree: Any) -> None:
    """Wherever parentheses are needed they are there: another reader finds the same value."""
    if not isinstance(tree, Symbol):
        return
    values = {symbol: _LEAVES[name] for name, symbol in _SYMBOLS.items()}
    with np.errstate(all="ignore"):
        expected = float(evaluate(tree, values))
    if not math.isfinite(expected) or abs(expected) > 1e12:
        return
    shown, line = text(tree), latex(tree)
    for written in (shown, plain(line)):
        try:
            found = Reader(written, _LEAVES).whole()
        except (ZeroDivisionError, OverflowError):
            continue
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-7), (shown, line)
    balanced(line)


@given(_trees())
def test_numbers_in_place_of_names_read_back_as_well(tree: Any) -> None:
    if not isinstance(tree, Symbol):
        return
    given = {_SYMBOLS["x"]: -0.5, _SYMBOLS["y"]: 2.0, _SYMBOLS["z"]: -3.0, _SYMBOLS["a"]: 0.25}
    with np.errstate(all="ignore"):
        expected = float(evaluate(tree, given))
    if not math.isfinite(expected) or abs(expected) > 1e12:
        return
    shown = text(substitute(tree, given), lang="fr")
    shown = shown.replace(" ; ", "#").replace(", ", "#").replace(",", ".").replace("#", ", ")
    try:
        found = Reader(shown, {"e": math.e}).whole()
    except (ZeroDivisionError, OverflowError):
        return
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-7), shown


# -- what a teacher would not leave standing, and would not change -----------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        (1 * x, "x"), (x * 1.0, "x"), (x / 1, "x"), (0 + x, "x"), (x - 0, "x"), (0 - x, "−x"), (x**1, "x"),
        (np.negative(-x), "x"), (x + -y, "x − y"), (x - -y, "x + y"), (-x * y, "−xy"), (x * -y, "−xy"), (-x * -y, "xy"),
        (-x / y, "−x / y"),
        (x + (-2), "x − 2"), (-2 * x, "−2x"), (x * x, "x²"), (-1 * x, "−x"), (constant(1) * 2 * (x - y), "2 (x − y)"),
        (1 / a * (x - y), "(x − y) / a"),
        # as they are written otherwise
        (2 * x + 3 * x, "2x + 3x"), (x - x, "x − x"), (x * 0.5, "x · 0.5"), (0.5 * (0.5 * x), "0.5 × 0.5x"),
        (2 * (x * y), "2xy"), ((x + y) + a, "x + y + a"), (x + (y + a), "x + (y + a)"), (x - (y - a), "x − (y − a)"),
        ((x / y) / a, "x / y / a"), (x / (y / a), "x / (y / a)"), (x * (y / a), "x (y / a)"), ((x / y) * a, "(x / y) a"),
        (-(x + y), "−(x + y)"), ((-x) ** 2, "(−x)²"), (x**-1, "x⁻¹"), (x**0.5, "x^0.5"), (2 ** (x + 1), "2^(x + 1)"),
        (np.cos(x) * y, "(cos x) y"), (y * np.cos(x), "y cos x"), (np.cos(x) ** 2, "(cos x)²"), (np.exp(-x), "e⁻ˣ"),
        (np.log(1 + np.exp(x)), "ln(1 + eˣ)"), (np.sqrt(x), "√x"), (np.sqrt(1 - x * x), "√(1 − x²)"),
        (np.log1p(x), "ln(1 + x)"), (a * np.abs(x), "a · |x|"), (np.abs(x) * a, "|x| a"),
        ((x > y) * a, "[x > y] a"), (np.where((x > 0) & (y > 0), x, y), "x if x > 0 ∧ y > 0, else y"),
        (1 + np.where(x > 0, x, y), "1 + (x if x > 0, else y)"), (np.hypot(x, y), "hypot(x, y)"), (x % y, "x mod y"),
        (0.1 + x, "0.1 + x"), (1e-9 + x, "1e−9 + x"), (x * (1 / 3), "x (1 / 3)"), (x + 3.0, "x + 3"), (np.pi * x, "πx"),
        # arrays
        (X * X, "X²"), (X * Y[:, :1], "X ⊙ Y[:, :1]"), ((X @ W) * Y, "(X W) ⊙ Y"), (X @ (W * 2), "X W · 2"),
        ((X * X) @ W, "X² W"), ((X * Z) @ W, "(X ⊙ Z) W"), ((2 * X) @ W, "2X W"), ((-X) @ W, "−X W"), (X.T @ (X @ W), "Xᵗ X W"),
        (np.sum(X * Z), "Σ X ⊙ Z"), (np.sum(X) * x, "(Σ X) x"), (x * np.sum(X + Z, axis=0), "x Σᵢ (X + Z)"), (X.mT, "Xᵗ"),
        (np.sum(X, axis=(0, 1)), "Σ X"), (np.sum(np.sum(X, 1)), "Σ Σⱼ X"), (Symbol("A⁽¹⁾", (2, 3)).T, "A⁽¹⁾ᵗ"),
        (X[:, None], "X"), (X[1:, 0], "X[1:, 0]"), (X.reshape(-1), "reshape(X, −1)"), (np.array([1.0, 2.0]) * B, "[1 2] ⊙ B"),
        (np.sum(x), "x"), (np.mean(x), "x"), (2 * np.mean(X[:1, :1]), "2X[:1, :1]"),  # one term is no sum
        (np.flip(X, 1), "flip(X, 1)"), (X.astype(np.float32).sum(0), "Σᵢ X"), (len(X) * X, "4X"), (X.shape[0] * X, "nX"),
    ],
)  # fmt: skip
def test_written_as_a_teacher_would(formula: Symbol, shown: str) -> None:
    assert text(formula) == shown
    well_formed(formula)


def test_tidying_keeps_shape_and_dtype() -> None:
    """1 · x is x only where that is the same array."""
    whole = Symbol("k", (3,), np.int64)
    assert (whole * 1).dtype == np.int64
    assert (whole * 1.0).dtype == np.float64
    assert (constant(1, (2, 3)) * B[:1]).shape == (2, 3)
    assert (Symbol("x", (3,), np.float32) * 2.5).dtype == np.float32


# -- names and numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown", "line"),
    [
        ("w1", "w₁", "w_1"), ("w_12", "w₁₂", "w_{12}"), ("y_hat", "ŷ", r"\hat{y}"), ("yhat", "ŷ", r"\hat{y}"),
        ("ŷ", "ŷ", r"\hat{y}"),
        ("Z⁽²⁾", "Z⁽²⁾", "Z^{(2)}"), ("A[1]", "A[1]", "A^{[1]}"), ("theta", "θ", r"\theta"), ("σ′", "σ′", r"\sigma'"),
        ("∂ℒ/∂w₁", "∂ℒ/∂w₁", r"\frac{\partial \mathcal{L}}{\partial w_1}"), ("loss", "loss", r"\mathrm{loss}"),
        ("h_t", "hₜ", "h_t"), ("W_ih", "Wᵢₕ", r"W_{\mathrm{ih}}"), ("x_bar", "x̄", r"\bar{x}"), ("b", "b", "b"),
        ("couche_1.poids", "couche_1.poids", r"\mathtt{couche\_1.poids}"), ("entrée", "entrée", r"\text{entrée}"),
        ("W₁⁽ᴸ⁾", "W₁⁽ᴸ⁾", "W_1^{(L)}"), ("lr", "lr", r"\mathrm{lr}"), ("Ω", "Ω", r"\Omega"), ("lambda", "λ", r"\lambda"),
    ],
)  # fmt: skip
def test_names(name: str, shown: str, line: str) -> None:
    assert text(Symbol(name)) == shown
    assert latex(Symbol(name)) == line
    assert text(Symbol(shown)) == shown, "what is shown is itself a name"
    well_formed(Symbol(name))


def test_a_name_taken_apart() -> None:
    assert read_name("w_12") == ("w", "12", "")
    assert read_name("Z₁⁽²⁾′") == ("Z", "1", "(2)′")
    assert read_name("weight") == ("weight", "", "")


def test_substitution_shows_the_same_formula_with_its_numbers() -> None:
    w, b = Symbol("w1"), Symbol("b")
    formula = w * x + b
    values = {w: 0.2494, x: -0.95231, b: 0.0}
    assert text(substitute(formula, values)) == "0.249 × −0.952 + 0"
    assert text(substitute(formula, values), lang="fr") == "0,249 × (−0,952) + 0"
    assert text(substitute(formula, values), digits=4) == "0.2494 × −0.9523 + 0"
    assert latex(substitute(formula, values), lang="fr") == r"0{,}249 \times (-0{,}952) + 0"
    assert text(substitute(formula, {x: -2})) == "w₁ × −2 + b"
    assert text(substitute(1 * w + x, {w: 1.0, x: 0.0})) == "1 + 0", "numbers are not tidied away"
    assert text(substitute(w * x, {w: 2.0, x: 2.0})) == "2 × 2", "two numbers that happen to be equal are no square"
    assert text(substitute(w * w, {w: -2.0})) == "(−2)²"
    assert text(substitute(b - x, {x: -1.0, b: 3.0})) == "3 − (−1)"
    assert text(substitute(-2 * (1 - x), {x: 0.5237})) == "−2 (1 − 0.524)"
    assert evaluate(substitute(formula, values), {}) == pytest.approx(0.2494 * -0.95231)
    well_formed(substitute(formula, values))


def test_small_arrays_are_written_whole() -> None:
    formula = substitute(W @ B, {W: np.array([[1.0, 2.0], [3.5, -4.0], [0.25, 6.0]]), B: np.ones(2)})
    assert text(formula, lang="fr") == "[1 2; 3,5 −4; 0,25 6] [1 1]"
    matrix = substitute(W, {W: np.array([[1.0, 2.5], [3.0, -4.0]])})
    assert text(matrix) == "[1 2.5; 3 −4]"
    assert latex(matrix) == r"\begin{pmatrix} 1 & 2.5 \\ 3 & -4 \end{pmatrix}"
    assert mathml(matrix).count("<mtr>") == 2
    assert text(substitute(X, {X: np.zeros((100, 100))})) == "(100×100)"
    well_formed(matrix)


@pytest.mark.parametrize(
    ("number", "digits", "shown"),
    [
        (0.04742587317756678, 3, "0.0474"), (0.5236951740839997, 3, "0.524"), (2.0, 3, "2"), (1e-9, 3, "1e−9"), (0.0, 3, "0"),
        (12345.678, 3, "12300"), (-0.0904, 3, "−0.0904"), (1234567.0, 3, "1.23e6"), (0.999999, 3, "1"), (float("inf"), 3, "∞"),
        (float("nan"), 3, "nan"), (0.5, 1, "0.5"), (1.5e-5, 2, "1.5e−5"), (float("-inf"), 3, "−∞"), (100000.0, 2, "100000"),
    ],
)  # fmt: skip
def test_numbers(number: float, digits: int, shown: str) -> None:
    assert text(substitute(x, {x: number}), digits=digits) == shown
    well_formed(substitute(x, {x: number}))


def test_lengths_with_names_stay_names() -> None:
    formula = (2 / math.prod(P.shape)) * (P - T)
    assert text(formula) == "(2 / n) (A − y)"
    np.testing.assert_array_equal(evaluate(formula, {P: np.ones((4, 1)), T: np.zeros((4, 1))}), np.full((4, 1), 0.5))
    assert [s.name for s in names(formula)] == ["n", "A", "y"]
    m = Length(3, "m")
    assert text(X / (n * m)) == "X / (nm)"
    assert (n, n * 2, 2 * n, n - 1, max(n, 1), len(P)) == (4, 8, 8, 3, 4, 4)
    assert text(np.mean(Symbol("Z", (n, m)), axis=1)) == "(1 / m) Σⱼ Z"


# -- what symbols cannot do --------------------------------------------------------------------------------------------


def test_an_if_on_values_says_so() -> None:
    with pytest.raises(NeedsValues, match=r"`if` asks whether x > 0 is true"):
        bool(x > 0)
    with pytest.raises(NeedsValues, match="written into"):
        X[0] = 1
    with pytest.raises(NeedsValues, match=r"np\.add writes"):
        np.add(x, y, out=np.zeros(()))
    with pytest.raises(NeedsValues, match="no values"):
        np.asarray(x)
    with pytest.raises(NeedsValues, match="no array"):
        np.allclose(x, y)
    with pytest.raises(ValueError, match="matmul"):
        X @ X
    with pytest.raises(KeyError, match="no value was given for y"):
        evaluate(x + y, {x: 1})


def test_an_operation_declared_here_is_written_at_once() -> None:
    @operation(
        "hypot", r"\sqrt{{x}^2 + {other}^2}", broadcasts=True, floats=True, name="test_hypot",
        dx=lambda g, x, y: g * x / y, dother=lambda g, other, y: g * other / y,
    )  # fmt: skip
    def hypot(x: Any, other: Any) -> Any:
        return np.sqrt(x * x + other * other)

    declared: Operation = REGISTRY.pop("test_hypot")
    assert text(forward(declared, [x, a])) == "√(x² + a²)"
    assert text(gradient(declared, 1, Symbol("∂ℒ/∂y"), [x, a], y)) == "∂ℒ/∂y · a / y"
    assert shown_as(declared) is None
    assert shown_as(REGISTRY["cross_entropy"]) == ("CE", ("softmax", 0), 1)
    assert text(applied(REGISTRY["cross_entropy"], Z, classes)) == "CE(softmax(Z), y)"
    assert latex(applied(REGISTRY["sigmoid"], x)) == r"\sigma(x)"


def test_an_operation_inside_a_formula_stays_whole_and_computes() -> None:
    """`on(softmax, x)` is softmax(x) for a symbol, the formula for arrays, and recorded for Tensors."""
    values, target = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    formula = gradient(op("cross_entropy"), 0, constant(1), [Z, classes])
    expected = op("cross_entropy").formulas[0](np.float64(1), values, target)
    np.testing.assert_allclose(evaluate(formula, {Z: values, classes: target}), expected, rtol=1e-14)
    logits = tg.tensor(values, requires_grad=True)
    (first,) = tg.autograd.grad(F.cross_entropy(logits, tg.tensor(target)), logits, create_graph=True)
    np.testing.assert_allclose(first.detach().numpy(), expected, rtol=1e-12)
    (second,) = tg.autograd.grad(first.square().sum(), logits)
    assert np.abs(second.numpy()).max() > 0.01


def test_broadcasting_is_undone_on_symbols_as_on_arrays() -> None:
    g = Symbol("∂ℒ/∂Y", (4, 2))
    assert text(unbroadcast(g, ((2,), g.dtype))) == "Σᵢ ∂ℒ/∂Y"
    assert text(unbroadcast(g, ((4, 1), g.dtype))) == "Σⱼ ∂ℒ/∂Y"
    assert text(unbroadcast(Symbol("∂ℒ/∂Y", (1, 2)), ((2,), g.dtype))) == "∂ℒ/∂Y"


def test_shared_parts_are_computed_once_and_counted_as_often_as_they_are_written() -> None:
    e: Any = x
    for _ in range(60):
        e = e + e
    assert e.calls == 2**60 - 1
    assert evaluate(e, {x: 1.0}) == 2.0**60


def test_large_arrays_take_no_memory() -> None:
    big = Symbol("X", (10**9, 10**6))
    assert np.exp(big * 2 + 1).shape == big.shape
    assert big.T.shape == (10**6, 10**9)


def test_the_framework_does_not_import_it() -> None:
    code = "import sys, tinygrad_fr; assert not [m for m in sys.modules if m.startswith('tinygrad_fr.visual')]"
    subprocess.run([sys.executable, "-c", code], check=True)
