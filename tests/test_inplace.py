"""Writing into a tensor: in-place methods, index assignment and augmented assignment do what PyTorch's do.

Values, gradients, dtypes and errors are compared with PyTorch's where it is installed. Random indices are read and written
against NumPy, whose rules for them are the same, and against PyTorch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import tinygrad_fr as tg
from tinygrad_fr.node import Memory

Array = NDArray[Any]


def leaf(values: Any) -> tg.Tensor:
    """A float64 tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, np.float64), requires_grad=True)


def got(tensor: tg.Tensor | None) -> Array:
    """A copy of the values of a tensor that must be there."""
    assert tensor is not None, "no gradient arrived"
    return np.array(tensor.detach().numpy())


def written(tensor: tg.Tensor) -> int:
    """The stamp of the last write to the tensor's memory; 0 before any."""
    memory: Memory | None = tensor._memory if tensor._node is None else tensor._node.memory
    return 0 if memory is None else memory.written


# -- the methods against PyTorch ------------------------------------------------------------------------

Method = Callable[[Any, Any], Any]

METHODS: dict[str, Method] = {
    "add_": lambda t, o: t.add_(o),
    "add_ number": lambda t, o: t.add_(2),
    "add_ alpha": lambda t, o: t.add_(o, alpha=3),
    "sub_": lambda t, o: t.sub_(o),
    "sub_ alpha": lambda t, o: t.sub_(o, alpha=0.5),
    "mul_": lambda t, o: t.mul_(o),
    "div_": lambda t, o: t.div_(o),
    "div_ number": lambda t, o: t.div_(4.0),
    "pow_": lambda t, o: t.pow_(2),
    "pow_ tensor": lambda t, o: t.pow_(o),
    "neg_": lambda t, o: t.neg_(),
    "abs_": lambda t, o: t.abs_(),
    "exp_": lambda t, o: t.exp_(),
    "log_": lambda t, o: t.log_(),
    "sqrt_": lambda t, o: t.sqrt_(),
    "sin_": lambda t, o: t.sin_(),
    "cos_": lambda t, o: t.cos_(),
    "tanh_": lambda t, o: t.tanh_(),
    "sigmoid_": lambda t, o: t.sigmoid_(),
    "relu_": lambda t, o: t.relu_(),
    "clamp_": lambda t, o: t.clamp_(0.6, 1.2),
    "clamp_ min": lambda t, o: t.clamp_(min=0.8),
    "square_": lambda t, o: t.square_(),
    "reciprocal_": lambda t, o: t.reciprocal_(),
    "floor_": lambda t, o: t.floor_(),
    "ceil_": lambda t, o: t.ceil_(),
    "round_": lambda t, o: t.round_(),
    "trunc_": lambda t, o: t.trunc_(),
    "remainder_": lambda t, o: t.remainder_(0.7),
    "zero_": lambda t, o: t.zero_(),
    "fill_": lambda t, o: t.fill_(3.5),
    "copy_": lambda t, o: t.copy_(o),
    "masked_fill_": lambda t, o: t.masked_fill_(t > 1, 0.0),
    "setitem": lambda t, o: (t.__setitem__((0, slice(None)), o[1]), t)[1],
    "setitem number": lambda t, o: (t.__setitem__((slice(None), 1), 7.0), t)[1],
    "setitem mask": lambda t, o: (t.__setitem__(t > 1, 0.25), t)[1],
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "**=": lambda t, o: operator.ipow(t, 3),
    "row +=": lambda t, o: operator.iadd(t, o[0]),
    "column *=": lambda t, o: operator.imul(t, o[:, :1]),
}


