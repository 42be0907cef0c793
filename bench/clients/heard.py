"""Is what a client speaks heard? Every client says one sentence on the real engine, and Whisper base listens.

    python -m bench.clients.heard --json heard_clients.json

The clients are the programs of docs/clients/ and of clients/js, and the plugins and services of LiveKit and pipecat,
each in its own environment (`tests/clients_real`). The clients choose the seeds, so two of them do not say the same.
The native protocol speaks beside them as often, whole texts and word by word, with both voices: errors that it has too
are those of the voice or of the listener. It needs the `listen` group.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from bench.load.server_process import measured_server
from bench.machine import describe_machine
from cosyvoice.nano.score.listener import SAMPLE_RATE, Listener, Score
from cosyvoice.voice.features import resample
from rtclient import connect
from tests.clients_real.environment import run_program
from tests.clients_real.examples import RATE_HZ, each_program, sound_in, sound_of, sound_of_javascript
from tests.rtserver.audio.sound import FULL_SCALE, Samples, samples_of

TEXT = "The little train to the city leaves early in the morning."
# As `say_livekit.py` and `say_pipecat.py` know them.
LIVEKIT = [
    *("rtserver", "deepgram-flux", "deepgram-aura", "cartesia", "elevenlabs", "openai", "openai-events"),
    *("baseten", "inference"),
]
PIPECAT = [
    *("rtserver", "deepgram-flux", "deepgram-aura", "deepgram-http", "cartesia", "cartesia-tokens"),
    *("cartesia-http", "elevenlabs", "elevenlabs-tokens", "elevenlabs-http", "openai"),
]
Speaking = Callable[[str, Path], Awaitable[Samples]]


@dataclass(frozen=True)
class Result:
    """What one client spoke."""

    client: str
    seconds: float
    # Of all of it, silence included.
    dbfs: float
    score: Score


def clients(natively: int) -> list[tuple[str, Speaking]]:
    """All of them by name. natively: how often the native protocol speaks."""
    found = [_native(number) for number in range(natively)]
    found += [(f"docs/clients/{page}.md", _example(page, program)) for page, program in each_program()]
    found.append(("clients/js/README.md", lambda url, folder: sound_of_javascript(url, folder, TEXT)))
    found += [(f"LiveKit, {name}", _framework("livekit", name)) for name in LIVEKIT]
    found += [(f"pipecat, {name}", _framework("pipecat", name)) for name in PIPECAT]
    return found


def _native(number: int) -> tuple[str, Speaking]:
    """With our own client: each voice with whole texts and word by word, in turn."""
    voice, words = ("female", "male")[number % 2], number // 2 % 2 == 1

    async def speak(url: str, folder: Path) -> Samples:
        async with connect(url) as session:
            text = (f"{word} " for word in TEXT.split()) if words else TEXT
            speech = session.speak(text, voice=voice, language="en")
            return samples_of(b"".join([audio.pcm async for audio in speech]))

    return f"native, {voice}, {'word by word' if words else 'whole'}", speak


def _example(page: str, program: str) -> Speaking:
    return lambda url, folder: sound_of(page, program, url, folder, TEXT)


def _framework(framework: str, name: str) -> Speaking:
    async def speak(url: str, folder: Path) -> Samples:
        file = folder / "said.wav"
        finished = await run_program(framework, f"say_{framework}", url, "any", name, TEXT, str(file), timeout_s=120)
        assert finished.told == RATE_HZ
        return sound_in(file)

    return speak


async def main(args: argparse.Namespace) -> None:
    listener, results = Listener(), []
    async with measured_server(args.url, ("--language", "en")) as server:
        for client, speak in clients(args.natively):
            with tempfile.TemporaryDirectory() as folder:
                samples = await speak(server.url, Path(folder))
            wave = torch.from_numpy((samples / FULL_SCALE).astype(np.float32))
            score = listener.score(resample(wave, RATE_HZ, SAMPLE_RATE).numpy(), TEXT)
            level = 10 * np.log10(np.mean((samples / FULL_SCALE) ** 2))
            result = Result(client, round(len(samples) / RATE_HZ, 2), round(float(level), 1), score)
            results.append(result)
            print(f"| {client} | {result.seconds} | {result.dbfs} | {score.edits} | {score.heard} |", flush=True)
    for kind in ("native", "others"):
        scores = [result.score for result in results if result.client.startswith("native") == (kind == "native")]
        edits, units = sum(score.edits for score in scores), sum(score.units for score in scores)
        print(f"{kind}: {edits} errors in {units} words of {len(scores)} sentences")
    if args.json:
        content = {"machine": describe_machine(), "text": TEXT, "spoken": [asdict(result) for result in results]}
        args.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a server that runs; without it one is started")
    parser.add_argument("--natively", type=int, default=32, help="sentences of the native protocol")
    parser.add_argument("--json", type=Path, help="write the results here")
    asyncio.run(main(parser.parse_args()))
