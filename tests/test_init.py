"""`nn.init`: the first values of weights are PyTorch's, for the same seed; the formulas, errors and warnings too.

Each line of `EXACT` is run on PyTorch and on tinygrad_fr for 20 seeds, and compared bit by bit; `NEARLY` to some roundings.
`RECORDED` holds without PyTorch.
"""

from __future__ import annotations

import math
import re
import warnings
import zlib
from typing import Any

import numpy as np
import pytest

import tinygrad_fr
from tinygrad_fr.nn import init

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
SEEDS = [*range(16), 42, 1234, 2**32 - 1, 2**40 + 3]

# A weight, a small one, that of a convolution, and a vector; g is a generator.
SHAPES = {"w": (20, 30), "s": (2, 3), "c": (4, 3, 3, 3), "v": (5,)}
EXACT = """
uniform_(w) | uniform_(s, -1, 3) | uniform_(v, a=0.5, b=0.75) | uniform_(w.double(), -0.1, 0.1) | uniform_(w.half())
normal_(w) | normal_(s, 1, 0.5) | normal_(v, std=0.02) | normal_(w.half(), mean=3) | normal_(w, generator=g)
constant_(w, 0.3) | constant_(v, 2) | ones_(w) | zeros_(w) | ones_(w.half()) | eye_(w) | eye_(s) | eye_(s.t())
dirac_(c) | dirac_(c, 2) | dirac_(torch.ones(3, 5, 4)) | dirac_(torch.ones(5, 3, 2, 2, 3))
xavier_uniform_(w) | xavier_uniform_(s, gain=5 / 3) | xavier_uniform_(c, 2.0, generator=g)
xavier_normal_(w) | xavier_normal_(s, 0.5) | xavier_normal_(c) | xavier_normal_(w.t())
kaiming_uniform_(w) | kaiming_uniform_(w, a=math.sqrt(5)) | kaiming_uniform_(s, mode="fan_out", nonlinearity="relu")
kaiming_uniform_(c, 0.2, "fan_in", "leaky_relu") | kaiming_uniform_(w, nonlinearity="tanh", generator=g)
kaiming_normal_(w) | kaiming_normal_(c, mode="fan_out") | kaiming_normal_(s, nonlinearity="linear") | kaiming_normal_(w.half())
trunc_normal_(w) | trunc_normal_(w, std=0.02) | trunc_normal_(s, 1.0, 2.0, -1, 4) | trunc_normal_(w, a=-0.5, b=0.5)
trunc_normal_(w, a=1.5, b=2.5) | trunc_normal_(s, a=1, b=1.25) | trunc_normal_(w, 0.0, 1.0, -0.1, 0.3, generator=g)
trunc_normal_(w.t()) | trunc_normal_(w.t(), a=1, b=2) | trunc_normal_(w[:, ::2]) | trunc_normal_(w.half(), a=0, b=3)
sparse_(w, 0.5) | sparse_(s, sparsity=0.1, std=1) | sparse_(w, 0.9, generator=g)
"""
NEARLY = """
orthogonal_(w) | orthogonal_(w.t()) | orthogonal_(c, gain=2) | orthogonal_(w.double()) | orthogonal_(s, generator=g)
orthogonal_(torch.empty(6, 6)) | orthogonal_(torch.empty(1, 5)) | orthogonal_(torch.empty(0, 4))
normal_(w.double()) | xavier_normal_(w.double()) | kaiming_normal_(s.double()) | trunc_normal_(w.double())
"""


def expressions(text: str) -> list[str]:
    return [e for line in text.splitlines() if line for e in line.split(" | ")]


