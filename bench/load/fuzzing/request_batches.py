"""Batches of hostile HTTP requests to a running server."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from random import Random
from urllib.parse import quote

from bench.load.fuzzing.dialect_requests import draw_dialect_request
from bench.load.fuzzing.frames import as_json, damaged, odd_value
from bench.load.fuzzing.tts_frames import FIELDS, changed_request, good_request
from rtserver.messages import wire

REQUESTS = 50
ANSWER_S = 60.0
_PATHS = (
    *("/v1/tts", "/v1/tts/stream") * 20,
    *("/v1/voices", "/v1/speakers", "/v1/health", "/v1/live", "/v1/trace/u_abc", "/docs", "/openapi.json"),
    *("/v1/realtime", "/v1/speech/realtime", "/ws/v1/tts", "/v1/audio/speech", "/", "//", "/%00", "/..%2f..%2fetc"),
    *("/v1/tts?x=" + "a" * 3000, "/v1/trace/" + "%F0%9F%98%80" * 30, "*", "http://evil.example/v1/tts", "/v1/tts#x"),
)
_METHODS = (
    *("POST",) * 24, *("GET",) * 4, "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "post", "G T",
)  # fmt: skip
_CHARSETS = (
    *("utf-8", "utf8", "UTF-8", "latin-1", "utf-16", "utf-32", "utf-7", "idna", "punycode", "unicode_escape", "rot13"),
    *("raw_unicode_escape", "hex", "zlib", "base64", "undefined", "mbcs", "x" * 300, "", '"', "utf-8; charset=idna"),
)
_TYPES = (
    *("application/json",) * 5, "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "text/html",
    "application/octet-stream", "application/xml", "audio/wav", "", "a/b/c", "multipart/mixed", "application/json/",
)  # fmt: skip
_ENCODINGS = ("gzip", "deflate", "br", "identity", "gzip, gzip", "x" * 200, "zstd", "chunked")
_HEADERS: tuple[tuple[str, str], ...] = (
    ("Origin", "https://evil.example"), ("Origin", "null"), ("Origin", "http://127.0.0.1:99999999"),
    ("Origin", "x" * 4000),
    ("X-Forwarded-For", "1.2.3.4, " * 100), ("X-Forwarded-Proto", "gopher"), ("Forwarded", 'for="[::1]";proto='),
    ("Expect", "100-continue"), ("Expect", "200-ok"), ("Range", "bytes=0-0,1-1,5-"), ("Upgrade", "h2c"),
    ("Upgrade", "websocket"), ("Connection", "Upgrade, close, keep-alive"), ("Connection", "close"),
    ("Cookie", "a=" + "b" * 3000), ("Cookie", "\x01=\x02"), ("Accept", "*/*;q=" + "9" * 500), ("TE", "trailers"),
    ("Sec-WebSocket-Version", "99"), ("Sec-WebSocket-Key", "no"), ("If-Modified-Since", "yesterday"), ("X" * 2000, "y"),
    ("Content-Disposition", "form-data; name=\"\xff"), ("Accept-Encoding", "gzip;q=-1, br;q=2"), ("", "empty"),
    ("X-Api-Key", "\xff\xfe"), ("Content-Length", "-1"), ("Content-Length", "1e3"), ("Content-Length", "5, 5"),
    ("Transfer-Encoding", "chunked, identity"), ("Transfer-Encoding", "xchunked"), ("Host", "evil.example"),
)  # fmt: skip
_BAD_CHUNKS = (
    *(b"zz\r\n", b"-5\r\nabc\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"0\r\nX: y\r\n\r\n", b"\r\n\r\n"),
    b"5;" + b"x" * 9000 + b"\r\nabcde\r\n0\r\n\r\n",
)
# OpenAI's names of our codes.
_OPENAI_CODES = frozenset({"invalid_api_key", "model_not_found", "voice_not_found", "rate_limit_exceeded"})
_STATUSES = frozenset((101, *range(200, 207), *range(300, 309), *range(400, 432), 499, 501, 503, 505))


class RequestBatches:
    """`key`: sent with nearly all requests."""

    items_per_batch = REQUESTS

    def __init__(self, port: int, seed: int, key: str | None) -> None:
        self._port = port
        self._seed = seed
        self._key = key

    async def run(self, batch: int, items: int) -> tuple[Counter[str], list[str]]:
        """Sends a batch, several requests on one connection where the server keeps it."""
        rng = Random(f"{self._seed} requests {batch}")
        answers: Counter[str] = Counter()
        problems: list[str] = []
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for number in range(items):
            data, whole = draw_request(rng, self._key)
            try:
                if streams is None:
                    streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
                answer, keeps = await asyncio.wait_for(_asked(*streams, data, whole, rng), ANSWER_S)
            except TimeoutError:
                answer, keeps = "no answer", False
                if whole:
                    problems.append(f"no answer within {ANSWER_S:.0f} s to request {number}: {data[:200]!r}")
            except (OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:  # uvloop's
                answer, keeps = f"{type(error).__name__}", False
            except BaseException:  # the fuzzer is stopped
                if streams is not None:
                    streams[1].transport.abort()
                raise
            answers[answer] += 1
            if (answer.isdigit() and int(answer) not in _STATUSES) or answer.endswith("internal"):
                problems.append(f"{answer} to request {number}: {data[:300]!r}")
            if not keeps and streams is not None:
                streams[1].transport.abort()
                streams = None
        if streams is not None:
            streams[1].transport.abort()
        return answers, problems


async def _asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, whole: bool, rng: Random
) -> tuple[str, bool]:
    """How a request is answered, and whether another may follow on its connection."""
    if len(data) > 100 and rng.random() < 0.02:  # slowly
        cut = rng.randrange(len(data))
        writer.write(data[:cut])
        await asyncio.sleep(rng.random() * 0.2)
        writer.write(data[cut:])
    else:
        writer.write(data)
    if not whole:
        if rng.random() < 0.5:
            writer.write_eof()
            await asyncio.wait_for(reader.read(1 << 16), ANSWER_S)
        return "hung up", False
    return await _answered(reader, rng, has_body=not data.startswith(b"HEAD"))


async def _answered(reader: asyncio.StreamReader, rng: Random, *, has_body: bool) -> tuple[str, bool]:
    """Reads a whole answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode()
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if status == "100":
        return await _answered(reader, rng, has_body=has_body)
    if status == "101" or not has_body:
        return status, False
    body = b""
    if headers.get(b"transfer-encoding") == b"chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return status + _code(headers, body), headers.get(b"connection") != b"close" and rng.random() > 0.05


