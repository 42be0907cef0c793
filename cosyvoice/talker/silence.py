"""The original's filter between talker and flow: it shortens long runs of silent speech tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable


class SilenceGate:
    """Passes at most `max_run` silent tokens in a row; any other token starts a new count. The talker's own sequence
    keeps the tokens that are dropped here."""

    def __init__(self, silent_ids: Collection[int], max_run: int) -> None:
        self._silent = frozenset(silent_ids)
        self._max_run = max_run
        self._run = 0

    def filter(self, tokens: Iterable[int]) -> list[int]:
        """The tokens that go to the flow."""
        kept = []
        for token in tokens:
            self._run = self._run + 1 if token in self._silent else 0
            if self._run <= self._max_run:
                kept.append(token)
        return kept
