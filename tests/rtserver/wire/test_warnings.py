"""What is not done of what was asked for is told on every way in, and the text is spoken all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rtclient import Session, SpeechWarning, connect
from rtclient.sync import connect as connect_sync
from rtserver.audio.formats import SoundFormat
from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.ipc import engine
from rtserver.ipc.reading import NotAsWritten
from rtserver.messages import wire
from rtserver.metrics.trace import Ring
from rtserver.session.context import Context
from rtserver.session.unspoken import MOST_PLACES, UnspokenWarnings
from tests.rtserver.http.http_client import SAMPLES, TEXT, Answer, ask, file_of, pcm_of, spoken
from tests.rtserver.serving import UNSPOKEN, served
from tests.rtserver.wire.deepgram_client import deepgram_client
from tests.rtserver.wire.tts_client import tts_client

MESSAGE = "instruct_text: expected one that names one of softly, slowly, found none: spoken plainly"
WARNING: dict[str, Any] = {"code": "unknown_style", "message": MESSAGE}
LEFT_OUT = f"one {UNSPOKEN}"
ASKED: dict[str, Any] = {"mode": "instruct", "instruct_text": "Imitate a robot."}
HEEDED: dict[str, Any] = {"mode": "instruct", "instruct_text": "Speak softly."}


def styled() -> FakeEngine:
    """Knows two styles."""
    return FakeEngine(FakeOptions(realtime_factor=0.0, styles=("softly", "slowly")))


def test_a_warning_follows_started() -> None:
    """Of the same context, with a code and the engine's words."""
    request, sound = engine.Open("s.3", "default"), SoundFormat("pcm_s16le", 24000)
    context = Context("a", 3, request, sound, 24000, True, 0.0, Ring().spans_of("s.3"))
    started, warning = context.started(engine.Started("s.3", "v", 5, "no such style"))
    assert isinstance(started, wire.Started) and warning == wire.Warning("a", "unknown_style", "no such style")


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
def test_a_session_is_warned_before_the_first_sound(encoding: Any) -> None:
    """An instruction that the engine does not know is told; known ones and plain speech are not warned of."""

    async def length(session: Session, warnings: list[SpeechWarning], **options: Any) -> int:
        speech = session.speak(TEXT, **options)
        pcm = b""
        async for audio in speech:
            assert speech.warnings == warnings
            pcm += audio.pcm
        return len(pcm)

    async def scenario() -> None:
        async with served(styled()) as server, connect(server.url, encoding=encoding) as session:
            assert await length(session, [SpeechWarning(**WARNING)], **ASKED) == 2 * SAMPLES
            assert await length(session, [], **HEEDED) == await length(session, []) == 2 * SAMPLES
            assert not session.errors

    asyncio.run(scenario())


def test_left_out_characters_are_told_with_their_places() -> None:
    """On every way in: each run of characters, and how many characters of the text come before it."""
    text = f"{UNSPOKEN} One two {UNSPOKEN}{UNSPOKEN} three."
    places = [{"text": UNSPOKEN, "offset": 0}, {"text": 2 * UNSPOKEN, "offset": 10}]

    async def scenario() -> None:
        async with served(styled()) as server:
            async with connect(server.url) as session:
                speech = session.speak(text)
                assert [audio async for audio in speech]
                assert [w.code for w in speech.warnings] == ["unspoken"] * len(speech.warnings)
                assert [place for warning in speech.warnings for place in warning.unspoken] == places
            warnings = (await spoken(server.url, text=text))["warnings"]
            assert [place for warning in warnings for place in warning["unspoken"]] == places
            answer = await ask(f"{server.url}/v1/tts/stream", json={"text": text})
            assert answer.headers["X-Warning"].startswith("unspoken: the model cannot speak")
            async with tts_client(server) as client:
                await client.send(text=text)
                _, done = await client.answer()
                assert [place for warning in done["warnings"] for place in warning["unspoken"]] == places

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "options", "header"),
    [
        ("/v1/audio/speech", {"json": {"model": "tts-1", "voice": "alloy", "input": LEFT_OUT}}, "X-Warning"),
        ("/v1/audio/speech", {"json": {"input": LEFT_OUT, "stream_format": "sse"}}, "X-Warning"),
        ("/v1/speak", {"json": {"text": LEFT_OUT}}, "dg-warnings"),
        ("/v2/speak?model=flux-alexis-en", {"json": {"text": LEFT_OUT}}, "dg-warnings"),
        ("/inference_sft", {"data": {"tts_text": LEFT_OUT, "spk_id": "中文女"}}, "X-Warning"),
    ],
)
def test_the_protocols_of_others_tell_in_a_header(path: str, options: dict[str, Any], header: str) -> None:
    """What is left out, and after how many characters."""

    async def scenario() -> Answer:
        async with served(styled()) as server:
            return await ask(f"{server.url}{path}", **options)

    answer = asyncio.run(scenario())
    assert answer.status == 200
    assert answer.headers[header].startswith("unspoken: ") and answer.headers[header].endswith(" at 4")


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/speak?model=aura-2-thalia-en", "Warning"), ("/v2/speak?model=flux-alexis-en", "Warning")]
)
def test_deepgrams_sockets_tell_in_a_warning(path: str, kind: str) -> None:
    """Before the turn is over."""

    async def scenario() -> None:
        async with served(styled()) as server, deepgram_client(server, path) as client:
            await client.speak(LEFT_OUT)
            await client.send("Flush")
            warning = await client.until(kind)
            assert warning["code"] == "UNSPOKEN" and warning["description"].endswith(" at 4")
            await client.until("Flushed")

    asyncio.run(scenario())


