"""The stage `corpus`: synthesises the rows of the plan that are not there yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import soundfile

from cosyvoice.nano.corpus.packages import Packages
from cosyvoice.nano.corpus.plan import plan
from cosyvoice.nano.corpus.reading import TextReader
from cosyvoice.nano.corpus.rows import Row, Utterance, read_index
from cosyvoice.nano.corpus.sentences import english_pools, mandarin_pools
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Teachers, Wave
from cosyvoice.nano.flac import write_flac
from cosyvoice.nano.lines import append_line
from cosyvoice.nano.progress import Progress

AUDIO_SUFFIXES = (".flac", ".opus")
_SILENCE = 0.01
_KEPT_BEFORE, _KEPT_AFTER = 1440, 2400  # samples of near-silence around the speech
_SHORTEST_S, _LONGEST_S = 0.2, 20.0


class Corpus:
    """The folder of spoken rows: `index.jsonl`, `styles.jsonl` and `audio/`."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "corpus"
        self.index = self.folder / "index.jsonl"
        self._styles = self.folder / "styles.jsonl"
        self._refused = self.folder / "refused.txt"

    def utterances(self) -> Iterator[Utterance]:
        """All that the teachers have spoken so far, in that order."""
        return read_index(self.index)

    def styled(self) -> Iterator[Utterance]:
        """What has been made of it in other styles, in the order in which it was."""
        return read_index(self._styles)

    def audio(self, row: Row) -> Path | None:
        """The file of a row's sound, if there is one."""
        folder = self.folder / "audio" / row.voice
        return next((path for suffix in AUDIO_SUFFIXES if (path := folder / (row.stem + suffix)).exists()), None)

    def wave(self, row: Row) -> Wave:
        """A row's sound at 24 kHz [samples]."""
        path = self.audio(row)
        if path is None:
            raise FileNotFoundError(f"{row.key}: expected its sound under {self.folder}, found none")
        wave, rate = soundfile.read(path, dtype="float32")
        if rate != SAMPLE_RATE:
            raise ValueError(f"{path}: expected {SAMPLE_RATE} Hz, found {rate}")
        return np.asarray(wave, np.float32)

    def keep(self, row: Row, wave: Wave) -> None:
        """Writes a row's sound; a crash leaves no half file."""
        write_flac(self.folder / "audio" / row.voice / f"{row.stem}.flac", wave)

    def settled(self) -> set[str]:
        """Keys of rows that need no more work: spoken, or refused because they cannot be."""
        refused = self._refused.read_text().split() if self._refused.exists() else []
        return {utterance.key for utterance in self.utterances()} | set(refused)

    def note(self, utterance: Utterance) -> None:
        """Appends to the index, that of the styles if it has one."""
        append_line(self._styles if utterance.style else self.index, utterance.line())

    def refuse(self, row: Row) -> None:
        """Notes that a row cannot be spoken."""
        append_line(self._refused, row.key)


def speech_of(wave: Wave) -> Wave | None:
    """A teacher's wave without the silence around the speech; None if it is too short or too long to be used."""
    cut = wave[slice(*speech_bounds(wave))]
    return cut if _SHORTEST_S <= len(cut) / SAMPLE_RATE <= _LONGEST_S else None


def speech_bounds(wave: Wave) -> tuple[int, int]:
    """The samples between which a teacher's wave holds speech, with a little of the silence around it."""
    loud = np.flatnonzero(np.abs(wave) > _SILENCE)
    return (max(0, int(loud[0]) - _KEPT_BEFORE), int(loud[-1]) + _KEPT_AFTER) if len(loud) else (0, 0)


def run(work: Path, voices: Collection[str] = (), hours: float = 0.0) -> None:
    """Speaks what is missing. voices: of these only (`mix` for all brief voices); hours: until each has this many."""
    packages = Packages(work / "packages")
    corpus = Corpus(work)
    rows = [row for row in plan({"zh": mandarin_pools(), "en": english_pools(packages)}) if _wanted(row, voices)]
    done = corpus.settled()
    seconds: dict[str, float] = {}
    for utterance in corpus.utterances():
        seconds[utterance.voice] = seconds.get(utterance.voice, 0.0) + utterance.seconds
    progress = Progress("corpus", len(rows), "rows", sum(row.key in done for row in rows))
    reader, teachers = TextReader(), Teachers(packages)
    for row in rows:
        if row.key in done or (hours and seconds.get(row.voice, 0.0) >= hours * 3600):
            continue
        spoken = _spoken(row, corpus, reader, teachers)
        if spoken is None:
            corpus.refuse(row)
        else:
            corpus.note(spoken)
            seconds[row.voice] = seconds.get(row.voice, 0.0) + spoken.seconds
        progress.add(1, ", ".join(f"{v} {s / 3600:.2f} h" for v, s in seconds.items() if not v.startswith("mix")))
    progress.say(f"{sum(seconds.values()) / 3600:.2f} h")


def _wanted(row: Row, voices: Collection[str]) -> bool:
    return not voices or row.voice in voices or row.group in voices


def _spoken(row: Row, corpus: Corpus, reader: TextReader, teachers: Teachers) -> Utterance | None:
    phonemes = reader.phonemes(row.text, row.language)
    if phonemes is None:
        return None
    if corpus.audio(row) is None:  # else it was spoken and a crash came before the note
        speech = speech_of(teachers.speak(row, phonemes))
        if speech is None:
            return None
        corpus.keep(row, speech)
    seconds = round(len(corpus.wave(row)) / SAMPLE_RATE, 3)
    return Utterance(row.voice, row.language, row.kind, row.text, phonemes, seconds)
