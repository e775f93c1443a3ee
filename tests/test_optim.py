"""The optimisers: trajectories of 100 steps beside PyTorch's and beside formulas written by hand, groups, state, and errors.

Gradients are given from outside where an algorithm is tested (so that a rounding error stays one), and come from `backward()`
where the loop is. The hand-written formulas are of the papers, in float64, and share no code with the package.
"""

from __future__ import annotations

import copy
import gc
import json
import pickle
import tracemalloc
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import tinygrad_fr as tg
from tinygrad_fr.node import last
from tinygrad_fr.optim import adaptive, sgd
from tinygrad_fr.optim.lr_scheduler import StepLR
from tinygrad_fr.optim.optimizer import Optimizer
from tinygrad_fr.values import LARGE

Array = NDArray[Any]
Options = dict[str, Any]

SHAPES = ((3, 4), (4,), (), (2, 1, 3))
CASES: list[tuple[str, Options]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.05, "weight_decay": 0.1, "maximize": True, "foreach": True}),
    ("SGD", {"maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.1, "betas": (0.3, 0.9), "amsgrad": True, "fused": True}),
    ("Adam", {"lr": 0.02, "eps": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.02, "weight_decay": 0.2, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.02, "betas": (0.8, 0.9), "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.4, "centered": True, "eps": 0.01, "maximize": True}),
    ("RMSprop", {"lr": 0.02, "centered": True, "momentum": 0.9, "eps": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.4, 0.9), "eps": 0.01, "weight_decay": 0.1, "maximize": True}),
]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)])
each_algorithm = pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in CASES))


def starts(dtype: Any = np.float64, shapes: Any = SHAPES) -> list[Array]:
    """Parameters to begin with, the same for everybody."""
    draw = np.random.default_rng(0)
    return [np.asarray(draw.normal(size=shape), dtype) for shape in shapes]


def pushes(steps: int, dtype: Any = np.float64, shapes: Any = SHAPES) -> Iterator[list[Array]]:
    """The gradients of each step, some of them large and some small."""
    draw = np.random.default_rng(1)
    for _ in range(steps):
        yield [np.asarray(draw.normal(size=shape) * 10.0 ** draw.integers(-2, 2), dtype) for shape in shapes]


def leaves(arrays: list[Array]) -> list[tg.Tensor]:
    return [tg.tensor(array, requires_grad=True) for array in arrays]


def push(parameters: list[Any], gradients: list[Array], tensor: Callable[..., Any]) -> None:
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = tensor(g)


def run(name: str, options: Options, steps: int, dtype: Any = np.float64, lib: Any = tg) -> tuple[list[Array], Any]:
    """The parameters after some steps, and the optimizer."""
    parameters = [lib.tensor(array, requires_grad=True) for array in starts(dtype)]
    optimizer = getattr(lib.optim, name)(parameters, **options)
    for gradients in pushes(steps, dtype):
        push(parameters, gradients, lib.tensor)
        optimizer.step()
    return [np.array(p.detach().numpy()) for p in parameters], optimizer


def ulps(a: Array, b: Array) -> float:
    """The greatest distance, in units of the last place of the largest number."""
    return float(np.max(np.abs(a - b), initial=0) / np.spacing(np.max(np.abs(b), initial=0.1)))


# -- beside PyTorch ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@each_case
def test_100_steps_equal_pytorchs(name: str, options: Options, dtype: Any, torch: Any) -> None:
    ours, optimizer = run(name, options, 100, dtype)
    theirs, oracle = run(name, options, 100, dtype, torch)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == b.dtype == dtype
        assert ulps(a, b) < 16
    assert repr(optimizer) == repr(oracle)
    for p, q in zip(optimizer.param_groups[0]["params"], oracle.param_groups[0]["params"], strict=True):
        mine, its = optimizer.state[p], oracle.state[q]
        assert list(mine) == list(its)
        for key in mine:
            assert str(mine[key].dtype) == str(its[key].dtype).removeprefix("torch.")
            assert tuple(mine[key].shape) == tuple(its[key].shape)
            assert ulps(mine[key].numpy(), its[key].numpy()) < 16


share = st.floats(0, 0.99)
size = st.floats(1e-4, 1)
SPACE: dict[str, Any] = {
    "SGD": st.fixed_dictionaries(
        {"lr": size, "momentum": share, "dampening": share, "weight_decay": share, "maximize": st.booleans()}
    ),
    "Adam": st.fixed_dictionaries(
        {"lr": size, "betas": st.tuples(share, share), "eps": size, "weight_decay": share, "amsgrad": st.booleans(),
         "decoupled_weight_decay": st.booleans(), "maximize": st.booleans()}
    ),
    "RMSprop": st.fixed_dictionaries(
        {"lr": size, "alpha": share, "eps": size, "weight_decay": share, "momentum": share, "maximize": st.booleans()}
    ),
    "Adagrad": st.fixed_dictionaries(
        {"lr": size, "lr_decay": share, "weight_decay": share, "eps": size, "initial_accumulator_value": share}
    ),
    "Adadelta": st.fixed_dictionaries({"lr": size, "rho": share, "eps": size, "weight_decay": share}),
    "Adamax": st.fixed_dictionaries(
        {"lr": size, "betas": st.tuples(share, share), "eps": size, "weight_decay": share, "maximize": st.booleans()}
    ),
}  # fmt: skip


@given(data=st.data())
def test_any_options_equal_pytorchs(data: st.DataObject, torch: Any) -> None:
    """Options drawn at random, in float64; 12 steps tell a wrong formula from a rounding error."""
    name = data.draw(st.sampled_from(sorted(SPACE)))
    options = data.draw(SPACE[name])
    ours, _ = run(name, options, 12)
    theirs, _ = run(name, options, 12, np.float64, torch)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def problem(lib: Any, dtype: Any) -> tuple[list[Any], Callable[[], Any]]:
    """A 3-4-1 network and its loss on fixed data."""
    draw = np.random.default_rng(2)
    x, y = (lib.tensor(draw.normal(size=shape).astype(dtype)) for shape in ((8, 3), (8, 1)))
    w = [lib.tensor(draw.normal(size=shape).astype(dtype), requires_grad=True) for shape in ((3, 4), (4,), (4, 1), (1,))]
    return w, lambda: ((lib.tanh(x @ w[0] + w[1]) @ w[2] + w[3] - y) ** 2).mean()


