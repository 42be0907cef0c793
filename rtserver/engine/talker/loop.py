"""The talker process's work: quanta in, steps of the model, tokens out, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import Sampled
from rtserver.ipc.message import Message, Sender
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, Tokens
from rtserver.ipc.tracing import AskTrace
from rtserver.metrics.trace import Ring
from rtserver.processes.inbox import Inbox, Lost


class Sampler(Protocol):
    """The model, as `Talker` is."""

    @property
    def busy(self) -> bool:
        """Whether a request runs or waits."""

    @property
    def held(self) -> dict[str, int]:
        """Numbers of what is open."""

    def add(self, request: str, quantum: Quantum, seed: int) -> None:
        """Queues a quantum. Raises ValueError when it cannot be sampled."""

    def cancel(self, request: str) -> None:
        """Forgets a request, if it is known."""

    def step(self) -> Sequence[Sampled]:
        """One step. Returns the quanta that are finished with it."""


class TalkerLoop:
    """Takes quanta from the inbox, steps the talker, answers with tokens."""

    def __init__(self, talker: Sampler, port: Sender, inbox: Inbox) -> None:
        self.talker = talker
        self.port = port
        self.inbox = inbox
        self._running: dict[str, tuple[SampleQuantum, float]] = {}  # by vLLM's name: the quantum, when it began
        self._ring = Ring()

    def run(self) -> None:
        """Serves until told to stop, or until the parent is gone."""
        while True:
            while not (self.talker.busy and self.inbox.empty()):
                if not self._handle(self.inbox.get()):
                    return
            self.inbox.work = ", ".join(sample.utterance for sample, _ in self._running.values())
            for sampled in self.talker.step():
                sample, started_s = self._running.pop(sampled.request)
                now_s = time.monotonic()
                self._ring.note(sample.utterance, "talker", started_s, started_s, now_s, 0.0, len(sampled.ids))
                compute_s = now_s - started_s
                self.port.send(Tokens(sample.utterance, sample.quantum, sampled.ids, compute_s))

    def _handle(self, message: Message | Lost) -> bool:
        """Whether to go on."""
        match message:
            case SampleQuantum() as sample:
                request = _request(sample)
                try:
                    stage = LayoutStage(sample.stage)
                    quantum = Quantum(sample.ids, sample.max_tokens, sample.min_tokens, stage, sample.history)
                    self.talker.add(request, quantum, sample.seed)
                    self._running[request] = sample, time.monotonic()
                except ValueError as error:
                    self.port.send(Refused(sample.utterance, sample.quantum, str(error)))
            case StopQuantum() as stop:
                self.talker.cancel(_request(stop))
                self._running.pop(_request(stop), None)
            case Count():
                self.port.send(Counted("talker", self.talker.held))
            case AskTrace(number, utterance):
                self.port.send(self._ring.traced("talker", utterance, number))
            case Shutdown() | Lost():
                return False
            case other:
                raise TypeError(f"expected a message to the talker, found {type(other).__name__}")
        return True


def _request(message: SampleQuantum | StopQuantum) -> str:
    """vLLM's name for a quantum."""
    return f"{message.utterance}#{message.quantum}"
