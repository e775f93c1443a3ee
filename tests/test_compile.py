"""compile: a step that runs as a NumPy program of its own does what the step does, and says so when it cannot."""

from __future__ import annotations

import dataclasses
import functools
import gc
import importlib.util
import linecache
import re
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import handwritten_s3_s4 as by_hand
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import tinygrad_fr as torch
from examples import s0_xor_layers as s0
from examples import s2_people as s2
from examples import s3_mnist_one_by_one as s3
from examples import s4_two_layers as s4
from tinygrad_fr import nn, operation, optim
from tinygrad_fr.compiler import blocks
from tinygrad_fr.nn import functional as F
from tinygrad_fr.operation import operation as declared

NUMBA = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba: pip install '.[jit]'")
BACKENDS = ["numpy", pytest.param("numba", marks=NUMBA)]

COMPILER = Path(torch.__file__).parent / "compiler"

Net = Callable[[], nn.Module]


def xor_net(dtype: Any = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1), nn.Tanh()).to(dtype)


X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
Y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])


class Setup:
    """A model, an optimiser, and a step, compiled or not."""

    def __init__(
        self,
        compiled: bool,
        make: Callable[[], Any] = xor_net,
        optimizer: Any = optim.SGD,
        criterion: Any = None,
        clear: str = "first",
        backend: str = "numpy",
        **options: Any,
    ) -> None:
        options.setdefault("lr", 0.1)
        self.net = make()
        self.opt = optimizer(self.net.parameters(), **options)
        net, opt, criterion = self.net, self.opt, criterion or nn.MSELoss()

        def step(x: Any, y: Any) -> Any:
            if clear == "first":
                opt.zero_grad()
            elif clear == "zeros":
                opt.zero_grad(set_to_none=False)
            loss = criterion(net(x), y)
            loss.backward()
            opt.step()
            if clear == "last":
                opt.zero_grad()
            return loss

        self.eager = step
        self.step = torch.compile(step, backend=backend) if compiled else step

    def state(self) -> dict[str, Any]:
        """Everything that a step changes."""
        found = {name: p.detach().numpy().copy() for name, p in self.net.state_dict().items()}
        for name, p in self.net.named_parameters():
            found[f"{name}.grad"] = None if p.grad is None else p.grad.numpy().copy()
        for i, entries in self.opt.state_dict()["state"].items():
            found |= {f"{i}.{key}": np.array(v) for key, v in entries.items()}
        return found


def same(one: dict[str, Any], other: dict[str, Any], units: float = 4) -> None:
    """The same entries, equal to a few units in the last place of the largest number."""
    assert one.keys() == other.keys()
    for name, a in one.items():
        b = other[name]
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.shape == b.shape and a.dtype == b.dtype
            near(a, b, units, name)


def near(a: Any, b: Any, units: float, name: str = "") -> None:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind != "f":
        assert np.array_equal(a, b), name
        return
    tolerance = units * np.finfo(a.dtype).eps
    np.testing.assert_allclose(
        a, b, rtol=tolerance, atol=tolerance * max(1.0, float(np.max(np.abs(b), initial=0))), err_msg=name
    )


def both(steps: int = 5, batches: Any = ((X, Y),), units: float = 16, **setup: Any) -> tuple[Setup, Setup]:
    """Train twice, eager and compiled, and compare all there is after each step."""
    eager, compiled = Setup(False, **setup), Setup(True, **setup)
    for i in range(steps):
        x, y = batches[i % len(batches)]
        torch.manual_seed(i)
        a = eager.step(x, y)
        after = torch.get_rng_state()
        torch.manual_seed(i)
        b = compiled.step(x, y)
        assert torch.equal(after, torch.get_rng_state())
        near(a.detach().numpy(), b.numpy(), units, "loss")
        same(compiled.state(), eager.state(), units)
    assert compiled.step.traces
    return eager, compiled


# -- the same as eager -------------------------------------------------------------------------------------------------

ACTIVATIONS = [
    nn.Tanh, nn.Sigmoid, nn.ReLU, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus, nn.Softsign, nn.LogSigmoid,
    nn.Hardtanh, nn.SELU, nn.Mish, nn.ReLU6, nn.PReLU, nn.Softshrink, nn.Hardswish, nn.CELU, nn.Tanhshrink,
]  # fmt: skip

OPTIMIZERS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    (optim.SGD, {"momentum": 0.5, "dampening": 0.1, "maximize": True}),
    (optim.Adam, {}),
    (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.AdamW, {}),
    (optim.RMSprop, {}),
    (optim.RMSprop, {"momentum": 0.5, "centered": True}),
    (optim.Adagrad, {"lr_decay": 0.1}),
    (optim.Adadelta, {}),
    (optim.Adamax, {}),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.__name__)
def test_every_activation(activation: Any, backend: str) -> None:
    def make() -> Any:
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(2, 4), activation(), nn.Linear(4, 1)).double()

    both(make=make, batches=[(X.double(), Y.double())], backend=backend, units=64)


@pytest.mark.parametrize(
    ("clear", "backend"),
    [("first", "numpy"), ("last", "numpy"), ("zeros", "numpy"), ("never", "numpy"), pytest.param("last", "numba", marks=NUMBA)],
)
@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS, ids=lambda o: getattr(o, "__name__", str(o)))
def test_every_optimizer_and_every_way_to_forget_gradients(
    optimizer: Any, options: dict[str, Any], clear: str, backend: str
) -> None:
    units = 1e4 if "centered" in options else 64  # the root of a difference, v − m², magnifies what was rounded
    data = [(X.double(), Y.double())]
    setup = {"make": lambda: xor_net(torch.float64), "batches": data, "optimizer": optimizer, "clear": clear}
    both(units=units, backend=backend, **setup, **options)


LOSSES = {
    "mse": (nn.MSELoss, 1, lambda r: r.randn(4, 1)),
    "l1": (nn.L1Loss, 1, lambda r: r.randn(4, 1)),
    "huber": (nn.HuberLoss, 1, lambda r: r.randn(4, 1)),
    "bce": (nn.BCELoss, 1, lambda r: r.rand(4, 1)),
    "logits": (nn.BCEWithLogitsLoss, 1, lambda r: r.rand(4, 1)),
    "classes": (nn.CrossEntropyLoss, 3, lambda r: r.randint(0, 3, 4)),
    "probabilities": (nn.CrossEntropyLoss, 3, lambda r: r.rand(4, 3)),
}


def wanted(loss: str, seed: int = 0) -> Any:
    values = LOSSES[loss][2](np.random.RandomState(seed))
    return torch.from_numpy(values)


@pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS, ids=lambda o: getattr(o, "__name__", str(o)))
def test_large_updates_run_a_few_rows_at_a_time(
    optimizer: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers, bit for bit, in a loop; what is large is small here, and rows may be left at the end."""
    whole = Setup(True, optimizer=optimizer, **options)
    before = [(whole.step(X, Y), whole.state())[1] for _ in range(4)]
    monkeypatch.setattr(blocks, "LARGE", 2)
    monkeypatch.setattr(blocks, "BLOCK", 4)
    by_rows = Setup(True, optimizer=optimizer, **options)
    for state in before:
        by_rows.step(X, Y)
        same(by_rows.state(), state, 0)
    assert re.search(r"\n +for \w+ in range\(0, 13, 4\):\n", by_rows.step.source())


def test_what_cannot_run_row_by_row_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view in another order that an update reads, of an array that it writes: all rows are read before one is written."""
    monkeypatch.setattr(blocks, "LARGE", 2)
    monkeypatch.setattr(blocks, "BLOCK", 3)
    start = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)

    def make() -> tuple[Any, Any]:
        w = torch.tensor(start, requires_grad=True)

        def step(x: Any) -> Any:
            loss = (w * x).sum()
            w.grad = None
            loss.backward()
            with torch.no_grad():
                w.sub_(w.T * 0.5)
                w.mul_(0.9)
                w.add_(w.flip(0) * w.grad)
                w.sub_(w * 0.1 + w.T * w)
            return loss

        return w, step

    (w, eager), (v, step) = make(), make()
    compiled = torch.compile(step)
    for k in range(4):
        x = torch.full((3, 3), 0.1 * k)
        near(compiled(x)._array, eager(x)._array, 8)
        near(v._array, w._array, 8)


def test_a_large_layer_is_updated_bit_for_bit_as_in_eager() -> None:
    rows = np.random.default_rng(1).normal(size=(4, 263)).astype(np.float32)
    wanted = np.zeros((4, 509), np.float32)

    def make() -> Any:
        torch.manual_seed(0)
        return nn.Linear(263, 509)  # more than the cache holds, and a prime number of rows

    batch = torch.from_numpy(rows), torch.from_numpy(wanted)
    eager, compiled = Setup(False, make, momentum=0.9), Setup(True, make, momentum=0.9)
    for _ in range(3):
        eager.step(*batch)
        compiled.step(*batch)
    assert "n = min(249, 509 - i)" in compiled.step.source()
    same(compiled.state(), eager.state(), 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str, backend: str) -> None:
    def make() -> Any:
        torch.manual_seed(2)
        end = [nn.Sigmoid()] if loss == "bce" else []
        return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, LOSSES[loss][1]), *end).double()

    batches = [(X.double(), wanted(loss)), (X.double() + 1, wanted(loss, 1))]
    both(make=make, criterion=LOSSES[loss][0](), batches=batches, steps=6, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("extra", [lambda: nn.Dropout(0.3), lambda: nn.BatchNorm1d(4), lambda: nn.LayerNorm(4),
                                   lambda: nn.BatchNorm1d(4, momentum=None)],
                         ids=["dropout", "batch norm", "layer norm", "cumulative"])  # fmt: skip
def test_layers_with_a_state_or_with_chance(extra: Callable[[], Any], backend: str) -> None:
    def make() -> Any:
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(2, 4), extra(), nn.ReLU(), nn.Linear(4, 1)).double()

    both(make=make, batches=[(X.double(), Y.double())], momentum=0.9, steps=6, backend=backend)


class Tree(nn.Module):
    """Shared weights, a branch, a skip, and a buffer."""

    def __init__(self, width: int, depth: int, activation: str) -> None:
        super().__init__()
        self.first = nn.Linear(2, width)
        self.shared = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)
        self.depth, self.activation = depth, activation
        self.register_buffer("seen", torch.zeros(width))

    def forward(self, x: Any) -> Any:
        act = getattr(torch, self.activation)
        h = act(self.first(x))
        for _ in range(self.depth):
            h = h + act(self.shared(h))
        with torch.no_grad():
            self.seen += h.mean(0)
        return self.last(h) * torch.sigmoid(h[:, :1])


MODELS = {
    "width": st.integers(1, 5),
    "depth": st.integers(0, 4),
    "activation": st.sampled_from(["tanh", "sigmoid", "relu"]),
    "loss": st.sampled_from(["mse", "l1", "logits"]),
    "optimizer": st.sampled_from(OPTIMIZERS),
    "clear": st.sampled_from(["first", "last", "zeros", "never"]),
    "batch": st.integers(1, 4),
}


def compare_models(width: int, depth: int, activation: str, loss: str, optimizer: Any, batch: int, **setup: Any) -> None:
    """Train a random model eagerly and compiled."""

    def make() -> Any:
        torch.manual_seed(width + depth)
        return Tree(width, depth, activation).double()

    cls, options = optimizer
    x, y = X[:batch].double() - 0.3, wanted(loss)[:batch]
    options = {"lr": 0.01, "units": 1e4, **options, **setup}
    both(make=make, criterion=LOSSES[loss][0](), optimizer=cls, batches=[(x, y)], steps=4, **options)


@settings(max_examples=12)
@given(**MODELS)
def test_random_models(**model: Any) -> None:
    compare_models(**model)


@NUMBA
@settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # each takes seconds to compile: none is shrunk
@given(**MODELS)
def test_random_models_in_loops(**model: Any) -> None:
    compare_models(**model, backend="numba")


def test_plain_numpy_calls_of_eager_give_the_same_bits() -> None:
    def run(compiled: bool) -> Any:
        w = torch.tensor([[0.3, -0.2], [0.5, 0.1]], requires_grad=True)

        def step(x: Any) -> Any:
            loss = torch.sin(x * w).exp().sum()
            loss.backward()
            with torch.no_grad():
                w.sub_(w.grad, alpha=0.1)
                w.grad = None
            return loss

        step = torch.compile(step) if compiled else step
        return [step(X[:2]).item() for _ in range(5)], w.detach().numpy()

    (losses, w), (others, v) = run(False), run(True)
    assert losses == others and np.array_equal(w, v)


# -- options, modes, shapes: when another program is made --------------------------------------------------------------


def test_a_learning_rate_may_change_without_another_program() -> None:
    eager, compiled = Setup(False, momentum=0.9), Setup(True, momentum=0.9)
    schedules = [optim.lr_scheduler.ExponentialLR(s.opt, 0.5) for s in (eager, compiled)]
    for _ in range(6):
        for setup, schedule in zip((eager, compiled), schedules, strict=True):
            setup.step(X, Y)
            schedule.step()
        same(compiled.state(), eager.state(), 32)
    assert len(compiled.step.traces) == 1


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.RMSprop, optim.Adagrad], ids=lambda o: o.__name__)
def test_a_learning_rate_of_other_optimizers(optimizer: Any) -> None:
    eager, compiled = Setup(False, optimizer=optimizer), Setup(True, optimizer=optimizer)
    for i in range(6):
        for setup in (eager, compiled):
            setup.opt.param_groups[0]["lr"] = 0.1 / (i + 1)
            setup.step(X, Y)
        same(compiled.state(), eager.state(), 64)
    assert len(compiled.step.traces) <= 2


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (optim.SGD, {"momentum": 0.9}),
        (optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (optim.Adam, {}),
        (optim.AdamW, {"betas": (0.9, 0.99)}),
    ],
    ids=str,
)
def test_one_cycle_moves_the_momentum_without_another_program(optimizer: Any, options: dict[str, Any], anneal: str) -> None:
    setups = [Setup(False, optimizer=optimizer, **options), Setup(True, optimizer=optimizer, **options)]
    schedulers = [optim.lr_scheduler.OneCycleLR(s.opt, 0.1, total_steps=20, anneal_strategy=anneal) for s in setups]
    for _ in range(15):
        for setup, scheduler in zip(setups, schedulers, strict=True):
            setup.step(X, Y)
            scheduler.step()
        same(setups[1].state(), setups[0].state(), 256)
    assert len(setups[1].step.traces) == 1
    group = setups[1].opt.param_groups[0]
    name = "beta1" if "betas" in group else "momentum"
    assert f"\n{name} = " in setups[1].step.source()
    if name == "beta1":  # the other one is a constant of the program
        for setup in setups:
            setup.opt.param_groups[0]["betas"] = (0.9, 0.5)
            setup.step(X, Y)
        same(setups[1].state(), setups[0].state(), 256)
        assert len(setups[1].step.traces) == 2


