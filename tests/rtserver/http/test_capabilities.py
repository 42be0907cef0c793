"""The document of what a server can do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtserver.application import DIALECTS
from rtserver.audio import libopus
from rtserver.audio.formats import FORMATS
from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import Served, served


async def capabilities(server: Served) -> dict[str, Any]:
    answer = await ask(f"{server.url}/v1/capabilities", "GET")
    assert answer.status == 200
    return answer.json


def test_what_it_names_is_what_the_server_does() -> None:
    """Each voice, mode and format that it lists is spoken, with the limits that it tells."""

    async def scenario() -> None:
        async with served(text_chars=500) as server:
            told = await capabilities(server)
            assert (told["model"], told["sample_rate"], told["limits"]["text_chars"]) == ("nano", 24000, 500)
            assert told["speed"] == {"min": 0.5, "max": 2.0} and "<break>" in told["markup"]
            assert told["modes"] == ["sft", "zero_shot", "cross_lingual", "instruct", "vc"]
            assert [voice["name"] for voice in told["voices"]] == ["中文女", "中文男", "英文女", "英文男"]
            assert [one["name"] for one in told["formats"]] == list(FORMATS)
            for one in told["formats"]:
                for rate in one["sample_rates"] or (one["min_sample_rate"], 12345, one["max_sample_rate"]):
                    if one["name"] != "opus":  # bare packets are for sockets
                        body = {"text": TEXT, "format": one["name"], "sample_rate": rate}
                        answer = await ask(f"{server.url}/v1/tts/stream", json=body)
                        assert (answer.status, answer.headers["Content-Type"]) == (200, one["media_type"])

    asyncio.run(scenario())


def test_every_dialect_is_listed_with_its_paths() -> None:
    """By name; a path of it is no unknown one."""

    async def scenario() -> None:
        async with served() as server:
            dialects = {one["name"]: one["paths"] for one in (await capabilities(server))["dialects"]}
            assert list(dialects) == list(DIALECTS)
            assert "POST /v1/audio/speech" in dialects["openai"] and "POST /v1/tts" in dialects["tts_v1"]
            for method, path in (path.split(" ") for paths in dialects.values() for path in paths):
                if "{" not in path:
                    assert (await ask(f"{server.url}{path}", method)).status not in (404, 405), path

    asyncio.run(scenario())


def test_without_libopus_no_opus_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Because it would be refused."""
    monkeypatch.setattr(libopus, "_opuslib", None)
    monkeypatch.setattr(libopus, "_candidates", lambda: iter(()))

    async def scenario() -> None:
        async with served() as server:
            names = {one["name"] for one in (await capabilities(server))["formats"]}
            assert names == set(FORMATS) - {"opus", "ogg_opus"}

    asyncio.run(scenario())


def test_it_needs_a_key_and_an_engine() -> None:
    """As the lists of voices do."""

    async def scenario() -> None:
        async with served(started=False) as server:
            assert (await ask(f"{server.url}/v1/capabilities", "GET")).refused == (503, "engine_lost")
        async with served(api_keys=["right"]) as server:
            assert (await ask(f"{server.url}/v1/capabilities", "GET")).refused == (401, "unauthorized")

    asyncio.run(scenario())
