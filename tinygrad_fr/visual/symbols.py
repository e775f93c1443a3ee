"""A symbol flows through a formula as an array would, and what comes out is the formula itself.

The formulas of `operations/` are written with operators and NumPy functions, and NumPy asks its arguments how to answer
(`__array_ufunc__`, `__array_function__`). A `Symbol` answers by noting the call. So this module knows no operation: a new
one can be written down, explained and derived from the day it is declared.

>>> from tinygrad_fr import sin
>>> x, g = Symbol("x"), Symbol("∂ℒ/∂y")
>>> print(gradient(sin.operation, 0, g, [x]))
∂ℒ/∂y · cos x
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_fr.node import OUTPUT, PLAIN

LONGEST = 200
"""A forward formula of more calls than this (the polynomials of erf) is not read by anybody: its operation is named."""


class NeedsValues(TypeError):
    """Raised where a formula asks a symbol for its values: an `if`, a write into an array."""


class Symbol(NDArrayOperatorsMixin):
    """A quantity without a value: a name, or a call of a NumPy function on other symbols.

    It has the shape and dtype that the array would have, since formulas read them, and nothing else of the array.

    Args:
        name: in Unicode, such as `w₁`, `Z⁽¹⁾` or `∂ℒ/∂y`; a variable's name will do (`w1`, `y_hat`, `net.0.weight`).
        shape: the lengths of the axes; a `Length` is written by its name.
        dtype: the dtype.

    Attributes:
        function: what is called; None for a name or a constant.
        args, kwargs: what it is called with: symbols, numbers, arrays, tuples of them.
        value: of a constant, its number or array; None otherwise.
        given: whether that value was put in for a name by `substitute`, and not written in the formula.
        uses: the symbols among the arguments.
        calls: how many calls are written in the whole formula.

    >>> X, W = Symbol("X", (4, 3)), Symbol("W", (3, 2))
    >>> (X @ W).shape
    (4, 2)
    >>> print((X @ W).T)
    (X W)ᵗ
    """

    __slots__ = ("args", "calls", "dtype", "function", "given", "kwargs", "name", "shape", "uses", "value")

    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    name: str | None
    value: Any
    given: bool
    uses: tuple[Symbol, ...]
    calls: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, name: str, shape: tuple[int, ...] = (), dtype: Any = np.float64) -> None:
        self.function, self.args, self.kwargs = None, (), {}
        self.name, self.value, self.given = name, None, False
        self.uses, self.calls = (), 0
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)

    # -- what NumPy asks -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "at" or kwargs.get("out") is not None:
            raise NeedsValues(f"np.{ufunc.__name__} writes into an array, and a symbol has no memory to write into")
        return call(ufunc if method == "__call__" else getattr(ufunc, method), *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in _QUESTIONS:
            return _QUESTIONS[func](*args, **kwargs)
        if func in (np.zeros_like, np.ones_like):
            return call(func, *args, **kwargs)._as_constant(int(func is np.ones_like))
        return call(func, *args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise NeedsValues(f"the symbol {self} has no values, and a function asked for them")

    def __operation__(self, operation: Any, args: tuple[Any, ...], params: dict[str, Any]) -> Symbol:
        """An operation that another one's formula uses stays whole: softmax(z), and not what it is computed from."""
        return applied(operation, *args, **params)

    # -- what formulas ask of arrays ----------------------------------------------------------------------------------

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_number(self) -> bool:
        """Whether it is a number that the formula itself holds, and not one put in for a name."""
        return self.function is None and self.name is None and not self.given and isinstance(self.value, (int, float))

    @property
    def T(self) -> Symbol:
        return call(np.transpose, self)

    @property
    def mT(self) -> Symbol:
        return call(np.swapaxes, self, -1, -2)

    def astype(self, dtype: Any) -> Symbol:
        return call(astype, self, np.dtype(dtype))

    def reshape(self, *shape: Any) -> Symbol:
        return call(np.reshape, self, shape[0] if len(shape) == 1 else shape)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Symbol:
        return call(np.sum, self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Symbol:
        return call(np.mean, self, axis=axis, keepdims=keepdims)

    def __getitem__(self, index: Any) -> Symbol:
        return call(operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise NeedsValues("a symbol has no memory: it cannot be written into")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a symbol without axes")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise NeedsValues(f"an `if` asks whether {self} is true, and a symbol has no value: write np.where")

    __hash__ = object.__hash__

    # -- on paper --------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from tinygrad_fr.visual.notation import text

        return text(self)

    def __repr__(self) -> str:
        return f"<Symbol {self}>"

    def _repr_latex_(self) -> str:
        from tinygrad_fr.visual.notation import latex

        return f"${latex(self)}$"

    def _as_constant(self, value: Any) -> Symbol:
        return constant(value, self.shape, self.dtype)


class Length(int):
    """The length of an axis that has a name: 4, written n. A formula that divides by it divides by n.

    >>> x = Symbol("x", (Length(4, "n"), 1))
    >>> print((2 / math.prod(x.shape)) * x)
    (2 / n) x
    """

    symbol: Symbol

    def __new__(cls, value: int, name: str | Symbol) -> Length:
        self = super().__new__(cls, value)
        self.symbol = name if isinstance(name, Symbol) else Symbol(name, (), np.int64)
        if self.symbol.function is None:
            self.symbol.value = int(value)
        return self

    def __mul__(self, other: Any) -> Any:
        return self.__rmul__(other) if type(other) is int else self._times(other, self.symbol * other)

    def __rmul__(self, other: Any) -> Any:
        return self._times(other, other * self.symbol)

    def _times(self, other: Any, product: Symbol) -> Any:
        return Length(int(self) * int(other), product) if isinstance(other, int) else product

    def __sub__(self, other: Any) -> Any:
        rest = self.symbol - other
        return Length(int(self) - int(other), rest) if isinstance(other, int) else rest

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.symbol


def astype(x: Any, dtype: Any) -> Any:
    """The method as a function, to be noted like NumPy's."""
    return x.astype(dtype)


_QUESTIONS: dict[Any, Callable[..., Any]] = {
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
}


# -- making symbols ----------------------------------------------------------------------------------------------------


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Symbol:
    """The symbol of a call, tidied as a teacher would: 1·x is x, −(−x) is x, x + (−y) is x − y.

    Shape and dtype are those that the function gives for zeros.

    Raises:
        NeedsValues: when the result is no array.
    """
    if isinstance(function, np.ufunc):  # a length that is computed with is written by its name; in a shape it is a number
        args = tuple(a.symbol if isinstance(a, Length) else a for a in args)
    shape, dtype = _result(function, args, kwargs)
    if function in _MOVING and isinstance(args[0], Symbol) and args[0].is_number:
        return constant(args[0].value, shape, dtype)
    rule = _TIDY.get(function)
    tidied = rule(*args) if rule and len(args) <= 2 and not kwargs else None
    if tidied is not None:
        if not isinstance(tidied, Symbol):
            return constant(tidied, shape, dtype)
        if tidied.shape == shape and tidied.dtype == dtype:
            return tidied
    return noted(function, args, kwargs, shape, dtype)


_MOVING = {np.broadcast_to, np.expand_dims, np.reshape, np.squeeze, np.swapaxes, np.transpose, np.positive, astype}
"""What changes no element: of a constant it gives the same constant, in another shape."""


def constant(value: Any, shape: tuple[int, ...] = (), dtype: Any = np.float64) -> Symbol:
    """A number that stands for an array full of it, such as the 1 that ∂ℒ/∂ℒ is."""
    out = Symbol("", shape, dtype)
    out.name, out.value = None, value
    return out


def as_written(function: Callable[..., Any], *args: Any) -> Symbol:
    """The symbol of a call just as it is, neither tidied nor tried; for a part that is only to be written."""
    return noted(function, args, {}, next((a.shape for a in args if isinstance(a, Symbol)), ()), np.float64)


def noted(function: Any, args: Any, kwargs: Any, shape: tuple[int, ...], dtype: Any) -> Symbol:
    """The symbol of a call whose shape and dtype are known."""
    out = Symbol("", shape, dtype)
    out.name, out.function, out.args, out.kwargs = None, function, tuple(args), dict(kwargs)
    out.uses = tuple(_symbols_in([args, kwargs]))
    out.calls = 1 + sum(part.calls for part in out.uses)
    return out


def _each(f: Callable[[Any], Any], tree: Any) -> Any:
    """The same lists, tuples and dicts, with f applied to what they hold."""
    if isinstance(tree, dict):
        return {key: _each(f, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_each(f, value) for value in tree)
    return f(tree)


def _symbols_in(tree: Any) -> list[Symbol]:
    found: list[Symbol] = []
    _each(lambda value: found.append(value) if isinstance(value, Symbol) else None, tree)
    return found


def _result(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[tuple[int, ...], Any]:
    """Shape and dtype of what a function gives, found by calling it on zeros (on matrices 1, where zeros have no inverse)."""
    read = _one_element if elementwise(function) and not kwargs else _zeros
    operands = _each(read, args)
    if function is np.matmul and min(map(np.ndim, args)) > 1 and np.shape(args[0])[-1] == np.shape(args[1])[-2]:
        operands = operands[0][..., :0], operands[1][..., :0, :]  # the shape without the work
    with np.errstate(all="ignore"):
        try:
            found = function(*operands, **_each(read, kwargs))
        except np.linalg.LinAlgError:
            found = function(*_each(_identity, args), **_each(_identity, kwargs))
    if not isinstance(found, (np.ndarray, np.generic, float, int)) or isinstance(found, bool):
        raise NeedsValues(f"{getattr(function, '__name__', function)} gives no array, but {type(found).__name__}")
    shape = np.broadcast_shapes(*map(np.shape, args)) if read is _one_element else np.shape(found)
    if read is _one_element:
        shape = _with_names(shape, *map(np.shape, args))
    elif function is np.matmul and len(shape) > 1:
        shape = _with_names(shape, args[0].shape[-2:-1] + args[1].shape[-1:])
    return shape, np.asarray(found).dtype


def _with_names(shape: tuple[int, ...], *sources: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, with the lengths that have a name in one of the shapes it was broadcast from."""
    named = {-k: n for source in sources for k, n in enumerate(reversed(source), 1) if isinstance(n, Length)}
    return tuple(n if n != named.get(k - len(shape)) else named[k - len(shape)] for k, n in enumerate(shape))


def elementwise(function: Any) -> bool:
    """Whether a NumPy function works element by element."""
    return function is np.where or (isinstance(function, np.ufunc) and function.signature is None)


def _one_element(value: Any) -> Any:
    """A single zero is enough for the dtype, where shapes only broadcast; a whole data set would take memory."""
    return np.zeros((), value.dtype) if isinstance(value, (Symbol, np.ndarray)) else value


def _zeros(value: Any) -> Any:
    """Zeros in the shape of a symbol, which take no memory."""
    return np.broadcast_to(np.zeros((), value.dtype), value.shape) if isinstance(value, Symbol) else value


def _identity(value: Any) -> Any:
    if not isinstance(value, Symbol) or value.ndim < 2:
        return _zeros(value)
    return np.broadcast_to(np.eye(*value.shape[-2:], dtype=value.dtype), value.shape)


# -- what a teacher would not leave standing ---------------------------------------------------------------------------


def _signed(e: Any) -> tuple[bool, Any]:
    """Whether an expression begins with a minus sign, and what follows it."""
    if isinstance(e, Symbol):
        if e.function is np.negative:
            return True, e.args[0]
        if e.is_number and e.value < 0:
            return True, constant(-e.value, e.shape, e.dtype)
    elif isinstance(e, (int, float)) and not isinstance(e, bool) and e < 0:
        return True, -e
    return False, e


def _is(number: int, e: Any) -> bool:
    if isinstance(e, Symbol):
        return e.is_number and bool(e.value == number)
    return isinstance(e, (int, float)) and not isinstance(e, bool) and e == number


def _tidy_multiply(a: Any, b: Any) -> Any:
    quotients = [isinstance(e, Symbol) and e.function is np.true_divide for e in (a, b)]
    if quotients == [True, False] and _is(1, a.args[0]):
        return call(np.true_divide, b, a.args[1])  # (1/n) x is x/n
    return b if _is(1, a) else a if _is(1, b) else _carry_sign(np.multiply, a, b)


def _tidy_divide(a: Any, b: Any) -> Any:
    return a if _is(1, b) else _carry_sign(np.true_divide, a, b)


def _carry_sign(function: Callable[..., Any], a: Any, b: Any) -> Symbol | None:
    """(−a) b is −(a b): the sign goes to the front."""
    (first, a), (second, b) = _signed(a), _signed(b)
    if not (first or second):
        return None
    unsigned = call(function, a, b)
    return unsigned if first and second else call(np.negative, unsigned)


def _tidy_negative(a: Any) -> Any:
    negative, size = _signed(a)
    return size if negative else a if _is(0, a) else None


def _tidy_add(a: Any, b: Any) -> Any:
    negative, size = _signed(b)
    return b if _is(0, a) else a if _is(0, b) else call(np.subtract, a, size) if negative else None


def _tidy_subtract(a: Any, b: Any) -> Any:
    negative, size = _signed(b)
    return -b if _is(0, a) else a if _is(0, b) else call(np.add, a, size) if negative else None


_TIDY: dict[Any, Callable[..., Any]] = {
    np.multiply: _tidy_multiply,
    np.true_divide: _tidy_divide,
    np.matmul: lambda a, b: _carry_sign(np.matmul, a, b),
    np.negative: _tidy_negative,
    np.add: _tidy_add,
    np.subtract: _tidy_subtract,
    np.power: lambda a, b: a if _is(1, b) else None,
}


# -- operations --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function:
    """A function that is shown by its name and not by its formula: σ, its derivative σ′, softmax.

    Attributes:
        shown: its name and its arguments by number, ("σ", 0); an argument may be such a tuple, ("CE", ("softmax", 0), 1).
        compute: what it does with arrays.
    """

    shown: tuple[Any, ...]
    compute: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.compute(*args, **kwargs)


def applied(operation: Any, *inputs: Any, **params: Any) -> Symbol:
    """An operation as one named function of its inputs, σ(x)."""
    shown = shown_as(operation) or (operation.name, *range(len(operation.inputs)))
    return call(Function(shown, operation.forward), *inputs, **params)


_TEMPLATE = re.compile(r"\\(?:operatorname\{(?P<word>[\w\\]+)\}|(?P<command>[A-Za-z]+))\(|\{(?P<input>\w+)\}|(?P<end>[),] ?)")


def shown_as(operation: Any) -> tuple[Any, ...] | None:
    """The name and arguments in a declaration's LaTeX, if it is a function of its inputs: `\\sigma({x})` gives ("σ", 0).

    >>> from tinygrad_fr import sigmoid
    >>> shown_as(sigmoid.operation)
    ('σ', 0)
    """
    open_: list[list[Any]] = [[]]
    at = 0
    while at < len(operation.latex):
        found = _TEMPLATE.match(operation.latex, at)
        if found is None or (found["end"] and len(open_) == 1):
            return None
        if found["input"]:
            open_[-1].append(operation.inputs.index(found["input"]))
        elif found["end"] is None:
            name = (found["word"] or found["command"]).replace("\\", "")
            open_.append([_GREEK_LETTER.get(name, name)])
        elif found["end"] == ")":
            open_[-2].append(tuple(open_.pop()))
        at = found.end()
    whole = open_[0]
    return whole[0] if len(open_) == len(whole) == 1 and isinstance(whole[0], tuple) else None


_GREEK_LETTER = {"sigma": "σ", "Phi": "Φ"}


def forward(operation: Any, inputs: Sequence[Any], params: Mapping[str, Any] | None = None) -> Symbol:
    """What an operation computes, as the declaration writes it; its name where its formula needs values or is endless.

    >>> from tinygrad_fr import relu
    >>> print(forward(relu.operation, [Symbol("x")]))
    max(x, 0)
    """
    params = params or {}
    try:
        formula: Symbol = operation.forward(*inputs, **params)
    except NeedsValues:
        return applied(operation, *inputs, **params)
    return formula if not isinstance(formula, Symbol) or formula.calls <= LONGEST else applied(operation, *inputs, **params)


def gradient(
    operation: Any,
    i: int,
    g: Any,
    inputs: Sequence[Any],
    output: Any = None,
    params: Mapping[str, Any] | None = None,
) -> Symbol:
    """The gradient of input number i, as the declaration writes it, where `g` is the gradient of the output.

    Args:
        operation: the declaration; of `cat` and its like, for as many inputs as there are (`operation.of(2)`).
        i: the number of the input.
        g: the symbol of ∂ℒ/∂output.
        inputs: the symbols of the inputs.
        output: the symbol of the result, which some formulas read.
        params: the keyword arguments of the operation.

    >>> from tinygrad_fr import sigmoid
    >>> print(gradient(sigmoid.operation, 0, Symbol("∂ℒ/∂y"), [Symbol("x")], Symbol("y")))
    ∂ℒ/∂y · y (1 − y)
    """
    reads = [inputs[s] if s >= 0 else output if s == OUTPUT else np.shape(inputs[PLAIN - s]) for s in operation.sources[i]]
    words = {word: (params or {})[word] for word in operation.keywords[i]}
    formula: Symbol = operation.formulas[i](g, *reads, **words)
    return formula


# -- reading a formula -------------------------------------------------------------------------------------------------


def parts(expression: Any) -> list[Symbol]:
    """Every symbol in an expression once, each after what it is made of; no recursion."""
    order: list[Symbol] = []
    seen: set[int] = set()
    stack = [(e, False) for e in _symbols_in(expression)]
    while stack:
        e, ready = stack.pop()
        if ready:
            order.append(e)
        elif id(e) not in seen:
            seen.add(id(e))
            stack.append((e, True))
            stack += [(part, False) for part in reversed(e.uses)]
    return order


def names(expression: Any) -> list[Symbol]:
    """The named symbols of a formula, in the order in which they are met.

    >>> x, y = Symbol("x"), Symbol("y")
    >>> [s.name for s in names(x * (1 - y) + x)]
    ['x', 'y']
    """
    return [e for e in parts(expression) if e.function is None and e.name is not None]


def same(a: Any, b: Any) -> bool:
    """Whether two formulas are written alike."""
    if isinstance(a, Symbol) and isinstance(b, Symbol):
        if a is b:
            return True
        if a.given or b.given:
            return False  # w and x may both be worth 1: w x is not 1² for that
        if a.function is None or b.function is None:
            return a.function is b.function and a.name is b.name is None and same(a.value, b.value) and a.shape == b.shape
        return a.function == b.function and same(a.args, b.args) and same(a.kwargs, b.kwargs)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)


def evaluate(expression: Any, values: Mapping[Symbol, Any]) -> Any:
    """The value of a formula, for arrays or numbers in place of its names: the NumPy calls that it noted, made.

    Raises:
        KeyError: for a name that has no value.

    >>> x = Symbol("x", (2,))
    >>> evaluate(np.exp(x) - 1, {x: np.array([0.0, 1.0])}).round(3)
    array([0.   , 1.718])
    """
    known: dict[int, Any] = {}

    def read(part: Any) -> Any:
        return known[id(part)] if isinstance(part, Symbol) else part

    with np.errstate(all="ignore"):  # 1/0 may be what the operation rightly gives
        for e in parts(expression):
            if e in values:
                known[id(e)] = values[e]
            elif e.function is not None:
                known[id(e)] = e.function(*_each(read, e.args), **_each(read, e.kwargs))
            elif e.value is not None:
                full = e.name is None and np.ndim(e.value) < e.ndim
                known[id(e)] = np.full(e.shape, e.value, e.dtype) if full else e.value
            else:
                raise KeyError(f"no value was given for {e}")
    return read(expression)


def substitute(expression: Any, values: Mapping[Symbol, Any]) -> Any:
    """The same formula with numbers in place of its names: nothing is computed, so that a reader can do it.

    >>> w, x = Symbol("w"), Symbol("x")
    >>> print(substitute(w * x + 1, {w: 0.249, x: 3.0}))
    0.249 × 3 + 1
    """

    def put(e: Symbol, args: Any, kwargs: Any) -> Symbol:
        if e not in values:
            return e if e.function is None else noted(e.function, args, kwargs, e.shape, e.dtype)
        out = constant(np.asarray(values[e])[()], e.shape, e.dtype)
        out.given = True
        return out

    return rebuilt(expression, put)


def rebuilt(expression: Any, make: Callable[..., Symbol]) -> Any:
    """A formula made anew: `make(e, args, kwargs)` for each of its symbols, its parts being made already."""
    made: dict[int, Symbol] = {}

    def new(part: Any) -> Any:
        return made[id(part)] if isinstance(part, Symbol) else part

    for e in parts(expression):
        made[id(e)] = make(e, _each(new, e.args), _each(new, e.kwargs))
    return new(expression)
