"""The console: a page at `/` on which people use the server. Its files are built from `clients/console`."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePath

from aiohttp import hdrs, web

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing comes from another host, and nothing in the page itself is a script or a style. `blob:` is sound that the page
# has and plays. 'self' of connect-src counts for WebSockets too.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    hdrs.VARY: hdrs.ACCEPT_ENCODING,
}
# The name of a file in this folder has a hash of its content: it never changes.
_HASHED = "console"
_FOR_EVER = "public, max-age=31536000, immutable"
# The page names them. A browser asks each time whether it has changed.
_ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True)
class _File:
    body: bytes
    packed: bytes
    content_type: str
    etag: str


class ConsoleRoutes:
    """The files are read once. Everybody may read them."""

    def __init__(self) -> None:
        self._page, self._files = _built()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.page),
            web.get("/index.html", self.page),
            web.get(f"/{_HASHED}/{{name}}", self.file),
        ]

    async def page(self, request: web.Request) -> web.Response:
        return _answer(request, self._page, _ASK_EACH_TIME)

    async def file(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found, _FOR_EVER)


@functools.cache  # it packs them
def _built() -> tuple[_File, Mapping[str, _File]]:
    """The page, and the files that it names."""
    folder = importlib.resources.files("rtserver") / "console"
    return _read(folder / "index.html"), {file.name: _read(file) for file in (folder / _HASHED).iterdir()}


def _read(file: Traversable) -> _File:
    body = file.read_bytes()
    packed = gzip.compress(body, mtime=0)
    return _File(body, packed, _TYPES[PurePath(file.name).suffix], hashlib.sha256(body).hexdigest()[:32])


def _answer(request: web.Request, file: _File, cache_control: str) -> web.Response:
    response = web.Response(headers={**_HEADERS, hdrs.CACHE_CONTROL: cache_control})
    response.etag = file.etag
    if any(tag.value == file.etag for tag in request.if_none_match or ()):
        response.set_status(304)
        return response
    response.headers[hdrs.CONTENT_TYPE] = file.content_type
    if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        response.body = file.packed
    else:
        response.body = file.body
    return response
