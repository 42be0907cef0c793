"""The acoustic process's work: messages in, one turn of work, messages out, until told to stop."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence

from cosyvoice.errors import CacheFull, CosyVoiceError
from cosyvoice.talker.layout import text_ids_before_audio
from cosyvoice.voice.modes import unfollowed
from rtserver.engine.acoustic.load import EVERY_S, measured_load
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.turns import Turns
from rtserver.engine.acoustic.unprepared import Unprepared, Waiting
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.engine.error_codes import code_of
from rtserver.ipc.engine import Cancel, End, Failed, Feed, Flush, Heard, Hold, Hungry, Open, Started
from rtserver.ipc.framing import Message
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepared
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.talker import Refused, StopQuantum, Tokens
from rtserver.processes.port import Inbox, Lost, Port
from rtserver.schedule.scheduler import Scheduler
from rtserver.schedule.standing import may_work, may_work_at_s

# A plan that comes so much after a sequence should have been closed did not cause that.
_LATE_S = 0.05


class AcousticLoop:
    """Between two turns it plans: who samples next, what is over, when to look again."""

    def __init__(
        self,
        models: AcousticModels,
        front: Port,
        inbox: Inbox,
        scheduler: Scheduler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.models = models
        self.front = front
        self.inbox = inbox
        self._scheduler = scheduler
        self._costs = scheduler.costs
        self._clock = clock
        self._voicings: dict[str, AcousticUtterance] = {}
        self._turns = Turns(models, scheduler, clock)
        self._unprepared = Unprepared()
        self._told_s = float("-inf")  # when the front was told of the load, and whether it was told of any
        self._told_busy = False
        self._prepared_voices: set[PreparationKey] = set()  # what is not in the cache all the same is encoded here

    def run(self) -> str:
        """Serves; returns why it stopped."""
        while True:
            wake_s = self._plan(self._clock())
            hops = self._turns.runnable(self._voicings.values(), self._clock())
            self._tell_load(len(hops), self._clock())
            for message in self._messages(0.0 if hops else wake_s):
                reason = self._handle(message)
                if reason is not None:
                    return reason
            if hops:  # messages may have ended some, or brought a more urgent one
                hops = self._turns.runnable(self._voicings.values(), self._clock())
                self._send(self._turns.turn(hops, self._voicings.values()))

    def _tell_load(self, waiting_hops: int, now_s: float) -> None:
        busy = bool(self._voicings)
        if now_s - self._told_s >= EVERY_S if busy else self._told_busy or self._told_s < 0:
            voicings = list(self._voicings.values())
            self.front.send(
                measured_load(self.models, voicings, waiting_hops, self._turns.totals, self._scheduler, now_s)
            )
            self._told_s, self._told_busy = now_s, busy

    def _messages(self, wait_s: float | None) -> list[Message | Lost]:
        """What has come; waits for the first one at most `wait_s` (None: for ever)."""
        messages: list[Message | Lost] = []
        try:
            if wait_s is None or wait_s > 0:
                messages.append(self.inbox.get(timeout=wait_s))
            while True:
                messages.append(self.inbox.get_nowait())
        except queue.Empty:
            return messages

    # -- messages ---------------------------------------------------------------------------------------------------

    def _handle(self, message: Message | Lost) -> str | None:
        now_s = self._clock()
        match message:
            case Count():
                self.front.send(Counted("acoustic", self._held()))
            case Shutdown():
                return "shutdown"
            case Lost(reason):
                return f"front lost: {reason}"
            case Tokens(name, quantum, ids, compute_s):
                voicing = self._voicings.get(name)
                if voicing is not None:
                    self._scheduler.note("quantum", len(ids), compute_s, len(self._voicings))
                    self._guard(voicing.name, lambda: voicing.accept(quantum, ids, compute_s))
            case Refused(name, _, text):
                self._fail(name, "internal", f"the talker refused: {text}")
            case Prepared():
                self._prepared(message, now_s)
            case Open():
                self._guard(message.utterance, lambda: self._open(message, now_s))
            case Cancel(name):
                self._drop(name)
            case Feed(name) | Flush(name) | End(name) | Heard(name) | Hold(name):
                if name in self._unprepared:
                    self._unprepared.say(name, message, now_s)
                elif name in self._voicings:
                    self._guard(name, lambda: self._tell(self._voicings[name], message, now_s))
            case _:
                pass
        return None

    def _tell(self, voicing: AcousticUtterance, message: Message, now_s: float) -> None:
        match message:
            case Feed(_, segments):
                voicing.feed(segments, now_s)
            case Flush(_, flush_id):
                voicing.flush(flush_id, now_s)
            case End():
                voicing.end(now_s)
            case Heard(_, position_s):
                voicing.delivery.playback.report(position_s, now_s)
            case Hold(_, on):
                voicing.held = on

    def _open(self, request: Open, now_s: float) -> None:
        name = request.utterance
        if name in self._voicings or name in self._unprepared:
            raise ValueError(f"utterance {name!r} is already open")
        voices = self.models.voices
        voices.check(request)
        missing = [p for p in voices.missing(request) if p.key not in self._prepared_voices]
        if missing:
            for prepare in self._unprepared.add(request, missing, now_s):
                self.front.send(prepare)
        else:
            self._begin(request, now_s)

    def _begin(self, request: Open, opened_s: float) -> AcousticUtterance:
        config, name = self.models.config, request.utterance
        voice = self.models.voices.voice(request)
        voicing = self._voicings[name] = AcousticUtterance(
            request, self.models, voice, opened_s, holds=self._scheduler.holds_first_sound
        )
        if request.service_class == "realtime":
            voicing.take_memory()  # or there is none, and it is refused before it speaks
        prompt = voicing.voice.talker_prompt(streaming=request.streaming)
        needed = text_ids_before_audio(config.talker, len(prompt.speech), len(prompt.transcript))
        warning = unfollowed(request.instruct_text, config.serving)
        self.front.send(Started(name, voice.name, 0 if request.source_audio is not None else needed, warning))
        return voicing

    def _prepared(self, prepared: Prepared, now_s: float) -> None:
        try:
            self.models.voices.adopt(prepared)
        except (CosyVoiceError, ValueError) as error:
            prepared = Prepared(prepared.key, "internal", str(error))
        if prepared.is_in_cache:
            self._prepared_voices.add(prepared.key)
        for waiting in self._unprepared.prepared(prepared):
            name = waiting.request.utterance
            if prepared.code:
                self.front.send(Failed(name, prepared.code, prepared.message))
                self._dismiss(self._unprepared.unwanted(waiting))
            else:
                self._guard(name, lambda w=waiting: self._go_on(w, now_s))  # type: ignore[misc]

    def _go_on(self, waiting: Waiting, now_s: float) -> None:
        """Opens what had to wait, and tells it what it missed."""
        voicing = self._begin(waiting.request, waiting.since_s)
        voicing.seconds.prepared(now_s)
        for said_s, message in waiting.said:
            self._tell(voicing, message, said_s)

    def _dismiss(self, unwanted: list[PreparationKey]) -> None:
        for key in unwanted:
            self.front.send(Dismiss(key))

    # -- plan -------------------------------------------------------------------------------------------------------

    def _plan(self, now_s: float) -> float | None:
        """Starts what can be, ends what is over; in how many seconds there is something to plan again (None: when a
        message comes)."""
        wakes_s: list[float] = []
        for voicing in list(self._voicings.values()):
            self._guard(voicing.name, lambda v=voicing: wakes_s.extend(self._advance(v, now_s)))  # type: ignore[misc]
        chosen, wake_s = self._scheduler.quanta(list(self._voicings.values()), now_s)
        for voicing in chosen:
            sample = voicing.next_sample()
            if sample is not None:
                voicing.sent(now_s)
                self.front.send(sample)
        if wake_s is not None:
            wakes_s.append(wake_s)
        return max(0.001, min(wakes_s) - now_s) if wakes_s else None

    def _advance(self, voicing: AcousticUtterance, now_s: float) -> list[float]:
        """One utterance's part of the plan: when to look at it again."""
        starvation = voicing.starvation(self._costs)
        if starvation is not None:
            # When it is too late to wait for it, more text is wanted all the same.
            if now_s >= starvation.ask_at_s and not voicing.asked_for_text:
                voicing.asked_for_text = True
                self.front.send(Hungry(voicing.name))
            if now_s >= starvation.close_at_s:
                voicing.starve(late=now_s > starvation.close_at_s + _LATE_S)
        release_at_s = None
        if voicing.delivery.keeps_back:
            before_s = self._scheduler.before_s(voicing, self._voicings.values(), now_s)
            release_at_s = voicing.release_at_s(self._costs, now_s, before_s)
            if now_s >= release_at_s:
                self._send(voicing.delivery.release(now_s))
                release_at_s = None
        if release_at_s is None:
            self._send(voicing.flushed())
        if voicing.complete:
            self.front.send(voicing.done(now_s))
            self._drop(voicing.name)
            return []
        if not voicing.has_memory and not self._give_memory(voicing):
            return []
        standing = voicing.standing
        if voicing.needs_prefix:
            self._turns.begin_prefix(voicing.voice.flow)
        elif may_work(standing, now_s):
            voicing.next_job()
        elif (at_s := may_work_at_s(standing)) is not None:
            return [at_s]
        wakes_s = [] if release_at_s is None else [release_at_s]
        if starvation is not None:
            wakes_s.append(starvation.close_at_s if voicing.asked_for_text else starvation.ask_at_s)
        return wakes_s

    def _give_memory(self, voicing: AcousticUtterance) -> bool:
        """Batch work waits for memory that others hold. CacheFull when nobody holds any."""
        try:
            voicing.take_memory()
        except CacheFull:
            if not any(v.has_memory for v in self._voicings.values()):
                raise
        return voicing.has_memory

    def _send(self, events: Sequence[Message]) -> None:
        for event in events:
            self.front.send(event)

    def _held(self) -> dict[str, int]:
        """Utterances, prompts under way, and bytes of keys and values beyond those of the voices."""
        flow = self.models.flow
        return {
            "utterances": len(self._voicings),
            "unprepared": len(self._unprepared),
            "prefix_jobs": self._turns.prefix_jobs,
            "prefix_users": flow.memory.prefixes.users,
            "kv_bytes": flow.memory.budget.in_use_bytes - flow.memory.prefixes.size_bytes,
        }

    # -- ends -------------------------------------------------------------------------------------------------------

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        """Runs an action for one utterance; its error ends that utterance and nothing else."""
        try:
            action()
        except (CosyVoiceError, ValueError) as error:
            self._fail(name, code_of(error), str(error))

    def _fail(self, name: str, code: str, message: str) -> None:
        self._drop(name)
        self.front.send(Failed(name, code, message))

    def _drop(self, name: str) -> None:
        self._dismiss(self._unprepared.drop(name))
        voicing = self._voicings.pop(name, None)
        if voicing is not None:
            if voicing.waiting_quantum is not None:
                self.front.send(StopQuantum(name, voicing.waiting_quantum))
            voicing.close()
