"""DashScope's speech over HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from rtserver.audio.formats import SoundFormat
from rtserver.wire.dashscope.files import LIVES_S, SoundFiles
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, ask, pcm_of
from tests.rtserver.serving import served

PATH = "/api/v1/services/audio/tts/SpeechSynthesizer"
INPUT = {"text": TEXT, "voice": "longanyang", "format": "wav", "sample_rate": 24000}
EVENTS = {"X-DashScope-SSE": "enable"}


def asked(headers: dict[str, str] | None = None, **changed: Any) -> Answer:
    async def scenario() -> Answer:
        async with served() as server:
            body = {"model": "cosyvoice-v3-flash", "input": INPUT | changed}
            return await ask(server.url + PATH, json=body, headers=headers)

    return asyncio.run(scenario())


def test_the_answer_has_the_address_of_the_sound() -> None:
    """It is fetched without a key, because clients send none with it."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            headers = {"Authorization": "Bearer right"}
            answer = await ask(server.url + PATH, json={"model": "m", "input": INPUT}, headers=headers)
            output = answer.json["output"]
            assert answer.status == 200 and answer.json["usage"] == {"characters": len(TEXT)}
            assert output["finish_reason"] == "stop" and output["audio"]["expires_at"] > 0
            file = await ask(output["audio"]["url"], "GET")
            assert file.headers["Content-Type"] == "audio/wav" and len(pcm_of(file.body)) == 2 * SAMPLES
            assert (await ask(output["audio"]["url"][:-5], "GET")).status == 404
            assert (await ask(server.url + PATH, json={"input": INPUT})).json["code"] == "InvalidApiKey"

    asyncio.run(scenario())


def test_events() -> None:
    """Sound in the events of sentences, as DashScope writes them; the last one says stop."""
    answer = asked(EVENTS, format="pcm", word_timestamp_enabled=True)
    assert answer.headers["Content-Type"] == "text/event-stream"
    found = []
    for number, event in enumerate(answer.body.decode().strip().split("\n\n"), 1):
        identity, name, status, data = event.split("\n")
        assert (identity, name, status) == (f"id:{number}", "event:result", ":HTTP_STATUS/200")
        found.append(json.loads(data.removeprefix("data:")))
    *sentences, last = [one["output"] for one in found]
    sound = b"".join(base64.b64decode(one["audio"]["data"]) for one in sentences)
    assert len(sound) == 2 * SAMPLES and last["finish_reason"] == "stop"
    assert {one["finish_reason"] for one in sentences} == {"null"}
    assert (sentences[0]["type"], sentences[-1]["type"]) == ("sentence-begin", "sentence-end")
    assert [word["text"] for word in sentences[-1]["sentence"]["words"]] == TEXT.split()
    assert found[-1]["usage"] == {"characters": len(TEXT)}


@pytest.mark.parametrize(
    "changed",
    [{"voice": "nobody"}, {"text": " "}, {"text": 7}, {"format": "flac"}, {"rate": 9.0}, {"text": "a" * 20_001}],
)
@pytest.mark.parametrize("headers", [None, EVENTS])
def test_a_bad_request_is_refused(headers: dict[str, str] | None, changed: dict[str, Any]) -> None:
    """In DashScope's words."""
    answer = asked(headers, **changed)
    assert (answer.status, answer.json["code"]) == (400, "InvalidParameter")
    assert answer.json["message"] and answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_files_are_forgotten() -> None:
    """The oldest when they are too many, and all after a while."""
    files, sound = SoundFiles(most_bytes=10), SoundFormat("wav", 24000)
    first, second = files.put(b"12345", sound, 0.0), files.put(b"67890", sound, 1.0)
    assert files.get(first, 1.0) and files.get(second, 1.0)
    third = files.put(b"1", sound, 2.0)
    assert files.get(first, 2.0) is None and files.get(second, 2.0) and files.get(third, 2.0)
    assert files.get(second, 1.0 + LIVES_S) is None and files.get(third, 1.0 + LIVES_S)
    assert files.get(third, 2.0 + LIVES_S) is None
