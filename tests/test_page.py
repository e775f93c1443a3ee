"""The page: what is written into it is what the engine computed, and in a browser it shows that, step by step.

The second half drives Chromium with Playwright (extra `browser`), and is skipped where there is none.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lessons import ENGLISH, FRENCH, ROOT, words

import tinygrad_fr as tg
from examples import step_through
from tinygrad_fr import nn, optim
from tinygrad_fr.visual import Snapshot, watch
from tinygrad_fr.visual.marks import Mark, marks
from tinygrad_fr.visual.page import PATHS, SCRIPTS, Content, encoded
from tinygrad_fr.visual.replay import along, differences, paths

FOLDER = ROOT / "tinygrad_fr" / "visual" / "page"
WORDS: dict[str, dict[str, str]] = json.loads((FOLDER / "words.json").read_text(encoding="utf-8"))
SAME = set("float float32 float64 grad backward optimizer step look zero tanh linear mse sgd adam nan tab".split())
"""Words of Python, of mathematics and of keyboards, the same in both languages."""


def leaf(value: Any, dtype: Any = tg.float64) -> tg.Tensor:
    return tg.tensor(value, dtype=dtype, requires_grad=True)


def data_of(file: Path) -> dict[str, Any]:
    """What is written into a page."""
    found = re.findall(r'<script type="application/json" id="data">(.*?)</script>', file.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return dict(json.loads(found[0]))


def content(snapshot: Snapshot, optimizer: optim.Optimizer | None = None, checks: bool = False) -> dict[str, Any]:
    return dict(json.loads(json.dumps(Content(snapshot).everything(optimizer, checks), allow_nan=False)))


def by_name(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {v["name"]: v for v in data["vertices"] if "name" in v}


def array(encoded: dict[str, Any]) -> Any:
    return np.array([float(x) for x in encoded["data"]]).reshape(encoded["shape"])


def broadcasting() -> Snapshot:
    x, w = tg.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), leaf([[0.5, -1.0], [0.25, 2.0]], tg.float32)
    b = leaf([0.1, -0.2], tg.float32)
    z = x @ w + b
    return Snapshot((z * z).sum())


def deep(layers: int) -> Snapshot:
    tg.manual_seed(0)
    net = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(layers)), nn.Linear(3, 1))
    with watch() as watched:
        loss = (net(tg.ones(2, 3)) ** 2).mean()
    return watched.snapshot(loss, model=net)


def ill() -> Snapshot:
    """A unit that is dead, a layer that saturates, a gradient that explodes."""
    w, b = leaf([[-1.0, 0.5], [0.25, 2.0]]), leaf([0.0, -10.0])
    return Snapshot((tg.tanh(1e5 * tg.relu(w + b)) + 1e5 * w).sum())


def failed() -> Snapshot:
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 1))
    with pytest.raises(RuntimeError) as caught:
        net(tg.ones(5, 2))
    return Snapshot.of_error(caught.value, model=net)


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["by_hand", "xor", "twice"])
def test_one_small_file_that_asks_for_nothing(which: str, tmp_path: Path) -> None:
    made = getattr(step_through, which)()
    snapshot, optimizer = made if isinstance(made, tuple) else (made, None)
    file = snapshot.html(tmp_path / "page.html", lang="fr", optimizer=optimizer)
    page = file.read_text(encoding="utf-8")
    assert len(page.encode()) < 300_000
    assert "http" not in page.replace("http-equiv", ""), "a reference to the network"
    assert not re.search(r"""\b(src|href)\s*=\s*["'](?!#|data:,)|url\((?!#)|@import|\bimport\s|fetch\(|XMLHttpRequest""", page)
    assert "default-src 'none'" in page  # the browser itself refuses what may have been overlooked
    assert page.startswith("<!DOCTYPE html>\n<html lang=\"fr\">") and "{{" not in page
    assert "<title>La rétropropagation, pas à pas</title>" in page
    ids = re.findall(r'\bid="([\w-]+)"', page[: page.index("<script")])
    assert len(ids) == len(set(ids))


def test_the_same_program_writes_the_same_bytes(tmp_path: Path) -> None:
    program = "import sys; from examples import step_through; step_through.main('en', sys.argv[1])"
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", program, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    for file in (tmp_path / "0").iterdir():
        assert file.read_bytes() == (tmp_path / "1" / file.name).read_bytes()


def test_names_and_titles_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    w = leaf(2.0)
    wild = "</script><script>alert('{{style}} & \"\\u0041\"')</script>"
    file = Snapshot(w * w, names={wild: w}).html(tmp_path / "page.html", lang="en", title=wild)
    data = data_of(file)
    assert data["vertices"][0]["name"] == wild and data["title"] == {"en": wild, "fr": wild}
    assert file.read_text(encoding="utf-8").count("</script>") == 2


