"""What the tests of the lessons in `examples/` share: running one, and reading what it said."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import tinygrad_fr as tg

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=["numpy", "numba"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What a lesson's step is compiled for, Numba where it is installed; at the end, it has been compiled for that, and run."""
    if request.param == "numba":
        pytest.importorskip("numba")
    steps: list[Any] = []
    ordinary = tg.compile

    def noted(step: Any, *, backend: str) -> Any:
        steps.append(ordinary(step, backend=backend))
        return steps[-1]

    monkeypatch.setattr(tg, "compile", noted)
    yield request.param
    if request.node.passed:  # neither skipped nor failed
        assert steps, "nothing was compiled"
        assert all(step.backend == request.param and step.traces for step in steps)


numpy_only = pytest.mark.parametrize("backend", ["numpy"], indirect=True)


def started_here(example: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """`python examples/EXAMPLE --quick OPTIONS` in this very process, where one can see what it does."""
    monkeypatch.setattr(sys, "argv", [example, "--quick", *options])
    runpy.run_path(str(ROOT / "examples" / example), run_name="__main__")


def command_line(example: str, lang: str) -> str:
    """What `python examples/EXAMPLE --quick` prints on a French system, with warnings as errors and nobody at the keyboard.

    French is what it then speaks by itself; for English it is told `--lang en`.
    """
    options = ["--quick"] + ["--lang", "en"] * (lang == "en")
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / example), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "LC_ALL": "fr_FR.UTF-8"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, encoding="utf-8", env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def on_pytorch(lesson: ModuleType) -> ModuleType:
    """The same lesson with two imports changed: `import torch` and `from torch import nn`."""
    pytest.importorskip("torch")
    source = Path(str(lesson.__file__)).read_text(encoding="utf-8")
    for ours, theirs in (
        ("import tinygrad_fr as torch\n", "import torch\n"),
        ("from tinygrad_fr import nn\n", "from torch import nn\n"),
    ):
        assert source.count(ours) == 1
        source = source.replace(ours, theirs)
    twin = ModuleType(f"{lesson.__name__}_on_pytorch")
    exec(compile(source, f"{twin.__name__}.py", "exec"), twin.__dict__)
    return twin


def without_rounding(text: str) -> str:
    """The text without differences of a few units in the last place, which two libraries need not share."""
    return re.sub(r"\b(?:0e\+00|\de-1[5-9])\b", "~0", without_comparisons(text))


def numbers(text: str) -> list[str]:
    """The numbers of a text in their order, decimal commas read as points."""
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    return re.findall(r"(?<![\w.])[-−]?\d+(?:\.\d+)?(?:e[+-]\d+)?(?!\w)|\bnan\b|\binf\b", text)


def words(text: str) -> set[str]:
    """The words of a text, of two letters or more, without its {blanks}."""
    return set(re.findall(r"[a-zà-ÿœ]{2,}", re.sub(r"\{.*?\}", "", text).lower()))


ENGLISH = set(
    "the of and with without is are was not it its this that at by for from to then each every all than more one layer layers "
    "step steps learning training true false approximate hand loss error answer weight largest difference expected wanted "
    "epoch neuron neurons network hidden cost update class picture woman man people start stay rounded same saved".split()
)
FRENCH = set(
    "le la les un une des du de et avec sans est sont dans pour par puis chaque tous plus que qui couche couches pas perte "
    "erreur réponse poids biais écart époque neurone neurones réseau coût classe femme homme graine départs même".split()
)
NAMES = set("tanh relu leaky autograd softmax xor".split())  # the same in both


def same_in_both_languages(lesson: ModuleType, english: str, french: str) -> None:
    """The two say the same: the same numbers in the same order, each in its own words."""
    table: dict[str, dict[str, str]] = lesson.WORDS
    untranslated = [key for key in table["en"] if table["fr"].get(key) == table["en"][key] and words(table["en"][key]) - NAMES]
    assert table["en"].keys() <= table["fr"].keys() and not untranslated
    in_english, in_french = (words(" ".join(table[lang].values())) for lang in ("en", "fr"))
    assert not words(french) & (in_english - in_french | ENGLISH)
    assert not words(english) & (in_french - in_english | FRENCH)
    assert numbers(english) == numbers(french)
    assert len(numbers(english)) > 10
    assert not re.search(r"\d\.\d", french), "a decimal point in French"


def without_comparisons(text: str) -> str:
    """The text without the lines of `tinygrad_fr.testing.compare`, which writes numbers as Python does in both languages."""
    return "\n".join(line for line in text.splitlines() if " | " not in line)


def pictures(lesson: ModuleType, folder: Path, **options: Any) -> float:
    """The lesson's picture in both languages: large, something to see in each quarter, and words of its language.

    Returns how much of the picture is in colour, between 0 and 1.
    """
    image = pytest.importorskip("matplotlib.image")
    drawn = []
    for lang in ("en", "fr"):
        file = folder / f"{lang}.png"
        lesson.main(lang, picture=str(file), **options)
        colours = image.imread(file)[..., :3]
        pixels = colours.min(axis=-1)
        height, width = pixels.shape
        assert height >= 600 and width >= 1000, "too small for a projector"
        for half in np.array_split(pixels, 2):
            for quarter in np.array_split(half, 2, axis=1):
                assert 0.005 < float((quarter < 0.9).mean()) < 0.995, "a quarter where there is nothing to see"
        drawn.append(pixels)
    assert drawn[0].shape != drawn[1].shape or (drawn[0] != drawn[1]).any(), "one picture for two languages"
    return float((colours.max(axis=-1) - pixels > 0.1).mean())
