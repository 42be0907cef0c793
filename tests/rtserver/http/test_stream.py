"""Sound as it is made: `POST /v1/tts/stream`, `"stream": true`, and every format in both kinds of answer."""

from __future__ import annotations

import asyncio
import base64
import struct
from dataclasses import dataclass
from typing import Any

import aiohttp
import numpy as np
import pytest

from rtserver.audio import libopus
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.audio.sound import Samples, decoded, samples_of
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, ask, file_of, pcm_of, spoken
from tests.rtserver.serving import eventually, served


@dataclass(frozen=True)
class Form:
    """What a format is called, what it says of itself, and how it is decoded. late, long: samples of a decoder's own
    before and at most after the sound."""

    name: str
    rate: int
    media_type: str
    bits: str | None = None
    decoded_rate: int | None = None
    raw: str | None = None
    late: int = 0
    long: int = 0

    def samples(self, data: bytes) -> Samples:
        """The sound that a decoder finds."""
        if self.raw is not None:
            rate, found = decoded(data, self.raw, self.rate)
        elif self.media_type == "audio/pcm":
            rate, found = self.rate, samples_of(data, "<f4" if self.bits == "32" else "<i2")
        else:
            rate, found = decoded(data)
        assert rate == (self.decoded_rate or self.rate)
        return found[self.late :]


FORMS = [
    Form("pcm_s16le", 24000, "audio/pcm", "16"),
    Form("s16le", 16000, "audio/pcm", "16"),
    Form("f32le", 24000, "audio/pcm", "32"),
    Form("pcm_f32le", 48000, "audio/pcm", "32"),
    Form("wav", 24000, "audio/wav", "16"),
    Form("wav", 44100, "audio/wav", "16"),
    Form("flac", 24000, "audio/flac"),
    Form("mp3", 24000, "audio/mpeg", late=1105, long=2 * 1152),
    Form("aac", 24000, "audio/aac", late=1024, long=2 * 1024),
    Form("ogg_opus", 24000, "audio/ogg", decoded_rate=48000),
    Form("ogg", 8000, "audio/ogg", decoded_rate=48000),
    Form("ulaw", 8000, "audio/basic", "8", raw="mulaw"),
    Form("alaw", 8000, "audio/x-alaw-basic", "8", raw="alaw"),
]


async def streamed(url: str, path: str = "/v1/tts/stream", **fields: Any) -> Answer:
    answer = await ask(f"{url}{path}", json={"text": TEXT, **fields})
    assert answer.status == 200, answer.body
    return answer


@pytest.mark.parametrize(("path", "fields"), [("/v1/tts/stream", {}), ("/v1/tts", {"stream": True})])
def test_both_doors_stream_the_samples(path: str, fields: dict[str, Any]) -> None:
    """16-bit samples in chunks, described by headers; the very samples of the file that JSON would hold."""

    async def scenario() -> None:
        async with served() as server:
            answer = await streamed(server.url, path, seed=7, **fields)
            assert answer.headers["Transfer-Encoding"] == "chunked" and "Content-Length" not in answer.headers
            assert answer.headers["Content-Type"] == "audio/pcm"
            said = [answer.headers[name] for name in ("X-Sample-Rate", "X-Channels", "X-Bits", "X-Seed")]
            assert said == ["24000", "1", "16", "7"]
            assert len(answer.body) == 2 * SAMPLES
            assert answer.body == pcm_of(file_of(await spoken(server.url, text=TEXT, seed=7)))

    asyncio.run(scenario())


