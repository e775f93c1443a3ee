"""How a formula is written on paper: as plain Unicode text, as LaTeX, and as MathML, which browsers draw by themselves.

`NOTATION` says how each NumPy function is written, once for the three. It is a matter of precedence: every piece knows
how tightly it holds together, and takes parentheses where its place asks for more.

>>> from tinygrad_fr.visual.symbols import Symbol
>>> a, y, n = Symbol("a"), Symbol("y"), Symbol("n")
>>> print(text((a - y) / n))
(a − y) / n
>>> print(latex((a - y) / n))
\\frac{a - y}{n}
"""

from __future__ import annotations

import math
import operator
import re
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from html import escape
from typing import Any, NamedTuple

import numpy as np

from tinygrad_fr.visual.symbols import Function, Symbol, as_written, astype, same

CASES, OR, AND, COMPARE, ADD, NEGATIVE, SUM, QUOTIENT, PRODUCT, RATIO, APPLY, POWER, ATOM = range(13)
"""How tightly a piece holds together, from `a if c, else b` to a letter. RATIO is ∂ℒ/∂y, which is a name."""

WORDS = {"en": ("if", "else", "otherwise"), "fr": ("si", "sinon", "sinon")}

CONSTANTS: dict[float, Callable[[], Symbol]] = {
    math.pi: lambda: Symbol("π"),
    math.log(2): lambda: as_written(np.log, 2),
    math.log(10): lambda: as_written(np.log, 10),
    2 / math.sqrt(math.pi): lambda: as_written(np.true_divide, 2, as_written(np.sqrt, Symbol("π"))),
}
"""Numbers that formulas hold and that are known by another name."""


def text(expression: Any, *, digits: int | None = None, lang: str = "en") -> str:
    """A formula as plain Unicode text.

    Args:
        expression: a `Symbol`, or a number.
        digits: how many significant digits of the numbers put in by `substitute` are written; 3 if left out.
        lang: "en", or "fr" for decimal commas and French words.
    """
    return str(written(Layout(True, digits, lang).piece(expression).box, Text))


def latex(expression: Any, *, digits: int | None = None, lang: str = "en") -> str:
    """A formula as LaTeX, without the `$`; the arguments are those of `text`."""
    return str(written(Layout(False, digits, lang).piece(expression).box, Latex))


def mathml(expression: Any, *, digits: int | None = None, lang: str = "en", display: str = "block") -> str:
    """A formula as a MathML element, with the plain text for screen readers; the arguments are those of `text`."""
    body = written(Layout(False, digits, lang).piece(expression).box, MathML)
    alternative = text(expression, digits=digits, lang=lang)
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="{display}" lang="{lang}" '
        f'alttext="{escape(alternative)}">{body}</math>'
    )


# -- names -------------------------------------------------------------------------------------------------------------

_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho",
    "sigma", "tau", "phi", "chi", "psi", "omega",
)  # fmt: skip
_LETTER = rf"[^\W\d_][\u0300-\u036f]?|{'|'.join(_GREEK)}"
_BELOW = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", "0123456789+−=()aehijklmnoprstuvx")
_ABOVE = str.maketrans(
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴸᴺᵀ", "0123456789+−=()abcdefghijklmnoprstuvwxyzLNT"
)
LOWERED, RAISED = ({b: chr(a) for a, b in table.items()} for table in (_BELOW, _ABOVE))
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_NAME = re.compile(
    rf"(?P<base>{_LETTER})(?:_(?P<accent>hat|bar|tilde)|(?<=^y)(?P<yhat>hat))?"
    rf"(?P<below>\d+|_\w+|[{''.join(map(chr, _BELOW))}]+)?"
    rf"(?P<above>\[\w+\]|\^\w+|[{''.join(map(chr, _ABOVE))}]+)?(?P<primes>['′]*)"
)


Box = tuple[Any, ...]
"""A part of a formula, laid out: what it is (a row, a fraction), then its parts. `Text`, `Latex`, `MathML` write each kind."""


class Name(NamedTuple):
    """A name taken apart: `Z⁽¹⁾` is (Z, "", (1)). A word, such as a path in a model, has its base alone."""

    base: str
    below: str = ""
    above: str = ""

    @property
    def letter(self) -> bool:
        return sum(not unicodedata.combining(c) for c in self.base) == 1

    @property
    def box(self) -> Box:
        return "scripts", ("letter" if self.letter else "verbatim", self.base), self.below, self.above


