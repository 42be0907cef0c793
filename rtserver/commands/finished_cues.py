"""A folder with the speech of finished cues, so that a second run makes only what is missing or has changed."""

from __future__ import annotations

import contextlib
import os
import wave
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rtserver.dubbing.order import Order, Speech
from rtserver.dubbing.word_times import Word


class _Facts(msgspec.Struct):
    """What is kept beside the sound: the fields of `Speech`, and the text for a reader of the folder."""

    text: str
    samples: int
    speed: float
    voice: str
    words: list[Word]
    warnings: list[str]


class FinishedCues:
    """Each order has two files, named by its key: the sound (.wav) and the rest (.json)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, order: Order) -> Speech | None:
        """The speech of an order; None if there is none that is whole."""
        try:
            facts = msgspec.json.decode(self._path(order, "json").read_bytes(), type=_Facts)
            with wave.open(str(self._path(order, "wav"))) as file:
                pcm = file.readframes(file.getnframes())
        except (OSError, EOFError, wave.Error, msgspec.DecodeError):
            return None
        if len(pcm) != 2 * facts.samples:
            return None
        return Speech(pcm, facts.speed, facts.voice, tuple(facts.words), tuple(facts.warnings))

    def keep(self, order: Order, speech: Speech) -> None:
        """Keeps the speech of an order. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        facts = _Facts(
            order.text, len(speech.pcm) // 2, speech.speed, speech.voice, list(speech.words), list(speech.warnings)
        )
        with _replacing(self._path(order, "wav")) as path, wave.open(str(path), "wb") as file:
            file.setparams((1, 2, order.sample_rate, 0, "NONE", ""))
            file.writeframes(speech.pcm)
        with _replacing(self._path(order, "json")) as path:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")

    def _path(self, order: Order, ending: str) -> Path:
        return self._folder / f"{order.key}.{ending}"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that takes its name when it is whole."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
