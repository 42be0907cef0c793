"""What each message of a client means in each state of its context."""

from __future__ import annotations

from typing import Any

import pytest

from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import RETRY_AFTER_MS
from rtserver.session.effects import AppendText, Discard, EndText, FlushText, OpenUtterance, ReportPlayback, Send, Stop
from tests.rtserver.session.sessions import (
    MS,
    OVER,
    STATES,
    audio,
    done,
    error_of,
    new_session,
    session_with,
    state_of,
    told,
    words,
)

NOBODY = ("error unknown_context of a", "never")
FORGOTTEN = ("error unknown_context of a", "over")
IGNORED = ("", "over")
IN_USE = "error context_exists of a"
BAD = ("Discard, Stop, error bad_message of a", "over")
GONE = ("Discard, Stop, cancelled", "over")
REFUSED = "error bad_message"  # of the socket: the context goes on
LONG = "x" * 129

# message: what follows when its context was never opened, is open, is ended, is over; and the state it leaves behind.
Outcome = tuple[str, str]
Row = tuple[wire.ClientMessage, Outcome, Outcome, Outcome, Outcome]
ROWS: list[Row] = [
    (wire.Start("a"), ("OpenUtterance", "open"), (IN_USE, "open"), (IN_USE, "ended"), ("OpenUtterance", "open")),
    (wire.Start("a", text="hi"), ("OpenUtterance, AppendText", "open"), (IN_USE, "open"), (IN_USE, "ended"),
     ("OpenUtterance, AppendText", "open")),
    (wire.Start("a", end=True), ("OpenUtterance, EndText", "ended"), (IN_USE, "open"), (IN_USE, "ended"),
     ("OpenUtterance, EndText", "ended")),
    (wire.Start("a", text="hi", end=True), ("OpenUtterance, AppendText, EndText", "ended"), (IN_USE, "open"),
     (IN_USE, "ended"), ("OpenUtterance, AppendText, EndText", "ended")),
    (wire.Start("a", mode="opera"), ("error unknown_mode of a", "never"), (IN_USE, "open"), (IN_USE, "ended"),
     ("error unknown_mode of a", "over")),
    (wire.Start("a", text="\0"), ("error bad_message of a", "never"), (IN_USE, "open"), (IN_USE, "ended"),
     ("error bad_message of a", "over")),
    (wire.Start("a", text=LONG), ("error text_too_long of a", "never"), (IN_USE, "open"), (IN_USE, "ended"),
     ("error text_too_long of a", "over")),
    (wire.Text("hi", "a"), NOBODY, ("AppendText", "open"), BAD, FORGOTTEN),
    (wire.Text("", "a"), NOBODY, ("", "open"), ("", "ended"), IGNORED),
    (wire.Text("x\0", "a"), NOBODY, BAD, BAD, FORGOTTEN),
    (wire.Text("x\ud83d", "a"), NOBODY, BAD, BAD, FORGOTTEN),
    (wire.Text(LONG, "a"), NOBODY, ("Discard, Stop, error text_too_long of a", "over"), BAD, FORGOTTEN),
    (wire.Flush("a", "f"), NOBODY, ("FlushText", "open"), BAD, IGNORED),
    (wire.Flush("a"), NOBODY, ("FlushText", "open"), BAD, IGNORED),
    (wire.Flush("a", LONG), NOBODY, BAD, BAD, IGNORED),
    (wire.Flush("a", "\n"), NOBODY, BAD, BAD, IGNORED),
    (wire.End("a"), NOBODY, ("EndText", "ended"), ("", "ended"), IGNORED),
    (wire.Cancel("a"), NOBODY, GONE, GONE, IGNORED),
    (wire.Cancel(None), ("", "never"), GONE, GONE, IGNORED),
    (wire.Played(10.0, "a"), NOBODY, ("ReportPlayback", "open"), ("ReportPlayback", "ended"), IGNORED),
    (wire.Played(-0.1, "a"), NOBODY, (REFUSED, "open"), (REFUSED, "ended"), IGNORED),
    (wire.Played(float("nan"), "a"), NOBODY, (REFUSED, "open"), (REFUSED, "ended"), IGNORED),
    (wire.Played(float("inf"), "a"), NOBODY, (REFUSED, "open"), (REFUSED, "ended"), IGNORED),
    (wire.Ping("p"), ("pong", "never"), ("pong", "open"), ("pong", "ended"), ("pong", "over")),
    (wire.Ping(LONG), (REFUSED, "never"), (REFUSED, "open"), (REFUSED, "ended"), (REFUSED, "over")),
    (wire.Ping("\x07"), (REFUSED, "never"), (REFUSED, "open"), (REFUSED, "ended"), (REFUSED, "over")),
]  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row[0])[:60])
def test_each_message_in_each_state(row: Row, state: str) -> None:
    """The effects, and the state afterwards, are those of the table."""
    session = session_with(state, text_chars=128)
    effects, after = row[1:][min(STATES.index(state), 3)]
    assert told(session.receive(row[0], 1.0)) == effects
    assert state_of(session) == after
    assert len(session.contexts) == (after in ("open", "ended"))


