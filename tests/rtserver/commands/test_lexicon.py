"""`rtserver lexicon check`, and the dictionary of `rtserver read`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtserver.commands.cli import main

pytestmark = pytest.mark.model


def test_each_entry_is_shown_as_it_sounds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the number of its line, and nothing on standard error."""
    path = tmp_path / "words.jsonl"
    path.write_text('# names\n{"word": "SQL", "say": "sequel"}\n{"word": "GIF", "cmu": "JH IH1 F"}\n', "utf-8")
    assert main(["lexicon", "check", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == ["    2  SQL  ->  sˈikwəl", "    3  GIF  ->  ʤˈɪf", "2 of 2 entries are right"]
    assert err == ""


def test_wrong_lines_are_told_with_their_numbers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Wrong entries, and those that the model cannot speak."""
    path = tmp_path / "words.jsonl"
    wrong = ['{"word": "a"}', '{"word": "b", "say": "жж"}', '{"word": "c", "say": "d", "language": "de"}', "e"]
    path.write_text("\n".join(wrong), "utf-8")
    assert main(["lexicon", "check", str(path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0] for line in told] == [f"{path}:{number}" for number in (1, 2, 3, 4)]
    assert told[1].endswith("жж: expected what the model can speak, found ж")
    assert "expected one that the model speaks (zh, en), found de" in told[2]


def test_a_text_is_read_with_a_dictionary(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Entries of another voice do not count."""
    path = tmp_path / "words.jsonl"
    entries = [{"word": "SQL", "say": "sequel"}, {"word": "SQL", "cmu": "EH1 S", "voice": "one"}]
    path.write_text("\n".join(map(json.dumps, entries)), "utf-8")
    assert main(["read", "--json", "--lexicon", str(path), "SQL."]) == 0
    assert json.loads(capsys.readouterr().out)["spoken"] == "sˈikwəl."
    assert main(["read", "--json", "--lexicon", str(path), "--voice", "one", "SQL."]) == 0
    assert json.loads(capsys.readouterr().out)["spoken"] == "ˈɛs."
