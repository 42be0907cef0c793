"""`rtserver trace ID`: asks a server for the trace of an utterance and draws it."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass

import aiohttp
import msgspec

from rtclient import ClientError
from rtserver.commands.own_server import is_ours
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
    # None for the user's own server on this machine.
    server: str | None = None
    api_key: str | None = None
    # Prints the server's JSON instead of a drawing.
    json: bool = False


async def trace(options: TraceOptions) -> int:
    """Prints the trace and returns the exit status. Raises ClientError when the server has none."""
    server = options.server or _own_server()
    body = await _asked(server, options)
    if options.json:
        print(body.decode())
        return 0
    try:
        found = msgspec.json.decode(body, type=UtteranceTrace)
    except msgspec.MsgspecError as error:
        raise ClientError(f"{server}: expected a trace, found something else: {error}") from error
    columns = shutil.get_terminal_size((_COLUMNS, 24)).columns if sys.stdout.isatty() else _COLUMNS
    print("\n".join(timeline(found, columns)))
    return 0


def _own_server() -> str:
    """Raises ClientError when somebody else listens there: such a server must not get the key."""
    url = f"http://127.0.0.1:{DEFAULT_PORT}"
    if not is_ours(DEFAULT_PORT):
        raise ClientError(f"expected a server of yours at {url}, found none: name one with --server")
    return url


async def _asked(server: str, options: TraceOptions) -> bytes:
    headers = {} if options.api_key is None else {"Authorization": f"Bearer {options.api_key}"}
    url = f"{server.rstrip('/')}/v1/trace/{options.utterance}"
    timeout = aiohttp.ClientTimeout(_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, headers=headers) as response:
        body = await response.read()
    if response.status != 200:
        raise ClientError(f"{server}: {_error_of(body) or f'HTTP {response.status}'}")
    return body


def _error_of(body: bytes) -> str | None:
    """The message of an error body; None if the body has another form."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return None
