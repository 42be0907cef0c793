"""`/ws/v1/tts` over real sockets, with the tone engine."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from rtserver.engine.fake import FakeOptions
from tests.rtserver.audio.sound import decoded_packets
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine, ask, base64_of
from tests.rtserver.serving import served
from tests.rtserver.wire.tts_client import tts_client


def test_requests_follow_each_other_on_one_socket() -> None:
    """Each is answered with its sound in binary frames and then `done`, which tells its id; nothing is left between
    them."""
    ids: list[str] = []

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, tts_client(server) as client:
            for times in (1, 3, 2):
                await client.send(text=" ".join([TEXT] * times), seed=7)
                frames, done = await client.answer()
                assert len(frames) > 1 and len(b"".join(frames)) == times * 2 * SAMPLES
                ids.append(done.pop("id"))
                assert done == {"done": True, "sample_rate": 24000, "audio_ms": times * 900}
            (connection,) = server.app.connections
            assert engine.live == connection.live == 0
            assert [request.utterance for request in engine.requests] == ids and len(set(ids)) == 3

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


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg_opus"])
@pytest.mark.parametrize("encoding", ["binary", "base64"])
def test_a_container_comes_in_pieces(name: str, encoding: str) -> None:
    """Joined, they are the very bytes that HTTP streams; the next request is a file of its own."""

    async def scenario() -> None:
        async with served() as server, tts_client(server) as client:
            for text in (TEXT, TEXT * 2):
                asked = {"text": text, "format": name, "seed": 7}
                await client.send(encoding=encoding, **asked)
                pieces: list[bytes] = []
                while "done" not in (answer := await client.answer())[1]:
                    pieces.append(base64.b64decode(answer[1]["data"], validate=True))
                pieces += answer[0]
                assert len(pieces) > 1
                assert b"".join(pieces) == (await ask(f"{server.url}/v1/tts/stream", json=asked)).body

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


@pytest.mark.engine
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
            (connection,) = server.app.connections
            assert connection.live == len(connection.session.contexts) == 0

    asyncio.run(scenario())
