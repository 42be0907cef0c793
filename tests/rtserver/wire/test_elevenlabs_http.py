"""ElevenLabs' HTTP: speech, speech with times, voices and models."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, NotingEngine, ask
from tests.rtserver.serving import served
from tests.rtserver.wire.elevenlabs_client import PCM, VOICE
from tests.rtserver.wire.wire_client import wire_client

SPEECH = f"/v1/text-to-speech/{VOICE}"
STARTS = {"one": 0.0, "two": 0.18, "three": 0.36, "four": 0.66}
KEY = {"xi-api-key": "any"}


def asked(
    path: str = SPEECH, query: str = PCM, engine: FakeEngine | None = None, method: str = "POST", **options: Any
) -> Answer:
    async def scenario() -> Answer:
        async with served(engine) as server:
            body = {"json": {"text": TEXT, "model_id": "eleven_flash_v2_5"}} if method == "POST" else {}
            return await ask(f"{server.url}{path}?{query}", method, **(body | options))

    return asyncio.run(scenario())


def times_of(alignment: dict[str, Any]) -> tuple[str, list[float]]:
    """The text and when its words begin."""
    text, starts = "".join(alignment["characters"]), alignment["character_start_times_seconds"]
    assert len(text) == len(starts) == len(alignment["character_end_times_seconds"])
    return text, [starts[text.index(word)] for word in STARTS]


@pytest.mark.parametrize("path", [SPEECH, f"{SPEECH}/stream"])
def test_a_text_is_spoken(path: str) -> None:
    """In the voice, at the speed, with the seed that are asked for; what is not known is ignored."""
    engine = NotingEngine()
    body = {
        "text": TEXT,
        "seed": 7,
        "language_code": "en",
        "previous_text": "Before.",
        "voice_settings": {"speed": 1.5},
    }
    answer = asked(path, f"{PCM}&optimize_streaming_latency=3&enable_logging=false", engine, json=body)
    assert answer.status == 200 and len(answer.body) == 2 * SAMPLES // 3 * 2
    assert answer.headers["Content-Type"] == "audio/pcm" and answer.headers["request-id"].startswith("u_")
    request = engine.requests[0]
    assert (request.voice, request.speed, request.seed, request.language) == ("female", 1.5, 7, "en")


@pytest.mark.parametrize(
    ("output_format", "media_type", "begins"),
    [
        *((f"pcm_{rate}", "audio/pcm", b"") for rate in (8000, 16000, 22050, 24000, 32000, 44100, 48000)),
        ("mp3_22050_32", "audio/mpeg", b"\xff"),
        ("mp3_24000_48", "audio/mpeg", b"\xff"),
        ("mp3_44100_128", "audio/mpeg", b"\xff"),
        ("opus_48000_64", "audio/ogg", b"OggS"),
        ("wav_24000", "audio/wav", b"RIFF"),
        ("ulaw_8000", "audio/basic", b""),
        ("alaw_8000", "audio/x-alaw-basic", b""),
    ],
)
def test_every_output_format(output_format: str, media_type: str, begins: bytes) -> None:
    """A format with a constant rate is as long as the speech."""
    answer = asked(query=f"output_format={output_format}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, media_type)
    assert answer.body.startswith(begins) and len(answer.body) > 1000
    if output_format.startswith("pcm"):
        assert abs(len(answer.body) - 2 * int(output_format[4:]) * SAMPLES // 24000) <= 4


def test_mp3_is_the_default() -> None:
    """As with ElevenLabs."""
    assert asked(query="").headers["Content-Type"] == "audio/mpeg"


def test_lines_with_times() -> None:
    """A line for each piece of sound; the times are those of the whole text, in seconds."""
    answer = asked(f"{SPEECH}/stream/with-timestamps")
    lines = [json.loads(line) for line in answer.body.splitlines()]
    assert len(lines) > 2 and answer.headers["Content-Type"] == "application/json"
    sound = b"".join(base64.b64decode(line["audio_base64"], validate=True) for line in lines)
    alignments = [line["alignment"] for line in lines if line["alignment"]]
    whole = {name: [one for alignment in alignments for one in alignment[name]] for name in alignments[0]}
    assert len(sound) == 2 * SAMPLES and times_of(whole) == (TEXT, list(STARTS.values()))
    assert all(line["alignment"] == line["normalized_alignment"] for line in lines)


@pytest.mark.parametrize("output_format", ["pcm_24000", "ulaw_8000", "mp3_44100_128"])
def test_one_object_with_times(output_format: str) -> None:
    """The same sound as without times, and every character."""
    query = f"output_format={output_format}"
    body = {"text": TEXT, "seed": 3}
    answer, plain = asked(f"{SPEECH}/with-timestamps", query, json=body), asked(query=query, json=body)
    assert base64.b64decode(answer.json["audio_base64"], validate=True) == plain.body
    assert times_of(answer.json["alignment"]) == (TEXT, list(STARTS.values()))
    assert answer.json["normalized_alignment"] == answer.json["alignment"]


def test_dictionaries_are_ignored_with_a_warning() -> None:
    """A header tells it."""
    body = {"text": TEXT, "pronunciation_dictionary_locators": [{"pronunciation_dictionary_id": "x"}]}
    for path in (SPEECH, f"{SPEECH}/with-timestamps", f"{SPEECH}/stream/with-timestamps"):
        answer = asked(path, json=body)
        assert answer.status == 200 and "pronunciation_dictionary_locators" in answer.headers["X-Warning"]


@pytest.mark.parametrize(
    ("path", "query", "body", "refused"),
    [
        ("/v1/text-to-speech/nobody", PCM, {"text": TEXT}, (404, "voice_not_found")),
        (SPEECH, "output_format=mp3_1_1", {"text": TEXT}, (400, "invalid_output_format")),
        (SPEECH, PCM, {"text": " "}, (400, "bad_message")),
        (SPEECH, PCM, {"words": TEXT}, (400, "bad_message")),
        (SPEECH, PCM, {"text": TEXT, "language_code": "fr"}, (400, "bad_message")),
        (f"{SPEECH}/stream", PCM, {"text": 20_001 * "a"}, (400, "max_character_limit_exceeded")),
        (f"{SPEECH}/with-timestamps", PCM, {"text": 20_001 * "a"}, (400, "max_character_limit_exceeded")),
        ("/v1/voices/add", "", {"name": "Mine"}, (400, "bad_message")),
        ("/v1/text-to-dialogue/stream", "", {"inputs": []}, (400, "bad_message")),
    ],
)
def test_a_bad_request_is_refused(path: str, query: str, body: dict[str, Any], refused: tuple[int, str]) -> None:
    """In ElevenLabs' words; their clients show `detail`."""
    answer = asked(path, query, json=body)
    detail = answer.json["detail"]
    assert (answer.status, detail["status"]) == refused and detail["message"]
    assert detail["request_id"] == answer.headers["request-id"]


