"""Every plot of `tinygrad_fr.visual.plots`, made from two small networks: one for points of the plane, one for digits.

    python examples/plots.py [--lang en|fr] [--quick] [--out tinygrad_fr_plots] [--format png|svg|pdf]

matplotlib draws them; without it the program says what to install.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import digits
from tinygrad_fr.diagnosis import diagnose
from tinygrad_fr.visual import plots


def crescents() -> tuple[torch.Tensor, torch.Tensor]:
    """200 points on two crescents, and the crescent of each."""
    torch.manual_seed(0)
    angle, y = torch.pi * torch.rand(200), torch.arange(200) % 2
    sign = 1.0 - 2.0 * y
    x = torch.stack([y + sign * torch.cos(angle), 0.5 * y + sign * torch.sin(angle)], dim=1)
    return x + 0.15 * torch.randn(200, 2), y


def descend(net: nn.Module, x: torch.Tensor, y: torch.Tensor, lr: float, steps: int) -> list[float]:
    """Gradient descent with all examples at each step; the loss at each."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def draw(lang: str, steps: int) -> Iterator[tuple[str, Any]]:
    """The name of each plot, and a function that draws it into a file."""
    words = WORDS[lang]
    x, y = crescents()
    losses = {}
    for lr in (0.01, 0.1, 1.0):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
        losses[f"η = {plots.number(lr, 'g', lang)}"] = descend(net, x, y, lr, steps)
    line = nn.Linear(2, 2)
    descend(line, x, y, 1.0, steps)
    yield "losses", lambda path: plots.loss_curve(losses, log=True, xlabel=words["step"], path=path, lang=lang)
    yield "boundary", lambda path: plots.decision_boundary(net, x, y, beside={words["line"]: line}, path=path, lang=lang)

    functions = ["sigmoid", "tanh", "relu", nn.LeakyReLU(0.1)]
    yield "activations", lambda path: plots.activations(functions, path=path, lang=lang)

    (images, labels), (test_images, test_labels) = digits()
    torch.manual_seed(0)
    reader = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    pixels, answers = torch.from_numpy(images), torch.from_numpy(labels)
    descend(reader, pixels, answers, 0.5, steps)
    report = diagnose(reader, nn.functional.cross_entropy(reader(pixels), answers), lang=lang)
    yield "histograms", lambda path: plots.histograms(report, path=path)
    deep = nn.Sequential(*[layer for _ in range(10) for layer in (nn.Linear(64, 64), nn.Sigmoid())], nn.Linear(64, 10))
    ill = diagnose(deep, nn.functional.cross_entropy(deep(pixels), answers), lang=lang)
    yield "norms", lambda path: plots.gradient_norms(ill, path=path)

    with torch.no_grad():
        guesses = reader(torch.from_numpy(test_images)).argmax(dim=1).numpy()
    wrong = np.flatnonzero(guesses != test_labels)[:4]
    some = np.concatenate([np.flatnonzero(guesses == test_labels)[:6], wrong])
    shown = test_images[some], guesses[some], test_labels[some]
    yield "predictions", lambda path: plots.predictions(*shown, path=path, lang=lang)
    yield "weights", lambda path: plots.weight_images(reader[0], path=path, lang=lang)


WORDS = {
    "en": {
        "step": "step",
        "line": "without hidden layer",
        "losses": "The loss for three learning rates",
        "boundary": "Two classes, and the boundary that was learnt",
        "activations": "Activation functions and their derivatives",
        "histograms": "Weights, values and gradients of each layer",
        "norms": "The gradient in ten layers of sigmoids",
        "predictions": "Digits, and what was read in them",
        "weights": "What each hidden neuron looks for",
        "written": "{title}: {file}",
    },
    "fr": {
        "step": "pas",
        "line": "sans couche cachée",
        "losses": "La perte pour trois taux d'apprentissage",
        "boundary": "Deux classes, et la frontière apprise",
        "activations": "Fonctions d'activation et leurs dérivées",
        "histograms": "Poids, valeurs et gradients de chaque couche",
        "norms": "Le gradient dans dix couches de sigmoïdes",
        "predictions": "Des chiffres, et ce qui y a été lu",
        "weights": "Ce que cherche chaque neurone caché",
        "written": "{title} : {file}",
    },
}


def main(lang: str, folder: Path, steps: int, format: str = "png") -> None:
    words = WORDS[lang]
    for name, into in draw(lang, steps):
        file = folder / f"{name}.{format}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            into(file)
        except ImportError as missing:
            print(missing)
            return
        print(words["written"].format(title=words[name], file=file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Plots of losses, boundaries, functions, layers and images.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="100 steps of training instead of 1000")
    parser.add_argument("--out", type=Path, default=Path("tinygrad_fr_plots"), metavar="FOLDER")
    parser.add_argument("--format", choices=("png", "svg", "pdf"), default="png")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without accents shows `?`, and the lesson goes on
    main(options.lang, options.out, 100 if options.quick else 1000, options.format)
