"""One open utterance, as the host remembers it to have another acoustic process go on with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rtserver.ipc.engine import End, Feed, Flush, Heard, Hold, Open
from rtserver.ipc.preparing import Recording
from rtserver.processes.refusals import Fingerprint


@dataclass
class Entry:
    """Made by `of`."""

    # As the acoustic process gets it.
    opening: Open
    # Of what it says.
    fingerprint: Fingerprint
    # Since when a process is missing. None: both are there.
    waiting_since_s: float | None
    # How many were delivered. None: it began elsewhere, and the first Audio tells where it goes on.
    samples: int | None
    # The record of the last Audio that had one.
    resume: bytes | None
    # All that was said after the opening, for a new acoustic process.
    fed: list[Feed | Flush | End] = field(default_factory=list)
    # The owner's ids of its flushes. The processes get the index.
    flush_ids: list[str] = field(default_factory=list)
    # How many flushes were answered.
    flushed: int = 0
    started: bool = False
    held: bool = False
    heard_s: float | None = None
    # With their samples, by digest, as long as they may have to be prepared.
    recordings: dict[str, Recording] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Open, waiting_since_s: float | None) -> Entry:
        """A new one. The samples of its recordings are kept here; the acoustic process does not get them."""
        named = [None if r is None else r.named() for r in (request.prompt_audio, request.source_audio)]
        prompt, source = (None if recording is None else recording.without_samples() for recording in named)
        return cls(
            replace(request, prompt_audio=prompt, source_audio=source),
            Fingerprint(request.tenant, *("" if recording is None else recording.digest for recording in named)),
            waiting_since_s,
            samples=0 if request.resume is None else None,
            resume=request.resume,
            recordings={recording.digest: recording for recording in named if recording is not None},
        )

    @property
    def has_work(self) -> bool:
        """Whether the acoustic process may work on it. One that has started gives it nothing to do before its text."""
        return bool(self.fed) or not self.started or self.opening.source_audio is not None

    def replay(self) -> Iterator[Open | Feed | Flush | End | Heard | Hold]:
        """What a new acoustic process must be told, in order."""
        utterance = self.opening.utterance
        yield replace(self.opening, resume=self.resume)
        if self.held:
            yield Hold(utterance, True)
        if self.heard_s is not None:
            yield Heard(utterance, self.heard_s)
        yield from self.fed
