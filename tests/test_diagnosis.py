"""Diagnoses: each illness that is provoked is named, a healthy network has none, and looking changes nothing."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lessons import ENGLISH, FRENCH, command_line, numbers, words

import tinygrad_fr as tg
from examples import diagnose as lesson
from tinygrad_fr import diagnosis, nn, optim, visual
from tinygrad_fr.datasets import digits, people, xor
from tinygrad_fr.diagnosis import diagnose, watch_training
from tinygrad_fr.visual.layers import layers_of
from tinygrad_fr.visual.marks import Mark

F = nn.functional


def stack(activation: Any, layers: int, width: int = 16) -> nn.Sequential:
    tg.manual_seed(0)
    net = nn.Sequential()
    for _ in range(layers):
        net.extend([nn.Linear(width, width), activation()])
    return net.append(nn.Linear(width, 1))


def examined(net: nn.Module, examples: int = 64, width: int = 16, **options: Any) -> diagnosis.Diagnosis:
    return diagnose(net, F.mse_loss(net(tg.randn(examples, width)), tg.randn(examples, 1)), lang="en", **options)


def found(report: diagnosis.Diagnosis) -> dict[str, list[str]]:
    """The layers of each illness."""
    kinds: dict[str, list[str]] = {}
    for verdict in report.verdicts:
        kinds.setdefault(verdict.kind, []).append(verdict.layer)
    return kinds


# -- illnesses, provoked ---------------------------------------------------------------------------------------------------


def test_fifty_layers_of_sigmoids_vanish() -> None:
    report = examined(stack(nn.Sigmoid, 50))
    ill = found(report)
    assert list(ill) == ["vanishing"] and ill["vanishing"][0] == "0" and len(ill["vanishing"]) > 40
    assert "98" not in ill["vanishing"], "the layer next to the loss learns"
    worst = report.verdicts[0]
    assert worst.numbers["times"] > 1e30 and "times smaller" in worst.reason
    assert "Leaky ReLU" in worst.remedies[0]


def test_a_bias_of_minus_ten_kills_a_rectifier() -> None:
    net = stack(nn.ReLU, 2)
    nn.init.constant_(net[0].bias, -10.0)
    report = examined(net)
    assert found(report)["dead"] == ["1"] and "vanishing" not in found(report), "the cause is named, not what follows from it"
    assert report.layers[1].dead == 1.0 and report.layers[1].zeros == 1.0 and report.layers[0].gradient == 0.0
    assert report.verdicts[0].reason.startswith("100 % of its 16 neurons answer 0 to each of the 64 examples")
    assert "Leaky ReLU" in report.verdicts[0].remedies[0]
    net[1] = nn.LeakyReLU()
    assert "1" not in found(examined(net)).get("dead", [])


def test_weights_a_hundred_times_too_large_saturate_tanh() -> None:
    net = stack(nn.Tanh, 3)
    with tg.no_grad():
        for p in net.parameters():
            p *= 100
    report = examined(net)
    assert found(report) == {"saturated": ["1", "3", "5"]}
    assert all(layer.saturated is not None and layer.saturated > 0.9 for layer in report.layers if layer.kind == "Tanh")


def test_a_learning_rate_of_a_thousand_explodes() -> None:
    net = stack(nn.Tanh, 2)
    assert examined(net, optimizer=optim.SGD(net.parameters(), lr=0.1)).healthy
    report = examined(net, optimizer=optim.SGD(net.parameters(), lr=1e3))
    assert set(found(report)) == {"exploding"}
    assert "jumps over the minimum" in report.verdicts[0].reason and report.verdicts[0].remedies[0] == "a smaller learning rate"
    assert "exploding" in found(examined(net, optimizer=optim.Adam(net.parameters(), lr=1e3)))


def test_weights_that_grow_the_gradient_layer_after_layer_explode() -> None:
    net = stack(nn.Identity, 6)
    with tg.no_grad():
        for p in net.parameters():
            p *= 10
    assert "0" in found(examined(net))["exploding"]


def test_a_training_that_explodes_then_is_not_a_number_any_more() -> None:
    net, x, y = stack(nn.ReLU, 1), tg.randn(64, 16), tg.randn(64, 1)
    optimizer = optim.SGD(net.parameters(), lr=1e3)
    with watch_training(net, optimizer, every=5, lang="en") as training, np.errstate(all="ignore"):
        for _ in range(40):
            loss = F.mse_loss(net(x), y)
            training.update(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    first_nan = 1 + next(i for i, value in enumerate(training.losses) if np.isnan(value))
    assert list(training.since) == ["exploding", "nan"]
    assert training.since["exploding"][0] == 1 and training.since["nan"] == (first_nan, 36)
    assert f"From step {first_nan} to the end\nNaN: " in training.text() and "learning rate" in training.text()
    assert not training.healthy and training.steps == 40


def test_the_first_nan_is_named() -> None:
    net, x = stack(nn.Tanh, 2), tg.randn(8, 16)
    with tg.no_grad():
        net[2].weight[0, 0] = float("nan")
    report = diagnose(net, net(x).sum(), lang="en")
    assert [(v.kind, v.layer) for v in report.verdicts] == [("nan", "2")]
    assert report.verdicts[0].reason == "the value of 2.weight is the first that is NaN."
    assert report.snapshot is not None
    assert report.marks == {report.snapshot["2.weight"].id: [Mark("nan", first=True)], "2": [Mark("nan", first=True)]}
    z = tg.tensor([1.0, -1.0], requires_grad=True)
    report = diagnose(None, tg.log(2 * z).sum(), lang="en")
    assert report.verdicts[0].layer == "log"
    with np.errstate(all="ignore"):
        report = diagnose(None, (z * 1e38 * 1e38).sum() - tg.log(z * 0).sum(), lang="en")
    assert [v.kind for v in report.verdicts] == ["nan"]
    with np.errstate(all="ignore"):
        report = diagnose(None, (z[:1] * 1e38 * 1e38).sum(), lang="en")
    assert report.verdicts[0].kind == "exploding" and "infinite" in report.verdicts[0].reason


def test_an_answer_may_be_0_or_1_unless_the_loss_wants_another() -> None:
    """The last sigmoid of a classifier that learnt is on its plateau, and rightly."""
    z = tg.tensor(np.where(np.arange(20) % 2, 9.0, -9.0), requires_grad=True)
    right = tg.tensor((np.arange(20) % 2).astype(float))
    for loss in (F.binary_cross_entropy, F.mse_loss):
        report = diagnose(nn.Identity(), loss(tg.sigmoid(1 * z), right), lang="en")
        assert report.layers[0].saturated == 1.0 and report.healthy
        report = diagnose(nn.Identity(), loss(tg.sigmoid(1 * z), 1 - right), lang="en")
        assert found(report) == {"saturated": ["sigmoid"]} and "BCEWithLogitsLoss" in report.verdicts[0].remedies[0]


# -- health ----------------------------------------------------------------------------------------------------------------


def test_small_weights_may_grow_by_more_than_their_size() -> None:
    net, x = nn.Linear(1, 1), tg.linspace(-1, 1, 20).reshape(20, 1)
    with tg.no_grad():
        for p in net.parameters():
            p.fill_(0.01)
    report = diagnose(net, F.mse_loss(net(x), 3 * x + 2), optimizer=optim.SGD(net.parameters(), lr=0.3))
    assert report.layers[0].update > 10 and report.healthy


def test_one_neuron_may_rest() -> None:
    """A sigmoid far out on three examples of four, and the fourth has nothing to teach it: S2 has such, and learns."""
    w, v = (tg.tensor(value, requires_grad=True) for value in (3.0, 1.0))
    y_hat = tg.sigmoid(v * tg.sigmoid(w * tg.tensor([5.0, 5.0, 5.0, 0.0])))
    report = diagnose(None, ((tg.tensor([0.0, 0.0, 0.0, y_hat[3].item()]) - y_hat) ** 2).mean())
    before, after = (layer.gradient for layer in report.layers if layer.parameters)
    assert report.healthy and before < 1e-3 * after


def test_gates_may_be_shut() -> None:
    """A cell of an LSTM: the first forget gate multiplies 0, and a gate far on its plateau lets the other factor through."""
    tg.manual_seed(0)
    weights = [(0.5 * tg.randn(size, 8)).requires_grad_() for size in (4, 4, 4, 4, 8, 8, 8, 8)]
    h = c = tg.zeros(16, 8)
    for _ in range(3):
        x = tg.randn(16, 4)
        i, f, o, g = (x @ weights[k] + h @ weights[k + 4] for k in range(4))
        c = tg.sigmoid(f) * c + tg.sigmoid(i + 9) * tg.tanh(g)
        h = tg.sigmoid(o) * tg.tanh(c)
    report = diagnose(None, h.pow(2).mean(), lang="en")
    gates = [layer for layer in report.layers if layer.gate]
    assert len(gates) > 8 and max(layer.saturated or 0 for layer in gates) > 0.5
    assert 0 in [layer.gradient for layer in report.layers]
    assert report.healthy, report


def test_digits_are_learnt_in_good_health() -> None:
    (images, labels), _ = digits()
    x, y = tg.from_numpy(images), tg.from_numpy(labels)
    for activation, make in ((nn.Tanh, optim.SGD), (nn.ReLU, optim.Adam), (nn.Sigmoid, optim.SGD)):
        tg.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 32), activation(), nn.Linear(32, 10))
        optimizer = make(net.parameters(), lr=0.1 if make is optim.SGD else 0.01)
        with watch_training(net, optimizer, every=15, lang="en") as training:
            for step in range(90):
                i = slice(32 * (step % 44), 32 * (step % 44) + 32)
                loss = F.cross_entropy(net(x[i]), y[i])
                training.update(loss)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        assert training.healthy, training.text()
        assert training.losses[-1] < training.losses[0] and len(training.history) == 6
        assert "Healthy" in training.text() and 0 < training.of("0")[0][1].update < 0.5


def test_xor_and_the_four_people_are_learnt_in_good_health() -> None:
    x, y = map(tg.from_numpy, xor())
    measures, gender, _ = people()
    p, g = tg.from_numpy(measures).float(), tg.from_numpy(gender).float().reshape(-1, 1)
    for inputs, answers, activation in ((x, y, nn.Tanh), (p, g, nn.Sigmoid)):
        tg.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 3), activation(), nn.Linear(3, 1), nn.Sigmoid())
        optimizer = optim.SGD(net.parameters(), lr=0.5)
        with watch_training(net, optimizer, every=100, lang="en") as training:
            for step in range(1000):
                some = slice(step % 4, step % 4 + 1) if step % 2 else slice(None)  # one example, then all four
                loss = F.mse_loss(net(inputs[some]), answers[some])
                training.update(loss)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        assert training.healthy, training.text()
    (w1, w2), b = (tg.tensor(1.0, requires_grad=True) for _ in "12"), tg.tensor(0.0, requires_grad=True)
    assert diagnose(None, (1 - tg.sigmoid(w1 * -2 + w2 * -1 + b)) ** 2).healthy  # S2's own example


# -- what a layer is -------------------------------------------------------------------------------------------------------


def test_modules_are_found_by_their_calls() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.normal = nn.Embedding(9, 4), nn.LayerNorm(4)
            self.shared, self.gelu, self.prelu = nn.Linear(4, 4), nn.GELU(), nn.PReLU()
            self.frozen, self.unused = nn.Linear(4, 4).requires_grad_(False), nn.Linear(2, 2)
            self.drop, self.last = nn.Dropout(0.5), nn.Linear(4, 2)

        def forward(self, i: tg.Tensor) -> tg.Tensor:
            h = self.shared(self.gelu(self.shared(self.normal(self.embedding(i)))))
            h = self.drop(self.prelu(self.frozen(h)))
            return self.last(h * tg.sigmoid(h))

    tg.manual_seed(0)
    net, i, t = Net(), tg.randint(0, 9, (16,)), tg.randint(0, 2, (16,))
    with visual.watch() as watched:
        loss = F.cross_entropy(net(i), t)
    report = diagnose(net, watched.snapshot(loss, model=net), lang="en")
    assert [(layer.name, layer.kind) for layer in report.layers] == [
        ("embedding", "Embedding"), ("normal", "LayerNorm"), ("shared", "Linear"), ("gelu", "GELU"), ("shared#2", "Linear"),
        ("frozen", "Linear"), ("prelu", "PReLU"), ("drop", "Dropout"), ("sigmoid…", "sigmoid…"), ("last", "Linear"),
        ("unused", "Linear"),
    ]  # fmt: skip
    assert [layer.name for layer in report.layers if layer.activates] == ["gelu", "prelu", "sigmoid…"]
    assert {layer.name: layer.state for layer in report.layers if layer.state != "used"} == {
        "frozen": "frozen", "unused": "unused"}  # fmt: skip
    assert report.healthy and len(report.notes) == 2
    guessed = [layer.name for layer in diagnose(net, F.cross_entropy(net(i), t)).layers if layer.activates]
    assert guessed == ["erf…", "prelu", "sigmoid…"], "without the calls, what was computed is known all the same"


def test_activations_of_a_row_of_layers_have_their_paths_even_unwatched() -> None:
    shared = nn.Tanh()
    net = nn.Sequential(nn.Linear(3, 3), shared, nn.Linear(3, 3), shared, nn.Linear(3, 1))
    x = tg.randn(20, 3)
    assert [layer.name for layer in diagnose(net, net(x).sum()).layers] == ["0", "1", "2", "3", "4"]
    with visual.watch() as watched:
        loss = net(x).sum()
    assert [layer.name for layer in diagnose(net, watched.snapshot(loss, model=net)).layers] == ["0", "1", "2", "3", "4"]


def test_networks_of_plain_tensors_have_layers_too() -> None:
    """S4 writes features in lines and examples in columns; S0 the other way round; S2 number by number."""
    X = tg.rand(3, 20)
    W1, b1, W2, b2 = (tg.randn(*s, requires_grad=True) for s in ((5, 3), (5, 1), (1, 5), (1, 1)))
    A1 = tg.relu(W1 @ X + b1)
    layers = diagnose(None, tg.sigmoid(W2 @ A1 + b2).mean()).layers
    assert [(v.name, v.units, v.examples) for v in layers] == [
        ("W1, b1", 5, 20), ("A1", 5, 20), ("W2, b2", 1, 20), ("sigmoid", 1, 20)]  # fmt: skip
    by_hand = A1.detach().numpy()
    assert layers[1].dead == (by_hand == 0).all(axis=1).mean() and layers[1].zeros == (by_hand == 0).mean()
    layers = diagnose(None, tg.relu(X.T @ W1.T + b1.T).mean()).layers
    assert [(v.units, v.examples) for v in layers] == [(5, 20), (5, 20)] and layers[0].parameters
    u, v, c = (tg.randn((), requires_grad=True) for _ in range(3))
    layers = diagnose(None, tg.sigmoid(u * X[0] + v * X[1] + c).mean()).layers
    assert [(layer.name, layer.units, layer.examples) for layer in layers] == [("u, v, c", 1, 20), ("sigmoid", 1, 20)]
    H = tg.randn(20, 2)
    layers = diagnose(None, tg.tanh(X.T @ W1.T + H @ W2.T[:2]).mean()).layers
    assert [(layer.name, layer.std) for layer in layers[:1]] == [
        ("W1, W2", pytest.approx((X.T @ W1.T + H @ W2.T[:2]).detach().numpy().std(), rel=1e-5))]  # fmt: skip
    heads = (X.T @ W1.T).pow(2).mean() + (H @ W2.T[:2]).pow(2).mean()
    assert sorted(layer.name for layer in diagnose(None, heads).layers) == ["W1", "W2"]
    layers = diagnose(None, tg.sigmoid((X.T @ W1.T @ W2.T).squeeze(1)).mean()).layers
    assert [(layer.units, layer.examples) for layer in layers] == [(1, 20), (1, 20)]
    penalty = (X.T @ W1.T).pow(2).mean() + 0.1 * (W1**2).sum()
    assert [layer.name for layer in diagnose(None, penalty).layers] == ["W1"], "a penalty on weights is no layer"


def test_statistics_are_those_of_numpy() -> None:
    tg.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 1)), 9 * tg.randn(30, 4)
    h = net[1](net[0](x))
    h.retain_grad()
    loss = net[2](h).pow(2).mean()
    layer = diagnose(net, loss, optimizer=optim.SGD(net.parameters(), lr=0.25)).layers[1]
    weights = diagnose(net, loss, optimizer=optim.SGD(net.parameters(), lr=0.25)).layers[2]
    loss.backward()
    a, g = h.detach().numpy(), h.grad.numpy()
    for name, value in {
        "min": a.min(), "max": a.max(), "mean": a.mean(), "std": a.std(), "saturated": (a * (1 - a) < 0.0025).mean(),
        "gradient": np.linalg.norm(g), "mean_gradient": np.abs(g).mean(),
    }.items():  # fmt: skip
        assert getattr(layer, name) == pytest.approx(value, rel=1e-5), name
    assert layer.saturated and layer.dead is None and sum(layer.histogram) == a.size
    w, b = (np.concatenate([p.numpy().ravel() for p in ps])
            for ps in ([p.detach() for p in net[2].parameters()], [p.grad for p in net[2].parameters()]))  # fmt: skip
    assert weights.weight == pytest.approx(np.linalg.norm(w), rel=1e-5)
    assert weights.weight_gradient == pytest.approx(np.linalg.norm(b), rel=1e-5)
    assert weights.update == pytest.approx(0.25 * np.linalg.norm(b) / np.linalg.norm(w), rel=1e-5)  # lr ‖g‖ / ‖w‖


PLATEAUS = {  # where it is flat, and where it is steep
    nn.Tanh(): (4.0, 0.5), nn.Sigmoid(): (7.0, 1.0), nn.ReLU(): (None, 0.3), nn.LeakyReLU(): (None, -3.0),
    nn.ELU(): (-6.0, 1.0), nn.Softplus(): (-6.0, 1.0), nn.GELU(): (-6.0, 1.0), nn.SiLU(): (-9.0, 3.0),
    nn.Softsign(): (12.0, 1.0), nn.Mish(): (-9.0, 1.0), nn.SELU(): (-6.0, 1.0), nn.CELU(): (-6.0, 1.0),
    nn.LogSigmoid(): (6.0, -2.0),
    nn.Tanhshrink(): (0.01, 2.0), nn.Hardtanh(): (1.5, 0.5), nn.ReLU6(): (7.0, 3.0), nn.Hardsigmoid(): (4.0, 0.0),
    nn.Hardswish(): (None, 2.0), nn.PReLU(): (None, -1.0),
}  # fmt: skip


@pytest.mark.parametrize("module", PLATEAUS, ids=repr)
def test_plateaus_come_from_the_formulas(module: nn.Module) -> None:
    """No list of functions: f′ of the declaration at the values, and its largest on a line, tell where a function is flat."""
    flat, steep = PLATEAUS[module]
    z = tg.tensor([[steep] * 3, [steep if flat is None else flat] * 3], requires_grad=True)
    with visual.watch() as watched:
        loss = module(1 * z).sum()
    snapshots = [watched.snapshot(loss, model=nn.Sequential(module))]
    if not repr(module).startswith(("Hard", "ReLU6", "PReLU")):  # their formulas compare, and the graph does not show it
        snapshots.append(visual.Snapshot(loss, model=nn.Identity()))
    for snapshot in snapshots:
        (layer,) = layers_of(snapshot)
        assert layer.activates and layer.saturated == (0.0 if flat is None else 0.5)


@pytest.mark.parametrize("name", "exp log sqrt abs sin square neg softmax log_softmax cumsum clone reciprocal".split())
def test_what_is_no_activation_is_not_taken_for_one(name: str) -> None:
    z = tg.rand(8, 4, requires_grad=True) + 0.5
    y = getattr(tg, name)(z, dim=1) if name in ("softmax", "log_softmax", "cumsum") else getattr(tg, name)(z)
    assert not any(layer.activates for layer in diagnose(None, y.sum()).layers)


# -- odd models ------------------------------------------------------------------------------------------------------------


def test_a_model_without_weights() -> None:
    x = (50 * tg.randn(20, 4)).requires_grad_()
    net = nn.Sequential(nn.Tanh(), nn.Dropout(0.0), nn.ReLU())
    with visual.watch() as watched:
        loss = net(x).sum()
    report = diagnose(net, watched.snapshot(loss, model=net), lang="en")
    assert [layer.kind for layer in report.layers] == ["Tanh", "ReLU"] and found(report) == {"saturated": ["0"]}
    assert report.layers[0].gradient is not None and report.layers[0].update is None


def test_one_example_an_empty_model_and_nothing_to_learn() -> None:
    net = stack(nn.ReLU, 1)
    nn.init.constant_(net[0].bias, -10.0)
    report = examined(net, examples=1)
    assert report.healthy and "one example" in report.notes[0] and report.layers[1].dead == 1.0
    x = tg.randn(3, 2, requires_grad=True)
    report = diagnose(nn.Sequential(), nn.Sequential()(x).sum(), lang="en")
    assert not report.layers and report.healthy and report.notes == ["No layer computes anything in this graph."]
    assert "Healthy" not in report.text()
    linear = nn.Linear(2, 1)
    report = diagnose(linear, (linear(x) * 0).sum(), lang="en")
    assert report.healthy and report.notes == ["The gradient is 0 everywhere: the loss asks for no change."]
    report = diagnose(net, linear(x).sum(), lang="en")
    assert not any(layer.state == "unused" for layer in report.layers), "the loss is of another network"


def test_frozen_first_layers_have_no_graph_and_are_said() -> None:
    net = stack(nn.Tanh, 2)
    net[0].requires_grad_(False)
    report = examined(net, optimizer=optim.SGD(net.parameters(), lr=0.1))
    assert [(layer.name, layer.state) for layer in report.layers][-1] == ("0", "frozen") and report.healthy
    assert report.layers[0].name == "2" and "Frozen, no gradient is asked for: 0." in report.text()


def test_arguments_that_cannot_be_used() -> None:
    net, x = stack(nn.Tanh, 1), tg.randn(4, 16)
    with pytest.raises(TypeError, match=r"diagnose\(model, loss\) takes a Module or None, then the loss"):
        diagnose(net(x).sum(), net)
    with pytest.raises(ValueError, match="lang is 'en' or 'fr', not 'de'"):
        diagnose(net, net(x).sum(), lang="de")
    with pytest.raises(ValueError, match="every is a number of steps"):
        watch_training(net, every=0)
    loss = net(x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="was freed by backward"):
        diagnose(net, loss)
    with pytest.raises(KeyError, match="no layer is called 'x'"):
        watch_training(net).of("x")


# -- only looking ----------------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.booleans(), st.sampled_from([nn.ReLU, nn.GELU, nn.Sigmoid]), st.integers(0, 99))
def test_a_training_goes_on_as_if_nobody_had_looked(look: bool, activation: Any, seed: int) -> None:
    def trained(looked_at: bool) -> tuple[Any, ...]:
        tg.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 5), activation(), nn.Dropout(0.3), nn.BatchNorm1d(5), nn.Linear(5, 1))
        optimizer = optim.Adam(net.parameters(), lr=0.1)
        training = watch_training(net, optimizer, every=1)
        if looked_at:
            training.__enter__()
        for _ in range(3):
            loss = net(tg.randn(6, 4)).pow(2).mean()
            if looked_at:
                grads = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
                training.update(loss)
                diagnose(net, loss, optimizer=optimizer)
                for p, before in zip(net.parameters(), grads, strict=True):
                    assert p.grad is None if before is None else tg.equal(p.grad, before)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if looked_at:
            training.__exit__(None, None, None)
        return (*[p.tolist() for p in net.parameters()], *[b.tolist() for b in net.buffers()], tg.rand(3).tolist())

    assert trained(look) == trained(False)


def test_the_step_is_measured_as_it_was_made() -> None:
    """Clipped gradients do not explode, though their slope alone would."""
    net, x, y = stack(nn.ReLU, 2), 1e3 * tg.randn(64, 16), tg.randn(64, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with watch_training(net, optimizer, every=1, lang="en") as training:
        for _ in range(3):
            loss = F.mse_loss(net(x), y)
            report = training.update(loss)
            assert report is not None and report.snapshot is not None
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.01)
            before = [p.detach().clone() for p in net[0].parameters()]
            optimizer.step()
            moved = np.sqrt(sum(((p.detach() - b) ** 2).sum().item() for p, b in zip(net[0].parameters(), before, strict=True)))
            layer = training.of("0")[-1][1]
            assert layer.update == pytest.approx(moved / layer.weight, rel=1e-4) and report.snapshot is None
    assert training.healthy
    assert "exploding" in found(diagnose(net, F.mse_loss(net(x), y), optimizer=optimizer))


def test_watching_leaves_no_hook_behind() -> None:
    from tinygrad_fr.nn import module

    net = stack(nn.Tanh, 1)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ZeroDivisionError), watch_training(net, optimizer):
        assert module.everywhere is not None
        raise ZeroDivisionError
    assert module.everywhere is None and not optimizer._pre_hooks and not optimizer._post_hooks


# -- how it reads ----------------------------------------------------------------------------------------------------------


def reports() -> list[tuple[str, str]]:
    """The text of one report of each kind, in English and in French."""
    pairs = []
    for make in (
        lambda: (stack(nn.Sigmoid, 50), {}), lambda: (stack(nn.Tanh, 2), {"lr": 1e3}), lambda: (stack(nn.Tanh, 2), {"lr": 0.1}),
    ):  # fmt: skip
        texts = []
        for lang in ("en", "fr"):
            net, options = make()
            x, y = tg.randn(64, 16), tg.randn(64, 1)
            optimizer = optim.SGD(net.parameters(), **options) if options else None
            texts.append(diagnose(net, F.mse_loss(net(x), y), optimizer=optimizer, lang=lang).text())
        pairs.append((texts[0], texts[1]))
    return pairs


def test_the_table_is_aligned_and_narrow() -> None:
    for pair in reports():
        for text in pair:
            lines = text.splitlines()
            assert max(map(len, lines)) <= 100, max(lines, key=len)
            rows = [line for line in lines[3:] if line[13:].startswith(("Linear ", "Tanh ", "Sigmoid "))]
            assert len(rows) > 3 and all(len(row) == len(lines[2]) for row in rows)
            assert set("".join(row[23:31] for row in rows)) <= set(" ▁▂▃▄▅▆▇█")
    assert "more layers" in reports()[0][0], "a hundred rows are folded"


def test_both_languages_say_the_same() -> None:
    table, remedies = diagnosis.WORDS, diagnosis.REMEDIES
    assert table["en"].keys() == table["fr"].keys() and remedies["en"].keys() == remedies["fr"].keys()
    for kind in remedies["en"]:
        assert len(remedies["en"][kind]) == len(remedies["fr"][kind])
    for key in table["en"]:
        blanks = [{part.split("}")[0] for part in table[lang][key].split("{")[1:]} for lang in ("en", "fr")]
        assert blanks[0] == blanks[1], key
    code = {"is", "layers", "update", "loss", "step"}  # .layers, update(loss), step()
    said = {lang: words(" ".join([*table[lang].values(), *sum(remedies[lang].values(), ())])) for lang in ("en", "fr")}
    assert not said["fr"] & ENGLISH - code
    assert not said["en"] & FRENCH
    for english, french in reports():
        assert not re.search(r"\d\.\d", french.replace(", 1.0)", "")), "a decimal point in French"
        assert english.count("%") == french.count("%")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_terminal_without_blocks_gets_plain_signs(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    net, x = stack(nn.Tanh, 2), tg.randn(64, 16)
    report = diagnose(net, net(x).sum(), lang="fr")
    print(report)
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    lines, wanted = text.splitlines(), report.text().splitlines()
    assert [len(line) for line in lines] == [len(line) for line in wanted], "columns stay columns"
    assert ("▁" in text) == (encoding == "utf-8") and ("é" in text) == (encoding != "ascii") and "?" not in text


def test_numbers_for_programs() -> None:
    report = examined(stack(nn.Sigmoid, 50))
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["healthy"] is False and len(plain["layers"]) == 101 and plain["layers"][1]["saturated"] == 0
    assert plain["verdicts"][0]["kind"] == "vanishing" and plain["verdicts"][0]["remedies"]


def test_marks_for_drawings() -> None:
    net = stack(nn.ReLU, 2)
    nn.init.constant_(net[0].bias, -10.0)
    x = tg.randn(64, 16)
    snapshot = visual.Snapshot(net(x).sum(), model=net)
    report = diagnose(net, snapshot)
    dead = next(v.id for v in snapshot if v.operation == "relu")
    assert report.marks == {dead: [Mark("dead", 1.0)], "1": [Mark("dead", 1.0)]}
    marks = examined(stack(nn.Sigmoid, 50)).marks
    assert marks["0"] == [Mark("vanishing")] and marks[1] == [Mark("vanishing")], "its parameters too"
    assert examined(stack(nn.Tanh, 2)).marks == {}


def test_layers_can_be_had_without_a_diagnosis() -> None:
    w = tg.randn(3, 2, requires_grad=True)
    assert [layer.name for layer in layers_of(visual.Snapshot(tg.tanh(tg.ones(4, 3) @ w).sum()))] == ["w", "tanh"]


def test_the_example_treats_what_it_provokes() -> None:
    english, french = (command_line("diagnose.py", lang) for lang in ("en", "fr"))
    rows = [[line for line in text.splitlines() if "Linear" in line] for text in (english, french)]
    assert len(rows[0]) > 30 and [numbers(line) for line in rows[0]] == [numbers(line) for line in rows[1]]
    assert lesson.WORDS["en"].keys() == lesson.WORDS["fr"].keys()
    assert not words(french) & ENGLISH - {"layers", "step", "weight"} and not words(english) & FRENCH
    for kind in ("Dead neurons", "Vanishing gradient", "Saturated neurons", "Exploding gradient", "NaN"):
        assert f"\n{kind}: " in english
    assert english.count("Healthy") == 4
