"""Derivations: the documents' own, letter by letter, and any other graph against the engine.

S2 derives ∂L/∂w₁ of a network of three neurons with numbers; S1 gives the table of gradients of a network of L layers.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.visual.derivation import WORDS, Derivation, derivation
from tinygrad_fr.visual.formulas import Formulas
from tinygrad_fr.visual.notation import text
from tinygrad_fr.visual.sheet import Table
from tinygrad_fr.visual.snapshot import Snapshot
from tinygrad_fr.visual.symbols import Symbol, evaluate

try:
    from latex2mathml.converter import convert
except ImportError:  # a second reader of LaTeX, where it is installed
    convert = None


def number(value: float, requires_grad: bool = True) -> tg.Tensor:
    return tg.tensor(float(value), dtype=tg.float64, requires_grad=requires_grad)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said without `lang=` is said in English, whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "C")


def array(*shape: int, seed: int = 0, requires_grad: bool = True) -> tg.Tensor:
    values = np.random.default_rng([seed, *shape]).normal(size=shape)
    return tg.tensor(values, dtype=tg.float64, requires_grad=requires_grad)


ARGUMENTS = {"frac": 2} | dict.fromkeys("hat bar tilde text mathtt mathrm mathcal operatorname sqrt".split(), 1)
"""How many arguments a command of LaTeX takes; the signs and letters of `SIGNS` take none."""
SIGNS = set(
    "displaystyle partial sigma sum prod cdot times odot top tanh exp ln log max min left right quad alpha beta eta theta "
    "lambda mu nu pi ldots dots lvert rvert ne le ge lt gt land lor lnot in infty".split()
)


def compiles(latex: str) -> None:
    """Read a formula as TeX would: groups that close, known commands with their arguments, one exponent, one index a piece."""
    tokens = re.findall(r"\\[A-Za-z]+|\\.|[^\s\\]", re.sub(r"\\text\{[^{}]*\}", r"\\text{t}", latex))

    def group(i: int, end: str) -> int:
        seen: set[str] = set()  # what the piece before has already
        while i < len(tokens) and tokens[i] != end:
            token = tokens[i]
            assert token not in ("}", "\\end"), f"{token} closes nothing in {latex}"
            if token in "^_":
                assert token not in seen, f"double {token} in {latex}"
                seen.add(token)
                i = argument(i + 1)
            elif token in "'&":
                assert token == "'" or end == "\\end", f"& outside of an alignment in {latex}"
                i += 1
            else:
                seen = set()
                i = argument(i)
        assert end == "" or i < len(tokens), f"{end} is missing in {latex}"
        return i

    def argument(i: int) -> int:
        assert i < len(tokens) and tokens[i] not in "}^_&", f"an argument is missing in {latex}"
        token = tokens[i]
        if token == "{":
            return group(i + 1, "}") + 1
        if token == "\\begin":
            name = "".join(tokens[i + 1 : tokens.index("}", i) + 1])
            i = group(i + len(name) + 1, "\\end")
            assert "".join(tokens[i + 1 : i + 1 + len(name)]) == name, f"{name} is not what ends in {latex}"
            return i + 1 + len(name)
        if len(token) > 1 and token[1].isalpha():
            assert token[1:] in SIGNS | ARGUMENTS.keys(), f"{token} is unknown in {latex}"
            for _ in range(ARGUMENTS.get(token[1:], 0)):
                i = argument(i + 1) - 1
        return i + 1

    assert group(0, "") == len(tokens)


@pytest.mark.parametrize(
    "broken", [r"\frac{1}", r"a^b^c", r"{a", r"a}", r"\begin{aligned} a \end{matrix}", r"\sigmma(x)", r"x_", r"\hat"]
)
def test_the_reader_of_latex_refuses_what_tex_would(broken: str) -> None:
    compiles(r"\frac{\partial L}{\partial w_1} = \hat{y}^2_{ij} + \sigma'(z)")
    with pytest.raises(AssertionError):
        compiles(broken)


def well_formed(d: Derivation) -> None:
    """All three forms are there, and every formula of the LaTeX can be read."""
    assert d.text and d.markdown and d.latex
    assert "<Symbol" not in d.text
    for document in (d.markdown, d.latex):
        formulas = re.findall(r"\\\[(.+?)\\\]|\$\$(.+?)\$\$|\$(.+?)\$", document, re.DOTALL)
        assert formulas
        for found in formulas:
            line = next(filter(None, found))
            compiles(line)
            assert line.isascii() or r"\text" in line, line
            if convert is not None:
                ET.fromstring(convert(line.replace("{aligned}", "{align*}")))
    for row in d.markdown.splitlines():
        if row.startswith("|"):
            assert row.count("|") == 3, row


# -- S2: the derivative of the loss with respect to w₁, factor by factor -----------------------------------------------


def s2(**options: Any) -> Derivation:
    """Alice, x = (−2, −1), y = 1; every weight 1, every bias 0."""
    w1, w2, w3, w4, w5, w6 = (number(1) for _ in range(6))
    b1, b2, b3 = (number(0) for _ in range(3))
    x1, x2 = number(-2, False), number(-1, False)
    h1 = tg.sigmoid(w1 * x1 + w2 * x2 + b1)
    h2 = tg.sigmoid(w3 * x1 + w4 * x2 + b2)
    y_hat = tg.sigmoid(w5 * h1 + w6 * h2 + b3)
    L = (1 - y_hat) ** 2
    found = derivation(L, w1, names={"ŷ": y_hat, "h₁": h1, "h₂": h2}, **options)
    L.backward()  # the graph is still there
    assert w1.grad.item() == pytest.approx(0.021469535265811107, abs=1e-15)
    return found


S2 = """\
Forward pass
  h₁ = σ(w₁x₁ + w₂x₂ + b₁)
     = σ(1 × −2 + 1 × −1 + 0)
     = σ(−3)
     = 0.0474
  h₂ = σ(w₃x₁ + w₄x₂ + b₂)
     = σ(1 × −2 + 1 × −1 + 0)
     = σ(−3)
     = 0.0474
  ŷ = σ(w₅h₁ + w₆h₂ + b₃)
    = σ(1 × 0.0474 + 1 × 0.0474 + 0)
    = σ(0.0948)
    = 0.524
  L = (1 − ŷ)²
    = (1 − 0.524)²
    = 0.227

