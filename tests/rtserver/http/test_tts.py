"""`POST /v1/tts` answered in JSON, and the routes that tell of voices and health."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import struct
from typing import Any

import msgspec
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.http.body import Body
from rtserver.session.start_request import RequestError
from rtserver.wire.tts_v1.request import TtsRequest, from_body
from tests.rtserver.http.http_client import RATE_HZ, SAMPLES, TEXT, NotingEngine, ask, file_of, pcm_of, spoken
from tests.rtserver.serving import served


def test_a_text_is_answered_with_a_whole_wav_file() -> None:
    """`audio` is a WAV file whose header has its true lengths; what it is stands beside it."""

    async def scenario() -> None:
        async with served() as server:
            speech = await spoken(server.url, text=TEXT, seed=7, voice_id="英文男")
            wav = file_of(speech)
            riff, riff_bytes, kind = struct.unpack_from("<4sI4s", wav)
            assert (riff, riff_bytes, kind) == (b"RIFF", len(wav) - 8, b"WAVE")
            assert struct.unpack_from("<4sI", wav, 36) == (b"data", 2 * SAMPLES) and len(wav) == 44 + 2 * SAMPLES
            assert speech["sample_rate"] == RATE_HZ == struct.unpack_from("<I", wav, 24)[0]
            assert (speech["format"], speech["media_type"]) == ("wav", "audio/wav")
            assert (speech["voice"], speech["seed"]) == ("英文男", 7)

    asyncio.run(scenario())


def test_the_words_come_with_their_times() -> None:
    """Every word of the text, where it stands and when it is heard, one after the other up to the end."""

    async def scenario() -> None:
        async with served() as server:
            words = (await spoken(server.url, text=TEXT))["words"]
            assert [(w["word"], w["offset"]) for w in words] == [("one", 0), ("two", 4), ("three", 8), ("four", 14)]
            assert words[0]["start_ms"] == 0 and words[-1]["end_ms"] == 900
            assert all(w["start_ms"] < w["end_ms"] <= 900 and w["estimated"] for w in words)
            assert all(before["end_ms"] <= after["start_ms"] for before, after in itertools.pairwise(words))

    asyncio.run(scenario())


def test_the_performance_tells_what_it_took() -> None:
    """Seconds of audio and of work, their ratio, and what was used; no speed where no duration was asked for."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.2))) as server:
            performance = (await spoken(server.url, text=TEXT, format="mp3"))["performance"]
            assert performance["audio_s"] == 0.9
            assert performance["wall_s"] >= 0.18
            assert performance["realtime_factor"] == pytest.approx(performance["wall_s"] / 0.9, abs=0.002)
            assert performance["usage"] == {"characters": 18, "text_ids": 15, "speech_tokens": 22}
            assert 0 < performance["timings_ms"]["ttfa_from_text"] <= performance["wall_s"] * 1000 + 1
            assert performance["timings_ms"]["encode"] > 0
            assert performance["target_s"] is None and performance["speed"] is None

    asyncio.run(scenario())


@pytest.mark.parametrize(("target_s", "speed"), [(1.2, 0.75), (0.6, 1.5), (9.0, 0.5)])
def test_a_duration_is_fitted_by_speed_within_bounds(target_s: float, speed: float) -> None:
    """`target_s` chooses the speed; where the bounds of speed forbid it, what was reached is told."""

    async def scenario() -> None:
        async with served() as server:
            performance = (await spoken(server.url, text=TEXT, target_s=target_s))["performance"]
            assert performance["target_s"] == target_s
            assert performance["speed"] == pytest.approx(speed, rel=0.01)
            assert performance["audio_s"] == pytest.approx(0.9 / speed, abs=0.02)

    asyncio.run(scenario())


def test_the_same_seed_is_the_same_take() -> None:
    """Text, voice and seed determine the sound; a seed that was drawn is told and gives the same again."""

    async def scenario() -> None:
        async with served() as server:
            first, other = await spoken(server.url, text=TEXT, seed=7), await spoken(server.url, text=TEXT, seed=8)
            assert (await spoken(server.url, text=TEXT, seed=7))["audio"] == first["audio"] != other["audio"]
            drawn = await spoken(server.url, text=TEXT)
            assert (await spoken(server.url, text=TEXT, seed=drawn["seed"]))["audio"] == drawn["audio"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("fields", "stream", "service_class", "max_lead_s"),
    [
        ({}, True, "realtime", 5.0),
        ({}, False, "realtime", 3600.0),
        ({"class": "batch"}, True, "batch", None),
        ({"class": "batch"}, False, "batch", None),
    ],
)
def test_only_realtime_streams_wait_for_their_listener(
    fields: dict[str, Any], stream: bool, service_class: str, max_lead_s: float | None
) -> None:
    """Nobody hears a file before it is whole, so its work is not paced; neither is batch work, which yields."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT, "stream": stream, **fields})
            assert answer.status == 200
            (request,) = engine.requests
            assert (request.service_class, request.max_lead_s) == (service_class, max_lead_s)

    asyncio.run(scenario())


def test_a_long_text_is_answered_as_fast_as_it_can_be_spoken() -> None:
    """Half a minute of speech, from an engine that takes no time, does not take the half minute."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server:
            speech = await spoken(server.url, text=" ".join(["word"] * 125))
            assert speech["performance"]["audio_s"] == 30.0 and speech["performance"]["wall_s"] < 10
            assert len(pcm_of(file_of(speech))) == 30 * RATE_HZ * 2

    asyncio.run(scenario())


