"""What a step can reach: the tensors that it may read or write, and the Python values on which the program depends.

Both are found by going through the variables that the step's text names, and through the objects, modules and containers that
lie behind them. The tensors are put under observation; the Python values are compared before each call of the program, and
must not have changed during the recording, since a program would not change them again.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tinygrad_fr.compiler.recorder import OWN
from tinygrad_fr.nn.module import Module
from tinygrad_fr.node import Node
from tinygrad_fr.optim.optimizer import Optimizer
from tinygrad_fr.random import Generator
from tinygrad_fr.tensor import Tensor

MOST = 50_000
"""How many objects are looked at before the search stops."""

LONGEST = 1000
"""A longer container is data: it is known by its identity and its length."""

_PLAIN = (int, float, complex, str, bytes, bool, type(None), type(Ellipsis), np.dtype, np.generic, slice, range)
_PYTHON = os.path.dirname(os.__file__) + os.sep
_MISSING = object()


class Watched:
    """One Python value on which the step depends, and where it is kept.

    Attributes:
        how: "cell" of a closure, "item" of a dictionary, "keys" of one, "list" (its elements), "attr" of an object with slots.
        owner, key: the place.
        value: what was there when the step was recorded.
        path: its name for a reader.
        counted: whether it is an attribute of a module, so that `nn.module.changes` counts when it is set.
        holder: the object whose attribute it is, where `holder.key` reads nothing but the owner's item.
    """

    __slots__ = ("counted", "holder", "how", "key", "owner", "path", "value")

    def __init__(
        self, how: str, owner: Any, key: Any, path: str, counted: bool = False, holder: Any = None
    ) -> None:
        self.how, self.owner, self.key, self.path, self.counted = how, owner, key, path, counted
        self.holder = holder if _plainly(holder, key) else None
        self.value = self.now()

    def now(self) -> Any:
        """What is there at present."""
        if self.how == "cell":
            try:
                return self.owner.cell_contents
            except ValueError:
                return _MISSING
        if self.how == "item":
            return self.owner.get(self.key, _MISSING)
        if self.how == "attr":
            return getattr(self.owner, self.key, _MISSING)
        if self.how == "keys":
            return tuple(self.owner)
        return list(self.owner)

    def same(self) -> bool:
        """Whether it is what it was: the same object, or an equal number or text."""
        now, before = self.now(), self.value
        if self.how == "list":
            return len(now) == len(before) and all(map(_same, now, before))
        return _same(now, before)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, frozenset)) and len(a) == len(b) and isinstance(a, tuple):
        return all(map(_same, a, b))
    return isinstance(a, _PLAIN) and (a == b or a != a and b != b)


class Reach:
    """The tensors and the Python values that a step can reach.

    Attributes:
        tensors: (name for a reader, tensor), each tensor once, in the order of discovery.
        watched: the Python values.
        arrays: (name, NumPy array) that are no tensor's.
        optimizers: (name, optimiser).
        generators: NumPy's generators of random numbers.
        sizes: (name, dictionary, its number of entries), to notice that one grew.
    """

    def __init__(self, step: Callable[..., Any], others: list[tuple[str, Any]]) -> None:
        self.tensors: list[tuple[str, Tensor]] = []
        self.watched: list[Watched] = []
        self.arrays: list[tuple[str, Any]] = []
        self.optimizers: list[tuple[str, Optimizer]] = []
        self.generators: list[Any] = []
        self.sizes: list[tuple[str, dict[Any, Any], int]] = []
        self.kept: list[tuple[Any, dict[Any, set[Any]]]] = []  # an optimiser's state, and the keys that were there
        self._seen: set[int] = set()
        self._places: set[tuple[int, Any]] = set()
        self._kept: list[Any] = []  # so that no id is used twice
        self._queue: deque[tuple[str, Any]] = deque(others)
        self._queue.append(("", step))
        later: list[tuple[str, Any]] = []  # a parameter is known by its path in the model, not in the optimiser
        while (self._queue or later) and len(self._seen) < MOST:
            path, thing = self._queue.popleft() if self._queue else later.pop(0)
            if isinstance(thing, Optimizer) and id(thing) not in self._seen and self._queue:
                later.append((path, thing))
            else:
                self._visit(path, thing)

    def changed(self) -> str | None:
        """The name of a Python value that is not what it was when the search was made."""
        return next((w.path for w in self.watched if not w.same()), None) or next(
            (path for path, found, size in self.sizes if len(found) != size), None
        )

    # -- the search ------------------------------------------------------------------------------------------------

    def _watch(self, how: str, owner: Any, key: Any, path: str, counted: bool = False, holder: Any = None) -> None:
        place = (id(owner), key if isinstance(key, (str, int)) else id(key))
        if place in self._places:
            return
        self._places.add(place)
        watched = Watched(how, owner, key, path, counted, holder)
        self.watched.append(watched)
        if watched.value is not _MISSING:
            self._queue.append((path, watched.value))

    def _visit(self, path: str, thing: Any) -> None:
        if isinstance(thing, (*_PLAIN, ModuleType)) or id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        self._kept.append(thing)
        if isinstance(thing, Tensor):
            self.tensors.append((path, thing))
            node = thing._node
            if node is not None and node.operation is None and node.hooks:
                self._queue.append((path, node.hooks))
        elif isinstance(thing, (np.ndarray)):
            self.arrays.append((path, thing))
        elif isinstance(thing, (np.random.Generator, np.random.RandomState)):
            self.generators.append(thing)
        elif isinstance(thing, (Node, Generator)):
            return
        elif isinstance(thing, MethodType):
            self._queue.append((path or "self", thing.__self__))
            self._queue.append((path, thing.__func__))
        elif isinstance(thing, functools.partial):
            self._queue.extend(((path, thing.func), (path, thing.args), (path, thing.keywords)))
        elif isinstance(thing, FunctionType):
            self._function(path, thing)
        elif isinstance(thing, dict):
            self._entries(path, thing)
        elif isinstance(thing, (tuple, frozenset)):
            self._queue.extend((f"{path}[{i}]", item) for i, item in enumerate(thing) if len(thing) <= LONGEST)
        elif isinstance(thing, (list, deque, set)):
            if len(thing) <= LONGEST:
                self.watched.append(Watched("list", thing, None, path))
                self._queue.extend((f"{path}[{i}]", item) for i, item in enumerate(thing))
        elif isinstance(thing, type):
            self._class(path, thing)
        elif hasattr(thing, "__wrapped__") and isinstance(thing.__wrapped__, FunctionType):
            self._queue.append((path, thing.__wrapped__))
        else:
            self._object(path, thing)

    def _function(self, path: str, function: FunctionType) -> None:
        """The variables that a function's text names: of the functions round it, and of its module."""
        code = function.__code__
        if _foreign_file(code.co_filename):
            self._queue.extend((path, cell.cell_contents) for cell in function.__closure__ or () if _filled(cell))
            return
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._watch("cell", cell, None, name)
        space = function.__globals__
        for name, attribute in _names(code):
            found = space.get(name, _MISSING)
            if found is _MISSING and not name:
                continue
            if isinstance(found, ModuleType):
                if attribute and not _foreign_module(found.__name__):  # a setting in a module of the user's
                    self._watch("item", found.__dict__, attribute, f"{name}.{attribute}")
            elif name in space:
                self._watch("item", space, name, name)
        for default in (function.__defaults__, function.__kwdefaults__):
            if default:
                self._queue.append((path, default))

    def _entries(self, path: str, found: dict[Any, Any]) -> None:
        if len(found) > LONGEST:
            return
        self.sizes.append((path, found, len(found)))
        for key in tuple(found):
            self._watch("item", found, key, f"{path}[{key!r}]" if isinstance(key, (str, int)) else path)

    def _class(self, path: str, cls: type) -> None:
        for base in cls.__mro__:
            if _foreign_module(base.__module__):
                continue
            for key, value in tuple(vars(base).items()):
                if isinstance(value, FunctionType):
                    self._queue.append((f"{base.__name__}.{key}", value))
                elif isinstance(value, (property, staticmethod, classmethod)):
                    self._queue.append((path, value.fget if isinstance(value, property) else value.__func__))
                elif isinstance(value, (Tensor, list, dict, Module, *_PLAIN)) and not key.startswith("__"):
                    self._watch("item", vars(base), key, f"{base.__name__}.{key}")

    def _object(self, path: str, thing: Any) -> None:
        cls = type(thing)
        own = cls.__module__.partition(".")[0] == "tinygrad_fr"
        if cls.__module__.startswith("tinygrad_fr.compiler"):
            self._queue.append((path, thing.step))
            return
        if _foreign_module(cls.__module__) and not own:
            return
        if isinstance(thing, Optimizer):
            self.optimizers.append((path, thing))
        self._queue.append((path, cls))
        attributes = getattr(thing, "__dict__", {})
        if not own:  # an attribute that is added may hide one of the class
            self.sizes.append((path, attributes, len(attributes)))
        if isinstance(thing, Module):
            self.watched.append(Watched("keys", attributes, None, path, True))
        for key in tuple(attributes):
            if isinstance(thing, Optimizer) and key in ("defaults", "step", "_opt_called"):
                continue  # defaults serve new groups; the other two tell a scheduler that the step was called
            if isinstance(thing, Optimizer) and key == "state":
                self._state(path, attributes, thing)
                continue
            if isinstance(thing, Module) and key == "_transient":
                continue  # for state_dict alone
            if isinstance(thing, Module) and key in ("_parameters", "_buffers", "_modules"):
                entries = attributes[key]
                for name in entries:
                    self._watch("item", entries, name, f"{path}.{name}" if path else name)
                self.watched.append(Watched("item", attributes, key, f"{path}.{key}", True))
                self.watched.append(Watched("keys", entries, None, f"{path}.{key}", True))
            else:
                self._watch("item", attributes, key, f"{path}.{key}" if path else key, isinstance(thing, Module), thing)
        for key in (k for base in cls.__mro__ if not _foreign_module(base.__module__) for k in _slots(base)):
            self._watch("attr", thing, key, f"{path}.{key}")

    def _state(self, path: str, attributes: dict[str, Any], optimizer: Optimizer) -> None:
        """What an optimiser keeps for each parameter; it may grow, at the first step."""
        state = optimizer.state
        self._places.add((id(attributes), "state"))
        self.watched.append(Watched("item", attributes, "state", f"{path}.state", holder=optimizer))
        self._kept.append(state)
        self.kept.append((state, {p: set(entries) for p, entries in state.items()}))
        for number, (p, entries) in enumerate(state.items()):
            self.watched.append(Watched("item", state, p, f"{path}.state[{number}]"))
            for key in entries:
                self._watch("item", entries, key, f"{path}.state[{number}][{key!r}]")

    def grew(self) -> bool:
        """Whether an optimiser has made new state, as it does at its first step."""
        return any(set(entries) - keys.get(p, set()) for state, keys in self.kept for p, entries in state.items())