@pytest.mark.parametrize("columns", [2, 10, 64, 65])
def test_extremes_of_short_rows(columns: int) -> None:
    """Taken down the columns of a copy, they are the same bits, nan included."""
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(40, columns)).astype(np.float32))
    x[3, 0], x[5, columns - 1] = float("nan"), -float("inf")

    def step(x: Any) -> Any:
        return torch.amax(x * 1, 1), torch.amin(x * 1, -1), torch.softmax(x[10:] * 1, 1), torch.amax(x[:31] * 1, 1)

    compiled = torch.compile(step)
    compiled(x)
    for found, expected in zip(compiled(x), step(x), strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert (".T.copy(), axis=0" in compiled.source()) == (columns <= 64)


def test_an_option_that_changes_makes_another_program() -> None:
    eager, compiled = Setup(False, momentum=0.9), Setup(True, momentum=0.9)
    for momentum in (0.9, 0.9, 0.9, 0.5, 0.5, 0.9):
        for setup in (eager, compiled):
            setup.opt.param_groups[0]["momentum"] = momentum
            setup.step(X, Y)
        same(compiled.state(), eager.state(), 32)
    assert len(compiled.step.traces) == 2


def test_shapes_and_dtypes_of_arguments() -> None:
    _, compiled = both(batches=[(X, Y), (X[:2], Y[:2]), (X[:1], Y[:1])], steps=9, clear="last")
    assert len(compiled.step.traces) == 3


def test_python_arguments_and_keywords() -> None:
    w = torch.tensor([1.0, 2.0])

    @torch.compile
    def scaled(x: Any, factor: float, *, sign: bool = True) -> Any:
        return w * x * factor if sign else -(w * x * factor)

    one = torch.tensor([1.0, 1.0])
    for _ in range(2):
        assert scaled(one, 2.0).tolist() == [2, 4]
        assert scaled(one, 3.0).tolist() == [3, 6]
        assert scaled(one, 3.0, sign=False).tolist() == [-3, -6]
        assert scaled(factor=1, x=one).tolist() == [1, 2]
    assert len(scaled.traces) == 4


def test_nested_arguments_and_results() -> None:
    w = torch.tensor([2.0], requires_grad=True)

    @torch.compile
    def step(batch: Any, extra: dict[str, Any]) -> Any:
        x, y = batch
        out = w * x
        return {"out": out, "pair": (out - y, 3), "same": x, "w": w, "array": out.detach().numpy()}

    x, y = torch.tensor([1.0]), torch.tensor([5.0])
    for _ in range(3):
        found = step((x, y), {"z": y})
        assert found["out"].tolist() == [2] and found["pair"][0].tolist() == [-3] and found["pair"][1] == 3
        assert found["same"] is x and found["w"] is w and isinstance(found["array"], np.ndarray)
    assert len(step.traces) == 1


def test_a_result_is_not_overwritten_by_the_next_call() -> None:
    w = torch.tensor([1.0, 2.0])

    @torch.compile
    def step(x: Any) -> Any:
        h = w * x
        return h, h, h.view(2, 1), x + 0

    kept = [step(torch.tensor([float(i), 1.0])) for i in range(4)]
    for i, (a, b, c, d) in enumerate(kept):
        assert a.tolist() == b.tolist() == [i, 2] and c.tolist() == [[i], [2]] and d.tolist() == [i, 1]
        a += 1
        assert b.tolist() == [i, 2]


def test_train_and_eval() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    predict = torch.compile(lambda x: net(x))
    for mode in (True, True, False, False, True):
        net.train(mode)
        torch.manual_seed(1)
        before = {k: v.clone() for k, v in net.state_dict().items()}
        expected = net(X).detach()
        net.load_state_dict(before)
        torch.manual_seed(1)
        near(predict(X).numpy(), expected.numpy(), 8)


def test_inference() -> None:
    net = xor_net()

    @torch.compile
    def predict(x: Any) -> Any:
        with torch.no_grad():
            return net(x)

    for _ in range(3):
        near(predict(X).numpy(), net(X).detach().numpy(), 4)
    assert not predict(X).requires_grad
    with torch.no_grad():
        near(predict(X).numpy(), net(X).numpy(), 4)
    assert len(predict.traces) == 2
    assert torch.compile(net)(X).shape == (4, 1)


def test_a_model_of_another_dtype_or_with_other_arrays() -> None:
    setup = Setup(True, clear="last")
    eager = Setup(False, clear="last")
    for _ in range(2):
        setup.step(X, Y), eager.step(X, Y)
    for s in (setup, eager):
        s.net.double()
    for _ in range(2):
        near(setup.step(X.double(), Y.double()).numpy(), eager.step(X.double(), Y.double()).detach().numpy(), 1e8)
    fresh = {k: v.clone() * 0.5 for k, v in eager.net.state_dict().items()}
    for s in (setup, eager):
        s.net.load_state_dict({k: v.clone() for k, v in fresh.items()}, assign=True)
        s.opt = optim.SGD(s.net.parameters(), lr=0.1)
    for p, q in zip(setup.net.parameters(), eager.net.parameters(), strict=True):
        p.data = q.data.clone()
    predict = torch.compile(lambda x: setup.net(x))
    near(predict(X.double()).numpy(), eager.net(X.double()).detach().numpy(), 8)
    setup.net[0].weight.data = setup.net[0].weight.data * 2
    near(predict(X.double()).numpy(), setup.net(X.double()).detach().numpy(), 8)
    setup.net[1] = nn.ReLU()
    near(predict(X.double()).numpy(), setup.net(X.double()).detach().numpy(), 8)
    with torch.no_grad():
        setup.net[0].weight.mul_(3)
    near(predict(X.double()).numpy(), setup.net(X.double()).detach().numpy(), 8)


def test_a_python_value_that_the_step_reads() -> None:
    class Box:
        factor = 2.0

    box, other = Box(), {"shift": 1.0}
    power = 1

    @torch.compile
    def step(x: Any) -> Any:
        return (x * box.factor + other["shift"]) ** power

    x = torch.tensor([3.0])
    assert step(x).item() == 7
    box.factor = 3.0
    assert step(x).item() == 10
    other["shift"] = 0.0
    assert step(x).item() == 9
    power = 2
    assert step(x).item() == 81
    Box.factor = 5.0
    del box.factor
    assert step(x).item() == 225


def test_frozen_parameters() -> None:
    eager, compiled = Setup(False), Setup(True)
    for s in (eager, compiled):
        s.step(X, Y), s.step(X, Y), s.step(X, Y)
        s.net[0].weight.requires_grad_(False)
        s.net[0].weight.grad = None
        s.step(X, Y), s.step(X, Y)
        s.net[0].weight.requires_grad_(True)
        s.step(X, Y)
    same(compiled.state(), eager.state(), 64)


def test_layers_that_come_go_and_change() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    compiled = torch.compile(lambda x: net(x))
    changes: list[Callable[[], Any]] = [
        lambda: net.append(nn.Tanh()),
        lambda: net.__delitem__(1),
        lambda: net.__setitem__(0, nn.Linear(2, 3)),
        lambda: net[0].register_forward_hook(lambda module, args, y: 2 * y),
        lambda: net.insert(0, nn.Tanh()),
        lambda: net._modules.__setitem__("0", nn.Sigmoid()),
        lambda: setattr(net[1], "bias", None),
        lambda: setattr(net[2], "forward", torch.relu),
    ]
    with torch.no_grad():
        for change in changes:
            before = compiled(X)
            assert torch.allclose(compiled(X), before, atol=1e-6)
            change()
            assert torch.allclose(compiled(X), net(X), atol=1e-6)
            other = net(X).shape != before.shape or not torch.allclose(net(X), before, atol=1e-3)
            assert other or change is changes[-1]


def test_a_step_that_draws_inside_another() -> None:
    inner = torch.compile(lambda: torch.randn(3))
    inner()
    outer = torch.compile(lambda x: x + inner())
    torch.manual_seed(0)
    found = [outer(torch.zeros(3)) for _ in range(2)]
    torch.manual_seed(0)
    assert all(torch.equal(a, torch.randn(3)) for a in found)


def test_a_refused_draw_leaves_everything_as_it_was() -> None:
    count = torch.zeros(3)

    @torch.compile
    def step(x: Any) -> Any:
        count.add_(1.0)
        return torch.bernoulli(torch.rand(3) * x)

    for _ in range(2):
        step(torch.tensor(0.5))
    state, before = torch.get_rng_state(), count.clone()
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        step(torch.tensor(50.0))
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(before, count)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_check_of_what_the_step_has_written(backend: str) -> None:
    """The check reads the new value, and yet comes before the old one is overwritten: a call that is refused, or that is
    recorded anew, has changed nothing."""

    def step_of(w: Any) -> Any:
        def step(x: Any) -> Any:
            w.add_(1.0)
            return F.cross_entropy(x, torch.where(w > 2.5, torch.tensor([-100, 0]), torch.tensor([0, 0])))

        return step

    one, other = torch.zeros(2), torch.zeros(2)
    eager, compiled = step_of(one), torch.compile(step_of(other), backend=backend)
    for _ in range(5):
        near(compiled(torch.eye(2)).numpy(), eager(torch.eye(2)).numpy(), 4)
        assert torch.equal(one, other)
    chance = torch.tensor(0.0)

    @torch.compile(backend=backend)
    def draw(x: Any) -> Any:
        chance.add_(0.25)
        return torch.bernoulli(chance * x)

    for _ in range(3):
        draw(torch.tensor(1.0))
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        draw(torch.tensor(2.0))
    assert chance.item() == 0.75
    draw(torch.tensor(1.0))
    assert chance.item() == 1.0


def test_the_cache_is_bounded_and_says_when_it_is_of_no_use() -> None:
    w = torch.tensor([1.0])
    step = torch.compile(lambda x, i: w * x * i)
    with pytest.warns(UserWarning, match="recorded 32 times"):
        for i in range(40):
            assert step(torch.tensor([1.0]), float(i)).item() == i
    assert len(step.traces) == 8


def test_the_same_tensor_for_two_arguments() -> None:
    w = torch.tensor([1.0])
    step = torch.compile(lambda a, b: w * a - b)
    x, y = torch.tensor([3.0]), torch.tensor([1.0])
    assert [step(x, y).item(), step(x, x).item(), step(x, y).item(), step(y, y).item()] == [2, 0, 2, 0]


def test_state_among_the_arguments() -> None:
    net = xor_net()
    opt = optim.SGD(net.parameters(), lr=0.1)

    @torch.compile
    def step(net: Any, opt: Any, x: Any, y: Any) -> Any:
        loss = F.mse_loss(net(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
        return loss

    eager = Setup(False, clear="last")
    for _ in range(4):
        near(step(net, opt, X, Y).numpy(), eager.step(X, Y).detach().numpy(), 16)
    assert len(step.traces) == 1


def test_a_method() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.w = torch.tensor([1.0], requires_grad=True)

        @torch.compile
        def step(self, x: Any) -> Any:
            loss = (self.w * x).sum()
            loss.backward()
            with torch.no_grad():
                self.w -= self.w.grad
                self.w.grad = None
            return loss

    one, two = Trainer(), Trainer()
    assert [one.step(torch.tensor([1.0])).item() for _ in range(3)] == [1, 0, -1]
    assert [two.step(torch.tensor([2.0])).item() for _ in range(2)] == [2, -2]
    assert one.w.item() == -2


def test_a_closure() -> None:
    def run(compiled: bool) -> Any:
        net = xor_net()
        opt = optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            def closure() -> Any:
                opt.zero_grad()
                loss = F.mse_loss(net(x), y)
                loss.backward()
                return loss

            return opt.step(closure)

        step = torch.compile(step) if compiled else step
        return [step(X, Y).item() for _ in range(4)]

    near(np.array(run(True), np.float32), np.array(run(False), np.float32), 8)


def test_gradient_clipping_and_two_groups() -> None:
    def run(compiled: bool) -> Any:
        net = xor_net(torch.float64)
        opt = optim.SGD([{"params": net[0].parameters(), "lr": 0.5}, {"params": net[2].parameters()}], lr=0.1, momentum=0.9)

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), 0.1)
            opt.step()
            return loss, norm

        step = torch.compile(step) if compiled else step
        return [[t.item() for t in step(X.double(), Y.double())] for _ in range(5)]

    near(np.array(run(True)), np.array(run(False)), 64)


def test_an_optimizer_of_the_users_own() -> None:
    class Signs(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            for group in self.param_groups:
                for p in group["params"]:
                    p -= group["lr"] * p.grad.sign()

    eager, compiled = Setup(False, optimizer=Signs), Setup(True, optimizer=Signs)
    for i in range(5):
        for s in (eager, compiled):
            s.opt.param_groups[0]["lr"] = 0.1 if i < 3 else 0.05
            s.step(X, Y)
        same(compiled.state(), eager.state(), 8)


def test_random_numbers_are_those_of_eager() -> None:
    w = torch.tensor([1.0, 2.0, 3.0])

    def step(x: Any) -> Any:
        noise = torch.randn(3) * 0.1 + torch.rand_like(x)
        return w * x + noise, torch.randint(0, 10, (4,)), torch.empty(3).normal_(), torch.randperm(5)

    compiled = torch.compile(step)
    torch.manual_seed(0)
    expected = [step(X[0, :1].expand(3) + 1) for _ in range(3)]
    torch.manual_seed(0)
    for parts in expected:
        for a, b in zip(parts, compiled(X[0, :1].expand(3) + 1), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weights_smoothing_and_ignored_labels(weighted: bool, smoothing: float, reduction: str) -> None:
    weight = torch.tensor([0.2, 1.0, 3.0], dtype=torch.float64) if weighted else None
    criterion = nn.CrossEntropyLoss(weight, label_smoothing=smoothing, reduction=reduction)

    def make() -> Any:
        torch.manual_seed(2)
        return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3)).double()

    labels = [[0, 1, 2, 1], [1, -100, 0, 2], [-100, 2, 2, -100]]
    batches = [(X.double(), torch.tensor(numbers)) for numbers in labels]
    _, compiled = both(make=make, criterion=criterion, batches=batches, steps=9, clear="last", units=64)
    plain = not weighted and not smoothing and reduction == "mean"  # a formula of its own where no label is ignored
    assert len(compiled.step.traces) == (2 if plain else 1)
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        compiled.step(X.double(), torch.tensor([0, 1, 3, 0]))


def test_draws_from_probabilities_that_the_step_computes() -> None:
    w = torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]])

    def step(x: Any) -> Any:
        p = torch.softmax(w * x, 1)
        rows = torch.multinomial(p, 2), torch.multinomial(p, 4, replacement=True)
        return torch.bernoulli(p), *rows, torch.normal(p, p), torch.empty(2, 3).bernoulli_(p), torch.rand_like(p) < p

    inputs = [torch.full((2, 3), float(k)) for k in range(4)]
    torch.manual_seed(0)
    expected = [step(x) for x in inputs]
    torch.manual_seed(0)
    compiled = torch.compile(step)
    for x, parts in zip(inputs, expected, strict=True):
        for a, b in zip(parts, compiled(x), strict=True):
            assert torch.equal(a, b)
    assert len(compiled.traces) == 1


