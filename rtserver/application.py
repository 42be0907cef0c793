"""The HTTP application: the routes of every dialect, and those that all share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.capabilities import CapabilitiesRoute
from rtserver.http.capabilities import described as capabilities_described
from rtserver.http.console import ConsoleRoutes
from rtserver.http.docs import DocsRoutes, document
from rtserver.http.entrance import checked, tell_admitted
from rtserver.http.guard import Handler, forget_errors, guarded, worded
from rtserver.http.health import HealthRoutes
from rtserver.http.metrics import MetricsRoute
from rtserver.http.read import ReadRoute
from rtserver.http.read import described as read_described
from rtserver.http.trace import TraceRoute
from rtserver.http.utterances import UtterancesRoute
from rtserver.wire.cartesia.routes import routes as cartesia
from rtserver.wire.cosyvoice.routes import routes as cosyvoice
from rtserver.wire.dashscope.routes import routes as dashscope
from rtserver.wire.deepgram.routes import routes as deepgram
from rtserver.wire.elevenlabs.routes import routes as elevenlabs
from rtserver.wire.livekit.routes import routes as livekit
from rtserver.wire.native.routes import routes as native
from rtserver.wire.openai.openapi import described as openai_described
from rtserver.wire.openai.routes import routes as openai
from rtserver.wire.tts_v1.openapi import described as tts_v1_described
from rtserver.wire.tts_v1.routes import routes as tts_v1
from rtserver.wire.vllm_omni.routes import routes as vllm_omni

Routes = Callable[[App], Iterable[web.RouteDef]]

DIALECTS: Mapping[str, Routes] = {
    "native": native,
    "tts_v1": tts_v1,
    "openai": openai,
    "deepgram": deepgram,
    "vllm_omni": vllm_omni,
    "elevenlabs": elevenlabs,
    "cartesia": cartesia,
    "dashscope": dashscope,
    "livekit": livekit,
    "cosyvoice": cosyvoice,
}


def application(app: App, dialects: Mapping[str, Routes] = DIALECTS) -> web.Application:
    """The aiohttp application."""
    made = web.Application(middlewares=[checked(app), worded(app)])
    made.on_response_prepare.append(tell_admitted)
    made.on_response_prepare.append(forget_errors)

    async def close_sockets(_application: web.Application) -> None:
        app.tell_shutdown(deadline=True)

    made.on_shutdown.append(close_sockets)
    health, keys = HealthRoutes(app), bool(app.config.api_keys)
    described = [
        tts_v1_described(keys=keys),
        openai_described(keys=keys),
        read_described(),
        capabilities_described(keys=keys),
    ]
    spoken = {name: list(routes(app)) for name, routes in dialects.items()}
    made.add_routes(_together(route for routes in spoken.values() for route in routes))
    made.add_routes(
        [
            web.get("/v1/health", health.health),
            web.get("/v1/live", health.live),
            web.get("/metrics", guarded(app, "metrics", MetricsRoute(app).metrics)),
            web.get("/v1/capabilities", guarded(app, "speak", CapabilitiesRoute(app, spoken).capabilities)),
            web.post("/v1/read", guarded(app, "speak", ReadRoute(app).read)),
            web.get("/v1/trace/{utterance}", guarded(app, "trace", TraceRoute(app.tracer).trace)),
            web.get("/v1/utterances", guarded(app, "admin", UtterancesRoute(app).utterances)),
            *DocsRoutes(document(described, keys=keys)).routes(),
            *ConsoleRoutes().routes(),
        ]
    )
    return made


def _together(routes: Iterable[web.RouteDef]) -> Iterable[web.RouteDef]:
    """One route for each method and path. ElevenLabs' lists have the same paths as those of another dialect, which
    comes before: who sends `xi-api-key` wants ElevenLabs'."""
    made: dict[tuple[str, str], web.RouteDef] = {}
    for route in routes:
        key, handler = (route.method, route.path), cast(Handler, route.handler)
        if key in made:
            handler = _chosen(handler, cast(Handler, made[key].handler))
        made[key] = web.RouteDef(route.method, route.path, handler, route.kwargs)
    return made.values()


def _chosen(elevenlabs: Handler, other: Handler) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await (elevenlabs if "xi-api-key" in request.headers else other)(request)

    return answer
