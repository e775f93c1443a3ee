"""Losses compute, reduce and refuse as PyTorch's do: values, gradients to the second order, options, messages."""

from __future__ import annotations

import contextlib
import math
import re
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
from tinygrad_fr.nn.losses import Loss
from tinygrad_fr.testing import gradcheck, gradgradcheck

F = nn.functional
LOSSES = [name for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, Loss)]

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P, Q = RNG.uniform(0.05, 0.95, (4, 3)), RNG.uniform(0.05, 0.95, (4, 3))
SHARES = Q / Q.sum(1, keepdims=True)
LABELS = np.array([0, 2, 1, 2])
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
DEEP = RNG.normal(size=(2, 3, 5))
DEEP_LABELS = RNG.integers(0, 3, (2, 5))

# The constructor, with R for the reduction and WEIGHT for three weights; the arrays; of the mean, the value and Σ (∂/∂input)².
CASES: list[tuple[str, list[Any], float, float]] = [
    ("MSELoss(R)", [X, Y], 1.3336987, 0.44456622),
    ("L1Loss(R)", [X, Y], 0.9826531, 0.083333333),
    ("SmoothL1Loss(R)", [X, Y], 0.54707398, 0.049316217),
    ("SmoothL1Loss(R, beta=0.3)", [X, Y], 0.83278317, 0.081988847),
    ("HuberLoss(R)", [X, Y], 0.54707398, 0.049316217),
    ("HuberLoss(R, delta=0.7)", [X, Y], 0.45545319, 0.032693002),
    ("BCELoss(R)", [P, Q], 0.95902712, 0.58860152),
    ("BCELoss(WEIGHT, R)", [P, Q], 1.2317294, 1.354072),
    ("BCEWithLogitsLoss(R)", [X, Q], 0.74343877, 0.004499203),
    ("BCEWithLogitsLoss(WEIGHT, R)", [X, Q], 0.99907974, 0.016538639),
    ("BCEWithLogitsLoss(R, pos_weight=WEIGHT)", [X, Q], 0.83063067, 0.018917386),
    ("BCEWithLogitsLoss(WEIGHT, R, pos_weight=WEIGHT)", [X, Q], 1.7240715, 0.15815771),
    ("CrossEntropyLoss(R)", [X, LABELS], 1.0370969, 0.17194831),
    ("CrossEntropyLoss(WEIGHT, R)", [X, LABELS], 1.2668639, 0.35411558),
    ("CrossEntropyLoss(R, ignore_index=2)", [X, LABELS], 0.6885016, 0.18841049),
    ("CrossEntropyLoss(R, label_smoothing=0.2)", [X, LABELS], 1.1169465, 0.11682283),
    ("CrossEntropyLoss(WEIGHT, R, ignore_index=0, label_smoothing=0.2)", [X, LABELS], 1.1685685, 0.27343165),
    ("CrossEntropyLoss(R)", [X, SHARES], 1.314761, 0.022997151),
    ("CrossEntropyLoss(WEIGHT, R, label_smoothing=0.2)", [X, SHARES], 1.6441927, 0.16457899),
    ("CrossEntropyLoss(R)", [DEEP, DEEP_LABELS], 1.7580027, 0.10362669),
    ("CrossEntropyLoss(WEIGHT, R, ignore_index=1)", [DEEP, DEEP_LABELS], 1.5660898, 0.2110391),
    ("CrossEntropyLoss(R)", [X[0], LABELS[0]], 0.7121702, 0.38965505),
    ("NLLLoss(R)", [X, LABELS], -0.44911732, 0.25),
    ("NLLLoss(WEIGHT, R, ignore_index=1)", [X, LABELS], -0.40945785, 0.46930281),
    ("NLLLoss(R)", [DEEP, DEEP_LABELS], 0.18037593, 0.1),
    ("KLDivLoss(R)", [X, SHARES], -0.41336952, 0.0098165823),
    ("KLDivLoss(R, log_target=True)", [X, Y], 0.17403975, 0.13753091),
    ("PoissonNLLLoss(R)", [X, 3 * P], 1.9123416, 0.3630731),
    ("PoissonNLLLoss(log_input=False, full=True, R)", [P, 3 * Q], 2.5788466, 3.6911634),
    ("GaussianNLLLoss(R)", [X, Y, P], 1.6692164, 1.7517004),
    ("GaussianNLLLoss(R, full=True, eps=0.5)", [X, Y, P], 1.7589768, 0.30683168),
    ("HingeEmbeddingLoss(R)", [X[:, 0], SIGNS], 1.1005302, 0.25),
    ("HingeEmbeddingLoss(0.3, R)", [X[:, 1], SIGNS], 0.11370475, 0.125),
    ("MarginRankingLoss(R)", [X[:, 0], Y[:, 0], SIGNS], 0.18546448, 0.0625),
    ("MarginRankingLoss(0.5, R)", [X[:, 0], Y[:, 0], SIGNS], 0.32240181, 0.125),
    ("CosineEmbeddingLoss(R)", [X, Y, SIGNS], 0.45355004, 0.17336068),
    ("CosineEmbeddingLoss(0.1, R)", [X, Y, SIGNS], 0.42855004, 0.17336068),
]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0] + "/".join(str(np.shape(a)) for a in case[1]))
each_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def loss(text: str, reduction: str, torch: Any, dtype: str = "float64") -> Any:
    """The loss of a case, on a framework."""
    text = re.sub(r"\bR\b", f"reduction={reduction!r}", text)
    return made(re.sub(r"\bWEIGHT\b", f"torch.tensor([0.2, 1.0, 3.0], dtype=torch.{dtype})", text), torch)


