"""What hops take on this machine, measured before anybody waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from cosyvoice.errors import CheckpointError
from cosyvoice.flow.stream import FlowStream
from rtserver.engine.acoustic.kept_costs import MeasuredCosts, MeasuredSize, keep
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.stopwatch import HostStopwatch, Lap, Stopwatch
from rtserver.schedule.batch import gains
from rtserver.schedule.costs import Costs
from rtserver.schedule.first_hop import FirstHop, HopGrid, TalkerPace, first_hop_tokens
from rtserver.schedule.scheduler import Places

# Rounds for each batch size. The shortest counts, because other processes start on the same cores. The first one makes
# kernels and does not count.
_ROUNDS = 4
# After this long, two rounds are enough.
_PATIENCE_S = 3.0
# After this long in all, no larger batch is measured: its costs are predicted from those of the smaller ones.
_LIMIT_S = 30.0
# Only a few lengths, so that a machine chooses the same one every day.
FIRST_HOPS = (4, 6, 9, 12, 16, 20, 22)

Tell = Callable[[str], None]


@torch.inference_mode()
def measure(
    models: AcousticModels,
    places: Places,
    stopwatch: Stopwatch,
    tell: Tell,
    *,
    clock: Callable[[], float] = time.monotonic,
    limit_s: float = _LIMIT_S,
) -> MeasuredCosts:
    """Measures 1, 2, 4... hops side by side, as long as sharing a step gains, memory has room, and time is left. Raises
    CheckpointError when the flow gives no numbers in its data type."""
    sizes: list[MeasuredSize] = []
    costs, hops, withheld_s, start_s = Costs(), 1, 0.0, clock()
    while hops <= places.hops and (hops == 1 or _has_room(models, hops)):
        tell(f"measuring this machine: {hops} side by side")
        rounds: list[tuple[float, float]] = []
        began_s = clock()
        while len(rounds) < _ROUNDS and (len(rounds) < 2 or clock() - began_s < _PATIENCE_S):
            step_s, vocoder_s, withheld_s = _measure(models, hops, stopwatch)
            rounds.append((step_s, vocoder_s))
        step_s, vocoder_s = (min(seconds) for seconds in zip(*rounds[1:], strict=True))
        frames = hops * models.flow.config.chunk_frames
        if hops > 1 and not gains(costs, frames // hops, hops, step_s):
            break  # such batches are not run, and cost what their hops cost
        sizes.append(MeasuredSize(frames, step_s, vocoder_s))
        MeasuredCosts(tuple(sizes), withheld_s).put_into(costs)
        if clock() - start_s > limit_s:
            tell(f"measuring took {clock() - start_s:.0f} s: larger batches are predicted")
            break
        hops *= 2
    return MeasuredCosts(tuple(sizes), withheld_s)


def possible_first_hops(models: AcousticModels, wanted: int | None) -> list[int]:
    """Speech tokens of the first hops that there may be. wanted: see `calibrated`."""
    chunk = models.flow.config.chunk_tokens
    chosen = FIRST_HOPS if wanted == 0 else (wanted or models.voices.first_hop_tokens or chunk,)
    return sorted({*chosen, chunk})  # `measure` has one of a whole chunk


def choose_first_hop(models: AcousticModels, costs: Costs, withheld_s: float, pace: TalkerPace) -> int:
    """Speech tokens of the first hop: see `first_hop_tokens`."""
    flow, token_rate_hz = models.flow.config, models.config.token_rate_hz
    longest = flow.chunk_tokens - flow.lookahead_tokens
    choices = [FirstHop(tokens, tokens / token_rate_hz - withheld_s) for tokens in FIRST_HOPS if tokens <= longest]
    hop_s = costs.hop_s(flow.euler_steps, flow.chunk_frames, flow.chunk_frames)
    grid = HopGrid(flow.chunk_tokens, flow.lookahead_tokens, models.config.talker.mix_ratio[1])
    return first_hop_tokens(choices, pace, hop_s, grid)


def calibrated(
    models: AcousticModels,
    places: Places,
    wanted: int | None,
    tell: Tell,
    stopwatch: Stopwatch | None = None,
    kept: Path | None = None,
    *,
    pace: TalkerPace,
) -> Costs:
    """Measures, and sets the voices' first hop: `wanted` tokens; 0: what suits the machine; None: the checkpoint's own.
    Raises ValueError for a first hop that cannot be.

    stopwatch: of the device. None for a CPU's.
    kept: file of what was measured before with the same device, weights and versions. It is written when it is not
    there. None for measuring every time, which is right on cores that other programs use too.
    pace: the talker's.
    """
    measured = None if kept is None else MeasuredCosts.load(kept)
    if measured is None:
        measured = measure(models, places, stopwatch or HostStopwatch(), tell)
        if kept is not None:
            keep(kept, asdict(measured))
    costs = Costs()
    measured.put_into(costs)
    if wanted is not None:
        models.voices.first_hop_tokens = wanted or choose_first_hop(models, costs, measured.withheld_s, pace)
    return costs


def _has_room(models: AcousticModels, hops: int) -> bool:
    """Whether this many streams have memory for a block of keys and values each."""
    memory = models.flow.memory
    return hops * memory.stream_bytes(memory.grain_frames) <= memory.budget.free_bytes


def _measure(models: AcousticModels, hops: int, stopwatch: Stopwatch) -> tuple[float, float, float]:
    """For this many hops side by side, in seconds: an Euler step, the vocoder, and the sound that it keeps back."""
    flow, vocoder = models.flow, models.vocoder
    config = flow.config
    voice = flow.voice((), torch.zeros(0, config.mel_bins), torch.ones(config.spk_embed_dim))
    streams = [FlowStream(flow, voice) for _ in range(hops)]
    laps: list[Lap] = []
    try:
        tokens = [0] * (config.chunk_tokens + config.lookahead_tokens)
        jobs = [stream.hop(tokens, final=False) for stream in streams]
        while not jobs[0].done:
            stopwatch.begin()
            flow.tick(jobs)
            stopwatch.end(laps.append)
        stopwatch.begin()
        waves = vocoder.decode([(vocoder.open(), job.mel, False) for job in jobs])
        stopwatch.end(laps.append)
        stopwatch.settle()
        if not torch.isfinite(jobs[0].mel).all():
            raise CheckpointError(
                f"the flow: expected numbers, found NaN or infinity in {flow.memory.kv_shape.dtype}: "
                'flow_dtype = "float32" is always right'
            )
    finally:
        for stream in streams:
            stream.close()
    *steps, decoding = laps
    sound_s = config.chunk_tokens / models.config.token_rate_hz
    withheld_s = sound_s - waves[0].numel() / models.config.sample_rate
    return min(lap.spent_s for lap in steps), decoding.spent_s, withheld_s
