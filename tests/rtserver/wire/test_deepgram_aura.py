"""Deepgram's `/v1/speak` on a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.wire import turns
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.deepgram_client import deepgram_client

AURA = "/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=24000&mip_opt_out=false"
# A word is half a second or so.
LONG = " ".join(["abcdefgh"] * 40)


def slow() -> FakeEngine:
    """Its tones take time, so that there is something to stop."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


def test_words_are_spoken_as_they_come_and_flushed_once() -> None:
    """The first message is Metadata; one Flushed follows all sound of each Flush; the socket goes on."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, deepgram_client(server, AURA) as client:
            assert (await client.next()).items() >= {"type": "Metadata", "model_name": "aura-2-thalia-en"}.items()
            for turn in range(2):
                client.sound = b""
                await client.speak(*(word + " " for word in TEXT.split()))
                await client.send("Flush")
                assert await client.until("Flushed") == {"type": "Flushed", "sequence_id": turn}
                assert len(client.sound) == 2 * SAMPLES
            assert [(request.voice, request.language) for request in engine.requests] == [("female", "en")] * 2

    asyncio.run(scenario())


def test_sound_comes_before_the_flush() -> None:
    """A word is certain when a space follows."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, AURA) as client:
            await client.speak("one ", "two ")
            await client.until("sound")

    asyncio.run(scenario())


def test_turns_that_come_at_once_are_spoken_one_after_the_other() -> None:
    """Their sound is not mixed, and each has its Flushed."""

    async def scenario() -> None:
        async with served(slow()) as server, deepgram_client(server, AURA) as client:
            for text in ("aaaa", "bbbbbbbb", ""):
                await client.speak(text)
                await client.send("Flush")
            await client.until("Flushed")
            assert len(client.sound) == 2 * 4 * 1440
            await client.until("Flushed")
            assert len(client.sound) == 2 * 12 * 1440
            assert (await client.next())["sequence_id"] == 2

    asyncio.run(scenario())


def test_no_sound_follows_cleared() -> None:
    """The work ends, what waits is dropped, and the next turn is spoken; without speech Cleared comes at once."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, deepgram_client(server, AURA) as client:
            await client.send("Clear")
            assert (await client.until("Cleared"))["sequence_id"] == 0
            await client.speak(LONG)
            await client.send("Flush")
            await client.speak("never heard")
            await client.until("sound")
            await client.send("Clear")
            await client.send("Clear")
            assert [(await client.until("Cleared"))["sequence_id"] for _ in range(2)] == [1, 2]
            await eventually(lambda: not engine.live)
            client.sound = b""
            await client.speak(TEXT)
            await client.send("Flush")
            assert (await client.until("Flushed"))["sequence_id"] == 0 and len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text beyond the bound is told and dropped, and so are turns; what came before is spoken."""
    monkeypatch.setattr(turns, "MOST_WAITING_CHARS", 100)
    monkeypatch.setattr(turns, "MOST_WAITING_TURNS", 3)

    async def scenario() -> None:
        async with served(slow()) as server, deepgram_client(server, AURA) as client:
            await client.speak("a" * 60)
            await client.send("Flush")
            await client.speak("a" * 101)
            assert "at most 100 characters" in (await client.until("Error"))["description"]
            for _ in range(4):
                await client.send("Flush")
            await client.send("Close")
            assert "at most 3 turns" in (await client.until("Error"))["description"]
            assert [(await client.until("Flushed"))["sequence_id"] for _ in range(4)] == [0, 1, 2, 3]
            assert len(client.sound) == 2 * 60 * 1440
            assert (await client.next())["code"] == 1000

    asyncio.run(scenario())


