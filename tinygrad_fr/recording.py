"""Running an operation on tensors, and noting it down when a gradient may be wanted.

`record` does it for every case. The hot path is `written`: the same, spelled out for one operation's number of inputs.
"""

from __future__ import annotations

import functools
import linecache
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_fr.errors import explain, trace
from tinygrad_fr.node import OUTPUT, PLAIN, Node, mode, new_node, switched, tick, user_site
from tinygrad_fr.tensor import Tensor, shared_memory, wrap
from tinygrad_fr.values import NUMBERS, as_array, promoted

_TEXT = """
def recorder({args}{star}):
    {reads}
    {checks}
    try:
        {result} = kernel({values}{passed})
    except Exception as error:
        raise explain(op, ({values},), {params}, error) from None
    out = new(Tensor)
    out._array = y
    out._memory = None
    state = mode.state if switched else 1
    if ({constant}) or not state:
        out._node = out._cut = None
        if {cut}:
            note_cut(op, ({args},), out)
        {view}
        return out
    {edges}
    out._cut = None
    out._node = node = Node()
    node.operation = op
    node.inputs = ({inputs},)
    node.edges = edges
    node.stamp = tick()
    node.params = {stored}
    node.memory = node.grad = node.hooks = node.site = node.base = None
    if state == 2:
        node.site = trace(({values},), y)
    {view}
    return out
"""

_PAIR = """
    if type(a0) is ndarray is type(a1):
        if a0.dtype is not a1.dtype: return record(op, ({args},), {params})
        like0 = like1 = None
        if a0.shape != a1.shape: like0 = (a0.shape, a0.dtype); like1 = (a1.shape, a1.dtype)
    elif (type(a0) is ndarray and type(a1) in NUMBERS) or (type(a1) is ndarray and type(a0) in NUMBERS):
        like0 = like1 = None
    else: return record(op, ({args},), {params})"""


def written(op: Any) -> Callable[..., Tensor]:
    """The recorder of an operation, written out for its number of inputs and its keywords: this is the hot path.

    It serves NumPy arrays of one dtype, and Python numbers in arithmetic; everything else is handed to `record`.
    """
    count = range(len(op.inputs))
    floating = [i for i in count if op.formulas[i]]
    pair = op.broadcasts is True and len(op.inputs) == 2 == len(floating)  # arithmetic: numbers and broadcasting are usual
    names = op.words
    known_as = ["input" if name == "x" else name for name in op.inputs]  # PyTorch's name of the first argument
    params = "{" + ", ".join(f"'{word}': {word}" for word in names) + "}"
    args = ", ".join(known_as)
    away = f"return record(op, ({args},), {params})"
    if pair:
        read = "if isinstance(NAME, Tensor): n# = NAME._node; a# = NAME._array; c# = NAME._cut\n    "
        read += "else: n# = c# = None; a# = NAME"
        tests = _PAIR.strip().format(args=args, params=params)
        kind = f"if n0 is None is n1 and (a0 if type(a0) is ndarray else a1).dtype.kind != 'f': {away}"
        checks = [tests, kind]
    else:
        read = "if not isinstance(NAME, Tensor): " + away + "\n    n# = NAME._node; a# = NAME._array; c# = NAME._cut"
        plain = [f"type(a{i}) is ndarray" for i in count]
        plain += [f"a{i}.dtype is a{floating[0]}.dtype" for i in floating[1:]]
        plain += [f"a{i}.shape == a0.shape" for i in count[1:] if op.broadcasts is True]
        kind = f"a{floating[0]}.dtype.kind == 'f'"
        known = " or ".join(f"n{i} is not None" for i in floating)
        checks = [f"if not ({' and '.join(plain)} and ({known} or {kind})): {away}"]
    edge = {}
    for i in floating:
        given = ", ".join(f"{word}={word}" for word in op.keywords[i])
        formula = f"partial(d{i}, {given})" if given else f"d{i}"
        saved = [f"a{s}" if s >= 0 else "y" if s == OUTPUT else f"shape_of(a{PLAIN - s})" for s in op.sources[i]]
        saved += ["kept"] if op.keeps and op.kernels[i] else []
        broadcast = isinstance(op.broadcasts, tuple) and op.inputs[i] in op.broadcasts
        like = f"like{i}" if pair else f"(a{i}.shape, a{i}.dtype)" if broadcast else "None"
        edge[i] = f"(n{i}, {formula}, ({''.join(word + ', ' for word in saved)}), {like}, {i})"
    groups = [floating, floating[1:], floating[:1]] if len(floating) > 1 else []  # the usual cases, without additions
    edges = [
        f"{'elif' if k else 'if'} {' and '.join(f'n{i} is ' + 'not ' * (i in group) + 'None' for i in floating)}: "
        f"edges = ({''.join(edge[i] + ', ' for i in group)})"
        for k, group in enumerate(groups)
    ]
    if len(floating) != 2:
        parts = [f"(({edge[i]},) if n{i} is not None else ())" for i in floating]
        edges.append(f"else: edges = {' + '.join(parts)}" if groups else f"edges = ({edge[floating[0]]},)")
    source = _TEXT.format(
        args=args,
        star="".join([", *", *(f", {word}" for word in names)]) if names else "",
        reads="\n    ".join(read.replace("NAME", name).replace("#", str(i)) for i, name in enumerate(known_as)),
        checks="\n    ".join(checks),
        params=params,
        stored=params if names else "None",
        passed="".join(f", {word}={word}" for word in names),
        result="y, kept" if op.keeps else "y",
        view=f"share_view({known_as[0]}, out)" if op.view else "",
        constant=" and ".join(f"n{i} is None" for i in floating),
        cut=" or ".join(f"n{i} is not None or c{i} is not None" for i in count),
        values=", ".join(f"a{i}" for i in count),
        edges="\n    ".join(edges),
        inputs=", ".join(f"{known_as[i]} if n{i} is None else n{i}" for i in count),
    )
    space: dict[str, Any] = {
        "op": op, "record": record, "explain": explain, "trace": trace, "kernel": op.kernel or op.forward, "mode": mode,
        "switched": switched, "tick": tick, "new": object.__new__, "Tensor": Tensor, "Node": Node, "ndarray": np.ndarray,
        "shape_of": np.shape, "partial": functools.partial, "share_view": _share_view, "note_cut": _note_cut,
        "NUMBERS": NUMBERS,
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


def record(op: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Tensor:
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
        _note_cut(op, args, out)
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
        node = new_node(op, tuple(inputs), tuple(edges), params)
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


def _note_cut(op: Any, args: tuple[Any, ...], out: Tensor) -> None:
    """Remember why no gradient flows through a result, so that a later backward() can say where the graph was cut."""
    tensors = [value for value in args if isinstance(value, Tensor)]
    if any(t._node is not None for t in tensors):
        why = f"no_grad() round {op.name}" if not mode.state else f"{op.name}, which has no derivative,"
        out._cut = f"{why} at {user_site()}"
    else:
        out._cut = next((t._cut for t in tensors if t._cut is not None), None)
