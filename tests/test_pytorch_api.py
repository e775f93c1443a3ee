"""The names and habits of PyTorch programs: each line below is run on PyTorch and on tinygrad_fr, and must give the same.

The lines come from what real programs use (`../shared/anchors/api-usage.md`): names as functions and as methods, positional and
keyword arguments, in-place methods, dtypes. Compared are shape, dtype, values, `requires_grad`, being a leaf, printed text, and
gradients. Where PyTorch is stricter or has its own names of graph nodes, the difference is listed here and nowhere else.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_fr

torch = pytest.importorskip("torch")

# Each paragraph is a family; a line holds expressions between bars, an expression statements between semicolons.
LINES = """
torch.zeros(2, 3, requires_grad=True) | torch.zeros(size=(2, 3)) | torch.zeros((2, 3), dtype=torch.float64, device="cpu")
torch.ones(3, dtype=torch.int64) | torch.zeros(x.size(0), 3) | torch.zeros(()) | torch.zeros(x.shape)
torch.empty(2, 3).shape | torch.zeros_like(input=x) | torch.ones_like(w, requires_grad=True)
torch.ones_like(n, dtype=torch.float) | torch.full((2,), 3)
torch.full(size=(2, 2), fill_value=0.5, dtype=torch.float64, requires_grad=True) | torch.full((2,), True) | torch.arange(5)
torch.arange(start=1, end=7, step=2) | torch.arange(end=4) | torch.arange(0, 1, 0.25) | torch.arange(3, 0, -1)
torch.linspace(0, 1, steps=5) | torch.linspace(-1, 1, 4, dtype=torch.float64) | torch.eye(2, 3)
torch.eye(3, requires_grad=True) | torch.tensor(3) | torch.tensor(3.5) | torch.tensor([True, False]) | torch.tensor([])
torch.tensor(np.array([1.0, 2.0])) | torch.tensor([1, 2], requires_grad=True) | torch.tensor([[1, 2], [3]])
torch.tensor([x[0, 0], x[0, 1]]) | torch.tensor(2**40) | torch.as_tensor(x) is x | torch.from_numpy(np.arange(3))
a = np.ones(2); t = torch.from_numpy(a); a[0] = 5; t | torch.Tensor([1, 2]) | torch.FloatTensor([1, 2])
torch.LongTensor([[1], [2]]) | torch.ByteTensor([1]) | torch.HalfTensor([1])

x + w | x - w | x * w | x / w | x**2 | w**0.5 | 2**w | x // 2 | x % 2.5 | 7 // n | 7 % n | 7.5 // x | -w | 1 / w | 1 - w
n << 1 | n >> 1 | torch.add(input=w, other=x) | torch.add(w, x, alpha=0.5) | w.add(1) | torch.mul(input=w, other=x)
torch.multiply(w, 2) | torch.div(x, 2, rounding_mode="trunc") | torch.div(n, 2, rounding_mode="trunc")
torch.div(n, -2, rounding_mode="floor") | torch.fmod(x, 3) | n.fmod(-2) | torch.remainder(-n, 3) | torch.frac(x)
torch.lerp(w, x, 0.5) | torch.addcdiv(w, x, x, value=2) | o = torch.zeros(2, 3); torch.add(x, x, out=o); o
o = torch.empty(2, 2); torch.matmul(x, x.t(), out=o); o | o = torch.zeros(0); torch.mul(x, x, out=o); o
torch.mul(w, x, out=torch.zeros(2, 3)) | torch.matmul(w, v) | torch.mm(input=w, mat2=x.t()) | torch.mv(w, v) | v.dot(v)
v @ v | torch.outer(v, p) | w @ w | torch.addmm(torch.zeros(2), w, x.t(), beta=2, alpha=0.5)
torch.zeros(2, 2).addmm(w, x.t()) | torch.einsum("ij,j->i", w, v) | torch.bmm(torch.ones(2, 2, 3), torch.ones(2, 3, 1))
torch.trace(w) | w.T | w.mT | w.t() | torch.dist(v, p)

