"""The command line: ``python -m benchmarks [--quick] [--only NAME] [--rounds N] [--json PATH]``."""

import argparse
import json
import os
import platform
import sys
import time
import timeit
from pathlib import Path
from typing import Any

import numpy as np

from . import lessons, memory, startup, units
from .frameworks import CONTESTANTS, MODULES, SUBJECT, Framework, Start, check, installed
from .steps import CASES, Case
from .timing import Sampler, race, timer_sampler

HERE = Path(__file__).resolve().parent
PEERS = [name for name in CONTESTANTS if name not in ("NumPy", SUBJECT)]


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print rows under a header, in columns; the first column is aligned left."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * w for w in widths))


def ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}x" if a is not None and b else "-"


def step_sampler(start: Start) -> Sampler:
    """Sampler of a training step; every round trains afresh from the initial parameters."""
    return timer_sampler(lambda: timeit.Timer(start().step))


def time_steps(
    title: str, cases: list[Case], found: dict[str, Framework], rounds: int, budget: float
) -> dict[str, Any]:
    """Check every variant of every contestant, then race them; print the table and return all rounds."""
    results: dict[str, Any] = {}
    rows, notes = [], []
    for case in cases:
        starts = {(n, label): s for n, f in found.items() for label, s in f.variants(case).items()}
        for (name, label), start in starts.items():
            check(case, f"{name} ({label})", start)
        timed = race(
            {key: step_sampler(start) for key, start in starts.items()}, rounds, budget, 1.5 * budget
        )
        best: dict[str, tuple[float, str]] = {}
        for (name, label), seconds in timed.items():
            best[name] = min(best.get(name, (float("inf"), "")), (1e6 * min(seconds), label))
        us = {name: value for name, (value, _) in best.items()}
        peer = min((name for name in PEERS if name in us), key=us.__getitem__, default=None)
        cells = [f"{us[n]:.1f} ({us[n] / us['NumPy']:.2f}x)" if n in us else "-" for n in found]
        against = f"{ratio(us.get(SUBJECT), us[peer])} {peer}" if peer else "-"
        rows.append([case.title, *cells, ratio(us.get(SUBJECT), us["NumPy"]), against])
        notes.append(f"  {case.name}: " + "; ".join(f"{n} {best[n][1]}" for n in best if best[n][1]))
        results[case.name] = {
            "title": case.title,
            "best_us": {name: {"us": value, "variant": label} for name, (value, label) in best.items()},
            "best_peer": peer,
            "rounds_us": {f"{n} ({label})": [1e6 * s for s in times] for (n, label), times in timed.items()},
        }
    header = ["step", *found, f"{SUBJECT}/NumPy", f"{SUBJECT}/best peer"]
    table(f"{title}, microseconds (ratio to hand-written NumPy)", header, rows)
    print("Quickest variants:", *notes, sep="\n")
    return results


def time_lessons(rounds: int, budget: float) -> dict[str, Any]:
    """Race the lessons in examples/ against the course's own listings; print microseconds a sample."""
    results: dict[str, Any] = {}
    rows = []
    for title, samplers in lessons.samplers().items():
        timed = {name: 1e6 * min(s) for name, s in race(samplers, rounds, 10 * budget).items()}
        results[title] = timed
        rows.append([title, *(f"{us:.1f}" for us in timed.values()), ratio(timed[SUBJECT], timed["listing"])])
    header = ["lesson", "the course's listing", SUBJECT, "ratio"]
    table("Lessons: microseconds for each sample that is learnt from", header, rows)
    return results


