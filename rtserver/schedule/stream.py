"""One utterance's stream in numbers: its tokens, its hops, what they cost, and when its sound goes out. Pure.

The acoustic process has one for each utterance, beside the tensors. The bench's simulator drives the same class with a
table of costs. Time is an argument, in seconds of the owner's clock.
"""

from __future__ import annotations

from collections import deque
from typing import Generic

from cosyvoice.talker.layout import Quantum
from rtserver.schedule.costs import Costs
from rtserver.schedule.delivery import Delivery, S
from rtserver.schedule.hops import HopPlan, HopWork, StreamSizes
from rtserver.schedule.pace import Pace
from rtserver.schedule.playback import Playback
from rtserver.schedule.quanta import Quanta
from rtserver.schedule.speech import Speech
from rtserver.schedule.standing import Standing, Terms
from rtserver.schedule.waits import CAUTION_DEVIATIONS, LONGEST_HOLD_S, SLOW_FIRST_SOUND_S, Asked, Starvation, TextWait
from rtserver.schedule.writer import Writer


class SpeechStream(Generic[S]):
    """The owner sends the quanta and the hops that this asks for, and brings the results back."""

    def __init__(
        self,
        name: str,
        speech: Speech,
        sizes: StreamSizes,
        pace: Pace,
        delivery: Delivery[S],
        terms: Terms,
        *,
        resumes_at: tuple[int, int] | None = None,
    ) -> None:
        """resumes_at: where it goes on after a crash, as `place` of the stream before; None: it begins."""
        self.name = name
        self.sizes = sizes
        self.delivery = delivery
        self.timings = delivery.timings
        self.quanta = Quanta(speech)
        # The hop under way, and its work. Work without a hop computes again, after a crash, what is out already.
        self.hop: HopPlan | None = None
        self.work: HopWork | None = None
        # Which text was asked for since the last text came.
        self.asked = Asked.NOTHING
        # How fast its text is written. None: not known.
        self.writer: Writer | None = None
        self._speech = speech
        self._pace = pace
        self._terms = terms
        # The sequence that flow and vocoder are at, and its tokens that have become sound.
        self._sequence, self._done = (0, 0) if resumes_at is None else resumes_at
        # Text that comes before a resumed stream goes on is the text it had before.
        self._resuming = resumes_at is not None
        # How many sequences come before each flush that is not answered yet, with its id.
        self._flushes: deque[tuple[int, str]] = deque()
        self._held = False

    # -- text -------------------------------------------------------------------------------------------------------

    def text(self, now_s: float) -> None:
        """Text, a flush or the end comes now. To be called before the speech is told."""
        self.timings.text(now_s, idle=self.idle and not self._resuming)
        self.asked = Asked.NOTHING
        self.quanta.changed()

    def flush(self, flush_id: str, now_s: float) -> None:
        """The text so far is to be spoken to its end, which `flushed` tells."""
        self.text(now_s)
        self._flushes.append((self._speech.close(), flush_id))

    def flushed(self) -> list[str]:
        """The flushes whose text has become sound now. A first sound that is kept back goes out before: `release_at_s`
        says so."""
        answered = []
        while self._reached_flush:
            answered.append(self._flushes.popleft()[1])
        return answered

    @property
    def _reached_flush(self) -> bool:
        self._settle()
        return bool(self._flushes) and self._sequence >= self._flushes[0][0]

    def starvation(self, costs: Costs) -> Starvation | None:
        """When the open sequence is closed for want of text. None while there is text, or nothing to close."""
        if not self._speech.starving or not self.idle:
            return None
        closing_s = costs.predict("quantum", self.sizes.chunk_tokens) + self.hop_cost_s(costs)
        last_text_s = self.timings.last_text
        if self.writer is None or not self._writes_slowly:
            return Starvation.of(self.delivery.playback, last_text_s, closing_s)
        text_at_s = self._text_at_s
        sound_at_s = text_at_s + costs.predict("quantum", self.wanted_tokens()) + self.hop_cost_s(costs)
        wait = TextWait(self.writer.begun_s, text_at_s, sound_at_s, self._done > 0 or self.unvoiced_tokens > 0)
        playback = self.delivery.playback_with_first(self._latest_release_s)
        return Starvation.of_slow(playback, last_text_s, closing_s, wait)

    def ask(self, starvation: Starvation, now_s: float) -> Asked:
        """Which text is to be asked for now. What was asked for already is not asked for again."""
        wanted = Asked.WORD if now_s >= starvation.ask_at_s else Asked.STRETCH if starvation.offers else Asked.NOTHING
        if wanted <= self.asked:
            return Asked.NOTHING
        self.asked = wanted
        return wanted

    def starve(self, *, late: bool) -> None:
        """Closes the open sequence for want of text. late: its listener runs dry all the same."""
        self.timings.starved_late = late
        self._speech.starve()
        self.quanta.changed()

    def hold(self, on: bool) -> None:
        """Stops the work, or lets it go on: its sound is not taken, or there is no memory for it."""
        self._held = on

    # -- for the scheduler ------------------------------------------------------------------------------------------

    @property
    def standing(self) -> Standing:
        """A first sound that is kept back counts as sent when it was made: the first sounds of others need not wait
        for the second sound of this one."""
        return self._standing(self.delivery.playback_with_first())

    def standing_released(self, now_s: float) -> Standing:
        """As if a first sound that is kept back were released now."""
        return self._standing(self.delivery.playback_with_first(now_s))

    def _standing(self, playback: Playback) -> Standing:
        return Standing.of(self._terms, playback, self._since_s, self.unvoiced_s, held=self._held)

    @property
    def _since_s(self) -> float:
        return self.timings.opened if self.timings.first_text is None else self.timings.first_text

    @property
    def unvoiced_tokens(self) -> int:
        """Tokens that are sampled and not yet sound."""
        return sum(len(s.flow_tokens) for s in self._speech.spoken[self._sequence :]) - self._done

    @property
    def unvoiced_s(self) -> float:
        """Audio of the unvoiced tokens; 0 while the pace is not known."""
        return self._audio_s(self.unvoiced_tokens) if self._pace.known else 0.0

    @property
    def ahead_s(self) -> float:
        """Audio of the unvoiced tokens beyond those for the next hop."""
        return max(0.0, self.unvoiced_s - self._audio_s(self._hop_tokens + self.sizes.lookahead_tokens))

    def slack_s(self, now_s: float) -> float:
        """Audio that the listener will get without another quantum, and has not heard: what was sent, and the running
        or next hop if its tokens are there."""
        hop_s = self._audio_s(self._hop_tokens) if self.work is not None or self.can_hop else 0.0
        return self.delivery.playback.lead_s(now_s) + hop_s

    @property
    def idle(self) -> bool:
        """True when only text can bring more sound."""
        if self.quanta.waiting is not None or self.work is not None or not self._speech.speechless:
            return False
        return not (self.can_hop or self.silence_ms)

    def hop_cost_s(self, costs: Costs) -> float:
        """Predicted time of the running or next hop, from its first Euler step to its samples."""
        sizes, tokens = self.sizes, self._hop_tokens
        frames = sizes.frames(self._sequence, self._done, tokens)
        return costs.hop_s(sizes.euler_steps, frames, tokens * sizes.frames_per_token)

    def hop_left_s(self, costs: Costs) -> float:
        """Predicted time from now to the samples of the running or next hop."""
        if self.work is None:
            return self.hop_cost_s(costs)
        steps_s = (self.work.steps - self.work.step) * costs.predict("step", self.work.frames)
        return steps_s + costs.predict("vocoder", self.work.frames)

    def quantum_cost_s(self, costs: Costs) -> float:
        """Predicted time from the start of the next quantum to its samples."""
        upcoming = self.quanta.upcoming
        return costs.predict("quantum", 0 if upcoming is None else upcoming.max_tokens) + self.hop_cost_s(costs)

    def _audio_s(self, tokens: int) -> float:
        """Of tokens of the sequence that flow and vocoder are at. For later ones, which may have another rate, it is a
        good guess."""
        spoken = self._speech.spoken
        rate = spoken[self._sequence].rate if self._sequence < len(spoken) else 1.0
        return tokens / self.sizes.token_rate_hz / self._pace.speed_at(rate)

    # -- talker -----------------------------------------------------------------------------------------------------

    def next_quantum(self, long_tokens: int = 0) -> Quantum | None:
        """The quantum for the talker. None while one is under way, and when nothing can be sampled. long_tokens: how
        many tokens it may bring, even if the next hop needs fewer."""
        self.quanta.next(self.wanted_tokens)
        return self.quanta.lengthen(long_tokens)

    def can_sample(self) -> bool:
        """Whether there is a quantum for the talker."""
        return self.next_quantum() is not None

    @property
    def sampling(self) -> bool:
        """Whether the talker is at a quantum."""
        return self.quanta.waiting is not None

    def wanted_tokens(self) -> int:
        """What the next quantum should bring: the tokens that the next hop still needs. The first hop is short, so that
        sound starts early."""
        index = next((i for i, s in enumerate(self._speech.spoken) if not s.complete), None)
        if index is None:
            return self.sizes.quantum_tokens
        done = self._done if index == self._sequence else 0
        if index == self._sequence and self.work is not None:
            done += self._hop_tokens  # the running hop has its tokens already
        needed = done + self.sizes.tokens(done) + self.sizes.lookahead_tokens
        missing = needed - len(self._speech.spoken[index].flow_tokens)
        return missing if missing > 0 else self.sizes.quantum_tokens

    # -- flow -------------------------------------------------------------------------------------------------------

    @property
    def can_hop(self) -> bool:
        """Whether the tokens of the next hop are there, and the pace at which to speak them."""
        self._settle()
        spoken = self._speech.spoken
        if not self._pace.known or self._sequence >= len(spoken):
            return False
        current = spoken[self._sequence]
        if current.silence_ms:
            return False
        waiting = len(current.flow_tokens) - self._done
        return current.complete or waiting >= self._hop_tokens + self.sizes.lookahead_tokens

    def next_hop(self) -> HopPlan | None:
        """The hop that can begin now. None while one is under way, and while tokens are missing."""
        if self.work is not None or not self.can_hop:
            return None
        current, tokens = self._speech.spoken[self._sequence], self._hop_tokens
        waiting = len(current.flow_tokens) - self._done
        final = current.complete and waiting <= tokens + self.sizes.lookahead_tokens
        return HopPlan(self._sequence, self._done, waiting if final else tokens, final)

    def begin_hop(self, hop: HopPlan | None, work: HopWork) -> None:
        """The hop has begun. None: `work` computes again, after a crash, what is out already."""
        self.hop, self.work = hop, work
        self._resuming = False
        self.quanta.changed()

    def finish_hop(self) -> None:
        """The hop under way has become mel."""
        hop, self.hop, self.work = self.hop, None, None
        self.quanta.changed()
        if hop is not None and hop.final:
            self._sequence, self._done = hop.sequence + 1, 0
        elif hop is not None:
            self._done = hop.done + hop.tokens

    @property
    def silence_ms(self) -> int:
        """The length of the silence that comes next; 0 when none does. The owner makes it without any work."""
        self._settle()
        spoken = self._speech.spoken
        return spoken[self._sequence].silence_ms if self._pace.known and self._sequence < len(spoken) else 0

    def finish_silence(self) -> None:
        """The silence has become sound."""
        self._sequence, self._done = self._sequence + 1, 0
        self._resuming = False
        self.quanta.changed()

    @property
    def place(self) -> tuple[int, int]:
        """The sequence that comes next, and its tokens that have become sound: where another stream can go on."""
        return self._sequence, self._done

    @property
    def _hop_tokens(self) -> int:
        """Of the next hop or the running one, if it is not the last."""
        return self.sizes.tokens(self._done)

    def _settle(self) -> None:
        """Sets the pace once the length is known, and passes over sequences in which the talker said nothing."""
        spoken = self._speech.spoken
        if not self._pace.known and self._speech.complete:
            speech_s = sum(len(s.flow_tokens) / s.rate for s in spoken) / self.sizes.token_rate_hz
            self._pace.fit(speech_s, silence_s=sum(s.silence_ms for s in spoken) / 1000)
        if self._pace.known:
            while self._sequence < len(spoken) and spoken[self._sequence].complete:
                if spoken[self._sequence].flow_tokens or spoken[self._sequence].silence_ms:
                    break
                self._sequence += 1

    # -- sound ------------------------------------------------------------------------------------------------------

    def release_at_s(self, costs: Costs, now_s: float, before_s: float, *, alone: bool = False) -> float:
        """When the first sound that is kept back is to go out. before_s: what the work of others takes before its next
        one. alone: whether no other utterance has work."""
        if self.voiced or self._reached_flush:
            return now_s
        next_due_s = now_s + before_s + self._next_sound_s(costs, now_s)
        release_at_s = self.delivery.release_at_s(next_due_s, alone=alone)
        return min(release_at_s, self._latest_release_s) if self._writes_slowly else release_at_s

    @property
    def _latest_release_s(self) -> float:
        """When the first sound of a slow writer goes out, however late the next one is."""
        made_s = self.timings.first_made
        assert self.writer is not None, "only a known pace is slow"
        latest_s = self.writer.begun_s + SLOW_FIRST_SOUND_S
        return latest_s if made_s is None else min(made_s + LONGEST_HOLD_S, max(made_s, latest_s))

    @property
    def _writes_slowly(self) -> bool:
        return self.writer is not None and self.writer.is_slow(self.sizes.block_ids)

    @property
    def _text_at_s(self) -> float:
        """When the text of the next hop will be there, at the writer's pace."""
        blocks = -(-self.wanted_tokens() // self.sizes.block_tokens)
        missing = blocks * self.sizes.block_ids - self._speech.waiting_ids
        return self.timings.last_text + (0.0 if self.writer is None else self.writer.takes_s(missing))

    def _next_sound_s(self, costs: Costs, now_s: float) -> float:
        """Predicted time to the samples of the next hop."""
        if self.work is not None or self.can_hop:
            return self.hop_left_s(costs)
        missing, sampling_s = self.wanted_tokens(), 0.0
        waiting = self.quanta.waiting
        if waiting is not None:
            missing -= waiting.max_tokens
            sampling_s = costs.predict("quantum", waiting.max_tokens, CAUTION_DEVIATIONS)
            sampling_s = max(0.0, sampling_s - (now_s - self.quanta.sent_s))
        elif self._speech.starving:
            sampling_s = max(0.0, self._text_at_s - now_s)
        if missing > 0:
            sampling_s += costs.predict("quantum", missing, CAUTION_DEVIATIONS)
        return sampling_s + self.hop_cost_s(costs)

    @property
    def voiced(self) -> bool:
        """True when the text has ended and all of it has become sound."""
        if not self._speech.complete or self.work is not None or self.can_hop:
            return False
        return self._sequence == len(self._speech.spoken)

    @property
    def complete(self) -> bool:
        """True when the text has ended and all of its sound is out."""
        return not self.delivery.keeps_back and self.voiced
