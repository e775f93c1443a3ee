"""The twelve promises of the engine and every trap that other frameworks fell into, each as a test that would notice it.

A promise is kept by what a user can see: values, gradients, errors, and what stays in memory. PyTorch is asked where it is
installed; closed forms are used everywhere else.
"""

from __future__ import annotations

import contextlib
import gc
import math
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tinygrad_fr as tg
from tinygrad_fr import autograd
from tinygrad_fr.autograd import Function
from tinygrad_fr.autograd.function import once_differentiable

F = tg.nn.functional
Array = NDArray[Any]


def leaf(values: Any, dtype: Any = np.float64) -> tg.Tensor:
    """A tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, dtype), requires_grad=True)


def const(values: Any, dtype: Any = np.float64) -> tg.Tensor:
    """A tensor that is given: data."""
    return tg.tensor(np.asarray(values, dtype))


def got(tensor: tg.Tensor | None) -> Array:
    """A copy of the values of a tensor that must be there."""
    assert tensor is not None, "no gradient arrived"
    return np.array(tensor.detach().numpy())


def line_here() -> str:
    """This file and the line of the call, as errors print it."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@pytest.fixture
def collector_off() -> Iterator[None]:
    """Reference cycles stay to be counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def small_network(seed: int = 0) -> list[tg.Tensor]:
    """The parameters of a 3-8-2 network."""
    draw = np.random.default_rng(seed)
    return [leaf(draw.normal(size=s)) for s in ((3, 8), (8,), (8, 2), (2,))]


def train(parameters: list[tg.Tensor], steps: int, seed: int = 1) -> list[float]:
    """Plain gradient descent on fixed random data; the losses are returned."""
    draw = np.random.default_rng(seed)
    x, y = const(draw.normal(size=(16, 3))), const(draw.normal(size=(16, 2)))
    w1, b1, w2, b2 = parameters
    losses = []
    for _ in range(steps):
        loss = F.mse_loss((x @ w1 + b1).tanh() @ w2 + b2, y)
        loss.backward()
        losses.append(loss.item())
        with tg.no_grad():
            for p in parameters:
                assert p.grad is not None
                p -= 0.05 * p.grad
                p.grad = None
    return losses


# -- promise 1: no recursion, nodes and not paths -------------------------------------------------------

CHAIN = 100_000

LINKS: dict[str, Callable[[tg.Tensor], tg.Tensor]] = {
    "one input": lambda t: t.sin(),
    "constant": lambda t: t * 1.0,
    "reused": lambda t: t - 0.0 * t,
    "keyword": lambda t: t.reshape(1),
    "view": lambda t: t[:],
}


@pytest.mark.parametrize("link", LINKS)
def test_chain_of_100_000_operations_runs_forward_backward_and_is_deleted(link: str) -> None:
    """No recursion in recording, collecting, walking, freeing or deleting."""
    x = leaf([0.5])
    y = x
    for _ in range(CHAIN if link != "reused" else CHAIN // 2):
        y = LINKS[link](y)
    y.sum().backward()
    if link != "one input":
        assert got(x.grad) == pytest.approx([1.0])
    else:
        assert got(x.grad)[0] > 0
    del y


@pytest.mark.parametrize("way", ["retain_graph", "grad", "inputs", "not walked", "two roots"])
def test_long_chain_survives_every_way_to_walk_it(way: str) -> None:
    """A graph that is kept, or never walked, is deleted without recursion too."""
    x = leaf([0.5])
    y = x
    for _ in range(CHAIN):
        y = y * 1.0
    if way == "retain_graph":
        y.sum().backward(retain_graph=True)
        y.sum().backward()
        assert got(x.grad) == pytest.approx([2.0])
    elif way == "grad":
        assert got(autograd.grad(y.sum(), x)[0]) == pytest.approx([1.0])
    elif way == "inputs":
        y.sum().backward(inputs=[x])
        assert got(x.grad) == pytest.approx([1.0])
    elif way == "two roots":
        autograd.backward([y, y * 2], [const([1.0]), const([1.0])])
        assert got(x.grad) == pytest.approx([3.0])
    del y


def test_long_chain_with_create_graph_is_deleted() -> None:
    """The graph of a gradient is as deep as the graph; it is walked and deleted without recursion."""
    x = leaf([1.0])
    y = x
    for _ in range(20_000):
        y = y * 1.0
    (first,) = autograd.grad((y * y).sum(), x, create_graph=True)
    assert got(autograd.grad(first.sum(), x)[0]) == pytest.approx([2.0])
    del first, y


def test_long_chain_of_user_functions_is_deleted() -> None:
    """A user's Function is a node like another: a chain of them is walked and deleted without recursion."""

    class Same(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            ctx.save_for_backward(x)
            return x * 1.0

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return g

    x = leaf([0.5])
    y = x
    for _ in range(20_000):
        y = Same.apply(y)
    y.sum().backward(retain_graph=True)
    assert got(x.grad) == pytest.approx([1.0])
    del y


def test_chain_is_deleted_in_a_thread_with_a_small_stack() -> None:
    """Deleting asks no more of the C stack than a small thread has."""
    results: list[float] = []

    def work() -> None:
        x = leaf([0.5])
        y = x
        for _ in range(CHAIN):
            y = y * 1.0
        y.sum().backward(retain_graph=True)
        del y
        results.append(float(got(x.grad)[0]))

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert results == [pytest.approx(1.0)]


def test_sixty_doublings_are_quick() -> None:
    """Nodes are walked, not paths: y = y + y sixty times has 2⁶⁰ paths."""
    start = time.perf_counter()
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward(retain_graph=True)
    assert got(x.grad) == 2.0**60
    assert got(autograd.grad(y, x, retain_graph=True)[0]) == 2.0**60
    assert got(autograd.grad(y, x, create_graph=True)[0]) == 2.0**60
    assert time.perf_counter() - start < 5


def test_sixty_squarings_differentiated_twice_are_quick() -> None:
    """The graph of the gradient is not larger than a few times the graph."""
    start = time.perf_counter()
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y * y
    (first,) = autograd.grad(y, x, create_graph=True)
    (second,) = autograd.grad(first, x)
    n = 2.0**60
    assert got(first) == n
    assert got(second) == pytest.approx(n * (n - 1))
    assert time.perf_counter() - start < 10


def test_a_node_waits_for_all_its_uses() -> None:
    """A value used early and late is passed once, with both contributions: y = x²; z = y·e^y."""
    x = leaf([0.3, -0.7])
    y = x * x
    late = y
    for _ in range(5):
        late = late * 1.0
    (y * late.exp() + y).sum().backward()
    v = got(x)
    assert got(x.grad) == pytest.approx(2 * v * (np.exp(v * v) * (1 + v * v) + 1))


# -- promise 2: broadcasting ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (1, 1), (2, 3), (4, 1, 1), (1, 2, 3)])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "atan2", "where"])
def test_broadcasting_is_undone_for_every_binary_operation_on_either_side(name: str, shape: tuple[int, ...]) -> None:
    """A gradient has its tensor's shape; it is the sum over the copies, as expanding by hand shows."""
    draw = np.random.default_rng(3)
    big = draw.uniform(0.5, 2, (4, 2, 3))
    small = draw.uniform(0.5, 2, shape)
    g = const(draw.normal(size=(4, 2, 3)))
    op: Callable[[Any, Any], tg.Tensor] = {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "pow": lambda a, b: a**b,
        "maximum": tg.maximum,
        "minimum": tg.minimum,
        "atan2": tg.atan2,
        "where": lambda a, b: tg.where(const(big) > 1, a, b),
    }[name]
    for order in (0, 1):
        a, b, full = leaf(big), leaf(small), leaf(np.broadcast_to(small, big.shape))
        twin = leaf(big)
        (op(a, b) if order == 0 else op(b, a)).backward(g)
        (op(twin, full) if order == 0 else op(full, twin)).backward(g)
        summed = got(full.grad)
        extra = summed.ndim - len(shape)
        axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1))
        assert got(b.grad).shape == shape
        np.testing.assert_allclose(got(b.grad), summed.sum(axis=axes).reshape(shape), rtol=1e-12)
        np.testing.assert_allclose(got(a.grad), got(twin.grad), rtol=1e-12)


