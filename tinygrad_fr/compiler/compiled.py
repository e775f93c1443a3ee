"""What `compile` returns: a step that is recorded at its first call, and runs as a program of its own from then on."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import threading
import types
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_fr.compiler.plan import Plan
from tinygrad_fr.compiler.reach import Watched
from tinygrad_fr.compiler.recorder import CannotCompile, Value, active
from tinygrad_fr.compiler.source import Program, literal
from tinygrad_fr.compiler.trace import Plain, Same, Trace, detached, option, rebuilt, record, spread
from tinygrad_fr.nn.module import changes
from tinygrad_fr.node import last, mode, switched, tick
from tinygrad_fr.tensor import Tensor, own_array, shared_memory, wrap
from tinygrad_fr.values import _Defaults

LARGEST_CACHE = 8
"""How many programs of one step are kept; the one that was made first goes first."""

WARMINGS = 3
"""An optimiser makes its state at its first step; one that still makes some at the third will never end."""

HANDFUL = 256
FEW = 12
"""Kernels update so many parameters, and what optimisers keep for them, each by itself."""

SMALL = 2000
"""A saved program of no more numbers has them in its text."""

_MISS = object()

_LOCKED = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether Python runs one thread at a time."""


class Compiled:
    """A step that runs as a NumPy program of its own; see `compile`.

    Attributes:
        traces: the programs that there are, the latest first: one for each kind of arguments and options met so far.
        __call__: calls the step. It is an attribute, so that the function which is written for the latest program is what
            Python calls, with nothing in between.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")

    __call__: Callable[..., Any]

    def __init__(self, step: Callable[..., Any], backend: str = "numpy") -> None:
        self.step, self.backend = step, backend
        self.traces: list[Variant] = []
        lock = threading.RLock()  # a program has one memory: two threads take turns
        self._enter, self._leave = lock.acquire, lock.release
        self.__call__ = self._usually = _entrance(weakref.ref(self))
        self._recorded = self._warmings = 0
        if hasattr(step, "__name__"):
            functools.update_wrapper(self, step)

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call, by whichever program is for it."""
        self._enter()  # sooner than `with self._lock:`
        try:
            for variant in self.traces:
                result = variant.call(args, kwargs)
                if result is not _MISS:
                    if variant.direct is not None:
                        self.__call__ = variant.direct
                    return result
            return self._first(args, kwargs)
        finally:
            self._leave()

    def loop(self, *stacked: Tensor) -> Any:
        """Call the step for each place along the first axis of its arguments, one after the other; the results, stacked.

        `step.loop(xs, ys)` is `torch.stack([step(x, y) for x, y in zip(xs, ys)])`. With the Numba backend, a step that is one
        kernel runs without Python in between: an epoch of learning from one sample at a time is one call.

        Raises:
            TypeError: when an argument is no Tensor.
            ValueError: without arguments, or when they are not equally long.

        >>> import tinygrad_fr as torch
        >>> w = torch.tensor(0.0)
        >>> @torch.compile
        ... def step(x):
        ...     w.add_(x)
        ...     return w * w
        >>> step.loop(torch.tensor([1.0, 2.0, 3.0]))
        tensor([ 1.,  9., 36.])
        """
        for t in stacked:
            if not isinstance(t, Tensor):
                raise TypeError(f"loop takes tensors whose first axis counts the calls, and was given a {type(t).__name__}.")
        lengths = [t.shape[0] if t.ndim else None for t in stacked]
        if not stacked or None in lengths or len(set(lengths)) > 1:
            shapes = ", ".join(str(tuple(t.shape)) for t in stacked) or "none"
            raise ValueError(f"loop takes tensors of one length along the first axis, and their shapes are {shapes}.")
        count = lengths[0] or 0
        parts: list[Any] = []  # results with an axis more, in front
        served: Variant | None = None
        done = 0
        self._enter()
        try:
            while done < count:
                args, before, result = tuple(t[done] for t in stacked), served, _MISS
                for served in self.traces:
                    result = served.call(args, {})
                    if result is not _MISS:
                        break
                else:
                    served, result = None, self._first(args, {})
                parts.append(rebuilt(result, lambda r: np.array(r._array)[None] if isinstance(r, Tensor) else r))
                done += 1
                # the same program twice, so its end is its beginning; the last call leaves everything as calls do
                if served is not None and served is before and served.loops and done < count - 1:
                    parts.append(served.repeated([t._array[done : count - 1] for t in stacked]))
                    done = count - 1
        finally:
            self._leave()
        return _joined(parts)

    def _first(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call for which there is no program yet."""
        if active.tape is not None:  # inside a step that is being recorded, it is a part of that
            return self.step(*args, **kwargs)
        scalars = [t for _, t in spread((args, kwargs)) if isinstance(t, Tensor) and isinstance(t._array, np.generic)]
        if scalars:  # what NumPy gives for a result without axes
            for t in scalars:
                own_array(t)
            return self(*args, **kwargs)
        return self._record(args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "step":
            raise AttributeError(name)
        return getattr(self.step, name)  # a compiled Module has its parameters, and `train()`

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else types.MethodType(self, owner)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.step, '__qualname__', self.step)}: {len(self.traces)} programs>"

    def source(self) -> str:
        """The text of the latest program, as it is run.

        Raises:
            RuntimeError: before the first call.
        """
        return self._latest().source()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the latest program to a file that needs NumPy alone, with the numbers as they are now.

        Large arrays go into an `.npz` file beside it.

        Raises:
            RuntimeError: before the first call, and for a program that draws random numbers from tinygrad_fr's generator.
        """
        self._latest().save(path)

    def _latest(self) -> Variant:
        if not self.traces:
            raise RuntimeError(
                "there is no program yet: call the compiled step"
                + (" once more; an optimiser has made its state at this first call." if self._warmings else " first.")
            )
        return self.traces[0]

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        key = signature(args, kwargs)
        changed = next((path for v in self.traces if v.key == key and (path := v.changed()) is not None), None)
        trace = record(self.step, args, kwargs)
        try:
            if trace.warm:
                self._warmings += 1
                if self._warmings >= WARMINGS:
                    raise CannotCompile(
                        "the optimiser makes new state at each step: make its tensors once, and write into them."
                    )
                return trace.commit()
            self._warmings = 0
            variant = Variant(self.step, args, kwargs, key, trace, self.backend)
            result = variant.begin(trace, weakref.ref(self))
        finally:
            trace.release()
        self.traces.insert(0, variant)
        del self.traces[LARGEST_CACHE:]
        self.__call__ = variant.direct or self._usually
        self._recorded += 1
        if self._recorded == 4 * LARGEST_CACHE:
            why = f"`{changed}` changes from call to call" if changed else "the shapes or values of its arguments change"
            warnings.warn(
                f"the compiled step {getattr(self.step, '__name__', '')!r} was recorded {self._recorded} times, the last time "
                f"since {why}. Each recording takes longer than many steps: hold what changes in a tensor, or stay eager.",
                stacklevel=3,
            )
        return result


class Variant:
    """One program of a step: for arguments of given shapes and dtypes, and the options and modes that held.

    Attributes:
        arguments: the arguments in words, such as "x: (1, 2) float32".
        loops: for a program that is one kernel of arguments that are tensors: the text of a function that runs it many times,
            the names of what that is given, and those of the results.
        call: runs the program on (args, kwargs) if it is for these arguments and for the state of things; `_MISS` says no.
        direct: for a program that is one kernel, which runs from beginning to end before another thread can: what the step
            may be in its stead. It asks the step when the program is for something else.
    """

    direct: Callable[..., Any] | None

    call: Callable[[Any, Any], Any]

    def __init__(
        self, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], key: Any, trace: Trace, backend: str
    ) -> None:
        self.key = key
        plan, kind = (Plan(trace), Program) if backend == "numpy" else (Plan(trace, _largest_flat(trace)), _loop_program())
        name = getattr(step, "__name__", type(step).__name__.lower())
        code = getattr(getattr(step, "__func__", step), "__code__", None)
        place = f", {Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else ""
        title = f"{name}{place}: one call, as a {'NumPy' if backend == 'numpy' else 'Numba'} program."
        program = kind(plan, name, title)
        self.arguments = ", ".join(f"{n}: {v.shape} {v.dtype}" for n, v in trace.arguments)
        self._head, self._middle, self._function = program.sections()
        self._text = "\n".join([*self._head, *self._middle, *self._function]) + "\n"
        self._draws = any(line.kind == "draw" for line in program.helpers.values())
        checked = max((i for i, line in enumerate(plan.lines) if line.kind == "check"), default=0)
        before = [line.function.source for line in plan.lines[:checked] if line.kind == "draw"]
        self._chances = list({id(source): source for source in before}.values())
        self._checks = [n for n, line in program.helpers.items() if line.kind == "check"]
        self._states = {n: value.sample for n, value in program.states.items()}
        self._constants = dict(program.constants)
        self._space: dict[str, Any] = {**self._states, **self._constants}
        for n, line in program.helpers.items():
            self._space[n] = line.function if line.kind == "draw" else _checked(line.function, line.args[1])
        filename = f"<compiled {program.name} {id(self):x}>"
        text = self._text
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        weakref.finalize(self, linecache.cache.pop, filename, None)
        exec(compile(text, filename, "exec"), self._space)
        self._rates: list[Any] = []
        for n, (value, dtype) in program.rates.items():
            group, word = next((group, word) for group, word, known in trace.numbers if known is value)
            self._rates.append((n, group, word, dtype))
        self._run, self._name = self._space.pop(program.name), program.name
        self.kernels = program.kernels
        self._space.update((n, _Kernel(self._space, n)) for n in self.kernels)
        self.loops = program.loops() if _simple(key) else None
        self._whole = program.whole
        self._given, self._result = program.arguments, plan.result
        self._looped: Callable[..., None] | None = None
        self._flats = [
            (self._space[n], [(slot, self._space[program._names[m]]) for m, slot in zip(flat.members, flat.slots, strict=True)])
            for n, flat in program.flats.items()
        ]
        self._gradients = [(slot.owner, self._space[n]) for slot, n in program.gradients]
        self._read_gradients = [
            (slot.owner, value.sample) for slot, value in trace.states if slot.gradient and value in program.states.values()
        ]
        self._equal = [[value.sample for _, value in family] for family in plan.equal]
        touched = {id(v) for v in program._names}
        self._touched = [slot.owner for slot, value in trace.states if not slot.gradient and id(value) in touched]

    def __repr__(self) -> str:
        return f"<program for {self.arguments or 'no arguments'}>"

    def source(self) -> str:
        """The text, as it is run."""
        return self._text

    def repeated(self, rows: list[Any]) -> Any:
        """The program for each row of its arguments, in machine code from the first to the last; its results, stacked."""
        assert self.loops is not None
        text, called, outputs = self.loops
        count = len(rows[0])
        space = {**self._space, **dict(zip(self._given, map(np.ascontiguousarray, rows), strict=True))}
        space |= {n: np.empty((count, *value.shape), value.dtype) for value, n in outputs.items()}
        if self._looped is None:
            made = dict(self._space)
            exec(compile(text, f"<loop of {self!r}>", "exec"), made)
            self._looped = made[self._name]
        self._looped(count, *(space[n] for n in called))
        return rebuilt(self._result, lambda value: space[outputs[value]] if isinstance(value, Value) else value)

    def changed(self) -> str | None:
        """The name of a Python value that has changed since, so that the program holds no more."""
        return next((w.path for w in self._watched if not w.same()), None)

    # -- the call --------------------------------------------------------------------------------------------------

    def begin(self, trace: Trace, step: Callable[[], Any]) -> Any:
        """Write what the recorded run has done, move the tensors into the program's memory, and get ready to be called."""
        self._rehearse(trace)
        kept = {node: node.grad for node in (*trace.absent, *trace.present)}
        result = trace.commit()
        for _, parts in self._flats:
            for slot, part in parts:
                if slot.owner._array.ctypes.data != part.ctypes.data:  # else it lies in the block already
                    np.copyto(part, slot.owner._array)
                    slot.owner._array = part
        for owner, array in self._gradients:
            np.copyto(array, owner.grad._array)
            owner.grad._array = array
        numbers = {(id(group), key) for group, key, _ in trace.numbers}
        self._watched = [w for w in trace.reach.watched if w.how != "item" or (id(w.owner), w.key) not in numbers]
        for w in self._watched:
            w.value = w.now()
        self._sizes = [entry for entry in trace.reach.sizes if not entry[0].endswith(".state")]
        in_place = {node for node, before in kept.items() if node.grad is before}
        self.call, self.direct = _callers(self, trace, in_place, step)
        return result

    def _rehearse(self, trace: Trace) -> None:
        """Run the program once before anything is written, and put its state back: Numba compiles the kernels meanwhile."""
        if not self.kernels or self._draws:  # random numbers are not drawn for nothing: then kernels wait for the second call
            return
        for _, parts in self._flats:
            for slot, part in parts:
                np.copyto(part, slot.owner._array)
        kept = [(self._space[n], self._space[n].copy()) for n in self._states]
        try:
            with np.errstate(all="ignore"):
                self._run(*(_in_rows(value.sample) for _, value in trace.arguments))
        except Exception as error:
            raise CannotCompile(
                f"Numba cannot compile the loops of this step: compile it with backend='numpy'. Numba says: {error}"
            ) from error
        finally:
            for array, before in kept:
                np.copyto(array, before)

    # -- on its own ------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the program, with the numbers as they are now, into a file that needs NumPy alone."""
        path = Path(path)
        if self._draws:
            raise RuntimeError(
                "the program draws random numbers (dropout?) from tinygrad_fr's generator, and would not run without it: save "
                "the program of the model in `.eval()` mode."
            )
        arrays = {name: self._space[name] for name in (*self._states, *self._constants)}
        large = sum(a.size for a in arrays.values()) > SMALL
        lines = []
        if arrays:
            lines += ["", "# parameters, and what else is kept"]
        if large and arrays:
            data = path.with_suffix(".npz")
            np.savez(data, **arrays)
            lines += ["from pathlib import Path", "", "_data = np.load(Path(__file__).with_suffix('.npz'), allow_pickle=False)"]
            lines += [f"{name} = _data[{name!r}]" for name in arrays]
        else:
            lines += [f"{name} = {literal(a)}" for name, a in arrays.items()]
        middle = list(self._middle)
        for name, _, _, dtype in self._rates:
            now = self._space[name]
            text = f"{name} = {now!r}" if dtype is None else f"{name} = np.array({now.item()!r}, np.{dtype})"
            middle = [text if line.startswith(f"{name} = ") else line for line in middle]
        function = [line for line in self._function if not any(line.strip().startswith(f"{c}(") for c in self._checks)]
        path.write_text("\n".join([*self._head, *lines, *middle, *function]) + "\n", encoding="utf-8")


