"""What people do in the console, in a real Chromium, against a running server that makes tones."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import FilePayload, Locator, expect

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.browser.console_page import Console, console
from tests.rtserver.http.http_client import NotingEngine
from tests.rtserver.serving import Served, served, served_again

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SENTENCE = "one two three four"
SENTENCE_S = 0.9


@contextlib.asynccontextmanager
async def opened(**settings: Any) -> AsyncIterator[tuple[Console, Served]]:
    """The console of a server that makes tones, a little faster than they sound."""
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3)), **settings) as server, console(server.url) as page:
        yield page, server


def takes(page: Console) -> Locator:
    """What was spoken, the newest first."""
    return page.page.get_by_role("region", name="Takes").get_by_role("listitem")


async def speak(page: Console, text: str = SENTENCE) -> Locator:
    """Speaks a text in the view Speak. Returns its take."""
    await page.page.get_by_label("Text", exact=True).fill(text)
    await page.page.get_by_role("button", name="Speak", exact=True).click()
    return takes(page).filter(has_text=text).first


async def saved(page: Console, take: Locator, form: str) -> bytes:
    """A take as a file."""
    async with page.page.expect_download() as download:
        await take.get_by_label(re.compile("^Save take")).select_option(form)
    path = Path(await (await download.value).path())
    return await asyncio.to_thread(path.read_bytes)


def recording(seconds: float = 3.0) -> bytes:
    """A WAV file of a tone."""
    samples = 8000 * np.sin(np.arange(round(24000 * seconds)) * 0.05)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(24000)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


async def upload(page: Console, seconds: float = 3.0) -> None:
    file = FilePayload(name="me.wav", mimeType="audio/wav", buffer=recording(seconds))
    await page.page.locator('input[type="file"]').set_input_files([file])
    await expect(page.page.get_by_text(f"me.wav, {seconds:.1f} s")).to_be_visible()


def test_a_newcomer_opens_the_page_and_speaks() -> None:
    """One click: the text is there already. The sound is played to its end, and nothing leaves this machine."""

    async def scenario() -> None:
        async with opened() as (page, server):
            await page.page.get_by_role("button", name="Speak", exact=True).click()
            take = takes(page).filter(has_text="Hello!")
            await expect(take.get_by_text("First audio")).to_be_visible()
            await expect(page.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
            await expect(page.page.get_by_role("button", name="Speak", exact=True)).to_be_visible()
            assert await take.get_by_text(re.compile("gap")).count() == 0
            away = [url for url in page.requests if not url.startswith((server.url, "ws" + server.url[4:], "blob:"))]
            assert page.errors == [] and away == []

    asyncio.run(scenario())


def test_a_take_is_saved_in_every_format() -> None:
    """The WAV file has the samples that were spoken; the others are not empty."""

    async def scenario() -> None:
        async with opened() as (page, _):
            take = await speak(page)
            await expect(take.get_by_label(re.compile("^Save take"))).to_be_enabled()
            with wave.open(io.BytesIO(await saved(page, take, "wav"))) as file:
                assert file.getnframes() == round(SENTENCE_S * file.getframerate())
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            assert np.abs(samples).max() > 3000
            for form in ("flac", "mp3", "ogg_opus", "aac", "pcm_s16le"):
                assert len(await saved(page, take, form)) > 1500, form
            assert page.errors == []

    asyncio.run(scenario())


def test_the_settings_reach_the_server() -> None:
    """Voice, speed and seed; from the keyboard alone."""

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server, console(server.url) as page:
            await page.page.get_by_label("Text", exact=True).fill(SENTENCE)
            await page.page.get_by_text("Settings", exact=True).press("Enter")
            await page.page.get_by_label("Seed", exact=True).fill("41")
            await page.page.get_by_role("slider", name=re.compile("^Speed")).fill("1.5")
            await page.page.get_by_role("radio", name=re.compile("英文男")).check()
            await page.page.get_by_label("Text", exact=True).press("Control+Enter")
            await expect(takes(page).get_by_text("41", exact=True)).to_be_visible()
            request = engine.requests[-1]
            assert (request.voice, request.speed, request.seed) == ("英文男", 1.5, 41)

    asyncio.run(scenario())


def test_a_voice_is_cloned_from_a_file_and_from_the_microphone() -> None:
    """The recording reaches the engine with as many seconds as the page says."""

    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server, console(server.url) as page:
            await page.page.get_by_text("Clone", exact=True).click()
            await upload(page)
            await speak(page)
            await expect(takes(page).get_by_text("First audio")).to_be_visible()
            prompt = engine.requests[-1].prompt_audio
            assert prompt is not None and prompt.seconds == pytest.approx(3.0)
            await page.page.get_by_text("Microphone", exact=True).click()
            await page.page.get_by_role("button", name="Record", exact=True).click()
            await expect(page.page.get_by_role("meter").or_(page.page.get_by_text("Good level."))).not_to_have_count(0)
            await page.page.wait_for_timeout(2500)
            await page.page.get_by_role("button", name="Finish", exact=True).click()
            told = await page.page.get_by_text(re.compile(r"^microphone, \d")).inner_text()
            await page.page.get_by_role("button", name="Speak", exact=True).click()
            await expect(takes(page)).to_have_count(2)
            await expect(takes(page).first.get_by_text("First audio")).to_be_visible()
            prompt = engine.requests[-1].prompt_audio
            assert prompt is not None and f"microphone, {prompt.seconds:.1f} s" == told and prompt.seconds > 1.5
            assert page.errors == []

    asyncio.run(scenario())


def test_a_recording_is_said_again_in_another_voice() -> None:
    async def scenario() -> None:
        engine = NotingEngine(FakeOptions(realtime_factor=0.3))
        async with served(engine) as server, console(server.url) as page:
            await page.page.get_by_text("Convert", exact=True).click()
            await page.page.get_by_role("button", name="Convert", exact=True).click()
            await expect(page.page.get_by_text("Choose the recording to say again first.")).to_be_visible()
            await upload(page, 2.0)
            await page.page.get_by_role("button", name="Convert", exact=True).click()
            await expect(takes(page).get_by_text("2.00 s", exact=True)).to_be_visible()
            source = engine.requests[-1].source_audio
            assert engine.requests[-1].mode == "vc" and source is not None and source.seconds == pytest.approx(2.0)

    asyncio.run(scenario())


def test_text_that_is_typed_is_spoken_while_it_is_typed_and_is_interrupted() -> None:
    """The page tells what was heard: a beginning of what was sent."""

    async def scenario() -> None:
        async with opened() as (page, _):
            await page.show("live")
            text = page.page.get_by_label(re.compile("^Type here"))
            await text.press_sequentially("one two three ", delay=30)
            await expect(page.page.get_by_text("First audio")).to_be_visible()
            await text.press_sequentially("four five six seven eight nine ten ", delay=10)
            await expect(page.page.locator("mark")).not_to_have_text("")
            await page.page.get_by_role("button", name="Interrupt", exact=True).click()
            heard = await page.page.locator("q").inner_text()
            sent = await page.page.get_by_label("Text that was sent").inner_text()
            assert heard.strip() and sent.startswith(heard.strip()) and len(heard) < len(sent)
            assert page.errors == []

    asyncio.run(scenario())


def test_demo_texts_stream_side_by_side() -> None:
    """Each lane has its own sound; all are stopped at once."""

    async def scenario() -> None:
        async with opened() as (page, _):
            await page.show("live")
            await page.page.get_by_role("button", name="Add a lane").click()
            await page.page.get_by_role("button", name="Start all").click()
            await expect(page.page.get_by_text("First audio")).to_have_count(2)
            await page.page.get_by_role("button", name="Interrupt all").click()
            await expect(page.page.get_by_text(re.compile("^Interrupted after"))).to_have_count(2)
            assert page.errors == []

    asyncio.run(scenario())


def test_a_key_is_asked_for_and_kept_for_this_tab_only() -> None:
    async def scenario() -> None:
        async with opened(api_keys=["right"]) as (page, _):
            await expect(page.page.get_by_role("heading", name="This server wants a key")).to_be_visible()
            key = page.page.get_by_label("Key", exact=True).and_(page.page.locator("input"))
            await key.fill("wrong")
            await page.page.get_by_role("button", name="Use this key").click()
            await expect(page.page.get_by_text("The server does not know this key.")).to_be_visible()
            await key.fill("right")
            await page.page.get_by_role("button", name="Use this key").click()
            take = await speak(page)
            await expect(take.get_by_text("First audio")).to_be_visible()
            kept = "JSON.stringify([Object.values(sessionStorage), Object.values(localStorage)])"
            session, local = await page.page.evaluate(f"JSON.parse({kept})")
            assert "right" in str(session) and "right" not in str(local)

    asyncio.run(scenario())


def test_an_overload_is_told_in_words() -> None:
    async def scenario() -> None:
        async with opened(max_streams=1) as (page, _):
            await page.show("live")
            await page.page.get_by_role("button", name="Add a lane").click()
            await page.page.get_by_role("button", name="Start all").click()
            await expect(page.page.get_by_text("All places are taken")).to_be_visible()
            await expect(page.page.get_by_text(re.compile("^Try again in"))).to_be_visible()

    asyncio.run(scenario())


def test_the_page_comes_back_after_a_restart_in_mid_sentence() -> None:
    """It says that the connection is lost, connects by itself, and speaks again."""

    async def scenario() -> None:
        engine = FakeEngine(FakeOptions(realtime_factor=1.0))
        async with served(engine) as first, console(first.url) as page:
            await page.show("live")
            await page.page.get_by_role("button", name="Stream the demo text").click()
            await expect(page.page.get_by_text("First audio")).to_be_visible()
            first.app.tell_shutdown(deadline=True)
            await first.runner.cleanup()
            await expect(page.page.get_by_role("alert").first).to_be_visible()
            await expect(page.page.get_by_text("Not reachable")).to_be_visible()
            async with served_again(first):
                await expect(page.page.get_by_text("Ready")).to_be_visible()
                await page.page.get_by_role("button", name="Stream the demo text").click()
                await expect(page.page.get_by_text("First audio")).to_be_visible()
                await expect(page.page.get_by_role("alert")).to_have_count(0)

    asyncio.run(scenario())


def test_the_operator_sees_who_is_speaking() -> None:
    """In the view Status, while it goes on."""

    async def scenario() -> None:
        async with opened() as (page, _):
            await page.show("live")
            await page.page.get_by_role("button", name="Stream the demo text").click()
            told = page.page.get_by_text(re.compile("^u_"))
            await expect(told).to_be_visible()
            utterance = await told.inner_text()
            await page.show("status")
            await expect(page.page.get_by_role("heading", name="Speaking now: 1")).to_be_visible()
            await expect(page.page.get_by_role("row").filter(has_text=utterance)).to_be_visible()
            assert page.errors == []

    asyncio.run(scenario())
