"""What holds of a session whatever client, engine, reader and server do, in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.ipc import engine
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.effects import (
    AppendText,
    Discard,
    Effect,
    EndText,
    FlushText,
    OpenUtterance,
    RefuseStart,
    ReportPlayback,
    Send,
    Stop,
)
from rtserver.session.session import Session
from tests.rtserver.session.sessions import audio, new_session, words

pytestmark = pytest.mark.model

Action = Callable[[Session], Sequence[Effect]]


@dataclass
class Watcher:
    """Follows a session by its effects alone. living: streams by the name of their context."""

    living: dict[str, int] = field(default_factory=dict)
    discarded: set[int] = field(default_factory=set)
    stops: Counter[int] = field(default_factory=Counter)
    done: set[int] = field(default_factory=set)
    spoken: set[int] = field(default_factory=set)

    def see(self, effects: Sequence[Effect], name: str | None) -> None:
        """`name`: of the context that the action may open."""
        for effect in effects:
            match effect:
                case OpenUtterance(stream):
                    assert name is not None and name not in self.living and stream not in self.spoken
                    self.living[name] = stream
                    self.spoken.add(stream)
                case Discard(stream):
                    assert stream in self.living.values()
                    self.discarded.add(stream)
                case Stop(stream):
                    assert stream in self.living.values()
                    self.stops[stream] += 1
                case AppendText(stream) | FlushText(stream) | EndText(stream) | ReportPlayback(stream):
                    assert stream in self.living.values() and not self.stops[stream]
                case Send(message) | RefuseStart(message):
                    self._sent(message)

    def _sent(self, message: wire.ServerMessage) -> None:
        match message:
            case (
                wire.Started(context)
                | wire.Warning(context)
                | wire.Audio(context)
                | wire.Mark(context)
                | wire.Flushed(context)
            ):
                stream = self.living[context]
                assert not self.stops[stream] and stream not in self.discarded
                if isinstance(message, wire.Started | wire.Audio):
                    assert message.stream == stream
            case wire.Done(context):
                stream = self.living.pop(context)
                assert not self.stops[stream] and stream not in self.discarded
                self.done.add(stream)
            case wire.Cancelled(context):
                self._stopped(context)
            case wire.Error(code, context=str(context)) if context in self.living and code != "context_exists":
                self._stopped(context)

    def _stopped(self, context: str) -> None:
        """Its last word: what waited was taken back and the work has stopped before."""
        stream = self.living.pop(context)
        assert stream in self.discarded and self.stops[stream] == 1


NAMES = st.sampled_from(["a", "b", "c"])
STREAMS = st.integers(1, 6)
TEXTS = st.sampled_from(["", "hi ", "one two", "\0", "x" * 30])
IDS = st.sampled_from(["", "f", "\n"])
MESSAGES: st.SearchStrategy[wire.ClientMessage] = st.one_of(
    st.builds(wire.Start, NAMES, text=TEXTS, end=st.booleans(), marks=st.booleans()),
    st.builds(wire.Start, NAMES, mode=st.sampled_from(["sft", "opera"])),
    st.builds(wire.Text, TEXTS, NAMES),
    st.builds(wire.Flush, NAMES, IDS),
    st.builds(wire.End, NAMES),
    st.builds(wire.Cancel, st.none() | NAMES),
    st.builds(wire.Played, st.sampled_from([0.0, 40.0, -1.0, float("nan")]), NAMES),
    st.builds(wire.Ping, IDS),
)
MALFORMED = st.builds(
    lambda kind, name: MessageError("bad_message", "no", {"type": kind, "context": name}),
    st.sampled_from(["text", "flush", "end", "start", "cancel", "fly", 5]),
    NAMES,
)
EVENTS = st.one_of(
    st.builds(engine.Started, st.just("u"), st.just("v"), st.just(5), st.sampled_from(["", "not done"])),
    st.builds(audio, st.integers(0, 500), st.integers(0, 30)),
    st.builds(engine.Flushed, st.just("u"), IDS, st.just(0.0)),
    st.just(engine.Done("u", 3, [1], 1, False, {"ttfa": 0.2})),
    st.builds(engine.Failed, st.just("u"), st.sampled_from(["internal", "unknown_voice", "odd"]), st.just("no")),
)


def sent(stream: int, audio_ms: float, session: Session, now_s: float) -> list[Effect]:
    session.sent(stream, audio_ms, now_s)
    return []


def available(ready: bool, draining: bool, session: Session) -> list[Effect]:
    session.availability(ready, draining)
    return []


@st.composite
def steps(draw: st.DrawFn) -> tuple[str | None, int | None, Action]:
    """The name of the context it may open, the stream it is about, and what is done."""
    now_s = draw(st.floats(0, 100))
    kind = draw(st.sampled_from(["client"] * 5 + ["engine"] * 5 + ["bad", "reader", "network", "server", "end"]))
    if kind == "client":
        message = draw(MESSAGES)
        return getattr(message, "context", None), None, lambda session: session.receive(message, now_s)
    if kind == "engine":
        stream, event = draw(STREAMS), draw(EVENTS)
        return None, stream, lambda session: session.engine_event(stream, event, now_s)
    if kind == "bad":
        error = draw(MALFORMED)
        return None, None, lambda session: session.malformed(error, now_s)
    if kind == "reader":
        stream, fails = draw(STREAMS), draw(st.booleans())
        if fails:
            return None, stream, lambda session: session.reader_failed(stream, "internal", "no", now_s)
        return None, stream, lambda session: session.segments(stream, [words("one two")], now_s)
    if kind == "network":
        stream, audio_ms = draw(STREAMS), draw(st.floats(0, 200))
        return None, stream, lambda session: sent(stream, audio_ms, session, now_s)
    if kind == "server":
        ready, draining = draw(st.sampled_from([(True, False), (False, False), (True, True)]))
        return None, None, lambda session: available(ready, draining, session)
    how = draw(st.sampled_from(["tick", "drain", "deadline", "slow"]))
    actions: dict[str, Action] = {
        "tick": lambda session: session.tick(now_s),
        "drain": lambda session: session.shutdown(now_s, deadline=False),
        "deadline": lambda session: session.shutdown(now_s, deadline=True),
        "slow": lambda session: session.slow_reader(now_s),
    }
    return None, None, actions[how]


@settings(deadline=None, max_examples=300)
@given(st.lists(steps(), min_size=10, max_size=60))
def test_any_sequence_of_messages_and_events_keeps_a_session_in_order(
    sequence: list[tuple[str | None, int | None, Action]],
) -> None:
    """Nothing follows a context's last message; Discard and Stop come before `cancelled` and `error`; the living are
    those opened and not over; each utterance ends exactly once, by the engine's Done or by one Stop."""
    session, watcher = new_session(contexts=2, text_chars=40, idle_s=20.0), Watcher()
    for name, stream, act in sequence:
        over = stream is not None and stream not in watcher.living.values()
        effects = act(session)
        assert not (over and effects)
        watcher.see(effects, name)
        assert len(session.contexts) == len(watcher.living) <= 2
    watcher.see(session.closed(), None)
    assert len(session.contexts) == 0
    assert all((stream in watcher.done) + watcher.stops[stream] == 1 for stream in watcher.spoken)
