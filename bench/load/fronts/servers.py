"""One of the servers that front.py compares, in its own process. front.py starts it. By hand:

    cd bench && python -m fronts.servers ours --core 0
    cd bench && python -m fronts.servers bare --core 0 --paced

It prints `listening on PORT`. Then it reads lines on its standard input: it measures itself between `begin` and `end`,
and answers in JSON. It ends when its input ends. ours: this project's front with the engine that makes tones. bare:
aiohttp, with `await ws.send_bytes(frame)` in a loop. fastapi: the same with FastAPI on uvicorn. All run on uvloop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

import uvloop
from aiohttp import web

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtserver.application import application
from rtserver.commands.collector import calm_collector
from rtserver.config import ServerConfig
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.app import App
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import OpenText, Read, Segment
from rtserver.ipc.tracing import TraceParts
from rtserver.messages.wire import AUDIO_HEADER
from rtserver.metrics.loop_lag import LoopLag
from rtserver.processes.supervisor import ProcessHealth

FRAME_MS = 100
FRAME = AUDIO_HEADER.pack(1, 0, 0) + bytes(FRAME_MS * 24 * 2)
# At saturation every server lets other sockets go on after this many frames of one socket. The client is so fast that a
# send never waits, so otherwise the first socket would take all of the time.
FRAMES_A_TURN = 16
PATHS = {"ours": "/v1/realtime", "bare": "/sound", "fastapi": "/sound"}

Send = Callable[[bytes], Awaitable[None]]


class Measured:
    """The CPU time of this process, and how late its loop is, between `begin` and `end`."""

    def __init__(self, profile_to: str | None) -> None:
        self.over = asyncio.Event()
        self._profile = None if profile_to is None else cProfile.Profile()
        self._profile_to = profile_to
        self._begun_s = self._cpu_s = 0.0
        self._lag = LoopLag()
        self._watching: asyncio.Task[None] | None = None
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._command)

    def _command(self) -> None:
        match os.read(sys.stdin.fileno(), 100).decode().split():
            case []:
                self.over.set()
                asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            case ["begin"]:
                self._begin()
            case ["end"]:
                print(json.dumps(self._end()), flush=True)

    def _begin(self) -> None:
        self._lag = LoopLag()
        self._watching = asyncio.create_task(self._lag.run(), name="loop-lag")
        self._begun_s, self._cpu_s = time.monotonic(), time.process_time()
        if self._profile is not None:
            self._profile.enable()

    def _end(self) -> dict[str, object]:
        measured: dict[str, object] = {
            "wall_s": time.monotonic() - self._begun_s,
            "cpu_s": time.process_time() - self._cpu_s,
        }
        if self._profile is not None:
            self._profile.disable()
            self._profile.dump_stats(str(self._profile_to))
        if self._watching is not None:
            self._watching.cancel()
        lag_ms = {f"p{percent}": round(self._lag.percentile_ms(percent), 2) for percent in (50, 99)}
        return measured | {"loop_lag_ms": lag_ms | {"max": round(self._lag.worst_ms, 2)}}


# -- ours -------------------------------------------------------------------------------------------------------------


class OneSegment:
    """Turns any text into one segment with one text id. The fake engine decides how long that sounds."""

    def __init__(self, utterance: str, on_read: Callable[[Read | Failed], None]) -> None:
        self._utterance = utterance
        self._on_read = on_read
        self._marks = 0
        self._dropped = False

    def write(self, text: str) -> None:
        self._answer([Segment([7], 0, True, 0, len(text), text)])

    def flush(self) -> None:
        self._marks += 1
        self._answer([])

    end = commit = offer = flush

    def drop(self) -> None:
        self._dropped = True

    def _answer(self, segments: list[Segment]) -> None:
        asyncio.get_running_loop().call_soon(self._deliver, Read(self._utterance, segments, self._marks))

    def _deliver(self, read: Read) -> None:
        if not self._dropped:
            self._on_read(read)


class OneSegmentReader:
    """A reader without a process."""

    ready = True
    processes: Mapping[str, ProcessHealth] = {}

    @property
    def traces(self) -> TraceParts:
        return {}

    def open(self, opening: OpenText, on_read: Callable[[Read | Failed], None]) -> OneSegment:
        return OneSegment(opening.utterance, on_read)


def ours(paced: bool) -> web.Application:
    """The server's front, with an engine whose utterances never end."""
    config = ServerConfig(
        max_sockets=10_000, max_streams=10_000, max_batch=10_000, max_contexts=10_000, admission=False
    )
    app = App(config, ModelConfig.load(resolve_model("nano")))
    options = FakeOptions(
        notes_hops=False,
        realtime_factor=1.0 if paced else 0.0,
        hop_s=FRAME_MS / 1000,
        hops_a_turn=FRAMES_A_TURN,
        seconds_per_text_id=1e6,
    )
    app.provide(FakeEngine(options), OneSegmentReader())
    return application(app)


# -- the others -------------------------------------------------------------------------------------------------------


async def talk(send: Send, paced: bool) -> None:
    """Sends the same frame again and again: as fast as the client reads, or in real time."""
    due_s = time.monotonic()
    for count in itertools.count(1):
        await send(FRAME)
        if paced:
            due_s += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        elif count % FRAMES_A_TURN == 0:
            await asyncio.sleep(0)


def bare(paced: bool) -> web.Application:
    """Only aiohttp."""

    async def sound(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        with contextlib.suppress(ConnectionError):
            await talk(ws.send_bytes, paced)
        return ws

    made = web.Application()
    made.router.add_get(PATHS["bare"], sound)
    return made


async def serve_aiohttp(application: web.Application, sock: socket.socket, over: asyncio.Event) -> None:
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, sock, backlog=4096).start()
    await over.wait()
    await runner.cleanup()


async def serve_fastapi(paced: bool, sock: socket.socket, over: asyncio.Event) -> None:
    import uvicorn

    from bench.load.fronts.fastapi_server import application as fastapi_application

    config = uvicorn.Config(
        fastapi_application(PATHS["fastapi"], lambda send: talk(send, paced)),
        log_level="critical", lifespan="off", backlog=4096, ws_ping_interval=None, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([sock]))
    await over.wait()
    server.should_exit = True
    await serving


async def main(args: argparse.Namespace) -> None:
    """Serves until its input ends."""
    measured = Measured(args.profile)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(4096)
    if args.server == "ours":
        calm_collector()  # as `rtserver serve` does
    print(f"listening on {sock.getsockname()[1]}", flush=True)
    if args.server == "fastapi":
        await serve_fastapi(args.paced, sock, measured.over)
    else:
        made = ours(args.paced) if args.server == "ours" else bare(args.paced)
        await serve_aiohttp(made, sock, measured.over)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", choices=list(PATHS))
    parser.add_argument("--paced", action="store_true", help="send in real time (default: as fast as the client reads)")
    parser.add_argument("--core", type=int, help="the CPU core to run on")
    parser.add_argument("--profile", metavar="FILE", help="write cProfile statistics of the measured time")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    uvloop.run(main(options))
