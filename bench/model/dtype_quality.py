"""Does speech become worse when the flow, or the talker, calculates in bfloat16?

    python -m bench.model.dtype_quality --json dtype_quality.json
    python -m bench.model.dtype_quality --count 2 --languages en --ways "flow bf16"

The same sentences are spoken in four ways: all in float32, again in float32 with other seeds, with the flow in
bfloat16, and with the talker in bfloat16. The last two have the seeds of the first. Each way of each language is a run
of `bench.model.quality`, streamed. Whisper base gives the error rate, DistillMOS the naturalness (the groups `listen`
and `nano`). How far the two runs in float32 are apart is the spread that chance alone makes: a way is worse when it
loses more than that, or more than two standard errors of the differences by sentence, whichever is more.

The results are written after each run. What the file has already is not spoken again, so a run that was stopped goes
on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import describe_machine

_ROOT = Path(__file__).resolve().parents[2]
BASE, OTHER_SEEDS = "float32", "float32, other seeds"
# Arguments of `bench.model.quality` by way.
WAYS = {
    BASE: (),
    OTHER_SEEDS: ("--seed", "1000"),
    "flow bf16": ("--flow-dtype", "bfloat16"),
    "talker bf16": ("--talker-dtype", "bfloat16"),
}


@dataclass(frozen=True)
class Heard:
    """One way in one language, by sentence."""

    edits: list[int]
    units: list[int]
    naturalness: list[float]

    @classmethod
    def of(cls, found: dict[str, Any]) -> Heard:
        """From the JSON of `bench.model.quality`."""
        scores = found["sentences"]["streamed"]
        return cls([s["edits"] for s in scores], [s["units"] for s in scores], found["naturalness"])

    @property
    def error_rate(self) -> float:
        return sum(self.edits) / sum(self.units)

    @property
    def mos(self) -> float:
        return statistics.fmean(self.naturalness)


@dataclass(frozen=True)
class Loss:
    """What one way loses against another, as a mean over sentences, and its standard error. Below 0 it gains."""

    mean: float
    standard_error: float

    @classmethod
    def of(cls, losses: Sequence[float]) -> Loss:
        error = statistics.stdev(losses) / len(losses) ** 0.5 if len(losses) > 1 else float("inf")
        return cls(statistics.fmean(losses), error)

    def is_worse_than(self, spread: Loss) -> bool:
        """Whether it is more than chance, which `spread` shows, explains."""
        return self.mean > max(abs(spread.mean), 2 * self.standard_error)


def error_loss(base: Heard, other: Heard) -> Loss:
    """In errors per unit of text."""
    units = sum(base.units) / len(base.units)
    return Loss.of([(b - a) / units for a, b in zip(base.edits, other.edits, strict=True)])


def mos_loss(base: Heard, other: Heard) -> Loss:
    """In points of DistillMOS."""
    return Loss.of([a - b for a, b in zip(base.naturalness, other.naturalness, strict=True)])


def summary(heard: dict[str, Heard]) -> dict[str, Any]:
    """One language."""
    base, other_seeds = heard[BASE], heard.get(OTHER_SEEDS)
    found: dict[str, Any] = {}
    for way, it in heard.items():
        found[way] = {"error_rate": round(it.error_rate, 4), "mos": round(it.mos, 3)}
        if way == BASE:
            continue
        losses = {"error": (error_loss(base, it), error_loss), "mos": (mos_loss(base, it), mos_loss)}
        for name, (loss, spread) in losses.items():
            found[way][f"{name}_loss"] = {"mean": round(loss.mean, 4), "standard_error": round(loss.standard_error, 4)}
            if other_seeds is not None and way != OTHER_SEEDS:
                found[way][f"{name}_worse"] = loss.is_worse_than(spread(base, other_seeds))
    return found


def spoken(language: str, way: str, count: int, folder: Path) -> dict[str, Any]:
    """One run of `bench.model.quality`: its JSON."""
    file = folder / f"{language} {way}.json"
    fixed = ("--only-streamed", "--naturalness", "--language", language, "--count", str(count), "--json", str(file))
    command = [sys.executable, "-m", "bench.model.quality", *fixed, *WAYS[way]]
    subprocess.run(command, cwd=_ROOT, check=True)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def main(args: argparse.Namespace) -> None:
    result: dict[str, Any] = {"machine": describe_machine(), "count": args.count}
    if args.json and args.json.exists():
        result = json.loads(args.json.read_text(encoding="utf-8"))
        if result["count"] != args.count:
            raise SystemExit(f"{args.json}: expected {args.count} sentences, found {result['count']}")
    with tempfile.TemporaryDirectory() as folder:
        for language in args.languages:
            kept = result.get(language, {"sentences": {}})["sentences"]
            heard = {way: Heard(**it) for way, it in kept.items()}
            for way in dict.fromkeys((BASE, *args.ways)):
                if way in heard:
                    continue
                print(f"{language}: {way}", flush=True)
                heard[way] = Heard.of(spoken(language, way, args.count, Path(folder)))
                result[language] = {
                    "ways": summary(heard),
                    "sentences": {name: vars(it) for name, it in heard.items()},
                }
                print(json.dumps(result[language]["ways"], indent=1), flush=True)
                if args.json:  # after each run: it takes long
                    args.json.write_text(json.dumps(result) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", nargs="+", default=["en", "zh"], choices=["en", "zh"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--count", type=int, default=30, help="sentences of each language (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the results here")
    main(parser.parse_args())
