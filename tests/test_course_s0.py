"""S0's program: its layers train as the hand-written ones do, step by step, and it says so in English and in French."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import handwritten_s0_s2 as by_hand
import numpy as np
import pytest
from handwritten_s0_s2 import Array
from lessons import backend as backend
from lessons import (
    command_line,
    numbers,
    numpy_only,
    on_pytorch,
    pictures,
    same_in_both_languages,
    started_here,
    without_rounding,
)

import tinygrad_fr as tg
from examples import s0_xor_layers as lesson

XOR_X = np.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]], dtype=np.float64)
XOR_Y = np.array([[[0]], [[1]], [[1]], [[0]]], dtype=np.float64)


def both(seed: int) -> tuple[lesson.Network, by_hand.Network]:
    """The program's network, and the hand-written one, from the same weights."""
    tg.manual_seed(seed)
    net = lesson.xor_network()
    start = [np.array(p.detach().numpy()) for p in net.layers.parameters()]
    assert [p.shape for p in start] == [(2, 3), (1, 3), (3, 1), (1, 1)]
    assert all(p.dtype == np.float64 and (np.abs(p) <= 0.5).all() for p in start)
    return net, by_hand.Network(start)


def flat(net: lesson.Network) -> Array:
    return np.concatenate([p.detach().numpy().ravel() for p in net.layers.parameters()])


def trajectory(net: lesson.Network, epochs: int, learning_rate: float = 0.1) -> Array:
    """The parameters after each example: SGD remembers nothing, so a fit per example is the same training."""
    x, y = tg.tensor(XOR_X), tg.tensor(XOR_Y)
    steps = []
    for _ in range(epochs):
        for i in range(4):
            net.fit(x[i : i + 1], y[i : i + 1], epochs=1, learning_rate=learning_rate, every=2)
            steps.append(flat(net))
    return np.stack(steps)


@pytest.mark.parametrize("seed", [1, 0])
def test_all_4000_steps_are_those_of_the_hand_written_network(seed: int) -> None:
    """From a start that learns XOR, and from one that stays on the plateau."""
    net, hand = both(seed)
    steps: list[Array] = []
    hand.fit(XOR_X, XOR_Y, 1000, 0.1, after_step=lambda: steps.append(hand.parameters()))
    found = trajectory(net, 1000)
    assert found.shape == (4000, 13)
    np.testing.assert_allclose(found, np.stack(steps), rtol=0, atol=1e-10)
    assert np.abs(found[-1] - found[0]).max() > 0.1, "nothing was trained"


def test_a_wrong_learning_rate_would_be_noticed() -> None:
    net, hand = both(1)
    steps: list[Array] = []
    hand.fit(XOR_X, XOR_Y, 3, 0.1, after_step=lambda: steps.append(hand.parameters()))
    assert np.abs(trajectory(net, 3, learning_rate=0.1001) - np.stack(steps)).max() > 1e-6


