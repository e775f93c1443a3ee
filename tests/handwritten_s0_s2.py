"""The networks of courses S0 and S2, written by hand in NumPy: each derivative a line, each update where the course has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# -- S0: layers that know their own way back -----------------------------------------------------------------------------


class FCLayer:
    """Y = X W + B. ∂E/∂X is taken with the weights of the forward pass; then the weights are updated, as the error passes."""

    def __init__(self, weights: Array, bias: Array) -> None:
        self.weights, self.bias = weights.copy(), bias.copy()

    def forward_propagation(self, input_data: Array) -> Array:
        self.input = input_data
        return np.asarray(np.dot(input_data, self.weights) + self.bias)

    def backward_propagation(self, output_error: Array, learning_rate: float) -> Array:
        input_error = np.dot(output_error, self.weights.T)  # ∂E/∂X = ∂E/∂Y Wᵗ
        weights_error = np.dot(self.input.T, output_error)  # ∂E/∂W = Xᵗ ∂E/∂Y
        self.weights -= learning_rate * weights_error
        self.bias -= learning_rate * output_error  # ∂E/∂B = ∂E/∂Y
        return np.asarray(input_error)


class ActivationLayer:
    """Y = tanh(X), ∂E/∂X = tanh′(X) ⊙ ∂E/∂Y."""

    def forward_propagation(self, input_data: Array) -> Array:
        self.input = input_data
        return np.tanh(input_data)

    def backward_propagation(self, output_error: Array, learning_rate: float) -> Array:
        return np.asarray((1 - np.tanh(self.input) ** 2) * output_error)


class Network:
    """S0's 2-3-1 network for XOR, from given weights W1, B1, W2, B2."""

    def __init__(self, start: Sequence[Array]) -> None:
        self.fc = [FCLayer(start[0], start[1]), FCLayer(start[2], start[3])]
        self.layers = [self.fc[0], ActivationLayer(), self.fc[1], ActivationLayer()]

    def parameters(self) -> Array:
        return np.concatenate([p.ravel() for layer in self.fc for p in (layer.weights, layer.bias)])

    def predict(self, output: Array) -> Array:
        for layer in self.layers:
            output = layer.forward_propagation(output)
        return output

    def fit(
        self, x_train: Array, y_train: Array, epochs: int, learning_rate: float, after_step: Callable[[], Any] = lambda: None
    ) -> list[float]:
        """The error of each epoch; `after_step` is called after each example."""
        errors = []
        for _ in range(epochs):
            err = 0.0
            for x, y in zip(x_train, y_train, strict=True):
                output = self.predict(x)
                err += float(np.mean(np.power(y - output, 2)))
                error = 2 * (output - y) / y.size
                for layer in reversed(self.layers):
                    error = layer.backward_propagation(error, learning_rate)
                after_step()
            errors.append(err / len(x_train))
        return errors


# -- S2: nine numbers, nine derivatives ----------------------------------------------------------------------------------


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def deriv_sigmoid(x: Any) -> Any:
    return sigmoid(x) * (1 - sigmoid(x))


class OurNeuralNetwork:
    """S2's network, from given w1, w2, w3, w4, w5, w6, b1, b2, b3."""

    def __init__(self, start: Sequence[float]) -> None:
        self.w1, self.w2, self.w3, self.w4, self.w5, self.w6, self.b1, self.b2, self.b3 = start

    def parameters(self) -> Array:
        return np.array([self.w1, self.w2, self.w3, self.w4, self.w5, self.w6, self.b1, self.b2, self.b3])

    def feedforward(self, x: Array) -> Any:
        h1 = sigmoid(self.w1 * x[0] + self.w2 * x[1] + self.b1)
        h2 = sigmoid(self.w3 * x[0] + self.w4 * x[1] + self.b2)
        return sigmoid(self.w5 * h1 + self.w6 * h2 + self.b3)

    def train(
        self, data: Array, all_y_trues: Array, epochs: int, learn_rate: float, after_step: Callable[[], Any] = lambda: None
    ) -> list[tuple[int, float]]:
        """The loss over all, every 10 epochs; `after_step` is called after each person."""
        log = []
        for epoch in range(epochs):
            for x, y_true in zip(data, all_y_trues, strict=True):
                sum_h1 = self.w1 * x[0] + self.w2 * x[1] + self.b1
                h1 = sigmoid(sum_h1)
                sum_h2 = self.w3 * x[0] + self.w4 * x[1] + self.b2
                h2 = sigmoid(sum_h2)
                sum_o1 = self.w5 * h1 + self.w6 * h2 + self.b3
                y_pred = sigmoid(sum_o1)

                d_L_d_ypred = -2 * (y_true - y_pred)
                d_ypred_d_h1 = self.w5 * deriv_sigmoid(sum_o1)  # with the w5 and w6 of the forward pass
                d_ypred_d_h2 = self.w6 * deriv_sigmoid(sum_o1)
                # neuron h1
                self.w1 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * x[0] * deriv_sigmoid(sum_h1)
                self.w2 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * x[1] * deriv_sigmoid(sum_h1)
                self.b1 -= learn_rate * d_L_d_ypred * d_ypred_d_h1 * deriv_sigmoid(sum_h1)
                # neuron h2
                self.w3 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * x[0] * deriv_sigmoid(sum_h2)
                self.w4 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * x[1] * deriv_sigmoid(sum_h2)
                self.b2 -= learn_rate * d_L_d_ypred * d_ypred_d_h2 * deriv_sigmoid(sum_h2)
                # neuron o1
                self.w5 -= learn_rate * d_L_d_ypred * h1 * deriv_sigmoid(sum_o1)
                self.w6 -= learn_rate * d_L_d_ypred * h2 * deriv_sigmoid(sum_o1)
                self.b3 -= learn_rate * d_L_d_ypred * deriv_sigmoid(sum_o1)
                after_step()
            if epoch % 10 == 0:
                y_preds = np.apply_along_axis(self.feedforward, 1, data)
                log.append((epoch, float(((all_y_trues - y_preds) ** 2).mean())))
        return log
