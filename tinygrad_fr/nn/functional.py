"""Layers and losses as plain functions: what a network computes, without the objects that hold its weights.

The losses of a training loop are fused: one operation with one gradient formula, which is the one the courses derive.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import operation
from tinygrad_fr.operations.activations import elu as elu
from tinygrad_fr.operations.activations import gelu as gelu
from tinygrad_fr.operations.activations import leaky_relu as leaky_relu
from tinygrad_fr.operations.activations import logsigmoid as logsigmoid
from tinygrad_fr.operations.activations import relu as _relu
from tinygrad_fr.operations.activations import relu6 as relu6
from tinygrad_fr.operations.activations import sigmoid as sigmoid
from tinygrad_fr.operations.activations import silu as silu
from tinygrad_fr.operations.activations import softplus as softplus
from tinygrad_fr.operations.activations import softsign as softsign
from tinygrad_fr.operations.arithmetic import abs as _abs
from tinygrad_fr.operations.arithmetic import div, mul, square, sub
from tinygrad_fr.operations.elementary import exp, log
from tinygrad_fr.operations.elementary import tanh as tanh
from tinygrad_fr.operations.indexing import one_hot as one_hot
from tinygrad_fr.operations.indexing import take_along_dim, where
from tinygrad_fr.operations.linalg import linear as linear
from tinygrad_fr.operations.reductions import log_softmax as _log_softmax
from tinygrad_fr.operations.reductions import norm
from tinygrad_fr.operations.reductions import softmax as _softmax_along
from tinygrad_fr.operations.reductions import sum as _sum
from tinygrad_fr.operations.shaping import pad as pad
from tinygrad_fr.operations.shaping import reshape, squeeze, unsqueeze
from tinygrad_fr.tensor import Tensor, wrap


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier, max(0, x); `inplace=True` writes the result into the input.

    >>> from tinygrad_fr import tensor
    >>> relu(tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    from tinygrad_fr.operations.activations import _into

    return _into(input, _relu(input), inplace) if inplace else _relu(input)


def relu_(input: Tensor) -> Tensor:
    """The rectifier, written into its input, which is returned."""
    return relu(input, inplace=True)


def _dim(name: str, input: Tensor, dim: int | None) -> int:
    """The axis, or PyTorch's old guess with its warning when none is given."""
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument: "
            "for a batch of rows, `dim=1`.",
            UserWarning,
            stacklevel=3,
        )
        dim = 0 if input.ndim in (0, 1, 3) else 1
    return dim


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Positive numbers that sum to 1 along dim: y = eˣ / Σ eˣ, without overflow (S4). Without dim, PyTorch's guess and warning.

    >>> from tinygrad_fr import tensor
    >>> softmax(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax_along(input, _dim("softmax", input, dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, x − log Σ eˣ, exact where softmax rounds to 0.

    >>> from tinygrad_fr import tensor
    >>> log_softmax(tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    return _log_softmax(input, _dim("log_softmax", input, dim), dtype)


# -- how the losses of the elements become one number -------------------------------------------------------------------


def _reduced(elements: Any, reduction: str) -> Any:
    return np.mean(elements) if reduction == "mean" else np.sum(elements) if reduction == "sum" else elements


def _scale(shape: tuple[int, ...], reduction: str) -> float:
    """The derivative of the reduction: each element counts 1/n in a mean, 1 in a sum."""
    return 1 / max(math.prod(shape), 1) if reduction == "mean" else 1.0


def _reduction(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """Check the reduction's name; PyTorch's old arguments, `size_average` and `reduce`, are understood."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction!r} is not a valid value for reduction: choose 'mean', 'sum' or 'none'")
    return reduction


def _pair(name: str, input: Tensor, target: Any) -> tuple[Tensor, Tensor]:
    """Input and target as tensors of one shape; a broadcast is done, with PyTorch's warning, since it is rarely meant."""
    target = target if isinstance(target, Tensor) else wrap(np.asarray(target))
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) in {name}. This will "
            "likely lead to incorrect results due to broadcasting. Please ensure they have the same size, for instance with "
            "`target.view_as(input)`.",
            UserWarning,
            stacklevel=3,
        )
        zero = mul(input.detach(), 0.0)
        input, target = input + mul(target.detach(), 0.0), target + zero
    return input, target


# -- mean squared error ------------------------------------------------------------------------------------------------


def _mse_kernel(x: Array, target: Array) -> Array:
    d = (x - target).ravel()
    return d.dot(d) / d.size


@operation(
    "MSE",
    r"\operatorname{MSE}({x}, {target})",
    samples=lambda draw: [(draw.uniform((2, 3), -2, 2), draw.uniform((2, 3), -2, 2))],
    dx=lambda g, x, target: g * (2 / math.prod(x.shape)) * (x - target),  # (2/n)(Y − Y*)   S0
    dtarget=lambda g, x, target: g * (2 / math.prod(x.shape)) * (target - x),
    kernel=_mse_kernel,
    kernel_dx=lambda g, x, target: (x - target) * (g * (2 / x.size)),
)
def _mse_loss(x: Array, target: Array) -> Array:
    """The mean of (y − y*)²."""
    return np.mean((x - target) ** 2)


def mse_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Tensor:
    """The mean squared error, mean((y − y*)²); ∂E/∂Y = (2/n)(Y − Y*) (S0, S2).

    Args:
        input: the predictions Y, any shape.
        target: the wanted values Y*, of the same shape.
        reduction: "mean", "sum", or "none" for one value per element.

    >>> from tinygrad_fr import tensor
    >>> mse_loss(tensor([1.0, 0.0, 0.0, 1.0]), tensor([0.0, 0.0, 0.0, 0.0]))
    tensor(0.5000)
    """
    if reduction != "mean" or size_average is not None or reduce is not None:
        reduction = _reduction(reduction, size_average, reduce)
    if not isinstance(target, Tensor) or input._array.shape != target._array.shape:
        input, target = _pair("mse_loss", input, target)
    if reduction == "mean" and weight is None and input._array.size:
        return _mse_loss(input, target)
    elements = square(sub(input, target))
    return _finish(elements if weight is None else mul(elements, weight), reduction)


def _finish(elements: Tensor, reduction: str) -> Tensor:
    """Reduce the losses of the elements, for the losses that are composed."""
    if reduction == "none":
        return elements
    total = _sum(elements)
    return div(total, max(elements.numel(), 1)) if reduction == "mean" else total


def l1_loss(input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Tensor:
    """The mean absolute error, mean(|y − y*|); the derivative where they meet is 0.

    >>> from tinygrad_fr import tensor
    >>> l1_loss(tensor([1.0, 3.0]), tensor([0.0, 0.0]))
    tensor(2.)
    """
    input, target = _pair("l1_loss", input, target)
    return _finish(_abs(sub(input, target)), _reduction(reduction, size_average, reduce))


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """½ d² / β where |d| < β, |d| − β/2 beyond: squared near the target, absolute far from it.

    >>> from tinygrad_fr import tensor
    >>> smooth_l1_loss(tensor([0.5, 3.0]), tensor([0.0, 0.0]))
    tensor(1.3125)
    """
    input, target = _pair("smooth_l1_loss", input, target)
    d = sub(input, target)
    size = _abs(d)
    elements = size if beta == 0 else where(size < beta, mul(mul(d, d), 0.5 / beta), sub(size, 0.5 * beta))
    return _finish(elements, _reduction(reduction, size_average, reduce))


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """½ d² where |d| < δ, δ (|d| − δ/2) beyond.

    >>> from tinygrad_fr import tensor
    >>> huber_loss(tensor([0.5, 3.0]), tensor([0.0, 0.0]))
    tensor(1.3125)
    """
    return mul(smooth_l1_loss(input, target, reduction=reduction, beta=delta), delta)


# -- binary cross-entropy ----------------------------------------------------------------------------------------------


@operation(
    "BCE",
    r"\operatorname{BCE}({x}, {target})",
    quiet=True,
    samples=lambda draw: [
        ((draw.uniform((2, 3), 0.1, 0.9), draw.uniform((2, 3), 0.1, 0.9)), {"reduction": r}) for r in ("mean", "sum", "none")
    ],
    dx=lambda g, x, target, *, reduction: g  # −y/A + (1−y)/(1−A) = (A − y) / (A (1 − A))   S1
    * _scale(x.shape, reduction)
    * ((x - target) / np.maximum(x * (1 - x), 1e-12)),
    dtarget=lambda g, x, *, reduction: g * _scale(x.shape, reduction) * (np.log(1 - x) - np.log(x)),
)
def _binary_cross_entropy(x: Array, target: Array, *, reduction: str) -> Array:
    """−y log a − (1 − y) log(1 − a), with both logarithms held above −100."""
    elements = -(target * np.maximum(np.log(x), -100) + (1 - target) * np.maximum(np.log(1 - x), -100))
    return _reduced(elements, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The binary cross-entropy of probabilities, C = −y log ŷ − (1 − y) log(1 − ŷ), averaged (S1, S4).

    The logarithms are held above −100, so that a prediction of exactly 0 or 1 costs at most 100, as in PyTorch.
    ∂C/∂A = −y/A + (1 − y)/(1 − A), computed as (A − y) / max(A (1 − A), 10⁻¹²).

    Raises:
        RuntimeError: for an input outside [0, 1], such as logits (`binary_cross_entropy_with_logits` takes those).

    >>> from tinygrad_fr import tensor
    >>> binary_cross_entropy(tensor([0.5, 0.0]), tensor([1.0, 1.0]))
    tensor(50.3466)
    """
    reduction = _reduction(reduction, size_average, reduce)
    if not isinstance(target, Tensor) or input._array.shape != target._array.shape:
        shape = tuple(target.shape) if isinstance(target, Tensor) else type(target).__name__
        raise ValueError(
            f"Using a target size ({shape}) that is different to the input size ({tuple(input.shape)}) is deprecated. Please "
            "ensure they have the same size, for instance with `target.view_as(input)`."
        )
    values = input._array
    if isinstance(values, np.ndarray) and values.size and not (
        np.minimum.reduce(values, None) >= 0 and np.maximum.reduce(values, None) <= 1
    ):
        raise RuntimeError(
            f"all elements of input should be between 0 and 1, and they go from {values.min():.4g} to {values.max():.4g}: "
            "apply `sigmoid` first, or use `binary_cross_entropy_with_logits`."
        )
    if weight is None:
        return _binary_cross_entropy(input, target, reduction=reduction)
    return _finish(mul(_binary_cross_entropy(input, target, reduction="none"), weight), reduction)


@operation(
    "BCE∘σ",
    r"\operatorname{BCE}(\sigma({x}), {target})",
    samples=lambda draw: [
        ((draw.uniform((2, 3), -3, 3), draw.uniform((2, 3), 0.1, 0.9)), {"reduction": r}) for r in ("mean", "sum", "none")
    ],
    dx=lambda g, x, target, *, reduction: g  # ∂C/∂Z = A − y with A = σ(Z)   S1
    * _scale(x.shape, reduction)
    * (0.5 + 0.5 * np.tanh(0.5 * x) - target),
    dtarget=lambda g, x, *, reduction: -g * _scale(x.shape, reduction) * x,
)
def _binary_cross_entropy_with_logits(x: Array, target: Array, *, reduction: str) -> Array:
    """max(z, 0) − z y + log(1 + e^{−|z|}), which is the binary cross-entropy of σ(z) without its overflow."""
    return _reduced(np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x))), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross-entropy of σ(z), computed from z so that nothing overflows; ∂C/∂Z = A − y (S1).

    Args:
        input: the logits z.
        target: the wanted probabilities, of the same shape.
        weight: multiplies the loss of each element.
        pos_weight: multiplies the part of the positive class.

    Raises:
        ValueError: when the shapes differ.

    >>> from tinygrad_fr import tensor
    >>> binary_cross_entropy_with_logits(tensor([0.0, 1000.0]), tensor([1.0, 1.0]))
    tensor(0.3466)
    """
    reduction = _reduction(reduction, size_average, reduce)
    if input.shape != target.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape}): write `target.view_as(input)`, or "
            "`target.unsqueeze(1)` for a column of outputs."
        )
    if weight is None and pos_weight is None:
        return _binary_cross_entropy_with_logits(input, target, reduction=reduction)
    if pos_weight is None:
        elements = _binary_cross_entropy_with_logits(input, target, reduction="none")
    else:
        push = mul(sub(pos_weight, 1), target)
        elements = sub(mul(1 - target, input), mul(logsigmoid(input), push + 1))
    return _finish(elements if weight is None else mul(elements, weight), reduction)


# -- cross-entropy -----------------------------------------------------------------------------------------------------


def _softmax(x: Any) -> Any:
    """e^{z − max z} / Σ e^{z − max z} along axis 1, the classes; the largest exponent is 0 (S1)."""
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def _cross_entropy_kernel(x: Array, target: Array) -> tuple[Array, Array]:
    """The loss, and the probabilities A, which the gradient A − y needs again.

    NumPy reduces along short rows slowly: the maximum is taken down the columns of a copy, the sum by a product with ones.
    """
    a = x - np.maximum.reduce(np.ascontiguousarray(x.T), 0)[:, None]
    picked = a[np.arange(len(target)), target]
    np.exp(a, a)
    total = a.dot(np.ones(x.shape[1], x.dtype))
    np.divide(a, total[:, None], a)
    return np.add.reduce(np.log(total) - picked) / len(target), a


def _cross_entropy_dx_kernel(g: Array, x: Array, target: Array, a: Array) -> Array:
    scale = g / len(target)
    dz = np.multiply(a, scale)
    dz[np.arange(len(target)), target] -= scale
    return dz


@operation(
    "CE∘softmax",
    r"\operatorname{CE}(\operatorname{softmax}({x}), {target})",
    samples=lambda draw: [(draw.uniform((4, 3), -2, 2), draw.integers((4,), 0, 3))],
    dx=lambda g, x, target: (g / len(target)) * (_softmax(x) - (target[:, None] == np.arange(x.shape[1]))),  # A − y   S1
    kernel=_cross_entropy_kernel,
    kernel_keeps=True,
    kernel_dx=_cross_entropy_dx_kernel,
)
def _cross_entropy(x: Array, target: Array) -> Array:
    """The mean over the samples of −log softmax(z)ᵧ."""
    top = np.max(x, axis=1, keepdims=True)
    total = np.log(np.sum(np.exp(x - top), axis=1)) + top[:, 0]
    return np.mean(total - np.take_along_axis(x, target[:, None], 1)[:, 0])


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of softmax(z), computed from z: −log of the probability of the right class, averaged.

    With A = softmax(Z), the gradient is ∂C/∂Z = A − y (S1), divided by the number of samples in a mean.

    Args:
        input: the logits, (classes,), (samples, classes) or (samples, classes, d₁, ...).
        target: the class numbers (int64), without the class axis; or probabilities, of the input's shape.
        weight: (classes,), one factor for each class.
        ignore_index: samples of this class number count for nothing.
        reduction: "mean" (weighted when there are weights), "sum" or "none".
        label_smoothing: the share of the target spread over all classes, between 0 and 1.

    Raises:
        IndexError: for a class number outside the classes.
        ValueError: when the numbers of samples differ.
        RuntimeError: for a target that is neither class numbers nor probabilities.

    >>> from tinygrad_fr import tensor
    >>> cross_entropy(tensor([[0.0, 0.0]]), tensor([1]))
    tensor(0.6931)
    """
    if reduction != "mean" or size_average is not None or reduce is not None:
        reduction = _reduction(reduction, size_average, reduce)
    if target.dtype.kind == "f":
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    axis = 1 if input._array.ndim > 1 else 0
    classes: int = input._array.shape[axis]
    all_count = _check_classes("cross_entropy", input, target, classes, ignore_index)
    if all_count and weight is None and label_smoothing == 0 and reduction == "mean" and input._array.ndim == 2:
        return _cross_entropy(input, target)
    logs = _log_softmax(input, axis)
    loss = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if label_smoothing == 0:
        return loss
    spread = logs if weight is None else mul(logs, reshape(weight, (-1,) + (1,) * (input.ndim - axis - 1)))
    counted = target._array != ignore_index
    smooth = mul(where(wrap(counted), _sum(spread, axis), 0.0), -1)
    if reduction == "mean":
        chosen = np.where(counted, target._array, 0)
        share = counted if weight is None else np.where(counted, weight._array[chosen], 0)
        smooth = div(_sum(smooth), float(np.sum(share)))
    elif reduction == "sum":
        smooth = _sum(smooth)
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    """Cross-entropy against probabilities, −Σ y log softmax(z)."""
    if input.shape != target.shape:
        raise RuntimeError(
            f"cross_entropy: a target of dtype {target.dtype} holds probabilities and must have the input's shape "
            f"{tuple(input.shape)}, not {tuple(target.shape)}. For class numbers, write `target.long()`."
        )
    axis = 1 if input.ndim > 1 else 0
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    terms = mul(target, _log_softmax(input, axis))
    if weight is not None:
        terms = mul(terms, reshape(weight, (-1,) + (1,) * (input.ndim - axis - 1)))
    elements = mul(_sum(terms, axis), -1)
    return _finish(elements, reduction)


def _check_classes(name: str, input: Tensor, target: Tensor, classes: int, ignore_index: int) -> bool:
    """Refuse targets that are not class numbers of this input, before anything is computed; say if none is ignored."""
    values, have = target._array, input._array.shape
    if values.dtype.kind not in "iu":
        raise RuntimeError(f"{name}: expected class numbers of dtype int64, got {target.dtype}: write `target.long()`")
    expected = (*have[:1], *have[2:]) if len(have) > 1 else ()
    if values.shape != expected:
        raise ValueError(
            f"{name}: Expected input batch_size ({have[0] if have else 1}) to match target batch_size "
            f"({values.shape[0] if values.ndim else 1}): for an input of shape {tuple(have)} the target must have shape "
            f"{tuple(expected)}, and it has {tuple(values.shape)}."
        )
    if not isinstance(values, np.ndarray) or not values.size:
        return False
    low, high = np.minimum.reduce(values, None), np.maximum.reduce(values, None)
    if low >= 0 and high < classes and not low <= ignore_index <= high:
        return True
    counted = values[values != ignore_index]
    wrong = counted[(counted < 0) | (counted >= classes)]
    if wrong.size:
        raise IndexError(f"{name}: Target {wrong[0]} is out of bounds: the input has {classes} classes, numbered from 0.")
    return bool(counted.size == values.size)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood: minus the input at each sample's class, averaged; the input is log-probabilities.

    >>> from tinygrad_fr import tensor
    >>> nll_loss(tensor([[-0.5, -1.0]]), tensor([1]))
    tensor(1.)
    """
    reduction = _reduction(reduction, size_average, reduce)
    axis = 1 if input.ndim > 1 else 0
    _check_classes("nll_loss", input, target, input.shape[axis], ignore_index)
    counted = np.asarray(target._array != ignore_index)
    chosen = wrap(np.where(counted, target._array, 0).astype(np.int64))
    picked = squeeze(take_along_dim(input, unsqueeze(chosen, axis), axis), axis)
    share = counted.astype(input.dtype) if weight is None else np.where(counted, weight._array[chosen._array], 0)
    elements = mul(where(wrap(counted), picked, 0.0), wrap(np.asarray(-share, input.dtype)))
    if reduction != "mean":
        return _finish(elements, reduction)
    with np.errstate(all="ignore"):
        return div(_sum(elements), float(np.sum(share)))


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The Kullback-Leibler divergence, y (log y − x), where x is a log-probability; "batchmean" divides by the samples.

    >>> from tinygrad_fr import tensor
    >>> kl_div(tensor([[-0.6931, -0.6931]]), tensor([[0.5, 0.5]]), reduction="batchmean").round(decimals=3)
    tensor(-0.)
    """
    if log_target:
        elements = mul(exp(target), sub(target, input))
    else:
        safe = where(target > 0, target, 1.0)
        elements = sub(mul(target, log(safe)), mul(target, input))
    if reduction == "batchmean":
        return div(_sum(elements), max(input.shape[0], 1) if input.ndim else 1)
    return _finish(elements, _reduction(reduction, size_average, reduce))


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Each vector along an axis, divided by its norm (or by eps where that is larger).

    >>> from tinygrad_fr import tensor
    >>> normalize(tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    from tinygrad_fr.operations.activations import clamp

    return div(input, clamp(norm(input, p, dim, keepdim=True), min=eps))


