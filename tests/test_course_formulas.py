"""Every formula of the five course documents (S0 to S4), proved on the automatic gradient.

Each test is named after the document it comes from. It draws a small problem (random shapes, random values),
lets the framework differentiate it, and compares with the course's formula written by hand in NumPy, in the
course's own notation. A batch of m samples is one matrix: rows are samples in S0, columns in S1, S3, S4.

`dA`, `dZ`, `dW`, `db` name the derivative of the cost with respect to `A`, `Z`, `W`, `b`, as S4 does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import tinygrad_fr as tg

F = tg.nn.functional

Array = NDArray[np.float64]

# ------------------------------------------------------------------------------------------------------------
# Tools: what is drawn, and what "equal" means
# ------------------------------------------------------------------------------------------------------------

prop = settings(max_examples=30, deadline=None)

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)
numbers = st.floats(-3.0, 3.0, allow_subnormal=False)
zero_or_one = st.sampled_from([0.0, 1.0])
# ReLU and Leaky ReLU have no derivative at 0: stay away from that kink.
numbers_off_the_kink = st.one_of(st.floats(-3.0, -0.01), st.floats(0.01, 3.0))


def matrices(
    rows: int, columns: int, elements: st.SearchStrategy[float] = numbers
) -> st.SearchStrategy[Array]:
    """Float64 matrices of one shape."""
    return hnp.arrays(np.float64, (rows, columns), elements=elements)


def leaf(values: Any) -> tg.Tensor:
    """A float64 tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)


def value(tensor: tg.Tensor | None) -> Array:
    """What a tensor, or a gradient that must have arrived, holds."""
    assert tensor is not None, "no gradient arrived"
    return np.asarray(tensor.detach().numpy())


def same(automatic: tg.Tensor | None, by_hand: Any) -> None:
    """The framework's result is the formula's: shape, dtype, and value up to the rounding of float64."""
    got = value(automatic)
    assert got.dtype == np.float64
    assert got.shape == np.shape(by_hand)
    np.testing.assert_allclose(got, by_hand, rtol=1e-10, atol=1e-13)


def gradients(cost: tg.Tensor, tensors: Sequence[tg.Tensor], how: str) -> list[tg.Tensor | None]:
    """∂cost/∂tensor for parameters and intermediate values alike, by either way the API offers."""
    if how == "retain_grad":
        for tensor in tensors:
            tensor.retain_grad()
        cost.backward()
        return [tensor.grad for tensor in tensors]
    return list(tg.autograd.grad(cost, tensors))


def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + e^(−x))."""
    return 1 / (1 + np.exp(-x))


@dataclass(frozen=True)
class Activation:
    """An activation: the framework's, the course's, and the course's derivative from z and a = σ(z)."""

    auto: Callable[[tg.Tensor], tg.Tensor]
    hand: Callable[[Array], Array]
    prime: Callable[[Array, Array], Array]


LEAK = 0.01

ACTIVATIONS = {
    "sigmoid": Activation(tg.sigmoid, sigmoid, lambda z, a: a * (1 - a)),
    "tanh": Activation(tg.tanh, np.tanh, lambda z, a: 1 - a**2),
    "relu": Activation(tg.relu, lambda z: np.maximum(z, 0.0), lambda z, a: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": Activation(
        lambda z: F.leaky_relu(z, LEAK),
        lambda z: np.where(z > 0, z, LEAK * z),
        lambda z, a: np.where(z > 0, 1.0, LEAK),
    ),
}
each_activation = pytest.mark.parametrize("name", list(ACTIVATIONS))


# ------------------------------------------------------------------------------------------------------------
# S0: the fully connected layer, the activation layer, the mean squared error. Rows are samples.
# ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FullyConnected:
    """X (n, i), W (i, j), B (1, j), and the ∂E/∂Y (n, j) that the next layer hands back."""

    X: Array
    W: Array
    B: Array
    dE_dY: Array

    def differentiated(self) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
        """X, W, B as tensors, after Y = X W + B has been given its ∂E/∂Y."""
        X, W, B = leaf(self.X), leaf(self.W), leaf(self.B)
        Y = X @ W + B
        Y.backward(tg.tensor(self.dE_dY))
        return X, W, B


@st.composite
def fully_connected(draw: st.DrawFn, samples: st.SearchStrategy[int] = sizes) -> FullyConnected:
    """A layer of any small size, with any values."""
    n, i, j = draw(samples), draw(sizes), draw(sizes)
    return FullyConnected(
        draw(matrices(n, i)), draw(matrices(i, j)), draw(matrices(1, j)), draw(matrices(n, j))
    )


@prop
@given(fully_connected())
def test_S0_fc_forward(fc: FullyConnected) -> None:
    """Y = X W + B; `F.linear` is the same layer with its weight stored transposed, (out, in)."""
    Y = fc.X @ fc.W + fc.B
    same(tg.tensor(fc.X) @ tg.tensor(fc.W) + tg.tensor(fc.B), Y)
    same(F.linear(tg.tensor(fc.X), tg.tensor(fc.W).T, tg.tensor(fc.B[0])), Y)


@prop
@given(fully_connected())
def test_S0_fc_input_gradient(fc: FullyConnected) -> None:
    """∂E/∂X = ∂E/∂Y Wᵗ."""
    X, _, _ = fc.differentiated()
    same(X.grad, fc.dE_dY @ fc.W.T)


@prop
@given(fully_connected())
def test_S0_fc_weight_gradient(fc: FullyConnected) -> None:
    """∂E/∂W = Xᵗ ∂E/∂Y."""
    _, W, _ = fc.differentiated()
    same(W.grad, fc.X.T @ fc.dE_dY)


@prop
@given(fully_connected(samples=st.just(1)))
def test_S0_fc_bias_gradient_of_one_sample(fc: FullyConnected) -> None:
    """∂E/∂B = ∂E/∂Y when the layer sees one sample, as in the course."""
    _, _, B = fc.differentiated()
    same(B.grad, fc.dE_dY)


@prop
@given(fully_connected())
def test_S0_fc_bias_gradient_of_a_batch(fc: FullyConnected) -> None:
    """∂E/∂B = Σ over the rows of ∂E/∂Y: B was copied to every row, so every row sends its share back."""
    _, _, B = fc.differentiated()
    same(B.grad, fc.dE_dY.sum(axis=0, keepdims=True))


