"""S2: one neuron, a network of three, the derivative of its loss factor by factor, and four people to learn from.

    python examples/s2_people.py [--lang en|fr] [--quick] [--seed N] [--picture loss.png] [--compile [numba]]

The course derives nine partial derivatives by hand and writes a line of code for each. Here the forward pass is written, and
autograd finds the nine. With --compile the training step becomes a program, and each epoch one call.
"""

import argparse
import math
import sys
from collections.abc import Sequence

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import people
from tinygrad_fr.visual import plots


def tensor(values: object) -> torch.Tensor:
    """Float64, the numbers of NumPy and of the course."""
    return torch.tensor(values, dtype=torch.float64)


class Neuron:
    """y = σ(w · x + b): inputs are weighted, added up with a bias, and squeezed between 0 and 1."""

    def __init__(self, weights: torch.Tensor, bias: float) -> None:
        self.weights, self.bias = weights, bias

    def feedforward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.weights @ inputs + self.bias)


class OurNeuralNetwork(nn.Module):
    """Two inputs, a hidden layer of two neurons (h₁, h₂), one output (ŷ): nine numbers to learn."""

    def __init__(self) -> None:
        super().__init__()
        normal = (nn.Parameter(torch.randn((), dtype=torch.float64)) for _ in range(9))
        self.w1, self.w2, self.w3, self.w4, self.w5, self.w6, self.b1, self.b2, self.b3 = normal

    def hidden(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x1, x2 = x.unbind(-1)  # of one person, or of all at once
        return (
            torch.sigmoid(self.w1 * x1 + self.w2 * x2 + self.b1),
            torch.sigmoid(self.w3 * x1 + self.w4 * x2 + self.b2),
        )

    def output(self, h1: torch.Tensor, h2: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.w5 * h1 + self.w6 * h2 + self.b3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(*self.hidden(x))


def mse_loss(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    return ((y_true - y_pred) ** 2).mean()


def feedforward(lang: str) -> None:
    """Sections 0.1 to 0.3 of the course: a neuron, three of them, and a loss."""
    words = WORDS[lang]
    x, w = tensor([2, 3]), tensor([0, 1])
    print(words["neuron"], number(Neuron(w, bias=4).feedforward(x).item(), "", lang))

    neuron = Neuron(w, bias=0)
    h = neuron.feedforward(x)
    o1 = neuron.feedforward(torch.stack([h, h]))
    print(words["hidden"], number(h.item(), ".4f", lang), "=", number(h.item(), "", lang))
    print(words["output"], number(o1.item(), ".4f", lang), "=", number(o1.item(), "", lang))

    print(words["mse"], number(mse_loss(tensor([1, 0, 0, 1]), tensor([0, 0, 0, 0])).item(), "", lang))


def derivation(lang: str) -> None:
    """Section 0.4: ∂L/∂w₁ for Alice, every weight 1 and every bias 0, as a product of three factors."""
    net = OurNeuralNetwork()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.fill_(1.0 if name.startswith("w") else 0.0)
    h1, h2 = net.hidden(tensor([-2, -1]))
    y = net.output(h1, h2)
    L = (1 - y) ** 2

    (dL_dy,) = torch.autograd.grad(L, y, retain_graph=True)
    (dy_dh1,) = torch.autograd.grad(y, h1, retain_graph=True)
    (dh1_dw1,) = torch.autograd.grad(h1, net.w1, retain_graph=True)
    (dL_dw1,) = torch.autograd.grad(L, net.w1)

    factors = dL_dy.item(), dy_dh1.item(), dh1_dw1.item()
    rounded = round(-2 * (1 - round(y.item(), 3)), 3), round(factors[1], 3), round(factors[2], 4)  # as on the blackboard
    print(WORDS[lang]["derivation"])
    print(f"  {'':<36}{WORDS[lang]['rounded']:>8}{WORDS[lang]['exact']:>22}")
    for formula, form, by_hand, exact in (
        ("h₁ = h₂ = σ(w₁x₁ + w₂x₂ + b₁)", ".4f", h1.item(), h1.item()),
        ("ŷ = σ(w₅h₁ + w₆h₂ + b₃)", ".3f", y.item(), y.item()),
        ("∂L/∂ŷ = −2(1 − ŷ)", ".3f", rounded[0], factors[0]),
        ("∂ŷ/∂h₁ = w₅ σ′(w₅h₁ + w₆h₂ + b₃)", ".3f", rounded[1], factors[1]),
        ("∂h₁/∂w₁ = x₁ σ′(w₁x₁ + w₂x₂ + b₁)", ".4f", rounded[2], factors[2]),
        ("∂L/∂w₁ = ∂L/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁", ".4f", math.prod(rounded), math.prod(factors)),
    ):
        print(f"  {formula:<36}{number(by_hand, form, lang):>8}{number(exact, '#.15g', lang):>22}")
    print(WORDS[lang]["at once"].format(value=number(dL_dw1.item(), "#.15g", lang)))


def train(
    net: OurNeuralNetwork,
    data: torch.Tensor,
    all_y_trues: torch.Tensor,
    epochs: int,
    lang: str = "en",
    backend: str | None = None,
) -> list[tuple[int, float]]:
    """Section 0.5: stochastic gradient descent, one person at a time, η = 0.1; the loss over all, every 10 epochs."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x: torch.Tensor, y_true: torch.Tensor) -> None:
        loss = mse_loss(y_true, net(x))
        optimizer.zero_grad()
        loss.backward()  # the nine partial derivatives
        optimizer.step()  # w ← w − η ∂L/∂w for each of them

    compiled = torch.compile(step, backend=backend) if backend else None
    log = []
    for epoch in range(epochs):
        if compiled:
            compiled.loop(data, all_y_trues)  # the same steps in one call
        else:
            for x, y_true in zip(data, all_y_trues, strict=True):
                step(x, y_true)
        if epoch % 10 == 0:
            with torch.no_grad():
                log.append((epoch, mse_loss(all_y_trues, net(data)).item()))
            print(WORDS[lang]["epoch"].format(epoch=epoch, loss=number(log[-1][1], ".3f", lang)))
    return log


# -- words and picture ---------------------------------------------------------------------------------------------------

WORDS = {
    "en": {
        "neuron": "Neuron, w = [0, 1], b = 4, x = [2, 3]:  y = σ(7) =",
        "hidden": "Network 2-2-1, every w = [0, 1], b = 0, x = [2, 3]:  h₁ = h₂ = σ(3) =",
        "output": "                                                     o₁ = σ(h₂) =",
        "mse": "MSE of [1, 0, 0, 1] when the answer is always 0:",
        "derivation": "\n∂L/∂w₁ for Alice, x = (−2, −1), y = 1, every weight 1 and every bias 0",
        "rounded": "rounded",
        "exact": "autograd",
        "at once": "  the same from autograd in one go, ∂L/∂w₁: {value}",
        "people": "\nTraining on four people: weight − 135 lb, height − 66 in, 1 = woman (η = 0.1, seed {seed})",
        "epoch": "Epoch {epoch} loss: {loss}",
        "predictions": "\nTwo people never seen",
        "prediction": "  {name}: {y}  {gender}",
        "woman": "woman",
        "man": "man",
        "epoch axis": "epoch",
        "loss": "loss (mean squared error)",
        "saved": "Picture: {file}",
    },
    "fr": {
        "neuron": "Neurone, w = [0, 1], b = 4, x = [2, 3] :  y = σ(7) =",
        "hidden": "Réseau 2-2-1, chaque w = [0, 1], b = 0, x = [2, 3] :  h₁ = h₂ = σ(3) =",
        "output": "                                                     o₁ = σ(h₂) =",
        "mse": "MSE de [1, 0, 0, 1] quand la réponse est toujours 0 :",
        "derivation": "\n∂L/∂w₁ pour Alice, x = (−2, −1), y = 1, chaque poids à 1 et chaque biais à 0",
        "rounded": "arrondi",
        "exact": "autograd",
        "at once": "  la même, trouvée par autograd en une fois, ∂L/∂w₁ : {value}",
        "people": "\nEntraînement sur quatre personnes : poids − 135 lb, taille − 66 in, 1 = femme (η = 0,1, graine {seed})",
        "epoch": "Époque {epoch} perte : {loss}",
        "predictions": "\nDeux personnes jamais vues",
        "prediction": "  {name} : {y}  {gender}",
        "woman": "femme",
        "man": "homme",
        "epoch axis": "époque",
        "loss": "perte (erreur quadratique moyenne)",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def draw(log: Sequence[tuple[int, float]], file: str, lang: str) -> None:
    """The loss curve."""
    words = WORDS[lang]
    epochs, losses = zip(*log, strict=True)
    try:
        plots.loss_curve(losses, x=epochs, xlabel=words["epoch axis"], ylabel=words["loss"], path=file, lang=lang)
    except ImportError as missing:
        print(missing)
        return
    print(words["saved"].format(file=file))


def main(
    lang: str = "en", epochs: int = 1000, seed: int = 0, picture: str | None = None, backend: str | None = None
) -> None:
    words = WORDS[lang]
    feedforward(lang)
    derivation(lang)

    data, women, names = people()
    print(words["people"].format(seed=seed))
    for name, (weight, height), (woman,) in zip(names, data.tolist(), women.tolist(), strict=True):
        print(f"  {name:<8} {weight:4.0f} {height:3.0f} {woman:3.0f}")
    torch.manual_seed(seed)
    net = OurNeuralNetwork()
    inputs, all_y_trues = torch.from_numpy(data).double(), torch.from_numpy(women).double().squeeze(1)
    log = train(net, inputs, all_y_trues, epochs, lang, backend)

    print(words["predictions"])
    for name, x in {"Emily": [-7, -3], "Frank": [20, 2]}.items():
        with torch.no_grad():
            y = net(tensor(x)).item()
        print(words["prediction"].format(name=name, y=number(y, ".3f", lang), gender=words["woman" if y > 0.5 else "man"]))
    if picture:
        draw(log, picture, lang)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A network of three neurons, derived and trained: course S2.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="100 epochs instead of 1000")
    parser.add_argument("--seed", type=int, default=0, help="where the random numbers start (default: %(default)s)")
    parser.add_argument("--picture", metavar="FILE", help="save the loss curve as a picture")
    parser.add_argument(
        "--compile", dest="backend", nargs="?", const="numpy", choices=("numpy", "numba"), help="run each step as a program"
    )
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ∂ shows `?`, and the lesson goes on
    main(options.lang, 100 if options.quick else 1000, options.seed, options.picture, options.backend)
