"""The layers: an affine map, and what goes between affine maps."""

from __future__ import annotations

import math
from typing import Any

from tinygrad_fr.creation import empty, ones, tensor, zeros
from tinygrad_fr.nn import functional as F
from tinygrad_fr.nn import init
from tinygrad_fr.nn.module import Module
from tinygrad_fr.nn.parameter import Parameter, UninitializedParameter
from tinygrad_fr.operations.linalg import linear
from tinygrad_fr.operations.shaping import flatten, unflatten
from tinygrad_fr.tensor import Tensor, wrap


class Identity(Module):
    """Returns what it is given; takes any arguments, so that it can stand in for another layer.

    >>> Identity(54, unused=True)("anything")
    'anything'
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


# -- affine maps -----------------------------------------------------------------------------------------------------------


class Linear(Module):
    """An affine map of the last axis, Y = X Wᵗ + b (a fully connected layer, S0).

    `weight` has shape (out_features, in_features), `bias` (out_features,). Both start uniform between −1/√in_features and
    1/√in_features, from the numbers that PyTorch draws.

    Args:
        in_features: the size of each input row.
        out_features: the size of each output row.
        bias: False for a layer without b.
        dtype: the dtype of the parameters; float32 by default.

    Raises:
        RuntimeError: when it is called with rows of another size, or with integers.

    >>> import tinygrad_fr as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.Linear(2, 1).weight
    Parameter containing:
    tensor([[-0.0053,  0.3793]], requires_grad=True)
    """

    in_features: int
    out_features: int
    weight: Parameter
    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # of this slope, the bound is 1/√in_features
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        if not isinstance(input, Tensor) or input._array.dtype.kind != "f":
            raise _not_floats(self, input)
        try:
            own = self._parameters  # read at once: for `self.weight` Python searches everywhere else first
            weight, bias = own["weight"], own["bias"]
        except KeyError:  # replaced by an ordinary attribute, such as a tensor computed from others
            weight, bias = self.weight, self.bias
        return linear(input, weight, bias)  # type: ignore[arg-type]  # a Linear has a weight

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def _not_floats(layer: Module, input: Any) -> Exception:
    """The error for an input that an affine map cannot take: PyTorch's type and words, and what to write instead."""
    if not isinstance(input, Tensor):
        return TypeError(
            f"linear(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}: write "
            "`torch.tensor(x, dtype=torch.float32)`."
        )
    return RuntimeError(
        f"mat1 and mat2 must have the same dtype, but got {input.dtype} and {layer.weight.dtype}: a {layer._get_name()} takes "
        "numbers that can move a little, write `x.float()`. Class or word numbers go through nn.Embedding or one_hot first."
    )


class LazyLinear(Linear):
    """A Linear whose in_features is read off the first input; then it is a Linear, in place.

    Its parameters can be given to an optimiser, converted and loaded before that; their values cannot be used.

    Args:
        out_features: the size of each output row.
        bias: False for a layer without b.
        dtype: the dtype of the parameters; float32 by default.

    >>> import tinygrad_fr as torch
    >>> layer = torch.nn.LazyLinear(3)
    >>> layer(torch.ones(1, 5)).shape, layer
    (torch.Size([1, 3]), Linear(in_features=5, out_features=3, bias=True))
    """

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        Module.__init__(self)
        self.in_features = 0
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)
        else:
            self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, if they have a shape."""
        if not isinstance(self.weight, UninitializedParameter):
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take in_features from an input, or from weights that were loaded before, and become a Linear."""
        if isinstance(self.weight, UninitializedParameter):
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if isinstance(self.bias, UninitializedParameter):
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        self.in_features = self.weight.shape[-1]
        self.__class__ = Linear  # type: ignore[assignment]

    def forward(self, input: Tensor) -> Tensor:
        if not isinstance(input, Tensor) or input.dtype.kind != "f":
            raise _not_floats(self, input)
        self.initialize_parameters(input)
        return self.forward(input)  # Linear's


class Bilinear(Module):
    """One number from two vectors, for each output: yₖ = uᵗ Wₖ v + bₖ.

    `weight` has shape (out_features, in1_features, in2_features).

    >>> import tinygrad_fr as torch
    >>> torch.nn.Bilinear(2, 3, 4)(torch.ones(5, 2), torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, uniform between −1/√in1_features and 1/√in1_features."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


# -- shapes ----------------------------------------------------------------------------------------------------------------


class Flatten(Module):
    """Each sample as one row: the axes from `start_dim` to `end_dim` become one. It shares memory where it can.

    >>> import tinygrad_fr as torch
    >>> torch.nn.Flatten()(torch.zeros(2, 28, 28)).shape
    torch.Size([2, 784])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several: the contrary of `Flatten`.

    >>> import tinygrad_fr as torch
    >>> torch.nn.Unflatten(1, (28, 28))(torch.zeros(2, 784)).shape
    torch.Size([2, 28, 28])
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)) or not all(isinstance(n, int) for n in unflattened_size):
            raise TypeError(
                f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}: give the lengths "
                "of the new axes, such as (28, 28)."
            )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


