"""How long ElevenLabs' sockets wait for text (`inactivity_timeout`), in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from rtserver.messages import wire
from rtserver.session.outbox import WsFrame
from rtserver.uploads.recordings import RecordingReader
from rtserver.wire.conversation import Conversation, ConversationLimits
from rtserver.wire.dialect import Handshake
from rtserver.wire.elevenlabs.dialect import InputDialect
from rtserver.wire.elevenlabs.multi_stream import MultiStreamDialect
from rtserver.wire.elevenlabs.query import SpeechOffer
from rtserver.wire.elevenlabs.stream_input import StreamInputDialect
from rtserver.wire.socket import Pace, Socket
from tests.rtserver.front.backends import an_account
from tests.rtserver.front.driven import driven
from tests.rtserver.http.http_client import TEXT
from tests.rtserver.session.sessions import INFO
from tests.virtual_time import run_in_virtual_time

NO_RECORDINGS = cast(RecordingReader, None)  # these sockets take none
LIMITS = ConversationLimits(
    message_bytes=10_000, slow_reader_s=30.0, messages_per_s=100, rate_limit_s=10.0, text_chars=1000
)
WORDS = "Have not received a new text input within the timeout of {} seconds. Streaming input terminated."


def dialect_of(kind: type[InputDialect], query: str = "") -> InputDialect:
    """Of a socket that was let in. The query is an `inactivity_timeout`; empty for none."""
    parameters = {"output_format": "pcm_24000"} | ({"inactivity_timeout": query} if query else {})
    offer = SpeechOffer(INFO.sample_rate, ["en"], INFO.voice_names)
    made = kind(Handshake({}, parameters, {"voice": "default"}), offer=offer)
    made.check()
    return made


@dataclass(frozen=True)
class Told:
    """What a client was told, and when."""

    at_s: float
    # The message; for the end of the socket the code and the reason.
    what: dict[str, Any]


class QuietSocket(Socket):
    """A socket without a network, which keeps what is sent."""

    def __init__(self) -> None:
        super().__init__([], 1000)
        self.told: list[Told] = []
        self.over = asyncio.Event()

    @property
    def is_drained(self) -> bool:
        return True

    async def ping(self) -> None:
        await asyncio.Event().wait()

    async def send(self, frame: WsFrame) -> None:
        self._note(json.loads(frame))

    async def close(self, code: int, reason: str, grace_s: float = 0.0) -> None:
        if not self.over.is_set():
            self.over.set()
            self._note({"code": code, "reason": reason})

    def _note(self, what: dict[str, Any]) -> None:
        self.told.append(Told(asyncio.get_running_loop().time(), what))


def conversation(dialect: InputDialect, script: Sequence[tuple[float, dict[str, Any]]], end_s: float) -> list[Told]:
    """What a client is told that sends these messages at these times, and leaves at the end."""

    async def scenario() -> list[Told]:
        loop, socket = asyncio.get_running_loop(), QuietSocket()

        async def frames(_pace: Pace) -> AsyncIterator[WsFrame]:
            for at_s, message in script:
                await asyncio.sleep(at_s - loop.time())
                yield json.dumps(message)
            ending = asyncio.ensure_future(socket.over.wait())
            await asyncio.wait([ending], timeout=end_s - loop.time())
            ending.cancel()

        async with driven(clock=loop.time) as d:
            await Conversation(socket, dialect, d.connection, NO_RECORDINGS, LIMITS).run(an_account(), frames)
        return socket.told

    return run_in_virtual_time(scenario())


def without_sound(told: Sequence[Told]) -> list[Told]:
    return [one for one in told if not one.what.get("audio")]


@pytest.mark.parametrize(("query", "seconds"), [("", 20), ("5", 5), ("180", 180), ("300", 180)])
def test_a_socket_that_gets_no_text_closes(query: str, seconds: int) -> None:
    """After 20 s, or what the client asks for up to 180 s, in ElevenLabs' words. It is never too early."""
    error, closed = conversation(dialect_of(StreamInputDialect, query), [], 1000.0)
    words = WORDS.format(seconds)
    assert error.what == {"message": words, "error": "input_timeout_exceeded", "code": 1008}
    assert closed.what == {"code": 1008, "reason": words}
    assert seconds < closed.at_s <= 1.06 * seconds


