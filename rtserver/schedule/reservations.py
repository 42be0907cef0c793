"""Conversations for which a place is kept: what they were promised, and what they use. Pure: time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

# A smaller share is refused: it would promise nothing, and its conversation would speak all the same.
LEAST_SHARE = 0.05
# A conversation may speak more than its share, but its lead is at most what its share gives in WINDOW_S, and GRACE_S.
WINDOW_S = 120.0
GRACE_S = 15.0


@dataclass
class Reservation:
    """The place of one conversation. It is kept while the conversation speaks about as much as it said, and not much
    less: one that is silent for `idle_s` loses its place, and one that speaks too much is treated like all others."""

    # The share of the time for which it speaks.
    share: float
    # How long it may be silent.
    idle_s: float
    # When it was made.
    since_s: float
    # Its utterances that are being made.
    speaking: int = 0
    # Whether its place is kept, as of the last `look`.
    kept: bool = True
    # Speech beyond its share.
    _ahead_s: float = 0.0
    _looked_s: float = field(init=False)
    _spoke_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._looked_s = self._spoke_s = self.since_s

    @property
    def silent(self) -> bool:
        """Whether nothing of it is being made."""
        return self.speaking == 0

    def begin(self, now_s: float) -> None:
        """An utterance of it is being made from now on."""
        self.look(now_s)
        self.speaking += 1

    def end(self, now_s: float) -> None:
        """An utterance of it is made."""
        self.look(now_s)
        self.speaking -= 1

    def look(self, now_s: float) -> None:
        """Counts the time since the last look."""
        passed_s = now_s - self._looked_s
        self._looked_s = now_s
        self._ahead_s = max(0.0, self._ahead_s + passed_s * ((not self.silent) - self.share))
        if not self.silent:
            self._spoke_s = now_s
        self.kept = not (self.overspent or self.is_idle(now_s))

    @property
    def overspent(self) -> bool:
        """Whether it has spoken much more than its share, lately."""
        return self._ahead_s > self.share * WINDOW_S + GRACE_S

    def is_idle(self, now_s: float) -> bool:
        """Whether it has been silent for too long."""
        return self.silent and now_s - self._spoke_s > self.idle_s

    def renew(self, now_s: float) -> None:
        """An idle one speaks again, and there is a place for it."""
        self._spoke_s = now_s
        self.look(now_s)
