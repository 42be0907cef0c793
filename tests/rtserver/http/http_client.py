"""A simple client of the HTTP side, and an engine that records its requests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from rtserver.engine.api import OnEvent
from rtserver.engine.fake import FakeEngine, FakeOptions, FakeUtterance
from rtserver.ipc.engine import Open

# With the tone engine 0.06 s a letter: 0.9 s.
TEXT = "one two three four"
SAMPLES = 21600
RATE_HZ = 24000


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.body)
        return made

    @property
    def refused(self) -> tuple[int, str]:
        """Status and code of a refusal. Its message must say what was expected."""
        error = self.json["error"]
        assert isinstance(error["message"], str) and error["message"]
        return self.status, error["code"]


async def ask(url: str, method: str = "POST", **options: Any) -> Answer:
    """One request on its own connection."""
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as response:
        return Answer(response.status, response.headers, await response.read())


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for bytes that no client library sends."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def spoken(url: str, **fields: Any) -> dict[str, Any]:
    """The JSON answer of /v1/tts to these fields."""
    answer = await ask(f"{url}/v1/tts", json=fields)
    assert answer.status == 200, answer.body
    return answer.json


def file_of(speech: dict[str, Any]) -> bytes:
    """The sound file in this answer."""
    return base64.b64decode(speech["audio"], validate=True)


def pcm_of(wav: bytes) -> bytes:
    """The samples of a WAV file, found by its header."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples: bytes = file.readframes(file.getnframes())
        return samples


def multipart(fields: dict[str, str], *files: tuple[str, str | None, bytes]) -> aiohttp.MultipartWriter:
    """A form with text fields and files; a file is (name, file name, bytes)."""
    form = aiohttp.MultipartWriter("form-data")
    for name, value in fields.items():
        form.append(value).set_content_disposition("form-data", name=name)
    for name, filename, data in files:
        options: dict[str, Any] = {} if filename is None else {"filename": filename}
        form.append(data).set_content_disposition("form-data", name=name, **options)
    return form


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


class NotingEngine(FakeEngine):
    """A tone engine that records its requests. By default its work takes no time."""

    def __init__(self, options: FakeOptions | None = None) -> None:
        super().__init__(options or FakeOptions(realtime_factor=0.0))
        self.requests: list[Open] = []

    def open(self, request: Open, on_event: OnEvent) -> FakeUtterance:
        self.requests.append(request)
        return super().open(request, on_event)
