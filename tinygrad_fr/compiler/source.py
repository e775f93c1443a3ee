"""From a plan to a NumPy program that one reads like a lesson, and that is run as it stands."""

from __future__ import annotations

import builtins
import keyword
import linecache
import os
import re
from typing import Any

import numpy as np

from tinygrad_fr.compiler.blocks import Stretch, stretches
from tinygrad_fr.compiler.naming import names_of
from tinygrad_fr.compiler.plan import Line, Memory, Plan
from tinygrad_fr.compiler.recorder import CannotCompile, Value, with_at, with_item
from tinygrad_fr.compiler.trace import Plain, Same, Slot
from tinygrad_fr.visual.notation import text as written
from tinygrad_fr.visual.symbols import Symbol

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "true_divide": "/", "power": "**", "divide": "/"}

_WITH_ITEM = '''def with_item(a, index, value):
    """A copy of an array with some elements replaced."""
    a = np.array(a)
    a[index] = value
    return a
'''

_WITH_AT = '''def with_at(ufunc, a, index, *values):
    """A copy of an array after ufunc.at: where the index names a place twice, both count."""
    a = np.array(a)
    ufunc.at(a, index, *values)
    return a
'''

_ZEROED = '''def zeroed(a, off):
    """np.where(off, 0, a) with masks of bits: where signs are mixed, several times as fast."""
    bits = np.int32 if a.itemsize == 4 else np.int64
    keep = np.subtract(off.view(np.int8), 1).astype(bits)  # 0 where off, else -1, which has all bits
    return np.bitwise_and(keep, a.view(bits), out=keep).view(a.dtype)
'''

_RATES = {"lr": ("lr", "η"), "momentum": ("momentum", "μ"), "betas": ("beta1", "β₁")}
"""The options that may change from call to call: their names in a program, and in its formulas."""

_TEMPORARY = re.compile(r"t\d*(_\d+)?")

LONGEST_LINE = 100
MOST_NAMES = 12
MOST_CALLS = 16
"""A formula that takes more lines than this is not written above its lines: its operation is named."""

MANY = 1024
"""From so many elements on, np.where takes much longer than a few calls."""

LARGEST_TEXT = 64
"""Constants of more elements are not written out."""