def _code(headers: dict[bytes, bytes], body: bytes) -> str:
    """The code of an error that is told in JSON."""
    if headers.get(b"content-type", b"").startswith(b"application/json") and b'"error"' in body[:20]:
        code = json.loads(body)["error"]["code"]
        known = wire.CODES | {"forbidden", "not_found", "method_not_allowed"} | _OPENAI_CODES
        return f" {code}" if code in known else f" {code} internal"
    return ""


# -- what is sent -----------------------------------------------------------------------------------------------------


def draw_request(rng: Random, key: str | None) -> tuple[bytes, bool]:
    """A request, and whether it is whole: to one whose body does not come there is no answer."""
    headers = [("Host", "127.0.0.1")] if rng.random() < 0.97 else []
    if rng.random() < 0.4:
        asked = draw_dialect_request(rng)
        method, path, content_type, body = asked.method, asked.path, "", asked.body
        headers += asked.headers
    else:
        method, path = rng.choice(_METHODS), rng.choice(_PATHS)
        content_type, body = _body(rng)
    if content_type:
        if rng.random() < 0.3:
            content_type += f"; charset={rng.choice(_CHARSETS)}"
        headers.append(("Content-Type", content_type))
    if key is not None and rng.random() < 0.998:  # a wrong key waits for its answer
        headers.append(("Authorization", f"Bearer {key}"))
    if rng.random() < 0.15:
        encoding = rng.choice(_ENCODINGS)
        headers.append(("Content-Encoding", encoding))
        if rng.random() < 0.7:
            body = gzip.compress(body, 1) if "gzip" in encoding else zlib.compress(body, 1)
    whole = rng.random() > 0.02
    headers += [("Content-Length", str(len(body) + (0 if whole else rng.randrange(1, 1 << 20))))]
    if rng.random() < 0.1:
        headers[-1] = ("Transfer-Encoding", "chunked")
        body = _chunked(rng, body)
    headers += [rng.choice(_HEADERS) for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 5)))]
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    data = head.encode("latin-1", "replace") + body
    if rng.random() < 0.03:
        return damaged(rng, data), False
    return data, whole and _is_plain(headers)


