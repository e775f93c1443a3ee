"""Draw the graph of a loss: what was computed from what, the values, the way back of the gradients.

>>> import tinygrad_fr as torch
>>> from tinygrad_fr.visual import draw
>>> a = torch.tensor(3.0, requires_grad=True)
>>> b = a + a
>>> drawing = draw(b * b, view="both")  # in a notebook, this alone shows it; drawing.render("b.svg") writes a file
>>> sorted(arrow.id for arrow in drawing.picture.arrows)
['e1_2_0', 'e1_2_1', 'e2_3_0', 'e2_3_1', 'g1_2_0', 'g1_2_1', 'g2_3_0', 'g2_3_1']
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tinygrad_fr.language import language
from tinygrad_fr.nn.module import Module
from tinygrad_fr.tensor import Tensor
from tinygrad_fr.visual.cells import Cell, Row, Style, Values, brief, number, rows_of, shape
from tinygrad_fr.visual.collapse import Group, grouped, summary
from tinygrad_fr.visual.labels import Labels, shortened
from tinygrad_fr.visual.layers import norm
from tinygrad_fr.visual.marks import KINDS, Mark
from tinygrad_fr.visual.marks import marks as marks_of
from tinygrad_fr.visual.picture import THEMES, Arrow, Box, Drawing, Picture
from tinygrad_fr.visual.snapshot import Link, Snapshot, Vertex
from tinygrad_fr.visual.terminal import percent
from tinygrad_fr.visual.words import WORDS, counted


def draw(
    what: Tensor | Snapshot | BaseException,
    *,
    model: Module | None = None,
    names: Mapping[str, Tensor] | None = None,
    view: Literal["forward", "backward", "both"] = "forward",
    values: bool = True,
    gradients: bool | Literal["stored", "computed"] | None = None,
    formulas: bool = False,
    shapes: bool = True,
    marks: bool | Mapping[Any, Sequence[Mark]] = True,
    group: bool = True,
    collapse: bool | None = None,
    depth: int | None = None,
    direction: Literal["LR", "TB"] = "LR",
    theme: Literal["light", "dark", "print"] = "light",
    lang: Literal["en", "fr"] | None = None,
    legend: bool = True,
    precision: int = 4,
) -> Drawing:
    """The graph of a loss as a drawing: a `graphviz.Digraph` that a notebook shows, and that needs no Graphviz to be rendered.

    Args:
        what: the loss, before `backward()` has freed its graph; a `Snapshot`, which can be drawn at any time; or the exception
            of a forward pass that failed, which is drawn up to the failure.
        model: gives the parameters their names and groups them by module; found by itself if there is one.
        names: names of your own, {"w1": tensor}.
        view: "forward", the values; "backward", the gradients alone; "both".
        values: show the numbers.
        gradients: which ones: "stored" (or True), what `.grad` holds now, "no gradient yet" where there is none; "computed",
            what this graph gives for every quantity, whether or not `backward()` was called; False, none. If left out, the
            views that go back show what is computed, and the forward view shows none.
        formulas: each operation's formula, the local derivative on each edge, ∂ℒ/∂w₁ for the gradients.
        shapes: the shape and dtype of each array.
        marks: mark what goes wrong where it shows (dead, saturated, vanishing, exploding, NaN), as far as the numbers of this
            view tell. A diagnosis judges whole layers: `draw(report.snapshot, marks=report.marks)`.
        group: draw a frame around each module.
        collapse: True for one box a module; False for one box a quantity; by itself, only where there are more than 60.
        depth: how deep in the model boxes go when it is collapsed; as deep as there is room for, if left out.
        direction: "LR" from left to right, "TB" from top to bottom.
        theme: "light", "dark", or "print", black on white.
        lang: "en" or "fr"; the user's own if left out.
        legend: say below what the shapes and arrows mean.
        precision: how many decimals.

    Raises:
        TypeError: for something that has no graph.
        ValueError: for an option that does not exist.
        RuntimeError: when the graph was freed, or there is none.
    """
    spoken = lang or language()
    check("view", view, ("forward", "backward", "both"))
    check("gradients", gradients, (None, False, True, "stored", "computed"))
    check("direction", direction, ("LR", "TB"))
    check("theme", theme, tuple(THEMES))
    check("lang", spoken, tuple(WORDS))
    shown = {True: "stored", False: "", None: "" if view == "forward" else "computed"}.get(gradients, gradients)  # type: ignore[arg-type]
    if isinstance(what, BaseException):
        snapshot = Snapshot.of_error(what, model=model, names=names)
        view, shown = "forward", ""
    elif isinstance(what, Snapshot):
        snapshot = what
        if shown == "stored":
            snapshot.look()
    else:
        wanted = bool(shown) or view != "forward"
        snapshot = Snapshot(what, model=model, names=names, gradients=wanted, _frame=sys._getframe(1))
    if snapshot.loss.kind != "failed" and snapshot.loss.gradient is None and (view != "forward" or shown == "computed"):
        raise ValueError("this snapshot was taken without gradients: write Snapshot(loss, gradients=True)")
    style = Style(precision, spoken, theme == "print")
    found = marks if isinstance(marks, Mapping) else marks_of(snapshot) if marks else {}
    pen = _Pen(snapshot, Labels(snapshot, formulas, spoken), style, view, str(shown), values, shapes, found)
    picture = pen.picture(grouped(snapshot, collapse, depth), group)
    picture.direction, picture.theme = direction, theme
    if legend:
        picture.legend = pen.legend(picture)
    return Drawing.of(picture)


def check(name: str, value: Any, known: tuple[Any, ...]) -> None:
    """Raise a ValueError for an option that does not exist."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}")


