"""The engine: it walks a recorded graph from the loss back to the leaves and adds up gradients on the way.

The whole of reverse mode is `walk`. Gradients wait in `pending`, keyed by their node's stamp, and a heap serves the
youngest node first: when a node is served, every use of it is younger, so all contributions to its gradient have arrived.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence, Set
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy import ndarray

from tinygrad_fr.errors import FREED, check_forward, check_nan, check_versions, no_gradient
from tinygrad_fr.node import OUTPUT, RETAIN, Array, Node, last, mode, switch, switched
from tinygrad_fr.tensor import Tensor, shared_memory, wrap

# -- the walk ----------------------------------------------------------------------------------------------------------

Waiting = tuple[Node, Any, bool]
"""A node, the gradient that has arrived for it so far, and whether nobody else holds that gradient's memory."""

def walk(
    roots: Iterable[tuple[Node, Any]],
    *,
    keep: bool,
    create_graph: bool,
    only: set[Node] | None = None,
    wanted: Set[Node] = frozenset(),
) -> dict[int, Waiting]:
    """Carry gradients from the roots down the graph, and return those that arrived, by stamp of their node.

    Args:
        roots: (node, gradient) pairs; gradients are arrays, or Tensors when `create_graph`.
        keep: leave the graph usable for another walk; otherwise each node is freed as it is passed.
        create_graph: run the formulas on Tensors, so that the gradients can be differentiated in turn.
        only: the nodes worth visiting; None for all.
        wanted: nodes that are not leaves whose gradient is asked for as well.
    """
    pending: dict[int, Waiting] = {}
    arrived: dict[int, Waiting] = {}
    heap: list[int] = []
    last_write = last.write  # a node younger than that needs no version check
    anomaly = bool(switched) and mode.state == 2
    rare = bool(anomaly or wanted or last.stale)  # one test per node instead of three
    plain = not create_graph and only is None and not anomaly  # a training step: one test per edge instead of three

    for node, gradient in roots:
        known = pending.get(node.stamp)
        pending[node.stamp] = (node, gradient if known is None else known[1] + gradient, False)
        if known is None and node.operation is not None:
            heappush(heap, -node.stamp)
    while heap:
        node, g, _ = pending.pop(-(heappop(heap) if len(heap) > 1 else heap.pop()))  # a chain has one node waiting, and no heap
        if node.hooks is not None:
            g = _run_hooks(node, g, create_graph)
            last_write = last.write
            if RETAIN in node.hooks:
                arrived[node.stamp] = (node, g, False)
        if rare and node in wanted:
            arrived[node.stamp] = (node, g, False)
        edges = node.edges
        if edges is None:
            raise RuntimeError(FREED.format(name=node.name()))
        if rare and anomaly:
            check_forward(node)
        if node.stamp < last_write or (rare and last.stale):
            check_versions(node, edges)
        for target, formula, saved, like, index in edges:
            if plain:  # one saved value is usual; Python calls a function sooner when it need not unpack
                gradient = formula(g, saved[0]) if len(saved) == 1 else formula(g, *saved)
            elif only is not None and target not in only:
                continue
            else:
                gradient = _differentiable(node, index, g, saved) if create_graph and index >= 0 else formula(g, *saved)
                if anomaly:
                    check_nan(node, gradient, index)
            if like is not None:
                gradient = unbroadcast(gradient, like)
            stamp = target.stamp
            waiting = pending.get(stamp)
            if waiting is None:
                pending[stamp] = (target, gradient, gradient is not g and index >= 0)
                if target.operation is None:
                    continue
                if heap:
                    heappush(heap, -stamp)
                else:
                    heap.append(-stamp)
            else:
                pending[stamp] = (target, _sum(waiting, gradient, create_graph), True)
        if not keep:
            node.edges = None
            node.inputs = ()
    return pending if not arrived else arrived | pending


def _sum(waiting: Waiting, gradient: Any, create_graph: bool) -> Any:
    """Add a contribution to what has arrived: in place when that memory is nobody else's, in a new array otherwise."""
    _, total, owned = waiting
    if owned and not create_graph and type(total) is ndarray and total.base is None and total.flags.writeable:
        np.add(total, gradient, out=total)
        return total
    return total + gradient


