"""A checkpoint is a file of names, shapes and numbers, never of code: `save` writes one, `load` reads it back.

The format is safetensors, which PyTorch and many others read: eight bytes with the length of the header, the header in JSON,
then the numbers of one tensor after another, little-endian, in C order.

    {"bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "weight": ...}

A state dict, that is any dict of names and tensors that need no gradient, is that and nothing more. Of another object the
tensors are written under names such as "model.weight", and its skeleton, the object with a name where each tensor was, as JSON
in the header's `__metadata__`.
A path that ends in `.npz` gives NumPy's archive with the same content, for programs that have only NumPy.
"""

from __future__ import annotations

import io
import math
import os
from typing import Any

import numpy as np

from tinygrad_fr.files import replaced
from tinygrad_fr.tensor import Tensor, wrap
from tinygrad_fr.values import Size, check_device, device

_DTYPES = {
    "BOOL": np.dtype(np.bool_), "U8": np.dtype(np.uint8), "I8": np.dtype(np.int8), "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16), "F16": np.dtype(np.float16), "I32": np.dtype(np.int32), "U32": np.dtype(np.uint32),
    "F32": np.dtype(np.float32), "F64": np.dtype(np.float64), "I64": np.dtype(np.int64), "U64": np.dtype(np.uint64),
}  # fmt: skip
_CODES = {dtype: code for code, dtype in _DTYPES.items()}
_RANKS = {dtype: rank for rank, dtype in enumerate(_CODES)}  # the widest elements come first in a file, so that all are aligned
_NAMES = {dtype.name: dtype for dtype in _CODES}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # what JSON has no words for

_HEADER = 100_000_000  # the bytes that the format allows a header
_DEPTH = 100  # how deep dicts and lists may lie in one another
_AXES = 64  # NumPy's limit
_UNFOLDED, _RATIO = 1 << 30, 100  # a compressed archive may unfold to 1 GiB, or to a hundred times its own size

_METADATA = "__metadata__"
_SKELETON = "tinygrad_fr"  # under this key of the metadata, and in an archive as the member of this name and ".json"

_PICKLE = (
    "it is a file of PyTorch's pickle format, and to load a pickle is to run whatever code its writer put there. If you trust "
    "where it comes from, convert its state dict once, in a program that has PyTorch: "
    '`safetensors.torch.save_file(torch.load("model.pt", weights_only=True), "model.safetensors")`.'
)


def save(obj: Any, f: Any) -> None:
    """Write numbers, and the dicts, lists and tuples that hold them, to a file; `load` gives an equal object back.

    What can be saved: dicts whose keys are strings, numbers, booleans or None; lists, tuples, `Size`; numbers, strings,
    booleans, None; Tensors; NumPy's arrays, scalars and dtypes. A Tensor is saved by value: `requires_grad` comes back, its
    history and its gradient do not. Tensors that share memory are written each, and come back equal but apart. Any kind of
    dict comes back as a `dict`, in the same order, and a `Parameter` as a Tensor.

    A file given by its path is complete or untouched: the bytes go to a temporary file beside it, which then takes its place.

    Args:
        obj: `model.state_dict()`, or a checkpoint such as `{"epoch": 3, "model": model.state_dict(), "loss": 0.1}`.
        f: a path, or a file opened for writing bytes. A path in `.npz` gives NumPy's archive, any other a safetensors file.

    Raises:
        TypeError: for what is not data, such as a model, a function or an array of texts; it says what to save instead.
        ValueError: for an object that contains itself, or a name that an archive cannot hold.
        RuntimeError: when the folder does not exist.
        OSError: when the file cannot be written.

    >>> import io
    >>> import tinygrad_fr as torch
    >>> file = io.BytesIO()
    >>> torch.save({"epoch": 3, "model": {"w": torch.tensor([1.0, 2.0])}}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'epoch': 3, 'model': {'w': tensor([1., 2.])}}
    """
    import json

    arrays: dict[str, Any] = {}
    packed = _packed(obj, (), arrays)
    plain = isinstance(obj, dict) and packed == {"dict": [[name, {"tensor": name}] for name in obj]}
    skeleton = None if plain else json.dumps(packed, allow_nan=False, separators=(",", ":"))
    if isinstance(f, (str, os.PathLike)):
        path = os.fsdecode(f)
        write = _write_npz if path.lower().endswith(".npz") else _write_safetensors
        with replaced(path) as file:
            write(file, arrays, skeleton)
    elif hasattr(f, "write"):
        _write_safetensors(f, arrays, skeleton)
    else:
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, got {type(f).__name__}: "
            'write `save(obj, "model.safetensors")`.'
        )


