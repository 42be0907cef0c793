"""Text ids of phoneme strings, and which of them have a sound."""

from __future__ import annotations

from pathlib import Path

from cosyvoice.errors import CheckpointError
from cosyvoice.frontend.phoneme_ids import PhonemeEncoder


class PhonemeIds:
    """The vocabulary of a model directory whose text ids are phonemes."""

    def __init__(self, model: Path) -> None:
        self._encoder, specials = PhonemeEncoder.load(model / "tokenizer.json")
        if min(specials.values()) != 0:
            raise CheckpointError(f"{model}: expected a special token with id 0, which stands for CTC's blank")
        self.sounding = self._encoder.sounding

    def of(self, phonemes: str) -> tuple[int, ...]:
        """All text ids of a phoneme string."""
        return tuple(self._encoder.encode(phonemes)[0])

    def sounding_of(self, phonemes: str) -> list[int]:
        """Those that have a sound: without spaces, signs and bare marks of stress."""
        return [i for i in self.of(phonemes) if i in self.sounding]
