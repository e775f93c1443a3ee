"""An operation is one declaration: its formula, the formula of each gradient, and how it is drawn and tested.

The formulas are plain functions of arrays, written with operators and NumPy functions only. What they do depends on what
flows through them: arrays give values, Tensors give a graph, hence derivatives of any order.
This module turns a declaration into the function that users call, and keeps them all in `REGISTRY`.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinygrad_fr.node import OUTPUT, PLAIN
from tinygrad_fr.recording import record, written
from tinygrad_fr.tensor import Tensor

Formula = Callable[..., Any]
_F = TypeVar("_F", bound=Formula)


class Operation:
    """A declaration, read by the engine, the tests, the pictures, the derivations and the compiler.

    Attributes:
        name: the public name, and PyTorch's.
        symbol: what stands in a node of a drawing.
        latex: a template such as `\\sigma({x})`: each input, braces included, gives way to its own LaTeX in braces.
        forward: the formula, from arrays to an array.
        inputs: the names of its array arguments.
        formulas: for each input, its gradient formula, or None where there is no gradient.
        sources: for each formula, where its arguments come from (input number, OUTPUT, or PLAIN for a shape).
        domain: the interval from which the tests draw values; kinks are points where no derivative is checked.
        view: the result may share memory with the first input.
        broadcasts: True when the inputs are broadcast against each other, or the names of those that are.
        promoted: the numbers of the inputs that are brought to one dtype: those with a gradient, or all.
        floats: integers and booleans are turned into the default float dtype first.
        keywords: for each formula, the keyword arguments it reads.
        keeps: the kernel returns (result, something more) and the kernels of the gradients take that as last argument.
        hint: from the shapes of the inputs, the sentence that explains a failure.
        once: the gradient formula is only valid at first order.
        numpy: NumPy's functions of the same meaning, which record when they meet a Tensor.
    """

    __slots__ = (
        "broadcasts", "domain", "floats", "formulas", "forward", "hint", "inputs", "keeps", "kernel", "kernels", "keywords",
        "kinks", "latex", "name", "numpy", "once", "output", "promoted", "samples", "sources", "symbol", "view", "words",
    )  # fmt: skip

    symbol: str
    latex: str
    domain: tuple[float, float]
    kinks: tuple[float, ...]
    samples: Callable[[Any], Any] | None
    broadcasts: bool | tuple[str, ...]
    promoted: tuple[int, ...]
    floats: bool
    view: bool
    once: bool
    numpy: tuple[Any, ...]
    kernel: Formula | None
    hint: Callable[..., str] | None
    keeps: bool

    def __init__(self, forward: Formula, name: str, gradients: dict[str, Formula], kernels: dict[str, Formula]) -> None:
        self.forward, self.name = forward, name
        self.inputs = tuple(_reads(forward) or _reads(forward, "VAR_POSITIONAL"))
        unknown = set(gradients) - set(self.inputs)
        if unknown:
            raise TypeError(f"{name}: gradient formulas for {sorted(unknown)}, but the inputs are {self.inputs}")
        self.formulas = tuple(gradients.get(i) for i in self.inputs)
        self.kernels = tuple(kernels.get(i) for i in self.inputs)
        self.output = "y"
        self.words = tuple(_reads(forward, "KEYWORD_ONLY"))
        self.sources: tuple[tuple[int, ...], ...] = tuple(
            () if f is None else tuple(map(self._source, _reads(f)[1:])) for f in self.formulas
        )
        self.keywords = tuple(() if f is None else tuple(_reads(f, "KEYWORD_ONLY")) for f in self.formulas)

    def _source(self, word: str) -> Any:
        """What a word in a gradient formula stands for: an input, an input's shape, else the output."""
        if word in self.inputs:
            return self.inputs.index(word)
        if word.removesuffix("_shape") in self.inputs:
            return PLAIN - self.inputs.index(word.removesuffix("_shape"))
        self.output = word
        return OUTPUT

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    @functools.cache  # noqa: B019 - declarations live as long as the program
    def of(self, count: int) -> Operation:
        """The same declaration for so many inputs, when its formula takes `*tensors`.

        Its one gradient formula serves each input, told which by the keyword `index`; `*tensors` in it stands for all the
        inputs, `*tensors_shape` for all their shapes.
        """
        (word,), (formula,), numbers = self.inputs, self.formulas, range(count)
        op = copy.copy(self)
        op.inputs = tuple(f"{word}{i}" for i in numbers)
        op.latex = self.latex.replace(f"{{{word}}}", ", ".join(f"{{{name}}}" for name in op.inputs))
        op.kernels, op.promoted = (None,) * count, tuple(numbers)
        if formula is None:
            op.formulas, op.sources, op.keywords = (None,) * count, ((),) * count, ((),) * count
            return op
        op.formulas = tuple(functools.partial(formula, index=i) for i in numbers)
        kept = _reads(formula, "VAR_POSITIONAL")
        op.sources = ((tuple(numbers) if kept == [word] else tuple(PLAIN - i for i in numbers) if kept else ()),) * count
        op.keywords = (tuple(k for k in self.keywords[0] if k != "index"),) * count
        return op


REGISTRY: dict[str, Operation] = {}
"""Every declared operation, by name, in the order of declaration. The tests run over it."""

