"""Which voice speaks what, in which order: the same list on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus import english_talk, mandarin_talk
from cosyvoice.nano.corpus.reserved import is_reserved
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.sentences import Pools
from cosyvoice.nano.corpus.voices import BRIEF_ROWS, NAMED, NamedVoice, brief_voices

# Of ten rows of a named voice, what kinds of text they are.
_KINDS: dict[Language, tuple[str, ...]] = {
    "zh": ("review", "talk", "news", "review", "talk", "mixed", "review", "talk", "news", "reply"),
    "en": ("fortune", "speech", "talk", "fortune", "reply", "novel", "fortune", "talk", "speech", "fortune"),
}
_BRIEF_KINDS: dict[Language, tuple[str, ...]] = {
    "zh": ("review", "talk", "reply", "review"),
    "en": ("fortune", "talk", "reply", "fortune"),
}
_BRIEF_WIDTH = {"zh": 16, "en": 50}  # characters
_OPENING = ("zf_xiaoxiao", "zm_yunxi", "zf_xiaoxiao", "zm_yunxi", "am_michael")
_TALK: dict[str, dict[str, Callable[[str], Iterator[str]]]] = {
    "zh": {"talk": mandarin_talk.talk, "reply": mandarin_talk.replies, "mixed": mandarin_talk.mixed},
    "en": {"talk": english_talk.talk, "reply": english_talk.replies},
}
# Text ids of the sentences each voice begins with: those that the earlier weights, from which training may go on,
# were trained on.
_FIRST = Path(__file__).parent / "first_rows.json"


def plan(pools: dict[Language, Pools]) -> Iterator[Row]:
    """All rows. The Mandarin voices and the English man take turns, then the English woman, then the brief voices."""
    named = {voice.teacher: _named_rows(voice, pools[voice.language]) for voice in NAMED}
    yield from _in_turns(_OPENING, named)
    for teacher in named.keys() - set(_OPENING):
        yield from named[teacher]
    brief: dict[str, Iterator[Row]] = {}
    for language in pools:
        brief |= {voice: _brief_rows(voice, language, pools[language]) for voice in brief_voices(language)}
    yield from _in_turns(tuple(brief), brief)


def _named_rows(voice: NamedVoice, pools: Pools) -> Iterator[Row]:
    first = set(json.loads(_FIRST.read_text(encoding="utf-8")).get(voice.teacher, []))
    texts = {kind: _shuffled(texts, voice.teacher) for kind, texts in pools.items()}
    early = (Row(voice.teacher, voice.language, kind, text) for kind in texts for text in texts[kind])
    earliest = [row for row in early if f"{row.text_id:08x}" in first]
    return islice(
        _new(chain(earliest, _rows(voice.teacher, voice.language, _KINDS[voice.language], texts))), voice.rows
    )


def _brief_rows(voice: str, language: Language, pools: Pools) -> Iterator[Row]:
    width = _BRIEF_WIDTH[language]
    texts = {kind: _shuffled((t for t in texts if len(t) <= width), voice) for kind, texts in pools.items()}
    return islice(_new(_rows(voice, language, _BRIEF_KINDS[language], texts)), BRIEF_ROWS)


def _rows(voice: str, language: Language, kinds: tuple[str, ...], texts: Pools) -> Iterator[Row]:
    """Rows of the kinds in turn; a kind that has no text left is passed over."""
    sources = {kind: iter(texts[kind]) for kind in texts}
    sources |= {kind: talk(voice) for kind, talk in _TALK[language].items()}
    left = set(kinds)
    for kind in cycle(kinds):
        if not left:
            return
        text = next(sources[kind], None)
        if text is None:
            left.discard(kind)
        else:
            yield Row(voice, language, kind, text)


def _new(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows whose texts are different and reserved for no measurement."""
    said: set[int] = set()
    for row in rows:
        if row.text_id not in said and not is_reserved(row.text):
            said.add(row.text_id)
            yield row


def _in_turns(order: tuple[str, ...], sources: dict[str, Iterator[Row]]) -> Iterator[Row]:
    left = set(order)
    for voice in cycle(order):
        if not left:
            return
        row = next(sources[voice], None)
        if row is None:
            left.discard(voice)
        else:
            yield row


def _shuffled(texts: Iterable[str], voice: str) -> list[str]:
    """Texts in an order of this voice alone, which more texts do not disturb."""
    return sorted(texts, key=lambda text: hashlib.sha1(f"{voice}|{text}".encode(), usedforsecurity=False).digest())
