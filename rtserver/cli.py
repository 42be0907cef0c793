"""The command line: `rtserver COMMAND`. Each command lives in a file of its own."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.errors import CosyVoiceError
from rtserver.engine.engine import EngineError
from rtserver.say import SayOptions, say

_SAY_HELP = """\
Speaks a text into a WAV file. The first run on a machine prepares the model once and keeps it in the cache.

examples:
  rtserver say "Hello, nice to meet you." -o hello.wav
  rtserver say "你好，很高兴认识你。" --voice 中文女 -o hello.wav
  some-llm | rtserver say - -o answer.wav            speaks while the text still comes
  rtserver say "Faster." --speed 1.3 --seed 7 -o - | aplay
  rtserver say "Hello." --model ~/models/Fun-CosyVoice3-0.5B -o hello.wav

The same text, voice and seed give the same speech. Progress goes to standard error.
"""


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(prog="rtserver", description="Realtime text-to-speech for CosyVoice3.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "say",
        help="speak a text into a WAV file",
        description=_SAY_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("text", help="what to say; - reads it from standard input as it comes")
    command.add_argument(
        "-o", "--output", default="speech.wav", metavar="FILE", help="WAV file, or - (default: %(default)s)"
    )
    command.add_argument("--voice", default="default", help="a voice or alias (default: by the language of the text)")
    command.add_argument("--seed", type=_seed, default=0, help="another seed is another take (default: %(default)s)")
    command.add_argument("--speed", type=_speed, default=1.0, help=f"{MIN_SPEED} to {MAX_SPEED} (default: %(default)s)")
    command.add_argument(
        "--model", default="nano", metavar="DIR|nano", help="model directory (default: the embedded voice)"
    )
    command.add_argument("--cache-dir", type=Path, metavar="DIR", help="for prepared models (default: ~/.cache)")
    command.add_argument("-v", "--verbose", action="store_true", help="show what the engine processes print")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status. Errors of the user or the model are one line, not a traceback."""
    args = build_parser().parse_args(arguments)
    options = SayOptions(
        text=args.text,
        output=args.output,
        voice=args.voice,
        seed=args.seed,
        speed=args.speed,
        model=args.model,
        cache_dir=args.cache_dir,
        verbose=args.verbose,
    )
    try:
        return asyncio.run(say(options))
    except (CosyVoiceError, EngineError, OSError) as error:
        print(f"rtserver: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rtserver: interrupted", file=sys.stderr)
        return 130


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = float("nan")
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise argparse.ArgumentTypeError(f"expected {MIN_SPEED} to {MAX_SPEED}, found {text!r}")
    return speed


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        seed = -1
    if not 0 <= seed < 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {(1 << 32) - 1}, found {text!r}")
    return seed