def evaluate(text: str, module: Any, seed: int = 0) -> tuple[Any, list[list[int]]]:
    """What `nn.init.<text>` gives, and the streams' next words."""
    names: dict[str, Any] = {"torch": module, "math": math}
    names |= {name: module.ones(*shape) for name, shape in SHAPES.items() if re.search(rf"\b{name}\b", text)}
    generators = [module.default_generator.manual_seed(seed)]
    if "=g" in text:
        names["g"] = module.Generator().manual_seed(7)
        generators.append(names["g"])
    value = eval(f"torch.nn.init.{text}", names)
    return value, [module.randint(2**31, (2,), generator=g).tolist() for g in generators]


def bits(array: Any) -> Any:
    """Floats as the integers that have the same bits, −0 as 0."""
    return np.ascontiguousarray(array + array.dtype.type(0)).view(f"i{array.itemsize}")


@needs_torch
@pytest.mark.parametrize("text", expressions(EXACT))
def test_the_first_values_are_pytorchs_bit_for_bit(text: str) -> None:
    exact = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")  # elsewhere PyTorch has other polynomials
    for seed in SEEDS:
        (ours, words), (theirs, their_words) = (evaluate(text, module, seed) for module in (tinygrad_fr, torch))
        assert words == their_words, f"seed {seed}: the streams have moved apart"
        mine, other = ours.numpy(), theirs.numpy()
        assert mine.dtype == other.dtype and mine.shape == other.shape
        if exact:
            assert np.array_equal(bits(mine), bits(other)), f"seed {seed}"
        else:
            np.testing.assert_allclose(mine, other, rtol=4 * np.finfo(other.dtype).eps, atol=1e-6)


@needs_torch
@pytest.mark.parametrize("text", expressions(NEARLY))
def test_the_first_values_are_pytorchs_to_rounding(text: str) -> None:
    """LAPACK's QR of the same numbers, and float64 by NumPy's own logarithm and sine."""
    for seed in SEEDS:
        (ours, words), (theirs, their_words) = (evaluate(text, module, seed) for module in (tinygrad_fr, torch))
        assert words == their_words
        tolerance = 100 * np.finfo(ours.dtype).eps if "orthogonal" in text else 8e-16
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=tolerance, atol=tolerance)


@needs_torch
def test_the_layers_of_a_network_are_pytorchs() -> None:
    """`manual_seed(0); Linear(784, 20)` gives PyTorch's own weights: weight, then bias, of each layer in turn."""
    for seed in SEEDS:
        values = []
        for module in (tinygrad_fr, torch):
            module.manual_seed(seed)
            layers = module.nn.Sequential(module.nn.Linear(784, 20), module.nn.ReLU(), module.nn.Linear(20, 10))
            values.append([bits(p.detach().numpy()) for p in layers.parameters()])
        for ours, theirs in zip(*values, strict=True):
            assert np.array_equal(ours, theirs)


# (expression, checksum of the bytes for seed 0, first values), from PyTorch 2.13 on x86.
RECORDED: list[tuple[str, int, list[float]]] = [
    ("uniform_(s, -1, 3)", 1923044940, [0.9850263595581055, 2.0728871822357178, -0.6460902690887451]),
    ("normal_(w)", 1785312181, [-1.1258398294448853, -1.152360200881958, -0.2505785822868347]),
    ("xavier_uniform_(w)", 2903717527, [-0.002593510551378131, 0.1858295053243637, -0.2851111888885498]),
    ("xavier_normal_(w)", 3581291256, [-0.22516797482967377, -0.23047204315662384, -0.050115715712308884]),
    ("kaiming_uniform_(w, a=math.sqrt(5))", 2680740911, [-0.001366900047287345, 0.09794075042009354, -0.15026679635047913]),
    ("kaiming_normal_(c, mode='fan_out')", 3980917561, [-0.26536300778388977, -0.2716138958930969, -0.059061937034130096]),
    ("trunc_normal_(w)", 767175231, [-1.1258398294448853, -1.152360200881958, -0.2505785822868347]),
    ("trunc_normal_(w, a=-0.5, b=0.5)", 1521807129, [-0.4854259788990021, -0.1503330022096634, -0.2505785822868347]),
    ("trunc_normal_(w, a=1.5, b=2.5)", 2796970957, [1.9962565898895264, 1.8406261205673218, 1.588477373123169]),
    ("sparse_(w, 0.5)", 3474944663, [-0.011258398182690144, 0.0, 0.0]),
    ("kaiming_uniform_(w.double())", 4086228416, [0.4204281860269137, 0.18587973754908577, -0.036329000085197946]),
]


