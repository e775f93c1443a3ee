"""PyTorch's switches of NVIDIA's library: programs may set them, and nothing changes, since nothing runs on it."""

from __future__ import annotations

deterministic = False
benchmark = False
enabled = True


def is_available() -> bool:
    """False: nothing here runs on NVIDIA's library.

    >>> is_available()
    False
    """
    return False


def version() -> int | None:
    """None, as PyTorch says where the library is missing."""
    return None
