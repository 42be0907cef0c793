"""The table `hard`: long text, numbers, mixed languages, one-word answers; each said as a stream, and passed or not."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import main_language
from cosyvoice.nano.corpus.reserved import reserved_sentences
from cosyvoice.nano.corpus.voices import NamedVoice
from cosyvoice.nano.score.faults import FaultMeasures, faults, measured
from cosyvoice.nano.score.judging import Heard, Sentence, Wave, judge_all
from cosyvoice.nano.score.listener import Score
from cosyvoice.nano.score.speaking import speak
from cosyvoice.nano.score.table import SEED, Scoring
from cosyvoice.nano.score.text_ids import TextIds
from cosyvoice.nano.score.wording import compare_letters, letters

# Not reserved: that they are said well is worth training on the very words.
ANSWERS = ("Yes.", "No.", "Sure.", "Thanks!", "Why?", "好的。", "是的。", "不行。", "谢谢！", "为什么？")
KINDS = ("long", "numbers", "mixed", "answers")


@dataclass(frozen=True)
class HardRow:
    """One text in one voice. faults: none is a pass."""

    kind: str
    voice: str
    text: str
    heard: str
    error: float
    seconds: float
    longest_silence_s: float
    steady_s: float
    s_per_text_id: float
    faults: tuple[str, ...]

    def line(self) -> str:
        return (
            f"{self.kind:8} {self.voice:6} {'FAILS ' + ', '.join(self.faults) if self.faults else 'passes':30}  error"
            f" {self.error:.3f}  {self.seconds:5.1f} s, {1000 * self.s_per_text_id:.0f} ms a text id, silence"
            f" {self.longest_silence_s:.2f} s, steady {self.steady_s:.2f} s  {self.text[:40]}"
        )


def table(scoring: Scoring) -> list[HardRow]:
    """A row for each text in each voice of its language."""
    config = ModelConfig.load(scoring.model)
    usual_s = config.serving.tokens_per_text_id / config.token_rate_hz
    counted = TextIds(scoring.model)
    judge = functools.partial(scoring.judge, compare=_letters)
    rows = []
    for kind in KINDS:
        for voice in scoring.voices:
            said = [sentence for sentence in sentences(kind) if sentence.language == voice.language]

            def say(sentence: Sentence, number: int, voice: NamedVoice = voice) -> Wave:
                return speak(scoring.server, sentence.text, voice.name, SEED + number, pieces=True)

            judged = scoring.ours(f"hard-{kind}-{voice.name}")
            for number, heard in enumerate(judge_all(judged, said, say, judge, f"{voice.name} {kind}")):
                found = measured(judged.wave(number), counted.of(said[number]))
                rows.append(row(kind, voice.name, heard, found, usual_s))
    return rows


def sentences(kind: str) -> list[Sentence]:
    """The texts of a kind, each with the language of most of it."""
    texts = ANSWERS if kind == "answers" else reserved_sentences(f"hard_{kind}")
    return [Sentence(text, main_language(text, "en")) for text in texts]


def row(kind: str, voice: str, heard: Heard, found: FaultMeasures, usual_s: float) -> HardRow:
    """usual_s: seconds that a text id usually takes."""
    error = heard.edits / heard.units
    wrong = faults(found, usual_s, error, letters(heard.text), heard.heard, short=kind == "answers")
    return HardRow(
        kind,
        voice,
        heard.text,
        heard.heard,
        error,
        heard.seconds,
        found.longest_silence_s,
        found.steady_s,
        found.s_per_text_id,
        wrong,
    )


def _letters(expected: str, heard: str, language: str) -> Score:
    return compare_letters(expected, heard)
