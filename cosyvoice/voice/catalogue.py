"""The catalogue of voices: which voices there are, and which one a name means."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosyvoice.errors import VoiceError

GENDERS = {
    **dict.fromkeys(("female", "woman", "女", "女声"), "female"),
    **dict.fromkeys(("male", "man", "男", "男声"), "male"),
}
DEFAULT = "default"


@dataclass(frozen=True)
class Voice:
    """A voice by name."""

    name: str
    aliases: tuple[str, ...] = ()
    # The primary part of a language tag, such as zh.
    language: str | None = None
    # female or male.
    gender: str | None = None
    # What the recording says; empty when the checkpoint stores the voice.
    transcript: str = ""
    # The prompt recording; None when the checkpoint stores the voice.
    wav: Path | None = None
    # Where the recording comes from.
    origin: str = ""


class Catalogue:
    """Voices by name and alias. Case, width and separators make no difference (`ZH female` is `zh-female`).

    `female` and `male` mean a voice of that gender in the language of the text. `default` means the default voice, or
    the nearest one in the language of the text.
    """

    def __init__(self, voices: Sequence[Voice], default: str) -> None:
        """A later voice replaces an earlier one of the same name, and gets the aliases that both have.

        default: name of the default voice. Raises VoiceError when there is no such voice.
        """
        self._voices = {name_key(voice.name): voice for voice in voices}
        present = [voice for voice in voices if self._voices[name_key(voice.name)] is voice]
        self._index = {name_key(alias): voice for voice in present for alias in voice.aliases} | self._voices
        if name_key(default) not in self._index:
            raise VoiceError(f"default voice: expected one of {self.names()}, found {default!r}")
        self._default = self._index[name_key(default)]

    def names(self) -> list[str]:
        return [voice.name for voice in self._voices.values()]

    def voices(self) -> list[Voice]:
        return list(self._voices.values())

    def resolve(self, name: str, language: str | None = None) -> Voice:
        """The voice that `name` means in a text of `language` (`zh`, `en-GB`, ...; None: the default voice's).

        Raises VoiceError, which suggests the nearest name, when there is no such voice.
        """
        key = name_key(name)
        if key in self._index:
            return self._index[key]
        if key == DEFAULT:
            if language is None or _language(language) == self._default.language:
                return self._default
            return self._nearest(self._default.gender, language)
        if key in GENDERS:
            return self._nearest(GENDERS[key], language or self._default.language)
        shown = name if len(name) <= 80 else name[:80] + "..."
        close = difflib.get_close_matches(name_key(shown), [*self._index, *GENDERS, DEFAULT], n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise VoiceError(f"voice: expected one of {[*self.names(), 'female', 'male', DEFAULT]}, found {shown!r}{hint}")

    def _nearest(self, gender: str | None, language: str | None) -> Voice:
        """The most similar voice: the gender counts first, then the language, then the order of the catalogue."""
        wanted = _language(language)

        def shared(voice: Voice) -> tuple[bool, bool]:
            return voice.gender == gender, voice.language == wanted

        return max(self._voices.values(), key=shared)


def read_voices(directory: Path) -> list[Voice]:
    """Reads `directory`/voices.json: a list of objects with `name`, `wav` and `transcript`, and optionally
    `aliases`, `language`, `gender` (female or male) and `origin`.

    Raises VoiceError naming the file, the entry, what was expected and what was found.
    """
    path = directory / "voices.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VoiceError(f"{path}: expected a JSON list of voices, found {error}") from error
    if not isinstance(entries, list):
        raise VoiceError(f"{path}: expected a JSON list of voices, found {type(entries).__name__}")
    voices = [_voice(entry, path, number) for number, entry in enumerate(entries)]
    claims: dict[str, str] = {}
    for voice in voices:
        for key in {name_key(name) for name in (voice.name, *voice.aliases)}:
            if key in claims:
                raise VoiceError(f"{path}: expected distinct names, found {key!r} for {claims[key]} and {voice.name}")
            claims[key] = voice.name
    return voices


def _voice(entry: Any, path: Path, number: int) -> Voice:
    where = f"{path}: voice {number}"
    if not isinstance(entry, dict):
        raise VoiceError(f"{where}: expected an object, found {type(entry).__name__}")
    known = {"name", "aliases", "language", "gender", "transcript", "wav", "origin"}
    if unknown := sorted(set(entry) - known):
        raise VoiceError(f"{where}: expected keys among {sorted(known)}, found {unknown}")
    for key in ("name", "transcript", "wav"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise VoiceError(f"{where}: expected a non-empty string as {key}, found {entry.get(key)!r}")
    for key in ("language", "gender", "origin"):
        if not isinstance(entry.get(key, ""), str):
            raise VoiceError(f"{where}: expected a string as {key}, found {entry[key]!r}")
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise VoiceError(f"{where}: expected a list of strings as aliases, found {aliases!r}")
    gender = entry.get("gender")
    if gender not in (None, "female", "male"):
        raise VoiceError(f"{where}: expected female or male as gender, found {gender!r}")
    wav = (path.parent / entry["wav"]).resolve()
    if not wav.is_relative_to(path.parent.resolve()) or not wav.is_file():
        raise VoiceError(f"{where}: expected a wav inside {path.parent}, found no {entry['wav']!r} there")
    return Voice(
        name=entry["name"].strip(),
        aliases=tuple(aliases),
        language=_language(entry.get("language")),
        gender=gender,
        transcript=entry["transcript"].strip(),
        wav=wav,
        origin=entry.get("origin", ""),
    )


def name_key(name: str) -> str:
    """A name in the form that is compared. Full-width forms, case, and runs of spaces, - and _ make no difference."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_-]+", "-", folded).strip("-")


def _language(tag: str | None) -> str | None:
    """The primary part of a language tag: `zh` of `zh-CN`."""
    return re.split(r"[-_]", tag)[0].casefold() if tag else None