def test_what_is_asked_wrongly_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    snapshot = step_through.twice()
    file = tmp_path / "page.html"
    file.write_text("as before")
    with pytest.raises(ValueError, match="lang must be 'en' or 'fr', not 'de'"):
        snapshot.html(file, lang="de")
    with pytest.raises(ValueError, match="digits must be one of 3, 4, 6, not 5"):
        snapshot.html(file, digits=5)
    with pytest.raises(TypeError, match=r"optim\.SGD\(parameters, lr=0\.1\), got float"):
        snapshot.html(file, optimizer=0.1)
    with pytest.raises(RuntimeError, match="nowhere does not exist"):
        snapshot.html(tmp_path / "nowhere" / "page.html")
    assert file.read_text() == "as before"
    assert snapshot.html(str(file), title={"fr": "Deux fois"}) == file
    assert data_of(file)["title"] == {"fr": "Deux fois"}


def test_the_template_travels_with_the_package() -> None:
    from importlib.resources import files

    folder = files("tinygrad_fr.visual") / "page"
    there = {entry.name for entry in folder.iterdir()}
    assert there == {"page.html", "page.css", "words.json", *(f"{name}.js" for name in SCRIPTS)}


# -- what is written into it -------------------------------------------------------------------------------------------


def test_every_number_of_a_training_step_is_the_engines() -> None:
    """XOR: values, gradients, what .grad held, what the step made of it."""
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x, y = tg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), tg.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    hidden = net[0](x)
    answer = net[2](net[1](hidden))
    loss = nn.functional.mse_loss(answer, y)
    snapshot = Snapshot(loss, model=net)
    hidden.retain_grad(), answer.retain_grad()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    loss.backward()
    optimizer.step()
    data = content(snapshot.look(), optimizer)
    found = {v.get("called", v.get("name")): v for v in data["vertices"]}
    for name, p in net.named_parameters():
        np.testing.assert_array_equal(array(found[name]["gradient"]).astype(np.float32), p.grad.numpy())
        np.testing.assert_array_equal(array(found[name]["value"]).astype(np.float32), before[name].numpy())
        np.testing.assert_array_equal(array(found[name]["after"]).astype(np.float32), p.detach().numpy())
        np.testing.assert_allclose(array(found[name]["change"]), (p.detach() - before[name]).numpy(), rtol=1e-6)
        assert found[name]["state"] == "fresh"
    assert found["hidden"]["name"] == "hidden" and found["answer"]["shape"] == [4, 1]
    for name, tensor in (("hidden", hidden), ("answer", answer)):
        np.testing.assert_array_equal(array(found[name]["gradient"]).astype(np.float32), tensor.grad.numpy())
    count = sum(v.get("gradient") is not None for v in data["vertices"])
    phases = [phase for phase, _ in data["steps"]]
    assert phases == ["forward"] * 4 + ["backward"] * count + ["update"] * 4 and count == 8
    backward = [id for phase, id in data["steps"] if phase == "backward"]
    assert [snapshot[id].order for id in backward] == sorted(snapshot[id].order for id in backward)


def test_numbers_are_written_as_their_dtype_has_them() -> None:
    assert encoded(np.float32([0.1, -0.0, np.nan, np.inf, -np.inf])) == {
        "shape": [5], "data": [0.1, -0.0, "nan", "inf", "-inf"]}  # fmt: skip
    assert encoded(np.array(0.1)) == {"shape": [], "data": [0.1]}
    assert encoded(np.array([True, False])) == {"shape": [2], "data": [1, 0]}
    assert encoded(np.array([1 + 2j])) == {"shape": [1], "data": ["1+2i"]}
    assert encoded(np.zeros((0, 3))) == {"shape": [0, 3], "data": []}
    assert encoded(None) is None
    large = encoded(np.arange(2000.0).reshape(40, 50) - 500)
    assert large and (large["min"], large["max"], large["mean"], large["odd"]) == (-500, 1499, 499.5, 0)
    assert len(large["map"]) == 28 and len(large["map"][0]) == 32 and large["map"][-1][-1] == 9 and large["map"][0][0] == -3
    image = encoded(np.full((1, 784), np.nan))
    assert image and len(image["map"]) == len(image["map"][0]) == 28 and image["odd"] == 784 and "min" not in image
    assert image["map"][0][0] is None


def test_formulas_local_derivatives_and_what_the_rounded_numbers_give() -> None:
    """S2: σ′ = ŷ (1 − ŷ), and −2 (1 − 0.524) = −0.952, though −0.9526 rounds to −0.953."""
    snapshot = step_through.by_hand()
    data = content(snapshot)
    named = by_name(data)
    assert named["h₁"]["formula"]["text"] == ["σ(v₁₅)", "σ(v₁₅)"]
    (into,) = (link for link in data["links"] if link["target"] == snapshot["y_hat"].id)
    assert into["slope"]["text"][0] == "ŷ (1 − ŷ)" and array(into["local"]) == pytest.approx(0.24943853872512894, rel=1e-12)
    assert into["rule"]["text"][0] == "∂L/∂ŷ · ŷ (1 − ŷ)"
    (path,) = data["chains"][str(snapshot["w1"].id)]["paths"]
    first, second, third = path["factors"]
    exact = [-0.9526096518320006, 0.24943853872512894, -0.09035331946182429]
    assert [f["value"] for f in path["factors"]] == pytest.approx(exact, rel=1e-12)
    assert first["formula"]["hand"] == {"3": -0.952}
    assert math.prod(f["value"] for f in (first, second, third)) == pytest.approx(0.021469535265811107, rel=1e-12)


