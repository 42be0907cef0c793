"""How much callers may hold, from the settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rtserver.config import HoldingKind, ServerConfig
from rtserver.front.account import HoldLimit, MessageRate

# Admission bounds what all callers together have of these.
_ADMITTED: frozenset[HoldingKind] = frozenset({"places", "batch"})
_NO_BOUND = 1 << 62


def holding_limits(config: ServerConfig) -> Mapping[HoldingKind, HoldLimit]:
    """The limits of every kind. A caller with a key, or on this machine, may hold all that `caller_limits` does not
    bound. An address of another machine without a key may hold `stranger_share` of that."""
    totals: dict[HoldingKind, int] = {
        "requests": config.max_sockets,
        "sockets": config.max_sockets,
        "contexts": config.max_contexts,
        "places": config.streams,
        "batch": config.max_batch,
        "reservations": config.max_sockets,
        "preparations": config.max_preparations,
        "body_bytes": config.max_body_bytes,
        "recording_bytes": config.max_recording_bytes,
        "text_chars": config.max_text_chars,
        "output_bytes": config.max_output_bytes,
    }
    return {kind: _limit(config, kind, total) for kind, total in totals.items()}


def message_rate(config: ServerConfig) -> MessageRate:
    """How many messages a second are read from one caller."""
    per_s = config.caller_messages_per_s
    return MessageRate(per_s, max(1, int(config.stranger_share * per_s)))


def _limit(config: ServerConfig, kind: HoldingKind, total: int) -> HoldLimit:
    caller = min(config.caller_limits.get(kind, total), total)
    stranger = max(1, int(config.stranger_share * caller))
    if kind in _ADMITTED:
        total, caller, stranger = (_NO_BOUND if bound >= total else bound for bound in (total, caller, stranger))
    return HoldLimit(total, caller, stranger)
