"""An operation is one declaration: its formula, the formula of each gradient, and how it is drawn and tested.

The formulas are plain functions of arrays, written with operators and NumPy functions only. What they do depends on what
flows through them: arrays give values, Tensors give a graph (hence derivatives of any order), symbols give text.
This module turns a declaration into the function that users call, and keeps them all in `REGISTRY`.
"""

from __future__ import annotations

import copy
import functools
import inspect
import linecache
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tinygrad_fr.errors import cut_reason, explain, trace
from tinygrad_fr.node import OUTPUT, PLAIN, Node, mode, tick, user_site
from tinygrad_fr.tensor import Tensor, shared_memory, wrap
from tinygrad_fr.values import NUMBERS, as_array, promoted

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
        "broadcasts", "domain", "floats", "formulas", "forward", "hint", "inputs", "keeps", "kernel", "kernels", "keywords", "kinks",
        "latex", "name", "numpy", "once", "output", "promoted", "samples", "sources", "symbol", "view",
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
        op.promoted = tuple(i for i, f in enumerate(op.formulas) if f) or tuple(range(len(op.inputs)) if broadcasts or floats else ())
        op.kernel, op.hint, op.keeps = kernel and hush(kernel), hint, kernel_keeps
        if _reads(forward, "VAR_POSITIONAL"):
            function: Any = lambda *args, **params: record(op.of(len(args)), args, params)  # noqa: E731
        elif any(op.formulas):
            function = _fast(op)
        else:
            function = lambda *args, **params: record(op, args, params)  # noqa: E731 - named just below
        for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(function, attribute, getattr(forward, attribute))
        function.operation = op
        REGISTRY[op.name] = op
        for numpy_function in numpy:
            NUMPY[numpy_function] = function
        return function  # type: ignore[no-any-return]  # written by _fast

    return declare


def implements(*numpy_functions: Any) -> Callable[[_F], _F]:
    """Let NumPy's functions call the decorated one when they meet a Tensor."""

    def register(function: _F) -> _F:
        for numpy_function in numpy_functions:
            NUMPY[numpy_function] = function
        return function

    return register


# -- recording ---------------------------------------------------------------------------------------------------------

_FAST = """
def recorder({args}{star}):
    if not ({tensors}):
        return record(op, ({args},), {params})
    {nodes}
    if ({constant}) or not mode.state:
        return record(op, ({args},), {params})
    {arrays}
    if not ({plain}):
        return record(op, ({args},), {params})
    try:
        {result} = kernel({values}{passed})
    except Exception as error:
        raise explain(op, ({values},), {params}, error) from None
    {edges}
    out = new(Tensor)
    out._array = y
    out._memory = None
    out._node = node = new(Node)
    node.operation = op
    node.inputs = ({inputs},)
    node.edges = edges
    node.stamp = tick()
    node.params = {stored}
    node.memory = node.grad = node.hooks = node.site = node.base = None
    if mode.state == 2:
        node.site = trace(({values},), y)
    {view}
    return out
"""


def _fast(op: Operation) -> Callable[..., Tensor]:
    """The recorder of an operation, written out for its number of inputs and its keywords: this is the hot path.

    It serves Tensors of NumPy arrays that need no broadcasting and no promotion, and hands everything else to `record`.
    """
    count = range(len(op.inputs))
    floating = [i for i in count if op.formulas[i]]
    tests = [f"type(a{i}) is ndarray" for i in count]
    tests += [f"a{i}.dtype is a{floating[0]}.dtype" for i in floating[1:]]
    tests += [f"a{i}.shape == a0.shape" for i in count[1:] if op.broadcasts is True]
    edge = {}
    names = _reads(op.forward, "KEYWORD_ONLY")
    params = "{" + ", ".join(f"'{word}': {word}" for word in names) + "}"
    for i in floating:
        given = ", ".join(f"{word}={word}" for word in op.keywords[i])
        formula = f"partial(d{i}, {given})" if given else f"d{i}"
        words = [f"a{s}" if s >= 0 else "y" if s == OUTPUT else f"a{PLAIN - s}.shape" for s in op.sources[i]]
        words += ["kept"] if op.keeps and op.kernels[i] else []
        like = f"(a{i}.shape, a{i}.dtype)" if isinstance(op.broadcasts, tuple) and op.inputs[i] in op.broadcasts else "None"
        edge[i] = f"(n{i}, {formula}, ({''.join(w + ', ' for w in words)}), {like}, {i})"
    if len(floating) == 1:
        lines = [f"edges = ({edge[floating[0]]},)"]
    elif len(floating) == 2:
        i, j = floating
        lines = [f"if n{j} is None: edges = ({edge[i]},)", f"elif n{i} is None: edges = ({edge[j]},)"]
        lines.append(f"else: edges = ({edge[i]}, {edge[j]})")
    else:
        later = " and ".join(f"n{i} is not None" for i in floating[1:])
        choices = " + ".join(f"(({edge[i]},) if n{i} is not None else ())" for i in floating)
        lines = [f"if n{floating[0]} is None and {later}: edges = ({', '.join(edge[i] for i in floating[1:])})"]
        lines += [f"elif {later}: edges = ({', '.join(edge[i] for i in floating)})", f"else: edges = {choices}"]
    source = _FAST.format(
        args=", ".join(op.inputs),
        star="".join([", *", *(f", {word}" for word in names)]) if names else "",
        params=params,
        stored=params if names else "None",
        passed="".join(f", {word}={word}" for word in names),
        result="y, kept" if op.keeps else "y",
        view=f"share_view({op.inputs[0]}, out)" if op.view else "",
        tensors=" and ".join(f"isinstance({name}, Tensor)" for name in op.inputs),
        nodes="; ".join(f"n{i} = {op.inputs[i]}._node" for i in count),
        constant=" and ".join(f"n{i} is None" for i in floating),
        arrays="; ".join(f"a{i} = {op.inputs[i]}._array" for i in count),
        plain=" and ".join(tests),
        values=", ".join(f"a{i}" for i in count),
        edges="\n    ".join(lines),
        inputs=", ".join(f"{op.inputs[i]} if n{i} is None else n{i}" for i in count),
    )
    space: dict[str, Any] = {
        "op": op, "record": record, "explain": explain, "kernel": op.kernel or op.forward, "mode": mode, "tick": tick,
        "new": object.__new__, "Tensor": Tensor, "Node": Node, "ndarray": np.ndarray, "trace": trace,
        "partial": functools.partial, "share_view": _share_view,
        **{f"d{i}": op.kernels[i] or op.formulas[i] for i in floating},
    }  # fmt: skip
    exec(_compiled(source), space)
    return space["recorder"]  # type: ignore[no-any-return]