def test_long_text_without_letters_is_spoken_before_the_flush() -> None:
    """Shorter text waits for its first letter, which tells the language."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, AURA) as client:
            await client.speak(*["1 " * 50] * 3)
            await client.until("sound")

    asyncio.run(scenario())


def test_close_finishes_what_is_spoken() -> None:
    """Also text that was not flushed; then the socket closes. What comes after Close is ignored."""

    async def scenario() -> None:
        async with served(slow()) as server:
            async with deepgram_client(server, AURA) as client:
                await client.speak(TEXT)
                await client.send("Close")
                await client.speak("more")
                assert [m["type"] for m in await client.told()] == ["Metadata", "Flushed"]
                assert len(client.sound) == 2 * SAMPLES and client.ws.close_code == 1000
            async with deepgram_client(server, AURA) as client:
                await client.send("Close")
                assert [m["type"] for m in await client.told()] == ["Metadata"] and client.ws.close_code == 1000

    asyncio.run(scenario())


@pytest.mark.parametrize("frame", ["no JSON", "[]", '{"type": "Sing"}', '{"type": "Speak", "text": 5}', "{}"])
def test_bad_messages_are_answered(frame: str) -> None:
    """With a Warning and an Error in Deepgram's words; the socket lives on."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, AURA) as client:
            await client.ws.send_str(frame)
            warning, error = await client.until("Warning"), await client.next()
            assert error["type"] == "Error" and error["code"] == warning["warn_code"] == "MESSAGE-0000"
            assert "expected" in error["description"]
            await client.speak(TEXT)
            await client.send("Flush")
            await client.until("Flushed")

    asyncio.run(scenario())


def test_a_turn_that_fails_is_told_and_over() -> None:
    """An Error, then Flushed at its Flush, so that no client waits; the rest of its text is dropped."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, AURA) as client:
            await client.speak("one ", f"{UNREADABLE} ")
            assert "internal" in (await client.until("Error"))["description"]
            await client.speak("more ")
            await client.send("Flush")
            assert (await client.next()) == {"type": "Flushed", "sequence_id": 0}
            client.sound = b""
            await client.speak(TEXT)
            await client.send("Flush")
            await client.until("Flushed")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_an_overload_is_told_at_once() -> None:
    """The second turn has no place: Error and Flushed."""

    async def scenario() -> None:
        async with served(slow(), max_streams=1) as server, deepgram_client(server, AURA) as first:
            await first.speak(LONG)
            await first.until("sound")
            async with deepgram_client(server, AURA) as second:
                await second.speak("hello")
                await second.send("Flush")
                assert "overloaded" in (await second.until("Error"))["description"]
                assert (await second.next())["type"] == "Flushed"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("model=nobody", "model: expected a voice"),
        ("encoding=opus", "encoding: expected one of linear16, mulaw, alaw, found 'opus'"),
        ("encoding=mulaw&sample_rate=16000", "sample_rate: expected 8000 for ulaw, found 16000"),
        ("sample_rate=fast", "sample_rate: expected a number of Hz"),
        ("sample_rate=1", "expected 8000 to 48000"),
        ("speed=9", "speed: expected 0.5 to 2.0, found '9'"),
        ("speed=nan", "speed: expected 0.5 to 2.0"),
    ],
)
def test_a_bad_query_refuses_the_handshake(query: str, told: str) -> None:
    """With status 400, and the reason in the header that Deepgram's clients read."""

    async def scenario() -> None:
        async with served() as server:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with deepgram_client(server, f"/v1/speak?{query}"):
                    pass
            assert refused.value.status == 400 and refused.value.headers is not None
            assert told in refused.value.headers["dg-error"]

    asyncio.run(scenario())


def test_the_key_is_found_where_deepgrams_clients_put_it() -> None:
    """In Authorization as Token or Bearer, or in the subprotocols; any other is refused with 401."""

    async def scenario() -> None:
        good: list[dict[str, Any]] = [
            {"headers": {"Authorization": "Token right"}},
            {"headers": {"Authorization": "Bearer right"}},
            {"protocols": ("token", "right")},
            {"protocols": ("bearer", "right")},
        ]
        async with served(api_keys=["right"]) as server:
            for options in good:
                async with deepgram_client(server, AURA, **options) as client:
                    assert (await client.next())["type"] == "Metadata"
                    assert client.ws.protocol == options.get("protocols", (None,))[0]
            for options in ({}, {"headers": {"Authorization": "Token wrong"}}, {"protocols": ("token", "wrong")}):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with deepgram_client(server, AURA, **options):
                        pass
                assert refused.value.status == 401

    asyncio.run(scenario())


def test_telephone_sound() -> None:
    """One byte a sample, 8000 a second."""

    async def scenario() -> None:
        async with served() as server, deepgram_client(server, "/v1/speak?encoding=mulaw&sample_rate=8000") as client:
            await client.speak(TEXT)
            await client.send("Flush")
            await client.until("Flushed")
            assert len(client.sound) == SAMPLES // 3

    asyncio.run(scenario())
