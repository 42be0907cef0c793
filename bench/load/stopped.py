"""How soon is a process noticed that hangs, and what do listeners hear?

    python -m bench.load.stopped --json stopped.json

Each process of the server is stopped in turn (SIGSTOP), in the middle of a speech; the preparer with a recording that
must be prepared, the decoder with a recording that comes right then. The server must kill and replace it. The exit
status is 1 if one is not noticed within 5 s, or if the speech does not come to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench.load.server_process import ServerProcess, measured_server
from bench.load.turn import Turn, speak, texts
from bench.machine import describe_machine
from rtclient import Session, connect

GOAL_S = 5.0
SENTENCES = 6
# Text still comes while the process is stopped.
TOKENS_PER_S = 12.0
STOP_AFTER_S = 2.0
LOOK_EVERY_S = 0.02
LONGEST_S = 120.0
# What each recording says that the server is sent.
RECORDED = {"preparer": "The train to the coast leaves at noon.", "decoder": "We had soup and bread for lunch."}


@dataclass(frozen=True)
class Row:
    """What happened after one process was stopped. Seconds after that; None: it did not happen."""

    part: str
    # Until the stopped process was gone.
    noticed_s: float | None
    # Until health said 503, and until it said 200 again. A process that speech can do without leaves it at 200.
    unhealthy_s: float | None
    healthy_s: float | None
    # What the listener of a speech that went on all the time heard as silence, and how long no frame came at most.
    heard_gap_s: float
    silent_s: float
    # Whether that speech came to its end.
    complete: bool
    # Until the request that needed the process was answered.
    answered_s: float | None = None


async def stopped(part: str, server: ServerProcess, session: Session, line: int) -> Row:
    """Stops one process while a listener hears a text."""
    recording = await _recording(part, server) if part in RECORDED else b""
    text = " ".join(texts("english")[line : line + SENTENCES])
    speaking = asyncio.create_task(speak(session, text, tokens_per_s=TOKENS_PER_S, seed=1, language="en"))
    await asyncio.sleep(STOP_AFTER_S)
    request = asyncio.create_task(_needs(part, server, recording))
    pid = await _pid(part, server)
    os.kill(pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    noticed = asyncio.create_task(_when(lambda: not psutil.pid_exists(pid)))
    health = asyncio.create_task(_health(server, noticed))
    turn, answered_s = await speaking, await request
    noticed_s = await noticed
    unhealthy_s, healthy_s = await health

    def since(at_s: float | None) -> float | None:
        return None if at_s is None else round(at_s - stopped_s, 2)

    return Row(
        part,
        since(noticed_s),
        since(unhealthy_s),
        since(healthy_s),
        round(turn.playback.gap_s, 2),
        round(_longest_wait_s(turn, stopped_s), 2),
        turn.done is not None,
        since(answered_s),
    )


async def _needs(part: str, server: ServerProcess, recording: bytes) -> float | None:
    """Sends the request that the preparer or the decoder works for. When it was answered."""
    if part not in RECORDED:
        return None
    if part == "decoder":
        await asyncio.sleep(0.1)  # until it is stopped
    await _post(server, "/v1/tts", _cloning(part, recording))
    return time.monotonic()


def _cloning(part: str, recording: bytes) -> dict[str, str]:
    audio = base64.b64encode(recording).decode()
    return {"text": "Good morning.", "mode": "zero_shot", "prompt_text": RECORDED[part], "prompt_audio": audio}


async def _recording(part: str, server: ServerProcess) -> bytes:
    """Speech that no server has prepared."""
    body: dict[str, Any] = {"text": RECORDED[part], "format": "wav", "seed": time.time_ns() % 2**31}
    return await _post(server, "/v1/tts/stream", body)


async def _post(server: ServerProcess, path: str, body: dict[str, Any]) -> bytes:
    async with aiohttp.ClientSession() as http, http.post(f"{server.url}{path}", json=body) as answer:
        read = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"expected status 200, found {answer.status}: {read[:300]!r}")
        return read


async def _pid(part: str, server: ServerProcess) -> int:
    """The process, as soon as it is there."""
    found: list[int] = []

    def look() -> bool:
        found[:] = [pid for pid, name in server.children().items() if name == part]
        return bool(found)

    if await _when(look) is None:
        raise RuntimeError(f"expected a {part} process, found none")
    return found[0]


async def _health(server: ServerProcess, noticed: asyncio.Task[float | None]) -> tuple[float | None, float | None]:
    """When health said 503, and when it said 200 again."""
    unhealthy_s = None
    end_s = time.monotonic() + LONGEST_S
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < end_s:
            async with http.get(f"{server.url}/v1/health") as answer:
                healthy = answer.status == 200
            if not healthy and unhealthy_s is None:
                unhealthy_s = time.monotonic()
            if healthy and noticed.done() and (unhealthy_s is not None or time.monotonic() > end_s - LONGEST_S + 10):
                return unhealthy_s, None if unhealthy_s is None else time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)
    return unhealthy_s, None


async def _when(holds: Callable[[], bool]) -> float | None:
    """When it held first; None: not for a long time."""
    end_s = time.monotonic() + LONGEST_S
    while time.monotonic() < end_s:
        with contextlib.suppress(psutil.Error):
            if holds():
                return time.monotonic()
        await asyncio.sleep(LOOK_EVERY_S)
    return None


def _longest_wait_s(turn: Turn, from_s: float) -> float:
    """The longest time without a frame, from a moment on."""
    times_s = [from_s, *(at_s for at_s in turn.arrivals_s if at_s > from_s)]
    return max((b - a for a, b in pairwise(times_s)), default=0.0)


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as cache:
        arguments = ["--model", args.model, "--cache-dir", cache, "--config", _settings(cache)]
        async with measured_server(None, arguments) as server, connect(server.url) as session:
            await speak(session, texts("english")[0], tokens_per_s=30, language="en")
            first = await _recording("decoder", server)
            await _needs("decoder", server, first)  # starts the decoder
            for line, part in enumerate(args.parts.split(",")):
                rows.append(await stopped(part, server, session, line))
                print(_line(rows[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "rows": [asdict(r) for r in rows]}, indent=1))
    good = [row.complete and row.noticed_s is not None and row.noticed_s <= GOAL_S for row in rows]
    return 0 if all(good) else 1


def _settings(folder: str) -> str:
    """On a busy machine a process starts slowly."""
    path = Path(folder, "settings.toml")
    path.write_text("recovery_s = 120.0\n")
    return str(path)


def _line(row: Row) -> str:
    fields = {name: value for name, value in asdict(row).items() if name != "part" and value is not None}
    return f"{row.part:9}" + ", ".join(f"{name} {value}" for name, value in fields.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", metavar="DIR|nano")
    parser.add_argument("--parts", default="reader,acoustic,talker,preparer,decoder")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
