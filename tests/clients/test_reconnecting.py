"""A connection of the Python client that comes back."""

import asyncio

import pytest

from rtclient import ConnectionLost, Reconnecting, ServerError, Words
from tests.rtserver.serving import eventually, served


def test_one_session_serves_all() -> None:
    """It is opened once, also when two ask at the same time, and closed with `close`."""

    async def run() -> None:
        async with served() as server:
            connection = Reconnecting(server.url)
            first, second = await asyncio.gather(connection.session(), connection.session())
            assert first is second and len(server.app.connections) == 1
            await connection.close()
            assert first.lost is not None
            await eventually(lambda: not server.app.connections)
            assert (await connection.session()) is not first
            await connection.close()

    asyncio.run(run())


def test_a_lost_session_is_replaced() -> None:
    """By one with the server that has come back; as long as there is none, the connection is lost."""

    async def run() -> None:
        async with served() as server:
            connection = Reconnecting(server.url, patience_s=0.0)
            first = await connection.session()
        await eventually(lambda: first.lost is not None)
        with pytest.raises(ConnectionLost):
            await connection.session()
        async with served(port=int(server.url.rpartition(":")[2])):
            second = await connection.session()
            assert second is not first and second.lost is None
            await connection.close()

    asyncio.run(run())


def test_a_session_that_is_left_goes_on() -> None:
    """Its speech comes to its end, while new speeches have another session."""

    async def run() -> None:
        async with served() as server:
            connection = Reconnecting(server.url)
            first = await connection.session()
            speech = first.speak()
            connection.leave(first)
            assert (await connection.session()) is not first
            await speech.send("one two")
            await speech.end()
            assert [audio async for audio in speech] and speech.done is not None
            await connection.close()

    asyncio.run(run())


def test_a_refusal_is_told_at_once() -> None:
    """A wrong key does not become right."""

    async def run() -> None:
        async with served(api_keys=["right"]) as server:
            with pytest.raises(ServerError, match="unauthorized"):
                await Reconnecting(server.url, api_key="wrong").session()

    asyncio.run(run())


def test_words_are_spaced_as_in_the_text() -> None:
    """Also around tags, and where there are no spaces."""

    async def run() -> None:
        async with served() as server:
            connection = Reconnecting(server.url)
            speech = (await connection.session()).speak(["one tw", "o", "  three\n", "four"])
            words = Words(speech)
            told = []
            async for _ in speech:
                told += words.take()
            told += words.take()
            assert [word for word, _ in told] == ["one", " two", " three", " four"]
            assert [mark.start_ms for _, mark in told] == sorted(mark.start_ms for mark in speech.marks)
            await connection.close()

    asyncio.run(run())
