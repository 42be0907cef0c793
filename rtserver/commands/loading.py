"""The engine and the reader of a server, from the start of their processes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cosyvoice.config import ModelConfig
from rtserver.commands.fitting import EngineOptions, with_flow_dtype
from rtserver.config import ServerConfig
from rtserver.engine.api import Engine
from rtserver.engine.card.memory_plan import MemoryPlan
from rtserver.engine.cpu.ask import ask_flow_choice
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.process import OnProgress
from rtserver.ipc.reading import OpenText
from rtserver.reader.client import ClientText, OnRead, ReaderClient


class Loading:
    """Starts them when it is made, in an event loop. `loaded` gives them; whoever makes it must `close` it."""

    def __init__(
        self,
        config: ServerConfig,
        model: ModelConfig,
        plan: MemoryPlan | None,
        cache: Path,
        engine_options: EngineOptions,
        on_progress: OnProgress,
    ) -> None:
        """plan: of the GPU's memory. None on a CPU."""
        self._config = config
        self._model = model
        self._plan = plan
        self._cache = cache
        self._engine_options = engine_options
        self._on_progress = on_progress
        self._engine: Engine | None = None
        self._readers: ReaderClient | None = None
        self._tasks = [
            asyncio.create_task(self._load_engine(), name="load-engine"),
            asyncio.create_task(self._load_reader(), name="load-reader"),
        ]

    async def loaded(self) -> tuple[Engine, ReaderClient]:
        """Waits until both are ready. Raises what kept one of them from that, at once."""
        await asyncio.gather(*self._tasks)
        assert self._engine is not None and self._readers is not None
        return self._engine, self._readers

    async def close(self) -> None:
        """Ends the processes, also those that still load."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
        if self._readers is not None:
            await self._readers.close()

    async def _load_reader(self) -> None:
        config = self._config
        self._readers = await ReaderClient.start(
            self._model.directory,
            config.languages,
            self._on_progress,
            lexicon=config.lexicon,
            verbose=config.verbose,
            stalled_s=config.stalled_s,
        )

    async def _load_engine(self) -> None:
        config = self._config
        if config.engine == "fake":
            # Imported here: a server with a model has no use for it.
            from rtserver.engine.fake import FakeEngine, FakeOptions

            self._engine = FakeEngine(FakeOptions(rest_after_s=config.place_idle_s))
            return
        # Once for the server's life: a process that is started again calculates as the one before.
        config = await with_flow_dtype(
            config, self._plan, lambda: ask_flow_choice(self._model, self._cache), self._on_progress
        )
        options = self._engine_options(config, self._model.directory, self._plan)
        self._engine = await LocalEngine.start(options, self._on_progress, self._read_text)

    def _read_text(self, opening: OpenText, on_read: OnRead) -> ClientText:
        """Reads what the engine wants read: it speaks, so the reader is there."""
        assert self._readers is not None, "nothing is spoken before engine and reader have started"
        return self._readers.open(opening, on_read)