def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Read what `save` has written, or any safetensors file or `.npz` archive of numbers, which gives a dict of tensors.

    The format is recognised by the first bytes, whatever the file is called. No code is ever run: the file is checked before
    a tensor is made of it. Tensors own their memory and can be written to; bfloat16 becomes float32, which holds it exactly.

    Args:
        f: a path, or a file opened for reading bytes that can seek; it is read from where it stands to its end.
        map_location: accepted for PyTorch programs; tensors are made on the CPU, and another device is refused.
        weights_only: accepted for PyTorch programs; these files hold nothing else.

    Raises:
        RuntimeError: for a file that is cut, damaged, hostile, or in another format, such as PyTorch's pickles, and for
            another device.
        OSError: when the file cannot be read; `FileNotFoundError` when there is none.

    >>> import io
    >>> load(io.BytesIO(b"PK\\x03\\x04"))
    Traceback (most recent call last):
    RuntimeError: cannot load the file: it is not a whole archive (File is not a zip file).
    """
    if isinstance(map_location, (str, device)):
        check_device(map_location)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return _loaded(file, os.fsdecode(f))
    if not (hasattr(f, "read") and hasattr(f, "seek")):
        raise AttributeError(
            f"{type(f).__name__!r} object has no attribute 'seek': you can only load from a path or from a file that is "
            "seekable. Read the bytes first and write `load(io.BytesIO(data))`."
        )
    if isinstance(f, io.TextIOBase):
        raise TypeError("expected a file of bytes, got a file of text: open it with `open(path, 'rb')`.")
    return _loaded(f, getattr(f, "name", "the file"))


# -- an object and its skeleton ----------------------------------------------------------------------------------------


def _packed(value: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> Any:
    """The skeleton of a value, made of what JSON knows; its arrays go to `arrays`, and the skeleton has their names.

    Numbers, strings, booleans, None and lists stand for themselves; everything else is {"its kind": its content}.
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Tensor):
        return {"leaf" if value.requires_grad else "tensor": _kept(np.asarray(value._array), path, arrays)}
    if kind in (np.ndarray, np.memmap):
        return {"array": _kept(value, path, arrays)}
    if isinstance(value, np.generic):
        return {"scalar": _kept(np.asarray(value), path, arrays)}
    if isinstance(value, np.dtype) and value.name in _NAMES:
        return {"dtype": value.name}
    if len(path) >= _DEPTH:
        raise ValueError(f"cannot save {_where(path[:3])}...: it is nested deeper than {_DEPTH} levels, or contains itself.")
    if isinstance(value, dict):
        return {"dict": [[_key(key, path), _packed(item, (*path, key), arrays)] for key, item in value.items()]}
    if kind in (list, tuple, Size):
        items = [_packed(item, (*path, i), arrays) for i, item in enumerate(value)]
        return items if kind is list else {kind.__name__.lower(): items}
    raise TypeError(f"cannot save {_where(path)}, a {kind.__name__}: {_instead(value)}")


def _key(key: Any, path: tuple[Any, ...]) -> Any:
    if key is not None and type(key) not in (bool, int, float, str):
        raise TypeError(
            f"cannot save {_where(path)}: its key {key!r} is a {type(key).__name__}, and keys are strings, numbers, booleans "
            "or None. Write `str(key)` or `int(key)`."
        )
    return _packed(key, path, {})


