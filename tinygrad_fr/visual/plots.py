"""The plots that a lesson shows, made with matplotlib: losses, boundaries, activation functions, layers, images.

matplotlib is optional. Each function draws one figure, returns it, and saves it where `path=` says; with `axes=` it draws in a
place of a figure of your own, made with `page`. What has to be told apart never differs by colour alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.graph import grad
from tinygrad_fr.language import language
from tinygrad_fr.modes import enable_grad, no_grad
from tinygrad_fr.nn import functional
from tinygrad_fr.nn.module import Module
from tinygrad_fr.tensor import Tensor, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinygrad_fr.diagnosis import Diagnosis

Values = NDArray[Any]

# -- the page --------------------------------------------------------------------------------------------------------------

STYLE: dict[str, Any] = {
    "font.size": 17, "axes.titlesize": 19, "lines.linewidth": 3, "lines.markersize": 10, "axes.grid": True, "grid.alpha": 0.35,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "legend.frameon": False,
    "figure.constrained_layout.use": True, "savefig.dpi": 100, "hatch.linewidth": 1.0, "hatch.color": "#9a9a9a",
    "figure.constrained_layout.w_pad": 0.12, "figure.constrained_layout.h_pad": 0.08, "svg.hashsalt": "tinygrad_fr",
}  # fmt: skip
"""Sizes that can be read from the back of a classroom."""

LINES = ("-", "--", "-.", ":")
COLOURS = ("#1f5fa8", "#d9741a", "#4d4d4d", "#7b4fa3")  # blue, orange, grey, violet: told apart without red and green
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
PALE = ("#cfe0f3", "#fbdcc0", "#e0e0e0", "#e4d7f1")  # the same colours, to write upon
HATCHES = ("", "//", "..", "\\\\", "xx", "--", "||", "++", "oo", "**")


@contextlib.contextmanager
def page(width: float = 10.0, height: float = 6.2, *, path: Any = None, lang: str | None = None) -> Iterator[Figure]:
    """A figure to draw in, with large letters; at the end its numbers are written as the language does, and it is saved.

    Args:
        width, height: in hundreds of pixels.
        path: where it is saved: .png, .svg or .pdf. The same program writes the same file.
        lang: "en" or "fr"; the user's own if left out.

    Raises:
        ImportError: when matplotlib is not there, with the line that installs it.
    """
    with _style(lang):
        from matplotlib.figure import Figure

        drawing = Figure(figsize=(width, height))
        yield drawing
        for axes in drawing.axes:
            _write_numbers(axes, lang or language())
        if path is not None:
            undated: dict[str, Any] = {"svg": {"metadata": {"Date": None}}, "pdf": {"metadata": {"CreationDate": None}}}
            drawing.savefig(path, **undated.get(str(path).lower()[-3:], {}))


@contextlib.contextmanager
def _place(axes: Any, width: float, height: float, path: Any, lang: str | None) -> Iterator[Any]:
    """The axes that were given, or those of a page of their own."""
    if axes is not None:
        with _style(lang):
            yield axes
            if path is not None:
                axes.figure.savefig(path)
    else:
        with page(width, height, path=path, lang=lang) as drawing:
            yield drawing.subplots()


def _figure(axes: Any) -> Figure:
    drawing: Figure = axes.figure
    return drawing


def _style(lang: str | None) -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ImportError(WORDS[lang or language()]["no matplotlib"]) from None
    mpl: Any = matplotlib
    return mpl.rc_context({**STYLE, "axes.prop_cycle": mpl.cycler(color=COLOURS) + mpl.cycler(linestyle=LINES)})


def _write_numbers(axes: Any, lang: str) -> None:
    """A decimal comma in French, and a true minus sign; a logarithmic axis over many powers of ten keeps these, 10⁻⁵."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log":
            if len(axis.get_ticklocs()) and low > 1e-4 and high < min(100 * low, 1e4):  # 0.2, 0.5, 1 and not 2 × 10⁻¹
                axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5) if high < 10 * low else (1, 2, 5)))
                axis.set_major_formatter(lambda value, _: number(value, "g", lang))
                axis.set_minor_formatter(NullFormatter())
        elif isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(lambda value, _: number(value, "g", lang))


