"""Cuts a finished text into pieces like those that an LLM writes, for demos, tests and measurements."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A word with the space after it, or up to two Han characters: about what one token of an LLM carries.
_PIECE = re.compile(r"[\u4e00-\u9fff]{1,2}[^\w\s]*|[^\s\u4e00-\u9fff]+\s*|\s+")


def llm_pieces(text: str) -> Iterator[str]:
    """The pieces in order. Joined, they are `text`."""
    return (match[0] for match in _PIECE.finditer(text))
