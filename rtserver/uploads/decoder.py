"""One decoder process as the front sees it: a job at a time, killed when it takes too long or is not wanted."""

from __future__ import annotations

import asyncio
import socket

from rtserver.processes.program import EngineProcess, Program
from rtserver.uploads.errors import UploadError
from rtserver.uploads.jobs import ANSWER, DECODED, JOB, READY, DecodedWave

START_S = 60.0
# The alarm in the process comes behind the front's own limit, which can say what happened.
_ALARM_GRACE_S = 2.0


class DecoderLost(Exception):
    """The process has ended amid a job; it must be replaced."""


class Decoder:
    """Made by `start`. Whoever starts it ends it; after anything but an answer it is of no further use."""

    def __init__(self, process: EngineProcess, sock: socket.socket) -> None:
        self._process = process
        self._sock = sock

    @classmethod
    async def start(cls, program: Program) -> Decoder:
        """Starts the process, which is to be waited for with `become_ready`. Raises OSError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            return cls(await EngineProcess.start(program, theirs, verbose=False), ours)
        except BaseException:
            ours.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """False when it has ended between jobs; then its socket has come to an end, and says nothing otherwise."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    async def become_ready(self) -> None:
        """Waits until a new process has loaded what it needs. Raises OSError."""
        async with asyncio.timeout(START_S):
            said = await self._receive(len(READY))
        if said != READY:
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

    def kill(self) -> None:
        """Ends the process at once; a job in it fails."""
        self._process.kill()

    async def end(self) -> None:
        """Ends the process and gives back what it held here. No job may be in it."""
        self.kill()
        self._sock.close()
        await self._process.stop(patient=False)

    async def _ask(self, header: bytes, data: bytes) -> tuple[int, int, bytes]:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._sock, header)
        await loop.sock_sendall(self._sock, data)
        how, rate_hz, size = ANSWER.unpack(await self._receive(ANSWER.size))
        return how, rate_hz, await self._receive(size)

    async def _receive(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            count = await loop.sock_recv_into(self._sock, view)
            if not count:
                raise ConnectionResetError("the decoder has ended")
            view = view[count:]
        return bytes(buffer)
