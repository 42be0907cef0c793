"""What the flow calculates in on a CPU, from the processor's flags and from times."""

from __future__ import annotations

import pytest

from rtserver.engine.cpu.flow_choice import FlowChoice, StepTimes, isa_limit, multiplies_bf16

ICE_LAKE = {"avx2", "avx512f", "avx512_vnni"}


@pytest.mark.parametrize(
    ("flags", "environment", "multiplies"),
    [
        ({"avx2", "fma"}, {}, False),
        (ICE_LAKE, {}, False),
        (set(), {}, False),
        (ICE_LAKE | {"avx512_bf16"}, {}, True),
        (ICE_LAKE | {"amx_tile", "amx_bf16"}, {}, True),
        (ICE_LAKE | {"amx_tile", "amx_int8"}, {}, False),
        (ICE_LAKE | {"amx_bf16"}, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, False),
        (ICE_LAKE | {"amx_bf16"}, {"DNNL_MAX_CPU_ISA": "avx2"}, False),
        (ICE_LAKE | {"amx_bf16"}, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, True),
        (ICE_LAKE | {"amx_bf16"}, {"ONEDNN_MAX_CPU_ISA": "ALL"}, True),
    ],
)
def test_the_flags_say_whether_there_is_bfloat16(
    flags: set[str], environment: dict[str, str], multiplies: bool
) -> None:
    """Unless the environment keeps oneDNN from using it."""
    assert multiplies_bf16(flags, environment) is multiplies


@pytest.mark.parametrize(
    ("times", "dtype"),
    [
        ([], "float32"),
        ([StepTimes(1, 0.012, 0.010), StepTimes(4, 0.040, 0.020)], "bfloat16"),
        ([StepTimes(1, 0.0119, 0.010), StepTimes(4, 0.040, 0.020)], "float32"),
        ([StepTimes(1, 0.030, 0.010), StepTimes(4, 0.040, 0.040)], "float32"),
        ([StepTimes(1, 0.005, 0.010)], "float32"),
    ],
)
def test_bfloat16_must_be_faster_by_a_fifth_for_every_number_of_hops(times: list[StepTimes], dtype: str) -> None:
    """Else float32, also where nothing was measured."""
    assert FlowChoice.of(times).dtype == dtype


def test_the_line_has_both_times() -> None:
    """For the log."""
    choice = FlowChoice.of([StepTimes(1, 0.004, 0.002), StepTimes(4, 0.016, 0.0062)])
    assert str(choice) == (
        "calculates in bfloat16: a part of an Euler step takes 4.0 ms in float32 and 2.0 in bfloat16 for 1 hop, "
        "16.0 ms in float32 and 6.2 in bfloat16 for 4 hops"
    )


def test_both_names_of_onednn_s_limit_count() -> None:
    """The newer one first. Times are kept apart by it, however it is written."""
    assert isa_limit({}) == ""
    assert isa_limit({"DNNL_MAX_CPU_ISA": "avx2"}) == "AVX2"
    assert isa_limit({"DNNL_MAX_CPU_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "ALL"}) == "ALL"