Chain rule
  ∂L/∂w₁ = ∂L/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁

Each factor
  ∂L/∂ŷ = −2 (1 − ŷ)
        = −2 (1 − 0.524)
        = −0.952  (without rounding: −0.953)
  ∂ŷ/∂h₁ = w₅ σ′(w₅h₁ + w₆h₂ + b₃)
         = 1 × σ′(1 × 0.0474 + 1 × 0.0474 + 0)
         = 1 × σ′(0.0948)
         = 0.249
  ∂h₁/∂w₁ = x₁ σ′(w₁x₁ + w₂x₂ + b₁)
          = −2 × σ′(1 × −2 + 1 × −1 + 0)
          = −2 × σ′(−3)
          = −0.0904
  with σ′(z) = σ(z) (1 − σ(z))

Product
  ∂L/∂w₁ = −0.952 × 0.249 × −0.0904
         = 0.0214  (without rounding: 0.02147)"""


def test_the_derivation_of_s2_factor_by_factor() -> None:
    found = s2()
    assert str(found) == found.text == S2
    assert [factor.name for factor in found.factors] == ["∂L/∂ŷ", "∂ŷ/∂h₁", "∂h₁/∂w₁"]
    assert [factor.value for factor in found.factors] == [-0.952, 0.249, -0.0904], "as printed in the document"
    assert found.value == 0.0214, "the product of the rounded factors, as printed"
    assert found.exact.item() == pytest.approx(0.021469535265811107, abs=1e-15)
    assert math.prod(factor.exact for factor in found.factors) == pytest.approx(0.021469535265811107, abs=1e-15)
    well_formed(found)


def test_s2_in_french() -> None:
    found = s2(lang="fr")
    assert "Propagation avant\n  h₁ = σ(w₁x₁ + w₂x₂ + b₁)\n     = σ(1 × (−2) + 1 × (−1) + 0)" in found.text
    assert "Règle de dérivation en chaîne\n  ∂L/∂w₁ = ∂L/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁" in found.text
    assert "= −0,952  (sans arrondir : −0,953)" in found.text
    assert "  avec σ′(z) = σ(z) (1 − σ(z))" in found.text
    assert found.text.endswith("∂L/∂w₁ = −0,952 × 0,249 × (−0,0904)\n         = 0,0214  (sans arrondir : 0,02147)")
    assert r"0{,}0214 \quad (\text{sans arrondir : }0{,}02147)" in found.latex
    assert not re.search(r"\d\.\d", found.text)
    for word in WORDS["en"].values():
        assert len(word) < 4 or word in WORDS["fr"].values() or word not in found.text
    well_formed(found)


def test_the_language_is_the_users_own_as_in_drawings_and_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert s2().text == s2(lang="fr").text != s2(lang="en").text
    monkeypatch.setenv("LC_ALL", "C")
    assert s2().text == s2(lang="en").text


def test_s2_as_latex_and_markdown() -> None:
    found = s2(form="latex")
    assert str(found) == found.latex == found._repr_latex_()
    assert (
        r"\[ \frac{\partial L}{\partial w_1} = \frac{\partial L}{\partial \hat{y}} \cdot "
        r"\frac{\partial \hat{y}}{\partial h_1} \cdot \frac{\partial h_1}{\partial w_1} \]"
    ) in found.latex
    assert (
        r"\[ \begin{aligned} \frac{\partial \hat{y}}{\partial h_1} &= w_5 \, \sigma'(w_5 h_1 + w_6 h_2 + b_3) \\ "
        r"&= 1 \times \sigma'(1 \times 0.0474 + 1 \times 0.0474 + 0) \\ &= 1 \times \sigma'(0.0948) \\ &= 0.249 "
        r"\end{aligned} \]"
    ) in found.latex
    assert r"with $\sigma'(z) = \sigma(z) \, (1 - \sigma(z))$" in found.latex
    assert str(s2(form="markdown")) == found.markdown == found._repr_markdown_()
    assert found.markdown.startswith("**Forward pass**\n\n$$\\begin{aligned} h_1 &= ")


def test_without_numbers_and_with_more_digits() -> None:
    symbolic = s2(numbers=False)
    assert "  ∂ŷ/∂h₁ = w₅ σ′(w₅h₁ + w₆h₂ + b₃)\n  ∂h₁/∂w₁ = x₁ σ′(w₁x₁ + w₂x₂ + b₁)" in symbolic.text
    assert "0.2" not in symbolic.text and "Product" not in symbolic.text
    assert "= 0.0214695" in s2(digits=7).text


def test_the_network_of_s2_as_a_module() -> None:
    """The weights are named by the model; what has no name is passed through."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w1, self.w5 = (nn.Parameter(number(1, False)) for _ in range(2))

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return tg.sigmoid(self.w5 * tg.sigmoid(self.w1 * x))

    net, x = Network(), number(-2, False)
    loss = (net(x) - 1) ** 2
    found = derivation(loss, net.w1, model=net)
    assert "\n  ∂ℒ/∂w₁ = 2w₅x (σ(w₅ σ(w₁x)) − 1) σ′(w₅ σ(w₁x)) σ′(w₁x)\n" in found.text
    assert found.exact.item() == pytest.approx(found.factors[0].exact)
    well_formed(found)


