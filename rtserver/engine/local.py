"""The engine on this machine: a talker process and an acoustic process, and their front side.

The front owns both processes. They are joined by a socket pair; the front talks to the acoustic process only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtserver.engine.engine import EngineError, Event
from rtserver.engine.process import EngineProcess
from rtserver.messages import (
    Audio,
    Cancel,
    Done,
    End,
    Failed,
    Fatal,
    Feed,
    FrameReader,
    Message,
    MessageError,
    Open,
    Progress,
    Ready,
    Segment,
    Shutdown,
    Started,
    encode,
)

OnProgress = Callable[[Progress], None]

_PEER_REPORT_S = 2.0


@dataclass(frozen=True)
class LocalOptions:
    """How the processes run. Threads: one for the talker (vLLM's CPU kernels stall when two threads contend for a
    core), the rest for the acoustic side."""

    talker_dtype: str = "float32"
    acoustic_threads: int = max(1, (os.cpu_count() or 2) - 1)
    max_streams: int = 32
    warm_voice: str = "default"  # prepared before the engine is ready
    warm_language: str | None = None
    cache_dir: Path | None = None
    verbose: bool = False


class LocalUtterance:
    """An utterance of a LocalEngine."""

    def __init__(self, engine: LocalEngine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    async def feed(self, segments: Sequence[Segment]) -> None:
        await self._engine.send(Feed(self._name, list(segments)))

    async def end(self) -> None:
        await self._engine.send(End(self._name))

    async def cancel(self) -> None:
        self._engine.forget(self._name)
        await self._engine.send(Cancel(self._name))

    async def events(self) -> AsyncIterator[Event]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Done | Failed):
                return

    @property
    def pending_events(self) -> int:
        """Events that have arrived and were not taken yet."""
        return self._queue.qsize()

    def put(self, event: Event) -> None:
        """Called by the engine as events arrive."""
        self._queue.put_nowait(event)


class LocalEngine:
    """Start it with `LocalEngine.start`."""

    def __init__(
        self, processes: Sequence[EngineProcess], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._processes = processes
        self._reader = reader
        self._writer = writer
        self._utterances: dict[str, LocalUtterance] = {}
        self._ready: Ready | None = None
        self._failure: str | None = None
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls, model: Path, options: LocalOptions | None = None, on_progress: OnProgress = lambda progress: None
    ) -> LocalEngine:
        """Starts both processes and waits until they can speak. EngineError when they cannot."""
        options = options or LocalOptions()
        front, acoustic_front = socket.socketpair()
        acoustic_talker, talker = socket.socketpair()
        cache = [] if options.cache_dir is None else ["--cache-dir", str(options.cache_dir)]
        arguments = ["--model", str(model), *cache]
        talker_arguments = ["--dtype", options.talker_dtype, "--max-streams", str(options.max_streams)]
        language = [] if options.warm_language is None else ["--warm-language", options.warm_language]
        warm = ["--warm-voice", options.warm_voice, *language]
        processes: list[EngineProcess] = []
        try:
            processes.append(
                await EngineProcess.start(
                    "talker",
                    "rtserver.engine.talker",
                    [*arguments, *talker_arguments],
                    [("--fd", talker)],
                    threads=1,
                    verbose=options.verbose,
                )
            )
            processes.append(
                await EngineProcess.start(
                    "acoustic",
                    "rtserver.engine.acoustic",
                    [*arguments, *warm],
                    [("--front-fd", acoustic_front), ("--talker-fd", acoustic_talker)],
                    threads=options.acoustic_threads,
                    verbose=options.verbose,
                )
            )
            reader, writer = await asyncio.open_connection(sock=front)
        except BaseException:
            for sock in (front, acoustic_front, acoustic_talker, talker):
                sock.close()
            await asyncio.gather(*(p.stop() for p in processes))
            raise
        engine = cls(processes, reader, writer)
        try:
            await engine._run(on_progress)
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def ready(self) -> Ready:
        assert self._ready is not None, "the engine has not started"
        return self._ready

    @property
    def process_ids(self) -> dict[str, int]:
        """The processes by name."""
        return {p.name: p.pid for p in self._processes}

    async def open(self, request: Open) -> LocalUtterance:
        if self._failure is not None:
            raise EngineError(self._failure)
        if request.utterance in self._utterances:
            raise ValueError(f"utterance {request.utterance!r} is already open")
        utterance = LocalUtterance(self, request.utterance)
        self._utterances[request.utterance] = utterance
        await self.send(request)
        return utterance

    async def send(self, message: Message) -> None:
        """Writes one message; a dead engine has already failed its utterances."""
        if self._failure is None:
            self._writer.write(encode(message))
            with contextlib.suppress(OSError):  # the watcher reports a death
                await self._writer.drain()

    def forget(self, name: str) -> None:
        """Delivers no more events of an utterance."""
        self._utterances.pop(name, None)

    async def close(self) -> None:
        self._closing = True
        await self.send(Shutdown())
        self._writer.close()
        await asyncio.gather(*(p.stop() for p in self._processes))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- reading ----------------------------------------------------------------------------------------------------

    async def _run(self, on_progress: OnProgress) -> None:
        """Starts the reader and the watchers; returns when the engine is ready."""
        ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._read(ready, on_progress), name="engine-reader")]
        self._tasks += [asyncio.create_task(self._watch(p, ready), name=f"watch-{p.name}") for p in self._processes]
        self._ready = await ready

    async def _read(self, ready: asyncio.Future[Ready], on_progress: OnProgress) -> None:
        frames = FrameReader()
        while data := await self._reader.read(1 << 18):
            try:
                messages = frames.feed(data)
            except MessageError as error:
                self._fail(str(error), ready)
                return
            for message in messages:
                match message:
                    case Progress():
                        on_progress(message)
                    case Ready():
                        if not ready.done():
                            ready.set_result(message)
                    case Fatal(part, text):
                        self._fail(f"the {part} process: {text}", ready)
                    case Started() | Audio() | Done() | Failed():
                        self._deliver(message)

    def _deliver(self, event: Event) -> None:
        utterance = self._utterances.get(event.utterance)
        if utterance is not None:
            utterance.put(event)
            if isinstance(event, Done | Failed):
                self.forget(event.utterance)

    async def _watch(self, process: EngineProcess, ready: asyncio.Future[Ready]) -> None:
        end = await process.wait()
        if process.lost_its_peer:  # the peer's own watcher tells why, unless the peer hangs
            await asyncio.sleep(_PEER_REPORT_S)
        if not self._closing:
            self._fail(end, ready)

    def _fail(self, reason: str, ready: asyncio.Future[Ready]) -> None:
        """Fails everything once: start-up, and each open utterance."""
        if self._failure is not None:
            return
        self._failure = reason
        if not ready.done():
            ready.set_exception(EngineError(reason))
        for name in list(self._utterances):
            self._deliver(Failed(name, "engine_lost", reason))
