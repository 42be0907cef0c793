"""ElevenLabs' `stream-input`, with what its own client sends."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, Served, eventually, served
from tests.rtserver.wire.elevenlabs_client import PCM, ElevenLabsClient, elevenlabs_client, words_of_pieces

FIRST: dict[str, Any] = {"try_trigger_generation": True, "generation_config": {"chunk_length_schedule": [50]}}


def client_of(server: Served, query: str = PCM, **options: Any) -> AbstractAsyncContextManager[ElevenLabsClient]:
    return elevenlabs_client(server, query, path="stream-input", **options)


def test_a_text_is_spoken_and_the_socket_closes() -> None:
    """Word by word, without names of contexts; the last message is alone, and the close is in order."""

    async def scenario() -> None:
        async with served() as server, client_of(server) as client:
            await client.send(" ", voice_settings=None, **FIRST)
            await client.send("one ", try_trigger_generation=True)
            await client.send("two ", try_trigger_generation=True)
            await client.until_sound()
            for word in ("three ", "four "):
                await client.send(word, try_trigger_generation=True)
            await client.send("")
            told = await client.until_final()
            assert told[-1] == {"audio": None, "isFinal": True} and "contextId" not in told[0]
            assert await client.next() == {"closed": 1000} and len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_words_have_their_times() -> None:
    """With `auto_mode` each message is spoken at once."""

    async def scenario() -> None:
        async with served() as server, client_of(server, f"{PCM}&auto_mode=true") as client:
            await client.send(" ", **FIRST)
            await client.send("one two")
            told = [await client.next()]
            while len(client.sound) < 48000 * 0.36:  # all of it, with nothing behind it
                told.append(await client.next())
            await client.send("three four")
            await client.send("")
            told += await client.until_final()
            assert words_of_pieces(told) == [("one", 0), ("two", 180), ("three", 360), ("four", 660)]

    asyncio.run(scenario())


def test_a_socket_without_text_closes() -> None:
    """After the client's own `inactivity_timeout`, with ElevenLabs' error."""

    async def scenario() -> None:
        async with served() as server, client_of(server, f"{PCM}&inactivity_timeout=1") as client:
            await client.send("one ", **FIRST)
            await client.until_sound()
            while "error" not in (told := await client.next()):
                assert told["audio"]
            assert told["error"] == "input_timeout_exceeded" and told["code"] == 1008
            assert await client.next() == {"closed": 1008}
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_an_empty_text_is_over_at_once() -> None:
    """Nothing is spoken for it."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, client_of(server) as client:
            await client.send(" ", **FIRST)
            await client.send("")
            assert await client.next() == {"audio": None, "isFinal": True}
            assert await client.next() == {"closed": 1000} and not engine.requests

    asyncio.run(scenario())


def test_an_error_closes_the_socket() -> None:
    """Its text is the last message: their client shows that."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, max_streams=1) as server:
            async with client_of(server) as client:
                await client.send(" ", **FIRST)
                await client.send(f"{UNREADABLE} ")
                await client.send("")
                failed = await client.next()
                assert failed["error"].startswith("internal_error: ") and failed["message"]
                assert await client.next() == {"closed": 1008}
            async with client_of(server) as speaking, client_of(server) as client:
                await speaking.send(" ".join(["abcdefgh"] * 40))
                await speaking.until_sound()
                await client.send(TEXT, flush=True)
                assert (await client.next())["error"].startswith("system_busy: ")
                assert await client.next() == {"closed": 1008}

    asyncio.run(scenario())


def test_settings_of_the_first_message() -> None:
    """A key in it, the speed, and dictionaries, which are ignored with a warning."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine, api_keys=["right"]) as server, client_of(server) as client:
            await client.send(
                " ", xi_api_key="right", voice_settings={"speed": 1.2}, pronunciation_dictionary_locators=[{}]
            )
            assert "ignored" in (await client.next())["warning"]
            await client.send(TEXT)
            await client.send("")
            await client.until_final()
            assert engine.requests[0].speed == 1.2

    asyncio.run(scenario())