def expected_warnings(text: str) -> Any:
    """PyTorch warns of the mean of a divergence, which is not the mathematician's."""
    return pytest.warns(UserWarning, match="'batchmean' divides only by") if "KLDiv" in text else contextlib.nullcontext()


@each_case
def test_loss_recorded(case: Any) -> None:
    """The mean and its gradient; the sum is that of the elements, and so is the mean where nothing weighs."""
    text, arrays, value, square = case
    inputs = [leaf(a, tg) for a in arrays]
    with expected_warnings(text):
        mean = loss(text, "mean", tg)(*inputs)
    mean.backward()
    assert mean.item() == pytest.approx(value, rel=1e-5)
    assert (inputs[0].grad ** 2).sum().item() == pytest.approx(square, rel=1e-5)
    elements = loss(text, "none", tg)(*inputs)
    assert loss(text, "sum", tg)(*inputs).item() == pytest.approx(elements.sum().item(), rel=1e-9)
    if "WEIGHT" not in text and "ignore_index" not in text:
        assert elements.mean().item() == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_reduction
@each_case
def test_loss_is_pytorchs(case: Any, reduction: str, dtype: str) -> None:
    """Values, and the gradients of every argument that holds floats."""
    text, arrays, *_ = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of a divergence: see below
        ours, theirs = (results(loss(text, reduction, m, dtype), arrays, m, dtype) for m in (tg, framework("torch")))
    near = {"rtol": 2e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-12}
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, **near)


@each_case
def test_derivatives_of_a_loss(case: Any) -> None:
    """First and second order of the input against small differences; the target too, where it has a derivative."""
    text, arrays, *_ = case
    criterion = loss(text, "sum", tg)
    inputs = [leaf(a, tg) for a in arrays]
    for t in inputs[1:]:
        if t.requires_grad and ((t.abs() == 1).all() or "eps=0.5" in text):
            t.requires_grad = False  # a sign is a choice; a variance below eps is raised without its gradient knowing
    checked = tuple(t for t in inputs if t.requires_grad)
    assert gradcheck(lambda *_: criterion(*inputs), checked)
    assert gradgradcheck(lambda *_: criterion(*inputs), checked)


# -- far from the middle ---------------------------------------------------------------------------------------------------

