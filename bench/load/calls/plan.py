"""A load, drawn before it begins: who calls when, the texts, the voices, and the interruptions. Pure.

Everything comes from one seed. So two servers, or two policies of one server, get exactly the same load. Open loop:
calls come by chance (Poisson), whatever the server does. Closed loop: N talkers, and each waits for its turn to end.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from bench.load.calls.replies import draw_reply, expected_s
from rtclient.pieces import llm_pieces

Loop = Literal["open", "closed"]
_LONGEST_REPLY_S = 25.0


@dataclass(frozen=True)
class Workload:
    """What a load is drawn from. Pairs are the least and the most."""

    languages: tuple[str, ...] = ("en", "zh")
    turns_per_call: tuple[int, int] = (1, 5)
    # Pause between two turns of a call.
    think_s: tuple[float, float] = (1.0, 4.0)
    # How fast text is written.
    tokens_per_s: float = 20.0
    # Sigma of the log-normal gaps between tokens; 0 for an even pace.
    jitter: float = 0.6
    # Share of turns that are interrupted.
    barge_in: float = 0.0
    # Time before the window.
    warm_up_s: float = 5.0
    # Length of the window. Only turns that begin in it count.
    seconds: float = 60.0
    seed: int = 0

    @property
    def end_s(self) -> float:
        """No turn begins after this time."""
        return self.warm_up_s + self.seconds

    @property
    def longest_call_s(self) -> float:
        """No call takes longer, if the server makes no one wait."""
        return self.turns_per_call[1] * (_LONGEST_REPLY_S + self.think_s[1])


@dataclass(frozen=True)
class PlannedTurn:
    """A reply."""

    text: str
    # The pause before each piece of its text.
    gaps_s: tuple[float, ...]
    seed: int
    # The silence after it.
    think_s: float
    # If it is interrupted: after which share of its expected length.
    barge_in: float | None = None

    @cached_property
    def pieces(self) -> list[tuple[float, str]]:
        """The pieces of the text, each with its time in seconds since the first one."""
        at_s, pieces = 0.0, []
        for gap_s, piece in zip(self.gaps_s, llm_pieces(self.text), strict=True):
            at_s += gap_s
            pieces.append((at_s, piece))
        return pieces

    @cached_property
    def expected_s(self) -> float:
        """The expected length of its sound."""
        return expected_s(self.text)

    @property
    def wanted_s(self) -> float:
        """The part of this length that is expected to be heard."""
        return self.expected_s * (1.0 if self.barge_in is None else self.barge_in)

    @cached_property
    def takes_s(self) -> float:
        """The time from its beginning to that of the next turn, if the server makes no one wait."""
        return max(self.wanted_s, sum(self.gaps_s)) + self.think_s


@dataclass(frozen=True)
class Call:
    """A conversation with one voice."""

    at_s: float
    language: str
    voice: str
    turns: tuple[PlannedTurn, ...]

    def timeline(self) -> Iterator[tuple[float, PlannedTurn]]:
        """When each turn begins, if the server makes no one wait."""
        at_s = self.at_s
        for turn in self.turns:
            yield at_s, turn
            at_s += turn.takes_s


@dataclass(frozen=True)
class Plan:
    """A whole load."""

    loop: Loop
    # Calls a minute (open loop) or talkers (closed loop).
    load: float
    workload: Workload
    # In the order in which they begin.
    calls: tuple[Call, ...] = field(repr=False)

    def offered(self, length_ratio: Mapping[str, float] | None = None) -> float:
        """Audio seconds a second that the listeners want to hear within the window. length_ratio: for each language,
        how much longer than expected its replies are."""
        ratios, begin_s, end_s = length_ratio or {}, self.workload.warm_up_s, self.workload.end_s
        wanted_s = sum(
            turn.wanted_s * ratios.get(call.language, 1.0)
            for call in self.calls
            for at_s, turn in call.timeline()
            if begin_s <= at_s < end_s
        )
        return wanted_s / self.workload.seconds

    @cached_property
    def digest(self) -> str:
        """A digest. Equal loads have equal digests."""
        return hashlib.sha256(repr([asdict(call) for call in self.calls]).encode()).hexdigest()[:12]

    def described(self) -> dict[str, Any]:
        """As plain values, without the calls."""
        return {"loop": self.loop, "load": self.load, "plan": self.digest, "workload": asdict(self.workload)}


def open_loop(workload: Workload, calls_per_minute: float, voices: Mapping[str, Sequence[str]]) -> Plan:
    """Poisson calls, including calls that are already going on at the beginning. voices: names by language."""
    name = f"{workload.seed}/open/{calls_per_minute:g}"
    chance, at_s = random.Random(name), -workload.longest_call_s
    calls: list[Call] = []
    while calls_per_minute > 0 and (at_s := at_s + chance.expovariate(calls_per_minute / 60)) < workload.end_s:
        of_call = random.Random(f"{name}/{len(calls)}")
        count = of_call.randint(*workload.turns_per_call)
        language = of_call.choice(workload.languages)
        voice = of_call.choice(voices[language])
        turns = tuple(draw_turn(of_call, workload, language) for _ in range(count))
        calls.append(Call(at_s, language, voice, turns))
    under_way = [rest for call in calls if (rest := _rest(call)) is not None]
    return Plan("open", calls_per_minute, workload, tuple(sorted(under_way, key=lambda call: call.at_s)))


def closed_loop(workload: Workload, talkers: int, voices: Mapping[str, Sequence[str]]) -> Plan:
    """Talkers, whose languages take turns. Each has enough turns for the whole load. They begin spread over one think
    time."""
    calls: list[Call] = []
    for number in range(talkers):
        chance = random.Random(f"{workload.seed}/closed/{talkers}/{number}")
        language = workload.languages[number % len(workload.languages)]
        voice = chance.choice(voices[language])
        begin_s, turns = chance.uniform(0, workload.think_s[1]), [draw_turn(chance, workload, language)]
        next_s = begin_s + turns[0].takes_s
        while next_s < workload.end_s:
            turns.append(draw_turn(chance, workload, language))
            next_s += turns[-1].takes_s
        calls.append(Call(begin_s, language, voice, tuple(turns)))
    return Plan("closed", talkers, workload, tuple(sorted(calls, key=lambda call: call.at_s)))


def draw_turn(chance: random.Random, workload: Workload, language: str) -> PlannedTurn:
    """Draws one reply."""
    text = draw_reply(chance, language)
    mean_s, sigma = 1 / workload.tokens_per_s, workload.jitter
    gaps_s = [chance.lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma) for _ in llm_pieces(text)]
    interrupted, part = chance.random() < workload.barge_in, chance.random()
    return PlannedTurn(
        text,
        (0.0, *gaps_s[1:]),  # the time to the LLM's first token is no part of the load
        seed=chance.getrandbits(32),
        think_s=chance.uniform(*workload.think_s),
        barge_in=part if interrupted else None,
    )


def _rest(call: Call) -> Call | None:
    """The part of a call that is left at time 0."""
    left = [(at_s, turn) for at_s, turn in call.timeline() if at_s >= 0]
    return replace(call, at_s=left[0][0], turns=tuple(turn for _, turn in left)) if left else None
