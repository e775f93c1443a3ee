"""The command line: ``python -m benchmarks [--quick] [--only NAME] [--rounds N] [--json PATH] [--scaling]``."""

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

from . import first_call, floor, lessons, many, memory, scaling, startup, units
from .frameworks import CONTESTANTS, MODULES, STEPS, SUBJECT, SUBJECTS, Disagreement, Framework, Start, check, installed
from .steps import CASES, Case
from .timing import Sampler, race, statement, timer_sampler

HERE = Path(__file__).resolve().parent
PEERS = [name for name in STEPS if name not in ("NumPy", *SUBJECTS)]


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


def checked(case: Case, framework: Framework, quick: bool, left_out: dict[str, str]) -> dict[str, Start]:
    """The variants that compute what hand-written NumPy computes; of peers and Numba only the first if `quick`.

    A peer that needs a compiler may find none: the reason goes into `left_out`. Anyone else's failure ends the program.
    """
    variants = list(framework.variants(case).items())
    found = {}
    for label, start in variants[:1] if quick and (framework.slow or framework.name in PEERS) else variants:
        try:
            check(case, f"{framework.name} ({label})", start)
        except Disagreement:
            raise
        except Exception as error:
            if not framework.slow or framework.name not in PEERS:
                raise
            why = next(iter(str(error).strip().splitlines()), "")
            left_out.setdefault(framework.name, f"{case.name}: {type(error).__name__}: {why}")
        else:
            found[label] = start
    return found


def time_steps(
    title: str,
    cases: list[Case],
    found: dict[str, Framework],
    rounds: int,
    budget: float,
    quick: bool,
    left_out: dict[str, str],
) -> dict[str, Any]:
    """Check every variant of every contestant, then race them; print the tables and return all rounds."""
    results: dict[str, Any] = {}
    rows, ratios, notes = [], [], []
    ours = [name for name in SUBJECTS if name in found]
    for number, case in enumerate(cases):
        racing = [f for f in found.values() if not (quick and number and f.slow)]
        starts = {(f.name, label): s for f in racing for label, s in checked(case, f, quick, left_out).items()}
        timed = race(
            {key: step_sampler(start) for key, start in starts.items()}, rounds, budget, 1.5 * budget
        )
        best: dict[str, tuple[float, str]] = {}
        for (name, label), seconds in timed.items():
            best[name] = min(best.get(name, (float("inf"), "")), (1e6 * min(seconds), label))
        us = {name: value for name, (value, _) in best.items()}
        peer = min((name for name in PEERS if name in us), key=us.__getitem__, default=None)
        rows.append([case.title, *(f"{us[n]:.1f} ({us[n] / us['NumPy']:.2f}x)" if n in us else "-" for n in found)])
        rivals = ("NumPy", peer) if peer else ("NumPy",)
        against = {name: {rival: us[name] / us[rival] for rival in rivals} for name in ours if name in us}
        cells = [ratio(us.get(name), us.get(rival)) for name in ours for rival in ("NumPy", peer or "")]
        ratios.append([case.title, peer or "-", *cells])
        notes.append(f"  {case.name}: " + "; ".join(f"{n} {best[n][1]}" for n in best if best[n][1]))
        results[case.name] = {
            "title": case.title,
            "best_us": {name: {"us": value, "variant": label} for name, (value, label) in best.items()},
            "best_peer": peer,
            "ratios": against,
            "rounds_us": {f"{n} ({label})": [1e6 * s for s in times] for (n, label), times in timed.items()},
        }
    table(f"{title}, microseconds (ratio to hand-written NumPy)", ["step", *found], rows)
    header = ["step", "best peer", *(f"{name}/{rival}" for name in ours for rival in ("NumPy", "best peer"))]
    table("tinygrad_fr's columns, divided by hand-written NumPy and by the best peer", header, ratios)
    print("Quickest variants:", *notes, sep="\n")
    return results


