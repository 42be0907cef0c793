"""Which text id each speech code says, for the whole corpus, by the trained aligner."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cosyvoice.nano.aligner.training import trained
from cosyvoice.nano.data.corpus_codes import Spoken, SpokenCorpus
from cosyvoice.nano.progress import Progress
from cosyvoice.talker.aligner import SLOTS_PER_TOKEN, Aligner, best_path

UNKNOWN = -1


def text_of_codes(spoken: Spoken, aligner: Aligner, sounding: Set[int]) -> NDArray[np.int16] | None:
    """For each code the index of the text id it says [codes]; None when the text does not fit the codes."""
    ids = spoken.text_ids
    places = [i for i, text_id in enumerate(ids) if text_id in sounding]
    with torch.no_grad():
        log_probs = aligner(torch.from_numpy(spoken.codes.astype(np.int64))[None])[0].numpy()
    times = best_path(log_probs, [ids[i] for i in places])
    if times is None:
        return None
    # Ids without a sound lie evenly between their neighbours; those behind the last sound last to the end.
    known = np.array([*places, len(ids)])
    every = np.interp(np.arange(len(ids)), known, np.array([*times, float(len(log_probs))]))
    bounds = (every[1:] + every[:-1]) / 2
    centres = np.arange(len(spoken.codes)) * SLOTS_PER_TOKEN + (SLOTS_PER_TOKEN - 1) / 2
    return np.searchsorted(bounds, centres).astype(np.int16)


class Alignments:
    """The alignment of every utterance, in the order of the codes; UNKNOWN where there is none."""

    def __init__(self, work: Path) -> None:
        self.path = work / "aligner" / "text_of_codes.i16"
        self.refresh()

    def aligned(self, corpus: SpokenCorpus) -> int:
        """How many utterances, counted from the first, the aligner has been through."""
        return sum(one.entry.code_start + one.entry.codes <= len(self._all) for one in corpus.spoken)

    def of(self, spoken: Spoken) -> NDArray[np.int16] | None:
        """[codes], or None when it is not known."""
        found = self._all[spoken.entry.code_start : spoken.entry.code_start + spoken.entry.codes]
        return found if len(found) == spoken.entry.codes and found[0] != UNKNOWN else None

    def complete(self, corpus: SpokenCorpus, aligner: Aligner) -> None:
        """Computes what is missing."""
        known, sounding, failed = len(self._all), corpus.phonemes.sounding, 0
        missing = [one for one in corpus.spoken if one.entry.code_start >= known]
        progress = Progress("alignment", len(missing), "utterances")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            for one in missing:
                found = text_of_codes(one, aligner, sounding)
                failed += found is None
                file.write((np.full(len(one.codes), UNKNOWN, np.int16) if found is None else found).tobytes())
                progress.add(1, f"{failed} do not fit")
        self.refresh()

    def refresh(self) -> None:
        """Reads what has been aligned since."""
        self._all = np.fromfile(self.path, np.int16) if self.path.exists() else np.zeros(0, np.int16)


def run(work: Path, model: Path) -> None:
    """Aligns what is missing with the trained aligner."""
    corpus = SpokenCorpus(work, model)
    Alignments(work).complete(corpus, trained(corpus, work, model).network)
