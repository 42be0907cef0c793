"""The stage `features`: mel and Whisper log-mel of every utterance of the corpus, by the code that serves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Wave
from cosyvoice.nano.data.store import FRAMES_PER_CODE, FeatureStore
from cosyvoice.nano.progress import Progress
from cosyvoice.voice.features import MEL_HOP, TOKENIZER_RATE_HZ, mel_24k, resample, whisper_log_mel

_FEWEST_FRAMES = 10


def whole_codes(wave: Wave) -> Wave:
    """A wave cut to a whole number of codes."""
    per_code = MEL_HOP * FRAMES_PER_CODE
    return wave[: len(wave) // per_code * per_code]


def features_of(wave: Wave) -> dict[str, NDArray[np.float32]]:
    """`mel` [frames, 80] and `whisper` [2 * frames, 128] of a wave at 24 kHz with a whole number of codes."""
    sound = torch.from_numpy(wave)
    narrow = resample(sound, SAMPLE_RATE, TOKENIZER_RATE_HZ)
    return {"mel": mel_24k(sound).numpy(), "whisper": whisper_log_mel(narrow).T.contiguous().numpy()}


def run(work: Path) -> None:
    """Computes what is missing."""
    torch.set_num_threads(1)
    corpus, store = Corpus(work), FeatureStore(work)
    done = {entry.utterance.key for entry in store.entries}
    spoken = [*corpus.utterances(), *corpus.styled()]
    missing = [utterance for utterance in spoken if utterance.key not in done]
    progress = Progress("features", sum(u.seconds for u in missing) / 3600, "h")
    for utterance in missing:
        wave = whole_codes(corpus.wave(utterance))
        if len(wave) >= _FEWEST_FRAMES * MEL_HOP:
            store.append(utterance, features_of(wave))
        progress.add(utterance.seconds / 3600)
    progress.say(f"{store.frames / 180000:.2f} h in {len(store.entries)} utterances")
