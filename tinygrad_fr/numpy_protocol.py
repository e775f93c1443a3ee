"""NumPy's functions accept Tensors: `np.exp(t)` is `exp(t)`, and is recorded.

This is also how derivatives of any order come about: a gradient formula is written with NumPy's functions, and run on Tensors
it records itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_fr.operation import NUMPY
from tinygrad_fr.operations import reductions
from tinygrad_fr.tensor import Tensor, wrap

NUMPY[np.shape] = lambda a: tuple(a.shape)
NUMPY[np.ndim] = lambda a: a.ndim
NUMPY[np.size] = lambda a, axis=None: a._array.size if axis is None else a.shape[axis]
_WITHOUT_GRADIENT = frozenset((np.allclose, np.isclose, np.array_equal, np.array2string, np.array_repr, np.array_str))
"""Functions whose answer is not a number that moves: a history in front of them is nothing to lose."""

_REDUCERS: dict[Any, Callable[..., Tensor]] = {
    np.add: reductions.sum, np.multiply: reductions.prod, np.maximum: reductions.amax, np.minimum: reductions.amin,
}  # fmt: skip


def array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for `np.exp(t)`, `array + t` and `np.add.reduce(t)`."""
    if method == "reduce" and ufunc in _REDUCERS and kwargs.get("out") is None:
        return _REDUCERS[ufunc](inputs[0], dim=kwargs.get("axis", 0), keepdim=kwargs.get("keepdims", False))
    function = NUMPY.get(ufunc)
    if method == "__call__" and function is not None and not kwargs:
        return function(*inputs)
    if method == "__call__" and function is not None and set(kwargs) == {"out"} and isinstance(kwargs["out"][0], Tensor):
        from tinygrad_fr.operations.inplace import overwrite

        return overwrite(kwargs["out"][0], function(*inputs), f"np.{ufunc.__name__}(out=...)")
    return _without_history(getattr(ufunc, method), f"np.{ufunc.__name__}", inputs, kwargs)


def array_function(self: Tensor, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy calls for `np.sum(t)`, `np.where(mask, t, 0)` and the like."""
    function = NUMPY.get(func)
    if function is not None:
        return function(*args, **kwargs)
    return _without_history(func, f"np.{func.__name__}", args, kwargs, safe=func in _WITHOUT_GRADIENT)


def _without_history(function: Any, name: str, args: Any, kwargs: Any, safe: bool = False) -> Any:
    """Run a NumPy function that has no operation here on the arrays themselves: allowed where no gradient would be lost."""

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value._node is not None and not safe:
                raise TypeError(
                    f"{name} has no derivative in tinygrad_fr, and this tensor requires grad: use a tensor operation, or "
                    "`.detach()` first if the gradient is not wanted."
                )
            return value._array
        if isinstance(value, (list, tuple)):
            return type(value)(plain(v) for v in value)
        return value

    result = function(*plain(args), **{key: plain(value) for key, value in kwargs.items()})
    return wrap(result) if isinstance(result, (np.ndarray, np.generic)) and result.dtype.kind in "fiub" else result
