"""The server that is attacked: started from the sources of any checkout, and watched from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

ROOT = Path(__file__).parents[3]
RECORDER = Path(__file__).with_name("lag_recorder")
_WATCH_S = 0.25
# A line of the server's log that has one of these tells of a fault of the server.
_FAULT = re.compile(r"Traceback|incident|Unhandled|never retrieved|Task exception", re.IGNORECASE)
_SHOWN_FAULTS = 20
_STOP_S = 45.0
# Of the scripts' option --server-nice.
SERVER_NICE = (
    "priority of the server and the listeners: on one machine attackers would otherwise take the cores from them "
    "(-10 needs root; raise the niceness of this script instead)"
)


@dataclass(frozen=True)
class Lag:
    """How late the loop of the front was, in milliseconds."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    # Less the time that its thread waited for a core. Where other programs take the cores, this is what the server
    # itself does wrong, at least.
    own_p99_ms: float
    own_max_ms: float
    # Share of the time that its thread waited for a core.
    core_wait: float

    @classmethod
    def of(cls, late_ms: Sequence[float], waited_ms: Sequence[float], period_s: float) -> Lag:
        """From the lag and the wait of each wake."""
        own_ms = [max(0.0, late - waited) for late, waited in zip(late_ms, waited_ms, strict=True)]
        lag = [_percentile(late_ms, percent) for percent in (50, 99, 100)]
        core_wait = round(sum(waited_ms) / 1000 / period_s, 3)
        return cls(lag[0], lag[1], lag[2], _percentile(own_ms, 99), _percentile(own_ms, 100), core_wait)


def _percentile(values: Sequence[float], percent: int) -> float:
    """By nearest rank."""
    ordered = sorted(values) or [0.0]
    return round(ordered[-(-len(ordered) * percent // 100) - 1], 2)


@dataclass
class Attacked:
    """A running server. Made by `attacked_server`."""

    url: str
    pid: int
    lag_file: Path
    # Lines of its log that tell of a fault.
    faults: list[str] = field(default_factory=list)
    # Memory of the front that is resident: the most since `watch` began.
    peak_rss_mib: float = 0.0

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def is_alive(self) -> bool:
        return psutil.pid_exists(self.pid) and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE

    def rss_mib(self) -> float:
        """Memory of the front that is resident now."""
        return round(psutil.Process(self.pid).memory_info().rss / (1 << 20), 1)

    def descriptors(self) -> int:
        """Open descriptors of the front."""
        return psutil.Process(self.pid).num_fds()

    async def watch(self) -> None:
        """Keeps `peak_rss_mib`, until it is cancelled."""
        while self.is_alive:
            self.peak_rss_mib = max(self.peak_rss_mib, self.rss_mib())
            await asyncio.sleep(_WATCH_S)

    def lag(self, from_s: float, to_s: float) -> Lag:
        """The lag between two times of the monotonic clock."""
        lines = self.lag_file.read_text().splitlines() if self.lag_file.exists() else []
        records = [tuple(map(float, line.split())) for line in lines]
        inside = [record for record in records if from_s <= record[0] <= to_s]
        return Lag.of([late for _, late, _ in inside], [waited for _, _, waited in inside], to_s - from_s)

    async def gauges(self, key: str | None = None) -> dict[str, float]:
        """The series of /metrics, by name with labels."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as http,
            http.get(f"{self.url}/metrics") as answer,
        ):
            answer.raise_for_status()
            lines = (await answer.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")
        return {name: float(value) for name, value in pairs}

    async def held(self, key: str | None = None) -> dict[str, float]:
        """What clients hold now: what is not zero of the gauges that an idle server has at zero."""
        names = re.compile(r"rt_(connections|utterances_live|held|holders|places_taken|tasks)\b")
        gauges = await self.gauges(key)
        return {name: value for name, value in gauges.items() if names.match(name) and value}

    def read_log(self, line: str) -> None:
        """Keeps a line that tells of a fault."""
        if _FAULT.search(line) and len(self.faults) < _SHOWN_FAULTS:
            self.faults.append(line.strip()[:400])


@contextlib.asynccontextmanager
async def attacked_server(
    settings: Mapping[str, Any], *, root: Path = ROOT, log: Path | None = None, nice: int | None = None
) -> AsyncIterator[Attacked]:
    """Starts `rtserver serve` with the sources in `root`. `settings` are those of the settings file. What the server
    prints is appended to `log`. nice: its priority; None for that of this process."""
    with tempfile.TemporaryDirectory() as folder:
        toml = Path(folder) / "server.toml"
        toml.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in settings.items()), "utf-8")
        lag_file = Path(folder) / "lag"
        path = os.pathsep.join([str(RECORDER), str(root), str(root / "clients")])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rtserver", "serve", "--port", "0", "--config", str(toml)),
            env={**os.environ, "PYTHONPATH": path, "LAG_RECORDER_FILE": str(lag_file)},
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        if nice is not None:
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)
        attacked = Attacked("", process.pid, lag_file)
        reading = asyncio.create_task(_read_log(process.stderr, attacked, log))
        try:
            line = (await process.stdout.readline()).decode()
            if not line.startswith("listening on "):
                raise RuntimeError(f"expected a server of {root}, found one that says {line!r}")
            attacked.url = line.split()[-1]
            yield attacked
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                attacked.faults.append(f"SIGTERM did not end the server within {_STOP_S:.0f} s")
                process.kill()
                await process.wait()
            await reading


async def _read_log(stream: asyncio.StreamReader, attacked: Attacked, log: Path | None) -> None:
    while line := await stream.readline():
        text = line.decode(errors="replace")
        attacked.read_log(text)
        if log is not None:
            with log.open("a", encoding="utf-8") as file:
                file.write(text)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value)