def unbroadcast(g: Any, like: tuple[tuple[int, ...], Any]) -> Any:
    """Undo broadcasting: sum the gradient over the axes that were stretched, back to the input's shape and dtype.

    Broadcasting copies a value along an axis; by the chain rule its gradient is the sum over the copies (S4: `db` is the
    sum of `dZ` over the samples).
    """
    have = g.shape
    shape, dtype = like
    if have != shape:
        if len(have) == 2 and have[1:] == shape and type(g) is ndarray:  # the bias of a layer, by far the commonest
            g = g[0].copy() if have[0] == 1 else _ones(have[0], g.dtype).dot(g)
        else:
            extra = len(have) - len(shape)
            axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and have[i + extra] != 1))
            g = np.reshape(np.sum(g, axis=axes), shape) if axes else np.reshape(g, shape)
    return g if g.dtype == dtype else g.astype(dtype)


@functools.lru_cache(maxsize=16)
def _ones(count: int, dtype: Any) -> Array:
    """A row of ones: its product with a matrix sums the columns, in a third of the time of `np.add.reduce`."""
    return np.ones(count, dtype)


def _differentiable(node: Node, index: int, g: Tensor, saved: tuple[Array, ...]) -> Any:
    """Run a gradient formula on Tensors that know where they come from, so that the result has a history too."""
    operation = node.operation
    if operation.once:
        raise RuntimeError(
            f"the gradient of {operation.name} cannot be differentiated again: its formula is only valid at first order. "
            "Ask for it without create_graph=True, or write the operation from others."
        )
    arguments = []
    for source, value in zip(operation.sources[index], saved, strict=False):  # a kernel may have kept more
        origin = node if source == OUTPUT else node.inputs[source] if source >= 0 else None
        arguments.append(wrap(value, origin) if isinstance(origin, Node) else value)
    keywords = {word: (node.params or {})[word] for word in operation.keywords[index]}
    return operation.formulas[index](g, *arguments, **keywords)


def _run_hooks(node: Node, g: Any, create_graph: bool) -> Any:
    """Show the complete gradient to the node's hooks; what a hook returns replaces it."""
    shown = g if isinstance(g, Tensor) else wrap(g)
    before = mode.state
    if not create_graph:
        switch(0)
    try:
        for entry in tuple(node.hooks or ()):
            answer = None if entry is RETAIN else entry[0](shown)  # an entry is a list that holds the hook
            if answer is not None:
                if not isinstance(answer, Tensor) or answer.shape != shown.shape:
                    raise RuntimeError(
                        f"a hook must return None or a Tensor of the gradient's shape {tuple(shown.shape)}, not "
                        f"{tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__}"
                    )
                shown = answer.to(shown.dtype)
    finally:
        switch(before)
    return shown if isinstance(g, Tensor) else shown._array


