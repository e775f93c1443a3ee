"""S4's program: its trainings are the hand-written ones, step by step, and its log is the course's, digit for digit."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handwritten_s3_s4 import Array, flat, s4_model, s4_start, s4_training
from lessons import ROOT, command_line, numpy_only, pictures, same_in_both_languages, started_here
from lessons import backend as backend

import tinygrad_fr as tg
from examples import s4_two_layers as lesson
from tinygrad_fr import datasets

EXAMPLE = "s4_two_layers.py"

COST_LOG = (
    "0.692126 0.685371 0.631033 0.500277 0.235959 0.089350 0.050119 0.034105 0.025642 0.020463 "
    "0.016986 0.014499 0.012634 0.011187 0.010032 0.009090 0.008307 0.007646 0.007082 0.006593"
).split()
XOR_X = np.array([[0.0, 0, 1, 1], [0, 1, 0, 1]])
XOR_Y = np.array([[0.0, 1, 1, 0]])


@pytest.fixture
def no_mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MNIST is nowhere to be found."""
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))


@functools.cache
def found_mnist() -> Any:
    try:
        return datasets.mnist(download=False)
    except FileNotFoundError:
        return None


def mnist() -> Any:
    """Full MNIST, or a skip where its files are not."""
    return found_mnist() or pytest.skip("MNIST is not there: set TINYGRAD_FR_DATA to the folder of its files")


def normalised(images: Array, like: Array) -> Array:
    """(x − mean)/(1e−9 + std), with the mean and the deviation of the training set; columns are samples."""
    return np.asarray(((images - like.mean(axis=0)) / (1e-9 + like.std(axis=0))).T)


def program(
    X: Array, Y: Array, start: Sequence[Array], eta: float, steps: int, batch: int, backend: str | None = None
) -> Iterator[tuple[float, Array]]:
    """The program's training: the cost before each update, and the parameters after it."""
    parameters = [tg.tensor(p, requires_grad=True) for p in start]
    for cost in lesson.train(parameters, tg.tensor(X), tg.tensor(Y), eta, steps, batch, backend):
        yield cost, flat([p.detach().numpy() for p in parameters])


def gaps(one: Iterator[tuple[float, Array]], other: Iterator[tuple[float, Array]]) -> tuple[Array, Array]:
    """After each step of two trainings, the largest difference of a parameter, and the relative difference of the costs."""
    pairs = [(np.abs(a - b).max(), abs(cost / price - 1)) for (cost, a), (price, b) in zip(one, other, strict=True)]
    parameters, costs = np.array(pairs).T
    return parameters, costs


# -- XOR -----------------------------------------------------------------------------------------------------------------


def test_xor_starts_from_the_course_s_weights() -> None:
    parameters = lesson.initial(tg.tensor(XOR_X), 2, 1)
    for found, expected in zip(parameters, s4_start(2, 2, 1, seed=1), strict=True):
        np.testing.assert_array_equal(found.detach().numpy(), expected)
        assert found.dtype == tg.float64 and found.requires_grad
    assert parameters[0][0, 0].item() == 0.417022004702574  # np.random.seed(1); np.random.rand()


def test_xor_training_is_the_hand_written_one() -> None:
    """All 2000 steps: parameters and costs to 1e-10."""
    start = s4_start(2, 2, 1, seed=1)
    parameters, costs = gaps(
        program(XOR_X, XOR_Y, start, 1, 2000, 4), s4_training(XOR_X, XOR_Y, start, 1, 2000, batch_size=4)
    )
    assert len(parameters) == 2000
    assert parameters.max() < 1e-10
    assert costs.max() < 1e-10


def test_the_compiled_xor_training_is_the_hand_written_one(backend: str) -> None:
    start = s4_start(2, 2, 1, seed=1)
    parameters, costs = gaps(
        program(XOR_X, XOR_Y, start, 1, 2000, 4, backend), s4_training(XOR_X, XOR_Y, start, 1, 2000, batch_size=4)
    )
    assert len(parameters) == 2000
    assert parameters.max() < 1e-10
    assert costs.max() < 1e-10