EXTREMES: dict[str, list[Any]] = {
    "CrossEntropyLoss(R)": [np.array([[1000.0, -1000.0, 0.0], [0.0, 0.0, 0.0], [-1e4, -1e4, 1e4]]), np.array([1, 0, 2])],
    "CrossEntropyLoss(R, label_smoothing=0.1)": [np.array([[1000.0, -1000.0, 0.0]]), np.array([0])],
    "BCEWithLogitsLoss(R)": [np.array([1000.0, -1000.0, 0.0, 30.0, -30.0]), np.array([1.0, 1.0, 0.0, 0.0, 1.0])],
    "BCELoss(R)": [np.array([0.0, 1.0, 1.0, 0.0, 1e-30]), np.array([1.0, 0.0, 1.0, 0.0, 1.0])],
    "SmoothL1Loss(R)": [np.array([0.0, 1.0, -1.0, 1e10]), np.zeros(4)],
    "SmoothL1Loss(R, beta=0.0)": [np.array([0.0, 1.0, -1.0]), np.zeros(3)],
    "HuberLoss(R, delta=0.5)": [np.array([0.0, 0.5, -0.5, 1e10]), np.zeros(4)],
    "L1Loss(R)": [np.array([0.0, 1.0, -1e10]), np.zeros(3)],
    "MSELoss(R)": [np.array([1e18, -1e-30, 0.0]), np.zeros(3)],
    "KLDivLoss(R)": [np.log(np.array([[0.5, 0.5]])), np.array([[0.0, 1.0]])],
    "HingeEmbeddingLoss(R)": [np.array([1.0, 0.0, 2.0]), np.array([-1.0, -1.0, 1.0])],
    "MarginRankingLoss(R)": [np.array([1.0, 1.0]), np.array([1.0, 3.0]), np.array([1.0, -1.0])],
    "CosineEmbeddingLoss(R)": [np.zeros((1, 2)), np.ones((1, 2)), np.array([1.0])],
    "PoissonNLLLoss(R, full=True)": [np.array([0.0, 2.0]), np.array([0.0, 1.0])],
    "PoissonNLLLoss(log_input=False, R)": [np.array([0.0, 2.0]), np.array([0.0, 1.0])],
    "GaussianNLLLoss(R)": [np.array([0.0, 1.0]), np.array([0.0, 0.0]), np.array([0.0, 1e-9])],
}


@each_reduction
@pytest.mark.parametrize("text", EXTREMES)
def test_extremes_are_pytorchs(text: str, reduction: str) -> None:
    """Kinks, zeros, huge numbers: no overflow, and PyTorch's side of every kink."""
    for dtype in ("float32", "float64"):
        found = []
        for m in (tg, framework("torch")):
            inputs = [leaf(a, m, dtype) for a in EXTREMES[text]]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                value = loss(text, reduction, m, dtype)(*inputs)
            value.sum().backward()
            found.append([np.array(value.detach().tolist()), np.array(inputs[0].grad.tolist())])
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-30 if "MSE" in text else 1e-7)


def test_extremes_recorded() -> None:
    """The numbers that matter to a learner: a wrong certainty costs 100 at most, and nothing overflows."""
    assert F.binary_cross_entropy(tg.tensor([0.0, 1.0]), tg.tensor([1.0, 0.0])).item() == 100
    assert F.binary_cross_entropy_with_logits(tg.tensor([-1000.0]), tg.tensor([1.0])).item() == 1000
    assert F.cross_entropy(tg.tensor([[1000.0, -1000.0]]), tg.tensor([1])).item() == 2000
    assert F.kl_div(tg.tensor([[0.0]]), tg.tensor([[0.0]]), reduction="sum").item() == 0


