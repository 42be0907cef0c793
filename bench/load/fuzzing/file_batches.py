"""Batches of uploads: recordings of five kinds whose bytes were changed, sent in forms and in base64."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from functools import cache
from random import Random

import aiohttp
import av
import numpy as np
import soundfile

from rtserver.messages import wire

FILES = 10
ANSWER_S = 120.0
KINDS = ("wav", "flac", "mp3", "ogg", "m4a")
_RATE_HZ = 24_000
# Names and sizes in the headers of these formats.
_WORDS = (b"RIFF", b"WAVE", b"fmt ", b"data", b"fLaC", b"OggS", b"ftyp", b"moov", b"mdat", b"ID3", b"stsz", b"esds")
_NUMBERS = (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\x00\x00\x00")


@cache
def recording(kind: str) -> bytes:
    """A recording of a second and a half that can be decoded."""
    t = np.arange(int(1.5 * _RATE_HZ)) / _RATE_HZ
    wave = (0.4 * np.sin(2 * np.pi * (150 * t + 200 * t * t))).astype(np.float32)
    buffer = io.BytesIO()
    if kind != "m4a":
        subtype = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}[kind]
        soundfile.write(buffer, wave, _RATE_HZ, format=kind.upper(), subtype=subtype)
        return buffer.getvalue()
    with av.open(buffer, "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=_RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = _RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return buffer.getvalue()


def changed(rng: Random) -> tuple[str, bytes]:
    """The kind of a recording, and its bytes after some changes."""
    kind = rng.choice(KINDS)
    data = bytearray(recording(kind))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 4, 8))):
        # Most that decides is in the first bytes, in m4a also in the last.
        near = rng.choice((64, 512, 4096, len(data)))
        at = rng.randrange(max(1, min(near, len(data)))) if rng.random() < 0.8 else max(0, len(data) - 1 - near)
        match rng.randrange(8):
            case 0 | 1:
                data[at : at + 1] = rng.randbytes(1)
            case 2:
                data[at : at + 4] = rng.choice(_NUMBERS)
            case 3:
                del data[at : at + rng.choice((1, 4, 100, 5000))]
            case 4:
                data[at:at] = rng.choice((rng.randbytes(rng.choice((1, 16, 3000))), rng.choice(_WORDS)))
            case 5:
                data[at:at] = data[at : at + rng.choice((8, 1000, 20_000))]
            case 6:
                other = recording(rng.choice(KINDS))
                data[at : at + 500] = other[:500]
            case _:
                del data[at + 40 :]
    return kind, bytes(data)


class FileBatches:
    """Each file is the voice prompt or the source of a request for speech."""

    items_per_batch = FILES

    def __init__(self, port: int, seed: int, key: str | None) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/tts"
        self._seed = seed
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def run(self, batch: int, items: int) -> tuple[Counter[str], list[str]]:
        """One file after the other."""
        rng = Random(f"{self._seed} files {batch}")
        answers: Counter[str] = Counter()
        problems: list[str] = []
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as http:
            for number in range(items):
                kind, data = changed(rng)
                what = rng.choice(("prompt", "source"))
                fields = {"text": "Hello.", "mode": "zero_shot"} if what == "prompt" else {"mode": "vc"}
                in_base64 = rng.random() < 0.3
                try:
                    answer, told = await self._send(http, fields, what, data, in_base64=in_base64)
                except (aiohttp.ClientError, TimeoutError) as error:
                    answer, told = type(error).__name__, repr(error)
                answers[f"{kind}: {answer}"] += 1
                if not answer.startswith(("200", "400 bad_audio", "400 bad_message", "413", "429", "503 overloaded")):
                    problems.append(f"file {number} ({kind}): {answer} {told[:300]}")
        return answers, problems

    async def _send(
        self, http: aiohttp.ClientSession, fields: dict[str, str], what: str, data: bytes, *, in_base64: bool
    ) -> tuple[str, str]:
        """Status with the error's code, and the answer's text."""
        if in_base64:
            body = json.dumps(fields | {f"{what}_audio": base64.b64encode(data).decode()}).encode()
            sending = http.post(self._url, data=body, headers={"Content-Type": "application/json"})
        else:
            form = aiohttp.FormData(fields)
            form.add_field(f"{what}_wav", data, filename="a.bin")
            sending = http.post(self._url, data=form)
        async with sending as answer:
            text = await answer.text()
            if answer.status == 200:
                return "200", ""
            code = json.loads(text)["error"]["code"]
            return f"{answer.status} {code}" + ("" if code in wire.CODES else " internal"), text
