"""The server's HTTP application: its routes, who is connected, and what it says of its health."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Literal

from aiohttp import web

from cosyvoice.config import ModelConfig
from rtserver.access import Access
from rtserver.config import ServerConfig
from rtserver.connection import Connection
from rtserver.effects import Effect
from rtserver.engine.engine import Engine
from rtserver.limits import Limits
from rtserver.loop_lag import LoopLag
from rtserver.messages import wire
from rtserver.session import ServerInfo, Session
from rtserver.speaking import Reader
from rtserver.wire.native import NativeLimits, NativeSocket

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
State = Literal["starting", "ready", "recovering", "draining"]

_RETRY_AFTER_S = "2"


class App:
    """What all requests share. `engine` and `reader` are there once they have started."""

    def __init__(self, config: ServerConfig, model: ModelConfig) -> None:
        self.config = config
        self.model = model
        self.engine: Engine | None = None
        self.reader: Reader | None = None
        self.draining = False
        self.lag = LoopLag()
        self.sockets: set[NativeSocket] = set()
        self.empty = asyncio.Event()  # set while there is no socket
        self.empty.set()
        self._access = Access(config.api_keys)
        self._opened = 0
        self._limits = Limits(
            text_chars=config.text_chars,
            contexts=config.contexts,
            message_bytes=config.message_bytes,
            idle_s=config.idle_s,
        )

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/v1/realtime", self._realtime)
        app.router.add_get("/v1/health", self._health)
        app.router.add_get("/v1/live", self._live)
        return app

    @property
    def ready(self) -> bool:
        """Whether an utterance that comes now can be spoken."""
        return self.state == "ready"

    @property
    def state(self) -> State:
        if self.draining:
            return "draining"
        if self.engine is None or self.reader is None:
            return "starting"
        return "ready" if self.engine.ready and self.reader.ready else "recovering"

    def available(self) -> tuple[bool, bool]:
        """ready and draining, as a session wants to know them."""
        return self.state == "ready", self.draining

    # -- routes -----------------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Health is for everyone; the WebSocket answers for itself, so that a browser learns why it was refused."""
        open_to_all = request.path in ("/v1/health", "/v1/live", "/v1/realtime")
        if not open_to_all and not self._access.allows(request):
            return _refusal(401, "unauthorized", "expected a known key in Authorization: Bearer or X-API-Key")
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return _refusal(404, "not_found", f"expected GET /v1/realtime or /v1/health, found {request.path}")
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return _refusal(405, "method_not_allowed", f"expected {allowed}, found {request.method}")

    async def _live(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _health(self, _request: web.Request) -> web.Response:
        body: dict[str, object] = {
            "status": self.state,
            "ready": self.ready,
            "model": self.model.serving.name,
            "server": server_version(),
            "sockets": len(self.sockets),
            "contexts": sum(s.connection.live for s in self.sockets),
            "loop_lag_ms": round(self.lag.worst_ms, 2),
        }
        if self.engine is not None and self.engine.ready:
            body |= {"voices": len(self.engine.info.voices), "utterances": self.engine.live}
        headers = {} if self.ready else {"Retry-After": _RETRY_AFTER_S}
        return web.json_response(body, status=200 if self.ready else 503, headers=headers)

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _refusal(426, "bad_message", "expected a WebSocket handshake", {"Upgrade": "websocket"})
        if not self._access.allows(request):
            reason = "expected a known key in Authorization: Bearer, X-API-Key or ?api_key="
            return await _turn_away(request, wire.Error("unauthorized", reason), 1008)
        if self.draining or self.engine is None or self.reader is None:
            code = "shutting_down" if self.draining else "engine_lost"
            return _refusal(503, code, f"the server is {self.state}", {"Retry-After": _RETRY_AFTER_S})
        if len(self.sockets) >= self.config.max_sockets:
            reason = f"expected at most {self.config.max_sockets} sockets, and all are taken"
            return await _turn_away(request, wire.Error("overloaded", reason, True, retry_after_ms=2000), 1013)
        self._opened += 1
        session = Session(f"s{self._opened}", self._info(self.engine), self._limits, lambda: secrets.randbelow(1 << 32))
        connection = Connection(session, self.engine, self.reader, self.available)
        client = NativeSocket(connection, NativeLimits(self.config.message_bytes, self.config.slow_reader_s))
        self.sockets.add(client)
        self.empty.clear()
        try:
            return await client.serve(request)
        finally:
            self.sockets.discard(client)
            if not self.sockets:
                self.empty.set()

    def _info(self, engine: Engine) -> ServerInfo:
        return ServerInfo(
            server=server_version(),
            model=self.model.serving.name,
            sample_rate=self.model.sample_rate,
            voices=len(engine.info.voices),
            modes=tuple(self.model.serving.modes),
        )

    # -- shutdown ---------------------------------------------------------------------------------------------------

    def tell_shutdown(self, *, deadline: bool) -> None:
        """Idle sockets close; those that speak close when they are through, or, at the deadline, now."""

        def decide(session: Session, now_s: float) -> Sequence[Effect]:
            return session.shutdown(now_s, deadline)

        for client in list(self.sockets):
            client.connection.do(decide)


def server_version() -> str:
    """Name and version, as clients see them."""
    return f"cosyvoice-rtserver/{version('cosyvoice-rtserver')}"


def _refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


async def _turn_away(request: web.Request, error: wire.Error, close_code: int) -> web.WebSocketResponse:
    """Opens a WebSocket to say why it closes: a browser sees no HTTP status."""
    ws = web.WebSocketResponse(protocols=(wire.JSON_SUBPROTOCOL, wire.MSGPACK_SUBPROTOCOL), compress=False, timeout=2.0)
    await ws.prepare(request)
    if ws.ws_protocol == wire.MSGPACK_SUBPROTOCOL:
        await ws.send_bytes(wire.SERVER.to_msgpack(error))
    else:
        await ws.send_str(wire.SERVER.to_json(error))
    await ws.close(code=close_code, message=error.code.encode())
    return ws
