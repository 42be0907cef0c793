"""The interface of all codecs, and the codec for formats that code each sample by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CodedPiece:
    """A piece of coded sound."""

    data: bytes
    # How many samples it stands for, at the codec's rate. 0 for a header.
    samples: int


class SoundCodec(Protocol):
    """Codes 16-bit samples at the codec's rate. However the samples are cut into calls, the joined output is the same.
    Nothing may follow `finish`."""

    def encode(self, pcm: bytes) -> list[CodedPiece]:
        """Adds samples. Returns the pieces that are complete."""

    def finish(self) -> list[CodedPiece]:
        """Returns the rest."""


class PlainCodec:
    """Writes `header`, then the samples: converted by `convert`, or unchanged. `sample_bytes`: of one input sample."""

    def __init__(
        self, header: bytes = b"", *, sample_bytes: int = 2, convert: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._header = header
        self._sample_bytes = sample_bytes
        self._convert = convert

    def encode(self, pcm: bytes) -> list[CodedPiece]:
        header, self._header = self._header, b""
        data = pcm if self._convert is None else self._convert(pcm)
        if not header and not data:
            return []
        return [CodedPiece(header + data if header else data, len(pcm) // self._sample_bytes)]

    def finish(self) -> list[CodedPiece]:
        return self.encode(b"")
