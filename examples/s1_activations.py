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
        "function": "function a",
        "derivative": "derivative a′",
        "saved": "Picture: {file}",
        "no matplotlib": "No picture: matplotlib is not installed. To have it: python -m pip install matplotlib",
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
        "function": "fonction a",
        "derivative": "dérivée a′",
        "saved": "Image : {file}",
        "no matplotlib": "Pas d'image : matplotlib n'est pas installé. Pour l'avoir : python -m pip install matplotlib",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def draw(file: str, lang: str) -> None:
    """Four small pictures, each a function and its derivative."""
    words = WORDS[lang]
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        print(words["no matplotlib"])
        return
    z = torch.linspace(-5, 5, 501, dtype=torch.float64)
    with rc_context({"font.size": 20}):
        figure = Figure(figsize=(14, 9.5), layout="constrained")
        for axes, (name, activation) in zip(figure.subplots(2, 2).flat, ACTIVATIONS.items(), strict=True):
            a, derivative = curve(activation.function, z)
            lines = [
                *axes.plot(z.numpy(), a.numpy(), linewidth=4, color="black", label=words["function"]),
                *axes.plot(z.numpy(), derivative.numpy(), "--", linewidth=4, color="tab:orange", label=words["derivative"]),
            ]
            axes.set_title(words[name], fontweight="bold")
            axes.set(xlabel="z", ylim=(-1.2, 1.2) if name in ("sigmoid", "tanh") else (-0.7, 2.3))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: number(value, "g", lang).replace("-", "−"))
            axes.grid(alpha=0.4)
        figure.legend(handles=lines, loc="outside upper center", ncols=2, frameon=False)
        figure.savefig(file)
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
