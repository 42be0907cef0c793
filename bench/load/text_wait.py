"""How much is speaking word by word worth? Compares the first sound with that of a client that waits for the sentence.

    python -m bench.load.text_wait --rates 5 30 --json text_wait.json

Sentences of 15 words (texts/fifteen_words.txt) are written at an even pace. Each is sent in two ways, one after the
other: word by word, and as a whole when it is complete. Text wait: from the first word to the words that the first
sound needed. Compute: from there to the first frame. Both are medians over sentences of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.load.server_process import measured_server
from bench.load.turn import Turn, speak, texts
from bench.machine import describe_machine
from rtclient import Session, connect


def compute_ms(turn: Turn) -> float:
    """From enough text to the first frame, as the server measured it."""
    assert turn.done is not None
    return turn.done.timings["ttfa_from_text"] - turn.done.timings["text_wait"]


async def compare(session: Session, tokens_per_s: float, rounds: int) -> dict[str, Any]:
    """Speaks every sentence in both ways."""
    turns: dict[str, list[Turn]] = {"words": [], "sentence": []}
    sentences = texts("fifteen_words") * rounds
    for index, sentence in enumerate(sentences):
        print(f"\r{tokens_per_s:g} tokens a second: {index + 1} of {len(sentences)}", end="", file=sys.stderr)
        for way, done in turns.items():
            turn = await speak(
                session,
                sentence,
                tokens_per_s=tokens_per_s,
                seed=index,
                language="en",
                wait_for_sentence=way == "sentence",
            )
            done.append(turn)
    result: dict[str, Any] = {"tokens_per_s": tokens_per_s}
    for way, done in turns.items():
        computes = [compute_ms(turn) for turn in done]
        result[way] = {
            "ttfa_ms": round(statistics.median(t.ttfa_s * 1000 for t in done)),
            "text_wait_ms": round(statistics.median(t.ttfa_s * 1000 - c for t, c in zip(done, computes))),
            "compute_ms": round(statistics.median(computes)),
            "text_starved_ms": round(statistics.median(t.starved_s * 1000 for t in done)),
            "underrun_turns": sum(t.underrun_s > 0.001 for t in done),
        }
    result["text_wait_ratio"] = round(result["words"]["text_wait_ms"] / result["sentence"]["text_wait_ms"], 3)
    return result


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    results = []
    async with measured_server(args.url, ["--model", args.model]) as server, connect(server.url) as session:
        await speak(session, texts("english")[0], tokens_per_s=30, language="en")
        for rate in args.rates:
            result = await compare(session, rate, args.rounds)
            results.append(result)
            print(f"\r{rate:g} tokens a second:" + " " * 30)
            for way in ("words", "sentence"):
                r = result[way]
                print(
                    f"  {way:9s} TTFA {r['ttfa_ms']:5d} ms = text wait {r['text_wait_ms']:5d} + compute "
                    f"{r['compute_ms']:4d}; text starved {r['text_starved_ms']} ms; "
                    f"underruns in {r['underrun_turns']} turns"
                )
            print(f"  text wait {result['text_wait_ratio']:.2f} of waiting for the sentence")
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "results": results}, indent=1))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[5, 30], metavar="N", help="tokens a second")
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often all sentences are spoken, each time with another seed"
    )
    parser.add_argument("--url", help="a running server (default: one is started)")
    parser.add_argument("--model", default="nano", metavar="DIR|nano", help="model of the server that is started")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