NUMPY: dict[Any, Callable[..., Any]] = {}
"""NumPy function -> the public function that records it. Composed functions add themselves with `implements`."""


def _reads(formula: Formula, kind: str = "POSITIONAL") -> list[str]:
    """The arguments of a formula, by kind. What a gradient formula reads is exactly what is kept for the backward pass."""
    code = getattr(formula, "__wrapped__", formula).__code__  # read directly: inspect.signature costs 30 µs a formula
    named, keywords = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    star = keywords + bool(code.co_flags & inspect.CO_VARARGS)
    parts = {"POSITIONAL": (0, named), "KEYWORD_ONLY": (named, keywords), "VAR_POSITIONAL": (keywords, star)}
    return list(code.co_varnames[slice(*parts[kind])])


def operation(
    symbol: str,
    latex: str,
    *,
    kernel: Formula | None = None,
    domain: tuple[float, float] = (-3.0, 3.0),
    kinks: Sequence[float] = (),
    samples: Callable[[Any], Any] | None = None,
    broadcasts: bool | tuple[str, ...] = (),
    floats: bool = False,
    view: bool = False,
    once: bool = False,
    quiet: bool = False,
    numpy: Sequence[Any] = (),
    hint: Callable[..., str] | None = None,
    kernel_keeps: bool = False,
    name: str | None = None,
    **gradients: Formula,
) -> Callable[[Formula], Callable[..., Tensor]]:
    """Declare an operation: decorates its forward formula, and takes one gradient formula per input as `dx=`, `da=`...

    A gradient formula `dx=lambda g, x, y: ...` receives the gradient `g` of the output and whatever else it names: an
    input, the output (any other name), or an input's shape (`x_shape`). What it does not name is not kept in memory.
    Keyword-only arguments of the forward formula (`dim`, ...) are passed to the gradient formulas as well.
    `kernel=` and `kernel_dx=` may give faster programs for NumPy arrays alone; the tests prove them equal to the formula.

    `quiet=True` is for formulas that rightly give inf or nan somewhere: NumPy is told not to warn, as PyTorch does not.
    `samples(draw)` gives the tests a list of cases, each a tuple of arrays, or (tuple of arrays, keywords).

    Returns:
        The function that users call: it takes Tensors (or numbers), computes, and records.
    """
    hush: Callable[[Formula], Formula] = np.errstate(all="ignore") if quiet else lambda f: f
    gradients = {key: hush(formula) for key, formula in gradients.items()}
    rules = {key[1:]: formula for key, formula in gradients.items() if not key.startswith("kernel")}
    kernels = {key.removeprefix("kernel_d"): formula for key, formula in gradients.items() if key.startswith("kernel_")}

    def declare(forward: Formula) -> Callable[..., Tensor]:
        op = Operation(hush(forward), name or forward.__name__.lstrip("_"), rules, kernels)
        op.symbol, op.latex, op.domain, op.kinks, op.samples = symbol, latex, domain, tuple(kinks), samples
        op.broadcasts, op.floats, op.view, op.once, op.numpy = broadcasts, floats, view, once, tuple(numpy)
        every = range(len(op.inputs) if broadcasts or floats else 0)
        op.promoted = tuple(i for i, f in enumerate(op.formulas) if f) or tuple(every)
        op.kernel, op.hint, op.keeps = kernel and hush(kernel), hint, kernel_keeps
        if _reads(forward, "VAR_POSITIONAL"):
            function: Any = lambda *args, **params: record(op.of(len(args)), args, params)
        elif any(op.formulas):
            function = written(op)
        else:
            function = _without_gradient(op)
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(function, attribute, getattr(forward, attribute))
        function.operation = op
        REGISTRY[op.name] = op
        for numpy_function in numpy:
            NUMPY[numpy_function] = function
        return function  # type: ignore[no-any-return]  # made by written()

    return declare


def _without_gradient(op: Operation) -> Callable[..., Tensor]:
    """The function of an operation that is never recorded; its inputs may be named, `eq(input=x, other=y)`."""
    known_as = ["input" if name == "x" else name for name in op.inputs]

    def function(*args: Any, **params: Any) -> Tensor:
        named = tuple(params.pop(name) for name in known_as[len(args) :] if name in params)
        return record(op, args + named, params)

    return function


def on(recorder: Callable[..., Tensor], *args: Any, **params: Any) -> Any:
    """An operation used inside a formula: recorded for Tensors, its bare formula for other arrays.

    An array may answer by itself, by a method `__operation__(operation, args, params)`: a symbol writes softmax(z) and not
    what it is computed from.
    """
    for value in args:
        if isinstance(value, Tensor):
            return recorder(*args, **params)
        if hasattr(value, "__operation__"):
            return value.__operation__(recorder.operation, args, params)  # type: ignore[attr-defined]
    return recorder.operation.forward(*args, **params)  # type: ignore[attr-defined]


def implements(*numpy_functions: Any) -> Callable[[_F], _F]:
    """Let NumPy's functions call the decorated one when they meet a Tensor."""

    def register(function: _F) -> _F:
        for numpy_function in numpy_functions:
            NUMPY[numpy_function] = function
        return function

    return register
