"""All models in one process: speaks texts offline and as the engine does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cosyvoice.config import Dtype
from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import Talker, TalkerOptions
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.text_plan import TextPlan, TextPolicy
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio, Open
from rtserver.ipc.reading import Segment
from rtserver.metrics.trace import Ring
from rtserver.reader.text_front import TextFront, engine_segments
from rtserver.schedule.costs import Costs


@dataclass
class Take:
    """One text spoken in one way."""

    tokens: list[int]
    mel: Tensor
    # Without the voice's gain.
    wave: NDArray[np.float32]
    # What listeners hear; empty when spoken offline.
    pcm: bytes = b""
    # The sample at which the sound of each hop ends, and that of each sequence. Streamed only.
    hop_ends: list[int] = field(default_factory=list)
    sequence_ends: list[int] = field(default_factory=list)
    # The sample at which each sentence but the first begins, where the checkpoint has an aligner. Streamed only.
    sentence_starts: list[int] = field(default_factory=list)
    # The flow's tokens of each sequence. Streamed only.
    flow_tokens: list[list[int]] = field(default_factory=list)


class Speaker:
    """All models in one process."""

    def __init__(self, model: Path, *, flow_dtype: Dtype = "float32", talker_dtype: Dtype = "float32") -> None:
        """The data types are what the networks calculate in."""
        self.models = AcousticModels(model, kv_bytes=4 << 30, flow_dtype=flow_dtype)
        self.talker = Talker(self.models.config, TalkerOptions(dtype=talker_dtype))
        self.text = TextFront(self.models.config)

    def segments(self, text: str, *, words: bool) -> list[Segment]:
        """A text as the reader gives it out."""
        stream = self.text.stream(words=words)
        return engine_segments([*stream.feed(text), *stream.end()])

    def sample(self, utterance: TextPlan, quantum_tokens: int) -> bool:
        """Samples one quantum. False when nothing is left."""
        quantum = utterance.next_quantum(quantum_tokens)
        if quantum is None:
            return False
        self.talker.add(f"{time.monotonic_ns()}", quantum, utterance.quantum_seed)
        while self.talker.busy:
            for sampled in self.talker.step():
                utterance.accept(sampled.ids)
        return True

    def offline(self, voice: SpeakingVoice, segments: list[Segment], request: Open) -> dict[str, Take]:
        """One request for each sequence; then flow and vocoder over everything, with full attention and with the
        mask."""
        policy = TextPolicy.of(self.models.config, streaming=request.streaming)
        prompt = voice.talker_prompt(streaming=request.streaming)
        utterance = TextPlan(self.models.config.talker, prompt, policy, request.seed)
        utterance.feed(segments)
        utterance.end()
        while self.sample(utterance, 10_000):
            pass
        takes = {}
        for way, block_mask in (("offline", False), ("block", True)):
            mels, waves = [], []
            for number, spoken in enumerate(utterance.spoken):
                context = utterance.flow_context(number, self.models.flow.config.context_tokens)
                c = voice.conditioning
                flow_prompt = (c.flow_tokens, c.flow_mel, c.speaker)
                mel = self.models.flow.full(
                    spoken.flow_tokens, *flow_prompt, block_mask=block_mask, finalize=True, context=context
                )[0]
                mels.append(mel)
                waves += self.models.vocoder.decode([(self.models.vocoder.open(), mel, True)])
            takes[way] = Take(utterance.speech_tokens, torch.cat(mels, 1), torch.cat(waves).numpy())
        return takes

    def streamed(self, voice: SpeakingVoice, segments: Sequence[Segment], request: Open) -> Take:
        """As the engine does it: in quanta and hops, as soon as each can run."""
        utterance = AcousticUtterance(request, self.models, voice, 0.0, Ring(1))
        utterance.take_memory()
        utterance.feed(segments, 0.0)
        utterance.end(0.0)
        take = Take([], torch.zeros(0), np.zeros(0, np.float32))
        mels, waves, costs, samples = [], [], Costs(), 0
        heard: list[Audio] = []
        while not utterance.stream.complete:
            heard += utterance.release(0.0)
            if silence_ms := utterance.stream.silence_ms:
                waves.append(torch.zeros(silence_ms * self.models.config.sample_rate // 1000))
                samples += waves[-1].numel()
                heard += utterance.take_silence(0.0)
            sample = utterance.send_quantum(0.0, costs)
            if sample is not None:
                quantum = Quantum(
                    sample.ids, sample.max_tokens, sample.min_tokens, LayoutStage(sample.stage), sample.history
                )
                self.talker.add(str(sample.quantum), quantum, sample.seed)
                while self.talker.busy:
                    for sampled in self.talker.step():
                        utterance.accept(sample.quantum, sampled.ids, 0.0, 0.0)
            if utterance.needs_prefix:
                prefix = self.models.flow.prefix_job(voice.flow)
                if prefix is not None:
                    self.models.flow.run(prefix)
            job = utterance.next_job(0.0)
            if job is not None:
                mels.append(self.models.flow.run(job))
                work = utterance.finished_mel()
                assert work is not None
                wave = self.models.vocoder.decode([work])[0]
                samples += wave.numel()
                take.hop_ends.append(samples)
                if work[2]:
                    take.sequence_ends.append(samples)
                heard += utterance.take_wave(utterance.pcm(wave), 0.0)
                waves.append(wave)
        utterance.close()
        take.pcm = b"".join(audio.pcm for audio in heard)
        starts_s = [start_s for audio in heard for start_s in audio.id_starts_s or ()]
        take.sentence_starts = [
            round(starts_s[first] * self.models.config.sample_rate)
            for first in sentence_ids(segments)
            if first < len(starts_s)
        ]
        take.tokens = list(utterance.speech.speech_tokens)
        take.flow_tokens = [list(spoken.flow_tokens) for spoken in utterance.speech.spoken]
        take.mel, take.wave = torch.cat(mels, 1), torch.cat(waves).numpy()
        return take


def sentence_ids(segments: Sequence[Segment]) -> list[int]:
    """The first text id of each sentence but the first one."""
    ends = itertools.accumulate(len(segment.ids) for segment in segments)
    return [end for end, segment in zip(ends, segments, strict=True) if segment.ends_sentence][:-1]
