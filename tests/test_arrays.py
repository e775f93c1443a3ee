"""Arrays that speak NumPy's protocols are held as they are: Dask's, a subclass, a recorder; and NumPy's functions take Tensors.

The same formulas run on whatever array flows through them, forward and backward; nothing is coerced on the way and nothing
lazy is computed until it is asked for.
"""

from __future__ import annotations

import operator
import subprocess
import sys
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import tinygrad_fr as tg
from tinygrad_fr import autograd

F = tg.nn.functional
Array = NDArray[Any]


def leaf(values: Any) -> tg.Tensor:
    """A float64 tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, np.float64), requires_grad=True)


def got(tensor: Any) -> Array:
    """A copy of the values of a tensor that must be there."""
    assert isinstance(tensor, tg.Tensor), tensor
    return np.array(tensor.detach().numpy())


def network_data() -> dict[str, Array]:
    """Data and weights of a 3-4-2 network."""
    draw = np.random.default_rng(0)
    shapes = {"x": (8, 3), "y": (8, 2), "w1": (4, 3), "b1": (4,), "w2": (2, 4), "b2": (2,)}
    return {name: draw.normal(size=shape) for name, shape in shapes.items()}


def network_step(make: Callable[[Array], Any]) -> tuple[tg.Tensor, dict[str, tg.Tensor], tg.Tensor]:
    """linear, tanh, linear, mse, and the backward pass, on arrays of any kind; the loss, the parameters, the hidden layer."""
    t = {name: tg.as_tensor(make(values)) for name, values in network_data().items()}
    parameters = {name: t[name].requires_grad_() for name in ("w1", "b1", "w2", "b2")}
    hidden = tg.tanh(F.linear(t["x"], t["w1"], t["b1"]))
    loss = F.mse_loss(F.linear(hidden, t["w2"], t["b2"]), t["y"])
    loss.backward()
    return loss, parameters, hidden


# -- Dask -----------------------------------------------------------------------------------------------


@pytest.fixture
def dask_array() -> Any:
    """Dask's array module."""
    return pytest.importorskip("dask.array")


