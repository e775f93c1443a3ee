"""compile(step, backend="numba"): which lines become loops, what stays with NumPy, and many calls in one.

That it does what the eager step does is tested in test_compile.py, together with the NumPy backend.
"""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_compile
from test_compile import X, Y, course, near, xor_net

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

pytest.importorskip("numba")


def in_loops(step: Callable[..., Any]) -> Any:
    return torch.compile(step, backend="numba")


def training(net: Any, criterion: Any, lr: float = 0.1) -> tuple[Any, Any]:
    """A step, and the same compiled, each of a model of its own."""

    def one(model: Any) -> Any:
        optimizer = optim.SGD(model.parameters(), lr=lr)

        def step(x: Any, y: Any) -> Any:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        return step

    return one(net()), in_loops(one(net()))


def kernels(text: str) -> list[str]:
    """The text of each kernel."""
    return re.findall(r"@njit[^\n]*\ndef (?!inner)\w+\(.*?(?=\n\n\n|\Z)", text, re.S)


# -- what is tested of the NumPy backend holds here ----------------------------------------------------------------------

ABOUT_NUMPY = {
    "test_plain_numpy_calls_of_eager_give_the_same_bits", "test_draws_from_probabilities_that_the_step_computes",
    "test_the_program_reads_like_the_course", "test_the_docstring_says_where_each_line_comes_from",
    "test_one_call_updates_all_parameters", "test_a_large_layer_is_updated_bit_for_bit_as_in_eager",
    "test_another_shape_takes_the_same_memory", "test_nothing_is_left_to_the_collector",
}  # fmt: skip
"""Tests of the very text or the very bits, and of the collector, for which Numba leaves work."""

OTHERS = [
    test
    for name, test in vars(test_compile).items()
    if name.startswith("test_") and name not in ABOUT_NUMPY and inspect.isfunction(test)
    if not inspect.signature(test).parameters and not hasattr(test, "hypothesis")
]


