"""ElevenLabs' `multi-stream-input`, with what pipecat and LiveKit send."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.elevenlabs_client import PCM, ElevenLabsClient, elevenlabs_client, words_of_pieces

LONG = " ".join(["abcdefgh"] * 40)
WORDS = [("one", 0), ("two", 180), ("three", 360), ("four", 660)]
LIVEKIT = (
    f"model_id=eleven_turbo_v2_5&{PCM}&enable_ssml_parsing=false&enable_logging=true&inactivity_timeout=180"
    "&apply_text_normalization=auto&sync_alignment=true&auto_mode=true"
)
PIPECAT = f"model_id=eleven_flash_v2_5&{PCM}&auto_mode=true"


def slow() -> FakeEngine:
    """Its tones take time, so that there is something to interrupt."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


async def pipecat_turn(client: ElevenLabsClient, context_id: str, *sentences: str) -> list[dict[str, Any]]:
    """A whole turn of pipecat's, and all that is told of it."""
    await client.send(" ", context_id)
    for sentence in sentences:
        await client.send(sentence, context_id)
    await client.send(context_id=context_id, flush=True)
    await client.send(context_id=context_id, close_context=True)
    return await client.until_final()


async def livekit_turn(client: ElevenLabsClient, context_id: str, *sentences: str) -> list[dict[str, Any]]:
    """The same of LiveKit's."""
    await client.send(" ", context_id, voice_settings={})
    for sentence in sentences:
        await client.send(f"{sentence} ", context_id, flush=True)
    await client.send("", context_id, flush=True)
    await client.send(context_id=context_id, close_context=True)
    return await client.until_final()


def test_turns_of_pipecat() -> None:
    """Two on a socket: all sound, then a last message alone; times begin anew in each message."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server, PIPECAT) as client:
            for context_id in ("a", "b"):
                client.sound = b""
                told = await pipecat_turn(client, context_id, "one two", "three four")
                assert told[-1] == {"audio": None, "isFinal": True, "contextId": context_id}
                assert {message["contextId"] for message in told} == {context_id}
                assert not any(message["isFinal"] for message in told[:-1])
                assert len(client.sound) == 2 * SAMPLES and words_of_pieces(told) == WORDS
                pieces = [message["alignment"] for message in told[:-1] if message["alignment"]]
                assert len(pieces) > 1 and all(piece["chars"][-1] == " " for piece in pieces)
            await client.send(close_socket=True)
            assert await client.next() == {"closed": 1000}

    asyncio.run(scenario())


def test_turns_of_livekit() -> None:
    """With `sync_alignment` times go on through the context, and the characters are those of the text."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server, LIVEKIT) as client:
            for context_id in ("a", "b"):
                told = await livekit_turn(client, context_id, "one two", "three four")
                pieces = [message["normalizedAlignment"] for message in told[:-1] if message["alignment"]]
                chars = "".join(char for piece in pieces for char in piece["chars"])
                starts = [start for piece in pieces for start in piece["charStartTimesMs"]]
                assert chars == TEXT and len(pieces) > 1
                assert [starts[TEXT.index(word)] for word, _ in WORDS] == [start for _, start in WORDS]
            assert len(client.sound) == 4 * SAMPLES

    asyncio.run(scenario())


