"""The last resort: a picture laid out and written as SVG in plain Python, where there is no Graphviz of any kind.

Each box stands one column after the last box that it is computed from; within a column, boxes stand in the order of what
they are linked to, as near to it as the others leave room for. That is plainer than what Graphviz draws, and nothing is lost.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from statistics import fmean

from tinygrad_fr.visual.cells import LEVELS, Cell
from tinygrad_fr.visual.picture import DIAMETER, FRAMES, LINES, Arrow, Box, Picture, html
from tinygrad_fr.visual.render import FONT

INCH = 72.0
GAP, BESIDE = 46.0, 18.0  # between columns, and between the boxes of one
SQUARE = 8.0  # of a heat map

Place = tuple[float, float]
Point = tuple[float, float]


def svg(picture: Picture) -> str:
    """The picture as SVG."""
    sizes = {box.id: _size(box) for box in picture.boxes}
    middles = _given(picture) if picture.placed else _columns(picture, sizes)
    drawn = [*_frames(picture, sizes, middles)] if not picture.placed else []
    drawn += [line for i, arrow in enumerate(picture.arrows) for line in _arrow(picture, arrow, i, sizes, middles)]
    drawn += [line for box in picture.boxes for line in _box(picture, box, sizes[box.id], middles[box.id])]
    corners = [(x + s * w / 2, y + s * h / 2) for k, (x, y) in middles.items() for w, h in [sizes[k]] for s in (-1, 1)]
    left, top = (min(c[i] for c in corners) - 30 for i in (0, 1))
    right, bottom = (max(c[i] for c in corners) + 30 for i in (0, 1))
    drawn += _below(picture, left + 14, bottom)
    legend = max(_width(picture.caption, 16, bold=True), _legend_width(picture)) + 30
    width, height = max(right - left, legend), bottom - top + 74
    ink, background = picture.colours["ink"], picture.colours["background"]
    return "\n".join([
        f'<svg style="max-width:100%;height:auto" role="img" aria-label="{html(picture.caption)}" width="{width:.0f}pt" '
        f'height="{height:.0f}pt" viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="{FONT}" font-size="14" fill="{ink}">',
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{background}"/>',
        *drawn,
        "</svg>\n",
    ])  # fmt: skip


# -- where everything stands -------------------------------------------------------------------------------------------


def _given(picture: Picture) -> dict[str, Point]:
    return {box.id: (box.at[0] * INCH, -box.at[1] * INCH) for box in picture.boxes if box.at is not None}


def _columns(picture: Picture, sizes: dict[str, Place]) -> dict[str, Point]:
    """The middle of each box: columns by the longest way from the beginning, rows by what each box is linked to."""
    before: dict[str, set[str]] = defaultdict(set)
    after: dict[str, set[str]] = defaultdict(set)
    for arrow in picture.arrows:
        before[arrow.head].add(arrow.tail)
        after[arrow.tail].add(arrow.head)
    rank: dict[str, int] = {}
    for box in picture.boxes:  # in the order of computation; where modules run in a circle, it is cut
        rank[box.id] = max((rank[other] + 1 for other in before[box.id] if other in rank), default=0)
    for id in reversed(rank):  # what nothing leads to stands just before where it is used
        if not before[id] and after[id]:
            rank[id] = max(0, min(rank[other] for other in after[id]) - 1)
    columns: dict[int, list[str]] = defaultdict(list)
    first = {arrow.tail: i for i, arrow in reversed([*enumerate(picture.arrows)])}  # x above w, for x @ w
    for id in sorted(rank, key=lambda id: first.get(id, 0)):
        columns[rank[id]].append(id)
    across = picture.direction == "LR"
    along, beside = (0, 1) if across else (1, 0)
    at = {id: 100.0 * i for column in columns.values() for i, id in enumerate(column)}
    for sweep in range(12):
        near = before if sweep % 2 == 0 else after
        for r in sorted(columns, reverse=sweep % 2 == 1):
            wish = {id: fmean(at[o] for o in near[id]) if near[id] else at[id] for id in columns[r]}
            columns[r].sort(key=lambda id: wish[id])
            at |= _apart(columns[r], wish, {id: sizes[id][beside] + BESIDE for id in columns[r]})
    found, start = {}, 0.0
    wide = max((len(line) for arrow in picture.arrows for line in arrow.lines), default=0) * 6.0 if across else 20.0
    for r in sorted(columns):
        thickest = max(sizes[id][along] for id in columns[r])
        for id in columns[r]:
            found[id] = (start + thickest / 2, at[id]) if across else (at[id], start + thickest / 2)
        start += thickest + GAP + wide
    return found


def _apart(order: list[str], wish: dict[str, float], room: dict[str, float]) -> dict[str, float]:
    """Places in this order, as near to the wished ones as the room of each allows."""
    blocks: list[tuple[list[str], list[float], float]] = []  # boxes that touch, their wishes for the first, their length
    for id in order:
        block = [id], [wish[id]], room[id]
        while blocks:
            ids, wishes, length = blocks[-1]
            shift = length - room[ids[0]] / 2 + room[block[0][0]] / 2  # from the first of the one to the first of the other
            if fmean(wishes) + shift <= fmean(block[1]):
                break
            blocks.pop()
            block = ids + block[0], wishes + [w - shift for w in block[1]], length + block[2]
        blocks.append(block)
    places = {}
    for ids, wishes, _ in blocks:
        middle = fmean(wishes)
        for one, two in zip(ids, [*ids[1:], ids[-1]], strict=True):
            places[one] = middle
            middle += (room[one] + room[two]) / 2
    return places


# -- how large everything is -------------------------------------------------------------------------------------------


def _width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is, in Helvetica."""
    letters = [c for c in text if not unicodedata.combining(c)]
    widths = (0.28 if c in "ijl.,:;'|!()[] /ft" else 0.83 if c in "mwMW@" else 0.7 if c.isupper() else 0.56 for c in letters)
    return size * sum(widths) * (1.06 if bold else 1)