@pytest.mark.parametrize(("text", "checksum", "first"), RECORDED, ids=[text for text, *_ in RECORDED])
def test_the_first_values_are_those_recorded(text: str, checksum: int, first: list[float]) -> None:
    array = evaluate(text, tinygrad_fr)[0].numpy()
    assert array.reshape(-1)[:3].tolist() == first
    assert zlib.crc32(np.ascontiguousarray(array + array.dtype.type(0)).tobytes()) == checksum


def test_the_first_layer_is_the_one_recorded() -> None:
    """PyTorch's own `torch.manual_seed(0); torch.nn.Linear(784, 20)`."""
    tinygrad_fr.manual_seed(0)
    weight = init.kaiming_uniform_(tinygrad_fr.empty(20, 784), a=math.sqrt(5))
    bias = init.uniform_(tinygrad_fr.empty(20), -1 / 28, 1 / 28)
    assert zlib.crc32(weight.numpy().tobytes()) == 1247514464 and zlib.crc32(bias.numpy().tobytes()) == 547313723


def test_the_spread_is_that_of_the_formula() -> None:
    """Standard deviations of 300 000 numbers, against fan-in 500 and fan-out 600."""
    tinygrad_fr.manual_seed(0)
    w = tinygrad_fr.empty(600, 500)
    for call, std in (
        (init.xavier_uniform_, math.sqrt(2 / 1100)),
        (init.xavier_normal_, math.sqrt(2 / 1100)),
        (init.kaiming_uniform_, math.sqrt(2 / 500)),
        (init.kaiming_normal_, math.sqrt(2 / 500)),
        (lambda t: init.kaiming_normal_(t, mode="fan_out"), math.sqrt(2 / 600)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), 1 / math.sqrt(3 * 500)),
    ):
        assert call(w).numpy().std() == pytest.approx(std, rel=0.01)
    values = init.trunc_normal_(w, a=-1, b=2).numpy()
    assert values.min() >= -1 and values.max() <= 2 and values.mean() == pytest.approx(0.2296, abs=0.01)
    tail = init.trunc_normal_(w, a=1, b=2).numpy()  # mean of a normal number between 1 and 2: 1.3831
    assert tail.min() >= 1 and tail.max() <= 2 and tail.mean() == pytest.approx(1.3831, abs=0.003)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 4)])
def test_orthogonal_is_orthogonal(shape: tuple[int, ...]) -> None:
    w = init.orthogonal_(tinygrad_fr.empty(*shape), gain=3).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 9 * np.eye(len(product)), atol=1e-5)


def test_orthogonal_is_the_one_recorded() -> None:
    tinygrad_fr.manual_seed(0)
    expected = [[0.5774399042129517, 0.8164330720901489], [-0.8164330720901489, 0.5774400234222412]]  # PyTorch 2.13
    np.testing.assert_allclose(init.orthogonal_(tinygrad_fr.empty(2, 2)).numpy(), expected, rtol=1e-6)


def test_sparse_has_its_share_of_zeros_in_each_column() -> None:
    w = init.sparse_(tinygrad_fr.empty(10, 7), sparsity=0.25).numpy()
    assert ((w == 0).sum(0) == 3).all()  # of 10, a quarter, rounded up


def test_calculate_gain() -> None:
    assert [init.calculate_gain(name) for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid")] == [1, 1, 1, 1]
    assert init.calculate_gain("tanh") == 5 / 3 and init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("selu") == 3 / 4 and init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 0.01**2))
    assert init._calculate_fan_in_and_fan_out(tinygrad_fr.empty(5, 3, 2, 2)) == (12, 20)


