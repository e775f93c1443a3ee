"""S3's program: its training is the hand-written one, image after image; it reads the images one asks for, and concludes."""

from __future__ import annotations

import functools
import io
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handwritten_s3_s4 import Array, flat, s3_listing, s3_start, s3_training, sigmoid
from lessons import ROOT, command_line, numbers, numpy_only, pictures, same_in_both_languages, started_here
from lessons import backend as backend

import tinygrad_fr as tg
from examples import s3_mnist_one_by_one as lesson
from tinygrad_fr import datasets

F = tg.nn.functional
EXAMPLE = "s3_mnist_one_by_one.py"


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests open none, also where there is a screen."""
    monkeypatch.setenv("MPLBACKEND", "agg")


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


def some_images(which: str, count: int) -> tuple[Array, Array]:
    """The first images of a data set in float64, and their labels."""
    (images, labels), _ = mnist() if which == "mnist" else datasets.digits()
    return images[:count].astype(np.float64), labels[:count]


def leaves(start: Sequence[Array]) -> list[tg.Tensor]:
    """The hand-written network's parameters as the program holds them: its biases are rows."""
    return [tg.tensor(p if p.shape[1] > 1 else p[:, 0], requires_grad=True) for p in start]


def values(parameters: Sequence[tg.Tensor]) -> Array:
    return flat([p.detach().numpy() for p in parameters])


def program(images: Array, labels: Array, start: Sequence[Array], learn_rate: float) -> Iterator[tuple[bool, Array]]:
    """The program's training: SGD remembers nothing, so an epoch for each image is the same as an epoch over all of them."""
    parameters = leaves(start)
    for img, label in zip(tg.tensor(images).unsqueeze(1), labels.tolist(), strict=True):
        (share,) = lesson.train(parameters, img, [label], epochs=1, learn_rate=learn_rate)
        yield share == 1, values(parameters)


def listing_order(images: Array, labels: Array, start: Sequence[Array], learn_rate: float) -> Iterator[tuple[bool, Array]]:
    """The listing's order in the framework: two calls of autograd.grad, and between them the output layer is updated."""
    w_i_h, b_i_h, w_h_o, b_h_o = parameters = leaves(start)
    for img, label in zip(tg.tensor(images).unsqueeze(1), labels.tolist(), strict=True):
        h = tg.sigmoid(F.linear(img, w_i_h, b_i_h))
        o_pre = F.linear(h, w_h_o, b_h_o)
        loss = F.binary_cross_entropy_with_logits(o_pre, tg.eye(10, dtype=tg.float64)[[label]], reduction="sum")
        dw_h_o, db_h_o, delta_o = tg.autograd.grad(loss, [w_h_o, b_h_o, o_pre], retain_graph=True)
        with tg.no_grad():
            w_h_o -= learn_rate * dw_h_o
            b_h_o -= learn_rate * db_h_o
        dw_i_h, db_i_h = tg.autograd.grad(F.linear(h, w_h_o), [w_i_h, b_i_h], grad_outputs=delta_o)
        with tg.no_grad():
            w_i_h -= learn_rate * dw_i_h
            b_i_h -= learn_rate * db_i_h
        yield int(o_pre.argmax()) == label, values(parameters)


def by_hand(
    images: Array, labels: Array, start: Sequence[Array], learn_rate: float, listing: bool
) -> Iterator[tuple[bool, Array]]:
    return s3_training(images, np.eye(10)[labels], start, learn_rate, listing=listing)


def gaps(one: Iterator[tuple[bool, Array]], other: Iterator[tuple[bool, Array]]) -> tuple[Array, list[bool]]:
    """The largest difference between two trainings after each image, and whether their answers agreed."""
    pairs = [(np.abs(a - b).max(), said == heard) for (said, a), (heard, b) in zip(one, other, strict=True)]
    return np.array([gap for gap, _ in pairs]), [agree for _, agree in pairs]


# -- the training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "which, count, learn_rate", [("digits", 1437, 0.01), ("digits", 1437, 0.5), ("mnist", 2000, 0.01)]
)
def test_every_step_is_that_of_the_hand_written_network(which: str, count: int, learn_rate: float) -> None:
    """All gradients first, then all updates: 1e-10 in float64, after each image, and the same answers on the way."""
    images, labels = some_images(which, count)
    start = s3_start(images.shape[1], 20, 10, seed=1)
    worst, agree = gaps(
        program(images, labels, start, learn_rate), by_hand(images, labels, start, learn_rate, listing=False)
    )
    assert len(worst) == count
    assert worst.max() < 1e-10
    assert all(agree)


