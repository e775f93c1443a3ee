"""Your own operation, with a forward and a backward that you write: `autograd.Function`, as in PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_fr.node import Memory, Node, mode, new_node, switch
from tinygrad_fr.tensor import Tensor, shared_memory, wrap


class _UserOperation:
    """What a node of a user's function shows the engine: a name, and that its formulas take Tensors."""

    inputs: tuple[str, ...] = ()
    view = once = False
    symbol, latex = "f", r"f({x})"

    def __init__(self, name: str) -> None:
        self.name = self.symbol = name


class FunctionCtx:
    """What `forward` leaves for `backward`: tensors through `save_for_backward`, anything else as an attribute."""

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Any, ...] = ()
    _node: Node | None = None
    _materialize = True
    _flat: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors, inputs or outputs of the function, for `backward`; writes to them are watched."""
        self._saved = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that no gradient flows through these outputs."""
        self._flat = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Accepted for PyTorch programs: writes are noticed by the tensors themselves."""

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` receives zeros (True) or None (False) for an output that was not used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that were saved; a value that was written in place since is refused."""
        node = self._node
        if node is None:
            return tuple(t if not isinstance(t, _Kept) else wrap(t.array) for t in self._saved)
        found = []
        for kept in self._saved:
            if not isinstance(kept, _Kept):
                found.append(kept)
                continue
            if kept.memory is not None and kept.memory.written > node.stamp:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"{node.name()} saved a tensor that was written in place afterwards. Write the update out of place."
                )
            found.append(wrap(kept.array, node if kept.output else kept.node))
        return tuple(found)


class _Kept:
    """A saved tensor taken apart: an output is kept without its node, which would be a reference cycle."""

    __slots__ = ("array", "memory", "node", "output")

    def __init__(self, tensor: Tensor, output: bool) -> None:
        self.array, self.output = tensor._array, output
        self.memory: Memory | None = shared_memory(tensor)
        self.node = None if output else tensor._node


class _Bundle:
    """The gradients of a function with several outputs, while they are being collected."""

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: _Bundle) -> _Bundle:
        parts = dict(self.parts)
        for i, g in other.parts.items():
            parts[i] = parts[i] + g if i in parts else g
        return _Bundle(parts)