def test_formulas_are_written_in_both_languages_and_only_where_they_differ() -> None:
    w = leaf(-1.5)
    v = tg.where(w > 0, w, w * 0.25)
    data = content(Snapshot(v * -2.5))
    both = [forms for forms in data["math"] if len(forms) == 2]
    assert any("si" in fr and "if" in en for en, fr in both)
    assert any("0.25" in forms[0] for forms in data["math"]) and not any("0,25" in forms[0] for forms in data["math"])
    for forms in data["math"]:
        assert all("http" not in form for form in forms)


def test_contributions_and_the_axes_that_broadcasting_sums() -> None:
    snapshot = broadcasting()
    data = content(snapshot)
    (link,) = (link for link in data["links"] if link["source"] == snapshot["b"].id)
    assert link["axes"] == [0] and link["spread"]["shape"] == [3, 2]
    np.testing.assert_allclose(array(link["spread"]).sum(axis=0), array(link["contribution"]), rtol=1e-6)
    squared = [link for link in data["links"] if link["source"] == snapshot["z"].id]
    assert [link["position"] for link in squared] == [0, 1]
    np.testing.assert_allclose(sum(array(link["contribution"]) for link in squared), array(by_name(data)["z"]["gradient"]))
    weights = next(link for link in data["links"] if link["source"] == snapshot["w"].id)
    assert "local" not in weights and weights["label"][0] == "xᵗ g"  # a product of matrices has no derivative per element


def test_an_identity_or_zero_matrix_is_not_taken_for_a_derivative_per_element() -> None:
    x = leaf(np.ones((2, 2)))
    for w in (tg.eye(2, dtype=tg.float64), tg.zeros(2, 2, dtype=tg.float64)):
        data = content(Snapshot((x @ w).sum()))
        assert "local" not in data["links"][0]


def test_what_the_optimiser_did() -> None:
    def step(make: Callable[[list[tg.Tensor]], optim.Optimizer], looked: bool = True) -> dict[str, Any]:
        w = leaf([1.0, 2.0])
        optimizer = make([w, leaf(0.0)])  # the second has no part in this graph
        loss = (w * w).sum()
        snapshot = Snapshot(loss)
        loss.backward()
        optimizer.step()
        if looked:
            snapshot.look()
        update = content(snapshot, optimizer)["update"]
        assert list(update["parameters"]) == [str(snapshot["w"].id)]
        return {"name": update["name"], **update["parameters"][str(snapshot["w"].id)]}

    sgd = step(lambda p: optim.SGD(p, lr=0.1))
    assert (sgd["name"], sgd["rate"], sgd["options"], sgd["plain"]) == ("SGD", 0.1, {}, True)
    np.testing.assert_allclose(array(sgd["step"]), [-0.2, -0.4])
    assert not step(lambda p: optim.SGD(p, lr=0.1, maximize=True))["plain"]
    assert step(lambda p: optim.SGD(p, lr=0.1, momentum=0.9))["options"] == {"momentum": 0.9}
    adam = step(lambda p: optim.Adam(p, lr=0.01))
    assert adam["name"] == "Adam" and not adam["plain"] and adam["options"]["betas"] == [0.9, 0.999]
    assert step(lambda p: optim.SGD(p, lr=0.1), looked=False)["plain"]
    assert content(step_through.twice())["update"] == {"name": None, "parameters": {}}


def test_a_rate_that_changed_since_the_step_is_not_shown_as_its_rate() -> None:
    w = leaf([1.0, 2.0])
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    snapshot = Snapshot(loss)
    loss.backward()
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.05
    assert not content(snapshot.look(), optimizer)["update"]["parameters"]["1"]["plain"]


def test_a_forward_that_fails_graphs_without_gradients_and_odd_values() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(4, 1))
    with pytest.raises(RuntimeError) as caught:
        net(tg.ones(5, 2))
    data = content(Snapshot.of_error(caught.value, model=net), checks=True)
    assert [phase for phase, _ in data["steps"]] == ["forward"] * 3
    assert "in_features=4" in data["vertices"][-1]["error"] and data["checks"] == {}
    w = leaf([1.0, float("nan"), -1.0])
    data = content(Snapshot(tg.log(w).sum(), gradients=False), checks=True)
    assert [phase for phase, _ in data["steps"]] == ["forward"] * 2
    assert data["vertices"][1]["value"]["data"][1:] == ["nan", "nan"]

    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return g * 2

    u = leaf(3.0)
    data = content(Snapshot(Double.apply(u) * 5), checks=True)
    assert by_name(data)["u"]["gradient"]["data"] == [10] and list(data["checks"]) == []


# -- the chain rule, the checks, the marks -----------------------------------------------------------------------------


