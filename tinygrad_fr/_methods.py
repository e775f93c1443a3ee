"""The empty class that the operations are attached to as methods; `_methods.pyi` lists them for type checkers."""


class TensorMethods:
    """What a Tensor can do: filled by the table in `methods.py`, the only place where the ring of imports closes."""

    __slots__ = ()