# -- S1: the table of gradients ----------------------------------------------------------------------------------------


def s1_columns(samples: int = 1, classes: int = 1) -> tuple[dict[str, tg.Tensor], tg.Tensor]:
    """S1 writes Z = W A + b, with the samples in columns."""
    sizes = [2, 4, 3, classes]
    named, a = {}, array(2, samples, requires_grad=False)
    for k, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        w, b = array(outputs, inputs, seed=k), array(outputs, 1, seed=k)
        z = w @ a + b
        a = tg.sigmoid(z)
        named |= {f"W⁽{'⁰¹²³'[k]}⁾": w, f"b⁽{'⁰¹²³'[k]}⁾": b, f"Z⁽{'⁰¹²³'[k]}⁾": z, f"A⁽{'⁰¹²³'[k]}⁾": a}
    return named, a


def test_the_table_of_s1_for_two_classes() -> None:
    """Sigmoids and cross-entropy, one sample: S1's own table, with L = 3."""
    named, a = s1_columns()
    y = tg.ones(1, 1, dtype=tg.float64)
    C = F.binary_cross_entropy(a, y)
    found = derivation(C, names=named)
    assert found.text == """\
Forward pass
  Z⁽¹⁾ = W⁽¹⁾ X + b⁽¹⁾
  A⁽¹⁾ = σ(Z⁽¹⁾)
  Z⁽²⁾ = W⁽²⁾ A⁽¹⁾ + b⁽²⁾
  A⁽²⁾ = σ(Z⁽²⁾)
  Z⁽³⁾ = W⁽³⁾ A⁽²⁾ + b⁽³⁾
  A⁽³⁾ = σ(Z⁽³⁾)
  C = BCE(A⁽³⁾, y)

Gradients
  ∂C/∂A⁽³⁾ = (A⁽³⁾ − y) / max(A⁽³⁾ ⊙ (1 − A⁽³⁾), 1e−12)
  ∂C/∂Z⁽³⁾ = ∂C/∂A⁽³⁾ ⊙ σ′(Z⁽³⁾) = A⁽³⁾ − y
  ∂C/∂W⁽³⁾ = ∂C/∂Z⁽³⁾ A⁽²⁾ᵗ
  ∂C/∂b⁽³⁾ = ∂C/∂Z⁽³⁾
  ∂C/∂Z⁽²⁾ = (W⁽³⁾ᵗ ∂C/∂Z⁽³⁾) ⊙ σ′(Z⁽²⁾)
  ∂C/∂W⁽²⁾ = ∂C/∂Z⁽²⁾ A⁽¹⁾ᵗ
  ∂C/∂b⁽²⁾ = ∂C/∂Z⁽²⁾
  ∂C/∂Z⁽¹⁾ = (W⁽²⁾ᵗ ∂C/∂Z⁽²⁾) ⊙ σ′(Z⁽¹⁾)
  ∂C/∂W⁽¹⁾ = ∂C/∂Z⁽¹⁾ Xᵗ
  ∂C/∂b⁽¹⁾ = ∂C/∂Z⁽¹⁾
  with σ′(z) = σ(z) (1 − σ(z))
  equal factors are struck out; the guard against a division by 0 is left aside"""
    well_formed(found)
    agrees(found, Snapshot(C, names=named))


