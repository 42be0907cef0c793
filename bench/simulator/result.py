"""What the listeners of a simulation got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.simulator.load import Reply
from rtserver.schedule.playback import Playback

CONTINUOUS_S = 0.1  # listeners notice a longer silence


@dataclass
class Outcome:
    """What happened to a reply."""

    reply: Reply
    playback: Playback = field(default_factory=Playback)
    # When its first sound came.
    first_s: float | None = None
    # When it was heard to its end, cancelled or refused.
    over_s: float | None = None
    refused: bool = False
    cancelled: bool = False
    # Its audio that was made.
    made_s: float = 0.0
    # How long it waited for memory.
    memory_s: float = 0.0
    # If it was cancelled: speech tokens that were sampled but not heard.
    wasted_tokens: int = 0
    # If it was cancelled: audio that was made but not heard.
    wasted_s: float = 0.0

    def hear(self, seconds: float, now_s: float) -> None:
        """Sound came. After a cancel it does not count."""
        if not self.cancelled:
            self.first_s = now_s if self.first_s is None else self.first_s
            self.playback.sent(seconds, now_s)

    def waited_s(self, *, from_first_text: bool) -> float:
        """The time from its first text, or from enough text, to its first sound. Infinite if no sound came."""
        since_s = self.reply.at_s if from_first_text else self.reply.enough_s
        return math.inf if self.first_s is None else self.first_s - since_s

    @property
    def continuous(self) -> bool:
        return self.over_s is not None and self.playback.gap_s < CONTINUOUS_S


@dataclass(frozen=True)
class Summary:
    """The results of all replies that began within a time."""

    # Talkers of the load.
    streams: int
    replies: int
    # From enough text for a first sound to the first sound.
    ttfa_p50_s: float
    ttfa_p95_s: float
    # From the first text to the first sound.
    text_ttfa_p50_s: float
    text_ttfa_p95_s: float
    # Share of replies without an audible gap.
    continuity: float
    underrun_replies: int
    underrun_s: float
    # Share of replies that were refused.
    refused: float
    # Seconds of audio that were sent in a second.
    audio_per_s: float
    # Streams that are heard or waited for at a time, on average.
    talking: float
    # Share of the time in which each worked.
    talker_utilisation: float
    flow_utilisation: float
    rows_per_step: float
    # Largest share of the memory that was in use.
    memory_peak: float
    memory_wait_p95_s: float

    def plain(self) -> dict[str, Any]:
        """As plain values. None for infinite ones."""
        values = asdict(self).items()
        return {name: (round(v, 4) if math.isfinite(v) else None) if isinstance(v, float) else v for name, v in values}


def summarise(
    streams: int,
    outcomes: Sequence[Outcome],
    from_s: float,
    to_s: float,
    *,
    talker: float,
    flow: float,
    rows_per_step: float,
    memory_peak: float,
) -> Summary:
    """Counts the replies that began from `from_s` to `to_s`. The utilisations and the peak of memory (a share of the
    budget) are those of the whole run."""
    counted = [o for o in outcomes if from_s <= o.reply.at_s < to_s]
    taken = [o for o in counted if not o.refused]
    whole = [o for o in taken if not o.cancelled]
    begun = [o for o in taken if not o.cancelled or o.first_s is not None]
    ttfas_s = [o.waited_s(from_first_text=False) for o in begun]
    text_ttfas_s = [o.waited_s(from_first_text=True) for o in begun]
    ends_s = [o.over_s if o.over_s is not None else to_s for o in taken]
    return Summary(
        streams=streams,
        replies=len(counted),
        ttfa_p50_s=rank(ttfas_s, 50),
        ttfa_p95_s=rank(ttfas_s, 95),
        text_ttfa_p50_s=rank(text_ttfas_s, 50),
        text_ttfa_p95_s=rank(text_ttfas_s, 95),
        continuity=sum(o.continuous for o in whole) / len(whole) if whole else 1.0,
        underrun_replies=sum(o.playback.gap_s > 0.001 for o in whole),
        underrun_s=sum(o.playback.gap_s for o in whole),
        refused=1 - len(taken) / len(counted) if counted else 0.0,
        audio_per_s=sum(o.playback.sent_s for o in taken) / (to_s - from_s),
        talking=sum(end_s - o.reply.at_s for o, end_s in zip(taken, ends_s, strict=True)) / (to_s - from_s),
        talker_utilisation=talker,
        flow_utilisation=flow,
        rows_per_step=rows_per_step,
        memory_peak=memory_peak,
        memory_wait_p95_s=rank([o.memory_s for o in taken], 95),
    )


def rank(values: Sequence[float], percent: int) -> float:
    """The percentile by nearest rank. Infinite when there are no values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else math.inf