def data() -> tuple[Array, Array]:
    """Two (2, 3) arrays of positive numbers."""
    draw = np.random.default_rng(8)
    return draw.uniform(0.5, 2, (2, 3)), draw.uniform(0.5, 2, (2, 3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", METHODS)
def test_unrecorded(name: str, dtype: str) -> None:
    """The value is PyTorch's, the same object and the same memory are returned, the dtype stays, the write is counted."""
    torch = pytest.importorskip("torch")
    a, b = (x.astype(dtype) for x in data())
    t, o = tg.tensor(a), tg.tensor(b)
    memory, before = t._array, written(t)
    out = METHODS[name](t, o)
    assert out is t
    assert t._array is memory
    assert t.dtype == dtype
    assert written(t) > before
    expected = METHODS[name](torch.tensor(a), torch.tensor(b))
    np.testing.assert_allclose(got(t), expected.numpy(), rtol=1e-6 if dtype == "float32" else 1e-13)
    assert not t.requires_grad and t.is_leaf


def recorded(lib: Any, name: str, a: Array, b: Array, part: str) -> tuple[Any, Any, Any, Any]:
    """h = x·1.5; h changes in place; its weighted sum is walked. The value and the gradients of both operands."""
    x = lib.tensor(a, requires_grad=part != "only the other")
    o = lib.tensor(b, requires_grad=part != "only the tensor")
    h = x * 1.5
    if part == "only the other":
        h = h.detach().clone()
    METHODS[name](h, o)
    weights = lib.tensor(np.arange(1.0, 7.0).reshape(2, 3))
    if h.requires_grad:
        (h * h * weights).sum().backward()
    return h.detach().numpy(), x.grad, o.grad, h.requires_grad


@pytest.mark.parametrize("part", ["both", "only the tensor", "only the other"])
@pytest.mark.parametrize("name", METHODS)
def test_recorded(name: str, part: str) -> None:
    """Value, requires_grad and the gradients of tensor and operand are PyTorch's."""
    torch = pytest.importorskip("torch")
    a, b = data()
    value, gx, go, wanted = recorded(tg, name, a, b, part)
    expected, tx, to, twanted = recorded(torch, name, a, b, part)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert wanted == twanted
    for ours, theirs in ((gx, tx), (go, to)):
        if theirs is None:
            assert ours is None or not got(ours).any()
        else:
            mine = np.zeros(theirs.shape) if ours is None and not theirs.any() else got(ours)
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_a_recorded_write_is_the_out_of_place_operation(name: str) -> None:
    """Third-order agreement: the recorded write can be differentiated twice, like `clone` and then the same."""
    a, b = data()
    results = []
    for fresh in (False, True):
        x, o = leaf(a), tg.tensor(b)
        h = x * 1.0
        h = h.clone() if fresh else h
        h = METHODS[name](h, o)
        (first,) = tg.autograd.grad((h**3).sum(), x, create_graph=True, materialize_grads=True, allow_unused=True)
        assert first is not None
        if first.requires_grad:
            (second,) = tg.autograd.grad((first**2).sum(), x, materialize_grads=True, allow_unused=True)
            results.append((got(first), got(second)))
        else:
            results.append((got(first), np.zeros_like(a)))
    for i in (0, 1):
        np.testing.assert_allclose(results[0][i], results[1][i])


def test_several_writes_in_a_row() -> None:
    """Each takes over the history of the one before."""
    torch = pytest.importorskip("torch")
    results = []
    for lib in (tg, torch):
        x = lib.tensor(np.array([0.3, 0.8]), requires_grad=True)
        w = lib.tensor(np.array([2.0, 3.0]), requires_grad=True)
        h = x + 1
        h += w
        h *= 2
        h[0] = w[1] * x[0]
        h -= 1
        (h * h).sum().backward()
        results.append((h.detach().numpy(), x.grad.numpy(), w.grad.numpy()))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_a_buffer_filled_in_a_loop() -> None:
    """The usual way to write an unrolled recurrence: out = zeros(n); out[i] = f(out[i-1])."""
    torch = pytest.importorskip("torch")
    results = []
    for lib in (tg, torch):
        w = lib.tensor(np.array(0.9), requires_grad=True)
        out = lib.zeros(6, dtype=lib.float64)
        out[0] = 1.0
        for i in range(1, 6):
            out[i] = w * out[i - 1].clone() + 0.1
        out.sum().backward()
        results.append((out.detach().numpy(), w.grad.numpy()))
    np.testing.assert_allclose(results[0][0], results[1][0])
    np.testing.assert_allclose(results[0][1], results[1][1])


@pytest.mark.parametrize(
    "action", ["row += 1", "row *= w", "slice zero_", "element fill", "view add_", "T mul_", "y[i] += w[i] loop"]
)
def test_recorded_write_through_a_view_is_pytorchs_or_refused(action: str) -> None:
    """`y[0] += 1` on an intermediate: the right gradient, or an error that says so; never a wrong number."""
    torch = pytest.importorskip("torch")

    def run(lib: Any) -> tuple[Any, Any, Any]:
        x = lib.tensor(np.arange(1.0, 5.0).reshape(2, 2), requires_grad=True)
        w = lib.tensor(np.array([2.0, 3.0]), requires_grad=True)
        y = x * 2
        if action == "row += 1":
            y[0] += 1
        elif action == "row *= w":
            y[1] *= w
        elif action == "slice zero_":
            y[:, :1].zero_()
        elif action == "element fill":
            y[0, 0].fill_(9.0)
        elif action == "view add_":
            y.view(4).add_(1)
        elif action == "T mul_":
            y.T.mul_(w)
        else:
            for i in range(2):
                y[i] += w[i]
        (y * y).sum().backward()
        return y.detach().numpy(), x.grad.numpy(), None if w.grad is None else w.grad.numpy()

    expected = run(torch)
    try:
        found = run(tg)
    except RuntimeError as error:
        assert "view" in str(error)
        return
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert ours is None
        else:
            np.testing.assert_allclose(ours, theirs)


def test_a_write_through_a_view_of_an_intermediate_works() -> None:
    """PyTorch programs write `y[0] += 1` on values with a history: accumulating into a row is the commonest of them."""
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    y = x * 2
    y[0] += 1
    (y * y).sum().backward()
    assert got(x.grad).tolist() == [[12.0, 20.0], [24.0, 32.0]]


# -- memory shared, versions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        "slice",
        "row",
        "element",
        "view",
        "reshape",
        "T",
        "permute",
        "unsqueeze",
        "squeeze",
        "flatten",
        "expand_as",
        "split",
        "chunk",
        "unbind",
        "narrow",
        "detach",
        "data",
        "numpy",
        "diagonal",
        "from_numpy",
        "ravel",
        "swapaxes",
    ],
)
def test_views_share_memory(how: str) -> None:
    """A write to one is seen in the other, and (but for numpy() and .data, as documented) counted for both."""
    x = tg.zeros(2, 3)
    makers: dict[str, Callable[[], Any]] = {
        "slice": lambda: x[:, 1:],
        "row": lambda: x[1],
        "element": lambda: x[1, 2],
        "view": lambda: x.view(3, 2),
        "reshape": lambda: x.reshape(6),
        "T": lambda: x.T,
        "permute": lambda: x.permute(1, 0),
        "unsqueeze": lambda: x.unsqueeze(0),
        "squeeze": lambda: x.unsqueeze(0).squeeze(0),
        "flatten": lambda: x.flatten(),
        "expand_as": lambda: x.expand(2, 3),
        "split": lambda: x.split(2, 1)[1],
        "chunk": lambda: x.chunk(2)[1],
        "unbind": lambda: x.unbind(0)[1],
        "narrow": lambda: x.narrow(1, 2, 1),
        "detach": lambda: x.detach(),
        "data": lambda: x.data,
        "numpy": lambda: x.numpy(),
        "diagonal": lambda: x[:, 1:].diagonal(),
        "from_numpy": lambda: tg.from_numpy(x.numpy()),
        "ravel": lambda: x.ravel(),
        "swapaxes": lambda: x.swapaxes(0, 1),
    }
    v = makers[how]()
    before = written(x)
    x.fill_(5.0)
    if how in ("expand_as", "diagonal"):  # read-only views are allowed here
        assert (got(v) == 5.0).all()
        return
    array = v if how == "numpy" else got(v)
    assert (array == 5.0).all()
    assert before < written(x)
    if how not in ("data", "numpy", "from_numpy"):
        assert written(v) == written(x)
        v += 2.0
        assert written(v) == written(x)
    else:
        v += 2.0
    assert x._array[-1, -1] == 7.0


