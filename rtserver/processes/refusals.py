"""Requests that ended a process are refused for a while. Pure; times are the caller's clock in seconds."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence

REFUSED_S = 300.0
# The oldest are forgotten first. Each of them cost a process three deaths.
_KEPT = 1000


class Fingerprint:
    """Of what a request says: the same for the same recordings and text of the same tenant."""

    def __init__(self, tenant: str, *recordings: str) -> None:
        """recordings: their digests, empty for none."""
        self.tenant = tenant
        # Whether it says anything. Without recording and text all requests are alike.
        self.says = any(recordings)
        self._digest = hashlib.sha256("|".join(recordings).encode())

    def add_ids(self, ids: Sequence[int]) -> None:
        """Text ids."""
        self.says = self.says or bool(ids)
        self._digest.update(array("q", ids).tobytes())

    def add_text(self, text: str) -> None:
        self.says = self.says or bool(text)
        self._digest.update(text.encode(errors="surrogatepass"))

    @property
    def key(self) -> tuple[str, bytes]:
        return self.tenant, self._digest.digest()


class Refusals:
    """What is refused, and until when."""

    def __init__(self, refused_s: float = REFUSED_S) -> None:
        self.refused_s = refused_s
        self._until_s: dict[tuple[str, bytes], float] = {}

    def add(self, fingerprint: Fingerprint, now_s: float) -> None:
        if not fingerprint.says:
            return
        self._until_s[fingerprint.key] = now_s + self.refused_s
        while len(self._until_s) > _KEPT:
            del self._until_s[next(iter(self._until_s))]

    def forget_old(self, now_s: float) -> None:
        for key in [key for key, until_s in self._until_s.items() if until_s <= now_s]:
            del self._until_s[key]

    def __contains__(self, fingerprint: Fingerprint) -> bool:
        return bool(self._until_s) and fingerprint.says and fingerprint.key in self._until_s
