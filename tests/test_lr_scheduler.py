"""The schedulers: 60 learning rates of each beside PyTorch's, to the last digit, and beside the formula that each stands for.

Also when several act on one optimizer, when training is resumed in the middle, and when the state comes from PyTorch.
"""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tinygrad_fr.optim import lr_scheduler
from tinygrad_fr.optim.lr_scheduler import LRScheduler

STEPS = 60
Make = Callable[[Any, Any], Any]

CASES: dict[str, Make] = {
    "StepLR": lambda S, o: S.StepLR(o, 7, 0.3),
    "MultiStepLR": lambda S, o: S.MultiStepLR(o, [3, 9, 9, 30], gamma=0.3),
    "ConstantLR": lambda S, o: S.ConstantLR(o, 0.3, total_iters=9),
    "LinearLR": lambda S, o: S.LinearLR(o, 0.3, 0.9, total_iters=9),
    "LinearLR to 0": lambda S, o: S.LinearLR(o, start_factor=1.0, end_factor=0.0, total_iters=70),
    "ExponentialLR": lambda S, o: S.ExponentialLR(o, gamma=0.93),
    "CosineAnnealingLR": lambda S, o: S.CosineAnnealingLR(o, T_max=13, eta_min=0.001),
    "CosineAnnealingLR of 1": lambda S, o: S.CosineAnnealingLR(o, 1),
    "CosineAnnealingWarmRestarts": lambda S, o: S.CosineAnnealingWarmRestarts(o, 7),
    "CosineAnnealingWarmRestarts longer": lambda S, o: S.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.001),
    "LambdaLR": lambda S, o: S.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (t + 1)]),
    "MultiplicativeLR": lambda S, o: S.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 1)),
    "PolynomialLR": lambda S, o: S.PolynomialLR(o, total_iters=20, power=0.7),
    "OneCycleLR": lambda S, o: S.OneCycleLR(o, [0.5, 0.2], total_steps=60),
    "OneCycleLR in three": lambda S, o: S.OneCycleLR(
        o, 0.5, epochs=6, steps_per_epoch=10, anneal_strategy="linear", three_phase=True, pct_start=0.2, div_factor=5
    ),
    "OneCycleLR down": lambda S, o: S.OneCycleLR(o, 0.5, total_steps=60, cycle_momentum=False, pct_start=0.0),
    "SequentialLR": lambda S, o: S.SequentialLR(
        o, [S.LinearLR(o, 0.1, total_iters=5), S.CosineAnnealingLR(o, 20), S.ExponentialLR(o, 0.9)], milestones=[5, 25]
    ),
    "SequentialLR restarting": lambda S, o: S.SequentialLR(
        o, [S.ConstantLR(o, 0.1, 5), S.CosineAnnealingWarmRestarts(o, 7), S.PolynomialLR(o, 9), S.StepLR(o, 3)], [5, 25, 40]
    ),
    "SequentialLR in SequentialLR": lambda S, o: S.SequentialLR(
        o, [S.SequentialLR(o, [S.ConstantLR(o, 0.1, 4), S.PolynomialLR(o, 9)], [3]), S.MultiStepLR(o, [3, 4])], [20]
    ),
    "ChainedScheduler": lambda S, o: S.ChainedScheduler(
        [S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.95), S.StepLR(o, 9)], optimizer=o
    ),
    "ChainedScheduler in SequentialLR": lambda S, o: S.SequentialLR(
        o, [S.ChainedScheduler([S.ConstantLR(o, 0.1, 20), S.ExponentialLR(o, 0.95)]), S.StepLR(o, 9)], [30]
    ),
}
each_case = pytest.mark.parametrize("case", CASES)


def an_optimizer(lib: Any = tg, name: str = "SGD", lr: float = 0.1) -> Any:
    """An optimizer of two groups."""
    a, b = lib.zeros(2, requires_grad=True), lib.zeros(3, requires_grad=True)
    options = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(lib.optim, name)([{"params": [a]}, {"params": [b], "lr": 0.3 * lr}], lr=lr, **options)


