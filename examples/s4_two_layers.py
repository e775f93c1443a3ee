"""S4: two layers of sigmoid neurons, one sample per column. First XOR, then MNIST by mini-batches, and 25 of its mistakes.

    python examples/s4_two_layers.py [--picture FILE] [--data FOLDER] [--lang en|fr] [--quick] [--compile [numba]]

The course derives dZ2, dW2, db2, dA1, dZ1, dW1 and db1 by hand; here `J.backward()` finds them. XOR prints the course's digits.
On MNIST, steps of η = 1 are so large that the training is chaotic: 1e-15 more in one weight is felt everywhere after 200 steps,
and rounding alone decides whether 90.8 % or 91.6 % of the test are read right. The costs are near the course's, and not equal.
With --compile the training step becomes a program. Where that adds in another order, as with Numba, it is such a rounding.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import datasets
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import plots


def initial(X: torch.Tensor, mid_layer: int, class_count: int) -> list[torch.Tensor]:
    """W1, b1, W2, b2 for the data X: weights at random, to break the symmetry, and biases 0. The numbers are the course's."""
    random = np.random.RandomState(1)  # np.random.seed(1)
    W1, b1 = random.rand(mid_layer, X.shape[0]), np.zeros((mid_layer, 1))
    W2, b2 = random.rand(class_count, mid_layer), np.zeros((class_count, 1))
    return [torch.tensor(p, dtype=X.dtype, requires_grad=True) for p in (W1, b1, W2, b2)]


