"""The environments that programs with other makers' packages run in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.clients_real import environment
from tests.clients_real.environment import run_program

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


def test_a_program_runs_with_the_pinned_packages() -> None:
    """It tells one JSON value; one that fails is an error with what it printed."""
    assert asyncio.run(run_program("deepgram-sdk", "version", "deepgram-sdk")).told == "7.17.0"
    failed = asyncio.run(run_program("deepgram-sdk", "version", "no-such-package"))
    with pytest.raises(AssertionError, match="PackageNotFoundError"):
        assert failed.told


def test_without_a_registry_tests_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that is not there yet needs one; nothing half made is left."""
    monkeypatch.setattr(environment, "_ENVIRONMENTS", tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(pytest.skip.Exception, match="cannot be reached"):
        environment.environment("deepgram-sdk")
    assert [path.name for path in tmp_path.iterdir()] == ["deepgram-sdk.lock"]