def test_a_draw_refuses_what_is_no_probability_at_each_call() -> None:
    step = torch.compile(lambda p: torch.bernoulli(p))
    step(torch.tensor([0.5, 0.5]))
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="a probability lies between 0 and 1"):
        step(torch.tensor([0.5, 1.5]))
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_of_rows_that_are_read_twice(tmp_path: Path) -> None:
    def make() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Embedding(5, 2, padding_idx=0), nn.Linear(2, 1)).double()

    rows = torch.tensor([0, 1, 3, 3]), torch.tensor([4, 4, 4, 0])
    _, compiled = both(make=make, batches=[(i, Y.double()) for i in rows], clear="last")
    compiled.step.save(tmp_path / "step.py")
    space: dict[str, Any] = {}
    exec((tmp_path / "step.py").read_text(encoding="utf-8"), space)
    near(space["step"](rows[0].numpy(), Y.double().numpy()), compiled.step(rows[0], Y.double()).numpy(), 0)


def test_an_empty_batch_and_anomaly_detection() -> None:
    def make() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))

    both(make=make, batches=[(X[:0], Y[:0])], criterion=lambda out, y: out.sum(), clear="last")
    w = torch.tensor([4.0, 1.0], requires_grad=True)

    @torch.compile
    def step(x: Any) -> Any:
        with torch.autograd.detect_anomaly():
            (g,) = torch.autograd.grad(torch.sqrt(w * x).sum(), w)
        return g

    for _ in range(3):
        assert step(torch.tensor([1.0, 4.0])).tolist() == [0.25, 1.0]