def test_the_table_of_s1_for_several_classes() -> None:
    """A network of three layers with softmax and cross-entropy, named by the course where the model has paths."""
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    X, y = array(6, 4, requires_grad=False), tg.tensor([0, 1, 2, 1, 0, 2])
    loss = F.cross_entropy(net(X), y)
    found = derivation(loss, model=net)
    assert found.text == """\
Forward pass
  Z⁽¹⁾ = X W⁽¹⁾ᵗ + b⁽¹⁾
  A⁽¹⁾ = σ(Z⁽¹⁾)
  Z⁽²⁾ = A⁽¹⁾ W⁽²⁾ᵗ + b⁽²⁾
  A⁽²⁾ = tanh(Z⁽²⁾)
  Z⁽³⁾ = A⁽²⁾ W⁽³⁾ᵗ + b⁽³⁾
  ℒ = CE(softmax(Z⁽³⁾), y)

Gradients
  ∂ℒ/∂Z⁽³⁾ = (A⁽³⁾ − y) / n
  ∂ℒ/∂W⁽³⁾ = (∂ℒ/∂Z⁽³⁾)ᵗ A⁽²⁾
  ∂ℒ/∂b⁽³⁾ = Σᵢ ∂ℒ/∂Z⁽³⁾
  ∂ℒ/∂Z⁽²⁾ = (∂ℒ/∂Z⁽³⁾ W⁽³⁾) ⊙ tanh′(Z⁽²⁾)
  ∂ℒ/∂W⁽²⁾ = (∂ℒ/∂Z⁽²⁾)ᵗ A⁽¹⁾
  ∂ℒ/∂b⁽²⁾ = Σᵢ ∂ℒ/∂Z⁽²⁾
  ∂ℒ/∂Z⁽¹⁾ = (∂ℒ/∂Z⁽²⁾ W⁽²⁾) ⊙ σ′(Z⁽¹⁾)
  ∂ℒ/∂W⁽¹⁾ = (∂ℒ/∂Z⁽¹⁾)ᵗ X
  ∂ℒ/∂b⁽¹⁾ = Σᵢ ∂ℒ/∂Z⁽¹⁾
  with A⁽³⁾ = softmax(Z⁽³⁾)
  with tanh′(z) = 1 − tanh(z)²
  with σ′(z) = σ(z) (1 − σ(z))
  y is 1 at the class of each sample, 0 elsewhere
  with n = 6
  W⁽¹⁾ is 0.weight, b⁽¹⁾ is 0.bias, W⁽²⁾ is 2.weight, b⁽²⁾ is 2.bias, W⁽³⁾ is 4.weight, b⁽³⁾ is 4.bias"""
    well_formed(found)
    agrees(found, Snapshot(loss, model=net))
    french = derivation(loss, model=net, lang="fr")
    assert "  y vaut 1 pour la classe de chaque exemple, 0 ailleurs\n  avec n = 6\n  W⁽¹⁾ est 0.weight" in french.text
    assert "| dérivée | formule |" in french.markdown
    well_formed(french)


