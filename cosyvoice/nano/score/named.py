"""The table `voices`: kept sentences in the named voices, whole and as an LLM writes them, beside the teachers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.nano.corpus.voices import NamedVoice
from cosyvoice.nano.score.judging import Heard, Sentence, Wave, errors, judge_all, mean
from cosyvoice.nano.score.speaking import speak
from cosyvoice.nano.score.table import SEED, TEACHER, WAYS, Scoring, kept


@dataclass(frozen=True)
class VoiceRow:
    """All sentences of a voice: error rate and naturalness with their standard errors."""

    voice: str
    way: str
    sentences: int
    error: float
    error_se: float
    naturalness: float
    naturalness_se: float

    def line(self) -> str:
        return (
            f"{self.voice:6} {self.way:8} {self.sentences:3d}  error {self.error:.3f} ± {self.error_se:.3f}"
            f"  DistillMOS {self.naturalness:.2f} ± {self.naturalness_se:.2f}"
        )


def table(scoring: Scoring) -> list[VoiceRow]:
    """A row for each voice and way."""
    rows = []
    for voice in scoring.voices:
        sentences = kept(voice.language)[: scoring.count]
        rows.append(row(voice.name, TEACHER, teacher_heard(scoring, voice)))
        for way in WAYS:

            def say(sentence: Sentence, number: int, voice: NamedVoice = voice, way: str = way) -> Wave:
                return speak(scoring.server, sentence.text, voice.name, SEED + number, pieces=way == "pieces")

            judged = scoring.ours(f"{voice.name}-{way}")
            rows.append(row(voice.name, way, judge_all(judged, sentences, say, scoring.judge, f"{voice.name} {way}")))
    return rows


def teacher_heard(scoring: Scoring, voice: NamedVoice) -> list[Heard]:
    """What is heard of a voice's teacher, who says the same sentences."""
    return judge_all(
        scoring.teachers(voice.name),
        kept(voice.language)[: scoring.count],
        lambda sentence, number: scoring.teacher(sentence, voice.teacher),
        scoring.judge,
        f"{voice.name} {TEACHER}",
    )


def row(voice: str, way: str, heard: Sequence[Heard]) -> VoiceRow:
    """The means, with the bootstrap's standard error over sentences and the mean's."""
    return VoiceRow(voice, way, len(heard), *errors(heard), *mean([one.naturalness for one in heard]))