@prop
@given(fully_connected())
def test_S0_fc_gradients_through_linear(fc: FullyConnected) -> None:
    """The three formulas again through `F.linear`, whose weight is Wᵗ: its gradient is (Xᵗ ∂E/∂Y)ᵗ."""
    X, Wt, B = leaf(fc.X), leaf(fc.W.T), leaf(fc.B[0])
    F.linear(X, Wt, B).backward(tg.tensor(fc.dE_dY))
    same(X.grad, fc.dE_dY @ fc.W.T)
    same(Wt.grad, (fc.X.T @ fc.dE_dY).T)
    same(B.grad, fc.dE_dY.sum(axis=0))


@prop
@given(fully_connected())
def test_S0_seeding_backward_is_weighting_the_output(fc: FullyConnected) -> None:
    """Handing ∂E/∂Y to a layer is differentiating E = Σ Y ⊙ ∂E/∂Y: two starts, one result."""
    X, W, B = fc.differentiated()
    X2, W2, B2 = leaf(fc.X), leaf(fc.W), leaf(fc.B)
    ((X2 @ W2 + B2) * tg.tensor(fc.dE_dY)).sum().backward()
    for given_seed, weighted_sum in ((X, X2), (W, W2), (B, B2)):
        same(given_seed.grad, value(weighted_sum.grad))


@each_activation
@prop
@given(data=st.data())
def test_S0_activation_input_gradient(name: str, data: st.DataObject) -> None:
    """∂E/∂X = f′(X) ⊙ ∂E/∂Y, for each activation function of the course."""
    f = ACTIVATIONS[name]
    n, i = data.draw(sizes), data.draw(sizes)
    x, dE_dY = data.draw(matrices(n, i, numbers_off_the_kink)), data.draw(matrices(n, i))
    X = leaf(x)
    Y = f.auto(X)
    Y.backward(tg.tensor(dE_dY))
    same(Y, f.hand(x))
    same(X.grad, f.prime(x, f.hand(x)) * dE_dY)


@prop
@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=numbers))
def test_S0_tanh_prime(x: Array) -> None:
    """tanh′(x) = 1 − tanh²(x)."""
    X = leaf(x)
    tg.tanh(X).sum().backward()
    same(X.grad, 1 - np.tanh(x) ** 2)


@pytest.mark.parametrize("written", ["composed", "F.mse_loss"])
@prop
@given(data=st.data())
def test_S0_mse_and_its_gradient(written: str, data: st.DataObject) -> None:
    """E = mean((y* − y)²) and ∂E/∂Y = (2/n)(Y − Y*)."""
    rows, columns = data.draw(sizes), data.draw(sizes)
    y_pred, y_true = data.draw(matrices(rows, columns)), data.draw(matrices(rows, columns))
    Y, Y_star = leaf(y_pred), tg.tensor(y_true)
    E = ((Y_star - Y) ** 2).mean() if written == "composed" else F.mse_loss(Y, Y_star)
    E.backward()
    same(E, np.mean(np.power(y_true - y_pred, 2)))
    same(Y.grad, 2 * (y_pred - y_true) / y_true.size)


# ------------------------------------------------------------------------------------------------------------
# S1: a network of L layers. Columns are samples.
# ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A network of L layers and its data. W[l], b[l] are numbered from 1, as in the course; A[0] is X."""

    hidden: str
    output: str
    X: Array
    y: Array
    W: dict[int, Array]
    b: dict[int, Array]

    @property
    def L(self) -> int:
        """How many layers."""
        return len(self.W)

    def by_hand(self) -> SimpleNamespace:
        """S1's forward pass and its table of gradients in NumPy: no automatic gradient here."""
        W, b, y, L, sigma = self.W, self.b, self.y, self.L, ACTIVATIONS[self.hidden]

        A, Z = {0: self.X}, {}  # A[0] = X
        for k in range(1, L + 1):
            Z[k] = W[k] @ A[k - 1] + b[k]  # Z[l] = W[l] A[l−1] + b[l]
            A[k] = sigma.hand(Z[k])  # A[l] = σ(Z[l])
        if self.output == "sigmoid":
            A[L] = sigmoid(Z[L])
            cost = np.sum(-y * np.log(A[L]) - (1 - y) * np.log(1 - A[L]))  # C = −y log ŷ − (1−y) log(1−ŷ)
            dA = -y / A[L] + (1 - y) / (1 - A[L])  # ∂C/∂A[L] = −y/A[L] + (1−y)/(1−A[L])
        else:
            e = np.exp(Z[L] - Z[L].max(axis=0))
            A[L] = e / e.sum(axis=0)  # aᵢ = e^(zᵢ) / Σ e^(zₖ)
            cost = np.sum(-y * np.log(A[L]))  # C = −Σ yᵢ log aᵢ
            dA = -y / A[L]

        dZ = {L: A[L] - y}  # ∂C/∂Z[L] = A[L] − y
        for k in range(L - 1, 0, -1):
            # ∂C/∂Z[l] = (W[l+1]ᵗ ∂C/∂Z[l+1]) ⊙ σ′(Z[l])
            dZ[k] = (W[k + 1].T @ dZ[k + 1]) * sigma.prime(Z[k], A[k])
        # ∂C/∂W[l] = ∂C/∂Z[l] A[l−1]ᵗ
        dW = {k: dZ[k] @ A[k - 1].T for k in dZ}
        # ∂C/∂b[l] = ∂C/∂Z[l] for one sample; b[l] is copied to each of several samples: their shares add up
        db = {k: dZ[k].sum(axis=1, keepdims=True) for k in dZ}
        return SimpleNamespace(Z=Z, A=A, C=cost, dA_last=dA, dZ=dZ, dW=dW, db=db)

    def automatic(self, how: str = "retain_grad") -> SimpleNamespace:
        """The same network in the framework: only the forward pass is written."""
        W, b = {k: leaf(w) for k, w in self.W.items()}, {k: leaf(v) for k, v in self.b.items()}
        y, L = tg.tensor(self.y), self.L
        A, Z = {0: tg.tensor(self.X)}, {}
        for k in range(1, L + 1):
            Z[k] = W[k] @ A[k - 1] + b[k]
            if k < L:
                A[k] = ACTIVATIONS[self.hidden].auto(Z[k])
        if self.output == "sigmoid":
            A[L] = tg.sigmoid(Z[L])
            C = (-y * tg.log(A[L]) - (1 - y) * tg.log(1 - A[L])).sum()
        else:
            A[L] = tg.softmax(Z[L], dim=0)
            C = (-y * tg.log(A[L])).sum()
        layers = range(1, L + 1)
        found = gradients(C, [t[k] for t in (Z, W, b) for k in layers] + [A[L]], how)
        dZ, dW, db = (dict(zip(layers, found[i * L : (i + 1) * L], strict=True)) for i in range(3))
        return SimpleNamespace(Z=Z, A=A, W=W, b=b, C=C, dA_last=found[-1], dZ=dZ, dW=dW, db=db)


