"""How many values a message may have. Pure.

A decoder makes an object of each value. A megabyte of the shortest ones takes it 50 to 90 ms, in one call that holds
the interpreter, and with it everybody's sound, also in another thread. A megabyte of text takes it one. So values are
counted before they are decoded: by commas and brackets, of which a text has few.
"""

from __future__ import annotations

# Less is decoded in a millisecond, whatever it is.
SMALL = 16 << 10
# What no message has more of, beside the commas and brackets of its text. A lexicon of 200 entries has 1,600.
_MOST_VALUES = 2000
# A text has a comma or a bracket for this many characters, at most.
_CHARS_FOR_EACH = 8
# Counted in one call.
_PIECE = 1 << 15


def most_values(text_chars: int) -> int:
    """How many commas and brackets a message may have, where a text may have `text_chars`."""
    return _MOST_VALUES + text_chars // _CHARS_FOR_EACH


def too_many_values(json: str | bytes | bytearray, text_chars: int) -> str | None:
    """What is wrong with a JSON text that has too many values; None for any other."""
    if len(json) <= SMALL:
        return None
    most, found = most_values(text_chars), 0
    for at in range(0, len(json), _PIECE):
        found += _count(json, at, min(len(json), at + _PIECE))
        if found > most:
            return f"expected at most {most} commas and brackets in a message of more than {SMALL} bytes, found more"
    return None


def _count(json: str | bytes | bytearray, begin: int, end: int) -> int:
    if isinstance(json, str):
        return json.count(",", begin, end) + json.count("[", begin, end) + json.count("{", begin, end)
    return json.count(b",", begin, end) + json.count(b"[", begin, end) + json.count(b"{", begin, end)
