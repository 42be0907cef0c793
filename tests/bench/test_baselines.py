"""The servers that ours is compared with: they speak the same, each in its own way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.load.baseline_server import engine_options, server_config
from bench.load.baselines.utterance import Ramp
from bench.load.server_process import baseline, measured_server, part_of
from cosyvoice.models import NANO
from rtclient import Done, Session, connect

TEXT = "Please wait a moment while I look for your account."
FRAME_BYTES_PER_MS = 48


@dataclass(frozen=True)
class Spoken:
    """Frames as they came: where each begins, and its bytes."""

    frames: list[tuple[int, int]]
    done: Done
    parts: list[str]

    @property
    def ms(self) -> float:
        return sum(size for _, size in self.frames) / FRAME_BYTES_PER_MS


async def speak(session: Session, frames: list[tuple[int, int]]) -> Done:
    async with session.speak(TEXT, language="en", seed=3) as speech:
        async for audio in speech:
            frames.append((audio.start_ms, len(audio.pcm)))
    assert speech.done is not None
    return speech.done


async def spoken(policy: str, cache: Path, *, behind_one_that_stops: bool = False) -> Spoken:
    """A sentence of a server of its own. Another speech may be there before: it says all it has, and more could come;
    by then this one has heard nothing, and that one is cancelled."""
    arguments = ["--language", "en", "--cache-dir", str(cache)]
    async with measured_server(None, arguments, baseline(policy)) as server, connect(server.url) as session:
        parts, frames = sorted(set(server.children().values())), list[tuple[int, int]]()
        if not behind_one_that_stops:
            return Spoken(frames, await speak(session, frames), parts)
        first = session.speak(None, language="en")
        await first.send("Good morning, this is the front desk. ")
        waiting = asyncio.create_task(speak(session, frames))
        assert (await first.flush()).audio_ms > 1000 and not frames
        await first.cancel()
        return Spoken(frames, await waiting, parts)


def check(found: Spoken, expected: Spoken) -> None:
    """As long as ours, without a gap, and accounted for."""
    assert found.ms == pytest.approx(expected.ms, rel=0.3)
    at_ms = 0.0
    for start_ms, size in found.frames:
        assert start_ms == pytest.approx(at_ms, abs=1)
        at_ms += size / FRAME_BYTES_PER_MS
    assert found.done.audio_ms == pytest.approx(found.ms, abs=1)
    assert found.done.timings["ttfa_from_text"] > 0 and found.done.timings["flow"] > 0
    assert found.done.usage == expected.done.usage
    assert "acoustic" in found.parts and "talker" in found.parts


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def ours(cache: Path) -> Spoken:
    return asyncio.run(spoken("ours", cache))


@pytest.mark.engine
def test_first_come_speaks_as_the_server_does(cache: Path, ours: Spoken) -> None:
    """Another order of work is the same sound."""
    found = asyncio.run(spoken("first_come", cache))
    check(found, ours)
    assert found.ms == ours.ms


@pytest.mark.engine
def test_the_original_speaks_one_after_the_other(cache: Path, ours: Spoken) -> None:
    """Who comes second waits for the first, whose text has stopped, until that is cancelled."""
    found = asyncio.run(spoken("original", cache, behind_one_that_stops=True))
    check(found, ours)
    assert found.done.timings["queue"] > 0


def test_the_originals_hops_double_up_to_a_hundred_tokens() -> None:
    """Each call takes all tokens so far and the look-ahead; the last is what is left when no hop is."""
    ramp, calls = Ramp(lookahead_tokens=3), list[tuple[int, bool]]()
    while not calls or not calls[-1][1]:
        hop = ramp.next(400, complete=True)
        assert hop is not None
        calls.append(hop)
        ramp.advance()
    assert calls == [(28, False), (78, False), (178, False), (278, False), (378, False), (400, True)]


def test_the_original_waits_for_a_whole_hop_or_the_end() -> None:
    """Tokens that are not enough are spoken only when no more will come."""
    ramp = Ramp(lookahead_tokens=3)
    assert ramp.next(27, complete=False) is None
    assert ramp.next(28, complete=False) == (28, False)
    assert ramp.next(27, complete=True) == (27, True)


def test_baselines_refuse_nobody_and_keep_the_servers_other_settings() -> None:
    """Admission is ours; the rest is as it was asked for."""
    config = server_config("original", ["--port", "0", "--max-streams", "7"])
    assert (config.admission, config.port, config.max_streams) == (False, 0, 7)
    assert server_config("ours", []).admission and not server_config("ours", ["--no-admission"]).admission
    flag, module, *arguments = engine_options(config, NANO, None, "original", 10).acoustic_program
    assert flag == "-m" and find_spec(module) and arguments == ["--policy", "original", "--euler-steps", "10"]
    assert engine_options(config, NANO, None, "first_come", None).talker.max_streams == 7 + config.max_batch


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("python -m rtserver.engine.acoustic.process --fd 7", "acoustic"),
        ("python -m bench.load.baseline_acoustic --policy original --fd 7", "acoustic"),
        ("python -m rtserver.engine.talker.process --fd 7", "talker"),
        ("python -m something", "other"),
    ],
)
def test_a_servers_processes_are_told_apart(command: str, part: str) -> None:
    """By their command lines, under every policy."""
    assert part_of(command) == part