@st.composite
def networks(
    draw: st.DrawFn, hidden: str, output: str, samples: st.SearchStrategy[int] = sizes, min_layers: int = 1
) -> Network:
    """A network of random depth and widths with random weights, and labels that suit its output."""
    L, m = draw(st.integers(min_layers, 5)), draw(samples)
    widths = [draw(sizes) for _ in range(L)] + [draw(st.integers(1 if output == "sigmoid" else 2, 4))]
    random = np.random.default_rng(draw(seeds))
    W = {k: random.normal(size=(widths[k], widths[k - 1])) / np.sqrt(widths[k - 1]) for k in range(1, L + 1)}
    b = {k: random.normal(size=(widths[k], 1)) for k in range(1, L + 1)}
    if output == "sigmoid":
        y = random.integers(0, 2, size=(widths[L], m)).astype(np.float64)
    else:
        # one column per sample, a single 1 in each
        y = np.eye(widths[L])[:, random.integers(0, widths[L], size=m)]
    net = Network(hidden, output, random.normal(size=(widths[0], m)), y, W, b)
    Z = net.by_hand().Z
    assume(all(np.abs(z).min() > 1e-6 for z in Z.values()))  # off the kink of ReLU
    assume(np.abs(Z[L]).max() < 8)  # off the plateau, where 1 − ŷ would lose its digits
    return net


