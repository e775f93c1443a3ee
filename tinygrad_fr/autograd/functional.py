"""Whole derivatives of a function of tensors: Jacobians, Hessians, and their products with vectors.

Each is a few lines over `grad`; the product J v is taken from two vector-Jacobian products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.graph import grad
from tinygrad_fr.modes import enable_grad
from tinygrad_fr.operations.shaping import reshape, stack
from tinygrad_fr.tensor import Tensor, wrap

Inputs = Any  # a Tensor, or a tuple of Tensors


def _prepared(inputs: Inputs, create_graph: bool) -> tuple[Tensor, ...]:
    """The inputs as fresh leaves; with create_graph they stay joined to where they came from."""
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    if create_graph:
        return tuple(t.view_as(t) if t.requires_grad else t.detach().requires_grad_() for t in tensors)
    return tuple(t.detach().requires_grad_() for t in tensors)


def _outputs(func: Callable[..., Any], inputs: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], bool]:
    result = func(*inputs)
    several = isinstance(result, tuple)
    outputs = result if several else (result,)
    for out in outputs:
        if not isinstance(out, Tensor):
            raise TypeError(f"the function given must return Tensors, got {type(out).__name__}")
    return outputs, several


def _grads(outputs: Any, inputs: tuple[Tensor, ...], seeds: Any, create_graph: bool, strict: bool) -> list[Tensor]:
    """Gradients with zeros where an input is not used (an error when strict)."""
    live = [(o, s) for o, s in zip(outputs, seeds, strict=True) if o.requires_grad]
    found: tuple[Any, ...] = (None,) * len(inputs)
    if live:
        found = grad(
            [o for o, _ in live], inputs, [s for _, s in live], retain_graph=True, create_graph=create_graph, allow_unused=True
        )
    if strict and any(g is None for g in found):
        raise RuntimeError("the output of the function is independent of an input. This is not allowed in strict mode.")
    return [wrap(np.zeros_like(x._array)) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _shaped(parts: list[Any], like: Inputs) -> Any:
    return tuple(parts) if isinstance(like, tuple) else parts[0]


def jacobian(
    func: Callable[..., Any],
    inputs: Inputs,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The matrix of all first derivatives, J[i, j] = ∂yᵢ/∂xⱼ, of shape (*output, *input), row by row in reverse mode.

    >>> from tinygrad_fr import tensor
    >>> jacobian(lambda x: x * x, tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        leaves = _prepared(inputs, create_graph)
        outputs, several = _outputs(func, leaves)
        table = []
        for out in outputs:
            rows = []
            for i in range(out.numel()):
                seed = np.zeros(out._array.shape, out.dtype)
                seed.reshape(-1)[i] = 1
                rows.append(_grads((out,), leaves, (wrap(seed),), create_graph, strict))
            table.append(
                _shaped(
                    [
                        reshape(stack([row[k] for row in rows]), (*out.shape, *x.shape))
                        if rows
                        else wrap(np.zeros((*out.shape, *x.shape), x.dtype))
                        for k, x in enumerate(leaves)
                    ],
                    inputs,
                )
            )
    return tuple(table) if several else table[0]


def hessian(func: Callable[..., Any], inputs: Inputs, create_graph: bool = False, strict: bool = False, **_: Any) -> Any:
    """The matrix of all second derivatives of a scalar function: the Jacobian of its gradient.

    >>> from tinygrad_fr import tensor
    >>> hessian(lambda x: (x**3).sum(), tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*leaves: Tensor) -> Any:
        outputs, several = _outputs(func, leaves)
        if several or outputs[0].numel() != 1:
            raise RuntimeError(f"the function given to hessian must return one scalar, not shape {tuple(outputs[0].shape)}")
        parts = _grads(outputs, leaves, (None,), True, strict)
        return tuple(parts) if isinstance(inputs, tuple) else parts[0]

    return jacobian(gradient, inputs, create_graph)


def vjp(func: Callable[..., Any], inputs: Inputs, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs, and vᵗ J: what one backward pass computes. v may be left out for a scalar.

    >>> from tinygrad_fr import tensor
    >>> vjp(lambda x: x * x, tensor([1.0, 2.0]), tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        leaves = _prepared(inputs, create_graph)
        outputs, several = _outputs(func, leaves)
        seeds = v if isinstance(v, tuple) else (v,) * len(outputs) if v is None else (v,)
        parts = _grads(outputs, leaves, seeds, create_graph, strict)
    results = outputs if create_graph else tuple(o.detach() for o in outputs)
    return (results if several else results[0]), _shaped(parts, inputs)


def jvp(func: Callable[..., Any], inputs: Inputs, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The outputs, and J v: how they move when the inputs move along v. Differentiates vᵗ ↦ vᵗ J, which is linear.

    >>> from tinygrad_fr import tensor
    >>> jvp(lambda x: x * x, tensor([1.0, 2.0]), tensor([1.0, 1.0]))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        leaves = _prepared(inputs, create_graph)
        outputs, several = _outputs(func, leaves)
        if v is None:
            v = tuple(wrap(np.ones_like(x._array)) for x in leaves)
        directions = v if isinstance(v, tuple) else (v,)
        dummies = tuple(wrap(np.zeros_like(o._array)).requires_grad_() for o in outputs)
        parts = _grads(outputs, leaves, dummies, True, strict)
        products = _grads(parts, dummies, directions, create_graph, False)
    results = outputs if create_graph else tuple(o.detach() for o in outputs)
    return (results, tuple(products)) if several else (results[0], products[0])


def vhp(func: Callable[..., Any], inputs: Inputs, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and vᵗ H, without ever forming the Hessian H.

    >>> from tinygrad_fr import tensor
    >>> vhp(lambda x: (x**3).sum(), tensor([1.0, 2.0]), tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        leaves = _prepared(inputs, create_graph)
        outputs, _ = _outputs(func, leaves)
        if outputs[0].numel() != 1:
            raise RuntimeError(f"the function given must return one scalar, not shape {tuple(outputs[0].shape)}")
        first = _grads(outputs, leaves, (None,), True, strict)
        ones = tuple(wrap(np.ones_like(x._array)) for x in leaves)
        directions = ones if v is None else v if isinstance(v, tuple) else (v,)
        parts = _grads(first, leaves, directions, create_graph, strict)
    return (outputs[0] if create_graph else outputs[0].detach()), _shaped(parts, inputs)


def hvp(func: Callable[..., Any], inputs: Inputs, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """The value of a scalar function, and H v, which equals vᵗ H since the Hessian is symmetric.

    >>> from tinygrad_fr import tensor
    >>> hvp(lambda x: (x**3).sum(), tensor([1.0, 2.0]), tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return vhp(func, inputs, v, create_graph, strict)
