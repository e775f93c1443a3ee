"""Tracing a step: the tensors that it can reach are put under observation, the step runs once, and what it did is a program.

The step runs for real while it is traced: the first call is an ordinary step, exact in every effect. Nothing is written into
the tensors before the step has ended well, so that an error leaves everything as it was.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import os
import pickle
import random as python_random
import sys
import threading
from collections.abc import Callable, Iterator
from types import CellType, FunctionType
from typing import Any

import numpy as np

from tinygrad_fr import random
from tinygrad_fr.compiler.reach import Reach
from tinygrad_fr.compiler.recorder import (
    OWN,
    CannotCompile,
    Instruction,
    NeedsNumber,
    Place,
    RecordedNumber,
    Recorder,
    Tape,
    Value,
    active,
    user_site,
)  # fmt: skip
from tinygrad_fr.node import Node, mode, switch
from tinygrad_fr.tensor import Tensor, own_array, shared_memory, wrap

_lock = threading.RLock()  # one step is traced at a time: random numbers have one observer


class Slot:
    """A place in the running program where an array is kept between two calls: a tensor's own, or a leaf's `.grad`."""

    __slots__ = ("gradient", "owner")

    def __init__(self, owner: Any, gradient: bool) -> None:
        self.owner, self.gradient = owner, gradient  # a Tensor, or for a gradient the Node of its leaf


class Same:
    """In a result: a tensor that the step did not make, and gives back as it is; an argument by its number."""

    __slots__ = ("number", "tensor")

    def __init__(self, tensor: Tensor, number: int | None) -> None:
        self.tensor, self.number = tensor, number


class Plain:
    """In a result: an array that is returned as an array, not as a tensor."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


class Seen:
    """A tensor under observation, and what it was before."""

    __slots__ = ("array", "before", "recorder", "stamps", "tensor", "value")

    def __init__(self, tensor: Tensor, array: Any, recorder: Recorder) -> None:
        self.tensor, self.array, self.recorder, self.value = tensor, array, recorder, recorder._value
        node = tensor._node
        memory = tensor._memory if node is None else node.memory
        self.before = (tensor._array, node, tensor._memory, tensor._cut)
        self.stamps: Any = None if memory is None else (memory, memory.written, memory.stale)


class Trace:
    """One recorded run of a step.

    Attributes:
        arguments: (name, value) of the tensors among the step's arguments, in order; each tensor once.
        states: the value of each piece of state that was there before, with its slot.
        updates: the final value of each piece of state that the step changed, or made (a gradient), with its slot.
        absent, present: the leaves that had no gradient before, and those that had one.
        cleared: the leaves that had a gradient and have none afterwards.
        numbers: (option group, key, value) of the options that the program reads at each call: the learning rates, and the
            momentum or β₁ that a scheduler moves.
        result: what the step returned, with a `Value` for each tensor that it made.
        names: what the step's own variables call a value.
        paths: what a reader calls a tensor that is kept, `net.0.weight`.
        warm: an optimiser made its state in this run, so that the next one will be another program.
        reach: the Python values on which the step depends.
        grad_mode: whether operations were recorded when the step was called.
    """

    def __init__(self, reach: Reach) -> None:
        self.tape = Tape()
        self.reach = reach
        self.arguments: list[tuple[str, Value]] = []
        self.states: list[tuple[Slot, Value]] = []
        self.updates: list[tuple[Slot, Value]] = []
        self.absent: list[Node] = []
        self.present: list[Node] = []
        self.cleared: list[Node] = []
        self.numbers: list[tuple[dict[str, Any], str, Value]] = []
        self.result: Any = None
        self.names: dict[Value, str] = {}
        self.paths: dict[Value, str] = {}
        self.warm = False
        self.grad_mode = mode.state
        self._arrays: dict[int, Any] = {}
        self._ready: list[Callable[[], None]] = []

    @property
    def instructions(self) -> list[Instruction]:
        return self.tape.instructions

    def commit(self) -> Any:
        """Write what the step did into the tensors; its result is returned."""
        for act in self._ready:
            act()
        return rebuilt(self.result, _sampled)

    def release(self) -> None:
        """Let go of the samples, and of what refers in a circle: nothing is left to the garbage collector."""
        for instruction in self.tape.instructions:
            for value in instruction.results:
                value.instruction = value.sample = None
            instruction.results, instruction.args, instruction.kwargs = (), (), {}
        self.tape.instructions.clear()
        self.tape.held.clear()
        self.tape.asked = None
        self._ready.clear()


