"""Containers behave as PyTorch's: each session runs on both, and must print the same."""

from __future__ import annotations

import operator
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as tg
from tests.sessions import each, framework, hold
from tinygrad_fr import nn

SESSIONS = {
    "Sequential": """
>>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)); len(net), net[0], net[-1]
(3, Linear(in_features=2, out_features=3, bias=True), Linear(in_features=3, out_features=1, bias=True))
>>> net(torch.ones(5, 2)).shape, [type(m).__name__ for m in net], net[1] in net
(torch.Size([5, 1]), ['Linear', 'Tanh', 'Linear'], True)
>>> net[1:]                                                        # the names stay, the modules are the same
Sequential(
  (1): Tanh()
  (2): Linear(in_features=3, out_features=1, bias=True)
)
>>> net[1:][1] is net[2], len(net[:0]), type(net[::2]).__name__
(True, 0, 'Sequential')
>>> net[1] = nn.ReLU(); net[-2], list(net.state_dict())
(ReLU(), ['0.weight', '0.bias', '2.weight', '2.bias'])
>>> net[3]
Traceback (most recent call last):
IndexError: index 3 is out of range...
>>> net[-4] = nn.ReLU()
Traceback (most recent call last):
IndexError: index -4 is out of range...
>>> net[1] = "relu"
Traceback (most recent call last):
TypeError: ...
>>> net.append(nn.Sigmoid()) is net, net.extend([nn.Tanh(), nn.Softplus()]) is net, len(net)
(True, True, 6)
>>> net.insert(1, nn.Identity()) is net, net.insert(-1, nn.ELU())
(True, Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): Identity()
  (2): ReLU()
  (3): Linear(in_features=3, out_features=1, bias=True)
  (4): Sigmoid()
  (5): Tanh()
  (6): ELU(alpha=1.0)
  (7): Softplus(beta=1.0, threshold=20.0)
))
>>> net.pop(1), net.pop(-1), len(net), [name for name, _ in net.named_children()]
(Identity(), Softplus(beta=1.0, threshold=20.0), 6, ['0', '1', '2', '3', '4', '5'])
>>> del net[3:]; net
Sequential(
  (0): Linear(in_features=2, out_features=3, bias=True)
  (1): ReLU()
  (2): Linear(in_features=3, out_features=1, bias=True)
)
>>> del net[0]; [name for name, _ in net.named_children()], net[0]
(['0', '1'], ReLU())
>>> net.insert(5, nn.ReLU())
Traceback (most recent call last):
IndexError: Index out of range: 5
>>> other = net + nn.Sequential(nn.Tanh()); len(other), len(net), other[0] is net[0]
(3, 2, True)
>>> kept = net; net += nn.Sequential(nn.Tanh()); kept is net, len(net)
(True, 3)
>>> net + [nn.Tanh()]
Traceback (most recent call last):
ValueError: add operator supports only objects of Sequential class, but <class 'list'> is given.
>>> twice = nn.Sequential(nn.Linear(2, 2), nn.ReLU()) * 2; len(twice), twice[0] is twice[2], len(list(twice.parameters()))
(4, True, 2)
>>> len(3 * nn.Sequential(nn.ReLU()))
3
>>> twice * 0
Traceback (most recent call last):
ValueError: Non-positive multiplication factor 0 for ...
>>> nn.Sequential(), nn.Sequential()(3)
(Sequential(), 3)
""",
    "Sequential with names": """
>>> net = nn.Sequential(OrderedDict([("hidden", nn.Linear(2, 2)), ("act", nn.ReLU())]))
>>> net.hidden is net[0], list(net.state_dict())
(True, ['hidden.weight', 'hidden.bias'])
>>> net[1:]
Sequential(
  (act): ReLU()
)
>>> net.act = nn.Tanh(); net[1], net.append(nn.ReLU())
(Tanh(), Sequential(
  (hidden): Linear(in_features=2, out_features=2, bias=True)
  (act): Tanh()
  (2): ReLU()
))
>>> net = nn.Sequential(); net.add_module("a", nn.ReLU()); net.b = nn.Tanh(); [name for name, _ in net.named_children()]
['a', 'b']
>>> nn.Sequential(nn.ReLU)
Traceback (most recent call last):
TypeError: ...ReLU is not a Module subclass...
>>> nn.Sequential({"a": nn.ReLU()})
Traceback (most recent call last):
TypeError: dict is not a Module subclass
""",
    "ModuleList": """
>>> group = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()])
>>> _ = group.extend(nn.Linear(2, 2, bias=False) for _ in range(2))
>>> group
ModuleList(
  (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
  (3): ReLU()
  (4-5): 2 x Linear(in_features=2, out_features=2, bias=False)
)
>>> nn.ModuleList([nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Sequential(nn.ReLU(), nn.Tanh())]), nn.ModuleList()
(ModuleList(
  (0-1): 2 x Sequential(
    (0): ReLU()
    (1): Tanh()
  )
), ModuleList())
>>> len(group), group[-1], type(group[1:3]).__name__, [name for name, _ in group[3:].named_children()]
(6, Linear(in_features=2, out_features=2, bias=False), 'ModuleList', ['0', '1', '2'])
>>> group[0] is list(group)[0], group[3] in group, list(group.state_dict())[:2]
(True, True, ['0.weight', '0.bias'])
>>> group[0] = nn.Tanh(); group.append(nn.ELU()) is group, group.extend((nn.CELU(),)) is group, len(group)
(True, True, 8)
>>> kept = group; group += [nn.SELU()]; kept is group, len(group)
(True, 9)
>>> _ = group.insert(1, nn.Identity()); group[1], group.pop(1), group.pop(-1), len(group)
(Identity(), Identity(), SELU(), 8)
>>> del group[1:]; del group[0]; group
ModuleList()
>>> group[0]
Traceback (most recent call last):
IndexError: index 0 is out of range...
>>> group.extend(3)
Traceback (most recent call last):
TypeError: ModuleList.extend should be called with an iterable, but got int...
>>> group.append(3)
Traceback (most recent call last):
TypeError: int is not a Module subclass
>>> both = nn.ModuleList([nn.ReLU()]) + [nn.Tanh()]; both, type(both).__name__
(ModuleList(
  (0): ReLU()
  (1): Tanh()
), 'ModuleList')
>>> both(torch.ones(1))
Traceback (most recent call last):
NotImplementedError: Module [ModuleList] is missing the required "forward" function...
""",
    "ModuleDict": """
>>> choice = nn.ModuleDict({"relu": nn.ReLU(), "linear": nn.Linear(1, 1)}); choice
ModuleDict(
  (relu): ReLU()
  (linear): Linear(in_features=1, out_features=1, bias=True)
)
>>> choice["relu"], choice.linear is choice["linear"], "relu" in choice, "tanh" in choice, len(choice), list(choice)
(ReLU(), True, True, False, 2, ['relu', 'linear'])
>>> choice["tanh"] = nn.Tanh(); choice.update({"relu": nn.ELU()}); choice.update([("a", nn.ReLU())]); list(choice.items())[2:]
[('tanh', Tanh()), ('a', ReLU())]
>>> choice.update(nn.ModuleDict({"b": nn.SELU()})); list(choice.keys()), list(choice.values())[0]
(['relu', 'linear', 'tanh', 'a', 'b'], ELU(alpha=1.0))
>>> choice.pop("relu"), list(choice.state_dict())
(ELU(alpha=1.0), ['linear.weight', 'linear.bias'])
>>> del choice["linear"]; list(choice.parameters())
[]
>>> choice["nothing"]
Traceback (most recent call last):
KeyError: 'nothing'
>>> choice["pop"] = nn.ReLU()
Traceback (most recent call last):
KeyError: "attribute 'pop' already exists...
>>> choice["a.b"] = nn.ReLU()
Traceback (most recent call last):
KeyError: ...
>>> choice["c"] = nn.ReLU
Traceback (most recent call last):
TypeError: ...
>>> choice.update(3)
Traceback (most recent call last):
TypeError: ModuleDict.update should be called with an iterable of key/value pairs, but got int
>>> choice.update([("a", nn.ReLU(), 3)])
Traceback (most recent call last):
ValueError: ModuleDict update sequence element #0 has length 3; 2 is required
>>> choice.clear(); len(choice), choice
(0, ModuleDict())
>>> nn.ModuleDict([("z", nn.ReLU()), ("a", nn.Tanh())])
ModuleDict(
  (z): ReLU()
  (a): Tanh()
)
>>> choice(1)
Traceback (most recent call last):
NotImplementedError: Module [ModuleDict] is missing the required "forward" function...
""",
    "ParameterList": """
>>> weights = nn.ParameterList([nn.Parameter(torch.ones(2, 3)), torch.zeros(3), 7]); weights
ParameterList(
    (0): Parameter containing: [torch.float32 of size 2x3]
    (1): Parameter containing: [torch.float32 of size 3]
    (2): Object of type: int
)
>>> [n for n, _ in weights.named_parameters()], weights[1].requires_grad, weights[-1], len(weights)
(['0', '1'], True, 7, 3)
>>> weights[0] = torch.ones(1); weights[0], list(weights.state_dict())
(Parameter containing:
tensor([1.], requires_grad=True), ['0', '1'])
>>> weights.append(torch.ones(2)) is weights, weights.extend([torch.ones(())]) is weights, len(weights[1:4])
(True, True, 3)
>>> weights += [None]; [getattr(p, "shape", p) for p in weights]
[torch.Size([1]), torch.Size([3]), 7, torch.Size([2]), torch.Size([]), None]
>>> nn.ParameterList([torch.ones(2)]), nn.ParameterList()
(ParameterList(  (0): Parameter containing: [torch.float32 of size 2]), ParameterList())
>>> weights[9]
Traceback (most recent call last):
IndexError: index 9 is out of range...
>>> weights.extend(torch.ones(2))
Traceback (most recent call last):
TypeError: ParameterList.extend should be called with an iterable, but got Tensor...
>>> weights(1)
Traceback (most recent call last):
RuntimeError: ParameterList should not be called.
""",
    "ParameterDict": """
>>> weights = nn.ParameterDict({"right": torch.ones(2), "left": nn.Parameter(torch.ones(3, 2))}); weights
ParameterDict(
    (left): Parameter containing: [torch.FloatTensor of size 3x2]
    (right): Parameter containing: [torch.FloatTensor of size 2]
)
>>> list(nn.ParameterDict(OrderedDict(z=torch.ones(1), a=3))), list(nn.ParameterDict([("z", torch.ones(1)), ("a", 3)]))
(['z', 'a'], ['z', 'a'])
>>> weights["left"].shape, weights.left is weights["left"], "left" in weights, len(weights)
(torch.Size([3, 2]), True, True, 2)
>>> list(weights), list(reversed(weights))
(['left', 'right'], ['right', 'left'])
>>> weights["new"] = torch.zeros(1); weights["note"] = "text"; [n for n, _ in weights.named_parameters()], weights["note"]
(['left', 'right', 'new'], 'text')
>>> weights.get("nothing"), weights.get("note", 3), weights.setdefault("more", torch.ones(1)), weights.setdefault("note", 1)
(None, 'text', Parameter containing:
tensor([1.], requires_grad=True), 'text')
>>> weights.pop("note"), weights.popitem()[0], list(weights.keys()), [k for k, _ in weights.items()]
('text', 'more', ['left', 'right', 'new'], ['left', 'right', 'new'])
>>> [p.shape for p in weights.values()]
[torch.Size([3, 2]), torch.Size([2]), torch.Size([1])]
>>> twin = weights.copy(); twin["left"] is weights["left"], list(twin)
(True, ['left', 'right', 'new'])
>>> del twin["left"]; list(twin.state_dict()), list(weights.state_dict())
(['right', 'new'], ['left', 'right', 'new'])
>>> list((twin | nn.ParameterDict({"x": torch.ones(1)})).keys()), list(twin.fromkeys(["a", "b"], 1).items())
(['right', 'new', 'x'], [('a', 1), ('b', 1)])
>>> twin |= {"y": torch.ones(1)}; list(twin); twin.clear(); len(twin), list(twin.parameters()), twin
['right', 'new', 'y']
(0, [], ParameterDict())
>>> weights[3] = torch.ones(1)
Traceback (most recent call last):
TypeError: Index given to ParameterDict cannot be used as a key as it is not a string (type is 'int')...
>>> weights.update(3)
Traceback (most recent call last):
TypeError: Parameter...Dict.update should be called with an iterable of key/value pairs, but got int
>>> weights(1)
Traceback (most recent call last):
RuntimeError: ParameterDict should not be called.
""",
    "copies": """
>>> net = nn.Sequential(nn.Linear(1, 1), nn.ModuleList([nn.ReLU()]), nn.ModuleDict({"a": nn.Linear(1, 1)}))
>>> net.extra = nn.ParameterDict({"p": torch.ones(1)}); net.more = nn.ParameterList([torch.ones(2), 3])
>>> for twin in copy.deepcopy(net), pickle.loads(pickle.dumps(net)):
...     repr(twin) == repr(net), list(twin.state_dict()) == list(net.state_dict()), twin.more[1], list(twin.extra), len(twin)
(True, True, 3, ['p'], 5)
(True, True, 3, ['p'], 5)
""",
}


