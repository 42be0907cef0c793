"""How a test's engine runs."""

from __future__ import annotations

from pathlib import Path

from rtserver.engine.host.local import LocalOptions
from rtserver.ipc.options import AcousticProcessOptions, PreparerProcessOptions, TalkerProcessOptions


def local_options(
    model: Path,
    cache_dir: Path | None = None,
    *,
    warm_voices: tuple[str, ...] = ("default",),
    talker_first: bool = False,
) -> LocalOptions:
    """The default options, with the test's own cache. A busy machine may take long to start a process again."""
    common = str(model), None if cache_dir is None else str(cache_dir)
    return LocalOptions(
        TalkerProcessOptions(*common),
        AcousticProcessOptions(*common, warm_voices=warm_voices),
        PreparerProcessOptions(*common),
        talker_first=talker_first,
        recovery_s=200.0,
    )
