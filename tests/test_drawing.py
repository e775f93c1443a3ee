"""Drawings: what they show of a graph, that they are the same at each run, and that they draw wherever they are asked to.

The golden files are written again by `python tests/test_drawing.py`; look at what changed before you keep it.
"""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from examples import draw_error, draw_graph, draw_modules
from examples import draw_network as draw_network_lesson
from tinygrad_fr import nn, optim
from tinygrad_fr.diagnosis import diagnose
from tinygrad_fr.operation import REGISTRY
from tinygrad_fr.recording import record
from tinygrad_fr.testing import Draw, cases
from tinygrad_fr.visual import Drawing, NoRenderer, Snapshot, draw, draw_network, watch
from tinygrad_fr.visual import render as rendering
from tinygrad_fr.visual.cells import Cell, Style, brief, number, rows_of
from tinygrad_fr.visual.collapse import LARGEST, ROOM
from tinygrad_fr.visual.layout import svg
from tinygrad_fr.visual.picture import THEMES, Box, Picture
from tinygrad_fr.visual.words import WORDS

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


# -- three graphs of the course ------------------------------------------------------------------------------------------


def two_branches(**options: Any) -> Drawing:
    """The graph on which a walk along paths goes wrong."""
    a = tg.tensor(3.0, requires_grad=True)
    b = a + a
    c = b + b
    return draw(c, **options)


def neurons(**options: Any) -> Drawing:
    """S2: Alice, with every weight 1 and every bias 0."""
    w1, w2, w3, w4, w5, w6 = (tg.tensor(1.0, dtype=tg.float64, requires_grad=True) for _ in range(6))
    b1, b2, b3 = (tg.tensor(0.0, dtype=tg.float64, requires_grad=True) for _ in range(3))
    x1, x2 = tg.tensor(-2.0, dtype=tg.float64), tg.tensor(-1.0, dtype=tg.float64)
    h1 = tg.sigmoid(w1 * x1 + w2 * x2 + b1)
    h2 = tg.sigmoid(w3 * x1 + w4 * x2 + b2)
    y_hat = tg.sigmoid(w5 * h1 + w6 * h2 + b3)
    L = (1 - y_hat) ** 2
    return draw(L, **options)


def xor(**options: Any) -> Drawing:
    """S0: 2-3-1 with tanh, all four examples at once."""
    X = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    Y = tg.tensor([[0.0], [1.0], [1.0], [0.0]])
    W1 = tg.tensor([[0.5, -0.25, 0.75], [-0.5, 1.0, 0.25]], requires_grad=True)
    B1 = tg.tensor([0.25, 0.0, -0.5], requires_grad=True)
    W2 = tg.tensor([[1.0], [-0.75], [0.5]], requires_grad=True)
    B2 = tg.tensor([0.125], requires_grad=True)
    H = tg.tanh(X @ W1 + B1)
    E = ((Y - tg.tanh(H @ W2 + B2)) ** 2).mean()
    return draw(E, **options)


GOLDENS: dict[str, Callable[[], Drawing]] = {
    "two_branches.dot": lambda: two_branches(view="both", lang="en"),
    "s2_neurons.dot": lambda: neurons(view="both", formulas=True, lang="fr"),
    "xor_2_3_1.dot": lambda: xor(formulas=True, view="backward", theme="print", lang="en"),
}


def texts(drawing: Drawing) -> list[str]:
    """Every text of a drawing, in order: of its boxes, its arrows, its caption and legend."""
    picture = drawing.picture
    assert picture is not None
    cells = [cell for box in picture.boxes for row in box.rows for cell in row]
    found = [text for cell in cells for text in (cell.text, *(t for row in cell.numbers for t in row))]
    found += [line for arrow in picture.arrows for line in arrow.lines]
    return [text for text in [*found, picture.caption, *(word for _, word in picture.legend)] if text]


def box(drawing: Drawing, id: str) -> Box:
    assert drawing.picture is not None
    return next(box for box in drawing.picture.boxes if box.id == id)


def rows(drawing: Drawing, id: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in box(drawing, id).rows]


def arrows(drawing: Drawing, kind: str) -> dict[str, list[str]]:
    assert drawing.picture is not None
    return {arrow.id: [line for line in arrow.lines if line] for arrow in drawing.picture.arrows if arrow.kind == kind}


def ids(markup: str) -> set[str]:
    """The ids of nodes and edges in an SVG."""
    return {found for g in ET.fromstring(markup).iter() if re.fullmatch(r"[vegnbwlcd]\d\w*", found := g.get("id", ""))}


# -- always the same -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str) -> None:
    assert GOLDENS[name]().source == (GOLDEN / name).read_text(encoding="utf-8")


def test_two_runs_and_two_hash_seeds_give_the_same_bytes() -> None:
    program = "import sys; sys.path.insert(0, 'tests')\nfrom test_drawing import GOLDENS\n"
    program += "sys.stdout.buffer.write(''.join(make().source for make in GOLDENS.values()).encode())"
    expected = "".join((GOLDEN / name).read_text(encoding="utf-8") for name in GOLDENS)
    for seed in "12":
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."}
        root = Path(__file__).parent.parent
        done = subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, check=True)
        assert done.stdout.decode() == expected


# -- what is shown of a graph --------------------------------------------------------------------------------------------


def test_values_as_micrograd_shows_them() -> None:
    drawing = two_branches(gradients="computed", lang="en")
    assert rows(drawing, "v1") == [["a"], ["data", "3.0000"], ["grad", "2.0000 + 2.0000"], ["", "= 4.0000"]]
    assert rows(drawing, "v3") == [["+", "c"], ["data", "12.0000"], ["grad", "1.0000"]]
    assert [box.kind for box in drawing.picture.boxes] == ["parameter", "operation", "operation"]
    assert box(drawing, "v3").thick and not box(drawing, "v2").thick  # the loss


def test_each_use_has_its_arrow_and_its_contribution() -> None:
    drawing = two_branches(view="both", lang="en")
    assert list(arrows(drawing, "value")) == ["e1_2_0", "e1_2_1", "e2_3_0", "e2_3_1"]
    assert arrows(drawing, "gradient") == {
        "g1_2_0": ["+= 2.0000"], "g1_2_1": ["+= 2.0000"], "g2_3_0": ["+= 1.0000"], "g2_3_1": ["+= 1.0000"]
    }  # fmt: skip
    assert drawing.source.count("dir=\"back\"") == drawing.source.count("style=\"dashed\"") == 4
    assert "value" in texts(drawing) and "gradient" in texts(drawing)


