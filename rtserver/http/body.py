"""The body of a request as it was sent: JSON, an urlencoded form, or a multipart form with files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from rtserver.session.start_request import RequestError

_FIELD_BYTES = 1 << 20  # of one text field of a form
_FIELDS = 64


@dataclass(frozen=True)
class Body:
    """JSON as it came, or the fields of a form."""

    # The text of the JSON; None for a form.
    json: bytes | None = None
    # The text fields of a form.
    fields: Mapping[str, str] = field(default_factory=dict)
    # The files of a form, by what they are.
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """How much there is to read in JSON or in fields."""
        return len(self.json or b"") + sum(map(len, self.fields.values()))


async def read_body(request: web.Request, upload_bytes: int, file_fields: Mapping[str, str]) -> Body:
    """`file_fields` maps the names of the form fields that may be files to what the files are. Raises RequestError,
    HTTPRequestEntityTooLarge, ConnectionResetError."""
    try:
        return await _read(request, upload_bytes, file_fields)
    except RequestError:
        raise
    # A boundary that is missing, a part's header that is none, an unknown charset, text in another one than it says,
    # bytes that do not unpack.
    except (ValueError, LookupError, RuntimeError, HttpProcessingError, web.RequestPayloadError) as error:
        what = f"expected a whole body of {request.content_type[:60]}, found {str(error)[:100]}"
        raise RequestError("bad_message", what) from error


async def _read(request: web.Request, upload_bytes: int, file_fields: Mapping[str, str]) -> Body:
    if request.content_type == "multipart/form-data":
        return await _multipart(request, upload_bytes, file_fields)
    if request.content_type == "application/x-www-form-urlencoded":
        if (await request.read()).lstrip()[:1] == b"{":  # what `curl -d` calls a form
            return Body(await request.read())
        form = await request.post()
        if len(form) > _FIELDS:
            raise RequestError("bad_message", f"expected at most {_FIELDS} fields, found {len(form)}")
        return Body(fields={name: value for name, value in form.items() if isinstance(value, str)})
    if request.content_type not in ("application/json", "application/octet-stream", "text/plain"):
        raise RequestError(
            "bad_message", f"Content-Type: expected application/json or a form, found {request.content_type[:60]}"
        )
    return Body(await request.read())


async def _multipart(request: web.Request, upload_bytes: int, file_fields: Mapping[str, str]) -> Body:
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise RequestError("bad_message", "expected form fields with names, found another part")
        if len(fields) + len(files) >= _FIELDS:
            raise RequestError("bad_message", f"expected at most {_FIELDS} fields, found more")
        what = file_fields.get(part.name)
        if what is not None and (part.filename is not None or part.name.endswith("_wav")):
            if what in files:
                raise RequestError("bad_message", f"{part.name}: expected one file, found two")
            files[what] = await _read_part(part, upload_bytes)
        else:
            fields[part.name] = (await _read_part(part, _FIELD_BYTES)).decode("utf-8")
    return Body(fields=fields, files=files)


async def _read_part(part: BodyPartReader, largest: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        data += chunk
        if len(data) > largest:
            raise RequestError("message_too_big", f"{part.name}: expected at most {largest} bytes, found more")
    return bytes(data)
