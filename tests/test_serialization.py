"""Checkpoints: what is saved comes back, other programs read it, and no file, however damaged or hostile, does harm.

The real `safetensors` package and PyTorch are asked where they are installed; the recorded bytes at the top hold without them.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import stat
import tracemalloc
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_fr as tg
from tinygrad_fr import serialization
from tinygrad_fr.serialization import load, save

DTYPES = [np.dtype(n) for n in "bool uint8 int8 int16 uint16 float16 int32 uint32 float32 float64 int64 uint64".split()]

STATE = {"weight": tg.tensor([[1.0, -2.0]]), "steps": tg.tensor(7)}
STATE_BYTES = (
    b"\x78\x00\x00\x00\x00\x00\x00\x00"
    b'{"weight":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},'
    b'"steps":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}  '
    b"\x07\x00\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x80?\x00\x00\x00\xc0"
)
CHECKPOINT = {"epoch": 3, "model": {"w": tg.tensor([1.0])}, "state": {0: (True, None, math.inf)}}
CHECKPOINT_BYTES = (
    b"\x00\x01\x00\x00\x00\x00\x00\x00"
    b'{"__metadata__":{"tinygrad_fr":"{\\"dict\\":[[\\"epoch\\",3],[\\"model\\",{\\"dict\\":[[\\"w\\",{\\"tensor\\":\\"model.w\\"}]]}],'
    b'[\\"state\\",{\\"dict\\":[[0,{\\"tuple\\":[true,null,{\\"float\\":\\"inf\\"}]}]]}]]}"},'
    b'"model.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}     '
    b"\x00\x00\x80?"
)


def saved(obj: Any) -> bytes:
    """The bytes that `save` writes to an open file."""
    file = io.BytesIO()
    save(obj, file)
    return file.getvalue()


def loaded(data: bytes) -> Any:
    return load(io.BytesIO(data))


def npz(obj: Any, folder: Path) -> bytes:
    """The bytes of the archive that `save` writes."""
    save(obj, folder / "it.npz")
    return (folder / "it.npz").read_bytes()


def same(a: Any, b: Any) -> bool:
    """Whether two objects are of the same types, in the same order, with the same values to the bit."""
    if type(a) is not type(b):
        return isinstance(a, dict) and type(b) is dict and same(dict(a), b)
    if isinstance(a, tg.Tensor):
        return a.requires_grad == b.requires_grad and same(a.detach().numpy(), b.detach().numpy())
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def written(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


# -- what is saved comes back ------------------------------------------------------------------------------------------


def test_the_bytes_of_a_state_dict() -> None:
    """Eight bytes of length, the header in the dict's order and padded with spaces, the widest numbers first."""
    assert saved(STATE) == STATE_BYTES
    assert same(loaded(STATE_BYTES), STATE)


def test_the_bytes_of_a_checkpoint() -> None:
    """The skeleton, JSON inside JSON; a file written today is read tomorrow."""
    assert saved(CHECKPOINT) == CHECKPOINT_BYTES
    assert same(loaded(CHECKPOINT_BYTES), CHECKPOINT)


arrays = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
tensors = arrays.map(tg.tensor)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | tensors | arrays | st.sampled_from(DTYPES)
    | arrays.filter(lambda a: a.ndim == 0).map(lambda a: a[()]) | st.just(tg.Size((2, 3)))
    | st.just(tg.ones(2)).map(lambda t: t.clone().requires_grad_())
)  # fmt: skip
keys = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
objects = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=10,
)


@given(objects)
def test_any_object_comes_back(obj: Any) -> None:
    assert same(loaded(saved(obj)), obj)


