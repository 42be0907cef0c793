"""The server under measurement: one that runs already, or one started for the measurement."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PARTS = ("talker", "acoustic", "reading", "preparer")


@dataclass(frozen=True)
class ServerProcess:
    """`pid` is None for a server that was there before: its processes are not measured."""

    url: str
    pid: int | None = None

    async def health(self) -> dict[str, Any]:
        """What the server says of itself."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/v1/health") as response:
            body: dict[str, Any] = await response.json()
            return body

    def cpu_s(self) -> dict[str, float]:
        """Seconds of processor time by part so far: front, talker, acoustic, reading, preparer, and this client."""
        seconds = {"client": sum(os.times()[:2])}
        if self.pid is not None:
            seconds["front"] = _cpu_s(self.pid)
            for pid, part in self.children().items():
                seconds[part] = seconds.get(part, 0.0) + _cpu_s(pid)
        return seconds

    def children(self) -> dict[int, str]:
        """The server's processes and what each is."""
        parts = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(entry) == self.pid:
                command = (entry / "cmdline").read_text(errors="replace")
                parts[int(entry.name)] = next((part for part in _PARTS if f".{part}" in command), "other")
        return parts


@contextlib.asynccontextmanager
async def measured_server(url: str | None, arguments: Sequence[str] = ()) -> AsyncIterator[ServerProcess]:
    """The server at `url`, or one started with these arguments of `rtserver serve` and stopped behind the block."""
    if url is not None:
        yield ServerProcess(url.rstrip("/"))
        return
    command = [sys.executable, "-m", "rtserver", "serve", "--port", "0", *arguments]
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


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
