"""Recordings that are refused over HTTP: paths that lead where they should not, and what is no recording."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Any, NoReturn

import pytest

from rtserver.uploads.errors import UploadError
from rtserver.uploads.worker import DecodeWorkers
from tests.rtserver.http.http_client import TEXT, NotingEngine, ask, base64_of, multipart, spoken
from tests.rtserver.serving import eventually, served
from tests.rtserver.uploads.files import film, sound_file, sweep

BAD = (400, "bad_audio")
UPLOAD_BYTES = 60_000


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to read from, beside what is not to be read."""
    wav = sound_file("wav-16", sweep(0.5))
    (tmp_path / "secret.wav").write_bytes(wav)
    (tmp_path / "voices2").mkdir()
    (tmp_path / "voices2" / "near.wav").write_bytes(wav)
    voices = tmp_path / "voices"
    (voices / "inner").mkdir(parents=True)
    (voices / "good.wav").write_bytes(wav)
    (voices / "large.wav").write_bytes(wav + bytes(UPLOAD_BYTES))
    (voices / "notes.wav").write_text("nothing that sounds")
    (voices / "empty.wav").touch()
    (voices / "link.wav").symlink_to(tmp_path / "secret.wav")
    (voices / "way").symlink_to(tmp_path)
    os.mkfifo(voices / "pipe.wav")
    return voices


def attacks(folder: Path) -> dict[str, str]:
    """Paths by what they try."""
    return {
        "up": "../secret.wav",
        "up from inside": "inner/../../secret.wav",
        "up in full": f"{folder}/../secret.wav",
        "outside": str(folder.parent / "secret.wav"),
        "a folder whose name begins alike": f"{folder}2/near.wav",
        "the system's files": "/etc/passwd",
        "the environment": "/proc/self/environ",
        "memory": "/proc/self/mem",
        "a device": "/dev/zero",
        "a link out": "link.wav",
        "through a linked folder": "way/secret.wav",
        "a fifo": "pipe.wav",
        "a folder": "inner",
        "the folder itself": str(folder),
        "no such file": "nothing.wav",
        "a doubled slash": "inner//../good.wav",
        "a zero": "good.wav\0.txt",
        "a very long path": "x/" * 3000,
        "a very long name": "x" * 300,
        "a URL": "file:///etc/passwd",
        "a home": "~/secret.wav",
        "no recording": "notes.wav",
        "nothing in it": "empty.wav",
        "more than an upload": "large.wav",
    }


@pytest.mark.engine
def test_no_path_leads_out_of_the_folders(folder: Path) -> None:
    """Whatever a path tries is `bad_audio`, as a prompt and as a source, and tells nothing of what lies there."""

    async def scenario() -> None:
        async with served(NotingEngine(), audio_folders=[str(folder)], upload_bytes=UPLOAD_BYTES) as server:
            url, tried = f"{server.url}/v1/tts", attacks(folder)
            found, texts = {}, ""
            for what, path in tried.items():
                prompt = await ask(url, json={"text": TEXT, "prompt_wav_path": path})
                source = await ask(url, json={"mode": "vc", "source_wav_path": path})
                found[what] = [prompt.refused, source.refused]
                texts += prompt.json["error"]["message"]
            assert found == {what: [BAD, BAD] for what in tried}
            assert "root:" not in texts and "PATH=" not in texts
            assert (await spoken(server.url, text=TEXT, prompt_wav_path="good.wav"))["voice"] == "recording"

    asyncio.run(scenario())


