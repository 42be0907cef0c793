"""Utterances that wait until a voice or a source is prepared, and the messages to them meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rtserver.ipc.engine import Open
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared


@dataclass
class Waiting:
    """One such utterance."""

    request: Open
    # When it was opened.
    since_s: float
    # What is not prepared yet.
    missing: set[PreparationKey]
    # What it was told meanwhile, with the times.
    said: list[tuple[float, Message]] = field(default_factory=list)


class Unprepared:
    """Times are the caller's clock."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, name: str) -> bool:
        return name in self._waiting

    def add(self, request: Open, missing: Sequence[Prepare], now_s: float) -> list[Prepare]:
        """An utterance waits for these. Returns those that were not asked for yet."""
        asked = {key for waiting in self._waiting.values() for key in waiting.missing}
        self._waiting[request.utterance] = Waiting(request, now_s, {p.key for p in missing})
        return [p for p in missing if p.key not in asked]

    def say(self, name: str, message: Message, now_s: float) -> None:
        """Keeps a message to an utterance that waits."""
        self._waiting[name].said.append((now_s, message))

    def prepared(self, prepared: Prepared) -> list[Waiting]:
        """Something is prepared, or failed. Returns the utterances that wait for nothing any more, in the order in
        which they came. An error ends the waiting of all that wanted it."""
        over = []
        for name, waiting in list(self._waiting.items()):
            if prepared.key not in waiting.missing:
                continue
            waiting.missing.remove(prepared.key)
            if prepared.pieces is not None:
                waiting.request = replace(waiting.request, source_pieces=prepared.pieces)
            if prepared.code or not waiting.missing:
                over.append(waiting)
                del self._waiting[name]
        return over

    def drop(self, name: str) -> list[PreparationKey]:
        """Forgets an utterance, if it is one of these. Returns what need not be prepared any more."""
        dropped = self._waiting.pop(name, None)
        return [] if dropped is None else self.unwanted(dropped)

    def unwanted(self, over: Waiting) -> list[PreparationKey]:
        """What one that is over still missed and no other misses. Recordings of clients only: nobody may have them
        prepared who is gone. A voice of the catalogue is prepared all the same, because others will ask for it."""
        own = [key for key in over.missing if key.kind != "voice"]
        return [key for key in own if not any(key in w.missing for w in self._waiting.values())]
