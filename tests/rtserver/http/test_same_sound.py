"""One request over HTTP as JSON, over HTTP as a stream, over /ws/v1/tts and over the native wire is one and the same
session: the same messages in, the same events, the same effects, the same samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.connection import Connection
from rtserver.ipc import engine
from rtserver.ipc.reading import Segment
from rtserver.messages import wire
from rtserver.session.effects import AppendText, Effect, OpenUtterance, Send
from rtserver.session.session import Session
from tests.rtserver.http.http_client import ask, file_of, pcm_of, spoken
from tests.rtserver.serving import Served, served
from tests.rtserver.wire.wire_client import wire_client

REQUEST = {"text": "one two three four. " * 4, "seed": 7, "language": "en", "speed": 1.25}
# 4 times 15 letters and a full stop, 0.06 s each, a quarter faster.
SAMPLES = 4 * 16 * 1440 * 4 // 5


class Trace:
    """What each session was told and what it decided, in order, without times; by session."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions: dict[Session, list[str]] = {}
        self._wrap_session(monkeypatch)
        apply = Connection._apply

        def applied(connection: Connection, effects: Sequence[Effect]) -> None:
            for effect in effects:
                self._note(connection.session, f"effect {_effect(effect)}")
            apply(connection, effects)

        monkeypatch.setattr(Connection, "_apply", applied)

    def _wrap_session(self, monkeypatch: pytest.MonkeyPatch) -> None:
        receive, engine_event, segments = Session.receive, Session.engine_event, Session.segments
        audio = Session.audio

        def received(session: Session, message: wire.ClientMessage, *rest: Any) -> list[Effect]:
            self._note(session, f"receive {_told(message, 'max_lead_s')}")
            return receive(session, message, *rest)

        def told(session: Session, stream: int, event: Any, now_s: float) -> list[Effect]:
            self._note(session, f"event {stream} {_event(event)}")
            return engine_event(session, stream, event, now_s)

        def read(session: Session, stream: int, found: Sequence[Segment], now_s: float) -> list[Effect]:
            self._note(session, f"segments {stream} {[segment.text for segment in found]}")
            return segments(session, stream, found, now_s)

        def sounded(session: Session, stream: int, event: engine.Audio, now_s: float) -> list[wire.ServerMessage]:
            self._note(session, f"event {stream} {_event(event)}")
            messages = audio(session, stream, event, now_s)
            for message in messages:
                self._note(session, f"effect {_effect(Send(message))}")
            return messages

        monkeypatch.setattr(Session, "audio", sounded)
        monkeypatch.setattr(Session, "receive", received)
        monkeypatch.setattr(Session, "engine_event", told)
        monkeypatch.setattr(Session, "segments", read)

    def _note(self, session: Session, what: str) -> None:
        self.sessions.setdefault(session, []).append(what)


def _told(message: Any, *besides: str) -> str:
    shown = [f"{f.name}={getattr(message, f.name)!r}" for f in fields(message) if f.name not in besides]
    return f"{type(message).__name__} {' '.join(shown)}"


def _event(event: Any) -> str:
    if isinstance(event, engine.Audio):
        return f"Audio of {len(event.pcm)} bytes at {event.start_s}, text {event.text_position}"
    return type(event).__name__


def _effect(effect: Effect) -> str:
    match effect:
        case Send(wire.Audio() as audio):
            return f"Send audio {audio.seq} at {audio.start_ms} of {len(audio.data)} bytes"
        case Send(wire.Mark() as mark):
            return f"Send {_told(mark)}"
        case Send(message):
            return f"Send {type(message).__name__}"
        case OpenUtterance(stream, request):
            return f"OpenUtterance {stream} {_told(request, 'utterance', 'max_lead_s')}"
        case AppendText(stream, text):
            return f"AppendText {stream} {text!r}"
    return type(effect).__name__


async def by_socket(server: Served) -> bytes:
    pcm = b""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws/v1/tts") as ws:
        await ws.send_json(REQUEST)
        while (message := await ws.receive(10)).type is aiohttp.WSMsgType.BINARY:
            pcm += message.data
        assert message.json()["done"] is True
    return pcm


async def by_native(server: Served) -> bytes:
    async with wire_client(server.url) as client:
        await client.send("start", end=True, **REQUEST)
        await client.until("done")
        return client.heard["main"].pcm


def test_one_request_is_the_same_session_on_every_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample for sample and event for event. Only how far work may run ahead of a listener differs: a file has none."""
    trace = Trace(monkeypatch)

    async def scenario() -> list[bytes]:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.01))) as server:
            json = pcm_of(file_of(await spoken(server.url, **REQUEST)))
            stream = (await ask(f"{server.url}/v1/tts/stream", json=REQUEST)).body
            also_stream = (await ask(f"{server.url}/v1/tts", json={**REQUEST, "stream": True})).body
            return [json, stream, also_stream, await by_socket(server), await by_native(server)]

    sounds = asyncio.run(scenario())
    assert [len(sound) for sound in sounds] == [2 * SAMPLES] * 5 and len(set(sounds)) == 1
    assert len(trace.sessions) == 5
    first, *others = trace.sessions.values()
    for other in others:
        assert other == first


def test_the_trace_tells_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that equal traces mean something: message, reading, speech and its end are all in it, in order."""
    trace = Trace(monkeypatch)

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.01))) as server:
            await spoken(server.url, **REQUEST)

    asyncio.run(scenario())
    (session,) = trace.sessions.values()
    kinds = [" ".join(line.split()[:2]) for line in session]
    assert kinds[:6] == [
        "effect Send", "receive Start", "effect OpenUtterance", "effect AppendText", "effect EndText", "event 1",
    ]  # fmt: skip
    assert sum(line.startswith("event 1 Audio of 24000") for line in session) >= 6
    assert sum("Send Mark" in line for line in session) == 16
    assert session[-2:] == ["event 1 Done", "effect Send Done"] and "event 1 Started" in session
