"""Sends frames, most of them wrong, to the input path of the native wire, and checks the answers.

    python -m bench.load.fuzz --frames 1000000 --seed 0 --json fuzz.json

Sessions without sockets take 250 frames each, with engine events between them. Session n (from 0) is drawn with seed +
n. So a crash can be repeated with its session alone: the report has the seed and the number of frames for it. It prints
how frames were answered, how much CPU time each source of frames took, the slowest frame, and crashes. A crash is a
frame that raises, or whose answer breaks the rules that `Player` knows. If there is a crash, the exit status is
1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

from bench.load.fuzzing.frames import Frame, draw_frame
from bench.load.fuzzing.player import Outcome, Player
from bench.machine import describe_machine

FRAMES_PER_SESSION = 250
_SHOWN_CRASHES = 20
_PROGRESS_S = 5.0


@dataclass
class Source:
    """Sums over the frames of one source."""

    frames: int = 0
    cpu_s: float = 0.0
    slowest_ms: float = 0.0


@dataclass(frozen=True)
class Crash:
    """A frame that caused a crash, and how to repeat it."""

    # Seed of the session.
    seed: int
    # Number of frames of the session up to the crash.
    frames: int
    source: str
    error: str
    where: str
    frame: str


@dataclass
class Report:
    """The results of a run."""

    # Frames by answer and form.
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    # By answer: frames that ended a context.
    ended: Counter[str] = field(default_factory=Counter)
    sources: dict[str, Source] = field(default_factory=dict)
    crashes: list[Crash] = field(default_factory=list)
    slowest_ms: float = 0.0
    slowest: str = ""
    wall_s: float = 0.0

    @property
    def frames(self) -> int:
        return sum(source.frames for source in self.sources.values())

    def plain(self) -> dict[str, object]:
        """As plain values, for a file."""
        return vars(self) | {
            "answers": [{"answer": a, "form": f, "frames": n} for (a, f), n in sorted(self.answers.items())],
            "sources": {name: asdict(source) for name, source in self.sources.items()},
            "crashes": [asdict(crash) for crash in self.crashes],
        }

    def count(self, source: str, form: str, outcome: Outcome, describe: Callable[[], str]) -> None:
        self.answers[outcome.answer, form] += 1
        self.ended[outcome.answer] += outcome.ended
        cost, ms = self.sources[source], outcome.cpu_s * 1e3
        cost.cpu_s += outcome.cpu_s
        cost.slowest_ms = max(cost.slowest_ms, ms)
        if ms > self.slowest_ms:
            self.slowest_ms, self.slowest = ms, describe()


def fuzz(frames: int, seed: int, progress: Callable[[Report], None] = lambda report: None) -> Report:
    """Sends `frames` frames to one session after the other."""
    report, start_s = Report(), time.perf_counter()
    while frames > report.frames:
        _fuzz_session(min(frames - report.frames, FRAMES_PER_SESSION), seed, report)
        seed += 1
        report.wall_s = time.perf_counter() - start_s
        progress(report)
    return report


def _fuzz_session(frames: int, seed: int, report: Report) -> None:
    """A session ends at its first crash."""
    rng = Random(seed)
    player = Player(rng)
    source, number = "none", 0
    frame: Frame = ""
    try:
        for number in range(1, frames + 1):
            source, frame = draw_frame(rng, player.limits.message_bytes)
            report.sources.setdefault(source, Source()).frames += 1
            form = "msgpack" if isinstance(frame, bytes) else "json"
            where = f"{source}, {form}, --seed {seed} --frames {number}"
            report.count(source, form, player.take(frame), lambda w=where, f=frame: f"{w}: {_shown(f)}")  # type: ignore[misc]
            player.pass_time()
        player.close()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        what = f"{type(error).__name__}: {str(error)[:300]}"
        report.crashes.append(Crash(seed, number, source, what, where, _shown(frame, 2000)))


def _shown(frame: Frame, limit: int = 80) -> str:
    return repr(frame[:limit]) + (f"... of {len(frame)}" if len(frame) > limit else "")


def print_report(report: Report) -> None:
    print(f"{'answer':<22}{'json':>10}{'msgpack':>10}{'ended a context':>17}")
    for answer in sorted({answer for answer, _ in report.answers}):
        counts = [report.answers[answer, form] for form in ("json", "msgpack")]
        print(f"{answer:<22}{counts[0]:>10,}{counts[1]:>10,}{report.ended[answer]:>17,}")
    print(f"\n{'source':<22}{'frames':>10}{'mean us':>10}{'slowest ms':>17}")
    for name, source in sorted(report.sources.items()):
        mean_us = 1e6 * source.cpu_s / source.frames
        print(f"{name:<22}{source.frames:>10,}{mean_us:>10.1f}{source.slowest_ms:>17.2f}")
    cpu_s = sum(source.cpu_s for source in report.sources.values())
    rates = f"{report.frames / report.wall_s:,.0f} frames/s, {report.frames / cpu_s:,.0f} by CPU in the input path"
    print(f"\n{report.frames:,} frames in {report.wall_s:.0f} s: {rates}")
    print(f"slowest frame {report.slowest_ms:.2f} ms CPU: {report.slowest}")
    print(f"crashes: {len(report.crashes)}")
    for crash in report.crashes[:_SHOWN_CRASHES]:
        print(f"\n--seed {crash.seed} --frames {crash.frames} ({crash.source}): {crash.error} at {crash.where}")
        print(f"  {crash.frame}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000, help="how many frames (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the first session (default 0); session n has this seed + n"
    )
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    told_s = 0.0

    def progress(report: Report) -> None:
        nonlocal told_s
        if report.wall_s - told_s >= _PROGRESS_S:
            told_s = report.wall_s
            print(f"{report.frames:,} frames, {len(report.crashes)} crashes", file=sys.stderr, flush=True)

    report = fuzz(args.frames, args.seed, progress)
    print_report(report)
    if args.json:
        found = {"machine": describe_machine(), "seed": args.seed, **report.plain()}
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 1 if report.crashes else 0


if __name__ == "__main__":
    sys.exit(main())
