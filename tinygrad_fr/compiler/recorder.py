"""A recorder is an array that notes what NumPy is asked to do with it: running a step on recorders writes the step down.

It computes as it goes, so shapes and dtypes are NumPy's own, and it knows no operation: it sees NumPy's calls only,
through `__array_ufunc__`, `__array_function__` and the methods that arrays have.
"""

from __future__ import annotations

import math
import operator
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

OWN = (str(Path(__file__).parent.parent) + os.sep, os.path.dirname(np.__file__) + os.sep, "<recorder ")
"""How the files begin that are not the user's."""


class _Active(threading.local):
    """The tape that this thread records on, if it does."""

    tape: Tape | None = None


active = _Active()


def user_site() -> str:
    """The innermost line that is neither this package's nor NumPy's, as "file:line"."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OWN):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Value:
    """One quantity of the program: an argument, a piece of state, a constant, or the result of an instruction.

    Attributes:
        kind: "argument"; "state", an array that lives on between calls, also one that is only read; "number", a Python number
            that may change, such as a learning rate; "constant", the same at each call; "result" of an instruction.
        sample: what it was while recording; dropped from results once the program is made.
        instruction: what computed it, for a result.
        alone: for state, whether nobody but its tensor holds the array, so that it may move.
        shape, dtype: those of the sample, which hold for every call.
    """

    __slots__ = ("alone", "dtype", "instruction", "kind", "sample", "shape")

    def __init__(self, kind: str, sample: Any, instruction: Instruction | None = None) -> None:
        self.kind, self.sample, self.instruction = kind, sample, instruction
        self.alone = False
        self.shape: tuple[int, ...] = np.shape(sample)
        self.dtype: np.dtype[Any] = sample.dtype if hasattr(sample, "dtype") else np.asarray(sample).dtype

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


class Instruction:
    """One NumPy call: a function (or ufunc method, or array method by name), its arguments, and its results.

    Attributes:
        form: "ufunc", "function", "method", "number" (arithmetic of Python numbers), "draw" (random numbers) or "check".
        what: the callable, or the name of the method; (ufunc, its method) for a ufunc.
        args, kwargs: the arguments, in which each `Value` stands for what it will be.
        results: one Value, or several for a function that returns a tuple.
        place: what the engine was doing, noted from the running frames; see `Place`.
        quiet: whether NumPy's warnings were off.
    """

    __slots__ = ("args", "form", "kwargs", "place", "quiet", "results", "what")

    def __init__(self, form: str, what: Any, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place) -> None:
        self.form, self.what, self.args, self.kwargs, self.place = form, what, args, kwargs, place
        self.results: tuple[Value, ...] = ()
        self.quiet = False


class Place:
    """Where an instruction comes from: an operation's forward formula, a gradient formula, the optimiser, or the user's own.

    Attributes:
        phase: "forward", "backward", "update" or "".
        operation: the declaration whose formula was running, if any.
        run: tells two runs of one operation apart.
        target: for a gradient formula, the run whose result it differentiates by, or the leaf.
        site: "file:line" of the user's program.
        formula: the function that was running, and `operands`: what it was given, with values in the place of recorders.
    """

    __slots__ = ("formula", "operands", "operation", "phase", "run", "site", "target")

    def __init__(
        self, phase: str = "", operation: Any = None, run: Any = None, target: Any = None, site: str = "",
        formula: Any = None, operands: Any = (),
    ) -> None:  # fmt: skip
        self.phase, self.operation, self.run, self.target, self.site = phase, operation, run, target, site
        self.formula, self.operands = formula, operands


class NeedsValue(RuntimeError):
    """While recording, the program asked for a number that will differ from call to call."""

    def __init__(self, what: str, rule: str = "") -> None:
        super().__init__(
            f"{what} needs a value while the step is being compiled, at {user_site()}: the program would always do what this "
            "first value says. "
            + (rule or "Return the tensor from the step and look at it outside; where the computation depends on it, write "
               "`torch.where(condition, a, b)`.")
        )  # fmt: skip
        if active.tape is not None and active.tape.asked is None:
            active.tape.asked = self  # an operation will explain the error in its own words: this is what it was


class NeedsNumber(NeedsValue):
    """The same for an option such as the learning rate: the step is then recorded with the number as it is."""


class CannotCompile(RuntimeError):
    """The step does something that a program on fixed memory cannot do; the message says what to write instead."""


_METADATA = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.may_share_memory, np.shares_memory, np.iscomplexobj,
    np.isrealobj, np.min_scalar_type, np.common_type,
}  # fmt: skip
"""Functions that look at shapes and dtypes alone: they are answered, not recorded."""

_ANSWERS = {np.array_equal, np.allclose, np.array_equiv}
"""Functions whose answer is a Python truth."""

_WRITERS = {np.put, np.put_along_axis, np.place, np.putmask, np.fill_diagonal}
"""Functions that write into their first argument."""

_SHAPED_BY_VALUES = {
    np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.compress, np.extract, np.trim_zeros, np.union1d, np.intersect1d,
    np.setdiff1d, np.setxor1d, np.bincount, np.delete, np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all,
}  # fmt: skip
"""Functions whose result has a shape that depends on the elements of the argument."""

_SHAPE_RULE = (
    "The shape of the result depends on the values, and a compiled program has fixed shapes: keep the whole array and mask it, "
    "`torch.where(mask, x, 0)` or `x * mask`, or do this part outside of the compiled step."
)

_PYTHON = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.power: operator.pow, np.negative: operator.neg, np.positive: operator.pos, np.minimum: min, np.maximum: max,
}  # fmt: skip
"""What Python computes for numbers where NumPy would call a ufunc."""


class Recorder(np.lib.mixins.NDArrayOperatorsMixin):
    """An array under observation: a `Value`, and the tape on which instructions are noted.

    A write gives it another value: values never change, so the program computes each of them once. What NumPy would give as a
    view remembers its source, since a write into one of the two, which the other ought to see, is not followed.
    """

    __slots__ = ("_base", "_tape", "_value")
    __array_priority__ = 1000
    writable = True
    base = None
    device = "cpu"

    def __init__(self, tape: Tape, value: Value) -> None:
        self._tape, self._value = tape, value
        self._base: tuple[Recorder, Value] | None = None  # for a view: its source, and what the source was then

    # what is known of it

    shape = property(lambda self: self._value.shape)
    dtype = property(lambda self: self._value.dtype)
    ndim = property(lambda self: len(self._value.shape))
    size = property(lambda self: self._value.size)
    itemsize = property(lambda self: self._value.dtype.itemsize)
    nbytes = property(lambda self: self._value.size * self._value.dtype.itemsize)

    # what is done with it

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(hasattr(item, "_array") for item in inputs):
            return NotImplemented  # a Tensor answers
        if method == "at":
            return self._at(ufunc, *inputs)
        out = kwargs.pop("out", None)
        result = self._tape.run("ufunc", getattr(ufunc, method), inputs, kwargs, (ufunc, method))
        return result if out is None else _write(out[0], result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function in _METADATA:
            return function(*_samples(args), **_samples(kwargs))
        if function in _ANSWERS:
            raise NeedsValue(f"np.{function.__name__}")
        if function in _SHAPED_BY_VALUES or (function is np.where and len(args) + len(kwargs) == 1):
            raise NeedsValue(f"np.{function.__name__}", _SHAPE_RULE)
        if function is np.copyto:
            return _copyto(*args, **kwargs)
        if function in _WRITERS:
            raise CannotCompile(f"np.{function.__name__} writes into a recorded array: write it out of place.")
        kwargs = dict(kwargs)
        out = kwargs.pop("out", None)
        result = self._tape.run("function", function, args, kwargs, function)
        return result if out is None else _write(out, result)

    def to_number(self) -> RecordedNumber:
        """A recorded Python number, of an array with one element: what `float()` is to an ordinary array."""
        return self._tape.run("number", float, (self,), {}, float)  # type: ignore[no-any-return]

    def observe(self, check: Callable[[Any], bool]) -> bool:
        """What a check of the values says, which may raise; the program repeats it at each call, and it must say the same."""
        return self._tape.check(check, self)

    def copy(self, order: str = "C") -> Recorder:
        """A recorder that a write into this one leaves as it is; since values never change, nothing is computed."""
        self._tape.mapped((self,))
        return self._tape.recorder(self._value)

    def __getitem__(self, index: Any) -> Any:
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, Recorder) and part.dtype.kind == "b":
                raise NeedsValue("An index that is a mask", _SHAPE_RULE)
        return self._tape.run("method", operator.getitem, (self, index), {}, "__getitem__")

    def __setitem__(self, index: Any, value: Any) -> None:
        if index is Ellipsis and np.ndim(value) == 0:
            result = self._tape.run("function", np.full, (self.shape, value, self.dtype), {}, np.full)
        else:
            result = self._tape.run("function", with_item, (self, index, value), {}, with_item)
        self._rebind(result)

    def _at(self, ufunc: Any, target: Any, index: Any, *values: Any) -> None:
        """`np.add.at(target, index, value)` and its like: the target takes the value of a copy that was written."""
        if not isinstance(target, Recorder):
            raise CannotCompile(
                f"np.{ufunc.__name__}.at writes a computed value into a NumPy array, at {user_site()}: keep it in a Tensor."
            )
        target._rebind(self._tape.run("function", with_at, (ufunc, target, index, *values), {}, with_at))

    def _rebind(self, result: Recorder) -> None:
        """Take the value of a result: this is what a write is."""
        if self._base is not None:
            raise CannotCompile(
                f"the step writes into a view of another tensor, at {user_site()}: the other would not see it. Write into the "
                "tensor itself, `x[...] = value`, or out of place."
            )
        self._value = result._value

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a recorded array has no attribute {name!r}", name=name, obj=self)
        if name in ("T", "mT", "real"):
            return self._tape.run("method", operator.attrgetter(name), (self,), {}, name)
        if name in ("item", "tolist", "tobytes", "tofile", "dump", "dumps"):
            raise NeedsValue(f".{name}()")
        if name in ("nonzero", "compress"):
            raise NeedsValue(f".{name}()", _SHAPE_RULE)
        if name in ("flags", "strides", "data", "ctypes", "flat"):
            raise AttributeError(f"a recorded array has no {name!r}: its memory is laid out later", name=name, obj=self)
        if name in ("sort", "fill", "resize", "partition", "put", "setflags", "itemset", "setfield", "byteswap", "view"):
            raise CannotCompile(f".{name}() works on the memory of a recorded array: write it out of place.")
        return lambda *args, **kwargs: self._tape.run("method", _method(name), (self, *args), kwargs, name)

    # what would need to know it

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NeedsValue(".item(), .tolist(), or turning a tensor into a NumPy array")

    def __bool__(self) -> bool:
        if active.tape is self._tape and _asked_here(sys._getframe(1)):
            return self.observe(bool)
        raise NeedsValue("a condition (`if`, `while`, `and`, `bool()`)")

    def __float__(self) -> float:
        raise NeedsValue("float()")

    def __int__(self) -> int:
        raise NeedsValue("int()")

    def __index__(self) -> int:
        raise NeedsValue("using a tensor as an index or a size")

    def __repr__(self) -> str:
        if active.tape is self._tape:
            raise NeedsValue("printing a tensor")
        return f"<recorded {self._value.kind} of shape {self.shape}, {self.dtype}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NeedsValue("copying or saving a tensor")


class RecordedNumber(Recorder):
    """A Python number that may change between two calls, such as a learning rate: it promotes nothing, as Python's do not."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(hasattr(item, "_array") for item in inputs):
            raise NeedsNumber(f"np.{ufunc.__name__} of a tensor and an option")
        if method == "__call__" and not kwargs and all(isinstance(item, (RecordedNumber, int, float)) for item in inputs):
            function = _PYTHON.get(ufunc)
            if function is None:
                raise NeedsNumber(f"np.{ufunc.__name__} of an option")
            return self._tape.run("number", function, inputs, {}, ufunc)
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def to_number(self) -> RecordedNumber:
        return self

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """An array without axes that holds the number."""
        return self._tape.run("function", np.full, ((), self, np.dtype(dtype)), {}, np.full)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NeedsNumber(f".{name} of an option")

    def _asked(self, *_: Any) -> Any:
        raise NeedsNumber("an option")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __format__ = _asked
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _asked
    __hash__ = object.__hash__


