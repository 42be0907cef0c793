"""Shows on the terminal how many cues are done."""

from __future__ import annotations

import sys

from rtserver.commands.cue_speaker import Said
from rtserver.commands.narrator import Narrator

# Where standard error is no terminal, a line is written after this many cues.
_STEP = 20


class CueProgress:
    """One line that is written anew on a terminal; else a line now and then."""

    def __init__(self, narrator: Narrator, total: int) -> None:
        self._narrator = narrator
        self._total = total
        self._begin_s = narrator.elapsed_s
        self._done = 0
        self._kept = 0

    @property
    def kept(self) -> int:
        return self._kept

    def on_said(self, said: Said) -> None:
        """One more is done."""
        self._done += 1
        self._kept += said.kept
        last = self._done == self._total
        if sys.stderr.isatty():
            elapsed = f"[{self._narrator.elapsed_s:5.1f} s]"
            print(f"\r{elapsed} {self._state():60}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or self._done % _STEP == 0:
            self._narrator.say(self._state())

    def _state(self) -> str:
        made = self._done - self._kept
        text = f"{self._done} of {self._total} cues, {self._kept} kept from before"
        if made and self._done < self._total:
            left_s = (self._narrator.elapsed_s - self._begin_s) / made * (self._total - self._done)
            text += f", about {left_s // 60:.0f}:{left_s % 60:02.0f} left"
        return text
