"""The programs that the console shows (view Code) run as they are shown, and speak."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rtserver.engine.fake import FakeOptions
from rtserver.ipc.engine import Open
from tests.clients_real.environment import environment, surroundings
from tests.clients_real.finished import run_to_its_end
from tests.npm_package import npm_package
from tests.rtserver.audio.sound import decoded
from tests.rtserver.http.http_client import NotingEngine
from tests.rtserver.serving import served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clients" / "console" / "src" / "lib" / "snippets.ts"
# Prints the snippets for the request in the first argument.
PRINT = """
import { SNIPPETS } from "./snippets.js";
const request = JSON.parse(process.argv[2]);
const told = {};
for (const { name, suffix, lacks, program } of SNIPPETS) {
  told[name] = { suffix, lacks: lacks(request), program: program(request) };
}
console.log(JSON.stringify(told));
"""
NAMES = ["curl", "python", "javascript", "openai", "pipecat", "livekit"]
# The environment of each Python program; the others run in the tests' own.
ENVIRONMENTS = {"openai": "openai", "pipecat": "pipecat", "livekit": "livekit"}
TEXT = 'It\'s "one", $two & `three`.\n好的。 '
PLAIN: dict[str, Any] = {"hasKey": False, "text": "one two three four", "fields": {}, "files": {}}
FULL: dict[str, Any] = {
    "hasKey": True,
    "text": TEXT,
    "fields": {"voice": "英文女", "language": "en", "speed": 1.5, "seed": 7, "sample_rate": 16000, "markup": False},
    "files": {},
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Tells what the console shows for a request, by program."""
    folder = tmp_path_factory.mktemp("snippets")
    compiler = npm_package() / "source" / "node_modules" / ".bin" / "tsc"
    options = ["--target", "es2022", "--module", "es2022", "--strict", "--outDir"]
    subprocess.run([compiler, *options, folder, SOURCE], check=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "print.js").write_text(PRINT)

    def show(request: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        command = ["node", str(folder / "print.js"), json.dumps(request)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        programs: dict[str, dict[str, Any]] = json.loads(done.stdout)
        return programs

    return show


async def run(name: str, snippet: dict[str, Any], folder: Path) -> None:
    """Runs the program in the folder. Fails the test when it fails."""
    program = folder / f"speak.{snippet['suffix']}"
    program.write_text(snippet["program"])
    if name == "curl":
        interpreter: str | Path = "sh"
    elif name == "javascript":
        interpreter = "node"
        (folder / "node_modules").symlink_to(npm_package() / "installed" / "node_modules")
    elif name in ENVIRONMENTS:
        interpreter = await asyncio.to_thread(environment, ENVIRONMENTS[name])
    else:
        interpreter = sys.executable
    environ = surroundings() | {"RTSERVER_KEY": "right"}
    done = await run_to_its_end("env", "-C", folder, interpreter, program, environ=environ, timeout_s=90)
    assert done.status == 0, f"{done.output[-1000:]}\n{done.errors[-3000:]}\n{snippet['program']}"


def spoken(name: str, snippets: Any, request: dict[str, Any], folder: Path) -> tuple[Open, int, int]:
    """What the engine was asked for by the program, and the rate and length in samples of what it wrote."""

    async def scenario() -> Open:
        engine = NotingEngine(FakeOptions(realtime_factor=0.1))
        async with served(engine, api_keys=["right"] if request["hasKey"] else []) as server:
            await run(name, snippets({"url": server.url, **request})[name], folder)
        (asked,) = engine.requests
        return asked

    asked = asyncio.run(scenario())
    rate_hz, samples = decoded((folder / "speech.wav").read_bytes())
    return asked, rate_hz, len(samples)


@pytest.mark.parametrize("name", NAMES)
def test_a_snippet_speaks(name: str, shown: Any, tmp_path: Path) -> None:
    """With nothing but a text, on a server without keys: all of the sound is in the file."""
    _, rate_hz, samples = spoken(name, shown, PLAIN, tmp_path)
    assert rate_hz == 24000 and samples == pytest.approx(0.9 * rate_hz, abs=0.02 * rate_hz)


@pytest.mark.parametrize("name", NAMES)
def test_a_snippet_asks_for_the_same(name: str, shown: Any, tmp_path: Path) -> None:
    """With a key, a text of quotes, and all settings but those that it says it lacks."""
    lacks = shown({"url": "http://any", **FULL})[name]["lacks"]
    asked, rate_hz, _ = spoken(name, shown, FULL, tmp_path)
    wanted = {name: value for name, value in FULL["fields"].items() if name not in lacks}
    assert asked.voice == wanted.pop("voice")
    assert asked.seed == wanted.pop("seed", asked.seed)
    assert asked.speed == wanted.pop("speed", asked.speed)
    assert rate_hz == wanted.pop("sample_rate", rate_hz)
    assert wanted.keys() <= {"language", "markup"}
    assert name not in ("curl", "javascript") or not lacks
