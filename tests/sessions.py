"""Sessions: conversations in doctest's notation that PyTorch and tinygrad_fr must both hold, word for word.

The expected text is what PyTorch prints, so it is an oracle where PyTorch is installed (it must agree with the text too) and
a record where it is not. `...` stands for any text; an error of ours may say more than PyTorch's first words.
"""

from __future__ import annotations

import collections
import copy
import doctest
import math
import pickle
import textwrap
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_fr

FRAMEWORKS = ["tinygrad_fr", "torch"]


def framework(name: str) -> Any:
    """tinygrad_fr, or PyTorch; the test is skipped where that is not installed."""
    return tinygrad_fr if name == "tinygrad_fr" else pytest.importorskip("torch")


def kind(x: Any) -> str:
    """The name of a tensor's dtype."""
    return str(x.dtype).removeprefix("torch.")


def said(call: Any) -> list[str]:
    """The lines of an error's message."""
    with pytest.raises(RuntimeError) as caught:
        call()
    return str(caught.value).split("\n\t")


def hold(session: str, name: str) -> None:
    """Run a session on a framework, which it calls `torch`."""
    module = framework(name)
    names = {
        "torch": module, "nn": module.nn, "F": module.nn.functional, "copy": copy, "pickle": pickle, "math": math,
        "OrderedDict": collections.OrderedDict, "namedtuple": collections.namedtuple, "kind": kind, "said": said,
    }  # fmt: skip
    test = doctest.DocTestParser().get_doctest(textwrap.dedent(session), names, name, None, 0)
    assert test.examples
    log: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own
        runner.run(test, out=log.append, clear_globs=False)
    if runner.failures:
        pytest.fail("".join(log), pytrace=False)


def each(sessions: dict[str, str]) -> Any:
    """Parametrise a test with every session on every framework."""
    return pytest.mark.parametrize(
        ("session", "name"),
        [pytest.param(text, name, id=f"{key}-{name}") for key, text in sessions.items() for name in FRAMEWORKS],
    )


# -- one layer or loss, built from the same text on both --------------------------------------------------------------------


def made(text: str, torch: Any, seed: int = 0) -> Any:
    """A layer from the text of its constructor, on a framework."""
    torch.manual_seed(seed)
    return eval(f"nn.{text}", {"nn": torch.nn, "torch": torch})


def leaf(values: Any, torch: Any, dtype: str = "float64") -> Any:
    """A tensor whose gradient is wanted, if it holds floats."""
    array = np.array(values)
    return torch.tensor(array.astype(dtype), requires_grad=True) if array.dtype.kind == "f" else torch.tensor(array)


def results(layer: Any, arrays: list[Any], torch: Any, dtype: str = "float64") -> list[np.ndarray[Any, Any]]:
    """The output, the gradients of the inputs, of the parameters, and the buffers afterwards."""
    inputs = [leaf(a, torch, dtype) for a in arrays]
    y = layer(*[x * 1 if getattr(layer, "inplace", False) else x for x in inputs])
    weights = np.linspace(0.5, 2.0, int(np.prod(tuple(y.shape)))).reshape(tuple(y.shape))
    (y * torch.tensor(weights.astype(str(y.dtype).removeprefix("torch.")))).sum().backward()
    found = [y.detach(), *[x.grad for x in inputs if x.requires_grad]]
    found += [p.grad for p in layer.parameters()] + list(layer.buffers())
    return [np.array(t.tolist()) for t in found if t is not None]
