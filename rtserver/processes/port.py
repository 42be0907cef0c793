"""A blocking message port over a socket, for the engine processes: one thread reads, everyone may write."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from dataclasses import dataclass

from rtserver.ipc.framing import FrameReader, Message, encode
from rtserver.messages.codec import MessageError


@dataclass(frozen=True)
class Lost:
    """The peer of a port is gone (closed, crashed, or sent nonsense)."""

    reason: str


Inbox = queue.SimpleQueue[Message | Lost]


class Port:
    """Puts what arrives on `sock` into `inbox`; the last one is a Lost."""

    def __init__(self, sock: socket.socket, inbox: Inbox) -> None:
        self._sock = sock
        self._inbox = inbox
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="port", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Writes one message. A dead peer is not an error here: the reader reports it."""
        frame = encode(message)
        with self._lock, contextlib.suppress(OSError):
            self._sock.sendall(frame)

    def close(self) -> None:
        """Closes the socket; the peer sees its end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _read(self) -> None:
        reader = FrameReader()
        reason = "closed"
        try:
            while data := self._sock.recv(1 << 18):
                for message in reader.feed(data):
                    self._inbox.put(message)
        except (OSError, MessageError) as error:
            reason = str(error)
        self._inbox.put(Lost(reason))


def inherited_socket(fd: int) -> socket.socket:
    """The connected socket a parent process passed as a file descriptor."""
    return socket.socket(fileno=fd)
