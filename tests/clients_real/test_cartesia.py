"""Cartesia's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.clients_real.environment import run_program
from tests.clients_real.tones import TURN_BYTES, told_over_a_restart, tones
from tests.rtserver.serving import Served, eventually

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"


async def told(server: Served, case: str, key: str = "right", voice: str = VOICE) -> Any:
    """What the program tells of a case."""
    return (await run_program("cartesia", "cartesia_sdk", server.url, case, key, voice)).told


def test_cartesias_client_speaks() -> None:
    """Word by word with word times, two turns on a socket, over HTTP and in events; and lists the voices."""

    async def scenario() -> None:
        async with tones() as server:
            answer = await told(server, "speaks")
            assert [one["bytes"] for one in answer] == [TURN_BYTES] * 4
            assert answer[0]["words"] == answer[1]["words"] == ["one", "two", "three", "four"]
            assert answer[0]["kinds"].count("done") == 1
            voices = await told(server, "voices")
            assert voices == {"ids": ["中文女", "中文男", "英文女", "英文男"], "first": "中文女"}

    asyncio.run(scenario())


def test_cartesias_client_interrupts() -> None:
    """One context of a socket: work ends, and the other context is whole."""

    async def scenario() -> None:
        async with tones() as server:
            assert (await told(server, "interrupts"))["bytes"] == TURN_BYTES
            await eventually(lambda: not server.app.connections)

    asyncio.run(scenario())


def test_cartesias_client_is_refused() -> None:
    """An unknown voice, a bad key, no place: each with its reason."""

    async def scenario() -> None:
        async with tones(max_streams=1) as server:
            code, status, _ = (await told(server, "fails", voice="nobody"))["error"]
            assert (code, status) == ("voice_not_found", 404)
            assert (await told(server, "fails", key="wrong"))["status"] == 401
            assert (await told(server, "http", voice="nobody"))["status"] == 404
            assert (await told(server, "http", key="wrong"))["status"] == 401
            code, status, _ = (await told(server, "overload"))["error"]
            assert (code, status) == ("concurrency_limited", 429)

    asyncio.run(scenario())


def test_a_restart_of_the_server() -> None:
    """The client that was connected speaks again, with no new set-up."""
    answer = asyncio.run(told_over_a_restart("cartesia", lambda server: told(server, "restarts")))
    assert [one["bytes"] for one in answer] == [TURN_BYTES] * 2
