"""Features of every utterance, end to end in flat files that only grow; `index.jsonl` says where each one lies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosyvoice.nano.corpus.rows import Utterance
from cosyvoice.nano.lines import append_line, whole_lines

FRAMES_PER_CODE = 2
WHISPER_PER_FRAME = 2
# Columns of each file and how many of its rows there are to a mel frame.
_COLUMNS = {"mel": (80, 1), "whisper": (128, WHISPER_PER_FRAME)}


@dataclass(frozen=True)
class Entry:
    """An utterance in the store. frames: mel frames of 20 ms, an even number; start: the first one's place."""

    utterance: Utterance
    frames: int
    start: int

    @property
    def codes(self) -> int:
        """How many speech codes of 40 ms it has."""
        return self.frames // FRAMES_PER_CODE

    @property
    def code_start(self) -> int:
        """The place of its first code."""
        return self.start // FRAMES_PER_CODE


class FeatureStore:
    """Reads features; `append` adds an utterance. A crash in between leaves nothing that a reader would see."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "features"
        self.entries = list(_entries(self.folder / "index.jsonl"))
        self._maps: dict[str, NDArray[np.float16]] = {}

    @property
    def frames(self) -> int:
        """Mel frames of all utterances."""
        return self.entries[-1].start + self.entries[-1].frames if self.entries else 0

    def mel(self, entry: Entry) -> NDArray[np.float16]:
        """Log mel [frames, 80]."""
        return self._rows("mel", entry)

    def whisper(self, entry: Entry) -> NDArray[np.float16]:
        """Whisper log-mel [2 * frames, 128]."""
        return self._rows("whisper", entry)

    def append(self, utterance: Utterance, features: Mapping[str, NDArray[np.float32]]) -> Entry:
        """Adds an utterance by its `mel` [frames, 80] and `whisper` [2 * frames, 128]."""
        entry = Entry(utterance, len(features["mel"]), self.frames)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, (columns, per_frame) in _COLUMNS.items():
            rows = features[name].astype(np.float16)
            if rows.shape != (entry.frames * per_frame, columns):
                raise ValueError(f"{name}: expected {(entry.frames * per_frame, columns)}, found {rows.shape}")
            _write_at(self.folder / f"{name}.f16", entry.start * per_frame * columns * 2, rows.tobytes())
        line = json.dumps({**utterance.fields(), "frames": entry.frames}, ensure_ascii=False)
        append_line(self.folder / "index.jsonl", line)
        self.entries.append(entry)
        self._maps.clear()
        return entry

    def _rows(self, name: str, entry: Entry) -> NDArray[np.float16]:
        columns, per_frame = _COLUMNS[name]
        if name not in self._maps:
            shape = (self.frames * per_frame, columns)
            self._maps[name] = np.memmap(self.folder / f"{name}.f16", np.float16, "r", shape=shape)
        return self._maps[name][entry.start * per_frame : (entry.start + entry.frames) * per_frame]


def _entries(index: Path) -> Iterator[Entry]:
    start = 0
    for line in whole_lines(index):
        fields = json.loads(line)
        frames = fields.pop("frames")
        yield Entry(Utterance(**fields), frames, start)
        start += frames


def _write_at(path: Path, offset: int, data: bytes) -> None:
    """Writes over whatever an interrupted run left behind `offset`."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(data)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