def record(step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trace:
    """Run a step on recorders. Every tensor is as it was before, until the trace is committed.

    Raises:
        CannotCompile: when the step does what a program cannot repeat; or whatever the step itself raises.
    """
    with _lock:
        for keys in (("lr", "momentum", "betas"), ("lr",)):
            try:
                return _record(step, args, kwargs, keys)
            except NeedsNumber:  # the optimiser's text asks for more than arithmetic: it is for this number
                pass
        return _record(step, args, kwargs, ())


def option(group: dict[str, Any], key: str) -> Any:
    """The number that an option is, or that moves in it: of the betas, the first."""
    return group[key][0] if key == "betas" else group[key]


def _moving(group: dict[str, Any]) -> list[str]:
    """The options of a group that change from call to call; `OneCycleLR` moves the momentum, and leaves its bounds there."""
    keys = ["lr", *(key for key in ("momentum", "betas") if key in group and "max_momentum" in group)]
    return [key for key in keys if key in group and type(option(group, key)) in (int, float)]


def _record(step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], keys: tuple[str, ...]) -> Trace:
    given, others = _sorted_arguments(step, args, kwargs)
    trace = Trace(Reach(step, others))
    tape = trace.tape
    tape.locate = _locate
    known = {id(t) for _, t in trace.reach.tensors}
    given = [(name, t) for name, t in given if id(t) not in known]
    twins = {id(t): wrap(own_array(t)) for _, t in given}  # the data itself is left alone: other threads may read it
    for _, t in given:
        twins[id(t)]._cut = t._cut
    originals = [t for _, t in given]
    args, kwargs = rebuilt((args, kwargs), lambda item: twins.get(id(item), item))
    given = [(name, twins[id(t)]) for name, t in given]
    observed = _observe(trace, given)
    leaves = {s.tensor._node: s.tensor._node.grad for s in observed if s.tensor._node and s.tensor._node.operation is None}
    states = [(o, {p: dict(kept) for p, kept in o.state.items()}) for _, o in trace.reach.optimizers]
    groups = [group for _, o in trace.reach.optimizers for group in o.param_groups]
    moving = [(group, key, group[key]) for group in groups for key in _moving(group) if key in keys]
    small = [(name, a, a.copy()) for name, a in trace.reach.arrays if a.size <= 4096]
    chance, draws = _chance(trace.reach), _Draws(tape)
    collecting = gc.isenabled()
    gc.disable()  # what is made meanwhile stays among the youngest objects, where it is found again
    before = mode.state
    ended = False
    result: Any = None
    try:
        active.tape, random.observer = tape, draws
        for seen in observed:
            seen.tensor._array = seen.recorder
        for group, key, given_as in moving:
            value = Value("number", float(option(group, key)))
            trace.numbers.append((group, key, value))
            number = tape.recorder(value)
            group[key] = (number, *given_as[1:]) if key == "betas" else number
        try:
            result = _run(step, args, kwargs, trace)
        except Exception:
            if tape.asked is not None:
                raise tape.asked from None
            raise
        for group, key, value in trace.numbers:
            if getattr(option(group, key), "_value", None) is not value:
                raise CannotCompile(
                    f"the step changes the option {key!r} of its optimiser: call the scheduler outside of the compiled step, "
                    "which reads the option at each call."
                )
        for group, key, given_as in moving:
            group[key] = given_as
        _refuse_hidden_changes(trace, small, chance)
        active.tape = random.observer = None
        trace.result = rebuilt(result, lambda t: _noted(t, observed, given, originals))
        trace.warm = trace.reach.grew()
        _gather(trace, observed, leaves)
        tape.held.clear()
        result = None
        _refuse_kept(trace, observed)
        _refuse_unseen(trace, observed)
        ended = True
    finally:
        active.tape = random.observer = None
        switch(before)
        for group, key, given_as in moving:
            group[key] = given_as
        after = {node: node.grad for node in leaves}
        kept = [(o, {p: dict(state) for p, state in o.state.items()}) for o, _ in states]
        for seen in observed:
            seen.tensor._array, seen.tensor._node, seen.tensor._memory, seen.tensor._cut = seen.before
            if seen.stamps is not None:
                memory, memory.written, memory.stale = seen.stamps
        for node, gradient in leaves.items():
            node.grad = gradient
        for o, state in states:
            _restore(o.state, state)
        if not ended:
            draws.restore()
            _unchance(trace.reach, chance)
            result = None
        _unwrap([*after.values(), *(t for _, state in kept for entry in state.values() for t in entry.values()), *_young(tape)])
        if not ended:
            trace.release()
        if collecting:
            gc.enable()
    for o, state in kept:
        trace._ready.append(functools.partial(_restore, o.state, state))
    for node, gradient in after.items():
        trace._ready.append(functools.partial(setattr, node, "grad", gradient))
    return trace


