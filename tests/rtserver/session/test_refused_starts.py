"""A start that does not begin is told apart from all else: who counts refusals need not guess."""

from __future__ import annotations

import pytest

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.effects import Effect, OpenUtterance, RefuseStart
from tests.rtserver.session.sessions import errors_of, new_session


def refused(effects: list[Effect]) -> list[str]:
    """The codes of the starts that are refused."""
    return [effect.error.code for effect in effects if isinstance(effect, RefuseStart)]


def test_a_start_that_begins_is_no_refusal() -> None:
    """Neither is a start whose own text fails it later, nor an error about another message."""
    session = new_session()
    effects = session.receive(wire.Start("a"), 0.0)
    assert any(isinstance(effect, OpenUtterance) for effect in effects)
    effects += session.receive(wire.Text("x", "nobody"), 0.0)
    effects += session.receive(wire.Played(-1, "a"), 0.0)
    effects += session.receive(wire.Text("\0", "a"), 0.0)
    assert refused(effects) == [] and len(errors_of(effects)) == 3


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
    """The error for the client is all that comes of it."""
    session = new_session(contexts=1)
    session.receive(wire.Start("a"), 0.0)
    effects = session.receive(start, 0.0)
    assert refused(effects) == [reason] == [error.code for error in errors_of(effects)] and len(effects) == 1


def test_a_server_that_cannot_speak_refuses() -> None:
    """While the engine is away, and while the server stops."""
    session = new_session()
    session.availability(False, False)
    assert refused(session.receive(wire.Start("a"), 0.0)) == ["engine_lost"]
    session.availability(False, True)
    assert refused(session.receive(wire.Start("a"), 0.0)) == ["shutting_down"]


def test_a_start_that_cannot_be_read_is_refused() -> None:
    """Bytes that should have been a start, and a start whose recording is none; not those of other messages."""
    session = new_session()
    found = [
        session.malformed(MessageError("unknown_field", "?", {"type": "start", "context": "a"}), 0.0),
        session.malformed(MessageError("unknown_field", "?", {"type": "text", "context": "a"}), 0.0),
        session.malformed(MessageError("bad_message", "?"), 0.0),
        session.unusable(wire.Start("b"), "bad_audio", "no sound file", 0.0),
    ]
    assert [refused(effects) for effects in found] == [["unknown_field"], [], [], ["bad_audio"]]
    assert all(len(errors_of(effects)) == 1 for effects in found)
