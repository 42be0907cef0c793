"""Writes speech to a file or to standard output, in any format of the server, while the sound comes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from rtserver.audio.encoder import open_encoder
from rtserver.audio.formats import FORMATS, SoundFormat, check_format
from rtserver.audio.wav import WavWriter

_EXTENSIONS = {SoundFormat(name, 0).extension: name for name in FORMATS if name != "opus"} | {"opus": "ogg_opus"}


def format_of(target: str, name: str | None, sample_rate: int | None, native_rate: int) -> SoundFormat:
    """The format `name`; if that is None, the format of the file name's ending; else WAV. Raises FormatError."""
    if name is None:
        name = _EXTENSIONS.get(Path(target).suffix.lower().lstrip("."), "wav")
    return check_format(name, sample_rate, native_rate)


class SoundFile:
    """Takes 16-bit mono samples at `native_rate`. A WAV file gets its true length at the end, also after an error."""

    def __init__(self, target: str, sound: SoundFormat, native_rate: int) -> None:
        self.seconds = 0.0
        self._native_rate = native_rate
        self._wav = WavWriter(target, sound.sample_rate) if sound.name == "wav" else None
        raw = SoundFormat("pcm_s16le", sound.sample_rate) if self._wav is not None else sound
        self._encoder = open_encoder(raw, native_rate)
        self._file: BinaryIO | None = None
        if self._wav is None:
            self._file = sys.stdout.buffer if target == "-" else Path(target).open("wb")  # noqa: SIM115

    def write(self, pcm: bytes) -> None:
        self.seconds += len(pcm) / 2 / self._native_rate
        self._put(self._encoder.encode(pcm))

    def _put(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            if self._wav is not None:
                self._wav.write(chunk)
            elif self._file is not None:
                self._file.write(chunk)
                self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._put(self._encoder.finish())
        finally:
            if self._wav is not None:
                self._wav.close()
            elif self._file is not None and self._file is not sys.stdout.buffer:
                self._file.close()