@each(SESSIONS)
def test_session(session: str, name: str) -> None:
    """What a container does, said once and held twice."""
    hold(session, name)


# -- a list of modules is a list -------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["append", "insert", "setitem"]), st.integers(-4, 4)),
        st.tuples(st.sampled_from(["delitem", "pop", "getitem"]), st.integers(-4, 4)),
        st.tuples(st.sampled_from(["delslice", "getslice"]), st.slices(4)),
    ),
    max_size=12,
)


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@given(steps=STEPS)
def test_any_sequence_of_changes_is_that_of_a_list(kind: str, steps: list[Any]) -> None:
    """The container, a Python list, and the names "0", "1", … after each step; a refused step changes nothing."""
    box = getattr(nn, kind)()
    plain: list[nn.Module] = []
    for name, where in steps:
        module = nn.Identity()
        before = list(plain)
        try:
            if name == "append":
                box.append(module)
                plain.append(module)
            elif name == "insert":
                box.insert(where, module)
                plain.insert(where, module)
            elif name == "setitem":
                box[where] = module
                plain[where] = module
            elif name in ("delitem", "delslice"):
                del box[where]
                del plain[where]
            elif name == "pop":
                assert box.pop(where) is plain.pop(where)
            else:
                found, wanted = box[where], plain[where]
                assert list(found) == wanted if isinstance(wanted, list) else found is wanted
        except IndexError:
            plain = before
            assert not -len(plain) <= where < len(plain) + (name == "insert")
        assert list(box) == plain
        assert [n for n, _ in box.named_modules(remove_duplicate=False)][1:] == [str(i) for i in range(len(plain))]


