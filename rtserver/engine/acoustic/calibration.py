"""What hops take on this machine, measured before anybody waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from cosyvoice.flow.stream import FlowStream
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.schedule.batch import gains
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places
from rtserver.schedule.waits import first_hop_tokens

# Rounds for each batch size. The shortest counts, because other processes start on the same cores. The first one makes
# kernels and does not count.
_ROUNDS = 4
# After so long, two rounds are enough.
_PATIENCE_S = 3.0
# Only a few lengths, so that a machine chooses the same one every day.
_FIRST_HOPS = (4, 6, 9, 12, 16, 20, 22)


@torch.inference_mode()
def calibrate(models: AcousticModels, costs: Costs, places: Places) -> float:
    """Measures 1, 2, 4... hops side by side, as long as sharing a step gains. Returns how many seconds of a hop's sound
    the vocoder keeps back."""
    hops, withheld_s = 1, 0.0
    while hops <= places.hops:
        rounds: list[tuple[float, float]] = []
        start_s = time.perf_counter()
        while len(rounds) < _ROUNDS and (len(rounds) < 2 or time.perf_counter() - start_s < _PATIENCE_S):
            step_s, vocoder_s, withheld_s = _measure(models, hops)
            rounds.append((step_s, vocoder_s))
        step_s, vocoder_s = (min(seconds) for seconds in zip(*rounds[1:], strict=True))
        frames = hops * models.flow.config.chunk_frames
        if hops > 1 and not gains(costs, frames // hops, hops, step_s):
            break  # such batches are not run, and cost what their hops cost
        costs.calibrate("step", frames, step_s)
        costs.calibrate("vocoder", frames, vocoder_s)
        hops *= 2
    return withheld_s


def choose_first_hop(models: AcousticModels, costs: Costs, withheld_s: float) -> int:
    """Speech tokens of the first hop: see `first_hop_tokens`."""
    flow = models.flow.config
    longest = flow.chunk_tokens - flow.lookahead_tokens
    token_s = 1 / models.config.token_rate_hz
    choices = [(tokens, tokens * token_s - withheld_s) for tokens in _FIRST_HOPS if tokens <= longest]
    frames = flow.chunk_frames
    return first_hop_tokens(choices, costs.hop_s(flow.euler_steps, frames, frames))


def calibrated(models: AcousticModels, places: Places, wanted: int | None, tell: Callable[[str], None]) -> Costs:
    """Measures, and sets the voices' first hop: `wanted` tokens; 0: what suits the machine; None: the checkpoint's own.
    Raises ValueError for a first hop that cannot be."""
    costs = Costs()
    tell("measuring this machine")
    withheld_s = calibrate(models, costs, places)
    if wanted is not None:
        models.voices.first_hop_tokens = wanted or choose_first_hop(models, costs, withheld_s)
    return costs


def _measure(models: AcousticModels, hops: int) -> tuple[float, float, float]:
    """For so many hops side by side, in seconds: an Euler step, the vocoder, and the sound that it keeps back."""
    flow, vocoder = models.flow, models.vocoder
    config = flow.config
    voice = flow.voice((), torch.zeros(0, config.mel_bins), torch.ones(config.spk_embed_dim))
    streams = [FlowStream(flow, voice) for _ in range(hops)]
    try:
        tokens = [0] * (config.chunk_tokens + config.lookahead_tokens)
        jobs = [stream.hop(tokens, final=False) for stream in streams]
        steps_s = []
        while not jobs[0].done:
            start_s = time.perf_counter()
            flow.tick(jobs)
            steps_s.append(time.perf_counter() - start_s)
        start_s = time.perf_counter()
        waves = vocoder.decode([(vocoder.open(), job.mel, False) for job in jobs])
        samples = waves[0].cpu().numel()  # waits for the device
        vocoder_s = time.perf_counter() - start_s
    finally:
        for stream in streams:
            stream.close()
    sound_s = config.chunk_tokens / models.config.token_rate_hz
    return min(steps_s), vocoder_s, sound_s - samples / models.config.sample_rate
