"""What goes into a tensor: shapes, dtypes and devices, and how any value becomes an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_fr.node import Array


class Size(tuple[int, ...]):
    """The lengths of a tensor's axes: a tuple that prints as PyTorch's does and knows its product.

    >>> Size((2, 3)).numel()
    6
    """

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        lengths = tuple.__getitem__(self, index)
        return Size(lengths) if isinstance(index, slice) else lengths

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))

    def numel(self) -> int:
        """The number of elements, the product of the lengths."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"


class device:
    """Where a tensor lives, spelled as in PyTorch. Arrays live where their own library puts them; NumPy's on the CPU.

    >>> device("cuda:0").type, device("cpu") == "cpu"
    ('cuda', True)
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str, index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
        self.type = name
        self.index = int(number) if number else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r})" if self.index is None else f"device(type={self.type!r}, index={self.index})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


CPU = device("cpu")
DEVICES = ("cpu", "cuda", "mps", "xpu", "meta")


def check_device(where: Any) -> None:
    """Refuse a device that PyTorch would have and this framework has not.

    Raises:
        RuntimeError: for any device but the CPU.
    """
    if where is not None and str(where).split(":")[0] != "cpu":
        raise RuntimeError(
            f"tinygrad_fr has no device {str(where)!r}: it computes where the array's own library does. Hold a CuPy array, "
            "`from_numpy(cupy.asarray(x))`, to compute on a GPU."
        )


class _Defaults:
    dtype: np.dtype[Any] = np.dtype(np.float32)


def set_default_dtype(dtype: Any) -> None:
    """Choose the dtype that Python floats become: float32 (the start value), float64 or float16.

    >>> set_default_dtype("float32")

    Raises:
        TypeError: for a dtype that is not floating point.
    """
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"only floating-point types are supported as the default type, got {wanted}")
    _Defaults.dtype = wanted


def get_default_dtype() -> np.dtype[Any]:
    """The dtype that Python floats become.

    >>> get_default_dtype()
    dtype('float32')
    """
    return _Defaults.dtype


def as_array(data: Any, dtype: Any = None, *, copy: bool = False) -> Array:
    """The array behind any value: Python floats take the default dtype, integers int64, arrays keep theirs.

    Raises:
        TypeError: for what is not numeric (strings, objects, ragged lists).
    """
    data = getattr(data, "_array", data)  # a Tensor's own
    if isinstance(data, (list, tuple)):
        data = _nested(data)
    if hasattr(data, "__array_ufunc__") and hasattr(data, "dtype") and not isinstance(data, np.generic):
        array = data  # NumPy's, Dask's, CuPy's, a recorder's: held as it is
    else:
        try:
            array = np.asarray(data)
        except ValueError as error:
            raise ValueError(f"cannot make a tensor: the nested sequences do not form a full box ({error})") from None
        if dtype is None and array.dtype == np.float64 and not isinstance(data, (np.ndarray, np.generic)):
            array = array.astype(_Defaults.dtype)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"cannot make a tensor from values of type {array.dtype}: a tensor holds numbers or booleans. "
            "Convert them first, for instance with `array.astype('float32')`, or encode text as class numbers."
        )
    if dtype is not None and array.dtype != dtype:
        return array.astype(np.dtype(dtype))
    return array.copy() if copy and array is data else array


def _nested(data: Any) -> Any:
    """The same nested lists with tensors turned into arrays, and with NumPy's dtype where the leaves carry one."""
    if not any(isinstance(item, (list, tuple, np.ndarray, np.generic)) or hasattr(item, "_array") for item in data):
        return data
    items = [_nested(i) if isinstance(i, (list, tuple)) else getattr(i, "_array", i) for i in data]
    typed = [i for i in items if isinstance(i, (np.ndarray, np.generic))]
    if len(typed) == len(items) and len({i.shape for i in typed}) == 1:
        return np.stack(typed)
    return items


BLOCK = 32768
"""So many elements stay in the processor's cache from one operation to the next."""

LARGE = 4 * BLOCK
"""Arrays with more elements are updated block by block."""

NUMBERS = frozenset((int, float, bool))
RANK = {"b": 0, "u": 1, "i": 1, "f": 2}


def promoted(arrays: list[Any], turn: Sequence[int], floats: bool) -> list[Any]:
    """The operands in one dtype, by PyTorch's rule: the category (bool, integer, float) decides first, then the size.

    Tensors with axes decide before those without, and these before Python numbers, as long as the category is no higher:
    `float32 * int64` is float32, and `int64 * 2.5` takes the default dtype. Masks and indices (inputs without a gradient
    formula) are left alone.
    """
    first, numbers = None, False
    for i in turn:  # the common cases: one dtype everywhere, or floats with Python numbers, which NumPy treats alike
        if type(arrays[i]) in NUMBERS:
            numbers = True
        elif first is None:
            first = arrays[i].dtype
        elif arrays[i].dtype != first:
            first = None
            break
    if not turn or (first is not None and (first.kind == "f" or not (numbers or floats))):
        return arrays
    best: Any = None
    for kind in range(3):  # tensors with axes, tensors without, Python numbers
        for i in turn:
            a = arrays[i]
            python = type(a) in NUMBERS
            if (2 if python else 0 if a.ndim else 1) != kind:
                continue
            if python:
                dtype = get_default_dtype() if type(a) is float else np.dtype(np.int64 if type(a) is int else np.bool_)
            else:
                dtype = a.dtype
            if best is None or RANK[dtype.kind] > RANK[best[0].kind]:
                best = (dtype, kind)
            elif best[1] == kind and RANK[dtype.kind] == RANK[best[0].kind]:
                best = (np.promote_types(best[0], dtype), kind)
    dtype = best[0]
    if floats and dtype.kind != "f":
        dtype = get_default_dtype()
    cast = list(arrays)
    for i in turn:
        if type(arrays[i]) not in NUMBERS:
            if arrays[i].dtype != dtype:
                cast[i] = arrays[i].astype(dtype)
        elif dtype.kind == "f" or len(turn) == 1:
            cast[i] = float(arrays[i]) if len(turn) > 1 else np.array(arrays[i], dtype)
    return cast