def each_network(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on random networks: four activations for the hidden layers, two kinds of output."""
    test = settings(max_examples=15, deadline=None)(given(data=st.data())(test))
    test = pytest.mark.parametrize("hidden", list(ACTIVATIONS))(test)
    both: Callable[..., None] = pytest.mark.parametrize("output", ["sigmoid", "softmax"])(test)
    return both


@each_network
def test_S1_forward(hidden: str, output: str, data: st.DataObject) -> None:
    """Z[l] = W[l] A[l−1] + b[l], A[l] = σ(Z[l]), A[0] = X, and the cost C."""
    net = data.draw(networks(hidden, output))
    course, auto = net.by_hand(), net.automatic()
    for k in range(1, net.L + 1):
        same(auto.Z[k], course.Z[k])
        same(auto.A[k], course.A[k])
    same(auto.C, course.C)


@each_network
def test_S1_cost_gradient_of_the_prediction(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂A[L] = −y/A[L] + (1−y)/(1−A[L]) for binary cross-entropy (−y/A[L] with softmax)."""
    net = data.draw(networks(hidden, output))
    same(net.automatic().dA_last, net.by_hand().dA_last)


@each_network
def test_S1_output_delta_is_A_minus_y(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂Z[L] = A[L] − y: sigmoid with binary cross-entropy, softmax with cross-entropy alike."""
    net = data.draw(networks(hidden, output))
    auto = net.automatic()
    same(auto.dZ[net.L], net.by_hand().A[net.L] - net.y)


@each_network
def test_S1_hidden_delta_recursion(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂Z[l] = (W[l+1]ᵗ ∂C/∂Z[l+1]) ⊙ σ′(Z[l]), from the last hidden layer down to the first."""
    net = data.draw(networks(hidden, output, min_layers=2))
    course, auto = net.by_hand(), net.automatic()
    for k in range(1, net.L):
        same(auto.dZ[k], course.dZ[k])


@each_network
def test_S1_weight_gradient(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂W[l] = ∂C/∂Z[l] A[l−1]ᵗ, for every layer."""
    net = data.draw(networks(hidden, output))
    course, auto = net.by_hand(), net.automatic()
    for k in range(1, net.L + 1):
        same(auto.dW[k], course.dW[k])


@each_network
def test_S1_bias_gradient_of_one_sample(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂b[l] = ∂C/∂Z[l], for every layer, as the table says it for one sample."""
    net = data.draw(networks(hidden, output, samples=st.just(1)))
    course, auto = net.by_hand(), net.automatic()
    for k in range(1, net.L + 1):
        same(auto.db[k], course.dZ[k])


@each_network
def test_S1_bias_gradient_sums_over_samples(hidden: str, output: str, data: st.DataObject) -> None:
    """∂C/∂b[l] = Σ over the samples of ∂C/∂Z[l]: the reverse of the broadcast of b[l]."""
    net = data.draw(networks(hidden, output, samples=st.integers(2, 6)))
    course, auto = net.by_hand(), net.automatic()
    for k in range(1, net.L + 1):
        same(auto.db[k], course.dZ[k].sum(axis=1, keepdims=True))


@each_network
def test_S1_whole_table_by_autograd_grad(hidden: str, output: str, data: st.DataObject) -> None:
    """The whole table once more by `autograd.grad`, which returns it and leaves every `.grad` empty."""
    net = data.draw(networks(hidden, output))
    course, auto = net.by_hand(), net.automatic("autograd.grad")
    same(auto.dA_last, course.dA_last)
    for k in range(1, net.L + 1):
        same(auto.dZ[k], course.dZ[k])
        same(auto.dW[k], course.dW[k])
        same(auto.db[k], course.db[k])
        assert auto.W[k].grad is None and auto.b[k].grad is None


@each_network
def test_S1_gradient_descent_update(hidden: str, output: str, data: st.DataObject) -> None:
    """W ← W − η ∂C/∂W and b ← b − η ∂C/∂b, in place, outside the graph."""
    net = data.draw(networks(hidden, output))
    eta = data.draw(st.floats(0.001, 1.0))
    course, auto = net.by_hand(), net.automatic()
    with tg.no_grad():
        for k in range(1, net.L + 1):
            auto.W[k] -= eta * auto.W[k].grad
            auto.b[k] -= eta * auto.b[k].grad
    for k in range(1, net.L + 1):
        same(auto.W[k], net.W[k] - eta * course.dW[k])
        same(auto.b[k], net.b[k] - eta * course.db[k])
        assert auto.W[k].requires_grad and auto.W[k].is_leaf


probabilities = st.floats(0.001, 0.999)


@pytest.mark.parametrize("written", ["composed", "F.binary_cross_entropy"])
@prop
@given(data=st.data())
def test_S1_binary_cross_entropy_gradient(written: str, data: st.DataObject) -> None:
    """C = −y log ŷ − (1−y) log(1−ŷ) has ∂C/∂ŷ = −y/ŷ + (1−y)/(1−ŷ), for any prediction and any label."""
    k, m = data.draw(sizes), data.draw(sizes)
    y_hat = data.draw(matrices(k, m, probabilities))
    y = data.draw(matrices(k, m, st.one_of(zero_or_one, probabilities)))
    A, Y = leaf(y_hat), tg.tensor(y)
    if written == "composed":
        C = (-Y * tg.log(A) - (1 - Y) * tg.log(1 - A)).sum()
    else:
        C = F.binary_cross_entropy(A, Y, reduction="sum")
    C.backward()
    same(C, np.sum(-y * np.log(y_hat) - (1 - y) * np.log(1 - y_hat)))
    same(A.grad, -y / y_hat + (1 - y) / (1 - y_hat))


@prop
@given(data=st.data())
def test_S1_sigmoid_with_binary_cross_entropy_gives_A_minus_y(data: st.DataObject) -> None:
    """∂C/∂Z = A − y through `F.binary_cross_entropy`; by its default mean over the n values, (A − y)/n."""
    k, m = data.draw(sizes), data.draw(sizes)
    z, y = data.draw(matrices(k, m)), data.draw(matrices(k, m, zero_or_one))
    for reduction, n in (("sum", 1), ("mean", k * m)):
        Z = leaf(z)
        F.binary_cross_entropy(tg.sigmoid(Z), tg.tensor(y), reduction=reduction).backward()
        same(Z.grad, (sigmoid(z) - y) / n)


def softmax(z: Array) -> Array:
    """aᵢ = e^(zᵢ − max z) / Σ e^(zₖ − max z), over the rows of a matrix or over a vector."""
    e = np.exp(z - z.max(axis=0))
    return np.asarray(e / e.sum(axis=0))


@prop
@given(data=st.data())
def test_S1_softmax_is_a_probability(data: st.DataObject) -> None:
    """aᵢ = e^(zᵢ) / Σ e^(zₖ): positive, of sum 1 in each column, unchanged when a constant is added to z."""
    z = data.draw(matrices(data.draw(sizes), data.draw(sizes)))
    a = tg.softmax(tg.tensor(z), dim=0)
    same(a, np.exp(z) / np.exp(z).sum(axis=0))
    assert (value(a) > 0).all()
    same(a.sum(dim=0), np.ones(z.shape[1]))
    same(tg.softmax(tg.tensor(z + 1000.0), dim=0), softmax(z + 1000.0))


@prop
@given(hnp.arrays(np.float64, st.integers(1, 6), elements=numbers))
def test_S1_softmax_jacobian(z: Array) -> None:
    """∂aᵢ/∂zᵢ = aᵢ(1 − aᵢ) and ∂aᵢ/∂zⱼ = −aᵢ aⱼ, one row of the Jacobian per output aᵢ."""
    Z = leaf(z)
    A = tg.softmax(Z, dim=0)
    a = softmax(z)
    for i in range(z.size):
        (row,) = tg.autograd.grad(A[i], Z, retain_graph=True)
        same(row, np.array([a[i] * (1 - a[i]) if i == j else -a[i] * a[j] for j in range(z.size)]))


@prop
@given(hnp.arrays(np.float64, st.integers(1, 6), elements=numbers), seeds)
def test_S1_softmax_written_with_exp(z: Array, seed: int) -> None:
    """Softmax composed of exp, sum and division, with `− max z` or without, has `tg.softmax`'s gradient.

    For a weighting v of the outputs the formula above gives Σᵢ vᵢ ∂aᵢ/∂zⱼ = aⱼ (vⱼ − Σᵢ vᵢ aᵢ).
    """
    v = np.random.default_rng(seed).normal(size=z.size)
    a = softmax(z)
    softmaxes: list[Callable[[tg.Tensor], tg.Tensor]] = [
        lambda Z: tg.softmax(Z, dim=0),
        lambda Z: tg.exp(Z) / tg.exp(Z).sum(),
        lambda Z: tg.exp(Z - Z.max()) / tg.exp(Z - Z.max()).sum(),
    ]
    for written in softmaxes:
        Z = leaf(z)
        A = written(Z)
        (A * tg.tensor(v)).sum().backward()
        same(A, a)
        same(Z.grad, a * (v - v @ a))


@st.composite
def classifications(draw: st.DrawFn) -> tuple[Array, Array, NDArray[np.int64]]:
    """Scores z (classes, samples), one-hot y of the same shape, and the class number of each sample."""
    classes, m = draw(st.integers(2, 5)), draw(sizes)
    z = draw(matrices(classes, m))
    labels = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=m, max_size=m)), dtype=np.int64)
    return z, np.eye(classes)[:, labels], labels


@prop
@given(classifications())
def test_S1_softmax_cross_entropy_composed(problem: tuple[Array, Array, NDArray[np.int64]]) -> None:
    """C = −Σ y log a with a = softmax(z) has ∂C/∂Z = A − y: the Jacobian's terms collapse."""
    z, y, _ = problem
    Z = leaf(z)
    C = -(tg.tensor(y) * tg.log(tg.softmax(Z, dim=0))).sum()
    C.backward()
    same(C, -np.sum(y * np.log(softmax(z))))
    same(Z.grad, softmax(z) - y)


