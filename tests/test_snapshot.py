"""Snapshots: what they know of a graph, and that taking one changes nothing."""

from __future__ import annotations

import gc
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_fr as tg
from tinygrad_fr import nn, optim
from tinygrad_fr.visual import Snapshot, watch


def network() -> tuple[nn.Sequential, tg.Tensor, tg.Tensor]:
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), tg.randn(4, 2), tg.randn(4, 1)


def described(snapshot: Snapshot) -> list[tuple[Any, ...]]:
    return [(v.id, v.kind, v.name, v.symbol) for v in snapshot]


def test_a_use_is_a_link_and_the_contributions_sum_to_the_gradient() -> None:
    """`b = a + a; c = b * b`: the graph on which a walk along paths goes wrong."""
    a = tg.tensor(3.0, requires_grad=True)
    b = a + a
    c = b * b
    snapshot = Snapshot(c)
    assert described(snapshot) == [
        (1, "parameter", "a", ""), (2, "operation", "b", "+"), (3, "operation", "c", "×")]  # fmt: skip
    uses = [(link.source, link.target, link.position) for link in snapshot.links]
    assert uses == [(1, 2, 0), (1, 2, 1), (2, 3, 0), (2, 3, 1)]
    assert [float(link.contribution) for link in snapshot.links] == [12.0, 12.0, 6.0, 6.0]
    assert [float(v.gradient) for v in snapshot] == [24.0, 12.0, 1.0]
    assert [v.order for v in snapshot] == [3, 2, 1]
    assert [float(v.value) for v in snapshot] == [3.0, 6.0, 36.0]


STEPS = st.lists(st.tuples(st.sampled_from("+*-t"), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.integers(0, 99))
def test_gradients_are_those_of_backward_and_sum_over_the_uses(program: list[tuple[str, int, int]], seed: int) -> None:
    draw = np.random.RandomState(seed)
    values: list[Any] = [tg.tensor(draw.uniform(-1, 1, shape), requires_grad=True) for shape in ((2, 3), (3,), (2, 1))]
    leaves = list(values)
    for what, i, j in program:
        x, y = values[i % len(values)], values[j % len(values)]
        values.append(x + y if what == "+" else x * y if what == "*" else x - y if what == "-" else tg.tanh(x))
    loss = sum((v.sum() for v in values[3:]), tg.tensor(0.0, dtype=tg.float64))
    snapshot = Snapshot(loss)
    loss.backward()
    for leaf in leaves:
        if leaf.grad is None:
            continue
        vertex = snapshot.vertex_of(leaf)
        np.testing.assert_allclose(vertex.gradient, leaf.grad.numpy())
        np.testing.assert_allclose(vertex.value, leaf.detach().numpy())
    for vertex in snapshot:
        uses = [link.contribution for link in snapshot.uses_of(vertex.id) if link.contribution is not None]
        if uses and vertex.gradient is not None:
            np.testing.assert_allclose(sum(uses), vertex.gradient, atol=1e-12)
            assert all(u.shape == vertex.shape for u in uses)


def test_values_that_the_program_dropped_are_computed_again() -> None:
    """Of `tanh(x @ w + b) * 2` only the leaves and the loss live; every value is shown all the same."""
    w, b, x = tg.randn(2, 3, requires_grad=True), tg.randn(3, requires_grad=True), tg.randn(4, 2)
    loss = (tg.tanh(x @ w + b) * 2).mean()
    snapshot = Snapshot(loss)
    z = x.numpy() @ w.detach().numpy() + b.detach().numpy()
    by_symbol = {v.symbol: v for v in snapshot}
    np.testing.assert_allclose(by_symbol["+"].value, z, rtol=1e-6)
    np.testing.assert_allclose(by_symbol["tanh"].value, np.tanh(z), rtol=1e-6)
    assert by_symbol["+"].shape == (4, 3) and by_symbol["+"].dtype == "float32"
    assert [v.kind for v in snapshot].count("number") == 1


def test_broadcasting_shows_the_axes_that_are_summed() -> None:
    bias, column = tg.zeros(3, requires_grad=True), tg.ones(4, 1, requires_grad=True)
    snapshot = Snapshot((bias + column).sum())
    first, second = snapshot.uses_by(3)
    assert (first.axes, second.axes) == ((0,), (1,))
    assert first.spread is not None and first.spread.shape == (4, 3)
    assert first.contribution is not None and first.contribution.tolist() == [4, 4, 4]


def test_taking_a_snapshot_changes_nothing() -> None:
    """No gradient is stored, the graph is whole, and the program goes on as if nothing had happened."""
    net, x, y = network()
    loss = nn.functional.mse_loss(net(x), y)
    before = [p.detach().clone() for p in net.parameters()]
    Snapshot(loss)
    assert all(p.grad is None for p in net.parameters())
    loss.backward()
    grads = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    nn.functional.mse_loss(net(x), y).backward()
    assert all(tg.equal(p.grad, g) for p, g in zip(net.parameters(), grads, strict=True))
    assert all(tg.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))


