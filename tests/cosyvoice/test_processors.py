"""The numeric tests with every instruction set that the processor has, which stands in for the processors that are not
at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cosyvoice.parity.processor import processor_flags

pytestmark = pytest.mark.command

HERE = Path(__file__).parent
# One test of every kind of computation: all golden cases, and what is compared with a plain form of itself. The rest
# runs the same computations for longer.
NUMERIC = (
    "parity/test_processor.py",
    "parity/test_parity.py::test_all_golden_cases_are_within_tolerance",
    "voice/test_features.py",
    "talker/test_sampling.py::test_a_row_does_not_depend_on_its_batch",
    "talker/test_sampling.py::test_noise_has_the_gumbel_distribution",
    "flow/test_dit.py",
    "flow/test_kernels.py",
    "flow/test_lookahead.py",
    "flow/test_ode.py",
    "vocoder/test_hift.py",
    "vocoder/test_sine_noise.py",
    "vocoder/test_source.py",
    "vocoder/test_speed.py",
    "vocoder/test_stft.py",
    "vocoder/test_weight_norm.py",
)


@dataclass(frozen=True)
class Processor:
    """What torch, MKL and oneDNN are told to compute with."""

    aten: str  # ATEN_CPU_CAPABILITY
    mkl: dict[str, str]  # MKL's settings
    onednn: str  # ONEDNN_MAX_CPU_ISA
    flags: frozenset[str] = frozenset()  # instruction sets that the processor must have, as Linux names them

    @property
    def environment(self) -> dict[str, str]:
        return {"ATEN_CPU_CAPABILITY": self.aten, **self.mkl, "ONEDNN_MAX_CPU_ISA": self.onednn}


AVX2 = frozenset({"avx2", "fma"})
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
PROCESSORS = {
    "SSE4": Processor("default", {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}, "SSE41"),
    "AVX2": Processor("avx2", {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}, "AVX2", AVX2),
    # What MKL computes on processors of other makers
    "AVX2, MKL compatible": Processor("avx2", {"MKL_CBWR": "COMPATIBLE"}, "AVX2", AVX2),
    "AVX-512": Processor("avx512", {"MKL_ENABLE_INSTRUCTIONS": "AVX512"}, "AVX512_CORE", AVX512),
    "AMX": Processor("avx512", {}, "AVX512_CORE_AMX", AVX512 | {"amx_tile", "amx_bf16"}),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_numbers_are_right_on_every_processor(name: str) -> None:
    """The numeric tests pass with the instructions of this processor."""
    processor = PROCESSORS[name]
    if lacking := processor.flags - processor_flags():
        pytest.skip(f"this processor has no {', '.join(sorted(lacking))}")
    # One thread: two test runs on the same cores would wait for each other's.
    environment = {**os.environ, **processor.environment, "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ["-p", "no:cacheprovider", "-p", "timeout", "-p", "hypothesispytest"]  # the others take a second to load
    command = [sys.executable, "-m", "pytest", *plugins, *(str(HERE / path) for path in NUMERIC)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
