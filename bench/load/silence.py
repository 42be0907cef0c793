"""What happens to a turn when its text stops for a while?

    python -m bench.load.silence --seconds 45 --json silence.json

A context speaks a sentence, gets no text for so long, and goes on with another sentence. It is compared with the same
text and seed without the wait: samples, and the time from the text after the wait to its first sound, beside that of
the first text. The server has its default settings. The exit status is 1 if a sample is more than 67 of 32,768 off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import websockets

from bench.load.server_process import measured_server
from bench.machine import describe_machine

FIRST, SECOND = "Please wait a moment. ", "Thank you for waiting."
MOST_OFF = 67


async def turn(url: str, silence_s: float) -> tuple[bytes, float, float]:
    """The sound of both sentences, and the times to the first sound of each."""
    pcm = bytearray()
    async with websockets.connect(f"{url.replace('http', 'ws', 1)}/v1/speech/realtime", compression=None) as ws:

        async def until(kind: str) -> float:
            """Listens up to a message. Returns the time to the first sound."""
            begun_s, first_s = time.monotonic(), 0.0
            async for told in ws:
                if isinstance(told, bytes):
                    first_s = first_s or time.monotonic() - begun_s
                    pcm.extend(told[12:])
                elif (message := json.loads(told))["type"] == kind:
                    return first_s
                elif message["type"] == "error":
                    raise RuntimeError(f"expected {kind}, found {message}")
            raise RuntimeError(f"expected {kind}, found the end of the socket")

        async def say(*messages: dict[str, Any]) -> None:
            for message in messages:
                await ws.send(json.dumps(message))

        await say({"type": "start", "seed": 5, "language": "en", "text": FIRST}, {"type": "flush"})
        first_s = await until("flushed")
        await asyncio.sleep(silence_s)
        await say({"type": "text", "text": SECOND}, {"type": "end"})
        second_s = await until("done")
        return bytes(pcm), first_s, second_s


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    async with measured_server(None, ["--language", "en"]) as server:
        await turn(server.url, 0.0)  # the first use
        expected, _, _ = await turn(server.url, 0.0)
        pcm, first_s, second_s = await turn(server.url, args.seconds)
    same_length = len(pcm) == len(expected)
    wave, other = (np.frombuffer(sound, "<i2").astype(int) for sound in (pcm, expected))
    found = {
        "machine": describe_machine(), "silence_s": args.seconds, "samples": len(wave), "same_length": same_length,
        "most_off_of_32768": int(np.abs(wave - other).max()) if same_length else None,
        "first_sound_s": round(first_s, 3), "first_sound_after_silence_s": round(second_s, 3),
    }  # fmt: skip
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if same_length and (found["most_off_of_32768"] or 0) <= MOST_OFF else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45.0, help="how long no text comes")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
