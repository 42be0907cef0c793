"""One spoken turn over the native wire, with a simulated writer and a simulated listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from rtclient import Done, Session
from rtclient.pieces import llm_pieces
from rtserver.schedule.playback import Playback

_TEXTS = Path(__file__).parents[1] / "texts"


@dataclass
class Turn:
    """What a listener got. Times are in seconds; the clock begins with the first text."""

    text: str
    first_text_s: float = 0.0
    last_text_s: float = 0.0
    # When the first frame came.
    first_audio_s: float | None = None
    # Of a listener that plays from the first frame on in real time. Its gaps are heard as stutter.
    playback: Playback = field(default_factory=Playback)
    pcm: bytearray = field(default_factory=bytearray)
    frames: list[tuple[int, int]] = field(default_factory=list)  # start_ms, bytes
    arrivals_s: list[float] = field(default_factory=list)
    done: Done | None = None
    seed: int = 0

    @property
    def ttfa_s(self) -> float:
        """From the first text to the first frame."""
        return float("nan") if self.first_audio_s is None else self.first_audio_s - self.first_text_s

    @property
    def starved_s(self) -> float:
        """Silence because of missing text, as the server reports it."""
        return 0.0 if self.done is None else self.done.text_starved_ms / 1000

    @property
    def underrun_s(self) -> float:
        """Silence that the server caused: all that the listener heard, less the part that missing text explains."""
        return max(0.0, self.playback.gap_s - self.starved_s)

    @property
    def audio_s(self) -> float:
        return self.playback.sent_s


async def written(text: str, tokens_per_s: float, turn: Turn) -> AsyncIterator[str]:
    """The tokens of the text at an even pace, on a schedule that does not drift."""
    start_s = time.monotonic()
    for index, token in enumerate(llm_pieces(text)):
        await asyncio.sleep(max(0.0, start_s + index / tokens_per_s - time.monotonic()))
        turn.last_text_s = time.monotonic()
        if index == 0:
            turn.first_text_s = turn.last_text_s
        yield token


async def speak(
    session: Session,
    text: str,
    *,
    tokens_per_s: float,
    seed: int | None = None,
    voice: str = "default",
    language: str = "auto",
    wait_for_sentence: bool = False,
    on_frame: Callable[[Turn], None] = lambda turn: None,
) -> Turn:
    """Writes a text at a pace and listens. `wait_for_sentence`: the text is sent only when all of it is written, as by
    a client that collects sentences. The clock begins with the first token all the same."""
    turn = Turn(text)
    pieces: AsyncIterator[str] = written(text, tokens_per_s, turn)
    if wait_for_sentence:
        pieces = _gathered(pieces)
    async with session.speak(pieces, voice=voice, language=language, seed=seed) as speech:
        async for audio in speech:
            now_s = time.monotonic()
            if turn.first_audio_s is None:
                turn.first_audio_s = now_s
            turn.playback.sent(len(audio.pcm) / 2 / session.info.sample_rate, now_s)
            turn.frames.append((audio.start_ms, len(audio.pcm)))
            turn.arrivals_s.append(now_s)
            turn.pcm += audio.pcm
            on_frame(turn)
        turn.done = speech.done
        turn.seed = speech.started.seed if speech.started is not None else 0
    return turn


async def _gathered(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    yield "".join([piece async for piece in pieces])


def texts(name: str) -> list[str]:
    """The lines of a file in bench/texts."""
    return (_TEXTS / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1]


def percentile(values: list[float], percent: float) -> float:
    """The percentile by nearest rank, so it is a measured value."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)] if ordered else float("nan")