def time_floors(cases: list[Case], rounds: int, budget: float) -> dict[str, Any]:
    """Race what a step cannot do without on NumPy; print microseconds."""
    results: dict[str, Any] = {}
    rows = []
    for case in cases:
        parts = {**floor.products(case), "parameters": floor.copies(case)}
        timed = race({name: statement("run()", run=run) for name, run in parts.items()}, rounds, budget)
        us = results[case.name] = {name: 1e6 * min(seconds) for name, seconds in timed.items()}
        best = min(value for name, value in us.items() if name != "parameters")
        rows.append([case.title, f"{best:.1f}", f"{us['parameters']:.1f}", f"{best + us['parameters']:.1f}"])
    header = ["step", "matrix products", "a copy of the parameters", "together"]
    table("Floors: what a step cannot do without on NumPy's BLAS, microseconds", header, rows)
    return results


def time_many(cases: list[Case], rounds: int, budget: float) -> dict[str, Any]:
    """Race whole runs through many samples, one after the other; print microseconds a sample."""
    results: dict[str, Any] = {}
    columns = ("NumPy", "compiled", "numba", "JAX")
    rows = []
    for case in cases:
        learners = many.contestants(case)
        timed = race({name: statement("learn()", learn=learn) for name, learn in learners.items()}, rounds, budget)
        us = results[case.name] = {name: 1e6 * min(seconds) / many.SAMPLES for name, seconds in timed.items()}
        rows.append([case.title, *(f"{us[n]:.2f} ({us[n] / us['NumPy']:.2f}x)" if n in us else "-" for n in columns)])
    table(f"{many.SAMPLES} samples in one call, microseconds a sample (ratio to hand-written NumPy)", ["step", *columns], rows)
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


def time_end_to_end(rounds: int, quick: bool, left_out: dict[str, str]) -> dict[str, Any]:
    """Time the whole trainings of S3 and S4 and, by itself, the first call; print seconds."""
    results: dict[str, Any] = {}
    rows = []
    columns = ("listing", *SUBJECTS)
    for title, trainings in lessons.end_to_end(quick, left_out).items():
        first = {name: timeit.timeit(training.first, number=1) for name, training in trainings.items()}
        timed = race({name: training.sample for name, training in trainings.items()}, rounds)
        best = {name: min(seconds) for name, seconds in timed.items()}
        results[title] = {
            name: {"s": best[name], "first_call_s": first[name], "rounds_s": timed[name]} for name in trainings
        }
        cells = [f"{best[n]:.3f} + {first[n]:.3f}" if n in best else "-" for n in columns]
        rows.append([title, *cells, *(ratio(best.get(name), best["listing"]) for name in SUBJECTS)])
    header = ["training", "the course's listing", *SUBJECTS, *(f"{name}/listing" for name in SUBJECTS)]
    table("From end to end: seconds of a whole training + those of the first call (ratios without it)", header, rows)
    return results


def time_first_calls(
    found: dict[str, Framework], rounds: int, quick: bool, left_out: dict[str, str]
) -> dict[str, Any]:
    """Time the first call in fresh processes, for the smallest case and the deepest; print milliseconds."""
    racing = [found[n] for n in first_call.NAMES if n in found and not (quick and found[n].slow)]
    results: dict[str, Any] = {}
    rows = []
    for case in (CASES[0],) if quick else (CASES[0], CASES[-1]):
        seconds = {f.name: first_call.first_call(f, case, rounds, left_out) for f in racing}
        results[case.name] = {name: 1e3 * s for name, s in seconds.items() if s is not None}
        cells = [f"{results[case.name][n]:.0f}" if n in results[case.name] else "-" for n in first_call.NAMES]
        rows.append([case.title, *cells])
    table("First call in a fresh process, imports aside, milliseconds", ["step", *first_call.NAMES], rows)
    return results