def test_the_fields_reach_the_engine() -> None:
    """Voice, mode, instruction, speed, language and seed are what the engine is asked for, as one whole text."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            fields = {"speaker": "中文女", "mode": "instruct", "instruct_text": "softly", "prompt_text": "as heard"}
            await spoken(server.url, text=TEXT, speed=1.5, language="zh", seed=9, **fields)
            (request,) = engine.requests
            assert (request.voice, request.mode, request.instruct_text) == ("中文女", "instruct", "softly")
            assert (request.speed, request.language, request.seed) == (1.5, "zh", 9)
            assert request.prompt_text == "as heard" and not request.streaming

    asyncio.run(scenario())


def test_a_request_has_a_lexicon() -> None:
    """In JSON as a list, in a form as the same in JSON; wrong entries are refused."""
    lexicon = [{"word": "SQL", "say": "sequel"}]
    for body in (Body(json=msgspec.json.encode({"text": TEXT, "lexicon": lexicon})),
                 Body(fields={"text": TEXT, "lexicon": msgspec.json.encode(lexicon).decode()})):  # fmt: skip
        assert from_body(body).opening({}, sound="wav", upload_bytes=0).start.lexicon == lexicon
    with pytest.raises(RequestError, match="Expected `array"):
        from_body(Body(fields={"text": TEXT, "lexicon": "3"}))

    async def scenario() -> None:
        async with served() as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT, "lexicon": [{"word": "SQL"}]})
            assert (
                answer.status == 400
                and "lexicon[0]: expected one of say, cmu, pinyin" in answer.json["error"]["message"]
            )

    asyncio.run(scenario())


@pytest.mark.parametrize("markup", [True, False])
def test_a_request_says_whether_there_is_markup(markup: bool) -> None:
    """As `start` does on the native wire."""
    asked = msgspec.json.decode(msgspec.json.encode({"text": TEXT, "markup": markup}), type=TtsRequest)
    assert asked.opening({}, sound="wav", upload_bytes=0).start.markup is markup


def test_voices_and_speakers_are_listed() -> None:
    """`speakers` are the names; `voices` tells of each, how many there are, and which is the default."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(voices=("alto", "basso")))) as server:
            assert (await ask(f"{server.url}/v1/speakers", "GET")).json == {"speakers": ["alto", "basso"]}
            listed = (await ask(f"{server.url}/v1/voices", "GET")).json
            assert [voice["voice_id"] for voice in listed["voices"]] == ["alto", "basso"]
            assert listed["voices"][0] == {
                "voice_id": "alto", "name": "alto", "aliases": [], "language": None, "gender": None,
            }  # fmt: skip
            assert listed["total"] == 2 and listed["default_voice_id"] == server.app.model.serving.default_voice

    asyncio.run(scenario())


def test_health_has_what_the_old_server_told() -> None:
    """status is ok, gpu a boolean; also the device, model and ready, and what is open now."""

    async def scenario() -> None:
        async with served() as server:
            health = (await ask(f"{server.url}/v1/health", "GET")).json
            assert (health["status"], health["ready"], health["gpu"]) == ("ok", True, False)
            assert health["device"] == "cpu"
            assert health["model"] == server.app.model.serving.name
            assert (health["voices"], health["utterances"], health["connections"]) == (4, 0, 0)

    asyncio.run(scenario())


def test_health_names_the_gpu() -> None:
    """`gpu` stays a boolean; which one it is stands in `device`."""

    async def scenario() -> None:
        engine = FakeEngine()
        engine.info = dataclasses.replace(engine.info, gpu="NVIDIA L20")
        async with served(engine) as server:
            health = (await ask(f"{server.url}/v1/health", "GET")).json
            assert (health["gpu"], health["device"]) == (True, "NVIDIA L20")

    asyncio.run(scenario())


def test_a_key_opens_what_speaks_and_lists() -> None:
    """Without a known key 401, with it 200; health and the description are for everyone."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            for method, path, body in (
                ("POST", "/v1/tts", {"text": TEXT}),
                ("POST", "/v1/tts/stream", {"text": TEXT}),
                ("GET", "/v1/voices", None),
                ("GET", "/v1/speakers", None),
            ):
                url = f"{server.url}{path}"
                assert (await ask(url, method, json=body)).refused == (401, "unauthorized")
                assert (await ask(url, method, json=body, headers={"X-API-Key": "wrong"})).status == 401
                assert (await ask(url, method, json=body, headers={"X-API-Key": "right"})).status == 200
                assert (await ask(url, method, json=body, headers={"Authorization": "Bearer right"})).status == 200
            for path in ("/v1/health", "/v1/live", "/openapi.json", "/docs"):
                assert (await ask(f"{server.url}{path}", "GET")).status == 200

    asyncio.run(scenario())


def test_a_wrong_method_or_path_is_named() -> None:
    """`GET /v1/tts` is 405 and tells what is allowed; an unknown path is 404."""

    async def scenario() -> None:
        async with served() as server:
            answer = await ask(f"{server.url}/v1/tts", "GET")
            assert answer.refused == (405, "method_not_allowed") and answer.headers["Allow"] == "POST"
            assert (await ask(f"{server.url}/v1/nothing")).refused == (404, "not_found")

    asyncio.run(scenario())
