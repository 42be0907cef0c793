"""One utterance on the acoustic side: speech tokens to mel to samples, sequence after sequence."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.acoustic.delivery import Delivery, Sound
from rtserver.engine.acoustic.memory import Memory
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.pace import Pace
from rtserver.engine.acoustic.quanta import Quanta
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.sequence_streams import SequenceStreams
from rtserver.engine.acoustic.text_times import Place
from rtserver.engine.acoustic.timings import Timings
from rtserver.engine.acoustic.token_source import SequenceTokens, speech_of
from rtserver.engine.acoustic.word_aligner import UtteranceTimes
from rtserver.ipc.engine import Audio, Done, Flushed, Open
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum
from rtserver.schedule.costs import Costs
from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import Standing
from rtserver.schedule.waits import CAUTION_DEVIATIONS, HUNGRY_BEFORE_S, Starvation


class AcousticUtterance:
    """Drives one utterance. The owner asks for talker quanta and flow jobs, runs them when it is their turn, and brings
    results back. Times are the owner's clock; with a resume record it goes on behind that record's samples."""

    def __init__(
        self, request: Open, models: AcousticModels, voice: SpeakingVoice, now_s: float, *, holds: bool = True
    ) -> None:
        """`holds`: whether a realtime listener's first sound may be kept back. Raises ValueError for a bad speed or
        target, StreamError for a bad resume record."""
        self.name = request.utterance
        self.voice = voice
        self.job: HopJob | None = None
        self.held = False
        self.asked_for_text = False
        self._request = request
        self._models = models
        self._record = record = None if request.resume is None else ResumeRecord.unpack(request.resume)
        self.utterance = speech_of(request, models, voice, record)
        self._times = UtteranceTimes.of(models.aligner, self.utterance, record.told_ids if record else 0)
        self.seconds = Timings.restore(record.seconds) if record else Timings(opened=now_s)
        playback = replace(record.playback) if record else Playback()
        self.delivery = Delivery(playback, self.seconds, holds=holds and request.service_class == "realtime")
        self._pace = Pace(request.speed, request.target_s)
        self._quanta = Quanta(self.name, self.utterance)
        self._sequence = record.sequence if record else 0  # that flow and vocoder are at
        self._samples = record.samples if record else 0
        self._memory = Memory(models, voice.flow, record.window_tokens if record else None)
        self._streams: SequenceStreams | None = None
        # Sequences before each flush that was not answered yet, with its id.
        self._flushes: deque[tuple[int, str]] = deque()

    # -- from the front ---------------------------------------------------------------------------------------------

    def feed(self, segments: Sequence[Segment], now_s: float) -> None:
        self._text(now_s)
        self.utterance.feed(segments)
        if self._times is not None:
            self._times.feed(segments)

    def flush(self, flush_id: str, now_s: float) -> None:
        self._text(now_s)
        self._flushes.append((self.utterance.close(), flush_id))

    def end(self, now_s: float) -> None:
        self._text(now_s)
        self.utterance.end()

    def starve(self, *, late: bool) -> None:
        """Closes the sequence for want of text; `late` when its listener runs dry all the same."""
        self.seconds.starved_late = late
        self.utterance.starve()
        self._quanta.changed = True

    def _text(self, now_s: float) -> None:
        # Until a resumed utterance goes on, what comes is the text it had before.
        self.seconds.text(now_s, idle=self.idle and self._record is None)
        self.asked_for_text = False
        self._quanta.changed = True

    # -- for the schedule -------------------------------------------------------------------------------------------

    @property
    def unvoiced_s(self) -> float:
        """Audio that tokens sampled and not yet voiced will give; none while the pace is not known."""
        tokens = sum(len(s.flow_tokens) for s in self.utterance.spoken[self._sequence :])
        return self._audio_s(tokens - self._tokens_done) if self._pace.known else 0.0

    @property
    def ahead_s(self) -> float:
        """Audio of the tokens that are there beyond those for the next hop."""
        hop_tokens = self._hop_tokens() + self._models.flow.config.lookahead_tokens
        return max(0.0, self.unvoiced_s - self._audio_s(hop_tokens))

    @property
    def standing(self) -> Standing:
        """A first sound that is kept back counts as sent when it was made: others' first sounds need not wait for the
        second of this one."""
        return self._standing(self.delivery.playback_with_first())

    def standing_released(self, now_s: float) -> Standing:
        """As it were if the first sound that is kept back were released now."""
        return self._standing(self.delivery.playback_with_first(now_s))

    def _standing(self, playback: Playback) -> Standing:
        request, seconds = self._request, self.seconds
        since_s = seconds.opened if seconds.first_text is None else seconds.first_text
        return Standing(
            playback,
            since_s,
            self.unvoiced_s,
            request.service_class,
            request.max_lead_s,
            self.held or not self.has_memory,
            request.tenant,
        )

    @property
    def has_memory(self) -> bool:
        """Whether there is room for its keys and values; without, no work is done."""
        return self._memory.reservation is not None

    def take_memory(self) -> None:
        """Raises CacheFull."""
        known = self.utterance.spoken if self.utterance.complete else ()  # a recording is, from the beginning
        self._memory.take(max((len(s.flow_tokens) for s in known), default=0))

    @property
    def idle(self) -> bool:
        """True when only text can bring more sound."""
        return self._quanta.waiting is None and self.job is None and self.utterance.speechless and not self._can_hop()

    def starvation(self, costs: Costs) -> Starvation | None:
        """When this utterance is closed for want of text; None while it has some, or nothing to close."""
        if not self.utterance.starving or not self.idle:
            return None
        closing_s = costs.predict("quantum", self._models.flow.config.chunk_tokens) + self.hop_cost_s(costs)
        return Starvation.of(self.delivery.playback, self.seconds.last_text, closing_s)

    def hop_cost_s(self, costs: Costs) -> float:
        """Predicted time of the running or next hop, from its beginning to its samples."""
        flow = self._models.flow.config
        return costs.hop_s(flow.euler_steps, flow.chunk_frames, self._hop_tokens() * flow.frames_per_token)

    def hop_left_s(self, costs: Costs) -> float:
        """Predicted time from here to the hop's samples."""
        if self.job is None:
            return self.hop_cost_s(costs)
        steps = (self.job.steps - self.job.step) * costs.predict("step", self.job.frames)
        return steps + costs.predict("vocoder", self.job.frames)

    def quantum_cost_s(self, costs: Costs) -> float:
        """Predicted time from the next quantum's start to its samples."""
        upcoming = self._quanta.upcoming
        tokens = upcoming.max_tokens if upcoming is not None else 0
        return costs.predict("quantum", tokens) + self.hop_cost_s(costs)

    def _audio_s(self, tokens: int) -> float:
        return tokens / self._models.config.token_rate_hz / self._pace.speed

    # -- talker -----------------------------------------------------------------------------------------------------

    def next_sample(self) -> SampleQuantum | None:
        """The quantum for the talker, unless one is under way or nothing can be sampled."""
        return self._quanta.next_sample(self._quantum_tokens)

    def can_sample(self) -> bool:
        """Whether there is a quantum for the talker."""
        return self.next_sample() is not None

    def sent(self, now_s: float) -> None:
        """The quantum went to the talker."""
        self._quanta.sent(now_s)

    def accept(self, quantum: int, ids: list[int], compute_s: float) -> None:
        """Takes the talker's answer to the quantum under way; an answer to another one is dropped."""
        if self._quanta.accept(quantum, ids):
            self.seconds.talker += compute_s

    @property
    def sampling(self) -> bool:
        """Whether the talker is at a quantum of it."""
        return self._quanta.waiting is not None

    @property
    def waiting_quantum(self) -> int | None:
        """The number of the quantum that the talker is at."""
        waiting = self._quanta.waiting
        return None if waiting is None else waiting.quantum

    def _quantum_tokens(self) -> int:
        """Enough for the next hop: the first hop is short so that sound starts early."""
        serving, ahead = self._models.config.serving, self._models.flow.config.lookahead_tokens
        index = next((i for i, s in enumerate(self.utterance.spoken) if not s.complete), None)
        if index is None:
            return serving.hop_tokens
        have = len(self.utterance.spoken[index].flow_tokens)
        if index == self._sequence:
            used, hop = self._tokens_done, self._hop_tokens()
            if self.job is not None:  # that hop's tokens are taken already
                used, hop = used + hop, serving.hop_tokens
        else:
            used, hop = 0, self._first_hop_tokens()
        missing = used + hop + ahead - have
        return missing if missing > 0 else serving.hop_tokens

    # -- flow -------------------------------------------------------------------------------------------------------

    @property
    def needs_prefix(self) -> bool:
        """True when the voice's shared prompt chunks must be computed before the next hop."""
        no_prefix = self.voice.flow.prefix_chunks > 0 and self.voice.flow not in self._models.flow.memory.prefixes
        return self._streams is None and no_prefix and self._can_hop()

    def next_job(self) -> HopJob | None:
        """The running hop, or the next one when its tokens are there."""
        if self.job is None and self._can_hop():
            if self._streams is None:
                assert self._memory.reservation is not None, "may_work tells"
                record, self._record = self._record, None
                memory = self._memory.reservation
                self._streams = SequenceStreams.open(self._models, memory, self._pace.speed, record)
            spoken, ahead = self._spoken, self._models.flow.config.lookahead_tokens
            self.job = self._streams.next_hop(spoken.flow_tokens, ahead, complete=spoken.complete)
            self._quanta.changed = True
        return self.job

    def _can_hop(self) -> bool:
        """Whether the next hop's tokens are there, and how fast to speak them. Passes over sequences in which the
        talker said nothing."""
        if not self._pace.known:
            if not self.utterance.complete:
                return False
            self._pace.fit(self._audio_s(sum(len(s.flow_tokens) for s in self.utterance.spoken)))
        spoken = self.utterance.spoken
        while self._sequence < len(spoken) and spoken[self._sequence].complete and not self._spoken.flow_tokens:
            self._sequence += 1
        if self._sequence >= len(spoken):
            return False
        waiting = len(self._spoken.flow_tokens) - self._tokens_done
        return self._spoken.complete or waiting >= self._hop_tokens() + self._models.flow.config.lookahead_tokens

    @property
    def _spoken(self) -> SequenceTokens:
        return self.utterance.spoken[self._sequence]

    @property
    def _tokens_done(self) -> int:
        """Flow tokens of the current sequence that have become mel."""
        if self._streams is not None:
            return max(self._streams.flow.tokens_done, self._streams.behind)
        return 0 if self._record is None else self._record.hop_tokens_done

    def _hop_tokens(self) -> int:
        """Of the next hop, or the running one."""
        if self._tokens_done == 0:
            return self._first_hop_tokens()
        return self._models.flow.config.chunk_tokens

    def _first_hop_tokens(self) -> int:
        chunk = self._models.flow.config.chunk_tokens
        return chunk - len(self.voice.flow.tokens) % chunk

    # -- vocoder ----------------------------------------------------------------------------------------------------

    def finished_mel(self) -> tuple[VocoderStream, Tensor, bool] | None:
        """The finished job as work for the vocoder; None for what was out before."""
        assert self.job is not None and self.job.done and self._streams is not None
        streams, mel = self._streams, self.job.mel
        self.job = None
        self._quanta.changed = True
        if streams.flow.tokens_done <= streams.behind:
            return None
        return streams.vocoder, streams.speed.feed(mel, streams.final), streams.final

    def take_wave(self, wave: Tensor, now_s: float) -> list[Audio]:
        """Counts decoded samples (float, -1 to 1); the events that go out now."""
        assert self._streams is not None
        streams, index, rate = self._streams, self._sequence, self._models.config.sample_rate
        start, tokens_done = self._samples, streams.flow.tokens_done
        self._samples += wave.numel()
        streams.samples += wave.numel()
        place = Place(
            (self._samples - streams.samples) / rate,
            start / rate,
            self._samples / rate,
            self._pace.speed,
            streams.final,
        )
        if streams.final:
            streams.flow.close()
            self._streams = None
            self._sequence += 1
        if wave.numel() == 0:
            return []
        pcm = (wave * 32767.0).round_().to(torch.int16).cpu().numpy().astype("<i2").tobytes()
        tokens = (place.end_s - place.sequence_s) * self._models.config.token_rate_hz * place.speed
        position = self.utterance.text_position(index, tokens)
        first_id, starts_s = (0, None) if self._times is None else self._times.hear(index, tokens_done, place)
        audio = Audio(self.name, pcm, place.start_s, self.utterance.tokens, position, None, first_id, starts_s)
        return self.delivery.add(Sound(audio, wave.numel() / rate, self._resume_record(), now_s))

    def release_at_s(self, costs: Costs, now_s: float, before_s: float) -> float:
        """When the first sound that is kept back is to go out; `before_s` is what others' work takes before its
        next."""
        if self._all_voiced or (self._flushes and self._sequence >= self._flushes[0][0]):
            return now_s
        if self.utterance.starving and self._next_text_s > HUNGRY_BEFORE_S:
            return now_s  # a slow writer is not waited for
        return self.delivery.release_at_s(now_s + before_s + self._next_sound_s(costs, now_s))

    @property
    def _next_text_s(self) -> float:
        """In what time the text of another block comes, at the pace so far."""
        seconds, block_ids = self.seconds, self._models.config.talker.mix_ratio[0]
        first_s = seconds.opened if seconds.first_text is None else seconds.first_text
        return block_ids * (seconds.last_text - first_s) / max(1, self.utterance.text_ids)

    def _next_sound_s(self, costs: Costs, now_s: float) -> float:
        """Predicted time to the samples of the next hop."""
        if self.job is not None or self._can_hop():
            return self.hop_left_s(costs)
        missing, sampling_s = self._quantum_tokens(), 0.0
        waiting = self._quanta.waiting
        if waiting is not None:
            missing -= waiting.max_tokens
            sampling_s = costs.predict("quantum", waiting.max_tokens, CAUTION_DEVIATIONS)
            sampling_s = max(0.0, sampling_s - (now_s - self._quanta.sent_s))
        elif self.utterance.starving:
            sampling_s = self._next_text_s
        if missing > 0:
            sampling_s += costs.predict("quantum", missing, CAUTION_DEVIATIONS)
        return sampling_s + self.hop_cost_s(costs)

    def _resume_record(self) -> ResumeRecord:
        streams = self._streams
        return ResumeRecord(
            history=self.utterance.history,
            sequence=self._sequence,
            hop_tokens_done=0 if streams is None else streams.flow.tokens_done,
            samples=self._samples,
            sequence_samples=0 if streams is None else streams.samples,
            vocoder=None if streams is None else streams.vocoder.resume_record(),
            speed=None if streams is None else streams.speed.resume_record(),
            playback=self.delivery.playback,
            seconds=self.seconds.record(),
            window_tokens=self._memory.window_tokens,
            told_ids=0 if self._times is None else self._times.told,
        )

    # -- ends -------------------------------------------------------------------------------------------------------

    def flushed(self) -> list[Flushed]:
        """The flushes whose text has become samples now. A first sound that is kept back must be released before."""
        self._can_hop()  # passes over what says nothing
        answers = []
        while self._flushes and self._sequence >= self._flushes[0][0]:
            _, flush_id = self._flushes.popleft()
            answers.append(Flushed(self.name, flush_id, self._samples / self._models.config.sample_rate))
        return answers

    @property
    def complete(self) -> bool:
        """True when every sequence has been turned into samples, and those are out."""
        return not self.delivery.keeps_back and self._all_voiced

    @property
    def _all_voiced(self) -> bool:
        return (
            self.utterance.complete
            and self.job is None
            and not self._can_hop()
            and self._sequence == len(self.utterance.spoken)
        )

    def done(self, now_s: float) -> Done:
        """The closing event."""
        u = self.utterance
        parts = {"audio": self._samples / self._models.config.sample_rate, **self.seconds.told(now_s)}
        parts |= self._pace.told()
        return Done(self.name, u.text_ids, u.speech_tokens, len(u.spoken), u.truncated, parts, self._memory.window_s)

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self.job = None
        if self._streams is not None:
            self._streams.flow.close()
            self._streams = None
        self._memory.close()
