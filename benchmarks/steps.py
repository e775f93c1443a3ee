"""The six training steps that are timed: their data, their forward pass, and good hand-written NumPy.

Every model is written twice. ``*_forward`` is ordinary PyTorch text; it receives the namespaces ``torch`` and
``F``, so that PyTorch and tinygrad_fr run the very same lines (the other peers receive a namespace that has
their own functions under PyTorch's names). ``*_by_hand`` is what a teacher would write with NumPy alone:
weights shaped (in, out), gradients worked out on paper, parameters updated in place; it returns the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Params = list[Array]


def sigmoid(z: Array) -> Array:
    """The logistic function, as it is written on the blackboard."""
    return 1 / (1 + np.exp(-z))


def softmax_cross_entropy(z: Array, y: Array) -> tuple[Any, Array]:
    """Mean cross-entropy of integer targets ``y``, and its gradient with respect to the logits ``z``."""
    rows = np.arange(len(y))
    z = z - z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    loss = (np.log(total[:, 0]) - z[rows, y]).mean()
    dz = e / total
    dz[rows, y] -= 1
    dz /= len(y)
    return loss, dz


# XOR, 2-3-1, tanh, mean squared error, one example


def xor_tanh_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = params
    h = torch.tanh(torch.addmm(b1, x, w1))
    out = torch.tanh(torch.addmm(b2, h, w2))
    return F.mse_loss(out, y)


def xor_tanh_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    w1, b1, w2, b2 = params
    h = np.tanh(x @ w1 + b1)
    out = np.tanh(h @ w2 + b2)
    error = out - y
    loss = (error * error).mean()
    dz2 = 2 / error.size * error * (1 - out * out)
    dz1 = dz2 @ w2.T * (1 - h * h)
    w2 -= lr * (h.T @ dz2)
    b2 -= lr * dz2[0]  # a batch of one: nothing to sum
    w1 -= lr * (x.T @ dz1)
    b1 -= lr * dz1[0]
    return loss


# XOR, 2-2-1, sigmoid, binary cross-entropy, the four examples


def xor_bce_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = params
    h = torch.sigmoid(torch.addmm(b1, x, w1))
    out = torch.sigmoid(torch.addmm(b2, h, w2))
    return F.binary_cross_entropy(out, y)


def xor_bce_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    w1, b1, w2, b2 = params
    h = sigmoid(x @ w1 + b1)
    out = sigmoid(h @ w2 + b2)
    loss = -(y * np.log(out) + (1 - y) * np.log(1 - out)).mean()
    dz2 = (out - y) / out.size  # sigmoid and cross-entropy simplify together
    dz1 = dz2 @ w2.T * h * (1 - h)
    w2 -= lr * (h.T @ dz2)
    b2 -= lr * dz2.sum(axis=0)
    w1 -= lr * (x.T @ dz1)
    b1 -= lr * dz1.sum(axis=0)
    return loss


# MNIST, 784-20-10, sigmoid, mean squared error, one example


def mnist_sigmoid_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = params
    h = torch.sigmoid(torch.addmm(b1, x, w1))
    out = torch.sigmoid(torch.addmm(b2, h, w2))
    return F.mse_loss(out, y)


def mnist_sigmoid_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    w1, b1, w2, b2 = params
    h = sigmoid(x @ w1 + b1)
    out = sigmoid(h @ w2 + b2)
    error = out - y
    loss = (error * error).mean()
    dz2 = 2 / error.size * error * out * (1 - out)
    dz1 = dz2 @ w2.T * h * (1 - h)
    w2 -= lr * (h.T @ dz2)
    b2 -= lr * dz2[0]
    w1 -= lr * (x.T @ dz1)
    b1 -= lr * dz1[0]
    return loss


# MNIST, 784-50-10, tanh, softmax cross-entropy, batch of 64


def mnist_tanh_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    w1, b1, w2, b2 = params
    h = torch.tanh(torch.addmm(b1, x, w1))
    return F.cross_entropy(torch.addmm(b2, h, w2), y)


def mnist_tanh_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    w1, b1, w2, b2 = params
    h = np.tanh(x @ w1 + b1)
    loss, dz2 = softmax_cross_entropy(h @ w2 + b2, y)
    dz1 = dz2 @ w2.T * (1 - h * h)
    w2 -= lr * (h.T @ dz2)
    b2 -= lr * dz2.sum(axis=0)
    w1 -= lr * (x.T @ dz1)
    b1 -= lr * dz1.sum(axis=0)
    return loss


# MNIST, 784-512-512-10, relu, softmax cross-entropy, batch of 128


def mnist_relu_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    w1, b1, w2, b2, w3, b3 = params
    h1 = torch.relu(torch.addmm(b1, x, w1))
    h2 = torch.relu(torch.addmm(b2, h1, w2))
    return F.cross_entropy(torch.addmm(b3, h2, w3), y)


def mnist_relu_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    w1, b1, w2, b2, w3, b3 = params
    h1 = np.maximum(x @ w1 + b1, 0)
    h2 = np.maximum(h1 @ w2 + b2, 0)
    loss, dz3 = softmax_cross_entropy(h2 @ w3 + b3, y)
    dz2 = dz3 @ w3.T * (h2 > 0)
    dz1 = dz2 @ w2.T * (h1 > 0)
    w3 -= lr * (h2.T @ dz3)
    b3 -= lr * dz3.sum(axis=0)
    w2 -= lr * (h1.T @ dz2)
    b2 -= lr * dz2.sum(axis=0)
    w1 -= lr * (x.T @ dz1)
    b1 -= lr * dz1.sum(axis=0)
    return loss


# Fifty layers of 32, tanh, mean squared error, batch of 32


def deep_forward(torch: Any, F: Any, params: Any, x: Any, y: Any) -> Any:
    for w, b in zip(params[::2], params[1::2], strict=True):
        x = torch.tanh(torch.addmm(b, x, w))
    return F.mse_loss(x, y)


def deep_by_hand(params: Params, x: Array, y: Array, lr: float) -> Any:
    layers = list(zip(params[::2], params[1::2], strict=True))
    outputs = []
    h = x
    for w, b in layers:
        h = np.tanh(h @ w + b)
        outputs.append(h)
    error = h - y
    loss = (error * error).mean()
    dh = 2 / error.size * error
    for i in range(len(layers) - 1, -1, -1):
        (w, b), h = layers[i], outputs[i]
        dz = dh * (1 - h * h)
        if i:
            dh = dz @ w.T
        w -= lr * ((outputs[i - 1] if i else x).T @ dz)
        b -= lr * dz.sum(axis=0)
    return loss


@dataclass(frozen=True)
class Case:
    """One training step: the shapes, the learning rate, and the two ways in which its model is written."""

    name: str
    title: str
    sizes: tuple[int, ...]
    batch: int
    lr: float
    forward: Callable[[Any, Any, Any, Any, Any], Any]
    by_hand: Callable[[Params, Array, Array, float], Any]
    targets: str  # "xor", "one-hot", "class" or "range"
    modules: tuple[str, str, str]  # of the model in torch.nn: its activation, what follows the last layer, its loss

    def data(self) -> tuple[Params, Array, Array]:
        """Parameters [w1, b1, w2, b2, ...], w shaped (in, out); inputs; targets. Seeded: always the same."""
        rng = np.random.default_rng(20240607)
        params: Params = []
        for n_in, n_out in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            params.append((rng.standard_normal((n_in, n_out)) / np.sqrt(n_in)).astype(np.float32))
            params.append((0.1 * rng.standard_normal(n_out)).astype(np.float32))
        if self.targets == "xor":
            x = np.array([[0, 1], [0, 0], [1, 0], [1, 1]], np.float32)[: self.batch]
            return params, x, (x[:, :1] != x[:, 1:]).astype(np.float32)
        x = rng.random((self.batch, self.sizes[0]), dtype=np.float32)
        if self.targets == "range":
            return params, x, rng.uniform(-0.8, 0.8, (self.batch, self.sizes[-1])).astype(np.float32)
        labels = rng.integers(0, self.sizes[-1], self.batch)
        return (
            params,
            x,
            labels if self.targets == "class" else np.eye(self.sizes[-1], dtype=np.float32)[labels],
        )


CASES = (
    Case("xor-tanh", "XOR 2-3-1 tanh, MSE, batch 1", (2, 3, 1), 1, 0.1,
         xor_tanh_forward, xor_tanh_by_hand, "xor", ("Tanh", "Tanh", "MSELoss")),
    Case("xor-bce", "XOR 2-2-1 sigmoid, BCE, batch 4", (2, 2, 1), 4, 0.5,
         xor_bce_forward, xor_bce_by_hand, "xor", ("Sigmoid", "Sigmoid", "BCELoss")),
    Case("mnist-sigmoid", "784-20-10 sigmoid, MSE, batch 1", (784, 20, 10), 1, 0.5,
         mnist_sigmoid_forward, mnist_sigmoid_by_hand, "one-hot", ("Sigmoid", "Sigmoid", "MSELoss")),
    Case("mnist-tanh", "784-50-10 tanh, softmax CE, batch 64", (784, 50, 10), 64, 0.1,
         mnist_tanh_forward, mnist_tanh_by_hand, "class", ("Tanh", "Identity", "CrossEntropyLoss")),
    Case("mnist-relu", "784-512-512-10 relu, CE, batch 128", (784, 512, 512, 10), 128, 0.01,
         mnist_relu_forward, mnist_relu_by_hand, "class", ("ReLU", "Identity", "CrossEntropyLoss")),
    Case("deep-tanh", "50 layers of 32 tanh, MSE, batch 32", (32,) * 51, 32, 0.1,
         deep_forward, deep_by_hand, "range", ("Tanh", "Tanh", "MSELoss")),
)  # fmt: skip
