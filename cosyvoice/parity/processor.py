"""Names the processor. Numbers differ by rounding from one to another, so their reports say on which they were made."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_SETTINGS = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA")


def processor_name() -> str:
    """The model, for example "Intel(R) Xeon(R) Processor @ 2.80GHz"."""
    return _cpuinfo("model name") or platform.machine()  # platform.processor() would start a program


def processor_flags() -> frozenset[str]:
    """The instruction sets as Linux names them, for example avx2 and avx512f; empty where it does not say."""
    return frozenset(_cpuinfo("flags").split())


def describe_processor() -> str:
    """Model, the instruction set that torch chose, its version, and settings of the environment that limit either."""
    import torch  # here, so that to name the processor alone does not load it

    settings = [f"{name}={os.environ[name]}" for name in _SETTINGS if name in os.environ]
    capability = torch.backends.cpu.get_cpu_capability()
    return ", ".join([processor_name(), f"torch {torch.__version__} with {capability}", *settings])


def _cpuinfo(key: str) -> str:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