def test_one_sample_of_the_softmax_table_is_s1s_own() -> None:
    """S1: ∂C/∂Z[L] = A[L] − y, without the n of a mean."""
    Z = array(1, 3)
    (line,) = (e for name, e in derivation(F.cross_entropy(Z * 1, tg.tensor([2])), names={"Z": Z}).gradients.items())
    assert text(line).startswith("A − ") or "softmax" in text(line)


def agrees(found: Derivation, snapshot: Snapshot) -> None:
    """Every formula of the table gives, with the values of its symbols, the gradient that the engine gives."""
    engine = [v.gradient for v in snapshot if v.gradient is not None]
    (table,) = (block for block in found.blocks if isinstance(block, Table))
    assert table.rows
    for row in table.rows:
        for formula in row.steps:
            value = np.asarray(evaluate(formula, found.values), np.float64)
            same = [value.shape == g.shape and np.allclose(value, g, rtol=1e-7, atol=1e-12, equal_nan=True) for g in engine]
            assert any(same), f"{text(row.left)} = {text(formula)} is no gradient of the engine"


ACTIVATIONS: list[Callable[[tg.Tensor], tg.Tensor]] = [
    tg.sigmoid, tg.tanh, tg.relu, F.leaky_relu, F.elu, F.softplus, F.silu, F.gelu, lambda z: tg.softmax(z, 1), lambda z: z * z,
]  # fmt: skip
LOSSES: list[Callable[[tg.Tensor], tg.Tensor]] = [
    lambda z: F.mse_loss(z, tg.ones_like(z.detach())),
    lambda z: F.cross_entropy(z, tg.tensor([i % z.shape[1] for i in range(z.shape[0])])),
    lambda z: F.binary_cross_entropy(tg.sigmoid(z), tg.full_like(z.detach(), 0.25)),
    lambda z: F.binary_cross_entropy_with_logits(z, tg.full_like(z.detach(), 0.75)),
    lambda z: ((z - 1) ** 2).sum(),
    lambda z: (z - 1).abs().mean(),
    lambda z: -(tg.log_softmax(z, 1)[:, 0]).mean(),
    lambda z: z.std() + z.var(0).sum() + (z.max(1).values * 2).sum(),
]


_LAYERS = st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3)


