"""A route over HTTP of a dialect that has its key in a place of its own and words its own errors."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.http.guard import caller_of, guarded
from rtserver.messages import wire
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
        async with served(api_keys=["right"], dialects=[routes]) as server:
            for headers in ({}, {"X-Ticket": "wrong"}, {"Authorization": "Bearer right"}):
                answer = await ask(f"{server.url}/who", "GET", headers=headers)
                assert (answer.status, json.loads(answer.body)) == (403, {"detail": "unauthorized"})
            answer = await ask(f"{server.url}/who", "GET", headers={"X-Ticket": "right"})
            assert answer.status == 200 and answer.json["tenant"]

    asyncio.run(scenario())
