"""PyTorch programs ask whether there is a GPU before they choose a device; here the array's own library decides."""

from __future__ import annotations

from typing import Any, NoReturn


def is_available() -> bool:
    """False: tensors compute where their arrays live. Hold CuPy arrays to compute on a GPU.

    >>> is_available()
    False
    """
    return False


def device_count() -> int:
    """0, as PyTorch says on a machine without a GPU.

    >>> device_count()
    0
    """
    return 0


def _no_cuda(name: str) -> NoReturn:
    raise AssertionError(
        f"Torch not compiled with CUDA enabled: cuda.{name} needs a GPU of PyTorch's kind, and tinygrad_fr computes where the "
        "array's own library does. Write it under `if torch.cuda.is_available():`."
    )


def current_device() -> NoReturn:
    """Raises: there is no GPU.

    Raises:
        AssertionError: always, as PyTorch on a machine without a GPU.
    """
    _no_cuda("current_device()")


def get_device_name(device: Any = None) -> NoReturn:
    """Raises `AssertionError`, as `current_device`."""
    _no_cuda("get_device_name()")


def synchronize(device: Any = None) -> NoReturn:
    """Raises `AssertionError`, as `current_device`."""
    _no_cuda("synchronize()")


def empty_cache() -> None:
    """Nothing to do: no memory of a GPU is kept."""


def memory_allocated(device: Any = None) -> int:
    """0: no memory of a GPU is used."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """0: no memory of a GPU was ever used."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Nothing to do: no memory of a GPU was ever used."""


def manual_seed(seed: int) -> None:
    """Accepted, and nothing to do: no numbers are drawn on a GPU. `manual_seed` of the package seeds what is drawn."""


def manual_seed_all(seed: int) -> None:
    """Accepted, and nothing to do, as `manual_seed`."""