@given(_LAYERS, st.sampled_from(LOSSES), st.integers(1, 3), st.booleans())
def test_every_line_of_any_table_is_the_engines_gradient(layers: list[Any], loss: Any, samples: int, linear: bool) -> None:
    a, weights = array(samples, 2, requires_grad=False), []
    for k, activation in enumerate(layers):
        w, b = array(3, a.shape[1], seed=k), array(3, seed=k + 9)
        weights.append((w, b))
        a = activation(F.linear(a, w, b) if linear else a @ w.T + b)
    C = loss(a)
    found = derivation(C)
    agrees(found, Snapshot(C))
    assert found.latex.count("{") == found.latex.count("}")


def test_equal_factors_are_struck_out() -> None:
    a, y, n = Symbol("a"), Symbol("y"), Symbol("n")
    formulas = Formulas(Snapshot(number(1) * 2))
    guarded = -(a - y) / np.maximum(a * (1 - a), 1e-12)
    assert text(formulas.struck_out(guarded / n * (a * (1 - a)))) == "−(a − y) / n"
    assert formulas.guarded
    assert text(formulas.struck_out(-(a * a * y) / (a * -n))) == "ay / n"
    assert formulas.struck_out((a - y) / (y - a)) is None


def test_between_arrays_it_is_one_line_for_each_gradient() -> None:
    named, a = s1_columns()
    C = F.binary_cross_entropy(a, tg.ones(1, 1, dtype=tg.float64))
    found = derivation(C, named["W⁽²⁾"], names=named, lang="fr")
    assert (
        "Règle de dérivation en chaîne\n"
        "  ∂C/∂W⁽²⁾ = ∂C/∂A⁽³⁾ · ∂A⁽³⁾/∂Z⁽³⁾ · ∂Z⁽³⁾/∂A⁽²⁾ · ∂A⁽²⁾/∂Z⁽²⁾ · ∂Z⁽²⁾/∂W⁽²⁾\n\nRétropropagation\n"
    ) in found.text
    assert list(found.gradients) == ["∂C/∂A⁽³⁾", "∂C/∂Z⁽³⁾", "∂C/∂Z⁽²⁾", "∂C/∂W⁽²⁾"], "only what leads there"
    np.testing.assert_allclose(evaluate(found.gradients["∂C/∂W⁽²⁾"], found.values), found.exact)
    assert f"           = {text(found.gradients['∂C/∂Z⁽³⁾'])}\n           = " in found.text, "simplified, then its number"
    well_formed(found)
    assert "  ∂C/∂W⁽²⁾ = ∂C/∂Z⁽²⁾ A⁽¹⁾ᵗ\n  avec" in derivation(C, named["W⁽²⁾"], names=named, lang="fr", numbers=False).text


# -- several paths -----------------------------------------------------------------------------------------------------


def test_a_quantity_used_twice_is_a_sum_over_paths() -> None:
    x = number(3)
    a = x * x
    b = a + x
    found = derivation(b * a, x)
    assert "  ∂ℒ/∂x = ∂ℒ/∂b · ∂b/∂x + ∂ℒ/∂a · ∂a/∂x + ∂ℒ/∂b · ∂b/∂a · ∂a/∂x\n" in found.text
    assert "  ∂a/∂x = x + x\n        = 3 + 3\n        = 6\n" in found.text, "the two uses of x are added"
    assert found.text.endswith("  ∂ℒ/∂x = 9 × 1 + 12 × 6 + 9 × 1 × 6\n        = 135")
    assert found.value == found.exact.item() == 135
    well_formed(found)


def test_the_double_edge_of_a_plus_a() -> None:
    """`b = a + a; c = b * b`, on which a walk along paths goes wrong."""
    a = number(3)
    b = a + a
    c = b * b
    found = derivation(c, a)
    assert found.text.endswith("∂b/∂a = 1 + 1\n        = 2\n\nProduct\n  ∂c/∂a = 12 × 2\n        = 24")


def test_a_weight_shared_by_two_layers() -> None:
    w, X = array(2, 2), array(4, 2, requires_grad=False)
    A = tg.tanh(X @ w)
    loss = tg.tanh(A @ w).sum()
    found = derivation(loss, w)
    assert "  ∂ℒ/∂w = Aᵗ ∂ℒ/∂z⁽²⁾ + Xᵗ ∂ℒ/∂z⁽¹⁾\n" in found.text
    np.testing.assert_allclose(evaluate(found.gradients["∂ℒ/∂w"], found.values), found.exact)
    well_formed(found)


