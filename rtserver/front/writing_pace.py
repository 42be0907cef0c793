"""How fast the text of one utterance comes. Pure: times are arguments, in seconds."""

from __future__ import annotations

from rtserver.ipc.engine import Writing

# A pace that was seen for a shorter time says nothing.
_LEAST_S = 0.1


class WritingPace:
    """Told of every piece of text."""

    def __init__(self) -> None:
        # When the first text came. None: none has come.
        self.first_text_s: float | None = None
        self._last_text_s = 0.0
        self._characters = 0  # after the first piece

    def note(self, characters: int, now_s: float) -> None:
        """A piece of text comes."""
        if self.first_text_s is None:
            self.first_text_s = now_s
        else:
            self._characters += characters
        self._last_text_s = now_s

    def age_s(self, now_s: float) -> float:
        """How long ago the first text came; 0 before it."""
        return 0.0 if self.first_text_s is None else now_s - self.first_text_s

    def writing(self, now_s: float) -> Writing:
        """What the engine is told."""
        written_s = 0.0 if self.first_text_s is None else self._last_text_s - self.first_text_s
        return Writing(self.age_s(now_s), self._characters / written_s if written_s >= _LEAST_S else None)
