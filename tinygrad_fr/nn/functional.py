"""Layers and losses as plain functions: what a network computes, without the objects that hold its weights.

The losses of a training loop are fused: one operation with one gradient formula, which is the one the courses derive.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from tinygrad_fr.creation import empty_like
from tinygrad_fr.modes import no_grad
from tinygrad_fr.node import Array
from tinygrad_fr.operation import on, operation
from tinygrad_fr.operations.activations import clamp, into
from tinygrad_fr.operations.activations import elu as elu
from tinygrad_fr.operations.activations import gelu as gelu
from tinygrad_fr.operations.activations import leaky_relu as leaky_relu
from tinygrad_fr.operations.activations import logsigmoid as logsigmoid
from tinygrad_fr.operations.activations import relu as _relu
from tinygrad_fr.operations.activations import sigmoid as sigmoid
from tinygrad_fr.operations.activations import silu as silu
from tinygrad_fr.operations.activations import softplus as softplus
from tinygrad_fr.operations.activations import softsign as softsign
from tinygrad_fr.operations.arithmetic import abs as _abs
from tinygrad_fr.operations.arithmetic import add, div, mul, square, sub
from tinygrad_fr.operations.elementary import exp, log, rsqrt
from tinygrad_fr.operations.elementary import tanh as tanh
from tinygrad_fr.operations.indexing import getitem, take_along_dim, where
from tinygrad_fr.operations.indexing import one_hot as one_hot
from tinygrad_fr.operations.inplace import mul_
from tinygrad_fr.operations.linalg import einsum
from tinygrad_fr.operations.linalg import linear as linear
from tinygrad_fr.operations.reductions import _softmax, mean, norm
from tinygrad_fr.operations.reductions import log_softmax as _log_softmax
from tinygrad_fr.operations.reductions import softmax as _softmax_along
from tinygrad_fr.operations.reductions import sum as _sum
from tinygrad_fr.operations.shaping import broadcast_to, reshape, squeeze, unsqueeze
from tinygrad_fr.operations.shaping import pad as pad
from tinygrad_fr.random import bernoulli_
from tinygrad_fr.tensor import Tensor, wrap


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier, max(0, x); `inplace=True` writes the result into the input.

    >>> from tinygrad_fr import tensor
    >>> relu(tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return into(_relu, input) if inplace else _relu(input)


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


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The softmax of −x: the smallest number gets the largest share.

    >>> from tinygrad_fr import tensor
    >>> softmin(tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return _softmax_along(mul(input, -1), _dim("softmin", input, dim), dtype)


# -- activations composed of others --------------------------------------------------------------------------------------
#
# A choice between two formulas is `where` with a mask of the values. The side on which a kink counts is PyTorch's, and nan,
# for which every comparison is false, stays nan.


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x cut at two bounds; the derivative is 1 strictly between them and 0 elsewhere, the bounds included (`clamp`: 1 there).

    >>> from tinygrad_fr import tensor
    >>> hardtanh(tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if inplace:
        return into(hardtanh, input, min_val, max_val)
    x = input._array
    cut = clamp(wrap(x), min_val, max_val)
    return where(wrap((x <= min_val) | (x >= max_val)), cut, input)  # type: ignore[no-any-return]


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """The rectifier cut at 6, min(max(0, x), 6).

    >>> from tinygrad_fr import tensor
    >>> relu6(tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A sigmoid of three straight lines: 0 up to −3, 1 from 3, x/6 + 1/2 between.

    >>> from tinygrad_fr import tensor
    >>> hardsigmoid(tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    return into(hardsigmoid, input) if inplace else div(add(hardtanh(input, -3.0, 3.0), 3), 6)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x).

    >>> from tinygrad_fr import tensor
    >>> hardswish(tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000, 1.1250, 4.0000])
    """
    return into(hardswish, input) if inplace else mul(input, hardsigmoid(input))


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Self-normalising unit, λ · elu(x, α), with the two constants that keep mean 0 and variance 1 from layer to layer.

    >>> from tinygrad_fr import tensor
    >>> selu(tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """
    return into(selu, input) if inplace else mul(elu(input, 1.6732632423543772), 1.0507009873554805)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x if x > 0, α (e^{x/α} − 1) otherwise: an elu whose slope has no jump.

    >>> from tinygrad_fr import tensor
    >>> celu(tensor([-1.0, 1.0]), alpha=2.0)
    tensor([-0.7869,  1.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return into(celu, input, alpha) if inplace else mul(elu(div(input, alpha)), alpha)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The leaky rectifier whose slope is learnt, max(0, x) + a · min(0, x); one a, or one for each channel (axis 1).

    Raises:
        RuntimeError: when the number of slopes is neither 1 nor the number of channels.

    >>> from tinygrad_fr import tensor
    >>> prelu(tensor([-1.0, 2.0]), tensor([0.25]))
    tensor([-0.2500,  2.0000])
    """
    if weight.numel() > 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} and "
                f"channel size = {channels}."
            )
        weight = reshape(weight, (-1,) + (1,) * (input.ndim - 2))
    return add(_relu(input), mul(weight, clamp(input, max=0)))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x)).

    >>> from tinygrad_fr import tensor
    >>> mish(tensor([-1.0, 1.0]))
    tensor([-0.3034,  0.8651])
    """
    return into(mish, input) if inplace else mul(input, tanh(softplus(input)))


def tanhshrink(input: Tensor) -> Tensor:
    """x − tanh(x).

    >>> from tinygrad_fr import tensor
    >>> tanhshrink(tensor([1.0]))
    tensor([0.2384])
    """
    return sub(input, tanh(input))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought nearer to 0 by λ, and 0 where |x| ≤ λ.

    >>> from tinygrad_fr import tensor
    >>> softshrink(tensor([-2.0, 0.2, 2.0]))
    tensor([-1.5000,  0.0000,  1.5000])
    """
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    x = input._array
    return where(wrap(abs(x) <= lambd), 0.0, sub(input, clamp(wrap(x), -lambd, lambd)))  # type: ignore[no-any-return]


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, and 0 where |x| ≤ λ.

    >>> from tinygrad_fr import tensor
    >>> hardshrink(tensor([-2.0, 0.2, 2.0]))
    tensor([-2.,  0.,  2.])
    """
    return where(wrap(abs(input._array) <= lambd), 0.0, input)  # type: ignore[no-any-return]


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above the threshold, a fixed value elsewhere.

    >>> from tinygrad_fr import tensor
    >>> threshold(tensor([0.0, 1.0]), 0.5, -1.0)
    tensor([-1.,  1.])
    """
    if inplace:
        return into(_threshold, input, threshold, value)
    return where(wrap(input._array <= threshold), value, input)  # type: ignore[no-any-return]


_threshold = threshold  # its second argument hides its name


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability p, and divide the others by 1 − p: y = x ⊙ m / (1 − p), with m drawn anew.

    The mean stays what it was, so that nothing is to be changed for evaluation: with `training=False` the input is returned.
    The mask m is the one that PyTorch draws. ∂E/∂x = ∂E/∂y ⊙ m / (1 − p).

    Args:
        input: a tensor of floating dtype, any shape.
        p: the share of elements that are dropped, between 0 and 1.
        training: False returns the input itself.
        inplace: True writes the result into the input.

    Raises:
        ValueError: for p outside [0, 1].
        RuntimeError: for an integer or boolean input.

    Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, 2014.

    >>> from tinygrad_fr import manual_seed, ones
    >>> _ = manual_seed(0)
    >>> dropout(ones(6))
    tensor([0., 0., 2., 0., 0., 0.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or input.numel() == 0:
        return input
    if input.dtype.kind != "f":
        raise RuntimeError(
            f"result type float32 can't be cast to the desired output type {input.dtype}: dropout scales what it keeps. Write "
            "`.float()` first."
        )
    wide = np.promote_types(input.dtype, np.float32).type  # what PyTorch divides in
    noise = 0.0 if p == 1 else bernoulli_(empty_like(input), 1 - p).mul_(input.dtype.type(wide(1) / wide(1 - p)))
    return mul_(input, noise) if inplace else mul(input, noise)


# -- what layers compute -------------------------------------------------------------------------------------------------


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One number from two vectors, for each matrix of the weight: yₖ = uᵗ Wₖ v + bₖ.

    Args:
        input1: (..., in1) values u; axes in front are a batch.
        input2: (..., in2) values v.
        weight: (out, in1, in2).
        bias: (out,), or None.

    >>> from tinygrad_fr import tensor
    >>> bilinear(tensor([[1.0, 2.0]]), tensor([[3.0]]), tensor([[[1.0], [1.0]]]))
    tensor([[9.]])
    """
    product = einsum("...i,kij,...j->...k", input1, weight, input2)
    return product if bias is None else add(product, bias)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of a table, one for each number: y = weight[input]; each row's gradient is the sum over the places that read it.

    Args:
        input: row numbers (int64), of any shape.
        weight: the table, (rows, size).
        padding_idx: a row that stands for "nothing": no gradient flows into it.

    Raises:
        IndexError: for a number outside the table.
        RuntimeError: for numbers that are not integers.

    >>> from tinygrad_fr import tensor
    >>> embedding(tensor([2, 0]), tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    tensor([[5., 6.],
            [1., 2.]])
    """
    numbers, count = input._array, weight.shape[0]
    if numbers.dtype.kind not in "iu":
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{numbers.dtype} instead: an embedding looks up whole numbers, write `.long()`."
        )
    if isinstance(numbers, np.ndarray) or not hasattr(numbers, "observe"):
        _check_rows(numbers, count)
    else:
        numbers.observe(partial(_check_rows, count=count))  # a recorder: the compiled step checks at each call
    rows: Tensor = getitem(weight, input)
    if padding_idx is None:
        return rows
    padding = np.expand_dims(numbers == padding_idx % count, -1)
    return where(wrap(padding), wrap(rows._array), rows)  # type: ignore[no-any-return]


def _check_rows(numbers: Array, count: int) -> bool:
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < count):
        wrong = numbers[(numbers < 0) | (numbers >= count)].flat[0]
        raise IndexError(f"index out of range in self: {wrong}, and the table has {count} rows, numbered from 0.")
    return True


def _scaled(standard: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """What a normalisation does in the end: γ · x̂ + β, for those of the two that there are."""
    scaled = standard if weight is None else mul(standard, weight)
    return scaled if bias is None else add(scaled, bias)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample brought to mean 0 and variance 1 over its last axes: y = γ (x − m) / √(v + ε) + β.

    Args:
        input: any tensor whose last axes have the normalized shape.
        normalized_shape: the lengths of those axes.
        weight: γ, of the normalized shape, or None for 1.
        bias: β, of the normalized shape, or None for 0.
        eps: ε, added to the variance so that nothing is divided by 0.

    Raises:
        RuntimeError: when the last axes have other lengths.

    >>> from tinygrad_fr import tensor
    >>> layer_norm(tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    shape = tuple(normalized_shape)
    if tuple(input.shape[-len(shape) :]) != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got "
            f"input of size{list(input.shape)}"
        )
    axes = tuple(range(-len(shape), 0))
    centred = sub(input, mean(input, axes, keepdim=True))  # x − m
    variance = mean(square(centred), axes, keepdim=True)
    return _scaled(mul(centred, rsqrt(add(variance, eps))), weight, bias)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each feature (axis 1) brought to mean 0 and variance 1: y = γ (x − m) / √(v + ε) + β.

    In training m and v are those of the batch, and the running ones take a step towards them,
    running ← (1 − momentum) · running + momentum · v (of the variance, the unbiased estimate); otherwise m and v are the
    running ones.

    Raises:
        ValueError: for a batch of one value per feature in training, whose variance is always 0.
        RuntimeError: when the number of features differs.

    >>> from tinygrad_fr import tensor
    >>> batch_norm(tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    features = input.shape[1]
    for name, values in (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias)):
        if values is not None and values.numel() != features:
            raise RuntimeError(
                f"{name} should contain {features} elements not {values.numel()}: the input has shape "
                f"{tuple(input.shape)}, and axis 1 counts the features."
            )

    def column(values: Tensor) -> Tensor:
        """A number for each feature, along axis 1 of the input."""
        return reshape(values, (-1,) + (1,) * (input.ndim - 2))

    if training:
        axes, count = (0, *range(2, input.ndim)), input.numel() // max(features, 1)
        if count < 2:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {input.shape}: one value has no "
                "spread. Give larger batches (`DataLoader(drop_last=True)`), or call `.eval()` to predict."
            )
        m = mean(input, axes, keepdim=True)
        v = mean(square(sub(input, m)), axes, keepdim=True)
    elif running_mean is None or running_var is None:
        raise RuntimeError("Expected running_mean and running_var to be defined when training=False")
    else:
        m, v = column(running_mean), column(running_var)
    standard = mul(sub(input, m), rsqrt(add(v, eps)))
    result = _scaled(standard, weight if weight is None else column(weight), bias if bias is None else column(bias))
    if training and running_mean is not None and running_var is not None:
        with no_grad():
            running_mean.lerp_(reshape(m, (-1,)), momentum)
            running_var.lerp_(mul(reshape(v, (-1,)), count / (count - 1)), momentum)
    return result


# -- how the losses of the elements become one number -------------------------------------------------------------------


def _reduced(elements: Any, reduction: str) -> Any:
    return np.mean(elements) if reduction == "mean" else np.sum(elements) if reduction == "sum" else elements


def _total(elements: Array, reduction: str) -> Any:
    """The same for kernels: `add.reduce` is what `np.sum` and `np.mean` come to, in a third of the time."""
    if reduction == "none":
        return elements
    total = np.add.reduce(elements, None)
    return total / max(elements.size, 1) if reduction == "mean" else total


def _scale(shape: tuple[int, ...], reduction: str) -> float:
    """The derivative of the reduction: each element counts 1/n in a mean, 1 in a sum."""
    return 1 / max(math.prod(shape), 1) if reduction == "mean" else 1.0


def reduction_name(reduction: str, size_average: Any = None, reduce: Any = None) -> str:
    """Check the reduction's name; PyTorch's old arguments, `size_average` and `reduce`, are understood."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: choose 'mean', 'sum' or 'none'")
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
        try:
            shape = np.broadcast_shapes(input.shape, target.shape)
        except ValueError:
            raise RuntimeError(
                f"The size of tensor a must match the size of tensor b: {name} compares an input of shape {tuple(input.shape)} "
                f"with a target of shape {tuple(target.shape)}, element by element."
            ) from None
        input, target = broadcast_to(input, shape), broadcast_to(target, shape)
    return input, target


# -- mean squared error ------------------------------------------------------------------------------------------------


def _mse_kernel(x: Array, target: Array) -> tuple[Array, Array]:
    """The loss, and the differences, which the gradient needs again."""
    d = x - target
    row = d.ravel()
    return row.dot(row) / d.size, d


@operation(
    "MSE",
    r"\operatorname{MSE}({x}, {target})",
    samples=lambda draw: [(draw.uniform((2, 3), -2, 2), draw.uniform((2, 3), -2, 2))],
    dx=lambda g, x, target: g * (2 / math.prod(x.shape)) * (x - target),  # (2/n)(Y − Y*)   S0
    dtarget=lambda g, x, target: g * (2 / math.prod(x.shape)) * (target - x),
    kernel=_mse_kernel,
    kernel_keeps=True,
    kernel_dx=lambda g, x, target, d: d * (g * (2 / d.size)),
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
        weight: of the input's shape, how much each element counts; the mean divides by the sum of the weights.

    Raises:
        ValueError: for weights of another shape.

    >>> from tinygrad_fr import tensor
    >>> mse_loss(tensor([1.0, 0.0, 0.0, 1.0]), tensor([0.0, 0.0, 0.0, 0.0]))
    tensor(0.5000)
    """
    if reduction != "mean" or size_average is not None or reduce is not None:
        reduction = reduction_name(reduction, size_average, reduce)
    if not isinstance(target, Tensor) or input._array.shape != target._array.shape:
        input, target = _pair("mse_loss", input, target)
    if reduction == "mean" and weight is None and input._array.size:
        return _mse_loss(input, target)
    elements = square(sub(input, target))
    return _finish(elements, reduction) if weight is None else _finish_weighted(elements, weight, reduction)


def _finish(elements: Tensor, reduction: str) -> Tensor:
    """Reduce the losses of the elements, for the losses that are composed."""
    if reduction == "none":
        return elements
    total = _sum(elements)
    return div(total, max(elements.numel(), 1)) if reduction == "mean" else total


def _weighted(elements: Tensor, weight: Tensor) -> Tensor:
    if weight.shape != elements.shape:
        raise ValueError(f"Weights and input must have the same size: they have {weight.shape} and {elements.shape}.")
    return mul(elements, weight)


def _finish_weighted(elements: Tensor, weight: Tensor, reduction: str) -> Tensor:
    """Reduce the losses of elements that count differently: Σ w e / Σ w in a mean."""
    weighted = _weighted(elements, weight)
    return div(_sum(weighted), _sum(weight)) if reduction == "mean" else _finish(weighted, reduction)


def l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Tensor:
    """The mean absolute error, mean(|y − y*|); the derivative where they meet is 0. `weight` is that of `mse_loss`.

    >>> from tinygrad_fr import tensor
    >>> l1_loss(tensor([1.0, 3.0]), tensor([0.0, 0.0]))
    tensor(2.)
    """
    reduction = reduction_name(reduction, size_average, reduce)
    input, target = _pair("l1_loss", input, target)
    elements = _abs(sub(input, target))
    return _finish(elements, reduction) if weight is None else _finish_weighted(elements, weight, reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """½ d² / β where |d| < β, |d| − β/2 beyond: squared near the target, absolute far from it.

    >>> from tinygrad_fr import tensor
    >>> smooth_l1_loss(tensor([0.5, 3.0]), tensor([0.0, 0.0]))
    tensor(1.3125)
    """
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    input, target = _pair("smooth_l1_loss", input, target)
    d = sub(input, target)
    size = _abs(d)
    elements = size if beta == 0 else where(size < beta, mul(mul(d, d), 0.5 / beta), sub(size, 0.5 * beta))
    return _finish(elements, reduction_name(reduction, size_average, reduce))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """½ d² where |d| < δ, δ (|d| − δ/2) beyond. `weight` multiplies each element; the mean divides by their number.

    >>> from tinygrad_fr import tensor
    >>> huber_loss(tensor([0.5, 3.0]), tensor([0.0, 0.0]))
    tensor(1.3125)
    """
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is None:
        return mul(smooth_l1_loss(input, target, reduction=reduction, beta=delta), delta)
    elements = mul(smooth_l1_loss(input, target, reduction="none", beta=delta), delta)
    return _finish(_weighted(elements, weight), reduction_name(reduction))


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
    kernel=lambda x, target, *, reduction: _total(_bce_elements(x, target), reduction),
    kernel_dx=lambda g, x, target, *, reduction: (x - target)
    / np.maximum(x * (1 - x), 1e-12)
    * (g * _scale(x.shape, reduction)),
)
def _binary_cross_entropy(x: Array, target: Array, *, reduction: str) -> Array:
    """The binary cross-entropy of probabilities, reduced."""
    return _reduced(_bce_elements(x, target), reduction)


def _bce_elements(x: Any, target: Any) -> Any:
    """−y log a − (1 − y) log(1 − a), with both logarithms held above −100."""
    return -(target * np.maximum(np.log(x), -100) + (1 - target) * np.maximum(np.log(1 - x), -100))


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
    reduction = reduction_name(reduction, size_average, reduce)
    if not isinstance(target, Tensor) or input._array.shape != target._array.shape:
        shape = target.shape if isinstance(target, Tensor) else type(target).__name__
        raise ValueError(
            f"Using a target size ({shape}) that is different to the input size ({input.shape}) is deprecated. Please "
            "ensure they have the same size, for instance with `target.view_as(input)`."
        )
    values = input._array
    if isinstance(values, np.ndarray):
        _check_probabilities(values)
    elif hasattr(values, "observe"):  # a recorder: the compiled step checks at each call
        values.observe(_check_probabilities)
    if weight is None:
        return _binary_cross_entropy(input, target, reduction=reduction)
    return _finish(mul(_binary_cross_entropy(input, target, reduction="none"), weight), reduction)


def _check_probabilities(values: Array) -> bool:
    if values.size and not (np.minimum.reduce(values, None) >= 0 and np.maximum.reduce(values, None) <= 1):
        raise RuntimeError(
            f"all elements of input should be between 0 and 1, and they go from {np.fmin.reduce(values, None):.4g} to "
            f"{np.fmax.reduce(values, None):.4g}{', and some are nan' if np.isnan(values).any() else ''}: apply `sigmoid` "
            "first, or use `binary_cross_entropy_with_logits`."
        )
    return True


def _bce_with_logits_kernel(x: Array, target: Array, *, reduction: str) -> tuple[Array, Array]:
    """The loss, and the probabilities A, which the gradient A − y needs again."""
    e = np.exp(-np.abs(x))
    elements = np.maximum(x, 0) - x * target + np.log1p(e)
    return _total(elements, reduction), np.exp(np.minimum(x, 0)) / (1 + e)


@operation(
    "BCE∘σ",
    r"\operatorname{BCE}(\sigma({x}), {target})",
    samples=lambda draw: [
        ((draw.uniform((2, 3), -3, 3), draw.uniform((2, 3), 0.1, 0.9)), {"reduction": r}) for r in ("mean", "sum", "none")
    ],
    dx=lambda g, x, target, *, reduction: g  # ∂C/∂Z = A − y with A = σ(Z)   S1
    * _scale(x.shape, reduction)
    * (on(sigmoid, x) - target),
    dtarget=lambda g, x, *, reduction: -g * _scale(x.shape, reduction) * x,
    kernel=_bce_with_logits_kernel,
    kernel_keeps=True,
    kernel_dx=lambda g, x, target, a, *, reduction: (a - target) * (g * _scale(x.shape, reduction)),
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
    reduction = reduction_name(reduction, size_average, reduce)
    if input._array.shape != target._array.shape:
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
    dx=lambda g, x, target: g  # ∂C/∂Z = (A − y)/n with A = softmax(Z), and y 1 at the class of each sample, 0 elsewhere   S1
    / target.shape[0]
    * (on(_softmax, x, dim=1) - (target[:, None] == np.arange(x.shape[1]))),
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
        reduction = reduction_name(reduction, size_average, reduce)
    axis = 1 if input._array.ndim > 1 else 0
    classes: int = input._array.shape[axis]
    if label_smoothing != 0 and not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if weight is not None:
        _check_weight("cross_entropy", weight, classes)
    if target._array.dtype.kind == "f":
        if ignore_index >= 0:
            raise RuntimeError(
                "ignore_index is not supported for floating point target: probabilities have no class number to ignore."
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    if axis == 0:
        target = _one_sample(target)
    plain = weight is None and label_smoothing == 0 and reduction == "mean" and input._array.ndim == 2
    all_count = _check_classes("cross_entropy", input, target, classes, ignore_index, tell=plain)
    if plain and all_count:
        return _cross_entropy(input, target)
    logs = _log_softmax(input, axis)
    loss = _nll(logs, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return loss
    spread = logs if weight is None else mul(logs, reshape(weight, (-1,) + (1,) * (input.ndim - axis - 1)))
    smooth = mul(where(wrap(target._array != ignore_index), _sum(spread, axis), 0.0), -1)
    if reduction == "mean":
        smooth = _weighted_mean(smooth, _shares(target, weight, ignore_index))
    elif reduction == "sum":
        smooth = _sum(smooth)
    return loss * (1 - label_smoothing) + smooth * (label_smoothing / classes)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    """Cross-entropy against probabilities, −Σ y log softmax(z)."""
    if input.shape != target.shape:
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype}: cross_entropy takes class numbers, write "
            f"`target.long()`, or probabilities, of the input's shape {tuple(input.shape)}; this has {tuple(target.shape)}."
        )
    axis = 1 if input.ndim > 1 else 0
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.shape[axis]
    terms = mul(target, _log_softmax(input, axis))
    if weight is not None:
        terms = mul(terms, reshape(weight, (-1,) + (1,) * (input.ndim - axis - 1)))
    elements = mul(_sum(terms, axis), -1)
    return _finish(elements, reduction)


def _check_classes(name: str, input: Tensor, target: Tensor, classes: int, ignore_index: int, tell: bool = False) -> bool:
    """Refuse targets that are not class numbers of this input, before anything is computed; `tell` says if none is ignored."""
    values, have = target._array, input._array.shape
    if values.dtype.kind not in "iu":
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype}: {name} takes class numbers, `target.long()`."
        )
    expected = (*have[:1], *have[2:]) if len(have) > 1 else ()
    if values.shape != expected:
        raise _wrong_classes(name, have, values.shape, expected)
    if isinstance(values, np.ndarray):
        return values.size > 0 and _check_numbers(values, name, classes, ignore_index, tell)
    if not hasattr(values, "observe") or not values.size:
        return False
    check = partial(_check_numbers, name=name, classes=classes, ignore_index=ignore_index, tell=tell)
    return bool(values.observe(check))  # a recorder: the compiled step checks at each call


def _check_numbers(values: Array, name: str, classes: int, ignore_index: int, tell: bool) -> bool:
    """Refuse class numbers out of range; say, where it is of use, if none is the one to ignore."""
    unsigned = values.view(f"u{values.itemsize}")  # in which negative numbers are large: one search finds both ends
    if not 0 <= ignore_index < classes and np.maximum.reduce(unsigned, None) < classes:
        return True
    counted = values[values != ignore_index]
    wrong = counted[(counted < 0) | (counted >= classes)]
    if wrong.size:
        raise IndexError(f"Target {wrong[0]} is out of bounds. {name}: the input has {classes} classes, numbered from 0.")
    return not tell or bool(counted.size == values.size)


def _wrong_classes(name: str, have: tuple[int, ...], given: tuple[int, ...], expected: tuple[int, ...]) -> Exception:
    """The error for class numbers whose shape does not fit the input: PyTorch's type and words, and the way out."""
    rule = f" {name}: for an input of shape {have} the class numbers must have shape {expected}, and they have {given}."
    if given == have:
        return RuntimeError(
            f"Expected floating point type for target with class probabilities, got integers.{rule} Rows of 0 and 1 become "
            "class numbers by `target.argmax(1)`, probabilities by `target.float()`."
        )
    if len(have) < 3 and len(given) > 1:
        return RuntimeError(f"0D or 1D target tensor expected, multi-target not supported.{rule} Write `target.squeeze(1)`.")
    if given[:1] != expected[:1]:
        return ValueError(
            f"Expected input batch_size ({have[0] if have else 1}) to match target batch_size ({given[0] if given else 0})."
            + rule
        )
    return RuntimeError(f"Expected target size {list(expected)}, got {list(given)}.{rule}")


def _check_weight(name: str, weight: Tensor, classes: int) -> None:
    if weight.shape != (classes,):
        raise RuntimeError(
            f"{name}: weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _one_sample(target: Tensor) -> Tensor:
    """The class number of a single sample, whose input is (classes,); it may be given with an axis of its own."""
    return reshape(target, ()) if target._array.shape == (1,) else target


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
    reduction = reduction_name(reduction, size_average, reduce)
    axis = 1 if input.ndim > 1 else 0
    if weight is not None:
        _check_weight("nll_loss", weight, input.shape[axis])
    if axis == 0:
        target = _one_sample(target)
    _check_classes("nll_loss", input, target, input.shape[axis], ignore_index)
    return _nll(input, target, weight, ignore_index, reduction)


def _nll(logs: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    """Minus the log-probability of each sample's class, times the sample's share; what was given is right."""
    axis = 1 if logs.ndim > 1 else 0
    counted = target._array != ignore_index
    chosen = wrap(np.where(counted, target._array, 0).astype(np.int64))
    picked = squeeze(take_along_dim(logs, unsqueeze(chosen, axis), axis), axis)
    share = _shares(target, weight, ignore_index).astype(logs.dtype)
    elements = mul(where(wrap(counted), picked, 0.0), wrap(-share))
    return _weighted_mean(elements, share) if reduction == "mean" else _finish(elements, reduction)


def _shares(target: Tensor, weight: Tensor | None, ignore_index: int) -> Array:
    """How much each sample counts: the weight of its class, or 1; nothing where it is ignored."""
    counted = target._array != ignore_index
    return np.where(counted, 1 if weight is None else np.take(weight._array, np.where(counted, target._array, 0)), 0)


def _weighted_mean(elements: Tensor, share: Array) -> Tensor:
    """The sum of elements that were weighted, divided by the weights; nan where nothing counts, with no gradient."""
    total = np.sum(share)
    return div(_sum(elements), wrap(np.where(total == 0, np.nan, total).astype(elements.dtype)))


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
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides only by "
            "the batch size, and aligns with the KL div math definition.",
            UserWarning,
            stacklevel=2,
        )
    return _finish(elements, reduction_name(reduction, size_average, reduce))


# -- losses for counts, for a mean with its variance, and for pairs ---------------------------------------------------------


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: Any = None,
    eps: float = 1e-8,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """How unlikely a count y is where λ are expected: λ − y log λ, without the constant log y!.

    Args:
        input: log λ, or λ with `log_input=False` (then log(λ + eps) is taken).
        target: the counts y.
        full: add Stirling's approximation of log y!, y log y − y + ½ log 2πy, where y > 1.

    >>> from tinygrad_fr import tensor
    >>> poisson_nll_loss(tensor([0.0]), tensor([3.0]))
    tensor(1.)
    """
    elements = sub(exp(input), mul(target, input)) if log_input else sub(input, mul(target, log(add(input, eps))))
    if full:
        y = where(target > 1, target, 1.0)
        stirling = mul(y, log(y)) - y + mul(log(mul(y, 2 * math.pi)), 0.5)
        elements = add(elements, where(target > 1, stirling, 0.0))
    return _finish(elements, reduction_name(reduction, size_average, reduce))


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """How unlikely y is under a normal distribution of mean x and variance v: ½ (log v + (x − y)² / v).

    Args:
        input: the means x.
        target: the observed y, of the same shape.
        var: the variances v: a number, a tensor of the input's shape, or one for each row.
        full: add the constant ½ log 2π.
        eps: variances below are raised to it; their gradient is what it would be without.

    Raises:
        ValueError: for a variance that is negative or has another shape.

    >>> from tinygrad_fr import tensor
    >>> gaussian_nll_loss(tensor([1.0]), tensor([3.0]), tensor([1.0]))
    tensor(2.)
    """
    var = var if isinstance(var, Tensor) else wrap(np.full(input.shape, var, input.dtype))
    if var.shape == input.shape[:-1] and input.ndim:
        var = unsqueeze(var, -1)
    if var.shape != input.shape and var.shape != (*input.shape[:-1], 1):
        raise ValueError(f"var is of incorrect size: {tuple(var.shape)}, for an input of shape {tuple(input.shape)}")
    if (var._array < 0).any():
        raise ValueError("var has negative entry/entries: a variance is a square, for instance `torch.exp(log_var)`")
    var = add(var, wrap(np.maximum(var._array, eps) - var._array))
    elements = mul(add(log(var), div(square(sub(input, target)), var)), 0.5)
    if full:
        elements = add(elements, 0.5 * math.log(2 * math.pi))
    return _finish(elements, reduction_name(reduction))


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """Distances x of pairs: x itself where the pair is alike (y = 1), max(0, margin − x) where it is not (y = −1).

    >>> from tinygrad_fr import tensor
    >>> hinge_embedding_loss(tensor([0.5, 0.2]), tensor([1.0, -1.0]), reduction="none")
    tensor([0.5000, 0.8000])
    """
    apart = clamp(margin - input, min=0)
    elements = add(where(target == -1, 0.0, input), where(target == 1, 0.0, apart))
    return _finish(elements, reduction_name(reduction, size_average, reduce))


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, −y (x₁ − x₂) + margin): y = 1 asks for x₁ above x₂, y = −1 for the contrary.

    >>> from tinygrad_fr import tensor
    >>> margin_ranking_loss(tensor([1.0, 1.0]), tensor([3.0, 0.0]), tensor([1.0, 1.0]), reduction="none")
    tensor([2., 0.])
    """
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            f"margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {input1.shape}, "
            f"input2: {input2.shape}, target: {target.shape}"
        )
    elements = clamp(add(mul(mul(target, -1), sub(input1, input2)), margin), min=0)
    return _finish(elements, reduction_name(reduction, size_average, reduce))


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The angle between pairs of vectors: 1 − cos where they are alike (y = 1), max(0, cos − margin) where not (y = −1).

    >>> from tinygrad_fr import tensor
    >>> x = tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> cosine_embedding_loss(x, tensor([[0.0, 1.0], [2.0, 0.0]]), tensor([1.0, -1.0]), reduction="none")
    tensor([1., 1.])
    """
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported: one 1 or −1 for each pair of vectors.")
    tiny = 1e-12  # PyTorch's, under the root
    lengths = mul(add(_sum(square(input1), -1), tiny), add(_sum(square(input2), -1), tiny))
    cosine = mul(_sum(mul(input1, input2), -1), rsqrt(lengths))
    alike, apart = 1 - cosine, clamp(sub(cosine, margin), min=0)
    elements = add(where(target == 1, alike, 0.0), where(target == -1, apart, 0.0))
    return _finish(elements, reduction_name(reduction, size_average, reduce))


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Each vector along an axis, divided by its norm (or by eps where that is larger).

    >>> from tinygrad_fr import tensor
    >>> normalize(tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return div(input, clamp(norm(input, p, dim, keepdim=True), min=eps))


