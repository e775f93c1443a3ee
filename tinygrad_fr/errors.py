"""Errors that teach: what was asked, the shapes involved, the rule that failed, and the line to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import numpy as np

from tinygrad_fr.node import FIRST_NAN, OUTPUT, Node, mode, user_site

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed): the graph was freed at {name} by the first backward(). Either call backward(retain_graph=True) the first "
    "time, or run the forward pass again, which is the usual way: one forward, one backward."
)


def no_gradient(t: Any, verb: Literal["backward", "grad"]) -> NoReturn:
    """Raise PyTorch's error for a tensor that needs no gradient, and say where the graph was cut if that is known."""
    reason = t._cut
    if reason is not None:
        why = f"The graph was cut by {reason}: no gradient flows back past it."
    elif mode.state == 0:
        why = "Recording is off here: this runs under no_grad()."
    else:
        why = (
            "Nothing it was computed from requires grad. Was a parameter made without `requires_grad=True`, or did the "
            "values pass through NumPy, `.item()` or `tensor(...)`, which keep no history?"
        )
    raise RuntimeError(f"element 0 of tensors does not require grad and does not have a grad_fn, so {verb} cannot start. {why}")


def check_versions(node: Node, edges: Sequence[Any]) -> None:
    """Refuse to use a value that was overwritten after this node kept it: the gradient would be wrong without a word."""
    for *_, index in edges:
        for source in node.operation.sources[index] if index >= 0 else ():
            origin: Any = node if source == OUTPUT else node.inputs[source] if source >= 0 else None
            memory = origin.memory if isinstance(origin, Node) else getattr(origin, "_memory", None)
            if memory is not None and memory.written > node.stamp:
                what = "its output" if source == OUTPUT else f"its input '{node.operation.inputs[source]}'"
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"{node.operation.name} kept {what} for its gradient, which was written in place afterwards{_made(node)}. "
                    "Write the update out of place (`x = x + 1` instead of `x += 1`), or update after backward()."
                )
    for origin in node.inputs:
        memory = origin.memory if isinstance(origin, Node) else getattr(origin, "_memory", None)
        if memory is None or not getattr(origin, "stamp", 0) < memory.stale < node.stamp:
            continue
        if not isinstance(origin, Node) or (origin.operation is not None and origin.operation.view):
            raise RuntimeError(
                f"{node.name()} used a view or a copy of a tensor that was modified by an inplace operation after the view "
                f"was made{_made(node)}: take the view again after the modification."
            )


def _made(node: Node) -> str:
    return f" (the operation was run at {node.site})" if node.site else " (detect_anomaly() names the line that ran it)"


def trace(inputs: Sequence[Any], output: Any) -> str:
    """For a node recorded under detect_anomaly(): the user's line, and whether the first NaN was computed there."""
    return user_site() + (FIRST_NAN if _has_nan(output) and not any(map(_has_nan, inputs)) else "")


def _has_nan(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "f" and bool(np.isnan(value).any())


def check_forward(node: Node) -> None:
    """Stop at a node whose own result was the first NaN."""
    if node.site is not None and node.site.endswith(FIRST_NAN):
        raise RuntimeError(f"Function '{node.name()}' returned nan values in its forward pass: it was run at {node.site}.")


def check_nan(node: Node, gradient: Any, index: int) -> None:
    if _has_nan(getattr(gradient, "_array", gradient)):
        where = f" The operation was run at {node.site}." if node.site else " It was run outside detect_anomaly()."
        raise RuntimeError(f"Function '{node.name()}' returned nan values in its {max(index, 0)}th output.{where}")


def explain(op: Any, arrays: Sequence[Any], params: dict[str, Any], error: Exception) -> Exception:
    """The error of an operation that could not run: what was asked, on which shapes, which rule failed, what to write."""
    shown = ", ".join(
        f"{name}: {tuple(a.shape)} {a.dtype}" if hasattr(a, "shape") else f"{name}: {a!r}"
        for name, a in zip(op.inputs, arrays, strict=False)
    )
    keywords = "".join(f", {k}={v!r}" for k, v in params.items() if v is not None)
    hint = ""
    shapes = [tuple(a.shape) for a in arrays if hasattr(a, "shape")]
    if isinstance(error, np.exceptions.AxisError):
        limit = len(shapes[0])
        return IndexError(
            f"{op.name}({shown}{keywords}): Dimension out of range (expected to be in range of [{-max(limit, 1)}, "
            f"{max(limit, 1) - 1}]): {error}"
        )
    if op.broadcasts and len(shapes) > 1 and isinstance(error, ValueError):
        hint = (
            " The size of tensor a must match the size of tensor b, or one of the two be 1, axis by axis from the right. "
            "Insert an axis with `.unsqueeze(dim)`, or check for a transpose that is missing."
        )
    kind = IndexError if isinstance(error, IndexError) else TypeError if isinstance(error, TypeError) else RuntimeError
    if op.hint is not None and len(shapes) > 1 and isinstance(error, ValueError):
        hint = f" {op.hint(*shapes)}"
    return kind(f"{op.name}({shown}{keywords}) cannot run: {error}.{hint}")