@given(obj=objects)
def test_any_object_comes_back_from_an_archive(obj: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("npz") / "it.npz"
    try:
        save(obj, path)
    except ValueError as error:
        assert "an archive cannot hold the name" in str(error)
        assert not list(path.parent.iterdir())
    else:
        assert same(load(path), obj)


@pytest.mark.parametrize("name", ["it.pt", "it.pth", "it.bin", "it", "it.safetensors", "it.npz", "IT.NPZ", "é.npz"])
def test_the_suffix_does_not_matter_for_loading(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    save(CHECKPOINT, path)
    assert path.read_bytes().startswith(b"PK") == name.lower().endswith(".npz")
    assert same(load(str(path)), CHECKPOINT)
    path.rename(tmp_path / "other")
    assert same(load(tmp_path / "other"), CHECKPOINT)


def test_keywords_are_pytorchs(tmp_path: Path) -> None:
    save(obj=STATE, f=tmp_path / "it.pt")
    for options in ({"weights_only": False}, {"map_location": "cpu"}, {"map_location": tg.device("cpu")}):
        assert same(load(f=tmp_path / "it.pt", **options), STATE)
    assert same(load(tmp_path / "it.pt", lambda storage, location: storage), STATE)
    assert same(load(tmp_path / "it.pt", {"cuda:0": "cpu"}), STATE)
    with pytest.raises(RuntimeError, match="has no device 'cuda:0'"):
        load(tmp_path / "it.pt", map_location="cuda:0")


def test_the_order_of_a_dict_is_kept() -> None:
    """Although the file has the tensors in the order of the format."""
    state = {name: tg.zeros(2, dtype=dtype) for name, dtype in zip("zabyc", DTYPES[3:8], strict=True)}
    assert list(loaded(saved(state))) == list("zabyc")


def test_a_hundred_levels() -> None:
    obj: Any = tg.ones(1)
    for level in range(50):
        obj = {level: [obj]}
    assert same(loaded(saved(obj)), obj)
    with pytest.raises(ValueError, match="nested deeper than 100 levels"):
        saved([obj])


def test_names_that_meet() -> None:
    """{"a.b": …} and {"a": {"b": …}} would have one name; the reserved name is nobody's."""
    obj = {"a.b": tg.zeros(1), "a": {"b": tg.ones(1), "b'": tg.ones(2)}, "a.b'": tg.ones(3), "__metadata__": tg.zeros(0)}
    assert same(loaded(saved(obj)), obj)
    assert same(loaded(saved({"__metadata__": tg.ones(1)})), {"__metadata__": tg.ones(1)})


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """Half of a surrogate pair cannot be written as UTF-8: the tensor is named otherwise, and the key survives."""
    obj = {"\ud800": tg.ones(1), "?": tg.zeros(1)}
    assert same(loaded(saved(obj)), obj)
    assert same(loaded(npz(obj, tmp_path)), obj)


def test_dicts_of_every_kind_come_back_as_dicts() -> None:
    for kind in (OrderedDict({"b": 1, "a": 2}), defaultdict(int, a=1)):
        assert type(loaded(saved(kind))) is dict
        assert loaded(saved(kind)) == dict(kind)


def test_a_tensor_is_saved_by_value() -> None:
    """The values and `requires_grad`; neither the history nor the gradient."""
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    back = loaded(saved({"w": w, "y": w * 2, "detached": w.detach(), "view": tg.arange(6).reshape(2, 3).T}))
    assert back["w"].requires_grad and back["w"].is_leaf and back["w"].grad is None
    assert back["y"].is_leaf and back["y"].tolist() == [2.0, 4.0]
    assert not back["detached"].requires_grad
    assert back["view"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert w.grad is not None and w.grad.tolist() == [2.0, 4.0], "saving changes nothing"


def test_tensors_that_share_memory_come_back_equal_but_apart() -> None:
    w = tg.ones(2)
    back = loaded(saved({"a": w, "b": w, "part": w[:1]}))
    assert back["a"].tolist() == back["b"].tolist() == [1.0, 1.0]
    back["a"].zero_()
    assert back["b"].tolist() == [1.0, 1.0] and back["part"].tolist() == [1.0]


@pytest.mark.parametrize("name", ["it.pt", "it.npz"])
def test_loaded_tensors_own_their_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    save({"w": tg.arange(6.0).reshape(2, 3).T, "n": tg.tensor(1), "b": tg.tensor([True])}, path)
    before = path.read_bytes()
    first, second = load(path), load(path)
    for key, t in first.items():
        array = t.numpy()
        assert array.flags.owndata and array.flags.writeable and array.flags.c_contiguous and array.dtype.isnative, key
        t.zero_()
    assert second["w"].sum().item() == 15.0 and second["n"].item() == 1
    assert path.read_bytes() == before


def test_an_open_file_is_written_to_and_read_from_where_it_stands(tmp_path: Path) -> None:
    with open(tmp_path / "it", "w+b") as file:
        file.write(b"before")
        save(STATE, file)
        file.seek(6)
        assert same(load(file), STATE)
        assert file.read() == b""
        with pytest.raises(RuntimeError, match=r"cannot load .*it: there is nothing to read.*file\.seek\(0\)"):
            load(file)


def test_an_archive_in_an_open_file() -> None:
    file = io.BytesIO()
    np.savez(file, w=np.ones(2))
    file.seek(0)
    assert load(file)["w"].tolist() == [1.0, 1.0]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for call in (lambda: save(STATE, 3), lambda: load(3)):
        with pytest.raises(AttributeError, match="int"):
            call()
    (tmp_path / "it").write_bytes(STATE_BYTES)
    with open(tmp_path / "it") as text, pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
        load(text)
    with pytest.raises(FileNotFoundError, match=r"absent\.pt"):
        load(tmp_path / "absent.pt")


def test_optimizer_state_survives() -> None:
    """Keys that are integers, tuples of floats, and a step as a tensor without axes."""
    state = {
        "state": {0: {"step": tg.tensor(5.0), "exp_avg": tg.zeros(2, 3)}, 1: {"step": tg.tensor(5.0)}},
        "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "amsgrad": False, "foreach": None, "params": [0, 1]}],
    }
    assert same(loaded(saved({"epoch": 3, "optimizer": state, "loss": np.float32(0.1)}))["optimizer"], state)


@pytest.mark.parametrize("name", ["it.pt", "it.npz"])
def test_a_training_that_is_resumed_goes_on_as_if_it_had_not_stopped(name: str, tmp_path: Path) -> None:
    """Model, optimiser, schedule and the state of the random numbers, saved after ten steps of twenty."""

    def start() -> tuple[Any, Any, Any]:
        model = tg.nn.Sequential(tg.nn.Linear(2, 4), tg.nn.Tanh(), tg.nn.Dropout(0.2), tg.nn.Linear(4, 1))
        optimizer = tg.optim.Adam(model.parameters(), lr=0.05)
        return model, optimizer, tg.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)

    def train(model: Any, optimizer: Any, schedule: Any, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            x = tg.randn(8, 2)
            loss = tg.nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        return losses

    tg.manual_seed(0)
    parts = start()
    train(*parts, steps=10)
    model, optimizer, schedule = parts
    checkpoint = {
        "epoch": 10,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "random": tg.get_rng_state(),
    }
    save(checkpoint, tmp_path / name)
    expected = train(*parts, steps=10)

    again = start()
    checkpoint = load(tmp_path / name)
    for part, key in zip(again, ("model", "optimizer", "schedule"), strict=True):
        part.load_state_dict(checkpoint[key])
    tg.set_rng_state(checkpoint["random"])
    assert train(*again, steps=10) == expected
    assert same(again[0].state_dict(), dict(model.state_dict()))


def test_a_model_is_not_saved_but_its_state_dict_is(tmp_path: Path) -> None:
    model = tg.nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"cannot save obj, a Linear: .*save\(model\.state_dict\(\), path\)"):
        save(model, tmp_path / "it.pt")
    save(model.state_dict(), tmp_path / "it.pt")
    twin = tg.nn.Linear(2, 3)
    twin.load_state_dict(load(tmp_path / "it.pt"))
    assert same(dict(twin.state_dict()), dict(model.state_dict()))
    assert type(load(tmp_path / "it.pt")["weight"]) is tg.Tensor


def test_arrays_of_another_library_are_saved_by_value() -> None:
    dask = pytest.importorskip("dask.array")
    assert loaded(saved({"w": tg.from_numpy(dask.arange(3))}))["w"].tolist() == [0, 1, 2]


# -- what cannot be saved ----------------------------------------------------------------------------------------------


class Model:
    """Stands for a module or an optimiser: it has a state_dict."""

    def state_dict(self) -> dict[str, tg.Tensor]:
        return STATE


circle: list[Any] = []
circle.append(circle)


@pytest.mark.parametrize(
    ("obj", "kind", "words"),
    [
        (Model(), TypeError, r"cannot save obj, a Model: .*save\(model\.state_dict\(\), path\)"),
        ({"model": [Model()]}, TypeError, r"cannot save obj\['model'\]\[0\], a Model"),
        ({"activation": math.tanh}, TypeError, r"obj\['activation'\].*it is code"),
        (lambda x: x, TypeError, "it is code"),
        (Model, TypeError, "it is code"),
        ({"z": 1j}, TypeError, r"`\.real` and its `\.imag`"),
        ({"z": np.array([1j])}, TypeError, r"dtype complex128.*a\.real"),
        ({"z": np.complex64(1)}, TypeError, "dtype complex64"),
        ({"words": np.array(["a"])}, TypeError, r"dtype <U1.*a\.tolist\(\)"),
        ({"words": np.array([None])}, TypeError, "dtype object"),
        ({"when": np.array(["2020-01-01"], "M8[D]")}, TypeError, "dtype datetime64"),
        ({"masked": np.ma.array([1.0])}, TypeError, "a MaskedArray"),
        ({"dtype": np.dtype("U3")}, TypeError, r"obj\['dtype'\]"),
        ({"names": {"a"}}, TypeError, r"a set: .*list\("),
        ({"raw": b"abc"}, TypeError, r"np\.frombuffer"),
        ({"path": Path("a")}, TypeError, r"str\("),
        ({"pair": tg.tensor([1.0]).max(0)}, TypeError, r"obj\['pair'\]"),
        ({(1, 2): 3}, TypeError, r"key \(1, 2\) is a tuple"),
        ({"a": {np.int64(1): 2}}, TypeError, r"obj\['a'\]: its key .* is a int64.*int\(key\)"),
        (circle, ValueError, r"obj\[0\]\[0\]\[0\]\.\.\.: it is nested deeper than 100 levels, or contains itself"),
    ],
)
@pytest.mark.parametrize("name", ["it.pt", "it.npz"])
def test_what_is_not_data_is_refused_before_anything_is_written(
    obj: Any, kind: type[Exception], words: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"the old file")
    with pytest.raises(kind, match=words):
        save(obj, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"the old file"
    file = io.BytesIO()
    with pytest.raises(kind):
        save(obj, file)
    assert file.getvalue() == b""


@pytest.mark.parametrize("name", ["../up", "/root", "a/../b", "..", "a\\b", "a\0b", "a" * 70_000])
def test_a_name_that_an_archive_cannot_hold(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot hold the name .*\.safetensors"):
        save({name: tg.ones(1)}, tmp_path / "it.npz")
    assert not list(tmp_path.iterdir())
    assert same(loaded(saved({name: tg.ones(1)})), {name: tg.ones(1)})


def test_a_header_that_would_not_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "_HEADER", 100)
    with pytest.raises(ValueError, match="the format allows 100"):
        saved(STATE)


# -- files are complete or untouched -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["it.pt", "it.npz"])
@pytest.mark.parametrize("failing", ["os.fsync", "os.replace", "serialization._write"])
@pytest.mark.parametrize("old", [None, b"the old file"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_what_was_there(
    name: str, failing: str, old: bytes | None, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    if old is not None:
        path.write_bytes(old)

    def fail(*args: Any) -> None:
        if failing.endswith("_write"):
            args[0].write(b"half of it")
        raise error

    if failing.endswith("_write"):
        monkeypatch.setattr(serialization, "_write_npz" if name.endswith("npz") else "_write_safetensors", fail)
    else:
        monkeypatch.setattr(os, failing.removeprefix("os."), fail)
    with pytest.raises(type(error)):
        save(CHECKPOINT, path)
    assert [p.name for p in tmp_path.iterdir()] == ([] if old is None else [name])
    assert old is None or path.read_bytes() == old


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it.pt"
    save({"w": tg.zeros(2)}, path)
    seen = []
    replace = os.replace

    def look(source: str, target: str) -> None:
        assert Path(source).parent == tmp_path, "another disk could not be renamed from"
        seen.append(load(path)["w"].tolist())
        assert load(source)["w"].tolist() == [1.0, 1.0], "the new file is complete before it gets the name"
        replace(source, target)

    monkeypatch.setattr(os, "replace", look)
    save({"w": tg.ones(2)}, path)
    assert seen == [[0.0, 0.0]] and load(path)["w"].tolist() == [1.0, 1.0]


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    path = tmp_path / "it.pt"
    save(STATE, path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    path.chmod(0o640)
    save(STATE, path)
    assert os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    save(STATE, path)
    path.chmod(0o400)
    with pytest.raises(PermissionError, match=r"best\.pt"):
        save({}, path)
    assert same(load(path), STATE)


def test_a_link_goes_on_leading_to_its_file(tmp_path: Path) -> None:
    save(STATE, tmp_path / "real.pt")
    try:
        (tmp_path / "latest.pt").symlink_to("real.pt")
    except OSError:
        pytest.skip("this system has no links for us")
    save({"w": tg.ones(1)}, tmp_path / "latest.pt")
    assert (tmp_path / "latest.pt").is_symlink()
    assert load(tmp_path / "real.pt")["w"].tolist() == [1.0]


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match=r"Parent directory .*absent does not exist: .*os\.makedirs"):
        save(STATE, tmp_path / "absent" / "it.pt")
    with pytest.raises(OSError):
        save(STATE, tmp_path)
    monkeypatch.chdir(tmp_path)
    save(STATE, "it.pt")  # no folder in the path: here
    assert same(load("it.pt"), STATE)
    assert os.listdir() == ["it.pt"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        save(STATE, tmp_path / "pipe")
        assert os.read(reader, 1000) == STATE_BYTES
    finally:
        os.close(reader)
    assert not (tmp_path / "pipe").is_file()


# -- other programs ----------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(max_size=5), arrays, max_size=5))
@example({str(dtype): np.ones((2, 3), dtype) for dtype in DTYPES})
def test_the_real_package_reads_and_writes_the_same(state: dict[str, Any]) -> None:
    """The same data in the same places; to the byte, when the dict is in the order of the file."""
    real = pytest.importorskip("safetensors.numpy")
    state = {name.replace("__metadata__", ""): array for name, array in state.items()}
    theirs = real.save(state)
    assert all(same(a, b.numpy()) for a, b in zip(state.values(), map(loaded(theirs).__getitem__, state), strict=True))
    read = real.load(saved({name: tg.tensor(array) for name, array in state.items()}))
    assert read.keys() == state.keys() and all(same(state[name], read[name]) for name in state)
    assert saved(loaded(theirs)) == theirs


def test_the_real_package_reads_the_tensors_of_a_checkpoint(tmp_path: Path) -> None:
    real = pytest.importorskip("safetensors")
    save(CHECKPOINT, tmp_path / "it.safetensors")
    with real.safe_open(tmp_path / "it.safetensors", "np") as file:
        assert list(file.keys()) == ["model.w"] and file.get_tensor("model.w").tolist() == [1.0]


def test_metadata_of_others_are_passed_over() -> None:
    real = pytest.importorskip("safetensors.numpy")
    assert loaded(real.save({"w": np.ones(1)}, {"format": "pt", "note": "é"}))["w"].tolist() == [1.0]


def test_state_dicts_to_and_from_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    real = pytest.importorskip("safetensors.torch")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))
    real.save_file(model.state_dict(), tmp_path / "theirs.safetensors")
    ours = load(tmp_path / "theirs.safetensors")
    assert ours.keys() == model.state_dict().keys()
    assert all(same(ours[name].numpy(), t.numpy()) for name, t in model.state_dict().items())

    save({name: t * 2 for name, t in ours.items()}, tmp_path / "ours.pt")
    model.load_state_dict(real.load_file(tmp_path / "ours.pt"))
    for name, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), ours[name].numpy() * 2)


def test_models_to_and_from_pytorch(tmp_path: Path) -> None:
    """The same layers on both sides give the same outputs, whichever side the weights came from."""
    torch = pytest.importorskip("torch")
    real = pytest.importorskip("safetensors.torch")
    models = [m.nn.Sequential(m.nn.Linear(3, 4), m.nn.Tanh(), m.nn.Linear(4, 2)) for m in (tg, torch)]
    ours, theirs = models
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)

    def outputs() -> list[Any]:
        return [model(m.tensor(x)).detach().numpy() for model, m in zip(models, (tg, torch), strict=True)]

    assert not np.allclose(*outputs())
    save(ours.state_dict(), tmp_path / "ours.safetensors")
    theirs.load_state_dict(real.load_file(tmp_path / "ours.safetensors"))
    np.testing.assert_allclose(*outputs(), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        theirs[0].weight.mul_(3)
    real.save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours.load_state_dict(load(tmp_path / "theirs.safetensors"))
    np.testing.assert_allclose(*outputs(), rtol=1e-5, atol=1e-6)


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    """A bfloat16 is the upper half of a float32; recorded, and PyTorch's own."""
    header = {
        "w": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]},
        "s": {"dtype": "BF16", "shape": [], "data_offsets": [4, 6]},
    }
    back = loaded(written(header, b"\x80\x3f\x20\xc0\xc0\x7f"))
    assert back["w"].dtype == tg.float32 and back["w"].tolist() == [[1.0], [-2.5]] and math.isnan(back["s"].item())
    assert back["w"].numpy().flags.owndata
    torch, real = pytest.importorskip("torch"), pytest.importorskip("safetensors.torch")
    theirs = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)  # every one there is
    np.testing.assert_array_equal(loaded(real.save({"w": theirs}))["w"].numpy(), theirs.float().numpy())


