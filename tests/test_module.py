"""The contract of `nn.Module` is PyTorch's: each session below runs on both, and must print the same."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tests.sessions import each, framework, hold
from tinygrad_fr import nn

# The classes that sessions use; the same text makes them on both frameworks.
NET = """
>>> class Net(nn.Module):
...     def __init__(self):
...         super().__init__()
...         self.hidden = nn.Linear(2, 3)
...         self.scale = nn.Parameter(torch.ones(1))
...         self.register_buffer("seen", torch.zeros(1))
...         self.output = nn.Linear(3, 1)
...     def forward(self, x):
...         return self.output(torch.tanh(self.hidden(x))) * self.scale
>>> net = Net()
"""

SESSIONS = {
    "registration": NET
    + """
>>> [name for name, _ in net.named_parameters()]    # a module's own before its children's
['scale', 'hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
>>> [name for name, _ in net.named_parameters(prefix="net")][:2]
['net.scale', 'net.hidden.weight']
>>> [name for name, _ in net.named_parameters(recurse=False)], len(list(net.parameters(recurse=False)))
(['scale'], 1)
>>> [name for name, _ in net.named_modules()], [name for name, _ in net.named_children()]
(['', 'hidden', 'output'], ['hidden', 'output'])
>>> [name for name, _ in net.named_buffers()], len(list(net.buffers())), len(list(net.modules())), len(list(net.children()))
(['seen'], 1, 3, 2)
>>> list(net.state_dict())
['scale', 'seen', 'hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
>>> net.hidden.weight is next(net.hidden.parameters()), net.seen is next(net.buffers())
(True, True)
>>> net(torch.zeros(4, 2)).shape
torch.Size([4, 1])
>>> print(net)
Net(
  (hidden): Linear(in_features=2, out_features=3, bias=True)
  (output): Linear(in_features=3, out_features=1, bias=True)
)
""",
    "shared children and tied weights": """
>>> shared = nn.Linear(2, 2)
>>> net = nn.Module()
>>> net.a, net.b, net.group = shared, shared, nn.Sequential(shared, nn.ReLU())
>>> [name for name, _ in net.named_parameters()]
['a.weight', 'a.bias']
>>> [name for name, _ in net.named_parameters(remove_duplicate=False)]
['a.weight', 'a.bias', 'b.weight', 'b.bias', 'group.0.weight', 'group.0.bias']
>>> [name for name, _ in net.named_modules()]
['', 'a', 'group', 'group.1']
>>> [name for name, _ in net.named_modules(remove_duplicate=False)]
['', 'a', 'b', 'group', 'group.0', 'group.1']
>>> [name for name, _ in net.named_children()], len(list(net.children()))
(['a', 'group'], 2)
>>> list(net.state_dict())
['a.weight', 'a.bias', 'b.weight', 'b.bias', 'group.0.weight', 'group.0.bias']
>>> net.b = nn.Linear(2, 2); net.b.weight = net.a.weight; twin = copy.deepcopy(net)
>>> [name for name, _ in twin.named_parameters()], twin.b.weight is twin.a.weight, twin.a.weight is net.a.weight
(['a.weight', 'a.bias', 'b.bias'], True, False)
>>> twin.group[0] is twin.a
True
""",
    "assignment and deletion": """
>>> net = nn.Module()
>>> net.x = 3; net.x = nn.Parameter(torch.ones(1)); list(dict(net.named_parameters())), "x" in vars(net)
(['x'], False)
>>> del net.x; net.x = nn.ReLU(); list(dict(net.named_parameters())), list(dict(net.named_children()))
([], ['x'])
>>> net.x = None; net.x, list(net.named_children())
(None, [])
>>> net.x = nn.Parameter(torch.ones(1)); list(dict(net.named_parameters())), list(dict(net.named_children()))
(['x'], [])
>>> del net.x; net.x = nn.Buffer(torch.zeros(1), persistent=False); net.x = nn.Tanh(); list(net.named_buffers()), net.x
([], Tanh())
>>> del net.x; net.x = nn.Buffer(torch.zeros(1)); net.x, list(dict(net.named_buffers())), list(net.state_dict())
(tensor([0.]), ['x'], ['x'])
>>> net.x = torch.ones(2); list(net.state_dict()), net.x
(['x'], tensor([1., 1.]))
>>> net.y = nn.Buffer(torch.zeros(1), persistent=False); list(net.state_dict()), len(list(net.buffers()))
(['x'], 2)
>>> net.y = nn.Parameter(torch.zeros(1)); list(net.state_dict()); del net.y; net.y = None
['y', 'x']
>>> net.w = nn.Parameter(torch.ones(1)); net.w = None; net.w, list(net.parameters()), list(net.state_dict())
(None, [], ['x'])
>>> net.w = nn.Parameter(torch.ones(3)); [p.shape for p in net.parameters()]
[torch.Size([3])]
>>> del net.w, net.x; list(net.state_dict()), hasattr(net, "w")
([], False)
>>> net.plain = torch.zeros(1); list(net.state_dict()), "plain" in vars(net)
([], True)
>>> net.layers = [nn.Linear(2, 2)]; list(net.parameters())        # a Python list hides its modules
[]
>>> net.register_parameter("p", None); net.register_buffer("b", None); net.add_module("m", None)
>>> net.p, net.b, net.m, list(net.state_dict()), repr(net)
(None, None, None, [], 'Module(\\n  (m): None\\n)')
>>> net.register_module("m", nn.ReLU()); net.m
ReLU()
>>> net.register_buffer("t", torch.zeros(1), persistent=False); net.register_buffer("t", torch.zeros(1)); list(net.state_dict())
['t']
""",
    "refused assignments": """
>>> layer = nn.Linear(2, 3)
>>> layer.weight = torch.ones(3, 2)
Traceback (most recent call last):
TypeError: cannot assign '...' as parameter 'weight' (torch.nn.Parameter or None expected)...
>>> layer.weight = nn.ReLU()
Traceback (most recent call last):
TypeError: cannot assign '...ReLU' as parameter 'weight' (torch.nn.Parameter or None expected)...
>>> net = nn.Sequential(nn.ReLU())
>>> setattr(net, "0", nn.Buffer(torch.ones(1)))
Traceback (most recent call last):
TypeError: cannot assign '...' as child module '0' (torch.nn.Module or None expected)...
>>> setattr(net, "0", 5)
Traceback (most recent call last):
TypeError: cannot assign 'int' as child module '0' (torch.nn.Module or None expected)...
>>> net.register_buffer("b", torch.zeros(1)); net.b = [0.0]
Traceback (most recent call last):
TypeError: cannot assign 'list' as buffer 'b' (torch.nn.Buffer, torch.Tensor or None expected)...
>>> layer.register_buffer("b", 3)
Traceback (most recent call last):
TypeError: cannot assign 'int' object to buffer 'b' (torch Tensor or None required)...
>>> layer.register_parameter("p", torch.ones(1))
Traceback (most recent call last):
TypeError: cannot assign '...' object to parameter 'p' (torch.nn.Parameter or None required)...
>>> layer.register_parameter("a.b", nn.Parameter(torch.ones(1)))
Traceback (most recent call last):
KeyError: 'parameter name can\\'t contain "."...
>>> layer.register_parameter("", nn.Parameter(torch.ones(1)))
Traceback (most recent call last):
KeyError: 'parameter name can\\'t ...be empty string ""...
>>> layer.register_parameter(3, nn.Parameter(torch.ones(1)))
Traceback (most recent call last):
TypeError: parameter name should be a string. Got int
>>> layer.register_buffer("a.b", torch.ones(1))
Traceback (most recent call last):
KeyError: 'buffer name can\\'t contain "."...
>>> layer.add_module("a.b", nn.ReLU())
Traceback (most recent call last):
KeyError: 'module name can\\'t contain "."...
>>> layer.register_buffer("forward", torch.ones(1))
Traceback (most recent call last):
KeyError: "attribute 'forward' already exists...
>>> layer.register_parameter("in_features", nn.Parameter(torch.ones(1)))
Traceback (most recent call last):
KeyError: "attribute 'in_features' already exists...
>>> layer.register_buffer("weight", torch.ones(1))
Traceback (most recent call last):
KeyError: "attribute 'weight' already exists...
>>> layer.add_module("bias", nn.ReLU())
Traceback (most recent call last):
KeyError: "attribute 'bias' already exists...
>>> layer.forward = nn.Parameter(torch.ones(1))
Traceback (most recent call last):
KeyError: "attribute 'forward' already exists...
>>> layer.add_module("m", 3)
Traceback (most recent call last):
TypeError: int is not a Module subclass
>>> list(layer.state_dict()), layer.in_features                    # nothing of it happened
(['weight', 'bias'], 2)
""",
    "before super().__init__()": """
>>> class Early(nn.Module):
...     def __init__(self, what):
...         self.attribute = what
>>> Early(nn.Parameter(torch.ones(1)))
Traceback (most recent call last):
AttributeError: cannot assign parameters before Module.__init__() call...
>>> Early(nn.Linear(1, 1))
Traceback (most recent call last):
AttributeError: cannot assign module before Module.__init__() call...
>>> Early(nn.Buffer(torch.ones(1)))
Traceback (most recent call last):
AttributeError: cannot assign buffer before Module.__init__() call...
>>> early = Early(3)
>>> try:
...     early(torch.ones(1))
... except AttributeError:
...     print("refused")
refused
>>> nn.Module(3)
Traceback (most recent call last):
TypeError: ...
""",
    "forward and attributes": """
>>> class Silent(nn.Module):
...     pass
>>> Silent()(torch.ones(1))
Traceback (most recent call last):
NotImplementedError: Module [Silent] is missing the required "forward" function...
>>> nn.Linear(2, 3).wieght
Traceback (most recent call last):
AttributeError: 'Linear' object has no attribute 'wieght'...
>>> del nn.Linear(2, 3).nothing
Traceback (most recent call last):
AttributeError: ...
>>> net = nn.Sequential(nn.Linear(2, 3))
>>> net.register_buffer("b", torch.zeros(1)); net.flag = 1
>>> {"b", "flag", "forward", "training", "state_dict"} <= set(dir(net)), "0" in dir(net)
(True, False)
>>> {"weight", "bias", "in_features"} <= set(dir(net[0]))
True
>>> class Two(nn.Module):
...     def forward(self, x, *, double=False):
...         return x * 2 if double else x
>>> Two()(torch.ones(1), double=True)
tensor([2.])
""",
    "paths": NET
    + """
>>> net.get_submodule("") is net, net.get_submodule("hidden"), net.get_parameter("output.bias").shape, net.get_buffer("seen")
(True, Linear(in_features=2, out_features=3, bias=True), torch.Size([1]), tensor([0.]))
>>> net.get_submodule("hidden.nothing")
Traceback (most recent call last):
AttributeError: Linear has no attribute `nothing`...
>>> net.get_parameter("hidden.nothing")
Traceback (most recent call last):
AttributeError: Linear has no attribute `nothing`...
>>> net.get_submodule("scale")
Traceback (most recent call last):
AttributeError: `scale` is not an nn.Module
>>> net.get_parameter("hidden")
Traceback (most recent call last):
AttributeError: `hidden` is not an nn.Parameter
>>> net.get_buffer("scale")
Traceback (most recent call last):
AttributeError: `scale` is not a buffer
>>> net.set_submodule("extra", nn.ReLU(), strict=True)
Traceback (most recent call last):
AttributeError: Net has no attribute `extra`...
>>> net.set_submodule("scale", nn.ReLU())
Traceback (most recent call last):
AttributeError: `scale` is not an nn.Module
>>> net.set_submodule("", nn.ReLU())
Traceback (most recent call last):
ValueError: Cannot set the submodule without a target name!
>>> net.set_submodule("hidden", nn.Sequential(nn.Linear(2, 3), nn.ReLU())); net.set_submodule("hidden.1", nn.Tanh()); net
Net(
  (hidden): Sequential(
    (0): Linear(in_features=2, out_features=3, bias=True)
    (1): Tanh()
  )
  (output): Linear(in_features=3, out_features=1, bias=True)
)
""",
    "train, eval, apply": """
>>> class Frozen(nn.Module):
...     def train(self, mode=True):
...         return super().train(False)
>>> net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.ReLU()), Frozen())
>>> [m.training for m in net.modules()], net.eval() is net, [m.training for m in net.modules()]
([True, True, True, True, True], True, [False, False, False, False, False])
>>> net.train() is net, [m.training for m in net.modules()]     # a child may decide for itself
(True, [True, True, True, True, False])
>>> net.train("yes")
Traceback (most recent call last):
ValueError: training mode is expected to be boolean
>>> names = []
>>> net.apply(lambda m: names.append(type(m).__name__)) is net, names    # children first
(True, ['Dropout', 'ReLU', 'Sequential', 'Frozen', 'Sequential'])
""",
    "requires_grad_ and zero_grad": NET
    + """
