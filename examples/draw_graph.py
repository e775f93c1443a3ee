"""The graph of a loss, drawn: the values on the way forward, the gradients on the way back, the formulas of both.

    python examples/draw_graph.py [--lang en|fr] [--quick] [--out tinygrad_fr_drawings] [--format svg|png|pdf|dot]

First the smallest graph on which gradients are added up. Then the network of three neurons that the course derives by hand
(S2): ∂L/∂w₁ = 0.0215 stands in it, and so does each of its factors. In a notebook, `draw(L)` alone shows the drawing.
"""

import argparse
from pathlib import Path
from typing import Any

import tinygrad_fr as torch
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import Drawing, draw

WORDS = {
    "en": {
        "two uses": "A weight used twice: what each use brings is added",
        "forward": "Three neurons, forward",
        "backward": "Three neurons, the gradients, with their formulas",
        "both": "Three neurons, both ways, for the printer",
        "written": "{title}: {file}",
    },
    "fr": {
        "two uses": "Un poids utilisé deux fois : ce que chaque usage apporte s'ajoute",
        "forward": "Trois neurones, propagation avant",
        "backward": "Trois neurones, les gradients et leurs formules",
        "both": "Trois neurones, dans les deux sens, pour l'imprimante",
        "written": "{title} : {file}",
    },
}


def two_uses(**options: Any) -> Drawing:
    a = torch.tensor(3.0, requires_grad=True)
    b = a + a
    c = b * b
    return draw(c, **options)


def three_neurons(**options: Any) -> Drawing:
    """The loss for Alice (−2, −1), who is a woman (1), with every weight 1 and every bias 0."""
    w1, w2, w3, w4, w5, w6 = (torch.tensor(1.0, requires_grad=True) for _ in range(6))
    b1, b2, b3 = (torch.tensor(0.0, requires_grad=True) for _ in range(3))
    x1, x2 = torch.tensor(-2.0), torch.tensor(-1.0)
    h1 = torch.sigmoid(w1 * x1 + w2 * x2 + b1)
    h2 = torch.sigmoid(w3 * x1 + w4 * x2 + b2)
    y_hat = torch.sigmoid(w5 * h1 + w6 * h2 + b3)
    L = (1 - y_hat) ** 2
    return draw(L, **options)  # it finds the names by itself


def main(lang: str, folder: Path, format: str = "svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in {
        "two uses": two_uses(view="both", lang=lang),
        "forward": three_neurons(lang=lang),
        "backward": three_neurons(view="backward", formulas=True, lang=lang),
        "both": three_neurons(view="both", formulas=True, theme="print", lang=lang),
    }.items():
        file = drawing.render(folder / f"graph_{name.replace(' ', '_')}.{format}")
        print(WORDS[lang]["written"].format(title=WORDS[lang][name], file=file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drawings of the graph of a loss.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="changes nothing: this is quick")
    parser.add_argument("--out", type=Path, default=Path("tinygrad_fr_drawings"), metavar="FOLDER")
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    options = parser.parse_args()
    main(options.lang, options.out, options.format)
