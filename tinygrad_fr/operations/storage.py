"""The memory behind a tensor, as PyTorch shows it: `x.storage()` and `x.untyped_storage()`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.tensor import Tensor, own_array


def whole(array: Array) -> Array:
    """The array whose memory a view shows: the whole of it, from its first element."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


class Storage:
    """A piece of memory, one number after another. A tensor and its views look at the same storage.

    >>> from tinygrad_fr import arange
    >>> x = arange(4)
    >>> storage(x.view(2, 2)).tolist()
    [0, 1, 2, 3]
    >>> untyped_storage(x).data_ptr() == untyped_storage(x[2:]).data_ptr()
    True
    """

    __slots__ = ("_flat", "_name")

    def __init__(self, flat: Array, name: str) -> None:
        self._flat = flat
        self._name = name

    def data_ptr(self) -> int:
        """The address of the first number."""
        return int(self._flat.ctypes.data)

    def nbytes(self) -> int:
        """How many bytes it takes."""
        return int(self._flat.nbytes)

    def size(self) -> int:
        """How many numbers it holds."""
        return len(self._flat)

    def tolist(self) -> list[Any]:
        """The numbers."""
        return list(self._flat.tolist())

    def __len__(self) -> int:
        return len(self._flat)

    def __getitem__(self, index: int) -> Any:
        return self._flat[index].item()

    def __repr__(self) -> str:
        numbers = "".join(f" {number}\n" for number in self.tolist())
        return f"{numbers}[torch.storage.{self._name} of size {len(self)}]"


def storage(self: Tensor) -> Storage:
    """The memory of which this tensor is a view, as numbers of its dtype; `storage_offset` and `stride` lead through it.

    >>> from tinygrad_fr import tensor
    >>> storage(tensor([[1.0, 2.0], [3.0, 4.0]]).T)
     1.0
     2.0
     3.0
     4.0
    [torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 4]
    """
    flat = whole(np.asarray(own_array(self))).ravel("K")
    return Storage(flat, f"TypedStorage(dtype=torch.{flat.dtype}, device=cpu)")


def untyped_storage(self: Tensor) -> Storage:
    """The memory of which this tensor is a view, as bytes.

    >>> from tinygrad_fr import ones
    >>> untyped_storage(ones(2)[1:]).nbytes()
    8
    """
    return Storage(whole(np.asarray(own_array(self))).ravel("K").view(np.uint8), "UntypedStorage(device=cpu)")