def test_numpy_reads_and_writes_archives(tmp_path: Path) -> None:
    state = {"a/b": np.arange(6.0).reshape(2, 3).T, "n": np.array(3), "big": np.arange(3, dtype=">i4"), "none": np.ones((0, 2))}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "theirs.npz", **state)
        ours = load(tmp_path / "theirs.npz")
        assert list(ours) == list(state)
        for name, array in state.items():
            assert same(ours[name].numpy(), array.astype(array.dtype.newbyteorder("="), order="C"))
            assert ours[name].numpy().flags.owndata
    save(ours, tmp_path / "ours.npz")
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as archive:
        assert archive.files == list(state)
        assert all(same(archive[name], ours[name].numpy()) for name in state)
    save(CHECKPOINT, tmp_path / "checkpoint.npz")
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as archive:
        assert archive["model.w"].tolist() == [1.0]
        assert json.loads(archive["tinygrad_fr.json"])["dict"][0] == ["epoch", 3]
    assert (tmp_path / "checkpoint.npz").read_bytes() == npz(CHECKPOINT, tmp_path), "the same object, the same bytes"


# -- damaged and hostile files -----------------------------------------------------------------------------------------

W = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
EIGHT = bytes(8)


def entry(**changes: Any) -> bytes:
    return written({"w": {**W, **changes}}, EIGHT)


