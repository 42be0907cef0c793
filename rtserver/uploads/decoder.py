"""The front's side of the talk with one decoder process: a job at a time."""

from __future__ import annotations

import asyncio
import logging
import socket

from rtserver.processes.child import Child
from rtserver.uploads.errors import UploadError
from rtserver.uploads.jobs import ANSWER, DECODED, JOB, READY, READY_UNCONFINED, DecodedWave

_LOG = logging.getLogger(__name__)

START_S = 60.0
# The alarm in the process goes off after the front's own limit, which can say what happened.
_ALARM_GRACE_S = 2.0


class DecoderLost(Exception):
    """The process has ended during a job. It must be replaced."""


class Decoder:
    """Uses a new `child`, and never stops it. After anything but an answer the child is of no further use."""

    def __init__(self, child: Child) -> None:
        self.child = child

    @property
    def usable(self) -> bool:
        """False when the process has ended between jobs: only then is there something to read from its socket."""
        try:
            self.child.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def become_ready(self) -> None:
        """Waits until a new process has loaded what it needs. Raises OSError."""
        async with asyncio.timeout(START_S):
            said = await self._receive(len(READY))
        if said == READY_UNCONFINED:
            _LOG.warning("the decoder of recordings may use the network: this system cannot forbid it (no seccomp)")
        elif said != READY:
            raise ConnectionError(f"expected {READY!r}, found {said!r}")

    async def decode(self, data: bytes, max_s: float, limit_s: float) -> DecodedWave:
        """Raises UploadError for what cannot be decoded, TimeoutError after `limit_s`, DecoderLost."""
        try:
            async with asyncio.timeout(limit_s):
                how, rate_hz, body = await self._ask(JOB.pack(len(data), max_s, limit_s + _ALARM_GRACE_S), data)
        except TimeoutError:
            raise
        except OSError as error:
            raise DecoderLost(str(error)) from error
        if how == DECODED:
            return DecodedWave(body, rate_hz, len(body) / 2 / rate_hz)
        raise UploadError(body.decode(errors="replace"))

    async def _ask(self, header: bytes, data: bytes) -> tuple[int, int, bytes]:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.child.socket, header)
        await loop.sock_sendall(self.child.socket, data)
        how, rate_hz, size = ANSWER.unpack(await self._receive(ANSWER.size))
        return how, rate_hz, await self._receive(size)

    async def _receive(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            count = await loop.sock_recv_into(self.child.socket, view)
            if not count:
                raise ConnectionResetError("the decoder has ended")
            view = view[count:]
        return bytes(buffer)
