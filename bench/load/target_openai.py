"""One load against a server with an OpenAI-style endpoint: whole texts go in, chunked 16-bit PCM comes out.

    python -m bench.load.target_openai --url http://box:8000 --model cosyvoice3 --voice default --calls-per-minute 30
    python -m bench.load.target_openai --url http://127.0.0.1:8790 --path /v1/tts/stream --text-field text --talkers 3

Texts, moments and listeners are those of bench.load.run with the same --seed (with other voices). Such servers cannot
take text while it is being written. So a request is sent when the last piece of the reply is there. TTFA from the first
text includes that wait, as a caller feels it; TTFA from the request does not. No turn is interrupted. Status 429 and
503 count as refusals.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.load.calls.callers import Load
from bench.load.calls.listening import Listener
from bench.load.calls.plan import Call, Plan, PlannedTurn, closed_loop, open_loop
from bench.load.calls.report import lines, summarise
from bench.load.calls.talking import Heard
from bench.load.run import add_workload, run, workload_of
from bench.machine import describe_machine

REFUSED = (429, 503)


@dataclass(frozen=True)
class Target:
    """Where requests go, and their fields besides the text."""

    url: str
    text_field: str
    fields: Mapping[str, Any]
    # Of the sound that comes, in Hz.
    sample_rate: int
    api_key: str | None

    async def speak(self, http: aiohttp.ClientSession, turn: PlannedTurn, heard: Heard, load: Load) -> Listener:
        """Speaks a turn and fills `heard`."""
        listener, load_start_s = Listener(), time.monotonic() - heard.begun_s
        first_text_s = time.monotonic()
        await asyncio.sleep(turn.pieces[-1][0])
        request_s, rest = time.monotonic(), 0
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        body = {self.text_field: turn.text, **self.fields}
        try:
            async with http.post(self.url, json=body, headers=headers) as answer:
                if answer.status != 200:
                    heard.outcome = "refused" if answer.status in REFUSED else "failed"
                    heard.error, heard.answer_s = f"HTTP {answer.status}", time.monotonic() - request_s
                    return listener
                async for data in answer.content.iter_any():
                    samples, rest = divmod(len(data) + rest, 2)
                    now_s, seconds = time.monotonic(), samples / self.sample_rate
                    listener.frame(seconds, now_s)
                    load.audio_s += seconds if load.in_window(now_s - load_start_s) else 0.0
            heard.outcome = "done"
        except aiohttp.ClientError as error:
            heard.outcome, heard.error = "failed", f"{type(error).__name__}: {error}"
            heard.answer_s = time.monotonic() - request_s
        heard.audio_s, heard.underruns, heard.deficit_s = listener.audio_s, listener.underruns, listener.deficit_s
        heard.underrun_s = listener.playback.gap_s
        if listener.first_s is not None and listener.last_s is not None:
            heard.ttfa_s, heard.ttfa_request_s = listener.first_s - first_text_s, listener.first_s - request_s
            heard.realtime_factor = (listener.last_s - request_s) / listener.audio_s
        return listener


async def carried_out(plan: Plan, target: Target, drain_s: float) -> Load:
    """Makes the calls of the plan. Turns that still speak `drain_s` after its end are cut."""
    load, start_s = Load(plan), time.monotonic()
    end_s, endless = plan.workload.end_s, plan.loop == "closed"

    async def call(number: int, planned: Call) -> None:
        await asyncio.sleep(planned.at_s)
        turns = enumerate(planned.turns)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
            for index, turn in itertools.cycle(turns) if endless else turns:
                begun_s = time.monotonic() - start_s
                if begun_s >= end_s:
                    return
                heard = Heard(number, index, planned.language, planned.voice, turn.expected_s, begun_s=begun_s)
                load.heard.append(heard)
                listener = await target.speak(http, turn, heard, load)
                if heard.outcome == "refused" and index == 0 and not endless:
                    return
                heard_until_s = listener.playback.dry_at_s if heard.outcome == "done" else time.monotonic()
                await asyncio.sleep(max(0.0, heard_until_s - time.monotonic()) + turn.think_s)

    calls = [asyncio.create_task(call(number, planned)) for number, planned in enumerate(plan.calls)]
    if calls:
        _, going = await asyncio.wait(calls, timeout=end_s + drain_s)
        for task in going:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    return load


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status: 1 when a turn failed."""
    workload, voices = workload_of(args), {language: [args.voice] for language in args.languages}
    plan = (
        closed_loop(workload, args.talkers, voices)
        if args.talkers
        else open_loop(workload, args.calls_per_minute, voices)
    )
    fields = {"model": args.model, "voice": args.voice, "response_format": "pcm", "stream": True}
    wanted = {key: value for key, value in fields.items() if value is not None}
    url = (args.url or "http://127.0.0.1:8000").rstrip("/") + args.path
    target = Target(url, args.text_field, wanted | json.loads(args.more), args.sample_rate, args.api_key)
    summary = summarise(await carried_out(plan, target, args.drain_s))
    print("\n    ".join(lines(summary)))
    if args.json:
        result = {"machine": describe_machine(), "target": url, "summary": summary}
        args.json.write_text(json.dumps(result, ensure_ascii=False, indent=1))
    return 1 if summary["failed"] else 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = made.add_mutually_exclusive_group(required=True)
    how.add_argument("--calls-per-minute", type=float, metavar="N", help="open loop: Poisson calls")
    how.add_argument("--talkers", type=int, metavar="N", help="closed loop: conversations at the same time")
    endpoint = made.add_argument_group("the endpoint")
    endpoint.add_argument("--path", default="/v1/audio/speech", help="(default: %(default)s)")
    endpoint.add_argument("--text-field", default="input", metavar="NAME", help="(default: %(default)s)")
    endpoint.add_argument("--model", help="name of the model at that server")
    endpoint.add_argument("--voice", default="default", help="(default: %(default)s)")
    endpoint.add_argument("--more", default="{}", metavar="JSON", help="more fields for every request")
    endpoint.add_argument("--sample-rate", type=int, default=24000, metavar="HZ", help="(default: %(default)s)")
    add_workload(made)
    made.add_argument("--json", type=Path, help="write the result here")
    return made


if __name__ == "__main__":
    sys.exit(run(main(parser().parse_args())))
