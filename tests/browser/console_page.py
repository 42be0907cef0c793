"""The console in headless Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.async_api import Page, async_playwright

# The fake microphone beeps, and is given without a question.
_OPTIONS = (
    "--no-sandbox",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
DESKTOP, PHONE = (1280, 800), (390, 844)
VIEWS = ("speak", "live", "read", "voices", "code", "status")


@dataclass
class Console:
    """An open page, and what it did besides what it shows."""

    page: Page
    url: str
    # What it asked of any server.
    requests: list[str] = field(default_factory=list)
    # Exceptions, and errors that the browser reports, such as what the policy forbids.
    errors: list[str] = field(default_factory=list)

    async def show(self, view: str) -> None:
        """Another view."""
        await self.page.goto(f"{self.url}/#/{view}")
        await self.page.locator(f'main[data-view="{view}"]').wait_for()


@contextlib.asynccontextmanager
async def console(
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    locale: str = "en",
    colours: Literal["light", "dark"] = "light",
    bypass_csp: bool = False,
) -> AsyncIterator[Console]:
    """The console of the server at `url`. bypass_csp: other scripts may be put into the page, as axe needs."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*_OPTIONS])
        try:
            options: dict[str, Any] = {"is_mobile": True, "has_touch": True} if size == PHONE else {}
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                locale=locale,
                color_scheme=colours,
                bypass_csp=bypass_csp,
                accept_downloads=True,
                **options,
            )
            context.set_default_timeout(30_000)
            opened = Console(await context.new_page(), url)
            opened.page.on("request", lambda request: opened.requests.append(request.url))
            opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
            opened.page.on("console", lambda said: opened.errors.append(said.text) if said.type == "error" else None)
            await opened.page.goto(url)
            yield opened
        finally:
            await browser.close()
