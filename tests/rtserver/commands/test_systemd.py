"""What systemd is told, by way of a socket as systemd has it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from rtserver.commands.systemd import ALIVE, READY, Systemd


@pytest.mark.parametrize("abstract", [False, True])
def test_what_is_said_comes_to_its_socket(abstract: bool, tmp_path: Path) -> None:
    """At a path, or in the abstract namespace."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        manager.settimeout(5)
        Systemd({"NOTIFY_SOCKET": "@" + name if abstract else name}).say(READY)
        assert manager.recv(100) == b"READY=1"


def test_a_server_that_is_watched_says_that_it_lives(tmp_path: Path) -> None:
    """Three times in the time that systemd gives it, while the event loop turns."""
    name = str(tmp_path / "notify")

    async def scenario() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(name)
            manager.setblocking(False)
            loop = asyncio.get_running_loop()
            async with Systemd({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000"}).watched():
                said = [await asyncio.wait_for(loop.sock_recv(manager, 100), 5) for _ in range(3)]
            assert said == [ALIVE] * 3

    asyncio.run(scenario())


def test_without_systemd_nothing_is_said(tmp_path: Path) -> None:
    """And a manager that is gone stops nothing."""
    Systemd({}).say(READY)
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).say(READY)
