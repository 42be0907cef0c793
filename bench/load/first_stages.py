"""Where does the time to the first audio of a sentence go? Sentences one after the other, each given whole.

    OMP_NUM_THREADS=1 python -m bench.load.first_stages --json first_stages.json
    OMP_NUM_THREADS=1 python -m bench.load.first_stages --before ../older --json first_stages.json

First audio: from sending the text over the native socket to the first frame. The stages come from the server's own
trace, and together they are this time. `gap`: the longest silence that a listener hears who plays from the first frame
on. `spare`: how long before it would run dry the second sound came. `pace`: how long the talker's answers took, as a
line over their ids (`_CPU_PACE` in rtserver/engine/acoustic/device.py is such a line). With --before, a server of an
older checkout says each sentence in turn with one of these sources.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench.load.first_path import STAGES, FirstPath, first_path, pace_of
from bench.load.start import started
from bench.load.turn import percentile, texts
from bench.machine import describe_machine
from rtclient import Session, connect
from rtserver.metrics.utterance_trace import UtteranceTrace
from rtserver.schedule.playback import Playback

_ROOT = Path(__file__).resolve().parents[2]
_TEXTS = {"en": "english", "zh": "mandarin"}


@dataclass(frozen=True)
class Sentence:
    """What a listener got of one sentence."""

    language: str
    text: str
    first_audio_s: float
    # The longest silence between two sounds.
    gap_s: float
    path: FirstPath


async def said(session: Session, http: aiohttp.ClientSession, url: str, language: str, text: str) -> Sentence:
    """Says a sentence and asks for its trace."""
    playback, gap_s, heard_s = Playback(), 0.0, 0.0
    sent_s = time.monotonic()
    async with session.speak(text, language=language, seed=1, marks=False) as speech:
        async for audio in speech:
            now_s = time.monotonic()
            heard_s = heard_s or now_s
            gap_s = max(gap_s, playback.sent(len(audio.pcm) / 2 / session.info.sample_rate, now_s))
        assert speech.started is not None, "a speech that is over has started"
        name = speech.started.id
    async with http.get(f"{url}/v1/trace/{name}") as response:
        trace = msgspec.json.decode(await response.read(), type=UtteranceTrace)
    path = first_path(trace.spans, trace.begins_s, sent_s, heard_s)
    return Sentence(language, text, heard_s - sent_s, gap_s, path)


async def all_said(urls: Sequence[str], sentences: int, rounds: int) -> list[list[Sentence]]:
    """What each server said. They say each sentence in turn."""
    found: list[list[Sentence]] = [[] for _ in urls]
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        sessions = [await stack.enter_async_context(connect(url)) for url in urls]
        for url, session in zip(urls, sessions):
            for language, name in _TEXTS.items():
                await said(session, http, url, language, texts(name)[-1])  # the first use of a voice
        for _ in range(rounds):
            for language, name in _TEXTS.items():
                for text in texts(name)[:sentences]:
                    for url, session, of_server in zip(urls, sessions, found):
                        of_server.append(await said(session, http, url, language, text))
                        print(f"\r{len(of_server)} sentences", end="\r", file=sys.stderr)
    return found


def summary(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Milliseconds: median and 95th percentile of the first audio, and of each stage."""

    def ms(values_s: Sequence[float]) -> dict[str, float]:
        return {
            "p50": round(1000 * statistics.median(values_s), 1),
            "p95": round(1000 * percentile(list(values_s), 95), 1),
        }

    paths = [sentence.path for sentence in sentences]
    pace = pace_of([answer for path in paths for answer in path.answers])
    return {
        "sentences": len(sentences),
        "first_audio_ms": ms([sentence.first_audio_s for sentence in sentences]),
        "stages_ms": {stage: ms([path.stages_s[stage] for path in paths]) for stage in STAGES},
        "sampling_ms": ms([path.sampling_s for path in paths]),
        "sound_ms": ms([path.sounds_s for path in paths]),
        "pace_ms": {"token": round(1000 * pace.token_s, 2), "quantum": round(1000 * pace.quantum_s, 1)},
        "quanta": statistics.mean(path.quanta for path in paths),
        "least_spare_ms": round(1000 * min(path.spare_s for path in paths if path.spare_s is not None)),
        "gaps": sum(sentence.gap_s > 0 for sentence in sentences),
        "longest_gap_ms": round(1000 * max(sentence.gap_s for sentence in sentences)),
    }


def table(summaries: dict[str, dict[str, Any]]) -> list[str]:
    """In Markdown, one column for each server and language."""
    rows = {"p50, p95 (ms)": list(summaries), "---": ["---"] * len(summaries)}
    of_all = list(summaries.values())
    rows["first audio"] = [_spread(one["first_audio_ms"]) for one in of_all]
    for stage in STAGES:
        rows[stage] = [_spread(one["stages_ms"][stage]) for one in of_all]
    for part in ("token", "quantum"):
        rows[f"pace: a {part}"] = [f"{one['pace_ms'][part]:.1f}" for one in of_all]
    for name in ("sentences", "quanta", "least_spare_ms", "gaps", "longest_gap_ms"):
        rows[name] = [f"{one[name]:g}" for one in of_all]
    return [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]


def _spread(ms: dict[str, float]) -> str:
    return f"{ms['p50']:.0f}, {ms['p95']:.0f}"


def main(args: argparse.Namespace) -> None:
    roots = {"now": _ROOT} if args.before is None else {"before": args.before.resolve(), "now": _ROOT}
    with contextlib.ExitStack() as stack:
        urls = []
        for root in roots.values():
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _, server = stack.enter_context(started(root, cache, args.arguments))
            urls.append(server.url)
        found = dict(zip(roots, asyncio.run(all_said(urls, args.sentences, args.rounds)), strict=True))
    summaries = {}
    for name, sentences in found.items():
        for language in _TEXTS:
            of_language = [sentence for sentence in sentences if sentence.language == language]
            summaries[f"{name}, {language}"] = summary(of_language)
        summaries[f"{name}, both"] = summary(sentences)
    print("\n".join(table(summaries)))
    if args.json:
        rows = {name: [asdict(sentence) for sentence in sentences] for name, sentences in found.items()}
        result = {"machine": describe_machine(), "stages": STAGES, "summaries": summaries, "sentences": rows}
        args.json.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=10, help="of each language (default: %(default)d)")
    parser.add_argument("--rounds", type=int, default=1, help="how often all of them are said (default: %(default)d)")
    parser.add_argument("--before", type=Path, metavar="DIR", help="a checkout of an older commit, to compare with")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("arguments", nargs="*", help="more arguments of `rtserver serve`, after --")
    main(parser.parse_args())
