"""How much does one flow hop cost as the utterance grows? a + b * context tokens, compared with computing everything
again.

    OMP_NUM_THREADS=1 python -m bench.model.flow_hop --model nano --json flow_hop.json
    OMP_NUM_THREADS=1 python -m bench.model.flow_hop --true-size --rounds 3 --recompute 0 400

A hop computes one chunk of 50 frames (25 speech tokens, 1 s) through all Euler steps. It reads the keys and values of
everything before it. Recomputation runs the prompt and all tokens so far again, as the original does.

The prompt has whole chunks and three more tokens, so that the first hop is one chunk like all others. A context ends at
the last hop boundary before the given number of tokens. Each round times every context once, hop and recomputation in
turn. So if the machine's speed changes, it changes for all. A hop is cancelled before its last Euler step and timed
again in the next round from the same state: its time is that of the other steps, scaled up. Tokens and prompt are
random, because the cost does not depend on them.

It prints medians of CPU time and wall time over the rounds, the fitted a + b * T of the CPU time, and medians of the
ratios of each round. --true-size takes random weights of the released sizes (1.3 GB in fp32, 3.4 MiB of cache a frame).
Expect about three seconds of CPU a hop, and a minute to compute 400 tokens again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from bench.machine import describe_machine
from cosyvoice.checkpoint import FLOW_FILES, find_file, load_module, load_state
from cosyvoice.config import DitConfig, FlowConfig, ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import resolve_model

TRUE_SIZE = FlowConfig(vocab=6561, lookahead_channels=1024, dit=DitConfig(dim=1024, depth=22, heads=16, head_dim=64))
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass
class Timings:
    """Seconds of one kind of work, one value for each round."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def add(self, work: Callable[[FlowStream], None], stream: FlowStream, scale: float = 1.0) -> None:
        """Runs and times `work`."""
        cpu, wall = time.process_time(), time.perf_counter()
        work(stream)
        self.cpu_s.append(scale * (time.process_time() - cpu))
        self.wall_s.append(scale * (time.perf_counter() - wall))


@dataclass
class Context:
    """A stream that has spoken `tokens` tokens, and the times of its next hop."""

    tokens: int
    stream: FlowStream
    hop: Timings = field(default_factory=Timings)
    recompute: Timings | None = None


@dataclass(frozen=True)
class Row:
    """The result of one context. Ratios are medians over rounds."""

    context_tokens: int
    hop_cpu_s: float
    hop_wall_s: float
    ratio_to_first: float
    recompute_cpu_s: float | None
    recompute_wall_s: float | None
    recompute_over_hop: float | None


def load_flow(args: argparse.Namespace) -> FlowStepper:
    """The flow of a model directory, or one with the released sizes and random weights."""
    wanted = {"cfg_rate": args.cfg_rate, "euler_steps": args.euler_steps}
    given = {name: value for name, value in wanted.items() if value is not None}
    if args.true_size:
        torch.manual_seed(0)
        flow = Flow(replace(TRUE_SIZE, **given)).requires_grad_(False)
    else:
        directory = resolve_model(args.model)
        flow = Flow(replace(ModelConfig.load(directory).flow, **given))
        path = find_file(directory, FLOW_FILES)
        load_module(path, flow, load_state(path))
    memory = FlowMemory(flow.config, kv_bytes=1 << 40, block_chunks=args.block_chunks, dtype=DTYPES[args.dtype])
    return FlowStepper(flow, memory)