# -- what users call ---------------------------------------------------------------------------------------------------


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Compute the gradient of the tensors with respect to the leaves they depend on, and add it to each leaf's `.grad`.

    For a scalar loss E it is ∂E/∂w for every leaf w (S0 to S4); for a tensor, `grad_tensors` gives ∂E/∂y and the chain
    rule goes on from there. Nothing is written before the whole walk has succeeded.

    Args:
        tensors: one tensor, or several whose gradients are added.
        grad_tensors: a gradient for each, of the tensor's shape; may be left out for scalars, where it is 1.
        retain_graph: keep the graph for another backward; by default the same as `create_graph`.
        create_graph: record the gradient computation itself, for derivatives of derivatives.
        inputs: the only tensors whose `.grad` is wanted; all leaves by default.

    Raises:
        RuntimeError: when no gradient flows, when the graph was freed, when a shape does not fit, or when a value that
            the walk needs was changed in place.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> backward((w * w).sum())
    >>> w.grad
    tensor([2., 4.])
    """
    if isinstance(tensors, Tensor) and grad_tensors is None and inputs is None and not create_graph:
        node = tensors._node  # the training loop's own case, without the lists
        if node is None:
            no_gradient(tensors, "backward")
        arrived = walk(((node, _seed(tensors, None)),), keep=bool(retain_graph), create_graph=False)
    else:
        roots = _roots(tensors, grad_tensors, create_graph, "backward")
        targets = None if inputs is None else [_target(t) for t in _listed(inputs)]
        arrived = _arrivals(roots, targets, create_graph if retain_graph is None else retain_graph, create_graph)
        if targets is not None:
            arrived = {k: a for k, a in arrived.items() if a[0] in targets or (a[0].hooks and RETAIN in a[0].hooks)}
    ready = []
    for node, gradient, owned in arrived.values():
        if owned and type(gradient) is ndarray and gradient.base is None and node.hooks is None:
            ready.append((node, wrap(gradient)))  # as _landed would say, at once
        else:
            ready.append((node, _landed(node, gradient, owned, create_graph)))
    for node, gradient in ready:
        if node.grad is None:
            node.grad = gradient
        elif create_graph:
            node.grad = node.grad + gradient
        elif node.grad._node is None and isinstance(node.grad._array, np.ndarray) and node.grad._array.flags.writeable:
            node.grad._array += gradient._array
            shared_memory(node.grad).write()
        elif getattr(node.grad._array, "writable", False):  # a recorder: in its own memory too
            node.grad.add_(gradient)
        else:
            node.grad = wrap(node.grad._array + gradient._array)


def _landed(node: Node, gradient: Any, owned: bool, create_graph: bool) -> Tensor:
    """The gradient of a leaf as a Tensor that owns its memory, after the leaf's hooks."""
    if node.hooks is not None and node.operation is None:
        gradient, owned = _run_hooks(node, gradient, create_graph), False
    return _owner(gradient, owned, create_graph)


