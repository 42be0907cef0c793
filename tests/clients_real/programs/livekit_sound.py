"""The sound in what LiveKit's plugins give."""

from typing import Any


def sound_bytes(event: Any) -> int:
    """The bytes of our sound. LiveKit ends a turn with 10 ms of silence of its own when its last frame has gone out
    already: that depends on the time between our last sound and the end."""
    data = event.frame.data.tobytes()
    return 0 if event.is_final and not any(data) else len(data)
