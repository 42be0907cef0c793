"""Forms and recordings: the same request as text fields, with files, with base64, and with paths on the server."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.rtserver.http.http_client import (
    SAMPLES,
    TEXT,
    NotingEngine,
    ask,
    base64_of,
    file_of,
    multipart,
    pcm_of,
    spoken,
)
from tests.rtserver.serving import served
from tests.rtserver.uploads.files import sound_file, sweep

KINDS = ("wav-16", "mp3", "flac-16", "m4a-aac", "ogg-opus")


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_form_is_the_same_request(kind: str) -> None:
    """Fields as text, numbers and booleans among them, give what JSON gives."""

    async def scenario() -> None:
        async with served() as server:
            fields = {"text": TEXT, "seed": "7", "speed": "1.5", "voice_id": "英文男", "stream": "false"}
            data: Any = fields
            if kind == "multipart":
                data = aiohttp.FormData(fields, default_to_multipart=True)
            answer = await ask(f"{server.url}/v1/tts", data=data)
            assert answer.status == 200, answer.body
            same = await spoken(server.url, text=TEXT, seed=7, speed=1.5, voice_id="英文男")
            assert answer.json["audio"] == same["audio"] and answer.json["voice"] == "英文男"
            assert len(pcm_of(file_of(same))) == SAMPLES // 3 * 4

    asyncio.run(scenario())


def test_a_form_may_ask_for_a_stream() -> None:
    """`stream=true` in a form streams."""

    async def scenario() -> None:
        async with served() as server:
            answer = await ask(f"{server.url}/v1/tts", data={"text": TEXT, "stream": "true", "format": "wav"})
            assert answer.headers["Content-Type"] == "audio/wav" and len(answer.body) == 44 + 2 * SAMPLES

    asyncio.run(scenario())


def test_json_may_come_without_its_content_type() -> None:
    """A body that does not say what it is is JSON; so is one that curl calls a form. Plain text is refused: any web
    page can send that."""

    async def scenario() -> None:
        async with served() as server:
            body = b' {"text": "one two three four", "seed": 7}'
            plain = await ask(f"{server.url}/v1/tts", data=body, headers={"Content-Type": "text/plain"})
            assert plain.refused == (400, "bad_message")
            for kind in ("application/octet-stream", "application/x-www-form-urlencoded"):
                answer = await ask(f"{server.url}/v1/tts", data=body, headers={"Content-Type": kind})
                assert answer.status == 200 and answer.json["seed"] == 7

    asyncio.run(scenario())


@pytest.mark.engine
@pytest.mark.parametrize(("name", "filename"), [("prompt_audio", "me.wav"), ("prompt_wav", "me"), ("prompt_wav", None)])
def test_a_file_of_a_form_is_the_prompt(name: str, filename: str | None) -> None:
    """A voice prompt comes as a file under either name, and its samples reach the engine."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            file = (name, filename, sound_file("wav-16", sweep(0.5)))
            form = multipart({"text": TEXT, "mode": "zero_shot", "prompt_text": "up"}, file)
            answer = await ask(f"{server.url}/v1/tts", data=form)
            assert answer.status == 200 and answer.json["voice"] == "recording"
            recording = engine.requests[0].prompt_audio
            assert recording is not None and recording.sample_rate == 48000 and recording.named().seconds == 0.5
            assert engine.requests[0].prompt_text == "up"

    asyncio.run(scenario())