class Watch:
    """Counts how often Dask computes anything, by any of its ways."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        import dask

        self.times += 1
        return dask.get(dsk, keys, **kwargs)


def test_a_network_on_dask_arrays_is_lazy_and_equals_numpy(dask_array: Any) -> None:
    """linear-tanh-mse, forward and backward: every array stays Dask's, nothing is computed until asked, values are NumPy's."""
    import dask

    watch = Watch()
    with dask.config.set(scheduler=watch):
        loss, parameters, hidden = network_step(lambda a: dask_array.from_array(a, chunks=4))
        arrays = {"loss": loss._array, "hidden": hidden._array}
        for name, p in parameters.items():
            assert p.grad is not None
            arrays[name], arrays[f"d{name}"] = p._array, p.grad._array
        for name, array in arrays.items():
            assert isinstance(array, dask_array.Array), f"{name} became {type(array).__name__}"
        assert watch.times == 0, "something was computed before it was asked for"
        computed = {name: array.compute() for name, array in arrays.items()}
        assert watch.times == len(arrays)
    expected_loss, expected, _ = network_step(np.array)
    np.testing.assert_allclose(computed["loss"], got(expected_loss))
    for name, p in expected.items():
        np.testing.assert_allclose(computed[f"d{name}"], got(p.grad))
        assert p.grad is not None and parameters[name].grad is not None
        assert parameters[name].grad.shape == p.grad.shape


def test_dask_gradients_accumulate_and_parameters_are_updated(dask_array: Any) -> None:
    """Two backwards add up; an update in place gives the tensor a new lazy array, and remains a leaf."""
    w = tg.as_tensor(dask_array.from_array(np.array([1.0, 2.0, 3.0]), chunks=2)).requires_grad_()
    for _ in range(2):
        (w * w).sum().backward()
    assert w.grad is not None and isinstance(w.grad._array, dask_array.Array)
    np.testing.assert_allclose(w.grad._array.compute(), [4.0, 8.0, 12.0])
    with tg.no_grad():
        w -= 0.5 * w.grad
    assert w.is_leaf and w.requires_grad and isinstance(w._array, dask_array.Array)
    np.testing.assert_allclose(w._array.compute(), [-1.0, -2.0, -3.0])


def test_dask_second_derivatives(dask_array: Any) -> None:
    """create_graph runs the formulas on Tensors of Dask arrays."""
    x = tg.as_tensor(dask_array.from_array(np.array([0.3, 0.8]), chunks=1)).requires_grad_()
    (first,) = autograd.grad(x.sin().sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x)
    assert isinstance(second._array, dask_array.Array)
    np.testing.assert_allclose(second._array.compute(), -np.sin([0.3, 0.8]))


DASK_OPERATIONS: dict[str, Callable[[Any], tg.Tensor]] = {
    "exp log": lambda x: (x.exp() + 1).log(),
    "sigmoid": lambda x: x.sigmoid(),
    "relu": lambda x: x.relu(),
    "broadcasting": lambda x: x * x[0] + x[:, :1],
    "mean over a dim": lambda x: x.mean(0),
    "softmax by hand": lambda x: x.exp() / x.exp().sum(1, keepdim=True),
    "softmax": lambda x: x.softmax(1),
    "amax": lambda x: x.amax(1),
    "transpose": lambda x: x.T @ x,
    "reshape": lambda x: x.reshape(-1),
    "where": lambda x: tg.where(x > 0, x, x * 0.1),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "maximum": lambda x: tg.maximum(x, x * x),
    "abs pow": lambda x: x.abs() ** 1.5,
    "bce logits": lambda x: F.binary_cross_entropy_with_logits(x, (x > 0).double()),
    "var": lambda x: x.var(0),
    "cat": lambda x: tg.cat([x, x * 2]),
}


@pytest.mark.parametrize("name", DASK_OPERATIONS)
def test_operations_on_dask_arrays(name: str, dask_array: Any) -> None:
    """Value and gradient stay Dask's and equal NumPy's."""
    a = np.random.default_rng(3).normal(size=(4, 3))
    x = tg.as_tensor(dask_array.from_array(a, chunks=2)).requires_grad_()
    out = DASK_OPERATIONS[name](x)
    out.sum().backward()
    y = leaf(a)
    expected = DASK_OPERATIONS[name](y)
    expected.sum().backward()
    assert isinstance(out._array, dask_array.Array)
    assert x.grad is not None and isinstance(x.grad._array, dask_array.Array)
    np.testing.assert_allclose(out._array.compute(), got(expected))
    np.testing.assert_allclose(x.grad._array.compute(), got(y.grad), atol=1e-12)


def test_a_dask_constant_meets_numpy_parameters(dask_array: Any) -> None:
    """Data out of core, weights in memory: the usual mix."""
    data = network_data()
    x, y = (tg.as_tensor(dask_array.from_array(data[n], chunks=(4, -1))) for n in ("x", "y"))
    w = leaf(data["w1"][:2])
    loss = F.mse_loss(F.linear(x, w), y)
    loss.backward()
    assert isinstance(loss._array, dask_array.Array)
    v = leaf(data["w1"][:2])
    F.mse_loss(F.linear(tg.tensor(data["x"]), v), tg.tensor(data["y"])).backward()
    assert w.grad is not None and v.grad is not None
    np.testing.assert_allclose(np.asarray(w.grad._array), got(v.grad))


def test_a_dask_tensor_can_be_shown_and_left(dask_array: Any) -> None:
    """repr, item, tolist and numpy work or say what to do; none of them changes the tensor."""
    t = tg.as_tensor(dask_array.from_array(np.array([1.0, 2.0]), chunks=1))
    assert isinstance(repr(t), str)
    assert float(t.sum().item()) == 3.0
    assert t.tolist() == [1.0, 2.0]
    assert np.asarray(t).tolist() == [1.0, 2.0]
    assert isinstance(t._array, dask_array.Array)


def test_dask_is_not_imported_by_the_framework() -> None:
    """Held by protocol, known by no name."""
    code = "import sys, tinygrad_fr; print('dask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


# -- a recorder, and a subclass -------------------------------------------------------------------------


class Recorder(np.lib.mixins.NDArrayOperatorsMixin):
    """A tiny recorder: wraps an array, notes the name of each NumPy call, and wraps the result."""

    calls: ClassVar[list[str]] = []

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    T = property(lambda self: Recorder._note("T", self.array.T))
    mT = property(lambda self: Recorder._note("mT", self.array.mT))

    @classmethod
    def _note(cls, name: str, result: Any) -> Any:
        cls.calls.append(name)
        return Recorder(result) if isinstance(result, (np.ndarray, np.generic)) else result

    @staticmethod
    def _plain(value: Any) -> Any:
        if isinstance(value, Recorder):
            return value.array
        return type(value)(map(Recorder._plain, value)) if isinstance(value, (list, tuple)) else value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        kwargs = {k: self._plain(v) for k, v in kwargs.items()}
        return self._note(ufunc.__name__, getattr(ufunc, method)(*self._plain(inputs), **kwargs))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self._note(func.__name__, func(*self._plain(args), **{k: self._plain(v) for k, v in kwargs.items()}))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("the recorder was coerced to an array")

    def __getitem__(self, index: Any) -> Any:
        return self._note("getitem", self.array[self._plain(index)])

    def astype(self, dtype: Any) -> Any:
        """Another dtype."""
        return self._note("astype", self.array.astype(dtype))


def test_a_recorder_sees_the_whole_step_and_is_never_coerced() -> None:
    """Forward and backward pass through it call by call; values and gradients are NumPy's."""
    Recorder.calls.clear()
    loss, parameters, hidden = network_step(Recorder)
    assert isinstance(loss._array, Recorder) and isinstance(hidden._array, Recorder)
    calls = list(Recorder.calls)
    assert calls.count("tanh") == 1
    assert calls.count("matmul") + calls.count("dot") >= 5, calls  # two forward, three backward
    assert any(c in calls for c in ("mean", "sum"))
    expected_loss, expected, _ = network_step(np.array)
    np.testing.assert_allclose(loss._array.array, got(expected_loss))
    for name, p in parameters.items():
        assert p.grad is not None and isinstance(p.grad._array, Recorder), name
        np.testing.assert_allclose(p.grad._array.array, got(expected[name].grad))