def test_the_socket_of_vllm_omni_tells_in_a_warning() -> None:
    """With the code of the native wire."""

    async def scenario() -> None:
        async with served(styled()) as server, deepgram_client(server, "/v1/audio/speech/stream") as client:
            await client.send("session.config", voice="default")
            await client.send("input.text", text=LEFT_OUT)
            await client.send("input.done")
            warning = await client.until("warning")
            assert warning["code"] == "unspoken" and warning["message"].endswith(" at 4")
            await client.until("session.done")

    asyncio.run(scenario())


def test_the_log_tells_what_came_too_late_for_a_header(caplog: pytest.LogCaptureFixture) -> None:
    """How many characters of an utterance are left out, and where the first ones stand."""
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with served(styled()) as server:
            await ask(f"{server.url}/v1/tts/stream", json={"text": f"one {UNSPOKEN} two {UNSPOKEN * 2}"})

    asyncio.run(scenario())
    (line,) = [record for record in caplog.records if record.message.startswith("characters were left out")]
    assert (vars(line)["characters"], vars(line)["offsets"]) == (3, [4, 10])


def test_left_out_characters_are_told_after_started_and_not_without_end() -> None:
    """A warning waits for `started`; a context has a limited number of places."""
    warnings = UnspokenWarnings("a")
    assert warnings.found([NotAsWritten(3, "☃")]) == []
    (first,) = warnings.started()
    assert (first.code, first.unspoken) == ("unspoken", [wire.Unspoken("☃", 3)])
    (rest,) = warnings.found([NotAsWritten(at, "☃") for at in range(4, 1000)])
    assert rest.unspoken is not None and len(rest.unspoken) == MOST_PLACES - 1
    assert warnings.found([NotAsWritten(1001, "☃")]) == []


def test_a_tag_that_is_not_obeyed_is_told_by_itself() -> None:
    """With its place, and why; characters beside it are told as ever."""
    warnings = UnspokenWarnings("a")
    warnings.started()
    left_out, tag = warnings.found([NotAsWritten(3, "☃"), NotAsWritten(7, "[pause 20s]", "expected at most 10 s")])
    assert (left_out.code, left_out.unspoken) == ("unspoken", [wire.Unspoken("☃", 3)])
    assert left_out.message.endswith(": ☃ at 3")
    assert (tag.code, tag.message) == ("markup", "[pause 20s] at 7: expected at most 10 s")
    assert tag.unspoken == [wire.Unspoken("[pause 20s]", 7)]


def test_the_client_without_async_has_the_warnings_too() -> None:
    """`warnings` of a speech, once it has begun."""

    def client(url: str) -> list[SpeechWarning]:
        with connect_sync(url) as session:
            speech = session.speak(TEXT, **ASKED)
            assert sum(len(audio.pcm) for audio in speech) == 2 * SAMPLES
            return speech.warnings

    async def scenario() -> None:
        async with served(styled()) as server:
            assert await asyncio.to_thread(client, server.url) == [SpeechWarning(**WARNING)]

    asyncio.run(scenario())


def test_an_answer_in_json_has_its_warnings() -> None:
    """None where all was done."""

    async def scenario() -> None:
        async with served(styled()) as server:
            speech = await spoken(server.url, text=TEXT, **ASKED)
            assert speech["warnings"] == [WARNING] and len(pcm_of(file_of(speech))) == 2 * SAMPLES
            assert (await spoken(server.url, text=TEXT, **HEEDED))["warnings"] == []

    asyncio.run(scenario())


@pytest.mark.parametrize(("styles", "told"), [(("softly",), "softly"), (("温柔", "a\nb"), r"\u6e29\u67d4, a b")])
def test_a_stream_has_its_warning_in_a_header(styles: tuple[str, ...], told: str) -> None:
    """In ASCII and on one line, whatever the styles are called."""

    async def scenario() -> Answer:
        options = FakeOptions(realtime_factor=0.0, styles=styles)
        async with served(FakeEngine(options)) as server:
            plain = await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT})
            assert "X-Warning" not in plain.headers
            return await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT, **ASKED})

    answer = asyncio.run(scenario())
    assert answer.headers["X-Warning"] == f"unknown_style: {MESSAGE}".replace("softly, slowly", told)
    assert len(answer.body) == 2 * SAMPLES


def test_the_old_socket_tells_with_done() -> None:
    """Its frames are what they were: `warnings` is a further field, there when there is one."""

    async def scenario() -> None:
        async with served(styled()) as server, tts_client(server) as client:
            await client.send(text=TEXT, **ASKED)
            frames, done = await client.answer()
            assert done.pop("id").startswith("u_")
            assert done == {"done": True, "sample_rate": 24000, "audio_ms": 900, "warnings": [WARNING]}
            assert len(b"".join(frames)) == 2 * SAMPLES
            await client.send(text=TEXT, **HEEDED)
            assert "warnings" not in (await client.answer())[1]

    asyncio.run(scenario())