@pytest.mark.parametrize(
    "how", ["clone", "mask", "integers", "contiguous of T", "tensor()", "astype", "add", "flip", "cat", "deepcopy"]
)
def test_copies_do_not_share_memory(how: str) -> None:
    """Neither values nor the record of writes."""
    import copy

    x = tg.zeros(2, 3)
    v = {
        "clone": lambda: x.clone(),
        "mask": lambda: x[x == 0],
        "integers": lambda: x[[0, 1]],
        "contiguous of T": lambda: x.T.contiguous(),
        "tensor()": lambda: tg.tensor(x),
        "astype": lambda: x.double(),
        "add": lambda: x + 0,
        "flip": lambda: x.flip(0),
        "cat": lambda: tg.cat([x]),
        "deepcopy": lambda: copy.deepcopy(x),
    }[how]()
    x.fill_(5.0)
    assert not got(v).any()
    assert written(v) == 0 or written(v) < written(x)


def test_augmented_assignment_keeps_the_object() -> None:
    """`t += x` changes t where others hold it; `t = t + x` does not."""
    t = tg.ones(2)
    alias, view = t, t[:1]
    t += 1
    assert alias is t and view.tolist() == [2.0]
    t = t + 1
    assert alias is not t and alias.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    "op", [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod, operator.ipow]
)
@pytest.mark.parametrize("kind", ["int", "float", "tensor", "array", "0-d tensor", "np.float64"])
def test_augmented_assignment_with_every_kind_of_operand(op: Callable[[Any, Any], Any], kind: str) -> None:
    """The same values as out of place, the dtype of the tensor."""
    other: Any = {
        "int": 2,
        "float": 1.5,
        "tensor": tg.tensor([1.5, 2.0]),
        "array": np.array([1.5, 2.0], np.float32),
        "0-d tensor": tg.tensor(1.5),
        "np.float64": np.float64(1.5),
    }[kind]
    number = other._array if isinstance(other, tg.Tensor) else other
    t = tg.tensor([5.0, 7.0])
    out = op(t, other)
    assert out is t and t.dtype == np.float32
    plain = {
        operator.iadd: operator.add,
        operator.isub: operator.sub,
        operator.imul: operator.mul,
        operator.itruediv: operator.truediv,
        operator.ifloordiv: operator.floordiv,
        operator.imod: operator.mod,
        operator.ipow: operator.pow,
    }[op]
    np.testing.assert_allclose(got(t), plain(np.array([5.0, 7.0]), number), rtol=1e-6)


