"""The catalogue: which voice a name means, and what a voices.json may hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from cosyvoice.errors import VoiceError
from cosyvoice.voice.catalogue import Catalogue, Voice, read_voices
from cosyvoice.voice.store import SHIPPED_VOICES


def test_default_follows_its_gender() -> None:
    """`default` in another language is the voice of the default's gender there."""
    catalogue = Catalogue(read_voices(SHIPPED_VOICES), "zh-male")
    assert catalogue.resolve("default").name == "中文男"
    assert catalogue.resolve("default", "en").name == "英文男"
    assert catalogue.resolve("female").name == "中文女"


def test_later_voices_win() -> None:
    """A later voice replaces one of its name and takes over aliases; names come before aliases."""
    first = Voice("anna", aliases=("a", "both"))
    second = Voice("berta", aliases=("b", "both"))
    third = Voice("Anna", aliases=("both", "berta"))
    catalogue = Catalogue([first, second, third], "berta")
    assert catalogue.names() == ["Anna", "berta"]
    assert catalogue.resolve("anna") is third
    assert catalogue.resolve("both") is third
    assert catalogue.resolve("berta") is second
    with pytest.raises(VoiceError, match="found 'a'"):
        catalogue.resolve("a")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "expected a JSON list of voices, found dict"),
        (["anna"], "voice 0: expected an object, found str"),
        ([{"name": "anna", "wav": "a.wav"}], "expected a non-empty string as transcript, found None"),
        ([{"name": " ", "wav": "a.wav", "transcript": "one"}], "expected a non-empty string as name"),
        ([{"name": "anna", "wav": "b.wav", "transcript": "one"}], r"expected a wav inside .*, found no 'b\.wav'"),
        ([{"name": "anna", "wav": "../custom.wav", "transcript": "one"}], "expected a wav inside"),
        ([{"name": "anna", "wav": "/etc/passwd", "transcript": "one"}], "expected a wav inside"),
        ([{"name": "anna", "wav": "a.wav", "transcript": "one", "sex": "f"}], r"found \['sex'\]"),
        ([{"name": "anna", "wav": "a.wav", "transcript": "one", "gender": "f"}], "expected female or male"),
        ([{"name": "anna", "wav": "a.wav", "transcript": "one", "aliases": "a"}], "expected a list of strings"),
        ([{"name": "anna", "wav": "a.wav", "transcript": "one", "language": 1}], "expected a string as language"),
        ([{"name": name, "wav": "a.wav", "transcript": "one"} for name in ("a", "Ａ")], "expected distinct names"),
    ],
)
def test_custom_voices_are_checked(tmp_path: Path, entries: Any, message: str) -> None:
    """A wrong voices.json is refused by file, entry, what was expected and what was found."""
    directory = tmp_path / "custom"
    directory.mkdir()
    (tmp_path / "custom.wav").touch()
    (directory / "a.wav").touch()
    (directory / "voices.json").write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(VoiceError, match=rf"voices\.json: .*{message}"):
        read_voices(directory)


@pytest.mark.parametrize("content", [b"[", b"\xff", None])
def test_unreadable_voices_json(tmp_path: Path, content: bytes | None) -> None:
    """A missing or malformed voices.json is refused by name."""
    if content is not None:
        (tmp_path / "voices.json").write_bytes(content)
    with pytest.raises(VoiceError, match=r"voices\.json: expected a JSON list of voices, found"):
        read_voices(tmp_path)


def test_shipped_recordings() -> None:
    """The shipped voices are 3.00 s of 24 kHz 16-bit mono, and end in silence."""
    for voice in read_voices(SHIPPED_VOICES):
        assert voice.wav is not None
        info = soundfile.info(voice.wav)
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (24000, 1, 72000, "PCM_16")
        assert voice.origin
