"""Do live listeners notice other requests to the server?

    python -m bench.load.disturb --streams 3 --json disturb.json

While streams talk, four things happen for one minute each: nothing; new voices are prepared from their recordings; 200
words of Chinese with numbers come as one message every five seconds; messages of 5 MB come every second. It prints for
each minute: underruns, TTFA, and the worst loop lag of the front, next to that of a loop in a process that does nothing
else. The model is the embedded one with a stand-in for the speaker network, so that voices must be prepared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import torch
import websockets

from bench.load.calls.measuring import Measuring, measure
from bench.load.calls.plan import Workload, closed_loop
from bench.load.calls.report import summarise
from bench.load.server_process import ServerProcess, measured_server
from bench.load.turn import speak, texts
from bench.machine import describe_machine
from bench.model.random_checkpoint import speaker_network
from cosyvoice.models import NANO
from rtclient import ClientError, connect

PHASE_S = 62.0  # longer than the minute for which the server reports the worst lag
NEW_VOICES = ("英文男", "中文男")
TALKERS_VOICES = {"en": ["default"], "zh": ["default"]}
CHINESE_WORDS = 200
CHINESE = "二零二六年第一季度收入为¥1,234,567.89，同比增长12.5%，其中电话客服占3/4，"

# The same measurement in a process that does nothing else. It shows the lag that the machine's own scheduling makes.
BARE_LOOP = """
import asyncio, uvloop
from rtserver.metrics.loop_lag import LoopLag
async def main():
    lag = LoopLag()
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(%g)
    task.cancel()
    print(lag.worst_ms)
uvloop.run(main())
"""

Disturb = Callable[[ServerProcess], Awaitable[str]]


def model_with_unprepared_voices(directory: Path) -> Path:
    """The embedded checkpoint without two of its stored voices, and with a network that could encode them."""
    shutil.copytree(NANO, directory, dirs_exist_ok=True)
    voices = torch.load(directory / "spk2info.pt", weights_only=True)
    for name in NEW_VOICES:
        del voices[name]
    torch.save(voices, directory / "spk2info.pt")
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    return directory


async def nothing(server: ServerProcess) -> str:
    """Does nothing. The other minutes are compared with this one."""
    return ""


async def new_voices(server: ServerProcess) -> str:
    """Speaks with voices that were never used. Their first sound waits for the preparer; other streams must not
    wait."""
    waits = []
    async with connect(server.url) as session:
        for name in NEW_VOICES:
            start_s = time.monotonic()
            turn = await speak(session, "Hello.", tokens_per_s=30, voice=name, language="en")
            waits.append(f"{name} after {(turn.first_audio_s or 0) - start_s:.1f} s")
    return "spoke with " + ", ".join(waits)


async def long_chinese(server: ServerProcess) -> str:
    """Sends texts that take long to read, and cancels each when it has been read."""
    text = (CHINESE * CHINESE_WORDS)[: 2 * CHINESE_WORDS]
    count = 0
    async with connect(server.url) as session:
        while True:
            speech = session.speak(text, language="zh", service_class="batch")
            await asyncio.sleep(5)
            await speech.cancel()
            count += 1
            if count * 5 >= PHASE_S - 10:
                return f"read {count} texts of {len(text)} characters"


async def large_messages(server: ServerProcess) -> str:
    """Sends messages that are too large. The server closes each socket when it has read the length."""
    refused = 0
    socket = f"{server.url.replace('http', 'ws')}/v1/realtime"
    message = json.dumps({"type": "text", "text": "a" * 5_000_000})
    for _ in range(int(PHASE_S) - 10):
        with contextlib.suppress(websockets.ConnectionClosed):
            async with websockets.connect(socket, compression=None) as ws:
                await ws.recv()
                await ws.send(message)
                await ws.recv()
        refused += ws.close_code in (1009, 1006)
        await asyncio.sleep(1)
    return f"{refused} messages of 5 MB refused"


async def phase(server: ServerProcess, streams: int, disturb: Disturb) -> dict[str, Any]:
    """Measures one minute."""
    plan = closed_loop(Workload(warm_up_s=0.0, seconds=PHASE_S), streams, TALKERS_VOICES)
    bare = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BARE_LOOP % (PHASE_S - 2), stdout=asyncio.subprocess.PIPE
    )
    talking = asyncio.create_task(measure(server, plan, Measuring()))
    try:
        said = await disturb(server)
    except ClientError as error:
        said = f"failed: {error}"
    figures = summarise(await talking)
    bare_lag_ms = round(float((await bare.communicate())[0]), 2)
    return figures | {"disturbance": said, "bare_loop_lag_ms": bare_lag_ms}


async def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = model_with_unprepared_voices(Path(folder) / "model")
        arguments = ["--model", str(model), "--cache-dir", f"{folder}/cache"]
        async with measured_server(None, arguments) as server, connect(server.url) as session:
            for language, name in (("en", "english"), ("zh", "mandarin")):
                await speak(session, texts(name)[0], tokens_per_s=30, language=language)
            for disturb in (nothing, new_voices, long_chinese, large_messages):
                figures = await phase(server, args.streams, disturb)
                results[disturb.__name__] = figures
                print(
                    f"{disturb.__name__:15s} underruns {figures['underrun_turns']} of {figures['turns']} turns, "
                    f"{figures['underrun_s']:.2f} s; TTFA p95 {figures['ttfa_ms']['p95']:.0f} ms; worst loop lag "
                    f"{figures['server_lag_ms']:.1f} ms (a bare loop's {figures['bare_loop_lag_ms']:.1f}); "
                    f"{figures['disturbance']}",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "results": results}, indent=1))
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(asyncio.run(main(parser.parse_args())))
