"""`GET /v1/utterances`: who is speaking now."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import rtserver.http.utterances as route
from rtclient import connect
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import Served, eventually, served

KEYS = ["client", "operator admin"]


def at_the_pace_of_speech() -> FakeEngine:
    return FakeEngine(FakeOptions(realtime_factor=1.0))


def spoken_s(server: Served) -> float:
    """Of the sound of all open utterances, what was sent."""
    return sum(c.playback.sent_s for connection in server.app.connections for c in connection.session.contexts)


async def listed(server: Served, **options: Any) -> dict[str, Any]:
    answer = await ask(f"{server.url}/v1/utterances", "GET", **options)
    assert answer.status == 200
    return answer.json


def test_an_open_utterance_is_listed_without_its_text() -> None:
    """Until it is over. How far it is comes from its sound."""

    async def scenario() -> None:
        async with served(at_the_pace_of_speech()) as server, connect(server.url) as session:
            assert await listed(server) == {"count": 0, "utterances": []}
            speech = session.speak(None, voice="英文男")
            await speech.send(TEXT)
            await eventually(lambda: bool(spoken_s(server)))
            found = await listed(server)
            (one,) = found["utterances"]
            assert speech.started is not None and one["id"] == speech.started.id
            assert (one["voice"], one["mode"], one["class"], one["caller"]) == ("英文男", "sft", "realtime", "")
            assert one["address"] == "127.0.0.1" and one["takes_text"] and one["text_chars"] == len(TEXT)
            assert 0 < one["first_audio_s"] <= one["open_s"] and 0 <= one["heard_s"] <= one["sent_s"]
            assert TEXT not in str(found)
            await speech.cancel()
            assert (await listed(server))["count"] == 0

    asyncio.run(scenario())


def test_a_client_does_not_see_the_others() -> None:
    """Where there are keys, the scope `admin` must be granted."""

    async def scenario() -> None:
        async with served(at_the_pace_of_speech(), api_keys=KEYS) as server:
            for headers in ({}, {"X-API-Key": "client"}):
                assert (await ask(f"{server.url}/v1/utterances", "GET", headers=headers)).status == 401
            async with connect(server.url, api_key="client") as session:
                speech = session.speak(None)
                await eventually(lambda: speech.started is not None)
                found = await listed(server, headers={"X-API-Key": "operator"})
                assert found["count"] == 1 and found["utterances"][0]["caller"]
                assert "client" not in str(found), "a key is never told"

    asyncio.run(scenario())


def test_a_long_list_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest stay, and all are counted."""
    monkeypatch.setattr(route, "MOST_LISTED", 2)

    async def scenario() -> None:
        async with served(at_the_pace_of_speech()) as server, connect(server.url) as session:
            speeches = [session.speak(None) for _ in range(3)]
            await eventually(lambda: all(speech.started is not None for speech in speeches))
            found = await listed(server)
            told = [speech.started.id for speech in speeches if speech.started is not None]
            assert found["count"] == 3 and [one["id"] for one in found["utterances"]] == told[:2]

    asyncio.run(scenario())
