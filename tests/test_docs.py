"""The documents tell the truth: their programs run, their links lead somewhere, and what they say of the code is measured.

A block of Python in `docs/*.md` or in README.md is run: as a program, or as a session when it begins with `>>>`, in the order
of the page and in one namespace per page. A block after `<!-- quoted: FILE -->` is not run: it must stand in that file.
"""

from __future__ import annotations

import ast
import doctest
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tinygrad_fr
from tinygrad_fr import operation

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(tinygrad_fr.__file__).parent
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
ARCHITECTURE = ROOT / "docs" / "architecture.md"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# -- programs ----------------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """A fenced block of Python, the line of the page where its text begins, and the file it says it quotes."""

    text: str
    line: int
    quoted: str | None


def blocks(page: Path) -> list[Block]:
    text = read(page)
    fences = re.finditer(r"(?:<!-- quoted: (\S+) -->\n)?^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(m[2], text.count("\n", 0, m.start(2)) + 1, m[1]) for m in fences]


@pytest.fixture
def registry() -> Iterator[None]:
    """A page may declare an operation: it is forgotten afterwards, so that other tests do not meet it."""
    kept = [(table, dict(table)) for table in (operation.REGISTRY, operation.NUMPY)]
    yield
    for table, before in kept:
        table.clear()
        table.update(before)


@each_page
def test_programs_run(page: Path, registry: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": page.stem}
    for block in blocks(page):
        if block.quoted is not None:
            assert block.text in read(ROOT / block.quoted), f"line {block.line} of {page.name} does not stand in {block.quoted}"
        elif block.text.lstrip().startswith(">>>"):
            session = doctest.DocTestParser().get_doctest(block.text, space, page.name, str(page), block.line - 1)
            said = io.StringIO()
            doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=said.write, clear_globs=False)
            assert not said.getvalue(), said.getvalue()
            space = session.globs
        else:
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), space)


def test_programs_are_found() -> None:
    found = blocks(ARCHITECTURE)
    assert len(found) > 5
    assert any(b.quoted for b in found)
    assert read(ARCHITECTURE).count("```python") == len(found), "a fence that the reader of these tests does not see"


# -- links and names ---------------------------------------------------------------------------------------------------


def test_the_printed_program() -> None:
    """README shows the end of the program that its own lines make."""
    text = read(ROOT / "README.md")
    (block,) = [b for b in blocks(ROOT / "README.md") if "@torch.compile" in b.text]
    (shown,) = re.findall(r"^```text\n(def learn.*?)^```$", text, re.DOTALL | re.MULTILINE)
    space: dict[str, Any] = {}
    exec(compile(block.text, "README.md", "exec"), space)
    assert space["program"].endswith(shown)


