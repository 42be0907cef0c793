"""Utterances of a server as a load for the simulator."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.load.replay import replayed
from bench.simulator.load import Recorded
from bench.simulator.traces import read_load, reply_of
from rtserver.ipc.tracing import Span, Stage, Traced
from rtserver.metrics.utterance_trace import UtteranceTrace, utterance_trace
from tests.rtserver.schedule.simulations import CPU


def trace(utterance: str, begins_s: float, audio_s: float) -> UtteranceTrace:
    """Ten characters at first, thirty a second later."""

    def at(stage: Stage, at_s: float, reached: float) -> Span:
        return Span(utterance, stage, begins_s + at_s, begins_s + at_s, begins_s + at_s, reached=reached)

    spans = [at("text", 0.0, 10), at("text", 1.0, 40), at("sound", 1.5, audio_s / 2), at("sound", 2.0, audio_s)]
    found = utterance_trace(utterance, [Traced("front", 0, spans, 0.0)])
    assert found is not None
    return found


def test_a_trace_is_a_reply() -> None:
    """Its sound as speech tokens, 25 a second, and what of them its text allowed when."""
    reply = reply_of(trace("u_1", 103.0, 4.0), 100.0)
    assert (reply.name, reply.at_s, reply.tokens, reply.text) == ("u_1", 3.0, 100, ((0.0, 25), (1.0, 100)))


def test_files_of_both_kinds_are_one_load(tmp_path: Path) -> None:
    """Utterances of one server keep their distance in time; the simulator speaks them all."""
    paths = [tmp_path / name for name in ("one.json", "two.json", "load.json")]
    for path, begins_s in zip(paths, (500.0, 501.5)):
        path.write_bytes(msgspec.json.encode(trace(f"u_{path.stem}", begins_s, 2.0)))
    Recorded([reply_of(trace("u_saved", 0.0, 2.0), 0.0)]).save(paths[2])
    load = read_load(paths)
    assert {reply.name: reply.at_s for reply in load.replies} == {"u_saved": 0.0, "u_one": 0.0, "u_two": 1.5}
    over = [entry.names[0] for entry in replayed(CPU, load).log if entry.what == "over"]
    assert sorted(over) == ["u_one", "u_saved", "u_two"]


def test_what_is_no_utterance_is_refused(tmp_path: Path) -> None:
    """One that was never heard, and a file of something else."""
    silent = trace("u_1", 0.0, 2.0)
    silent.spans = [span for span in silent.spans if span.stage == "text"]
    with pytest.raises(ValueError, match="u_1: expected an utterance with text and sound"):
        reply_of(silent, 0.0)
    other = tmp_path / "other.json"
    other.write_text('{"colour": "red"}')
    with pytest.raises(ValueError, match="utterance"):
        read_load([other])
