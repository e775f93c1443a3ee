"""Containers: modules in a row, in a list, or by name; and parameters in a list or by name."""

from __future__ import annotations

import itertools
import operator
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, NoReturn, TypeVar

from tinygrad_fr.nn.module import Module, changes
from tinygrad_fr.nn.parameter import Parameter
from tinygrad_fr.tensor import Tensor

_N = TypeVar("_N", bound="_Numbered")
_D = TypeVar("_D", bound="ParameterDict")


def _position(index: Any, count: int) -> int:
    """An index as a number from 0, after the check that there is such an element."""
    number: int = operator.index(index)
    if not -count <= number < count:
        raise IndexError(f"index {number} is out of range: there are {count}")
    return number % count


class _Numbered(Module):
    """What Sequential and ModuleList share: children called "0", "1", …, and the methods of a list."""

    _modules: dict[str, Module]  # type: ignore[assignment]  # no child is None here

    def _renumber(self, modules: Iterable[Module]) -> None:
        changes.count += 1
        self.__dict__["_modules"] = {str(number): module for number, module in enumerate(modules)}

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(list(self._modules)[_position(index, len(self))], module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index if isinstance(index, slice) else _position(index, len(self))]
        self._renumber(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def append(self: _N, module: Module) -> _N:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: _N, modules: Iterable[Module]) -> _N:
        """Add modules at the end; returns the container."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"{self._get_name()}.extend should be called with an iterable, but got {type(modules).__name__}: "
                "give a list of modules, or use `append` for one."
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self: _N, index: int, module: Module) -> _N:
        """Put a module before the one at an index; returns the container."""
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        modules = list(self)
        self.append(module)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def pop(self, index: int | slice) -> Any:
        """Take a module out and return it."""
        module = self[index]  # type: ignore[index]  # each of the two classes has its own __getitem__
        del self[index]
        return module


class Sequential(_Numbered):
    """Modules in a row: each receives what the one before it returned.

    It is a list of modules as well: `net[0]`, `net[:2]` (a Sequential of the same modules), `net.append(...)`, `net + other`.

    Args:
        args: the modules, or one OrderedDict of names and modules.

    Raises:
        TypeError: for what is no module, such as a class, `nn.ReLU` for `nn.ReLU()`.

    >>> import tinygrad_fr as torch
    >>> nn = torch.nn
    >>> nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Tanh()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for number, module in enumerate(args):
                self.add_module(str(number), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return list(self)[_position(index, len(self))]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return self.extend(other)

    def __mul__(self, times: int) -> Sequential:
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)  # the same modules again: they share their parameters

    __rmul__ = __mul__


def _not_called(self: Module, *args: Any, **kwargs: Any) -> NoReturn:
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function: it holds modules and does not say how '
        "they follow each other. Call them in the forward of your own module, or use nn.Sequential for modules in a row."
    )


class ModuleList(_Numbered):
    """A list of modules, whose parameters the module that owns the list knows; a Python list would hide them.

    It is not called: the owner loops over it.

    >>> import tinygrad_fr as torch
    >>> nn = torch.nn
    >>> nn.ModuleList([nn.Linear(3, 3) for _ in range(4)])
    ModuleList(
      (0-3): 4 x Linear(in_features=3, out_features=3, bias=True)
    )
    """

    forward = _not_called

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return list(self)[_position(index, len(self))]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __repr__(self) -> str:
        """Neighbours that print the same are printed once."""
        texts = [repr(module) for module in self]
        starts = [i for i, text in enumerate(texts) if i == 0 or text != texts[i - 1]]
        lines = []
        for start, stop in itertools.pairwise([*starts, len(texts)]):
            alone = stop == start + 1
            head = f"({start}): " if alone else f"({start}-{stop - 1}): {stop - start} x "
            lines.append("  " + (head + texts[start]).replace("\n", "\n  ") + "\n")
        return f"{self._get_name()}(" + "\n" * bool(lines) + "".join(lines) + ")"


class ModuleDict(Module):
    """Modules by name, in the order of insertion, whose parameters the module that owns the dictionary knows.

    Args:
        modules: a dictionary, or pairs of a name and a module.

    >>> import tinygrad_fr as torch
    >>> nn = torch.nn
    >>> nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})["tanh"]
    Tanh()
    """

    _modules: dict[str, Module]  # type: ignore[assignment]  # no child is None here
    forward = _not_called

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove every module."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        """The names and modules."""
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Add modules from a dictionary, or from pairs; those of the same names are replaced."""
        for key, module in _pairs("ModuleDict", modules):
            self[key] = module


def _pairs(name: str, items: Any) -> Iterable[tuple[str, Any]]:
    """The pairs of a name and a value that a dictionary, or an iterable of pairs, holds."""
    if hasattr(items, "items"):
        return list(items.items())
    if not isinstance(items, Iterable):
        raise TypeError(
            f"{name}.update should be called with an iterable of key/value pairs, but got {type(items).__name__}"
        )
    pairs = list(items)
    for number, pair in enumerate(pairs):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{name} update sequence element #{number} should be Iterable; is {type(pair).__name__}")
        if len(list(pair)) != 2:
            raise ValueError(f"{name} update sequence element #{number} has length {len(list(pair))}; 2 is required")
    return pairs


# -- parameters ------------------------------------------------------------------------------------------------------------


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _line(key: Any, value: Any, kind: str) -> str:
    """How the printed container shows one value."""
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    holder = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"  ({key}): {holder} containing: [{kind} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Module):
    """A list of parameters, known to the module that owns the list; tensors become parameters, other values stay as they are.

    >>> import tinygrad_fr as torch
    >>> weights = torch.nn.ParameterList([torch.ones(2, 3), torch.ones(3)])
    >>> len(list(weights.parameters()))
    2
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)([self[i] for i in range(len(self))[index]])
        return getattr(self, str(_position(index, len(self))))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, str(_position(index, len(self))), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def append(self, value: Any) -> ParameterList:
        """Add a value at the end; returns the list."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add values at the end; returns the list."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}: `append` takes one."
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join(_line(i, p, f"torch.{p.dtype}" if isinstance(p, Tensor) else "") for i, p in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """Parameters by name, known to the module that owns the dictionary; tensors become parameters, other values stay.

    A plain dictionary is taken in the order of its sorted names, an OrderedDict in its own, as in PyTorch.

    >>> import tinygrad_fr as torch
    >>> weights = torch.nn.ParameterDict({"left": torch.ones(2), "right": torch.ones(3)})
    >>> weights["right"].shape, "left" in weights
    (torch.Size([3]), True)
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}')."
            )
        setattr(self, key, _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a name, which is set first where it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a name, or the default where it is missing."""
        return getattr(self, key) if key in self._keys else default

    def pop(self, key: str) -> Any:
        """Take a value out and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last pair out and return it."""
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove everything."""
        for key in list(self._keys):
            del self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Another dictionary with these names, each of one value."""
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """The names and values."""
        return ((key, self[key]) for key in self._keys)

    def values(self) -> Iterable[Any]:
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters: Any) -> None:
        """Add values from a dictionary, or from pairs; those of the same names are replaced."""
        pairs = _pairs("ParameterDict", parameters)
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs = sorted(pairs)
        for key, value in pairs:
            self[key] = value

    def __or__(self, other: Any) -> ParameterDict:
        merged = self.copy()
        merged.update(other)
        return merged

    def __ior__(self: _D, other: Any) -> _D:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(_line(key, p, p.type() if isinstance(p, Tensor) else "") for key, p in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError("ParameterDict should not be called.")