class _Pull:
    """Runs the user's backward once for a gradient, and hands each edge its part."""

    def __init__(self, cls: type[Function], ctx: FunctionCtx, args: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        self.cls, self.ctx = cls, ctx
        self.shapes = [(t._array.shape, t.dtype) if isinstance(t, Tensor) else None for t in args]
        self.outputs = [(t._array.shape, t.dtype) for t in outputs]
        self.wanted = [i for i, needed in enumerate(ctx.needs_input_grad) if needed]
        self.node: Callable[[], Node | None] = lambda: None
        self.last: tuple[Any, Any] = (None, None)

    def __call__(self, g: Any, index: int) -> Any:
        if self.last[0] is not g:
            self.last = (g, self._run(g))
        found = self.last[1][index]
        if index == self.wanted[-1]:
            self.last = (None, None)
        return found

    def _run(self, g: Any) -> list[Any]:
        parts = g.parts if isinstance(g, _Bundle) else {0: g}
        as_tensors = any(isinstance(p, Tensor) for p in parts.values())
        gradients: list[Any] = []
        for i, (shape, dtype) in enumerate(self.outputs):
            part = parts.get(i)
            if part is None:
                gradients.append(wrap(np.zeros(shape, dtype)) if self.ctx._materialize else None)
            else:
                gradients.append(part if isinstance(part, Tensor) else wrap(part))
        before = mode.state
        if not as_tensors:
            switch(0)
        self.ctx._node = self.node()
        try:
            results = self.cls.backward(self.ctx, *gradients)
        finally:
            switch(before)
            self.ctx._node = None
        results = results if isinstance(results, tuple) else (results,)
        name, count = self.cls.__name__, len(self.shapes)
        if len(results) < count or any(r is not None for r in results[count:]):
            raise RuntimeError(
                f"function {name}Backward returned an incorrect number of gradients (expected {count}, got {len(results)}): "
                "backward returns one gradient for each argument of forward, None for those that need none."
            )
        return [self._checked(r, i, as_tensors) for i, r in enumerate(results[:count])]

    def _checked(self, result: Any, index: int, as_tensors: bool) -> Any:
        spec = self.shapes[index]
        if spec is None or index not in self.wanted:
            return None
        shape, dtype = spec
        if result is None:
            zeros = np.zeros(shape, dtype)
            return wrap(zeros) if as_tensors else zeros
        if not isinstance(result, Tensor):
            raise TypeError(f"{self.cls.__name__}.backward must return Tensors or None, got {type(result).__name__}")
        try:
            fits = np.broadcast_shapes(result._array.shape, shape) == tuple(result._array.shape)
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(
                f"Function {self.cls.__name__}Backward returned an invalid gradient at index {index} - got "
                f"{list(result._array.shape)} but expected shape compatible with {list(shape)}: a gradient looks like its "
                "input."
            )
        return result if as_tensors else result._array


class Function:
    """Subclass it, write `forward(ctx, ...)` and `backward(ctx, *gradients)` as static methods, and call `apply`.

    `backward` returns one gradient for each argument of `forward`, None for an argument that needs none. Written with
    tensor operations it can be differentiated in turn; mark it `@once_differentiable` when it cannot.

    >>> from tinygrad_fr import tensor
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs from the inputs; under it nothing is recorded."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save what backward needs, when `forward` takes no ctx (PyTorch's newer style)."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs from those of the outputs."""
        raise NotImplementedError("You must implement the backward function to use a custom autograd.Function in backward.")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward`, and record one node whose gradient is `backward`."""
        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._node is not None for a in args)
        before = mode.state
        switch(0)
        try:
            if cls.setup_context is not Function.setup_context:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        finally:
            switch(before)
        several = isinstance(output, tuple)
        outputs = list(output) if several else [output]
        if not before or not any(ctx.needs_input_grad):
            return output
        for i, out in enumerate(outputs):
            if not isinstance(out, Tensor):
                raise TypeError(f"{cls.__name__}.forward must return Tensors, got {type(out).__name__}")
            if any(out is a for a in args):
                outputs[i] = out.detach()  # an input returned as it is becomes a result of its own
        ctx._saved = tuple(
            _Kept(t, output=any(t is o for o in outputs)) if isinstance(t, Tensor) else t for t in ctx._saved
        )
        _record(cls, ctx, args, outputs)
        return tuple(outputs) if several else outputs[0]


def _record(cls: type[Function], ctx: FunctionCtx, args: Sequence[Any], outputs: list[Tensor]) -> None:
    """Join the outputs to the graph: by one node, or by one node each in front of the function's own."""
    import weakref

    pull = _Pull(cls, ctx, args, outputs)
    edges = tuple((args[i]._node, pull, (i,), (args[i]._array.shape, args[i].dtype), -1) for i in pull.wanted)
    origins = tuple(a._node if isinstance(a, Tensor) and a._node is not None else a for a in args)
    node = new_node(_UserOperation(cls.__name__), origins, edges)
    pull.node = weakref.ref(node)
    for i, out in enumerate(outputs):
        if out.dtype.kind == "f" and not any(out is flat for flat in ctx._flat):
            memory, out._node = out._memory, node
            if len(outputs) > 1:
                edge = (node, lambda g, i: _Bundle({i: g}), (i,), None, -1)
                out._node = new_node(_UserOperation(f"{cls.__name__}[{i}]"), (node,), (edge,))
            out._node.memory = memory


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward whose result cannot be differentiated again: a second derivative through it raises, and is not wrong."""

    @functools.wraps(function)
    def backward(ctx: Any, *gradients: Any) -> Any:
        before = mode.state
        switch(0)
        try:
            results = function(ctx, *gradients)
        finally:
            switch(before)
        if not before:
            return results
        several = isinstance(results, tuple)
        marked = []
        for result in results if several else (results,):
            if isinstance(result, Tensor):
                sources = [g._node for g in gradients if isinstance(g, Tensor) and g._node is not None]
                sources += [k.node for k in ctx._saved if isinstance(k, _Kept) and k.node is not None]
                edges = tuple((source, _refuse, (), None, -1) for source in sources)
                result = wrap(result._array, new_node(_UserOperation("once_differentiable"), (), edges) if edges else None)
            marked.append(result)
        return tuple(marked) if several else marked[0]

    return backward


def _refuse(g: Any) -> Any:
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
