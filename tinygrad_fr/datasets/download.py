"""Fetching a file: from one of several mirrors, taken up where it was interrupted, checked, and put in place whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tinygrad_fr.progress import progress

PIECE = 1 << 16  # bytes read at a time
PATIENCE = 15.0  # seconds without a byte before a mirror is given up


def download(name: str, md5: str, folder: Path, mirrors: Sequence[str]) -> Path:
    """Put a file into a folder, which is made if needed; the mirrors are tried one after the other.

    The bytes go to `name.part`. Only when they have the right md5 does the file receive its name, in one step, so that no
    other program ever sees half of it. After an interruption the part stays, and the next mirror, or the next call, asks for
    the rest of it only; a server that cannot give a rest gives the whole again.

    Args:
        name: the file's name, here and on each mirror.
        md5: the checksum that its bytes must have, in hexadecimal.
        folder: where to put it.
        mirrors: the beginnings of addresses; the name is added.

    Raises:
        ConnectionError: when no mirror gives the right bytes; the message says what was wrong with each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part, failures = folder / f"{name}.part", []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{name}"
        resumed = part.exists()
        try:
            found = _fetch(url, part)
            if found != md5 and resumed:  # what was there may have been the beginning of something else
                part.unlink()
                found = _fetch(url, part)
        except OSError as error:
            failures.append(f"{url}: {error}")
            continue
        if found == md5:
            os.replace(part, folder / name)
            return folder / name
        part.unlink()
        failures.append(f"{url}: its md5 is {found}, not {md5}")
    raise ConnectionError(f"{name} could not be downloaded:\n" + "\n".join(f"  {failure}" for failure in failures))


def _fetch(url: str, part: Path) -> str:
    """Add to a part what it lacks, and return the md5 of the whole; every failure is an OSError."""
    from hashlib import md5
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"User-Agent": "tinygrad_fr"} | ({"Range": f"bytes={have}-"} if have else {}))
    try:
        with urlopen(request, timeout=PATIENCE) as answer, open(part, "ab") as file:
            if answer.status != 206:  # not the rest but the whole
                file.truncate(0)
            length = answer.headers["Content-Length"]
            total = int(length) if length else None
            pieces = iter(lambda: answer.read(PIECE), b"")
            received = 0
            for piece in progress(pieces, description=part.stem, total=total, weight=len):
                received += file.write(piece)
            if total is not None and received < total:
                raise ConnectionError(f"it stopped after {received} of {total} bytes")
    except HTTPException as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    except HTTPError as error:
        error.close()
        if error.code != 416:  # 416: there is no rest. Either the part is whole, or its md5 will tell
            raise
    return md5(part.read_bytes(), usedforsecurity=False).hexdigest()
