"""The graph of a model, drawn in its modules: whole, with one box for each, and with fifty layers that are all alike.

    python examples/draw_modules.py [--lang en|fr] [--quick] [--out tinygrad_fr_drawings] [--format svg|png|pdf|dot]

A graph of more than 60 quantities is collapsed by itself. The length of the gradient of each layer then says whether it
vanishes on its way back.
"""

import argparse
from pathlib import Path
from typing import Any

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import digits
from tinygrad_fr.visual import Drawing, watch

WORDS = {
    "en": {
        "whole": "A network that reads digits, in its modules",
        "collapsed": "The same, one box a module",
        "deep": "Fifty layers with sigmoid: the gradient of the first has vanished",
        "written": "{title}: {file}",
    },
    "fr": {
        "whole": "Un réseau qui lit des chiffres, dans ses modules",
        "collapsed": "Le même, une boîte par module",
        "deep": "Cinquante couches à sigmoïde : le gradient de la première a disparu",
        "written": "{title} : {file}",
    },
}


def read_digits(**options: Any) -> Drawing:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 10))
    (images, labels), _ = digits()
    x, y = torch.from_numpy(images[:32]), torch.from_numpy(labels[:32])
    with watch() as watched:  # so that each result is drawn inside the module that computed it
        loss = nn.functional.cross_entropy(net(x), y)
    return watched.snapshot(loss, model=net).graphviz(**options)


def deep(**options: Any) -> Drawing:
    torch.manual_seed(0)
    net = nn.Sequential(*(module for _ in range(50) for module in (nn.Linear(8, 8), nn.Sigmoid())))
    x = torch.randn(4, 8)
    with watch() as watched:
        loss = net(x).pow(2).mean()
    return watched.snapshot(loss, model=net).graphviz(**options)


def main(lang: str, folder: Path, format: str = "svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in {
        "whole": read_digits(view="both", formulas=True, lang=lang),
        "collapsed": read_digits(view="both", collapse=True, lang=lang),
        "deep": deep(view="both", lang=lang),
    }.items():
        file = drawing.render(folder / f"modules_{name}.{format}")
        print(WORDS[lang]["written"].format(title=WORDS[lang][name], file=file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drawings of models in their modules.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="changes nothing: this is quick")
    parser.add_argument("--out", type=Path, default=Path("tinygrad_fr_drawings"), metavar="FOLDER")
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    options = parser.parse_args()
    main(options.lang, options.out, options.format)
