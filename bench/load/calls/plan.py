"""A load, drawn before it begins: who calls when, what is said, in which voice, when it is interrupted. Pure.

Everything comes from one seed, so that two servers, or two policies of one, get exactly the same load. Open loop: calls
come by chance (Poisson) and do not care how the server does. Closed loop: N talkers, each waits for its turn to end.
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
    """What a load is drawn from.

    turns_per_call: least and most. think_s: between two turns of a call, least and most. tokens_per_s: at which text is
    written; jitter: sigma of the log-normal gaps around it, 0 for an even pace. barge_in: share of turns that are
    interrupted. warm_up_s: before anything counts; seconds: of the window that does.
    """

    languages: tuple[str, ...] = ("en", "zh")
    turns_per_call: tuple[int, int] = (1, 5)
    think_s: tuple[float, float] = (1.0, 4.0)
    tokens_per_s: float = 20.0
    jitter: float = 0.6
    barge_in: float = 0.0
    warm_up_s: float = 5.0
    seconds: float = 60.0
    seed: int = 0

    @property
    def end_s(self) -> float:
        """From here on no turn begins."""
        return self.warm_up_s + self.seconds

    @property
    def longest_call_s(self) -> float:
        """No call goes on for longer, if the server lets nobody wait."""
        return self.turns_per_call[1] * (_LONGEST_REPLY_S + self.think_s[1])


@dataclass(frozen=True)
class PlannedTurn:
    """A reply: its text, the gap before each of its pieces, and, when it is interrupted, after which part of its
    expected length. think_s: silence after it."""

    text: str
    gaps_s: tuple[float, ...]
    seed: int
    think_s: float
    barge_in: float | None = None

    @cached_property
    def pieces(self) -> list[tuple[float, str]]:
        """The text as it is written: seconds since the first piece, and the piece."""
        at_s, pieces = 0.0, []
        for gap_s, piece in zip(self.gaps_s, llm_pieces(self.text), strict=True):
            at_s += gap_s
            pieces.append((at_s, piece))
        return pieces

    @cached_property
    def expected_s(self) -> float:
        """How long all of it is expected to sound."""
        return expected_s(self.text)

    @property
    def wanted_s(self) -> float:
        """How much of it is expected to be heard."""
        return self.expected_s * (1.0 if self.barge_in is None else self.barge_in)

    @cached_property
    def takes_s(self) -> float:
        """From its beginning to the next turn's, if the server never lets anybody wait."""
        return max(self.wanted_s, sum(self.gaps_s)) + self.think_s


@dataclass(frozen=True)
class Call:
    """A conversation: its turns, in one voice."""

    at_s: float
    language: str
    voice: str
    turns: tuple[PlannedTurn, ...]

    def timeline(self) -> Iterator[tuple[float, PlannedTurn]]:
        """When each turn begins if the server never lets anybody wait."""
        at_s = self.at_s
        for turn in self.turns:
            yield at_s, turn
            at_s += turn.takes_s


@dataclass(frozen=True)
class Plan:
    """`load`: calls a minute (open loop) or talkers (closed loop). calls: in the order in which they begin."""

    loop: Loop
    load: float
    workload: Workload
    calls: tuple[Call, ...] = field(repr=False)

    def offered(self, length_ratio: Mapping[str, float] | None = None) -> float:
        """Audio seconds a second that its listeners want to hear within the window. length_ratio: by language, how
        much longer than expected replies sound."""
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
        """The same for the same load."""
        return hashlib.sha256(repr([asdict(call) for call in self.calls]).encode()).hexdigest()[:12]

    def described(self) -> dict[str, Any]:
        """As plain values, without the calls."""
        return {"loop": self.loop, "load": self.load, "plan": self.digest, "workload": asdict(self.workload)}


def open_loop(workload: Workload, calls_per_minute: float, voices: Mapping[str, Sequence[str]]) -> Plan:
    """Poisson calls, those among them that are under way at the beginning. voices: names by language."""
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
    """Talkers of each language in turn, with as many turns as they can come to; they begin spread over one think
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
    """One reply."""
    text = draw_reply(chance, language)
    mean_s, sigma = 1 / workload.tokens_per_s, workload.jitter
    gaps_s = [chance.lognormvariate(math.log(mean_s) - sigma**2 / 2, sigma) for _ in llm_pieces(text)]
    interrupted, part = chance.random() < workload.barge_in, chance.random()
    return PlannedTurn(
        text,
        (0.0, *gaps_s[1:]),  # how long an LLM takes to its first token is not the load's
        seed=chance.getrandbits(32),
        think_s=chance.uniform(*workload.think_s),
        barge_in=part if interrupted else None,
    )


def _rest(call: Call) -> Call | None:
    """What is left of a call at time 0."""
    left = [(at_s, turn) for at_s, turn in call.timeline() if at_s >= 0]
    return replace(call, at_s=left[0][0], turns=tuple(turn for _, turn in left)) if left else None