def read_name(name: str) -> Name:
    """A name taken apart; names of variables are understood (`w1`, `y_hat`, `theta`, `W_ih`).

    >>> read_name("y_hat"), read_name("Z⁽¹⁾"), read_name("net.0.weight")
    (Name(base='ŷ', below='', above=''), Name(base='Z', below='', above='(1)'), Name(base='net.0.weight', below='', above=''))
    """
    found = _NAME.fullmatch(unicodedata.normalize("NFC", name))
    if found is None:
        return Name(name)
    base = found["base"]
    base = unicodedata.lookup(f"GREEK SMALL LETTER {base.upper().replace('LAMBDA', 'LAMDA')}") if base in _GREEK else base
    accent = found["accent"] or found["yhat"]
    base = unicodedata.normalize("NFC", base + _ACCENTS[accent]) if accent else base
    below = (found["below"] or "").lstrip("_").translate(_BELOW)
    above = (found["above"] or "").lstrip("^").translate(_ABOVE) + "′" * len(found["primes"])
    return Name(base, below, above)


# -- pieces ------------------------------------------------------------------------------------------------------------


def written(box: Any, form: Any) -> Any:
    """A box in one of the three forms."""
    if not isinstance(box, tuple):
        return box
    kind, *parts = box
    return getattr(form, kind)(*(written(part, form) for part in parts))


class Piece(NamedTuple):
    """A part of a formula, and what its place in a larger one depends on.

    Attributes:
        box: its layout.
        level: how tightly it holds together.
        first, last: what it begins and ends with: "letter", "word", "number", "given" (a number put in for a name),
            "fence", "bar" (of |x|), "apply", "ratio" or "fraction". They decide which sign a product needs.
        open: it ends with what would swallow a factor that follows, as `cos x` does.
        family: of a product, "⊙" or "@": the two do not mix without parentheses.
    """

    box: Box
    level: int = ATOM
    first: str = "fence"
    last: str = "fence"
    open: bool = False
    family: str = ""