def time_units(found: dict[str, Framework], rounds: int, budget: float) -> dict[str, Any]:
    """Race the unit costs row by row; print nanoseconds and the excess over NumPy."""
    results: dict[str, Any] = {}
    rows = []
    for row, samplers in units.samplers(found).items():
        timed = {name: 1e9 * min(s) for name, s in race(samplers, rounds, budget, pause=0.002).items()}
        control = timed["NumPy"]
        results[row] = {name: {"ns": ns, "over_numpy_ns": ns - control} for name, ns in timed.items()}
        cells = [f"{timed[n]:.0f} ({timed[n] - control:+.0f})" if n in timed else "-" for n in CONTESTANTS]
        rows.append([row, *cells])
    table("Unit costs, nanoseconds (excess over the NumPy control)", ["unit", *CONTESTANTS], rows)
    return results


def measure_memory(found: dict[str, Framework]) -> dict[str, Any]:
    """Check and measure the peak memory of one step; print MiB."""
    peaks = memory.measure(found)
    cells = [f"{peaks[n] / 2**20:.2f}" if n in peaks else "-" for n in CONTESTANTS]
    against = ratio(peaks.get(SUBJECT), peaks.get("PyTorch"))
    header = ["step", *CONTESTANTS, f"{SUBJECT}/PyTorch"]
    table("Peak memory of one step above the state before it, MiB", header, [[memory.TITLE, *cells, against]])
    return {"title": memory.TITLE, "peak_bytes": peaks}


def measure_imports(found: dict[str, Framework], rounds: int, with_peers: bool) -> dict[str, Any]:
    """Time imports in fresh interpreters; print milliseconds over NumPy."""
    modules = {n: CONTESTANTS[n][0] for n in found if n == SUBJECT or (with_peers and n != "NumPy")}
    best = startup.import_seconds(modules.values(), rounds)
    cells = [f"{1e3 * best[m]:.1f}" if m in best else "-" for m, _ in CONTESTANTS.values()]
    table(
        "Import, milliseconds (over numpy's own, in the first column)",
        ["", *CONTESTANTS],
        [["import", *cells]],
    )
    return {module: 1e3 * seconds for module, seconds in best.items()}


def environment(found: dict[str, Framework]) -> dict[str, Any]:
    """Where and with what this was measured."""
    blas: Any = np.show_config(mode="dicts")
    blas = blas["Build Dependencies"]["blas"] if isinstance(blas, dict) else {}
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "versions": {name: found[name].version if name in found else "not installed" for name in CONTESTANTS},
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; any disagreement with hand-written NumPy ends the program with an error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds, for CI: checks, rough timings"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each race (default 15; 2 with --quick)")
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="where the results go")
    parser.add_argument(
        "--only", action="append", metavar="NAME",
        help=f"only rows named like NAME: {', '.join(c.name for c in CASES)}, units, modules, lessons, memory, import",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    rounds = options.rounds or (2 if options.quick else 15)
    budget = 0.004 if options.quick else 0.02

    def wanted(name: str) -> bool:
        return not options.only or any(part in name for part in options.only)

    if not any(wanted(name) for name in (*(c.name for c in CASES), "units", "modules", "lessons", "memory", "import")):
        parser.error("no row has such a name")
    found = installed()
    results: dict[str, Any] = {"environment": environment(found), "rounds": rounds, "quick": options.quick}
    for key, value in results["environment"].items():
        if key != "versions":
            print(f"{key}: {value}")
    print("; ".join(f"{name} {version}" for name, version in results["environment"]["versions"].items()))
    if wanted("units"):
        results["units"] = time_units(found, rounds, budget)
    if cases := [case for case in CASES if wanted(case.name)]:
        title = "Training steps: forward + backward + update"
        results["steps"] = time_steps(title, cases, found, rounds, budget)
    if cases := [case for case in CASES if wanted("modules") or wanted(case.name)]:
        title = "The same through nn.Sequential, a loss module and optim.SGD with zero_grad"
        results["modules"] = time_steps(title, cases, installed(MODULES), rounds, budget)
    if wanted("lessons"):
        results["lessons"] = time_lessons(rounds, budget)
    if wanted("memory"):
        results["memory"] = measure_memory(found)
    if wanted("import"):
        results["import_ms"] = measure_imports(found, 1 if options.quick else 7, with_peers=not options.quick)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
