"""The acoustic process: voices, flow and vocoder, and what to do next. `python -m rtserver.engine.acoustic`.

It takes utterances from the front, has their quanta sampled by the talker, and sends audio back. One thread a port
reads; this one works.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch

from cosyvoice.errors import CacheFull, CosyVoiceError, TextError, VoiceError
from cosyvoice.talker.layout import text_ids_before_audio
from rtserver.engine.models import AcousticModels
from rtserver.engine.port import Lost, Port, Received, inherited_socket
from rtserver.engine.process import PEER_LOST
from rtserver.engine.voicing import Voicing
from rtserver.messages import (
    Cancel,
    End,
    Failed,
    Fatal,
    Feed,
    Open,
    Progress,
    Ready,
    Refused,
    Shutdown,
    Started,
    Stop,
    TalkerReady,
    Tokens,
)
from rtserver.utterance import TextPolicy, Utterance

PortName = Literal["front", "talker"]
Inbox = queue.SimpleQueue[Received[PortName]]

# What a caller did wrong, and the code that says so.
_ERROR_CODES: tuple[tuple[type[Exception], str], ...] = (
    (CacheFull, "overloaded"),
    (VoiceError, "unknown_voice"),
    (TextError, "bad_text"),
    (ValueError, "bad_message"),
)


class AcousticLoop:
    """Messages in, one turn of work, messages out, until told to stop."""

    def __init__(self, models: AcousticModels, front: Port[PortName], talker: Port[PortName], inbox: Inbox) -> None:
        self.models = models
        self.front = front
        self.talker = talker
        self.inbox = inbox
        self._voicings: dict[str, Voicing] = {}

    def run(self, early: Sequence[Received[PortName]] = ()) -> str:
        """Serves, the early messages first; returns why it stopped."""
        waiting = deque(early)
        while True:
            self._start_work()
            if not waiting and not any(v.job for v in self._voicings.values()):
                waiting.append(self.inbox.get())  # nothing to do until something comes
            while not self.inbox.empty():
                waiting.append(self.inbox.get())
            while waiting:
                reason = self._handle(waiting.popleft())
                if reason is not None:
                    return reason
            self._turn()

    # -- messages ---------------------------------------------------------------------------------------------------

    def _handle(self, received: Received[PortName]) -> str | None:
        match received.message:
            case Open() as opening:
                self._guard(opening.utterance, lambda: self._open(opening))
            case Feed(name, segments) if name in self._voicings:
                voicing = self._voicings[name]
                voicing.seconds.first_text = voicing.seconds.first_text or time.perf_counter()
                self._guard(name, lambda: voicing.utterance.feed(segments))
            case End(name) if name in self._voicings:
                self._voicings[name].utterance.end()
            case Cancel(name):
                self._drop(name)
            case Tokens(request, ids, compute_s):
                voicing_of = self._voicings.get(request.rpartition("#")[0])
                if voicing_of is not None:
                    self._guard(voicing_of.name, lambda: voicing_of.accept(request, ids, compute_s))
            case Refused(request, text):
                self._fail(request.rpartition("#")[0], "internal", f"the talker refused: {text}")
            case Shutdown():
                return "shutdown"
            case Lost(reason) if received.port == "front":
                return f"front lost: {reason}"
            case Lost(reason):
                return f"talker lost: {reason}"
            case _:
                pass  # about an utterance that is over
        return None

    def _open(self, request: Open) -> None:
        if request.utterance in self._voicings:
            raise ValueError(f"utterance {request.utterance!r} is already open")
        config = self.models.config
        voice = self.models.voice(request.voice, request.mode, request.instruct_text, request.language)
        policy = TextPolicy.of(config, streaming=request.streaming)
        utterance = Utterance(config.talker, voice.talker, policy, request.seed)
        self._voicings[request.utterance] = Voicing(request.utterance, self.models, voice, utterance, request.speed)
        needed = text_ids_before_audio(config.talker, len(voice.talker.speech), len(voice.talker.transcript))
        self.front.send(Started(request.utterance, voice.name, needed))

    # -- work -------------------------------------------------------------------------------------------------------

    def _start_work(self) -> None:
        """Sends the quanta and starts the hops that can be."""
        for voicing in list(self._voicings.values()):
            self._guard(voicing.name, lambda v=voicing: self._start(v))  # type: ignore[misc]

    def _start(self, voicing: Voicing) -> None:
        sample = voicing.next_sample()
        if sample is not None:
            self.talker.send(sample)
        voicing.next_job()
        if voicing.complete:
            self.front.send(voicing.done())
            self._drop(voicing.name)

    @torch.inference_mode()
    def _turn(self) -> None:
        """One Euler step for every running hop; then the vocoder for those that are through."""
        working = [v for v in self._voicings.values() if v.job is not None]
        if not working:
            return
        start = time.perf_counter()
        self.models.flow.tick([v.job for v in working if v.job is not None])
        spent = (time.perf_counter() - start) / len(working)
        for voicing in working:
            voicing.seconds.flow += spent
        finished = [v for v in working if v.job is not None and v.job.done]
        if not finished:
            return
        start = time.perf_counter()
        waves = self.models.vocoder.decode([v.finished_mel() for v in finished])
        spent = (time.perf_counter() - start) / len(finished)
        for voicing, wave in zip(finished, waves, strict=True):
            voicing.seconds.vocoder += spent
            audio = voicing.take_wave(wave)
            if audio is not None:
                self.front.send(audio)

    # -- ends -------------------------------------------------------------------------------------------------------

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        """Runs an action for one utterance; its error ends that utterance and nothing else."""
        try:
            action()
        except (CosyVoiceError, ValueError) as error:
            code = next((c for kind, c in _ERROR_CODES if isinstance(error, kind)), "internal")
            self._fail(name, code, str(error))

    def _fail(self, name: str, code: str, message: str) -> None:
        self._drop(name)
        self.front.send(Failed(name, code, message))

    def _drop(self, name: str) -> None:
        voicing = self._voicings.pop(name, None)
        if voicing is not None:
            if voicing.waiting_request is not None:
                self.talker.send(Stop(voicing.waiting_request))
            voicing.close()


def wait_for_talker(inbox: Inbox, front: Port[PortName]) -> tuple[float, list[Received[PortName]]] | str:
    """Passes the talker's progress on until it is ready: its load seconds and the front's messages that came
    meanwhile, or why it will not be."""
    early: list[Received[PortName]] = []
    while True:
        received = inbox.get()
        match received.message:
            case TalkerReady(_, load_s):
                return load_s, early
            case Progress() | Fatal():
                front.send(received.message)
            case Lost(reason):
                return f"{received.port} lost: {reason}"
            case Shutdown():
                return "shutdown"
            case _:
                early.append(received)


def main() -> int:
    """Opens both ports and serves; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--front-fd", type=int, required=True, help="connected socket to the front")
    parser.add_argument("--talker-fd", type=int, required=True, help="connected socket to the talker process")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--cache-dir", type=Path, default=None)
    default_device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default_device, help="for flow and vocoder (default: %(default)s)")
    parser.add_argument("--kv-mib", type=int, default=4096, help="memory for the flow's keys and values")
    parser.add_argument("--warm-voice", action="append", default=[], help="voice to prepare before being ready")
    parser.add_argument("--warm-language", help="picks between voices of one name (male, female, default)")
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    front: Port[PortName] = Port("front", inherited_socket(args.front_fd), inbox)
    talker: Port[PortName] = Port("talker", inherited_socket(args.talker_fd), inbox)
    return serve(args, inbox, front, talker)


