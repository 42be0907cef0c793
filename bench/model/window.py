"""What does a window of keys and values save and change? A stream's memory, the cost of a hop, the deviation of the
mel.

    OMP_NUM_THREADS=1 python -m bench.model.window --json window.json
    OMP_NUM_THREADS=1 python -m bench.model.window --windows 1 2 4 --context-s 10 --random-tokens

One sequence is spoken by a stream without a window, and by one stream for each window. With a window, a hop sees only
the voice's prompt and the last seconds. It prints for each window, all measured:

- the bytes that a stream reserves, without the prompt, which the streams of a voice share;
- CPU and wall time of a hop after --context-s, median over rounds, and the median of its ratio to the hop without a
  window in the same round. Each round times every stream once. A hop is cancelled before its last Euler step, and its
  time is scaled up;
- the deviation of the mel from the one without a window: root mean square in dB over the frames that see less.

For comparison it prints the same deviation between full attention (as the original has offline) and the chunk mask that
all streams have. The tokens are those that the talker gives for shipped sentences, sequence after sequence.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.machine import describe_machine
from bench.model.flow_hop import Timings
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.flow.voice import FlowVoice
from cosyvoice.models import resolve_model
from cosyvoice.talker.talker import Talker
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.text_plan import TextPlan, TextPolicy
from rtserver.reader.text_front import TextFront, engine_segments

TEXTS = Path(__file__).parents[1] / "texts" / "english.txt"
DECIBELS = 20 / math.log(10)  # for a difference of 1 in the mel, which is a natural logarithm of magnitudes
KV_BYTES = 1 << 40


@dataclass(frozen=True)
class Row:
    """The result of one window. `window_s` is None for the stream without one."""

    window_s: float | None
    stream_bytes: int
    hop_cpu_s: float
    hop_wall_s: float
    ratio_to_no_window: float
    deviation_db: float


class WindowedStream:
    """One stream that has spoken the context, and the times of its next hop."""

    def __init__(self, flow: FlowStepper, voice: FlowVoice, tokens: list[int], window_tokens: int | None) -> None:
        self.flow = flow
        self.tokens = tokens
        self.hop = Timings()
        self.reservation: FlowReservation = flow.memory.reserve(voice, len(tokens), max_window_tokens=window_tokens)
        self.stream = FlowStream(flow, voice, self.reservation)
        mels = []
        while self.stream.tokens_done + self.stream.hop_tokens() <= len(tokens) - self._hop_end:
            mels.append(flow.run(self.stream.hop(self._next(), final=False)))
        self.mel = torch.cat(mels, 1)

    @property
    def _hop_end(self) -> int:
        """Tokens that the timed hop needs, with its look-ahead."""
        return self.flow.config.chunk_tokens + self.flow.config.lookahead_tokens

    def time_hop(self) -> None:
        steps = self.flow.config.euler_steps
        self.hop.add(self._partial_hop, self.stream, steps / (steps - 1))

    def row(self, base: WindowedStream, rate_hz: float) -> Row:
        """The result, compared with the stream without a window."""
        frames, config = self.reservation.window_frames, self.flow.config
        window_s = None if frames is None else frames / config.frames_per_token / rate_hz
        return Row(
            window_s=window_s,
            stream_bytes=self.reservation.size_bytes,
            hop_cpu_s=statistics.median(self.hop.cpu_s),
            hop_wall_s=statistics.median(self.hop.wall_s),
            ratio_to_no_window=statistics.median(a / b for a, b in zip(self.hop.cpu_s, base.hop.cpu_s)),
            deviation_db=0.0 if frames is None else deviation_db(self.mel[:, frames:], base.mel[:, frames:]),
        )

    def _next(self) -> list[int]:
        done = self.stream.tokens_done
        return self.tokens[done : done + self.stream.hop_tokens() + self.flow.config.lookahead_tokens]

    def _partial_hop(self, stream: FlowStream) -> None:
        job = stream.hop(self._next(), final=False)
        for _ in range(self.flow.config.euler_steps - 1):
            self.flow.tick([job])
        stream.cancel()


def deviation_db(mel: Tensor, other: Tensor) -> float:
    """Root mean square over frames and bands. 0 if there are none."""
    return DECIBELS * float((mel - other).square().mean().sqrt()) if mel.numel() else 0.0


def spoken_tokens(models: AcousticModels, voice: SpeakingVoice, count: int) -> list[int]:
    """The first `count` speech tokens of the shipped sentences, read as one text, without the silences that the server
    leaves out."""
    policy = TextPolicy.of(models.config, streaming=False)
    utterance = TextPlan(models.config.talker, voice.talker_prompt(streaming=False), policy, seed=0)
    stream = TextFront(models.config).stream(words=False)
    text = " ".join(TEXTS.read_text(encoding="utf-8").splitlines())
    utterance.feed(engine_segments([*stream.feed(text), *stream.end()]))
    utterance.end()
    talker = Talker(models.config)
    tokens: list[int] = []
    while len(tokens) < count and (quantum := utterance.next_quantum(10_000)) is not None:
        talker.add(f"{len(tokens)}", quantum, utterance.quantum_seed)
        while talker.busy:
            for sampled in talker.step():
                utterance.accept(sampled.ids)
        tokens = [token for spoken in utterance.spoken for token in spoken.flow_tokens]
        print(f"{len(tokens)} of {count} tokens", file=sys.stderr, flush=True)
    talker.close()
    if len(tokens) < count:
        raise SystemExit(f"{TEXTS}: expected text of {count} tokens, found {len(tokens)}")
    return tokens[:count]


def full_attention_db(flow: FlowStepper, voice: SpeakingVoice, tokens: list[int]) -> float:
    """The deviation of the mel that the chunk mask of all streams causes, compared with full attention."""
    prompt = (voice.conditioning.flow_tokens, voice.conditioning.flow_mel, voice.conditioning.speaker)
    full, masked = (flow.full(tokens, *prompt, block_mask=mask, finalize=True) for mask in (False, True))
    return deviation_db(full, masked)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--voice", default="英文女")
    parser.add_argument("--windows", type=float, nargs="+", default=[2, 4, 8, 16], help="seconds (default: 2 4 8 16)")
    parser.add_argument("--context-s", type=float, default=20.0, help="seconds that are spoken before the timed hop")
    parser.add_argument(
        "--random-tokens",
        action="store_true",
        help="random tokens instead of the talker's: the cost is the same, the mel is noise",
    )
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds, after a warm-up round")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    models = AcousticModels(resolve_model(args.model), kv_bytes=KV_BYTES)
    flow, rate_hz = models.flow, models.config.token_rate_hz
    voice = models.voice(args.voice, "sft", "", None)
    count = round(args.context_s * rate_hz) + flow.config.chunk_tokens + flow.config.lookahead_tokens
    if args.random_tokens:
        generator = torch.Generator().manual_seed(1)
        tokens: list[int] = torch.randint(flow.config.vocab, (count,), generator=generator).tolist()
    else:
        tokens = spoken_tokens(models, voice, count)
    windows = [None, *(round(seconds * rate_hz) for seconds in sorted(args.windows, reverse=True))]
    streams = [WindowedStream(flow, voice.flow, tokens, window) for window in windows]
    for number in range(args.rounds + 1):
        for stream in streams:
            stream.time_hop()
            if number == 0:
                stream.hop = Timings()
    rows = [stream.row(streams[0], rate_hz) for stream in streams]
    scale_db = full_attention_db(flow, voice, tokens)
    context_s = streams[0].stream.tokens_done / rate_hz
    print(f"measured, {voice.name}, a hop of 1 s after {context_s:.1f} s")
    for row in rows:
        name = "no window" if row.window_s is None else f"{row.window_s:4.0f} s    "
        text = f"{name}  {row.stream_bytes / 2**20:7.2f} MiB a stream  hop {1e3 * row.hop_cpu_s:6.1f} ms CPU"
        text += f"  {1e3 * row.hop_wall_s:6.1f} ms wall  {row.ratio_to_no_window:5.3f} of no window"
        print(text + f"  mel {row.deviation_db:5.2f} dB RMS from no window")
    print(f"for comparison: the chunk mask moves the mel of full attention by {scale_db:.2f} dB RMS")
    if args.json:
        result = {
            "machine": describe_machine(),
            "kind": "measured",
            "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
            "voice": voice.name,
            "context_s": context_s,
            "rows": [asdict(row) for row in rows],
            "full_attention_deviation_db": scale_db,
        }
        args.json.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
