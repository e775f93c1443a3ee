"""Which of the two languages learners are spoken to."""

from __future__ import annotations

import locale
import os


def language() -> str:
    """French where the user's settings say so, else English."""
    settings = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    chosen = next(filter(None, settings), None) or locale.getlocale()[0] or ""
    return "fr" if chosen.lower().startswith("fr") else "en"
