"""Unit costs: what one recorded operation, one node walked back and one new tensor cost, beside bare NumPy.

All arrays are 8x8 float32, so small that nearly all the time is bookkeeping. The NumPy column is the control:
the same arithmetic with no framework, and the excess over it is what the framework adds. Operators are timed
as statements, with no function call around them. PyTorch and JAX have kernels of their own, so their excess
could be negative. JAX keeps no tape outside of its transformations: only its eager operations are listed.
"""

import importlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .frameworks import SUBJECT, Disagreement
from .timing import Sampler, statement

CHAIN = 100  # nodes in the chains walked backward
RNG = np.random.default_rng(7)
A = RNG.uniform(0.5, 1.5, (8, 8)).astype(np.float32)
B = RNG.uniform(0.99, 1.01, (8, 8)).astype(np.float32)
ONES = np.ones_like(A)

RECORD_MUL, RECORD_ADD = "record a * b", "record a + b"
CONSTANT = "a * b under no_grad"
BACK_MUL, BACK_ADD = f"backward, per node of {CHAIN} muls", f"backward, per node of {CHAIN} adds"
CREATE = "tensor from an 8x8 array"
ROWS = (RECORD_MUL, RECORD_ADD, CONSTANT, BACK_MUL, BACK_ADD, CREATE)


def chain(x: Any, b: Any, multiply: bool) -> Any:
    """``x * b * b * ...`` or ``x + b + b + ...``, CHAIN times; ``b`` is a constant."""
    for _ in range(CHAIN):
        x = x * b if multiply else x + b
    return x


def within(context: Callable[[], AbstractContextManager[Any]], sampler: Sampler) -> Sampler:
    """The same sampler, run inside a context manager such as no_grad (entered outside of the timing)."""

    def sample(budget: float) -> float:
        with context():
            return sampler(budget)

    return sample


def walk_sampler(
    name: str, build: Callable[[bool], Any], walk: Callable[[Any], Any], multiply: bool
) -> Sampler:
    """Time per node of ``walk(build(multiply))``; building and freeing the chain are outside of the clock.

    The gradient that the walk returns is checked first: b ** CHAIN for the muls and 1 for the adds.
    """
    want = B.astype(float) ** CHAIN if multiply else ONES
    if not np.allclose(np.asarray(walk(build(multiply))), want, rtol=1e-4):
        raise Disagreement(f"{name}: wrong gradient of a chain of {'muls' if multiply else 'adds'}")

    def sample(budget: float) -> float:
        walk(build(multiply))
        seconds, walks = 0.0, 0
        while seconds < budget:
            root = build(multiply)
            before = time.perf_counter()
            walk(root)
            seconds += time.perf_counter() - before
            walks += 1
        return seconds / walks / CHAIN

    return sample


def recorded(
    name: str, a: Any, b: Any, constant: Sampler, build: Callable[[bool], Any], walk: Callable[[Any], Any]
) -> dict[str, Sampler]:
    """The rows of a framework that records; ``a`` and ``b`` require gradients, ``walk`` returns one."""
    return {
        RECORD_MUL: statement("a * b", a=a, b=b),
        RECORD_ADD: statement("a + b", a=a, b=b),
        CONSTANT: constant,
        BACK_MUL: walk_sampler(name, build, walk, True),
        BACK_ADD: walk_sampler(name, build, walk, False),
    }


def numpy_units() -> dict[str, Sampler]:
    """The control. Walking back through additions needs no arithmetic at all: an empty loop."""
    loop = f"g = ones\nfor _ in range({CHAIN}): "
    mul, add = (statement(loop + body, b=B, ones=ONES) for body in ("g = g * b", "pass"))
    return {
        RECORD_MUL: statement("a * b", a=A, b=B),
        RECORD_ADD: statement("a + b", a=A, b=B),
        CONSTANT: statement("a * b", a=A, b=B),
        BACK_MUL: lambda budget: mul(budget) / CHAIN,
        BACK_ADD: lambda budget: add(budget) / CHAIN,
        CREATE: statement("array(a)", array=np.array, a=A),
    }


def torch_units(module: str) -> dict[str, Sampler]:
    torch = importlib.import_module(module)
    a, b = torch.tensor(A, requires_grad=True), torch.tensor(B, requires_grad=True)
    constant, ones = torch.tensor(B), torch.tensor(ONES)

    def walk(root: Any) -> Any:
        a.grad = None
        root.backward(ones)
        return a.grad

    no_grad = within(torch.no_grad, statement("a * b", a=a, b=b))
    rows = recorded(module, a, b, no_grad, lambda multiply: chain(a, constant, multiply), walk)
    return {**rows, CREATE: statement("tensor(a)", tensor=torch.tensor, a=A)}


def mygrad_units() -> dict[str, Sampler]:
    mg = importlib.import_module("mygrad")
    a, b, constant = mg.tensor(A), mg.tensor(B), mg.tensor(B, constant=True)

    def walk(root: Any) -> Any:
        a.null_grad()
        root.backward(ONES)
        return a.grad

    no_grad = within(lambda: mg.no_autodiff, statement("a * b", a=a, b=b))
    rows = recorded("mygrad", a, b, no_grad, lambda multiply: chain(a, constant, multiply), walk)
    return {**rows, CREATE: statement("tensor(a)", tensor=mg.tensor, a=A)}


def autograd_units() -> dict[str, Sampler]:
    """autograd records only inside a trace: the operands are boxes of a trace opened by hand."""
    tracer, core = importlib.import_module("autograd.tracer"), importlib.import_module("autograd.core")
    with tracer.trace_stack.new_trace() as trace:
        a, b = (tracer.new_box(value, trace, core.VJPNode.new_root()) for value in (A, B))
    multiply = importlib.import_module("autograd.numpy").multiply
    constant = statement("multiply(a, b)", multiply=multiply, a=A, b=B)

    def build(multiply: bool) -> Any:
        return core.make_vjp(lambda x: chain(x, B, multiply), A)[0]

    return recorded("autograd", a, b, constant, build, lambda vjp: vjp(ONES))


def jax_units() -> dict[str, Sampler]:
    array = importlib.import_module("jax.numpy").array
    constant = statement("a * b", a=array(A), b=array(B))
    return {CONSTANT: constant, CREATE: statement("array(a)", array=array, a=A)}


UNITS: dict[str, Callable[[], dict[str, Sampler]]] = {
    "NumPy": numpy_units,
    SUBJECT: lambda: torch_units(SUBJECT),
    "PyTorch": lambda: torch_units("torch"),
    "JAX": jax_units,
    "MyGrad": mygrad_units,
    "autograd": autograd_units,
}


def samplers(names: Iterable[str]) -> dict[str, dict[str, Sampler]]:
    """row -> framework -> sampler; a framework is missing from a row that has no meaning for it."""
    columns = {name: UNITS[name]() for name in names}
    return {row: {name: c[row] for name, c in columns.items() if row in c} for row in ROWS}
