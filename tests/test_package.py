"""The package as it is installed and first met: what ships, what an import costs, the demo, the digits, README's promises."""

from __future__ import annotations

import gzip
import os
import pkgutil
import re
import subprocess
import sys
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_fr
from tinygrad_fr import datasets, demo, nn
from tinygrad_fr.__main__ import language, main
from tinygrad_fr.datasets import digits, load_digits

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(m.name for m in pkgutil.walk_packages(tinygrad_fr.__path__, "tinygrad_fr."))

# What may be installed beside, and must not be paid for by `import tinygrad_fr`.
OPTIONAL = (
    "array_api_strict autograd cupy dask graphviz hypothesis IPython jax matplotlib mygrad numba pandas pygraphviz pytest "
    "scipy sklearn sympy torch tqdm"
).split()


def interpreter(program: str, *arguments: str) -> str:
    """What a fresh interpreter prints, started in the repository, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def block(mark: str, language: str) -> str:
    """The fenced block of README that follows the comment `mark`."""
    found = re.findall(rf"<!-- {re.escape(mark)} -->\n```{language}\n(.*?)```", README, re.DOTALL)
    assert len(found) == 1, f"README has {len(found)} blocks marked {mark!r}"
    return str(found[0])


# -- what ships --------------------------------------------------------------------------------------------------------


def distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("tinygrad_fr")
    except metadata.PackageNotFoundError:
        pytest.skip("tinygrad_fr runs from its source tree, it is not installed")


def test_the_version_is_that_of_the_installed_package() -> None:
    assert distribution().version == tinygrad_fr.__version__


def test_the_package_carries_its_types_and_its_data() -> None:
    for path in ("py.typed", "_methods.pyi", "data/digits_8x8.csv.gz", "data/NOTICE.md"):
        assert files("tinygrad_fr").joinpath(path).is_file(), path


def test_the_wheel_carries_its_types_and_its_data() -> None:
    shipped = {str(path).replace("\\", "/") for path in distribution().files or ()}
    if "tinygrad_fr/__init__.py" not in shipped:
        pytest.skip("installed in place, without a wheel")
    source = ROOT / "tinygrad_fr"
    wanted = {f"tinygrad_fr/{p.relative_to(source).as_posix()}" for p in source.rglob("*") if p.is_file()}
    wanted = {path for path in wanted if "__pycache__" not in path}
    assert wanted <= shipped, f"not in the wheel: {sorted(wanted - shipped)}"
    assert any(path.endswith("licenses/LICENSE") for path in shipped)


def test_run_time_needs_are_numpy_and_graphviz_only() -> None:
    needs = [need for need in distribution().requires or () if "extra ==" not in need]
    assert sorted(re.split(r"[<>=!~ \[]", need)[0] for need in needs) == ["graphviz", "numpy"]


# -- imports -----------------------------------------------------------------------------------------------------------


def test_import_brings_in_no_optional_package() -> None:
    program = "import sys, tinygrad_fr\nprint(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(interpreter(program).split())
    assert "tinygrad_fr" in loaded and "numpy" in loaded
    assert not loaded & set(OPTIONAL)


def test_every_module_can_be_imported_first() -> None:
    """No circle of imports: each module, imported first into a world without the package, comes up whole."""
    program = """
import importlib, sys
import numpy  # what the modules stand on, loaded once
for module in sys.argv[1:]:
    for name in [n for n in sys.modules if n.partition(".")[0] == "tinygrad_fr"]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except Exception as error:
        sys.exit(f"import {module} fails when it comes first: {type(error).__name__}: {error}")