def test_boolean_and_integer_augmented_assignment() -> None:
    """&=, |=, ^= on masks and integers."""
    m = tg.tensor([True, False, True])
    m &= tg.tensor([True, True, False])
    assert m.tolist() == [True, False, False]
    m |= tg.tensor([False, True, False])
    m ^= True
    assert m.tolist() == [False, False, True]
    n = tg.tensor([5, 7])
    n //= 2
    n %= 2
    n += True
    assert n.tolist() == [1, 2] and n.dtype == np.int64


def test_zero_dimensional_tensors_are_written_in_place() -> None:
    """A number computed by a reduction can be written like any tensor, and so can its alias."""
    t = tg.ones(3).sum()
    alias = t.detach()
    t += 1
    assert t.item() == 4.0
    assert alias.item() == 4.0
    t.zero_()
    t[...] = 2.0
    assert t.item() == alias.item() == 2.0


def test_overlapping_memory() -> None:
    """A write from a view of the tensor itself uses the old values."""
    t = tg.arange(6).float()
    t[1:] = t[:-1]
    assert t.tolist() == [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]
    m = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    m += m.T
    assert m.tolist() == [[2.0, 5.0], [5.0, 8.0]]


OWN_OPERANDS: dict[str, Callable[[Any], Any]] = {
    "h *= h": lambda h: operator.imul(h, h),
    "h += h": lambda h: operator.iadd(h, h),
    "h *= h[0]": lambda h: operator.imul(h, h[0]),
    "h *= h.T": lambda h: operator.imul(h, h.T),
    "h *= h.T @ h": lambda h: operator.imul(h, h.T @ h),
    "h /= h.view": lambda h: operator.itruediv(h, h.view(2, 2)),
    "h *= h.detach()": lambda h: operator.imul(h, h.detach()),
    "h *= h.detach()[0]": lambda h: operator.imul(h, h.detach()[0]),
    "h /= h.sum()": lambda h: operator.itruediv(h, h.sum()),
    "h.pow_(h)": lambda h: h.pow_(h),
    "h[0] = h[1]": lambda h: (h.__setitem__(0, h[1]), h)[1],
    "h[0] = h[1] * h[0]": lambda h: (h.__setitem__(0, h[1] * h[0]), h)[1],
    "h.copy_(h.T)": lambda h: h.copy_(h.T),
    "h.masked_fill_(h > 2)": lambda h: h.masked_fill_(h > 2, 0.5),
}


@pytest.mark.parametrize("name", OWN_OPERANDS)
def test_a_write_whose_operand_is_the_tensor_itself_is_right_or_refused(name: str) -> None:
    """h *= h, h *= h[0], h *= h.detach(): the operand is the value before the write, in the value and in the gradient."""
    action = OWN_OPERANDS[name]
    values = np.array([[2.0, 3.0], [1.5, 0.5]])
    x = leaf(values)
    h = x * 1
    try:
        h = action(h)
        (h * h).sum().backward()
    except RuntimeError as error:
        assert "inplace" in str(error) or "in-place" in str(error) or "in place" in str(error)
        return
    twin = leaf(values)
    t = twin * 1
    expected = {
        "h *= h": lambda: t * t,
        "h += h": lambda: t + t,
        "h *= h[0]": lambda: t * t[0],
        "h *= h.T": lambda: t * t.T,
        "h *= h.T @ h": lambda: t * (t.T @ t),
        "h /= h.view": lambda: t / t,
        "h *= h.detach()": lambda: t * tg.tensor(values),
        "h *= h.detach()[0]": lambda: t * tg.tensor(values[0]),
        "h /= h.sum()": lambda: t / t.sum(),
        "h.pow_(h)": lambda: t**t,
        "h[0] = h[1]": lambda: tg.stack([t[1], t[1]]),
        "h[0] = h[1] * h[0]": lambda: tg.stack([t[1] * t[0], t[1]]),
        "h.copy_(h.T)": lambda: t.T * 1,
        "h.masked_fill_(h > 2)": lambda: t.masked_fill(t > 2, 0.5),
    }[name]()
    np.testing.assert_allclose(got(h), got(expected))
    (expected * expected).sum().backward()
    np.testing.assert_allclose(got(x.grad), got(twin.grad))


