"""A parameter is a tensor that a module owns and that training changes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tinygrad_fr.node import new_node
from tinygrad_fr.tensor import Tensor, own_array, shared_memory, wrap
from tinygrad_fr.values import as_array, check_device, get_default_dtype


class Parameter(Tensor):
    """A tensor that a `Module` registers when it becomes one of its attributes: `parameters()` finds it, optimisers train it.

    It shares the memory of the tensor it is made of, and not its history.

    Args:
        data: a tensor (or numbers); an empty one by default.
        requires_grad: False for a parameter that is saved with the others and not trained.

    Raises:
        RuntimeError: for values that are not floating point, unless `requires_grad=False`.

    >>> import tinygrad_fr as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        if isinstance(data, Tensor):
            self._array, self._memory = own_array(data), shared_memory(data)
        else:
            self._array, self._memory = as_array([] if data is None else data, copy=True), None
        self._node = self._cut = None
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        memo[id(self)] = twin = type(self)(self._array, self.requires_grad)  # a copy of the values, and no gradient yet
        return twin


_held: Any = Tensor.__dict__["_array"]
"""The slot behind `Tensor._array`, which an uninitialised parameter hides."""


class UninitializedParameter(Parameter):
    """A parameter of a lazy layer: it has a dtype, and gets a shape and values when the first input has been seen.

    It becomes a `Parameter` in place, so that an optimiser that was given it keeps the right one. Until then whatever
    asks for its values is refused.

    Raises:
        ValueError: when it is used in a computation.
        RuntimeError: when its shape is asked for.

    >>> import tinygrad_fr as torch
    >>> torch.nn.LazyLinear(3).weight
    <UninitializedParameter>
    """

    __slots__ = ()

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        check_device(device)
        self._array = np.empty(0, dtype or get_default_dtype())
        self._node = new_node() if requires_grad else None
        self._memory = self._cut = None

    @property
    def _array(self) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter: its shape is not known before the layer has seen an input. Call "
            "the network once, `net(x)`, with a batch of the right width; then count, initialise or read its parameters."
        )

    @_array.setter
    def _array(self, array: Any) -> None:
        _held.__set__(self, array)

    @property
    def data(self) -> Tensor:
        """An empty tensor of the parameter's dtype, so that `Module.to` can convert it."""
        return wrap(_held.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        self._array = as_array(value)

    @property
    def shape(self) -> Any:
        """Refused, as PyTorch does."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` to "
            "initialize the parameters before accessing their attributes."
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that the values will have."""
        return _held.__get__(self).dtype  # type: ignore[no-any-return]

    def detach(self) -> Tensor:
        """The parameter itself: there are no values yet to share."""
        return self

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Take a shape, with whatever values were in memory, and be a Parameter from now on."""
        check_device(device)
        self._array = np.empty(shape, dtype or self.dtype)
        self.__class__ = Parameter  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<UninitializedParameter>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        memo[id(self)] = twin = UninitializedParameter(self.requires_grad, dtype=self.dtype)
        return twin

    def __reduce__(self) -> Any:
        return UninitializedParameter, (self.requires_grad, None, self.dtype)


class Buffer(Tensor):
    """A tensor that a `Module` saves with its parameters and that training leaves alone, such as a running mean.

    Args:
        data: a tensor (or numbers); an empty one by default.
        persistent: whether `state_dict()` includes it.

    >>> import tinygrad_fr as torch
    >>> layer = torch.nn.Module()
    >>> layer.mean = torch.nn.Buffer(torch.zeros(2))
    >>> list(layer.state_dict())
    ['mean']
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        if isinstance(data, Tensor):
            self._array, self._memory = own_array(data), shared_memory(data)
        else:
            self._array, self._memory = as_array([] if data is None else data, copy=True), None
        self._node = self._cut = None
        self.persistent = persistent

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        memo[id(self)] = twin = Buffer(self._array, persistent=self.persistent)
        return twin

    def __reduce__(self) -> Any:
        return functools.partial(Buffer, persistent=self.persistent), (self._array,)
