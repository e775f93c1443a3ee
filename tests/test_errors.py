"""Bad input gives the error that PyTorch users expect, says what to write instead, and leaves everything as it was.

Each case asserts the type, the words without which the message would not help, and that values, gradients and the
recording mode are what they were before.
"""

from __future__ import annotations

import copy
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import tinygrad_fr as tg
from tinygrad_fr import autograd

F = tg.nn.functional


def leaf(values: Any) -> tg.Tensor:
    """A float32 tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, np.float32), requires_grad=True)


def line_here() -> str:
    """This file and the line of the call."""
    frame = sys._getframe(1)
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def grad_of(t: tg.Tensor) -> tg.Tensor | None:
    """What stands in .grad, without the warning of a non-leaf."""
    found: tg.Tensor | None = None if t._node is None else t._node.grad
    return found


def state(t: tg.Tensor) -> tuple[Any, ...]:
    """All that an error must not change."""
    grad = grad_of(t)
    return (
        t._array.tolist(),
        str(t.dtype),
        t.requires_grad,
        t.is_leaf,
        None if grad is None else (grad.tolist(), str(grad.dtype)),
    )


@contextmanager
def refused(
    kind: type[BaseException] | tuple[type[BaseException], ...], *words: str, keep: tuple[tg.Tensor, ...] = ()
) -> Iterator[None]:
    """An error of this type, with these words; the tensors in `keep` and their gradients are unchanged, recording is on."""
    before = [state(t) for t in keep]
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    for word in words:
        assert word in message, f"{word!r} is missing in: {message}"
    assert [state(t) for t in keep] == before
    assert tg.is_grad_enabled()


# -- shapes ---------------------------------------------------------------------------------------------

SHAPES: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...], tuple[int, ...]]] = {
    "matmul": (lambda a, b: a @ b, (2, 3), (2, 3)),
    "tg.matmul": (tg.matmul, (2, 3), (4, 5)),
    "mm": (lambda a, b: a.mm(b), (2, 3), (2, 3)),
    "batched matmul": (lambda a, b: a @ b, (5, 2, 3), (4, 3, 2)),
    "matrix vector": (lambda a, b: a @ b, (2, 3), (2,)),
    "add": (lambda a, b: a + b, (2, 3), (2,)),
    "sub": (lambda a, b: a - b, (2, 3), (3, 2)),
    "mul": (lambda a, b: a * b, (2, 3), (4,)),
    "div": (lambda a, b: a / b, (3,), (4,)),
    "pow": (lambda a, b: a**b, (3,), (4,)),
    "maximum": (tg.maximum, (3,), (4,)),
    "linear": (F.linear, (2, 3), (4, 2)),
    "dot": (tg.dot, (3,), (4,)),
}


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_do_not_match(name: str, recorded: bool) -> None:
    """A RuntimeError that shows both shapes and the operation."""
    f, left, right = SHAPES[name]
    a, b = tg.ones(left, requires_grad=recorded), tg.ones(right, requires_grad=recorded)
    word = "dot" if name == "dot" else "mat" if "m" in name and name not in ("mul", "maximum") else name
    with refused(RuntimeError, word, keep=(a, b)):
        f(a, b)
    with pytest.raises(RuntimeError) as caught:
        f(a, b)
    for shape in (left, right):
        forms = {str(shape), str(list(shape)), "x".join(map(str, shape)), "x".join(map(str, shape[::-1]))}
        assert any(form in str(caught.value) for form in forms), str(caught.value)


def test_broadcast_error_says_what_must_match() -> None:
    """PyTorch's own words, and a remedy."""
    with refused(RuntimeError, "must match the size of tensor b", "unsqueeze"):
        leaf([[1, 2, 3]]) + leaf([1, 2])


def test_matmul_error_says_which_sizes_meet() -> None:
    """The inner sizes, as PyTorch's 'mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)'."""
    with refused(RuntimeError, "2x3", "cannot be multiplied"):
        tg.ones(2, 3) @ tg.ones(2, 3)


