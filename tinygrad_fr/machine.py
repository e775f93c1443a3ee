"""What PyTorch programs set, once and at their beginning, about the machine: its device, its threads, its determinism."""

from __future__ import annotations

import os
import warnings
from typing import Any

from tinygrad_fr.values import CPU, check_device, device


def set_default_device(device: Any) -> None:
    """Choose where new tensors are made: on the CPU, the only choice.

    Raises:
        RuntimeError: for any other device.

    >>> set_default_device("cpu")
    """
    check_device(device)


def get_default_device() -> device:
    """Where new tensors are made.

    >>> get_default_device()
    device(type='cpu')
    """
    return CPU


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted, and nothing to do: of each operation there is one algorithm, and it gives the same numbers each time.

    >>> use_deterministic_algorithms(True)
    """


_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""Where NumPy's library of matrix products reads, as it is loaded, how many threads it may use."""


def get_num_threads() -> int:
    """How many threads a matrix product may use: what the environment says, or as many as the machine has.

    >>> get_num_threads() >= 1
    True
    """
    said = (os.environ.get(name, "") for name in _THREADS)
    return next((int(n) for n in said if n.isdecimal() and int(n)), os.cpu_count() or 1)


def set_num_threads(number: int) -> None:
    """Warns, unless it is so already: NumPy's library of matrix products takes this number from the environment.

    Raises:
        RuntimeError: for what is not a positive whole number.

    >>> set_num_threads(get_num_threads())
    """
    if type(number) is not int:
        raise RuntimeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if number < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {number}")
    if number != get_num_threads():
        warnings.warn(
            f"set_num_threads({number}) changes nothing: NumPy reads the number of threads as it is loaded. Start the program "
            f"with it, `OMP_NUM_THREADS={number} python program.py`.",
            UserWarning,
            stacklevel=2,
        )
