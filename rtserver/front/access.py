"""Who may come in. A client shows a key; the server knows the keys by its settings."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rtserver.front.addresses import is_remote, network_of
from rtserver.front.failed_logins import FailedLogins
from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.metrics.metrics import Metrics
from rtserver.session.api_key import ApiKey
from rtserver.session.caller import Caller, Scope
from rtserver.session.limits import SessionLimits

_LOG = logging.getLogger(__name__)

# What everybody may do on a server without keys, and what those may who are on its machine.
_ANONYMOUS: frozenset[Scope] = frozenset({"speak", "metrics", "trace"})
_ON_THIS_MACHINE: frozenset[Scope] = _ANONYMOUS | {"admin"}
_TENANT_CHARS = 12
_UNKNOWN_KEY = "expected a known key in Authorization: Bearer, X-API-Key, xi-api-key or ?api_key="


class Refused(Exception):
    """A client is turned away. `error` is what it is told."""

    def __init__(self, error: wire.Error) -> None:
        super().__init__(error.message)
        self.error = error


@dataclass(frozen=True)
class Credentials:
    """What a client shows to say who it is, wherever its protocol carries it."""

    # The key; None when the client sent none.
    key: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], query: Mapping[str, str]) -> Credentials:
        """The first of: `Authorization: Bearer KEY`, `X-API-Key: KEY`, `xi-api-key: KEY`, `?api_key=KEY`. The last is
        for browsers, which cannot set headers on a WebSocket. `headers` ignores case, as aiohttp's do."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return cls(token.strip())
        return cls(headers.get("X-API-Key") or headers.get("xi-api-key") or query.get("api_key") or None)


class Access:
    """Knows the keys. Without keys everybody may come in."""

    def __init__(
        self,
        keys: Sequence[str],
        limits: SessionLimits,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """keys: entries of the setting `api_keys`."""
        known = [ApiKey.parse(entry) for entry in keys]
        self._callers = [(key.text.encode(), Caller(_tenant(key.text), key.scopes, limits)) for key in known]
        self._anonymous = Caller("", _ANONYMOUS, limits)
        self._metrics = metrics
        self._failed = FailedLogins()
        self._clock = clock
        self._sleep = sleep

    @property
    def wants_key(self) -> bool:
        """Whether a client needs a key."""
        return bool(self._callers)

    async def identify(self, credentials: Credentials, address: str | None) -> Caller:
        """Who a client is. Every entrance asks this once for each request or socket. It is a coroutine because keys may
        come to be checked by another server. `address` is where the client is: for the log, and for its
        account where there are no keys. Raises Refused (`unauthorized`)."""
        if not self._callers:
            remote = is_remote(address)
            scopes = _ANONYMOUS if remote else _ON_THIS_MACHINE
            return replace(self._anonymous, scopes=scopes, address=network_of(address), is_stranger=remote)
        given = (credentials.key or "").encode(errors="surrogateescape")  # a header may hold any bytes
        # All keys are compared, each in constant time: how long it takes does not tell how much of a key is right.
        found = [caller for key, caller in self._callers if hmac.compare_digest(given, key)]
        if not found:
            await self._note_failure(address)
            raise self._refused(_UNKNOWN_KEY)
        return found[0]

    def require(self, caller: Caller, scope: Scope) -> None:
        """Raises Refused (`unauthorized`) when the caller may not do this."""
        if scope not in caller.scopes:
            raise self._refused(f"expected a key with the scope {scope}, found one without it")

    async def _note_failure(self, address: str | None) -> None:
        """Logs it, and waits before the answer to somebody who fails again and again."""
        failure = self._failed.note(network_of(address), self._clock())
        if failure.is_logged:
            _LOG.warning("a client has no known key", extra={"address": address, "failures": failure.count})
        if failure.delay_s:
            self._failed.waiting += 1
            try:
                await self._sleep(failure.delay_s)
            finally:
                self._failed.waiting -= 1

    def _refused(self, text: str) -> Refused:
        self._metrics.refused("unauthorized")
        return Refused(error_message("unauthorized", text))


def _tenant(key: str) -> str:
    """A name that does not tell the key. It depends on this key alone, so other keys can come and go."""
    return hashlib.sha256(key.encode()).hexdigest()[:_TENANT_CHARS]