def test_linear_bias_of_the_wrong_length() -> None:
    """The bias has one number for each output."""
    x, w, b = tg.ones(2, 3), tg.ones(4, 3, requires_grad=True), tg.ones(5, requires_grad=True)
    with refused(RuntimeError, "linear", "(5,)", keep=(w, b)):
        F.linear(x, w, b)


def test_cross_entropy_of_the_wrong_batch() -> None:
    """ValueError, as in PyTorch."""
    x = tg.ones(4, 3, requires_grad=True)
    with refused(ValueError, "batch_size (4)", "batch_size (3)", keep=(x,)):
        F.cross_entropy(x, tg.tensor([0, 1, 2]))


@pytest.mark.parametrize("bad", [3, -1, 7])
@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_target_out_of_range(bad: int, loss: str) -> None:
    """IndexError: the class number, and how many classes there are."""
    x = tg.ones(2, 3, requires_grad=True)
    with refused(IndexError, f"Target {bad} is out of bounds", "3 classes", keep=(x,)):
        getattr(F, loss)(x, tg.tensor([0, bad]))


def test_cross_entropy_of_float_class_numbers() -> None:
    """Floats of another shape are neither class numbers nor probabilities."""
    with refused(RuntimeError, "long()"):
        F.cross_entropy(tg.ones(2, 3, requires_grad=True), tg.tensor([0.0, 1.0]))


def test_bce_outside_zero_and_one() -> None:
    """Logits given where probabilities are wanted."""
    with refused(RuntimeError, "between 0 and 1", "sigmoid"):
        F.binary_cross_entropy(tg.tensor([2.0, -1.0], requires_grad=True), tg.tensor([1.0, 0.0]))


def test_bce_of_different_shapes_is_a_value_error() -> None:
    """PyTorch's ValueError for both forms."""
    for f in (F.binary_cross_entropy, F.binary_cross_entropy_with_logits):
        with refused(ValueError, "target size" if f is F.binary_cross_entropy else "Target size"):
            f(tg.full((2, 1), 0.5), tg.full((2,), 0.5))


def test_mse_of_different_shapes_warns() -> None:
    """PyTorch broadcasts and warns; so it is here, at the user's line."""
    with pytest.warns(UserWarning, match="different to the input size") as caught:
        F.mse_loss(tg.ones(2, 1), tg.ones(2))
    assert caught[0].filename == __file__


def test_wrong_reduction() -> None:
    """ValueError that lists the choices."""
    with refused(ValueError, "average", "mean"):
        F.mse_loss(tg.ones(2), tg.ones(2), reduction="average")


@pytest.mark.parametrize("name", ["view", "reshape", "expand", "cat", "stack", "split", "permute", "squeeze", "unflatten"])
def test_reshaping_that_does_not_fit(name: str) -> None:
    """RuntimeError (IndexError for an axis), with the shape."""
    x = tg.ones(2, 3, requires_grad=True)
    actions: dict[str, Callable[[], Any]] = {
        "view": lambda: x.view(4, 2),
        "reshape": lambda: x.reshape(-1, 4),
        "expand": lambda: x.expand(4, 3),
        "cat": lambda: tg.cat([x, tg.ones(2, 4)], 0),
        "stack": lambda: tg.stack([x, tg.ones(3, 2)]),
        "split": lambda: x.split([1, 2], 0),
        "permute": lambda: x.permute(0, 0),
        "squeeze": lambda: x.squeeze(5),
        "unflatten": lambda: x.unflatten(1, (2, 2)),
    }
    with refused((RuntimeError, IndexError), keep=(x,)):
        actions[name]()


def test_cat_of_nothing() -> None:
    """A clear error, not NumPy's."""
    with refused((RuntimeError, ValueError), "non-empty"):
        tg.cat([])