def test_paths_are_counted_and_no_more_are_written_than_anybody_reads() -> None:
    a = leaf(1.0)
    b = a
    for _ in range(8):
        b = b + b
    snapshot = Snapshot(b)
    count, found = paths(snapshot, snapshot["a"], PATHS)
    assert count == 256 and len(found) == PATHS == 50 and len({tuple(map(id, path)) for path in found}) == 50
    data = content(snapshot)["chains"]["1"]
    assert data["count"] == 256 and len(data["paths"]) == 50
    assert paths(snapshot, snapshot.loss) == (1, [[]])


STEPS = st.lists(st.tuples(st.sampled_from("+*-t"), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=7)


@given(STEPS, st.integers(0, 99))
def test_the_sum_over_all_paths_is_the_gradient(program: list[tuple[str, int, int]], seed: int) -> None:
    draw = np.random.RandomState(seed)
    values = [leaf(draw.uniform(-1, 1, shape)) for shape in ((2, 3), (3,), ())]
    for what, i, j in program:
        x, y = values[i % len(values)], values[j % len(values)]
        values.append(x + y if what == "+" else x * y if what == "*" else x - y if what == "-" else tg.tanh(x))
    loss = tg.tensor(0.0, dtype=tg.float64)
    for v in values[3:]:
        loss = loss + v.sum()
    snapshot = Snapshot(loss)
    for vertex in snapshot:
        if vertex.gradient is not None:
            count, ways = paths(snapshot, vertex, 10_000)
            assert count == len(ways)
            np.testing.assert_allclose(sum(along(snapshot, way) for way in ways), vertex.gradient, rtol=1e-9, atol=1e-12)


def test_finite_differences_agree_with_the_engine_and_find_a_wrong_gradient() -> None:
    snapshot = step_through.xor()[0]
    checks = differences(snapshot)
    assert set(checks) == {v.id for v in snapshot if v.gradient is not None and v is not snapshot.loss}
    for check in checks.values():
        assert len(check.rows) == check.size <= 12
        assert all(gap < check.tolerance and not kink for *_, gap, kink in check.rows)
    vertex = snapshot["0.bias"]
    assert vertex.gradient is not None
    vertex.gradient[1] *= 1.01
    wrong = [index for index, _, _, gap, _ in differences(snapshot)[vertex.id].rows if gap > 1e-3]
    assert wrong == [(1,)]


def test_finite_differences_name_a_kink_sample_large_arrays_and_stop_in_time() -> None:
    w = leaf([0.0, 1.0, -1.0])
    check = differences(Snapshot(tg.relu(w).sum()))[1]
    assert [kink for *_, kink in check.rows] == [True, False, False]
    large = leaf(np.linspace(-1, 1, 1000))
    snapshot = Snapshot((large**2).sum())
    check = differences(snapshot)[1]
    assert check.size == 1000 and [index for index, *_ in check.rows][::7] == [(0,), (999,)]
    assert differences(snapshot, budget=10) == {}
    half = leaf([1.0, 2.0], tg.float16)
    assert differences(Snapshot((half * half).sum()))[1].tolerance == 3e-2


def test_finite_differences_take_a_smaller_step_where_the_loss_bends_fast() -> None:
    x = leaf([-3e-6, 0.0, 2e-6])
    y = tg.tanh(1e5 * x)
    snapshot = Snapshot((1e3 * y).sum())
    check = differences(snapshot)[1]
    assert all(gap < check.tolerance for *_, gap, _ in check.rows), check.rows
    assert snapshot["x"].gradient is not None
    snapshot["x"].gradient *= 1.01  # and a wrong gradient is still found
    assert all(gap > check.tolerance for *_, gap, _ in differences(snapshot)[1].rows)


def kinds(snapshot: Snapshot) -> set[str]:
    return {mark.kind for found in marks(snapshot).values() for mark in found}


def test_marks_name_what_goes_wrong_where_it_shows() -> None:
    assert kinds(step_through.xor()[0]) == kinds(step_through.by_hand()) == set()
    x = leaf(np.linspace(-1, 1, 12).reshape(4, 3))
    bias = tg.tensor([0.0, -10.0, 0.0], dtype=tg.float64)
    assert marks(Snapshot(tg.relu(x + bias).sum())) == {4: [Mark("dead", pytest.approx(1 / 3))]}
    assert kinds(Snapshot(nn.functional.leaky_relu(x + bias, 0.1).sum())) == set()
    assert kinds(Snapshot(tg.tanh(100 * x).sum())) == {"saturated"}
    assert kinds(Snapshot(tg.sigmoid(x).sum())) == set()
    assert kinds(Snapshot((1e4 * x).sum())) == {"exploding"}
    assert kinds(Snapshot((1e-9 * x).sum())) == {"vanishing"}
    assert kinds(Snapshot((0 * x).sum())) == set()  # no gradient at all is something else
    found = marks(Snapshot(tg.exp(tg.log(x)).sum()))
    assert [mark.first for id in sorted(found) for mark in found[id] if mark.kind == "nan"][:3] == [False, True, False]


# -- words -------------------------------------------------------------------------------------------------------------


def test_both_languages_say_the_same_and_each_its_own() -> None:
    assert WORDS["en"].keys() == WORDS["fr"].keys()
    alike = {key for key in WORDS["en"] if WORDS["en"][key] == WORDS["fr"][key]}
    assert alike == {"options", "pause", "says gradient", "contribution", "gradient", "verdict"}
    for key, english in WORDS["en"].items():
        french = WORDS["fr"][key]
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", french)), key
        assert not (words(french) - SAME) & (ENGLISH - FRENCH), (key, french)
        assert not (words(english) - SAME) & (FRENCH - ENGLISH - {"plus"}), (key, english)
        assert not re.search(r"[^\s\u00a0 ][:;!?]", re.sub(r"\d:\d", "", french)), f"{key}: French has a space before {french}"


def test_every_word_is_used_and_no_other() -> None:
    script = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("page.html", *(f"{s}.js" for s in SCRIPTS)))
    prefixes = ("key ", "state ", "mark ", "step ")
    for key in WORDS["en"]:
        bare = key.removesuffix(" one").removesuffix(" many")
        assert f'"{bare}"' in script or f"{{{{{bare}}}}}" in script or key.startswith(prefixes) or bare in KINDS, key
    for key in re.findall(r'\b(?:say|words)\("([\w ]+)"', script):
        assert key in WORDS["en"], key