class Layout:
    """Lays a formula out: where parentheses and which signs are needed.

    With `flat`, everything stands on one line: a fraction is written with a stroke, and needs parentheses.
    """

    def __init__(self, flat: bool, digits: int | None = None, lang: str = "en") -> None:
        if lang not in WORDS:
            raise ValueError(f"lang must be 'en' or 'fr', not {lang!r}")
        self.flat, self.digits, self.lang = flat, 3 if digits is None else digits, lang
        self._done: dict[int, tuple[Symbol, Piece]] = {}  # with the symbol itself: the id of one that is gone may come again

    def piece(self, e: Any) -> Piece:
        """Any part of a formula: a symbol, a number, a constant array."""
        if not isinstance(e, Symbol):
            return self.constant(e)
        if id(e) not in self._done:
            self._done[id(e)] = e, self._piece(e)
        return self._done[id(e)][1]

    def _piece(self, e: Symbol) -> Piece:
        if e.name is not None:
            return self.named(e.name)
        if e.function is None:
            return self.constant(e.value, e.given)
        write = NOTATION.get(e.function)
        if write is not None:
            return write(self, *e.args, **e.kwargs)
        if isinstance(e.function, Function):
            return self.operation(e.function, e.args)
        kept = {key: value for key, value in e.kwargs.items() if value is not None and key != "keepdims"}
        return self.function(e.function.__name__, *e.args, **kept)

    # -- names and numbers -----------------------------------------------------------------------------------------

    def named(self, name: str) -> Piece:
        top, stroke, bottom = name.partition("/∂")
        if stroke and top.startswith("∂"):
            return Piece(("ratio", read_name(top[1:]).box, read_name(bottom).box), RATIO, "ratio", "ratio")
        found = read_name(name)
        kind = "letter" if found.letter else "word"
        return Piece(found.box, POWER if found.above else ATOM, kind, kind)

    def constant(self, value: Any, given: bool = False) -> Piece:
        if isinstance(value, np.ndarray) and value.ndim:
            return self._array(value, given)
        if isinstance(value, (np.ndarray, np.generic)):
            value = value.item()
        if not isinstance(value, (int, float)):
            return Piece(("verbatim", str(value).replace("->", " → ")), first="word", last="word")
        if not given and type(value) is float:
            if value in CONSTANTS:
                return self.piece(CONSTANTS[value]())
            ratio = Fraction(value).limit_denominator(1000) if math.isfinite(value) else None
            if ratio and float(f"{value:.6g}") != value == ratio.numerator / ratio.denominator:
                return self.piece(as_written(np.true_divide, ratio.numerator, ratio.denominator))  # a third, not 0.333333
        kind = "given" if given else "number"
        if value < 0:
            return Piece(("row", ("sign", "−"), self._number(-value, given)), NEGATIVE, kind, kind)
        return Piece(self._number(value, given), ATOM, kind, kind)

    def _number(self, value: Any, given: bool) -> Box:
        if not math.isfinite(value):
            return ("verbatim", "nan") if math.isnan(value) else ("numeral", "∞", None)
        mantissa, power = decimal(int(value) if isinstance(value, bool) else value, self.digits if given else 6)
        return "numeral", mantissa.replace(".", ",") if self.lang == "fr" else mantissa, power

    def _array(self, value: Any, given: bool) -> Piece:
        """A constant array: whole if it is small, else its shape; the numbers from 0 to n − 1 by their ends."""
        if value.size == 1:
            return self.constant(value.item(), given)
        if not given and value.ndim == 1 and value.size > 2 and np.array_equal(value, np.arange(value.size)):
            return Piece(("numeral", f"0…{value.size - 1}", None), APPLY)
        if value.ndim > 2 or value.size > (36 if given else 9) or not value.size:
            return Piece(("fence", "(", ("verbatim", "×".join(map(str, value.shape))), ")"))
        rows = (("cells", *(self.constant(x, given).box for x in row)) for row in np.atleast_2d(value))
        return Piece(("matrix", *rows))

    # -- parentheses -----------------------------------------------------------------------------------------------

    def operand(self, e: Any, level: int, closed: bool = False) -> Piece:
        """A part, in parentheses unless it holds together tightly enough; a condition among numbers in brackets."""
        p = self.piece(e)
        if p.level >= level and not (closed and p.open):
            return p
        condition = CASES < p.level <= COMPARE and level >= ADD
        return Piece(("fence", *(("[", p.box, "]") if condition else ("(", p.box, ")"))))

    # -- the ways of writing ------------------------------------------------------------------------------------------

    def infix(self, a: Any, sign: str, b: Any, level: int, left: int, right: int) -> Piece:
        """a + b, and how tightly its operands must hold together."""
        first, last = self.operand(a, left), self.operand(b, right)
        return Piece(("row", first.box, ("sign", f" {sign} "), last.box), level, first.first, last.last, last.open)

    def negative(self, a: Any) -> Piece:
        p = self.operand(a, SUM)
        return Piece(("row", ("sign", "−"), p.box), NEGATIVE, "number", p.last, p.open)

    def product(self, a: Any, b: Any) -> Piece:
        """Element by element; or by a number."""
        if same(a, b):
            return self.power(a, 2)
        return self.times(a, b, "⊙" if _has_axes(a) and _has_axes(b) else "")

    def times(self, a: Any, b: Any, family: str) -> Piece:
        first, last = self.piece(a), self.piece(b)
        leading = first.level == NEGATIVE and first.first == "given"  # −2 × 3 may stand like this
        if not leading:
            first = self._factor(a, family, closed=True)
        if not (self.lang == "en" and last.level == NEGATIVE and last.first == "given"):  # French wants × (−3)
            last = self._factor(b, family)
        sign = {"⊙": " ⊙ ", "@": " "}.get(family) or self._product_sign(first.last, last.first)
        return Piece(
            ("row", first.box, ("sign", sign), last.box),
            NEGATIVE if leading else PRODUCT, first.first, last.last, last.open, family or first.family or last.family,
        )  # fmt: skip

    def _factor(self, e: Any, family: str, closed: bool = False) -> Piece:
        p = self.operand(e, PRODUCT, closed)
        mixed = p.level == PRODUCT and p.family and family and p.family != family
        return Piece(("fence", "(", p.box, ")")) if mixed else p

    @staticmethod
    def _product_sign(left: str, right: str) -> str:
        """Which sign two factors need: 2x, w₁x₁, y (1 − y), ∂ℒ/∂y · cos x, 0.5 × 3."""
        if "given" in (left, right) or left == right == "number":
            return " × "
        if {left, right} & {"ratio", "word"} or right in ("number", "bar") or (left == "apply" and right == "letter"):
            return " · "
        return "" if right == "letter" and left in ("letter", "number") else " "

    def quotient(self, a: Any, b: Any) -> Piece:
        if not self.flat:
            return Piece(("fraction", self.operand(a, ADD).box, self.operand(b, ADD).box), POWER, "fraction", "fraction")
        first, last = self.operand(a, QUOTIENT, closed=True), self.operand(b, APPLY)
        return Piece(("row", first.box, ("sign", " / "), last.box), QUOTIENT, first.first, last.last, last.open)

    def power(self, a: Any, b: Any) -> Piece:
        base, above = a if isinstance(a, Piece) else self.piece(a), self.piece(b)
        applied = base.level == APPLY and base.last == "apply" and not base.open  # tanh(z)², but (tanh z)²
        base = base if applied or base.level == ATOM else self.operand(a, ATOM)
        box: Box = ("power", base.box, above.box)
        if self.flat:
            raised = str(written(above.box, Text))
            if len(raised) <= 2 and all(ord(c) in RAISED and c != "t" for c in raised):  # ᵗ is the transpose
                box = ("row", base.box, raised.translate(RAISED))
            elif above.level < ATOM:
                box = ("power", base.box, ("fence", "(", above.box, ")"))
        return Piece(box, POWER, base.first, base.last)

    def transposed(self, a: Any) -> Piece:
        base = self.operand(a, POWER)
        return Piece(("transposed", base.box), POWER, base.first, base.last)

    def big(self, sign: str, a: Any, axis: Any = None) -> Piece:
        """Σ x, or Σⱼ x where an array is summed along some of its axes."""
        p = self.piece(a)
        if self._count(a, axis) == 1:
            return p  # a single term is no sum
        body = self.operand(a, PRODUCT if self.flat else QUOTIENT)
        level = APPLY if body.level >= RATIO else SUM
        word = ("scripts", ("sign", sign), self._axes(a, axis), "")
        return Piece(("row", word, ("sign", "of"), body.box), level, "apply", p.last, open=True)

    def _axes(self, a: Any, axis: Any) -> str:
        """The letters of the axes along which an array is reduced, unless they are all of them: i, j, k for 0, 1, 2."""
        count = np.ndim(a)
        dims = range(count) if axis is None else sorted(d % count for d in (axis if isinstance(axis, tuple) else (axis,)))
        return "" if len(dims) == count else "".join("ijkl"[d] if d < 4 else str(d) for d in dims)

    @staticmethod
    def _count(a: Any, axis: Any) -> int:
        """How many terms a sum has."""
        shape = getattr(a, "shape", ())
        dims = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        return math.prod(shape[d] for d in dims)

    def mean(self, a: Any, axis: Any = None) -> Piece:
        """(1/n) Σ a; of one term, the term itself."""
        n = self._count(a, axis)
        total = self.big("Σ", a, axis)
        share = self.quotient(1, getattr(n, "symbol", n))
        box = share.box if not self.flat else ("fence", "(", share.box, ")")
        return total if n == 1 else Piece(("row", box, ("sign", " "), total.box), SUM, "fence", total.last, open=True)

    def apply(self, name: str, a: Any, below: str = "") -> Piece:
        """A function of one argument: cos x, ln(1 + x)."""
        p = self.piece(a)
        word: Box = ("scripts", ("word", name), below, "")
        if p.level == ATOM and p.last in ("letter", "number"):
            return Piece(("row", word, ("sign", "of"), p.box), APPLY, "apply", "apply", open=True)
        return Piece(("apply", word, p.box), APPLY, "apply", "apply")

    def reduced(self, name: str, a: Any, axis: Any = None) -> Piece:
        return self.apply(name, a, self._axes(a, axis))

    def function(self, name: str, *args: Any, **kwargs: Any) -> Piece:
        """A function by its name, with its arguments as the program gives them."""
        listed: list[Box] = [self._argument(a) for a in args]
        listed += [("row", ("word", key), ("sign", " = "), self._argument(value)) for key, value in kwargs.items()]
        return Piece(("apply", ("word", name), self._list(listed)), APPLY, "apply", "apply")

    def _argument(self, value: Any) -> Box:
        if isinstance(value, (tuple, list)):
            return "fence", "(", self._list([*map(self._argument, value)]), ")"
        return self.piece(value).box

    def _list(self, boxes: list[Box]) -> Box:
        """Arguments with commas between them; with semicolons in French, where a comma may be a decimal one."""
        decimal = self.lang == "fr" and any("," in str(written(box, Text)) for box in boxes) and len(boxes) > 1
        return "list", ";" if decimal else ",", *boxes

    def operation(self, function: Function, args: Any) -> Piece:
        """A function that is shown by its name: σ(x), CE(softmax(x), y)."""

        def box(shown: Any) -> Box:
            if isinstance(shown, int):
                return self._argument(args[shown])
            found = read_name(shown[0])
            word = found.box if found.letter else ("word", shown[0])
            return "apply", word, self._list([*map(box, shown[1:])])

        return Piece(box(function.shown), APPLY, "apply", "apply")

    def cases(self, condition: Any, a: Any, b: Any) -> Piece:
        yes, no = self.operand(a, OR), self.operand(b, OR)
        box = ("cases", yes.box, self.piece(condition).box, no.box, *WORDS[self.lang])
        return Piece(box, CASES if self.flat else APPLY, open=not self.flat)

    def enclosed(self, left: str, a: Any, right: str) -> Piece:
        return Piece(("fence", left, self.piece(a).box, right), first="bar" if left == "|" else "fence")

    def root(self, a: Any) -> Piece:
        p = self.piece(a)
        body = p.box if not self.flat or (p.level == ATOM and p.last in ("letter", "number")) else ("fence", "(", p.box, ")")
        return Piece(("root", body), APPLY, "fence", "fence")

    def index(self, a: Any, index: Any) -> Piece:
        entries = index if isinstance(index, tuple) else (index,)
        if all(i is None or i is Ellipsis or (isinstance(i, slice) and i == slice(None)) for i in entries):
            return self.piece(a)  # the same elements
        base = self.operand(a, ATOM)
        listed = self._list([self._entry(i) for i in entries if i is not Ellipsis])
        return Piece(("index", base.box, listed), POWER, base.first)

    def _entry(self, i: Any) -> Box:
        if isinstance(i, slice):
            ends = (i.start, i.stop, i.step)[: 3 if i.step is not None else 2]
            return "verbatim", ":".join("" if n is None else str(n).replace("-", "−") for n in ends)
        return ("verbatim", ":") if i is None else self.piece(i).box