def number(value: float, form: str, lang: str) -> str:
    """A number in digits, with a decimal comma in French.

    >>> number(-0.5, "g", "fr")
    '−0,5'
    """
    return format(value + 0.0, form).replace("-", "−").replace(".", "," if lang == "fr" else ".")


# -- losses ----------------------------------------------------------------------------------------------------------------


def loss_curve(
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    path: Any = None,
    x: Sequence[float] | None = None,
    title: str = "",
    xlabel: str | None = None,
    ylabel: str | None = None,
    log: bool = False,
    lang: str | None = None,
    axes: Any = None,
) -> Figure:
    """The loss after each epoch, or whatever `x` counts; several curves from a dictionary, each with its name and its dashes.

    A curve that ends in NaN or infinity has a cross where it breaks off.

    Raises:
        ImportError: when matplotlib is not there.
    """
    words = WORDS[lang or language()]
    curves = losses if isinstance(losses, Mapping) else {"": losses}
    with _place(axes, 10, 6.2, path, lang) as axes:
        for name, given in curves.items():
            values = np.asarray(given, float)
            steps = np.asarray(range(1, len(values) + 1) if x is None else x)
            known = np.isfinite(values)
            (line,) = axes.plot(steps, np.where(known, values, np.nan), label=name, marker="o" if len(values) < 3 else "")
            if known.any() and not known[-1]:
                end = np.flatnonzero(known)[-1]
                axes.plot(steps[end], values[end], "X", color=line.get_color(), markersize=16, markeredgecolor="black")
                after = "NaN" if np.isnan(values[end + 1]) else "∞"
                axes.annotate(after, (steps[end], values[end]), (14, -6), textcoords="offset points")
        axes.set_xlabel(words["epoch"] if xlabel is None else xlabel)
        axes.set_ylabel(words["loss"] if ylabel is None else ylabel)
        axes.set_title(title)
        if log:
            axes.set_yscale("log")
        elif min((min(values, default=0) for values in curves.values()), default=0) >= 0:
            axes.set_ylim(bottom=0)
        if len(curves) > 1:
            axes.legend()
    return _figure(axes)


# -- functions -------------------------------------------------------------------------------------------------------------


