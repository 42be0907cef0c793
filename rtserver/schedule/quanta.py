"""The quanta of one utterance: one at a time goes to the talker and comes back. Pure."""

from __future__ import annotations

from collections.abc import Callable

from cosyvoice.talker.layout import Quantum
from rtserver.schedule.speech import QuantumSource


class Quanta:
    """Remembers the quantum that the talker works on, and the one that comes next."""

    def __init__(self, speech: QuantumSource) -> None:
        # The quantum that the talker works on.
        self.waiting: Quantum | None = None
        # The quantum that goes next, as far as it is known.
        self.upcoming: Quantum | None = None
        # How many quanta went to the talker: the number of the last one.
        self.number = 0
        # When the last one went.
        self.sent_s = 0.0
        self._speech = speech
        self._changed = True

    def changed(self) -> None:
        """Something happened that may make the next quantum another one."""
        self._changed = True

    def next(self, tokens: Callable[[], int]) -> Quantum | None:
        """The quantum for the talker, of at most `tokens()` tokens. None while one is under way, and when nothing can
        be sampled."""
        if self.waiting is not None:
            return None
        if self._changed:
            self._changed = False
            self.upcoming = self._speech.next_quantum(tokens())
        return self.upcoming

    def lengthen(self, tokens: int) -> Quantum | None:
        """The quantum that `next` gave, now of at most `tokens` tokens if that is more."""
        if self.upcoming is not None and tokens > self.upcoming.max_tokens:
            self.upcoming = self._speech.next_quantum(tokens)
        return self.upcoming

    @property
    def under_way(self) -> int | None:
        """The number of the quantum that the talker works on."""
        return None if self.waiting is None else self.number

    def sent(self, now_s: float) -> int:
        """The next quantum went to the talker. Returns its number."""
        self.sent_s = now_s
        self.waiting, self.upcoming = self.upcoming, None
        self.number += 1
        return self.number

    def accept(self, number: int, ids: list[int]) -> bool:
        """Takes the talker's answer to the quantum under way. False for an answer to another one: it is late, and is
        dropped."""
        if self.waiting is None or number != self.number:
            return False
        self.waiting = None
        self._changed = True
        self._speech.accept(ids)
        return True
