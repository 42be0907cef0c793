"""What a recogniser does not hear: clicks, levels, tails, seams.

    python -m bench.model.sound --takes FOLDER --json sound.json --picture sound.png

The embedded voices speak short texts, sentences, replies of several sequences, and three minutes, in all modes and at
several speeds, as the engine does it but in this process. Each utterance is kept in --takes, so a run that was stopped
goes on. Printed: isolated bursts, levels of the first and last 60 ms, silences, loudness by voice, by speed and by mode
and its slope, narrow lines in pauses, DC, clipping, and jumps of F0 and level across the borders of hops and sequences
beside those inside.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.machine import describe_machine
from bench.model.sound.borders import Jumps, across
from bench.model.sound.cases import GROUPS, cases
from bench.model.sound.figures import Figures, summary, told
from bench.model.sound.picture import draw
from bench.model.sound.takes import Sound, speak
from bench.model.speaker import Speaker
from cosyvoice.models import resolve_model

_SHOWN = 2  # spectrograms
_TOLD_EVERY = 20


def main() -> None:
    """Speaks what is missing, measures, and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--takes", type=Path, required=True, metavar="DIR", help="keep the utterances here")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="only these (default: all)")
    parser.add_argument("--names", nargs="+", help="only the utterances of these names (default: all)")
    parser.add_argument("--short-seeds", type=int, default=4, help="seeds of each short text (default: 4)")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--picture", type=Path, help="draw the results here")
    args = parser.parse_args()
    wanted = [case for case in cases(args.short_seeds) if case.group in args.groups]
    if args.names:
        wanted = [case for case in wanted if case.name in args.names]
    speaker: list[Speaker] = []

    def load() -> Speaker:
        """The models are loaded only if something has to be spoken."""
        if not speaker:
            speaker.append(Speaker(resolve_model(args.model)))
        return speaker[0]

    figures: list[Figures] = []
    jumps: dict[str, Jumps] = {}
    shown: list[Sound] = []
    for sound in speak(load, wanted, args.takes):
        figures.append(Figures.of(sound))
        for kind, found in across(
            sound.wave, sound.rate_hz, sound.hop_ends, sound.sequence_ends[:-1], sound.sentence_starts
        ).items():
            jumps.setdefault(kind, Jumps()).extend(found)
        if len(shown) < _SHOWN and len(sound.sequence_ends) > 1:
            shown.append(sound)
        if len(figures) % _TOLD_EVERY == 0 or len(figures) == len(wanted):
            print(f"{len(figures)} of {len(wanted)}", flush=True)
    found_all = {"machine": describe_machine(), "kind": "measured", "summary": summary(figures, jumps)}
    print(json.dumps(found_all["summary"], indent=1, ensure_ascii=False))
    if args.json:
        text = json.dumps({**found_all, "utterances": told(figures)}, indent=1, ensure_ascii=False)
        args.json.write_text(text, encoding="utf-8")
    if args.picture:
        draw(figures, jumps, shown, describe_machine(), args.picture)


if __name__ == "__main__":
    main()