print(len(sys.argv) - 1)
"""
    assert "tinygrad_fr.graph" in MODULES and "tinygrad_fr.operations.elementary" in MODULES
    assert int(interpreter(program, *MODULES)) == len(MODULES)


def test_imports_run_one_way() -> None:
    """tensor and graph know nothing of what stands on them; nothing below knows the demo or the digits."""
    above = ("operations", "creation", "methods", "nn", "autograd", "testing", "demo", "datasets")
    for low in ("node.py", "graph.py", "tensor.py", "operation.py"):
        text = (ROOT / "tinygrad_fr" / low).read_text(encoding="utf-8")
        top = re.findall(r"^(?:from tinygrad_fr(?:\.(\w+))?[\w.]* )?import ([\w, ]+)", text, re.MULTILINE)
        names = {word for module, imported in top for word in (module, *imported.split(", "))}
        assert not names & set(above), f"{low} imports {sorted(names & set(above))} from above"
    for path in (ROOT / "tinygrad_fr").rglob("*.py"):
        if path.name not in ("__main__.py", "demo.py") and path.parent.name != "datasets":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"^\s*(?:from|import) .*\b(?:demo|datasets)\b", text, re.MULTILINE), path.name


@pytest.mark.parametrize(
    "names",
    [
        "Tensor tensor as_tensor from_numpy zeros ones full arange linspace eye zeros_like ones_like full_like empty",
        "float16 float32 float64 int8 int16 int32 int64 uint8 bool long double half inf nan pi",
        "no_grad enable_grad set_grad_enabled is_grad_enabled inference_mode autograd nn testing",
        "add sub mul div neg pow matmul dot mv outer einsum sum mean var std prod max min amax amin argmax argmin cumsum",
        "exp log log1p expm1 sqrt rsqrt abs sign sin cos tan asin acos atan sinh cosh tanh sigmoid relu erf clamp",
        "cumprod maximum minimum where logsumexp softmax log_softmax norm allclose equal",
        "reshape transpose permute broadcast_to squeeze unsqueeze flatten cat stack split chunk flip roll tril triu diagonal",
        "gather scatter_add index_select take_along_dim sort topk masked_fill",
    ],
)
def test_public_names_are_there(names: str) -> None:
    missing = [name for name in names.split() if not hasattr(tinygrad_fr, name)]
    assert not missing


def test_nested_public_names_are_there() -> None:
    for name in "grad backward Function gradcheck gradgradcheck functional detect_anomaly".split():
        assert hasattr(tinygrad_fr.autograd, name), name
    for name in "linear mse_loss cross_entropy binary_cross_entropy binary_cross_entropy_with_logits softmax pad gelu".split():
        assert hasattr(tinygrad_fr.nn.functional, name), name
    for name in "gradcheck gradgradcheck compare".split():
        assert hasattr(tinygrad_fr.testing, name), name


# -- the digits --------------------------------------------------------------------------------------------------------


def test_digits_are_all_there() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 64) and images.dtype == np.float32
    assert labels.shape == (1797,) and labels.dtype == np.int64
    assert images.min() == 0 and images.max() == 1
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert float(images.sum(dtype=np.float64)) * 16 == 561718  # the ink of the whole table


def test_digits_belong_to_the_caller() -> None:
    images, labels = load_digits()
    images[:], labels[:] = 0, 0
    again, labels_again = load_digits()
    assert again.any() and labels_again.any() and again.flags.writeable


def test_the_split_is_fixed_and_a_partition() -> None:
    (images, labels), (test_images, test_labels) = digits()
    assert images.shape == (1437, 64) and test_images.shape == (360, 64)
    assert labels.shape == (1437,) and test_labels.shape == (360,)
    assert labels[:8].tolist() == [2, 8, 2, 6, 6, 7, 1, 9] and test_labels[:8].tolist() == [7, 9, 4, 7, 0, 2, 6, 1]
    rows = np.column_stack([np.vstack([images, test_images]), np.concatenate([labels, test_labels])])
    everything = np.column_stack(load_digits())
    assert (rows[np.lexsort(rows.T)] == everything[np.lexsort(everything.T)]).all()
    assert min(np.bincount(test_labels, minlength=10)) >= 20  # every class is tested


@pytest.mark.parametrize("split", [0, 1, -0.5, 1.5, float("nan"), 1e-9])
def test_a_split_that_leaves_a_set_empty_is_refused(split: float) -> None:
    with pytest.raises(ValueError, match="share of the digits used for training"):
        digits(split)


GOOD = (ROOT / "tinygrad_fr" / "data" / "digits_8x8.csv.gz").read_bytes()
TEXT = gzip.decompress(GOOD)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"not a gzip file",
        GOOD[: len(GOOD) // 2],
        GOOD[:1000] + bytes([GOOD[1000] ^ 0xFF]) + GOOD[1001:],
        gzip.compress(b""),
        gzip.compress(TEXT[: len(TEXT) // 2]),
        gzip.compress(TEXT[: TEXT.rindex(b"\n", 0, -1) + 1]),
        gzip.compress(TEXT.replace(b"16", b"17")),
        gzip.compress(TEXT.replace(b"16", b"-1")),
        gzip.compress(TEXT.replace(b"16", b"xx")),
        gzip.compress(TEXT.replace(b"16", "é".encode())),
        None,
    ],
    ids="empty,text,half,one-bad-byte,no-rows,cut-in-a-row,a-row-less,too-large,negative,letters,accents,missing".split(","),
)
def test_a_damaged_file_is_named(damaged: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "digits_8x8.csv.gz"
    if damaged is not None:
        path.write_bytes(damaged)
    monkeypatch.setattr(datasets, "_DIGITS", path)
    with pytest.raises(RuntimeError, match=r"digits_8x8\.csv\.gz.*Install the package again"):
        load_digits()


# -- the demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_learns(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run(lang="en") > 0.93
    said = capsys.readouterr().out
    assert "epoch    loss  accuracy" in said and f"\n{demo.EPOCHS:5d}  " in said
    assert "Final accuracy on digits never seen before: 9" in said


@pytest.mark.parametrize("seed", [1, 2])
def test_the_demo_learns_with_other_seeds_and_the_loss_falls(seed: int) -> None:
    story = list(demo.train(epochs=8, seed=seed))
    assert story[-1].accuracy > 0.9
    assert story[-1].loss < 0.6 * story[0].loss


def test_the_demo_is_the_same_each_time() -> None:
    first, second = (list(demo.train(epochs=2, seed=5)) for _ in range(2))
    assert [e.loss for e in first] == [e.loss for e in second]
    assert (first[-1].guesses == second[-1].guesses).all()


def test_the_lesson_fits_on_a_screen() -> None:
    text = (ROOT / "tinygrad_fr" / "demo.py").read_text(encoding="utf-8")
    lesson = text[text.index("def train(") : text.index("\n\nWORDS")].rstrip().splitlines()
    assert len(lesson) <= 40


def test_the_demo_leaves_a_network_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The checkpoint gives back the network; what cannot be drawn is said, with the line that helps."""
    accuracy = demo.run(epochs=2, lang="en", folder=tmp_path / "here" / "and there")
    said = capsys.readouterr().out
    folder = tmp_path / "here" / "and there"
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    model.load_state_dict(tinygrad_fr.load(folder / "model.safetensors"))
    _, (images, labels) = digits()
    guesses = model(tinygrad_fr.from_numpy(images)).argmax(dim=1).numpy()
    assert float((guesses == labels).mean()) == accuracy
    for name in ("graph.svg", "loss.png", "mistakes.png"):
        written, why = (folder / name).exists(), re.search(rf"{re.escape(name)} +.*pip install", said)
        assert written != bool(why), name
        if written:
            assert (folder / name).stat().st_size > 1000
    if (folder / "graph.svg").exists():
        graph = (folder / "graph.svg").read_text(encoding="utf-8")
        assert "<svg" in graph and "tanh" in graph and "0.weight" in graph


