"""Training sequences of the talker: the very layouts that serve, with the answers filled in.

A sequence is one or several utterances of a voice, as after a voice prompt or in a long text. Unistream: all text, then
all speech. Bistream: blocks of text and speech in the checkpoint's mix ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosyvoice.config import TalkerConfig

NO_TARGET = -1


@dataclass(frozen=True)
class Learnt:
    """One utterance for a sequence. spoken_by: for each code the index of the text id it says."""

    text_ids: Sequence[int]
    codes: Sequence[int]
    spoken_by: Sequence[int]


@dataclass(frozen=True)
class TalkerExample:
    """ids [T] of the merged vocabulary; targets [T]: what follows each, NO_TARGET where nothing is learnt.

    guides [n, 3]: places whose target is a speech code, the place of the text id it says, and of the next text id.
    """

    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    guides: NDArray[np.int64]


class _Builder:
    def __init__(self, config: TalkerConfig, head: Sequence[int]) -> None:
        self.config = config
        self.ids = [config.sos, *(config.head_rows + i for i in head)]
        self.targets = [NO_TARGET] * len(self.ids)
        self.text_places: list[int] = []
        self._told: list[tuple[int, int]] = []  # place, index of the text id its target says

    def text(self, ids: Sequence[int]) -> None:
        for i in ids:
            self.text_places.append(len(self.ids))
            self.ids.append(self.config.head_rows + i)
            self.targets.append(NO_TARGET)

    def task(self) -> None:
        self.ids.append(self.config.task_id)
        self.targets.append(NO_TARGET)

    def speech(self, codes: Sequence[int], spoken_by: Sequence[int], last: int) -> None:
        """Codes after what stands there, then the control id `last`, which is a target and never fed back."""
        for code, text in zip(codes, spoken_by):
            self._told.append((len(self.ids) - 1, text))
            self.targets[-1] = code
            self.ids.append(code)
            self.targets.append(NO_TARGET)
        self.targets[-1] = last

    def example(self) -> TalkerExample:
        places = self.text_places
        guides = [
            (at, places[text], places[min(text + 1, len(places) - 1)])
            for at, text in self._told
            if text < len(places) and places[text] <= at
        ]
        return TalkerExample(
            np.array(self.ids, np.int64), np.array(self.targets, np.int64), np.array(guides, np.int64).reshape(-1, 3)
        )


def example(config: TalkerConfig, head: Sequence[int], parts: Sequence[Learnt], *, bistream: bool) -> TalkerExample:
    """The sequence of `parts` one after the other. head: text ids before all text (the end-of-prompt id).

    Speech faster than the mix ratio has no bistream form (text would come after its speech): it is made unistream.
    """
    text = [i for part in parts for i in part.text_ids]
    codes = [c for part in parts for c in part.codes]
    spoken_by: list[int] = []
    before = 0
    for part in parts:
        spoken_by += [before + i for i in part.spoken_by]
        before += len(part.text_ids)
    builder = _Builder(config, head)
    n_text, n_speech = config.mix_ratio
    at_text = at_speech = 0
    if bistream and len(codes) * n_text > len(text) * n_speech:
        while len(text) - at_text >= n_text and len(codes) - at_speech >= n_speech:
            block = slice(at_speech, at_speech + n_speech)
            builder.text(text[at_text : at_text + n_text])
            builder.speech(codes[block], spoken_by[block], config.fill)
            at_text, at_speech = at_text + n_text, at_speech + n_speech
    builder.text(text[at_text:])
    builder.task()
    builder.speech(codes[at_speech:], spoken_by[at_speech:], config.eos)
    return builder.example()
