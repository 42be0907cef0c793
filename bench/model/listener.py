"""What Whisper base hears in audio files, and how far that is from the expected text.

    ./scripts/listen hello.wav --expect "Hello."

It needs the `listen` group. It works offline: the model comes in two Python packages, whose halves are joined once in
the cache. Scores follow the usual conventions: English words in lower case without punctuation; Mandarin in simplified
characters, with digits read one by one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cosyvoice.nano.score.listener import Listener


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/listen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audio", nargs="+", type=Path)
    parser.add_argument("--expect", metavar="TEXT", help="also print the error rate against this text")
    options = parser.parse_args(arguments)
    listener = Listener()
    for path in options.audio:
        if options.expect is None:
            print(f"{path}: {listener.transcribe(path)}")
        else:
            score = listener.score(path, options.expect)
            print(f"{path}: {score.heard}  error rate {score.edits / score.units:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
