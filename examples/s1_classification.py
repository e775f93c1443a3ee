"""S1: the table of gradients of a network, by hand and by autograd; softmax; then two classes to tell apart, and three.

    python examples/s1_classification.py [--lang en|fr] [--quick] [--picture boundaries.png] [--compile [numba]]
"""

import argparse
import math
import sys
from collections.abc import Callable
from typing import Literal, NamedTuple

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.testing import Comparison, compare
from tinygrad_fr.visual import plots

Lang = Literal["en", "fr"]

# -- the table of gradients ----------------------------------------------------------------------------------------------


def gradients(y: float, lang: Lang) -> list[Comparison]:
    """Forward, then backward, through L = 3 levels of sigmoids, for one example x, a column, of class y."""
    torch.manual_seed(0)
    sizes, L = (2, 4, 3, 1), 3
    A, Z, W, b = {0: torch.randn(2, 1, dtype=torch.float64)}, {}, {}, {}
    for level in range(1, L + 1):
        W[level] = torch.randn(sizes[level], sizes[level - 1], dtype=torch.float64, requires_grad=True)
        b[level] = torch.randn(sizes[level], 1, dtype=torch.float64, requires_grad=True)
        Z[level] = W[level] @ A[level - 1] + b[level]
        A[level] = torch.sigmoid(Z[level])
        Z[level].retain_grad()
        A[level].retain_grad()
    C = -y * torch.log(A[L]) - (1 - y) * torch.log(1 - A[L])
    C.backward()

    same = []

    def check(formula: str, by_hand: torch.Tensor, automatic: torch.Tensor | None) -> None:
        same.append(compare(f"  {formula:<40}", by_hand, automatic, lang=lang))

    with torch.no_grad():  # the course's formulas, from the last level to the first
        check("∂C/∂A[3] = −y/A[3] + (1−y)/(1−A[3])", -y / A[L] + (1 - y) / (1 - A[L]), A[L].grad)
        for level in range(L, 0, -1):
            if level == L:
                dZ, formula = A[L] - y, "A[3] − y"
            else:
                dZ = (W[level + 1].T @ dZ) * A[level] * (1 - A[level])
                formula = f"(W[{level + 1}]ᵗ ∂C/∂Z[{level + 1}]) ⊙ σ′(Z[{level}])"
            check(f"∂C/∂Z[{level}] = {formula}", dZ, Z[level].grad)
            check(f"∂C/∂W[{level}] = ∂C/∂Z[{level}] A[{level - 1}]ᵗ", dZ @ A[level - 1].T, W[level].grad)
            check(f"∂C/∂b[{level}] = ∂C/∂Z[{level}]", dZ, b[level].grad)
    return same


def softmax(lang: Lang) -> list[Comparison]:
    """aᵢ = e^zᵢ / Σ e^z_k: where it overflows, its Jacobian, and its gradient under the cross-entropy."""
    words = WORDS[lang]
    z = torch.tensor([1600, 5000, 6000], dtype=torch.float64)
    e, shifted = torch.exp(z), torch.exp(z - z.max())
    for formula, a in (
        ("e^zᵢ / Σ e^z_k", e / e.sum()),  # ∞ / ∞
        ("e^(zᵢ − max z) / Σ e^(z_k − max z)", shifted / shifted.sum()),
        ("torch.softmax(z, dim=0)", torch.softmax(z, dim=0)),
    ):
        print(f"  {formula:<40}", "  ".join(number(x, "g", lang) for x in a.tolist()))

    z = torch.tensor([4, 5, 6], dtype=torch.float64, requires_grad=True)
    a = torch.softmax(z, dim=0)
    print(words["softmax"], "  ".join(number(x, ".4f", lang) for x in a.tolist()))
    J = torch.autograd.functional.jacobian(lambda z: torch.softmax(z, dim=0), z)
    C = nn.CrossEntropyLoss()(z, torch.tensor(1))
    C.backward()
    with torch.no_grad():
        y = torch.tensor([0, 1, 0])
        return [
            compare(f"  {'∂aᵢ/∂zⱼ = aᵢ(1 − aᵢ), −aᵢ aⱼ (i ≠ j)':<40}", torch.diag(a) - torch.outer(a, a), J, lang=lang),
            compare(f"  {'∂C/∂Z[L] = A[L] − y':<40}", a - y, z.grad, lang=lang),
        ]


# -- classes to tell apart -----------------------------------------------------------------------------------------------


class Task(NamedTuple):
    """Points x of the plane and their classes y; networks without and with a hidden layer, and how one reads their answers."""

    x: torch.Tensor
    y: torch.Tensor
    line: nn.Module
    net: nn.Module
    read: Callable[[torch.Tensor], torch.Tensor]

    def accuracy(self, model: nn.Module) -> float:
        """The share of the points that a model puts in the right class."""
        with torch.no_grad():
            return float((self.read(model(self.x)) == self.y).double().mean())