class HopBench:
    """One random prompt and text, and one stream for each context."""

    def __init__(self, flow: FlowStepper, prompt_chunks: int, contexts: list[int], recompute: list[int]) -> None:
        self.flow = flow
        config = flow.config
        generator = torch.Generator().manual_seed(1)
        prompt_tokens = prompt_chunks * config.chunk_tokens + config.lookahead_tokens
        length = max(contexts) + 2 * config.chunk_tokens
        self.tokens: list[int] = torch.randint(config.vocab, (length,), generator=generator).tolist()
        self.prompt = (
            torch.randint(config.vocab, (prompt_tokens,), generator=generator),
            torch.randn((config.frames_per_token * prompt_tokens, config.mel_bins), generator=generator),
            torch.randn(config.spk_embed_dim, generator=generator),
        )
        self.voice = flow.voice(*self.prompt)
        self.contexts = [self._speak(tokens) for tokens in contexts]
        for context, wanted in zip(self.contexts, contexts):
            if wanted in recompute:
                context.recompute = Timings()

    def round(self) -> None:
        """Times every context once."""
        steps = self.flow.config.euler_steps
        for context in self.contexts:
            context.hop.add(self._hop, context.stream, steps / (steps - 1))
            if context.recompute is not None:
                context.recompute.add(self._recompute, context.stream)

    def forget_round(self) -> None:
        """Drops the times so far, which were a warm-up."""
        for context in self.contexts:
            context.hop = Timings()
            if context.recompute is not None:
                context.recompute = Timings()

    def rows(self) -> list[Row]:
        """One row for each context, in order. Ratios are to the first one."""
        first = self.contexts[0].hop.cpu_s
        return [self._row(context, first) for context in self.contexts]

    def _speak(self, tokens: int) -> Context:
        """A stream whose next hop begins at the last boundary up to `tokens`."""
        stream = FlowStream(self.flow, self.voice)
        while stream.tokens_done + stream.hop_tokens() <= tokens:
            self.flow.run(stream.hop(self._next(stream), final=False))
        return Context(stream.tokens_done, stream)

    def _next(self, stream: FlowStream) -> list[int]:
        done = stream.tokens_done
        return self.tokens[done : done + stream.hop_tokens() + self.flow.config.lookahead_tokens]

    def _hop(self, stream: FlowStream) -> None:
        job = stream.hop(self._next(stream), final=False)
        for _ in range(self.flow.config.euler_steps - 1):
            self.flow.tick([job])
        stream.cancel()

    def _recompute(self, stream: FlowStream) -> None:
        tokens = self.tokens[: stream.tokens_done] + self._next(stream)
        self.flow.full(tokens, *self.prompt, block_mask=True, finalize=False)

    @staticmethod
    def _row(context: Context, first: list[float]) -> Row:
        hop, full = context.hop, context.recompute
        return Row(
            context_tokens=context.tokens,
            hop_cpu_s=statistics.median(hop.cpu_s),
            hop_wall_s=statistics.median(hop.wall_s),
            ratio_to_first=statistics.median(h / f for h, f in zip(hop.cpu_s, first)),
            recompute_cpu_s=statistics.median(full.cpu_s) if full else None,
            recompute_wall_s=statistics.median(full.wall_s) if full else None,
            recompute_over_hop=statistics.median(r / h for r, h in zip(full.cpu_s, hop.cpu_s)) if full else None,
        )


def fit(rows: list[Row]) -> dict[str, float] | None:
    """Least squares fit of CPU seconds = a + b * context tokens. None for a single context."""
    if len(rows) < 2:
        return None
    line = statistics.linear_regression([r.context_tokens for r in rows], [r.hop_cpu_s for r in rows])
    return {"a_cpu_s": line.intercept, "b_cpu_s_per_token": line.slope}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--model", default="nano", help="model directory, or nano (default)")
    size.add_argument("--true-size", action="store_true", help="random weights of the released sizes")
    parser.add_argument(
        "--contexts",
        type=int,
        nargs="+",
        default=[0, 100, 200, 400],
        help="numbers of tokens that were spoken before the hop",
    )
    parser.add_argument("--recompute", type=int, nargs="*", help="contexts to compute again as well (default: all)")
    parser.add_argument("--prompt-chunks", type=int, default=3, help="whole chunks of the prompt (3 = 3 s)")
    parser.add_argument(
        "--block-chunks", type=int, help="chunks by which a stream's cache grows (default: as in serving)"
    )
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="type of weights, activations and cache")
    parser.add_argument(
        "--cfg-rate", type=float, help="guidance; 0 for none: one row instead of two (default: the model's)"
    )
    parser.add_argument("--euler-steps", type=int, help="(default: the model's)")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after a warm-up round")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    contexts = sorted(set(args.contexts))
    recompute = contexts if args.recompute is None else args.recompute
    flow = load_flow(args)
    if flow.config.euler_steps < 2:
        parser.error("hops are timed without their last Euler step: the model needs at least two")
    bench = HopBench(flow, args.prompt_chunks, contexts, recompute)
    for number in range(args.rounds + 1):
        bench.round()
        if number == 0:
            bench.forget_round()
    rows = bench.rows()
    for row in rows:
        text = f"context {row.context_tokens:4d} tokens  hop {row.hop_cpu_s:8.4f} s CPU  {row.hop_wall_s:8.4f} s wall"
        text += f"  {row.ratio_to_first:5.2f} of the first"
        if row.recompute_cpu_s is not None:
            text += f"  recomputed {row.recompute_cpu_s:8.4f} s CPU, {row.recompute_over_hop:5.1f} times the hop"
        print(text)
    line = fit(rows)
    if line is not None:
        print(f"hop = {line['a_cpu_s']:.4f} s + {1e3 * line['b_cpu_s_per_token']:.4f} ms a context token (CPU)")
    if args.json:
        result = {
            "machine": describe_machine(),
            "model": "released sizes, random weights" if args.true_size else args.model,
            "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
            "rows": [asdict(row) for row in rows],
            "fit": line,
        }
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
