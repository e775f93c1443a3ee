"""What all optimisers share: the groups of parameters, the state kept for each, and the ways to save, load and watch them.

A subclass has a `step()`. It reads each parameter's array and gradient, and writes the array; the formula itself is a function
of arrays beside the class. The formulas use `a += b`, `a *= b` on arrays: NumPy writes them in place, and an array that
cannot be written (Dask's) makes a new one, which the class then puts in the tensor.
"""

from __future__ import annotations

import copy
import functools
import math
import numbers
import warnings
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import numpy as np

from tinygrad_fr.graph import RemovableHandle
from tinygrad_fr.modes import enable_grad
from tinygrad_fr.node import Array
from tinygrad_fr.tensor import Tensor, own_array, wrap
from tinygrad_fr.values import BLOCK, LARGE

Params = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class Optimizer:
    """The base of all optimisers, and of your own: write `__init__` and `step`, and the rest is here.

    Args:
        params: the tensors to optimise, or (name, tensor) pairs as `named_parameters()` gives them, or dicts, one for each
            group, with the tensors under "params" and options that differ from the defaults.
        defaults: the options of a group that does not give its own.

    Raises:
        TypeError: when `params` is no list of tensors, or has something else among them.
        ValueError: when there is no tensor, one that was computed (not a leaf), or one in two groups.

    >>> from tinygrad_fr import no_grad, tensor
    >>> class SignDescent(Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     @no_grad()
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p -= group["lr"] * p.grad.sign()
    >>> w = tensor([3.0, -4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> SignDescent([w], lr=0.5).step()
    >>> w
    tensor([ 2.5000, -3.5000], requires_grad=True)
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._pre_hooks: list[Any] = []
        self._post_hooks: list[Any] = []
        self._opt_called = False  # a scheduler asks whether step() was called before it
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{type(params).__name__}: write `[w, b]` or `model.parameters()`."
            )
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list: an iterator that was read before has nothing left.")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)  # type: ignore[arg-type]  # what is no dict is refused there

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters from their gradients; those whose gradient is None stay as they are.

        Args:
            closure: a function that computes the loss anew, calls `backward()` and returns the loss, which `step` returns.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step(): write one that updates the parameters.")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros if `set_to_none` is false.

        A parameter whose gradient is None is skipped by `step()`; one whose gradient is zero still feels its momentum.
        """
        for group in self.param_groups:
            for p in group["params"]:
                node = p._node
                if node is None:
                    continue
                if set_to_none:
                    node.grad = None
                elif node.grad is not None:
                    if node.grad._node is not None:
                        node.grad = node.grad.detach()
                    node.grad.zero_()

    # -- groups ----------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with its own options; an option left out is the default.

        >>> from tinygrad_fr import optim, zeros
        >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=0.1)
        >>> optimizer.add_param_group({"params": zeros(3, requires_grad=True), "lr": 0.01})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.01]

        Raises:
            TypeError, ValueError: as the constructor; the optimizer is then as before.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group).__name__}: write {{'params': [w, b]}}.")
        if "params" not in param_group:
            raise KeyError("params: a group holds its tensors under this key, {'params': [w, b], 'lr': 0.1}")
        group = dict(param_group)
        tensors = group["params"]
        if isinstance(tensors, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                "change between runs. Please use a list instead."
            )
        group["params"] = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        names = [p[0] for p in group["params"] if isinstance(p, tuple) and len(p) == 2]
        if names:
            if len(names) < len(group["params"]):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            group["params"], group["param_names"] = [p[1] for p in group["params"]], names
        for p in group["params"]:
            if not isinstance(p, Tensor):
                kind = f"{type(p).__module__}.{type(p).__qualname__}".removeprefix("builtins.")
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {kind}")
            if not p.is_leaf:
                raise ValueError(
                    f"can't optimize a non-leaf Tensor: the one of shape {tuple(p.shape)} was computed by {p.grad_fn!r}. "
                    "Make it a parameter of its own with `.detach().requires_grad_()`."
                )
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self._check(group)
        mine = set(group["params"])
        if len(mine) < len(group["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters: each is updated as often as it stands there.",
                UserWarning,
                stacklevel=3,
            )
        for other in self.param_groups:
            if ("param_names" in group) != ("param_names" in other):
                how = "with names" if "param_names" in group else "without names"
                raise ValueError(
                    f"all optimizer param groups should be with/without names. cannot add param group {how} to the optimizer"
                )
            if not mine.isdisjoint(other["params"]):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Refuse a group whose options mean nothing, before it is taken; nothing is known of them here."""

    def _check_state(self, p: Tensor, state: dict[str, Any]) -> None:
        """Refuse a state that does not fit its parameter, before it is taken."""

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines += ["", f"Parameter Group {number}"] if number else ["Parameter Group 0"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

    # -- saving and loading ----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state and the options, as PyTorch writes them; parameters are replaced by their numbers, 0, 1, 2, …

        The tensors in it are the optimizer's own: copy them (`copy.deepcopy`) to keep them while training goes on.

        >>> from tinygrad_fr import optim, zeros
        >>> saved = optim.SGD([zeros(2, requires_grad=True)], lr=0.1).state_dict()
        >>> saved["state"], saved["param_groups"][0]["lr"], saved["param_groups"][0]["params"]
        ({}, 0.1, [0])
        """
        number: dict[int, int] = {}
        for count, p in enumerate(chain.from_iterable(group["params"] for group in self.param_groups)):
            number.setdefault(id(p), count)
        groups = [
            {name: value for name, value in group.items() if name != "params"}
            | {"params": [number[id(p)] for p in group["params"]]}
            for group in self.param_groups
        ]
        state = {number[id(key)] if isinstance(key, Tensor) else key: value for key, value in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the options and a copy of the state that `state_dict()` gave, here or in PyTorch.

        Tensors may be PyTorch's or NumPy arrays as well. They take the dtype of their parameter; `step` keeps its own.

        Raises:
            KeyError: when the dict has no "state" or no "param_groups".
            ValueError: when its groups do not fit those of the optimizer, which is then as before.
        """
        missing = {"state", "param_groups"} - state_dict.keys()
        if missing:
            raise KeyError(f"{', '.join(sorted(missing))}: what is loaded must be the state_dict() of an optimizer")
        saved = copy.deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: {len(saved)}, and the optimizer has "
                f"{len(self.param_groups)}"
            )
        for i, (new, group) in enumerate(zip(saved, self.param_groups, strict=True)):
            if len(new["params"]) != len(group["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: group "
                    f"{i} has {len(new['params'])} parameters there and {len(group['params'])} here"
                )
        numbered = {n: p for new, group in zip(saved, self.param_groups, strict=True)
                    for n, p in zip(new["params"], group["params"], strict=True)}  # fmt: skip
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            p = numbered.get(key)
            if p is None:
                state[key] = copy.deepcopy(values)
            else:
                state[p] = _loaded(p, values)
                self._check_state(p, state[p])
        groups = []
        for new, group in zip(saved, self.param_groups, strict=True):
            groups.append(self.defaults | ({"param_names": group["param_names"]} if "param_names" in group else {}) | new)
            groups[-1]["params"] = group["params"]
            self._check(groups[-1])
        self.state, self.param_groups = state, groups

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _pre_hooks=[], _post_hooks=[], _opt_called=False)

    # -- hooks -----------------------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step, args[0] being the optimizer; it may return others.

        >>> from tinygrad_fr import optim, zeros
        >>> optimizer = optim.SGD([zeros(2, requires_grad=True)], lr=0.1)
        >>> handle = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print("a step"))
        >>> optimizer.step()
        a step
        >>> handle.remove()
        """
        watch(self)
        return RemovableHandle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        watch(self)
        return RemovableHandle(self._post_hooks, hook)


def with_grad(closure: Callable[[], Any]) -> Any:
    """The loss that a closure computes, recorded even under `no_grad`."""
    with enable_grad():
        return closure()


def as_number(option: Any) -> Any:
    """An option as a Python number: unlike a NumPy scalar, it leaves float32 what it is. A recorder gives a recorded number."""
    return option.to_number() if hasattr(option, "to_number") else float(option)


def watch(optimizer: Optimizer) -> None:
    """Let `optimizer.step` run the hooks and note that it was called: only programs that ask for either pay for it."""
    if hasattr(optimizer.step, "watched"):
        return
    own = type(optimizer).step
    reference = weakref.ref(optimizer)  # or the optimizer would hold itself

    @functools.wraps(own)
    def step(*args: Any, **kwargs: Any) -> Any:
        self = reference()
        assert self is not None, "this is the step() of an optimizer that is gone"
        args = (self, *args)
        for (hook,) in tuple(self._pre_hooks):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"{hook} must return None or a tuple of (new_args, new_kwargs), but got {changed}.")
                args, kwargs = changed
        self._opt_called = True
        result = own(*args, **kwargs)
        for (hook,) in tuple(self._post_hooks):
            hook(self, args, kwargs)
        return result

    step.watched = True  # type: ignore[attr-defined]
    optimizer.step = step  # type: ignore[method-assign]


# -- what this package's own optimisers share ----------------------------------------------------------------------------

_NON_NEGATIVE = {
    "lr": "learning rate", "eps": "epsilon value", "momentum": "momentum value", "weight_decay": "weight_decay value",
    "alpha": "alpha value", "rho": "rho value", "lr_decay": "lr_decay value",
    "initial_accumulator_value": "initial_accumulator_value value",
}  # fmt: skip

class Formula(Optimizer):
    """An optimiser whose step is an element-wise formula on arrays: its options and its state are known, hence checked."""

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self._check(defaults)
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        """Refuse options that the formula cannot use.

        Raises:
            TypeError: for what is not a number.
            ValueError: for a number out of its range, in PyTorch's words.
        """
        for name, title in _NON_NEGATIVE.items():
            value = group.get(name, 0)
            if not isinstance(value, numbers.Real):
                raise TypeError(f"{name} must be a number, not {type(value).__name__}; of a Tensor with one element, `.item()`")
            if not 0 <= float(value) <= (1 if name == "rho" else math.inf):
                raise ValueError(f"Invalid {title}: {value}, it must be {'from 0 to 1' if name == 'rho' else '0 or more'}")
        if len(group.get("betas", (0, 0))) != 2:
            raise ValueError(f"betas must be two numbers, (β₁, β₂), but got {group['betas']}")
        for index, beta in enumerate(group.get("betas", ())):
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}, it must be 0 or more and less than 1")
        if group["differentiable"]:
            raise ValueError(
                "differentiable=True is not supported: a step writes into the parameters. To differentiate through an update, "
                "write it out of place, `w = w - lr * g` with `g` from autograd.grad(..., create_graph=True)."
            )

    def _check_state(self, p: Tensor, state: dict[str, Any]) -> None:
        """Refuse kept arrays that are not of their parameter's shape.

        Raises:
            ValueError: when one is not.
        """
        for name, kept in state.items():
            if isinstance(kept, Tensor) and kept.shape != (() if name == "step" else p.shape):
                raise ValueError(
                    f"loaded state dict has {name!r} of shape {tuple(kept.shape)} for a parameter of shape {tuple(p.shape)}: "
                    "it belongs to another model, or the parameters were given in another order."
                )

    def _ready(self) -> None:
        """Refuse a step before anything is written when one of the parameters cannot be: all are updated, or none.

        Raises:
            RuntimeError: when a parameter that has a gradient is read-only.
        """
        for number, group in enumerate(self.param_groups):
            try:
                for p in group["params"]:
                    if not p._array.flags.writeable:
                        break
                else:
                    continue
            except AttributeError:
                pass  # not NumPy's: Dask arrays have no flags, and are replaced instead of written
            for place, p in enumerate(group["params"]):
                if p._node is None or p._node.grad is None:
                    continue
                array = own_array(p)
                if isinstance(array, np.ndarray) and not array.flags.writeable:
                    raise RuntimeError(
                        f"parameter {place} of group {number}, of shape {tuple(p.shape)}, is read-only, since several elements "
                        "share one place (expand, broadcast_to) or NumPy marked it so: no parameter was updated. Make the "
                        "parameter from a copy, `.clone()`."
                    )


def in_blocks(update: Callable[..., tuple[Array, ...]], w: Array, g: Array, *buffers: Array) -> tuple[Array, ...]:
    """Run an element-wise update; on a large NumPy array a few rows at a time, so that what lies between stays in the cache.

    The update writes its arrays in place where they can be written; the arrays that hold the result are returned.
    """
    if type(w) is not np.ndarray or w.size <= LARGE or type(g) is not np.ndarray or g.shape != w.shape:
        return update(w, g, *buffers)
    rows = max(1, BLOCK * len(w) // w.size)
    for start in range(0, len(w), rows):
        update(*(None if a is None else a[start : start + rows] for a in (w, g, *buffers)))
    return w, *buffers


def _loaded(p: Tensor, value: Any, name: str | None = None) -> Any:
    """A copy of the state of one parameter, its tensors made ours and given the parameter's dtype."""
    if isinstance(value, dict):
        return {key: _loaded(p, item, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_loaded(p, item) for item in value)
    if not isinstance(value, Tensor) and not hasattr(value, "__array__"):
        return copy.deepcopy(value)
    array = value._array if isinstance(value, Tensor) else np.asarray(value)
    return wrap(array.copy() if name == "step" else array.astype(p.dtype))
