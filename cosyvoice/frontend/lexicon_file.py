"""A file of a pronunciation dictionary: one JSON object a line. Empty lines and comments (#) are skipped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cosyvoice.errors import TextError
from cosyvoice.frontend.lexicon_entry import LexiconEntry, entry_of

MOST_FILE_ENTRIES = 100_000


@dataclass(frozen=True)
class LexiconLine:
    """A line of a file with an entry, or with what is wrong with it."""

    # From 1.
    number: int
    # None: it is wrong.
    entry: LexiconEntry | None
    error: str = ""


def read_lexicon(path: Path) -> list[LexiconEntry]:
    """The entries of a file. Raises TextError, which names the file and the line of the first error."""
    entries: list[LexiconEntry] = []
    for line in lexicon_lines(path):
        if line.entry is None:
            raise TextError(f"{path}:{line.number}: {line.error}")
        entries.append(line.entry)
    return entries


def lexicon_lines(path: Path) -> list[LexiconLine]:
    """The lines of a file that are no comments. Raises TextError for what is no text file, and for too many lines."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise TextError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TextError(f"{path}: expected UTF-8, found {error}") from error
    lines = [
        (number, line)
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) > MOST_FILE_ENTRIES:
        raise TextError(f"{path}: expected at most {MOST_FILE_ENTRIES} entries, found {len(lines)}")
    return [_line(number, line) for number, line in lines]


def _line(number: int, text: str) -> LexiconLine:
    try:
        return LexiconLine(number, entry_of(json.loads(text)))
    except TextError as error:
        return LexiconLine(number, None, str(error))
    except (ValueError, RecursionError) as error:
        return LexiconLine(number, None, f"expected a JSON object, found {error}")
