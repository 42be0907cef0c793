"""The messages that wait for a process's working thread, and what that thread is doing."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from rtserver.ipc.message import Message
from rtserver.ipc.process import Pulse


@dataclass(frozen=True)
class Lost:
    """The parent is gone: it closed the socket, crashed, or sent what is no message."""

    reason: str


class Inbox:
    """Any thread puts messages in. Only the working thread takes them out, and looks whether there are some.

    So each look shows that the working thread goes on. The parent asks for this (`pulse`).
    """

    def __init__(self) -> None:
        # What the working thread works on until its next look, for the log. It is the working thread's to set.
        self.work = ""
        self._messages: queue.SimpleQueue[Message | Lost] = queue.SimpleQueue()
        self._turn = 0
        self._waits = False

    def put(self, message: Message | Lost) -> None:
        self._messages.put(message)

    def get(self, timeout: float | None = None) -> Message | Lost:
        """The next message. Waits for it, at most `timeout` seconds. Raises queue.Empty."""
        self._turn += 1
        self._waits = True
        try:
            return self._messages.get(timeout=timeout)
        finally:
            self._waits = False

    def get_nowait(self) -> Message | Lost:
        """Raises queue.Empty."""
        self._turn += 1
        return self._messages.get_nowait()

    def empty(self) -> bool:
        self._turn += 1
        return self._messages.empty()

    def pulse(self, number: int) -> Pulse:
        """What the working thread does now."""
        return Pulse(number, self._turn, self._waits, self.work)
