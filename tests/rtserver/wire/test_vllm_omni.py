"""vllm-omni's `/v1/audio/speech/stream`, with Baseten's word times."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine, base64_of
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.deepgram_client import DeepgramClient, deepgram_client

PATH = "/v1/audio/speech/stream"
# What LiveKit's plugin sends.
CONFIG: dict[str, Any] = {
    "task_type": "Base", "response_format": "pcm", "stream_audio": True, "speed": 1.0, "voice": "vivian",
    "language": "Auto", "timestamp_type": "word", "timestamp_transport_strategy": "sync",
}  # fmt: skip


async def turn(client: DeepgramClient, text: str = TEXT) -> list[dict[str, Any]]:
    """Says it word by word; all messages up to session.done."""
    for word in text.split():
        await client.send("input.text", text=word + " ")
    await client.send("input.done")
    messages = [await client.next()]
    while messages[-1]["type"] != "session.done":
        messages.append(await client.next())
    return messages


def test_words_come_with_their_times() -> None:
    """After the sound that they begin in; relative to the beginning of their sentence, which is a piece of the turn."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, PATH) as client:
            await client.send("session.config", **CONFIG)
            for number in range(2):
                client.sound = b""
                words: list[tuple[str, int]] = []
                size = start = sentences = 0
                for message in await turn(client):
                    if message["type"] == "audio.start":
                        assert (message["utterance_index"], message["sentence_index"]) == (number, sentences)
                        assert (message["format"], message["sample_rate"]) == ("pcm", 24000)
                        start, sentences = size, sentences + 1
                    elif message["type"] == "sound":
                        size += len(message["data"])
                    elif message["type"] == "audio.done":
                        assert message["total_bytes"] == size - start and not message["error"]
                        alignment = message.get("timestamp_info", {}).get("word_alignment", {})
                        times = zip(alignment.get("words", []), alignment.get("word_start_times_seconds", []))
                        words += [(word, round(1000 * (start / 48000 + start_s))) for word, start_s in times]
                assert message == {"type": "session.done", "utterance_index": number, "total_sentences": sentences}
                assert words == [("one", 0), ("two", 180), ("three", 360), ("four", 660)]
                assert len(client.sound) == 2 * SAMPLES and sentences > 1

    asyncio.run(scenario())


def test_without_word_times_a_turn_is_one_sentence() -> None:
    """Its sound comes before input.done."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, PATH) as client:
            await client.send("session.config", voice="default")
            await client.send("input.text", text="one two ")
            assert (await client.next())["sentence_text"] == "one two "
            assert (await client.next())["type"] == "sound"
            messages = await turn(client, "three four")
            kinds = [message["type"] for message in messages if message["type"] != "sound"]
            assert kinds == ["audio.done", "session.done"] and "timestamp_info" not in messages[-2]

    asyncio.run(scenario())


def test_an_empty_turn_keeps_the_socket_open() -> None:
    """It is answered at once."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, PATH) as client:
            await client.send("session.config", **CONFIG)
            await client.send("input.done")
            assert await client.next() == {"type": "session.done", "utterance_index": 0, "total_sentences": 0}

    asyncio.run(scenario())


def test_the_config_is_heeded() -> None:
    """Voice, language by name, speed, seed, instructions, a recording as the voice."""

    async def scenario() -> list[Any]:
        engine = NotingEngine()
        async with served(engine) as server, deepgram_client(server, PATH) as client:
            await client.send("session.config", voice="ryan", language="Chinese", speed=1.5, seed=5)
            await turn(client)
            await client.send("session.config", instructions="Softly.")
            await turn(client)
        return engine.requests

    first, second = asyncio.run(scenario())
    assert (first.voice, first.language, first.speed, first.seed, first.mode) == ("male", "zh", 1.5, 5, "sft")
    assert (second.voice, second.language, second.mode) == ("default", "en", "instruct")
    assert second.instruct_text == "Softly."


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"type": "input.text", "text": "one"}, "expected session.config first"),
        ({"type": "session.config", "voice": "nobody"}, "voice: expected a voice of this server"),
        ({"type": "session.config", "speed": 9}, "speed: expected 0.5 to 2.0"),
        ({"type": "session.config", "response_format": "aac"}, "Invalid enum value 'aac'"),
        ({"type": "session.config", "sample_rate": 1}, "expected 8000 to 48000"),
        ({"type": "session.config", "ref_audio": "?"}, "ref_audio: audio: expected base64"),
        ({"type": "voice.add"}, "expected session.config, input.text"),
    ],
)
def test_bad_messages_are_answered(message: dict[str, Any], told: str) -> None:
    """With an error; the socket lives on."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, PATH) as client:
            await client.ws.send_json(message)
            error = await client.next()
            assert error["type"] == "error" and told in error["message"]
            await client.send("session.config", **CONFIG)
            assert (await turn(client))[-1]["type"] == "session.done" and len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_turn_that_fails_is_told_and_over() -> None:
    """The error says that its sound is to be dropped; session.done follows at input.done."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, PATH) as client:
            await client.send("session.config", **CONFIG)
            await client.send("input.text", text="one two ")
            await client.until("sound")
            await client.send("input.text", text=f"{UNREADABLE} ")
            error = await client.until("error")
            assert error["code"] == "internal" and error["action"] == "discard" and error["partial_audio"]
            await client.send("input.done")
            assert (await client.until("audio.done"))["error"]
            await client.until("session.done")

    asyncio.run(scenario())


def test_close_and_keys() -> None:
    """The key is that of `Authorization: Api-Key`; session.close ends the socket when all is spoken."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        headers = {"Authorization": "Api-Key right"}
        async with (
            served(engine, api_keys=["right"]) as server,
            deepgram_client(server, PATH, headers=headers) as client,
        ):
            await client.send("session.config", **CONFIG)
            await client.send("input.text", text=TEXT)
            await client.send("session.close")
            assert (await client.told())[-1]["type"] == "session.done"
            assert len(client.sound) == 2 * SAMPLES and client.ws.close_code == 1000

    asyncio.run(scenario())


def test_a_recording_is_counted_while_the_socket_keeps_it() -> None:
    """Where there is no room for it, that is told and nothing is configured. Another one takes its place."""
    small, large = base64_of(bytes(500)), base64_of(bytes(3000))

    async def scenario() -> None:
        async with served(max_text_chars=2000) as server, deepgram_client(server, PATH) as client:
            held = server.app.accounts.held
            for _ in range(2):
                await client.send("session.config", **CONFIG, ref_audio=small)
                await eventually(lambda: held["text_chars"] == 500)
            await client.send("session.config", **CONFIG, ref_audio=large)
            assert (await client.until("error"))["code"] == "overloaded" and held["text_chars"] == 0
            await client.send("input.text", text=TEXT)
            assert "session.config first" in (await client.until("error"))["message"]
            await client.send("session.config", **CONFIG)
            assert (await turn(client))[-1]["total_sentences"] >= 1

    asyncio.run(scenario())