def decimal(value: float, digits: int) -> tuple[str, int | None]:
    """A positive number with so many significant digits: its decimal digits, and the power of ten if it needs one.

    >>> decimal(0.52369, 3), decimal(2.0, 3), decimal(1e-9, 3), decimal(60000, 3)
    (('0.524', None), ('2', None), ('1', -9), ('60000', None))
    """
    if value == 0 or float(value).is_integer() and value < 1e6:
        return str(int(value)), None
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    n = int(power)
    if -5 < n < 6:
        places = max(0, digits - 1 - n)
        fixed = f"{float(f'{mantissa}e{n}'):.{places}f}"
        return (fixed.rstrip("0").rstrip(".") if places else fixed), None
    return mantissa.rstrip("0").rstrip("."), n


# -- how each function is written --------------------------------------------------------------------------------------


def _has_axes(e: Any) -> bool:
    """Whether a product with it is ⊙; a row of a single number is a number."""
    return np.ndim(e) > 1 or (isinstance(e, (Symbol, np.ndarray)) and e.size > 1)


def _reshaped(p: Layout, a: Any, shape: Any) -> Piece:
    """Invisible where only axes of length 1 come or go."""
    listed = shape if isinstance(shape, (tuple, list)) else (shape,)
    alike = [n for n in a.shape if n != 1] == [n for n in listed if n != 1]
    return p.piece(a) if alike else p.function("reshape", a, shape)


