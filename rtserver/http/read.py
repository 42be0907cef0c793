"""`POST /v1/read`: what would be said of a text, clause by clause. Nothing is spoken."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from cosyvoice.frontend.lexicon_entry import LexiconEntry
from rtserver.engine.api import EngineError
from rtserver.front.app import App
from rtserver.http.answers import client_error, error_response, json_response
from rtserver.http.body import BodyLimits, RecordingFields, read_body
from rtserver.http.docs import FAILURE, Described
from rtserver.http.guard import caller_of
from rtserver.http.oneshot import unread
from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import NotAsWritten, OpenText, Read, Segment
from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.reader.clauses import ReadText, read_text
from rtserver.session.ids import new_utterance_id
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import RequestError, check_text, lexicon_of
from rtserver.uploads.errors import UploadError

_NO_RECORDINGS = RecordingFields({}, {})
_LONGEST_WAIT_S = 30.0  # for the reader, which may have to be started again


class ReadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What to read."""

    text: Annotated[str, Meta(description="what would be said")]
    language: Annotated[str, Meta(max_length=8, description="of the text; auto: found clause by clause")] = "auto"
    markup: Annotated[bool, Meta(description="false: tags and brackets are plain text")] = True
    voice: Annotated[str, Meta(max_length=128, description="some entries of a lexicon are for one voice")] = "default"
    lexicon: Annotated[
        list[dict[str, Any]],
        Meta(
            max_length=SessionLimits.lexicon_entries,
            description="how some words are spoken: objects with word and one of say, cmu and pinyin",
        ),
    ] = []


class ReadRoute:
    """Asks the reader process, as an utterance does."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = BodyLimits.of(app.config)

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Raises Refused, which the guard of the path answers."""
        app, caller = self._app, caller_of(request)
        account = app.accounts.of(caller)
        try:
            with app.enter(caller), account.hold("body_bytes", 0) as held:
                body = await read_body(request, self._limits, _NO_RECORDINGS, held)
                asked = _asked(body.json if body.json is not None else msgspec.json.encode(body.fields))
                self._check(asked, caller.limits.text_chars)
                lexicon = lexicon_of(asked.lexicon, caller.limits)
                with account.hold("text_chars", len(asked.text)):
                    return json_response(await asyncio.wait_for(self._read(asked, lexicon), _LONGEST_WAIT_S))
        except (RequestError, UploadError) as error:
            return error_response(client_error(error))
        except (EngineError, TimeoutError):
            what = "the reader is starting again"
            return error_response(error_message("engine_lost", what, id=new_utterance_id()))
        except ConnectionResetError:
            return unread()

    def _check(self, asked: ReadRequest, text_chars: int) -> None:
        """Raises RequestError."""
        if len(asked.text) > text_chars:
            what = f"text: expected at most {text_chars} characters, found {len(asked.text)}"
            raise RequestError("text_too_long", what)
        check_text("text", asked.text)
        languages = ("auto", *self._app.model.serving.languages)
        if asked.language not in languages:
            what = f"language: expected one of {', '.join(languages)}, found {asked.language!r:.40}"
            raise RequestError("bad_message", what)

    async def _read(self, asked: ReadRequest, lexicon: list[LexiconEntry]) -> ReadText:
        """Raises RequestError, EngineError."""
        backend = self._app.backend
        if backend is None:
            raise EngineError("the reader is starting")
        segments: list[Segment] = []
        unspoken: list[NotAsWritten] = []
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_read(read: Read | Failed) -> None:
            if isinstance(read, Failed):
                if not ended.done():
                    ended.set_exception(EngineError(read.message))
                return
            segments.extend(read.segments)
            unspoken.extend(read.unspoken)
            if read.boundaries and not ended.done():
                ended.set_result(None)

        language = None if asked.language == "auto" else asked.language
        opening = OpenText(new_utterance_id(), language, markup=asked.markup, voice=asked.voice, lexicon=lexicon)
        text = backend.reader.open(opening, on_read)
        try:
            text.write(asked.text)
            text.end()
            await ended
        finally:
            text.drop()
        return read_text(self._app.model.serving.name, segments, unspoken)


def _asked(body: bytes | bytearray) -> ReadRequest:
    """Raises RequestError."""
    try:
        return msgspec.json.decode(body, type=ReadRequest)
    except (ValueError, RecursionError) as error:
        code: wire.Code = "unknown_field" if "unknown field" in str(error) else "bad_message"
        raise RequestError(code, str(error)[:300]) from error


def described() -> Described:
    """As the API's document describes it."""
    schemas = "#/components/schemas/"
    failures = {str(status): {"description": why, **FAILURE} for status, why in _FAILURES.items()}
    operation = {
        "operationId": "read",
        "summary": "What would be said of a text, clause by clause",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"{schemas}ReadRequest"}}},
        },
        "responses": {
            "200": {
                "description": "how the text is read",
                "content": {"application/json": {"schema": {"$ref": f"{schemas}ReadText"}}},
            },
            **failures,
        },
    }
    return Described(paths={"/v1/read": {"post": operation}}, types=[ReadRequest, ReadText])


_FAILURES = {
    400: "bad_message, unknown_field, text_too_long",
    401: "unauthorized",
    408: "the body came too slowly",
    413: "message_too_big",
    415: "a packed body",
    429: "overloaded",
    503: "engine_lost, shutting_down",
}
