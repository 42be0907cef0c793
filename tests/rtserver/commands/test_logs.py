"""The server's log lines, as text and as JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from aiohttp import ClientConnectionResetError
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.web import RequestPayloadError

from rtserver.commands.logs import LogFormat, is_no_bad_request, set_up_logging


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, server, http = logging.getLogger(), logging.getLogger("rtserver"), logging.getLogger("aiohttp.server")
    before = root.handlers[:], root.level, server.level
    yield
    root.handlers[:], root.level, server.level = before
    http.removeFilter(is_no_bad_request)


def logged(log_format: LogFormat) -> io.StringIO:
    stream = io.StringIO()
    set_up_logging(log_format, stream)
    return stream


def test_fields_follow_the_text() -> None:
    """key=value; a value with spaces or quotes is quoted, so that a line can be taken apart again."""
    stream = logged("text")
    logging.getLogger("rtserver.front").warning("a listener %s", "ran dry", extra={"gap_ms": 120, "also": 'a "b"'})
    line = stream.getvalue()
    assert line.endswith('WARNING rtserver.front: a listener ran dry gap_ms=120 also="a \\"b\\""\n')


@pytest.mark.parametrize("value", ["a\nERROR forged", "\x1b[2J", "\x9b2J", "\u2028", "a=b", ""], ids=ascii)
def test_a_value_forges_no_line(value: str) -> None:
    """Whatever a client has put into it, it is printable and on the line of its event."""
    stream = logged("text")
    logging.getLogger("rtserver.front").warning("a client", extra={"address": value})
    line = stream.getvalue()
    assert line.endswith("\n") and line[:-1].isprintable()
    assert json.loads(line.partition("address=")[2]) == value


def test_json_has_a_line_for_each_event() -> None:
    """Fields beside time, level, logger and message; a traceback is in the line of its error."""
    stream = logged("json")
    log = logging.getLogger("rtserver.front")
    log.warning("a listener ran dry", extra={"utterance": "u_1", "gap_ms": 120})
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("a fault")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "WARNING", "logger": "rtserver.front", "message": "a listener ran dry", "utterance": "u_1",
        "gap_ms": 120,
    }  # fmt: skip
    assert second["level"] == "ERROR" and "ValueError: broken" in second["traceback"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_server_tells_more_than_its_libraries(log_format: LogFormat) -> None:
    """Of the server all from INFO on, of others from WARNING on."""
    stream = logged(log_format)
    logging.getLogger("rtserver.wire").info("heard")
    logging.getLogger("rtserver.wire").debug("not this")
    logging.getLogger("aiohttp").info("nor this")
    logging.getLogger("aiohttp").warning("but this")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 and "heard" in lines[0] and "but this" in lines[1]


def test_bad_requests_do_not_fill_the_log() -> None:
    """A client that sends no HTTP or a bad body, or is gone, makes no traceback; a fault of the server makes one."""
    stream, log = logged("text"), logging.getLogger("aiohttp.server")
    log.error("Error handling request", exc_info=BadHttpMessage("no"))
    log.error("Unhandled exception", exc_info=RequestPayloadError("no"))
    log.error("Error handling request", exc_info=ClientConnectionResetError("gone"))
    assert not stream.getvalue()
    log.error("Error handling request", exc_info=KeyError("broken"))
    assert "KeyError: 'broken'" in stream.getvalue()