def _restore(state: Any, entries: dict[Any, dict[str, Any]]) -> None:
    """Give an optimiser's state its former entries back, in the dictionaries that it had."""
    for p in [p for p in state if p not in entries]:
        del state[p]
    for p, entry in entries.items():
        own = state.setdefault(p, {})
        if own != entry:
            own.clear()
            own.update(entry)


# -- what is put under observation -----------------------------------------------------------------------------------------


def spread(item: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tuples, lists and dictionaries, in order, each with a name."""
    if isinstance(item, (tuple, list)):
        for i, part in enumerate(item):
            yield from spread(part, f"{path}{i}")
    elif isinstance(item, dict):
        for key, part in item.items():
            yield from spread(part, f"{path}_{key}" if path else str(key))
    else:
        yield path, item


def named_arguments(step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of the arguments with their names, such as `x`, or `batch0` and `batch1` for a pair."""
    function = getattr(step, "__func__", step)
    code = getattr(function, "__code__", None) or getattr(getattr(type(step), "forward", None), "__code__", None)
    names = list(code.co_varnames[: code.co_argcount]) if code is not None else []
    if function is not step or (code is not None and not hasattr(step, "__code__")):
        names = names[1:]  # self
    for i, arg in enumerate(args):
        yield from spread(arg, names[i] if i < len(names) else f"x{i}")
    for name, arg in kwargs.items():
        yield from spread(arg, name)


def _sorted_arguments(step: Any, args: Any, kwargs: Any) -> tuple[list[tuple[str, Tensor]], list[tuple[str, Any]]]:
    """The tensors that are data, each once, and everything else behind which state may lie."""
    given: list[tuple[str, Tensor]] = []
    others: list[tuple[str, Any]] = []
    for name, thing in named_arguments(step, args, kwargs):
        if isinstance(thing, np.ndarray):
            raise TypeError(
                f"the argument {name!r} of a compiled step is a NumPy array: pass a Tensor, `torch.from_numpy(array)`. What "
                "the step would make of the array itself would be done once, while it is compiled."
            )
        if isinstance(thing, Tensor) and thing._node is None:
            if all(thing is not known for _, known in given):
                given.append((name, thing))
        else:
            others.append((name, thing))
    return given, others


def _observe(trace: Trace, given: list[tuple[str, Tensor]]) -> list[Seen]:
    """A recorder for each tensor; state in the same memory shares one, so that a write is seen by both."""
    tape, observed, done = trace.tape, [], set()
    for name, t in given:
        value = Value("argument", own_array(t))
        trace.arguments.append((name, value))
        observed.append(Seen(t, t._array, tape.recorder(value)))
        done.add(id(t))
    places: list[tuple[str, Slot, Tensor]] = []
    nodes: set[int] = set()
    for path, t in trace.reach.tensors:
        node = t._node
        if node is not None and node.operation is None and id(node) not in nodes:
            nodes.add(id(node))
            (trace.absent if node.grad is None else trace.present).append(node)
            if node.grad is not None:
                places.append((f"{path}.grad", Slot(node, True), node.grad))
    places += [(path, Slot(t, False), t) for path, t in trace.reach.tensors]
    shared: dict[Any, Recorder] = {}
    for path, slot, t in places:
        if id(t) in done:
            continue
        done.add(id(t))
        array = own_array(t)
        if type(array) is not np.ndarray:
            continue
        key = (array.ctypes.data, array.shape, array.strides, array.dtype) if array.size else id(array)
        recorder = shared.get(key)
        if recorder is None:
            alone = sys.getrefcount(array) == 3  # the tensor's, the variable's, and the function's own
            value = Value("state", array)
            value.alone = alone
            recorder = shared[key] = tape.recorder(value)
            trace.states.append((slot, value))
            trace.paths[value] = path
        observed.append(Seen(t, array, recorder))
    return observed


class _Draws:
    """What `random` tells while a step is traced: a draw becomes an instruction, which every call repeats."""

    def __init__(self, tape: Tape) -> None:
        self._tape, self._thread = tape, threading.get_ident()
        self._states: dict[Any, Any] = {}

    def place(self, tensor: Tensor) -> Tensor:
        """A new tensor that is about to be filled: under observation from the start."""
        if threading.get_ident() == self._thread:
            tensor._array = self._tape.recorder(Value("constant", tensor._array))
        return tensor

    def drawn(self, x: Tensor, draw: Any, source: Any) -> bool:
        """Note a draw, and give its numbers to a tensor; False leaves it to the ordinary way."""
        if threading.get_ident() != self._thread:
            return False
        if source not in self._states:
            self._states[source] = source.get_state()
        shape, dtype = x._array.shape, x._array.dtype
        repeat = Draw(draw, source, shape, dtype)
        inputs = [cell.cell_contents for cell in draw.__closure__ or () if isinstance(cell.cell_contents, Recorder)]
        recorder = self._tape.run("draw", repeat, inputs, {}, repeat)
        if isinstance(x._array, Recorder):
            x._array._rebind(recorder)
        elif (x._memory if x._node is None else x._node.memory) is None:
            x._array = recorder
        else:
            raise CannotCompile(f"random numbers are drawn into a tensor that was viewed or written before, at {user_site()}.")
        shared_memory(x).write()
        return True

    def restore(self) -> None:
        """Put the generators back to where they were."""
        for source, state in self._states.items():
            source.set_state(state)


class Draw:
    """A draw of random numbers, to be repeated: called, it gives the next ones.

    Where it depends on what the step has computed, such as probabilities, the function that draws holds recorders among its
    variables: these are its inputs, and each call gives their arrays.
    """

    __slots__ = ("_draw", "_given", "_like", "source")

    def __init__(self, draw: Any, source: Any, shape: tuple[int, ...], dtype: Any) -> None:
        cells = draw.__closure__ or ()
        own = [CellType(None) if isinstance(cell.cell_contents, Recorder) else cell for cell in cells]
        self._given = [cell for cell, known in zip(own, cells, strict=True) if cell is not known]
        self._draw = FunctionType(draw.__code__, draw.__globals__, draw.__name__, draw.__defaults__, tuple(own))
        self.source, self._like = source, np.empty(shape, dtype)

    def __call__(self, *inputs: Any) -> Any:
        for cell, array in zip(self._given, inputs, strict=True):
            cell.cell_contents = np.asarray(array)
        values = self._draw(self._like, self.source)
        return np.array(np.broadcast_to(values, self._like.shape), self._like.dtype)


# -- what the step did -------------------------------------------------------------------------------------------------


def _run(step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], trace: Trace) -> Any:
    """Run the step, and learn from its variables, as they are when it returns, what it calls its tensors."""
    code = getattr(getattr(step, "__func__", step), "__code__", None)
    if code is None or sys.getprofile() is not None:
        return step(*args, **kwargs)

    def watch(frame: Any, event: str, arg: Any) -> None:
        if event == "return" and frame.f_code is code:
            for name, t in frame.f_locals.items():
                if isinstance(t, Tensor) and isinstance(t._array, Recorder):
                    trace.names.setdefault(t._array._value, name)

    sys.setprofile(watch)
    try:
        return step(*args, **kwargs)
    finally:
        sys.setprofile(None)


