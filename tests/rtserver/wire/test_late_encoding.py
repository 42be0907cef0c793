"""An encoder that does not return: whoever waits for it is told, and others hear their sound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import aiohttp
import pytest

from rtserver.audio import threads
from rtserver.audio.encoder_threads import EncodingLate
from rtserver.audio.framed import SoundFrames
from rtserver.audio.threads import in_file_thread, in_frame_thread
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.front.app import App
from rtserver.wire.tts_v1 import answers
from tests.rtserver.http.http_client import TEXT, ask
from tests.rtserver.serving import eventually, served

pytestmark = pytest.mark.engine


@pytest.fixture(name="stuck")
def stuck_encoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Encoders return when this is set; sound must be encoded within 0.2 s."""
    released = threading.Event()
    monkeypatch.setattr(threads, "FRAME_S", 0.2)
    monkeypatch.setattr(threads, "_FILE_S_PER_S", 0.0)
    monkeypatch.setattr(SoundFrames, "feed", lambda *arguments: released.wait())
    monkeypatch.setattr(answers, "encode_all", lambda *arguments: released.wait())
    yield released
    released.set()


def test_work_that_does_not_end_is_given_up(stuck: threading.Event) -> None:
    """After its time, with an error that says so."""

    async def scenario() -> None:
        for late in (in_frame_thread(stuck.wait), in_file_thread(9.0, stuck.wait)):
            with pytest.raises(EncodingLate, match=r"within 0\.2 s"):
                await late
        stuck.set()

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/v1/tts", "/v1/tts/stream"])
def test_a_request_whose_sound_is_not_encoded_fails(stuck: threading.Event, path: str) -> None:
    """With 500 and the id of an incident. Its work ends."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions())) as server:
            answer = await ask(f"{server.url}{path}", json={"text": TEXT, "format": "mp3"})
            assert answer.refused == (500, "internal")
            assert "i_" in answer.json["error"]["message"]
            await nothing_left(server.app)
            stuck.set()

    asyncio.run(scenario())


def test_a_socket_whose_sound_is_not_encoded_is_closed(stuck: threading.Event) -> None:
    """With 1011 and the id of an incident. A socket whose sound needs no encoding goes on."""

    async def scenario() -> None:
        async with served(FakeEngine(FakeOptions())) as server, aiohttp.ClientSession() as http:
            async with http.ws_connect(f"{server.url}/v1/realtime") as plain:
                async with http.ws_connect(f"{server.url}/v1/realtime") as ws:
                    await ws.send_json({"type": "start", "text": TEXT, "end": True, "format": "mp3"})
                    while (frame := await ws.receive(10)).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        pass
                    assert ws.close_code == 1011 and "i_" in str(frame.extra)
                await plain.send_json({"type": "start", "text": TEXT, "end": True})
                while '"done"' not in str((await plain.receive(10)).data):
                    pass
            await nothing_left(server.app)
            stuck.set()

    asyncio.run(scenario())


async def nothing_left(app: App) -> None:
    await eventually(lambda: not +app.accounts.held)
