"""When a context whose text comes in pieces can be opened: the language of a voice depends on the text."""

from __future__ import annotations

# Text that has no letters up to here is opened all the same.
_MOST_LETTERLESS_CHARS = 200


def is_enough(text: str, is_complete: bool) -> bool:
    """Whether the text so far has a letter. Complete text needs none, but it must not be blank."""
    if text == "" or text.isspace():
        return False
    return is_complete or len(text) > _MOST_LETTERLESS_CHARS or any(map(str.isalpha, text))
