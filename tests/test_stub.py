"""The stub `_methods.pyi` lists for type checkers exactly the methods that the table in `methods.py` attaches.

Run `python tests/test_stub.py` to write it again after a change of the table.
"""

import inspect
from pathlib import Path
from typing import Any

import tinygrad_fr
from tinygrad_fr._methods import TensorMethods

STUB = Path(tinygrad_fr.__file__).parent / "_methods.pyi"

HEAD = '''"""What the table in `methods.py` attaches to Tensor, for type checkers. Written by `python tests/test_stub.py`."""

import builtins
from collections.abc import Callable, Sequence
from typing import Any

from tinygrad_fr.graph import RemovableHandle
from tinygrad_fr.operations.histograms import Histogram
from tinygrad_fr.operations.indexing import ValuesIndices
from tinygrad_fr.operations.storage import Storage
from tinygrad_fr.random import Generator
from tinygrad_fr.tensor import Tensor

class TensorMethods:
    @property
    def T(self) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    @property
    def H(self) -> Tensor: ...
    @property
    def mH(self) -> Tensor: ...
    @property
    def retains_grad(self) -> builtins.bool: ...
    @property
    def itemsize(self) -> builtins.int: ...
    @property
    def nbytes(self) -> builtins.int: ...
    @property
    def is_cuda(self) -> builtins.bool: ...
    # NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: builtins.str, *inputs: Any, **kwargs: Any) -> Any: ...
    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any: ...
    # operators; a comparison gives a Tensor, which object's own == does not
    def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
'''

BUILTINS = {"bool", "int", "float", "str", "tuple", "list", "dict", "type", "object"}
SPECIAL = {"__array_ufunc__", "__array_function__", "__eq__", "__ne__", "T", "mT"}


def annotation(text: Any, default: str) -> str:
    """An annotation as text; names that methods shadow (`float`, `int`...) are taken from builtins."""
    if text is inspect.Parameter.empty:
        return default
    words = str(text)
    for name in sorted(BUILTINS):
        out, token = "", ""
        for c in words + " ":
            if c.isidentifier() or (token and (token + c).isidentifier()):
                token += c
                continue
            out += f"builtins.{token}" if token == name and not out.endswith(".") else token
            token = ""
            out += c
        words = out[:-1]
    return words


def line(name: str, function: Any) -> str:
    """The declaration of one method."""
    operation = getattr(function, "operation", None)
    if operation is not None:
        parameters = "".join(f", {word}: Any" for word in operation.inputs[1:])
        return f"    def {name}(self{parameters}) -> Tensor: ...\n"
    shown, star = ["self"], False
    parameters_list = list(inspect.signature(function).parameters.values())
    for p in parameters_list[1:] if parameters_list[0].kind is not p_var(parameters_list[0]) else parameters_list:
        if p.kind is p.KEYWORD_ONLY and not star:
            shown.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        default = "" if p.default is p.empty else " = ..."
        shown.append(f"{prefix}{p.name}: {annotation(p.annotation, 'Any')}{default}")
    result = annotation(inspect.signature(function).return_annotation, "Tensor")
    return f"    def {name}({', '.join(shown)}) -> {result}: ...\n"


def p_var(p: inspect.Parameter) -> Any:
    """The kind of a parameter that swallows all positions (then `self` is one of them)."""
    return inspect.Parameter.VAR_POSITIONAL


def render() -> str:
    """The whole stub."""
    names = {n: f for n, f in vars(TensorMethods).items() if callable(f) and n not in SPECIAL and n != "__slots__"}
    shown = [n for n in sorted(names) if not n.startswith("__") or n in OPERATORS]
    return HEAD + "".join(line(n, names[n]) for n in shown)


OPERATORS = {n for n, f in vars(TensorMethods).items() if n.startswith("__") and inspect.isfunction(f)} - SPECIAL


def test_the_stub_lists_what_the_table_attaches() -> None:
    """A method added to the table and not to the stub would be an error for every user of a type checker."""
    assert STUB.read_text() == render(), "run `python tests/test_stub.py`"


if __name__ == "__main__":
    STUB.write_text(render())
