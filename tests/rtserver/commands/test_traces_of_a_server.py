"""What a whole server with its engine shows of itself on the machine: listeners, and temporary files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.engine

# What PyTorch's Gloo opens in the talker (docs/operations.md).
_MOST_GLOO_LISTENERS = 13


@contextmanager
def server(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A running server, and its port. It is stopped after the block, if it still runs."""
    command = [sys.executable, "-m", "rtserver", "serve", "--port", "0", "--language", "en"]
    process = subprocess.Popen(
        [*command, "--cache-dir", str(folder / "cache")],
        env={**os.environ, "TMPDIR": str(folder / "tmp"), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield process, int(line.rpartition(":")[2])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) is not None
        process.stdout.close()


def listeners(pid: int) -> list[tuple[str, str, int]]:
    """Program, address and port of each listener of a process and its descendants."""
    found = []
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        name = "front" if process.pid == pid else next(a for a in process.cmdline() if a.startswith("rtserver."))
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM:
                found.append((name, connection.laddr.ip, connection.laddr.port))
    return found


def test_only_documented_listeners_and_nothing_left_in_tmp(tmp_path: Path) -> None:
    """The front listens where it was told to, the talker on loopback alone, even where the environment names another
    interface. After a stop, a kill, another start and a stop nothing is left of the temporary files."""
    (tmp_path / "tmp").mkdir()
    others = [name for _, name in socket.if_nameindex() if name.startswith(("eth", "en"))]
    environment = {"GLOO_SOCKET_IFNAME": others[0]} if others else {}
    with server(tmp_path, environment) as (process, port):
        found = listeners(process.pid)
        assert [(address, number) for name, address, number in found if name == "front"] == [("127.0.0.1", port)]
        rest = [(name, address) for name, address, _ in found if name != "front"]
        assert set(rest) <= {("rtserver.engine.talker.process", "127.0.0.1")}
        assert len(rest) <= _MOST_GLOO_LISTENERS
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
    assert list((tmp_path / "cache" / "scratch").iterdir()) != []
    _, alive = psutil.wait_procs(children, 30)
    assert alive == []
    with server(tmp_path, environment):
        assert len(list((tmp_path / "cache" / "scratch").iterdir())) == 1
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