def _kept(array: Any, path: tuple[Any, ...], arrays: dict[str, Any]) -> str:
    """Put an array among `arrays`, under the name that its path gives: "model.0.weight"."""
    if array.dtype.name not in _NAMES:
        raise TypeError(
            f"cannot save {_where(path)}, an array of dtype {array.dtype}: a checkpoint holds integers, booleans and floats of "
            "at most 64 bits. Save `a.real` and `a.imag` of complex numbers, `a.tolist()` of texts and objects."
        )
    name = ".".join(map(str, path)) if path else "tensor"
    name = name.encode("utf-8", "replace").decode()  # others cannot read a lone surrogate
    while name in arrays or name == _METADATA:  # {"a.b": t, "a": {"b": u}}
        name += "'"
    arrays[name] = array
    return name


def _where(path: tuple[Any, ...]) -> str:
    return "obj" + "".join(f"[{key!r}]" for key in path)


def _instead(value: Any) -> str:
    """What to save in place of something that is not data."""
    if hasattr(value, "state_dict") and not isinstance(value, type):
        return (
            "a checkpoint holds numbers, and not the code that they belong to. Write `save(model.state_dict(), path)`; later, "
            "make the model anew and write `model.load_state_dict(load(path))`."
        )
    if callable(value):
        return "it is code, and a checkpoint holds none, so that loading one runs none. Save the numbers it needs."
    if isinstance(value, complex):
        return "save its `.real` and its `.imag`."
    if isinstance(value, (bytes, bytearray)):
        return "save `np.frombuffer(data, np.uint8)`."
    return (
        "a checkpoint holds dicts, lists, tuples, numbers, strings, booleans, None, Tensors and NumPy arrays. Convert it, for "
        "instance with `list(...)` or `str(...)`."
    )


def _unpacked(skeleton: Any, arrays: dict[str, Any]) -> Any:
    """The value of which `_packed` made this skeleton; each array is taken out of `arrays`, so that it is used once."""
    if isinstance(skeleton, list):
        return [_unpacked(item, arrays) for item in skeleton]
    if not isinstance(skeleton, dict):
        return skeleton
    ((kind, content),) = skeleton.items()
    if kind in ("dict", "tuple", "size") and not isinstance(content, list):
        raise ValueError(f"a {kind} without items")
    if kind == "dict":
        value = {_unpacked(key, arrays): _unpacked(item, arrays) for key, item in content}
        if len(value) != len(content):
            raise ValueError("a key stands in it twice")
        return value
    if kind == "tuple":
        return tuple(_unpacked(content, arrays))
    if kind == "size":
        return Size(_unpacked(content, arrays))
    if kind == "float":
        return _FLOATS[content]
    if kind == "dtype":
        return _NAMES[content]
    if content not in arrays:
        raise ValueError(f"there is no array {content!r}")
    array = arrays.pop(content)
    if kind == "tensor":
        return wrap(array)
    if kind == "leaf" and array.dtype.kind == "f":
        leaf = wrap(array)
        leaf.requires_grad = True
        return leaf
    if kind == "array":
        return array
    if kind == "scalar" and array.ndim == 0:
        return array[()]
    raise ValueError(f"{content!r} is no {kind}")


def _rebuilt(skeleton: str | None, arrays: dict[str, Any]) -> Any:
    """The object of a file: with a skeleton what was saved, without one a dict of tensors."""
    if skeleton is None:
        return {name: wrap(array) for name, array in arrays.items()}
    try:
        value = _unpacked(_json(skeleton), arrays)
        if arrays:
            raise ValueError(f"it does not say where {next(iter(arrays))!r} belongs")
    except (KeyError, TypeError, ValueError) as error:
        raise _Unreadable(f"the skeleton of the saved object is damaged ({error}).") from None
    return value


# -- files -------------------------------------------------------------------------------------------------------------


class _Unreadable(ValueError):
    """What is wrong with a file; `load` says it with the file's name."""