def test_views() -> None:
    forward, backward, both = (xor(view=view, lang="en") for view in ("forward", "backward", "both"))
    assert not arrows(forward, "gradient") and not arrows(backward, "value")
    assert len(arrows(both, "gradient")) == len(arrows(backward, "gradient")) == 12
    assert len(arrows(both, "value")) == 12 + 3  # X, Y and the exponent have no gradient
    assert "grad" not in texts(forward) and "grad" in texts(backward)
    assert {b.kind for b in backward.picture.boxes} == {"parameter", "operation"}
    assert "#1" in texts(backward) and "#1" not in texts(forward)


def test_the_numbers_of_s2() -> None:
    said = texts(neurons(view="both", lang="en"))
    for value in ("0.0474", "0.5237", "−0.9526", "−0.2376", "0.0215"):
        assert value in said, value


def test_local_derivatives_come_from_the_declarations() -> None:
    drawing = neurons(view="both", formulas=True, lang="en")
    written = [line for lines in arrows(drawing, "value").values() for line in lines]
    for wanted in ("∂/∂w₁ = x₁", "∂/∂h₁ = w₅", "∂/∂b₁ = 1", "∂/∂ŷ = −1"):
        assert wanted in written, wanted
    assert any(line.endswith("= h₁ (1 − h₁)") for line in written)
    assert "∂L/∂w₁" in texts(drawing) and "= σ(v₁₅)" in texts(drawing)
    y = tg.tensor([1.0, 2.0], requires_grad=True)
    drawing = draw(tg.cos(y).mean() + (y * 3).sum(), formulas=True, lang="fr")
    written = [line for lines in arrows(drawing, "value").values() for line in lines]
    assert "∂/∂y = −sin y" in written and "∂/∂y = 3" in written and any(line.endswith("= 1 / 2") for line in written)
    mask = tg.tensor([True, False])
    assert ["∂/∂y = mask"] in arrows(draw((y * mask).sum(), formulas=True, lang="en"), "value").values()


def test_gradients_that_are_no_product_are_written_whole() -> None:
    forward = arrows(xor(formulas=True, lang="en"), "value")
    assert ["∂E/∂W₁ = Xᵗ ∂E/∂v₆"] in forward.values() and ["∂E/∂H = ∂E/∂v₉ W₂ᵗ"] in forward.values()
    backward = arrows(xor(formulas=True, view="backward", lang="en"), "gradient")
    assert ["Xᵗ ∂E/∂v₆"] in backward.values() and ["∂E/∂H ⊙ (1 − H²)"] in backward.values()


def test_the_axes_that_broadcasting_sums() -> None:
    assert ["Σ axe 0"] in arrows(xor(view="backward", lang="fr"), "gradient").values()
    bias = tg.zeros(1, 1, requires_grad=True)
    drawing = draw((bias + tg.ones(4, 3)).sum(), view="both", lang="en")
    assert arrows(drawing, "gradient")["g1_3_0"] == ["Σ axes 0, 1", "12.0000"]


def test_a_layer_has_the_course_s_names_in_formulas() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    drawing = draw(net(tg.ones(4, 2)).sum(), model=net, formulas=True, view="both", lang="en")
    said = texts(drawing)
    assert "W⁽¹⁾ = 0.weight" in said and "∂ℒ/∂W⁽¹⁾" in said and any(text.endswith("W⁽¹⁾ᵗ + b⁽¹⁾") for text in said)
    assert "0.weight" in texts(draw(net(tg.ones(4, 2)).sum(), model=net, lang="en"))


def test_gradients_that_are_stored() -> None:
    w = tg.tensor(3.0, requires_grad=True)
    loss = w * w
    snapshot = Snapshot(loss)
    assert rows(draw(snapshot, gradients=True, lang="en"), "v1")[-1] == ["no gradient yet"]
    assert rows(draw(snapshot, gradients=True, lang="fr"), "v1")[-1] == ["pas encore de gradient"]
    assert "0.0000" not in texts(draw(snapshot, gradients=True, lang="en"))
    loss.backward()
    assert rows(draw(snapshot, gradients=True, lang="en"), "v1")[-1] == ["grad", "6.0000"]
    loss = w * 2
    snapshot = Snapshot(loss)
    assert rows(draw(snapshot, gradients="stored", lang="en"), "v1")[-2:] == [["grad", "6.0000"], ["(of an earlier backward)"]]
    loss.backward()
    optim.SGD([w], lr=0.5).step()
    shown = rows(draw(snapshot, gradients=True, lang="fr"), "v1")
    assert shown[1:] == [["valeur", "3,0000"], ["après le pas", "−1,0000"], ["grad", "8,0000"], ["(cumulé)"]]
    assert rows(draw(snapshot, gradients="computed", lang="en"), "v1")[-1] == ["grad", "2.0000"]


def test_what_draw_takes() -> None:
    w = tg.tensor(2.0, requires_grad=True)
    assert draw(w * w, lang="en").source == Snapshot(w * w).graphviz(lang="en").source
    assert rows(draw(w * w, names={"weight": w}, lang="en"), "v1")[0] == ["weight"]
    with pytest.raises(TypeError, match="of a Tensor, got float"):
        draw(1.0)
    with pytest.raises(ValueError, match="view must be one of 'forward', 'backward', 'both'; got 'sideways'"):
        draw(w * w, view="sideways")
    for option in ({"theme": "red"}, {"lang": "de"}, {"direction": "RL"}, {"gradients": "all"}):
        with pytest.raises(ValueError, match="must be one of"):
            draw(w * w, **option)
    with pytest.raises(ValueError, match="Snapshot\\(loss, gradients=True\\)"):
        draw(Snapshot(w * w, gradients=False), view="both")
    loss = w * w
    loss.backward()
    with pytest.raises(RuntimeError, match="take the snapshot before"):
        draw(loss)


def test_drawing_changes_nothing() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    draw(loss, view="both", formulas=True)
    assert w.grad is None
    loss.backward()
    assert w.grad.tolist() == [2, 4]


