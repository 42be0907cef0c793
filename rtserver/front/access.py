"""Who may come in: one shared list of keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from aiohttp import web


class Access:
    """Checks the key of a request: `Authorization: Bearer KEY`, `X-API-Key: KEY`, or `?api_key=KEY` for browsers, which
    cannot set headers on a WebSocket. Without keys everyone may come in."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def tenant(self, request: web.Request) -> str:
        """Whose request it is: a name for its key that does not tell the key; empty without keys."""
        return hashlib.sha256(_key(request).encode(errors="surrogateescape")).hexdigest()[:12] if self._keys else ""

    def allows(self, request: web.Request) -> bool:
        """Compares with every key, in time that does not depend on where they differ."""
        if not self._keys:
            return True
        given = _key(request).encode(errors="surrogateescape")  # a header may hold any bytes
        matches = [hmac.compare_digest(given, key) for key in self._keys]  # all of them, whichever it is
        return any(matches)


def _key(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.headers.get("X-API-Key") or request.query.get("api_key", "")
