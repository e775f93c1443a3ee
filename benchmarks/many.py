"""A thousand samples, learnt one after the other in one call: where a step is short, the calls themselves are what costs.

``compiled.loop`` is beside JAX's own way to do the same, ``lax.scan`` under ``jit``, and a Python loop over the
hand-written step.
"""

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from .frameworks import SUBJECT, Disagreement, pytorch_names
from .steps import Array, Case, Params

SAMPLES = 1000
Learn = Callable[[], Params]  # learns from all samples once more; returns the parameters


def data(case: Case) -> tuple[Params, Array, Array]:
    """The case's parameters, and samples like its own."""
    params, x, y = case.data()
    rng = np.random.default_rng(1)
    xs, ys = (rng.random((SAMPLES, *a.shape), dtype=np.float32) for a in (x, y))
    return params, xs, ys


def by_hand(case: Case) -> Learn:
    params, xs, ys = data(case)

    def learn() -> Params:
        for x, y in zip(xs, ys, strict=True):
            case.by_hand(params, x, y, case.lr)
        return params

    return learn


def compiled(case: Case, backend: str) -> Learn:
    torch: Any = importlib.import_module(SUBJECT)
    arrays, xs, ys = data(case)
    params = [torch.tensor(a, requires_grad=True) for a in arrays]
    optimizer = torch.optim.SGD(params, lr=case.lr)

    def step(x: Any, y: Any) -> Any:
        loss = case.forward(torch, torch.nn.functional, params, x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    run, inputs, targets = torch.compile(step, backend=backend), torch.tensor(xs), torch.tensor(ys)

    def learn() -> Params:
        run.loop(inputs, targets)
        return [p.detach().numpy() for p in params]

    return learn


def scanned(case: Case) -> Learn:
    """JAX: the step as the body of ``lax.scan``, the whole of it jitted."""
    jax: Any = importlib.import_module("jax")
    jnp: Any = importlib.import_module("jax.numpy")
    names = pytorch_names(jnp, sigmoid=jax.nn.sigmoid, relu=jax.nn.relu)
    arrays, xs, ys = data(case)

    def body(params: Any, sample: Any) -> Any:
        loss, grads = jax.value_and_grad(lambda p: case.forward(names, names, p, *sample))(params)
        return [p - case.lr * g for p, g in zip(params, grads, strict=True)], loss

    epoch = jax.jit(lambda params, xs, ys: jax.lax.scan(body, params, (xs, ys)), donate_argnums=0)
    params, inputs, targets = [jnp.array(a) for a in arrays], jnp.array(xs), jnp.array(ys)

    def learn() -> Params:
        nonlocal params
        params, losses = epoch(params, inputs, targets)
        losses.block_until_ready()
        return [np.asarray(p) for p in params]

    return learn


def contestants(case: Case) -> dict[str, Learn]:
    """Whoever is installed, after one run through the samples that has left all with the same parameters.

    Raises:
        Disagreement: when it has not.
    """
    found = {"NumPy": by_hand(case), "compiled": compiled(case, "numpy")}
    if find_spec("numba"):
        found["numba"] = compiled(case, "numba")
    if find_spec("jax"):
        found["JAX"] = scanned(case)
    expected = [p.copy() for p in found["NumPy"]()]
    for name, learn in found.items():
        if name != "NumPy" and not all(map(lambda a, b: np.allclose(a, b, rtol=1e-3, atol=1e-4), learn(), expected)):
            raise Disagreement(f"{name}, {case.name}: other parameters than hand-written NumPy's after {SAMPLES} samples")
    return found