>>> net.requires_grad_(False) is net, [p.requires_grad for p in net.parameters()]
(True, [False, False, False, False, False])
>>> net.output.requires_grad_(); [p.requires_grad for p in net.parameters()]
Linear(in_features=3, out_features=1, bias=True)
[False, False, False, True, True]
>>> net.requires_grad_(True)(torch.ones(1, 2)).sum().backward()
>>> [p.grad is None for p in net.parameters()]
[False, False, False, False, False]
>>> kept = net.scale.grad
>>> net.zero_grad(set_to_none=False); net.scale.grad is kept, kept
(True, tensor([0.]))
>>> net.zero_grad(); [p.grad for p in net.parameters()]
[None, None, None, None, None]
""",
    "conversions": NET
    + """
>>> net.steps = nn.Buffer(torch.tensor(0)); weight = net.hidden.weight
>>> net(torch.ones(1, 2)).sum().backward()
>>> net.double() is net, weight is net.hidden.weight, *map(kind, [weight, net.seen, net.steps, weight.grad])
(True, True, 'float64', 'float64', 'int64', 'float64')
>>> kind(net(torch.ones(1, 2, dtype=torch.float64)))
'float64'
>>> kind(net.half().scale), kind(net.float().scale), kind(net.to(torch.float64).scale), kind(net.to("cpu").scale)
('float16', 'float32', 'float64', 'float64')
>>> kind(net.to(device="cpu", dtype=torch.float32).scale), kind(net.to(torch.ones(1, dtype=torch.float64)).scale)
('float32', 'float64')
>>> kind(net.to(torch.device("cpu"), torch.float32, non_blocking=True).scale), net.cpu() is net
('float32', True)
>>> kind(net.type(torch.float64).steps)
'float64'
>>> net.to(torch.int64)
Traceback (most recent call last):
TypeError: nn.Module.to only accepts floating point ...
>>> net.type(torch.int64)
Traceback (most recent call last):
RuntimeError: data set to a tensor that requires gradients must be floating point...
>>> net.to("float64")
Traceback (most recent call last):
RuntimeError: ...
>>> kind(net.scale), net.scale.requires_grad
('float64', True)
""",
    "state_dict": NET
    + """
