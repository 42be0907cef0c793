"""File descriptors for connections, and a reserve for the rest."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rtserver.commands.descriptors import RESERVE, Descriptors, with_descriptors
from rtserver.config import ConfigError, ServerConfig


@pytest.mark.parametrize(
    ("soft", "hard", "limit", "connections"),
    [
        (1024, 1 << 20, 2256, 2000),  # what most machines have
        (4096, 4096, 4096, 2000),  # more than is needed stays
        (1024, 1500, 1500, 1244),
        (256, 600, 600, 344),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_it_is_needed(soft: int, hard: int, limit: int, connections: int) -> None:
    """Two connections for each of 1,000 sockets, and a reserve. The hard limit is a bound."""
    assert Descriptors.planned(soft, hard, 1000) == Descriptors(limit, connections)
    assert limit - connections >= RESERVE


def test_the_limit_of_the_process_is_raised(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """And where the hard limit allows no more, there are fewer sockets, which the log says."""
    limits = [(1024, 1 << 20)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    config, planned = with_descriptors(ServerConfig(max_sockets=1000))
    assert limits[1:] == [(2256, 1 << 20)] and planned.connections == 2000
    assert config.max_sockets == 1000 and not caplog.records
    limits[:] = [(1024, 1024)]
    config, planned = with_descriptors(ServerConfig(max_sockets=1000))
    assert len(limits) == 1 and config.max_sockets == planned.connections == 768 and len(caplog.records) == 1


def test_too_few_descriptors_are_an_error() -> None:
    """It says what to do."""
    with pytest.raises(ConfigError, match="expected a limit of at least 272 open files, found 271: raise it"):
        Descriptors.planned(100, 271, 1000)


def live(port: int) -> int:
    """The status of `/v1/live`, once the server has noticed that the other connections are gone."""
    until_s = time.monotonic() + 20
    while True:
        health = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            health.request("GET", "/v1/live")
            return health.getresponse().status
        except ConnectionError:
            assert time.monotonic() < until_s
            time.sleep(0.05)
        finally:
            health.close()


@pytest.mark.engine
def test_a_server_full_of_connections_still_replaces_a_process(tmp_path: Path) -> None:
    """More connections than there are descriptors for are closed; a process that dies comes back meanwhile; when the
    connections go, everybody is served again."""
    command = [sys.executable, "-m", "rtserver", "serve", "--engine", "fake", "--language", "en", "--port", "0"]
    limited = ["sh", "-c", f'ulimit -n {RESERVE + 40}; exec "$@"', "sh", *command, "--cache-dir", str(tmp_path)]
    with subprocess.Popen(limited, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        try:
            begun = process.stderr.readline() + process.stderr.readline()
            assert "max_sockets is 40, not 1000: the limit of open files is 296" in begun
            with contextlib.ExitStack() as stack:
                for _ in range(RESERVE + 100):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                (reader,) = psutil.Process(process.pid).children()
                reader.kill()
                lines = iter(process.stderr.readline, "")
                assert any("it starts again in" in line for line in lines)
                while all(child.pid == reader.pid for child in psutil.Process(process.pid).children()):
                    time.sleep(0.05)
            assert live(port) == 200
        finally:
            process.terminate()
            told = process.stderr.read()
        assert process.wait(60) == 0, told
