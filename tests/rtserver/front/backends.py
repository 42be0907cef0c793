"""A backend with places for all utterances, for tests of other things."""

from __future__ import annotations

from rtserver.engine.api import Engine
from rtserver.front.backend import Backend, TextReader
from rtserver.front.tracer import Tracer
from rtserver.metrics.metrics import Metrics
from rtserver.metrics.trace import Ring
from rtserver.schedule.admission import Admission, AdmissionLimits
from rtserver.schedule.capacity import Figures


def backend_of(engine: Engine, reader: TextReader, limits: AdmissionLimits | None = None) -> Backend:
    """The engine and the reader, with admission by the load that the engine reports."""
    admission = Admission(limits or AdmissionLimits(), lambda: figures_of(engine))
    return Backend(engine, reader, admission, Metrics(), Tracer(Ring(), lambda: engine.traces))


def figures_of(engine: Engine) -> Figures | None:
    return None if engine.load is None else Figures.of(engine.load)