def _loaded(file: Any, name: str) -> Any:
    """Recognise the format of an open file and read it; what is wrong with a file is said here, with its name."""
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    first = file.read(9)
    file.seek(start)
    try:
        if first[8:] == b"{":
            return _read_safetensors(file, size)
        if first.startswith(b"PK"):
            return _read_npz(file, size)
        if first.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
            raise _Unreadable(_PICKLE)
        if not first:
            raise _Unreadable("there is nothing to read. A file that was just written is read after `file.seek(0)`.")
        raise _Unreadable("it begins neither as a safetensors file nor as an .npz archive.")
    except RecursionError:
        raise RuntimeError(f"cannot load {name}: it is nested too deeply.") from None
    except ValueError as error:
        raise RuntimeError(f"cannot load {name}: {error}") from None


def _json(text: str) -> Any:
    """JSON to the letter: no name twice in an object, no NaN."""
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a name stands twice in an object")
        return table

    def no_number(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, object_pairs_hook=unique, parse_constant=no_number)


def _lengths(shape: Any) -> bool:
    """Whether these can be the lengths of the axes of an array."""
    return len(shape) <= _AXES and all(type(n) is int and 0 <= n < 1 << 63 for n in shape)


def _array(data: bytes, stored: Any, shape: Any) -> Any:
    """The array of these bytes, with memory of its own, in the order of bytes of this machine."""
    if stored.kind == "b":
        return np.frombuffer(data, np.uint8).reshape(shape).astype(np.bool_)  # whatever is not 0 is True
    return np.frombuffer(data, stored).reshape(shape).astype(stored.newbyteorder("="), order="C")


# -- safetensors -------------------------------------------------------------------------------------------------------


def _write_safetensors(file: Any, arrays: dict[str, Any], skeleton: str | None) -> None:
    import json

    layout = sorted(arrays, key=lambda name: (-_RANKS[_NAMES[arrays[name].dtype.name]], name))
    places, end = {}, 0
    for name in layout:
        places[name] = (end, end + arrays[name].nbytes)
        end += arrays[name].nbytes
    header: dict[str, Any] = {} if skeleton is None else {_METADATA: {_SKELETON: skeleton}}
    for name, array in arrays.items():  # in the object's order, which so survives; the places are the format's
        code = _CODES[_NAMES[array.dtype.name]]
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": places[name]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _HEADER:
        raise ValueError(f"names and skeleton take {len(text)} bytes, and the format allows {_HEADER}: save less at once.")
    file.write(len(text).to_bytes(8, "little") + text)
    for name in layout:
        array = arrays[name]
        file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


def _read_safetensors(file: Any, size: int) -> Any:
    length = int.from_bytes(file.read(8), "little")
    if length > _HEADER:
        raise _Unreadable(f"its header claims {length} bytes, and the format allows {_HEADER}: is it something else?")
    if length > size - 8:
        raise _Unreadable(f"its header claims {length} bytes, and the file has {size}: it is cut, or something else.")
    try:
        header = _json(file.read(length).decode("utf-8"))
    except ValueError as error:
        raise _Unreadable(f"its header is damaged ({error}).") from None
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _Unreadable("its metadata are not texts.")
    places = {name: _place(name, entry) for name, entry in header.items()}
    layout, end = sorted(places, key=places.__getitem__), 0
    for name in layout:
        begin, stop = places[name]
        if begin != end:
            raise _Unreadable(f"tensor {name!r} begins at byte {begin} of the data, and the one before it ends at {end}.")
        end = stop
    if end != size - 8 - length:
        raise _Unreadable(f"its tensors take {end} bytes, and {size - 8 - length} are there: it is cut, or was added to.")
    arrays = dict.fromkeys(header)
    for name in layout:
        begin, stop = places[name]
        data, code, shape = file.read(stop - begin), header[name]["dtype"], header[name]["shape"]
        if code == "BF16":  # the upper half of a float32
            wide = np.empty(shape, np.float32)
            np.left_shift(np.frombuffer(data, "<u2").reshape(shape), 16, out=wide.view(np.uint32), dtype=np.uint32)
            arrays[name] = wide
        else:
            arrays[name] = _array(data, _DTYPES[code].newbyteorder("<"), shape)
    return _rebuilt(metadata.get(_SKELETON), arrays)


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Where a tensor begins and ends in the data, after its entry in the header was found consistent."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _Unreadable(f"tensor {name!r} is not described by a dtype, a shape and data_offsets.")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in (*_DTYPES, "BF16"):
        raise _Unreadable(f"tensor {name!r} has dtype {code!r}, which NumPy has not: convert it to F32 where it was written.")
    if not isinstance(shape, list) or not _lengths(shape):
        raise _Unreadable(f"the shape of tensor {name!r} is not a list of at most {_AXES} lengths.")
    if not isinstance(offsets, list) or not _lengths(offsets) or len(offsets) != 2:
        raise _Unreadable(f"the data_offsets of tensor {name!r} are not two places in the data.")
    begin, end = offsets
    needed = math.prod(shape) * (2 if code == "BF16" else _DTYPES[code].itemsize)
    if end - begin != needed:
        raise _Unreadable(f"tensor {name!r} of shape {shape} and dtype {code} takes {needed} bytes, and has {end - begin}.")
    return begin, end


