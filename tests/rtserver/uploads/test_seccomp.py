"""What a process without network can do. Each test is a process: what was forbidden stays so."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.engine

_CODE = """
import errno, os, socket, subprocess, sys
from rtserver.uploads.seccomp import forbid_network
here, there = socket.socketpair()
if not forbid_network():
    sys.exit(77)
here.sendall(b"x")
assert there.recv(1) == b"x"
for what in (
    lambda: socket.socket(),
    lambda: socket.socket(socket.AF_UNIX),
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: here.connect("/tmp/nowhere"),
    lambda: subprocess.run([sys.executable, "-c", ""]),
):
    try:
        what()
    except OSError as error:
        assert error.errno == errno.EPERM, error
    else:
        sys.exit("allowed")
import numpy, soundfile, av
print(numpy.ones(3).sum(), len(os.listdir("/")) > 0)
"""


def test_a_process_without_network_makes_no_socket_and_starts_no_program() -> None:
    """It uses the sockets that it has, reads files and calculates as before."""
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, timeout=60)
    if done.returncode == 77:
        pytest.skip("this system has no seccomp")
    assert done.returncode == 0 and done.stdout == "3.0 True\n", done.stderr