def _cell_size(cell: Cell) -> Place:
    if cell.heat:
        return SQUARE * len(cell.heat[0]) + 10, SQUARE * len(cell.heat) + 10
    if cell.numbers:
        return sum(_table(cell)) + 8, 19.0 * len(cell.numbers) + 6
    lines = cell.text.split("\n")
    return max(_width(line, cell.size, cell.bold) for line in lines) + 10, 1.25 * cell.size * len(lines) + 7


def _table(cell: Cell) -> list[float]:
    """The widths of a table's columns."""
    return [max(_width(text, cell.size) for text in column) + 8 for column in zip(*cell.numbers, strict=True)]


def _grid(box: Box) -> tuple[list[float], list[float]]:
    """The widths of a box's columns and the heights of its rows."""
    columns = [0.0] * max(len(row) for row in box.rows)
    for row in box.rows:
        for i, cell in enumerate(row[:-1]):
            columns[i] = max(columns[i], _cell_size(cell)[0])
    for row in box.rows:  # the last cell of a row takes the rest of it
        taken = sum(columns[: len(row) - 1])
        columns[-1] = max(columns[-1], _cell_size(row[-1])[0] + taken - sum(columns[:-1]))
    return columns, [max(_cell_size(cell)[1] for cell in row) for row in box.rows]


def _size(box: Box) -> Place:
    if FRAMES[box.kind][0] == "circle":
        return DIAMETER * INCH, DIAMETER * INCH
    columns, rows = _grid(box)
    margin = 6.0 * (FRAMES[box.kind][1] - 1)  # a second line needs room, and without any less will do
    return sum(columns) + margin, sum(rows) + margin


# -- drawing -----------------------------------------------------------------------------------------------------------


