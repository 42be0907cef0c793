"""One engine process as its parent sees it: started with an inherited socket, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass

STOP_GRACE_S = 10.0
_TAIL_LINES = 40
# A grandchild may hold the output open when the process is dead; what the process wrote is read at once.
_LAST_OUTPUT_S = 0.3


@dataclass(frozen=True)
class Program:
    """What to run: this Python with `arguments` and `--fd N`, the number of an inherited socket.

    threads: OMP_NUM_THREADS, which PyTorch and vLLM read when they are imported. nice: added to the priority number.
    """

    name: str
    arguments: tuple[str, ...]
    threads: int = 1
    nice: int = 0


class EngineProcess:
    """A running Program. Its output is kept for the error message of a crash, or passed through when `verbose`."""

    def __init__(
        self,
        name: str,
        process: asyncio.subprocess.Process,
        output: asyncio.StreamReader,
        output_pipe: asyncio.ReadTransport,
        verbose: bool,
    ) -> None:
        self.name = name
        self._process = process
        self._output_pipe = output_pipe
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._reader = asyncio.create_task(self._read_output(output, verbose), name=f"output-{name}")

    @classmethod
    async def start(cls, program: Program, sock: socket.socket, *, verbose: bool) -> EngineProcess:
        """Starts the program; the child inherits the socket, ours is closed. Raises OSError."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(program.threads), "PYTHONUNBUFFERED": "1"}
        with sock:
            # A pipe of our own rather than subprocess.PIPE: a grandchild may hold the other end open after the
            # child's end, and this one can be closed then.
            read_fd, write_fd = os.pipe()
            try:
                output = asyncio.StreamReader()
                output_pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
                    lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_fd, "rb", 0)
                )
                try:
                    process = await asyncio.create_subprocess_exec(
                        *(sys.executable, *program.arguments, "--fd", str(sock.fileno())),
                        env=environment,
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=write_fd,
                        stderr=asyncio.subprocess.STDOUT,
                        pass_fds=[sock.fileno()],
                    )
                except BaseException:
                    output_pipe.close()
                    raise
            finally:
                os.close(write_fd)
        if program.nice:
            with contextlib.suppress(OSError):  # it may be dead already, which its watcher tells
                os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + program.nice)
        return cls(program.name, process, output, output_pipe, verbose)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> str:
        """Waits for the end of the process and tells how it ended."""
        code = await self._process.wait()
        await asyncio.wait([self._reader], timeout=_LAST_OUTPUT_S)
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"

    @property
    def last_output(self) -> str:
        """Its last lines, for an error message: indented, behind a heading; empty when there are none."""
        lines = "\n".join(f"  | {line}" for line in self._tail)
        return f"; its last output:\n{lines}" if lines else ""

    def kill(self) -> None:
        """Ends the process at once, if it still runs."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def stop(self, *, patient: bool) -> None:
        """Ends the process and gives back what it held here. A patient stop lets it end by itself first; one that is
        cancelled kills it."""
        try:
            for last_resort in (None, signal.SIGTERM, signal.SIGKILL) if patient else (signal.SIGTERM, signal.SIGKILL):
                if last_resort is not None and self._process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        self._process.send_signal(last_resort)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), STOP_GRACE_S)
                    break
            await asyncio.wait([self._reader], timeout=_LAST_OUTPUT_S)
        finally:
            self.kill()
            self._output_pipe.close()  # ends the reader, if it still waits
        await self._reader

    async def _read_output(self, output: asyncio.StreamReader, verbose: bool) -> None:
        rest = ""
        while data := await output.read(1 << 16):
            *lines, rest = (rest + data.decode(errors="replace")).split("\n")
            for line in lines:
                self._tail.append(line.rstrip())
                if verbose:
                    print(f"[{self.name}] {line.rstrip()}", file=sys.stderr, flush=True)
            rest = rest[-(1 << 16) :]  # a line without end is no reason to keep it all
        if rest:
            self._tail.append(rest)
