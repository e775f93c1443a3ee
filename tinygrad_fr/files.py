"""Files are written whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


@contextmanager
def replaced(path: str) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` if all goes well; otherwise nothing has happened to `path`."""
    path = os.path.realpath(path)  # a link goes on leading where it leads
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # a pipe or a device is written to; a folder is refused
            yield file
        return
    if os.path.isfile(path):
        open(path, "r+b").close()  # a protected file is refused, which replacing it would not do
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist: write `os.makedirs({folder!r})` first.")
    temporary = os.path.join(folder, f".tinygrad_fr-{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # on the disk before it gets the name
        with suppress(OSError):  # there was no file, or its disk knows no permissions
            os.chmod(temporary, os.stat(path).st_mode & 0o7777)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