def _method(name: str) -> Callable[..., Any]:
    """A method of arrays, which NumPy's numbers have as well: results without axes are numbers."""
    return lambda array, *args, **kwargs: getattr(array, name)(*args, **kwargs)


def _asked_here(frame: Any) -> bool:
    """Whether this package asks for a truth, as where a draw refuses probabilities outside [0, 1], and not the user."""
    while frame is not None and frame.f_code.co_name == "__bool__":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(OWN[0])


def with_item(a: Any, index: Any, value: Any) -> Any:
    """A copy of an array with some elements replaced: `a[index] = value` without writing into a."""
    a = np.array(a)
    a[index] = value
    return a


def with_at(ufunc: Any, a: Any, index: Any, *values: Any) -> Any:
    """A copy of an array after `ufunc.at(a, index, value)`: where the index names a place twice, both count."""
    a = np.array(a)
    ufunc.at(a, index, *values)
    return a


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """`np.copyto`: the destination takes the source's value, broadcast and converted."""
    if not isinstance(dst, Recorder):
        raise CannotCompile(
            f"the step writes a computed value into a NumPy array, at {user_site()}: keep it in a Tensor, or return it."
        )
    tape, source = dst._tape, src
    if where is not True:
        source = np.where(where, src, dst)
    if not isinstance(source, Recorder):
        source = tape.recorder(Value("constant", np.array(source)))
    if source.shape != dst.shape:
        source = tape.run("function", np.broadcast_to, (source, dst.shape), {}, np.broadcast_to)
    if source.dtype != dst.dtype:
        source = source.astype(dst.dtype)
    dst._rebind(source)


