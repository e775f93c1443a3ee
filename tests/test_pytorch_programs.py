"""Small programs as a PyTorch course writes them: each runs on PyTorch and on tinygrad_fr and must print the same.

A program is a function of the module (`torch` or `tinygrad_fr`); its starting values come from NumPy, so both begin alike. What
it prints, numbers and texts, is collected. The last numbers of each program are recorded here from PyTorch 2.13, and are
checked where PyTorch is not installed too.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_fr

Printed = list[Any]
Program = Callable[[Any, Printed], None]

PROGRAMS: dict[str, Program] = {}
RECORDED: dict[str, list[float]] = {
    "linear_regression": [2.995505, 1.993008, 0.007233],
    "logistic_regression": [1.636957, -1.429012, 0.95],
    "two_layers": [30.826, 27.916, 0.436185],
    "micrograd": [24.704082, 138.833819, 645.577259],
    "bigram": [1.294103, 1.281524, 1.26982],
    "classifier": [0.199219, 0.164183, 1.0],
    "polynomial": [0.012129, -0.083096, 18.707758],
    "from_scratch": [1.998301, -3.390179, 4.193136],
    "newton": [2.828427, 0.739085, 1.414214],
    "legendre": [0.0, 0.253291, 28.206773],
    "accumulation": [3.080229, 3.047904, 3.047904],
    "evaluation": [0.59375, 0.96875, 0.176427],
}


def program(function: Program) -> Program:
    """Enter a program in the table."""
    PROGRAMS[function.__name__] = function
    return function


def normal(seed: int, *shape: int) -> Any:
    """Starting values that do not depend on a framework's generator."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# -- the programs ----------------------------------------------------------------------------------------------------------


