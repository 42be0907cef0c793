"""Hops that take no step, while the process works for others. Models compute nothing, in simulated time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cosyvoice.flow.hop import HopJob
from rtserver.ipc.engine import Done, Failed
from tests.rtserver.engine.acoustic.fakes import FakeModels, World
from tests.rtserver.engine.acoustic.loops import held, spoken

STALLED_S = 0.4


def stuck(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hops of `bad`, and the prompts that it waits for, take no step for 2 s."""
    tick = world.models.flow.tick

    def partial(jobs: Sequence[HopJob]) -> None:
        bad = world.loop._utterances.get("bad")
        waits = bad is not None and (bad.needs_prefix or bad.job is not None) and world.now_s < 102.0
        tick([job for job in jobs if not (waits and bad is not None and job is (bad.job or jobs[0]))])

    monkeypatch.setattr(world.models.flow, "tick", partial)


def test_a_hop_that_takes_no_step_fails_its_utterance(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `engine_lost`, after `stalled_s` and at most half as much again; others speak on, and nothing is held."""
    world = World(stalled_s=STALLED_S)
    stuck(world, monkeypatch)
    for name in ("bad", "good"):
        spoken(world, name)
    spoken(world, "late", 101.0)
    world.run()
    (failed,) = world.of(Failed, "bad")
    assert failed.code == "engine_lost" and "0.4 s" in failed.message
    assert 100.0 + STALLED_S <= world.when(Failed, "bad")[0] <= 100.0 + 1.5 * STALLED_S
    assert world.audio_s("good") == world.audio_s("late") == 2.4
    assert set(held(world).values()) == {0}


def test_so_does_a_prompt_that_takes_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its utterance waits for it with its first hop."""
    world = World(FakeModels(prompt_tokens=60), stalled_s=STALLED_S)
    stuck(world, monkeypatch)
    spoken(world, "bad")
    world.run()
    assert [failed.code for failed in world.of(Failed, "bad")] == ["engine_lost"]


def test_batch_work_may_wait_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its turn when nobody listens, and then it goes on."""
    world = World(stalled_s=STALLED_S)
    stuck(world, monkeypatch)
    spoken(world, "bad", service_class="batch")
    world.run()
    assert world.of(Failed, "bad") == [] and len(world.of(Done, "bad")) == 1
    assert world.when(Done, "bad")[0] > 102.0
