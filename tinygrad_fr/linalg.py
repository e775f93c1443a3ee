"""PyTorch's `linalg` names for what small networks use of it: the norms, the inverse, the cross product."""

from __future__ import annotations

from typing import Any

from tinygrad_fr.operations.arithmetic import abs as _abs
from tinygrad_fr.operations.linalg import cross as _cross
from tinygrad_fr.operations.linalg import inverse
from tinygrad_fr.operations.reductions import amax, amin
from tinygrad_fr.operations.reductions import norm as _norm
from tinygrad_fr.operations.reductions import sum as _sum
from tinygrad_fr.tensor import Tensor

inv = inverse


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm of all elements, (Σ |x|ᵖ)^(1/p) with p = ord, or along the given dims.

    >>> from tinygrad_fr import tensor
    >>> vector_norm(tensor([[3.0], [4.0]]))
    tensor(5.)
    """
    return _norm(x, ord, dim, keepdim, dtype)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm of a vector, or of a matrix when `ord` is given for one: "fro", 1 (columns) or inf (rows).

    Without `ord` it is the square root of the sum of all squares, whatever the shape.

    Raises:
        NotImplementedError: for the matrix norms that need singular values (2, -2, "nuc").

    >>> from tinygrad_fr import tensor
    >>> norm(tensor([[3.0, 4.0]])), norm(tensor([[3.0, -4.0]]), ord=1, dim=1)
    (tensor(5.), tensor([7.]))
    """
    pair = tuple(dim) if isinstance(dim, (tuple, list)) else (0, 1) if dim is None and A.ndim == 2 else ()
    if ord is None or len(pair) != 2:
        return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    if ord == "fro":
        return vector_norm(A, 2, pair, keepdim, dtype=dtype)
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise NotImplementedError(f"the matrix norm {ord!r} needs singular values: write ord='fro', or give one dim")
    row, column = (d % A.ndim for d in pair)
    summed, best = (row, column) if ord in (1, -1) else (column, row)
    sums = _sum(_abs(A), summed, True, dtype=dtype)
    answer = (amax if ord > 0 else amin)(sums, best, True)
    return answer if keepdim else answer.squeeze((row, column))


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of length 3 that lie along `dim`.

    >>> from tinygrad_fr import tensor
    >>> cross(tensor([1.0, 0.0, 0.0]), tensor([0.0, 0.0, 2.0]))
    tensor([ 0., -2.,  0.])
    """
    return _cross(input, other, dim)