def _refuse_hidden_changes(trace: Trace, small: list[tuple[str, Any, Any]], chance: Any) -> None:
    """Refuse a step that changes what a program of NumPy calls would not change again."""
    path = trace.reach.changed()
    if path is not None:
        raise CannotCompile(
            f"the step changes the Python value `{path}`, which a program of NumPy calls would not do again: return what is "
            "new from the step and keep it outside, or hold it in a tensor and write into that, `count += 1`."
        )
    for name, array, was in small:
        if not np.array_equal(array, was, equal_nan=array.dtype.kind in "fc"):
            np.copyto(array, was)
            raise CannotCompile(
                f"the step writes into the NumPy array `{name}`: hold it in a Tensor, or return the new values."
            )
    if _chance(trace.reach) != chance:
        raise CannotCompile(
            "the step draws random numbers from NumPy or from Python's `random`: a program would repeat the first ones. "
            "Draw them outside and pass them, or draw with `torch.rand` and its like."
        )


def _chance(reach: Reach) -> list[bytes]:
    """Where the random numbers of NumPy and Python are, to see whether some were drawn."""
    sources = [np.random.get_state(), python_random.getstate()]
    sources += [g.bit_generator.state if isinstance(g, np.random.Generator) else g.get_state() for g in reach.generators]
    return [pickle.dumps(state) for state in sources]