torch.exp(w) | w.log() | w.log10() | torch.log1p(w) | torch.sqrt(w) | w.abs() | torch.sign(x) | torch.sin(w) | torch.tanh(w)
torch.sigmoid(w) | w.relu() | torch.erf(w) | torch.round(w / 3, decimals=2) | torch.square(w) | torch.rsqrt(w)
torch.sqrt(n) | torch.clamp(x, 0, 1) | x.clamp(min=0) | torch.clamp(x, max=1) | x.clamp(min=torch.tensor(0.0))
x.clamp_min(0) | torch.clamp(x) | torch.maximum(w, x) | torch.max(w, x) | torch.min(w, other=x) | torch.where(b, x, w)
w.where(b, x) | torch.where(x > 0, 1.0, 0.0) | w.masked_fill(b, 0) | w.masked_select(b) | torch.where(b)

w.sum() | w.sum(dim=1) | w.sum(axis=1) | w.sum(1, True) | w.sum(1, keepdims=True) | torch.sum(w, [0, 1]) | b.sum()
x.sum(2) | w.mean(dim=1, keepdim=True) | torch.mean(w, axis=1) | n.mean() | n.mean(dtype=torch.float32) | w.prod(1)
torch.prod(x) | w.var(unbiased=False) | w.var(dim=1, keepdim=True) | w.std(0) | w.std(dim=0, correction=0)
torch.std_mean(w) | torch.var(w, 0, False) | w.max() | w.max(1) | w.max(dim=1, keepdims=True)
torch.max(input=w, dim=1, keepdim=True) | w.max(1)[0] | w.min(0).indices | w.amax((0, 1), keepdim=True) | w.argmax()
w.argmax(axis=1) | torch.argmax(w, dim=1, keepdim=True) | w.argmin(1) | w.argmax(2) | w.cumsum(axis=1) | torch.cumprod(w, 1)
torch.logsumexp(w, 1) | torch.softmax(w, dim=1) | w.log_softmax(1) | torch.softmax(n, 0) | w.norm() | w.norm(p=1)
w.norm(2, dim=1, keepdim=True) | torch.linalg.norm(w) | torch.linalg.norm(w, ord=1) | torch.norm(w, dim=1)
torch.linalg.norm(v, ord=1) | torch.linalg.norm(w, math.inf) | torch.linalg.norm(w, "fro") | torch.linalg.vector_norm(w, 1)
torch.linalg.norm(w, ord=2, dim=1) | torch.linalg.norm(w, -1, dim=(0, 1), keepdim=True) | (x > 0).all() | b.any(1)
torch.all(b)

w.reshape(3, 2) | w.reshape((3, 2)) | torch.reshape(w, shape=(6,)) | w.view(2, -1) | w.view(size=(3, 2)) | w.view(4)
w.reshape(4) | w.view_as(torch.zeros(3, 2)) | w.reshape_as(torch.zeros(3, 2)) | w.transpose(dim0=0, dim1=1)
w.permute(1, 0) | w.permute((1, 0)) | v.expand(2, -1) | v.expand_as(x) | v.unsqueeze(dim=1) | torch.unsqueeze(v, -1)
w.unsqueeze(0).squeeze(0) | v.unsqueeze(3) | torch.flatten(w) | torch.flatten(w, start_dim=1)
torch.zeros(2, 3, 4).flatten(1).shape | w.unflatten(1, (3, 1)).shape | torch.cat((w, x), dim=1) | torch.cat([w, x], axis=1)
torch.cat([w, n]) | torch.stack([v, p], dim=1) | torch.cat([w, v]) | torch.split(w, split_size_or_sections=1)
w.split(2, dim=1) | torch.chunk(w, 2) | v.unbind() | w.select(1, 0) | w.narrow(1, 1, 2) | torch.flip(w, dims=(1,))
torch.roll(w, shifts=1, dims=1) | torch.tril(w) | torch.triu(w, diagonal=1) | w.diagonal() | torch.diag(v) | w.repeat(2, 1)
v.repeat_interleave(2) | torch.meshgrid(v, p, indexing="ij") | torch.meshgrid([v, p], indexing="xy")

