"""Signals that reach the server and all its processes at the same time, as from systemd or a terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.rtserver.serving import eventually
from tests.rtserver.wire.wire_client import wire_client

pytestmark = pytest.mark.engine

# What is dead, but not waited for by the machine's first process, is over too.
_OVER = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
TEXT = "The meeting was moved to Thursday afternoon, because of the storm, and nobody could tell us why. " * 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_utterance_in_mid_speech_is_spoken_to_its_end(number: signal.Signals, tmp_path: Path) -> None:
    """No process ends before it; then all do, with exit status 0."""

    async def scenario() -> None:
        arguments = ["--port", "0", "--language", "en", "--cache-dir", str(tmp_path)]
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rtserver", "serve", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert server.stdout is not None
        try:
            url = (await server.stdout.readline()).decode().split()[-1]
            async with wire_client(url) as client:
                await client.send("start", context="a", language="en", text=TEXT, end=True)
                sounds = 0
                while (message := await client.next(60))["type"] != "done":
                    assert message["type"] not in ("error", "closed"), message
                    sounds += message["type"] == "audio"
                    if message["type"] == "audio" and sounds == 1:
                        os.killpg(server.pid, number)
                assert sounds > 5
            assert await asyncio.wait_for(server.wait(), 60) == 0
        finally:
            if server.returncode is None:
                os.killpg(server.pid, signal.SIGKILL)
                await server.wait()

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_loads_ends_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """With all its processes, which import and load, and in one line: exit status 0, no traceback."""

    async def scenario() -> None:
        server = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rtserver", "serve", "--port", "0", "--cache-dir", str(tmp_path)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert server.stderr is not None
        try:
            said = [(await server.stderr.readline()).decode()]
            parent = psutil.Process(server.pid)
            await eventually(lambda: len(parent.children()) == 3, 30)
            children = parent.children()
            os.killpg(server.pid, number)
            said += (await asyncio.wait_for(server.stderr.read(), 30)).decode().splitlines()
            assert await server.wait() == 0
            assert said[-1].endswith("stopped while loading") and "Traceback" not in "".join(said)
            await eventually(lambda: not any(works(child) for child in children))
        finally:
            if server.returncode is None:
                os.killpg(server.pid, signal.SIGKILL)
                await server.wait()

    asyncio.run(scenario())


def works(process: psutil.Process) -> bool:
    """Whether a process is there and not over."""
    try:
        return process.status() not in _OVER
    except psutil.NoSuchProcess:
        return False
