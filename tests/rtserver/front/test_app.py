"""The application: who may come in, what it says of its health, how it stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.config import ServerConfig
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.schedule.admission import AdmissionLimits
from rtserver.session.limits import SessionLimits
from tests.rtserver.serving import served
from tests.rtserver.wire.wire_client import wire_client


async def get(url: str, **options: Any) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(url, **options) as response:
        return response.status, await response.json()


def test_health_tells_whether_speech_can_begin() -> None:
    """503 while there is no engine, 200 with counts when there is one; alive in both cases."""

    async def scenario() -> None:
        async with served(started=False) as server:
            status, health = await get(f"{server.url}/v1/health")
            assert status == 503 and not health["ready"] and health["status"] == "starting"
            assert health["gpu"] is False and health["device"] is health["voices"] is None
            assert (await get(f"{server.url}/v1/live"))[0] == 200
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with wire_client(server.url):
                    pass
            assert refused.value.status == 503
            server.start()
            status, health = await get(f"{server.url}/v1/health")
            assert status == 200 and health["ready"] and health["status"] == "ok" and health["contexts"] == 0
            assert (await get(f"{server.url}/v1/live"))[0] == 200

    asyncio.run(scenario())


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/v1/nothing", 404), ("/v1/realtime", 426)])
def test_wrong_requests_are_answered_in_json(path: str, status: int) -> None:
    """An unknown path, or no WebSocket where one is expected, says what is expected."""

    async def scenario() -> None:
        async with served() as server:
            found, body = await get(f"{server.url}{path}")
            assert found == status and "expected" in body["error"]["message"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Authorization": "Bearer right"}, "/v1/realtime"),
        ({"X-API-Key": "right"}, "/v1/realtime"),
        ({}, "/v1/realtime?api_key=right"),
        ({"X-API-Key": "other"}, "/v1/realtime"),
    ],
)
def test_a_known_key_opens(headers: dict[str, str], path: str) -> None:
    """Any of the keys is taken from a header or from the address."""

    async def scenario() -> None:
        async with (
            served(api_keys=["right", "other"]) as server,
            wire_client(server.url, headers=headers, path=path) as c,
        ):
            assert (await c.next())["type"] == "ready"

    asyncio.run(scenario())


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer schlüssel"}])
def test_an_unknown_key_is_turned_away(headers: dict[str, str]) -> None:
    """Without a known key a WebSocket is closed with 1008 and its reason, and HTTP gets 401."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server, wire_client(server.url, headers=headers) as client:
            assert (await client.next())["code"] == "unauthorized"
            assert (await client.next())["code"] == 1008
            assert (await get(f"{server.url}/v1/other", headers=headers))[0] == 401
            assert (await get(f"{server.url}/v1/health"))[0] == 200

    asyncio.run(scenario())


def test_too_many_sockets_are_turned_away() -> None:
    """Beyond the limit a socket hears `overloaded`, when to come back, and 1013; a place that is left is free."""

    async def scenario() -> None:
        async with served(max_sockets=1) as server:
            async with wire_client(server.url) as first, wire_client(server.url) as second:
                assert (await first.next())["type"] == "ready"
                error = await second.next()
                assert error["code"] == "overloaded" and error["retryable"] and error["retry_after_ms"] > 0
                assert (await second.next())["code"] == 1013
            async with asyncio.timeout(5):
                await server.app.empty.wait()
            async with wire_client(server.url) as third:
                assert (await third.next())["type"] == "ready"

    asyncio.run(scenario())


def test_an_engine_that_recovers_refuses_new_contexts_only() -> None:
    """While the engine is away a start is `engine_lost` and retryable; the socket stays."""

    class Recovering(FakeEngine):
        away = False

        @property
        def ready(self) -> bool:
            return not self.away

    async def scenario() -> None:
        engine = Recovering(FakeOptions())
        async with served(engine) as server, wire_client(server.url) as client:
            engine.away = True
            await client.send("start", text="x", end=True)
            error = await client.until("error")
            assert error["code"] == "engine_lost" and error["retryable"]
            status, health = await get(f"{server.url}/v1/health")
            assert status == 503 and health["status"] == "recovering"
            engine.away = False
            await client.send("start", text="x", end=True)
            await client.until("done")

    asyncio.run(scenario())


def test_shutdown_lets_what_speaks_finish() -> None:
    """Idle sockets close with 1001; one that speaks takes no new context, finishes, then closes with 1001."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server, wire_client(server.url) as idle, wire_client(server.url) as busy:
            await busy.send("start", text="one two three four", end=True)
            await busy.until("audio")
            await idle.next()
            server.app.drain()
            server.app.tell_shutdown(deadline=False)
            assert (await idle.next())["code"] == 1001
            await busy.send("start", context="late", text="x", end=True)
            assert (await busy.until("error", "late"))["code"] == "shutting_down"
            await busy.until("done", "main")
            assert (await busy.next())["code"] == 1001
            async with asyncio.timeout(5):
                await server.app.empty.wait()
            assert (await get(f"{server.url}/v1/health"))[1]["status"] == "draining"

    asyncio.run(scenario())


def test_the_deadline_ends_what_still_speaks() -> None:
    """At the end of the drain a live context hears `shutting_down`, and its socket closes with 1001."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=1.0))
        async with served(engine) as server, wire_client(server.url) as busy:
            await busy.send("start", text="one two three four " * 20, end=True)
            await busy.until("audio")
            server.app.tell_shutdown(deadline=True)
            assert (await busy.until("error", "main"))["code"] == "shutting_down"
            assert (await busy.next())["code"] == 1001
            assert engine.live == 0

    asyncio.run(scenario())


@pytest.mark.engine
def test_the_application_knows_no_torch(tmp_path: Path) -> None:
    """The front process imports neither torch nor vllm."""
    import subprocess
    import sys

    code = "import sys, rtserver.commands.cli; print([m for m in ('torch', 'vllm', 'onnxruntime') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "[]"
    assert App.__module__ == "rtserver.front.app"


def test_the_settings_bound_what_is_promised_and_what_a_session_may() -> None:
    """Each by its own name."""
    promised: dict[str, Any] = {"max_batch": 3, "ttfa_s": 1.5, "place_idle_s": 2.5, "reservation_idle_s": 3.5}
    allowed: dict[str, Any] = {
        "text_chars": 7,
        "contexts": 8,
        "message_bytes": 9,
        "idle_s": 4.5,
        "context_idle_s": 5.5,
        "turn_idle_s": 6.5,
    }
    app = App(ServerConfig(**promised, **allowed, max_streams=2, admission=False), ModelConfig.load(NANO))
    assert app.admission.limits == AdmissionLimits(max_streams=2, enabled=False, **promised)
    caller = asyncio.run(app.access.identify(Credentials(), "127.0.0.1"))
    assert caller.limits == SessionLimits(**allowed)
