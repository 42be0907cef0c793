"""What a front needs to speak: an engine, a reader, the places, and who counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rtserver.engine.api import Engine
from rtserver.front.tracer import Tracer
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import OpenText, Read
from rtserver.ipc.tracing import TraceParts
from rtserver.metrics.metrics import Metrics
from rtserver.processes.supervisor import ProcessHealth
from rtserver.schedule.admission import Admission


class OpenedText(Protocol):
    """The text of one utterance at the reader."""

    def write(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def end(self) -> None: ...
    def commit(self) -> None: ...
    def offer(self) -> None: ...
    def drop(self) -> None: ...


class TextReader(Protocol):
    """Turns text into segments, somewhere off the event loop."""

    @property
    def ready(self) -> bool: ...

    @property
    def processes(self) -> Mapping[str, ProcessHealth]:
        """The processes that read, by name."""

    @property
    def traces(self) -> TraceParts:
        """The processes that noted something of utterances."""

    def open(self, opening: OpenText, on_read: Callable[[Read | Failed], None]) -> OpenedText: ...


@dataclass(frozen=True)
class Backend:
    """There is one for all connections, once engine and reader have started."""

    engine: Engine
    reader: TextReader
    # Says whether another utterance has a place.
    admission: Admission
    # Is told what becomes of utterances, and who is refused.
    metrics: Metrics
    # Notes the way of each utterance, and is told of listeners who ran dry.
    tracer: Tracer

    @property
    def ready(self) -> bool:
        """Whether an utterance that comes now can be spoken."""
        return self.engine.ready and self.reader.ready

    @property
    def processes(self) -> Mapping[str, ProcessHealth]:
        """All processes of engine and reader, by name."""
        return {**self.reader.processes, **self.engine.processes}
