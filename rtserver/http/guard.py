"""What goes for every HTTP request: the client is identified first, and errors are answered in JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from rtserver.front.access import Access, Credentials, Refused
from rtserver.front.app import App
from rtserver.http.answers import error_response, refusal
from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.messages.incidents import client_text, report
from rtserver.session.caller import Caller, Scope

_LOG = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Where a request carries its key.
FindCredentials = Callable[[web.Request], Credentials]
# How an error is worded.
AnswerError = Callable[[wire.Error], web.Response]

_CALLER = web.RequestKey("caller", Caller)


def usual_credentials(request: web.Request) -> Credentials:
    """The key where most protocols carry it."""
    return Credentials.of(request.headers, request.query)


def guarded(
    app: App,
    scope: Scope,
    handler: Handler,
    *,
    credentials: FindCredentials = usual_credentials,
    refused: AnswerError = error_response,
) -> Handler:
    """The handler, for clients that may do this. A route without it is open to all."""

    async def for_callers(request: web.Request) -> web.StreamResponse:
        try:
            request[_CALLER] = await _identified(app.access, request, credentials(request))
            app.access.require(request[_CALLER], scope)
            with app.hold(request[_CALLER], "requests"):
                return await handler(request)
        except Refused as error:
            await app.pace_refusal()
            return refused(error.error)

    return for_callers


def caller_of(request: web.Request) -> Caller:
    """Who a request belongs to, on a guarded path."""
    return request[_CALLER]


def worded(app: App) -> Middleware:
    """The middleware that words aiohttp's own errors and faults of the server. Only clients with a key learn which
    routes there are."""

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPUnsupportedMediaType as error:
            app.metrics.refused("bad_message")
            return refusal(415, {"code": "bad_message", "message": error.text or ""})
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            error.__traceback__ = None  # the request keeps the error, and the error's frames would keep the request
            try:
                await _identified(app.access, request, usual_credentials(request))
            except Refused as refused:
                await app.pace_refusal()
                return error_response(refused.error)
            return _no_route(request, error)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception:
            incident = report(_LOG, f"a request for {request.path[:100]!r} failed")
            if request.writer.output_size > 0:  # a part of another answer was sent: only a broken connection tells it
                raise ConnectionResetError from None
            return error_response(error_message("internal", client_text(incident)))

    return answered


async def forget_errors(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp: an answer that is an error is freed with its request. Otherwise only the garbage collector
    frees it: aiohttp keeps the error with its frames, which refer to it. The route of a request for which there is none
    refers to itself."""
    if isinstance(response, web.HTTPException):
        response.__traceback__ = None
    if request.match_info.http_exception is not None:
        vars(request.match_info.route).clear()


async def _identified(access: Access, request: web.Request, credentials: Credentials) -> Caller:
    return await access.identify(credentials, request.remote)


def _no_route(request: web.Request, error: web.HTTPNotFound | web.HTTPMethodNotAllowed) -> web.Response:
    if isinstance(error, web.HTTPNotFound):
        what = f"expected one of the paths of /docs, found {request.path[:100]}"
        return refusal(404, {"code": "not_found", "message": what})
    allowed = ", ".join(sorted(error.allowed_methods))
    what = f"expected {allowed}, found {request.method[:20]}"
    return refusal(405, {"code": "method_not_allowed", "message": what}, {"Allow": allowed})