def test_it_prints_what_the_course_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """1000 lines, each with the error of the hand-written network to the sixth decimal, then the four answers."""
    _, hand = both(1)
    errors = hand.fit(XOR_X, XOR_Y, 1000, 0.1)
    lesson.main("en")
    said = capsys.readouterr().out
    expected = ["epoch %d/%d    error=%f" % (i + 1, 1000, err) for i, err in enumerate(errors)]  # noqa: UP031 - as in S0
    assert [line for line in said.splitlines() if line.startswith("epoch ")] == expected
    answers = re.findall(r"^\[(\d), (\d)\] +(-?\d\.\d{4}) +(\d)$", said, re.MULTILINE)
    assert [(int(a), int(b), int(wanted)) for a, b, _, wanted in answers] == [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    for (_, _, answer, wanted), x in zip(answers, XOR_X, strict=True):
        assert float(answer) == pytest.approx(hand.predict(x).item(), abs=6e-5)
        assert abs(float(answer) - float(wanted)) < 0.03, "XOR is not learnt"


def test_predict_gives_one_answer_for_each_example_and_records_nothing() -> None:
    net, hand = both(2)
    answers = net.predict(tg.tensor(XOR_X))
    assert [tuple(a.shape) for a in answers] == [(1, 1)] * 4
    assert not any(a.requires_grad for a in answers)
    np.testing.assert_allclose([a.item() for a in answers], [hand.predict(x).item() for x in XOR_X], rtol=0, atol=1e-12)


def test_fit_in_one_go_ends_where_the_hand_written_network_ends() -> None:
    net, hand = both(5)
    errors = net.fit(tg.tensor(XOR_X), tg.tensor(XOR_Y), epochs=100, learning_rate=0.1, every=1000)
    np.testing.assert_allclose(errors, hand.fit(XOR_X, XOR_Y, 100, 0.1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(flat(net), hand.parameters(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("seed", [1, 0])
def test_compiled_it_is_the_training_of_the_hand_written_network(seed: int, backend: str) -> None:
    """The errors of all 1000 epochs, and where they end."""
    net, hand = both(seed)
    errors = net.fit(tg.tensor(XOR_X), tg.tensor(XOR_Y), epochs=1000, learning_rate=0.1, every=1001, backend=backend)
    assert len(net.step.traces) == 2, "one for the first call, before there are gradients"
    np.testing.assert_allclose(errors, hand.fit(XOR_X, XOR_Y, 1000, 0.1), rtol=0, atol=1e-10)
    np.testing.assert_allclose(flat(net), hand.parameters(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_compiled_it_prints_the_same_and_the_program(lang: str, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for choice in (None, backend):
        lesson.main(lang, epochs=100, every=10, backend=choice)
        said.append(without_rounding(capsys.readouterr().out))
    plain, compiled = said
    assert compiled.startswith(plain)
    title, _, program = compiled.removeprefix(plain).lstrip("\n").partition("\n\n")
    assert title == lesson.WORDS[lang]["program"].strip()
    assert program.startswith({"numpy": "def step(x, y):\n", "numba": "@njit("}[backend])
    lines = [line.strip() for line in program.splitlines()]
    for formula in ("# a1 = tanh z₁", "# E = (a₂ − y)²", "# ∂C/∂W1 = xᵗ dz1", "# P ← P − ηG"):
        assert sum(line.startswith(formula) for line in lines) == 1, formula
    assert lines[-1] == "return E"


@numpy_only
def test_compiled_from_the_command_line(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started_here("s0_xor_layers.py", monkeypatch, "--compile")


def test_how_many_starts_learn() -> None:
    """The program says that 63 of the seeds 0 to 99 learn and 37 stay near 0.279: the hundred trainings, side by side."""
    starts = [list(both(seed)[0].layers.parameters()) for seed in range(100)]
    W1, B1, W2, B2 = (np.stack([start[i].detach().numpy() for start in starts]) for i in range(4))
    for _ in range(1000):
        err = np.zeros(100)
        for x, y in zip(XOR_X, XOR_Y, strict=True):
            h = np.tanh(x @ W1 + B1)
            out = np.tanh(h @ W2 + B2)
            err += ((y - out) ** 2).ravel() / 4
            dZ2 = 2 * (out - y) * (1 - out**2)
            dZ1 = dZ2 @ W2.mT * (1 - h**2)
            W2 -= 0.1 * h.mT @ dZ2
            B2 -= 0.1 * dZ2
            W1 -= 0.1 * x.T @ dZ1
            B1 -= 0.1 * dZ1
    assert ((err < 0.002).sum(), (np.abs(err - 0.279) < 0.001).sum()) == (63, 37)
    assert err[1] < 0.002 and abs(err[0] - 0.279) < 0.001  # --seed 1, the default, and --seed 0
    for lang in ("en", "fr"):
        assert numbers(lesson.WORDS[lang]["seeds"].format(seed=1)) == ["1", "0", "99", "63", "1000", "37", "0.279", "0"]


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_three_formulas_agree_with_autograd(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    net, _ = both(3)
    for x, y in zip(XOR_X, XOR_Y, strict=True):
        assert lesson.backward_propagation(net, tg.tensor(x), tg.tensor(y), lang) < 1e-15
    said = capsys.readouterr().out
    for formula in ("∂E/∂W = Xᵗ ∂E/∂Y", "∂E/∂B = ∂E/∂Y", "∂E/∂X = ∂E/∂Y Wᵗ", "∂E/∂X = tanh′(X) ⊙ ∂E/∂Y"):
        assert said.count(formula) == 8  # two layers of each kind, four examples


def test_a_wrong_formula_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With another loss than the course's, the course's ∂E/∂Y is wrong, and the difference shows."""
    net, _ = both(3)
    monkeypatch.setattr(net, "loss", tg.nn.MSELoss(reduction="sum"))
    x, y = tg.tensor(np.ones((1, 2))), tg.tensor(np.array([[0.5]]))
    assert lesson.backward_propagation(net, x, y) < 1e-15  # one output: the sum is the mean
    monkeypatch.setattr(net, "loss", lambda output, y: 2 * ((output - y) ** 2).mean())
    assert lesson.backward_propagation(net, x, y) > 1e-3


def test_english_and_french(capsys: pytest.CaptureFixture[str]) -> None:
    said = {}
    for lang in ("en", "fr"):
        lesson.main(lang, epochs=40, every=10)
        said[lang] = capsys.readouterr().out
    same_in_both_languages(lesson, said["en"], said["fr"])
    assert "époque 40/40    erreur=0," in said["fr"]


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_quick_from_the_command_line(lang: str) -> None:
    said = command_line("s0_xor_layers.py", lang)
    assert {"en": "epoch 200/200    error=0.01", "fr": "époque 200/200    erreur=0,01"}[lang] in said
    assert len(said.splitlines()) < 40


def test_pytorch_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for twin in (on_pytorch(lesson), lesson):
        twin.main("en", epochs=100, every=10)
        said.append(without_rounding(capsys.readouterr().out))
    assert said[0] == said[1]


def test_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pictures(lesson, tmp_path, epochs=60, every=100) > 0.2  # the answers fill the right half
    assert str(tmp_path / "en.png") in capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_without_matplotlib_the_program_goes_on(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lesson.main(lang, epochs=1, picture=str(tmp_path / "xor.png"))
    assert "python -m pip install matplotlib" in capsys.readouterr().out.splitlines()[-1]
    assert not list(tmp_path.iterdir())
