"""`/ws/v1/tts` over real sockets, with the tone engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire.tts_v1 import MAX_WAITING
from tests.rtserver.audio.sound import decoded_packets
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine, ask, base64_of
from tests.rtserver.serving import Served, eventually, served

LONG = " ".join(["word"] * 200)


class TtsClient:
    """One socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, **fields: Any) -> None:
        await self.ws.send_str(json.dumps(fields))

    async def answer(self) -> tuple[list[bytes], dict[str, Any]]:
        """The binary frames up to the next text frame, and what that says."""
        frames: list[bytes] = []
        while True:
            message = await self.ws.receive(10)
            if message.type is aiohttp.WSMsgType.TEXT:
                said: dict[str, Any] = json.loads(message.data)
                return frames, said
            assert message.type is aiohttp.WSMsgType.BINARY, message
            frames.append(message.data)

    async def close_code(self) -> int | None:
        """Reads to the end of the socket."""
        while (await self.ws.receive(10)).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            pass
        return self.ws.close_code


@contextlib.asynccontextmanager
async def tts_client(server: Served, **options: Any) -> AsyncIterator[TtsClient]:
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws/v1/tts", **options) as ws:
        yield TtsClient(ws)


def test_requests_follow_each_other_on_one_socket() -> None:
    """Each is answered with its sound in binary frames and then `done`; nothing is left between them."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, tts_client(server) as client:
            for times in (1, 3, 2):
                await client.send(text=" ".join([TEXT] * times), seed=7)
                frames, done = await client.answer()
                assert len(frames) > 1 and len(b"".join(frames)) == times * 2 * SAMPLES
                assert done == {"done": True, "sample_rate": 24000, "audio_ms": times * 900}
            await eventually(lambda: engine.live == 0 and not server.app.connections)
            assert len({request.utterance for request in engine.requests}) == 3

    asyncio.run(scenario())


def test_requests_may_be_sent_ahead() -> None:
    """Those that come while one is spoken wait, and are spoken in order, one at a time."""

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=0.01))
        async with served(engine) as server, tts_client(server) as client:
            for times in (3, 1, 2):
                await client.send(text=" ".join([TEXT] * times))
            for times in (3, 1, 2):
                assert (await client.answer())[1]["audio_ms"] == times * 900
                assert engine.live <= 1

    asyncio.run(scenario())


def test_sound_may_come_in_base64() -> None:
    """With `"encoding": "base64"` chunks are JSON, and hold the samples that binary frames hold."""

    async def scenario() -> None:
        async with served() as server, tts_client(server) as client:
            await client.send(text=TEXT, seed=7)
            frames, _ = await client.answer()
            await client.send(text=TEXT, seed=7, encoding="base64")
            pcm, chunks = b"", 0
            while "done" not in (said := (await client.answer())[1]):
                assert said.keys() == {"type", "data"} and said["type"] == "audio_chunk"
                pcm += base64.b64decode(said["data"], validate=True)
                chunks += 1
            assert pcm == b"".join(frames) and chunks == len(frames)

    asyncio.run(scenario())


def test_formats_come_as_they_are_asked_for() -> None:
    """Bare Opus packets a frame each, floats, and a WAV whose header comes first."""

    async def scenario() -> None:
        async with served() as server, tts_client(server) as client:
            await client.send(text=TEXT, format="opus")
            packets, done = await client.answer()
            assert len(packets) == 46 and done["sample_rate"] == 24000  # 0.9 s, and what the decoder lags by
            assert 2 * SAMPLES <= len(decoded_packets(packets)) - 312 < 2 * SAMPLES + 960
            await client.send(text=TEXT, format="f32le", sample_rate=16000)
            frames, done = await client.answer()
            assert len(b"".join(frames)) == 4 * 14400 and done["sample_rate"] == 16000
            await client.send(text=TEXT, format="wav")
            frames, _ = await client.answer()
            assert frames[0].startswith(b"RIFF") and len(b"".join(frames)) == 44 + 2 * SAMPLES

    asyncio.run(scenario())


ERRORS: dict[str, tuple[str, str]] = {
    "no JSON": ("hello", "bad_message"),
    "nothing": ("", "bad_message"),
    "a list": ("[]", "bad_message"),
    "no text": ("{}", "bad_message"),
    "half a surrogate pair": ('{"text": "\\ud800 x"}', "bad_message"),
    "NUL": ('{"text": "a\\u0000b"}', "bad_message"),
    "an unknown field": ('{"text": "x", "colour": "red"}', "unknown_field"),
    "an unknown voice": ('{"text": "x", "voice_id": "nobody"}', "unknown_voice"),
    "an unknown mode": ('{"text": "x", "mode": "opera"}', "unknown_mode"),
    "an unknown format": ('{"text": "x", "format": "aiff"}', "unsupported_format"),
    "a text that is too long": (json.dumps({"text": "x" * 1001}), "text_too_long"),
    "a path": ('{"text": "x", "prompt_wav_path": "/etc/passwd"}', "bad_audio"),
    "no recording": (json.dumps({"text": "x", "prompt_audio": base64_of(b"nothing")}), "bad_audio"),
    "vc without a source": ('{"mode": "vc"}', "bad_message"),
}


def test_after_an_error_the_next_request_is_spoken() -> None:
    """Each error has its code and says what was expected; the socket speaks on."""

    async def scenario() -> None:
        async with served(text_chars=1000) as server, tts_client(server) as client:
            found = {}
            for what, (frame, _) in ERRORS.items():
                await client.ws.send_str(frame)
                frames, said = await client.answer()
                assert not frames and said["error"]["message"] and said["error"]["retryable"] is False
                found[what] = said["error"]["code"]
                await client.send(text="fine")
                assert (await client.answer())[1]["audio_ms"] == 240
            assert found == {what: code for what, (_, code) in ERRORS.items()}
            assert not server.app.connections

    asyncio.run(scenario())


def test_a_binary_frame_closes_the_socket() -> None:
    """With 1003, also amid a speech, whose work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, tts_client(server) as client:
            await client.send(text=LONG)
            assert (await client.ws.receive(10)).type is aiohttp.WSMsgType.BINARY
            assert engine.live == 1
            await client.ws.send_bytes(b'{"text": "x"}')
            assert await client.close_code() == 1003
            await eventually(lambda: engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("realtime_factor", [0.01, 1.0])
def test_leaving_midway_stops_the_work(how: str, realtime_factor: float) -> None:
    """Of an engine that is fast or slow, also with more requests waiting, of which none is begun."""

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=realtime_factor))
        async with served(engine) as server, tts_client(server) as client:
            for _ in range(3):
                await client.send(text=LONG)
            assert (await client.ws.receive(10)).type is aiohttp.WSMsgType.BINARY
            if how == "close":
                await client.ws.close()
            else:
                assert client.ws._response.connection is not None
                transport = client.ws._response.connection.transport
                assert transport is not None
                transport.abort()
            await eventually(lambda: engine.live == 0 and not server.app.connections)
            await eventually(lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "tts-socket-read"])
            assert len(engine.requests) == 1

    asyncio.run(scenario())


