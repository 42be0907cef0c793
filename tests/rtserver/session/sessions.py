"""Sessions in every state of a context, and effects in a form that is easy to compare."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from rtserver.ipc import engine
from rtserver.ipc.reading import Segment
from rtserver.messages import wire
from rtserver.metrics.trace import Ring
from rtserver.session.caller import Caller
from rtserver.session.effects import AppendText, Effect, HangUp, RefuseStart, Send
from rtserver.session.limits import SessionLimits
from rtserver.session.server_info import ServerInfo
from rtserver.session.session import Session

INFO = ServerInfo("server/1", "nano", 24000, 4, ("sft", "instruct2"))
OVER = ("done", "cancelled", "failed")
STATES = ("never", "open", "ended", *OVER)
MS = bytes(2 * 24)  # one millisecond of samples


def numbered_ids() -> Callable[[], str]:
    """Ids in order instead of random ones: u_1, u_2, ..."""
    numbers = itertools.count(1)
    return lambda: f"u_{next(numbers)}"


def new_session(**limits: Any) -> Session:
    session = Session(INFO, Caller(limits=SessionLimits(**limits)), lambda: 7, numbered_ids(), Ring())
    session.opened(0.0)
    return session


def session_with(state: str, name: str = "a", session: Session | None = None, **limits: Any) -> Session:
    """A session whose first context is in one of STATES."""
    session = session or new_session(**limits)
    if state == "never":
        return session
    session.receive(wire.Start(name), 0.0)
    if state == "ended":
        session.receive(wire.End(name), 0.0)
    elif state == "done":
        session.engine_event(1, done(), 0.0)
    elif state == "cancelled":
        session.receive(wire.Cancel(name), 0.0)
    elif state == "failed":
        session.engine_event(1, engine.Failed("u_1", "internal", "broken"), 0.0)
    return session


def state_of(session: Session, name: str = "a") -> str:
    """never, open, ended or over, found out as a client would. The session is not changed."""
    probe = copy.deepcopy(session)
    match probe.receive(wire.Text("x", name), 0.0):
        case [AppendText()]:
            return "open"
        case [Send()]:
            return "never" if probe.receive(wire.End(name), 0.0) else "over"
    return "ended"


def told(effects: Sequence[Effect]) -> str:
    """Effects by kind, in order: a message by its type, an error by its code and its context."""
    return ", ".join(_told(effect) for effect in effects)


def _told(effect: Effect) -> str:
    match effect:
        case Send(wire.Error(code, context=context)) | RefuseStart(wire.Error(code, context=context)):
            return f"error {code}" + ("" if context is None else f" of {context[:20]}")
        case Send(message):
            return type(message).__name__.lower()
        case HangUp(close_code):
            return f"HangUp {close_code}"
    return type(effect).__name__


def error_of(effects: Sequence[Effect]) -> wire.Error:
    """The one error among effects."""
    (error,) = errors_of(effects)
    return error


def errors_of(effects: Sequence[Effect]) -> list[wire.Error]:
    """The errors that the client gets."""
    sent = [e.error if isinstance(e, RefuseStart) else e.message for e in effects if isinstance(e, Send | RefuseStart)]
    return [message for message in sent if isinstance(message, wire.Error)]


def audio(ms: int, text_position: float = 0.0) -> engine.Audio:
    return engine.Audio("u_1", MS * ms, 0.0, 0, text_position)


def done(**seconds: float) -> engine.Done:
    return engine.Done("u_1", 3, [1, 2], 1, False, seconds)


def words(text: str, start: int = 0) -> Segment:
    """A clause in which every character is one text id."""
    return Segment([7] * len(text), 0, False, start, start + len(text), text)
