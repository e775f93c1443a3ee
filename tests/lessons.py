"""What the tests of the lessons in `examples/` share: running one, and reading what it said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def command_line(example: str, *options: str) -> str:
    """What `python examples/EXAMPLE OPTIONS` prints, with warnings as errors and nobody at the keyboard."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / example), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, encoding="utf-8", env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def numbers(text: str) -> list[str]:
    """The numbers of a text in their order, decimal commas read as points."""
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    return re.findall(r"(?<![\w.])[-−]?\d+(?:\.\d+)?(?:e[+-]\d+)?(?!\w)|\bnan\b|\binf\b", text)


def words(text: str) -> set[str]:
    """The words of a text, of two letters or more, without its {blanks}."""
    return set(re.findall(r"[^\W\d_]{2,}", re.sub(r"\{.*?\}", "", text).lower()))


COMMON = set(
    "the of and with without is are was not it its this that at by for from to then each every all than more layer layers step "
    "steps learning training true false approximate hand by loss error answer weight largest expected wanted epoch neuron "
    "network hidden cost update class picture".split()
)


def same_in_both_languages(lesson: ModuleType, english: str, french: str) -> None:
    """The two say the same: the same numbers in the same order, in words of one language each."""
    table: dict[str, dict[str, str]] = lesson.WORDS
    in_english, in_french = (words(" ".join(table[lang].values())) for lang in ("en", "fr"))
    assert not words(french) & (in_english | COMMON) - in_french
    assert not words(english) & in_french - in_english
    assert numbers(english) == numbers(french)
    assert len(numbers(english)) > 10
    assert not re.search(r"\d\.\d", without_comparisons(french)), "a decimal point in French"


def without_comparisons(text: str) -> str:
    """The text without the lines of `tinygrad_fr.testing.compare`, which writes numbers as Python does in both languages."""
    return "\n".join(line for line in text.splitlines() if " | " not in line)


def pictures(lesson: ModuleType, folder: Path, **options: Any) -> None:
    """The lesson's picture in both languages: large, something to see in each quarter, and words of its language."""
    image = pytest.importorskip("matplotlib.image")
    drawn = []
    for lang in ("en", "fr"):
        file = folder / f"{lang}.png"
        lesson.main(lang, picture=str(file), **options)
        pixels = image.imread(file)[..., :3].min(axis=-1)
        height, width = pixels.shape
        assert height >= 600 and width >= 1000, "too small for a projector"
        for half in np.array_split(pixels, 2):
            for quarter in np.array_split(half, 2, axis=1):
                assert 0.005 < float((quarter < 0.9).mean()) < 0.995, "a quarter where there is nothing to see"
        drawn.append(pixels)
    assert drawn[0].shape != drawn[1].shape or (drawn[0] != drawn[1]).any(), "one picture for two languages"
