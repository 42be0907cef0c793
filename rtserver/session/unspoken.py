"""The warnings of a context about characters that are left out, and tags that are not obeyed as written. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.ipc.reading import NotAsWritten
from rtserver.messages import wire

MOST_PLACES = 100  # told of one context; a text in a script that the model cannot speak has thousands
_SHOWN_CHARACTERS = 120


class UnspokenWarnings:
    """Makes the warnings. Places that are found before the context has started wait for that: `started` is its first
    message."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._started = False
        self._waiting: list[NotAsWritten] = []
        self._told = 0

    def started(self) -> list[wire.Warning]:
        self._started = True
        waiting, self._waiting = self._waiting, []
        return self._warnings(waiting)

    def found(self, places: Sequence[NotAsWritten]) -> list[wire.Warning]:
        """The reader found these places. Returns the warnings that can be told now."""
        places = places[: MOST_PLACES - self._told]
        self._told += len(places)
        if self._started:
            return self._warnings(places)
        self._waiting += places
        return []

    def _warnings(self, places: Sequence[NotAsWritten]) -> list[wire.Warning]:
        left_out = [wire.Unspoken(text, offset) for offset, text, reason in places if not reason]
        tags = [
            wire.Warning(self._context, "markup", f"{text} at {offset}: {reason}", [wire.Unspoken(text, offset)])
            for offset, text, reason in places
            if reason
        ]
        return [*self._left_out(left_out), *tags]

    def _left_out(self, found: list[wire.Unspoken]) -> list[wire.Warning]:
        if not found:
            return []
        shown = ", ".join(f"{place.text} at {place.offset}" for place in found)
        shown = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"
        what = f"the model cannot speak these characters, and they are left out (with their places): {shown}"
        if self._told == MOST_PLACES:
            what += f" (no more than {MOST_PLACES} places are told)"
        return [wire.Warning(self._context, "unspoken", what, found)]