@pytest.mark.parametrize("eta", [1.001, -1.0])
def test_a_wrong_learning_rate_or_sign_would_be_noticed(eta: float) -> None:
    start = s4_start(2, 2, 1, seed=1)
    parameters, _ = gaps(program(XOR_X, XOR_Y, start, 1, 5, 4), s4_training(XOR_X, XOR_Y, start, eta, 5, batch_size=4))
    assert parameters.max() > 1e-5


@pytest.mark.parametrize(
    "lang, line, comma", [("en", "Cost after iteration {}: {}", "."), ("fr", "Coût après l'itération {} : {}", ",")]
)
def test_the_cost_log_is_the_course_s(lang: str, line: str, comma: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Digit for digit, with a decimal comma in French; then the four answers; all costs are there for the picture."""
    costs = lesson.xor(lang)
    log = [line.format(100 * i, cost.replace(".", comma)) for i, cost in enumerate(COST_LOG, 1)]
    assert capsys.readouterr().out.splitlines() == [*log, "0 xor 0 = 0", "0 xor 1 = 1", "1 xor 0 = 1", "1 xor 1 = 0"]
    assert len(costs) == 2000 and f"{costs[99]:.6f}" == COST_LOG[0]


# -- mini-batches --------------------------------------------------------------------------------------------------------


def whitened(which: str) -> tuple[Array, Array]:
    """X and Y of the digits, or of the first 5000 images of MNIST."""
    (images, labels), _ = mnist() if which == "mnist" else datasets.digits()
    images, labels = images[:5000].astype(np.float64), labels[:5000]
    return normalised(images, images), np.eye(10)[labels].T


@pytest.mark.parametrize("which, eta, steps", [("digits", 1, 600), ("mnist", 0.1, 100), ("mnist", 1, 40)])
def test_mini_batches_are_those_of_the_hand_written_network(which: str, eta: float, steps: int) -> None:
    """50 neurons, batches of 64, from the course's weights: 1e-10 after each step; the last batch of a round is short."""
    X, Y = whitened(which)
    assert X.shape[1] % 64 and (steps > X.shape[1] / 64 or eta == 1), "the end of a round is met"
    start = s4_start(len(X), 50, 10, seed=1)
    parameters, costs = gaps(program(X, Y, start, eta, steps, 64), s4_training(X, Y, start, eta, steps, batch_size=64))
    assert len(parameters) == steps
    assert parameters.max() < 1e-10
    assert costs.max() < 1e-5, "the course's log(1 − A2) loses digits where A2 is nearly 1; ours does not"


@pytest.mark.parametrize("which, eta, steps", [("digits", 1, 600), ("mnist", 0.1, 100)])
def test_compiled_mini_batches_are_those_of_the_hand_written_network(which: str, eta: float, steps: int, backend: str) -> None:
    """Two programs: one for the whole batches, one for the short batch at the end of a round."""
    X, Y = whitened(which)
    start = s4_start(len(X), 50, 10, seed=1)
    expected = s4_training(X, Y, start, eta, steps, batch_size=64)
    parameters, costs = gaps(program(X, Y, start, eta, steps, 64, backend), expected)
    assert len(parameters) == steps
    assert parameters.max() < 1e-10
    assert costs.max() < 1e-5


def test_compiled_it_prints_the_same(backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In float64: in float32 a sum in another order can be seen in the last digit of a cost."""
    train_set, test_set = ((images.astype(np.float64), labels) for images, labels in datasets.digits())
    said = []
    for choice in (None, backend):
        lesson.xor("fr", choice)
        lesson.digits(train_set, test_set, 400, "fr", choice)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@numpy_only
def test_compiled_from_the_command_line(no_mnist: None, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started_here(EXAMPLE, monkeypatch, "--compile")


def test_mnist_at_the_course_s_learning_rate_is_chaotic() -> None:
    """Why 40 steps above, and why its costs on MNIST cannot be had again: the hand-written network does not meet itself.

    One weight is moved by 1e-15. With η = 0.1 the two trainings stay together.
    """
    X, Y = whitened("mnist")
    start = s4_start(784, 50, 10, seed=1)
    moved = [p.copy() for p in start]
    moved[0][0, 300] += 1e-15
    for eta, low, high in ((1, 1e-3, np.inf), (0.1, 0, 1e-13)):
        parameters, _ = gaps(s4_training(X, Y, start, eta, 250, 64), s4_training(X, Y, moved, eta, 250, 64))
        assert parameters[0] < 1e-14
        assert low <= parameters.max() < high


def test_batches_that_fit_exactly_begin_again() -> None:
    X, Y = normalised(np.random.RandomState(0).rand(12, 3), np.random.RandomState(1).rand(12, 3)), np.eye(12)[:2]
    start = s4_start(3, 4, 2, seed=1)
    parameters, _ = gaps(program(X, Y, start, 0.1, 10, 4), s4_training(X, Y, start, 0.1, 10, batch_size=4))
    assert parameters.max() < 1e-12


def test_the_digits_are_learnt_as_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """Normalisation, one row of targets per class, both accuracies, and the mistakes: as the course does, in float64."""
    (x, y), (test_x, test_y) = ((images.astype(np.float64), labels) for images, labels in datasets.digits())
    costs, mistakes = lesson.digits((x, y), (test_x, test_y), 200, "en")
    said = capsys.readouterr().out

    X, start = normalised(x, x), s4_start(64, 50, 10, seed=1)
    steps = list(s4_training(X, np.eye(10)[y].T, start, 1, 200, batch_size=64))
    np.testing.assert_allclose(costs, [cost for cost, _ in steps], rtol=1e-6)
    parameters = [
        p.reshape(s.shape) for p, s in zip(np.split(steps[-1][1], np.cumsum([s.size for s in start])[:-1]), start, strict=True)
    ]
    read, test_read = (s4_model(normalised(images, x), parameters).argmax(axis=0) for images in (x, test_x))
    assert f"Accuracy on training set: {100 * (read == y).mean():.2f}%\n" in said
    assert f"Accuracy on test set: {100 * (test_read == test_y).mean():.2f}%\n" in said
    wrong = np.flatnonzero(test_read != test_y)
    assert [(result, real) for _, result, real in mistakes] == list(zip(test_read[wrong], test_y[wrong], strict=True))
    np.testing.assert_array_equal([image for image, _, _ in mistakes], test_x[wrong])
    assert len(wrong) > 5, "there is something to see"
    assert re.findall(r"iteration (\d+): (\d\.\d{6})$", said, re.MULTILINE) == [
        (str(i), f"{costs[i - 1]:.6f}") for i in range(10, 201, 10)
    ]


FULL = """
import sys
from examples import s4_two_layers as lesson

start = lesson.initial

def moved(*arguments):
    parameters = start(*arguments)
    if len(parameters[0]) == 50:  # not XOR
        parameters[0].data[0, 300] += float(sys.argv[1])
    return parameters

lesson.initial = moved
lesson.main("en")
"""


def test_full_mnist_is_within_half_a_point_of_the_course() -> None:
    """The acceptance: 20 000 iterations, and the course's 94.72 % and 91.31 %.

    The training is chaotic (above): of 22 that differ by a rounding, 94.4 to 94.8 % and 90.8 to 91.6 % came out, and one was
    more than half a point away. So one of two trainings has to be within half a point, and both within one. They
    run on one BLAS thread: with more, on a busy machine, BLAS waits for itself most of the time.
    """
    mnist()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "1"}
    away = []
    for shift in ("0", "1e-6"):
        command = [sys.executable, "-W", "error", "-c", FULL, shift]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=500
        )
        assert done.returncode == 0, done.stderr
        train, test = map(float, re.findall(r"Accuracy on .* set: (.*)%", done.stdout))
        away.append(max(abs(train - 94.72), abs(test - 91.31)))
        assert f"Mistakes in the test: {round((100 - test) * 100)}, shown: 25" in done.stdout
        assert len(re.findall(r"read \d, is \d", done.stdout)) == 25
        if away[-1] <= 0.5:
            break
    assert min(away) <= 0.5 and max(away) <= 1


# -- what it prints ------------------------------------------------------------------------------------------------------


def test_english_and_french(no_mnist: None) -> None:
    said = {lang: command_line(EXAMPLE, lang) for lang in ("en", "fr")}
    same_in_both_languages(lesson, *(re.sub('python -c ".*"', "", said[lang]) for lang in ("en", "fr")))
    assert "8×8" in said["fr"], "it says that MNIST is not there"
    for cost in COST_LOG:
        assert f": {cost}\n" in said["en"] and f" : {cost.replace('.', ',')}\n" in said["fr"]
    assert float(re.findall(r"Accuracy on test set: (.*)%", said["en"])[0]) > 95


def test_mnist_is_read_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (expected, _), _ = mnist()
    (images, _), (test_images, _) = lesson.load(None, "fr")
    np.testing.assert_array_equal(images[:100], expected[:100])
    assert test_images.shape == (10_000, 784) and not capsys.readouterr().out
    (images, _), _ = lesson.load(str(tmp_path), "fr")
    assert images.shape == (1437, 64) and "8×8" in capsys.readouterr().out


def test_help_on_a_terminal_without_greek(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    for example in (EXAMPLE, "s3_mnist_one_by_one.py"):
        command = [sys.executable, f"examples/{example}", "--help"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "--picture FILE" in done.stdout


# -- the grid of mistakes --------------------------------------------------------------------------------------------------


def stub(side: int, count: int) -> list[Any]:
    """Mistakes: each image a diagonal, read as 3 and 7 in truth."""
    return [(np.eye(side).ravel(), 3, 7)] * count


@pytest.mark.parametrize("side", [8, 28])
def test_an_image_as_text(side: int) -> None:
    lines = lesson.as_text(np.eye(side).ravel())
    assert len(lines) == 8 and {len(line) for line in lines} == {16}
    ink = "██" if side == 8 else "▀▄"
    assert lines == [" " * 2 * i + ink + " " * (14 - 2 * i) for i in range(8)]


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("lang, caption", [("en", "read 3, is 7"), ("fr", "lu 3, c'est 7")])
def test_the_grid_as_text(side: int, lang: str, caption: str, capsys: pytest.CaptureFixture[str]) -> None:
    lesson.print_grid(stub(side, 25), lang)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 * (1 + 8 + 1)
    assert max(map(len, lines)) <= 80, "it fits a terminal"
    assert [line.count(caption) for line in lines if caption in line] == [5] * 5
    lesson.print_grid(stub(side, 7), lang)
    assert capsys.readouterr().out.count(caption) == 7, "fewer than 25 are a smaller grid"
    lesson.print_grid([], lang)
    assert not capsys.readouterr().out


def test_the_picture(no_mnist: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(lesson, tmp_path, quick=True)
    said = capsys.readouterr().out
    assert f"Image : {tmp_path / 'fr.png'}\n" in said and f"Picture: {tmp_path / 'en.png'}\n" in said
    assert "█" not in said, "as a picture, or as text"


def test_what_the_picture_shows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib.figure")
    saved: list[Any] = []
    monkeypatch.setattr(matplotlib.Figure, "savefig", lambda figure, file: saved.append(figure))
    images = np.random.RandomState(0).rand(7, 784)
    mistakes = [(image, i, i + 1) for i, image in enumerate(images)]
    assert lesson.draw([1 / i for i in range(1, 201)], [0.5] * 1000, mistakes, "s4.png", "fr")
    xor, digits, *tiles = saved[0].axes
    assert len(tiles) == 10, "two rows of five for seven mistakes"
    assert [axes.get_ylabel() for axes in (xor, digits)] == ["coût, XOR", "coût, chiffres"]
    x, y = xor.lines[0].get_data()
    assert x.tolist() == list(range(2, 201, 2)) and y.tolist() == [1 / i for i in x]
    assert [tile.get_title() for tile in tiles] == [f"lu {i}, c'est {i + 1}" for i in range(7)] + [""] * 3
    for tile, image in zip(tiles, images, strict=False):
        np.testing.assert_array_equal(tile.images[0].get_array(), image.reshape(28, 28))
    for count, rows in ((0, 1), (25, 5)):
        lesson.draw([2.0] * 100, [0.5] * 100, stub(8, count), "s4.png", "en")
        assert len(saved[-1].axes) == 2 + 5 * rows


def test_without_matplotlib_the_grid_is_text(
    no_mnist: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    lesson.main("fr", quick=True, picture="s4.png")
    said = capsys.readouterr().out
    assert said.count("Pas d'image : matplotlib n'est pas installé. Pour l'avoir : python -m pip install matplotlib\n") == 1
    assert "██" in said and "c'est" in said and "Image :" not in said