def activations(
    functions: Sequence[Any] | Mapping[str, Any] | Any,
    *,
    low: float = -5.0,
    high: float = 5.0,
    xlabel: str = "x",
    path: Any = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """Functions of one number and their derivatives, found by autograd; one picture for each function.

    Args:
        functions: a name of nn.functional ("relu"), a module, or any function of a tensor; several in a list, or in a
            dictionary with the titles you want.
        low, high: where the line of numbers begins and ends.

    Raises:
        ImportError: when matplotlib is not there.
        AttributeError: for a name that nn.functional does not have.
    """
    words = WORDS[lang or language()]
    if isinstance(functions, Mapping):
        named = dict(functions)
    else:
        several = functions if isinstance(functions, (list, tuple)) else [functions]
        named = {words.get(name := _called(f), name): f for f in several}
    columns = min(len(named), 2)
    rows = -(-len(named) // columns)
    x = np.linspace(low, high, 1001)
    with page(6.5 * columns if columns > 1 else 10, 1 + (4.4 * rows if rows > 1 else 5.2), path=path, lang=lang) as drawing:
        places = drawing.subplots(rows, columns, squeeze=False).ravel()
        for axes, (name, f) in zip(places, named.items(), strict=False):
            y, slope = _derived(getattr(functional, f) if isinstance(f, str) else f, x)
            lines = [
                *axes.plot(x, _broken(x, y), "-", color="black", label=words["function"]),
                *axes.plot(x, _broken(x, slope), "--", color=COLOURS[1], label=words["derivative"]),
            ]
            axes.axhline(0, color="black", linewidth=1)
            axes.axvline(0, color="black", linewidth=1)
            axes.set_title(name)
            axes.set_xlabel(xlabel)
        for axes in places[len(named) :]:
            axes.set_axis_off()
        drawing.legend(handles=lines, loc="outside upper center", ncols=2)
        if title:
            drawing.suptitle(title)
    return drawing


def _called(f: Any) -> str:
    return f if isinstance(f, str) else getattr(f, "__name__", type(f).__name__)


def _derived(f: Callable[[Tensor], Tensor], x: Values) -> tuple[Values, Values]:
    """f(x) and f′(x) at each x."""
    leaf = wrap(x.astype(np.float64))
    leaf.requires_grad = True
    with enable_grad():
        y = f(leaf.clone())  # a copy: some are computed in place
        (slope,) = grad(y.sum(), leaf)
    return np.asarray(y.detach().numpy()), np.asarray(slope.numpy())


def _broken(x: Values, y: Values) -> Values:
    """The line lifted from the paper where it jumps, as the derivative of ReLU does at 0."""
    steps = np.abs(np.diff(y))
    jumps = np.flatnonzero(steps > 50 * max(float(np.median(steps)), 1e-3 * float(np.ptp(y)) + 1e-12))
    broken = y.astype(float).copy()
    broken[jumps] = np.nan
    return broken


# -- classes ---------------------------------------------------------------------------------------------------------------


def decision_boundary(
    model: Callable[[Tensor], Tensor],
    x: Any,
    y: Any,
    *,
    classes: Sequence[str] | None = None,
    threshold: float = 0.5,
    beside: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
    margin: float = 0.15,
    points: int = 250,
    xlabel: str = "x₁",
    ylabel: str = "x₂",
    path: Any = None,
    title: str = "",
    lang: str | None = None,
    axes: Any = None,
) -> Figure:
    """The regions that a classifier makes of the plane, with the examples: hatched, outlined, and a marker for each class.

    Args:
        model: gives one output for each point, or one for each class. A Module answers in its evaluation mode, and is left as
            it was.
        x: the examples, two numbers each.
        y: their classes, 0, 1, 2, ...
        classes: what they are called.
        threshold: of a single output, from where on it means class 1: 0.5 for a probability, 0 for a score.
        beside: other models by name, whose boundaries are dotted.
        margin: how much of the plane is shown around the examples, as a share of their range.
        points: along each side, where the model is asked.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when the examples are not pairs, or the model's output is no class.
    """
    words = WORDS[lang or language()]
    pairs, labels = _array(x), _array(y).reshape(-1).astype(int)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) != len(labels):
        raise ValueError(
            f"decision_boundary draws examples of two numbers, (examples, 2), with a class each: got {pairs.shape} and "
            f"{len(labels)} classes"
        )
    low, high = pairs.min(axis=0), pairs.max(axis=0)
    room = margin * np.where(high > low, high - low, 1)
    sides = [np.linspace(low[i] - room[i], high[i] + room[i], points) for i in (0, 1)]
    plane = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2).astype(pairs.dtype)
    ahead = _ahead(model, plane, threshold).reshape(points, points, -1)
    count = max(ahead.shape[-1], int(labels.max()) + 1)
    names = [words["class"].format(number=n) for n in range(count)] if classes is None else list(classes)
    abreast = 4 if axes is None else 2
    with _place(axes, 10, 8, path, lang) as axes:
        lines = []
        for n in range(count):
            if n < ahead.shape[-1] and ahead[..., n].max() > 0:
                inside = [0, float(ahead[..., n].max())]
                axes.contourf(*sides, ahead[..., n], inside, colors=[PALE[n % 4]], hatches=[HATCHES[n % len(HATCHES)]])
            shown = pairs[labels == n]
            lines += axes.plot(*shown.T, linestyle="", marker=MARKERS[n % len(MARKERS)], label=names[n], color=COLOURS[n % 4],
                               markeredgecolor="black" if n % 4 == 1 else "white", markersize=11)  # fmt: skip
        _outline(axes, sides, ahead, "solid")
        for name, other in (beside or {}).items():
            _outline(axes, sides, _ahead(other, plane, threshold).reshape(points, points, -1), "dotted")
            lines += axes.plot([], [], color="black", linestyle="dotted", label=name)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.grid(False)
        axes.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=min(len(lines), abreast), title=title,
                    title_fontsize=19, columnspacing=1.2, handletextpad=0.3)  # fmt: skip
    return _figure(axes)


