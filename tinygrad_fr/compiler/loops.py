"""The Numba backend: where a loop over the elements is quicker than a NumPy call for each line, lines become loops.

Neighbouring lines that can be loops make one *kernel*, a function that Numba turns into machine code. In it, lines of the same
shape share a loop, so that what only they need never reaches memory; small matrix products stand there as loops too. What
NumPy does better stays a NumPy call between two kernels: large matrix products, and functions such as tanh of many elements,
for which NumPy uses the processor's vector instructions. As everywhere in the compiler, NumPy's functions are known here and
no operation is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_fr.compiler.plan import Line, Memory, Plan
from tinygrad_fr.compiler.recorder import Value
from tinygrad_fr.compiler.source import Program, groups
from tinygrad_fr.compiler.trace import rebuilt

MANY = 128
"""Of more elements than this, NumPy computes tanh, exp and their like sooner, with vector instructions."""

SMALL_PRODUCT = 4096
"""A product of two matrices with more multiplications than this is for BLAS; with a vector, it is as quick in a loop."""

LONG_SUM = 1024
"""A float32 sum of more terms is left to NumPy, which adds them in pairs and loses fewer digits."""

SMALL_BLOCK = 4096
"""Results of up to so many elements lie side by side in one array, since Numba takes time for each argument."""

MOST_ARGUMENTS = 24
"""A kernel with more arrays is cut in two."""

_SIGNS = {
    np.add: "{} + {}", np.subtract: "{} - {}", np.multiply: "{} * {}", np.true_divide: "{} / {}", np.negative: "-{}",
    np.positive: "{}", np.square: "{0} * {0}", np.reciprocal: "1 / {}", np.absolute: "abs({})", np.fabs: "abs({})",
    np.maximum: "{0} if {0} >= {1} or {0} != {0} else {1}", np.minimum: "{0} if {0} <= {1} or {0} != {0} else {1}",
    np.greater: "{} > {}", np.greater_equal: "{} >= {}", np.less: "{} < {}", np.less_equal: "{} <= {}",
    np.equal: "{} == {}", np.not_equal: "{} != {}", np.logical_and: "bool({}) and bool({})",
    np.logical_or: "bool({}) or bool({})", np.logical_not: "not bool({})", np.isnan: "{0} != {0}", np.sqrt: "np.sqrt({})",
    np.sign: "np.sign({})", np.floor: "np.floor({})", np.ceil: "np.ceil({})",
}  # fmt: skip
"""What stands in a loop for a ufunc."""

_HEAVY = {
    np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.tanh, np.sinh, np.cosh, np.sin, np.cos, np.tan,
    np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh, np.power, np.arctan2, np.hypot,
}  # fmt: skip
"""Functions that cost as much as many sums; in a loop they are those of the C library."""

_STARTS = {np.add: 0, np.multiply: 1, np.maximum: -np.inf, np.minimum: np.inf}
_SEARCHES = {np.argmax: ">", np.argmin: "<"}
_REDUCED = {
    np.add: "{0} = {0} + {1}", np.multiply: "{0} = {0} * {1}", np.maximum: "{0} = {1} if {1} > {0} or {1} != {1} else {0}",
    np.minimum: "{0} = {1} if {1} < {0} or {1} != {1} else {0}",
}  # fmt: skip
_NUMBERS = {"add": "{} + {}", "subtract": "{} - {}", "multiply": "{} * {}", "divide": "{} / {}", "power": "{} ** {}",
            "minimum": "min({}, {})", "maximum": "max({}, {})", "negative": "-{}", "positive": "{}"}  # fmt: skip
_DTYPES = {np.dtype(t) for t in (np.float32, np.float64, np.bool_, np.int64, np.int32, np.uint8)}

_NJIT = '@njit(error_model="numpy")'
_DOT = '''@njit(error_model="numpy", fastmath={"reassoc", "nsz", "contract"})
def inner(a, i, b, j, count):
    """The sum of a[i + k] * b[j + k] over k, in the order that the processor likes best."""
    total = a[i] * b[j]
    for k in range(1, count):
        total += a[i + k] * b[j + k]
    return total
'''


class Seat(NamedTuple):
    """Where the elements of a value lie: in which array, and at which places of it when it is seen as one row."""

    array: Any
    offset: int
    strides: tuple[int, ...]


class Nest:
    """Lines that share one loop over the elements of a shape."""

    def __init__(self, shape: tuple[int, ...], line: Line, alone: bool = False) -> None:
        self.shape, self.lines, self.alone = shape, [line], alone
        self.made = set(line.results)


class Kernel:
    """Neighbouring lines that become one function."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.views: list[Line] = []

    def ordinary(self) -> list[Line]:
        """Its lines, for a kernel that is not worth it."""
        return [*self.lines, *self.views]


