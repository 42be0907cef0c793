"""Bodies that are no request: each is refused with its status and code, and the server speaks afterwards."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import urllib.parse

import pytest
from aiohttp import web

from rtserver.front.app import App
from tests.rtserver.http.http_client import SAMPLES, TEXT, ask, file_of, pcm_of, spoken
from tests.rtserver.serving import served

BAD = (400, "bad_message")
TOO_BIG = (413, "message_too_big")
PACKED = (415, "bad_message")
MESSAGE_BYTES = 10_000
LARGEST = 13_000  # three times upload_bytes, and message_bytes

JSON = {"Content-Type": "application/json"}
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=cut"}


def parts(*bodies: bytes, end: bytes = b"--cut--\r\n") -> bytes:
    """A multipart body of parts with their headers."""
    return b"".join(b"--cut\r\n" + body + b"\r\n" for body in bodies) + end


def field(name: str, value: bytes, *headers: bytes) -> bytes:
    """A part."""
    lines = [f'Content-Disposition: form-data; name="{name}"'.encode(), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + value


def named(parameters: bytes) -> bytes:
    """A part with these parameters."""
    return b"Content-Disposition: form-data; " + parameters + b"\r\n\r\nx"


SPOKEN = json.dumps({"text": TEXT}).encode()
SAID = field("text", TEXT.encode())

ROWS: dict[str, tuple[dict[str, str], bytes, tuple[int, str]]] = {
    "nothing": (JSON, b"", BAD),
    "no JSON": (JSON, b"text=hello", BAD),
    "half of it": (JSON, SPOKEN[:-3], BAD),
    "more than one": (JSON, SPOKEN + SPOKEN, BAD),
    "a list": (JSON, b"[]", BAD),
    "null": (JSON, b"null", BAD),
    "bytes that are no UTF-8": (JSON, b'{"text": "\xff\xfe"}', BAD),
    "half a surrogate pair": (JSON, b'{"text": "\\ud800 x"}', BAD),
    "the other half": (JSON, b'{"text": "\\udc00"}', BAD),
    "half a pair as a name": (JSON, b'{"\\udfff": "x"}', BAD),
    "brackets without end": (JSON, b"[" * 3000, BAD),
    "braces without end": (JSON, b'{"text":' * 400, BAD),
    "a number of thousands of digits": (JSON, b'{"text": "x", "seed": ' + b"9" * 3500 + b"}", BAD),
    "NaN": (JSON, b'{"text": "x", "speed": NaN}', BAD),
    "a number beyond all": (JSON, b'{"text": "x", "speed": 1e999}', BAD),
    "another encoding": ({"Content-Type": "application/json; charset=utf-16"}, SPOKEN.decode().encode("utf-16"), BAD),
    "another type": ({"Content-Type": "text/csv"}, SPOKEN, BAD),
    "a type that is none": ({"Content-Type": "ä;;=/"}, b"x", BAD),
    "a packed body": (JSON | {"Content-Encoding": "gzip"}, gzip.compress(SPOKEN), PACKED),
    "a bomb": (JSON | {"Content-Encoding": "gzip"}, gzip.compress(bytes(LARGEST * 50)), PACKED),
    "a packed form": (URLENCODED | {"Content-Encoding": "deflate"}, b"text=x", PACKED),
    "an encoding that nobody knows": (JSON | {"Content-Encoding": "x, br"}, SPOKEN, PACKED),
    "too much": (JSON, b'{"text": "' + b"x" * LARGEST + b'"}', TOO_BIG),
    "too much beside recordings": (JSON, b'{"text": "' + b"x" * MESSAGE_BYTES + b'"}', TOO_BIG),
    "a form without text": (URLENCODED, b"", BAD),
    "a form that is half of a JSON text": (URLENCODED, SPOKEN[:-3], BAD),
    "a form that is no UTF-8": (URLENCODED, b"text=\xff\xfe", BAD),
    "a form in an unknown charset": ({"Content-Type": URLENCODED["Content-Type"] + "; charset=x"}, b"text=x", BAD),
    "a form in a slow charset": ({"Content-Type": URLENCODED["Content-Type"] + "; charset=punycode"}, b"text=x", BAD),
    "a form in UTF-7": ({"Content-Type": URLENCODED["Content-Type"] + '; charset="utf-7"'}, b"text=x", BAD),
    "a form with escapes that are no UTF-8": (URLENCODED, b"text=%ff", BAD),
    "a form of many fields": (URLENCODED, urllib.parse.urlencode({f"f{i}": "" for i in range(65)}).encode(), BAD),
    "a form of a great many fields": (URLENCODED, b"a&" * 1500, BAD),
    "a form that is too much": (URLENCODED, b"text=" + b"%41" * (MESSAGE_BYTES // 3), TOO_BIG),
    "a multipart form without boundary": ({"Content-Type": "multipart/form-data"}, parts(SAID), BAD),
    "one with an endless boundary": ({"Content-Type": "multipart/form-data; boundary=" + "x" * 80}, b"", BAD),
    "one with nothing in it": (MULTIPART, b"", BAD),
    "one with another boundary": (MULTIPART, parts(SAID).replace(b"--cut", b"--tuc"), BAD),
    "one that breaks off": (MULTIPART, parts(SAID, end=b"")[:-10], BAD),
    "one that breaks off in a header": (MULTIPART, parts(SAID)[:30], BAD),
    "a part without a name": (MULTIPART, parts(SAID, b"\r\nvalue"), BAD),
    "a part with a header that is none": (MULTIPART, parts(b"no header\r\n\r\nvalue"), BAD),
    "a part with a great header": (MULTIPART, parts(field("text", b"x", b"X-Long: " + b"x" * 9000)), BAD),
    "a part with many headers": (MULTIPART, parts(field("text", b"x", *[b"X-A: b"] * 200)), BAD),
    "a part of parts": (MULTIPART, parts(b"Content-Type: multipart/mixed; boundary=in\r\n\r\n--in--\r\n"), BAD),
    "a part in a slow charset": (MULTIPART, parts(field("text", b"x", b"Content-Type: a/b; CharSet=idna")), BAD),
    "a packed part": (MULTIPART, parts(field("text", b"x", b"Content-Encoding: gzip")), PACKED),
    "a part in base64": (MULTIPART, parts(field("text", b"eA==", b"Content-Transfer-Encoding: base64")), PACKED),
    "a part in quoted-printable": (
        MULTIPART,
        parts(field("text", b"=41", b"content-transfer-encoding: Quoted-Printable")),
        PACKED,
    ),
    "a name in a slow charset": (MULTIPART, parts(named(b"name*=punycode''" + b"x" * 8000)), BAD),
    "a name in a charset behind spaces": (MULTIPART, parts(named(b"name* = idna'en'x")), BAD),
    "a name in pieces": (MULTIPART, parts(named(b"name*0*=punyco; name*1=de''x")), BAD),
    "a file name in a slow charset": (MULTIPART, parts(named(b"name=prompt_wav; filename*=utf-7''x")), BAD),
    "a default charset": (MULTIPART, parts(field("_charset_", b"punycode"), SAID), BAD),
    "a part that is no UTF-8": (MULTIPART, parts(field("text", b"\xff\xfe")), BAD),
    "a charset of many letters": (MULTIPART, parts(field("_charset_", b"x" * 40), SAID), BAD),
    "many parts": (MULTIPART, parts(*(field(f"f{i}", b"") for i in range(65))), BAD),
    "a part with too much": (MULTIPART, parts(field("text", bytes(MESSAGE_BYTES + 1))), TOO_BIG),
    "parts with too much together": (MULTIPART, parts(*[field("text", bytes(MESSAGE_BYTES // 3))] * 4), TOO_BIG),
    "text without end before the first part": (MULTIPART, b"x\r\n" * LARGEST, TOO_BIG),
    "a file that is too much": (MULTIPART, parts(SAID, field("prompt_wav", bytes(1001))), TOO_BIG),
}


@pytest.mark.parametrize("path", ["/v1/tts", "/v1/tts/stream"])
def test_every_body_that_is_no_request_is_refused(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """None is a fault of a handler, none is logged as one; afterwards a text is spoken."""

    async def scenario() -> None:
        async with served(upload_bytes=1000, message_bytes=MESSAGE_BYTES) as server:
            found = {}
            for what, (headers, body, _) in ROWS.items():
                answer = await ask(f"{server.url}{path}", data=io.BytesIO(body), headers=headers)
                found[what] = answer.refused if answer.status < 500 and answer.status != 200 else (answer.status, "")
            assert found == {what: expected for what, (_, _, expected) in ROWS.items()}
            assert len(pcm_of(file_of(await spoken(server.url, text=TEXT)))) == 2 * SAMPLES
            assert not server.app.connections

    asyncio.run(scenario())
    assert not [record for record in caplog.records if "Error handling request" in record.getMessage()]


def test_a_packed_body_stays_packed() -> None:
    """Also where a handler reads it that does not refuse it: nothing is unpacked before."""
    packed = gzip.compress(bytes(100_000))

    async def read(request: web.Request) -> web.Response:
        return web.json_response({"size": len(await request.read())})

    def routes(_app: App) -> list[web.RouteDef]:
        return [web.post("/read", read)]

    async def scenario() -> None:
        async with served(dialects={"reading": routes}) as server:
            answer = await ask(f"{server.url}/read", data=packed, headers={"Content-Encoding": "gzip"})
            assert answer.json == {"size": len(packed)}

    asyncio.run(scenario())