# -- a table of vectors ----------------------------------------------------------------------------------------------------


class Embedding(Module):
    """A table with one vector for each number: word 7 is row 7 of `weight`, which training changes.

    `weight` has shape (num_embeddings, embedding_dim) and starts with normal numbers; the gradient of a row is the sum over
    the places where the row was read.

    Args:
        num_embeddings: how many rows.
        embedding_dim: the size of each vector.
        padding_idx: the number that stands for "nothing": its row starts at zero and is not trained.

    Raises:
        IndexError: when it is called with a number outside the table.

    >>> import tinygrad_fr as torch
    >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2], [4, 9]])).shape
    torch.Size([2, 2, 3])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise AssertionError(f"Padding_idx must be within num_embeddings: {num_embeddings} rows have no {padding_idx}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        if _weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype), not _freeze)
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight, not _freeze)

    def reset_parameters(self) -> None:
        """Draw the table anew; the row of padding_idx is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A layer round a table that was trained elsewhere, which it keeps as it is unless `freeze=False`.

        >>> import tinygrad_fr as torch
        >>> torch.nn.Embedding.from_pretrained(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))(torch.tensor([1]))
        tensor([[3., 4.]])
        """
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        return cls(embeddings.shape[0], embeddings.shape[1], padding_idx, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


# -- normalisation and dropout ---------------------------------------------------------------------------------------------


class LayerNorm(Module):
    """Each sample brought to mean 0 and variance 1 over its last axes, then scaled and shifted: y = γ (x − m) / √(v + ε) + β.

    `weight` is γ, which starts at 1, `bias` β, which starts at 0.

    Args:
        normalized_shape: the lengths of those axes, or the length of the last one.
        eps: ε.
        elementwise_affine: False for neither γ nor β.
        bias: False for no β.

    >>> import tinygrad_fr as torch
    >>> torch.nn.LayerNorm(2, elementwise_affine=False)(torch.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = normalized_shape
        self.normalized_shape = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            start = Parameter(empty(self.normalized_shape, device=device, dtype=dtype)) if wanted else None
            self.register_parameter(name, start)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set γ to 1 and β to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


def _share_of_the_next(batches: Tensor, dtype: Any) -> Any:
    """1/(n + 1) after n batches. In a compiled step it is another number at each call: a recorded one, as a tensor."""
    if hasattr(batches._array, "to_number"):
        return wrap((1 / (batches._array.to_number() + 1)).astype(dtype))
    return 1 / (batches.item() + 1)


class BatchNorm1d(Module):
    """Each feature brought to mean 0 and variance 1 over the batch, then scaled and shifted: y = γ (x − m) / √(v + ε) + β.

    In training, m and v are those of the batch, and `running_mean` and `running_var` follow them; after `eval()` these are
    used, so that a prediction depends on its own sample only.

    Args:
        num_features: how many features, the length of axis 1.
        eps: ε.
        momentum: how far the running values move towards each batch; None for the mean over all batches.
        affine: False for neither γ (`weight`) nor β (`bias`).
        bias: False for no β.
        track_running_stats: False to use the batch's own values always.

    >>> import tinygrad_fr as torch
    >>> norm = torch.nn.BatchNorm1d(1)
    >>> norm(torch.tensor([[1.0], [3.0]])).detach(), norm.running_mean
    (tensor([[-1.0000],
            [ 1.0000]]), tensor([0.2000]))
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, Parameter(empty(num_features, device=device, dtype=dtype)) if wanted else None)
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches: mean 0, variance 1, none seen."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Set γ to 1 and β to 0, and forget the batches."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (2, 3):
            raise ValueError(
                f"expected 2D or 3D input (got {input.ndim}D input): samples × features, or samples × features × length"
            )
        batches = self.num_batches_tracked if self.training else None
        momentum: Any = self.momentum
        if momentum is None:  # the mean over all batches so far
            momentum = 0.0 if batches is None else _share_of_the_next(batches, input.dtype)
        normalised = F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )
        if batches is not None:
            batches.add_(1)
        return normalised

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class Dropout(Module):
    """In training, each element set to zero with probability p and the others divided by 1 − p; after `eval()`, the identity.

    See `functional.dropout`; the mask is the one that PyTorch draws.

    Raises:
        ValueError: for p outside [0, 1].

    >>> import tinygrad_fr as torch
    >>> torch.nn.Dropout(0.5).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
