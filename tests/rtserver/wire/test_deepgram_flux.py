"""Deepgram's `/v2/speak` on a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.deepgram_client import deepgram_client

FLUX = "/v2/speak?model=flux-alexis-en&encoding=linear16&sample_rate=24000"
LONG = " ".join(["abcdefgh"] * 40)
AUDIO_MS = 900
CONTROLS = {"pronunciations_applied": 0, "breaks_applied": 0, "pronunciation_warnings": 0}


def slow() -> FakeEngine:
    """Its tones take time, so that there is something to interrupt."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


def test_a_session_of_two_turns() -> None:
    """Connected; each turn from SpeechStarted to SpeechMetadata, with sound between; totals at the end."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, FLUX) as client:
            connected = await client.next()
            assert connected["type"] == "Connected" and connected["model_name"] == "flux-alexis-en"
            for _ in range(2):
                client.sound = b""
                await client.speak(*(word + " " for word in TEXT.split()))
                await client.send("Flush")
                speech_id = (await client.next())["speech_id"]
                assert speech_id.startswith("u_")
                assert await client.until("Flushed") == {"type": "Flushed", "speech_id": speech_id}
                characters = len(TEXT) + 1
                assert await client.next() == {
                    "type": "SpeechMetadata", "speech_id": speech_id, "audio_duration_ms": AUDIO_MS,
                    "input_character_count": characters, "billable_character_count": characters,
                    "controls_applied": CONTROLS,
                }  # fmt: skip
                assert len(client.sound) == 2 * SAMPLES
            await client.send("Close")
            assert await client.told() == [
                {
                    "type": "SessionMetadata", "total_audio_duration_ms": 2 * AUDIO_MS,
                    "total_input_character_count": 2 * characters, "total_billable_character_count": 2 * characters,
                }
            ]  # fmt: skip

    asyncio.run(scenario())


def test_an_interrupt_tells_what_was_heard() -> None:
    """With an offset: the text up to it and the rest. No sound follows, and the next turn is spoken."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, deepgram_client(server, FLUX) as client:
            await client.speak(TEXT)
            await client.send("Flush")
            await client.until("SpeechMetadata")
            await client.speak(LONG)
            while len(client.sound) < 2 * SAMPLES + 2 * 24000:
                await client.until("sound")
            await client.send("Interrupt", playback_offset={"type": "time_ms", "value": AUDIO_MS + 300})
            told = await client.until("SpeechInterrupted")
            assert told["audio_played_ms"] == AUDIO_MS + 300
            assert told["text_spoken"] == "abcdefgh"
            assert told["text_spoken"] + told["text_remaining"] == LONG
            assert told["metadata"]["input_character_count"] == len(LONG)
            await eventually(lambda: not engine.live)
            await client.send("Interrupt", playback_offset={"type": "time_ms", "value": AUDIO_MS})
            assert (await client.next())["code"] == "INVALID_INTERRUPT_OFFSET"
            client.sound = b""
            await client.speak(TEXT)
            await client.send("Flush")
            await client.until("SpeechMetadata")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_an_interrupt_without_an_offset_stops_too() -> None:
    """It tells what was sent, and no text. With nothing to stop there is a Warning."""

    async def scenario() -> None:
        async with served(slow()) as server, deepgram_client(server, FLUX) as client:
            await client.send("Interrupt", playback_offset=None)
            assert (await client.until("Warning"))["code"] == "NO_ACTIVE_SPEECH"
            await client.speak(LONG)
            await client.until("sound")
            await client.send("Interrupt")
            told = await client.until("SpeechInterrupted")
            assert told["audio_played_ms"] > 0 and "text_spoken" not in told
            assert told["metadata"]["speech_id"].startswith("u_")

    asyncio.run(scenario())


def test_the_speed_changes_with_the_next_turn() -> None:
    """A bad one is refused, and the old one stays."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, deepgram_client(server, f"{FLUX}&speed=0.9&expressivity=1") as client:
            await client.next()
            answers: list[dict[str, Any]] = []
            for speed in (None, 1.2, 5):
                await client.speak("a")
                await client.send("Flush")
                await client.until("SpeechMetadata")
                await client.send("Configure", speed=speed)
                answers.append(await client.next())
            assert answers[:2] == [
                {"type": "ConfigureSuccess", "applied": {"speed": 0.9}},
                {"type": "ConfigureSuccess", "applied": {"speed": 1.2}},
            ]
            assert (answers[2]["type"], answers[2]["code"]) == ("ConfigureFailure", "SPEED_OUT_OF_RANGE")
            assert [request.speed for request in engine.requests] == [0.9, 0.9, 1.2]

    asyncio.run(scenario())


@pytest.mark.parametrize(("text", "code"), [("", "NO_ACTIVE_SPEECH"), ("  ", "NO_SYNTHESIZABLE_TEXT")])
def test_a_turn_without_text_is_answered(text: str, code: str) -> None:
    """With a Warning; spaces are a turn without sound."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, FLUX) as client:
            await client.speak(text)
            await client.send("Flush")
            assert (await client.until("Warning"))["code"] == code
            if text:
                assert (await client.until("SpeechMetadata"))["audio_duration_ms"] == 0

    asyncio.run(scenario())


def test_the_language_is_that_of_the_first_letters() -> None:
    """Whatever comes before them."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, deepgram_client(server, FLUX) as client:
            await client.speak("“", "你好", "。")
            await client.send("Flush")
            await client.until("SpeechMetadata")
            await client.speak("42")
            await client.send("Flush")
            await client.until("SpeechMetadata")
            assert [request.language for request in engine.requests] == ["zh", "en"]

    asyncio.run(scenario())


def test_a_turn_that_fails_is_told_and_over() -> None:
    """An Error, then the end of the turn at its Flush; the socket lives on."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, FLUX) as client:
            await client.speak("one ", f"{UNREADABLE} ")
            assert (await client.until("Error"))["code"] == "NET-0000"
            await client.send("Flush")
            await client.until("SpeechMetadata")
            await client.ws.send_str('{"type": "Clear"}')
            assert (await client.until("Error"))["code"] == "MESSAGE-0000"

    asyncio.run(scenario())
