"""Who a request or a socket belongs to, and what it may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from rtserver.session.limits import SessionLimits

# speak: synthesise speech and list voices. enrol: store voices. metrics: read /metrics. trace: read how an utterance
# was made. admin: see who is speaking.
Scope = Literal["speak", "enrol", "metrics", "trace", "admin"]
EVERY_SCOPE: frozenset[Scope] = frozenset(get_args(Scope))


@dataclass(frozen=True)
class Caller:
    """The client of a request or a socket, as `Access.identify` found it."""

    # The name that the client's key stands for, for a fair share of the places; empty on a server without keys.
    tenant: str = ""
    # What the client may do.
    scopes: frozenset[Scope] = EVERY_SCOPE
    # What one of its sockets or requests may ask for.
    limits: SessionLimits = field(default_factory=SessionLimits)
    # The name of the place that is kept for this conversation; empty for none.
    reservation: str = ""
    # Where the client is, as its account names it (`front/addresses.py`).
    address: str = ""
    # Whether it has no key and is on another machine.
    is_stranger: bool = False

    @property
    def holder(self) -> str:
        """Whose account pays for what the client holds: its key's, or without keys its address's."""
        return self.tenant or self.address
