"""The first check of every request: the name by which it calls the server, the page it is from, where its client is."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from rtserver.front.app import App
from rtserver.http.answers import client_error, error_response, refusal
from rtserver.http.origins import Origins
from rtserver.http.proxies import Proxies
from rtserver.session.start_request import RequestError, check_text

# Load balancers call these by any name. They tell nothing that needs a key.
OPEN_PATHS = frozenset({"/v1/live", "/v1/health"})
# Since Python 3.12 aiohttp answers requests that came together on one connection in one turn of the loop, if none of
# them waits for anything. Two hundred would hold it for 40 ms.
_BEGUN_AT_ONCE = sys.version_info >= (3, 12)
# What scripts of other hosts may read of an answer.
_EXPOSED = "X-Utterance-Id, X-Sample-Rate, X-Channels, X-Bits, X-Seed, X-Warning, Retry-After"
_PREFLIGHT_S = "600"

_ADMITTED = web.RequestKey("admitted", str)


def checked(app: App) -> Middleware:
    """The middleware with this check. After it `request.remote` is the client's address, also when a trusted proxy is
    between."""
    origins = Origins.of(app.config, wants_key=app.access.wants_key)
    proxies = Proxies(app.config.trusted_proxies)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _BEGUN_AT_ONCE:
            await asyncio.sleep(0)
        headers = request.headers
        if request.path not in OPEN_PATHS:
            if not origins.knows_host(headers.getall(hdrs.HOST, [])):
                what = "expected this machine or one of --allowed-hosts"
                return _forbidden(app, f"Host: {what}, found {headers.get(hdrs.HOST, '')[:60]!r:.60}")
            origin = headers.get(hdrs.ORIGIN)
            if origin is not None:
                if not origins.admits(origin, headers.get(hdrs.HOST, "")):
                    what = "expected a page of this host or one of --allowed-origins"
                    return _forbidden(app, f"Origin: {what}, found {origin[:60]!r:.60}")
                request[_ADMITTED] = origin
                if request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in headers:
                    return _preflight(request)
            try:
                _check_address(request)
            except RequestError as error:
                app.metrics.refused(error.code)
                return error_response(client_error(error))
        address = proxies.client(request.remote, headers.getall(hdrs.X_FORWARDED_FOR, []))
        if address is not None and address != request.remote:
            request = request.clone(remote=address)
        return await handler(request)

    return check


async def tell_admitted(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp: lets the scripts of an admitted page read the answer."""
    origin = request.get(_ADMITTED)
    if origin is not None:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)


def _forbidden(app: App, what: str) -> web.Response:
    app.metrics.refused("unauthorized")
    return refusal(403, {"code": "forbidden", "message": what, "retryable": False})


def _preflight(request: web.Request) -> web.Response:
    """A browser asks whether a page's script may send a request: it may, and the request itself needs its key."""
    allowed = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST, PUT, PATCH, DELETE",
        hdrs.ACCESS_CONTROL_MAX_AGE: _PREFLIGHT_S,
    }
    if asked := request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS):
        allowed[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = asked
    return web.Response(status=204, headers=allowed)


def _check_address(request: web.Request) -> None:
    """Raises RequestError."""
    check_text("path", request.path)
    for name, value in request.query.items():
        check_text("query", name)
        check_text(f"query: {name[:40]}", value)