def test_tokens_are_spoken_before_the_text_is_complete() -> None:
    """Without `auto_mode` messages are pieces of words. Nothing before a flush is needed."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server, f"{PCM}&auto_mode=false") as client:
            await client.send(" ", "a")
            for token in ("on", "e tw", "o"):
                await client.send(token, "a")
            await client.until_sound()
            for token in (" three", " fo", "ur"):
                await client.send(token, "a")
            await client.send(context_id="a", flush=True)
            await client.send(context_id="a", close_context=True)
            await client.until_final()
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


@pytest.mark.parametrize("query", [PIPECAT, LIVEKIT])
def test_a_close_after_text_interrupts(query: str) -> None:
    """Agents close a context whose text is not complete when the user speaks. No sound follows, and work ends."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, elevenlabs_client(server, query) as client:
            await client.send(" ", "a")
            await client.send(f"{LONG} ", "a", **({"flush": True} if query == LIVEKIT else {}))
            await client.until_sound()
            await client.send(context_id="a", close_context=True)
            await client.until_final()
            await eventually(lambda: not engine.live)
            client.sound = b""
            told = await pipecat_turn(client, "b", "one two", "three four")
            assert {message["contextId"] for message in told} == {"b"} and len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_second_close_interrupts() -> None:
    """At the end of a turn agents have closed the context already. A third close does nothing."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, elevenlabs_client(server, PIPECAT) as client:
            await client.send(" ", "a")
            await client.send(LONG, "a")
            await client.send(context_id="a", flush=True)
            await client.send(context_id="a", close_context=True)
            await client.until_sound()
            assert engine.live == 1
            await client.send(context_id="a", close_context=True)
            await client.until_final()
            assert not engine.live and len(client.sound) < 2 * 24000 * 10
            await client.send(context_id="a", close_context=True)
            assert (await pipecat_turn(client, "b", TEXT))[-1]["contextId"] == "b"

    asyncio.run(scenario())


def test_text_with_a_flush_and_a_close_is_spoken() -> None:
    """As ElevenLabs says of contexts that were told to flush; in either spelling of the name, or with none."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server) as client:
            for named, context_id in (({"contextId": "a"}, "a"), ({}, None)):
                client.sound = b""
                await client.send(TEXT, flush=True, **named)
                await client.send(close_context=True, **named)
                assert (await client.until_final())[-1]["contextId"] == context_id
                assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_keepalives_say_nothing() -> None:
    """Empty text opens no context, changes none, and is not the end of one."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, elevenlabs_client(server, PIPECAT) as client:
            await client.send("")
            await client.send("", "never")
            await client.send(context_id="never", flush=True)
            await client.send(context_id="never", close_context=True)
            await client.send(" ", "a")
            await client.send("", "a")
            await client.send(TEXT, "a")
            await client.send(context_id="a", flush=True)
            await client.send("", "a")
            await client.send("")
            await client.send(context_id="a", close_context=True)
            assert (await client.until_final())[-1]["contextId"] == "a"
            assert len(client.sound) == 2 * SAMPLES and len(engine.requests) == 1

    asyncio.run(scenario())


def test_a_context_without_text_is_over_at_once() -> None:
    """Nothing is spoken for it."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, elevenlabs_client(server) as client:
            await client.send(" ", "a")
            await client.send(context_id="a", close_context=True)
            assert await client.next() == {"audio": None, "isFinal": True, "contextId": "a"}
            assert not engine.requests

    asyncio.run(scenario())


def test_contexts_speak_side_by_side() -> None:
    """Each with its name; one of them can be closed alone. A name is free as soon as its context is closed."""

    async def scenario() -> None:
        async with served(slow()) as server, elevenlabs_client(server) as client:
            for context_id in ("a", "b"):
                await client.send(LONG, context_id, flush=True)
            named: set[str] = set()
            while named != {"a", "b"}:
                named.add((await client.next())["contextId"])
            await client.send(context_id="a", close_context=True)
            await client.send(context_id="a", close_context=True)
            await client.send(TEXT, "a", flush=True)
            await client.send(context_id="a", close_context=True)
            assert (await client.until_final())[-1]["contextId"] == "a"
            client.sound = b""
            told = await client.until_final()
            assert told[-1]["contextId"] == "a" and "b" in {message["contextId"] for message in told}

    asyncio.run(scenario())


def test_close_socket_speaks_what_is_left() -> None:
    """Then the socket closes. Text that comes later is nothing."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server) as client:
            await client.send(TEXT, "a")
            await client.send(" ", "b")
            await client.send(close_socket=True)
            await client.send(TEXT, "c")
            finals = [(await client.until_final())[-1]["contextId"] for _ in range(2)]
            assert sorted(finals) == ["a", "b"] and await client.next() == {"closed": 1000}
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_what_is_asked_for_is_heeded() -> None:
    """Voice by ElevenLabs' id, language, speed (the nearest that is possible), format."""

    async def scenario() -> None:
        engine = NotingEngine()
        query = "output_format=ulaw_8000&language_code=zh-CN"
        async with served(engine) as server, elevenlabs_client(server, query, voice="JBFqnCBsd6RMkjVDRZzb") as client:
            await client.send(" ", "a", voice_settings={"speed": 0.25, "stability": 0.5, "style": None})
            told = await pipecat_turn(client, "a", "你好。")
            assert told[-1]["isFinal"] and client.sound
        request = engine.requests[0]
        assert (request.voice, request.language, request.speed) == ("male", "zh", 0.5)

    asyncio.run(scenario())


