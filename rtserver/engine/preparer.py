"""The preparer process: recordings to prompts and speech tokens. `python -m rtserver.engine.preparer`.

Encoding a recording takes seconds of a whole core; here it disturbs nobody, at the lowest priority.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CosyVoiceError, VoiceError
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.voice.prompt import MAX_PROMPT_S, PromptEncoder
from cosyvoice.voice.prompt_cache import pack_prompt
from cosyvoice.voice.recording import read_pcm
from cosyvoice.voice.store import VoiceStore
from rtserver.engine.error_codes import code_of
from rtserver.engine.transcripts import Transcripts
from rtserver.ipc.framing import Message
from rtserver.ipc.preparing import Dismiss, Prepare, Prepared, Recording
from rtserver.ipc.process import Fatal
from rtserver.processes.port import Inbox, Lost, Port, inherited_socket


def main() -> int:
    """Answers requests until the parent hangs up; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--cache-dir", type=Path, default=None)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    port = Port(inherited_socket(args.fd), inbox)
    try:
        config = ModelConfig.load(args.model)
        store = VoiceStore(config, PromptEncoder(args.model), cache_dir=args.cache_dir)
        transcripts = Transcripts(config, Tokenizer.load(config))
    except (CosyVoiceError, OSError, RuntimeError) as error:
        port.send(Fatal("preparer", f"{type(error).__name__}: {error}"))
        port.close()
        return 1
    serve(store, transcripts, port, inbox)
    port.close()
    return 0


def serve(store: VoiceStore, transcripts: Transcripts, port: Port, inbox: Inbox) -> None:
    """Works on what has the least to do yet, piece by piece, until the parent hangs up."""
    jobs: dict[str, Preparation] = {}
    while True:
        for message in _messages(inbox, wait=not jobs):
            match message:
                case Prepare(name):
                    jobs.setdefault(name, Preparation(store, transcripts, message))
                case Dismiss(name):
                    if jobs.pop(name, None) is not None:
                        port.send(message)
                case _:
                    return
        if jobs:
            job = min(jobs.values(), key=lambda job: job.left_s)
            prepared = job.advance()
            if prepared is not None:
                del jobs[prepared.name]
                port.send(prepared)


def _messages(inbox: Inbox, *, wait: bool) -> Iterator[Message | Lost]:
    if wait:
        yield inbox.get()
    while not inbox.empty():  # nobody else takes from it
        yield inbox.get()


class Preparation:
    """One request; `advance` does a piece of it. left_s: seconds of sound that are still to be worked on."""

    def __init__(self, store: VoiceStore, transcripts: Transcripts, request: Prepare) -> None:
        self._store = store
        self._transcripts = transcripts
        self._request = request
        recording = request.recording
        self.left_s = 0.0 if recording is None else len(recording.pcm) / 2 / max(1, recording.sample_rate)
        self._pieces: list[list[int]] = []
        self._coming: Iterator[list[int]] | None = None

    def advance(self) -> Prepared | None:
        """The answer, when it was the last piece."""
        request, recording = self._request, self._request.recording
        field = ""
        try:
            if request.kind == "transcript":
                ids = self._transcripts.ids(request.name.partition(" ")[2])
                return Prepared(request.name, ids=list(ids))
            if request.kind == "voice" or recording is None:
                self._store.prepare(self._store.resolve(request.name))
                return Prepared(request.name)
            if request.kind == "recording":
                field = "prompt_audio: "
                wave = read_pcm(recording.pcm)
                prompt = self._store.prepare_recorded(recording.digest, wave, recording.sample_rate)
                return Prepared(request.name, prompt=pack_prompt(prompt))
            field = "source_audio: "
            return self._advance_source(recording)
        except VoiceError as error:
            return Prepared(request.name, code_of(error), f"{field}{error}")
        except (CosyVoiceError, OSError, RuntimeError) as error:
            return Prepared(request.name, "internal", f"{field or f'voice {request.name}: '}{error}")

    def _advance_source(self, recording: Recording) -> Prepared | None:
        if self._coming is None:
            wave = read_pcm(recording.pcm)
            self._coming = self._store.encoder.source_pieces(wave, recording.sample_rate)
        piece = next(self._coming, None)
        if piece is None:
            return Prepared(self._request.name, pieces=self._pieces)
        self._pieces.append(piece)
        self.left_s = max(0.0, self.left_s - MAX_PROMPT_S)
        return None


if __name__ == "__main__":
    sys.exit(main())