@pytest.mark.parametrize(
    "left, right",
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((4, 2, 3), (3, 2)),
        ((2, 3), (4, 3, 2)),
        ((1, 2, 3), (5, 3, 2)),
        ((3,), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((5, 1, 2, 3), (4, 3, 1)),
    ],
)
def test_matmul_gradients_have_their_input_shapes(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Batch axes are broadcast and undone, vectors stand for rows and columns."""
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(5)
    a, b = draw.normal(size=left), draw.normal(size=right)
    x, y = leaf(a), leaf(b)
    out = x @ y
    g = draw.normal(size=out.shape)
    out.backward(const(g))
    tx, ty = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    (tx @ ty).backward(torch.tensor(g))
    np.testing.assert_allclose(got(out), (tx @ ty).detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(got(x.grad), tx.grad.numpy(), rtol=1e-10)
    np.testing.assert_allclose(got(y.grad), ty.grad.numpy(), rtol=1e-10)


# -- promise 3: no reference cycles, flat memory --------------------------------------------------------


def test_a_thousand_training_steps_leave_nothing_to_the_collector(collector_off: None) -> None:
    """No operation, closure or node refers to what it made: gc finds nothing."""
    train(small_network(), 5)
    gc.collect()
    train(small_network(), 1000)
    assert gc.collect() == 0


def test_every_kind_of_step_leaves_nothing_to_the_collector(collector_off: None) -> None:
    """Hooks, retain_grad, views, in-place writes, grad(), Functions, anomaly mode and failures make no cycle either."""

    class Double(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            y, z = x * 2, x.exp()
            ctx.save_for_backward(x, y, z)
            return y, z

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
            _, _, z = ctx.saved_tensors
            return g * 2 + h * z

    def step() -> None:
        x = leaf([0.1, 0.2, 0.3])
        x.register_hook(lambda g: g * 2)
        y = (x * x).exp()
        y.retain_grad()
        z = y.reshape(3, 1).clone()
        z[0] = 1.0
        z *= 2
        a, b = Double.apply(z)
        loss = (a * b).sum() + tg.cat([y, y]).softmax(0).max() + x.sort().values[0] + F.relu(y).std()
        loss.backward(retain_graph=True)
        autograd.grad(loss, [x, y])
        with contextlib.suppress(RuntimeError):
            loss.backward()
        with autograd.detect_anomaly():
            (x * x).sum().backward()

    step()
    gc.collect()
    for _ in range(20):
        step()
    assert gc.collect() == 0


def test_a_graph_disappears_with_its_last_tensor(collector_off: None) -> None:
    """Reference counting alone frees a graph that was never walked."""
    x = leaf([1.0])
    y = x * 2
    loss = (y * y).sum()
    seen = weakref.ref(y.grad_fn), weakref.ref(loss.grad_fn)
    del y, loss
    assert seen[0]() is None
    assert seen[1]() is None


def test_backward_frees_the_graph_while_the_loss_lives(collector_off: None) -> None:
    """After backward() the loss can be kept for printing; the graph behind it is gone."""
    x = leaf([1.0])
    y = x * 2
    seen = weakref.ref(y.grad_fn)
    loss = (y * y).sum()
    del y
    assert seen() is not None
    loss.backward()
    assert seen() is None
    assert loss.item() == 4.0


def test_10_000_forwards_under_no_grad_leave_the_object_count_flat(collector_off: None) -> None:
    """Evaluation records nothing and keeps nothing, not even dead weak references on the parameters."""
    w1, b1, w2, b2 = small_network()
    x = const(np.ones((1, 3)))

    def forward(times: int) -> None:
        with tg.no_grad():
            for _ in range(times):
                (x @ w1 + b1).relu() @ w2 + b2

    forward(50)
    gc.collect()
    before = len(gc.get_objects())
    forward(10_000)
    assert abs(len(gc.get_objects()) - before) < 20
    assert gc.collect() == 0
    assert all(weakref.getweakrefcount(p) == 0 for p in (w1, b1, w2, b2))


def test_10_000_training_steps_leave_the_object_count_flat(collector_off: None) -> None:
    """With the collector off, training allocates and frees at the same pace."""
    parameters = small_network()
    train(parameters, 50)
    gc.collect()
    before = len(gc.get_objects())
    losses = train(parameters, 10_000)
    assert abs(len(gc.get_objects()) - before) < 20
    assert gc.collect() == 0
    assert losses[-1] < losses[0]


def test_in_place_updates_do_not_grow_the_graph(collector_off: None) -> None:
    """A parameter updated 1000 times under no_grad has no history."""
    w = leaf([1.0])
    with tg.no_grad():
        for _ in range(1000):
            w -= 0.001 * w
    assert w.is_leaf
    assert w.grad_fn is None


# -- promise 4: the graph is freed ----------------------------------------------------------------------


def test_second_backward_says_retain_graph() -> None:
    """The error names the remedy, and the gradients stay as they were."""
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"backward through the graph a second time.*retain_graph=True"):
        loss.backward()
    assert got(x.grad) == pytest.approx([2.0, 4.0])


def test_second_backward_through_a_shared_part_is_refused_before_any_gradient_moves() -> None:
    """Two losses over one hidden value: the second walk meets the freed part and leaves every .grad alone."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    hidden = x.exp()
    hidden.sum().backward()
    kept = got(x.grad)
    with pytest.raises(RuntimeError, match="retain_graph"):
        (hidden * w).sum().backward()
    assert got(x.grad) == pytest.approx(kept)
    assert w.grad is None


def test_retain_graph_allows_another_backward_which_accumulates() -> None:
    """Each walk adds the same gradient."""
    x = leaf([1.0, 2.0])
    loss = (x * x).sum()
    for _ in range(3):
        loss.backward(retain_graph=True)
    loss.backward()
    assert got(x.grad) == pytest.approx([8.0, 16.0])


def test_grad_frees_only_what_it_walked() -> None:
    """grad() for one input leaves the branch of the other alone: PyTorch lets it be walked afterwards."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    a, b = x.exp(), w.exp()
    autograd.grad((a + b).sum(), x)
    b.sum().backward()
    assert got(w.grad) == pytest.approx(np.exp([3.0, 4.0]))


def test_grad_beside_a_freed_part_succeeds() -> None:
    """A freed branch that does not lead to the wanted input is not walked, hence no error, as in PyTorch."""
    w, v = leaf(1.0), leaf(2.0)
    z = (w * 2).exp()
    z.backward()
    (gradient,) = autograd.grad(z + v * 3, v)
    assert got(gradient) == 3.0


def test_drawing_information_survives_without_a_graph() -> None:
    """A loss whose graph was freed can still be printed, and its node still has a name."""
    x = leaf([1.0])
    loss = (x * 2).sum()
    loss.backward()
    assert "grad_fn=<SumBackward0>" in repr(loss)


# -- promise 5: gradients own their memory --------------------------------------------------------------

OWNING: dict[str, Callable[[tg.Tensor, tg.Tensor], tg.Tensor]] = {
    "x + y": lambda x, y: x + y,
    "x + x + y": lambda x, y: x + x + y,
    "x - y": lambda x, y: x - y,
    "sum": lambda x, y: x.sum() + y.sum(),
    "sum of one": lambda x, y: x.sum() * 1.0,
    "sum over a dim": lambda x, y: (x + y).sum(0),
    "mean": lambda x, y: x.mean() + y.mean(),
    "expand": lambda x, y: x.unsqueeze(0).expand(3, 2, 2) + y,
    "reshape": lambda x, y: x.reshape(4) + y.reshape(4),
    "transpose": lambda x, y: x.T + y.T,
    "view": lambda x, y: x.view(4)[:] + y.view(-1),
    "clone": lambda x, y: x.clone() + y.clone(),
    "cat": lambda x, y: tg.cat([x, y, x]),
    "stack": lambda x, y: tg.stack([x, y]),
    "index": lambda x, y: x[0] + y[1],
    "flip": lambda x, y: x.flip(0) + y.flip(1),
    "multiply": lambda x, y: x * y,
    "one times": lambda x, y: 1.0 * x + y * 1,
    "linear": lambda x, y: F.linear(x, y),
    "mse": lambda x, y: F.mse_loss(x, y),
    "itself": lambda x, y: x,
    "where": lambda x, y: tg.where(tg.tensor([True, False]), x, y),
    "cast": lambda x, y: x.double() + y.float().double(),
    "broadcast": lambda x, y: x + y[0] + tg.ones(3, 2, 2, dtype=tg.float64),
}


def check_owned(gradient: tg.Tensor | None, tensor: tg.Tensor, others: list[Array]) -> None:
    """Own memory, the tensor's shape and dtype, writable, no stride 0, no memory in common with anything."""
    assert gradient is not None
    array = gradient._array
    assert isinstance(array, np.ndarray)
    assert array.shape == tuple(tensor.shape)
    assert array.dtype == tensor.dtype
    assert array.flags.writeable
    assert all(stride != 0 for stride, n in zip(array.strides, array.shape, strict=True) if n > 1), "a stride-0 view"
    for other in others:
        assert not np.shares_memory(array, other)
    before = [other.copy() for other in others]
    array += 1  # a write must be felt nowhere else
    for other, old in zip(others, before, strict=True):
        np.testing.assert_array_equal(other, old)
    array -= 1


@pytest.mark.parametrize("way", ["backward", "retain_graph", "hooks", "grad", "create_graph", "grad create_graph", "inputs"])
@pytest.mark.parametrize("name", OWNING)
def test_gradients_own_their_memory(name: str, way: str) -> None:
    """Never an alias of another gradient, of the tensor, of the seed, of what a hook saw, nor a stride-0 view."""
    x, y = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[5.0, 6.0], [7.0, 8.0]])
    seen: list[Array] = []
    out = OWNING[name](x, y)
    seed = tg.ones_like(out.detach())
    if way == "hooks":
        for t in (x, y, out):
            t.register_hook(lambda g: seen.append(g._array))
    if way.startswith("grad"):
        a, b = autograd.grad(out, [x, y], seed, create_graph=way != "grad", allow_unused=True)
    else:
        out.backward(
            seed,
            retain_graph=True if way == "retain_graph" else None,
            create_graph=way == "create_graph",
            inputs=[x, y] if way == "inputs" else None,
        )
        a, b = x.grad, y.grad
    fixed = [x._array, y._array, out._array, seed._array, *seen]
    check_owned(a, x, fixed + ([b._array] if b is not None else []))
    if b is not None:
        check_owned(b, y, fixed + ([a._array] if a is not None else []))
    if way == "retain_graph":
        first = got(a)
        out.backward(seed)
        check_owned(x.grad, x, fixed)
        np.testing.assert_allclose(got(x.grad), 2 * first)


@pytest.mark.parametrize("first", ["sum", "add", "expand", "itself"])
def test_backward_accumulates_onto_a_gradient_made_with_create_graph(first: str) -> None:
    """A gradient is writable however it was made: a plain backward() may follow one with create_graph=True."""
    x, y = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[5.0, 6.0], [7.0, 8.0]])
    out = {"sum": x.sum() + y.sum(), "add": x + y, "expand": x.expand(2, 2, 2) + y, "itself": x + 0 * y}[first]
    out.backward(tg.ones_like(out.detach()), create_graph=True)
    before = got(x.grad), got(y.grad)
    (x * 3).sum().backward()
    np.testing.assert_allclose(got(x.grad), before[0] + 3)
    np.testing.assert_allclose(got(y.grad), before[1])


def test_accumulation_never_corrupts_a_gradient_that_is_differentiated_later() -> None:
    """A plain backward() on top of one with create_graph: what used the first gradient stays right, or says so."""
    x = leaf([1.0, 2.0])
    x.exp().sum().backward(create_graph=True)
    h = (x.grad * x.grad).sum()
    (x * 3).sum().backward()
    try:
        (second,) = autograd.grad(h, x)
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        assert got(second) == pytest.approx(2 * np.exp([2.0, 4.0]))