KINDS = {"parameter", "constant", "operation", "forward", "backward", "update"}


# -- in a browser ------------------------------------------------------------------------------------------------------


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Reader:
    """Somebody who looks at a page: what can be seen, and what can be done with keyboard and mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def open(self, file: Path) -> Reader:
        self.page.goto(file.as_uri())
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, step: int) -> None:
        self.page.locator("#slider").fill(str(step))

    @property
    def step(self) -> int:
        return int(self.page.inner_text("#where").split("/")[0])

    @property
    def steps(self) -> int:
        return int(self.page.inner_text("#where").split("/")[1])

    def panel(self) -> str:
        """What the panel says, formulas on one line."""
        text = unicodedata.normalize("NFKC", re.sub(r"[\u2061\u2062]", "", self.page.inner_text("#panel")))
        return re.sub(r"\s+", " ", text)

    def numbers(self, selector: str = "#panel") -> list[str]:
        """The numbers that are seen, as they are written."""
        text = self.page.eval_on_selector_all(selector, "all => all.map(e => e.innerText).join(' ')")
        return re.findall(r"−?\d+(?:[.,]\d+)?", re.sub(r"−\s*", "−", text))

    def node(self, name: str) -> Any:
        return self.page.locator("#drawing .node", has=self.page.locator(f'tspan:text-is("{name}")'))

    def said(self) -> set[str]:
        """Every text that can be seen or heard now, but for names and formulas."""
        return set(self.page.evaluate("""() => {
            const found = [document.title, document.documentElement.lang];
            for (const e of document.querySelectorAll("body *")) {
                for (const name of ["aria-label", "title", "aria-valuetext"]) found.push(e.getAttribute(name) ?? "");
                if (e.closest("script, noscript, math, svg, code, pre, body [lang]")) continue;
                for (const node of e.childNodes) if (node.nodeType === 3 && node.data.trim()) found.push(node.data.trim());
            }
            return found;
        }"""))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def reader(browser: Any) -> Iterator[Reader]:
    """A page of its own, with which nothing may go wrong: no error, no word on the console, no request but for the file."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    page = context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: wrong.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    yield Reader(page)
    context.close()
    assert not wrong


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    snapshot, optimizer = step_through.xor()
    return {
        "s2": step_through.by_hand().html(folder / "s2.html", lang="en", digits=3),
        "xor": snapshot.html(folder / "xor.html", lang="en", optimizer=optimizer),
        "twice": step_through.twice().html(folder / "twice.html", lang="en"),
        "bias": broadcasting().html(folder / "bias.html", lang="en"),
        "deep": deep(20).html(folder / "deep.html", lang="en"),
        "ill": ill().html(folder / "ill.html", lang="en"),
        "failed": failed().html(folder / "failed.html", lang="en"),
    }


def test_s2_shows_the_courses_numbers_at_their_steps(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["s2"])
    data = data_of(pages["s2"])
    at = {(phase, data["vertices"][id - 1]["name"]): k for k, (phase, id) in enumerate(data["steps"], 1)}
    reader.go(at["forward", "h₁"])
    assert "0.0474" in reader.numbers() and "0.0452" in reader.numbers()  # h₁, and f′
    reader.go(at["forward", "ŷ"])
    assert {"0.524", "0.249"} <= set(reader.numbers())
    reader.go(at["backward", "ŷ"])
    assert "−0.953" in reader.numbers() and "−0.952" in reader.numbers()  # exactly, and with numbers rounded by hand
    reader.go(at["backward", "w₁"])
    assert {"−0.952", "0.249", "−0.0904", "0.0215"} <= set(reader.numbers())
    reader.page.select_option("#digits", "0")
    assert "0.021469535265811107"[:15] in reader.panel()


