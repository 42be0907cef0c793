"""A byte budget: a request for memory is refused before the machine runs out of it."""

from __future__ import annotations

from collections.abc import Callable

from cosyvoice.errors import CacheFull


class KvBudget:
    """Counts the bytes that the flow keeps, up to `total_bytes`. It only counts; the caller allocates.

    Before a request is refused, `reclaim(short_bytes)` is called once. It frees at least that many bytes that are not
    in use and returns the number of bytes freed, or it frees nothing and returns 0.
    """

    def __init__(self, total_bytes: int, reclaim: Callable[[int], int] | None = None) -> None:
        if total_bytes < 0:
            raise ValueError(f"total_bytes: expected 0 or more, found {total_bytes}")
        self.total_bytes = total_bytes
        self._in_use_bytes = 0
        self._reclaim = reclaim

    @property
    def in_use_bytes(self) -> int:
        return self._in_use_bytes

    @property
    def free_bytes(self) -> int:
        return self.total_bytes - self._in_use_bytes

    def reserve(self, bytes_: int, what: str) -> None:
        """Takes `bytes_` for `what`, which the error names. Raises CacheFull, and takes nothing, when they are not
        free."""
        if bytes_ < 0:
            raise ValueError(f"reserve: expected 0 bytes or more, found {bytes_}")
        short_bytes = bytes_ - self.free_bytes
        if short_bytes > 0 and self._reclaim is not None:
            self.release(self._reclaim(short_bytes))
        if bytes_ > self.free_bytes:
            raise CacheFull(
                f"flow cache: expected {bytes_} free bytes for {what}, found {self.free_bytes} of {self.total_bytes}"
            )
        self._in_use_bytes += bytes_

    def lower(self, total_bytes: int) -> None:
        """Bounds the total further. What is in use already stays. Does nothing when the total is lower."""
        self.total_bytes = min(self.total_bytes, max(total_bytes, 0))

    def release(self, bytes_: int) -> None:
        """Gives `bytes_` back. Raises ValueError when more is given back than was taken, which is an accounting
        error."""
        if not 0 <= bytes_ <= self._in_use_bytes:
            raise ValueError(f"release: expected 0..{self._in_use_bytes} bytes in use, found {bytes_}")
        self._in_use_bytes -= bytes_
