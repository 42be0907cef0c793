"""Recordings, and the messages by which the acoustic process has them prepared, through the front, by the preparer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True)
class Recording:
    """Somebody's recording: mono 16-bit little-endian PCM.

    digest: stands for the samples and their rate. seconds: how long they last. `named` fills in both. The acoustic
    process gets a recording `without_samples`.
    """

    pcm: bytes = field(repr=False)
    sample_rate: int
    digest: str = ""
    seconds: float = 0.0

    def named(self) -> Recording:
        """With digest and length, which take some 20 ms for minutes of sound: a caller may do it off its event loop."""
        if self.digest:
            return self
        digest = hashlib.sha256(f"{self.sample_rate} ".encode())
        digest.update(self.pcm)
        seconds = len(self.pcm) / _BYTES_PER_SAMPLE / max(1, self.sample_rate)
        return replace(self, digest=digest.hexdigest(), seconds=seconds)

    def without_samples(self) -> Recording:
        return replace(self.named(), pcm=b"")


@dataclass(frozen=True)
class Prepare:
    """Asks for a preparation by name, which takes seconds.

    kind: the prompt of a `voice` of the catalogue, put into the cache, where the acoustic process finds it; the prompt
    of a `recording`; the speech tokens of a recording that is the `source` of a conversion; or the text ids of the
    `transcript` of a prompt, which follows in the name. The front adds the recording's samples.
    """

    name: str
    kind: Literal["voice", "recording", "source", "transcript"] = "voice"
    recording: Recording | None = None


@dataclass(frozen=True)
class Prepared:
    """A preparation is done; or, with a code of the wire, it cannot be. prompt: of a recording, as
    cosyvoice.voice.prompt_cache packs it. pieces: speech tokens of a source, cut at its silences. ids: of a
    transcript."""

    name: str
    code: str = ""
    message: str = ""
    prompt: bytes | None = None
    pieces: list[list[int]] | None = None
    ids: list[int] | None = None

    @property
    def is_in_cache(self) -> bool:
        """Whether what was asked for is not in here, but where the acoustic process finds it."""
        return not self.code and self.prompt is None and self.pieces is None and self.ids is None


@dataclass(frozen=True)
class Dismiss:
    """Nobody waits for a preparation any more."""

    name: str