def test_a_use_that_brings_no_gradient() -> None:
    """The target of a cross-entropy may be the prediction itself: it has an arrow, and nothing comes back on it."""
    p = tg.tensor(0.25, requires_grad=True)
    q = p * 1
    drawing = draw(nn.functional.binary_cross_entropy(q, q.detach()) + nn.functional.relu(q), view="both", lang="en")
    assert len(arrows(drawing, "value")) > len(arrows(drawing, "gradient"))
    snapshot = Snapshot(q * q)
    snapshot.links[-1].contribution = None
    shown = draw(snapshot, view="both", lang="en")
    assert list(arrows(shown, "gradient")) == ["g1_3_0", "g3_4_0"]
    assert rows(shown, "v3")[-1] == ["grad", "0.5000"]


def test_options_that_leave_things_out() -> None:
    bare = xor(values=False, shapes=False, legend=False, lang="en")
    assert not [text for text in texts(bare) if re.search(r"\d\.\d|float32|parameter$", text)]
    assert any("float32" in text for text in texts(xor(lang="en")))
    assert "0.50" in texts(xor(precision=2, lang="en")) and "0.500000" in texts(xor(precision=6, lang="en"))
    assert 'rankdir="TB"' in xor(direction="TB", lang="en").source


# -- the language --------------------------------------------------------------------------------------------------------


def test_the_words_are_the_same_in_both_languages() -> None:
    assert WORDS["en"].keys() == WORDS["fr"].keys()
    fields = [{key: re.findall(r"{\w+}", word) for key, word in WORDS[lang].items()} for lang in ("en", "fr")]
    assert fields[0] == fields[1]


def test_french_has_no_english_left(monkeypatch: pytest.MonkeyPatch) -> None:
    english = {word for key, word in WORDS["en"].items() if WORDS["fr"][key] != word}
    assert "mean" in texts(xor(lang="en"))
    for drawing in (neurons(view="both", lang="fr"), xor(view="both", formulas=True, gradients=True, lang="fr")):
        said = texts(drawing)
        assert not english & set(said)
        assert not [text for text in said if re.search(r"\d\.\d", text)]  # decimal commas
        assert any("Propagation avant et rétropropagation" in text for text in said)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert "valeur" in texts(two_branches())
    monkeypatch.setenv("LC_ALL", "C")
    assert "data" in texts(two_branches())


# -- numbers and arrays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0.0000"), (-0.0, "0.0000"), (-0.5, "−0.5000"), (123456.0, "123456.0000"), (1e6, "1.00e+06"),
        (9.9e-5, "9.90e−05"),
        (float("nan"), "NaN"), (float("inf"), "∞"), (float("-inf"), "−∞"), (3, "3"), (-3, "−3"), (True, "True"),
        (1 - 2j, "1.0000 − 2.0000i"), (np.float32(0.1), "0.1000"), (np.int64(7), "7"),
    ],
)  # fmt: skip
def test_numbers(value: Any, written: str) -> None:
    assert number(value, Style()) == written
    assert number(value, Style(lang="fr")) == written.replace(".", ",")


def test_arrays_are_shown_in_little_room() -> None:
    label = Cell("data")
    (row,) = rows_of(label, np.array([[1.5, 2.0], [0.0, -1.0]]), Style(2))
    assert row[1].numbers == (("1.50", "2.00"), ("0.00", "−1.00"))
    (row,) = rows_of(label, np.eye(2), Style())
    assert row[1].numbers == (("1", "0"), ("0", "1"))  # zeros and ones without decimals
    heat, stats = rows_of(label, np.linspace(-1, 1, 784 * 20).reshape(784, 20), Style(lang="fr"))
    assert (len(heat[1].heat), len(heat[1].heat[0])) == (8, 20)
    assert stats[0].text.startswith("min −1   moy. ") and stats[0].text.endswith("   max 1\u00a0")
    levels = [level for line in heat[1].heat for level in line]
    assert levels == sorted(levels) and levels[0] == -3 and levels[-1] == 4
    image, _ = rows_of(label, np.zeros((1, 784)), Style(), image=True)
    assert (len(image[1].heat), len(image[1].heat[0])) == (14, 14)
    assert rows_of(label, np.zeros((0, 3)), Style(lang="fr"))[0][1].text == "vide"
    assert rows_of(label, np.arange(100), Style())[0][1].text == "0, 1, 2, 3, 4, 5, 6, 7, …"
    assert rows_of(label, np.float32(2), Style())[0][1].text == "2.0000"
    assert brief(-0.00123456, Style(lang="fr")) == "−0,00123"


def test_nan_and_infinite_values_are_marked() -> None:
    label = Cell("data")
    assert rows_of(label, np.array(np.nan), Style())[0][1].role == "mark"
    assert rows_of(label, np.array([1.0, np.nan, np.inf]), Style())[-1] == (Cell("1 NaN, 1 ∞", "mark", bold=True),)
    values = np.zeros((30, 40))
    values[0, 0], values[1] = np.nan, np.inf
    heat, stats, mark = rows_of(label, values, Style())
    assert heat[1].heat[0][0] is None and "1 NaN, 40 ∞" in mark[0].text and stats[0].text == "min 0   mean 0   max 0\u00a0"
    assert rows_of(label, np.full(100, np.nan), Style())[-1][0].text == "100 NaN"


@given(st.integers(0, 10_000))
def test_any_array_can_be_shown(seed: int) -> None:
    draw_ = np.random.RandomState(seed)
    shape = tuple(draw_.randint(0, 12, draw_.randint(0, 4)))
    kind = draw_.choice(["f4", "f8", "i8", "?", "c16", "f2"])
    array = np.asarray(draw_.randn(*shape) * 10.0 ** draw_.randint(-12, 4)).astype(kind)
    if array.size and kind[0] == "f":
        array.flat[0] = draw_.choice([np.nan, np.inf, -np.inf, 0.0])
    for grey in (False, True):
        rows = rows_of(Cell("data"), array, Style(lang="fr", grey=grey))
        levels = [level for row in rows for cell in row for line in cell.heat for level in line]
        assert all(level is None or -4 <= level <= 4 for level in levels)
        picture = Picture([Box("v1", "constant", rows)], [], theme="print")
        ET.fromstring(picture.dot()[3].split("label=<", 1)[1].rsplit('>, tooltip="', 1)[0])
        ET.fromstring(svg(picture))


