"""The table `conversion`: sentences of each teacher said again in the other voices. What is kept, what has moved?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.corpus.voices import NAMED, NamedVoice
from cosyvoice.nano.score.judging import Heard, Judged, Sentence, Wave, errors, judge_all, mean
from cosyvoice.nano.score.likeness import Likeness
from cosyvoice.nano.score.named import teacher_heard
from cosyvoice.nano.score.speaking import SAMPLE_RATE, convert
from cosyvoice.nano.score.table import Scoring, kept

SENTENCES = 4  # of each source voice to each other voice
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """A sentence of a teacher: its number among the kept ones."""

    voice: NamedVoice
    number: int
    sentence: Sentence


@dataclass(frozen=True)
class ConversionRow:
    """Sentences of a language said again in a voice. error against what the source says; source_error is the
    source's own. to_voice, to_source: mean cosine to the voice and to the source. moved: part of them nearer to the
    voice."""

    voice: str
    source_language: str
    sentences: int
    error: float
    error_se: float
    source_error: float
    to_voice: float
    to_source: float
    moved: float
    naturalness: float

    def line(self) -> str:
        return (
            f"{self.voice:6} from {self.source_language}  {self.sentences:3d}  error {self.error:.3f} ±"
            f" {self.error_se:.3f} (source {self.source_error:.3f})  voice {self.to_voice:.3f}, source"
            f" {self.to_source:.3f}, moved {self.moved:.2f}  DistillMOS {self.naturalness:.2f}"
        )


def table(scoring: Scoring) -> list[ConversionRow]:
    """A row for each voice and language of the sources."""
    spoken = {voice.name: scoring.teachers(voice.name) for voice in NAMED}
    said = {voice.name: teacher_heard(scoring, voice) for voice in NAMED}
    likeness, rows = Likeness(), []
    heard_sources = {
        (voice.name, n): likeness(spoken[voice.name].wave(n), SAMPLE_RATE)
        for voice in NAMED
        for n in range(min(scoring.count, SENTENCES))
    }
    for voice in scoring.voices:
        chosen = sources(voice, min(scoring.count, SENTENCES))

        def say(sentence: Sentence, number: int, voice: NamedVoice = voice, chosen: list[Source] = chosen) -> Wave:
            source = chosen[number]
            return convert(scoring.server, spoken[source.voice.name].wave(source.number), voice.name)

        judged = scoring.ours(f"conversion-{voice.name}")
        heard = judge_all(judged, [one.sentence for one in chosen], say, scoring.judge, f"conversion {voice.name}")
        target = mean_voice([vector for (name, _), vector in heard_sources.items() if name == voice.name])
        for language in sorted({one.voice.language for one in chosen}):
            of = [n for n, one in enumerate(chosen) if one.voice.language == language]
            cosines = [
                _cosines(likeness, judged, n, target, heard_sources[chosen[n].voice.name, chosen[n].number]) for n in of
            ]
            before = [said[chosen[n].voice.name][chosen[n].number] for n in of]
            rows.append(row(voice.name, language, [heard[n] for n in of], before, cosines))
    return rows


def sources(voice: NamedVoice, each: int) -> list[Source]:
    """The sentences that a voice is to say again: some of each other voice."""
    return [
        Source(other, number, sentence)
        for other in NAMED
        if other.name != voice.name
        for number, sentence in enumerate(kept(other.language)[:each])
    ]


def mean_voice(vectors: Sequence[Vector]) -> Vector:
    """The direction between several of a speaker."""
    total = np.sum(vectors, axis=0)
    mean: Vector = (total / np.linalg.norm(total)).astype(np.float32)
    return mean


def row(
    voice: str, language: str, heard: Sequence[Heard], before: Sequence[Heard], cosines: Sequence[tuple[float, float]]
) -> ConversionRow:
    """before: what was heard of the sources; cosines: to the voice and to the source, of each sentence."""
    return ConversionRow(
        voice,
        language,
        len(heard),
        *errors(heard),
        errors(before)[0],
        mean([to_voice for to_voice, _ in cosines])[0],
        mean([to_source for _, to_source in cosines])[0],
        mean([float(to_voice > to_source) for to_voice, to_source in cosines])[0],
        mean([one.naturalness for one in heard])[0],
    )


def _cosines(likeness: Likeness, judged: Judged, number: int, target: Vector, source: Vector) -> tuple[float, float]:
    vector = likeness(judged.wave(number), SAMPLE_RATE)
    return float(vector @ target), float(vector @ source)
