"""How a quantity is shown in little room: a number, a small table of numbers, or a tiny heat map with its extremes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.visual.notation import decimal
from tinygrad_fr.visual.words import WORDS

Values = NDArray[Any]

LARGEST_TABLE = 8, 4
"""An array of at most so many rows and columns, and 16 elements, is written out."""

LARGEST_MAP = 8, 20
"""A heat map has at most so many rows and columns of cells."""

LEVELS = 4
"""A heat map has so many tints on either side of zero."""


class Cell(NamedTuple):
    """A cell of a box: a text, a small table of numbers, or a heat map.

    Attributes:
        text: what it says; a picture of nothing but numbers has none.
        role: "ink", "soft" (less important), "gradient", "mark" (light on dark: something is wrong), which decide its
            colour.
        bold, size: how it is written.
        align: "left", "right" or "middle".
        numbers: rows of a table.
        heat: rows of a heat map, from −LEVELS to LEVELS; None where a value is not finite.
    """

    text: str = ""
    role: str = "ink"
    bold: bool = False
    size: int = 14
    align: str = "left"
    numbers: Sequence[Sequence[str]] = ()
    heat: Sequence[Sequence[int | None]] = ()


Row = tuple[Cell, ...]
"""A row of a box; its last cell takes what room there is."""


class Style(NamedTuple):
    """How numbers are written: so many decimals, in "en" or "fr", and whether heat maps must do without colours."""

    precision: int = 4
    lang: str = "en"
    grey: bool = False


def number(value: Any, style: Style) -> str:
    """A number with a fixed number of decimals, as a column of them is read; with a power of ten where these would not do.

    >>> number(-0.5, Style()), number(1e-7, Style(3)), number(3, Style()), number(0.25, Style(2, "fr"))
    ('−0.5000', '1.0e−07', '3', '0,25')
    """
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, complex):
        sign = "−" if value.imag < 0 else "+"
        return f"{number(value.real, style)} {sign} {number(abs(value.imag), style)}i"
    if not isinstance(value, float):
        return str(value).replace("-", "−")
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    value += 0.0  # −0 is 0
    plain = value == 0 or 10.0**-style.precision <= abs(value) < 1e6
    text = f"{value:.{style.precision}f}" if plain else f"{value:.{max(1, style.precision - 2)}e}"
    return text.replace("-", "−").replace(".", "," if style.lang == "fr" else ".")


def brief(value: float, style: Style) -> str:
    """A number with three significant digits."""
    mantissa, power = decimal(abs(value), 3)
    text = ("−" if value < 0 else "") + mantissa + ("" if power is None else f"e{power}".replace("-", "−"))
    return text.replace(".", "," if style.lang == "fr" else ".")


def shape(array_shape: tuple[int, ...], dtype: str) -> str:
    """`4×3 float32`; of a vector, `(4) float32`."""
    sizes = "×".join(map(str, array_shape)) if len(array_shape) != 1 else f"({array_shape[0]})"
    return f"{sizes} {dtype}".strip()


def rows_of(label: Cell, array: Values, style: Style, image: bool = False) -> list[Row]:
    """The rows that show an array after its label.

    Args:
        label: the first cell.
        array: what is shown.
        style: how.
        image: whether 784 numbers in a row are an image of 28 × 28.
    """
    words = WORDS[style.lang]
    ink = label._replace(text="", align="right")
    if array.size == 0:
        return [(label, ink._replace(text=words["empty"]))]
    if array.size == 1:
        text = number(array.reshape(()), style)
        finite = array.dtype.kind not in "fc" or bool(np.isfinite(array).all())
        return [(label, ink._replace(text=text, role=ink.role if finite else "mark", bold=not finite))]
    table = array.reshape(1, -1) if array.ndim == 1 else array
    tallest, widest = LARGEST_TABLE
    if table.ndim == 2 and table.shape[0] <= tallest and table.shape[1] <= widest and table.size <= 16:
        if table.dtype.kind == "f" and bool((table == np.rint(table)).all()):
            style = style._replace(precision=0)  # zeros and ones are read more easily without decimals
        written = tuple(tuple(number(value, style) for value in row) for row in table)
        return [(label, ink._replace(numbers=written)), *_not_finite(array)]
    if array.dtype.kind in "iub":  # labels, masks: a mean of them means nothing
        first = ", ".join(number(value, style) for value in array.flat[:8])
        return [(label, ink._replace(text=f"{first}, …", size=12))]
    rows: list[Row] = [(label, ink._replace(heat=_heat(array, style.grey, image)))]
    finite_values = array[np.isfinite(array)] if array.dtype.kind in "fc" else array
    if finite_values.size and array.dtype.kind != "c":
        low, mean, high = (brief(float(f(finite_values.astype(np.float64))), style) for f in (np.min, np.mean, np.max))
        rows.append((label._replace(text=f"min {low}   {words['mean']} {mean}   max {high}\u00a0", size=11, bold=False),))
    return rows + _not_finite(array)


def _not_finite(array: Values) -> list[Row]:
    """A row that counts the NaN and the infinite values, if there are any."""
    if array.dtype.kind not in "fc":
        return []
    counts = {"NaN": int(np.isnan(array).sum()), "∞": int(np.isinf(array).sum())}
    found = [f"{count} {name}" for name, count in counts.items() if count]
    return [(Cell(", ".join(found), "mark", bold=True),)] if found else []


def _heat(array: Values, grey: bool, image: bool) -> tuple[tuple[int | None, ...], ...]:
    """The levels of a heat map: of each block of the array the value in its middle; of an image, the mean."""
    table = array.reshape(1, -1) if array.ndim < 2 else array.reshape(-1, array.shape[-1])
    side = math.isqrt(table.size)
    tallest, widest = LARGEST_MAP
    image = image and len(table) == 1 and side >= 5 and side * side == table.size
    if image:
        table = table.reshape(side, side)
        tallest = widest = 14
    values = table.astype(np.complex128).real if table.dtype.kind == "c" else table.astype(np.float64)
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    scale = max(abs(low), abs(high)) or 1.0
    across = np.array_split(np.arange(values.shape[1]), min(widest, values.shape[1]))
    down = np.array_split(np.arange(values.shape[0]), min(tallest, values.shape[0]))

    def level(block: Values) -> int | None:
        if not np.isfinite(block).all():
            return None
        value = float(block.mean() if image else block[block.shape[0] // 2, block.shape[1] // 2])
        if grey:  # without colours there is one scale, from the lowest to the highest
            return round(2 * LEVELS * (value - low) / (high - low)) - LEVELS if high > low else 0
        return round(LEVELS * value / scale)

    return tuple(tuple(level(values[np.ix_(i, j)]) for j in across) for i in down)
