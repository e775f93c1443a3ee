"""A sheet of mathematics: titles, equations, remarks and tables, as plain text, as Markdown, or as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_fr.visual import notation
from tinygrad_fr.visual.symbols import Symbol


@dataclass
class Title:
    """What the lines below it are about."""

    text: str


@dataclass
class Equation:
    """A quantity and what it is, one equals sign after the other; a remark may stand beside the last."""

    left: Symbol
    steps: list[Any]
    remark: Sequence[Any] = ()


@dataclass
class Remark:
    """Words and formulas in one line."""

    parts: Sequence[Any]


@dataclass
class Table:
    """A quantity in each line, and what it is."""

    head: tuple[str, str]
    rows: list[Equation]


Block = Title | Equation | Remark | Table


@dataclass(repr=False)
class Sheet:
    """What is written, in the order of writing.

    Attributes:
        blocks: titles, equations, remarks and tables.
        lang: "en", or "fr" for decimal commas and French words inside formulas.
        digits: the significant digits of the numbers put in for names.
        form: what `print` shows: "text", "markdown" or "latex".
    """

    lang: str = "en"
    digits: int = 3
    form: str = "text"
    blocks: list[Block] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Plain Unicode lines, the equals signs below one another."""
        lines: list[str] = []
        for block in self.blocks:
            lines += ["", *self._lines(block)] if isinstance(block, Title) and lines else self._lines(block)
        return "\n".join(lines)

    @property
    def markdown(self) -> str:
        """Markdown, with LaTeX between dollar signs."""
        return "\n\n".join(map(self._paragraph, self.blocks))

    @property
    def latex(self) -> str:
        """A piece of a LaTeX document, with the package amsmath."""
        return "\n\n".join(map(self._display, self.blocks))

    def __str__(self) -> str:
        return str(getattr(self, self.form))

    def __repr__(self) -> str:
        titles = [block.text for block in self.blocks if isinstance(block, Title)]
        return f"<{type(self).__name__}: {', '.join(titles)}>"

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_latex_(self) -> str:
        return self.latex

    # -- text ------------------------------------------------------------------------------------------------------

    def _text(self, *parts: Any) -> str:
        return "".join(p if isinstance(p, str) else notation.text(p, digits=self.digits, lang=self.lang) for p in parts)

    def _lines(self, block: Block) -> list[str]:
        if isinstance(block, Title):
            return [block.text]
        if isinstance(block, Remark):
            return ["  " + self._text(*block.parts)]
        if isinstance(block, Table):
            width = max((len(self._text(row.left)) for row in block.rows), default=0)
            return [f"  {self._text(row.left):<{width}} = {' = '.join(map(self._text, row.steps))}" for row in block.rows]
        left = self._text(block.left)
        lines = [f"  {' ' * len(left) if i else left} = {self._text(step)}" for i, step in enumerate(block.steps)]
        return [*lines[:-1], lines[-1] + (f"  ({self._text(*block.remark)})" if block.remark else "")]

    # -- LaTeX, alone and inside Markdown --------------------------------------------------------------------------

    def _latex(self, part: Any) -> str:
        return notation.latex(part, digits=self.digits, lang=self.lang)

    def _equation(self, block: Equation) -> str:
        left, (first, *others) = self._latex(block.left), map(self._latex, block.steps)
        remark = "".join(rf"\text{{{p}}}" if isinstance(p, str) else self._latex(p) for p in block.remark)
        remark = rf" \quad ({remark})" if remark else ""
        if not others:
            return f"{left} = {first}{remark}"
        rows = [f"{left} &= {first}", *(f"&= {step}" for step in others)]
        return r"\begin{aligned} " + r" \\ ".join(rows) + remark + r" \end{aligned}"

    def _line(self, block: Remark) -> str:
        return "".join(p if isinstance(p, str) else f"${self._latex(p)}$" for p in block.parts).replace("$ = $", " = ")

    def _row(self, row: Equation) -> tuple[str, str]:
        return rf"\displaystyle {self._latex(row.left)}", rf"\displaystyle {' = '.join(map(self._latex, row.steps))}"

    def _paragraph(self, block: Block) -> str:
        if isinstance(block, Title):
            return f"**{block.text}**"
        if isinstance(block, Remark):
            return self._line(block)
        if isinstance(block, Table):
            rows = [f"| ${left}$ | ${right}$ |" for left, right in map(self._row, block.rows)]
            return "\n".join([f"| {block.head[0]} | {block.head[1]} |", "| --- | --- |", *rows])
        return f"$${self._equation(block)}$$"

    def _display(self, block: Block) -> str:
        if isinstance(block, Title):
            return rf"\paragraph{{{block.text}}}"
        if isinstance(block, Remark):
            return self._line(block)
        if isinstance(block, Table):
            rows = r" \\ ".join(" & ".join(self._row(row)) for row in block.rows)
            return rf"\[ \begin{{array}}{{l|l}} {rows} \end{{array}} \]"
        return rf"\[ {self._equation(block)} \]"