@functools.cache
def _compiled(source: str) -> Any:
    """The code of a recorder's text, compiled once for all operations that share it."""
    filename = f"<recorder {_compiled.cache_info().currsize}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # tracebacks show the text
    return compile(source, filename, "exec")


def record(op: Operation, args: tuple[Any, ...], params: dict[str, Any]) -> Tensor:
    """Run an operation on anything, and record it if a gradient may be wanted: the complete way, for every case."""
    inputs: list[Any] = []
    arrays: list[Any] = []
    plain = True  # all operands are NumPy arrays: kernels may run
    for value in args:
        if type(value) in NUMBERS or isinstance(value, np.generic):
            value = value if type(value) in NUMBERS else value.item()
            inputs.append(value)
            arrays.append(value)
            plain = False
            continue
        if not isinstance(value, Tensor):
            value = wrap(as_array(value))
        inputs.append(value if value._node is None else value._node)
        arrays.append(value._array)
        plain = plain and type(value._array) is np.ndarray
    try:
        operands = promoted(arrays, op.promoted, op.floats)
        y = op.kernel(*operands, **params) if plain and op.kernel is not None else op.forward(*operands, **params)
        kept: Sequence[Any] = ()
        if plain and op.keeps:
            y, *kept = y
    except Exception as error:
        raise explain(op, arrays, params, error) from None
    wanted = [i for i, origin in enumerate(inputs) if isinstance(origin, Node) and op.formulas[i] is not None]
    if not wanted or not mode.state:
        out = wrap(y)
        _note_cut(op, args, inputs, out)
    else:
        edges = []
        for i in wanted:
            formula: Any = (plain and op.kernels[i]) or op.formulas[i]
            if op.keywords[i]:
                formula = functools.partial(formula, **{word: params[word] for word in op.keywords[i]})
            saved = tuple(
                operands[s] if s >= 0 else y if s == OUTPUT else np.shape(operands[PLAIN - s]) for s in op.sources[i]
            )
            if plain and op.kernels[i]:
                saved += tuple(kept)
            edges.append((inputs[i], formula, saved, (arrays[i].shape, arrays[i].dtype), i))
        node = Node(op, tuple(inputs), tuple(edges), params)
        if mode.state == 2:
            node.site = trace(operands, y)
        out = wrap(y, node)
    if op.view and isinstance(args[0], Tensor):
        _share_view(args[0], out)
    return out


def _share_view(x: Tensor, out: Tensor) -> None:
    """Let a result that turned out to be a view share its tensor's record of writes."""
    base = getattr(out._array, "base", None)
    if base is not None and (base is x._array or base is getattr(x._array, "base", None)):
        if out._node is None:
            out._memory = shared_memory(x)
        else:
            out._node.memory = shared_memory(x)
            out._node.base = weakref.ref(x)


def _note_cut(op: Operation, args: tuple[Any, ...], inputs: list[Any], out: Tensor) -> None:
    """Remember why no gradient flows through a result, so that a later backward() can say where the graph was cut."""
    if any(isinstance(origin, Node) for origin in inputs):
        why = f"no_grad() round {op.name}" if not mode.state else f"{op.name}, which has no derivative,"
        out._cut = f"{why} at {user_site()}"
        return
    for value in args:
        if isinstance(value, Tensor) and (reason := cut_reason(value)):
            out._cut = reason
            return
