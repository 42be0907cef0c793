"""The original runtime's HTTP server, as its own client asks it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, NotingEngine, ask
from tests.rtserver.serving import served
from tests.rtserver.uploads.files import sound_file, sweep

SFT = {"tts_text": TEXT, "spk_id": "中文女"}


async def infer(url: str, name: str = "inference_sft", method: str = "GET", data: Any = None) -> Answer:
    return await ask(f"{url}/{name}", method, data=SFT if data is None else data)


def form(fields: dict[str, str], file: bytes | None = None) -> aiohttp.FormData:
    """As `requests` sends it with `files`."""
    made = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        made.add_field(name, value)
    if file is not None:
        made.add_field("prompt_wav", file, filename="prompt_wav", content_type="application/octet-stream")
    return made


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_form_is_answered_with_samples(method: str) -> None:
    """With GET too, whose body holds the form; urlencoded and multipart."""

    async def scenario() -> None:
        async with served() as server:
            for data in (SFT, form(SFT)):
                answer = await infer(server.url, method=method, data=data)
                assert answer.status == 200 and len(answer.body) == 2 * SAMPLES
                assert answer.headers["X-Sample-Rate"] == "24000"

    asyncio.run(scenario())


def test_the_sound_begins_before_the_end_is_made() -> None:
    """Chunk by chunk."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2, hop_s=0.1))
        async with served(engine) as server, aiohttp.ClientSession() as http:
            fields = SFT | {"tts_text": TEXT * 5}
            async with http.get(f"{server.url}/inference_sft", data=fields) as response:
                assert await response.content.readany() and engine.live == 1
                await response.content.read()

    asyncio.run(scenario())


def test_errors_are_worded_as_fastapi_words_them() -> None:
    """`detail`, with 422 for a form that is not right."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            key = {"X-API-Key": "right"}
            for headers, fields, status, told in (
                ({}, SFT, 401, "expected a known key"),
                (key, {"tts_text": TEXT}, 422, "spk_id: expected"),
                (key, SFT | {"spk_id": "nobody"}, 404, "found 'nobody'"),
                (key, SFT | {"tts_text": "one\0two"}, 422, "text: expected"),
            ):
                answer = await ask(f"{server.url}/inference_sft", "GET", data=fields, headers=headers)
                assert answer.status == status and told in answer.json["detail"]
                assert answer.headers["X-Utterance-Id"]
        async with served(started=False) as server:
            answer = await infer(server.url)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_recording_comes_as_a_file_of_the_form() -> None:
    """With GET, as the original's own client sends it."""

    async def scenario() -> None:
        engine = NotingEngine()
        wav = sound_file("wav-16", sweep(2.0))
        async with served(engine) as server:
            for name, fields, mode in (
                ("inference_zero_shot", {"prompt_text": "one two"}, "zero_shot"),
                ("inference_cross_lingual", {}, "cross_lingual"),
                ("inference_instruct2", {"instruct_text": "Slowly."}, "instruct"),
            ):
                answer = await infer(server.url, name, data=form({"tts_text": TEXT} | fields, wav))
                assert answer.status == 200 and len(answer.body) == 2 * SAMPLES
                assert engine.requests[-1].mode == mode and engine.requests[-1].prompt_audio is not None

    asyncio.run(scenario())
