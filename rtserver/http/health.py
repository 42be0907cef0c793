"""Health, for load balancers and people."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App, server_version
from rtserver.http.answers import json_response
from rtserver.http.schemas import Health

_RETRY_AFTER_S = "2"


class HealthRoutes:
    """`/v1/live` answers as long as the process does. `/v1/health` answers 200 when an utterance can be spoken now."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def health(self, _request: web.Request) -> web.Response:
        app = self._app
        info = None if app.engine is None else app.engine.info
        health = Health(
            status=app.state,
            ready=app.ready,
            gpu=info is not None and info.gpu is not None,
            model=app.model.serving.name,
            server=server_version(),
            connections=len(app.connections),
            contexts=sum(connection.live for connection in app.connections),
            loop_lag_ms=round(app.lag.worst_ms, 2),
        )
        if app.engine is not None and info is not None:
            health.device = info.gpu or "cpu"
            health.voices, health.utterances = len(info.voices), app.engine.live
        headers = {} if app.ready else {"Retry-After": _RETRY_AFTER_S}
        return json_response(health, 200 if app.ready else 503, headers)
