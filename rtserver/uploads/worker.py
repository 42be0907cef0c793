"""Decodes uploads in separate processes, which may crash and hang: they are replaced, and the server goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rtserver.processes.child import Child, ChildError
from rtserver.processes.program import Program
from rtserver.uploads.decoder import Decoder, DecoderLost
from rtserver.uploads.errors import UploadError
from rtserver.uploads.fair_queue import FairQueue
from rtserver.uploads.jobs import DecodedWave

PROGRAM = Program("decoder", ("-m", "rtserver.uploads.process"), nice=5)
LIMIT_S = 10.0
MAX_WAITING = 16


@dataclass
class _Place:
    """Room for one decoder process. It is started when there is something to decode."""

    decoder: Decoder | None = None
    starting: asyncio.Task[None] | None = None


class DecodeWorkers:
    """A process for each of `workers`, started on first use. Another `waiting` uploads may wait for one; tenants have
    their turns.

    limit_s: how long one upload may take. Then its process is killed. So is the process of a `decode` that is
    cancelled. The next upload gets a new one.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        waiting: int = MAX_WAITING,
        limit_s: float = LIMIT_S,
        program: Program = PROGRAM,
    ) -> None:
        self._limit_s = limit_s
        self._program = program
        self._places = [_Place() for _ in range(workers)]
        self._free = list(self._places)  # the last is used first: it is the one that runs
        self._waiting: FairQueue[asyncio.Future[_Place]] = FairQueue(waiting)
        self._room = workers + waiting
        self._uploads = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The processes that decode or wait for something to decode."""
        return [place.decoder.child.pid for place in self._places if place.decoder is not None]

    async def decode(self, data: bytes, max_s: float, tenant: str = "") -> DecodedWave:
        """The recording as 16-bit mono. Raises UploadError."""
        self._uploads += 1
        self._idle.clear()
        try:
            place = await self._place(tenant)
            try:
                return await self._decode_in(place, data, max_s)
            finally:
                self._release(place)
        finally:
            self._uploads -= 1
            if not self._uploads:
                self._idle.set()

    async def _place(self, tenant: str) -> _Place:
        """A place, when it is this upload's turn. Raises UploadError when too many wait."""
        if self._free:
            return self._free.pop()
        turn: asyncio.Future[_Place] = asyncio.get_running_loop().create_future()
        displaced = self._waiting.add(tenant, turn)
        if displaced is not None:
            text = f"expected at most {self._room} uploads at a time, found another"
            displaced.set_exception(UploadError(text, "overloaded"))
        try:
            return await turn
        except asyncio.CancelledError:
            self._waiting.remove(tenant, turn)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release(turn.result())
            raise

    def _release(self, place: _Place) -> None:
        while (turn := self._waiting.pop()) is not None:
            if not turn.done():
                turn.set_result(place)
                return
        self._free.append(place)

    async def close(self) -> None:
        """Ends all processes; uploads in work and those that wait are refused."""
        self._closed = True
        for place in self._places:
            if place.decoder is not None:
                place.decoder.child.kill()
        await self._idle.wait()
        if starting := [place.starting for place in self._places if place.starting is not None]:
            await asyncio.wait(starting)
        for place in self._places:
            self._vacate(place)
        while self._ending:
            await asyncio.wait(self._ending)

    async def _decode_in(self, place: _Place, data: bytes, max_s: float) -> DecodedWave:
        decoder = await self._occupy(place)
        try:
            return await decoder.decode(data, max_s, self._limit_s)
        except UploadError:  # an answer like another: the process is fit for what follows
            raise
        except TimeoutError as error:
            self._vacate(place)
            raise UploadError(f"audio: expected to decode it within {self._limit_s:g} s, found more work") from error
        except DecoderLost as error:
            self._vacate(place)
            self._refuse_when_closed()
            if not decoder.child.hung:
                raise UploadError("audio: expected a recording, found bytes that end the decoder") from error
        except BaseException:
            self._vacate(place)
            raise
        # A signal had stopped it, which is not the recording's fault.
        return await self._decode_in(place, data, max_s)

    async def _occupy(self, place: _Place) -> Decoder:
        """The place's process, a new one if need be, ready for work."""
        self._refuse_when_closed()
        if place.starting is None and (place.decoder is None or not place.decoder.usable):
            self._vacate(place)
            place.starting = asyncio.create_task(self._start(place), name="start-decoder")
        if place.starting is not None:
            # The start goes on when this upload is cancelled: whoever comes next needs the process as well.
            await asyncio.shield(place.starting)
        assert place.decoder is not None
        return place.decoder

    async def _start(self, place: _Place) -> None:
        try:
            place.decoder = Decoder(await Child.start(self._program))
            self._refuse_when_closed()
            await place.decoder.become_ready()
        except (ChildError, OSError, UploadError) as error:
            self._vacate(place)
            self._refuse_when_closed()
            raise UploadError("expected to start a decoder, found that it does not start", "overloaded") from error
        finally:
            place.starting = None

    def _vacate(self, place: _Place) -> None:
        """Ends a place's process. A task in the background waits for the end."""
        decoder, place.decoder = place.decoder, None
        if decoder is not None:
            decoder.child.kill()
            task = asyncio.create_task(decoder.child.stop(patient=False), name=f"end-decoder-{decoder.child.pid}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise UploadError("expected a server that goes on, found one that is closing", "overloaded")
