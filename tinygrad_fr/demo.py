"""The demonstration: a network learns to read handwritten digits. `train` is the lesson, and fits on one screen.

Run it with `python -m tinygrad_fr demo`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.datasets import digits
from tinygrad_fr.progress import progress
from tinygrad_fr.utils.data import DataLoader, TensorDataset

EPOCHS = 20
FOLDER = "tinygrad_fr_demo"


class Epoch(NamedTuple):
    """What one pass over the training set has brought: the mean loss, the accuracy on the test set, and the guesses there."""

    number: int
    loss: float
    accuracy: float
    guesses: NDArray[Any]
    model: nn.Module | None = None


def train(epochs: int = EPOCHS, seed: int = 0, lr: float = 0.1, batch: int = 32) -> Iterator[Epoch]:
    """Train Linear-tanh-Linear on the 8 × 8 digits by gradient descent on mini-batches; yield what each epoch brought."""
    (images, labels), (test_images, test_labels) = digits()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    cost = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    data = TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))

    for epoch in range(1, epochs + 1):
        total = 0.0
        for x, y in DataLoader(data, batch_size=batch, shuffle=True):
            optimizer.zero_grad()
            loss = cost(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)

        with torch.no_grad():
            guesses = model(torch.from_numpy(test_images)).argmax(dim=1).numpy()
        yield Epoch(epoch, total / len(data), float((guesses == test_labels).mean()), guesses, model)


WORDS = {
    "en": {
        "title": "A network of 64 inputs, 32 tanh units and 10 outputs learns to read handwritten digits.",
        "sizes": "{train} digits to learn from, {test} others to be tested on, {parameters} parameters.",
        "training": "Training",
        "header": "epoch    loss  accuracy",
        "guess": "read {guess}",
        "wrong": "read {guess}, is {label}",
        "final": "Final accuracy on digits never seen before: {accuracy}",
        "folder": "In the folder {folder}:",
        "model": "the trained network: torch.load(...), then load_state_dict",
        "graph": "the graph of its loss, with shapes: open it in a browser",
        "curve": "the loss, epoch by epoch",
        "mistakes": "digits that were misread",
        "diverged": "training diverged: the loss became {loss} in epoch {number}",
        "poor": "training failed: only {accuracy} of the test digits are read right, at least {wanted} were expected",
    },
    "fr": {
        "title": "Un réseau de 64 entrées, 32 neurones tanh et 10 sorties apprend à lire des chiffres manuscrits.",
        "sizes": "{train} chiffres pour apprendre, {test} autres pour le test, {parameters} paramètres.",
        "training": "Apprentissage",
        "header": "époque   perte  précision",
        "guess": "lu {guess}",
        "wrong": "lu {guess}, c'est {label}",
        "final": "Précision finale sur des chiffres jamais vus : {accuracy}",
        "folder": "Dans le dossier {folder} :",
        "model": "le réseau entraîné : torch.load(...), puis load_state_dict",
        "graph": "le graphe de sa perte, avec les formes : à ouvrir dans un navigateur",
        "curve": "la perte, époque par époque",
        "mistakes": "des chiffres mal lus",
        "diverged": "l'entraînement a divergé : la perte est devenue {loss} à l'époque {number}",
        "poor": "l'entraînement a échoué : {accuracy} seulement des chiffres du test sont bien lus, pour {wanted} attendus",
    },
}

WANTED = 0.9  # a full training that ends below is a failure


def run(epochs: int = EPOCHS, seed: int = 0, lang: str = "en", folder: str | Path | None = None) -> float:
    """Train, print the story in English or French, and return the final accuracy on the test set.

    Args:
        epochs, seed, lang: how long, from which random numbers, in which language.
        folder: where the trained network and the pictures go; nothing is written without it.

    Raises:
        ValueError: for less than one epoch.
        RuntimeError: when the training diverges, or ends below 90 % after the usual number of epochs.
        OSError: when the folder cannot be written.
    """
    if epochs < 1:
        raise ValueError(f"at least one epoch is needed, got {epochs}")
    words = WORDS[lang]
    (images, _), (test_images, test_labels) = digits()
    print(words["title"])
    parameters = 64 * 32 + 32 + 32 * 10 + 10
    print(words["sizes"].format(train=len(images), test=len(test_images), parameters=parameters), flush=True)
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)  # before the work, lest it be for nothing
    story = []
    for epoch in progress(train(epochs, seed), description=words["training"], total=epochs):
        if not math.isfinite(epoch.loss):
            raise RuntimeError(words["diverged"].format(loss=epoch.loss, number=epoch.number))
        story.append(epoch)
    print(f"\n{words['header']}")
    for epoch in story:
        print(f"{epoch.number:5d}  {_number(f'{epoch.loss:.4f}', lang)}  {_percent(epoch.accuracy, lang):>8}")
    right = np.flatnonzero(epoch.guesses == test_labels)[:3]
    wrong = np.flatnonzero(epoch.guesses != test_labels)
    shown = [*right, *wrong[:1]]
    captions = [
        words["guess" if epoch.guesses[i] == test_labels[i] else "wrong"].format(guess=epoch.guesses[i], label=test_labels[i])
        for i in shown
    ]
    print(f"\n{draw([test_images[i] for i in shown], captions)}\n")
    print(words["final"].format(accuracy=_percent(epoch.accuracy, lang)))
    if folder is not None:
        keep(Path(folder), story, lang)
    if epochs >= EPOCHS and epoch.accuracy < WANTED:
        raise RuntimeError(words["poor"].format(accuracy=_percent(epoch.accuracy, lang), wanted=_percent(WANTED, lang)))
    return epoch.accuracy


def keep(folder: Path, story: list[Epoch], lang: str) -> None:
    """Leave in a folder the trained network, the graph of its loss and, where matplotlib is installed, two pictures."""
    words, model = WORDS[lang], story[-1].model
    assert model is not None
    print("\n" + words["folder"].format(folder=folder))
    torch.save(model.state_dict(), folder / "model.safetensors")
    print(f"  model.safetensors  {words['model']}")
    pictures = {"graph.svg": (_graph, "graph"), "loss.png": (_curve, "curve"), "mistakes.png": (_mistakes, "mistakes")}
    for name, (make, what) in pictures.items():
        try:
            make(folder / name, story, lang)
        except (ImportError, RuntimeError) as error:
            print(f"  {name:<17}  {error}")
        else:
            print(f"  {name:<17}  {words[what]}")


def _graph(path: Path, story: list[Epoch], lang: str) -> None:
    """The graph of the loss of one mini-batch, in its modules."""
    from tinygrad_fr import visual

    model = story[-1].model
    assert model is not None
    (images, labels), _ = digits()
    x, y = torch.from_numpy(images[:32]), torch.from_numpy(labels[:32])
    with visual.watch() as watched:
        loss = nn.functional.cross_entropy(model(x), y)
    watched.snapshot(loss, model=model, names={"x": x, "y": y, "loss": loss}).graphviz(lang=lang).render(path)


def _curve(path: Path, story: list[Epoch], lang: str) -> None:
    from tinygrad_fr.visual import plots

    plots.loss_curve([epoch.loss for epoch in story], path=path, lang=lang)


def _mistakes(path: Path, story: list[Epoch], lang: str) -> None:
    from tinygrad_fr.visual import plots

    _, (images, labels) = digits()
    guesses = story[-1].guesses
    wrong = np.flatnonzero(guesses != labels)[:10]
    captions = [WORDS[lang]["wrong"].format(guess=guesses[i], label=labels[i]) for i in wrong]
    if len(wrong):
        plots.image_grid(images[wrong], captions, path=path)


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
