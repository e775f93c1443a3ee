"""What goes wrong in a network, marked on the quantities where it shows: one look at one snapshot, with simple thresholds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygrad_fr.visual.layers import layers_of
from tinygrad_fr.visual.snapshot import Snapshot, Values

KINDS = ("nan", "exploding", "dead", "saturated", "vanishing")
"""The illnesses, the gravest first."""

VANISHING, EXPLODING = 1e-7, 1e3
"""The largest element of a parameter's gradient below which it vanishes, and above which it explodes."""


class Mark(NamedTuple):
    """A mark on a quantity.

    Attributes:
        kind: one of `KINDS`.
        share: how much of the quantity is concerned, from 0 to 1.
        first: of "nan", whether it is the first on the way.
    """

    kind: str
    share: float = 1.0
    first: bool = False


def marks(snapshot: Snapshot) -> dict[int, list[Mark]]:
    """The marks of each quantity that has one.

    - nan: a value or a gradient is NaN or infinite; the first in the order of computation is marked as such.
    - dead: units of a rectifier that are 0 for every sample of the batch.
    - saturated: more than half of the elements of an activation lie on a plateau, where its slope is below 1 % of its steepest.
    - vanishing, exploding: the largest element of a parameter's gradient is below 10⁻⁷ (and not 0), or above 1000.

    >>> import tinygrad_fr as torch
    >>> w = torch.tensor([-9.0, 9.0, 8.0], requires_grad=True)
    >>> marks(Snapshot(torch.tanh(w).sum()))
    {2: [Mark(kind='saturated', share=1.0, first=False)]}
    """
    found: dict[int, list[Mark]] = {}
    layers = {layer.vertices[-1]: layer for layer in layers_of(snapshot) if layer.activates}
    first = True
    for v in snapshot:
        mine = []
        if not (_finite(v.value) and _finite(v.gradient)):
            mine.append(Mark("nan", first=first and not _finite(v.value)))
            first = first and _finite(v.value)
        elif v.id in layers:
            dead, saturated = layers[v.id].dead, layers[v.id].saturated
            mine += [Mark("dead", dead)] if dead else []
            mine += [Mark("saturated", saturated)] if saturated is not None and saturated > 0.5 else []
        if v.kind == "parameter" and v.gradient is not None and v.gradient.size and _finite(v.gradient):
            top = float(np.abs(v.gradient).max())
            if top > EXPLODING or 0 < top < VANISHING:
                mine.append(Mark("exploding" if top > EXPLODING else "vanishing"))
        if mine:
            found[v.id] = mine
    return found


def _finite(value: Values | None) -> bool:
    return value is None or value.dtype.kind not in "fc" or bool(np.isfinite(value).all())
