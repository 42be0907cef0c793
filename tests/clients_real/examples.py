"""The programs of docs/clients/ and of our clients' pages, and the sound that they write when they run."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.clients_real.environment import environment, surroundings
from tests.clients_real.finished import run_to_its_end
from tests.npm_package import npm_package
from tests.rtserver.audio.sound import Samples, decoded, samples_of

_ROOT = Path(__file__).parents[2]
DOCUMENTS = _ROOT / "docs" / "clients"
PYTHON_README = _ROOT / "clients" / "README.md"
JAVASCRIPT_README = _ROOT / "clients" / "js" / "README.md"
SERVER = "127.0.0.1:8790"
TEXT = "Hello, how are you?"
RATE_HZ = 24000
# The environment of each page's programs, and the file that they write. None: the tests' own environment.
EXAMPLES: dict[str, tuple[str | None, str]] = {
    "deepgram": ("deepgram-sdk", "hello.wav"),
    "cartesia": ("cartesia", "hello.wav"),
    "dashscope": ("dashscope", "hello.wav"),
    "elevenlabs": ("elevenlabs", "hello.mp3"),
    "livekit": ("livekit", "hello.wav"),
    "pipecat": ("pipecat", "hello.wav"),
    "vllm-omni": ("livekit", "hello.wav"),
    "openai": ("openai", "hello.wav"),
    "cosyvoice": (None, "hello.pcm"),
    "rtclient": ("rtclient", "hello.wav"),
}


def programs(page: str) -> list[str]:
    """The programs of a page. On that of the Python client it is the first one; the others are parts of an agent."""
    text = (PYTHON_README if page == "rtclient" else DOCUMENTS / f"{page}.md").read_text()
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return found[:1] if page == "rtclient" else found


def each_program() -> list[tuple[str, str]]:
    """Every program, with its page."""
    return [(page, program) for page in EXAMPLES for program in programs(page)]


async def sound_of(page: str, program: str, url: str, folder: Path, text: str = TEXT) -> Samples:
    """What a program writes, as it stands on its page but for the server and the text. At 24 kHz."""
    name, written = EXAMPLES[page]
    python = Path(sys.executable) if name is None else await asyncio.to_thread(environment, name)
    code = program.replace(SERVER, url.removeprefix("http://")).replace(TEXT, text)
    command = ("env", "-C", folder, python, "-c", code)
    done = await run_to_its_end(*command, environ=surroundings(), timeout_s=120)
    assert done.status == 0, f"{page}: status {done.status}\n{done.errors[-3000:]}"
    return sound_in(folder / written)


def javascript_program() -> str:
    """The first program of the JavaScript client's page."""
    found = re.search(r"```js\n(.*?)```", JAVASCRIPT_README.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


async def sound_of_javascript(url: str, folder: Path, text: str = TEXT) -> Samples:
    """What that program writes in Node."""
    installed = await asyncio.to_thread(npm_package)
    (folder / "node_modules").symlink_to(installed / "installed" / "node_modules")
    program = folder / "hello.mjs"
    program.write_text(javascript_program().replace(SERVER, url.removeprefix("http://")).replace(TEXT, text))
    done = await run_to_its_end("env", "-C", folder, "node", program, environ=os.environ, timeout_s=120)
    assert done.status == 0, done.errors[-3000:]
    return sound_in(folder / "hello.wav")


def sound_in(file: Path) -> Samples:
    """The samples of a file, which has to be at 24 kHz."""
    if file.suffix == ".pcm":
        return samples_of(file.read_bytes())
    rate_hz, samples = decoded(file.read_bytes())
    assert rate_hz == RATE_HZ, f"{file.name}: expected {RATE_HZ} Hz, found {rate_hz}"
    return samples
