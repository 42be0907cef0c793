"""Listeners beside an attack, in a process of their own. fuzz_server.py and floods.py start it. By hand:

    python -m bench.load.attacks.listeners --url http://127.0.0.1:8790 --count 3

Each listener speaks a long text on its own socket, with little sound ahead, and plays it from the first frame on. When
all hear sound, the process prints `listening`. Then it reads lines on its standard input: it counts between `begin` and
`end`, and answers in JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
import websockets

from bench.load.turn import texts
from rtserver.metrics.loop_lag import LoopLag
from rtserver.schedule.playback import Playback

LEAD_S = 0.5
RATE_HZ = 24_000
_TEXT_CHARS = 15_000


@dataclass
class Heard:
    """What one listener heard between `begin` and `end`."""

    frames: int = 0
    # How often, and for how long, it had no sound to play.
    gaps: int = 0
    gap_s: float = 0.0
    # The longest time without a frame.
    longest_wait_s: float = 0.0
    # Its socket was closed, or its context ended with an error.
    lost: int = 0


class Listener:
    """One listener. It begins again when its text is over."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url.replace("http", "ws", 1) + "/v1/speech/realtime"
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self.heard = Heard()
        self.hears = asyncio.Event()
        self._playback = Playback()
        self._last_s: float | None = None

    def begin(self) -> None:
        """Counts from now on."""
        self.heard = Heard()

    def end(self) -> Heard:
        """A wait that still lasts counts."""
        if self._last_s is not None:
            self.heard.longest_wait_s = max(self.heard.longest_wait_s, time.monotonic() - self._last_s)
        return self.heard

    async def run(self) -> None:
        """Listens until it is cancelled."""
        start = {"type": "start", "language": "en", "text": _text(), "end": True, "max_lead_s": LEAD_S, "marks": False}
        while True:
            try:
                async with websockets.connect(
                    self._url, additional_headers=self._headers, compression=None, ping_interval=None
                ) as ws:
                    while True:
                        await ws.send(json.dumps(start))
                        self._playback, self._last_s = Playback(), None
                        async for frame in ws:
                            if isinstance(frame, bytes):
                                self._frame(len(frame) - 12)
                            elif (kind := json.loads(frame)["type"]) == "error":
                                raise ConnectionError(frame)
                            elif kind == "done":
                                break
            except (OSError, websockets.WebSocketException):
                self.heard.lost += 1
                await asyncio.sleep(0.1)

    def _frame(self, size: int) -> None:
        now_s, heard = time.monotonic(), self.heard
        gap_s = self._playback.sent(size / 2 / RATE_HZ, now_s)
        heard.frames += 1
        heard.gaps += gap_s > 0
        heard.gap_s += gap_s
        if self._last_s is not None:
            heard.longest_wait_s = max(heard.longest_wait_s, now_s - self._last_s)
        self._last_s = now_s
        self.hears.set()


def _text() -> str:
    lines = texts("english")
    text = " ".join(lines)
    return (text * (1 + _TEXT_CHARS // len(text)))[:_TEXT_CHARS]


async def main(args: argparse.Namespace) -> None:
    """Works for the scripts."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    listeners = [Listener(args.url, args.key) for _ in range(args.count)]
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    await asyncio.gather(*(listener.hears.wait() for listener in listeners))
    print("listening", flush=True)
    lag = LoopLag()
    watching: asyncio.Task[None] | None = None
    while line := (await reader.readline()).decode().strip():
        if line == "begin":
            for listener in listeners:
                listener.begin()
            if watching is not None:
                watching.cancel()
            lag = LoopLag()
            watching = asyncio.create_task(lag.run())
        else:
            heard = [asdict(listener.end()) for listener in listeners]
            print(json.dumps({"listeners": heard, "own_lag_max_ms": round(lag.worst_ms, 1)}), flush=True)
    for task in tasks:
        task.cancel()


class ListenersProcess:
    """The process, as the scripts see it. Made by `listeners_beside`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def begin(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"begin\n")

    async def end(self) -> dict[str, object]:
        """What was heard since `begin`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"end\n")
        heard: dict[str, object] = json.loads(await self._process.stdout.readline())
        return heard


@contextlib.asynccontextmanager
async def listeners_beside(
    url: str, count: int, key: str | None = None, nice: int | None = None
) -> AsyncIterator[ListenersProcess]:
    """Listeners that hear sound already when the block begins. nice: their priority; None for that of this process."""
    command = [sys.executable, "-m", "bench.load.attacks.listeners", "--url", url, "--count", str(count)]
    process = await asyncio.create_subprocess_exec(
        *command, *(() if key is None else ("--key", key)), cwd=Path(__file__).parents[3],
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    if nice is not None:
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    try:
        if (line := await process.stdout.readline()) != b"listening\n":
            raise RuntimeError(f"expected listeners that hear, found {line!r}")
        yield ListenersProcess(process)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key")
    parser.add_argument("--count", type=int, default=3)
    uvloop.run(main(parser.parse_args()))