>>> state = net.state_dict(); type(state).__name__, list(state)[:3], state["scale"].requires_grad
('OrderedDict', ['scale', 'seen', 'hidden.weight'], False)
>>> state["scale"].add_(1); net.scale                             # it shares memory with the module
tensor([2.])
Parameter containing:
tensor([2.], requires_grad=True)
>>> net.state_dict(keep_vars=True)["scale"] is net.scale, list(net.hidden.state_dict(prefix="h."))
(True, ['h.weight', 'h.bias'])
>>> other = Net(); weight = other.hidden.weight
>>> other.load_state_dict(net.state_dict())
<All keys matched successfully>
>>> other.hidden.weight is weight, torch.equal(weight, net.hidden.weight), weight.requires_grad
(True, True, True)
>>> keys = other.load_state_dict({"scale": torch.zeros(1), "new": torch.zeros(1)}, strict=False); keys
_IncompatibleKeys(missing_keys=['seen', 'hidden.weight', 'hidden.bias', 'output.weight', ...], unexpected_keys=['new'])
>>> keys.missing_keys[-1], keys.unexpected_keys
('output.bias', ['new'])
>>> other.scale
Parameter containing:
tensor([0.], requires_grad=True)
>>> other.load_state_dict({"scale": torch.ones(1, dtype=torch.float64)}, strict=False).missing_keys[:1], kind(other.scale)
(['seen'], 'float32')
>>> other.load_state_dict([1, 2])
Traceback (most recent call last):
TypeError: Expected state_dict to be dict-like, got <class 'list'>.
>>> nn.Linear(2, 3, bias=False).load_state_dict(nn.Linear(2, 3).state_dict(), strict=False)
_IncompatibleKeys(missing_keys=[], unexpected_keys=['bias'])
""",
    "state_dict with assign": """
