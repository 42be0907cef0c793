"""What a fuzzer's run found: answers by kind, and problems with what repeats them. A stored one can be gone on with."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_SHOWN_PROBLEMS = 50


@dataclass
class Found:
    """The sums over all finished batches of one part."""

    # Number of messages, requests or files.
    items: int = 0
    # Items by how they were answered.
    answers: Counter[str] = field(default_factory=Counter)
    # What may not happen, with the batch that repeats it.
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    # Every batch below this number is finished, and these others.
    next_batch: int = 0
    finished: set[int] = field(default_factory=set)
    wall_s: float = 0.0

    def add(self, batch: int, items: int, answers: Counter[str], problems: list[str]) -> None:
        """A batch is finished."""
        self.items += items
        self.answers += answers
        self.problem_count += len(problems)
        room = _SHOWN_PROBLEMS - len(self.problems)
        self.problems += [f"batch {batch}: {problem}" for problem in problems[:room]]
        self.finished.add(batch)
        while self.next_batch in self.finished:
            self.finished.remove(self.next_batch)
            self.next_batch += 1

    def is_finished(self, batch: int) -> bool:
        return batch < self.next_batch or batch in self.finished

    def plain(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return vars(self) | {"answers": dict(self.answers.most_common()), "finished": sorted(self.finished)}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Found:
        """From what `plain` returned. Other entries are ignored."""
        known = {name: plain[name] for name in cls().plain()}
        return cls(**known | {"answers": Counter(known["answers"]), "finished": set(known["finished"])})
