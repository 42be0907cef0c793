"""The talker's layers on a CPU, against vLLM's own modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cosyvoice.models import resolve_model

pytestmark = pytest.mark.engine


def test_layers_give_what_the_modules_of_vllm_give(tmp_path: Path) -> None:
    """In prefill and in steps of two sequences side by side the last hidden states are the same but for rounding."""
    program = ["-m", "tests.cosyvoice.talker.layers_program", str(resolve_model("nano")), str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *program], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    deviations = json.loads(done.stdout.splitlines()[-1])
    assert len(deviations) >= 30
    assert max(deviations) < 1e-5
