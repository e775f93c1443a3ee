"""From a trace to a plan: what is computed, in which order, and into which memory.

A plan knows NumPy's functions and no operation. It drops what nobody reads, computes nothing twice, and lets a result take
the memory of what has been read for the last time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_fr.compiler.recorder import Instruction, Place, Value
from tinygrad_fr.compiler.trace import Plain, Slot, Trace, rebuilt, values_in


class Line:
    """One line of the program.

    Attributes:
        kind: "ufunc" (element by element), "reduce", "dot", "view", "call" (anything else), or "number" (Python floats).
        function: the NumPy function, the method's name, or the view's or number's own recipe.
        args: Values and constants; kwargs beside them.
        result: the Value, or several in `results`.
        out: the memory that the result is written into; None where NumPy makes a new array.
        place: where it comes from, for the comments.
    """

    __slots__ = ("args", "function", "kind", "kwargs", "out", "place", "quiet", "results")

    def __init__(
        self, kind: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], results: tuple[Value, ...], place: Place
    ) -> None:
        self.kind, self.function, self.args, self.kwargs = kind, function, args, kwargs
        self.results, self.place = results, place
        self.out: Memory | None = None
        self.quiet = False

    @property
    def result(self) -> Value:
        return self.results[0]

    def inputs(self) -> Iterator[Value]:
        """The values that it reads."""
        yield from values_in(self.args)
        yield from values_in(self.kwargs)


class Memory:
    """A block that values live in, one after the other.

    Attributes:
        array: the block, real memory.
        fixed: state, constants and gradients: never given to another value.
        part: for a part of a flat block, the flat value and where the part begins and ends in it.
    """

    __slots__ = ("array", "fixed", "part")

    def __init__(self, array: Any, fixed: bool, part: tuple[Value, int, int] | None = None) -> None:
        self.array, self.fixed, self.part = array, fixed, part


class Flat:
    """Arrays that lie one after the other in one block, so that one call serves them all.

    Attributes:
        value: the block.
        members: the values in it, in order; for state, their slots too.
    """

    __slots__ = ("members", "slots", "value")

    def __init__(self, members: tuple[Value, ...], slots: tuple[Slot, ...] = ()) -> None:
        self.value = Value("state" if slots else "result", np.empty(sum(member.size for member in members), members[0].dtype))
        self.members, self.slots = members, slots

    def parts(self) -> Iterator[tuple[Value, int, int]]:
        """Each member, with where it begins and ends."""
        start = 0
        for member in self.members:
            yield member, start, start + member.size
            start += member.size

    def adopt(self) -> bool:
        """For state: whether its arrays may move into one block, or lie in one already, which is then taken."""
        arrays = [member.sample for member in self.members]
        base = arrays[0].base
        if base is not None:
            first = arrays[0].ctypes.data - base.ctypes.data
            if not (
                isinstance(base, np.ndarray) and base.ndim == 1 and base.dtype == arrays[0].dtype and base.flags.c_contiguous
            ):
                return False
            start = first // base.itemsize
            for (_, begin, _), array in zip(self.parts(), arrays, strict=True):
                at = base.ctypes.data + (start + begin) * base.itemsize
                if array.base is not base or array.ctypes.data != at or not array.flags.c_contiguous:
                    return False
            self.value.sample = base[start : start + self.value.size]
            return True
        return all(member.alone and member.sample.base is None and member.sample.flags.carray for member in self.members)


LARGEST_FLAT = 1 << 14
"""Blocks with more elements gain nothing: a call's own cost is small beside theirs, and parts stay in the cache one by one."""


