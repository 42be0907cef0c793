"""The teachers: Kokoro-82M (many voices, both languages) and hibari (one English voice). Phonemes to 24 kHz waves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cosyvoice.nano.corpus.packages import KOKORO_VOICES, Packages
from cosyvoice.nano.corpus.rows import Row
from cosyvoice.nano.corpus.voices import HIBARI, style_mixture

Wave = NDArray[np.float32]

SAMPLE_RATE = 24000
_STYLE_SIZE = 256
_SEEDS = 97  # hibari's takes of a text
# Kokoro's ids of phonemes and signs, from the model's configuration.
_SYMBOLS = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "—": 9, "…": 10, '"': 11, "(": 12, ")": 13, "“": 14,
    "”": 15, " ": 16, "\u0303": 17, "ʣ": 18, "ʥ": 19, "ʦ": 20, "ʨ": 21, "ᵝ": 22, "ꭧ": 23, "A": 24, "I": 25,
    "O": 31, "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "c": 45, "d": 46, "e": 47,
    "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "q": 59, "r": 60,
    "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "x": 66, "y": 67, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72,
    "β": 75, "ɔ": 76, "ɕ": 77, "ç": 78, "ɖ": 80, "ð": 81, "ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɟ": 90,
    "ɡ": 92, "ɥ": 99, "ɨ": 101, "ɪ": 102, "ʝ": 103, "ɯ": 110, "ɰ": 111, "ŋ": 112, "ɳ": 113, "ɲ": 114, "ɴ": 115,
    "ø": 116, "ɸ": 118, "θ": 119, "œ": 120, "ɹ": 123, "ɾ": 125, "ɻ": 126, "ʁ": 128, "ɽ": 129, "ʂ": 130,
    "ʃ": 131, "ʈ": 132, "ʧ": 133, "ʊ": 135, "ʋ": 136, "ʌ": 138, "ɣ": 139, "ɤ": 140, "χ": 142, "ʎ": 143,
    "ʒ": 147, "ʔ": 148, "ˈ": 156, "ˌ": 157, "ː": 158, "ʰ": 162, "ʲ": 164, "↓": 169, "→": 171, "↗": 172,
    "↘": 173, "ᵻ": 177,
}  # fmt: skip


class Kokoro:
    """Kokoro-82M, int8, on one core; about 0.75 seconds of it for a second of sound."""

    def __init__(self, model: Path, voices: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._voices = voices
        self._style = lru_cache(maxsize=4)(self._read_style)

    def __call__(self, phonemes: str, voice: str) -> Wave:
        """The wave [samples] of a phoneme string."""
        wave: Wave = self.outputs(phonemes, voice)[0].ravel()
        return wave

    def outputs(self, phonemes: str, voice: str) -> list[NDArray[np.float32]]:
        """All that the network puts out for a phoneme string, the wave first."""
        ids = [_SYMBOLS[phonemes[place]] for place in symbol_places(phonemes)]
        styles = self._style(voice)
        inputs = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": styles[min(len(ids), len(styles)) - 1][None],
            "speed": np.ones(1, np.float32),
        }
        found: list[NDArray[np.float32]] = self._session.run(None, inputs)
        return found

    def _read_style(self, voice: str) -> NDArray[np.float32]:
        """The style vectors of a voice by length of text [lengths, 256]."""
        mixed = [
            np.float32(weight) * np.fromfile(self._voices / f"{name}.bin", np.float32).reshape(-1, _STYLE_SIZE)
            for name, weight in style_mixture(voice).items()
        ]
        return np.asarray(sum(mixed), np.float32)


def symbol_places(phonemes: str) -> list[int]:
    """Where in a phoneme string the symbols are that Kokoro knows: an id each, between one more at both ends."""
    return [place for place, symbol in enumerate(phonemes) if symbol in _SYMBOLS]


class Teachers:
    """Speaks a row with the teacher that has its voice. Each loads when it is first needed."""

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._kokoro: Kokoro | None = None
        self._hibari: Callable[[str, int], Wave] | None = None

    def speak(self, row: Row, phonemes: str) -> Wave:
        """The wave at 24 kHz; the same for the same row on every machine of a kind."""
        if row.voice == HIBARI:
            self._hibari = self._hibari or _load_hibari()
            return self._hibari(phonemes, row.text_id % _SEEDS)
        if self._kokoro is None:
            voices = self._packages.npm(KOKORO_VOICES) / "voices"
            self._kokoro = Kokoro(self._packages.kokoro_model(), voices)
        return self._kokoro(phonemes, row.voice)


def _load_hibari() -> Callable[[str, int], Wave]:
    from hibari import Hibari

    teacher = Hibari(threads=1)
    return lambda phonemes, seed: np.asarray(teacher.from_phonemes(phonemes, seed=seed), np.float32).ravel()
