"""Layers and activations compute, print, refuse and start as PyTorch's do.

Sessions (see tests/sessions.py) hold on both frameworks; numbers stand beside, recorded, for where PyTorch is not installed.
"""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tests.sessions import each, framework, hold, leaf, made, results
from tinygrad_fr import nn
from tinygrad_fr.nn.activations import Activation
from tinygrad_fr.testing import gradcheck, gradgradcheck

F = nn.functional


# -- how they print --------------------------------------------------------------------------------------------------------

SESSIONS = {
    "text": """
>>> nn.ReLU()
ReLU()
>>> nn.ReLU(True)
ReLU(inplace=True)
>>> nn.ReLU(inplace=True)
ReLU(inplace=True)
>>> nn.ReLU6()
ReLU6()
>>> nn.ReLU6(True)
ReLU6(inplace=True)
>>> nn.LeakyReLU()
LeakyReLU(negative_slope=0.01)
>>> nn.LeakyReLU(0.2, True)
LeakyReLU(negative_slope=0.2, inplace=True)
>>> nn.PReLU()
PReLU(num_parameters=1)
>>> nn.PReLU(3)
PReLU(num_parameters=3)
>>> nn.ELU()
ELU(alpha=1.0)
>>> nn.ELU(2)
ELU(alpha=2)
>>> nn.ELU(2.0, True)
ELU(alpha=2.0, inplace=True)
>>> nn.SELU()
SELU()
>>> nn.SELU(True)
SELU(inplace=True)
>>> nn.CELU()
CELU(alpha=1.0)
>>> nn.CELU(0.5, True)
CELU(alpha=0.5, inplace=True)
>>> nn.GELU()
GELU(approximate='none')
>>> nn.GELU('tanh')
GELU(approximate='tanh')
>>> nn.SiLU()
SiLU()
>>> nn.SiLU(True)
SiLU(inplace=True)
>>> nn.Mish()
Mish()
>>> nn.Mish(True)
Mish(inplace=True)
>>> nn.Hardswish()
Hardswish()
>>> nn.Hardswish(True)
Hardswish()
>>> nn.Hardsigmoid()
Hardsigmoid()
>>> nn.Hardsigmoid(True)
Hardsigmoid()
>>> nn.Hardtanh()
Hardtanh(min_val=-1.0, max_val=1.0)
>>> nn.Hardtanh(0, 2)
Hardtanh(min_val=0, max_val=2)
>>> nn.Hardtanh(-2.0, 2.0, True)
Hardtanh(min_val=-2.0, max_val=2.0, inplace=True)
>>> nn.Softplus()
Softplus(beta=1.0, threshold=20.0)
>>> nn.Softplus(2, 10)
Softplus(beta=2, threshold=10)
>>> nn.Threshold(0.1, 20)
Threshold(threshold=0.1, value=20)
>>> nn.Threshold(0.1, 20, True)
Threshold(threshold=0.1, value=20, inplace=True)
>>> nn.Tanhshrink()
Tanhshrink()
>>> nn.Softshrink()
Softshrink(0.5)
>>> nn.Softshrink(1)
Softshrink(1)
>>> nn.Hardshrink()
Hardshrink(0.5)
>>> nn.Hardshrink(0.25)
Hardshrink(0.25)
>>> nn.Softmax()
Softmax(dim=None)
>>> nn.Softmax(1)
Softmax(dim=1)
>>> nn.Softmax(dim=-1)
Softmax(dim=-1)
>>> nn.LogSoftmax(1)
LogSoftmax(dim=1)
>>> nn.LogSoftmax()
LogSoftmax(dim=None)
>>> nn.Softmin()
Softmin(dim=None)
>>> nn.Softmin(0)
Softmin(dim=0)
>>> nn.Sigmoid()
Sigmoid()
>>> nn.LogSigmoid()
LogSigmoid()
>>> nn.Tanh()
Tanh()
>>> nn.Softsign()
Softsign()
>>> nn.Identity()
Identity()
>>> nn.Identity(3, a=2)
Identity()
>>> nn.Linear(2, 3)
Linear(in_features=2, out_features=3, bias=True)
>>> nn.Linear(2, 3, bias=False)
Linear(in_features=2, out_features=3, bias=False)
>>> nn.LazyLinear(4)
LazyLinear(in_features=0, out_features=4, bias=True)
>>> nn.LazyLinear(4, bias=False)
LazyLinear(in_features=0, out_features=4, bias=False)
>>> nn.Bilinear(2, 3, 4)
Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)
>>> nn.Bilinear(2, 3, 4, bias=False)
Bilinear(in1_features=2, in2_features=3, out_features=4, bias=False)
>>> nn.Flatten()
Flatten(start_dim=1, end_dim=-1)
>>> nn.Flatten(0, 2)
Flatten(start_dim=0, end_dim=2)
>>> nn.Unflatten(1, (2, 3))
Unflatten(dim=1, unflattened_size=(2, 3))
>>> nn.Embedding(10, 3)
Embedding(10, 3)
>>> nn.Embedding(10, 3, padding_idx=-1)
Embedding(10, 3, padding_idx=9)
>>> nn.LayerNorm(3)
LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)
>>> nn.LayerNorm((2, 3), eps=1e-6)
LayerNorm((2, 3), eps=1e-06, elementwise_affine=True, bias=True)
>>> nn.LayerNorm([4], elementwise_affine=False)
LayerNorm((4,), eps=1e-05, elementwise_affine=False, bias=False)
>>> nn.LayerNorm(4, bias=False)
LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=False)
>>> nn.BatchNorm1d(3)
BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
>>> nn.BatchNorm1d(3, eps=0.1, momentum=None, affine=False, track_running_stats=False)
BatchNorm1d(3, eps=0.1, momentum=None, affine=False, bias=False, track_running_stats=False)
>>> nn.BatchNorm1d(3, bias=False)
BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=False, track_running_stats=True)
>>> nn.Dropout()
Dropout(p=0.5, inplace=False)
>>> nn.Dropout(0.2, True)
Dropout(p=0.2, inplace=True)
>>> nn.MSELoss()
MSELoss()
>>> nn.L1Loss(reduction='sum')
L1Loss()
>>> nn.SmoothL1Loss(beta=2.0)
SmoothL1Loss()
>>> nn.HuberLoss()
HuberLoss()
>>> nn.BCELoss()
BCELoss()
>>> nn.BCEWithLogitsLoss(pos_weight=torch.ones(2))
BCEWithLogitsLoss()
>>> nn.CrossEntropyLoss(label_smoothing=0.1)
CrossEntropyLoss()
>>> nn.CrossEntropyLoss(torch.ones(3), reduction='none')
CrossEntropyLoss()
>>> nn.NLLLoss()
NLLLoss()
>>> nn.KLDivLoss(log_target=True)
KLDivLoss()
>>> nn.PoissonNLLLoss()
PoissonNLLLoss()
>>> nn.GaussianNLLLoss()
GaussianNLLLoss()
>>> nn.HingeEmbeddingLoss()
HingeEmbeddingLoss()
>>> nn.MarginRankingLoss(0.5)
MarginRankingLoss()
>>> nn.CosineEmbeddingLoss()
CosineEmbeddingLoss()
""",
    "LazyLinear": """
>>> net = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(1, bias=False)); net[0].weight, net[0].bias, net[2].bias
(<UninitializedParameter>, <UninitializedParameter>, None)
>>> [name for name, _ in net.named_parameters()], net.state_dict()["0.weight"], net[0].weight.requires_grad
(['0.weight', '0.bias', '2.weight'], <UninitializedParameter>, True)
>>> net[0].weight.shape
Traceback (most recent call last):
RuntimeError: Can't access the shape of an uninitialized parameter or buffer...
>>> for use in (lambda w: w * 2, lambda w: nn.init.normal_(w), lambda w: w.sum(), lambda w: torch.exp(w)):
...     try:
...         use(net[0].weight)
...     except ValueError as error:
...         print(str(error)[:42])
Attempted to use an uninitialized paramete
Attempted to use an uninitialized paramete
Attempted to use an uninitialized paramete
Attempted to use an uninitialized paramete
>>> weight, twin = net[0].weight, copy.deepcopy(net)
>>> _ = torch.manual_seed(1); net(torch.ones(2, 4)).shape
torch.Size([2, 1])
>>> net
Sequential(
  (0): Linear(in_features=4, out_features=3, bias=True)
  (1): ReLU()
  (2): Linear(in_features=3, out_features=1, bias=False)
)
>>> net[0].weight is weight, type(weight).__name__, type(net[0]).__name__, kind(weight), weight.is_leaf
(True, 'Parameter', 'Linear', 'float32', True)
>>> _ = torch.manual_seed(1); torch.equal(nn.Linear(4, 3).weight, weight)
True
>>> net(torch.ones(2, 5))
Traceback (most recent call last):
RuntimeError: ...
>>> twin[0]                                                        # copied before, it is still lazy
LazyLinear(in_features=0, out_features=3, bias=True)
>>> kind(twin.double()(torch.ones(2, 2, dtype=torch.float64))), twin[0].weight.shape
('float64', torch.Size([3, 2]))
>>> lazy = nn.LazyLinear(3); lazy(torch.ones(2, 3, dtype=torch.int64))
Traceback (most recent call last):
RuntimeError: mat1 and mat2 must have the same dtype, but got ...
>>> loaded = nn.LazyLinear(3); weight = loaded.weight; loaded.load_state_dict(nn.Linear(2, 3).state_dict())
<All keys matched successfully>
>>> weight is loaded.weight
True
>>> loaded, loaded.weight.shape                                    # it learns its width at the first call
(LazyLinear(in_features=0, out_features=3, bias=True), torch.Size([3, 2]))
>>> values = loaded.weight.tolist(); loaded(torch.ones(1, 2)).shape; loaded, loaded.weight.tolist() == values
torch.Size([1, 3])
(Linear(in_features=2, out_features=3, bias=True), True)
>>> nn.LazyLinear(3).load_state_dict(nn.LazyLinear(3).state_dict())
<All keys matched successfully>
>>> nn.Linear(2, 3).load_state_dict(nn.LazyLinear(3).state_dict())
Traceback (most recent call last):
RuntimeError: Can't access the shape of an uninitialized parameter or buffer...
>>> nn.LazyLinear(3).load_state_dict({}, strict=False)
_IncompatibleKeys(missing_keys=['weight', 'bias'], unexpected_keys=[])
>>> again = pickle.loads(pickle.dumps(nn.LazyLinear(3))); again.weight; again(torch.ones(1, 2)).shape
<UninitializedParameter>
torch.Size([1, 3])
""",
    "LazyLinear and an optimiser": """
>>> lazy = nn.LazyLinear(2, bias=False); step = torch.optim.SGD(lazy.parameters(), lr=1.0)
>>> lazy(torch.ones(1, 3)).sum().backward(); before = lazy.weight.tolist()
>>> step.step(); [[round(a - b, 4) for a, b in zip(r, s)] for r, s in zip(before, lazy.weight.tolist())]
[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
""",
    "Embedding": """
>>> table = nn.Embedding(4, 2, padding_idx=-1); table.weight[3].tolist(), table.padding_idx
([0.0, 0.0], 3)
>>> _ = table.weight.data.copy_(torch.arange(8.0).reshape(4, 2))
>>> table(torch.tensor([[0, 3], [2, 0]]))
tensor([[[0., 1.],
         [6., 7.]],
...
        [[4., 5.],
         [0., 1.]]], grad_fn=<...>)
>>> table(torch.tensor([0, 3, 2, 0])).sum().backward(); table.weight.grad     # row 0 was read twice, row 3 is padding
tensor([[2., 2.],
        [0., 0.],
        [1., 1.],
        [0., 0.]])
>>> w = torch.ones(3, 1, requires_grad=True); F.embedding(torch.tensor([0, 2]), w, padding_idx=-1).sum().backward()
>>> w.grad.tolist()
[[1.0], [0.0], [0.0]]
>>> table(torch.tensor(2)).shape, table(torch.zeros(0, dtype=torch.int64)).shape
(torch.Size([2]), torch.Size([0, 2]))
>>> table(torch.tensor([1], dtype=torch.int32)).tolist()
[[2.0, 3.0]]
>>> table(torch.tensor([4]))
Traceback (most recent call last):
IndexError: index out of range in self...
>>> table(torch.tensor([-1]))
Traceback (most recent call last):
IndexError: index out of range in self...
>>> table(torch.tensor([1.0]))
Traceback (most recent call last):
RuntimeError: Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got ...
>>> nn.Embedding(3, 2, padding_idx=3)
Traceback (most recent call last):
AssertionError: Padding_idx must be within num_embeddings...
>>> ready = nn.Embedding.from_pretrained(torch.ones(3, 2)); ready, ready.weight.requires_grad, ready(torch.tensor([2])).tolist()
(Embedding(3, 2), False, [[1.0, 1.0]])
>>> nn.Embedding.from_pretrained(torch.ones(3, 2), freeze=False, padding_idx=1).weight
Parameter containing:
tensor([[1., 1.],
        [1., 1.],
        [1., 1.]], requires_grad=True)
>>> nn.Embedding.from_pretrained(torch.ones(3))
Traceback (most recent call last):
AssertionError: Embeddings parameter is expected to be 2-dimensional
""",
    "BatchNorm1d": """
>>> norm = nn.BatchNorm1d(2, momentum=0.5); list(norm.state_dict()), norm.num_batches_tracked
(['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'], tensor(0))
>>> x = torch.tensor([[0.0, 10.0], [2.0, 20.0]]); norm(x)
tensor([[-1.0000, -1.0000],
        [ 1.0000,  1.0000]], grad_fn=<...>)
>>> norm.running_mean, norm.running_var, norm.num_batches_tracked
(tensor([0.5000, 7.5000]), tensor([ 1.5000, 25.5000]), tensor(1))
>>> _ = norm.eval(); norm(torch.tensor([[2.0, 10.0]])), norm.num_batches_tracked    # one sample is enough now
(tensor([[1.2247, 0.4951]], grad_fn=<...>), tensor(1))
>>> norm.train()(torch.ones(1, 2))
Traceback (most recent call last):
ValueError: Expected more than 1 value per channel when training, got input size torch.Size([1, 2])...
>>> norm(torch.ones(2, 3))
Traceback (most recent call last):
RuntimeError: running_mean should contain 3 elements not 2...
>>> norm(torch.ones(2))
Traceback (most recent call last):
ValueError: expected 2D or 3D input (got 1D input)...
>>> average = nn.BatchNorm1d(2, momentum=None, affine=False); _ = average(x), average(x + 6)
>>> average.running_mean, average.running_var, list(average.parameters()), average.num_batches_tracked
(tensor([ 4., 18.]), tensor([ 2., 50.]), [], tensor(2))
>>> average.reset_running_stats(); average.running_mean, average.running_var, average.num_batches_tracked
(tensor([0., 0.]), tensor([1., 1.]), tensor(0))
>>> free = nn.BatchNorm1d(2, track_running_stats=False).eval(); list(free.state_dict()), free(x).tolist()[0][0] < -0.99
(['weight', 'bias'], True)
>>> kind(norm.double().num_batches_tracked), kind(norm.running_mean)
('int64', 'float64')
""",
    "LayerNorm": """
>>> norm = nn.LayerNorm((2, 2)); norm(torch.tensor([[[1.0, 3.0], [1.0, 3.0]]])), norm.weight.shape, norm.normalized_shape
(tensor([[[-1.0000,  1.0000],
         [-1.0000,  1.0000]]], grad_fn=<...>), torch.Size([2, 2]), (2, 2))
>>> nn.LayerNorm(3)(torch.ones(2, 4))
Traceback (most recent call last):
RuntimeError: Given normalized_shape=[3], expected input with shape [*, 3], but got input of size[2, 4]
>>> nn.LayerNorm(2)(torch.ones(3, 2)).tolist()                      # no spread: nothing is divided by 0
[[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
""",
    "shapes": """
>>> nn.Flatten()(torch.zeros(2, 3, 4)).shape, nn.Flatten(0, 1)(torch.zeros(2, 3, 4)).shape, nn.Flatten(0)(torch.zeros(())).shape
(torch.Size([2, 12]), torch.Size([6, 4]), torch.Size([1]))
>>> nn.Unflatten(1, (2, -1))(torch.zeros(2, 6)).shape
torch.Size([2, 2, 3])
>>> nn.Flatten()(torch.zeros(2))
Traceback (most recent call last):
IndexError: ...
>>> nn.Unflatten(1, (2, 2))(torch.zeros(2, 5))
Traceback (most recent call last):
RuntimeError: unflatten: ...
>>> nn.Unflatten(1, 2)
Traceback (most recent call last):
TypeError: unflattened_size must be a tuple of ints, but found type int...
>>> x = torch.zeros(2, 3); nn.Identity()(x) is x, nn.Flatten()(x).data_ptr() == x.data_ptr()
(True, True)
""",
    "Dropout": """
>>> drop, x = nn.Dropout(0.5), torch.ones(2, 4, requires_grad=True)
>>> _ = torch.manual_seed(0); y = drop(x); y.detach(), drop(x).detach()
(tensor([[0., 0., 2., 0.],
        [0., 0., 2., 2.]]), tensor([[0., 2., 2., 2.],
        [2., 0., 2., 2.]]))
>>> y.sum().backward(); torch.equal(x.grad, y.detach())
True
>>> drop.eval()(x) is x, nn.Dropout(0.0)(x).tolist() == x.tolist(), nn.Dropout(1)(x).tolist()[0]
(True, True, [0.0, 0.0, 0.0, 0.0])
>>> nn.Dropout(1.5)
Traceback (most recent call last):
ValueError: dropout probability has to be between 0 and 1, but got 1.5
>>> z = torch.ones(3); nn.Dropout(0.5, inplace=True)(z) is z
True
""",
    "Linear": """
>>> layer = nn.Linear(2, 3); layer.in_features, layer.out_features, layer.weight.shape, layer.bias.shape
(2, 3, torch.Size([3, 2]), torch.Size([3]))
>>> layer(torch.ones(2)).shape, layer(torch.ones(5, 4, 2)).shape, layer(torch.ones(0, 2)).shape
(torch.Size([3]), torch.Size([5, 4, 3]), torch.Size([0, 3]))
>>> nn.Linear(2, 3, bias=False).bias is None, kind(nn.Linear(2, 3, dtype=torch.float64).weight), nn.Linear(2, 3, device="cpu")
(True, 'float64', Linear(in_features=2, out_features=3, bias=True))
>>> layer(torch.ones(1, 3))
Traceback (most recent call last):
RuntimeError: ...mat1 and mat2 shapes cannot be multiplied (1x3 and 2x3)...
>>> layer(torch.ones(1, 2, dtype=torch.int64))
Traceback (most recent call last):
RuntimeError: mat1 and mat2 must have the same dtype, but got ...
>>> layer([[1.0, 2.0]])
Traceback (most recent call last):
TypeError: linear(): argument 'input' (position 1) must be Tensor, not list...
>>> layer.bias = None; layer, layer(torch.zeros(1, 2)).tolist()
(Linear(in_features=2, out_features=3, bias=False), [[0.0, 0.0, 0.0]])
>>> del layer.weight; layer.weight = torch.ones(1, 2); layer(torch.ones(1, 2))     # computed from others, say
tensor([[2.]])
>>> nn.Linear(-1, 3)
Traceback (most recent call last):
RuntimeError: Trying to create tensor with negative dimension...
""",
}