def _unchance(reach: Reach, chance: list[bytes]) -> None:
    numpy_state, python_state, *others = map(pickle.loads, chance)
    np.random.set_state(numpy_state)
    python_random.setstate(python_state)
    for generator, state in zip(reach.generators, others, strict=True):
        if isinstance(generator, np.random.Generator):
            generator.bit_generator.state = state
        else:
            generator.set_state(state)


def _final(seen: Seen) -> Value:
    array = seen.tensor._array
    return array._value if isinstance(array, Recorder) else Value("constant", np.asarray(array))


def _gather(trace: Trace, observed: list[Seen], leaves: dict[Any, Any]) -> None:
    """Note what the step has changed and made, after a look at what a program on fixed memory cannot do."""
    read = {value for instruction in trace.instructions for value in values_in((instruction.args, instruction.kwargs))}
    read.update(values_in(trace.result))
    final: dict[Value, Value] = {}
    gradients = {id(gradient) for gradient in leaves.values() if gradient is not None}
    for seen in observed:
        now = _final(seen)
        name = trace.paths.get(seen.value, "an argument")
        if now is not seen.value and seen.value.kind == "argument":
            raise CannotCompile("the step writes into one of its arguments: let it return the new value instead.")
        if seen.tensor._node is not seen.before[1]:
            raise CannotCompile(
                f"the step gives `{name}`, which outlives it, a history of operations: write into it under `torch.no_grad()`, "
                "or with `.detach()`."
            )
        if seen.value in read and seen.before[1] is not None and seen.before[1].operation is not None:
            raise CannotCompile(
                f"the step uses `{name}`, a tensor that was computed outside and has a history there: `.detach()` it, or "
                "compute it inside."
            )
        if now.shape != seen.value.shape or now.dtype != seen.value.dtype:
            raise CannotCompile(
                f"the step changes `{name}` from shape {seen.value.shape}, {seen.value.dtype}, to shape {now.shape}, "
                f"{now.dtype}: a compiled step keeps the shape and the dtype of what it updates."
            )
        if final.setdefault(seen.value, now) is not now and id(seen.tensor) not in gradients:
            raise CannotCompile(f"two tensors share the memory of `{name}`, and the step gives them different values.")
    _refuse_overlaps(trace, observed, read, final)
    nodes = {id(node): node for node in leaves}
    for slot, value in trace.states:
        now = final[value]
        if slot.gradient:
            node = nodes[id(slot.owner)]
            if node.grad is None:
                trace.cleared.append(node)
                continue
            if node.grad is not leaves[node]:
                now = _of_gradient(node)
        if now is not value:
            trace.updates.append((slot, now))
            if not slot.gradient:
                trace._ready.append(functools.partial(_copied, value.sample, _fixed(now)))
    for node, before in leaves.items():
        gradient = node.grad
        if gradient is None:
            continue
        if before is None:
            trace.updates.append((Slot(node, True), _of_gradient(node)))
        now = _of_gradient(node)
        if gradient is before:
            array = next(seen.array for seen in observed if seen.tensor is gradient)
            trace._ready.append(functools.partial(_copied, array, _fixed(now)))
        else:
            trace._arrays[id(gradient)] = now


