"""Whether a client takes what is sent to it. Pure: time is an argument."""

from __future__ import annotations

# Speech in any format is more than this in a second: who takes less does not listen.
LEAST_BYTES_PER_S = 1024


class Uptake:
    """While something waits for the client all the time, it must take LEAST_BYTES_PER_S, on average over each window.
    Otherwise one that takes a byte now and then would keep its contexts and what waits for it for ever."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._since_s: float | None = None  # the window's begin; None while nothing waits
        self._bytes = 0

    def took(self, size_bytes: int, now_s: float, *, all_taken: bool) -> bool:
        """The client has taken something. all_taken: nothing waits for it now. False when it takes too little."""
        if all_taken or self._since_s is None:
            self._since_s, self._bytes = None if all_taken else now_s, 0
            return True
        self._bytes += size_bytes
        if now_s - self._since_s < self._window_s:
            return True
        enough = self._bytes >= LEAST_BYTES_PER_S * (now_s - self._since_s)
        self._since_s, self._bytes = now_s, 0
        return enough
