"""The answer of /metrics, parsed by the client library of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from rtserver.front.app import App
from rtserver.http.metrics import Gauges, exposition
from rtserver.metrics.metrics import Metrics
from tests.rtserver.http.http_client import ask
from tests.rtserver.serving import Served


class Scraped:
    """The values of one exposition, by name and labels."""

    def __init__(self, text: str) -> None:
        self.families: dict[str, Metric] = {f.name: f for f in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        """One value; `class_` stands for the label `class`."""
        return self._values[name, frozenset((key.rstrip("_"), value) for key, value in labels.items())]

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of every series of this name."""
        return [dict(labels) for found, labels in self._values if found == name]

    def summed(self, name: str) -> float:
        """The sum over all labels."""
        return sum(value for (found, _), value in self._values.items() if found == name)

    def refusals(self) -> dict[str, float]:
        """The number of refusals by reason. Reasons without one are left out."""
        reasons = [labels["reason"] for labels in self.labels("rt_refusals_total")]
        return {r: count for r in reasons if (count := self("rt_refusals_total", reason=r))}

    def utterances(self, service_class: str = "realtime") -> tuple[float, float, float]:
        """How many utterances were done, failed, and were cancelled."""
        done, failed, cancelled = (
            self("rt_utterances_total", class_=service_class, outcome=outcome)
            for outcome in ("done", "failed", "cancelled")
        )
        return done, failed, cancelled


def counted(metrics: Metrics) -> Scraped:
    """The counts of these metrics."""
    return Scraped(exposition(metrics.registry).decode())


def standing(app: App) -> Scraped:
    """The present state of this application."""
    registry = CollectorRegistry()
    registry.register(Gauges(app))
    return Scraped(exposition(registry).decode())


async def scrape(server: Served) -> Scraped:
    """The metrics of a running server."""
    answer = await ask(f"{server.url}/metrics", "GET")
    assert answer.status == 200, answer.body
    return Scraped(answer.body.decode())
