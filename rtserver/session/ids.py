"""Ids of utterances: what a client quotes and an operator searches the logs for."""

from __future__ import annotations

import base64
import secrets

_CHARACTERS = 12  # 60 random bits: among a million utterances the odds that two share an id are one in two millions


def new_utterance_id() -> str:
    """An id that no other utterance has, on any server. Errors that come before an utterance is open get one too."""
    return "u_" + base64.b32encode(secrets.token_bytes(8)).decode()[:_CHARACTERS].lower()
