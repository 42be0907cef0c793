"""The teachers' own speech of the sentences that are scored, to stand beside ours."""

from __future__ import annotations

from pathlib import Path

from cosyvoice.nano.corpus.packages import Packages
from cosyvoice.nano.corpus.reading import TextReader
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.stage import speech_of
from cosyvoice.nano.corpus.teachers import Teachers
from cosyvoice.nano.score.judging import Sentence, Wave


class TeacherSpeech:
    """Everything loads when the first sentence is spoken."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._loaded: tuple[TextReader, Teachers] | None = None

    def __call__(self, sentence: Sentence, voice: str) -> Wave:
        """A sentence at 24 kHz in a teacher's voice. Raises ValueError when it cannot be said."""
        if self._loaded is None:
            self._loaded = TextReader(), Teachers(Packages(self._work / "packages"))
        reader, teachers = self._loaded
        phonemes = reader.phonemes(sentence.text, sentence.language)
        row = Row(voice, sentence.language, "score", sentence.text)
        wave = None if phonemes is None else speech_of(teachers.speak(row, phonemes))
        if wave is None:
            raise ValueError(f"expected a sentence of up to 20 s, found {sentence.text[:60]!r}")
        return wave