>>> layer, given = nn.Linear(2, 1), nn.Linear(2, 1).double()
>>> layer.weight.requires_grad_(False); state = given.state_dict()
Parameter containing:
tensor([[...]])
>>> layer.load_state_dict(state, assign=True); kind(layer.weight), layer.weight.requires_grad, type(layer.weight).__name__
<All keys matched successfully>
('float64', False, 'Parameter')
>>> state["bias"].zero_(); layer.bias                             # the tensors of the dictionary themselves
tensor([0.], dtype=torch.float64)
Parameter containing:
tensor([0.], dtype=torch.float64, requires_grad=True)
>>> kept = nn.Parameter(torch.ones(1)); layer.load_state_dict({"bias": kept}, strict=False, assign=True); layer.bias is kept
_IncompatibleKeys(missing_keys=['weight'], unexpected_keys=[])
True
>>> given = {"bias": nn.Parameter(torch.zeros(1))}; _ = layer.bias.requires_grad_(False)
>>> _ = layer.load_state_dict(given, strict=False, assign=True); layer.bias     # trained or not: the layer decides
Parameter containing:
tensor([0.])
>>> layer.register_buffer("seen", torch.zeros(1)); seen = torch.ones(1)
>>> layer.load_state_dict({"seen": seen}, strict=False, assign=True); layer.seen is seen
_IncompatibleKeys(missing_keys=['weight', 'bias'], unexpected_keys=[])
True
""",
    "state_dict errors": NET
    + """
>>> before = copy.deepcopy(net.state_dict())
>>> given = {"scale": torch.zeros(1), "a": torch.zeros(1), "hidden.b": torch.zeros(1), "output.weight": torch.ones(2)}
>>> for line in said(lambda: net.load_state_dict(given)): line
'Error(s) in loading state_dict for Net:'
'Missing key(s) in state_dict: "seen", "hidden.weight", "hidden.bias", "output.bias". '
'Unexpected key(s) in state_dict: "a", "hidden.b". '
'size mismatch for output.weight: copying a param with shape torch.Size([2]) from checkpoint, the shape in current model is torch.Size([1, 3]).'
>>> for line in said(lambda: net.load_state_dict({"scale": torch.zeros(2), "seen": 3.0}, strict=False)): line
'Error(s) in loading state_dict for Net:'
'size mismatch for scale: copying a param with shape torch.Size([2]) from checkpoint, the shape in current model is torch.Size([1]).'
'While copying the parameter named "seen", expected torch.Tensor or Tensor-like object from checkpoint but received <class \\'float\\'>'
""",  # noqa: E501
    "forward hooks": """
>>> class Add(nn.Module):
...     def forward(self, x, y=0.0):
...         print("forward", x.item(), y)
...         return x + y
>>> m, calls = Add(), []
>>> first = m.register_forward_pre_hook(lambda module, args: print("pre", module is m, len(args)))
>>> second = m.register_forward_pre_hook(lambda module, args: args[0] * 10)               # one value is taken as (value,)
>>> third = m.register_forward_pre_hook(lambda module, args: print("prepended"), prepend=True)
>>> after = m.register_forward_hook(lambda module, args, output: print("after", args[0].item(), output.item()))
>>> replaced = m.register_forward_hook(lambda module, args, output: output + 0.5)
>>> m(torch.tensor(1.0))
prepended
pre True 1
forward 10.0 0.0
after 10.0 10.0
tensor(10.5000)
>>> first.remove(); second.remove(); third.remove(); after.remove(); after.remove(); replaced.remove()
>>> with m.register_forward_hook(lambda module, args, output: output * 2):
...     m(torch.tensor(1.0))
forward 1.0 0.0
tensor(2.)
>>> a = m.register_forward_pre_hook(lambda module, args, kwargs: (args, {**kwargs, "y": 3.0}), with_kwargs=True)
>>> b = m.register_forward_hook(lambda module, args, kwargs, output: print(kwargs), with_kwargs=True)
>>> m(torch.tensor(1.0), y=2.0)
forward 1.0 3.0
{'y': 3.0}
tensor(4.)
>>> a.remove(); a = m.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
>>> m(torch.tensor(1.0))
Traceback (most recent call last):
RuntimeError: forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got 3.
>>> a.remove(); b.remove(); m(torch.tensor(1.0))
forward 1.0 0.0
tensor(1.)
""",
    "hooks that change during a call": """
>>> m, calls = nn.Identity(), []
>>> def once(module, args):
...     calls.append("once"); handle.remove(); later.remove()
...     module.register_forward_hook(lambda module, args, output: calls.append("added"))
>>> handle = m.register_forward_pre_hook(once)
>>> later = m.register_forward_pre_hook(lambda module, args: calls.append("later"))
>>> m(1); calls
1
['once', 'later', 'added']
>>> m(1); calls
1
['once', 'later', 'added', 'added']
>>> def same(module, args, output): calls.append("same")
>>> m, calls = nn.Identity(), []
>>> one, two = m.register_forward_hook(same), m.register_forward_hook(same)
>>> one.remove(); m(1); calls                                     # two registrations of one function are two
1
['same']
""",
    "always_call": """
>>> class Fails(nn.Module):
...     def forward(self, x):
...         raise ValueError("in forward")
>>> m = Fails()
>>> a = m.register_forward_hook(lambda module, args, output: print("not called"))
>>> b = m.register_forward_hook(lambda module, args, output: print("always", output), always_call=True)
>>> c = m.register_forward_hook(lambda module, args, kwargs, output: print("too", kwargs), always_call=True, with_kwargs=True)
>>> def bad(module, args, output):
...     raise RuntimeError("in the hook")
>>> d = m.register_forward_hook(bad, always_call=True)
>>> e = m.register_forward_hook(lambda module, args, output: print("last"), always_call=True)
>>> try:
...     m(1)
... except ValueError as error:
...     print("raised:", error)
always None
too {}
last
raised: in forward
>>> m = nn.Identity()
>>> a = m.register_forward_hook(lambda module, args, output: print("called"), always_call=True)
>>> d = m.register_forward_hook(bad)
>>> f = m.register_forward_hook(lambda module, args, output: print("after the error", output), always_call=True)
>>> try:
...     m(1)
... except RuntimeError as error:
...     print("raised:", error)
called
after the error 1
raised: in the hook
""",
    "backward hooks": """
