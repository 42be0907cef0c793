"""The original's cutting of a normalised text into utterances, for whole texts that arrive at once.

Source: CosyVoice's frontend split_paragraph with its defaults (no cutting at commas).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cosyvoice.frontend.characters import is_silent
from cosyvoice.frontend.language import Language

_ENDERS = {"zh": "。？！；：、.?!;", "en": ".?!;:"}
_FULL_STOP = {"zh": "。", "en": "."}


def split_paragraph(
    text: str,
    language: Language,
    length: Callable[[str], int],
    max_length: int = 80,
    min_length: int = 60,
    merge_length: int = 20,
) -> list[str]:
    """Cuts `text` after sentence enders and packs the pieces into utterances.

    length: of a text in the original's units: text ids for English, characters (`len`) for Mandarin.
    A new utterance begins where the next piece would make it longer than `max_length`, if it is longer than
    `min_length`; a last one shorter than `merge_length` joins the one before. Utterances without a letter or number
    are dropped; a text that speaks to nothing gives [].
    """
    if not text:
        return []
    enders = re.escape(_ENDERS[language])
    if text[-1] not in _ENDERS[language]:
        text += _FULL_STOP[language]
    pieces: list[str] = []
    for body, ender, quote in re.findall(f'([^{enders}]*)([{enders}])(["”]?)', text):
        if body:
            pieces.append(body + ender + quote)
        elif quote and pieces:  # "?!" leaves the second ender out, but not the quotation mark after it
            pieces[-1] += quote

    utterances: list[str] = []
    current = ""
    for piece in pieces:
        if length(current + piece) > max_length and length(current) > min_length:
            utterances.append(current)
            current = ""
        current += piece
    if current and utterances and length(current) < merge_length:
        utterances[-1] += current
    elif current:
        utterances.append(current)
    return [utterance for utterance in utterances if not is_silent(utterance)]
