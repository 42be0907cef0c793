"""An utterance's quanta on their way to the talker and back, one at a time. Pure."""

from __future__ import annotations

from collections.abc import Callable

from rtserver.engine.acoustic.token_source import TokenSource
from rtserver.ipc.talker import SampleQuantum


class Quanta:
    """The owner says when something has `changed` that may make the next quantum another one."""

    def __init__(self, name: str, speech: TokenSource) -> None:
        self.changed = True
        self.waiting: SampleQuantum | None = None  # what the talker is at
        self.upcoming: SampleQuantum | None = None
        self.sent_s = 0.0  # when the last one went
        self._name = name
        self._speech = speech
        self._count = 0

    def next_sample(self, tokens: Callable[[], int]) -> SampleQuantum | None:
        """The quantum for the talker, of at most so many tokens; None while one is under way or nothing can be
        sampled."""
        if self.waiting is not None:
            return None
        if self.changed:
            self.changed = False
            quantum = self._speech.next_quantum(tokens())
            self.upcoming = None
            if quantum is not None:
                self.upcoming = SampleQuantum(
                    self._name,
                    self._count + 1,
                    quantum.ids,
                    quantum.max_tokens,
                    quantum.min_tokens,
                    quantum.stage.value,
                    quantum.history,
                    self._speech.quantum_seed,
                )
        return self.upcoming

    def sent(self, now_s: float) -> None:
        """The quantum went to the talker."""
        self.sent_s = now_s
        self.waiting, self.upcoming = self.upcoming, None
        self._count += 1

    def accept(self, quantum: int, ids: list[int]) -> bool:
        """Takes the talker's answer to the quantum under way; an answer to another one is late and dropped: False."""
        if self.waiting is None or quantum != self.waiting.quantum:
            return False
        self.waiting = None
        self.changed = True
        self._speech.accept(ids)
        return True
