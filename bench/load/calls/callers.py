"""Carries out a plan: opens a socket for each call, speaks its turns, and records what happened to each."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.load.calls.late_frames import counting
from bench.load.calls.memory import Memory
from bench.load.calls.plan import Call, Plan, PlannedTurn
from bench.load.calls.talking import REFUSED, Heard, speak_turn
from rtclient import ClientError, ServerError, Session, connect

CUT_WITHIN_S = 10.0  # time for the server to answer the cancels of turns that were cut
_CONNECT_WITHIN_S = 30.0


@dataclass
class Load:
    """The results of a plan."""

    plan: Plan
    heard: list[Heard] = field(default_factory=list)
    # Sound that came within the window.
    audio_s: float = 0.0
    # CPU cores used within the window, by process.
    cpu_cores: dict[str, float] = field(default_factory=dict)
    # Frames that came after their context was over.
    late_frames: int = 0
    # How late the event loop of this process was at worst.
    client_lag_ms: float = 0.0
    # How late the event loop of the server's front was at worst.
    server_lag_ms: float | None = None
    memory: Memory = field(default_factory=Memory)

    def in_window(self, at_s: float) -> bool:
        """Whether an event at this time counts."""
        return self.plan.workload.warm_up_s <= at_s < self.plan.workload.end_s

    @property
    def measured(self) -> list[Heard]:
        """The turns that began within the window."""
        return [h for h in self.heard if self.in_window(h.begun_s)]


class Turns:
    """The turns of a call, one after the other. With `endless` they begin again after the last one."""

    def __init__(self, turns: tuple[PlannedTurn, ...], *, endless: bool) -> None:
        numbered = enumerate(turns)
        self._rest: Iterator[tuple[int, PlannedTurn]] = itertools.cycle(numbered) if endless else numbered
        self.current = next(self._rest, None)

    def advance(self) -> None:
        self.current = next(self._rest, None)


class Callers:
    """All calls of one load, for one `run`."""

    def __init__(self, plan: Plan, url: str, api_key: str | None) -> None:
        self.load = Load(plan)
        self._closed = plan.loop == "closed"
        self._end_s = plan.workload.end_s
        self._url = url
        self._api_key = api_key
        self._start_s = 0.0

    async def run(self, drain_s: float) -> Load:
        """Makes the calls as planned, waits up to `drain_s` for open turns at the end, and cuts the rest."""
        self._start_s = time.monotonic()
        calls = []
        for number, call in enumerate(self.load.plan.calls):
            await asyncio.sleep(max(0.0, call.at_s - self.now_s))
            calls.append(asyncio.create_task(self._call(number, call), name=f"call-{number}"))
        await self._pause(self._end_s)
        if calls:
            _, going = await asyncio.wait(calls, timeout=drain_s)
            for task in going:
                task.cancel()
            if going:
                await asyncio.wait(going, timeout=CUT_WITHIN_S)
        for task in calls:
            if task.done() and not task.cancelled():
                task.result()
        return self.load

    @property
    def now_s(self) -> float:
        """Since the load began."""
        return time.monotonic() - self._start_s

    async def _pause(self, seconds: float) -> None:
        """Waits, but not beyond the end of the load."""
        await asyncio.sleep(max(0.0, min(seconds, self._end_s - self.now_s)))

    async def _call(self, number: int, call: Call) -> None:
        """Connects and talks. A talker of the closed loop tries again when there is no connection or it is lost."""
        turns = Turns(call.turns, endless=self._closed)
        while turns.current is not None and self.now_s < self._end_s:
            index, turn = turns.current
            heard, begun_s = self._heard(number, call, index, turn), time.monotonic()
            try:
                async with connect(self._url, api_key=self._api_key, open_timeout_s=_CONNECT_WITHIN_S) as opened:
                    session = counting(opened)
                    try:
                        await self._talk(session, number, call, turns, time.monotonic() - begun_s)
                    finally:
                        self.load.late_frames += session.late_frames
            except ClientError as error:
                refused = isinstance(error, ServerError) and error.code == REFUSED
                heard.outcome, heard.error = "refused" if refused else "failed", str(error)
                heard.answer_s = time.monotonic() - begun_s
                self.load.heard.append(heard)
            if not self._closed:
                return
            await self._pause(turn.think_s)

    async def _talk(self, session: Session, number: int, call: Call, turns: Turns, opened_in_s: float) -> None:
        """Speaks turn after turn over one connection, until the end of the load or of the connection."""
        connect_s: float | None = opened_in_s
        while turns.current is not None and self.now_s < self._end_s:
            index, turn = turns.current
            heard = self._heard(number, call, index, turn)
            heard.connect_s, connect_s = connect_s, None
            self.load.heard.append(heard)
            free_s = await speak_turn(session, call, turn, heard, self._on_audio)
            again = heard.outcome == "refused" and self._closed
            if heard.lost or (heard.outcome == "refused" and not self._closed and index == 0):
                return
            if not again:
                turns.advance()
            await self._pause(max(0.0, free_s - time.monotonic()) + turn.think_s)

    def _heard(self, number: int, call: Call, index: int, turn: PlannedTurn) -> Heard:
        return Heard(number, index, call.language, call.voice, turn.expected_s, begun_s=self.now_s)

    def _on_audio(self, seconds: float, at_s: float) -> None:
        if self.load.in_window(at_s - self._start_s):
            self.load.audio_s += seconds
