"""The JavaScript client: its npm package is built, installed in a clean folder, and speaks in Node."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.clients_real.examples import SERVER, javascript_program, sound_of_javascript
from tests.clients_real.finished import run_to_its_end
from tests.npm_package import npm_package
from tests.rtserver.http.http_client import SAMPLES, NotingEngine
from tests.rtserver.serving import eventually, served, served_again
from tests.rtserver.wire.wire_client import wire_client

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

PROGRAM = Path(__file__).parent / "programs" / "rtclient_js.mjs"
WORDS = ["one", "two", "three", "four"]
TURN = {"bytes": 2 * SAMPLES, "words": WORDS, "audio_ms": 900}
# What a user of the types may write, and what is an error.
TYPED = """
import { Http, Reconnecting, ServerError, connect } from "rtclient";
import type { Cancelled, Start } from "rtclient";
import { Player } from "rtclient/player";

const start: Start = { voice: "default", language: "en", lexicon: [{ word: "SQL", say: "sequel" }] };
const session = await connect("ws://127.0.0.1", { apiKey: "key" });
const speech = session.speak(["one ", "two"], start);
const cancelled: Cancelled | undefined = await speech.cancel();
const heard: number | undefined = cancelled?.heard_ms;
const player = await Player.open({ workletUrl: "/worklet.js" });
player.play(speech).onPosition = (ms: number) => ms;
if (speech.error instanceof ServerError) console.log(speech.error.advice, heard, Http, Reconnecting);
// @ts-expect-error A field that the wire does not have.
session.speak("one", { speaker: "default" });
// @ts-expect-error What belongs to the session alone.
session.fail(speech.error);
"""


async def run_in_node(url: str, case: str, key: str = "right", voice: str = "default", timeout_s: float = 60.0) -> Any:
    """What the program tells of a case."""
    folder = (await asyncio.to_thread(npm_package)) / "installed"
    program = shutil.copy(PROGRAM, folder)  # Node looks for packages beside the program
    return (await run_to_its_end("node", program, url, case, key, voice, environ=os.environ, timeout_s=timeout_s)).told


def told(case: str, key: str = "right", voice: str = "default", **settings: Any) -> Any:
    """What the program tells of a case, with a server of its own. Afterwards nothing is left of it."""

    async def scenario() -> Any:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, api_keys=["right"], **settings) as server:
            answer = await run_in_node(server.url, case, key, voice)
            await eventually(lambda: not engine.live and not server.app.connections)
            return answer

    return asyncio.run(scenario())


def test_it_speaks() -> None:
    """Word by word, a whole text, and with a flush, on one socket."""
    assert told("speaks") == {"turns": [TURN, TURN], "flushed": True}


def test_it_speaks_over_http() -> None:
    """A file with its words, sound as it is made, the voices, and how a text is read."""
    answer = told("http")
    assert answer.pop("file") == 44 + 2 * SAMPLES
    assert answer == {
        "words": WORDS,
        "bytes": 2 * SAMPLES,
        "sampleRate": 24000,
        "voices": 4,
        "clauses": ["one", "two"],
    }


def test_it_interrupts() -> None:
    """It learns what was heard, nothing more comes, the work ends, and the next speech is whole."""
    answer = told("interrupts")
    cancelled = answer["cancelled"]
    assert 100 <= cancelled["heard_ms"] <= cancelled["sent_ms"] < 30_000 and cancelled["heard_from"] == "reported"
    assert answer["isSilent"] and answer["after"] == TURN


def test_it_leaves_the_fade_to_the_server() -> None:
    """The frames that came are kept, in order; the last one has 5 ms and ends in silence."""
    answer = told("fades")
    assert answer["isCancelled"] and answer["seqs"] == list(range(len(answer["seqs"])))
    assert answer["bytes"] == 240 and answer["end"] == [0, 0]


def test_refusals() -> None:
    """An unknown voice and a bad key are errors with their code, and say what to do."""
    unknown = told("fails", voice="nobody")
    assert unknown["speech"] == unknown["http"]
    assert unknown["speech"]["code"] == "unknown_voice" and "Choose a voice" in unknown["speech"]["advice"]
    stranger = told("fails", key="wrong")
    assert stranger["speech"] == stranger["http"]
    assert stranger["speech"]["code"] == "unauthorized" and "key" in stranger["speech"]["advice"]
    refused = told("stranger", key="wrong")
    assert refused["code"] == "unauthorized" and refused["states"] == ["connecting", "closed"]


def test_an_overload_is_an_error_at_once() -> None:
    """It is retryable, and the advice is to wait."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with (
            served(engine, api_keys=["right"], max_streams=1) as server,
            wire_client(server.url, headers={"X-API-Key": "right"}) as other,
        ):
            await other.send("start", text="abcdefgh " * 200)
            await other.until("audio")
            for error in (await run_in_node(server.url, "fails")).values():
                assert error["code"] == "overloaded" and error["retryable"] and "Wait" in error["advice"]

    asyncio.run(scenario())


def test_no_server() -> None:
    """The connection is lost before it began."""
    error = asyncio.run(run_in_node("http://127.0.0.1:9", "nowhere"))
    assert error["name"] == "ConnectionLost" and "Check the address" in error["advice"]


def test_a_restart_of_the_server() -> None:
    """The speech that is cut off fails; the connection comes back by itself, and the next speech is whole."""

    async def scenario() -> None:
        await asyncio.to_thread(npm_package)  # it may have to be built first
        engine = NotingEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine, api_keys=["right"]) as server:
            telling = asyncio.create_task(run_in_node(server.url, "restarts"))
            await eventually(lambda: len(engine.requests) == 2, 60)
        async with served_again(server, NotingEngine(), api_keys=["right"]):
            answer = await telling
        assert answer["before"] == answer["after"] == TURN
        assert answer["broken"]["code"] == "shutting_down" and answer["broken"]["retryable"]
        assert answer["states"] == ["connecting", "open", "closed"]

    asyncio.run(scenario())


def test_the_example_of_the_readme(tmp_path: Path) -> None:
    """It writes a file with the speech; it is short enough to be read at a glance."""
    program = javascript_program()
    assert SERVER in program and sum(line != "" for line in program.splitlines()) <= 12

    async def scenario() -> None:
        async with served() as server:
            assert len(await sound_of_javascript(server.url, tmp_path)) > 12000

    asyncio.run(scenario())


def test_its_types(tmp_path: Path) -> None:
    """A program compiles with the package's types under strict checks; what does not exist is an error."""
    folder = npm_package()
    (tmp_path / "node_modules").symlink_to(folder / "installed" / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "typed.ts").write_text(TYPED)
    compiler = folder / "source" / "node_modules" / ".bin" / "tsc"
    options = ["--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "typed.ts"]
    done = subprocess.run([compiler, *options], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