@each(SESSIONS)
def test_session(session: str, name: str) -> None:
    """What a layer does and prints, said once and held twice."""
    hold(session, name)


# -- the arguments -----------------------------------------------------------------------------------------------------------


def arguments(function: Any) -> list[tuple[str, Any]]:
    """Names and default values, in order; none of what takes anything."""
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in found if "VAR" not in p.kind.name and p.name != "self"]


def named_alike() -> Any:
    """Every class of nn and every function of nn.functional and nn.utils, by name; what another room lends is left out."""
    for name, value in vars(nn).items():
        if isinstance(value, type) and not issubclass(value, tg.Tensor):
            yield from ((f"nn.{name}", "__init__"), (f"nn.{name}", "forward"))
    for room in (F, nn.utils):
        for name, value in vars(room).items():
            public = inspect.isfunction(value) and name[0] != "_" and (value.__module__ == room.__name__ or name in ACTIVATED)
            if public and name != "reduction_name":
                yield f"nn.{room.__name__.split('.')[-1]}", name


ACTIVATED = "elu gelu leaky_relu logsigmoid sigmoid silu softplus softsign linear one_hot pad".split()


def test_arguments_have_pytorchs_names_order_and_defaults() -> None:
    """What we take is taken by PyTorch too, by the same name, in the same order, with the same default."""
    torch, checked = framework("torch"), 0
    for where, name in named_alike():
        ours, theirs = (getattr(eval(where, {"nn": m.nn}), name) for m in (tg, torch))
        try:
            given, wanted = arguments(ours), arguments(theirs)
        except ValueError:
            continue  # written in C, it does not say
        shared = [pair for pair in wanted if pair[0] in dict(given)]
        assert given == shared or not wanted, f"{where}.{name}"
        checked += 1
    assert checked > 150


