"""What the flow calculates in on a CPU: bfloat16 where the processor has it and it is clearly faster. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cosyvoice.config import Dtype

# Instructions that multiply bfloat16, as Linux names them: those of AMX and of AVX-512.
BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
# Values of ONEDNN_MAX_CPU_ISA under which oneDNN uses neither.
_ISA_WITHOUT_BF16 = frozenset({"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"})
# A smaller gain is not worth the rounding.
LEAST_GAIN = 1.2


def isa_limit(environment: Mapping[str, str]) -> str:
    """The most instructions that oneDNN may use, by its own name for them; empty for all."""
    return environment.get("ONEDNN_MAX_CPU_ISA", environment.get("DNNL_MAX_CPU_ISA", "")).upper()


def multiplies_bf16(flags: Collection[str], environment: Mapping[str, str]) -> bool:
    """Whether oneDNN has instructions for products in bfloat16. Without them it converts to float32 and back, which is
    slower than float32. flags: of the processor. environment: may limit the instructions that oneDNN uses."""
    return not BF16_FLAGS.isdisjoint(flags) and isa_limit(environment) not in _ISA_WITHOUT_BF16


@dataclass(frozen=True)
class StepTimes:
    """Seconds of an Euler step of this many hops in both data types."""

    hops: int
    float32_s: float
    bfloat16_s: float

    @property
    def gain(self) -> float:
        """How many times as fast bfloat16 is."""
        return self.float32_s / self.bfloat16_s

    def __str__(self) -> str:
        hops = "1 hop" if self.hops == 1 else f"{self.hops} hops"
        return f"{1000 * self.float32_s:.1f} ms in float32 and {1000 * self.bfloat16_s:.1f} in bfloat16 for {hops}"


@dataclass(frozen=True)
class FlowChoice:
    """A data type, and why."""

    dtype: Dtype
    reason: str

    @classmethod
    def of(cls, times: Sequence[StepTimes]) -> FlowChoice:
        """From what was measured. bfloat16 must be faster at every number of hops."""
        faster = bool(times) and all(time.gain >= LEAST_GAIN for time in times)
        told = ", ".join(str(time) for time in times)
        return cls("bfloat16" if faster else "float32", f"a part of an Euler step takes {told}")

    def __str__(self) -> str:
        return f"calculates in {self.dtype}: {self.reason}"


WITHOUT_BF16 = FlowChoice("float32", "this processor has no products in bfloat16")
