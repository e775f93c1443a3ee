"""S1: four activation functions and their derivatives, from autograd and from the course's formulas.

    python examples/s1_activations.py [--lang en|fr] [--quick] [--picture activations.png]
"""

import argparse
import sys
from collections.abc import Callable
from typing import NamedTuple

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import plots

# -- the lesson ----------------------------------------------------------------------------------------------------------


class Activation(NamedTuple):
    """A function a = σ(z), and its derivative a′ as the course writes it: of z, or of a where that is shorter."""

    function: nn.Module
    derivative: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    formula: str


ACTIVATIONS = {
    "sigmoid": Activation(nn.Sigmoid(), lambda z, a: a * (1 - a), "a (1 − a)"),
    "tanh": Activation(nn.Tanh(), lambda z, a: 1 - a**2, "1 − a²"),
    "ReLU": Activation(nn.ReLU(), lambda z, a: torch.where(z > 0, 1, 0).double(), "1 or 0"),
    "Leaky ReLU": Activation(nn.LeakyReLU(0.1), lambda z, a: torch.where(z > 0, 10, 1).double() / 10, "1 or 0.1"),
}


def curve(function: nn.Module, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """a = σ(z), and its derivative a′ = σ′(z) from autograd, for each entry of z."""
    z = z.clone().requires_grad_()
    a = function(z)
    (derivative,) = torch.autograd.grad(a.sum(), z)
    return a.detach(), derivative


def table(lang: str) -> float:
    """Print both at nine points; return how far autograd's derivatives and the formulas are apart at most."""
    words = WORDS[lang]
    z = torch.tensor([-10, -5, -2, -1, 0, 1, 2, 5, 10], dtype=torch.float64)
    print(words["title"])
    print(f"  {'z':<29}", *(f"{x:7.0f}" for x in z.tolist()))
    gaps: list[float] = []
    for name, (function, derivative, formula) in ACTIVATIONS.items():
        a, automatic = curve(function, z)
        gaps.append((automatic - derivative(z, a)).abs().max().item())
        print(f"  {words[name]:<12}{'a':<17}", *(number(x, "7.4f", lang) for x in a.tolist()))
        print(f"  {'':<12}{'a′ = ' + words.get(formula, formula):<17}", *(number(x, "7.4f", lang) for x in automatic.tolist()))
    print(words["gap"].format(gap=number(max(gaps), ".0e", lang)))
    return max(gaps)


# -- words and picture ---------------------------------------------------------------------------------------------------

WORDS = {
    "en": {
        "title": "Activation functions a = σ(z), and their derivatives a′ found by autograd",
        "gap": "Largest difference between autograd and the formulas: {gap}\n"
        "Far from 0 the derivatives of sigmoid and tanh almost vanish: see what comes of it, examples/s1_pathologies.py",
        "sigmoid": "sigmoid",
        "tanh": "tanh",
        "ReLU": "ReLU",
        "Leaky ReLU": "Leaky ReLU",
        "saved": "Picture: {file}",
    },
    "fr": {
        "title": "Fonctions d'activation a = σ(z), et leurs dérivées a′ trouvées par autograd",
        "gap": "Plus grand écart entre autograd et les formules : {gap}\n"
        "Loin de 0, les dérivées de la sigmoïde et de tanh s'annulent presque ; ce qui en résulte : examples/s1_pathologies.py",
        "sigmoid": "sigmoïde",
        "tanh": "tanh",
        "ReLU": "ReLU",
        "Leaky ReLU": "Leaky ReLU",
        "1 or 0": "1 ou 0",
        "1 or 0.1": "1 ou 0,1",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def draw(file: str, lang: str) -> None:
    """Four small pictures, each a function and its derivative."""
    words = WORDS[lang]
    functions = {words[name]: activation.function for name, activation in ACTIVATIONS.items()}
    try:
        plots.activations(functions, xlabel="z", path=file, lang=lang)
    except ImportError as missing:
        print(missing)
        return
    print(words["saved"].format(file=file))


def main(lang: str = "en", picture: str | None = None) -> None:
    table(lang)
    if picture:
        draw(picture, lang)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Activation functions and their derivatives: course S1.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="changes nothing here: the program is quick")
    parser.add_argument("--picture", metavar="FILE", help="save the functions and their derivatives as a picture")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without σ shows `?`, and the lesson goes on
    main(options.lang, options.picture)
