"""What the host must remember to replace an engine process: open utterances and unanswered quanta. Pure.

A late message of a process must not be taken for a new one. The ids of utterances are unique, so a message about one
that is over is dropped. Quanta and flushes get numbers of the ledger's own on their way to the processes, which it
translates back. Times are the caller's clock in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from rtserver.engine.api import Event
from rtserver.engine.host.entry import Entry
from rtserver.engine.host.steps import PARTS, Part, Step, ToOwner, ToProcess
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
    Writing,
)
from rtserver.ipc.framing import encode
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, Tokens
from rtserver.processes.refusals import Refusals
from rtserver.processes.stalls import Stalls
from rtserver.processes.suspects import Suspects

_SAMPLE_BYTES = 2


class Ledger:
    """Calls tell what happened and return what to do, in order. Calls about utterances that are over do nothing."""

    def __init__(self, recovery_s: float, stalled_s: float = 120.0) -> None:
        """recovery_s: how long an utterance waits for a process that is gone. stalled_s: how long it waits for a talker
        that works for others."""
        self.recovery_s = recovery_s
        self.stalled_s = stalled_s
        self.irregular_audio = 0  # Audio that did not begin where the last one ended
        self._up: set[Part] = set()
        self._incidents: dict[Part, str] = {}
        self._sample_rate = 0
        self._entries: dict[str, Entry] = {}
        self._numbers = itertools.count(1)
        self._unanswered: dict[int, SampleQuantum] = {}  # by the talker's number, as the acoustic process sent them
        self._talker_numbers: dict[tuple[str, int], int] = {}  # by the acoustic process's utterance and quantum
        self._suspects: dict[Part, Suspects] = {part: Suspects() for part in PARTS}
        self._refusals = Refusals()
        self._stalls: Stalls[int] = Stalls(stalled_s)
        self._next_check_s = 0.0

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
            "suspects": sum(len(suspects) for suspects in self._suspects.values()),
        }

    # -- from the owners of utterances ------------------------------------------------------------------------------

    def open(self, request: Open, now_s: float) -> list[Step]:
        """Raises ValueError for an utterance that is open, and for a request that no process could be sent. Then
        nothing is kept of it."""
        if request.utterance in self._entries:
            raise ValueError(f"expected a new utterance, found {request.utterance!r}, which is open")
        entry = Entry.of(request, waiting_since_s=None if self._up.issuperset(PARTS) else now_s)
        encode(entry.opening)
        self._refusals.forget_old(now_s)
        self._entries[request.utterance] = entry
        if entry.fingerprint in self._refusals:
            return self._refuse(request.utterance)
        return self._to_acoustic(entry.opening)

    def feed(self, utterance: str, segments: Sequence[Segment], writing: Writing | None = None) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is not None:
            for segment in segments:
                entry.fingerprint.add_ids(segment.ids)
            if entry.fingerprint in self._refusals:
                return self._refuse(utterance)
        kept = Feed(utterance, list(segments))
        return self._fed(utterance, kept, replace(kept, writing=writing))

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
        return self._to_acoustic(Heard(utterance, position_s))

    def hold(self, utterance: str, on: bool) -> list[Step]:
        entry = self._entries.get(utterance)
        if entry is None or entry.held == on:
            return []
        entry.held = on
        return self._to_acoustic(Hold(utterance, on))

    def cancel(self, utterance: str) -> list[Step]:
        return self._remove(utterance, Cancel(utterance)) if utterance in self._entries else []

    def _fed(self, utterance: str, kept: Feed | Flush | End, sent: Feed | None = None) -> list[Step]:
        """kept: what another process is told after a crash. sent: what this one is told, if that is not the same."""
        entry = self._entries.get(utterance)
        if entry is None:
            return []
        entry.fed.append(kept)
        return self._to_acoustic(sent or kept)

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
        return steps + self._to_talker(replace(sample, quantum=number))

    def _stop(self, number: int) -> list[Step]:
        sample = self._unanswered.pop(number)
        return self._to_talker(StopQuantum(sample.utterance, number))

    def _event(self, utterance: str, entry: Entry, event: Event) -> list[Step]:
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
                return [ToOwner(event), *self._remove(utterance)]
        return [ToOwner(event)]

    def _audio(self, utterance: str, entry: Entry, audio: Audio) -> list[Step]:
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
        return [step for entry in self._entries.values() for step in self._replay(entry)]

    def talker_up(self) -> list[Step]:
        """A new talker is ready: the quanta that no talker has answered."""
        self._now_up("talker")
        return self._resample()

    def down(self, part: Part, incident: str, now_s: float) -> list[Step]:
        """A process died. One that was never up is nobody's fault. `incident` is the id under which the log tells
        how."""
        was_up = part in self._up
        worked_on = self._worked_on(part)
        self._up.discard(part)
        self._incidents[part] = incident
        steps: list[Step] = []
        if part == "acoustic":
            for number in list(self._unanswered):
                steps += self._stop(number)
            self._talker_numbers.clear()
        culprit = self._suspects[part].died(worked_on, now_s) if was_up else None
        if culprit is not None:
            steps += self._condemn(culprit, part, incident, now_s)
        for entry in self._entries.values():
            if entry.waiting_since_s is None:
                entry.waiting_since_s = now_s
        return steps

    def _worked_on(self, part: Part) -> list[str]:
        """The utterances that a process may work on."""
        if part == "talker":
            asked = dict.fromkeys(sample.utterance for sample in self._unanswered.values())
            names = [name for name in asked if name in self._entries]
        else:
            names = [name for name, entry in self._entries.items() if entry.has_work]
        return [name for name in names if not self._suspects[part].waits(name)]

    def _condemn(self, culprit: str, part: Part, incident: str, now_s: float) -> list[Step]:
        """Fails the utterance that a process dies of."""
        self._refusals.add(self._entries[culprit].fingerprint, now_s)
        what = f"the {part} process was lost each time it worked on this utterance ({incident})"
        wait = f"the same text or recording is refused for {self._refusals.refused_s:g} s"
        return self._fail(culprit, "engine_lost", f"{what}: {wait}", self._refusals.refused_s)

    def _refuse(self, utterance: str) -> list[Step]:
        """Fails an utterance that says what a process has died of."""
        refused_s = self._refusals.refused_s
        what = f"a process was lost over the same text or recording less than {refused_s:g} s ago"
        return self._fail(utterance, "engine_lost", f"{what}: send another one, or this one later", refused_s)

    def _replay(self, entry: Entry) -> list[Step]:
        return [step for message in entry.replay() for step in self._to_acoustic(message)]

    def _resample(self, utterance: str | None = None) -> list[Step]:
        """Sends the talker the quanta of an utterance, or of all, that are not answered."""
        waiting = [(n, s) for n, s in self._unanswered.items() if utterance in (None, s.utterance)]
        return [step for number, sample in waiting for step in self._to_talker(replace(sample, quantum=number))]

    # -- time -------------------------------------------------------------------------------------------------------

    @property
    def next_expiry_s(self) -> float | None:
        """When `expire` has something to do; 0 for at once, None for nothing."""
        times = [e.waiting_since_s + self.recovery_s for e in self._entries.values() if e.waiting_since_s is not None]
        times += [at_s for part in self._up if (at_s := self._suspects[part].next_s) is not None]
        if self._unanswered and "talker" in self._up:
            times.append(self._next_check_s)
        return min(times, default=None)

    def expire(self, now_s: float) -> list[Step]:
        """Fails the utterances that have waited for too long, and lets suspects have their turns."""
        steps: list[Step] = []
        for utterance, entry in list(self._entries.items()):
            if entry.waiting_since_s is not None and entry.waiting_since_s + self.recovery_s <= now_s:
                incidents = ", ".join(self._incidents[p] for p in PARTS if p not in self._up and p in self._incidents)
                what = f"the engine did not come back within {self.recovery_s:g} s"
                text = f"{what} ({incidents}): start it again later" if incidents else f"{what}: start it again later"
                steps += self._fail(utterance, "engine_lost", text)
        for part in self._up:
            suspect = self._suspects[part].next_turn(now_s)
            if suspect is not None:
                steps += self._resample(suspect) if part == "talker" else self._replay(self._entries[suspect])
        if now_s >= self._next_check_s:
            steps += self._check_quanta()
            self._next_check_s = now_s + self._stalls.every_s
        return steps

    def _check_quanta(self) -> list[Step]:
        """Fails the utterances that have waited too long for the talker, which works for others."""
        talker = self._suspects["talker"]
        asked = [n for n, s in self._unanswered.items() if "talker" in self._up and not talker.waits(s.utterance)]
        steps: list[Step] = []
        for number in self._stalls.check(asked):
            utterance = self._unanswered[number].utterance if number in self._unanswered else ""
            if utterance in self._entries:
                text = f"the talker gave no speech for {self.stalled_s:g} s: start it again later"
                steps += self._fail(utterance, "engine_lost", text)
        return steps

    def unsendable(self, utterance: str, reason: str) -> list[Step]:
        """A message about an utterance cannot be sent to its process. Only that utterance fails."""
        return self._fail(utterance, "bad_message", reason) if utterance in self._entries else []

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

    def _to_acoustic(self, message: Open | Feed | Flush | End | Heard | Hold | Cancel) -> list[Step]:
        """A suspect's messages wait for its turn."""
        return [] if self._suspects["acoustic"].waits(message.utterance) else self._to("acoustic", message)

    def _to_talker(self, message: SampleQuantum | StopQuantum) -> list[Step]:
        """A suspect's messages wait for its turn."""
        return [] if self._suspects["talker"].waits(message.utterance) else self._to("talker", message)

    def _fail(self, utterance: str, code: str, reason: str, retry_after_s: float | None = None) -> list[Step]:
        steps: list[Step] = [ToOwner(Failed(utterance, code, reason, retry_after_s))]
        for number in [n for n, sample in self._unanswered.items() if sample.utterance == utterance]:
            self._talker_numbers.pop((utterance, self._unanswered[number].quantum), None)
            steps += self._stop(number)
        return steps + self._remove(utterance, Cancel(utterance))

    def _remove(self, utterance: str, last: Cancel | None = None) -> list[Step]:
        """An utterance is over. `last` is what the acoustic process is told."""
        steps = [] if last is None else self._to_acoustic(last)
        del self._entries[utterance]
        for suspects in self._suspects.values():
            suspects.forget(utterance)
        return steps
