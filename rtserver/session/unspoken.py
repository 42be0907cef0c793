"""The warnings of a context about characters that are left out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.messages import wire

MOST_PLACES = 100  # told of one context; a text in a script that the model cannot speak has thousands
_SHOWN_CHARACTERS = 60


class UnspokenWarnings:
    """Makes the warnings once the context has started, because `started` is its first message."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._started = False
        self._waiting: list[wire.Unspoken] = []
        self._told = 0

    def started(self) -> list[wire.Warning]:
        self._started = True
        waiting, self._waiting = self._waiting, []
        return self._warnings(waiting)

    def found(self, places: Sequence[tuple[int, str]]) -> list[wire.Warning]:
        """places: where each run of characters begins in the text, and the run."""
        places = places[: MOST_PLACES - self._told]
        self._told += len(places)
        found = [wire.Unspoken(text, offset) for offset, text in places]
        if self._started:
            return self._warnings(found)
        self._waiting += found
        return []

    def _warnings(self, found: list[wire.Unspoken]) -> list[wire.Warning]:
        if not found:
            return []
        shown = " ".join(place.text for place in found)
        shown = shown if len(shown) <= _SHOWN_CHARACTERS else shown[:_SHOWN_CHARACTERS] + "…"
        what = f"the model cannot speak these characters, and they are left out: {shown}"
        if self._told == MOST_PLACES:
            what += f" (no more than {MOST_PLACES} places are told)"
        return [wire.Warning(self._context, "unspoken", what, found)]
