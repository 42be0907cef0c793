"""The decoder process by itself: what it answers, and how it ends without a front."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from rtserver.processes.program import Program
from rtserver.uploads.jobs import ANSWER, DECODED, JOB, READY, REFUSED
from rtserver.uploads.process import pcm_s16
from rtserver.uploads.worker import PROGRAM
from tests.rtserver.uploads.files import RATE_HZ, sound_file, sweep
from tests.rtserver.uploads.hostile import HOSTILE


@contextlib.contextmanager
def running(program: Program) -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """A process that is ready, and the front's end of its socket."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with ours:
        with theirs:
            process = subprocess.Popen(program.command(theirs.fileno()), pass_fds=[theirs.fileno()])
        with process:
            try:
                assert ours.recv(1) == READY
                yield ours, process
            finally:
                process.kill()


def receive(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "the process has hung up"
        data += piece
    return data


def answer(sock: socket.socket) -> tuple[int, int, bytes]:
    how, rate_hz, size = ANSWER.unpack(receive(sock, ANSWER.size))
    return how, rate_hz, receive(sock, size)


@pytest.mark.engine
def test_jobs_are_answered_one_after_the_other() -> None:
    """Also those sent before the first is answered; it ends when the front closes."""
    wave = np.rint(sweep() * 32767).astype("<i2")
    data = sound_file("flac-16", wave)
    with running(PROGRAM) as (sock, process):
        sock.sendall(JOB.pack(4, 10.0, 60.0) + b"what" + JOB.pack(len(data), 10.0, 60.0) + data)
        how, rate_hz, message = answer(sock)
        assert (how, rate_hz) == (REFUSED, 0)
        assert message.endswith(b"found bytes that begin with b'what'")
        assert answer(sock) == (DECODED, RATE_HZ, wave.tobytes())
        sock.close()
        assert process.wait(60) == 0


@pytest.mark.engine
@pytest.mark.parametrize("part", [JOB.pack(100, 10.0, 60.0)[:5], JOB.pack(100, 10.0, 60.0) + b"some"])
def test_a_front_that_goes_amid_a_job_ends_the_process(part: bytes) -> None:
    """Without a word."""
    with running(PROGRAM) as (sock, process):
        sock.sendall(part)
        sock.close()
        assert process.wait(60) == 0


@pytest.mark.engine
def test_a_job_that_hangs_ends_its_process_when_the_front_is_gone(tmp_path: object) -> None:
    """The alarm does what the front cannot do any more."""
    hang = f"hang {tmp_path}/mark".encode()
    with running(HOSTILE) as (sock, process):
        sock.sendall(JOB.pack(len(hang), 10.0, 0.2) + hang)
        sock.close()
        assert process.wait(60) == -signal.SIGALRM


@pytest.mark.engine
def test_the_alarm_ends_with_its_job() -> None:
    """A process that waits for its next job is not ended by the last one's limit."""
    with running(HOSTILE) as (sock, process):
        sock.sendall(JOB.pack(7, 10.0, 0.05) + b"sound 5")
        assert answer(sock) == (DECODED, 16000, b"\x00\x40" * 5)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)


def test_samples_become_sixteen_bits() -> None:
    """What was 16 bits before comes out the same, the rest is rounded and clipped."""
    every = np.arange(-32768, 32768)
    assert np.array_equal(np.frombuffer(pcm_s16((every / 32768).astype(np.float32)), "<i2"), every)
    wave = np.array([1.0, 2.0, -1.0, -2.0, 0.6 / 32768, -0.4 / 32768], np.float32)
    assert np.frombuffer(pcm_s16(wave), "<i2").tolist() == [32767, 32767, -32768, -32768, 1, 0]
