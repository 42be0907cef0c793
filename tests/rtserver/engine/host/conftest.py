"""One engine with the embedded checkpoint for the files that leave it as they found it: its start takes ten seconds.

These files have the mark `xdist_group("nano engine")`, so that one process of pytest runs them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.host.local import LocalEngine
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.engine_options import local_options
from tests.rtserver.engine.host.speaking import process_ids


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="session")
def front() -> TextFront:
    return TextFront(ModelConfig.load(NANO))


@pytest.fixture(scope="session")
def nano_engine(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    made = runner.run(LocalEngine.start(local_options(NANO, tmp_path_factory.mktemp("cache"))))
    yield made
    pids = process_ids(made)
    runner.run(made.close())
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner, nano_engine: LocalEngine) -> Iterator[LocalEngine]:
    """The engine. It must hold nothing after the tests of a file."""
    yield nano_engine
    assert not any(runner.run(nano_engine.held()).values())
    assert not any(nano_engine.ledger.counts.values())
