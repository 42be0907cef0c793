"""The limits of one client. Each has its own error code on the wire."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

# The same for all clients: names are also checked where no client's limits are known.
NAME_CHARS = 128


@dataclass(frozen=True)
class SessionLimits:
    """Limits of one socket or request."""

    # Characters of text in one context.
    text_chars: int = 20_000
    # Contexts that are open at once on a socket.
    contexts: int = 32
    # Flushes of one context.
    flushes: int = 4000
    # Bytes of one message.
    message_bytes: int = 1 << 20
    # A socket without contexts and messages is closed after this time; 0 for never.
    idle_s: float = 0.0
    # A context that never had text ends after this time.
    context_idle_s: float = 60.0
    # A context that has had text ends when neither text nor sound has come for this time.
    turn_idle_s: float = 300.0
    # Characters of the name of a context, and of the ids that come back in answers.
    name_chars: int = field(default=NAME_CHARS, init=False)
    # Characters of `instruct_text` and of `prompt_text`.
    instruct_chars: int = 500
    # Entries of `lexicon` in a `start`.
    lexicon_entries: int = 200
    # The bounds of `max_lead_s` in a `start`.
    min_lead_s: float = 0.5
    max_lead_s: float = 3600.0

    def told(self) -> dict[str, float]:
        """The `limits` field of `ready`."""
        return asdict(self)