def test_keys_and_an_overload() -> None:
    """401, and 429 with the time to wait."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, max_streams=1, api_keys=["right"]) as server:
            url, body = f"{server.url}{SPEECH}?{PCM}", {"text": TEXT}
            stranger = await ask(url, json=body, headers={"xi-api-key": "wrong"})
            assert (stranger.status, stranger.json["detail"]["status"]) == (401, "invalid_api_key")
            async with wire_client(server.url, headers={"X-API-Key": "right"}) as other:
                await other.send("start", text="abcdefgh " * 200)
                await other.until("audio")
                for path in ("", "/stream/with-timestamps"):
                    full_url = f"{server.url}{SPEECH}{path}?{PCM}"
                    refused = await ask(full_url, json=body, headers={"xi-api-key": "right"})
                    assert (refused.status, refused.json["detail"]["status"]) == (429, "system_busy")
                    assert int(refused.headers["Retry-After"]) > 0

    asyncio.run(scenario())


def test_voices_and_models() -> None:
    """For whoever shows a key as ElevenLabs' clients do; others get the lists of the other dialects."""

    async def scenario() -> None:
        async with served() as server:

            async def got(path: str, **headers: str) -> Any:
                return (await ask(f"{server.url}{path}", "GET", headers=headers)).json

            for path in ("/v1/voices", "/v2/voices"):
                listed = await got(path, **KEY)
                assert [voice["voice_id"] for voice in listed["voices"]] == ["中文女", "中文男", "英文女", "英文男"]
                assert listed["has_more"] is False and listed["total_count"] == 4
                assert {voice["category"] for voice in listed["voices"]} == {"premade"}
            assert (await got("/v1/voices/中文女", **KEY))["name"] == "中文女"
            assert (await got(f"/v1/voices/{VOICE}", **KEY))["voice_id"] == VOICE
            assert (await got("/v1/voices/nobody", **KEY))["detail"]["status"] == "voice_not_found"
            models = await got("/v1/models", **KEY)
            assert models[0]["model_id"] == "nano" and models[0]["can_do_text_to_speech"]
            assert {one["language_id"] for one in models[0]["languages"]} >= {"en", "zh"}
            assert (await got("/v1/models"))["object"] == "list"
            assert (await got("/v1/voices"))["default_voice_id"]

    asyncio.run(scenario())


def test_lists_while_the_server_starts() -> None:
    """503, in ElevenLabs' words."""

    async def scenario() -> None:
        async with served(started=False) as server:
            for path in ("/v1/voices", "/v1/voices/default"):
                answer = await ask(f"{server.url}{path}", "GET", headers=KEY)
                assert (answer.status, answer.json["detail"]["status"]) == (503, "engine_lost")

    asyncio.run(scenario())