def _owner(gradient: Any, owned: bool, create_graph: bool) -> Tensor:
    """The gradient as a Tensor whose memory is its own: no view, no other gradient, nothing read-only."""
    array = gradient._array if create_graph else gradient
    if owned and type(array) is ndarray and array.base is None:
        return gradient if create_graph else wrap(gradient)
    if create_graph:
        return gradient.clone()  # type: ignore[no-any-return]  # recorded, as all of the walk is
    if isinstance(array, (np.ndarray, np.generic)):
        return wrap(np.array(array))
    return wrap(array.copy() if getattr(array, "writable", False) else array)  # a recorder can be written, Dask's cannot


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of the outputs with respect to the inputs, leaving every `.grad` as it is.

    Only the part of the graph that leads to the inputs is walked. With `create_graph=True` the results can be
    differentiated again, to any order.

    Raises:
        RuntimeError: as `backward`, and when an input was not used, unless `allow_unused=True` (then None) or
            `materialize_grads=True` (then zeros).

    >>> from tinygrad_fr import tensor
    >>> x = tensor(2.0, requires_grad=True)
    >>> (first,) = grad(x**3, x, create_graph=True)   # 3x²
    >>> grad(first, x)                                # 6x
    (tensor(12.),)
    """
    if is_grads_batched:
        raise ValueError("is_grads_batched is not supported: call grad() once for each row")
    wanted = _listed(inputs)
    targets = [_target(t) for t in wanted]
    roots = _roots(outputs, grad_outputs, create_graph, "grad")
    arrived = _arrivals(roots, targets, create_graph if retain_graph is None else retain_graph, create_graph)
    results: list[Any] = []
    for tensor, node in zip(wanted, targets, strict=True):
        if node.stamp not in arrived:
            if materialize_grads:
                results.append(wrap(np.zeros_like(tensor._array)))
                continue
            if not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the graph: the output does not "
                    f"depend on the input of shape {tuple(tensor.shape)}. Set allow_unused=True if this is the desired "
                    "behavior (its gradient is then None)."
                )
            results.append(None)
            continue
        _, gradient, owned = arrived[node.stamp]
        if node.hooks is not None and node.operation is None:
            gradient, owned = _run_hooks(node, gradient, create_graph), False
        results.append(_owner(gradient, owned, create_graph))
        arrived[node.stamp] = (node, gradient, False)  # asked for twice, it is copied the second time
    return tuple(results)


def _listed(tensors: Any) -> Sequence[Tensor]:
    found = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
    for t in found:
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensors, got {type(t).__name__}")
    return found


def _target(tensor: Tensor) -> Node:
    if tensor._node is None:
        raise RuntimeError(
            "One of the differentiated Tensors does not require grad: set `requires_grad=True` on it before the forward pass."
        )
    return tensor._node


def _roots(tensors: Any, gradients: Any, create_graph: bool, verb: Any) -> list[tuple[Node, Any]]:
    outputs = _listed(tensors)
    seeds = (gradients,) if gradients is None or isinstance(gradients, Tensor) or len(outputs) == 1 else tuple(gradients)
    if len(outputs) == 1 and isinstance(gradients, (list, tuple)):
        seeds = tuple(gradients)
    if gradients is None:
        seeds = (None,) * len(outputs)
    if len(seeds) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(seeds)} gradients: give one gradient for each tensor")
    roots = []
    for output, seed in zip(outputs, seeds, strict=True):
        if output._node is None:
            no_gradient(output, verb)
        value = _seed(output, seed)
        if create_graph:
            value = seed if isinstance(seed, Tensor) else wrap(value)
        roots.append((output._node, value))
    return roots


def _seed(output: Tensor, gradient: Any) -> Array:
    """∂E/∂E = 1, or the gradient that was given, checked against the shape of its tensor."""
    array = output._array
    if gradient is None:
        if isinstance(array, np.generic):
            return type(array)(1)  # a new object for each walk: user-defined functions know a walk by it
        if array.size != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs, and this one has shape {tuple(array.shape)}: reduce "
                "it first, `.sum().backward()` or `.mean().backward()`, or pass the gradient, `.backward(gradient)`."
            )
        return np.ones_like(array)
    value = gradient._array if isinstance(gradient, Tensor) else np.asarray(gradient)
    if value.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output has a shape of {tuple(value.shape)} and output has a shape of "
            f"{tuple(array.shape)}. They are ∂E/∂y and y: write a gradient of y's shape."
        )
    return value if value.dtype == array.dtype else value.astype(array.dtype)


def _arrivals(roots: list[tuple[Node, Any]], targets: list[Node] | None, keep: bool, create_graph: bool) -> dict[int, Waiting]:
    """Walk with recording set as `create_graph` asks, over the part of the graph that leads to the targets."""
    only = None if targets is None else _leading_to([node for node, _ in roots], targets)
    before = mode.state
    if create_graph and before == 0:
        switch(1)
    try:
        return walk(roots, keep=keep, create_graph=create_graph, only=only, wanted=set(targets or ()))
    finally:
        switch(before)


def _leading_to(roots: list[Node], targets: list[Node]) -> set[Node]:
    """The nodes between the roots and the targets: found with a stack, then marked from the oldest to the youngest."""
    found: set[Node] = set()
    freed: Node | None = None
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            if node.edges is None:
                freed = node
            stack.extend(edge[0] for edge in node.edges or ())
    if freed is not None and not found.issuperset(targets):
        raise RuntimeError(FREED.format(name=freed.name()))
    only = found.intersection(targets)
    for node in sorted(found, key=lambda n: n.stamp):
        if any(edge[0] in only for edge in node.edges or ()):
            only.add(node)
    return only


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again; it works as a context too."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks, self._entry = hooks, [hook]  # the list tells two registrations of one function apart
        hooks.append(self._entry)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks[:] = [entry for entry in self._hooks if entry is not self._entry]

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook(gradient)` when this tensor's gradient is complete; a returned Tensor replaces the gradient.

    >>> from tinygrad_fr import tensor
    >>> x = tensor(1.0, requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> (x * 2).backward()
    >>> x.grad
    tensor(20.)
    """
    if self._node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._node.hooks is None:
        self._node.hooks = []
    return RemovableHandle(self._node.hooks, hook)


def retain_grad(self: Tensor) -> None:
    """Keep this tensor's gradient in `.grad` although it is not a leaf.

    >>> from tinygrad_fr import tensor
    >>> x = tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> y.retain_grad()
    >>> (2 * y).backward()
    >>> y.grad
    tensor(2.)
    """
    if self._node is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._node.operation is not None:
        if self._node.hooks is None:
            self._node.hooks = []
        if RETAIN not in self._node.hooks:
            self._node.hooks.append(RETAIN)
