"""What goes for every HTTP request: the client is identified first, and errors are answered in JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp.typedefs import Middleware

from rtserver.front.access import Access, Credentials, Refused
from rtserver.http.answers import error_response, refusal
from rtserver.session.caller import Caller, Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Health and the API's page are for everybody. The WebSockets identify their clients themselves: a browser sees no HTTP
# status, so it is told over the socket why it is refused.
_OPEN_TO_ALL = frozenset({"/v1/health", "/v1/live", "/v1/realtime", "/ws/v1/tts", "/openapi.json", "/docs"})
# What a path needs; all others need `speak`.
_SCOPES: Mapping[str, Scope] = {"/metrics": "metrics"}
_CALLER = web.RequestKey("caller", Caller)


def caller_of(request: web.Request) -> Caller:
    """Who a request belongs to, on a path that is not open to all."""
    return request[_CALLER]


def guard(access: Access) -> Middleware:
    """The middleware."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path not in _OPEN_TO_ALL and not request.path.startswith("/docs/"):
                caller = await access.identify(Credentials.of(request.headers, request.query), request.remote)
                access.require(caller, _SCOPES.get(request.path, "speak"))
                request[_CALLER] = caller
            return await handler(request)
        except Refused as error:
            return error_response(error.error)
        except web.HTTPNotFound:
            what = f"expected one of the paths of /docs, found {request.path[:100]}"
            return refusal(404, {"code": "not_found", "message": what})
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            what = f"expected {allowed}, found {request.method[:20]}"
            return refusal(405, {"code": "method_not_allowed", "message": what}, {"Allow": allowed})

    return guarded
