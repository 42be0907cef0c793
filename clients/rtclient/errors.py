"""What can go wrong."""

from __future__ import annotations


class ClientError(Exception):
    """Any failure of this client's."""


class ServerError(ClientError):
    """The server refused something or gave up. `code` is one of the wire's; `retryable`: the same may succeed later,
    `retry_after_ms` says when to try."""

    def __init__(self, code: str, message: str, retryable: bool = False, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms


class ConnectionLost(ClientError):
    """There is no connection, or there is none any more. `close_code` is the WebSocket's, if one was said."""

    def __init__(self, message: str, close_code: int | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code