def test_too_many_paths_or_factors_are_not_written_out() -> None:
    a = number(1.5)
    b = a * a + a
    c = b * b + b
    d = c * c + c + a + b
    e = d * d + a
    found = derivation(e * e + a + b + c, a)
    assert found.value is None
    assert "∂ℒ/∂a = …, a sum over more than 6 paths, whose gradients are added where they meet" in found.text
    assert float(np.asarray(evaluate(found.gradients["∂ℒ/∂a"], found.values))) == pytest.approx(found.exact.item())
    v = number(1)
    chain = [v]
    for _ in range(20):
        chain.append(chain[-1] * 2)
    assert "∂ℒ/∂v = …, a product of 21 factors, one after the other" in derivation(chain[-1] + 1 - 1, v).text


def test_a_deep_graph_needs_no_recursion() -> None:
    v = number(1)
    s = v
    for _ in range(3000):
        s = s * 0.999 + 0.001
    found = derivation(s, v)
    assert "u₁ = " in found.text, "long formulas without names are given some"
    assert float(np.asarray(evaluate(found.gradients["∂s/∂v"], found.values))) == pytest.approx(0.999**3000)
    assert len(derivation(s).gradients) > 100


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_chain_goes_through_what_has_a_name() -> None:
    x = number(0.5)
    u = tg.sin(x)
    v = u * 2
    loss = v * v
    assert [f.name for f in derivation(loss, x).factors] == ["∂ℒ/∂v", "∂v/∂u", "∂u/∂x"]
    assert [f.name for f in derivation(loss, x, names={"q": v}).factors] == ["∂ℒ/∂q", "∂q/∂x"]
    only = derivation(loss, x, names={})
    assert [(f.name, text(f.formula)) for f in only.factors] == [("∂ℒ/∂x", "2 (2 sin x + 2 sin x) cos x")]
    assert "Each factor" not in only.text and "Product" not in only.text


def test_with_respect_to_a_name_or_to_what_has_none() -> None:
    x = number(0.5)
    loss = (x * 3) ** 2
    assert derivation(loss, "x").factors[0].exact == pytest.approx(9)
    holder = [x * 4]
    again = derivation((holder[0] + 1) ** 2, holder[0], names={})
    assert [f.name for f in again.factors] == ["∂ℒ/∂u"]
    assert "  u = 4x\n" in again.text or "  u = x · 4\n" in again.text


def test_a_snapshot_will_do() -> None:
    w = number(2)
    loss = w * w * w
    snapshot = Snapshot(loss)
    loss.backward()
    assert derivation(snapshot, w).exact.item() == 12


def test_the_loss_has_the_courses_letter_unless_it_has_one_of_its_own() -> None:
    w = number(2)
    loss = cost = E = w * 3
    assert derivation(loss).text.startswith("Forward pass\n  ℒ = ")
    del loss
    assert derivation(cost).text.startswith("Forward pass\n  C = ")
    del cost
    assert derivation(E).text.startswith("Forward pass\n  E = ")
    assert derivation(E, names={"perte": E}).text.startswith("Forward pass\n  perte = ")


