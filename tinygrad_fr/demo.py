"""The demonstration: a network written with raw tensors learns to read digits. `train` is the lesson, and fits on one screen.

Run it with `python -m tinygrad_fr demo`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import tinygrad_fr as torch
from tinygrad_fr.datasets import digits
from tinygrad_fr.tensor import Tensor

EPOCHS = 20


class Epoch(NamedTuple):
    """What one pass over the training set has brought: the mean loss, the accuracy on the test set, and the guesses there."""

    number: int
    loss: float
    accuracy: float
    guesses: NDArray[Any]


def train(epochs: int = EPOCHS, seed: int = 0, lr: float = 0.5, batch: int = 32) -> Iterator[Epoch]:
    """Train Linear-tanh-Linear on the 8 × 8 digits by gradient descent on mini-batches; yield what each epoch brought."""
    (images, labels), (test_images, test_labels) = digits()
    x, test_x = torch.from_numpy(images), torch.from_numpy(test_images)
    target = torch.eye(10)[labels]  # one-hot: the digit 3 is [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]

    random = np.random.RandomState(seed)
    w1 = torch.tensor(random.uniform(-1, 1, (64, 32)) / math.sqrt(64), dtype=torch.float32, requires_grad=True)
    b1 = torch.zeros(32, requires_grad=True)
    w2 = torch.tensor(random.uniform(-1, 1, (32, 10)) / math.sqrt(32), dtype=torch.float32, requires_grad=True)
    b2 = torch.zeros(10, requires_grad=True)

    def network(x: Tensor) -> Tensor:
        return torch.tanh(x @ w1 + b1) @ w2 + b2

    for epoch in range(1, epochs + 1):
        total = 0.0
        order = random.permutation(len(x))
        for start in range(0, len(x), batch):
            rows = order[start : start + batch]
            loss = ((network(x[rows]) - target[rows]) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                for p in (w1, b1, w2, b2):
                    p -= lr * p.grad
                    p.grad = None
            total += loss.item() * len(rows)

        with torch.no_grad():
            guesses = network(test_x).argmax(dim=1).numpy()
        yield Epoch(epoch, total / len(x), float((guesses == test_labels).mean()), guesses)


WORDS = {
    "en": {
        "title": "A network of 64 inputs, 32 tanh units and 10 outputs learns to read handwritten digits.",
        "sizes": "{train} digits to learn from, {test} others to be tested on, {parameters} parameters.",
        "header": "epoch    loss  accuracy",
        "guess": "read {guess}",
        "wrong": "read {guess}, is {label}",
        "final": "Final accuracy on digits never seen before: {accuracy}",
        "diverged": "training diverged: the loss became {loss} in epoch {number}",
        "poor": "training failed: only {accuracy} of the test digits are read right, at least {wanted} were expected",
    },
    "fr": {
        "title": "Un réseau de 64 entrées, 32 neurones tanh et 10 sorties apprend à lire des chiffres manuscrits.",
        "sizes": "{train} chiffres pour apprendre, {test} autres pour le test, {parameters} paramètres.",
        "header": "époque   perte  précision",
        "guess": "lu {guess}",
        "wrong": "lu {guess}, c'est {label}",
        "final": "Précision finale sur des chiffres jamais vus : {accuracy}",
        "diverged": "l'entraînement a divergé : la perte est devenue {loss} à l'époque {number}",
        "poor": "l'entraînement a échoué : {accuracy} seulement des chiffres du test sont bien lus, pour {wanted} attendus",
    },
}

WANTED = 0.9  # a full training that ends below is a failure


def run(epochs: int = EPOCHS, seed: int = 0, lang: str = "en") -> float:
    """Train, print the story in English or French, and return the final accuracy on the test set.

    Raises:
        ValueError: for less than one epoch.
        RuntimeError: when the training diverges, or ends below 90 % after the usual number of epochs.
    """
    if epochs < 1:
        raise ValueError(f"at least one epoch is needed, got {epochs}")
    words = WORDS[lang]
    (images, _), (test_images, test_labels) = digits()
    print(words["title"])
    parameters = 64 * 32 + 32 + 32 * 10 + 10
    print(words["sizes"].format(train=len(images), test=len(test_images), parameters=parameters))
    print(f"\n{words['header']}")
    for epoch in train(epochs, seed):
        if not math.isfinite(epoch.loss):
            raise RuntimeError(words["diverged"].format(loss=epoch.loss, number=epoch.number))
        print(f"{epoch.number:5d}  {_number(f'{epoch.loss:.4f}', lang)}  {_percent(epoch.accuracy, lang):>8}")
    right = np.flatnonzero(epoch.guesses == test_labels)[:3]
    wrong = np.flatnonzero(epoch.guesses != test_labels)[:1]
    shown = [*right, *wrong]
    captions = [
        words["guess" if epoch.guesses[i] == test_labels[i] else "wrong"].format(guess=epoch.guesses[i], label=test_labels[i])
        for i in shown
    ]
    print(f"\n{draw([test_images[i] for i in shown], captions)}\n")
    print(words["final"].format(accuracy=_percent(epoch.accuracy, lang)))
    if epochs >= EPOCHS and epoch.accuracy < WANTED:
        raise RuntimeError(words["poor"].format(accuracy=_percent(epoch.accuracy, lang), wanted=_percent(WANTED, lang)))
    return epoch.accuracy


def draw(images: list[NDArray[Any]], captions: list[str]) -> str:
    """Images of 64 pixels side by side, as text: two characters a pixel, the darker the more ink, a caption under each.

    >>> print(draw([np.eye(8).ravel()], ["a line"]).splitlines()[1])
      @@
    """
    shades = " .:-=+*#%@"
    pixels = [[2 * shades[round(9 * float(ink))] for ink in image] for image in images]
    lines = ["    ".join("".join(image[row : row + 8]) for image in pixels) for row in range(0, 64, 8)]
    lines.append("    ".join(caption.center(16) for caption in captions))
    return "\n".join(line.rstrip() for line in lines)


def _number(digits: str, lang: str) -> str:
    return digits.replace(".", ",") if lang == "fr" else digits


def _percent(share: float, lang: str) -> str:
    return _number(f"{100 * share:.1f} %", lang)
