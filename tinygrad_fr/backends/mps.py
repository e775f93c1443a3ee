"""PyTorch programs ask whether Apple's GPU is there before they choose a device."""


def is_available() -> bool:
    """False: tensors compute where their arrays live.

    >>> is_available()
    False
    """
    return False


def is_built() -> bool:
    """False, as `is_available`."""
    return False
