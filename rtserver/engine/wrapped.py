"""An engine around another one: what is added in front of an engine extends these and changes what it must."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.engine.api import Engine, EngineUtterance
from rtserver.ipc.engine import Load, Ready
from rtserver.ipc.reading import Segment


class WrappedUtterance:
    """Passes all on to the inner engine's utterance, which `opened` brings."""

    def __init__(self) -> None:
        self._opened: EngineUtterance | None = None

    def opened(self, inner: EngineUtterance) -> None:
        """The inner engine has taken it."""
        self._opened = inner

    def feed(self, segments: Sequence[Segment]) -> None:
        self._inner.feed(segments)

    def flush(self, flush_id: str) -> None:
        self._inner.flush(flush_id)

    def end(self) -> None:
        self._inner.end()

    def cancel(self) -> None:
        self._inner.cancel()

    def heard(self, position_s: float) -> None:
        self._inner.heard(position_s)

    def hold(self, on: bool) -> None:
        self._inner.hold(on)

    @property
    def _inner(self) -> EngineUtterance:
        assert self._opened is not None, "opened comes first"
        return self._opened


class WrappedEngine:
    """Passes all on to the inner engine but `open`."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner

    @property
    def info(self) -> Ready:
        return self._inner.info

    @property
    def ready(self) -> bool:
        return self._inner.ready

    @property
    def live(self) -> int:
        return self._inner.live

    @property
    def load(self) -> Load | None:
        return self._inner.load

    async def close(self) -> None:
        await self._inner.close()
