"""How much does the vocoder cost hop by hop? CPU time for a second of audio, compared with decoding everything at once.

    OMP_NUM_THREADS=1 python -m bench.model.vocoder_hop --model nano --hops 2 24 50 --batches 1 4 --json vocoder.json

A hop computes the edge of every layer's receptive field again, so short hops cost more for the same audio. 50 frames
are one hop of 25 speech tokens, 1 s. Each round decodes the same mel whole and in hops, in turn. So if the machine's
speed changes, it changes for both. The mel is noise, because the cost does not depend on it.

It prints medians over the rounds, and the median of the ratios of each round. "f0" is the part of the float64 f0
predictor in the whole, and what it would be in float32. "first" is the first hop of a shape that is new to the process.

On a CPU oneDNN compiles every layer for every shape. cosyvoice.vocoder makes it keep more of them than its default. Set
ONEDNN_PRIMITIVE_CACHE_CAPACITY=1024 in the environment to see how much that saves.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from bench.machine import describe_machine
from cosyvoice.checkpoint import VOCODER_FILES, find_file, load_module, load_state
from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.vocoder.weight_norm import fuse_weight_norm

FRAMES_PER_SECOND = 50


def load_vocoder(model: str) -> Vocoder:
    """The vocoder of a model directory."""
    directory = resolve_model(model)
    hift = Hift(ModelConfig.load(directory).vocoder)
    path = find_file(directory, VOCODER_FILES)
    load_module(path, hift, fuse_weight_norm(load_state(path)))
    return Vocoder(hift)


def decode(vocoder: Vocoder, mel: Tensor, batch: int, hop: int) -> Tensor:
    """Decodes `batch` streams of the same mel together, `hop` frames at a time. Returns the wave of the first one."""
    streams = [vocoder.open() for _ in range(batch)]
    waves = []
    for start in range(0, mel.shape[1], hop):
        part, final = mel[:, start : start + hop], start + hop >= mel.shape[1]
        waves.append(vocoder.decode([(stream, part, final) for stream in streams])[0])
    return torch.cat(waves)


def cpu_seconds(work: Callable[..., object], *arguments: object) -> float:
    """CPU time of this process for one call."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


@torch.inference_mode()
def f0_seconds(vocoder: Vocoder, mel: Tensor) -> dict[str, float]:
    """CPU seconds of the f0 predictor over the whole mel, for both types."""
    double = vocoder.hift.f0_predictor
    single = copy.deepcopy(double).float()
    predictors = {"float64": double, "float32": single}
    return {name: cpu_seconds(predictor, mel[None]) for name, predictor in predictors.items()}


def first_hop_seconds(vocoder: Vocoder, mel: Tensor) -> dict[str, float]:
    """CPU seconds of a 24-frame hop whose shape is new to the process, and of the same hop again. Medians over
    shapes."""
    new: list[float] = []
    known: list[float] = []
    for first_frames in range(9, 16):  # at the beginning of a stream every context length has another shape
        for samples in (new, known):
            stream = vocoder.open()
            vocoder.decode([(stream, mel[:, :first_frames], False)])
            samples.append(cpu_seconds(vocoder.decode, [(stream, mel[:, first_frames : first_frames + 24], False)]))
    return {"new": statistics.median(new), "known": statistics.median(known)}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--hops", type=int, nargs="+", default=[2, 10, 24, 50], help="frames per hop (2 = one token)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], help="streams decoded together")
    parser.add_argument("--seconds", type=int, default=10, help="audio per stream")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after a warm-up round")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    vocoder = load_vocoder(args.model)
    frames = args.seconds * FRAMES_PER_SECOND
    mel = torch.randn(vocoder.config.mel_bins, frames, generator=torch.Generator().manual_seed(1)) * 2 - 6
    rows = []
    for batch in args.batches:
        audio_s = batch * args.seconds
        times: dict[int, list[float]] = {hop: [] for hop in (frames, *args.hops)}
        for round_index in range(args.rounds + 1):
            for hop, samples in times.items():
                seconds = cpu_seconds(decode, vocoder, mel, batch, hop)
                if round_index:
                    samples.append(seconds)
        for hop, samples in times.items():
            row = {
                "batch": batch,
                "hop_frames": hop,
                "cpu_s_per_audio_s": statistics.median(samples) / audio_s,
                "cpu_ms_per_hop": 1e3 * statistics.median(samples) / -(-frames // hop),
                "ratio_to_whole": statistics.median(s / w for s, w in zip(samples, times[frames], strict=True)),
            }
            rows.append(row)
            print(
                f"batch {batch:3d}  hop {hop:4d} frames  {row['cpu_s_per_audio_s']:.4f} s CPU a second of audio  "
                f"{row['cpu_ms_per_hop']:8.2f} ms a hop  {row['ratio_to_whole']:.2f} of whole",
                flush=True,
            )
    f0_rounds = [f0_seconds(vocoder, mel) for _ in range(args.rounds + 1)][1:]
    f0 = {name: statistics.median(r[name] for r in f0_rounds) / args.seconds for name in f0_rounds[0]}
    print("f0     " + "  ".join(f"{name} {seconds:.5f} s CPU a second of audio" for name, seconds in f0.items()))
    first = first_hop_seconds(vocoder, mel)
    print("first  " + "  ".join(f"{name} {1e3 * seconds:.1f} ms" for name, seconds in first.items()))
    deviation = float((decode(vocoder, mel, 1, 50) - decode(vocoder, mel, 1, frames)).abs().max())
    print(f"hops of 50 frames against the whole: largest difference {deviation:.1e}")
    if args.json:
        result = {
            "machine": describe_machine(),
            "onednn_cache": os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"],
            "model": args.model,
            "rows": rows,
            "f0_cpu_s_per_audio_s": f0,
            "first_hop_s": first,
            "deviation": deviation,
        }
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
