"""What a web page can do with a server: nothing, unless it is of the same host or an allowed one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import caller_of, guarded
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask
from tests.rtserver.serving import Served, served

FORBIDDEN = (403, "forbidden")
EVIL = {"Origin": "https://evil.example"}
APP = "https://app.example.com"
SOCKETS = ("/v1/speech/realtime", "/v1/realtime", "/ws/v1/tts")
# What a page may send to any server without asking.
SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=cut")


async def handshake(server: Served, path: str, headers: dict[str, str]) -> int:
    """The status of a handshake; 101 where the socket opens."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.ws_connect(f"{server.url}{path}", headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


async def everything_refused(server: Served, headers: dict[str, str]) -> None:
    """Every way to speak and every list is forbidden; the answers are for nobody's script."""
    for path in ("/v1/tts", "/v1/tts/stream"):
        for kind in (*SIMPLE, "application/json"):
            answer = await ask(f"{server.url}{path}", data=b'{"text": "x"}', headers=headers | {"Content-Type": kind})
            assert answer.refused == FORBIDDEN and "Access-Control-Allow-Origin" not in answer.headers
    for path in ("/v1/voices", "/metrics", "/docs", "/openapi.json", "/v1/trace/u_1", "/nowhere"):
        assert (await ask(f"{server.url}{path}", "GET", headers=headers)).refused == FORBIDDEN
    for path in SOCKETS:
        assert await handshake(server, path, headers) == 403


def test_a_foreign_page_gets_nothing() -> None:
    """With keys neither: a key would have to be told to its script. Health may be asked."""

    async def scenario() -> None:
        choices: list[dict[str, Any]] = [{}, {"api_keys": ["right"]}, {"allowed_origins": [APP]}]
        for settings in choices:
            engine = NotingEngine()
            async with served(engine, **settings) as server:
                await everything_refused(server, EVIL | {"X-API-Key": "right"})
                preflight = EVIL | {"Access-Control-Request-Method": "POST"}
                assert (await ask(f"{server.url}/v1/tts", "OPTIONS", headers=preflight)).refused == FORBIDDEN
                for path in ("/v1/live", "/v1/health"):
                    assert (await ask(f"{server.url}{path}", "GET", headers=EVIL)).status == 200
                assert engine.requests == [] and not server.app.connections

    asyncio.run(scenario())


def test_a_name_that_was_bound_to_this_machine_gets_nothing() -> None:
    """DNS rebinding: the browser takes the server for the page's own, so its origin is that of the host."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            port = server.url.rpartition(":")[2]
            for host in (f"evil.example:{port}", "evil.example", "localhost.evil.example"):
                await everything_refused(server, {"Host": host, "Origin": f"http://{host}"})
                await everything_refused(server, {"Host": host})
                assert (await ask(f"{server.url}/v1/health", "GET", headers={"Host": host})).status == 200
            assert engine.requests == []
        async with served(allowed_hosts=["tts.example.com"]) as server:
            named = {"Host": "tts.example.com", "Origin": "https://tts.example.com"}
            assert (await ask(f"{server.url}/v1/tts", json={"text": TEXT}, headers=named)).status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("origin", ["http://localhost:3000", APP])
def test_an_admitted_page_speaks(origin: str) -> None:
    """One of this machine, or an allowed one: over HTTP with answers that its script may read, and over sockets."""

    async def scenario() -> None:
        async with served(allowed_origins=[APP]) as server:
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            asked["Access-Control-Request-Headers"] = "content-type,x-api-key"
            preflight = await ask(f"{server.url}/v1/tts", "OPTIONS", headers=asked)
            assert preflight.status == 204 and preflight.headers["Access-Control-Allow-Origin"] == origin
            assert preflight.headers["Access-Control-Allow-Headers"] == "content-type,x-api-key"
            assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
            for path, fields, status in (
                ("/v1/tts", {"text": TEXT}, 200),
                ("/v1/tts/stream", {"text": TEXT}, 200),
                ("/v1/tts", {"text": ""}, 400),
            ):
                answer = await ask(f"{server.url}{path}", json=fields, headers={"Origin": origin})
                assert answer.status == status and answer.headers["Access-Control-Allow-Origin"] == origin
                assert answer.headers["Vary"] == "Origin" and "Access-Control-Allow-Credentials" not in answer.headers
                assert "X-Sample-Rate" in answer.headers["Access-Control-Expose-Headers"]
            for socket in SOCKETS:
                assert await handshake(server, socket, {"Origin": origin}) == 101

    asyncio.run(scenario())


def test_a_preflight_needs_no_key_and_the_request_does() -> None:
    """A browser sends none with it."""

    async def scenario() -> None:
        async with served(api_keys=["right"], allowed_origins=["*"]) as server:
            headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
            assert (await ask(f"{server.url}/v1/tts", "OPTIONS", headers=headers)).status == 204
            answer = await ask(f"{server.url}/v1/tts", json={"text": "x"}, headers={"Origin": APP})
            assert answer.refused == (401, "unauthorized")
            assert answer.headers["Access-Control-Allow-Origin"] == APP

    asyncio.run(scenario())


def test_an_address_has_no_control_characters() -> None:
    """Neither its path nor its query, and half a pair is no character."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            for address in (
                "/v1/trace/%00",
                "/v1/voices?api_key=%1b%5b",
                "/v1/voices?%07=1",
                "/v1/realtime?reserve=%00",
            ):
                answer = await ask(f"{server.url}{address}", "GET", headers={"X-API-Key": "right"})
                assert answer.refused == (400, "bad_message")
            for key in ("%ED%A0%80", "%ff", "%F0%9F%98%80"):
                assert (await ask(f"{server.url}/v1/voices?api_key={key}", "GET")).refused == (401, "unauthorized")

    asyncio.run(scenario())


async def where(request: web.Request) -> web.Response:
    return web.json_response([request.remote, caller_of(request).address, caller_of(request).is_stranger])


def routes(app: App) -> list[web.RouteDef]:
    return [web.get("/where", guarded(app, "speak", where))]


@pytest.mark.parametrize(
    ("trusted", "found"),
    [([], ["127.0.0.1", "127.0.0.1", False]), (["127.0.0.0/8"], ["203.0.113.7", "203.0.113.7", True])],
)
def test_a_client_is_where_a_trusted_proxy_saw_it(trusted: list[str], found: list[Any]) -> None:
    """For its account and its log lines; nobody else is believed."""

    async def scenario() -> None:
        async with served(dialects={"routes": routes}, trusted_proxies=trusted) as server:
            headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
            answer = await ask(f"{server.url}/where", "GET", headers=headers)
            assert json.loads(answer.body) == found

    asyncio.run(scenario())


def test_a_socket_through_a_trusted_proxy_is_served() -> None:
    """The whole conversation, as its own client's."""

    async def scenario() -> None:
        async with served(trusted_proxies=["127.0.0.1"]) as server, aiohttp.ClientSession() as http:
            headers = {"X-Forwarded-For": "203.0.113.7"}
            async with http.ws_connect(f"{server.url}/ws/v1/tts", headers=headers) as ws:
                await ws.send_json({"text": TEXT})
                while (message := await ws.receive(10)).type is aiohttp.WSMsgType.BINARY:
                    pass
                assert json.loads(message.data)["done"]
            answer = await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT}, headers=headers)
            assert answer.status == 200 and answer.body

    asyncio.run(scenario())