def test_two_compiled_steps_and_eager_ones_on_one_model() -> None:
    eager, mixed = Setup(False, momentum=0.9), Setup(True, momentum=0.9)
    second = torch.compile(mixed.eager)
    for i in range(12):
        eager.step(X, Y)
        (mixed.step, second, mixed.eager)[i % 3](X, Y)
        same(mixed.state(), eager.state(), 128)


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_threads_share_a_step(backend: str) -> None:
    """No call is lost and none is half done: a program has one memory."""
    total = torch.zeros(3)

    @functools.partial(torch.compile, backend=backend)
    def step(x: Any) -> Any:
        total.add_(x * x)
        return (total * 0 + x).sum()

    wrong = []

    def work(value: float) -> None:
        x = torch.full((3,), value)
        wrong.extend(y for y in (step(x).item() for _ in range(2000)) if y != 3 * value)

    step(torch.zeros(3))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(float(k),)) for k in (1, 2, 3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert total.tolist() == [2000 * (1 + 4 + 9)] * 3


def test_threads() -> None:
    def train(compiled: bool, seed: int, out: dict[int, Any]) -> None:
        torch_net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        with torch.no_grad():
            for k, p in enumerate(torch_net.parameters()):
                p.copy_(torch.from_numpy(np.random.RandomState(seed + k).randn(*p.shape).astype(np.float32)))
        opt = optim.SGD(torch_net.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            opt.zero_grad()
            loss = F.mse_loss(torch_net(x), y)
            loss.backward()
            opt.step()
            return loss

        run = torch.compile(step) if compiled else step
        out[seed] = [run(X, Y).item() for _ in range(30)]

    expected: dict[int, Any] = {}
    found: dict[int, Any] = {}
    for seed in range(4):
        train(False, seed, expected)
    threads = [threading.Thread(target=train, args=(seed % 2 == 0, seed, found)) for seed in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found.keys() == expected.keys()
    for seed in found:
        near(np.array(found[seed], np.float32), np.array(expected[seed], np.float32), 64)


def test_a_new_operation_compiles(registry: None) -> None:
    @declared(
        "hyp",
        r"\sqrt{{x}^2 + {other}^2}",
        broadcasts=True,
        floats=True,
        domain=(0.5, 3.0),
        dx=lambda g, x, y: g * x / y,
        dother=lambda g, other, y: g * other / y,
    )
    def hyp(x: Any, other: Any) -> Any:
        return np.hypot(x, other)

    def run(compiled: bool) -> Any:
        w = torch.tensor([3.0, 1.0], dtype=torch.float64, requires_grad=True)

        def step(x: Any) -> Any:
            loss = hyp(w, x).sum()
            loss.backward()
            with torch.no_grad():
                w.sub_(0.1 * w.grad)
                w.grad = None
            return loss

        f = torch.compile(step) if compiled else step
        return [f(torch.tensor([4.0, 1.0], dtype=torch.float64)).item() for _ in range(4)], f

    (expected, _), (found, step) = run(False), run(True)
    near(np.array(found), np.array(expected), 4)
    assert "hypot(" in step.source()


@pytest.fixture
def registry() -> Iterator[None]:
    kept = [(table, dict(table)) for table in (operation.REGISTRY, operation.NUMPY)]
    yield
    for table, before in kept:
        table.clear()
        table.update(before)


def test_the_compiler_knows_no_operation() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in COMPILER.glob("*.py"))
    assert "tinygrad_fr.operations" not in text and "REGISTRY" not in text and "nn.functional" not in text


# -- what it cannot do -------------------------------------------------------------------------------------------------


def refused(step: Callable[..., Any], match: str, *args: Any, error: type[Exception] = RuntimeError) -> None:
    compiled = torch.compile(step)
    for _ in range(2):
        with pytest.raises(error, match=match):
            compiled(*args)
    assert not compiled.traces


w0 = torch.tensor([1.0, -2.0, 3.0])


@dataclasses.dataclass
class Found:
    value: Any


@pytest.mark.parametrize(
    ("step", "match"),
    [
        (lambda x: float((w0 * x).sum()), "needs a value"),
        (lambda x: (w0 * x).sum().item(), "needs a value"),
        (lambda x: w0 if (w0 * x).sum() > 0 else x, r"needs a value.*test_compile\.py:\d+.*torch\.where"),
        (lambda x: (w0 * x).tolist(), "needs a value"),
        (lambda x: print(w0 * x), "needs a value"),
        (lambda x: (w0 * x)[x > 0], "shape of the result depends on the values"),
        (lambda x: torch.nonzero(w0 * x), "shape of the result depends on the values"),
        (lambda x: torch.unique(w0 * x), "needs a value"),
        (lambda x: [w0[i] for i in range(int(x.sum()))], "needs a value"),
        (lambda x: x.add_(1), "writes into one of its arguments"),
        (lambda x: w0 * x * np.random.rand(), "random numbers from NumPy"),
        (lambda x: Found(w0 * x), "returns a Found: .*NamedTuple"),
    ],
)
def test_what_cannot_be_a_program_says_so(step: Any, match: str) -> None:
    before = w0.tolist()
    refused(step, match, torch.tensor([1.0, 2.0, 3.0]))
    assert w0.tolist() == before


def test_python_state_may_not_change() -> None:
    box = {"count": 0}
    seen: list[Any] = []
    last = None

    def counts(x: Any) -> Any:
        box["count"] += 1
        return w0 * x

    def appends(x: Any) -> Any:
        seen.append(1)
        return w0 * x

    def keeps(x: Any) -> Any:
        nonlocal last
        last = w0 * x
        return last

    for step in (counts, appends, keeps):
        refused(step, "changes the Python value", torch.tensor([1.0, 2.0, 3.0]))
    assert type(last._array) is np.ndarray


def test_arrays_as_arguments() -> None:
    refused(lambda x: w0 * torch.from_numpy(x), "from_numpy", np.ones(3, np.float32), error=TypeError)


@pytest.mark.parametrize("fail_at", ["forward", "backward", "step"])
def test_an_exception_leaves_everything_as_it_was(fail_at: str) -> None:
    setup = Setup(True, optimizer=optim.Adam)
    net, opt = setup.net, setup.opt
    fail = {"now": False}

    def step(x: Any, y: Any) -> Any:
        opt.zero_grad()
        noise = torch.rand(4, 1)
        out = net(x) + noise
        if fail["now"] and fail_at == "forward":
            raise KeyError("mine")
        loss = F.mse_loss(out, y)
        loss.backward()
        if fail["now"] and fail_at == "backward":
            raise KeyError("mine")
        opt.step()
        if fail["now"] and fail_at == "step":
            raise KeyError("mine")
        return loss

    compiled = torch.compile(step)
    for calls in range(3):
        fail["now"] = True
        before, chance = setup.state(), torch.get_rng_state()
        with pytest.raises(KeyError, match="mine"):
            compiled(X, Y)
        same(setup.state(), before, 0)
        assert torch.equal(chance, torch.get_rng_state())
        fail["now"] = False
        compiled(X, Y)
        assert all(type(p._array) is np.ndarray for p in net.parameters()), calls


def test_a_bad_call_of_a_program_changes_nothing() -> None:
    def make() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 3))

    setup = Setup(True, make=make, criterion=nn.CrossEntropyLoss(), momentum=0.9)
    good, bad = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 3, 0])
    for _ in range(3):
        setup.step(X, good)
    before = setup.state()
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        setup.step(X, bad)
    same(setup.state(), before, 0)
    with pytest.raises(RuntimeError):
        setup.step(torch.zeros(4, 5), good)
    same(setup.state(), before, 0)