>>> class Two(nn.Module):
...     def forward(self, x, scale, y, z):
...         return x * scale + y, y * z
>>> m = Two()
>>> def show(label):
...     def hook(module, *gradients):
...         print(label, *[[None if g is None else g.item() for g in part] for part in gradients])
...     return hook
>>> before = m.register_full_backward_pre_hook(show("pre"))
>>> after = m.register_full_backward_hook(show("hook"))
>>> x, y, z = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True), torch.tensor(4.0)
>>> a, b = m(x, 5.0, y, z)
>>> (a * 10 + b * 100).backward(); x.grad, y.grad               # scale is no tensor, z needs no gradient
pre [10.0, 100.0]
hook [50.0, None, 410.0, 0.0] [10.0, 100.0]
(tensor(50.), tensor(410.))
>>> a, b = m(x, 5.0, y, z)
>>> a.backward()                                                  # one output only
pre [1.0, None]
hook [5.0, None, 1.0, 0.0] [1.0, None]
>>> x.grad = y.grad = None; before.remove(); after.remove()
>>> r = m.register_full_backward_pre_hook(lambda module, gradients: (gradients[0] * 2, gradients[1]))
>>> s = m.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] + 1, None, inputs[2] * 0, None))
>>> a, b = m(x, 5.0, y, z); (a + b).backward(); x.grad, y.grad
(tensor(11.), tensor(0.))
>>> r.remove(); s.remove(); x.grad = y.grad = None
>>> s = m.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0],))
>>> a, b = m(x, 5.0, y, z); a.backward()
Traceback (most recent call last):
RuntimeError: Backward hook returned an invalid number of grad_input, got 1, but expected 4
>>> s.remove(); s = m.register_full_backward_pre_hook(lambda module, outputs: (outputs[0],))
>>> a, b = m(x, 5.0, y, z); a.backward()
Traceback (most recent call last):
RuntimeError: Backward pre hook returned an invalid number of grad_output, got 1, but expected 2
>>> s.remove(); x.grad = y.grad = None; a, b = m(x, 5.0, y, z); a.backward(); x.grad
tensor(5.)
""",
    "backward hooks, order and special cases": """
>>> def show(label):
...     def hook(module, *gradients):
...         print(label, *[[None if g is None else g.tolist() for g in part] for part in gradients])
...     return hook
>>> m = nn.Linear(1, 1, bias=False); m.weight.data.fill_(3.0)
tensor([[3.]])
>>> a = m.register_full_backward_hook(show("second")); b = m.register_full_backward_hook(show("first"), prepend=True)
>>> m(torch.ones(1, 1, requires_grad=True)).backward()
first [[[3.0]]] [[[1.0]]]
second [[[3.0]]] [[[1.0]]]
>>> m(torch.ones(1, 1)).backward(); m.weight.grad                 # no input needs a gradient
first [None] [[[1.0]]]
second [None] [[[1.0]]]
tensor([[2.]])
>>> a.remove(); c = m.register_full_backward_hook(lambda module, inputs, outputs: (torch.ones(1, 1),))
>>> m(torch.ones(1, 1)).backward()
Traceback (most recent call last):
RuntimeError: Backward hook for Modules where no input requires gradient should always return None or None for all gradients.
>>> c.remove(); d = m.register_forward_hook(lambda module, args, output: output * 10)
>>> x = torch.ones(1, 1, requires_grad=True); m(x).backward(); x.grad    # the output is what the forward hooks made of it
first [[[30.0]]] [[[1.0]]]
tensor([[30.]])
>>> with torch.no_grad():
...     m(x).requires_grad
False
>>> Pair = namedtuple("Pair", "left right")
>>> class Named(nn.Module):
...     def forward(self, x):
...         self.aside = x * 2
...         return Pair(x * 3, x * 4)
>>> n = Named(); h = n.register_full_backward_hook(show("named"))
>>> out = n(x); type(out).__name__; out.right.backward()
'Pair'
named [[[4.0]]] [None, [[1.0]]]
>>> out = n(x); n.aside.backward(); x.grad                        # it did not come through the output: the hook is not called
tensor([[36.]])
>>> out = n(x); out.right.backward(retain_graph=True); n.aside.backward()       # nor after it was
named [[[4.0]]] [None, [[1.0]]]
>>> y = m(m(x)); y.backward(retain_graph=True); y.backward()      # the module twice, the graph twice
first [[[30.0]]] [[[1.0]]]
first [[[900.0]]] [[[30.0]]]
first [[[30.0]]] [[[1.0]]]
first [[[900.0]]] [[[30.0]]]
""",
    "copies": NET
    + """
>>> net(torch.ones(1, 2)).sum().backward()
>>> handle = net.register_forward_hook(lambda module, args, output: output * 0)
>>> twin = copy.deepcopy(net); repr(twin) == repr(net), torch.equal(twin.hidden.weight, net.hidden.weight)
(True, True)
>>> twin.hidden.weight is net.hidden.weight, twin.hidden.weight.data_ptr() == net.hidden.weight.data_ptr()
(False, False)
>>> twin.scale.grad is None, net.scale.grad is None
(True, False)
>>> frozen = copy.deepcopy(net.output.requires_grad_(False)); [p.requires_grad for p in frozen.parameters()]
[False, False]
>>> with torch.no_grad():
...     _ = twin.scale.fill_(7); _ = twin.seen.fill_(7)
>>> net.scale.item(), net.seen.item()
(1.0, 0.0)
>>> handle.remove(); bool(net(torch.ones(1, 2)) == 0), bool(twin(torch.ones(1, 2)) == 0)      # the copy has its own hooks
(False, True)
>>> shallow = copy.copy(nn.Linear(1, 1)); type(shallow).__name__, len(list(shallow.parameters()))
('Linear', 2)
>>> model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.BatchNorm1d(2)).eval()
>>> model[0].weight = model[2].weight = nn.Parameter(torch.ones(2, 2))
>>> again = pickle.loads(pickle.dumps(model)); repr(again) == repr(model), again.training, again[0].weight is again[2].weight
(True, False, True)
>>> [(n, p.requires_grad) for n, p in again.named_parameters()]
[('0.weight', True), ('0.bias', True), ('2.bias', True)]
>>> list(again.state_dict()) == list(model.state_dict()), torch.equal(again[2].running_var, model[2].running_var)
(True, True)
""",
    "parameters and buffers": """
