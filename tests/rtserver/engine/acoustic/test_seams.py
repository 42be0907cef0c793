"""Where a text goes on in another sequence: the sound of hops is that of whole sequences, and goes on after a crash."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cosyvoice.models import NANO
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio, Open
from rtserver.ipc.reading import Segment
from rtserver.metrics.trace import Ring
from rtserver.schedule.costs import Costs

pytestmark = pytest.mark.model

SPOKEN = [60, 45]  # speech tokens of each sequence
SEGMENTS = [Segment([5] * 80, 0, True)] * len(SPOKEN)  # each fills more than half of a sequence


@pytest.fixture(scope="module")
def models() -> AcousticModels:
    return AcousticModels(NANO, kv_bytes=1 << 30)


@pytest.fixture(scope="module")
def voice(models: AcousticModels) -> SpeakingVoice:
    return models.voice("英文女", "sft", "", "en")


def tokens(models: AcousticModels, sequence: int) -> list[int]:
    """What the talker says in a sequence, with its end."""
    generator = torch.Generator().manual_seed(sequence)
    said = torch.randint(models.config.flow.vocab, (SPOKEN[sequence],), generator=generator).tolist()
    return [*said, models.config.talker.eos]


def speak(models: AcousticModels, voice: SpeakingVoice, resume: bytes | None = None) -> Iterator[Audio]:
    """The sound of the text, hop by hop."""
    utterance = AcousticUtterance(Open("u", voice.name, resume=resume), models, voice, 0.0, Ring(1))
    utterance.take_memory()
    utterance.feed(SEGMENTS, 0.0)
    utterance.end(0.0)
    while not utterance.stream.complete:
        yield from utterance.release(0.0)
        sample = utterance.send_quantum(0.0, Costs())
        if sample is not None:
            sequence = sample.seed >> 32
            said = len(sample.history)
            ids = tokens(models, sequence)[said : said + sample.max_tokens]
            utterance.accept(sample.quantum, ids, 0.0, 0.0)
        job = utterance.next_job(0.0)
        if job is not None:
            models.flow.run(job)
            work = utterance.finished_mel()
            if work is not None:
                yield from utterance.take_wave(utterance.pcm(models.vocoder.decode([work])[0]), 0.0)
    utterance.close()


def samples(sounds: list[Audio]) -> NDArray[np.int16]:
    return np.frombuffer(b"".join(sound.pcm for sound in sounds), "<i2")


def test_hops_over_a_seam_are_whole_sequences_with_context(models: AcousticModels, voice: SpeakingVoice) -> None:
    """The second sequence is that of one pass over the end of the first and its own tokens; without the first it would
    be another."""
    sounds = list(speak(models, voice))
    c, config = voice.conditioning, models.config
    prompt = (c.flow_tokens, c.flow_mel, c.speaker)
    first, second = (tokens(models, sequence)[:-1] for sequence in range(2))
    second += config.serving.closing_ids
    context = first[-config.flow.context_tokens :]
    streamed = samples(sounds)[-config.sample_rate // config.token_rate_hz * len(second) :]
    for before, alike in ((context, True), ([], False)):
        mel = models.flow.full(second, *prompt, block_mask=True, finalize=True, context=before)[0]
        wave = models.vocoder.decode([(models.vocoder.open(), mel, True)])[0].numpy() * 32767
        wave *= np.abs(streamed).max() / np.abs(wave).max()  # the voice's gain
        assert (np.abs(streamed - wave).max() <= 0.02 * 32767) == alike


@pytest.mark.parametrize("hops", [2, 4])
def test_what_goes_on_after_a_crash_is_the_same_sound(models: AcousticModels, voice: SpeakingVoice, hops: int) -> None:
    """In the first sequence, and in the one that goes on: another utterance makes the rest from the record."""
    sounds = list(speak(models, voice))
    resume = sounds[hops - 1].resume
    assert resume is not None
    rest = list(speak(models, voice, resume))
    expected, found = samples(sounds[hops:]), samples(rest)
    assert rest[0].start_s == sounds[hops].start_s and len(found) == len(expected)
    assert np.abs(found.astype(float) - expected).max() <= 0.02 * 32767
