"""The console with the real engine: the embedded voice speaks in the browser."""

from __future__ import annotations

import asyncio
import io
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import expect

from tests.browser.console_page import console
from tests.browser.test_console import saved, speak
from tests.rtserver.embedded import embedded_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

TEXT = "The meeting begins at 9:30 on Monday."


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Of a server with the embedded voice."""
    with embedded_server(tmp_path) as url:
        yield url


def test_a_sentence_is_spoken_and_its_reading_is_shown(url: str) -> None:
    """As long as such a sentence is, and as loud as speech; the clause is shown in phonemes."""

    async def scenario() -> None:
        async with console(url) as page:
            await expect(page.page.get_by_text("Ready")).to_be_visible(timeout=60_000)
            take = await speak(page, TEXT)
            await expect(take.get_by_label("Save take 1")).to_be_enabled(timeout=30_000)
            with wave.open(io.BytesIO(await saved(page, take, "wav"))) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
                seconds = file.getnframes() / file.getframerate()
            assert 1.5 < seconds < 6 and 0.02 < np.sqrt(np.mean(samples**2)) < 0.3
            await page.show("read")
            await page.page.get_by_role("main").get_by_role("textbox").first.fill(TEXT)
            await expect(page.page.get_by_text(re.compile("nˈIn θˈɜɹTi"))).to_be_visible()
            assert page.errors == []

    asyncio.run(scenario())