def test_every_gradient_of_the_engine_is_shown_at_its_step(reader: Reader, pages: dict[str, Path]) -> None:
    data = data_of(pages["xor"])
    reader.open(pages["xor"])
    for k, (phase, id) in enumerate(data["steps"], 1):
        reader.go(k)
        v = data["vertices"][id - 1]
        wanted = {"forward": v["value"], "backward": v["gradient"], "update": v["after"]}[phase]
        seen = reader.numbers()
        for x in wanted["data"]:
            assert f"{written(x)}" in seen, (phase, v["name"], x)


def written(x: float, digits: int = 4) -> str:
    """A number between 10⁻⁴ and 10⁶ as the page writes it."""
    if x == int(x):
        return str(int(x)).replace("-", "−")
    places = digits - 1 - math.floor(math.log10(abs(float(f"{x:.{digits - 1}e}"))))
    return f"{float(f'{x:.{digits - 1}e}'):.{max(0, places)}f}".rstrip("0").rstrip(".").replace("-", "−")


def test_keyboard_buttons_slider_and_a_click_on_a_node(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["s2"])
    page = reader.page
    assert (reader.step, reader.steps) == (0, 52) and page.is_disabled("#back")
    reader.press("ArrowRight", "ArrowRight", "PageDown", "ArrowLeft")
    assert reader.step == 2
    assert page.inner_text("#live").startswith("Step 2 of 52, Forward pass. v₁₃ = w₂x₂ : −1")
    page.click("#next")
    assert reader.step == 3 and page.evaluate("document.activeElement.id") == "next"  # the focus stays
    reader.press("Enter", "End")
    assert reader.step == 52 and page.is_disabled("#next")
    reader.press("Home")
    assert reader.step == 0
    page.click(".part.backward")
    assert reader.step == 18 and "Backward pass" in reader.panel()
    page.click("#play")
    page.locator("#where", has_text="19 /").wait_for(timeout=10_000)
    page.click("#play")
    assert page.inner_text("#play") == "Play"
    page.focus("body")
    reader.press("Space")
    assert page.inner_text("#play") == "Pause"
    reader.press("Space")
    reader.node("h₁").click()
    (current,) = page.locator("#drawing [aria-current=step]").all()
    assert current.get_attribute("aria-label").startswith("h₁ = σ(v₁₅), value 0.0474")
    assert "Backward pass" in reader.panel()  # the same phase
    reader.node("b₁").focus()
    reader.press("Enter")
    assert "b1" in reader.panel() or page.inner_text("#live").split(". ")[1].startswith("∂L/∂b₁")
    assert page.evaluate("document.activeElement.dataset.id") == "7"
    before = page.get_attribute("#drawing svg", "viewBox")
    reader.press("+")
    assert page.get_attribute("#drawing svg", "viewBox") != before


def test_everything_can_be_reached_with_the_tab_key(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["twice"])
    reader.go(5)
    reader.page.focus("#skip")
    reached = []
    for _ in range(60):
        where = "e => e.id || e.dataset.lang || (e.dataset.id && 'node') || e.tagName"
        reached.append(reader.page.evaluate(f"({where})(document.activeElement)"))
        reader.press("Tab")
        outline = reader.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or reader.page.evaluate("document.activeElement.matches('.node, body')")
        if reader.page.evaluate("document.activeElement === document.body"):
            break
    first = ["labels", "checks", "exercise", "digits", "fr", "en", "print", "first", "back", "play", "next", "slider"]
    assert [x for x in reached if x in first][: len(first)] == [x for x in first if x in reached]
    assert reached.count("node") == 3 and "panel" in reached and "SUMMARY" in reached
    reader.page.focus("#drawing [data-id='2']")
    assert reader.page.locator("#drawing [data-id='2'] .halo").evaluate("e => getComputedStyle(e).stroke") != "none"


def test_contributions_are_shown_before_their_sum(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["twice"])
    reader.go(5)
    text = reader.panel()
    assert text.index("Use 1") < text.index("Use 2") < text.index("The contributions are added")
    assert re.search(r"= ?12 ?\+ ?12 ?= ?24", text.replace("∂", "")) and text.count("+=") >= 4
    assert "4 paths" in text and "Path 4" in text and reader.numbers(".along") != []
    reader.page.hover(".path >> nth=0")
    assert reader.page.locator("#drawing .edge.on-path").count() == 2
    assert reader.page.locator("#drawing .edge.back").count() == 2


def test_broadcasting_shows_its_axis_and_the_sum(reader: Reader, pages: dict[str, Path]) -> None:
    data = data_of(pages["bias"])
    reader.open(pages["bias"])
    reader.go(data["steps"].index(["backward", by_name(data)["b"]["id"]]) + 1)
    assert "along axis 0 to get 3×2" in reader.panel() and "3×2 becomes (2)" in reader.panel()
    (table,) = reader.page.locator(".broadcast table").all()
    assert reader.numbers(".broadcast td") == [written(x) for x in by_name(data)["b"]["gradient"]["data"]]
    table.focus()
    assert table.evaluate("e => getComputedStyle(e, '::after').content") == json.dumps(
        "  ".join(str(x) for x in by_name(data)["b"]["gradient"]["data"])
    )  # full precision


