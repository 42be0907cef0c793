"""A pipe between the processes of the bench, in place of the server's socket.

The messages are the server's own, as Python objects: so no codec is needed.
"""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection

from rtserver.ipc.message import Message
from rtserver.processes.inbox import Inbox, Lost


class PipePort:
    """Puts what comes into `inbox`, as `Port` does."""

    def __init__(self, connection: Connection, inbox: Inbox) -> None:
        self._connection = connection
        self._inbox = inbox
        self._lock = threading.Lock()
        threading.Thread(target=self._read, name="port", daemon=True).start()

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)

    def _read(self) -> None:
        try:
            while True:
                self._inbox.put(self._connection.recv())
        except (EOFError, OSError) as error:
            self._inbox.put(Lost(str(error)))
