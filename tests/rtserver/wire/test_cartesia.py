"""Cartesia's `/tts/websocket`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import UNREADABLE, eventually, served
from tests.rtserver.wire.cartesia_client import RAW, cartesia_client

LONG = "abcdefgh " * 40
WORDS = [("one", 0.0, 0.18), ("two", 0.18, 0.36), ("three", 0.36, 0.66), ("four", 0.66, 0.9)]


def slow() -> FakeEngine:
    """Its tones take time, so that there is something to interrupt."""
    return FakeEngine(FakeOptions(realtime_factor=0.3))


def test_tokens_become_one_speech() -> None:
    """With the times of its words, which are found in the text that was sent; `done` once."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server, "?cartesia_version=2025-04-16") as client:
            for token in ("one", " two", " three", " four"):
                await client.send("a", token)
            await client.send("a", "", more=False)
            assert await client.until("done") == {
                "type": "done", "done": True, "status_code": 200, "context_id": "a",
            }  # fmt: skip
            heard = client.heard["a"]
            assert len(heard.sound) == 2 * SAMPLES and heard.words == WORDS
            assert set(heard.kinds) == {"timestamps", "chunk", "done"}
            await client.send("b", TEXT, more=False)
            first = await client.next()
            assert first["context_id"] == "b"  # nothing more of the first one

    asyncio.run(scenario())


def test_sentences_without_a_buffer_are_flushed() -> None:
    """max_buffer_delay_ms 0, as pipecat and LiveKit send it: each sentence is spoken to its end, and numbered."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            for sentence in ("one two.", "three."):
                await client.send("a", sentence, max_buffer_delay_ms=0)
            await client.send("a", " ", more=False, max_buffer_delay_ms=0)
            await client.until("done")
            heard = client.heard["a"]
            assert heard.kinds.count("flush_done") == 2
            assert (heard.flush_ids[0], heard.flush_ids[-1]) == (1, 2)
            assert [word for word, _, _ in heard.words] == ["one", "two.", "three."]

    asyncio.run(scenario())


def test_a_flush_is_answered_in_its_place() -> None:
    """After the sound of the text before it, while the context stays open."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            await client.send("a", TEXT, flush=True, add_timestamps=False)
            assert await client.until("flush_done") == {
                "type": "flush_done", "flush_done": True, "flush_id": 1, "done": False, "status_code": 206,
                "context_id": "a",
            }  # fmt: skip
            assert len(client.heard["a"].sound) == 2 * SAMPLES and not client.heard["a"].words
            await client.send("a", "", flush=True)
            assert (await client.until("flush_done"))["flush_id"] == 2
            await client.send("a", "more.", more=False)
            await client.until("done")

    asyncio.run(scenario())


def test_a_cancel_ends_the_work() -> None:
    """`done` follows, and no sound of it after that; a context beside it goes on."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, cartesia_client(server) as client:
            await client.send("a", LONG)
            await client.until("chunk", "a")
            await client.send("b", TEXT, more=False)
            await client.cancel("a")
            await client.until("done", "a")
            size = len(client.heard["a"].sound)
            await client.until("done", "b")
            assert len(client.heard["a"].sound) == size and len(client.heard["b"].sound) == 2 * SAMPLES
            await eventually(lambda: not engine.live)
            await client.cancel("a")  # it is over already: no answer
            await client.send("c", TEXT, more=False)
            assert (await client.next())["context_id"] == "c"

    asyncio.run(scenario())


def test_a_context_without_words_is_done_at_once() -> None:
    """Also when it is cancelled before its first letter."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            await client.send("a", " ", more=False)
            assert (await client.next())["type"] == "done"
            await client.send("b", " ")
            await client.send("b", "", more=False)
            assert (await client.next())["context_id"] == "b"
            await client.send("c", " ")
            await client.cancel("c")
            assert (await client.next())["context_id"] == "c"
            await client.send("d", "", flush=True)
            assert (await client.next())["type"] == "flush_done"

    asyncio.run(scenario())


def test_what_is_asked_for_reaches_the_engine() -> None:
    """Voice, speed and language, in the forms of newer and older clients; the text decides between English and
    Mandarin."""
    cases: list[tuple[dict[str, Any], tuple[str, float, str | None]]] = [
        ({"voice": "c961b81c-a935-4c17-bfb3-ba2239de8c2f"}, ("male", 1.0, "en")),
        ({"voice": {"id": "英文男"}, "generation_config": {"speed": 1.5, "emotion": "calm"}}, ("英文男", 1.5, "en")),
        ({"voice": {"mode": "id", "id": None}, "speed": "slow"}, ("default", 0.8, "en")),
        (
            {"voice": {"mode": "id", "id": "female", "__experimental_controls": {"speed": -0.5}}},
            ("female", 0.8, "en"),
        ),
        ({"transcript": "你好。", "voice": "default", "language": None}, ("default", 1.0, "zh")),
    ]

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, cartesia_client(server) as client:
            for changed, _ in cases:
                await client.send("a", TEXT, more=False, **changed)
                await client.until("done")
        assert [(one.voice, one.speed, one.language) for one in engine.requests] == [found for _, found in cases]

    asyncio.run(scenario())


