"""Sound between `audio.start` and `audio.done`, and the times of its words."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rtserver.messages.wire import Mark


@dataclass
class Sentence:
    """A piece of a turn."""

    # Of its turn, on the socket.
    utterance_index: int
    # In its turn.
    index: int
    # Where it begins in the sound of its turn.
    start_ms: int
    # The words that begin in it; none where no times were asked for.
    words: list[Mark]
    # Its sound so far.
    size_bytes: int = 0

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def start(self, text: str, format_name: str, sample_rate: int) -> str:
        """The message before its sound."""
        told = {**self._named("audio.start"), "sentence_text": text}
        return json.dumps(told | {"format": format_name, "sample_rate": sample_rate})

    def done(self, is_whole: bool) -> str:
        """The message after its sound, with word times from its beginning on."""
        told: dict[str, object] = {**self._named("audio.done"), "total_bytes": self.size_bytes, "error": not is_whole}
        if self.words:
            starts_s = [(word.start_ms - self.start_ms) / 1000 for word in self.words]
            ends_s = [(word.end_ms - self.start_ms) / 1000 for word in self.words]
            alignment = {
                "words": [word.text for word in self.words],
                "word_start_times_seconds": starts_s,
                "word_end_times_seconds": ends_s,
            }
            told["timestamp_info"] = {"word_alignment": alignment}
        return json.dumps(told)

    def _named(self, kind: str) -> dict[str, object]:
        return {"type": kind, "utterance_index": self.utterance_index, "sentence_index": self.index}
