"""A front whose ledger works with two simulated processes, which die and are replaced. Pure: each step moves the
time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import PARTS, Part, Step, ToOwner, ToProcess
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.reading import Segment
from tests.rtserver.engine.acoustic.simulated import ID_SAMPLES, Acoustic, Process, Talker
from tests.rtserver.engine.host.ledgers import RATE, pcm

RECOVERY_S = 30.0


@dataclass
class Owned:
    """An utterance as its owner sees it: its request, and the events it got."""

    name: str
    text: int = 0
    flush_ids: list[str] = field(default_factory=list)
    flush_points: list[int] = field(default_factory=list)
    started: bool = False
    samples: int = 0
    flushed: int = 0
    held: bool = False
    ended: bool = False
    cancelled: bool = False
    closing: Done | Failed | None = None

    @property
    def over(self) -> bool:
        return self.cancelled or self.closing is not None

    def put(self, message: Message) -> None:
        """Takes an event. Fails if the event may not come now."""
        assert not self.over, f"{message} after the end"
        match message:
            case Started(name, _, _):
                assert name == self.name and not self.started
                self.started = True
            case Audio(name, data, start_s, _, _, _):
                assert name == self.name and round(start_s * RATE) == self.samples
                assert len(data) > 0 and data == pcm(self.samples, len(data) // 2)
                self.samples += len(data) // 2
            case Flushed(name, flush_id, _):
                assert name == self.name and flush_id == self.flush_ids[self.flushed]
                assert self.samples >= self.flush_points[self.flushed]
                self.flushed += 1
            case Done(name) | Failed(name):
                assert name == self.name
                self.closing = message
            case _:
                raise AssertionError(message)


class World:
    """The ledger, the owners and the processes. Each step is a method. Its number makes a choice."""

    def __init__(self) -> None:
        self.ledger = Ledger(RECOVERY_S)
        self.now_s = 0.0
        self.owned: dict[str, Owned] = {}
        self.processes: dict[Part, Process | None] = dict.fromkeys(PARTS)
        self.known: dict[Part, bool] = dict.fromkeys(PARTS, False)  # as the ledger was told

    def do(self, steps: Sequence[Step]) -> None:
        """Delivers what the ledger sends. Messages to a process that has died, but whose death was not noticed yet, are
        lost."""
        for step in steps:
            match step:
                case ToOwner(event):
                    self.owned[event.utterance].put(event)
                case ToProcess(part, message):
                    assert self.known[part], f"{message} to the {part} process, which is away"
                    process = self.processes[part]
                    if process is not None:
                        process.inbox.append(message)

    # -- the owners -------------------------------------------------------------------------------------------------

    def open(self, _: int) -> None:
        if sum(not owned.over for owned in self.owned.values()) < 3:
            name = f"u{len(self.owned)}"
            steps = self.ledger.open(Open(name, "voice"), self.now_s)
            self.owned[name] = Owned(name)
            self.do(steps)

    def _pick(self, choice: int) -> tuple[str, Owned] | None:
        """An utterance that its owner still uses. It may be over; then the call must have no effect."""
        items = list(self.owned.items())
        return items[choice % len(items)] if items else None

    def feed(self, choice: int) -> None:
        if (found := self._pick(choice)) and not found[1].ended:
            found[1].text += (choice % 5) * ID_SAMPLES
            self.do(self.ledger.feed(found[0], [Segment([0] * (choice % 5), 0, True)]))

    def flush(self, choice: int) -> None:
        if (found := self._pick(choice)) and not found[1].ended:
            found[1].flush_ids.append(f"flush {choice}")
            found[1].flush_points.append(found[1].text)
            self.do(self.ledger.flush(found[0], f"flush {choice}"))

    def end(self, choice: int) -> None:
        if (found := self._pick(choice)) and not found[1].ended:
            found[1].ended = True
            self.do(self.ledger.end(found[0]))

    def hold(self, choice: int) -> None:
        if found := self._pick(choice):
            found[1].held = not found[1].held
            self.do(self.ledger.hold(found[0], found[1].held))

    def heard(self, choice: int) -> None:
        if found := self._pick(choice):
            self.do(self.ledger.heard(found[0], choice / 10))

    def cancel(self, choice: int) -> None:
        if found := self._pick(choice):
            found[1].cancelled = True
            self.do(self.ledger.cancel(found[0]))

    # -- the processes ----------------------------------------------------------------------------------------------

    def take(self, choice: int) -> None:
        process = self.processes[PARTS[choice % 2]]
        if process is not None and process.inbox:
            process.take()

    def work(self, choice: int) -> None:
        process = self.processes[PARTS[choice % 2]]
        if process is not None:
            process.work(choice // 2)

    def read(self, choice: int) -> None:
        """The front reads one message."""
        part = PARTS[choice % 2]
        process = self.processes[part]
        if process is not None and process.outbox:
            message = process.outbox.popleft()
            self.do(self.ledger.from_talker(message) if part == "talker" else self.ledger.from_acoustic(message))

    def die(self, choice: int) -> None:
        """The process dies. The front does not know it yet."""
        self.processes[PARTS[choice % 2]] = None

    def notice(self, choice: int) -> None:
        """The front notices a death, or a start that failed."""
        part = PARTS[choice % 2]
        if self.processes[part] is None:
            self.known[part] = False
            self.do(self.ledger.down(part, "it broke", self.now_s))

    def start(self, choice: int) -> None:
        part = PARTS[choice % 2]
        if self.processes[part] is None and not self.known[part]:
            self.processes[part] = Talker() if part == "talker" else Acoustic()
            self.known[part] = True
            self.do(self.ledger.talker_up() if part == "talker" else self.ledger.acoustic_up(RATE))

    def wait(self, choice: int) -> None:
        """Time passes."""
        self.now_s += choice
        expiry_s = self.ledger.next_expiry_s
        self.do(self.ledger.expire(self.now_s))
        assert expiry_s is None or self.ledger.next_expiry_s is None or self.ledger.next_expiry_s > self.now_s

    def settle(self) -> None:
        """Owners release and end all open utterances, and both processes live until there is nothing left to do."""
        for part in (0, 1):
            self.notice(part)
            self.start(part)
        for index, owned in enumerate(list(self.owned.values())):
            if owned.held:
                self.hold(index)
            self.end(index)
        for _ in range(10_000):
            if not self._busy and self.ledger.next_expiry_s is None:
                return
            self.wait(1)
            for choice in range(6):
                self.take(choice)
                self.work(choice)
                self.read(choice)
        raise AssertionError("it never came to rest")

    @property
    def _busy(self) -> bool:
        acoustic, talker = self.processes["acoustic"], self.processes["talker"]
        assert isinstance(acoustic, Acoustic) and isinstance(talker, Talker)
        waiting = acoustic.inbox or acoustic.outbox or talker.inbox or talker.outbox
        return bool(waiting or acoustic.works or talker.quanta)
