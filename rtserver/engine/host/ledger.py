"""What the host must remember to replace an engine process: open utterances and unanswered quanta. Pure.

A late message of a process must not be taken for a new one. The ids of utterances are unique, so a message about one
that is over is dropped. Quanta and flushes get numbers of the ledger's own on their way to the processes, which it
translates back. Times are the caller's clock in seconds.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rtserver.engine.api import Event
from rtserver.ipc.engine import (
    Audio,
    Cancel,
    Done,
    End,
    Failed,
    Feed,
    Flush,
    Flushed,
    Heard,
    Hold,
    Hungry,
    Open,
    Rested,
    Started,
)
from rtserver.ipc.framing import Message
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, Tokens

Part = Literal["talker", "acoustic"]
PARTS: tuple[Part, Part] = ("talker", "acoustic")

_SAMPLE_BYTES = 2
# An utterance that was there each time a process died may be why it did.
_DEATHS_TO_FAIL = 2


@dataclass(frozen=True)
class ToProcess:
    """A message for a process that is up."""

    part: Part
    message: Message


@dataclass(frozen=True)
class ToOwner:
    """An event for the owner of its utterance."""

    event: Event


Step = ToProcess | ToOwner


@dataclass
class _Entry:
    """One open utterance."""

    # As the acoustic process gets it.
    opening: Open
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
    # Deaths of processes that were up while it was open.
    deaths: Counter[Part] = field(default_factory=Counter)
    # With their samples, by digest, as long as they may have to be prepared.
    recordings: dict[str, Recording] = field(default_factory=dict)

    def keep(self, recording: Recording | None) -> Recording | None:
        """Keeps the samples here and returns what the acoustic process gets."""
        if recording is None:
            return None
        named = recording.named()
        self.recordings[named.digest] = named
        return named.without_samples()


class Ledger:
    """Calls tell what happened and return what to do, in order. Calls about utterances that are over do nothing."""

    def __init__(self, recovery_s: float) -> None:
        self.recovery_s = recovery_s
        self.irregular_audio = 0  # Audio that did not begin where the last one ended
        self._up: set[Part] = set()
        self._incidents: dict[Part, str] = {}
        self._sample_rate = 0
        self._entries: dict[str, _Entry] = {}
        self._numbers = itertools.count(1)
        self._unanswered: dict[int, SampleQuantum] = {}  # by the talker's number, as the acoustic process sent them
        self._talker_numbers: dict[tuple[str, int], int] = {}  # by the acoustic process's utterance and quantum

    @property
    def live(self) -> int:
        """Utterances that are open."""
        return len(self._entries)

    @property
    def counts(self) -> dict[str, int]:
        """What is held; all zero when nothing is open."""
        return {
            "utterances": len(self._entries),
            "fed_messages": sum(len(e.fed) for e in self._entries.values()),
            "unanswered_quanta": len(self._unanswered),
            "recording_bytes": sum(len(r.pcm) for e in self._entries.values() for r in e.recordings.values()),
        }

    # -- from the owners of utterances ------------------------------------------------------------------------------

    def open(self, request: Open, now_s: float) -> list[Step]:
        """Raises ValueError for an utterance that is open."""
        if request.utterance in self._entries:
            raise ValueError(f"expected a new utterance, found {request.utterance!r}, which is open")
        entry = _Entry(
            request,
            waiting_since_s=None if self._up.issuperset(PARTS) else now_s,
            samples=0 if request.resume is None else None,
            resume=request.resume,
        )
        entry.opening = replace(
            entry.opening,
            prompt_audio=entry.keep(request.prompt_audio),
            source_audio=entry.keep(request.source_audio),
        )
        self._entries[request.utterance] = entry
        return self._to("acoustic", entry.opening)

    def feed(self, utterance: str, segments: Sequence[Segment]) -> list[Step]:
        return self._fed(utterance, Feed(utterance, list(segments)))

    def flush(self, utterance: str, flush_id: str) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is None:
            return []
        entry.flush_ids.append(flush_id)
        return self._fed(utterance, Flush(utterance, str(len(entry.flush_ids) - 1)))

    def end(self, utterance: str) -> list[Step]:
        return self._fed(utterance, End(utterance))

    def heard(self, utterance: str, position_s: float) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is None:
            return []
        entry.heard_s = position_s
        return self._to("acoustic", Heard(utterance, position_s))

    def hold(self, utterance: str, on: bool) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is None or entry.held == on:
            return []
        entry.held = on
        return self._to("acoustic", Hold(utterance, on))

    def cancel(self, utterance: str) -> list[Step]:
        return self._to("acoustic", Cancel(utterance)) if self._entries.pop(utterance, None) is not None else []

    def _fed(self, utterance: str, message: Feed | Flush | End) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is None:
            return []
        entry.fed.append(message)
        return self._to("acoustic", message)

    # -- from the processes -----------------------------------------------------------------------------------------

    def from_acoustic(self, message: Message) -> list[Step]:
        """Takes a message of the acoustic process that lives now."""
        match message:
            case SampleQuantum():
                return self._sample(message)
            case StopQuantum(utterance, quantum):
                number = self._talker_numbers.pop((utterance, quantum), None)
                return [] if number is None else self._stop(number)
            case Started() | Audio() | Hungry() | Rested() | Flushed() | Done() | Failed():
                entry = self._entries.get(message.utterance)
                return [] if entry is None else self._event(message.utterance, entry, message)
            case _:
                return []

    def from_talker(self, message: Message) -> list[Step]:
        """Takes an answer of the talker."""
        if not isinstance(message, Tokens | Refused):
            return []
        sample = self._unanswered.pop(message.quantum, None)
        if sample is None:  # stopped meanwhile
            return []
        del self._talker_numbers[sample.utterance, sample.quantum]
        return self._to("acoustic", replace(message, utterance=sample.utterance, quantum=sample.quantum))

    # -- what is prepared -------------------------------------------------------------------------------------------

    def with_samples(self, prepare: Prepare) -> Prepare | None:
        """The acoustic process's request with the samples of its recording; None when nobody wants it any more."""
        if prepare.recording is None:
            return prepare
        digest = prepare.recording.digest
        found = (entry.recordings[digest] for entry in self._entries.values() if digest in entry.recordings)
        recording = next(found, None)
        return None if recording is None else replace(prepare, recording=recording)

    def from_preparer(self, prepared: Prepared) -> list[Step]:
        """Takes an answer of the preparer. A source's tokens are kept instead of its samples: another acoustic process
        gets them at once."""
        if prepared.pieces is not None:
            for entry in self._entries.values():
                source = entry.opening.source_audio
                if source is not None and prepared.key == PreparationKey("source", source.digest):
                    entry.opening = replace(entry.opening, source_pieces=prepared.pieces)
                    prompt = entry.opening.prompt_audio
                    if prompt is None or prompt.digest != source.digest:
                        entry.recordings.pop(source.digest, None)
        return self._to("acoustic", prepared)

    # -- quanta -----------------------------------------------------------------------------------------------------

    def _sample(self, sample: SampleQuantum) -> list[Step]:
        steps: list[Step] = []
        quantum = sample.utterance, sample.quantum
        former = self._talker_numbers.pop(quantum, None)
        if former is not None:
            steps += self._stop(former)
        number = next(self._numbers)
        self._unanswered[number] = sample
        self._talker_numbers[quantum] = number
        return steps + self._to("talker", replace(sample, quantum=number))

    def _stop(self, number: int) -> list[Step]:
        sample = self._unanswered.pop(number)
        return self._to("talker", StopQuantum(sample.utterance, number))

    def _event(self, utterance: str, entry: _Entry, event: Event) -> list[Step]:
        match event:
            case Started():
                if entry.started:
                    return []
                entry.started = True
            case Audio():
                return self._audio(utterance, entry, event)
            case Rested(_, fed) if fed != len(entry.fed):  # it has got text meanwhile
                return []
            case Flushed(_, number, _):
                index = int(number)
                if index < entry.flushed:
                    return []
                entry.flushed = index + 1
                event = replace(event, id=entry.flush_ids[index])
            case Done() | Failed():
                del self._entries[utterance]
        return [ToOwner(event)]

    def _audio(self, utterance: str, entry: _Entry, audio: Audio) -> list[Step]:
        """The samples that were not delivered yet. A gap cannot be mended: the utterance fails."""
        first = round(audio.start_s * self._sample_rate)
        if entry.samples is None:
            entry.samples = first
        known = entry.samples - first
        if known:
            self.irregular_audio += 1
        if known < 0:
            what = f"expected audio from sample {entry.samples}, found it from {first}"
            return self._fail(utterance, "internal", f"the acoustic process left a gap: {what}")
        samples = len(audio.pcm) // _SAMPLE_BYTES
        if samples < known:
            return []
        entry.resume = audio.resume or entry.resume
        if samples == known > 0:
            return []
        entry.samples += samples - known
        if known:
            pcm = audio.pcm[known * _SAMPLE_BYTES :]
            audio = replace(audio, pcm=pcm, start_s=(first + known) / self._sample_rate)
        return [ToOwner(audio)]

    # -- the life of the processes ----------------------------------------------------------------------------------

    def acoustic_up(self, sample_rate: int) -> list[Step]:
        """A new acoustic process is ready: what every open utterance needs to go on there."""
        self._sample_rate = sample_rate
        self._now_up("acoustic")
        steps: list[Step] = []
        for utterance, entry in self._entries.items():
            steps.append(ToProcess("acoustic", replace(entry.opening, resume=entry.resume)))
            if entry.held:
                steps.append(ToProcess("acoustic", Hold(utterance, True)))
            if entry.heard_s is not None:
                steps.append(ToProcess("acoustic", Heard(utterance, entry.heard_s)))
            steps += [ToProcess("acoustic", message) for message in entry.fed]
        return steps

    def talker_up(self) -> list[Step]:
        """A new talker is ready: the quanta that no talker has answered."""
        self._now_up("talker")
        return [ToProcess("talker", replace(sample, quantum=number)) for number, sample in self._unanswered.items()]

    def down(self, part: Part, incident: str, now_s: float) -> list[Step]:
        """A process died. One that was never up is nobody's fault. `incident` is the id under which the log tells
        how."""
        was_up = part in self._up
        self._up.discard(part)
        self._incidents[part] = incident
        steps: list[Step] = []
        if part == "acoustic":
            for number in list(self._unanswered):
                steps += self._stop(number)
            self._talker_numbers.clear()
        for utterance, entry in list(self._entries.items()):
            entry.deaths[part] += was_up
            if entry.deaths[part] >= _DEATHS_TO_FAIL:
                what = f"the {part} process was lost {_DEATHS_TO_FAIL} times while this utterance was open ({incident})"
                steps += self._fail(utterance, "engine_lost", f"{what}: start it again")
            elif entry.waiting_since_s is None:
                entry.waiting_since_s = now_s
        return steps

    @property
    def next_expiry_s(self) -> float | None:
        """When `expire` has something to do; None while nobody waits for a process."""
        waiting = [e.waiting_since_s for e in self._entries.values() if e.waiting_since_s is not None]
        return min(waiting) + self.recovery_s if waiting else None

    def expire(self, now_s: float) -> list[Step]:
        """Fails the utterances that have waited for a process for too long."""
        steps: list[Step] = []
        for utterance, entry in list(self._entries.items()):
            if entry.waiting_since_s is not None and entry.waiting_since_s + self.recovery_s <= now_s:
                incidents = ", ".join(self._incidents[p] for p in PARTS if p not in self._up and p in self._incidents)
                what = f"the engine did not come back within {self.recovery_s:g} s"
                text = f"{what} ({incidents}): start it again later" if incidents else f"{what}: start it again later"
                steps += self._fail(utterance, "engine_lost", text)
        return steps

    def fail_all(self, reason: str) -> list[Step]:
        """Fails every open utterance with engine_lost."""
        return [step for utterance in list(self._entries) for step in self._fail(utterance, "engine_lost", reason)]

    def _now_up(self, part: Part) -> None:
        self._up.add(part)
        if self._up.issuperset(PARTS):
            for entry in self._entries.values():
                entry.waiting_since_s = None

    # -- small ------------------------------------------------------------------------------------------------------

    def _to(self, part: Part, message: Message) -> list[Step]:
        """Sends to a process that is up; one that is not gets what it needs when it is."""
        return [ToProcess(part, message)] if part in self._up else []

    def _fail(self, utterance: str, code: str, reason: str) -> list[Step]:
        del self._entries[utterance]
        return [ToOwner(Failed(utterance, code, reason)), *self._to("acoustic", Cancel(utterance))]
