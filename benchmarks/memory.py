"""Peak memory of one training step, above what was held before it began.

NumPy reports its buffers to ``tracemalloc``, so for all that is built on NumPy the peak is read there.
Tracing begins before the parameters are made, so that a framework which replaces them is charged exactly; one
step is done first, so that caches filled once and for all are not charged. Small Python objects count too.

PyTorch allocates in C++, out of tracemalloc's sight. Its profiler, with ``profile_memory=True``, reports each
allocation and release of its CPU allocator as an event with a signed number of bytes; the peak is the
greatest running sum of those events in order of time. The scratch space of BLAS and oneDNN is seen by neither
method; PyTorch's C++ graph nodes are not counted. JAX is left out: XLA plans its buffers when it compiles.

``verify`` runs both methods on a case whose answer is known by hand.
"""

import gc
import importlib
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .frameworks import CONTESTANTS, SUBJECT, Disagreement, Framework, Run, Start, check
from .steps import CASES, Case

CASE: Case = replace(next(c for c in CASES if c.name == "mnist-relu"), name="memory", batch=1024)
TITLE = "784-512-512-10 relu, CE, batch 1024"


def numpy_peak(start: Start) -> int:
    """Greatest number of bytes held during the second step, minus those held before it, by tracemalloc."""
    gc.collect()
    tracemalloc.start()
    try:
        run = start()
        run.step()
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        run.step()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def torch_peak(start: Start) -> int:
    """The same by the running sum of the profiler's memory events of PyTorch's CPU allocator."""
    profiler: Any = importlib.import_module("torch.profiler")
    run = start()
    run.step()
    gc.collect()
    with profiler.profile(activities=[profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run.step()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return int(peak)


def peak_of(framework: Framework, start: Start) -> int:
    return numpy_peak(start) if framework.on_numpy else torch_peak(start)


def verify(framework: Framework, array: Callable[[Any], Any]) -> None:
    """x is given; y = x + x, z = y + y, y is dropped, u = z + z, v = u + u: never more than three new arrays.

    At 1 MiB an array the peak must be 3 MiB: exactly by the profiler, within 16 KiB of Python objects by
    tracemalloc.
    """
    x = array(np.ones(1 << 18, np.float32))

    def known() -> Any:
        y = x + x
        z = y + y
        del y
        u = z + z
        return u + u

    peak = peak_of(framework, lambda: Run(known, lambda: []))
    if abs(peak - 3 * (1 << 20)) > (16384 if framework.on_numpy else 0):
        raise Disagreement(f"memory of {framework.name}: {peak} bytes where 3 MiB are known")


def measure(frameworks: Mapping[str, Framework]) -> dict[str, int]:
    """Peak bytes of one step per framework whose memory can be seen; its first variant is taken."""
    peaks = {}
    for name, framework in frameworks.items():
        if name in ("NumPy", SUBJECT, "PyTorch"):
            module = importlib.import_module(CONTESTANTS[name][0])
            verify(framework, module.array if name == "NumPy" else module.tensor)
        if framework.on_numpy or name == "PyTorch":
            label, start = next(iter(framework.variants(CASE).items()))
            check(CASE, f"{name} ({label})", start)
            peaks[name] = peak_of(framework, start)
    return peaks
