"""Streams of a scripted speech, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cosyvoice.talker.layout import LayoutStage, Quantum
from rtserver.schedule.costs import Costs
from rtserver.schedule.delivery import Delivery, Sound
from rtserver.schedule.hops import StreamSizes
from rtserver.schedule.pace import Pace
from rtserver.schedule.playback import Playback
from rtserver.schedule.standing import Terms
from rtserver.schedule.stream import SpeechStream
from rtserver.schedule.timings import Timings

# A first hop of 12 tokens, which shares its chunk with the last 13 of the prompt.
SIZES = StreamSizes(
    first_tokens=12,
    chunk_tokens=25,
    lookahead_tokens=3,
    frames_per_token=2,
    euler_steps=5,
    token_rate_hz=25.0,
    quantum_tokens=25,
    block_ids=5,
    block_tokens=15,
    context_tokens=0,
)


@dataclass
class Sequenced:
    """One sequence: its tokens so far."""

    flow_tokens: list[int] = field(default_factory=list)
    complete: bool = False
    silence_ms: int = 0
    rate: float = 1.0


@dataclass
class Scripted:
    """A speech whose tokens are set by the test. The talker may sample `room` more tokens for the first open
    sequence."""

    spoken: list[Sequenced] = field(default_factory=lambda: [Sequenced()])
    room: int = 1000
    starving: bool = False
    speechless: bool = False
    ended: bool = False
    waiting_ids: int = 0
    starved: int = 0

    @property
    def complete(self) -> bool:
        return self.ended and all(s.complete for s in self.spoken)

    def next_quantum(self, max_tokens: int) -> Quantum | None:
        tokens = min(max_tokens, self.room)
        return Quantum([], tokens, 0, LayoutStage.FINAL, []) if tokens > 0 else None

    def accept(self, sampled: Sequence[int]) -> None:
        current = next(s for s in self.spoken if not s.complete)
        current.flow_tokens += sampled
        self.room -= len(sampled)

    def close(self) -> int:
        return len(self.spoken)

    def starve(self) -> None:
        self.starved += 1
        self.starving = False

    def say(self, tokens: int, *, complete: bool = False, sequence: int = -1) -> None:
        """Adds tokens to a sequence without quanta of the talker."""
        self.spoken[sequence].flow_tokens += [7] * tokens
        self.spoken[sequence].complete = complete


@dataclass
class Work:
    """A hop's way through the Euler steps."""

    frames: int
    steps: int = 5
    step: int = 0


def costs(quantum_s: float = 0.1, step_s: float = 0.02, vocoder_s: float = 0.01) -> Costs:
    """The costs of a quantum of up to 30 tokens, of an Euler step of a chunk, and of its vocoder call."""
    made = Costs()
    made.note("quantum", 30, quantum_s)
    made.note("step", 50, step_s)
    made.note("vocoder", 50, vocoder_s)
    return made


def stream(
    speech: Scripted,
    *,
    holds: bool = True,
    pace: Pace | None = None,
    terms: Terms | None = None,
    resumes_at: tuple[int, int] | None = None,
) -> SpeechStream[Sound]:
    """A stream that was opened at time 10."""
    delivery: Delivery[Sound] = Delivery(Playback(), Timings(opened=10.0), holds=holds)
    pace, terms = pace or Pace(1.0, None), terms or Terms()
    return SpeechStream("u", speech, SIZES, pace, delivery, terms, resumes_at=resumes_at)


def begin(made: SpeechStream[Sound]) -> Work:
    """Begins the next hop. Its tokens must be there."""
    hop = made.next_hop()
    assert hop is not None
    work = Work(made.sizes.frames(hop.sequence, hop.done, hop.tokens))
    made.begin_hop(hop, work)
    return work


def speak(made: SpeechStream[Sound], now_s: float) -> Sound:
    """Makes the sound of the next hop at this time, and sends what must go out."""
    if made.work is None:
        begin(made)
    hop = made.hop
    assert hop is not None
    made.finish_hop()
    start_s = hop.done / 25
    sound = Sound(start_s, hop.tokens / 25, now_s)
    for out in made.delivery.add(sound):
        made.delivery.sent(out, now_s)
    return sound
