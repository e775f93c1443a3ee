"""Switches of the current thread: whether operations are recorded, and whether the first NaN is to be found."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_fr.node import mode, switch

_F = TypeVar("_F", bound=Callable[..., Any])


class _Switch:
    """A context that sets the thread's mode and puts the former one back; also a decorator."""

    _wanted = 1
    _before: list[int]

    def __enter__(self) -> None:
        before = mode.state
        self._before.append(before)
        if before if not self._wanted else not before:  # anomaly mode stays on as long as recording does
            switch(self._wanted)

    def __exit__(self, *exc: object) -> None:
        switch(self._before.pop())

    def __call__(self, function: _F) -> _F:
        wanted = self._wanted
        if inspect.isgeneratorfunction(function):
            return _switched_generator(function, wanted)  # type: ignore[return-value]

        @functools.wraps(function)
        def switched(*args: Any, **kwargs: Any) -> Any:
            before = _switch(wanted)
            try:
                return function(*args, **kwargs)
            finally:
                switch(before)

        return switched  # type: ignore[return-value]  # wraps keeps the signature, which mypy cannot see


class set_grad_enabled(_Switch):
    """Switch recording on or off, for the current thread: as a call, a context, or a decorator.

    >>> from tinygrad_fr import tensor
    >>> x = tensor(1.0, requires_grad=True)
    >>> with set_grad_enabled(False):
    ...     print((x * 2).requires_grad)
    False
    """

    def __init__(self, mode: bool) -> None:
        self._wanted = 1 if mode else 0
        self._before = [_switch(self._wanted)]
        self._called = True

    def __enter__(self) -> None:
        if self._called:  # the call itself has switched: the context only has to switch back
            self._called = False
        else:
            super().__enter__()

    def __call__(self, function: _F) -> _F:
        if self._called:
            self._called = False
            switch(self._before.pop())
        return super().__call__(function)


def _switch(wanted: int) -> int:
    """Set the thread's mode and return the former one; anomaly mode stays on when recording does."""
    before = mode.state
    if bool(before) != bool(wanted):
        switch(wanted)
    return before


def _switched_generator(function: Callable[..., Any], wanted: int) -> Callable[..., Any]:
    """A generator function whose body runs in a mode, while the caller's own mode holds between two values."""

    @functools.wraps(function)
    def switched(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            before = _switch(wanted)
            try:
                value = resume()
            except StopIteration as stop:
                return stop.value
            finally:
                switch(before)
            try:
                sent = yield value
                resume = functools.partial(generator.send, sent)
            except GeneratorExit:
                generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)

    return switched


class no_grad(_Switch):
    """A context and a decorator under which nothing is recorded: for updates and for evaluation.

    >>> from tinygrad_fr import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5000], requires_grad=True)
    """

    _wanted = 0

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = object.__new__(cls)
        self._before = []
        return self if function is None else self(function)  # @no_grad without parentheses


class enable_grad(no_grad):
    """A context and a decorator that records again, inside `no_grad`.

    >>> from tinygrad_fr import tensor
    >>> x = tensor(1.0, requires_grad=True)
    >>> with no_grad(), enable_grad():
    ...     print((x * 2).requires_grad)
    True
    """

    _wanted = 1


class inference_mode(no_grad):
    """PyTorch's name for `no_grad` in programs that only predict; `inference_mode(False)` records.

    >>> with inference_mode():
    ...     print(is_grad_enabled())
    False
    """

    def __new__(cls, mode: Any = True) -> Any:
        return no_grad(mode) if callable(mode) else no_grad() if mode else enable_grad()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread.

    >>> is_grad_enabled()
    True
    """
    return mode.state != 0


class detect_anomaly:
    """A debugging context: backward stops at the first NaN, of a value or of a gradient, and names operation and line.

    Nodes recorded inside remember the line that made them, which costs a few microseconds each.

    >>> from tinygrad_fr import tensor
    >>> x = tensor([0.0], requires_grad=True)
    >>> with detect_anomaly():
    ...     y = (x / x).sum()
    ...     y.backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    RuntimeError: Function 'DivBackward0' returned nan values in its forward pass...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._wanted = 2 if check_nan else 1
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(mode.state)
        switch(mode.state and self._wanted)  # under no_grad nothing is recorded, here either

    def __exit__(self, *exc: object) -> None:
        switch(self._before.pop())


class set_detect_anomaly(detect_anomaly):
    """Switch anomaly detection on or off for the current thread, as a call or as a context.

    >>> with set_detect_anomaly(True):
    ...     pass
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        super().__init__(check_nan)
        self._wanted = self._wanted if mode else 1
        super().__enter__()

    def __enter__(self) -> None:
        pass
