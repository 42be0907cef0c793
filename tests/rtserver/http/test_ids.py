"""The id of an utterance in HTTP answers: what a client quotes when something was wrong."""

from __future__ import annotations

import asyncio
import json

import pytest

from rtserver.engine.api import OnEvent
from rtserver.engine.fake import FakeEngine, FakeUtterance
from rtserver.ipc.engine import Open
from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import served


class NotingEngine(FakeEngine):
    """Notes the ids of what it is asked to speak."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def open(self, request: Open, on_event: OnEvent) -> FakeUtterance:
        self.ids.append(request.utterance)
        return super().open(request, on_event)


@pytest.mark.parametrize("path", ["/v1/tts", "/v1/tts/stream"])
def test_the_answer_names_the_utterance(path: str) -> None:
    """In a header, of JSON and of sound alike; the engine's processes know the utterance by the same id."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            answers = [await ask(f"{server.url}{path}", json={"text": TEXT}) for _ in range(2)]
            assert [answer.headers["X-Utterance-Id"] for answer in answers] == engine.ids
            assert len(set(engine.ids)) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/tts", {"text": TEXT, "voice_id": "nobody"}),  # the engine's refusal: an utterance was open
        ("POST", "/v1/tts/stream", {"text": TEXT, "mode": "opera"}),
        ("POST", "/v1/tts", {"colour": "red"}),
        ("GET", "/v1/nothing", None),
        ("GET", "/v1/tts", None),
        ("GET", "/v1/realtime", None),
    ],
)
def test_every_error_has_an_id(method: str, path: str, body: object) -> None:
    """In the body and in the header, the same in both and another one each time."""

    async def scenario() -> None:
        async with served() as server:
            ids = []
            for _ in range(2):
                answer = await ask(f"{server.url}{path}", method, json=body)
                ids.append(json.loads(answer.body)["error"]["id"])
                assert answer.headers["X-Utterance-Id"] == ids[-1]
            assert len(set(ids)) == 2 and all(name.startswith("u_") for name in ids)

    asyncio.run(scenario())


def test_an_engine_s_refusal_names_the_utterance_that_it_refused() -> None:
    """An error of an open utterance has no id of its own."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT, "voice_id": "nobody"})
            assert answer.status == 404 and [answer.headers["X-Utterance-Id"]] == engine.ids

    asyncio.run(scenario())
