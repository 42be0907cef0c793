"""Waits while the server is restarted. It needs no package, because each program has others."""

import asyncio
import time
import urllib.error
import urllib.request


async def restart_of(url: str) -> None:
    """Returns when a new server answers. `/waits` is a path of the old one alone; it learns so that we wait."""
    await asyncio.to_thread(_wait_for_another, f"{url}/waits")


def _wait_for_another(url: str) -> None:
    while _status(url) in (200, None):
        time.sleep(0.05)


def _status(url: str) -> int | None:
    """Of the answer; None if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None
