"""The sound of contexts, encoded: what `done` says of the time it took."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from rtserver.front.context_sounds import ContextSounds
from rtserver.messages import wire

SOUND = bytes(4800)


@pytest.mark.parametrize(("form", "rate", "encode_ms"), [("pcm_s16le", 24000, 0.0), ("ulaw", 8000, 3000.0)])
def test_done_tells_how_long_encoding_took(form: str, rate: int, encode_ms: float) -> None:
    """Each piece of sound, and the end, count with the time that they took. Sound that is not encoded took none."""

    async def scenario() -> None:
        ticks = count()
        sounds = ContextSounds(24000, clock=lambda: float(next(ticks)))
        await sounds.encoded(wire.Started("a", "u", 1, "amber", form, rate, 4, 0))
        for seq in range(2):
            await sounds.encoded(wire.Audio("a", seq, 100 * seq, SOUND, 1))
        done = (await sounds.encoded(wire.Done("a", 200, {}, {"queue": 7.0, "encode": 0.0}, 0)))[-1]
        assert isinstance(done, wire.Done)
        assert done.timings == {"queue": 7.0, "encode": encode_ms}

    asyncio.run(scenario())