def test_names_come_from_the_user_the_model_and_the_variables() -> None:
    net, x, y = network()
    prediction = net(x)
    loss = nn.functional.mse_loss(prediction, y)
    snapshot = Snapshot(loss, names={"entrée": x})
    names = {v.name for v in snapshot if v.name}
    assert names == {"entrée", "0.weight", "0.bias", "2.weight", "2.bias", "y", "prediction", "loss"}
    assert snapshot["prediction"].kind == "operation" and snapshot["y"].kind == "constant"
    with pytest.raises(KeyError, match="no quantity is called 'rien'"):
        snapshot["rien"]
    parts = [tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)]
    assert {v.name for v in Snapshot((parts[0] * parts[1]).sum())} == {"parts[0]", "parts[1]", None}


def test_modules_by_their_parameters_or_exactly_when_watched() -> None:
    net, x, y = network()
    loss = nn.functional.mse_loss(net(x), y)
    by_parameters = {v.symbol: v.module for v in Snapshot(loss, model=net) if v.kind == "operation"}
    assert by_parameters["tanh"] is None
    with watch() as watched:
        loss = nn.functional.mse_loss(net(x), y)
    exact = [(v.symbol, v.module) for v in watched.snapshot(loss, model=net) if v.kind == "operation"]
    assert [module for _, module in exact] == ["0", "1", "2", None]
    assert net[0]._hooks is None


def test_a_module_called_twice_has_both_calls_in_its_group() -> None:
    layer = nn.Linear(2, 2)
    with watch() as watched:
        loss = layer(tg.tanh(layer(tg.ones(1, 2)))).sum()
    snapshot = watched.snapshot(loss, model=nn.ModuleDict({"shared": layer}))
    assert [v.module for v in snapshot if v.kind == "operation"] == ["shared", None, "shared", None]
    assert len(snapshot.uses_of(snapshot["shared.weight"].id)) == 2


def test_gradients_none_stale_accumulated_and_fresh() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    snapshot = Snapshot((w * w).sum())
    assert snapshot["w"].state == "none" and snapshot["w"].stored is None
    loss = (w * w).sum()
    snapshot = Snapshot(loss)
    loss.backward()
    assert snapshot.look()["w"].state == "fresh"
    loss = (w * 3).sum()
    snapshot = Snapshot(loss)
    assert snapshot["w"].state == "stale"
    loss.backward()
    assert snapshot.look()["w"].state == "accumulated"
    loss = (w * 5).sum()
    snapshot = Snapshot(loss)
    loss.backward(retain_graph=True)
    w.grad = None
    assert snapshot.look()["w"].state == "none"


def test_what_the_optimiser_did() -> None:
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    snapshot = Snapshot(loss)
    loss.backward()
    optimizer.step()
    vertex = snapshot.look()["w"]
    np.testing.assert_allclose(vertex.value, [1.0, 2.0])
    np.testing.assert_allclose(vertex.after, [0.8, 1.6], rtol=1e-6)


def test_a_freed_graph_a_constant_and_what_is_no_tensor_are_refused() -> None:
    w = tg.ones(2, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="take the snapshot before"):
        Snapshot(loss)
    with pytest.raises(RuntimeError, match="does not require grad"):
        Snapshot(tg.ones(1))
    with pytest.raises(TypeError, match="of a Tensor, got float"):
        Snapshot(1.0)
    assert len(Snapshot(w)) == 1  # a leaf is a graph of one


