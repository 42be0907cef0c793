"""The errors of this client."""

from __future__ import annotations


class ClientError(Exception):
    """The base of all errors of this client."""


class ServerError(ClientError):
    """The server refused a request or could not finish it.

    `code` is an error code of the wire. `retryable`: the same request may succeed later. `retry_after_ms`: when to try.
    """

    def __init__(self, code: str, message: str, retryable: bool = False, retry_after_ms: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable
        self.retry_after_ms = retry_after_ms


class ConnectionLost(ClientError):
    """There is no connection to the server, or it has ended. `close_code`: the WebSocket close code, if any."""

    def __init__(self, message: str, close_code: int | None = None) -> None:
        super().__init__(message)
        self.close_code = close_code
