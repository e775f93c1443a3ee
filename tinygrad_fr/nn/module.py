"""A module is a piece of a network: it owns parameters and smaller modules, and computes one thing, its `forward`.

This is PyTorch's contract. Assigning a `Parameter` or a `Module` to an attribute registers it, in the order of the
assignments; everything else (`parameters()`, `state_dict()`, `to()`, `repr`) walks over what is registered.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_fr.autograd.function import Function
from tinygrad_fr.graph import RemovableHandle
from tinygrad_fr.modes import no_grad
from tinygrad_fr.nn.parameter import Buffer, Parameter, UninitializedParameter
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.values import check_device

_M = TypeVar("_M", bound="Module")
_REGISTERS = ("_parameters", "_buffers", "_modules")


class _Changes:
    count = 0


changes = _Changes()
"""How often an attribute of any module was set: a compiled step looks at this one number, rather than at all its modules."""


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find in the dictionary, and what it found there and could not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not (self.missing_keys or self.unexpected_keys):
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """The base class of all layers and models: subclass it, register what you need in `__init__`, compute in `forward`.

    Attributes:
        training: True in training mode; `train()` and `eval()` switch it, dropout and its like read it.

    >>> import tinygrad_fr as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = torch.nn.Linear(2, 3)
    ...         self.output = torch.nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.output(torch.tanh(self.hidden(x)))
    >>> net = Net()
    >>> net(torch.zeros(4, 2)).shape
    torch.Size([4, 1])
    >>> [name for name, parameter in net.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
    >>> net
    Net(
      (hidden): Linear(in_features=2, out_features=3, bias=True)
      (output): Linear(in_features=3, out_features=1, bias=True)
    )
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _transient: set[str]  # the buffers that state_dict leaves out
    _hooks: Hooks | None  # None: calling the module is calling forward

    def __init__(self) -> None:
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _transient=set(), _hooks=None)

    # -- what it computes ------------------------------------------------------------------------------------------

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function: '
            f"write `def forward(self, x): ...` in class {type(self).__name__}."
        )

    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and the hooks round it if there are any."""
        if self._hooks is None and everywhere is None:
            return self.forward(*args, **kwargs)
        return _call_with_hooks(self, args, kwargs)

    # -- attributes ------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        changes.count += 1
        own = self.__dict__
        if isinstance(value, Parameter):
            self._register("_parameters", name, value, replace=True)
        elif name in own.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as parameter '{name}' (torch.nn.Parameter or None expected): "
                    f"write `{name} = nn.Parameter(...)`, or change its values, `with torch.no_grad(): "
                    f"module.{name}.copy_(...)`."
                )
            own["_parameters"][name] = None
        elif isinstance(value, Module):
            self._register("_modules", name, value, replace=True)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            own["_modules"][name] = None
        elif isinstance(value, Buffer):
            self._register("_buffers", name, value, replace=True)
            (self._transient.discard if value.persistent else self._transient.add)(name)
        elif name in own.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            own["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Found here, after Python has looked for an ordinary attribute: parameters, buffers and modules."""
        own = self.__dict__
        for register in _REGISTERS:
            if name in own.get(register, ()):
                return own[register][name]
        if name in _REGISTERS or name in ("training", "_hooks"):
            raise AttributeError(
                f"{type(self).__name__} was not initialised: call `super().__init__()` first in its __init__",
                name=name,
                obj=self,
            )
        of_tensors = name[0] != "_" and hasattr(Tensor, name)  # such as nn.MSELoss(output, target).backward()
        hint = f": tensors have it. Call the module, `y = module(x)`, and use `y.{name}`." if of_tensors else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        changes.count += 1
        for register in _REGISTERS:
            if name in self.__dict__.get(register, ()):
                del self.__dict__[register][name]
                self._transient.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*object.__dir__(self), *(name for register in _REGISTERS for name in self.__dict__.get(register, ()))}
        return sorted(name for name in names if not name[0].isdigit())

    def _register(self, kind: str, name: str, value: Any, *, replace: bool = False) -> None:
        """Put a value into one of the registers; an assignment may replace an attribute of another kind."""
        own, what = self.__dict__, {"_parameters": "parameter", "_buffers": "buffer", "_modules": "module"}[kind]
        if kind not in own:
            raise AttributeError(
                f"cannot assign {what.replace('parameter', 'parameters')} before Module.__init__() call: "
                f"write `super().__init__()` first in {type(self).__name__}.__init__, before `self.{name} = ...`."
            )
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if "." in name or name == "":
            raise KeyError(f'{what} name can\'t contain "." and can\'t be empty string "", got: {name!r}')
        if name not in own[kind]:
            if any(name in cls.__dict__ for cls in type(self).__mro__) or (not replace and hasattr(self, name)):
                raise KeyError(
                    f"attribute '{name}' already exists: {type(self).__name__} has a method or another attribute of that "
                    f"name, which would hide the {what}. Choose another name."
                )
            for register in (own, *(own[other] for other in _REGISTERS)):
                register.pop(name, None)
            self._transient.discard(name)
        changes.count += 1
        own[kind][name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None keeps the name for a parameter that there may be, such as the bias of a layer without."""
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type(param).__name__}' object to parameter '{name}' (torch.nn.Parameter or None required): "
                "wrap the tensor, `nn.Parameter(tensor)`."
            )
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is saved and moved with the module, and is not trained; `persistent=False`: not saved."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type(tensor).__name__}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child, found afterwards as the attribute of that name."""
        if module is not None and not isinstance(module, Module):
            if isinstance(module, type) and issubclass(module, Module):
                raise TypeError(f"{module.__name__} is not a Module subclass but a class: call it, `{module.__name__}()`")
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._register("_modules", name, module)

    register_module = add_module

    # -- what it owns ----------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield the module itself, then everything below it, with its path; each once, unless told otherwise."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, _path(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yield the module itself, then everything below it; each once, unless told otherwise."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules directly below this one, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the modules directly below this one."""
        for _, module in self.named_children():
            yield module

    def _named(self, register: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in owners:
            for name, value in module.__dict__[register].items():
                if value is not None and id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield _path(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield the parameters with their paths, such as ('hidden.weight', ...); a shared one once."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, in the order in which they were assigned: what an optimiser wants."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the buffers with their paths."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "encoder.0"; "" is the module itself.

        Raises:
            AttributeError: where the path breaks off.
        """
        module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                raise _no_such(module, name, "an nn.Module")
            module = child
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a path such as "encoder.0", in the place of what was there; `strict`: there must be something.

        Raises:
            AttributeError: where the path breaks off, or leads to what is no module.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if parent._modules.get(name) is None and (strict or hasattr(parent, name)):
            raise _no_such(parent, name, "an nn.Module")
        parent.add_module(name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "hidden.weight"."""
        return self._get(target, "_parameters", "an nn.Parameter")  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "norm.running_mean"."""
        return self._get(target, "_buffers", "a buffer")  # type: ignore[no-any-return]

    def _get(self, target: str, register: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = module.__dict__[register].get(name)
        if found is None:
            raise _no_such(module, name, what)
        return found

    # -- what is done to all of it ---------------------------------------------------------------------------------

    def apply(self: _M, fn: Callable[[Module], Any]) -> _M:
        """Call `fn` on everything below the module, then on the module itself: for instance to initialise weights."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: _M, mode: bool = True) -> _M:
        """Switch to training mode, in which dropout drops; `mode=False` is `eval()`."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: _M) -> _M:
        """Switch to evaluation mode. Gradients are still recorded: `with torch.no_grad():` stops that."""
        return self.train(False)

    def requires_grad_(self: _M, requires_grad: bool = True) -> _M:
        """Train every parameter, or freeze them all."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of every parameter; `set_to_none=False` fills them with zeros instead."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad.detach_()
                    parameter.grad.zero_()

    def _apply(self: _M, fn: Callable[[Tensor], Tensor]) -> _M:
        """Replace the values of every parameter and buffer, and of the gradients, by what `fn` makes of them."""
        parameters = list(self.parameters())
        with no_grad():
            values = [fn(p.data) for p in parameters]  # all of them first: an error leaves the module as it was
            for parameter, value in zip(parameters, values, strict=True):
                if parameter.requires_grad and value.dtype.kind != "f":
                    raise RuntimeError(
                        "data set to a tensor that requires gradients must be floating point, and this would be "
                        f"{value.dtype}: call `requires_grad_(False)` on the module first."
                    )
            gradients = [None if p.grad is None else fn(p.grad) for p in parameters]
            changed = [
                (module, name, fn(buffer))
                for module in self.modules()
                for name, buffer in module._buffers.items()
                if buffer is not None
            ]
        for parameter, value, gradient in zip(parameters, values, gradients, strict=True):
            parameter.grad = None
            parameter.data = value
            parameter.grad = gradient
        for module, name, buffer in changed:
            module._buffers[name] = buffer
        return self

    def to(self: _M, *args: Any, **kwargs: Any) -> _M:
        """Convert the floating-point parameters and buffers, in place, to a dtype: `to(torch.float64)`; the CPU is the device.

        Raises:
            RuntimeError: for a device other than the CPU.
            TypeError: for a dtype that is not floating point.
        """
        dtype = kwargs.pop("dtype", None)
        kwargs.pop("non_blocking", None), kwargs.pop("copy", None)
        for what in (*args, kwargs.pop("device", None)):
            if isinstance(what, Tensor):
                dtype = what.dtype
            elif isinstance(what, (np.dtype, type)):
                dtype = np.dtype(what)
            elif not isinstance(what, bool):  # non_blocking, by position
                check_device(what)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument {next(iter(kwargs))!r}")
        if dtype is None:
            return self
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def type(self: _M, dst_type: Any) -> _M:
        """Convert every parameter and buffer, of whatever dtype, in place."""
        return self._apply(lambda t: t.to(dst_type))

    def float(self: _M) -> _M:
        """Convert the floating-point parameters and buffers to float32, in place."""
        return self.to(np.float32)

    def double(self: _M) -> _M:
        """Convert the floating-point parameters and buffers to float64, in place."""
        return self.to(np.float64)

    def half(self: _M) -> _M:
        """Convert the floating-point parameters and buffers to float16, in place."""
        return self.to(np.float16)

    def cpu(self: _M) -> _M:
        """The module itself, which is on the CPU already."""
        return self

    def cuda(self: _M, device: Any = None) -> _M:
        """Refused: there is no such device here (see `check_device`)."""
        check_device("cuda")
        return self

    # -- its state -------------------------------------------------------------------------------------------------

    def state_dict(self, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The parameters and persistent buffers by path: what is saved. The tensors share memory with the module.

        >>> import tinygrad_fr as torch
        >>> {name: tuple(t.shape) for name, t in torch.nn.Linear(2, 3).state_dict().items()}
        {'weight': (3, 2), 'bias': (3,)}
        """
        state = OrderedDict() if destination is None else destination
        for path, tensor in self._state(prefix):
            state[path] = tensor if keep_vars else tensor.detach()
        return state

    def _state(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self._own_state():
            yield prefix + name, tensor
        for name, module in self._modules.items():
            if module is not None:
                yield from module._state(f"{prefix}{name}.")

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        """This module's own parameters and persistent buffers."""
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None and name not in self._transient:
                yield name, tensor

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy parameters and buffers from a dictionary by path. Everything is checked first: an error changes nothing.

        Args:
            state_dict: what `state_dict()` or `load()` returned.
            strict: refuse missing and unexpected names, instead of returning them.
            assign: take the tensors of the dictionary themselves, with their dtype, instead of copying their values.

        Raises:
            RuntimeError: with every missing name, unexpected name and wrong shape.
            TypeError: for what is not a dictionary.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        own = dict(self._state(""))
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        problems = []
        if strict and missing:
            problems.append("Missing key(s) in state_dict: " + ", ".join(f'"{name}"' for name in missing) + ". ")
        if strict and unexpected:
            problems.append("Unexpected key(s) in state_dict: " + ", ".join(f'"{name}"' for name in unexpected) + ". ")
        for name, tensor in own.items():
            value = state_dict.get(name, tensor)
            if not isinstance(value, Tensor):
                problems.append(
                    f'While copying the parameter named "{name}", expected torch.Tensor or Tensor-like object from checkpoint '
                    f"but received {type(value)}"
                )
            elif not isinstance(tensor, UninitializedParameter) and value.shape != tensor.shape:
                problems.append(
                    f"size mismatch for {name}: copying a param with shape {value.shape} from checkpoint, "
                    f"the shape in current model is {tensor.shape}."
                )
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        for path, module in self.named_modules(remove_duplicate=False):
            for name, tensor in list(module._own_state()):
                if (key := _path(path, name)) in state_dict:
                    module._load(name, tensor, state_dict[key], assign)
        return IncompatibleKeys(missing, unexpected)

    def _load(self, name: str, tensor: Tensor, value: Tensor, assign: bool) -> None:
        """Take one value, whose shape was checked, into one of this module's own parameters or buffers."""
        if isinstance(value, UninitializedParameter):
            return
        if not assign:
            if isinstance(tensor, UninitializedParameter):
                tensor.materialize(value.shape)
            with no_grad():
                tensor.copy_(value)
        elif name not in self._parameters:
            self._buffers[name] = value
        else:
            parameter = value if isinstance(value, Parameter) else Parameter(value, requires_grad=tensor.requires_grad)
            parameter.requires_grad = tensor.requires_grad
            self._parameters[name] = parameter

    # -- hooks -----------------------------------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns, if anything, replaces the arguments.

        With `with_kwargs=True` the hook receives, and may return, (args, kwargs).
        """
        return _registered(_hooks(self).before, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after each forward; what it returns, if anything, replaces the output.

        >>> import tinygrad_fr as torch
        >>> layer = torch.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda module, args, output: print(tuple(output.shape)))
        >>> _ = layer(torch.zeros(5, 2))
        (5, 3)
        >>> handle.remove()
        """
        return _registered(_hooks(self).after, (hook, with_kwargs, always_call), prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Both are tuples, one gradient or None for each positional argument and each output. What the hook returns, if
        anything, goes on in the place of grad_input.
        """
        return _registered(_hooks(self).backward, (hook,), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the backward pass of the module; it may return another grad_output."""
        return _registered(_hooks(self).backward_before, (hook,), prepend)

    register_backward_hook = register_full_backward_hook

    # -- how it prints ---------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module; layers say their sizes."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): " + repr(module).replace("\n", "\n  ") for name, module in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = "".join(f"\n  {line}" for line in lines + children)
        return f"{self._get_name()}({body}\n)" if body else f"{self._get_name()}()"


def _no_such(module: Module, name: str, what: str) -> AttributeError:
    """The error for a path that breaks off at a name."""
    if hasattr(module, name):
        return AttributeError(f"`{name}` is not {what}")
    names = [name for register in _REGISTERS for name in module.__dict__[register]]
    return AttributeError(f"{type(module).__name__} has no attribute `{name}`; it has {', '.join(names) or 'nothing'}")


def _path(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


# -- hooks: what happens round forward when somebody asked for it ----------------------------------------------------------


class Hooks:
    """The functions that are called round a module's forward and backward. Handles take them out of these lists."""

    def __init__(self) -> None:
        self.before: list[Any] = []
        self.after: list[Any] = []
        self.backward: list[Any] = []
        self.backward_before: list[Any] = []


everywhere: Hooks | None = None
"""Hooks that run on every module, before its own; the teaching views set them."""


def _hooks(module: Module) -> Hooks:
    if module._hooks is None:
        changes.count += 1
        module.__dict__["_hooks"] = Hooks()
    hooks: Any = module._hooks
    return hooks  # type: ignore[no-any-return]


def _registered(hooks: list[Any], entry: tuple[Any, ...], prepend: bool) -> RemovableHandle:
    handle = RemovableHandle(hooks, entry)
    if prepend:
        hooks.insert(0, hooks.pop())
    return handle


def _call_with_hooks(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run forward with every hook round it, in PyTorch's order."""
    sets = [hooks for hooks in (everywhere, module._hooks) if hooks is not None]
    backward = [hook for hooks in sets for ((hook,),) in hooks.backward]
    backward_before = [hook for hooks in sets for ((hook,),) in hooks.backward_before]
    output: Any = None
    called: set[int] = set()

    def after(entry: Any) -> Any:
        """The output, after one more forward hook has seen it."""
        ((hook, with_kwargs, _),) = entry
        called.add(id(entry))
        changed = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
        return output if changed is None else changed

    try:
        for ((hook, with_kwargs),) in [entry for hooks in sets for entry in hooks.before]:
            if not with_kwargs:
                changed = hook(module, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
                continue
            changed = hook(module, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
        gate = _BackwardGate(module, backward, backward_before) if backward or backward_before else None
        if gate is not None:
            args = gate.enter(args)
        output = module.forward(*args, **kwargs)
        for entry in [entry for hooks in sets for entry in hooks.after]:
            output = after(entry)
        return output if gate is None else gate.leave(output)
    except Exception:
        for entry in [entry for hooks in sets for entry in hooks.after]:
            if entry[0][2] and id(entry) not in called:  # always_call
                try:
                    output = after(entry)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was silenced as another "
                        f"error was raised in forward: {error}",
                        stacklevel=3,
                    )
        raise


class _BackwardGate:
    """Two identity functions, one before a module's forward and one after it, that show its hooks the gradients passing."""

    def __init__(self, module: Module, hooks: list[Any], hooks_before: list[Any]) -> None:
        self.module, self.hooks, self.hooks_before = module, hooks, hooks_before
        self.inputs: list[tuple[Any, Any] | None] = []  # the shape and dtype of each argument that is a tensor
        self.waits_for_inputs = False
        self.grad_output: tuple[Any, ...] | None = None  # what came in and has not gone out yet

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, watched: where a gradient flows out of the module."""
        self.inputs = [(a.shape, a.dtype) if isinstance(a, Tensor) else None for a in args]
        self.waits_for_inputs = any(isinstance(a, Tensor) and a.requires_grad for a in args)
        return _through(self._leaving, args)

    def leave(self, output: Any) -> Any:
        """The output, watched: where a gradient comes in."""
        if isinstance(output, tuple):
            return _through(self._entering, output)
        if not isinstance(output, Tensor):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(output)}",
                stacklevel=4,
            )
        return _through(self._entering, (output,))[0]

    def _entering(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.hooks_before:
            gradients = self._changed(hook(self.module, gradients), gradients, "pre hook", "grad_output")
        if self.waits_for_inputs:
            self.grad_output = gradients
            return gradients
        for hook in self.hooks:
            changed = hook(self.module, (None,) * len(self.inputs), gradients)
            if changed is not None and any(g is not None for g in changed):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for all "
                    "gradients."
                )
        return gradients

    def _leaving(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.grad_output is None:  # a gradient that did not come through the output: no hook can be told what came in
            return gradients
        gradients = tuple(  # a tensor that no gradient flows to is shown zeros
            wrap(np.zeros(*like)) if g is None and like else g for g, like in zip(gradients, self.inputs, strict=True)
        )
        for hook in self.hooks:
            changed = hook(self.module, gradients, self.grad_output)
            gradients = self._changed(changed, gradients, "hook", "grad_input")
        self.grad_output = None
        return gradients

    def _changed(self, changed: Any, gradients: tuple[Any, ...], which: str, what: str) -> tuple[Any, ...]:
        """What a hook returned, in the place of the gradients it was shown."""
        if changed is None:
            return gradients
        replaced: tuple[Any, ...] = changed if isinstance(changed, tuple) else (changed,)
        if len(replaced) != len(gradients):
            raise RuntimeError(
                f"Backward {which} returned an invalid number of {what}, got {len(replaced)}, but expected {len(gradients)}"
            )
        return replaced


class _Watch(Function):
    """The identity, whose backward shows the gradients to a function and passes on what that returns."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[..., Any], *tensors: Tensor) -> Any:
        ctx.seen = seen
        ctx.set_materialize_grads(False)
        same = tuple(t.view(t.shape) for t in tensors)
        return same[0] if len(same) == 1 else same

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return None, *ctx.seen(gradients)


def _through(seen: Callable[..., Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same values, where those that gradients flow through pass through `_Watch`."""
    numbers, count = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad], len(values)
    if not numbers:
        return values

    def show(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        everything: list[Any] = [None] * count
        for i, g in zip(numbers, gradients, strict=True):
            everything[i] = g
        shown = seen(tuple(everything))
        return tuple(shown[i] for i in numbers)

    watched = _Watch.apply(show, *(values[i] for i in numbers))
    result = list(values)
    for i, t in zip(numbers, watched if isinstance(watched, tuple) else (watched,), strict=True):
        result[i] = t
    if type(values) is tuple:
        return tuple(result)
    named: Any = type(values)
    return named(*result)  # type: ignore[no-any-return]  # a named tuple stays one
