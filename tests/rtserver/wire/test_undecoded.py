"""Starts with recordings, until these are decoded. Decoding takes as long as a test wants."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from rtserver.ipc.preparing import Recording
from rtserver.messages.wire import MSGPACK_SUBPROTOCOL
from rtserver.session.outbox import WsFrame
from rtserver.session.start_request import Recordings
from rtserver.uploads.errors import UploadError
from rtserver.uploads.recordings import RecordingReader
from rtserver.wire.conversation import Conversation
from tests.rtserver.http.http_client import base64_of
from tests.rtserver.serving import eventually, served
from tests.rtserver.wire.native_client import connected

RECORDED = Recordings(Recording(b"\1\0" * 16000, 16000).named())


class Decoding:
    """In place of the decoder processes. Nothing is decoded before `go_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tenants: list[str] = []
        self.go_on = asyncio.Event()
        self.error: UploadError | None = None
        monkeypatch.setattr(RecordingReader, "decode", lambda reader, *what: self._decode(*what))

    async def _decode(self, prompt: bytes | None, source: bytes | None, tenant: str) -> Recordings:
        if prompt is None:
            return Recordings()
        self.tenants.append(tenant)
        await self.go_on.wait()
        if self.error is not None:
            raise self.error
        return RECORDED


def test_a_socket_answers_pings_while_a_recording_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is not taken for dead. What it says meanwhile is carried out afterwards, in order."""

    async def scenario() -> None:
        decoding = Decoding(monkeypatch)
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}/v1/realtime", autoping=False) as ws,
        ):
            assert (await ws.receive_json(timeout=10))["type"] == "ready"
            await ws.send_json({"type": "start", "context": "a", "prompt_audio": base64_of(b"sound")})
            await eventually(lambda: decoding.tenants == ["127.0.0.1"])
            for message in ({"text": "one two "}, {"text": "three"}):
                await ws.send_json({"type": "text", "context": "a", **message})
            await ws.send_json({"type": "end", "context": "a"})
            await ws.ping(b"there?")
            pong = await ws.receive(10)
            assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"there?")
            decoding.go_on.set()
            kinds: list[str] = []
            while "done" not in kinds:
                frame = await ws.receive(10)
                if frame.type is aiohttp.WSMsgType.TEXT:
                    kinds.append(frame.json()["type"])
            assert kinds[0] == "started" and "error" not in kinds

    asyncio.run(scenario())


def test_starts_with_recordings_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the one before, and text goes to its own; one that cannot be decoded disturbs no other."""

    async def scenario() -> None:
        decoding = Decoding(monkeypatch)
        async with served() as server, connected(server, MSGPACK_SUBPROTOCOL) as client:
            for context in ("a", "b", "c"):
                await client.send("start", context=context, prompt_audio=b"sound")
                await client.send("text", context=context, text="Hello there.")
                await client.send("end", context=context)
            await eventually(lambda: len(decoding.tenants) == 1)
            decoding.go_on.set()
            done = {(await client.until("done"))["context"] for _ in range(3)}  # they are spoken side by side
            assert done == {"a", "b", "c"} and len(decoding.tenants) == 3
            decoding.error = UploadError("audio: expected a recording, found noise")
            await client.send("start", context="d", prompt_audio=b"sound")
            assert (await client.until("error"))["code"] == "bad_audio"
            await client.send("start", context="e", text="Hello.", end=True)
            await client.until("done", "e")

    asyncio.run(scenario())


def test_a_hang_up_while_a_recording_is_decoded_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task of the socket is left."""

    async def scenario() -> None:
        decoding = Decoding(monkeypatch)
        async with served() as server:
            async with connected(server, MSGPACK_SUBPROTOCOL) as client:
                await client.send("start", context="a", prompt_audio=b"sound")
                await eventually(lambda: len(decoding.tenants) == 1)
                names = [task.get_name() for task in asyncio.all_tasks()]
                assert "socket-open" in names
            await eventually(lambda: not server.app.connections)
            assert "socket-open" not in [task.get_name() for task in asyncio.all_tasks()]

    asyncio.run(scenario())


def test_who_says_much_meanwhile_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded; the rest stays in the client's network until the recording is decoded."""

    waiting = 0
    hold = Conversation._hold

    async def held(conversation: Conversation, frame: WsFrame, opening: asyncio.Task[None]) -> None:
        nonlocal waiting
        waiting += 1
        await hold(conversation, frame, opening)

    monkeypatch.setattr(Conversation, "_hold", held)

    async def scenario() -> None:
        decoding = Decoding(monkeypatch)
        async with served() as server, connected(server, MSGPACK_SUBPROTOCOL) as client:
            await client.send("start", context="a", prompt_audio=b"sound")
            for _ in range(300):
                await client.send("text", context="a", text=" ")
            await client.send("text", context="a", text="Hello.")
            await client.send("end", context="a")
            await eventually(lambda: waiting == 100)
            await asyncio.sleep(0.05)
            assert waiting == 100 and len(decoding.tenants) == 1
            decoding.go_on.set()
            await client.until("done", "a")
            assert not [m for m in client.heard["a"].messages if m["type"] == "error"]

    asyncio.run(scenario())


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"mode": "sing"}, "unknown_mode"),
    ({"speed": 9.0}, "bad_message"),
    ({"format": "tape"}, "unsupported_format"),
]


@pytest.mark.parametrize(("fields", "code"), REFUSED)
def test_a_start_that_cannot_be_costs_no_decoding(
    fields: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused at once, on a socket and over HTTP."""

    async def scenario() -> None:
        decoding = Decoding(monkeypatch)
        async with served() as server, connected(server, MSGPACK_SUBPROTOCOL) as client:
            await client.send("start", context="a", prompt_audio=b"sound", **fields)
            assert (await client.until("error"))["code"] == code
            over_http = {"text": "Hello.", "prompt_wav": base64_of(b"sound"), **fields}
            async with aiohttp.ClientSession() as http, http.post(f"{server.url}/v1/tts", json=over_http) as answer:
                assert 400 <= answer.status < 500
            assert decoding.tenants == []

    asyncio.run(scenario())
