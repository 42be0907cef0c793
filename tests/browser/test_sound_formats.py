"""What a browser reads of each container, whole and as it is streamed: decodeAudioData and an audio element."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from rtserver.audio.formats import check_format
from tests.browser.chromium import told_by_page
from tests.rtserver.audio.test_readers import CONTAINERS, RATE_HZ, spoken

pytestmark = pytest.mark.browser

# The browser waits for the end of a sound that is shorter than its buffer. Of noise no format makes little.
LENGTHS_S = {"whole": 2, "streamed": 20}
# The page plays faster, so that the test is short. No sound card is needed: the sound is muted.
PAGE = """
<script>
const found = {};
async function decoded(url) {
  const context = new OfflineAudioContext(1, 1, 24000);
  const data = await (await fetch(url)).arrayBuffer();
  return (await context.decodeAudioData(data)).duration;
}
function played(url) {
  return new Promise((resolve, reject) => {
    const audio = new Audio(url);
    let first = null;
    audio.playbackRate = audio.defaultPlaybackRate = 4;
    audio.onloadedmetadata = () => { first = String(audio.duration); };
    audio.onended = () => resolve([first, audio.duration, audio.currentTime]);
    audio.onerror = () => reject(audio.error.message);
    audio.play();
  });
}
async function told(work) {
  try { return await work; } catch (error) { return String(error); }
}
(async () => {
  for (const url of URLS) {
    found[url] = {decoded: await told(decoded(url)), played: await told(played(url))};
  }
  await fetch("/told", {method: "POST", body: JSON.stringify(found)});
})();
</script>
"""


async def read_in_chromium(sounds: dict[str, bytes], types: dict[str, str], profile: Path) -> dict[str, Any]:
    """What the page finds. A name that ends in "streamed" is sent in pieces, without a length."""

    async def page(request: web.Request) -> web.Response:
        text = PAGE.replace("URLS", json.dumps([f"/sound/{name}" for name in sounds]))
        return web.Response(text=text, content_type="text/html")

    async def sound(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        headers = {"Content-Type": types[name]}
        if not name.endswith("streamed"):
            return web.Response(body=sounds[name], headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        half = len(sounds[name]) // 2
        await response.write(sounds[name][:half])
        await asyncio.sleep(0.5)  # the browser tells a duration before the rest comes
        await response.write(sounds[name][half:])
        return response

    found: dict[str, Any] = await told_by_page([web.get("/", page), web.get("/sound/{name}", sound)], profile)
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one page finds of all sounds."""
    sounds, types = {}, {}
    for container in CONTAINERS:
        for way, length_s in LENGTHS_S.items():
            noise = np.random.default_rng(1).integers(-9000, 9000, length_s * RATE_HZ).astype("<i2")
            sounds[f"{container}-{way}"] = spoken(container, way, noise.tobytes())
            types[f"{container}-{way}"] = check_format(container, None, RATE_HZ).media_type
    return asyncio.run(read_in_chromium(sounds, types, tmp_path_factory.mktemp("profile")))


@pytest.mark.parametrize("way", LENGTHS_S)
@pytest.mark.parametrize("container", CONTAINERS)
def test_a_browser_decodes_each_container(found: dict[str, Any], container: str, way: str) -> None:
    """To its end, whatever its header says. MP3 and AAC add their delays."""
    decoded_s = found[f"/sound/{container}-{way}"]["decoded"]
    assert decoded_s == pytest.approx(LENGTHS_S[way], abs=0.07 if container in ("mp3", "aac") else 0.001)


@pytest.mark.parametrize("way", LENGTHS_S)
@pytest.mark.parametrize("container", CONTAINERS)
def test_an_audio_element_plays_each_container(found: dict[str, Any], container: str, way: str) -> None:
    """It begins before the end has come, without a duration, and knows the duration at the end. The duration of a whole
    Ogg file is on the last page, which has come by then or not."""
    first, duration_s, played_s = found[f"/sound/{container}-{way}"]["played"]
    known, unknown = pytest.approx(LENGTHS_S[way], abs=0.07), float("inf")
    if way == "streamed":
        assert float(first) == unknown
    elif container == "ogg_opus":
        assert float(first) in (known, unknown)
    else:
        assert float(first) == known
    assert duration_s == played_s == pytest.approx(LENGTHS_S[way], abs=0.1)