@pytest.mark.parametrize("which, count", [("digits", 1437), ("mnist", 1000)])
def test_the_listing_s_order_can_be_had_with_two_calls_of_grad(which: str, count: int) -> None:
    """Line 27, then line 30 with the weights that line 27 has updated: also 1e-10."""
    images, labels = some_images(which, count)
    start = s3_start(images.shape[1], 20, 10, seed=2)
    worst, agree = gaps(listing_order(images, labels, start, 0.01), by_hand(images, labels, start, 0.01, listing=True))
    assert worst.max() < 1e-10
    assert all(agree)


def test_the_two_hand_written_forms_of_the_listing_agree() -> None:
    images, labels = some_images("digits", 200)
    start = s3_start(64, 20, 10, seed=4)
    parameters = [p.copy() for p in start]
    shares = s3_listing(images, np.eye(10)[labels], parameters, 0.01, epochs=2)
    steps = list(by_hand(np.tile(images, (2, 1)), np.tile(labels, 2), start, 0.01, listing=True))
    assert shares == np.array([correct for correct, _ in steps]).reshape(2, -1).mean(axis=1).tolist()
    np.testing.assert_array_equal(flat(parameters), steps[-1][1])


def test_the_program_and_the_listing_are_close_and_not_equal() -> None:
    images, labels = some_images("digits", 1437)
    start = s3_start(64, 20, 10, seed=1)
    gap, _ = gaps(program(images, labels, start, 0.01), by_hand(images, labels, start, 0.01, listing=True))
    assert 1e-5 < gap[0] < 1e-3, "the first step differs already"
    assert gap[-1] > 10 * gap[0], "and the difference grows"
    assert gap.max() < 0.05


def test_what_one_step_of_the_listing_differs_by() -> None:
    """delta_h of the listing is smaller by η ‖delta_o‖² h ⊙ h(1 − h), hence w_i_h larger by η² ‖delta_o‖² h² (1 − h) imgᵗ."""
    images, labels = some_images("digits", 50)
    eta = 0.3
    for i, (img, label) in enumerate(zip(images, labels, strict=True)):
        start = s3_start(64, 20, 10, seed=i)
        w_i_h, _, w_h_o, _ = start
        h = sigmoid(w_i_h @ img)
        delta_o = sigmoid(w_h_o @ h) - np.eye(10)[label]
        ((_, ours),) = program(img[None], label[None], start, eta)
        ((_, listing),) = listing_order(img[None], label[None], start, eta)
        expected = eta**2 * (delta_o @ delta_o) * np.outer(h**2 * (1 - h), [*img, 1])  # the last column is b_i_h
        expected = np.concatenate([expected[:, :-1].ravel(), expected[:, -1], np.zeros(10 * 20 + 10)])
        np.testing.assert_allclose(listing - ours, expected, rtol=0, atol=1e-12)
        assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("learn_rate", [0.0101, -0.01])
def test_a_wrong_learning_rate_or_sign_would_be_noticed(learn_rate: float) -> None:
    images, labels = some_images("digits", 20)
    start = s3_start(64, 20, 10, seed=1)
    pairs = zip(program(images, labels, start, 0.01), by_hand(images, labels, start, learn_rate, False), strict=True)
    assert max(np.abs(a - b).max() for (_, a), (_, b) in pairs) > 1e-5


