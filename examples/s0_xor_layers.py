"""S0: layers, a network made of them, and XOR, learnt one example at a time.

    python examples/s0_xor_layers.py [--lang en|fr] [--quick] [--every N] [--seed N] [--picture xor.png] [--compile [numba]]

The course writes two methods for each layer, forward_propagation and backward_propagation. Here a layer says how it computes
Y from X, and nothing more: autograd finds the way back. The end of the program writes that way back out, and compares.
With --compile the training step becomes a program of NumPy calls, or of Numba's loops, which is printed at the end.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language
from tinygrad_fr.datasets import xor
from tinygrad_fr.visual import plots


class Layer(nn.Module):
    """Computes Y from X, in `forward`. The course's backward_propagation has no place here: autograd finds it."""


class FCLayer(Layer):
    """Fully connected, Y = X W + B."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.rand(input_size, output_size, dtype=torch.float64) - 0.5)
        self.bias = nn.Parameter(torch.rand(1, output_size, dtype=torch.float64) - 0.5)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return X @ self.weights + self.bias


class ActivationLayer(Layer):
    """Y = f(X), element by element; f′ need not be given."""

    def __init__(self, activation: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.activation(X)


class Network:
    """Layers, one after the other, and the loss that they are to make small."""

    def __init__(self) -> None:
        self.layers = nn.Sequential()

    def add(self, layer: Layer) -> None:
        self.layers.append(layer)

    def use(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        self.loss = loss

    def predict(self, input_data: torch.Tensor) -> list[torch.Tensor]:
        with torch.no_grad():
            return [self.layers(x) for x in input_data]

    def fit(
        self,
        x_train: torch.Tensor,
        y_train: torch.Tensor,
        epochs: int,
        learning_rate: float,
        every: int = 1,
        lang: str = "en",
        backend: str | None = None,
    ) -> list[float]:
        """Train, print the error of one epoch in `every`, and return the error of each."""
        optimizer = torch.optim.SGD(self.layers.parameters(), lr=learning_rate)

        def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            E = self.loss(self.layers(x), y)  # forward propagation
            optimizer.zero_grad()
            E.backward()  # in place of: for layer in reversed(self.layers): error = layer.backward_propagation(…)
            optimizer.step()  # W ← W − η ∂E/∂W, B ← B − η ∂E/∂B
            return E

        self.step = torch.compile(step, backend=backend) if backend else step
        errors = []
        for epoch in range(1, epochs + 1):
            err = 0.0
            for x, y in zip(x_train, y_train, strict=True):
                err += self.step(x, y).item()
            errors.append(err / len(x_train))
            if epoch % every == 0:
                print(WORDS[lang]["epoch"].format(epoch=epoch, epochs=epochs, error=number(errors[-1], "f", lang)))
        return errors


def xor_network() -> Network:
    net = Network()
    net.add(FCLayer(2, 3))
    net.add(ActivationLayer(torch.tanh))
    net.add(FCLayer(3, 1))
    net.add(ActivationLayer(torch.tanh))
    net.use(nn.MSELoss())
    return net


def backward_propagation(net: Network, x: torch.Tensor, y: torch.Tensor, lang: str = "en") -> float:
    """The course's way back through the layers, beside autograd's for the same example; how far apart they are at most."""
    X = [x.clone().requires_grad_()]  # what enters each layer, and at the end what leaves the network
    for layer in net.layers:
        X.append(layer(X[-1]))
        X[-1].retain_grad()
    net.layers.zero_grad()
    net.loss(X[-1], y).backward()

    gaps: list[float] = []

    def beside(formula: str, by_hand: torch.Tensor, automatic: torch.Tensor | None) -> None:
        gaps.append((by_hand - automatic).abs().max().item())
        print(WORDS[lang]["gap"].format(formula=formula, gap=number(gaps[-1], ".0e", lang)))

    with torch.no_grad():
        error = 2 / y.numel() * (X[-1] - y)  # ∂E/∂Y = (2/n)(Y − Y*)
        for i in reversed(range(len(net.layers))):
            layer = net.layers[i]
            print(f"  {i + 1}. {type(layer).__name__}")
            if isinstance(layer, FCLayer):
                beside("∂E/∂W = Xᵗ ∂E/∂Y", X[i].T @ error, layer.weights.grad)
                beside("∂E/∂B = ∂E/∂Y", error, layer.bias.grad)
                error = error @ layer.weights.T
                beside("∂E/∂X = ∂E/∂Y Wᵗ", error, X[i].grad)
            else:
                error = (1 - torch.tanh(X[i]) ** 2) * error
                beside("∂E/∂X = tanh′(X) ⊙ ∂E/∂Y", error, X[i].grad)
    return max(gaps)


WORDS = {
    "en": {
        "title": "XOR, learnt by a network 2-3-1 with tanh, one example at a time, η = 0.1",
        "epoch": "epoch {epoch}/{epochs}    error={error}",
        "answers": "\n   x      answer   wanted",
        "seeds": "Seed {seed}. Not every start learns: of the seeds 0 to 99, 63 do in 1000 epochs,\n"
        "and 37 stay near an error of 0.279. See --seed 0.",
        "formulas": "\nThe course's backward_propagation for x = [1, 0], from the last layer to the first, beside autograd:",
        "gap": "     {formula:<26} largest difference {gap}",
        "program": "\nThe training step, as the program that ran; print(net.step.source()) shows the whole of it:",
        "error": "error",
        "epoch axis": "epoch",
        "surface": "answer of the network",
        "saved": "Picture: {file}",
    },
    "fr": {
        "title": "XOR, appris par un réseau 2-3-1 avec tanh, un exemple à la fois, η = 0,1",
        "epoch": "époque {epoch}/{epochs}    erreur={error}",
        "answers": "\n   x      réponse  attendu",
        "seeds": "Graine {seed}. Tous les départs ne réussissent pas : sur les graines 0 à 99, 63 apprennent en 1000 époques,\n"
        "et 37 restent près d'une erreur de 0,279. Voir --seed 0.",
        "formulas": "\nLa rétropropagation du cours pour x = [1, 0], de la dernière couche à la première, à côté d'autograd :",
        "gap": "     {formula:<26} plus grand écart {gap}",
        "program": "\nLe pas d'entraînement, tel qu'il a été exécuté ; print(net.step.source()) le montre en entier :",
        "error": "erreur",
        "epoch axis": "époque",
        "surface": "réponse du réseau",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def draw(net: Network, errors: Sequence[float], file: str, lang: str) -> None:
    """Side by side: the error of each epoch, and what the network answers in and around the square."""
    words = WORDS[lang]
    side = torch.linspace(-0.25, 1.25, 151, dtype=torch.float64)
    x1, x2 = torch.meshgrid(side, side, indexing="xy")
    with torch.no_grad():
        answers = net.layers(torch.stack([x1.flatten(), x2.flatten()], dim=1)).reshape(151, 151)
    grid = (side.numpy(), side.numpy(), answers.numpy())
    try:
        with plots.page(15, 7, path=file, lang=lang) as figure:
            left, right = figure.subplots(1, 2)
            plots.loss_curve(errors, xlabel=words["epoch axis"], ylabel=words["error"], axes=left, lang=lang)
            filled = right.contourf(*grid, levels=[i / 8 for i in range(-4, 9)], cmap="cividis", extend="both")
            right.contour(*grid, levels=[0.5], colors="white", linewidths=4, linestyles="dashed")
            right.plot([0, 1], [0, 1], "s", markersize=24, color="white", markeredgecolor="black", label="XOR = 0")
            right.plot([0, 1], [1, 0], "o", markersize=24, color="black", markeredgecolor="white", label="XOR = 1")
            right.set(xlabel="x₁", ylabel="x₂", xticks=[0, 1], yticks=[0, 1], aspect="equal")
            right.grid(False)
            figure.legend(loc="outside upper right", ncols=2)
            figure.colorbar(filled, ax=right, ticks=[-0.5, 0, 0.5, 1], label=words["surface"])
    except ImportError as missing:
        print(missing)
        return
    print(words["saved"].format(file=file))


def main(
    lang: str = "en",
    epochs: int = 1000,
    every: int = 1,
    seed: int = 1,
    picture: str | None = None,
    backend: str | None = None,
) -> None:
    words = WORDS[lang]
    torch.manual_seed(seed)
    x_train, y_train = (torch.from_numpy(rows).double().unsqueeze(1) for rows in xor())  # each example is a matrix of one row

    print(words["title"])
    net = xor_network()
    errors = net.fit(x_train, y_train, epochs=epochs, learning_rate=0.1, every=every, lang=lang, backend=backend)
    print(words["answers"])
    for x, out, y in zip(x_train, net.predict(x_train), y_train, strict=True):
        print(f"{x.int().tolist()[0]}   {number(out.item(), '7.4f', lang)}   {y.item():4.0f}")
    print(words["seeds"].format(seed=seed))

    print(words["formulas"])
    backward_propagation(net, x_train[2], y_train[2], lang)
    if picture:
        draw(net, errors, picture, lang)
    if backend:
        program = net.step.source()
        print(words["program"], program[program.index("\n\n\n") :].strip(), sep="\n\n")  # without shapes and memory


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="XOR, learnt by the layers of course S0.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="200 epochs instead of 1000, one in 20 printed")
    parser.add_argument("--every", type=int, metavar="N", help="print one epoch in N (default: each)")
    parser.add_argument("--seed", type=int, default=1, help="where the random numbers start (default: %(default)s)")
    parser.add_argument("--picture", metavar="FILE", help="save the error curve and the answers as a picture")
    parser.add_argument(
        "--compile", dest="backend", nargs="?", const="numpy", choices=("numpy", "numba"), help="run each step as a program"
    )
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ∂ shows `?`, and the lesson goes on
    epochs, every = (200, 20) if options.quick else (1000, 1)
    main(options.lang, epochs, options.every or every, options.seed, options.picture, options.backend)
