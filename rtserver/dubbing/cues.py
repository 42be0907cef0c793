"""Cues of a subtitle file. Pure."""

from __future__ import annotations

from dataclasses import dataclass


class DubbingError(Exception):
    """Input for dubbing cannot be used. The message names the file, its line, what was expected and what was found."""


@dataclass(frozen=True)
class CueText:
    """One line of a cue's text, without the tags of the subtitle format."""

    text: str
    # Who says it, where the format has a place for it (`<v Anna>` of WebVTT).
    speaker: str | None = None
    # Whether somebody begins to speak here: it begins with a dash, or a `<v>` tag.
    begins_turn: bool = False


@dataclass(frozen=True)
class Cue:
    """Text that is shown from one time to another."""

    # Counts the cues of the file from 1.
    number: int
    # The line of the file with its times.
    file_line: int
    start_s: float
    end_s: float
    # Empty if nothing of it is spoken.
    texts: tuple[CueText, ...]


@dataclass(frozen=True)
class Part:
    """What one voice says in a cue."""

    # The cue's.
    number: int
    file_line: int
    # Its slot: when it should be said.
    start_s: float
    end_s: float
    voice: str
    text: str

    @property
    def slot_s(self) -> float:
        return self.end_s - self.start_s
