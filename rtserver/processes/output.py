"""What a child process prints."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque

_KEPT_LINES = 40
_MAX_LINE_CHARACTERS = 1 << 16
# What a process wrote before its end is read at once. A grandchild may keep the pipe open for longer.
_LAST_LINES_S = 0.3


class Output:
    """The last lines are kept for the description of a death. `verbose` also prints each line on standard error."""

    def __init__(self, name: str, stream: asyncio.StreamReader, pipe: asyncio.ReadTransport, verbose: bool) -> None:
        self._name = name
        self._pipe = pipe
        self._verbose = verbose
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._reader = asyncio.create_task(self._read(stream), name=f"output-{name}")

    @classmethod
    async def open(cls, name: str, *, verbose: bool) -> tuple[Output, int]:
        """A new output, and the file descriptor that the process writes to. The caller closes the descriptor.

        The pipe is made here, not by subprocess.PIPE: a grandchild may keep the other end open after the end of the
        child, and then this end must be closed from here.
        """
        read_fd, write_fd = os.pipe()
        stream = asyncio.StreamReader()
        try:
            pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read_fd, "rb", 0)
            )
        except BaseException:
            os.close(write_fd)
            raise
        return cls(name, stream, pipe, verbose), write_fd

    @property
    def last_lines(self) -> str:
        """The end of a message about a death: a heading and the indented lines. Empty when nothing was printed."""
        lines = "\n".join(f"  | {line}" for line in self._lines)
        return f"; its last output:\n{lines}" if lines else ""

    async def settle(self) -> None:
        """After the end of the process: waits for what it wrote last."""
        await asyncio.wait([self._reader], timeout=_LAST_LINES_S)

    async def close(self) -> None:
        """Reads no more."""
        self._pipe.close()  # ends the reader
        await self._reader

    async def _read(self, stream: asyncio.StreamReader) -> None:
        rest = ""
        while data := await stream.read(1 << 16):
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            for line in lines:
                self._lines.append(line.rstrip())
                if self._verbose:
                    print(f"[{self._name}] {line.rstrip()}", file=sys.stderr, flush=True)
            rest = rest[-_MAX_LINE_CHARACTERS:]
        if rest:
            self._lines.append(rest)
