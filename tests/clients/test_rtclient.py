"""The Python client against the real application, with the engine that speaks tones."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import numpy as np
import pytest

from rtclient import Audio, ClientError, ConnectionLost, ServerError, Session, connect
from rtclient.session import websocket_url
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.serving import Served, eventually, served

TEXT = "one two three four five."


async def listen(speech: AsyncIterator[Audio]) -> list[Audio]:
    return [audio async for audio in speech]


def sound(frames: list[Audio]) -> bytes:
    """Frames in order, none missing."""
    assert [f.seq for f in frames] == list(range(len(frames)))
    samples = 0
    for frame in frames:
        assert frame.start_ms == samples * 1000 // 24000
        samples += len(frame.pcm) // 2
    return b"".join(f.pcm for f in frames)


async def words(text: str = TEXT, gap_s: float = 0.0) -> AsyncIterator[str]:
    for word in text.split(" "):
        yield f"{word} "
        await asyncio.sleep(gap_s)


def test_a_text_is_spoken_however_it_comes_and_in_both_encodings() -> None:
    """A whole text, words as they come, a plain list, and one's own sending give the same sound; the end tells
    lengths and times; words have theirs."""

    async def run() -> None:
        async with served() as server:
            sounds = set()
            for encoding in ("msgpack", "json"):
                async with connect(server.url, encoding=encoding) as session:
                    assert session.info.sample_rate == 24000 and session.info.model == "nano"
                    whole = session.speak(TEXT, seed=7)
                    sounds.add(sound(await listen(aiter(whole))))
                    assert whole.started is not None and whole.started.seed == 7
                    assert whole.done is not None and whole.done.usage["characters"] == len(TEXT)
                    assert "ttfa_from_text" in whole.done.timings
                    assert [m.text for m in whole.marks] == TEXT.split()
                    sounds.add(sound(await listen(aiter(session.speak(words(), seed=7)))))
                    sounds.add(sound(await listen(aiter(session.speak(list("one two three four five. "), seed=7)))))
                    own = session.speak(seed=7)
                    for word in TEXT.split():
                        await own.send(word + " ")
                    await own.end()
                    sounds.add(sound(await listen(aiter(own))))
                    await session.ping()
                    assert not session.errors
            assert len(sounds) == 1 and len(sounds.pop()) > 24000

    asyncio.run(run())


def test_speeches_run_side_by_side() -> None:
    """Two contexts of one session speak at once, each its own."""

    async def run() -> None:
        async with served() as server, connect(server.url) as session:
            first, second = session.speak(words(gap_s=0.01), seed=1), session.speak("other words.", seed=2)
            frames = await asyncio.gather(listen(aiter(first)), listen(aiter(second)))
            assert len(sound(frames[0])) > len(sound(frames[1])) > 0

    asyncio.run(run())


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_flush_returns_when_its_sound_has_come(encoding: str) -> None:
    """flush waits for the audio of the text before it."""

    async def run() -> None:
        async with served() as server, connect(server.url, encoding=encoding) as session:  # type: ignore[arg-type]
            speech = session.speak()
            await speech.send("one two ")
            flushed = await speech.flush("now")
            assert flushed.id == "now" and flushed.audio_ms > 0
            with pytest.raises(ClientError, match="said before"):
                await speech.flush("now")
            await speech.end()
            frames = await listen(aiter(speech))
            assert len(sound(frames)) // 48 == flushed.audio_ms

    asyncio.run(run())


def slow() -> FakeEngine:
    return FakeEngine(FakeOptions(realtime_factor=0.5))


def test_cancel_ends_the_sound_and_tells_what_was_heard() -> None:
    """After cancel nothing comes, and the answer says what the listener had heard by its own report."""

    async def run() -> None:
        engine = slow()
        async with served(engine) as server, connect(server.url) as session:
            speech = session.speak(words("word " * 200))
            frames = [await anext(aiter(speech)) for _ in range(1)]
            assert frames[0].seq == 0
        async with served(engine := slow()) as server, connect(server.url) as session:
            speech = session.speak(words("word " * 200))
            iterator = aiter(speech)
            for _ in range(4):
                await anext(iterator)
            await speech.played(120)
            cut = await speech.cancel()
            assert cut is not None and cut.heard_from == "reported" and 120 <= cut.heard_ms <= cut.sent_ms
            assert [audio async for audio in iterator] == []
            assert await speech.cancel() is cut
            await speech.played(130)
            await eventually(lambda: engine.live == 0)
            done = session.speak(TEXT)
            await listen(aiter(done))
            assert await done.cancel() is None and done.done is not None

    asyncio.run(run())


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_cancel_with_a_fade(encoding: Literal["msgpack", "json"]) -> None:
    """What came is kept, and ends with one more frame, which falls to silence within the fade."""

    async def run() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.2))
        async with served(engine) as server, connect(server.url, encoding=encoding) as session:
            speech = session.speak(TEXT * 20)
            first = await anext(aiter(speech))
            cut = await speech.cancel(fade_ms=5)
            frames = [first, *await listen(aiter(speech))]
            before, last = frames[:-1], np.frombuffer(frames[-1].pcm, "<i2")
            assert cut is not None and len(sound(frames)) == len(sound(before)) + 240
            assert len(last) == 120 and last[-1] == 0 and abs(last[60:].astype(int)).max() <= 16384
            assert await speech.cancel(fade_ms=5) is cut

    asyncio.run(run())


def test_leaving_early_cancels() -> None:
    """Breaking out of the loop, leaving the block, and leaving the session end the work at the server."""

    async def run() -> None:
        engine = slow()
        async with served(engine) as server:
            async with connect(server.url) as session:
                async for _ in session.speak("word " * 200):
                    break
                await eventually(lambda: engine.live == 0)
                async with session.speak("word " * 200) as speech:
                    await anext(aiter(speech))
                assert speech.cancelled is not None and engine.live == 0
                session.speak("word " * 200)
                await eventually(lambda: engine.live == 1)
            await eventually(lambda: engine.live == 0)

    asyncio.run(run())


def test_what_the_text_raises_reaches_the_listener() -> None:
    """An error in the text's iterator ends the speech, at the server too."""

    async def broken() -> AsyncIterator[str]:
        yield "one two "
        raise ZeroDivisionError("the LLM is gone")

    def broken_too() -> Iterator[str]:
        yield "one two "
        raise ZeroDivisionError("the LLM is gone")

    async def run() -> None:
        engine = slow()
        async with served(engine) as server, connect(server.url) as session:
            for text in (broken(), broken_too()):
                with pytest.raises(ZeroDivisionError, match="the LLM is gone"):
                    await listen(aiter(session.speak(text)))
                await eventually(lambda: engine.live == 0)
            assert sound(await listen(aiter(session.speak(TEXT))))

    asyncio.run(run())