def test_finite_differences_marks_and_the_preview(reader: Reader, pages: dict[str, Path], tmp_path: Path) -> None:
    reader.open(pages["s2"])
    reader.go(40)
    ticks = reader.page.locator("#drawing .tick.agrees")
    assert ticks.count() == 0 and not reader.page.is_visible("#ticks")
    reader.page.check("#checks")
    assert "✓ agrees" in reader.panel() and reader.page.is_visible("#ticks")
    known = [v for phase, v in data_of(pages["s2"])["steps"][:40] if phase == "backward"]
    assert ticks.count() == len(known) - 1 == ticks.locator("text=✓").count()  # of all gradients so far, but the loss's own
    assert "Finite differences ✓ agrees" in reader.node("ŷ").get_attribute("aria-label")
    reader.go(reader.steps)
    assert "Preview" in reader.panel() and "0.1" in reader.page.input_value("#rate")
    before = reader.numbers()
    reader.page.fill("#rate", "2")
    reader.press("Enter")
    assert reader.numbers() != before
    v = leaf(3.0)
    wrong = Snapshot(tg.tanh(v) * 2)
    wrong["v"].gradient *= 2  # it is an array
    reader.open(wrong.html(tmp_path / "wrong.html", lang="en"))
    reader.page.check("#checks")
    reader.go(reader.steps)
    assert reader.node("v").locator(".tick.differs").text_content() == "✗"
    assert reader.page.locator("#drawing .tick.agrees").count() == 1
    w = leaf([-1.0, 0.0, 2.0])
    b = leaf([0.0, -10.0, 0.0])
    a = tg.relu(w + b)
    snapshot = Snapshot((a * 1e5).sum())
    reader.open(snapshot.html(tmp_path / "marks.html", lang="en"))
    reader.go(2)
    assert "! Dead" in reader.panel() and "66.67 %" in reader.panel().replace("67 %", "66.67 %")
    reader.page.check("#checks")
    reader.go(data_of(tmp_path / "marks.html")["steps"].index(["backward", 1]) + 1)
    assert "Exploding gradient" in reader.panel() and "✓ agrees" in reader.panel()
    assert reader.page.locator("#drawing .mark").count() == 3


def test_the_french_page_has_no_english_left(reader: Reader, pages: dict[str, Path]) -> None:
    english = set().union(*(words(text) for text in WORDS["en"].values()))
    french = set().union(*(words(text) for text in WORDS["fr"].values()))
    foreign = (english | ENGLISH) - french - SAME
    for name in ("xor", "twice", "bias", "ill", "failed"):
        reader.open(pages[name])
        reader.page.click("[data-lang=fr]")
        for box in ("#labels", "#checks"):
            reader.page.check(box)
        reader.page.click("#table summary")
        seen: set[str] = set()
        for exercise in (False, True)[: 2 if name == "xor" else 1]:
            reader.page.set_checked("#exercise", exercise)
            for step in range(0, reader.steps + 1, 3 if exercise else 1):
                reader.go(step)
                seen |= reader.said()
            if exercise:
                reader.page.click("[data-do=hint]")
                reader.page.click("form.exercise [type=submit]")
                seen |= reader.said()
            reader.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
            seen |= reader.said()
        called = set().union(*(words(f"{v.get('called', '')} {v.get('name', '')}") for v in data_of(pages[name])["vertices"]))
        left = {text for text in seen if words(text) & foreign - called}
        assert not left
        assert not {text for text in seen if re.search(r"\d\.\d", text)}, "a decimal point in French"
        assert "fr" in seen and len(seen) > 60
        reader.page.click("[data-lang=en]")
        assert reader.page.title() == WORDS["en"]["title"] and reader.page.get_attribute("html", "lang") == "en"


def test_an_exercise_is_filled_in(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["s2"])
    page = reader.page
    page.check("#exercise")
    reader.go(5)
    assert "0.0474" not in reader.numbers("body") and reader.node("h₁").locator(".value").text_content() == "?"
    page.fill("form.exercise input", "0,5")
    reader.press("Enter")
    assert "Not yet" in reader.panel() and page.get_attribute("form.exercise input", "aria-invalid") == "true"
    page.click("[data-do=hint]")
    assert "v15=−3" in reader.panel().replace(" ", "")
    page.click("[data-do=hint]")
    assert "σ(−3)" in reader.panel().replace(" ", "")
    page.fill("form.exercise input", "0.047")  # within 2 %
    reader.press("Enter")
    assert "✓ Filled in" in reader.panel() and "Filled in: 1 of" in reader.panel()
    assert page.evaluate("document.activeElement.id") == "next"
    assert reader.node("h₁").locator(".value").text_content() == "0.0474"
    reader.go(45)
    page.click("[data-do=reveal]")
    assert re.search(r"0\.0(107|215)", reader.panel())
    reader.open(pages["xor"])
    page.check("#exercise")
    reader.go(4)
    page.fill("form.exercise input", f"{data_of(pages['xor'])['vertices'][-1]['value']['data'][0]:e}".replace("e+00", "·10^0"))
    page.click("form.exercise [type=submit]")
    assert "✓" in reader.panel()


