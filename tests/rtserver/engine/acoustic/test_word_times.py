"""Marks of a real server: with the checkpoint's aligner and without."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bench.load.server_process import ServerProcess, measured_server
from cosyvoice.checkpoint import ALIGNER_FILE
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from cosyvoice.talker.aligner import Aligner, AlignerConfig
from tests.rtserver.wire.wire_client import WireClient, wire_client

pytestmark = pytest.mark.engine

WORDS = "The meeting was moved to Thursday, 12 March, because of the storm."
LATER = "Everybody knows about it now."


def model(directory: Path, *, aligner: bool) -> Path:
    """The embedded checkpoint, with an aligner of random weights or without one."""
    shutil.copytree(NANO, directory)
    (directory / ALIGNER_FILE).unlink(missing_ok=True)
    if aligner:
        torch.manual_seed(0)
        config = ModelConfig.load(directory).talker
        weights = Aligner(AlignerConfig(config.speech_tokens, config.text_rows)).state_dict()
        save_file({k: v.half() for k, v in weights.items()}, directory / ALIGNER_FILE)
    return directory


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module", params=[True, False], ids=["aligner", "estimate"])
def server(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, bool]]:
    """A server, and whether its checkpoint has an aligner."""
    aligner: bool = request.param
    stack = AsyncExitStack()
    directory = model(tmp_path_factory.mktemp("model") / "nano", aligner=aligner)
    settings = directory / "settings.toml"
    settings.write_text("recovery_s = 200.0\n")  # a busy machine starts a process slowly
    cache = tmp_path_factory.mktemp("cache")
    arguments = ["--model", str(directory), "--cache-dir", str(cache), "--config", str(settings)]
    started = runner.run(stack.enter_async_context(measured_server(None, arguments)))
    yield started, aligner
    runner.run(stack.aclose())


async def converse(client: WireClient, text: dict[str, Any], later: str) -> list[tuple[float, dict[str, Any]]]:
    """All marks of a context whose text comes in pieces, each with how much sound was there before it, in ms."""
    await client.send("start", context="a", language="en", seed=3, **text)
    for word in WORDS.split():
        await client.send("text", context="a", text=word + " ")
    await client.send("flush", context="a", id="f")
    await client.send("text", context="a", text=later)
    await client.send("end", context="a")
    samples, marks = 0, []
    while (message := await client.next(60))["type"] != "done":
        assert message["type"] in ("ready", "started", "audio", "mark", "flushed"), message
        if message["type"] == "audio":
            samples += len(message["data"]) // 2
        elif message["type"] == "mark":
            marks.append((samples / 24, message))
    assert message["audio_ms"] == pytest.approx(samples / 24, abs=1) and samples > 0
    return marks


@pytest.mark.parametrize("speed", [1.0, 1.5])
def test_marks_come_once_in_order_before_their_sound(
    runner: asyncio.Runner, server: tuple[ServerProcess, bool], speed: float
) -> None:
    """Each word of both sequences, where it stands in the text; estimated only where there is no aligner."""
    process, aligner = server

    async def scenario() -> list[tuple[float, dict[str, Any]]]:
        async with wire_client(process.url) as client:
            return await converse(client, {"speed": speed}, LATER)

    marks = runner.run(scenario())
    text = f"{WORDS} {LATER}"
    assert [mark["text"] for _, mark in marks] == text.split()
    assert all(text[mark["offset"] :].startswith(mark["text"]) for _, mark in marks)
    assert {mark["estimated"] for _, mark in marks} == {not aligner}
    edges = [edge for _, mark in marks for edge in (mark["start_ms"], mark["end_ms"])]
    assert edges == sorted(edges) and edges[-1] > 1000
    assert all(mark["start_ms"] >= int(before_ms) for before_ms, mark in marks)


def test_marks_go_on_behind_a_crash(runner: asyncio.Runner, server: tuple[ServerProcess, bool]) -> None:
    """What another acoustic process says of words is what the one that died had not said."""
    process, aligner = server

    async def scenario() -> tuple[list[dict[str, Any]], list[int]]:
        killed, starts_ms, marks = False, [], []
        async with wire_client(process.url) as client:
            await client.send("start", context="a", language="en", seed=3, text=WORDS, end=True)
            while (message := await client.next(120))["type"] != "done":
                assert message["type"] in ("ready", "started", "audio", "mark"), message
                if message["type"] == "mark":
                    marks.append(message)
                elif message["type"] == "audio":
                    starts_ms.append(message["start_ms"])
                    if not killed:
                        (pid,) = [pid for pid, part in process.children().items() if part == "acoustic"]
                        os.kill(pid, signal.SIGKILL)
                        killed = True
        return marks, starts_ms

    marks, starts_ms = runner.run(scenario())
    assert [mark["text"] for mark in marks] == WORDS.split()
    assert {mark["estimated"] for mark in marks} == {not aligner}
    edges = [edge for mark in marks for edge in (mark["start_ms"], mark["end_ms"])]
    assert edges == sorted(edges) and starts_ms == sorted(starts_ms)