def _text(x: float, y: float, text: str, cell: Cell, colour: str = "", anchor: str = "start") -> str:
    look = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if cell.bold else "")
    look += (f' font-size="{cell.size}"' if cell.size != 14 else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    shown = html(text).replace("  ", " \u00a0")  # two spaces would be shown as one
    return f'<text x="{x:.1f}" y="{y:.1f}"{look}>{shown}</text>'


def _box(picture: Picture, box: Box, size: Place, middle: Point) -> list[str]:
    """A box: its frame, its cells."""
    style, lines, width, fill = FRAMES[box.kind]
    (w, h), (x, y), colours = size, middle, picture.colours
    dash = ' stroke-dasharray="5,3"' if style == "dashed" or box.kind == "input" else ""
    inside = f'fill="{colours[fill]}"' if fill else 'fill="none"'
    stroke = f'{inside} stroke="{colours["ink"] if lines else "none"}" stroke-width="{3 if box.thick else width}"{dash}'
    drawn = [f'<g id="{box.id}" class="node {box.kind} {box.classes}"><title>{html(box.tooltip or box.id)}</title>']
    if style == "circle":
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{w / 2:.1f}" {stroke}/>')
        columns, rows = _grid(box)
        top, left = y - sum(rows) / 2, x - sum(columns) / 2
    else:
        corner = 8 if style == "rounded" else 0
        for i in range(max(lines, 1)):
            shown = f'x="{x - w / 2 + 3 * i:.1f}" y="{y - h / 2 + 3 * i:.1f}" width="{w - 6 * i:.1f}" height="{h - 6 * i:.1f}"'
            drawn.append(f'<rect {shown} rx="{corner}" {stroke}/>')
        columns, rows = _grid(box)
        top, left = y - sum(rows) / 2, x - sum(columns) / 2
        if lines and len(box.rows) > 1 and not box.thick:
            drawn.append(f'<path d="M{left:.1f},{top + rows[0]:.1f}h{sum(columns):.1f}" stroke="{colours["ink"]}"/>')
    for row, height in zip(box.rows, rows, strict=True):
        at = left
        for i, cell in enumerate(row):
            room = columns[i] if i < len(row) - 1 else left + sum(columns) - at
            drawn += _cell(picture, cell, at, top, room, height)
            at += room
        top += height
    return [*drawn, "</g>"]


def _cell(picture: Picture, cell: Cell, x: float, y: float, width: float, height: float) -> list[str]:
    colours = picture.colours
    colour = {"ink": "", "mark": colours["background"]}.get(cell.role, colours.get(cell.role, ""))
    if cell.heat:
        x, y = x + width - SQUARE * len(cell.heat[0]) - 5, y + (height - SQUARE * len(cell.heat)) / 2
        squares = [
            f'<rect x="{x + SQUARE * j:.1f}" y="{y + SQUARE * i:.1f}" width="8" height="8" fill="{picture.tint(level)}"/>'
            for i, row in enumerate(cell.heat)
            for j, level in enumerate(row)
        ]
        outline = f'x="{x:.1f}" y="{y:.1f}" width="{SQUARE * len(cell.heat[0]):.1f}" height="{SQUARE * len(cell.heat):.1f}"'
        return [*squares, f'<rect {outline} fill="none" stroke="{colours["soft"]}"/>']
    if cell.numbers:
        drawn, right = [], x + width - 5
        for column, room in reversed([*zip(zip(*cell.numbers, strict=True), _table(cell), strict=True)]):
            drawn += [_text(right, y + 17 + 19 * i, text, cell, colour, "end") for i, text in enumerate(column)]
            right -= room
        return drawn
    drawn = []
    if cell.role == "mark":
        inside = f'x="{x + 2:.1f}" y="{y + 2:.1f}" width="{width - 4:.1f}" height="{height - 4:.1f}"'
        drawn.append(f'<rect {inside} fill="{colours["mark"]}"/>')
    place, anchor = {"left": (x + 5, "start"), "right": (x + width - 5, "end"), "middle": (x + width / 2, "middle")}[cell.align]
    lines = cell.text.split("\n")
    first = y + (height - 1.25 * cell.size * len(lines)) / 2 + cell.size
    return drawn + [_text(place, first + 1.25 * cell.size * i, line, cell, colour, anchor) for i, line in enumerate(lines)]


def _arrow(picture: Picture, arrow: Arrow, number: int, sizes: dict[str, Place], middles: dict[str, Point]) -> list[str]:
    """A line, its point, its words; those between the same two boxes side by side."""
    name, style = LINES[arrow.kind]
    colour = picture.colours[name]
    (x0, y0), (x1, y1) = middles[arrow.tail], middles[arrow.head]
    alike = [i for i, other in enumerate(picture.arrows) if (other.tail, other.head) == (arrow.tail, arrow.head)]
    shift = 0.0 if picture.placed else 16.0 * (alike.index(number) - (len(alike) - 1) / 2)
    dash = ' stroke-dasharray="5,3"' if style == "dashed" else ""
    look = f'fill="none" stroke="{colour}" stroke-width="{arrow.width:.2g}"{dash}'
    if picture.placed:
        return [f'<path id="{arrow.id}" class="edge {arrow.kind}" d="M{x0:.1f},{y0:.1f}L{x1:.1f},{y1:.1f}" {look}/>']
    across = picture.direction == "LR"
    room = {id: sizes[id][0 if across else 1] / 2 for id in (arrow.tail, arrow.head)}
    if across:
        start, end = (x0 + room[arrow.tail], y0 + shift), (x1 - room[arrow.head], y1 + shift)
    else:
        start, end = (x0 + shift, y0 + room[arrow.tail]), (x1 + shift, y1 - room[arrow.head])
    dx, dy = end[0] - start[0], end[1] - start[1]
    bends = f"{dx / 2:.1f},0 {dx / 2:.1f},{dy:.1f}" if across else f"0,{dy / 2:.1f} {dx:.1f},{dy / 2:.1f}"
    path = f"M{start[0]:.1f},{start[1]:.1f}c{bends} {dx:.1f},{dy:.1f}"
    back = arrow.kind == "gradient"
    (x, y), sign = (start, -1) if back else (end, 1)
    tip = f"{x - 8 * sign:.1f},{y - 3.5:.1f} {x - 8 * sign:.1f},{y + 3.5:.1f}"
    if not across:
        tip = f"{x - 3.5:.1f},{y - 8 * sign:.1f} {x + 3.5:.1f},{y - 8 * sign:.1f}"
    middle, cell = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 3), Cell(size=12)
    halo = f'<g paint-order="stroke" stroke="{picture.colours["background"]}" stroke-width="4">'
    lines = reversed([line for line in arrow.lines if line])
    words = [_text(middle[0], middle[1] - 14 * i, line, cell, colour, "middle") for i, line in enumerate(lines)]
    words = [halo, *words, "</g>"] if words else []
    return [
        f'<g id="{arrow.id}" class="edge {arrow.kind}"><path d="{path}" {look}/>',
        f'<polygon points="{x:.1f},{y:.1f} {tip}" fill="{colour}"/>', *words, "</g>",
    ]  # fmt: skip