def test_a_constant_that_takes_a_history_from_its_own_view_is_right_or_refused() -> None:
    """c *= w; then c *= c[0]: c has a history from the first write on."""
    w = leaf([2.0, 3.0])
    c = tg.ones(2, dtype=tg.float64)
    c *= w
    try:
        c *= c[0]
        c.sum().backward()
    except RuntimeError:
        return
    assert got(c).tolist() == [4.0, 6.0]
    assert got(w.grad).tolist() == [7.0, 2.0]


@pytest.mark.parametrize("write", ["mul_", "setitem", "copy_", "+=", "through a view"])
@pytest.mark.parametrize("kept_by", ["product", "matmul", "view of it", "detached alias"])
def test_a_kept_constant_that_takes_a_history_by_a_write_is_still_watched(kept_by: str, write: str) -> None:
    """x·c keeps c; then `c *= w` writes into c and gives it a history: the gradient of the product is right or refused."""
    x, w, c = leaf([1.0, 2.0]), leaf([10.0, 20.0]), tg.tensor([3.0, 4.0], dtype=tg.float64)
    kept = c[:] if kept_by == "view of it" else c.detach() if kept_by == "detached alias" else c
    loss = x @ kept if kept_by == "matmul" else (x * kept).sum()
    try:
        if write == "mul_":
            c.mul_(w)
        elif write == "setitem":
            c[0] = w[0]
        elif write == "copy_":
            c.copy_(w)
        elif write == "+=":
            c += w
        else:
            c[:1] *= w[:1]
        loss.backward()
    except RuntimeError as error:
        assert any(word in str(error) for word in ("inplace", "view")), str(error)
        assert x.grad is None
    else:
        assert got(x.grad).tolist() == [3.0, 4.0]


def test_a_failed_write_writes_nothing_and_keeps_the_history() -> None:
    """After an error the tensor has its values, its node and its record as before."""
    x = leaf([1.0, 2.0])
    h = x * 2
    node, before = h.grad_fn, written(h)
    for action in (
        lambda: h.add_(tg.ones(3)),
        lambda: h.__setitem__(5, 1.0),
        lambda: h.__setitem__(0, tg.ones(3)),
        lambda: h.mul_(tg.ones(2, 2)),
    ):
        with pytest.raises((RuntimeError, IndexError)):
            action()
    assert h.grad_fn is node
    assert h.tolist() == [2.0, 4.0]
    assert written(h) == before
    h.sum().backward()
    assert got(x.grad).tolist() == [2.0, 2.0]


def test_where_no_gradient_flows_recording_is_skipped() -> None:
    """A write to a constant, by a constant, or under no_grad, makes no history."""
    w = leaf([1.0, 2.0])
    c = tg.zeros(2, dtype=tg.float64)
    c += 1
    with tg.no_grad():
        c += w
        w *= 2
    assert not c.requires_grad and w.is_leaf
    c += w
    assert c.requires_grad and not c.is_leaf
    c.sum().backward()
    assert got(w.grad).tolist() == [1.0, 1.0]


def test_an_in_place_step_on_the_parameters_as_optimisers_write_it() -> None:
    """`w.add_(g, alpha=-lr)`, `w.data -= ...`, `w -= lr * w.grad`: equal results, no history, gradient intact."""
    results = []
    for way in range(3):
        w = leaf([1.0, 2.0])
        (w * w).sum().backward()
        assert w.grad is not None
        if way == 0:
            with tg.no_grad():
                w.add_(w.grad, alpha=-0.1)
        elif way == 1:
            w.data -= 0.1 * w.grad
        else:
            with tg.no_grad():
                w -= 0.1 * w.grad
        assert w.is_leaf and w.requires_grad and got(w.grad).tolist() == [2.0, 4.0]
        results.append(w.tolist())
    np.testing.assert_allclose(results, [[0.8, 1.6]] * 3)


# -- dtype rules ----------------------------------------------------------------------------------------

DTYPES = ["float64", "float32", "int64", "int32", "uint8", "bool"]
IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "add_": operator.iadd,
    "mul_": operator.imul,
    "div_": operator.itruediv,
    "copy_": lambda t, o: t.copy_(o),
    "setitem": lambda t, o: operator.setitem(t, slice(None), o),
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("source", [*DTYPES, "int", "float"])
@pytest.mark.parametrize("target", DTYPES)
def test_dtypes_of_in_place_operations_are_pytorchs(target: str, source: str, name: str) -> None:
    """Where PyTorch writes, so do we, with its result and the target's dtype; where it refuses, so do we."""
    torch = pytest.importorskip("torch")
    values = np.array([1, 0, 3])
    other: Any = 2 if source == "int" else 2.5 if source == "float" else np.array([2, 1, 1]).astype(source)
    ours = tg.tensor(values.astype(target))
    theirs = torch.tensor(values.astype(target))
    try:
        IN_PLACE[name](theirs, other if isinstance(other, (int, float)) else torch.tensor(other))
    except RuntimeError:
        before = ours.tolist()
        with pytest.raises(RuntimeError):
            IN_PLACE[name](ours, other if isinstance(other, (int, float)) else tg.tensor(other))
        assert ours.tolist() == before
        return
    IN_PLACE[name](ours, other if isinstance(other, (int, float)) else tg.tensor(other))
    assert ours.dtype == target
    np.testing.assert_allclose(got(ours), theirs.numpy(), rtol=1e-6)


