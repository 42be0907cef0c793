"""A request that speaks: read and answered for a client that may come in, or refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from rtserver.front.access import Refused
from rtserver.front.account import Exceeded
from rtserver.front.app import App
from rtserver.http.answers import client_error, error_response
from rtserver.http.guard import AnswerError, caller_of
from rtserver.http.oneshot import unread
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError

T = TypeVar("T")


async def read_and_answer(
    app: App,
    request: web.Request,
    read: Callable[[web.Request], Awaitable[T]],
    answer: Callable[[web.Request, T], Awaitable[web.StreamResponse]],
    refused: AnswerError = error_response,
) -> web.StreamResponse:
    """Answers with what was read. `read` may raise RequestError, UploadError, Exceeded and ConnectionResetError.
    `refused` words errors."""
    try:
        with app.enter(caller_of(request)):
            try:
                found = await read(request)
            except (RequestError, UploadError, Exceeded) as error:
                told = error.error if isinstance(error, Exceeded) else client_error(error)
                app.metrics.refused(told.code)
                return refused(told)
            except ConnectionResetError as error:
                error.__traceback__ = None  # the request keeps the error, and the error's frames would keep the request
                return unread()
            if (refusal := app.refusal()) is not None:  # it may have changed while the body was read
                return refused(refusal)
            return await answer(request, found)
    except Refused as error:
        await app.pace_refusal()
        return refused(error.error)
