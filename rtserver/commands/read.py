"""`rtserver read TEXT`: what would be said of a text, clause by clause. Reads here, without a server or sound."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cosyvoice.config import ModelConfig
from cosyvoice.errors import TextError
from cosyvoice.frontend.language import LANGUAGES, Language
from cosyvoice.frontend.lexicon_file import read_lexicon
from cosyvoice.frontend.text_stream import ReadSegment
from cosyvoice.frontend.unspoken import Unspoken
from cosyvoice.models import resolve_model
from rtserver.reader.clauses import ReadClause, read_clauses
from rtserver.reader.text_front import TextFront, engine_segments

_STDIN_CHARACTERS = 4096


@dataclass(frozen=True)
class ReadOptions:
    """The arguments of the command."""

    # What to read; "-" for standard input, as it comes.
    text: str
    model: str
    # "auto": found clause by clause.
    language: str = "auto"
    # Prints one JSON object a line instead of text.
    json: bool = False
    # File of a pronunciation dictionary; None for none.
    lexicon: str | None = None
    # Some entries of the dictionary are for one voice.
    voice: str = "default"
    # Whether tags and brackets are markup; else they are plain text.
    markup: bool = True


async def read(options: ReadOptions) -> int:
    """Prints each clause as soon as it is certain, and returns the exit status. Raises CosyVoiceError."""
    config = ModelConfig.load(resolve_model(options.model))
    front = TextFront(config, [] if options.lexicon is None else read_lexicon(Path(options.lexicon)))
    stream = front.stream(_language(options.language, config), voice=options.voice, markup=options.markup)
    told = 0
    for segments in _read(stream.feed, stream.end, _standard_input() if options.text == "-" else [options.text]):
        for clause in read_clauses(engine_segments(segments)):
            _print(clause, options.json)
        for left_out in stream.unspoken[told:]:
            _tell(left_out, options.json)
        told = len(stream.unspoken)
    return 0


def _read(
    feed: Callable[[str], list[ReadSegment]], end: Callable[[], list[ReadSegment]], pieces: Iterable[str]
) -> Iterator[list[ReadSegment]]:
    for piece in pieces:
        yield feed(piece)
    yield end()


def _print(clause: ReadClause, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(clause).decode(), flush=True)
        return
    if clause.silence_ms:
        print(f"{clause.offset:>5}  silence of {clause.silence_ms} ms", flush=True)
        return
    rate = "" if clause.rate == 1.0 else f"  (rate {clause.rate:g})"
    print(f"{clause.offset:>5}  {clause.language}  {clause.text}{rate}", flush=True)
    print(f"           {clause.spoken}{'' if clause.ends_sentence else ' …'}", flush=True)


def _tell(left_out: Unspoken, as_json: bool) -> None:
    """What is left out, or a tag that is not obeyed as written."""
    if as_json:
        told: dict[str, object] = {"unspoken": left_out.text, "offset": left_out.offset}
        if left_out.reason:
            told = {"warning": left_out.reason, "text": left_out.text, "offset": left_out.offset}
        print(msgspec.json.encode(told).decode(), flush=True)
    else:
        what = f"{left_out.text}: {left_out.reason}" if left_out.reason else f"left out: {left_out.text}"
        print(f"{left_out.offset:>5}  {what}", flush=True)


def _language(name: str, config: ModelConfig) -> Language | None:
    """Raises TextError."""
    if name == "auto":
        return None
    known: list[Language] = [language for language in LANGUAGES if language in config.serving.languages]
    found = next((language for language in known if language == name), None)
    if found is None:
        raise TextError(f"--language: expected auto or one of {', '.join(known)}, found {name!r}")
    return found


def _standard_input() -> Iterator[str]:
    """Line by line, as it comes."""
    while line := sys.stdin.readline(_STDIN_CHARACTERS):
        yield line
