"""What does a dialect cost? How soon clients of other makers give sound, against the native protocol.

    python -m bench.clients.first_audio --engine tones --json first_audio.json
    python -m bench.clients.first_audio --engine real

Each client runs in its own environment (`tests/clients_real`). It says the same text in several turns on one connection
and tells the milliseconds from the text to the first sound that it gives. The first turn, which connects, is left out.
In each round every client runs once, so that all see the same machine. The native client is a bare socket: what is
above its line is the time of the client and of the dialect.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bench.load.server_process import measured_server
from bench.machine import describe_machine
from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.environment import run_program
from tests.rtserver.serving import served

NATIVE = "native"
# The program of each client and its argument.
CLIENTS = {
    "LiveKit, rtserver": ("livekit", "rtserver"),
    "LiveKit, Deepgram Flux": ("livekit", "deepgram-flux"),
    "LiveKit, ElevenLabs": ("livekit", "elevenlabs"),
    "LiveKit, Cartesia": ("livekit", "cartesia"),
    "LiveKit, vllm-omni": ("livekit", "baseten"),
    "LiveKit, OpenAI": ("livekit", "openai-pcm"),
    "pipecat, rtserver": ("pipecat", "rtserver"),
    "pipecat, Deepgram Flux": ("pipecat", "deepgram-flux"),
    "pipecat, ElevenLabs": ("pipecat", "elevenlabs"),
    "pipecat, Cartesia": ("pipecat", "cartesia"),
    "pipecat, ElevenLabs HTTP": ("pipecat", "elevenlabs-http"),
    "pipecat, OpenAI": ("pipecat", "openai"),
}
TEXT = "one two three four"


async def native_ms(url: str, turns: int) -> list[float]:
    """The times of the native protocol."""
    times_ms = []
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/v1/speech/realtime") as ws:
        for _ in range(turns):
            from_s = time.monotonic()
            await ws.send_json({"type": "start", "voice": "female", "text": TEXT, "end": True, "marks": False})
            at_ms = None
            async for frame in ws:
                if frame.type is aiohttp.WSMsgType.BINARY:
                    at_ms = at_ms or 1000 * (time.monotonic() - from_s)
                elif json.loads(frame.data)["type"] == "done":
                    break
            assert at_ms is not None, "expected sound before done, found none"
            times_ms.append(at_ms)
    return times_ms


async def client_ms(url: str, client: str, turns: int) -> list[float]:
    """The times of one client."""
    if client == NATIVE:
        return await native_ms(url, turns)
    environment, argument = CLIENTS[client]
    program = f"first_audio_{environment}"
    finished = await run_program(environment, program, url, "any", argument, str(turns), timeout_s=600)
    times_ms: list[float] = finished.told
    return times_ms


@contextlib.asynccontextmanager
async def server_of(engine: str) -> AsyncIterator[str]:
    """The address of a server with this engine."""
    if engine == "tones":
        async with served(FakeEngine(FakeOptions(realtime_factor=0.1))) as tones:
            yield tones.url
    else:
        async with measured_server(None, ("--language", "en")) as process:
            yield process.url


async def main(args: argparse.Namespace) -> None:
    times_ms: dict[str, list[float]] = {client: [] for client in (NATIVE, *CLIENTS)}
    async with server_of(args.engine) as url:
        for number in range(args.rounds):
            for client, found_ms in times_ms.items():
                found_ms += (await client_ms(url, client, args.turns + 1))[1:]
            print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    medians_ms = {client: statistics.median(found_ms) for client, found_ms in times_ms.items()}
    print(f"| client | first audio, ms | above {NATIVE}, ms |\n|---|---|---|")
    for client, median_ms in medians_ms.items():
        print(f"| {client} | {median_ms:.1f} | {median_ms - medians_ms[NATIVE]:.1f} |")
    if args.json:
        rows = {client: [round(one, 1) for one in found_ms] for client, found_ms in times_ms.items()}
        found = {"machine": describe_machine(), "engine": args.engine, "times_ms": rows}
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("tones", "real"), default="tones")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=10, help="of a client in a round")
    parser.add_argument("--json", type=Path, help="write the results here")
    asyncio.run(main(parser.parse_args()))