def train(net: nn.Module, cost: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, backend: str | None = None) -> None:
    """Gradient descent, all points at each step: W ← W − η ∂C/∂W and b ← b − η ∂C/∂b with η = 1."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        C = cost(net(x), y)
        optimizer.zero_grad()
        C.backward()
        optimizer.step()

    run = torch.compile(step, backend=backend) if backend else step
    for _ in range(steps):
        run(x, y)


def two_classes(steps: int, backend: str | None = None) -> Task:
    """Two crescents. One output, through a sigmoid: more than 1/2 means class 1."""
    torch.manual_seed(0)
    angle, y = math.pi * torch.rand(200), torch.arange(200) % 2
    upper = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    lower = torch.stack([1 - torch.cos(angle), 0.5 - torch.sin(angle)], dim=1)
    x = torch.where(y.unsqueeze(1) == 0, upper, lower) + 0.15 * torch.randn(200, 2)

    line = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
    for model in (line, net):
        train(model, nn.BCELoss(), x, y.float().unsqueeze(1), steps, backend)
    return Task(x, y, line, net, read=lambda output: (output > 0.5).long().squeeze(1))


def three_classes(steps: int, backend: str | None = None) -> Task:
    """Three arms of a spiral. Three outputs, whose softmax is in the cost: the largest is the class."""
    torch.manual_seed(0)
    radius, y = torch.rand(300), torch.arange(300) % 3
    angle = 2 * math.pi * (0.6 * radius + y / 3) + 0.2 * torch.randn(300)
    x = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)

    line = nn.Linear(2, 3)
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 3))
    for model in (line, net):
        train(model, nn.CrossEntropyLoss(), x, y, steps, backend)
    return Task(x, y, line, net, read=lambda output: output.argmax(dim=1))


# -- words and picture ---------------------------------------------------------------------------------------------------

WORDS = {
    "en": {
        "gradients": "The table of gradients, sizes 2-4-3-1, sigmoids, cross-entropy: by hand, beside autograd",
        "overflow": "\nSoftmax of z = [1600, 5000, 6000]",
        "softmax": "\nSoftmax of z = [4, 5, 6]:",
        "two": "\nTwo classes (crescents), sigmoid and cross-entropy, {steps} steps",
        "three": "\nThree classes (spiral), softmax and cross-entropy, {steps} steps",
        "shares": "  without a hidden layer: {line} of the points in the right class; with {hidden} hidden neurons: {net}",
        "line": "no hidden layer",
        "saved": "Picture: {file}",
    },
    "fr": {
        "gradients": "Le tableau des gradients, tailles 2-4-3-1, sigmoïdes, entropie croisée : à la main, à côté d'autograd",
        "overflow": "\nSoftmax de z = [1600, 5000, 6000]",
        "softmax": "\nSoftmax de z = [4, 5, 6] :",
        "two": "\nDeux classes (croissants), sigmoïde et entropie croisée, {steps} pas",
        "three": "\nTrois classes (spirale), softmax et entropie croisée, {steps} pas",
        "shares": "  sans couche cachée : {line} des points dans la bonne classe ; avec {hidden} neurones cachés : {net}",
        "line": "sans couche cachée",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def draw(tasks: tuple[Task, Task], file: str, lang: str) -> None:
    """The points, the regions that the network makes of the plane, and where a line would cut."""
    words = WORDS[lang]
    try:
        with plots.page(16, 9, path=file, lang=lang) as figure:
            for axes, task in zip(figure.subplots(1, 2), tasks, strict=True):
                line = {words["line"]: task.line}
                plots.decision_boundary(task.net, task.x, task.y, beside=line, axes=axes, lang=lang)
    except ImportError as missing:
        print(missing)
        return
    print(words["saved"].format(file=file))


def main(lang: Lang = "en", steps: int = 1000, picture: str | None = None, backend: str | None = None) -> None:
    words = WORDS[lang]
    print(words["gradients"])
    gradients(1.0, lang)
    print(words["overflow"])
    softmax(lang)

    two, three = two_classes(steps, backend), three_classes(steps, backend)
    for title, task, hidden in (("two", two, 16), ("three", three, 32)):
        print(words[title].format(steps=steps))
        line, net = (number(100 * task.accuracy(model), ".1f", lang) + " %" for model in (task.line, task.net))
        print(words["shares"].format(line=line, net=net, hidden=hidden))
    if picture:
        draw((two, three), picture, lang)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Gradients, softmax, two classes and three: course S1.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="200 steps instead of 1000")
    parser.add_argument("--picture", metavar="FILE", help="save the points and the regions of each class as a picture")
    parser.add_argument(
        "--compile", dest="backend", nargs="?", const="numpy", choices=("numpy", "numba"), help="run each step as a program"
    )
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ∂ shows `?`, and the lesson goes on
    main(options.lang, 200 if options.quick else 1000, options.picture, options.backend)