# -- every operation, every name -----------------------------------------------------------------------------------------


def well_formed(drawing: Drawing) -> None:
    """Each HTML-like label is XML, and the plain layout too."""
    assert drawing.picture is not None
    for line in drawing.source.split("\n"):
        for label in re.findall(r"label=<(.*?)>(?:, \w+=\"|\]$)", line):
            ET.fromstring(f"<label>{label}</label>")
    ET.fromstring(svg(drawing.picture))


@pytest.mark.parametrize("name", [name for name, op in REGISTRY.items() if any(op.formulas)])
def test_every_operation_can_be_drawn_with_its_formulas(name: str) -> None:
    for arrays, params in cases(REGISTRY[name], Draw(zlib.crc32(name.encode())))[:2]:
        many = any(p.kind.name == "VAR_POSITIONAL" for p in inspect.signature(REGISTRY[name].forward).parameters.values())
        op = REGISTRY[name].of(len(arrays)) if many else REGISTRY[name]
        inputs = [tg.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in arrays]
        y = record(op, tuple(inputs), dict(params))
        assert y.requires_grad
        for view in ("forward", "both"):
            well_formed(draw(y.sum(), view=view, formulas=True, lang="fr"))


@given(st.text(min_size=1, max_size=60))
def test_any_name_can_be_drawn(name: str) -> None:
    w = tg.tensor(1.0, requires_grad=True)
    drawing = draw(tg.tanh(w), names={name: w}, view="both", formulas=True, lang="en")
    well_formed(drawing)
    assert re.search(r"v1 \[id=\"v1\", class=\"parameter\"", drawing.source)


def test_long_names_lose_their_middle() -> None:
    w = tg.tensor(1.0, requires_grad=True)
    drawing = draw(w * 2, names={"encoder.layers.11.self_attention.output.weight": w}, lang="en")
    assert rows(drawing, "v1")[0] == ["encoder.layers.…on.output.weight"]
    assert box(drawing, "v1").tooltip == "encoder.layers.11.self_attention.output.weight"


def test_a_user_s_function_and_a_value_that_is_gone() -> None:
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return g * 2

    w = tg.tensor(1.0, requires_grad=True)
    loss = Double.apply(w) * 3
    gc.collect()
    drawing = draw(loss, view="both", formulas=True, lang="en")
    assert ["data", "not kept"] in rows(drawing, "v2") or ["data", "2.0000"] in rows(drawing, "v2")
    well_formed(drawing)


# -- modules, and graphs too large to read -------------------------------------------------------------------------------