# -- the numbers that a seed gives -----------------------------------------------------------------------------------------

STARTS = {
    "Linear(3, 2)": [-0.572427, -0.455449, -0.247288, -0.546225, -0.0327769, -0.507934, 0.313924, 0.2814],
    "Linear(4, 1, bias=False)": [-0.495736, -0.394431, -0.214158, -0.473045],
    "Linear(2, 1, dtype=torch.float64)": [-0.658871, -0.301595, 0.38596],
    "Bilinear(2, 2, 1)": [-0.701077, -0.557809, -0.302864, -0.668987, -0.0401434],
    "Embedding(2, 3)": [0.803276, 0.174833, 0.0889781, -0.613718, 0.0461824, -1.36826],
    "Embedding(2, 3, padding_idx=0)": [0.0, 0.0, 0.0, -0.613718, 0.0461824, -1.36826],
    "PReLU(2)": [0.25, 0.25],
    "LayerNorm(2)": [1, 1, 0, 0],
    "BatchNorm1d(2)": [1, 1, 0, 0],
}
NETWORK = "Sequential(nn.Linear(784, 20), nn.Tanh(), nn.Linear(20, 10), nn.Embedding(20, 5), nn.Bilinear(3, 4, 5))"


@pytest.mark.parametrize("text", STARTS)
def test_first_weights_are_pytorchs_recorded(text: str) -> None:
    """After manual_seed(3)."""
    values = [v for p in made(text, tg, 3).parameters() for v in p.reshape(-1).tolist()]
    assert values == pytest.approx(STARTS[text], rel=1e-5)


