"""The client without async, against the real application."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from rtclient import ConnectionLost, ServerError
from rtclient.sync import connect
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.serving import eventually, served

T = TypeVar("T")
TEXT = "one two three four five."


def with_server(client: Callable[[str], T], engine: FakeEngine | None = None) -> T:
    """Runs blocking client code beside a server; all of the server's work must end with it."""

    async def run() -> T:
        async with served(engine) as server:
            result = await asyncio.to_thread(client, server.url)
            await eventually(lambda: server.engine.live == 0)
            return result

    return asyncio.run(run())


def test_text_in_any_form_gives_the_same_sound() -> None:
    """A whole text, a generator, and one's own sending; the end tells lengths, the words their times."""

    def client(url: str) -> None:
        with connect(url) as session:
            assert session.info.sample_rate == 24000
            whole = session.speak(TEXT, seed=7)
            expected = b"".join(audio.pcm for audio in whole)
            assert whole.done is not None and whole.done.audio_ms == len(expected) // 48
            assert [mark.text for mark in whole.marks] == TEXT.split()
            assert b"".join(a.pcm for a in session.speak((f"{w} " for w in TEXT.split()), seed=7)) == expected
            own = session.speak(seed=7)
            own.send("one two ")
            own.send("three four five.")
            own.end()
            assert b"".join(audio.pcm for audio in own) == expected
            session.ping()

    with_server(client)


def test_a_slow_writer_does_not_block_the_sound() -> None:
    """While the text's iterator blocks, what was written is heard."""
    heard = threading.Event()

    def client(url: str) -> bool:
        def words() -> Iterator[str]:
            yield "one two three "
            assert heard.wait(10)
            yield "four."

        with connect(url) as session:
            for _ in session.speak(words()):
                heard.set()
        return heard.is_set()

    assert with_server(client)


def test_leaving_early_cancels() -> None:
    """Behind a loop that was left nothing is spoken any more; cancel tells what was heard."""

    def client(url: str) -> None:
        with connect(url) as session:
            left = session.speak("word " * 500, max_lead_s=1.0)
            for _ in left:
                break
            assert left.cancelled is not None and left.done is None
            stopped = session.speak("word " * 500, max_lead_s=1.0)
            next(iter(stopped))
            assert stopped.cancel() == stopped.cancelled

    with_server(client, FakeEngine(FakeOptions(realtime_factor=0.5)))


def test_errors_are_raised_where_one_waits() -> None:
    """An unknown voice in the loop; no server in connect."""

    def client(url: str) -> None:
        with connect(url) as session, pytest.raises(ServerError, match="unknown_voice"):
            list(session.speak("hi", voice="nobody"))

    with_server(client)
    with pytest.raises(ConnectionLost, match="no connection"), connect("ws://127.0.0.1:1"):
        pass
