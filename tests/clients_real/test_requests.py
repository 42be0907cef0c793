"""`requests`, as the client of CosyVoice's original runtime uses it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import requests

from tests.clients_real.tones import KEY, TURN_BYTES, full, tones
from tests.rtserver.http.http_client import TEXT
from tests.rtserver.serving import eventually, served_again

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

LONG = " ".join(["abcdefgh"] * 100)


def infer(session: requests.Session, url: str, text: str = TEXT, voice: str = "default", **options: Any) -> Any:
    """A text with GET, whose body has the form."""
    form = {"tts_text": text, "spk_id": voice}
    return session.request("GET", f"{url}/inference_sft", data=form, stream=True, timeout=20, **options)


def with_key(key: str = KEY) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key}"
    return session


def turn(session: requests.Session, url: str) -> int:
    """The bytes of a text."""
    with infer(session, url) as answer:
        assert answer.status_code == 200
        return sum(map(len, answer.iter_content(16000)))


def test_it_speaks() -> None:
    """Two texts on one connection."""

    def talk(url: str) -> list[int]:
        with with_key() as session:
            return [turn(session, url), turn(session, url)]

    async def scenario() -> None:
        async with tones() as server:
            assert await asyncio.to_thread(talk, server.url) == [TURN_BYTES] * 2

    asyncio.run(scenario())


def test_it_interrupts() -> None:
    """It leaves an answer: the work ends, and the next text has the only place."""

    def leave(session: requests.Session, url: str) -> None:
        with infer(session, url, LONG) as answer:
            next(answer.iter_content(1000))

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            with with_key() as session:
                await asyncio.to_thread(leave, session, server.url)
                await eventually(lambda: not server.engine.live)
                assert await asyncio.to_thread(turn, session, server.url) == TURN_BYTES

    asyncio.run(scenario())


def test_it_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its status and reason."""

    def refused(url: str, key: str = KEY, voice: str = "default") -> tuple[int, str]:
        with with_key(key) as session, infer(session, url, voice=voice) as answer:
            return answer.status_code, answer.json()["detail"]

    async def scenario() -> None:
        async with tones() as server:
            status, reason = await asyncio.to_thread(refused, server.url, voice="nobody")
            assert status == 404 and "found 'nobody'" in reason
            status, reason = await asyncio.to_thread(refused, server.url, key="wrong")
            assert status == 401 and "expected a known key" in reason
        async with full() as server:
            status, reason = await asyncio.to_thread(refused, server.url)
            assert status == 429 and "all are open" in reason

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The session, whose connection is one of the old server, speaks again."""

    async def scenario() -> None:
        with with_key() as session:
            async with tones() as server:
                turns = [await asyncio.to_thread(turn, session, server.url)]
            async with served_again(server, api_keys=[KEY]):
                turns.append(await asyncio.to_thread(turn, session, server.url))
        assert turns == [TURN_BYTES] * 2

    asyncio.run(scenario())
