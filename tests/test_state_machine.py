"""Random programs, run by the framework and by the naive engine of `naive.py`, which must agree at every step.

A program makes leaves and constants, computes with them, detaches, writes in place, walks the graph with and without keeping
it, asks for gradients of anything, and zeroes them. Where a write may have hurt a value that was kept, the framework may
refuse; what it may never do is answer with another gradient.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import naive
import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from naive import Array, Naive

import tinygrad_fr as tg

SHAPES: list[tuple[int, ...]] = [(2, 3), (3,), (), (2, 1), (1, 3), (3, 2), (1,), (2, 1, 3)]
UNARY = ["neg", "sin", "tanh", "sigmoid", "relu", "abs", "square", "atan", "exp"]
BINARY = ["add", "sub", "mul", "div", "maximum"]
MOVES = ["flat", "transpose", "first", "column", "flip", "twice", "unsqueeze", "expand", "clone"]
KINDS = ["unary", "binary", "binary", "binary", "number", "matmul", "reduction", "moved", "joined"]
PICK = st.integers(0, 13)  # counted from the youngest: small numbers, which hypothesis prefers, give deep graphs
SEED = st.integers(0, 10**6)
STEP = st.tuples(st.sampled_from(KINDS), PICK, PICK, st.integers(0, 17))


@dataclass(eq=False)
class Pair:
    """The same value in the two engines; `shaky` when something it was computed from was written since."""

    ours: tg.Tensor
    theirs: Naive
    shaky: bool = False


def owner(t: tg.Tensor) -> Any:
    """The array at the end of a chain of views."""
    array = t._array
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def numbers(seed: int, shape: tuple[int, ...]) -> Array:
    """Halves between −3 and 3: equal values are likely, so that ties and zeros are met."""
    return np.asarray(np.random.default_rng(seed).integers(-6, 7, shape) / 2.0)


class TwoEngines(RuleBasedStateMachine):
    """All values that are alive, as pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[Pair] = []

    # -- helpers ----------------------------------------------------------------------------------------------------

    def any(self, pick: int) -> Pair:
        """One of the pairs."""
        return self.pairs[-1 - pick % len(self.pairs)]

    def leaves(self) -> list[Pair]:
        """The pairs that a gradient is accumulated on."""
        return [p for p in self.pairs if p.theirs.leaf]

    def keep(self, ours: tg.Tensor, theirs: Naive, *sources: Pair) -> None:
        """Compare a new result and keep it, unless it grows beyond what the naive engine can walk."""
        np.testing.assert_allclose(ours.detach().numpy(), theirs.value, rtol=1e-9, atol=1e-9)
        assert ours.requires_grad == theirs.wanted
        theirs.memory = owner(ours)
        if np.isfinite(theirs.value).all() and np.abs(theirs.value).max(initial=0) < 100 and theirs.paths < 200:
            self.pairs.append(Pair(ours, theirs, any(s.shaky for s in sources)))
        if len(self.pairs) > 14:
            del self.pairs[next(i for i, p in enumerate(self.pairs) if not p.theirs.leaf or i > 3)]

    # -- making values ----------------------------------------------------------------------------------------------

    @initialize(seed=SEED, shapes=st.lists(st.sampled_from(SHAPES), min_size=2, max_size=4))
    def start(self, seed: int, shapes: list[tuple[int, ...]]) -> None:
        for n, shape in enumerate(shapes):
            self.leaf(seed + n, shape)

    @rule(seed=SEED, shape=st.sampled_from(SHAPES))
    def leaf(self, seed: int, shape: tuple[int, ...]) -> None:
        value = numbers(seed, shape)
        self.keep(tg.tensor(value, requires_grad=True), Naive(value, wanted=True))

    @rule(seed=SEED, shape=st.sampled_from(SHAPES))
    def constant(self, seed: int, shape: tuple[int, ...]) -> None:
        value = numbers(seed, shape)
        self.keep(tg.tensor(value), Naive(value))

    def unary(self, name: str, a: int) -> None:
        x = self.any(a)
        self.keep(getattr(x.ours, name)(), naive.unary(name, x.theirs), x)

    def binary(self, name: str, a: int, b: int) -> None:
        x, y = self.any(a), self.any(b)
        if name == "div" and np.abs(y.theirs.value).min(initial=1) < 0.1:
            return
        try:
            np.broadcast_shapes(x.theirs.value.shape, y.theirs.value.shape)
        except ValueError:
            self.refused(lambda: getattr(tg, name)(x.ours, y.ours), "must match")
            return
        self.keep(getattr(tg, name)(x.ours, y.ours), naive.binary(name, x.theirs, y.theirs), x, y)

    def with_a_number(self, name: str, a: int, number: float, left: bool) -> None:
        x, c = self.any(a), Naive(number)
        if name == "div" and left and np.abs(x.theirs.value).min(initial=1) < 0.1:
            return
        f = {"add": lambda p, q: p + q, "sub": lambda p, q: p - q, "mul": lambda p, q: p * q, "div": lambda p, q: p / q}[name]
        if left:
            self.keep(f(number, x.ours), naive.binary(name, c, x.theirs), x)
        else:
            self.keep(f(x.ours, number), naive.binary(name, x.theirs, c), x)

    def matmul(self, a: int, b: int) -> None:
        x, y = self.any(a), self.any(b)
        if x.theirs.value.ndim == y.theirs.value.ndim == 2:
            if x.theirs.value.shape[1] != y.theirs.value.shape[0]:
                self.refused(lambda: x.ours @ y.ours, "multiplied")
            else:
                self.keep(x.ours @ y.ours, naive.binary("matmul", x.theirs, y.theirs), x, y)

    def reduction(self, name: str, a: int, axis: int | None, keep: bool) -> None:
        x = self.any(a)
        if x.theirs.value.ndim == 0 or (axis is not None and axis >= x.theirs.value.ndim):
            return
        ours = getattr(x.ours, name)(dim=axis, keepdim=keep) if axis is not None else getattr(x.ours, name)()
        self.keep(ours, naive.reduction(name, x.theirs, axis, keep and axis is not None), x)

    def moved(self, a: int, how: str) -> None:
        x = self.any(a)
        n = x.theirs.value.ndim
        if n == 0 and how in ("first", "column", "flip", "twice") or n < 2 and how in ("column", "transpose"):
            return
        t, first = x.ours, x.theirs.value.shape[:1]
        ours, move = {
            "flat": lambda: (t.reshape(-1), lambda v: v.reshape(-1)),
            "transpose": lambda: (t.transpose(0, 1), lambda v: v.swapaxes(0, 1)),
            "first": lambda: (t[0], lambda v: v[0]),
            "column": lambda: (t[:, -1:], lambda v: v[:, -1:]),
            "flip": lambda: (t.flip(0), lambda v: v[::-1]),
            "twice": lambda: (t[[0, -1, 0]], lambda v: v[[0, -1, 0]]),
            "unsqueeze": lambda: (t.unsqueeze(0), lambda v: v[None]),
            "expand": lambda: (t.expand(2, *first, *t.shape[1:]), lambda v: np.stack([v, v])),
            "clone": lambda: (t.clone(), lambda v: v),
        }[how]()
        self.keep(ours, naive.moved(x.theirs, move), x)

    def joined(self, a: int, b: int) -> None:
        x, y = self.any(a), self.any(b)
        if x.theirs.value.shape != y.theirs.value.shape:
            return
        p, q = x.theirs, y.theirs
        both = Naive(np.stack([p.value, q.value]), ((p, lambda g: g[0]), (q, lambda g: g[1])))
        self.keep(tg.stack([x.ours, y.ours]), both, x, y)

    @rule(steps=st.lists(STEP, min_size=1, max_size=10), then=st.sampled_from(["backward", "retain", "nothing"]), seed=SEED)
    def compute(self, steps: list[tuple[str, int, int, int]], then: str, seed: int) -> None:
        for kind, a, b, n in steps:
            if kind == "unary":
                self.unary(UNARY[n % len(UNARY)], a)
            elif kind == "binary":
                self.binary(BINARY[n % len(BINARY)], a, b)
            elif kind == "number":
                self.with_a_number(BINARY[n % 4], a, [2, -0.5, 3.0, 1][b % 4], n % 2 == 0)
            elif kind == "matmul":
                self.matmul(a, b)
            elif kind == "reduction":
                self.reduction(["sum", "mean", "amax"][n % 3], a, [None, 0, 1, 2][b % 4], n % 2 == 0)
            elif kind == "moved":
                self.moved(a, MOVES[n % len(MOVES)])
            else:
                self.joined(a, b)
        if then != "nothing":
            self.backward(0, seed, then == "retain", False)

    @rule(a=PICK)
    def detached(self, a: int) -> None:
        x = self.any(a)
        self.keep(x.ours.detach(), Naive(x.theirs.value))

    @rule(name=st.sampled_from(UNARY), a=PICK)
    def under_no_grad(self, name: str, a: int) -> None:
        x = self.any(a)
        with tg.no_grad():
            ours = getattr(x.ours, name)()
        self.keep(ours, Naive(naive.unary(name, x.theirs).value))

    @rule(a=PICK)
    def forget(self, a: int) -> None:
        if len(self.pairs) > 1:
            self.pairs.remove(self.any(a))

    # -- writing ----------------------------------------------------------------------------------------------------

    def overwritten(self, x: Pair) -> None:
        """After a write to x: what shares its memory has changed and is dropped, what depends on it is shaky."""
        x.shaky = False
        memory = owner(x.ours)
        touched = [p for p in self.pairs if p is x or np.shares_memory(p.ours._array, x.ours._array)]
        for p in self.pairs:
            hurt = any(node.memory is memory for node in p.theirs.ancestors())
            if p is not x and (hurt or p.ours.requires_grad and self.may_have_kept(touched)):
                p.shaky = True
        self.pairs = [p for p in self.pairs if p is x or p not in touched]

    def may_have_kept(self, touched: list[Pair]) -> bool:
        """Constants are no ancestors in the naive engine: any value with a history may have kept one."""
        return any(not p.theirs.wanted for p in touched)

    @precondition(lambda self: self.leaves())
    @rule(a=PICK, seed=SEED, way=st.sampled_from(["sub", "copy", "setitem", "detach", "grad step"]))
    def update_a_leaf(self, a: int, seed: int, way: str) -> None:
        x = self.leaves()[a % len(self.leaves())]
        change = numbers(seed, x.theirs.value.shape)
        with tg.no_grad():
            if way == "sub":
                x.ours -= tg.tensor(change)
            elif way == "copy":
                x.ours.copy_(tg.tensor(change))
            elif way == "setitem":
                x.ours[...] = tg.tensor(change)
            elif way == "detach":
                x.ours.detach().add_(tg.tensor(change))
            elif x.ours.grad is not None:
                x.ours -= 0.1 * x.ours.grad
        old = x.theirs
        step = 0 * old.value if old.grad is None else 0.1 * old.grad
        value = {
            "sub": old.value - change,
            "copy": change,
            "setitem": change,
            "detach": old.value + change,
            "grad step": old.value - step,
        }
        self.overwritten(x)
        old.value = np.array(value[way])
        if np.abs(old.value).max(initial=0) > 100:
            self.pairs.remove(x)
        if not self.pairs:
            self.leaf(seed, ())

    @rule(a=PICK, b=PICK, name=st.sampled_from(["add_", "mul_", "sub_"]), itself=st.sampled_from([False, False, True]))
    def recorded_write(self, a: int, b: int, name: str, itself: bool) -> None:
        x = self.any(a)
        y = x if itself else self.any(b)
        p, q = x.theirs, y.theirs
        fits = np.broadcast_shapes(p.value.shape, q.value.shape) == p.value.shape if self.broadcast(p, q) else False
        before = x.ours.tolist()
        node = x.ours._node
        try:
            getattr(x.ours, name)(y.ours)
        except RuntimeError:
            assert x.ours.tolist() == before
            assert x.ours._node is node
            assert not fits or p.wanted or q.wanted or not x.ours._array.flags.writeable
            return
        assert fits and not p.leaf
        aliased = np.shares_memory(x.ours._array, y.ours._array)
        result = naive.binary(name[:-1], p, q)
        shaky = x.shaky or y.shaky
        self.overwritten(x)
        result.memory = owner(x.ours)
        x.theirs, x.shaky = result, shaky or aliased or p.wanted  # its own operation may have kept what is overwritten
        np.testing.assert_allclose(x.ours.detach().numpy(), result.value)
        assert x.ours.requires_grad == result.wanted
        if np.abs(result.value).max(initial=0) > 100 or result.paths > 200:
            self.pairs.remove(x)
        if not self.pairs:
            self.leaf(0, ())

    @staticmethod
    def broadcast(p: Naive, q: Naive) -> bool:
        """Whether two shapes go together."""
        try:
            np.broadcast_shapes(p.value.shape, q.value.shape)
        except ValueError:
            return False
        return True

    # -- walking ----------------------------------------------------------------------------------------------------

    def refused(self, action: Any, *words: str) -> None:
        """The framework must raise a RuntimeError with one of these words; the invariants see that nothing moved."""
        try:
            action()
        except RuntimeError as error:
            assert not words or any(word in str(error) for word in words), str(error)
        else:
            raise AssertionError(f"no error; expected one of {words}")

    def drop(self, reached: set[Naive]) -> None:
        """After a walk that failed: the part above the error has been freed, so what goes through it is given up."""
        through = {node for node in reached if not node.leaf}
        self.pairs = [p for p in self.pairs if not through & p.theirs.ancestors()]
        if not self.pairs:
            self.leaf(0, ())

    @rule(a=PICK, seed=SEED, retain=st.booleans(), implicit=st.sampled_from([False, False, False, True]))
    def backward(self, a: int, seed: int, retain: bool, implicit: bool) -> None:
        x = self.any(a)
        if not x.theirs.wanted or x.theirs.leaf:  # prefer what has a history
            x = next((p for p in reversed(self.pairs) if p.theirs.parents), x)
        g = numbers(seed, x.theirs.value.shape)
        if implicit:
            if x.theirs.wanted and g.size != 1:
                self.refused(x.ours.backward, "scalar outputs")
                return
            g = np.ones_like(g)

        def walk() -> None:
            x.ours.backward(None if implicit else tg.tensor(g), retain_graph=retain)

        if not x.theirs.wanted:
            self.refused(walk, "does not require grad")
            return
        reached = x.theirs.ancestors()
        if any(node.freed for node in reached):
            self.refused(walk, "second time", "inplace")
            self.drop(reached)
            return
        try:
            walk()
        except RuntimeError as error:
            assert x.shaky and ("inplace operation" in str(error) or "second time" in str(error)), str(error)
            self.drop(reached)
            return
        landed: dict[Naive, Array] = {}
        x.theirs.push(g, landed)
        for node, gradient in landed.items():
            if node.leaf:
                node.grad = gradient if node.grad is None else node.grad + gradient
            elif not retain:
                node.freed = True
        dead = [p for p in self.pairs if any(node.freed for node in p.theirs.ancestors())]
        self.pairs = [p for p in self.pairs if p not in dead[1:]]  # one is enough to see the error of a second backward

    @rule(a=PICK, b=PICK, c=PICK, seed=SEED, create=st.booleans())
    def grad(self, a: int, b: int, c: int, seed: int, create: bool) -> None:
        x, wanted = self.any(a), [self.any(b), self.any(c)]
        if not x.theirs.wanted or not all(w.theirs.wanted for w in wanted):
            return
        if any(node.freed for node in x.theirs.ancestors()):
            return  # whether it is met depends on the part that leads to the inputs
        if any(w.theirs is not x.theirs and w.shaky for w in wanted):
            return
        g = numbers(seed, x.theirs.value.shape)
        try:
            found = tg.autograd.grad(
                x.ours, [w.ours for w in wanted], tg.tensor(g), retain_graph=True, create_graph=create, allow_unused=True
            )
        except RuntimeError as error:
            assert x.shaky and ("inplace operation" in str(error) or "second time" in str(error)), str(error)
            return
        landed: dict[Naive, Array] = {}
        x.theirs.push(g, landed)
        for w, gradient in zip(wanted, found, strict=True):
            if w.theirs not in landed:
                assert gradient is None
            else:
                assert gradient is not None
                np.testing.assert_allclose(gradient.detach().numpy(), landed[w.theirs], rtol=1e-7, atol=1e-7)

    @rule(a=PICK, how=st.sampled_from(["None", "zero_"]))
    def zero(self, a: int, how: str) -> None:
        for p in self.leaves()[a % 3 :]:
            if how == "None":
                p.ours.grad = None
                p.theirs.grad = None
            elif p.ours.grad is not None:
                p.ours.grad.zero_()
                p.theirs.grad = np.zeros_like(p.theirs.value)

    # -- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def all_values_agree(self) -> None:
        for p in self.pairs:
            assert p.ours.shape == p.theirs.value.shape
            assert p.ours.requires_grad == p.theirs.wanted
            np.testing.assert_allclose(p.ours.detach().numpy(), p.theirs.value, rtol=1e-9, atol=1e-9)

    @invariant()
    def all_gradients_agree_and_are_owned(self) -> None:
        held = []
        for p in self.leaves():
            grad = p.ours.grad
            assert (grad is None) == (p.theirs.grad is None)
            if grad is None or p.theirs.grad is None:
                continue
            np.testing.assert_allclose(grad.numpy(), p.theirs.grad, rtol=1e-7, atol=1e-7)
            assert grad._array.flags.writeable
            assert not any(np.shares_memory(grad._array, other) for other in held)
            held.append(grad._array)
        for p in self.pairs:
            assert not any(np.shares_memory(p.ours._array, other) for other in held)

    @invariant()
    def recording_is_on(self) -> None:
        assert tg.is_grad_enabled()