w[0] | w[:, 1] | w[..., 0] | w[b] | w[w > 2] | w[range(2), [0, 1]] | w[torch.arange(2), torch.tensor([0, 2])]
w[None, :, 0] | w[5] | y = x.clone(); y[:, 1] = torch.tensor([5.0, 6.0]); y | y = x.clone(); y[y > 0] = 0; y
y = w * 1; y[0] = 2; y | w[0] = 1; w | torch.gather(w, 1, torch.tensor([[0], [2]])) | w.index_select(dim=1, index=i)
torch.take_along_dim(w, w.argmax(1, True), dim=1) | torch.zeros(3, 4).scatter_(1, torch.tensor([[0], [2], [3]]), 1)
torch.zeros(2, 3).scatter_add(1, torch.tensor([[0, 0, 1], [2, 1, 1]]), w)
torch.zeros(2, 3).index_add_(0, torch.tensor([0, 0]), x) | torch.sort(v, descending=True) | torch.topk(w, k=2, dim=1)
v.argsort() | torch.unique(n) | torch.unique(i, return_counts=True) | n.unique() | torch.nonzero(b) | torch.median(v)
w.median(1)

x == 1 | x.eq(w) | x.ne(1) | torch.lt(x, 1) | torch.greater_equal(x, 1) | torch.equal(x, x) | torch.allclose(x, x + 1e-9)
x == None | x != None | (x > 0) & (w > 2) | b ^ b | torch.bitwise_xor(i, i) | ~b | torch.isfinite(x) | x.logical_not()
x.to(torch.float64) | x.to(torch.device("cpu")) is x | x.to("cpu", torch.float64) | x.to(device="cpu", dtype=torch.int32)
x.to(n) | x.type() | x.type(torch.LongTensor) | x.type("torch.DoubleTensor") | w.double() | w.long() | w.bool()
x.type_as(n) | w.cpu() is w | x.new_zeros(2, 3) | x.new_ones((2,), dtype=torch.int64) | n.new_full((2,), 3)
n.new_tensor([1.5]) | x.new_empty(2, 3).shape | x.new_ones(2, requires_grad=True) | x.size(-1) | x.size(dim=1) | x.shape
x.dim() | x.numel() | torch.numel(x) | len(x) | x.ndim | x.is_contiguous() | x.T.is_contiguous() | x.stride() | x.T.stride()
x[1].storage_offset() | x.element_size() | x.view(6).data_ptr() == x.data_ptr() | s.item() | w.item() | x.tolist()
float(s) | int(s) | f"{s:.3f}" | "%.2f" % s | math.sqrt(s) | sum(v) | max(v) | w.numpy() | np.asarray(x) | w.detach()
w.clone() | w.detach().requires_grad_() | n.requires_grad_() | (w * 1).requires_grad_(False) | w.is_leaf | (w * 1).is_leaf

x.add_(x, alpha=2) | x.sub_(1) | x.mul_(2) | x.div_(2) | x.zero_() | x.fill_(3) | x.copy_(n) | x.clamp_(0, 1)
x.clip_(0, 1) | x.pow_(2) | x.exp_() | x.abs_().sqrt_() | x.neg_() | x.relu_() | x.sigmoid_() | x.tanh_()
x.masked_fill_(b, 0) | x.round_() | x.erf_() | x.tril_() | x.unsqueeze_(0) | x.unsqueeze_(0).squeeze_(0) | x.t_()
x.transpose_(0, 1) | y = w * 2; y.unsqueeze_(0); y | w.unsqueeze_(0) | w.add_(1) | x.addcmul_(x, x, value=0.5)
x.lerp_(torch.zeros_like(x), 0.5) | x.cumsum_(0) | n.add_(0.5) | n.div_(2) | n.floor_divide_(2) | n.logical_not_()
torch.relu_(x) | torch.sin_(x) | F.relu_(x) | F.relu(x, inplace=True) | w.data.add_(1); w | w.data -= 0.1; w
y = w * 2; y.mul_(3); y | x += 1; x | x -= w.detach(); x | x /= 2; x | x **= 2; x | n //= 2; n | n %= 2; n | n *= 1.5; n
b &= ~b; b | x.multiply_(2)

