"""What a session refuses, and how it ends: limits, names, a slow or idle client, a server that stops."""

from __future__ import annotations

import pytest

from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import RETRY_AFTER_MS
from rtserver.session.effects import HangUp, Send, Stop
from rtserver.session.session import Session
from tests.rtserver.session.sessions import STATES, audio, done, error_of, new_session, session_with, state_of, told

# -- names and ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "\0", "\ud83d", "\u202e"])
def test_a_bad_name_opens_nothing(name: str) -> None:
    """An empty, long or unprintable name is refused in an error of the socket: it is not sent back as a context."""
    session = new_session()
    effects = session.receive(wire.Start(name, text="hi", end=True), 0.0)
    assert told(effects) == "error bad_message" and len(session.contexts) == 0
    assert error_of(effects).message.startswith("context: expected 1 to 128 printable characters, found ")


@pytest.mark.parametrize("name", ["x", "x" * 128, "my context", "名字", "\N{GRINNING FACE}"])
def test_any_printable_name_will_do(name: str) -> None:
    """Up to 128 characters of any script, spaces too."""
    session = new_session()
    assert told(session.receive(wire.Start(name), 0.0)) == "OpenUtterance"
    assert state_of(session, name) == "open"


@pytest.mark.parametrize("message", [wire.Text("hi", "x" * 5000), wire.End("x" * 5000), wire.Cancel("x" * 5000)])
def test_an_unknown_name_comes_back_cut(message: wire.ClientMessage) -> None:
    """However long a name was, its error is short."""
    error = error_of(new_session().receive(message, 0.0))
    assert error.code == "unknown_context" and error.context == "x" * 200 and len(error.message) < 250


@pytest.mark.parametrize("flush_id", ["", "x" * 128, "字"])
def test_an_id_may_be_empty(flush_id: str) -> None:
    """Ids of flush and ping come back as they were, up to 128 printable characters."""
    session = session_with("open")
    assert told(session.receive(wire.Flush("a", flush_id), 0.0)) == "FlushText"
    assert session.receive(wire.Ping(flush_id), 0.0) == [Send(wire.Pong(flush_id))]


def test_names_long_past_are_forgotten() -> None:
    """The last thousand names that were used are remembered; one before them is unknown, a newer one is not."""
    session = new_session()
    for i in range(1001):
        session.receive(wire.Start(f"c{i}"), 0.0)
        session.receive(wire.Cancel(f"c{i}"), 0.0)
    assert told(session.receive(wire.End("c0"), 0.0)) == "error unknown_context of c0"
    assert session.receive(wire.End("c1"), 0.0) == []


def test_a_name_used_again_is_remembered_as_the_latest() -> None:
    """It is the last use of a name that counts."""
    session = new_session()
    for i in [*range(1000), 0, 1000]:
        session.receive(wire.Start(f"c{i}"), 0.0)
        session.receive(wire.Cancel(f"c{i}"), 0.0)
    assert session.receive(wire.End("c0"), 0.0) == []
    assert told(session.receive(wire.End("c1"), 0.0)) == "error unknown_context of c1"


# -- how much ---------------------------------------------------------------------------------------------------------


def test_as_many_contexts_as_the_limit_are_open_at_once() -> None:
    """One more is refused; when one of them is over there is room again. Ended ones count: they still speak."""
    session = new_session(contexts=2)
    session.receive(wire.Start("a"), 0.0)
    session.receive(wire.Start("b", text="hi", end=True), 0.0)
    effects = session.receive(wire.Start("c"), 0.0)
    assert told(effects) == "error too_many_contexts of c" and state_of(session, "c") == "never"
    assert error_of(effects).message == "expected at most 2 open contexts"
    session.engine_event(2, done(), 0.0)
    assert told(session.receive(wire.Start("c"), 0.0)) == "OpenUtterance"


def test_the_text_of_a_context_is_counted_as_a_whole() -> None:
    """All of start's and later text together may reach the limit, not go beyond."""
    session = new_session(text_chars=10)
    session.receive(wire.Start("a", text="1234"), 0.0)
    assert told(session.receive(wire.Text("567890", "a"), 0.0)) == "AppendText"
    effects = session.receive(wire.Text("1", "a"), 0.0)
    assert told(effects) == "Discard, Stop, error text_too_long of a"
    assert error_of(effects).message == "expected at most 10 characters in a context, found 11"
    assert state_of(session) == "over"


@pytest.mark.parametrize("state", STATES)
def test_a_message_that_is_too_big_ends_nothing(state: str) -> None:
    """It was not read, so its context is not known: the socket gets an error and contexts go on."""
    session = session_with(state)
    before = state_of(session)
    effects = session.malformed(MessageError("message_too_big", "why"), 1.0)
    assert told(effects) == "error message_too_big" and state_of(session) == before


