"""DashScope's realtime socket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import Served, eventually, served

LONG = "abcdefgh " * 100


class RealtimeClient:
    """One socket. `sound` is all sound so far, `kinds` the types of all messages but that of sound."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sound = b""
        self.kinds: list[str] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.ws.send_json({"event_id": "event_1", "type": kind, **fields})

    async def append(self, *texts: str) -> None:
        for text in texts:
            await self.send("input_text_buffer.append", text=text)

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self.ws.receive_json(timeout=10)
            if message["type"] == "response.audio.delta":
                self.sound += base64.b64decode(message["delta"])
            else:
                self.kinds.append(message["type"])
            if message["type"] == kind:
                return message


@contextlib.asynccontextmanager
async def realtime_client(server: Served, **session: Any) -> AsyncIterator[RealtimeClient]:
    """After its first update of the session."""
    url = f"{server.url}/api-ws/v1/realtime?model=qwen3-tts-flash-realtime"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as ws:
        client = RealtimeClient(ws)
        assert (await client.until("session.created"))["session"]["id"]
        usual = {"voice": "Cherry", "mode": "server_commit", "response_format": "pcm", "sample_rate": 24000}
        await client.send("session.update", session=usual | session)
        assert (await client.until("session.updated"))["session"]["mode"] == session.get("mode", "server_commit")
        client.kinds.clear()
        yield client


async def speaks_to_the_end(client: RealtimeClient) -> None:
    """The socket speaks a text, and says when it is over."""
    await client.append(TEXT)
    await client.send("session.finish")
    await client.until("session.finished")
    assert len(client.sound) == 2 * SAMPLES


def test_text_is_spoken_as_it_comes() -> None:
    """The response begins before the text is complete; after `session.finish` the socket closes."""

    async def scenario() -> None:
        async with served() as server, realtime_client(server) as client:
            await client.append("one ", "two ")
            response = (await client.until("response.created"))["response"]
            await client.append("three ", "four")
            await client.send("session.finish")
            done = (await client.until("response.done"))["response"]
            assert (done["id"], done["status"], done["usage"]) == (
                response["id"],
                "completed",
                {"characters": len(TEXT)},
            )
            assert len(client.sound) == 2 * SAMPLES
            await client.until("session.finished")
            assert (await client.ws.receive(10)).type is aiohttp.WSMsgType.CLOSE
            expected = ["response.created", "response.output_item.added", "response.audio.done", "response.done"]
            assert client.kinds == [*expected, "session.finished"]

    asyncio.run(scenario())


def test_texts_are_committed() -> None:
    """In the mode `commit` each text is a response, and none begins before. What is cleared is not spoken."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, realtime_client(server, mode="commit") as client:
            await client.append(TEXT)
            await client.send("input_text_buffer.clear")
            await client.until("input_text_buffer.cleared")
            for _ in range(2):
                await client.append("one two ", "three four")
                await client.send("input_text_buffer.commit")
            await client.until("response.done")
            await client.until("response.done")
            assert len(client.sound) == 4 * SAMPLES and len(engine.requests) == 2
            assert client.kinds.count("input_text_buffer.committed") == 2

    asyncio.run(scenario())


def test_a_response_is_cancelled() -> None:
    """Work ends, no sound of it follows, and the next text is whole."""

    async def scenario() -> None:
        async with served() as server, realtime_client(server) as client:
            await client.append(LONG)
            await client.until("response.created")
            await client.send("response.cancel")
            assert (await client.until("response.done"))["response"]["status"] == "cancelled"
            await eventually(lambda: not server.engine.live)
            client.sound = b""
            await client.append(TEXT)
            await client.send("input_text_buffer.commit")
            assert (await client.until("response.done"))["response"]["status"] == "completed"
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("session", "message"),
    [({"voice": "nobody"}, "expected a voice"), ({"response_format": "amr"}, "format: expected one of")],
)
def test_a_session_that_cannot_be(session: dict[str, Any], message: str) -> None:
    """It is an error, the old one holds, and the socket lives on."""

    async def scenario() -> None:
        async with served() as server, realtime_client(server) as client:
            await client.send("session.update", session=session)
            error = (await client.until("error"))["error"]
            assert message in error["message"] and error["code"] == "InvalidParameter"
            await speaks_to_the_end(client)

    asyncio.run(scenario())


def test_what_cannot_be_read_and_too_much_text() -> None:
    """Each is an error of the socket, which lives on."""

    async def scenario() -> None:
        async with served() as server, realtime_client(server, mode="commit") as client:
            await client.send("response.create")
            assert "expected session.update" in (await client.until("error"))["error"]["message"]
            for _ in range(6):
                await client.append(20_000 * "a")
            assert "expected at most 100000 characters" in (await client.until("error"))["error"]["message"]
            await client.send("input_text_buffer.clear")
            await speaks_to_the_end(client)

    asyncio.run(scenario())


def test_keys_and_an_overload() -> None:
    """A bad key is refused with DashScope's body; without a place a text is an error."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server, aiohttp.ClientSession() as http:
            headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
            headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": "Bearer wrong"}
            async with http.get(f"{server.url}/api-ws/v1/realtime", headers=headers) as answer:
                assert (answer.status, (await answer.json())["code"]) == (401, "InvalidApiKey")
        async with served(max_streams=1) as server, realtime_client(server) as one, realtime_client(server) as other:
            await one.append(LONG)
            await one.until("response.created")
            await other.append(LONG)
            assert (await other.until("error"))["error"]["code"] == "Throttling.RateQuota"

    asyncio.run(scenario())


def test_text_that_has_no_room_to_wait_is_dropped() -> None:
    """All that is not committed is: a text with a hole would be spoken. The next text is whole."""

    async def scenario() -> None:
        async with served(max_text_chars=100) as server, realtime_client(server, mode="commit") as client:
            await client.append("one ", "word " * 20)
            assert "100 characters" in (await client.until("error"))["error"]["message"]
            assert server.app.accounts.held["text_chars"] == 0
            await client.append(TEXT)
            await client.send("input_text_buffer.commit")
            await client.until("response.done")
            assert len(client.sound) == 2 * SAMPLES

    asyncio.run(scenario())
