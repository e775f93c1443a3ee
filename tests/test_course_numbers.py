"""The numbers that the course documents (S0 to S4) print, from tensors and automatic gradients alone.

Where a document trains a network by hand, its listing stands here in NumPy beside the same network in the
framework; both start from the same weights, and every parameter is compared after every step of the training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tinygrad_fr as tg

F = tg.nn.functional

Array = NDArray[np.float64]


def leaf(values: Any) -> tg.Tensor:
    """A float64 tensor whose gradient is wanted."""
    return tg.tensor(np.asarray(values, dtype=np.float64), requires_grad=True)


def constant(values: Any) -> tg.Tensor:
    """A float64 tensor that is given: data."""
    return tg.tensor(np.asarray(values, dtype=np.float64))


def number(tensor: tg.Tensor | None) -> float:
    """The one number that a tensor holds."""
    assert tensor is not None
    return float(tensor.detach().numpy().item())


def array(tensor: tg.Tensor) -> Array:
    """A copy of what a tensor holds: an update in place must not reach it."""
    return np.array(tensor.detach().numpy())


def descend(parameters: Sequence[tg.Tensor], learning_rate: float) -> None:
    """One step of gradient descent, w ← w − η ∂C/∂w, and the gradients are forgotten."""
    with tg.no_grad():
        for w in parameters:
            assert w.grad is not None, "no gradient arrived"
            w -= learning_rate * w.grad
            w.grad = None


def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + e^(−x))."""
    return 1 / (1 + np.exp(-x))


def flat(parameters: Sequence[Array | float]) -> Array:
    """All parameters of a network in one row, to compare two networks."""
    return np.concatenate([np.ravel(p) for p in parameters])