@each_page
def test_links_lead_to_files(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@each_page
def test_tests_that_are_named_exist(page: Path) -> None:
    for file, name in re.findall(r"`(test_\w+\.py)::(test_\w+)`", read(page)):
        assert re.search(rf"^def {name}\(", read(ROOT / "tests" / file), re.MULTILINE), f"{file} has no {name}"


# -- the picture of the rooms ------------------------------------------------------------------------------------------

Arrows = set[tuple[str, str]]

@cache
def modules() -> dict[str, Path]:
    """The package's modules by the name that follows `tinygrad_fr.`; the package itself is `__init__`."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, late: bool) -> set[str]:
    """What a module of the package imports from the package: when it is loaded, or late, when a function is called."""
    tree = ast.parse(read(path))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if (id(node) in inside) != late:
            continue
        if isinstance(node, ast.Import):
            found |= {_named(alias.name, None) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import: these tests read absolute ones"
            found |= {_named(node.module or "", alias.name) for alias in node.names}
    return found - {""}


def _named(module: str, name: str | None) -> str:
    """The module that `from module import name` loads; "" for what is not the package's."""
    parts = module.split(".")
    if parts[0] != "tinygrad_fr":
        return ""
    inner = ".".join(parts[1:])
    deeper = ".".join([*parts[1:], name]) if name else inner
    return deeper if deeper in modules() else inner or "__init__"


class Picture(NamedTuple):
    """What `rooms.dot` says: the room of each module, the arrows drawn, and the dashed ones among them."""

    rooms: dict[str, str]
    arrows: Arrows
    dashed: Arrows

    def room(self, module: str) -> str:
        """The room of a module: its own, or that of the package it lies in."""
        found = self.rooms.get(module) or self.rooms.get(module.partition(".")[0])
        assert found, f"docs/rooms.dot has no room for {module}.py"
        return found


def picture() -> Picture:
    text = re.sub(r"//.*", "", read(ROOT / "docs" / "rooms.dot"))
    named = re.findall(r'^\s*(\w+) \[[^\n]*?comment="([^"]*)"', text, re.MULTILINE)
    title = {key: key.rstrip("_") for key, _ in named}  # node and graph are words of the language: node_, graph_
    rooms = {module: title[key] for key, held in named for module in held.split()}
    assert len(rooms) == sum(len(held.split()) for _, held in named), "a module stands in two rooms"
    found = re.findall(r"^\s*(\w+) -> (\w+)([^\n]*)$", text, re.MULTILINE)
    arrows = {(title[a], title[b]): rest for a, b, rest in found}
    assert len(arrows) == text.count("->"), "an arrow drawn twice, or two on a line"
    return Picture(rooms, set(arrows), {arrow for arrow, rest in arrows.items() if "dashed" in rest})


def between_rooms(late: bool) -> Arrows:
    drawn = picture()
    pairs = {(drawn.room(m), drawn.room(n)) for m, path in modules().items() for n in imports(path, late)}
    return {(a, b) for a, b in pairs if a != b}


def reachable(arrows: Arrows, start: str) -> set[str]:
    """Where the arrows lead from a room, by one arrow or more."""
    found: set[str] = set()
    stack = [start]
    while stack:
        here = stack.pop()
        new = {b for a, b in arrows if a == here} - found
        found |= new
        stack += new
    return found


def reduced(arrows: Arrows) -> Arrows:
    """The arrows without those that others imply; where there is no circle it is one set and no other."""
    return {(a, b) for a, b in arrows if b not in reachable(arrows - {(a, b)}, a)}


def test_no_circle_of_imports() -> None:
    loaded = {(m, n) for m, path in modules().items() for n in imports(path, late=False)}
    assert not [m for m in modules() if m in reachable(loaded, m)]
    rooms = between_rooms(late=False) | between_rooms(late=True)
    assert not [room for room in set(picture().rooms.values()) if room in reachable(rooms, room)]


def test_arrows_are_the_imports() -> None:
    drawn = picture()
    assert drawn.arrows - drawn.dashed == reduced(between_rooms(late=False) | between_rooms(late=True))
    assert set(drawn.rooms) <= set(modules()), "a room for a module that is not there"


def test_the_ring_closes_in_one_place() -> None:
    """The dashed arrow: only methods.py puts members on the class that Tensor stands on."""
    assert picture().dashed == {("methods", "tensor")}
    users = {m for m, path in modules().items() if "_methods" in imports(path, late=False) | imports(path, late=True)}
    assert users == {"tensor", "methods"}
    assert [m for m, path in modules().items() if "setattr(TensorMethods" in read(path)] == ["methods"]


def test_the_drawing_is_that_of_the_description() -> None:
    """rooms.svg was made from this rooms.dot: the same rooms, words and arrows."""
    source, svg = read(ROOT / "docs" / "rooms.dot"), read(ROOT / "docs" / "rooms.svg")
    arrows = {tuple(t.split("&#45;&gt;")) for t in re.findall(r"<title>(\w+&#45;&gt;\w+)</title>", svg)}
    drawn = picture()
    assert {(a.rstrip("_"), b.rstrip("_")) for a, b in arrows} == drawn.arrows
    words = set(re.findall(r"<text [^>]*>([^<]*)</text>", svg))
    wanted = {word for label in re.findall(r"label=<(<b>.*)>\]", source) for word in re.findall(r">([^<>]+)<", label)}
    assert len(wanted) > len(set(drawn.rooms.values()))
    assert wanted <= words, f"draw rooms.svg again: {wanted - words}"


# -- the size of the core ----------------------------------------------------------------------------------------------

_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines(path: Path) -> tuple[int, int]:
    """The lines of a file: all of them, and those of code, without docstrings, comments and blank lines."""
    text = read(path)
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):  # a text that stands alone documents what is above it
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(text.splitlines()), len(code)


def test_size_of_the_core() -> None:
    said = re.search(r"the core, (.*?), has\s([\d ]+) lines of code.*?([\d ]+) lines in all", read(ARCHITECTURE), re.DOTALL)
    assert said, "the sentence on the size of the core is gone"
    counts = [lines(PACKAGE / name) for name in re.findall(r"`(\w+\.py)`", said[1])]
    assert len(counts) == 3
    for words, number in ((said[2], sum(code for _, code in counts)), (said[3], sum(every for every, _ in counts))):
        assert int(words.replace(" ", "")) == pytest.approx(number, rel=0.03), f"the page says {words}, it is {number}"
