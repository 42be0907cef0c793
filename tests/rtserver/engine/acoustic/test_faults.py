"""Errors that nobody expected, in the work on one utterance. Models compute nothing, in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from cosyvoice.flow.hop import HopJob
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.acoustic.faults import Faults, leaves_doubt
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Done, End, Failed, Feed, Flush
from tests.rtserver.engine.acoustic.fakes import FakeModels, World
from tests.rtserver.engine.acoustic.loops import SENTENCE, held, opened, spoken


def tick_fails(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """An Euler step that has the hop of `bad` in its batch fails, before anything has changed."""
    tick = world.models.flow.tick

    def failing(jobs: Sequence[HopJob]) -> None:
        if any(job is jobs_of(world).get("bad") for job in jobs):
            raise error
        tick(jobs)

    monkeypatch.setattr(world.models.flow, "tick", failing)


def jobs_of(world: World) -> dict[str, HopJob | None]:
    return {name: utterance.job for name, utterance in world.loop._utterances.items()}


def decode_fails(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The vocoder fails on the first hop of `bad`, also in company."""
    decode, finished = world.models.vocoder.decode, AcousticUtterance.finished_mel
    bad: list[VocoderStream] = []

    def finishing(self: AcousticUtterance) -> tuple[VocoderStream, Tensor, bool] | None:
        hop = finished(self)
        if self.name == "bad" and hop is not None:
            bad.append(hop[0])
        return hop

    def failing(jobs: Sequence[tuple[VocoderStream, Tensor, bool]]) -> list[Tensor]:
        if any(stream in bad for stream, _, _ in jobs):
            raise error
        return decode(jobs)

    monkeypatch.setattr(AcousticUtterance, "finished_mel", finishing)
    monkeypatch.setattr(world.models.vocoder, "decode", failing)


def method_fails(name: str) -> Callable[[World, pytest.MonkeyPatch, Exception], None]:
    """A method of AcousticUtterance fails for `bad`."""

    def fails(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        method = getattr(AcousticUtterance, name)

        def failing(self: AcousticUtterance, *arguments: object, **named: object) -> object:
            if self.name == "bad":
                raise error
            return method(self, *arguments, **named)

        monkeypatch.setattr(AcousticUtterance, name, failing)

    return fails


PLACES = {
    "tick": tick_fails,
    "decode": decode_fails,
    **{name: method_fails(name) for name in ("feed", "flush", "send_quantum", "accept", "next_job", "finished_mel")},
    **{name: method_fails(name) for name in ("take_wave", "flushed", "done")},
}


@pytest.mark.parametrize("place", PLACES)
def test_an_error_of_any_kind_ends_one_utterance(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it comes from: its utterance fails with `internal`, the others speak to their end, nothing is held."""
    world = World()
    PLACES[place](world, monkeypatch, ZeroDivisionError("a mistake of ours"))
    for name in ("bad", "good", "other"):
        opened(world, name)
        world.at(100.0, Feed(name, [SENTENCE]), Flush(name, "f"), End(name))
    spoken(world, "late", 101.0)
    world.run()
    (failed,) = world.of(Failed, "bad")
    assert (failed.code, failed.message) == ("internal", "ZeroDivisionError: a mistake of ours")
    assert world.of(Done, "late") != [] and world.audio_s("late") == 2.4
    assert world.audio_s("good") == world.audio_s("other") == 2.4


def test_a_prompt_that_cannot_be_computed_ends_those_that_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share its voice. Nothing of it is left."""
    world = World(FakeModels(prompt_tokens=60))

    def failing(jobs: Sequence[HopJob]) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(world.models.flow, "tick", failing)
    spoken(world, "u")
    spoken(world, "v")
    world.run()
    assert [world.of(Failed, name)[0].code for name in ("u", "v")] == ["internal"] * 2
    assert set(held(world).values()) == {0}


@pytest.mark.parametrize("place", ["tick", "decode", "feed"])
def test_after_an_error_that_leaves_doubt_the_process_ends(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process goes on with all utterances; nobody fails here."""
    world = World()
    PLACES[place](world, monkeypatch, MemoryError())
    spoken(world, "good")
    spoken(world, "bad")
    with pytest.raises(MemoryError):
        world.run()
    assert world.of(Failed, "good") == world.of(Failed, "bad") == []


def test_repeated_errors_end_the_process() -> None:
    """Three in a minute mean that something is wrong with the process; three in an hour do not."""
    now_s = 0.0
    faults = Faults(lambda: now_s)
    for _ in range(10):
        now_s += 31.0
        faults.note(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        faults.note(ZeroDivisionError())


def test_which_errors_leave_doubt() -> None:
    """Those of memory and of the device, whatever their type is."""
    doubtful: list[Exception] = [
        MemoryError(),
        torch.OutOfMemoryError("2 GiB"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes"),
    ]
    assert all(leaves_doubt(error) for error in doubtful)
    clear: list[Exception] = [RuntimeError("shape '[2]' is invalid"), ZeroDivisionError(), ValueError("CUDA")]
    assert not any(leaves_doubt(error) for error in clear)
