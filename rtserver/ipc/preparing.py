"""Recordings, and the messages by which the acoustic process has them prepared, through the front, by the preparer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

_BYTES_PER_SAMPLE = 2


@dataclass(frozen=True)
class Recording:
    """A client's recording: mono 16-bit little-endian PCM. The acoustic process gets it `without_samples`."""

    # Empty where only the digest is needed.
    pcm: bytes = field(repr=False)
    sample_rate: int
    # Identifies the samples and their rate. `named` fills in this and the length.
    digest: str = ""
    seconds: float = 0.0

    def named(self) -> Recording:
        """With digest and length. That takes some 20 ms for minutes of sound: call it in a thread, not on an event
        loop."""
        if self.digest:
            return self
        digest = hashlib.sha256(f"{self.sample_rate} ".encode())
        digest.update(self.pcm)
        seconds = len(self.pcm) / _BYTES_PER_SAMPLE / max(1, self.sample_rate)
        return replace(self, digest=digest.hexdigest(), seconds=seconds)

    def without_samples(self) -> Recording:
        return replace(self.named(), pcm=b"")


@dataclass(frozen=True)
class PreparationKey:
    """What is to be prepared. Equal keys mean the same preparation."""

    # voice: the prompt of a voice of the catalogue. The preparer puts it into the cache on disk, where the acoustic
    #   process finds it.
    # recording: the prompt of a recording.
    # source: the speech tokens of a recording that is to be converted.
    # transcript: the text ids of what a prompt says.
    kind: Literal["voice", "recording", "source", "transcript"]
    # The voice's name, the recording's digest, or the transcript's text.
    what: str


@dataclass(frozen=True)
class Prepare:
    """Asks for a preparation, which takes seconds."""

    key: PreparationKey
    # For the kinds recording and source. The acoustic process sends it without samples; the front adds them.
    recording: Recording | None = None
    # Whose utterance wants it, for a fair share of the preparer: the first that does.
    tenant: str = ""


@dataclass(frozen=True)
class Prepared:
    """A preparation is done or has failed."""

    key: PreparationKey
    # One of the wire's error codes and its message. Empty: it has not failed.
    code: str = ""
    message: str = ""
    # Of the kind recording, as cosyvoice.voice.prompt_cache packs it.
    prompt: bytes | None = None
    # Of the kind source: speech tokens, cut at its silences.
    pieces: list[list[int]] | None = None
    # Of the kind transcript.
    ids: list[int] | None = None

    @property
    def is_in_cache(self) -> bool:
        """Whether the result is not in this message, but in the cache on disk."""
        return not self.code and self.prompt is None and self.pieces is None and self.ids is None


@dataclass(frozen=True)
class Dismiss:
    """A preparation is not wanted any more. The preparer sends it back when it lets go of the work."""

    key: PreparationKey
