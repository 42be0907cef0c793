"""The stage `score`: kept sentences through the real server, heard by Whisper and DistillMOS, beside the teachers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from cosyvoice.nano.corpus.packages import Packages
from cosyvoice.nano.corpus.reading import TextReader
from cosyvoice.nano.corpus.reserved import reserved_sentences
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.stage import speech_of
from cosyvoice.nano.corpus.teachers import Teachers
from cosyvoice.nano.corpus.voices import NAMED, NamedVoice
from cosyvoice.nano.lines import append_line, whole_lines
from cosyvoice.nano.progress import Progress
from cosyvoice.nano.score.listener import SAMPLE_RATE as LISTENER_RATE
from cosyvoice.nano.score.listener import Listener, Score, compare, error_rate
from cosyvoice.nano.score.quality import Naturalness
from cosyvoice.nano.score.speaking import SAMPLE_RATE, session, speak
from cosyvoice.voice.features import resample

_SENTENCES = {"zh": "mandarin", "en": "english"}
_SEED = 1000
TEACHER = "teacher"
WAYS = ("whole", "pieces")  # how the text comes

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Heard:
    """One sentence spoken and judged."""

    text: str
    heard: str
    edits: int
    units: int
    naturalness: float
    seconds: float


@dataclass(frozen=True)
class Summary:
    """All sentences of a voice: error rate and naturalness with their standard errors."""

    voice: str
    way: str
    sentences: int
    error: float
    error_se: float
    naturalness: float
    naturalness_se: float

    def line(self) -> str:
        """The row of a table."""
        return (
            f"{self.voice:6} {self.way:8} {self.sentences:3d}  error {self.error:.3f} ± {self.error_se:.3f}"
            f"  DistillMOS {self.naturalness:.2f} ± {self.naturalness_se:.2f}"
        )


class Judged:
    """What has been heard so far, in a folder of its own: waves, and one JSON line a sentence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "heard.jsonl"

    def heard(self) -> list[Heard]:
        """In the order of the sentences; a line cut off by a crash is left out."""
        return [Heard(**json.loads(line)) for line in whole_lines(self._index)]

    def add(self, wave: Wave, heard: Heard, number: int) -> None:
        """Keeps a sentence."""
        soundfile.write(self.folder / f"{number:02d}.flac", wave, SAMPLE_RATE, subtype="PCM_16")
        append_line(self._index, json.dumps(asdict(heard), ensure_ascii=False))


class Judge:
    """Both listeners; they load at the first wave."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._naturalness: Naturalness | None = None

    def __call__(self, text: str, language: str, wave: Wave) -> Heard:
        """What is heard of a wave at 24 kHz that should say `text`."""
        import torch

        self._listener = self._listener or Listener()
        self._naturalness = self._naturalness or Naturalness()
        narrow = resample(torch.from_numpy(wave), SAMPLE_RATE, LISTENER_RATE).numpy()
        score = compare(text, self._listener.transcribe(narrow, language), language)
        opinion = self._naturalness(wave, SAMPLE_RATE)
        return Heard(text, score.heard, score.edits, score.units, round(opinion, 3), round(len(wave) / SAMPLE_RATE, 2))


def run(work: Path, model: Path, label: str, voices: Sequence[str], count: int) -> list[Summary]:
    """Scores `model` under WORK/score/LABEL and prints the table; goes on from where it stopped.

    voices: names; count: of how many sentences a language.
    """
    folder, judge = work / "score", Judge()
    chosen = [voice for voice in NAMED if not voices or voice.name in voices]
    summaries = []
    for voice in chosen:
        judged = Judged(folder / TEACHER / voice.name)
        judge_sentences(judged, voice, count, _teacher(work, voice), judge, f"{voice.name} {TEACHER}")
        summaries.append(summary(voice.name, TEACHER, judged.heard()[:count]))
    with session(model) as connected:
        for voice in chosen:
            for way in WAYS:

                def say(text: str, number: int, voice: NamedVoice = voice, way: str = way) -> Wave:
                    return speak(connected, text, voice.name, _SEED + number, pieces=way == "pieces")

                judged = Judged(folder / label / f"{voice.name}-{way}")
                judge_sentences(judged, voice, count, say, judge, f"{voice.name} {way}")
                summaries.append(summary(voice.name, way, judged.heard()[:count]))
    table = {"model": label, "rows": [asdict(one) for one in summaries]}
    (folder / f"{label}.json").write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print("\n".join(one.line() for one in sorted(summaries, key=lambda one: one.voice)))
    return summaries


def summary(voice: str, way: str, heard: Sequence[Heard]) -> Summary:
    """The means, with the bootstrap's standard error over sentences and the mean's."""
    error, error_se = error_rate([Score(one.text, one.heard, one.edits, one.units) for one in heard])
    opinions = np.array([one.naturalness for one in heard])
    spread = float(opinions.std(ddof=1) / len(opinions) ** 0.5) if len(opinions) > 1 else float("nan")
    return Summary(voice, way, len(heard), error, error_se, float(opinions.mean()), spread)


def judge_sentences(
    judged: Judged,
    voice: NamedVoice,
    count: int,
    say: Callable[[str, int], Wave],
    judge: Callable[[str, str, Wave], Heard],
    what: str,
) -> None:
    """Has the kept sentences of a voice's language said and judged, from the first that has not been. `say` is given
    a text and its number."""
    texts = reserved_sentences(_SENTENCES[voice.language])[:count]
    first = len(judged.heard())
    progress = Progress(what, len(texts), "sentences", first)
    for number, text in list(enumerate(texts))[first:]:
        wave = say(text, number)
        judged.add(wave, judge(text, voice.language, wave), number)
        progress.add(1)


def _teacher(work: Path, voice: NamedVoice) -> Callable[[str, int], Wave]:
    loaded: list[tuple[TextReader, Teachers]] = []

    def say(text: str, number: int) -> Wave:
        if not loaded:
            loaded.append((TextReader(), Teachers(Packages(work / "packages"))))
        reader, teachers = loaded[0]
        phonemes = reader.phonemes(text, voice.language)
        assert phonemes is not None
        wave = speech_of(teachers.speak(Row(voice.teacher, voice.language, "score", text), phonemes))
        assert wave is not None
        return wave

    return say
