"""The cost of ``import``, over that of NumPy, in interpreters started afresh.

Each interpreter imports NumPy first, under the clock, and then the module, under the clock again: the second
figure is what the module adds. The best of several is kept; bytecode is cached by the first.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROGRAM = """
import importlib, time
a = time.perf_counter()
import numpy
b = time.perf_counter()
importlib.import_module({module!r})
print(b - a, time.perf_counter() - b)
"""


def import_seconds(modules: Iterable[str], rounds: int) -> dict[str, float]:
    """Best seconds to import each module over NumPy; NumPy's own is under "numpy". Modules take turns."""
    root = Path(__file__).resolve().parent.parent
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}  # as once installed
    names, best = list(modules), {"numpy": float("inf")}
    for _ in range(rounds + 1):
        for module in names or ["numpy"]:
            command = [sys.executable, "-c", PROGRAM.format(module=module)]
            output = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
            base, extra = map(float, output.split())
            best["numpy"] = min(best["numpy"], base)
            best[module] = min(best.get(module, extra), extra) if module != "numpy" else best["numpy"]
    return best