# -- random indices -------------------------------------------------------------------------------------

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@st.composite
def indexed(draw: st.DrawFn) -> tuple[tuple[int, ...], Any]:
    """A shape and an index on which NumPy and PyTorch agree: basic, one integer array or several, or a mask."""
    shape = draw(SHAPES)
    kind = draw(st.sampled_from(["basic", "basic", "integers", "several", "mask", "mask of first axes", "array then slice"]))
    if kind == "basic":
        index = draw(hnp.basic_indices(shape, allow_ellipsis=True, allow_newaxis=True))
        parts = index if isinstance(index, tuple) else (index,)
        flipped = tuple(
            p if not isinstance(p, slice) or p.step is None or p.step > 0 else slice(None, None, -p.step) for p in parts
        )
        return shape, flipped if isinstance(index, tuple) else flipped[0]
    if kind == "mask":
        return shape, draw(hnp.arrays(np.bool_, shape))
    if kind == "mask of first axes":
        n = draw(st.integers(1, len(shape)))
        return shape, draw(hnp.arrays(np.bool_, shape[:n]))

    def integers(axis: int, size: tuple[int, ...]) -> Array:
        return draw(hnp.arrays(np.int64, size, elements=st.integers(-shape[axis], shape[axis] - 1)))

    size = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4))
    if kind == "integers":
        return shape, integers(0, size)
    if kind == "array then slice":
        rest = tuple(draw(st.sampled_from([slice(None), slice(1, None), slice(None, None, 2)])) for _ in shape[1:])
        return shape, (integers(0, size), *rest)
    return shape, tuple(integers(axis, size) for axis in range(draw(st.integers(1, len(shape)))))


def converted(index: Any, make: Callable[[Array], Any]) -> Any:
    """The index with its arrays as tensors."""
    if isinstance(index, tuple):
        return tuple(converted(i, make) for i in index)
    return make(index) if isinstance(index, np.ndarray) else index


def value_of(shape: tuple[int, ...]) -> Array:
    """Different numbers in an array."""
    return np.arange(1.0, 1.0 + int(np.prod(shape))).reshape(shape)


@given(indexed(), st.booleans())
def test_reading_at_a_random_index(case: tuple[tuple[int, ...], Any], as_tensors: bool) -> None:
    """x[index] is NumPy's; its gradient adds the weights where entries are read, `np.add.at`; and again at second order."""
    shape, index = case
    a = value_of(shape)
    x = leaf(a)
    out = x[converted(index, tg.tensor) if as_tensors else index]
    expected = a[index]
    assert tuple(out.shape) == np.shape(expected)
    np.testing.assert_array_equal(got(out), expected)
    weights = np.asarray(value_of(np.shape(expected)))
    (out * out * tg.tensor(weights)).sum().backward()
    gradient = np.zeros(shape)
    np.add.at(gradient, index, 2 * weights * expected)
    np.testing.assert_allclose(got(x.grad), gradient)
    y = leaf(a)
    (first,) = tg.autograd.grad((y[index] ** 3).sum(), y, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), y)
    slope = np.zeros(shape)
    np.add.at(slope, index, 3 * np.square(expected))
    np.testing.assert_allclose(got(first), slope)
    curvature = np.zeros(shape)
    np.add.at(curvature, index, 6 * expected)
    np.testing.assert_allclose(got(second), curvature)


def unique(shape: tuple[int, ...], index: Any) -> bool:
    """Whether no entry is named twice: else which value stays is not defined."""
    places = np.arange(int(np.prod(shape))).reshape(shape)[index]
    return np.size(places) == np.unique(places).size