def train(lib: Any, name: str, options: Options, steps: int, dtype: Any = np.float64) -> tuple[list[float], list[Array]]:
    """The losses of a training, and the parameters it ends with."""
    w, loss = problem(lib, dtype)
    optimizer = getattr(lib.optim, name)(w, **options)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses, [p.detach().numpy() for p in w]


@each_algorithm
def test_training_equals_pytorchs(name: str, torch: Any) -> None:
    """A training loop as programs write it: 100 losses and the parameters, to 1e-12."""
    options = next(options for case, options in CASES if case == name)
    ours, theirs = train(tg, name, options, 100), train(torch, name, options, 100)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert ours[0][-1] < ours[0][0]


# The sum of the parameters after 100 steps, of PyTorch 2.13 in float64.
RECORDED: dict[str, float] = {
    "SGD-0": -9.310554656388, "SGD-1": -100.5067258919, "SGD-2": -42.69974406972, "SGD-3": 43.85618116134,
    "SGD-4": 1.583319852374, "SGD-5": -3.028634990036, "Adam-6": -3.347648706004, "Adam-7": -3.542824922136,
    "Adam-8": -2.246272943517, "Adam-9": -2.522594175019, "AdamW-10": -3.113415319298, "AdamW-11": -1.444857135695,
    "RMSprop-12": -3.739266006792, "RMSprop-13": -2.847010040435, "RMSprop-14": -3.099780814372,
    "RMSprop-15": -12.4143912675, "Adagrad-16": -3.732851724905, "Adagrad-17": -2.242594008677,
    "Adadelta-18": -3.110379136617, "Adadelta-19": -2.256899530424, "Adamax-20": -3.119341033716,
    "Adamax-21": -1.848611037653,
}  # fmt: skip


@each_case
def test_100_steps_equal_the_recorded_ones(name: str, options: Options) -> None:
    ours, _ = run(name, options, 100)
    index = CASES.index((name, options))
    assert float(sum(a.sum() for a in ours)) == pytest.approx(RECORDED[f"{name}-{index}"], rel=1e-11)


# -- beside formulas written by hand -----------------------------------------------------------------------------------


def by_hand(name: str, o: Options, w: Array, gradients: list[Array]) -> Array:
    """Every algorithm once more, from its paper: new arrays everywhere, powers and roots as they are printed."""
    w = np.array(w, np.float64)
    m = v = u = b = np.zeros_like(w)
    top = np.zeros_like(w)
    total = np.full_like(w, o.get("initial_accumulator_value", 0))
    lr = o.get("lr", {"Adadelta": 1.0, "Adamax": 2e-3, "RMSprop": 0.01, "Adagrad": 0.01}.get(name, 1e-3))
    b1, b2 = o.get("betas", (0.9, 0.999))
    decay = o.get("weight_decay", 0.01 if name == "AdamW" else 0)
    decoupled = name == "AdamW" or o.get("decoupled_weight_decay", False)
    eps = o.get("eps", {"Adagrad": 1e-10, "Adadelta": 1e-6}.get(name, 1e-8))
    for t, g in enumerate(gradients, 1):
        g = (-1 if o.get("maximize") else 1) * g
        g = g + (0 if decoupled else decay) * w
        if name == "SGD":
            mu, tau = o.get("momentum", 0), o.get("dampening", 0)
            b = g if t == 1 else mu * b + (1 - tau) * g
            w = w - lr * ((g + mu * b if o.get("nesterov") else b) if mu else g)
        elif name in ("Adam", "AdamW"):
            w = w - lr * decay * w if decoupled else w
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            top = np.maximum(top, v) if o.get("amsgrad") else v
            w = w - lr * (m / (1 - b1**t)) / (np.sqrt(top / (1 - b2**t)) + eps)
        elif name == "RMSprop":
            alpha = o.get("alpha", 0.99)
            v, m = alpha * v + (1 - alpha) * g**2, alpha * m + (1 - alpha) * g
            b = o.get("momentum", 0) * b + g / (np.sqrt(v - m**2 if o.get("centered") else v) + eps)
            w = w - lr * b
        elif name == "Adagrad":
            total = total + g**2
            w = w - lr / (1 + (t - 1) * o.get("lr_decay", 0)) * g / (np.sqrt(total) + eps)
        elif name == "Adadelta":
            rho = o.get("rho", 0.9)
            v = rho * v + (1 - rho) * g**2
            delta = np.sqrt(u + eps) / np.sqrt(v + eps) * g
            u = rho * u + (1 - rho) * delta**2
            w = w - lr * delta
        else:
            m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, np.abs(g) + eps)
            w = w - lr / (1 - b1**t) * m / u
    return w


@each_case
def test_100_steps_equal_the_formula_by_hand(name: str, options: Options) -> None:
    ours, _ = run(name, options, 100)
    gradients = list(zip(*pushes(100), strict=True))
    for w, g, result in zip(starts(), gradients, ours, strict=True):
        np.testing.assert_allclose(result, by_hand(name, options, w, list(g)), rtol=1e-11, atol=1e-11)


def test_plain_descent_is_the_course_formula() -> None:
    """w ← w − η ∂E/∂w, to the last bit, also where a group holds more than one dtype (S0 to S4)."""
    dtypes = (np.float32, np.float64, np.float64, np.float32)
    expected = [w.astype(dtype) for w, dtype in zip(starts(), dtypes, strict=True)]
    parameters = leaves(expected)
    optimizer = tg.optim.SGD(parameters, lr=0.1)
    for gradients in pushes(5):
        gradients = [g.astype(dtype) for g, dtype in zip(gradients, dtypes, strict=True)]
        push(parameters, gradients, tg.tensor)
        optimizer.step()
        expected = [w - 0.1 * g for w, g in zip(expected, gradients, strict=True)]
    for p, b in zip(parameters, expected, strict=True):
        assert p.dtype == b.dtype
        np.testing.assert_array_equal(p.detach().numpy(), b)


