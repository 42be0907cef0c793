"""What the acoustic process tells its device."""

from __future__ import annotations

import os

import pytest

from rtserver.engine.acoustic.device import give_way

NAME = "CUDA_MPS_CLIENT_PRIORITY"


def test_on_a_gpu_it_gives_way_to_the_talker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the normal priority, unless the environment has one. On a CPU nothing is set."""
    monkeypatch.setenv(NAME, "0")
    give_way("cuda")
    assert os.environ[NAME] == "0"
    monkeypatch.delenv(NAME)
    give_way("cpu")
    assert NAME not in os.environ
    give_way("cuda:0")
    assert os.environ[NAME] == "1"
    monkeypatch.delenv(NAME)