def test_a_gradient_kept_by_a_hook_is_not_changed_by_what_follows() -> None:
    """What a hook stored is a value, not a buffer that the walk goes on adding to."""
    x = leaf([1.0, 2.0])
    y = x * 2
    seen: list[tg.Tensor] = []
    y.register_hook(lambda g: seen.append(g))
    (y + y * y).sum().backward()
    x.grad.zero_()
    (x * 5).sum().backward()
    assert got(seen[0]) == pytest.approx([5.0, 9.0])


def test_zeroing_one_gradient_leaves_the_other() -> None:
    """`x + y` gives both the same numbers and never the same memory."""
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x + y).sum().backward()
    x.grad.zero_()
    assert got(y.grad) == pytest.approx([1.0, 1.0])


def test_gradient_of_a_read_only_input_is_writable() -> None:
    """Data marked read-only trains as any other."""
    array = np.ones((2, 2))
    array.flags.writeable = False
    x = tg.from_numpy(array).requires_grad_()
    (x * x).sum().backward()
    check_owned(x.grad, x, [array])


@pytest.mark.parametrize("first", ["x", "y"])
def test_an_assigned_gradient_that_is_a_stretched_view_is_added_to_or_refused(first: str) -> None:
    """PyTorch refuses to write into it with a RuntimeError; then no .grad of any leaf has moved."""
    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    x.grad = tg.ones(1, dtype=tg.float64).expand(2)
    loss = (y * 2 + x * 3).sum() if first == "x" else (x * 3 + y * 2).sum()
    try:
        loss.backward()
    except RuntimeError:
        assert got(x.grad) == pytest.approx([1.0, 1.0])
        assert y.grad is None
    else:
        assert got(x.grad) == pytest.approx([4.0, 4.0])
        assert got(y.grad) == pytest.approx([2.0, 2.0])


# -- promise 6: float32 stays float32 -------------------------------------------------------------------

SCALARS: dict[str, Any] = {
    "int": 2,
    "float": 2.5,
    "bool": True,
    "np.float64": np.float64(2.5),
    "np.float32": np.float32(2.5),
    "np.int64": np.int64(2),
    "0-d array": np.array(2.5),
    "0-d tensor": tg.tensor(2.5, dtype=tg.float64),
    "pi": math.pi,
}

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "maximum": lambda a, b: tg.maximum(a, b) if isinstance(a, tg.Tensor) else tg.maximum(tg.as_tensor(a), b),
    "where": lambda a, b: tg.where(tg.tensor([True, False]), a, b),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("op", BINARY)
def test_a_scalar_on_either_side_promotes_nothing(op: str, scalar: str, dtype: str) -> None:
    """float32 and float16 stay what they are, in the value, in the gradient, and in what is kept."""
    value = SCALARS[scalar]
    for swap in (False, True):
        x = leaf([1.0, 2.0], dtype)
        out = BINARY[op](value, x) if swap else BINARY[op](x, value)
        assert isinstance(out, tg.Tensor)
        assert out.dtype == dtype, (swap, out.dtype)
        out.sum().backward()
        assert x.grad is not None
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("scalar", ["float", "np.float64", "0-d array", "0-d tensor"])
def test_a_scalar_tensor_keeps_its_dtype_too(scalar: str) -> None:
    """A loss without axes times a NumPy number: float32, as in PyTorch with a Python number."""
    if scalar in ("0-d array", "0-d tensor"):
        pytest.skip("two 0-d tensors are of the same rank: PyTorch promotes, and so may we")
    x = leaf(1.5, np.float32)
    for out in (x * SCALARS[scalar], SCALARS[scalar] * x, x + SCALARS[scalar], SCALARS[scalar] - x):
        assert out.dtype == np.float32


@pytest.mark.parametrize(
    "name",
    ["mean", "var", "std", "softmax", "logsumexp", "norm", "gelu", "softplus", "mse", "ce", "bce", "pow", "clamp", "prod"],
)
def test_no_operation_promotes_float32(name: str) -> None:
    """The constants in formulas and gradient formulas are Python's, which promote nothing."""
    x = leaf([[0.2, 0.4], [0.6, 0.3]], np.float32)
    out = {
        "mean": lambda: x.mean(),
        "var": lambda: x.var(0),
        "std": lambda: x.std(),
        "softmax": lambda: x.softmax(1),
        "logsumexp": lambda: x.logsumexp(0),
        "norm": lambda: x.norm(),
        "gelu": lambda: F.gelu(x),
        "softplus": lambda: F.softplus(x),
        "mse": lambda: F.mse_loss(x, tg.zeros(2, 2)),
        "ce": lambda: F.cross_entropy(x, tg.tensor([0, 1])),
        "bce": lambda: F.binary_cross_entropy(x, tg.ones(2, 2)),
        "pow": lambda: x**2.5,
        "clamp": lambda: x.clamp(0.25, 0.5),
        "prod": lambda: x.prod(1),
    }[name]()
    assert out.dtype == np.float32
    (first,) = autograd.grad(out.sum(), x, create_graph=True)
    assert first.dtype == np.float32
    if first.requires_grad:
        (second,) = autograd.grad(first.sum(), x, allow_unused=True)
        assert second is None or second.dtype == np.float32


def test_mixed_dtypes_give_each_its_own_gradient() -> None:
    """float32 × float64 is float64, and each gradient comes back in its tensor's dtype."""
    x, y = leaf([1.0, 2.0], np.float32), leaf([3.0, 4.0])
    z = x * y
    assert z.dtype == np.float64
    z.sum().backward()
    assert x.grad is not None and x.grad.dtype == np.float32
    assert y.grad is not None and y.grad.dtype == np.float64


# -- promise 7: a value changed after it was saved is detected ------------------------------------------


def modified(loss: tg.Tensor, *leaves: tg.Tensor) -> None:
    """backward() refuses, and no gradient moved."""
    before = [None if t.grad is None else got(t.grad) for t in leaves]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    for t, old in zip(leaves, before, strict=True):
        assert (t.grad is None) if old is None else np.array_equal(got(t.grad), old)


WRITES: dict[str, Callable[[tg.Tensor], Any]] = {
    "+=": lambda t: t.__iadd__(1.0),
    "add_": lambda t: t.add_(1.0),
    "mul_ by a tensor": lambda t: t.mul_(tg.full(tuple(t.shape), 2.0, dtype=tg.float64)),
    "zero_": lambda t: t.zero_(),
    "fill_": lambda t: t.fill_(7.0),
    "copy_": lambda t: t.copy_(tg.zeros(2, dtype=tg.float64)),
    "setitem": lambda t: t.__setitem__(0, 9.0),
    "exp_": lambda t: t.exp_(),
    "clamp_": lambda t: t.clamp_(0.0, 1.0),
    "masked_fill_": lambda t: t.masked_fill_(tg.tensor([True, False]), 5.0),
    "through a view": lambda t: t[:1].add_(1.0),
    "through a view of a view": lambda t: t.view(2, 1)[0].mul_(3.0),
    "through reshape": lambda t: t.reshape(1, 2).zero_(),
    "through T": lambda t: t.unsqueeze(0).T.add_(1.0),
    "through one element": lambda t: t[0].fill_(5.0),
    "through detach()": lambda t: t.detach().add_(1.0),
    "through detach().view": lambda t: t.detach().view(1, 2).zero_(),
    "through np out=": lambda t: np.add(t, 1.0, out=t),
    "through iteration": lambda t: [row.zero_() for row in t],
    "through split": lambda t: t.split(1)[0].zero_(),
    "through unbind": lambda t: t.unbind(0)[1].zero_(),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_leaf_changed_under_no_grad_between_forward_and_backward(write: str) -> None:
    """The product kept w: its gradient would use the new value."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = (x * w).sum()
    with tg.no_grad():
        WRITES[write](w)
    modified(loss, x, w)


@pytest.mark.parametrize("write", WRITES)
def test_a_constant_input_changed_after_it_was_kept(write: str) -> None:
    """A batch overwritten by the next one before backward()."""
    x, data = leaf([1.0, 2.0]), const([3.0, 4.0])
    loss = (x * data).sum()
    WRITES[write](data)
    modified(loss, x)


@pytest.mark.parametrize("write", [w for w in WRITES if "view" not in w and w not in ("through iteration",)])
def test_an_intermediate_changed_after_it_was_kept(write: str) -> None:
    """h is kept by the square; a write to it, recorded or not, is noticed."""
    x = leaf([1.0, 2.0])
    h = x * 2
    loss = (h * h).sum()
    with tg.no_grad():
        WRITES[write](h)
    modified(loss, x)


@pytest.mark.parametrize("function", ["sigmoid", "tanh", "exp", "sqrt", "relu", "softmax"])
def test_an_output_kept_by_its_own_operation_changed(function: str) -> None:
    """σ' = a (1 − a) needs a as it was."""
    x = leaf([0.5, 2.0])
    a = x.softmax(0) if function == "softmax" else getattr(x, function)()
    with tg.no_grad():
        a.zero_()
    modified(a.sum(), x)


def test_a_recorded_write_on_a_kept_output_is_noticed() -> None:
    """PyTorch's own example: y = σ(x); y *= 2."""
    x = leaf([0.5, 2.0])
    a = x.sigmoid()
    a *= 2
    modified(a.sum(), x)


def test_a_write_before_the_forward_pass_is_harmless() -> None:
    """Only writes after the value was kept count."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    with tg.no_grad():
        w += 1
        w.detach().mul_(2)
    (x * w).sum().backward()
    assert got(x.grad) == pytest.approx([8.0, 10.0])


@pytest.mark.parametrize("op", ["add", "sum", "reshape", "mul by number", "neg"])
def test_a_write_to_what_is_not_kept_is_harmless(op: str) -> None:
    """An addition keeps nothing: its inputs may change."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = {
        "add": x + w,
        "sum": x.sum() + w.sum(),
        "reshape": (x.reshape(2, 1) + w.reshape(2, 1)),
        "mul by number": x * 2 + w * 3,
        "neg": -x - w,
    }[op].sum()
    with tg.no_grad():
        x.zero_()
        w.zero_()
    loss.backward()
    assert got(w.grad)[0] in (1.0, 3.0, -1.0)


