"""What the quantities of a program are called: as the step calls them, else as a course would (W1, b1, z1, a1, dz1, dW1)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tinygrad_fr.compiler.plan import Line, Plan
from tinygrad_fr.compiler.recorder import Value


def names_of(plan: Plan) -> dict[Value, str]:
    """A name for every quantity that has a role; the rest are temporaries."""
    names = {plan.resolve(value): name for value, name in plan.trace.names.items() if plan.resolve(value).kind == "result"}
    for value, path in plan.trace.paths.items():
        if _WORD.fullmatch(path):
            names.setdefault(value, _NUMBERED.sub(r"\1", path))
    _layers(plan, names)
    for value, path in plan.trace.paths.items():
        kept = _KEPT.search(path)
        names.setdefault(value, f"{kept[2]}_{kept[1]}" if kept else path)
    _gradients(plan, names)
    return names


_WORD = re.compile(r"[A-Za-z_]\w*(\[\d+\])?")
_KEPT = re.compile(r"\.state\[(\d+)\]\['(\w+)'\]")
_NUMBERED = re.compile(r"\[(\d+)\]")


def _layers(plan: Plan, names: dict[Value, str]) -> None:
    """z1 = x W1 + b1, a1 = f(z1), z2 = ...: wherever a forward formula multiplies by a matrix that is kept, a layer begins."""
    count = 0
    views = {line.result: next(line.inputs()) for line in plan.lines if line.kind == "view"}
    layer: dict[Value, int] = {}
    biased: set[int] = set()
    for run in _runs(plan.lines, "forward"):
        result = run[-1].result
        products = [line for line in run if line.kind == "dot"]
        kept = [views.get(v, v) for line in products for v in line.inputs()]
        matrices = [v for v in kept if v.kind == "state" and len(v.shape) == 2]
        if products and matrices:
            count += 1
            names.setdefault(matrices[0], f"W{count}")
            for line in run:
                for value in line.inputs():
                    if line.kind == "ufunc" and value.kind == "state":
                        names.setdefault(value, f"b{count}")
                        biased.add(count)
            names.setdefault(result, f"z{count}")
            layer[result] = count
        elif not products:
            sources = {v for line in run for v in line.inputs() if v in layer}
            if len(sources) != 1 or result.shape != next(iter(sources)).shape:
                continue
            source = next(iter(sources))
            number = layer[source]
            biases = [v for line in run for v in line.inputs() if v.kind == "state" and line.function is np.add]
            if names.get(source) == f"z{number}" and biases and number not in biased:  # x @ W + b
                biased.add(number)
                names.setdefault(biases[0], f"b{number}")
                del names[source]
                names.setdefault(result, f"z{number}")
                layer[result] = number
            else:
                names.setdefault(result, f"a{number}")


def _gradients(plan: Plan, names: dict[Value, str]) -> None:
    """The gradient of a quantity q is dq."""
    forward: dict[Any, Value] = {
        ("leaf", id(slot.owner._node)): value for slot, value in plan.trace.states if not slot.gradient and slot.owner._node
    }
    for instruction in plan.trace.instructions:
        if instruction.place.phase == "forward" and instruction.results:
            forward[instruction.place.run] = plan.resolve(instruction.results[-1])
    for instruction in plan.trace.instructions:
        place = instruction.place
        if place.phase != "backward" or not instruction.results:
            continue
        value = forward.get(place.target)
        gradient = plan.resolve(instruction.results[-1])
        if value is not None and value in names and isinstance(gradient, Value) and gradient.kind == "result":
            label = f"d{names[value]}"
            for known in [v for v, n in names.items() if n == label]:
                del names[known]  # a later line of the same gradient: the last has the name
            if gradient not in names:
                names[gradient] = label


def _runs(lines: list[Line], phase: str) -> list[list[Line]]:
    """The lines of each run of a formula, in order."""
    runs: dict[Any, list[Line]] = {}
    for line in lines:
        if line.place.phase == phase and line.results:  # a check has none
            runs.setdefault((line.place.run, line.place.target), []).append(line)
    return list(runs.values())