def test_too_many_waiting_requests_are_refused() -> None:
    """Beyond MAX_WAITING a request is `overloaded`; those that wait are spoken."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.3))) as server, tts_client(server) as client:
            await client.send(text=TEXT)
            await eventually(lambda: len(server.app.connections) == 1)
            for _ in range(MAX_WAITING + 2):
                await client.send(text="a")
            said = [(await client.answer())[1] for _ in range(MAX_WAITING + 3)]
            errors = [one["error"] for one in said if "error" in one]
            assert [(error["code"], error["retryable"]) for error in errors] == [("overloaded", True)] * 2
            assert sum("done" in one for one in said) == MAX_WAITING + 1

    asyncio.run(scenario())


def test_requests_that_wait_are_bounded_in_bytes() -> None:
    """Large ones fill the room sooner; what has been spoken makes room again."""

    async def scenario() -> None:
        settings = {"upload_bytes": 1000, "message_bytes": 1000}
        async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), **settings) as server:
            async with tts_client(server) as client:
                await client.send(text=TEXT)
                await eventually(lambda: len(server.app.connections) == 1)
                for _ in range(2):
                    await client.send(text="a" + " " * 2500)
                said = [(await client.answer())[1] for _ in range(3)]
                assert [one["error"]["code"] for one in said if "error" in one] == ["overloaded"]
                await client.send(text="a" + " " * 2500)
                assert (await client.answer())[1]["done"]

    asyncio.run(scenario())


def test_a_reader_that_takes_nothing_is_dropped() -> None:
    """A client that does not read is hung up on, and its work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine, slow_reader_s=0.3) as server, tts_client(server) as client:
            assert client.ws._response.connection is not None
            transport = client.ws._response.connection.transport
            assert isinstance(transport, asyncio.Transport)
            await client.send(**{"text": "word " * 3000, "class": "batch", "format": "f32le"})
            transport.pause_reading()
            await eventually(lambda: len(server.app.connections) == 1)
            await eventually(lambda: not server.app.connections and engine.live == 0)
            transport.abort()

    asyncio.run(scenario())


def test_a_handshake_is_refused_with_its_status() -> None:
    """No WebSocket 426, no key 401, draining 503, and 429 when every place is taken by a socket."""

    async def scenario() -> None:
        async with served(api_keys=["right"], max_sockets=1) as server:
            url, key = f"{server.url}/ws/v1/tts", {"X-API-Key": "right"}
            assert (await ask(url, "GET", headers=key)).refused == (426, "bad_message")
            for headers, draining, status in (({}, False, 401), (key, True, 503)):
                server.app.draining = draining
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with tts_client(server, headers=headers):
                        pass
                assert refused.value.status == status
            server.app.draining = False
            async with tts_client(server, headers=key):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with tts_client(server, headers=key):
                        pass
                assert refused.value.status == 429

    asyncio.run(scenario())


def test_a_server_that_stops_says_so() -> None:
    """While it drains a request is refused; then the socket closes with 1001, without waiting for its client."""

    async def scenario() -> None:
        async with served() as server, tts_client(server) as client:
            await client.send(text=TEXT)
            assert (await client.answer())[1]["done"]
            server.app.draining = True
            await client.send(text=TEXT)
            error = (await client.answer())[1]["error"]
            assert (error["code"], error["retryable"]) == ("shutting_down", True)
            stopping = asyncio.create_task(server.runner.cleanup())
            assert await client.close_code() == 1001
            async with asyncio.timeout(1):
                await stopping

    asyncio.run(scenario())
