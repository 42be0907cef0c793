"""The console's page: how it is served. What it does is tested in a browser."""

from __future__ import annotations

import asyncio
import re
import zlib

import aiohttp
from aiohttp import web

from tests.rtserver.http.http_client import Answer, ask
from tests.rtserver.serving import served

NAMED = re.compile(r'(?:src|href)="([^"]+)"')
TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


async def get(url: str, **headers: str) -> Answer:
    return await ask(url, "GET", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_the_page_is_at_both_addresses_and_is_asked_for_each_time() -> None:
    """A browser keeps the page but asks whether it has changed; the answer to that has no body."""

    async def scenario() -> None:
        async with served() as server:
            page = await get(f"{server.url}/")
            again = await get(f"{server.url}/index.html")
            assert page.status == again.status == 200 and page.body == again.body
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"
            assert page.headers["Cache-Control"] == "no-cache"
            same = await get(f"{server.url}/", If_None_Match=page.headers["ETag"])
            assert (same.status, same.body, same.headers["ETag"]) == (304, b"", page.headers["ETag"])
            other = await get(f"{server.url}/", If_None_Match='"another"')
            assert other.status == 200

    asyncio.run(scenario())


def test_everything_the_page_names_is_served_for_ever_with_its_type() -> None:
    """Each file of the page has its type, may be kept for ever, and is named relative to the page."""

    async def scenario() -> None:
        async with served() as server:
            named = NAMED.findall((await get(f"{server.url}/")).body.decode())
            assert len(named) == 3
            for name in named:
                assert name.startswith("./console/")
                answer = await get(f"{server.url}/{name.removeprefix('./')}")
                assert answer.status == 200
                assert answer.headers["Content-Type"] == TYPES[name.rpartition(".")[2]]
                assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    asyncio.run(scenario())


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    """Scripts, styles, sound and connections are the server's own alone; nothing inline; no other page shows it."""

    async def scenario() -> None:
        async with served() as server:
            page = await get(f"{server.url}/")
            policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            text = page.body.decode()
            assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)

    asyncio.run(scenario())


def test_a_file_that_is_not_there_is_not_found() -> None:
    """No name leads out of the folder."""

    async def scenario() -> None:
        async with served() as server:
            for name in ("index-unknown.js", "..%2findex.html", "%2e%2e%2fconfig.py"):
                assert (await get(f"{server.url}/console/{name}")).refused == (404, "not_found")

    asyncio.run(scenario())


def test_files_are_packed_for_those_who_take_it() -> None:
    """With gzip a file is smaller and the same; without, it comes as it is."""

    async def scenario() -> None:
        async with served() as server:
            script = next(name for name in NAMED.findall((await get(f"{server.url}/")).body.decode()) if ".js" in name)
            url = f"{server.url}/{script.removeprefix('./')}"
            async with aiohttp.ClientSession(auto_decompress=False) as http:
                async with http.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
                    small = await packed.read()
                    assert packed.headers["Content-Encoding"] == "gzip" and packed.headers["Vary"] == "Accept-Encoding"
                async with http.get(url, headers={"Accept-Encoding": "identity"}) as plain:
                    whole = await plain.read()
                    assert "Content-Encoding" not in plain.headers
            assert zlib.decompress(small, wbits=31) == whole
            assert len(small) < 300_000

    asyncio.run(scenario())


def test_it_needs_no_key() -> None:
    """On a server with keys the page comes without one, and asks for it itself."""

    async def scenario() -> None:
        async with served(api_keys=["right"]) as server:
            assert (await get(f"{server.url}/")).status == 200
            assert (await get(f"{server.url}/v1/capabilities")).status == 401

    asyncio.run(scenario())


def test_it_works_under_a_path_prefix_of_a_proxy() -> None:
    """A proxy that serves it under a path, and takes the path off, serves the page and all its files."""

    async def scenario() -> None:
        async with served() as server, aiohttp.ClientSession() as http:

            async def forward(request: web.Request) -> web.Response:
                async with http.get(f"{server.url}/{request.match_info['rest']}") as answer:
                    return web.Response(status=answer.status, body=await answer.read())

            proxy = web.Application()
            proxy.add_routes([web.get("/speech/tts/{rest:.*}", forward)])
            runner = web.AppRunner(proxy)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                address = f"http://127.0.0.1:{runner.addresses[0][1]}/speech/tts/"
                page = await get(address)
                for name in NAMED.findall(page.body.decode()):
                    assert (await get(address + name)).status == 200
            finally:
                await runner.cleanup()

    asyncio.run(scenario())
