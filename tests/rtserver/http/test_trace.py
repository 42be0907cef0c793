"""`GET /v1/trace/ID`, and the command that asks it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtclient import ClientError
from rtserver.commands.trace import TraceOptions, trace
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.rtserver.http.http_client import TEXT, Answer, ask
from tests.rtserver.serving import Served, served

KEY = "a-key"


async def streamed(server: Served, **options: Any) -> str:
    """The id of an utterance that was heard while it was made."""
    answer = await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT}, **options)
    assert answer.status == 200
    return answer.headers["X-Utterance-Id"]


async def traced(server: Served, utterance: str, **options: Any) -> Answer:
    return await ask(f"{server.url}/v1/trace/{utterance}", "GET", **options)


def test_an_utterance_is_traced_from_its_text_to_its_listener() -> None:
    """What the front noted and what the engine did, by the time that it took."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.1))) as server:
            utterance = await streamed(server)
            found = (await traced(server, utterance)).json
            assert found["utterance"] == utterance and found["gaps"] == [] and found["silent_parts"] == []
            stages = {(span["part"], span["stage"]) for span in found["spans"]}
            assert {("front", "text"), ("front", "sound"), ("front", "sent"), ("engine", "vocoder")} <= stages
            sent = [span["reached"] for span in found["spans"] if span["stage"] == "sent"]
            assert sent == sorted(sent) and sent[-1] == pytest.approx(0.9)
            starts_s = [span["start_s"] for span in found["spans"]]
            assert starts_s == sorted(starts_s) and found["spans"][0]["start_s"] < 1.0

    asyncio.run(scenario())


def test_an_unknown_utterance_is_not_found() -> None:
    """The answer says how far the server remembers."""

    async def scenario() -> None:
        async with served() as server:
            answer = await traced(server, "u_nobody")
            assert answer.status == 404 and answer.json["error"]["code"] == "not_found"
            assert "expected the id of an utterance of the last 0 s" in answer.json["error"]["message"]

    asyncio.run(scenario())


def test_a_trace_is_for_those_whose_key_has_the_scope() -> None:
    """Where there are keys. A client's key has it not."""

    async def scenario() -> None:
        async with served(api_keys=["client", f"{KEY} speak,trace"]) as server:
            headers = {"X-API-Key": KEY}
            utterance = await streamed(server, headers=headers)
            assert (await traced(server, utterance)).status == 401
            assert (await traced(server, utterance, headers={"X-API-Key": "client"})).status == 401
            assert (await traced(server, utterance, headers=headers)).status == 200

    asyncio.run(scenario())


def test_a_whole_file_has_no_listener_who_runs_dry() -> None:
    """Nobody hears it while it is made, however slowly that is; a stream's listener does."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=1.5))) as server:
            gaps = []
            for path in ("/v1/tts", "/v1/tts/stream"):
                answer = await ask(f"{server.url}{path}", json={"text": TEXT})
                found = (await traced(server, answer.headers["X-Utterance-Id"])).json
                gaps.append([gap["stage"] for gap in found["gaps"]])
            assert gaps == [[], ["flow"]]

    asyncio.run(scenario())


def test_the_command_draws_what_the_server_tells(capsys: pytest.CaptureFixture[str]) -> None:
    """As a timeline, or as the server's own JSON; an unknown id is an error in words."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions(realtime_factor=0.1)), api_keys=[f"{KEY} speak,trace"]) as server:
            utterance = await streamed(server, headers={"X-API-Key": KEY})
            options = TraceOptions(utterance, server.url, KEY)
            assert await trace(options) == 0
            assert capsys.readouterr().out.startswith(f"{utterance}: ")
            assert await trace(TraceOptions(utterance, server.url + "/", KEY, json=True)) == 0
            assert capsys.readouterr().out.startswith(f'{{"utterance":"{utterance}"')
            with pytest.raises(ClientError, match="expected the id of an utterance of the last"):
                await trace(TraceOptions("u_nobody", server.url, KEY))
            with pytest.raises(ClientError, match="expected a known key"):
                await trace(TraceOptions(utterance, server.url))

    asyncio.run(scenario())
