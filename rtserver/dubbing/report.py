"""What is told of a track. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rtserver.dubbing.order import Speech
from rtserver.dubbing.placement import TOLERANCE_S, Placed

_TEXT_CHARACTERS = 40


@dataclass(frozen=True)
class Dubbed:
    """A part of the track."""

    placed: Placed
    speech: Speech
    # Whether an earlier run made it.
    kept: bool


def rows(dubbed: Sequence[Dubbed]) -> list[dict[str, Any]]:
    """All that is known of each part, for a program."""
    return [
        {
            "cue": one.placed.part.number,
            "file_line": one.placed.part.file_line,
            "voice": one.speech.voice,
            "text": one.placed.part.text,
            "slot_start_s": one.placed.part.start_s,
            "slot_end_s": one.placed.part.end_s,
            "begin_s": round(one.placed.begin_s, 3),
            "length_s": round(one.placed.length_s, 3),
            "speed": round(one.speech.speed, 3),
            "late_s": round(one.placed.late_s, 3),
            "over_s": round(one.placed.over_s, 3),
            "overflows": one.placed.overflows,
            "kept": one.kept,
            "warnings": list(one.speech.warnings),
        }
        for one in dubbed
    ]


def told(dubbed: Sequence[Dubbed], name: str) -> Iterator[str]:
    """What the user should hear of, in lines. `name`: of the subtitle file."""
    over = [one for one in dubbed if one.placed.overflows]
    if over:
        yield f"{_cues(len(over))} not over at the end of the slot:"
    for one in over:
        yield f"{_where(one, name)}  {one.placed.over_s:.2f} s over, speed {one.speech.speed:.2f}  {_text(one)}"
    late = [one for one in dubbed if one.placed.late_s > TOLERANCE_S]
    if late:
        yield f"{_cues(len(late))} late, after one that was not over:"
    for one in late:
        yield f"{_where(one, name)}  {one.placed.late_s:.2f} s late  {_text(one)}"
    for one in dubbed:
        for warning in one.speech.warnings:
            yield f"{_where(one, name)}  {warning}"


def _cues(number: int) -> str:
    return "1 cue is" if number == 1 else f"{number} cues are"


def _where(dubbed: Dubbed, name: str) -> str:
    return f"  {name}:{dubbed.placed.part.file_line} cue {dubbed.placed.part.number}"


def _text(dubbed: Dubbed) -> str:
    text = dubbed.placed.part.text
    return repr(text if len(text) <= _TEXT_CHARACTERS else text[: _TEXT_CHARACTERS - 1] + "…")
