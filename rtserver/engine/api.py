"""The engine's interface: text ids in, audio events out. The front talks to nothing else of it.

Everything except `close` returns at once. What an engine cannot take yet, while it starts again for example, it keeps
in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Hungry, Load, Open, Ready, Rested, Started, Writing
from rtserver.ipc.reading import Segment
from rtserver.ipc.tracing import TraceParts
from rtserver.processes.supervisor import ProcessHealth

Event = Started | Audio | Hungry | Rested | Flushed | Done | Failed
OnEvent = Callable[[Event], None]


class EngineError(RuntimeError):
    """The engine could not start, or is gone."""


class EngineUtterance(Protocol):
    """One stream of text to one stream of speech. Calls after its last event, or after `cancel`, do nothing."""

    def feed(self, segments: Sequence[Segment], writing: Writing | None = None) -> None:
        """Appends text. writing: how fast it is written; None: not known."""

    def flush(self, flush_id: str) -> None:
        """Text so far is spoken to its end; Flushed follows its last Audio. Later text begins a new sequence."""

    def end(self) -> None:
        """No more text: Done follows the last Audio."""

    def cancel(self) -> None:
        """Stops sound and work. No event follows."""

    def heard(self, position_s: float) -> None:
        """The listener reports its playback position."""

    def hold(self, on: bool) -> None:
        """Stops work while the sound is not taken, or lets it go on."""


class Engine(Protocol):
    """Speaks any number of utterances at once."""

    @property
    def info(self) -> Ready:
        """What the engine has loaded. Known from the first time it was ready."""

    @property
    def ready(self) -> bool:
        """True while an utterance opened now can be spoken."""

    @property
    def live(self) -> int:
        """Utterances that are open."""

    @property
    def load(self) -> Load | None:
        """The last report of the engine's work; None before the first, and for an engine that gives none."""

    @property
    def processes(self) -> Mapping[str, ProcessHealth]:
        """The engine's processes by name; none for one that speaks in this process."""

    @property
    def traces(self) -> TraceParts:
        """The processes that noted something of utterances; none for an engine that notes nothing."""

    def open(self, request: Open, on_event: OnEvent) -> EngineUtterance:
        """Starts an utterance. Its events (Started, then Audio, Hungry, Rested and Flushed in order, closed by Done or
        Failed) come through `on_event`, on the event loop's thread, never during a call into the engine. Raises
        EngineError when the engine is gone for good, ValueError for a name that is taken."""

    async def close(self) -> None:
        """Ends all utterances and processes."""


class EventStream:
    """Events as an async iterator that ends after Done or Failed: pass `put` as `on_event`."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    def put(self, event: Event) -> None:
        self._queue.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            event = await self._queue.get()
            yield event
            if isinstance(event, Done | Failed):
                return