def options(optimizer: Any) -> list[dict[str, Any]]:
    return [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]


def rates(make: Make, steps: int = STEPS) -> list[list[float]]:
    """The learning rates of the two groups at t = 0, 1, …"""
    optimizer = an_optimizer()
    scheduler = make(lr_scheduler, optimizer)
    found = [scheduler.get_last_lr()]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr())
        assert found[-1] == [group["lr"] for group in optimizer.param_groups]
    return found


# -- beside PyTorch ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@each_case
def test_60_steps_equal_pytorchs(case: str, name: str, torch: Any) -> None:
    """Learning rates, momentum or betas, and the whole state, to the last digit."""
    ours, theirs = an_optimizer(tg, name), an_optimizer(torch, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch 2.13 calls step() of a scheduler inside another before any optimizer.step()
        mine, its = CASES[case](lr_scheduler, ours), CASES[case](torch.optim.lr_scheduler, theirs)
    for _ in range(STEPS):
        assert options(ours) == options(theirs)
        assert mine.get_last_lr() == its.get_last_lr()
        assert mine.state_dict() == its.state_dict()
        for thing in (ours, theirs, mine, its):
            thing.step()
    assert repr(ours) == repr(theirs)


chainable = st.one_of(
    st.builds(lambda n, g: lambda S, o: S.StepLR(o, n, g), st.integers(1, 9), st.floats(0.1, 1)),
    st.builds(lambda m, g: lambda S, o: S.MultiStepLR(o, m, g), st.lists(st.integers(0, 20)), st.floats(0.1, 1)),
    st.builds(lambda f, n: lambda S, o: S.ConstantLR(o, f, n), st.floats(0.1, 1), st.integers(0, 20)),
    st.builds(
        lambda a, b, n: lambda S, o: S.LinearLR(o, a, b, n), st.floats(0.1, 1), st.floats(0.1, 1), st.integers(1, 20)
    ),
    st.builds(lambda g: lambda S, o: S.ExponentialLR(o, g), st.floats(0.5, 1.5)),
    st.builds(lambda n, p: lambda S, o: S.PolynomialLR(o, n, p), st.integers(1, 20), st.floats(0, 3)),
    st.builds(lambda n, low: lambda S, o: S.CosineAnnealingLR(o, n, low), st.integers(1, 20), st.floats(0, 0.2)),
    st.builds(
        lambda n, m: lambda S, o: S.CosineAnnealingWarmRestarts(o, n, m), st.integers(1, 9), st.integers(1, 3)
    ),
    st.builds(lambda g: lambda S, o: S.MultiplicativeLR(o, lambda t: g), st.floats(0.5, 1)),
    st.builds(lambda g: lambda S, o: S.LambdaLR(o, lambda t: g**t), st.floats(0.5, 1)),
)  # fmt: skip


@given(makes=st.lists(chainable, min_size=1, max_size=4), sequence=st.booleans(), data=st.data())
def test_any_schedulers_together_equal_pytorchs(makes: list[Make], sequence: bool, data: Any, torch: Any) -> None:
    """Several on one optimizer, at every step or one after the other: to the last digit."""
    ends = sorted(data.draw(st.lists(st.integers(1, 20), min_size=len(makes) - 1, max_size=len(makes) - 1, unique=True)))
    pairs = []
    for lib in (tg, torch):
        optimizer, module = an_optimizer(lib), lib.optim.lr_scheduler
        schedulers = [make(module, optimizer) for make in makes]
        if sequence:
            schedulers = [module.SequentialLR(optimizer, schedulers, ends)]
        pairs.append((optimizer, schedulers))
    for _ in range(30):
        assert options(pairs[0][0]) == options(pairs[1][0])
        for optimizer, schedulers in pairs:
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()


@each_case
def test_state_is_exchanged_with_pytorch_in_the_middle(case: str, torch: Any) -> None:
    """25 steps in one framework and the rest in the other, both ways: the same learning rates as in one piece."""
    whole = rates(CASES[case])
    for first, second in ((tg, torch), (torch, tg), (tg, tg)):
        optimizer = an_optimizer(first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = CASES[case](first.optim.lr_scheduler, optimizer)
        for _ in range(25):
            optimizer.step()
            scheduler.step()
        saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
        optimizer = an_optimizer(second)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = CASES[case](second.optim.lr_scheduler, optimizer)
        optimizer.load_state_dict(saved[0])
        scheduler.load_state_dict(saved[1])
        found = [scheduler.get_last_lr()]
        for _ in range(25, STEPS - 1):
            optimizer.step()
            scheduler.step()
            found.append(scheduler.get_last_lr())
        assert found == whole[25:]


@given(
    losses=st.lists(st.floats(-2, 2), min_size=1, max_size=40),
    mode=st.sampled_from(["min", "max"]),
    threshold_mode=st.sampled_from(["rel", "abs"]),
    factor=st.floats(0.1, 0.9),
    threshold=st.floats(0, 0.5),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    min_lr=st.one_of(st.floats(0, 0.1), st.tuples(st.floats(0, 0.1), st.floats(0, 0.1)).map(list)),
    eps=st.sampled_from([1e-8, 0.02]),
)
def test_any_plateau_equals_pytorchs(losses: list[float], torch: Any, **keywords: Any) -> None:
    ours, theirs = an_optimizer(), an_optimizer(torch)
    mine = lr_scheduler.ReduceLROnPlateau(ours, **keywords)
    its = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **keywords)
    for loss in losses:
        mine.step(loss)
        its.step(loss)
        assert mine.state_dict() == its.state_dict()
        assert options(ours) == options(theirs)


@pytest.mark.parametrize(
    "case",
    ["StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR", "LambdaLR"],
)
def test_a_given_epoch_equals_pytorchs(case: str, torch: Any) -> None:
    """`step(epoch)`, the old way, jumps by the closed form."""
    ours, theirs = an_optimizer(), an_optimizer(torch)
    mine, its = CASES[case](lr_scheduler, ours), CASES[case](torch.optim.lr_scheduler, theirs)
    ours.step()
    theirs.step()
    for epoch in (3, 30, 0, 9, 10):
        for scheduler in (mine, its):
            with pytest.warns(UserWarning, match=r"The epoch parameter in `scheduler.step\(\)` was not necessary"):
                scheduler.step(epoch)
        assert options(ours) == options(theirs) and mine.last_epoch == epoch


def test_restarts_between_epochs_equal_pytorchs(torch: Any) -> None:
    for T_mult in (1, 2, 3):
        ours, theirs = an_optimizer(), an_optimizer(torch)
        mine = lr_scheduler.CosineAnnealingWarmRestarts(ours, 3, T_mult)
        its = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 3, T_mult)
        for epoch in np.arange(0, 30, 0.25).tolist():
            mine.step(epoch)
            its.step(epoch)
            assert options(ours) == options(theirs) and mine.state_dict() == its.state_dict()
    with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
        mine.step(-1)


