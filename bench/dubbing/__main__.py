"""How well is a film dubbed? When each cue is heard, what does not fit, and how long it takes.

    python -m bench.dubbing --json dubbing.json
    python -m bench.dubbing --cues 20 --url http://127.0.0.1:8790 --keep DIR

Makes the subtitles of a film in two voices and two languages, and dubs them three times through one server: everything,
then again without a change, then with three other texts. The onset of a cue is when its sound is heard in the track,
after the start of its slot; cues that are heard beside another are left out of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from bench.dubbing.film import VOICE_MAP, film
from bench.load.server_process import ServerProcess, measured_server
from bench.machine import describe_machine

# A frame of 5 ms is heard above this share of full scale (-50 dBFS).
_HEARD, _FRAME_S = 10 ** (-50 / 20), 0.005
_CHANGED = 3


async def dubbed(server: ServerProcess, folder: Path) -> dict[str, Any]:
    """The report of one run of the command, with its processor time."""
    files = {"-o": "track.wav", "--map": "voices.toml", "--report": "report.json", "--vtt": "words.vtt"}
    command = [sys.executable, "-m", "rtserver", "dub", str(folder / "film.srt"), "--server", server.url]
    before, began_s = server.cpu_s(), time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, *(part for option, name in files.items() for part in (option, str(folder / name)))
    )
    if await process.wait():
        raise RuntimeError(f"expected a track, found exit status {process.returncode}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    after = server.cpu_s()
    report["wall_s"] = round(time.monotonic() - began_s, 1)
    report["server_cpu_s"] = {part: round(after[part] - before.get(part, 0.0), 1) for part in after if part != "client"}
    return report


def onsets_s(parts: Sequence[dict[str, Any]], track: Path) -> list[float]:
    """For each part that is heard alone: how long after the start of its slot."""
    samples, rate = soundfile.read(track)
    frame = int(rate * _FRAME_S)
    loud = np.abs(samples[: len(samples) // frame * frame]).reshape(-1, frame).max(axis=1) > _HEARD
    found = []
    for part in parts:
        begin_s, end_s = part["begin_s"], part["begin_s"] + part["length_s"]
        alone = all(
            other is part or other["begin_s"] >= end_s or other["begin_s"] + other["length_s"] <= begin_s
            for other in parts
        )
        heard = np.flatnonzero(loud[int(begin_s / _FRAME_S) : int(end_s / _FRAME_S)])
        if alone and len(heard):
            found.append(int(begin_s / _FRAME_S) * _FRAME_S + float(heard[0]) * _FRAME_S - part["slot_start_s"])
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and the ends."""
    ordered = sorted(values)
    at_95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    found = {"least": ordered[0], "p50": statistics.median(ordered), "p95": at_95, "most": ordered[-1]}
    return {name: round(value, 3) for name, value in found.items()}


def summary(first: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The figures of the first run."""
    parts = first["parts"]
    speech_s = sum(part["length_s"] for part in parts)
    over = [part for part in parts if part["overflows"]]
    return {
        "film_minutes": round(first["track_s"] / 60, 2),
        "pieces_of_speech": len(parts),
        "speech_s": round(speech_s, 1),
        "wall_s": first["wall_s"],
        "speech_s_a_wall_s": round(speech_s / first["wall_s"], 2),
        "server_cpu_s": first["server_cpu_s"],
        "late_s": spread([part["late_s"] for part in parts]),
        "onset_s": spread(onsets_s(parts, folder / "track.wav")),
        "speed": spread([part["speed"] for part in parts]),
        "at_slowest": sum(part["speed"] <= 0.8 for part in parts),
        "at_fastest": sum(part["speed"] >= 1.5 for part in parts),
        # Of cues whose speed the server chose: what is missing of the slot at the end of the speech.
        "off_target_s": spread(
            [abs(p["length_s"] - (p["slot_end_s"] - p["slot_start_s"])) for p in parts if 0.8 < p["speed"] < 1.5]
        ),
        "overflows": [{key: part[key] for key in ("cue", "speed", "late_s", "over_s", "text")} for part in over],
        "warnings": sum(len(part["warnings"]) for part in parts),
    }


async def main(args: argparse.Namespace) -> None:
    """Dubs three times and prints the figures."""
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        text = film(args.cues, args.seed)
        (folder / "film.srt").write_text(text, "utf-8", newline="")
        (folder / "voices.toml").write_text(VOICE_MAP, "utf-8")
        load = os.getloadavg()[0]
        async with measured_server(args.url) as server:
            first = await dubbed(server, folder)
            found = summary(first, folder)
            again = await dubbed(server, folder)
            changed = text.replace(".", "!", _CHANGED)
            (folder / "film.srt").write_text(changed, "utf-8", newline="")
            third = await dubbed(server, folder)
    found["runs"] = {
        name: {"made": sum(not part["kept"] for part in run["parts"]), "wall_s": run["wall_s"]}
        for name, run in (("first", first), ("unchanged", again), ("three texts changed", third))
    }
    found["load_of_the_machine"] = {"before": round(load, 2), "after": round(os.getloadavg()[0], 2)}
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if args.json:
        result = {"machine": describe_machine(), "cues": args.cues, "seed": args.seed, **found}
        args.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cues", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the film")
    parser.add_argument("--url", help="a running server (default: a new one)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keeps film, track and cues there")
    parser.add_argument("--json", type=Path, help="write the results here")
    asyncio.run(main(parser.parse_args()))