def test_a_step_that_returns_nothing() -> None:
    setup = Setup(True)

    def nothing(x: Any, y: Any) -> None:
        setup.eager(x, y)

    step, eager = torch.compile(nothing), Setup(False)
    for _ in range(3):
        assert step(X, Y) is None
        eager.step(X, Y)
    same(setup.state(), eager.state(), 16)


def test_results_have_no_graph_and_say_so() -> None:
    w = torch.tensor([1.0], requires_grad=True)
    step = torch.compile(lambda x: (w * x).sum())
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"a compiled step, which returns values only \(call backward\(\) inside it\)"):
            step(torch.tensor([1.0])).backward()


def test_a_history_from_outside() -> None:
    w = torch.tensor([1.0], requires_grad=True)
    h = w * 2
    refused(lambda x: (h * x).sum(), "computed outside", torch.tensor([1.0]))


hidden = torch.tensor([1.0, 2.0, 3.0])


def test_a_tensor_that_the_text_does_not_name() -> None:
    refused(lambda x: x * globals()["hidden"], "does not name", torch.tensor([1.0, 2.0, 3.0]))


def test_constants_that_the_step_makes() -> None:
    step = torch.compile(lambda x: x * torch.tensor([1.0, 2.0, 3.0]) + torch.arange(3) + torch.ones(3))
    for _ in range(3):
        assert step(torch.tensor([1.0, 2.0, 3.0])).tolist() == [2, 6, 12]
    assert len(step.traces) == 1


def test_numpy_arrays_around_the_step_are_read_at_each_call() -> None:
    table = np.array([1.0, 2.0, 3.0], np.float32)
    step = torch.compile(lambda x: x * torch.from_numpy(table))
    x = torch.tensor([1.0, 1.0, 1.0])
    assert step(x).tolist() == [1, 2, 3]
    table *= 2
    assert step(x).tolist() == [2, 4, 6]


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_error_of_the_users_own_is_raised_once(backend: str) -> None:
    """A ValueError in the step is not taken for a program that does not fit, and nothing is run twice."""
    runs = []

    class Refuses(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            runs.append(1)
            raise ValueError("not this one")

    @functools.partial(torch.compile, backend=backend)
    def step(x: Any) -> Any:
        return (Refuses.apply(x) if len(x) == 3 else x * 2).sum()

    assert [step(torch.ones(2)).item() for _ in range(3)] == [4.0] * 3
    with pytest.raises(ValueError, match="not this one") as caught:
        step(torch.ones(3))
    assert runs == [1]
    assert caught.value.__context__ is None
    assert step(torch.ones(2)).item() == 4.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments_that_a_program_is_not_for(backend: str) -> None:
    """Another number of axes, other lengths, another dtype of as many bytes, another layout: each gives what eager gives."""
    w = torch.tensor([[1.0, 2.0], [3.0, 4.0]])

    def step(x: Any) -> Any:
        return (x * w + 1).sum(-1)

    compiled = torch.compile(step, backend=backend)
    rows = np.arange(24, dtype=np.float32).reshape(2, 12)
    arguments = [rows[:, :2].copy(), rows[0, :2], rows[:, :2], rows[:, :2].copy().T, rows[:, ::6], rows[:1, :2], rows[:, :1],
                 rows.reshape(3, 4, 2)[:, :2], rows[:, :2].astype(np.int32), rows[:, :2].view(np.int32),
                 rows[0, 0]]  # fmt: skip
    for array in [*arguments, *arguments]:
        x = torch.from_numpy(np.asarray(array))
        near(compiled(x)._array, step(x)._array, 4)
    assert len(compiled.traces) <= 9


def test_results_as_arguments() -> None:
    w = torch.tensor(2.0)
    step = torch.compile(lambda x: w * x)
    x = torch.tensor(1.0)
    for _ in range(5):
        x = step(x)
    assert x.item() == 32 and len(step.traces) == 1


def test_a_compiled_module_is_still_a_module() -> None:
    net = torch.compile(xor_net())
    assert len(list(net.parameters())) == 4 and net.eval() is net.step
    near(net(X).numpy(), net.step(X).detach().numpy(), 4)


def test_views_that_are_written() -> None:
    w = torch.ones(4)
    part = w[:2]

    def step(x: Any) -> Any:
        w.mul_(2)
        return part + x

    refused(step, "same memory", torch.tensor([1.0, 2.0]))
    assert w.tolist() == [1, 1, 1, 1]


def test_in_place_writes_on_state_and_on_what_the_step_makes() -> None:
    def run(compiled: bool) -> Any:
        total = torch.zeros(3)
        swap = [torch.tensor([1.0]), torch.tensor([2.0])]
        a, b = swap

        def step(x: Any) -> Any:
            total.add_(x)
            h = torch.zeros(3)
            h += x
            h[0] = 5.0
            h.mul_(total)
            old = a.clone()
            a.copy_(b)
            b.copy_(old)
            return h

        f = torch.compile(step) if compiled else step
        return [f(torch.tensor([1.0, 2.0, i])).tolist() for i in range(4)], total.tolist(), a.item(), b.item()

    assert run(False) == run(True)


def test_an_old_value_that_is_read_after_the_write() -> None:
    def run(compiled: bool) -> Any:
        w = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        v = torch.tensor([[1.0, 0.0], [5.0, 1.0]])

        def step(x: Any) -> Any:
            old = w.clone()
            w.mul_(2)
            first = old * x
            v.add_(v.T.clone())
            w.copy_(w.T + old)
            return first + old, v * w

        f = torch.compile(step) if compiled else step
        return [[t.tolist() for t in f(torch.tensor([1.0, i]))] for i in range(4)], w.tolist(), v.tolist()

    assert run(False) == run(True)


def test_old_values_stay_for_those_who_read_them() -> None:
    def run(compiled: bool) -> Any:
        w, a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), torch.tensor([5.0, 6.0])

        def step(x: Any) -> Any:
            old = w.clone()
            w.mul_(2)
            a.data, b.data = b.data, a.data
            return old * x

        f = torch.compile(step) if compiled else step
        return [f(torch.tensor([1.0, i])).tolist() for i in range(3)], w.tolist(), a.tolist(), b.tolist()

    assert run(False) == run(True)