def test_a_forward_that_fails_is_drawn_up_to_the_failure() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(4, 1))
    x = tg.ones(5, 2)
    with pytest.raises(RuntimeError) as caught:
        net(x)
    snapshot = Snapshot.of_error(caught.value, model=net)
    assert [v.operation for v in snapshot if v.kind == "operation"] == ["linear", "tanh"]
    assert snapshot.loss.kind == "failed" and snapshot.loss.operation == "linear"
    assert "in_features=4" in (snapshot.loss.error or "")
    assert {snapshot.source(link).name for link in snapshot.uses_by(snapshot.loss.id)} >= {"2.weight", "2.bias"}
    with pytest.raises(RuntimeError) as caught:
        tg.ones(2, 3) + tg.ones(2, 4)
    assert [v.shape for v in Snapshot.of_error(caught.value)] == [(2, 3), (2, 4), ()]
    with pytest.raises(ValueError, match="no graph to show"):
        Snapshot.of_error(ValueError("something else"))


def test_json_holds_everything_and_sums_up_large_arrays() -> None:
    w = tg.tensor([[1.0, float("nan")]], requires_grad=True)
    snapshot = Snapshot((w * tg.ones(5000, 2)).sum())
    plain = json.loads(json.dumps(snapshot.to_json(), allow_nan=False))
    assert [v["id"] for v in plain["vertices"]] == [1, 2, 3, 4]
    assert plain["vertices"][0]["value"] == [[1.0, "nan"]]
    assert plain["vertices"][1]["value"] == {"shape": [5000, 2], "min": 1.0, "max": 1.0, "mean": 1.0, "std": 0.0}
    assert plain["links"][0]["axes"] == [0] and plain["loss"] == 4
    assert plain == json.loads(json.dumps(Snapshot((w * tg.ones(5000, 2)).sum()).to_json(), allow_nan=False))


def test_operations_of_every_kind_user_functions_and_long_chains() -> None:
    class Double(tg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: tg.Tensor) -> tg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: tg.Tensor) -> tg.Tensor:
            return g * 2

    w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = Double.apply(w)
    top, _ = x[1:].sort()
    snapshot = Snapshot(tg.cat([top, tg.stack([x[0], x[1]])]).sum())
    loss = tg.cat([top, tg.stack([x[0], x[1]])]).sum()
    loss.backward()
    np.testing.assert_allclose(snapshot["w"].gradient, w.grad.numpy())
    (use,) = snapshot.uses_of(snapshot["w"].id)
    np.testing.assert_allclose(use.contribution, w.grad.numpy())
    y = w
    for _ in range(3000):
        y = y * 1.001
    assert len(Snapshot(y.sum())) == 6002  # each number is its own


class SumAndProduct(tg.autograd.Function):
    """Two outputs of two inputs."""

    @staticmethod
    def forward(ctx: Any, a: tg.Tensor, b: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        ctx.save_for_backward(a, b)
        return a + b, a * b

    @staticmethod
    def backward(ctx: Any, of_sum: tg.Tensor, of_product: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        a, b = ctx.saved_tensors
        return of_sum + of_product * b, of_sum + of_product * a


def test_each_output_of_a_user_function_brings_its_own_contribution() -> None:
    a, b = tg.tensor(2.0, requires_grad=True), tg.tensor(5.0, requires_grad=True)
    s, p = SumAndProduct.apply(a, b)
    loss = 3 * s + 4 * p
    snapshot = Snapshot(loss)
    assert [v.name for v in snapshot if v.name] == ["a", "b", "s", "p", "loss"]
    brought = {
        (snapshot.source(link).name, snapshot.target(link).name): link.contribution
        for link in snapshot.links
        if snapshot.source(link).name in ("a", "b")
    }
    assert brought == {("a", "s"): 3, ("b", "s"): 3, ("a", "p"): 20, ("b", "p"): 8}
    loss.backward()
    assert (snapshot["a"].gradient, snapshot["b"].gradient) == (a.grad.item(), b.grad.item()) == (23, 11)
    only, _ = SumAndProduct.apply(a, b)
    assert [link.contribution for link in Snapshot(only * 2).uses_of(1)] == [2]


def test_nothing_stays_alive() -> None:
    def run() -> None:
        net, x, y = network()
        Snapshot(nn.functional.mse_loss(net(x), y), model=net)

    run()
    gc.collect()
    count = len(gc.get_objects())
    for _ in range(3):
        run()
        gc.collect()
    assert len(gc.get_objects()) <= count + 50
