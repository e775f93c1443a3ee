"""A picture before it is drawn: boxes, arrows, nested groups and a legend, and how they are written for Graphviz.

It knows nothing of tensors. `dot.py` makes one of a graph, `network.py` one of a network; `render.py` turns it into a file.
"""

from __future__ import annotations

import os
import re
import webbrowser
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from graphviz import Digraph

from tinygrad_fr.visual.cells import LEVELS, Cell, Row
from tinygrad_fr.visual.render import FONT, render, write

THEMES: dict[str, dict[str, str]] = {
    "light": {
        "background": "#ffffff", "ink": "#1a1a1a", "soft": "#595959", "value": "#1f4e79", "gradient": "#a84300",
        "parameter": "#e3eefa", "constant": "#ffffff", "operation": "#f4f4f4", "frame": "#8a8a8a",
        "low": "#1f6fb2", "zero": "#ffffff", "high": "#d9690a", "mark": "#9b1c1c",
    },
    "dark": {
        "background": "#15171c", "ink": "#f2f2f2", "soft": "#b5b8bf", "value": "#8fc1f5", "gradient": "#ffb066",
        "parameter": "#1c3450", "constant": "#15171c", "operation": "#2b2e36", "frame": "#7d828c",
        "low": "#5aa9f0", "zero": "#15171c", "high": "#ff9430", "mark": "#ff9d9d",
    },
    "print": {
        "background": "#ffffff", "ink": "#000000", "soft": "#000000", "value": "#000000", "gradient": "#000000",
        "parameter": "#ffffff", "constant": "#ffffff", "operation": "#ffffff", "frame": "#000000",
        "low": "#ffffff", "zero": "#999999", "high": "#202020", "mark": "#000000",
    },
}  # fmt: skip
"""Blue and orange, which everybody tells apart; for print, black on white."""

FRAMES = {  # what a box is: the style of its frame, how many lines it has, how wide they are, the colour within
    "parameter": ("", 2, 1, "parameter"),
    "constant": ("dashed", 1, 1, "constant"),
    "number": ("", 0, 0, ""),
    "operation": ("rounded", 1, 1, "operation"),
    "module": ("rounded", 2, 1, "operation"),
    "group": ("rounded", 2, 1, "operation"),
    "failed": ("", 1, 4, "constant"),
    "neuron": ("circle", 1, 1, "operation"),
    "input": ("circle", 1, 1, "constant"),
    "text": ("", 0, 0, "background"),
}
"""What a box is shows in its frame, so that nothing depends on colour."""

LINES = {  # what an arrow is: its colour and its style
    "value": ("value", "solid"),
    "gradient": ("gradient", "dashed"),
    "positive": ("value", "solid"),
    "negative": ("gradient", "dashed"),
}


LONG = 24
"""Texts of more letters are given room behind them."""


@dataclass(slots=True)
class Box:
    """A node of the picture.

    Attributes:
        id: what a script finds it by.
        kind: a key of `FRAMES`.
        rows: what it shows.
        inside: the key of the group that it lies in.
        classes: what a style sheet finds it by, besides its kind.
        tooltip: what is shown when the mouse rests on it.
        thick: drawn with a thicker frame.
        at: its place in inches, where the picture has places.
    """

    id: str
    kind: str
    rows: list[Row]
    inside: str | None = None
    classes: str = ""
    tooltip: str = ""
    thick: bool = False
    at: tuple[float, float] | None = None


@dataclass(slots=True)
class Arrow:
    """An edge of the picture.

    Attributes:
        id: what a script finds it by.
        tail, head: the ids of two boxes.
        kind: a key of `LINES`; a gradient's point is at the tail, for it flows back.
        lines: the label.
        width: how wide it is drawn.
    """

    id: str
    tail: str
    head: str
    kind: str = "value"
    lines: list[str] = field(default_factory=list)
    width: float = 1.3