@pytest.mark.parametrize("test", OTHERS, ids=lambda test: test.__name__)
def test_whatever_else_a_compiled_step_does(test: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test of the other backend that speaks of no text and no bits, with this one."""
    compile = torch.compile

    def with_numba(step: Any = None, *, backend: str = "numba") -> Any:
        return compile(step, backend="numba" if backend == "numpy" else backend)

    monkeypatch.setattr(torch, "compile", with_numba)
    test()


def test_programs_of_several_shapes_take_turns() -> None:
    """The parameters stay where they are: each program is made once."""
    torch.manual_seed(0)
    eager, compiled = training(xor_net, nn.MSELoss())
    for i in range(12):
        n = 2 + i % 3
        near(compiled(X[:n], Y[:n])._array, eager(X[:n], Y[:n])._array, 64)
    assert len(compiled.traces) == 3


# -- the text ----------------------------------------------------------------------------------------------------------


def test_a_small_step_is_one_kernel_that_reads_like_the_course() -> None:
    eager, compiled = training(xor_net, nn.MSELoss())
    for _ in range(4):
        near(compiled(X[:1], Y[:1]).numpy(), eager(X[:1], Y[:1]).detach().numpy(), 16)
    text = compiled.source()
    assert len(kernels(text)) == 1
    for line in (
        "# z1 = x W₁ᵗ + b₁", "# a1 = tanh z₁", "# ∂C/∂z2 = da2 ⊙ (1 − a₂²)", "# P ← P − ηG", "P[i] = P[i] - t_9",
        "from numba import njit", "return loss",
    ):  # fmt: skip
        assert line in text, line
    assert ".dot(" not in text and "np.tanh(z1)" in text
    assert not re.search(r"work\[\d* ?\+? ?j?\] = z1\b", text)  # z1 is needed in its loop only, and never reaches memory


def test_a_gradient_that_is_not_kept_never_reaches_memory() -> None:
    """Of one sample, ∂C/∂W is a product of a column and a row, and the update stands in the loop that computes it."""

    def wide() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(60, 20), nn.Tanh(), nn.Linear(20, 3))

    eager, compiled = training(wide, nn.MSELoss())
    x, y = torch.randn(1, 60), torch.randn(1, 3)
    for _ in range(4):
        near(compiled(x, y).numpy(), eager(x, y).detach().numpy(), 64)
    text = compiled.source()
    assert "dW1[" not in text
    lines = [line.strip() for line in text.splitlines()]
    at = lines.index("dW1 = work[64 + i] * x[0, j]")
    assert lines[at + 2].endswith("= np.float32(lr) * dW1") and lines[at + 3].startswith("W1[i, j] = W1[i, j] - ")


def test_large_products_and_functions_of_many_elements_stay_with_numpy() -> None:
    def wide() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(60, 50), nn.Tanh(), nn.Linear(50, 3))

    eager, compiled = training(wide, nn.CrossEntropyLoss())
    x, y = torch.randn(40, 60), torch.randint(0, 3, (40,))
    for _ in range(4):
        near(compiled(x, y).numpy(), eager(x, y).detach().numpy(), 64)
    text = compiled.source()
    body = text[text.index("def step(") :]
    assert "x.dot(W1_T, out=" in body and "tanh(z1, out=a1)" in body
    assert all("np.tanh" not in kernel for kernel in kernels(text))
    assert len(kernels(text)) > 1


def test_layers_of_one_shape_share_their_kernels() -> None:
    def deep() -> Any:
        torch.manual_seed(0)
        return nn.Sequential(*(m for _ in range(12) for m in (nn.Linear(20, 20), nn.Tanh())))

    eager, compiled = training(deep, nn.MSELoss())
    x, y = torch.randn(30, 20), torch.randn(30, 20)
    for _ in range(4):
        near(compiled(x, y).numpy(), eager(x, y).detach().numpy(), 256)
    text = compiled.source()
    calls = re.findall(r"^    (step_\d+)\(", text[text.index("\ndef step(") :], re.M)
    assert len(kernels(text)) <= 6 < 12 <= len(calls)


def test_a_saved_program_runs_by_itself(tmp_path: Path) -> None:
    _, compiled = training(xor_net, nn.MSELoss())
    for _ in range(3):
        compiled(X, Y)
    compiled.save(tmp_path / "step.py")
    space: dict[str, Any] = {}
    exec((tmp_path / "step.py").read_text(encoding="utf-8"), space)
    for _ in range(3):
        assert float(space["step"](X.numpy(), Y.numpy())) == compiled(X, Y).item()


# -- the numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32], ids=str)
@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y: x + y * 2 - 1,
        lambda x, y: x / y,
        lambda x, y: torch.maximum(x, y) - torch.minimum(x, 3 * y),
        lambda x, y: torch.where(x > y, x, -y) * (x != y),
        lambda x, y: (x * y).sum(0) + x.sum(),
        lambda x, y: x.T @ y + (x @ y.T).sum(),
        lambda x, y: x[1:, ::2] * y[:-1, 1::2].flip(0),
        lambda x, y: (x.unsqueeze(1) - y).abs().mean(-1) if x.is_floating_point() else (x.unsqueeze(1) - y).abs(),
        lambda x, y: x.reshape(4, 3).t().contiguous() ** 2 + y,
        lambda x, y: torch.sqrt(x * x + y * y) + x.float(),
        lambda x, y: ((x > 0) & (y > 1)).sum() + (x == y).float().sum(),
        lambda x, y: (x + y).argmax(dim=1) + (x - y).argmin(dim=0, keepdim=True).sum() + (x * y)[0].argmax(),
    ],
)
def test_formulas(formula: Any, dtype: Any) -> None:
    x = (torch.arange(12).reshape(3, 4) - 5).to(dtype)
    y = (torch.arange(12).reshape(3, 4) % 5 + 1).to(dtype)
    step = in_loops(lambda x, y: formula(x, y))
    step(x, y)
    for a, b in ((x, y), (x + 1, y + 2), (x.T.contiguous().T, y)):
        found, expected = step(a, b), formula(a, b)
        assert found.dtype == expected.dtype and found.shape == expected.shape
        near(found.numpy(), expected.numpy(), 8)


def test_nan_and_infinity_go_where_numpy_lets_them() -> None:
    x = torch.tensor([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30])

    def formula(x: Any) -> tuple[Any, ...]:
        return (
            torch.maximum(x, -x), torch.minimum(x, x * 0), x.max(), x.min(), torch.relu(x), x / x, torch.exp(x), x > 0,
            torch.sigmoid(x), torch.clamp(x, -1, 1), torch.sign(x), x * x, x.argmax(), (-x[1:]).argmin(), x[3:].argmax(),
        )  # fmt: skip

    step = in_loops(formula)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        step(x)
        for found, expected in zip(step(x), formula(x), strict=True):
            np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_a_long_sum_keeps_its_digits() -> None:
    """NumPy adds in pairs; one term after the other, 0.1 a hundred thousand times is off in the third digit."""
    x = torch.full((100_000,), 0.1)
    step = in_loops(lambda x: (x + 0).sum() + 1)
    assert abs(step(x).item() - 10_001) < 0.05 and abs(step(x).item() - 10_001) < 0.05


def test_arguments_in_any_layout() -> None:
    eager, compiled = training(xor_net, nn.MSELoss())
    wide = torch.from_numpy(np.arange(16, dtype=np.float32).reshape(4, 4) / 16)
    frozen = np.array(X.numpy())
    frozen.flags.writeable = False
    for x in (X, wide[:, ::2], wide.T[:, :2], wide[:, 2:].flip(0), torch.from_numpy(np.asfortranarray(X.numpy()))):
        near(compiled(x, Y).numpy(), eager(x, Y).detach().numpy(), 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        near(compiled(torch.from_numpy(frozen), Y).numpy(), eager(X, Y).detach().numpy(), 32)
    assert len(compiled.traces) == 1


def test_numbers_that_numpy_makes_without_axes() -> None:
    right = torch.tensor(0)

    @in_loops
    def count(x: Any, y: Any) -> Any:
        right.add_(x.argmax() == y.argmax())
        return right * 2

    x = torch.tensor([1.0, 3.0, 2.0])
    assert [count(x, x).item() for _ in range(3)] == [2, 4, 6]
    assert count(x, -x).item() == 6


def test_arguments_without_axes() -> None:
    step = in_loops(lambda x, y: x * y + y)
    for _ in range(3):
        assert step(torch.tensor([1.0, 2.0]), torch.tensor(3.0)).tolist() == [6.0, 9.0]
    assert step.loop(torch.ones(5, 2), torch.arange(5.0))[-1].tolist() == [8.0, 8.0] and len(step.traces) == 1


def test_names_that_the_loops_use_themselves() -> None:
    @in_loops
    def step(i: Any, k: Any) -> Any:
        total = i @ k
        inner = total * 2 + i.sum()
        n = inner - k.max()
        return n, total

    def eager(i: Any, k: Any) -> Any:
        return (i @ k) * 2 + i.sum() - k.max(), i @ k

    a, b = torch.rand(3, 4), torch.rand(4, 2)
    for _ in range(3):
        for found, expected in zip(step(a, b), eager(a, b), strict=True):
            near(found.numpy(), expected.numpy(), 16)


def test_arrays_around_the_step_are_read_at_each_call() -> None:
    """Also one whose elements are all alike, which would otherwise be a number in the text."""
    scale, one = np.ones(3, np.float32), np.array(2.0, np.float32)
    step = in_loops(lambda x: x * torch.from_numpy(scale) + torch.from_numpy(one) * x + x)
    x = torch.tensor([1.0, 2.0, 3.0])
    assert step(x).tolist() == step(x).tolist() == [4.0, 8.0, 12.0]
    scale[:], one[...] = 5.0, 3.0
    assert step(x).tolist() == [9.0, 18.0, 27.0]


def test_a_learning_rate_that_changes() -> None:
    net = xor_net()
    optimizer = optim.SGD(net.parameters(), lr=0.0)

    @in_loops
    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    first = step(X, Y).item()
    assert abs(step(X, Y).item() - first) < 1e-6
    optimizer.param_groups[0]["lr"] = 0.5
    step(X, Y)
    assert step(X, Y).item() < first - 1e-3 and len(step.traces) == 1


def test_a_kernel_that_numba_cannot_compile_leaves_everything_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinygrad_fr.compiler import loops

    net = xor_net()
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    @in_loops
    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step(X, Y)  # which makes the velocities
    before = [p.detach().clone() for p in net.parameters()]
    gradients = [p.grad.clone() for p in net.parameters()]
    with monkeypatch.context() as patch:
        patch.setitem(loops._SIGNS, np.subtract, "{} - {} + no_such_name")
        with pytest.raises(RuntimeError, match="backend='numpy'"):
            step(X, Y)
    for p, q, g in zip(net.parameters(), before, gradients, strict=True):
        assert torch.equal(p, q) and torch.equal(p.grad, g)
    step(X, Y)
    assert not torch.equal(next(net.parameters()), before[0])


def test_the_kernels_are_compiled_during_the_first_call() -> None:
    _, compiled = training(xor_net, nn.MSELoss())
    compiled(X, Y)
    (variant,) = compiled.traces
    assert all(type(variant._space[name]).__name__ == "builtin_function_or_method" for name in variant.kernels)


# -- many calls in one -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4, 9])
def test_a_loop_is_so_many_calls(samples: int, backend: str) -> None:
    torch.manual_seed(1)
    xs, ys = torch.rand(samples, 1, 2), torch.rand(samples, 1, 1)

    def step_of(net: Any) -> Any:
        optimizer = optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            prediction = net(x)
            loss = nn.functional.mse_loss(prediction, y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return {"loss": loss, "two": (prediction, None)}

        return step

    one, other = xor_net(), xor_net()
    eager, compiled = step_of(one), torch.compile(step_of(other), backend=backend)
    expected = [eager(x, y) for x, y in zip(xs, ys, strict=True)]
    found = compiled.loop(xs, ys)
    near(found["loss"].numpy(), np.array([e["loss"].item() for e in expected], np.float32), 32)
    near(found["two"][0].numpy(), torch.stack([e["two"][0].detach() for e in expected]).numpy(), 32)
    assert found["loss"].shape == (samples,) and found["two"][0].shape == (samples, 1, 1) and found["two"][1] is None
    for p, q in zip(other.parameters(), one.parameters(), strict=True):
        near(p.detach().numpy(), q.detach().numpy(), 32)


def test_a_loop_runs_in_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    _, compiled = training(xor_net, nn.MSELoss())
    compiled.loop(X[:, None], Y[:, None])
    (variant,) = [v for v in compiled.traces if v.loops is not None][:1]
    calls = []
    original = variant.call
    monkeypatch.setattr(variant, "call", lambda *args: calls.append(1) or original(*args))
    losses = compiled.loop(X.repeat(250, 1)[:, None], Y.repeat(250, 1)[:, None])
    assert losses.shape == (1000,) and len(calls) == 3  # two to know it, one to end with
    assert losses[-4:].mean() < losses[:4].mean()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_loops_of_a_course_system_and_of_bad_arguments(backend: str) -> None:
    losses, parameters, _ = course("S3", False, 12)
    torch.manual_seed(1)
    _, others, step = course("S3", True, 0, backend)
    torch.manual_seed(1)
    for refused, match in (((), "none"), ((X, Y[:2]), r"\(4, 2\), \(2, 1\)"), ((torch.tensor(1.0),), r"\(\)")):
        with pytest.raises(ValueError, match=match):
            step.loop(*refused)
    with pytest.raises(TypeError, match="ndarray"):
        step.loop(X.numpy())
    assert len(losses) == 12 and len(parameters) == len(others)
    assert step.traces == []


def test_a_loop_with_a_dropout_is_calls() -> None:
    """A program that draws is no kernel alone: the loop makes calls, and gives the same numbers."""
    drop = nn.Dropout(0.5)
    compiled = in_loops(lambda x: drop(x) * 2 + 1)
    torch.manual_seed(0)
    found = compiled.loop(torch.ones(6, 4))
    torch.manual_seed(0)
    expected = torch.stack([drop(torch.ones(4)) * 2 + 1 for _ in range(6)])
    assert torch.equal(found, expected) and compiled.traces[0].loops is None


# -- without Numba -----------------------------------------------------------------------------------------------------


def test_without_numba_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad_fr\[jit\]'"):
        torch.compile(lambda x: x, backend="numba")