def test_first_weights_of_a_network_recorded() -> None:
    """The weights of S3's network: sums, and the first of each matrix."""
    net = made("Sequential(nn.Linear(784, 20), nn.Tanh(), nn.Linear(20, 10))", tg, 3)
    sums = [p.double().sum().item() for p in net.parameters()]
    assert sums == pytest.approx([-0.146460, 0.115945, -0.577242, -0.171715], abs=2e-6)
    assert net[0].weight[0, :3].tolist() == pytest.approx([-0.0354, -0.0282, -0.0153], abs=6e-5)
    assert net[2].bias[:3].tolist() == pytest.approx([-0.1059, -0.1530, 0.0407], abs=6e-5)


@pytest.mark.parametrize("text", [*STARTS, NETWORK])
def test_first_weights_are_pytorchs(text: str) -> None:
    """Twenty seeds, and the generator is where PyTorch's is afterwards."""
    torch = framework("torch")
    for seed in range(20):
        ours, theirs = made(text, tg, seed), made(text, torch, seed)
        for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert name == other and str(q.dtype) == f"torch.{p.dtype}"
            np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-6, atol=1e-7)
        assert tg.rand(1).item() == torch.rand(1).item()


def test_reset_parameters_draws_again() -> None:
    """The same numbers from the same seed, in the same memory."""
    texts = ["Linear(3, 2)", "Bilinear(2, 3, 4)", "Embedding(4, 2, padding_idx=1)", "LayerNorm(3)", "PReLU()", "BatchNorm1d(3)"]
    for text in texts:
        layer = made(text, tg, 5)
        first = [p.tolist() for p in layer.parameters()]
        identities = [id(p) for p in layer.parameters()]
        with tg.no_grad():
            for p in layer.parameters():
                p.fill_(9)
        tg.manual_seed(5)
        layer.reset_parameters()
        assert [p.tolist() for p in layer.parameters()] == first and [id(p) for p in layer.parameters()] == identities


