"""The talker's layers on a CPU against vLLM's own modules, and captured scores of its sampler against plain ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cosyvoice.models import resolve_model

pytestmark = pytest.mark.engine


def test_layers_and_captured_scores_give_what_plain_ones_give_in_vllm(tmp_path: Path) -> None:
    """In prefill and in steps of two sequences side by side the last hidden states are the same but for rounding. The
    scores of every step are captured work."""
    program = ["-m", "tests.cosyvoice.talker.layers_program", str(resolve_model("nano")), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    printed = json.loads(done.stdout.splitlines()[-1])
    assert len(printed["layers"]) >= 30
    assert max(printed["layers"]) < 1e-5
    assert len(printed["scores"]) == printed["repeated"] >= 30
    assert max(printed["scores"]) < 1e-5