>>> data = torch.ones(2); p = nn.Parameter(data)
>>> data.add_(1); p, p.is_leaf                                    # the same memory
tensor([2., 2.])
(Parameter containing:
tensor([2., 2.], requires_grad=True), True)
>>> nn.Parameter(data, requires_grad=False)
Parameter containing:
tensor([2., 2.])
>>> nn.Parameter(torch.tensor([1, 2]))
Traceback (most recent call last):
RuntimeError: ...nly Tensors of floating point ...
>>> kind(nn.Parameter(torch.tensor([1, 2]), requires_grad=False)), nn.Parameter().shape
('int64', torch.Size([0]))
>>> isinstance(p, torch.Tensor), isinstance(p * 2, nn.Parameter), type(p.data).__name__, type(p.detach()).__name__
(True, False, 'Tensor', 'Tensor')
>>> b = nn.Buffer(torch.zeros(2), persistent=False); c = copy.deepcopy(b); isinstance(c, nn.Buffer), c.persistent
(True, False)
>>> q = pickle.loads(pickle.dumps(p)); type(q).__name__, q.requires_grad, torch.equal(p, q)
('Parameter', True, True)
""",
    "clipping gradients": """
>>> def gradients(*rows):
...     found = []
...     for row in rows:
...         p = torch.zeros(len(row), requires_grad=True); p.grad = torch.tensor(row); found.append(p)
...     return found + [torch.zeros(1, requires_grad=True)]             # one without a gradient
>>> w = gradients([3.0, 0.0], [0.0, 4.0]); nn.utils.clip_grad_norm_(w, max_norm=1.0), w[0].grad, w[1].grad, w[2].grad
(tensor(5.), tensor([0.6000, 0.0000]), tensor([0.0000, 0.8000]), None)
>>> w = gradients([3.0, 0.0], [0.0, 4.0]); nn.utils.clip_grad_norm_(w, 10.0), w[0].grad, w[1].grad
(tensor(5.), tensor([3., 0.]), tensor([0., 4.]))
>>> w = gradients([3.0, -8.0], [1.0, 4.0]); nn.utils.clip_grad_norm_(iter(w), 2, norm_type=math.inf), w[0].grad, w[1].grad
(tensor(8.), tensor([ 0.7500, -2.0000]), tensor([0.2500, 1.0000]))
>>> w = gradients([3.0, -1.0]); nn.utils.clip_grad_norm_(w[0], 2.0, norm_type=1), w[0].grad
(tensor(4.), tensor([ 1.5000, -0.5000]))
>>> w = gradients([3.0, math.inf]); nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)
Traceback (most recent call last):
RuntimeError: The total norm of order 2.0 for gradients from `parameters` is non-finite, so it cannot be clipped...
>>> w[0].grad                                                          # and nothing has changed
tensor([3., inf])
>>> nn.utils.clip_grad_norm_(w, 1.0), w[0].grad
(tensor(inf), tensor([0., nan]))
>>> w = gradients([3.0, math.nan]); nn.utils.clip_grad_norm_(w, 1.0), w[0].grad
(tensor(nan), tensor([nan, nan]))
>>> w = gradients([3.0, -0.5], [-7.0]); nn.utils.clip_grad_value_(w, 1), w[0].grad, w[1].grad, w[2].grad
(None, tensor([ 1.0000, -0.5000]), tensor([-1.]), None)
>>> nn.utils.clip_grad_norm_([], 1.0), nn.utils.clip_grad_norm_([torch.zeros(1, requires_grad=True)], 1.0)
(tensor(0.), tensor(0.))
>>> nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])]), nn.utils.get_total_norm([torch.ones(4)], norm_type=1.0)
(tensor(5.), tensor(4.))
>>> w = gradients([3.0, 4.0]); nn.utils.clip_grads_with_norm_(w, 1.0, torch.tensor(5.0)); w[0].grad
tensor([0.6000, 0.8000])
""",
    "parameters as one vector": """
>>> net = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 2, bias=False))
>>> nn.utils.vector_to_parameters(torch.arange(5.0), net.parameters())
>>> [p.tolist() for p in net.parameters()], net[0].weight.requires_grad, isinstance(net[0].weight, nn.Parameter)
([[[0.0, 1.0]], [2.0], [[3.0], [4.0]]], True, True)
>>> v = nn.utils.parameters_to_vector(net.parameters()); v.detach(), v.requires_grad
(tensor([0., 1., 2., 3., 4.]), True)
>>> (v * v).sum().backward(); net[0].weight.grad
tensor([[0., 2.]])
>>> nn.utils.vector_to_parameters([1.0], net.parameters())
Traceback (most recent call last):
TypeError: expected torch.Tensor, but got: ...list...
""",
    "extra_repr": """