# -- axes -----------------------------------------------------------------------------------------------

AXES: dict[str, Callable[[tg.Tensor, int], Any]] = {
    "sum": lambda t, d: t.sum(d),
    "sum axis=": lambda t, d: t.sum(axis=d),
    "mean": lambda t, d: t.mean(d),
    "max": lambda t, d: t.max(d),
    "min": lambda t, d: t.min(d),
    "amax": lambda t, d: t.amax(d),
    "argmax": lambda t, d: t.argmax(d),
    "var": lambda t, d: t.var(d),
    "std": lambda t, d: t.std(d),
    "prod": lambda t, d: t.prod(d),
    "cumsum": lambda t, d: t.cumsum(d),
    "softmax": lambda t, d: t.softmax(d),
    "log_softmax": lambda t, d: t.log_softmax(d),
    "logsumexp": lambda t, d: t.logsumexp(d),
    "norm": lambda t, d: t.norm(dim=d),
    "unsqueeze": lambda t, d: t.unsqueeze(d + 1 if d > 0 else d - 1),
    "squeeze": lambda t, d: t.squeeze(d),
    "transpose": lambda t, d: t.transpose(0, d),
    "permute": lambda t, d: t.permute(0, d),
    "flip": lambda t, d: t.flip(d),
    "split": lambda t, d: t.split(1, d),
    "chunk": lambda t, d: t.chunk(2, d),
    "cat": lambda t, d: tg.cat([t, t], d),
    "stack": lambda t, d: tg.stack([t, t], d + 1 if d > 0 else d - 1),
    "sort": lambda t, d: t.sort(d),
    "topk": lambda t, d: t.topk(1, d),
    "gather": lambda t, d: t.gather(d, tg.zeros(2, 3, dtype=tg.int64)),
    "index_select": lambda t, d: t.index_select(d, tg.tensor([0])),
    "flatten": lambda t, d: t.flatten(0, d),
    "size": lambda t, d: t.size(d),
    "unbind": lambda t, d: t.unbind(d),
    "roll": lambda t, d: t.roll(1, d),
    "narrow": lambda t, d: t.narrow(d, 0, 1),
    "np.sum": lambda t, d: np.sum(t, axis=d),
}


@pytest.mark.parametrize("dim", [2, -3, 7])
@pytest.mark.parametrize("name", AXES)
def test_axis_out_of_range(name: str, dim: int) -> None:
    """IndexError, with PyTorch's words and the range that would do."""
    x = tg.ones(2, 3, requires_grad=True)
    with refused(IndexError, "Dimension out of range", "expected to be in range of [-", keep=(x,)):
        AXES[name](x, dim)


def test_axis_of_a_number() -> None:
    """A 0-d tensor has the axes -1 and 0, as in PyTorch, and no other."""
    x = tg.tensor(3.0)
    assert x.sum(0).item() == x.sum(-1).item() == 3.0
    with refused(IndexError, "Dimension out of range", "[-1, 0]"):
        x.sum(1)


@pytest.mark.parametrize(
    "index, words",
    [
        (2, "out of bounds"),
        (-3, "out of bounds"),
        ((0, 3), "dimension 1 with size 3"),
        ((0, 0, 0), "too many indices"),
        (1.5, "indices"),
        ("a", "indices"),
        (slice(None, None, -1), "step must be greater than zero"),
    ],
)
def test_bad_index(index: Any, words: str) -> None:
    """IndexError (ValueError for a negative step), reading and writing."""
    x = tg.ones(2, 3)
    kinds = (IndexError, ValueError)
    with refused(kinds, words, keep=(x,)):
        x[index]
    with refused(kinds, keep=(x,)):
        x[index] = 1.0


def test_mask_of_another_shape() -> None:
    """Both shapes are shown."""
    with refused(IndexError, "mask", "[2]"):
        tg.ones(3)[tg.tensor([True, False])]


# -- backward -------------------------------------------------------------------------------------------