@pytest.mark.parametrize("text", [e for e in expressions(EXACT + NEARLY) if re.search(r"_\(w[,)]", e)])
def test_a_parameter_is_filled_without_a_gradient(text: str) -> None:
    """The tensor itself is returned, still a leaf that requires grad; a graph that kept its old value is told."""
    w = tinygrad_fr.ones(20, 30, requires_grad=True)
    loss = (w * w).sum()
    names = {"w": w, "init": init, "math": math, "g": None}
    assert eval(f"init.{text}", names) is w and w.requires_grad and w.is_leaf
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    assert tinygrad_fr.is_grad_enabled()


ERRORS: list[tuple[str, type[Exception], str]] = [
    ("xavier_uniform_(v)", ValueError, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"),
    ("kaiming_normal_(v)", ValueError, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"),
    ("kaiming_uniform_(w, mode='fan')", ValueError, "Mode fan not supported, please use one of ['fan_in', 'fan_out']"),
    ("kaiming_uniform_(w, nonlinearity='gelu')", ValueError, "Unsupported nonlinearity gelu"),
    ("calculate_gain('leaky_relu', True)", ValueError, "negative_slope True not a valid number"),
    ("calculate_gain('leaky_relu', 'a')", ValueError, "negative_slope a not a valid number"),
    ("calculate_gain('softmax')", ValueError, "Unsupported nonlinearity softmax"),
    ("eye_(v)", ValueError, "Only tensors with 2 dimensions are supported"),
    ("sparse_(c, 0.1)", ValueError, "Only tensors with 2 dimensions are supported"),
    ("orthogonal_(v)", ValueError, "Only tensors with 2 or more dimensions are supported"),
    ("dirac_(w)", ValueError, "Only tensors with 3, 4, or 5 dimensions are supported"),
    ("dirac_(c, 3)", ValueError, "dim 0 must be divisible by groups"),
    ("normal_(w, 0, -1)", RuntimeError, "normal expects std >= 0.0, but found std -1"),
    ("uniform_(w, 2, 1)", RuntimeError, "uniform_ expects to return a [from, to) range, but found from=2"),
    ("trunc_normal_(w, a=2, b=1)", RuntimeError, "uniform_ expects to return a [from, to) range, but found from=2"),
    ("uniform_(w.long())", NotImplementedError, '"check_uniform_bounds" not implemented for'),
]


@pytest.mark.parametrize(("text", "kind", "words"), ERRORS, ids=[text for text, *_ in ERRORS])
def test_an_error_says_what_is_wrong_and_changes_nothing(text: str, kind: type[Exception], words: str) -> None:
    for module in (tinygrad_fr, torch):
        if module is not None:
            with pytest.raises(kind, match="^" + re.escape(words)):
                evaluate(text, module)
    w, v = tinygrad_fr.ones(20, 30), tinygrad_fr.ones(5)
    tinygrad_fr.manual_seed(0)
    state = tinygrad_fr.get_rng_state().tolist()
    with pytest.raises(kind):
        eval(f"init.{text}", {"init": init, "w": w, "v": v, "c": tinygrad_fr.ones(4, 3, 3, 3)})
    assert w.numpy().min() == w.numpy().max() == 1 and tinygrad_fr.get_rng_state().tolist() == state


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kaiming_uniform_(torch.empty(0, 3))", "Initializing zero-element tensors is a no-op"),
        ("kaiming_normal_(torch.empty(3, 0))", "Initializing zero-element tensors is a no-op"),
        ("trunc_normal_(w, mean=5)", "mean is more than 2 std from [a, b] in nn.init.trunc_normal_."),
    ],
)
def test_warnings(text: str, words: str) -> None:
    for module in (tinygrad_fr, torch):
        if module is not None:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                evaluate(text, module)
            assert len(heard) == 1 and str(heard[0].message).startswith(words)
    assert heard[0].category is UserWarning