class Plan:
    """The lines of a program and the memory of its values.

    Attributes:
        lines: in order.
        memory: the block in which a result lives; one without was made anew by NumPy.
        root: for a view, the value whose memory it shows.
        flats: the blocks in which several arrays lie side by side.
        updates: (slot, value) of everything that the program changes or makes.
        direct: the results that are computed right into a slot's memory; `copies`: those that are copied there at the end;
            `held`: gradients that lie in a block.
        equal: groups of kept numbers that were equal and are taken for one; to be checked at each call.
    """

    def __init__(self, trace: Trace, largest_flat: float = LARGEST_FLAT) -> None:
        self.trace, self._largest_flat = trace, largest_flat
        self._alias: dict[Value, Any] = {}
        self._known: dict[Any, tuple[Value, ...]] = {}
        self.lines: list[Line] = []
        self.equal: list[list[tuple[Slot, Value]]] = []
        self._merge_numbers()
        for instruction in trace.instructions:
            self._add(instruction)
        self.updates: list[tuple[Slot, Value]] = [(slot, self.resolve(value)) for slot, value in trace.updates]
        self.result = rebuilt(trace.result, self._resolved_part)
        self.results: list[Value] = list(values_in(self.result))
        self.flats: list[Flat] = []
        self._separate_swaps()
        self._drop_dead()
        self._checks_first()
        self.states = list(trace.states)
        self._flatten()
        self._drop_dead()
        self._place()

    # -- what is computed ------------------------------------------------------------------------------------------

    def resolve(self, item: Any) -> Any:
        """What stands for a value after everything that equals something else was replaced by it."""
        if isinstance(item, Value):
            while isinstance(item, Value) and item in self._alias:
                item = self._alias[item]
            return item
        if isinstance(item, (tuple, list)):
            return type(item)(self.resolve(part) for part in item)
        if isinstance(item, slice):
            return slice(self.resolve(item.start), self.resolve(item.stop), self.resolve(item.step))
        if isinstance(item, dict):
            return {key: self.resolve(part) for key, part in item.items()}
        return item

    def _resolved_part(self, part: Any) -> Any:
        return Plain(self.resolve(part.value)) if isinstance(part, Plain) else self.resolve(part)

    def _merge_numbers(self) -> None:
        """Kept numbers that are equal, such as Adam's count of steps for each parameter, are taken for one.

        They are those that the step reads as Python numbers. That they are equal is checked before each call.
        """
        read = {i.args[0] for i in self.trace.instructions if i.form == "number" and i.what is float}
        families: dict[Any, list[tuple[Slot, Value]]] = {}
        for slot, value in self.trace.states:
            if value in read:
                families.setdefault((value.shape, value.dtype, value.sample.item()), []).append((slot, value))
        for family in families.values():
            if len(family) > 1:
                self.equal.append(family)
                self._alias.update((value, family[0][1]) for _, value in family[1:])

    def _add(self, instruction: Instruction) -> None:
        args, kwargs = self.resolve(instruction.args), self.resolve(instruction.kwargs)
        if instruction.form in ("check", "draw"):
            self.lines.append(Line(instruction.form, instruction.what, args, {}, instruction.results, instruction.place))
            return
        line = simplified(instruction, args, kwargs)
        if not isinstance(line, Line):  # it equals something that is there
            self._alias[instruction.results[0]] = line
            return
        line.quiet = instruction.quiet
        if all(value.kind == "constant" for value in line.inputs()):
            for value in line.results:  # nothing changes from call to call
                value.kind, value.instruction = "constant", None
            return
        if line.kind == "reduce" and line.kwargs.get("keepdims") and line.result.size > 1:
            line = self._with_axes(line)
        self._share(line)

    def _share(self, line: Line) -> tuple[Value, ...]:
        """Add a line, unless the same has been computed already; what stands for its results."""
        key = (line.kind, line.function, _key(line.args), _key(line.kwargs))
        known = self._known.get(key)
        if known is not None:
            self._alias.update(zip(line.results, known, strict=True))
            return known
        self._known[key] = line.results
        self.lines.append(line)
        return line.results

    def _with_axes(self, line: Line) -> Line:
        """A reduction that keeps its axes is one that does not, seen another way: both may be wanted, and one is computed."""
        axis, ndim = line.kwargs["axis"], len(line.args[0].shape)
        gone = {a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))} if axis is not None else set(range(ndim))
        shape = tuple(size for a, size in enumerate(line.args[0].shape) if a not in gone)
        narrow = Value("result", np.reshape(line.result.sample, shape))
        plain = Line("reduce", line.function, line.args, {"axis": axis}, (narrow,), line.place)
        plain.quiet = line.quiet
        (narrow,) = self._share(plain)
        return Line("view", "reshape", (narrow, line.result.shape), {}, line.results, line.place)

    def _separate_swaps(self) -> None:
        """A piece of state whose new value is the old value of another (or a view of it) takes it from a copy made first."""
        root = self._roots()
        for number, (slot, value) in enumerate(self.updates):
            if root.get(value, value).kind == "state":
                twin = Value("result", value.sample)
                at = next((i + 1 for i, line in enumerate(self.lines) if value in line.results), 0)
                self.lines.insert(at, Line("call", "copy", (value,), {}, (twin,), Place("update")))
                self.updates[number] = (slot, twin)

    def _roots(self) -> dict[Value, Value]:
        """For each view, the value that owns the memory."""
        root: dict[Value, Value] = {}
        for line in self.lines:
            if line.kind == "view":
                source = next(line.inputs())
                root[line.result] = root.get(source, source)
        return root

    def _drop_dead(self) -> None:
        wanted = {*self.results, *(v for _, v in self.updates)}
        wanted.update(member for flat in self.flats for member in flat.members)
        kept = []
        for line in reversed(self.lines):
            if line.kind in ("draw", "check") or any(value in wanted for value in line.results):
                wanted.update(line.inputs())
                kept.append(line)
        self.lines = kept[::-1]

    def _checks_first(self) -> None:
        """Checks, and what they need, come first: a call that is refused has then changed nothing."""
        made = {value: line for line in self.lines for value in line.results}
        first: set[int] = set()

        def include(stack: list[Line]) -> None:
            while stack:
                line = stack.pop()
                if id(line) not in first:
                    first.add(id(line))
                    stack += [made[value] for value in line.inputs() if value in made]

        include([line for line in self.lines if line.kind == "check"])
        draws = [line for line in self.lines if line.kind == "draw"]
        while missing := [line for line in draws[: _last(draws, first)] if id(line) not in first]:
            include(missing)  # numbers are drawn in their order
        self.lines.sort(key=lambda line: id(line) not in first)  # a stable sort: the order stays otherwise

    # -- updates in one go -----------------------------------------------------------------------------------------

    def _flatten(self) -> None:
        """Where the updates of all parameters are the same formula, element by element, run it once on flat blocks.

        The formulas are compared from their results backwards, in step for all parameters, as far as they agree; where they
        do not, the values on which they work (the gradients) are laid side by side.
        """
        made = {value: line for line in self.lines for value in line.results}
        families: dict[Any, list[tuple[Slot, Value]]] = {}
        for slot, value in self.updates:
            line = made.get(value)
            if not slot.gradient and line is not None and line.kind == "ufunc":
                families.setdefault((value.dtype, line.function, len(line.args)), []).append((slot, value))
        for family in sorted(families.values(), key=lambda f: -self.lines.index(made[f[-1][1]])):
            size = sum(value.size for _, value in family)
            present = {id(slot) for slot, _ in self.updates}
            if len(family) > 1 and 0 < size <= self._largest_flat and all(id(slot) in present for slot, _ in family):
                self._unify(family)

    def _unify(self, family: list[tuple[Slot, Value]]) -> None:
        made = {value: line for line in self.lines for value in line.results}
        finals = {value: slot for slot, value in self.updates if not slot.gradient}
        slots = {value: slot for slot, value in self.states if not slot.gradient}
        stops: set[tuple[Value, ...]] = set()
        while True:
            attempt = _Unified(tuple(value for _, value in family), made, finals, slots, stops)
            offender = None if attempt.result is None else self._offender(attempt)
            if attempt.result is None or offender == attempt.top:
                return
            if offender is None:
                break
            stops.add(offender)
        leaves = [flat for flat in attempt.flats.values() if not flat.slots and flat.value not in attempt.computed]
        states = [flat for flat in attempt.flats.values() if flat.slots]
        members = [member for leaf in leaves for member in leaf.members]
        if any(not self._can_lie(member, made) for member in members):
            return
        bases = [self._base(member, made) for member in members]
        by_slot = {tuple(map(id, flat.slots)): flat for flat in states}
        targets = []
        for items, flat in attempt.flats.items():
            if all(item in finals for item in items) and flat.value in attempt.computed:
                own = by_slot.get(tuple(id(s) for item in items for s in self._slot_of(finals[item])))
                if own is None:
                    return
                targets.append((own, items, flat.value))
        if len(set(bases)) < len(bases) or not all(flat.adopt() for flat in states):
            return
        for leaf in leaves:
            leaf.members = tuple(self._base(member, made) for member in leaf.members)
        self.flats += states + leaves
        position = max(i for i, line in enumerate(self.lines) if line.results[:1] and line.result in attempt.top)
        gone = {id(line) for line in attempt.gone}
        before = [line for line in self.lines[: position + 1] if id(line) not in gone]
        self.lines = before + attempt.lines + [line for line in self.lines[position + 1 :] if id(line) not in gone]
        for own, items, value in targets:
            taken = set(items)
            self.updates = [(slot, v) for slot, v in self.updates if v not in taken]
            block = Slot(own, False)
            self.states.append((block, own.value))
            self.updates.append((block, value))

    def _slot_of(self, slot: Slot) -> list[Slot]:
        """The slot among the states that is the same place."""
        return [s for s, _ in self.states if _place_of(s) == _place_of(slot)][:1]

    def _offender(self, attempt: _Unified) -> tuple[Value, ...] | None:
        """Values that were computed in one go although something else reads them one by one."""
        gone = {id(line) for line in attempt.gone}
        read = {value for line in self.lines if id(line) not in gone for value in line.inputs()} | set(self.results)
        counts: dict[Value, int] = {}
        for _, value in self.updates:
            counts[value] = counts.get(value, 0) + 1
        gradients = {value for slot, value in self.updates if slot.gradient}
        for items, flat in attempt.flats.items():
            if flat.value in attempt.computed and any(v in read or v in gradients or counts.get(v, 0) > 1 for v in items):
                return items
            if flat.value in attempt.computed and items != attempt.top and 0 < sum(v in counts for v in items) < len(items):
                return items
        return None

    def _base(self, value: Value, made: dict[Value, Line]) -> Value:
        """What a value is a reshaped view of, or the value itself."""
        line = made.get(value)
        while line is not None and line.kind == "view" and line.function == "reshape":
            value = line.args[0]
            line = made.get(value)
        return value

    def _can_lie(self, value: Value, made: dict[Value, Line]) -> bool:
        """Whether a value can be computed right into a part of a block."""
        base = self._base(value, made)
        line = made.get(base)
        return line is not None and line.kind in WRITERS and base not in self.results

    # -- where it lives --------------------------------------------------------------------------------------------

    def _place(self) -> None:
        """Give each value its memory; a block is free again when the last reader of what lives there has run."""
        lines = self.lines
        made = {value: line for line in lines for value in line.results}
        number_of = {id(line): number for number, line in enumerate(lines)}
        root = self.root = self._roots()
        self.parts: dict[Value, Memory] = {}
        for flat in self.flats:
            block = Memory(flat.value.sample, True)
            if not flat.slots:
                self.parts[flat.value] = block
            for member, start, stop in flat.parts():
                if flat.slots:
                    root[member] = flat.value
                else:
                    view = flat.value.sample[start:stop].reshape(member.shape)
                    self.parts[member] = Memory(view, True, (flat.value, start, stop))
                    root[member] = flat.value
        for value in list(root):  # a view of a part is a view of the block
            while root[value] in root:
                root[value] = root[root[value]]
        last: dict[Value, int] = {}
        for number, line in enumerate(lines):
            for value in line.inputs():
                last[root.get(value, value)] = number
        end = len(lines)
        returned = {root.get(v, v) for v in self.results}
        last.update(dict.fromkeys(returned, end))
        initial = {_place_of(slot): value for slot, value in self.states}
        self.direct: dict[Value, Slot] = {}
        self.copies: list[tuple[Slot, Value]] = []
        self.held: list[tuple[Slot, Value]] = []
        homes = {_place_of(slot): Memory(value.sample, True) for slot, value in self.states}
        checked = max((number for number, line in enumerate(lines) if line.kind == "check"), default=-1)
        for slot, value in self.updates:
            before, maker = initial.get(_place_of(slot)), made.get(value)
            free = (
                maker is not None
                and number_of[id(maker)] > checked  # before the last check, nothing that lives on is written
                and maker.kind in WRITERS
                and value not in self.direct
                and root.get(value, value) not in returned
            )
            if slot.gradient and value in made and self._base(value, made) in self.parts:
                self.held.append((slot, value))
            elif (
                free
                and value not in self.parts
                and (before is None or _may_be_written(maker, before, value, last, number_of, root))
            ):
                self.direct[value] = slot
                homes.setdefault(_place_of(slot), Memory(np.empty(value.shape, value.dtype), True))
            else:
                self.copies.append((slot, value))
                last[root.get(value, value)] = end
        self.memory: dict[Value, Memory] = {}
        pool: list[Memory] = []
        dying: dict[int, list[Value]] = {}
        for value, number in last.items():
            dying.setdefault(number, []).append(value)
        for number, line in enumerate(lines):
            freed = [v for v in dying.get(number, ()) if v in self.memory and not self.memory[v].fixed]
            if not line.results:
                continue  # a check
            value = line.result
            if value in self.parts:
                line.out = self.memory[value] = self.parts[value]
            elif value in self.direct:
                line.out = self.memory[value] = homes[_place_of(self.direct[value])]
            elif line.kind in WRITERS and value not in returned:
                over = [v for v in freed if _elementwise(line, v, value) and _read_whole(line, v, root)]
                if over:
                    line.out = self.memory[value] = self.memory[over[0]]
                    freed.remove(over[0])
                else:
                    line.out = self.memory[value] = _taken(pool, value)
            pool += [self.memory[v] for v in freed]


