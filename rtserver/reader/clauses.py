"""What `POST /v1/read` and `rtserver read` tell: how a text is read, clause by clause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from rtserver.ipc.reading import NotAsWritten, Segment
from rtserver.messages.wire import Unspoken


class ReadClause(msgspec.Struct):
    """A clause, or a silence. `offset` and `end` count characters of the text as it was sent. `spoken`: words, or
    phonemes with a model that gets phonemes. `ids`: the text ids that the model gets. `silence_ms`: the length of a
    silence, in whose place nothing is spoken. `rate`: how fast it is spoken, as a factor."""

    offset: int
    end: int
    text: str
    language: str
    spoken: str
    ids: list[int]
    ends_sentence: bool
    silence_ms: int = 0
    rate: float = 1.0


class ReadWarning(msgspec.Struct):
    """A tag, the number of characters before it, and why it is not obeyed as written."""

    text: str
    offset: int
    message: str


class ReadText(msgspec.Struct):
    """A text as the model gets it. `unspoken`: what is left out, because the model cannot speak it. `warnings`: tags
    that are not obeyed as written."""

    model: str
    clauses: list[ReadClause]
    unspoken: list[Unspoken]
    warnings: list[ReadWarning] = []


def read_clauses(segments: Iterable[Segment]) -> list[ReadClause]:
    """The clauses without the ids that only join them to the text before."""
    return [
        ReadClause(
            s.start,
            s.end,
            s.text,
            s.language,
            s.spoken.strip(),
            s.ids[s.lead_ids :],
            s.ends_sentence,
            s.silence_ms,
            s.rate,
        )
        for s in segments
    ]


def read_text(model: str, segments: Iterable[Segment], places: Sequence[NotAsWritten]) -> ReadText:
    """All that is told of a text."""
    unspoken = [Unspoken(text, offset) for offset, text, reason in places if not reason]
    warnings = [ReadWarning(text, offset, reason) for offset, text, reason in places if reason]
    return ReadText(model, read_clauses(segments), unspoken, warnings)
