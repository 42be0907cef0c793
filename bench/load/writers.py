"""What does a listener hear of a slow writer? First sounds and stalls at several writing speeds.

    python -m bench.load.writers --rates 3 5 8 15 30 --json writers.json

Sentences are written word by word at an even pace; Mandarin by the character, at 1.5 times the rate. The next sentence
begins when the one before is heard. First audio: from the first word to the first frame. Stall: the longest time for
which a listener who plays at once has nothing to play; pauses within the sound are no stalls. `audio` is the length of
the sound: a sentence that is spoken in parts is longer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.load.server_process import measured_server
from bench.load.turn import percentile, texts
from bench.machine import describe_machine
from rtclient import Session, connect
from rtserver.schedule.playback import Playback

# A word with the space after it, or a character with the marks after it.
_PIECE = {"en": re.compile(r"\S+\s*"), "zh": re.compile(r"\w\W*")}
# Pieces that a writer writes while another writes an English word.
_PIECES_A_WORD = {"en": 1.0, "zh": 1.5}
_TEXTS = {"en": "english", "zh": "mandarin"}


@dataclass
class Sentence:
    """What a listener heard of one sentence, in seconds."""

    first_audio_s: float
    stall_s: float
    audio_s: float


async def written(text: str, language: str, words_per_s: float) -> AsyncIterator[str]:
    """Its pieces at an even pace, on a schedule that does not drift."""
    begun_s = time.monotonic()
    for index, piece in enumerate(_PIECE[language].findall(text)):
        due_s = begun_s + index / (words_per_s * _PIECES_A_WORD[language])
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield piece


async def heard(session: Session, text: str, language: str, words_per_s: float, seed: int) -> Sentence:
    """Writes a sentence and listens."""
    begun_s, playback, stall_s = time.monotonic(), Playback(), 0.0
    async with session.speak(written(text, language, words_per_s), language=language, seed=seed) as speech:
        async for audio in speech:
            seconds = len(audio.pcm) / 2 / session.info.sample_rate
            stall_s = max(stall_s, playback.sent(seconds, time.monotonic()))
    return Sentence(playback.begun_s - begun_s, stall_s, playback.sent_s)


def line(language: str, words_per_s: float, sentences: list[Sentence]) -> str:
    """The row of a table in Markdown."""
    first = [s.first_audio_s for s in sentences]
    stalls = [s.stall_s for s in sentences]
    return (
        f"| {language} | {words_per_s:g} | {median(first):.2f}, {percentile(first, 90):.2f} | "
        f"{median(stalls):.2f}, {percentile(stalls, 90):.2f}, {max(stalls):.2f} | "
        f"{sum(s.audio_s for s in sentences) / len(sentences):.2f} |"
    )


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    found = []
    print("| language | words/s | first audio p50, p90 (s) | stall p50, p90, max (s) | audio (s) |")
    print("|---|---|---|---|---|")
    async with measured_server(args.url, ["--model", args.model]) as server, connect(server.url) as session:
        for language in _TEXTS:
            await heard(session, texts(_TEXTS[language])[-1], language, 30, 0)
            for rate in args.rates:
                sentences = []
                for seed, text in enumerate(texts(_TEXTS[language])[: args.sentences]):
                    print(f"\r{language} {rate:g} words/s: {seed + 1}", end="\r", file=sys.stderr)
                    sentences.append(await heard(session, text, language, rate, seed))
                print(line(language, rate, sentences), flush=True)
                rows = [asdict(sentence) for sentence in sentences]
                found.append({"language": language, "words_per_s": rate, "sentences": rows})
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "results": found}, indent=1))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[3, 5, 8, 15, 30], metavar="N", help="words a second")
    parser.add_argument("--sentences", type=int, default=10, help="sentences of each language")
    parser.add_argument("--url", help="a running server (default: one is started)")
    parser.add_argument("--model", default="nano", metavar="DIR|nano", help="model of the server that is started")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
