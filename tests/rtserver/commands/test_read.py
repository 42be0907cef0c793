"""`rtserver read`."""

from __future__ import annotations

import io
import json

import pytest

from rtserver.commands.cli import main

pytestmark = pytest.mark.model


def test_a_text_is_printed_clause_by_clause(capsys: pytest.CaptureFixture[str]) -> None:
    """The place, the language and the text of each; then its phonemes, and what is left out."""
    assert main(["read", "Hello. 你好。 🙂"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "    0  en  Hello."
    assert "həlˈO" in lines[1]
    assert lines[2].endswith("zh  你好。")
    assert lines[-1].endswith("left out: 🙂")


def test_silences_and_rates_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """With their places, and a tag that is not obeyed with the reason."""
    text = 'One [pause 1.5s] <prosody rate="slow">two</prosody> [pause 99s]'
    assert main(["read", text]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "    4  silence of 1500 ms" in lines and "   38  en  two  (rate 0.8)" in lines
    assert lines[-1] == "   52  [pause 99s]: expected at most 10 s of silence, found 99s"
    assert main(["read", "--json", text]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(c["silence_ms"], c["rate"]) for c in told if "text" in c and "ids" in c] == [
        (0, 1.0), (1500, 1.0), (0, 0.8), (10_000, 1.0),
    ]  # fmt: skip
    assert told[-1]["warning"].startswith("expected at most 10 s") and told[-1]["offset"] == 52


def test_markup_can_be_turned_off(capsys: pytest.CaptureFixture[str]) -> None:
    """A tag is read as text then."""
    assert main(["read", "--no-markup", "One [pause 1s] two"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "    0  en  One [pause 1s] two" and len(lines) == 2


def test_standard_input_is_read_as_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object a line, with places in all of the input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("One.\nTwo ж"))
    assert main(["read", "-", "--json", "--language", "en"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(c["offset"], c["text"]) for c in told if "text" in c] == [(0, "One."), (5, "Two ж")]
    assert [c for c in told if "unspoken" in c] == [{"unspoken": "ж", "offset": 9}]
    assert all(c["ids"] for c in told if "text" in c)


def test_a_language_that_the_model_lacks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With those that it has."""
    assert main(["read", "--language", "de", "Hallo"]) == 1
    assert "--language: expected auto or one of zh, en, found 'de'" in capsys.readouterr().err
