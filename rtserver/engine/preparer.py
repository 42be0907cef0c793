"""The preparer process: recordings to prompts and speech tokens. `python -m rtserver.engine.preparer`.

To encode a recording takes seconds of a whole core. Here that has the lowest priority and delays no speech.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CosyVoiceError, VoiceError
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.voice.keeping import KeepingLimits
from cosyvoice.voice.prompt import MAX_PROMPT_S, PromptEncoder
from cosyvoice.voice.prompt_cache import pack_prompt
from cosyvoice.voice.recording import read_pcm
from cosyvoice.voice.store import VoiceStore
from rtserver.engine.error_codes import code_of
from rtserver.engine.transcripts import Transcripts
from rtserver.ipc.message import Message
from rtserver.ipc.options import PreparerProcessOptions
from rtserver.ipc.preparing import Dismiss, PreparationKey, Prepare, Prepared, Recording
from rtserver.processes.inbox import Inbox, Lost
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child
from rtserver.schedule.fair_turns import FairTurns, Job


class Models(NamedTuple):
    """What preparations need."""

    store: VoiceStore
    transcripts: Transcripts


def load(options: PreparerProcessOptions, tell: Tell) -> Models:
    """Loads what the three kinds of encoding need."""
    model = Path(options.model)
    config = ModelConfig.load(model)
    cache_dir = None if options.cache_dir is None else Path(options.cache_dir)
    limits = KeepingLimits(options.recordings_age_s, options.recordings_bytes)
    store = VoiceStore(config, PromptEncoder(model), cache_dir=cache_dir, limits=limits)
    return Models(store, Transcripts(config, Tokenizer.load(config)))


def serve(models: Models, port: Port, inbox: Inbox) -> None:
    """Works piece by piece until the parent hangs up. Callers take turns; of each the request with the least left to
    do comes first."""
    jobs: dict[PreparationKey, Preparation] = {}
    turns: FairTurns[PreparationKey] = FairTurns()
    while True:
        for message in _messages(inbox, wait=not jobs):
            match message:
                case Prepare(key):
                    jobs.setdefault(key, Preparation(models, message))
                case Dismiss(key):
                    if jobs.pop(key, None) is not None:
                        port.send(message)
                case _:
                    return
        if jobs:
            job = jobs[turns.next(Job(key, job.tenant, job.left_s) for key, job in jobs.items())]
            inbox.work = f"{job.key.kind} {job.key.what:.80}"
            start_s = time.monotonic()
            prepared = job.advance()
            turns.worked(job.tenant, time.monotonic() - start_s)
            if prepared is not None:
                del jobs[prepared.key]
                port.send(prepared)


def _messages(inbox: Inbox, *, wait: bool) -> Iterator[Message | Lost]:
    if wait:
        yield inbox.get()
    while not inbox.empty():  # this thread alone takes from it
        yield inbox.get()


class Preparation:
    """One request. `advance` does a piece of it."""

    def __init__(self, models: Models, request: Prepare) -> None:
        self._store, self._transcripts = models
        self._request = request
        self.key = request.key
        self.tenant = request.tenant
        recording = request.recording
        # Seconds of sound that are not encoded yet.
        self.left_s = 0.0 if recording is None else len(recording.pcm) / 2 / max(1, recording.sample_rate)
        self._pieces: list[list[int]] = []
        self._coming: Iterator[list[int]] | None = None

    def advance(self) -> Prepared | None:
        """Does the next piece. The answer after the last one, else None."""
        key, recording = self._request.key, self._request.recording
        field = ""
        try:
            if key.kind == "transcript":
                ids = self._transcripts.ids(key.what)
                return Prepared(key, ids=list(ids))
            if key.kind == "voice" or recording is None:
                self._store.prepare(self._store.resolve(key.what))
                return Prepared(key)
            if key.kind == "recording":
                field = "prompt_audio: "
                wave = read_pcm(recording.pcm)
                prompt = self._store.prepare_recorded(recording.digest, wave, recording.sample_rate)
                return Prepared(key, prompt=pack_prompt(prompt))
            field = "source_audio: "
            return self._advance_source(recording)
        except VoiceError as error:
            return Prepared(key, code_of(error), f"{field}{error}")
        except (CosyVoiceError, OSError, RuntimeError) as error:
            return Prepared(key, "internal", f"{field or f'voice {key.what}: '}{error}")

    def _advance_source(self, recording: Recording) -> Prepared | None:
        if self._coming is None:
            wave = read_pcm(recording.pcm)
            self._coming = self._store.encoder.source_pieces(wave, recording.sample_rate)
        piece = next(self._coming, None)
        if piece is None:
            return Prepared(self._request.key, pieces=self._pieces)
        self._pieces.append(piece)
        self.left_s = max(0.0, self.left_s - MAX_PROMPT_S)
        return None


if __name__ == "__main__":
    sys.exit(run_child("preparer", PreparerProcessOptions, load, serve))
