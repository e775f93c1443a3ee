"""The IDX format, in which MNIST is kept: one array in a file, its kind of numbers and its shape first."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The third byte of the file: the kind of numbers, the most significant byte first.
KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file, compressed with gzip or not.

    The file is 0, 0, the kind of numbers, the number of axes; then the length of each axis in four bytes; then the numbers,
    row by row. The most significant byte of a number comes first.

    Raises:
        FileNotFoundError: when the file is not there.
        ValueError: when it is damaged, cut short, too long, or no IDX file; the message names it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    >>> read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    data = Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a damaged gzip file: {error}. Delete it and get it again.") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in KINDS:
        raise ValueError(
            f"{path} is not an IDX file: it begins with {data[:4].hex(' ') or 'nothing'}. An IDX file begins with 00 00, a "
            "kind of numbers from 08 to 0e, and the number of axes: 00 00 08 03 for MNIST's images, 00 00 08 01 for its labels."
        )
    kind, start = np.dtype(KINDS[data[2]]), 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    wanted = start + math.prod(shape) * kind.itemsize
    if len(data) != wanted:
        raise ValueError(
            f"{path} is {'cut short' if len(data) < wanted else 'too long'}: an array of shape {shape} takes {wanted} bytes, "
            f"and it has {len(data)}. Delete it and get it again."
        )
    return np.frombuffer(data, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
