"""A stream of a simulation: what rtserver.engine.acoustic.utterance does, with numbers in place of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.simulator.cost_table import CHUNK_TOKENS, FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS, TOKEN_S, CostTable
from bench.simulator.load import Reply
from rtserver.schedule.costs import Costs
from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import Standing
from rtserver.schedule.waits import CAUTION_DEVIATIONS, HUNGRY_BEFORE_S, first_sound_at_s


@dataclass(frozen=True)
class Making:
    """How streams are made, whatever the schedule. shared_prefix: a voice's prompt is computed once, not in the first
    hop of every stream. incremental: keys and values are kept; otherwise every hop computes all before it again.
    window_s: seconds of left context that are seen and kept. hops: lengths in tokens, the last one repeated, in place
    of the table's first hop and chunks. poll_s: how often it is seen whether a hop's tokens are there (0: at once).
    holds: a first sound waits for its second. first_due_s: the schedule's target for first sounds, from the first text
    (None: its own). reserve_s: seconds of keys and values set aside for a stream."""

    shared_prefix: bool = True
    incremental: bool = True
    window_s: float | None = None
    hops: tuple[int, ...] = ()
    poll_s: float = 0.0
    holds: bool = True
    first_due_s: float | None = None
    reserve_s: float = 20.0

    def seen_s(self, context_s: float) -> float:
        """How much of the context is seen."""
        return context_s if self.window_s is None else min(context_s, self.window_s)

    def needed_bytes(self, table: CostTable) -> float:
        """Keys and values that are set aside for a stream."""
        if not self.incremental:
            return 0.0
        prompt_s = 0.0 if self.shared_prefix else table.prompt_tokens * TOKEN_S
        return table.kv_bytes_per_s * self.seen_s(self.reserve_s + prompt_s)


@dataclass(frozen=True)
class _Due(Standing):
    """With another target for the first sound."""

    first_due_s: float = 0.0

    @property
    def due_s(self) -> float:
        return self.playback.dry_at_s if self.playback.begun else self.since_s + self.first_due_s


@dataclass(eq=False)
class Job:
    """A hop on its way through the Euler steps. frames: computed; context_s: seen beside them."""

    stream: SimulatedStream
    tokens: int
    frames: int
    context_s: float
    final: bool
    steps: int
    step: int = 0


@dataclass(frozen=True)
class Sound:
    """A hop's samples."""

    start_s: float
    seconds: float
    made_s: float


