"""Sound in other forms on the native wire, and recordings in its messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest

from rtserver.engine.fake import FakeEngine, FakeOptions
from rtserver.messages.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from tests.rtserver.audio.sound import Samples, decoded, decoded_packets, samples_of
from tests.rtserver.http.http_client import SAMPLES, TEXT, NotingEngine, ask
from tests.rtserver.serving import served
from tests.rtserver.uploads.files import sound_file, sweep
from tests.rtserver.wire.native_client import Heard, connected

SUBPROTOCOLS = (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL)
SEED = 1
SAMPLE_BYTES = {"pcm_s16le": 2, "pcm_f32le": 4, "ulaw": 1}
both_subprotocols = pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)


@dataclass(frozen=True)
class Form:
    """What is asked for, what it is called, and how it sounds: late, long: a decoder's own samples before and at most
    after the sound."""

    name: str
    asked_rate: int | None
    told: str
    rate: int
    late: int = 0
    long: int = 0

    def samples_in(self, frame: bytes) -> int:
        """How many a frame stands for; a packet of Opus is 20 ms."""
        return self.rate // 50 if self.told == "opus" else len(frame) // SAMPLE_BYTES[self.told]

    def samples(self, heard: Heard) -> tuple[int, Samples]:
        """The rate and the sound that a decoder finds."""
        if self.told == "opus":
            return 48000, decoded_packets(data for _, _, data in heard.frames)[self.late :]
        if self.told == "ulaw":
            return decoded(heard.sound, "mulaw", 8000)
        return self.rate, samples_of(heard.sound, "<f4" if self.told == "pcm_f32le" else "<i2")


FORMS = [
    Form("pcm_s16le", None, "pcm_s16le", 24000),
    Form("pcm_s16le", 16000, "pcm_s16le", 16000),
    Form("pcm_f32le", None, "pcm_f32le", 24000),
    Form("f32le", 48000, "pcm_f32le", 48000),
    Form("ulaw", None, "ulaw", 8000),
    Form("opus", None, "opus", 24000, late=312, long=960),
    Form("opus", 16000, "opus", 16000, late=312, long=960),
]


@both_subprotocols
@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}-{form.rate}")
def test_every_form_is_told_numbered_and_whole(form: Form, subprotocol: str) -> None:
    """`started` names it; frames count up without a gap and stand where they sound; all of the sound is in them before
    `done`."""

    async def scenario() -> None:
        async with served() as server, connected(server, subprotocol) as client:
            asked = {} if form.asked_rate is None else {"sample_rate": form.asked_rate}
            # The tone's pitch depends on the seed, and Opus at 16 kHz models speech: it keeps the level of few tones.
            await client.send("start", text=TEXT, end=True, format=form.name, seed=SEED, **asked)
            done = await client.until("done")
            heard = client.heard["main"]
            assert (heard.messages[0]["format"], heard.messages[0]["sample_rate"]) == (form.told, form.rate)
            assert [seq for seq, _, _ in heard.frames] == list(range(len(heard.frames)))
            samples_before = 0
            for _, start_ms, data in heard.frames:
                assert start_ms == samples_before * 1000 // form.rate
                samples_before += form.samples_in(data)
            rate, samples = form.samples(heard)
            length = rate * SAMPLES // 24000
            assert done["audio_ms"] == 900 and 0 <= len(samples) - length <= form.long
            assert np.sqrt(np.mean(samples[:length] ** 2)) == pytest.approx(6000 / np.sqrt(2), rel=0.03)

    asyncio.run(scenario())


@both_subprotocols
def test_contexts_of_several_forms_speak_side_by_side(subprotocol: str) -> None:
    """Each context has its own form; a name that is used again has the form of its own start."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.05, hop_s=0.1))
        async with served(engine) as server, connected(server, subprotocol) as client:
            for context, name in (("a", "ulaw"), ("b", "pcm_f32le"), ("c", "pcm_s16le")):
                await client.send("start", context=context, text=TEXT, end=True, format=name)
            for _ in range(3):
                await client.until("done")
            sizes = {context: len(client.heard[context].sound) for context in ("a", "b", "c")}
            assert sizes == {"a": 7200, "b": 4 * SAMPLES, "c": 2 * SAMPLES}
            client.heard.clear()
            await client.send("start", context="a", text=TEXT, end=True)
            await client.until("done", "a")
            assert len(client.heard["a"].sound) == 2 * SAMPLES

    asyncio.run(scenario())


