"""What an engine says, and the processes that say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from rtserver.engine.api import Event, EventStream
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Audio, Done, Open
from rtserver.ipc.reading import Segment
from rtserver.reader.text_front import TextFront, engine_segments


def process_ids(engine: LocalEngine) -> list[int]:
    pids = [h.pid for h in engine.processes.values()]
    assert None not in pids
    return [pid for pid in pids if pid is not None]


def read(front: TextFront, text: str) -> list[Segment]:
    stream = front.stream()
    return engine_segments([*stream.feed(text), *stream.end()])


async def speak(
    engine: LocalEngine,
    request: Open,
    segments: Sequence[Segment],
    on_event: Callable[[Event], None] = lambda event: None,
) -> list[Event]:
    """All events of one utterance whose text comes at once."""
    stream = EventStream()

    def put(event: Event) -> None:
        stream.put(event)
        on_event(event)

    utterance = engine.open(request, put)
    utterance.feed(segments)
    utterance.end()
    return [event async for event in stream]


def closing(events: list[Event]) -> Done:
    done = events[-1]
    assert isinstance(done, Done), done
    return done


def sound(events: Sequence[Event]) -> np.ndarray:
    """The samples, in order, without gap or repeat."""
    pcm = b""
    for event in events:
        if isinstance(event, Audio):
            assert event.start_s == pytest.approx(len(pcm) / 48000)
            pcm += event.pcm
    return np.frombuffer(pcm, "<i2").astype(np.float64)
