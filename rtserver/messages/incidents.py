"""A fault of the server: the log gets everything that is known of it, the client an id and a fixed sentence.

What a process printed, and the text of an error that nobody expected, may hold paths, names of other clients'
utterances, or secrets. So a client gets none of it.
"""

from __future__ import annotations

import base64
import logging
import secrets
import sys
from collections.abc import Mapping

_CHARACTERS = 12


def report(log: logging.Logger, details: str, fields: Mapping[str, object] | None = None) -> str:
    """Logs a fault, with the traceback of the exception that is being handled, and returns the id of the incident,
    `i_...`. `fields` are further fields of the log line."""
    incident = "i_" + base64.b32encode(secrets.token_bytes(8)).decode()[:_CHARACTERS].lower()
    is_handling = sys.exc_info()[0] is not None
    log.error("%s", details, extra={"incident": incident, **(fields or {})}, exc_info=is_handling)
    return incident


def client_text(incident: str) -> str:
    """What the client is told."""
    return f"the server failed; try again. If it fails again, tell the operator of the server this id: {incident}"
