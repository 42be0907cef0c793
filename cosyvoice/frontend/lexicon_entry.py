"""One entry of a pronunciation dictionary, as a file or a request writes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from cosyvoice.errors import TextError
from cosyvoice.frontend.characters import clean, is_silent
from cosyvoice.frontend.language import LANGUAGES
from cosyvoice.frontend.pronunciation import check_cmu, check_pinyin

LONGEST_WORD = 64  # characters, which are held back until it is certain that they are, or are not, an entry
LONGEST_REPLACEMENT = 200  # characters
_LONGEST_VOICE = 128
_KINDS = ("say", "cmu", "pinyin")


@dataclass(frozen=True)
class LexiconEntry:
    """How a word or phrase is spoken. Made by `entry_of`. One of `say`, `cmu` and `pinyin` is not empty."""

    # As it is written in texts, cleaned.
    word: str
    # Words that are read in its place.
    say: str = ""
    # CMU phones, such as "S IY1 K W AH0 L".
    cmu: str = ""
    # Pinyin with tone numbers, such as "chong2 qing4".
    pinyin: str = ""
    # Only in clauses of this language. Empty: in all.
    language: str = ""
    # Only where it is written with the same capital letters.
    case: bool = False
    # Only with this voice. Empty: with all.
    voice: str = ""

    @property
    def replacement(self) -> str:
        """What is spoken, in its own notation."""
        return self.say or self.cmu or self.pinyin


_FIELDS = {field.name: bool if field.name == "case" else str for field in fields(LexiconEntry)}


def entry_of(raw: object) -> LexiconEntry:
    """The entry of a decoded JSON object. Raises TextError, which names the field."""
    if not isinstance(raw, Mapping):
        raise TextError(f"expected an object with word and one of {', '.join(_KINDS)}, found {str(raw)[:40]!r}")
    values: dict[str, Any] = dict(raw)
    if unknown := [str(name) for name in values if name not in _FIELDS]:
        raise TextError(f"expected some of {', '.join(_FIELDS)}, found {unknown[0][:40]!r}")
    for name, value in values.items():
        if not isinstance(value, _FIELDS[name]):
            expected = "true or false" if name == "case" else "text"
            raise TextError(f"{name}: expected {expected}, found {str(value)[:40]!r}")
    if len(given := [name for name in _KINDS if values.get(name)]) != 1:
        raise TextError(f"expected one of {', '.join(_KINDS)}, found {' and '.join(given) or 'none'}")
    word = values["word"] = _word(values.get("word", ""))
    _check_replacement(given[0], values[given[0]], word)
    language = values.get("language", "")
    if language and language not in LANGUAGES:
        raise TextError(f"language: expected one of {', '.join(LANGUAGES)}, found {language[:40]!r}")
    if len(values.get("voice", "")) > _LONGEST_VOICE:
        raise TextError(f"voice: expected at most {_LONGEST_VOICE} characters, found {len(values['voice'])}")
    return LexiconEntry(**values)


def _word(written: str) -> str:
    if not 1 <= len(written) <= LONGEST_WORD:
        raise TextError(f"word: expected 1 to {LONGEST_WORD} characters, found {len(written)}")
    word = clean(written)
    if is_silent(word):
        raise TextError(f"word: expected letters or digits, found {written!r}")
    if len(word) > LONGEST_WORD:
        raise TextError(f"word: expected at most {LONGEST_WORD} characters, found {len(word)}")
    return word


def _check_replacement(kind: str, text: str, word: str) -> None:
    if len(text) > LONGEST_REPLACEMENT:
        raise TextError(f"{kind}: expected at most {LONGEST_REPLACEMENT} characters, found {len(text)}")
    if kind == "say":
        if is_silent(clean(text)):
            raise TextError(f"say: expected words, found {text!r:.40}")
        return
    try:
        (check_cmu if kind == "cmu" else check_pinyin)(text)
    except TextError as error:
        raise TextError(f"{kind}: {error}") from None
