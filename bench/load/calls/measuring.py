"""Measures one load against one server: what its callers heard, and what the server's processes used."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.load.calls.callers import Callers, Load
from bench.load.calls.plan import Plan
from bench.load.calls.replies import FILES
from bench.load.server_process import ServerProcess
from bench.load.turn import texts
from rtclient import connect
from rtserver.metrics.loop_lag import LoopLag

_PROGRESS_EVERY_S = 5.0
_SETTLE_EVERY_S = 0.2
_SETTLE_TRIES = 75

Voices = dict[str, list[str]]


@dataclass(frozen=True)
class Measuring:
    """How to measure."""

    # Key for the server.
    api_key: str | None = None
    # How long open turns may go on after the end of the window.
    drain_s: float = 30.0
    # Time between two measurements of memory.
    memory_every_s: float = 10.0


async def measure(server: ServerProcess, plan: Plan, options: Measuring) -> Load:
    """Carries out a plan. Prints its progress to standard error."""
    callers, lag = Callers(plan, server.url, options.api_key), LoopLag()
    load = callers.load
    cores = asyncio.create_task(_cores(server, load))
    tasks = [
        cores,
        asyncio.create_task(lag.run()),
        asyncio.create_task(load.memory.watch(server, options.memory_every_s)),
        asyncio.create_task(_progress(callers)),
    ]
    try:
        await callers.run(options.drain_s)
        await cores  # it has the same window as the callers, but may end a moment later
        load.server_lag_ms = (await _health(server)).get("loop_lag_ms")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    load.client_lag_ms = lag.worst_ms
    return load


async def settled(server: ServerProcess) -> None:
    """Waits until the server speaks nothing, at most for a while."""
    for _ in range(_SETTLE_TRIES):
        if not (await _health(server)).get("contexts"):
            return
        await asyncio.sleep(_SETTLE_EVERY_S)


async def _health(server: ServerProcess) -> dict[str, Any]:
    """The server's health. Empty if it does not answer, because results from before it died are worth keeping."""
    try:
        return await server.health()
    except aiohttp.ClientError:
        return {}


async def voices_of(server: ServerProcess, languages: Sequence[str], api_key: str | None) -> Voices:
    """The server's voices by language. A voice without a known language speaks all."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{server.url}/v1/voices") as response:
        response.raise_for_status()
        entries = (await response.json())["voices"]
    return by_language(entries, languages)


def by_language(entries: Sequence[Mapping[str, str | None]], languages: Sequence[str]) -> Voices:
    """Names of voices by language. `default` for a language without a known voice."""
    return {
        language: [str(e["name"]) for e in entries if e["language"] in (None, language)] or ["default"]
        for language in languages
    }


async def warm_up(server: ServerProcess, voices: Mapping[str, Sequence[str]], api_key: str | None) -> None:
    """Speaks a sentence with every voice, so that no load includes work that is done only once."""
    async with connect(server.url, api_key=api_key) as session:
        for language, names in voices.items():
            text = texts(FILES[language])[0]
            for voice in names:
                async with session.speak(text, voice=voice, language=language, seed=0) as speech:
                    async for _ in speech:
                        pass


async def _cores(server: ServerProcess, load: Load) -> None:
    """Measures the CPU time within the window."""
    workload = load.plan.workload
    await asyncio.sleep(workload.warm_up_s)
    before_s, start_s = server.cpu_s(), time.monotonic()
    await asyncio.sleep(workload.seconds)
    seconds = time.monotonic() - start_s
    load.cpu_cores = {part: (s - before_s.get(part, 0.0)) / seconds for part, s in server.cpu_s().items()}


async def _progress(callers: Callers) -> None:
    plan = callers.load.plan
    while True:
        await asyncio.sleep(_PROGRESS_EVERY_S)
        heard = callers.load.heard
        over = sum(h.outcome != "cut" for h in heard)
        refused = sum(h.outcome == "refused" for h in heard)
        print(
            f"\r{plan.loop} loop, {plan.load:g}: {callers.now_s:4.0f} of {plan.workload.end_s:.0f} s, "
            f"{over} turns, {len(heard) - over} under way, {refused} refused   ",
            end="", file=sys.stderr, flush=True,
        )  # fmt: skip
