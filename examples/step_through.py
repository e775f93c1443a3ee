"""See backpropagation: three pages that step forward, backward and through the update, to be opened in any browser.

    python examples/step_through.py [--lang en|fr] [--quick] [--out tinygrad_fr_pages] [--exercise]

The network that course S2 derives by hand, a training step on XOR (S0), and a weight that is used twice. Each page is one file
that needs no network; with --exercise it opens with blanks to be filled in.
"""

import argparse
from pathlib import Path

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.__main__ import language
from tinygrad_fr.visual import Snapshot, watch

WORDS = {
    "en": {
        "by hand": "The network that S2 derives by hand",
        "xor": "One step of training on XOR",
        "twice": "A quantity used twice: its contributions add up",
        "written": "{title}: {file}",
    },
    "fr": {
        "by hand": "Le réseau que S2 dérive à la main",
        "xor": "Un pas d'entraînement sur XOR",
        "twice": "Une grandeur utilisée deux fois : ses contributions s'ajoutent",
        "written": "{title} : {file}",
    },
}


def by_hand() -> Snapshot:
    """S2, section 0.4: every weight is 1 and every bias 0, Alice is (−2, −1), and the answer wanted is 1."""
    w1, w2, w3, w4, w5, w6 = (torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(6))
    b1, b2, b3 = (torch.tensor(0.0, dtype=torch.float64, requires_grad=True) for _ in range(3))
    x1, x2, y = (torch.tensor(value, dtype=torch.float64) for value in (-2.0, -1.0, 1.0))
    h1 = torch.sigmoid(w1 * x1 + w2 * x2 + b1)
    h2 = torch.sigmoid(w3 * x1 + w4 * x2 + b2)
    y_hat = torch.sigmoid(w5 * h1 + w6 * h2 + b3)
    L = (y - y_hat) ** 2
    return Snapshot(L)  # it finds the names by itself


def xor() -> tuple[Snapshot, optim.SGD]:
    """A network 2-3-1 with tanh, the four examples at once; the snapshot looks again after the step."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with watch() as watched:  # so that each result is drawn inside its module
        loss = nn.functional.mse_loss(net(x), y)
    snapshot = watched.snapshot(loss, model=net)  # before backward() frees the graph
    loss.backward()
    optimizer.step()
    return snapshot.look(), optimizer


def twice() -> Snapshot:
    """b = a + a, c = b × b: a is reached along four paths."""
    a = torch.tensor(3.0, requires_grad=True)
    b = a + a
    c = b * b
    return Snapshot(c)


def main(lang: str, folder: str = "tinygrad_fr_pages", exercise: bool = False) -> list[Path]:
    """Write the three pages, and say where they are."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    step, optimizer = xor()
    written = []
    for name, snapshot, used in (("by hand", by_hand(), None), ("xor", step, optimizer), ("twice", twice(), None)):
        file = Path(folder) / f"{name.replace(' ', '_')}.html"
        title = {spoken: words[name] for spoken, words in WORDS.items()}
        written.append(snapshot.html(file, lang=lang, title=title, exercise=exercise, optimizer=used, digits=3))
        print(WORDS[lang]["written"].format(title=WORDS[lang][name], file=file))
    return written


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pages that step through backpropagation, forward, backward and update.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language(), help="what to speak (here: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="nothing changes: it is quick")
    parser.add_argument("--out", default="tinygrad_fr_pages", metavar="FOLDER", help="where the pages go (%(default)s)")
    parser.add_argument("--exercise", action="store_true", help="open the pages with blanks to be filled in")
    options = parser.parse_args()
    main(options.lang, options.out, options.exercise)
