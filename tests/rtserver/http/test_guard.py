"""A route over HTTP of a dialect that has its key in a place of its own and words its own errors."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.http.guard import caller_of, guarded
from rtserver.messages import wire
from rtserver.messages.incidents import client_text
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import served


def credentials(request: web.Request) -> Credentials:
    return Credentials(request.headers.get("X-Ticket"))


def refused(error: wire.Error) -> web.Response:
    return web.json_response({"detail": error.code}, status=403)


async def who(request: web.Request) -> web.Response:
    return web.json_response({"tenant": caller_of(request).tenant})


def routes(app: App) -> list[web.RouteDef]:
    return [web.get("/who", guarded(app, "speak", who, credentials=credentials, refused=refused))]


def test_a_route_finds_the_key_and_words_the_refusal_in_its_own_way() -> None:
    """The key of another place does not count there; a known one tells whose the request is."""

    async def scenario() -> None:
        async with served(api_keys=["right"], dialects={"routes": routes}) as server:
            for headers in ({}, {"X-Ticket": "wrong"}, {"Authorization": "Bearer right"}):
                answer = await ask(f"{server.url}/who", "GET", headers=headers)
                assert (answer.status, json.loads(answer.body)) == (403, {"detail": "unauthorized"})
            answer = await ask(f"{server.url}/who", "GET", headers={"X-Ticket": "right"})
            assert answer.status == 200 and answer.json["tenant"]

    asyncio.run(scenario())


async def broken(request: web.Request) -> web.Response:
    raise OSError("/srv/voices/SECRET.wav")


async def broken_later(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"a part")
    raise OSError("/srv/voices/SECRET.wav")


def faulty(app: App) -> list[web.RouteDef]:
    return [web.get("/broken", broken), web.get("/later", broken_later)]


def test_a_fault_of_the_server_is_an_id_for_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """500 with what to do; the log has the id, the path and the traceback, the answer nothing of them."""

    async def scenario() -> None:
        async with served(dialects={"faulty": faulty}) as server:
            answer = await ask(f"{server.url}/broken", "GET")
            (record,) = caplog.records
            error = answer.json["error"]
            assert (answer.status, error["code"], error["retryable"]) == (500, "internal", True)
            assert error["message"] == client_text(vars(record)["incident"])
            assert b"SECRET" not in answer.body and "/broken" in record.getMessage()
            assert record.exc_info is not None and "SECRET" in str(record.exc_info[1])

    asyncio.run(scenario())


def test_a_fault_in_the_middle_of_an_answer_breaks_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """No second answer is written into the first one."""

    async def scenario() -> None:
        async with served(dialects={"faulty": faulty}) as server:
            with pytest.raises(aiohttp.ClientPayloadError):
                await ask(f"{server.url}/later", "GET")

    asyncio.run(scenario())
    assert "incident" in vars(caplog.records[0])
