"""Turn an array into the text you see when you print a tensor, character for character as PyTorch does.

The work goes in three steps. If there are too many elements, only the corners of the array are kept.
One look at what is left then decides how every number is written (as an integer, with fixed decimals or in
scientific notation) and how wide a column is. Last, the rows are laid out between brackets, and what the
numbers alone do not tell (size, dtype, gradient) follows after commas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["format_tensor", "set_printoptions"]

_FLOAT32 = np.dtype("float32")


class _HasDtype(Protocol):
    """The little an array must offer to be printed: enough for arrays whose values are not at hand."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...


@dataclass(frozen=True)
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}

# Replaced as a whole, never changed in place, so that a print under way keeps one set of options.
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed from now on; what is left at None stays as it was.

    `precision` is the number of decimals, `threshold` the number of elements beyond which only the
    `edgeitems` first and last of each dimension are shown, `linewidth` the length of a line. `profile`
    ("default", "short" or "full") sets these four, before the others are applied. `sci_mode` forces
    scientific notation on or off; as in PyTorch, every call that does not give it makes it automatic again.

    >>> set_printoptions(precision=2, threshold=5)
    >>> print(format_tensor(np.linspace(0, 1, 9, dtype=np.float32)))
    tensor([0.00, 0.12, 0.25,  ..., 0.75, 0.88, 1.00])
    >>> set_printoptions(profile="default")
    """
    global _options
    given: dict[str, Any] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    # A profile that does not exist is passed over in silence: PyTorch does the same.
    base = _PROFILES.get(profile or "", _options)
    changes = {name: value for name, value in given.items() if value is not None}
    _options = replace(base, **changes, sci_mode=sci_mode)


def format_tensor(
    array: npt.NDArray[Any] | _HasDtype,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    default_dtype: np.dtype[Any] = _FLOAT32,
    kind: str = "tensor",
) -> str:
    """Return the text PyTorch's `repr` gives for a tensor that holds `array`.

    `grad_fn` is the bare name of the backward node. `kind` is the word before the parenthesis, save
    "Parameter", which puts "Parameter containing:" on a line above. An array that is not NumPy's (Dask's,
    say) is shown through its own `repr`: reading its values could be long, or impossible.

    >>> print(format_tensor(np.array([1, 2], dtype=np.float32), requires_grad=True))
    tensor([1., 2.], requires_grad=True)
    >>> print(format_tensor(np.array([0.5, np.nan])))
    tensor([0.5000,    nan], dtype=torch.float64)
    """
    if kind == "Parameter":
        heading, opening = "Parameter containing:\n", "tensor("
    else:
        heading, opening = "", f"{kind}("
    indent = len(opening)
    options = _options

    # Names are compared rather than dtypes, because byte order makes dtypes differ and tensors do not.
    dtype = getattr(array.dtype, "name", str(array.dtype))
    implied = {default_dtype.name, "int64", "bool"}
    implied.add("complex128" if default_dtype.name == "float64" else "complex64")
    show_size = False
    if isinstance(array, np.ndarray | np.generic):
        values = np.asarray(array)
        body = _body(values, indent, options)
        if values.size == 0:
            # "[]" alone would be read back as one dimension of the default dtype.
            show_size, implied = values.ndim != 1, {default_dtype.name}
        else:
            show_size = options.edgeitems == 0
    else:
        body = repr(array).replace("\n", "\n" + " " * indent)

    suffixes = []
    if show_size:
        suffixes.append(f"size={tuple(array.shape)}")
    if dtype not in implied:
        suffixes.append(f"dtype=torch.{dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return heading + _append(opening + body, suffixes, indent, options.linewidth) + ")"


def _append(text: str, suffixes: list[str], indent: int, linewidth: int) -> str:
    """Add each suffix after a comma, on a new line where the last one is too full."""
    # PyTorch counts two characters too many for the line that ends the numbers, and none for the closing
    # parenthesis; both decide where its lines break.
    used = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if used + 2 + len(suffix) > linewidth:
            text += ",\n" + " " * indent + suffix
            used = indent + len(suffix)
        else:
            text += ", " + suffix
            used += 2 + len(suffix)
    return text


def _body(values: npt.NDArray[Any], indent: int, options: _Options) -> str:
    """Write the elements between their brackets, the first bracket standing at column `indent`."""
    if values.size == 0:
        return "[]"
    edge = options.edgeitems
    shortened = [False] * values.ndim
    if values.size > options.threshold:
        for axis, length in enumerate(values.shape):
            if length > 2 * edge:
                shortened[axis] = True
                corners = np.r_[:edge, length - edge : length]
                values = values.take(corners, axis=axis)
    width, write = _column(values, options)

    def lay_out(items: Any, axis: int, indent: int) -> str:
        deeper = values.ndim - axis - 1
        if deeper < 0:
            return write(items)
        pieces = [lay_out(item, axis + 1, indent + 1) for item in items]
        if shortened[axis]:
            # In a row of numbers PyTorch sets the dots off with one more space, unless they stand alone.
            pieces.insert(edge, "..." if deeper or edge == 0 else " ...")
        per_line = 1 if deeper else max(1, (options.linewidth - indent) // (width + 2))
        lines = [", ".join(pieces[i : i + per_line]) for i in range(0, len(pieces), per_line)]
        # Matrices are kept apart by an empty line, blocks of matrices by two, and so on.
        return "[" + ("," + "\n" * max(1, deeper) + " " * (indent + 1)).join(lines) + "]"

    return lay_out(values.tolist(), 0, indent)


def _column(values: npt.NDArray[Any], options: _Options) -> tuple[int, Callable[[Any], str]]:
    """Return the width of a column and the function that writes one element of `values` to that width."""
    if values.dtype.kind == "c":
        real_width, write_real = _column(values.real, options)
        imag_width, write_imag = _column(values.imag, options)

        def write_complex(value: complex) -> str:
            imag = write_imag(value.imag).lstrip()
            return write_real(value.real) + ("" if imag[0] == "-" else "+") + imag + "j"

        return real_width + imag_width + 1, write_complex

    if values.dtype.kind == "f":
        # Zeros, nan and inf say nothing of the scale, so the notation and the width are settled without
        # them; a nan may then stick out of its column, in PyTorch too.
        measured = values[np.isfinite(values) & (values != 0)]
        as_text = _notation(measured, options)
    else:
        measured = values.reshape(-1)
        as_text = str
    width = max((len(as_text(value)) for value in measured.tolist()), default=1)
    return width, lambda value: as_text(value).rjust(width)


def _notation(measured: npt.NDArray[Any], options: _Options) -> Callable[[float], str]:
    """Choose how to write floats, given those that are neither zero, infinite nor nan."""
    scientific = False
    if measured.size:
        # Python's floats, because float16 overflows on the ratio and NumPy would warn about it.
        sizes = np.abs(measured)
        least, greatest = float(sizes.min()), float(sizes.max())
        scientific = greatest / least > 1000 or greatest > 1e8 or least < 1e-4
        if options.sci_mode is not None:
            scientific = options.sci_mode
    if scientific:
        return lambda value: f"{value:.{options.precision}e}"
    if np.all(measured == np.ceil(measured)):
        # The bare point says that these integers are floats; nan and inf say it by themselves.
        return lambda value: f"{value:.0f}." if math.isfinite(value) else str(value)
    return lambda value: f"{value:.{options.precision}f}"
