"""What every codec is, and the one that leaves samples as they are or maps each by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CodedPiece:
    """Coded sound. `samples`: how many it moves the stream on, at the codec's rate; 0 for a header."""

    data: bytes
    samples: int


class SoundCodec(Protocol):
    """Takes 16-bit samples at its own rate in pieces of any size; the bytes that come out, joined, are the same however
    the sound was cut. Nothing may follow `finish`."""

    def encode(self, pcm: bytes) -> list[CodedPiece]:
        """What is complete after more samples."""

    def finish(self) -> list[CodedPiece]:
        """The rest."""


class PlainCodec:
    """`header` first, then the samples, each of `sample_bytes`, as they are or as `convert` maps them."""

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