def _swapped(p: Layout, a: Any, one: int, two: int) -> Piece:
    last_two = {one % a.ndim, two % a.ndim} == {a.ndim - 2, a.ndim - 1}
    return p.transposed(a) if last_two else p.function("swapaxes", a, one, two)


def _ordered(p: Layout, a: Any, axes: Any = None) -> Piece:
    if a.ndim < 2:
        return p.piece(a)
    return p.transposed(a) if a.ndim == 2 and axes in (None, (1, 0)) else p.function("transpose", a, *([axes] if axes else []))


def _infix(sign: str, level: int, left: int, right: int) -> Any:
    return lambda p, a, b: p.infix(a, sign, b, level, left, right)


def _function(name: str) -> Any:
    """cos x; with several arguments, max(x, 0)."""
    return lambda p, *args: p.apply(name, *args) if len(args) == 1 else p.function(name, *args)


def _reduction(name: str) -> Any:
    return lambda p, a, axis=None, keepdims=False: p.reduced(name, a, axis)


def _big(sign: str) -> Any:
    return lambda p, a, axis=None, keepdims=False: p.big(sign, a, axis)


def _invisible(p: Layout, a: Any, *_: Any, **__: Any) -> Piece:
    """What changes neither the elements nor their order."""
    return p.piece(a)


_FUNCTIONS = {
    np.sin: "sin", np.cos: "cos", np.tan: "tan", np.arcsin: "arcsin", np.arccos: "arccos", np.arctan: "arctan",
    np.sinh: "sinh", np.cosh: "cosh", np.tanh: "tanh", np.arcsinh: "arsinh", np.arccosh: "arcosh", np.arctanh: "artanh",
    np.log: "ln", np.sign: "sgn", np.maximum: "max", np.minimum: "min", np.rint: "round", np.trunc: "trunc",
    np.arctan2: "atan2", np.fmod: "fmod", np.isnan: "isnan", np.isinf: "isinf", np.isfinite: "isfinite",
}  # fmt: skip