def test_a_users_function_has_a_value_and_no_formula() -> None:
    class Square(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            (x,) = ctx.saved_tensors
            return 2 * x * g

    v = number(1.5)
    q = Square.apply(v)
    found = derivation(q * 2, v)
    assert "  q = Square(v)\n    = 2.25\n" in found.text
    assert "  ∂q/∂v = 3\n" in found.text
    assert found.value == found.exact.item() == 6


def test_the_outputs_of_a_users_function_are_factors_of_their_own() -> None:
    class SumAndProduct(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            ctx.save_for_backward(a, b)
            return a + b, a * b

        @staticmethod
        def backward(ctx: Any, of_sum: tg.Tensor, of_product: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            a, b = ctx.saved_tensors
            return of_sum + of_product * b, of_sum + of_product * a

    a, b = number(2), number(5)
    s, p = SumAndProduct.apply(a, b)
    found = derivation(3 * s + 4 * p, a)
    assert "∂ℒ/∂a = ∂ℒ/∂p · ∂p/∂a + ∂ℒ/∂s · ∂s/∂a" in found.text
    assert {factor.name: factor.exact for factor in found.factors} == {"∂ℒ/∂p": 4, "∂p/∂a": 5, "∂ℒ/∂s": 3, "∂s/∂a": 1}
    assert found.value == found.exact.item() == 23


# -- what cannot be derived --------------------------------------------------------------------------------------------


def test_errors_say_what_is_wrong() -> None:
    w, x = number(2), number(3, False)
    loss = w * x
    with pytest.raises(ValueError, match="no gradient flows from the loss to x, which is a constant here"):
        derivation(loss, x)
    with pytest.raises(ValueError, match="the loss does not depend on"):
        derivation(loss, number(1))
    with pytest.raises(ValueError, match="no quantity is called 'b'"):
        derivation(loss, "b")
    with pytest.raises(ValueError, match="with respect to itself is 1"):
        derivation(loss, loss)
    with pytest.raises(ValueError, match="lang must be"):
        derivation(loss, w, lang="de")
    with pytest.raises(ValueError, match="form must be"):
        derivation(loss, w, form="html")
    loss.backward()
    with pytest.raises(RuntimeError, match="freed by backward"):
        derivation(loss, w)


def test_a_tensor_that_the_program_dropped_is_missed() -> None:
    a = array(1, 2, requires_grad=False)
    for k in range(2):
        w, b = array(2, 2, seed=k), array(2, seed=k)
        a = tg.tanh(F.linear(a, w, b))
    with pytest.raises(ValueError, match="no longer exists in the program"):
        derivation(a.sum())
    assert set(Formulas(Snapshot(a.sum())).names.values()) >= {"W⁽¹⁾", "Z⁽¹⁾", "A⁽¹⁾", "ℒ"}, "it has a name nevertheless"


# -- any graph of numbers ----------------------------------------------------------------------------------------------

_STEPS: list[Callable[[tg.Tensor, tg.Tensor], tg.Tensor]] = [
    lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a / (b * b + 1), lambda a, b: tg.sigmoid(a),
    lambda a, b: tg.tanh(a * b), lambda a, b: tg.sin(a) + b, lambda a, b: (a - b) ** 2, lambda a, b: tg.exp(-a * a),
    lambda a, b: tg.maximum(a, b), lambda a, b: tg.relu(a) - b, lambda a, b: tg.sqrt(a * a + 1), lambda a, b: 2 * a - 0.5 * b,
]  # fmt: skip


_PLACE = st.integers(0, 9)
_PROGRAMS = st.lists(st.tuples(st.sampled_from(_STEPS), _PLACE, _PLACE, st.booleans()), min_size=2, max_size=7)


@given(_PROGRAMS)
def test_the_factors_multiply_and_add_up_to_the_engines_derivative(steps: list[Any]) -> None:
    """Any program of numbers, with names or without: the sum over the paths is the gradient."""
    values, names = [number(0.7), number(-1.2), number(1.9)], {}
    for k, (step, i, j, named) in enumerate(steps):
        values.append(step(values[-1 - i % len(values)], values[-1 - j % len(values)]))
        if named:
            names[f"v{k}"] = values[-1]
    loss = values[-1] * 1
    for k in range(3):
        snapshot = Snapshot(loss, names={**names, "p": values[0], "q": values[1], "r": values[2]})
        try:
            target = snapshot.vertex_of(values[k])
        except KeyError:
            continue
        if target.order is None:
            continue
        found = derivation(loss, values[k], names={**names, "p": values[0], "q": values[1], "r": values[2]}, digits=12)
        assert found.exact.item() == pytest.approx(target.gradient.item(), rel=1e-9, abs=1e-12)
        if found.value is not None:
            assert found.value == pytest.approx(found.exact.item(), rel=1e-6, abs=1e-8), found.text
        assert found.latex.count("{") == found.latex.count("}")
