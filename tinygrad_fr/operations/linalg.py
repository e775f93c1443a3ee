"""Products: matrices with matrices, with vectors, in batches, a layer's X Wᵗ + b, and Einstein sums."""

from __future__ import annotations

import string
from typing import Any

import numpy as np

from tinygrad_fr.node import Array
from tinygrad_fr.operation import implements, operation
from tinygrad_fr.operations.arithmetic import add, into, mul, sub
from tinygrad_fr.operations.reductions import sum
from tinygrad_fr.operations.shaping import diagonal, roll, squeeze, unsqueeze
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.values import as_array


def _t(m: Any) -> Any:
    """The transpose of a matrix, or of each matrix of a batch: `m.mT`, which Dask's arrays lack."""
    return np.swapaxes(m, -1, -2)


def _matmul_hint(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    """Why two matrices cannot be multiplied, and what might have been meant."""
    if len(a) < 2 or len(b) < 2 or a[-1] == b[-2]:
        return "The batch axes in front must be equal, or 1."
    text = f"mat1 and mat2 shapes cannot be multiplied ({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]}): "
    text += f"the {a[-1]} columns of the first must meet as many rows in the second, which has {b[-2]}."
    if a[-1] == b[-1]:
        return text + " Write `a @ b.mT` if the second is stored transposed."
    return text + (" Write `a.mT @ b` if the first is stored transposed." if a[-2] == b[-2] else "")


@operation(
    "@",
    r"{x} \, {other}",
    broadcasts=("x", "other"),
    samples=lambda draw: [
        (draw.uniform((2, 3), -1, 1), draw.uniform((3, 4), -1, 1)),
        (draw.uniform((2, 2, 3), -1, 1), draw.uniform((3, 2), -1, 1)),
        (draw.uniform((2, 1, 2, 3), -1, 1), draw.uniform((3, 3, 2), -1, 1)),
    ],
    hint=_matmul_hint,
    dx=lambda g, other: g @ _t(other),  # ∂E/∂X = ∂E/∂Y Wᵗ   S0
    dother=lambda g, x: _t(x) @ g,  # ∂E/∂W = Xᵗ ∂E/∂Y   S0, S1, S4
    kernel=lambda x, other: x.dot(other) if x.ndim == 2 == other.ndim else np.matmul(x, other),
    kernel_dx=lambda g, other: g.dot(other.T) if g.ndim == 2 == other.ndim else g @ other.mT,
    kernel_dother=lambda g, x: x.T.dot(g) if g.ndim == 2 == x.ndim else x.mT @ g,
)
def _matmul(x: Array, other: Array) -> Array:
    """The matrix product over the last two axes; axes in front broadcast."""
    return x @ other


@implements(np.matmul)
def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product Y = X W: of matrices, of batches of matrices (the axes in front broadcast), or with a vector.

    A vector counts as a row on the left and as a column on the right, and its axis is then dropped.
    Gradients (S0): ∂E/∂X = ∂E/∂Y Wᵗ and ∂E/∂W = Xᵗ ∂E/∂Y. `out=` takes the result where no gradient is wanted.

    Raises:
        RuntimeError: when the inner sizes differ, with both shapes and the transpose that may be missing.

    >>> from tinygrad_fr import tensor
    >>> matmul(tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    if out is not None:
        return into(out, matmul(input, other))
    input, other = _tensor(input), _tensor(other)
    row, column = input.ndim == 1, other.ndim == 1
    if not (row or column):
        if input.ndim == 0 or other.ndim == 0:
            raise RuntimeError(
                "both arguments to matmul need to be at least 1D, but they are "
                f"{input.ndim}D and {other.ndim}D: write `a * b` to multiply by a number."
            )
        return _matmul(input, other)
    if row and column and input.shape != other.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{input.shape[0]}] and src [{other.shape[0]}] to have the same number "
            "of elements: a dot product pairs them one by one."
        )
    product = _matmul(unsqueeze(input, 0) if row else input, unsqueeze(other, -1) if column else other)
    if column:
        product = squeeze(product, -1)
    return squeeze(product, -1 if column else -2) if row else product


