"""Draw the pictures of teaching.md and enseigner.md again: python docs/make_pictures.py

What stands below the first rule is quoted in both pages. It runs once in each language, and leaves its pictures in
docs/pictures/en and docs/pictures/fr. The drawings need a Graphviz, the plots matplotlib, and the picture of the page Chromium.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image  # it comes with matplotlib

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.datasets import digits, xor
from tinygrad_fr.diagnosis import diagnose
from tinygrad_fr.visual import Snapshot, draw, draw_network, plots, watch

PICTURES = Path(__file__).resolve().parent / "pictures"
if len(sys.argv) != 2:
    for lang in ("en", "fr"):
        (PICTURES / lang).mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, lang], check=True, env={**os.environ, "LC_ALL": lang})
    sys.exit()
os.chdir(PICTURES / sys.argv[1])


def photograph(page: str, step: int) -> None:
    """A picture of the page at one of its steps, in the place of the page; the former picture where there is no Chromium."""
    text = Path(page).read_text(encoding="utf-8")
    Path(page).unlink()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        return
    moved = f"slider.value = {step}; slider.dispatchEvent(new Event('input', {{bubbles: true}}))"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / page
        copy.write_text(text.replace("</body>", f"<script>{moved}</script></body>"), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1400,760", "--screenshot=page.png"]
        options.append("--virtual-time-budget=2000")  # until everything lies still: the same picture each time
        subprocess.run([chromium, *options, copy.as_uri()], check=True, capture_output=True)


# -- the graph of a loss ---------------------------------------------------------------------------------------------------

w1, w2, b = (torch.tensor(value, requires_grad=True) for value in (1.0, 1.0, 0.0))
x1, x2 = torch.tensor(-2.0), torch.tensor(-1.0)
y_hat = torch.sigmoid(w1 * x1 + w2 * x2 + b)
L = (1 - y_hat) ** 2

draw(L, view="both", formulas=True).render("graph.svg")

a = torch.tensor(3.0, requires_grad=True)
b = a + a
c = b * b
draw(c, view="both").render("twice.svg")

net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
torch.manual_seed(0)
for layer in (net[0], net[2]):
    layer.reset_parameters()
inputs, wanted = (torch.from_numpy(rows) for rows in xor())
with watch() as watched:
    loss = nn.functional.mse_loss(net(inputs), wanted)
watched.snapshot(loss, model=net).graphviz(collapse=True).render("modules.svg")

# -- the network -----------------------------------------------------------------------------------------------------------

draw_network(net, input=inputs[2]).render("network.svg")

# -- the page --------------------------------------------------------------------------------------------------------------

w1, w2, w3, w4, w5, w6 = (torch.tensor(1.0, requires_grad=True) for _ in range(6))
b1, b2, b3 = (torch.tensor(0.0, requires_grad=True) for _ in range(3))
h1 = torch.sigmoid(w1 * x1 + w2 * x2 + b1)
h2 = torch.sigmoid(w3 * x1 + w4 * x2 + b2)
y_hat = torch.sigmoid(w5 * h1 + w6 * h2 + b3)
L = (1 - y_hat) ** 2

Snapshot(L).html("page.html", digits=3)

photograph("page.html", step=21)

# -- diagnosis -------------------------------------------------------------------------------------------------------------

torch.manual_seed(0)
deep = nn.Sequential(*[layer for _ in range(10) for layer in (nn.Linear(16, 16), nn.Sigmoid())], nn.Linear(16, 1))
loss = nn.functional.mse_loss(deep(torch.randn(64, 16)), torch.randn(64, 1))
report = diagnose(deep, loss)
plots.gradient_norms(report, path="vanishing.png")

torch.manual_seed(0)
dead = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
nn.init.constant_(dead[0].bias, -10.0)
with watch() as watched:
    loss = nn.functional.mse_loss(dead(torch.rand(50, 4)), torch.ones(50, 1))
report = diagnose(dead, watched.snapshot(loss, model=dead))
draw(report.snapshot, marks=report.marks, view="both", collapse=True).render("marks.svg")

# -- plots -----------------------------------------------------------------------------------------------------------------

torch.manual_seed(0)
angle, kind = torch.pi * torch.rand(200), torch.arange(200) % 2
sign = 1.0 - 2.0 * kind
points = torch.stack([kind + sign * torch.cos(angle), 0.5 * kind + sign * torch.sin(angle)], dim=1)
points = points + 0.15 * torch.randn(200, 2)

losses = {}
for lr in (10, 3, 1):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses[f"η = {lr}"] = []
    for _ in range(200):
        loss = nn.functional.cross_entropy(model(points), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[f"η = {lr}"].append(loss.item())

plots.loss_curve(losses, log=True, path="loss.png")

plots.decision_boundary(model, points, kind, path="boundary.png")

plots.activations(["sigmoid", "tanh", "relu", nn.LeakyReLU(0.1)], path="activations.png")

(images, labels), (test_images, test_labels) = digits()
x, y = torch.from_numpy(images), torch.from_numpy(labels)
torch.manual_seed(0)
reader = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
optimizer = torch.optim.SGD(reader.parameters(), lr=0.5)
for _ in range(300):
    loss = nn.functional.cross_entropy(reader(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

report = diagnose(reader, nn.functional.cross_entropy(reader(x), y))
plots.histograms(report, path="histograms.png")

with torch.no_grad():
    guesses = reader(torch.from_numpy(test_images)).argmax(dim=1).numpy()
some = [*range(5), *(guesses != test_labels).nonzero()[0][:5]]
plots.predictions(test_images[some], guesses[some], test_labels[some], path="predictions.png")

plots.weight_images(reader[0], path="weights.png")

# ----------------------------------------------------------------------------------------------------------------------------

for picture in Path().glob("*.png"):  # 256 colours are enough
    Image.open(picture).convert("RGB").quantize(256).save(picture, optimize=True)