def test_backward_from_a_non_scalar() -> None:
    """PyTorch's words, the shape, and both remedies."""
    x = leaf([1, 2])
    with refused(
        RuntimeError, "grad can be implicitly created only for scalar outputs", "(2,)", ".sum()", "gradient", keep=(x,)
    ):
        (x * 2).backward()
    with refused(RuntimeError, "scalar outputs", keep=(x,)):
        autograd.grad(x * 2, x)


def test_second_backward() -> None:
    """Names retain_graph=True; the gradients stay."""
    x = leaf([1, 2])
    y = (x * x).sum()
    y.backward()
    with refused(RuntimeError, "second time", "retain_graph=True", keep=(x,)):
        y.backward()
    with refused(RuntimeError, "second time", "retain_graph=True", keep=(x,)):
        autograd.grad(y, x)


def test_wrong_gradient_shape() -> None:
    """Both shapes, for backward() and grad()."""
    x = leaf([1, 2, 3])
    for action in (
        lambda: (x * 2).backward(tg.ones(2)),
        lambda: (x * 2).backward(tg.tensor(1.0)),
        lambda: autograd.grad(x * 2, x, tg.ones(3, 1)),
        lambda: (x * 2).backward(tg.ones(2), create_graph=True),
    ):
        with refused(RuntimeError, "Mismatch in shape", "(3,)", keep=(x,)):
            action()


def test_number_of_gradients() -> None:
    """One for each tensor."""
    x = leaf([1, 2])
    with refused(RuntimeError, "2 tensors", keep=(x,)):
        autograd.backward([x * 2, x * 3], [tg.ones(2)])


def test_backward_and_grad_of_things_that_are_no_tensors() -> None:
    """TypeError."""
    x = leaf([1.0])
    with refused(TypeError, "expected Tensors"):
        autograd.grad(np.ones(1), x)
    with refused(TypeError, "float"):
        autograd.backward([3.0])


def test_grad_with_respect_to_a_constant() -> None:
    """Says requires_grad."""
    x, c = leaf([1.0]), tg.tensor([2.0])
    with refused(RuntimeError, "does not require grad", keep=(x,)):
        autograd.grad((x * c).sum(), c)


def test_grad_of_an_unused_tensor() -> None:
    """Names allow_unused=True."""
    x, z = leaf([1.0]), leaf([2.0])
    with refused(RuntimeError, "not have been used in the graph", "allow_unused=True", keep=(x, z)):
        autograd.grad((x * 2).sum(), z)


# -- a detached loss ------------------------------------------------------------------------------------

NO_GRAD = "does not require grad and does not have a grad_fn"


def cut_by(name: str, w: tg.Tensor) -> tuple[tg.Tensor, str]:
    """A loss whose graph was cut in this way, and the line that cut it."""
    if name == ".detach()":
        h, here = (w * 2).detach(), line_here()
    elif name == ".data":
        h, here = (w * 2).data, line_here()
    elif name == "no_grad":
        with tg.no_grad():
            h, here = w * 2, line_here()
    elif name == "argmax":
        h, here = (w * 2).argmax(0), line_here()
    else:
        h, here = w > 0, line_here()
        name = "gt"
    return (h.float() * 3).sum() / 2, here


@pytest.mark.parametrize("name", [".detach()", ".data", "no_grad", "argmax", "comparison"])
def test_a_detached_loss_says_where_the_graph_was_cut(name: str) -> None:
    """By what, and on which line of this file, even some operations later."""
    w = leaf([1, 2])
    loss, here = cut_by(name, w)
    with refused(RuntimeError, NO_GRAD, "gt" if name == "comparison" else name, here, keep=(w,)):
        loss.backward()
    with refused(RuntimeError, NO_GRAD, here, keep=(w,)):
        autograd.grad(loss, w)


