"""Data to learn with, shipped in the package: 1,797 handwritten digits of 8 × 8 pixels.

Their source and licence are in `data/NOTICE.md`.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

_DIGITS: Any = files("tinygrad_fr") / "data" / "digits_8x8.csv.gz"


def load_digits() -> tuple[Images, Labels]:
    """All the digits: images (1797, 64), float32 from 0 (paper) to 1 (ink), and labels (1797,), int64 from 0 to 9.

    A row of an image is one digit, read line by line; `images[i].reshape(8, 8)` shows it as a square.

    Raises:
        RuntimeError: when the file is missing or damaged.

    >>> images, labels = load_digits()
    >>> images.shape, str(images.dtype), labels[:5]
    ((1797, 64), 'float32', array([0, 1, 2, 3, 4]))
    """
    try:
        text = gzip.decompress(_DIGITS.read_bytes()).decode("ascii")
        table = np.array([line.split(",") for line in text.splitlines()], dtype=np.int64)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(str(error)) from error
    if table.shape != (1797, 65):
        raise _damaged(f"a table of shape {table.shape} instead of (1797, 65)")
    pixels, labels = table[:, :64], table[:, 64]
    if pixels.min() < 0 or pixels.max() > 16 or labels.min() < 0 or labels.max() > 9:
        raise _damaged("a pixel outside 0..16, or a class outside 0..9")
    return pixels.astype(np.float32) / np.float32(16), labels.copy()


def _damaged(why: str) -> RuntimeError:
    return RuntimeError(
        f"the digits that ship with tinygrad_fr cannot be read from {_DIGITS}: {why}. "
        "Install the package again: python -m pip install --force-reinstall --no-deps tinygrad_fr"
    )


def digits(split: float = 0.8) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """The digits shuffled and cut in two, for training and for testing: 1,437 and 360 of them unless told otherwise.

    The shuffle is always the same, `numpy.random.RandomState(0).permutation(1797)`, a stream that NumPy keeps frozen:
    results can be compared from one program, machine and year to the next.

    Args:
        split: the share of the digits that goes to training, between 0 and 1, both excluded.

    Raises:
        ValueError: for a share that leaves one of the two sets empty.
        RuntimeError: when the file is missing or damaged.

    >>> (images, labels), (test_images, test_labels) = digits()
    >>> images.shape, test_images.shape
    ((1437, 64), (360, 64))
    """
    images, labels = load_digits()
    cut = int(split * len(images)) if 0 < split < 1 else 0
    if cut == 0:
        raise ValueError(f"split is the share of the digits used for training, such as 0.8; {split} leaves a set empty")
    order = np.random.RandomState(0).permutation(len(images))
    train, test = order[:cut], order[cut:]
    return (images[train], labels[train]), (images[test], labels[test])
