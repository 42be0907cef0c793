"""A program of a test that has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Finished:
    """A program that has ended."""

    # Its exit status.
    status: int
    # What it printed on standard output.
    output: str
    # What it printed on standard error.
    errors: str

    @property
    def told(self) -> Any:
        """The JSON value in the last line of its output. Fails the test when the program failed."""
        assert self.status == 0, f"status {self.status}\n{self.output[-2000:]}\n{self.errors[-4000:]}"
        return json.loads(self.output.splitlines()[-1])


async def run_to_its_end(*command: str | Path, environ: Mapping[str, str], timeout_s: float) -> Finished:
    """Runs a command. Fails the test when it does not end in time."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environ)
    reading = asyncio.ensure_future(process.communicate())  # it is not cancelled: what it has read would be lost
    done, _ = await asyncio.wait([reading], timeout=timeout_s)
    if not done:
        process.kill()
    output, errors = await reading
    if not done:
        said = output.decode()[-1000:] + errors.decode()[-3000:]
        raise AssertionError(f"{' '.join(map(str, command))} did not end within {timeout_s:g} s:\n{said}")
    assert process.returncode is not None
    return Finished(process.returncode, output.decode(), errors.decode())