@pytest.mark.parametrize("through", ["mse_loss", "cat", "index", "matmul", "softmax", "sum of parts"])
def test_the_place_of_the_cut_is_carried_through_operations(through: str) -> None:
    """Whatever follows the cut, as long as nothing else carries a gradient."""
    w = leaf([[1, 2], [3, 4]])
    h, here = w.detach(), line_here()
    c = tg.ones(2, 2)
    loss = {
        "mse_loss": lambda: F.mse_loss(h, c),
        "cat": lambda: tg.cat([c, h]).sum(),
        "index": lambda: h[0].sum(),
        "matmul": lambda: (c @ h).sum(),
        "softmax": lambda: h.softmax(1).mean(),
        "sum of parts": lambda: (c * 2).sum() + h.max(),
    }[through]()
    with refused(RuntimeError, NO_GRAD, ".detach()", here):
        loss.backward()


def test_a_loss_made_of_constants_says_requires_grad() -> None:
    """Nothing was cut: a parameter was made without requires_grad=True."""
    with refused(RuntimeError, NO_GRAD, "requires_grad=True"):
        (tg.ones(2) * 3).sum().backward()


def test_a_loss_under_no_grad_says_so() -> None:
    """Forward and backward inside the block."""
    w = leaf([1, 2])
    with pytest.raises(RuntimeError, match="no_grad"), tg.no_grad():
        (w * 2).sum().backward()


# -- writing --------------------------------------------------------------------------------------------

LEAF_WRITES: dict[str, Callable[[tg.Tensor], Any]] = {
    "+=": lambda t: t.__iadd__(1),
    "-=": lambda t: t.__isub__(1),
    "*=": lambda t: t.__imul__(2),
    "/=": lambda t: t.__itruediv__(2),
    "**=": lambda t: t.__ipow__(2),
    "add_": lambda t: t.add_(1),
    "zero_": lambda t: t.zero_(),
    "fill_": lambda t: t.fill_(3),
    "copy_": lambda t: t.copy_(tg.ones(2)),
    "relu_": lambda t: t.relu_(),
    "setitem": lambda t: t.__setitem__(0, 5.0),
    "masked_fill_": lambda t: t.masked_fill_(t > 1, 0.0),
    "write of a history": lambda t: t.add_(leaf([1, 1])),
    "relu inplace": lambda t: F.relu(t, inplace=True),
    "np out": lambda t: np.add(t, 1.0, out=t),
    "through a view": lambda t: t[0:1].add_(1),
    "through view()": lambda t: t.view(2, 1).zero_(),
    "setitem through a view": lambda t: t[:].__setitem__(0, 1.0),
}


@pytest.mark.parametrize("name", LEAF_WRITES)
def test_a_leaf_changed_in_place(name: str) -> None:
    """Refused while recording, says no_grad, and nothing was written."""
    w = leaf([1, 2])
    (w * w).sum().backward()
    with refused(RuntimeError, "leaf" if "view" not in name else "view", keep=(w,)):
        LEAF_WRITES[name](w)
    if "view" not in name:
        with refused(RuntimeError, "in-place operation", "no_grad"):
            LEAF_WRITES[name](w)
    with tg.no_grad():
        LEAF_WRITES[name](w)
    assert w.is_leaf and w.requires_grad


def test_in_place_changing_the_shape() -> None:
    """The tensor's shape and the one that it would have."""
    x = tg.ones(3)
    for action in (
        lambda: x.add_(tg.ones(2, 3)),
        lambda: x.__imul__(tg.ones(2, 3)),
        lambda: x.__isub__(np.ones((2, 3), np.float32)),
    ):
        with refused(RuntimeError, "[3]", "[2, 3]", "shape", keep=(x,)):
            action()
    with refused(RuntimeError, "must match", keep=(x,)):
        x.add_(tg.ones(4))
    with refused(RuntimeError, keep=(x,)):
        x[0:2] = tg.ones(3)
    h = leaf([1, 2, 3]) * 1
    with refused(RuntimeError, "shape", keep=(h,)):
        h.mul_(tg.ones(2, 3))


