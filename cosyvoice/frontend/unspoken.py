"""What of a text cannot be spoken, and where it stands in the text as it was sent. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cosyvoice.frontend.characters import has_no_reading
from cosyvoice.frontend.plain import ENTITY

_INVISIBLE = frozenset({"Cf", "Cc", "Mn", "Zs"})  # between two emoji that are one picture, or two words


@dataclass(frozen=True)
class Unspoken:
    """Neighbouring characters that are not spoken as they are written."""

    # Place of the first one in the text.
    offset: int
    text: str
    # What was expected of a tag, what was found and what is done instead. Empty for characters that are left out.
    reason: str = ""

    def moved(self, characters: int) -> Unspoken:
        """The same in a text with this many more characters before it."""
        return replace(self, offset=self.offset + characters)


def unspoken_in(text: str, unknown: Iterable[str]) -> tuple[Unspoken, ...]:
    """The places in `text` of characters without a reading, in order.

    unknown: characters and longer pieces (markup) of the cleaned text that the checkpoint cannot speak. A phoneme among
    them that is no character of the text has no place.
    """
    left_out = set(unknown)
    if text.isascii() and not left_out:
        return ()
    letters = _letters(left_out)
    places = {at for at, c in enumerate(text) if _is_left_out(c, letters)}
    for piece in left_out:
        if len(piece) > 1:
            places.update(at for found in re.finditer(re.escape(piece), text) for at in range(*found.span()))
    for entity in ENTITY.finditer(text) if "&" in text else ():
        character = html.unescape(entity[0])
        if character != entity[0] and all(_is_left_out(c, letters) for c in character):
            places.update(range(*entity.span()))
    return tuple(_runs(text, sorted(places)))


def _letters(left_out: Iterable[str]) -> frozenset[str]:
    """The characters among them, also as they look when they are written in parts."""
    single = {piece for piece in left_out if len(piece) == 1}
    return frozenset(single | {part for c in single for part in unicodedata.normalize("NFD", c) if not part.isascii()})


def _is_left_out(character: str, letters: frozenset[str]) -> bool:
    if character in letters:
        return True
    if character.isascii():
        return False
    return has_no_reading(character) or any(c in letters for c in unicodedata.normalize("NFKC", character))


def _runs(text: str, places: list[int]) -> Iterable[Unspoken]:
    """Neighbours together; what is invisible does not part them."""
    start = end = -1
    for at in places:
        if start >= 0 and all(unicodedata.category(c) in _INVISIBLE for c in text[end:at]):
            end = at + 1
            continue
        if start >= 0:
            yield Unspoken(start, text[start:end])
        start, end = at, at + 1
    if start >= 0:
        yield Unspoken(start, text[start:end])