def _plainly(thing: Any, key: Any) -> bool:
    """Whether `thing.key` is the entry of its dictionary and nothing of its class's making."""
    cls = type(thing)
    named = isinstance(key, str) and key.isidentifier() and not hasattr(cls, key)
    return named and not any("__getattribute__" in vars(base) for base in cls.__mro__[:-1])


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return tuple(k for k in ((slots,) if isinstance(slots, str) else slots) if not k.startswith("__"))


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _foreign_file(file: str) -> bool:
    """Whether a file belongs to Python, NumPy or this package: nothing of the user's lies behind its text."""
    if file.startswith(OWN):
        return True
    return file.startswith(_PYTHON) and "site-packages" not in file and "dist-packages" not in file


def _foreign_module(name: str) -> bool:
    """Whether a module is Python's, NumPy's or this package's."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return name in sys.builtin_module_names if file is None else _foreign_file(file)


@functools.lru_cache(maxsize=512)
def _names(code: CodeType) -> tuple[tuple[str, str | None], ...]:
    """The global names that a text reads or writes, each with the attribute that is read of it, if one is."""
    found: dict[tuple[str, str | None], None] = {}
    stack = [code]
    while stack:
        here = stack.pop()
        stack += [constant for constant in here.co_consts if isinstance(constant, CodeType)]
        before: str | None = None
        for instruction in dis.get_instructions(here):
            if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and before is not None:
                found[before, instruction.argval] = None
            before = None
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL"):
                before = instruction.argval
                found[before, None] = None
    return tuple(found)


def leaves(tensors: list[Tensor]) -> Iterator[Node]:
    """The nodes at which gradients are accumulated."""
    for t in tensors:
        if t._node is not None and t._node.operation is None:
            yield t._node
