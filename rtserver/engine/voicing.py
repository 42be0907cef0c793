"""One utterance on the acoustic side: speech tokens to mel to samples, sequence after sequence."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.stream import FlowStream
from cosyvoice.vocoder.speed import MelSpeed
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.models import AcousticModels, SpeakingVoice
from rtserver.messages import Audio, Done, Sample
from rtserver.utterance import Spoken, Utterance


@dataclass
class _SequenceVoicing:
    """The streams of one talker sequence."""

    flow: FlowStream
    vocoder: VocoderStream
    speed: MelSpeed
    final: bool = False


@dataclass
class Seconds:
    """Where an utterance's time went."""

    opened: float
    first_text: float | None = None
    first_audio: float | None = None
    talker: float = 0.0
    flow: float = 0.0
    vocoder: float = 0.0


class Voicing:
    """Drives one utterance. The owner asks for talker quanta and flow jobs, runs them, and brings results back."""

    def __init__(
        self, name: str, models: AcousticModels, voice: SpeakingVoice, utterance: Utterance, speed: float
    ) -> None:
        self.name = name
        self.voice = voice
        self.utterance = utterance
        self.job: HopJob | None = None
        self.seconds = Seconds(time.perf_counter())
        self._models = models
        self._speed = speed
        self._sequence = 0  # the sequence that flow and vocoder are at
        self._voicing: _SequenceVoicing | None = None
        self._samples = 0
        self._quanta = 0
        self._waiting: str | None = None  # the quantum that the talker is at
        MelSpeed(speed)  # refuse a bad speed before work starts

    # -- talker -----------------------------------------------------------------------------------------------------

    def next_sample(self) -> Sample | None:
        """The quantum to send to the talker, unless one is under way or nothing can be sampled."""
        if self._waiting is not None:
            return None
        quantum = self.utterance.next_quantum(self._quantum_tokens())
        if quantum is None:
            return None
        self._quanta += 1
        self._waiting = f"{self.name}#{self._quanta}"
        return Sample(
            self._waiting,
            quantum.ids,
            quantum.max_tokens,
            quantum.min_tokens,
            quantum.stage.value,
            quantum.history,
            self.utterance.quantum_seed,
        )

    def accept(self, request: str, ids: list[int], compute_s: float) -> None:
        """Takes the talker's answer to the quantum under way; an answer to another one is late and dropped."""
        if request == self._waiting:
            self._waiting = None
            self.utterance.accept(ids)
            self.seconds.talker += compute_s

    @property
    def waiting_request(self) -> str | None:
        """The name of the quantum that the talker is at."""
        return self._waiting

    def _quantum_tokens(self) -> int:
        """Enough for the next hop: the first hop is short so that sound starts early."""
        flow = self._models.flow.config
        spoken = next((s for s in self.utterance.spoken if not s.complete), None)
        if spoken is None or self._voicing is None or spoken is not self.utterance.spoken[self._sequence]:
            hop, used, have = self._first_hop_tokens(), 0, len(spoken.flow_tokens) if spoken else 0
        else:
            hop, used, have = self._voicing.flow.hop_tokens(), self._voicing.flow.tokens_done, len(spoken.flow_tokens)
            if self.job is not None:  # that hop's tokens are taken already
                used, hop = used + hop, self._models.config.serving.hop_tokens
        missing = used + hop + flow.lookahead_tokens - have
        return missing if missing > 0 else self._models.config.serving.hop_tokens

    def _first_hop_tokens(self) -> int:
        chunk = self._models.flow.config.chunk_tokens
        return chunk - len(self.voice.flow.tokens) % chunk

    # -- flow -------------------------------------------------------------------------------------------------------

    def next_job(self) -> HopJob | None:
        """Starts the next hop when its tokens are there. CacheFull when the flow has no memory for it."""
        if self.job is not None or self._sequence >= len(self.utterance.spoken):
            return None
        spoken = self.utterance.spoken[self._sequence]
        if spoken.complete and not spoken.flow_tokens:  # the talker said nothing
            self._sequence += 1
            return self.next_job()
        if self._voicing is None:
            if not self._enough(spoken, self._first_hop_tokens(), 0):
                return None
            models = self._models
            self._voicing = _SequenceVoicing(
                models.flow.open(self.voice.flow), models.vocoder.open(), MelSpeed(self._speed)
            )
        voicing = self._voicing
        hop = voicing.flow.hop_tokens()
        if not self._enough(spoken, hop, voicing.flow.tokens_done):
            return None
        waiting = spoken.flow_tokens[voicing.flow.tokens_done :]
        cut = hop + self._models.flow.config.lookahead_tokens
        voicing.final = spoken.complete and len(waiting) <= cut
        self.job = voicing.flow.hop(waiting if voicing.final else waiting[:cut], final=voicing.final)
        return self.job

    def _enough(self, spoken: Spoken, hop_tokens: int, used: int) -> bool:
        needed = hop_tokens + self._models.flow.config.lookahead_tokens
        return spoken.complete or len(spoken.flow_tokens) - used >= needed

    # -- vocoder ----------------------------------------------------------------------------------------------------

    def finished_mel(self) -> tuple[VocoderStream, Tensor, bool]:
        """The finished job as work for the vocoder."""
        assert self.job is not None and self.job.done and self._voicing is not None
        voicing = self._voicing
        mel = voicing.speed.feed(self.job.mel, voicing.final)
        self.job = None
        return voicing.vocoder, mel, voicing.final

    def take_wave(self, wave: Tensor) -> Audio | None:
        """Counts decoded samples (float, -1 to 1) and makes the event that carries them."""
        if self._voicing is not None and self._voicing.final:
            self._voicing.flow.close()
            self._voicing = None
            self._sequence += 1
        if wave.numel() == 0:
            return None
        if self.seconds.first_audio is None:
            self.seconds.first_audio = time.perf_counter()
        pcm = (wave * 32767.0).round_().to(torch.int16).cpu().numpy().astype("<i2").tobytes()
        start_s = self._samples / self._models.config.sample_rate
        self._samples += wave.numel()
        return Audio(self.name, pcm, start_s, len(self.utterance.speech_tokens))

    # -- end --------------------------------------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """True when every sequence has been turned into samples."""
        return self.utterance.complete and self.job is None and self._sequence == len(self.utterance.spoken)

    def done(self) -> Done:
        """The closing event."""
        s, now = self.seconds, time.perf_counter()
        since = s.first_text if s.first_text is not None else s.opened
        parts = {
            "audio": self._samples / self._models.config.sample_rate,
            "talker": s.talker,
            "flow": s.flow,
            "vocoder": s.vocoder,
            "wall": now - since,
        }
        if s.first_audio is not None:
            parts["ttfa"] = s.first_audio - since
        u = self.utterance
        return Done(self.name, u.text_ids, u.speech_tokens, len(u.spoken), u.truncated, parts)

    def close(self) -> None:
        """Gives all memory back. May be called again."""
        self.job = None
        if self._voicing is not None:
            self._voicing.flow.close()
            self._voicing = None
