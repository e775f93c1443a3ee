"""Losses as modules: an object that is made once, with its options, and called with an output and a target at each step."""

from __future__ import annotations

from typing import Any

from tinygrad_fr.nn import functional as F
from tinygrad_fr.nn.functional import reduction_name
from tinygrad_fr.nn.module import Module
from tinygrad_fr.tensor import Tensor


class Loss(Module):
    """What the losses share: `reduction`, which says how the losses of the elements become one number.

    Args:
        reduction: "mean", "sum", or "none" for one value per element.
        size_average, reduce: PyTorch's former names for the same choice.

    Raises:
        TypeError: for tensors where options belong: `nn.MSELoss(output, target)` is meant to be `nn.MSELoss()(output, target)`.
        ValueError: for a reduction of another name.
    """

    reduction: str

    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__()
        self._no_tensors(size_average, reduce, reduction)
        self.reduction = reduction_name(reduction, size_average, reduce)

    def _no_tensors(self, *options: Any) -> None:
        """Refuse the output and the target that were meant for the call."""
        if any(isinstance(option, Tensor) for option in options):
            name = type(self).__name__
            raise TypeError(
                f"nn.{name}(output, target) makes a loss whose options are tensors. Make the loss first, "
                f"`criterion = nn.{name}()`, then call it, `loss = criterion(output, target)`."
            )


class _Weighted(Loss):
    """A loss with weights, which are a buffer: `to()` converts them and `state_dict()` holds them."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None, size_average: Any, reduce: Any, reduction: str) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


# -- regression ------------------------------------------------------------------------------------------------------------


class MSELoss(Loss):
    """The mean squared error, mean((y − y*)²) (S0, S2); see `functional.mse_loss`.

    >>> import tinygrad_fr as torch
    >>> criterion = torch.nn.MSELoss()
    >>> criterion(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0]))
    tensor(0.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """The mean absolute error, mean(|y − y*|)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Squared near the target, ½ d² / β where |d| < β, and absolute far from it, |d| − β/2."""

    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """½ d² where |d| < δ, δ (|d| − δ/2) beyond."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class PoissonNLLLoss(Loss):
    """For counts: λ − y log λ, of an input that is log λ (or λ, with `log_input=False`)."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self._no_tensors(log_input, full)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """For a mean that comes with its variance: ½ (log v + (x − y)² / v)."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


# -- classification --------------------------------------------------------------------------------------------------------


class BCELoss(_Weighted):
    """The binary cross-entropy of probabilities, −y log ŷ − (1 − y) log(1 − ŷ) (S1, S4); `weight` multiplies each element."""

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Weighted):
    """The binary cross-entropy of σ(z), computed from z; `pos_weight` multiplies the part of the positive class."""

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class CrossEntropyLoss(_Weighted):
    """The cross-entropy of softmax(z), computed from z; ∂C/∂Z = A − y (S1). See `functional.cross_entropy`.

    Args:
        weight: one factor for each class.
        ignore_index: samples of this class number count for nothing.
        label_smoothing: the share of the target spread over all classes, between 0 and 1.

    The input is the logits: the last layer has no softmax. The target is class numbers (int64), or probabilities.

    >>> import tinygrad_fr as torch
    >>> criterion = torch.nn.CrossEntropyLoss()
    >>> criterion(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        try:
            weight = self._buffers["weight"]  # at once: for `self.weight` Python searches everywhere else first
        except KeyError:
            weight = self.weight
        return F.cross_entropy(
            input,
            target,
            weight=weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Weighted):
    """Minus the input at each sample's class, of log-probabilities, such as `LogSoftmax` gives."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class KLDivLoss(Loss):
    """The Kullback-Leibler divergence y (log y − x) of log-probabilities x; `reduction="batchmean"` is the mathematical one."""

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean", log_target: bool = False
    ) -> None:
        super().__init__(size_average, reduce, "mean" if reduction == "batchmean" else reduction)
        self.reduction = reduction if reduction == "batchmean" else self.reduction
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


# -- pairs -----------------------------------------------------------------------------------------------------------------


class _Margin(Loss):
    """A loss of pairs, with a margin."""

    def __init__(self, margin: float, size_average: Any, reduce: Any, reduction: str) -> None:
        super().__init__(size_average, reduce, reduction)
        self._no_tensors(margin)
        self.margin = margin


class HingeEmbeddingLoss(_Margin):
    """Distances x of pairs: x where they are alike (y = 1), max(0, margin − x) where not (y = −1)."""

    def __init__(self, margin: float = 1.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(_Margin):
    """max(0, −y (x₁ − x₂) + margin): y = 1 asks for x₁ above x₂, y = −1 for the contrary."""

    def __init__(self, margin: float = 0.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Margin):
    """The angle between pairs of vectors: 1 − cos where they are alike (y = 1), max(0, cos − margin) where not (y = −1)."""

    def __init__(self, margin: float = 0.0, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)
