"""What is imported before the server starts its processes: nothing that only the front needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.command

_SLOW = ("aiohttp", "numpy", "av", "torch", "rtserver.application", "rtserver.front.app")


@pytest.mark.parametrize("module", ["rtserver.commands.cli", "rtserver.commands.serve"])
def test_a_start_does_not_wait_for_the_imports_of_the_front(module: str) -> None:
    """Neither the command line nor `serve` imports them."""
    code = f"import sys, {module}; print([name for name in {_SLOW!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
