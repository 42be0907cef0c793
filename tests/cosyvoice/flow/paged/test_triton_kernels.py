"""The Triton kernels under Triton's interpreter: against float64, against the plain form, and what a step launches;
and compiled for cards that are not here.

They run in an environment of their own, which has Triton and sees the packages of this one. Triton must not be in this
one, because vLLM would find it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.clients_real.environment import environment

pytestmark = pytest.mark.clients

_ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What `interpreted.py` prints."""
    return printed("interpreted.py", {"TRITON_INTERPRET": "1"})


def printed(program: str, more: dict[str, str]) -> dict[str, Any]:
    """By a program of this folder in the environment that has Triton, with more variables."""
    path = os.pathsep.join([str(_ROOT), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [environment("triton"), Path(__file__).with_name(program)],
        env=os.environ | {"PYTHONPATH": path} | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def test_kernels_give_what_float64_gives(told: dict[str, Any]) -> None:
    """Attention over random tables, keys and values written, norms, and the convolutions' input, at true sizes."""
    assert list(told["deviations"]) == ["4 slots, 16 heads", "8 slots, 2 heads"]
    for found in told["deviations"].values():
        assert max(found["attend"], found["write"], found["norm"], found["add_norm"]) < 1e-5
        assert found["conv_input"] == found["tails"] == 0


def test_streams_give_the_mel_of_one_pass(told: dict[str, Any]) -> None:
    """In hops, at different steps, and with a slot that no job needs."""
    assert told["streams"] < 1e-5


def test_launches_do_not_depend_on_the_slots(told: dict[str, Any]) -> None:
    """At the released size in bfloat16: eight a layer, and some twenty before and after the layers."""
    counts = told["launches"]
    assert counts["1"]["kinds"] == counts["8"]["kinds"] == counts["32"]["kinds"]
    assert 8 * 22 < counts["32"]["all"] <= 196, counts["32"]["kinds"]


def test_a_tick_never_waits_for_the_device(told: dict[str, Any]) -> None:
    """One copy goes up, which is asynchronous; nothing comes down."""
    assert [(told["launches"][hops]["uploads"], told["launches"][hops]["downloads"]) for hops in ("1", "8", "32")] == [
        (1, 0)
    ] * 3


def test_kernels_compile_for_cards_once_a_data_type(tmp_path: Path) -> None:
    """From a T4 to an RTX 5090, within the shared memory that a program may take there. Compiling a kernel takes up to
    ten seconds, so none is compiled for the values of integers. Those of a tensor's axes have two forms."""
    found = printed("compiled.py", {"TRITON_CACHE_DIR": str(tmp_path)})
    shared = found["shared"]
    assert max(shared["75 fp32"].values()) <= 64 << 10
    assert max(max(shared[card].values()) for card in ("80 bf16", "90 bf16", "120 bf16")) <= 99 << 10
    axes = ["row_stride", "slot_stride", "frame_stride", "dim_stride"]
    assert found["varying"] == {"_conv_input": axes, "_add_norm": [], "_write": [], "_attend": []}
