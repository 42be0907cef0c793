"""The acoustic process: voices, flow and vocoder, and what to do next. `python -m rtserver.engine.acoustic.process`.

It takes utterances from the front, has the talker sample their quanta (through the front), and sends audio back. One
thread reads the port; this one works.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from rtserver.engine.acoustic.calibration import calibrated
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.ipc.engine import Ready
from rtserver.ipc.options import AcousticProcessOptions
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler

_GPU_SHARE, _CPU_SHARE = 0.6, 0.25


class Loop(Protocol):
    """What serves after everything is loaded."""

    def run(self) -> str:
        """Serves until told to stop, or until the front is gone. Returns which of them."""


class Loaded(NamedTuple):
    """What a loop needs."""

    models: AcousticModels
    places: Places
    costs: Costs
    device: str
    # As in the options.
    rest_after_s: float
    stalled_s: float


MakeLoop = Callable[[Loaded, Port, Inbox], Loop]


def deadline_loop(loaded: Loaded, port: Port, inbox: Inbox) -> AcousticLoop:
    """The one that the server runs. The bench has others, to compare it with."""
    scheduler = Scheduler(loaded.places, loaded.costs)
    return AcousticLoop(
        loaded.models, port, inbox, scheduler, rest_after_s=loaded.rest_after_s, stalled_s=loaded.stalled_s
    )


def load(options: AcousticProcessOptions, tell: Tell) -> Loaded:
    """Loads the models, measures the machine, prepares the voices that are to be warm."""
    tell("loading flow and vocoder")
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    kv_bytes = (options.kv_mib << 20) or memory_share_bytes(device)
    cache_dir = None if options.cache_dir is None else Path(options.cache_dir)
    models = AcousticModels(Path(options.model), kv_bytes=kv_bytes, cache_dir=cache_dir, device=device)
    places = Places.of(device)
    costs = calibrated(models, places, options.first_hop_tokens, tell)
    warm_up(models, options.warm_voices, tell)
    return Loaded(models, places, costs, device, options.rest_after_s, options.stalled_s)


def ready(loaded: Loaded, load_s: float) -> Ready:
    """What was loaded."""
    models, voices = loaded.models, loaded.models.voices
    return Ready(
        models.config.serving.name,
        models.config.sample_rate,
        voices.store.names(),
        {"acoustic": load_s},
        modes=list(voices.store.modes),
        clones=voices.store.encoder.can_clone,
        gpu=torch.cuda.get_device_name(loaded.device) if loaded.device.startswith("cuda") else None,
        voice_details=voices.infos(),
        first_hop_tokens=voices.first_hop_tokens,
    )


def main(make_loop: MakeLoop = deadline_loop) -> int:
    """The process; its exit status."""

    def serve(loaded: Loaded, port: Port, inbox: Inbox) -> None:
        make_loop(loaded, port, inbox).run()

    return run_child("acoustic", AcousticProcessOptions, load, serve, ready)


def memory_share_bytes(device: str) -> int:
    """Memory for keys and values when the options name none: most of what a GPU has free beside the talker, a quarter
    of the machine's for a CPU (it is taken as it is filled)."""
    if device.startswith("cuda"):
        free_bytes, _ = torch.cuda.mem_get_info(device)
        return int(_GPU_SHARE * free_bytes)
    return int(_CPU_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def warm_up(models: AcousticModels, voices: Sequence[str], tell: Tell) -> None:
    """Computes the shared prompt chunks of `voices`, NAME or NAME:LANGUAGE. Raises VoiceError."""
    encoder = models.voices.store.encoder
    if encoder.can_clone:
        encoder.fingerprint()  # reads a gigabyte of networks: now, so that no utterance waits for it
    warmed = set()
    for argument in voices:
        name, _, language = argument.partition(":")
        voice = models.voice(name, "sft", "", language or None)
        if voice.name not in warmed:
            warmed.add(voice.name)
            tell(f"preparing voice {voice.name}")
            models.warm(voice)


if __name__ == "__main__":
    sys.exit(main())
