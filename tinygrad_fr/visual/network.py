"""Draw a network as the course does on its first slide: columns of neurons, and a line for each weight.

>>> import tinygrad_fr as torch
>>> from tinygrad_fr import nn
>>> from tinygrad_fr.visual import draw_network
>>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Sigmoid())
>>> drawing = draw_network(net, input=torch.tensor([1.0, 0.0]))  # drawing.render("net.svg") writes a file
>>> len(drawing.picture.arrows)
9
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.language import language
from tinygrad_fr.modes import no_grad
from tinygrad_fr.nn import module as modules
from tinygrad_fr.nn.activations import Activation
from tinygrad_fr.nn.layers import Dropout, Flatten, Identity, Linear
from tinygrad_fr.nn.module import Hooks, Module
from tinygrad_fr.operation import REGISTRY
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.visual.cells import Cell, Row, Style, number
from tinygrad_fr.visual.dot import check
from tinygrad_fr.visual.notation import LOWERED, RAISED
from tinygrad_fr.visual.picture import THEMES, Arrow, Box, Drawing, Picture
from tinygrad_fr.visual.words import WORDS, counted

SHOWN = 7
"""A layer of more neurons than this is shortened: the first ones, dots, the last."""

LABELLED = 16
"""No more weights than this are written beside their lines."""

ACROSS, DOWN = 2.4, 1.05
"""How far columns and neurons stand apart, in inches."""


class Layer(NamedTuple):
    """What a layer computes: f(x Wᵗ + b).

    Attributes:
        weight: a row for each neuron.
        bias: a number for each neuron, or None.
        activation: how f is written; "" where there is none.
        output: the values of the neurons, where the network was given an input.
    """

    weight: NDArray[Any]
    bias: NDArray[Any] | None
    activation: str = ""
    output: NDArray[Any] | None = None


def draw_network(
    model: Module | Sequence[tuple[Any, ...]],
    *,
    input: Any = None,
    theme: Literal["light", "dark", "print"] = "light",
    lang: Literal["en", "fr"] | None = None,
    legend: bool = True,
    precision: int = 2,
) -> Drawing:
    """The network as layers of neurons: a positive weight is a solid line, a negative one dashed, the wider the larger.

    Args:
        model: a model made of `nn.Linear` and activations, one after the other; or the layers of a network without modules,
            as (weight, bias) or (weight, bias, "tanh"), for x @ weight + bias.
        input: one example; the neurons then show what they compute from it.
        theme: "light", "dark", or "print", black on white.
        lang: "en" or "fr"; the user's own if left out.
        legend: say below what the lines mean.
        precision: how many decimals.

    Raises:
        TypeError: for a layer that has no such drawing.
        ValueError: when a layer does not take what the one before gives, or the input is not one example for this network.
    """
    spoken = lang or language()
    check("theme", theme, tuple(THEMES))
    check("lang", spoken, tuple(WORDS))
    example = None if input is None else _example(input)
    layers = _of_module(model) if isinstance(model, Module) else [_of_tuple(layer) for layer in model]
    if not layers:
        raise ValueError("this network has no layer to draw: it needs an nn.Linear at least")
    for i, (one, two) in enumerate(pairwise(layers), 1):
        if len(one.weight) != two.weight.shape[1]:
            raise ValueError(f"layer {i} gives {len(one.weight)} numbers, and layer {i + 1} takes {two.weight.shape[1]}")
    if example is not None:
        if example.size != layers[0].weight.shape[1]:
            raise ValueError(f"one example of {layers[0].weight.shape[1]} numbers is needed, got the shape {example.shape}")
        layers = _through(model, layers, input) if isinstance(model, Module) else _computed(layers, example.reshape(-1))
    return Drawing.of(_picture(layers, example, Style(precision, spoken), theme, legend))


# -- reading the network -----------------------------------------------------------------------------------------------


def _array(value: Any) -> NDArray[Any]:
    return value._array if isinstance(value, Tensor) else np.asarray(value)


def _example(value: Any) -> NDArray[Any]:
    return np.asarray(_array(value), dtype=np.float64)


def _leaves(model: Module) -> list[Module]:
    return [module for module in model.modules() if not any(True for _ in module.children())]


def _of_module(model: Module) -> list[Layer]:
    """The layers of a model, in the order of its modules."""
    layers: list[Layer] = []
    for module in _leaves(model):
        if isinstance(module, Linear):
            layers.append(Layer(module.weight._array, None if module.bias is None else module.bias._array))
        elif isinstance(module, Activation) and layers:
            layers[-1] = layers[-1]._replace(activation=_symbol(type(module).__name__))
        elif not isinstance(module, (Dropout, Flatten, Identity)):
            name = type(module).__name__
            raise TypeError(
                f"a network is drawn from nn.Linear and activations, and {name} is neither; give its layers as "
                "[(weight, bias, 'tanh'), ...] for x @ weight + bias, or draw the graph of its loss with `draw`."
            )
    return layers


def _of_tuple(layer: tuple[Any, ...]) -> Layer:
    weight, bias, activation = (*layer, None, None)[:3] if len(layer) < 3 else layer[:3]
    table = _array(weight)
    if table.ndim != 2:
        raise ValueError(f"the weight of a layer has two axes (inputs × neurons), got the shape {table.shape}")
    return Layer(table.T, None if bias is None else _array(bias).reshape(-1), activation or "")


def _symbol(name: str) -> str:
    """σ for Sigmoid: as the operation of that name is drawn."""
    declared = REGISTRY.get(name.lower())
    return declared.symbol if declared is not None else name


def _through(model: Module, layers: list[Layer], input: Any) -> list[Layer]:
    """What each neuron gives for an example: the network is run, not in training, and left as it was."""
    read: list[NDArray[Any]] = []  # by each layer: what the one before has given, after its activation

    def note(module: Module, args: Any, output: Any) -> None:
        if isinstance(module, Linear):
            read.append(_array(args[0]).reshape(-1))

    training = {module: module.training for module in model.modules()}
    hooks, before = Hooks(), modules.everywhere
    hooks.after.append([(note, False, False)])
    try:
        modules.everywhere = hooks
        model.eval()
        with no_grad():
            given = model(Tensor(_array(input).astype(layers[0].weight.dtype)))
    finally:
        modules.everywhere = before
        for module, mode in training.items():
            module.training = mode
    outputs = [*read[1:], _array(given).reshape(-1)]
    if [output.size for output in outputs] != [len(layer.weight) for layer in layers]:
        raise ValueError("the layers of this network do not run one after the other, in the order in which it holds them")
    return [layer._replace(output=output) for layer, output in zip(layers, outputs, strict=True)]


def _computed(layers: list[Layer], example: NDArray[Any]) -> list[Layer]:
    """The same for layers that are given as arrays; f is the operation of that name."""
    found = []
    for layer in layers:
        z = layer.weight @ example + (0 if layer.bias is None else layer.bias)
        if layer.activation and layer.activation not in REGISTRY:
            raise ValueError(f"the activation {layer.activation!r} is not known: 'tanh', 'sigmoid' and 'relu' are")
        example = REGISTRY[layer.activation].forward(z) if layer.activation else z
        found.append(layer._replace(output=example))
    return found


# -- drawing it --------------------------------------------------------------------------------------------------------


def _picture(layers: list[Layer], example: NDArray[Any] | None, style: Style, theme: str, legend: bool) -> Picture:
    words = WORDS[style.lang]
    sizes = [layers[0].weight.shape[1], *(len(layer.weight) for layer in layers)]
    columns = [_shown(size) for size in sizes]
    tallest = max(map(len, columns))
    values = [example, *(layer.output for layer in layers)]
    boxes: list[Box] = []
    place: dict[tuple[int, int], tuple[float, float]] = {}
    for depth, column in enumerate(columns):
        for row, i in enumerate(column):
            at = depth * ACROSS, ((len(column) - 1) / 2 - row) * DOWN
            if i is None:
                boxes.append(Box(f"d{depth}", "text", [(Cell("⋮", size=24),)], at=at))
                continue
            place[depth, i] = at
            name = _name(depth, i, sizes)
            value = values[depth]
            rows: list[Row] = [(Cell(name, bold=True, align="middle"),)]
            if value is not None:
                rows.append((Cell(_number(value.reshape(-1)[i], style), size=12, align="middle"),))
            elif depth and layers[depth - 1].activation:
                rows.append((Cell(_symbol(layers[depth - 1].activation), "soft", size=11, align="middle"),))
            boxes.append(Box(f"n{depth}_{i}", "neuron" if depth else "input", rows, at=at, tooltip=name))
            bias = layers[depth - 1].bias if depth else None
            if bias is not None:
                text = f"{words['bias']} {_number(bias[i], style)}"
                boxes.append(Box(f"b{depth}_{i}", "text", [(Cell(text, "soft", size=11),)], at=(at[0], at[1] - 0.49)))
        below = -((tallest - 1) / 2 * DOWN + 0.95)
        boxes.append(Box(f"c{depth}", "text", _title(depth, sizes, layers, words), at=(depth * ACROSS, below)))
    arrows, labels = _weights(layers, columns, place, style)
    total = sum(layer.weight.size + (0 if layer.bias is None else layer.bias.size) for layer in layers)
    caption = words["network"].format(sizes="-".join(map(str, sizes))) + f" · {counted(words, 'parameter', total)}"
    kinds = [kind for kind in ("positive", "negative") if any(arrow.kind == kind for arrow in arrows)]
    entries = [(kind, words[kind]) for kind in kinds] + [("text", words["width"])]
    return Picture(boxes + labels, arrows, caption=caption, legend=entries if legend else [], theme=theme)


def _number(value: Any, style: Style) -> str:
    """A number without powers of ten: what is too small to be seen is 0."""
    return number(round(float(value), style.precision), style)


def _shown(size: int) -> list[int | None]:
    """The neurons of a layer that are drawn; None for the dots."""
    return list(range(size)) if size <= SHOWN else [*range(SHOWN - 3), None, size - 2, size - 1]


def _name(depth: int, i: int, sizes: Sequence[int]) -> str:
    """x₁ in the first column, ŷ₁ in the last, h₁ between; h₁⁽²⁾ in the second of several hidden layers."""
    letter = "x" if depth == 0 else "ŷ" if depth == len(sizes) - 1 else "h"
    layer = f"⁽{str(depth).translate(RAISED)}⁾" if letter == "h" and len(sizes) > 3 else ""
    return letter if sizes[depth] == 1 and letter != "h" else letter + str(i + 1).translate(LOWERED) + layer


def _title(depth: int, sizes: Sequence[int], layers: list[Layer], words: dict[str, str]) -> list[Row]:
    """What stands below a column: its part in the network, how many neurons it has, and what they do."""
    if depth == 0:
        name, what = words["input"], counted(words, "number", sizes[0])
    else:
        last, activation = depth == len(sizes) - 1, layers[depth - 1].activation
        name = words["output"] if last else words["hidden"].format(number=depth) if len(sizes) > 3 else words["one hidden"]
        what = counted(words, "neuron", sizes[depth]) + (f" · {_symbol(activation)}" if activation else "")
    return [(Cell(name, bold=True, align="middle"),), (Cell(what, "soft", size=12, align="middle"),)]


def _weights(
    layers: list[Layer], columns: list[list[int | None]], place: dict[tuple[int, int], tuple[float, float]], style: Style
) -> tuple[list[Arrow], list[Box]]:
    """A line for each weight between neurons that are drawn; if they are few, with its number near the neuron it goes to."""
    arrows, labels = [], []
    for depth, layer in enumerate(layers, 1):
        shown = [(j, i) for j in columns[depth] if j is not None for i in columns[depth - 1] if i is not None]
        known = np.abs(layer.weight[np.isfinite(layer.weight)])
        largest = float(known.max()) if known.size else 0.0
        for j, i in shown:
            weight = float(layer.weight[j, i])
            share = abs(weight) / largest if largest and np.isfinite(weight) else 1.0
            tail, head = f"n{depth - 1}_{i}", f"n{depth}_{j}"
            few = len(shown) <= LABELLED
            width = 0.5 + (4 if few else 2) * share
            arrows.append(Arrow(f"w{depth}_{j}_{i}", tail, head, "negative" if weight < 0 else "positive", width=width))
            if few:
                (x0, y0), (x1, y1) = place[depth - 1, i], place[depth, j]
                at = x0 + NEAR * (x1 - x0), y0 + NEAR * (y1 - y0)
                labels.append(Box(f"l{depth}_{j}_{i}", "text", [(Cell(_number(weight, style), size=11),)], at=at))
    return arrows, labels


NEAR = 0.68
"""Where on its line the number of a weight stands."""
