"""The engine's two processes for the stage `engine`: the server's own loops, each after a pipe of the bench."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.gpu.bench import Bench
from bench.gpu.pipe_port import PipePort
from bench.gpu.stand_in_talker import StandInTalker
from cosyvoice.config import ModelConfig
from cosyvoice.talker.talker import Talker, TalkerOptions
from rtserver.engine.acoustic.calibration import calibrated, possible_first_hops
from rtserver.engine.acoustic.device import (
    capture_on,
    device_free_bytes,
    give_way,
    set_up,
    stopwatch_of,
    talker_pace,
)
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.talker.loop import TalkerLoop
from rtserver.ipc.engine import Ready
from rtserver.ipc.talker import TalkerReady
from rtserver.processes.inbox import Inbox
from rtserver.schedule.scheduler import Places, Scheduler

VOICE = "random"
# An agent's reply: what an utterance takes memory for before it speaks.
_REPLY_S = 6.0


@dataclass(frozen=True)
class EngineFiles:
    """Where the checkpoint and the caches are."""

    model: Path
    cache: Path


def acoustic_process(bench: Bench, files: EngineFiles, connection: Connection) -> None:
    """Flow, vocoder and the schedule."""
    inbox = Inbox()
    port = PipePort(connection, inbox)
    give_way(bench.device)
    set_up(bench.device, tf32=False, memory_share=None)
    free_bytes = device_free_bytes(bench.device)
    models = AcousticModels(
        files.model,
        kv_bytes=(1 << 30) if free_bytes is None else int(0.6 * free_bytes),
        cache_dir=files.cache,
        device=bench.device,
        flow_dtype=bench.dtype,
        paged=bench.on_gpu,
        promised_s=_REPLY_S,
    )

    def tell(text: str) -> None:
        print(f"engine: {text}", flush=True)

    models.speed_up(capture_on(bench.device), possible_first_hops(models, 0), tell)
    places, stopwatch = Places.of(bench.device), stopwatch_of(bench.device)
    costs = calibrated(models, places, 0, tell, stopwatch, pace=talker_pace(bench.device))
    models.warm(models.voice(VOICE, "sft", "", None))
    port.send(Ready("random weights", models.config.sample_rate, [VOICE], {}))
    AcousticLoop(models, port, inbox, Scheduler(places, costs), stopwatch=stopwatch).run()


def talker_process(bench: Bench, files: EngineFiles, connection: Connection) -> None:
    """vLLM where the bench has it, else its stand-in."""
    inbox = Inbox()
    port = PipePort(connection, inbox)
    streams = max(bench.sizes.engine_streams)
    if bench.vllm:
        options = TalkerOptions(
            dtype=bench.dtype,
            max_streams=streams,
            kv_cache_bytes=(4 << 30) if bench.on_gpu else (64 << 20),
            enforce_eager=not bench.on_gpu,
            memory_share=0.1 if bench.on_gpu else None,
        )
        config, capture = ModelConfig.load(files.model), capture_on(bench.device)
        talker: Talker | StandInTalker = Talker(config, options, files.cache, capture=capture)
    else:
        talker = StandInTalker(bench, streams)
        talker.warm_up()
    port.send(TalkerReady(talker.max_ids, 0.0))
    TalkerLoop(talker, port, inbox).run()
