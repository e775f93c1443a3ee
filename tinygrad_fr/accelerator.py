"""PyTorch's newer way to ask whether there is a GPU, of any maker; here the array's own library decides."""

from __future__ import annotations

from tinygrad_fr.values import device


def is_available() -> bool:
    """False: tensors compute where their arrays live. Hold CuPy arrays to compute on a GPU.

    >>> is_available()
    False
    """
    return False


def current_accelerator(check_available: bool = False) -> device | None:
    """None, as PyTorch says on a machine that has only its CPU.

    >>> current_accelerator() or device("cpu")
    device(type='cpu')
    """
    return None


def device_count() -> int:
    """0, as PyTorch says on a machine that has only its CPU."""
    return 0