def test_in_place_changing_the_dtype() -> None:
    """An integer tensor cannot hold halves; PyTorch's words."""
    n = tg.tensor([1, 2])
    for action in (lambda: n.add_(0.5), lambda: n.__itruediv__(2), lambda: n.__imul__(tg.tensor([0.5, 1.5]))):
        with refused(RuntimeError, "result type", "can't be cast", "int64", keep=(n,)):
            action()
    b = tg.tensor([True, False])
    with refused(RuntimeError, "can't be cast", keep=(b,)):
        b.add_(1)


def test_writing_into_an_expanded_tensor() -> None:
    """Several elements share one place: says clone()."""
    x = tg.ones(1, 3)
    wide = x.expand(4, 3)
    for action in (lambda: wide.add_(1), lambda: wide.__setitem__(0, 2.0), lambda: wide.zero_(), lambda: wide.exp_()):
        with refused(RuntimeError, "clone()", keep=(x, wide)):
            action()


def test_a_changed_value_names_the_operation() -> None:
    """Which operation kept it, and what to write."""
    x, w = leaf([1, 2]), leaf([3, 4])
    y = (x * w).sum()
    with tg.no_grad():
        w += 1
    with refused(RuntimeError, "modified by an inplace operation", "mul", "out of place", keep=(x, w)):
        y.backward()


# -- making tensors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ["tensor", "zeros", "requires_grad_", "attribute", "bool"])
def test_integer_tensor_with_requires_grad(make: str) -> None:
    """Only floats; says what to write."""
    n = tg.tensor([1, 2])
    actions: dict[str, Callable[[], Any]] = {
        "tensor": lambda: tg.tensor([1, 2], requires_grad=True),
        "zeros": lambda: tg.zeros(2, dtype=tg.int64, requires_grad=True),
        "requires_grad_": lambda: n.requires_grad_(),
        "attribute": lambda: setattr(n, "requires_grad", True),
        "bool": lambda: tg.tensor([True], requires_grad=True),
    }
    with refused(RuntimeError, "floating point", ".float()", keep=(n,)):
        actions[make]()


@pytest.mark.parametrize(
    "data",
    [
        np.array(["a", "b"]),
        np.array([object()]),
        ["a"],
        "text",
        [None],
        {"a": 1},
        None,
        object(),
        np.array(["2020-01-01"], "datetime64[D]"),
    ],
)
def test_data_that_is_not_numeric(data: Any) -> None:
    """TypeError (PyTorch says TypeError or RuntimeError), with the type and a remedy."""
    for make in (tg.tensor, tg.as_tensor):
        with refused((TypeError, RuntimeError), "tensor"):
            make(data)
    with refused(TypeError):
        tg.from_numpy(data)


def test_complex_numbers_are_refused() -> None:
    """This framework has real numbers only, and says so."""
    with refused(TypeError, "complex"):
        tg.tensor(np.ones(2, np.complex64))


@pytest.mark.parametrize(
    "data", [[[1.0, 2.0], [3.0]], [1.0, [2.0]], [[1], [2, 3], []], [np.ones(2), np.ones(3)], [tg.ones(2), tg.ones(3)]]
)
def test_ragged_lists(data: Any) -> None:
    """ValueError."""
    with refused(ValueError):
        tg.tensor(data)


def test_negative_or_wrong_sizes() -> None:
    """zeros(-1), zeros(2.5)."""
    with refused(RuntimeError, "negative"):
        tg.zeros(-1)
    with refused(TypeError, "integers"):
        tg.zeros(2.5)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_wrong_device(device: str) -> None:
    """Says that there is none, and where arrays of a GPU come from; every way to ask for it."""
    for action in (
        lambda: tg.ones(2).to(device),
        lambda: tg.ones(2).to(device=device),
        lambda: tg.ones(2).to(tg.device(device)),
    ):
        with refused(RuntimeError, device):
            action()
    with refused(RuntimeError, "cuda"):
        tg.ones(2).cuda()
    assert tg.ones(2).to("cpu").tolist() == [1.0, 1.0]