def test_a_mean_that_forgets_all_is_the_last_gradient(torch: Any) -> None:
    """β₁ = 0: the mean is g itself, however large the one before was (1e8 + (1 − 1e8) is 0 in float32)."""
    for lib in (tg, torch):
        w = lib.zeros(1, requires_grad=True)
        optimizer = lib.optim.Adam([w], betas=(0.0, 0.5))
        for value in (1e8, 1.0):
            w.grad = lib.tensor([value])
            optimizer.step()
        assert optimizer.state[w]["exp_avg"].tolist() == [1.0]


# -- the arrays --------------------------------------------------------------------------------------------------------


@each_case
def test_parameters_are_written_in_place_and_keep_their_dtype(name: str, options: Options) -> None:
    """The same array, the same dtype, whatever kind of number the options are."""
    for dtype in (np.float16, np.float32, np.float64) if name == "SGD" else (np.float32, np.float64):  # 1e-8 is 0 in float16
        parameters = leaves(starts(dtype))
        arrays = [p._array for p in parameters]
        numbers = {k: np.float64(v) if type(v) is float else tuple(map(np.float64, v)) if k == "betas" else v
                   for k, v in options.items()}  # fmt: skip
        optimizer = getattr(tg.optim, name)(parameters, **numbers)
        for gradients in pushes(3, dtype):
            push(parameters, gradients, tg.tensor)
            before = [p.grad.numpy().copy() for p in parameters]
            optimizer.step()
            for p, g in zip(parameters, before, strict=True):
                np.testing.assert_array_equal(p.grad.numpy(), g)  # gradients are read, never written
        for p, array in zip(parameters, arrays, strict=True):
            assert p._array is array and p.dtype == dtype
            assert p.is_leaf and p.requires_grad
            for key, kept in optimizer.state[p].items():
                assert kept.dtype == (np.float32 if key == "step" else dtype)


def test_a_numpy_number_as_learning_rate_changes_nothing() -> None:
    """np.float64 would promote float32 arrays, and round otherwise."""
    for name in ("SGD", "Adam"):
        ours, _ = run(name, {"lr": 0.1}, 10, np.float32)
        parameters = leaves(starts(np.float32))
        optimizer = getattr(tg.optim, name)(parameters, lr=np.float64(0.1))
        for gradients in pushes(10, np.float32):
            push(parameters, gradients, tg.tensor)
            for group in optimizer.param_groups:
                group["lr"] = np.float64(0.1)  # as a schedule of one's own does
            optimizer.step()
        for p, expected in zip(parameters, ours, strict=True):
            np.testing.assert_array_equal(p.detach().numpy(), expected)


@pytest.mark.parametrize("layout", ["C", "F", "mixed", "long"])
@each_case
def test_a_large_parameter_is_updated_in_pieces_to_the_same_values(name: str, options: Options, layout: str) -> None:
    """More elements than stay in the cache: the same bits as two halves give, tensors of their own that are small enough."""
    shape = (LARGE + 8,) if layout == "long" else (900, 150)
    assert LARGE < np.prod(shape) < 2 * LARGE
    draw = np.random.default_rng(3)
    w, *gradients = (draw.normal(size=shape).astype(np.float32) for _ in range(3))
    large = tg.as_tensor(np.array(w, order="F" if layout == "F" else "C")).requires_grad_()
    halves = leaves(np.split(w, 2))
    one, other = getattr(tg.optim, name)([large], **options), getattr(tg.optim, name)(halves, **options)
    for g in gradients:
        large.grad = tg.as_tensor(np.array(g, order="C" if layout in ("C", "long") else "F"))
        push(halves, np.split(g, 2), tg.tensor)
        one.step()
        other.step()
    np.testing.assert_array_equal(large.detach().numpy(), np.concatenate([p.detach().numpy() for p in halves]))
    for key, kept in one.state[large].items():
        expected = [other.state[p][key].numpy() for p in halves]
        np.testing.assert_array_equal(kept.numpy(), expected[0] if key == "step" else np.concatenate(expected))


@each_case
def test_a_step_of_a_large_parameter_needs_little_memory(name: str, options: Options) -> None:
    """Beside the parameter, its gradient and its state: some blocks, not one array of its size."""
    w = tg.ones(1000, 1000, requires_grad=True)
    w.grad = tg.ones(1000, 1000)
    optimizer = getattr(tg.optim, name)([w], **options)
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < w._array.nbytes / 4


def test_parameters_that_are_numpy_scalars_are_updated() -> None:
    """What NumPy makes of a 0-d result can be a parameter as well."""
    w = tg.tensor([3.0, 4.0]).sum().detach().requires_grad_()
    for name, expected in (("SGD", 6.5), ("Adam", 6.0)):
        optimizer = getattr(tg.optim, name)([w], lr=0.5)
        w.grad = tg.tensor(1.0)
        optimizer.step()
        assert w.item() == pytest.approx(expected)


class Noted(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that speaks NumPy's protocols, cannot be written, and notes what is called: as a recorder does."""

    calls: list[str] = []  # noqa: RUF012 - one list for all

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)
        self.shape, self.dtype, self.ndim, self.size = (getattr(self.value, n) for n in ("shape", "dtype", "ndim", "size"))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if "out" in keywords:
            return NotImplemented
        Noted.calls.append(ufunc.__name__)
        return Noted(getattr(ufunc, method)(*(i.value if isinstance(i, Noted) else i for i in inputs), **keywords))

    def __array_function__(self, function: Any, types: Any, args: Any, keywords: Any) -> Any:
        Noted.calls.append(function.__name__)
        return Noted(function(*(a.value if isinstance(a, Noted) else a for a in args), **keywords))

    def __bool__(self) -> bool:
        raise AssertionError("the value of an array was asked for")

    def __iadd__(self, other: Any) -> Any:  # the mixin's would pass out=
        return self + other

    def __isub__(self, other: Any) -> Any:
        return self - other

    def __imul__(self, other: Any) -> Any:
        return self * other


