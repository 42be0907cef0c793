"""What a session wants done. The session decides, its driver does it. Utterances are named by stream number."""

from __future__ import annotations

from dataclasses import dataclass, field

from cosyvoice.frontend.lexicon_entry import LexiconEntry
from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.session.fade import Fade


@dataclass(slots=True)  # not frozen: one is made for every frame, and making a frozen one takes five times as long
class Send:
    """Send a message to the client, after those before it."""

    message: wire.ServerMessage


@dataclass(frozen=True)
class RefuseStart:
    """Send the error that answers a refused `start`: no utterance was opened."""

    error: wire.Error


@dataclass(frozen=True)
class Discard:
    """Drop what waits to be sent of a stream. With a `fade` one last frame of it follows, else none."""

    stream: int
    fade: Fade | None = None


@dataclass(frozen=True)
class OpenUtterance:
    """Open an utterance in the engine, and its text in the reader."""

    stream: int
    request: engine.Open
    # Whether the reader gives text out in groups of words; else in clauses.
    words: bool
    # Of the text; None to find it out.
    language: str | None
    # Whether tags and brackets in the text are markup.
    markup: bool = True
    # How some words of the text are spoken.
    lexicon: list[LexiconEntry] = field(default_factory=list)


@dataclass(frozen=True)
class AppendText:
    """Append text to an utterance."""

    stream: int
    text: str


@dataclass(frozen=True)
class FlushText:
    """Speak all text so far without waiting for more."""

    stream: int
    flush_id: str


@dataclass(frozen=True)
class EndText:
    """Tell engine and reader that no more text comes."""

    stream: int


@dataclass(frozen=True)
class Stop:
    """Stop the work on an utterance and drop it."""

    stream: int


@dataclass(frozen=True)
class ReportPlayback:
    """Tell the engine the listener's playback position."""

    stream: int
    position_s: float


@dataclass(frozen=True)
class HangUp:
    """Close the socket with a WebSocket close code, after everything that waits has been sent."""

    close_code: int
    reason: str


Effect = (
    Send | RefuseStart | Discard | OpenUtterance | AppendText | FlushText | EndText | Stop | ReportPlayback | HangUp
)
