"""What a short program of Python prints: for a question that must not be asked in the server's own process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

from rtserver.processes.environment import child_environment


async def answer_of(program: tuple[str, ...], environment: Mapping[str, str], threads: int, patience_s: float) -> bytes:
    """Runs it with the part of `environment` that children have. threads: that it may calculate with. Raises
    TimeoutError when it is not done in time, and OSError with its last word when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        env=child_environment(environment, threads),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, told = await asyncio.wait_for(process.communicate(), patience_s)
    except TimeoutError:
        raise TimeoutError(f"it was not done within {patience_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise OSError((told.decode(errors="replace").strip().splitlines() or ["it ended without a word"])[-1])
    return out
