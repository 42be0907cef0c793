"""Whole answers: sent in pieces, bounded, counted in the caller's account, and given up for a client that does not
read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping

import pytest

from rtserver.audio.threads import in_frame_thread
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.http.streamed import StreamedAnswer
from rtserver.wire.tts_v1 import answers
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask, file_of, pcm_of, spoken
from tests.rtserver.http.test_hang_ups import post
from tests.rtserver.serving import eventually, served

LONG = "word " * 400  # 96 s, 4.6 MB of sound


@pytest.mark.parametrize("piece_bytes", [3, 300, 3 << 16])
def test_pieces_make_one_file(monkeypatch: pytest.MonkeyPatch, piece_bytes: int) -> None:
    """Of whatever size they are, and the length of the answer is told before."""
    monkeypatch.setattr(answers, "_PIECE_BYTES", piece_bytes)
    sizes: list[int] = []
    write = StreamedAnswer.write

    async def noted(answer: StreamedAnswer, data: bytes, headers: Mapping[str, str]) -> None:
        sizes.append(len(data))
        await write(answer, data, headers)

    monkeypatch.setattr(StreamedAnswer, "write", noted)

    async def scenario() -> None:
        async with served(NotingEngine()) as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": "a b", "seed": 1, "format": "wav"})
            assert int(answer.headers["Content-Length"]) == len(answer.body)
            assert sum(sizes) == len(answer.body) and max(sizes) < 2 * piece_bytes + 1000  # one waits for the next
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            whole = await ask(f"{server.url}/v1/tts/stream", json={"text": "a b", "seed": 1})
            assert pcm_of(file_of(answer.json)) == whole.body

    asyncio.run(scenario())


def test_an_answer_that_is_too_long_is_refused() -> None:
    """It says how to get the sound all the same; its work ends. A stream has no bound."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine, answer_bytes=1_000_000) as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": LONG})
            assert answer.refused == (400, "text_too_long")
            assert "at most 1000000 bytes of sound" in answer.json["error"]["message"]
            await eventually(lambda: engine.live == 0 and not +server.app.accounts.held)
            stream = await ask(f"{server.url}/v1/tts/stream", json={"text": LONG, "class": "batch"})
            assert len(stream.body) > 4_000_000

    asyncio.run(scenario())


def test_answers_that_wait_count_in_the_account() -> None:
    """Where all output together would be too much, the answer is `overloaded`."""

    async def scenario() -> None:
        async with served(NotingEngine(), max_output_bytes=2_000_000) as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": LONG})
            assert answer.refused == (429, "overloaded")
            assert "bytes of sound" in answer.json["error"]["message"]
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_given_up() -> None:
    """After `slow_reader_s`; the answer and all that it held are gone."""

    async def scenario() -> None:
        async with served(NotingEngine(), slow_reader_s=0.2) as server:
            reader, writer = await asyncio.open_connection(*server.runner.addresses[0], limit=1 << 12)
            writer.write(post("/v1/tts", text="word " * 3900))
            await reader.readexactly(100)
            assert server.app.accounts.held["output_bytes"] > 0
            await eventually(lambda: not +server.app.accounts.held)
            writer.transport.abort()

    asyncio.run(scenario())


def test_work_stops_where_output_is_too_much() -> None:
    """The stream of a caller that has too much sound that waits is held, not ended."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0))
        async with served(engine, max_output_bytes=100_000) as server:
            stream = await ask(f"{server.url}/v1/tts/stream", json={"text": LONG, "class": "batch"})
            assert len(stream.body) > 4_000_000
            await eventually(lambda: not +server.app.accounts.held)

    asyncio.run(scenario())


def test_frames_wait_for_no_file() -> None:
    """All threads of the event loop are busy with files: a frame is encoded at once."""

    async def scenario() -> None:
        done = threading.Event()
        files = [asyncio.ensure_future(asyncio.to_thread(done.wait)) for _ in range(64)]
        try:
            async with asyncio.timeout(5):
                assert await in_frame_thread(lambda: threading.current_thread().name.startswith("frames"))
        finally:
            done.set()
            await asyncio.gather(*files)

    asyncio.run(scenario())
