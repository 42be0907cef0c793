"""Who wants what said, and when: drawn from a seed, or recorded. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bench.simulator.cost_table import TOKEN_S, CostTable
from rtserver.ipc.engine import ServiceClass

MAX_LEAD_S = 5.0


@dataclass(frozen=True)
class Reply:
    """at_s: its first text. text: seconds after that, and how many speech tokens the text so far allows; the last
    allows all `tokens`. cancel_s: after its first text."""

    name: str
    at_s: float
    tokens: int
    text: tuple[tuple[float, int], ...]
    service_class: ServiceClass = "realtime"
    max_lead_s: float | None = MAX_LEAD_S
    tenant: str = ""
    cancel_s: float | None = None

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return self.tokens * TOKEN_S

    @property
    def enough_s(self) -> float:
        """When there is text for its first sound."""
        return self.at_s + self.text[0][0]


def written(tokens: int, table: CostTable, pieces_per_s: float) -> tuple[tuple[float, int], ...]:
    """The text of so many speech tokens as an LLM writes it, piece by piece at a pace."""
    pieces = max(1, round(tokens * TOKEN_S * table.pieces_per_s))
    text: list[tuple[float, int]] = []
    for piece in range(min(table.pieces_before_audio, pieces), pieces):
        beyond = (piece - table.pieces_before_audio) * table.tokens_per_piece
        allowed = min(tokens, (1 + int(beyond / table.block_tokens)) * table.block_tokens)
        if not text or allowed > text[-1][1]:
            text.append(((piece - 1) / pieces_per_s, allowed))
    return (*text, ((pieces - 1) / pieces_per_s, tokens))


class Load(Protocol):
    """What a simulation is given to do."""

    def begin(self) -> Iterable[Reply]:
        """Replies that come whatever happens, in any order."""

    def after(self, reply: Reply, heard_at_s: float) -> Reply | None:
        """What its talker says next; the reply was heard to its end, cancelled or refused at that time."""


@dataclass(frozen=True)
class Recorded:
    """An open loop: what was recorded, or drawn before."""

    replies: Sequence[Reply]

    def begin(self) -> Sequence[Reply]:
        return self.replies

    def after(self, reply: Reply, heard_at_s: float) -> Reply | None:
        return None

    @classmethod
    def load(cls, path: Path) -> Recorded:
        """A trace: {"replies": [...]}, each with the fields of Reply. TypeError for others."""
        rows = json.loads(path.read_text(encoding="utf-8"))["replies"]
        return cls([Reply(**{**row, "text": tuple((at_s, tokens) for at_s, tokens in row["text"])}) for row in rows])

    def save(self, path: Path) -> None:
        rows = ",\n".join(f"  {json.dumps(asdict(reply))}" for reply in self.replies)
        path.write_text(f'{{"replies": [\n{rows}\n]}}\n', encoding="utf-8")


@dataclass(frozen=True)
class Habits:
    """How talkers talk. reply_s: length, least and most, in parts of one sentence (sentence_s: each, least and most;
    then reply_s is not used). think_s: between a reply's end and the next one's first text. pieces_per_s: at which text
    is written. barge_in: share of replies that are interrupted."""

    reply_s: tuple[float, float] = (1.0, 6.0)
    sentences: tuple[int, int] | None = None
    sentence_s: tuple[float, float] = (1.7, 2.9)
    think_s: tuple[float, float] = (1.0, 4.0)
    pieces_per_s: float = 50.0
    barge_in: float = 0.0
    max_lead_s: float | None = MAX_LEAD_S

    def draw_s(self, chance: random.Random) -> float:
        """A reply's length."""
        if self.sentences is None:
            return chance.uniform(*self.reply_s)
        return sum(chance.uniform(*self.sentence_s) for _ in range(chance.randint(*self.sentences)))


@dataclass
class Talkers:
    """A closed loop: each says its next reply some time after it heard the last one. What a talker says depends on the
    seed and on how many it has said, so that it is the same for every policy. From `end_s` on nothing begins."""

    count: int
    habits: Habits
    table: CostTable
    end_s: float
    seed: int = 0
    _chances: dict[str, random.Random] = field(default_factory=dict, init=False)

    def begin(self) -> list[Reply]:
        replies = []
        for number in range(self.count):
            self._chances[str(number)] = chance = random.Random(f"{self.seed}/{number}")
            low_s, high_s = self.habits.think_s
            replies.append(self._draw(str(number), 1, chance.uniform(0, low_s + high_s)))
        return replies

    def after(self, reply: Reply, heard_at_s: float) -> Reply | None:
        talker, _, turn = reply.name.partition("/")
        at_s = heard_at_s + self._chances[talker].uniform(*self.habits.think_s)
        return self._draw(talker, int(turn) + 1, at_s) if at_s < self.end_s else None

    def _draw(self, talker: str, turn: int, at_s: float) -> Reply:
        chance, habits = self._chances[talker], self.habits
        tokens = max(1, round(habits.draw_s(chance) / TOKEN_S))
        interrupted, part = chance.random() < habits.barge_in, chance.random()
        return Reply(
            f"{talker}/{turn}",
            at_s,
            tokens,
            written(tokens, self.table, habits.pieces_per_s),
            max_lead_s=habits.max_lead_s,
            cancel_s=part * tokens * TOKEN_S if interrupted else None,
        )
