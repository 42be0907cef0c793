"""Which replies are spoken and when: drawn from a seed, or recorded. Pure."""

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
    """One reply of a conversation."""

    name: str
    # When its first text comes.
    at_s: float
    # Speech tokens of the whole reply.
    tokens: int
    # The text: seconds after the first text, and how many speech tokens all text so far allows. The last entry allows
    # all `tokens`.
    text: tuple[tuple[float, int], ...]
    service_class: ServiceClass = "realtime"
    max_lead_s: float | None = MAX_LEAD_S
    tenant: str = ""
    # When it is cancelled, in seconds after its first text.
    cancel_s: float | None = None

    @property
    def seconds(self) -> float:
        """How long its sound is."""
        return self.tokens * TOKEN_S

    @property
    def enough_s(self) -> float:
        """When there is enough text for its first sound."""
        return self.at_s + self.text[0][0]


def written(tokens: int, table: CostTable, pieces_per_s: float) -> tuple[tuple[float, int], ...]:
    """The text of a reply of `tokens` speech tokens, as an LLM writes it: in pieces, at an even pace."""
    pieces = max(1, round(tokens * TOKEN_S * table.pieces_per_s))
    text: list[tuple[float, int]] = []
    for piece in range(min(table.pieces_before_audio, pieces), pieces):
        beyond = (piece - table.pieces_before_audio) * table.tokens_per_piece
        allowed = min(tokens, (1 + int(beyond / table.block_tokens)) * table.block_tokens)
        if not text or allowed > text[-1][1]:
            text.append(((piece - 1) / pieces_per_s, allowed))
    return (*text, ((pieces - 1) / pieces_per_s, tokens))


class Load(Protocol):
    """The replies that a simulation speaks."""

    def begin(self) -> Iterable[Reply]:
        """The replies that come whatever the server does, in any order."""

    def after(self, reply: Reply, heard_at_s: float) -> Reply | None:
        """The next reply of the same talker, after this one was heard to its end, cancelled or refused at that time."""


@dataclass(frozen=True)
class Recorded:
    """An open loop: its replies were recorded or drawn before."""

    replies: Sequence[Reply]

    def begin(self) -> Sequence[Reply]:
        return self.replies

    def after(self, reply: Reply, heard_at_s: float) -> Reply | None:
        return None

    @classmethod
    def load(cls, path: Path) -> Recorded:
        """Reads a load: {"replies": [...]}, each with the fields of Reply. Raises TypeError for other fields."""
        rows = json.loads(path.read_text(encoding="utf-8"))["replies"]
        return cls([Reply(**{**row, "text": tuple((at_s, tokens) for at_s, tokens in row["text"])}) for row in rows])

    def save(self, path: Path) -> None:
        rows = ",\n".join(f"  {json.dumps(asdict(reply))}" for reply in self.replies)
        path.write_text(f'{{"replies": [\n{rows}\n]}}\n', encoding="utf-8")


@dataclass(frozen=True)
class Habits:
    """How talkers talk. Pairs are the least and the most."""

    # Length of a reply; not used with `sentences`.
    reply_s: tuple[float, float] = (1.0, 6.0)
    # Sentences of a reply, each of a length from `sentence_s`.
    sentences: tuple[int, int] | None = None
    sentence_s: tuple[float, float] = (1.7, 2.9)
    # From the end of a reply to the first text of the next one.
    think_s: tuple[float, float] = (1.0, 4.0)
    # How fast the text is written.
    pieces_per_s: float = 50.0
    # Share of replies that are interrupted.
    barge_in: float = 0.0
    max_lead_s: float | None = MAX_LEAD_S

    def draw_s(self, chance: random.Random) -> float:
        """Draws the length of a reply."""
        if self.sentences is None:
            return chance.uniform(*self.reply_s)
        return sum(chance.uniform(*self.sentence_s) for _ in range(chance.randint(*self.sentences)))


@dataclass
class Talkers:
    """A closed loop: each talker begins its next reply some time after it has heard the last one.

    A reply depends only on the seed and on how many replies its talker has had. So it is the same for every policy. No
    reply begins after `end_s`.
    """

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