def _outline(axes: Any, sides: Sequence[Values], ahead: Values, style: str) -> None:
    """The lines between regions: where a class begins to be ahead of those before it, so that none is drawn twice."""
    best = ahead.argmax(axis=-1)
    for n in range(1, ahead.shape[-1]):
        if (best == n).any() and (best < n).any():
            shown = np.ma.masked_where(best > n, ahead[..., n])
            axes.contour(*sides, shown, levels=[0], colors="black", linewidths=3, linestyles=style)


def _ahead(model: Callable[[Tensor], Tensor], plane: Values, threshold: float) -> Values:
    """By how much each class is ahead of the best of the others, at each point; asked without leaving a trace in the model."""
    modules = list(model.modules()) if isinstance(model, Module) else []
    modes = [module.training for module in modules]
    try:
        for module in modules:
            module.training = False
        with no_grad():
            outputs = _array(model(wrap(plane))).astype(float)
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training
    if outputs.shape[:1] != (len(plane),) or outputs.ndim > 2:
        raise ValueError(f"for {len(plane)} points the model must give (points,) or (points, classes), not {outputs.shape}")
    outputs = outputs.reshape(len(plane), -1)
    if outputs.shape[1] == 1:
        return np.concatenate([threshold - outputs, outputs - threshold], axis=1)
    best = np.sort(outputs, axis=1)
    return outputs - np.where(outputs == best[:, -1:], best[:, -2:-1], best[:, -1:])


def _array(values: Any) -> Values:
    return np.asarray(values.detach() if hasattr(values, "detach") else values)


# -- layers ----------------------------------------------------------------------------------------------------------------


def histograms(diagnosis: Diagnosis, *, bins: int = 30, path: Any = None, title: str = "", lang: str | None = None) -> Figure:
    """The weights, the values and the gradients of each layer that a diagnosis has found, as histograms side by side.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when the diagnosis has no graph any more, or no layer.
    """
    lang = lang or diagnosis.lang
    words, snapshot = WORDS[lang], diagnosis.snapshot
    layers = [layer for layer in diagnosis.layers if layer.used]
    if snapshot is None or not layers:
        raise ValueError("there is no layer to show" if snapshot else "this diagnosis let go of its graph: diagnose() again")
    with page(13, 0.9 + 2.1 * len(layers), path=path, lang=lang) as drawing:
        places = drawing.subplots(len(layers), 3, squeeze=False)
        for row, layer in zip(places, layers, strict=True):
            result = snapshot[layer.vertices[-1]]
            weights = [snapshot[id].value for id in layer.parameters]
            shown = [(weights, 2), ([result.value], 0), ([result.gradient], 1)]
            for axes, (arrays, colour) in zip(row, shown, strict=True):
                found = [a.reshape(-1).astype(float) for a in arrays if a is not None]
                values = np.concatenate(found) if found else np.zeros(0)
                _bars(axes, values[np.isfinite(values)], bins, COLOURS[colour], words)
            row[2].set_yscale("log")  # a few examples have by far the largest gradients
            row[2].set_yticks([], minor=False)
            row[2].minorticks_off()
            row[0].set_ylabel(f"{layer.name}\n{layer.kind}" if layer.kind != layer.name else layer.name,
                              rotation=0, ha="right", va="center")  # fmt: skip
        for axes, word in zip(places[0], ("weights", "values", "gradients"), strict=True):
            axes.set_title(words[word])
        if title:
            drawing.suptitle(title)
    return drawing


def _bars(axes: Any, values: Values, bins: int, colour: str, words: Mapping[str, str]) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=13)
    if not values.size:
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.text(0.5, 0.5, words["none"], ha="center", va="center", transform=axes.transAxes, fontsize=14)
        return
    axes.hist(values, bins=bins, color=colour, edgecolor="white", linewidth=0.5)
    axes.locator_params(axis="x", nbins=4)


