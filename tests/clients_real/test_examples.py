"""The examples of docs/clients.md run as they stand there, but for the server's port."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.clients_real.environment import environment
from tests.rtserver.audio.sound import Samples, decoded, samples_of
from tests.rtserver.serving import served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]

_DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"
_SERVER = "127.0.0.1:8790"
# The environment of each section's example, and the file that it writes. None: the tests' own environment.
EXAMPLES: dict[str, tuple[str | None, str]] = {
    "Deepgram": ("deepgram-sdk", "hello.wav"),
    "vllm-omni and Baseten": ("livekit", "hello.wav"),
    "OpenAI": ("openai", "hello.wav"),
    "The original runtime of CosyVoice": (None, "hello.pcm"),
}


def example(section: str) -> str:
    """The first program of a section."""
    text = _DOCUMENT.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None, section
    return found[1]


def sound_in(file: Path) -> Samples:
    """At 24 kHz."""
    if file.suffix == ".pcm":
        return samples_of(file.read_bytes())
    rate, samples = decoded(file.read_bytes())
    assert rate == 24000
    return samples


@pytest.mark.parametrize("section", EXAMPLES)
def test_an_example_speaks(section: str, tmp_path: Path) -> None:
    """Its file holds sound; it is short enough to be read at a glance."""
    name, written = EXAMPLES[section]
    program = example(section)
    assert _SERVER in program and sum(line != "" for line in program.splitlines()) <= 12

    async def scenario() -> None:
        python = Path(sys.executable) if name is None else await asyncio.to_thread(environment, name)
        async with served() as server:
            code = program.replace(_SERVER, server.url.removeprefix("http://"))
            process = await asyncio.create_subprocess_exec(python, "-c", code, cwd=tmp_path)
            assert await asyncio.wait_for(process.wait(), 60) == 0
        samples = sound_in(tmp_path / written)
        assert len(samples) > 12000 and np.abs(samples).max() > 3000

    asyncio.run(scenario())
