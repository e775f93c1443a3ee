"""Four illnesses of networks (S1), provoked, diagnosed and treated; then a training that is watched from beginning to end.

    python examples/diagnose.py [--lang en|fr] [--quick] [--picture gradients.png]

`diagnose(model, loss)` looks at one graph before `backward()` frees it. `watch_training` does so every few steps, and says from
which step on something was wrong.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import digits
from tinygrad_fr.diagnosis import Diagnosis, diagnose, watch_training


def stack(activation: Callable[[], nn.Module], layers: int) -> nn.Sequential:
    """Layers of 16 neurons, an activation after each, and an output."""
    torch.manual_seed(0)
    hidden = [layer for _ in range(layers) for layer in (nn.Linear(16, 16), activation())]
    return nn.Sequential(*hidden, nn.Linear(16, 1))


def examined(net: nn.Module, lang: str) -> Diagnosis:
    """The diagnosis of a network on 64 examples, before it has learnt anything."""
    x, y = torch.randn(64, 16), torch.randn(64, 1)
    loss = nn.functional.mse_loss(net(x), y)
    return diagnose(net, loss, lang=lang)


def vanishing(lang: str, activation: Callable[[], nn.Module] = nn.Sigmoid) -> Diagnosis:
    return examined(stack(activation, 50), lang)


def dead(lang: str, activation: Callable[[], nn.Module] = nn.ReLU) -> Diagnosis:
    net = stack(activation, 1)
    nn.init.constant_(net[0].bias, -10.0)
    return examined(net, lang)


def saturated(lang: str, times: float = 100.0) -> Diagnosis:
    net = stack(nn.Tanh, 2)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(times)
    return examined(net, lang)


def training(lr: float, steps: int, lang: str) -> watch_training:
    """Read digits with a hidden layer of rectifiers; watch every fifth step."""
    (images, labels), _ = digits()
    x, y = torch.from_numpy(images), torch.eye(10)[torch.from_numpy(labels)]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    with watch_training(net, optimizer, every=5, lang=lang) as watched, np.errstate(all="ignore"):
        for step in range(steps):
            batch = slice(32 * step % 1408, 32 * step % 1408 + 32)
            loss = nn.functional.mse_loss(net(x[batch]), y[batch])
            watched.update(loss)  # the one line that is added, before backward()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return watched


WORDS = {
    "en": {
        "dead": "1. A rectifier whose bias is −10",
        "dead, treated": "The same with Leaky ReLU",
        "vanishing": "2. Fifty layers of sigmoids",
        "vanishing, treated": "Three layers of tanh instead",
        "saturated": "3. tanh with weights a hundred times too large",
        "saturated, treated": "The same weights, not enlarged",
        "exploding": "4. Digits, learning rate 1000",
        "exploding, treated": "Digits, learning rate 0.1",
        "saved": "Picture: {file}",
    },
    "fr": {
        "dead": "1. ReLU avec un biais de −10",
        "dead, treated": "Le même avec Leaky ReLU",
        "vanishing": "2. Cinquante couches de sigmoïdes",
        "vanishing, treated": "Trois couches de tanh à la place",
        "saturated": "3. tanh avec des poids cent fois trop grands",
        "saturated, treated": "Les mêmes poids, non agrandis",
        "exploding": "4. Chiffres, taux d'apprentissage 1000",
        "exploding, treated": "Chiffres, taux d'apprentissage 0,1",
        "saved": "Image : {file}",
    },
}


def tell(title: str, report: object) -> None:
    print(f"\n── {title} ──\n")
    print(report)


def main(lang: str = "en", steps: int = 200, picture: str | None = None) -> None:
    words = WORDS[lang]
    tell(words["dead"], dead(lang))
    tell(words["dead, treated"], dead(lang, lambda: nn.LeakyReLU(0.1)))
    ill = vanishing(lang)
    tell(words["vanishing"], ill)
    tell(words["vanishing, treated"], examined(stack(nn.Tanh, 3), lang))
    tell(words["saturated"], saturated(lang))
    tell(words["saturated, treated"], saturated(lang, times=1))
    tell(words["exploding"], training(1000.0, steps, lang))
    tell(words["exploding, treated"], training(0.1, steps, lang))
    if picture:
        from tinygrad_fr.visual import plots

        try:
            plots.gradient_norms(ill, path=picture, title=words["vanishing"][3:])
        except ImportError as missing:
            print(missing)
        else:
            print("\n" + words["saved"].format(file=picture))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What is wrong with a network, and what helps: course S1.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="40 steps of training instead of 200")
    parser.add_argument("--picture", metavar="FILE", help="save the gradients of the fifty layers as a picture")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without − shows `?`, and the lesson goes on
    main(options.lang, 40 if options.quick else 200, options.picture)
