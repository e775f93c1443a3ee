"""From the DOT text to a file, on machines with Graphviz and on machines without.

Three programs can draw, and the first that works does it: `dot`, where Graphviz is installed on the system; the copy of
Graphviz in the pygraphviz wheel; graphviz-pure, a port of it, which has no PDF. Where there is none of them, SVG is laid
out by `layout.py`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from tinygrad_fr.files import replaced

FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}

FONT = "Helvetica,Arial,sans-serif"
"""A font of each system, then whatever it has without serifs."""

DOTS_PER_INCH = 144
"""Of PNG, sharp on a projector."""

HOW_TO = {
    "en": "To draw {format}, write `python -m pip install pygraphviz`{or_pure}, or install Graphviz (https://graphviz.org).",
    "fr": "Pour dessiner en {format}, écrivez `python -m pip install pygraphviz`{or_pure}, ou installez Graphviz "
    "(https://graphviz.org).",
}
OR_PURE = {"en": " or `python -m pip install graphviz-pure`", "fr": " ou `python -m pip install graphviz-pure`"}


class NoRenderer(RuntimeError):
    """Nothing on this machine draws the format that was asked for; the message says what to install."""


def render(
    source: str, format: str = "svg", *, engine: str = "dot", title: str = "", last: Callable[[], str] | None = None
) -> bytes:
    """A drawing as bytes.

    Args:
        source: the DOT text.
        format: "svg", "png", "pdf" or "dot".
        engine: "dot", or "neato" for boxes that have their places.
        title: what a screen reader says of the SVG.
        last: the SVG where no program can draw it.

    Raises:
        ValueError: for another format.
        NoRenderer: where nothing can draw.
    """
    if format not in FORMATS.values():
        raise ValueError(f"a drawing is written as {_listed()}, not {format!r}")
    if format == "dot":
        return source.encode()
    if format == "png":
        source = source.replace("{", f"{{\n\tgraph [dpi={DOTS_PER_INCH}]", 1)
    reasons = []
    for name, program in PROGRAMS.items():
        try:
            data = program(source, format, engine)
        except (OSError, _CannotDraw, subprocess.SubprocessError) as error:
            reasons.append(f"{name}: {error}")
        else:
            return fitted(data.decode(), title).encode() if format == "svg" else data
    if format == "svg" and last is not None:
        return last().encode()
    told = [HOW_TO[lang].format(format=format.upper(), or_pure="" if format == "pdf" else OR_PURE[lang]) for lang in HOW_TO]
    raise NoRenderer("\n".join([*told, *(f"  ({reason})" for reason in reasons)]))


def write(
    source: str,
    filename: str | os.PathLike[str],
    format: str | None = None,
    *,
    engine: str = "dot",
    title: str = "",
    last: Callable[[], str] | None = None,
) -> Path:
    """Write a drawing into a file, in one step: never half of it. Its ending gives the format, where none is given.

    Raises:
        ValueError: for another format.
        NoRenderer: where nothing can draw; the DOT text has then been written beside.
        OSError, RuntimeError: when the folder does not exist, or nothing may be written there.
    """
    path = Path(filename)
    if format is None:
        if path.suffix.lower() not in FORMATS:
            raise ValueError(f"a drawing is written as {_listed()}: end {path.name!r} in one of these, or write format='svg'")
        format = FORMATS[path.suffix.lower()]
    try:
        data = render(source, format, engine=engine, title=title, last=last)
    except NoRenderer as error:
        beside = path.with_name(f"{path.name}.dot")
        with replaced(str(beside)) as file:
            file.write(source.encode())
        raise NoRenderer(f"{error}\nThe DOT text of the drawing is in / Le texte DOT du dessin est dans : {beside}") from None
    with replaced(str(path)) as file:
        file.write(data)
    return path


def _listed() -> str:
    return ", ".join(FORMATS)


# -- the three programs ------------------------------------------------------------------------------------------------


class _CannotDraw(Exception):
    """Why one of the programs cannot; the next is asked."""


def _system(source: str, format: str, engine: str) -> bytes:
    """Graphviz, as installed on the system."""
    program = shutil.which("dot")
    if program is None:
        raise _CannotDraw("not on the PATH")
    return _output([program, f"-K{engine}", f"-T{format}"], source)


def _pygraphviz(source: str, format: str, engine: str) -> bytes:
    """The wheel's Graphviz, in another process: what C code prints, or breaks, stays there."""
    if importlib.util.find_spec("pygraphviz") is None or not sys.executable:
        raise _CannotDraw("not installed")
    program = (
        "import sys, pygraphviz as p; source = sys.stdin.buffer.read().decode(); "
        "sys.stdout.buffer.write(p.AGraph(string=source).draw(format=sys.argv[1], prog=sys.argv[2]))"
    )
    python = [sys.executable, "-P", "-W", "ignore"]  # -P: the user's own files are not looked at
    return _output([*python, "-c", program, format, engine], source)


def _pure(source: str, format: str, engine: str) -> bytes:
    """graphviz-pure. It knows how wide the letters of Arial are, and would take those of Times for a list of fonts."""
    program = shutil.which("graphviz-pure") or _script("graphviz-pure")
    if program is None:
        raise _CannotDraw("not installed")
    if format == "pdf":
        raise _CannotDraw("it has no PDF")
    data = _output([program, f"-K{engine}", f"-T{format}"], source.replace(FONT, "Arial"))
    return data.replace(b'font-family="Arial"', f'font-family="{FONT}"'.encode())


PROGRAMS = {"dot": _system, "pygraphviz": _pygraphviz, "graphviz-pure": _pure}


def _script(name: str) -> str | None:
    """Where pip has put a program, if its folder is not on the PATH."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.stem == name), None)


def _output(command: Sequence[str], source: str) -> bytes:
    window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
    done = subprocess.run(command, input=source.encode(), capture_output=True, creationflags=window, check=False)
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        said = [line for line in said if "error" in line.lower()] or said
        raise _CannotDraw(said[-1] if said else f"exit status {done.returncode}")
    return done.stdout


def fitted(svg: str, title: str) -> str:
    """An SVG that never is wider than the page, and that a screen reader can name."""
    label = f' role="img" aria-label="{escape(title)}"' if title else ""
    return re.sub(r"<svg ", f'<svg style="max-width:100%;height:auto"{label} ', svg, count=1)
