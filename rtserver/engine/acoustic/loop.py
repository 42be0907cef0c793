"""The acoustic process's work: messages in, a plan, one turn of work, messages out, until it is told to stop."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence

from cosyvoice.errors import CacheFull, CosyVoiceError
from rtserver.engine.acoustic.faults import Faults
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.openings import Openings
from rtserver.engine.acoustic.stopwatch import Stopwatch
from rtserver.engine.acoustic.turns import Turns
from rtserver.engine.acoustic.unprepared import Waiting
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.engine.error_codes import code_of
from rtserver.ipc.engine import Cancel, End, Failed, Feed, Flush, Heard, Hold, Hungry, Open, Rested
from rtserver.ipc.message import Message, Sender
from rtserver.ipc.preparing import Prepared
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.talker import Refused, StopQuantum, Tokens
from rtserver.ipc.tracing import AskTrace
from rtserver.metrics.trace import Ring
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.stalls import Stalls
from rtserver.schedule.scheduler import Scheduler
from rtserver.schedule.standing import may_work, may_work_at_s
from rtserver.schedule.waits import Asked

# How often the front is told of the load.
LOAD_EVERY_S = 0.25
# A sequence that is closed for want of text this long after it should have been was closed too late for its listener.
_LATE_S = 0.05


class AcousticLoop:
    """The utterances that are open, and what happens to them. Everything runs in one thread."""

    def __init__(
        self,
        models: AcousticModels,
        front: Sender,
        inbox: Inbox,
        scheduler: Scheduler,
        clock: Callable[[], float] = time.monotonic,
        rest_after_s: float = 5.0,
        stalled_s: float = 120.0,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        """rest_after_s: how long an utterance waits for text before it gives its memory back. stalled_s: how long a hop
        that may run waits for its next step. stopwatch: of the models' device; None for a CPU's."""
        self._models = models
        self._rest_after_s = rest_after_s
        self._front = front
        self._inbox = inbox
        self._scheduler = scheduler
        self._clock = clock
        self._utterances: dict[str, AcousticUtterance] = {}
        self._ring = Ring()
        self._openings = Openings(models, front.send, self._ring, holds=scheduler.holds_first_sound)
        self._faults = Faults(clock)
        self._turns = Turns(models, scheduler, self._failed, clock, stopwatch)
        self._stalled_s = stalled_s
        self._stalls: Stalls[tuple[str, float, int]] = Stalls(stalled_s)
        self._next_check_s = float("-inf")
        # When the front was told of the load, and whether there was any.
        self._told_s = float("-inf")
        self._told_busy = False

    def run(self) -> str:
        """Serves. Returns why it stopped."""
        while True:
            wake_s = self._plan(self._clock())
            self._check_hops(self._clock())
            hops = self._turns.runnable(self._utterances.values(), self._clock())
            self._tell_load(len(hops), self._clock())
            for message in self._messages(0.0 if hops else wake_s):
                reason = self._handle(message, self._clock())
                if reason is not None:
                    return reason
            if hops:  # the messages may have ended some of them, or brought a more urgent one
                hops = self._turns.runnable(self._utterances.values(), self._clock())
                self._inbox.work = ", ".join(name for name, u in self._utterances.items() if u.job is not None)
                self._send(self._turns.turn(hops, self._utterances.values()))

    # -- messages in ------------------------------------------------------------------------------------------------

    def _messages(self, wait_s: float | None) -> list[Message | Lost]:
        """The messages that are there. Waits for the first one, at most `wait_s` (None: without end)."""
        messages: list[Message | Lost] = []
        try:
            if wait_s is None or wait_s > 0:
                messages.append(self._inbox.get(timeout=wait_s))
            while True:
                messages.append(self._inbox.get_nowait())
        except queue.Empty:
            return messages

    def _handle(self, message: Message | Lost, now_s: float) -> str | None:
        """Acts on a message. Returns why the process must stop, if it must."""
        match message:
            case Count():
                self._front.send(Counted("acoustic", self._held()))
            case AskTrace(number, utterance):
                self._front.send(self._ring.traced("acoustic", utterance, number))
            case Shutdown():
                return "shutdown"
            case Lost(reason):
                return f"front lost: {reason}"
            case Tokens(name):
                self._about(name, lambda utterance: self._accept(utterance, message, now_s))
            case Refused(name, _, text):
                self._fail(name, "internal", f"the talker refused: {text}")
            case Prepared():
                self._prepared(message, now_s)
            case Open(name):
                self._guard(name, lambda: self._open(message, now_s))
            case Cancel(name):
                self._drop(name)
            case Feed(name) | Flush(name) | End(name) | Heard(name) | Hold(name):
                if name in self._openings:
                    self._openings.say(name, message, now_s)
                else:
                    self._about(name, lambda utterance: _tell(utterance, message, now_s))
            case _:
                pass
        return None

    def _accept(self, utterance: AcousticUtterance, tokens: Tokens, now_s: float) -> None:
        self._scheduler.note("quantum", len(tokens.ids), tokens.compute_s, len(self._utterances))
        utterance.accept(tokens.quantum, tokens.ids, tokens.compute_s, now_s)

    def _open(self, request: Open, now_s: float) -> None:
        name = request.utterance
        if name in self._utterances or name in self._openings:
            raise ValueError(f"utterance {name!r} is already open")
        utterance = self._openings.open(request, now_s)
        if utterance is not None:
            self._utterances[name] = utterance

    def _prepared(self, prepared: Prepared, now_s: float) -> None:
        ready, prepared = self._openings.prepared(prepared)
        for waiting in ready:
            name = waiting.request.utterance
            if prepared.code:
                self._front.send(Failed(name, prepared.code, prepared.message))
            else:
                self._guard(name, lambda w=waiting: self._go_on(w, now_s))  # type: ignore[misc]

    def _go_on(self, waiting: Waiting, now_s: float) -> None:
        """Opens an utterance that had to wait, and tells it what it missed."""
        utterance = self._openings.begin(waiting.request, waiting.since_s)
        self._utterances[utterance.name] = utterance
        utterance.stream.timings.prepared(now_s)
        for said_s, message in waiting.said:
            _tell(utterance, message, said_s)

    # -- plan -------------------------------------------------------------------------------------------------------

    def _plan(self, now_s: float) -> float | None:
        """Starts what can start, and ends what is over. Returns in how many seconds to plan again; None: when a message
        comes."""
        wakes_s: list[float] = []
        for utterance in list(self._utterances.values()):
            self._about(utterance.name, lambda u: wakes_s.extend(self._advance(u, now_s)))
        chosen, wake_s = self._scheduler.quanta([u.stream for u in self._utterances.values()], now_s)
        for stream in chosen:
            self._about(stream.name, lambda u: self._sample(u, now_s))
        if wake_s is not None:
            wakes_s.append(wake_s)
        return max(0.001, min(wakes_s) - now_s) if wakes_s else None

    def _sample(self, utterance: AcousticUtterance, now_s: float) -> None:
        long_tokens = self._scheduler.long_tokens(utterance.stream, now_s)
        quantum = utterance.send_quantum(now_s, self._scheduler.costs, long_tokens)
        if quantum is not None:
            self._front.send(quantum)

    def _advance(self, utterance: AcousticUtterance, now_s: float) -> list[float]:
        """One utterance's part of the plan. Returns when to look at it again."""
        stream = utterance.stream
        stream.can_sample()  # after a crash: takes what was sampled before, which may be all
        wakes_s = [*self._starve(utterance, now_s), *self._release(utterance, now_s)]
        self._send(utterance.flushed())
        if stream.complete:
            self._front.send(utterance.done(now_s))
            self._drop(utterance.name)
            return []
        rests_s = self._rest(utterance, now_s)
        if not utterance.has_memory and (utterance.rests or not self._give_memory(utterance)):
            return rests_s
        wakes_s += rests_s
        standing = stream.standing
        if utterance.needs_prefix:
            self._turns.begin_prefix(utterance.voice.flow)
        elif may_work(standing, now_s):
            if stream.silence_ms:
                self._send(utterance.take_silence(now_s))
                return [now_s]  # more of it, or the end, may come next
            utterance.next_job(now_s)
        elif (at_s := may_work_at_s(standing)) is not None:
            return [at_s]
        return wakes_s

    def _rest(self, utterance: AcousticUtterance, now_s: float) -> list[float]:
        """Tells when an utterance has waited for text for too long."""
        since_s = utterance.idle_since_s(now_s)
        if since_s is None:
            return []
        if now_s < since_s + self._rest_after_s:
            return [since_s + self._rest_after_s]
        if utterance.rest():
            self._front.send(Rested(utterance.name, utterance.fed))
        return []

    def _starve(self, utterance: AcousticUtterance, now_s: float) -> list[float]:
        """Asks for more text in time, and closes the sequence when none has come: before the listener runs dry, or
        when the utterance is about to rest."""
        stream = utterance.stream
        starvation, idle_since_s = stream.starvation(self._scheduler.costs), utterance.idle_since_s(now_s)
        if starvation is None or idle_since_s is None:
            return []
        starvation = starvation.by(idle_since_s + self._rest_after_s)
        # Even when it is too late to wait for it, more text is wanted.
        asked = stream.ask(starvation, now_s)
        if asked:
            self._front.send(Hungry(utterance.name, urgent=asked is Asked.WORD))
        if now_s >= starvation.close_at_s:
            utterance.starve(now_s, late=now_s > starvation.close_at_s + _LATE_S)
        return [starvation.close_at_s if stream.asked is Asked.WORD else starvation.ask_at_s]

    def _release(self, utterance: AcousticUtterance, now_s: float) -> list[float]:
        """Sends a first sound that was kept back when its time has come."""
        stream = utterance.stream
        if not stream.delivery.keeps_back:
            return []
        streams = [u.stream for u in self._utterances.values()]
        before_s = self._scheduler.before_s(stream, streams, now_s)
        alone = all(other is stream or other.idle for other in streams)
        release_at_s = stream.release_at_s(self._scheduler.costs, now_s, before_s, alone=alone)
        if now_s < release_at_s:
            return [release_at_s]
        self._send(utterance.release(now_s))
        return []

    def _give_memory(self, utterance: AcousticUtterance) -> bool:
        """Batch work waits for memory that others hold. Raises CacheFull when no utterance holds any."""
        try:
            utterance.take_memory()
        except CacheFull:
            if not any(u.has_memory for u in self._utterances.values()):
                raise
        return utterance.has_memory

    def _check_hops(self, now_s: float) -> None:
        """Fails the utterances whose hop takes no step, though this process works."""
        if now_s < self._next_check_s:
            return
        self._next_check_s = now_s + self._stalls.every_s
        for name, _, _ in self._stalls.check(self._turns.due(self._utterances.values(), now_s)):
            what = f"its speech was not computed for {self._stalled_s:g} s"
            self._fail(name, "engine_lost", f"{what}: start it again later")

    # -- messages out -----------------------------------------------------------------------------------------------

    def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._front.send(message)

    def _tell_load(self, waiting_hops: int, now_s: float) -> None:
        """A few times a second while there is work, and once when there is none left."""
        busy = bool(self._utterances)
        if now_s - self._told_s >= LOAD_EVERY_S if busy else self._told_busy or self._told_s < 0:
            self._front.send(self._turns.load(list(self._utterances.values()), waiting_hops, now_s))
            self._told_s, self._told_busy = now_s, busy

    def _held(self) -> dict[str, int]:
        """What is open and in use. kv_bytes: keys and values, without those of the voices."""
        memory = self._models.flow.memory
        return {
            "utterances": len(self._utterances),
            "unprepared": len(self._openings),
            "prefix_jobs": self._turns.prefix_jobs,
            "prefix_users": memory.prefixes.users,
            "kv_bytes": memory.budget.in_use_bytes - memory.prefixes.size_bytes,
        }

    # -- ends -------------------------------------------------------------------------------------------------------

    def _about(self, name: str, action: Callable[[AcousticUtterance], None]) -> None:
        """Runs an action for an utterance, if it is open."""
        utterance = self._utterances.get(name)
        if utterance is not None:
            self._guard(name, lambda: action(utterance))

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        """Runs an action for an utterance. An error ends that utterance and nothing else (see `Faults` for the
        exceptions)."""
        try:
            action()
        except Exception as error:
            self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        """The work on an utterance has failed with this error."""
        if isinstance(error, CosyVoiceError | ValueError):
            self._fail(name, code_of(error), str(error))
        else:
            self._faults.note(error)
            self._fail(name, "internal", f"{type(error).__name__}: {error}")

    def _fail(self, name: str, code: str, message: str) -> None:
        self._drop(name)
        self._front.send(Failed(name, code, message))

    def _drop(self, name: str) -> None:
        self._openings.drop(name)
        utterance = self._utterances.pop(name, None)
        if utterance is not None:
            quantum = utterance.stream.quanta.under_way
            if quantum is not None:
                self._front.send(StopQuantum(name, quantum))
            utterance.close()


def _tell(utterance: AcousticUtterance, message: Message, now_s: float) -> None:
    """A message from the front to an utterance."""
    match message:
        case Feed(_, segments, writing):
            utterance.feed(segments, now_s, writing)
        case Flush(_, flush_id):
            utterance.flush(flush_id, now_s)
        case End():
            utterance.end(now_s)
        case Heard(_, position_s):
            utterance.stream.delivery.playback.report(position_s, now_s)
        case Hold(_, on):
            utterance.hold(on, now_s)
