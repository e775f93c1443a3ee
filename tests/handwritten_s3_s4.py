"""The networks of the course documents S3 and S4 as their authors wrote them: NumPy, and gradients worked out on paper.

Each function takes the initial parameters and gives all parameters after every step, flat in one row, so that a training
can be compared from its first step to its last. Names, shapes and the order of the updates are the documents'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e⁻ˣ)."""
    return np.asarray(1 / (1 + np.exp(-x)))


def flat(parameters: Sequence[Array]) -> Array:
    """All parameters of a network in one row."""
    return np.concatenate([p.ravel() for p in parameters])


# -- S3: one image at a time ---------------------------------------------------------------------------------------------


def s3_start(inputs: int, hidden: int, outputs: int, seed: int) -> list[Array]:
    """w_i_h, b_i_h, w_h_o, b_h_o as lines 6 to 9 draw them: weights uniform in (−0.5, 0.5), biases 0."""
    random = np.random.RandomState(seed)
    w_i_h = random.uniform(-0.5, 0.5, (hidden, inputs))
    w_h_o = random.uniform(-0.5, 0.5, (outputs, hidden))
    return [w_i_h, np.zeros((hidden, 1)), w_h_o, np.zeros((outputs, 1))]


def s3_training(
    images: Array, labels: Array, start: Sequence[Array], learn_rate: float, *, listing: bool
) -> Iterator[tuple[bool, Array]]:
    """One epoch over (m, n) images and their (m, k) one-hot labels: was the image read right, and the parameters after it.

    With `listing`, the document's order to the letter: line 27 updates w_h_o, then line 30 computes delta_h with it.
    Without, the order of gradient descent: both deltas come from the weights of the forward pass.
    """
    w_i_h, b_i_h, w_h_o, b_h_o = parameters = [p.copy() for p in start]
    for img, l in zip(images[:, :, None], labels[:, :, None], strict=True):  # noqa: E741 - the document's name
        h = sigmoid(b_i_h + w_i_h @ img)
        o = sigmoid(b_h_o + w_h_o @ h)
        correct = bool(np.argmax(o) == np.argmax(l))
        delta_o = o - l
        before = w_h_o.copy()
        w_h_o += -learn_rate * delta_o @ np.transpose(h)  # line 27
        b_h_o += -learn_rate * delta_o
        delta_h = np.transpose(w_h_o if listing else before) @ delta_o * (h * (1 - h))  # line 30
        w_i_h += -learn_rate * delta_h @ np.transpose(img)
        b_i_h += -learn_rate * delta_h
        yield correct, flat(parameters)


def s3_listing(images: Array, labels: Array, parameters: Sequence[Array], learn_rate: float, epochs: int) -> list[float]:
    """The listing to the letter, lines 12 to 32, with nothing between them: what the program's time may be compared with.

    The parameters are updated in place; returned is the share of images that each epoch read right.
    """
    w_i_h, b_i_h, w_h_o, b_h_o = parameters
    shares = []
    for _ in range(epochs):
        nr_correct = 0
        for img, l in zip(images, labels, strict=True):  # noqa: E741 - the document's name
            img = img[:, None]  # the document writes img.shape += (1,)
            l = l[:, None]  # noqa: E741 - the document's name
            h_pre = b_i_h + w_i_h @ img
            h = 1 / (1 + np.exp(-h_pre))
            o_pre = b_h_o + w_h_o @ h
            o = 1 / (1 + np.exp(-o_pre))
            e = 1 / len(o) * np.sum((o - l) ** 2, axis=0)  # noqa: F841 - computed there, and not used
            nr_correct += int(np.argmax(o) == np.argmax(l))
            delta_o = o - l
            w_h_o += -learn_rate * delta_o @ np.transpose(h)
            b_h_o += -learn_rate * delta_o
            delta_h = np.transpose(w_h_o) @ delta_o * (h * (1 - h))
            w_i_h += -learn_rate * delta_h @ np.transpose(img)
            b_i_h += -learn_rate * delta_h
        shares.append(nr_correct / len(images))
    return shares


# -- S4: two layers, columns are samples ---------------------------------------------------------------------------------


def s4_start(inputs: int, hidden: int, outputs: int, seed: int) -> list[Array]:
    """W1, b1, W2, b2 after `np.random.seed(seed)`: `rand` for W1, then for W2, and biases 0."""
    random = np.random.RandomState(seed)
    W1, W2 = random.rand(hidden, inputs), random.rand(outputs, hidden)
    return [W1, np.zeros((hidden, 1)), W2, np.zeros((outputs, 1))]


def s4_listing(
    X: Array, Y: Array, parameters: Sequence[Array], learning_rate: float, num_iterations: int, batch_size: int
) -> Iterator[float]:
    """`double_layer_model` to the letter, without what it prints: the cost of each step; parameters are updated in place."""
    W1, b1, W2, b2 = parameters
    batchStart = 0
    for _ in range(num_iterations):
        Xbatch = X[:, batchStart : batchStart + batch_size]
        Ybatch = Y[:, batchStart : batchStart + batch_size]
        A1 = sigmoid(np.dot(W1, Xbatch) + b1)
        A2 = sigmoid(np.dot(W2, A1) + b2)
        m = Xbatch.shape[1]
        cost = -np.sum(np.log(A2) * Ybatch + np.log(1 - A2) * (1 - Ybatch)) / m
        dA2 = -(np.divide(Ybatch, A2) - np.divide(1 - Ybatch, 1 - A2)) / m
        dZ2 = dA2 * A2 * (1 - A2)
        dW2 = np.dot(dZ2, A1.T)
        db2 = np.sum(dZ2, axis=1, keepdims=True)
        dA1 = np.dot(W2.T, dZ2)
        dZ1 = dA1 * A1 * (1 - A1)
        dW1 = np.dot(dZ1, Xbatch.T)
        db1 = np.sum(dZ1, axis=1, keepdims=True)
        W1 -= learning_rate * dW1
        b1 -= learning_rate * db1
        W2 -= learning_rate * dW2
        b2 -= learning_rate * db2
        batchStart += batch_size
        if batchStart >= X.shape[1]:
            batchStart = 0
        yield cost


def s4_training(
    X: Array, Y: Array, start: Sequence[Array], learning_rate: float, num_iterations: int, batch_size: int
) -> Iterator[tuple[float, Array]]:
    """The listing from a start that is left as it is: the cost before each update, and the parameters after it."""
    parameters = [p.copy() for p in start]
    for cost in s4_listing(X, Y, parameters, learning_rate, num_iterations, batch_size):
        yield float(cost), flat(parameters)


def s4_model(X: Array, parameters: Sequence[Array]) -> Array:
    """`model`: A2, one column of answers per sample."""
    W1, b1, W2, b2 = parameters
    return sigmoid(np.dot(W2, sigmoid(np.dot(W1, X) + b1)) + b2)