@prop
@given(classifications())
def test_S1_softmax_cross_entropy_by_class_number(problem: tuple[Array, Array, NDArray[np.int64]]) -> None:
    """The same A − y through `F.cross_entropy`: samples as rows, y as class numbers, mean over m."""
    z, y, labels = problem
    for reduction, n in (("sum", 1), ("mean", labels.size)):
        Z = leaf(z)
        C = F.cross_entropy(Z.T, tg.from_numpy(labels), reduction=reduction)
        C.backward()
        same(C, -np.sum(y * np.log(softmax(z))) / n)
        same(Z.grad, (softmax(z) - y) / n)


@prop
@given(classifications())
def test_S1_softmax_cross_entropy_by_one_hot_column(problem: tuple[Array, Array, NDArray[np.int64]]) -> None:
    """The same A − y through `F.cross_entropy` with the course's own y, a column per sample."""
    z, y, _ = problem
    Z = leaf(z)
    C = F.cross_entropy(Z.T, tg.tensor(y).T, reduction="sum")
    C.backward()
    same(C, -np.sum(y * np.log(softmax(z))))
    same(Z.grad, softmax(z) - y)


# S1, the four pathologies, each as what the formulas above make of it.


@settings(max_examples=15, deadline=None)
@given(depth=st.integers(2, 20), width=st.integers(2, 5), seed=seeds)
def test_S1_vanishing_gradient_of_a_sigmoid_stack(depth: int, width: int, seed: int) -> None:
    """σ′ ≤ 1/4, so the recursion shrinks the delta: ‖∂C/∂Z[1]‖ ≤ ‖∂C/∂Z[L]‖ Π ¼‖W[l]‖."""
    random = np.random.default_rng(seed)
    W = [random.uniform(-1, 1, size=(width, width)) / width for _ in range(depth)]  # each of norm at most 1
    A, Z = tg.tensor(random.normal(size=(width, 1))), []
    for w in W:
        Z.append(leaf(w) @ A)
        A = tg.sigmoid(Z[-1])
    first, last = (value(g) for g in tg.autograd.grad(A.sum(), [Z[0], Z[-1]]))
    bound = np.linalg.norm(last) * np.prod([np.linalg.norm(w, 2) / 4 for w in W[1:]])
    assert 0 < np.linalg.norm(first) <= bound * (1 + 1e-12)
    assert np.linalg.norm(first) <= np.linalg.norm(last) * 0.25 ** (depth - 1)


@prop
@given(data=st.data())
def test_S1_dead_relu_neuron_and_its_cure(data: st.DataObject) -> None:
    """A ReLU at 0 on every example receives exactly no gradient; a Leaky ReLU still receives its slope."""
    features, m = data.draw(sizes), data.draw(sizes)
    x, w = data.draw(matrices(features, m)), data.draw(matrices(1, features))
    bias = np.array([[-10.0 * features]])  # |w x| ≤ 9 features, so w x + b < 0 on every example
    expected = {"relu": np.zeros_like(w), "leaky_relu": LEAK * x.sum(axis=1)[None, :]}
    for name, dW in expected.items():
        W, b = leaf(w), leaf(bias)
        ACTIVATIONS[name].auto(W @ tg.tensor(x) + b).sum().backward()
        same(W.grad, dW)
        same(b.grad, np.array([[0.0 if name == "relu" else LEAK * m]]))


@prop
@given(depth=st.integers(1, 15), w=st.floats(2.0, 4.0), x=st.floats(0.1, 2.0))
def test_S1_exploding_gradient(depth: int, w: float, x: float) -> None:
    """Stacked ReLU layers of weight w > 1: ∂C/∂X = w^L, it grows with every layer."""
    X = leaf([[x]])
    A = X
    for _ in range(depth):
        A = tg.relu(tg.tensor([[w]], dtype=tg.float64) @ A)
    A.sum().backward()
    same(X.grad, np.array([[w**depth]]))


def test_S1_exploding_updates_end_in_nan() -> None:
    """Too large an η on such a stack: each update is larger than the last, then inf, then NaN."""
    w = leaf(3.0)
    sizes_of_updates = []
    with np.errstate(all="ignore"):  # NumPy would warn of the overflow, which is the point here
        for _ in range(12):
            C = (w * w * w * w - 1.0) ** 2
            C.backward()
            assert w.grad is not None
            with tg.no_grad():
                w -= 1.0 * w.grad
            sizes_of_updates.append(abs(float(value(w.grad))))
            w.grad = None
    finite = [u for u in sizes_of_updates if np.isfinite(u)]
    assert len(finite) >= 2 and finite == sorted(finite) and finite[-1] > 1e50
    assert np.isnan(value(w))


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
@prop
@given(data=st.data())
def test_S1_saturated_neuron(name: str, data: st.DataObject) -> None:
    """On the plateau of sigmoid or tanh the derivative is nothing: the weights no longer change."""
    plateau = st.one_of(st.floats(-500.0, -40.0), st.floats(40.0, 500.0))
    z = data.draw(matrices(data.draw(sizes), data.draw(sizes), plateau))
    Z = leaf(z)
    A = ACTIVATIONS[name].auto(Z)
    A.sum().backward()
    low = 0.0 if name == "sigmoid" else -1.0
    np.testing.assert_allclose(value(A), np.where(z > 0, 1.0, low), rtol=0, atol=1e-15)
    np.testing.assert_allclose(value(Z.grad), np.zeros_like(z), rtol=0, atol=1e-15)


# ------------------------------------------------------------------------------------------------------------
# S2: two inputs, two hidden neurons, one output, every weight a scalar with a name. One sample.
# ------------------------------------------------------------------------------------------------------------

WEIGHTS = ("w1", "w2", "w3", "w4", "w5", "w6", "b1", "b2", "b3")


