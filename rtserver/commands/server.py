"""A running server: it starts its processes, listens while they load, speaks, drains, and closes.

The modules of the front are imported after the processes have been started, which need far longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.lexicon_file import read_lexicon
from cosyvoice.models import resolve_model
from cosyvoice.voice.keeping import RECORDINGS, prune
from rtserver.commands.descriptors import with_descriptors
from rtserver.commands.fitting import EngineOptions, cache_of, fitted, keeping_limits, local_options
from rtserver.commands.loading import Loading
from rtserver.config import ConfigError, ServerConfig
from rtserver.engine.card.ask import ask_card
from rtserver.engine.card.cards import Card
from rtserver.engine.card.mps import mps_runs, sharing_words
from rtserver.engine.card.plan_text import plan_table
from rtserver.ipc.process import OnProgress, Progress
from rtserver.processes.scratch import scratch_folder

if TYPE_CHECKING:
    from aiohttp import web

    from rtserver.front.app import App

_CLOSE_GRACE_S = 5.0
_FORGET_EVERY_S = 3600.0


class Server:
    """Made by `running`."""

    def __init__(self, config: ServerConfig, app: App, runner: web.AppRunner) -> None:
        self.config = config
        self.app = app
        self._runner = runner

    @property
    def url(self) -> str:
        """The address at which it listens, with the real port."""
        scheme = "https" if self.config.tls_cert else "http"
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{scheme}://{host}:{self._runner.addresses[0][1]}"

    @property
    def voices(self) -> int:
        """How many voices the engine has."""
        return 0 if self.app.engine is None else len(self.app.engine.info.voices)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        config: ServerConfig,
        on_progress: OnProgress,
        engine_options: EngineOptions = local_options,
    ) -> AsyncIterator[Server]:
        """Starts the processes, and listens while they load. It is ready when the `async with` block begins, and closes
        everything after the block.

        Raises ConfigError, CosyVoiceError, ChildError, or OSError (the port is taken).
        """
        config, descriptors = with_descriptors(config)
        cache = cache_of(config)
        with scratch_folder(cache):
            forgetting = asyncio.create_task(_forget_recordings(cache, config), name="forget-recordings")
            try:
                made = cls._running(config, descriptors.connections, on_progress, engine_options)
                async with made as server:
                    yield server
            finally:
                forgetting.cancel()

    @classmethod
    @contextlib.asynccontextmanager
    async def _running(
        cls,
        config: ServerConfig,
        most_connections: int,
        on_progress: OnProgress,
        engine_options: EngineOptions,
    ) -> AsyncIterator[Server]:
        model = ModelConfig.load(resolve_model(config.model))
        config, plan = fitted(config, model, await _card(config))
        if plan is not None:
            on_progress(Progress("plan", plan_table(plan)))
            on_progress(Progress("sharing", sharing_words(mps=mps_runs(os.environ))))
        if config.lexicon is not None:
            read_lexicon(Path(config.lexicon))  # its errors are told before anything is loaded
        tls = _tls(config)
        loading = Loading(config, model, plan, cache_of(config), engine_options, on_progress)
        try:
            # What the front itself needs takes most of a second to import. The processes start meanwhile.
            await asyncio.to_thread(importlib.import_module, "rtserver.application")
            async with cls._listening(config, model, most_connections, tls) as server:
                server.app.provide(*await loading.loaded())
                yield server
        finally:
            await loading.close()

    @classmethod
    @contextlib.asynccontextmanager
    async def _listening(
        cls, config: ServerConfig, model: ModelConfig, most_connections: int, tls: ssl.SSLContext | None
    ) -> AsyncIterator[Server]:
        from aiohttp import web

        from rtserver.application import application
        from rtserver.front.app import App
        from rtserver.http.connections import Runner

        app = App(config, model)
        # `drain` closes the connections. Those that are left get a few seconds instead of aiohttp's minute.
        runner = Runner(application(app), config, _CLOSE_GRACE_S, most_connections)
        await runner.setup()
        lag = asyncio.create_task(app.lag.run(), name="loop-lag")
        try:
            await web.TCPSite(runner, config.host, config.port, ssl_context=tls).start()
            yield cls(config, app, runner)
        finally:
            lag.cancel()
            await runner.cleanup()
            await app.tracer.close()
            await app.recordings.close()

    async def drain(self, hurry: asyncio.Event) -> None:
        """Accepts nothing new, lets open utterances finish within `drain_s` (or until `hurry`), closes all sockets."""
        self.app.drain()
        self.app.tell_shutdown(deadline=False)
        await _first_of(self.config.drain_s, self.app.empty, hurry)
        self.app.tell_shutdown(deadline=True)
        await _first_of(_CLOSE_GRACE_S, self.app.empty)


async def _card(config: ServerConfig) -> Card | None:
    return None if config.engine == "fake" else await ask_card(config.device)


async def _forget_recordings(cache: Path, config: ServerConfig) -> None:
    """Deletes voices of clients' recordings in time, also when no other recording comes."""
    while True:
        await asyncio.to_thread(prune, cache / RECORDINGS, keeping_limits(config), time.time())
        await asyncio.sleep(_FORGET_EVERY_S)


async def _first_of(bound_s: float, *events: asyncio.Event) -> None:
    """Waits until one of the events is set, for at most `bound_s`."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=bound_s, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def _tls(config: ServerConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls_cert {config.tls_cert}, tls_key {config.tls_key}: {error}") from error
    return context
