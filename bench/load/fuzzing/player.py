"""One session for bench/load/fuzz.py. It takes frames and engine events, and checks every answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import cast, get_args

from bench.load.fuzzing.frames import Frame
from rtserver.front.connection import Connection
from rtserver.ipc import engine
from rtserver.ipc.reading import Segment
from rtserver.messages import wire
from rtserver.metrics.trace import Ring
from rtserver.session.caller import Caller
from rtserver.session.effects import Discard, Effect, HangUp, OpenUtterance, RefuseStart, Send, Stop
from rtserver.session.limits import SessionLimits
from rtserver.session.server_info import ServerInfo
from rtserver.session.session import Session
from rtserver.session.start_request import NO_RECORDINGS, Recordings
from rtserver.uploads.errors import UploadError
from rtserver.uploads.recordings import RecordingReader
from rtserver.wire.conversation import Conversation, ConversationLimits
from rtserver.wire.dialect import Handshake
from rtserver.wire.native.dialect import NativeDialect
from rtserver.wire.socket import Socket

INFO = ServerInfo("fuzz", "none", 24_000, 1, ("sft", "instruct"))
LONGEST_ERROR_CHARS = 1000
# A frame that is not answered by then never is.
LONGEST_ANSWER_S = 60.0
# What may answer a frame that is not a message: one error, or the end of one context.
_REFUSALS: list[list[type[Effect]]] = [[Send], [RefuseStart], [Discard, Stop, Send], [Discard, Stop, Send, HangUp]]
_FAILURES = ("engine_lost", "overloaded", "unknown_voice", "of no wire")


class BrokenRule(Exception):
    """An answer that is not allowed."""


@dataclass(frozen=True)
class Outcome:
    """How one frame was answered."""

    # An error code, `taken` or `ignored`.
    answer: str
    # Whether a context ended.
    ended: bool
    # CPU time for the frame.
    cpu_s: float


class NoDecoder:
    """Stands for the decoders. It refuses every recording as one that cannot be decoded."""

    async def decode(self, prompt: bytes | None, source: bytes | None, tenant: str) -> Recordings:
        if prompt is not None or source is not None:
            raise UploadError("audio: expected a recording, found none")
        return NO_RECORDINGS


class Player:
    """One session, driven by the real conversation. The player stands in for the connection."""

    def __init__(self, rng: Random) -> None:
        small = rng.random() < 0.95
        self.limits = SessionLimits(
            text_chars=rng.choice((200, 20_000)),
            contexts=rng.choice((2, 32)),
            message_bytes=16 << 10 if small else 1 << 20,
            idle_s=rng.choice((0.0, 5.0)),
        )
        caller, new_id = Caller(limits=self.limits), lambda: f"u_{rng.getrandbits(48):012x}"
        self.session = Session(INFO, caller, lambda: rng.getrandbits(32), new_id, Ring(1))
        self.streams: set[int] = set()
        self._rng = rng
        self._now_s = 0.0
        self._available = (True, False)
        dialect = NativeDialect(Handshake({}, {}, {}))
        self._conversation = Conversation(
            Socket(dialect.subprotocols, 0),
            dialect,
            cast(Connection, self),
            cast(RecordingReader, NoDecoder()),
            ConversationLimits(
                self.limits.message_bytes,
                1.0,
                1_000_000,
                1.0,
                self.limits.text_chars,
                loop_bytes=2 * self.limits.message_bytes,
            ),
        )
        self._answers: list[tuple[bool, Sequence[Effect]]] = []
        self._verify(self.session.opened(0.0))

    def receive(self, message: wire.ClientMessage, recordings: Recordings = NO_RECORDINGS) -> None:
        self.session.availability(*self._available)
        self._answers.append((True, self.session.receive(message, self._now_s, recordings)))

    def check(self, start: wire.Start, undecoded: Recordings) -> bool:
        self.session.availability(*self._available)
        effects = self.session.receive(start, self._now_s, undecoded)
        if effects:
            self._answers.append((True, effects))
        return not effects

    def do(self, decide: Callable[[Session, float], Sequence[Effect]]) -> None:
        self._answers.append((False, decide(self.session, self._now_s)))

    def take(self, frame: Frame) -> Outcome:
        """Gives one frame to the socket's own decoding. Raises BrokenRule, or the error of the code under test."""
        self._answers.clear()
        live = len(self.streams)
        cpu_s = asyncio.run(self._answer(frame))
        if len(self._answers) != 1:
            raise BrokenRule(f"expected a frame to be handled once, found {len(self._answers)} times")
        ((valid, effects),) = self._answers
        errors = self._verify(effects)
        ended = any(isinstance(effect, Stop) for effect in effects)
        if len(errors) > 1 or (not valid and not errors):
            raise BrokenRule(f"expected one error, found {len(errors)}")
        if not valid and _kinds(effects) not in _REFUSALS:
            raise BrokenRule(f"expected an error or the end of one context, found {_kinds(effects)}")
        if not valid and live - len(self.streams) != ended:
            raise BrokenRule(f"{live} contexts were open, {len(self.streams)} are")
        answer = errors[0].code if errors else "taken" if effects else "ignored"
        return Outcome(answer, ended, cpu_s)

    async def _answer(self, frame: Frame) -> float:
        """Has the conversation take a frame. The CPU time in seconds. A start with recordings is answered by a task."""
        start_s = time.thread_time()
        try:
            async with asyncio.timeout(LONGEST_ANSWER_S):
                await self._conversation.take(frame)
                await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        except TimeoutError as error:
            raise BrokenRule(f"expected an answer, found none within {LONGEST_ANSWER_S:g} s") from error
        return time.thread_time() - start_s

    def _verify(self, effects: Sequence[Effect]) -> list[wire.Error]:
        """Returns the errors among the effects. Raises BrokenRule when an effect has an unknown type, a message cannot
        be encoded, an error has an unknown code or a long text, or the session's open contexts differ from those that
        its effects opened and closed."""
        errors = []
        for effect in effects:
            match effect:
                case Send(message) | RefuseStart(message):
                    _encode(message)
                    if isinstance(message, wire.Error):
                        errors.append(message)
                case OpenUtterance(stream):
                    self.streams.add(stream)
                case Stop(stream):
                    self.streams.remove(stream)
                case _ if not isinstance(effect, get_args(Effect)):
                    raise BrokenRule(f"expected an effect, found {effect!r}")
        for error in errors:
            if error.code not in wire.CODES or len(error.message) > LONGEST_ERROR_CHARS:
                raise BrokenRule(f"error {error.code} of {len(error.message)} characters")
        if len(self.session.contexts) != len(self.streams):
            raise BrokenRule(f"expected {len(self.streams)} open contexts, found {len(self.session.contexts)}")
        return errors

    def pass_time(self) -> None:
        """Between two frames: time passes, the engine works, and sometimes the server is not ready or drains."""
        rng = self._rng
        self._now_s += rng.expovariate(4)
        if rng.random() < 0.05:
            self._available = (rng.random() < 0.9, rng.random() < 0.1)
        self._verify(self.session.tick(self._now_s))
        while self.streams and rng.random() < 0.3:
            self._hear_engine(rng.choice(sorted(self.streams)))

    def close(self) -> None:
        """The socket is gone. Every context must stop."""
        self._verify(self.session.closed())
        if self.streams:
            raise BrokenRule(f"expected no open contexts, found {self.streams}")

    def _hear_engine(self, stream: int) -> None:
        rng, name = self._rng, f"fuzz.{stream}"
        text = rng.choice(("one two", "三点 ten", ""))
        self.session.segments(stream, [Segment([1, 2, 3], 1, True, 0, len(text), text)], self._now_s)
        self.session.sent(stream, rng.uniform(0, 300), self._now_s)
        position = rng.uniform(0, 50)
        happening = (
            engine.Started(name, "voice", 5),
            engine.Audio(name, bytes(2 * rng.randrange(9000)), 0.0, 1, position),
            engine.Audio(name, b"", 0.0, 1, position),
            engine.Flushed(name, rng.choice(("", "f1")), position),
            engine.Done(name, 3, [1, 2], 1, False, {"ttfa": rng.random(), "talker": position}),
            engine.Failed(name, rng.choice(_FAILURES), "failed"),
        )
        (event,) = rng.choices(happening, (2, 8, 1, 2, 1, 1))
        effects = self.session.engine_event(stream, event, self._now_s)
        if isinstance(event, engine.Done):
            self.streams.remove(stream)
        self._verify(effects)


def _encode(message: wire.ServerMessage) -> None:
    """Raises BrokenRule if one form of the wire cannot carry the message."""
    try:
        wire.SERVER.to_json(message)
        wire.SERVER.to_msgpack(wire.without_stream(message))
        if isinstance(message, wire.Audio):
            wire.pack_audio(message)
    except Exception as error:
        raise BrokenRule(f"{type(message).__name__} cannot be encoded: {error!r:.200}") from error


def _kinds(effects: Sequence[Effect]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]