def test_a_folder_that_cannot_be_made_is_said_before_the_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--out", str(tmp_path / "file" / "folder")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("tinygrad_fr: ") and "epoch " not in said.out


def test_the_demo_speaks_french(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--epochs", "1", "--lang", "fr", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"Dans le dossier {tmp_path} :" in said and "le réseau entraîné" in said
    assert "époque   perte  précision" in said and re.search(r"1  \d,\d{4} +\d\d,\d %", said)
    assert {key: words.keys() for key, words in demo.WORDS.items()}["fr"] == demo.WORDS["en"].keys()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"LANG": "fr_CA.UTF-8"}, "fr"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "fr_FR"}, "en"),
        ({"LC_MESSAGES": "fr_FR", "LANG": "en_US"}, "fr"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_is_the_user_s(settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_a_demo_that_fails_says_why_and_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(datasets, "_DIGITS", tmp_path / "digits_8x8.csv.gz")
    assert main(["demo", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("tinygrad_fr: the digits that ship") and "Traceback" not in said


def test_a_training_that_fails_exits_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def story(loss: float) -> Any:
        return lambda epochs, seed: iter([demo.Epoch(1, loss, 0.1, np.zeros(360, np.int64), nn.Linear(64, 10))])

    monkeypatch.setattr(demo, "train", story(float("nan")))
    assert main(["demo", "--lang", "en"]) == 1
    assert "training diverged: the loss became nan in epoch 1" in capsys.readouterr().err
    monkeypatch.setattr(demo, "train", story(0.1))
    assert main(["demo", "--lang", "fr"]) == 1
    assert "10,0 % seulement des chiffres" in capsys.readouterr().err
    assert main(["demo", "--lang", "en", "--epochs", "1"]) == 0  # a short training promises nothing


@pytest.mark.parametrize(
    "wrong", [["--epochs", "0"], ["--epochs", "many"], ["--seed", "-1"], ["--seed", str(2**32)], ["--lang", "la"]]
)
def test_a_wrong_option_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["demo", *wrong])
    assert stop.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_no_epoch_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one epoch"):
        demo.run(epochs=0)


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == f"tinygrad_fr {tinygrad_fr.__version__}"


def test_the_command_line_from_outside(tmp_path: Path) -> None:
    options = ["--epochs", "1", "--lang", "fr", "--out", str(tmp_path)]
    command = [sys.executable, "-W", "error", "-m", "tinygrad_fr", "demo", *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"pr?cision" in done.stdout  # a terminal without accents does not stop the lesson


# -- README ------------------------------------------------------------------------------------------------------------


def test_readme_says_what_it_is_not() -> None:
    assert "Not affiliated with tinygrad" in README[:400]


def test_readme_s_two_commands_are_there() -> None:
    demonstration, test = block("ci: demo", "bash"), block("ci: test", "bash")
    assert README.index(demonstration) < README.index(test)
    for command, words in ((demonstration, "-m tinygrad_fr demo"), (test, "-m pytest -q")):
        assert command.count("\n") == 1, "each command is one line"
        assert "pip install" in command and command.rstrip().endswith(words)


def test_readme_s_model_prints_what_it_prints_with_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("ci: model", "python"), {})
    said = capsys.readouterr().out.splitlines()
    losses = [float(line.rpartition(" ")[2]) for line in said]
    assert losses == pytest.approx([1.1029, 0.5215, 0.3139], abs=2e-4)


def test_readme_s_taste_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(block("ci: taste", "python"), {})
    said = re.fullmatch(r"XOR is learnt, the loss is (\d\.\d+)\n", capsys.readouterr().out)
    assert said and 0 < float(said[1]) < 0.01


def test_readme_quotes_a_declaration_that_exists() -> None:
    path = "tinygrad_fr/operations/elementary.py"
    assert block(f"quoted: {path}", "python") in (ROOT / path).read_text(encoding="utf-8")


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("benchmarks/*.md")]:
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\((?!\w+:)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_first_steps_runs(lang: str) -> None:
    said = interpreter(
        "import runpy, sys; sys.argv[1:] = sys.argv[2:]; runpy.run_path('examples/first_steps.py', run_name='__main__')",
        "-", "--quick", "--lang", lang,
    )  # fmt: skip
    assert "6x = 12.0" in said and {"en": "loss", "fr": "perte"}[lang] in said
