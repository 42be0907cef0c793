"""Where clients of vllm-omni's speech socket speak."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route
from rtserver.wire.vllm_omni.dialect import SpeechDialect


def routes(app: App) -> list[web.RouteDef]:
    """One socket."""

    def dialect(handshake: Handshake) -> SpeechDialect:
        return SpeechDialect(
            handshake,
            sample_rate=app.model.sample_rate,
            upload_bytes=app.config.upload_bytes,
            voices=app.voice_names,
        )

    return [web.get("/v1/audio/speech/stream", socket_route(app, dialect))]