@pytest.mark.parametrize("clear", ["first", "last", "zeros", "never"])
def test_gradients_that_are_there_before(clear: str) -> None:
    eager, compiled = Setup(False, clear=clear), Setup(True, clear=clear)
    for i in range(7):
        for s in (eager, compiled):
            if i % 3 == 0:  # a backward pass outside
                nn.MSELoss()(s.net(X), Y).backward()
            s.step(X, Y)
        same(compiled.state(), eager.state(), 64)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_that_is_read_before_it_is_made_anew(backend: str) -> None:
    def make() -> tuple[Any, Any]:
        w = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
        w.grad = torch.tensor([0.5, 0.5, 0.5])

        def step(x: Any) -> Any:
            before = (w.grad * x).sum()
            w.grad = None
            (w * w * x).sum().backward()
            with torch.no_grad():
                w.sub_(w.grad, alpha=0.1)
            return before

        return w, step

    (w, eager), (v, step) = make(), make()
    compiled = torch.compile(step, backend=backend)
    for k in range(5):
        x = torch.full((3,), 1.0 + k)
        near(compiled(x)._array, eager(x)._array, 8)
        near(v._array, w._array, 8)
        near(v.grad._array, w.grad._array, 8)
    assert len(compiled.traces) == 1


def test_other_backends() -> None:
    with pytest.raises(ValueError, match="no backend 'inductor'"):
        torch.compile(lambda x: x, backend="inductor")


def test_source_before_the_first_call() -> None:
    with pytest.raises(RuntimeError, match="call the compiled step first"):
        torch.compile(lambda x: x).source()


# -- the program -------------------------------------------------------------------------------------------------------


def test_the_program_reads_like_the_course() -> None:
    _, compiled = both(clear="last")
    text = compiled.step.source()
    for line in (
        "x.dot(W1_T, out=z1)", "add(z1, b1, out=z1)", "tanh(z1, out=a1)", "a1.dot(W2_T, out=z2)", "return loss",
        "dz2_T.dot(a1, out=dW2)", "dz2.dot(W2, out=da1)", "dz1_T.dot(x, out=dW1)", "# a1 = tanh z₁",
    ):  # fmt: skip
        assert line in text, line
    assert re.search(r"W1 +\(3, 2\) +float32 +net\.0\.weight", text)
    body = text.partition("def step(x, y):")[2]
    assert len([line for line in body.splitlines() if line.strip() and not line.strip().startswith("#")]) <= 26
    assert re.findall(r"\bt\d+\b", body) == [] or max(int(n) for n in re.findall(r"\bt(\d+)\b", body)) <= 6


def test_the_docstring_says_where_each_line_comes_from() -> None:
    net, criterion, rate = xor_net(), nn.MSELoss(), 0.1

    def step(x: Any, y: Any) -> Any:
        prediction = net(x)
        loss = criterion(prediction, y)
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= rate * p.grad
                p.grad = None
        return loss

    compiled = torch.compile(step)
    compiled(X, Y)
    text = compiled.source().split('"""')[1]
    first = step.__code__.co_firstlineno
    for offset, line, names in (
        (1, "prediction = net(x)", "z1, a1, z2, prediction"), (2, "loss = criterion(prediction, y)", "loss"),
        (3, "loss.backward()", "dprediction, dz2, da1, dW2, db2, dz1, dW1, db1"), (6, "p -= rate * p.grad", "P"),
    ):  # fmt: skip
        assert re.search(rf"test_compile\.py:{first + offset} +{re.escape(line)} +{names}\n", text), text


def test_one_call_updates_all_parameters() -> None:
    _, compiled = both(clear="last", momentum=0.9)
    text = compiled.step.source()
    assert text.count("out=P)") == 1
    assert "lr = np.array(0.1, np.float32)" in text  # a float64 beside float32 would make NumPy compute in float64


def test_the_first_call_records_few_instructions() -> None:
    """What takes time at the first call is to record and to plan: both grow with the number of NumPy calls."""
    from tinygrad_fr.compiler.trace import record

    def instructions(depth: int) -> int:
        torch.manual_seed(0)
        layers = [layer for _ in range(depth) for layer in (nn.Linear(2, 2), nn.Tanh())]
        setup = Setup(False, make=lambda: nn.Sequential(*layers), clear="last")
        return len(record(setup.eager, (X, X), {}).instructions)

    assert instructions(2) < 60
    assert instructions(50) - instructions(49) < 25


