"""Refusals are counted with the reason that the client is told."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.metrics.refusals import CountingSession
from rtserver.session.caller import Caller
from rtserver.session.effects import Send, Speak
from rtserver.session.limits import SessionLimits
from tests.rtserver.session.sessions import INFO, numbered_ids


def session_of(refused: list[str], **limits: Any) -> CountingSession:
    caller = Caller(limits=SessionLimits(**limits))
    session = CountingSession(INFO, caller, lambda: 7, numbered_ids(), refused.append)
    session.opened(0.0)
    return session


def test_a_start_that_begins_is_no_refusal() -> None:
    """Neither is a start whose own text fails it later, nor an error about another message."""
    refused: list[str] = []
    session = session_of(refused)
    assert any(isinstance(e, Speak) for e in session.receive(wire.Start("a"), 0.0))
    session.receive(wire.Text("x", "nobody"), 0.0)
    session.receive(wire.Played(-1, "a"), 0.0)
    assert refused == []


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (wire.Start("a"), "context_exists"),
        (wire.Start("b"), "too_many_contexts"),
        (wire.Start("\n"), "bad_message"),
        (wire.Start("a" * 1000), "bad_message"),
    ],
)
def test_a_start_that_is_answered_with_an_error_is_one(start: wire.Start, reason: str) -> None:
    """The reason is the answer's code, which goes to the client as before."""
    refused: list[str] = []
    session = session_of(refused, contexts=1)
    session.receive(wire.Start("a"), 0.0)
    effects = session.receive(start, 0.0)
    assert [e.message.code for e in effects if isinstance(e, Send) and isinstance(e.message, wire.Error)] == [reason]
    assert refused == [reason]


def test_a_server_that_cannot_speak_refuses() -> None:
    """While the engine is away, and while the server stops."""
    refused: list[str] = []
    session = session_of(refused)
    session.availability(False, False)
    session.receive(wire.Start("a"), 0.0)
    session.availability(False, True)
    session.receive(wire.Start("a"), 0.0)
    assert refused == ["engine_lost", "shutting_down"]


def test_a_start_that_cannot_be_read_is_refused() -> None:
    """Bytes that should have been a start, and a start whose recording is none; not those of other messages."""
    refused: list[str] = []
    session = session_of(refused)
    session.malformed(MessageError("unknown_field", "?", {"type": "start", "context": "a"}), 0.0)
    session.malformed(MessageError("unknown_field", "?", {"type": "text", "context": "a"}), 0.0)
    session.malformed(MessageError("bad_message", "?"), 0.0)
    session.unusable(wire.Start("b"), "bad_audio", "no sound file", 0.0)
    assert refused == ["unknown_field", "bad_audio"]