@dataclass(frozen=True)
class Neurons:
    """The nine parameters by name, the input x = (x₁, x₂) and its true answer y."""

    p: dict[str, float]
    x: tuple[float, float]
    y: float

    def by_hand(self) -> SimpleNamespace:
        """The document's forward pass, in Python floats."""
        p, (x1, x2) = SimpleNamespace(**self.p), self.x
        sum_h1 = p.w1 * x1 + p.w2 * x2 + p.b1
        sum_h2 = p.w3 * x1 + p.w4 * x2 + p.b2
        h1, h2 = sigmoid(np.float64(sum_h1)), sigmoid(np.float64(sum_h2))
        sum_o1 = p.w5 * h1 + p.w6 * h2 + p.b3
        return SimpleNamespace(
            p=p, sum_h1=sum_h1, sum_h2=sum_h2, sum_o1=sum_o1, h1=h1, h2=h2, y_pred=sigmoid(sum_o1)
        )

    def automatic(self) -> SimpleNamespace:
        """The same in the framework, with the loss L = (y − ŷ)²."""
        t = {name: leaf(v) for name, v in self.p.items()}
        p, (x1, x2) = SimpleNamespace(**t), self.x
        h1 = tg.sigmoid(p.w1 * x1 + p.w2 * x2 + p.b1)
        h2 = tg.sigmoid(p.w3 * x1 + p.w4 * x2 + p.b2)
        y_pred = tg.sigmoid(p.w5 * h1 + p.w6 * h2 + p.b3)
        return SimpleNamespace(p=p, h1=h1, h2=h2, y_pred=y_pred, L=(self.y - y_pred) ** 2)


@st.composite
def neurons(draw: st.DrawFn, answers: st.SearchStrategy[float] = zero_or_one) -> Neurons:
    """Any weights, any input, a true answer of 0 or 1."""
    return Neurons({name: draw(numbers) for name in WEIGHTS}, (draw(numbers), draw(numbers)), draw(answers))


def sigmoid_prime(x: float) -> float:
    """σ′(x) = σ(x)(1 − σ(x))."""
    return float(sigmoid(np.float64(x)) * (1 - sigmoid(np.float64(x))))


@prop
@given(hnp.arrays(np.float64, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-10.0, 10.0)))
def test_S2_sigmoid_prime(x: Array) -> None:
    """σ(x) = 1/(1+e^(−x)) has σ′(x) = e^(−x)/(1+e^(−x))² = σ(x)(1 − σ(x))."""
    X = leaf(x)
    tg.sigmoid(X).sum().backward()
    same(X.grad, sigmoid(x) * (1 - sigmoid(x)))
    same(X.grad, np.exp(-x) / (1 + np.exp(-x)) ** 2)


@prop
@given(neurons(answers=st.just(1.0)))
def test_S2_loss_gradient_of_the_prediction(net: Neurons) -> None:
    """L = (1 − ŷ)² has ∂L/∂ŷ = −2(1 − ŷ)."""
    auto, hand = net.automatic(), net.by_hand()
    (dL_dy,) = tg.autograd.grad(auto.L, auto.y_pred)
    same(dL_dy, -2 * (1 - hand.y_pred))


@prop
@given(neurons())
def test_S2_prediction_gradient_of_h1(net: Neurons) -> None:
    """∂ŷ/∂h₁ = w₅ σ′(w₅h₁ + w₆h₂ + b₃)."""
    auto, hand = net.automatic(), net.by_hand()
    (dy_dh1,) = tg.autograd.grad(auto.y_pred, auto.h1)
    same(dy_dh1, hand.p.w5 * sigmoid_prime(hand.p.w5 * hand.h1 + hand.p.w6 * hand.h2 + hand.p.b3))


@prop
@given(neurons())
def test_S2_h1_gradient_of_w1(net: Neurons) -> None:
    """∂h₁/∂w₁ = x₁ σ′(w₁x₁ + w₂x₂ + b₁)."""
    auto, hand, (x1, x2) = net.automatic(), net.by_hand(), net.x
    (dh1_dw1,) = tg.autograd.grad(auto.h1, auto.p.w1)
    same(dh1_dw1, x1 * sigmoid_prime(hand.p.w1 * x1 + hand.p.w2 * x2 + hand.p.b1))


@prop
@given(neurons())
def test_S2_chain_rule(net: Neurons) -> None:
    """∂L/∂w₁ = ∂L/∂ŷ · ∂ŷ/∂h₁ · ∂h₁/∂w₁: the three factors from the framework multiply to its own ∂L/∂w₁."""
    auto = net.automatic()
    (dL_dy,) = tg.autograd.grad(auto.L, auto.y_pred, retain_graph=True)
    (dy_dh1,) = tg.autograd.grad(auto.y_pred, auto.h1, retain_graph=True)
    (dh1_dw1,) = tg.autograd.grad(auto.h1, auto.p.w1, retain_graph=True)
    auto.L.backward()
    same(auto.p.w1.grad, value(dL_dy) * value(dy_dh1) * value(dh1_dw1))


@prop
@given(neurons())
def test_S2_all_nine_partial_derivatives(net: Neurons) -> None:
    """∂L/∂w₁ … ∂L/∂b₃, line by line as in the document's `train`."""
    auto, h, (x1, x2) = net.automatic(), net.by_hand(), net.x
    auto.L.backward()

    d_L_d_ypred = -2 * (net.y - h.y_pred)
    d_ypred_d_h1 = h.p.w5 * sigmoid_prime(h.sum_o1)
    d_ypred_d_h2 = h.p.w6 * sigmoid_prime(h.sum_o1)
    by_hand = {
        "w1": d_L_d_ypred * d_ypred_d_h1 * x1 * sigmoid_prime(h.sum_h1),
        "w2": d_L_d_ypred * d_ypred_d_h1 * x2 * sigmoid_prime(h.sum_h1),
        "b1": d_L_d_ypred * d_ypred_d_h1 * sigmoid_prime(h.sum_h1),
        "w3": d_L_d_ypred * d_ypred_d_h2 * x1 * sigmoid_prime(h.sum_h2),
        "w4": d_L_d_ypred * d_ypred_d_h2 * x2 * sigmoid_prime(h.sum_h2),
        "b2": d_L_d_ypred * d_ypred_d_h2 * sigmoid_prime(h.sum_h2),
        "w5": d_L_d_ypred * h.h1 * sigmoid_prime(h.sum_o1),
        "w6": d_L_d_ypred * h.h2 * sigmoid_prime(h.sum_o1),
        "b3": d_L_d_ypred * sigmoid_prime(h.sum_o1),
    }
    for name in WEIGHTS:
        same(getattr(auto.p, name).grad, by_hand[name])


@prop
@given(neurons(), st.floats(0.001, 1.0))
def test_S2_sgd_update(net: Neurons, eta: float) -> None:
    """w ← w − η ∂L/∂w, for each of the nine scalars."""
    auto = net.automatic()
    auto.L.backward()
    for name in WEIGHTS:
        w = getattr(auto.p, name)
        with tg.no_grad():
            w -= eta * w.grad
        same(w, net.p[name] - eta * float(value(w.grad)))


