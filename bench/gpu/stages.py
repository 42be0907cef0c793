"""The stages of the runbook. Each gives rows, the most useful first, and is run in a process of its own."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch

from bench.gpu.bench import Bench, Row, Rows
from bench.gpu.bench_sizes import DTYPES, voice_of
from bench.gpu.timing import counted, peak_mib, timed_ms
from cosyvoice.errors import CacheFull
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.transfer import upload
from cosyvoice.vocoder.vocoder import Vocoder
from rtserver.engine.acoustic.device import capture_on, device_free_bytes, device_words, set_up

LOOKAHEAD_TOKENS = 3
# Mel frames of a hop.
_FRAMES = 50


def ceilings(bench: Bench) -> Rows:
    """The device: how fast it multiplies and copies, and what one call costs."""
    device, sizes = bench.device, bench.sizes
    set_up(device, tf32=False, memory_share=None)
    yield {"what": "device", **device_words(device), "free_mib": (device_free_bytes(device) or 0) >> 20}
    dim = sizes.flow.dit.dim
    for name, dtype in DTYPES.items():
        weight = torch.randn(2 * dim, dim, device=device, dtype=dtype)
        for batch in sizes.batches:
            x = torch.randn(100 * batch, dim, device=device, dtype=dtype)
            took = timed_ms(device, sizes.rounds, lambda x=x, weight=weight: x @ weight.t())  # type: ignore[misc]
            tflops = 2 * x.numel() * len(weight) / took["device_ms"] / 1e9 if took["device_ms"] else 0.0
            yield {"what": "matmul", "dtype": name, "rows": len(x), **took, "tflop_per_s": round(tflops, 2)}
    data = torch.empty(1 << (20 if sizes.rounds < 3 else 29), device=device, dtype=torch.uint8)
    took = timed_ms(device, sizes.rounds, data.clone)
    gb_per_s = 2 * data.numel() / took["device_ms"] / 1e6 if took["device_ms"] else 0.0
    yield {"what": "copy", "bytes": data.numel(), **took, "gb_per_s": round(gb_per_s, 1)}
    one = torch.zeros(1, device=device)
    yield {"what": "launch", **timed_ms(device, 10 * sizes.rounds, lambda: one.add_(1))}
    numbers = [[0] * 16] * 32
    yield {"what": "upload", **timed_ms(device, 10 * sizes.rounds, lambda: upload(numbers, one.device))}
    yield {"what": "download", **timed_ms(device, 10 * sizes.rounds, one.item)}


@torch.inference_mode()
def correct(bench: Bench) -> Rows:
    """Whether the device's numbers are right: packed against alone, pages against blocks, bfloat16 and TF32 against
    float32."""
    device, found = bench.device, dict[bool, torch.Tensor]()
    for tf32 in (False, True):
        set_up(device, tf32=tf32, memory_share=None)
        stepper = bench.sizes.stepper(device, torch.float32, bench.kv_bytes)
        (alone,), packed = _mel(stepper, 1), _mel(stepper, 3)
        differs = max(float((mel - alone).abs().max()) for mel in packed)
        yield {"what": "packed against alone", "tf32": tf32, "max": differs, "good": tf32 or differs < 1e-4}
        found[tf32] = alone
    exact, rounded = found[False], found[True]
    yield {"what": "TF32 against float32", "max": float((rounded - exact).abs().max())}
    set_up(device, tf32=False, memory_share=None)
    told = list[str]()
    paged = _mel(bench.sizes.stepper(device, torch.float32, bench.kv_bytes, paged=True, tell=told.append), 3)
    differs = max(float((mel - exact).abs().max()) for mel in paged)
    yield {"what": "pages against blocks", "told": told, "max": differs, "good": differs < 1e-4}
    half = _mel(bench.sizes.stepper(device, torch.bfloat16, bench.kv_bytes), 1)[0]
    mean, most = float((half - exact).abs().mean()), float((half - exact).abs().max())
    good = bool(torch.isfinite(half).all()) and mean <= 5e-3 and most <= 0.1
    yield {"what": "bfloat16 against float32", "mean": mean, "max": most, "good": good}


def flow_step(bench: Bench) -> Rows:
    """One Euler step of hops side by side, by data type, by the form of the flow's memory, and by what they have before
    them. Pages come first. Blocks are for comparison: they take many times as long, so only a few are measured."""
    set_up(bench.device, tf32=False, memory_share=None)
    sizes = bench.sizes
    every = list(itertools.product(sizes.contexts_s, sizes.batches))
    some = list(itertools.product(sizes.contexts_s[:2], sizes.batches[:4]))
    for form, name in itertools.product(("pages", "blocks"), ("bfloat16", "float32")):
        yield from _flow_form(bench, name, form, every if form == "pages" else some)
        # The memory is for the next form. Captured steps and their flow refer to each other.
        gc.collect()


def _flow_form(bench: Bench, name: str, form: str, sizes: Sequence[tuple[int, int]]) -> Rows:
    """sizes: seconds before the hops, and hops."""
    about: Row = {"dtype": name, "form": form}
    told = list[str]()
    stepper = bench.sizes.stepper(bench.device, DTYPES[name], bench.kv_bytes, paged=form == "pages", tell=told.append)
    if told:
        yield about | {"told": told}
    full_from: dict[int, int] = {}
    for context_s, hops in sizes:
        if hops >= full_from.get(context_s, hops + 1):
            continue
        row = about | {"hops": hops, "context_s": context_s}
        try:
            with hops_of(stepper, hops, context_s) as jobs:
                yield row | _step(bench, stepper, jobs)
        except (CacheFull, torch.OutOfMemoryError) as error:
            full_from[context_s] = hops
            yield row | {"error": str(error).splitlines()[0]}


@torch.inference_mode()
def vocoder_step(bench: Bench) -> Rows:
    """One call of the vocoder for streams side by side, a hop of 50 frames each, after their first. As plain PyTorch
    launches it, with the part that finds the pitch; then on a GPU as the server does it, in CUDA graphs."""
    capture, sizes = capture_on(bench.device), bench.sizes
    for path, tf32 in itertools.product(("eager",) if capture is None else ("eager", "graph"), (False, True)):
        set_up(bench.device, tf32=tf32, memory_share=None)
        vocoder, told = sizes.vocoder_on(bench.device), list[str]()
        if capture is not None and path == "graph":
            vocoder.speed_up(capture, (_FRAMES,), _FRAMES, told.append)
            yield {"path": path, "tf32": tf32, "told": told}
        for streams in sizes.batches:
            mels = torch.zeros(streams, sizes.vocoder.mel_bins, _FRAMES, device=bench.device)

            def call(vocoder: Vocoder = vocoder, mels: torch.Tensor = mels) -> list[torch.Tensor]:
                return vocoder.decode([(vocoder.open(), mel, False) for mel in mels])

            def pitch(vocoder: Vocoder = vocoder, mels: torch.Tensor = mels) -> None:
                vocoder.hift.f0_predictor(mels)

            row: Row = {"path": path, "streams": streams, "tf32": tf32, "samples": call()[0].numel()}
            row |= timed_ms(bench.device, sizes.rounds, call)
            if path == "eager":
                row["f0_device_ms"] = timed_ms(bench.device, sizes.rounds, pitch)["device_ms"]
                row["operations"] = counted(call)
            yield row | {"mib": peak_mib(bench.device)}


@contextlib.contextmanager
def hops_of(stepper: FlowStepper, count: int, context_s: int) -> Iterator[list[HopJob]]:
    """The next hops of so many streams that have said `context_s` seconds."""
    voice, streams = voice_of(stepper), list[FlowStream]()
    try:
        for _ in range(count):
            streams.append(FlowStream(stepper, voice))
        for _ in range(context_s):
            said = [stream.hop(_tokens(stream), final=False) for stream in streams]
            while not said[0].done:
                stepper.tick(said)
        yield [stream.hop(_tokens(stream), final=False) for stream in streams]
    finally:
        for stream in streams:
            stream.close()


def _tokens(stream: FlowStream) -> list[int]:
    """Of the next hop, with look-ahead."""
    return [1] * (stream.hop_tokens() + LOOKAHEAD_TOKENS)


def _step(bench: Bench, stepper: FlowStepper, jobs: list[HopJob]) -> Row:
    """What a step gives. It is computed again and again, so that hops stay where they are."""
    work = step_work(stepper, jobs)
    took = timed_ms(bench.device, bench.sizes.rounds, work)
    return {**took, "operations": counted(work), "mib": peak_mib(bench.device)}


def step_work(stepper: FlowStepper, jobs: list[HopJob]) -> Callable[[], object]:
    """One Euler step, which leaves the hops where they are."""
    return torch.inference_mode()(lambda: stepper.next_states(jobs))


def _mel(stepper: FlowStepper, count: int) -> list[torch.Tensor]:
    """The mel of so many equal hops that are computed together."""
    with hops_of(stepper, count, 0) as jobs:
        while not jobs[0].done:
            stepper.tick(jobs)
        return [job.mel.float().cpu() for job in jobs]
