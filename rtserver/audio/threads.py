"""Where sound is encoded. A frame that a listener waits for has threads of its own: however many whole files are
encoded, no frame waits for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from rtserver.audio.encoder_threads import EncoderThreads

P = ParamSpec("P")
R = TypeVar("R")

# A frame takes milliseconds, and a second of a file too. On a machine that is much too busy it is still done in this
# time; an encoder that needs more hangs.
FRAME_S = 20.0
_FILE_S_PER_S = 1.0

_COUNT = max(2, os.cpu_count() or 2)
_FRAMES = EncoderThreads("frames", _COUNT)
_FILES = EncoderThreads("files", _COUNT)


async def in_frame_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does the work on a frame. Raises EncodingLate."""
    return await _FRAMES.do(partial(work, *args, **kwargs), FRAME_S)


async def in_file_thread(audio_s: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Does the work on a whole file with this many seconds of sound. Raises EncodingLate."""
    return await _FILES.do(partial(work, *args, **kwargs), FRAME_S + _FILE_S_PER_S * audio_s)
