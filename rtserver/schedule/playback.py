"""What a listener has heard, from what was sent and what it reports. Pure: time is an argument, in seconds."""

from __future__ import annotations

from dataclasses import dataclass

# A listener's clock may run a little ahead of ours, and a report may have been made before it was read here.
_TOLERANCE_S = 0.25


@dataclass
class Playback:
    """One utterance's playback. A listener plays in real time from the first sample on. When nothing is left, it stands
    still until more comes."""

    # Audio sent so far.
    sent_s: float = 0.0
    # How often, and how long, it stood still between two sounds.
    gaps: int = 0
    gap_s: float = 0.0
    # Whether the listener has ever reported its position.
    reported: bool = False
    # When the first sound was sent.
    begun_s: float = 0.0
    # What was heard at the time _at_s.
    _position_s: float = 0.0
    _at_s: float = 0.0

    @property
    def begun(self) -> bool:
        """True once audio was sent."""
        return self.sent_s > 0

    def sent(self, seconds: float, now_s: float) -> float:
        """Counts audio handed to the listener. Returns how long it had stood still for it (0 for the first)."""
        gap_s = 0.0
        if not self.sent_s:
            self.begun_s = self._at_s = now_s
        elif now_s > self.dry_at_s:
            gap_s = now_s - self.dry_at_s
            self.gaps += 1
            self.gap_s += gap_s
            self._position_s, self._at_s = self.sent_s, now_s
        self.sent_s += seconds
        return gap_s

    def report(self, position_s: float, now_s: float) -> None:
        """Takes the position that the listener reports. No listener plays faster than time passes, or what was not
        sent: a position after that counts as that. One that is no number of seconds counts for nothing."""
        if not 0.0 <= position_s < float("inf"):  # NaN fails too
            return
        self.reported = True
        played_s = now_s - self.begun_s + _TOLERANCE_S if self.begun else 0.0
        self._position_s, self._at_s = min(position_s, self.sent_s, played_s), now_s

    def heard_s(self, now_s: float) -> float:
        """Audio heard so far."""
        return min(self.sent_s, self._position_s + max(0.0, now_s - self._at_s)) if self.begun else 0.0

    def lead_s(self, now_s: float) -> float:
        """Audio sent and not heard: the slack before the listener runs dry."""
        return self.sent_s - self.heard_s(now_s)

    @property
    def dry_at_s(self) -> float:
        """When the listener has heard all that was sent."""
        return self._at_s + self.sent_s - self._position_s
