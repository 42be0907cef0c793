"""The corpus as the talker's and the aligner's trainings read it: text ids and speech codes of each utterance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.data.codes import TOKENIZER_FILE, CodeStore
from cosyvoice.nano.data.phonemes import PhonemeIds
from cosyvoice.nano.data.store import Entry, FeatureStore
from cosyvoice.voice.onnx_network import OnnxNetwork

HELD_OUT_A_VOICE = 40  # more cost time and tell little more


@dataclass(frozen=True)
class Spoken:
    """An utterance by its ids."""

    entry: Entry
    text_ids: tuple[int, ...]
    codes: NDArray[np.int16]

    @property
    def voice(self) -> str:
        return self.entry.utterance.voice

    @property
    def language(self) -> str:
        return self.entry.utterance.language

    @property
    def style(self) -> str:
        """Empty for plain speech."""
        return self.entry.utterance.style


class SpokenCorpus:
    """All utterances that have codes; grows when `refresh` finds more."""

    def __init__(self, work: Path, model: Path) -> None:
        self._work = work
        self._network = OnnxNetwork(model / TOKENIZER_FILE)
        self.phonemes = PhonemeIds(model)
        self.spoken: list[Spoken] = []
        self.refresh()

    def refresh(self) -> int:
        """Reads what has come since; how many there are now."""
        store = CodeStore(FeatureStore(self._work), self._network)
        for entry in store.entries[len(self.spoken) :]:
            ids = self.phonemes.of(entry.utterance.phonemes)
            self.spoken.append(Spoken(entry, ids, store.codes(entry)))
        return len(self.spoken)

    def training(self, utterances: int) -> list[Spoken]:
        """Of the first `utterances`, those that may be learnt from."""
        return [one for one in self.spoken[:utterances] if not one.entry.utterance.held_out]

    def held_out(self) -> dict[str, list[Spoken]]:
        """What is held out, by voice, all brief voices together under `mix`; speech in a style under the style."""
        found: dict[str, list[Spoken]] = {}
        for one in self.spoken:
            if one.entry.utterance.held_out:
                found.setdefault(one.style or one.entry.utterance.group, []).append(one)
        return {voice: some[:HELD_OUT_A_VOICE] for voice, some in sorted(found.items())}