@each_case
def test_steps_run_on_whatever_speaks_numpys_protocols(name: str, options: Options) -> None:
    """Only NumPy's functions and operators touch the arrays, and no value decides anything."""
    parameters = [tg.Tensor() for _ in SHAPES]
    for p, array in zip(parameters, starts(), strict=True):
        p._array = array
        p.requires_grad = True
        p._array = Noted(array)
    optimizer = getattr(tg.optim, name)(parameters, **options)
    Noted.calls.clear()
    for gradients in pushes(5):
        for p, g in zip(parameters, gradients, strict=True):
            grad = tg.Tensor()
            grad._array = Noted(g)
            p._node.grad = grad
        optimizer.step()
    assert "subtract" in Noted.calls
    expected, _ = run(name, options, 5)
    for p, array in zip(parameters, expected, strict=True):
        assert isinstance(p._array, Noted)
        np.testing.assert_allclose(p._array.value, array, rtol=1e-12)


@each_case
def test_steps_run_on_dask_arrays(name: str, options: Options) -> None:
    dask_array = pytest.importorskip("dask.array")
    starting, gradients = starts()[0], [g[0] for g in pushes(2)]
    p = tg.as_tensor(dask_array.from_array(starting, chunks=(3, 2))).requires_grad_()
    optimizer = getattr(tg.optim, name)([p], **options)
    for g in gradients:
        p.grad = tg.as_tensor(dask_array.from_array(g, chunks=(3, 2)))
        optimizer.step()
    assert isinstance(p._array, dask_array.Array)
    np.testing.assert_allclose(np.asarray(p._array), by_hand(name, options, starting, gradients), rtol=1e-11)


def test_the_formulas_can_be_used_alone() -> None:
    """A formula is a function of arrays: it writes into those it is given and returns them."""
    w, v = np.array([1.0, 2.0]), np.array([10.0, 0.0])
    new, velocity = sgd.sgd(w, np.array([1.0, 1.0]), v, lr=0.5, momentum=0.5)
    assert new is w and velocity is v
    assert w.tolist() == [-2.0, 1.5] and v.tolist() == [6.0, 1.0]
    m = np.zeros(2)
    assert adaptive.adam(w, np.ones(2), m, np.zeros(2), t=1, lr=0.1, betas=(0.5, 0.5), eps=0)[1] is m
    np.testing.assert_allclose(w, [-2.1, 1.4])


# -- the loop ----------------------------------------------------------------------------------------------------------


def one(value: float = 1.0, **options: Any) -> tuple[tg.Tensor, Optimizer]:
    """A parameter with a gradient of 1, and an SGD of it."""
    w = tg.tensor([value], requires_grad=True)
    w.grad = tg.tensor([1.0])
    return w, tg.optim.SGD([w], **({"lr": 0.5} | options))


@each_algorithm
def test_parameters_without_gradient_are_skipped(name: str) -> None:
    a, frozen, b = tg.tensor([1.0], requires_grad=True), tg.tensor([3.0]), tg.tensor([1.0], requires_grad=True)
    optimizer = getattr(tg.optim, name)([a, frozen, b])
    b.grad = tg.tensor([1.0])
    optimizer.step()
    assert a.item() == 1 and frozen.item() == 3 and b.item() < 1
    if name != "Adagrad":  # whose sums begin with the optimizer
        assert a not in optimizer.state
    once = b.item()
    a.grad = tg.tensor([1.0])
    optimizer.step()
    assert a.item() == once  # each parameter counts its own steps
    alone = tg.tensor([1.0], requires_grad=True)
    alone.grad = tg.tensor([1.0])
    other = getattr(tg.optim, name)([alone])
    other.step()
    other.step()
    assert b.item() == alone.item()


def test_zero_grad() -> None:
    w, optimizer = one()
    frozen = tg.tensor([1.0])
    optimizer.add_param_group({"params": frozen})
    optimizer.zero_grad()
    assert w.grad is None
    (w * 2).sum().backward()
    g = w.grad
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is g and g.tolist() == [0.0]
    (first,) = tg.autograd.grad((w**3).sum(), w, create_graph=True)
    w.grad = first
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0] and not w.grad.requires_grad and frozen.grad is None


def test_a_gradient_with_a_history_is_used_as_a_number() -> None:
    w, optimizer = one(2.0)
    (w.grad,) = tg.autograd.grad((w**3).sum(), w, create_graph=True)
    optimizer.step()
    assert w.tolist() == [2 - 0.5 * 12] and w.is_leaf


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_a_closure_is_recorded_and_its_loss_returned(name: str) -> None:
    w = tg.tensor([3.0], requires_grad=True)
    optimizer = getattr(tg.optim, name)([w], lr=0.1)

    def closure() -> tg.Tensor:
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        loss = optimizer.step(closure)
        assert not tg.is_grad_enabled()
    assert loss.item() == 9 and loss.requires_grad
    assert w.item() == pytest.approx(2.4 if name == "SGD" else 2.9)
    assert optimizer.step() is None


def test_a_closure_that_fails_leaves_the_parameters() -> None:
    w, optimizer = one()

    def closure() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        optimizer.step(closure)
    assert w.tolist() == [1.0] and tg.is_grad_enabled()


@each_algorithm
def test_the_engine_sees_that_a_step_changed_the_parameters(name: str) -> None:
    """A graph that kept a parameter before the step refuses to go backward after it, and the next graph does not."""
    w = tg.tensor([2.0], requires_grad=True)
    optimizer = getattr(tg.optim, name)([w])
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    optimizer.zero_grad()
    (w * w).sum().backward()
    assert w.grad.item() == pytest.approx(2 * w.item())


def test_the_engine_sees_it_through_views_and_detached_copies() -> None:
    w, optimizer = one()
    x = tg.tensor([1.0], requires_grad=True)
    for seen in (w.detach(), w.view(1, 1), w[0]):
        kept = (x * seen).sum()
        optimizer.step()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            kept.backward()
    large = tg.zeros(LARGE + 1, requires_grad=True)
    kept = (large * large).sum()
    large.grad = tg.ones(LARGE + 1)
    tg.optim.SGD([large], lr=1.0).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.backward()


def test_only_the_parameters_that_were_written_are_noted() -> None:
    """A parameter that was skipped is not taken for changed."""
    w, skipped = tg.tensor([2.0], requires_grad=True), tg.tensor([3.0], requires_grad=True)
    optimizer = tg.optim.SGD([w, skipped], lr=0.1)
    loss = (skipped * skipped).sum()
    w.grad = tg.tensor([1.0])
    before = last.write
    optimizer.step()
    assert last.write > before
    loss.backward()
    assert skipped.grad.item() == 6


