"""A simple client of DashScope's socket: it sends and receives messages and hides nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from tests.rtserver.serving import Served

PCM = {"voice": "longanyang", "format": "pcm", "sample_rate": 24000, "volume": 50, "rate": 1.0, "pitch": 1.0}
PATH = "/api-ws/v1/inference"


class DashScopeClient:
    """One socket. `sound` is all sound so far, `events` are the events before each message, with `sound` for sound."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sound = b""
        self.events: list[str] = []

    async def send(self, action: str, task: str = "t", *, parameters: Any = None, **given: Any) -> None:
        header = {"action": action, "task_id": task, "streaming": "duplex"}
        payload: dict[str, Any] = {"input": given}
        if parameters is not None:
            payload |= {"model": "cosyvoice-v3-flash", "task_group": "audio", "parameters": parameters}
        await self.ws.send_str(json.dumps({"header": header, "payload": payload}))

    async def run(self, task: str = "t", **changed: Any) -> None:
        await self.send("run-task", task, parameters=PCM | {"text_type": "PlainText", "seed": 0, "type": 0} | changed)

    async def say(self, *texts: str, task: str = "t") -> None:
        for text in texts:
            await self.send("continue-task", task, text=text)

    async def next(self) -> dict[str, Any]:
        """The next message. Sound is {"event": "sound"}; the end of the socket is {"event": "closed", "code"}. Of a
        result, `event` is the type of its output."""
        frame = await self.ws.receive(10)
        if frame.type is aiohttp.WSMsgType.BINARY:
            self.sound += frame.data
            told: dict[str, Any] = {"event": "sound"}
        elif frame.type is aiohttp.WSMsgType.TEXT:
            message = json.loads(frame.data)
            told = {**message["header"], **message["payload"]}
            if told["event"] == "result-generated":
                told["event"] = told["output"]["type"]
        else:
            told = {"event": "closed", "code": self.ws.close_code}
        self.events.append(told["event"])
        return told

    async def until(self, event: str) -> dict[str, Any]:
        """Reads up to this event."""
        while (told := await self.next())["event"] != event:
            assert told["event"] != "closed", f"closed with {told['code']} before {event}"
        return told

    async def all(self, event: str, last: str = "task-finished") -> list[dict[str, Any]]:
        """All messages of this event, up to the last one."""
        found = []
        while (told := await self.next())["event"] != last:
            assert told["event"] != "closed", f"closed with {told['code']} before {last}"
            if told["event"] == event:
                found.append(told)
        return [*found, told]


@contextlib.asynccontextmanager
async def dashscope_client(server: Served, path: str = PATH, **options: Any) -> AsyncIterator[DashScopeClient]:
    """Connects."""
    async with aiohttp.ClientSession() as http, http.ws_connect(server.url + path, **options) as ws:
        yield DashScopeClient(ws)