# -- NumPy's archives --------------------------------------------------------------------------------------------------


def _write_npz(file: Any, arrays: dict[str, Any], skeleton: str | None) -> None:
    import zipfile

    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            if not _sound(name):
                raise ValueError(f"an archive cannot hold the name {name!r}: save to a path that ends in .safetensors.")
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
        if skeleton is not None:
            archive.writestr(zipfile.ZipInfo(f"{_SKELETON}.json"), skeleton)


def _sound(name: str) -> bool:
    """Whether an archive can hold the name, and it stays inside the archive on every system."""
    return not (set("\0\\") & set(name) or name.startswith("/") or ".." in name.split("/") or len(name) > 10_000)


def _read_npz(file: Any, size: int) -> Any:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            arrays, skeleton = _members(archive, size)
    except (_Unreadable, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and the parser of NumPy's headers meet damage with a dozen types
        raise _Unreadable(f"it is not a whole archive ({error}).") from None
    return _rebuilt(skeleton, arrays)


def _members(archive: Any, size: int) -> tuple[dict[str, Any], str | None]:
    """The arrays of an archive, and the skeleton if there is one."""
    arrays: dict[str, Any] = {}
    skeleton = None
    members = archive.infolist()
    if any(member.filename.endswith(".pkl") for member in members):
        raise _Unreadable(_PICKLE)
    unfolded = sum(member.file_size for member in members)
    if unfolded > max(_UNFOLDED, _RATIO * size):
        raise _Unreadable(f"it has {size} bytes and claims to unfold to {unfolded}: a bomb. Write large arrays uncompressed.")
    if len({member.filename for member in members}) < len(members):
        raise _Unreadable("a name stands twice in it.")
    for member in members:
        if not _sound(member.filename):
            raise _Unreadable(f"its member {member.filename!r} is a path that leads out of the archive.")
        with archive.open(member) as stream:
            if member.filename == f"{_SKELETON}.json":
                skeleton = stream.read().decode("utf-8")
            elif member.filename.endswith(".npy"):
                name = member.filename.removesuffix(".npy")
                arrays[name] = _read_npy(stream, member.file_size, name)
            else:
                raise _Unreadable(f"its member {member.filename!r} is not an .npy array.")
    return arrays, skeleton


def _read_npy(stream: Any, size: int, name: str) -> Any:
    """One array of an archive; its header is compared with the bytes that are there before these are read."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise _Unreadable(f"array {name!r} has version {version} of NumPy's format, which is for named fields.")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise _Unreadable(f"array {name!r} holds Python objects, that is a pickle: to load one is to run its writer's code.")
    if dtype.name not in _NAMES:
        raise _Unreadable(f"array {name!r} is of dtype {dtype}: a tensor holds numbers or booleans of at most 64 bits.")
    there = size - stream.tell()
    if not _lengths(shape) or math.prod(shape) * dtype.itemsize != there:
        raise _Unreadable(f"array {name!r} of shape {shape} and dtype {dtype} does not take the {there} bytes that are there.")
    data = stream.read(there)
    return _array(data, dtype, shape[::-1]).T.copy() if fortran else _array(data, dtype, shape)