def _copied(array: Any, sample: Any) -> None:
    if array is not sample:
        np.copyto(array, sample)


def _fixed(value: Value) -> Any:
    """A value's elements, in memory that no other write of the same step will change."""
    return value.sample if value.kind == "result" and value.sample.base is None else np.array(value.sample)


def _of_gradient(node: Any) -> Value:
    if node.grad._node is not None:
        raise CannotCompile("the step leaves a gradient with a history in `.grad` (create_graph=True): `.detach()` it.")
    array = node.grad._array
    return array._value if isinstance(array, Recorder) else Value("constant", np.asarray(array))


def _refuse_overlaps(trace: Trace, observed: list[Seen], read: set[Value], final: dict[Value, Value]) -> None:
    """Refuse a step that writes into memory which another of its tensors shows another way, as a view does."""
    spans = {}
    for seen in observed:
        if seen.array.size and seen.value not in spans:
            low, high = np.lib.array_utils.byte_bounds(seen.array)
            spans[seen.value] = (low, high, seen)
    active_: list[tuple[int, Seen]] = []
    for low, high, seen in sorted(spans.values(), key=lambda span: span[0]):
        active_ = [(end, other) for end, other in active_ if end > low]
        for _, other in active_:
            one, two = seen.value, other.value
            written = final[one] is not one or final[two] is not two
            used = all(v in read or final[v] is not v for v in (one, two))
            if written and used and np.shares_memory(seen.array, other.array):
                names = " and ".join(f"`{trace.paths.get(value, 'an argument')}`" for value in (one, two))
                raise CannotCompile(
                    f"the step uses {names}, which lie in the same memory, and writes there: give one of them memory of its "
                    "own, `.clone()`."
                )
        active_.append((high, seen))


def _noted(t: Any, observed: list[Seen], given: list[tuple[str, Tensor]], originals: list[Tensor]) -> Any:
    """What stands for a part of the result."""
    if isinstance(t, RecordedNumber):
        raise CannotCompile("the step returns an option of its optimiser: read it outside.")
    if isinstance(t, Recorder):
        return Plain(t._value)
    if not isinstance(t, Tensor):
        if dataclasses.is_dataclass(t) or any(isinstance(part, Tensor) for part in getattr(t, "__dict__", {}).values()):
            raise CannotCompile(
                f"the step returns a {type(t).__name__}: a program returns tensors and numbers, in tuples, lists and "
                "dictionaries. Return those, or a NamedTuple, and make the object outside."
            )
        return t
    for number, (_, argument) in enumerate(given):
        if t is argument:
            return Same(originals[number], number)
    if any(seen.tensor is t for seen in observed):
        return Same(t, None)
    return t._array._value if isinstance(t._array, Recorder) else Value("constant", np.asarray(t._array))


def _refuse_kept(trace: Trace, observed: list[Seen]) -> None:
    """Refuse a step that keeps a tensor which it has computed: the next calls would not renew it."""
    known = {id(seen.tensor) for seen in observed} | set(trace._arrays)
    for o in trace.reach.kept:
        for entries in o[0].values():
            known.update(id(t) for t in entries.values())
    if any(id(t) not in known for t in _young(trace.tape)):
        gc.collect()  # a circle of the step's own may hold them
        trace.tape.collected = True
    for t in _young(trace.tape):
        if id(t) not in known:
            raise CannotCompile(
                f"the step keeps a tensor of shape {tuple(t.shape)} that it has computed, where no later call would renew it: "
                "return it from the step instead."
            )


def _refuse_unseen(trace: Trace, observed: list[Seen]) -> None:
    """Refuse a step that uses a tensor which the search has not found: its numbers would be taken for constants."""
    arrays = {id(a): a for instruction in trace.instructions for a in _arrays_in((instruction.args, instruction.kwargs))}
    if not arrays:
        return
    known = {id(seen.tensor) for seen in observed}
    for t in gc.get_objects():  # by type: isinstance would wake lazy objects of other libraries
        array = getattr(t, "_array", None) if issubclass(type(t), Tensor) and id(t) not in known else None
        if type(array) is np.ndarray and any(np.may_share_memory(array, other) for other in arrays.values()):
            raise CannotCompile(
                f"the step uses a tensor of shape {tuple(t.shape)} that its text does not name, so that it would be taken for "
                "a constant: name it in the step, or pass it as an argument."
            )


