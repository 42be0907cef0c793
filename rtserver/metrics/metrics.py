"""Counts of requests and utterances, as Prometheus counters and histograms. docs/operations.md explains each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from rtserver.ipc.engine import ServiceClass
from rtserver.messages import wire

Outcome = Literal["done", "failed", "cancelled"]
CLASSES: tuple[ServiceClass, ...] = get_args(ServiceClass)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
STAGES = ("talker", "flow", "vocoder")

WAIT_BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0)
AUDIO_BUCKETS_S = (0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0)

# A shorter pause is a rounding error, not silence.
_LEAST_UNDERRUN_S = 0.001
# These series are there from the start, so that the first refusal is seen as a rise.
_EXPECTED_REFUSALS = ("overloaded", "engine_lost", "shutting_down", "unauthorized")


class Metrics:
    """Whoever knows of something tells it here, on the event loop's thread. `live` is how many utterances are open."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.live: dict[ServiceClass, int] = dict.fromkeys(CLASSES, 0)
        self._ttfa_s = self._waits("ttfa", "From an utterance's first text to its first sound")
        self._waits_s = {
            "text_wait": self._waits("text_wait", "From an utterance's first text to the text its first sound needed"),
            "queue": self._waits("queue", "What an utterance waited for its turn before its first sound"),
            "prepare": self._waits("prepare", "What an utterance waited for a new voice or a source to be prepared"),
        }
        self._utterance_audio_s = self._histogram(
            "rt_utterance_audio_seconds", "Length of utterances that were spoken to their end", AUDIO_BUCKETS_S
        )
        self._utterances = self._counter("rt_utterances", "Utterances that are over", "class", "outcome")
        self._refusals = self._counter("rt_refusals", "Connections, requests and starts that were refused", "reason")
        self._audio_s = self._counter("rt_audio_seconds", "Sound of utterances that are over")
        self._text_ids = self._counter("rt_text_ids", "Text ids of utterances that are over")
        self._tokens = self._counter("rt_speech_tokens", "Speech tokens of utterances that are over")
        self._underruns = self._counter("rt_underruns", "Realtime utterances that fell silent for want of sound")
        self._underrun_s = self._counter("rt_underrun_seconds", "Silence for want of sound, in realtime utterances")
        self._starved_s = self._counter("rt_text_starved_seconds", "Silence for want of text, in realtime utterances")
        self._stage_s = self._counter("rt_stage_seconds", "Work on utterances that were spoken to their end", "stage")
        self._begin_at_zero()

    def refused(self, code: str) -> None:
        """A connection, request or start was refused with this error."""
        self._refusals.labels(code if code in wire.CODES else "internal").inc()

    def sounded(self, service_class: ServiceClass, ttfa_s: float) -> None:
        """An utterance's first sound is there, this long after its first text."""
        self._ttfa_s.labels(service_class).observe(ttfa_s)

    def opened(self, service_class: ServiceClass) -> None:
        """An utterance is open: `over` or `turned_away` follows."""
        self.live[service_class] += 1

    def turned_away(self, service_class: ServiceClass, code: str) -> None:
        """The engine did not take an utterance that was opened."""
        self.live[service_class] -= 1
        self.refused(code)

    def over(
        self, service_class: ServiceClass, outcome: Outcome, *, audio_s: float, text_ids: int, speech_tokens: int
    ) -> None:
        """An utterance is over, and this much went into it and came out of it."""
        self.live[service_class] -= 1
        self._utterances.labels(service_class, outcome).inc()
        self._audio_s.inc(audio_s)
        self._text_ids.inc(text_ids)
        self._tokens.inc(speech_tokens)

    def done(self, service_class: ServiceClass, seconds: Mapping[str, float]) -> None:
        """How the time of an utterance that was spoken to its end was spent, as Done says."""
        for name, waits_s in self._waits_s.items():
            if name in seconds:
                waits_s.labels(service_class).observe(seconds[name])
        self._utterance_audio_s.labels(service_class).observe(seconds.get("audio", 0.0))
        for stage in STAGES:
            self._stage_s.labels(stage).inc(seconds.get(stage, 0.0))
        if service_class == "realtime":  # nobody listens to the other while it is made
            underrun_s = seconds.get("underrun", 0.0)
            self._underruns.inc(underrun_s > _LEAST_UNDERRUN_S)
            self._underrun_s.inc(underrun_s)
            self._starved_s.inc(seconds.get("text_starved", 0.0))

    def _begin_at_zero(self) -> None:
        for service_class in CLASSES:
            for histogram in (self._ttfa_s, *self._waits_s.values(), self._utterance_audio_s):
                histogram.labels(service_class)
            for outcome in OUTCOMES:
                self._utterances.labels(service_class, outcome)
        for stage in STAGES:
            self._stage_s.labels(stage)
        for code in _EXPECTED_REFUSALS:
            self._refusals.labels(code)

    def _waits(self, name: str, text: str) -> Histogram:
        return self._histogram(f"rt_{name}_seconds", text, WAIT_BUCKETS_S)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, ["class"], buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
