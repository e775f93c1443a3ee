"""Is this gradient right? Tools that answer it: for a test, for a new operation, and for a student at the blackboard.

`gradcheck` compares the framework's gradient with small differences of the function itself, `compare` compares a
gradient derived by hand with the framework's, and `Draw` makes the arrays on which operations are tested.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tinygrad_fr.graph import grad
from tinygrad_fr.node import Array
from tinygrad_fr.operation import Operation
from tinygrad_fr.tensor import Tensor, wrap

__all__ = [
    "Comparison", "Draw", "GradcheckError", "assert_close", "cases", "central_difference", "compare", "gradcheck",
    "gradgradcheck",
]  # fmt: skip


# -- a gradient against small differences ------------------------------------------------------------------------------


class GradcheckError(RuntimeError):
    """What `gradcheck` and `gradgradcheck` raise when a gradient is wrong: it says which entry, and both values."""


def central_difference(f: Callable[..., Any], arrays: Sequence[Array], i: int, eps: float = 1e-6) -> Array:
    """The derivative of every entry of f's result with respect to every entry of its i-th array, measured.

    Each entry x is moved both ways: ∂f/∂x ≈ (f(x + ε) − f(x − ε)) / 2ε, whose error is of order ε².

    Args:
        f: a function of arrays, to one array.
        arrays: where the derivative is taken; they are not written to.
        i: the number of the array that moves.
        eps: the step ε.

    Returns:
        The Jacobian, of shape `result.shape + arrays[i].shape`, in float64.

    >>> central_difference(lambda x: x**2, [np.array([1.0, 3.0])], 0).round(6)
    array([[2., 0.],
           [0., 6.]])
    """
    moved = list(arrays)

    def at(index: tuple[int, ...], step: float) -> Array:
        moved[i] = np.array(arrays[i], np.float64)
        moved[i][index] += step
        return np.array(f(*moved), np.float64)

    shape = np.shape(arrays[i])
    columns = [(at(index, eps) - at(index, -eps)) / (2 * eps) for index in np.ndindex(shape)]
    if not columns:
        return np.zeros(np.shape(f(*arrays)) + shape)
    return np.stack(columns, -1).reshape(columns[0].shape + shape)


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Check the gradients of `func` against central differences, entry by entry, for every output and every input.

    An entry passes when |analytical − numerical| ≤ atol + rtol · |numerical|. Each gradient must also have the shape
    and dtype of its input, and two backward passes over one graph must agree within `nondet_tol`.

    The points must lie away from kinks (ReLU at 0), where no difference is right. Inputs should be float64: in float32
    the rounding of `func` is as large as the differences, and a warning says so.

    Args:
        func: takes the inputs, returns a Tensor or a tuple of Tensors (other results are not looked at).
        inputs: a Tensor or a tuple; those with `requires_grad=True` are checked, the others are passed on.
        eps: the step of the differences.
        atol: the absolute tolerance.
        rtol: the relative tolerance.
        raise_exception: False to return False instead of raising `GradcheckError`.
        nondet_tol: how much two backward passes may differ.
        check_undefined_grad: accepted for PyTorch's sake, not used: the engine never passes an undefined gradient.
        fast_mode: accepted for PyTorch's sake, not used: every entry is always checked.

    Raises:
        GradcheckError: for a wrong gradient; the message gives the input, the entry and both values.
        ValueError: when no input requires a gradient.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: x * x, x)
    True
    >>> gradcheck(lambda x: x * x.detach(), x)  # a factor 2 is lost
    Traceback (most recent call last):
    tinygrad_fr.testing.GradcheckError: the gradient of output 0 with respect to input 0 is wrong in 2 of its 4 entries.
    The worst is ∂output[1]/∂input[1]: numerical 4, analytical 2.
    """
    points = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, x in enumerate(points) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have "
            "requires_grad=True: make one with `tensor(..., dtype='float64', requires_grad=True)`."
        )
    for i in checked:
        if points[i].dtype != np.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point: it is {points[i].dtype}, "
                "and rounding would be mistaken for a wrong gradient. Make it float64, for instance with `.double()`.",
                stacklevel=2,
            )
    try:
        _check(func, points, checked, eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Check second derivatives: `gradcheck` applied to the gradient of `func`, computed with `create_graph=True`.

    The gradient is a function of the inputs and of ∂E/∂output, and is checked with respect to both. `grad_outputs`
    gives ∂E/∂output; random numbers when left out. The other arguments are those of `gradcheck`.

    Raises:
        GradcheckError: for a wrong second derivative.
        ValueError: when no input requires a gradient.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    points = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _outputs(func(*points))
    if grad_outputs is None:
        draw = Draw(0)
        seeds = [wrap(draw.uniform(y.shape, -1.0, 1.0).astype(y.dtype)) for y in outputs]
    else:
        seeds = [g.detach() for g in ((grad_outputs,) if isinstance(grad_outputs, Tensor) else grad_outputs)]
    for g in seeds:
        g.requires_grad = True
    checked = [i for i, x in enumerate(points) if isinstance(x, Tensor) and x.requires_grad]

    def gradient(*values: Any) -> tuple[Tensor, ...]:
        wanted = [values[i] for i in checked]
        pairs = zip(_outputs(func(*values[: len(points)])), values[len(points) :], strict=True)
        found = [(y, g) for y, g in pairs if y.requires_grad]
        if not found:
            return tuple(wrap(np.zeros_like(x._array)) for x in wanted)
        ys, gs = zip(*found, strict=True)
        return tuple(g for g in grad(ys, wanted, gs, create_graph=True, materialize_grads=True) if g is not None)

    return gradcheck(
        gradient,
        (*points, *seeds),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
    )


def _outputs(result: Any) -> list[Tensor]:
    """The differentiable tensors among what a function returned."""
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [y for y in several if isinstance(y, Tensor) and y.dtype.kind == "f"]


def _check(
    func: Callable[..., Any],
    points: tuple[Any, ...],
    checked: list[int],
    eps: float,
    atol: float,
    rtol: float,
    nondet: float,
) -> None:
    outputs = _outputs(func(*points))
    measured = {i: _measure(func, points, i, eps) for i in checked}
    for k, output in enumerate(outputs):
        found = {i: np.zeros((*output.shape, *points[i].shape)) for i in checked}
        for entry in np.ndindex(tuple(output.shape)):
            seed = np.zeros(output.shape, output.dtype)
            seed[entry] = 1
            first, second = (_gradients(output, [points[i] for i in checked], seed) for _ in range(2))
            for i, g, again in zip(checked, first, second, strict=True):
                if g is None or again is None:
                    continue
                if g.shape != points[i].shape or g.dtype != points[i].dtype:
                    raise GradcheckError(
                        f"the gradient of output {k} with respect to input {i} has shape {tuple(g.shape)} and dtype "
                        f"{g.dtype}, the input has shape {tuple(points[i].shape)} and dtype {points[i].dtype}: they "
                        "must be the same."
                    )
                if not np.allclose(g._array, again._array, rtol=0, atol=nondet, equal_nan=True):
                    raise GradcheckError(
                        f"Backward is not reentrant: two backward passes over the same graph give different gradients "
                        f"of output {k} with respect to input {i}. Does a gradient formula draw random numbers, or "
                        "write into what it reads? The tolerance is nondet_tol."
                    )
                found[i][entry] = g._array
        for i in checked:
            _agree(found[i], measured[i][k], k, i, output.ndim, rtol, atol)


def _gradients(output: Tensor, inputs: list[Any], seed: Array) -> Sequence[Tensor | None]:
    if not output.requires_grad:
        return [None] * len(inputs)
    return grad(output, inputs, wrap(seed), retain_graph=True, allow_unused=True)


def _measure(func: Callable[..., Any], points: tuple[Any, ...], i: int, eps: float) -> list[Array]:
    """Central differences of every output. The array inside the tensor moves, so that closures over it move as well."""
    tensor = points[i]
    still = tensor._array
    sizes: list[tuple[int, ...]] = []

    def together(array: Array) -> Array:
        tensor._array = array.astype(still.dtype)
        arrays = [np.array(y._array, np.float64) for y in _outputs(func(*points))]
        sizes[:] = [a.shape for a in arrays]
        return np.concatenate([a.ravel() for a in arrays]) if arrays else np.zeros(0)

    try:
        together(np.array(still))  # sets the sizes, even where there is no entry to move
        jacobian = central_difference(together, [still], i=0, eps=eps)
    finally:
        tensor._array = still
    parts = np.split(jacobian, np.cumsum([math.prod(s) for s in sizes])[:-1])
    return [part.reshape(size + np.shape(still)) for part, size in zip(parts, sizes, strict=False)]


def _agree(analytical: Array, numerical: Array, k: int, i: int, ndim: int, rtol: float, atol: float) -> None:
    close = np.isclose(analytical, numerical, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return
    gap = np.where(close, -1.0, np.nan_to_num(np.abs(analytical - numerical), nan=np.inf, posinf=np.inf))
    worst = tuple(int(n) for n in np.unravel_index(gap.argmax(), gap.shape))
    raise GradcheckError(
        f"the gradient of output {k} with respect to input {i} is wrong in {int((~close).sum())} of its {close.size} "
        "entries.\n"
        f"The worst is ∂output{_entry(worst[:ndim])}/∂input{_entry(worst[ndim:])}: "
        f"numerical {numerical[worst]:.7g}, analytical {analytical[worst]:.7g}."
    )


def _entry(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


# -- a gradient against the one a student derived ----------------------------------------------------------------------

_WORDS = {
    "en": {
        "line": "{name} | exact: {exact} | approximate: {approximate} | max difference: {gap}",
        "where": " at {entry}: by hand {mine}, automatic {auto} (relative difference {relative})",
        "shape": "{name} | different shapes: by hand {mine}, automatic {auto}",
        "transpose": ". The values agree once transposed: write {name}.T",
        "maybe_transpose": ". One is the shape of the other's transpose: check the order of the matrix product",
        "sum": ". Broadcasting copied the value, so its gradient is a sum: write {name}.{call}",
        "sign": ". Only the sign differs",
        "factor": ". A constant factor is missing: automatic = {factor} × by hand",
        "missing": "{name} | no automatic gradient: call backward() first, and retain_grad() before it on a tensor "
        "that is not a leaf",
        "True": "True",
        "False": "False",
    },
    "fr": {
        "line": "{name} | exact : {exact} | approché : {approximate} | écart maximal : {gap}",
        "where": " en {entry} : à la main {mine}, automatique {auto} (écart relatif {relative})",
        "shape": "{name} | formes différentes : à la main {mine}, automatique {auto}",
        "transpose": ". Les valeurs sont les mêmes après transposition : écrire {name}.T",
        "maybe_transpose": ". L'une est la forme de la transposée de l'autre : vérifier l'ordre du produit matriciel",
        "sum": ". La diffusion (broadcasting) a recopié la valeur, son gradient est donc une somme : écrire "
        "{name}.{call}",
        "sign": ". Seul le signe diffère",
        "factor": ". Il manque un facteur constant : automatique = {factor} × à la main",
        "missing": "{name} | pas de gradient automatique : appeler d'abord backward(), précédé de retain_grad() pour "
        "un tenseur qui n'est pas une feuille",
        "True": "oui",
        "False": "non",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; it counts as true when the two gradients agree.

    Attributes:
        name: what was compared, such as "dW1".
        exact: equal to the last bit.
        approximate: of the same shape, and equal within the tolerances.
        max_difference: the largest |by hand − automatic|; nan when the shapes differ or a value is nan.
        max_relative: the largest |by hand − automatic| / |automatic|, where automatic is not 0.
        where: the entry of the largest difference; None when there is none.
        message: the line that was printed.
    """

    name: str
    exact: bool
    approximate: bool
    max_difference: float
    max_relative: float
    where: tuple[int, ...] | None
    message: str

    def __bool__(self) -> bool:
        return self.approximate

    def __str__(self) -> str:
        return self.message


def compare(
    name: str,
    hand_written: Any,
    automatic: Any,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    lang: Literal["en", "fr"] = "en",
) -> Comparison:
    """Tell whether a gradient derived by hand agrees with the automatic one, and print the answer in one line.

    The shapes are compared first, without broadcasting; then the values, exactly and within |a − b| ≤ atol + rtol · |b|.
    Where they differ the line says where, and recognises the usual slips: a missing transpose, a sum over the samples
    that was forgotten, a wrong sign, a missing factor.

    Args:
        name: what to call it, `"dW1"`.
        hand_written: an array, a Tensor, or nested lists.
        automatic: the framework's gradient, `W1.grad`.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        lang: the language of the line, "en" or "fr".

    Returns:
        A `Comparison`, true when the two agree.

    Raises:
        ValueError: for another language.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> good = compare("dw", 2 * w.detach(), w.grad)
    dw | exact: True | approximate: True | max difference: 0.0
    >>> bad = compare("dw", w.detach(), w.grad, lang="fr")
    dw | exact : non | approché : non | écart maximal : 2,0 en [1] : à la main 2,0, automatique 4,0 (écart relatif 0,5). Il manque un facteur constant : automatique = 2,0 × à la main
    >>> bool(good), bool(bad)
    (True, False)
    """  # noqa: E501 - the printed line is shown whole
    if lang not in _WORDS:
        raise ValueError(f"lang must be 'en' or 'fr', not {lang!r}")
    words = _WORDS[lang]
    if automatic is None:
        return _told(Comparison(name, False, False, math.nan, math.nan, None, words["missing"].format(name=name)))
    mine, auto = (np.asarray(_array(v), np.float64) for v in (hand_written, automatic))
    if mine.shape != auto.shape:
        line = words["shape"].format(name=name, mine=mine.shape, auto=auto.shape)
        line += _shape_hint(words, name, mine, auto, rtol, atol)
        return _told(Comparison(name, False, False, math.nan, math.nan, None, line))
    with np.errstate(all="ignore"):
        gaps = np.where(mine == auto, 0.0, np.abs(mine - auto))
        relative = float((gaps[auto != 0] / np.abs(auto[auto != 0])).max(initial=0.0))
        exact = bool((mine == auto).all())
        approximate = bool(np.allclose(mine, auto, rtol=rtol, atol=atol))
        gap = float(gaps.max(initial=0.0))
        line = words["line"].format(
            name=name, exact=words[str(exact)], approximate=words[str(approximate)], gap=_short(gap, lang)
        )
        where = None
        if not exact:
            where = tuple(int(n) for n in np.unravel_index(gaps.argmax(), gaps.shape))  # argmax stops at a nan
            x, y = float(mine[where]), float(auto[where])
        if where is not None and not approximate:
            found = {"mine": _short(x, lang), "auto": _short(y, lang), "relative": _short(relative, lang)}
            line += words["where"].format(entry=list(where), **found)
            factor = y / x if x else 0.0
            if factor and np.allclose(factor * mine, auto, rtol=rtol, atol=atol):
                line += words["sign" if math.isclose(factor, -1) else "factor"].format(factor=_short(factor, lang))
    return _told(Comparison(name, exact, approximate, gap, relative, where, line))


def _short(number: float, lang: str) -> str:
    """Five digits are enough to read; in French, with a decimal comma."""
    text = repr(float(f"{number:.5g}"))
    return text.replace(".", ",") if lang == "fr" else text


def _told(comparison: Comparison) -> Comparison:
    print(comparison)
    return comparison


def _shape_hint(words: dict[str, str], name: str, mine: Array, auto: Array, rtol: float, atol: float) -> str:
    if mine.ndim > 1 and mine.T.shape == auto.shape:
        same = np.allclose(mine.T, auto, rtol=rtol, atol=atol)
        return words["transpose" if same else "maybe_transpose"].format(name=name)
    extra = mine.ndim - auto.ndim
    padded = (1,) * extra + auto.shape
    if extra >= 0 and all(a in (1, m) for a, m in zip(padded, mine.shape, strict=True)):
        keep = extra == 0
        axes = [i for i, (a, m) in enumerate(zip(padded, mine.shape, strict=True)) if i < extra or a != m]
        axis = str(axes[0]) if len(axes) == 1 else str(tuple(axes))
        if keep or all(i < extra for i in axes):
            return words["sum"].format(name=name, call=f"sum({axis}{', keepdims=True' if keep else ''})")
    return ""


def _array(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    msg: str | None = None,
) -> None:
    """Assert that two tensors or arrays have the same shape and dtype, and values with |a − e| ≤ atol + rtol · |e|.

    The tolerances depend on the dtype, as in PyTorch: rtol, atol = 1e-3, 1e-5 for float16; 1.3e-6, 1e-5 for float32;
    1e-7, 1e-7 for float64; 0, 0 for integers and booleans. With two dtypes, the coarser one decides.

    Raises:
        AssertionError: where they differ; the message says by how much and where.
        ValueError: when only one of the two tolerances is given.

    >>> assert_close(np.float32([1.0, 2.0]), np.float32([1.0, 2.0 + 1e-6]))
    >>> assert_close(np.array([1.0, 2.0]), np.array([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close! 1 of 2 entries differ; the worst is [1]: actual 2.0, expected 2.5 (difference 0.5, rtol=1e-07, atol=1e-07)
    """  # noqa: E501 - the printed line is shown whole
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    a, e = np.asarray(_array(actual)), np.asarray(_array(expected))
    problem = None
    if a.shape != e.shape:
        problem = f"The values for attribute 'shape' do not match: {a.shape} != {e.shape}."
    elif check_dtype and a.dtype != e.dtype:
        problem = f"The values for attribute 'dtype' do not match: {a.dtype} != {e.dtype}."
    else:
        known = [_TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (a, e)]
        relative = max(t[0] for t in known) if rtol is None else rtol
        absolute = max(t[1] for t in known) if atol is None else atol
        wide = a.astype(np.float64), e.astype(np.float64)
        whole = a.dtype.kind != "f" and e.dtype.kind != "f" and relative == absolute == 0  # int64 is wider than a float
        close = a == e if whole else np.isclose(*wide, rtol=relative, atol=absolute, equal_nan=equal_nan)
        if not close.all():
            with np.errstate(invalid="ignore"):
                gaps = np.where(close, -1.0, np.nan_to_num(np.abs(wide[0] - wide[1]), nan=np.inf))
            worst = np.unravel_index(gaps.argmax(), gaps.shape)
            problem = (
                f"Tensor-likes are not close! {int((~close).sum())} of {close.size} entries differ; the worst is "
                f"{_entry(tuple(map(int, worst))) or 'the only one'}: actual {a[worst]}, expected {e[worst]} "
                f"(difference {gaps.max():.3g}, rtol={relative:g}, atol={absolute:g})"
            )
    if problem is not None:
        raise AssertionError(problem if msg is None else msg)


# -- what operations are tested on -------------------------------------------------------------------------------------


class Draw:
    """Arrays drawn from a seed, for the `samples=` of an operation and for the tests.

    >>> draw = Draw(seed=0)
    >>> draw.uniform((2, 3), -1, 1).shape
    (2, 3)
    >>> a, b = draw.distinct((2, 3), (3,))
    >>> np.diff(np.sort(np.concatenate([a.ravel(), b]))).min() >= 0.1
    np.True_
    """

    def __init__(self, seed: int, dtype: Any = np.float64) -> None:
        self._random = np.random.default_rng(seed)
        self.dtype = np.dtype(dtype)

    def uniform(self, shape: int | tuple[int, ...], low: float = -1.0, high: float = 1.0) -> Array:
        """Numbers spread evenly over [low, high)."""
        return np.asarray(self._random.uniform(low, high, shape), self.dtype)

    def distinct(self, *shapes: int | tuple[int, ...]) -> tuple[Array, ...]:
        """An array for each shape, all of whose entries, of all arrays together, differ by 0.1 or more: no ties."""
        full = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
        counts = [math.prod(s) for s in full]
        total = sum(counts)
        ranks = self._random.permutation(total) - (total - 1) / 2
        values = 0.2 * ranks + self._random.uniform(-0.045, 0.045, total)
        parts = np.split(values.astype(self.dtype), np.cumsum(counts)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, full, strict=True))

    def integers(self, shape: int | tuple[int, ...], low: int, high: int) -> Array:
        """int64 numbers, low ≤ n < high."""
        return np.asarray(self._random.integers(low, high, shape), np.int64)

    def signs(self, shape: int | tuple[int, ...]) -> Array:
        """−1 or 1."""
        return np.asarray(self._random.choice([-1, 1], shape), self.dtype)

    def booleans(self, shape: int | tuple[int, ...]) -> Array:
        """False or True, some of each when there are at least two entries."""
        found = np.asarray(self._random.integers(0, 2, shape), np.bool_)
        if found.size > 1 and found.all() == found.any():
            found.flat[0] = not found.flat[0]
        return found


def cases(operation: Operation, draw: Draw) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What an operation is tested on: its own samples, or every input uniform over its domain with shape (2, 3).

    Floating values take the dtype of `draw`, and are kept 0.1 away from the operation's kinks, where there is no
    derivative.

    Returns:
        A list of (arrays, keyword arguments).
    """
    if operation.samples is None:
        low, high = operation.domain
        found: list[Any] = [tuple(draw.uniform((2, 3), low, high) for _ in operation.inputs)]
    else:
        found = operation.samples(draw)
    pairs = [c if len(c) == 2 and isinstance(c[0], tuple) and isinstance(c[1], dict) else (c, {}) for c in found]
    return [
        (tuple(_off_kinks(a, operation.kinks, draw.dtype) for a in arrays), dict(params)) for arrays, params in pairs
    ]


def _off_kinks(array: Any, kinks: Sequence[float], dtype: Any, margin: float = 0.1) -> Any:
    if getattr(array, "dtype", np.dtype(int)).kind != "f":
        return array
    moved = np.array(array, dtype)
    for kink in kinks:
        side = np.where(moved < kink, -1, 1)
        moved = np.where(np.abs(moved - kink) < margin, kink + 2 * margin * side, moved).astype(dtype)
    return moved