F.relu(w) | F.leaky_relu(x, 0.2) | F.elu(x, alpha=2) | F.gelu(p) | F.silu(w) | F.softplus(w) | F.softmax(w, dim=1)
F.log_softmax(w, 1) | F.softmax(w) | F.log_softmax(v) | F.sigmoid(w) | F.tanh(w) | F.linear(w, x, torch.ones(2))
F.linear(v, x) | F.one_hot(i, num_classes=4) | F.mse_loss(w, x) | F.mse_loss(input=w, target=x, reduction="none")
F.l1_loss(w, x) | F.smooth_l1_loss(w, x) | F.huber_loss(w, x) | F.cross_entropy(w, torch.tensor([0, 2]))
F.cross_entropy(w, torch.tensor([0, -1]), ignore_index=-1) | F.cross_entropy(w, F.softmax(x, 1))
F.nll_loss(F.log_softmax(w, 1), torch.tensor([0, 2]), reduction="sum")
F.cross_entropy(w, torch.tensor([0, 2]), reduction="none")
F.binary_cross_entropy(p, torch.tensor([0.0, 1.0, 1.0]), size_average=False) | F.pad(w, (1, 0, 0, 1), value=2.0)
F.normalize(w) | F.binary_cross_entropy_with_logits(v, torch.tensor([0.0, 1.0, 1.0]), reduction="sum")
F.cross_entropy(w, torch.tensor([0, 5]))

torch.autograd.grad((w**2).sum(), w) | torch.autograd.grad(outputs=(v * p).sum(), inputs=(v, p)) | (w**2).backward()
(w**2).backward(gradient=torch.ones_like(w)); w.grad | (w**2).backward(torch.ones_like(w)); w.grad | x.sum().backward()
l = (w**2).sum(); l.backward(retain_graph=True); l.backward(); w.grad | l = (w**2).sum(); l.backward(); l.backward()
y = w * 2; y.retain_grad(); y.sum().backward(); y.grad | w.register_hook(lambda g: g * 2); w.sum().backward(); w.grad
torch.autograd.functional.jacobian(lambda a: a**2, v.detach())
torch.autograd.functional.vjp(lambda a: a**2, p.detach(), v=torch.ones(3)) | torch.is_grad_enabled() | torch.is_tensor(x)
torch.device("cuda", 0) | torch.cuda.is_available() | torch.Size([2, 3]) | torch.inf | torch.pi
torch.finfo(torch.float32).bits | torch.iinfo(torch.int64).max | x.dtype == torch.float32
"""
EXPRESSIONS = [e for line in LINES.splitlines() if line for e in line.split(" | ")]

# PyTorch's node names are those of its kernels (MmBackward0, SumBackward1): only that there is a node is compared.
NODE = re.compile(r"grad_fn=<\w+>")


def evaluate(text: str, module: Any, functional: Any) -> Any:
    """The value of the last statement, in a namespace of small tensors; an error is a value too."""
    names: dict[str, Any] = {"torch": module, "F": functional, "np": np, "math": math}
    names["x"] = module.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])
    names["w"] = module.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    names["v"] = module.tensor([1.0, 2.0, 3.0], requires_grad=True)
    names["p"] = module.tensor([0.2, 0.5, 0.9], requires_grad=True)
    names["s"] = module.tensor(2.0, requires_grad=True)
    names["n"], names["i"] = module.tensor([[1, 2, 3], [4, 5, 6]]), module.tensor([2, 0, 1])
    names["b"] = module.tensor([[True, False, True], [False, True, True]])
    *before, last = text.split("; ")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's own deprecations
            for statement in before:
                exec(statement, names)
            value = eval(last, names)
            leaves = [names[name] for name in ("w", "v", "p", "s")]
            if isinstance(value, module.Tensor) and value.grad_fn is not None and not before:
                value.sum().backward()
            return described(value), [described(leaf.grad) for leaf in leaves if leaf.is_leaf]
    except Exception as error:
        return type(error)


def described(value: Any) -> Any:
    """What is compared of a value."""
    if isinstance(value, (torch.Tensor, tinygrad_fr.Tensor)):
        array = np.array(value.detach().tolist(), np.float64).reshape(tuple(value.shape))
        kind = str(value.dtype).removeprefix("torch.")
        flags = {"requires_grad": value.requires_grad, "leaf": value.is_leaf}
        return {"values": array, "dtype": kind, "text": shown(value), **flags}
    if isinstance(value, np.ndarray):
        return {"values": value, "dtype": str(value.dtype)}
    if isinstance(value, tuple) and not hasattr(value, "numel"):
        return [described(item) for item in value] + [shown(value)]
    return value if isinstance(value, (int, float, str, list, type(None))) else shown(value)


def shown(value: Any) -> str:
    """The printed text, numbers to three digits: the last one may differ by a rounding."""
    return re.sub(r"(\.\d{3})\d", r"\1", NODE.sub("grad_fn", repr(value)))


def agree(ours: Any, theirs: Any) -> None:
    """Values to five digits, everything else exactly."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        np.testing.assert_allclose(ours.pop("values"), theirs.pop("values"), rtol=1e-5, atol=1e-6)
        assert ours == theirs
    elif isinstance(theirs, (list, tuple)) and not isinstance(ours, type):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            agree(*pair)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-5)
    else:
        assert ours == theirs


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_gives_what_pytorch_gives(text: str) -> None:
    """Shape, dtype, values, gradients, text and the type of an error."""
    agree(evaluate(text, tinygrad_fr, tinygrad_fr.nn.functional), evaluate(text, torch, torch.nn.functional))