@pytest.mark.engine
def test_every_kind_of_recording_is_taken_in_base64() -> None:
    """wav, mp3, flac, m4a and ogg, in plain base64 or as a data: URL, in JSON and in a form's text field."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            for kind in KINDS:
                await spoken(server.url, text=TEXT, prompt_audio=base64_of(sound_file(kind, sweep(0.5))))
            url = "data:audio/wav;base64," + base64_of(sound_file("wav-16", sweep(0.5)))
            await spoken(server.url, text=TEXT, prompt_audio=url)
            for data in ({"text": TEXT, "prompt_audio": url}, multipart({"text": TEXT, "prompt_audio": url})):
                assert (await ask(f"{server.url}/v1/tts", data=data)).status == 200
            prompts = [request.prompt_audio for request in engine.requests]
            assert len(prompts) == len(KINDS) + 3
            assert all(prompt is not None and abs(prompt.named().seconds - 0.5) < 0.1 for prompt in prompts)

    asyncio.run(scenario())


@pytest.mark.engine
@pytest.mark.parametrize("how", ["base64", "file", "path", "socket"])
def test_a_source_is_said_again(how: str, tmp_path: Path) -> None:
    """Mode vc takes a recording in place of a text, and sounds as long as it."""
    wav = sound_file("wav-16", sweep(0.5))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "said.wav").write_bytes(wav)

    async def scenario() -> None:
        async with served(NotingEngine(), audio_folders=[str(tmp_path)]) as server:
            fields = {"mode": "vc"}
            if how == "socket":
                async with aiohttp.ClientSession() as http, http.ws_connect(f"{server.url}/ws/v1/tts") as ws:
                    await ws.send_json(fields | {"source_audio": base64_of(wav), "encoding": "base64"})
                    chunk, done = b"", await ws.receive_json(timeout=10)
                    while "done" not in done:
                        chunk += base64.b64decode(done["data"])
                        done = await ws.receive_json(timeout=10)
                assert len(chunk) == 2 * 12000 and done["audio_ms"] == 500
                return
            if how == "file":
                answer = await ask(f"{server.url}/v1/tts", data=multipart(fields, ("source_wav", "a.wav", wav)))
            elif how == "path":
                answer = await ask(f"{server.url}/v1/tts", json=fields | {"source_wav_path": "inner/said.wav"})
            else:
                answer = await ask(f"{server.url}/v1/tts", json=fields | {"source_audio": base64_of(wav)})
            assert answer.status == 200, answer.body
            assert len(pcm_of(file_of(answer.json))) == 2 * 12000

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_path_below_a_folder_is_read(tmp_path: Path) -> None:
    """Relative to the folder or in full, in JSON and in forms."""
    (tmp_path / "me.wav").write_bytes(sound_file("wav-16", sweep(0.5)))

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine, audio_folders=[str(tmp_path)]) as server:
            for path in ("me.wav", str(tmp_path / "me.wav")):
                assert (await spoken(server.url, text=TEXT, prompt_wav_path=path))["voice"] == "recording"
            answer = await ask(f"{server.url}/v1/tts", data={"text": TEXT, "prompt_wav_path": "me.wav"})
            assert answer.status == 200
            digests = {request.prompt_audio.named().digest for request in engine.requests if request.prompt_audio}
            assert len(digests) == 1 and len(engine.requests) == 3

    asyncio.run(scenario())


@pytest.mark.engine
def test_prompt_and_source_may_come_together() -> None:
    """Voice conversion with a voice prompt: two recordings in one form."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            prompt = ("prompt_wav", "p.flac", sound_file("flac-16", sweep(0.4)))
            source = ("source_wav", "s.mp3", sound_file("mp3", sweep(0.8)))
            answer = await ask(f"{server.url}/v1/tts/stream", data=multipart({"mode": "vc"}, prompt, source))
            assert answer.status == 200, answer.body
            (request,) = engine.requests
            assert request.prompt_audio is not None and request.source_audio is not None
            assert request.prompt_audio.named().seconds == pytest.approx(0.4, abs=0.01)
            assert request.source_audio.named().seconds == pytest.approx(0.8, abs=0.1)

    asyncio.run(scenario())


def test_json_that_says_it_is_a_form_is_json() -> None:
    """`curl -d '{...}'` names no type of its own: what begins with a brace is read as JSON."""

    async def scenario() -> None:
        async with served() as server:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await ask(
                f"{server.url}/v1/tts", data=b'{"text": "' + TEXT.encode() + b'", "seed": 7}', headers=form
            )
            assert answer.status == 200, answer.body
            assert answer.json["audio"] == (await spoken(server.url, text=TEXT, seed=7))["audio"]

    asyncio.run(scenario())
