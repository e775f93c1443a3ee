"""Updates of large arrays, a few rows at a time: what lies between two lines then stays in the processor's cache.

NumPy computes line by line, and an array that does not fit into the cache is fetched from memory by each. An update is
element by element, so that all its lines can run on some rows before the next rows come: the same numbers, in a loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_fr.compiler.plan import Line, Memory, Plan
from tinygrad_fr.compiler.recorder import Value
from tinygrad_fr.values import BLOCK as CACHED
from tinygrad_fr.values import LARGE

BLOCK = 2 * CACHED
"""Elements of a block: a program writes into memory that it has, eager's formulas make new arrays. So twice the length fits."""


class Stretch:
    """Neighbouring lines of updates over arrays of one large shape, and the numbers that are computed between them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lines: list[Line] = []
        self.numbers: list[Line] = []
        self.all: list[Line] = []  # both, in their order
        self._written: set[int] = set()  # memories
        self._viewed: set[int] = set()  # those that a view looks into, in an order of its own, or at one place
        self._states: list[Any] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lines[0].result.shape

    def takes(self, line: Line) -> bool:
        """Add a line, if it can run on some rows at a time with those that are here."""
        if self.lines and line.kind == "number":
            if any(v.kind != "number" and self._home(v) in self._written for v in line.inputs()):
                return False
            self.numbers.append(line)
            self.all.append(line)
            return True
        if line.kind != "ufunc" or line.place.phase != "update" or line.out is None:
            return False
        shape = line.result.shape
        if line.result.size <= LARGE or (self.lines and shape != self.shape):
            return False
        if not all(_fits(item, shape) for item in (*line.args, *line.kwargs.values())):
            return False
        whole = [v for v in line.inputs() if v.kind != "number" and v.shape == shape]
        viewed = {self._home(v) for v in line.inputs() if v.kind != "number" and (v in self.plan.root or v.shape != shape)}
        written = _place(line.out)
        if viewed & (self._written | {written}) or written in self._viewed:
            return False
        arrays = [v.sample for v in whole if v.kind == "state"] + [line.out.array] * line.out.fixed
        for array in arrays:
            if any(array is not known and np.may_share_memory(array, known) for known in self._states):
                return False  # one state looks into another
        self._states += arrays
        self._viewed |= viewed
        self._written.add(written)
        self.lines.append(line)
        self.all.append(line)
        return True

    def _home(self, value: Value) -> int:
        root = self.plan.root.get(value, value)
        memory = self.plan.memory.get(root)
        return id(root.sample) if memory is None else _place(memory)

    def text(self, texts: list[str], name_of: Callable[[Any], str], new_name: Callable[[str], str]) -> list[str]:
        """The lines of a program, made of those that compute whole arrays.

        Args:
            texts: the text of the lines, and comments.
            name_of: the name of a value.
            new_name: a name that is not taken.
        """
        i = new_name("i")
        count = self.shape[0]
        most = max(1, BLOCK * count // self.lines[0].result.size)
        rows = next((n for n in range(most, most // 2, -1) if count % n == 0), most)
        part, here, first = f"[{i} : {i} + {rows}]", f"[:{rows}]", []
        if count % rows:  # fewer rows at the end
            n = new_name("n")
            here, first = f"[:{n}]", [f"{n} = min({rows}, {count} - {i})"]
        used_later = self._used_elsewhere()
        kept = {self._home(v) for line in self.lines for v in (*line.inputs(), line.result) if v in used_later}
        places: dict[str, str] = {}
        for line in self.lines:
            for value in (*line.inputs(), line.result):
                if value.kind != "number" and value.shape == self.shape:
                    places[name_of(value)] = part if self._home(value) in kept else here  # else it is of use in the loop only
        name = re.compile(rf"\b({'|'.join(map(re.escape, places))})\b(?!=)")
        inside = [t if t.startswith("#") else name.sub(lambda found: found[0] + places[found[0]], t) for t in texts]
        return [f"for {i} in range(0, {count}, {rows}):", *("    " + text for text in (*first, *inside))]

    def _used_elsewhere(self) -> set[Value]:
        """The values of the stretch that are not its own alone: made before it, read after it, or kept."""
        mine, plan = set(self.lines), self.plan
        made = {line.result for line in self.lines}
        found = {v for line in self.lines for v in line.inputs()} - made
        found |= {line.result for line in self.lines if line.out is not None and line.out.fixed}
        found |= made & {v for line in plan.lines if line not in mine for v in line.inputs()}
        return found | made & {*plan.results, *plan.direct, *plan.parts, *(v for _, v in (*plan.copies, *plan.held))}


def stretches(plan: Plan) -> Iterator[list[Line] | Stretch]:
    """The lines of a plan in order: those that are to run on some rows at a time, and the others between them."""
    waiting: list[Line] = []
    stretch = Stretch(plan)
    for line in (*plan.lines, None):
        if line is not None and stretch.takes(line):
            continue
        if len(stretch.lines) > 1:
            yield waiting
            yield stretch
            waiting = []
        else:
            waiting += stretch.all
        stretch = Stretch(plan)
        if line is not None and not stretch.takes(line):
            waiting.append(line)
    yield waiting


def _fits(item: Any, shape: tuple[int, ...]) -> bool:
    """Whether an operand is of the shape of the whole, or one number."""
    if isinstance(item, Value):
        return item.kind == "number" or item.shape in ((), shape)
    return np.ndim(item) == 0


def _place(memory: Memory) -> int:
    return id(memory.array) if memory.part is None else id(memory.part[0].sample)
