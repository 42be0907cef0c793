"""Ids of utterances. A client quotes one in a report, and the operator searches the logs for it."""

from __future__ import annotations

import base64
import secrets

_CHARACTERS = 12  # 60 random bits: among a million utterances, two share an id with a chance of one in two million


def new_utterance_id() -> str:
    """A new random id, unique across servers. An error before an utterance is open gets one too."""
    return "u_" + base64.b32encode(secrets.token_bytes(8)).decode()[:_CHARACTERS].lower()
