"""The memory of an utterance for the flow's keys and values."""

from __future__ import annotations

import contextlib

from cosyvoice.errors import CacheFull
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.voice import FlowVoice
from rtserver.engine.acoustic.models import LEAST_WINDOW_TOKENS, AcousticModels


class Memory:
    """Its sequences use it one after another. It is taken before the utterance speaks, so that it cannot run out of
    memory later."""

    def __init__(self, models: AcousticModels, voice: FlowVoice, window_tokens: int | None = None) -> None:
        """window_tokens: the window that another process had, after whose samples this one goes on. With another window
        the join would be heard."""
        self.reservation: FlowReservation | None = None
        self._models = models
        self._voice = voice
        self._window_tokens = window_tokens

    def take(self, longest_tokens: int) -> None:
        """Takes memory for sequences of `longest_tokens`, and at least for the longest that the talker makes. If there
        is not enough, for a window of the left context. Raises CacheFull."""
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
        """How many tokens of its own sound the flow sees before a hop. None: all of them."""
        frames = None if self.reservation is None else self.reservation.window_frames
        return None if frames is None else frames // self._models.flow.config.frames_per_token

    @property
    def window_s(self) -> float | None:
        """`window_tokens` in seconds."""
        tokens = self.window_tokens
        return None if tokens is None else tokens / self._models.config.token_rate_hz

    def close(self) -> None:
        """Gives the memory back. May be called again."""
        if self.reservation is not None:
            self.reservation.close()
            self.reservation = None
