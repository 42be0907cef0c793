"""How the server logs: one line for each event, with fields that a program can read."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import IO, Any, Literal

LogFormat = Literal["text", "json"]

# The attributes of every record. All others are fields that the caller gave as `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(log_format: LogFormat, stream: IO[str] | None = None) -> None:
    """Logs to standard error: the server from level INFO on, its libraries from WARNING on. At these levels the server
    logs no text of users."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(is_no_bad_request)
    logging.getLogger("rtserver").setLevel(logging.INFO)


def is_no_bad_request(record: logging.LogRecord) -> bool:
    """False for a traceback that aiohttp logs because a client sent no HTTP, or a body that is none, or was gone before
    it got `100 Continue`. A client that does so thousands of times would fill the log."""
    # Imported here: the server starts its processes before it imports aiohttp.
    from aiohttp import ClientConnectionResetError
    from aiohttp.http_exceptions import HttpProcessingError
    from aiohttp.web import RequestPayloadError

    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | RequestPayloadError | ClientConnectionResetError)


class TextFormatter(logging.Formatter):
    """`TIME LEVEL name: message key=value ...`. A value with spaces is quoted."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, before the traceback of an error."""
        pairs = (f"{name}={_shown(value)}" for name, value in _fields(record).items())
        return " ".join([super().formatMessage(record), *pairs])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `logger`, `message`, the fields, the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN}


def _shown(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not any(character in ' "=' for character in text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())  # control characters would reach a terminal