class Block(nn.Module):
    """A layer within a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.outer = nn.Linear(4, 4)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        return x + self.outer(self.inner(x))


def watched(net: nn.Module, *shape: int) -> Snapshot:
    with watch() as seen:
        loss = net(tg.ones(*shape)).mean()
    return seen.snapshot(loss, model=net)


def test_modules_are_nested_frames() -> None:
    drawing = draw(watched(nn.Sequential(Block(), nn.Linear(4, 2)), 3, 4), lang="en")
    assert drawing.picture is not None
    assert {key: around for key, (around, _) in drawing.picture.groups.items()} == {
        "0": None, "0.inner": "0", "0.inner.0": "0.inner", "0.inner.1": "0.inner", "0.outer": "0", "1": None
    }  # fmt: skip
    assert drawing.picture.groups["0"][1] == "0 · Block · 40 parameters"
    assert drawing.picture.groups["0.inner.1"][1] == "0.inner.1 · ReLU"
    assert drawing.source.count("subgraph cluster_") == 6
    bare = draw(watched(Block(), 3, 4), group=False, lang="en")
    assert "subgraph" not in bare.source and bare.picture is not None
    assert all(f'\t{box.id} [id="{box.id}"' in bare.source for box in bare.picture.boxes)


def test_one_box_for_each_module() -> None:
    snapshot = watched(nn.Sequential(Block(), nn.Linear(4, 2)), 3, 4)
    deep = draw(snapshot, collapse=True, lang="fr")
    titles = {box.tooltip for box in deep.picture.boxes if box.kind == "module"}
    assert titles == {"0.inner.0 · Linear", "0.inner.1 · ReLU", "0.outer · Linear", "1 · Linear"}
    assert "+" in texts(deep)  # the block's own addition stands by itself, between its modules
    flat = draw(snapshot, collapse=True, depth=1, view="both", lang="fr")
    titles = {box.tooltip for box in flat.picture.boxes if box.kind == "module"}
    assert titles == {"0 · Block", "1 · Linear"}
    assert "40 paramètres" in texts(flat) and any(text.startswith("‖grad‖") for text in texts(flat))
    assert any("dessinées en 4 boîtes" in text for text in texts(flat))
    assert len(arrows(flat, "value")) == len(arrows(flat, "gradient")) + 1 == 3  # the input has no gradient


def chain(n: int) -> tg.Tensor:
    y = tg.tensor([1.0, 2.0], requires_grad=True)
    for _ in range(n):
        y = y * 1.001
    return y.sum()


def lattice(n: int) -> tg.Tensor:
    draw_ = np.random.RandomState(0)
    values = [tg.tensor(float(k), requires_grad=True) for k in range(5)]
    for _ in range(n):
        i, j = draw_.randint(len(values), size=2)
        values.append(tg.tanh(values[i] * values[j]))
    return tg.stack(values).sum()


@pytest.mark.parametrize("view", ["forward", "both"])
@pytest.mark.parametrize("make", [chain, lattice])
def test_a_thousand_nodes_are_collapsed_by_themselves(make: Callable[[int], tg.Tensor], view: Any, tmp_path: Path) -> None:
    graph = make(500)
    before = time.process_time()  # of this process alone, however busy the machine is
    drawing = draw(graph, view=view, lang="en")
    assert drawing.picture is not None
    assert len(drawing.picture.boxes) <= ROOM and " quantities drawn in " in drawing.picture.caption
    assert drawing.render(tmp_path / "large.svg").stat().st_size < 400_000
    assert time.process_time() - before < 3


def test_small_graphs_are_drawn_whole_and_large_ones_on_request() -> None:
    assert len(draw(chain(LARGEST // 2 - 1)).picture.boxes) == LARGEST
    assert len(draw(chain(LARGEST // 2)).picture.boxes) < LARGEST
    assert len(draw(chain(100), collapse=False).picture.boxes) == 202


def test_what_repeats_is_drawn_once() -> None:
    net = nn.Sequential(*(module for _ in range(50) for module in (nn.Linear(4, 4), nn.Sigmoid())))
    said = texts(draw(watched(net, 2, 4), lang="fr"))
    assert "1 … 98 · Sigmoid, Linear, 49 fois" in said and f"{49 * 20} paramètres" in said
    assert "×, 99 times" in texts(draw(chain(100), lang="en"))


def test_arrows_between_boxes_follow_the_computation() -> None:
    """Whatever was collapsed, what comes out of a box is never needed for it."""
    for drawing in (draw(lattice(300)), draw(chain(300)), draw(watched(nn.Sequential(*(Block() for _ in range(9))), 2, 4))):
        assert drawing.picture is not None
        order = {box.id: i for i, box in enumerate(drawing.picture.boxes)}
        assert all(order[arrow.tail] < order[arrow.head] for arrow in drawing.picture.arrows)
        assert len({box.id for box in drawing.picture.boxes}) == len(drawing.picture.boxes)


def test_a_model_called_in_a_circle() -> None:
    layer = nn.Linear(2, 2)
    with watch() as seen:
        x = tg.ones(1, 2)
        for _ in range(20):
            x = tg.tanh(layer(x))
        loss = x.sum()
    drawing = draw(seen.snapshot(loss, model=nn.ModuleDict({"shared": layer})), collapse=True, lang="en")
    well_formed(drawing)


# -- what goes wrong is marked -------------------------------------------------------------------------------------------


def ill() -> dict[str, Snapshot]:
    """A graph with each illness, and a healthy one."""
    x = tg.tensor([[1.0, 2.0], [-1.0, 0.5], [0.5, -2.0], [2.0, 1.0]])
    w = tg.tensor([[0.5, -0.25], [0.75, 0.5]], requires_grad=True)
    b = tg.tensor([0.0, -10.0], requires_grad=True)
    losses = {
        "dead": tg.relu(x @ w + b).sum(),
        "saturated": tg.tanh(100 * (x @ w)).sum(),
        "vanishing": (1e-9 * (x @ w)).sum(),
        "exploding": (1e5 * (x @ w)).sum(),
        "nan": tg.exp(tg.log(x @ w)).sum(),
        "": tg.tanh(x @ w).sum(),
    }
    return {kind: Snapshot(loss) for kind, loss in losses.items()}


def marked(drawing: Drawing) -> dict[str, list[str]]:
    """The marks of each box that has any, and their colour is never theirs alone."""
    assert drawing.picture is not None
    cells = {box.id: [cell for row in box.rows for cell in row if cell.text.startswith("! ")] for box in drawing.picture.boxes}
    assert all(cell.role == "mark" and cell.bold for found in cells.values() for cell in found)
    assert any(word.startswith("!") for _, word in drawing.picture.legend) == any(cells.values())
    return {id: [cell.text[2:] for cell in found] for id, found in cells.items() if found}


@pytest.mark.parametrize(
    ("kind", "en", "fr"),
    [
        ("dead", "dead neurons: 50 %", "neurones morts\u00a0: 50 %"),
        ("saturated", "saturated: 88 %", "saturation\u00a0: 88 %"),  # one product of eight is 0
        ("vanishing", "vanishing gradient", "disparition du gradient"),
        ("exploding", "exploding gradient", "explosion du gradient"),
        ("nan", "the first NaN or ∞", "le premier NaN ou ∞"),
    ],
)
def test_each_illness_has_its_mark_in_both_languages(kind: str, en: str, fr: str) -> None:
    for lang, word in (("en", en), ("fr", fr)):
        drawing = draw(ill()[kind], view="both", lang=lang)
        found = marked(drawing)
        assert sum(texts.count(word) for texts in found.values()) == 1, found
        assert f">! {word}</" in drawing.source and THEMES["light"]["mark"] in drawing.source
        assert f"! {word}" in svg(drawing.picture)
        assert not marked(draw(ill()[kind], view="both", marks=False, lang=lang))
        well_formed(drawing)


def test_what_is_healthy_has_no_mark_and_a_forward_view_marks_what_values_tell() -> None:
    assert not marked(draw(ill()[""], view="both"))
    assert not marked(neurons(view="both")) and not marked(xor(view="both"))
    assert not marked(draw(tg.tensor(1e-9) * tg.tensor(2.0, requires_grad=True)))  # nobody asked for its gradient
    assert marked(draw(ill()["dead"]))


def test_a_diagnosis_gives_its_marks_and_boxes_gather_those_of_their_parts() -> None:
    tg.manual_seed(0)
    net = nn.Sequential(*(module for _ in range(10) for module in (nn.Linear(16, 16), nn.Sigmoid())), nn.Linear(16, 1))
    with watch() as seen:
        loss = nn.functional.mse_loss(net(tg.randn(64, 16)), tg.randn(64, 1))
    report = diagnose(net, seen.snapshot(loss, model=net), lang="en")
    assert report.snapshot is not None and {verdict.kind for verdict in report.verdicts} == {"vanishing"}
    ids = {f"v{id}" for id in report.marks if isinstance(id, int)}
    drawing = draw(report.snapshot, view="both", marks=report.marks, collapse=False, lang="en")
    assert set(marked(drawing)) == ids and ids
    boxes = draw(report.snapshot, view="both", marks=report.marks, collapse=True, depth=1, lang="en")
    assert any(found == ["vanishing gradient"] for found in marked(boxes).values())


def test_tiny_gradients_have_a_norm() -> None:
    """Squared in float32, 10⁻³⁰ would be 0."""
    net = nn.Sequential(nn.Linear(1, 1))
    loss = (net(tg.ones(1, 1)) * 1e-30).sum()
    assert "‖grad‖ 1.41e−30" in texts(draw(loss, model=net, view="both", collapse=True, lang="en"))


# -- a forward pass that fails -------------------------------------------------------------------------------------------


def test_a_failure_is_drawn_up_to_where_it_failed() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(4, 1))
    with pytest.raises(RuntimeError) as caught:
        net(tg.ones(5, 2))
    for view in ("forward", "both"):
        drawing = draw(caught.value, model=net, view=view, formulas=True, lang="fr")
        assert drawing.picture is not None
        failed = drawing.picture.boxes[-1]
        assert failed.kind == "failed" and failed.rows[0][0].text == "ERREUR · linear"
        assert failed.rows[1][0].text == "Le moteur dit, en anglais\u00a0:"
        quoted = failed.rows[2][0].text.replace("\n", " ")
        assert quoted.startswith("«\u00a0linear(") and "in_features=4" in quoted and quoted.endswith("\u00a0»")
        assert drawing.picture.caption == "La propagation avant s'arrête à linear"
        assert "X·Wᵗ+b" in texts(drawing) and "tanh" in texts(drawing)
        well_formed(drawing)
    with pytest.raises(ValueError, match="no graph to show"):
        draw(KeyError("something else"))


# -- the programs that draw ----------------------------------------------------------------------------------------------


def hide(monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    """Take `dot` off the PATH, and packages away."""
    monkeypatch.setenv("PATH", "")
    find, files = importlib.util.find_spec, importlib.metadata.files

    def found(name: str, package: str | None = None) -> Any:
        return None if name in programs else find(name, package)

    def listed(name: str) -> Any:
        if name in programs:
            raise importlib.metadata.PackageNotFoundError(name)
        return files(name)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    monkeypatch.setattr(importlib.metadata, "files", listed)


def installed(name: str) -> bool:
    try:
        return bool(importlib.metadata.files(name))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.fixture(params=["dot", "pygraphviz", "graphviz-pure", "layout"])
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each link of the chain, with those before it taken away."""
    name: str = request.param
    if name == "dot":
        if shutil.which("dot") is None:
            pytest.skip("Graphviz is not installed")
        return name
    if name != "layout" and not installed(name):
        pytest.skip(f"{name} is not installed")
    hide(monkeypatch, *{"pygraphviz": (), "graphviz-pure": ("pygraphviz",)}.get(name, ("pygraphviz", "graphviz-pure")))
    return name