def skeleton(text: str) -> bytes:
    """A file with this skeleton and one tensor, w."""
    return written({"__metadata__": {"tinygrad_fr": text}, "w": W}, EIGHT)


HOSTILE = {
    "empty": (b"", "there is nothing to read"),
    "text": (b"hello, this is a text", "begins neither as a safetensors file nor as"),
    "html": (b"<!DOCTYPE html><html>", "begins neither"),
    "header longer than the file": (written({"w": W}, EIGHT, length=5000), "claims 5000 bytes, and the file has"),
    "header over the limit": (written({"w": W}, EIGHT, length=100_000_001), "claims 100000001 bytes, and the format allows"),
    "header of all the numbers there are": (written({"w": W}, EIGHT, length=2**64 - 1), "and the format allows"),
    "header cut": (written({"w": W}, EIGHT, length=20), "its header is damaged"),
    "no JSON": (written(b"{'w': 1}"), "its header is damaged"),
    "no UTF-8": (written(b'{"\xff": 1}'), "its header is damaged.*utf-8"),
    "no NaN": (written(b'{"w": NaN}'), "NaN is not JSON"),
    "an endless number": (written(b'{"w": %s}' % (b"1" * 5000)), "its header is damaged"),
    "deep lists": (written(b'{"w": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "nested too deeply"),
    "deep objects": (written(b'{"w":' * 100_000 + b"1" + b"}" * 100_000), "nested too deeply"),
    "a name twice": (written(b'{"w":%s,"w":%s}' % ((json.dumps(W).encode(),) * 2), EIGHT), "a name stands twice"),
    "entry is a list": (written({"w": [1]}, EIGHT), "tensor 'w' is not described by"),
    "entry without a shape": (written({"w": {"dtype": "F32", "data_offsets": [0, 8]}}, EIGHT), "is not described by"),
    "entry with something more": (entry(more=1), "is not described by"),
    "unknown dtype": (entry(dtype="F8_E4M3"), "tensor 'w' has dtype 'F8_E4M3'.*convert it to F32"),
    "dtype that is no text": (entry(dtype=[]), r"has dtype \[\]"),
    "an object's dtype": (entry(dtype="|O"), "has dtype"),
    "negative shape": (entry(shape=[-2]), "the shape of tensor 'w'"),
    "negative shape twice": (entry(shape=[-1, -2]), "the shape of tensor 'w'"),
    "fractional shape": (entry(shape=[2.0]), "the shape of tensor 'w'"),
    "true shape": (entry(shape=[2, True]), "the shape of tensor 'w'"),
    "shape that is a number": (entry(shape=2), "the shape of tensor 'w'"),
    "huge shape": (entry(shape=[2**62, 2**62]), "takes .* bytes, and has 8"),
    "shape that overflows to the right size": (entry(shape=[2**62, 4, 2]), "takes .* bytes, and has 8"),
    "shape beyond an integer": (entry(shape=[2**70]), "the shape of tensor 'w'"),
    "nothing of a huge shape": (
        written({"w": {**W, "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}), "array is too big"
    ),
    "too many axes": (entry(shape=[1] * 65 + [2]), "at most 64"),
    "a million axes": (written({"w": {**W, "shape": [2**62] * 50_000}}, EIGHT), "at most 64"),
    "wrong size": (entry(shape=[3]), r"of shape \[3\] and dtype F32 takes 12 bytes, and has 8"),
    "offsets backwards": (entry(data_offsets=[8, 0]), "takes 8 bytes, and has -8"),
    "offsets negative": (entry(data_offsets=[-8, 0]), "the data_offsets of tensor 'w'"),
    "three offsets": (entry(data_offsets=[0, 4, 8]), "the data_offsets"),
    "offsets that are texts": (entry(data_offsets=["0", "8"]), "the data_offsets"),
    "beyond the end": (entry(data_offsets=[8, 16]), "begins at byte 8 of the data, and the one before it ends at 0"),
    "cut": (written({"w": W}, EIGHT[:-1]), "its tensors take 8 bytes, and 7 are there"),
    "something added": (written({"w": W}, EIGHT + b"x"), "its tensors take 8 bytes, and 9 are there"),
    "overlap": (written({"v": W, "w": W}, EIGHT), "tensor 'w' begins at byte 0"),
    "partial overlap": (written({"v": W, "w": {**W, "data_offsets": [4, 12]}}, bytes(12)), "tensor 'w' begins at byte 4"),
    "hole": (written({"v": W, "w": {**W, "data_offsets": [12, 20]}}, bytes(20)), "tensor 'w' begins at byte 12"),
    "metadata are a list": (written({"__metadata__": []}), "its metadata are not texts"),
    "metadata are numbers": (written({"__metadata__": {"a": 1}}), "its metadata are not texts"),
    "skeleton without JSON": (skeleton("x"), "skeleton of the saved object is damaged"),
    "skeleton of two words": (skeleton('{"tensor":"w","list":[]}'), "skeleton"),
    "skeleton of nothing": (skeleton("{}"), "skeleton"),
    "skeleton of an unknown kind": (skeleton('{"pickle":"w"}'), "skeleton.*'w' is no pickle"),
    "skeleton without its tensor": (skeleton('{"tensor":"v"}'), "skeleton.*no array 'v'"),
    "skeleton with a tensor twice": (skeleton('[{"tensor":"w"},{"tensor":"w"}]'), "skeleton.*no array 'w'"),
    "skeleton that forgets a tensor": (skeleton("1"), "skeleton.*where 'w' belongs"),
    "skeleton with a list for a name": (skeleton('{"tensor":["w"]}'), "skeleton"),
    "skeleton with a list for a key": (skeleton('{"dict":[[[1],{"tensor":"w"}]]}'), "skeleton"),
    "skeleton with a key twice": (skeleton('{"dict":[[1,{"tensor":"w"}],[1,2]]}'), "skeleton.*a key stands in it twice"),
    "skeleton with half a pair": (skeleton('{"dict":[[1]]}'), "skeleton"),
    "skeleton with a dict of text": (skeleton('{"dict":"ab"}'), "skeleton.*a dict without items"),
    "skeleton with another float": (skeleton('{"float":"1_0"}'), "skeleton"),
    "skeleton with another dtype": (skeleton('{"dtype":"O"}'), "skeleton"),
    "skeleton with a scalar of two": (skeleton('{"scalar":"w"}'), "skeleton.*'w' is no scalar"),
    "skeleton that is deep": (skeleton("[" * 100_000 + "]" * 100_000), "nested too deeply"),
    "skeleton that is deep in dicts": (skeleton('{"tuple":[' * 2_000 + "]}" * 2_000), "nested too deeply"),
    "skeleton with an integer that wants gradients": (
        written({"__metadata__": {"tinygrad_fr": '{"leaf":"w"}'}, "w": {**W, "dtype": "I32"}}, EIGHT), "'w' is no leaf"
    ),
    "an archive that points before its beginning": (
        b"PK\0\0PK\x05\x06" + bytes(4) + b"\1\0\1\0" + bytes(3) + b"\xff" + bytes(6), "not a whole archive"
    ),
    "an archive cut": (b"PK\x03\x04", "not a whole archive"),
    "an archive without an end": (b"PK\x03\x04" + bytes(100), "not a whole archive"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    """With what is wrong and the file's name; as a file and as bytes in memory; and at the cost of no memory."""
    data, words = HOSTILE[name]
    path = tmp_path / "bad.pt"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(RuntimeError, match=f"(?s)cannot load .*bad\\.pt: .*{words}") as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert type(caught.value) is RuntimeError and caught.value.__suppress_context__
    assert peak < 64 * len(data) + 1_000_000
    with pytest.raises(RuntimeError, match="cannot load the file: "):
        loaded(data)


@pytest.mark.parametrize("data", [saved(STATE), saved(CHECKPOINT)], ids=["state", "checkpoint"])
def test_a_file_cut_anywhere_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(RuntimeError, match="cannot load the file"):
            loaded(data[:length])


def test_an_archive_cut_anywhere_is_refused(tmp_path: Path) -> None:
    data = npz(CHECKPOINT, tmp_path)
    for length in range(0, len(data), 7):
        with pytest.raises(RuntimeError, match="cannot load the file"):
            loaded(data[:length])


def compressed() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, w=np.arange(20.0), n=np.array(1))
    return file.getvalue()


def archived(obj: Any) -> bytes:
    """The bytes of the archive of an object, without a path."""
    arrays: dict[str, Any] = {}
    packed = serialization._packed(obj, (), arrays)
    file = io.BytesIO()
    serialization._write_npz(file, arrays, json.dumps(packed))
    return file.getvalue()


VALID = [saved(STATE), saved(CHECKPOINT), archived(CHECKPOINT), compressed()]


@pytest.mark.filterwarnings("default")  # NumPy's parser may warn of an odd header, and zipfile of a name that stands twice
@given(st.sampled_from(VALID), st.data())
def test_a_file_with_wrong_bytes_is_read_or_refused(data: bytes, draw: st.DataObject) -> None:
    """Bytes changed, put in or taken out anywhere: `load` gives an object or a RuntimeError, nothing else."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(changed)))
        changed[place : place + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    try:
        loaded(bytes(changed))
    except RuntimeError as error:
        assert type(error) is RuntimeError and str(error).startswith("cannot load the file: ")


@given(st.binary())
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"PK\x03\x04", b"\x80\x02"):
        with pytest.raises(RuntimeError, match="cannot load the file"):
            loaded(start + data)


# -- archives that mean harm -------------------------------------------------------------------------------------------


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array))
    return file.getvalue()


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with any members at all; the same name may stand twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as out:
        for name, data in members:
            out.filelist[:], kept = [], out.filelist[:]  # zipfile warns of a name that stands twice
            out.NameToInfo.clear()
            out.writestr(zipfile.ZipInfo(name), data, compress_type=method)
            out.filelist[:0] = kept
    return file.getvalue()


ONE = npy(np.ones(2, np.float32))

ARCHIVES = {
    "objects": (archive(("w.npy", npy(np.array([{}], object)))), "array 'w' holds Python objects, that is a pickle"),
    "a record of objects": (archive(("w.npy", npy(np.zeros(1, [("a", "O")])))), "holds Python objects"),
    "texts": (archive(("w.npy", npy(np.array(["a"])))), "array 'w' is of dtype <U1"),
    "a record": (archive(("w.npy", npy(np.zeros(1, [("a", "f4")])))), "of dtype .*a tensor holds numbers"),
    "another version": (archive(("w.npy", ONE.replace(b"NUMPY\x01", b"NUMPY\x03"))), "has version \\(3, 0\\)"),
    "complex numbers": (archive(("w.npy", npy(np.array([1j])))), "complex128"),
    "no array": (archive(("w.npy", b"nothing")), "not a whole archive|damaged|magic"),
    "another file": (archive(("readme.txt", b"hello")), "its member 'readme.txt' is not an .npy array"),
    "a folder": (archive(("w/", b"")), "its member 'w/' is not an .npy array"),
    "a way out": (archive(("../w.npy", ONE)), r"its member '\.\./w\.npy' is a path that leads out"),
    "a way out further in": (archive(("a/../../w.npy", ONE)), "leads out"),
    "from the root": (archive(("/etc/w.npy", ONE)), "leads out"),
    "from a disk of Windows": (archive(("..\\w.npy", ONE)), "leads out"),
    "a name twice": (archive(("w.npy", ONE), ("w.npy", ONE)), "a name stands twice"),
    "array cut": (archive(("w.npy", ONE[:-1])), "does not take the 7 bytes that are there"),
    "array and more": (archive(("w.npy", ONE + b"x")), "does not take the 9 bytes that are there"),
    "huge shape": (archive(("w.npy", ONE.replace(b"(2,), }    ", b"(2**9,), }"))), "Cannot parse header"),
    "shape of a billion": (archive(("w.npy", ONE.replace(b"(2,), }          ", b"(1000000000,), }"))), "1000000000"),
    "negative shape": (archive(("w.npy", ONE.replace(b"(2,), }  ", b"(-1,-2), }"))), "does not take"),
    "skeleton without its array": (archive(("tinygrad_fr.json", b'{"tensor":"w"}')), "no array 'w'"),
    "skeleton that forgets an array": (archive(("tinygrad_fr.json", b"1"), ("w.npy", ONE)), "where 'w' belongs"),
    "skeleton that is no text": (archive(("tinygrad_fr.json", b"\xff")), "utf-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused(name: str) -> None:
    data, words = ARCHIVES[name]
    with pytest.raises(RuntimeError, match=f"cannot load the file: .*(?:{words})") as caught:
        loaded(data)
    assert type(caught.value) is RuntimeError


def test_a_bomb_is_not_unfolded() -> None:
    """Two gibibytes of zeros in two megabytes: refused by what the archive claims, before any is unfolded."""
    file = io.BytesIO()
    header = ONE[:-8].replace(b"(2,), }          ", b"(536870912,), }  ")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out, out.open("w.npy", "w", force_zip64=True) as member:
        member.write(header + bytes(1 << 20))
    small = file.getvalue()
    claimed = small.replace((len(header) + (1 << 20)).to_bytes(4, "little"), (len(header) + (1 << 31)).to_bytes(4, "little"))
    claimed = claimed.replace((len(header) + (1 << 20)).to_bytes(8, "little"), (len(header) + (1 << 31)).to_bytes(8, "little"))
    assert claimed != small
    tracemalloc.start()
    try:
        with pytest.raises(RuntimeError, match="claims to unfold to 2147483776: a bomb"):
            loaded(claimed)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_zeros_that_compress_well_are_no_bomb() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, w=np.zeros(300_000))
    assert len(file.getvalue()) * serialization._RATIO < 2_400_000
    assert loaded(file.getvalue())["w"].shape == (300_000,)


def test_a_wrong_byte_in_an_archive_is_noticed() -> None:
    """Safetensors have no checksum; archives do."""
    data = archive(("w.npy", ONE))
    place = data.index(ONE) + len(ONE) - 1
    with pytest.raises(RuntimeError, match=r"not a whole archive.*CRC"):
        loaded(data[:place] + b"\x01" + data[place + 1 :])


class Harm:
    """What a hostile pickle does as it is loaded: here it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps(Harm(tmp_path / "harm"), protocol)
    words = r"to load a pickle is to run whatever code.*safetensors\.torch\.save_file\(torch\.load\("
    for bad in (data, archive(("archive/data.pkl", data), ("archive/version", b"3\n"))):
        with pytest.raises(RuntimeError, match=words):
            loaded(bad)
    with pytest.raises(RuntimeError, match="holds Python objects"):
        loaded(archive(("w.npy", npy(np.array([Harm(tmp_path / "harm")], object)))))
    assert not list(tmp_path.iterdir())
    pickle.loads(data)
    assert (tmp_path / "harm").exists(), "the pickle would have done its harm"


def test_pytorchs_own_files_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for zipped in (True, False):
        torch.save({"w": torch.ones(2)}, tmp_path / "it.pt", _use_new_zipfile_serialization=zipped)
        with pytest.raises(RuntimeError, match=r"it\.pt: it is a file of PyTorch's pickle format"):
            load(tmp_path / "it.pt", weights_only=False)
