"""compile: a training step becomes the NumPy program that one would have written by hand, and that program is what runs."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any


def compile(step: Callable[..., Any] | None = None, *, backend: str = "numpy") -> Any:
    """A step that is recorded at its first call, and from then on runs as a NumPy program of its own, which can be read.

    The step is a function of the user's: forward pass, loss, `backward()`, optimiser and all, or a prediction under `no_grad`.
    Its first call is an ordinary one, under observation. Other shapes, dtypes, Python arguments, options or modes make another
    program; learning rates and random numbers are read and drawn anew at each call. See docs/compile.md.

    Args:
        step: the function, or a Module. Without it, a decorator is returned.
        backend: "numpy"; or "numba", with which small programs become machine code (Numba takes a second or more for that at
            the first call).

    Returns:
        A function that does what the step does, with `source()`, `save(path)` and `traces`. It returns values: their graph is
        gone.

    Raises:
        ValueError: for another backend.
        ImportError: for "numba" where Numba is not installed.
        CannotCompile: at a call, where the step does what a program of NumPy calls could not repeat. It is a RuntimeError, says
            what to write instead, and leaves everything as it was.

    >>> import tinygrad_fr as torch
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> @torch.compile
    ... def step(x):
    ...     optimizer.zero_grad()
    ...     loss = (w * x).sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> [step(torch.tensor([1.0, 1.0])).item() for _ in range(3)]
    [3.0, 2.0, 1.0]
    """
    if backend not in ("numpy", "numba"):
        raise ValueError(f"compile has no backend {backend!r}: it is 'numpy' or 'numba'.")
    if backend == "numba" and importlib.util.find_spec("numba") is None:
        raise ImportError("the backend 'numba' needs Numba, which is not installed: run `pip install 'tinygrad_fr[jit]'`.")
    if step is None:
        return functools.partial(compile, backend=backend)
    from tinygrad_fr.compiler.compiled import Compiled

    return Compiled(step, backend)