def _frames(picture: Picture, sizes: dict[str, Place], middles: dict[str, Point]) -> list[str]:
    """The frame of each group that no other box stands in the way of."""
    drawn = []
    for number, (key, (_, title)) in enumerate(picture.groups.items(), 1):
        inside = {box.id for box in picture.boxes if box.inside is not None and f"{box.inside}.".startswith(f"{key}.")}
        if not inside:
            continue
        left, top = (min(middles[id][i] - sizes[id][i] / 2 for id in inside) - 8 for i in (0, 1))
        right, bottom = (max(middles[id][i] + sizes[id][i] / 2 for id in inside) + 8 for i in (0, 1))
        crossed = any(
            left - x < sizes[id][0] / 2 > x - right and top - 18 - y < sizes[id][1] / 2 > y - bottom
            for id, (x, y) in middles.items()
            if id not in inside
        )
        if not crossed:
            shape = f'x="{left:.1f}" y="{top - 18:.1f}" width="{right - left:.1f}" height="{bottom - top + 18:.1f}" rx="8"'
            drawn.append(f'<g id="m{number}" class="cluster"><rect {shape} fill="none" stroke="{picture.colours["frame"]}"/>')
            drawn += [_text(left + 6, top - 4, title, Cell(size=13), picture.colours["soft"]), "</g>"]
    return drawn


def _below(picture: Picture, x: float, y: float) -> list[str]:
    """The caption and the legend."""
    drawn = [_text(x, y + 16, picture.caption, Cell(bold=True, size=16))] if picture.caption else []
    for kind, word in picture.legend:
        width = _width(word, 14) + 20
        if kind in LINES:
            name, style = LINES[kind]
            dash = ' stroke-dasharray="5,3"' if style == "dashed" else ""
            drawn.append(f'<path d="M{x:.1f},{y + 43:.1f}h30" stroke="{picture.colours[name]}" stroke-width="1.5"{dash}/>')
            drawn.append(_text(x + 36, y + 48, word, Cell(), picture.colours[name]))
            width += 40
        elif kind == "heat":
            row = tuple(range(-LEVELS, LEVELS + 1))
            drawn += _cell(picture, Cell(heat=(row,)), x, y + 30, SQUARE * len(row) + 10, 26)
            drawn.append(_text(x + SQUARE * len(row) + 14, y + 48, word, Cell()))
            width += SQUARE * len(row) + 14
        else:
            box = Box(f"legend_{kind}", kind, [(Cell(word, align="middle"),)])
            drawn += _box(picture, box, (width, 30.0), (x + width / 2, y + 43))
            width += 14
        x += width
    return drawn


def _legend_width(picture: Picture) -> float:
    return sum(_width(word, 14) + {"heat": 110.0}.get(kind, 60.0) for kind, word in picture.legend)
