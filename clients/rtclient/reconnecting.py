"""A connection that comes back by itself."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

from rtclient.errors import ClientError, ConnectionLost, ServerError
from rtclient.session import Session, connect

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 1.0


class Reconnecting:
    """Opens a session when one is needed, and another one after it was lost. Speeches of a lost session fail with
    ConnectionLost; the program decides whether it says them again.

    patience_s: for how long a server that is away is tried, as one that restarts.
    The other arguments are those of `connect`.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, reserve: float | None = None, patience_s: float = 3.0
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._reserve = reserve
        self._patience_s = patience_s
        self._session: Session | None = None
        self._opened: list[tuple[Session, AbstractAsyncContextManager[Session]]] = []
        self._opening = asyncio.Lock()

    async def session(self) -> Session:
        """The open session; if there is none, a new one. Raises ConnectionLost when no server answers in time, and
        ServerError when it refuses."""
        async with self._opening:
            if self._session is None or self._session.lost is not None:
                await self._close([each for each in self._opened if each[0].lost is not None])
                self._session = await self._open()
            return self._session

    def leave(self, session: Session) -> None:
        """No new speech goes to this session, because its server stops. Its open speeches go on."""
        if self._session is session:
            self._session = None

    async def close(self) -> None:
        """Closes the connection. A later `session` opens it again."""
        self._session = None
        await self._close(list(self._opened))

    async def _close(self, those: list[tuple[Session, AbstractAsyncContextManager[Session]]]) -> None:
        for each in those:
            self._opened.remove(each)
            await each[1].__aexit__(None, None, None)

    async def _open(self) -> Session:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._patience_s
        delay_s = _FIRST_DELAY_S
        while True:
            opened = connect(self._url, api_key=self._api_key, reserve=self._reserve)
            try:
                session = await opened.__aenter__()
            except ClientError as error:
                if not _may_come_back(error) or loop.time() + delay_s > until_s:
                    raise
            else:
                self._opened.append((session, opened))
                return session
            await asyncio.sleep(delay_s)
            delay_s = min(_LONGEST_DELAY_S, 2 * delay_s)


def _may_come_back(error: ClientError) -> bool:
    """Whether the server is only away, and not refusing."""
    return isinstance(error, ConnectionLost) or (
        isinstance(error, ServerError) and error.retryable and error.code != "overloaded"
    )