# -- beside the formulas -----------------------------------------------------------------------------------------------


def cosine(low: float, high: float, share: float) -> float:
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2


def cycle(t: int) -> tuple[int, int]:
    """The place in a cycle, and its length, when cycles last 5, 10, 20, …"""
    start, length = 0, 5
    while t >= start + length:
        start, length = start + length, 2 * length
    return t - start, length


FORMULAS: dict[str, Callable[[int], float]] = {  # of a learning rate that begins with 0.1
    "StepLR": lambda t: 0.1 * 0.3 ** (t // 7),
    "MultiStepLR": lambda t: 0.1 * 0.3 ** sum(t >= m for m in (3, 9, 9, 30)),
    "ConstantLR": lambda t: 0.1 * (0.3 if t < 9 else 1),
    "LinearLR": lambda t: 0.1 * (0.3 + 0.6 * min(t, 9) / 9),
    "LinearLR to 0": lambda t: 0.1 * (1 - t / 70),
    "ExponentialLR": lambda t: 0.1 * 0.93**t,
    "CosineAnnealingLR": lambda t: cosine(0.001, 0.1, t / 13),
    "CosineAnnealingLR of 1": lambda t: 0.1 * (t % 2 == 0),
    "CosineAnnealingWarmRestarts": lambda t: cosine(0, 0.1, t % 7 / 7),
    "CosineAnnealingWarmRestarts longer": lambda t: cosine(0.001, 0.1, cycle(t)[0] / cycle(t)[1]),
    "LambdaLR": lambda t: 0.1 * 0.9**t,
    "MultiplicativeLR": lambda t: 0.1 / (t + 1),
    "PolynomialLR": lambda t: 0.1 * max(0, 1 - t / 20) ** 0.7,
    "OneCycleLR": lambda t: cosine(0.5, 0.02, t / 17) if t <= 17 else cosine(2e-6, 0.5, (t - 17) / 42),
    "OneCycleLR in three": lambda t: float(np.interp(t, [0, 11, 22, 59], [0.1, 0.5, 0.1, 1e-5])),
    "SequentialLR": lambda t: (
        0.1 * (0.1 + 0.9 * t / 5) if t < 5 else cosine(0, 0.1, (t - 5) / 20) if t < 25 else 0.1 * 0.9 ** (t - 25)
    ),
    "ChainedScheduler": lambda t: (0.01 if t < 20 else 0.1) * 0.95**t * 0.1 ** (t // 9),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_60_steps_equal_the_formula(case: str) -> None:
    found = [both[0] for both in rates(CASES[case])]
    np.testing.assert_allclose(found, [FORMULAS[case](t) for t in range(STEPS)], rtol=1e-10, atol=1e-15)


RECORDED: dict[str, list[float]] = {
    "StepLR": [0.03, 0.03, 0.009, 0.000243, 1.9683e-06],
    "MultiStepLR": [0.03, 0.03, 0.00081, 0.000243, 0.000243],
    "ConstantLR": [0.009, 0.009, 0.03, 0.03, 0.03],
    "LinearLR": [0.009, 0.011, 0.027, 0.027, 0.027],
    "LinearLR to 0": [0.03, 0.02957142857143, 0.02571428571429, 0.01714285714286, 0.004714285714286],
    "ExponentialLR": [0.03, 0.0279, 0.01451946921538, 0.003401024115189, 0.0004145865602902],
    "CosineAnnealingLR": [0.03, 0.02957865635268, 0.004646594151519, 0.0237369388276, 0.0137522181363],
    "CosineAnnealingLR of 1": [0.03, 0, 0.03, 0.03, 0],
    "CosineAnnealingWarmRestarts": [0.03, 0.02851453301854, 0.01833781400934, 0.02435234702788, 0.01833781400934],
    "CosineAnnealingWarmRestarts longer": [0.03, 0.02723074641844, 0.0155, 0.005246951672795, 0.01101925358156],
    "LambdaLR": [0.03, 0.015, 0.002727272727273, 0.0009677419354839, 0.0005],
    "MultiplicativeLR": [0.03, 0.015, 0.002727272727273, 0.0009677419354839, 0.0005],
    "PolynomialLR": [0.03, 0.02894194930162, 0.01846716620017, 0, 0],
    "OneCycleLR": [0.008, 0.009634582430345, 0.1302716470469, 0.1563321804783, 8e-07],
    "OneCycleLR in three": [0.1, 0.1363636363636, 0.4636363636364, 0.07838054054054, 9.999999999996e-06],
    "OneCycleLR down": [0.4996573850591, 0.4986304793202, 0.4596678033158, 0.2369170632752, 2e-06],
    "SequentialLR": [0.003, 0.0084, 0.0256066017178, 0.0177147, 0.0008343851683311],
    "SequentialLR restarting": [0.003, 0.003, 0.005647652972119, 0.01333333333333, 3e-08],
    "SequentialLR in SequentialLR": [0.003, 0.003, 0.003333333333333, 0.0003, 0.0003],
    "ChainedScheduler": [0.003, 0.00285, 0.0001796210817715, 6.439162918288e-06, 1.454835757483e-09],
    "ChainedScheduler in SequentialLR": [0.00285, 0.0027075, 0.001706400276829, 0.03, 3e-05],
}


@each_case
def test_learning_rates_equal_the_recorded_ones(case: str) -> None:
    """Of the second group, at t = 0, 1, 10, 30 and 59, from PyTorch 2.13."""
    found = rates(CASES[case])
    assert [found[t][1] for t in (0, 1, 10, 30, 59)] == pytest.approx(RECORDED[case], rel=1e-11, abs=1e-18)


def test_momentum_goes_the_other_way() -> None:
    for name in ("SGD", "Adam"):
        optimizer = an_optimizer(name=name)
        scheduler = lr_scheduler.OneCycleLR(
            optimizer, 1.0, total_steps=9, pct_start=0.6, base_momentum=[0.8, 0.5], max_momentum=0.9, anneal_strategy="linear"
        )
        found = []
        for _ in range(9):
            group = optimizer.param_groups[1]
            found.append(group["momentum"] if name == "SGD" else group["betas"][0])
            optimizer.step()
            scheduler.step()
        np.testing.assert_allclose(found, np.interp(range(9), [0, 4.4, 8], [0.9, 0.5, 0.9]))
        if name == "Adam":
            assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_a_plateau_is_seen_in_a_tensor() -> None:
    optimizer = an_optimizer(lr=1.0)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=[0.3, 0.0])
    seen = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, math.nan, math.nan):
        scheduler.step(tg.tensor(loss))
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [1, 1, 1, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]
    assert scheduler.get_last_lr() == [0.3, 0.3 * 0.5 * 0.5 * 0.5]
    assert scheduler.best == pytest.approx(0.4) and scheduler.in_cooldown


# -- the order of the calls ----------------------------------------------------------------------------------------------


def test_a_scheduler_that_comes_first_is_warned_of(torch: Any) -> None:
    for lib in (tg, torch):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 1)
        with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`") as heard:
            scheduler.step()
        assert heard[0].filename == __file__
        scheduler.step()  # once is enough


def test_a_step_that_was_replaced_is_warned_of(torch: Any) -> None:
    for lib in (tg, torch):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.StepLR(optimizer, 1)
        optimizer.step = lambda: None
        with pytest.warns(UserWarning, match=r"Seems like `optimizer.step\(\)` has been overridden after learning rate"):
            scheduler.step()


def test_get_lr_outside_of_step_is_warned_of() -> None:
    scheduler = lr_scheduler.ExponentialLR(an_optimizer(), 0.5)
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        assert scheduler.get_lr() == [0.05, 0.015]
    assert scheduler.get_last_lr() == [0.1, 0.03]


def test_two_schedulers_and_hooks_on_one_optimizer() -> None:
    optimizer = an_optimizer(lr=1.0)
    said: list[str] = []
    first = lr_scheduler.StepLR(optimizer, 1, 0.5)
    optimizer.register_step_pre_hook(lambda *_: said.append("step"))
    second = lr_scheduler.ExponentialLR(optimizer, 0.1)
    optimizer.step()
    first.step()
    second.step()
    assert said == ["step"] and optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert first.get_last_lr()[0] == 0.5


# -- resuming ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "LambdaLR", "PolynomialLR", "OneCycleLR"])
def test_training_resumed_with_last_epoch_equals_pytorchs(case: str, torch: Any) -> None:
    results = []
    for lib in (tg, torch):
        module = lib.optim.lr_scheduler
        optimizer = an_optimizer(lib)
        scheduler = CASES[case](module, optimizer)
        for _ in range(11):
            optimizer.step()
            scheduler.step()
        saved = optimizer.state_dict()
        optimizer = an_optimizer(lib)
        optimizer.load_state_dict(saved)
        kept = {"StepLR": (7, 0.3), "ExponentialLR": (0.93,), "CosineAnnealingLR": (13, 0.001), "PolynomialLR": (20, 0.7)}
        given_ = {"LambdaLR": ([lambda t: 0.9**t, lambda t: 1 / (t + 1)],), "OneCycleLR": ([0.5, 0.2], 60)} | kept
        scheduler = getattr(module, case)(optimizer, *given_[case], last_epoch=scheduler.last_epoch - 1)
        found = [scheduler.get_last_lr()]
        for _ in range(11, 40):
            optimizer.step()
            scheduler.step()
            found.append(scheduler.get_last_lr())
        results.append(found)
    assert results[0] == results[1]


def test_resuming_without_a_state_is_an_error(torch: Any) -> None:
    for lib in (tg, torch):
        with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\] when resuming scheduler"):
            lib.optim.lr_scheduler.StepLR(an_optimizer(lib), 3, last_epoch=5)


class Halving:
    """A function with a memory."""

    def __init__(self, calls: int = 0) -> None:
        self.calls = calls

    def __call__(self, t: int) -> float:
        self.calls += 1
        return 0.5**t


def test_functions_that_are_objects_are_saved(torch: Any) -> None:
    states = []
    for lib in (tg, torch):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.LambdaLR(optimizer, [Halving(), lambda t: 1.0])
        optimizer.step()
        scheduler.step()
        states.append(scheduler.state_dict())
    assert states[0] == states[1] and states[0]["lr_lambdas"] == [{"calls": 2}, None]
    function, other = Halving(7), lambda t: 1.0
    scheduler = lr_scheduler.LambdaLR(an_optimizer(), [function, other])
    scheduler.load_state_dict(states[0])
    assert function.calls == 2 and scheduler.last_epoch == 1 and scheduler.lr_lambdas == [function, other]
    assert states[0]["lr_lambdas"] == [{"calls": 2}, None]


def test_what_is_loaded_is_a_copy() -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    saved = pickle.loads(pickle.dumps(scheduler.state_dict()))
    twin = lr_scheduler.StepLR(an_optimizer(), 2)
    twin.load_state_dict(saved)
    twin.base_lrs[0] = 7.0
    assert saved["base_lrs"] == scheduler.base_lrs == [0.1, 0.03]


def test_a_state_of_another_scheduler_changes_nothing() -> None:
    scheduler = lr_scheduler.CosineAnnealingLR(an_optimizer(), 10)
    before = copy.deepcopy(scheduler.state_dict())
    with pytest.raises(KeyError, match="T_max, eta_min: what is loaded is no state of CosineAnnealingLR"):
        scheduler.load_state_dict(lr_scheduler.StepLR(an_optimizer(), 2).state_dict())
    assert scheduler.state_dict() == before
    optimizer = an_optimizer()
    chain = lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(optimizer, 2), lr_scheduler.ExponentialLR(optimizer, 0.5)])
    with pytest.raises(ValueError, match="the state holds 1 schedulers, and this ChainedScheduler has 2"):
        chain.load_state_dict({"_last_lr": [0.1, 0.1], "_schedulers": [before]})


# -- errors ------------------------------------------------------------------------------------------------------------

ERRORS: list[tuple[Make, type[Exception], str]] = [
    (lambda S, o: S.StepLR(3, 1), TypeError, "int is not an Optimizer"),
    (lambda S, o: S.LambdaLR(o, [lambda t: 1.0]), ValueError, "Expected 2 lr_lambdas, but got 1"),
    (lambda S, o: S.MultiplicativeLR(o, 0.5), TypeError, "lr_lambda should be a function, but got float"),
    (lambda S, o: S.ConstantLR(o, 2.0), ValueError, "Constant multiplicative factor expected to be between 0 and 1"),
    (
        lambda S, o: S.LinearLR(o, 0.0),
        ValueError,
        "Starting multiplicative factor expected to be greater than 0 and less or equal",
    ),
    (lambda S, o: S.LinearLR(o, 0.5, 1.5), ValueError, "Ending multiplicative factor expected to be between 0 and 1"),
    (lambda S, o: S.CosineAnnealingWarmRestarts(o, 0), ValueError, "Expected positive integer T_0, but got 0"),
    (lambda S, o: S.CosineAnnealingWarmRestarts(o, 5, 0.5), ValueError, "Expected integer T_mult >= 1, but got 0.5"),
    (lambda S, o: S.CosineAnnealingWarmRestarts(o, 5, 1, "0"), ValueError, "Expected float or int eta_min, but got 0"),
    (lambda S, o: S.OneCycleLR(o, 0.1), ValueError, "You must define either total_steps OR (epochs AND steps_per_epoch)"),
    (lambda S, o: S.OneCycleLR(o, 0.1, total_steps=0), ValueError, "Expected positive integer total_steps, but got 0"),
    (
        lambda S, o: S.OneCycleLR(o, 0.1, epochs=1.5, steps_per_epoch=2),
        ValueError,
        "Expected positive integer epochs, but got 1.5",
    ),
    (
        lambda S, o: S.OneCycleLR(o, 0.1, total_steps=9, pct_start=2.0),
        ValueError,
        "Expected float between 0 and 1 pct_start, but g",
    ),
    (
        lambda S, o: S.OneCycleLR(o, 0.1, 9, anneal_strategy="up"),
        ValueError,
        "anneal_strategy must be one of 'cos' or 'linear'",
    ),
    (
        lambda S, o: S.OneCycleLR(o, [0.1], 9),
        ValueError,
        "max_lr must have the same length as optimizer.param_groups. max_lr has 1",
    ),
    (lambda S, o: S.SequentialLR(o, [], []), ValueError, "SequentialLR expects at least one scheduler, but got no scheduler"),
    (lambda S, o: S.SequentialLR(o, [S.StepLR(o, 1)], [3]), ValueError, "Sequential Schedulers expects number of schedulers"),
    (lambda S, o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]), ValueError, "does not support `ReduceLROnPlateau` scheduler"),
    (
        lambda S, o: S.ChainedScheduler([3], o),
        TypeError,
        "ChainedScheduler at index 0 should have `optimizer` as its attribute",
    ),
    (
        lambda S, o: S.ChainedScheduler([S.StepLR(o, 1)], copy.deepcopy(o)),
        ValueError,
        "expects all schedulers to belong to the sam",
    ),
    (lambda S, o: S.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be < 1.0"),
    (lambda S, o: S.ReduceLROnPlateau(o, "up"), ValueError, "mode up is unknown!"),
    (lambda S, o: S.ReduceLROnPlateau(o, threshold_mode="up"), ValueError, "threshold mode up is unknown!"),
    (lambda S, o: S.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "expected 2 min_lrs, got 1"),
    (lambda S, o: S.ReduceLROnPlateau(o).step(), TypeError, "missing 1 required positional argument: 'metrics'"),
]
each_error = pytest.mark.parametrize(("make", "kind", "words"), ERRORS, ids=[e[2][:40] for e in ERRORS])


@each_error
def test_errors_have_pytorchs_type_and_words(make: Make, kind: Any, words: str) -> None:
    optimizer = an_optimizer()
    before = [{"lr": g["lr"], "momentum": g["momentum"]} for g in optimizer.param_groups]
    with pytest.raises(kind) as caught:
        make(lr_scheduler, optimizer)
    assert words in str(caught.value)
    assert [{"lr": g["lr"], "momentum": g["momentum"]} for g in optimizer.param_groups] == before


@each_error
def test_the_errors_are_pytorchs(make: Make, kind: Any, words: str, torch: Any) -> None:
    with pytest.raises(kind) as caught:
        make(torch.optim.lr_scheduler, an_optimizer(torch))
    assert words in str(caught.value)


def test_errors_of_our_own() -> None:
    with pytest.raises(ValueError, match="step_size counts steps and must be positive, but got 0"):
        lr_scheduler.StepLR(an_optimizer(), 0)
    with pytest.raises(ValueError, match="T_max counts steps and must be positive, but got -1"):
        lr_scheduler.CosineAnnealingLR(an_optimizer(), -1)
    with pytest.raises(NotImplementedError, match=r"LRScheduler has no get_lr\(\): write one"):
        LRScheduler(an_optimizer())
    plain = tg.optim.Adagrad([tg.zeros(2, requires_grad=True)])
    with pytest.raises(ValueError, match="optimizer must support momentum or beta1"):
        lr_scheduler.OneCycleLR(plain, 0.1, total_steps=9)
    lr_scheduler.OneCycleLR(plain, 0.1, total_steps=9, cycle_momentum=False)
    optimizer = an_optimizer()
    steps = [lr_scheduler.StepLR(optimizer, 3), lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(optimizer, 0.5)])]
    with pytest.raises(NotImplementedError, match="the ChainedScheduler at index 1 cannot begin at a milestone"):
        lr_scheduler.SequentialLR(optimizer, steps, [5])


def test_a_rise_of_one_step_is_done_at_once() -> None:
    """Where PyTorch divides by the length of the rise, 0."""
    optimizer = an_optimizer()
    lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=10, pct_start=0.1)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_step_that_fails_changes_nothing() -> None:
    """Too many steps of OneCycleLR, a function that raises, a group that came later: t, rates and momentum are as before."""

    def fails_at_2(t: int) -> float:
        return 1 / (2 - t)

    for make, kind, words in (
        (
            lambda o: lr_scheduler.OneCycleLR(o, 0.5, total_steps=1),
            ValueError,
            "Tried to step 2 times. The specified number of",
        ),
        (lambda o: lr_scheduler.LambdaLR(o, fails_at_2), ZeroDivisionError, "division by zero"),
        (
            lambda o: lr_scheduler.SequentialLR(
                o, [lr_scheduler.LambdaLR(o, fails_at_2), lr_scheduler.StepLR(o, 3)], milestones=[9]
            ),
            ZeroDivisionError,
            "division by zero",
        ),
    ):
        optimizer = an_optimizer()
        scheduler = make(optimizer)
        optimizer.step()
        scheduler.step()
        before = copy.deepcopy((options(optimizer), scheduler.state_dict()))
        for _ in range(2):
            with pytest.raises(kind) as caught:
                scheduler.step()
            assert words in str(caught.value)
            assert (options(optimizer), scheduler.state_dict()) == before
    optimizer = an_optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.add_param_group({"params": tg.zeros(1, requires_grad=True)})
    optimizer.step()
    with pytest.raises(
        ValueError, match="rates for 2 parameter groups and the optimizer has 3: make the scheduler after the last"
    ):
        scheduler.step()
    assert scheduler.last_epoch == 0 and [g["lr"] for g in optimizer.param_groups] == [0.1, 0.03, 0.1]


def test_a_plateau_with_a_group_that_came_later(torch: Any) -> None:
    for lib in (tg, torch):
        optimizer = an_optimizer(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.05)
        listed = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.05, 0.0])
        optimizer.add_param_group({"params": lib.zeros(1, requires_grad=True)})
        for _ in range(2):
            scheduler.step(1.0)
        assert [g["lr"] for g in optimizer.param_groups] == [0.05, 0.03, 0.05]
        listed.step(1.0)
        with pytest.raises(RuntimeError, match="The number of param groups in the `optimizer` "):
            listed.step(1.0)


# -- your own ----------------------------------------------------------------------------------------------------------


class WarmUp(lr_scheduler._LRScheduler):
    """A scheduler as a PyTorch program writes its own."""

    def __init__(self, optimizer: Any, warm: int, last_epoch: int = -1) -> None:
        self.warm = warm
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        assert self._get_lr_called_within_step
        if self.last_epoch < self.warm:
            return [base * (self.last_epoch + 1) / self.warm for base in self.base_lrs]
        return [group["lr"] for group in self.optimizer.param_groups]


def test_a_scheduler_of_ones_own() -> None:
    optimizer = an_optimizer(lr=1.0)
    scheduler = WarmUp(optimizer, 4)
    found = []
    for _ in range(6):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert found == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert scheduler.state_dict()["warm"] == 4
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(1)
    assert scheduler.get_last_lr()[0] == 0.5


def test_training_follows_the_schedule() -> None:
    """w ← w − ηₜ g with g = 1: the parameter has moved by the sum of the learning rates."""
    w = tg.tensor([0.0], dtype=tg.float64, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=1.0)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(10):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        scheduler.step()
    assert w.item() == -(2 - 0.5**9)