# -- whether the server can speak -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ready", "draining", "code", "retry_after_ms"),
    [
        (False, False, "engine_lost", RETRY_AFTER_MS),
        (True, True, "shutting_down", None),
        (False, True, "shutting_down", None),
    ],
)
def test_no_context_is_opened_that_cannot_be_spoken(
    ready: bool, draining: bool, code: str, retry_after_ms: int | None
) -> None:
    """While the engine is away, or the server drains, a start is refused and retryable; living contexts go on."""
    session = session_with("open")
    session.availability(ready, draining)
    effects = session.receive(wire.Start("b", text="hi"), 1.0)
    error = error_of(effects)
    assert told(effects) == f"error {code} of b" and state_of(session, "b") == "never"
    assert error.retryable and error.retry_after_ms == retry_after_ms
    assert told(session.receive(wire.Text("hi", "a"), 1.0)) == "AppendText"
    session.availability(True, False)
    assert told(session.receive(wire.Start("b"), 1.0)) == "OpenUtterance"


def test_a_living_name_is_refused_as_such_even_while_the_server_drains() -> None:
    """The context that has the name goes on, and its client learns so."""
    session = session_with("open")
    session.availability(ready=False, draining=True)
    assert told(session.receive(wire.Start("a"), 1.0)) == "error context_exists of a"
    assert state_of(session) == "open"


# -- the server stops -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deadline", [False, True])
@pytest.mark.parametrize("state", ["never", "done", "cancelled", "failed"])
def test_a_socket_without_contexts_closes_when_the_server_stops(state: str, deadline: bool) -> None:
    """There is nothing to wait for."""
    assert session_with(state).shutdown(1.0, deadline) == [HangUp(1001, "the server stops")]


def say_the_end(session: Session, how: str) -> str:
    """Ends the session's context `a`, stream 1."""
    messages: dict[str, wire.ClientMessage] = {
        "cancel": wire.Cancel("a"),
        "cancel of all": wire.Cancel(),
        "bad text": wire.Text("\0", "a"),
        "bad flush": wire.Flush("a", "\n"),
    }
    if how in messages:
        return told(session.receive(messages[how], 2.0))
    if how == "malformed":
        return told(session.malformed(MessageError("bad_message", "no", {"type": "text", "context": "a"}), 2.0))
    if how == "reader failed":
        return told(session.reader_failed(1, "internal", "broken", 2.0))
    event = done() if how == "done" else engine.Failed("u_1", "internal", "broken")
    return told(session.engine_event(1, event, 2.0))


@pytest.mark.parametrize(
    ("how", "effects"),
    [
        ("done", "done"),
        ("cancel", "Discard, Stop, cancelled"),
        ("cancel of all", "Discard, Stop, cancelled"),
        ("bad text", "Discard, Stop, error bad_message of a"),
        ("bad flush", "Discard, Stop, error bad_message of a"),
        ("malformed", "Discard, Stop, error bad_message of a"),
        ("failed", "Discard, Stop, error internal of a"),
        ("reader failed", "Discard, Stop, error internal of a"),
    ],
)
def test_a_socket_that_speaks_closes_behind_the_end_of_its_last_context(how: str, effects: str) -> None:
    """After any end of a context the socket closes at once with 1001; not before, and not without a shutdown."""
    draining, other = session_with("open"), session_with("open")
    assert draining.shutdown(1.0, deadline=False) == []
    assert told(draining.engine_event(1, audio(10), 1.0)) == "audio"
    assert told(draining.receive(wire.Start("b"), 1.0)) == "error shutting_down of b"
    assert say_the_end(draining, how) == f"{effects}, HangUp 1001"
    assert say_the_end(other, how) == effects


def test_a_socket_that_speaks_waits_for_all_its_contexts() -> None:
    """The first that is through does not close it."""
    session = session_with("open")
    session.receive(wire.Start("b"), 0.0)
    assert session.shutdown(1.0, deadline=False) == []
    assert told(session.engine_event(1, done(), 1.0)) == "done"
    assert told(session.receive(wire.Cancel(), 1.0)) == "Discard, Stop, cancelled, HangUp 1001"


def test_the_deadline_ends_living_contexts() -> None:
    """Each hears `shutting_down`, retryable; then the socket closes."""
    session = session_with("open")
    session.receive(wire.Start("b", end=True), 0.0)
    effects = session.shutdown(1.0, deadline=True)
    error = "Discard, Stop, error shutting_down of"
    assert told(effects) == f"{error} a, {error} b, HangUp 1001" and len(session.contexts) == 0
    assert error_of(effects[:3]).retryable


