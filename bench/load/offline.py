"""How many audio seconds a second can this machine make at most? It is the ceiling for the results of a sweep.

    OMP_NUM_THREADS=1 python -m bench.load.offline --json offline.json
    OMP_NUM_THREADS=1 python -m bench.load.offline --streams 1 4 --rounds 1 --utterances 8
    OMP_NUM_THREADS=1 python -m bench.load.offline --only server --utterances 48

acoustic  flow and vocoder alone, in this process: the hops of N streams without a pause, no talker
talker    the talker alone, in this process: N whole texts in quanta, sampled at the same time
server    both, as the server runs them: utterances of class batch over the native wire, all sent at once, with no limit
          on how far they are ahead of a listener. Compare a sweep with this figure

The first two figures are medians of --rounds rounds after a warm-up round. Their text is random, because the cost does
not depend on it. The server speaks replies like those of the load, and is measured from the first request to the last
sample.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import uvloop

from bench.load.calls.measuring import Voices, voices_of, warm_up
from bench.load.calls.replies import draw_reply
from bench.load.server_process import ServerProcess, measured_server
from bench.machine import describe_machine
from bench.model import quanta
from cosyvoice.config import ModelConfig
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import resolve_model
from cosyvoice.talker.talker import Talker
from rtclient import connect
from rtserver.engine.acoustic.calibration import calibrated
from rtserver.engine.acoustic.device import default_device, memory_share_bytes, stopwatch_of, talker_pace
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.host.local import ACOUSTIC_THREADS
from rtserver.schedule.scheduler import Places

PARTS = ("acoustic", "talker", "server")
_LANGUAGES = ("en", "zh")

Row = dict[str, Any]


# -- the processes alone --------------------------------------------------------------------------------------------


def acoustic(args: argparse.Namespace) -> list[Row]:
    """Measures flow and vocoder for each number of streams."""
    torch.set_num_threads(ACOUSTIC_THREADS)  # the number that the server uses
    directory = resolve_model(args.model)
    models = AcousticModels(directory, kv_bytes=memory_share_bytes(args.device), device=args.device)
    pace = talker_pace(args.device)
    calibrated(models, Places.of(args.device), 0, lambda doing: None, stopwatch_of(args.device), pace=pace)
    return [
        row("acoustic", streams, args, lambda number, n=streams: hops(models, n, args.seconds))  # type: ignore[misc]
        for streams in args.streams
    ]


@torch.inference_mode()
def hops(models: AcousticModels, count: int, seconds: float) -> float:
    """Speaks `count` streams at the same time. Returns the seconds of sound that they gave."""
    voice, config = models.voice("default", "sft", "", None).flow, models.flow.config
    streams = [(FlowStream(models.flow, voice), models.vocoder.open()) for _ in range(count)]
    chance, length = random.Random(0), round(seconds * models.config.token_rate_hz)
    tokens = [[chance.randrange(config.vocab) for _ in range(length)] for _ in streams]
    samples, final = 0, False
    while not final:
        done = streams[0][0].tokens_done
        end = done + streams[0][0].hop_tokens() + config.lookahead_tokens
        final = end >= length
        jobs = [flow.hop(t[done:end], final=final) for (flow, _), t in zip(streams, tokens)]
        while not jobs[0].done:
            models.flow.tick(jobs)
        waves = models.vocoder.decode([(vocoder, job.mel, final) for (_, vocoder), job in zip(streams, jobs)])
        samples += sum(wave.cpu().numel() for wave in waves)
    for flow, _ in streams:
        flow.close()
    return samples / models.config.sample_rate


def talker(args: argparse.Namespace) -> list[Row]:
    """Measures the talker for each number of sequences."""
    config = ModelConfig.load(resolve_model(args.model))
    model = Talker(config)
    tokens = round(args.seconds * config.token_rate_hz)

    def speak(batch: int, number: int) -> float:
        # New text each time, because a repeated prompt would come from the prefix cache.
        sequences = quanta.make_sequences(config, batch, 60 + number, tokens)
        model.forget_prefixes()
        quanta.run(model, sequences, config.serving.hop_tokens, f"{batch}-{number}")
        return sum(len(s.generated) for s in sequences) / config.token_rate_hz

    try:
        return [row("talker", n, args, lambda number, n=n: speak(n, number)) for n in args.streams]  # type: ignore[misc]
    finally:
        model.close()


def row(part: str, streams: int, args: argparse.Namespace, work: Callable[[int], float]) -> Row:
    """Measures `work`. It gets the number of the round, and returns how much sound it made."""
    rates = []
    for number in range(args.rounds + 1):
        start_s = time.perf_counter()
        audio_s = work(number)
        rates.append(audio_s / (time.perf_counter() - start_s))
    median = statistics.median(rates[1:])
    print(f"{part}, {streams} at the same time (measured): {median:.2f} audio seconds a second", flush=True)
    return {"streams": streams, "audio_per_s": median, "rounds": rates[1:]}


# -- as the server runs them ----------------------------------------------------------------------------------------


async def server(args: argparse.Namespace) -> Row:
    """Measures all utterances at once, of class batch."""
    arguments = ["--no-admission", "--model", args.model, "--max-streams", str(max(32, args.utterances)), *args.server]
    async with measured_server(None, arguments) as process:
        voices = await voices_of(process, _LANGUAGES, None)
        await warm_up(process, voices, None)
        result = await queued(process, utterances(args.utterances, voices, args.seed))
    cores = ", ".join(f"{part} {used:.2f}" for part, used in result["cpu_cores"].items())
    print(
        f"server, {args.utterances} utterances of class batch (measured): {result['audio_per_s']:.2f} audio seconds a "
        f"second, {result['audio_s']:.0f} s in {result['wall_s']:.0f} s; cores: {cores}"
    )
    return result


def utterances(count: int, voices: Voices, seed: int) -> list[tuple[str, str, str]]:
    """Text, voice and language of each utterance: languages and voices take turns, and texts are replies of the
    load."""
    chance, drawn = random.Random(seed), []
    for number in range(count):
        language = _LANGUAGES[number % len(_LANGUAGES)]
        names = voices[language]
        drawn.append((draw_reply(chance, language), names[number // len(_LANGUAGES) % len(names)], language))
    return drawn


async def queued(process: ServerProcess, wanted: list[tuple[str, str, str]]) -> Row:
    """Speaks all of them. Raises ServerError when the server refuses one."""
    over = 0

    async def speak(number: int, text: str, voice: str, language: str) -> float:
        nonlocal over
        audio_s = 0.0
        async with connect(process.url) as session:
            speech = session.speak(
                text, voice=voice, language=language, seed=number, marks=False, service_class="batch"
            )
            async with speech:
                async for audio in speech:
                    audio_s += len(audio.pcm) / 2 / session.info.sample_rate
        over += 1
        print(f"\r{over} of {len(wanted)} utterances   ", end="", file=sys.stderr, flush=True)
        return audio_s

    before_s, start_s = process.cpu_s(), time.monotonic()
    spoken_s = await asyncio.gather(*(speak(i, *w) for i, w in enumerate(wanted)))
    wall_s = time.monotonic() - start_s
    print(file=sys.stderr)
    cores = {part: (s - before_s.get(part, 0.0)) / wall_s for part, s in process.cpu_s().items()}
    audio_s = sum(spoken_s)
    return {"audio_per_s": audio_s / wall_s, "audio_s": audio_s, "wall_s": wall_s, "cpu_cores": cores}


def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "measured": True,
        "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
    }
    if "acoustic" in args.only:
        result["acoustic"] = acoustic(args)
    if "talker" in args.only:
        result["talker"] = talker(args)
    if "server" in args.only:
        result["server"] = uvloop.run(server(args))
    if args.json:
        args.json.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument(
        "--device", default=default_device(), help="device of the run of flow and vocoder alone (default: %(default)s)"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="(default: all three)")
    parser.add_argument(
        "--streams", type=int, nargs="+", default=[1, 2, 4, 8], help="how many at the same time (default: 1 2 4 8)"
    )
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="seconds that each stream speaks (default: %(default)g)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds that are measured (default: %(default)s)")
    parser.add_argument("--utterances", type=int, default=32, help="utterances of the server (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the texts of the server")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("server", nargs="*", metavar="-- ARGUMENT", help="arguments for the server that is started")
    sys.exit(main(parser.parse_args()))