@dataclass(slots=True)
class Picture:
    """Boxes and arrows in the order in which they are drawn.

    Attributes:
        groups: key -> (key of the group around it, title), the outer before the inner.
        caption: what stands below.
        legend: what is explained below the caption: (kind of box or arrow, or "heat" or "text"; its word).
        direction: "LR" or "TB".
        theme: a key of `THEMES`.
    """

    boxes: list[Box]
    arrows: list[Arrow]
    groups: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    caption: str = ""
    legend: list[tuple[str, str]] = field(default_factory=list)
    direction: str = "LR"
    theme: str = "light"

    @property
    def colours(self) -> dict[str, str]:
        return THEMES[self.theme]

    @property
    def placed(self) -> bool:
        """Whether the boxes have their places already."""
        return any(box.at is not None for box in self.boxes)

    def tint(self, level: int | None) -> str:
        """The colour of a heat map's cell."""
        colours = self.colours
        if level is None:
            return colours["ink"]
        zero, end = (bytes.fromhex(colours[name][1:]) for name in ("zero", "high" if level > 0 else "low"))
        return "#" + bytes(round(a + (b - a) * abs(level) / LEVELS) for a, b in zip(zero, end, strict=True)).hex()

    # -- as text for Graphviz --------------------------------------------------------------------------------------

    def dot(self) -> list[str]:
        """The lines between the braces of the DOT text, the same at each run."""
        ink, background = self.colours["ink"], self.colours["background"]
        words_beside = self.direction == "TB" and any(line for arrow in self.arrows for line in arrow.lines)
        return [
            _line("graph", rankdir=self.direction, ordering="in", pad="0.2", nodesep="0.8" if words_beside else "0.25",
                  ranksep="0.45", splines="line" if self.placed else "", outputorder="edgesfirst" if self.placed else "",
                  bgcolor=background, fontname=FONT, fontcolor=ink, labelloc="b", label=self._below(), tooltip=self.caption),
            _line("node", shape="plain", fontname=FONT, fontsize="14", fontcolor=ink),
            _line("edge", fontname=FONT, fontsize="12", arrowsize="0.8", arrowhead="none" if self.placed else ""),
            *self._inside(None, 1),
            *self._edges(),
        ]  # fmt: skip

    def _inside(self, key: str | None, depth: int) -> list[str]:
        """The boxes of a group, then the groups within it."""
        lines = []
        for box in self.boxes:
            if box.inside == key:
                place = {} if box.at is None else {"pos": f"{box.at[0]:.3f},{box.at[1]:.3f}!"}
                classes = f"{box.kind} {box.classes}".strip()
                tooltip = box.tooltip or "\u00a0"  # otherwise it would be the id
                attributes = {"id": box.id, "class": classes, **self._shape(box), **place, "tooltip": tooltip}
                lines.append(_line(box.id, depth, **attributes))
        for number, (name, (around, title)) in enumerate(self.groups.items(), 1):
            if around == key:
                attributes = {"id": f"m{number}", "class": "module", "label": f"<{html(title)}>", "tooltip": title}
                attributes |= {"fontsize": "13", "fontcolor": self.colours["soft"], "labeljust": "l", "labelloc": "t"}
                attributes |= {"style": "rounded", "color": self.colours["frame"], "margin": "10"}
                tabs = "\t" * depth
                lines.append(f"{tabs}subgraph cluster_{number} {{\n")
                lines.append(_line("graph", depth + 1, **attributes))
                lines += self._inside(name, depth + 1)
                lines.append(f"{tabs}}}\n")
        return lines

    def _edges(self) -> list[str]:
        """The arrows, the values before the gradients.

        Where two quantities are linked twice both ways, as by x * x, each arrow goes from a row to a row, beside the others.
        """
        lines = []
        both_ways = self.direction == "LR" and {"value", "gradient"} <= {arrow.kind for arrow in self.arrows}
        total = Counter((arrow.tail, arrow.head, arrow.kind) for arrow in self.arrows)
        rows = {box.id: box.rows for box in self.boxes}
        drawn: Counter[tuple[str, str, str]] = Counter()
        for arrow in sorted(self.arrows, key=lambda arrow: arrow.kind == "gradient"):
            tail, head, key = arrow.tail, arrow.head, (arrow.tail, arrow.head, arrow.kind)
            if both_ways and total[key] > 1:
                out, into = (
                    len(rows[end]) - 1 if arrow.kind == "gradient" else min(drawn[key], max(len(rows[end]) - 2, 0))
                    for end in (tail, head)
                )
                tail, head = f"{tail}:c{out}_{len(rows[tail][out]) - 1}:e", f"{head}:c{into}_0:w"
            drawn[key] += 1
            name, style = LINES[arrow.kind]
            colour = self.colours[name]
            attributes = {"id": arrow.id, "class": arrow.kind, "color": colour, "penwidth": f"{arrow.width:.2g}"}
            attributes |= {"style": style} if style != "solid" else {}
            attributes |= {"dir": "back"} if arrow.kind == "gradient" else {}
            if any(arrow.lines) or both_ways:  # an empty label keeps the two ways apart
                margin = "\u00a0" if self.direction == "TB" else ""
                label = "<BR/>".join(margin + html(line) for line in arrow.lines)
                attributes |= {"label": f"<{label or ' '}>", "fontcolor": colour}
            lines.append(_line(f"{tail} -> {head}", **attributes))
        return lines

    def _shape(self, box: Box) -> dict[str, str]:
        """The attributes that make a box what it is: a circle, or the frame of a table."""
        style, _, width, fill = FRAMES[box.kind]
        if style != "circle":
            return {"label": f"<{self._table(box)}>"}
        width = 2 if box.thick else width
        colours = {"color": self.colours["ink"], "fillcolor": self.colours[fill], "style": "filled", "penwidth": str(width)}
        if box.kind == "input":
            colours["style"] = "filled,dashed"
        return {"shape": "circle", "width": f"{DIAMETER}", "fixedsize": "true", **colours, "label": f"<{self._table(box)}>"}

    def _table(self, box: Box) -> str:
        """A box as an HTML-like table."""
        columns = max((len(row) for row in box.rows), default=1)
        rows = []
        ruled = FRAMES[box.kind][1] and FRAMES[box.kind][0] != "circle" and not box.thick and len(box.rows) > 1
        for i, row in enumerate(box.rows):
            cells = [self._cell(cell, columns - j if j == len(row) - 1 else 1) for j, cell in enumerate(row)]
            if ruled or box.thick:
                for j in sorted({0, len(cells) - 1}):  # where arrows may come in and go out
                    cells[j] = cells[j].replace("<TD", f'<TD PORT="c{i}_{j}"', 1)
            rows.append(_rows([cells]))
            if i == 0 and ruled:
                rows.append("<HR/>")
        return self._framed(box.kind, "".join(rows), thick=box.thick)

    def _framed(self, kind: str, rows: str, thick: bool = False, size: tuple[int, int] | None = None) -> str:
        """The frame of a kind of box around rows; of a size of its own, whatever the room, if one is given."""
        style, lines, width, fill = FRAMES[kind]
        width = 3 if thick else width
        look = (f' STYLE="{style}"' if style else "") + (f' BGCOLOR="{self.colours[fill]}"' if fill else "")

        def table(border: int, spacing: int, padding: int, rows: str, larger: int) -> str:
            fixed = f' FIXEDSIZE="TRUE" WIDTH="{size[0] + larger}" HEIGHT="{size[1] + larger}"' if size else ""
            colour = f' COLOR="{self.colours["ink"]}"' if border else ""
            spaces = f'CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="{padding}"'
            return f'<TABLE BORDER="{border}" {spaces}{colour}{look if border or not style else ""}{fixed}>{rows}</TABLE>'

        if style == "circle":
            return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'
        inner = table(width, 0, 4 if lines else 1, rows, 0)
        return inner if lines < 2 else table(1, 2, 0, f"<TR><TD>{inner}</TD></TR>", 8)

    def _cell(self, cell: Cell, span: int) -> str:
        attributes = f' COLSPAN="{span}"' if span > 1 else ""
        table = '<TABLE BORDER="{}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="{}"{}>{}</TABLE>'
        if cell.heat:
            tints = [[f'<TD WIDTH="8" HEIGHT="8" BGCOLOR="{self.tint(level)}"></TD>' for level in row] for row in cell.heat]
            frame = f' FIXEDSIZE="TRUE" WIDTH="{8 * len(tints[0]) + 2}" HEIGHT="{8 * len(tints) + 2}"'
            frame += f' COLOR="{self.colours["soft"]}"'
            return f"<TD{attributes}>{table.format(1, 0, frame, _rows(tints))}</TD>"
        if cell.numbers:
            one = cell._replace(numbers=())
            texts = [[f'<TD ALIGN="RIGHT">{self._text(one._replace(text=text))}</TD>' for text in row] for row in cell.numbers]
            return f"<TD{attributes}>{table.format(0, 3, '', _rows(texts))}</TD>"
        align = {"left": "LEFT", "right": "RIGHT", "middle": "CENTER"}[cell.align]
        if cell.role == "mark":  # within the padding, so that it stays inside a rounded frame
            row = _rows([[f'<TD ALIGN="{align}">{self._text(cell)}</TD>']])
            colour = f' BGCOLOR="{self.colours["mark"]}"'
            return f"<TD{attributes}>{table.format(0, 2, colour, row)}</TD>"
        return f'<TD{attributes} ALIGN="{align}">{self._text(cell)}</TD>'

    def _text(self, cell: Cell) -> str:
        lines = [html(line) for line in cell.text.split("\n")]
        if len(cell.text) > LONG and cell.role != "mark":  # without the font at hand, `dot` takes them for a tenth shorter
            lines = [line + "\u00a0" * -(-len(line) // 12) for line in lines]
        text = lines[0] if len(lines) == 1 else "".join(f'{line}<BR ALIGN="LEFT"/>' for line in lines)
        text = f"<B>{text}</B>" if cell.bold and text else text
        colour = {"ink": "", "mark": self.colours["background"]}.get(cell.role, self.colours.get(cell.role, ""))
        font = (f' COLOR="{colour}"' if colour else "") + (f' POINT-SIZE="{cell.size}"' if cell.size != 14 else "")
        return f"<FONT{font}>{text}</FONT>" if font and text else text

    def _below(self) -> str:
        """The caption and the legend, as the label of the whole."""
        rows = []
        if self.caption:
            rows.append(f'<TR><TD HEIGHT="36"><FONT POINT-SIZE="16"><B>{html(self.caption)}</B></FONT></TD></TR>')
        entries = [f'<TD ALIGN="LEFT">{self._sample(kind, word)}</TD>' for kind, word in self.legend]
        in_row = 4 if len(self.boxes) < 12 or self.direction == "TB" else 9
        lines = _rows([entries[i : i + in_row] for i in range(0, len(entries), in_row)])
        table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{}" CELLPADDING="0">{}</TABLE>'
        if lines:
            rows.append(f"<TR><TD>{table.format(12, lines)}</TD></TR>")
        return f"<{table.format(0, ''.join(rows))}>" if rows else ""

    def _sample(self, kind: str, word: str) -> str:
        """An entry of the legend: the thing itself, with its word."""
        if kind in LINES:
            name, style = LINES[kind]
            line = {"value": "───►", "gradient": "◄- - -"}.get(kind) or ("────" if style == "solid" else "- - - -")
            return f'<FONT COLOR="{self.colours[name]}">{line} {html(word)}</FONT>'
        if kind == "heat":
            heat = self._cell(Cell(heat=(tuple(range(-LEVELS, LEVELS + 1)),)), 1)
            return self._framed("text", f"<TR>{heat}<TD>{html(word)}</TD></TR>")
        if not FRAMES[kind][1]:
            return html(word)
        width = 9 * len(word) + 12
        return self._framed(kind, f'<TR><TD WIDTH="{width - 2}" HEIGHT="24">{html(word)}</TD></TR>', size=(width, 26))


def _rows(rows: list[list[str]]) -> str:
    return "".join(f"<TR>{''.join(row)}</TR>" for row in rows)


DIAMETER = 0.72
"""Of a neuron, in inches."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = re.compile(r"\\(?=[NGETHL])")  # \N is the name of the node, even in HTML: nothing that can be seen is put between


def shown(text: str) -> str:
    """A text as it can be shown: what XML cannot hold is �."""
    return _ESCAPES.sub("\\\\\u200b", _UNSEEN.sub("\ufffd", text))


def html(text: str) -> str:
    """A text inside an HTML-like label.

    >>> html('w<1> & "b"')
    'w&lt;1&gt; &amp; &quot;b&quot;'
    """
    return escape(shown(text))


def _line(what: str, depth: int = 1, /, **attributes: str) -> str:
    """A statement of the DOT language; a label that begins with `<` is HTML-like, and what is empty is left out."""
    written = []
    for name, value in attributes.items():
        if name == "label" and value.startswith("<"):
            written.append(f"{name}={value}")
        elif value:
            text = shown(value).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
            written.append(f'{name}="{text}"')
    return "\t" * depth + f"{what} [{', '.join(written)}]\n"


class Drawing(Digraph):  # type: ignore[misc]  # graphviz has no types
    """A picture as a `graphviz.Digraph`: its `source` can be read and added to. It draws without Graphviz being installed.

    A notebook shows it by itself. `render("xor.svg")` writes a file: SVG, PNG, PDF, or DOT, the text itself.
    """

    picture: Picture | None = None

    @classmethod
    def of(cls, picture: Picture) -> Drawing:
        """The drawing of a picture."""
        self = cls("tinygrad_fr", body=picture.dot(), engine="neato" if picture.placed else "dot")
        self.picture = picture
        return self

    def render(self, filename: str | os.PathLike[str] = "graph.svg", *, format: str | None = None) -> Path:
        """Write the drawing into a file, and return its path.

        Args:
            filename: its ending says what is written: `.svg`, `.png`, `.pdf`, or `.dot` (`.gv`) for the text.
            format: the same, for a file whose name has another ending, or none.

        Raises:
            ValueError: for another format.
            NoRenderer: where nothing on this machine can draw; the DOT text is written beside, and the message says what to
                install.
            OSError, RuntimeError: when the folder does not exist, or nothing may be written there.
        """
        return write(self.source, filename, format, **self._how())

    save = render

    def pipe(self, format: str = "svg", encoding: str | None = None) -> Any:
        """The drawing as bytes, or as text where an encoding is given."""
        data = render(self.source, format, **self._how())
        return data if encoding is None else data.decode(encoding)

    def view(self, filename: str | os.PathLike[str] = "graph.svg") -> Path:
        """Write the drawing into a file, and show it in the browser."""
        path = self.render(filename)
        webbrowser.open(path.resolve().as_uri())
        return path

    def _repr_svg_(self) -> str:
        """What a page can hold: the drawing from `<svg` on."""
        svg: str = self.pipe("svg", "utf-8")
        return svg[svg.index("<svg") :]

    _repr_image_svg_xml = _repr_svg_

    def _how(self) -> dict[str, Any]:
        picture = self.picture
        if picture is None:
            return {"engine": self.engine}
        from tinygrad_fr.visual.layout import svg

        unchanged = self.body == picture.dot()  # what the user has added, only Graphviz can draw
        return {"engine": self.engine, "title": picture.caption, "last": (lambda: svg(picture)) if unchanged else None}
