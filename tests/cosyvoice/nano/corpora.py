"""A small corpus with features, codes and alignments, without any teacher: sums of sines under made-up phonemes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus.rows import Row, Utterance
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Wave

PHONEMES = "həlˈO wˈɜɹld ˈɪt ɪz mˈi."


def tone(seconds: float, seed: int) -> Wave:
    """Three sines and a little noise [samples]."""
    generator = np.random.default_rng(seed)
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sines = [np.sin(2 * np.pi * generator.uniform(100, 3000) * at) for _ in range(3)]
    noise = 0.05 * generator.standard_normal(len(at))
    return np.asarray(0.2 * np.sum(sines, axis=0) + noise, np.float32)


def utterance(voice: str, number: int, seconds: float, language: Language = "en") -> Utterance:
    return Utterance(voice, language, "talk", f"Text number {number} of {voice}.", PHONEMES, seconds)


def held_out(voice: str) -> int:
    """The number of an utterance whose text is held out."""
    return next(number for number in range(1000, 2000) if utterance(voice, number, 1.0).held_out)


def speak(work: Path, voices: dict[str, int], first: int = 0, *, hold_out: bool = False) -> list[Utterance]:
    """Adds so many utterances of each voice to the corpus under `work`, about a second each. hold_out: and one more of
    each, whose text is held out."""
    corpus = Corpus(work)
    spoken = []
    for voice, count in voices.items():
        for number in [*range(first, first + count), *([held_out(voice)] if hold_out else [])]:
            seconds = 0.8 + 0.1 * (number % 5)
            one = utterance(voice, number, seconds)
            corpus.keep(Row(one.voice, one.language, one.kind, one.text), tone(seconds, number))
            corpus.note(one)
            spoken.append(one)
    return spoken
