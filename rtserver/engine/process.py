"""One engine process as its parent sees it: started with inherited sockets, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Sequence

STOP_GRACE_S = 10.0
_TAIL_LINES = 40

# Exit status of a process whose peer process died: the peer's end is the one to report.
PEER_LOST = 3


class EngineProcess:
    """A child Python process running one engine module. Its output is kept for the error message of a crash, or
    passed through when `verbose`."""

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
    async def start(
        cls,
        name: str,
        module: str,
        arguments: Sequence[str],
        sockets: Sequence[tuple[str, socket.socket]],
        *,
        threads: int,
        verbose: bool,
    ) -> EngineProcess:
        """Starts `python -m module arguments --<flag> <fd>...`; the child inherits the sockets, ours are closed."""
        flags = [part for flag, sock in sockets for part in (flag, str(sock.fileno()))]
        # PyTorch and vLLM read the thread count when they are imported.
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
        # A pipe of our own rather than subprocess.PIPE: a grandchild may hold the other end open after the child's
        # end, and this one can be closed then.
        read_fd, write_fd = os.pipe()
        output = asyncio.StreamReader()
        output_pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read_fd, "rb", 0)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                *flags,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_fd,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=[sock.fileno() for _, sock in sockets],
            )
        except BaseException:
            output_pipe.close()
            raise
        finally:
            os.close(write_fd)
            for _, sock in sockets:
                sock.close()
        return cls(name, process, output, output_pipe, verbose)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lost_its_peer(self) -> bool:
        """True when it ended because another process did."""
        return self._process.returncode == PEER_LOST

    async def wait(self) -> str:
        """Waits for the end of the process and describes it."""
        code = await self._process.wait()
        await asyncio.wait([self._reader], timeout=1.0)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit status {code}"
        output = "\n".join(f"  | {line}" for line in self._tail)
        return f"the {self.name} process {how}" + (f"; its last output:\n{output}" if output else "")

    async def stop(self) -> None:
        """Waits for the process to end by itself, then terminates, then kills it."""
        for last_resort in (None, signal.SIGTERM, signal.SIGKILL):
            if last_resort is not None and self._process.returncode is None:
                self._process.send_signal(last_resort)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_GRACE_S)
                break
        await asyncio.wait([self._reader], timeout=1.0)
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
        if rest:
            self._tail.append(rest)
