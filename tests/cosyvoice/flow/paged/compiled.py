"""Compiles the Triton kernels for some cards, which needs none of them. Prints the bytes of shared memory that each
takes, and the integers for whose values Triton would compile it again, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler import compile as compile_kernel

from cosyvoice.flow.paged import triton_kernels

# Compute capabilities and data types: T4, A100, H100, RTX 5090.
CARDS = ((75, "fp32"), (80, "bf16"), (90, "bf16"), (120, "bf16"))
HEADS = {"FRAMES": 50, "HEADS": 16, "HEAD_DIM": 64}
# Of the kernels: what is of the flow's data type, of float32, of int32, and constants.
KERNELS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "_conv_input": (
        "x tails padded",
        "",
        "context tails_out",
        {"FRAMES": 50, "DIM": 1024, "TAIL": 30, "BLOCK_FRAMES": 128, "BLOCK_DIM": 32},
    ),
    "_add_norm": (
        "out gates modulation normed",
        "h",
        "steps",
        {"FRAMES": 50, "DIM": 1024, "EPS": 1e-6, "ADD": True, "BLOCK": 1024},
    ),
    "_write": ("qkv sheets", "rotation", "own_sheets first_frames", {**HEADS, "BLOCK": 1024}),
    "_attend": (
        "qkv sheets out",
        "rotation",
        "tables table_lengths last_frames first_frames",
        {**HEADS, "BLOCK_FRAMES": 64},
    ),
}


def signature(name: str, dtype: str) -> dict[str, str]:
    """The type of each argument of a kernel."""
    own, full, integers, constants = KERNELS[name]
    types = dict.fromkeys(own.split(), "*" + dtype) | dict.fromkeys(full.split(), "*fp32")
    types |= dict.fromkeys(integers.split(), "*i32") | dict.fromkeys(constants, "constexpr")
    # What remains are integers, but for the factor of the scores.
    other = {"scale": "fp32"} if name == "_attend" else {}
    return {argument: (types | other).get(argument, "i32") for argument in _kernel(name).arg_names}


def shared_bytes(name: str, capability: int, dtype: str) -> int:
    """Raises what the compiler raises."""
    kernel = _kernel(name)
    constants = {(kernel.arg_names.index(constant),): value for constant, value in KERNELS[name][3].items()}
    source = ASTSource(kernel, signature(name, dtype), constants, {})
    return int(compile_kernel(source, target=GPUTarget("cuda", capability, 32)).metadata.shared)


def varying(name: str) -> list[str]:
    """The integers for whose values a kernel would be compiled again."""
    types = signature(name, "fp32")
    return [p.name for p in _kernel(name).params if types[p.name] == "i32" and not p.do_not_specialize]


def _kernel(name: str) -> Any:
    return getattr(triton_kernels, name)


if __name__ == "__main__":
    told = {
        "shared": {
            f"{capability} {dtype}": {name: shared_bytes(name, capability, dtype) for name in KERNELS}
            for capability, dtype in CARDS
        },
        "varying": {name: varying(name) for name in KERNELS},
    }
    json.dump(told, sys.stdout)
