"""Loads and turns for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from bench.load.calls.callers import Load
from bench.load.calls.plan import Call, Plan, PlannedTurn, Workload
from bench.load.calls.talking import Heard
from rtclient.pieces import llm_pieces

VOICES = {"en": ["alice", "bob"], "zh": ["mei"]}


def planned(text: str = "Yes, it is open.", *, think_s: float = 0.0, barge_in: float | None = None) -> PlannedTurn:
    """A turn whose text is there at once."""
    return PlannedTurn(text, tuple(0.0 for _ in llm_pieces(text)), seed=1, think_s=think_s, barge_in=barge_in)


def call(*turns: PlannedTurn, at_s: float = 0.0) -> Call:
    return Call(at_s, "en", "default", turns)


def heard(**fields: Any) -> Heard:
    """A turn of 2 s that went well."""
    fine: dict[str, Any] = {"outcome": "done", "begun_s": 1.0, "ttfa_s": 0.3, "ttfa_request_s": 0.4, "audio_s": 2.0}
    return Heard(0, 0, "en", "alice", **({"expected_s": 2.0} | fine | fields))


def load(*turns: Heard, audio_s: float = 0.0) -> Load:
    """Of a window of 10 s from second 1 on."""
    workload = Workload(warm_up_s=1.0, seconds=10.0)
    return Load(Plan("open", 6.0, workload, (call(planned(), at_s=2.0),)), list(turns), audio_s)