def test_a_nan_is_no_error() -> None:
    for name in dict.fromkeys(name for name, _ in CASES):
        a, b = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([1.0], requires_grad=True)
        optimizer = getattr(tg.optim, name)([a, b])
        a.grad, b.grad = tg.tensor([float("nan"), 1.0]), tg.tensor([1.0])
        optimizer.step()
        assert np.isnan(a.tolist()[0]) and a.tolist()[1] < 2 and b.item() < 1


@each_algorithm
def test_a_read_only_parameter_stops_the_step_before_anything_is_written(name: str) -> None:
    a, b = tg.tensor([1.0], requires_grad=True), tg.tensor([2.0, 3.0], requires_grad=True)
    optimizer = getattr(tg.optim, name)([{"params": [a]}, {"params": [b]}])
    a.grad, b.grad = tg.tensor([1.0]), tg.tensor([1.0, 1.0])
    b._array.flags.writeable = False
    before = copy.deepcopy(dict(optimizer.state))
    with pytest.raises(RuntimeError, match=r"parameter 0 of group 1, of shape \(2,\), is read-only"):
        optimizer.step()
    assert a.tolist() == [1.0] and b.tolist() == [2.0, 3.0]
    assert [{k: v.tolist() for k, v in s.items()} for s in before.values()] == [
        {k: v.tolist() for k, v in s.items()} for s in optimizer.state.values()
    ]
    b.grad = None  # what is not updated may be read-only
    optimizer.step()
    assert a.item() < 1


# -- groups ------------------------------------------------------------------------------------------------------------


def test_groups_have_options_of_their_own() -> None:
    a, b, c = (tg.tensor([1.0], requires_grad=True) for _ in "abc")
    given = [{"params": iter([a])}, {"params": b, "lr": 0.25, "momentum": 0.5, "name": "the last layer"}]
    optimizer = tg.optim.SGD(given, lr=0.5)
    optimizer.add_param_group({"params": (p for p in [c]), "lr": 0.125})
    assert "momentum" not in given[0]  # the caller's dicts stay the caller's
    for p in (a, b, c):
        p.grad = tg.tensor([1.0])
    optimizer.step()
    optimizer.step()
    assert (a.item(), b.item(), c.item()) == (0.0, 1 - 0.25 - 0.25 * 1.5, 0.75)
    assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.25, 0.125]
    assert [g["momentum"] for g in optimizer.param_groups] == [0, 0.5, 0]
    assert optimizer.param_groups[1]["name"] == "the last layer"
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert a.item() == 0.0 and c.item() == 0.625


def test_parameters_may_have_names() -> None:
    w, b = tg.zeros(2, requires_grad=True), tg.zeros(1, requires_grad=True)
    optimizer = tg.optim.Adam(iter([("weight", w), ("bias", b)]))
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"][1] is b
    saved = optimizer.state_dict()
    assert saved["param_groups"][0]["param_names"] == ["weight", "bias"]
    assert "    param_names: ['weight', 'bias']\n" in repr(optimizer)
    del saved["param_groups"][0]["param_names"]
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": tg.zeros(1, requires_grad=True)})
    with pytest.raises(ValueError, match="Some param names are missing"):
        tg.optim.SGD([("weight", w), b])


REPR = """\
SGD (
Parameter Group 0
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.1
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0

Parameter Group 1
    dampening: 0
    differentiable: False
    foreach: None
    fused: None
    lr: 0.01
    maximize: False
    momentum: 0
    nesterov: False
    weight_decay: 0
)"""


def test_the_text_is_pytorchs(torch: Any) -> None:
    for lib in (tg, torch):
        groups = [{"params": [lib.zeros(1, requires_grad=True)]}, {"params": [lib.zeros(1, requires_grad=True)], "lr": 0.01}]
        assert repr(lib.optim.SGD(groups, lr=0.1)) == REPR


# -- errors ------------------------------------------------------------------------------------------------------------

w0 = tg.zeros(2, requires_grad=True)
computed = w0 * 2
ERRORS: list[tuple[str, Options, Any, type[Exception], str]] = [
    ("SGD", {"lr": -0.1}, None, ValueError, "Invalid learning rate: -0.1"),
    ("SGD", {"momentum": -1}, None, ValueError, "Invalid momentum value: -1"),
    ("SGD", {"weight_decay": -1}, None, ValueError, "Invalid weight_decay value: -1"),
    ("SGD", {"nesterov": True}, None, ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, None, ValueError, "Nesterov momentum requires"),
    ("Adam", {"lr": -1.0}, None, ValueError, "Invalid learning rate: -1.0"),
    ("Adam", {"lr": float("nan")}, None, ValueError, "Invalid learning rate: nan"),
    ("Adam", {"eps": -1e-8}, None, ValueError, "Invalid epsilon value: -1e-08"),
    ("Adam", {"betas": (1.0, 0.9)}, None, ValueError, "Invalid beta parameter at index 0: 1.0"),
    ("Adam", {"betas": (0.9, -0.1)}, None, ValueError, "Invalid beta parameter at index 1: -0.1"),
    ("AdamW", {"weight_decay": -0.1}, None, ValueError, "Invalid weight_decay value: -0.1"),
    ("RMSprop", {"alpha": -1.0}, None, ValueError, "Invalid alpha value: -1.0"),
    ("RMSprop", {"momentum": -1.0}, None, ValueError, "Invalid momentum value: -1.0"),
    ("Adagrad", {"lr_decay": -1.0}, None, ValueError, "Invalid lr_decay value: -1.0"),
    ("Adagrad", {"initial_accumulator_value": -1.0}, None, ValueError, "Invalid initial_accumulator_value value: -1.0"),
    ("Adadelta", {"rho": 1.5}, None, ValueError, "Invalid rho value: 1.5"),
    ("Adamax", {"betas": (0.9, 1.5)}, None, ValueError, "Invalid beta parameter at index 1: 1.5"),
    ("SGD", {"learning_rate": 0.1}, None, TypeError, "unexpected keyword argument 'learning_rate'"),
    ("SGD", {}, [], ValueError, "optimizer got an empty parameter list"),
    ("SGD", {}, "tensor", TypeError, "params argument given to the optimizer should be an iterable of Tensors or dicts, but g"),
    ("SGD", {}, [[1.0, 2.0]], TypeError, "optimizer can only optimize Tensors, but one of the params is list"),
    ("SGD", {}, ["leaf", 3.0], TypeError, "optimizer can only optimize Tensors, but one of the params is float"),
    ("SGD", {}, ["computed"], ValueError, "can't optimize a non-leaf Tensor"),
    ("SGD", {}, [{"params": ["leaf"]}, {"params": ["leaf"]}], ValueError, "some parameters appear in more than one"),
    ("SGD", {}, [{"params": {"leaf"}}], TypeError, "optimizer parameters need to be organized in ordered collections"),
    ("SGD", {}, [{"params": ["leaf"]}, "leaf"], TypeError, "param_group must be a dict, but got"),
    ("SGD", {}, [{"lr": 0.1}], KeyError, "params"),
]