def _is_plain(headers: Sequence[tuple[str, str]]) -> bool:
    """Whether the end of the body is sure, so that an answer must come."""
    lengths = [name for name, _ in headers if name in ("Content-Length", "Transfer-Encoding")]
    return len(lengths) == 1 and not any(name == "Upgrade" for name, _ in headers)


def _body(rng: Random) -> tuple[str, bytes]:
    """A content type and a body, which most often fit each other."""
    content_type = rng.choice(_TYPES)
    chance = rng.random()
    request = good_request(rng) if chance < 0.3 else changed_request(rng)
    match content_type:
        case "application/x-www-form-urlencoded":
            return content_type, _urlencoded(rng)
        case "multipart/form-data" | "multipart/mixed":
            boundary = rng.choice(("b", "x" * 70, "----W", '"', "a b", "x" * 300))
            return f"{content_type}; boundary={boundary}", _multipart(rng, boundary.encode())
        case _:
            text = as_json(request, rng.random() < 0.5).encode("utf-8", "surrogatepass")
            if chance > 0.85:
                text = damaged(rng, text)
            if chance > 0.98:
                wide = text.decode("utf-8", "replace").encode("utf-16")
                text = rng.choice((b"[" * 100_000, b'{"a":' * 50_000, b"\x00" * 1000, wide))
            return content_type, text


def _urlencoded(rng: Random) -> bytes:
    fields = [(rng.choice((*FIELDS, "nothing", "%00", "a[b]")), _words(rng)) for _ in range(rng.randrange(8))]
    if rng.random() < 0.02:
        fields *= 500
    if rng.random() < 0.01:
        return b"text=" + b"%41" * 100_000
    text = "&".join(f"{quote(name)}={_quoted(value) if rng.random() < 0.8 else value}" for name, value in fields)
    return text.encode("utf-8", "surrogatepass")


def _quoted(value: str) -> str:
    return quote(value, errors="surrogatepass")


def _multipart(rng: Random, boundary: bytes) -> bytes:
    parts = b""
    for _ in range(rng.choice((0, 1, 2, 3, 5, 5, 80))):
        name = rng.choice((*FIELDS, "prompt_wav", "source_wav", "", "x" * 1000, "a\r\nb"))
        head = f'Content-Disposition: form-data; name="{name}"'
        if rng.random() < 0.3:
            head += f'; filename="{rng.choice(("a.wav", "../../a", "", "x" * 5000))}"'
        if rng.random() < 0.2:
            head += f"\r\nContent-Type: {rng.choice(_TYPES)}; charset={rng.choice(_CHARSETS)}"
        if rng.random() < 0.1:
            head += (
                f"\r\nContent-Transfer-Encoding: {rng.choice(('base64', 'quoted-printable', 'binary', '7bit', 'x'))}"
            )
        if rng.random() < 0.05:
            head += f"\r\nContent-Encoding: {rng.choice(_ENCODINGS)}"
        if rng.random() < 0.05:
            head += "\r\nContent-Type: multipart/mixed; boundary=inner"
        parts += b"--" + boundary + b"\r\n" + head.encode("latin-1") + b"\r\n\r\n"
        parts += _words(rng).encode("utf-8", "surrogatepass") + b"\r\n"
    return parts + (b"--" + boundary + b"--\r\n" if rng.random() < 0.9 else b"")


def _words(rng: Random) -> str:
    value = odd_value(rng) if rng.random() < 0.3 else rng.choice(("Hello there. ", "en", "1", "true", "default", "sft"))
    return value if isinstance(value, str) else as_json(value)[:5000]


def _chunked(rng: Random, body: bytes) -> bytes:
    """The body in chunks, sometimes with sizes that are none."""
    if rng.random() < 0.3:
        return rng.choice(_BAD_CHUNKS)
    made, at = b"", 0
    while at < len(body):
        size = rng.choice((1, 7, 1000, 100_000))
        piece = body[at : at + size]
        made += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        at += size
        if len(made) > 2000:
            piece, at = body[at:], len(body)
            made += f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if piece else b""
    return made + b"0\r\n\r\n"