class SimulatedStream:
    """Implements rtserver.schedule.scheduler.Stream. Whoever drives it brings results back."""

    def __init__(self, reply: Reply, table: CostTable, making: Making) -> None:
        self.reply = reply
        self.job: Job | None = None
        self.playback = Playback()
        self.first: Sound | None = None  # kept back
        self.allowed = 0  # speech tokens that the text so far allows
        self.sampled = 0
        self.voiced = 0  # tokens whose frames are made
        self.hops = 0
        self.audio_s = 0.0  # made
        self.quantum_tokens = 0  # that the talker is at
        self.quantum_sent_s = 0.0
        self.has_memory = False
        self.memory_since_s: float | None = None  # waits for memory
        self.memory_s = 0.0  # waited
        self.release_s = 0.0  # when its first sound goes out
        self.predict_s = 0.0  # when that is to be predicted anew
        self._polled_s = reply.enough_s
        self._seen_at_s: float | None = None
        self._table = table
        self._making = making
        self._hop_tokens = making.hops or (table.first_hop_tokens, CHUNK_TOKENS)
        self._standing: Standing | None = None

    def changed(self) -> None:
        """Something was sampled, made or sent."""
        self._standing = None

    # -- for the schedule -------------------------------------------------------------------------------------------

    @property
    def standing(self) -> Standing:
        if self._standing is None:
            self._standing = self._stands(None if self.first is None else self.first.made_s)
        return self._standing

    def standing_released(self, now_s: float) -> Standing:
        return self._stands(now_s)

    def _stands(self, first_sent_s: float | None) -> Standing:
        playback = self.playback
        if self.first is not None and first_sent_s is not None:
            playback = replace(playback)
            playback.sent(self.first.seconds, first_sent_s)
        reply, due_s = self.reply, self._making.first_due_s
        standing = Standing(
            playback, reply.at_s, self.unvoiced_s, reply.service_class, reply.max_lead_s, False, reply.tenant
        )
        return standing if due_s is None else _Due(**vars(standing), first_due_s=due_s)

    @property
    def unvoiced_s(self) -> float:
        return (self.sampled - self.voiced) * TOKEN_S

    @property
    def ahead_s(self) -> float:
        return max(0.0, (self.sampled - self.voiced - self._hop_length() - LOOKAHEAD_TOKENS) * TOKEN_S)

    @property
    def sampling(self) -> bool:
        return self.quantum_tokens > 0

    @property
    def idle(self) -> bool:
        return not self.sampling and self.job is None and self.allowed == self.sampled and not self.can_hop

    def can_sample(self) -> bool:
        return not self.sampling and self.sampled < self.allowed

    def quantum_cost_s(self, costs: Costs) -> float:
        return costs.predict("quantum", self.next_quantum()) + self.hop_cost_s(costs)

    def hop_cost_s(self, costs: Costs) -> float:
        tokens = self._hop_length()
        decoded = costs.predict("vocoder", tokens * FRAMES_PER_TOKEN)
        return self._table.euler_steps * costs.predict("step", self._frames(tokens)) + decoded

    def hop_left_s(self, costs: Costs) -> float:
        job = self.job
        if job is None:
            return self.hop_cost_s(costs)
        decoded = costs.predict("vocoder", job.tokens * FRAMES_PER_TOKEN)
        return (job.steps - job.step) * costs.predict("step", job.frames) + decoded

    def release_at_s(self, costs: Costs, now_s: float, before_s: float) -> float:
        """When the first sound that is kept back goes out; `before_s` is what others' work takes before its next."""
        assert self.first is not None, "there is one"
        if self.made or (self.starving and self._next_text_s > HUNGRY_BEFORE_S):
            return now_s
        next_s = now_s + before_s + self._next_sound_s(costs, now_s)
        return first_sound_at_s(self.first.made_s, self.first.seconds, next_s)

    @property
    def starving(self) -> bool:
        """True while only text lets the talker go on."""
        return self.sampled == self.allowed < self.reply.tokens

    @property
    def _next_text_s(self) -> float:
        """In what time another block's text comes, at the pace so far."""
        text = self.reply.text
        return text[-1][0] * self._table.block_tokens / self.reply.tokens

    def _next_sound_s(self, costs: Costs, now_s: float) -> float:
        if self.job is not None or self.can_hop:
            return self.hop_left_s(costs)
        missing, sampling_s = self._wanted(), 0.0
        if self.sampling:
            missing -= self.quantum_tokens
            sampling_s = costs.predict("quantum", self.quantum_tokens, CAUTION_DEVIATIONS)
            sampling_s = max(0.0, sampling_s - (now_s - self.quantum_sent_s))
        elif self.starving:
            sampling_s = self._next_text_s
        if missing > 0:
            sampling_s += costs.predict("quantum", missing, CAUTION_DEVIATIONS)
        return sampling_s + self.hop_cost_s(costs)

    # -- talker -----------------------------------------------------------------------------------------------------

    def next_quantum(self) -> int:
        """Tokens of the next quantum: enough for the next hop, as far as text allows; while text still comes, within
        one of its blocks."""
        tokens = min(self._wanted(), self.allowed - self.sampled)
        return tokens if self.allowed == self.reply.tokens else min(tokens, self._table.block_tokens)

    def _wanted(self) -> int:
        used = self.voiced + self._hop_length()
        if self.job is not None:
            used = self.voiced + self.job.tokens + self._hop_length(self.hops + 1)
        missing = used + LOOKAHEAD_TOKENS - self.sampled
        return missing if missing > 0 else CHUNK_TOKENS

    # -- flow -------------------------------------------------------------------------------------------------------

    @property
    def can_hop(self) -> bool:
        """Whether the next hop's tokens are there."""
        waiting = self.sampled - self.voiced
        return waiting > 0 and (self.sampled == self.reply.tokens or waiting >= self._hop_length() + LOOKAHEAD_TOKENS)

    def poll_at_s(self, now_s: float) -> float:
        """When it is seen that a hop's tokens, which came by now, are there."""
        poll_s = self._making.poll_s
        if poll_s == 0:
            return now_s
        if self._seen_at_s is None:
            self._seen_at_s = self._polled_s + poll_s * max(1, math.ceil((now_s - self._polled_s) / poll_s))
        return self._seen_at_s

    def next_job(self) -> Job:
        """The running hop, or the next one, whose tokens are there."""
        if self.job is None:
            waiting, hop = self.sampled - self.voiced, self._hop_length()
            final = self.sampled == self.reply.tokens and waiting <= hop + LOOKAHEAD_TOKENS
            tokens = waiting if final else hop
            context_s = 0.0
            if self._making.incremental and (self.voiced > 0 or self._making.shared_prefix):
                context_s = self._making.seen_s((self._table.prompt_tokens + self.voiced) * TOKEN_S)
            self.job = Job(self, tokens, self._frames(tokens), context_s, final, self._table.euler_steps)
        return self.job

    def finish_hop(self, now_s: float) -> Sound:
        """The finished hop's samples."""
        job = self.job
        assert job is not None and job.step == job.steps, "a finished one"
        withheld_s = self._table.withheld_s
        seconds = job.tokens * TOKEN_S + withheld_s * (job.final - (self.hops == 0))
        sound = Sound(self.audio_s, seconds, now_s)
        self.voiced += job.tokens
        self.audio_s += sound.seconds
        self.hops += 1
        self.job = None
        self._polled_s, self._seen_at_s = now_s, None
        self.changed()
        return sound

    @property
    def made(self) -> bool:
        return self.voiced == self.reply.tokens

    def _hop_length(self, hop: int | None = None) -> int:
        index = self.hops if hop is None else hop
        return self._hop_tokens[min(index, len(self._hop_tokens) - 1)]

    def _frames(self, tokens: int) -> int:
        """That a hop of so many tokens computes. The first one shares its chunk with the end of the prompt."""
        making, prompt = self._making, self._table.prompt_tokens
        if not making.incremental:
            tokens += prompt + self.voiced + LOOKAHEAD_TOKENS
        elif self.hops == 0:
            tokens += -self._hop_length() % CHUNK_TOKENS if making.shared_prefix else prompt
        return tokens * FRAMES_PER_TOKEN
