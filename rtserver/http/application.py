"""The HTTP application: every route, and what goes for all of them."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.docs import DocsRoutes
from rtserver.http.guard import guard
from rtserver.http.health import HealthRoutes
from rtserver.http.metrics import MetricsRoute
from rtserver.http.tts import TtsRoutes
from rtserver.http.voices import VoiceRoutes
from rtserver.wire.realtime import RealtimeRoute
from rtserver.wire.tts_v1 import TtsSocketRoute


def application(app: App) -> web.Application:
    """The aiohttp application."""
    # A base64 recording is a third longer than its bytes; a request may hold two.
    largest = 3 * app.config.upload_bytes + app.config.message_bytes
    made = web.Application(middlewares=[guard(app.access)], client_max_size=largest)
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