@pytest.mark.parametrize("make", ["tensor", "zeros", "as_tensor", "ones_like", "arange"])
def test_wrong_device_when_making(make: str) -> None:
    """`tensor(..., device="cuda")` must not hand out a CPU tensor without a word."""
    argument: Any = {"tensor": [1.0], "zeros": 2, "as_tensor": [1.0], "ones_like": tg.ones(2), "arange": 3}[make]
    with refused((RuntimeError, ValueError), "cuda"):
        getattr(tg, make)(argument, device="cuda")


def test_default_dtype_must_be_floating() -> None:
    """TypeError."""
    with refused(TypeError, "floating"):
        tg.set_default_dtype("int64")
    assert tg.get_default_dtype() == np.float32


# -- leaving the framework ------------------------------------------------------------------------------


def test_item_of_several_elements() -> None:
    """RuntimeError with PyTorch's words; float() and int() too."""
    x = tg.ones(2)
    for action in (x.item, lambda: float(x), lambda: int(x)):
        with refused((RuntimeError, TypeError, ValueError), "cannot be converted to Scalar", "2 elements"):
            action()
    with refused(RuntimeError, "0 elements"):
        tg.ones(0).item()


def test_bool_of_several() -> None:
    """`if t:`"""
    with refused(RuntimeError, "Boolean value of Tensor", "ambiguous", ".any()", ".all()"):
        bool(tg.ones(2))
    with refused(RuntimeError, "ambiguous"):
        if tg.ones(2) == tg.ones(2):
            pass
    assert bool(tg.tensor([1.0])) and not bool(tg.tensor(0))


def test_numpy_on_requires_grad() -> None:
    """Says detach(); force=True passes; np.asarray and np.array say the same."""
    x = leaf([1, 2])
    for action in (x.numpy, lambda: np.asarray(x), lambda: np.array(x), lambda: np.array(x, np.float64)):
        with refused(RuntimeError, "Can't call numpy() on Tensor that requires grad", "detach().numpy()", keep=(x,)):
            action()
    assert x.numpy(force=True).tolist() == [1.0, 2.0]


def test_len_and_iteration_of_a_number() -> None:
    """TypeError, PyTorch's words."""
    x = tg.tensor(1.0)
    with refused(TypeError, "len() of a 0-d tensor"):
        len(x)
    with refused(TypeError, "iteration over a 0-d tensor"):
        iter(x)
    with refused(IndexError, "0-dim tensor", "item()"):
        x[0]


def test_float_as_an_index() -> None:
    """range(tensor(1.5))."""
    with refused(TypeError, "integer"):
        range(tg.tensor(1.5))


# -- gradients and hooks --------------------------------------------------------------------------------


def test_grad_of_a_non_leaf_warns_at_the_users_line() -> None:
    """Says retain_grad(); a leaf and a constant do not warn."""
    x = leaf([1, 2])
    y = x * 2
    with pytest.warns(UserWarning, match=r"not a leaf.*retain_grad\(\)") as caught:
        assert y.grad is None
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.grad is None
        assert tg.ones(2).grad is None


def test_assigning_a_wrong_grad() -> None:
    """Type, shape and dtype."""
    x = leaf([1, 2])
    x.grad = tg.ones(2)
    for value, kind, word in (
        (np.ones(2, np.float32), TypeError, "Tensor"),
        (3.0, TypeError, "Tensor"),
        (tg.ones(3), RuntimeError, "shape"),
        (tg.ones(2, 1), RuntimeError, "shape"),
        (tg.ones(2, dtype=tg.float64), RuntimeError, "dtype"),
        (tg.tensor([1, 1]), RuntimeError, "dtype"),
    ):
        with refused(kind, word, keep=(x,)):
            x.grad = value
    x.grad = None
    assert x.grad is None