def test_the_sound_begins_before_the_end_is_made() -> None:
    """The first chunks come while the engine still speaks."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2, hop_s=0.1))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            url, body = f"{server.url}/v1/tts/stream", {"text": TEXT * 5}
            async with http.post(url, json=body) as response:
                first = await response.content.readany()
                assert 0 < len(first) < SAMPLES and engine.live == 1
                rest = await response.content.read()
                assert len(first) + len(rest) == 2 * (5 * SAMPLES)

    asyncio.run(scenario())


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}-{form.rate}")
def test_every_format_decodes_to_the_whole_sound(form: Form) -> None:
    """Streamed and as a file: named in the headers, and as long as the speech, with its level and no silence at its
    end."""

    async def scenario() -> None:
        async with served() as server:
            asked: dict[str, Any] = {"format": form.name, "sample_rate": form.rate, "seed": 7}
            answer = await streamed(server.url, **asked)
            assert answer.headers["Content-Type"] == form.media_type
            assert answer.headers["X-Sample-Rate"] == str(form.rate) and answer.headers["X-Channels"] == "1"
            assert answer.headers.get("X-Bits") == form.bits
            speech = await spoken(server.url, text=TEXT, **asked)
            assert (speech["media_type"], speech["sample_rate"]) == (form.media_type, form.rate)
            for data in (answer.body, file_of(speech)):
                samples = form.samples(data)
                length = (form.decoded_rate or form.rate) * SAMPLES // 24000
                assert 0 <= len(samples) - length <= form.long
                level = np.sqrt(np.mean(samples[:length] ** 2))
                assert level == pytest.approx(6000 / np.sqrt(2), rel=0.06)  # LAME leaves 5 % of room
                assert np.abs(samples[length - length // 50 : length]).max() > 3000

    asyncio.run(scenario())


def test_floats_are_the_samples_over_full_scale() -> None:
    """`f32le`, as the old server streamed: each sample from -1 to 1, nothing lost."""

    async def scenario() -> None:
        async with served() as server:
            floats = np.frombuffer((await streamed(server.url, format="f32le", seed=7)).body, "<f4")
            whole = np.frombuffer((await streamed(server.url, format="s16le", seed=7)).body, "<i2")
            assert np.array_equal(floats * 32768, whole) and 0.1 < np.abs(floats).max() < 1

    asyncio.run(scenario())


def test_a_streamed_wav_leaves_its_length_open() -> None:
    """Its header comes first, says "until the end", and the samples follow; a whole file says how long it is."""

    async def scenario() -> None:
        async with served() as server:
            streamed_wav = (await streamed(server.url, format="wav", seed=7)).body
            whole_wav = file_of(await spoken(server.url, text=TEXT, format="wav", seed=7))
            assert struct.unpack_from("<I", streamed_wav, 40) == (0xFFFFFFFF,)
            assert struct.unpack_from("<I", whole_wav, 40) == (2 * SAMPLES,)
            assert streamed_wav[44:] == whole_wav[44:] and len(whole_wav) == 44 + 2 * SAMPLES

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["opus", "ogg_opus"])
def test_a_server_without_libopus_says_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no libopus, Opus is refused on every wire, and everything else is spoken."""
    monkeypatch.setattr(libopus, "_opuslib", None)
    monkeypatch.setattr(libopus, "_candidates", lambda: iter(()))

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http:
            for path in ("/v1/tts", "/v1/tts/stream"):
                answer = await ask(f"{server.url}{path}", json={"text": TEXT, "format": name})
                assert answer.refused == (400, "unsupported_format") and "libopus" in answer.json["error"]["message"]
            async with http.ws_connect(f"{server.url}/ws/v1/tts") as ws:
                await ws.send_json({"text": TEXT, "format": name})
                assert "libopus" in (await ws.receive_json(timeout=10))["error"]["message"]
            async with http.ws_connect(f"{server.url}/v1/realtime") as ws:
                assert (await ws.receive_json(timeout=10))["type"] == "ready"
                await ws.send_json({"type": "start", "text": TEXT, "end": True, "format": name})
                error = await ws.receive_json(timeout=10)
                assert error["code"] == "unsupported_format" and "libopus" in error["message"]
            assert len((await streamed(server.url)).body) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_stream_that_fails_midway_has_no_end() -> None:
    """What cannot go on is cut off: the chunks' missing end tells the client that this is not all."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.5))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            async with http.post(f"{server.url}/v1/tts/stream", json={"text": TEXT * 5}) as response:
                assert await response.content.readany()
                server.app.tell_shutdown(deadline=True)
                with pytest.raises(aiohttp.ClientPayloadError):
                    await response.content.read()
            await eventually(lambda: engine.live == 0 and not server.app.connections)

    asyncio.run(scenario())


def test_a_reader_that_takes_nothing_is_dropped() -> None:
    """A client that does not read its stream is hung up on, and its work ends."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine, slow_reader_s=0.3) as server:
            host, port = server.runner.addresses[0]
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            body = b'{"class": "batch", "format": "f32le", "text": "' + b"word " * 3000 + b'"}'
            head = f"POST /v1/tts/stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            try:
                writer.write(head.encode() + body)
                assert b"200" in await reader.readline()
                await eventually(lambda: not server.app.connections and engine.live == 0)
            finally:
                writer.transport.abort()

    asyncio.run(scenario())


def test_base64_of_a_file_has_no_line_breaks() -> None:
    """`audio` is plain base64 of the file, in any format."""

    async def scenario() -> None:
        async with served() as server:
            audio = (await spoken(server.url, text=TEXT, format="mp3"))["audio"]
            assert base64.b64encode(base64.b64decode(audio, validate=True)).decode() == audio

    asyncio.run(scenario())
