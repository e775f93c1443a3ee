"""A forward pass that fails, drawn up to where it fails; and gradients that nobody has cleared, marked.

    python examples/draw_error.py [--lang en|fr] [--quick] [--out tinygrad_fr_drawings] [--format svg|png|pdf|dot]
"""

import argparse
from pathlib import Path

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import Drawing, Snapshot, draw

WORDS = {
    "en": {
        "shapes": "Layers that do not fit: the graph up to the one that fails",
        "accumulated": "optimizer.zero_grad() was forgotten: the gradient is of two passes",
        "written": "{title}: {file}",
    },
    "fr": {
        "shapes": "Des couches qui ne vont pas ensemble : le graphe jusqu'à celle qui échoue",
        "accumulated": "optimizer.zero_grad() a été oublié : le gradient est celui de deux passages",
        "written": "{title} : {file}",
    },
}


def shapes(lang: str) -> Drawing:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(4, 1))  # 4 ought to be 3
    try:
        net(torch.ones(5, 2))
    except RuntimeError as error:
        return draw(error, model=net, lang=lang)
    raise AssertionError("the forward pass ought to fail")


def accumulated(lang: str) -> Drawing:
    w = torch.tensor(3.0, requires_grad=True)
    (w * w).backward()
    loss = w * 5
    snapshot = Snapshot(loss)  # before backward() frees the graph
    loss.backward()
    return draw(snapshot, gradients="stored", lang=lang)


def main(lang: str, folder: Path, format: str = "svg") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in {"shapes": shapes(lang), "accumulated": accumulated(lang)}.items():
        file = drawing.render(folder / f"error_{name}.{format}")
        print(WORDS[lang]["written"].format(title=WORDS[lang][name], file=file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drawings of what goes wrong.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="changes nothing: this is quick")
    parser.add_argument("--out", type=Path, default=Path("tinygrad_fr_drawings"), metavar="FOLDER")
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    options = parser.parse_args()
    main(options.lang, options.out, options.format)
