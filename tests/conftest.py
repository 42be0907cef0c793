"""The tiers of tests: `--tier NAME` runs one, and each test does only what its tier may. See scripts/tiers.py."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from debian import missing_packages
from hypothesis import settings
from tiers import DEFAULT, TIERS, marker

from tests.tier_guard import TierGuard
from tests.tier_scheduling import WORKER_INPUT, TierScheduling, group_of, write_groups

# Before torch is imported. The tests' models are small: a second thread costs more than it computes, several times as
# much where other processes want the cores, and sums would depend on how many cores there are.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Servers calculate in float32 on every processor, also where `flow_dtype = "auto"` would choose bfloat16: samples that
# tests compare must not depend on the machine. The processes that tests start have this too. ALL in place of this value
# leaves the choice to the processor.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")

# How long an example takes says more about the other processes of the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
TIER = pytest.StashKey[str]()
# When the first test of each tier began, and when its last one ended.
TIMES_S = pytest.StashKey[dict[str, tuple[float, float]]]()
GUARD = pytest.StashKey[TierGuard]()
# Where the workers of pytest-xdist say which tests belong together.
GROUPS_FILE = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", action="append", default=[], choices=list(TIERS), help="run the tests of this tier")


def pytest_configure(config: pytest.Config) -> None:
    for name, tier in TIERS.items():
        config.addinivalue_line("markers", f"{marker(name)}: {tier.about}")
    config.stash[TIMES_S] = {}
    config.stash[GUARD] = TierGuard()
    folder = tempfile.TemporaryDirectory(prefix="pytest-tiers-")
    config.stash[GROUPS_FILE] = Path(folder.name) / "groups.json"
    config.add_cleanup(folder.cleanup)


def tier_of(item: pytest.Item) -> str:
    """The tier that the mark next to the test names."""
    by_marker = {marker(name): name for name in TIERS}
    return next((by_marker[mark.name] for mark in item.iter_markers() if mark.name in by_marker), DEFAULT)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the tiers that were asked for, in the order of TIERS. Skips what needs programs that are not there."""
    for item in items:
        item.stash[TIER] = tier_of(item)
    chosen = config.getoption("tier") or list(TIERS)
    config.hook.pytest_deselected(items=[item for item in items if item.stash[TIER] not in chosen])
    order = {name: number for number, name in enumerate(TIERS)}
    items[:] = sorted((i for i in items if i.stash[TIER] in chosen), key=lambda item: order[item.stash[TIER]])
    missing = {group: missing_packages(ROOT, group) for tier in TIERS.values() for group in tier.setup}
    for item in items:
        for group in TIERS[item.stash[TIER]].setup:
            if missing[group]:
                item.add_marker(pytest.mark.skip(f"needs {', '.join(missing[group])}: ./scripts/setup {group}"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells which tests belong together."""
    if (given := getattr(session.config, "workerinput", None)) is not None:
        groups = {item.nodeid: group_of(item, item.stash[TIER]) for item in session.items}
        write_groups(Path(given[WORKER_INPUT]), groups)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """A worker of pytest-xdist is about to start."""
    node.workerinput[WORKER_INPUT] = str(node.config.stash[GROUPS_FILE])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TierScheduling:
    return TierScheduling(config, log, config.stash[GROUPS_FILE])


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
