"""What a simulation's listeners got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.simulator.load import Reply
from rtserver.schedule.playback import Playback

CONTINUOUS_S = 0.1  # a listener notices longer silences


@dataclass
class Outcome:
    """What came of a reply. over_s: when it was heard to its end, cancelled or refused. made_s: its audio that was
    made. memory_s: how long it waited for memory. wasted_tokens, wasted_s: sampled, and made, but not heard when it was
    cancelled."""

    reply: Reply
    playback: Playback = field(default_factory=Playback)
    first_s: float | None = None
    over_s: float | None = None
    refused: bool = False
    cancelled: bool = False
    made_s: float = 0.0
    memory_s: float = 0.0
    wasted_tokens: int = 0
    wasted_s: float = 0.0

    def hear(self, seconds: float, now_s: float) -> None:
        """A sound came; one that was cancelled is not listened to."""
        if not self.cancelled:
            self.first_s = now_s if self.first_s is None else self.first_s
            self.playback.sent(seconds, now_s)

    def waited_s(self, *, from_first_text: bool) -> float:
        """For the first sound, from the reply's first text or from enough text on; infinite when none came."""
        since_s = self.reply.at_s if from_first_text else self.reply.enough_s
        return math.inf if self.first_s is None else self.first_s - since_s

    @property
    def continuous(self) -> bool:
        return self.over_s is not None and self.playback.gap_s < CONTINUOUS_S


@dataclass(frozen=True)
class Summary:
    """Of the replies of a time. ttfa: from enough text; text_ttfa: from the first text. talking: streams that are heard
    or waited for at a time, on average. Utilisations are shares of the time."""

    streams: int
    replies: int
    ttfa_p50_s: float
    ttfa_p95_s: float
    text_ttfa_p50_s: float
    text_ttfa_p95_s: float
    continuity: float
    underrun_replies: int
    underrun_s: float
    refused: float
    audio_per_s: float
    talking: float
    talker_utilisation: float
    flow_utilisation: float
    rows_per_step: float
    memory_peak: float
    memory_wait_p95_s: float

    def plain(self) -> dict[str, Any]:
        """As plain values, None for what is infinite."""
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
    """Of replies that began within a time. Utilisations and the peak (share of the budget) are those of the whole."""
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
    """Nearest rank; infinite when there are none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else math.inf
