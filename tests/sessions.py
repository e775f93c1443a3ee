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
