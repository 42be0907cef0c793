"""An utterance's room for the flow's keys and values."""

from __future__ import annotations

import contextlib

from cosyvoice.errors import CacheFull
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.voice import FlowVoice
from rtserver.engine.acoustic.models import LEAST_WINDOW_TOKENS, AcousticModels


class Memory:
    """For its sequences one after another, taken before it speaks, so that it need not be stopped later."""

    def __init__(self, models: AcousticModels, voice: FlowVoice, window_tokens: int | None = None) -> None:
        """window_tokens: of another process, behind whose samples it goes on: another window would be heard."""
        self.reservation: FlowReservation | None = None
        self._models = models
        self._voice = voice
        self._window_tokens = window_tokens

    def take(self, longest_tokens: int) -> None:
        """For sequences of at most so many tokens, or as many as any has; where that is short, for a window of the left
        context. Raises CacheFull."""
        memory, window = self._models.flow.memory, self._window_tokens
        tokens = max(longest_tokens, self._models.sequence_tokens)
        if window is not None:
            with contextlib.suppress(CacheFull):
                self.reservation = memory.reserve(
                    self._voice, tokens, min_window_tokens=window, max_window_tokens=window
                )
                return
        self.reservation = memory.reserve(self._voice, tokens, min_window_tokens=LEAST_WINDOW_TOKENS)

    @property
    def window_tokens(self) -> int | None:
        """To how much of its own sound the flow's left context is bounded; None: to all of it."""
        frames = None if self.reservation is None else self.reservation.window_frames
        return None if frames is None else frames // self._models.flow.config.frames_per_token

    @property
    def window_s(self) -> float | None:
        """The same in seconds."""
        tokens = self.window_tokens
        return None if tokens is None else tokens / self._models.config.token_rate_hz

    def close(self) -> None:
        """Gives it back. May be called again."""
        if self.reservation is not None:
            self.reservation.close()
            self.reservation = None
