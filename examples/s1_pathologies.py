"""S1: four things that go wrong in a network (vanishing, dead, exploding, saturated), each provoked on purpose, then cured.

    python examples/s1_pathologies.py [--lang en|fr] [--quick]
"""

import argparse
import math
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.__main__ import language

# -- too many layers: the gradient vanishes, or explodes -------------------------------------------------------------------


def deep(activation: nn.Module, spread: float = 1.0) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """Ten layers of 16 neurons and an output, always the same weights times `spread`; examples, and the answers wanted."""
    torch.manual_seed(0)
    net = nn.Sequential()
    for _ in range(10):
        layer = nn.Linear(16, 16)
        nn.init.normal_(layer.weight, std=spread * math.sqrt(2 / 16))
        nn.init.zeros_(layer.bias)
        net.append(layer)
        net.append(activation)
    net.append(nn.Linear(16, 1))
    return net, torch.randn(64, 16), torch.randn(64, 1)


def vanishing(activation: nn.Module) -> list[float]:
    """How large ∂C/∂W is in each of the ten layers, from the last, next to the cost, to the first."""
    net, x, y = deep(activation)
    nn.MSELoss()(net(x), y).backward()
    return [net[2 * layer].weight.grad.norm().item() for layer in reversed(range(10))]


def exploding(clip: float | None = None, steps: int = 200) -> tuple[list[float], list[float]]:
    """How large each update η ∂C/∂W is, and the cost before it. The training stops at an update that is not finite."""
    net, x, y = deep(nn.ReLU(), spread=1.5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.003)
    updates, costs = [], []
    for _ in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):  # NumPy would warn of what we want to see happen
            cost = nn.MSELoss()(net(x), y)
            optimizer.zero_grad()
            cost.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)  # the cure: shorten a gradient that is longer than this
            length = math.sqrt(sum(p.grad.double().pow(2).sum().item() for p in net.parameters()))
        costs.append(cost.item())
        updates.append(0.003 * length)
        if not math.isfinite(length):
            break
        optimizer.step()
    return updates, costs


# -- a neuron that starts badly: dead, or saturated ------------------------------------------------------------------------


class Story(NamedTuple):
    """What became of one neuron: its first gradient; the cost and the largest answer, before the training and after."""

    gradient: float
    cost: float
    largest: float
    cost_after: float
    largest_after: float


def neuron(activation: nn.Module, cost: nn.Module, bias: float, wanted: Callable[[torch.Tensor], torch.Tensor]) -> Story:
    """Train a = σ(w · x + b), which starts from w = (1, 1) and b = `bias`: 100 examples, 300 steps, η = 0.3."""
    torch.manual_seed(0)
    x = 2 * torch.rand(100, 2, dtype=torch.float64) - 1
    y = wanted(x)
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(bias, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w, b], lr=0.3)
    for step in range(301):
        a = activation(x @ w + b)
        C = cost(a, y)
        optimizer.zero_grad()
        C.backward()
        if step == 0:
            gradient, first_cost, first_largest = math.hypot(*w.grad.tolist(), b.grad.item()), C.item(), a.max().item()
        optimizer.step()
    return Story(gradient, first_cost, first_largest, C.item(), a.max().item())


def dead(activation: nn.Module) -> Story:
    """The bias is so low that z < 0 on each example. Wanted: x₁ + x₂ + 2, which is never negative."""
    return neuron(activation, nn.MSELoss(), bias=-3.0, wanted=lambda x: x.sum(1) + 2)


def saturated(activation: nn.Module, cost: nn.Module) -> Story:
    """The bias is so high that a sigmoid answers 1 to each example. Wanted: 0."""
    return neuron(activation, cost, bias=10.0, wanted=lambda x: 0 * x.sum(1))


# -- what is said of them --------------------------------------------------------------------------------------------------


