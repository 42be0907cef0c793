"""Who says what: the voice of each part of a cue. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rtserver.dubbing.cues import Cue, DubbingError, Part

_PREFIX = re.compile(r"([^:：]{1,60}?)\s*[:：]\s*(?=\S)")
_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Cast:
    """The voices of a film. `read` makes one from a map file."""

    # Speaks where nothing else is known.
    default: str = "default"
    # The voice of each name: as it stands before a colon in the text or in a `<v>` tag, without upper case.
    speakers: Mapping[str, str] = field(default_factory=dict)
    # The voices of cues: the first and the last number, and the voice.
    cues: Sequence[tuple[int, int, str]] = ()

    @classmethod
    def read(cls, text: str, name: str, default: str) -> Cast:
        """The cast of a map file in TOML. `name`: of the file, for errors. Raises DubbingError."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DubbingError(f"{name}: expected TOML, found: {error}") from None
        if unknown := sorted(set(table) - {"default", "speakers", "cues"}):
            raise DubbingError(f"{name}: expected default, speakers and cues, found {unknown[0]!r}")
        speakers = {key.casefold(): voice for key, voice in _voices(table, "speakers", name).items()}
        cues = []
        for key, voice in _voices(table, "cues", name).items():
            match = _NUMBERS.fullmatch(key)
            if match is None or int(match[1]) > int(match[2] or match[1]):
                raise DubbingError(f"{name}: cues: expected numbers like 7 or 7-12, found {key!r}")
            cues.append((int(match[1]), int(match[2] or match[1]), voice))
        default = _voice(table.get("default", default), "default", name)
        return cls(default, speakers, cues)

    def parts(self, cues: Iterable[Cue], voices: Iterable[str] = ()) -> list[Part]:
        """What each voice says, in the order of the slots. `voices`: names of the server's, which count in the text
        without a map.

        The name in the text counts first, then the cue's number, then the default. A cue with several voices is split.
        Each gets time in proportion to its text.
        """
        known = {voice.casefold(): voice for voice in voices} | dict(self.speakers)
        parts = [part for cue in cues for part in _split(cue, self._said(cue, known))]
        return sorted(parts, key=lambda part: part.start_s)

    def _said(self, cue: Cue, known: Mapping[str, str]) -> list[tuple[str, str]]:
        """Voice and text of each turn of a cue."""
        own = next((voice for first, last, voice in self.cues if first <= cue.number <= last), self.default)
        said: list[tuple[str, str]] = []
        voice = own
        for line in cue.texts:
            text = line.text
            if line.begins_turn:
                voice = known.get((line.speaker or "").casefold(), own)
            prefix = _PREFIX.match(text)
            if prefix is not None and prefix[1].casefold() in known:
                voice, text = known[prefix[1].casefold()], text[prefix.end() :]
            if said and said[-1][0] == voice:
                text = f"{said.pop()[1]} {text}"
            said.append((voice, text))
        return said


def _split(cue: Cue, said: Sequence[tuple[str, str]]) -> list[Part]:
    total = sum(len(text) for _, text in said)
    parts, done = [], 0
    for voice, text in said:
        start_s, end_s = (
            round(cue.start_s + (cue.end_s - cue.start_s) * characters / total, 3)
            for characters in (done, done + len(text))
        )
        parts.append(Part(cue.number, cue.file_line, start_s, end_s, voice, text))
        done += len(text)
    return parts


def _voices(table: Mapping[str, Any], key: str, name: str) -> dict[str, str]:
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise DubbingError(f"{name}: {key}: expected a table, found {found!r:.60}")
    return {str(one): _voice(voice, f"{key}: {one}", name) for one, voice in found.items()}


def _voice(found: object, key: str, name: str) -> str:
    if not isinstance(found, str) or not found:
        raise DubbingError(f"{name}: {key}: expected the name of a voice, found {found!r:.60}")
    return found
