"""How the server stands when it is asked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.config import ServerConfig
from rtserver.front.app import App
from rtserver.ipc.engine import Load
from rtserver.metrics.memory import resident_bytes
from rtserver.processes.supervisor import ProcessHealth
from tests.rtserver.front.scripted import ScriptedEngine
from tests.rtserver.metrics.scraped import standing
from tests.rtserver.serving import WordReader

LOAD = Load(
    utterances=3, waiting_hops=2, steps=40, rows=100, audio_s=12.5, flow_s=6.0, vocoder_s=1.5, slack_s=[1.5, 0.25, 4.0],
    hop_s=0.3, hop_audio_s=1.0, first_hop_s=0.2, hops_s=[0.3, 0.5, 0.9, 1.7], first_quantum_s=0.1,
    kv_stream_bytes=3 << 20, kv_voice_bytes=5 << 20, kv_free_bytes=7 << 20, kv_reserve_bytes=1 << 20,
)  # fmt: skip


def application(engine: ScriptedEngine | None, **settings: int) -> App:
    app = App(ServerConfig(**settings), ModelConfig.load(NANO))  # type: ignore[arg-type]
    if engine is not None:
        app.provide(engine, WordReader())
    return app


def test_a_server_that_starts_has_no_figures_of_its_engine() -> None:
    """It is not ready, nobody is there, and what only the engine knows is left out."""
    found = standing(application(None))
    assert found("rt_engine_ready") == found("rt_connections") == found("rt_places_taken") == 0
    assert found("rt_utterances_live", class_="realtime") == found("rt_utterances_live", class_="batch") == 0
    for name in ("rt_waiting_hops", "rt_places", "rt_flow_steps_total", "rt_slack_seconds", "rt_flow_kv_bytes"):
        assert found.labels(name) == []


def test_ready_is_engine_and_reader() -> None:
    """Nothing can be spoken without either."""
    engine, reader = ScriptedEngine(), WordReader()
    app = application(None)
    app.provide(engine, reader)
    assert standing(app)("rt_engine_ready") == 1
    engine.ready = False
    assert standing(app)("rt_engine_ready") == 0
    engine.ready, reader.ready = True, False
    assert standing(app)("rt_engine_ready") == 0


def test_the_engines_load_is_told() -> None:
    """Totals as counters, the rest as it was last said."""
    engine = ScriptedEngine()
    engine.load = LOAD
    found = standing(application(engine))
    assert found("rt_waiting_hops") == 2
    assert (found("rt_flow_steps_total"), found("rt_flow_rows_total")) == (40, 100)
    assert found("rt_made_audio_seconds_total") == 12.5
    assert [found("rt_acoustic_seconds_total", stage=s) for s in ("flow", "vocoder")] == [6.0, 1.5]
    kinds = ("streams", "voices", "free")
    assert [found("rt_flow_kv_bytes", kind=kind) for kind in kinds] == [3 << 20, 5 << 20, 7 << 20]
    assert [found("rt_predicted_seconds", work=w) for w in ("hop", "first_hop", "first_quantum")] == [0.3, 0.2, 0.1]
    assert found("rt_slack_seconds", stat="min") == 0.25 and found("rt_slack_seconds", stat="median") == 1.5


def test_without_listeners_there_is_no_slack() -> None:
    """An idle engine has no listener who could run dry: the series is absent, not zero."""
    engine = ScriptedEngine()
    engine.load = Load(**{**vars(LOAD), "slack_s": []})
    assert standing(application(engine)).labels("rt_slack_seconds") == []


def test_places_are_those_that_admission_counts() -> None:
    """Taken and predicted places, and refusals for want of one by their own reasons."""
    engine = ScriptedEngine()
    engine.load = LOAD
    app = application(engine, max_streams=1)
    assert app.admission.admit("u", "", "realtime", 0.0) is None
    assert app.admission.admit("v", "", "realtime", 0.0) is not None
    found = standing(app)
    assert app.admission.figures is not None
    assert found("rt_places") == pytest.approx(app.admission.figures.streams) and 1 < found("rt_places") < 8
    assert found("rt_places_taken") == 1
    assert found("rt_admission_refusals_total", reason="streams") == 1
    assert found.summed("rt_admission_refusals_total") == 1


def test_open_utterances_are_told_by_class() -> None:
    """As they are counted now."""
    app = application(ScriptedEngine())
    app.metrics.live["batch"] = 4
    found = standing(app)
    assert (found("rt_utterances_live", class_="realtime"), found("rt_utterances_live", class_="batch")) == (0, 4)


@pytest.mark.engine
def test_deaths_and_memory_are_told_of_each_process() -> None:
    """A process that is away has its deaths and no memory; the front is one of them."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        engine, reader, app = ScriptedEngine(), WordReader(), application(None)
        talker, acoustic = ProcessHealth(True, child.pid, 0, ""), ProcessHealth(False, None, 2, "killed")
        engine.processes = {"talker": talker, "acoustic": acoustic}
        reader.processes = {"reader": ProcessHealth(False, None, 1, "gone")}
        app.provide(engine, reader)
        found = standing(app)
        assert found("rt_engine_deaths_total", part="talker") == 0
        assert found("rt_engine_deaths_total", part="reader") == 1
        assert found("rt_engine_deaths_total", part="acoustic") == 2
        assert sorted(labels["part"] for labels in found.labels("rt_process_resident_bytes")) == ["front", "talker"]
        assert 10 << 20 < found("rt_process_resident_bytes", part="front") < 64 << 30
        before = found("rt_process_descriptors", part="front")
        with open(os.devnull):
            assert standing(app)("rt_process_descriptors", part="front") == before + 1
        child.communicate(b"\n")


def test_memory_is_what_the_kernel_counts() -> None:
    """Of a process that is there its resident set, of one that is gone nothing."""
    before = resident_bytes(os.getpid())
    held = bytearray(os.urandom(64 << 20))
    after = resident_bytes(os.getpid())
    assert before is not None and after is not None
    assert 48 << 20 < after - before < 96 << 20 and len(held) == 64 << 20
    assert resident_bytes(1 << 30) is None