def test_the_unused_side_of_a_product_may_change() -> None:
    """∂(x·c)/∂x = c does not need x."""
    x, c = leaf([1.0, 2.0]), const([3.0, 4.0])
    loss = (x * c).sum()
    with tg.no_grad():
        x.zero_()
    loss.backward()
    assert got(x.grad) == pytest.approx([3.0, 4.0])


def test_a_view_used_after_a_recorded_write_is_right_or_refused() -> None:
    """v = y[:2]; y *= 3 (recorded): what v holds has changed, and its history too."""
    x = leaf([1.0, 2.0, 3.0])
    y = x * 2
    v = y[:2]
    y *= 3
    try:
        (v * v).sum().backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
        assert x.grad is None
    else:
        assert got(x.grad) == pytest.approx([72.0, 144.0, 0.0])


@pytest.mark.parametrize("write", ["mul_", "setitem", "copy_"])
def test_a_view_of_a_constant_used_after_a_recorded_write_is_right_or_refused(write: str) -> None:
    """buffer[...] = f(w): a view of the buffer taken before depends on w now; its gradient is never silently nothing."""
    w, u = leaf([1.0, 2.0, 3.0]), leaf([1.0, 1.0])
    buffer = tg.ones(3, dtype=tg.float64)
    view = buffer[:2]
    if write == "mul_":
        buffer.mul_(w)
    elif write == "setitem":
        buffer[...] = w * 1
    else:
        buffer.copy_(w)
    try:
        (view * u * 5).sum().backward()
    except RuntimeError:
        assert w.grad is None and u.grad is None
    else:
        assert got(u.grad) == pytest.approx([5.0, 10.0])
        assert got(w.grad) == pytest.approx([5.0, 5.0, 0.0])


def test_a_constant_that_becomes_a_parameter_is_still_watched() -> None:
    """requires_grad_() after the value was kept does not lose sight of the memory."""
    x, c = leaf([1.0, 2.0]), const([3.0, 4.0])
    loss = (x * c).sum()
    c.requires_grad_()
    with tg.no_grad():
        c += 1
    modified(loss, x)


def test_a_parameter_that_is_frozen_is_still_watched() -> None:
    """requires_grad_(False) after the value was kept does not lose sight of the memory."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = (x * w).sum()
    w.requires_grad_(False)
    w += 1
    modified(loss, x)


def test_a_tensor_detached_in_place_is_still_watched() -> None:
    """detach_() after the value was kept does not lose sight of the memory."""
    w = leaf([1.0, 2.0])
    h = w * 2
    loss = (h * w).sum()
    h.detach_()
    h += 1
    modified(loss, w)


def test_a_set_version_survives_freezing_and_thawing() -> None:
    """Frozen, written, thawed: the write is remembered."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    loss = (x * w).sum()
    with tg.no_grad():
        w += 1
    w.requires_grad_(False)
    w.requires_grad_(True)
    modified(loss, x)


def test_a_kept_index_or_mask_may_change_or_is_noticed() -> None:
    """Indices are copied when they are used: changing them later changes no gradient."""
    x = leaf([1.0, 2.0, 3.0])
    index, mask = tg.tensor([0, 0]), tg.tensor([True, False, True])
    loss = x[index].sum() + (x[mask] * 10).sum()
    index += 2
    mask[1] = True
    loss.backward()
    assert got(x.grad) == pytest.approx([12.0, 0.0, 10.0])


def test_the_mask_of_where_is_watched() -> None:
    """where() keeps its condition; a change of it is refused or without effect."""
    x, mask = leaf([1.0, 2.0]), tg.tensor([True, False])
    loss = tg.where(mask, x * 1, 0.0).sum()
    mask[1] = True
    try:
        loss.backward()
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        assert got(x.grad) == pytest.approx([1.0, 0.0])


def test_targets_of_a_loss_are_watched() -> None:
    """The class numbers that the cross-entropy kept."""
    x, target = leaf([[1.0, 2.0], [0.0, 1.0]]), tg.tensor([0, 1])
    loss = F.cross_entropy(x, target)
    target[0] = 1
    modified(loss, x)


def test_the_optimiser_step_between_two_backwards_of_one_graph_is_noticed() -> None:
    """The classic mistake: update, then walk the old graph again."""
    w, x = leaf([[1.0, 2.0], [3.0, 4.0]]), const([[1.0, 1.0]])
    loss = ((x @ w).tanh() @ w).sum()
    loss.backward(retain_graph=True)
    with tg.no_grad():
        w -= 0.1 * w.grad
    modified(loss, w)


def test_the_error_of_a_changed_value_names_the_operation_and_the_remedy() -> None:
    """Which operation kept what, and what to write instead; the line too under detect_anomaly."""
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    with autograd.detect_anomaly():
        product, here = x * w, line_here()
        with tg.no_grad():
            w += 1
        with pytest.raises(RuntimeError) as caught:
            product.sum().backward()
    assert "mul" in str(caught.value)
    assert "out of place" in str(caught.value)
    assert here in str(caught.value)


# -- promise 8: formulas never write into their inputs --------------------------------------------------


def test_inputs_and_seeds_are_never_written() -> None:
    """A training step on read-only data and a read-only output gradient."""
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=s) for s in ((4, 3), (3, 2), (2,), (4, 2))]
    seed = np.ones((4, 2))
    for a in (*arrays, seed):
        a.flags.writeable = False
    x, w, b, y = (tg.from_numpy(a) for a in arrays)
    w.requires_grad_()
    b.requires_grad_()
    out = ((x @ w + b).tanh().softmax(1) - y) ** 2
    out.backward(tg.from_numpy(seed))
    assert got(w.grad).shape == (3, 2)


# -- promise 9: any order -------------------------------------------------------------------------------


def test_third_derivative_of_sine_is_minus_cosine() -> None:
    """grad of grad of grad, on a vector and on a number."""
    for values in (0.7, [0.1, -2.0, 3.0]):
        x = leaf(values)
        g = x.sin()
        for _ in range(2):
            (g,) = autograd.grad(g.sum(), x, create_graph=True)
        (third,) = autograd.grad(g.sum(), x)
        np.testing.assert_allclose(got(third), -np.cos(values), rtol=1e-14)


def test_sixth_derivative_of_a_power() -> None:
    """x⁶ six times is 720, and the seventh is nothing."""
    x = leaf(1.3)
    g = x**6
    for _ in range(6):
        (g,) = autograd.grad(g, x, create_graph=True)
    assert got(g) == pytest.approx(720.0)