def same_trajectory(framework: Sequence[Array], by_hand: Sequence[Array]) -> None:
    """Two trainings gave the same parameters after each step, from the first to the last."""
    assert len(framework) == len(by_hand) > 0
    np.testing.assert_allclose(np.stack(framework), np.stack(by_hand), rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------------------------------------
# One value used twice
# ------------------------------------------------------------------------------------------------------------


def test_a_value_used_twice_receives_both_gradients() -> None:
    """b = a + a; c = b + b: b hears from both its uses before it tells a (karpathy/micrograd#64)."""
    a = leaf(3.0)
    b = a + a
    b.retain_grad()
    c = b + b
    c.backward()
    assert number(c) == 12.0
    assert number(b.grad) == 2.0
    assert number(a.grad) == 4.0


# ------------------------------------------------------------------------------------------------------------
# S0: XOR with a 2-3-1 tanh network, one sample at a time, 1000 epochs, η = 0.1
# ------------------------------------------------------------------------------------------------------------

XOR_X = np.array([[[0, 0]], [[0, 1]], [[1, 0]], [[1, 1]]], dtype=np.float64)
XOR_Y = np.array([[[0]], [[1]], [[1]], [[0]]], dtype=np.float64)


class Layer:
    """S0's base class."""

    def forward_propagation(self, input_data: Array) -> Array:
        """The output Y for an input X."""
        raise NotImplementedError

    def backward_propagation(self, output_error: Array, learning_rate: float) -> Array:
        """∂E/∂X from ∂E/∂Y; parameters, if any, are updated."""
        raise NotImplementedError


class FCLayer(Layer):
    """S0's fully connected layer. It is updated as the error passes, after ∂E/∂X has been computed."""

    def __init__(self, weights: Array, bias: Array) -> None:
        self.weights, self.bias = weights.copy(), bias.copy()

    def forward_propagation(self, input_data: Array) -> Array:
        """Y = X W + B."""
        self.input = input_data
        return np.asarray(np.dot(self.input, self.weights) + self.bias)

    def backward_propagation(self, output_error: Array, learning_rate: float) -> Array:
        """From ∂E/∂Y, update W and B and return ∂E/∂X."""
        input_error = np.dot(output_error, self.weights.T)
        weights_error = np.dot(self.input.T, output_error)
        self.weights -= learning_rate * weights_error
        self.bias -= learning_rate * output_error
        return np.asarray(input_error)


class ActivationLayer(Layer):
    """S0's activation layer, with tanh."""

    def forward_propagation(self, input_data: Array) -> Array:
        """Y = tanh(X)."""
        self.input = input_data
        return np.tanh(self.input)

    def backward_propagation(self, output_error: Array, learning_rate: float) -> Array:
        """∂E/∂X = tanh′(X) ⊙ ∂E/∂Y; there is nothing to learn."""
        return (1 - np.tanh(self.input) ** 2) * output_error


def xor_weights(seed: int) -> list[Array]:
    """W1, B1, W2, B2 in the order in which S0 draws them."""
    random = np.random.RandomState(seed)
    return [random.rand(*shape) - 0.5 for shape in ((2, 3), (1, 3), (3, 1), (1, 1))]


def xor_by_hand(start: list[Array], epochs: int) -> tuple[list[Array], list[float], list[float]]:
    """S0's `Network.fit` and `predict`: parameters after each step, error of each epoch, four answers."""
    first, second = FCLayer(*start[:2]), FCLayer(*start[2:])
    layers: list[Layer] = [first, ActivationLayer(), second, ActivationLayer()]

    def predict(x: Array) -> Array:
        for layer in layers:
            x = layer.forward_propagation(x)
        return x

    steps, errors = [], []
    for _ in range(epochs):
        err = 0.0
        for x, y_true in zip(XOR_X, XOR_Y, strict=True):
            output = predict(x)
            err += np.mean(np.power(y_true - output, 2))
            error = 2 * (output - y_true) / y_true.size
            for layer in reversed(layers):
                error = layer.backward_propagation(error, 0.1)
            steps.append(flat([first.weights, first.bias, second.weights, second.bias]))
        errors.append(err / len(XOR_X))
    return steps, errors, [predict(x).item() for x in XOR_X]


def xor_by_framework(start: list[Array], epochs: int) -> tuple[list[Array], list[float], list[float]]:
    """The same training: the forward pass and the error are written, the backward pass is automatic."""
    W1, B1, W2, B2 = parameters = [leaf(p) for p in start]

    def predict(x: Array) -> tg.Tensor:
        return tg.tanh(tg.tanh(constant(x) @ W1 + B1) @ W2 + B2)

    steps, errors = [], []
    for _ in range(epochs):
        err = 0.0
        for x, y_true in zip(XOR_X, XOR_Y, strict=True):
            E = F.mse_loss(predict(x), constant(y_true))
            err += number(E)
            E.backward()
            descend(parameters, 0.1)
            steps.append(flat([array(p) for p in parameters]))
        errors.append(err / len(XOR_X))
    return steps, errors, [number(predict(x)) for x in XOR_X]


@pytest.mark.parametrize("seed, solved", [(1, True), (0, False)])
def test_S0_xor_training_is_the_hand_written_one(seed: int, solved: bool) -> None:
    """All 4000 steps of the 1000 epochs, the error that each epoch prints, and XOR is solved.

    S0 does not fix a seed, and its network does not always leave the plateau where every answer is near 1/2:
    from such a start the framework must stay where the hand-written network stays.
    """
    start = xor_weights(seed)
    hand_steps, hand_errors, hand_answers = xor_by_hand(start, epochs=1000)
    steps, errors, answers = xor_by_framework(start, epochs=1000)
    same_trajectory(steps, hand_steps)
    np.testing.assert_allclose(errors, hand_errors, rtol=0, atol=1e-10)
    np.testing.assert_allclose(answers, hand_answers, rtol=0, atol=1e-10)
    if solved:
        np.testing.assert_allclose(answers, [0, 1, 1, 0], rtol=0, atol=0.03)
        assert errors[0] > 0.5 and errors[-1] < 0.001
    else:
        np.testing.assert_allclose(answers, [0.5, 0.5, 0.5, 0.5], rtol=0, atol=0.03)


# ------------------------------------------------------------------------------------------------------------
# S1: softmax without overflow
# ------------------------------------------------------------------------------------------------------------


def test_S1_softmax_of_huge_numbers() -> None:
    """Softmax of [1600, 5000, 6000] is finite and sums to 1; e^6000 alone would overflow."""
    z = leaf([1600.0, 5000.0, 6000.0])
    a = tg.softmax(z, dim=0)
    assert np.isfinite(array(a)).all()
    assert number(a.sum()) == 1.0
    np.testing.assert_array_equal(array(a), [0.0, 0.0, 1.0])

    a[2].backward()  # and its gradient is finite too: a₂(1 − a₂) = 0
    assert z.grad is not None
    np.testing.assert_array_equal(array(z.grad), [0.0, 0.0, 0.0])


def test_S1_cross_entropy_of_huge_numbers() -> None:
    """The cross-entropy of the same z when class 1 is the true one: 6000 − 5000; its gradient, a − y."""
    z = leaf([[1600.0, 5000.0, 6000.0]])
    C = F.cross_entropy(z, tg.tensor([1]))
    C.backward()
    assert number(C) == 1000.0
    assert z.grad is not None
    np.testing.assert_array_equal(array(z.grad), [[0.0, -1.0, 1.0]])


# ------------------------------------------------------------------------------------------------------------
# S2: one neuron, then the network 2-2-1
# ------------------------------------------------------------------------------------------------------------


def test_S2_neuron() -> None:
    """w = [0, 1], b = 4, x = [2, 3]: f(7) = 0.9990889488055994."""
    w, b, x = constant([0, 1]), 4, constant([2, 3])
    assert number(tg.sigmoid(w @ x + b)) == pytest.approx(0.9990889488055994, rel=0, abs=1e-15)


def test_S2_network() -> None:
    """Three such neurons with b = 0, x = [2, 3]: h₁ = h₂ = f(3) = 0.9526, output 0.7216325609518421."""
    w, b, x = constant([0, 1]), 0, constant([2, 3])
    h = tg.sigmoid(constant([[0, 1], [0, 1]]) @ x + b)
    o1 = tg.sigmoid(w @ h + b)
    np.testing.assert_allclose(array(h), [0.9525741268224334] * 2, rtol=0, atol=1e-15)
    assert number(o1) == pytest.approx(0.7216325609518421, rel=0, abs=1e-15)
    assert f"{number(h[0]):.4f} {number(o1):.4f}" == "0.9526 0.7216"


def test_S2_mse_of_everyone_predicted_male() -> None:
    """MSE of [1, 0, 0, 1] against zeros: (1 + 0 + 0 + 1)/4 = 0.5."""
    y_true, y_pred = constant([1, 0, 0, 1]), constant([0, 0, 0, 0])
    assert number(((y_true - y_pred) ** 2).mean()) == 0.5
    assert number(F.mse_loss(y_pred, y_true)) == 0.5


class PeopleNetwork:
    """S2's `OurNeuralNetwork` in the framework: nine scalars with names."""

    NAMES = ("w1", "w2", "w3", "w4", "w5", "w6", "b1", "b2", "b3")

    def __init__(self, start: Mapping[str, float]) -> None:
        self.w1, self.w2, self.w3, self.w4, self.w5, self.w6 = (leaf(start[f"w{i}"]) for i in range(1, 7))
        self.b1, self.b2, self.b3 = (leaf(start[f"b{i}"]) for i in range(1, 4))

    def parameters(self) -> list[tg.Tensor]:
        """The nine parameters, in the document's order."""
        return [getattr(self, name) for name in self.NAMES]

    def feedforward(self, x: Sequence[float]) -> tg.Tensor:
        """The prediction; h₁ and h₂ stay at hand."""
        self.h1 = tg.sigmoid(self.w1 * x[0] + self.w2 * x[1] + self.b1)
        self.h2 = tg.sigmoid(self.w3 * x[0] + self.w4 * x[1] + self.b2)
        return tg.sigmoid(self.w5 * self.h1 + self.w6 * self.h2 + self.b3)


def test_S2_derivation_step_by_step() -> None:
    """Weights 1, biases 0, Alice = (−2, −1), y = 1: the numbers of « Calcul de la dérivée partielle »."""
    net = PeopleNetwork({name: 1.0 if name.startswith("w") else 0.0 for name in PeopleNetwork.NAMES})
    y_pred = net.feedforward((-2.0, -1.0))
    L = (1 - y_pred) ** 2

    # forward
    assert number(net.h1) == number(net.h2) == pytest.approx(0.04742587317756678, rel=0, abs=1e-15)
    assert number(y_pred) == pytest.approx(0.5236951740839997, rel=0, abs=1e-15)
    assert f"{number(net.h1):.4f} {number(y_pred):.3f}" == "0.0474 0.524"

    # the three factors, each to the digits that the document prints
    (dL_dy,) = tg.autograd.grad(L, y_pred, retain_graph=True)
    (dy_dh1,) = tg.autograd.grad(y_pred, net.h1, retain_graph=True)
    (dh1_dw1,) = tg.autograd.grad(net.h1, net.w1, retain_graph=True)
    assert number(dL_dy) == pytest.approx(
        -0.952, rel=0, abs=1e-3
    )  # −0.95261, printed from ŷ rounded to 0.524
    assert f"{number(dy_dh1):.3f}" == "0.249"
    assert f"{number(dh1_dw1):.4f}" == "-0.0904"

    # their product: 0.0214 from the rounded factors, exactly this when nothing is rounded
    assert f"{-0.952 * 0.249 * -0.0904:.4f}" == "0.0214"
    assert number(dL_dy) * number(dy_dh1) * number(dh1_dw1) == pytest.approx(
        0.021469535265811107, rel=0, abs=1e-15
    )
    L.backward()
    assert number(net.w1.grad) == pytest.approx(0.021469535265811107, rel=0, abs=1e-15)


PEOPLE = np.array([[-2, -1], [25, 6], [17, 4], [-15, -6]], dtype=np.float64)  # Alice, Bob, Charlie, Diana
GENDERS = np.array([1, 0, 0, 1], dtype=np.float64)
EMILY, FRANK = np.array([-7.0, -3.0]), np.array([20.0, 2.0])


def people_start(seed: int) -> dict[str, float]:
    """The nine parameters drawn from a normal distribution, in the document's order: w1 … w6, b1, b2, b3."""
    random = np.random.RandomState(seed)
    return {name: random.normal() for name in PeopleNetwork.NAMES}


def people_by_hand(start: Mapping[str, float], epochs: int) -> Iterator[Array]:
    """S2's `train`, learn_rate = 0.1: the nine parameters after each sample."""

    def deriv_sigmoid(x: Any) -> Any:
        fx = sigmoid(x)
        return fx * (1 - fx)

    w1, w2, w3, w4, w5, w6, b1, b2, b3 = (start[name] for name in PeopleNetwork.NAMES)
    learn_rate = 0.1
    for _ in range(epochs):
        for x, y_true in zip(PEOPLE, GENDERS, strict=True):
            sum_h1 = w1 * x[0] + w2 * x[1] + b1
            h1 = sigmoid(sum_h1)
            sum_h2 = w3 * x[0] + w4 * x[1] + b2
            h2 = sigmoid(sum_h2)
            sum_o1 = w5 * h1 + w6 * h2 + b3
            y_pred = sigmoid(sum_o1)

            d_L_d_ypred = -2 * (y_true - y_pred)
            # Neuron o1
            d_ypred_d_w5 = h1 * deriv_sigmoid(sum_o1)
            d_ypred_d_w6 = h2 * deriv_sigmoid(sum_o1)
            d_ypred_d_b3 = deriv_sigmoid(sum_o1)
            d_ypred_d_h1 = w5 * deriv_sigmoid(sum_o1)
            d_ypred_d_h2 = w6 * deriv_sigmoid(sum_o1)
            # Neuron h1
            d_h1_d_w1 = x[0] * deriv_sigmoid(sum_h1)
            d_h1_d_w2 = x[1] * deriv_sigmoid(sum_h1)
            d_h1_d_b1 = deriv_sigmoid(sum_h1)
            # Neuron h2
            d_h2_d_w3 = x[0] * deriv_sigmoid(sum_h2)
            d_h2_d_w4 = x[1] * deriv_sigmoid(sum_h2)
            d_h2_d_b2 = deriv_sigmoid(sum_h2)

            # All derivatives are known before the first update.
            w1 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * d_h1_d_w1
            w2 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * d_h1_d_w2
            b1 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * d_h1_d_b1
            w3 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * d_h2_d_w3
            w4 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * d_h2_d_w4
            b2 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * d_h2_d_b2
            w5 -= learn_rate * d_L_d_ypred * d_ypred_d_w5
            w6 -= learn_rate * d_L_d_ypred * d_ypred_d_w6
            b3 -= learn_rate * d_L_d_ypred * d_ypred_d_b3
            yield np.array([w1, w2, w3, w4, w5, w6, b1, b2, b3])


def people_by_framework(net: PeopleNetwork, epochs: int) -> Iterator[Array]:
    """The same training with automatic gradients."""
    for _ in range(epochs):
        for x, y_true in zip(PEOPLE.tolist(), GENDERS.tolist(), strict=True):
            L = (y_true - net.feedforward(x)) ** 2
            L.backward()
            descend(net.parameters(), 0.1)
            yield np.array([number(p) for p in net.parameters()])


def test_S2_four_people_training_is_the_hand_written_one() -> None:
    """All 4000 steps of the 1000 epochs; then Emily is near 0.96 (F) and Frank near 0.04 (M)."""
    start = people_start(seed=1)
    net = PeopleNetwork(start)
    same_trajectory(list(people_by_framework(net, 1000)), list(people_by_hand(start, 1000)))
    assert number(net.feedforward(EMILY.tolist())) == pytest.approx(0.96, rel=0, abs=0.02)
    assert number(net.feedforward(FRANK.tolist())) == pytest.approx(0.04, rel=0, abs=0.02)


def test_S2_four_people_training_with_matrices() -> None:
    """The same nine numbers held as W1 (2, 2), b1 (2), w2 (2), b2: the same 4000 steps."""
    start = people_start(seed=1)
    W1 = leaf([[start["w1"], start["w2"]], [start["w3"], start["w4"]]])
    b1 = leaf([start["b1"], start["b2"]])
    w2 = leaf([start["w5"], start["w6"]])
    b2 = leaf(start["b3"])
    steps = []
    for _ in range(1000):
        for x, y_true in zip(PEOPLE, GENDERS.tolist(), strict=True):
            y_pred = tg.sigmoid(w2 @ tg.sigmoid(W1 @ constant(x) + b1) + b2)
            ((y_true - y_pred) ** 2).backward()
            descend([W1, b1, w2, b2], 0.1)
            steps.append(flat([array(W1), array(w2), array(b1), array(b2)]))
    same_trajectory(steps, list(people_by_hand(start, 1000)))


# ------------------------------------------------------------------------------------------------------------
# S3: one image at a time, sigmoid twice, η = 0.01: which order of updates?
# ------------------------------------------------------------------------------------------------------------

# Twelve small "images" of 9 pixels, three classes, 5 hidden neurons; weights and biases as in the listing.
# Each image and each label is a column.
_random = np.random.RandomState(3)
IMAGES = _random.uniform(0, 1, (12, 9, 1))
LABELS = np.eye(3)[np.arange(12) % 3][:, :, None]
S3_START = [
    _random.uniform(-0.5, 0.5, (5, 9)),
    np.zeros((5, 1)),
    _random.uniform(-0.5, 0.5, (3, 5)),
    np.zeros((3, 1)),
]
S3_EPOCHS = 3


def images_by_hand(output_first: bool, learn_rate: float = 0.01) -> list[Array]:
    """S3's training, all parameters after each image.

    `output_first` is the listing: w_h_o is updated (line 27), then δₕ is computed with it (line 30).
    Otherwise the plain order of gradient descent: both deltas first, from the weights of the forward pass.
    """
    w_i_h, b_i_h, w_h_o, b_h_o = (p.copy() for p in S3_START)
    steps = []
    for _ in range(S3_EPOCHS):
        for img, label in zip(IMAGES, LABELS, strict=True):
            h = sigmoid(b_i_h + w_i_h @ img)
            o = sigmoid(b_h_o + w_h_o @ h)
            delta_o = o - label
            w_before = w_h_o.copy()
            w_h_o += -learn_rate * delta_o @ np.transpose(h)
            b_h_o += -learn_rate * delta_o
            delta_h = np.transpose(w_h_o if output_first else w_before) @ delta_o * (h * (1 - h))
            w_i_h += -learn_rate * delta_h @ np.transpose(img)
            b_i_h += -learn_rate * delta_h
            steps.append(flat([w_i_h, b_i_h, w_h_o, b_h_o]))
    return steps


def images_by_framework(step: Callable[[list[tg.Tensor], tg.Tensor, tg.Tensor], None]) -> list[Array]:
    """The same training, one `step` of the framework per image."""
    parameters = [leaf(p) for p in S3_START]
    steps = []
    for _ in range(S3_EPOCHS):
        for img, label in zip(IMAGES, LABELS, strict=True):
            step(parameters, constant(img), constant(label))
            steps.append(flat([array(p) for p in parameters]))
    return steps


def plain_step(parameters: list[tg.Tensor], img: tg.Tensor, label: tg.Tensor) -> None:
    """Gradient descent in a framework: all gradients, then all updates. δₒ = o − l is cross-entropy's."""
    w_i_h, b_i_h, w_h_o, b_h_o = parameters
    h = tg.sigmoid(b_i_h + w_i_h @ img)
    o = tg.sigmoid(b_h_o + w_h_o @ h)
    F.binary_cross_entropy(o, label, reduction="sum").backward()
    descend(parameters, 0.01)


def listing_step(parameters: list[tg.Tensor], img: tg.Tensor, label: tg.Tensor) -> None:
    """The listing's order: the output layer learns first, then δₒ goes back through its new weights."""
    w_i_h, b_i_h, w_h_o, b_h_o = parameters
    h = tg.sigmoid(b_i_h + w_i_h @ img)
    o = tg.sigmoid(b_h_o + w_h_o @ h.detach())
    F.binary_cross_entropy(o, label, reduction="sum").backward()
    delta_o = o.detach() - label
    descend([w_h_o, b_h_o], 0.01)
    h.backward(w_h_o.detach().T @ delta_o)
    descend([w_i_h, b_i_h], 0.01)


def test_S3_framework_step_is_the_plain_order() -> None:
    """All gradients first, then all updates: the framework's step, image after image."""
    same_trajectory(images_by_framework(plain_step), images_by_hand(output_first=False))


def test_S3_listing_order_differs_from_the_framework_step() -> None:
    """The listing (line 27 before line 30) is another algorithm: close, never equal, and it drifts away.

    In one step the output layer is still the same; the hidden layer already is not.
    """
    listing, framework = images_by_hand(output_first=True), images_by_framework(plain_step)
    hidden = 5 * 9 + 5  # the first numbers are w_i_h and b_i_h
    gap = np.abs(np.stack(listing) - np.stack(framework))
    np.testing.assert_allclose(gap[0, hidden:], 0, rtol=0, atol=1e-10)
    assert gap[0, :hidden].max() > 1e-6
    assert gap[-1].max() > 10 * gap[0].max()
    assert gap.max() < 0.01


def test_S3_listing_order_written_in_the_framework() -> None:
    """The listing's numbers can be had too: two backward passes, the output layer's update between them."""
    same_trajectory(images_by_framework(listing_step), images_by_hand(output_first=True))


def test_S3_printed_error() -> None:
    """Line 23: e = 1/len(o) Σ (o − l)² is the mean squared error of one image."""
    w_i_h, b_i_h, w_h_o, b_h_o = S3_START
    o = sigmoid(b_h_o + w_h_o @ sigmoid(b_i_h + w_i_h @ IMAGES[0]))
    e = 1 / len(o) * np.sum((o - LABELS[0]) ** 2, axis=0)
    assert number(F.mse_loss(constant(o), constant(LABELS[0]))) == pytest.approx(e.item(), rel=0, abs=1e-15)


# ------------------------------------------------------------------------------------------------------------
# S4: XOR with two sigmoid layers, four samples as columns, η = 1, 2000 steps
# ------------------------------------------------------------------------------------------------------------

S4_COST_LOG = """
Cost after iteration 100: 0.692126
Cost after iteration 200: 0.685371
Cost after iteration 300: 0.631033
Cost after iteration 400: 0.500277
Cost after iteration 500: 0.235959
Cost after iteration 600: 0.089350
Cost after iteration 700: 0.050119
Cost after iteration 800: 0.034105
Cost after iteration 900: 0.025642
Cost after iteration 1000: 0.020463
Cost after iteration 1100: 0.016986
Cost after iteration 1200: 0.014499
Cost after iteration 1300: 0.012634
Cost after iteration 1400: 0.011187
Cost after iteration 1500: 0.010032
Cost after iteration 1600: 0.009090
Cost after iteration 1700: 0.008307
Cost after iteration 1800: 0.007646
Cost after iteration 1900: 0.007082
Cost after iteration 2000: 0.006593
"""


def test_S4_xor_cost_log() -> None:
    """The document's cost log, digit for digit, and its four answers 0 1 1 0."""
    random = np.random.RandomState(1)  # the stream of np.random.seed(1)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]).T
    X, Y = constant(x), constant([[0, 1, 1, 0]])
    W1, b1 = leaf(random.rand(2, 2)), leaf(np.zeros((2, 1)))
    W2, b2 = leaf(random.rand(1, 2)), leaf(np.zeros((1, 1)))
    m = X.shape[1]

    log = ""
    for i in range(1, 2001):
        A1 = tg.sigmoid(W1 @ X + b1)
        A2 = tg.sigmoid(W2 @ A1 + b2)
        J = -(Y * tg.log(A2) + (1 - Y) * tg.log(1 - A2)).sum() / m
        if i % 100 == 0:
            log += f"Cost after iteration {i}: {number(J):.6f}\n"
        J.backward()
        descend([W1, b1, W2, b2], learning_rate=1.0)
    assert log.strip() == S4_COST_LOG.strip()

    with tg.no_grad():
        answers = array(tg.sigmoid(W2 @ tg.sigmoid(W1 @ X + b1) + b2))
    printed = [f"{x[0, i]} xor {x[1, i]} = {int(answers[0, i] > 0.5)}" for i in range(4)]
    assert printed == ["0 xor 0 = 0", "0 xor 1 = 1", "1 xor 0 = 1", "1 xor 1 = 0"]
