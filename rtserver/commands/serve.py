"""`rtserver serve`: runs the server until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

from rtserver.commands.collector import calm_collector
from rtserver.commands.large_blocks import separate_large_blocks
from rtserver.commands.narrator import Narrator
from rtserver.commands.server import Server
from rtserver.commands.systemd import READY, STOPPING, Systemd
from rtserver.config import ServerConfig

_LOG = logging.getLogger(__name__)


async def serve(config: ServerConfig) -> int:
    """Serves until SIGTERM or Ctrl-C, and returns the exit status. The first signal lets open utterances finish, a
    second one stops them."""
    narrator = Narrator(_LOG if config.log_format == "json" else None)  # every line of a JSON log is JSON
    stop, hurry = asyncio.Event(), asyncio.Event()
    serving = asyncio.current_task()
    assert serving is not None
    started = False

    def on_signal() -> None:
        if not started:
            serving.cancel()
        elif stop.is_set():
            hurry.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    narrator.say(f"loading {config.model}")
    try:
        systemd = Systemd(os.environ)
        async with Server.running(config, narrator.progress) as server, systemd.watched():
            started = True
            calm_collector()
            separate_large_blocks()
            narrator.say(f"ready: {server.app.model.serving.name}, {server.voices} voices")
            print(f"listening on {server.url}", flush=True)
            systemd.say(READY)
            await stop.wait()
            systemd.say(STOPPING)
            waiting = len(server.app.connections)
            narrator.say(
                f"stopping: {waiting} connections finish within {config.drain_s:.0f} s (again to stop at once)"
            )
            await server.drain(hurry)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        narrator.say("stopped while loading")
    return 0
