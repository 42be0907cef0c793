"""A backend with places for all utterances, and accounts, for tests of other things."""

from __future__ import annotations

from typing import Any

from rtserver.config import ServerConfig
from rtserver.engine.api import Engine
from rtserver.front.account import Account, Accounts
from rtserver.front.backend import Backend, TextReader
from rtserver.front.holding_limits import holding_limits, message_rate
from rtserver.front.tracer import Tracer
from rtserver.metrics.metrics import Metrics
from rtserver.metrics.trace import Ring
from rtserver.schedule.admission import Admission, AdmissionLimits
from rtserver.schedule.capacity import Figures
from rtserver.session.caller import Caller


def backend_of(engine: Engine, reader: TextReader, limits: AdmissionLimits | None = None) -> Backend:
    """The engine and the reader, with admission by the load that the engine reports."""
    admission = Admission(limits or AdmissionLimits(), lambda: figures_of(engine))
    return Backend(engine, reader, admission, Metrics(), Tracer(Ring(), lambda: engine.traces))


def accounts_of(**settings: Any) -> Accounts:
    """With the limits of a server with these settings."""
    config = ServerConfig(**settings)
    return Accounts(holding_limits(config), message_rate(config))


def an_account() -> Account:
    """Of a caller with a key, with the default limits."""
    return accounts_of().of(Caller("tenant"))


def figures_of(engine: Engine) -> Figures | None:
    return None if engine.load is None else Figures.of(engine.load)
