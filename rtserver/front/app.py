"""What all requests share: engine and reader, the open connections, and whether another one can be opened."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Literal

from cosyvoice.config import ModelConfig
from rtserver.audio.libopus import opus_problem
from rtserver.config import HoldingKind, ServerConfig
from rtserver.engine.api import Engine
from rtserver.front.access import Access, Refused
from rtserver.front.account import Accounts, Exceeded, Holding
from rtserver.front.backend import Backend, TextReader
from rtserver.front.connection import Connection
from rtserver.front.holding_limits import holding_limits, message_rate
from rtserver.front.refusal_pace import RefusalPace
from rtserver.front.tracer import Tracer
from rtserver.ipc.tracing import TraceParts
from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.metrics.loop_lag import LoopLag
from rtserver.metrics.metrics import Metrics
from rtserver.metrics.trace import Ring
from rtserver.schedule.admission import Admission, AdmissionLimits
from rtserver.schedule.capacity import Figures
from rtserver.session.caller import Caller
from rtserver.session.effects import Effect
from rtserver.session.ids import new_utterance_id
from rtserver.session.limits import SessionLimits
from rtserver.session.server_info import ServerInfo
from rtserver.session.session import Session
from rtserver.session.voice_names import VoiceNames
from rtserver.uploads.folders import Folders
from rtserver.uploads.recordings import RecordingReader
from rtserver.uploads.worker import DecodeWorkers

# Twice as many as may speak at once on a large server.
_TRACED_UTTERANCES = 2048

# ok: an utterance that comes now can be spoken. recovering: a process that died is started again.
ServerState = Literal["starting", "ok", "recovering", "draining"]


class App:
    """What all requests share. It can speak once `provide` was called."""

    def __init__(self, config: ServerConfig, model: ModelConfig) -> None:
        self.config = config
        self.model = model
        self.backend: Backend | None = None  # until engine and reader have started
        self._draining = False
        self.opus_problem = opus_problem()
        self.lag = LoopLag(self._loop_blocked)
        self.recordings = RecordingReader(DecodeWorkers(), Folders(config.audio_folders), config.upload_bytes)
        self.connections: set[Connection] = set()
        self.empty = asyncio.Event()  # set while there is no connection
        self.empty.set()
        self.metrics = Metrics()
        self.tracer = Tracer(Ring(_TRACED_UTTERANCES), self._traces)
        limits = SessionLimits(
            text_chars=config.text_chars,
            contexts=config.contexts,
            message_bytes=config.message_bytes,
            idle_s=config.idle_s,
            context_idle_s=config.context_idle_s,
            turn_idle_s=config.turn_idle_s,
        )
        self.access = Access(config.api_keys, limits, self.metrics)
        self.accounts = Accounts(holding_limits(config), message_rate(config))
        admission = AdmissionLimits(
            max_streams=config.streams,
            max_batch=config.max_batch,
            ttfa_s=config.ttfa_s,
            enabled=config.admission,
            place_idle_s=config.place_idle_s,
            reservation_idle_s=config.reservation_idle_s,
        )
        self.admission = Admission(admission, self._figures)
        self._refusal_pace = RefusalPace()
        self._reserved = 0
        self.voice_names = VoiceNames()  # of the engine, once it has started

    def provide(self, engine: Engine, reader: TextReader) -> None:
        """Engine and reader have started."""
        self.backend = Backend(engine, reader, self.admission, self.metrics, self.tracer)
        own = [name for voice in engine.info.voice_details for name in (voice.name, *voice.aliases)]
        self.voice_names = VoiceNames(own, self.config.voice_aliases)

    @property
    def engine(self) -> Engine | None:
        """None until it has started."""
        return None if self.backend is None else self.backend.engine

    @property
    def ready(self) -> bool:
        """Whether an utterance that comes now can be spoken."""
        return self.state == "ok"

    @property
    def state(self) -> ServerState:
        if self._draining:
            return "draining"
        if self.backend is None:
            return "starting"
        return "ok" if self.backend.ready else "recovering"

    def available(self) -> tuple[bool, bool]:
        """Whether new utterances can be spoken, and whether the server drains: a session asks both."""
        return self.ready, self._draining

    # -- connections ------------------------------------------------------------------------------------------------

    def hold(self, caller: Caller, kind: HoldingKind, amount: int = 1) -> Holding:
        """A part of what the caller's account holds; use it in a `with`. Raises Refused (`overloaded`), which counts as
        a refusal."""
        try:
            return self.accounts.of(caller).hold(kind, amount)
        except Exceeded as exceeded:
            self.metrics.refused(exceeded.error.code)
            raise

    def enter(self, caller: Caller) -> Holding:
        """What a socket, or a request that speaks, holds until it is over. Raises Refused."""
        if (refused := self.refusal()) is not None:
            raise Refused(refused)
        return self.hold(caller, "sockets")

    def refusal(self) -> wire.Error | None:
        """Why nothing can be spoken now; None when it can. An error counts as a refusal: the caller sends it."""
        refused = self._refusal()
        if refused is not None:
            self.metrics.refused(refused.code)
        return refused

    async def pace_refusal(self) -> None:
        """Every answer to a client that is refused waits here for its turn."""
        if delay_s := self._refusal_pace.delay_s(time.monotonic()):
            await asyncio.sleep(delay_s)

    def speaking_engine(self) -> Engine:
        """The engine, if something can be spoken now. Raises Refused."""
        if (refused := self.refusal()) is not None:
            raise Refused(refused)
        assert self.engine is not None, "refusal() tells when it is not there"
        return self.engine

    def _refusal(self) -> wire.Error | None:
        if self._draining:
            return error_message("shutting_down", "the server stops: connect again")
        if self.backend is None:
            return error_message("engine_lost", "the server is starting")
        return None

    @contextlib.contextmanager
    def reserved(self, caller: Caller, share: float | None) -> Iterator[Caller]:
        """The caller, with a place that is kept until the end of the block: for a conversation that speaks `share` of
        the time, or none for None. Raises Refused (`overloaded`)."""
        if share is None:
            yield caller
            return
        self._reserved += 1
        name = f"r{self._reserved}"
        with self.hold(caller, "reservations"):
            refused = self.admission.reserve(name, caller.holder, share, time.monotonic())
            if refused is not None:
                self.metrics.refused("overloaded")
                retry_after_ms = round(refused.retry_after_s * 1000)
                raise Refused(wire.Error("overloaded", refused.text, True, retry_after_ms=retry_after_ms))
            try:
                yield replace(caller, reservation=name)
            finally:
                self.admission.unreserve(name)

    @contextlib.contextmanager
    def connection(self, caller: Caller, *, is_heard: bool = True) -> Iterator[Connection]:
        """A session of its own with engine and reader, which ends after the block. is_heard: see Connection."""
        assert self.backend is not None, "refusal() tells when it is not there"
        info, ring = self.server_info(self.backend.engine), self.tracer.ring
        session = Session(info, caller, _new_seed, new_utterance_id, ring)
        account = self.accounts.of(caller)
        connection = Connection(session, self.backend, account, self.available, is_heard=is_heard)
        self.connections.add(connection)
        self.empty.clear()
        try:
            yield connection
        finally:
            connection.close()
            self.connections.discard(connection)
            if not self.connections:
                self.empty.set()

    def _traces(self) -> TraceParts:
        """The other processes that noted something of utterances."""
        return {} if self.backend is None else {**self.backend.reader.traces, **self.backend.engine.traces}

    def _loop_blocked(self, from_s: float, to_s: float) -> None:
        self.tracer.ring.note_of_all("loop", from_s, to_s)

    def server_info(self, engine: Engine) -> ServerInfo:
        """What sessions know of the server, with this engine."""
        return ServerInfo(
            server=server_version(),
            model=self.model.serving.name,
            sample_rate=self.model.sample_rate,
            voices=len(engine.info.voices),
            modes=tuple(engine.info.modes),
            languages=self.model.serving.languages,
            opus_problem=self.opus_problem,
            voice_names=self.voice_names,
        )

    def _figures(self) -> Figures | None:
        load = None if self.backend is None else self.backend.engine.load
        return None if load is None else Figures.of(load)

    # -- shutdown ---------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """From now on nobody comes in, and nothing new is spoken."""
        self._draining = True

    def tell_shutdown(self, *, deadline: bool) -> None:
        """Idle sockets close now. Those that speak close when they have finished, or at the deadline."""

        def decide(session: Session, now_s: float) -> Sequence[Effect]:
            return session.shutdown(now_s, deadline)

        for connection in list(self.connections):
            connection.do(decide)


def _new_seed() -> int:
    return secrets.randbelow(1 << 32)


@functools.cache  # it reads files
def server_version() -> str:
    """Name and version, as clients see them."""
    return f"cosyvoice-rtserver/{version('cosyvoice-rtserver')}"