def meant(value: Any, leaf: Any, result: Any) -> Any:
    """The words "leaf", "tensor" and "computed" among the arguments, made tensors."""
    if isinstance(value, str):
        return {"leaf": leaf, "tensor": leaf, "computed": result}[value]
    if isinstance(value, dict):
        return {k: meant(v, leaf, result) if k == "params" else v for k, v in value.items()}
    return type(value)(meant(v, leaf, result) for v in value) if isinstance(value, (list, set)) else value


@pytest.mark.parametrize(("name", "options", "params", "kind", "words"), ERRORS, ids=[e[4][:50] for e in ERRORS])
def test_errors_have_pytorchs_type_and_words(name: str, options: Options, params: Any, kind: Any, words: str) -> None:
    given_ = [w0] if params is None else meant(params, w0, computed)
    with pytest.raises(kind) as ours:
        getattr(tg.optim, name)(given_, **options)
    assert words in str(ours.value)


@pytest.mark.parametrize(("name", "options", "params", "kind", "words"), ERRORS, ids=[e[4][:50] for e in ERRORS])
def test_the_errors_are_pytorchs(name: str, options: Options, params: Any, kind: Any, words: str, torch: Any) -> None:
    leaf = torch.zeros(2, requires_grad=True)
    with pytest.raises(kind) as theirs:
        getattr(torch.optim, name)([leaf] if params is None else meant(params, leaf, leaf * 2), **options)
    assert words in str(theirs.value)


def test_errors_of_our_own() -> None:
    with pytest.raises(ValueError, match="differentiable=True is not supported"):
        tg.optim.SGD([w0], differentiable=True)
    with pytest.raises(TypeError, match=r"lr must be a number, not Tensor.*`\.item\(\)`"):
        tg.optim.SGD([w0], lr=tg.tensor(0.1))
    with pytest.raises(TypeError, match="lr must be a number, not str"):
        tg.optim.Adam([w0], lr="0.1")
    with pytest.raises(ValueError, match="betas must be two numbers"):
        tg.optim.Adam([w0], betas=(0.9,))
    with pytest.raises(TypeError, match=r"should be an iterable.*write `\[w, b\]` or `model.parameters\(\)`"):
        tg.optim.SGD(3, lr=0.1)
    with pytest.raises(ValueError, match=r"computed by <MulBackward0>\. Make it a parameter of its own with `\.detach"):
        tg.optim.SGD([computed], lr=0.1)
    with pytest.raises(NotImplementedError, match=r"Optimizer has no step"):
        Optimizer([w0], {}).step()


def test_a_parameter_twice_in_one_group_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="optimizer contains a parameter group with duplicate parameters") as heard:
        optimizer = tg.optim.SGD([w0, w0], lr=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 2 and heard[0].category is UserWarning
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 0]


@pytest.mark.parametrize(
    "group",
    [
        {"params": [tg.zeros(1), 3.0]},
        {"params": [computed]},
        {"params": [tg.zeros(1), w0]},
        {"params": [tg.zeros(1)], "lr": -1.0},
        {"params": [tg.zeros(1)], "differentiable": True},
        {"params": [tg.zeros(1)], "nesterov": True},
        {"lr": 0.1},
        [tg.zeros(1)],
    ],
)
def test_a_group_that_is_refused_changes_nothing(group: Any) -> None:
    optimizer = tg.optim.SGD([w0], lr=0.1)
    before, given_ = repr(optimizer), dict(group) if isinstance(group, dict) else list(group)
    with pytest.raises((TypeError, ValueError, KeyError)):
        optimizer.add_param_group(group)
    assert repr(optimizer) == before and len(optimizer.param_groups) == 1
    assert (group.keys() == given_.keys()) if isinstance(group, dict) else group is not None


# -- saving and loading ------------------------------------------------------------------------------------------------


