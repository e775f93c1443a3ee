"""Data to learn with: files that are read, refused by name or fetched whole, and how far one is with it.

Downloads are made from a server on this machine that misbehaves on demand. The full MNIST is read where TINYGRAD_FR_DATA
names it. The digits are tested in `test_package.py`, with what else ships.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_fr import datasets
from tinygrad_fr import progress as progress_module
from tinygrad_fr.datasets import mnist, people, read_idx, xor
from tinygrad_fr.datasets.download import download
from tinygrad_fr.datasets.idx import KINDS
from tinygrad_fr.progress import progress

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = datasets.MNIST


def idx(array: Any) -> bytes:
    """The bytes of an IDX file, written by the description of the format."""
    array = np.asarray(array)
    (kind,) = (k for k, dtype in KINDS.items() if np.dtype(dtype) == array.dtype.newbyteorder(">"))
    head = bytes([0, 0, kind, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def images(count: int, seed: int) -> Any:
    return np.random.RandomState(seed).randint(0, 256, (count, 28, 28)).astype(np.uint8)


ARRAYS = {
    TRAIN_IMAGES: images(5, 0),
    TRAIN_LABELS: np.array([3, 1, 4, 1, 5], np.uint8),
    TEST_IMAGES: images(2, 1),
    TEST_LABELS: np.array([9, 0], np.uint8),
}
FILES = {name: gzip.compress(idx(array), mtime=0) for name, array in ARRAYS.items()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An MNIST of seven images, no folder named by the environment, and a cache of the test's own."""
    monkeypatch.setattr(datasets, "MNIST", {name: hashlib.md5(data).hexdigest() for name, data in FILES.items()})
    monkeypatch.delenv("TINYGRAD_FR_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def fill(folder: Path, **instead: bytes | None) -> Path:
    """A folder with the small MNIST; `train_labels=…` puts other bytes there, unpacked, and None leaves a file out."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"train_images": TRAIN_IMAGES, "train_labels": TRAIN_LABELS, "test_images": TEST_IMAGES, "test_labels": TEST_LABELS}
    for key, name in keys.items():
        data = instead.get(key, FILES[name])
        if data is not None:
            (folder / (name.removesuffix(".gz") if key in instead else name)).write_bytes(data)
    return folder


# -- the IDX format ----------------------------------------------------------------------------------------------------


def test_the_format_read_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(bytes.fromhex("0000 0b 02  00000002 00000001  0102 fffe"))
    found = read_idx(path)
    assert found.dtype == np.int16 and found.tolist() == [[258], [-2]]
    assert found.flags.writeable and found.flags.c_contiguous


@given(
    array=st.sampled_from(sorted(KINDS.values())).flatmap(
        lambda kind: hnp.arrays(np.dtype(kind).newbyteorder("="), hnp.array_shapes(min_dims=0, max_dims=4, max_side=4))
    ),
    packed=st.booleans(),
)
def test_arrays_come_back(array: Any, packed: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "array.idx"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = read_idx(str(path))
    assert found.dtype == array.dtype and found.dtype.isnative
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_refused_by_name(packed: bool, tmp_path: Path) -> None:
    whole = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
    whole = gzip.compress(whole) if packed else whole
    path = tmp_path / "cut-images"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut-images is (cut short|not an IDX file|a damaged gzip file)"):
            read_idx(path)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "not an IDX file: it begins with nothing"),
        (b"<html>not found</html>", "not an IDX file: it begins with 3c 68 74 6d"),
        (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "not an IDX file: it begins with 00 00 07 01"),
        (bytes([0, 1, 8, 1, 0, 0, 0, 1, 5]), "not an IDX file"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2, 5]), r"cut short: an array of shape \(2,\) takes 10 bytes, and it has 9"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6, 7]), "too long"),
        (bytes([0, 0, 8, 255, *[255] * 1020]), "cut short"),  # sizes beyond any memory
        (b"\x1f\x8bnot gzip at all", "a damaged gzip file"),
        (FILES[TRAIN_IMAGES][:-8] + bytes(8), "a damaged gzip file"),  # the checksum at the end
        (FILES[TRAIN_IMAGES][:10] + b"\xff" * 100, "a damaged gzip file"),  # no way to unpack it
        (FILES[TRAIN_IMAGES][:40] + b"\xff" + FILES[TRAIN_IMAGES][41:], "a damaged gzip file"),
    ],
)
def test_a_damaged_file_is_refused_by_name(damaged: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "train-labels"
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"train-labels is {why}"):
        read_idx(path)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        read_idx("no-such-file")


# -- MNIST from a folder -----------------------------------------------------------------------------------------------


def test_mnist_from_a_folder(small: None, tmp_path: Path) -> None:
    (x, y), (test_x, test_y) = mnist(fill(tmp_path), download=False)
    assert x.shape == (5, 784) and test_x.shape == (2, 784) and x.dtype == test_x.dtype == np.float32
    assert y.tolist() == [3, 1, 4, 1, 5] and test_y.tolist() == [9, 0] and y.dtype == test_y.dtype == np.int64
    np.testing.assert_array_equal(x, ARRAYS[TRAIN_IMAGES].reshape(5, 784).astype(np.float32) / np.float32(255))
    assert x.min() == 0 and x.max() == 1 and x.flags.writeable and y.flags.writeable


def test_mnist_raw(small: None, tmp_path: Path) -> None:
    (x, _), (test_x, _) = mnist(fill(tmp_path), raw=True)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, ARRAYS[TRAIN_IMAGES])
    np.testing.assert_array_equal(test_x, ARRAYS[TEST_IMAGES])


def test_unpacked_files_are_read_too(small: None, tmp_path: Path) -> None:
    fill(tmp_path, train_images=idx(ARRAYS[TRAIN_IMAGES]), test_labels=idx(ARRAYS[TEST_LABELS]))
    assert not (tmp_path / TRAIN_IMAGES).exists()
    (x, y), (_, test_y) = mnist(tmp_path, download=False)
    assert len(x) == len(y) == 5 and test_y.tolist() == [9, 0]


def test_where_files_are_looked_for(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder given; else the one that the environment names, or its subfolder; else the cache."""

    def found() -> int:
        return int(mnist(download=False)[0][1][0])

    def labelled(first: int) -> bytes:
        return idx(np.array([first, 1, 4, 1, 5], np.uint8))

    fill(tmp_path / "cache" / "tinygrad_fr" / "mnist", train_labels=labelled(6))
    assert found() == 6
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path / "named"))
    assert found() == 6
    fill(tmp_path / "named" / "mnist", train_labels=labelled(7))
    assert found() == 7
    fill(tmp_path / "named", train_labels=labelled(8))
    assert found() == 8
    monkeypatch.setenv("TINYGRAD_FR_DATA", "")
    assert found() == 6
    assert int(mnist(fill(tmp_path / "given"), download=False)[0][1][0]) == 3