# -- dtypes ----------------------------------------------------------------------------------------------------------------

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "eq", "and_")
}


def operand(module: Any, dtype: str, kind: str, values: list[int]) -> Any:
    """A tensor with an axis, one without, or a Python number."""
    if kind == "number":
        return (bool if dtype == "bool" else float if "float" in dtype else int)(values[0])
    return module.tensor(values if kind == "axis" else values[0], dtype=getattr(module, dtype))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("left", DTYPES)
def test_the_dtype_of_a_result_is_pytorchs(name: str, left: str) -> None:
    """Every pair of dtypes, of tensors with axes, without, and of Python numbers; what PyTorch refuses may be allowed."""
    kinds = [("axis", "axis"), ("axis", "scalar"), ("scalar", "axis"), ("scalar", "scalar")]
    kinds += [("axis", "number"), ("number", "axis")]
    numbers = ("bool", "int64", "float32")  # the dtypes of Python's bool, int and float
    for right, (first, second) in itertools.product(DTYPES, kinds):
        if (first == "number" and left not in numbers) or (second == "number" and right not in numbers):
            continue
        given = ((left, first, [3, 1, 7]), (right, second, [2, 1, 3]))
        try:
            theirs = BINARY[name](*(operand(torch, *g) for g in given))
        except (RuntimeError, TypeError):
            continue
        if name == "pow" and left == right == "bool":
            continue  # PyTorch answers for a Python bool only
        ours = BINARY[name](*(operand(tinygrad_fr, *g) for g in given))
        assert str(theirs.dtype) == f"torch.{ours.dtype}", given
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-3 if "float16" in (left, right) else 1e-6)


DIVISIONS: list[Callable[[Any, int], Any]] = [
    lambda t, c: t // c,
    lambda t, c: t % c,
    lambda t, c: c // (t + 9),
    lambda t, c: c % (t + 9),
    lambda t, c: t.fmod(c),
    lambda t, c: t.remainder(c),
    lambda t, c: t.div(c, rounding_mode="trunc"),
    lambda t, c: t.div(c, rounding_mode="floor"),
]


@pytest.mark.parametrize("dtype", ["int64", "float32"])
@pytest.mark.parametrize(("a", "c"), [(-7, 2), (7, -2), (-7, -2), (7, 2), (-6, 3), (0, 5)])
def test_division_and_remainder_of_negative_numbers(dtype: str, a: int, c: int) -> None:
    """// and % round down, as Python's do; fmod and "trunc" round to zero."""
    for divide in DIVISIONS:
        ours, theirs = (divide(m.tensor([a], dtype=getattr(m, dtype)), c) for m in (tinygrad_fr, torch))
        assert ours.tolist() == theirs.tolist() and str(theirs.dtype) == f"torch.{ours.dtype}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", "sum mean prod cumsum cumprod max std exp abs sign softmax norm".split())
def test_the_dtype_of_a_reduction_is_pytorchs(dtype: str, call: str) -> None:
    """Sums of integers are int64, means of integers an error."""
    answers = []
    for module in (tinygrad_fr, torch):
        t = module.tensor([[3, 1, 7], [2, 5, 4]], dtype=getattr(module, dtype))
        try:
            result = getattr(t, call)(*([1] if call in ("cumsum", "cumprod", "softmax") else []))
            answers.append((str(result.dtype).removeprefix("torch."), np.array(result.tolist())))
        except (RuntimeError, NotImplementedError):
            answers.append(("error", np.zeros(())))
    (ours, values), (theirs, expected) = answers
    if dtype == "bool" and call == "abs":
        return  # PyTorch refuses what is harmless
    assert ours == theirs
    np.testing.assert_allclose(values, expected, rtol=2e-3 if dtype == "float16" else 1e-5)