def test_a_recorder_sees_second_derivatives_and_accumulation() -> None:
    """create_graph, a second backward, and an update."""
    x = tg.as_tensor(Recorder(np.array([0.5, 1.5]))).requires_grad_()
    (first,) = autograd.grad((x**3).sum(), x, create_graph=True)
    first.sum().backward()
    (x * 2).sum().backward()
    assert x.grad is not None and isinstance(x.grad._array, Recorder)
    np.testing.assert_allclose(x.grad._array.array, [5.0, 11.0])


class Marked(np.ndarray[Any, Any]):
    """A subclass of ndarray, with an attribute that NumPy hands on."""

    def __array_finalize__(self, obj: Any) -> None:
        self.mark = getattr(obj, "mark", None)


def marked(array: Array) -> Marked:
    """A Marked array."""
    out = np.array(array).view(Marked)
    out.mark = "mine"
    return out


def test_a_subclass_of_ndarray_flows_through_with_its_type() -> None:
    """The type and its attribute arrive in results and gradients; values are NumPy's."""
    loss, parameters, hidden = network_step(marked)
    assert isinstance(hidden._array, Marked) and hidden._array.mark == "mine"
    expected_loss, expected, _ = network_step(np.array)
    np.testing.assert_allclose(np.asarray(loss._array), got(expected_loss))
    for name, p in parameters.items():
        assert isinstance(p._array, Marked)
        np.testing.assert_allclose(np.asarray(p.grad._array), got(expected[name].grad))


