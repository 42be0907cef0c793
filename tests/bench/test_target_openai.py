"""A load against an OpenAI-style endpoint, played by a small server of known pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from bench.load.calls.plan import Workload, closed_loop
from bench.load.calls.report import summarise
from bench.load.target_openai import Target, carried_out

# They hear what is sent, which takes as long as the speech.
pytestmark = pytest.mark.engine

WORKLOAD = Workload(
    languages=("en",), turns_per_call=(1, 1), think_s=(0.05, 0.1), tokens_per_s=400, warm_up_s=0.0, seconds=1.0
)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def measured(handler: Handler) -> dict[str, object]:
    """The figures of one talker for a second."""
    app = web.Application()
    app.router.add_post("/v1/audio/speech", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/audio/speech"
        target = Target(url, "input", {"voice": "default", "response_format": "pcm"}, 24000, "key")
        return summarise(await carried_out(closed_loop(WORKLOAD, 1, {"en": ["default"]}), target, 5.0))
    finally:
        await runner.cleanup()


def test_sound_is_counted_from_the_first_chunk_and_odd_bytes_are_kept() -> None:
    """Half a second of sound in chunks that split samples, 50 ms after the request, with a gap in it."""
    asked: list[dict[str, str]] = []

    async def speak(request: web.Request) -> web.StreamResponse:
        asked.append(json.loads(await request.text()) | {"key": request.headers["Authorization"]})
        answer = web.StreamResponse()
        await answer.prepare(request)
        await asyncio.sleep(0.05)
        await answer.write(bytes(4801))
        await asyncio.sleep(0.4)
        await answer.write(bytes(19199))
        await answer.write_eof()
        return answer

    summary = asyncio.run(measured(speak))
    assert summary["done"] == len(asked) >= 1 and summary["failed"] == 0
    assert asked[0]["key"] == "Bearer key" and asked[0]["voice"] == "default" and asked[0]["input"]
    ttfa, deficit = summary["ttfa_request_ms"], summary["deficit_ms"]
    assert isinstance(ttfa, dict) and 50 <= ttfa["p50"] < 400
    assert isinstance(deficit, dict) and 250 <= deficit["p50"] < 600
    assert summary["continuity"] == 0.0 and summary["underruns"] == len(asked)


def test_too_many_requests_is_a_refusal_and_another_status_a_failure() -> None:
    """A talker that is refused tries again."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=429)

    async def fail(request: web.Request) -> web.Response:
        return web.Response(status=400)

    refused = asyncio.run(measured(refuse))
    failed = asyncio.run(measured(fail))
    assert refused["refused_share"] == 1.0 and refused["failed"] == 0
    assert failed["failed"] == failed["turns"] and failed["errors"] == {"HTTP 400": failed["turns"]}
