"""Where the text of a fake utterance sounds: this many samples for each text id, and silences of exact length. Pure."""

from __future__ import annotations

from collections.abc import Iterator


class ToneTimeline:
    """The text ids and silences so far. Lengths of text are in ids at rate 1: an id at rate 2 counts as half of one."""

    def __init__(self) -> None:
        self.ids = 0
        self.length = 0.0
        self.silent_samples = 0
        # Where each stretch of one rate begins: ids and length before it, and its rate.
        self._stretches: list[tuple[int, float, float]] = [(0, 0.0, 1.0)]
        # For each silence: the length of text and the samples of silence before it, and its own samples.
        self._silences: list[tuple[float, int, int]] = []

    def add(self, ids: int, rate: float) -> None:
        """Appends text."""
        if rate != self._stretches[-1][2]:
            self._stretches.append((self.ids, self.length, rate))
        first, length, _ = self._stretches[-1]
        self.ids += ids
        self.length = length + (self.ids - first) / rate

    def add_silence(self, samples: int) -> None:
        """Appends silence."""
        self._silences.append((self.length, self.silent_samples, samples))
        self.silent_samples += samples

    def silences(self, samples_per_id: float) -> Iterator[tuple[int, int]]:
        """The first sample of each silence, and the one after its last."""
        for length, before, samples in self._silences:
            at = int(length * samples_per_id + 1e-6) + before
            yield at, at + samples

    def ids_at(self, sample: int, samples_per_id: float) -> float:
        """How many ids are spoken before a sample."""
        if not self._silences and len(self._stretches) == 1:  # most texts; it is asked for every hop
            return min(sample / samples_per_id, float(self.ids))
        silent = sum(max(0, min(end, sample) - at) for at, end in self.silences(samples_per_id))
        length = (sample - silent) / samples_per_id
        first, before, rate = next(s for s in reversed(self._stretches) if s[1] <= length)
        return min(first + (length - before) * rate, float(self.ids))
