"""The tiers of tests, and `./scripts/test`: python scripts/tiers.py [TIER ...], or arguments of pytest.

Each test belongs to one tier: `@pytest.mark.NAME` or the module's `pytestmark`; a test without a mark is `fast`.
tests/conftest.py selects them and holds each test to what its tier may do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Tier:
    """One tier of the tests."""

    # what its tests need, in a few words
    about: str
    # the time that it may take on two cores without other work
    minutes: float
    # groups of ./scripts/setup that its tests need besides `dev`
    setup: tuple[str, ...] = ()
    # whether its tests may start processes
    starts_processes: bool = True
    # whether its tests may load the weights of a model
    loads_weights: bool = True


# In the order in which they run: what fails soonest comes first. The first is the tier of a test without a mark.
TIERS = {
    "fast": Tier("no child process, no model", 2, starts_processes=False, loads_weights=False),
    "model": Tier("a model or a long calculation, in the process of the tests", 4, starts_processes=False),
    "engine": Tier("child processes: the server's own, and commands", 9),
    "clients": Tier("clients of other makers and in other languages", 20),
    "browser": Tier("pages in a browser", 8),
    "services": Tier("programs of other makers, from Debian packages", 8, setup=("services",)),
    "chaos": Tier("processes killed and machines overloaded on purpose", 12),
    "gpu-small": Tier("a small model on a GPU", 5),
}
DEFAULT = next(iter(TIERS))


def marker(tier: str) -> str:
    """The name of the tier's pytest mark: a Python name."""
    return tier.replace("-", "_")


def tiers_of(arguments: Sequence[str]) -> list[str] | None:
    """The tiers that the arguments name; all when there are none; None when they are arguments of pytest."""
    if all(argument in TIERS for argument in arguments):
        return [name for name in TIERS if name in arguments or not arguments]
    return None


def main(arguments: Sequence[str]) -> None:
    """Installs what the tiers need, then becomes pytest."""
    tiers = tiers_of(arguments)
    options = list(arguments) if tiers is None else [f"--tier={name}" for name in tiers]
    groups = {group for name in tiers or () for group in TIERS[name].setup}
    if groups and subprocess.run([ROOT / "scripts" / "setup", "dev", *sorted(groups)], check=False).returncode:
        sys.exit(1)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *options])


if __name__ == "__main__":
    main(sys.argv[1:])
