"""The environment of a child process: what its libraries read, and no secrets of the server."""

from __future__ import annotations

from collections.abc import Mapping

# Where programs, libraries, files and caches are, and the language of the system.
_NAMES = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
     "LD_PRELOAD", "MALLOC_CONF", "CC", "CXX", "CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH")
)  # fmt: skip
# Settings of Python, of the system's libraries, and of what calculates.
_PREFIXES = (
    *(
        "PYTHON",
        "LC_",
        "XDG_",
        "GLIBC_",
        "MALLOC_",
        "TCMALLOC_",
        "OMP_",
        "GOMP_",
        "KMP_",
        "MKL_",
        "OPENBLAS_",
        "ONEDNN_",
    ),
    *("DNNL_", "ATEN_", "TORCH", "PYTORCH_", "TRITON_", "CUDA", "CUBLAS_", "CUDNN_", "NVIDIA_", "NCCL_", "GLOO_"),
    *("HIP_", "ROCM_", "ROCR_", "VLLM_", "FLASHINFER_", "ORT_", "COVERAGE_"),
)
# Never passed, whatever the prefix is.
_SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")


def child_environment(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    """What a child gets of the server's environment, and the settings of its own."""
    kept = {name: value for name, value in environment.items() if _is_needed(name)}
    return {**kept, "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}


def _is_needed(name: str) -> bool:
    return (name in _NAMES or name.startswith(_PREFIXES)) and not any(word in name for word in _SECRET)
