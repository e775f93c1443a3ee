"""How time is measured: everyone takes turns in short rounds, and the best round of each is kept.

A *sampler* measures one contestant once: it receives the time it may spend, and returns seconds per call.
``race`` lets samplers take turns, so that a busy moment of the machine falls on all of them and not on one.
The garbage collector is off while timing; it runs between turns, where its cost counts for nobody. A short
pause precedes each turn, because the idle threads of OpenBLAS and OpenMP go on spinning after their last job
and would steal the cores of the next contestant.
"""

import gc
import time
import timeit
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Sampler = Callable[[float], float]
Key = TypeVar("Key", bound=Hashable)


def timer_sampler(make_timer: Callable[[], timeit.Timer]) -> Sampler:
    """Sampler of a ``timeit.Timer`` made afresh each round; repetitions are calibrated on the first."""
    count = 0

    def sample(budget: float) -> float:
        nonlocal count
        timer = make_timer()
        timer.timeit(1)
        if not count:
            count = 1
            while (seconds := timer.timeit(count)) < budget / 4:
                count *= 2
            count = max(1, round(count * budget / seconds))
            timer = make_timer()
        timer.timeit(1 + count // 10)  # warm the caches and the clock
        return timer.timeit(count) / count

    return sample


def statement(code: str, **names: object) -> Sampler:
    """Sampler of a statement over the given names."""
    return timer_sampler(lambda: timeit.Timer(code, globals=names))


def race(
    samplers: Mapping[Key, Sampler], rounds: int, budget: float = 0.02, pause: float = 0.03
) -> dict[Key, list[float]]:
    """Seconds per call of every sampler in every round; the order of play turns by one at each round."""
    results: dict[Key, list[float]] = {name: [] for name in samplers}
    names = list(samplers)
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()  # what exists already need not be visited by the collections between turns
    gc.disable()
    try:
        for turn in range(rounds):
            start = turn % len(names) if names else 0
            for name in names[start:] + names[:start]:
                time.sleep(pause)
                results[name].append(samplers[name](budget))
                gc.collect()
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
    return results