@pytest.mark.parametrize("make", [two_branches, neurons, xor])
def test_the_same_graph_from_each_program(program: str, make: Callable[..., Drawing]) -> None:
    drawing = make(view="both", formulas=True, lang="fr")
    markup = drawing.pipe("svg", encoding="utf-8")
    root = ET.fromstring(markup)
    assert drawing.picture is not None
    assert ids(markup) == {box.id for box in drawing.picture.boxes} | {arrow.id for arrow in drawing.picture.arrows}
    assert root.get("viewBox") and root.get("style") == "max-width:100%;height:auto"
    assert root.get("role") == "img" and root.get("aria-label") == drawing.picture.caption
    shown = " ".join(text.text or "" for text in root.iter(f"{SVG}text")).replace("\u00a0", " ")
    for text in texts(drawing):
        for line in text.split("\n"):
            assert line.replace("\u00a0", " ") in shown, line
    assert "Helvetica,Arial,sans-serif" in markup and "Times" not in markup
    assert drawing._repr_svg_().startswith("<svg ")
    assert list(drawing._repr_mimebundle_()) == ["image/svg+xml"]


def test_the_network_from_each_program(program: str) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    drawing = draw_network(net, lang="en")
    assert drawing.picture is not None
    markup = drawing.pipe("svg", encoding="utf-8")
    assert ids(markup) == {box.id for box in drawing.picture.boxes} | {arrow.id for arrow in drawing.picture.arrows}
    circles = [*ET.fromstring(markup).iter(f"{SVG}ellipse"), *ET.fromstring(markup).iter(f"{SVG}circle")]
    assert len(circles) == 2 + 3 + 1


def test_names_that_the_dot_language_would_read(program: str) -> None:
    w = tg.tensor(1.0, requires_grad=True)
    name = 'a\\N "b" <c> {d|e} &amp;\\'
    markup = draw(w * 2, names={name: w}, lang="en").pipe("svg", encoding="utf-8")
    root = ET.fromstring(markup.replace("\u00a0", " ").replace("\u200b", ""))
    assert name in [text.text for text in root.iter(f"{SVG}text")]
    tooltips = [value for e in root.iter() for key, value in e.items() if key.endswith("title")]
    assert name in tooltips or program == "layout"


def test_graphviz_pure_is_told_of_a_font_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def output(command: Any, source: str) -> bytes:
        given.append(source)
        return b'<svg font-family="Arial"/>'

    monkeypatch.setattr(rendering, "_output", output)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    data = rendering.PROGRAMS["graphviz-pure"](two_branches(lang="en").source, "svg", "dot")
    assert 'fontname="Arial"' in given[0] and rendering.FONT not in given[0]
    assert data.decode() == f'<svg font-family="{rendering.FONT}"/>'


def test_arrows_between_the_same_boxes_are_apart(program: str) -> None:
    root = ET.fromstring(two_branches(view="both", lang="en").pipe("svg", encoding="utf-8"))
    drawn = [next(g.iter(f"{SVG}path")).get("d") for g in root.iter(f"{SVG}g") if re.match("[eg]1_2", g.get("id", ""))]
    assert len(set(drawn)) == len(drawn) == 4


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("make", [two_branches, neurons, xor, lambda **options: draw(lattice(60), collapse=False, **options)])
def test_the_plain_layout_keeps_boxes_apart_and_follows_the_computation(make: Callable[..., Drawing], direction: str) -> None:
    drawing = make(view="both", direction=direction, lang="en")
    assert drawing.picture is not None
    root = ET.fromstring(svg(drawing.picture))
    frames = {}
    for g in root.iter(f"{SVG}g"):
        if re.fullmatch(r"v\d+", g.get("id", "")):
            frames[g.get("id", "")] = [float(next(g.iter(f"{SVG}rect")).get(k, "")) for k in ("x", "y", "width", "height")]
    left, top, width, height = map(float, root.get("viewBox", "").split())
    places = list(frames.values())
    for i, (x, y, w, h) in enumerate(places):
        assert left <= x and x + w <= left + width and top <= y and y + h <= top + height
        assert not [1 for a, b, c, d in places[:i] if x < a + c and a < x + w and y < b + d and b < y + h]
    along = 0 if direction == "LR" else 1
    starts = []
    for arrow in drawing.picture.arrows:
        tail, head = frames[arrow.tail], frames[arrow.head]
        assert tail[along] + tail[2 + along] < head[along]
        path = next(next(g for g in root.iter(f"{SVG}g") if g.get("id") == arrow.id).iter(f"{SVG}path"))
        starts.append((arrow.tail, arrow.head, re.match(r"M[-\d.,]+", path.get("d", ""))[0]))
    assert len(set(starts)) == len(starts)


