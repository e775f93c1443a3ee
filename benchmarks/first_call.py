"""What a user waits for before the first result of a compiled step, in a fresh process for each measurement.

Imports, the making of the parameters and the start of the runtime are outside of the clock. It runs for two calls, since
TinyJit compiles in its second; for the others a second call adds next to nothing. What compilers keep on disk goes into
a folder of its own that is empty at first, so that nobody finds the work of an earlier run.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from .frameworks import STEPS, SUBJECTS, Framework
from .steps import CASES, Case

NAMES = ("compiled", "numba", "JAX", "torch.compile", "tinygrad")
CACHES = ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")  # the last is tinygrad's


def clock(name: str, case: Case) -> float:
    """Seconds of the first two calls in this process, of the first variant."""
    start = next(iter(STEPS[name][1]().variants(case).values()))
    run = start()
    before = time.perf_counter()
    for _ in range(2):
        float(run.step().item())
    return time.perf_counter() - before


def first_call(framework: Framework, case: Case, rounds: int, left_out: dict[str, str]) -> float | None:
    """The best of several processes; None if a peer finds no compiler, with the reason in `left_out`."""
    root = Path(__file__).resolve().parent.parent
    seconds = []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            environment = {**os.environ, **{variable: str(Path(folder, variable)) for variable in CACHES}}
            command = [sys.executable, "-m", "benchmarks.first_call", framework.name, case.name]
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        if done.returncode:
            if framework.name in SUBJECTS or not framework.slow:
                raise RuntimeError(f"the first call of {framework.name}, {case.name}:\n{done.stderr}")
            left_out.setdefault(framework.name, f"first call, {case.name}: {done.stderr.strip().splitlines()[-1]}")
            return None
        seconds.append(float(done.stdout.split()[-1]))
    return min(seconds)


if __name__ == "__main__":
    print(clock(sys.argv[1], next(case for case in CASES if case.name == sys.argv[2])))
