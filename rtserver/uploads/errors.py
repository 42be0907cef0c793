"""What is wrong with a recording that a client sent or named."""

from __future__ import annotations

from typing import Literal


class UploadError(ValueError):
    """A recording that is not taken. The message may be shown to the client; `code` is one of the wire's."""

    def __init__(self, message: str, code: Literal["bad_audio", "overloaded"] = "bad_audio") -> None:
        super().__init__(message)
        self.code: Literal["bad_audio", "overloaded"] = code


class PathError(UploadError):
    """A path on the server that is not read. The message says nothing about files outside the configured folders."""
