"""A running server: it listens at once, loads its engine and reader, speaks, drains, and closes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.lexicon_file import read_lexicon
from cosyvoice.models import default_cache_dir, resolve_model
from cosyvoice.voice.keeping import RECORDINGS, prune
from rtserver.application import application
from rtserver.commands.descriptors import with_descriptors
from rtserver.commands.fitting import EngineOptions, fitted, keeping_limits, local_options, with_flow_dtype
from rtserver.config import ConfigError, ServerConfig
from rtserver.engine.api import Engine
from rtserver.engine.card.ask import ask_card
from rtserver.engine.card.cards import Card
from rtserver.engine.card.memory_plan import MemoryPlan
from rtserver.engine.card.mps import mps_runs, sharing_words
from rtserver.engine.card.plan_text import plan_table
from rtserver.engine.cpu.ask import ask_flow_choice
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.engine.host.local import LocalEngine
from rtserver.front.app import App
from rtserver.http.connections import Runner
from rtserver.ipc.process import OnProgress, Progress
from rtserver.ipc.reading import OpenText
from rtserver.processes.scratch import scratch_folder
from rtserver.reader.client import ClientText, OnRead, ReaderClient

_CLOSE_GRACE_S = 5.0
_FORGET_EVERY_S = 3600.0


class Server:
    """Made by `running`."""

    def __init__(
        self,
        config: ServerConfig,
        app: App,
        runner: web.AppRunner,
        engine_options: EngineOptions,
        plan: MemoryPlan | None,
    ) -> None:
        """plan: of the GPU's memory. None on a CPU."""
        self.config = config
        self._plan = plan
        self._engine_options = engine_options
        self.app = app
        self._runner = runner
        self._engine: Engine | None = None
        self._readers: ReaderClient | None = None

    @property
    def url(self) -> str:
        """The address at which it listens, with the real port."""
        scheme = "https" if self.config.tls_cert else "http"
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        return f"{scheme}://{host}:{self._runner.addresses[0][1]}"

    @property
    def voices(self) -> int:
        """How many voices the engine has."""
        return 0 if self._engine is None else len(self._engine.info.voices)

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls,
        config: ServerConfig,
        on_progress: OnProgress,
        engine_options: EngineOptions = local_options,
    ) -> AsyncIterator[Server]:
        """Listens, then loads. It is ready when the `async with` block begins, and closes everything after the block.

        Raises ConfigError, CosyVoiceError, ChildError, or OSError (the port is taken).
        """
        config, descriptors = with_descriptors(config)
        cache = _cache(config)
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
        app = App(config, model)
        # `drain` closes the connections. Those that are left get a few seconds instead of aiohttp's minute.
        runner = Runner(application(app), config, _CLOSE_GRACE_S, most_connections)
        await runner.setup()
        server = cls(config, app, runner, engine_options, plan)
        lag = asyncio.create_task(app.lag.run(), name="loop-lag")
        try:
            await web.TCPSite(runner, config.host, config.port, ssl_context=_tls(config)).start()
            await server._load(model.directory, on_progress)
            yield server
        finally:
            lag.cancel()
            await server._close()

    async def drain(self, hurry: asyncio.Event) -> None:
        """Accepts nothing new, lets open utterances finish within `drain_s` (or until `hurry`), closes all sockets."""
        self.app.drain()
        self.app.tell_shutdown(deadline=False)
        await _first_of(self.config.drain_s, self.app.empty, hurry)
        self.app.tell_shutdown(deadline=True)
        await _first_of(_CLOSE_GRACE_S, self.app.empty)

    async def _load(self, model: Path, on_progress: OnProgress) -> None:
        tasks = [
            asyncio.create_task(self._load_reader(model, on_progress), name="load-reader"),
            asyncio.create_task(self._load_engine(model, on_progress), name="load-engine"),
        ]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        assert self._engine is not None and self._readers is not None
        self.app.provide(self._engine, self._readers)

    async def _load_reader(self, model: Path, on_progress: OnProgress) -> None:
        config = self.config
        self._readers = await ReaderClient.start(
            model,
            config.languages,
            on_progress,
            lexicon=config.lexicon,
            verbose=config.verbose,
            stalled_s=config.stalled_s,
        )

    async def _load_engine(self, model: Path, on_progress: OnProgress) -> None:
        config = self.config
        if config.engine == "fake":
            self._engine = FakeEngine(FakeOptions(rest_after_s=config.place_idle_s))
            return
        # Once for the server's life: a process that is started again calculates as the one before.
        config = await with_flow_dtype(
            config, self._plan, lambda: ask_flow_choice(self.app.model, _cache(config)), on_progress
        )
        options = self._engine_options(config, model, self._plan)
        self._engine = await LocalEngine.start(options, on_progress, self._read_text)

    def _read_text(self, opening: OpenText, on_read: OnRead) -> ClientText:
        """Reads what the engine wants read: it speaks, so the reader is there."""
        assert self._readers is not None, "nothing is spoken before engine and reader have started"
        return self._readers.open(opening, on_read)

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self.app.tracer.close()
        await self.app.recordings.close()
        if self._engine is not None:
            await self._engine.close()
        if self._readers is not None:
            await self._readers.close()


def _cache(config: ServerConfig) -> Path:
    return default_cache_dir() if config.cache_dir is None else Path(config.cache_dir)


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
