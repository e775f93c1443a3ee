"""S2's program: each number that the course prints, the training of the hand-written network, in English and in French."""

from __future__ import annotations

import math
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
from examples import s2_people as lesson

PEOPLE = np.array([[-2, -1], [25, 6], [17, 4], [-15, -6]], dtype=np.float64)  # Alice, Bob, Charlie, Diana
WOMEN = np.array([1, 0, 0, 1], dtype=np.float64)

PRINTED = [  # by the course, as it prints them
    "0.9526", "0.7216", "0.5", "0.0474", "0.524", "-0.952", "0.249", "-0.0904", "0.0214",
]  # fmt: skip
EXACT = [  # the same, and the neuron, with all their digits
    0.9990889488055994, 0.9525741268224334, 0.7216325609518421, 0.5,
    0.04742587317756678, 0.5236951740839997, 0.021469535265811107,
]  # fmt: skip


def both(seed: int) -> tuple[lesson.OurNeuralNetwork, by_hand.OurNeuralNetwork]:
    """The program's network, and the hand-written one, from the same nine numbers."""
    tg.manual_seed(seed)
    net = lesson.OurNeuralNetwork()
    assert [name for name, _ in net.named_parameters()] == ["w1", "w2", "w3", "w4", "w5", "w6", "b1", "b2", "b3"]
    return net, by_hand.OurNeuralNetwork([p.item() for p in net.parameters()])


def flat(net: lesson.OurNeuralNetwork) -> Array:
    return np.array([p.item() for p in net.parameters()])


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_number_of_the_course_is_printed(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    lesson.feedforward(lang)
    lesson.derivation(lang)
    said = numbers(capsys.readouterr().out)
    for printed in PRINTED:
        assert printed in said, printed
    values = [float(number.replace("−", "-")) for number in said if number not in PRINTED]
    for exact in EXACT:
        assert exact == 0.5 or any(math.isclose(value, exact, rel_tol=1e-14) for value in values), exact


def test_the_factors_multiply_to_the_derivative(capsys: pytest.CaptureFixture[str]) -> None:
    """Three factors from autograd, their product, and ∂L/∂w₁ from autograd in one go."""
    lesson.derivation("en")
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "∂" in line][1:]
    first, second, third, product, at_once = (float(row[-1]) for row in rows)
    assert first == pytest.approx(-2 * (1 - 0.5236951740839997), rel=1e-14)
    assert second == pytest.approx(0.5236951740839997 * (1 - 0.5236951740839997), rel=1e-14)
    assert third == pytest.approx(-2 * 0.04742587317756678 * (1 - 0.04742587317756678), rel=1e-14)
    assert product == pytest.approx(first * second * third, rel=1e-14)
    assert at_once == pytest.approx(product, rel=1e-14)


@pytest.mark.parametrize("seed", [0, 1])
def test_all_4000_steps_are_those_of_the_hand_written_network(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    net, hand = both(seed)
    steps: list[Array] = []
    hand.train(PEOPLE, WOMEN, 1000, 0.1, after_step=lambda: steps.append(hand.parameters()))
    data, women = tg.tensor(PEOPLE), tg.tensor(WOMEN)
    found = []
    for _ in range(1000):
        for i in range(4):  # SGD remembers nothing: a training per person is the same training
            lesson.train(net, data[i : i + 1], women[i : i + 1], epochs=1)
            found.append(flat(net))
    assert len(found) == 4000
    np.testing.assert_allclose(np.stack(found), np.stack(steps), rtol=0, atol=1e-10)
    assert np.abs(found[-1] - found[0]).max() > 0.5, "nothing was trained"


def test_the_log_is_that_of_the_course(capsys: pytest.CaptureFixture[str]) -> None:
    """100 lines, each with the loss of the hand-written network; then Emily and Frank, who were not learnt."""
    _, hand = both(0)
    log = hand.train(PEOPLE, WOMEN, 1000, 0.1)
    lesson.main("en")
    said = capsys.readouterr().out.splitlines()
    expected = ["Epoch %d loss: %.3f" % line for line in log]  # noqa: UP031 - as in S2
    assert len(expected) == 100
    assert [line for line in said if line.startswith("Epoch ")] == expected
    emily, frank = (hand.feedforward(np.array(x)) for x in ([-7, -3], [20, 2]))
    assert said[-2:] == [f"  Emily: {emily:.3f}  woman", f"  Frank: {frank:.3f}  man"]
    assert said[-2:] == ["  Emily: 0.964  woman", "  Frank: 0.039  man"]  # what the course prints, from this seed


@pytest.mark.parametrize("seed", [0, 1])
def test_compiled_it_is_the_training_of_the_hand_written_network(
    seed: int, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net, hand = both(seed)
    start = flat(net)
    found = lesson.train(net, tg.tensor(PEOPLE), tg.tensor(WOMEN), 1000, backend=backend)
    expected = hand.train(PEOPLE, WOMEN, 1000, 0.1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(flat(net), hand.parameters(), rtol=0, atol=1e-10)
    assert np.abs(flat(net) - start).max() > 0.5, "nothing was trained"


def test_compiled_it_prints_the_same(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for choice in (None, backend):
        lesson.main("fr", epochs=300, backend=choice)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@numpy_only
def test_compiled_from_the_command_line(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started_here("s2_people.py", monkeypatch, "--compile")


@pytest.mark.parametrize("seed", range(1, 6))
def test_other_seeds_tell_emily_from_frank(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    _, hand = both(seed)
    hand.train(PEOPLE, WOMEN, 1000, 0.1)
    assert hand.feedforward(np.array([-7, -3])) == pytest.approx(0.96, abs=0.02)
    assert hand.feedforward(np.array([20, 2])) == pytest.approx(0.04, abs=0.02)


def test_a_wrong_learning_rate_would_be_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    net, hand = both(0)
    hand.train(PEOPLE, WOMEN, 2, 0.1001)
    lesson.train(net, tg.tensor(PEOPLE), tg.tensor(WOMEN), epochs=2)
    assert np.abs(flat(net) - hand.parameters()).max() > 1e-6


def test_english_and_french(capsys: pytest.CaptureFixture[str]) -> None:
    said = {}
    for lang in ("en", "fr"):
        lesson.main(lang, epochs=30)
        said[lang] = capsys.readouterr().out
    same_in_both_languages(lesson, said["en"], said["fr"])
    assert "Époque 20 perte : 0," in said["fr"]


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_quick_from_the_command_line(lang: str) -> None:
    said = command_line("s2_people.py", lang)
    assert {"en": "Epoch 90 loss: 0.026", "fr": "Époque 90 perte : 0,026"}[lang] in said


def test_pytorch_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for twin in (on_pytorch(lesson), lesson):
        twin.main("en", epochs=100)
        said.append(without_rounding(capsys.readouterr().out))
    assert said[0] == said[1]


def test_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(lesson, tmp_path, epochs=60)
    assert str(tmp_path / "en.png") in capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_without_matplotlib_the_program_goes_on(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lesson.main(lang, epochs=1, picture=str(tmp_path / "loss.png"))
    assert "python -m pip install matplotlib" in capsys.readouterr().out.splitlines()[-1]
    assert not list(tmp_path.iterdir())
