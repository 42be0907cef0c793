"""The original runtime's HTTP server (`runtime/python/fastapi`): forms in, samples out.

Its own client sends forms with GET. The sound is 16-bit samples without a header, as it is made.
"""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.answers import ID_HEADER, STATUS
from rtserver.http.body import BodyLimits, read_body
from rtserver.http.guard import Handler, caller_of, guarded
from rtserver.http.oneshot import speak
from rtserver.http.sound import StreamedSound
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id
from rtserver.session.start_request import Recordings
from rtserver.wire.cosyvoice.request import INFERENCES, RECORDINGS, Inference, start_of
from rtserver.wire.opening import Opening
from rtserver.wire.prepared import prepared

_UNPROCESSABLE = 422  # FastAPI's status for a form that is not right


def routes(app: App) -> list[web.RouteDef]:
    """Every path, for both methods."""
    made = []
    for name, inference in INFERENCES.items():
        handler = guarded(app, "speak", _handler(app, inference), refused=detail)
        made += [web.get(f"/{name}", handler, allow_head=False), web.post(f"/{name}", handler)]
    return made


def detail(error: wire.Error) -> web.Response:
    """An error as FastAPI words it."""
    headers = {ID_HEADER: error.id or new_utterance_id()}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    status = STATUS.get(error.code, _UNPROCESSABLE)
    return web.json_response({"detail": error.message}, status=status, headers=headers)


def _handler(app: App, inference: Inference) -> Handler:
    limits = BodyLimits.of(app.config)

    async def read(request: web.Request) -> tuple[wire.Start, Recordings]:
        """Raises RequestError, UploadError, Exceeded, ConnectionResetError."""
        with app.accounts.of(caller_of(request)).hold("body_bytes", 0) as held:
            body = await read_body(request, limits, RECORDINGS, held)
            return await prepared(app, Opening(start_of(inference, body)), caller_of(request))

    async def answer(request: web.Request, read: tuple[wire.Start, Recordings]) -> web.StreamResponse:
        sound = StreamedSound(request, app.config.slow_reader_s, refused=detail)
        return await speak(app, request, *read, sound)

    async def infer(request: web.Request) -> web.StreamResponse:
        return await read_and_answer(app, request, read, answer, detail)

    return infer
