"""`GET /v1/trace/{id}`: an utterance's way through the server."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.tracer import Tracer
from rtserver.http.answers import json_response, refusal


class TraceRoute:
    """Asks the tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def trace(self, request: web.Request) -> web.Response:
        utterance = request.match_info["utterance"]
        trace = await self._tracer.trace(utterance)
        if trace is not None:
            return json_response(trace)
        what = (
            f"expected the id of an utterance of the last {self._tracer.reach_s:.0f} s, which is as far as the server "
            f"remembers, found {utterance[:40]!r:.42}"
        )
        return refusal(404, {"code": "not_found", "message": what})
