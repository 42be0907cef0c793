"""The examples of docs/clients/ and of the Python client's page run as they stand there, but for the server's port."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.clients_real.examples import DOCUMENTS, EXAMPLES, SERVER, each_program, programs, sound_of
from tests.rtserver.serving import served

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


def test_every_page_has_its_example() -> None:
    """A page that is written later is tested too."""
    assert {page.stem for page in DOCUMENTS.glob("*.md")} | {"rtclient"} == set(EXAMPLES)
    assert all(programs(page) for page in EXAMPLES)


@pytest.mark.parametrize(("page", "program"), [pytest.param(*each, id=each[0]) for each in each_program()])
def test_an_example_speaks(page: str, program: str, tmp_path: Path) -> None:
    """Its file holds sound; it is short enough to be read at a glance."""
    assert SERVER in program and sum(line != "" for line in program.splitlines()) <= 12

    async def scenario() -> None:
        async with served() as server:
            samples = await sound_of(page, program, server.url, tmp_path)
        assert len(samples) > 12000 and np.abs(samples).max() > 3000

    asyncio.run(scenario())