def _largest_flat(trace: Trace) -> float:
    """Which parameters lie in one block for kernels: all, or none.

    Where gradients are gone after the step and parameters are few, each is best updated in the very loop that computes its
    gradient, which then never reaches memory. Many are fewer arguments in one piece, and for a handful of numbers that is
    what counts.
    """
    kept = any(slot.gradient for slot, _ in trace.updates)
    small = sum(value.size for _, value in trace.updates) <= HANDFUL
    return float("inf") if kept or small or len(trace.updates) > FEW else 0


def _loop_program() -> type[Program]:
    from tinygrad_fr.compiler.loops import LoopProgram

    return LoopProgram


class _Kernel:
    """A kernel at its first call, when Numba compiles it; from then on its machine code stands in its place.

    Numba would look at the type of each argument at each call, which takes longer than a small kernel runs. The types cannot
    change: the program's own arrays stay what they are, and the arguments are compared before each call.
    """

    def __init__(self, space: dict[str, Any], name: str) -> None:
        self._space, self._name, self._dispatcher = space, name, space[name]

    def __call__(self, *args: Any) -> None:
        self._dispatcher(*args)
        compiled = list(self._dispatcher.overloads.values())
        if len(compiled) == 1:
            self._space[self._name] = compiled[0].entry_point


