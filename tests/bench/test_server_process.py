"""The processes of the server under measurement."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.load.server_process import ServerProcess

pytestmark = pytest.mark.engine

# A parent of one child that is named as the talker's is; both say when they run.
_CHILD = "import sys; print('runs', flush=True); sys.stdin.read()"
_PARENT = f"""
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", {_CHILD!r}, "rtserver.talker"]) as child:
    sum(range(10_000_000))
    print("runs", flush=True)
    child.wait()
"""


def test_processes_of_a_server_and_of_one_that_has_ended() -> None:
    """Its child is found by its command line and its time is counted; dead and waited for or not, it has none."""
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        server = ServerProcess("http://127.0.0.1:1", process.pid)
        assert [process.stdout.readline() for _ in range(2)] == [b"runs\n"] * 2
        assert list(server.children().values()) == ["talker"]
        assert server.processes() == {process.pid: "front", **server.children()}
        seconds = server.cpu_s()
        assert set(seconds) == {"client", "front", "talker"} and seconds["front"] > 0.05
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert server.children() == {}
        process.wait()
        assert server.children() == {} and set(server.cpu_s()) == {"client"}


def test_processes_of_a_server_that_was_there_before() -> None:
    """They are not known; this process's own are not taken for them."""
    with subprocess.Popen([sys.executable, "-c", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL):
        server = ServerProcess("http://127.0.0.1:1")
        assert server.children() == server.processes() == {} and set(server.cpu_s()) == {"client"}
