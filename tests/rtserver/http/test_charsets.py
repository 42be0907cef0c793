"""A client never chooses how its bytes are decoded: no codec is even looked up by a name that comes from outside."""

from __future__ import annotations

import asyncio
import codecs
import io
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.rtserver.http.http_client import TEXT, ask, connected
from tests.rtserver.serving import served
from tests.rtserver.wire.tts_client import tts_client

# Python asks every search function for a codec that it does not know.
NAME = "rt_unknown"

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=cut"
# Where a request can name a charset: headers and body.
PLACES: dict[str, tuple[dict[str, str], bytes]] = {
    "JSON": ({"Content-Type": f"application/json; charset={NAME}"}, b'{"text": "one"}'),
    "JSON in quotes": ({"Content-Type": f'application/json; charset="{NAME}"'}, b'{"text": "one"}'),
    "a form": ({"Content-Type": f"{URLENCODED}; charset={NAME}"}, b"text=one"),
    "a form's field": ({"Content-Type": URLENCODED}, f"_charset_={NAME}&text=one".encode()),
    "a multipart form": ({"Content-Type": f"{MULTIPART}; charset={NAME}"}, b"text"),
    "a part": ({"Content-Type": MULTIPART}, f"name=text\r\nContent-Type: text/plain; charset={NAME}".encode()),
    "a part's name": ({"Content-Type": MULTIPART}, f"name*={NAME}''text".encode()),
    "a name in pieces": ({"Content-Type": MULTIPART}, f"name*0={NAME}''te; name*1=xt".encode()),
    "a file's name": ({"Content-Type": MULTIPART}, f"name=prompt_wav; filename*={NAME}''a.wav".encode()),
    "a file's name with a language": ({"Content-Type": MULTIPART}, f"name=text;filename* = {NAME}'en'a".encode()),
    "a multipart form's field": ({"Content-Type": MULTIPART}, b"name=_charset_"),
    "a query": ({"Content-Type": f"text/csv; charset={NAME}"}, b""),
    "accepted charsets": ({"Accept-Charset": NAME, "Content-Type": URLENCODED}, b"text=one&speed=x"),
    "a cookie": ({"Cookie": f"a*={NAME}''b", "Content-Type": "application/json"}, b"{}"),
}


@pytest.fixture
def looked_up() -> Iterator[list[str]]:
    """The codecs that Python had to search for."""
    names: list[str] = []

    def search(name: str) -> None:
        names.append(name)

    codecs.register(search)
    yield names
    codecs.unregister(search)


def body_of(headers: dict[str, str], body: bytes) -> bytes:
    """A multipart body is made around the parameters of its part."""
    if MULTIPART not in headers["Content-Type"]:
        return body
    return b"--cut\r\nContent-Disposition: form-data; " + body + f"\r\n\r\n{NAME}\r\n--cut--\r\n".encode()


def test_no_codec_is_looked_up(looked_up: list[str]) -> None:
    """Wherever the name stands, the request is refused at once."""

    async def scenario() -> None:
        async with served() as server:
            for path in ("/v1/tts", "/v1/tts/stream"):
                for what, (headers, body) in PLACES.items():
                    data = io.BytesIO(body_of(headers, body))
                    answer = await ask(f"{server.url}{path}?charset={NAME}", data=data, headers=headers)
                    assert 400 <= answer.status < 500 and answer.json["error"]["message"], what
            headers = {"Content-Type": f"text/plain; charset={NAME}", "Accept-Charset": NAME}
            async with tts_client(server, headers=headers) as client:
                await client.send(text=TEXT)
                assert (await client.answer())[1]["done"]

    asyncio.run(scenario())
    assert NAME not in looked_up


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_utf_8_may_be_named(charset: str) -> None:
    """In JSON, in forms, in their parts, and for the name of a file, as common clients do."""

    async def scenario() -> None:
        async with served() as server:
            for kind, body in (("application/json", b'{"text": "\xe4\xbd\xa0"}'), (URLENCODED, b"text=%E4%BD%A0")):
                headers = {"Content-Type": f"{kind}; charset={charset}"}
                assert (await ask(f"{server.url}/v1/tts", data=body, headers=headers)).status == 200
            bare = charset.strip('"')
            part = f"name=text; filename*={bare}''%C3%A4.txt\r\nContent-Type: text/plain; charset={charset}"
            body = f"--cut\r\nContent-Disposition: form-data; {part}\r\n\r\n你\r\n--cut--\r\n".encode()
            answer = await ask(f"{server.url}/v1/tts", data=io.BytesIO(body), headers={"Content-Type": MULTIPART})
            assert answer.status == 200

    asyncio.run(scenario())


HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Content-Encoding", "Transfer-Encoding", "Content-Disposition", "Cookie"]),
    st.sampled_from([URLENCODED, MULTIPART, "application/json", "gzip", "chunked", "identity", "br, gzip"])
    | st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
    max_size=4,
)
PIECES = [
    *(b"--cut", b"\r\n", b"--cut--", b"Content-Disposition: form-data; name=", b'"text"', b"name*0*=", b"''", b"%"),
    *(b"&", b"=", b"{", b'"text": "one"', b'"prompt_audio":"', b"\xff", b"\0", b"\\ud800", b"Content-Encoding: gzip"),
]
BODIES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=12)
# Without making a failure smaller: that takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=30, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(HEADERS, BODIES), max_size=5))
def test_hostile_requests_are_answered(requests: list[tuple[dict[str, str], list[bytes]]]) -> None:
    """Any headers and any body: an answer that is no fault of the server, and the next request is spoken."""

    async def scenario() -> None:
        async with served(message_bytes=2000, head_s=0.05, body_s=0.05) as server:
            for headers, pieces in requests:
                body = b"".join(pieces)
                head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                length = "" if "Transfer-Encoding" in headers else f"Content-Length: {len(body)}\r\n"
                asked = f"POST /v1/tts HTTP/1.1\r\nHost: localhost\r\n{head}{length}\r\n".encode("latin-1") + body
                async with connected(server.url) as (reader, writer):
                    writer.write(asked)
                    status = int((await reader.readuntil(b"\r\n")).split()[1])
                    assert status == 200 or 400 <= status < 500
            status = 408  # on a busy machine a good request may be late too
            while status == 408:
                status = (await ask(f"{server.url}/v1/tts", json={"text": "a"})).status
            assert status == 200 and not server.app.connections

    asyncio.run(scenario())