def _last(lines: list[Line], chosen: set[int]) -> int:
    """How many lines there are up to the last chosen one."""
    return max((number for number, line in enumerate(lines, 1) if id(line) in chosen), default=0)


WRITERS = ("ufunc", "dot", "reduce")
"""The kinds of lines that can write into given memory."""


class _Unified:
    """An attempt to compute several values, whose formulas are alike, as parts of one flat block."""

    def __init__(
        self,
        top: tuple[Value, ...],
        made: dict[Value, Line],
        finals: dict[Value, Slot],
        slots: dict[Value, Slot],
        stops: set[tuple[Value, ...]],
    ) -> None:
        self.top, self._made, self._slots, self._stops = top, made, slots, stops
        self._shapes = [value.shape for value in top]
        self.flats: dict[tuple[Value, ...], Flat] = {}
        self.lines: list[Line] = []
        self.gone: list[Line] = []
        self.computed: set[Value] = set()
        self.result = self._unified(top)

    def _unified(self, items: tuple[Any, ...]) -> Any:
        """The flat value of values that correspond to each other, or the number that they all are; None if they differ."""
        first = items[0]
        if not isinstance(first, Value) or first.kind in ("constant", "number"):
            alike = all(_key(item) == _key(first) for item in items)
            return first if alike and np.ndim(getattr(first, "sample", first)) == 0 else None
        if not all(isinstance(item, Value) and item.shape == shape for item, shape in zip(items, self._shapes, strict=True)):
            return None
        if items in self.flats:
            return self.flats[items].value
        if len(set(items)) < len(items) or len({item.dtype for item in items}) > 1:
            return None
        if all(item in self._slots for item in items):
            self.flats[items] = Flat(items, tuple(self._slots[item] for item in items))
            return self.flats[items].value
        lines = [self._made[item] for item in items if item in self._made]
        alike = all(line.kind == "ufunc" and not line.kwargs for line in lines)
        alike = alike and len({(line.function, len(line.args)) for line in lines}) == 1
        if alike and items not in self._stops and len(lines) == len(items):
            kept = (dict(self.flats), list(self.lines), list(self.gone), set(self.computed))
            args = [self._unified(group) for group in zip(*(line.args for line in lines), strict=True)]
            if all(arg is not None for arg in args):
                flat = self.flats[items] = Flat(items)
                self.computed.add(flat.value)
                self.gone += lines
                line = Line("ufunc", lines[0].function, tuple(args), {}, (flat.value,), lines[0].place)
                line.quiet = any(part.quiet for part in lines)
                self.lines.append(line)
                return flat.value
            self.flats, self.lines, self.gone, self.computed = kept
        if items == self.top or not all(item in self._made for item in items):
            return None
        self.flats[items] = Flat(items)
        return self.flats[items].value