def across(value: Any, tensor: Callable[[Any], Any]) -> Any:
    """A state dict with every tensor of one framework made one of the other."""
    if isinstance(value, dict):
        return {k: across(v, tensor) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(across(v, tensor) for v in value)
    return tensor(value.detach().numpy()) if hasattr(value, "detach") else value


def halves(name: str, options: Options, first: Any, second: Any, carry: Callable[[Any], Any]) -> list[Array]:
    """20 steps in one framework, and after its state was carried over, 20 in the other."""
    gradients = list(pushes(40))
    parameters = [first.tensor(a, requires_grad=True) for a in starts()]
    optimizer = getattr(first.optim, name)(parameters, **options)
    for g in gradients[:20]:
        push(parameters, g, first.tensor)
        optimizer.step()
    saved = carry(optimizer.state_dict())
    parameters = [second.tensor(p.detach().numpy(), requires_grad=True) for p in parameters]
    optimizer = getattr(second.optim, name)(parameters)  # its options are loaded
    optimizer.load_state_dict(saved)
    for g in gradients[20:]:
        push(parameters, g, second.tensor)
        optimizer.step()
    return [p.detach().numpy() for p in parameters]


@each_case
def test_state_is_exchanged_with_pytorch(name: str, options: Options, torch: Any) -> None:
    whole, _ = run(name, options, 40)
    there = halves(name, options, tg, torch, lambda saved: across(saved, torch.tensor))
    back = halves(name, options, torch, tg, lambda saved: across(saved, tg.tensor))
    as_it_is = halves(name, options, torch, tg, lambda saved: saved)  # PyTorch's own tensors are taken too
    for a, b, c, d in zip(whole, there, back, as_it_is, strict=True):
        for other in (b, c, d):
            np.testing.assert_allclose(a, other, rtol=1e-12, atol=1e-13)


@each_case
def test_the_state_dict_is_pytorchs(name: str, options: Options, torch: Any) -> None:
    """The same keys in the same order, the same options, the same shapes and dtypes."""
    ours, theirs = (run(name, options, 2, np.float32, lib)[1].state_dict() for lib in (tg, torch))
    assert list(ours) == list(theirs) and ours["param_groups"] == theirs["param_groups"]
    assert [list(g) for g in ours["param_groups"]] == [list(g) for g in theirs["param_groups"]]
    assert {k: list(v) for k, v in ours["state"].items()} == {k: list(v) for k, v in theirs["state"].items()}


@each_case
def test_training_goes_on_where_it_was_saved(name: str, options: Options) -> None:
    """Through a deep copy, pickle and JSON of the options: the second half is that of the training in one piece, to the bit."""
    whole, _ = run(name, options, 40)

    def carried(saved: Options) -> Options:
        saved = pickle.loads(pickle.dumps(copy.deepcopy(saved)))
        return saved | {"param_groups": json.loads(json.dumps(saved["param_groups"]))}

    for a, b in zip(whole, halves(name, options, tg, tg, carried), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_state_dict_without_pytorch() -> None:
    """Its layout, written down: {"state": {number: {name: tensor}}, "param_groups": [{option: value, "params": [numbers]}]}."""
    a, b = (tg.zeros(2, requires_grad=True) for _ in "ab")
    optimizer = tg.optim.AdamW([{"params": [a]}, {"params": [b], "lr": 0.1}], amsgrad=True)
    b.grad = tg.ones(2)
    optimizer.step()
    saved = optimizer.state_dict()
    assert list(saved["state"]) == [1]
    assert list(saved["state"][1]) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    assert saved["state"][1]["exp_avg"] is optimizer.state[b]["exp_avg"]
    assert saved["state"][1]["step"].shape == () and saved["state"][1]["step"].dtype == tg.float32
    assert saved["param_groups"][1] == {
        "lr": 0.1, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0.01, "amsgrad": True, "maximize": False,
        "foreach": None, "capturable": False, "differentiable": False, "fused": None, "decoupled_weight_decay": True,
        "params": [1],
    }  # fmt: skip
    rms = tg.optim.RMSprop([b], momentum=0.9, centered=True)
    rms.step()
    assert list(rms.state[b]) == ["step", "square_avg", "momentum_buffer", "grad_avg"]
    momentum = tg.optim.SGD([b], lr=0.1, momentum=0.9)
    assert momentum.state_dict()["state"] == {}
    momentum.step()
    assert list(momentum.state[b]) == ["momentum_buffer"]
    assert list(tg.optim.Adagrad([b], initial_accumulator_value=2).state[b]) == ["step", "sum"]


def test_what_is_loaded_is_a_copy() -> None:
    _, optimizer = one(momentum=0.9)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["layers"] = [1, 2]
    x, other = one(momentum=0.9)
    other.load_state_dict(saved)
    other.param_groups[0]["lr"] = 7.0
    other.param_groups[0]["layers"].append(3)
    other.step()
    assert saved["param_groups"][0]["lr"] == 0.5 and saved["param_groups"][0]["layers"] == [1, 2]
    assert saved["state"][0]["momentum_buffer"].tolist() == [1.0]
    assert other.state[x]["momentum_buffer"].tolist() == pytest.approx([1.9])


def test_state_takes_the_dtype_of_its_parameter() -> None:
    parameters = leaves(starts(np.float64))
    optimizer = tg.optim.Adam(parameters)
    push(parameters, next(pushes(1)), tg.tensor)
    optimizer.step()
    half = leaves(starts(np.float32))
    other = tg.optim.Adam(half)
    other.load_state_dict(optimizer.state_dict())
    assert {str(t.dtype) for t in other.state[half[0]].values()} == {"float32"}
    optimizer.load_state_dict(other.state_dict())
    assert [str(t.dtype) for t in optimizer.state[parameters[0]].values()] == ["float32", "float64", "float64"]
    tg.set_default_dtype("float64")
    try:
        push(parameters, next(pushes(1)), tg.tensor)
        optimizer = tg.optim.Adam(parameters)
        optimizer.step()
        assert optimizer.state[parameters[0]]["step"].dtype == tg.float64  # as in PyTorch
    finally:
        tg.set_default_dtype("float32")


def test_older_states_are_understood() -> None:
    """The number of the step as a Python number, options that were not there yet, no velocity so far."""
    w = tg.ones(2, requires_grad=True)
    optimizer = tg.optim.Adam([w])
    arrays = {"exp_avg": np.zeros(2), "exp_avg_sq": np.zeros(2)}
    old = {"lr": 0.1, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0, "amsgrad": False, "params": [0]}
    optimizer.load_state_dict({"state": {0: {"step": 9, **arrays}}, "param_groups": [old]})
    w.grad = tg.ones(2)
    optimizer.step()
    assert optimizer.state[w]["step"].item() == 10 and optimizer.param_groups[0]["maximize"] is False
    plain = tg.optim.SGD([w], lr=0.1, momentum=0.5)
    plain.load_state_dict({"state": {0: {"momentum_buffer": None}}, "param_groups": plain.state_dict()["param_groups"]})
    plain.step()
    assert plain.state[w]["momentum_buffer"].tolist() == [1, 1]


BROKEN: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    ("no state", lambda s: {"param_groups": s["param_groups"]}, KeyError, "state: what is loaded must be the state_dict"),
    ("no groups", lambda s: {"state": {}}, KeyError, "param_groups"),
    ("a group more", lambda s: s | {"param_groups": s["param_groups"] * 2}, ValueError, "different number of parameter groups"),
    ("one parameter less", lambda s: s | {"param_groups": [s["param_groups"][0] | {"params": [0]}]}, ValueError,
     "doesn't match the size of optimizer's group"),
    ("a wrong option", lambda s: s | {"param_groups": [s["param_groups"][0] | {"lr": -1.0}]}, ValueError, "Invalid learning"),
    ("a wrong shape", lambda s: s | {"state": {0: s["state"][0] | {"exp_avg": tg.zeros(3)}}}, ValueError,
     "'exp_avg' of shape (3,) for a parameter of shape (2,)"),
    ("steps", lambda s: s | {"state": {0: s["state"][0] | {"step": tg.zeros(2)}}}, ValueError, "'step' of shape (2,)"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "kind", "words"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_state_that_does_not_fit_changes_nothing(spoil: Callable[[Any], Any], kind: Any, words: str) -> None:
    a, b = (tg.zeros(2, requires_grad=True) for _ in "ab")
    optimizer = tg.optim.Adam([a, b], lr=0.1)
    a.grad = b.grad = tg.ones(2)
    optimizer.step()
    broken, before = spoil(optimizer.state_dict()), copy.deepcopy(optimizer.state_dict())
    groups, state = optimizer.param_groups, optimizer.state
    with pytest.raises(kind) as caught:
        optimizer.load_state_dict(broken)
    assert words in str(caught.value)
    assert optimizer.param_groups is groups and optimizer.state is state
    assert str(optimizer.state_dict()) == str(before)


def test_an_optimizer_can_be_copied_and_pickled() -> None:
    w, optimizer = one(momentum=0.9)
    optimizer.register_step_pre_hook(lambda *_: None)
    optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        (p,) = twin.param_groups[0]["params"]
        assert p is not w and twin.state[p]["momentum_buffer"].tolist() == [1.0]
        p.grad = tg.tensor([1.0])
        twin.step()
        with twin.register_step_post_hook(lambda *_: None):
            StepLR(twin, 3)
        twin.zero_grad()
        assert p.tolist() == pytest.approx([1 - 0.5 - 0.5 * 1.9])
    assert w.tolist() == [0.5]


# -- hooks and your own ------------------------------------------------------------------------------------------------


def test_hooks_run_around_the_step() -> None:
    w, optimizer = one()
    said: list[Any] = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: said.append(("before", o is optimizer, w.item())))
    after = optimizer.register_step_post_hook(lambda o, args, kwargs: said.append(("after", args[0] is optimizer, w.item())))
    optimizer.step()
    assert said == [("before", True, 1.0), ("after", True, 0.5)]
    before.remove()
    optimizer.step()
    assert len(said) == 3
    after.remove()
    optimizer.step()
    assert len(said) == 3 and w.item() == -0.5


def test_a_hook_may_change_the_arguments() -> None:
    w, optimizer = one()
    calls: list[str] = []
    with optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o,), {"closure": lambda: calls.append("mine")})):
        optimizer.step(lambda: calls.append("given"))
    assert calls == ["mine"]
    with (
        optimizer.register_step_pre_hook(lambda *_: 3),
        pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kwargs\), but got 3"),
    ):
        optimizer.step()
    assert w.item() == 0.5