@both_subprotocols
def test_a_cancelled_context_leaves_nothing_of_its_form(subprotocol: str) -> None:
    """After `cancelled` no packet follows; the same name speaks afresh, numbered from 0, in another form."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3, hop_s=0.1))
        async with served(engine) as server, connected(server, subprotocol) as client:
            await client.send("start", text=TEXT * 10, end=True, format="opus")
            await client.until("audio")
            await client.send("start", text=TEXT, format="ulaw")  # the name is in use
            assert (await client.until("error"))["code"] == "context_exists"
            await client.until("audio")
            await client.send("cancel", context="main")
            await client.until("cancelled")
            assert all(len(data) < 300 for _, _, data in client.heard["main"].frames)
            client.heard.clear()
            await client.send("start", text=TEXT, end=True, format="ulaw")
            await client.until("done")
            assert client.heard["main"].kinds()[0] == "started" and client.heard["main"].frames[0][0] == 0
            assert len(client.heard["main"].sound) == 7200

    asyncio.run(scenario())


# How each container begins, and the samples that its decoder has before and at most after the sound.
CONTAINERS = [
    ("wav", 24000, b"RIFF", 0, 0),
    ("wav", 16000, b"RIFF", 0, 0),
    ("flac", 24000, b"fLaC", 0, 0),
    ("mp3", 24000, b"\xff", 1105, 2 * 1152),
    ("ogg_opus", 24000, b"OggS", 0, 0),
]


@both_subprotocols
@pytest.mark.parametrize(("name", "rate", "begins", "late", "long"), CONTAINERS)
def test_a_container_comes_in_frames(
    name: str, rate: int, begins: bytes, late: int, long: int, subprotocol: str
) -> None:
    """Its header first, its end before `done`: joined, the payloads are what HTTP streams. Frames are numbered,
    stand where they sound, and the first ones come while the engine still speaks."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.0, hop_s=0.1))
        async with served(engine) as server, connected(server, subprotocol) as client:
            asked = {"format": name, "sample_rate": rate, "seed": SEED}
            await client.send("start", text=TEXT * 2, **asked)
            await client.until("audio")
            await client.until("audio")
            assert engine.live == 1
            await client.send("end")
            done = await client.until("done")
            heard = client.heard["main"]
            assert (heard.messages[0]["format"], heard.messages[0]["sample_rate"]) == (name, rate)
            assert heard.frames[0][2].startswith(begins)
            assert [seq for seq, _, _ in heard.frames] == list(range(len(heard.frames)))
            starts = [start_ms for _, start_ms, _ in heard.frames]
            assert starts[0] == 0 and starts == sorted(starts) and 1400 < starts[-1] <= done["audio_ms"] == 1800
            whole = await ask(f"{server.url}/v1/tts/stream", json={"text": TEXT * 2, **asked})
            assert heard.sound == whole.body
            decoded_rate, samples = decoded(heard.sound)
            assert 0 <= len(samples) - late - 2 * SAMPLES * decoded_rate // 24000 <= long

    asyncio.run(scenario())