def _place_of(slot: Slot) -> tuple[int, bool]:
    return id(slot.owner), slot.gradient


def _may_be_written(
    line: Any, before: Value, after: Value, last: dict[Value, int], number_of: dict[int, int], root: dict[Value, Value]
) -> bool:
    """Whether a line may write state where its former value lies: nobody reads that afterwards, nor out of order meanwhile."""
    own = root.get(before, before)
    number, read = number_of[id(line)], last.get(own, -1)
    if own is not before:  # a part of a block, which others of its parts may still have to be read from
        return False
    return read < number or (read == number and _elementwise(line, before, after) and _read_whole(line, before, root))


def _read_whole(line: Line, value: Value, root: dict[Value, Value]) -> bool:
    """Whether a line reads a value only as it is, not through a view of another shape or order."""
    return all(operand is value or root.get(operand) is not value for operand in line.inputs())


def _taken(pool: list[Memory], value: Value) -> Memory:
    """A free block that fits, or a new one."""
    for memory in pool:
        if memory.array.shape == value.shape and memory.array.dtype == value.dtype:
            pool.remove(memory)
            return memory
    return Memory(np.empty(value.shape, value.dtype), False)


def _elementwise(line: Line, before: Value, after: Value) -> bool:
    """Whether a line may write its result over the operand `before`: element by element, and same shape and dtype."""
    return line.kind == "ufunc" and before.shape == after.shape and before.dtype == after.dtype


