"""Recordings from the Python client: a voice to speak like, and what is to be said again."""

from __future__ import annotations

import asyncio

import pytest

from rtclient import connect
from tests.rtserver.http.http_client import TEXT, NotingEngine
from tests.rtserver.serving import served
from tests.rtserver.uploads.files import sound_file, sweep

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_recordings_go_as_files(encoding: str) -> None:
    """A voice prompt with its transcript, and a source that needs no text, in both encodings of the wire."""

    async def run() -> None:
        engine = NotingEngine()
        async with served(engine) as server, connect(server.url, encoding=encoding) as session:  # type: ignore[arg-type]
            flac = sound_file("flac-16", sweep(0.5))
            cloned = session.speak(TEXT, mode="zero_shot", prompt_audio=flac, prompt_text="up")
            assert [audio async for audio in cloned] and cloned.started is not None
            assert cloned.started.voice == "recording"
            converted = session.speak(mode="vc", source_audio=flac)
            assert [audio async for audio in converted] and converted.done is not None
            assert converted.done.audio_ms == 500
            first, second = engine.requests
            assert first.prompt_audio is not None and first.prompt_audio.named().seconds == 0.5
            assert (first.prompt_text, second.prompt_text) == ("up", "") and second.source_audio is not None

    asyncio.run(run())
