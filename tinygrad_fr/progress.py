"""How far a long loop has come: a bar where somebody watches, a few lines where a file listens."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")

PAUSE = 2.0  # seconds between two lines, at least: a short loop says one line, when it is over


def progress(
    iterable: Iterable[T], *, description: str, total: int | None = None, weight: Callable[[T], int] | None = None
) -> Iterator[T]:
    """Go through an iterable and say on standard error how far one is; the items are passed on as they are.

    On a terminal and in a notebook this is the bar of tqdm, where it is installed (`pip install tqdm`). In a pipe, a file or
    the log of a CI a bar would be thousands of characters that nobody can read. There, and without tqdm, it is a line each
    time that another tenth is done, two seconds after the line before at the earliest, and a line at the end: one line for a
    quick loop, ten for a long one.

        Training:  30 % 30/100 [00:21<00:49]

    says that 21 seconds were spent and that some 49 are to come. Where the total is not known, each line waits twice as long
    as the one before. Standard output is left to the program, and `2>/dev/null` silences it all.

    Args:
        iterable: what to go through.
        description: what is being done, in a word or two.
        total: how much there is to do; the length of the iterable, where it has one.
        weight: how much an item counts for, such as `len` for the pieces of a file; one, if not given.

    >>> sum(progress([1, 2, 3], description="Adding"))
    6
    """
    if total is None and weight is None and isinstance(iterable, Sized):
        total = len(iterable)
    if sys.stderr is None:  # a program without a console, on Windows
        return iter(iterable)
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        try:
            return _bar(iterable, description, total, weight)
        except ImportError:
            pass  # no tqdm: lines will do
    return _lines(iterable, description, total, weight)


def _bar(iterable: Iterable[T], description: str, total: int | None, weight: Callable[[T], int] | None) -> Iterator[T]:
    from tqdm import tqdm

    if weight is None:
        return iter(tqdm(iterable, description, total))

    def weighed() -> Iterator[T]:
        with tqdm(desc=description, total=total, unit="", unit_scale=True) as bar:
            for item in iterable:
                yield item
                bar.update(weight(item))

    return weighed()


def _lines(iterable: Iterable[T], description: str, total: int | None, weight: Callable[[T], int] | None) -> Iterator[T]:
    start = last = time.monotonic()
    pause, done, tenths = PAUSE, 0, 0

    def say(now: float) -> None:
        spent, share = now - start, f"{done}"
        if total:
            share = f"{done / total:4.0%}".replace("%", " %") + f" {done}/{total}"
        left = f"<{_clock(spent / done * (total - done))}" if total and 0 < done < total else ""
        print(f"{description}: {share} [{_clock(spent)}{left}]", file=sys.stderr, flush=True)

    for item in iterable:
        yield item
        done += 1 if weight is None else weight(item)
        now = time.monotonic()
        if now - last < pause or (total and (done >= total or 10 * done // total == tenths)):
            continue
        say(now)
        last = now
        if total:
            tenths = 10 * done // total
        else:
            pause *= 2
    say(time.monotonic())


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"
