"""The server through which a command speaks: a running one, or a new one for this command."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtserver.commands.narrator import Narrator
from rtserver.commands.own_server import is_ours
from rtserver.commands.server import Server
from rtserver.config import DEFAULT_PORT, ServerConfig

_PROBE_S = 0.5


@dataclass(frozen=True)
class ServerChoice:
    """Which server a command speaks through."""

    # The address that the user gave. None: the user's own server on this machine, or a new one.
    url: str | None
    # A model directory, or nano.
    model: str = "nano"
    # For a new server; None for the default.
    cache_dir: Path | None = None
    # Whether a new server shows what its processes print.
    verbose: bool = False
    # What a new server makes ready before it speaks.
    languages: list[str] = field(default_factory=lambda: ["en", "zh"])
    voices: list[str] = field(default_factory=lambda: ["default"])


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


def add_speech_server(command: argparse.ArgumentParser) -> None:
    """Adds the options by which the user chooses the server."""
    command.add_argument(
        "--server", metavar="URL", help=f"a running server (default: your own on port {DEFAULT_PORT}, or a new one)"
    )
    command.add_argument(
        "--api-key", metavar="KEY",
        help="key for that server (default, and safer: RTSERVER_API_KEY of the environment)",
    )  # fmt: skip
    command.add_argument(
        "--model", default="nano", metavar="DIR|nano", help="model directory (default: the embedded voice)"
    )
    command.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="directory for prepared models (default: in ~/.cache)"
    )
    command.add_argument("-v", "--verbose", action="store_true", help="show what the engine processes print")
