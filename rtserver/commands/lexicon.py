"""`rtserver lexicon check FILE`: the errors of a pronunciation dictionary, and what each entry sounds as."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import LANGUAGES, Language, main_language
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.lexicon_entry import LexiconEntry
from cosyvoice.frontend.lexicon_file import lexicon_lines
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.text_stream import Piece, Reading
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import resolve_model


@dataclass(frozen=True)
class LexiconOptions:
    """The arguments of the command."""

    file: str
    model: str


async def check_lexicon(options: LexiconOptions) -> int:
    """Prints each entry with what is spoken, and errors to standard error. Returns 1 if there are some. Raises
    CosyVoiceError."""
    config = ModelConfig.load(resolve_model(options.model))
    reader = Reader.for_model(config, Tokenizer.load(config))
    lines = lexicon_lines(Path(options.file))
    wrong = 0
    for line in lines:
        error = line.error if line.entry is None else _unspeakable(reader, line.entry)
        if error:
            wrong += 1
            print(f"{options.file}:{line.number}: {error}", file=sys.stderr, flush=True)
        elif line.entry is not None:
            print(f"{line.number:>5}  {line.entry.word}  ->  {_sound(reader, line.entry)}", flush=True)
    print(f"{len(lines) - wrong} of {len(lines)} entries are right")
    return min(wrong, 1)


def _unspeakable(reader: Reader, entry: LexiconEntry) -> str:
    """Why the model cannot speak an entry. Empty: it can."""
    if not entry.say and reader.phones(entry) is None:
        return f"{entry.replacement}: the model has not all of these sounds, so it reads {entry.word} as written"
    if entry.language and entry.language not in reader.languages:
        known = ", ".join(language for language in LANGUAGES if language in reader.languages)
        return f"language: expected one that the model speaks ({known}), found {entry.language}"
    reading = _reading(reader, entry)
    left_out = "".join(dict.fromkeys(reading.unknown))
    return f"{entry.replacement}: expected what the model can speak, found {left_out}" if left_out else ""


def _sound(reader: Reader, entry: LexiconEntry) -> str:
    """The words or phonemes of an entry."""
    return _reading(reader, entry).text.strip()


def _reading(reader: Reader, entry: LexiconEntry) -> Reading:
    language = next((one for one in LANGUAGES if one == entry.language), None) or _language(entry)
    return reader(Piece(entry.word, language=language, lexicon=Lexicon([entry])))


def _language(entry: LexiconEntry) -> Language:
    return "zh" if entry.pinyin else main_language(entry.say or entry.word, "en")
