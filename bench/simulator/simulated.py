"""A stream of a simulation: the server's own SpeechStream, with a text that is only a number of speech tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.simulator.cost_table import TOKEN_S, CostTable
from bench.simulator.load import Reply
from bench.simulator.making import Making
from cosyvoice.talker.layout import LayoutStage, Quantum
from rtserver.schedule.delivery import Delivery, Sound
from rtserver.schedule.hops import HopPlan
from rtserver.schedule.pace import Pace
from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import TTFA_TARGET_S, Standing, Terms
from rtserver.schedule.stream import SpeechStream
from rtserver.schedule.timings import Timings
from rtserver.schedule.writer import Writer


@dataclass(frozen=True)
class SimulatedSequence:
    """A sequence of a reply."""

    flow_tokens: range
    complete: bool
    silence_ms: int = 0
    rate: float = 1.0


_EMPTY = SimulatedSequence(range(0), complete=False)


@dataclass
class SimulatedSpeech:
    """The speech of a reply, in sequences that are as long as they may be."""

    # Speech tokens of the whole reply.
    tokens: int
    # Most tokens of a quantum while text still comes.
    block_tokens: int
    # Most tokens of a sequence.
    sequence_tokens: int
    # Speech tokens that the text so far allows.
    allowed: int = 0
    # The text so far, counted in the speech tokens that it will give. The layout allows fewer until more text comes.
    text_ids: int = 0
    sampled: int = 0
    spoken: list[SimulatedSequence] = field(default_factory=lambda: [_EMPTY])

    @property
    def complete(self) -> bool:
        return self.sampled == self.tokens

    @property
    def starving(self) -> bool:
        return self.sampled == self.allowed < self.tokens

    @property
    def waiting_ids(self) -> int:
        return max(0, self.text_ids - self.allowed)

    @property
    def speechless(self) -> bool:
        return self.sampled == self.allowed

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        tokens = min(max_tokens, self.allowed - self.sampled, self._sequence_end - self.sampled)
        if self.allowed < self.tokens:
            tokens = min(tokens, self.block_tokens)
        return Quantum([], tokens, 0, LayoutStage.FINAL, []) if tokens > 0 else None

    def accept(self, sampled: Sequence[int]) -> None:
        begin, end = self._sequence_end - self.sequence_tokens, min(self._sequence_end, self.tokens)
        self.sampled += len(sampled)
        self.spoken[-1] = SimulatedSequence(range(self.sampled - begin), self.sampled == end)
        if self.sampled == end < self.tokens:
            self.spoken.append(_EMPTY)

    @property
    def _sequence_end(self) -> int:
        """Tokens until the end of the open sequence, if the reply is so long."""
        return (self.sampled // self.sequence_tokens + 1) * self.sequence_tokens

    def close(self) -> int:
        return len(self.spoken)

    def starve(self) -> None:
        """Nothing to do: the text of a reply always comes in time."""


@dataclass(eq=False)
class Job:
    """A hop on its way through the Euler steps."""

    stream: SimulatedStream
    plan: HopPlan
    # Frames that it computes.
    frames: int
    # Seconds of context that it sees besides these.
    context_s: float
    steps: int
    step: int = 0


class SimulatedStream(SpeechStream[Sound]):
    """Its hops take the times of a cost table. The driver calls `changed` when its standing may have changed, because
    many streams are looked at far more often than they change."""

    def __init__(self, reply: Reply, table: CostTable, making: Making) -> None:
        self.reply = reply
        self.speech = SimulatedSpeech(reply.tokens, table.block_tokens, table.sequence_tokens)
        timings = Timings(opened=reply.at_s, first_text=reply.at_s, last_text=reply.at_s)
        super().__init__(
            reply.name,
            self.speech,
            making.sizes(table),
            Pace(1.0, None),
            Delivery(Playback(), timings, holds=making.holds and reply.service_class == "realtime"),
            Terms(
                reply.service_class,
                reply.max_lead_s,
                reply.tenant,
                TTFA_TARGET_S if making.first_due_s is None else making.first_due_s,
            ),
        )
        writing_s = reply.text[-1][0]
        self.writer = Writer(reply.at_s, reply.tokens / writing_s if writing_s > 0 else None)
        # Audio that was made.
        self.audio_s = 0.0
        # Whether it has its memory, since when it waits for it, and how long it waited.
        self.has_memory = False
        self.memory_since_s: float | None = None
        self.memory_s = 0.0
        # When its first sound goes out, and when to predict that again.
        self.release_s = 0.0
        self.predict_s = 0.0
        self._polled_s = reply.enough_s
        self._seen_at_s: float | None = None
        self._table = table
        self._making = making
        self._known: Standing | None = None

    def changed(self) -> None:
        """Tokens were sampled, or sound was made or sent."""
        self._known = None

    @property
    def standing(self) -> Standing:
        if self._known is None:
            self._known = super().standing
        return self._known

    @property
    def job(self) -> Job | None:
        """The hop that is being computed."""
        assert self.work is None or isinstance(self.work, Job)
        return self.work

    def feed(self, allowed: int, now_s: float) -> None:
        """The text now allows `allowed` speech tokens. It is written at an even pace."""
        self.text(now_s)
        writing_s = self.reply.text[-1][0]
        written = min(1.0, (now_s - self.reply.at_s) / writing_s) if writing_s > 0 else 1.0
        self.speech.allowed, self.speech.text_ids = allowed, round(written * self.reply.tokens)

    def poll_at_s(self, now_s: float) -> float:
        """When the server notices that the tokens of a hop have come."""
        poll_s = self._making.poll_s
        if poll_s == 0:
            return now_s
        if self._seen_at_s is None:
            self._seen_at_s = self._polled_s + poll_s * max(1, math.ceil((now_s - self._polled_s) / poll_s))
        return self._seen_at_s

    def begin_next(self) -> None:
        """Begins the next hop. Its tokens must be there."""
        plan = self.next_hop()
        assert plan is not None, "can_hop tells"
        making, table, context_s = self._making, self._table, 0.0
        if making.incremental and (plan.done > 0 or making.shared_prefix):
            before = table.context_tokens if plan.sequence > 0 and plan.done > 0 else 0
            context_s = making.seen_s((table.prompt_tokens + before + plan.done) * TOKEN_S)
        frames = self.sizes.frames(plan.sequence, plan.done, plan.tokens)
        self.begin_hop(plan, Job(self, plan, frames, context_s, table.euler_steps))

    def make_sound(self, now_s: float) -> Sound:
        """The samples of the finished hop."""
        plan = self.hop
        assert plan is not None, "a hop is under way"
        self.finish_hop()
        seconds = plan.tokens * TOKEN_S + self._table.withheld_s * (plan.final - (plan.done == 0))
        sound = Sound(self.audio_s, seconds, now_s)
        self.audio_s += seconds
        self._polled_s, self._seen_at_s = now_s, None
        self.changed()
        return sound
