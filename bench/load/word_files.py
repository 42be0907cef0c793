"""How many files of the server does a word pass through, and how many objects hand it on?

    python -m bench.load.word_files [--root DIR] [--json FILE]

Starts the server of a checkout with a tracer in each of its processes, speaks one utterance word by word on the native
wire, and prints the files of `rtserver` that ran a function from the first word to `done`. Files that are only
imported do not count, nor those that only open the utterance. Then it prints, for each method name in HANDS_ON
(bench/word_tracer), the longest chain of objects in the server's own process that ends with a call of this name.
`--root` names another checkout, such as an older commit, so that two can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

TEXT = "The house has many rooms, and a word passes only some of them."
WORD_GAP_S = 0.15
OPENING_S = 0.5  # from `start` to the first word
TRACER = Path(__file__).with_name("word_tracer")


@dataclass(frozen=True)
class Way:
    """The way of the words of one utterance."""

    # File of the package -> the processes in which it ran.
    files: dict[str, list[str]]
    # Number of all files of the package.
    all_files: int
    # Method name -> the longest chain of objects that ends with a call of it.
    paths: dict[str, tuple[str, ...]]

    def lines(self) -> list[str]:
        """The report. The figures come last."""
        files = [f"{file}: {', '.join(processes)}" for file, processes in self.files.items()]
        paths = [f"{name}: {len(path)} objects: {' > '.join(path)}" for name, path in self.paths.items()]
        return [*files, *paths, f"{len(self.files)} of {self.all_files} files"]


def process_name(command: list[str]) -> str:
    """What a process is: front for the server itself, else the module that it runs, or its last argument."""
    module = command[command.index("-m") + 1] if "-m" in command else command[-1]
    return "front" if module == "rtserver" else module.removeprefix("rtserver.")


def way_of(notes: Path, package: Path, begin_s: float, end_s: float) -> Way:
    """The way of the words, from the notes of all processes between these two times."""
    files: dict[str, set[str]] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for path in notes.iterdir():
        first, *lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        name = process_name(first["command"])
        for note in lines:
            if not begin_s <= note["s"] <= end_s:
                continue
            if "file" in note:
                files.setdefault(note["file"], set()).add(name)
            elif name == "front":
                ends_with = note["path"][-1].split(".")[-1]
                paths[ends_with] = max(paths.get(ends_with, ()), tuple(note["path"]), key=len)
    all_files = sum(1 for file in package.rglob("*.py") if file.stat().st_size)
    return Way({file: sorted(files[file]) for file in sorted(files)}, all_files, dict(sorted(paths.items())))


@contextlib.asynccontextmanager
async def traced_server(root: Path, notes: Path) -> AsyncIterator[str]:
    """The server of the checkout `root`; yields its address and stops it afterwards."""
    folders = [TRACER, root, root / "clients"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "WORD_TRACER_NOTES": str(notes),
        "WORD_TRACER_PACKAGE": str(root / "rtserver"),
    }
    command = [sys.executable, "-m", "rtserver", "serve", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=environment, cwd=root)
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        if not line.startswith("listening on "):
            raise RuntimeError(f"expected a server, found {' '.join(command)} saying {line!r}")
        yield line.split()[-1]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def spoken(url: str) -> tuple[float, float]:
    """Speaks the text word by word. Returns the times of the first word and of `done`."""
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/v1/realtime", protocols=["rt.v1.json"]) as ws:

        async def send(kind: str, **fields: Any) -> None:
            await ws.send_str(json.dumps({"type": kind, **fields}))

        await ws.receive()  # ready
        await send("start", language="en")
        await asyncio.sleep(OPENING_S)
        begin_s = time.monotonic()
        for word in TEXT.split():
            await send("text", text=f"{word} ")
            await asyncio.sleep(WORD_GAP_S)
        await send("end")
        async for frame in ws:
            message = json.loads(frame.data) if frame.type is aiohttp.WSMsgType.TEXT else {"type": "audio"}
            if message["type"] == "error":
                raise RuntimeError(f"expected speech, found {message}")
            if message["type"] == "done":
                return begin_s, time.monotonic()
    raise RuntimeError("expected done, found the end of the connection")


async def measured(root: Path) -> Way:
    """Starts one server and speaks one utterance."""
    with tempfile.TemporaryDirectory() as folder:
        async with traced_server(root, Path(folder)) as url:
            begin_s, end_s = await spoken(url)
        return way_of(Path(folder), root / "rtserver", begin_s, end_s)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2], help="another checkout")
    parser.add_argument("--json", type=Path, help="also write the result here")
    args = parser.parse_args()
    way = asyncio.run(measured(args.root.resolve()))
    print("\n".join(way.lines()))
    if args.json is not None:
        args.json.write_text(json.dumps(vars(way), indent=1) + "\n", encoding="utf-8")
