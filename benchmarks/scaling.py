"""How the time of one step grows with the batch and with the width of a network of two layers; a plot for a projector."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from .frameworks import SUBJECTS
from .steps import CASES, Case

BASE = next(case for case in CASES if case.name == "mnist-tanh")  # 784-50-10, batch 64
SIZES = {"batch": (1, 4, 16, 64, 256, 1024), "width": (8, 32, 128, 512, 1024)}
TITLES = {"batch": "784-50-10, examples in a batch", "width": "784-width-10, batch of 64"}


def cases(axis: str, quick: bool) -> list[Case]:
    """The base case at other batches, or with other hidden layers; with `quick` only the smallest and the largest."""
    sizes = SIZES[axis][:: len(SIZES[axis]) - 1] if quick else SIZES[axis]
    named = [(n, f"{axis} {n}") for n in sizes]
    if axis == "batch":
        return [replace(BASE, name=name, title=name, batch=n) for n, name in named]
    return [replace(BASE, name=name, title=name, sizes=(784, n, 10)) for n, name in named]


def curves(results: dict[str, Any]) -> dict[str, tuple[list[int], list[float]]]:
    """For each contestant, the sizes and its times divided by those of hand-written NumPy."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for row, result in results.items():
        best = result["best_us"]
        for name in best:
            sizes, ratios = found.setdefault(name, ([], []))
            sizes.append(int(row.split()[-1]))
            ratios.append(best[name]["us"] / best["NumPy"]["us"])
    return found


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Times relative to hand-written NumPy, which is the line at 1; thick and coloured for tinygrad_fr, grey for the others.

    Raises:
        ImportError: when matplotlib is not there, with the line that installs it.
    """
    from tinygrad_fr.visual import plots

    colours = dict(zip(SUBJECTS, (plots.COLOURS[0], plots.COLOURS[1], plots.COLOURS[3]), strict=True))
    drawn = {axis: curves(rows) for axis, rows in results.items()}
    names = list(dict.fromkeys(name for lines in drawn.values() for name in lines))
    highest = max(max(ratios) for lines in drawn.values() for _, ratios in lines.values())
    lowest = min(min(ratios) for lines in drawn.values() for _, ratios in lines.values())
    ticks = [n * 10.0**power for power in range(-3, 4) for n in (1, 2, 5)]

    with plots.page(16, 8, path=path, lang="en") as page:
        panels = page.subplots(1, len(drawn), sharey=True)
        for axes, (axis, lines) in zip(panels, drawn.items(), strict=True):
            axes.axhline(1, color="black", linestyle="-", label="NumPy, by hand")
            for name, (sizes, ratios) in lines.items():
                number, ours = names.index(name), name in SUBJECTS
                if name != "NumPy":
                    axes.plot(
                        sizes, ratios, label=name, marker=plots.MARKERS[number], linewidth=5 if ours else 2,
                        color=colours.get(name, "#7a7a7a"), linestyle="-" if ours else plots.LINES[1 + number % 3],
                        zorder=3 if ours else 2,
                    )  # fmt: skip
            axes.set(xscale="log", yscale="log", xlabel=TITLES[axis], ylim=(lowest / 1.2, highest * 1.2))
            axes.set_xticks(lines["NumPy"][0], [str(n) for n in lines["NumPy"][0]])
            axes.set_yticks(*zip(*((n, f"{n:g}×") for n in ticks if lowest / 1.2 < n < highest * 1.2), strict=True))
            axes.minorticks_off()
        panels[0].set_ylabel("time of a step, relative to NumPy by hand")
        handles = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        page.legend(handles.values(), handles.keys(), loc="outside right center")