# -- a client that does not read, or does nothing ---------------------------------------------------------------------


def test_a_slow_reader_loses_its_contexts_and_its_socket() -> None:
    """Every living context fails with its own error, then the socket closes with 1008."""
    session = session_with("open")
    session.receive(wire.Start("b", end=True), 0.0)
    session.receive(wire.Start("c"), 0.0)
    session.receive(wire.Cancel("c"), 0.0)
    effects = session.slow_reader(1.0)
    error = "Discard, Stop, error slow_reader of"
    assert told(effects) == f"{error} a, {error} b, HangUp 1008" and len(session.contexts) == 0
    assert [e for e in effects if isinstance(e, Stop)] == [Stop(1), Stop(2)]
    assert not error_of(effects[:3]).retryable


def test_an_idle_socket_is_closed_once() -> None:
    """After idle_s without a word it hears why and closes with 1000; no further tick is asked for."""
    session = new_session(idle_s=5.0)
    assert session.next_tick_s(1.0) == 5.0 and session.tick(4.99) == []
    effects = session.tick(5.0)
    assert told(effects) == "error idle_timeout, HangUp 1000"
    assert error_of(effects).message == "nothing was said for 5 s" and error_of(effects).retryable
    assert session.next_tick_s(5.0) is None and session.tick(6.0) == []


def test_without_a_limit_no_socket_is_idle() -> None:
    """idle_s of 0 asks for no tick."""
    session = new_session(idle_s=0.0)
    assert session.next_tick_s(1.0) is None and session.tick(1e9) == []


@pytest.mark.parametrize("state", ["open", "ended"])
def test_a_socket_with_a_context_is_not_idle(state: str) -> None:
    """While one lives the socket stays, however long nothing is said."""
    session = session_with(state, idle_s=5.0)
    assert session.next_tick_s(1.0) == {"open": 60.0, "ended": None}[state] and session.tick(59.0) == []


@pytest.mark.parametrize(
    "how", ["done", "cancel", "cancel of all", "bad text", "bad flush", "malformed", "failed", "reader failed"]
)
def test_idle_time_begins_at_the_end_of_the_last_context(how: str) -> None:
    """The listener is given the whole time after a speech, whatever ended it."""
    session = session_with("open", idle_s=5.0)
    say_the_end(session, how)
    assert session.next_tick_s(2.0) == 7.0


@pytest.mark.parametrize(
    "message", [wire.Ping(), wire.End("nobody"), wire.Start("a", mode="opera"), wire.Cancel(), wire.Text("x", "nobody")]
)
def test_any_message_is_a_sign_of_life(message: wire.ClientMessage) -> None:
    """It need not be a useful one."""
    session = new_session(idle_s=5.0)
    session.receive(message, 3.0)
    assert session.next_tick_s(3.0) == 8.0


def test_a_message_that_cannot_be_read_is_a_sign_of_life() -> None:
    """Whoever sends nonsense is not idle."""
    session = new_session(idle_s=5.0)
    session.malformed(MessageError("bad_message", "no"), 2.0)
    assert session.next_tick_s(2.0) == 7.0


def test_a_context_is_flushed_a_bounded_number_of_times() -> None:
    """The engine must remember each of them."""
    session = session_with("open", flushes=2)
    assert [told(session.receive(wire.Flush("a"), 1.0)) for _ in range(2)] == ["FlushText"] * 2
    effects = session.receive(wire.Flush("a"), 1.0)
    assert told(effects) == "Discard, Stop, error bad_message of a"
    assert error_of(effects).message == "flush: expected at most 2 in a context, found another"


def test_the_engine_is_not_told_of_every_position() -> None:
    """Of a flood of reports it hears ten a second; `cancelled` is exact all the same."""
    session = session_with("open")
    session.engine_event(1, audio(2000), 1.0)
    session.sent(1, 2000.0, 1.0)
    effects = [told(session.receive(wire.Played(float(ms), "a"), 1.0 + ms / 1000)) for ms in range(300)]
    assert effects[0] == "ReportPlayback" and effects.count("ReportPlayback") == 3
    (_, _, cancelled) = session.receive(wire.Cancel("a"), 1.3)
    assert cancelled == Send(wire.Cancelled("a", 2000, 300, "reported", "", ""))


def test_a_client_that_floods_hears_why_it_is_closed() -> None:
    """Its contexts fail with the same error."""
    session = session_with("open")
    effects = session.rate_limited(1.0)
    assert told(effects) == "Discard, Stop, error rate_limited of a, error rate_limited, HangUp 1008"
    assert len(session.contexts) == 0