MALFORMED: list[tuple[dict[str, Any], str]] = [
    # what could be read of a message, and whether text was lost with it
    ({"type": "text", "context": "a", "text": 5}, "lost"),
    ({"type": "flush", "context": "a", "id": 5}, "lost"),
    ({"type": "end", "context": "a", "now": True}, "lost"),
    ({"type": "text", "context": "b", "text": 5}, "kept"),
    ({"type": "text", "text": 5}, "kept"),
    ({"type": "text", "context": None, "text": "x"}, "kept"),
    ({"type": None, "context": "a"}, "kept"),
    ({"type": "cancel", "context": "a", "why": ""}, "kept"),
    ({"type": "played", "context": "a"}, "kept"),
    ({"type": "fly", "context": "a"}, "kept"),
    ({}, "kept"),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("raw", "text"), MALFORMED, ids=lambda value: ascii(value)[:50])
def test_a_malformed_message_ends_the_living_context_whose_text_it_lost(
    raw: dict[str, Any], text: str, state: str
) -> None:
    """A living context fails where text, flush or end went wrong; anything else is an error of the socket alone."""
    session = session_with(state)
    before = state_of(session)
    effects = session.malformed(MessageError("unknown_field", "what was wrong", raw), 1.0)
    if text == "lost" and state in ("open", "ended"):
        assert told(effects) == "Discard, Stop, error unknown_field of a" and state_of(session) == "over"
    else:
        assert told(effects) == "error unknown_field" and state_of(session) == before
    assert error_of(effects).message == "what was wrong"


@pytest.mark.parametrize("state", STATES)
def test_a_malformed_start_is_an_error_of_the_context_it_would_have_opened(state: str) -> None:
    """Unless that name is in use: then it is the socket's, and the context goes on."""
    session = session_with(state)
    before = state_of(session)
    raw = {"type": "start", "context": "a"}
    effects = session.malformed(MessageError("unknown_field", "colour", raw), 1.0)
    assert told(effects) == "error unknown_field" + ("" if state in ("open", "ended") else " of a")
    assert state_of(session) == before


def test_a_malformed_message_without_a_name_means_the_default_context() -> None:
    """As in a good message, `main` is meant where none is named."""
    session = session_with("open", "main")
    effects = session.malformed(MessageError("bad_message", "no", {"type": "text", "text": 5}), 1.0)
    assert told(effects) == "Discard, Stop, error bad_message of main"


def test_ready_is_the_first_word() -> None:
    """A socket that opens hears what the server is and what it allows."""
    session = new_session()
    (effect,) = session.opened(1.0)
    assert isinstance(effect, Send) and isinstance(effect.message, wire.Ready)
    ready = effect.message
    assert (ready.protocol, ready.server, ready.model) == (wire.PROTOCOL, "server/1", "nano")
    assert (ready.sample_rate, ready.voices) == (24000, 4)
    assert ready.limits["contexts"] == 32 and ready.limits["text_chars"] == 20_000