def test_a_masked_array_is_held_as_it_is() -> None:
    """numpy.ma: the mask travels through the forward pass."""
    t = tg.as_tensor(np.ma.masked_array([1.0, 2.0, 3.0], mask=[False, True, False]))
    assert isinstance(t._array, np.ma.MaskedArray)
    assert (t * 2)._array.mask.tolist() == [False, True, False]


# -- the array API standard -----------------------------------------------------------------------------


def test_array_api_strict_cannot_flow_through_numpys_protocols_and_is_refused_or_converted() -> None:
    """The boundary: its arrays have neither __array_ufunc__ nor __array_function__, on purpose.

    A formula that says `np.exp(x)` cannot run on them, so a tensor holds NumPy's copy of the values instead, or the array is
    refused with a clear error; it is never held as something that no operation can use.
    """
    xp = pytest.importorskip("array_api_strict")
    strict = xp.asarray([1.0, 2.0])
    assert not hasattr(strict, "__array_ufunc__") and not hasattr(strict, "__array_function__")
    try:
        t = tg.as_tensor(strict)
    except TypeError as error:
        assert "tensor" in str(error)
        return
    assert isinstance(t._array, np.ndarray)
    t.requires_grad_()
    (t.exp() * t).sum().backward()
    np.testing.assert_allclose(got(t.grad), np.exp([1.0, 2.0]) * np.array([2.0, 3.0]))


def test_array_api_strict_serves_as_an_oracle_for_values() -> None:
    """A second implementation of the standard's functions agrees with ours, name by name."""
    xp = pytest.importorskip("array_api_strict")
    values = np.random.default_rng(1).uniform(0.2, 0.9, (3, 4))
    strict, ours = xp.asarray(values), tg.tensor(values)
    for name in (
        "exp",
        "log",
        "sqrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atanh",
        "abs",
        "sign",
        "floor",
        "ceil",
        "round",
        "trunc",
        "square",
        "log1p",
        "expm1",
        "log2",
        "log10",
        "isfinite",
        "sum",
        "prod",
        "mean",
        "argmax",
    ):
        np.testing.assert_allclose(
            got(getattr(tg, name)(ours)), np.asarray(getattr(xp, name)(strict)), rtol=1e-12, err_msg=name
        )
    for name in (
        "add",
        "subtract",
        "multiply",
        "divide",
        "pow",
        "maximum",
        "minimum",
        "atan2",
        "remainder",
        "less",
        "greater",
        "equal",
        "matmul",
    ):
        other = values.T if name == "matmul" else values[::-1].copy()
        function = {"equal": tg.eq}.get(name) or getattr(tg, name)
        expected = np.asarray(getattr(xp, name)(strict, xp.asarray(other)))
        np.testing.assert_allclose(got(function(ours, tg.tensor(other))), expected, rtol=1e-12, err_msg=name)
    for axis in (0, 1):
        for name in ("sum", "mean", "prod"):
            expected = np.asarray(getattr(xp, name)(strict, axis=axis, keepdims=True))
            np.testing.assert_allclose(got(getattr(tg, name)(ours, dim=axis, keepdim=True)), expected, rtol=1e-12)


# -- NumPy's functions take Tensors ---------------------------------------------------------------------