>>> class Extra(nn.Module):
...     def __init__(self, text):
...         super().__init__()
...         self.text = text
...     def extra_repr(self):
...         return self.text
>>> Extra(""), Extra("a=1"), Extra("a=1\\nb=2")
(Extra(), Extra(a=1), Extra(
  a=1
  b=2
))
>>> m = Extra("a=1"); m.inner = Extra("x\\ny"); m.last = Extra("z"); m
Extra(
  a=1
  (inner): Extra(
    x
    y
  )
  (last): Extra(z)
)
""",
}


@each(SESSIONS)
def test_session(session: str, name: str) -> None:
    """The contract, said once and held twice."""
    hold(session, name)


# -- any tree of modules ---------------------------------------------------------------------------------------------------

LEAVES = ["Linear(2, 2)", "Linear(2, 2, bias=False)", "ReLU()", "Dropout(0.5)", "LayerNorm(2)", "BatchNorm1d(2)", "PReLU()"]
NAMES = st.sampled_from(["a", "b", "left", "right", "layer"])
TREES: Any = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.tuples(st.just("Sequential"), st.lists(inner, max_size=4))
        | st.tuples(st.just("ModuleList"), st.lists(inner, max_size=4))
        | st.tuples(st.just("ModuleDict"), st.dictionaries(NAMES, inner, max_size=3))
        | st.tuples(st.just("Module"), st.dictionaries(NAMES, inner, max_size=3))
        | st.tuples(st.just("twice"), inner)  # one module in two places
    ),
    max_leaves=10,
)


def grown(tree: Any, torch: Any) -> Any:
    """The modules of a tree, on a framework."""
    if isinstance(tree, str):
        return eval(f"nn.{tree}", {"nn": torch.nn})
    kind, parts = tree
    if kind == "twice":
        one = grown(parts, torch)
        return torch.nn.Sequential(one, torch.nn.Identity(), one)
    if kind == "Module":
        module = torch.nn.Module()
        for name, part in parts.items():
            setattr(module, name, grown(part, torch))
        module.scale = torch.nn.Parameter(torch.ones(3))
        module.register_buffer("kept", torch.zeros(1))
        module.register_buffer("lost", torch.zeros(2), persistent=False)
        return module
    if kind == "ModuleDict":
        return torch.nn.ModuleDict({name: grown(part, torch) for name, part in parts.items()})
    modules = [grown(part, torch) for part in parts]
    return torch.nn.Sequential(*modules) if kind == "Sequential" else torch.nn.ModuleList(modules)


@given(tree=TREES)
def test_any_tree_is_walked_and_printed_as_pytorch_does(tree: Any) -> None:
    """Names, in order, with and without repetitions; the text; training mode; the same weights from the same seed."""
    theirs = framework("torch")
    theirs.manual_seed(7)
    expected = grown(tree, theirs)
    tg.manual_seed(7)
    module = grown(tree, tg)
    assert repr(module) == repr(expected)
    for walk in ("named_modules", "named_children", "named_parameters", "named_buffers"):
        assert [n for n, _ in getattr(module, walk)()] == [n for n, _ in getattr(expected, walk)()], walk
        if walk != "named_children":
            ours, other = (getattr(m, walk)(remove_duplicate=False) for m in (module, expected))
            assert [n for n, _ in ours] == [n for n, _ in other], walk
    state = expected.state_dict()
    assert list(module.state_dict()) == list(state)
    for name, value in module.state_dict().items():
        np.testing.assert_allclose(value.numpy(), state[name].numpy(), rtol=1e-6, err_msg=name)


@given(tree=TREES)
def test_any_tree_is_saved_and_restored(tree: Any) -> None:
    """state_dict and load_state_dict undo each other; what is not in the dictionary stays."""
    source, target = grown(tree, tg), grown(tree, tg)
    with tg.no_grad():
        for i, parameter in enumerate(source.parameters()):
            parameter.fill_(i + 1)
        for buffer in source.buffers():
            buffer.fill_(5)
    identities = [id(p) for p in target.parameters()]
    assert repr(target.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
    assert [id(p) for p in target.parameters()] == identities
    for name, value in target.state_dict().items():
        assert tg.equal(value, source.state_dict()[name])
    assert all(b.tolist() == [0, 0] for n, b in target.named_buffers() if n.endswith("lost"))
    assert [n for n, _ in source.named_modules()] == [n for n, _ in target.named_modules()]


# -- errors change nothing, and say what to write --------------------------------------------------------------------------


def snapshot(module: nn.Module) -> Any:
    """All that an error must not change."""
    return (
        repr(module),
        {n: (id(p), p.tolist(), str(p.dtype), p.requires_grad, p.grad) for n, p in module.named_parameters()},
        {n: (id(b), b.tolist()) for n, b in module.named_buffers()},
        {n: m.training for n, m in module.named_modules()},
    )


@pytest.mark.parametrize("strict", [True, False])
def test_a_refused_state_dict_changes_nothing(strict: bool) -> None:
    """Also the keys that would have fitted, which PyTorch copies before it complains."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = {name: tg.zeros_like(value) for name, value in net.state_dict().items()}
    for name in ("0.bias", "1.running_var"):
        wrong: Any
        for wrong in (tg.zeros(7), 3.0, [1.0, 2.0, 3.0], None):
            before = snapshot(net)
            with pytest.raises(RuntimeError, match=f"size mismatch for {name}|{name}.*expected torch.Tensor"):
                net.load_state_dict({**state, name: wrong}, strict=strict)
            assert snapshot(net) == before


def test_a_refused_conversion_changes_nothing() -> None:
    """Integers for parameters that are trained; a device that is not there; a dtype that is none."""
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before = snapshot(net)
    for refused in (lambda: net.type(tg.int64), lambda: net.to("cuda"), lambda: net.cuda(), lambda: net.to(tg.int32)):
        with pytest.raises((RuntimeError, TypeError)):
            refused()
        assert snapshot(net) == before
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        net.to(colour="red")
    net.requires_grad_(False).type(tg.int64)
    assert {str(p.dtype) for p in net.parameters()} == {"int64"}


