"""Names that clients choose and that come back: no dialect takes one of any length, or one that cannot be printed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from tests.rtserver.serving import served

LONG = "x" * 50_000
# What is said of a name in an answer, and all around it.
LONGEST_ANSWER = 2000


def task(action: str, **payload: Any) -> dict[str, Any]:
    parameters = {"task_group": "audio", "task": "tts", "function": "SpeechSynthesizer", "model": "m"}
    header = {"action": action, "task_id": LONG, "streaming": "duplex"}
    return {"header": header, "payload": parameters | {"parameters": {}, "input": {}} | payload}


@pytest.mark.parametrize(("text", "name"), [("", LONG), ("one two ", LONG), ("one two ", "a\nb")])
@pytest.mark.parametrize(
    ("path", "messages"),
    [
        ("/v1/speech/realtime", lambda text: [{"type": "start", "context": LONG, "text": text}]),
        ("/v1/speech/realtime", lambda text: [{"type": "ping", "id": LONG}]),
        ("/v1/speech/realtime", lambda text: [{"type": "start"}, {"type": "flush", "id": LONG}]),
        ("/tts/websocket", lambda text: [{"context_id": LONG, "transcript": text}]),
        ("/tts/websocket", lambda text: [{"context_id": LONG, "transcript": text, "continue": True}]),
        ("/tts/websocket", lambda text: [{"context_id": LONG, "cancel": True}]),
        ("/tts/websocket", lambda text: [{"context_id": LONG, "transcript": 5}]),
        ("/v1/text-to-speech/default/multi-stream-input", lambda text: [{"context_id": LONG, "text": text or " "}]),
        ("/api-ws/v1/inference", lambda text: [task("run-task"), task("continue-task", input={"text": text})]),
        ("/api-ws/v1/inference", lambda text: [task("finish-task")]),
    ],
)
def test_a_bad_name_is_refused(path: str, messages: Callable[[str], list[Any]], text: str, name: str) -> None:
    """Also where nothing is spoken. A long one does not come back."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(server.url + path) as ws,
        ):
            for message in messages(text):
                await ws.send_str(json.dumps(message).replace(LONG, json.dumps(name)[1:-1]))
            answers = [""]
            while '"error' not in answers[-1]:
                answers.append(str((await ws.receive(10)).data))
            assert max(map(len, answers)) < LONGEST_ANSWER

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/tts", {"type": "session.create", "voice": LONG}),
        ("/tts", {"type": "input_transcript", "transcript": "one", "generation_config": {"voice": LONG}}),
        ("/v1/audio/speech/stream", {"type": "session.config", "instructions": LONG}),
        ("/v1/audio/speech/stream", {"type": "session.config", "ref_text": LONG}),
        ("/v1/audio/speech/stream", {"type": "session.config", "language": LONG}),
        ("/api-ws/v1/realtime", {"type": "session.update", "session": {"instructions": LONG}}),
        ("/api-ws/v1/realtime", {"type": "session.update", "session": {"voice": LONG}}),
    ],
)
def test_no_socket_keeps_a_long_setting(path: str, message: dict[str, Any]) -> None:
    """It is refused when it comes, not when something is spoken with it."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(server.url + path) as ws,
        ):
            await ws.send_json(message)
            while (answer := await ws.receive_json(timeout=10))["type"] != "error":
                assert answer["type"] == "session.created"
            assert len(str(answer)) < LONGEST_ANSWER

    asyncio.run(scenario())