def main(lang: str = "en") -> None:
    words = WORDS[lang]

    print(words["vanishing"])
    print(f"  {words['layer']:<8}", *(f"{layer:>7}" for layer in reversed(range(1, 11))))
    for name, activation in (("sigmoid", nn.Sigmoid()), ("ReLU", nn.ReLU())):
        norms = vanishing(activation)
        print(f"  {words.get(name, name):<8}", *(number(norm, ".0e", lang).rjust(7) for norm in norms))
        print(words["slower"].format(times=number(norms[0] / norms[-1], ".1f" if norms[0] < 10 * norms[-1] else ".0f", lang)))

    print(words["dead"])
    tell("ReLU", dead(nn.ReLU()), lang)
    tell("Leaky ReLU", dead(nn.LeakyReLU(0.1)), lang)

    print(words["exploding"])
    updates, costs = exploding()
    for step, (update, cost) in enumerate(zip(updates, costs, strict=True), 1):
        print(words["update"].format(step=step, update=number(update, ".0e", lang), cost=number(cost, ".0e", lang)))
    print(words["lost"])
    updates, costs = exploding(clip=1.0)
    said = {"steps": len(costs), "before": number(costs[0], ".2f", lang), "after": number(costs[-1], ".2f", lang)}
    print(words["clipped"].format(**said, update=number(max(updates), ".3f", lang)))

    print(words["saturated"])
    for z in (1.0, 10.0, 20.0):
        a = torch.sigmoid(torch.tensor(z, dtype=torch.float64)).item()
        print(f"  {f'σ({z:.0f})':<5} = {number(a, '.9f', lang)}   σ′ = σ (1 − σ) = {number(a * (1 - a), '.0e', lang)}")
    print(words["saturated neuron"])
    tell("sigmoid, (a − y)²", saturated(nn.Sigmoid(), nn.MSELoss()), lang)
    tell("tanh, (a − y)²", saturated(nn.Tanh(), nn.MSELoss()), lang)
    tell("Leaky ReLU, (a − y)²", saturated(nn.LeakyReLU(0.1), nn.MSELoss()), lang)
    tell("sigmoid, cross-entropy", saturated(nn.Sigmoid(), nn.BCELoss()), lang)


def tell(name: str, story: Story, lang: str) -> None:
    forms = {"gradient": ".0e", "cost": ".4f", "largest": ".4f", "cost_after": ".4f", "largest_after": ".4f"}
    said = {key: number(value, forms[key], lang) for key, value in story._asdict().items()}
    print(WORDS[lang]["story"].format(name=WORDS[lang].get(name, name), **said))


WORDS = {
    "en": {
        "vanishing": "1. Vanishing gradient: how large ∂C/∂W is in each of ten layers; the same weights, two functions",
        "layer": "layer",
        "slower": "           the gradient of layer 10 is {times} times that of layer 1",
        "dead": "\n2. Dead neuron: z < 0 on each of 100 examples; it should answer between 0 and 4; 300 steps",
        "story": "  {name:<26} gradient {gradient:>5}   cost {cost:>8} → {cost_after}   "
        "largest answer {largest:>7} → {largest_after}",
        "exploding": "\n3. Exploding gradient: ten layers of ReLU whose weights are 1.5 times too large, η = 0.003",
        "update": "  step {step}: update {update:>5}, cost {cost}",
        "lost": "  The update is not a number any more (nan): the network is lost, and the training stops here.",
        "clipped": "  Gradient clipped to length 1: no update beyond {update}, cost {before} → {after} in {steps} steps",
        "saturated": "\n4. Saturated neuron: the plateau of the sigmoid. At z = 1 it is not there yet; from about 5 on it is.",
        "saturated neuron": "  z is between 8 and 12 on each of 100 examples; the neuron should answer 0; 300 steps",
    },
    "fr": {
        "vanishing": "1. Disparition du gradient : taille de ∂C/∂W dans chacune des dix couches ; mêmes poids, deux fonctions",
        "layer": "couche",
        "slower": "           le gradient de la couche 10 vaut {times} fois celui de la couche 1",
        "dead": "\n2. Neurone mort : z < 0 pour chacun des 100 exemples ; il devrait répondre entre 0 et 4 ; 300 pas",
        "story": "  {name:<26} gradient {gradient:>5}   coût {cost:>8} → {cost_after}   "
        "plus grande réponse {largest:>7} → {largest_after}",
        "exploding": "\n3. Explosion du gradient : dix couches de ReLU dont les poids sont 1,5 fois trop grands, η = 0,003",
        "update": "  pas {step} : mise à jour {update:>5}, coût {cost}",
        "lost": "  La mise à jour n'est plus un nombre (nan) : le réseau est perdu, et l'entraînement s'arrête ici.",
        "clipped": "  Gradient raccourci à la longueur 1 : aucune mise à jour au-delà de {update}, "
        "coût {before} → {after} en {steps} pas",
        "saturated": "\n4. Neurone saturé : le plateau de la sigmoïde. En z = 1, elle n'y est pas encore ; "
        "à partir de 5 environ, elle y est.",
        "saturated neuron": "  z est entre 8 et 12 pour chacun des 100 exemples ; le neurone devrait répondre 0 ; 300 pas",
        "sigmoid": "sigmoïde",
        "sigmoid, (a − y)²": "sigmoïde, (a − y)²",
        "sigmoid, cross-entropy": "sigmoïde, entropie croisée",
    },
}


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French."""
    return format(value, form).replace(".", "," if lang == "fr" else ".")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Vanishing, dead, exploding, saturated, and what cures them: course S1.")
    parser.add_argument("--lang", choices=("en", "fr"), default=language())
    parser.add_argument("--quick", action="store_true", help="changes nothing here: the program is quick")
    options = parser.parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ∂ shows `?`, and the lesson goes on
    main(options.lang)
