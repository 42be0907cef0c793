"""The tiers of tests: `--tier NAME` runs one, and each test does only what its tier may. See scripts/tiers.py.

Where pytest runs in several processes (pytest-xdist), the tests of a file stay together, and the tests of a tier that
does not share the cores all run in one process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from debian import missing_packages
from tiers import DEFAULT, TIERS, marker

from tests.tier_guard import TierGuard

# Before torch is imported. The tests' models are small: a second thread costs more than it computes, several times as
# much where other processes want the cores, and sums would depend on how many cores there are.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
TIER = pytest.StashKey[str]()
# When the first test of each tier began, and when its last one ended.
TIMES_S = pytest.StashKey[dict[str, tuple[float, float]]]()
GUARD = pytest.StashKey[TierGuard]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", action="append", default=[], choices=list(TIERS), help="run the tests of this tier")


def pytest_configure(config: pytest.Config) -> None:
    for name, tier in TIERS.items():
        config.addinivalue_line("markers", f"{marker(name)}: {tier.about}")
    config.stash[TIMES_S] = {}
    config.stash[GUARD] = TierGuard()


def tier_of(item: pytest.Item) -> str:
    """The tier that the mark next to the test names."""
    by_marker = {marker(name): name for name in TIERS}
    return next((by_marker[mark.name] for mark in item.iter_markers() if mark.name in by_marker), DEFAULT)


def group_of(item: pytest.Item) -> str:
    """The tests of a group run one after the other, in one process."""
    tier = item.stash[TIER]
    return item.nodeid.partition("::")[0] if TIERS[tier].shares_cores else tier


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Leaves the tiers that were asked for, in the order of TIERS. Skips what needs programs that are not there."""
    for item in items:
        item.stash[TIER] = tier_of(item)
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(group_of(item)))
    yield
    chosen = config.getoption("tier") or list(TIERS)
    config.hook.pytest_deselected(items=[item for item in items if item.stash[TIER] not in chosen])
    order = {name: number for number, name in enumerate(TIERS)}
    items[:] = sorted((i for i in items if i.stash[TIER] in chosen), key=lambda item: order[item.stash[TIER]])
    missing = missing_packages(ROOT)
    for item in items:
        if missing and "services" in TIERS[item.stash[TIER]].setup:
            item.add_marker(pytest.mark.skip(f"needs {', '.join(missing)}: ./scripts/setup services"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Notes the test's time, with its fixtures, and guards it meanwhile."""
    tier, guard = item.stash[TIER], item.config.stash[GUARD]
    begin_s = time.monotonic()
    guard.begin(tier)
    try:
        return (yield)
    finally:
        guard.end()
        _note_times(item.config, tier, begin_s, time.monotonic())


def _note_times(config: pytest.Config, tier: str, begin_s: float, end_s: float) -> None:
    first_s, last_s = config.stash[TIMES_S].get(tier, (begin_s, end_s))
    config.stash[TIMES_S][tier] = min(first_s, begin_s), max(last_s, end_s)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test that did what its tier may not, also where the code under test swallowed the error."""
    report = yield
    report.nodeid = report.nodeid.removesuffix(f"@{group_of(item)}")  # pytest-xdist added it: it is no name of a test
    errors = item.config.stash[GUARD].errors()
    if errors:
        report.sections.append(("tier", "\n".join(errors)))
        if report.outcome == "passed":
            report.outcome, report.longrepr = "failed", "\n".join(errors)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A tier that has no tests yet passes. A process that pytest-xdist started tells its times."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["times_s"] = session.config.stash[TIMES_S]
    asked = session.config.getoption("tier")
    if asked and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not session.config.getoption("keyword"):
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """A process that pytest-xdist started has ended. All share one clock."""
    for tier, (begin_s, end_s) in getattr(node, "workeroutput", {}).get("times_s", {}).items():
        _note_times(node.config, tier, begin_s, end_s)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The minutes of each tier, and the tiers that have no tests."""
    times_s, asked = config.stash[TIMES_S], config.getoption("tier")
    for name in TIERS:
        if name in times_s:
            begin_s, end_s = times_s[name]
            terminalreporter.write_line(f"{name}: {(end_s - begin_s) / 60:.1f} of {TIERS[name].minutes:g} minutes")
        elif name in asked and not config.getoption("collectonly"):
            terminalreporter.write_line(f"{name}: no tests yet")
