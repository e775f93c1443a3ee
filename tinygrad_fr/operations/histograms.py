"""Counting values by intervals: what stands behind a picture of a distribution. No gradient flows through a count."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_fr.tensor import Tensor, wrap


class Histogram(NamedTuple):
    """How many values lie in each interval, and the ends of the intervals, one more than there are intervals."""

    hist: Tensor
    bin_edges: Tensor

    def __repr__(self) -> str:
        return f"torch.return_types.histogram(\nhist={self.hist!r},\nbin_edges={self.bin_edges!r})"


def histogram(
    input: Tensor, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Histogram:
    """How many elements lie in each of the intervals [e₀, e₁), [e₁, e₂), …, [eₙ₋₁, eₙ]; others are not counted.

    Args:
        input: values of float32 or float64, of any shape; the counts are of that dtype.
        bins: how many intervals of one width, or a tensor of the ends e₀ < e₁ < … < eₙ.
        range: where equal intervals begin and end; the least and the greatest element by default.
        weight: what each element counts for, in the shape of `input`; 1 by default.
        density: divide by the sum and by the widths, so that the area under the histogram is 1.

    Raises:
        NotImplementedError: for other dtypes.
        RuntimeError: for no intervals, for ends that are out of order, or not finite, and for weights of another shape.

    >>> from tinygrad_fr import tensor
    >>> histogram(tensor([1.0, 2.0, 2.5, 4.0]), bins=3)
    torch.return_types.histogram(
    hist=tensor([1., 2., 1.]),
    bin_edges=tensor([1., 2., 3., 4.]))
    """
    values = _floats("histogram", input)
    weights = None if weight is None else weight._array
    if weights is not None and weights.shape != values.shape:
        raise RuntimeError(f"histogram: the weight has shape {tuple(weights.shape)}, and input has {tuple(values.shape)}.")
    ends = bins._array if isinstance(bins, Tensor) else bins
    try:
        counts, edges = np.histogram(values, ends, range, None, weights)
    except (TypeError, ValueError) as error:
        raise RuntimeError(f"histogram(bins={bins!r}, range={range!r}) cannot run: {error}") from None
    hist, edges = counts.astype(values.dtype), edges.astype(values.dtype)
    return Histogram(wrap(hist / (hist.sum() * np.diff(edges)) if density else hist), wrap(edges))


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of `bins` intervals of one width between min and max; others are not counted.

    With min = max the intervals go from the least element to the greatest.

    Raises:
        NotImplementedError: for dtypes other than float32 and float64.
        RuntimeError: for no intervals, or for ends that are out of order, or not finite.

    >>> from tinygrad_fr import tensor
    >>> histc(tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    values = _floats("histc", input)
    if min == max and values.size:
        min, max = values.min(), values.max()
    return histogram(input, bins, range=(min, max)).hist


def _floats(name: str, input: Tensor) -> Any:
    if input.dtype not in (np.float32, np.float64):
        raise NotImplementedError(
            f'"{name}" not implemented for {input.dtype}: write `{name}(input.float())`, or `bincount` for whole numbers.'
        )
    return input._array
