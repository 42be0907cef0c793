"""The table `clones`: speakers in no training speak from one prompt. Are they known again, and understood?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.frontend.language import Language
from cosyvoice.nano.corpus.voices import unseen_voices
from cosyvoice.nano.score.judging import Heard, Judged, Sentence, Wave, errors, judge_all, mean
from cosyvoice.nano.score.likeness import Likeness, nearest
from cosyvoice.nano.score.speaking import SAMPLE_RATE, recording, speak
from cosyvoice.nano.score.table import SEED, TEACHER, WAYS, Scoring, kept

LANGUAGES: tuple[Language, ...] = ("en", "zh")
CROSS = "cross"  # says a sentence of the other language
ALL = "all"
_OTHER: dict[Language, Language] = {"en": "zh", "zh": "en"}


@dataclass(frozen=True)
class Speaker:
    """prompt: what the prompt says, two sentences of about four seconds."""

    voice: str
    prompt: Sentence


@dataclass(frozen=True)
class CloneRow:
    """Speakers of a language, or all. known: part of them whose nearest prompt, of all speakers', is their own. own,
    other: mean cosine to that prompt, and to the best of the others. error: none over two languages."""

    speakers: str
    way: str
    sentences: int
    known: float
    known_se: float
    own: float
    other: float
    error: float | None
    error_se: float | None
    naturalness: float

    def line(self) -> str:
        error = "" if self.error is None else f"  error {self.error:.3f} ± {self.error_se:.3f}"
        return (
            f"{self.speakers:4} {self.way:8} {self.sentences:3d}  known {self.known:.2f} ± {self.known_se:.2f}  own"
            f" {self.own:.3f}, best other {self.other:.3f}  DistillMOS {self.naturalness:.2f}{error}"
        )


def table(scoring: Scoring, each: int | None = None) -> list[CloneRow]:
    """A row for each way and language, and for each way. each: of how many speakers a language (default: all)."""
    speakers = [one for language in LANGUAGES for one in unseen_speakers(language)[:each]]
    # Prompts are no result; they are judged all the same, for what goes wrong in them goes wrong behind them.
    prompts = judged_by(scoring, scoring.teachers("clones-prompts"), speakers, TEACHER, "prompt")
    recordings = [recording(prompts.wave(number)) for number in range(len(speakers))]
    likeness = Likeness()
    voices = [likeness(prompts.wave(number), SAMPLE_RATE) for number in range(len(speakers))]
    rows = []
    for way in (TEACHER, *WAYS, CROSS):
        folder = scoring.teachers("clones") if way == TEACHER else scoring.ours(f"clones-{way}")
        judged = judged_by(scoring, folder, speakers, way, "sentence", recordings)
        found = [nearest(likeness(judged.wave(n), SAMPLE_RATE), voices, n) for n in range(len(speakers))]
        rows += rows_of(way, speakers, judged.heard(), found)
    return rows


def unseen_speakers(language: Language) -> list[Speaker]:
    """With prompts of sentences that no speaker of this table is to say."""
    voices = unseen_voices(language)
    last = [sentence.text for sentence in kept(language)][-2 * len(voices) :]
    space = " " if language == "en" else ""
    pairs = zip(last[::2], last[1::2])
    return [Speaker(voice, Sentence(space.join(pair), language)) for voice, pair in zip(voices, pairs)]


def said_by(speakers: Sequence[Speaker], way: str) -> list[Sentence]:
    """What each is to say: another sentence each of a language."""
    said = []
    for language in LANGUAGES:
        count = sum(speaker.prompt.language == language for speaker in speakers)
        said += kept(_OTHER[language] if way == CROSS else language)[:count]
    return said


def judged_by(
    scoring: Scoring,
    judged: Judged,
    speakers: Sequence[Speaker],
    way: str,
    what: str,
    recordings: Sequence[bytes] = (),
) -> Judged:
    """All speakers, in order, say their prompt or their sentence."""

    def say(sentence: Sentence, number: int) -> Wave:
        speaker = speakers[number]
        if way == TEACHER:
            return scoring.teacher(sentence, speaker.voice)
        transcript = "" if way == CROSS else speaker.prompt.text
        mode = "cross_lingual" if way == CROSS else "zero_shot"
        options = {"mode": mode, "prompt_audio": recordings[number], "prompt_text": transcript}
        return speak(scoring.server, sentence.text, "default", SEED + number, pieces=way == "pieces", **options)

    sentences = [speaker.prompt for speaker in speakers] if what == "prompt" else said_by(speakers, way)
    judge_all(judged, sentences, say, scoring.judge, f"clones {way} {what}")
    return judged


def rows_of(
    way: str, speakers: Sequence[Speaker], heard: Sequence[Heard], found: Sequence[tuple[bool, float, float]]
) -> list[CloneRow]:
    """A row a language and one of all; found: whether a speaker was known, the cosines to the own and best other."""
    rows = []
    for group in (*LANGUAGES, ALL):
        of = [n for n, speaker in enumerate(speakers) if group in (speaker.prompt.language, ALL)]
        error, error_se = (None, None) if group == ALL else errors([heard[n] for n in of])
        known, known_se = mean([float(found[n][0]) for n in of])
        rows.append(
            CloneRow(
                group,
                way,
                len(of),
                known,
                known_se,
                mean([found[n][1] for n in of])[0],
                mean([found[n][2] for n in of])[0],
                error,
                error_se,
                mean([heard[n].naturalness for n in of])[0],
            )
        )
    return rows