def test_without_folders_no_path_is_read(folder: Path) -> None:
    """A server that was given no folders reads none, and says so."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server:
            for path in (str(folder / "good.wav"), "good.wav", "/etc/passwd"):
                answer = await ask(f"{server.url}/v1/tts", json={"text": TEXT, "prompt_wav_path": path})
                assert answer.refused == BAD and "no folders" in answer.json["error"]["message"]
            assert (await spoken(server.url, text=TEXT))["voice"] != "recording"

    asyncio.run(scenario())


def fields_that_are_refused(wav: str) -> dict[str, tuple[dict[str, Any], tuple[int, str]]]:
    """Requests in JSON by what is wrong with them."""
    text = {"text": TEXT}
    return {
        "no base64": (text | {"prompt_audio": "not base64!"}, BAD),
        "cut base64": (text | {"prompt_audio": wav[:-1]}, BAD),
        "base64 with spaces": (text | {"prompt_audio": wav[:80] + "\n" + wav[80:]}, BAD),
        "half a data URL": (text | {"prompt_audio": "data:audio/wav;base64"}, BAD),
        "a URL": (text | {"prompt_audio": "https://example.org/me.wav"}, BAD),
        "text": (text | {"prompt_audio": base64_of(b"nothing that sounds")}, BAD),
        "a header alone": (text | {"prompt_audio": base64_of(b"RIFF\0\0\0\0WAVE")}, BAD),
        "pictures": (text | {"prompt_audio": base64_of(film(1))}, BAD),
        "more than an upload": (text | {"prompt_audio": base64_of(bytes(UPLOAD_BYTES + 1))}, BAD),
        "a number": (text | {"prompt_audio": 5}, (400, "bad_message")),
        "path and recording": (text | {"prompt_audio": wav, "prompt_wav_path": "good.wav"}, (400, "bad_message")),
        "a source without vc": (text | {"source_audio": wav}, (400, "bad_message")),
        "a source path without vc": (text | {"source_wav_path": "good.wav"}, (400, "bad_message")),
        "vc with a text": (text | {"mode": "vc", "source_audio": wav}, (400, "bad_message")),
        "vc with a prompt alone": ({"mode": "vc", "prompt_audio": wav}, (400, "bad_message")),
    }


@pytest.mark.engine
def test_recordings_that_cannot_be_are_refused(folder: Path) -> None:
    """In JSON: each with its status and code; afterwards a recording is taken."""

    async def scenario() -> None:
        async with served(NotingEngine(), audio_folders=[str(folder)], upload_bytes=UPLOAD_BYTES) as server:
            wav = base64_of(sound_file("wav-16", sweep(0.5)))
            rows = fields_that_are_refused(wav)
            found = {}
            for what, (fields, _) in rows.items():
                found[what] = (await ask(f"{server.url}/v1/tts", json=fields)).refused
            assert found == {what: expected for what, (_, expected) in rows.items()}
            assert (await spoken(server.url, text=TEXT, prompt_audio=wav))["voice"] == "recording"

    asyncio.run(scenario())


@pytest.mark.engine
def test_files_that_cannot_be_are_refused() -> None:
    """In a multipart form: each with its status and code; afterwards a file is taken."""
    wav = sound_file("wav-16", sweep(0.5))
    rows: dict[str, tuple[tuple[tuple[str, str | None, bytes], ...], tuple[int, str]]] = {
        "random bytes": ((("prompt_wav", "me.wav", random.Random(5).randbytes(5000)),), BAD),
        "an empty file": ((("prompt_wav", "me.wav", b""),), BAD),
        "more than an upload": ((("prompt_wav", "me.wav", wav + bytes(UPLOAD_BYTES)),), (413, "message_too_big")),
        "two files for one": (
            (("prompt_wav", "a.wav", wav), ("prompt_audio", "b.wav", wav)),
            (400, "bad_message"),
        ),
        "a file and base64": (
            (("prompt_wav", "a.wav", wav), ("prompt_audio", None, base64_of(wav).encode())),
            (400, "bad_message"),
        ),
        "a file and a path": (
            (("prompt_wav", "a.wav", wav), ("prompt_wav_path", None, b"good.wav")),
            (400, "bad_message"),
        ),
        "a file under an unknown name": ((("voice", "a.wav", wav),), (400, "bad_message")),
        "a source without vc": ((("source_wav", "a.wav", wav),), (400, "bad_message")),
    }

    async def scenario() -> None:
        async with served(NotingEngine(), upload_bytes=UPLOAD_BYTES) as server:
            found = {}
            for what, (parts, _) in rows.items():
                found[what] = (await ask(f"{server.url}/v1/tts", data=multipart({"text": TEXT}, *parts))).refused
            assert found == {what: expected for what, (_, expected) in rows.items()}
            answer = await ask(f"{server.url}/v1/tts", data=multipart({"text": TEXT}, ("prompt_wav", "me.wav", wav)))
            assert answer.status == 200 and answer.json["voice"] == "recording"

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_hundred_uploads_of_random_bytes_leave_nothing() -> None:
    """All are `bad_audio`; neither files, nor tasks, nor processes are left of them."""
    draw = random.Random(7)
    heads = [b"", b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xf1", b"\x1aE\xdf\xa3", b"\0\0\0\x20ftypM4A "]
    uploads = [draw.choice(heads) + draw.randbytes(draw.randrange(1, 4000)) for _ in range(100)]

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server:
            url = f"{server.url}/v1/tts"
            for data in (b"first", *uploads):
                answer = await ask(url, json={"text": TEXT, "prompt_audio": base64_of(data)})
                assert answer.refused == BAD
                if data == b"first":
                    tasks, files = len(asyncio.all_tasks()), open_files()
            await eventually(lambda: len(asyncio.all_tasks()) <= tasks and open_files() <= files)
            assert not engine.requests and not server.app.connections
            assert (await spoken(server.url, text=TEXT))["performance"]["audio_s"] == 0.9

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/v1/tts", {"text": TEXT, "speed": "9"}, 400),
        ("/v1/tts/stream", {"text": TEXT, "mode": "opera"}, 400),
        ("/v1/audio/speech", {"input": TEXT, "language": "xx"}, 400),
        ("/inference_zero_shot", {"tts_text": TEXT, "prompt_text": "x" * 501}, 422),
    ],
)
def test_what_can_be_refused_is_not_decoded(
    path: str, fields: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one decoder for all: it does not work for what is refused whatever the recording is."""

    decoded: list[object] = []

    async def decode(_workers: object, data: bytes, *_: object) -> NoReturn:
        decoded.append(data)
        raise UploadError("decoded")

    monkeypatch.setattr(DecodeWorkers, "decode", decode)

    async def scenario() -> None:
        async with served(NotingEngine()) as server:
            file = ("ref_audio" if "input" in fields else "prompt_wav", "a.wav", b"RIFF")
            answer = await ask(f"{server.url}{path}", data=multipart(fields, file))
            assert answer.status == status and b"decoded" not in answer.body and not decoded
            kept = {name: value[:50] for name, value in fields.items() if "text" in name or name == "input"}
            answer = await ask(f"{server.url}{path}", data=multipart(kept, file))
            assert b"decoded" in answer.body and len(decoded) == 1

    asyncio.run(scenario())
