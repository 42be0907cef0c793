"""Instructions through the real server, with the embedded voice and a block of styles."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosyvoice.models import NANO
from cosyvoice.nano.export import offer_styles
from rtclient import ServerError, Session, connect
from rtclient.speech import Speech
from rtserver.commands.server import Server
from rtserver.config import ServerConfig

pytestmark = pytest.mark.engine

TEXT = "The lights are off."
UNKNOWN = "Imitate a robot that was built by the sea many years ago."


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The embedded model with its styles offered, whatever the talker makes of their tags."""
    directory = tmp_path / "model"
    shutil.copytree(NANO, directory)
    offer_styles(directory)
    return directory


async def said(session: Session, pieces: bool = False, **options: Any) -> tuple[Speech, bytes]:
    """A text, whole or word by word, and its samples."""
    text = [f"{word} " for word in TEXT.split()] if pieces else TEXT
    speech = session.speak(text, voice="英文女", language="en", seed=5, **options)
    return speech, b"".join([audio.pcm async for audio in speech])


def ids(speech: Speech) -> int:
    assert speech.done is not None
    return speech.done.usage["text_ids"]


def test_an_instruction_is_followed_or_warned_of_and_never_read(model: Path) -> None:
    """One that names no style: a warning, and the text alone, the same whatever the instruction says. One that does: no
    warning, and other speech. Without mode instruct there is none to give."""

    async def scenario() -> None:
        config = ServerConfig(port=0, model=str(model), cache_dir=str(model / "cache"), languages=["en"])
        async with Server.running(config, lambda _: None) as server, connect(server.url) as session:
            plain, _ = await said(session)
            unknown, pcm = await said(session, mode="instruct", instruct_text=UNKNOWN)
            short, expected = await said(session, mode="instruct", instruct_text="Hm.")
            streamed, _ = await said(session, pieces=True, mode="instruct", instruct_text=UNKNOWN)
            for speech in (unknown, short, streamed):
                (warning,) = speech.warnings
                assert warning.code == "unknown_style"
                assert "fast, slow, soft, loud, cheerful, calm" in warning.message
                assert ids(speech) == ids(plain)
            assert np.any(np.frombuffer(pcm, "<i2")) and pcm == expected
            known, styled = await said(session, mode="instruct", instruct_text="Speak very slowly, please.")
            assert known.warnings == [] and ids(known) == ids(plain) and styled != pcm
            with pytest.raises(ServerError, match="expected no instruction"):
                await said(session, instruct_text="slowly")

    asyncio.run(scenario())
