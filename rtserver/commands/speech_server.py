"""The server through which a command speaks: a running one, or a new one for this command."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtserver.commands.narrator import Narrator
from rtserver.commands.own_server import is_ours
from rtserver.commands.server import Server
from rtserver.commands.server_choice import ServerChoice
from rtserver.config import DEFAULT_PORT, ServerConfig

_PROBE_S = 0.5


@contextlib.asynccontextmanager
async def speech_server(choice: ServerChoice, narrator: Narrator) -> AsyncIterator[str]:
    """The address of a server that is ready. A new server is stopped after the block."""
    url = choice.url or await running_server(choice.model, narrator)
    if url is not None:
        narrator.say(f"speaking through {url}")
        yield url
        return
    config = ServerConfig(
        port=0,
        model=choice.model,
        cache_dir=None if choice.cache_dir is None else str(choice.cache_dir),
        languages=choice.languages,
        warm_voices=choice.voices,
        verbose=choice.verbose,
    )
    narrator.say(f"starting a server for {choice.model}")
    async with Server.running(config, narrator.progress) as server:
        yield server.url


async def running_server(model: str, narrator: Narrator) -> str | None:
    """The address of the user's own server on this machine, if it is ready and has the requested model; None if there
    is none."""
    url = f"http://127.0.0.1:{DEFAULT_PORT}"
    try:
        name = ModelConfig.load(resolve_model(model)).serving.name
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_PROBE_S)) as http,
            http.get(f"{url}/v1/health") as response,
        ):
            health = await response.json()
            if response.status != 200 or health.get("model") != name:
                return None
        if not is_ours(DEFAULT_PORT):
            narrator.say(f"the server at {url} belongs to another user and is not used; --server {url} uses it")
            return None
        return url
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
