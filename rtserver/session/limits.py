"""What one client may ask for. Each limit has an answer of its own on the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class SessionLimits:
    """text_chars: text of one context. contexts: open at once on a socket. message_bytes: of one message. idle_s: a
    socket without contexts on which nothing is said for so long is closed; 0 for never. name_chars: of a context's name
    and of the ids that come back. instruct_chars: of `instruct_text` and `prompt_text`."""

    text_chars: int = 20_000
    contexts: int = 32
    message_bytes: int = 1 << 20
    idle_s: float = 0.0
    name_chars: int = 128
    instruct_chars: int = 500
    min_lead_s: float = 0.5
    max_lead_s: float = 3600.0

    def told(self) -> dict[str, float]:
        """As `ready` tells them."""
        return asdict(self)
