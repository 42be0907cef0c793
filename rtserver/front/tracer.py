"""Collects what all processes noted of an utterance, and says in the log why a listener ran dry."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from rtserver.ipc.tracing import TraceParts
from rtserver.metrics.attribution import Gap
from rtserver.metrics.trace import Ring
from rtserver.metrics.utterance_trace import TracedGap, UtteranceTrace, utterance_trace

_LOG = logging.getLogger(__name__)

# A shorter gap is not told.
TOLD_FROM_S = 0.05
# A process that has not answered by then is left out.
_ANSWER_S = 1.0
# When many run dry at once the front has other work: the rest is told as a number.
_MOST_TOLD_AT_ONCE = 5
_AT_ONCE_S = 1.0


class Tracer:
    """`ring` is the front's own; `parts` tells which other processes there are now."""

    def __init__(self, ring: Ring, parts: Callable[[], TraceParts]) -> None:
        self.ring = ring
        self._parts = parts
        self._reports: set[asyncio.Task[None]] = set()
        self._reporting = asyncio.Lock()  # one report after the other: the event loop is free between them
        self._told = 0  # within the last _AT_ONCE_S
        self._untold = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def reach_s(self) -> float:
        """For how long the front remembers everything."""
        return time.monotonic() - self.ring.since_s

    async def trace(self, utterance: str) -> UtteranceTrace | None:
        """An utterance's way through all processes; None when none of them remembers it."""
        asked = {part: asyncio.ensure_future(ask(utterance)) for part, ask in self._parts().items()}
        if asked:
            await asyncio.wait(asked.values(), timeout=_ANSWER_S)
        silent = [part for part, answer in asked.items() if not answer.done()]
        answers = [answer.result() for part, answer in asked.items() if part not in silent]
        for part in silent:
            asked[part].cancel()
        own = self.ring.traced("front", utterance, works=False)
        return utterance_trace(utterance, [own, *answers], silent)

    def ran_dry(self, gap: Gap, tenant: str) -> None:
        """Notes a gap. One that is long enough is explained in the log, as soon as the processes have answered."""
        self.ring.note(gap.utterance, "gap", gap.since_s, gap.dry_s, gap.sent_s, reached=gap.at_s)
        if gap.gap_s <= TOLD_FROM_S:
            return
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AT_ONCE_S, self._tell_untold)
        if self._told == _MOST_TOLD_AT_ONCE:
            self._untold += 1
            return
        self._told += 1
        report = asyncio.create_task(self._report(gap, tenant), name="gap-report")
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)

    async def close(self) -> None:
        """Lets the reports end."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell_untold()
        await asyncio.gather(*self._reports, return_exceptions=True)

    async def _report(self, gap: Gap, tenant: str) -> None:
        async with self._reporting:
            trace = await self.trace(gap.utterance)
            if trace is not None and trace.gaps:
                _log(trace, min(trace.gaps, key=lambda told: abs(told.at_s - gap.at_s)), tenant)

    def _tell_untold(self) -> None:
        self._timer = None
        if self._untold:
            _LOG.warning("more listeners ran dry than are told one by one", extra={"listeners": self._untold})
        self._told = self._untold = 0


def _log(trace: UtteranceTrace, gap: TracedGap, tenant: str) -> None:
    """One line. It is no warning when the listener waited for its own side."""
    match gap.stage:
        case "text":
            level, what = logging.INFO, "a listener waited for text"
        case "client":
            level, what = logging.INFO, "a client did not read"
        case _:
            level, what = logging.WARNING, "a listener ran dry"
    fields = {
        "utterance": trace.utterance,
        "tenant": tenant,
        "gap_ms": gap.gap_ms,
        "at_ms": round(1000 * gap.at_s),
        "stage": gap.stage or "unknown",
        "late_ms": "" if gap.stage is None else gap.late_ms[gap.stage],
        "also": ", ".join(f"{stage} {late_ms} ms" for stage, late_ms in gap.others_ms.items()),
        "silent_parts": ", ".join(trace.silent_parts),
    }
    _LOG.log(level, what, extra={name: value for name, value in fields.items() if value != ""})
