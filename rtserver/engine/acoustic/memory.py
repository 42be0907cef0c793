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

    def __init__(
        self, models: AcousticModels, voice: FlowVoice, window_tokens: int | None = None, done_tokens: int = 0
    ) -> None:
        """window_tokens: the window that another process had, after whose samples this one goes on. With another window
        the join would be heard. done_tokens: the tokens of the open sequence whose samples are out; their keys and
        values are computed again."""
        self.reservation: FlowReservation | None = None
        self._models = models
        self._voice = voice
        self._window_tokens = window_tokens
        self._done_tokens = done_tokens

    def take(self, longest_tokens: int) -> None:
        """Takes memory for sequences of `longest_tokens`, and at least for those that the models promise. A longer one
        takes more as it grows. If there is not enough, for a window of the left context. Raises CacheFull."""
        models, memory, window = self._models, self._models.flow.memory, self._window_tokens
        if window is not None:
            with contextlib.suppress(CacheFull):
                tokens = max(longest_tokens, models.sequence_tokens)
                self.reservation = memory.reserve(
                    self._voice, tokens, min_window_tokens=window, max_window_tokens=window
                )
                return
        tokens = max(longest_tokens, models.promised_tokens, self._done_tokens)
        try:
            self.reservation = memory.reserve(self._voice, tokens, min_window_tokens=LEAST_WINDOW_TOKENS)
        except CacheFull as error:
            total_mib = memory.budget.total_bytes >> 20
            raise CacheFull(f"{error}; a larger kv_mib (--kv-mib) than {total_mib} has room for more streams") from None

    @property
    def window_tokens(self) -> int | None:
        """How many tokens of its own sound the flow sees before a hop. None: all of them."""
        frames = None if self.reservation is None else self.reservation.seen_frames
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
