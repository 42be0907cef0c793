"""Cutting long texts into talker sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from cosyvoice.errors import TextError
from cosyvoice.frontend.text_stream import Segment


def plan_sequences(
    segments: Iterable[Segment],
    tokens_per_text_id: float,
    max_tokens: int,
    word_initial: Set[int] = frozenset(),
) -> list[list[Segment]]:
    """Groups segments into sequences that are predicted to speak at most `max_tokens` speech tokens each.

    A sequence ends at the last sentence end that fits, else at the last clause; a segment that is too long alone is
    cut before a word (an id in `word_initial`), else anywhere. Its parts keep the offsets and text of the whole, and
    only the last one its kind. The first segment of a sequence comes without its joining ids.
    Raises TextError when not even one text id fits.
    """
    max_ids = int(max_tokens / tokens_per_text_id)
    if max_ids < 1:
        raise TextError(f"expected max_tokens of at least {tokens_per_text_id} (one text id), found {max_tokens}")
    sequences: list[list[Segment]] = []
    current: list[Segment] = []
    for segment in segments:
        for part in _parts(segment, max_ids, word_initial):
            while current and sum(len(s.ids) for s in current) + len(part.ids) > max_ids:
                ends = [i for i, s in enumerate(current, start=1) if s.ends_sentence]
                cut = ends[-1] if ends else len(current)
                sequences.append(current[:cut])
                current = current[cut:]
            current.append(part)
    if current:
        sequences.append(current)
    return [[_first(sequence[0]), *sequence[1:]] for sequence in sequences]


def _parts(segment: Segment, max_ids: int, word_initial: Set[int]) -> Iterator[Segment]:
    reading = segment.reading
    while len(reading.ids) > max_ids:
        words = [i for i in range(1, max_ids + 1) if reading.ids[i] in word_initial]
        cut = words[-1] if words else max_ids
        yield replace(segment, kind="word", reading=replace(reading, ids=reading.ids[:cut]))
        reading = replace(reading, ids=reading.ids[cut:], lead_ids=0)
    yield replace(segment, reading=reading)


def _first(segment: Segment) -> Segment:
    reading = segment.reading
    return replace(segment, reading=replace(reading, ids=reading.ids[reading.lead_ids :], lead_ids=0))