def serve(args: argparse.Namespace, inbox: Inbox, front: Port[PortName], talker: Port[PortName]) -> int:
    """Loads, says so, serves, closes both ports; the process's exit status."""
    start = time.perf_counter()
    front.send(Progress("acoustic", "loading flow and vocoder"))
    try:
        models = AcousticModels(args.model, kv_bytes=args.kv_mib << 20, cache_dir=args.cache_dir, device=args.device)
        for name in args.warm_voice:
            front.send(Progress("acoustic", f"preparing voice {name}"))
            models.warm(models.voice(name, "sft", "", args.warm_language))
    except (CosyVoiceError, OSError, RuntimeError) as error:
        front.send(Fatal("acoustic", f"{type(error).__name__}: {error}"))
        front.close()
        talker.close()
        return 1
    acoustic_s = time.perf_counter() - start
    waited = wait_for_talker(inbox, front)
    if isinstance(waited, tuple):
        talker_s, early = waited
        name = models.config.serving.name
        load_s = {"talker": talker_s, "acoustic": acoustic_s}
        front.send(Ready(name, models.config.sample_rate, models.voices.names(), load_s))
        reason = AcousticLoop(models, front, talker, inbox).run(early)
    else:
        reason = waited
    talker.send(Shutdown())
    talker.close()
    front.close()
    return PEER_LOST if reason.startswith("talker lost") else 0


if __name__ == "__main__":
    sys.exit(main())
