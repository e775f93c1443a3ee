"""The network itself, as the first slide of a course draws it: neurons in columns, a line for each weight.

    python examples/draw_network.py [--lang en|fr] [--quick] [--out tinygrad_fr_drawings] [--format svg|png|pdf|dot]

A network 2-3-1 learns XOR and is drawn before and after, with what each neuron computes from (1, 0); then one of the size of
MNIST, whose wide layers are shortened.
"""

import argparse
from pathlib import Path

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import xor
from tinygrad_fr.visual import draw_network

WORDS = {
    "en": {
        "before": "XOR, 2-3-1, before training",
        "after": "XOR, 2-3-1, after training",
        "mnist": "784-20-10, for MNIST",
        "written": "{title}: {file}",
    },
    "fr": {
        "before": "XOR, 2-3-1, avant l'entraînement",
        "after": "XOR, 2-3-1, après l'entraînement",
        "mnist": "784-20-10, pour MNIST",
        "written": "{title} : {file}",
    },
}


def train(net: nn.Module, epochs: int) -> None:
    x, y = map(torch.from_numpy, xor())
    optimizer = optim.Adam(net.parameters(), lr=0.05)
    for _ in range(epochs):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main(lang: str, folder: Path, format: str = "svg", epochs: int = 500) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Tanh())
    example = torch.tensor([1.0, 0.0])
    drawings = {"before": draw_network(net, input=example, lang=lang)}
    train(net, epochs)
    drawings["after"] = draw_network(net, input=example, lang=lang)
    mnist = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.Sigmoid(), nn.Linear(20, 10), nn.Softmax(dim=1))
    drawings["mnist"] = draw_network(mnist, lang=lang)
    for name, drawing in drawings.items():
        file = drawing.render(folder / f"network_{name}.{format}")
        print(WORDS[lang]["written"].format(title=WORDS[lang][name], file=file))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Drawings of networks, as layers of neurons.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="20 epochs instead of 500")
    parser.add_argument("--out", type=Path, default=Path("tinygrad_fr_drawings"), metavar="FOLDER")
    parser.add_argument("--format", choices=("svg", "png", "pdf", "dot"), default="svg")
    options = parser.parse_args()
    main(options.lang, options.out, options.format, 20 if options.quick else 500)