# -- activations -----------------------------------------------------------------------------------------------------------

POINTS = [-2.0, -0.5, 0.0, 0.75, 3.0]

# values, and derivatives ∂y/∂x (for a softmax along the row: of Σ k yₖ)
ACTIVATIONS: dict[str, tuple[list[float], list[float]]] = {
    "ReLU()": ([0.0, 0.0, 0.0, 0.75, 3.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
    "ReLU6()": ([0.0, 0.0, 0.0, 0.75, 3.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
    "LeakyReLU()": ([-0.02, -0.005, 0.0, 0.75, 3.0], [0.01, 0.01, 0.01, 1.0, 1.0]),
    "LeakyReLU(0.2, True)": ([-0.4, -0.1, 0.0, 0.75, 3.0], [0.2, 0.2, 0.2, 1.0, 1.0]),
    "PReLU()": ([-0.5, -0.125, 0.0, 0.75, 3.0], [0.25, 0.25, 0.25, 1.0, 1.0]),
    "ELU()": ([-0.864665, -0.393469, 0.0, 0.75, 3.0], [0.135335, 0.606531, 1.0, 1.0, 1.0]),
    "ELU(2)": ([-1.72933, -0.786939, 0.0, 0.75, 3.0], [0.270671, 1.21306, 2.0, 1.0, 1.0]),
    "ELU(2.0, True)": ([-1.72933, -0.786939, 0.0, 0.75, 3.0], [0.270671, 1.21306, 2.0, 1.0, 1.0]),
    "SELU()": ([-1.52017, -0.691758, 0.0, 0.788026, 3.1521], [0.237933, 1.06634, 1.7581, 1.0507, 1.0507]),
    "CELU()": ([-0.864665, -0.393469, 0.0, 0.75, 3.0], [0.135335, 0.606531, 1.0, 1.0, 1.0]),
    "CELU(0.5, True)": ([-0.490842, -0.31606, 0.0, 0.75, 3.0], [0.0183156, 0.367879, 1.0, 1.0, 1.0]),
    "GELU()": ([-0.0455003, -0.154269, 0.0, 0.580029, 2.99595], [-0.0852318, 0.132505, 0.5, 0.999226, 1.01195]),
    "GELU('tanh')": ([-0.0454023, -0.154286, 0.0, 0.579961, 2.99636], [-0.0860993, 0.13263, 0.5, 0.998938, 1.01158]),
    "SiLU()": ([-0.238406, -0.18877, 0.0, 0.509384, 2.85772], [-0.0907842, 0.260039, 0.5, 0.8426, 1.0881]),
    "Mish()": ([-0.252501, -0.220744, 0.0, 0.610018, 2.98654], [-0.108355, 0.289511, 0.6, 0.985758, 1.02111]),
    "Hardswish()": ([-0.333333, -0.208333, 0.0, 0.46875, 3.0], [-0.166667, 0.333333, 0.5, 0.75, 1.0]),
    "Hardsigmoid()": ([0.166667, 0.416667, 0.5, 0.625, 1.0], [0.166667, 0.166667, 0.166667, 0.166667, 0.0]),
    "Hardtanh()": ([-1.0, -0.5, 0.0, 0.75, 1.0], [0.0, 1.0, 1.0, 1.0, 0.0]),
    "Hardtanh(0, 2)": ([0.0, 0.0, 0.0, 0.75, 2.0], [0.0, 0.0, 0.0, 1.0, 0.0]),
    "Hardtanh(-2.0, 2.0, True)": ([-2.0, -0.5, 0.0, 0.75, 2.0], [0.0, 1.0, 1.0, 1.0, 0.0]),
    "Softplus()": ([0.126928, 0.474077, 0.693147, 1.13687, 3.04859], [0.119203, 0.377541, 0.5, 0.679179, 0.952574]),
    "Softplus(2, 10)": ([0.00907496, 0.156631, 0.346574, 0.850707, 3.00124], [0.0179862, 0.268941, 0.5, 0.817574, 0.997527]),
    "Threshold(0.1, 20)": ([20.0, 20.0, 20.0, 0.75, 3.0], [0.0, 0.0, 0.0, 1.0, 1.0]),
    "Tanhshrink()": ([-1.03597, -0.0378828, 0.0, 0.114851, 2.00495], [0.929349, 0.213552, 0.0, 0.403414, 0.990134]),
    "Softshrink()": ([-1.5, -0.0, 0.0, 0.25, 2.5], [1.0, 0.0, 0.0, 1.0, 1.0]),
    "Softshrink(1)": ([-1.0, -0.0, 0.0, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0, 1.0]),
    "Hardshrink()": ([-2.0, 0.0, 0.0, 0.75, 3.0], [1.0, 0.0, 0.0, 1.0, 1.0]),
    "Hardshrink(0.25)": ([-2.0, -0.5, 0.0, 0.75, 3.0], [1.0, 1.0, 0.0, 1.0, 1.0]),
    "Softmax(1)": (
        [0.00565206, 0.0253308, 0.0417634, 0.0884131, 0.838841],
        [-0.0210791, -0.0691394, -0.0722281, -0.0644938, 0.22694],
    ),
    "LogSoftmax(1)": ([-5.17573, -3.67573, -3.17573, -2.42573, -0.175735], [0.915219, 1.62004, 2.37355, 2.6738, -7.58261]),
    "Softmin(1)": (
        [0.699726, 0.15613, 0.0946976, 0.044732, 0.00471472],
        [0.348869, -0.0782867, -0.142181, -0.111893, -0.0165082],
    ),
    "Softmin(0)": ([1.0, 1.0, 1.0, 1.0, 1.0], [-0.0, -0.0, -0.0, -0.0, -0.0]),
    "Sigmoid()": ([0.119203, 0.377541, 0.5, 0.679179, 0.952574], [0.104994, 0.235004, 0.25, 0.217895, 0.0451767]),
    "LogSigmoid()": ([-2.12693, -0.974077, -0.693147, -0.386871, -0.0485874], [0.880797, 0.622459, 0.5, 0.320821, 0.0474259]),
    "Tanh()": ([-0.964028, -0.462117, 0.0, 0.635149, 0.995055], [0.0706508, 0.786448, 1.0, 0.596586, 0.00986604]),
    "Softsign()": ([-0.666667, -0.333333, 0.0, 0.428571, 0.75], [0.111111, 0.444444, 1.0, 0.326531, 0.0625]),
}

each_activation = pytest.mark.parametrize("text", ACTIVATIONS)


@each_activation
def test_activation_recorded(text: str) -> None:
    """Values and derivatives at five points, 0 among them, where PyTorch's convention counts."""
    x = tg.tensor([POINTS], dtype=tg.float64, requires_grad=True)
    layer = made(text, tg).double()
    y = layer(x * 1 if getattr(layer, "inplace", False) else x)
    weights = tg.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]], dtype=tg.float64)
    (y * weights).sum().backward()
    values, slopes = ACTIVATIONS[text]
    assert y.tolist()[0] == pytest.approx(values, rel=1e-5, abs=1e-7)
    gradient = x.grad if "Softm" in text or "LogSoftmax" in text else x.grad / weights
    assert gradient.tolist()[0] == pytest.approx(slopes, rel=1e-5, abs=1e-7)


KINKS = [-1000.0, -7.0, -3.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 7.0, 1000.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_activation
def test_activation_is_pytorchs(text: str, dtype: str) -> None:
    """Values and gradients, at every kink and far out, in both dtypes."""
    torch = framework("torch")
    grids = [np.array([KINKS]), np.random.default_rng(0).normal(0, 3, (4, 3)), np.zeros((0, 3)), np.ones((2, 2, 3))]
    for grid in grids:
        ours, theirs = (results(made(text, m).to(getattr(m, dtype)), [grid], m, dtype) for m in (tg, torch))
        for a, b in zip(ours, theirs, strict=True):
            near = {"rtol": 2e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-12}
            near["rtol"] = max(near["rtol"], 1e-7 * text.startswith("Hardsigmoid"))  # its 1/6 is a float32 in PyTorch
            np.testing.assert_allclose(a, b, **near)


@each_activation
def test_derivatives_of_an_activation(text: str) -> None:
    """First and second order against small differences, away from the kinks; also through the parameters."""
    layer = made(text, tg).double()
    x = tg.tensor(np.array([[-2.6, -1.3, -0.7], [0.31, 0.83, 1.7]]), requires_grad=True)
    parameters = list(layer.parameters())

    def run(x: Any, *_: Any) -> Any:
        return layer(x * 1)

    assert gradcheck(run, (x, *parameters))
    assert gradgradcheck(run, (x, *parameters))


INPLACE = "ReLU ReLU6 LeakyReLU ELU SELU CELU SiLU Mish Hardtanh Hardsigmoid Hardswish Threshold(0.2,-1.0,"


@pytest.mark.parametrize("text", INPLACE.split())
def test_inplace_writes_into_the_input(text: str) -> None:
    """The input is the output, and first and second derivatives are those of the plain form; a leaf is refused."""
    start = text if "(" in text else f"{text}("
    layer, plain = made(f"{start}inplace=True)", tg), made(f"{start})", tg)
    x = tg.tensor([-2.0, 0.5, 8.0], requires_grad=True)
    y = x * 1
    assert layer(y) is y and y.tolist() == plain(x).tolist()

    def derivatives(f: Any) -> Any:
        (first,) = tg.autograd.grad((f(x * 1) ** 2).sum(), x, create_graph=True)
        return first.tolist(), tg.autograd.grad(first.sum(), x)[0].tolist()

    assert derivatives(layer) == derivatives(plain)
    with pytest.raises(RuntimeError, match="leaf"):
        layer(x)
    assert x.tolist() == [-2.0, 0.5, 8.0]


def test_a_nan_goes_through_every_activation() -> None:
    """It is never turned into a number, which would hide it."""
    for text in ACTIVATIONS:
        with np.errstate(all="ignore"):
            assert np.isnan(made(text, tg)(tg.tensor([[float("nan")]])).item()), text


def test_softmax_without_a_dim_warns_as_pytorch() -> None:
    """PyTorch's guess and PyTorch's warning."""
    for name in ("Softmax", "LogSoftmax", "Softmin"):
        for torch in (tg, framework("torch")):
            with pytest.warns(UserWarning, match="Implicit dimension choice"):
                result = getattr(torch.nn, name)()(torch.ones(2, 4))
            assert result.shape == (2, 4)


CLASSES = {name: value for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, Activation)}


@pytest.mark.parametrize("name", CLASSES)
def test_a_tensor_given_to_the_constructor_of_an_activation(name: str) -> None:
    """`nn.ReLU(x)` is meant to be `nn.ReLU()(x)`: the message says so."""
    with pytest.raises(TypeError, match=rf"f = nn.{name}\(\).*f\(x\)|missing 1 required") as caught:
        CLASSES[name](tg.ones(2))
    assert name == "Threshold" or "Make the layer first" in str(caught.value)


# -- layers ----------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(1)
LAYERS: dict[str, list[Any]] = {
    "Linear(3, 2)": [RNG.normal(size=(4, 3))],
    "Linear(3, 2, bias=False)": [RNG.normal(size=(2, 4, 3))],
    "Linear(3, 1)": [RNG.normal(size=(1, 3))],
    "Bilinear(3, 2, 4)": [RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))],
    "Bilinear(2, 2, 1, bias=False)": [RNG.normal(size=(2, 3, 2)), RNG.normal(size=(2, 3, 2))],
    "Embedding(5, 3)": [np.array([[0, 4], [4, 2]])],
    "Embedding(5, 3, padding_idx=2)": [np.array([0, 4, 4, 2])],
    "LayerNorm(3)": [RNG.normal(size=(4, 3))],
    "LayerNorm((2, 3), eps=0.1, bias=False)": [RNG.normal(size=(4, 2, 3))],
    "LayerNorm(3, elementwise_affine=False)": [RNG.normal(size=(3,))],
    "BatchNorm1d(3)": [RNG.normal(size=(4, 3))],
    "BatchNorm1d(2, eps=0.1, momentum=0.3)": [RNG.normal(size=(3, 2, 4))],
    "BatchNorm1d(3, momentum=None, bias=False)": [RNG.normal(size=(4, 3))],
    "BatchNorm1d(3).eval()": [RNG.normal(size=(4, 3))],
    "BatchNorm1d(3, affine=False, track_running_stats=False).eval()": [RNG.normal(size=(4, 3))],
    "PReLU(3)": [RNG.normal(size=(4, 3))],
    "PReLU(2)": [RNG.normal(size=(3, 2, 4))],
    "Flatten()": [RNG.normal(size=(2, 3, 2))],
    "Unflatten(1, (3, 2))": [RNG.normal(size=(2, 6))],
    "Dropout(0.3)": [RNG.normal(size=(4, 5))],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", LAYERS)
