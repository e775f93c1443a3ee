"""How measurements are written in a terminal: short numbers, rows of blocks, plain signs where it has no others."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = str.maketrans(BLOCKS + "‖∂ℒΔ′−→–…×≥’«»", ".:-=+*#@|dLd'->-~x>'\"\"")
"""What stands for signs that a terminal lacks: one character for one, so that columns stay columns."""


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Positive numbers as a row of blocks, on a logarithmic scale; 0 is `0`, what is not finite `!`. Many are thinned out.

    >>> sparkline([1e-6, 1e-4, 1e-2, 1.0, 0.0])
    '▁▃▆█0'
    """
    if len(values) > width:
        values = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    logs = [math.log(v) for v in values if 0 < v < math.inf]
    low, span = (min(logs), max(logs) - min(logs)) if logs else (0.0, 0.0)
    signs = []
    for v in values:
        if v == 0 or not v < math.inf:
            signs.append("0" if v == 0 else "!")
        else:
            signs.append(BLOCKS[round(7 * (math.log(v) - low) / span)] if span > 0.1 else BLOCKS[3])  # 10 %: all the same
    return "".join(signs)


def histogram(counts: Sequence[int]) -> str:
    """Counts as blocks, up to the largest; an empty interval is a blank, and a rare value is seen all the same.

    >>> histogram([0, 1, 50, 100])
    ' ▁▄█'
    """
    top = max(counts, default=0)
    return "".join(" " if not count else BLOCKS[8 * count // (top + 1)] for count in counts)


def number(value: float | None, lang: str) -> str:
    """A number in at most seven characters; a dash for none.

    >>> number(-0.01234, "en"), number(1.5e-12, "fr"), number(1234.5, "en"), number(0.0, "fr"), number(None, "en")
    ('−0.0123', '1,5e−12', '1234', '0', '–')
    """
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0 or 0.01 <= abs(value) < 1e5:
        text = f"{value + 0.0:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
    else:
        forms = [f"{value:.{digits}e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e") for digits in (1, 0)]
        text = next((form for form in forms if len(form) <= 7), forms[1])
    return text.replace("-", "−").replace(".", "," if lang == "fr" else ".")


def percent(share: float | None) -> str:
    """A share of 1 in percent; what is nearly nothing is told from nothing, and nearly all from all.

    >>> percent(0.005), percent(0.5), percent(0.999), percent(1.0), percent(None)
    ('<1 %', '50 %', '>99 %', '100 %', '–')
    """
    if share is None:
        return "–"
    return "<1 %" if 0 < share < 0.01 else ">99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def cut(text: str, width: int) -> str:
    """A text in so many columns: the beginning of a name, the end of a path.

    >>> cut("BatchNorm1d", 9), cut("encoder.layers.0", 9)
    ('BatchNor…', '…layers.0')
    """
    if len(text) <= width:
        return text
    return "…" + text[1 - width :] if "." in text else text[: width - 1] + "…"


def folded(rows: list[str], more: str, most: int = 28) -> list[str]:
    """The rows of a table, or the two ends of a long one, with `more` (which takes `count`) between them."""
    if len(rows) <= most:
        return rows
    half = most // 2
    return [*rows[:half], more.format(count=len(rows) - 2 * half), *rows[-half:]]


def wrapped(text: str, indent: str = "") -> list[str]:
    """A sentence in lines of at most 100 columns; what begins with a dash hangs."""
    import textwrap

    hanging = indent + "  " * text.startswith("- ")
    return textwrap.wrap(text, 100, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False)


def fitting(text: str, stream: object) -> str:
    """The text with what the encoding of a stream cannot hold replaced, column by column.

    >>> import io
    >>> fitting("∂ℒ ▁▄█ é", io.TextIOWrapper(io.BytesIO(), "ascii"))
    'dL .=@ e'
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if _holds(text, encoding):
        return text
    return "".join(_nearest(sign, encoding) for sign in text.translate(PLAIN))


def _nearest(sign: str, encoding: str) -> str:
    return next((form for form in (sign, unicodedata.normalize("NFKD", sign)[0]) if _holds(form, encoding)), "?")


def _holds(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