def time_scaling(
    found: dict[str, Framework], rounds: int, budget: float, quick: bool, left_out: dict[str, str], path: Path
) -> None:
    """Time one step over batches and widths; write scaling.json beside the other results and, with matplotlib, a plot."""
    results = {
        axis: time_steps(f"Scaling over {axis}", scaling.cases(axis, quick), found, rounds, budget, quick, left_out)
        for axis in scaling.SIZES
    }
    path.write_text(json.dumps(results, indent=1) + "\n")
    written = [path]
    try:
        for picture in (path.with_suffix(".png"), path.with_suffix(".svg")):
            scaling.plot(results, picture)
            written.append(picture)
    except ImportError as error:
        left_out["the plot of scaling"] = str(error)
    print("\nwritten:", *written)


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
        "versions": {name: found[name].version if name in found else "not here" for name in STEPS},
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; any disagreement with hand-written NumPy ends the program with an error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="few short rounds, for CI: checks, rough timings"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each race (default 15; 2 with --quick)")
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="where the results go")
    parser.add_argument("--scaling", action="store_true", help="one step over batches and widths, and a plot, beside the JSON")
    tables = ("units", "modules", "many", "floors", "first-call", "lessons", "end-to-end", "memory", "import")
    parser.add_argument(
        "--only", action="append", metavar="NAME",
        help=f"only rows named like NAME: {', '.join((*(c.name for c in CASES), *tables))}; with --scaling only that if absent",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    quick = options.quick
    rounds = options.rounds or (2 if quick else 15)
    budget = 0.004 if quick else 0.02

    def wanted(name: str) -> bool:
        if not options.only:
            return not options.scaling
        return any(part in name for part in options.only)

    if not options.scaling and not any(wanted(name) for name in (*(c.name for c in CASES), *tables)):
        parser.error("no row has such a name")
    left_out: dict[str, str] = {}
    steps = installed(STEPS, left_out)
    found = {name: steps[name] for name in CONTESTANTS if name in steps}
    results: dict[str, Any] = {"environment": environment(steps), "rounds": rounds, "quick": quick}
    for key, value in results["environment"].items():
        if key != "versions":
            print(f"{key}: {value}")
    print("; ".join(f"{name} {version}" for name, version in results["environment"]["versions"].items()))
    if wanted("units"):
        results["units"] = time_units(found, rounds, budget)
    if cases := [case for case in CASES if wanted(case.name)]:
        title = "Training steps: forward + backward + update"
        results["steps"] = time_steps(title, cases, steps, rounds, budget, quick, left_out)
    if cases := [case for case in CASES if wanted("modules") or wanted(case.name)]:
        title = "The same through nn.Sequential, a loss module and optim.SGD with zero_grad"
        modules = installed(MODULES, left_out)
        results["modules"] = time_steps(title, cases, modules, rounds, budget, quick, left_out)
    if cases := [case for case in CASES if case.batch == 1 and (wanted("many") or wanted(case.name)) and not quick]:
        results["many"] = time_many(cases, rounds, budget)
    if cases := [case for case in CASES if case.batch > 4 and (wanted("floors") or wanted(case.name))]:
        results["floors"] = time_floors(cases, rounds, budget)
    if wanted("first-call"):
        results["first_call_ms"] = time_first_calls(steps, 1 if quick else min(rounds, 3), quick, left_out)
    if wanted("lessons"):
        results["lessons"] = time_lessons(rounds, budget)
    if wanted("end-to-end"):
        results["end_to_end"] = time_end_to_end(min(rounds, 3), quick, left_out)
    if wanted("memory"):
        results["memory"] = measure_memory(found)
    if wanted("import"):
        results["import_ms"] = measure_imports(found, 1 if quick else 7, with_peers=not quick)
    if options.scaling:
        time_scaling(steps, rounds, budget, quick, left_out, options.json.with_name("scaling.json"))
    results["left_out"] = left_out
    if left_out:
        print("\nLeft out:", *(f"  {name}: {why}" for name, why in left_out.items()), sep="\n")
    if quick:
        print("\n--quick: numba, torch.compile and tinygrad in one row; they and the peers in one variant")
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nwritten: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
