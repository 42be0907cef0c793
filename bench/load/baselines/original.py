"""The original's runtime as a loop of the acoustic process, for comparison. It keeps nothing from hop to hop.

One utterance is spoken at a time; the others wait in the order in which they came. The talker samples it without
pacing. Every 100 ms the loop checks the tokens. When those of a hop and of the look-ahead are there, the flow computes
the prompt and all tokens so far again, the vocoder computes all mel so far, and the new samples go out. Hops are 25
tokens, then 50, then 100. The last call is computed without the chunk mask, as in the original.

In some points this is faster than the original. Hops begin at 25 tokens in every sequence (the original never resets
its hop length). The prompt is cut to whole chunks (otherwise the first hop is longer). The checkpoint's own number of
Euler steps is used (the original's code has 10). Three frames less are withheld. The talker runs under vLLM also while
text still comes. A cancel frees the place at once (the original cannot cancel).
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from bench.load.baselines.utterance import Call, OriginalUtterance
from cosyvoice.checkpoint import FLOW_FILES, find_file, load_module, load_state
from cosyvoice.errors import CosyVoiceError
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.talker.layout import text_ids_before_audio
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.error_codes import code_of
from rtserver.ipc.engine import Cancel, End, Failed, Feed, Flush, Heard, Hold, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.talker import Refused, StopQuantum, Tokens
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port

POLL_S = 0.1


class OriginalLoop:
    """One thread takes messages and keeps the talker busy. Another checks every POLL_S for a hop and computes it. A
    lock guards the open utterances; the first of them is spoken."""

    def __init__(self, models: AcousticModels, front: Port, inbox: Inbox, euler_steps: int | None = None) -> None:
        self._models = models
        self._front = front
        self._inbox = inbox
        self._flow = with_euler_steps(models, euler_steps)
        self._lock = threading.Lock()
        self._open: dict[str, OriginalUtterance] = {}  # in order of arrival
        self._stopping = threading.Event()

    def run(self) -> str:
        """Serves. Returns why it stopped."""
        polling = threading.Thread(target=self._poll, name="poll")
        polling.start()
        try:
            while True:
                message = self._inbox.get()
                with self._lock:
                    reason = self._handle(message)
                if reason is not None:
                    return reason
        finally:
            self._stopping.set()
            polling.join()

    # -- messages ---------------------------------------------------------------------------------------------------

    def _handle(self, message: Message | Lost) -> str | None:
        now_s = time.monotonic()
        match message:
            case Count():
                self._front.send(Counted("acoustic", {"utterances": len(self._open)}))
            case Shutdown():
                return "shutdown"
            case Lost(reason):
                return f"front lost: {reason}"
            case Open():
                self._guard(message.utterance, lambda: self._begin(message, now_s))
            case Cancel(name):
                self._drop(name)
            case Tokens(name, quantum, ids, compute_s):
                self._about(name, lambda u: self._accept(u, quantum, ids, compute_s))
            case Refused(name, _, text):
                self._fail(name, "internal", f"the talker refused: {text}")
            case Feed(name) | Flush(name) | End(name):
                self._about(name, lambda u: u.tell(message, now_s))
            case Heard(name, position_s):
                self._about(name, lambda u: u.playback.report(position_s, now_s))
            case Hold(name, on):
                self._about(name, lambda u: u.hold(on))
            case _:
                pass
        self._sample(now_s)
        return None

    def _begin(self, request: Open, now_s: float) -> None:
        utterance = self._open[request.utterance] = OriginalUtterance(request, self._models, now_s)
        prompt = utterance.voice.talker_prompt(streaming=request.streaming)
        needed = text_ids_before_audio(self._models.config.talker, len(prompt.speech), len(prompt.transcript))
        self._front.send(Started(request.utterance, utterance.voice.name, needed))

    def _accept(self, utterance: OriginalUtterance, quantum: int, ids: list[int], compute_s: float) -> None:
        if utterance.quanta.accept(quantum, ids):
            utterance.seconds.talker += compute_s

    def _about(self, name: str, action: Callable[[OriginalUtterance], None]) -> None:
        """Calls `action` if the utterance is open."""
        if (utterance := self._open.get(name)) is not None:
            self._guard(name, lambda: action(utterance))

    def _sample(self, now_s: float) -> None:
        """Gives the talker the next quantum of the current utterance."""
        current = self._current
        if current is not None and (sample := current.next_sample(now_s)) is not None:
            self._front.send(sample)

    @property
    def _current(self) -> OriginalUtterance | None:
        return next(iter(self._open.values()), None)

    # -- hops -------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        try:
            while not self._stopping.wait(POLL_S):
                with self._lock:
                    current = self._current
                if current is not None:
                    self._look(current)
        except Exception as error:
            traceback.print_exc()
            self._inbox.put(Lost(f"polling failed: {error!r}"))

    def _look(self, current: OriginalUtterance) -> None:
        """Checks the tokens of one utterance: makes the next hop, and the last call at once when there is no other
        hop."""
        call = self._next_call(current, only_last=False)
        if call is not None:
            self._answer(current, call)
            if not call.final and (last := self._next_call(current, only_last=True)) is not None:
                self._answer(current, last)
        with self._lock:
            if not current.cancelled:
                for flushed in current.flushed():
                    self._front.send(flushed)
                if current.complete:
                    self._front.send(current.done(time.monotonic()))
                    self._drop(current.name)
            self._sample(time.monotonic())

    def _next_call(self, current: OriginalUtterance, *, only_last: bool) -> Call | None:
        with self._lock:
            return None if current.cancelled else current.next_call(only_last=only_last)

    @torch.inference_mode()
    def _answer(self, current: OriginalUtterance, call: Call) -> None:
        """Makes a call and sends the new samples."""
        start_s = time.monotonic()
        try:
            mel = self._mel(current, call)
            if mel is None:
                return
            flow_s = time.monotonic()
            wave = self._models.vocoder.decode([(self._models.vocoder.open(), mel, call.final)])[0]
        except (CosyVoiceError, ValueError) as error:
            with self._lock:
                self._fail(current.name, code_of(error), str(error))
            return
        with self._lock:
            if current.cancelled:
                return
            current.seconds.flow += flow_s - start_s
            current.seconds.vocoder += time.monotonic() - flow_s
            for audio in current.called(call, mel, wave, time.monotonic()):
                self._front.send(audio)

    def _mel(self, current: OriginalUtterance, call: Call) -> Tensor | None:
        """All mel so far. What was computed before stays; the rest comes from a pass over the prompt and all tokens.
        None when the utterance is cancelled during the pass."""
        flow, voice = self._flow, current.flow_voice
        job = flow.whole_job(voice, call.tokens, block_mask=not call.final, final=call.final)
        while not job.done:
            if current.cancelled:
                job.cancel()
                return None
            flow.tick([job])
        return torch.cat([call.mel.to(job.mel), job.mel[:, call.mel.shape[1] :]], dim=1)

    # -- ends -------------------------------------------------------------------------------------------------------

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        """Runs an action for one utterance. An error ends only that utterance."""
        try:
            action()
        except (CosyVoiceError, ValueError) as error:
            self._fail(name, code_of(error), str(error))

    def _fail(self, name: str, code: str, message: str) -> None:
        self._drop(name)
        self._front.send(Failed(name, code, message))

    def _drop(self, name: str) -> None:
        utterance = self._open.pop(name, None)
        if utterance is not None:
            utterance.cancelled = True
            quantum = utterance.quanta.under_way
            if quantum is not None:
                self._front.send(StopQuantum(name, quantum))


def with_euler_steps(models: AcousticModels, steps: int | None) -> FlowStepper:
    """The flow with another number of Euler steps. None for the checkpoint's own."""
    if steps is None or steps == models.flow.config.euler_steps:
        return models.flow
    flow = Flow(replace(models.config.flow, euler_steps=steps))
    path = find_file(models.config.directory, FLOW_FILES)
    load_module(path, flow, load_state(path))
    return FlowStepper(flow, FlowMemory(flow.config, device=models.flow.device))