NOTATION: dict[Any, Callable[..., Piece]] = {
    np.add: _infix("+", ADD, ADD, SUM),
    np.subtract: _infix("−", ADD, ADD, SUM),
    np.negative: Layout.negative,
    np.multiply: Layout.product,
    np.matmul: lambda p, a, b: p.times(a, b, "@"),
    np.true_divide: Layout.quotient,
    np.floor_divide: lambda p, a, b: p.enclosed("⌊", as_written(np.true_divide, a, b), "⌋"),
    np.remainder: _infix("mod", QUOTIENT, RATIO, RATIO),
    np.power: Layout.power,
    np.square: lambda p, a: p.power(a, 2),
    np.reciprocal: lambda p, a: p.quotient(1, a),
    np.sqrt: Layout.root,
    np.exp: lambda p, a: p.power(p.named("e"), a),
    np.exp2: lambda p, a: p.power(p.constant(2), a),
    np.expm1: lambda p, a: p.piece(as_written(np.subtract, as_written(np.exp, a), 1)),
    np.log1p: lambda p, a: p.apply("ln", as_written(np.add, 1, a)),
    np.log2: lambda p, a: p.apply("log", a, "2"),
    np.log10: lambda p, a: p.apply("log", a, "10"),
    np.linalg.inv: lambda p, a: p.power(a, -1),
    np.abs: lambda p, a: p.enclosed("|", a, "|"),
    np.floor: lambda p, a: p.enclosed("⌊", a, "⌋"),
    np.ceil: lambda p, a: p.enclosed("⌈", a, "⌉"),
    np.where: Layout.cases,
    np.equal: _infix("=", COMPARE, ADD, ADD),
    np.not_equal: _infix("≠", COMPARE, ADD, ADD),
    np.less: _infix("<", COMPARE, ADD, ADD),
    np.less_equal: _infix("≤", COMPARE, ADD, ADD),
    np.greater: _infix(">", COMPARE, ADD, ADD),
    np.greater_equal: _infix("≥", COMPARE, ADD, ADD),
    np.logical_and: _infix("∧", AND, AND, COMPARE),
    np.bitwise_and: _infix("∧", AND, AND, COMPARE),
    np.logical_or: _infix("∨", OR, OR, AND),
    np.bitwise_or: _infix("∨", OR, OR, AND),
    np.logical_xor: _infix("⊻", OR, AND, AND),
    np.bitwise_xor: _infix("⊻", OR, AND, AND),
    np.left_shift: _infix("≪", COMPARE, ADD, ADD),
    np.right_shift: _infix("≫", COMPARE, ADD, ADD),
    np.isin: _infix("∈", COMPARE, ADD, ADD),
    np.sum: _big("Σ"),
    np.prod: _big("Π"),
    np.mean: lambda p, a, axis=None, keepdims=False: p.mean(a, axis),
    np.max: _reduction("max"),
    np.min: _reduction("min"),
    np.reshape: _reshaped,
    np.swapaxes: _swapped,
    np.transpose: _ordered,
    operator.getitem: Layout.index,
    **dict.fromkeys((astype, np.positive, np.copy, np.broadcast_to, np.expand_dims, np.squeeze), _invisible),
    **{f: _function(name) for f, name in _FUNCTIONS.items()},
}  # fmt: skip
"""How each NumPy function is written. Any other is written by its name, with its arguments."""


def is_named(function: Any) -> bool:
    """Whether a NumPy function is written as a name before its argument, cos x; or as √x, eˣ."""
    return function in _FUNCTIONS or function in (np.exp, np.sqrt, np.log1p, np.log2, np.log10)


# -- the three forms ---------------------------------------------------------------------------------------------------


class Text:
    """Plain Unicode, on one line."""

    @staticmethod
    def row(*parts: str) -> str:
        return "".join(parts)

    @staticmethod
    def sign(sign: str) -> str:
        return " " if sign == "of" else sign

    @staticmethod
    def letter(letter: str) -> str:
        return letter

    word = verbatim = letter

    @staticmethod
    def numeral(mantissa: str, power: int | None) -> str:
        return mantissa if power is None else f"{mantissa}e{power}".replace("-", "−")

    @staticmethod
    def scripts(base: str, below: str, above: str) -> str:
        lowered = below.translate(LOWERED) if all(ord(c) in LOWERED for c in below) else f"_{below}"
        bare = above.rstrip("′")
        raised = bare.translate(RAISED) if all(ord(c) in RAISED for c in bare) else bare if bare[0] == "[" else f"^{bare}"
        return base + lowered + raised + above[len(bare) :]

    @staticmethod
    def ratio(top: str, bottom: str) -> str:
        return f"∂{top}/∂{bottom}"

    @staticmethod
    def fence(left: str, body: str, right: str) -> str:
        return left + body + right

    @staticmethod
    def list(sign: str, *parts: str) -> str:
        return {",": ", ", ";": " ; "}[sign].join(parts)

    @staticmethod
    def cells(*parts: str) -> str:
        return " ".join(parts)

    @staticmethod
    def matrix(*rows: str) -> str:
        return f"[{'; '.join(rows)}]"

    @staticmethod
    def apply(function: str, args: str) -> str:
        return f"{function}({args})"

    @staticmethod
    def power(base: str, above: str) -> str:
        return f"{base}^{above}"

    @staticmethod
    def transposed(base: str) -> str:
        return f"{base}ᵗ"

    @staticmethod
    def root(body: str) -> str:
        return f"√{body}"

    @staticmethod
    def index(base: str, index: str) -> str:
        return f"{base}[{index}]"

    @staticmethod
    def cases(yes: str, test: str, no: str, if_: str, else_: str, otherwise: str) -> str:
        return f"{yes} {if_} {test}, {else_} {no}"


