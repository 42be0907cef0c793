"""`GET /v1/capabilities`: what this server can do. Each fact comes from the place that decides it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from aiohttp import web

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from cosyvoice.frontend.directives import TAGS
from cosyvoice.frontend.speech_tags import ELEMENTS
from rtserver.audio.formats import FORMATS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SoundFormat, sample_rates
from rtserver.front.app import App, server_version
from rtserver.http.answers import error_response, json_response
from rtserver.http.docs import FAILURE, Described
from rtserver.http.guard import caller_of
from rtserver.ipc.engine import VoiceInfo
from rtserver.messages import wire

_OPUS = ("opus", "ogg_opus")


class FormatEntry(msgspec.Struct):
    """A sound format. sample_rates: null for every rate from min_sample_rate to max_sample_rate."""

    name: str
    media_type: str
    sample_rates: Sequence[int] | None
    min_sample_rate: int
    max_sample_rate: int


class DialectEntry(msgspec.Struct):
    """A protocol of clients, and where it is spoken: `GET /path`."""

    name: str
    paths: Sequence[str]


class SpeedRange(msgspec.Struct):
    """Factors of the model's usual speed."""

    min: float
    max: float


class Capabilities(msgspec.Struct):
    """What the server can do. clones: whether a recording can be a voice. styles: the instructions that a model with a
    fixed set of them knows; none where it follows any. markup: tags that are obeyed. limits: of one request or
    socket."""

    server: str
    protocol: int
    model: str
    sample_rate: int
    languages: Sequence[str]
    modes: Sequence[str]
    clones: bool
    styles: Sequence[str]
    speed: SpeedRange
    voices: Sequence[VoiceInfo]
    default_voice: str
    formats: Sequence[FormatEntry]
    markup: Sequence[str]
    dialects: Sequence[DialectEntry]
    limits: Mapping[str, float]


class CapabilitiesRoute:
    """`dialects` are the routes of each."""

    def __init__(self, app: App, dialects: Mapping[str, Iterable[web.RouteDef]]) -> None:
        self._app = app
        self._dialects = [
            DialectEntry(name, sorted(f"{route.method} {route.path}" for route in routes))
            for name, routes in dialects.items()
        ]

    async def capabilities(self, request: web.Request) -> web.Response:
        app, engine = self._app, self._app.engine
        refused = app.refusal()
        if engine is None or refused is not None:
            assert refused is not None
            return error_response(refused)
        info, serving, config = app.server_info(engine), app.model.serving, app.config
        told = Capabilities(
            server=server_version(),
            protocol=wire.PROTOCOL,
            model=info.model,
            sample_rate=info.sample_rate,
            languages=info.languages,
            modes=info.modes,
            clones=engine.info.clones,
            styles=[style.name for style in serving.styles],
            speed=SpeedRange(MIN_SPEED, MAX_SPEED),
            voices=engine.info.voice_details,
            default_voice=serving.default_voice,
            formats=[_format(name, info.sample_rate) for name in FORMATS if not (name in _OPUS and info.opus_problem)],
            markup=[*(f"<{tag}>" for tag in (*TAGS, *ELEMENTS)), "[pause]"],
            dialects=self._dialects,
            limits=caller_of(request).limits.told()
            | {"upload_bytes": config.upload_bytes, "answer_bytes": config.answer_bytes},
        )
        return json_response(told)


def _format(name: str, rate_hz: int) -> FormatEntry:
    rates = sample_rates(name)
    bounds = (MIN_SAMPLE_RATE, MAX_SAMPLE_RATE) if rates is None else (min(rates), max(rates))
    return FormatEntry(name, SoundFormat(name, rate_hz).media_type, rates, *bounds)


def described(*, keys: bool) -> Described:
    """As the API's document describes it. `keys`: whether a key is wanted."""
    failures = {429: "overloaded", 503: "engine_lost, shutting_down"} | ({401: "unauthorized"} if keys else {})
    schema = {"$ref": "#/components/schemas/Capabilities"}
    operation = {
        "operationId": "capabilities",
        "summary": "What the server can do",
        "responses": {
            "200": {"description": "as it is now", "content": {"application/json": {"schema": schema}}},
            **{str(status): {"description": why, **FAILURE} for status, why in failures.items()},
        },
    }
    return Described(paths={"/v1/capabilities": {"get": operation}}, types=[Capabilities])
