"""The routes of the application together."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from importlib.resources import files

import aiohttp
import pytest

from rtserver.front import failed_logins
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import served

OPEN_TO_ALL = {
    "/v1/health",
    "/v1/live",
    "/openapi.json",
    "/docs",
    "/docs/{name}",
    "/",
    "/index.html",
    "/console/{name}",
}
SOCKETS = {
    *("/v1/realtime", "/v1/speech/realtime", "/ws/v1/tts", "/v1/speak", "/v2/speak", "/v1/audio/speech/stream"),
    *(f"/v1/text-to-speech/{{voice}}/{kind}-input" for kind in ("stream", "multi-stream")),
    *("/tts/websocket", "/api-ws/v1/inference", "/api-ws/v1/inference/", "/tts"),
    *("/api-ws/v1/realtime", "/api-ws/v1/realtime/"),
}
# Open to those who know the name of a file, which nobody can guess.
FILES = {"/api/v1/services/audio/tts/files/{name}"}


def test_every_other_path_wants_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all routes that there are, only these answer a client without one; a socket says so in its own way."""
    monkeypatch.setattr(failed_logins, "MAX_DELAY_S", 0.0)  # there are many paths

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            found: dict[str, set[int]] = {}
            for route in server.runner.app.router.routes():
                assert route.resource is not None
                path = route.resource.canonical
                answer = await ask(server.url + named(path), route.method)
                name = f"POST {path}" if route.method == "POST" else path  # a path may be a socket's and a request's
                found.setdefault(name, set()).add(answer.status)
            assert {path for path, statuses in found.items() if statuses == {200}} == OPEN_TO_ALL
            assert {path for path, statuses in found.items() if statuses == {426}} == SOCKETS
            assert {path for path, statuses in found.items() if statuses == {404}} == FILES
            rest = found.keys() - OPEN_TO_ALL - SOCKETS - FILES
            assert "POST /v1/tts" in rest and all(found[path] == {401} for path in rest)
            assert {await refused(server.url + named(path)) for path in SOCKETS} == {"unauthorized", 401, 1008}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}], ids=["page", "name"]
)
def test_no_path_answers_a_foreign_page(headers: dict[str, str]) -> None:
    """Of all routes that there are, sockets too, only the two for load balancers do. No key is looked at before."""

    async def scenario() -> None:
        async with served() as server:
            statuses: dict[str, set[int]] = {}
            for route in server.runner.app.router.routes():
                assert route.resource is not None
                path = route.resource.canonical
                answer = await ask(server.url + named(path), route.method, headers=headers)
                statuses.setdefault(path, set()).add(answer.status)
                assert "Access-Control-Allow-Origin" not in answer.headers
            assert {path for path, found in statuses.items() if found != {403}} == {"/v1/health", "/v1/live"}
            assert {await refused(server.url + named(path), headers) for path in SOCKETS} == {403}

    asyncio.run(scenario())


def named(path: str) -> str:
    """With a name in the place of `{...}`: that of a file of the documents or of the console, which must be there."""
    console = next((files("rtserver") / "console" / "console").iterdir()).name
    return re.sub(r"\{\w+\}", console if path.startswith("/console/") else "swagger-ui.css", path)


async def refused(url: str, headers: Mapping[str, str] | None = None) -> object:
    """How a socket without a key is refused: by a status, or by an error's code. Some look for a key in the first
    message."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.ws_connect(url, headers=headers) as ws:
                await ws.send_str("{}")
                return (await ws.receive_json(timeout=10))["code"]
        except aiohttp.WSServerHandshakeError as error:
            return error.status