_LATEX = {
    "−": "-", "·": r"\cdot", "×": r"\times", "⊙": r"\odot", "∧": r"\land", "∨": r"\lor", "≠": r"\neq", "≤": r"\leq",
    "≥": r"\geq", "Σ": r"\sum", "Π": r"\prod", "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
    "∞": r"\infty", "…": r"\ldots", "ℒ": r"\mathcal{L}", "→": r"\rightarrow ", "mod": r"\bmod",
    "|": r"\vert", "⊻": r"\veebar", "≪": r"\ll", "≫": r"\gg", "∈": r"\in", "¬": r"\lnot",
}  # fmt: skip
_LATEX_FUNCTIONS = {
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "ln", "log", "max", "min",
}  # fmt: skip


class Latex:
    """LaTeX mathematics, for KaTeX and MathJax as well."""

    @staticmethod
    def row(*parts: str) -> str:
        return "".join(parts)

    @staticmethod
    def sign(sign: str) -> str:
        if sign in ("", "of"):
            return " "
        bare = sign.strip()
        return f" {_LATEX.get(bare, bare) if bare else chr(92) + ','} " if sign[0] == " " else _LATEX.get(sign, sign)

    @staticmethod
    def letter(letter: str) -> str:
        if letter in _LATEX:
            return _LATEX[letter]
        apart = unicodedata.normalize("NFD", letter)
        for word, mark in _ACCENTS.items():
            if apart[1:] == mark:
                return rf"\{word}{{{Latex.letter(apart[0])}}}"
        script, _, name = unicodedata.name(letter, "").partition(" LETTER ")
        if script in ("GREEK SMALL", "GREEK CAPITAL"):
            word = name.lower().replace("lamda", "lambda")
            return "\\" + (word if script == "GREEK SMALL" else word.capitalize())
        return letter if letter.isascii() else rf"\text{{{letter}}}"

    @staticmethod
    def verbatim(word: str) -> str:
        if not any(map(str.isalpha, word)):
            return f"{{{word.replace(':', '{:}').replace('−', '-')}}}"
        style = r"\text" if not word.replace("→", "").isascii() else r"\mathrm" if word.isalnum() else r"\mathtt"
        return f"{style}{{{re.sub('[_#%&${}]', lambda m: chr(92) + m[0], word).replace('→', _LATEX['→'])}}}"

    @staticmethod
    def word(word: str) -> str:
        bare = word.rstrip("′")
        name = "\\" + bare if bare in _LATEX_FUNCTIONS else rf"\operatorname{{{bare.replace('_', chr(92) + '_')}}}"
        return name + "'" * (len(word) - len(bare))

    @staticmethod
    def numeral(mantissa: str, power: int | None) -> str:
        digits = mantissa.replace(",", "{,}").replace("∞", r"\infty").replace("…", r" \ldots ")
        if power is None:
            return digits
        return f"10^{{{power}}}" if mantissa == "1" else rf"{digits} \cdot 10^{{{power}}}"

    @staticmethod
    def scripts(base: str, below: str, above: str) -> str:
        bare = above.rstrip("′")
        letters = set(below) <= set("ijkl0123456789+-=()")
        low = below if len(below) == 1 else f"{{{below}}}" if letters else rf"{{{Latex.verbatim(below)}}}"
        return base + (f"_{low}" if below else "") + (f"^{{{bare}}}" if bare else "") + "'" * (len(above) - len(bare))

    @staticmethod
    def ratio(top: str, bottom: str) -> str:
        return rf"\frac{{\partial {top}}}{{\partial {bottom}}}"

    @staticmethod
    def fence(left: str, body: str, right: str) -> str:
        tall = re.search(r"\\(frac|begin|sum|prod)", body)
        opened, closed = _LATEX.get(left, left), _LATEX.get(right, right)
        return rf"\left{opened} {body} \right{closed}" if tall else f"{opened}{' ' * (left != opened)}{body}{closed}"

    @staticmethod
    def list(sign: str, *parts: str) -> str:
        return f"{sign} ".join(parts)

    @staticmethod
    def cells(*parts: str) -> str:
        return " & ".join(parts)

    @staticmethod
    def matrix(*rows: str) -> str:
        return rf"\begin{{pmatrix}} {(' ' + chr(92) * 2 + ' ').join(rows)} \end{{pmatrix}}"

    @staticmethod
    def apply(function: str, args: str) -> str:
        return function + Latex.fence("(", args, ")")

    @staticmethod
    def fraction(top: str, bottom: str) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    @staticmethod
    def power(base: str, above: str) -> str:
        return f"{base}^{{{above}}}"

    @staticmethod
    def transposed(base: str) -> str:
        return rf"{{{base}}}^{{\mathrm{{t}}}}" if "^" in base else rf"{base}^{{\mathrm{{t}}}}"

    @staticmethod
    def root(body: str) -> str:
        return rf"\sqrt{{{body}}}"

    @staticmethod
    def index(base: str, index: str) -> str:
        return f"{base}[{index}]"

    @staticmethod
    def cases(yes: str, test: str, no: str, if_: str, else_: str, otherwise: str) -> str:
        return rf"\begin{{cases}} {yes} & \text{{{if_} }} {test} \\ {no} & \text{{{otherwise}}} \end{{cases}}"


