"""One utterance on the acoustic side: speech tokens to mel to samples. Its numbers are in a SpeechStream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.talker.layout import Quantum
from cosyvoice.transfer import ToHost, copy_to_host
from cosyvoice.vocoder.stream import VocoderStream
from cosyvoice.voice.loudness import amplify
from rtserver.engine.acoustic.memory import Memory
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.notes import Notes
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.sequence_streams import SequenceStreams
from rtserver.engine.acoustic.text_times import Place
from rtserver.engine.acoustic.token_source import speech_of
from rtserver.engine.acoustic.word_aligner import UtteranceTimes
from rtserver.ipc.engine import Audio, Done, Flushed, Open, Writing
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum
from rtserver.metrics.trace import Ring
from rtserver.schedule.costs import Costs
from rtserver.schedule.delivery import Delivery, Sound
from rtserver.schedule.hops import StreamSizes
from rtserver.schedule.pace import Pace
from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import Terms, may_work_at_s
from rtserver.schedule.stream import SpeechStream
from rtserver.schedule.timings import Timings
from rtserver.schedule.writer import Writer

_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True)
class Samples(Sound):
    """Samples that are made."""

    # The message, without its resume record.
    audio: Audio
    # The resume record, as of when they were made.
    record: ResumeRecord


class AcousticUtterance:
    """The tensors of one utterance, and the messages about it. `stream` says what is to be done when; its owner has
    that done, and brings the results here. With a resume record it goes on after that record's samples."""

    def __init__(
        self,
        request: Open,
        models: AcousticModels,
        voice: SpeakingVoice,
        now_s: float,
        ring: Ring,
        *,
        holds: bool = True,
    ) -> None:
        """ring: notes the utterance's way. holds: whether the first sound for a realtime listener may be kept back.
        Raises ValueError for a bad speed or target, StreamError for a bad resume record."""
        self.name = request.utterance
        self.voice = voice
        self.notes = Notes(self.name, ring, now_s)
        # The hop under way.
        self.job: HopJob | None = None
        self._models = models
        self._record = record = None if request.resume is None else ResumeRecord.unpack(request.resume)
        self.speech = speech_of(request, models, voice, record)
        self._times = UtteranceTimes.of(models.aligner, self.speech, record.told_ids if record else 0)
        self._pace = Pace(request.speed, request.target_s)
        timings = Timings.restore(record.seconds) if record else Timings(opened=now_s)
        playback = replace(record.playback) if record else Playback()
        self.stream: SpeechStream[Samples] = SpeechStream(
            self.name,
            self.speech,
            stream_sizes(models, voice),
            self._pace,
            Delivery(playback, timings, holds=holds and request.service_class == "realtime"),
            Terms(request.service_class, request.max_lead_s, request.tenant),
            resumes_at=(record.sequence, record.hop_tokens_done) if record else None,
        )
        # How many Feed, Flush and End it has had.
        self.fed = 0
        self._characters = 0  # of its text
        # Whether it has waited for text for so long that it holds no memory that it can do without.
        self.rests = False
        self._idle_since_s: float | None = None
        self._held = False
        self._memory = Memory(models, voice.flow, *((record.window_tokens, record.hop_tokens_done) if record else ()))
        self._streams: SequenceStreams | None = None
        self._samples = record.samples if record else 0
        self.stream.hold(True)  # until it has memory

    # -- from the front ---------------------------------------------------------------------------------------------

    def feed(self, segments: Sequence[Segment], now_s: float, writing: Writing | None = None) -> None:
        """writing: how fast the text is written; None: not known."""
        self._wake()
        self._note_text(now_s, sum(len(segment.ids) for segment in segments))
        self.stream.text(now_s)
        self.speech.feed(segments)
        self._characters += sum(segment.end - segment.start for segment in segments)
        self.stream.writer = None if writing is None else self._writer(writing, now_s)
        if self._times is not None:
            self._times.feed(segments)

    def _writer(self, writing: Writing, now_s: float) -> Writer:
        ids_per_char = self.speech.text_ids / max(1, self._characters)
        ids_per_s = None if writing.chars_per_s is None else writing.chars_per_s * ids_per_char
        return Writer(now_s - writing.age_s, ids_per_s)

    def flush(self, flush_id: str, now_s: float) -> None:
        self._wake()
        self._note_text(now_s)
        self.stream.flush(flush_id, now_s)

    def end(self, now_s: float) -> None:
        self._wake()
        self._note_text(now_s)
        self.stream.text(now_s)
        self.speech.end()

    def _wake(self) -> None:
        self.fed += 1
        self.rests, self._idle_since_s = False, None

    def _note_text(self, now_s: float, more_ids: int = 0) -> None:
        speechless = self.speech.speechless and not self.stream.sampling
        self.notes.text(now_s, self.speech.text_ids + more_ids, speechless=speechless)

    def starve(self, now_s: float, *, late: bool) -> None:
        """Closes the open sequence for want of text; see SpeechStream."""
        self.notes.closed(now_s)
        self.stream.starve(late=late)

    def hold(self, on: bool, now_s: float) -> None:
        """Stops work while the sound is not taken, or lets it go on."""
        self._held = on
        self.stream.timings.hold(on, now_s)
        if not on:
            self.notes.let_go(now_s)
        self.stream.hold(on or not self.has_memory)

    # -- memory -----------------------------------------------------------------------------------------------------

    @property
    def has_memory(self) -> bool:
        """Whether there is room for its keys and values. Without, no work is done."""
        return self._memory.reservation is not None

    def take_memory(self) -> None:
        """Raises CacheFull."""
        known = self.speech.spoken if self.speech.complete else ()  # a recording is, from the beginning
        self._memory.take(max((len(s.flow_tokens) for s in known), default=0))
        self.stream.hold(self._held)

    def idle_since_s(self, now_s: float) -> float | None:
        """Since when only text can bring more sound; None while there is work."""
        if not self.stream.idle or self.job is not None:
            self._idle_since_s = None
        elif self._idle_since_s is None:
            self._idle_since_s = now_s
        return self._idle_since_s

    def rest(self) -> bool:
        """It has waited for text for too long: gives the memory back, unless a sequence is open. True when it rests
        from now on."""
        if self._streams is None and self.has_memory:
            self._memory.close()
            self.stream.hold(True)
        rested, self.rests = self.rests, True
        return not rested

    # -- talker -----------------------------------------------------------------------------------------------------

    def send_quantum(self, now_s: float, costs: Costs, long_tokens: int = 0) -> SampleQuantum | None:
        """The message that sends the next quantum to the talker; None when there is no quantum. long_tokens: how many
        tokens it may bring, even if the next hop needs fewer."""
        quantum, seed = self.stream.next_quantum(long_tokens), self.speech.quantum_seed
        if quantum is None:
            return None
        paced_until_s = may_work_at_s(self.stream.standing, ahead_s=self.stream.ahead_s)
        self.notes.quantum_sent(now_s, paced_until_s, costs.predict("quantum", quantum.max_tokens))
        return sample_quantum(self.name, self.stream.quanta.sent(now_s), quantum, seed)

    def accept(self, quantum: int, ids: list[int], compute_s: float, now_s: float) -> None:
        """Takes the talker's answer to the quantum under way. An answer to another one is dropped."""
        if self.stream.quanta.accept(quantum, ids):
            self.stream.timings.talker += compute_s
            self.notes.quantum_answered(now_s, len(ids))

    # -- flow -------------------------------------------------------------------------------------------------------

    @property
    def needs_prefix(self) -> bool:
        """True when the voice's shared prompt chunks must be computed before the next hop."""
        flow = self.voice.flow
        missing = flow.prefix_chunks > 0 and flow not in self._models.flow.memory.prefixes
        return self._streams is None and missing and self.stream.can_hop

    def next_job(self, now_s: float) -> HopJob | None:
        """The running hop, or the next one when its tokens are there."""
        hop = self.stream.next_hop()
        if hop is not None:
            self.notes.hop_began(now_s, may_work_at_s(self.stream.standing))
            if self._streams is None:
                assert self._memory.reservation is not None, "may_work tells"
                record, self._record = self._record, None
                memory = self._memory.reservation
                context = self.speech.flow_context(hop.sequence, self._models.flow.config.context_tokens)
                self._streams = SequenceStreams.open(self._models, memory, self._speed(hop.sequence), context, record)
            tokens, ahead = self.speech.spoken[hop.sequence].flow_tokens, self._models.flow.config.lookahead_tokens
            catch_up = self._streams.catch_up(tokens, ahead)
            self.job = catch_up or self._streams.next_hop(tokens, ahead, hop)
            self.stream.begin_hop(None if catch_up else hop, self.job)
        return self.job

    # -- vocoder ----------------------------------------------------------------------------------------------------

    def finished_mel(self) -> tuple[VocoderStream, Tensor, bool] | None:
        """The finished hop as work for the vocoder; None for one that was out before."""
        assert self.job is not None and self.job.done and self._streams is not None
        streams, mel, hop = self._streams, self.job.mel, self.stream.hop
        self.job = None
        if hop is None:
            self.stream.finish_hop()
            return None
        return streams.vocoder, streams.speed.feed(mel, hop.final), hop.final

    def pcm(self, wave: Tensor) -> Tensor:
        """The samples (float, -1 to 1) as they are sent: with the voice's gain, int16, on their device."""
        return (amplify(wave, self.voice.gain_db) * 32767.0).round_().to(torch.int16)

    @property
    def kept_tensors(self) -> tuple[Tensor, ...]:
        """What the resume record after the finished hop has of the device."""
        if self._streams is None or self.stream.hop is None or self.stream.hop.final:
            return ()
        return *self._streams.vocoder.tensors, *self._streams.speed.tensors

    def take_wave(self, wave: Tensor, now_s: float, to_host: ToHost = copy_to_host) -> list[Audio]:
        """Takes the samples of the finished hop, which `pcm` has made. to_host: copies them and `kept_tensors`. Returns
        the messages that go out now."""
        assert self._streams is not None and self.stream.hop is not None
        streams, hop, rate = self._streams, self.stream.hop, self._models.config.sample_rate
        self.stream.finish_hop()
        start = self._samples
        self._samples += wave.numel()
        streams.samples += wave.numel()
        sequence_s = (self._samples - streams.samples) / rate
        place = Place(sequence_s, start / rate, self._samples / rate, self._speed(hop.sequence), hop.final)
        if hop.final:
            streams.flow.close()
            self._streams = None
        if wave.numel() == 0:
            return []
        pcm = to_host(wave).numpy().astype("<i2").tobytes()
        tokens = (place.end_s - place.sequence_s) * self._models.config.token_rate_hz * place.speed
        position = self.speech.text_position(hop.sequence, tokens)
        done = hop.done + hop.tokens
        first_id, starts_s = (0, None) if self._times is None else self._times.hear(hop.sequence, done, place)
        audio = Audio(self.name, pcm, place.start_s, self.speech.tokens, position, None, first_id, starts_s)
        made = Samples(place.start_s, wave.numel() / rate, now_s, audio, self._resume_record(to_host))
        return self._send(self.stream.delivery.add(made), now_s)

    def _speed(self, sequence: int) -> float:
        return self._pace.speed_at(self.speech.spoken[sequence].rate)

    def take_silence(self, now_s: float) -> list[Audio]:
        """Makes the silence that comes next. Returns the messages that go out now."""
        rate = self._models.config.sample_rate
        samples = self.stream.silence_ms * rate // 1000
        position = self.speech.text_position(self.stream.place[0], 0)
        first_id, starts_s = (0, None) if self._times is None else (self._times.told, list[float]())
        start_s = self.audio_s
        self._samples += samples
        self.stream.finish_silence()
        pcm = bytes(samples * _BYTES_PER_SAMPLE)
        audio = Audio(self.name, pcm, start_s, self.speech.tokens, position, None, first_id, starts_s)
        made = Samples(start_s, samples / rate, now_s, audio, self._resume_record())
        return self._send(self.stream.delivery.add(made), now_s)

    def release(self, now_s: float) -> list[Audio]:
        """Sends the first sound, if it is kept back."""
        return self._send(self.stream.delivery.release(), now_s)

    def _send(self, sounds: list[Samples], now_s: float) -> list[Audio]:
        messages = []
        for sound in sounds:
            if sound.made_s < now_s:
                self.notes.released(sound.made_s, now_s, sound.start_s + sound.seconds)
            self.stream.delivery.sent(sound, now_s)
            record = replace(sound.record, playback=self.stream.delivery.playback, seconds=self.stream.timings.record())
            messages.append(replace(sound.audio, resume=record.pack()))
        return messages

    def _resume_record(self, to_host: ToHost = copy_to_host) -> ResumeRecord:
        streams, (sequence, tokens_done) = self._streams, self.stream.place
        return ResumeRecord(
            history=self.speech.history,
            sequence=sequence,
            hop_tokens_done=tokens_done,
            samples=self._samples,
            sequence_samples=0 if streams is None else streams.samples,
            vocoder=None if streams is None else streams.vocoder.resume_record(to_host),
            speed=None if streams is None else streams.speed.resume_record(to_host),
            playback=self.stream.delivery.playback,
            seconds=self.stream.timings.record(),
            window_tokens=self._memory.window_tokens,
            told_ids=0 if self._times is None else self._times.told,
        )

    # -- ends -------------------------------------------------------------------------------------------------------

    def flushed(self) -> list[Flushed]:
        """The flushes whose text has become samples now, after a first sound that was kept back."""
        return [Flushed(self.name, flush_id, self.audio_s) for flush_id in self.stream.flushed()]

    def done(self, now_s: float) -> Done:
        """The closing event."""
        speech = self.speech
        seconds = {"audio": self.audio_s, **self.stream.timings.told(now_s), **self._pace.told()}
        return Done(
            self.name,
            speech.text_ids,
            speech.speech_tokens,
            len(speech.sequences),
            speech.truncated,
            seconds,
            self._memory.window_s,
        )

    @property
    def audio_s(self) -> float:
        """Audio that is made."""
        return self._samples / self._models.config.sample_rate

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self.job = None
        if self._streams is not None:
            self._streams.flow.close()
            self._streams = None
        self._memory.close()


def stream_sizes(models: AcousticModels, voice: SpeakingVoice) -> StreamSizes:
    """Of the hops and quanta of an utterance in a voice."""
    flow = models.flow.config
    return StreamSizes(
        first_tokens=flow.chunk_tokens - len(voice.flow.tokens) % flow.chunk_tokens,
        chunk_tokens=flow.chunk_tokens,
        lookahead_tokens=flow.lookahead_tokens,
        frames_per_token=flow.frames_per_token,
        euler_steps=flow.euler_steps,
        token_rate_hz=models.config.token_rate_hz,
        quantum_tokens=models.config.serving.hop_tokens,
        block_ids=models.config.talker.mix_ratio[0],
        block_tokens=models.config.talker.mix_ratio[1],
        context_tokens=flow.context_tokens,
    )


def sample_quantum(utterance: str, number: int, quantum: Quantum, seed: int) -> SampleQuantum:
    """A quantum as a message for the talker."""
    return SampleQuantum(
        utterance,
        number,
        quantum.ids,
        quantum.max_tokens,
        quantum.min_tokens,
        quantum.stage.value,
        quantum.history,
        seed,
    )