@dataclass(slots=True)
class _Pen:
    """What is to be shown of a snapshot, and how."""

    snapshot: Snapshot
    labels: Labels
    style: Style
    view: str
    gradients: str
    values: bool
    shapes: bool
    marks: Mapping[Any, Sequence[Mark]]

    def picture(self, groups: list[Group], frames: bool) -> Picture:
        """The boxes and arrows."""
        if self.view == "backward":
            groups = [g for g in groups if any(v.gradient is not None for v in g.members)]
        boxes = [self.box_of(group) for group in groups]
        at = {vertex.id: box for group, box in zip(groups, boxes, strict=True) for vertex in group.members}
        clusters = self.clusters(boxes) if frames else {}
        for box in boxes:
            box.inside = box.inside if box.inside in clusters else None
        arrows: list[Arrow] = []
        seen = set()
        for link in self.snapshot.links:
            tail, head = at.get(link.source), at.get(link.target)
            if tail is None or head is None or tail is head:
                continue
            detail = not {tail.kind, head.kind} & {"module", "group"}  # else one arrow stands for all between the two
            for arrow in self.arrows(link, tail.id, head.id, detail):
                if detail or (tail.id, head.id, arrow.kind) not in seen:
                    seen.add((tail.id, head.id, arrow.kind))
                    arrows.append(arrow)
        return Picture(boxes, arrows, clusters, self.caption(len(boxes)))

    @property
    def words(self) -> dict[str, str]:
        return WORDS[self.style.lang]

    # -- boxes -----------------------------------------------------------------------------------------------------

    def box_of(self, group: Group) -> Box:
        """A quantity as it is, with the numbers that entered it if they share its box; or a box for several."""
        *others, last = group.members
        if group.module is None and group.repeats == 1 and all(vertex.kind == "number" for vertex in others):
            return self.box(last, [_literal(vertex, self.style) for vertex in others])
        return self.group(group)

    def box(self, vertex: Vertex, numbers: list[str]) -> Box:
        """One quantity."""
        id, is_loss = f"v{vertex.id}", vertex is self.snapshot.loss
        if vertex.kind == "number":
            return Box(id, "number", [(Cell(_literal(vertex, self.style)),)])
        if vertex.kind == "failed":
            title = Cell(f"{self.words['error']} · {vertex.symbol}", "mark", bold=True, size=16)
            message = _wrapped(self.words["quote"].format(text=vertex.error))
            said = [(Cell(self.words["said"], "soft", size=12),), (Cell(message),)]
            return Box(id, "failed", [(title,), *said], vertex.module)
        rows: list[Row] = [self.title(vertex, numbers)]
        formula = self.labels.formula(vertex)
        if formula:
            rows.append((Cell(f"= {formula}"),))
        if self.shapes and vertex.shape:
            rows.append((Cell(shape(vertex.shape, vertex.dtype), "soft", size=12),))
        rows += self.marked([vertex])
        if self.values:
            rows += self.value(vertex) + self.gradient(vertex)
        tooltip = " · ".join(filter(None, (vertex.name or vertex.symbol, vertex.site)))
        return Box(id, vertex.kind, rows, vertex.module, "loss" if is_loss else "", tooltip, is_loss)

    def title(self, vertex: Vertex, numbers: list[str]) -> Row:
        """The symbol of the operation, the name, the place in the backward pass."""
        name = self.labels.name(vertex)
        symbol = self.words.get(f"symbol {vertex.symbol}", vertex.symbol)
        cells = [Cell(" ".join([symbol, *numbers]), size=18)] if symbol else []
        if name or not cells:
            align = "right" if cells else "left"
            cells.append(Cell(shortened(name or self.words[f"legend {vertex.kind}"]), bold=bool(name), align=align))
        if self.view != "forward" and vertex.order is not None:
            cells.append(Cell(f"#{vertex.order}", "soft", size=11, align="right"))
        return tuple(cells)

    def value(self, vertex: Vertex) -> list[Row]:
        label = Cell(self.words["data"])
        if vertex.value is None:
            return [(label, Cell(self.words["unknown"], "soft", align="right"))]
        rows = rows_of(label, vertex.value, self.style, image=vertex.kind == "constant")
        if vertex.after is not None:
            rows += rows_of(Cell(self.words["after"]), vertex.after, self.style)
        return rows

    def gradient(self, vertex: Vertex) -> list[Row]:
        """The gradient: the number, what was added to give it, and whether it is this graph's."""
        label = Cell(self.labels.gradient(vertex) or self.words["grad"], "gradient")
        if self.gradients == "stored" and not vertex.constant:
            if vertex.stored is None:
                return [(label._replace(text=self.words["none"]),)] if vertex.kind == "parameter" else []
            rows = rows_of(label, vertex.stored, self.style)
            if vertex.state != "fresh":
                rows.append((label._replace(text=f"({self.words[vertex.state]})", size=12),))
            return rows
        if self.gradients != "computed" or vertex.gradient is None:
            return []
        parts = [link.contribution for link in self.snapshot.uses_of(vertex.id) if link.contribution is not None]
        if vertex.gradient.size > 1 or not 1 < len(parts) <= 4:
            return rows_of(label, vertex.gradient, self.style)
        right = label._replace(align="right")
        terms = " + ".join(map(self.scalar, parts)).replace("+ −", "− ")
        return [(label, right._replace(text=terms)), (Cell(), right._replace(text=f"= {self.scalar(vertex.gradient)}"))]

    def marked(self, vertices: Sequence[Vertex]) -> list[Row]:
        """A row for each illness of some quantities, the gravest first: `! dead neurons: 50 %`."""
        found = [mark for vertex in vertices for mark in self.marks.get(vertex.id, ())]
        rows: list[Row] = []
        for kind in KINDS:
            alike = [mark for mark in found if mark.kind == kind]
            if not alike:
                continue
            text = self.words["mark first" if any(mark.first for mark in alike) else f"mark {kind}"]
            if kind in ("dead", "saturated") and len(vertices) == 1:
                text += f"{self.words['colon']} {percent(alike[0].share)}"
            rows.append((Cell(f"! {text}", "mark", bold=True, size=12),))
        return rows

    def scalar(self, array: Values) -> str:
        return number(array.reshape(()), self.style)

    def group(self, group: Group) -> Box:
        """Several quantities in one box: a module, or operations that belong together."""
        words, members, last = self.words, group.members, group.members[-1]
        title = self.group_title(group)
        parameters = [v for v in members if v.kind == "parameter"]
        operations = sum(v.kind == "operation" for v in members)
        small = []
        if group.module is None:
            small += [counted(words, "operation", operations), _wrapped(summary(members), 28)] if operations > 1 else []
        if parameters:
            small.append(counted(words, "parameter", _size(parameters)))
        if self.shapes and last.shape:
            small.append("→ " + shape(last.shape, last.dtype))
        rows: list[Row] = [(Cell(title, bold=True),), *((Cell(line, "soft", size=12),) for line in small)]
        rows += self.marked(members)
        if self.values and group.module is None and group.repeats == 1:
            rows += self.value(last)
        gradients = [v.stored if self.gradients == "stored" else v.gradient for v in parameters if self.gradients]
        known = [g for g in gradients if g is not None]
        if self.values and known:
            rows.append((Cell(f"{words['norm']} {brief(norm(known), self.style)}", "gradient", size=12),))
        inside = last.module if group.repeats == 1 else None
        if group.module is not None:
            inside = group.module.rpartition(".")[0]
        kind = "module" if group.module is not None else "group"
        return Box(f"v{last.id}", kind, rows, inside, tooltip=title, thick=last is self.snapshot.loss)

    def group_title(self, group: Group) -> str:
        """`0 · Linear`, or the name of what comes out; and how often it is repeated."""
        called = []
        for part in group.pattern or [group]:
            last = part.members[-1]
            known = part.module is not None and self.snapshot.model is not None
            name = type(self.modules[part.module or ""]).__name__ if known else self.labels.name(last)
            called.append(name or last.symbol or self.words["legend constant"])
        what = shortened(", ".join(called))
        if group.repeats > 1:
            what = self.words["times"].format(what=what, count=group.repeats)
        path = group.module if group.last in (None, group.module) else f"{group.module} … {group.last}"
        return f"{path} · {what}" if path else what

    @property
    def modules(self) -> dict[str, Module]:
        return dict(self.snapshot.model.named_modules()) if self.snapshot.model is not None else {}

    def clusters(self, boxes: list[Box]) -> dict[str, tuple[str | None, str]]:
        """The modules that have a box in them, and those around them; not the whole model."""
        modules, found = self.modules, set()
        for box in boxes:
            path = box.inside or ""
            while path:
                found.add(path)
                path = path.rpartition(".")[0]
        clusters: dict[str, tuple[str | None, str]] = {}
        for path, module in modules.items():
            if path in found:
                parameters = sum(p.numel() for p in module.parameters())
                title = [path, type(module).__name__, *([counted(self.words, "parameter", parameters)] if parameters else [])]
                clusters[path] = path.rpartition(".")[0] or None, " · ".join(title)
        return clusters

    # -- arrows ----------------------------------------------------------------------------------------------------

    def arrows(self, link: Link, tail: str, head: str, detail: bool) -> list[Arrow]:
        """One arrow for the value, one for the gradient, with what is to be said of them."""
        ids = f"{link.source}_{link.target}_{link.position}"
        local, rule = (self.labels.local(link), self.labels.rule(link)) if detail else (None, None)
        found: list[Arrow] = []
        if self.view != "backward":
            whole = f"{self.labels.gradient(self.snapshot.source(link))} = {rule}" if rule and self.view == "forward" else ""
            found.append(Arrow(f"e{ids}", tail, head, "value", [local or whole]))
        if self.view != "forward" and link.contribution is not None:
            lines = [rule] if rule and (self.view == "backward" or not local) else []
            if detail and link.axes:
                axes = "axis" if len(link.axes) == 1 else "axes"
                lines.append(f"Σ {self.words[axes].format(axes=', '.join(map(str, link.axes)))}")
            if detail and self.values and link.contribution.size == 1:
                several = sum(use.contribution is not None for use in self.snapshot.uses_of(link.source)) > 1
                lines.append(("+= " if several else "") + self.scalar(link.contribution))
            found.append(Arrow(f"g{ids}", tail, head, "gradient", lines))
        return found

    # -- around the drawing ----------------------------------------------------------------------------------------

    def caption(self, boxes: int) -> str:
        """What is seen: the pass, the loss, the number of parameters."""
        snapshot, words, loss = self.snapshot, self.words, self.snapshot.loss
        if loss.kind == "failed":
            return words["failed"].format(operation=loss.operation)
        parts = [words[self.view]]
        if self.values and loss.value is not None and loss.value.size == 1:
            parts.append(f"{self.labels.name(loss)} = {self.scalar(loss.value)}")
        parts.append(counted(words, "parameter", _size([v for v in snapshot if v.kind == "parameter"])))
        if boxes < len(snapshot) and self.view != "backward":
            parts.append(f"{counted(words, 'quantity', len(snapshot))} {counted(words, 'box', boxes)}")
        return " · ".join(parts)

    def legend(self, picture: Picture) -> list[tuple[str, str]]:
        """What is in the drawing, and nothing that is not."""
        words, kinds = self.words, {box.kind for box in picture.boxes}
        found = [(kind, words[f"legend {kind}"]) for kind in _EXPLAINED if kind in kinds]
        lines = {arrow.kind for arrow in picture.arrows}
        found += [(kind, words[f"legend {kind}"]) for kind in ("value", "gradient") if kind in lines]
        cells = [cell for box in picture.boxes for row in box.rows for cell in row]
        if any(cell.text.startswith("#") for cell in cells):
            found.append(("text", words["legend order"]))
        if any(cell.heat for cell in cells):
            found.append(("heat", words["legend heat print" if self.style.grey else "legend heat"]))
        if any(cell.role == "mark" and cell.text.startswith("!") for cell in cells):
            found.append(("text", words["legend mark"]))
        if any("∂/∂" in line for arrow in picture.arrows for line in arrow.lines):
            found.append(("text", words["legend formula"]))
        return found


_EXPLAINED = ("parameter", "constant", "operation", "module", "group")


def _size(vertices: list[Vertex]) -> int:
    return sum(int(np.prod(vertex.shape)) for vertex in vertices)


def _literal(vertex: Vertex, style: Style) -> str:
    """A number as it was written in the program."""
    value = vertex.value.item() if vertex.value is not None and vertex.value.dtype != object else None
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("-", "−").replace(".", "," if style.lang == "fr" else ".")


def _wrapped(text: str, width: int = 44) -> str:
    """A text in lines of at most so many letters."""
    return "\n".join(textwrap.wrap(text, width, max_lines=12, placeholder=" …"))