def _write(out: Any, result: Any) -> Any:
    """`out=`: the array that is written takes the result's place in what follows."""
    _copyto(out, result)
    return out


def _samples(item: Any) -> Any:
    """The same arguments with each recorder replaced by its sample."""
    return _mapped(item, lambda recorder: recorder._value.sample)


def _mapped(item: Any, change: Callable[[Recorder], Any]) -> Any:
    if isinstance(item, Recorder):
        return change(item)
    if type(item) in (tuple, list):
        return type(item)(_mapped(part, change) for part in item)
    if type(item) is dict:
        return {key: _mapped(part, change) for key, part in item.items()}
    if type(item) is slice:
        return slice(*(_mapped(part, change) for part in (item.start, item.stop, item.step)))
    return item


def _value(recorder: Recorder) -> Value:
    """What a recorder stands for, if it still stands for it: a view whose source was written since does not."""
    view = recorder
    while view._base is not None:
        source, was = view._base
        if source._value is not was:
            raise CannotCompile(
                f"the step reads a view of a tensor that it has written in between, at {user_site()}: take the view again "
                "after the write."
            )
        view = source
    return recorder._value


class Tape:
    """The instructions in the order in which they were recorded, and how to note one more."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.asked: NeedsValue | None = None
        self.after_backward = self.collected = False
        self.held: list[Any] = []  # what places are told apart by, kept while recording so that no id is used twice
        self.locate: Callable[[Any, Tape], Place] = lambda frame, tape: Place()

    def recorder(self, value: Value) -> Recorder:
        """A recorder that stands for a value."""
        return (RecordedNumber if value.kind == "number" else Recorder)(self, value)

    def mapped(self, item: Any) -> Any:
        """Arguments with the value of each recorder in its place."""
        return _mapped(item, _value)

    def run(self, form: str, function: Any, args: Any, kwargs: Any, what: Any) -> Any:
        """Run a NumPy call on the samples, note it, and return recorders of its results."""
        args, kwargs = tuple(args), dict(kwargs)
        instruction = Instruction(form, what, self.mapped(args), self.mapped(kwargs), self.locate(sys._getframe(2), self))
        result = function(*_samples(args), **_samples(kwargs))
        several = isinstance(result, (tuple, list))
        parts = tuple(result) if several else (result,)
        if form != "number" and not all(isinstance(part, (np.ndarray, np.generic)) for part in parts):
            raise NeedsValue(f"{getattr(what, '__name__', what)}, whose result is a plain {type(parts[0]).__name__},")
        instruction.quiet = np.geterr()["divide"] == "ignore"
        kind = "number" if form == "number" else "result"
        instruction.results = tuple(Value(kind, part, instruction) for part in parts)
        self.instructions.append(instruction)
        recorders = [self.recorder(value) for value in instruction.results]
        for recorder in recorders:
            for item in args:
                if (
                    isinstance(item, Recorder)
                    and recorder.size
                    and np.may_share_memory(recorder._value.sample, item._value.sample)
                ):
                    recorder._base = (item, item._value)
        return type(result)(recorders) if type(result) in (tuple, list) else tuple(recorders) if several else recorders[0]

    def check(self, check: Callable[[Any], bool], recorder: Recorder) -> bool:
        """Note a check of values, which the program repeats."""
        answer = check(np.asarray(recorder._value.sample))
        instruction = Instruction("check", check, (_value(recorder), answer), {}, self.locate(sys._getframe(2), self))
        self.instructions.append(instruction)
        return answer