def rmatmul(input: Tensor, other: Any) -> Tensor:
    """The product with its sides exchanged, other @ input."""
    return matmul(other, input)


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else wrap(as_array(value))


def _need(name: str, dims: tuple[int, ...], *tensors: Tensor) -> None:
    """Check the number of axes of each argument of a product that has a fixed one."""
    for position, (tensor, ndim) in enumerate(zip(tensors, dims, strict=True), 1):
        if tensor.ndim != ndim:
            kind = ("number", "vector", "matrix", "batch of matrices")[ndim]
            raise RuntimeError(
                f"{name}: argument {position} must be a {kind} ({ndim}D), and has shape {tuple(tensor.shape)}: "
                "`a @ b` takes any of these."
            )


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The product of two matrices.

    >>> from tinygrad_fr import tensor
    >>> mm(tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    _need("mm", (2, 2), input, mat2)
    return into(out, _matmul(input, mat2))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, one by one.

    >>> from tinygrad_fr import tensor
    >>> bmm(tensor([[[2.0]], [[3.0]]]), tensor([[[4.0]], [[5.0]]])).tolist()
    [[[8.0]], [[15.0]]]
    """
    _need("bmm", (3, 3), input, mat2)
    return _matmul(input, mat2)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector.

    >>> from tinygrad_fr import tensor
    >>> mv(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    _need("mv", (2, 1), input, vec)
    return matmul(input, vec)


@implements(np.dot)
def _numpy_dot(a: Any, b: Any) -> Tensor:
    """NumPy's dot: a product with a number, a dot product, or a matrix product."""
    a, b = _tensor(a), _tensor(b)
    if a.ndim > 2 or b.ndim > 2:
        raise TypeError(f"np.dot of {a.ndim}D and {b.ndim}D has no derivative in tinygrad_fr: write `a @ b` for batches")
    return matmul(a, b) if a.ndim and b.ndim else mul(a, b)


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The dot product of two vectors, Σᵢ xᵢ yᵢ.

    >>> from tinygrad_fr import tensor
    >>> dot(tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    tensor(11.)
    """
    _need("dot", (1, 1), input, tensor)
    return matmul(input, tensor)


@implements(np.outer)
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of one vector with an element of the other, yᵢⱼ = uᵢ vⱼ.

    >>> from tinygrad_fr import tensor
    >>> outer(tensor([1.0, 2.0]), tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    _need("outer", (1, 1), input, vec2)
    return mul(unsqueeze(input, 1), vec2)


@operation(
    "B+X·W",
    r"{x} + {mat1} \, {mat2}",
    broadcasts=("x",),
    samples=lambda draw: [
        (draw.uniform((4,), -1, 1), draw.uniform((2, 3), -1, 1), draw.uniform((3, 4), -1, 1)),
        (draw.uniform((1, 4), -1, 1), draw.uniform((1, 3), -1, 1), draw.uniform((3, 4), -1, 1)),
        (draw.uniform((2, 4), -1, 1), draw.uniform((2, 3), -1, 1), draw.uniform((3, 4), -1, 1)),
    ],
    hint=lambda x, a, b: _matmul_hint(a, b),
    dx=lambda g: g,  # ∂E/∂B = ∂E/∂Y, which the engine sums over the samples   S0, S4
    dmat1=lambda g, mat2: g @ _t(mat2),  # ∂E/∂X = ∂E/∂Y Wᵗ   S0
    dmat2=lambda g, mat1: _t(mat1) @ g,  # ∂E/∂W = Xᵗ ∂E/∂Y   S0
    kernel=lambda x, mat1, mat2: _plus_bias(mat1.dot(mat2), x) if x.ndim == 1 else x + mat1.dot(mat2),
    kernel_dmat1=lambda g, mat2: g.dot(mat2.T),
    kernel_dmat2=lambda g, mat1: mat1.T.dot(g),
)
def _addmm(x: Array, mat1: Array, mat2: Array) -> Array:
    """Y = X W + B, the layer as S0 writes it."""
    return x + mat1 @ mat2


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · mat1 @ mat2; with the factors 1 it is a layer in one operation, Y = X W + B (S0).

    >>> from tinygrad_fr import tensor
    >>> addmm(tensor([1.0]), tensor([[2.0]]), tensor([[3.0]]))
    tensor([[7.]])
    """
    if beta == 1 == alpha and mat1._array.ndim == 2 == mat2._array.ndim:
        return _addmm(input, mat1, mat2)
    product = mm(mat1, mat2)
    return add(input if beta == 1 else mul(input, beta), product, alpha=alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · batch1 @ batch2, matrix by matrix.

    >>> from tinygrad_fr import tensor
    >>> baddbmm(tensor([1.0]), tensor([[[2.0]]]), tensor([[[3.0]]])).tolist()
    [[[7.0]]]
    """
    return add(input if beta == 1 else mul(input, beta), bmm(batch1, batch2), alpha=alpha)


def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    >>> from tinygrad_fr import tensor
    >>> trace(tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    _need("trace", (2,), input)
    return sum(diagonal(input))


@operation(
    "⁻¹",
    r"{x}^{-1}",
    floats=True,
    numpy=[np.linalg.inv],
    samples=lambda draw: [
        (draw.uniform((3, 3)) + 3 * np.eye(3, dtype=draw.dtype),),
        (draw.uniform((2, 2, 2)) + 3 * np.eye(2, dtype=draw.dtype),),
    ],
    dx=lambda g, y: -(_t(y) @ g @ _t(y)),  # d(A⁻¹) = −A⁻¹ dA A⁻¹
)
def inverse(x: Array) -> Array:
    """The inverse A⁻¹ of a matrix, or of each matrix of a batch, with A A⁻¹ = 1; ∂E/∂A = −A⁻ᵗ ∂E/∂A⁻¹ A⁻ᵗ.

    Raises:
        RuntimeError: for a matrix that is singular, or not square.

    >>> from tinygrad_fr import tensor
    >>> inverse(tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    if x.dtype == np.float16:  # which LAPACK has not
        return np.linalg.inv(x.astype(np.float32)).astype(x.dtype)
    return np.linalg.inv(x)


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of length 3 that lie along `dim`: (u × v)ᵢ = uᵢ₊₁ vᵢ₊₂ − uᵢ₊₂ vᵢ₊₁, indices modulo 3.

    Other axes broadcast. Without `dim` it is the first axis of length 3.

    Raises:
        RuntimeError: when there is no such axis, or the numbers of axes differ.

    >>> from tinygrad_fr import tensor
    >>> cross(tensor([1, 0, 0]), tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions, and have shapes {tuple(input.shape)} and "
            f"{tuple(other.shape)}: insert an axis with `.unsqueeze(dim)`."
        )
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError(f"no dimension of size 3 in input, of shape {tuple(input.shape)}")
        dim = input.shape.index(3)
    if input.size(dim) != 3 or other.size(dim) != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.size(dim)} and {other.size(dim)}: a cross "
            "product is one of vectors in space."
        )
    return sub(mul(roll(input, -1, dim), roll(other, -2, dim)), mul(roll(input, -2, dim), roll(other, -1, dim)))


def _linear_hint(x: tuple[int, ...], w: tuple[int, ...], *_: tuple[int, ...]) -> str:
    text = f"linear computes X Wᵗ + b: mat1 and mat2 shapes cannot be multiplied ({x[-2] if len(x) > 1 else 1}x{x[-1]} and "
    text += f"{w[-1]}x{w[0]}): the layer takes in_features={w[-1]} and the input has {x[-1]}."
    return text + " Flatten the input first, `x.flatten(1)`, if it is a batch of images." if len(x) > 2 else text


def _rows(v: Any) -> Any:
    """Axes in front, seen as one batch of rows."""
    return v if v.ndim == 2 else np.reshape(v, (-1, v.shape[-1]))


def _linear_kernel(x: Array, weight: Array, bias: Array) -> Array:
    if x.ndim != 2:
        return np.matmul(x, weight.T) + bias
    return _plus_bias(x.dot(weight.T), bias)


def _plus_bias(y: Array, bias: Array) -> Array:
    """A product that is nobody else's, with a bias added to each row, in place."""
    if len(y) != 1:
        y += bias
        return y
    row = y[0]  # one sample at a time: without broadcasting, which costs NumPy as much as the product
    row += bias
    return y


@operation(
    "X·Wᵗ+b",
    r"{x} {weight}^{\mathsf{T}} + {bias}",
    broadcasts=("bias",),
    samples=lambda draw: [
        (draw.uniform((2, 3), -1, 1), draw.uniform((4, 3), -1, 1), draw.uniform((4,), -1, 1)),
        (draw.uniform((2, 2, 3), -1, 1), draw.uniform((2, 3), -1, 1), draw.uniform((2,), -1, 1)),
        (draw.uniform((3,), -1, 1), draw.uniform((2, 3), -1, 1), draw.uniform((2,), -1, 1)),
    ],
    hint=_linear_hint,
    dx=lambda g, weight: g @ weight,  # ∂E/∂X = ∂E/∂Y W, with W stored (out, in)   S0
    dweight=lambda g, x: _t(_rows(g)) @ _rows(x),  # ∂E/∂W = (∂E/∂Y)ᵗ X   S0
    dbias=lambda g: g,  # ∂E/∂b = ∂E/∂Y, which the engine sums over the samples   S0, S4
    kernel=_linear_kernel,
    kernel_dx=lambda g, weight: g.dot(weight),
    kernel_dweight=lambda g, x: g.T.dot(x) if g.ndim == 2 else _rows(g).T.dot(_rows(x)),
)
def _linear(x: Array, weight: Array, bias: Array) -> Array:
    """Y = X Wᵗ + b, one affine layer."""
    return x @ _t(weight) + bias


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One affine layer, Y = X Wᵗ + b (S0 writes Y = X W + B, with W the other way round).

    Args:
        input: (..., in) values; axes in front are a batch.
        weight: (out, in), as PyTorch stores it.
        bias: (out,), or None.

    Gradients (S0): ∂E/∂X = ∂E/∂Y W, ∂E/∂W = (∂E/∂Y)ᵗ X, ∂E/∂b = the sum of ∂E/∂Y over the batch.

    Raises:
        RuntimeError: when the number of features differs.

    >>> from tinygrad_fr import tensor
    >>> linear(tensor([[1.0, 2.0]]), tensor([[3.0, 4.0]]), tensor([0.5]))
    tensor([[11.5000]])
    """
    if bias is not None:
        return _linear(input, weight, bias)
    if weight.ndim == 2 and input.ndim and input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            f"linear(x: {tuple(input.shape)}, weight: {tuple(weight.shape)}) cannot run: "
            f"{_linear_hint(input.shape, weight.shape)}"
        )
    return matmul(input, weight.mT)


# -- Einstein sums -----------------------------------------------------------------------------------------------------


def _pull(g: Any, own: str, own_shape: tuple[int, ...], other: Any, words: str, result: str) -> Any:
    """The gradient of one operand: g times the other, summed back onto the operand's letters.

    A letter that only this operand has was summed away: its gradient is spread along that axis, by a product with ones.
    """
    missing = "".join(c for c in own if c not in result and c not in words)
    ones = np.ones([own_shape[own.index(c)] for c in missing], g.dtype)
    return np.einsum(f"{result},{words},{missing}->{own}", g, other, ones)


def _parts(equation: str) -> tuple[str, str, str]:
    words, result = equation.split("->")
    first, second = words.split(",")
    return first, second, result


@operation(
    "Σ",
    r"\operatorname{einsum}({x}, {other})",
    samples=lambda draw: [
        ((draw.uniform((2, 3), -1, 1), draw.uniform((3, 4), -1, 1)), {"equation": "ij,jk->ik"}),
        ((draw.uniform((2, 3), -1, 1), draw.uniform((2, 3), -1, 1)), {"equation": "ij,ij->"}),
        ((draw.uniform((2, 3), -1, 1), draw.uniform((4,), -1, 1)), {"equation": "ij,k->j"}),
    ],
    dx=lambda g, x_shape, other, *, equation: _pull(g, _parts(equation)[0], x_shape, other, *_parts(equation)[1:]),
    dother=lambda g, x, other_shape, *, equation: _pull(
        g, _parts(equation)[1], other_shape, x, _parts(equation)[0], _parts(equation)[2]
    ),
)
def _einsum(x: Array, other: Array, *, equation: str) -> Array:
    """The Einstein sum of two operands, whose letters are all written out and not repeated within one."""
    return np.einsum(equation, x, other)


@implements(np.einsum)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum products over repeated letters: "ij,jk->ik" is a matrix product, "ii->" a trace, "i,j->ij" an outer product.

    The operands are contracted from left to right, two at a time.

    Raises:
        RuntimeError: when the letters do not fit the operands.

    >>> from tinygrad_fr import tensor
    >>> einsum("ij,j->i", tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    tensors = [_tensor(value) for value in operands]
    words, result = _explicit(equation, [t.ndim for t in tensors]).split("->")
    queue = [pair for word, t in zip(words.split(","), tensors, strict=True) for pair in _distinct(word, t, equation)]
    if len(queue) == 1:
        queue.append(("", wrap(np.ones((), tensors[0].dtype))))
    while len(queue) > 1:
        (a, x), (b, y) = queue[0], queue[1]
        later = result + "".join(word for word, _ in queue[2:])
        kept = result if len(queue) == 2 else "".join(c for c in dict.fromkeys(a + b) if c in later)
        queue[:2] = [(kept, _einsum(x, y, equation=f"{a},{b}->{kept}"))]
    return queue[0][1]


def _distinct(word: str, x: Tensor, equation: str) -> list[tuple[str, Tensor]]:
    """An operand whose letters are all different: "ii" becomes "ij" times the identity "ij"."""
    pairs = []
    for i, letter in enumerate(word):
        if letter in word[:i]:
            fresh = next(c for c in string.ascii_letters if c not in equation and c not in word)
            pairs.append((letter + fresh, wrap(np.eye(x.shape[i], dtype=x.dtype))))
            word = word[:i] + fresh + word[i + 1 :]
    return [(word, x), *pairs]


def _explicit(equation: str, ndims: list[int]) -> str:
    """The equation with its result written out and "..." replaced by letters that nobody uses."""
    equation = equation.replace(" ", "")
    terms, _, result = equation.partition("->")
    words = terms.split(",")
    if len(words) != len(ndims):
        raise RuntimeError(f"einsum: the equation {equation!r} names {len(words)} operands, and {len(ndims)} were given")
    if "..." in equation:
        free = [c for c in string.ascii_letters if c not in equation]
        extra = max(n - len(w.replace("...", "")) for w, n in zip(words, ndims, strict=True) if "..." in w)
        dots = "".join(free[:extra])
        hidden = [n - len(w) + 3 for w, n in zip(words, ndims, strict=True)]  # how many axes each "..." stands for
        words = [w.replace("...", dots[extra - h :] if h else "") for w, h in zip(words, hidden, strict=True)]
        result = result.replace("...", dots)
        if "->" not in equation:
            result = dots
    for word, ndim in zip(words, ndims, strict=True):
        if len(word) != ndim:
            raise RuntimeError(f"einsum: {word!r} names {len(word)} axes of an operand that has {ndim}")
    if "->" not in equation:
        joined = "".join(words)
        result += "".join(sorted(c for c in set(joined) if joined.count(c) == 1 and c not in result))
    return ",".join(words) + "->" + result