NUMPY_CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "exp": lambda x, y: np.exp(x),
    "log": lambda x, y: np.log(x),
    "sqrt": lambda x, y: np.sqrt(x),
    "sin": lambda x, y: np.sin(x),
    "tanh": lambda x, y: np.tanh(x),
    "arctan": lambda x, y: np.arctan(x),
    "abs": lambda x, y: np.abs(x),
    "negative": lambda x, y: np.negative(x),
    "square": lambda x, y: np.square(x),
    "reciprocal": lambda x, y: np.reciprocal(x),
    "log1p expm1": lambda x, y: np.log1p(np.expm1(x)),
    "add": lambda x, y: np.add(x, y),
    "subtract": lambda x, y: np.subtract(x, 1.0),
    "multiply": lambda x, y: np.multiply(2.0, x),
    "divide": lambda x, y: np.divide(x, y),
    "power": lambda x, y: np.power(x, 2.5),
    "arctan2": lambda x, y: np.arctan2(x, y),
    "maximum": lambda x, y: np.maximum(x, y),
    "minimum": lambda x, y: np.minimum(x, 0.9),
    "where": lambda x, y: np.where(y > 1, x, 0.0),
    "where of a tensor": lambda x, y: np.where(x > 1, x * 2, y),
    "sum": lambda x, y: np.sum(x),
    "sum axis": lambda x, y: np.sum(x, axis=1),
    "sum keepdims": lambda x, y: np.sum(x, axis=0, keepdims=True),
    "sum axes": lambda x, y: np.sum(x, axis=(0, 1)),
    "mean": lambda x, y: np.mean(x, axis=0),
    "mean all": lambda x, y: np.mean(x),
    "var": lambda x, y: np.var(x, axis=0),
    "std": lambda x, y: np.std(x),
    "var ddof": lambda x, y: np.var(x, axis=1, ddof=1),
    "prod": lambda x, y: np.prod(x, axis=1),
    "max": lambda x, y: np.max(x, axis=1),
    "amin": lambda x, y: np.min(x),
    "cumsum": lambda x, y: np.cumsum(x, axis=0),
    "add.reduce": lambda x, y: np.add.reduce(x),
    "add.reduce axis": lambda x, y: np.add.reduce(x, axis=1),
    "add.reduce all": lambda x, y: np.add.reduce(x, axis=None),
    "multiply.reduce": lambda x, y: np.multiply.reduce(x, axis=1),
    "maximum.reduce": lambda x, y: np.maximum.reduce(x, axis=0, keepdims=True),
    "matmul": lambda x, y: np.matmul(x, y.T),
    "dot": lambda x, y: np.dot(x, y.T),
    "einsum": lambda x, y: np.einsum("ij,kj->ik", x, y),
    "outer": lambda x, y: np.outer(x[0], y[1]),
    "concatenate": lambda x, y: np.concatenate([x, y]),
    "concatenate axis": lambda x, y: np.concatenate((x, y, x), axis=1),
    "stack": lambda x, y: np.stack([x, y], axis=1),
    "vstack": lambda x, y: np.vstack([x, y]),
    "hstack": lambda x, y: np.hstack([x, y]),
    "reshape": lambda x, y: np.reshape(x, (3, 2)),
    "transpose": lambda x, y: np.transpose(x),
    "transpose axes": lambda x, y: np.transpose(x, (1, 0)),
    "swapaxes": lambda x, y: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x, y: np.moveaxis(x, 0, 1),
    "squeeze": lambda x, y: np.squeeze(x[:1]),
    "expand_dims": lambda x, y: np.expand_dims(x, 1),
    "broadcast_to": lambda x, y: np.broadcast_to(x, (2, 2, 3)),
    "flip": lambda x, y: np.flip(x, 0),
    "roll": lambda x, y: np.roll(x, 1, axis=1),
    "tril": lambda x, y: np.tril(x),
    "clip": lambda x, y: np.clip(x, 0.5, 1.2),
    "take_along_axis": lambda x, y: np.take_along_axis(x, np.array([[0], [2]]), 1),
    "repeat": lambda x, y: np.repeat(x, 2, axis=1),
    "tile": lambda x, y: np.tile(x, (2, 1)),
    "ravel": lambda x, y: np.ravel(x),
    "sort": lambda x, y: np.sort(x, axis=1),
    "pad": lambda x, y: np.pad(x, ((0, 0), (1, 2))),
    "linalg.norm": lambda x, y: np.linalg.norm(x),
    "copy": lambda x, y: np.copy(x),
    "diagonal": lambda x, y: np.diagonal(x),
    "trace by diagonal": lambda x, y: np.sum(np.diagonal(x)),
    "split": lambda x, y: np.split(x, 3, axis=1)[1],
}