# ------------------------------------------------------------------------------------------------------------
# S3: one image at a time, sigmoid twice. Its listing differs from gradient descent in one line.
# ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneImage:
    """An image (n, 1), its one-hot label (k, 1), and the four parameters named as in the listing."""

    img: Array
    label: Array
    w_i_h: Array
    b_i_h: Array
    w_h_o: Array
    b_h_o: Array


@st.composite
def images(draw: st.DrawFn) -> OneImage:
    """A small image, a label, and weights drawn as S3 draws them, uniform in (−0.5, 0.5)."""
    n, hidden, k = draw(st.integers(1, 9)), draw(sizes), draw(st.integers(2, 5))
    random = np.random.default_rng(draw(seeds))
    return OneImage(
        img=random.uniform(0, 1, (n, 1)),
        label=np.eye(k)[:, [draw(st.integers(0, k - 1))]],
        w_i_h=random.uniform(-0.5, 0.5, (hidden, n)),
        b_i_h=random.uniform(-0.5, 0.5, (hidden, 1)),
        w_h_o=random.uniform(-0.5, 0.5, (k, hidden)),
        b_h_o=random.uniform(-0.5, 0.5, (k, 1)),
    )


def image_gradients(p: OneImage, cost: str) -> tuple[SimpleNamespace, Array, Array]:
    """Differentiate one image's cost; the gradients of (o_pre, h_pre, w_h_o, w_i_h), then h and o by hand."""
    w_i_h, w_h_o, label = leaf(p.w_i_h), leaf(p.w_h_o), tg.tensor(p.label)
    h_pre = tg.tensor(p.b_i_h) + w_i_h @ tg.tensor(p.img)
    o_pre = tg.tensor(p.b_h_o) + w_h_o @ tg.sigmoid(h_pre)
    o = tg.sigmoid(o_pre)
    C = F.binary_cross_entropy(o, label, reduction="sum") if cost == "bce" else F.mse_loss(o, label)
    names = ("o_pre", "h_pre", "w_h_o", "w_i_h")
    found = dict(zip(names, gradients(C, [o_pre, h_pre, w_h_o, w_i_h], "retain_grad"), strict=True))
    h_hand = sigmoid(p.b_i_h + p.w_i_h @ p.img)
    return SimpleNamespace(**found), h_hand, sigmoid(p.b_h_o + p.w_h_o @ h_hand)


@prop
@given(images())
def test_S3_delta_o_is_the_gradient_of_the_cross_entropy(p: OneImage) -> None:
    """δₒ = o − l (line 26) is ∂C/∂o_pre for the binary cross-entropy, and ∂C/∂w_h_o = δₒ hᵗ."""
    auto, h, o = image_gradients(p, "bce")
    same(auto.o_pre, o - p.label)
    same(auto.w_h_o, (o - p.label) @ h.T)


@prop
@given(images())
def test_S3_delta_o_is_not_the_gradient_of_the_printed_error(p: OneImage) -> None:
    """The e of line 23, mean((o − l)²), would give δₒ = (2/n)(o − l) ⊙ o(1 − o): e is for display only."""
    auto, _, o = image_gradients(p, "mse")
    same(auto.o_pre, 2 / len(o) * (o - p.label) * o * (1 - o))


@prop
@given(images())
def test_S3_hidden_delta_before_the_update(p: OneImage) -> None:
    """δₕ = w_h_oᵗ δₒ ⊙ h(1 − h) and ∂C/∂w_i_h = δₕ imgᵗ, with the weights of the forward pass."""
    auto, h, o = image_gradients(p, "bce")
    delta_h = p.w_h_o.T @ (o - p.label) * (h * (1 - h))
    same(auto.h_pre, delta_h)
    same(auto.w_i_h, delta_h @ p.img.T)


@prop
@given(images(), st.floats(0.001, 1.0))
def test_S3_hidden_delta_of_the_listing(p: OneImage, eta: float) -> None:
    """Line 30 uses w_h_o after line 27 has updated it: its δₕ is the gradient minus η‖δₒ‖² h ⊙ h(1 − h).

    (w − η δₒ hᵗ)ᵗ δₒ = wᵗ δₒ − η ‖δₒ‖² h.
    """
    auto, h, o = image_gradients(p, "bce")
    delta_o = o - p.label
    updated = p.w_h_o - eta * delta_o @ h.T  # line 27
    delta_h = updated.T @ delta_o * (h * (1 - h))  # line 30
    same(auto.h_pre - tg.tensor(eta * np.sum(delta_o**2) * h * (h * (1 - h))), delta_h)
    assert np.abs(value(auto.h_pre) - delta_h).max() > 0


# ------------------------------------------------------------------------------------------------------------
# S4: two sigmoid layers, binary cross-entropy averaged over m samples. Columns are samples.
# ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TwoLayers:
    """X (n, m), Y (k, m) or (1, m), W1 (l, n), b1 (l, 1), W2 (k, l), b2 (k, 1)."""

    X: Array
    Y: Array
    W1: Array
    b1: Array
    W2: Array
    b2: Array

    def by_hand(self) -> SimpleNamespace:
        """The body of the document's `double_layer_model`."""
        X, Y, m = self.X, self.Y, self.X.shape[1]
        Z1 = self.W1 @ X + self.b1
        A1 = sigmoid(Z1)
        Z2 = self.W2 @ A1 + self.b2
        A2 = sigmoid(Z2)
        J = -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / m  # J = −(1/m) Σ[y log A2 + (1−y) log(1−A2)]

        dA2 = -(Y / A2 - (1 - Y) / (1 - A2)) / m  # dA2 = −(1/m)(y/A2 − (1−y)/(1−A2))
        dZ2 = dA2 * A2 * (1 - A2)  # dZ2 = dA2 ⊙ A2(1−A2)
        dW2 = dZ2 @ A1.T  # dW2 = dZ2 A1ᵗ
        db2 = np.sum(dZ2, axis=1, keepdims=True)  # db2 = sum of dZ2 over the samples
        dA1 = self.W2.T @ dZ2  # dA1 = W2ᵗ dZ2
        dZ1 = dA1 * A1 * (1 - A1)  # dZ1 = dA1 ⊙ A1(1−A1)
        dW1 = dZ1 @ X.T  # dW1 = dZ1 Xᵗ
        db1 = np.sum(dZ1, axis=1, keepdims=True)  # db1 = sum of dZ1 over the samples
        return SimpleNamespace(
            A2=A2, J=J, dA2=dA2, dZ2=dZ2, dW2=dW2, db2=db2, dA1=dA1, dZ1=dZ1, dW1=dW1, db1=db1
        )

    def automatic(self, how: str) -> SimpleNamespace:
        """The same in the framework: the forward pass and J, the rest is automatic."""
        X, Y, m = tg.tensor(self.X), tg.tensor(self.Y), self.X.shape[1]
        W1, b1, W2, b2 = leaf(self.W1), leaf(self.b1), leaf(self.W2), leaf(self.b2)
        Z1 = W1 @ X + b1
        A1 = tg.sigmoid(Z1)
        Z2 = W2 @ A1 + b2
        A2 = tg.sigmoid(Z2)
        J = -(Y * tg.log(A2) + (1 - Y) * tg.log(1 - A2)).sum() / m
        found = gradients(J, [A2, Z2, W2, b2, A1, Z1, W1, b1], how)
        names = ("dA2", "dZ2", "dW2", "db2", "dA1", "dZ1", "dW1", "db1")
        return SimpleNamespace(A2=A2, J=J, **dict(zip(names, found, strict=True)))


