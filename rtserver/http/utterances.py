"""`GET /v1/utterances`: who is speaking now."""

from __future__ import annotations

import time

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.answers import json_response
from rtserver.http.schemas import OpenUtterance, OpenUtterances
from rtserver.session.caller import Caller
from rtserver.session.context import Context

# The list is made on the loop, so it is bounded: the oldest come first.
MOST_LISTED = 500


class UtterancesRoute:
    """Lists the open utterances of all callers, without what they say."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def utterances(self, _request: web.Request) -> web.Response:
        now_s = time.monotonic()
        found = [
            (context, connection.session.caller)
            for connection in self._app.connections
            for context in connection.session.contexts
        ]
        found.sort(key=lambda one: one[0].opened_s)
        listed = [_told(context, caller, now_s) for context, caller in found[:MOST_LISTED]]
        return json_response(OpenUtterances(len(found), listed))


def _told(context: Context, caller: Caller, now_s: float) -> OpenUtterance:
    request, first_s = context.request, context.first_audio_s
    return OpenUtterance(
        id=request.utterance,
        caller=caller.tenant,
        address=caller.address,
        voice=request.voice,
        mode=request.mode,
        service_class=request.service_class,
        takes_text=context.state == "open",
        open_s=round(now_s - context.opened_s, 3),
        first_audio_s=None if first_s is None else round(first_s - context.opened_s, 3),
        text_chars=len(context.text),
        sent_s=round(context.playback.sent_s, 3),
        heard_s=round(context.playback.heard_s(now_s), 3),
    )
