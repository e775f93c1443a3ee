"""S1's three programs: derivatives, the table of gradients, two classes and three, and four pathologies, provoked and cured."""

from __future__ import annotations

import copy
import math
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lessons import (
    ENGLISH,
    FRENCH,
    command_line,
    numbers,
    numpy_only,
    on_pytorch,
    pictures,
    same_in_both_languages,
    started_here,
    without_comparisons,
    without_rounding,
    words,
)
from lessons import backend as backend

import tinygrad_fr as tg
from examples import s1_activations, s1_classification, s1_pathologies

nn = tg.nn

LESSONS = [s1_activations, s1_classification, s1_pathologies]
PICTURED = [s1_activations, s1_classification]


def quickly(lesson: ModuleType, lang: str, **options: Any) -> None:
    """The lesson, with few steps where it has a choice."""
    if lesson.__name__.startswith(s1_classification.__name__):
        options.setdefault("steps", 20)
    lesson.main(lang, **options)


# -- activation functions ------------------------------------------------------------------------------------------------


def test_the_derivatives_are_the_course_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert s1_activations.table("en") < 1e-15
    z = np.array([-10, -5, -2, -1, 0, 1, 2, 5, 10], dtype=np.float64)
    sigmoid = 1 / (1 + np.exp(-z))
    expected = [
        z,
        sigmoid, sigmoid * (1 - sigmoid),
        np.tanh(z), 1 / np.cosh(z) ** 2,
        np.maximum(z, 0), z > 0,
        np.maximum(z, 0.1 * z), np.where(z > 0, 1, 0.1),
    ]  # fmt: skip
    lines = capsys.readouterr().out.splitlines()[1:10]
    for line, row in zip(lines, expected, strict=True):
        np.testing.assert_allclose([float(word) for word in line.split()[-9:]], row, rtol=0, atol=6e-5)


def test_a_wrong_derivative_would_be_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = s1_activations.Activation(nn.Tanh(), lambda z, a: 1 - a, "1 − a")
    monkeypatch.setitem(s1_activations.ACTIVATIONS, "tanh", wrong)
    assert s1_activations.table("en") > 0.1


# -- the table of gradients, softmax -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("y", [1.0, 0.0, 0.3])
def test_the_table_of_gradients_agrees(y: float, lang: Any, capsys: pytest.CaptureFixture[str]) -> None:
    same = s1_classification.gradients(y, lang)
    assert [c.name.split()[0] for c in same] == ["∂C/∂A[3]"] + [f"∂C/∂{of}[{level}]" for level in (3, 2, 1) for of in "ZWb"]
    assert all(same)
    assert all(c.max_difference < 1e-14 for c in same)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 10
    agrees = {"en": "approximate: True", "fr": "approché : oui"}[lang]
    assert all(agrees in line for line in said)


def test_a_wrong_gradient_would_be_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With tanh in the place of sigmoid the course's A − y is wrong, and so is all that follows; ∂C/∂A[3] stays right."""
    monkeypatch.setattr(tg, "sigmoid", lambda z: (1 + tg.tanh(z)) / 2)
    same = s1_classification.gradients(1.0, "en")
    assert same[0] and not any(same[1:])


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_softmax(lang: Any, capsys: pytest.CaptureFixture[str]) -> None:
    same = s1_classification.softmax(lang)
    assert len(same) == 2 and all(same)
    assert all(c.max_difference < 1e-15 for c in same)
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[-3:] == ["nan", "nan", "nan"]  # e^6000 has no place in a float
    assert said[1].split()[-3:] == said[2].split()[-3:] == ["0", "0", "1"]
    values = [float(n) for n in numbers(said[4])][-3:]
    np.testing.assert_allclose(values, np.exp([4, 5, 6]) / np.exp([4, 5, 6]).sum(), rtol=0, atol=6e-5)


# -- two classes, three classes ------------------------------------------------------------------------------------------


def test_a_hidden_layer_tells_the_classes_apart(capsys: pytest.CaptureFixture[str]) -> None:
    two, three = s1_classification.two_classes(1000), s1_classification.three_classes(1000)
    assert two.x.shape == (200, 2) and three.x.shape == (300, 2)
    assert [int((two.y == n).sum()) for n in range(2)] == [100, 100]
    assert [int((three.y == n).sum()) for n in range(3)] == [100, 100, 100]
    assert 0.8 < two.accuracy(two.line) < 0.95 and two.accuracy(two.net) >= 0.98
    assert 0.4 < three.accuracy(three.line) < 0.7 and three.accuracy(three.net) >= 0.97


@pytest.mark.parametrize("classes", [2, 3])
def test_compiled_it_is_the_same_training(classes: int, backend: str) -> None:
    """1000 steps in float64, from the same weights."""
    task = s1_classification.two_classes(0) if classes == 2 else s1_classification.three_classes(0)
    y, cost = (task.y.double().unsqueeze(1), nn.BCELoss()) if classes == 2 else (task.y, nn.CrossEntropyLoss())
    nets = [copy.deepcopy(task.net).double() for _ in range(3)]
    for net, choice in zip(nets[:2], (None, backend), strict=True):
        s1_classification.train(net, cost, task.x.double(), y, 1000, choice)
    plain, compiled, start = (np.concatenate([p.detach().numpy().ravel() for p in net.parameters()]) for net in nets)
    np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-10)
    assert np.abs(plain - start).max() > 0.5, "nothing was trained"


