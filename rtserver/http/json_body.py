"""The body of a request that is JSON without recordings."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.body import BodyLimits, RecordingFields, read_body
from rtserver.http.guard import caller_of
from rtserver.session.start_request import RequestError

_NO_RECORDINGS = RecordingFields({}, {})


async def json_body(app: App, request: web.Request, limits: BodyLimits) -> bytes | bytearray:
    """Its text; until it has come the caller's account holds it. Raises RequestError, Exceeded,
    ConnectionResetError."""
    with app.accounts.of(caller_of(request)).hold("body_bytes", 0) as held:
        body = await read_body(request, limits, _NO_RECORDINGS, held)
    if body.json is None:
        raise RequestError("bad_message", "expected a body of JSON, found a form")
    return body.json
