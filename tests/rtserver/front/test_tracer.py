"""The front collects what all processes noted, and says in the log why a listener ran dry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rtserver.front import tracer as tracer_module
from rtserver.front.tracer import Tracer
from rtserver.ipc.tracing import Traced, TraceParts
from rtserver.metrics.attribution import Gap
from rtserver.metrics.trace import Ring
from tests.rtserver.metrics.ways import UTTERANCE, Way

LOG = "rtserver.front.tracer"


def answering(part: str, traced: Traced) -> Callable[[str], Awaitable[Traced]]:
    async def ask(utterance: str) -> Traced:
        return traced if utterance == UTTERANCE else Traced(part, 0, [], 0.0)

    return ask


async def silent(utterance: str) -> Traced:
    await asyncio.sleep(3600)
    raise AssertionError("nobody waits that long")


def tracer_of(way: Way, **more: Callable[[str], Awaitable[Traced]]) -> Tracer:
    """The front noted nothing but gaps; another process all the rest."""
    parts: TraceParts = {"engine": answering("engine", Traced("engine", 0, way.spans, 0.0)), **more}
    return Tracer(Ring(), lambda: parts)


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.name == LOG]


def told(caplog: pytest.LogCaptureFixture, tracer: Tracer, *gaps: Gap) -> list[Any]:
    """The lines about these gaps, of a tenant's listeners."""

    async def scenario() -> None:
        for gap in gaps:
            tracer.ran_dry(gap, "acme")
        await tracer.close()

    with caplog.at_level(logging.INFO, LOG):
        asyncio.run(scenario())
    return lines(caplog)


def test_a_gap_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Who heard nothing, for how long and where; what was late by how much; what else was."""
    way = Way(text_s=10.0, flow_late_s=2.0, talker_late_s=0.4)
    (line,) = told(caplog, tracer_of(way), way.gap)
    assert line.levelno == logging.WARNING and line.getMessage() == "a listener ran dry"
    assert (line.utterance, line.tenant, line.at_ms, line.stage) == (UTTERANCE, "acme", 500, "flow")
    assert line.gap_ms == round(1000 * way.gap.gap_s) and line.late_ms == pytest.approx(2000, abs=20)
    assert line.also == "talker 401 ms" and not hasattr(line, "silent_parts")


@pytest.mark.parametrize("way", [Way(text_s=12.0), Way(text_s=10.0, outbox_s=2.0)], ids=["text", "client"])
def test_what_is_the_clients_is_no_warning(caplog: pytest.LogCaptureFixture, way: Way) -> None:
    """The listener heard nothing, and the server was not late."""
    if way.outbox_s:
        way.spans.append(way.spans[0]._replace(stage="client", start_s=9.0, end_s=way.sent_s))
    (line,) = told(caplog, tracer_of(way), way.gap)
    assert line.levelno == logging.INFO and line.stage == ("client" if way.outbox_s else "text")


def test_a_short_gap_is_noted_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Up to 50 ms; the trace has it all the same."""
    way = Way(text_s=10.0)
    tracer = tracer_of(way)
    gap = Gap(UTTERANCE, 10.0, 10.5, 10.549, 0.5)
    assert told(caplog, tracer, gap) == []
    trace = asyncio.run(tracer.trace(UTTERANCE))
    assert trace is not None and [found.gap_ms for found in trace.gaps] == [49]


def test_a_process_that_does_not_answer_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' answers are used; nobody waits for it for ever."""
    monkeypatch.setattr(tracer_module, "_ANSWER_S", 0.05)
    way = Way(text_s=10.0, flow_late_s=2.0)
    (line,) = told(caplog, tracer_of(way, talker=silent), way.gap)
    assert line.stage == "flow" and line.silent_parts == "talker"


def test_a_gap_without_a_cause_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """An engine that notes nothing."""
    tracer = Tracer(Ring(), dict)
    (line,) = told(caplog, tracer, Way(text_s=12.0).gap)
    assert line.levelno == logging.WARNING and line.stage == "unknown" and not hasattr(line, "late_ms")


def test_when_many_run_dry_at_once_the_rest_is_a_number(caplog: pytest.LogCaptureFixture) -> None:
    """Each line costs the front a search, just when it has other work."""
    way = Way(text_s=10.0, flow_late_s=2.0)
    found = told(caplog, tracer_of(way), *[way.gap] * 30)
    assert [line.listeners for line in found if hasattr(line, "listeners")] == [25]
    assert sum(hasattr(line, "stage") for line in found) == 5
