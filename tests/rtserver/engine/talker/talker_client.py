"""A blocking client of a real talker process, for tests and measurements."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cosyvoice.talker.layout import TalkerSequence
from rtserver.ipc.message import Message
from rtserver.ipc.options import TalkerProcessOptions
from rtserver.ipc.process import Progress, Shutdown
from rtserver.ipc.talker import Refused, SampleQuantum, TalkerReady, Tokens
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.processes.program import Program


class TalkerClient:
    """Starts `rtserver.engine.talker.process` and speaks to it."""

    def __init__(self, model: Path, cache_dir: Path) -> None:
        ours, theirs = socket.socketpair()
        options = TalkerProcessOptions(str(model), str(cache_dir))
        program = Program("talker", ("-m", "rtserver.engine.talker.process"), options)
        self.process = subprocess.Popen(
            program.command(theirs.fileno()),
            pass_fds=[theirs.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        theirs.close()
        self.inbox = Inbox()
        self.port = Port(ours, self.inbox)
        self.names = itertools.count()
        self.ready = self.wait_for(TalkerReady)

    def receive(self) -> Message | Lost:
        return self.inbox.get(timeout=120)

    def wait_for(self, kind: type[Message]) -> Message:
        while not isinstance(message := self.receive(), kind):
            assert isinstance(message, Progress), message
        return message

    def sample(self, name: str, sequence: TalkerSequence, quantum_tokens: int, seed: int) -> bool:
        """Sends the next quantum of a sequence; False when there is none."""
        quantum = sequence.next_quantum(quantum_tokens)
        if quantum is None:
            return False
        self.port.send(
            SampleQuantum(
                name,
                1,
                quantum.ids,
                quantum.max_tokens,
                quantum.min_tokens,
                quantum.stage.value,
                quantum.history,
                seed,
            )
        )
        return True

    def run(self, sequences: Sequence[TalkerSequence], seeds: Sequence[int], quantum_tokens: int) -> list[list[int]]:
        """Drives all sequences to their ends, together; returns their speech tokens."""
        run = next(self.names)
        names = {f"{run}-{i}": i for i in range(len(sequences))}
        open_count = sum(self.sample(n, sequences[i], quantum_tokens, seeds[i]) for n, i in names.items())
        while open_count:
            message = self.receive()
            assert isinstance(message, Tokens), message
            i = names[message.utterance]
            sequences[i].accept(message.ids)
            open_count -= not self.sample(message.utterance, sequences[i], quantum_tokens, seeds[i])
        return [s.generated for s in sequences]

    def refused(self, sample: SampleQuantum) -> str:
        """The reason why the talker refuses a quantum."""
        self.port.send(sample)
        message = self.receive()
        assert isinstance(message, Refused), message
        return message.message

    def close(self) -> int:
        """Ends the process and returns its exit status."""
        self.port.send(Shutdown())
        status = self.process.wait(timeout=60)
        self.port.close()
        return status
