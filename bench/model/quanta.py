"""How much does cutting talker sequences into quanta cost? CPU time compared with uncut requests, in one run.

    python -m bench.model.quanta --model nano --batches 1 8 32 --quanta 15 25 --json quanta.json

Each round runs the same sequences uncut and cut, in turn. So if the machine's speed changes, it changes for both. It
prints the median CPU milliseconds per speech token, and the median of the ratios of each round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from bench.machine import describe_machine
from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from cosyvoice.talker.layout import LengthLimits, TalkerPrompt, TalkerSequence
from cosyvoice.talker.talker import Talker


def make_sequences(config: ModelConfig, batch: int, text_ids: int, tokens: int) -> list[TalkerSequence]:
    """Sequences of equal length: the end of speech is masked up to their maximum, so that all cuts do the same work."""
    ratio = tokens / text_ids
    limits = LengthLimits(min_tokens_per_text_id=ratio + 1, max_tokens_per_text_id=ratio, max_tokens=tokens)
    sequences = []
    for row in range(batch):
        speech = tuple((row * 31 + 7 * i) % config.talker.speech_tokens for i in range(75))
        sequence = TalkerSequence(config.talker, TalkerPrompt((2,), tuple(range(20, 60)), speech), limits, False)
        sequence.feed([(row * 13 + 5 * i) % 150 + 20 for i in range(text_ids)])
        sequence.end()
        sequences.append(sequence)
    return sequences


def run(talker: Talker, sequences: list[TalkerSequence], quantum_tokens: int, tag: str) -> float:
    """Speaks all sequences together. Returns the CPU seconds."""
    start = time.process_time()
    names = {f"{tag}-{row}": (row, sequence) for row, sequence in enumerate(sequences)}

    def add(name: str) -> bool:
        row, sequence = names[name]
        quantum = sequence.next_quantum(quantum_tokens)
        if quantum is not None:
            talker.add(name, quantum, row)
        return quantum is not None

    for name in names:
        add(name)
    while talker.busy:
        for sampled in talker.step():
            names[sampled.request][1].accept(sampled.ids)
            add(sampled.request)
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32], help="sequences at once")
    parser.add_argument("--quanta", type=int, nargs="+", default=[15, 25], help="tokens per quantum")
    parser.add_argument("--tokens", type=int, default=150, help="speech tokens per sequence (150 = 6 s)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    config = ModelConfig.load(resolve_model(args.model))
    talker = Talker(config)
    rows = []
    for batch in args.batches:
        times: dict[int, list[float]] = {cut: [] for cut in (args.tokens, *args.quanta)}
        for round_index in range(args.rounds + 1):
            for cut, samples in times.items():
                # New text each time, because a repeated prompt would come from the prefix cache.
                sequences = make_sequences(config, batch, 60 + round_index, args.tokens)
                talker.forget_prefixes()
                seconds = run(talker, sequences, cut, f"{batch}-{round_index}-{cut}")
                if round_index:  # the first round is a warm-up
                    samples.append(seconds)
        whole = times[args.tokens]
        for cut in args.quanta:
            ratio = statistics.median(c / w for c, w in zip(times[cut], whole, strict=True))
            per_token_ms = 1e3 * statistics.median(times[cut]) / (batch * args.tokens)
            whole_ms = 1e3 * statistics.median(whole) / (batch * args.tokens)
            rows.append({"batch": batch, "quantum": cut, "ratio": ratio, "cpu_ms": per_token_ms, "uncut_ms": whole_ms})
            print(
                f"batch {batch:3d}  quantum {cut:3d}  {per_token_ms:6.2f} ms CPU a token, uncut {whole_ms:6.2f}: "
                f"{100 * (ratio - 1):+.1f} %",
                flush=True,
            )
    talker.close()
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