def test_compiled_it_prints_the_same(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for choice in (None, backend):
        s1_classification.main("en", 100, backend=choice)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@numpy_only
def test_compiled_from_the_command_line(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started_here("s1_classification.py", monkeypatch, "--compile")


def test_accuracy_counts() -> None:
    """A task read by a model that answers class 1 where x₁ > 0."""
    x = tg.tensor([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    task = s1_classification.Task(x, tg.tensor([1, 0, 0, 1]), nn.Identity(), nn.Identity(), lambda out: (out[:, 0] > 0).long())
    assert task.accuracy(task.net) == 0.75


# -- pathologies ---------------------------------------------------------------------------------------------------------


def test_the_gradient_vanishes_under_sigmoid_and_not_under_relu() -> None:
    norms, cured = s1_pathologies.vanishing(nn.Sigmoid()), s1_pathologies.vanishing(nn.ReLU())
    assert len(norms) == len(cured) == 10
    assert all(later > earlier for later, earlier in pairwise(norms)), "smaller at each layer"
    assert norms[-1] < 1e-5 and norms[0] > 1e4 * norms[-1]
    assert min(cured) > 0.01 and max(cured) < 10 * min(cured)


def test_a_dead_neuron_stays_dead_and_leaky_relu_cures_it() -> None:
    story, cured = s1_pathologies.dead(nn.ReLU()), s1_pathologies.dead(nn.LeakyReLU(0.1))
    assert story.gradient == 0
    assert story.largest == story.largest_after == 0  # on all 100 examples
    assert story.cost == story.cost_after > 1
    assert cured.gradient > 0 and cured.largest < 0  # it starts as low
    assert cured.cost_after < 1e-6 and cured.largest_after > 3


def test_the_gradient_explodes_and_clipping_cures_it() -> None:
    updates, costs = s1_pathologies.exploding()
    assert 3 <= len(updates) <= 10
    assert all(later > 10 * earlier for earlier, later in pairwise(updates[:-1]))
    assert all(map(math.isfinite, updates[:-1])) and not math.isfinite(updates[-1])
    assert updates[-2] > 1000
    clipped, costs = s1_pathologies.exploding(clip=1.0)
    assert len(clipped) == 200 and max(clipped) <= 0.003 + 1e-6
    assert costs[-1] < costs[0] / 4


def test_a_saturated_neuron_does_not_learn_and_two_cures_do() -> None:
    for activation, gradient in ((nn.Sigmoid(), 1e-3), (nn.Tanh(), 1e-6)):
        story = s1_pathologies.saturated(activation, nn.MSELoss())
        assert 0 <= story.gradient < gradient
        assert story.cost > 0.999 and story.cost_after > 0.999 and story.largest_after > 0.999
    leaky = s1_pathologies.saturated(nn.LeakyReLU(0.1), nn.MSELoss())
    assert leaky.gradient > 1 and leaky.cost_after < 1e-3
    entropy = s1_pathologies.saturated(nn.Sigmoid(), nn.BCELoss())
    assert entropy.gradient > 0.9 and entropy.largest > 0.999 and entropy.largest_after < 0.05


def test_the_pathologies_are_told_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    s1_pathologies.main("en")
    said = capsys.readouterr().out
    assert [line[:2] for line in said.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")] == ["1.", "2.", "3.", "4."]
    updates, _ = s1_pathologies.exploding()
    steps = [line for line in said.splitlines() if line.startswith("  step ")]
    assert len(steps) == len(updates)
    assert "nan" in steps[-1] and "nan" not in "".join(steps[:-1])
    assert f"σ(10) = {1 / (1 + math.exp(-10)):.9f}" in said
    for story in (
        s1_pathologies.dead(nn.ReLU()),
        s1_pathologies.dead(nn.LeakyReLU(0.1)),
        s1_pathologies.saturated(nn.Sigmoid(), nn.MSELoss()),
        s1_pathologies.saturated(nn.Tanh(), nn.MSELoss()),
        s1_pathologies.saturated(nn.LeakyReLU(0.1), nn.MSELoss()),
        s1_pathologies.saturated(nn.Sigmoid(), nn.BCELoss()),
    ):
        assert f"{story.cost:.4f} → {story.cost_after:.4f}" in said
        assert f"{story.largest:.4f} → {story.largest_after:.4f}" in said


# -- languages, command line, pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_english_and_french(lesson: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    said = {}
    for lang in ("en", "fr"):
        quickly(lesson, lang)
        said[lang] = without_comparisons(capsys.readouterr().out)
    same_in_both_languages(lesson, said["en"], said["fr"])


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("lesson", LESSONS)
def test_quick_from_the_command_line(lesson: ModuleType, lang: str) -> None:
    said = command_line(Path(str(lesson.__file__)).name, lang)
    assert len(numbers(said)) > 20
    assert words(said) & {"en": ENGLISH, "fr": FRENCH}[lang] and not words(said) & {"en": FRENCH, "fr": ENGLISH}[lang]
    assert len(said.splitlines()) < 60


@pytest.mark.parametrize("lesson", LESSONS)
def test_pytorch_prints_the_same(lesson: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for twin in (on_pytorch(lesson), lesson):
        quickly(twin, "en")
        said.append(without_rounding(capsys.readouterr().out))
    assert said[0] == said[1]


def test_the_picture_of_the_activations(tmp_path: Path) -> None:
    pictures(s1_activations, tmp_path)


def test_the_picture_of_the_classes(tmp_path: Path) -> None:
    assert pictures(s1_classification, tmp_path, steps=20) > 0.4  # the regions fill two squares


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("lesson", PICTURED)
def test_without_matplotlib_the_program_goes_on(
    lesson: ModuleType, lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    quickly(lesson, lang, picture=str(tmp_path / "picture.png"))
    assert "python -m pip install matplotlib" in capsys.readouterr().out.splitlines()[-1]
    assert not list(tmp_path.iterdir())
