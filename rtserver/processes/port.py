"""A child's end of the socket to its parent: one thread reads, every thread may write and blocks until it is done."""

from __future__ import annotations

import contextlib
import socket
import threading

from rtserver.ipc.framing import FrameReader, encode
from rtserver.ipc.message import Message
from rtserver.ipc.process import AskPulse
from rtserver.messages.codec import MessageError
from rtserver.processes.inbox import Inbox, Lost


class Port:
    """Puts every message that comes from `sock` into `inbox`, and a Lost as the last. It answers AskPulse itself, so
    that the parent learns what the working thread does while that thread works."""

    def __init__(self, sock: socket.socket, inbox: Inbox) -> None:
        self._sock = sock
        self._inbox = inbox
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="port", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Writes one message. A parent that is gone is no error here: the inbox tells it."""
        frame = encode(message)
        with self._lock, contextlib.suppress(OSError):
            self._sock.sendall(frame)

    def wait_for_end(self) -> None:
        """Waits until the parent is gone, or the socket is closed here."""
        self._thread.join()

    def close(self) -> None:
        """Closes the socket. The parent sees its end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _read(self) -> None:
        reader = FrameReader()
        reason = "closed"
        try:
            while data := self._sock.recv(1 << 18):
                for message in reader.feed(data):
                    if isinstance(message, AskPulse):
                        self.send(self._inbox.pulse(message.number))
                    else:
                        self._inbox.put(message)
        except (OSError, MessageError) as error:
            reason = str(error)
        self._inbox.put(Lost(reason))
