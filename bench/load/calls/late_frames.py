"""Counts frames of sound that come after their context is over. A session would ignore them."""

from __future__ import annotations

from typing import Any

from rtclient import Session


class CountingSession(Session):
    """A session of the msgpack encoding, where sound carries its context's name."""

    late_frames: int

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "audio" and message.get("context") not in self._speeches:
            self.late_frames += 1
        super()._take(message)


def counting(session: Session) -> CountingSession:
    """Makes the session count from now on."""
    session.__class__ = CountingSession
    assert isinstance(session, CountingSession)
    session.late_frames = 0
    return session