def test_three_epochs_in_one_go_give_the_hand_written_accuracies() -> None:
    images, labels = some_images("digits", 1437)
    start = s3_start(64, 20, 10, seed=3)
    parameters = leaves(start)
    shares = list(lesson.train(parameters, tg.tensor(images), labels.tolist(), epochs=3, learn_rate=0.01))
    steps = list(by_hand(np.tile(images, (3, 1)), np.tile(labels, 3), start, 0.01, listing=False))
    right = np.array([correct for correct, _ in steps]).reshape(3, -1)
    assert shares == right.mean(axis=1).tolist()
    assert shares[0] < shares[1] < shares[2]
    np.testing.assert_allclose(values(parameters), steps[-1][1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("which, count, epochs", [("digits", 1437, 3), ("mnist", 2000, 1)])
def test_compiled_it_is_the_training_of_the_hand_written_network(which: str, count: int, epochs: int, backend: str) -> None:
    """Each epoch is one call of `loop`, and counts the images that were read right."""
    images, labels = some_images(which, count)
    start = s3_start(images.shape[1], 20, 10, seed=3)
    parameters = leaves(start)
    shares = list(lesson.train(parameters, tg.tensor(images), labels.tolist(), epochs, 0.01, backend))
    steps = list(by_hand(np.tile(images, (epochs, 1)), np.tile(labels, epochs), start, 0.01, listing=False))
    assert shares == np.array([correct for correct, _ in steps]).reshape(epochs, -1).mean(axis=1).tolist()
    np.testing.assert_allclose(values(parameters), steps[-1][1], rtol=0, atol=1e-10)


def test_compiled_it_prints_the_same(no_mnist: None, backend: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for choice in (None, backend):
        lesson.pyplot.cache_clear()  # where matplotlib is missing, each of the two says so
        lesson.main("fr", quick=True, image=5, backend=choice)
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@numpy_only
@pytest.mark.parametrize("options", [["--image", "5"], ["--sweep", "--epochs", "1"]])
def test_compiled_from_the_command_line(
    options: list[str], no_mnist: None, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_here(EXAMPLE, monkeypatch, *options, "--compile")


@numpy_only
def test_the_compiled_sweep_finds_the_same(no_mnist: None, backend: str) -> None:
    (images, labels), test_set = lesson.load(None, "en")
    train_set = images[:100], labels[:100].tolist()
    assert lesson.vary(train_set, test_set, 1, backend) == lesson.vary(train_set, test_set, 1)


def test_weights_start_uniform_and_biases_at_zero() -> None:
    w_i_h, b_i_h, w_h_o, b_h_o = (p.detach().numpy() for p in lesson.network(784, 20))
    assert (w_i_h.shape, b_i_h.shape, w_h_o.shape, b_h_o.shape) == ((20, 784), (20,), (10, 20), (10,))
    for w in (w_i_h, w_h_o):
        assert w.min() >= -0.5 and w.max() < 0.5
    assert abs(w_i_h.mean()) < 0.01 and abs(w_i_h.std() - 1 / np.sqrt(12)) < 0.01
    assert not b_i_h.any() and not b_h_o.any()


def test_three_epochs_over_mnist_are_above_91_percent() -> None:
    """The acceptance: what the course prints after its third epoch, and on the test set."""
    (images, labels), (test_images, test_labels) = mnist()
    parameters = lesson.network(784, 20)
    shares = list(lesson.train(parameters, tg.from_numpy(images), labels.tolist()))
    assert len(shares) == 3
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.91
    assert (lesson.recognise(parameters, tg.from_numpy(test_images)) == test_labels).mean() > 0.91


# -- what it prints ------------------------------------------------------------------------------------------------------


def same(english: str, french: str) -> None:
    """`same_in_both_languages`, but for the command to download MNIST, and "Epoch :", which is what the course prints."""
    same_in_both_languages(lesson, *(re.sub('python -c ".*"|Epoch :', "", said) for said in (english, french)))


def test_english_and_french(no_mnist: None) -> None:
    said = {lang: command_line(EXAMPLE, lang) for lang in ("en", "fr")}
    same(said["en"], said["fr"])
    assert "8×8" in said["fr"], "it says that MNIST is not there"
    assert re.findall(r"^Epoch : (\d), Précision : \d+,\d\d %$", said["fr"], re.MULTILINE) == ["0", "1", "2"]
    assert re.findall(r"^Epoch: (\d), Accuracy: \d+\.\d\d%$", said["en"], re.MULTILINE) == ["0", "1", "2"]
    assert said["fr"].endswith("Au revoir.\n") and said["en"].endswith("Goodbye.\n"), "nobody is at the keyboard"


def test_it_prints_what_it_prints_on_pytorch(no_mnist: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Two imports are changed, and nothing else; without PyTorch, what it printed (2.13) is recorded here."""
    lesson.main("en", epochs=1, image=5)
    said = capsys.readouterr().out
    assert [accuracy for accuracy in numbers(said) if "." in accuracy] == ["0.01", "22.76", "40.00"]
    pytest.importorskip("torch")
    source = Path(str(lesson.__file__)).read_text(encoding="utf-8")
    for ours, theirs in (
        ("import tinygrad_fr as torch\n", "import torch\n"),
        ("import tinygrad_fr.nn.functional as F\n", "import torch.nn.functional as F\n"),
    ):
        assert source.count(ours) == 1
        source = source.replace(ours, theirs)
    twin: dict[str, Any] = {"__name__": "on_pytorch"}
    exec(compile(source, "on_pytorch.py", "exec"), twin)
    twin["main"]("en", epochs=1, image=5)
    assert capsys.readouterr().out == said


def test_printed_accuracies_are_those_of_the_training(no_mnist: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The share of images read right during each epoch, by hand from the same weights; float32 may turn an image or two."""
    lesson.main("en", epochs=3, hidden=15, learn_rate=0.02, image=0)
    printed = re.findall(r"Accuracy: (.*)%", capsys.readouterr().out)
    (images, labels), _ = datasets.digits()
    w_i_h, b_i_h, w_h_o, b_h_o = (p.detach().numpy().astype(np.float64) for p in lesson.network(64, 15))
    start = [w_i_h, b_i_h[:, None], w_h_o, b_h_o[:, None]]
    steps = list(by_hand(np.tile(images, (3, 1)), np.tile(labels, 3), start, 0.02, listing=False))
    right = np.array([correct for correct, _ in steps]).reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose([float(share) for share in printed], 100 * right, rtol=0, atol=0.2)


def test_mnist_is_read_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the folder of the environment, unless --data names another."""
    (expected, labels), _ = mnist()
    (images, found), (test_images, _) = lesson.load(None, "fr")
    assert tuple(images.shape) == (60_000, 784) and tuple(test_images.shape) == (10_000, 784)
    np.testing.assert_array_equal(images.numpy(), expected)
    np.testing.assert_array_equal(found, labels)
    assert not capsys.readouterr().out
    (images, _), _ = lesson.load(str(tmp_path), "fr")
    assert tuple(images.shape) == (1437, 64) and "8×8" in capsys.readouterr().out


# -- reading the images that one asks for --------------------------------------------------------------------------------


def talk(typed: str, lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the program says to somebody who types that."""
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr(lesson, "show", lambda draw, file, lang: False)
    lesson.main(lang, quick=True, epochs=1)
    return capsys.readouterr().out


def test_the_loop_answers_asks_again_and_ends(
    no_mnist: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = talk("5\n1437\n-1\ntrois\n2.5\n 1436 \n\n1\n", "fr", monkeypatch, capsys)
    _, labels = some_images("digits", 1437)
    assert said.count("Entrer un nombre entre 0 et 1436 (rien pour finir) : ") == 7
    for index in (5, 1436):
        answer = rf"^image {index}, étiquette {labels[index]} : le réseau de neurones a reconnu le chiffre \d$"
        assert len(re.findall(answer, said, re.MULTILINE)) == 1
    for refused in ("1437", "-1", "trois", "2.5"):
        assert f"Il faut un nombre entier entre 0 et 1436, et non {refused}.\n" in said
    assert said.endswith("Au revoir.\n") and "image 1," not in said, "the empty line ends the program"


@pytest.mark.parametrize("typed", ["", "7"])
def test_the_end_of_the_input_ends_the_program(
    typed: str, no_mnist: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = talk(typed, "en", monkeypatch, capsys)
    assert said.endswith("Goodbye.\n")
    assert ("image 7, label" in said) == (typed == "7")


@pytest.mark.parametrize("error", [EOFError, KeyboardInterrupt, RuntimeError("input(): lost sys.stdin")])
def test_so_does_an_interruption(error: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Control-C, and a program that was started without a standard input."""

    def interrupted(prompt: str) -> str:
        raise error

    monkeypatch.setattr("builtins.input", interrupted)
    assert list(lesson.asked(10, "fr")) == []
    assert capsys.readouterr().out == "\nAu revoir.\n"


def test_one_image_without_being_asked(no_mnist: None, capsys: pytest.CaptureFixture[str]) -> None:
    lesson.main("en", quick=True, image=5)
    assert "Enter a number" not in (said := capsys.readouterr().out)
    assert "image 5, label 7: the neural network has recognised the digit" in said
    for outside in (-1, 1437):
        with pytest.raises(SystemExit, match=f"Il faut un nombre entier entre 0 et 1436, et non {outside}"):
            lesson.main("fr", quick=True, image=outside)


def test_the_answer_is_the_neuron_with_the_largest_value(capsys: pytest.CaptureFixture[str]) -> None:
    """Weights by hand: neuron 3 alone answers to ink in the first pixel."""
    parameters = [tg.zeros(2, 64), tg.zeros(2), tg.zeros(10, 2), tg.zeros(10)]
    parameters[0][0, 0] = 10.0
    parameters[2][3, 0] = 1.0
    img = tg.zeros(64)
    img[0] = 1.0
    lesson.look(parameters, img, "image 0, label 3", None, "en")
    said = capsys.readouterr().out
    assert said.endswith("image 0, label 3: the neural network has recognised the digit 3\n")
    assert "██\n" in said, "the ink of the first pixel"
    assert lesson.recognise(parameters, img.unsqueeze(0)).tolist() == [3]


@pytest.mark.parametrize("options", [["--epochs", "0"], ["--hidden", "-3"], ["--learn-rate", "nan"], ["--epochs", "x"]])
def test_impossible_choices_are_refused(options: list[str]) -> None:
    command = [sys.executable, f"examples/{EXAMPLE}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and options[0] in done.stderr


# -- what can be deduced? ------------------------------------------------------------------------------------------------


def test_the_sweep_varies_one_choice_at_a_time(no_mnist: None) -> None:
    """Each accuracy is that of a training of its own, here done by hand from the same weights."""
    (images, labels), test_set = lesson.load(None, "en")
    images, labels = images[:300], labels[:300].tolist()
    found = lesson.vary((images, labels), test_set, epochs=2)
    assert list(found["epochs"]) == [1, 2, 4, 6]
    assert found["epochs"][2] == found["hidden"][20] == found["rate"][0.01]

    def accuracy(epochs: int, hidden: int, learn_rate: float) -> float:
        w_i_h, b_i_h, w_h_o, b_h_o = (p.detach().numpy().astype(np.float64) for p in lesson.network(64, hidden))
        start = [w_i_h, b_i_h[:, None], w_h_o, b_h_o[:, None]]
        *_, (_, last) = by_hand(np.tile(images.numpy(), (epochs, 1)), np.tile(labels, epochs), start, learn_rate, False)
        w_i_h, b_i_h, w_h_o, b_h_o = np.split(last, np.cumsum([p.size for p in start])[:-1])
        h = sigmoid(w_i_h.reshape(hidden, 64) @ test_set[0].numpy().T + b_i_h[:, None])
        return float(((w_h_o.reshape(10, hidden) @ h + b_h_o[:, None]).argmax(axis=0) == test_set[1]).mean())

    for name, value, choice in (
        ("epochs", 6, (6, 20, 0.01)),
        ("hidden", 50, (2, 50, 0.01)),
        ("rate", 0.1, (2, 20, 0.1)),
        ("rate", 0.001, (2, 20, 0.001)),
    ):
        assert found[name][value] == pytest.approx(accuracy(*choice), abs=0.006), f"{name} = {value}"


RESULTS = {
    "epochs": {1: 0.5, 3: 0.8, 9: 0.9},
    "hidden": {2: 0.3, 20: 0.8, 100: 0.85},
    "rate": {0.0001: 0.1, 0.01: 0.8, 1: 0.4},
}


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_conclusion_follows_from_the_results(lang: str) -> None:
    words = lesson.WORDS[lang]

    def concluded(**changed: dict[float, float]) -> tuple[str, str]:
        question, first, second = lesson.deduce({**RESULTS, **changed}, lang).split("\n")
        assert question == words["question"]
        return first, second

    def begins(text: str, key: str) -> bool:
        return text.startswith(words[key].split("{")[0])

    first, second = concluded()
    assert begins(first, "less and less") and begins(second, "middle")
    assert numbers(first) == "1 50.00 3 80.00 9 90.00 2 30.00 20 80.00 100 85.00".split()
    assert numbers(second) == "0.0001 10.00 0.01 80.00 1 40.00".split()

    for changed in ({1: 0.5, 3: 0.6, 9: 0.9}, {1: 0.5, 3: 0.8, 9: 0.7}, {1: 0.5, 3: 0.4, 9: 0.3}):
        assert begins(concluded(epochs=changed)[0], "mixed")
    assert begins(concluded(hidden={2: 0.9, 20: 0.8, 100: 0.85})[0], "mixed")
    first, second = concluded(rate={0.0001: 0.1, 0.01: 0.8, 1: 0.9})
    assert begins(first, "less and less") and begins(second, "edge")
    assert numbers(second) == "1 0.0001 10.00 1 90.00".split()
    assert begins(concluded(epochs={1: 0.5, 2: 0.7, 3: 0.8})[0], "less and less"), "one epoch is the middle too"


def test_the_sweep_in_two_languages(
    no_mnist: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lesson, "show", lambda draw, file, lang: False)
    said = {}
    for lang in ("en", "fr"):
        lesson.main(lang, quick=True, sweep=True, epochs=2)
        said[lang] = capsys.readouterr().out
    same(said["en"], said["fr"])
    assert "Que peut-on en déduire ?" in said["fr"]
    assert len(numbers(said["fr"])) > 40


# -- pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"image": 3}, {"sweep": True, "epochs": 2}])
def test_pictures(options: dict[str, Any], no_mnist: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures(lesson, tmp_path, quick=True, **options)
    said = capsys.readouterr().out
    assert f"Image : {tmp_path / 'fr.png'}\n" in said and f"Picture: {tmp_path / 'en.png'}\n" in said
    assert "█" not in said, "as a picture, or as text"


def test_the_picture_shows_the_image_and_the_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib.figure")
    parameters, image = lesson.network(64, 20), tg.from_numpy(datasets.load_digits()[0][0])
    figures: list[Any] = []

    def show(draw: Any, file: str | None, lang: str) -> bool:
        figures.append(matplotlib.Figure())
        draw(figures[-1])
        return True

    monkeypatch.setattr(lesson, "show", show)
    lesson.look(parameters, image, "image 0, étiquette 0", None, "fr")
    left, right = figures[0].axes
    np.testing.assert_array_equal(left.images[0].get_array(), image.numpy().reshape(8, 8))
    with tg.no_grad():
        outputs = tg.sigmoid(lesson.forward(parameters, image)).tolist()
    assert [bar.get_width() for bar in right.patches] == outputs
    assert figures[0].get_suptitle() == f"le réseau de neurones a reconnu le chiffre {int(np.argmax(outputs))}"
    assert left.get_xlabel() == "image 0, étiquette 0" and right.get_xlabel() == "valeur de la sortie"


def test_without_matplotlib_the_image_is_text_and_that_is_said_once(
    no_mnist: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson.pyplot.cache_clear()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    typed = iter(["3", "4", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    lesson.main("fr", quick=True, picture="s3.png")
    said = capsys.readouterr().out
    lesson.pyplot.cache_clear()
    assert said.count("python -m pip install matplotlib") == 1
    assert said.count("le réseau de neurones a reconnu le chiffre") == 2
    assert "██" in said and "Image :" not in said


def test_with_a_screen_a_window_is_opened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    titles: list[str] = []
    monkeypatch.setattr(plt, "get_backend", lambda: "qtagg")
    monkeypatch.setattr(plt, "show", lambda: titles.append(plt.gcf().get_suptitle()))
    lesson.look(lesson.network(64, 20), tg.from_numpy(datasets.load_digits()[0][0]), "image 0, label 0", None, "en")
    assert len(titles) == 1 and titles[0].startswith("the neural network has recognised the digit")
    assert not plt.get_fignums(), "the figure is closed"
    assert "█" not in capsys.readouterr().out


@pytest.mark.parametrize("side", [8, 28])
def test_an_image_as_text(side: int) -> None:
    """A diagonal: one step to the right for each step down."""
    lines = lesson.as_text(np.eye(side))
    assert len(lines) == (8 if side == 8 else 14)
    inked = list(itertools.chain.from_iterable(re.findall(r"\S+", line) for line in lines))
    assert inked == (["██"] * 8 if side == 8 else ["▀▄"] * 14)
    assert [len(line) for line in lines] == [2 * (i + 1) for i in range(len(lines))]