@st.composite
def two_layers(draw: st.DrawFn) -> TwoLayers:
    """Any small sizes; labels in one row per class, or one row for all (broadcast, as the document notes)."""
    n, hidden, k, m = draw(sizes), draw(sizes), draw(sizes), draw(st.integers(1, 7))
    rows = draw(st.sampled_from([k, 1]))
    random = np.random.default_rng(draw(seeds))
    return TwoLayers(
        X=random.normal(size=(n, m)),
        Y=random.integers(0, 2, size=(rows, m)).astype(np.float64),
        W1=random.uniform(-1, 1, size=(hidden, n)),
        b1=random.uniform(-1, 1, size=(hidden, 1)),
        W2=random.uniform(-1, 1, size=(k, hidden)),
        b2=random.uniform(-1, 1, size=(k, 1)),
    )


def each_two_layers(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on random two-layer models, with both ways to an intermediate value's gradient."""
    test = prop(given(model=two_layers())(test))
    both: Callable[..., None] = pytest.mark.parametrize("how", ["retain_grad", "autograd.grad"])(test)
    return both


@each_two_layers
def test_S4_J(how: str, model: TwoLayers) -> None:
    """J = −(1/m) Σ[y log A2 + (1−y) log(1−A2)]; for one row of outputs it is `F.binary_cross_entropy`."""
    auto, hand = model.automatic(how), model.by_hand()
    same(auto.J, hand.J)
    if auto.A2.shape[0] == 1:
        same(F.binary_cross_entropy(auto.A2, tg.tensor(model.Y)), hand.J)


@each_two_layers
def test_S4_dA2(how: str, model: TwoLayers) -> None:
    """dA2 = −(1/m)(y/A2 − (1−y)/(1−A2))."""
    same(model.automatic(how).dA2, model.by_hand().dA2)


@each_two_layers
def test_S4_dZ2(how: str, model: TwoLayers) -> None:
    """dZ2 = dA2 ⊙ A2(1−A2), which is (A2 − y)/m."""
    auto, hand = model.automatic(how), model.by_hand()
    same(auto.dZ2, hand.dZ2)
    same(auto.dZ2, (hand.A2 - model.Y) / model.X.shape[1])


@each_two_layers
def test_S4_dW2(how: str, model: TwoLayers) -> None:
    """dW2 = dZ2 A1ᵗ."""
    same(model.automatic(how).dW2, model.by_hand().dW2)


@each_two_layers
def test_S4_db2(how: str, model: TwoLayers) -> None:
    """db2 = Σ over the samples of dZ2: b2 was copied for each sample, in reverse the copies are summed."""
    same(model.automatic(how).db2, model.by_hand().db2)


@each_two_layers
def test_S4_dA1(how: str, model: TwoLayers) -> None:
    """dA1 = W2ᵗ dZ2."""
    same(model.automatic(how).dA1, model.by_hand().dA1)


@each_two_layers
def test_S4_dZ1(how: str, model: TwoLayers) -> None:
    """dZ1 = dA1 ⊙ A1(1−A1)."""
    same(model.automatic(how).dZ1, model.by_hand().dZ1)


@each_two_layers
def test_S4_dW1(how: str, model: TwoLayers) -> None:
    """dW1 = dZ1 Xᵗ."""
    same(model.automatic(how).dW1, model.by_hand().dW1)


@each_two_layers
def test_S4_db1(how: str, model: TwoLayers) -> None:
    """db1 = Σ over the samples of dZ1."""
    same(model.automatic(how).db1, model.by_hand().db1)


@each_two_layers
def test_S4_gradients_have_the_size_of_the_parameters(how: str, model: TwoLayers) -> None:
    """« Tout va bien : les gradients sont de mêmes dimensions que les paramètres du modèle :-) »"""
    auto = model.automatic(how)
    for name in ("W1", "b1", "W2", "b2"):
        assert tuple(getattr(auto, "d" + name).shape) == getattr(model, name).shape


@prop
@given(data=st.data())
def test_S4_normalisation(data: st.DataObject) -> None:
    """(x − mean)/(1e−9 + std), feature by feature; a constant feature becomes 0, not NaN."""
    x = data.draw(matrices(data.draw(st.integers(2, 6)), data.draw(sizes)))
    x[:, 0] = 0.5
    X = tg.tensor(x)
    mean = X.mean(dim=0)
    std = ((X - mean) ** 2).mean(dim=0) ** 0.5
    normalised = value((X - mean) / (1e-9 + std))
    assert (normalised[:, 0] == 0).all()
    # The deviation of a nearly constant feature is all rounding: compare the others.
    wide = x.std(axis=0) > 1e-3
    by_hand = (x - x.mean(axis=0)) / (1e-9 + x.std(axis=0))
    np.testing.assert_allclose(normalised[:, wide], by_hand[:, wide], rtol=1e-10, atol=1e-12)