def test_errors_of_the_server_are_raised() -> None:
    """A speech that is refused raises the server's code; the session lives on; a name in use is refused here."""

    async def run() -> None:
        async with served() as server, connect(server.url) as session:
            with pytest.raises(ServerError, match=r"unknown_voice: voice: expected one of .* found 'nobody'") as caught:
                await listen(aiter(session.speak(TEXT, voice="nobody")))
            assert caught.value.code == "unknown_voice" and not caught.value.retryable
            speech = session.speak(context="mine")
            with pytest.raises(ClientError, match="in use"):
                session.speak(TEXT, context="mine")
            await speech.end()
            assert await listen(aiter(speech)) == []  # no text, no sound
            assert sound(await listen(aiter(session.speak(TEXT, context="mine"))))

    asyncio.run(run())


def test_a_lost_connection_is_told_everywhere() -> None:
    """When the server dies, whoever listens, waits or speaks gets ConnectionLost."""

    async def run() -> None:
        async with served(slow()) as server, connect(server.url) as session:
            speech, waiting = session.speak("word " * 200), session.speak()
            await waiting.send("word " * 200)
            flush = asyncio.create_task(waiting.flush())
            iterator = aiter(speech)
            await anext(iterator)
            await kill(server)
            with pytest.raises(ConnectionLost):
                await listen(iterator)
            with pytest.raises(ConnectionLost):
                await flush
            with pytest.raises(ConnectionLost):
                await session.ping()
            with pytest.raises(ConnectionLost):
                await listen(aiter(session.speak(TEXT)))

    asyncio.run(run())


async def kill(server: Served) -> None:
    assert server.runner.server is not None
    for handler in server.runner.server.connections:
        if handler.transport is not None:
            handler.transport.abort()


def test_connecting_says_what_is_wrong() -> None:
    """No server, another kind of server, a wrong key, a full one, a bad address: each is named."""

    async def attempt(url: str, **options: str) -> None:
        async with connect(url, **options):  # type: ignore[arg-type]
            raise AssertionError("connected")

    async def run() -> None:
        async with served(api_keys=["right"], max_sockets=1) as server:
            with pytest.raises(ServerError, match="unauthorized: expected a known key"):
                await attempt(server.url, api_key="wrong")
            with pytest.raises(ServerError, match="not_found"):
                await attempt(server.url + "/elsewhere", api_key="right")
            async with connect(server.url, api_key="right") as session:
                assert isinstance(session, Session)
                with pytest.raises(ServerError, match="overloaded") as caught:
                    await attempt(server.url, api_key="right")
                assert caught.value.retryable and caught.value.retry_after_ms
            server.app.drain()
            with pytest.raises(ServerError, match="shutting_down"):
                await attempt(server.url, api_key="right")
            url = server.url
        with pytest.raises(ConnectionLost, match="no connection"):
            await attempt(url)
        with pytest.raises(ValueError, match="expected an address"):
            await attempt("ftp://host")
        with pytest.raises(ValueError, match="encoding"):
            await attempt(url, encoding="xml")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("127.0.0.1:8790", "ws://127.0.0.1:8790/v1/speech/realtime"),
        ("http://host/", "ws://host/v1/speech/realtime"),
        ("https://host:1", "wss://host:1/v1/speech/realtime"),
        ("wss://host/path?api_key=k", "wss://host/path?api_key=k"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    """Any usual way to write the address will do."""
    assert websocket_url(url) == expected


def test_a_lexicon_goes_with_the_start() -> None:
    """As it was given: a wrong entry is refused with its number."""

    async def run() -> None:
        async with served() as server, connect(server.url) as session:
            right = {"word": "one", "say": "two"}
            assert await listen(aiter(session.speak(TEXT, lexicon=[right])))
            with pytest.raises(ServerError, match=r"lexicon\[1\]: expected one of say, cmu, pinyin"):
                await listen(aiter(session.speak(TEXT, lexicon=[right, {"word": "three"}])))

    asyncio.run(run())
