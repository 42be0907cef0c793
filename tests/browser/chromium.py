"""A page in headless Chromium that tells the test one JSON value."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aiohttp import web

# Without a sound card Chromium plays into nothing, at the pace of a real one.
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
)


async def told_by_page(routes: Iterable[web.AbstractRouteDef], profile: Path, timeout_s: float = 90.0) -> Any:
    """Opens `/` of these routes, and returns what the page posts to `/told`."""
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def take(request: web.Request) -> web.Response:
        told.set_result(await request.json())
        return web.Response()

    app = web.Application(client_max_size=64 << 20)
    app.add_routes([*routes, web.post("/told", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    browser = await asyncio.create_subprocess_exec(
        "chromium", *_OPTIONS, f"--user-data-dir={profile}", url, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        return await asyncio.wait_for(told, timeout_s)
    finally:
        browser.terminate()
        await browser.wait()
        await runner.cleanup()