@pytest.mark.parametrize("answer", ["shape", "array", "number", "broadcastable"])
@pytest.mark.parametrize("where", ["leaf", "intermediate"])
def test_a_hook_that_returns_the_wrong_thing(where: str, answer: str) -> None:
    """Named as a hook; no gradient was written."""
    x = leaf([1, 2])
    y = x * 2
    (x * 1).sum().backward()
    value: Any = {"shape": tg.ones(3), "array": np.ones(2, np.float32), "number": 3.0, "broadcastable": tg.ones(1)}[answer]
    (x if where == "leaf" else y).register_hook(lambda g: value)
    with refused((RuntimeError, TypeError), "hook", keep=(x,)):
        y.sum().backward()


def test_a_hook_that_returns_another_dtype_never_changes_the_gradients_dtype() -> None:
    """Refused, or converted: a float32 leaf never gets a float64 gradient."""
    x = leaf([1, 2])
    x.register_hook(lambda g: g.double())
    try:
        (x * 2).sum().backward()
    except (RuntimeError, TypeError):
        assert x.grad is None
    else:
        assert x.grad is not None and x.grad.dtype == np.float32


def test_hooks_on_what_needs_no_gradient() -> None:
    """RuntimeError for register_hook and retain_grad."""
    with refused(RuntimeError, "doesn't require gradient"):
        tg.ones(2).register_hook(lambda g: None)
    with refused(RuntimeError, "requires_grad=False"):
        tg.ones(2).retain_grad()


def test_requires_grad_of_a_non_leaf() -> None:
    """Says detach()."""
    y = leaf([1, 2]) * 2
    with refused(RuntimeError, "leaf", "detach()", keep=(y,)):
        y.requires_grad = False


# -- copying --------------------------------------------------------------------------------------------


def test_deep_copy_of_a_non_leaf() -> None:
    """Only leaves, PyTorch's words; and a leaf's copy is independent, gradient included."""
    x = leaf([1, 2])
    y = x * 2
    with refused(RuntimeError, "graph leaves", "deepcopy", "detach().clone()", keep=(x, y)):
        copy.deepcopy(y)
    y.sum().backward()
    twin, both = copy.deepcopy(x), copy.deepcopy([x, x])
    assert both[0] is both[1]
    with tg.no_grad():
        twin += 1
        twin.grad.zero_()
    assert x.tolist() == [1.0, 2.0]
    assert x.grad is not None and x.grad.tolist() == [2.0, 2.0]
    assert twin.requires_grad and twin.is_leaf


def test_pickling() -> None:
    """Leaves only; values and requires_grad come back."""
    x = leaf([1, 2])
    with refused(RuntimeError, "detach()"):
        pickle.dumps(x * 2)
    twin = pickle.loads(pickle.dumps(x))
    assert twin.requires_grad and twin.tolist() == [1.0, 2.0]


def test_unknown_names() -> None:
    """AttributeError and TypeError, never None."""
    with refused(AttributeError, "no_such"):
        _ = tg.ones(2).no_such
    with refused(TypeError):
        tg.ones(2).sum(no_such=1)
    with refused(TypeError):
        tg.exp("text")
    with refused(TypeError):
        tg.ones(2) + "text"
    with refused(TypeError):
        tg.ones(2) + None


def test_an_error_in_an_operation_names_it_with_shapes_and_dtypes() -> None:
    """Promise 11: the operation, the shapes, and no NumPy jargon such as gufunc signatures."""
    with pytest.raises(RuntimeError) as caught:
        tg.ones(2, 3) @ tg.ones(2, 3)
    message = str(caught.value)
    assert "matmul" in message and "(2, 3)" in message and "float32" in message
    assert "gufunc" not in message and "signature" not in message
    assert caught.value.__cause__ is None