class Program:
    """The text of a compiled step, and what belongs into its name space.

    Attributes:
        states: name -> value of the state that the program reads or writes; flat blocks among them.
        flats: name -> flat block of state.
        constants: name -> array, for constants that are not written out.
        rates: name -> (value, dtype) of the options that may change: as arrays of a dtype, or as Python numbers (None).
        helpers: name -> function, for checks and draws of random numbers.
        whole: where all there is happens in one function of a backend's, which refuses arguments of other shapes with a
            ValueError: its name, and the names of what it is given.
        gradients: (slot, name) of the gradients that the program leaves in its memory.
    """

    reserved: tuple[str, ...] = ()  # names that the backend needs itself
    whole: tuple[str, list[str]] | None = None

    def __init__(self, plan: Plan, name: str, title: str) -> None:
        self.plan, self.title = plan, title
        self.name = name if name.isidentifier() else "step"
        self._names: dict[Value, str] = {}
        self._taken: set[str] = {self.name, "np", *self.reserved, "with_item", "with_at", "zeroed", *dir(builtins)}
        self._functions: set[str] = set()
        self._needs: set[str] = set()  # helpers that stand in the text
        self.arguments = [self._named(value, name) for name, value in plan.trace.arguments]
        self.states: dict[str, Value] = {}
        self.flats: dict[str, Any] = {}
        self.constants: dict[str, Any] = {}
        self.rates: dict[str, tuple[Value, Any]] = {}
        self.helpers: dict[str, Any] = {}
        self.gradients: list[tuple[Slot, str]] = []
        self._known: list[tuple[str, Any, Any]] = []
        self._blocks: dict[int, list[str]] = {}  # the names of each block of memory
        self._block_list: list[tuple[Memory, list[str]]] = []
        self._temporary: dict[int, str] = {}
        self._fixed: list[str] = []  # views that are made once
        self._numbers: dict[Value, str] = {}
        self._wanted = names_of(plan)
        self._given_names()
        self._home_names()
        self._body = self._written()

    def _written(self) -> list[str]:
        """The lines of the function."""
        texts: list[str] = []
        for part in stretches(self.plan):
            if isinstance(part, Stretch):
                texts += self._rows_at_a_time(part)
            else:
                texts += [text for group in groups(part) for text in self._group(group)]
        return texts + self._ending()

    def _rows_at_a_time(self, stretch: Stretch) -> list[str]:
        """Updates of a large array, a few rows at a time."""
        before = [text for line in stretch.numbers for text in self._number(line)]
        inside = [text for group in groups(stretch.lines) for text in self._group(group)]
        said = "# a few rows at a time, so that what lies between stays in the cache"
        return [*before, said, *stretch.text(inside, self._text, self._fresh)]

    # -- names -----------------------------------------------------------------------------------------------------

    def _fresh(self, wish: str) -> str:
        wish = re.sub(r"\W+", "_", wish).strip("_") or "t"
        if not wish[0].isalpha() and wish[0] != "_":
            wish = "p_" + wish
        name, count = wish, 1
        while name in self._taken or keyword.iskeyword(name):
            count += 1
            name = f"{wish}_{count}"
        self._taken.add(name)
        return name

    def _named(self, value: Value, wish: str) -> str:
        if value not in self._names:
            self._names[value] = self._fresh(wish)
        return self._names[value]

    def _call(self, function: str) -> str:
        """A NumPy function by its own name, imported at the top."""
        if hasattr(np, function):
            self._functions.add(function)
            self._taken.add(function)
            return function
        return f"np.{function}"

    def _given_names(self) -> None:
        """The state keeps its names, before anything else takes them."""
        for line in self.plan.lines:  # functions have precedence over variables
            if line.kind == "ufunc" or isinstance(line.function, np.ufunc):
                self._taken.add(line.function.__name__)
            elif line.kind == "reduce":
                self._taken.add(line.function.__self__.__name__)
        used = {v for line in self.plan.lines for v in line.inputs()} | set(self.plan.results)
        used |= {v for _, v in self.plan.updates}
        changed = {(id(slot.owner), slot.gradient) for slot, _ in self.plan.updates}
        inside = {member for flat in self.plan.flats if flat.slots for member in flat.members}
        for slot, value in self.plan.trace.states:
            if value in inside or value in used or (not slot.gradient and (id(slot.owner), slot.gradient) in changed):
                name = self._named(value, self._wanted.get(value, "p"))
                if value not in inside:
                    self.states[name] = value
        for flat in self.plan.flats:
            wishes = [self._wanted.get(member, "") for member in flat.members]
            kept = [wish.rpartition("_")[0] for wish in wishes]
            same = flat.slots and len(set(kept)) == 1 and all(wish.rpartition("_")[2].isdigit() for wish in wishes)
            name = self._named(flat.value, kept[0] if same and kept[0] else "P" if flat.slots else "G")
            if flat.slots:
                self.flats[name] = flat
                self.states[name] = flat.value
                for member, start, stop in flat.parts():
                    self._fixed.append(f"{self._names[member]} = {name}[{start}:{stop}].reshape({_shape(member.shape)})")
        for line in self.plan.lines:
            for value in line.results:
                if value in self._wanted and line.kind != "view":
                    self._named(value, self._wanted[value])

    def _home_names(self) -> None:
        """Each block of memory gets the names of the values that live there."""
        for flat in self.plan.flats:
            if not flat.slots:
                self._block_list.append((Memory(flat.value.sample, True), [self._names[flat.value]]))
        self._state_names = {id(value.sample): name for name, value in self.states.items()} | {
            id(flat.value.sample): self._names[flat.value] for flat in self.plan.flats
        }
        self._state_names |= {
            id(value.sample): self._names[value] for _, value in self.plan.trace.states if value in self._names
        }

    # -- expressions -----------------------------------------------------------------------------------------------

    def _text(self, item: Any, beside: Any = None) -> str:
        """An argument as it stands in the program; a number beside an array becomes an array of its dtype, which is quicker."""
        if isinstance(item, Value):
            if item.kind == "constant" and item not in self._names:
                return self._constant(item.sample)
            if item.kind == "number" and item.instruction is None:
                return self._rate(item, beside)
            if item in self._numbers:
                return self._numbers[item]
            return self._names[item]
        if isinstance(item, (bool, np.bool_)) or item is None or isinstance(item, str):
            return repr(item)
        if isinstance(item, (int, float)):
            if beside is not None and beside.kind == "f":
                return self._constant(np.array(item, beside))
            return repr(item) if np.isfinite(item) else f"float('{item}')"
        if isinstance(item, (np.ndarray, np.generic)):
            return self._constant(item)
        if isinstance(item, tuple):
            return "(" + ", ".join(map(self._text, item)) + ("," if len(item) == 1 else "") + ")"
        if isinstance(item, list):
            return "[" + ", ".join(map(self._text, item)) + "]"
        if isinstance(item, slice):
            if any(isinstance(part, Value) for part in (item.start, item.stop, item.step)):
                raise CannotCompile("a slice whose ends are computed: the shape of the result depends on values.")
            parts = ["" if part is None else self._text(part) for part in (item.start, item.stop, item.step)]
            return ":".join(parts[:2] if item.step is None else parts)
        if isinstance(item, (np.dtype, type)):
            dtype = np.dtype(item)
            return f"np.{dtype.name}" if dtype.name != "bool" else "bool"
        if item is Ellipsis:
            return "..."
        raise CannotCompile(f"an argument of type {type(item).__name__} cannot be written into a program.")

    def _rate(self, value: Value, beside: Any) -> str:
        """A learning rate or its like: as an array of the dtype beside which it stands, or as a Python number."""
        for name, (known, dtype) in self.rates.items():
            if known is value and dtype == beside:
                return name
        name = self._fresh(_RATES[self._option(value)][0])
        self.rates[name] = (value, beside)
        return name

    def _option(self, value: Value) -> str:
        """Which option of an optimiser a number is."""
        return next(key for _, key, known in self.plan.trace.numbers if known is value)

    def _constant(self, array: Any) -> str:
        held = isinstance(array, np.ndarray) and any(
            np.may_share_memory(array, other) for _, other in self.plan.trace.reach.arrays
        )  # the user's own array: as it is at each call
        array = np.asarray(array)
        key = id(array) if held or array.nbytes > LARGEST_TEXT else (str(array.dtype), array.shape, array.tobytes())
        for name, known, _ in self._known:
            if known == key:
                return name
        ones = array.ndim == 1 and array.size and bool(np.all(array == 1)) and array.dtype.kind == "f"
        wish = f"ones_{array.size}" if ones else "c" if array.ndim else "c" + f"{array.item():.6g}".replace("-", "minus_")
        name = self._fresh(wish)
        self._known.append((name, key, array))
        if held or (array.size > LARGEST_TEXT and not ones):
            self.constants[name] = array
        return name

    def _shape_of_constants(self) -> list[str]:
        lines = []
        for name, _, array in self._known:
            if name in self.constants:
                continue
            if name.startswith("ones_"):
                lines.append(f"{name} = np.ones({array.size}, np.{array.dtype})")
            else:
                lines.append(f"{name} = {literal(array)}")
        return lines

    # -- lines -----------------------------------------------------------------------------------------------------

    def _group(self, lines: list[Line]) -> list[str]:
        """The lines of one run of a formula, under the formula itself."""
        final = lines[-1].out
        texts: list[str] = []
        for line in lines:
            texts += self._line(line, final, lines[-1])
        comment = self._comment(lines) if texts else None
        return [*([f"# {comment}"] if comment else []), *texts]

    def _line(self, line: Line, final: Memory | None, last: Line) -> list[str]:
        if line.kind == "number":
            return self._number(line)
        if line.kind == "check":
            name = self._fresh("check")
            self.helpers[name] = line
            return [f"{name}({self._text(line.args[0])})"]
        value = line.result
        if line.kind == "draw":
            name = self._fresh("draw")
            self.helpers[name] = line
            return [f"{self._named(value, 'mask')} = {name}({', '.join(map(self._text, line.args))})"]
        if line.kind == "view":
            source = next(line.inputs())
            home = self.plan.root.get(source, source)
            fixed = (
                home.kind in ("state", "constant") or home in self.plan.memory or any(f.value is home for f in self.plan.flats)
            )
            text = self._view(line)
            wish = f"{self._text(source)}_T" if line.function == "T" else f"{self._text(source)}_v"
            name = self._named(value, self._wanted.get(value) or wish)
            if fixed:
                self._fixed.append(f"{name} = {text}")
                return []
            return [f"{name} = {text}"]
        beside = next((v.dtype for v in line.inputs() if v.kind != "number"), None)
        if line.kind == "ufunc":
            args = [self._text(a, beside) for a in line.args] + [f"{k}={self._text(v)}" for k, v in line.kwargs.items()]
            head = f"{self._call(line.function.__name__)}("
        elif line.kind == "reduce":
            args = [self._text(a) for a in line.args] + [f"{k}={self._text(v)}" for k, v in line.kwargs.items()]
            if _along_short_rows(line):
                args = [f"{args[0]}.T.copy()", "axis=0"]
            head = f"{self._call(line.function.__self__.__name__)}.reduce("
        elif line.kind == "dot":
            a, b = (self._text(x) for x in line.args)
            head, args = f"{a}.dot(", [b]
        else:
            text, names = self._general(line)
            return [f"{names or self._named(value, self._wanted.get(value, 't'))} = {text}"]
        if line.out is None:
            return [f"{self._named(value, self._wanted.get(value, 't'))} = {head}{', '.join(args)})"]
        name = self._out(line.out, value, final, last)
        return [f"{head}{', '.join([*args, f'out={name}'])})"]

    def _number(self, line: Line) -> list[str]:
        if line.function is float:
            text = f"float({self._text(line.args[0])})"
        else:
            args = [self._text(a) for a in line.args]
            sign = _SIGNS.get(line.function.__name__)
            word = {"minimum": "min", "maximum": "max", "negative": "-", "positive": ""}.get(line.function.__name__)
            text = f"({args[0]} {sign} {args[1]})" if sign else f"{word}({', '.join(args)})"
        uses = sum(v is line.result for other in self.plan.lines for v in other.inputs())
        if uses == 1:
            self._numbers[line.result] = text
            return []
        name = self._named(line.result, "n")
        return [f"{name} = {text.removeprefix('(').removesuffix(')') if text.startswith('(') else text}"]

    def _out(self, memory: Memory, value: Value, final: Memory | None, last: Line) -> str:
        """The name of a value that is written into memory: its own, that of its group's result, or one of a temporary."""
        known = self._state_names.get(id(memory.array))
        if known is not None:
            self._names[value] = known
            return known
        if memory.part is not None:
            name = self._named(value, self._wanted.get(value, "t"))
            block, start, stop = memory.part
            line = f"{name} = {self._names[block]}[{start}:{stop}].reshape({_shape(memory.array.shape)})"
            if line not in self._fixed:
                self._fixed.append(line)
            return name
        if id(memory) not in self._blocks:
            self._blocks[id(memory)] = []
            self._block_list.append((memory, self._blocks[id(memory)]))
        names = self._blocks[id(memory)]
        if value not in self._names:
            if memory is final and last.results[0] in self._names:
                self._names[value] = self._names[last.results[0]]
            elif id(memory) in self._temporary:
                self._names[value] = self._temporary[id(memory)]
            else:
                self._temporary[id(memory)] = self._named(value, f"t{len(self._temporary) + 1}")
        name = self._names[value]
        if name not in names:
            names.append(name)
        slot = self.plan.direct.get(value)
        if slot is not None and slot.gradient:
            self.gradients.append((slot, name))
        return name

    def _view(self, line: Line) -> str:
        source, *rest = line.args
        text = self._text(source)
        if line.function in ("T", "mT"):
            return f"{text}.{line.function}"
        if line.function == "__getitem__":
            return f"{text}[{self._index(rest[0])}]"
        if line.function == "reshape":
            return f"{text}.reshape({_shape(line.result.shape)})"
        args = [self._text(a) for a in rest] + [f"{k}={self._text(v)}" for k, v in line.kwargs.items()]
        if line.function in ("ravel", "swapaxes", "transpose", "squeeze", "diagonal"):
            return f"{text}.{line.function}({', '.join(args)})"
        return f"np.{line.function}({', '.join([text, *args])})"

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self._index, index)) + ("," if len(index) == 1 else "")
        return self._text(index)

    def _general(self, line: Line) -> tuple[str, str | None]:
        args = line.args
        function: Any = line.function
        if function == "__getitem__":
            return f"{self._text(args[0])}[{self._index(args[1])}]", None
        if function == "mean":
            (a,) = args
            axis, keep = line.kwargs["axis"], line.kwargs["keepdims"]
            count = a.size // max(1, line.result.size)
            text = f"{self._call('add')}.reduce({self._text(a)}, axis={self._text(axis)}{', keepdims=True' if keep else ''})"
            return (f"{text} / {count}" if count > 1 else text), None
        if function is np.where and _zeroes(line):
            self._needs.add("zeroed")
            return f"zeroed({self._text(args[2])}, {self._text(args[0])})", None
        if function is np.take_along_axis and args[2:] == (1,) and len(args[1].shape) == 2 == len(args[0].shape):
            rows = self._constant(np.arange(len(args[1].sample)).reshape(-1, 1))  # quicker than NumPy's own detour
            return f"{self._text(args[0])}[{rows}, {self._text(args[1])}]", None
        if function is with_item:
            self._needs.add("with_item")
            index = f"np.s_[{self._index(args[1])}]"
            return f"with_item({self._text(args[0])}, {index}, {self._text(args[2])})", None
        if function is with_at:
            words = [self._call(args[0].__name__), self._text(args[1]), f"np.s_[{self._index(args[2])}]"]
            return f"with_at({', '.join([*words, *map(self._text, args[3:])])})", None
        words = [self._text(a) for a in args] + [f"{k}={self._text(v)}" for k, v in line.kwargs.items()]
        if isinstance(function, str):
            return f"{words[0]}.{function}({', '.join(words[1:])})", None
        owner = getattr(function, "__self__", None)
        if isinstance(function, np.ufunc):
            name = self._call(function.__name__)
        elif isinstance(owner, np.ufunc):
            name = f"{self._call(owner.__name__)}.{function.__name__}"
        elif getattr(np, called := str(getattr(function, "__name__", "")), None) is function:
            name = f"np.{called}"
        elif getattr(np.linalg, called, None) is function:
            name = f"np.linalg.{called}"
        else:
            raise CannotCompile(f"{function} is no public function of NumPy, so it cannot be written into a program.")
        if len(line.results) > 1:
            names = ", ".join(self._named(value, self._wanted.get(value, "t")) for value in line.results)
            return f"{name}({', '.join(words)})", names
        return f"{name}({', '.join(words)})", None

    def _ending(self) -> list[str]:
        """The updates that are copied, and the result."""
        lines = []
        for slot, value in self.plan.copies:
            if slot.gradient and not any(
                s.gradient and s.owner is slot.owner and v in self._names for s, v in self.plan.states
            ):
                target = self._fresh("d" + self._owner_name(slot))
                self._block_list.append((Memory(np.empty(value.shape, value.dtype), True), [target]))
            else:
                target = next(
                    self._names[v] for s, v in self.plan.states if s.owner is slot.owner and s.gradient == slot.gradient
                )
            if slot.gradient:
                self.gradients.append((slot, target))
            lines.append(f"{self._call('copyto')}({target}, {self._text(value)})")
        self.gradients += [(slot, self._names[value]) for slot, value in self.plan.held]
        for result, slot in self.plan.direct.items():
            if slot.gradient and not any(known is slot for known, _ in self.gradients):
                self.gradients.append((slot, self._names[result]))
        return [*lines, f"return {self._result(self.plan.result)}"]

    def _owner_name(self, slot: Slot) -> str:
        for other, value in self.plan.trace.states:
            if not other.gradient and other.owner._node is slot.owner:
                return self._names.get(value) or self._wanted.get(value, "p")
        return "p"

    def _result(self, item: Any) -> str:
        if isinstance(item, (Value, Plain)):
            value = item if isinstance(item, Value) else item.value
            home = self.plan.root.get(value, value)
            shared = home.kind in ("state", "argument", "constant") or home in self.plan.memory
            shared = shared or any(flat.value is home for flat in self.plan.flats)
            again = sum(v is value for v in self.plan.results) > 1 or value in self.plan.root
            text = self._text(value)
            return f"np.array({text})" if shared or again else text
        if isinstance(item, Same):
            return self.arguments[item.number] if item.number is not None else "None"
        if isinstance(item, (tuple, list)):
            inner = ", ".join(self._result(part) for part in item)
            return f"({inner}{',' if len(item) == 1 else ''})" if isinstance(item, tuple) else f"[{inner}]"
        if isinstance(item, dict):
            return "{" + ", ".join(f"{key!r}: {self._result(part)}" for key, part in item.items()) + "}"
        return repr(item) if isinstance(item, (int, float, str, bool, type(None))) else "None"

    def _comment(self, lines: list[Line]) -> str | None:
        """The formula of a group, as it stands in the declaration, with the names of this program."""
        place = lines[0].place
        if place.phase == "update" and lines[-1].results:
            return self._update_comment(lines)
        if place.formula is None:
            return None
        names: dict[Value, Any] = {}

        def symbol(item: Any) -> Any:
            if isinstance(item, Value):
                item = self.plan.resolve(item)
            if not isinstance(item, Value):
                return item
            if item.kind == "constant" and item.size == 1:
                return item.sample.item()
            name = self._names.get(item) or self._numbers.get(item)
            if name is None:
                raise LookupError
            return names.setdefault(item, Symbol(name, item.shape, item.dtype))

        last = next((line.results[0] for line in reversed(lines) if line.results), None)
        try:
            formula = written(place.formula(*map(symbol, place.operands))) if len(lines) <= MOST_CALLS else None
        except Exception:
            formula = None
        if formula is None or len(formula) > LONGEST_LINE - 20:
            formula = f"{place.operation.symbol}, its gradient" if place.phase == "backward" else place.operation.symbol
        left = self._names.get(last, "") if last is not None else ""
        if place.phase == "backward" and left.startswith("d"):
            return f"∂C/∂{left[1:]} = {formula}"
        return f"{left} = {formula}" if left and not _TEMPORARY.fullmatch(left) else formula

    def _update_comment(self, lines: list[Line]) -> str | None:
        """What an update computes: its lines put together into one formula; a short one only."""
        made: dict[Value, Any] = {}
        symbols: dict[str, Any] = {}

        def symbol(item: Any) -> Any:
            if not isinstance(item, Value):
                return item
            if item in made:
                return made[item]
            if item.kind == "constant" and item.size == 1:
                return float(f"{item.sample.item():.6g}")
            shown = item if item in self._names else self.plan.root.get(item, item)
            name = self._names.get(shown)
            if name is None and item.kind == "number" and item.instruction is None:
                name = _RATES[self._option(item)][1]
            if name is None:
                raise LookupError
            return symbols.setdefault(name, Symbol(name, item.shape, item.dtype))

        target = lines[-1].results[0]
        name = self._names.get(target)
        states = {id(value.sample): self._names[value] for _, value in self.plan.states if value in self._names}
        if lines[-1].out is None or id(lines[-1].out.array) not in states:
            return None
        try:
            for line in lines:
                if line.kind != "ufunc":
                    return None
                made[line.result] = line.function(*map(symbol, line.args))
                if line is not lines[-1] and line.out is not None and id(line.out.array) in states:
                    made.pop(line.result)  # another piece of state: it is written by its name
            formula = written(made[target])
        except Exception:
            return f"the update of {name}"
        return f"{name} ← {formula}" if len(formula) < LONGEST_LINE - 20 else f"the update of {name}"

    # -- the text --------------------------------------------------------------------------------------------------

    def sections(self) -> tuple[list[str], list[str], list[str]]:
        """The text in three parts: what stands before the state, what comes between it and the function, and the function."""
        plan = self.plan
        head = ['"""' + self.title, ""]
        rows = []
        for name, value in zip(self.arguments, (v for _, v in plan.trace.arguments), strict=True):
            rows.append((name, value, "argument"))
        for _, value in plan.trace.states:
            if value in self._names:
                rows.append((self._names[value], value, plan.trace.paths.get(value, "")))
        width = max((len(name) for name, _, _ in rows), default=0)
        shapes = max((len(str(value.shape)) for _, value, _ in rows), default=0)
        for name, value, path in rows:
            said = "" if path == name else path
            head.append(f"    {name:<{width}}  {value.shape!s:<{shapes}}  {value.dtype}  {said}".rstrip())
        head += self._origins()
        head += ['"""', "", "import numpy as np"]
        if self._functions:
            head += _wrapped("from numpy import ", sorted(self._functions))
        head += self._imports()
        memory = self._memory()
        middle = []
        rates = [f"{name} = {self._rate_text(value, dtype)}" for name, (value, dtype) in self.rates.items()]
        if rates:
            only = all(self._option(value) == "lr" for value, _ in self.rates.values())
            middle += ["", "# the learning rate" if only else "# the options of the optimiser that may change", *rates]
        constants = self._shape_of_constants()
        if constants:
            middle += ["", "# constants: NumPy computes with an array sooner than with a Python number", *constants]
        if memory:
            middle += [
                "",
                "# memory, written anew at each call; values that share it are never needed at the same time",
                *memory,
            ]
        if self._fixed:
            middle += ["", "# the same memory, looked at another way", *dict.fromkeys(self._fixed)]
        quiet = any(line.quiet for line in self._called())
        indent = "        " if quiet else "    "
        body = [indent + line for line in self._body]
        function = ["", "", f"def {self.name}({', '.join(self.arguments)}):"]
        if quiet:
            function.append('    with np.errstate(all="ignore"):')
        for helper, text in (("with_item", _WITH_ITEM), ("zeroed", _ZEROED)):
            if helper in self._needs:
                middle += ["", "", *text.splitlines()]
        if any(line.function is with_at for line in plan.lines):
            middle += ["", "", *_WITH_AT.splitlines()]
        middle += self._kernels()
        return head, middle, [*function, *body]

    def _origins(self) -> list[str]:
        """For the docstring: the lines of the user's that the step has run, each with what the program computes for it."""
        made: dict[str, dict[str, None]] = {}
        for line in self.plan.lines:
            names = [self._names[value] for value in line.results if value in self._names and line.kind != "view"]
            names = [name for name in names if not _TEMPORARY.fullmatch(name)]
            if line.place.site and names:
                made.setdefault(line.place.site, {}).update(dict.fromkeys(names))
        rows = []
        for site, computed in made.items():
            file, _, number = site.rpartition(":")
            text = linecache.getline(file, int(number)).strip().replace("\\", "\\\\").replace('"""', "'''")
            named = list(computed)
            if len(named) > MOST_NAMES:
                named = [*named[: MOST_NAMES - 1], "…", named[-1]]
            rows.append((f"{os.path.basename(file)}:{number}", text[:LONGEST_LINE], ", ".join(named)))
        if not rows:
            return []
        place, width = (max(len(row[i]) for row in rows) for i in (0, 1))
        lines = ["", "What the program computes for each line of the step:", ""]
        return lines + [f"    {where:<{place}}  {text:<{width}}  {names}" for where, text, names in rows]

    def _memory(self) -> list[str]:
        """The lines that make the memory of results."""
        return [f"{' = '.join(names)} = {self._block(block)}" for block, names in self._block_list if names]

    def _block(self, memory: Memory) -> str:
        """What makes one block of memory."""
        return f"np.empty({_shape(memory.array.shape, True)}, np.{memory.array.dtype})"

    # what a backend may do another way

    def _imports(self) -> list[str]:
        """Imports beside NumPy's."""
        return []

    def _kernels(self) -> list[str]:
        """Functions that stand before the step's own."""
        return []

    def _called(self) -> list[Line]:
        """The lines that are NumPy calls."""
        return self.plan.lines

    @property
    def kernels(self) -> list[str]:
        """The names of functions that a compiler turns into machine code."""
        return []

    def loops(self) -> tuple[str, list[str], dict[Value, str]] | None:
        """What `Variant.loops` is."""
        return None

    def _rate_text(self, value: Value, dtype: Any) -> str:
        return repr(value.sample) if dtype is None else f"np.array({value.sample!r}, np.{dtype})"