@given(indexed(), st.sampled_from(["number", "tensor", "row", "ones in front"]), st.booleans())
def test_writing_at_a_random_index(case: tuple[tuple[int, ...], Any], kind: str, as_tensors: bool) -> None:
    """x[index] = v is NumPy's, recorded or not; ∂E/∂x is 0 where it was overwritten, ∂E/∂v what stands there."""
    shape, index = case
    if not unique(shape, index):
        return
    a, room = value_of(shape), np.shape(value_of(shape)[index])
    value = {
        "number": np.array(-7.5),
        "tensor": -value_of(room),
        "row": -value_of(room[-1:]),
        "ones in front": -value_of((1, *room)),
    }[kind]
    expected = a.copy()
    expected[index] = value.reshape(room) if kind == "ones in front" else value
    key = converted(index, tg.tensor) if as_tensors else index
    plain = tg.tensor(a)
    plain[key] = -7.5 if kind == "number" else tg.tensor(value)
    np.testing.assert_array_equal(got(plain), expected)
    x, v = leaf(a), leaf(value)
    h = x * 1
    h[key] = v
    np.testing.assert_array_equal(got(h), expected)
    weights = value_of(shape)
    (h * tg.tensor(weights)).sum().backward()
    gx, gv = weights.copy(), weights[index]
    gx[index] = 0
    np.testing.assert_allclose(got(x.grad), gx)
    while gv.ndim > value.ndim:
        gv = gv.sum(0)
    axes = tuple(i for i, n in enumerate(value.shape) if n == 1 and gv.ndim == value.ndim and gv.shape[i] != 1)
    np.testing.assert_allclose(got(v.grad), gv.sum(axes, keepdims=True).reshape(value.shape))


@st.composite
def mixed_index(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Anything PyTorch takes: integers, slices, None, ..., masks, arrays, in one index."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=3))
    size = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    parts: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        if draw(st.integers(0, 5)) == 0:
            parts.append(None)
        kind = draw(st.sampled_from(["int", "slice", "slice", "all", "array", "list"]))
        if kind == "int":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "slice":
            parts.append(
                slice(
                    draw(st.none() | st.integers(-n, n)),
                    draw(st.none() | st.integers(-n, n)),
                    draw(st.sampled_from([None, 1, 2])),
                )
            )
        elif kind == "all":
            parts.append(slice(None))
        elif kind == "array":
            parts.append(draw(hnp.arrays(np.int64, size, elements=st.integers(-n, n - 1))))
        else:
            parts.append(draw(hnp.arrays(np.int64, size[-1:], elements=st.integers(-n, n - 1))).tolist())
    if draw(st.booleans()) and len(parts) < len(shape):
        parts.append(Ellipsis)
    return shape, tuple(parts)


@given(mixed_index(), st.booleans())
def test_mixed_indices_are_pytorchs(case: tuple[tuple[int, ...], tuple[Any, ...]], write: bool) -> None:
    """Integers, slices, None, ... and arrays in one index, where NumPy's order of axes may differ: PyTorch's is meant."""
    torch = pytest.importorskip("torch")
    shape, index = case
    a = value_of(shape)
    x, t = leaf(a), torch.tensor(a, requires_grad=True)
    ours, theirs = converted(index, tg.tensor), converted(index, torch.tensor)
    if write:
        if not unique(shape, index):
            return
        h, th = x * 2, t * 2
        h[ours] = 5.0
        th[theirs] = 5.0
    else:
        h, th = x[ours], t[theirs]
    assert tuple(h.shape) == tuple(th.shape)
    np.testing.assert_array_equal(got(h), th.detach().numpy())
    weights = value_of(tuple(th.shape))
    (h * tg.tensor(weights)).sum().backward()
    (th * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(got(x.grad), t.grad.numpy())


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3),
    st.sampled_from(["add_", "mul_", "sub_", "div_", "copy_"]),
)
def test_broadcasting_in_place(shapes: hnp.BroadcastableShapes, name: str) -> None:
    """The operand stretches to the tensor, never the tensor to the operand; gradients have both shapes."""
    target, source = shapes.input_shapes
    a, b = value_of(target), value_of(source) + 0.5
    h_leaf, o = leaf(a), leaf(b)
    h = h_leaf * 1
    if name == "copy_" and len(source) > len(target):
        return  # axes of length 1 too many in front: index assignment takes them, copy_ may
    if shapes.result_shape != target:
        with pytest.raises(RuntimeError):
            getattr(h, name)(o)
        np.testing.assert_array_equal(got(h), a)
        return
    getattr(h, name)(o)
    expected = {"add_": a + b, "mul_": a * b, "sub_": a - b, "div_": a / b, "copy_": np.broadcast_to(b, target)}[name]
    np.testing.assert_allclose(got(h), expected)
    h.sum().backward()
    if name != "copy_":
        assert got(h_leaf.grad).shape == target
    assert got(o.grad).shape == source


# -- random programs of views and writes, against PyTorch -----------------------------------------------

STEPS = [
    "row",
    "slice",
    "column",
    "view",
    "T",
    "detach",
    "clone",
    "square",
    "times",
    "plus",
    "sum",
    "+=",
    "*=",
    "setitem",
    "zero_",
    "exp_",
    "copy_",
    "row +=",
    "fill row",
    "detach write",
]


