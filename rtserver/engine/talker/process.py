"""The talker process: vLLM behind a message port. `python -m rtserver.engine.talker.process`.

One thread reads the port; this one steps the model.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import MIB, Talker, TalkerOptions
from rtserver.ipc.framing import Message
from rtserver.ipc.options import TalkerProcessOptions
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, TalkerReady, Tokens
from rtserver.ipc.tracing import AskTrace
from rtserver.metrics.trace import Ring
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child


class TalkerLoop:
    """Takes quanta from the inbox, steps the talker, answers with tokens."""

    def __init__(self, talker: Talker, port: Port, inbox: Inbox) -> None:
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


def load(options: TalkerProcessOptions, tell: Tell) -> Talker:
    """Starts vLLM."""
    tell("starting vLLM")
    talker_options = TalkerOptions(
        dtype=options.dtype,
        max_streams=options.max_streams,
        kv_cache_bytes=options.kv_cache_mib * MIB,
        enforce_eager=not options.graphs,
        memory_share=options.memory_share,
        step_ids=options.step_ids,
    )
    cache_dir = None if options.cache_dir is None else Path(options.cache_dir)
    return Talker(ModelConfig.load(Path(options.model)), talker_options, cache_dir)


def ready(talker: Talker, load_s: float) -> TalkerReady:
    """What was loaded."""
    return TalkerReady(talker.max_ids, load_s)


def serve(talker: Talker, port: Port, inbox: Inbox) -> None:
    """Serves until told to stop, or until the parent is gone."""
    TalkerLoop(talker, port, inbox).run()


if __name__ == "__main__":
    status = run_child("talker", TalkerProcessOptions, load, serve, ready)
    # vLLM takes seconds to free what the operating system frees at once.
    os._exit(status)