class MathML:
    """Presentation MathML, as browsers draw it."""

    @staticmethod
    def row(*parts: str) -> str:
        return f"<mrow>{''.join(parts)}</mrow>"

    @staticmethod
    def sign(sign: str) -> str:
        bare = sign.strip()
        if bare in ("", "of"):  # invisible times; "applied to"
            space = '<mspace width="0.17em"></mspace>' if sign else ""
            return f"<mo>{chr(0x2061) if bare else chr(0x2062)}</mo>{space}"
        return f"<mo>{escape({'Σ': '∑', 'Π': '∏'}.get(bare, bare))}</mo>"

    @staticmethod
    def letter(letter: str) -> str:
        return f"<mi>{escape(letter)}</mi>"

    word = letter

    @staticmethod
    def verbatim(word: str) -> str:
        return f"<mtext>{escape(word)}</mtext>"

    @staticmethod
    def numeral(mantissa: str, power: int | None) -> str:
        if power is None:
            return f"<mn>{mantissa}</mn>"
        ten = f"<msup><mn>10</mn><mn>{str(power).replace('-', '−')}</mn></msup>"
        return ten if mantissa == "1" else f"<mrow><mn>{mantissa}</mn><mo>·</mo>{ten}</mrow>"

    @staticmethod
    def scripts(base: str, below: str, above: str) -> str:
        if not (below or above):
            return base
        low, high = (f"<mtext>{escape(s)}</mtext>" if len(s) > 1 else f"<mn>{s}</mn>" if s.isdigit() else f"<mi>{s}</mi>"
                     for s in (below, above))  # fmt: skip
        if below and above:
            return f"<msubsup>{base}{low}{high}</msubsup>"
        return f"<msub>{base}{low}</msub>" if below else f"<msup>{base}{high}</msup>"

    @staticmethod
    def ratio(top: str, bottom: str) -> str:
        return f"<mfrac><mrow><mo>∂</mo>{top}</mrow><mrow><mo>∂</mo>{bottom}</mrow></mfrac>"

    @staticmethod
    def fence(left: str, body: str, right: str) -> str:
        return f'<mrow><mo form="prefix">{left}</mo>{body}<mo form="postfix">{right}</mo></mrow>'

    @staticmethod
    def list(sign: str, *parts: str) -> str:
        return f"<mrow>{f'<mo>{sign}</mo>'.join(parts)}</mrow>"

    @staticmethod
    def cells(*parts: str) -> str:
        return f"<mtr>{''.join(f'<mtd>{part}</mtd>' for part in parts)}</mtr>"

    @staticmethod
    def matrix(*rows: str) -> str:
        return MathML.fence("(", f"<mtable>{''.join(rows)}</mtable>", ")")

    @staticmethod
    def apply(function: str, args: str) -> str:
        return f"<mrow>{function}<mo>\u2061</mo>{MathML.fence('(', args, ')')}</mrow>"

    @staticmethod
    def fraction(top: str, bottom: str) -> str:
        return f"<mfrac>{top}{bottom}</mfrac>"

    @staticmethod
    def power(base: str, above: str) -> str:
        return f"<msup>{base}{above}</msup>"

    @staticmethod
    def transposed(base: str) -> str:
        return f"<msup>{base}<mtext>t</mtext></msup>"

    @staticmethod
    def root(body: str) -> str:
        return f"<msqrt>{body}</msqrt>"

    @staticmethod
    def index(base: str, index: str) -> str:
        return f"<mrow>{base}{MathML.fence('[', index, ']')}</mrow>"

    @staticmethod
    def cases(yes: str, test: str, no: str, if_: str, else_: str, otherwise: str) -> str:
        cell = '<mtd style="text-align: left">'
        return (
            f'<mrow><mo form="prefix" stretchy="true">{{</mo><mtable>'
            f"<mtr>{cell}{yes}</mtd>{cell}<mtext>{if_}\u00a0</mtext>{test}</mtd></mtr>"
            f"<mtr>{cell}{no}</mtd>{cell}<mtext>{otherwise}</mtext></mtd></mtr></mtable></mrow>"
        )
