"""What is to be spoken for a part, and what was. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass

from rtserver.dubbing.word_times import Word

# Another number makes all speech that was kept before worthless.
_FORM = 1


@dataclass(frozen=True)
class Order:
    """Speech that is to be made. The same order gives the same speech."""

    # The server's, by its name.
    model: str
    sample_rate: int
    voice: str
    language: str
    text: str
    # The length that it should have.
    target_s: float
    seed: int
    # The bounds of its speed.
    slowest: float
    fastest: float

    @property
    def key(self) -> str:
        """The same for the same order, and another for any other."""
        content = json.dumps([_FORM, dataclasses.astuple(self)], ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24]


@dataclass(frozen=True)
class Speech:
    """Speech that was made."""

    # 16-bit samples of the order's rate.
    pcm: bytes
    speed: float
    # Full name of the voice.
    voice: str
    words: tuple[Word, ...] = ()
    # What was not done of it, as the server tells it.
    warnings: tuple[str, ...] = ()