def test_the_printed_sheets(reader: Reader, pages: dict[str, Path], tmp_path: Path) -> None:
    """The exercise has blanks and no answer, the answers are on a page of their own, and nothing else is printed."""
    reader.open(pages["s2"])
    page = reader.page
    page.check("#exercise")
    for name in ("s2", "xor"):
        reader.open(pages[name])
        page.check("#exercise")
        printed = page.pdf(path=tmp_path / f"{name}.pdf", prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2, name
    page.uncheck("#exercise")
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 1
    page.check("#exercise")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    blank, answers = page.locator(".sheet").all()
    assert not page.is_visible("#panel") and blank.is_visible() and answers.is_visible()
    gradient = written(data_of(pages["xor"])["vertices"][3]["gradient"]["data"][0])
    assert gradient in answers.inner_text() and gradient not in blank.inner_text()
    assert blank.locator(".hole").count() > 40 and answers.locator(".hole").count() == 0
    colours = page.evaluate("""() => [...document.querySelectorAll(".sheet *")].flatMap(e => {
        const style = getComputedStyle(e); return [style.color, style.fill, style.stroke, style.backgroundColor]; })""")
    for colour in set(colours):
        channels = [float(x) for x in re.findall(r"[\d.]+", colour.replace("srgb", ""))[:3]]
        assert not channels or max(channels) - min(channels) < 0.02, colour  # black, white, grey


BOXES = """() => {
    const rect = (e) => { const b = e.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
    const all = (selector, name, frame) =>
        [...document.querySelectorAll(selector)].map((e) => [name(e), rect(e.querySelector(frame))]);
    const nodes = all("#drawing .node", (e) => e.dataset.id ?? `m${e.dataset.module}`, ".frame:not(.halo)");
    return { nodes, modules: all("#drawing g.module", (e) => e.dataset.module, "rect") };
}"""


def overlap(a: list[float], b: list[float]) -> bool:
    return a[0] < b[2] - 0.5 and b[0] < a[2] - 0.5 and a[1] < b[3] - 0.5 and b[1] < a[3] - 0.5


def inside(a: list[float], b: list[float]) -> bool:
    return a[0] >= b[0] and a[1] >= b[1] and a[2] <= b[2] and a[3] <= b[3]


def looks_tidy(reader: Reader, file: Path) -> None:
    """No box on another, every box in the frame of its module, and no stranger in it."""
    found = reader.page.evaluate(BOXES)
    modules = dict(found["modules"])
    owner = {str(v["id"]): v["module"] for v in data_of(file)["vertices"]}
    assert found["nodes"]
    for i, (id, box) in enumerate(found["nodes"]):
        assert not any(overlap(box, other) for _, other in found["nodes"][:i]), id
        mine = id[1:] if id[0] == "m" else owner[id] or ""
        for path, frame in modules.items():
            member = mine == path or mine.startswith(f"{path}.")
            assert inside(box, frame) if member else not overlap(box, frame), (id, path)
    for path, frame in modules.items():
        for other, around in modules.items():
            assert path == other or inside(frame, around) or inside(around, frame) or not overlap(frame, around), (path, other)


def test_boxes_do_not_overlap_and_modules_hold_their_own(reader: Reader, pages: dict[str, Path]) -> None:
    for name in pages:
        reader.open(pages[name])
        for step in (0, reader.steps // 2) if name == "deep" else (0,):
            reader.go(step)
            looks_tidy(reader, pages[name])


def test_a_large_graph_folds_its_modules_and_opens_the_one_of_the_step(reader: Reader, pages: dict[str, Path]) -> None:
    reader.open(pages["deep"])
    page = reader.page
    assert len(data_of(pages["deep"])["vertices"]) > 80
    assert page.locator("#drawing .node[data-id]").count() < 10 and page.locator("#drawing .node.folded").count() == 21
    reader.go(7)
    (current,) = page.locator("#drawing [aria-current=step]").all()
    box, frame = current.bounding_box(), page.locator("#drawing").bounding_box()
    assert frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] and box["height"] > 30
    folded = page.locator("#drawing .node.folded")
    before = folded.count()
    folded.first.focus()
    reader.press("Enter")
    assert folded.count() == before + 1  # a module that holds two opens to these, still folded
    assert page.locator("#drawing g.module").count() >= 2
    looks_tidy(reader, pages["deep"])


def test_a_failure_a_function_of_ones_own_and_dark_colours(reader: Reader, tmp_path: Path) -> None:
    reader.open(failed().html(tmp_path / "failed.html", lang="fr"))
    reader.press("End")
    assert "La propagation avant s'arrête ici" in reader.panel()
    assert "On ne peut pas calculer linear à partir de" in reader.panel() and "1×4" in reader.panel()
    quoted = reader.page.locator("#panel blockquote[lang=en]")
    assert "Le moteur dit, en anglais" in reader.panel() and "in_features=4" in quoted.inner_text()

    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return g * 2

    u = leaf(3.0)
    reader.open(Snapshot(Double.apply(u) * 5).html(tmp_path / "own.html", lang="en"))
    for step in range(reader.steps + 1):
        reader.go(step)
    reader.page.emulate_media(color_scheme="dark")
    assert reader.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 28)"
