"""Tells systemd how the server is: that it is ready, that it stops, and, with WatchdogSec=, that its event loop turns.

The unit in `docs/operations.md` asks for all three. Without systemd nothing is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping

READY, STOPPING, ALIVE = b"READY=1", b"STOPPING=1", b"WATCHDOG=1"


class Systemd:
    """The socket of the service manager, if the environment names one."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        # systemd kills a server that has not said ALIVE for this long. 0: it does not watch.
        self._watchdog_s = int(environment.get("WATCHDOG_USEC", "0")) / 1e6

    def say(self, what: bytes) -> None:
        """Tells something. An error does not stop the server: a manager that hears nothing acts by itself."""
        if not self._address:
            return
        # A name in the abstract namespace is written with @ and has a zero byte there.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(what, address)

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Says ALIVE all the time, if systemd wants to hear it."""
        beating = asyncio.create_task(self._beat(), name="systemd")
        try:
            yield
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        while self._watchdog_s:
            self.say(ALIVE)
            await asyncio.sleep(self._watchdog_s / 3)
