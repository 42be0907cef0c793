"""Waits while the server is restarted. It needs no package, because each program has others."""

import asyncio
import urllib.request


async def restart_of(url: str) -> None:
    """Returns when the server has gone and is back."""
    gone = False
    while True:
        lives = await asyncio.to_thread(_lives, url)
        if gone and lives:
            return
        gone = gone or not lives
        await asyncio.sleep(0.05)


def _lives(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/v1/live", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
