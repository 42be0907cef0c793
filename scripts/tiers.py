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
    # whether its tests run in several processes of pytest; otherwise one after the other, in one of them
    shares_cores: bool = False


# In the order in which they run: what fails soonest comes first. The first is the tier of a test without a mark.
TIERS = {
    "fast": Tier("no child process, no model", 2, starts_processes=False, loads_weights=False, shares_cores=True),
    "command": Tier("child processes that run to their end: commands, and calculations", 2, shares_cores=True),
    "model": Tier(
        "a model or a long calculation, in the process of the tests", 3, starts_processes=False, shares_cores=True
    ),
    "engine": Tier("child processes of the server", 8, shares_cores=True),
    "clients": Tier("environments of their own: clients of other makers, Triton's interpreter", 20, shares_cores=True),
    "browser": Tier("pages in a browser", 8, setup=("browser",)),
    "services": Tier("programs of other makers, from Debian packages", 8, setup=("services",)),
    "chaos": Tier("processes killed and machines overloaded on purpose", 12),
    "gpu-small": Tier("the runbook for a GPU, with small models on the CPU", 5),
}
DEFAULT = next(iter(TIERS))

# More processes of pytest gain little: each imports torch, and the slowest file is a minute.
_MOST_WORKERS = 4


def marker(tier: str) -> str:
    """The name of the tier's pytest mark: a Python name."""
    return tier.replace("-", "_")


def tiers_of(arguments: Sequence[str]) -> list[str] | None:
    """The tiers that the arguments name; all when there are none; None when they are arguments of pytest."""
    if all(argument in TIERS for argument in arguments):
        return [name for name in TIERS if name in arguments or not arguments]
    return None


def pytest_options(tiers: Sequence[str], cores: int) -> list[str]:
    """The arguments of pytest for these tiers on a machine with so many cores."""
    options = [f"--tier={name}" for name in tiers]
    workers = min(cores, _MOST_WORKERS)
    if workers > 1 and any(TIERS[name].shares_cores for name in tiers):
        # tests/tier_scheduling.py says which tests stay together.
        options += [f"--numprocesses={workers}", "--no-loadscope-reorder"]
    return options


def main(arguments: Sequence[str]) -> None:
    """Installs what the tiers need, then becomes pytest."""
    tiers = tiers_of(arguments)
    options = list(arguments) if tiers is None else pytest_options(tiers, len(os.sched_getaffinity(0)))
    groups = {group for name in tiers or () for group in TIERS[name].setup}
    if groups and subprocess.run([ROOT / "scripts" / "setup", "dev", *sorted(groups)], check=False).returncode:
        sys.exit(1)
    # Compiled modules are kept, also where the user keeps none: the tests start some hundred processes, and each would
    # compile all that it imports.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    os.execve(sys.executable, [sys.executable, "-m", "pytest", *options], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