# -- class numbers ---------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_cross_entropy_with_any_options_is_pytorchs(data: st.DataObject) -> None:
    """Class numbers of any shape, weights, an ignored class, smoothing and reductions, together."""
    torch = framework("torch")
    classes, samples = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    extra = tuple(data.draw(st.lists(st.integers(1, 3), max_size=2)))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    logits = generator.normal(0, 3, (samples, classes, *extra))
    labels = generator.integers(0, classes, (samples, *extra))
    if data.draw(st.booleans()):
        logits, labels = logits[0], labels[0]
        if extra:
            return  # PyTorch reads (classes, d) as samples of classes
    weight = generator.uniform(0.1, 2, classes) if data.draw(st.booleans()) else None
    options = {
        "ignore_index": data.draw(st.sampled_from([-100, 0, classes - 1])),
        "label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0])),
        "reduction": data.draw(st.sampled_from(["mean", "sum", "none"])),
    }
    found = []
    for m in (tg, torch):
        z = m.tensor(logits, requires_grad=True)
        value = m.nn.CrossEntropyLoss(None if weight is None else m.tensor(weight), **options)(z, m.tensor(labels))
        value.sum().backward()
        found.append([np.array(value.detach().tolist()), np.array(z.grad.tolist())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_cross_entropy_is_what_its_parts_are() -> None:
    """CrossEntropyLoss = NLLLoss ∘ LogSoftmax; class numbers = their one-hot rows; BCEWithLogits = BCE ∘ sigmoid."""
    z, labels = tg.tensor(X), tg.tensor(LABELS)
    fused = nn.CrossEntropyLoss()(z, labels).item()
    assert nn.NLLLoss()(nn.LogSoftmax(1)(z), labels).item() == pytest.approx(fused)
    assert nn.CrossEntropyLoss()(z, F.one_hot(labels, 3).double()).item() == pytest.approx(fused)
    two = tg.tensor(Q)
    assert nn.BCEWithLogitsLoss()(z, two).item() == pytest.approx(nn.BCELoss()(z.sigmoid(), two).item())


def test_the_gradient_of_a_course() -> None:
    """∂C/∂Z = (A − y) / n for both cross-entropies (S1), (2/n)(Y − Y*) for the mean squared error (S0)."""
    z = tg.tensor(X, requires_grad=True)
    nn.CrossEntropyLoss()(z, tg.tensor(LABELS)).backward()
    np.testing.assert_allclose(z.grad.numpy(), (F.softmax(z, 1).detach().numpy() - np.eye(3)[LABELS]) / 4)
    z.grad = None
    nn.BCEWithLogitsLoss()(z, tg.tensor(Q)).backward()
    np.testing.assert_allclose(z.grad.numpy(), (1 / (1 + np.exp(-X)) - Q) / 12)
    z.grad = None
    nn.MSELoss()(z, tg.tensor(Y)).backward()
    np.testing.assert_allclose(z.grad.numpy(), 2 / 12 * (X - Y))


# -- options ---------------------------------------------------------------------------------------------------------------

SESSIONS = {
    "weights are buffers": """
>>> criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0])); list(criterion.state_dict()), list(criterion.parameters())
(['weight'], [])
>>> kind(criterion.double().weight), nn.BCEWithLogitsLoss(pos_weight=torch.ones(2)).state_dict()["pos_weight"].tolist()
('float64', [1.0, 1.0])
>>> nn.CrossEntropyLoss().weight is None, list(nn.NLLLoss().state_dict()), nn.CrossEntropyLoss(ignore_index=3).ignore_index
(True, [], 3)
>>> nn.MSELoss().reduction, nn.KLDivLoss(reduction="batchmean").reduction, nn.BCELoss(reduction="none").reduction
('mean', 'batchmean', 'none')
>>> net = nn.Module(); net.criterion = nn.NLLLoss(torch.ones(2)); list(net.state_dict()), net
(['criterion.weight'], Module(
  (criterion): NLLLoss()
))
""",
    "former names of the reductions": """
>>> x, y = torch.tensor([1.0, 3.0]), torch.zeros(2)
>>> [nn.L1Loss(size_average=a, reduce=b)(x, y).tolist() for a, b in [(True, None), (False, None), (None, False), (False, True)]]
[2.0, 4.0, [1.0, 3.0], 4.0]
>>> F.mse_loss(x, y, size_average=False).item(), F.mse_loss(x, y, reduce=False).tolist(), nn.MSELoss(False)(x, y).item()
(10.0, [1.0, 9.0], 10.0)
""",
    "weights of the elements": """
>>> x, y, w = torch.tensor([1.0, 2.0, 4.0]), torch.zeros(3), torch.tensor([1.0, 2.0, 3.0])
>>> [F.mse_loss(x, y, weight=w, reduction=r).tolist() for r in ("mean", "sum", "none")]
[9.5, 57.0, [1.0, 8.0, 48.0]]
>>> [F.l1_loss(x, y, weight=w, reduction=r).tolist() for r in ("sum", "none")], round(F.l1_loss(x, y, weight=w).item(), 4)
([17.0, [1.0, 4.0, 12.0]], 2.8333)
>>> [F.huber_loss(x, y, weight=w, reduction=r).tolist() for r in ("sum", "none")]
[14.0, [0.5, 3.0, 10.5]]
>>> round(F.huber_loss(x, y, weight=w).item(), 4)
4.6667
>>> for loss in F.mse_loss, F.l1_loss, F.huber_loss:
...     try:
...         loss(x, y, weight=w[:2])
...     except ValueError as error:
...         print(str(error)[:41])
Weights and input must have the same size
Weights and input must have the same size
Weights and input must have the same size
""",
    "kl_div": """
>>> x, y = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]])), torch.tensor([[0.5, 0.5], [0.0, 1.0]])
>>> [round(nn.KLDivLoss(reduction=r)(x, y).item(), 4) for r in ("batchmean", "sum", "mean")]
[0.4185, 0.837, 0.2092]
>>> round(nn.KLDivLoss(reduction="batchmean", log_target=True)(x, x).item(), 4)
0.0
""",
    "shapes of class numbers": """
>>> F.cross_entropy(torch.zeros(3), torch.tensor(1)), F.cross_entropy(torch.zeros(3), torch.tensor([1]))
(tensor(1.0986), tensor(1.0986))
>>> z = torch.zeros(2, 3, 4); F.nll_loss(z, torch.zeros(2, 4, dtype=torch.int64), reduction="none").shape
torch.Size([2, 4])
>>> z = torch.zeros(1, 3, requires_grad=True); F.cross_entropy(z, torch.tensor([-100]), label_smoothing=0.1).backward(); z.grad
tensor([[0., 0., 0.]])
>>> z = torch.zeros(1, 3)
>>> F.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)), F.cross_entropy(z[:1], torch.tensor([-100]))
(tensor(nan), tensor(nan))
>>> F.cross_entropy(torch.zeros(1, 3), torch.tensor([-100]), reduction="sum")
tensor(0.)
>>> F.cross_entropy(torch.zeros(1, 3), torch.tensor([2], dtype=torch.uint8))
tensor(1.0986)
""",
    "errors": """
>>> z = torch.zeros(4, 3)
>>> F.cross_entropy(z, torch.tensor([0, 1, 2, 10]))
Traceback (most recent call last):
IndexError: Target 10 is out of bounds...
>>> F.nll_loss(z, torch.tensor([0, 1, 2, -1]))
Traceback (most recent call last):
IndexError: Target -1 is out of bounds...
>>> F.cross_entropy(z, torch.tensor([0, 1, 2]))
Traceback (most recent call last):
ValueError: Expected input batch_size (4) to match target batch_size (3)...
>>> F.cross_entropy(z, torch.zeros(4))
Traceback (most recent call last):
RuntimeError: expected target dtype to be Long or Byte, but got ...
>>> F.cross_entropy(z, torch.zeros(4, 1, dtype=torch.int64))
Traceback (most recent call last):
RuntimeError: 0D or 1D target tensor expected, multi-target not supported...
>>> F.cross_entropy(z, torch.zeros(4, 3, dtype=torch.int64))
Traceback (most recent call last):
RuntimeError: Expected floating point type for target with class probabilities, got ...
>>> F.cross_entropy(z, torch.tensor([True] * 4))
Traceback (most recent call last):
RuntimeError: expected target dtype to be Long or Byte, but got ...
>>> F.cross_entropy(torch.zeros(2, 3, 4), torch.zeros(2, 5, dtype=torch.int64))
Traceback (most recent call last):
RuntimeError: Expected target size [2, 4], got [2, 5]...
>>> F.cross_entropy(torch.zeros(2, 3, 4), torch.zeros(3, 4, dtype=torch.int64))
Traceback (most recent call last):
ValueError: Expected input batch_size (2) to match target batch_size (3)...
>>> F.cross_entropy(z, torch.zeros(4, dtype=torch.int64), weight=torch.ones(2))
Traceback (most recent call last):
RuntimeError: ...weight tensor should be defined either for all 3 classes or no classes but got weight tensor of shape: [2]
>>> F.cross_entropy(z, torch.zeros(4, dtype=torch.int64), label_smoothing=1.5)
Traceback (most recent call last):
RuntimeError: label_smoothing must be between 0.0 and 1.0. Got: 1.5
>>> F.cross_entropy(z, torch.zeros(4, 3), ignore_index=1)
Traceback (most recent call last):
RuntimeError: ignore_index is not supported for floating point target...
>>> F.binary_cross_entropy(torch.tensor([1.5]), torch.tensor([1.0]))
Traceback (most recent call last):
RuntimeError: all elements of input should be between 0 and 1...
>>> F.binary_cross_entropy(torch.tensor([math.nan]), torch.tensor([1.0]))
Traceback (most recent call last):
RuntimeError: all elements of input should be between 0 and 1...
>>> F.binary_cross_entropy(torch.ones(2, 1), torch.ones(2))
Traceback (most recent call last):
ValueError: Using a target size (torch.Size([2])) that is different to the input size (torch.Size([2, 1])) is deprecated...
>>> F.binary_cross_entropy_with_logits(torch.ones(2, 1), torch.ones(2))
Traceback (most recent call last):
ValueError: Target size (torch.Size([2])) must be the same as input size (torch.Size([2, 1]))...
>>> F.mse_loss(z, torch.zeros(5))
Traceback (most recent call last):
RuntimeError: The size of tensor a ...
>>> nn.MSELoss(reduction="average")(z, z)
Traceback (most recent call last):
ValueError: average is not a valid value for reduction...
>>> F.smooth_l1_loss(z, z, beta=-1)
Traceback (most recent call last):
RuntimeError: smooth_l1_loss does not support negative values for beta.
>>> F.huber_loss(z, z, delta=0)
Traceback (most recent call last):
RuntimeError: huber_loss does not support non-positive values for delta.
>>> F.gaussian_nll_loss(z, z, torch.ones(3))
Traceback (most recent call last):
ValueError: var is of incorrect size...
>>> F.gaussian_nll_loss(z, z, -torch.ones(4, 3))
Traceback (most recent call last):
ValueError: var has negative entry/entries...
>>> F.margin_ranking_loss(z, torch.zeros(3), torch.ones(3))
Traceback (most recent call last):
RuntimeError: margin_ranking_loss : All input tensors should have same dimension but got sizes: ...
>>> F.cosine_embedding_loss(z, z, torch.ones(4, 3))
Traceback (most recent call last):
RuntimeError: 0D or 1D target tensor expected, multi-target not supported...
>>> F.kl_div(z, z, reduction="average")
Traceback (most recent call last):
ValueError: average is not a valid value for reduction...
""",
}


@each(SESSIONS)
def test_session(session: str, name: str) -> None:
    """Options and errors, said once and held twice."""
    hold(session, name)


def test_a_reduction_of_another_name_is_refused_at_once() -> None:
    """When the loss is made, not in the middle of a training."""
    for name in LOSSES:
        with pytest.raises(ValueError, match="average is not a valid value for reduction"):
            getattr(nn, name)(reduction="average")


# -- misuse ----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", [name for name in LOSSES if name != "GaussianNLLLoss"])
def test_output_and_target_given_to_the_constructor(name: str) -> None:
    """`nn.MSELoss(output, target)` is the commonest mistake with losses: the message shows the two lines to write."""
    assert len(LOSSES) == 14
    with pytest.raises(TypeError, match=rf"criterion = nn.{name}\(\).*loss = criterion\(output, target\)"):
        getattr(nn, name)(tg.ones(2), tg.ones(2))


def refused(kind: type[Exception], call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_the_message_says_what_to_write() -> None:
    """Labels of another dtype or shape, logits where probabilities belong."""
    z = tg.zeros(4, 3, requires_grad=True)
    refused(IndexError, lambda: F.cross_entropy(z, tg.tensor([0, 1, 2, 3])), "3 classes, numbered from 0")
    refused(RuntimeError, lambda: F.cross_entropy(z, tg.zeros(4)), "target.long()")
    refused(RuntimeError, lambda: F.nll_loss(z, tg.zeros(4)), "target.long()")
    refused(RuntimeError, lambda: F.cross_entropy(z, tg.zeros(4, 1, dtype=tg.int64)), "target.squeeze(1)")
    refused(RuntimeError, lambda: F.cross_entropy(z, tg.zeros(4, 3, dtype=tg.int64)), "target.argmax(1)", "target.float()")
    refused(RuntimeError, lambda: F.cross_entropy(z, tg.zeros(4, 2)), "probabilities", "(4, 3)")
    refused(RuntimeError, lambda: nn.BCELoss()(z + 2, z.detach()), "sigmoid", "with_logits")
    refused(RuntimeError, lambda: nn.BCELoss()(z + math.nan, z.detach()), "nan")
    refused(ValueError, lambda: nn.BCEWithLogitsLoss()(z, tg.zeros(4)), "target.view_as(input)")
    assert z.grad is None and z.tolist() == [[0.0] * 3] * 4


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"])
def test_a_broadcast_is_done_with_a_warning(name: str) -> None:
    """A column of outputs and a row of targets: PyTorch's values, PyTorch's warning."""
    found = []
    for m in (tg, framework("torch")):
        x = m.tensor([[1.0], [2.0]], requires_grad=True)
        with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[2\]\)\) that is different"):
            value = getattr(m.nn, name)()(x, m.tensor([0.0, 5.0]))
        value.backward()
        found.append((value.item(), x.grad.tolist()))
    assert found[0][0] == pytest.approx(found[1][0]) and np.allclose(found[0][1], found[1][1])


def test_a_nan_in_the_data_is_not_an_error_of_the_loss() -> None:
    """It comes out, so that the user sees it; only BCELoss, which knows what a probability is, refuses it."""
    for text, arrays, *_ in CASES:
        if not text.startswith("BCELoss") and "ignore_index=0" not in text:  # which ignores the spoilt sample
            spoilt = [arrays[0].copy(), *arrays[1:]]
            spoilt[0][0] = np.nan  # the first sample
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                value = loss(text, "sum", tg)(*[leaf(a, tg) for a in spoilt])
            assert math.isnan(value.item()), text


def test_losses_take_what_keyword_arguments_pytorch_takes() -> None:
    """By position and by name."""
    x, y = tg.tensor(X), tg.tensor(Y)
    assert nn.MSELoss()(input=x, target=y).item() == nn.MSELoss()(x, y).item()
    assert nn.CrossEntropyLoss()(input=x, target=tg.tensor(LABELS)).item() == F.cross_entropy(x, tg.tensor(LABELS)).item()
    assert nn.PoissonNLLLoss()(log_input=x, target=y).item() == F.poisson_nll_loss(x, y).item()
    assert F.gaussian_nll_loss(x, y, 2.0).item() == F.gaussian_nll_loss(x, y, tg.full((4, 3), 2.0, dtype=x.dtype)).item()
    assert F.gaussian_nll_loss(x, y, tg.ones(4)).item() == F.gaussian_nll_loss(x, y, tg.ones(4, 1)).item()