@pytest.mark.parametrize("end", [False, True])
def test_a_whole_request_is_spoken_as_one(end: bool) -> None:
    """Text and end in one message are read in clauses and not streamed; otherwise text is read word by word."""
    session = new_session()
    speak, say, *rest = session.receive(wire.Start("a", text="hello", end=end, language="zh"), 0.0)
    assert isinstance(speak, OpenUtterance)
    assert (speak.stream, speak.words, speak.language) == (1, not end, "zh")
    assert (speak.request.utterance, speak.request.streaming, speak.request.seed) == ("u_1", not end, 7)
    assert say == AppendText(1, "hello") and rest == [EndText(1)] * end


def test_the_reader_finds_the_language_itself_when_it_is_auto() -> None:
    """`auto` picks a voice by the text, yet forces no language on it."""
    (speak, *_) = new_session().receive(wire.Start("a", text="你好"), 0.0)
    assert isinstance(speak, OpenUtterance) and speak.language is None and speak.request.language == "zh"


@pytest.mark.parametrize("markup", [True, False])
def test_the_reader_is_told_whether_there_is_markup(markup: bool) -> None:
    """Tags are markup unless the client says that they are not."""
    (speak, *_) = new_session().receive(wire.Start("a", text="<p>", markup=markup), 0.0)
    assert isinstance(speak, OpenUtterance) and speak.markup is markup


def test_each_context_has_a_stream_of_its_own() -> None:
    """Messages reach the stream of the context they name; a refused start uses none up."""
    session = new_session()
    session.receive(wire.Start("a"), 0.0)
    session.receive(wire.Start("x", mode="opera"), 0.0)
    (speak,) = session.receive(wire.Start("b"), 0.0)
    assert isinstance(speak, OpenUtterance) and speak.stream == 2
    assert session.receive(wire.Text("hi", "b"), 0.0) == [AppendText(2, "hi")]
    assert session.receive(wire.Flush("a", "f"), 0.0) == [FlushText(1, "f")]
    assert session.receive(wire.Played(1500.0, "b"), 0.0) == [ReportPlayback(2, 1.5)]
    assert session.receive(wire.End("b"), 0.0) == [EndText(2)]
    assert session.receive(wire.Text("hi"), 0.0)[0] == Send(
        wire.Error("unknown_context", "expected the name of an open context, found 'main'", context="main", id="u_4")
    )


def test_a_name_is_free_again_once_its_context_is_over() -> None:
    """The new context is another stream, and starts with no text."""
    session = session_with("open", text_chars=5)
    session.receive(wire.Text("12345", "a"), 0.0)
    session.receive(wire.Cancel("a"), 0.0)
    (speak, say) = session.receive(wire.Start("a", text="12345"), 0.0)
    assert isinstance(speak, OpenUtterance) and speak.stream == 2 and say == AppendText(2, "12345")


def test_cancel_of_all_ends_each_context() -> None:
    """Every living context gets its own `cancelled`, in the order they were opened."""
    session = session_with("open")
    for name in ("b", "c"):
        session.receive(wire.Start(name), 0.0)
    session.receive(wire.End("c"), 0.0)
    session.receive(wire.Cancel("b"), 0.0)
    effects = session.receive(wire.Cancel(), 0.0)
    assert [e for e in effects if not isinstance(e, Send)] == [Discard(1), Stop(1), Discard(3), Stop(3)]
    assert [e.message.context for e in effects if isinstance(e, Send) and isinstance(e.message, wire.Cancelled)] == [
        "a",
        "c",
    ]
    assert len(session.contexts) == 0


# -- what the engine and the reader tell ------------------------------------------------------------------------------

