"""S3: a network of 784, 20 and 10 neurons learns MNIST one image at a time, then reads the images that you choose.

    python examples/s3_mnist_one_by_one.py [--epochs 3] [--hidden 20] [--learn-rate 0.01] [--image N] [--sweep] [--picture FILE]
                                           [--data FOLDER] [--lang en|fr] [--quick] [--compile [numba]]

The course writes the way back by hand; here `loss.backward()` finds it. One thing differs. The course's listing updates w_h_o,
then computes delta_h with the new w_h_o (its lines 27 and 30). Here, as in any framework, all gradients are known before the
first update. delta_h differs by η ‖delta_o‖² h ⊙ h(1 − h), so that the two trainings are close, and not equal.

With --compile the training step becomes a program, and each epoch one call; with --compile numba, of machine code.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import datasets
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import plots


def network(inputs: int, hidden: int) -> list[torch.Tensor]:
    """w_i_h, b_i_h, w_h_o, b_h_o (i = input, h = hidden, o = output): weights at random in (−0.5, 0.5), biases 0."""
    torch.manual_seed(0)
    w_i_h, b_i_h = torch.rand(hidden, inputs) - 0.5, torch.zeros(hidden)
    w_h_o, b_h_o = torch.rand(10, hidden) - 0.5, torch.zeros(10)
    return [p.requires_grad_() for p in (w_i_h, b_i_h, w_h_o, b_h_o)]


def forward(parameters: Sequence[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """From images, one in a row, to their ten outputs before the sigmoid: o_pre = w_h_o h + b_h_o, h = σ(w_i_h img + b_i_h)."""
    w_i_h, b_i_h, w_h_o, b_h_o = parameters
    h = torch.sigmoid(F.linear(images, w_i_h, b_i_h))  # input -> hidden
    return F.linear(h, w_h_o, b_h_o)  # hidden -> output


def train(
    parameters: Sequence[torch.Tensor],
    images: torch.Tensor,
    labels: Sequence[int],
    epochs: int = 3,
    learn_rate: float = 0.01,
    backend: str | None = None,
) -> Iterator[float]:
    """Learn from one image after the other; for each epoch, yield the share of images that were read right on the way."""
    optimizer = torch.optim.SGD(parameters, lr=learn_rate)
    wanted = torch.eye(10, dtype=images.dtype)[list(labels)]  # a 3 wants 1 from output neuron 3, and 0 from the others
    images, wanted = images.unsqueeze(1), wanted.unsqueeze(1)  # each image, and what is wanted of it, a matrix of one row

    def step(img: torch.Tensor, l: torch.Tensor) -> torch.Tensor:  # noqa: E741 - the course's name
        o_pre = forward(parameters, img)
        loss = F.binary_cross_entropy_with_logits(o_pre, l, reduction="sum")  # the cross-entropy of o = σ(o_pre)
        loss.backward()  # it begins with ∂loss/∂o_pre = o − l, the course's delta_o
        optimizer.step()  # w ← w − η ∂loss/∂w
        optimizer.zero_grad()
        return o_pre.detach()

    compiled = torch.compile(step, backend=backend) if backend else None
    examples = list(zip(images, wanted, labels, strict=True))
    for _ in range(epochs):
        if compiled:  # the same steps, a whole epoch in one call
            answers = compiled.loop(images, wanted).numpy().argmax(axis=-1).ravel()
            nr_correct = int((answers == labels).sum())
        else:
            nr_correct = 0
            for img, l, label in examples:  # noqa: E741 - the course's name
                nr_correct += int(step(img, l).numpy().argmax()) == label
        yield nr_correct / len(labels)


def recognise(parameters: Sequence[torch.Tensor], images: torch.Tensor) -> Any:
    """The digit read in each image: the number of the output neuron that holds the largest value."""
    with torch.no_grad():
        return forward(parameters, images).argmax(dim=1).numpy()


# -- vary the epochs, the hidden neurons, the learning rate: what can be deduced? ------------------------------------------

Set = tuple[torch.Tensor, Any]  # images, one in a row, and their labels
Curve = dict[float, float]  # what was varied, and the accuracy that it gave


def vary(train_set: Set, test_set: Set, epochs: int, backend: str | None = None) -> dict[str, Curve]:
    """The accuracy on images never seen; what does not vary stays at `epochs`, 20 neurons and η = 0.01."""

    def accuracies(epochs: int, hidden: int = 20, learn_rate: float = 0.01) -> list[float]:
        parameters = network(train_set[0].shape[1], hidden)
        training = train(parameters, *train_set, epochs, learn_rate, backend)
        return [float((recognise(parameters, test_set[0]) == test_set[1]).mean()) for _ in training]

    long = accuracies(3 * epochs)
    return {
        "epochs": {n: long[n - 1] for n in sorted({1, (epochs + 1) // 2, epochs, 2 * epochs, 3 * epochs})},
        "hidden": {n: accuracies(epochs, hidden=n)[-1] for n in (2, 5, 10, 20, 50, 100)},
        "rate": {rate: accuracies(epochs, learn_rate=rate)[-1] for rate in (0.0001, 0.001, 0.01, 0.1, 1)},
    }


def deduce(found: dict[str, Curve], lang: str) -> str:
    """The course's closing question, and an answer in two sentences from what the sweep has found."""
    words = WORDS[lang]

    def shown(name: str, chosen: Sequence[float]) -> str:
        return " · ".join(f"{number(n, 'g', lang)} → {percent(found[name][n], lang)}" for n in chosen)

    longest, rates = max(found["epochs"]), found["rate"]
    low, best, high = min(rates), max(rates, key=rates.__getitem__), max(rates)
    chosen: dict[str, list[float]] = {"epochs": sorted({1, longest // 3, longest}), "hidden": [2, 20, 100]}
    chosen["rate"] = sorted({low, best, high})
    parts = {name: shown(name, values) for name, values in chosen.items()}
    gains = [np.diff([found[name][n] for n in chosen[name]]) for name in ("epochs", "hidden")]
    less_and_less = all((gain > 0).all() and (np.diff(gain) < 0).all() for gain in gains)
    first = words["less and less" if less_and_less else "mixed"]
    second = words["middle" if low < best < high else "edge"]
    return f"{words['question']}\n{first}\n{second}".format(best=number(best, "g", lang), **parts)


# -- words ---------------------------------------------------------------------------------------------------------------

WORDS = {
    "en": {
        "title": "A network of {inputs}, {hidden} and 10 neurons learns from {count} images, one at a time, η = {rate}.",
        "no mnist": "MNIST is not here: the 8×8 digits that ship with tinygrad_fr take its place.\n"
        'To have it, --data FOLDER or: python -c "from tinygrad_fr import datasets; datasets.mnist()"',
        "order": "All gradients first, then all updates; the course's listing updates w_h_o before it computes delta_h.",
        "epoch": "Epoch: {epoch}, Accuracy: {accuracy}",
        "unseen": "{count} images never seen: {accuracy}",
        "ask": "Enter a number between 0 and {last} (nothing to stop): ",
        "again": "A whole number between 0 and {last} is needed, not {text}.",
        "recognised": "the neural network has recognised the digit {digit}",
        "truth": "image {index}, label {label}",
        "value": "value of the output",
        "neuron": "output neuron",
        ":": ":",
        "%": "%",
        "bye": "Goodbye.",
        "sweep": "One choice varies, the others stay at {epochs} epochs, 20 neurons, η = 0.01. {count} images to learn from.",
        "unseen axis": "accuracy, images never seen",
        "epochs": "epochs",
        "hidden": "hidden neurons",
        "rate": "learning rate η",
        "question": "What can be deduced?",
        "less and less": "More epochs and more neurons help, less and less (epochs: {epochs}; neurons: {hidden}).",
        "mixed": "The number of epochs and that of neurons matter (epochs: {epochs}; neurons: {hidden}).",
        "middle": "The learning rate must be neither too small (too slow) nor too large (it overshoots): {rate}.",
        "edge": "The best learning rate tried is {best}: it is worth trying beyond it ({rate}).",
        "saved": "Picture: {file}",
    },
    "fr": {
        "title": "Un réseau de {inputs}, {hidden} et 10 neurones apprend sur {count} images, une à la fois, η = {rate}.",
        "no mnist": "MNIST n'est pas là : les chiffres 8×8 livrés avec tinygrad_fr le remplacent.\n"
        'Pour l\'avoir, --data DOSSIER ou : python -c "from tinygrad_fr import datasets; datasets.mnist()"',
        "order": "Tous les gradients, puis toutes les mises à jour ; le cours met w_h_o à jour avant de calculer delta_h.",
        "epoch": "Epoch : {epoch}, Précision : {accuracy}",
        "unseen": "{count} images jamais vues : {accuracy}",
        "ask": "Entrer un nombre entre 0 et {last} (rien pour finir) : ",
        "again": "Il faut un nombre entier entre 0 et {last}, et non {text}.",
        "recognised": "le réseau de neurones a reconnu le chiffre {digit}",
        "truth": "image {index}, étiquette {label}",
        "value": "valeur de la sortie",
        "neuron": "neurone de sortie",
        ":": " :",
        "%": " %",
        "bye": "Au revoir.",
        "sweep": "Un choix varie, les autres restent : {epochs} epochs, 20 neurones, η = 0,01. {count} images pour apprendre.",
        "unseen axis": "précision, images jamais vues",
        "epochs": "nombre d'epochs",
        "hidden": "neurones cachés",
        "rate": "taux d'apprentissage η",
        "question": "Que peut-on en déduire ?",
        "less and less": "Plus d'epochs ou de neurones, c'est mieux, mais de moins en moins (epochs : {epochs} ; "
        "neurones : {hidden}).",
        "mixed": "Le nombre d'epochs et celui des neurones comptent (epochs : {epochs} ; neurones : {hidden}).",
        "middle": "Le taux d'apprentissage ne doit être ni trop petit (trop lent) ni trop grand (on dépasse le but) : {rate}.",
        "edge": "Le meilleur taux d'apprentissage essayé est {best} : il faudrait essayer au-delà ({rate}).",
        "saved": "Image : {file}",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


def percent(share: float, lang: str) -> str:
    return number(100 * share, ".2f", lang) + WORDS[lang]["%"]


# -- pictures ------------------------------------------------------------------------------------------------------------


@functools.cache  # what is missing is said once
def pyplot(lang: str) -> Any:
    """matplotlib's pyplot, or None where it is not installed."""
    try:
        from matplotlib import pyplot
    except ImportError:
        print(plots.WORDS[lang]["no matplotlib"])
        return None
    return pyplot


def show(draw: Callable[[Any], None], file: str | None, lang: str) -> bool:
    """Draw into a file, or else in a window; False where neither can be done."""
    plt = pyplot(lang)
    if plt is None or (file is None and plt.get_backend().lower() == "agg"):  # agg: there is no screen
        return False
    with plt.rc_context({"font.size": 22}):
        figure = plt.figure(figsize=(16, 7.5), layout="constrained")
        draw(figure)
        if file is None:
            plt.show()
        else:
            figure.savefig(file)
            print(WORDS[lang]["saved"].format(file=file))
        plt.close(figure)
    return True


def look(parameters: Sequence[torch.Tensor], img: torch.Tensor, caption: str, file: str | None, lang: str) -> None:
    """Read an image, and show it with the ten outputs; where no picture can be had, the image alone, as text."""
    words = WORDS[lang]
    with torch.no_grad():
        outputs = torch.sigmoid(forward(parameters, img)).tolist()
    answer = words["recognised"].format(digit=outputs.index(max(outputs)))
    side = int(len(img) ** 0.5)
    pixels = img.reshape(side, side).numpy()

    def draw(figure: Any) -> None:
        figure.suptitle(answer)
        left, right = figure.subplots(1, 2)
        left.imshow(pixels, cmap="Greys")
        left.set(xlabel=caption, xticks=[], yticks=[])
        right.barh(range(10), outputs, color=["black" if value == max(outputs) else "silver" for value in outputs])
        right.set(xlabel=words["value"], ylabel=words["neuron"], xlim=(0, 1), yticks=range(10))
        right.invert_yaxis()
        right.xaxis.set_major_formatter(lambda value, _: number(value, ".1f", lang))

    if not show(draw, file, lang):
        print("", *as_text(pixels), sep="\n")
    print(f"{caption}{words[':']} {answer}")


def as_text(pixels: Any) -> list[str]:
    """An image as text: 8 × 8 pixels in shades, 28 × 28 in black points, two of them in a character."""
    if len(pixels) == 8:
        return ["".join(2 * " ░▒▓█"[round(4 * float(ink))] for ink in row).rstrip() for row in pixels]
    pairs = (pixels > 0.4).reshape(14, 2, 28)
    return ["".join(" ▄▀█"[2 * above + below] for above, below in zip(*pair, strict=True)).rstrip() for pair in pairs]


def draw_sweep(figure: Any, found: dict[str, Curve], lang: str) -> None:
    """The three curves of the sweep, side by side."""
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[4, 4, 5])
    for axes, (name, curve) in zip(panels, found.items(), strict=True):
        axes.plot(list(curve), [100 * share for share in curve.values()], "o-", color="black", linewidth=4, markersize=14)
        axes.set_xlabel(WORDS[lang][name])
        if name != "epochs":
            axes.set_xscale("log")
        axes.set_xticks(list(curve), [number(value, "g", lang) for value in curve])
        axes.minorticks_off()
        axes.grid(alpha=0.4)
    figure.get_layout_engine().set(wspace=0.06)
    panels[0].set(ylabel=WORDS[lang]["unseen axis"], ylim=(0, 100))
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:.0f}" + WORDS[lang]["%"])


# -- the program ---------------------------------------------------------------------------------------------------------


def load(folder: str | None, lang: str) -> tuple[Set, Set]:
    """MNIST if it is there, else the digits that ship with tinygrad_fr; an image is a row of pixels between 0 and 1."""
    try:
        sets = datasets.mnist(folder, download=False)
    except FileNotFoundError:
        print(WORDS[lang]["no mnist"])
        sets = datasets.digits()
    (images, labels), (test_images, test_labels) = sets
    return (torch.from_numpy(images), labels), (torch.from_numpy(test_images), test_labels)


def asked(count: int, lang: str) -> Iterator[int]:
    """The numbers of images that the user types, until an empty line or the end of the input."""
    words = WORDS[lang]
    while True:
        try:
            text = input(words["ask"].format(last=count - 1)).strip()
        except (EOFError, KeyboardInterrupt, RuntimeError):  # the last where there is no standard input at all
            text = ""
            print()
        if not text:
            print(words["bye"])
            return
        if text.isdecimal() and len(text) < 10 and int(text) < count:
            yield int(text)
        else:
            print(words["again"].format(text=text, last=count - 1))


def print_sweep(train_set: Set, test_set: Set, epochs: int, picture: str | None, lang: str, backend: str | None) -> None:
    words = WORDS[lang]
    print(words["sweep"].format(epochs=epochs, count=len(train_set[0])))
    found = vary(train_set, test_set, epochs, backend)
    for name, curve in found.items():
        values = [f"{number(value, 'g', lang)}{words[':']} {percent(share, lang)}" for value, share in curve.items()]
        print(f"  {words[name]:{24}}", *values, sep="  ")
    print(deduce(found, lang))
    show(lambda figure: draw_sweep(figure, found, lang), picture, lang)


def main(
    lang: str = "en",
    quick: bool = False,
    epochs: int | None = None,
    hidden: int = 20,
    learn_rate: float = 0.01,
    image: int | None = None,
    sweep: bool = False,
    picture: str | None = None,
    data: str | None = None,
    backend: str | None = None,
) -> None:
    words = WORDS[lang]
    (images, labels), test_set = load(data, lang)
    if image is not None and not 0 <= image < len(images):
        sys.exit(words["again"].format(text=image, last=len(images) - 1))
    epochs = epochs or (3 if quick or len(images) == 60_000 else 10)
    if sweep:
        count = min(len(images), 300 if quick else 10_000)
        print_sweep((images[:count], labels[:count].tolist()), test_set, epochs, picture, lang, backend)
        return

    count = min(len(images), 5000) if quick else len(images)
    rate = number(learn_rate, "g", lang)
    print(words["title"].format(inputs=images.shape[1], hidden=hidden, count=count, rate=rate))
    print(words["order"])
    parameters = network(images.shape[1], hidden)
    training = train(parameters, images[:count], labels[:count].tolist(), epochs, learn_rate, backend)
    for epoch, accuracy in enumerate(training):
        print(words["epoch"].format(epoch=epoch, accuracy=percent(accuracy, lang)), flush=True)
    unseen = float((recognise(parameters, test_set[0]) == test_set[1]).mean())
    print(words["unseen"].format(count=len(test_set[1]), accuracy=percent(unseen, lang)))

    for index in asked(len(images), lang) if image is None else [image]:
        caption = words["truth"].format(index=index, label=labels[index])
        look(parameters, images[index], caption, picture, lang)


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without η shows `?`, and the lesson goes on
    parser = argparse.ArgumentParser(description="A network learns MNIST one image at a time, then reads images: course S3.")
    parser.add_argument("--epochs", type=int, metavar="N", help="times through the images (default: 3; 8×8 digits: 10)")
    parser.add_argument("--hidden", type=int, metavar="N", default=20, help="neurons in the hidden layer (default: 20)")
    parser.add_argument("--learn-rate", type=float, metavar="η", default=0.01, help="the learning rate (default: 0.01)")
    parser.add_argument("--image", type=int, metavar="N", help="read this image, and do not ask")
    parser.add_argument("--sweep", action="store_true", help="vary epochs, neurons and learning rate: what can be deduced?")
    parser.add_argument("--picture", metavar="FILE", help="save what is shown as a picture, instead of a window")
    parser.add_argument("--data", metavar="FOLDER", help="where MNIST's files are (default: the folder of TINYGRAD_FR_DATA)")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="few images, in seconds")
    parser.add_argument(
        "--compile", dest="backend", nargs="?", const="numpy", choices=("numpy", "numba"), help="run each step as a program"
    )
    options = vars(parser.parse_args())
    for name in ("epochs", "hidden", "learn_rate"):
        if options[name] is not None and not options[name] > 0:
            parser.error(f"--{name.replace('_', '-')} is larger than 0, and {options[name]} is not")
    main(**options)
