"""The table `styles`: the same sentences in each style and plainly. What does a style change?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import soundfile

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus.voices import NAMED, NamedVoice
from cosyvoice.nano.f0 import world_f0
from cosyvoice.nano.flac import write_flac
from cosyvoice.nano.progress import Progress
from cosyvoice.nano.score.judging import Sentence, Wave
from cosyvoice.nano.score.speaking import SAMPLE_RATE
from cosyvoice.nano.score.table import SEED, Scoring, kept
from cosyvoice.nano.score.text_ids import TextIds

# Mode instruct with an instruction that names no style: the same voice, flow prompt and talker head, without a tag.
PLAIN = "plain"
INSTRUCTIONS: dict[Language, dict[str, str]] = {
    "en": {
        PLAIN: "Speak as you always do.",
        "fast": "Please speak fast.",
        "slow": "Please speak slowly.",
        "soft": "Please speak softly.",
        "loud": "Please speak loudly.",
        "cheerful": "Please sound cheerful.",
        "calm": "Please sound calm.",
    },
    "zh": {
        PLAIN: "请像平常一样说。",
        "fast": "请说快一点。",
        "slow": "请说慢一点。",
        "soft": "请轻声说。",
        "loud": "请大声说。",
        "cheerful": "请用开心的语气说。",
        "calm": "请用平静的语气说。",
    },
}
VOICES = tuple(voice for voice in NAMED if voice.name in ("英文女", "中文女"))
SENTENCES = 20
# What each style is for, and which way.
MEANT = {
    "fast": ("ids_per_s", 1),
    "slow": ("ids_per_s", -1),
    "soft": ("energy_db", -1),
    "loud": ("energy_db", 1),
    "cheerful": ("pitch_st", 1),
    "calm": ("spread_st", -1),
}
SIGNIFICANT = 0.05

_FRAME = SAMPLE_RATE // 50
_QUIET = 1e-4  # of the loudest frame's power
_FLIPS = 9999

Say = Callable[[str, str, int, str], Wave]  # text, voice, seed, instruction -> samples at 24 kHz


@dataclass(frozen=True)
class StyleMeasures:
    """ids_per_s: text ids a second between the first and the last sound; energy_db: of what is not silent, against full
    scale; pitch_st, spread_st: median of F0, and between its 10th and 90th percentiles, in semitones."""

    ids_per_s: float
    energy_db: float
    pitch_st: float
    spread_st: float


MEASURES = tuple(field.name for field in fields(StyleMeasures))


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences and its standard error; p: how likely one so far from 0 is by chance alone."""

    mean: float
    se: float
    p: float

    @property
    def significant(self) -> bool:
        return self.p < SIGNIFICANT


@dataclass(frozen=True)
class StyleRow:
    """A style in a voice against plain. differences: by measure. moves: what the style is meant to change changes,
    significantly and the right way."""

    voice: str
    style: str
    sentences: int
    differences: dict[str, Difference]
    moves: bool

    def line(self) -> str:
        found = "  ".join(
            f"{name} {one.mean:+.2f} ± {one.se:.2f}{'*' if one.significant else ' '}"
            for name, one in self.differences.items()
        )
        return f"{self.voice:6} {self.style:8} {self.sentences:3d}  {'moves' if self.moves else 'FAILS'}  {found}"


def table(scoring: Scoring) -> list[StyleRow]:
    """A row for each style in two of the voices, as far as they are asked for."""

    def say(text: str, voice: str, seed: int, instruction: str) -> Wave:
        return scoring.server.say(text, voice=voice, seed=seed, mode="instruct", instruct_text=instruction)

    voices = [voice for voice in VOICES if voice in scoring.voices]
    return run(say, TextIds(scoring.model).of, scoring.work / "score" / scoring.label / "styles", voices)


def run(
    say: Say,
    text_ids: Callable[[Sentence], int],
    folder: Path,
    voices: Sequence[NamedVoice] = VOICES,
    count: int = SENTENCES,
) -> list[StyleRow]:
    """A row for each voice and style. Waves are kept in `folder`: those that are there are not spoken again.

    text_ids: how many a sentence has. count: sentences a voice; ValueError for fewer than two, which have no spread.
    """
    if count < 2:
        raise ValueError(f"sentences: expected two or more, whose spread can be told, found {count}")
    progress = Progress("styles", len(voices) * count * len(INSTRUCTIONS["en"]), "utterances")
    rows = []
    for voice in voices:
        sentences = kept(voice.language)[:count]
        ids = [text_ids(sentence) for sentence in sentences]
        found: dict[str, list[StyleMeasures]] = {}
        for style, instruction in INSTRUCTIONS[voice.language].items():
            found[style] = []
            for number, sentence in enumerate(sentences):
                path = folder / f"{voice.name}-{style}-{number:02d}.flac"
                if not path.exists():
                    write_flac(path, say(sentence.text, voice.name, SEED + number, instruction))
                found[style].append(measured(soundfile.read(path, dtype="float32")[0], ids[number]))
                progress.add(1)
        rows += [row(voice.name, style, found[style], found[PLAIN]) for style in MEANT]
    return rows


def row(voice: str, style: str, styled: Sequence[StyleMeasures], plain: Sequence[StyleMeasures]) -> StyleRow:
    """styled, plain: of the same sentences in the same order."""
    values = zip(*map(astuple, styled)), zip(*map(astuple, plain))
    differences = {name: difference(a, b) for name, a, b in zip(MEASURES, *values)}
    measure, sign = MEANT[style]
    meant = differences[measure]
    return StyleRow(voice, style, len(styled), differences, meant.significant and meant.mean * sign > 0)


def difference(styled: Sequence[float], plain: Sequence[float]) -> Difference:
    """Of paired values, two or more. p: by flipping the signs of the differences at random, always the same way."""
    found = np.asarray(styled, np.float64) - np.asarray(plain, np.float64)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (_FLIPS, len(found)))
    as_far = np.abs((signs @ found) / len(found)) >= abs(found.mean()) - 1e-12
    p = (1 + int(as_far.sum())) / (1 + _FLIPS)
    return Difference(float(found.mean()), float(found.std(ddof=1) / len(found) ** 0.5), p)


def measured(wave: Wave, text_ids: int) -> StyleMeasures:
    """Of a wave [samples] at 24 kHz that says this many text ids. Raises ValueError when no voice is in it."""
    sound = wave.astype(np.float64)
    power = np.square(sound[: len(sound) // _FRAME * _FRAME]).reshape(-1, _FRAME).mean(1)
    f0, _ = world_f0(sound)
    if not (f0 > 0).any():
        raise ValueError(f"expected speech, found {len(wave) / SAMPLE_RATE:.2f} s of sound without a voice")
    loud = np.flatnonzero(power > _QUIET * power.max())
    low, middle, high = np.percentile(12 * np.log2(f0[f0 > 0]), (10, 50, 90))
    return StyleMeasures(
        ids_per_s=text_ids * SAMPLE_RATE / (_FRAME * (loud[-1] - loud[0] + 1)),
        energy_db=float(10 * np.log10(power[loud].mean())),
        pitch_st=float(middle),
        spread_st=float(high - low),
    )
