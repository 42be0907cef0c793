"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry

from rtserver.front.app import App
from rtserver.metrics.exposition import CONTENT_TYPE, exposition
from rtserver.metrics.gauges import Gauges


class MetricsRoute:
    """What is counted, and how the server stands."""

    def __init__(self, app: App) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(app.metrics.registry)
        self._registry.register(Gauges(app))

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE})