def test_layer_is_pytorchs(text: str, dtype: str) -> None:
    """Output, gradients of inputs and parameters, buffers; a second call too, since buffers moved."""
    found = []
    for m in (tg, framework("torch")):
        layer = made(text, m).to(getattr(m, dtype))
        m.manual_seed(4)
        found.append(results(layer, LAYERS[text], m, dtype) + results(layer, LAYERS[text], m, dtype))
    for a, b in zip(*found, strict=True):
        near = {"rtol": 1e-4, "atol": 2e-5} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-11}
        np.testing.assert_allclose(a, b, **near)


@pytest.mark.parametrize("text", [t for t in LAYERS if "Dropout" not in t and "padding" not in t])
def test_derivatives_of_a_layer(text: str) -> None:
    """First and second order, for inputs and parameters, against small differences."""
    layer = made(text, tg).double()
    with tg.no_grad():
        for p in layer.parameters():
            p.add_(tg.tensor(np.linspace(-0.3, 0.4, p.numel()).reshape(p.shape)))
    inputs = [leaf(a, tg) for a in LAYERS[text]]
    checked = tuple(t for t in (*inputs, *layer.parameters()) if t.requires_grad)
    if checked:
        assert gradcheck(lambda *_: layer(*inputs), checked)
        assert gradgradcheck(lambda *_: layer(*inputs), checked)


