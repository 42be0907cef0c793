"""An engine that takes only what it can carry."""

from __future__ import annotations

import time
from collections.abc import Callable

from rtserver.engine.api import Engine, EngineError, Event, OnEvent
from rtserver.engine.wrapped import WrappedEngine, WrappedUtterance
from rtserver.ipc.engine import Audio, Done, Failed, Load, Open
from rtserver.schedule.admission import Admission, Refusal
from rtserver.schedule.capacity import Figures


class Overloaded(EngineError):
    """No place for another utterance now."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.retry_after_s = refusal.retry_after_s


class AdmittedUtterance(WrappedUtterance):
    """An utterance that has a place until it is over."""

    def __init__(self, name: str, on_event: OnEvent, release: Callable[[str], None], begun: Callable[[str], None]):
        super().__init__()
        self._name = name
        self._on_event = on_event
        self._release = release
        self._begun = begun
        self._sounds = False

    def event(self, event: Event) -> None:
        if isinstance(event, Audio):
            if not self._sounds:
                self._sounds = True
                self._begun(self._name)
        elif isinstance(event, Done | Failed):
            self._release(self._name)
        self._on_event(event)

    def cancel(self) -> None:
        self._release(self._name)
        super().cancel()


class AdmittingEngine(WrappedEngine):
    """Asks `admission` before an utterance is opened, and tells it what the engine says of itself. `open` also raises
    Overloaded."""

    def __init__(self, engine: Engine, admission: Admission, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(engine)
        self._admission = admission
        self._clock = clock
        self._known: tuple[Load, Figures] | None = None
        admission.told = self.figures

    def open(self, request: Open, on_event: OnEvent) -> AdmittedUtterance:
        name = request.utterance
        refusal = self._admission.admit(name, request.tenant, request.service_class, self._clock(), request.reservation)
        if refusal is not None:
            raise Overloaded(refusal)
        utterance = AdmittedUtterance(name, on_event, self._release, self._admission.begun)
        try:
            utterance.opened(self._inner.open(request, utterance.event))
        except BaseException:
            self._release(name)
            raise
        return utterance

    def figures(self) -> Figures | None:
        """What the engine says of itself, as admission wants to know it."""
        load = self._inner.load
        if load is None:
            return None
        if self._known is None or self._known[0] is not load:
            in_memory = load.kv_free_bytes // load.kv_reserve_bytes if load.kv_reserve_bytes else 1 << 30
            figures = Figures(
                load.hops_s, load.hop_audio_s, load.first_hop_s, load.first_quantum_s, in_memory, load.slack_s
            )
            self._known = load, figures
        return self._known[1]

    def _release(self, name: str) -> None:
        self._admission.over(name, self._clock())
