"""The server behind nginx, HAProxy and Caddy, as docs/operations.md configures them."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.messages.wire import JSON_SUBPROTOCOL
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine
from tests.rtserver.serving import Served, served
from tests.rtserver.uploads.files import sound_file
from tests.rtserver.wire.native_client import NativeClient
from tests.services.proxies import PROXIES, Proxied, proxied

pytestmark = [pytest.mark.services, pytest.mark.parametrize("name", PROXIES)]

KEY = {"Authorization": "Bearer right"}
SLOWLY = FakeOptions(realtime_factor=1.0, hop_s=0.1)
SOCKET = "/v1/speech/realtime"


def host_of(server: Served) -> str:
    return server.url.removeprefix("http://")


def test_a_socket_speaks(name: str, tmp_path: Path) -> None:
    """From the handshake to `done`, and the server sees the end of the socket."""

    async def scenario() -> None:
        async with (
            served(api_keys=["right"]) as server,
            proxied(name, host_of(server), tmp_path) as proxy,
            proxy.client() as http,
        ):
            async with http.ws_connect(f"{proxy.url}{SOCKET}", protocols=(JSON_SUBPROTOCOL,), headers=KEY) as ws:
                client = NativeClient(ws, JSON_SUBPROTOCOL)
                await client.until("ready")
                await client.send("start", context="a")
                await client.send("text", context="a", text=TEXT)
                await client.send("end", context="a")
                await client.until("done", "a")
                assert len(client.heard["a"].sound) == 2 * SAMPLES
            async with asyncio.timeout(10):
                await server.app.empty.wait()

    asyncio.run(scenario())


def test_a_refusal_comes_through(name: str, tmp_path: Path) -> None:
    """The server's own answer; and a key in the address comes into no log of the proxy."""

    async def scenario() -> None:
        async with (
            served(api_keys=["right"]) as server,
            proxied(name, host_of(server), tmp_path) as proxy,
            proxy.client() as http,
            http.get(f"{proxy.url}/v1/voices?api_key=WRONG") as answer,
        ):
            assert answer.status == 401 and (await answer.json())["error"]["code"] == "unauthorized"
        logs = [path for path in (tmp_path / "access.log", tmp_path / "output") if path.exists()]
        assert logs and not any("WRONG" in log.read_text() for log in logs)

    asyncio.run(scenario())


def test_the_clients_address_is_seen(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not the proxy's, and not the one that the client writes into the header itself."""

    async def scenario() -> None:
        async with (
            served(api_keys=["right"], trusted_proxies=["127.0.0.1"]) as server,
            proxied(name, host_of(server), tmp_path) as proxy,
            proxy.client("127.0.0.2") as http,
            http.get(f"{proxy.url}/v1/voices", headers={"X-Forwarded-For": "198.51.100.1"}) as answer,
        ):
            assert answer.status == 401

    asyncio.run(scenario())
    assert [vars(record)["address"] for record in caplog.records if "no known key" in record.getMessage()] == [
        "127.0.0.2"
    ]


def test_a_large_upload_arrives(name: str, tmp_path: Path) -> None:
    """A form with two files of together 10 MB, more than the proxies' defaults."""

    async def scenario() -> None:
        noise = np.random.default_rng(1).normal(0, 0.1, (24 * 48000, 2)).astype(np.float32)
        wav = sound_file("wav-16", noise, 48000)
        engine = NotingEngine()
        async with (
            served(engine, api_keys=["right"]) as server,
            proxied(name, host_of(server), tmp_path) as proxy,
            proxy.client() as http,
        ):
            form = aiohttp.FormData({"mode": "vc"})
            for field in ("prompt_wav", "source_wav"):
                form.add_field(field, io.BytesIO(wav), filename=f"{field}.wav")
            async with http.post(f"{proxy.url}/v1/tts", data=form, headers=KEY) as answer:
                assert answer.status == 200, await answer.text()
            source = engine.requests[0].source_audio
            assert source is not None and source.named().seconds == pytest.approx(24, abs=0.2)

    asyncio.run(scenario())


def test_a_streamed_answer_arrives_while_it_is_made(name: str, tmp_path: Path) -> None:
    """The first pieces are there while the utterance is open."""

    async def scenario() -> None:
        engine = FakeEngine(SLOWLY)
        async with (
            served(engine, api_keys=["right"]) as server,
            proxied(name, host_of(server), tmp_path) as proxy,
            proxy.client() as http,
            http.post(f"{proxy.url}/v1/tts/stream", json={"text": 3 * TEXT}, headers=KEY) as answer,
        ):
            size = 0
            while size < SAMPLES // 2:
                size += len(await answer.content.readany())
            assert engine.live == 1 and not answer.content.is_eof()
            size += len(await answer.read())
            assert size > 2 * 2 * SAMPLES and engine.live == 0

    asyncio.run(scenario())


def test_sigterm_lets_open_speech_finish(name: str, tmp_path: Path) -> None:
    """The rest of an utterance is heard, then the socket closes with 1001, and the server ends without an error."""

    async def scenario() -> None:
        command = [sys.executable, "-m", "rtserver", "serve", "--engine", "fake", "--language", "en", "--port", "0"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--cache-dir", str(tmp_path / "cache")),
            env={**os.environ, "RTSERVER_API_KEY": "right"},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(60):
                line = (await process.stdout.readline()).decode().strip()
            async with (
                proxied(name, line.removeprefix("listening on http://"), tmp_path) as proxy,
                proxy.client() as http,
            ):
                await drained(proxy, http, process)
            async with asyncio.timeout(30):
                assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    asyncio.run(scenario())


async def drained(proxy: Proxied, http: aiohttp.ClientSession, process: asyncio.subprocess.Process) -> None:
    async with http.ws_connect(f"{proxy.url}{SOCKET}", protocols=(JSON_SUBPROTOCOL,), headers=KEY) as ws:
        client = NativeClient(ws, JSON_SUBPROTOCOL)
        await client.until("ready")
        await client.send("start", context="a")
        await client.send("text", context="a", text="It was a bright cold day in April. " * 3)
        await client.until("audio", "a")
        process.send_signal(signal.SIGTERM)
        await client.send("end", context="a")
        done = await client.until("done", "a")
        assert len(client.heard["a"].sound) == done["audio_ms"] * 48
        closing = await ws.receive(20)
        assert (closing.type, closing.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
