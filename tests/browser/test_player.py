"""The JavaScript client's player in Chromium, on a page with a strict Content-Security-Policy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from rtserver.engine.fake import FakeEngine, FakeOptions
from tests.browser.chromium import told_by_page
from tests.npm_package import npm_package
from tests.rtserver.serving import served

pytestmark = pytest.mark.browser

RATE_HZ = 24000
PROGRAM = Path(__file__).parent / "pages" / "player.js"
# Nothing from elsewhere, and no inline script, `blob:` or `data:`. The socket goes to the speech server.
POLICY = "default-src 'none'; script-src 'self'; connect-src 'self' {server}"
PAGE = '<!doctype html><meta charset="utf-8"><script type="module" src="/player.js"></script>'
TWO_PI = 2 * np.pi
# A tone's steepest step from one sample to the next, and what the fade adds to it: a click is larger.
LARGEST_STEP = 0.5 * TWO_PI * 440 / RATE_HZ + 0.5 / (0.005 * RATE_HZ)


async def told(profile: Path) -> Any:
    """What the page finds, with a server that speaks tones."""
    built = await asyncio.to_thread(npm_package)
    async with served(FakeEngine(FakeOptions(realtime_factor=0.3))) as server:
        socket = server.url.replace("http:", "ws:")
        headers = {"Content-Security-Policy": POLICY.format(server=socket)}

        async def page(_: web.Request) -> web.Response:
            return web.Response(text=PAGE, content_type="text/html", headers=headers)

        async def program(_: web.Request) -> web.FileResponse:
            return web.FileResponse(PROGRAM)

        async def settings(_: web.Request) -> web.Response:
            return web.json_response({"server": socket})

        routes = [
            web.get("/", page),
            web.get("/settings", settings),
            web.get("/player.js", program),
            web.static("/rtclient", built / "installed" / "node_modules" / "rtclient" / "dist"),
        ]
        return await told_by_page(routes, profile)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one page finds of all cases."""
    answer: dict[str, Any] = asyncio.run(told(tmp_path_factory.mktemp("profile")))
    assert "error" not in answer, json.dumps(answer)[:2000]
    return answer


def rendered(case: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The samples that the device would get."""
    return np.array(case["samples"])


def tone(samples: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What the page plays."""
    return 0.5 * np.sin(TWO_PI * 440 * np.arange(samples) / RATE_HZ)


def test_no_gap(found: dict[str, Any]) -> None:
    """Sound in pieces of odd lengths, each shortly before it is due: every sample is played, in its place."""
    case = found["pieces"]
    samples = rendered(case)
    length = case["written"]
    assert np.abs(samples[:length] - tone(length)).max() < 1e-6
    assert case["underruns"] == 0 and case["played"] == length


def test_the_end_does_not_click(found: dict[str, Any]) -> None:
    """The last sample fades; then there is silence, and the next take follows at once."""
    case = found["pieces"]
    samples = rendered(case)
    assert np.abs(np.diff(samples)).max() < LARGEST_STEP
    assert not samples[case["written"] + RATE_HZ // 100 :].any()


def test_a_stop_is_silent_within_10_ms(found: dict[str, Any]) -> None:
    """It fades without a click, drops what waits, and tells how much was played."""
    case = found["stop"]
    samples = rendered(case)
    at = round(case["stopped_s"] * RATE_HZ)
    assert np.abs(samples[:at] - tone(at)).max() < 1e-6
    assert samples[at : at + 100].any()
    assert not samples[at + RATE_HZ // 100 :].any()
    assert np.abs(np.diff(samples)).max() < LARGEST_STEP
    assert at < case["played"] <= at + RATE_HZ // 100


def test_sound_that_is_late(found: dict[str, Any]) -> None:
    """It is counted as one underrun, does not click, and goes on where it stopped."""
    case = found["late"]
    samples = rendered(case)
    assert case["underruns"] == 1 and case["played"] == case["written"]
    assert np.abs(np.diff(samples)).max() < LARGEST_STEP
    half = case["written"] // 2
    again = round(case["resumed_s"] * RATE_HZ)
    fade = RATE_HZ // 100
    assert not samples[half + fade : again].any()
    expected = tone(case["written"])[half + fade :]
    assert np.abs(samples[again + fade : again + fade + len(expected)] - expected).max() < 1e-6


def test_takes_follow_each_other(found: dict[str, Any]) -> None:
    """The second begins where the first ends; stopping one that waits leaves the first alone."""
    case = found["takes"]
    samples = rendered(case)
    first, fade = case["first"], RATE_HZ // 100
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    assert np.abs(samples[:first] - tone(first)).max() < 1e-6
    assert first < case["second"] + first <= loud[-1] + fade <= first + case["second"] + 2 * fade


def test_a_speech_of_the_server(found: dict[str, Any]) -> None:
    """It is played to its end without an underrun, and the page knows how much was heard, all along."""
    case = found["speech"]
    assert case["error"] is None
    assert case["underruns"] == 0
    assert case["heard_ms"] == pytest.approx(case["audio_ms"], abs=1)
    positions = case["positions"]
    assert len(positions) > 10 and positions == sorted(positions)


def test_a_speech_is_interrupted(found: dict[str, Any]) -> None:
    """The server is told what was heard, and says which words those are."""
    case = found["interrupted"]
    assert case["cancelled"]["heard_from"] == "reported"
    assert case["cancelled"]["heard_ms"] == pytest.approx(case["heard_ms"], abs=2)
    assert 300 < case["heard_ms"] < case["cancelled"]["sent_ms"]
    assert case["cancelled"]["text_heard"].startswith("one two")


def test_a_cancelled_speech_is_not_heard(found: dict[str, Any]) -> None:
    """Whoever cancels the speech stops its playback, too."""
    assert found["cancelled"] == {"stopped": True, "finished": True}