@given(steps=STEPS)
def test_any_sequence_of_changes_is_pytorchs(steps: list[Any]) -> None:
    """Sequential, beside PyTorch's: the same names, the same refusals."""
    boxes = [m.nn.Sequential() for m in (tg, framework("torch"))]
    for number, (name, where) in enumerate(steps):
        outcomes = []
        for box in boxes:
            module = (nn if box is boxes[0] else framework("torch").nn).Softplus(number)
            actions = {
                "append": lambda box, where, module: box.append(module),
                "insert": lambda box, where, module: box.insert(where, module),
                "setitem": operator.setitem,
                "delitem": lambda box, where, module: operator.delitem(box, where),
                "delslice": lambda box, where, module: operator.delitem(box, where),
                "getitem": lambda box, where, module: operator.getitem(box, where),
                "getslice": lambda box, where, module: operator.getitem(box, where),
                "pop": lambda box, where, module: box.pop(where),
            }
            try:
                actions[name](box, where, module)
                outcomes.append(repr(box))
            except (IndexError, AssertionError) as error:
                outcomes.append((type(error), repr(box)))
        assert outcomes[0] == outcomes[1]


# -- errors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("bad", [nn.ReLU, None, 3, "ReLU"])
def test_what_is_no_module_is_refused(kind: str, bad: Any) -> None:
    """Nothing is added; a class is told from an instance."""
    box = getattr(nn, kind)(*([nn.Tanh()] if kind == "Sequential" else [[nn.Tanh()]]))
    actions = [lambda: box.append(bad), lambda: box.insert(0, bad), lambda: box.extend([bad]), lambda: box.__setitem__(0, bad)]
    for action in actions if bad is not None else ():
        with pytest.raises(TypeError, match="`ReLU\\(\\)`" if bad is nn.ReLU else "not a Module subclass"):
            action()
        assert [type(m) for m in box] == [nn.Tanh]