@given(rows=st.integers(1, 5), numbers=st.lists(st.integers(0, 5), max_size=8), padding=st.none() | st.integers(-6, 5))
def test_embedding_gradient_counts_the_readings(rows: int, numbers: list[int], padding: int | None) -> None:
    """∂/∂W of Σ y: each row as many times as it was read, the padding row never."""
    table = nn.Embedding(6, rows, padding_idx=padding)
    table(tg.tensor(numbers, dtype=tg.int64)).sum().backward()
    counts = np.bincount(np.array(numbers, np.int64), minlength=6)
    if padding is not None:
        counts[padding] = 0
    assert table.weight.grad.tolist() == [[float(c)] * rows for c in counts]


def test_layer_norm_and_batch_norm_bring_mean_0_and_variance_1() -> None:
    """Also where the values are large."""
    x = tg.tensor(RNG.normal(1e4, 100, (50, 8)))
    for y in (F.layer_norm(x, (8,)).T, F.batch_norm(x, None, None, training=True)):
        np.testing.assert_allclose(y.mean(0).numpy(), 0, atol=1e-9)
        np.testing.assert_allclose(y.var(0, correction=0).numpy(), 1, rtol=1e-6)


# -- misuse ----------------------------------------------------------------------------------------------------------------


def refused(kind: type[Exception], call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_the_message_says_what_to_write() -> None:
    """An input of the wrong width or dtype, class numbers where vectors belong, and so on."""
    layer, norm, table = nn.Linear(3, 2), nn.BatchNorm1d(3), nn.Embedding(10, 2)
    refused(RuntimeError, lambda: layer(tg.ones(4, 5)), "in_features=3", "input has 5")
    refused(RuntimeError, lambda: nn.Linear(3, 2, bias=False)(tg.ones(4, 5)), "in_features=3", "input has 5")
    refused(RuntimeError, lambda: layer(tg.ones(2, 28, 28)), "flatten")
    refused(RuntimeError, lambda: layer(tg.tensor([[1, 2, 3]])), "x.float()", "Embedding", "int64")
    refused(RuntimeError, lambda: layer(tg.ones(2, 3) > 0), "bool")
    refused(TypeError, lambda: layer(np.ones((2, 3))), "torch.tensor(x")
    refused(ValueError, lambda: norm(tg.ones(1, 3)), "drop_last", ".eval()")
    refused(IndexError, lambda: table(tg.tensor([3, 10])), "10", "numbered from 0")
    refused(RuntimeError, lambda: table(tg.tensor([1.0])), ".long()")
    refused(RuntimeError, lambda: nn.PReLU(3)(tg.ones(2, 2)), "parameter numbers = 3", "channel size = 2")
    refused(AssertionError, lambda: nn.Hardtanh(1, -1), "max_val must be larger than min_val")
    refused(RuntimeError, lambda: nn.CELU(0)(tg.ones(1)), "alpha cannot be 0")
    refused(RuntimeError, lambda: nn.Softshrink(-1)(tg.ones(1)), "greater or equal to 0")
    refused(RuntimeError, lambda: nn.GELU("sigmoid")(tg.ones(1)), "approximate argument must be either none or tanh")
    refused(TypeError, lambda: nn.ReLU(False, 3), "positional arguments")
    refused(TypeError, lambda: nn.Sigmoid(3), "takes 1 positional argument but 2 were given")
    refused(ValueError, lambda: nn.Bilinear(0, 1, 1), "in1_features must be > 0")
    refused(RuntimeError, lambda: nn.Linear(2, 2, device="cuda"), "cuda")


def test_an_uninitialised_parameter_is_not_counted_as_nothing() -> None:
    """`sum(p.numel() for p in net.parameters())` before the first call would be wrong, so it is an error."""
    weight = nn.LazyLinear(3).weight
    for use in (lambda: weight.numel(), lambda: weight.tolist(), lambda: len(weight), lambda: weight[0], lambda: weight * 2):
        with pytest.raises((ValueError, RuntimeError), match="uninitialized parameter"):
            use()
    weight.grad = None
    assert weight.grad is None and weight.is_leaf and weight.requires_grad and str(weight.dtype) == "float32"


def test_errors_leave_the_layer_as_it_was() -> None:
    """Running statistics, laziness and gradients are what they were before the refused call."""
    norm = nn.BatchNorm1d(3)
    for wrong in (tg.ones(1, 3), tg.ones(2, 4), tg.ones(3)):
        with pytest.raises((ValueError, RuntimeError)):
            norm(wrong)
    assert norm.running_mean.tolist() == [0, 0, 0] and norm.num_batches_tracked.item() == 0
    lazy: Any = nn.LazyLinear(2)
    for bad in (tg.tensor(1.0), tg.tensor([[1]]), [[1.0]]):
        with pytest.raises((RuntimeError, TypeError, IndexError)):
            lazy(bad)
        assert repr(lazy) == "LazyLinear(in_features=0, out_features=2, bias=True)"
        assert repr(lazy.weight) == "<UninitializedParameter>"
    assert type(pickle.loads(pickle.dumps(lazy)).weight) is nn.UninitializedParameter


def test_nothing_warns_where_pytorch_does_not() -> None:
    """Every activation on huge numbers, and the layers on ordinary ones."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in ACTIVATIONS:
            layer = made(text, tg)
            if getattr(layer, "dim", 0) is not None:
                x = tg.tensor([[-1e4, -1.0, 0.0, 1.0, 1e4]], requires_grad=True)
                layer(x * 1).sum().backward()