def grown(lib: Any, values: list[Any], step: str, i: int, j: int, k: int) -> None:
    """One step of a program: a new value from the values, or a write into one of them."""
    t, o = values[i % len(values)], values[j % len(values)]
    n = t.shape[0] if len(t.shape) else 0
    new = None
    if step in ("*=", "setitem", "copy_") and t is not o and np.shares_memory(t.detach().numpy(), o.detach().numpy()):
        return  # PyTorch leaves open what a partial overlap gives
    if step == "row" and n:
        new = t[k % n]
    elif step == "slice" and n:
        new = t[k % n :]
    elif step == "column" and len(t.shape) == 2:
        new = t[:, k % t.shape[1]]
    elif step == "view" and len(t.shape) == 2:
        new = t.view(-1) if t.detach().numpy().flags.c_contiguous else None
    elif step == "T" and len(t.shape) == 2:
        new = t.transpose(0, 1)
    elif step in ("detach", "clone"):
        new = getattr(t, step)()
    elif step == "square":
        new = t * t
    elif step == "times":
        new = t * o if tuple(t.shape) == tuple(o.shape) else None
    elif step == "plus":
        new = t + o if tuple(t.shape) == tuple(o.shape) else None
    elif step == "sum":
        new = t.sum()
    elif step == "+=":
        t += 0.5
    elif step == "*=" and (tuple(t.shape) == tuple(o.shape) or not len(o.shape)):
        t *= o
    elif step == "setitem" and n and tuple(o.shape) == tuple(t.shape)[1:]:
        t[k % n] = o
    elif step == "zero_":
        t.zero_()
    elif step == "exp_":
        t.tanh_()
    elif step == "copy_" and tuple(t.shape) == tuple(o.shape):
        t.copy_(o)
    elif step == "row +=" and n:
        t[k % n] += 1.0
    elif step == "fill row" and n:
        t[k % n].fill_(2.0)
    elif step == "detach write":
        t.detach().mul_(0.5)
    if new is not None:
        values.append(new)


PROGRAMS = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=9
)


@settings(max_examples=max(400, settings().max_examples))
@given(PROGRAMS, st.integers(0, 9))
def test_a_random_program_of_views_and_writes_is_pytorchs_or_refused(
    program: list[tuple[str, int, int, int]], last: int
) -> None:
    """At each step the values are PyTorch's; the gradients too, or there is an error: never another gradient."""
    torch = pytest.importorskip("torch")
    try:
        compared(torch, program, last)
    except Refused:
        if not any("detach" in step for step, *_ in program):  # there PyTorch's copies come too late
            with torch.autograd.graph.allow_mutation_on_saved_tensors():  # PyTorch copies what is overwritten, and answers
                compared(torch, program, last)


class Refused(Exception):
    """PyTorch's backward found a value that was written in place."""


def compared(torch: Any, program: list[tuple[str, int, int, int]], last: int) -> None:
    """Run a program with both, and compare."""
    a, b, w = np.arange(1.0, 7.0).reshape(2, 3) / 4, np.ones((2, 3)), np.array([0.5, 1.5, -1.0])
    start = [[lib.tensor(a, requires_grad=True), lib.tensor(b), lib.tensor(w, requires_grad=True)] for lib in (tg, torch)]
    ours, theirs = ([v[0] * 1.0, v[1], v[2] * 1.0] for v in start)
    for step, i, j, k in program:
        try:
            grown(torch, theirs, step, i, j, k)
        except RuntimeError:
            return  # PyTorch refuses
        try:
            grown(tg, ours, step, i, j, k)
        except RuntimeError as error:
            assert any(word in str(error) for word in ("view", "in-place", "inplace", "read-only")), str(error)
            return
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine.detach().numpy(), other.detach().numpy(), rtol=1e-12)
            if mine.requires_grad != other.requires_grad:  # a view of a constant that took a history since: refused when used
                assert other.requires_grad, "a history was invented"
                with pytest.raises(RuntimeError):
                    (mine * leaf(np.ones(tuple(mine.shape)))).sum().backward()
                return
    chosen = [v for n, v in enumerate(theirs) if n % 2 == last % 2 or n == last % len(theirs)]
    mine = [v for n, v in enumerate(ours) if n % 2 == last % 2 or n == last % len(theirs)]
    loss = sum((v * v).sum() for v in chosen)
    total = sum((v * v).sum() for v in mine)
    if not loss.requires_grad:
        return
    try:
        total.backward()
    except RuntimeError as error:
        assert "inplace operation" in str(error), str(error)
        return
    try:
        loss.backward()
    except RuntimeError as error:
        raise Refused from error
    for x, t in ((start[0][0], start[1][0]), (start[0][2], start[1][2])):
        if t.grad is None:
            assert x.grad is None or not got(x.grad).any()
        else:
            mine_grad = np.zeros(t.shape) if x.grad is None else got(x.grad)
            np.testing.assert_allclose(mine_grad, t.grad.numpy(), rtol=1e-9, atol=1e-12)