LOSSES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "mse_loss": lambda F, x, p, c: F.mse_loss(x, p),
    "mse sum": lambda F, x, p, c: F.mse_loss(x, p, reduction="sum"),
    "l1_loss": lambda F, x, p, c: F.l1_loss(x * x, p - 9),
    "smooth_l1_loss": lambda F, x, p, c: F.smooth_l1_loss(x, p),
    "huber_loss": lambda F, x, p, c: F.huber_loss(x, p, delta=0.5),
    "bce": lambda F, x, p, c: F.binary_cross_entropy(F.sigmoid(x), p),
    "bce of probabilities": lambda F, x, p, c: F.binary_cross_entropy(x * x * 0.1 + 0.1, p),
    "bce_with_logits": lambda F, x, p, c: F.binary_cross_entropy_with_logits(x, p),
    "cross_entropy": lambda F, x, p, c: F.cross_entropy(x, c),
    "cross_entropy sum": lambda F, x, p, c: F.cross_entropy(x, c, reduction="sum"),
    "cross_entropy smoothed": lambda F, x, p, c: F.cross_entropy(x, c, label_smoothing=0.1),
    "cross_entropy of probabilities": lambda F, x, p, c: F.cross_entropy(x, p),
    "nll_loss": lambda F, x, p, c: F.nll_loss(F.log_softmax(x, 1), c),
    "kl_div": lambda F, x, p, c: F.kl_div(F.log_softmax(x, 1), p, reduction="batchmean"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_gradient_through_every_loss(name: str) -> None:
    """A gradient penalty, ‖∂E/∂x‖², agrees with PyTorch's in value and gradient."""
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(11)
    values, probabilities, classes = draw.uniform(0.1, 1.5, (4, 3)), draw.uniform(0.1, 0.9, (4, 3)), draw.integers(0, 3, 4)
    x, w = leaf(values), leaf(np.ones((3, 3)))
    loss = LOSSES[name](F, x @ w.tanh() + x, const(probabilities), tg.tensor(classes))
    gx, gw = autograd.grad(loss, [x, w], create_graph=True)
    ((gx**2).sum() + (gw.exp()).sum()).backward()
    tx, tw = torch.tensor(values, requires_grad=True), torch.ones(3, 3, dtype=torch.float64, requires_grad=True)
    tF = torch.nn.functional
    tloss = LOSSES[name](tF, tx @ tw.tanh() + tx, torch.tensor(probabilities), torch.tensor(classes))
    tgx, tgw = torch.autograd.grad(tloss, [tx, tw], create_graph=True)
    ((tgx**2).sum() + (tgw.exp()).sum()).backward()
    np.testing.assert_allclose(loss.item(), tloss.item(), rtol=1e-10)
    np.testing.assert_allclose(got(gx), tgx.detach().numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(got(x.grad), tx.grad.numpy(), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(got(w.grad), tw.grad.numpy(), rtol=1e-7, atol=1e-10)


def test_create_graph_with_respect_to_the_targets() -> None:
    """The gradient with respect to the target of a loss can be differentiated with respect to the prediction."""
    x, y = leaf([1.0, 2.0]), leaf([0.5, 1.0])
    (gy,) = autograd.grad(F.mse_loss(x, y, reduction="sum"), y, create_graph=True)
    (gx,) = autograd.grad(gy.sum(), x)
    assert got(gx) == pytest.approx([-2.0, -2.0])


def test_backward_with_create_graph_leaves_a_differentiable_gradient() -> None:
    """x.grad has a history; the gradient of its square is 2·f'·f''."""
    x = leaf([1.0, 2.0])
    (x**3).sum().backward(create_graph=True)
    assert x.grad is not None and x.grad.requires_grad
    (second,) = autograd.grad((x.grad**2).sum(), x)
    v = np.array([1.0, 2.0])
    assert got(second) == pytest.approx(2 * 3 * v**2 * 6 * v)


def test_create_graph_differentiates_with_respect_to_the_seed() -> None:
    """vᵗJ is linear in v: its derivative with respect to v is J, which is how jvp is made."""
    x, v = leaf([1.0, 2.0]), leaf([0.3, 0.4])
    (g,) = autograd.grad(x.exp(), x, v, create_graph=True)
    (dv,) = autograd.grad(g.sum(), v)
    assert got(dv) == pytest.approx(np.exp([1.0, 2.0]))


def test_gradients_without_create_graph_have_no_history() -> None:
    """backward() and grad() return plain values."""
    x = leaf([1.0, 2.0])
    (g,) = autograd.grad((x * x).sum(), x)
    (x * x).sum().backward()
    assert not g.requires_grad
    assert x.grad is not None and not x.grad.requires_grad


def test_create_graph_works_under_no_grad() -> None:
    """create_graph asks for recording, whatever the mode of the caller; and the mode is put back."""
    x = leaf([1.0, 2.0])
    y = (x**3).sum()
    with tg.no_grad():
        (g,) = autograd.grad(y, x, create_graph=True)
        assert not tg.is_grad_enabled()
    (second,) = autograd.grad(g.sum(), x)
    assert got(second) == pytest.approx([6.0, 12.0])


def test_an_operation_that_cannot_be_differentiated_again_says_so() -> None:
    """once_differentiable: a second derivative raises, and is not wrong."""

    class Square(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = leaf([3.0])
    Square.apply(x).sum().backward()
    assert got(x.grad) == pytest.approx([6.0])
    (first,) = autograd.grad(Square.apply(x).sum(), x, create_graph=True)
    assert got(first) == pytest.approx([6.0])
    with pytest.raises(RuntimeError, match="once_differentiable"):
        autograd.grad(first.sum(), x, retain_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        (first * x).sum().backward()


# -- promise 10: threads --------------------------------------------------------------------------------


def in_thread(work: Callable[[], Any]) -> Any:
    """Run in a thread of its own, and hand on its result or its error."""
    box: list[Any] = []

    def run() -> None:
        try:
            box.append(work())
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(box[0], BaseException):
        raise box[0]
    return box[0]


def test_grad_mode_is_per_thread() -> None:
    """no_grad in one thread says nothing about another, in both directions."""
    with tg.no_grad():
        assert in_thread(tg.is_grad_enabled) is True
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with tg.no_grad():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    try:
        assert tg.is_grad_enabled()
        x = leaf([1.0])
        (x * 2).sum().backward()
        assert got(x.grad) == pytest.approx([2.0])
    finally:
        leave.set()
        thread.join()


def test_anomaly_mode_is_per_thread() -> None:
    """A thread that debugs does not make the others fail."""

    def quiet() -> float:
        x = leaf([0.0])
        with np.errstate(all="ignore"):
            (x / x).sum().backward()
        return float(got(x.grad)[0])

    with autograd.detect_anomaly():
        assert math.isnan(in_thread(quiet))


def test_two_threads_train_two_models_and_get_what_each_gets_alone() -> None:
    """Stamps are shared between threads, results are not: bit for bit the same losses and parameters."""
    alone = []
    for seed in (0, 1, 2):
        parameters = small_network(seed)
        alone.append((train(parameters, 60, seed), [got(p) for p in parameters]))
    networks = [small_network(seed) for seed in (0, 1, 2)]
    results: dict[int, list[float]] = {}
    start = threading.Barrier(3)

    def work(seed: int) -> None:
        start.wait()
        results[seed] = train(networks[seed], 60, seed)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1, 2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        sys.setswitchinterval(before)
    for seed in (0, 1, 2):
        assert results[seed] == alone[seed][0]
        for p, old in zip(networks[seed], alone[seed][1], strict=True):
            np.testing.assert_array_equal(got(p), old)


# -- promise 11: errors teach (the rest is in test_errors.py) -------------------------------------------


def nan_division() -> tuple[tg.Tensor, str]:
    x = leaf([0.0, 1.0])
    y, here = x / x, line_here()
    return y.sum(), here


def test_detect_anomaly_names_the_operation_and_the_users_line() -> None:
    """The first NaN of the backward pass, by name, and the line of this file that made the node."""
    with autograd.detect_anomaly():
        loss, here = nan_division()
        with pytest.raises(RuntimeError) as caught:
            loss.backward()
    assert "DivBackward0" in str(caught.value)
    assert "nan" in str(caught.value)
    assert here in str(caught.value)


ANOMALIES: dict[str, Callable[[tg.Tensor], tg.Tensor]] = {
    "sqrt": lambda x: (x - 1).sqrt(),
    "log": lambda x: (x - 1).log(),
    "mul": lambda x: x * (tg.zeros(2, dtype=tg.float64) / 0),
    "pow": lambda x: (x - 1) ** 0.5,
    "matmul": lambda x: x @ const([np.nan, 1.0]),
    "linear": lambda x: F.linear(x, const([[np.nan, 1.0]])),
    "mse_loss": lambda x: F.mse_loss(x, const([np.nan, 1.0])),
    "getitem": lambda x: (x[:] * np.nan)[0],
}


@pytest.mark.parametrize("name", ANOMALIES)
@pytest.mark.filterwarnings("ignore:.*encountered")
def test_detect_anomaly_finds_the_line_whatever_the_operation(name: str) -> None:
    """Fast recorder, general recorder, composed function or method: the line is the user's, never the framework's."""
    x = leaf([0.0, 0.5])
    with autograd.detect_anomaly():
        out, where = ANOMALIES[name](x), __file__
        with pytest.raises(RuntimeError) as caught:
            out.sum().backward()
    assert where in str(caught.value)
    assert "returned nan values" in str(caught.value)
    assert x.grad is None


def test_detect_anomaly_under_no_grad_records_nothing() -> None:
    """A debugging context does not switch recording on."""
    x = leaf([1.0])
    with tg.no_grad(), autograd.detect_anomaly():
        assert not tg.is_grad_enabled()
        assert not (x * 2).requires_grad


def test_detect_anomaly_respects_no_grad_inside_and_is_put_back() -> None:
    """Contexts nest in any order."""
    x = leaf([0.0])
    with autograd.detect_anomaly():
        with tg.no_grad():
            assert not (x * 2).requires_grad
            with tg.enable_grad():
                assert (x * 2).requires_grad
        loss, _ = nan_division()
        with pytest.raises(RuntimeError, match="nan"):
            loss.backward()
    loss, _ = nan_division_quiet()
    loss.backward()  # outside, NaN passes without a word


def nan_division_quiet() -> tuple[tg.Tensor, str]:
    with np.errstate(all="ignore"):
        return nan_division()


def test_anomaly_without_check_records_the_line_and_lets_nan_pass() -> None:
    """check_nan=False, as in PyTorch: no error for a NaN."""
    with autograd.detect_anomaly(check_nan=False), np.errstate(all="ignore"):
        loss, _ = nan_division()
        loss.backward()


@pytest.mark.filterwarnings("ignore:.*encountered")
def test_infinite_but_not_nan_is_no_anomaly() -> None:
    """Only NaN stops the walk."""
    x = leaf([0.0])
    with autograd.detect_anomaly():
        x.sqrt().sum().backward()
    assert math.isinf(got(x.grad)[0])


# -- promise 12: memory ---------------------------------------------------------------------------------


def test_peak_memory_of_a_step_keeps_little_more_than_the_activations() -> None:
    """What is kept is inferred: an addition, a reshape, a multiplication by a number keep nothing."""
    import tracemalloc

    x = tg.zeros(256, 1024, requires_grad=True)  # 1 MiB
    tracemalloc.start()
    try:
        y = x
        for _ in range(20):
            y = (y + 1.0).reshape(1024, 256).reshape(256, 1024) * 2.0
        loss = y.sum()
        kept, peak = tracemalloc.get_traced_memory()
        loss.backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3.5 * 2**20, "additions and reshapes kept their inputs"
    assert peak < 6 * 2**20


def test_peak_memory_of_backward_frees_activations_as_it_goes() -> None:
    """Twenty kept activations: the walk frees each as its gradient is made, so the peak is near the forward's."""
    import tracemalloc

    x = tg.zeros(256, 1024, requires_grad=True)
    tracemalloc.start()
    try:
        y = x
        for _ in range(20):
            y = y.tanh()
        loss = y.sum()
        del y
        kept, _ = tracemalloc.get_traced_memory()
        loss.backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < kept + 4 * 2**20


# -- accumulation, inputs=, output gradients ------------------------------------------------------------


def test_backward_accumulates_and_never_replaces() -> None:
    """grad = g where it must add: two losses, two backwards, one sum; and in the same tensor object."""
    w = leaf([1.0, 2.0])
    (w * 2).sum().backward()
    first = w.grad
    (w * w).sum().backward()
    assert w.grad is first
    assert got(w.grad) == pytest.approx([4.0, 6.0])


def test_x_used_twice_in_one_operation() -> None:
    """x·x has two edges to one node."""
    x = leaf([3.0])
    y = x * x
    assert y.grad_fn is not None and len(y.grad_fn.edges or ()) == 2
    y.backward()
    assert got(x.grad) == pytest.approx([6.0])


def test_inputs_limits_what_receives_a_gradient() -> None:
    """Only the tensors asked for; leaves and intermediates; unused ones stay None."""
    x, y, z = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([1.0, 1.0])
    h = x * y
    (h * h).sum().backward(inputs=[x])
    assert got(x.grad) == pytest.approx([18.0, 64.0])
    assert y.grad is None
    h = x * y
    h.retain_grad()
    (h * h).sum().backward(inputs=[y, z], retain_graph=True)
    assert got(y.grad) == pytest.approx([6.0, 32.0])
    assert z.grad is None
    assert got(x.grad) == pytest.approx([18.0, 64.0])


def test_inputs_may_name_an_intermediate() -> None:
    """Its .grad is written once, even when it retains its gradient as well."""
    for retained in (False, True):
        x = leaf([1.0, 2.0])
        h = x * 2
        if retained:
            h.retain_grad()
        (h * h).sum().backward(inputs=[h, x] if retained else h)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert got(h.grad) == pytest.approx([4.0, 8.0])
        assert (x.grad is not None) == retained


def test_backward_of_a_non_scalar_with_a_gradient() -> None:
    """vᵗJ; a dtype other than the tensor's is converted."""
    x = leaf([1.0, 2.0])
    (x * x).backward(tg.tensor([1.0, 10.0]))
    assert got(x.grad) == pytest.approx([2.0, 40.0])


def test_backward_of_a_one_element_tensor_needs_no_gradient() -> None:
    """A loss of shape (1,) or (1, 1) counts as a scalar, as in PyTorch."""
    for shape in ((1,), (1, 1)):
        x = leaf(np.full(shape, 3.0))
        (x * x).backward()
        assert got(x.grad) == pytest.approx(np.full(shape, 6.0))


def test_backward_on_a_leaf_itself() -> None:
    """∂x/∂x = 1."""
    x = leaf(3.0)
    x.backward()
    assert got(x.grad) == 1.0
    x.backward()
    assert got(x.grad) == 2.0


def test_several_roots_are_added_in_one_walk() -> None:
    """backward([a, b]) adds the gradients of both; a root below another root is included."""
    x = leaf([1.0, 2.0])
    h = x * x
    autograd.backward([h.sum(), (h * h).sum(), h], [None, None, const([1.0, 1.0])])
    v = np.array([1.0, 2.0])
    assert got(x.grad) == pytest.approx(2 * (2 * v) + 4 * v**3)


def test_the_same_root_twice_counts_twice() -> None:
    """grad([y, y]) = 2 ∂y/∂x."""
    x = leaf(2.0)
    y = x * x
    assert got(autograd.grad([y, y], x)[0]) == pytest.approx(8.0)


def test_grad_of_an_intermediate_and_of_the_output_itself() -> None:
    """grad(y, [y, h, x]) for a chain, with .grad left alone."""
    x = leaf(2.0)
    h = x * x
    y = h * 3
    gy, gh, gx = autograd.grad(y, [y, h, x])
    assert (got(gy), got(gh), got(gx)) == (1.0, 3.0, 12.0)
    assert x.grad is None


def test_grad_of_unused_inputs() -> None:
    """None when allowed, zeros when materialized, an error that says allow_unused otherwise."""
    x, z = leaf([1.0]), leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        autograd.grad((x * 2).sum(), [x, z])
    assert autograd.grad((x * 2).sum(), [x, z], allow_unused=True)[1] is None
    _, zeros = autograd.grad((x * 2).sum(), [x, z], materialize_grads=True, allow_unused=True)
    assert got(zeros) == pytest.approx([0.0, 0.0])


def test_grad_of_repeated_inputs() -> None:
    """The same input twice gives the same gradient twice, each in its own memory."""
    x = leaf([1.0, 2.0])
    a, b = autograd.grad((x * x).sum(), [x, x])
    assert a is not None and b is not None
    check_owned(a, x, [b._array, x._array])
    assert got(a) == pytest.approx(got(b))


# -- hooks and retain_grad ------------------------------------------------------------------------------


def test_hooks_run_in_order_on_the_complete_gradient_and_may_replace_it() -> None:
    """On a leaf and on an intermediate; once per walk, after all uses have contributed."""
    x = leaf([1.0, 2.0])
    h = x * 1.0
    calls: list[tuple[str, list[float]]] = []

    def first(g: tg.Tensor) -> None:
        calls.append(("first", g.tolist()))

    def second(g: tg.Tensor) -> tg.Tensor:
        calls.append(("second", g.tolist()))
        return g * 10

    def third(g: tg.Tensor) -> None:
        calls.append(("third", g.tolist()))

    for hook in (first, second, third):
        h.register_hook(hook)
    x.register_hook(lambda g: g + 1)
    (h + h * 2).sum().backward()
    assert calls == [("first", [3.0, 3.0]), ("second", [3.0, 3.0]), ("third", [30.0, 30.0])]
    assert got(x.grad) == pytest.approx([31.0, 31.0])


def test_a_removed_hook_does_not_run_and_removal_twice_is_harmless() -> None:
    """remove(), and the handle as a context; removing one of two equal hooks twice leaves the other."""
    x = leaf([1.0])
    double: Callable[[tg.Tensor], tg.Tensor] = lambda g: g * 2
    handle, other = x.register_hook(double), x.register_hook(double)
    handle.remove()
    handle.remove()
    (x * 1).sum().backward()
    assert got(x.grad) == pytest.approx([2.0])
    other.remove()
    x.grad = None
    with x.register_hook(lambda g: g * 5):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert got(x.grad) == pytest.approx([6.0])


def test_a_hook_that_removes_itself_does_not_skip_the_next() -> None:
    """A one-shot hook is a common pattern."""
    x = leaf([1.0])
    calls: list[str] = []

    def once(g: tg.Tensor) -> None:
        calls.append("once")
        handle.remove()

    handle = x.register_hook(once)
    x.register_hook(lambda g: calls.append("always"))
    (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert calls == ["once", "always", "always"]


def test_hooks_run_for_grad_and_with_create_graph() -> None:
    """grad() passes the hooks of what it walks; with create_graph they are differentiated through."""
    x = leaf([2.0])
    h = x * x
    h.register_hook(lambda g: g * g)
    assert got(autograd.grad((h * 3).sum(), x, retain_graph=True)[0]) == pytest.approx([36.0])
    s = leaf([3.0])
    (g,) = autograd.grad((h * s).sum(), x, create_graph=True)  # g = s² · 2x
    (gs,) = autograd.grad(g.sum(), s)
    assert got(gs) == pytest.approx([2 * 3.0 * 4.0])


def test_a_hook_runs_without_recording_and_leaves_the_mode() -> None:
    """What a hook computes is not part of any graph, unless create_graph."""
    x = leaf([1.0])
    seen: list[bool] = []
    x.register_hook(lambda g: seen.append((g * x).requires_grad))
    (x * 2).sum().backward()
    assert seen == [False]
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("where", ["leaf", "intermediate", "output"])
def test_a_hook_that_raises_leaves_every_gradient_as_before(where: str) -> None:
    """The user's own error comes out, nothing was written, and recording is as it was."""
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x * y).sum().backward()
    before = got(x.grad), got(y.grad)
    h = x * y
    out = (h * h).sum() + x.sum()
    at = {"leaf": y, "intermediate": h, "output": out}[where]

    def fail(g: tg.Tensor) -> None:
        raise KeyError("the hook's own error")

    handle = at.register_hook(fail)
    with pytest.raises(KeyError, match="own error"):
        out.backward()
    handle.remove()
    assert got(x.grad) == pytest.approx(before[0])
    assert got(y.grad) == pytest.approx(before[1])
    assert tg.is_grad_enabled()


def test_a_failing_backward_leaves_retained_gradients_too() -> None:
    """Nothing is written before the whole walk has succeeded: neither leaves nor what retains its gradient."""
    x = leaf([1.0, 2.0])
    h = x * x
    h.retain_grad()
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (h * 3).sum().backward()
    assert x.grad is None
    assert h._node is not None and h._node.grad is None


def test_a_backward_that_fails_halfway_changes_no_gradient() -> None:
    """A version error below a part that was walked already."""
    a, b, c = leaf([1.0, 2.0]), leaf([3.0, 4.0]), const([5.0, 6.0])
    early = a * c
    loss = (early * b + b).sum()
    c += 1
    modified(loss, a, b)


def test_retain_grad_keeps_the_gradient_of_an_intermediate() -> None:
    """With hooks before and after it; without it, .grad warns and is None."""
    x = leaf([1.0, 2.0])
    h = x * 2
    h.register_hook(lambda g: g * 10)
    h.retain_grad()
    h.retain_grad()
    (h * 3).sum().backward()
    assert got(h.grad) == pytest.approx([30.0, 30.0])
    assert got(x.grad) == pytest.approx([60.0, 60.0])
    check_owned(h.grad, h, [h._array, x._array])


def test_a_retained_gradient_accumulates_as_in_pytorch() -> None:
    """Two walks over one graph."""
    x = leaf([1.0, 2.0])
    h = x * 2
    h.retain_grad()
    h.sum().backward(retain_graph=True)
    h.sum().backward()
    assert got(h.grad) == pytest.approx([2.0, 2.0])


def test_asking_for_a_retained_gradient_before_backward_does_not_warn() -> None:
    """retain_grad() was called: there is nothing to advise."""
    h = leaf([1.0]) * 2
    h.retain_grad()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert h.grad is None


def test_retain_grad_follows_a_recorded_write() -> None:
    """After h *= 3 the tensor is the new value, and so is its gradient, as in PyTorch."""
    x = leaf([1.0, 2.0])
    h = x * 2
    h.retain_grad()
    h *= 3
    (h * 5).sum().backward()
    assert got(h.grad) == pytest.approx([5.0, 5.0])
    assert got(x.grad) == pytest.approx([30.0, 30.0])


def test_retain_grad_on_a_leaf_does_nothing() -> None:
    """A leaf keeps its gradient anyway: once, not twice."""
    x = leaf([1.0])
    x.retain_grad()
    (x * 2).sum().backward()
    assert got(x.grad) == pytest.approx([2.0])


# -- recording on and off -------------------------------------------------------------------------------


def test_set_grad_enabled_as_function_context_and_decorator() -> None:
    """All three uses of PyTorch's, and what they leave behind."""
    tg.set_grad_enabled(False)
    assert not tg.is_grad_enabled()
    tg.set_grad_enabled(True)
    assert tg.is_grad_enabled()
    with tg.set_grad_enabled(False):
        assert not tg.is_grad_enabled()
        with tg.set_grad_enabled(True):
            assert tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()

    @tg.set_grad_enabled(False)
    def predict() -> bool:
        return tg.is_grad_enabled()

    assert tg.is_grad_enabled()
    assert predict() is False
    assert tg.is_grad_enabled()


@pytest.mark.parametrize("form", ["parentheses", "bare", "inference_mode", "enable_grad"])
def test_no_grad_as_a_decorator(form: str) -> None:
    """With and without parentheses; names, arguments and results pass through; an error restores the mode."""

    def double(x: tg.Tensor, *, times: int = 2) -> tg.Tensor:
        """Its own words."""
        if times < 0:
            raise ValueError("negative")
        return x * times

    decorated = {
        "parentheses": lambda: tg.no_grad()(double),
        "bare": lambda: tg.no_grad(double),
        "inference_mode": lambda: tg.inference_mode()(double),
        "enable_grad": lambda: tg.enable_grad()(double),
    }[form]()
    x = leaf([1.0])
    wanted = form == "enable_grad"
    with tg.set_grad_enabled(not wanted):
        out = decorated(x, times=3)
        assert got(out) == pytest.approx([3.0])
        assert out.requires_grad is wanted
        with pytest.raises(ValueError, match="negative"):
            decorated(x, times=-1)
        assert tg.is_grad_enabled() is not wanted
    assert decorated.__name__ == "double" and decorated.__doc__ == "Its own words."


def test_no_grad_on_a_generator_function_holds_inside_and_only_inside() -> None:
    """As in PyTorch: each resumption runs without recording, and between them the caller's mode holds."""

    @tg.no_grad()
    def steps() -> Iterator[bool]:
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    seen = []
    for enabled in steps():
        seen.append((enabled, tg.is_grad_enabled()))
    assert seen == [(False, True), (False, True)]


def test_a_context_restores_the_mode_after_an_error() -> None:
    """Every way out of the block."""
    contexts: list[Callable[[], Any]] = [
        tg.no_grad, tg.inference_mode, lambda: tg.set_grad_enabled(False), tg.enable_grad, autograd.detect_anomaly
    ]  # fmt: skip
    for context in contexts:
        with pytest.raises(ValueError, match="inside"), context():
            raise ValueError("inside")
        assert tg.is_grad_enabled()


def test_one_no_grad_object_nests_and_is_reused() -> None:
    """The same object, entered twice at once and again later."""
    off = tg.no_grad()
    with off:
        with off:
            assert not tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    with off:
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_backward_works_under_no_grad() -> None:
    """Walking needs no recording."""
    x = leaf([1.0])
    y = (x * 2).sum()
    with tg.no_grad():
        y.backward()
    assert got(x.grad) == pytest.approx([2.0])


# -- traps ----------------------------------------------------------------------------------------------


def test_in_place_operators_never_yield_none() -> None:
    """`t -= x` is t."""
    t = const([4.0, 6.0])
    same = t
    t += 1
    t -= 1
    t *= 2
    t /= 2
    t **= 2
    assert t is same
    assert got(t) == pytest.approx([16.0, 36.0])


def test_a_missing_attribute_is_an_error() -> None:
    """Never None."""
    for thing in (const([1.0]), tg, F, tg.autograd):
        with pytest.raises(AttributeError):
            _ = thing.no_such_thing
    with pytest.raises(AttributeError):
        const([1.0]).no_such_thing = 1


def test_a_gradient_formula_never_writes_into_g() -> None:
    """A read-only output gradient goes through two different uses of one value."""
    x = leaf([0.5, 1.5])
    seed = np.ones(2)
    seed.flags.writeable = False
    for f in ("tanh", "sigmoid", "relu", "exp", "sqrt", "log", "abs", "softmax"):
        y = x.softmax(0) if f == "softmax" else getattr(x, f)()
        y.backward(tg.from_numpy(seed), retain_graph=True)
        x.grad = None
    assert seed.tolist() == [1.0, 1.0]


def test_a_wrapped_constant_is_not_a_0d_float64() -> None:
    """What a product with a number keeps does not turn a float32 gradient into float64."""
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    for y in (x * 2.5, 2.5 * x, x / 3, 3 / x, x**2.5, 2.5**x, x - 1, 1 - x):
        (g,) = autograd.grad(y.sum(), x)
        assert y.dtype == np.float32
        assert g is not None and g.dtype == np.float32


def test_x_times_x_has_two_edges_in_order() -> None:
    """`x*x` is drawn with two edges; a - b keeps left and right."""
    a, b = leaf([1.0]), leaf([2.0])
    square, difference = (a * a).grad_fn, (a - b).grad_fn
    assert square is not None and [n for n, _ in square.next_functions] == [a._node, a._node]
    assert difference is not None and [n for n, _ in difference.next_functions] == [a._node, b._node]


def test_importing_brings_no_heavy_optional_package() -> None:
    """Only NumPy: graphviz, torch, dask, numba, scipy and matplotlib stay out until asked for."""
    import subprocess

    code = (
        "import sys, tinygrad_fr; "
        "print([m for m in ('graphviz','torch','dask','numba','scipy','matplotlib','cupy','pandas','PIL') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


# -- autograd.Function ----------------------------------------------------------------------------------


class Cube(Function):
    """x³, written by hand."""

    @staticmethod
    def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
        (x,) = ctx.saved_tensors
        return g * 3 * x**2


class Both(Function):
    """(a·b, a + b, number of the larger), of which the last has no gradient."""

    @staticmethod
    def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor, scale: float) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
        ctx.save_for_backward(a, b)
        ctx.scale = scale
        larger = (a > b).long()
        ctx.mark_non_differentiable(larger)
        return a * b * scale, a + b, larger

    @staticmethod
    def backward(ctx: Any, g: tg.Tensor, h: tg.Tensor, _: tg.Tensor) -> tuple[tg.Tensor | None, tg.Tensor | None, None]:
        a, b = ctx.saved_tensors
        ga = g * b * ctx.scale + h if ctx.needs_input_grad[0] else None
        gb = g * a * ctx.scale + h if ctx.needs_input_grad[1] else None
        return ga, gb, None


def test_function_is_differentiated_to_any_order() -> None:
    """Written with tensor operations, it needs nothing more."""
    x = leaf([2.0, 3.0])
    y = Cube.apply(x)
    assert y.grad_fn is not None and "Cube" in y.grad_fn.name()
    (first,) = autograd.grad(y.sum(), x, create_graph=True)
    (second,) = autograd.grad(first.sum(), x, create_graph=True)
    (third,) = autograd.grad(second.sum(), x)
    assert (got(first).tolist(), got(second).tolist(), got(third).tolist()) == ([12.0, 27.0], [12.0, 18.0], [6.0, 6.0])


def test_function_with_several_outputs() -> None:
    """Gradients of the outputs arrive together, zeros for one that was not used; indices carry no gradient."""
    a, b = leaf([1.0, 5.0]), leaf([3.0, 4.0])
    product, total, larger = Both.apply(a, b, 2.0)
    assert not larger.requires_grad and larger.tolist() == [0, 1]
    (product * 3 + total).sum().backward()
    assert got(a.grad) == pytest.approx([19.0, 25.0])
    assert got(b.grad) == pytest.approx([7.0, 31.0])
    a.grad = None
    _, total, _ = Both.apply(a, b, 2.0)
    total.sum().backward()
    assert got(a.grad) == pytest.approx([1.0, 1.0])
    product, _, _ = Both.apply(a, b, 2.0)
    (gb,) = autograd.grad(product.sum(), b, create_graph=True)
    (ga,) = autograd.grad(gb.sum(), a)
    assert got(ga) == pytest.approx([2.0, 2.0])


def test_function_needs_input_grad_and_constants() -> None:
    """An input that needs no gradient is known to the user's backward, and None is accepted for it."""
    a, b = leaf([1.0, 5.0]), const([3.0, 4.0])
    product, _, _ = Both.apply(a, b, 1.0)
    product.sum().backward()
    assert got(a.grad) == pytest.approx([3.0, 4.0])
    product, _, _ = Both.apply(b, const([1.0, 1.0]), 1.0)
    assert not product.requires_grad


def test_function_records_nothing_under_no_grad() -> None:
    """apply() follows the mode."""
    x = leaf([2.0])
    with tg.no_grad():
        assert not Cube.apply(x).requires_grad


@pytest.mark.parametrize("kind", ["marked", "integer"])
def test_function_with_one_output_without_gradient(kind: str) -> None:
    """A single output that is marked non-differentiable, or is made of integers, does not require grad."""

    class Flat(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            out = x.sign() if kind == "marked" else x.argmax()
            if kind == "marked":
                ctx.mark_non_differentiable(out)
            return out

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            raise AssertionError("no gradient flows here")

    assert not Flat.apply(leaf([1.0, 2.0])).requires_grad


def test_function_saved_tensors_are_version_checked() -> None:
    """A write to a saved input or output between forward and backward is refused."""
    x, y = leaf([2.0]), leaf([3.0])
    out = Cube.apply(x)
    with tg.no_grad():
        x += 1
    modified(out.sum(), x)

    class Exp(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            (y,) = ctx.saved_tensors
            return g * y

    out = Exp.apply(y)
    with tg.no_grad():
        out.zero_()
    modified(out.sum(), y)


def test_function_backward_is_run_anew_by_each_walk() -> None:
    """Nothing is remembered from one walk to the next: the second sees what has changed, and counts."""
    runs: list[int] = []

    class Product(Function):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
            ctx.save_for_backward(a, b)
            return (a * b).sum()

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            runs.append(1)
            a, b = ctx.saved_tensors
            return g * b, g * a

    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    out = Product.apply(a, b)
    autograd.grad(out, a, retain_graph=True)
    autograd.grad(out, a, retain_graph=True)
    assert len(runs) == 2
    autograd.grad(out, [a, b], retain_graph=True)
    assert len(runs) == 3
    with tg.no_grad():
        b += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        autograd.grad(out, a, retain_graph=True)


def test_function_that_saves_its_output_makes_no_cycle(collector_off: None) -> None:
    """Saving an output is the natural way to write exp or sigmoid; nothing is left to the collector."""

    class Sigmoid(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            a = 1 / (1 + (-x).exp())
            ctx.save_for_backward(a)
            return a

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            (a,) = ctx.saved_tensors
            return g * a * (1 - a)

    x = leaf([0.3])
    gc.collect()
    for _ in range(100):
        y = Sigmoid.apply(x)
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
        Sigmoid.apply(x).sum().backward()
    assert gc.collect() == 0
    x.grad = None
    (g,) = autograd.grad(Sigmoid.apply(x).sum(), x, create_graph=True)
    (second,) = autograd.grad(g.sum(), x)
    a = 1 / (1 + np.exp(-0.3))
    assert got(second) == pytest.approx([a * (1 - a) * (1 - 2 * a)])


@pytest.mark.parametrize("result", ["too few", "too many", "shape", "not a tensor", "integer of extra None"])
def test_function_with_a_wrong_backward_says_so(result: str) -> None:
    """Wrong number, wrong shape, wrong type: an error that names the function, and no .grad is written."""

    class Wrong(Function):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
            return a + b

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> Any:
            return {
                "too few": (g,),
                "too many": (g, g, g),
                "shape": (tg.ones(5, dtype=tg.float64), g),
                "not a tensor": (3.0, g),
                "integer of extra None": (g, g, None),
            }[result]

    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    out = Wrong.apply(a, b).sum()
    if result == "integer of extra None":  # PyTorch accepts trailing Nones
        out.backward()
        assert got(b.grad) == pytest.approx([1.0, 1.0])
        return
    with pytest.raises((RuntimeError, TypeError), match="Wrong"):
        out.backward()
    assert a.grad is None and b.grad is None


def test_function_may_return_none_for_a_wanted_gradient() -> None:
    """None stands for zero: the leaf gets zeros or nothing, as PyTorch leaves it to the reader."""

    class OnlyFirst(Function):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
            return a + b

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tuple[tg.Tensor, None]:
            return g, None

    a, b = leaf([1.0]), leaf([2.0])
    OnlyFirst.apply(a, b).sum().backward()
    assert got(a.grad) == pytest.approx([1.0])
    assert b.grad is None or not got(b.grad).any()


def test_function_gradients_do_not_alias() -> None:
    """One tensor returned for two inputs becomes two gradients."""

    class Add(Function):
        @staticmethod
        def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
            return a + b

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            return g, g

    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    Add.apply(a, b).backward(const([1.0, 1.0]))
    assert a.grad is not None and b.grad is not None
    check_owned(a.grad, a, [b.grad._array, a._array])


def test_function_with_setup_context() -> None:
    """PyTorch's newer style."""

    class Scale(Function):
        @staticmethod
        def forward(x: tg.Tensor, k: float) -> tg.Tensor:
            return x * k

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            ctx.k = inputs[1]

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tuple[tg.Tensor, None]:
            return g * ctx.k, None

    x = leaf([1.0])
    Scale.apply(x, 4.0).sum().backward()
    assert got(x.grad) == pytest.approx([4.0])


def test_function_that_returns_its_input() -> None:
    """The gradient-reversal layer: an identity with its own backward; the input keeps its own history."""

    class Reverse(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return -g

    x = leaf([1.0])
    y = Reverse.apply(x)
    assert y is not x and x.is_leaf
    (y * 2 + x * 5).sum().backward()
    assert got(x.grad) == pytest.approx([3.0])


def test_function_materialize_grads_off() -> None:
    """None instead of zeros for an unused output, when asked."""
    seen: list[Any] = []

    class Pair(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, g: Any, h: Any) -> tg.Tensor:
            seen.append((g is None, h is None))
            return h * 3 if g is None else g * 2

    x = leaf([1.0])
    Pair.apply(x)[1].sum().backward()
    assert seen == [(True, False)]
    assert got(x.grad) == pytest.approx([3.0])


def test_function_whose_backward_raises_leaves_the_gradients_and_the_mode() -> None:
    """The user's own error comes out."""

    class Fails(Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            raise LookupError("mine")

    x, y = leaf([1.0]), leaf([1.0])
    with pytest.raises(LookupError, match="mine"):
        (Fails.apply(x) + y).sum().backward()
    assert x.grad is None and y.grad is None
    assert tg.is_grad_enabled()


def test_function_second_backward_says_retain_graph() -> None:
    """A user's node is freed like another."""
    x = leaf([2.0])
    y = Cube.apply(x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()


# -- autograd.functional --------------------------------------------------------------------------------


def torch_pair() -> tuple[Any, Any]:
    """PyTorch, and its functional module; skips where it is not installed."""
    torch = pytest.importorskip("torch")
    return torch, torch.autograd.functional


FUNCTIONS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "elementwise": (lambda x: x.exp() * x, [(3,)]),
    "matrix": (lambda x: x @ x, [(2, 2)]),
    "reducing": (lambda x: (x**3).sum(), [(2, 2)]),
    "two inputs": (lambda x, y: x * y.sum() + y, [(2,), (2,)]),
    "unused input": (lambda x, y: x * x, [(2,), (3,)]),
    "linear": (lambda x: x * 3, [(2,)]),
    "two outputs": (lambda x, y: (x * y, (x * x).sum()), [(2,), (2,)]),
}


def same(ours: Any, theirs: Any) -> None:
    """Nested tuples of equal tensors."""
    if isinstance(theirs, tuple):
        assert isinstance(ours, tuple) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
        return
    assert tuple(ours.shape) == tuple(theirs.shape)
    np.testing.assert_allclose(got(ours), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobian_agrees_with_pytorch(name: str, create_graph: bool) -> None:
    """Nesting, shapes and values."""
    torch, functional = torch_pair()
    f, shapes = FUNCTIONS[name]
    draw = np.random.default_rng(2)
    arrays = [draw.normal(size=s) for s in shapes]
    ours: Any = tuple(map(const, arrays))
    theirs: Any = tuple(map(torch.tensor, arrays))
    if len(arrays) == 1:
        ours, theirs = ours[0], theirs[0]
    same(autograd.functional.jacobian(f, ours, create_graph), functional.jacobian(f, theirs, create_graph))


@pytest.mark.parametrize("name", ["vjp", "jvp"])
@pytest.mark.parametrize("which", ["elementwise", "matrix", "two inputs", "two outputs"])
def test_vjp_and_jvp_agree_with_pytorch(name: str, which: str) -> None:
    """Outputs and products."""
    torch, functional = torch_pair()
    f, shapes = FUNCTIONS[which]
    draw = np.random.default_rng(4)
    arrays = [draw.normal(size=s) for s in shapes]
    if name == "jvp":
        vectors = [draw.normal(size=s) for s in shapes]
    else:
        outputs = f(*map(torch.tensor, arrays))
        vectors = [draw.normal(size=tuple(o.shape)) for o in (outputs if isinstance(outputs, tuple) else (outputs,))]

    def packed(kind: Callable[[Any], Any], values: list[Array]) -> Any:
        return kind(values[0]) if len(values) == 1 else tuple(map(kind, values))

    ours = getattr(autograd.functional, name)(f, packed(const, arrays), packed(const, vectors))
    theirs = getattr(functional, name)(f, packed(torch.tensor, arrays), packed(torch.tensor, vectors))
    same(ours, theirs)


@pytest.mark.parametrize("name", ["hessian", "hvp", "vhp"])
def test_hessian_products_agree_with_pytorch_and_the_closed_form(name: str) -> None:
    """f = ½ xᵗAx + Σ b·x³: H = A + 6 diag(b x) for a symmetric A."""
    torch, functional = torch_pair()
    draw = np.random.default_rng(6)
    a, b, x, v = draw.normal(size=(3, 3)), draw.normal(size=3), draw.normal(size=3), draw.normal(size=3)
    a = a + a.T
    h = a + 6 * np.diag(b * x)

    def make(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
        ka, kb = kind(a), kind(b)
        return lambda t: 0.5 * (t @ (ka @ t)) + (kb * t**3).sum()

    if name == "hessian":
        ours = autograd.functional.hessian(make(const), const(x))
        np.testing.assert_allclose(got(ours), h, rtol=1e-10)
        same(ours, functional.hessian(make(torch.tensor), torch.tensor(x)))
    else:
        ours = getattr(autograd.functional, name)(make(const), const(x), const(v))
        np.testing.assert_allclose(got(ours[1]), h @ v, rtol=1e-10)
        same(ours, getattr(functional, name)(make(torch.tensor), torch.tensor(x), torch.tensor(v)))


def test_hessian_of_two_inputs_is_a_matrix_of_blocks() -> None:
    """f = Σ x²·y: the blocks are 2 diag y, 2 diag x, 2 diag x, 0."""
    x, y = const([1.0, 2.0]), const([3.0, 4.0])
    blocks = autograd.functional.hessian(lambda x, y: (x * x * y).sum(), (x, y))
    np.testing.assert_allclose(got(blocks[0][0]), np.diag([6.0, 8.0]))
    np.testing.assert_allclose(got(blocks[0][1]), np.diag([2.0, 4.0]))
    np.testing.assert_allclose(got(blocks[1][0]), np.diag([2.0, 4.0]))
    np.testing.assert_allclose(got(blocks[1][1]), np.zeros((2, 2)))


def test_functional_leaves_its_inputs_alone() -> None:
    """No .grad, no requires_grad, no recording mode is changed; it works under no_grad."""
    x = const([1.0, 2.0])
    p = leaf([1.0, 2.0])
    with tg.no_grad():
        j = autograd.functional.jacobian(lambda t: t * t, x)
        autograd.functional.hessian(lambda t: (t**3).sum(), p)
        assert not tg.is_grad_enabled()
    assert got(j).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert not j.requires_grad and not x.requires_grad and p.grad is None


def test_jacobian_with_create_graph_can_be_differentiated() -> None:
    """The derivative of the trace of the Jacobian of x³ is 6x."""
    x = leaf([1.0, 2.0])
    j = autograd.functional.jacobian(lambda t: t**3, x, create_graph=True)
    j.diagonal().sum().backward()
    assert got(x.grad) == pytest.approx([6.0, 12.0])


def test_functional_errors() -> None:
    """strict names an independent input; a non-scalar has no Hessian; a function must return Tensors."""
    x = const([1.0, 2.0])
    with pytest.raises(RuntimeError, match="independent"):
        autograd.functional.jacobian(lambda a, b: a * 2, (x, x), strict=True)
    with pytest.raises(RuntimeError, match="scalar"):
        autograd.functional.hessian(lambda a: a * 2, x)
    with pytest.raises(TypeError, match="Tensor"):
        autograd.functional.jacobian(lambda a: 3.0, x)
    with pytest.raises(RuntimeError):
        autograd.functional.vjp(lambda a: a * 2, x)