class _Other(Exception):
    """A check gave another answer than while recording: the program is for other values."""


def _checked(check: Callable[[Any], bool], answer: bool) -> Callable[[Any], None]:
    def checked(values: Any) -> None:
        if check(np.asarray(values)) != answer:
            raise _Other

    return checked


def signature(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What must be equal for two calls to run the same program, as far as arguments go; objects count as themselves."""
    seen: list[Tensor] = []
    return (
        tuple(_kind_of(arg, seen) for arg in args),
        tuple((name, _kind_of(value, seen)) for name, value in sorted(kwargs.items())),
    )


def _simple(key: Any) -> bool:
    """Whether the arguments are tensors, each given once, and nothing else."""
    positional, named = key
    return not named and all(part[0] == "tensor" and part[3] < 0 for part in positional)


def _joined(parts: list[Any]) -> Any:
    """One result of many, of which the arrays are put one after the other."""
    first = parts[0] if parts else None
    if isinstance(first, np.ndarray):
        return detached(np.concatenate(parts))
    if isinstance(first, (tuple, list)):
        joined = [_joined([part[i] for part in parts]) for i in range(len(first))]
        return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)
    if isinstance(first, dict):
        return {name: _joined([part[name] for part in parts]) for name in first}
    return first


def _kind_of(item: Any, seen: list[Tensor]) -> Any:
    """What of an argument is in the signature; `seen` tells a tensor that is given twice."""
    if isinstance(item, Tensor) and item._node is None:
        first = next((i for i, t in enumerate(seen) if t is item), -1)
        seen.append(item)
        return ("tensor", item._array.shape, item._array.dtype, first)
    if isinstance(item, (tuple, list)):
        return (type(item), tuple(_kind_of(part, seen) for part in item))
    if isinstance(item, dict):
        return ("dict", tuple((key, _kind_of(part, seen)) for key, part in item.items()))
    if isinstance(item, (int, float, complex, str, bytes, bool, type(None), np.dtype)):
        return (type(item), repr(item))
    return ("object", id(item))


def _entrance(step: Callable[[], Any]) -> Callable[..., Any]:
    """What a step calls that has no `Variant.direct`; it knows the step by a weak reference, or the step would hold itself."""

    def answer(*args: Any, **kwargs: Any) -> Any:
        return step()._answer(args, kwargs)

    return answer


def _callers(
    variant: Variant, trace: Trace, in_place: set[Any], step: Callable[[], Any]
) -> tuple[Callable[[Any, Any], Any], Any]:
    """Write the function that checks whether the program fits, runs it, and leaves everything as the step would.

    It is on the way of every call, so it is one straight text without loops. Returned are `Variant.call` and `direct`.
    """
    space: dict[str, Any] = {
        "MISS": _MISS, "Tensor": Tensor, "ndarray": np.ndarray, "mode": mode, "switched": switched, "last": last,
        "tick": tick, "wrap": wrap, "copyto": np.copyto, "contiguous": _in_rows, "run": variant._run, "new": object.__new__,
        "detached": detached, "Defaults": _Defaults,
        "CUT": detached(np.zeros(()))._cut, "signature": signature, "key": variant.key, "Other": _Other,
    }  # fmt: skip

    def known(thing: Any, prefix: str) -> str:
        name = f"{prefix}{len(space)}"
        space[name] = thing
        return name

    head, tests, shapes, given = _argument_tests(trace, variant, known)
    tests.append("(not switched or mode.state == 1)" if trace.grad_mode == 1 else f"mode.state == {trace.grad_mode}")
    if not trace.arguments and not variant._touched:  # nothing else would tell that it is called by a step under observation
        space["active"] = active
        tests.append("active.tape is None")
    tests.append(f"Defaults.dtype is {known(_Defaults.dtype, 'd')}")
    leaves = (*trace.absent, *trace.present)
    owners = {id(t): t for t in variant._touched} | {id(t): t for _, t in trace.reach.tensors if t._node in leaves}
    for t in owners.values():
        name = known(t, "t")
        if any(t is owner for owner in variant._touched):
            tests.append(f"{name}._array is {known(t._array, 'a')}")
        tests.append(f"{name}._node is {known(t._node, 'n') if t._node is not None else None}")
    node_names = {node: known(node, "n") for node in leaves}
    tests += [f"{node_names[node]}.grad is None" for node in trace.absent]
    before = {node: f"old{i}" for i, node in enumerate(trace.present)}
    for family in variant._equal:
        tests.append(" == ".join(f"{known(a, 'a')}.item()" for a in family))
    tests += [f"len({known(found, 'w')}) == {len(found)}" for _, found, _ in variant._sizes if not _is_group(found, trace)]
    looked_at, counted = ([w for w in variant._watched if w.counted is kind] for kind in (False, True))
    whole = {id(g): known(g, "w") for g in {id(w.owner): w.owner for w in looked_at if _is_group(w.owner, trace)}.values()}
    copies = {number: known(dict(space[name]), "w") for number, name in whole.items()}
    options = [f"{name} == {copies[number]}" for number, name in whole.items()]  # one comparison for all of a group
    cells: dict[str, Any] = {}
    taken_apart, watched = _watch_tests([w for w in looked_at if id(w.owner) not in whole], known, cells)
    space["still"] = lambda: all(w.same() for w in looked_at)
    space["unchanged"] = lambda: all(w.same() for w in counted)
    space["seen"], space["changes"] = [changes.count], changes
    usual = ["changes.count == seen[0]", *options, *watched]
    kept = (*variant._gradients, *variant._read_gradients)  # where a gradient is left elsewhere than it is read: never usual
    gradients = {(id(owner), id(array)): (owner, array) for owner, array in kept if owner in before}
    usual += [f"{node_names[owner]}.grad._array is {known(array, 'b')}" for owner, array in gradients.values()]
    rates = []
    own_rates: dict[str, str] = {}
    for name, group, key, dtype in variant._rates:
        g, r, p = known(group, "g"), known([option(group, key)], "r"), known(variant._space, "p")
        place = f"{g}['betas'][0]" if key == "betas" else f"{g}[{key!r}]"
        if id(group) not in copies:
            usual.append(f"{place} is {r}[0]")
        if key == "betas":
            rates += [f"if tuple({g}['betas'][1:]) != {known(tuple(group['betas'][1:]), 'b')}:", "    return MISS"]
        put = f"{p}['{name}'][...] = rate"
        if dtype is None:
            own_rates[name] = known(variant._space[name], "rate")
            put = f"{own_rates[name]} = {p}['{name}'] = float(rate)"
        rates += [
            f"rate = {place}",
            f"if rate is not {r}[0]:",
            "    if type(rate) is not float and type(rate) is not int:",
            "        return MISS",
            f"    {r}[0] = rate",
            *([f"    {copies[id(group)]}[{key!r}] = {g}[{key!r}]"] if id(group) in copies else []),
            "    " + put,
        ]
    present = [f"({g} := {node_names[node]}.grad) is None" for node, g in before.items()]
    text = list(head)
    text += ["try:", f"    if not ({' and '.join([*tests, *shapes])}):", "        return MISS"]
    text += [f"    {line}" for line in taken_apart]
    text += [f"    usual = {' and '.join(usual)}", "    if not usual:"]
    text += ["        " + line for line in rates]
    if present:
        text += [f"        if {' or '.join(present)}:", "            return MISS"]
    if options or watched:
        text += [f"        if not ({' and '.join([*options, *watched])}) and not still():", "            return MISS"]
    text += [
        "        if changes.count != seen[0]:",
        "            if not unchanged():",
        "                return MISS",
        "            seen[0] = changes.count",
    ]
    for owner, array in variant._read_gradients:
        g, b = before[owner], known(array, "b")
        text += [f"        if {g}._array is not {b}:", f"            copyto({b}, {g}._array)"]
        text += [f"            {g}._array = {b}"]
    errors = "KeyError, ValueError, IndexError, AttributeError, TypeError, RuntimeError, NameError"
    text += [f"except ({errors}):", "    return MISS"]
    run = f"run({', '.join(given)})"
    if variant._whole is not None:
        text += ["try:", *("    " + line for line in _kernel_call(variant, given, own_rates, known))]
        text += ["except ValueError:", "    return MISS"]  # arguments of other lengths
    elif not variant._checks:
        text.append(f"y = {run}")
    elif not variant._chances:
        text += ["try:", f"    y = {run}", "except Other:", "    return MISS"]
    else:  # numbers are drawn before the checks: a call that is refused has drawn none
        space["chances"], space["back"] = variant._chances, _back
        text += ["drawn = [source.get_state() for source in chances]", "try:", f"    y = {run}"]
        text += ["except Other:", "    back(chances, drawn)", "    return MISS"]
        text += ["except BaseException:", "    back(chances, drawn)", "    raise"]
    written = {id(m): m for m in (shared_memory(s.owner) for s, _ in trace.updates if not s.gradient)}
    if written:
        text.append("".join(f"{known(m, 'm')}.written = " for m in written.values()) + "last.write = tick()")
    mended = []
    for owner, array in variant._gradients:
        n, b = node_names[owner], known(array, "b")
        if owner not in before:
            text.append(f"{n}.grad = wrap({b})")
        else:
            put = f"{before[owner]}._array = {b}" if owner in in_place else f"{n}.grad = wrap({b})"
            mended += [f"    if {before[owner]}._array is not {b}:", "        " + put]
    text += ["if not usual:", *mended] if mended else []
    text += [f"{node_names[node]}.grad = None" for node in trace.cleared]
    simple = head[0].startswith("if")
    text += _wrapping(trace.result, known, [f"x{i}" if simple else f"xs[{i}]" for i in range(len(trace.arguments))])
    changed = [f"global {', '.join(own_rates.values())}"] if own_rates else []
    call = _with_cells(["def call(args, kwargs):", *("    " + line for line in (*changed, *text))], space, cells)
    if variant._whole is None or not _LOCKED:
        return call, None
    # the step is asked after the loop, outside of every `try`: what it raises is the user's
    text[text.index("try:") + 1] = f"    if not ({' and '.join(tests)}):"
    once = [*changed, "while True:", *("    " + line.replace("return MISS", "break") for line in text)]
    once = ["def call(*args, **kwargs):", *("    " + line for line in (*once, "return step()._answer(args, kwargs)"))]
    return call, _with_cells(once, space, {**cells, "step": types.CellType(step)})


def _with_cells(text: list[str], space: dict[str, Any], cells: dict[str, Any]) -> Any:
    """The function that a text defines. Its free variables are the cells given, the user's own: nothing is quicker to read."""
    around = [f"def around({', '.join(cells)}):", *("    " + line for line in text), "    return call"]
    exec(compile("\n".join(around), "<compiled call>", "exec"), space)
    code = space.pop("around")(*cells).__code__
    return types.FunctionType(code, space, "call", None, tuple(cells[name] for name in code.co_freevars))


def _kernel_call(
    variant: Variant, given: list[str], rates: dict[str, str], known: Callable[[Any, str], str]
) -> list[str]:
    """The lines that run a program of one kernel; where it returns one array, without the function round the kernel."""
    name, called = variant._whole or ("", [])
    kernel, result = variant._space[name], variant._result
    outputs = {} if variant.loops is None else {word: value for value, word in variant.loops[2].items()}
    if isinstance(kernel, _Kernel) or not isinstance(result, Value) or list(outputs.values()) != [result]:
        return [f"y = run({', '.join(given)})"]
    words = dict(zip(variant._given, given, strict=True)) | rates | dict.fromkeys(outputs, "y")
    passed = [words[word] if word in words else known(variant._space[word], "k") for word in called]
    shape, dtype = result.shape, known(result.dtype, "d")
    return [f"y = {known(np.empty, 'f')}({shape!r}, {dtype})", f"{known(kernel, 'k')}({', '.join(passed)})"]


def _back(sources: list[Any], states: list[Any]) -> None:
    """Put generators of random numbers back to where they were."""
    for source, state in zip(sources, states, strict=True):
        source.set_state(state)


def _argument_tests(
    trace: Trace, variant: Variant, known: Callable[[Any, str], str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    """How arguments are taken apart and compared, what else there is to see if the program does not, and what that is given."""
    positional, _ = variant.key
    if _simple(variant.key) and len(positional) == len(trace.arguments):
        head = [f"if kwargs or len(args) != {len(positional)}:", "    return MISS"]
        names = [f"x{i}" for i in range(len(positional))]
        if names:
            head.append(f"{', '.join(names)}{',' if len(names) == 1 else ''} = args")
        tests, shapes, given = [], [], []
        for i, (x, part) in enumerate(zip(names, positional, strict=True)):
            d = known(part[2], "d")
            tests += [f"type({x}) is Tensor", f"{x}._node is None", f"type(y{i} := {x}._array) is ndarray",
                      f"(y{i}.dtype is {d} or y{i}.dtype == {d})"]  # fmt: skip
            given.append(f"y{i}")
            tests += [f"y{i}.ndim == {len(part[1])}"] * (variant._whole is not None)  # a kernel believes that unseen
            shapes.append(f"y{i}.shape == {part[1]!r}")
            if variant.kernels:
                shapes.append(f"(({_in_one_piece(part[1], f'y{i}')}) or (y{i} := contiguous(y{i})) is not None)")
        if own := _ids_of(trace):  # a tensor that the step reaches in another way is state
            o = known(own, "o")
            tests += [f"id({x}) not in {o}" for x in names]
        return head, tests, shapes, given
    space_signature = "signature(args, kwargs) == key"
    arguments = known(_arguments_of(trace), "f")
    head = [f"xs = {arguments}(args, kwargs)"]
    inside = "contiguous(xs[{}]._array)" if variant.kernels else "xs[{}]._array"
    return head, [space_signature, "xs is not None"], [], [inside.format(i) for i in range(len(trace.arguments))]


def _in_rows(array: Any) -> Any:
    """The array, row by row in memory; NumPy's own `ascontiguousarray` would give one without axes an axis."""
    return np.asarray(array, order="C")


def _in_one_piece(shape: tuple[int, ...], name: str) -> str:
    """A test, as quick as can be, that an array of this shape lies in memory row by row, as a kernel expects it."""
    owner = f"{name}.base is None or " if sum(size > 1 for size in shape) < 2 else ""  # nobody's view
    return f"{owner}{name}.flags.c_contiguous"


def _is_group(owner: Any, trace: Trace) -> bool:
    """Whether a dictionary is an optimiser's group of options: numbers, words, and the list of its parameters."""
    return any(owner is group for _, o in trace.reach.optimizers for group in o.param_groups)


def _ids_of(trace: Trace) -> frozenset[int]:
    """The tensors that are state and might be taken for data, which requires no gradient."""
    return frozenset(id(t) for _, t in trace.reach.tensors if t._node is None)


def _arguments_of(trace: Trace) -> Callable[[Any, Any], Any]:
    """A function that finds the tensors that are data among the arguments: those that are not state already."""
    own, count = _ids_of(trace), len(trace.arguments)

    def arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor] | None:
        found: list[Tensor] = []
        for _, t in spread((args, kwargs)):
            if isinstance(t, Tensor) and t._node is None and id(t) not in own and all(t is not f for f in found):
                if type(t._array) is not np.ndarray:
                    t._array = np.asarray(t._array)
                found.append(t)
        return found if len(found) == count else None

    return arguments


def _watch_tests(
    watched: list[Watched], known: Callable[[Any, str], str], cells: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Quick tests whether Python values are what they were, and the lines that must stand before them.

    Equal values that are other objects do not pass: they are looked at again.
    """
    lines, tests = [], []
    for w in watched:
        value = None if w.how == "list" else _named(w.value, known)
        if w.how == "cell":
            name = f"cell{len(cells)}"
            cells[name] = w.owner
            tests.append(f"{name} is {value}")
        elif w.how == "attr":
            tests.append(f"{known(w.owner, 'w')}.{w.key} is {value}")
        elif w.how == "item":
            tests.append(f"{_place_of(w, known)} is {value}")
        elif w.how == "keys":
            raise AssertionError("the keys of modules are counted")
        elif not w.value:
            tests.append(f"not {known(w.owner, 'w')}")
        elif isinstance(w.owner, set):
            tests.append(f"len({known(w.owner, 'w')}) == {len(w.value)}")
        else:  # taken apart, since that tells the length too
            owner = known(w.owner, "w")
            parts = [f"{owner}_{i}" for i in range(len(w.value))]
            lines.append(f"[{', '.join(parts)}] = {owner}")
            tests += [f"{part} is {_named(item, known)}" for part, item in zip(parts, w.value, strict=True)]
    return lines, tests


def _place_of(w: Watched, known: Callable[[Any, str], str]) -> str:
    """Where an entry of a dictionary is read: of an object's own, as its attribute, which takes half the time."""
    if w.holder is not None:
        return f"{known(w.holder, 'w')}.{w.key}"
    key = repr(w.key) if isinstance(w.key, (str, int)) else known(w.key, "k")
    return f"{known(w.owner, 'w')}[{key}]"


def _named(value: Any, known: Callable[[Any, str], str]) -> str:
    return repr(value) if value is None or value is True or value is False else known(value, "v")


def _wrapping(result: Any, known: Callable[[Any, str], str], arguments: list[str]) -> list[str]:
    """The lines that make of what the program returns what the step returned."""
    if isinstance(result, Value):  # a loss, nearly always
        return ["out = new(Tensor)", "out._array = y", "out._node = out._memory = None", "out._cut = CUT", "return out"]
    return [f"return {_remade(result, 'y', known, arguments)}"]


def _remade(item: Any, path: str, known: Callable[[Any, str], str], arguments: list[str]) -> str:
    """The expression for a part of the result; `path` is where the program returns it."""
    if isinstance(item, Value):
        return f"detached({path})"
    if isinstance(item, Plain):
        return path
    if isinstance(item, Same):
        return known(item.tensor, "t") if item.number is None else arguments[item.number]
    if isinstance(item, (tuple, list)):
        parts = ", ".join(_remade(part, f"{path}[{i}]", known, arguments) for i, part in enumerate(item))
        if type(item) is tuple:
            return f"({parts}{',' if len(item) == 1 else ''})"
        if type(item) is list:
            return f"[{parts}]"
        return f"{known(type(item), 'c')}({parts if hasattr(item, '_fields') else '[' + parts + ']'})"
    if isinstance(item, dict):
        entries = (f"{key!r}: {_remade(part, f'{path}[{key!r}]', known, arguments)}" for key, part in item.items())
        return "{" + ", ".join(entries) + "}"
    return known(item, "v")