def test_dictionaries_are_ignored_with_a_warning() -> None:
    """The context is spoken; a warning tells that they are not known."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server) as client:
            locators = [{"pronunciation_dictionary_id": "x", "version_id": "y"}]
            await client.send(" ", "a", pronunciation_dictionary_locators=locators)
            warning = await client.next()
            assert "pronunciation_dictionary_locators" in warning["warning"] and warning["contextId"] == "a"
            await pipecat_turn(client, "a", TEXT)
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_a_context_that_fails() -> None:
    """Its error, its last message, and nothing for the text that was on its way; the others go on."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server, PIPECAT) as client:
            for text in (" ", UNREADABLE, "more", "and more"):
                await client.send(text, "a")
            failed = await client.until_final()
            assert [message["contextId"] for message in failed] == ["a", "a"]
            assert failed[0]["error"].startswith("internal_error: ") and failed[0]["code"] == 1008
            assert (await pipecat_turn(client, "b", TEXT))[-1]["contextId"] == "b"
            assert len(client.sound) == 2 * SAMPLES
            await client.send(context_id="a", close_context=True)
            assert (await pipecat_turn(client, "a", TEXT))[-1]["contextId"] == "a"

    asyncio.run(scenario())


def test_an_overload_is_told_at_once() -> None:
    """For each turn anew, without a wait."""

    async def scenario() -> None:
        async with served(slow(), max_streams=1) as server, elevenlabs_client(server, PIPECAT) as speaking:
            await speaking.send(LONG, "a")
            await speaking.until_sound()
            async with elevenlabs_client(server, PIPECAT) as client:
                for context_id in ("b", "c"):
                    failed = await pipecat_turn(client, context_id, TEXT)
                    assert [message["contextId"] for message in failed] == [context_id] * 2
                    assert failed[0]["error"].startswith("system_busy: ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("no JSON", "bad_message: "),
        ('{"text": 5, "context_id": "a"}', "bad_message: "),
        ('{"text": "a", "context_id": "' + "x" * 129 + '"}', "bad_message: context_id: "),
    ],
)
def test_a_message_that_is_none(message: str, error: str) -> None:
    """It is told, and the socket stays open."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server, PIPECAT) as client:
            await client.ws.send_str(message)
            assert (await client.next())["error"].startswith(error)
            await pipecat_turn(client, "a", TEXT)
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_contexts_are_limited() -> None:
    """Those that were begun and have no text yet, too."""

    async def scenario() -> None:
        async with served() as server, elevenlabs_client(server) as client:
            for number in range(65):
                await client.send(" ", f"c{number}")
            refused = await client.next()
            assert refused["error"].startswith("too_many_contexts: ") and refused["contextId"] == "c64"
            await client.send(context_id="c0", close_context=True)
            assert (await client.next())["contextId"] == "c0"
            await client.send(" ", "c64")
            await client.send(context_id="c64", close_context=True)
            assert (await client.next())["isFinal"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("query", "voice", "status", "text"),
    [
        (PCM, "nobody", 404, "voice_not_found"),
        ("output_format=pcm_12", "default", 400, "invalid_output_format"),
        ("output_format=vorbis_24000", "default", 400, "invalid_output_format"),
        (f"{PCM}&language_code=fr", "default", 400, "bad_message"),
        (f"{PCM}&inactivity_timeout=0", "default", 400, "bad_message"),
        (f"{PCM}&inactivity_timeout=soon", "default", 400, "bad_message"),
    ],
)
def test_a_handshake_is_refused(query: str, voice: str, status: int, text: str) -> None:
    """With a status, so that a client does not connect again and again to be told."""

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http:
            url = f"{server.url}/v1/text-to-speech/{voice}/multi-stream-input?{query}"
            headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
            async with http.get(url, headers=headers) as answer:
                detail = (await answer.json())["detail"]
                assert (answer.status, detail["status"]) == (status, text) and "expected" in detail["message"]

    asyncio.run(scenario())


def test_keys() -> None:
    """In the header, in the query, or in the first message; a wrong one is refused in the same place."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            for options in ({"headers": {"xi-api-key": "right"}}, {"query": f"{PCM}&single_use_token=right"}):
                async with elevenlabs_client(server, **options) as client:
                    assert (await pipecat_turn(client, "a", TEXT))[-1]["isFinal"]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with elevenlabs_client(server, headers={"xi-api-key": "wrong"}):
                    pass
            assert refused.value.status == 401
            for key in ({"xi_api_key": "right"}, {"authorization": "Bearer right"}):
                async with elevenlabs_client(server) as client:
                    await client.send(" ", "a", **key)
                    assert (await pipecat_turn(client, "a", TEXT))[-1]["isFinal"]
            async with elevenlabs_client(server) as client:
                await client.send(" ", "a", xi_api_key="wrong")
                assert (await client.next())["error"].startswith("invalid_api_key: ")
                assert await client.next() == {"closed": 1008}

    asyncio.run(scenario())