def test_png_and_pdf(program: str, tmp_path: Path) -> None:
    drawing = two_branches(lang="en")
    for format, beginning in {"png": b"\x89PNG", "pdf": b"%PDF"}.items():
        path = tmp_path / f"graph.{format}"
        if program == "layout" or (program, format) == ("graphviz-pure", "pdf"):
            with pytest.raises(NoRenderer) as caught:
                drawing.render(path)
            said = str(caught.value)
            assert f"To draw {format.upper()}, write `python -m pip install pygraphviz`" in said
            assert f"Pour dessiner en {format.upper()}, écrivez" in said
            assert ("graphviz-pure`" in said) == (format == "png")
            assert f"Le texte DOT du dessin est dans : {path}.dot" in said
            assert Path(f"{path}.dot").read_text(encoding="utf-8") == drawing.source and not path.exists()
        else:
            assert drawing.render(path) == path
            assert path.read_bytes().startswith(beginning)
            if format == "png":  # two dots where SVG has a point: sharp on a projector
                points = float(re.search(r'width="([\d.]+)pt"', drawing.pipe("svg", encoding="utf-8"))[1])
                assert int.from_bytes(path.read_bytes()[16:20], "big") == pytest.approx(2 * points, rel=0.05)


def test_a_program_that_is_broken_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, "pygraphviz", "graphviz-pure")
    broken = tmp_path / "dot"
    broken.write_text("#!/bin/sh\necho 'Error: Format: \"svg\" not recognized.' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin" if os.name == "posix" else str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: str(broken) if name == "dot" else None)
    drawing = two_branches(lang="en")
    assert drawing.pipe("svg").startswith(b"<svg ")  # laid out in Python
    with pytest.raises(NoRenderer, match='dot: Error: Format: "svg" not recognized' if os.name == "posix" else "dot:"):
        drawing.pipe("png")


def test_what_the_user_adds_is_drawn_by_graphviz_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = two_branches(lang="en")
    drawing.node("note", "mine")
    drawing.edge("note", "v1")
    assert "mine" in drawing.source
    if shutil.which("dot"):
        assert b"mine" in drawing.pipe("svg")
    hide(monkeypatch, "pygraphviz", "graphviz-pure")
    with pytest.raises(NoRenderer):
        drawing.pipe("svg")


# -- files ---------------------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    drawing = two_branches(lang="en")
    folder = tmp_path / "un dossier à accents, é"
    folder.mkdir()
    path = drawing.render(folder / "graphe d'été.SVG")
    assert path.read_text(encoding="utf-8").count("<svg") == 1
    assert drawing.render(folder / "graph", format="svg").name == "graph"
    assert drawing.save(str(folder / "graph.gv")).read_text(encoding="utf-8") == drawing.source
    assert drawing.render(folder / "graph.dot").read_bytes() == drawing.source.encode()
    assert sorted(os.listdir(folder)) == sorted(["graphe d'été.SVG", "graph", "graph.gv", "graph.dot"])
    with pytest.raises(ValueError, match=r"written as .svg, .png, .pdf, .dot, .gv: end 'graph.jpg' in one of these"):
        drawing.render(folder / "graph.jpg")
    with pytest.raises(ValueError, match="not 'bmp'"):
        drawing.pipe("bmp")


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = two_branches(lang="en")
    with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist"):
        drawing.render(tmp_path / "nowhere" / "graph.svg")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((OSError, RuntimeError)):
        drawing.render(tmp_path / "file" / "graph.svg")
    kept = tmp_path / "graph.svg"
    kept.write_text("before")

    def full(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(PermissionError):
            drawing.render(kept)
    assert kept.read_text() == "before" and sorted(os.listdir(tmp_path)) == ["file", "graph.svg"]


def test_view_opens_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = two_branches(lang="en").view(tmp_path / "graph.svg")
    assert opened == [path.resolve().as_uri()]


# -- looks ---------------------------------------------------------------------------------------------------------------


def contrast(one: str, two: str) -> float:
    """WCAG's contrast of two colours."""

    def light(colour: str) -> float:
        parts = [part / 255 for part in bytes.fromhex(colour[1:])]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_everything_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    for ink in ("ink", "soft", "value", "gradient"):
        for paper in ("background", "parameter", "constant", "operation"):
            assert contrast(colours[ink], colours[paper]) > 4.5, (ink, paper)
    assert contrast(colours["background"], colours["mark"]) > 4.5


def test_colour_is_never_the_only_sign() -> None:
    """Without its colours, a drawing still tells its kinds of boxes and of arrows apart."""
    colourless = re.sub(r'"?#[0-9a-f]{6}"?', "", xor(view="both", lang="en").source)
    frames = {}
    for kind in ("parameter", "constant", "operation", "number"):
        line = next(line for line in colourless.splitlines() if f'class="{kind}' in line)
        frames[kind] = re.findall(r"<TABLE[^>]*BORDER=\"\d\"[^>]*>", line)[0], line.count('CELLSPACING="2"')
    assert len(set(frames.values())) == 4
    assert all('style="dashed"' in line for line in colourless.splitlines() if 'class="gradient"' in line)


# -- the network ---------------------------------------------------------------------------------------------------------


def test_the_network_has_a_circle_for_each_neuron_and_a_line_for_each_weight() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1, bias=False), nn.Sigmoid())
    weights = {"0.weight": [[1.0, -2.0], [0.5, 0.0]], "0.bias": [0.25, -0.5], "2.weight": [[4.0, -1.0]]}
    net.load_state_dict({key: tg.tensor(value) for key, value in weights.items()})
    drawing = draw_network(net, lang="en")
    assert drawing.picture is not None
    lines = {arrow.id: (arrow.kind, arrow.width) for arrow in drawing.picture.arrows}
    assert lines == {
        "w1_0_0": ("positive", 2.5), "w1_0_1": ("negative", 4.5), "w1_1_0": ("positive", 1.5), "w1_1_1": ("positive", 0.5),
        "w2_0_0": ("positive", 4.5), "w2_0_1": ("negative", 1.5),
    }  # fmt: skip
    said = texts(drawing)
    for text in ("x₁", "x₂", "h₁", "h₂", "ŷ", "tanh", "σ", "bias 0.25", "bias −0.50", "−2.00", "hidden layer", "1 neuron · σ"):
        assert text in said, text
    assert "Network 2-2-1 · 8 parameters" in said
    assert "Réseau 2-2-1 · 8 paramètres" in texts(draw_network(net, lang="fr"))
    assert 'style="dashed"' in drawing.source and 'splines="line"' in drawing.source