def test_the_language_is_that_of_the_first_letters() -> None:
    """A first token without one is kept for them."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, cartesia_client(server) as client:
            for token in ("“", "你好", "。"):
                await client.send("a", token)
            await client.send("a", "", more=False)
            await client.until("done")
        assert [one.language for one in engine.requests] == ["zh"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "size"),
    [("pcm_f32le", 44100, 4 * 39690), ("pcm_mulaw", 8000, 7200), ("pcm_alaw", 8000, 7200), ("pcm_s16le", 16000, 28800)],
)
def test_encodings(encoding: str, rate_hz: int, size: int) -> None:
    """The SDK asks for 32-bit floats at 44100 Hz when it is told nothing."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            await client.send("a", TEXT, more=False, output_format=RAW | {"encoding": encoding, "sample_rate": rate_hz})
            await client.until("done")
            assert abs(len(client.heard["a"].sound) - size) <= size // 100

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"voice": "nobody"}, "voice_not_found", 404),
        ({"voice": {"mode": "embedding", "embedding": [0.1]}}, "bad_message", 400),
        ({"output_format": {"container": "wav"}}, "unsupported_format", 400),
        ({"output_format": {"container": "raw", "encoding": "pcm_s24le"}}, "unsupported_format", 400),
        ({"output_format": RAW | {"encoding": "pcm_mulaw"}}, "unsupported_format", 400),
        ({"generation_config": {"speed": 9}}, "bad_message", 400),
        ({"speed": "brisk"}, "bad_message", 400),
        ({"speed": 3}, "bad_message", 400),
        ({"transcript": 7}, "bad_message", 400),
        ({"transcript": UNREADABLE}, "internal_error", 500),
        ({"transcript": "a" * 20_001}, "text_too_long", 400),
    ],
)
def test_a_bad_request_is_an_error_of_its_context(changed: dict[str, Any], code: str, status: int) -> None:
    """Not `done`, since LiveKit would take it for a good end; the next context on the socket is spoken."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            await client.send("a", TEXT, more=False, **changed)
            error = await client.until("error")
            assert (error["error_code"], error["status_code"]) == (code, status)
            assert (error["context_id"], error["done"]) == ("a", False)
            assert error["title"] and error["message"] and error["request_id"]
            await client.send("a", TEXT, more=False)
            await client.until("done")
            assert len(client.heard["a"].sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_the_rest_of_a_failed_context_is_not_spoken() -> None:
    """Each further sentence is answered with an error, up to the end of its text."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            await client.send("a", TEXT, voice="nobody")
            assert (await client.next())["error_code"] == "voice_not_found"
            await client.send("a", TEXT)
            assert (await client.next())["error_code"] == "unknown_context"
            await client.send("a", "", more=False)
            await client.send("a", TEXT, more=False)
            await client.until("done")
            assert len(client.heard["a"].sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_what_is_no_message_is_an_error() -> None:
    """Of the context that it names, which then ends; else of none."""

    async def scenario() -> None:
        engine = slow()
        async with served(engine) as server, cartesia_client(server) as client:
            await client.ws.send_str("no JSON")
            error = await client.next()
            assert (error["type"], error["context_id"], error["error_code"]) == ("error", None, "bad_message")
            await client.send("a", LONG)
            await client.until("chunk")
            await client.send("a", LONG, voice=7)
            assert (await client.until("error"))["context_id"] == "a"
            await eventually(lambda: not engine.live)

    asyncio.run(scenario())


def test_contexts_without_letters_are_forgotten() -> None:
    """When there are very many: they would fill the memory."""

    async def scenario() -> None:
        async with served() as server, cartesia_client(server) as client:
            for number in range(101):
                await client.send(f"c{number}", " ")
            await client.cancel("c0")
            await client.cancel("c1")
            assert (await client.next())["context_id"] == "c1"

    asyncio.run(scenario())


def test_an_overload_is_an_error_at_once() -> None:
    """LiveKit and pipecat would wait for seconds for what does not come."""

    async def scenario() -> None:
        async with served(slow(), max_streams=1) as server, cartesia_client(server) as client:
            await client.send("a", LONG)
            await client.until("chunk")
            await client.send("b", TEXT, more=False)
            error = await client.until("error")
            assert (error["error_code"], error["status_code"], error["context_id"]) == ("concurrency_limited", 429, "b")

    asyncio.run(scenario())


def test_keys() -> None:
    """In a header or in the query; a wrong one is refused in the handshake."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            ways: list[tuple[str, dict[str, str]]] = [
                ("", {"X-API-Key": "right"}),
                ("", {"Authorization": "Bearer right"}),
                ("?api_key=right&cartesia_version=2025-04-16", {}),
                ("?access_token=right", {}),
            ]
            for query, headers in ways:
                async with cartesia_client(server, query, headers=headers) as client:
                    await client.send("a", TEXT, more=False)
                    await client.until("done")
            with pytest.raises(Exception, match="401"):
                async with cartesia_client(server, headers={"X-API-Key": "wrong"}):
                    pass

    asyncio.run(scenario())
