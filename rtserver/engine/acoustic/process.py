"""The acoustic process: voices, flow and vocoder, and what to do next. `python -m rtserver.engine.acoustic.process`.

It takes utterances from the front, has the talker sample their quanta (through the front), and sends audio back. One
thread reads the port; this one works.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import torch

from cosyvoice.checkpoint import FLOW_FILES, VOCODER_FILES, content_hash, find_file
from cosyvoice.errors import CacheFull
from cosyvoice.models import default_cache_dir
from rtserver.engine.acoustic.calibration import calibrated, possible_first_hops
from rtserver.engine.acoustic.device import (
    capture_on,
    default_device,
    device_free_bytes,
    device_words,
    give_way,
    memory_share_bytes,
    set_up,
    stopwatch_of,
    talker_pace,
)
from rtserver.engine.acoustic.kept_costs import costs_file
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.stopwatch import Stopwatch
from rtserver.ipc.engine import Ready
from rtserver.ipc.options import AcousticProcessOptions
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler


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
    stopwatch: Stopwatch
    # As in the options.
    rest_after_s: float
    stalled_s: float


MakeLoop = Callable[[Loaded, Port, Inbox], Loop]


def deadline_loop(loaded: Loaded, port: Port, inbox: Inbox) -> AcousticLoop:
    """The one that the server runs. The bench has others, to compare it with."""
    scheduler = Scheduler(loaded.places, loaded.costs)
    return AcousticLoop(
        loaded.models,
        port,
        inbox,
        scheduler,
        rest_after_s=loaded.rest_after_s,
        stalled_s=loaded.stalled_s,
        stopwatch=loaded.stopwatch,
    )


def load(options: AcousticProcessOptions, tell: Tell) -> Loaded:
    """Loads the models, measures the machine, prepares the voices that are to be warm."""
    tell("loading flow and vocoder")
    device = options.device or default_device()
    give_way(device)
    set_up(device, tf32=options.tf32, memory_share=options.memory_share)
    kv_bytes = (options.kv_mib << 20) or memory_share_bytes(device)
    cache_dir = None if options.cache_dir is None else Path(options.cache_dir)
    models = AcousticModels(
        Path(options.model),
        kv_bytes=kv_bytes,
        cache_dir=cache_dir,
        device=device,
        flow_dtype=options.flow_dtype,
        paged=options.flow_pages,
        promised_s=options.promised_s,
        most_hops=options.hops,
    )
    take_what_is_free(models, device_free_bytes(device), options.work_mib)
    # Blocks are the form that is nearest to a CPU's: with them nothing is captured.
    capture = capture_on(device) if options.flow_pages else None
    models.speed_up(capture, possible_first_hops(models, options.first_hop_tokens), tell)
    places = Places.of(device, options.hops, options.step_ms / 1000)
    stopwatch = stopwatch_of(device)
    kept = None if device == "cpu" else _costs_file(options, places, device, cache_dir or default_cache_dir())
    costs = calibrated(models, places, options.first_hop_tokens, tell, stopwatch, kept, pace=talker_pace(device))
    warm_up(models, options.warm_voices, tell)
    return Loaded(models, places, costs, device, stopwatch, options.rest_after_s, options.stalled_s)


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


def _costs_file(options: AcousticProcessOptions, places: Places, device: str, cache_dir: Path) -> Path:
    """Where the costs of this device with this model are kept."""
    files = {"flow": FLOW_FILES, "vocoder": VOCODER_FILES}
    hashes = {name: content_hash(find_file(Path(options.model), names)) for name, names in files.items()}
    what = {
        "dtype": options.flow_dtype,
        "hops": str(places.hops),
        "pages": str(options.flow_pages),
        **hashes,
        **device_words(device),
    }
    return costs_file(cache_dir / "costs", what)


def take_what_is_free(models: AcousticModels, free_bytes: int | None, work_mib: int) -> None:
    """Lowers the memory for keys and values to what the device has left after the weights are loaded. It is less than
    planned where others have taken some since. None: memory is not bounded so. Raises CacheFull when no stream has
    room."""
    if free_bytes is None:
        return
    left_bytes = max(0, free_bytes - (work_mib << 20))
    if left_bytes < models.least_reserve_bytes:
        raise CacheFull(
            f"the GPU: expected {models.least_reserve_bytes >> 20} MiB free for the keys and values of a stream, and "
            f"{work_mib} MiB for work, found {free_bytes >> 20}; do other processes use the GPU?"
        )
    models.flow.memory.budget.lower(left_bytes)


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
