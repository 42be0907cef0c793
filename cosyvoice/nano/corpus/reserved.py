"""Sentences kept for measurements: no training or tuning may see them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "sentences"


def reserved_sentences(name: str) -> list[str]:
    """A set by its name: `english`, `mandarin`, ..."""
    return [line for line in (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line]


def is_reserved(text: str) -> bool:
    """Whether a text is one of the kept sentences, whatever its signs and capitals."""
    return _bare(text) in _reserved()


@cache
def _reserved() -> frozenset[str]:
    return frozenset(_bare(line) for path in _FOLDER.glob("*.txt") for line in reserved_sentences(path.stem))


def _bare(text: str) -> str:
    return re.sub(r"\W", "", text).lower()
