"""What is done to the gradients or the values of many parameters at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tinygrad_fr.modes import no_grad
from tinygrad_fr.operations.reductions import norm
from tinygrad_fr.operations.shaping import cat, reshape, split, stack
from tinygrad_fr.tensor import Tensor, wrap


def _listed(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all the tensors, seen as one long vector: the norm of their norms.

    Args:
        tensors: one tensor or several.
        norm_type: p, the order of the norm; math.inf for the largest absolute value.
        error_if_nonfinite: refuse a norm that is nan or infinite.
        foreach: accepted for PyTorch's sake, not used.

    Raises:
        RuntimeError: for such a norm, when it is to be refused.

    >>> from tinygrad_fr import tensor
    >>> get_total_norm([tensor([3.0]), tensor([4.0])])
    tensor(5.)
    """
    with no_grad():
        norms = [norm(t, norm_type) for t in _listed(tensors)]
        total = norm(stack(norms), norm_type) if norms else wrap(np.zeros((), np.float32))
    if error_if_nonfinite and not np.isfinite(total._array):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. It "
            f"is {total.item()}: `detect_anomaly()` finds the operation that made it. To disable this error and scale the "
            "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`."
        )
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiply the gradients, in place, by max_norm / total_norm where that makes them smaller."""
    recorded = hasattr(total_norm._array, "to_number")  # in a compiled step: the number may be another at each call
    total = total_norm._array.to_number() if recorded else total_norm.item()
    scale = float(max_norm) / (total + 1e-6)
    if recorded:
        scale = np.minimum(scale, 1.0)
    if recorded or not scale >= 1:  # a nan goes on into the gradients
        with no_grad():
            for gradient in _gradients(parameters):
                gradient.mul_(scale)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Shorten the gradients together, in place, so that their norm is at most max_norm; their direction stays.

    With ‖g‖ the norm of all gradients as one vector, g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶)).

    Args:
        parameters: a tensor or several; those without a gradient are passed over.
        max_norm: the largest norm that is wanted.
        norm_type: p, the order of the norm; math.inf for the largest absolute value.
        error_if_nonfinite: refuse gradients whose norm is nan or infinite, and leave them as they are.
        foreach: accepted for PyTorch's sake, not used.

    Returns:
        The norm before, a tensor.

    >>> import tinygrad_fr as torch
    >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> torch.nn.utils.clip_grad_norm_(w, max_norm=1.0), w.grad
    (tensor(10.), tensor([0.6000, 0.8000]))
    """
    parameters = _listed(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Cut every element of the gradients, in place, to [−clip_value, clip_value].

    >>> from tinygrad_fr import tensor
    >>> w = tensor([3.0, 0.2], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> clip_grad_value_(w, 1.0)
    >>> w.grad
    tensor([1.0000, 0.4000])
    """
    with no_grad():
        for gradient in _gradients(parameters):
            gradient.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, one after the other, as one vector; gradients flow through.

    >>> from tinygrad_fr import ones, zeros
    >>> parameters_to_vector([ones(1, 2), zeros(2)])
    tensor([1., 1., 0., 0.])
    """
    joined: Tensor = cat([reshape(p, (-1,)) for p in parameters])
    return joined


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the parts of a vector into parameters, one after the other: what `parameters_to_vector` undoes.

    Raises:
        TypeError: for what is not a tensor.
        ValueError: for a vector of another length than the parameters have together; nothing is written then.

    >>> from tinygrad_fr import tensor, zeros
    >>> w = zeros(1, 2)
    >>> vector_to_parameters(tensor([5.0, 6.0]), [w])
    >>> w
    tensor([[5., 6.]])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    count = sum(p.numel() for p in parameters)
    if vec.numel() != count:
        raise ValueError(f"the vector has {vec.numel()} elements, and the parameters have {count} together")
    with no_grad():
        for p, part in zip(parameters, split(vec, [p.numel() for p in parameters]), strict=True):
            p.copy_(reshape(part, p.shape))