def test_extending_a_list_with_itself_ends() -> None:
    """`box += box` doubles it, as with a list."""
    for box in (nn.ModuleList([nn.ReLU(), nn.Tanh()]), nn.Sequential(nn.ReLU(), nn.Tanh())):
        box += box
        assert [type(m) for m in box] == [nn.ReLU, nn.Tanh] * 2
    weights = nn.ParameterList([tg.ones(1)])
    weights += weights
    assert len(weights) == 2


def test_a_failed_value_leaves_a_parameter_container_as_it_was() -> None:
    """An integer tensor cannot become a parameter that is trained."""
    weights, named = nn.ParameterList([tg.ones(1)]), nn.ParameterDict({"a": tg.ones(1)})
    for action in (
        lambda: weights.append(tg.tensor([1])),
        lambda: weights.__setitem__(0, tg.tensor([1])),
        lambda: named.__setitem__("b", tg.tensor([1])),
        lambda: named.__setitem__("a", tg.tensor([1])),
    ):
        with pytest.raises(RuntimeError, match="only Tensors of floating point"):
            action()
    assert len(weights) == 1 and len(list(weights)) == 1 and list(named) == ["a"]
    with pytest.raises(KeyError):
        named["training"]  # an attribute of the module is no entry
    assert OrderedDict(named.items()).keys() == {"a"}
