"""Every view on every screen: for screen readers, phones, both languages, light and dark; and small."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe

from rtserver.engine.fake import FakeEngine
from tests.browser.console_page import DESKTOP, PHONE, VIEWS, console
from tests.rtserver.serving import served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

BUILT = Path(__file__).resolve().parents[2] / "rtserver" / "console"
MOST_SCRIPT_BYTES = 300_000
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize(
    ("size", "locale", "colours"),
    [(DESKTOP, "en", "light"), (DESKTOP, "zh-CN", "dark"), (PHONE, "en", "dark"), (PHONE, "zh-CN", "light")],
)
def test_no_view_shuts_anybody_out(size: tuple[int, int], locale: str, colours: Literal["light", "dark"]) -> None:
    """axe finds nothing, no view is wider than the screen, and the page has the language of the browser."""

    async def scenario() -> None:
        async with (
            served(FakeEngine()) as server,
            console(server.url, size=size, locale=locale, colours=colours, bypass_csp=True) as page,
        ):
            for view in VIEWS:
                await page.show(view)
                await page.page.wait_for_timeout(300)  # for what the view asks the server
                await page.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
                found = await Axe().run(page.page)
                assert found.violations_count == 0, f"{view}:\n{found.generate_report()}"
                assert not await page.page.evaluate(_TOO_WIDE), view
            assert await page.page.evaluate("document.documentElement.lang") == locale
            assert page.errors == []

    asyncio.run(scenario())


def test_all_scripts_together_are_small() -> None:
    packed = [len(gzip.compress(file.read_bytes())) for file in BUILT.rglob("*.js")]
    assert packed and sum(packed) <= MOST_SCRIPT_BYTES
