"""The processor's name in reports, and that settings which limit its instructions are obeyed."""

import os
from pathlib import Path

import pytest
import torch

from cosyvoice.parity import processor
from cosyvoice.parity.processor import describe_processor, processor_flags, processor_name


def test_model_and_instructions_are_read_from_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first processor's model and flags; a machine without the file still has a name."""
    path = tmp_path / "cpuinfo"
    one = "processor\t: {}\nmodel name\t: Some CPU @ 2: fast\nvmx flags\t: ept\nflags\t\t: fpu avx2\n\n"
    path.write_text(one.format(0) + one.format(1), encoding="utf-8")
    monkeypatch.setattr(processor, "_CPUINFO", path)
    assert processor_name() == "Some CPU @ 2: fast" and processor_flags() == {"fpu", "avx2"}
    path.unlink()
    assert processor_name() and processor_flags() == frozenset()


def test_the_description_names_what_decides_about_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, torch's version and instruction set, and the settings that are set."""
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    told = describe_processor()
    assert processor_name() in told and torch.__version__ in told and "MKL_CBWR=COMPATIBLE" in told
    assert torch.backends.cpu.get_cpu_capability() in told


@pytest.mark.skipif("ATEN_CPU_CAPABILITY" not in os.environ, reason="ATEN_CPU_CAPABILITY is not set")
def test_torch_obeys_the_setting() -> None:
    """torch computes with the instructions that the environment asks for (tests/cosyvoice/test_processors.py)."""
    assert torch.backends.cpu.get_cpu_capability().lower() == os.environ["ATEN_CPU_CAPABILITY"]
