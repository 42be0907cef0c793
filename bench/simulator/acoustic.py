"""The acoustic process of a simulation. It does in simulated time what rtserver.engine.acoustic.loop and turns do.

It asks the server's own Scheduler at the same points: messages wait while a turn runs; then come the plan and the next
turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bench.simulator.cost_table import FRAMES_PER_TOKEN, CostTable
from bench.simulator.device import Clock, Device, Memory, Quantum, SimulatedTalker, Turn
from bench.simulator.load import Reply
from bench.simulator.making import Making
from bench.simulator.simulated import Job, SimulatedStream
from rtserver.schedule.batch import Hop
from rtserver.schedule.delivery import Sound
from rtserver.schedule.scheduler import Scheduler
from rtserver.schedule.standing import may_work, may_work_at_s

# The engine predicts before every turn when a first sound can go out. The simulation predicts it again only after a
# quarter of the remaining time, within these bounds. Otherwise simulations of many streams would mostly do this.
_ANEW_S = (0.005, 0.1)


class Listeners(Protocol):
    """Gets the events of a simulation."""

    def heard(self, stream: SimulatedStream, sound: Sound) -> None:
        """Samples of a stream were sent."""

    def over(self, stream: SimulatedStream) -> None:
        """All sound of a stream was sent."""

    def note(self, what: str, streams: list[SimulatedStream], *figures: float) -> None:
        """An event for the log."""


class Acoustic:
    """A worker of `device`. If talker and flow share one device, a message that comes while the talker uses it is read
    at once."""

    def __init__(
        self,
        table: CostTable,
        scheduler: Scheduler,
        making: Making,
        clock: Clock,
        listeners: Listeners,
    ) -> None:
        self.streams: dict[str, SimulatedStream] = {}
        self.steps = 0
        self.rows = 0
        self.memory = Memory(table, making)
        self.device = Device(clock)
        self.talker_device = self.device if table.shared_device else Device(clock)
        self.talker = SimulatedTalker(table, clock, self._sampled, self.talker_device.look)
        self.device.add(self)
        self.talker_device.add(self.talker)
        self._table = table
        self._scheduler = scheduler
        self._making = making
        self._clock = clock
        self._listeners = listeners
        self._inbox: list[Callable[[], None]] = []
        self._turn: Turn | None = None
        self._changed = False  # whether something changed since the last plan
        self._crowded = False  # all places at the talker were taken in the last plan
        self._wake_s: float | None = None
        self._asked_s: float | None = None  # since when a turn waits for the device

    @property
    def busy_s(self) -> tuple[float, float]:
        """How long turns have used the device so far, and how long the talker has used its device (or the same one)."""
        return self.device.busy_s[0], self.talker_device.busy_s[-1]

    # -- messages ---------------------------------------------------------------------------------------------------

    def message(self, action: Callable[[], None]) -> None:
        """Carries out `action` at once, or after the turn that runs now."""
        if self._turn is not None:
            self._inbox.append(action)
            return
        action()
        self._changed = True
        self._look()

    def open(self, reply: Reply) -> None:
        self.streams[reply.name] = SimulatedStream(reply, self._table, self._making)

    def feed(self, reply: Reply, allowed: int) -> None:
        """More text has come: it now allows `allowed` speech tokens."""
        if (stream := self.streams.get(reply.name)) is not None:
            stream.feed(allowed, self._clock.now_s)

    def drop(self, stream: SimulatedStream) -> int:
        """Ends a stream. Returns how many tokens were sampled for a quantum that is not needed any more."""
        del self.streams[stream.reply.name]
        self.memory.give_back(stream)
        self._changed = True
        return self.talker.stop(stream)

    def _sampled(self, quanta: list[Quantum]) -> None:
        at_s = self._clock.now_s
        self.message(lambda: self._accept(quanta, at_s))

    def _accept(self, quanta: list[Quantum], at_s: float) -> None:
        for quantum in quanta:
            stream = quantum.stream
            self._scheduler.note("quantum", quantum.tokens, at_s - quantum.began_s, len(self.streams))
            if self.streams.get(stream.reply.name) is stream:
                stream.quanta.accept(stream.quanta.number, [0] * quantum.tokens)
                stream.changed()
                self._listeners.note("tokens", [stream], quantum.tokens)

    # -- plan -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Between two turns: makes a new plan if something has changed, and begins the work that can begin."""
        if self._crowded or (self._wake_s is not None and self._clock.now_s >= self._wake_s):
            self._changed = True
        while self._changed:  # again if sound went out or a stream ended, because that makes room for others
            self._plan()
        self.device.look()
        if self.talker_device is not self.device:
            self.talker_device.look()
        elif self._turn is None and self._asked_s is None and self.runnable():
            self._asked_s = self._clock.now_s

    def _plan(self) -> None:
        now_s, self._changed = self._clock.now_s, False
        wakes_s = [at_s for s in list(self.streams.values()) if (at_s := self._advance(s, now_s)) is not None]
        streams = list(self.streams.values())
        chosen, wake_s = self._scheduler.quanta(streams, now_s)
        for stream in chosen:
            quantum = stream.next_quantum(self._scheduler.long_tokens(stream, now_s))
            assert quantum is not None, "can_sample tells"
            stream.quanta.sent(now_s)
            self.talker.add(stream, quantum.max_tokens)
            self._listeners.note("quantum", [stream], quantum.max_tokens)
        self._crowded = sum(stream.sampling for stream in streams) >= self._scheduler.places.quanta
        if wake_s is not None:
            wakes_s.append(wake_s)
        before_s, self._wake_s = self._wake_s, max(min(wakes_s), now_s + 0.001) if wakes_s else None
        if self._wake_s is not None and self._wake_s != before_s:
            self._clock.at(self._wake_s, self._awake)

    def _awake(self) -> None:
        if self._turn is None and self._wake_s is not None and self._clock.now_s >= self._wake_s:
            self._look()

    def _advance(self, stream: SimulatedStream, now_s: float) -> float | None:
        """The part of the plan for one stream. Returns when to look at the stream again."""
        release_s = None
        if stream.delivery.keeps_back:
            release_s = self._release_at_s(stream, now_s)
            if now_s >= release_s:
                self._release(stream)
                release_s = None
        if stream.complete:
            self.drop(stream)
            self._listeners.over(stream)
            return None
        if stream.work is None and stream.can_hop:
            if not may_work(stream.standing, now_s):
                return may_work_at_s(stream.standing)
            if (poll_s := stream.poll_at_s(now_s)) > now_s:
                return poll_s
            if self.memory.take(stream, now_s):
                stream.begin_next()
        return release_s

    def _release_at_s(self, stream: SimulatedStream, now_s: float) -> float:
        """When a first sound that is held back goes out."""
        if now_s >= min(stream.predict_s, stream.release_s) or stream.voiced:
            before_s = self._scheduler.before_s(stream, self.streams.values(), now_s)
            stream.release_s = stream.release_at_s(self._scheduler.costs, now_s, before_s)
            soonest_s, latest_s = _ANEW_S
            stream.predict_s = now_s + min(max((stream.release_s - now_s) / 4, soonest_s), latest_s)
        return stream.release_s

    # -- turns ------------------------------------------------------------------------------------------------------

    def runnable(self) -> list[Hop[Job]]:
        """The hops that may run."""
        now_s, costs, hops = self._clock.now_s, self._scheduler.costs, []
        for stream in self.streams.values():
            job = stream.job
            if job is not None and may_work(stream.standing, now_s):
                urgency = self._scheduler.hop_urgency(stream, now_s)
                after_s = costs.predict("vocoder", job.frames)
                hops.append(Hop(job, urgency, stream.standing.due_s, job.frames, job.steps - job.step, after_s))
        return hops

    def begin(self) -> float | None:
        """Begins a turn and returns its length. None when no hop may run."""
        hops = self.runnable()
        jobs = self._scheduler.share(hops, self._clock.now_s) if hops else []
        if not jobs:
            return None
        finished = [job for job in jobs if job.step + 1 == job.steps]
        step_s = self._table.euler_s((job.frames, job.context_s) for job in jobs)
        decoded = sum(job.plan.tokens * FRAMES_PER_TOKEN for job in finished)
        vocoder_s = self._table.decode_s(decoded) if finished else 0.0
        waited_s = 0.0 if self._asked_s is None else self._clock.now_s - self._asked_s
        self._turn, self._asked_s = Turn(jobs, finished, step_s, vocoder_s, waited_s), None
        self._listeners.note("turn", [job.stream for job in jobs])
        return self._turn.step_s + self._turn.vocoder_s

    def end(self) -> None:
        """The turn is over: its sounds go out; then messages are read."""
        turn, self._turn = self._turn, None
        assert turn is not None, "it was begun"
        scheduler, now_s, streams = self._scheduler, self._clock.now_s, len(self.streams)
        scheduler.note("step", turn.frames, turn.waited_s + turn.step_s, streams)
        if turn.finished:
            scheduler.note("vocoder", turn.decoded_frames, turn.vocoder_s, streams)
        self.steps += 1
        self.rows += len(turn.jobs)
        for job in turn.jobs:
            job.step += 1
        for job in turn.finished:
            self._take(job.stream, job.frames, now_s)
        inbox, self._inbox = self._inbox, []
        for action in inbox:
            action()
        self._changed = self._changed or bool(inbox)
        self._look()

    def _take(self, stream: SimulatedStream, flow_frames: int, now_s: float) -> None:
        """Takes the sound of a finished hop."""
        sound = stream.make_sound(now_s)
        self._scheduler.sound.note(flow_frames, sound.seconds)
        standing = stream.standing
        if standing.service_class == "batch":
            self._scheduler.served.add(standing.tenant, sound.seconds, now_s)
        self._send(stream, stream.delivery.add(sound))

    def _release(self, stream: SimulatedStream) -> None:
        self._send(stream, stream.delivery.release())

    def _send(self, stream: SimulatedStream, sounds: list[Sound]) -> None:
        """Sends these sounds. If there are none, the first sound is held back."""
        for sound in sounds:
            stream.delivery.sent(sound, self._clock.now_s)
            self._listeners.note("sound", [stream], sound.start_s, sound.seconds)
            self._listeners.heard(stream, sound)
        stream.changed()
        self._changed = True
