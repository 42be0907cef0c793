"""The tiers of tests: how they are chosen, and that each test is held to its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiers import DEFAULT, TIERS, pytest_options, tiers_of

ROOT = Path(__file__).resolve().parents[2]

CONFTEST = "from tests.conftest import *"
TESTS = """
import asyncio, multiprocessing, os, subprocess, sys
import pytest, safetensors.torch, torch

pytestmark = pytest.mark.{mark}

def test_nothing(): pass
def test_popen(): subprocess.run(["true"], check=True)
def test_swallowed():
    try: subprocess.run(["true"], check=True)
    except Exception: pass
def test_asyncio():
    async def run(): await (await asyncio.create_subprocess_exec("true")).wait()
    asyncio.run(run())
def test_fork():
    process = multiprocessing.get_context("fork").Process(target=print)
    process.start(); process.join()
def test_torch(tmp_path):
    torch.save(torch.zeros(1 << 19), tmp_path / "model.pt")
    torch.load(tmp_path / "model.pt")
def test_safetensors(tmp_path):
    safetensors.torch.save_file({{"a": torch.zeros(1 << 19)}}, tmp_path / "model.safetensors")
    safetensors.torch.load_file(tmp_path / "model.safetensors")
def test_few_tensors(tmp_path):
    torch.save(torch.zeros(1 << 10), tmp_path / "few.pt")
    torch.load(tmp_path / "few.pt")
"""
PROCESSES = {"test_popen", "test_swallowed", "test_asyncio", "test_fork"}
MODELS = {"test_torch", "test_safetensors"}


def pytest_run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and output of pytest on a folder whose tests are held to their tiers."""
    folders = map(str, (ROOT, ROOT / "scripts"))
    # Without the plugins that are not needed: they take a second to load.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    options = [f"--rootdir={folder}", "-q", "-rf", "-p", "xdist"]
    command = [sys.executable, "-m", "pytest", *options, *arguments, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.command
def test_a_test_is_held_to_its_tier(tmp_path: Path) -> None:
    """A process or a model where the tier may not fails the test, also if the code under test swallows the error."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for tier in ("fast", "model", "engine"):
        (tmp_path / f"test_{tier}.py").write_text(TESTS.format(mark=tier))
    status, output = pytest_run(tmp_path)
    failed = set(re.findall(r"^FAILED \S*test_(\w+).py::(\w+)", output, re.MULTILINE))
    refused = {("fast", test) for test in PROCESSES | MODELS} | {("model", test) for test in PROCESSES}
    assert failed == refused, output
    assert status == 1 and "engine: 0." in output


@pytest.mark.command
def test_one_tier_runs(tmp_path: Path) -> None:
    """The mark next to a test decides; unmarked tests are fast; a tier without tests says so and passes."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text("import pytest\n@pytest.mark.gpu_small\ndef test_marked(): pass\n")
    (tmp_path / "test_other.py").write_text("def test_unmarked(): pass\n")
    status, output = pytest_run(tmp_path, "--tier", "gpu-small", "--tier", "chaos")
    assert status == 0 and "1 passed, 1 deselected" in output and "chaos: no tests yet" in output
    status, output = pytest_run(tmp_path, "--tier", "chaos")
    assert status == 0 and "2 deselected" in output and "chaos: no tests yet" in output
    status, output = pytest_run(tmp_path, "--tier", "fast", "-rA")
    assert "::test_unmarked" in output and "::test_marked" not in output


@pytest.mark.command
def test_tiers_that_share_the_cores_run_in_several_processes(tmp_path: Path) -> None:
    """The tests of a file stay together, and files of one xdist_group; those of other tiers all run in one process; a
    failure keeps its name."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    where = "import os, pytest\ndef note(name): open(name, 'a').write(f'{os.getpid()} ')\n"
    tests = "def test_one(): note('{0}')\ndef test_two(): note('{0}'); assert False\n"
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"test_{name}.py").write_text(where + tests.format(name))
    together = "pytestmark = [pytest.mark.engine, pytest.mark.xdist_group('together')]\n"
    for names, notes, marked in (("ef", "together", together), ("gh", "chaos", "pytestmark = pytest.mark.chaos\n")):
        for name in names:
            (tmp_path / f"test_{name}.py").write_text(where + marked + tests.format(notes))
    status, output = pytest_run(tmp_path, *pytest_options(["fast", "engine", "chaos"], cores=2))
    pids = {name: (tmp_path / name).read_text().split() for name in ("a", "b", "c", "d", "together", "chaos")}
    assert [len(of_file) for of_file in pids.values()] == [2, 2, 2, 2, 4, 4]
    assert all(len(set(of_file)) == 1 for of_file in pids.values())
    assert len({pid for of_file in pids.values() for pid in of_file}) == 2
    assert status == 1 and "8 failed, 8 passed" in output and "fast: 0." in output and "chaos: 0." in output
    failed = set(re.findall(r"^FAILED (\S+)", output, re.MULTILINE))
    assert failed == {f"test_{name}.py::test_two" for name in "abcdefgh"}


def test_processes_of_pytest() -> None:
    """One for each core, at most four, and only for tiers that share the cores."""
    assert pytest_options(["fast", "engine"], cores=2)[:3] == ["--tier=fast", "--tier=engine", "--numprocesses=2"]
    assert "--numprocesses=4" in pytest_options(["model"], cores=64)
    assert pytest_options(["fast"], cores=1) == ["--tier=fast"]
    assert pytest_options(["chaos"], cores=2) == ["--tier=chaos"]


def test_words_and_arguments() -> None:
    """Tiers are run in their own order, all without a word; anything else is for pytest."""
    assert tiers_of(["engine", "fast"]) == ["fast", "engine"]
    assert tiers_of([]) == list(TIERS)
    assert tiers_of(["tests/scripts", "-k", "fast"]) is None
    assert DEFAULT == "fast"


def test_python_fits_its_quarter_of_an_hour() -> None:
    """The tiers in Python alone take 15 minutes together, all of them at most 80."""
    assert sum(TIERS[name].minutes for name in ("fast", "command", "model", "engine")) <= 15
    assert sum(tier.minutes for tier in TIERS.values()) <= 80
