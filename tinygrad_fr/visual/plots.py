"""The plots that a lesson shows, made with matplotlib: curves of the loss, images with what was read in them.

matplotlib is optional (`pip install 'tinygrad_fr[plots]'`). Each function draws one figure and returns it; `path=` saves it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = {
    "font.size": 15, "axes.titlesize": 17, "lines.linewidth": 2.5, "axes.grid": True, "grid.alpha": 0.3,
    "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 120, "figure.constrained_layout.use": True,
}  # fmt: skip
"""Sizes that can be read from the back of a classroom."""

LINES = ("-", "--", "-.", ":")
COLOURS = ("#1f5fa8", "#d9741a", "#4d4d4d", "#7b4fa3")  # blue, orange, grey, violet: told apart without red and green

WORDS = {
    "en": {"loss": "loss", "epoch": "epoch", "no matplotlib": "matplotlib is not installed"},
    "fr": {"loss": "perte", "epoch": "époque", "no matplotlib": "matplotlib n'est pas installé"},
}


def figure(width: float = 8.0, height: float = 4.8) -> tuple[Any, Any]:
    """A figure and what it must be drawn inside of, `with style:`.

    Raises:
        ImportError: when matplotlib is not there, with the line that installs it.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "plots need matplotlib, which is not installed: python -m pip install matplotlib "
            "(les graphiques ont besoin de matplotlib)"
        ) from None
    style = rc_context({**STYLE, "axes.prop_cycle": _cycle()})
    with style:
        return Figure(figsize=(width, height)), rc_context({**STYLE, "axes.prop_cycle": _cycle()})


def _cycle() -> Any:
    from matplotlib import cycler

    return cycler(color=COLOURS) + cycler(linestyle=LINES)


def loss_curve(
    losses: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    path: Any = None,
    x: Sequence[float] | None = None,
    title: str = "",
    xlabel: str | None = None,
    ylabel: str | None = None,
    log: bool = False,
    lang: str = "en",
) -> Figure:
    """The loss after each epoch (or whatever `x` counts); several curves from a dictionary, each with its name and its dashes.

    Raises:
        ImportError: when matplotlib is not there.
    """
    drawing, style = figure()
    curves = losses if isinstance(losses, Mapping) else {"": losses}
    with style:
        axes = drawing.subplots()
        for name, values in curves.items():
            axes.plot(range(1, len(values) + 1) if x is None else x, values, label=name, marker="o" if len(values) == 1 else "")
        axes.set_xlabel(WORDS[lang]["epoch"] if xlabel is None else xlabel)
        axes.set_ylabel(WORDS[lang]["loss"] if ylabel is None else ylabel)
        axes.set_title(title)
        if log:
            axes.set_yscale("log")
        if len(curves) > 1:
            axes.legend()
        return _saved(drawing, path)


def image_grid(
    images: Any, captions: Sequence[str] = (), *, columns: int = 5, path: Any = None, title: str = "", lang: str = "en"
) -> Figure:
    """Images side by side, dark ink on white paper, a caption over each; an image is a matrix, or a row that makes a square.

    Raises:
        ImportError: when matplotlib is not there.
        ValueError: when there is no image, or one that is no square.
    """
    shown = [_square(image) for image in images]
    if not shown:
        raise ValueError("image_grid has no image to show")
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    drawing, style = figure(2.0 * columns, 2.3 * rows + (0.5 if title else 0))
    with style:
        for place, (axes, image) in enumerate(zip(drawing.subplots(rows, columns, squeeze=False).flat, shown, strict=False)):
            axes.imshow(image, cmap="Greys", interpolation="nearest")
            axes.set_title(captions[place] if place < len(captions) else "", fontsize=14)
        for axes in drawing.axes:
            axes.axis("off")
        drawing.suptitle(title)
        return _saved(drawing, path)


def _square(image: Any) -> Any:
    image = np.asarray(image)
    if image.ndim == 1:
        side = int(np.sqrt(image.size))
        if side * side != image.size:
            raise ValueError(f"an image of {image.size} pixels is no square: give it as a matrix, `image.reshape(rows, -1)`")
        return image.reshape(side, side)
    return image


def _saved(drawing: Figure, path: Any) -> Figure:
    if path is not None:
        drawing.savefig(path)
    return drawing
