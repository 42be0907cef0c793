"""The parity command on the golden set."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cosyvoice.parity.cases import parity_cases
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.command

GOLDEN = GOLDEN_DIR


def run_parity(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cosyvoice.parity", str(directory)], capture_output=True, text=True, check=False
    )


def test_all_golden_cases_are_within_tolerance() -> None:
    """Every recorded number of the original is reproduced."""
    cases = list(parity_cases(GOLDEN))
    assert len(cases) > 50
    assert [c for c in cases if not c.passed] == []


def test_a_deviation_fails_the_command(tmp_path: Path) -> None:
    """With one weight file of another take the command names the cases and exits 1."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(GOLDEN, tmp_path / "golden")
    path = tmp_path / "golden" / "tiny_hift.safetensors"
    state = load_file(path)
    state["conv_pre.bias"] = state["conv_pre.bias"] + torch.full_like(state["conv_pre.bias"], 1e-3)
    save_file(state, path)
    done = run_parity(tmp_path / "golden")
    assert done.returncode == 1
    assert "FAIL vocoder wave" in done.stdout and "ok   flow mel_offline" in done.stdout


@pytest.mark.parametrize("broken", ["ras.safetensors", "text_split.json"])
def test_unusable_fixtures_are_named(tmp_path: Path, broken: str) -> None:
    """A missing fixture is an error of its own, exit status 2."""
    shutil.copytree(GOLDEN, tmp_path / "golden")
    (tmp_path / "golden" / broken).unlink()
    done = run_parity(tmp_path / "golden")
    assert done.returncode == 2 and broken in done.stderr