class LoopProgram(Program):
    """The text of a compiled step in which what can be loops is; see the module.

    Attributes:
        kernels: the names of the kernels. When there are several, each array is an argument of its own, so that the kernel
            of one layer is also that of the next; a single one reaches results and parts of blocks through the whole.
    """

    reserved = ("njit", "inner", "total", "term", "best", "factor", "count", "n", "i", "j", "k", "l", "inf", "nan")

    def __init__(self, plan: Plan, name: str, title: str) -> None:
        self._kernel_names: dict[str, str] = {}
        self._texts: list[str] = []
        self._helper = False
        self._alone = True  # there is one kernel
        self._checked = False  # and nothing beside it
        self._work: dict[int, tuple[Any, int]] = {}
        self._work_sizes: dict[Any, int] = {}
        self._work_names: dict[Any, str] = {}
        self._wholes: dict[str, tuple[int, Any]] = {}  # one array for several: its size and dtype
        self._inside_of: dict[str, str] = {}  # where in such an array another one lies
        self._fresh_memory: dict[Value, Memory] = {}
        self._outputs: dict[Value, str] = {}
        self._shadows: dict[Value, Any] = {}
        self._bases: dict[Any, Any] = {}
        self._element_names: dict[Value, str] = {}
        self._only: tuple[list[str], list[str]] | None = None  # the arguments and lines of a kernel that does all there is
        super().__init__(plan, name, title)

    def loops(self) -> tuple[str, list[str], dict[Value, str]] | None:
        """What `Variant.loops` is."""
        leaves: list[Any] = []
        rebuilt(self.plan.result, leaves.append)
        if self._only is None or not all(part is None or part in self._outputs for part in leaves):
            return None
        called, body = self._only
        given = {name: value.shape for name, (_, value) in zip(self.arguments, self.plan.trace.arguments, strict=True)}
        given |= {name: value.shape for value, name in self._outputs.items()}
        stacked = {word: self._fresh(f"all_{word}") for word in called if word in given}
        rows = [f"{word} = {whole}[n]" if given[word] else f"{word} = {whole}[n : n + 1]" for word, whole in stacked.items()]
        head = f"def {self.name}({', '.join(['count', *(stacked.get(word, word) for word in called)])}):"
        lines = [_NJIT, head, "    for n in range(count):"]
        lines += [*("        " + row for row in rows), *("    " + row for row in body)]
        return "\n".join(lines) + "\n", called, self._outputs

    @property
    def kernels(self) -> list[str]:
        return list(self._kernel_names.values())

    # -- where things lie ------------------------------------------------------------------------------------------

    def _shadow(self, value: Value) -> Any:
        """An array of bytes without content in which `value` is seen as in its root: views of it say where elements lie."""
        if value not in self._shadows:
            self._shadows[value] = self._new_shadow(value)
        return self._shadows[value]

    def _new_shadow(self, value: Value) -> Any:
        line = self._makers.get(value)
        if line is not None and line.kind == "view":
            source = self._shadow(line.args[0])
            shadow = None if source is None else _seen(source[1], line)
            return None if shadow is None else (source[0], shadow)
        part = self._parts.get(value)
        if part is not None and self._alone:
            block, start, stop = part
            base = self._shadow(block)
            return base[0], base[1][start:stop].reshape(value.shape)
        base = np.empty(value.shape, np.int8)
        self._bases[value] = base
        return value, base

    def _seat(self, value: Value) -> Seat | None:
        shadow = self._shadow(value)
        if shadow is None:
            return None
        root, seen = shadow
        return Seat(root, seen.ctypes.data - self._bases[root].ctypes.data, seen.strides)

    def _reachable(self, value: Value) -> bool:
        """Whether a kernel can read a value, as one row of elements."""
        if value.kind == "number":
            return True
        if value.dtype not in _DTYPES:
            return False
        if self._is_number(value):
            return True
        seat = self._seat(value)
        if seat is None:
            return False
        return seat.array.kind != "state" or bool(seat.array.sample.flags.c_contiguous)

    def _is_number(self, item: Any) -> bool:
        """Whether an operand is one number for all its elements, to be written out; an array of the user's may change."""
        if isinstance(item, Value):
            return item.kind == "constant" and _alike(item.sample) and self._is_ours(item.sample)
        return not isinstance(item, np.ndarray) or (item.size == 1 and self._is_ours(item))

    def _is_ours(self, array: Any) -> bool:
        return not any(np.may_share_memory(array, other) for _, other in self.plan.trace.reach.arrays)

    # -- which lines are loops -------------------------------------------------------------------------------------

    def _loops(self, line: Line) -> bool:
        """Whether a line is to be a loop."""
        if line.kind in ("check", "draw", "view") or len(line.results) != 1:
            return False
        value = line.result
        if line.kind == "number":
            return line.function is float or line.function.__name__ in _NUMBERS
        if value.dtype not in _DTYPES or not value.size or not all(map(self._reachable, line.inputs())):
            return False
        if any(isinstance(a, np.ndarray) and not self._is_number(a) for a in line.args):
            return False
        if line.kind == "ufunc":
            known = line.function in _SIGNS or (line.function in _HEAVY and value.size <= MANY)
            return known and set(line.kwargs) <= {"dtype"} and self._cast(line) is not None
        if line.kind in ("reduce", "mean"):
            a = line.args[0]
            ufunc = np.add if line.kind == "mean" else line.function.__self__
            short = a.size // max(1, value.size) <= LONG_SUM
            return ufunc in _STARTS and a.dtype == value.dtype and a.dtype.kind == "f" and short and len(line.args) == 1
        if line.kind == "dot":
            a, b = line.args
            if a.dtype != value.dtype or b.dtype != value.dtype or a.dtype.kind != "f":
                return False
            (m, k), n = (a.shape if len(a.shape) == 2 else (1, a.shape[0])), b.shape[-1]
            return len(b.shape) == 2 and len(a.shape) in (1, 2) and (m * k * n <= SMALL_PRODUCT or 1 in (m, k, n))
        if line.function in _SEARCHES:
            a, options = line.args[0], dict(zip(("axis", "out", "keepdims"), line.args[1:], strict=False)) | line.kwargs
            axis = options.get("axis")
            one = axis is not None or sum(size > 1 for size in a.shape) < 2  # else places would count through all axes
            return one and a.dtype.kind in "fi" and not isinstance(axis, tuple) and options.get("out") is None
        if line.kind == "call":
            return (line.function is np.where and len(line.args) == 3) or line.function in ("astype", "copy")
        return False

    def _cast(self, line: Line) -> Any:
        """The dtypes in which a ufunc computes, or None where a loop could not do the same."""
        kinds = [_kind(a) for a in line.args]
        try:
            dtypes = line.function.resolve_dtypes((*kinds, None))
        except TypeError:
            return None
        wanted = line.kwargs.get("dtype")
        if wanted is not None and np.dtype(wanted) != dtypes[-1]:
            return None
        return dtypes if all(d in _DTYPES for d in dtypes) and dtypes[-1] == line.result.dtype else None

    def _written(self) -> list[str]:
        lines = self.plan.lines
        self._makers = {value: line for line in lines for value in line.results}
        self._parts = {
            member: (flat.value, start, stop) for flat in self.plan.flats for member, start, stop in flat.parts()
        }
        self._uses: dict[Value, list[Line]] = {}
        for line in lines:
            for value in line.inputs():
                self._uses.setdefault(value, []).append(line)
        pieces = self._pieces()
        if sum(isinstance(piece, Kernel) for piece in pieces) > 1:  # each part of a block by its own name
            self._alone = False
            self._shadows.clear()
            pieces = self._pieces()
        self._checked = self._alone and len(pieces) <= 2 and not self._calls_between(pieces)
        body: list[str] = []
        waiting: list[Line] = []
        for piece in pieces:
            if isinstance(piece, Kernel):
                body += self._ordinary(waiting)
                waiting = [v for v in piece.views if self._wanted_outside(v.result)]
                body += self._kernel(piece)
            else:
                waiting += [line for line in piece if line.kind != "view" or self._wanted_outside(line.result)]
        body += self._ordinary(waiting)
        ending = self._ending()
        if self._checked and self.kernels and len(ending) == 1:
            self._only = self._last
            self.whole = self.kernels[0], self._last[0]
        return body + ending

    def _pieces(self) -> list[Any]:
        """The lines in pieces: kernels, and lists of lines that are NumPy calls."""
        outside: set[Line] = set()
        while True:
            pieces: list[Any] = []
            for line in self.plan.lines:
                piece = pieces[-1] if pieces else None
                if line.kind == "view":
                    if piece is None:
                        pieces.append([line])
                    else:
                        (piece.views if isinstance(piece, Kernel) else piece).append(line)
                elif line not in outside and self._loops(line):
                    if not isinstance(piece, Kernel) or len(self._roots_of([*piece.lines, line])) > MOST_ARGUMENTS:
                        piece = Kernel()
                        pieces.append(piece)
                    piece.lines.append(line)
                elif isinstance(piece, list):
                    piece.append(line)
                else:
                    pieces.append([line])
            alone = len(pieces) == 1
            pieces = [p.ordinary() if isinstance(p, Kernel) and len(p.lines) < 2 and not alone else p for p in pieces]
            self._inside = {line: n for n, p in enumerate(pieces) if isinstance(p, Kernel) for line in p.lines}
            numbers = [line for line in self._inside if line.kind == "number" and line not in outside]
            leaving = [
                line for line in numbers
                if any(self._inside.get(use) != self._inside[line] for use in self._uses.get(line.result, ()))
            ]  # fmt: skip
            if not leaving:
                return pieces
            outside.update(leaving)  # a Python number stays in its kernel

    def _number(self, line: Line) -> list[str]:
        name = self._named(line.result, "n")
        args = [self._text(a) for a in line.args]
        text = f"float({args[0]})" if line.function is float else _NUMBERS[line.function.__name__].format(*args)
        return [f"{name} = {text}"]

    def _calls_between(self, pieces: list[Any]) -> bool:
        """Whether there are NumPy calls beside the kernels."""
        return any(line.kind != "view" for piece in pieces if isinstance(piece, list) for line in piece)

    def _roots_of(self, lines: Iterable[Line]) -> set[Any]:
        found: set[Any] = set()
        for line in lines:
            for value in (*line.inputs(), *line.results):
                seat = None if value.kind == "number" else self._seat(value)
                if seat is None or self._is_number(value):
                    continue
                memory = self.plan.memory.get(seat.array)
                if memory is None:
                    found.add(seat.array)
                elif memory.fixed or not self._alone or memory.array.size > SMALL_BLOCK:
                    found.add(id(memory))
                else:
                    found.add(value.dtype)  # results that lie side by side
        return found

    def _ordinary(self, lines: list[Line]) -> list[str]:
        """NumPy lines, as the NumPy backend writes them."""
        texts: list[str] = []
        for group in groups(lines):
            texts += self._group(group)
        return texts

    def _wanted_outside(self, value: Value) -> bool:
        """Whether a value is read by something that is not in a kernel."""
        if value in self.plan.results or any(v is value for _, v in (*self.plan.copies, *self.plan.held)):
            return True
        for line in self._uses.get(value, ()):
            if line.kind == "view":
                if self._wanted_outside(line.result):
                    return True
            elif line not in self._inside:
                return True
        return False

    # -- one kernel ------------------------------------------------------------------------------------------------

    def _kernel(self, kernel: Kernel) -> list[str]:
        """Write a kernel; what is returned is the line that calls it, and what must stand before that."""
        nests: list[Nest] = []
        for line in kernel.lines:
            shape, alone = self._domain(line)
            if not (nests and not alone and self._joins(nests[-1], line, shape)):
                nests.append(Nest(shape, line, alone))
            else:
                nests[-1].lines.append(line)
                nests[-1].made.update(line.results)
        self._scalars: dict[Value, str] = {}
        self._parameters: dict[str, bool] = {}  # and whether it is also looked at as one row of elements
        self._single: set[str] = set()  # parameters that are one number, of which NumPy makes no array
        before: list[str] = []
        body: list[str] = []
        runs: dict[Any, list[Line]] = {}
        for line in kernel.lines:
            runs.setdefault(_run(line), []).append(line)
        group: Any = None
        for nest in nests:
            texts: list[str] = []
            for part in _parts(nest.lines):
                said: list[str] = []
                for line in part:
                    said += self._statements(line, nest, before)
                comment = None
                if part[0].place.phase == "update":
                    comment = self._comment(part)
                elif _run(part[0]) != group:  # a formula stands where it begins, though its loops may be several
                    whole = runs[_run(part[0])]
                    if (last := whole[-1].result) in self._wanted:
                        self._named(last, self._wanted[last])
                    comment = self._comment(whole)
                group = _run(part[0])
                texts += [*([f"# {comment}"] if comment else []), *said]
            body += self._looped(nest, texts)
            for value in [v for v in self._scalars if v.size > 1]:
                del self._scalars[value]  # a variable of that loop
        called = list(self._parameters)
        rows = [f"{name}_ = {name}.ravel()" for name, as_row in self._parameters.items() if as_row]
        if self._alone:
            called, rows = self._side_by_side(called, rows)
        if self._checked:
            rows = [*self._refusals(called), *rows]
        body = ["    " + line for line in (*rows, *body)]
        name = self._kernel_name(called, body)
        self._last = (called, body)
        words = [f"{word}[()]" if word in self._single else word for word in called]
        return [*before, f"{name}({', '.join(words)})"]

    def _refusals(self, called: list[str]) -> list[str]:
        """The lines that look at the arguments: their shapes, and how they lie in memory. Machine code does it in no time."""
        given = [(name, value) for name, (_, value) in zip(self.arguments, self.plan.trace.arguments, strict=True)]
        given = [(name, value) for name, value in given if name in called and value.shape]
        tests = [f"{name}.shape != {value.shape!s}" for name, value in given]
        for name, value in given:
            step = value.dtype.itemsize
            for axis in reversed(range(len(value.shape))):
                tests += [f"{name}.strides[{axis}] != {step}"] * (value.shape[axis] > 1)
                step *= value.shape[axis]
        if not given:
            return []
        words = " and ".join(f"{name}: {value.shape!s}" for name, value in given)
        return [f"if {' or '.join(tests)}:", f'    raise ValueError("this program is for {words}, row by row in memory")']

    def _side_by_side(self, called: list[str], rows: list[str]) -> tuple[list[str], list[str]]:
        """Let what is the program's own be one array of each dtype, since Numba takes time for each argument."""
        blocks = {self._names[flat.value]: flat.value for flat in self.plan.flats if not flat.slots}
        sizes = {name: (value.dtype, value.size) for name, value in blocks.items()}
        sizes |= {name: (dtype, self._work_sizes[dtype]) for dtype, name in self._work_names.items()}
        for dtype in dict.fromkeys(dtype for dtype, _ in sizes.values()):
            names = [name for name in called if name in sizes and sizes[name][0] == dtype]
            if len(names) < 2:
                continue
            whole, start = self._fresh("memory"), 0
            for name in names:
                self._inside_of[name] = f"{whole}[{start}:{start + sizes[name][1]}]"
                start += -(-sizes[name][1] // 16) * 16
            self._wholes[whole] = (start, dtype)
            called = [whole, *(name for name in called if name not in names)]
            rows = [f"{', '.join(names)} = {', '.join(self._inside_of[name] for name in names)}", *rows]
        return called, rows

    def _kernel_name(self, called: list[str], body: list[str]) -> str:
        """A kernel's name; kernels that differ by names alone are one."""
        text = "\n".join(body)
        plain = "\n".join(line for line in text.split("\n") if not line.strip().startswith("#"))
        order: dict[str, str] = {}
        key = _IDENTIFIER.sub(
            lambda m: m[0] if m[0] in _KEPT_WORDS else order.setdefault(m[0], f"v{len(order)}"), ", ".join(called) + plain
        )
        if key not in self._kernel_names:
            name = self._kernel_names[key] = self._fresh(f"{self.name}_{len(self._kernel_names) + 1}")
            self._texts.append(f"{_NJIT}\ndef {name}({', '.join(called)}):\n{text}\n")
        return self._kernel_names[key]

    def _domain(self, line: Line) -> tuple[tuple[int, ...], bool]:
        """The shape over which a line runs, and whether it needs a loop of its own."""
        if line.kind == "number":
            return (), False
        if line.kind in ("reduce", "mean") or line.function in _SEARCHES:
            return line.args[0].shape, True
        if line.kind == "dot":
            return line.result.shape, self._by_rows(line)
        return line.result.shape, False

    def _by_rows(self, line: Line) -> bool:
        """Whether a product adds multiples of rows, as memory lies, rather than computing element after element."""
        a, b = line.args
        seat = self._seat(b)
        assert seat is not None
        return a.shape[-1] > 1 and b.shape[1] > 1 and seat.strides[1] == 1 != seat.strides[0]

    def _joins(self, nest: Nest, line: Line, shape: tuple[int, ...]) -> bool:
        """Whether a line can run in the loop of those before it."""
        if nest.alone or nest.shape != shape:
            return False
        for value in line.inputs():
            seat = None if value.kind == "number" else self._seat(value)
            if seat is not None and seat.array in {self._root(v) for v in nest.made} and not self._plain(line, value, shape):
                return False
        out = self._memory_of(line.result) if line.kind != "number" else None
        if out is None:
            return True
        for other in nest.lines:
            for value in other.inputs():
                if value.kind == "number" or self._is_number(value):
                    continue
                if self._memory_of(self._root(value)) == out and not self._plain(other, value, shape):
                    return False
        return True

    def _root(self, value: Value) -> Any:
        seat = self._seat(value)
        return None if seat is None else seat.array

    def _memory_of(self, value: Any) -> Any:
        """What tells the memory of a value apart from any other's."""
        part = self._parts.get(value)
        if part is not None:
            value = part[0]
        memory = self.plan.memory.get(value) or self._fresh_memory.get(value)
        if memory is None:
            return value if value.kind == "result" else id(value.sample)
        if memory.part is not None:
            return id(memory.part[0].sample)
        return id(memory.array)

    def _plain(self, line: Line, value: Value, shape: tuple[int, ...]) -> bool:
        """Whether a line reads a value element by element, as its root lies: each where the loop has written it, or will."""
        seat = self._seat(value)
        if line.kind == "dot" or seat is None or value.shape != shape:
            return False
        return seat.offset == 0 and _dense(value.shape) == _without_ones(value.shape, seat.strides)

    # -- statements ------------------------------------------------------------------------------------------------

    def _statements(self, line: Line, nest: Nest, before: list[str]) -> list[str]:
        value = line.result
        if line.kind == "number":
            return self._number_statement(line)
        if line.kind == "dot" and nest.alone:
            return self._product_by_rows(line, before)
        if line.kind in ("reduce", "mean") or line.function in _SEARCHES:
            return self._reduction(line, before)
        indices = _indices(nest.shape)
        if line.kind == "ufunc":
            dtypes = self._cast(line)
            words = [self._element(a, indices, d) for a, d in zip(line.args, dtypes, strict=False)]
            sign = _SIGNS.get(line.function)
            if line.function is np.power:
                sign = "{} ** {}"
            text = sign.format(*words) if sign else f"np.{line.function.__name__}({', '.join(words)})"
            if line.function is np.reciprocal:
                text = text.replace("1 /", f"np.{value.dtype}(1) /", 1)
        elif line.kind == "dot":
            sums, text = self._product(line, indices)
            first, *rest = self._stored(line, text, indices, nest, before)
            name, _, summed = first.partition(" = ")
            if summed == "total" and name.isidentifier():  # a variable of its own, which can be the sum itself
                return [*(re.sub(r"\btotal\b", name, text) for text in sums), *rest]
            return [*sums, first, *rest]
        elif line.function is np.where:
            condition, a, b = line.args
            words = [self._element(x, indices, d) for x, d in ((condition, np.dtype(bool)), (a, value.dtype), (b, value.dtype))]
            text = f"{words[1]} if {words[0]} else {words[2]}"
        else:
            text = self._element(line.args[0], indices, value.dtype)
        return self._stored(line, text, indices, nest, before)

    def _number_statement(self, line: Line) -> list[str]:
        name = self._named(line.result, "n")
        self._scalars[line.result] = name
        if line.function is float:
            return [f"{name} = float({self._element(line.args[0], (), None)})"]
        words = [self._element(a, (), None) for a in line.args]
        return [f"{name} = {_NUMBERS[line.function.__name__].format(*words)}"]

    def _stored(self, line: Line, text: str, indices: tuple[str, ...], nest: Nest, before: list[str]) -> list[str]:
        """The statement that computes an element, and the one that writes it where something else will read it."""
        value = line.result
        inner = any(value in set(other.inputs()) for other in nest.lines)
        single = value.size == 1
        if self._needed(value, nest) or not (inner or single):
            place = self._target(line, before, indices)
            if not inner and not single:
                return [f"{place} = {text}"]
            name = self._local(value)
            return [f"{name} = {text}", f"{place} = {name}"]
        return [f"{self._local(value)} = {text}"]

    def _local(self, value: Value) -> str:
        """The name of one element, as a variable of the loop."""
        name = self._named(value, self._wanted.get(value, "t"))
        if value in self._outputs or value in self.plan.results or name in self._parameters:
            name = self._element_names.setdefault(value, "") or self._fresh(f"{name}_i")
            self._element_names[value] = name
        self._scalars[value] = name
        return name

    def _needed(self, value: Value, nest: Nest) -> bool:
        """Whether a value is read after the loop that computes it."""
        if value in self.plan.results or value in self._parts or value in self.plan.parts or value in self.plan.direct:
            return True
        if any(v is value for _, v in (*self.plan.copies, *self.plan.held)):
            return True
        here, kept = self._inside[nest.lines[0]], {*self.plan.results, *(v for _, v in (*self.plan.copies, *self.plan.held))}
        stack = [value]
        while stack:
            seen = stack.pop()
            for line in self._uses.get(seen, ()):
                if line.kind == "view":
                    stack.append(line.result)
                    if line.result in kept:
                        return True
                elif value.size == 1:  # a variable of the whole kernel
                    if self._inside.get(line) != here:
                        return True
                elif line not in nest.lines or seen is not value:
                    return True
        return False

    def _target(self, line: Line, before: list[str], indices: tuple[str, ...]) -> str:
        """Where an element of a result is written."""
        value = line.result
        self._home(line, before)
        return self._access(value, indices)

    def _home(self, line: Line, before: list[str]) -> None:
        """Give a result of a kernel its memory and, where NumPy lines need one, its name."""
        value = line.result
        if value in self._outputs or id(value) in self._work or value in self._fresh_memory:
            return
        memory = line.out
        if memory is None and value not in self.plan.results:
            memory = self._fresh_memory[value] = Memory(np.empty(value.shape, value.dtype), False)
        if memory is None:
            name = self._named(value, self._wanted.get(value, "t"))
            self._outputs[value] = name
            self._call("empty")
            before.append(f"{name} = empty({_tuple(value.shape)}, np.{value.dtype})")
        elif memory.fixed or not self._alone or memory.array.size > SMALL_BLOCK:
            self._out(memory, value, None, line)
        else:
            if id(memory) not in self._work:
                start = self._work_sizes.get(value.dtype, 0)
                self._work[id(memory)] = (value.dtype, start)
                self._work_sizes[value.dtype] = start + -(-value.size // 16) * 16
                if value.dtype not in self._work_names:
                    several = "" if not self._work_names else f"_{value.dtype}"
                    self._work_names[value.dtype] = self._fresh(f"work{several}")
            if self._wanted_outside(value):
                self._out(memory, value, None, line)
            else:
                self._named(value, self._wanted.get(value, "t"))

    def _access(self, value: Value, indices: tuple[str, ...]) -> str:
        """An element of a value that lies in memory."""
        array, offset, strides, flat = self._spot(value)
        if not flat and offset == 0:
            word = _by_axes(strides, value.shape, indices, self._root(value).shape)
            if word is not None:
                self._parameters.setdefault(array, False)
                return f"{array}[{word}]"
        row, start = self._row(value, indices)
        return f"{row}[{start}]"

    def _row(self, value: Value, indices: tuple[str, ...]) -> tuple[str, str]:
        """The array in which a value lies, as one row of elements, and the place of an element in it."""
        array, offset, strides, flat = self._spot(value)
        self._parameters[array] = self._parameters.get(array, False) or not flat
        return array if flat else f"{array}_", _place(offset, strides, value.shape, indices)

    def _spot(self, value: Value) -> tuple[str, int, tuple[int, ...], bool]:
        """The name of the array in which a value lies, where it begins there, its strides, and whether the array is one row."""
        seat = self._seat(value)
        assert seat is not None  # a line with another operand is no loop
        root, offset = seat.array, seat.offset
        memory = self.plan.memory.get(root) or self._fresh_memory.get(root)
        if root.kind == "result" and root not in self._outputs and memory is not None:
            if memory.part is not None and self._alone:
                block, start, _ = memory.part
                array, offset = self._name_of(block), offset + start
            elif id(memory) in self._work:
                dtype, start = self._work[id(memory)]
                array, offset = self._work_names[dtype], offset + start
            elif id(memory.array) in self._state_names:
                array = self._state_names[id(memory.array)]
            else:
                array = self._names[root]
        else:
            array = self._name_of(root)
        flat = array in self._work_names.values() or len(root.shape) == 1 or self._is_flat(array)
        return array, offset, seat.strides, flat

    def _is_flat(self, name: str) -> bool:
        return any(self._names.get(flat.value) == name for flat in self.plan.flats)

    def _name_of(self, root: Value) -> str:
        if root in self._names:
            return self._names[root]
        return self._text(root)  # a constant that is not written out gets its name

    def _element(self, item: Any, indices: tuple[str, ...], dtype: Any) -> str:
        """An operand in a loop: a variable, an element of an array, or a number; of the dtype that is wanted."""
        if isinstance(item, Value) and self._is_number(item):
            item = np.asarray(item.sample).reshape(-1)[0]
        if isinstance(item, np.ndarray):
            item = item.item()
        if not isinstance(item, Value):
            if dtype is None or type(item) is bool:
                return repr(item.item() if isinstance(item, np.generic) else item)
            return _literal(item, dtype)
        if item.kind == "number":
            text = self._scalars.get(item) or self._rate_parameter(item)
            return text if dtype is None else f"np.{dtype}({text})"
        root = self._root(item)
        if item in self._scalars:
            text = self._scalars[item]
        elif root in self._scalars and (item.size == 1 == root.size):
            text = self._scalars[root]
        elif isinstance(root, Value) and self._is_single(root):
            text = self._name_of(root)
            self._parameters.setdefault(text, False)
            self._single.add(text)
        else:
            text = self._access(item, indices)
        if dtype is None or item.dtype == dtype:
            return text
        return f"{text} != 0" if dtype.kind == "b" else f"np.{dtype}({text})"

    def _is_single(self, root: Value) -> bool:
        """Whether a value is what a NumPy line gives without axes: a number, or an array of one."""
        line = self._makers.get(root)
        return line is not None and root.shape == () and line not in self._inside and root not in self.plan.memory

    def _rate_parameter(self, value: Value) -> str:
        if value.instruction is not None:
            name = self._names[value]
        else:
            name = self._rate(value, None)
        self._parameters.setdefault(name, False)
        return name

    def _product(self, line: Line, indices: tuple[str, ...]) -> tuple[list[str], str]:
        """One element of a product of matrices: the statements that add it up, and the result."""
        (a, b), dtype = line.args, line.result.dtype
        count = a.shape[-1]
        seat, other = None if self._is_number(a) else self._seat(a), self._seat(b)
        assert other is not None
        rows, column = indices[:-1] if len(a.shape) == 2 else (), indices[-1]
        if count >= 16 and seat is not None and seat.strides[-1] == 1 == other.strides[0]:
            self._helper = True
            row, start = self._row(a, (*rows, "0"))
            other_row, begin = self._row(b, ("0", column))
            return [], f"inner({row}, {start}, {other_row}, {begin}, {count})"
        k = "0" if count == 1 else "k"
        product = self._element(b, (k, column), dtype)
        if not (self._is_number(a) and self._element(a, (), None) == "1.0"):
            product = f"{self._element(a, (*rows, k), dtype)} * {product}"
        if count == 1:
            return [], product
        return [f"total = {_literal(0, dtype)}", f"for k in range({count}):", f"    total += {product}"], "total"

    def _product_by_rows(self, line: Line, before: list[str]) -> list[str]:
        """A product of matrices that adds multiples of the second one's rows, which lie in memory in one piece."""
        (a, b), value = line.args, line.result
        (m, count), n = (a.shape if len(a.shape) == 2 else (1, a.shape[0])), b.shape[1]
        i = "i" if m > 1 else "0"
        self._home(line, before)
        out = self._access(value, (i, "j") if len(value.shape) == 2 else ("j",))
        term = self._element(b, ("k", "j"), value.dtype)
        rows = [f"    for j in range({n}):", f"        {out} = {out} + {term}"]
        if not (self._is_number(a) and self._element(a, (), None) == "1.0"):
            factor = self._element(a, (i, "k") if len(a.shape) == 2 else ("k",), value.dtype)
            rows = [f"    factor = {factor}", rows[0], f"        {out} = {out} + factor * {term}"]
        texts = [f"for j in range({n}):", f"    {out} = {_literal(0, value.dtype)}", f"for k in range({count}):", *rows]
        return [f"for i in range({m}):", *("    " + text for text in texts)] if m > 1 else texts

    def _reduction(self, line: Line, before: list[str]) -> list[str]:
        """A sum or its like over some axes, or the place of the largest along one."""
        a, value = line.args[0], line.result
        options = dict(zip(("axis", "out", "keepdims"), line.args[1:], strict=False)) | line.kwargs
        axis, keep = options.get("axis"), bool(options.get("keepdims"))
        ndim = len(a.shape)
        gone = tuple(range(ndim)) if axis is None else tuple(x % ndim for x in (axis if isinstance(axis, tuple) else (axis,)))
        indices = _indices(a.shape)
        kept = tuple("0" if x in gone else indices[x] for x in range(ndim) if keep or x not in gone)
        place = ""
        if value.size > 1 or self._needed(value, Nest(a.shape, line, True)):
            self._home(line, before)
            place = self._access(value, kept)
        name = "total" if value.size > 1 else self._local(value)
        loops = [f"for {indices[x]} in range({a.shape[x]}):" for x in gone if a.shape[x] > 1]
        element = self._element(a, indices, a.dtype)
        if line.function in _SEARCHES:
            body = self._search(line, name, element, next((indices[x] for x in gone if a.shape[x] > 1), "0"), bool(loops))
        else:
            body = self._sum(line, name, element, a.size // value.size, bool(loops))
        start, step, end = body
        texts = [*start, *("    " * d + text for d, text in enumerate(loops)), *("    " * len(loops) + t for t in step), *end]
        if place:
            texts.append(f"{place} = {name}")
        outer = [f"for {indices[x]} in range({a.shape[x]}):" for x in range(ndim) if x not in gone and a.shape[x] > 1]
        return [*("    " * d + text for d, text in enumerate(outer)), *("    " * len(outer) + text for text in texts)]

    def _sum(self, line: Line, name: str, element: str, count: int, loops: bool) -> tuple[list[str], list[str], list[str]]:
        """A sum, product or extreme: what stands before its loops, in them, and after them."""
        dtype = line.result.dtype
        ufunc = np.add if line.kind == "mean" else line.function.__self__
        end = [f"{name} = {name} / {_literal(count, dtype)}"] if line.kind == "mean" and count > 1 else []
        if not loops:
            return [], [f"{name} = {element}"], end
        step = [f"term = {element}"] if ufunc in (np.maximum, np.minimum) else []
        step.append(_REDUCED[ufunc].format(name, "term" if step else element))
        return [f"{name} = {_literal(_STARTS[ufunc], dtype)}"], step, end

    def _search(self, line: Line, name: str, element: str, place: str, loops: bool) -> tuple[list[str], list[str], list[str]]:
        """The place of the first extreme, or of the first NaN, as NumPy has it."""
        if not loops:
            return [], [f"{name} = 0"], []
        better = f"term {_SEARCHES[line.function]} best or (term != term and best == best)"
        first = re.sub(rf"\b{place}\b", "0", element)
        step = [f"term = {element}", f"if {better}:", f"    best, {name} = term, {place}"]
        return [f"best = {first}", f"{name} = 0"], step, []

    def _looped(self, nest: Nest, texts: list[str]) -> list[str]:
        if nest.alone:
            return texts
        loops = [f"for {i} in range({n}):" for i, n in zip(_indices(nest.shape), nest.shape, strict=True) if n > 1]
        return [*("    " * d + loop for d, loop in enumerate(loops)), *("    " * len(loops) + text for text in texts)]

    # -- the text --------------------------------------------------------------------------------------------------

    def _memory(self) -> list[str]:
        lines = []
        for whole, (size, dtype) in self._wholes.items():
            lines.append(f"{whole} = np.empty({size}, np.{dtype})")
        for dtype, size in self._work_sizes.items():
            name = self._work_names[dtype]
            lines.append(f"{name} = {self._inside_of.get(name) or f'np.empty({size}, np.{dtype})'}")
        return lines + super()._memory()

    def _block(self, memory: Memory) -> str:
        name = self._state_names.get(id(memory.array))
        if name in self._inside_of:
            return self._inside_of[name]
        if id(memory) not in self._work:
            return super()._block(memory)
        dtype, start = self._work[id(memory)]
        shape = memory.array.shape
        return f"{self._work_names[dtype]}[{start}:{start + memory.array.size}].reshape({_tuple(shape)})"

    def _imports(self) -> list[str]:
        return ["from numba import njit"] if self._texts else []

    def _kernels(self) -> list[str]:
        texts = [_DOT] * self._helper + self._texts
        return [row for text in texts for row in ("", "", *text.rstrip("\n").split("\n"))]

    def _called(self) -> list[Line]:
        return [line for line in self.plan.lines if line not in self._inside]


_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_KEPT_WORDS = {
    "for", "in", "range", "if", "else", "or", "and", "not", "np", "float", "abs", "min", "max", "bool", "inner", "float32",
    "float64", "int64", "int32", "uint8", "inf", "ravel", *(u.__name__ for u in _HEAVY), "sqrt", "sign", "floor", "ceil",
}  # fmt: skip


def _seen(shadow: Any, line: Line) -> Any:
    """The shadow of a view of a shadow; None where it would be a copy."""
    name, rest = line.function, line.args[1:]
    if name in ("T", "mT"):
        return getattr(shadow, name)
    seen = shadow
    if name == "__getitem__":
        seen = shadow[rest[0]]
    elif name == "reshape":
        seen = shadow.reshape(line.result.shape)
    else:
        try:
            seen = getattr(np, name)(shadow, *rest, **line.kwargs)
        except (TypeError, AttributeError):
            seen = getattr(shadow, name)(*rest, **line.kwargs)
    if not isinstance(seen, np.ndarray) or (seen.size and not np.may_share_memory(seen, shadow)):
        return None
    return seen


def _run(line: Line) -> tuple[Any, ...]:
    """What tells a run of a formula apart from others."""
    return line.place.phase, line.place.run, line.place.target


def _parts(lines: list[Line]) -> list[list[Line]]:
    """Neighbouring lines of one run of a formula."""
    parts: list[list[Line]] = []
    for line in lines:
        if parts and _run(parts[-1][-1]) == _run(line):
            parts[-1].append(line)
        else:
            parts.append([line])
    return parts


def _alike(array: Any) -> bool:
    """Whether all elements of an array are one number."""
    array = np.asarray(array)
    return bool(array.size and (array.size == 1 or (array == array.reshape(-1)[0]).all()))


def _kind(item: Any) -> Any:
    if isinstance(item, Value):
        return float if item.kind == "number" else item.dtype
    return type(item) if type(item) in (int, float) else np.asarray(item).dtype


def _literal(item: Any, dtype: Any) -> str:
    if isinstance(item, np.generic):
        item = item.item()
    if dtype.kind == "b":
        return repr(bool(item))
    word = repr(item) if np.isfinite(item) else ("np.nan" if item != item else "np.inf" if item > 0 else "-np.inf")
    return f"np.{dtype}({word})"


def _letters(count: int) -> list[str]:
    return ["i", "j", "k", "l", *(f"i{n}" for n in range(4, count))][:count]


def _indices(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The loop variables of a shape; an axis with one place needs none."""
    return tuple("0" if n == 1 else letter for n, letter in zip(shape, _letters(len(shape)), strict=True))


def _place(offset: int, strides: tuple[int, ...], shape: tuple[int, ...], indices: tuple[str, ...]) -> str:
    """Where an element lies in its row: the offset and a multiple of each index; broadcast axes count nothing."""
    indices = indices[len(indices) - len(shape) :] if shape else ()
    terms = [
        (index if stride == 1 else f"{stride} * {index}")
        for index, stride, size in zip(indices, strides, shape, strict=True)
        if size > 1 and stride and index != "0"
    ]
    if offset or not terms:
        terms.insert(0, str(offset))
    return " + ".join(terms).replace("+ -", "- ")


def _by_axes(
    strides: tuple[int, ...], shape: tuple[int, ...], indices: tuple[str, ...], root: tuple[int, ...]
) -> str | None:
    """The index of an element along the axes of the root; None where a view is no mere order of its axes."""
    indices = indices[len(indices) - len(shape) :] if shape else ()
    steps = {stride: (size, index) for size, stride, index in zip(shape, strides, indices, strict=True) if size > 1 and stride}
    words, step = [], 1
    for size in reversed(root):
        if size > 1:
            along, index = steps.pop(step, (0, ""))
            if along != size:
                return None
            words.append(index)
        else:
            words.append("0")
        step *= size
    return None if steps or not words else ", ".join(reversed(words))


def _dense(shape: tuple[int, ...]) -> list[int]:
    strides, step = [], 1
    for size in reversed(shape):
        if size > 1:
            strides.append(step)
        step *= size
    return strides[::-1]


def _without_ones(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    return [stride for size, stride in zip(shape, strides, strict=True) if size > 1]


def _tuple(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)