def _name(function: Any) -> Any:
    return function if isinstance(function, str) else getattr(function, "__name__", function)


def _key(item: Any) -> Any:
    """Something equal for equal arguments."""
    if isinstance(item, Value):
        if item.kind == "constant":
            return _key(item.sample)
        return ("value", id(item))
    if isinstance(item, (tuple, list)):
        return (type(item).__name__, *(_key(part) for part in item))
    if isinstance(item, dict):
        return tuple((key, _key(part)) for key, part in sorted(item.items()))
    if isinstance(item, slice):
        return ("slice", _key(item.start), _key(item.stop), _key(item.step))
    if isinstance(item, (np.ndarray, np.generic)):
        small = item.nbytes <= 64
        return (str(item.dtype), item.shape, item.tobytes() if small else id(item))
    return (type(item).__name__, repr(item))


# -- NumPy's calls in their simplest form --------------------------------------------------------------------------------

_REDUCTIONS = {
    np.sum: np.add,
    np.prod: np.multiply,
    np.max: np.maximum,
    np.amax: np.maximum,
    np.min: np.minimum,
    np.amin: np.minimum,
}
_VIEWS = {
    "reshape", "ravel", "swapaxes", "transpose", "squeeze", "expand_dims", "broadcast_to", "moveaxis", "diagonal", "T", "mT",
    "__getitem__", "flip", "atleast_1d", "atleast_2d", "permute_dims", "matrix_transpose", "rot90",
}  # fmt: skip


