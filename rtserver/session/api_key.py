"""A key as the settings write it: `KEY`, or `KEY SCOPE,SCOPE`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from rtserver.session.caller import EVERY_SCOPE, Scope

# What a key may do that has no scopes of its own.
CLIENT_SCOPES: frozenset[Scope] = frozenset({"speak", "enrol"})


@dataclass(frozen=True)
class ApiKey:
    """One key. Its text is never shown: neither in a log nor in an error."""

    text: str = field(repr=False)
    scopes: frozenset[Scope] = CLIENT_SCOPES

    @classmethod
    def parse(cls, entry: str) -> ApiKey:
        """Raises ValueError, which does not tell the entry."""
        words = entry.split()
        if not words or entry != entry.strip() or len(words) > 2:
            raise ValueError("expected KEY, or KEY SCOPE,SCOPE, without other space, found something else")
        if len(words) == 1:
            return cls(words[0])
        scopes = words[1].split(",")
        if not EVERY_SCOPE.issuperset(scopes):
            raise ValueError(f"expected scopes out of {', '.join(sorted(EVERY_SCOPE))} after a key, found another word")
        return cls(words[0], frozenset(cast(list[Scope], scopes)))


def entries_of(text: str) -> Iterator[str]:
    """The entries of a file of keys: one a line. A `#` at the start of a line or after a space begins a comment."""
    for line in text.splitlines():
        words = line.split()
        comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
        if words[:comment]:
            yield " ".join(words[:comment])