def test_the_neurons_show_what_they_compute_and_the_network_stays_as_it_was() -> None:
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2), nn.Softmax(-1))
    x = tg.tensor([0.5, -1.0, 2.0])
    net.eval()
    hidden, out = net[1](net[0](x)), net(x)
    net.train()
    net[3].eval()
    before = [module.training for module in net.modules()]
    state = tg.get_rng_state()
    drawing = draw_network(net, input=x, lang="en", precision=4)
    for i, value in enumerate(hidden.tolist()):
        assert rows(drawing, f"n1_{i}")[1] == [number(round(value, 4), Style())]
    for i, value in enumerate(out.tolist()):
        assert rows(drawing, f"n2_{i}")[1] == [number(round(value, 4), Style())]
    assert rows(drawing, "n0_1") == [["x₂"], ["−1.0000"]]
    assert [module.training for module in net.modules()] == before
    assert all(p.grad is None for p in net.parameters()) and all(module._hooks is None for module in net.modules())
    assert tg.equal(state, tg.get_rng_state())
    assert rows(draw_network(net, input=[[0.5, -1.0, 2.0]], lang="en", precision=4), "n0_1") == [["x₂"], ["−1.0000"]]


def test_activations_need_not_be_modules() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 1)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.second(tg.relu(self.first(x)))

    net = Network()
    x = tg.tensor([1.0, -1.0])
    drawing = draw_network(net, input=x, lang="en", precision=4)
    shown = [rows(drawing, f"n1_{i}")[1][0] for i in (0, 1)]
    assert shown == [number(round(value, 4), Style()) for value in tg.relu(net.first(x)).tolist()]
    twice = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="do not run one after the other"):
        draw_network(nn.Sequential(twice, twice), input=x)


def test_a_network_without_modules() -> None:
    W1, b1 = tg.tensor([[1.0, 1.0], [1.0, 1.0]]), tg.tensor([0.0, 0.0])
    W2, b2 = np.array([[1.0], [1.0]]), None
    drawing = draw_network([(W1, b1, "sigmoid"), (W2, b2, "sigmoid")], input=[-2, -1], lang="en", precision=4)
    assert rows(drawing, "n1_0") == [["h₁"], ["0.0474"]]
    assert rows(drawing, "n2_0") == [["ŷ"], ["0.5237"]]
    assert rows(draw_network([(W1, b1), (W2,)], lang="en"), "n1_1") == [["h₂"]]


def test_wide_layers_are_shortened_and_deep_ones_numbered() -> None:
    drawing = draw_network(nn.Sequential(nn.Linear(784, 20), nn.Sigmoid(), nn.Linear(20, 20), nn.Linear(20, 10)), lang="fr")
    said = texts(drawing)
    assert "x₇₈₄" in said and "x₇₈₂" not in said and said.count("⋮") == 4
    assert "h₂₀⁽²⁾" in said and "couche cachée 2" in said and "20 neurones · σ" in said
    assert "Réseau 784-20-20-10 · 16\u00a0330 paramètres" in said
    assert drawing.picture is not None and len(drawing.picture.arrows) == 3 * 36


def test_networks_that_have_no_such_drawing() -> None:
    with pytest.raises(TypeError, match="LayerNorm is neither"):
        draw_network(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    with pytest.raises(ValueError, match="no layer to draw"):
        draw_network(nn.Sequential(nn.Flatten()))
    with pytest.raises(ValueError, match="layer 1 gives 3 numbers, and layer 2 takes 4"):
        draw_network(nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1)))
    with pytest.raises(ValueError, match="one example of 2 numbers is needed"):
        draw_network(nn.Linear(2, 3), input=tg.ones(5, 2))
    with pytest.raises(ValueError, match="two axes"):
        draw_network([(np.ones(3), None)])
    with pytest.raises(ValueError, match="'tanhh' is not known"):
        draw_network([(np.ones((2, 2)), None, "tanhh")], input=[1, 2])
    nan = nn.Linear(2, 2)
    with tg.no_grad():
        nan.weight[0, 0] = float("nan")
    assert "NaN" in texts(draw_network(nan, lang="en"))


# -- the examples --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", [draw_graph, draw_modules, draw_network_lesson, draw_error], ids=lambda m: m.__name__)
def test_the_examples(lesson: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {}
    for lang in ("en", "fr"):
        lesson.main(lang, tmp_path / lang, "dot")
        said = capsys.readouterr().out
        assert set(lesson.WORDS["en"]) == set(lesson.WORDS["fr"])
        assert all(word in said for key, word in lesson.WORDS[lang].items() if key != "written")
        written[lang] = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / lang).iterdir()}
        assert all(str(tmp_path / lang / name) in said for name in written[lang])
    assert written["en"].keys() == written["fr"].keys() and len(written["en"]) == len(lesson.WORDS["en"]) - 1
    assert all("digraph" in text and text != written["fr"][name] for name, text in written["en"].items())


def test_every_renderer_is_asked_in_turn() -> None:
    assert list(rendering.PROGRAMS) == ["dot", "pygraphviz", "graphviz-pure"]


if __name__ == "__main__":
    for name, make in GOLDENS.items():
        (GOLDEN / name).write_text(make().source, encoding="utf-8", newline="\n")
