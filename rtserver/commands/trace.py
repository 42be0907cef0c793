"""`rtserver trace ID`: asks a server for the trace of an utterance and draws it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

import aiohttp
import msgspec

from rtclient import ClientError
from rtserver.commands.timeline import timeline
from rtserver.config import DEFAULT_PORT
from rtserver.metrics.utterance_trace import UtteranceTrace

_TIMEOUT_S = 10.0
_COLUMNS = 100  # if the output is not a terminal


@dataclass(frozen=True)
class TraceOptions:
    """The arguments of the command."""

    # The utterance's id.
    utterance: str
    server: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    api_key: str | None = None
    # Prints the server's JSON instead of a drawing.
    json: bool = False


async def trace(options: TraceOptions) -> int:
    """Prints the trace and returns the exit status. Raises ClientError when the server has none."""
    body = await _asked(options)
    if options.json:
        print(body.decode())
        return 0
    try:
        found = msgspec.json.decode(body, type=UtteranceTrace)
    except msgspec.MsgspecError as error:
        raise ClientError(f"{options.server}: expected a trace, found something else: {error}") from error
    columns = shutil.get_terminal_size((_COLUMNS, 24)).columns if sys.stdout.isatty() else _COLUMNS
    print("\n".join(timeline(found, columns)))
    return 0


async def _asked(options: TraceOptions) -> bytes:
    headers = {} if options.api_key is None else {"Authorization": f"Bearer {options.api_key}"}
    url = f"{options.server.rstrip('/')}/v1/trace/{options.utterance}"
    timeout = aiohttp.ClientTimeout(_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, headers=headers) as response:
        body = await response.read()
    if response.status != 200:
        raise ClientError(f"{options.server}: {_error_of(body) or f'HTTP {response.status}'}")
    return body


def _error_of(body: bytes) -> str | None:
    """The message of an error body; None if the body has another form."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None
