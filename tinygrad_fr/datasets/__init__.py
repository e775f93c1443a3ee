"""Data to learn with: digits of 8 × 8 pixels, the table of XOR and four people, which ship with the package, and MNIST.

The digits' source and licence are in `data/NOTICE.md`. Each function returns NumPy arrays, which belong to the caller.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_fr.datasets.download import download as download_file
from tinygrad_fr.datasets.idx import read_idx as read_idx

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
Floats = NDArray[np.float32]

# -- digits of 8 × 8 pixels --------------------------------------------------------------------------------------------

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


# -- small tables ------------------------------------------------------------------------------------------------------


def xor() -> tuple[Floats, Floats]:
    """The table of XOR (S0, S4): x (4, 2), the four pairs of 0 and 1, and y (4, 1), 1 where the two differ; float32.

    >>> x, y = xor()
    >>> x.tolist(), y.ravel().tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0.0, 1.0, 1.0, 0.0])
    """
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return x, (x[:, :1] != x[:, 1:]).astype(np.float32)


def people() -> tuple[Floats, Floats, list[str]]:
    """Four people (S2): x (4, 2), their weight − 135 lb and height − 66 in, y (4, 1), 1 for a woman, float32; their names.

    >>> x, y, names = people()
    >>> for name, (weight, height), (woman,) in zip(names, x.tolist(), y.tolist()):
    ...     print(f"{name:8}{weight:4.0f}{height:4.0f}{woman:3.0f}")
    Alice     -2  -1  1
    Bob       25   6  0
    Charlie   17   4  0
    Diana    -15  -6  1
    """
    x = np.array([[-2, -1], [25, 6], [17, 4], [-15, -6]], np.float32)
    return x, np.array([[1], [0], [0], [1]], np.float32), ["Alice", "Bob", "Charlie", "Diana"]


# -- MNIST -------------------------------------------------------------------------------------------------------------

MNIST = {  # the four files, and the md5 of each
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

Split = tuple[NDArray[Any], Labels]


def mnist(
    folder: str | os.PathLike[str] | None = None,
    download: bool = True,
    *,
    raw: bool = False,
    mirrors: Sequence[str] = MIRRORS,
) -> tuple[Split, Split]:
    """MNIST, 60,000 handwritten digits to learn from and 10,000 to be tested on, of 28 × 28 pixels (S3, S4).

    Images are (60000, 784), float32 from 0 (paper) to 1 (ink), one digit a row; labels are (60000,), int64 from 0 to 9.

    The four files, `train-images-idx3-ubyte.gz` and so on, compressed or not, are looked for in the folder. Where none is
    given, it is the one that the environment variable TINYGRAD_FR_DATA names, or its subfolder `mnist`, or else the user's
    cache. What is missing is downloaded, 11 MB in all, and its md5 checked. What is there is taken as it is, so that
    Fashion-MNIST, whose files have the same names, is read as well.

    Args:
        folder: where the files are, and where they are downloaded to.
        download: whether to download what is missing.
        raw: whether to give the images as they are in the files, (60000, 28, 28), uint8 from 0 to 255.
        mirrors: the beginnings of the addresses that are tried in turn.

    Raises:
        FileNotFoundError: when files are missing and not downloaded; the message says which to put where.
        ValueError: when a file is damaged, or images and labels do not go together; the message names it.

    Example:
        (images, labels), (test_images, test_labels) = mnist()
    """
    train_images, train_labels, test_images, test_labels = _mnist_files(folder, download, mirrors)
    return _read(train_images, train_labels, raw), _read(test_images, test_labels, raw)


def _mnist_files(folder: str | os.PathLike[str] | None, download: bool, mirrors: Sequence[str]) -> list[Path]:
    """The paths of the four files, downloaded if need be."""
    if folder is not None:
        places = [Path(folder).expanduser()]
    else:
        named = os.environ.get("TINYGRAD_FR_DATA")
        cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
        places = [Path(named), Path(named, "mnist")] if named else []
        places.append(Path(cache, "tinygrad_fr", "mnist"))
    for place in places:
        missing = [name for name in MNIST if not _there(place, name)]
        if not missing:
            break
    try:
        for name in missing:
            if not download:
                raise FileNotFoundError("They may not be downloaded, since download=False.")
            download_file(name, MNIST[name], place, mirrors)
    except OSError as error:
        lacking = "\n".join(f"  {name}" for name in MNIST if not _there(place, name))
        raise FileNotFoundError(
            f"MNIST is not there: the folder {place} lacks\n{lacking}\n{error}\n"
            f"Put these files, compressed as they are or unpacked, into that folder. They can be had from\n  "
            + "\n  ".join(mirrors)
            + "\nA folder that has them is given with `mnist(folder)`, or with the environment variable TINYGRAD_FR_DATA."
        ) from error
    return [path for name in MNIST if (path := _there(place, name))]


def _there(place: Path, name: str) -> Path | None:
    """The file in a folder, unpacked or compressed; None if it is not there."""
    return next((path for path in (place / name.removesuffix(".gz"), place / name) if path.is_file()), None)


def _read(images_path: Path, labels_path: Path, raw: bool) -> Split:
    images, labels = read_idx(images_path), read_idx(labels_path)
    for path, array, axes, what in (
        (images_path, images, 3, "images are uint8 of shape (number, rows, columns)"),
        (labels_path, labels, 1, "labels are uint8 of shape (number,)"),
    ):
        if array.dtype != np.uint8 or array.ndim != axes or not array.size:
            raise ValueError(f"{path} holds {array.dtype} of shape {array.shape}, and {what}: is it another file, renamed?")
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path} has {len(images)} images and {labels_path} has {len(labels)} labels: they do not belong together"
        )
    if labels.max() > 9:
        where = int(np.argmax(labels > 9))
        raise ValueError(f"{labels_path} has a label outside the classes 0 to 9: {labels[where]}, that of image {where}")
    if not raw:
        images = images.reshape(len(images), -1).astype(np.float32)
        images /= 255
    return images, labels.astype(np.int64)
