"""Waves that have been listened to: each is spoken once, judged once, and kept with what was heard in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from cosyvoice.frontend.language import Language
from cosyvoice.nano.flac import write_flac
from cosyvoice.nano.lines import append_line, whole_lines
from cosyvoice.nano.progress import Progress
from cosyvoice.nano.score.listener import SAMPLE_RATE as LISTENER_RATE
from cosyvoice.nano.score.listener import Listener, Score, compare, error_rate
from cosyvoice.nano.score.quality import Naturalness
from cosyvoice.nano.score.speaking import SAMPLE_RATE
from cosyvoice.voice.features import resample

Wave = NDArray[np.float32]
Compare = Callable[[str, str, Language], Score]  # expected, heard


@dataclass(frozen=True)
class Sentence:
    """What is to be said."""

    text: str
    language: Language


@dataclass(frozen=True)
class Heard:
    """One sentence spoken and judged."""

    text: str
    heard: str
    edits: int
    units: int
    naturalness: float
    seconds: float


class Judged:
    """What has been heard so far, in a folder of its own: waves, and one JSON line a sentence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "heard.jsonl"

    def heard(self) -> list[Heard]:
        """In the order of the sentences; a line cut off by a crash is left out."""
        return [Heard(**json.loads(line)) for line in whole_lines(self._index)]

    def wave(self, number: int) -> Wave:
        """The sound of a sentence at 24 kHz."""
        return np.asarray(soundfile.read(self._path(number), dtype="float32")[0], np.float32)

    def add(self, wave: Wave, heard: Heard, number: int) -> None:
        """Keeps a sentence."""
        write_flac(self._path(number), wave)
        append_line(self._index, json.dumps(asdict(heard), ensure_ascii=False))

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:02d}.flac"


class Judge:
    """Both listeners; they load at the first wave."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._naturalness: Naturalness | None = None

    def __call__(self, sentence: Sentence, wave: Wave, compare: Compare = compare) -> Heard:
        """What is heard of a wave at 24 kHz that should say a sentence."""
        import torch

        self._listener = self._listener or Listener()
        self._naturalness = self._naturalness or Naturalness()
        narrow = resample(torch.from_numpy(wave), SAMPLE_RATE, LISTENER_RATE).numpy()
        score = compare(sentence.text, self._listener.transcribe(narrow, sentence.language), sentence.language)
        opinion = round(self._naturalness(wave, SAMPLE_RATE), 3)
        return Heard(sentence.text, score.heard, score.edits, score.units, opinion, round(len(wave) / SAMPLE_RATE, 2))


def judge_all(
    judged: Judged,
    sentences: Sequence[Sentence],
    say: Callable[[Sentence, int], Wave],
    judge: Callable[[Sentence, Wave], Heard],
    what: str,
) -> list[Heard]:
    """Has sentences said and judged, from the first that has not been. `say` is given each with its number."""
    first = len(judged.heard())
    progress = Progress(what, len(sentences), "sentences", first)
    for number, sentence in list(enumerate(sentences))[first:]:
        wave = say(sentence, number)
        judged.add(wave, judge(sentence, wave), number)
        progress.add(1)
    return judged.heard()[: len(sentences)]


def errors(heard: Sequence[Heard]) -> tuple[float, float]:
    """The error rate of all, and its bootstrap standard error over sentences."""
    return error_rate([Score(one.text, one.heard, one.edits, one.units) for one in heard])


def mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error (NaN of a single value)."""
    numbers = np.array(values)
    spread = float(numbers.std(ddof=1) / len(numbers) ** 0.5) if len(numbers) > 1 else float("nan")
    return float(numbers.mean()), spread
