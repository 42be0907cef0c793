"""The HTTP application: every route, and what goes for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.answers import error_response, refusal
from rtserver.http.docs import DocsRoutes
from rtserver.http.health import HealthRoutes
from rtserver.http.metrics import MetricsRoute
from rtserver.http.tts import TtsRoutes
from rtserver.http.voices import VoiceRoutes
from rtserver.messages import wire
from rtserver.wire.realtime import RealtimeRoute
from rtserver.wire.tts_v1 import TtsSocketRoute

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Health and the API's page are for everyone; the WebSockets answer for themselves, so that a browser learns why it was
# refused.
_OPEN_TO_ALL = frozenset({"/v1/health", "/v1/live", "/v1/realtime", "/ws/v1/tts", "/openapi.json", "/docs"})


def application(app: App) -> web.Application:
    """The aiohttp application."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        open_to_all = request.path in _OPEN_TO_ALL or request.path.startswith("/docs/")
        if not open_to_all and not app.access.allows(request):
            what = "expected a known key in Authorization: Bearer, X-API-Key or ?api_key="
            return error_response(wire.Error("unauthorized", what))
        try:
            return await handler(request)
        except web.HTTPNotFound:
            what = f"expected one of the paths of /docs, found {request.path[:100]}"
            return refusal(404, {"code": "not_found", "message": what})
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            what = f"expected {allowed}, found {request.method[:20]}"
            return refusal(405, {"code": "method_not_allowed", "message": what}, {"Allow": allowed})

    # A base64 recording is a third longer than its bytes; a request may hold two.
    largest = 3 * app.config.upload_bytes + app.config.message_bytes
    made = web.Application(middlewares=[guard], client_max_size=largest)
    health, voices, speech, docs = HealthRoutes(app), VoiceRoutes(app), TtsRoutes(app), DocsRoutes(app)
    speech_sockets = TtsSocketRoute(app)
    made.on_shutdown.append(speech_sockets.close)  # between two requests they are no connections of the app's
    made.router.add_get("/v1/realtime", RealtimeRoute(app).realtime)
    made.router.add_get("/ws/v1/tts", speech_sockets.serve)
    made.router.add_get("/v1/health", health.health)
    made.router.add_get("/v1/live", health.live)
    made.router.add_get("/metrics", MetricsRoute(app).metrics)
    made.router.add_get("/v1/speakers", voices.speakers)
    made.router.add_get("/v1/voices", voices.voices)
    made.router.add_post("/v1/tts", speech.tts)
    made.router.add_post("/v1/tts/stream", speech.stream)
    docs.add_to(made.router)
    return made
