"""The stage `codes`: speech codes of every utterance, by the frozen speech tokenizer that the checkpoint ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.data.store import Entry, FeatureStore
from cosyvoice.nano.progress import Progress
from cosyvoice.voice.onnx_network import OnnxNetwork

TOKENIZER_FILE = "speech_tokenizer_v3.onnx"


class CodeStore:
    """Codes in the order of the features: two frames, one code. One file for each tokenizer, named by its content."""

    def __init__(self, features: FeatureStore, tokenizer: OnnxNetwork) -> None:
        self._features = features
        self._tokenizer = tokenizer
        self.path = features.folder / f"codes-{tokenizer.sha256.hex()[:12]}.i16"
        self._codes = np.zeros(0, np.int16)
        self._read()

    @property
    def entries(self) -> list[Entry]:
        """The utterances whose codes are there."""
        return [e for e in self._features.entries if e.code_start + e.codes <= len(self._codes)]

    def codes(self, entry: Entry) -> NDArray[np.int16]:
        """The codes [codes] of an utterance, 25 a second."""
        return self._codes[entry.code_start : entry.code_start + entry.codes]

    def complete(self) -> None:
        """Computes what is missing."""
        known = len(self._codes)
        missing = [e for e in self._features.entries if e.code_start + e.codes > known]
        if not missing:
            return
        progress = Progress("codes", sum(e.codes for e in missing) / 90000, "h")
        with self.path.open("r+b" if self.path.exists() else "w+b") as file:
            for entry in missing:
                file.seek(entry.code_start * 2)
                file.write(self._encode(entry).tobytes())
                progress.add(entry.codes / 90000)
            file.truncate()
        self._read()
        progress.say(f"{len(np.unique(self._codes))} different ones in use")

    def _encode(self, entry: Entry) -> NDArray[np.int16]:
        mel = self._features.whisper(entry).astype(np.float32).T[None]
        codes = self._tokenizer.run(np.ascontiguousarray(mel), np.array([mel.shape[2]], np.int32))[0]
        if len(codes) != entry.codes:
            raise ValueError(f"{entry.utterance.key}: expected {entry.codes} codes, found {len(codes)}")
        return np.asarray(codes, np.int16)

    def _read(self) -> None:
        if self.path.exists():
            self._codes = np.fromfile(self.path, np.int16)


def run(work: Path, model: Path) -> None:
    """Encodes every utterance that has features. model: the model directory with the tokenizer."""
    CodeStore(FeatureStore(work), OnnxNetwork(model / TOKENIZER_FILE)).complete()
