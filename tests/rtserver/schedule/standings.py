"""Utterances as the schedule sees them, for tests."""

from __future__ import annotations

from dataclasses import replace

from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import Standing


def standing(lead_s: float | None = None, **change: object) -> Standing:
    """A standing at time 10. `lead_s` None: the text has just come and nothing was sent yet."""
    playback = Playback()
    if lead_s is not None:
        playback.sent(2.0 + lead_s, 8.0)
    return replace(Standing(playback, 10.0, 0.0, "realtime", 5.0, False), **change)  # type: ignore[arg-type]
