"""Files of a pronunciation dictionary."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosyvoice.errors import TextError
from cosyvoice.frontend.lexicon_file import lexicon_lines, read_lexicon


def test_a_file_has_an_entry_a_line(tmp_path: Path) -> None:
    """With comments, empty lines and a mark of UTF-8 at its start."""
    path = tmp_path / "words.jsonl"
    path.write_text(
        '\ufeff# names\n\n{"word": "SQL", "say": "sequel"}\n  {"word": "重", "pinyin": "chong2"}\n', "utf-8"
    )
    assert [(entry.word, entry.replacement) for entry in read_lexicon(path)] == [("SQL", "sequel"), ("重", "chong2")]


def test_an_error_names_file_and_line(tmp_path: Path) -> None:
    """The first one; `lexicon_lines` has them all."""
    path = tmp_path / "words.jsonl"
    path.write_text('# a\n{"word": "a", "say": "b"}\n{"word": "c"}\nnone\n' + "[" * 100_000 + "\n", "utf-8")
    with pytest.raises(TextError, match=r"words.jsonl:3: expected one of say, cmu, pinyin, found none"):
        read_lexicon(path)
    assert [line.number for line in lexicon_lines(path) if line.entry is None] == [3, 4, 5]


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    """With the file's name."""
    with pytest.raises(TextError, match="absent"):
        read_lexicon(tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(TextError, match="binary: expected UTF-8"):
        read_lexicon(tmp_path / "binary")