@program
def linear_regression(torch: Any, printed: Printed) -> None:
    """y = 3x + 2 with noise, by gradient descent on two scalars."""
    x = torch.from_numpy(normal(0, 100))
    y = 3 * x + 2 + 0.1 * torch.from_numpy(normal(1, 100))
    w = torch.zeros(1, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for epoch in range(60):
        loss = ((w * x + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
        if epoch % 20 == 0:
            printed += [epoch, loss.item(), str(w), str(w.grad)]
    printed += [w.item(), b.item(), loss.item()]


@program
def logistic_regression(torch: Any, printed: Printed) -> None:
    """Two clouds of points, a sigmoid, the cross-entropy written out."""
    points = torch.tensor(normal(2, 60, 2)) + torch.cat([torch.full((30, 2), 1.0), torch.full((30, 2), -1.0)])
    points[:, 1] *= -1
    labels = torch.cat([torch.ones(30), torch.zeros(30)]).view(-1, 1)
    weights = torch.zeros((2, 1), dtype=torch.float, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    for _ in range(40):
        prediction = torch.sigmoid(torch.mm(points, weights) + bias)
        loss = -(labels * torch.log(prediction) + (1 - labels) * torch.log(1 - prediction)).mean()
        weights.grad = bias.grad = None
        loss.backward()
        weights.data -= 0.5 * weights.grad.data
        bias.data.sub_(0.5 * bias.grad)
        printed.append(loss.item())
    guess = (prediction > 0.5).float()
    printed.append(torch.nn.functional.binary_cross_entropy(prediction, labels).item())
    printed += [weights[0].item(), weights[1, 0].item(), (guess == labels).float().mean().item()]


@program
def two_layers(torch: Any, printed: Printed) -> None:
    """A hidden layer of rectifiers, the backward pass written by hand beside autograd's."""
    x, y = torch.tensor(normal(3, 32, 8)), torch.tensor(normal(4, 32, 2))
    w1 = (torch.tensor(normal(5, 8, 16)) / math.sqrt(8)).requires_grad_()
    w2 = (torch.tensor(normal(6, 16, 2)) / 4).requires_grad_(True)
    for step in range(50):
        hidden = x.mm(w1)
        active = hidden.clamp(min=0)
        prediction = active.mm(w2)
        loss = (prediction - y).pow(2).sum()
        loss.backward()
        if step == 0:
            by_hand = 2.0 * (prediction - y)
            dw2 = active.t().mm(by_hand)
            dh = by_hand.mm(w2.t()).clone()
            dh[hidden < 0] = 0
            dw1 = x.t().mm(dh)
            printed += [torch.allclose(w1.grad, dw1, atol=1e-4), torch.allclose(w2.grad, dw2, atol=1e-4), dw1.detach()]
        with torch.no_grad():
            for w in (w1, w2):
                w -= 1e-3 * w.grad
                w.grad = None
        if step % 10 == 9:
            printed.append(round(loss.item(), 3))
    printed.append(loss.item() / 64)


@program
def micrograd(torch: Any, printed: Printed) -> None:
    """The expression of micrograd's README."""
    a = torch.tensor(-4.0, dtype=torch.double, requires_grad=True)
    b = torch.tensor(2.0, dtype=torch.double, requires_grad=True)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    printed.append(f"{g.item():.4f}")
    g.backward()
    printed += [f"{a.grad.item():.4f}", f"{b.grad:.4f}", str(a), g.item(), a.grad.item(), b.grad.item()]


@program
def bigram(torch: Any, printed: Printed) -> None:
    """makemore's bigram model: counts, then one layer of logits trained to the same distribution."""
    words = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia"]
    chars = sorted(set("".join(words)))
    number = {c: i + 1 for i, c in enumerate(chars)}
    number["."] = 0
    n = len(number)
    counts = torch.zeros((n, n), dtype=torch.int32)
    xs, ys = [], []
    for word in words:
        letters = [".", *word, "."]
        for first, second in itertools.pairwise(letters):
            counts[number[first], number[second]] += 1
            xs.append(number[first])
            ys.append(number[second])
    p = (counts + 1).float()
    p /= p.sum(1, keepdims=True)
    log_likelihood = torch.zeros(())
    for first, second in zip(xs, ys, strict=True):
        log_likelihood += torch.log(p[first, second])
    printed += [counts[0].tolist(), f"{-log_likelihood / len(xs):.4f}", p[0].sum().item()]
    place = 0
    for _ in range(4):  # the most probable letter in the place of a draw
        place = int(torch.argmax(p[place]).item())
        printed.append(place)
    inputs, targets = torch.tensor(xs), torch.tensor(ys)
    w = torch.tensor(normal(7, n, n), requires_grad=True)
    for _ in range(30):
        encoded = torch.nn.functional.one_hot(inputs, num_classes=n).float()
        logits = encoded @ w
        exps = logits.exp()
        probs = exps / exps.sum(1, keepdims=True)
        loss = -probs[torch.arange(len(ys)), targets].log().mean() + 0.01 * (w**2).mean()
        w.grad = None
        loss.backward()
        w.data += -5 * w.grad
        printed.append(loss.item())


@program
def classifier(torch: Any, printed: Printed) -> None:
    """Three classes, log-softmax by hand, the logits of the right class taken by index."""
    x = torch.as_tensor(normal(8, 48, 4))
    y = torch.argmax(x[:, :3] + 0.2, dim=1)
    w = torch.tensor(normal(9, 4, 3), requires_grad=True)
    b = torch.zeros(3, requires_grad=True)
    for step in range(60):
        logits = x @ w + b
        largest = logits.max(1, keepdim=True).values
        norm_logits = logits - largest
        logprobs = norm_logits - norm_logits.exp().sum(1, keepdim=True).log()
        loss = -logprobs[range(len(y)), y].mean()
        for p in (w, b):
            p.grad = None
        loss.backward()
        for p in (w, b):
            p.data += -0.5 * p.grad
        if step % 20 == 19:
            same = torch.nn.functional.cross_entropy(logits, y)
            printed += [loss.item(), (loss - same).abs().item() < 1e-6]
    _, predicted = torch.max(logits.data, 1)
    printed.append((predicted == y).sum().item() / y.size(0))


@program
def polynomial(torch: Any, printed: Printed) -> None:
    """PyTorch's first tutorial: sin by a polynomial of degree three."""
    x = torch.linspace(-math.pi, math.pi, 2000, dtype=torch.float64)
    y = torch.sin(x)
    a, b, c, d = (torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in normal(10, 4))
    for t in range(1500):
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        if t % 500 == 499:
            printed.append(round(loss.item(), 5))
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= 1e-6 * p.grad
                p.grad = None
    printed.append(f"y = {a.item():.4f} + {b.item():.4f} x + {c.item():.4f} x^2 + {d.item():.4f} x^3")
    printed += [a.item(), b.item(), c.item(), d.item(), loss.item()]


@program
def from_scratch(torch: Any, printed: Printed) -> None:
    """Dive into Deep Learning's linear regression: synthetic data, batches, squared loss, its own sgd."""

    def linreg(features: Any, w: Any, b: Any) -> Any:
        return torch.matmul(features, w) + b

    def squared_loss(y_hat: Any, y: Any) -> Any:
        return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2

    def sgd(params: Any, lr: float, batch_size: int) -> None:
        with torch.no_grad():
            for param in params:
                param -= lr * param.grad / batch_size
                param.grad.zero_()

    true_w, true_b = torch.tensor([2, -3.4]), 4.2
    features = torch.tensor(normal(11, 200, 2))
    labels = (torch.matmul(features, true_w) + true_b + 0.01 * torch.tensor(normal(12, 200))).reshape((-1, 1))
    order = np.random.default_rng(13).permutation(200)
    w = torch.tensor(0.01 * normal(14, 2, 1), requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for epoch in range(3):
        for i in range(0, 200, 10):
            indices = torch.tensor(order[i : min(i + 10, 200)])
            squared_loss(linreg(features[indices], w, b), labels[indices]).sum().backward()
            sgd([w, b], 0.1, 10)
        with torch.no_grad():
            train = squared_loss(linreg(features, w, b), labels)
            printed.append(f"epoch {epoch + 1}, loss {float(train.mean()):f}"[:15])
    printed += [str(features[0]), features.shape, labels.shape, len(labels), w.reshape(true_w.shape) - true_w]
    printed += [w[0].item(), w[1].item(), b.item()]


@program
def newton(torch: Any, printed: Printed) -> None:
    """Newton's method, the derivatives by autograd: a root by the first, a minimum by the second."""
    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    for _ in range(6):
        value = torch.cos(x) - x
        (slope,) = torch.autograd.grad(value, x)
        x = (x - value / slope).detach().requires_grad_()
        printed.append(x.item())
    root = x.item()
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    for _ in range(8):
        y = x**3 / 3 - 2 * x
        (first,) = torch.autograd.grad(y, x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        with torch.no_grad():
            x -= first / second
        printed += [first.item(), second.item()]
    printed += [torch.autograd.functional.hessian(lambda v: (v**3).sum(), torch.tensor([1.0, 2.0])), root, x.item()]


@program
def legendre(torch: Any, printed: Printed) -> None:
    """PyTorch's tutorial on custom functions: P₃(x) = (5x³ − 3x) / 2 with its own backward."""

    class LegendrePolynomial3(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, input: Any) -> Any:
            ctx.save_for_backward(input)
            return 0.5 * (5 * input**3 - 3 * input)

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            (input,) = ctx.saved_tensors
            return grad_output * 1.5 * (5 * input**2 - 1)

    device = torch.device("cpu")
    x = torch.linspace(-math.pi, math.pi, 2000, device=device, dtype=torch.float64)
    y = torch.sin(x)
    a = torch.full((), 0.0, device=device, dtype=torch.float64, requires_grad=True)
    b = torch.full((), -1.0, device=device, dtype=torch.float64, requires_grad=True)
    c = torch.full((), 0.0, device=device, dtype=torch.float64, requires_grad=True)
    d = torch.full((), 0.3, device=device, dtype=torch.float64, requires_grad=True)
    for t in range(700):
        p3 = LegendrePolynomial3.apply
        loss = (a + b * p3(c + d * x) - y).pow(2).sum()
        if t % 100 == 99:
            printed.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for p in (a, b, c, d):
                p -= 5e-6 * p.grad
                p.grad = None
    printed += [a.item(), b.item(), c.item(), d.item(), loss.item()]


@program
def accumulation(torch: Any, printed: Printed) -> None:
    """Gradients of four small batches add up to the gradient of the large one."""
    x, y = torch.tensor(normal(15, 16, 3)), torch.tensor(normal(16, 16))
    w = torch.tensor(normal(17, 3), requires_grad=True)
    for part_x, part_y in zip(x.split(4), torch.chunk(y, 4), strict=True):
        loss = torch.nn.functional.mse_loss(part_x.mv(w), part_y) / 4
        loss.backward()
        printed.append(w.grad.norm().item())
    summed = w.grad.clone()
    w.grad = None
    torch.nn.functional.mse_loss(x @ w, y).backward()
    printed += [torch.allclose(summed, w.grad, atol=1e-6), summed[0].item(), w.grad[0].item()]


@program
def evaluation(torch: Any, printed: Printed) -> None:
    """Training, then an evaluation that leaves no graph: detach, no_grad, eval under a decorator."""
    x = torch.tensor(normal(18, 64, 5))
    y = (x.sum(1) > 0).long()
    w = torch.zeros(5, 2, requires_grad=True)

    @torch.no_grad()
    def accuracy() -> float:
        logits = x[:32] @ w
        printed.append((logits.requires_grad, logits.grad_fn is None, torch.is_grad_enabled()))
        return float((logits.argmax(dim=1) == y[:32]).float().mean())

    before = accuracy()
    history = []
    for _ in range(10):
        loss = torch.nn.functional.nll_loss(torch.log_softmax(x[:32] @ w, dim=1), y[:32])
        history.append(loss.detach())
        w.grad = None
        loss.backward()
        with torch.no_grad():
            w.copy_(w - w.grad)
    printed += [torch.stack(history), history[0].requires_grad, loss.requires_grad, loss.detach().cpu().numpy()]
    frozen = w.detach()
    hidden = (frozen * 2).sum()
    printed += [hidden.requires_grad, frozen.is_leaf, w.is_leaf, (w * 2).is_leaf]
    with torch.set_grad_enabled(False):
        printed.append((x @ w).requires_grad)
    with torch.inference_mode():
        test = torch.nn.functional.cross_entropy(x[32:] @ w, y[32:]).item()
    printed += [before, accuracy(), test]


# -- the comparison --------------------------------------------------------------------------------------------------------


def output(name: str, torch: Any) -> Printed:
    """What a program prints: tensors and arrays as nested lists, shapes as tuples."""
    printed: Printed = []
    PROGRAMS[name](torch, printed)
    return [v.tolist() if hasattr(v, "tolist") else tuple(v) if isinstance(v, tuple) else v for v in printed]


def agree(ours: Any, theirs: Any, where: str) -> None:
    """Texts and truths alike, numbers to five digits."""
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            agree(*pair, f"{where}[{i}]")
    elif isinstance(theirs, float):
        assert math.isclose(ours, theirs, rel_tol=1e-5, abs_tol=1e-5), f"{where}: {ours} here, {theirs} in PyTorch"
    else:
        assert ours == theirs and type(ours) is type(theirs), f"{where}: {ours!r} here, {theirs!r} in PyTorch"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_pytorch_prints(name: str) -> None:
    """Only the import changes."""
    torch = pytest.importorskip("torch")
    agree(output(name, tinygrad_fr), output(name, torch), name)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_with_the_recorded_numbers(name: str) -> None:
    """The same without PyTorch: its last numbers, to five digits."""
    numbers = [v for v in output(name, tinygrad_fr) if isinstance(v, float)]
    np.testing.assert_allclose(numbers[-len(RECORDED[name]) :], RECORDED[name], rtol=1e-4, atol=1e-5)