EVENTS: list[engine.Started | engine.Audio | engine.Flushed | engine.Done | engine.Failed] = [
    engine.Started("u_1", "v", 5),
    audio(10),
    engine.Flushed("u_1", "f", 0.0),
    done(),
    engine.Failed("u_1", "internal", "broken"),
]


@pytest.mark.parametrize("state", ["never", *OVER])
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_nothing_more_is_said_of_a_stream_that_is_over(
    event: engine.Started | engine.Audio | engine.Flushed | engine.Done | engine.Failed, state: str
) -> None:
    """Late events, text that was read late and sound that was sent late have no effect."""
    session = session_with(state)
    assert session.engine_event(1, event, 1.0) == []
    assert session.segments(1, [words("hi")], 1.0) == []
    assert session.reader_failed(1, "internal", "broken", 1.0) == []
    session.sent(1, 10.0, 1.0)
    assert len(session.contexts) == 0


@pytest.mark.parametrize("state", ["open", "ended"])
@pytest.mark.parametrize(
    ("event", "effects", "live"),
    [
        (EVENTS[0], "started", 1),
        (EVENTS[1], "audio", 1),
        (engine.Audio("u_1", b"", 0.0, 0), "", 1),
        (EVENTS[2], "flushed", 1),
        (EVENTS[3], "done", 0),
        (EVENTS[4], "Discard, Stop, error internal of a", 0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_event_of_a_living_stream_is_told(
    event: engine.Started | engine.Audio | engine.Flushed | engine.Done | engine.Failed,
    effects: str,
    live: int,
    state: str,
) -> None:
    """The client hears of it under the context's name; done and failed are its end."""
    session = session_with(state)
    assert told(session.engine_event(1, event, 1.0)) == effects
    assert len(session.contexts) == live


def test_late_events_of_a_stream_are_not_taken_for_the_new_one_of_its_name() -> None:
    """What an earlier context of that name still does is not told of the later one."""
    session = session_with("cancelled")
    session.receive(wire.Start("a"), 0.0)
    assert session.engine_event(1, audio(10), 1.0) == []
    assert told(session.engine_event(2, audio(10), 1.0)) == "audio"


def test_flushed_tells_the_sound_so_far() -> None:
    """It carries the client's id, and the audio cut into frames up to it."""
    session = session_with("open")
    session.engine_event(1, audio(70), 1.0)
    assert session.engine_event(1, engine.Flushed("u_1", "f", 99.0), 1.0) == [Send(wire.Flushed("a", "f", 70))]


def test_marks_follow_the_text_that_was_read() -> None:
    """Words that were read are told before the sound in which they begin."""
    session = session_with("open")
    session.receive(wire.Text("one two", "a"), 0.0)
    session.segments(1, [words("one"), words("two", 4)], 0.0)
    assert session.engine_event(1, audio(30, 3.0), 1.0) == [
        Send(wire.Mark("a", "one", 0, 0, 30, True)),
        Send(wire.Audio("a", 0, 0, MS * 30, 1)),
    ]


def test_text_that_cannot_be_read_ends_its_context() -> None:
    """The reader's failure is the context's error; others go on."""
    session = session_with("open")
    session.receive(wire.Start("b"), 0.0)
    assert told(session.reader_failed(1, "internal", "broken", 1.0)) == "Discard, Stop, error internal of a"
    assert state_of(session, "a") == "over" and state_of(session, "b") == "open"


def test_only_sound_that_was_sent_counts_as_sent() -> None:
    """`cancelled` counts what the network took, not what the engine made, and the listener's time since."""
    session = session_with("open")
    session.engine_event(1, audio(500), 1.0)
    session.sent(1, 200.0, 1.0)
    *_, cancelled = session.receive(wire.Cancel("a"), 1.05)
    assert cancelled == Send(wire.Cancelled("a", 200, 50, "estimated", "", ""))


def test_cancelled_believes_what_the_listener_reported() -> None:
    """After `played` it counts from there."""
    session = session_with("open")
    session.sent(1, 1000.0, 1.0)
    session.receive(wire.Played(100.0, "a"), 1.5)
    *_, cancelled = session.receive(wire.Cancel("a"), 1.75)
    assert cancelled == Send(wire.Cancelled("a", 1000, 350, "reported", "", ""))


@pytest.mark.parametrize(
    ("code", "found", "retryable", "retry_after_ms"),
    [
        ("unknown_voice", "unknown_voice", False, None),
        ("overloaded", "overloaded", True, RETRY_AFTER_MS),
        ("engine_lost", "engine_lost", True, RETRY_AFTER_MS),
        ("shutting_down", "shutting_down", True, None),
        ("internal", "internal", True, None),
        ("no_code_of_the_wire", "internal", True, None),
    ],
)
def test_an_error_tells_whether_to_try_again(
    code: str, found: str, retryable: bool, retry_after_ms: int | None
) -> None:
    """What is not the client's fault is retryable; an inner code the wire does not know is a fault of the server's."""
    error = error_of(session_with("open").engine_event(1, engine.Failed("u_1", code, "why"), 1.0))
    assert (error.code, error.message, error.retryable, error.retry_after_ms) == (
        found,
        "why",
        retryable,
        retry_after_ms,
    )


def test_closed_stops_all_work_and_says_nothing() -> None:
    """When the socket is gone each living utterance is stopped; what comes later is of nobody."""
    session = session_with("open")
    for name in ("b", "c"):
        session.receive(wire.Start(name), 0.0)
    session.receive(wire.Cancel("b"), 0.0)
    assert session.closed() == [Stop(1), Stop(3)]
    assert len(session.contexts) == 0 and session.closed() == []
    assert session.engine_event(1, done(), 1.0) == []


# -- ids --------------------------------------------------------------------------------------------------------------


def test_the_utterance_id_is_in_started_and_in_its_error() -> None:
    """The engine gets the same one: what a client quotes is what the logs of every process say."""
    session = new_session()
    (speak,) = session.receive(wire.Start("a"), 0.0)
    assert isinstance(speak, OpenUtterance)
    (started,) = session.engine_event(1, engine.Started(speak.request.utterance, "v", 5), 1.0)
    assert isinstance(started, Send) and isinstance(started.message, wire.Started)
    error = error_of(session.engine_event(1, engine.Failed(speak.request.utterance, "internal", "why"), 2.0))
    assert speak.request.utterance == started.message.id == error.id == "u_1"


def test_an_error_without_an_utterance_has_an_id_of_its_own() -> None:
    """It is quoted too: refused starts, messages about nobody, bytes that are no message, a silent socket."""
    session = new_session(idle_s=5.0)
    errors = [
        error_of(session.receive(wire.Start("a", mode="opera"), 0.0)),
        error_of(session.receive(wire.Text("x", "nobody"), 0.0)),
        error_of(session.malformed(MessageError("bad_message", "no"), 0.0)),
        error_of(session.tick(5.0)),
    ]
    ids = [error.id for error in errors]
    assert None not in ids and len(set(ids)) == len(ids)


# -- silences ---------------------------------------------------------------------------------------------------------


def test_sound_that_waits_when_its_utterance_is_done_still_counts() -> None:
    """A listener runs dry by what comes late, also when the engine is through with it."""
    session = session_with("open")
    session.sent(1, 500, 10.0)
    session.engine_event(1, done(), 10.1)
    gap = session.sent(1, 500, 11.0)
    assert gap is not None and (gap.utterance, gap.gap_s, gap.at_s) == ("u_1", 0.5, 0.5)
    session.all_sent()
    assert session.sent(1, 500, 20.0) is None


def test_a_cancelled_utterance_has_no_silence() -> None:
    """Nothing of it is sent any more."""
    session = session_with("open")
    session.sent(1, 500, 10.0)
    session.receive(wire.Cancel("a"), 10.1)
    assert session.sent(1, 500, 11.0) is None