def forward(parameters: Sequence[torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    """Z2, the outputs before their sigmoid; a column of X is a sample."""
    W1, b1, W2, b2 = parameters
    A1 = torch.sigmoid(W1 @ X + b1)
    return W2 @ A1 + b2


def train(
    parameters: Sequence[torch.Tensor],
    X: torch.Tensor,
    Y: torch.Tensor,
    learning_rate: float,
    iterations: int,
    batch_size: int,
    backend: str | None = None,
) -> Iterator[float]:
    """Descend the gradient of J, batch after batch of columns; yield the J of each iteration, from before its update."""
    optimizer = torch.optim.SGD(parameters, lr=learning_rate)

    def step(Xbatch: torch.Tensor, Ybatch: torch.Tensor) -> torch.Tensor:
        Z2 = forward(parameters, Xbatch)
        # J = −(1/m) Σ [y log A2 + (1 − y) log(1 − A2)] with A2 = σ(Z2), computed from Z2: log 0 never happens
        J: torch.Tensor = F.binary_cross_entropy_with_logits(Z2, Ybatch, reduction="sum") / Xbatch.shape[1]
        J.backward()
        optimizer.step()  # W ← W − η dW, b ← b − η db
        optimizer.zero_grad()
        return J

    run = torch.compile(step, backend=backend) if backend else step
    start = 0
    for _ in range(iterations):
        yield run(X[:, start : start + batch_size], Y[:, start : start + batch_size]).item()
        start = start + batch_size if start + batch_size < X.shape[1] else 0


def model(parameters: Sequence[torch.Tensor], X: torch.Tensor) -> torch.Tensor:
    """A2, the answers of the trained network."""
    with torch.no_grad():
        return torch.sigmoid(forward(parameters, X))


def report(costs: Iterator[float], iterations: int, lang: str) -> list[float]:
    """Train to the end and print the cost 20 times on the way; the costs of all iterations are returned."""
    kept = []
    for i, cost in enumerate(costs, 1):
        kept.append(cost)
        if i % (iterations // 20) == 0:
            print(WORDS[lang]["cost"].format(i=i, cost=number(cost, ".6f", lang)))
    return kept


def xor(lang: str, backend: str | None = None) -> list[float]:
    """XOR with two neurons, then one; all four samples in each step, η = 1."""
    x = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64).T
    y = torch.tensor([[0, 1, 1, 0]], dtype=torch.float64)
    parameters = initial(x, 2, 1)
    costs = report(train(parameters, x, y, learning_rate=1, iterations=2000, batch_size=4, backend=backend), 2000, lang)
    for (a, b), answer in zip(x.T.int().tolist(), model(parameters, x)[0], strict=True):
        print(f"{a} xor {b} = {int(answer > 0.5)}")
    return costs


Mistake = tuple[Any, int, int]  # an image, what was read, what it is


def digits(
    train_set: Any, test_set: Any, iterations: int, lang: str, backend: str | None = None
) -> tuple[list[float], list[Mistake]]:
    """Handwritten digits: 50 neurons, then 10; mini-batches of 64, η = 1. The costs, and the mistakes in the test."""
    (x_train, y_train), (x_test, y_test) = train_set, test_set
    mus, sigmas = x_train.mean(axis=0), x_train.std(axis=0)
    X_train, X_test = (torch.from_numpy((x - mus) / (1e-9 + sigmas)).T for x in (x_train, x_test))
    Y_train = torch.from_numpy(y_train == np.arange(10)[:, None]).to(X_train.dtype)  # 10 rows, one per class
    parameters = initial(X_train, 50, 10)
    costs = report(train(parameters, X_train, Y_train, 1, iterations, 64, backend), iterations, lang)

    results = [model(parameters, X).argmax(dim=0).numpy() for X in (X_train, X_test)]
    for name, result, y in zip(("train ratio", "test ratio"), results, (y_train, y_test), strict=True):
        print(WORDS[lang][name].format(ratio=number(100 * (result == y).mean(), ".2f", lang)))
    return costs, [(x_test[i], int(results[1][i]), int(y_test[i])) for i in np.flatnonzero(results[1] != y_test)]


# -- words ---------------------------------------------------------------------------------------------------------------

WORDS = {
    "en": {
        "xor": "XOR: layers of 2 and 1 neurons, 4 samples in each step, η = 1",
        "digits": "\nHandwritten digits of {side} × {side} pixels: layers of 50 and 10 neurons, batches of 64, η = 1\n"
        "{train} samples to learn from, {test} for the test",
        "no mnist": "MNIST is not here: the 8×8 digits that ship with tinygrad_fr take its place.\n"
        'To have it, --data FOLDER or: python -c "from tinygrad_fr import datasets; datasets.mnist()"',
        "cost": "Cost after iteration {i}: {cost}",
        "train ratio": "Accuracy on training set: {ratio}%",
        "test ratio": "Accuracy on test set: {ratio}%",
        "mistakes": "\nMistakes in the test: {count}, shown: {shown}",
        "mistake": "read {result}, is {real}",
        "cost axis": "cost, XOR",
        "digits axis": "cost, digits",
        "iteration axis": "iteration",
        "saved": "Picture: {file}",
    },
    "fr": {
        "xor": "XOR : couches de 2 et 1 neurones, 4 exemples à chaque pas, η = 1",
        "digits": "\nChiffres manuscrits de {side} × {side} pixels : couches de 50 et 10 neurones, mini-batches de 64, η = 1\n"
        "{train} exemples pour apprendre, {test} pour le test",
        "no mnist": "MNIST n'est pas là : les chiffres 8×8 livrés avec tinygrad_fr le remplacent.\n"
        'Pour l\'avoir, --data DOSSIER ou : python -c "from tinygrad_fr import datasets; datasets.mnist()"',
        "cost": "Coût après l'itération {i} : {cost}",
        "train ratio": "Précision sur le jeu d'entraînement : {ratio} %",
        "test ratio": "Précision sur le jeu de test : {ratio} %",
        "mistakes": "\nErreurs au test : {count}, montrées : {shown}",
        "mistake": "lu {result}, c'est {real}",
        "cost axis": "coût, XOR",
        "digits axis": "coût, chiffres",
        "iteration axis": "itération",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


# -- pictures ------------------------------------------------------------------------------------------------------------


def draw(xor_costs: Sequence[float], digit_costs: Sequence[float], mistakes: Sequence[Mistake], file: str, lang: str) -> bool:
    """Both cost curves and the grid of mistakes, in a picture; False where matplotlib is missing."""
    words = WORDS[lang]
    try:
        with plots.page(19, 10.5, path=file, lang=lang) as figure:
            halves: Any = figure.subfigures(1, 2, width_ratios=[2, 3])
            curves, grid = halves
            labelled = (xor_costs, "cost axis"), (digit_costs, "digits axis")
            for axes, (costs, label) in zip(curves.subplots(2), labelled, strict=True):
                step = len(costs) // 100
                places = range(step, len(costs) + 1, step)
                said = {"xlabel": words["iteration axis"], "ylabel": words[label]}
                plots.loss_curve(costs[step - 1 :: step], x=places, **said, axes=axes, lang=lang)
            for axes in (tiles := grid.subplots(-(-len(mistakes) // 5) or 1, 5).ravel()):
                axes.set_axis_off()
            for axes, (image, result, real) in zip(tiles, mistakes, strict=False):
                axes.imshow(image.reshape(side(image), side(image)), cmap="Greys")
                axes.set_title(words["mistake"].format(result=result, real=real))
    except ImportError as missing:
        print(missing)
        return False
    print(words["saved"].format(file=file))
    return True


def side(image: Any) -> int:
    return int(len(image) ** 0.5)


def as_text(image: Any) -> list[str]:
    """An image in 8 lines of 16 characters: 8 × 8 pixels in shades, 28 × 28 in black points, two of them in a character."""
    pixels = image.reshape(side(image), side(image))
    if len(pixels) == 8:
        return ["".join(2 * " ░▒▓█"[round(4 * float(ink))] for ink in row) for row in pixels]
    points = np.kron(pixels[2:26, 2:26], np.ones((2, 2))).reshape(16, 3, 16, 3).mean(axis=(1, 3)) > 0.4
    return ["".join(" ▄▀█"[2 * above + below] for above, below in zip(*pair, strict=True)) for pair in points.reshape(8, 2, 16)]


def print_grid(mistakes: Sequence[Mistake], lang: str) -> None:
    """The mistakes as text, five in a row."""
    for first in range(0, len(mistakes), 5):
        row = mistakes[first : first + 5]
        print()
        for line in zip(*(as_text(image) for image, _, _ in row), strict=True):
            print("".join(line).rstrip())
        captions = [WORDS[lang]["mistake"].format(result=result, real=real) for _, result, real in row]
        print("".join(caption.center(16) for caption in captions).rstrip())


# -- the program ---------------------------------------------------------------------------------------------------------


def load(folder: str | None, lang: str) -> Any:
    """MNIST if it is there, else the digits that ship with tinygrad_fr."""
    try:
        return datasets.mnist(folder, download=False)
    except FileNotFoundError:
        print("\n" + WORDS[lang]["no mnist"])
        return datasets.digits()


def main(
    lang: str = "en",
    quick: bool = False,
    data: str | None = None,
    picture: str | None = None,
    backend: str | None = None,
) -> None:
    words = WORDS[lang]
    print(words["xor"])
    xor_costs = xor(lang, backend)

    train_set, test_set = load(data, lang)
    small = quick or len(train_set[0]) < 60_000
    print(words["digits"].format(side=side(train_set[0][0]), train=len(train_set[0]), test=len(test_set[0])))
    digit_costs, mistakes = digits(train_set, test_set, 1000 if small else 20_000, lang, backend)

    print(words["mistakes"].format(shown=len(mistakes[:25]), count=len(mistakes)))
    if not (picture and draw(xor_costs, digit_costs, mistakes[:25], picture, lang)):
        print_grid(mistakes[:25], lang)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without η shows `?`, and the lesson goes on
    parser = argparse.ArgumentParser(description="XOR, then handwritten digits, with one sample per column: course S4.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="1,000 iterations on the digits instead of 20,000")
    parser.add_argument("--data", metavar="FOLDER", help="where MNIST's files are (default: that of TINYGRAD_FR_DATA)")
    parser.add_argument("--picture", metavar="FILE", help="save the cost curves and the mistakes as a picture, not as text")
    parser.add_argument(
        "--compile", dest="backend", nargs="?", const="numpy", choices=("numpy", "numba"), help="run each step as a program"
    )
    main(**vars(parser.parse_args()))
