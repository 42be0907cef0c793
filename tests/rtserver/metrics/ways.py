"""The spans that the processes note of an utterance, with one piece of work that takes too long."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtserver.ipc.tracing import Span, Stage
from rtserver.metrics.attribution import Blame, Gap, blamed
from rtserver.metrics.intervals import Interval

# How long each piece takes when nothing is late, in seconds.
READING_S, RELAY_S, QUANTUM_S, STEPS_S, VOCODER_S = 0.004, 0.001, 0.1, 0.2, 0.03
HOP_S = 0.5  # how long a hop sounds
UTTERANCE = "u_late"


@dataclass
class Way:
    """An utterance of two hops. Its listener hears the first one from 10.0 s on. The second one is made from text that
    comes at `text_s`. Everything after that takes its usual time, plus the delays that the fields give."""

    text_s: float = 9.9
    reader_late_s: float = 0.0
    to_acoustic_late_s: float = 0.0
    queue_s: float = 0.0  # before the quantum
    to_talker_late_s: float = 0.0
    talker_late_s: float = 0.0
    from_talker_late_s: float = 0.0
    flow_queue_s: float = 0.0
    flow_late_s: float = 0.0
    vocoder_late_s: float = 0.0
    to_front_late_s: float = 0.0
    outbox_s: float = 0.0
    predictions_s: float = 1.0  # factor of what was predicted
    busy: dict[str, list[Interval]] = field(default_factory=dict)
    more: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spans: list[Span] = []
        self.at: dict[str, float] = {}  # when what began
        now_s = self.text_s
        self._note("text", now_s, now_s, now_s)
        self.at["reader"] = now_s
        now_s += READING_S + self.reader_late_s
        self._note("reader", self.text_s, now_s - READING_S, now_s)
        now_s = self._transit("text_relay", now_s, self.to_acoustic_late_s)
        self._note("starved", 9.0, 9.0, now_s, reached=10)
        queued_s = self.at["queue"] = now_s
        sent_s = now_s = now_s + self.queue_s
        now_s = self.at["talker"] = self._transit("quantum_relay", now_s, self.to_talker_late_s)
        self._note("talker", now_s, now_s, now_s + QUANTUM_S + self.talker_late_s)
        now_s = self._transit("tokens_relay", now_s + QUANTUM_S + self.talker_late_s, self.from_talker_late_s)
        self._note("quantum", queued_s, sent_s, now_s, QUANTUM_S)
        self.at["flow"] = now_s
        start_s = now_s + self.flow_queue_s
        now_s = start_s + STEPS_S + self.flow_late_s
        self._note("flow", self.at["flow"], start_s, now_s, STEPS_S)
        self._note("vocoder", now_s, now_s, now_s + VOCODER_S + self.vocoder_late_s, VOCODER_S, 2 * HOP_S)
        now_s = self.at["to front"] = now_s + VOCODER_S + self.vocoder_late_s
        now_s = self.at["outbox"] = now_s + RELAY_S + self.to_front_late_s
        self._note("sound", now_s, now_s, now_s, reached=2 * HOP_S)
        self.sent_s = now_s + self.outbox_s
        self.gap = Gap(UTTERANCE, 10.0, 10.0 + HOP_S, self.sent_s, HOP_S)
        # The first hop, which is long over.
        self._note("vocoder", 9.9, 9.9, 9.95, VOCODER_S, HOP_S)
        self._note("sound", 10.0, 10.0, 10.0, reached=HOP_S)

    def blame(self) -> Blame:
        return blamed(self.gap, [*self.spans, *self.more], self.busy)

    def _transit(self, relay: Stage, now_s: float, late_s: float) -> float:
        """A message over the front, which passes it on at once; late: on its way there."""
        self.at[relay] = now_s
        now_s += RELAY_S + late_s
        self._note(relay, now_s, now_s, now_s)
        return now_s + RELAY_S

    def _note(
        self, stage: Stage, queued_s: float, start_s: float, end_s: float, predicted_s: float = 0.0, reached: float = 0
    ) -> None:
        self.spans.append(Span(UTTERANCE, stage, queued_s, start_s, end_s, predicted_s * self.predictions_s, reached))
