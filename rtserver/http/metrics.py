"""`GET /metrics`, for Prometheus: what was counted, and how the server is now."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator, Mapping
from typing import get_args

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rtserver.front.account import Accounts
from rtserver.front.app import App
from rtserver.ipc.engine import Load
from rtserver.metrics.memory import open_descriptors, resident_bytes
from rtserver.processes.supervisor import ProcessHealth
from rtserver.schedule.admission import Admission, Reason


class MetricsRoute:
    """Answers with the counts of the application's metrics and with the gauges."""

    def __init__(self, app: App) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(app.metrics.registry)
        self._registry.register(Gauges(app))

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=exposition(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def exposition(registry: CollectorRegistry) -> bytes:
    """Everything as it is now, in the text format 0.0.4."""
    return generate_latest(_WithoutTimes(registry))


class _WithoutTimes(Collector):
    """Leaves out the time when each series was made: in this format Prometheus would take it for one more metric."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if s.name != f"{metric.name}_created"]
            yield metric


class Gauges(Collector):
    """How the server is at the moment of asking, as the application and the last Load of its engine say."""

    def __init__(self, app: App) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        app, backend = self._app, self._app.backend
        ready = backend is not None and backend.ready
        live = {str(name): float(count) for name, count in app.metrics.live.items()}
        lag_s = {"p99": app.lag.percentile_ms(99) / 1000, "worst": app.lag.worst_ms / 1000}
        yield GaugeMetricFamily("rt_connections", "Sockets and requests that have a session", len(app.connections))
        yield GaugeMetricFamily("rt_engine_ready", "1 while an utterance that comes now can be spoken", int(ready))
        yield _gauges("rt_utterances_live", "Utterances that are open", "class", live)
        yield _gauges("rt_loop_lag_seconds", "How late the front's event loop was in the last minute", "stat", lag_s)
        yield from _admission(app.admission)
        yield from _accounts(app.accounts)
        yield from _processes({} if backend is None else backend.processes)
        load = None if backend is None else backend.engine.load
        if load is not None:
            yield from _load(load)


def _admission(admission: Admission) -> Iterator[Metric]:
    yield GaugeMetricFamily("rt_places_taken", "Realtime streams that are made or have a place kept", admission.demand)
    if admission.figures is not None:
        places = admission.figures.streams
        yield GaugeMetricFamily("rt_places", "Realtime streams that the device is predicted to keep up with", places)
    refusals = {reason: float(admission.refusals[reason]) for reason in get_args(Reason)}
    yield _counters("rt_admission_refusals", "Utterances and conversations without a place", "reason", refusals)


def _accounts(accounts: Accounts) -> Iterator[Metric]:
    """Without the names of the callers: there may be any number of them."""
    held = {str(kind): float(accounts.held[kind]) for kind in accounts.limits}
    refusals = {str(kind): float(accounts.refusals[kind]) for kind in accounts.limits}
    yield GaugeMetricFamily("rt_holders", "Callers that hold something", accounts.holders)
    yield _gauges("rt_held", "What all callers hold together", "kind", held)
    yield _counters("rt_hold_refusals", "Refusals because a caller, or all, held too much", "kind", refusals)


def _processes(processes: Mapping[str, ProcessHealth]) -> Iterator[Metric]:
    deaths = {part: float(health.deaths) for part, health in processes.items()}
    pids = {"front": os.getpid()} | {p: health.pid for p, health in processes.items() if health.pid is not None}
    resident = {part: float(size) for part, pid in pids.items() if (size := resident_bytes(pid)) is not None}
    descriptors = {part: float(count) for part, pid in pids.items() if (count := open_descriptors(pid)) is not None}
    yield _counters("rt_engine_deaths", "Processes that died and were started again", "part", deaths)
    yield _gauges("rt_process_resident_bytes", "Memory in RAM", "part", resident)
    yield _gauges("rt_process_descriptors", "Open file descriptors", "part", descriptors)


def _load(load: Load) -> Iterator[Metric]:
    """Totals begin again at zero with a new acoustic process. Prometheus expects that of counters."""
    stages = {"flow": load.flow_s, "vocoder": load.vocoder_s}
    memory = {"streams": load.kv_stream_bytes, "voices": load.kv_voice_bytes, "free": load.kv_free_bytes}
    predicted = {"hop": load.hop_s, "first_hop": load.first_hop_s, "first_quantum": load.first_quantum_s}
    yield GaugeMetricFamily("rt_waiting_hops", "Pieces of sound that could be worked on now", load.waiting_hops)
    yield CounterMetricFamily("rt_flow_steps", "Euler steps of the flow", load.steps)
    yield CounterMetricFamily("rt_flow_rows", "Pieces of sound, summed over the Euler steps", load.rows)
    yield CounterMetricFamily("rt_made_audio_seconds", "Sound that was made, sent or not", load.audio_s)
    yield _counters("rt_acoustic_seconds", "Time that the acoustic process worked", "stage", stages)
    yield _gauges("rt_predicted_seconds", "What a piece of work is predicted to take", "work", predicted)
    yield _gauges("rt_flow_kv_bytes", "Memory for the flow's keys and values", "kind", memory)
    if load.slack_s:
        slack_s = {"min": min(load.slack_s), "median": statistics.median(load.slack_s)}
        yield _gauges("rt_slack_seconds", "Sound that realtime listeners have left to hear", "stat", slack_s)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
