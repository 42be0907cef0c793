"""Simulated engine processes. They keep to the protocol. If one dies, the messages on the way to and from it are
lost."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rtserver.ipc.engine import Audio, Cancel, Done, End, Feed, Flush, Flushed, Hold, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.talker import SampleQuantum, StopQuantum, Tokens
from tests.rtserver.engine.host.ledgers import RATE, pcm, sample

ID_SAMPLES = 10


@dataclass
class Work:
    """One utterance as the acoustic process sees it, counted in samples."""

    position: int
    text: int = 0
    sampled: int = 0
    quanta: int = 0
    waiting: int | None = None
    flushes: deque[tuple[str, int]] = field(default_factory=deque)
    ended: bool = False
    held: bool = False


class Process:
    """A process with the messages that wait on the way to it and from it."""

    def __init__(self) -> None:
        self.inbox: deque[Message] = deque()
        self.outbox: deque[Message] = deque()

    def take(self) -> None:
        """Takes one message."""

    def work(self, choice: int) -> None:
        """Does one piece of work."""


class Acoustic(Process):
    """Samples quanta, makes sound of them and answers flushes. It goes on after a record, which is the position in the
    sound."""

    def __init__(self) -> None:
        super().__init__()
        self.works: dict[str, Work] = {}

    def take(self) -> None:
        message = self.inbox.popleft()
        if isinstance(message, Open):
            assert message.utterance not in self.works
            self.works[message.utterance] = Work(int(message.resume or b"0"))
            self.outbox.append(Started(message.utterance, message.voice, 1))
        elif isinstance(message, Tokens):
            work = self.works.get(message.utterance)
            if work is not None and work.waiting == message.quantum:
                work.waiting = None
                work.sampled += len(message.ids)
        elif isinstance(message, Feed | Flush | End | Cancel | Hold) and message.utterance in self.works:
            self._told(self.works[message.utterance], message)

    def _told(self, work: Work, message: Feed | Flush | End | Cancel | Hold) -> None:
        match message:
            case Feed(_, segments):
                work.text += sum(len(s.ids) for s in segments) * ID_SAMPLES
            case Flush(_, number):
                work.flushes.append((number, work.text))
            case End():
                work.ended = True
            case Hold(_, on):
                work.held = on
            case Cancel(key):
                self._drop(key)

    def work(self, choice: int) -> None:
        if not self.works:
            return
        key, work = list(self.works.items())[choice % len(self.works)]
        if work.flushes and work.flushes[0][1] <= work.position:
            self.outbox.append(Flushed(key, work.flushes.popleft()[0], work.position / RATE))
        elif work.position >= work.text:
            if work.ended:
                self.outbox.append(Done(key, work.text // ID_SAMPLES, [], 1, False, {}))
                self._drop(key)
        elif work.held:
            pass
        elif work.sampled:
            samples = min(work.sampled, work.text - work.position)
            start_s = work.position / RATE
            data = pcm(work.position, samples)
            work.position += samples
            work.sampled -= samples
            record = str(work.position).encode() if choice % 3 else None  # now and then there is none
            self.outbox.append(Audio(key, data, start_s, 0, resume=record))
        elif work.waiting is None:
            work.quanta += 1
            work.waiting = work.quanta
            self.outbox.append(sample(work.waiting, utterance=key))

    def _drop(self, key: str) -> None:
        work = self.works.pop(key)
        if work.waiting is not None:
            self.outbox.append(StopQuantum(key, work.waiting))


class Talker(Process):
    """Answers quanta in any order, with any number of tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.quanta: list[tuple[str, int]] = []

    def take(self) -> None:
        message = self.inbox.popleft()
        if isinstance(message, SampleQuantum):
            assert (message.utterance, message.quantum) not in self.quanta
            self.quanta.append((message.utterance, message.quantum))
        elif isinstance(message, StopQuantum) and (message.utterance, message.quantum) in self.quanta:
            self.quanta.remove((message.utterance, message.quantum))

    def work(self, choice: int) -> None:
        if self.quanta:
            utterance, quantum = self.quanta.pop(choice % len(self.quanta))
            self.outbox.append(Tokens(utterance, quantum, [0] * (1 + choice), 0.1))