def test_a_space_keeps_a_socket_open() -> None:
    """The time counts from the last message, with text or with a space, and from the last sound."""
    script = [(at_s, {"text": text}) for at_s, text in [(0.0, " "), (15.0, f"{TEXT} "), (30.0, " "), (49.5, " ")]]
    told = conversation(dialect_of(StreamInputDialect), script, 1000.0)
    assert any(one.what.get("audio") for one in told)
    *_, error, closed = told
    assert error.what["error"] == "input_timeout_exceeded" and 69.5 < closed.at_s <= 70.5


def test_a_complete_text_has_no_timeout() -> None:
    """It is spoken, and the socket closes in order."""
    script = [(0.0, {"text": " "}), (15.0, {"text": TEXT}), (16.0, {"text": ""})]
    told = without_sound(conversation(dialect_of(StreamInputDialect), script, 1000.0))
    assert [one.what for one in told] == [{"audio": None, "isFinal": True}, {"code": 1000, "reason": ""}]


def test_a_context_that_gets_no_text_is_closed() -> None:
    """It is told, with its last message. The socket stays open, and the name is free: later text is spoken."""
    script: list[tuple[float, dict[str, Any]]] = [
        (0.0, {"text": " ", "context_id": "a"}),
        (0.1, {"text": " ", "context_id": "empty"}),
        (1.0, {"text": TEXT, "context_id": "a", "flush": True}),
        (400.0, {"text": TEXT, "context_id": "a", "flush": True}),
        (401.0, {"context_id": "a", "close_context": True}),
        (402.0, {"close_socket": True}),
    ]
    told = without_sound(conversation(dialect_of(MultiStreamDialect), script, 1000.0))
    timeout = {"message": WORDS.format(20), "error": "input_timeout_exceeded", "code": 1008}
    final = {"audio": None, "isFinal": True}
    assert [one.what for one in told] == [
        timeout | {"contextId": "empty"},
        final | {"contextId": "empty"},
        timeout | {"contextId": "a"},
        final | {"contextId": "a"},
        final | {"contextId": "a"},
        {"code": 1000, "reason": ""},
    ]
    assert [round(one.at_s) for one in told] == [21, 21, 22, 22, 401, 402]


@pytest.mark.parametrize("keepalive", [{"text": ""}, {"text": "", "context_id": "a"}])
def test_keepalives_of_pipecat_keep_a_context_open(keepalive: dict[str, Any]) -> None:
    """It sends one every ten seconds, with the context or without; one with another context does not count."""
    script = [
        (0.0, {"text": f"{TEXT} ", "context_id": "a"}),
        (0.1, {"text": f"{TEXT} ", "context_id": "b"}),
        *((at_s + 0.5, keepalive) for at_s in range(10, 101, 10)),
    ]
    told = conversation(dialect_of(MultiStreamDialect), script, 1000.0)
    closed_s = {one.what["contextId"]: one.at_s for one in told if one.what.get("isFinal")}
    assert 120.5 < closed_s["a"] <= 121.5
    closed_b_s = closed_s["b"] if "context_id" in keepalive else closed_s["b"] - 100.5
    assert 20 < closed_b_s <= 22


def test_a_socket_without_contexts_stays_open() -> None:
    """LiveKit keeps one for all of a session, and sends nothing between turns."""
    (closed,) = conversation(dialect_of(MultiStreamDialect, "180"), [], 3600.0)
    assert (closed.at_s, closed.what["code"]) == (3600.0, 1000)  # the client has left


def test_a_context_that_speaks_is_not_closed() -> None:
    """However long ago its text came."""
    dialect = dialect_of(MultiStreamDialect)
    message = dialect.decode(json.dumps({"text": f"{TEXT} ", "context_id": "a"}))
    (start,) = dialect.take(message)
    assert isinstance(start, wire.Start)
    for seq in range(100):
        assert list(dialect.tick()) == []
        dialect.tell(wire.Audio(start.context, seq, 40 * seq, bytes(960), 1))
    told = [action for _ in range(21) for action in dialect.tick()]
    assert told[1:] == [wire.Cancel(start.context)]
