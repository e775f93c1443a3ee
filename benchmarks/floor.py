"""Below which time no step on NumPy can fall: its matrix products alone, and the reading and writing of its parameters.

A step of larger layers is little more than these. What is measured are the three products of each layer (two for the first,
whose input needs no gradient), each into memory that is there already, and a copy of all parameters, since an update
reads and writes each at least once.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from .frameworks import openblas
from .steps import Case


def products(case: Case) -> dict[str, Callable[[], None]]:
    """The matrix products of one step, forward and backward, with the BLAS's default number of threads and with one."""
    params, x, _ = case.data()
    work = []
    for number, w in enumerate(params[::2]):
        rows, y = x if not number else np.ones((case.batch, w.shape[0]), w.dtype), np.ones((case.batch, w.shape[1]), w.dtype)
        work += [(rows, w, y.copy()), (rows.T, y, np.empty_like(w))]  # forward; ∂C/∂W
        if number:
            work.append((y, w.T, rows.copy()))  # ∂C/∂X

    def run() -> None:
        for a, b, out in work:
            a.dot(b, out=out)

    threads = openblas()
    if threads is None:
        return {"products": run}
    default, set_threads = threads

    def run_with(count: int) -> None:
        set_threads(count)
        run()

    return {f"products, {n} thread(s)": partial(run_with, n) for n in dict.fromkeys((default, 1))}


def copies(case: Case) -> Callable[[], None]:
    """A copy of every parameter."""
    params, *_ = case.data()
    pairs = [(p.copy(), p) for p in params]

    def run() -> None:
        for target, source in pairs:
            np.copyto(target, source)

    return run