class Twice(tg.optim.SGD):
    """An optimiser that stands on another."""

    def step(self, closure: Any = None) -> Any:
        super().step()
        return super().step()


def test_hooks_run_once_for_an_optimizer_that_stands_on_another() -> None:
    w = tg.tensor([1.0], requires_grad=True)
    w.grad = tg.tensor([1.0])
    optimizer = Twice([w], lr=0.25)
    said: list[str] = []
    optimizer.register_step_post_hook(lambda *_: said.append("after"))
    optimizer.step()
    assert said == ["after"] and w.item() == 0.5


class Signs(Optimizer):
    """An optimiser as a PyTorch program writes its own."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @tg.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if len(state) == 0:
                    state["sum"], state["note"] = tg.zeros_like(p), ("a", tg.ones(5))
                state["sum"].add_(p.grad.sign())
                p.add_(state["sum"], alpha=-group["lr"])


def test_an_optimizer_of_ones_own() -> None:
    w = tg.tensor([3.0, -3.0], requires_grad=True)
    optimizer = Signs([w], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    assert w.tolist() == [1.5, -1.5]
    other = Signs([tg.zeros(2, requires_grad=True)])
    other.load_state_dict(optimizer.state_dict())  # its state may have any shape
    (state,) = other.state.values()
    assert state["sum"].tolist() == [2, -2] and state["note"][0] == "a" and state["note"][1].tolist() == [1] * 5
    assert repr(other) == "Signs (\nParameter Group 0\n    lr: 0.5\n)"
    optimizer.register_step_pre_hook(lambda *_: None)
    optimizer.step()


# -- what stays in memory ----------------------------------------------------------------------------------------------


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Reference cycles stay to be counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("name", ["SGD", "Adam"])  # all but SGD run the same loop
def test_1000_steps_leave_nothing_to_the_collector(name: str, collector_off: None) -> None:
    w, loss = problem(tg, np.float32)
    optimizer = getattr(tg.optim, name)(w)
    scheduler = StepLR(optimizer, 100)
    optimizer.register_step_post_hook(lambda *_: None)

    def steps(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            scheduler.step()

    steps(10)
    gc.collect()
    before = len(gc.get_objects())
    steps(1000)
    assert abs(len(gc.get_objects()) - before) < 20
    assert gc.collect() == 0


def test_an_optimizer_disappears_with_its_last_name(collector_off: None) -> None:
    """Hooks and schedulers make no cycle: reference counting alone frees an optimizer and its state."""
    w, optimizer = one(momentum=0.9)
    handle = optimizer.register_step_pre_hook(lambda *_: None)
    scheduler = StepLR(optimizer, 3)
    optimizer.step()
    scheduler.step()
    seen = weakref.ref(optimizer)
    del optimizer, scheduler, handle
    assert seen() is None and w.item() == 0.5


def test_overflow_warns_as_numpy_does() -> None:
    """A product that overflows is the user's own: NumPy's warning speaks."""
    w, optimizer = one(lr=1e30)
    w.grad = tg.tensor([1e30])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        optimizer.step()
    assert "overflow" in str(heard[0].message) and w.item() == -np.inf