def _zeroes(line: Line) -> bool:
    """Whether a line is np.where(off, 0, a) for many elements, where it pays to say it another way."""
    if len(line.args) != 3:
        return False
    off, zero, a = line.args
    if not isinstance(off, Value) or not isinstance(a, Value) or isinstance(zero, Value) or np.ndim(zero) or zero != 0:
        return False
    return off.dtype == np.bool_ and a.dtype in (np.float32, np.float64) and off.shape == a.shape and a.size >= MANY


def _along_short_rows(line: Line) -> bool:
    """Whether a line takes the extremes of short rows: NumPy is several times as quick down the columns of a copy."""
    shape, extremes = line.args[0].shape, (np.maximum, np.minimum)
    known = not line.args[1:] and line.kwargs in ({"axis": 1}, {"axis": -1}) and line.function.__self__ in extremes
    return known and len(shape) == 2 and shape[0] >= 32 and shape[1] <= 64


def groups(lines: list[Line]) -> list[list[Line]]:
    """Neighbouring lines that come from one run of one formula, or that lead to one update of state."""
    groups: list[list[Line]] = []
    for line in lines:
        before = groups[-1][-1] if groups else None
        together = before is not None and (
            (line.place.phase == before.place.phase == "update" and not _ends_update(before) and line.kind == before.kind)
            or (line.place.formula is not None and before.place.formula is not None and _run(line) == _run(before))
        )
        if together:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _run(line: Line) -> tuple[Any, ...]:
    return line.place.phase, line.place.run, line.place.target


def _ends_update(line: Line) -> bool:
    """Whether a line writes into what lives on between calls."""
    return line.out is not None and line.out.fixed


def _shape(shape: tuple[int, ...], whole: bool = False) -> str:
    """A shape as an argument of reshape, or as one of np.empty."""
    if len(shape) == 1:
        return str(shape[0])
    return str(shape) if whole or not shape else ", ".join(map(str, shape))


def literal(array: Any) -> str:
    """An array as Python text that gives it back exactly."""
    dtype = "bool" if array.dtype == bool else f"np.{array.dtype}"
    if not array.size:
        return f"np.empty({_shape(array.shape, True)}, {dtype})"
    text = repr(array.tolist())
    text = re.sub(r"\b(nan|inf)\b", r"np.\1", text)
    return f"np.array({text}, {dtype})"


def _wrapped(start: str, words: list[str]) -> list[str]:
    """An import of many names, in lines of bearable length."""
    line = start + ", ".join(words)
    if len(line) <= LONGEST_LINE:
        return [line]
    lines, row = [start + "("], "   "
    for word in words:
        if len(row) + len(word) + 2 > LONGEST_LINE:
            lines.append(row)
            row = "   "
        row += f" {word},"
    return [*lines, row, ")"]
