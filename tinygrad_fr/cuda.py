"""PyTorch programs ask whether there is a GPU before they choose a device; here the array's own library decides."""


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
