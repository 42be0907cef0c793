"""Contexts for which no text comes."""

from __future__ import annotations

import pytest

from rtserver.messages import wire
from tests.rtserver.session.sessions import audio, done, error_of, new_session, session_with, told


@pytest.mark.parametrize("text", ["", " ", " \n "])
def test_a_context_without_text_ends(text: str) -> None:
    """After `context_idle_s`, with an error that can be tried again. Empty text and spaces are no text."""
    session = session_with("open", context_idle_s=60.0)
    session.receive(wire.Text(text, "a"), 59.0)
    assert session.next_tick_s(59.0) == 60.0 and session.tick(59.9) == []
    effects = session.tick(60.0)
    assert told(effects) == "Discard, Stop, error idle_timeout of a" and len(session.contexts) == 0
    error = error_of(effects)
    assert error.retryable and error.message == "no text came for 60 s: open a context when there is text"


def test_a_context_with_text_waits_for_more() -> None:
    """A writer may pause for 45 s in mid-turn; it ends when neither text nor sound has come for `turn_idle_s`."""
    session = session_with("open", context_idle_s=60.0, turn_idle_s=300.0)
    session.receive(wire.Text("So, ", "a"), 10.0)
    assert session.next_tick_s(10.0) == 310.0 and session.tick(61.0) == []
    session.receive(wire.Text("next.", "a"), 55.0)
    assert session.next_tick_s(55.0) == 355.0
    session.engine_event(1, audio(40), 100.0)
    assert session.next_tick_s(100.0) == 400.0 and session.tick(399.0) == []
    assert told(session.tick(400.0)) == "Discard, Stop, error idle_timeout of a"


def test_text_with_the_start_is_text() -> None:
    """The context is as patient as with text of its own."""
    session = new_session()
    session.receive(wire.Start("a", text="Well "), 5.0)
    assert session.next_tick_s(5.0) == 305.0


def test_a_context_that_has_all_its_text_never_ends_so() -> None:
    """Its client has nothing more to say."""
    session = session_with("ended")
    assert session.next_tick_s(1.0) is None and session.tick(1e6) == []


def test_each_context_has_its_own_time() -> None:
    """The first that is due decides when to look; the others live on."""
    session = session_with("open")
    session.receive(wire.Start("b"), 30.0)
    assert session.next_tick_s(30.0) == 60.0
    assert told(session.tick(60.0)) == "Discard, Stop, error idle_timeout of a"
    assert session.next_tick_s(60.0) == 90.0 and len(session.contexts) == 1
    session.engine_event(2, done(), 70.0)
    assert session.next_tick_s(70.0) is None
