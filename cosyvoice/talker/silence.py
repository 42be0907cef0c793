"""The original's filter between talker and flow: long runs of silent speech tokens are cut short."""

from __future__ import annotations

from collections.abc import Collection, Iterable


class SilenceGate:
    """Passes at most `max_run` consecutive silent tokens; any other token starts a new count. What it drops stays in
    the talker's own context."""

    def __init__(self, silent_ids: Collection[int], max_run: int) -> None:
        self._silent = frozenset(silent_ids)
        self._max_run = max_run
        self._run = 0

    def filter(self, tokens: Iterable[int]) -> list[int]:
        """The tokens that flow and vocoder see."""
        kept = []
        for token in tokens:
            self._run = self._run + 1 if token in self._silent else 0
            if self._run <= self._max_run:
                kept.append(token)
        return kept
