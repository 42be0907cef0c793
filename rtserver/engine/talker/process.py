"""The talker's process: vLLM behind a message port. Started as `python -m rtserver.engine.talker.process`.

It ends when asked, and when its peer is gone. One thread reads the port; this one steps the model.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import time
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CosyVoiceError
from cosyvoice.talker.layout import Quantum, Stage
from cosyvoice.talker.talker import MIB, Talker, TalkerOptions
from rtserver.ipc.framing import Message
from rtserver.ipc.process import Count, Counted, Fatal, Progress, Shutdown
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, TalkerReady, Tokens
from rtserver.processes.port import Inbox, Lost, Port, inherited_socket


class TalkerLoop:
    """Takes quanta from the inbox, steps the talker, answers with tokens."""

    def __init__(self, talker: Talker, port: Port, inbox: Inbox) -> None:
        self.talker = talker
        self.port = port
        self.inbox = inbox
        self._running: dict[str, tuple[SampleQuantum, float]] = {}  # by vLLM's name: the quantum, when it began

    def run(self) -> str:
        """Serves until told to stop; returns why it stopped."""
        while True:
            while not (self.talker.busy and self.inbox.empty()):
                reason = self._handle(self.inbox.get())
                if reason is not None:
                    return reason
            for sampled in self.talker.step():
                sample, started_s = self._running.pop(sampled.request)
                compute_s = time.perf_counter() - started_s
                self.port.send(Tokens(sample.utterance, sample.quantum, sampled.ids, compute_s))

    def _handle(self, message: Message | Lost) -> str | None:
        match message:
            case SampleQuantum() as sample:
                request = _request(sample)
                try:
                    stage = Stage(sample.stage)
                    quantum = Quantum(sample.ids, sample.max_tokens, sample.min_tokens, stage, sample.history)
                    self.talker.add(request, quantum, sample.seed)
                    self._running[request] = sample, time.perf_counter()
                except ValueError as error:
                    self.port.send(Refused(sample.utterance, sample.quantum, str(error)))
            case StopQuantum() as stop:
                self.talker.cancel(_request(stop))
                self._running.pop(_request(stop), None)
            case Count():
                self.port.send(Counted("talker", self.talker.held))
            case Shutdown():
                return "shutdown"
            case Lost(reason):
                return f"peer lost: {reason}"
            case other:
                return f"unexpected message {type(other).__name__}"
        return None


def _request(message: SampleQuantum | StopQuantum) -> str:
    """vLLM's name for a quantum."""
    return f"{message.utterance}#{message.quantum}"


def main() -> int:
    """Starts vLLM and serves; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    parser.add_argument("--max-streams", type=int, default=32)
    parser.add_argument("--kv-cache-mib", type=int, default=256)
    parser.add_argument("--cache-dir", type=Path, default=None)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    port = Port(inherited_socket(args.fd), inbox)
    start_s = time.perf_counter()
    port.send(Progress("talker", "starting vLLM"))
    try:
        options = TalkerOptions(dtype=args.dtype, max_streams=args.max_streams, kv_cache_bytes=args.kv_cache_mib * MIB)
        talker = Talker(ModelConfig.load(args.model), options, args.cache_dir)
    except (CosyVoiceError, ImportError, OSError, RuntimeError, ValueError) as error:
        port.send(Fatal("talker", f"{type(error).__name__}: {error}"))
        port.close()
        return 1
    port.send(TalkerReady(talker.max_ids, time.perf_counter() - start_s))
    reason = TalkerLoop(talker, port, inbox).run()
    port.close()
    # vLLM takes seconds to tear down what the operating system frees at once.
    os._exit(0 if reason == "shutdown" or reason.startswith("peer lost") else 1)


if __name__ == "__main__":
    sys.exit(main())
