"""Waits while the server is restarted."""

import asyncio

import aiohttp


async def restart_of(url: str) -> None:
    """Returns when the server has gone and is back."""
    gone = False
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/v1/live") as response:
                    if gone and response.status == 200:
                        return
            except aiohttp.ClientError:
                gone = True
            await asyncio.sleep(0.05)
