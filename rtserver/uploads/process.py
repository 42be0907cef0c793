"""The decoder process: one recording at a time, in a sandbox. `python -m rtserver.uploads.process`.

Recordings are large and come from strangers. So it does not talk in messages, but in bytes after a fixed header
(jobs.py): neither side copies or parses more than it must.
"""

from __future__ import annotations

import importlib
import resource
import signal
import socket
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cosyvoice.voice.recording import Wave
from rtserver.processes.run_child import inherited_start
from rtserver.uploads.decode import decode
from rtserver.uploads.errors import UploadError
from rtserver.uploads.jobs import ANSWER, DECODED, JOB, READY, READY_UNCONFINED, REFUSED
from rtserver.uploads.seccomp import forbid_network

MEMORY_BYTES = 2 << 30

Decode = Callable[[bytes, float], tuple[Wave, int]]


def main() -> int:
    """Serves until the front is gone; the exit status."""
    sock, _ = inherited_start("decoder")
    importlib.import_module("soundfile")  # `read_wave` needs it: loaded before anything is forbidden
    confine(MEMORY_BYTES)
    has_no_network = forbid_network()
    with sock:
        serve(sock, decode, READY if has_no_network else READY_UNCONFINED)
    return 0


def confine(memory_bytes: int) -> None:
    """Bounds the memory of this process, and lets it write no file, a core dump with a client's voice neither."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve(sock: socket.socket, decode: Decode, ready: bytes = READY) -> None:
    """Says that it is ready, then answers job after job until the other end is closed."""
    sock.sendall(ready)
    while (header := _receive(sock, JOB.size)) is not None:
        size, max_s, limit_s = JOB.unpack(header)
        data = _receive(sock, size)
        if data is None:
            return
        # The front kills a decoder that hangs; should the front be gone, the alarm does.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        how, rate_hz, body = _answer(bytes(data), max_s, decode)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            sock.sendall(ANSWER.pack(how, rate_hz, len(body)))
            sock.sendall(body)
        except OSError:
            return


def pcm_s16(wave: Wave) -> bytes:
    """16-bit little-endian samples, clipped; what was 16 bits before comes out the same."""
    samples: NDArray[np.int16] = np.clip(np.rint(wave * np.float32(32768)), -32768, 32767).astype("<i2")
    return samples.tobytes()


def _answer(data: bytes, max_s: float, decode: Decode) -> tuple[int, int, bytes]:
    try:
        wave, rate_hz = decode(data, max_s)
        return DECODED, rate_hz, pcm_s16(wave)
    except UploadError as error:
        return REFUSED, 0, str(error).encode(errors="replace")
    except MemoryError:
        return REFUSED, 0, b"audio: expected a recording, found one that takes too much memory to decode"


def _receive(sock: socket.socket, size: int) -> bytearray | None:
    """Exactly `size` bytes; None when the other end is closed before."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        try:
            count = sock.recv_into(view)
        except OSError:
            return None
        if not count:
            return None
        view = view[count:]
    return buffer


if __name__ == "__main__":
    sys.exit(main())