# A failing program is only made shorter on demand (SHRINK=1), which takes minutes; unshrunk it has at most 40 lines.
PHASES = [phase for phase in Phase if phase is not Phase.shrink and phase is not Phase.explain or "SHRINK" in os.environ]
TwoEngines.TestCase.settings = settings(
    max_examples=500, stateful_step_count=40, deadline=None, phases=PHASES, report_multiple_bugs=False
)
TestTwoEngines = TwoEngines.TestCase


def test_the_naive_engine_agrees_with_central_differences() -> None:
    """Who tests the tester: a composite of every naive formula, differentiated numerically."""
    draw = np.random.default_rng(0)
    start = draw.uniform(0.3, 1.2, (2, 3))

    def value(x: Array) -> Naive:
        a = Naive(x, wanted=True)
        total = naive.reduction("sum", a, None, False)
        for name in UNARY:
            b = naive.unary(name, a)
            c = naive.binary("mul", naive.reduction("mean", b, 0, False), naive.binary("div", b, naive.unary("exp", a)))
            d = naive.binary("maximum", naive.moved(c, lambda v: v[::-1]), naive.binary("sub", c, a))
            e = naive.binary("matmul", d, naive.moved(a, lambda v: v.T))
            total = naive.binary("add", total, naive.reduction("sum", naive.reduction("amax", e, 1, True), None, False))
        total.leaf_input = a
        return total

    out = value(start)
    landed: dict[Naive, Array] = {}
    out.push(np.ones(()), landed)
    gradient = landed[out.leaf_input]
    for place in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[place] = 1e-6
        slope = (value(start + step).value - value(start - step).value) / 2e-6
        np.testing.assert_allclose(gradient[place], slope, rtol=1e-5)
