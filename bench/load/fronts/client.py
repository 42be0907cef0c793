"""A client that knows just enough WebSocket to receive sound, and counts bytes. front.py starts it. By hand:

    cd bench && python -m fronts.client --port 8790 --path /sound --connections 50 --core 1

It opens its sockets and prints `talking` when sound comes on all of them. Then it reads lines on its standard input: it
counts between `begin` and `end`, and answers in JSON. After the first whole frame of a socket it parses nothing: all
later frames have one size, so their number is a division. A frame is late by the time that it comes later than the most
punctual frame of its socket lets expect.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Iterable

FRAME_BYTES = 4812  # a header of 12 bytes and 100 ms of 24 kHz PCM
FRAME_S = 0.1
WIRE_BYTES = FRAME_BYTES + 4  # with the WebSocket's own header
LATE_S = 0.05
PONG = bytes([0x8A, 0x80, 0, 0, 0, 0])  # sent regularly, so that no server takes the client for dead
_ALIVE_S = 15.0
_TAKE_BYTES = 1 << 20


class Line:
    """One socket. `frames`: whole frames so far, counted from the first whole one."""

    def __init__(self, sock: socket.socket, start: bytes) -> None:
        self.sock = sock
        self.arrivals_s: array[float] | None = None
        self.frames = 0
        self._bytes = 0
        self._head: bytearray | None = bytearray()
        if start:
            sock.sendall(text_frame(start))

    @property
    def talks(self) -> bool:
        """Whether a whole frame has come."""
        return self._head is None

    def take(self, buffer: bytearray) -> int:
        """Takes the bytes that have come. Returns their number."""
        # Bytes that are only counted are not copied out of the kernel.
        size = self.sock.recv_into(buffer, _TAKE_BYTES, 0 if self._head is not None else socket.MSG_TRUNC)
        if self._head is not None:
            self._head += buffer[:size]
            start = first_frame(self._head)
            if start is not None:
                self._bytes = len(self._head) - start
                self._head = None
        else:
            self._bytes += size
        frames = self._bytes // WIRE_BYTES
        if self.arrivals_s is not None and frames > self.frames:
            self.arrivals_s.extend([time.monotonic()] * (frames - self.frames))
        self.frames = frames
        return size


def text_frame(payload: bytes) -> bytes:
    """A masked text frame of at most 125 bytes. The mask is zero, so the payload stays as it is."""
    return bytes([0x81, 0x80 | len(payload)]) + bytes(4) + payload


def first_frame(received: bytes | bytearray) -> int | None:
    """The position of the first frame of FRAME_BYTES."""
    at = 0
    while at + 4 <= len(received):
        length, header = received[at + 1], 2
        if length == 126:
            (length,), header = struct.unpack_from(">H", received, at + 2), 4
        if length == FRAME_BYTES:
            return at
        at += header + length
    return None


def lateness_s(arrivals_s: Iterable[float]) -> list[float]:
    """How late each frame of a socket is."""
    behind_s = [arrival_s - index * FRAME_S for index, arrival_s in enumerate(arrivals_s)]
    return [late - min(behind_s) for late in behind_s]


def connect(port: int, path: str) -> socket.socket:
    """An open WebSocket. Bytes that came with the answer to the handshake are still in the socket."""
    sock = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", "",
    ]  # fmt: skip
    sock.sendall("\r\n".join(lines).encode())
    while b"\r\n\r\n" not in (answer := sock.recv(4096, socket.MSG_PEEK)):
        time.sleep(0.001)
    head, _, _ = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"expected a WebSocket, found {head[:100]!r}")
    sock.recv(len(head) + 4)
    sock.setblocking(False)
    return sock


class Client:
    """All sockets of a measurement."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._lines: dict[int, Line] = {}
        self._epoll = select.epoll()
        self._buffer = bytearray(_TAKE_BYTES)
        self._bytes = 0
        self._alive_at_s = time.monotonic() + _ALIVE_S

    def open(self) -> None:
        """Opens all sockets, spread out at random as calls are. Otherwise servers would send all frames at the same
        moment."""
        args, chance = self._args, random.Random(0)
        for _ in range(args.connections):
            if args.spread_s:
                self._turn_until(time.monotonic() + chance.expovariate(args.connections / args.spread_s))
            line = Line(connect(args.port, args.path), args.start.encode())
            self._lines[line.sock.fileno()] = line
            self._epoll.register(line.sock.fileno(), select.EPOLLIN)
        while not all(line.talks for line in self._lines.values()):
            self._turn(1.0)

    def measure(self) -> dict[str, object]:
        """Counts from `begin` to `end` on the standard input."""
        self._until_told("begin")
        begun_s, cpu_s, self._bytes = time.monotonic(), time.process_time(), 0
        frames = sum(line.frames for line in self._lines.values())
        for line in self._lines.values():
            line.arrivals_s = array("d") if self._args.arrivals else None
        self._until_told("end")
        measured: dict[str, object] = {
            "wall_s": time.monotonic() - begun_s,
            "cpu_s": time.process_time() - cpu_s,
            "bytes": self._bytes,
            "frames": sum(line.frames for line in self._lines.values()) - frames,
        }
        return measured | self._late() if self._args.arrivals else measured

    def _late(self) -> dict[str, object]:
        late_s = sorted(late for line in self._lines.values() for late in lateness_s(line.arrivals_s or ()))
        if not late_s:
            return {}
        at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {
            "late_ms": {name: round(1000 * late_s[int(share * (len(late_s) - 1))], 2) for name, share in at.items()},
            "late_frames": sum(late > LATE_S for late in late_s),
            "fewest_frames": min(len(line.arrivals_s or ()) for line in self._lines.values()),
        }

    def _until_told(self, word: str) -> None:
        stdin = sys.stdin.fileno()
        self._epoll.register(stdin, select.EPOLLIN)
        while self._turn(1.0) != word:
            pass
        self._epoll.unregister(stdin)

    def _turn_until(self, at_s: float) -> None:
        while (left_s := at_s - time.monotonic()) > 0:
            self._turn(left_s)

    def _turn(self, within_s: float) -> str | None:
        """Takes the bytes that have come on any socket. Returns a line of the standard input, if there is one."""
        said = None
        for fileno, _ in self._epoll.poll(within_s):
            if fileno == sys.stdin.fileno():
                said = os.read(fileno, 100).decode().strip()
                continue
            size = self._lines[fileno].take(self._buffer)
            if size == 0:
                raise RuntimeError("expected sound to the end, found a closed socket")
            self._bytes += size
        if (now_s := time.monotonic()) > self._alive_at_s:
            self._alive_at_s = now_s + _ALIVE_S
            for line in self._lines.values():
                line.sock.send(PONG)
        return said


def main(args: argparse.Namespace) -> None:
    """Works for front.py."""
    client = Client(args)
    client.open()
    print("talking", flush=True)
    print(json.dumps(client.measure()), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--start", default="", metavar="TEXT", help="a message to send first")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--spread-s", type=float, default=0.0, metavar="S", help="open the sockets over this time")
    parser.add_argument("--arrivals", action="store_true", help="record when each frame came")
    parser.add_argument("--core", type=int, help="the CPU core to run on")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    main(options)