@pytest.mark.parametrize("name", NUMPY_CALLS)
def test_numpy_functions_record(name: str) -> None:
    """The value is NumPy's own, by NumPy's conventions; a gradient flows, equal to central differences."""
    draw = np.random.default_rng(4)
    a, b = draw.uniform(0.3, 1.6, (2, 3)), draw.uniform(0.3, 1.6, (2, 3))
    x, y = leaf(a), tg.tensor(b)
    try:
        out = NUMPY_CALLS[name](x, y)
    except TypeError as error:  # not offered: then it says so, and no gradient is lost silently
        if "has no derivative in tinygrad_fr" in str(error):
            pytest.skip(f"np.{name} is not recorded: {error}")
        raise
    expected = NUMPY_CALLS[name](a, b)
    assert isinstance(out, tg.Tensor)
    assert tuple(out.shape) == np.shape(expected)
    np.testing.assert_allclose(got(out), expected)
    assert out.requires_grad
    weights = draw.normal(size=np.shape(expected))
    (out * tg.tensor(weights)).sum().backward()
    gradient = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[place] = 1e-6
        gradient[place] = np.sum((NUMPY_CALLS[name](a + step, b) - NUMPY_CALLS[name](a - step, b)) * weights) / 2e-6
    np.testing.assert_allclose(got(x.grad), gradient, rtol=1e-4, atol=1e-7)


LEFT: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
    "%": operator.mod,
    "//": operator.floordiv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@pytest.mark.parametrize("kind", ["array", "0-d array", "scalar", "list"])
@pytest.mark.parametrize("name", LEFT)
def test_an_array_on_the_left_of_every_operator(name: str, kind: str) -> None:
    """`ndarray ∘ Tensor` is a Tensor with a history, not an object array of Tensors; and Tensor ∘ ndarray too."""
    op = LEFT[name]
    a, b = np.array([[1.5, 0.7], [0.9, 2.0]]), np.array([[0.5, 1.5], [0.9, 1.1]])
    left: Any = {"array": a, "0-d array": np.array(1.5), "scalar": np.float64(1.5), "list": a.tolist()}[kind]
    if kind == "list" or (name == "@" and kind != "array"):
        pytest.skip("PyTorch takes no lists, and @ no numbers")
    for swap in (False, True):
        x = leaf(b)
        out = op(x, left) if swap else op(left, x)
        expected = op(b, left) if swap else op(left, b)
        assert isinstance(out, tg.Tensor)
        np.testing.assert_allclose(got(out), expected)
        if name in ("+", "-", "*", "/", "**", "@"):
            assert out.requires_grad
            out.sum().backward()
            y = leaf(b)
            (op(y, tg.tensor(left)) if swap else op(tg.tensor(left), y)).sum().backward()
            np.testing.assert_allclose(got(x.grad), got(y.grad))


@pytest.mark.parametrize("name", ["&", "|", "^"])
def test_a_boolean_array_on_the_left(name: str) -> None:
    """Masks of NumPy and masks of tensors."""
    op = {"&": operator.and_, "|": operator.or_, "^": operator.xor}[name]
    a, b = np.array([True, False, True]), np.array([True, True, False])
    out = op(a, tg.tensor(b))
    assert isinstance(out, tg.Tensor)
    assert out.tolist() == op(a, b).tolist()


def test_augmented_assignment_of_an_array_by_a_tensor_does_not_lose_a_gradient() -> None:
    """`array += tensor` cannot write a history into an array: it makes a Tensor or refuses, and never forgets."""
    array, x = np.ones(2), leaf([1.0, 2.0])
    before = array
    try:
        array += x
    except (TypeError, RuntimeError):
        assert before.tolist() == [1.0, 1.0]
    else:
        assert isinstance(array, tg.Tensor) and array.requires_grad
    plain = np.ones(2)
    plain += tg.tensor([1.0, 2.0])  # no gradient to lose: any result with the right values
    assert np.asarray(plain).tolist() == [2.0, 3.0]