def _arrays_in(item: Any) -> Iterator[Any]:
    """The arrays in nested arguments that are no values."""
    if isinstance(item, np.ndarray):
        if item.size:
            yield item
    elif isinstance(item, (tuple, list)):
        for part in item:
            yield from _arrays_in(part)
    elif isinstance(item, dict):
        for part in item.values():
            yield from _arrays_in(part)


def _young(tape: Tape) -> list[Tensor]:
    """The tensors with a recorder of this tape: those that the step made are among the youngest objects."""
    objects = gc.get_objects() if tape.collected else gc.get_objects(generation=0)
    return [
        t for t in objects
        if issubclass(type(t), Tensor) and isinstance(getattr(t, "_array", None), Recorder) and t._array._tape is tape
    ]  # fmt: skip


def _unwrap(tensors: list[Any]) -> None:
    """Give every tensor that the step made, and that lives on, a real array."""
    for t in tensors:
        if isinstance(t, Tensor) and isinstance(t._array, Recorder):
            t._array = np.array(t._array._value.sample)


def _locate(frame: Any, tape: Tape) -> Place:
    """What the engine is doing for a NumPy call made in this frame: it says so itself, in its own variables."""
    found = Place()
    while frame is not None:
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if not file.startswith(OWN):
            found.site = f"{file}:{frame.f_lineno}"
            break
        local = frame.f_locals
        if found.phase:
            pass
        elif name == "record" and "operands" in local:
            op, inputs = local["op"], local["inputs"]
            tape.held.append(inputs)
            phase = "update" if tape.after_backward and not mode.state else "forward"
            formula = functools.partial(op.forward, **local["params"])
            found = Place(phase, op, run_of(op, inputs), None, "", formula, _values_of(local["operands"]))
        elif name == "walk" and "edges" in local:
            tape.after_backward = True
            node, target = local["node"], local["target"]
            tape.held += [node, target, node.inputs]
            found = Place("backward", node.operation, ("backward", id(node)), run_of(target.operation, target.inputs, target))
            found.formula, found.operands = local["formula"], _values_of((local["g"], *local["saved"]))
        elif os.sep + "optim" + os.sep in file:
            found = Place("update")
        frame = frame.f_back
    return found


def _values_of(operands: Any) -> tuple[Any, ...]:
    return tuple(a._value if isinstance(a, Recorder) else a for a in operands)


def run_of(operation: Any, inputs: Any, leaf: Any = None) -> Any:
    """What tells a run of an operation apart: its inputs; and a leaf, which was not computed, by itself."""
    return ("leaf", id(leaf)) if operation is None else (id(operation), *map(id, inputs))


# -- results -----------------------------------------------------------------------------------------------------------


def rebuilt(item: Any, change: Callable[[Any], Any]) -> Any:
    """The same nested tuples, lists and dictionaries, with `change` applied to what they hold."""
    if isinstance(item, (tuple, list)):
        parts = [rebuilt(part, change) for part in item]
        return type(item)(*parts) if hasattr(item, "_fields") else type(item)(parts)
    if isinstance(item, dict):
        return {key: rebuilt(part, change) for key, part in item.items()}
    return change(item)


def values_in(item: Any) -> Iterator[Value]:
    """The values in nested arguments, or in a result."""
    if isinstance(item, Value):
        yield item
    elif isinstance(item, Plain):
        yield item.value
    elif isinstance(item, (tuple, list)):
        for part in item:
            yield from values_in(part)
    elif isinstance(item, dict):
        for part in item.values():
            yield from values_in(part)
    elif isinstance(item, slice):
        yield from values_in((item.start, item.stop, item.step))


def _sampled(part: Any) -> Any:
    if isinstance(part, Value):
        return detached(np.array(part.sample))
    if isinstance(part, Plain):
        return np.array(part.value.sample)
    return part.tensor if isinstance(part, Same) else part


def detached(array: Any) -> Tensor:
    """What a compiled step returns: a value without a graph, which says so if it is asked for gradients."""
    tensor = wrap(array)
    tensor._cut = "a compiled step, which returns values only (call backward() inside it),"
    return tensor
