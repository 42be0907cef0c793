"""The examples of docs/clients/ run as they stand there, but for the server's port."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.clients_real.environment import environment, surroundings
from tests.rtserver.audio.sound import Samples, decoded, samples_of
from tests.rtserver.serving import served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

_DOCUMENTS = Path(__file__).parents[2] / "docs" / "clients"
_SERVER = "127.0.0.1:8790"
# The environment of each page's examples, and the file that they write. None: the tests' own environment.
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
}


def programs(page: str) -> list[str]:
    """The programs of a page."""
    return re.findall(r"```python\n(.*?)```", (_DOCUMENTS / f"{page}.md").read_text(), re.DOTALL)


def sound_in(file: Path) -> Samples:
    """At 24 kHz."""
    if file.suffix == ".pcm":
        return samples_of(file.read_bytes())
    rate, samples = decoded(file.read_bytes())
    assert rate == 24000
    return samples


def test_every_page_has_its_example() -> None:
    """A page that is written later is tested too."""
    assert {page.stem for page in _DOCUMENTS.glob("*.md")} == set(EXAMPLES)
    assert all(programs(page) for page in EXAMPLES)


@pytest.mark.parametrize(
    ("page", "program"), [pytest.param(page, program, id=page) for page in EXAMPLES for program in programs(page)]
)
def test_an_example_speaks(page: str, program: str, tmp_path: Path) -> None:
    """Its file holds sound; it is short enough to be read at a glance."""
    name, written = EXAMPLES[page]
    assert _SERVER in program and sum(line != "" for line in program.splitlines()) <= 12

    async def scenario() -> None:
        python = Path(sys.executable) if name is None else await asyncio.to_thread(environment, name)
        async with served() as server:
            code = program.replace(_SERVER, server.url.removeprefix("http://"))
            process = await asyncio.create_subprocess_exec(python, "-c", code, cwd=tmp_path, env=surroundings())
            assert await asyncio.wait_for(process.wait(), 60) == 0
        samples = sound_in(tmp_path / written)
        assert len(samples) > 12000 and np.abs(samples).max() > 3000

    asyncio.run(scenario())