def test_a_vector_of_another_length_is_refused_before_anything_is_written() -> None:
    """PyTorch writes what fits; here nothing happens."""
    net = nn.Linear(2, 1)
    before = snapshot(net)
    for length in (2, 4, 0):
        with pytest.raises(ValueError, match=f"the vector has {length} elements, and the parameters have 3"):
            nn.utils.vector_to_parameters(tg.zeros(length), net.parameters())
        assert snapshot(net) == before


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=4), min_size=1, max_size=3), st.floats(0.1, 10))
def test_clipped_gradients_have_at_most_the_norm(rows: list[list[float]], limit: float) -> None:
    """For every order of the norm; and the direction stays, to rounding."""
    for order in (1.0, 2.0, 3.0, np.inf):
        parameters = [tg.zeros(len(row), requires_grad=True) for row in rows]
        for p, row in zip(parameters, rows, strict=True):
            p.grad = tg.tensor(row)
        flat = np.concatenate([np.array(row, np.float64) for row in rows])
        total = nn.utils.clip_grad_norm_(parameters, limit, norm_type=order)
        assert total.item() == pytest.approx(np.linalg.norm(flat, order), rel=1e-5, abs=1e-10)
        after = np.concatenate([p.grad.numpy() for p in parameters]).astype(np.float64)
        assert np.linalg.norm(after, order) <= limit * (1 + 1e-5)
        np.testing.assert_allclose(after, flat * min(1.0, limit / (total.item() + 1e-6)), rtol=1e-5, atol=1e-30)


class Messages:
    """What users get wrong, and words that the message must have."""

    @staticmethod
    def parameter() -> None:
        nn.Linear(2, 3).weight = tg.ones(3, 2)

    @staticmethod
    def early() -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                self.layer = nn.Linear(2, 3)

        Net()

    @staticmethod
    def never() -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                pass

            def forward(self, x: Any) -> Any:
                return x

        Net()(tg.ones(1))

    @staticmethod
    def forward() -> None:
        class Net(nn.Module):
            def foward(self, x: Any) -> Any:
                return x

        Net()(tg.ones(1))

    @staticmethod
    def a_class() -> None:
        nn.Sequential(nn.Linear(1, 1), nn.ReLU)

    @staticmethod
    def shape_of_a_module() -> None:
        nn.Linear(2, 3).shape

    @staticmethod
    def path() -> None:
        nn.Sequential(nn.Linear(2, 3)).get_submodule("1")

    @staticmethod
    def class_attribute() -> None:
        class Net(nn.Module):
            bias = None

        Net().bias = nn.Parameter(tg.ones(1))


WORDS = {
    "parameter": (TypeError, "nn.Parameter(...)", "no_grad", "weight"),
    "early": (AttributeError, "super().__init__()", "Net.__init__", "self.layer"),
    "never": (AttributeError, "super().__init__()", "Net"),
    "forward": (NotImplementedError, "def forward(self, x)", "Net"),
    "a_class": (TypeError, "ReLU is not a Module subclass", "`ReLU()`"),
    "shape_of_a_module": (AttributeError, "'Linear' object has no attribute 'shape'", "`y = module(x)`"),
    "path": (AttributeError, "Sequential has no attribute `1`", "it has 0"),
    "class_attribute": (KeyError, "attribute 'bias' already exists", "another name"),
}


@pytest.mark.parametrize("name", WORDS)
def test_the_message_says_what_to_write(name: str) -> None:
    """The type is PyTorch's, the words are for the one who has to go on."""
    kind, *words = WORDS[name]
    with pytest.raises(kind) as caught:
        getattr(Messages, name)()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_python_suggests_a_misspelt_name() -> None:
    """The error carries the module, so that Python can say "Did you mean: 'weight'?"."""
    layer = nn.Linear(1, 1)
    with pytest.raises(AttributeError) as caught:
        layer.wieght
    assert caught.value.obj is layer and caught.value.name == "wieght" and "weight" in dir(caught.value.obj)


# -- what a call costs and leaves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hooks", [False, True])
def test_training_leaves_nothing_to_the_garbage_collector(hooks: bool) -> None:
    """1000 steps of a Sequential with MSELoss make no reference cycle, hooks or not."""
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    criterion = nn.MSELoss()
    seen = []
    if hooks:
        net[0].register_full_backward_hook(lambda module, inputs, outputs: seen.append(len(outputs)))
        net[2].register_full_backward_hook(lambda module, inputs, outputs: seen.append(len(inputs)))
        net.register_full_backward_pre_hook(lambda module, outputs: None)
        net.register_forward_hook(lambda module, args, output: output * 1)
    x, y = tg.ones(4, 2), tg.zeros(4, 1)
    enabled = gc.isenabled()
    gc.disable()
    try:
        gc.collect()
        for _ in range(1000):
            loss = criterion(net(x), y)
            net.zero_grad()
            loss.backward()
            with tg.no_grad():
                for p in net.parameters():
                    p -= 0.1 * p.grad
        del loss
        assert gc.collect() == 0
    finally:
        if enabled:
            gc.enable()
    assert len(seen) == (2000 if hooks else 0)


def test_backward_hooks_do_not_keep_the_arguments() -> None:
    """A watched argument is freed with the graph; the hook's gradients are right under create_graph, and once more."""
    square = nn.Module()
    square.forward = lambda x: x**3
    given: list[Any] = []
    square.register_full_backward_hook(lambda module, inputs, outputs: given.append(inputs[0].item()))
    x = tg.tensor(2.0, requires_grad=True)
    (first,) = tg.autograd.grad(square(x), x, create_graph=True)
    (second,) = tg.autograd.grad(first, x)
    assert (first.item(), second.item()) == (12.0, 12.0)
    assert given[0] == 12.0


def test_two_threads_train_two_models_with_hooks() -> None:
    """Hooks and gates belong to a call, not to the process."""
    results: dict[int, float] = {}

    def train(scale: int) -> None:
        layer = nn.Linear(1, 1, bias=False)
        layer.weight.data.fill_(1.0)
        layer.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] * scale,))
        for _ in range(200):
            x = tg.ones(1, 1, requires_grad=True)
            layer(x).backward()
            results[scale] = x.grad.item()

    threads = [threading.Thread(target=train, args=(scale,)) for scale in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {2: 2.0, 3: 3.0}


def test_a_module_without_hooks_calls_forward_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny networks of a course pay for hooks only when they have some."""
    from tinygrad_fr.nn import module as room

    monkeypatch.setattr(room, "_call_with_hooks", lambda *_: pytest.fail("the long way was taken"))
    assert nn.Sequential(nn.Identity())(3) == 3