@pytest.mark.parametrize(
    ("instead", "why"),
    [
        ({"train_labels": idx(np.array([3, 1, 10, 1, 12], np.uint8))}, "train-labels.* classes 0 to 9: 10, that of image 2"),
        ({"test_labels": idx(np.array([9, 0, 1], np.uint8))}, "t10k-images.* has 2 images and .*t10k-labels.* has 3 labels"),
        ({"train_images": idx(ARRAYS[TRAIN_LABELS])}, r"train-images.* holds uint8 of shape \(5,\), and images are"),
        ({"test_labels": idx(ARRAYS[TEST_IMAGES])}, r"t10k-labels.* holds uint8 of shape \(2, 28, 28\), and labels are"),
        ({"train_labels": idx(np.array([3, 1, 4, 1, 5], np.int32))}, "train-labels.* holds int32"),
        ({"train_images": idx(np.zeros((0, 28, 28), np.uint8))}, r"train-images.* holds uint8 of shape \(0, 28, 28\)"),
        ({"test_images": FILES[TEST_IMAGES][:-20]}, "t10k-images.* is a damaged gzip file"),
        ({"test_images": idx(ARRAYS[TEST_IMAGES])[:-1]}, "t10k-images.* is cut short"),
    ],
    ids="class,count,exchanged,exchanged-too,dtype,empty,gzip,truncated".split(","),
)
def test_a_damaged_mnist_is_refused_by_name(instead: dict[str, bytes], why: str, small: None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        mnist(fill(tmp_path, **instead), download=False)


def test_the_full_mnist() -> None:
    named = os.environ.get("TINYGRAD_FR_DATA")
    if not named or not any((Path(named) / sub / TRAIN_IMAGES).is_file() for sub in ("", "mnist")):
        pytest.skip("TINYGRAD_FR_DATA names no folder with MNIST")
    (x, y), (test_x, test_y) = mnist(download=False, raw=True)
    assert x.shape == (60000, 28, 28) and test_x.shape == (10000, 28, 28)
    assert np.bincount(y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4] and test_y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert x.mean() / 255 == pytest.approx(0.1307, abs=5e-5) and x.std() / 255 == pytest.approx(0.3081, abs=5e-5)


# -- MNIST from mirrors ------------------------------------------------------------------------------------------------


class Server(http.server.ThreadingHTTPServer):
    """Serves FILES at /whole/NAME, and with one fault each at /plain, /cut, /wrong, /down and /silent; notes what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []

    def at(self, *faults: str) -> list[str]:
        return [f"http://127.0.0.1:{self.server_port}/{fault}/" for fault in faults]

    def of(self, name: str) -> list[tuple[str, str | None]]:
        """The requests for one file: the fault, and the range that was asked for."""
        return [(path.split("/")[1], part) for path, part in self.asked if path.endswith(name)]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        part = self.headers["Range"]
        self.server.asked.append((self.path, part))
        _, fault, name = self.path.split("/")
        data = FILES[name]
        if fault == "down":
            self.send_error(503)
            return
        if fault == "wrong":
            data = bytes(reversed(data))
        start = int(part.removeprefix("bytes=").removesuffix("-")) if part and fault != "plain" else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if fault != "silent":  # silent about its length
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : start + (len(data) - start) // 2] if fault == "cut" else data[start:])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def closed() -> str:
    """The address of a mirror where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.part"))


def test_mnist_is_downloaded_and_then_found(small: None, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    (x, y), _ = mnist(folder, mirrors=server.at("whole"))
    assert y.tolist() == [3, 1, 4, 1, 5] and len(x) == 5
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert all((folder / name).read_bytes() == data for name, data in FILES.items())
    server.asked.clear()
    mnist(folder, mirrors=server.at("whole"))
    assert not server.asked


def test_mnist_is_downloaded_into_the_cache(
    small: None, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(fill(tmp_path / "named", test_labels=None)))
    mnist(mirrors=server.at("whole"))
    assert sorted(path.name for path in (tmp_path / "cache" / "tinygrad_fr" / "mnist").iterdir()) == sorted(FILES)
    assert not (tmp_path / "named" / TEST_LABELS).exists()


def test_only_what_is_missing_is_downloaded(small: None, server: Server, tmp_path: Path) -> None:
    mnist(fill(tmp_path, train_labels=None, test_images=None), mirrors=server.at("whole"))
    assert sorted(path for path, _ in server.asked) == [f"/whole/{TEST_IMAGES}", f"/whole/{TRAIN_LABELS}"]


def test_a_mirror_that_is_down_is_passed_over(small: None, server: Server, tmp_path: Path) -> None:
    mnist(tmp_path, mirrors=[closed(), *server.at("down", "wrong", "whole")])
    assert server.of(TRAIN_IMAGES) == [("down", None), ("wrong", None), ("whole", None)]
    assert not parts(tmp_path)


@pytest.mark.parametrize("fault", ["wrong", "cut", "down"])
def test_a_file_that_cannot_be_had_right_is_not_put_in_place(fault: str, small: None, server: Server, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mnist(tmp_path, mirrors=server.at(fault))
    assert not any((tmp_path / name).exists() for name in FILES)
    why = {"wrong": "its md5 is [0-9a-f]{32}, not [0-9a-f]{32}", "cut": r"stopped after \d+ of \d+ bytes", "down": "503"}
    caught.match(f"http://127.0.0.1:.*{TRAIN_IMAGES}: .*{why[fault]}")
    assert parts(tmp_path) == ([f"{TRAIN_IMAGES}.part"] if fault == "cut" else [])


def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    data = FILES[TRAIN_IMAGES]
    md5 = hashlib.md5(data).hexdigest()
    half = len(data) // 2
    with pytest.raises(ConnectionError, match="stopped after"):
        download(TRAIN_IMAGES, md5, tmp_path, server.at("cut"))
    assert (tmp_path / f"{TRAIN_IMAGES}.part").read_bytes() == data[:half]
    assert download(TRAIN_IMAGES, md5, tmp_path, server.at("whole")) == tmp_path / TRAIN_IMAGES
    assert server.of(TRAIN_IMAGES) == [("cut", None), ("whole", f"bytes={half}-")]
    assert (tmp_path / TRAIN_IMAGES).read_bytes() == data and not parts(tmp_path)


def test_the_next_mirror_gives_the_rest(server: Server, tmp_path: Path) -> None:
    data = FILES[TRAIN_IMAGES]
    download(TRAIN_IMAGES, hashlib.md5(data).hexdigest(), tmp_path, server.at("cut", "cut", "whole"))
    first = len(data) // 2
    second = first + (len(data) - first) // 2
    assert server.of(TRAIN_IMAGES) == [("cut", None), ("cut", f"bytes={first}-"), ("whole", f"bytes={second}-")]
    assert (tmp_path / TRAIN_IMAGES).read_bytes() == data


@pytest.mark.parametrize("fault", ["plain", "silent"])
def test_a_server_without_ranges_or_lengths(fault: str, server: Server, tmp_path: Path) -> None:
    """It sends the whole: what was there is not put before it."""
    data = FILES[TRAIN_IMAGES]
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(data[:1000])
    download(TRAIN_IMAGES, hashlib.md5(data).hexdigest(), tmp_path, server.at(fault))
    assert server.of(TRAIN_IMAGES) == [(fault, "bytes=1000-")]
    assert (tmp_path / TRAIN_IMAGES).read_bytes() == data


@pytest.mark.parametrize("extra", [b"", b"and more"])
def test_a_part_that_is_whole_or_too_long(extra: bytes, server: Server, tmp_path: Path) -> None:
    data = FILES[TRAIN_IMAGES]
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(data + extra)
    download(TRAIN_IMAGES, hashlib.md5(data).hexdigest(), tmp_path, server.at("whole"))
    assert (tmp_path / TRAIN_IMAGES).read_bytes() == data and not parts(tmp_path)
    assert server.of(TRAIN_IMAGES) == [("whole", f"bytes={len(data + extra)}-")] + ([("whole", None)] if extra else [])


def test_a_part_of_something_else_is_thrown_away(server: Server, tmp_path: Path) -> None:
    data = FILES[TRAIN_IMAGES]
    (tmp_path / f"{TRAIN_IMAGES}.part").write_bytes(b"something else")
    download(TRAIN_IMAGES, hashlib.md5(data).hexdigest(), tmp_path, server.at("whole"))
    assert server.of(TRAIN_IMAGES) == [("whole", "bytes=14-"), ("whole", None)]
    assert (tmp_path / TRAIN_IMAGES).read_bytes() == data


def test_an_answer_that_is_no_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="BadStatusLine: hello"):
            download("file", "", tmp_path, [f"http://127.0.0.1:{listening.getsockname()[1]}"])
        thread.join()


@pytest.mark.parametrize("allowed", [True, False])
def test_offline_the_error_says_which_files_to_put_where(allowed: bool, small: None, tmp_path: Path) -> None:
    mirrors = [closed(), closed()]
    folder = fill(tmp_path / "empty", train_images=None, train_labels=None, test_images=None, test_labels=None)
    with pytest.raises(FileNotFoundError) as caught:
        mnist(folder, download=allowed, mirrors=mirrors)
    said = str(caught.value)
    assert f"the folder {folder} lacks\n" + "".join(f"  {name}\n" for name in FILES) in said
    assert all(f"\n  {mirror}\n" in said for mirror in mirrors) and "TINYGRAD_FR_DATA" in said and "mnist(folder)" in said
    assert ("download=False" in said) != allowed and ("refused" in said) == allowed
    assert not list(folder.iterdir())


def test_offline_the_error_names_only_what_is_missing(small: None, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mnist(fill(tmp_path, test_labels=None), download=False)
    assert f"lacks\n  {TEST_LABELS}\nThey may not" in str(caught.value)


def test_the_checksums_are_those_of_the_original_files() -> None:
    assert [md5[:6] for md5 in datasets.MNIST.values()] == ["f68b3c", "d53e10", "9fb629", "ec2911"]
    assert all(len(md5) == 32 for md5 in datasets.MNIST.values())
    assert len(datasets.MIRRORS) > 1 and all(url.startswith("https://") and url.endswith("/") for url in datasets.MIRRORS)


# -- small tables ------------------------------------------------------------------------------------------------------


def test_xor() -> None:
    x, y = xor()
    assert x.dtype == y.dtype == np.float32 and x.shape == (4, 2) and y.shape == (4, 1)
    assert [(int(a) ^ int(b)) for a, b in x] == y.ravel().tolist()
    assert len({tuple(row) for row in x.tolist()}) == 4
    x[:] = 7
    assert xor()[0].max() == 1  # a new table each time


def test_the_four_people_of_s2() -> None:
    x, y, names = people()
    assert x.dtype == y.dtype == np.float32
    measured = {"Alice": (133, 65, "F"), "Bob": (160, 72, "M"), "Charlie": (152, 70, "M"), "Diana": (120, 60, "F")}
    assert names == list(measured)
    for row, woman, (pounds, inches, gender) in zip(x.tolist(), y.tolist(), measured.values(), strict=True):
        assert row == [pounds - 135, inches - 66] and woman == [float(gender == "F")]


# -- progress ----------------------------------------------------------------------------------------------------------


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


class Clock:
    """A time that passes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def during(self, count: int, seconds: float) -> Iterator[int]:
        for i in range(count):
            self.now += seconds
            yield i


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    return clock


def test_a_quick_loop_leaves_one_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(clock.during(30, 0.01), description="Training", total=30)) == list(range(30))
    assert capsys.readouterr().err == "Training: 100 % 30/30 [00:00]\n"


def test_a_long_loop_leaves_ten_lines_with_the_time_to_come(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    list(progress(clock.during(1000, 0.7), description="Training", total=1000))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "Training:  10 % 100/1000 [01:10<10:30]"
    assert lines[8] == "Training:  90 % 900/1000 [10:30<01:10]"
    assert lines[9] == "Training: 100 % 1000/1000 [11:40]"


@given(count=st.integers(0, 200), seconds=st.floats(0, 100), weight=st.integers(1, 5))
def test_never_more_than_ten_lines(count: int, seconds: float, weight: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        said, clock = Stream(terminal=False), Clock()
        patch.setattr(sys, "stderr", said)
        patch.setattr(progress_module, "time", clock)
        steps = progress(clock.during(count, seconds), description="x", total=count * weight, weight=lambda _: weight)
        assert list(steps) == list(range(count))
    lines = said.getvalue().splitlines()
    assert 1 <= len(lines) <= 10
    assert lines[-1].startswith(f"x: 100 % {count * weight}/" if count * weight else "x: 0 [")


def test_without_a_total_lines_become_rare(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    list(progress(clock.during(3600, 1.0), description="Reading"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == ["Reading: 2 [00:02]", "Reading: 6 [00:06]", "Reading: 14 [00:14]"]
    assert lines[-1] == "Reading: 3600 [1:00:00]" and len(lines) <= 11


def test_a_list_knows_its_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress([1, 2, 3], description="x")) == [1, 2, 3]
    assert "3/3" in capsys.readouterr().err


def test_the_loop_may_be_left(capsys: pytest.CaptureFixture[str]) -> None:
    for i in progress(range(5), description="x"):
        if i == 2:
            break
    assert capsys.readouterr().err == ""


def test_standard_output_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress([1], description="x"))
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == "x: 100 % 1/1 [00:00]\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_without_tqdm_it_is_lines_everywhere(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress([1, 2], description="x")) == [1, 2]
    assert stream.getvalue() == "x: 100 % 2/2 [00:00]\n"


@pytest.mark.parametrize("watched", ["terminal", "notebook"])
def test_with_tqdm_it_is_a_bar_where_somebody_watches(watched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    stream = Stream(terminal=watched == "terminal")
    monkeypatch.setattr(sys, "stderr", stream)
    if watched == "notebook":
        monkeypatch.setitem(sys.modules, "ipykernel", io)  # any module stands for it
    assert list(progress([1, 2, 3], description="Training")) == [1, 2, 3]
    assert "\rTraining: 100%|" in stream.getvalue() and "3/3" in stream.getvalue()


def test_with_tqdm_a_log_has_lines_still(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    list(progress([1, 2, 3], description="Training"))
    assert capsys.readouterr().err == "Training: 100 % 3/3 [00:00]\n"


def test_a_bar_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    stream = Stream(terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    pieces = [b"x" * 1500, b"y" * 500]
    assert list(progress(pieces, description="file.gz", total=2000, weight=len)) == pieces
    assert "2.00k/2.00k" in stream.getvalue()


def test_without_a_console_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress([1, 2], description="x")) == [1, 2]