def simplified(instruction: Instruction, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The line of an instruction, or the value that it equals."""
    what, results, place = instruction.what, instruction.results, instruction.place
    out = results[0]

    def line(kind: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> Line:
        return Line(kind, function, args, kwargs or {}, results, place)

    if instruction.form == "number":
        return line("number", what, args)
    if instruction.form == "ufunc":
        ufunc, method = what
        if method != "__call__":
            return line("reduce" if method == "reduce" else "call", getattr(ufunc, method), args, kwargs)
        if ufunc is np.matmul and not kwargs:
            plain = all(isinstance(a, Value) and len(a.shape) == 2 for a in args)
            return line("dot" if plain else "call", "dot" if plain else np.matmul, args)
        if ufunc is np.positive and not kwargs and _same(args[0], out):
            return args[0]  # a copy: values never change
        if not kwargs and len(args) == 2:
            a, b = args
            if ufunc in (np.multiply, np.true_divide) and _is_one(b) and _same(a, out):
                return a
            if ufunc is np.multiply and _is_one(a) and _same(b, out):
                return b
            if ufunc is np.power and not isinstance(b, Value) and np.ndim(b) == 0 and _same(a, out):
                if b == 2:
                    return line("ufunc", np.square, (a,))
                if b == 1:
                    return a
        return line("ufunc", ufunc, args, kwargs) if ufunc.nout == 1 else line("call", ufunc, args, kwargs)
    name = what if isinstance(what, str) else what.__name__
    source = args[0] if args else None
    if name in ("ones_like", "zeros_like", "full_like", "empty_like") and all(not isinstance(a, Value) for a in args[1:]):
        return Value("constant", np.array(out.sample))
    if name in ("sum", "prod", "max", "amax", "min", "amin") and isinstance(source, Value):
        options = dict(zip(("axis", "dtype", "out", "keepdims"), args[1:], strict=False)) | kwargs
        axis, keep = options.pop("axis", None), bool(options.pop("keepdims", False))
        if not {k: v for k, v in options.items() if v is not None}:
            return _reduced(line, name, source, axis, keep, out)
    if name == "mean" and isinstance(source, Value) and source.dtype in (np.float32, np.float64):
        options = dict(zip(("axis", "dtype", "out", "keepdims"), args[1:], strict=False)) | kwargs
        if set(options) <= {"axis", "keepdims"}:
            return line("mean", "mean", (source,), {"axis": options.get("axis"), "keepdims": bool(options.get("keepdims"))})
    if name == "astype" and isinstance(source, Value):
        if source.dtype == out.dtype:
            return source
        return line("call", "astype", (source, out.dtype))
    if name in _VIEWS and isinstance(source, Value) and not _indexed(args[1:]):
        if name in ("reshape", "broadcast_to", "squeeze", "ravel") and source.shape == out.shape:
            return source
        if isinstance(source.sample, np.ndarray) and np.shares_memory(out.sample, source.sample):
            if name in ("swapaxes", "transpose", "mT", "matrix_transpose", "permute_dims") and len(out.shape) == 2:
                return line("view", "T", (source,))
            return line("view", name, args, kwargs)
    return line("call", what, args, kwargs)


def _indexed(rest: tuple[Any, ...]) -> bool:
    """Whether an index holds values that are known at run time only, or arrays: then it copies."""
    return any(True for _ in values_in(rest)) or any(isinstance(r, np.ndarray) for r in rest)


def _reduced(line: Any, name: str, source: Value, axis: Any, keep: bool, out: Value) -> Any:
    ndim = len(source.shape)
    axes = tuple(range(ndim)) if axis is None else tuple(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    if not axes or all(source.shape[a] == 1 for a in axes):
        return source if source.shape == out.shape else line("view", "reshape", (source, out.shape))
    if name == "sum" and axes == (0,) and ndim == 2 and not keep and source.dtype.kind == "f":
        return line("dot", "dot", (Value("constant", np.ones(source.shape[0], source.dtype)), source))
    ufunc = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "amax": np.maximum}.get(name, np.minimum)
    if len(axes) == ndim:
        axes_word: Any = None
    else:
        axes_word = axes[0] if len(axes) == 1 else axes
    return line("reduce", ufunc.reduce, (source,), {"axis": axes_word, "keepdims": True} if keep else {"axis": axes_word})


def _is_one(item: Any) -> bool:
    if isinstance(item, Value):
        return item.kind == "constant" and bool(np.all(item.sample == 1))
    return np.ndim(item) == 0 and item == 1 and not isinstance(item, bool)


def _same(item: Any, out: Value) -> bool:
    return isinstance(item, Value) and item.shape == out.shape and item.dtype == out.dtype
