"""Where the native wire is spoken, and who comes there by mistake."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.rtserver.serving import served
from tests.rtserver.wire.wire_client import wire_client

SESSION_UPDATE = json.dumps({"type": "session.update", "session": {"type": "realtime", "voice": "alloy"}})


@pytest.mark.parametrize("path", ["/v1/speech/realtime", "/v1/realtime"])
@pytest.mark.parametrize("protocols", [("rt.v1.json",), ("realtime", "rt.v1.json"), ()])
def test_the_wire_is_spoken_on_both_paths(path: str, protocols: tuple[str, ...]) -> None:
    """Chosen by its subprotocol; without one the first message decides."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}{path}", protocols=protocols) as ws,
        ):
            assert ws.protocol == (protocols[-1] if protocols else None)
            assert (await ws.receive_json(timeout=10))["type"] == "ready"
            await ws.send_json({"type": "start", "text": "one", "end": True})
            assert (await ws.receive_json(timeout=10))["type"] == "started"

    asyncio.run(scenario())


@pytest.mark.parametrize("protocols", [(), ("realtime", "openai-beta.realtime-v1")])
def test_a_client_of_openai_realtime_is_told_where_speech_is(protocols: tuple[str, ...]) -> None:
    """In an error that its own protocol knows, and the socket closes."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}/v1/realtime", protocols=protocols) as ws,
        ):
            assert (await ws.receive_json(timeout=10))["type"] == "ready"
            await ws.send_str(SESSION_UPDATE)
            told = await ws.receive_json(timeout=10)
            assert told["type"] == "error" and told["error"]["type"] == "invalid_request_error"
            assert told["code"] == told["error"]["code"] == "unknown_type"
            assert told["id"] == told["event_id"] and told["id"].startswith("u_")
            for where in ("/v1/speech/realtime", "rt.v1.json", "/v1/tts/stream"):
                assert where in told["error"]["message"]
            assert (await ws.receive(10)).type is aiohttp.WSMsgType.CLOSE and ws.close_code == 1008

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "protocols", "before"),
    [
        ("/v1/speech/realtime", (), ()),  # nobody comes there by mistake
        ("/v1/realtime", ("rt.v1.json",), ()),  # it has said what it speaks
        ("/v1/realtime", (), ('{"type": "ping"}',)),  # it has shown what it speaks
    ],
)
def test_a_client_of_the_wire_is_not_taken_for_another(
    path: str, protocols: tuple[str, ...], before: tuple[str, ...]
) -> None:
    """The same message is an unknown type there, and the socket lives on."""

    async def scenario() -> None:
        async with (
            served() as server,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{server.url}{path}", protocols=protocols) as ws,
        ):
            for frame in (*before, SESSION_UPDATE, '{"type": "ping", "id": "alive"}'):
                await ws.send_str(frame)
            said = [await ws.receive_json(timeout=10) for _ in range(len(before) + 3)]
            assert [one["type"] for one in said] == ["ready", *["pong"] * len(before), "error", "pong"]
            assert said[-2]["code"] == "unknown_type" and "error" not in said[-2]

    asyncio.run(scenario())


def test_a_place_is_kept_on_either_path() -> None:
    """`?reserve=` belongs to the wire, not to the path."""

    async def scenario() -> None:
        async with served() as server, wire_client(server.url, path="/v1/speech/realtime?reserve=2") as client:
            assert (await client.next())["code"] == "bad_message"
            assert (await client.next())["code"] == 1008

    asyncio.run(scenario())