@pytest.mark.parametrize("width", [3, 100])
def test_a_saved_program_needs_numpy_alone(width: int, tmp_path: Path) -> None:
    def make() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, width), nn.Sigmoid(), nn.Linear(width, 30), nn.Tanh(), nn.Linear(30, 1))

    setup = Setup(True, make=make, optimizer=optim.Adam, clear="last")
    for _ in range(3):
        setup.step(X, Y)
    file = tmp_path / "step.py"
    setup.step.save(file)
    assert (tmp_path / "step.npz").exists() == (width == 100)
    program = (
        "import sys; sys.modules['tinygrad_fr'] = None\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "import numpy as np, step\n"
        f"x, y = np.array({X.tolist()}, np.float32), np.array({Y.tolist()}, np.float32)\n"
        "print([float(step.step(x, y)) for _ in range(4)])\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert eval(said) == [setup.step(X, Y).item() for _ in range(4)]


def test_a_program_with_random_numbers_is_not_saved(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
    predict = torch.compile(lambda x: net(x))
    predict(X)
    with pytest.raises(RuntimeError, match="random numbers"):
        predict.save(tmp_path / "step.py")


def test_errors_and_profilers_point_into_the_text() -> None:
    _, compiled = both(clear="last")
    code = compiled.step.traces[0]._run.__code__
    assert code.co_filename.startswith("<compiled step")
    assert "def step(x, y):" in linecache.getline(code.co_filename, code.co_firstlineno)


def test_parameters_stay_ordinary_tensors(tmp_path: Path) -> None:
    import copy
    import pickle

    _, compiled = both(clear="last", momentum=0.9)
    net = compiled.net
    twin = copy.deepcopy(net)
    again = pickle.loads(pickle.dumps(net))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    loaded = torch.load(tmp_path / "net.pt")
    compiled.step(X, Y)
    for (name, p), q, r in zip(net.named_parameters(), twin.parameters(), again.parameters(), strict=True):
        assert not torch.equal(p, q) and torch.equal(q, r) and torch.equal(q, loaded[name])
        assert p.detach().numpy().nbytes == p.numel() * 4


def test_an_array_that_others_hold_stays_where_it_is() -> None:
    setup = Setup(True, clear="last")
    weight = setup.net[0].weight
    alias, array = weight.detach(), setup.net[2].weight.detach().numpy()
    for _ in range(3):
        setup.step(X, Y)
    assert torch.equal(alias, weight) and np.array_equal(array, setup.net[2].weight.detach().numpy())


def test_another_shape_takes_the_same_memory() -> None:
    setup = Setup(True, clear="last", momentum=0.9)
    for i in range(8):
        setup.step(X[: 2 + i % 3], Y[: 2 + i % 3])
    assert len(setup.step.traces) == 3
    assert len({id(p._array.base) for p in setup.net.parameters()}) == 1
    assert all("out=P)" in trace.source() for trace in setup.step.traces)


# -- memory ------------------------------------------------------------------------------------------------------------


def wide() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(100, 200), nn.Tanh(), nn.Linear(200, 200), nn.Sigmoid(), nn.Linear(200, 10))


def test_peak_memory_is_below_eager() -> None:
    x, y = torch.randn(500, 100), torch.randn(500, 10)

    def peak(compiled: bool) -> int:
        gc.collect()
        tracemalloc.start()
        setup = Setup(compiled, make=wide, clear="last")
        for _ in range(2):
            setup.step(x, y)
        gc.collect()
        tracemalloc.reset_peak()
        setup.step(x, y)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(True) < peak(False)


def test_nothing_is_left_to_the_collector() -> None:
    setup = Setup(True, optimizer=optim.Adam)
    refused_step = torch.compile(lambda x: float((w0 * x).sum()))
    x = torch.ones(3)
    setup.step(X, Y)  # what is imported at the first call leaves something
    gc.collect()
    gc.disable()
    try:
        for n in (2, 3):
            setup.step(X[:n], Y[:n])  # recorded
            with pytest.raises(RuntimeError, match="needs a value"):
                refused_step(x)
        assert gc.collect() == 0
        before = len(gc.get_objects())
        for _ in range(50):
            setup.step(X[:2], Y[:2])
        assert abs(len(gc.get_objects()) - before) < 10
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_compiled_step_goes_with_its_last_reference() -> None:
    import weakref

    setup = Setup(True, clear="last")
    for _ in range(3):
        setup.step(X, Y)
    gc.collect()
    array = weakref.ref(setup.step.traces[0])
    name = setup.step.traces[0]._run.__code__.co_filename
    gc.disable()
    try:
        del setup
        assert array() is None and name not in linecache.cache
    finally:
        gc.enable()


# -- the courses -------------------------------------------------------------------------------------------------------


def course(system: str, compiled: bool, steps: int, backend: str = "numpy") -> tuple[list[float], list[Any], Any]:
    """A system of the course, trained: the losses, the parameters at the end, and the step."""
    torch.manual_seed(1)
    net: Any = None
    if system == "S0":
        net = s0.xor_network()
        parameters, criterion = list(net.layers.parameters()), net.loss

        def loss_of(x: Any, y: Any) -> Any:
            return criterion(net.layers(x), y)

        data = [(X.double()[i : i + 1], Y.double()[i : i + 1]) for i in range(4)]
    elif system == "S1":
        net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)).double()
        parameters = list(net.parameters())

        def loss_of(x: Any, y: Any) -> Any:
            return F.cross_entropy(net(x), y)

        data = [(X.double(), torch.tensor([0, 1, 2, 1]))]
    elif system == "S2":
        net = s2.OurNeuralNetwork()
        parameters = list(net.parameters())

        def loss_of(x: Any, y: Any) -> Any:
            return s2.mse_loss(y, net(x))

        data = [(X.double()[i], Y.double()[i, 0]) for i in range(4)]
    elif system == "S3":
        parameters = s3.network(16, 5)

        def loss_of(x: Any, y: Any) -> Any:
            return F.binary_cross_entropy_with_logits(s3.forward(parameters, x), y, reduction="sum")

        data = list(zip(torch.rand(6, 1, 16), torch.eye(10)[:6].unsqueeze(1), strict=True))
    else:
        x, y = X.double().T, Y.double().T
        parameters = s4.initial(x, 2, 1)

        def loss_of(x: Any, y: Any) -> Any:
            return F.binary_cross_entropy_with_logits(s4.forward(parameters, x), y, reduction="sum") / x.shape[1]

        data = [(x, y)]
    optimizer = optim.SGD(parameters, lr=0.1)

    def step(x: Any, y: Any) -> Any:
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    run = torch.compile(step, backend=backend) if compiled else step
    losses = [run(*data[i % len(data)]).item() for i in range(steps)]
    return losses, [p.detach().numpy().copy() for p in parameters], run


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("system", ["S0", "S1", "S2", "S3", "S4"])
def test_the_systems_of_the_course(system: str, backend: str) -> None:
    losses, parameters, _ = course(system, False, 40)
    found, others, step = course(system, True, 40, backend)
    near(np.array(found, others[0].dtype), np.array(losses, others[0].dtype), 64, "loss")
    for p, q in zip(others, parameters, strict=True):
        near(p, q, 64)
    assert len(step.traces) == 1


def test_s4_is_the_listing_of_the_course() -> None:
    x, y = X.double().T.numpy(), Y.double().T.numpy()
    start = by_hand.s4_start(2, 2, 1, 1)
    parameters = [torch.from_numpy(p.copy()).requires_grad_() for p in start]
    optimizer = optim.SGD(parameters, lr=1)

    @torch.compile
    def step(X: Any, Y: Any) -> Any:
        J = F.binary_cross_entropy_with_logits(s4.forward(parameters, X), Y, reduction="sum") / X.shape[1]
        J.backward()
        optimizer.step()
        optimizer.zero_grad()
        return J

    for cost, expected in by_hand.s4_training(x, y, start, 1, 200, 4):
        near(step(torch.from_numpy(x), torch.from_numpy(y)).numpy(), np.array(cost), 1e4)
        near(by_hand.flat([p.detach().numpy() for p in parameters]), expected, 1e4)
