"""What a session wants done: the session decides, its driver does. An utterance is known by its stream number."""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.ipc import engine
from rtserver.messages import wire


@dataclass(slots=True)  # not frozen: one is made for every frame, and that would take five times as long
class Send:
    """Send a message to the client, after those before it."""

    message: wire.ServerMessage


@dataclass(frozen=True)
class RefuseStart:
    """Send the error that answers a `start` of which nothing came: no utterance was opened."""

    error: wire.Error


@dataclass(frozen=True)
class Discard:
    """Forget what waits to be sent of a stream: no frame of it may follow."""

    stream: int


@dataclass(frozen=True)
class Speak:
    """Open an utterance in the engine, and its text in the reader. `words`: text is committed in groups of words."""

    stream: int
    request: engine.Open
    words: bool
    language: str | None


@dataclass(frozen=True)
class Say:
    """Append text to an utterance."""

    stream: int
    text: str


@dataclass(frozen=True)
class FlushText:
    """Speak the text so far to its end."""

    stream: int
    flush_id: str


@dataclass(frozen=True)
class EndText:
    """No more text comes."""

    stream: int


@dataclass(frozen=True)
class Stop:
    """Stop the work on an utterance and forget it."""

    stream: int


@dataclass(frozen=True)
class Report:
    """Tell the engine the listener's playback position."""

    stream: int
    position_s: float


@dataclass(frozen=True)
class HangUp:
    """Close the socket with a WebSocket close code, after what waits to be sent."""

    close_code: int
    reason: str


Effect = Send | RefuseStart | Discard | Speak | Say | FlushText | EndText | Stop | Report | HangUp
