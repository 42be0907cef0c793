"""The server that is measured: a running one, or one that is started for the measurement."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil

# By what the command line of each has: a module of rtserver.
_PARTS = {name: name for name in ("talker", "acoustic", "reader", "preparer")} | {"uploads": "decoder"}
# The arguments with which Python runs the server.
SERVE = ("-m", "rtserver", "serve")


@dataclass(frozen=True)
class ServerProcess:
    """The server that is measured."""

    url: str
    # None for a server that was running before: its processes are not measured.
    pid: int | None = None

    async def health(self) -> dict[str, Any]:
        """The server's answer of /v1/health."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/v1/health") as response:
            body: dict[str, Any] = await response.json()
            return body

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds so far by part: front, talker, acoustic, reader, preparer, decoder, and this client."""
        seconds = {"client": sum(os.times()[:2])}
        for pid, part in self.processes().items():
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                times = psutil.Process(pid).cpu_times()
                seconds[part] = seconds.get(part, 0.0) + times.user + times.system
        return seconds

    def processes(self) -> dict[int, str]:
        """The front and its children, by process id. Empty for a server that was running before."""
        return {} if self.pid is None else {self.pid: "front", **self.children()}

    def children(self) -> dict[int, str]:
        """The front's child processes, by process id. Empty for a server that was running before or has ended."""
        if self.pid is None:
            return {}
        parts = {}
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                    parts[child.pid] = part_of(" ".join(child.cmdline()))
        return parts


def part_of(command: str) -> str:
    """The part that a process of the server is, from its command line: a module of rtserver, or `baseline_acoustic`."""
    return next((part for word, part in _PARTS.items() if re.search(rf"[._]{word}\b", command)), "other")


def baseline(policy: str, *arguments: str) -> tuple[str, ...]:
    """The `program` of a server with another policy; see baseline_server.py."""
    return "-m", "bench.load.baseline_server", "--policy", policy, *arguments


@contextlib.asynccontextmanager
async def measured_server(
    url: str | None, arguments: Sequence[str] = (), program: Sequence[str] = SERVE
) -> AsyncIterator[ServerProcess]:
    """The server at `url`, or one that is started with these arguments of `rtserver serve` and stopped after the block.
    `program`: SERVE, or a `baseline`."""
    if url is not None:
        yield ServerProcess(url.rstrip("/"))
        return
    command = [sys.executable, *program, "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise RuntimeError(f"expected a server, found {' '.join(command)} saying {line!r}")
        yield ServerProcess(line.split()[-1], process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