def gradient_norms(
    diagnosis: Diagnosis, *, path: Any = None, title: str = "", lang: str | None = None, axes: Any = None
) -> Figure:
    """How large the gradient is in each layer, from the first to the last, on a logarithmic scale; what is ill has a cross.

    Layers with weights are shown, and what is ill; where there are no weights, all.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when no layer has a gradient.
    """
    lang = lang or diagnosis.lang
    words = WORDS[lang]
    ill = {verdict.layer for verdict in diagnosis.verdicts}
    layers = [layer for layer in diagnosis.layers if layer.gradient is not None]
    if any(layer.parameters for layer in layers):
        layers = [layer for layer in layers if layer.parameters or layer.name in ill]
    norms = np.array([layer.gradient for layer in layers], float)
    known = np.isfinite(norms) & (norms > 0)
    if not known.any():
        raise ValueError("no layer has a gradient to show")
    bad = np.array([layer.name in ill for layer in layers])
    nothing = norms == 0
    places, few = np.arange(len(layers)), len(layers) <= 30
    with _place(axes, 10, 6.2, path, lang) as axes:
        axes.set_yscale("log")
        axes.plot(places, np.where(known, norms, np.nan), "-", color=COLOURS[0])
        axes.plot(places[known & ~bad], norms[known & ~bad], "o", color=COLOURS[0], markersize=11 if few else 7)
        crosses = known & bad
        if crosses.any():
            axes.plot(places[crosses], norms[crosses], "X", color=COLOURS[1], markeredgecolor="black",
                      markersize=15 if few else 10, label=words["ill"])  # fmt: skip
        if nothing.any():
            below = axes.get_xaxis_transform()  # a logarithmic scale has no place for 0: under the lowest number
            axes.set_ylim(norms[known].min() / 30, 3 * norms[known].max())
            axes.plot(places[nothing], np.full(nothing.sum(), 0.04), "v", color="black", markersize=14, transform=below,
                      label=words["zero"])  # fmt: skip
        if crosses.any() or nothing.any():
            axes.legend()
        some = places[:: -(-len(layers) // 12)]
        axes.set_xticks(some, [layers[place].name for place in some])
        axes.set(xlabel=words["layer"], ylabel=words["norm"], title=title)
    return _figure(axes)


# -- images ----------------------------------------------------------------------------------------------------------------


def image_grid(
    images: Any,
    captions: Sequence[str] = (),
    *,
    wrong: Sequence[bool] = (),
    columns: int = 5,
    path: Any = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """Images side by side, dark ink on white paper, a caption over each; an image is a matrix, or a row that makes a square.

    Args:
        images: one after another.
        captions: what stands above each.
        wrong: for each, whether it is to be noticed: it then has a thick frame and a bold caption.
        columns: how many stand side by side.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when there is no image, or one that is no square.
    """
    shown = [_square(image) for image in images]
    if not shown:
        raise ValueError("image_grid has no image to show")
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    with page(2.3 * columns, 2.7 * rows + (0.6 if title else 0), path=path, lang=lang) as drawing:
        places = drawing.subplots(rows, columns, squeeze=False).ravel()
        for place, axes in enumerate(places):
            axes.set(xticks=[], yticks=[])
            axes.grid(False)
            ill = place < len(wrong) and bool(wrong[place])
            for spine in axes.spines.values():
                spine.set(visible=place < len(shown), linewidth=6 if ill else 1, color=COLOURS[1] if ill else "#8a8a8a")
            if place < len(shown):
                axes.imshow(shown[place], cmap="Greys", interpolation="nearest")
                caption = captions[place] if place < len(captions) else ""
                axes.set_title(caption, fontsize=16, fontweight="bold" if ill else None)
        if title:
            drawing.suptitle(title)
    return drawing


def predictions(
    images: Any, guesses: Any, answers: Any, *, columns: int = 5, path: Any = None, title: str = "", lang: str | None = None
) -> Figure:
    """Images with what was read in them: a tick where it is right, a cross, a frame and the right answer where it is not.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when there is no image, or one that is no square.
    """
    words = WORDS[lang or language()]
    pairs = list(zip(_array(guesses).reshape(-1).tolist(), _array(answers).reshape(-1).tolist(), strict=True))
    captions = [words["right" if guess == answer else "wrong"].format(guess=guess, answer=answer) for guess, answer in pairs]
    wrong = [guess != answer for guess, answer in pairs]
    return image_grid(_array(images), captions, wrong=wrong, columns=columns, path=path, title=title, lang=lang)


def weight_images(
    weights: Any,
    *,
    shape: tuple[int, int] | None = None,
    columns: int = 8,
    path: Any = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """What each neuron of a first layer looks for: its weights as an image, dark where negative, light where positive.

    All images have one scale, from −m to m, so that mid-grey is 0 whatever the colours are printed with.

    Args:
        weights: a layer, or its matrix with a row for each neuron, as `Linear.weight` is.
        shape: rows and columns of an image; a square if left out.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when a row does not make an image of that shape.
    """
    words = WORDS[lang or language()]
    matrix = _array(getattr(weights, "weight", weights))
    if matrix.ndim != 2:
        raise ValueError(f"weight_images wants a matrix with a row for each neuron, not {matrix.shape}")
    if shape is not None and shape[0] * shape[1] != matrix.shape[1]:
        raise ValueError(f"a row of {matrix.shape[1]} weights makes no image of {shape[0]} × {shape[1]} pixels")
    shown = [_square(row) if shape is None else row.reshape(shape) for row in matrix]
    largest = float(np.abs(matrix).max()) or 1.0
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    with page(1.5 * columns + 1.6, 1.8 * rows + 0.3 + (0.6 if title else 0), path=path, lang=lang) as drawing:
        places = drawing.subplots(rows, columns, squeeze=False).ravel()
        for place, axes in enumerate(places):
            axes.set_axis_off()
            if place < len(shown):
                drawn = axes.imshow(shown[place], cmap="cividis", vmin=-largest, vmax=largest, interpolation="nearest")
                axes.set_title(str(place + 1), fontsize=14)
        drawing.colorbar(drawn, ax=list(places), label=words["weight"], shrink=min(1.0, 3 / (1.8 * rows) + 0.2))
        if title:
            drawing.suptitle(title)
    return drawing


def _square(image: Any) -> Values:
    image = _array(image)
    if image.ndim == 1:
        side = int(np.sqrt(image.size))
        if side * side != image.size:
            raise ValueError(f"an image of {image.size} pixels is no square: give it as a matrix, `image.reshape(rows, -1)`")
        image = image.reshape(side, side)
    return np.asarray(image)


WORDS = {
    "en": {
        "no matplotlib": "No picture: matplotlib is not installed. To have it: python -m pip install matplotlib",
        "loss": "loss", "epoch": "epoch",
        "function": "function f", "derivative": "derivative f′", "sigmoid": "sigmoid", "Sigmoid": "sigmoid", "Tanh": "tanh",
        "relu": "ReLU", "leaky_relu": "Leaky ReLU", "LeakyReLU": "Leaky ReLU",
        "class": "class {number}",
        "weights": "weights", "values": "values", "gradients": "gradients (log scale)", "none": "none",
        "layer": "layer", "norm": "norm of the gradient", "ill": "ill layer", "zero": "gradient 0",
        "right": "✓ {guess}", "wrong": "✗ {guess}, is {answer}", "weight": "weight",
    },
    "fr": {
        "no matplotlib": "Pas d'image : matplotlib n'est pas installé. Pour l'avoir : python -m pip install matplotlib",
        "loss": "perte", "epoch": "époque",
        "function": "fonction f", "derivative": "dérivée f′", "sigmoid": "sigmoïde", "Sigmoid": "sigmoïde", "Tanh": "tanh",
        "relu": "ReLU", "leaky_relu": "Leaky ReLU", "LeakyReLU": "Leaky ReLU",
        "class": "classe {number}",
        "weights": "poids", "values": "valeurs", "gradients": "gradients (échelle log.)", "none": "aucun",
        "layer": "couche", "norm": "norme du gradient", "ill": "couche malade", "zero": "gradient nul",
        "right": "✓ {guess}", "wrong": "✗ {guess}, c'est {answer}", "weight": "poids",
    },
}  # fmt: skip