@both_subprotocols
def test_a_cancel_drops_the_rest_of_a_container(subprotocol: str) -> None:
    """No tail follows `cancelled`; the next context has a header of its own."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3, hop_s=0.1))
        async with served(engine) as server, connected(server, subprotocol) as client:
            await client.send("start", text=TEXT * 10, end=True, format="ogg_opus")
            await client.until("audio")
            await client.send("cancel")
            await client.until("cancelled")
            frames = len(client.heard["main"].frames)
            await client.send("ping", id="after")
            await client.until("pong")
            assert len(client.heard["main"].frames) == frames
            client.heard.clear()
            await client.send("start", text=TEXT, end=True, format="wav")
            await client.until("done")
            assert client.heard["main"].frames[0][2].startswith(b"RIFF")
            assert len(client.heard["main"].sound) == 44 + 2 * SAMPLES

    asyncio.run(scenario())


@both_subprotocols
def test_an_unknown_form_is_refused(subprotocol: str) -> None:
    """`unsupported_format`, and the answer names those that there are."""

    async def scenario() -> None:
        async with served() as server, connected(server, subprotocol) as client:
            await client.send("start", text=TEXT, end=True, format="aiff")
            error = await client.until("error", "main")
            assert error["code"] == "unsupported_format"
            assert all(name in error["message"] for name in ("opus", "mp3", "flac"))

    asyncio.run(scenario())


@pytest.mark.engine
@both_subprotocols
def test_a_recording_is_the_voice(subprotocol: str) -> None:
    """`prompt_audio` (bin in msgpack, base64 in JSON) is decoded, and text after its start waits for it."""

    async def scenario() -> None:
        engine = NotingEngine()
        async with served(engine) as server, connected(server, subprotocol) as client:
            wav = sound_file("wav-16", sweep(0.5))
            await client.send("start", mode="zero_shot", prompt_text="up", prompt_audio=wav)
            await client.send("text", text=TEXT)
            await client.send("end")
            await client.until("done")
            assert client.heard["main"].messages[0]["voice"] == "recording"
            assert len(client.heard["main"].sound) == 2 * SAMPLES
            (request,) = engine.requests
            assert request.prompt_audio is not None and request.prompt_audio.named().seconds == 0.5

    asyncio.run(scenario())


@pytest.mark.engine
@both_subprotocols
def test_a_source_is_said_again_in_any_form(subprotocol: str) -> None:
    """Mode vc over the native wire, as µ-law: as long as its source, without any text."""

    async def scenario() -> None:
        async with served(NotingEngine()) as server, connected(server, subprotocol) as client:
            await client.send("start", mode="vc", source_audio=sound_file("flac-16", sweep(0.5)), format="ulaw")
            done = await client.until("done")
            assert done["audio_ms"] == 500 and len(client.heard["main"].sound) == 4000

    asyncio.run(scenario())


@pytest.mark.engine
@both_subprotocols
@pytest.mark.parametrize("start", [{"prompt_audio": b"noise"}, {"mode": "vc", "source_audio": b"noise"}])
def test_what_is_no_recording_ends_only_its_context(start: dict[str, object], subprotocol: str) -> None:
    """`bad_audio` about that context, whose text is then unknown; others speak on, and the name is free."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server, connected(server, subprotocol) as client:
            await client.send("start", context="other", text=TEXT, end=True)
            await client.send("start", context="bad", **start)
            error = await client.until("error", "bad")
            assert error["code"] == "bad_audio" and not error["retryable"] and "expected" in error["message"]
            await client.send("text", context="bad", text=TEXT)
            assert (await client.until("error", "bad"))["code"] == "unknown_context"
            await client.send("start", context="bad", text=TEXT, end=True)
            await client.until("done", "bad")
            assert "done" in client.heard["other"].kinds()
            assert len(client.heard["other"].sound) == len(client.heard["bad"].sound) == 2 * SAMPLES

    asyncio.run(scenario())


def test_base64_that_is_none_is_a_bad_message() -> None:
    """In JSON a recording that is no base64 is refused before anything is decoded."""

    async def scenario() -> None:
        async with served() as server, connected(server, JSON_SUBPROTOCOL) as client:
            await client.send("start", prompt_audio="not base64!")
            assert (await client.until("error", "main"))["code"] == "bad_message"
            await client.send("start", text=TEXT, end=True)
            await client.until("done", "main")

    asyncio.run(scenario())