NOT_DIFFERENTIABLE: dict[str, Callable[[Any], Any]] = {
    "fft": np.fft.fft,
    "linalg.svd": np.linalg.svd,
    "linalg.inv": np.linalg.inv,
    "linalg.eigvals": np.linalg.eigvals,
    "histogram": np.histogram,
    "percentile": lambda x: np.percentile(x, 30),
    "i0": np.i0,
    "heaviside": lambda x: np.heaviside(x, 0.5),
    "nextafter": lambda x: np.nextafter(x, 1.0),
    "ldexp": lambda x: np.ldexp(x, 2),
    "frexp": np.frexp,
    "modf": np.modf,
    "convolve": lambda x: np.convolve(x[0], x[1]),
    "interp": lambda x: np.interp(0.5, np.array([0.0, 1.0]), x[0]),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "add.outer": lambda x: np.add.outer(x, x),
    "add.at": lambda x: np.add.at(np.zeros((2, 2)), 0, x),
    "subtract.reduce": lambda x: np.subtract.reduce(x),
    "exp out": lambda x: np.exp(x, out=np.zeros((2, 2))),
    "add where": lambda x: np.add(x, 1, where=np.array([True, False])),
    "exp dtype": lambda x: np.exp(x, dtype=np.float32),
    "sum out": lambda x: np.sum(x, out=np.zeros(())),
    "nansum": np.nansum,
    "gradient": np.gradient,
}


@pytest.mark.parametrize("name", NOT_DIFFERENTIABLE)
def test_a_numpy_function_without_derivative_refuses_what_requires_grad(name: str) -> None:
    """TypeError that names the function, or a recorded result; never a value whose gradient was lost."""
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    try:
        out = NOT_DIFFERENTIABLE[name](x)
    except (TypeError, RuntimeError) as error:
        assert "requires grad" in str(error) or "keyword" in str(error) or "unexpected" in str(error), str(error)
        return
    results = out if isinstance(out, (tuple, list)) else (out,)
    assert all(isinstance(r, tg.Tensor) and r.requires_grad for r in results), f"np.{name} lost the gradient"


@pytest.mark.parametrize(
    "name", ["fft", "linalg.svd", "linalg.inv", "percentile", "heaviside", "convolve", "add.accumulate", "nansum"]
)
def test_a_numpy_function_without_derivative_works_on_constants(name: str) -> None:
    """Where no gradient would be lost, NumPy's result comes back."""
    a = np.array([[1.0, 2.0], [3.0, 5.0]])
    out, expected = NOT_DIFFERENTIABLE[name](tg.tensor(a)), NOT_DIFFERENTIABLE[name](a)
    if not isinstance(expected, tuple):
        np.testing.assert_allclose(np.asarray(out), expected)


def test_functions_that_give_shapes_and_comparisons_accept_tensors_with_a_history() -> None:
    """What has no gradient by nature needs no detach()."""
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    assert np.shape(x) == (2, 2)
    assert np.ndim(x) == 2
    assert np.size(x) == 4
    assert np.argmax(x) == 3
    assert got(np.sign(x)).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert got(np.greater(x, 2)).tolist() == [[False, False], [True, True]]
    assert got(np.zeros_like(x)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert not np.isnan(x).any()
    assert np.allclose(x, np.array([[1.0, 2.0], [3.0, 5.0]]))


def test_a_users_numpy_function_is_differentiated_unchanged() -> None:
    """A formula written for arrays, called with tensors: the point of the protocols."""

    def softmax(z: Any) -> Any:
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    z = leaf(np.random.default_rng(0).normal(size=(3, 4)))
    target = np.eye(4)[[0, 2, 1]]
    loss = -np.mean(np.sum(target * np.log(softmax(z)), axis=1))
    loss.backward()
    np.testing.assert_allclose(got(z.grad), (got(softmax(z)) - target) / 3, atol=1e-12)


def test_numpy_results_keep_float32() -> None:
    """np.exp(t), np.mean(t), array32 * t: float32 in, float32 out."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for out in (
        np.exp(x),
        np.mean(x),
        np.sum(x, axis=0),
        np.ones(2, np.float32) * x,
        np.float64(2) * x,
        np.multiply(2.0, x),
        np.where(x > 1, x, 0),
    ):
        assert out.dtype == np.float32
