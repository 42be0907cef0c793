"""The memory plan: arithmetic only, no GPU. The same table stands in docs/settings.md."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rtserver.engine.card.cards import KNOWN_CARDS, Card, find_card
from rtserver.engine.card.memory_plan import DoesNotFit, MemoryPlan, PlanSettings, plan_memory
from rtserver.engine.card.model_sizes import RELEASED
from rtserver.engine.card.plan_text import plan_json, plan_table

_PAGE = Path(__file__).parents[4] / "docs/settings.md"
_KV = "keys and values"

# Card, data type of talker and flow, streams, MiB of the talker's and of the flow's keys and values.
PLANNED = [
    ("H200", "bfloat16", 128, 1536, 129749),
    ("H100", "bfloat16", 128, 1536, 70648),
    ("A100 80GB", "bfloat16", 128, 1536, 70991),
    ("A100 40GB", "bfloat16", 61, 732, 32943),
    ("L40S", "bfloat16", 70, 840, 37627),
    ("RTX 5090", "bfloat16", 47, 564, 25455),
    ("RTX 4090", "bfloat16", 33, 396, 18262),
    ("T4", "float32", 7, 256, 8823),
    ("RTX 3060", "bfloat16", 12, 256, 7160),
    ("8.5 GB", "bfloat16", 5, 256, 3327),
]


def card_of(name: str) -> Card:
    """By name, or of so many GB."""
    return Card.of_size(float(name.removesuffix(" GB"))) if name.endswith(" GB") else find_card(name)


@pytest.mark.parametrize(("name", "dtype", "streams", "talker_mib", "flow_mib"), PLANNED, ids=lambda v: str(v))
def test_the_released_checkpoint_on_each_card(
    name: str, dtype: str, streams: int, talker_mib: int, flow_mib: int
) -> None:
    """Data types, streams, and the keys and values of talker and flow."""
    plan = plan_memory(card_of(name), RELEASED, PlanSettings())
    assert (plan.talker_dtype, plan.flow_dtype, plan.streams) == (dtype, dtype, streams)
    assert (plan.mib("talker", _KV), plan.mib("acoustic", _KV)) == (talker_mib, flow_mib)


def test_the_page_has_the_same_table() -> None:
    """docs/settings.md shows operators the numbers of PLANNED."""
    rows = re.findall(r"^\| (.+?) \| (\w+) \| (\d+) \| (\d+) \| (\d+) \|$", _PAGE.read_text(), re.MULTILINE)
    assert [(name, dtype, *map(int, numbers)) for name, dtype, *numbers in rows] == PLANNED


@pytest.mark.parametrize("card", KNOWN_CARDS, ids=lambda card: card.name)
def test_the_parts_are_the_whole_card(card: Card) -> None:
    """All lines add up to the card's memory, and at least 256 MiB and 5 % stay free."""
    plan = plan_memory(card, RELEASED, PlanSettings())
    assert sum(item.mib for item in plan.items) == card.memory_mib
    assert plan.mib("spare") >= max(256, 0.05 * card.memory_mib - 1)


@pytest.mark.parametrize("card", KNOWN_CARDS, ids=lambda card: card.name)
def test_a_talker_can_start_again_beside_a_full_acoustic_process(card: Card) -> None:
    """The acoustic process has taken all that its share allows: what is left, without the new talker's own CUDA
    context, is what vLLM demands."""
    plan = plan_memory(card, RELEASED, PlanSettings())
    context_mib = plan.mib("talker", "CUDA context")
    acoustic_mib = plan.mib("acoustic", "CUDA context") + plan.acoustic_share * card.memory_mib
    free_mib = card.memory_mib - acoustic_mib - context_mib
    assert free_mib >= plan.talker_share * card.memory_mib


def test_each_stream_has_room_for_a_reply() -> None:
    """Beside the voices' prompts, 6 s for each of the planned streams."""
    for card in KNOWN_CARDS:
        plan = plan_memory(card, RELEASED, PlanSettings())
        assert plan.context_s >= 6 * plan.streams


def test_pages_bring_room_for_tails_and_blocks_do_not() -> None:
    """A second takes its keys and values, and with pages a set of tails too; a stream takes two pages at least."""
    card = find_card("rtx 3060")
    pages, blocks = (plan_memory(card, RELEASED, PlanSettings(flow_pages=pages)) for pages in (True, False))
    assert [round(plan.flow_second_mib, 1) for plan in (pages, blocks)] == [88.3, 85.9]
    assert (pages.streams, blocks.streams) == (12, 13)
    assert (pages.mib("acoustic", "pages of last hops"), blocks.mib("acoustic", "pages of last hops")) == (25, 0)


def test_a_card_that_others_use_gives_what_is_free() -> None:
    """The plan takes no more than the free part, and one stream less room is no stream more."""
    card = find_card("rtx 4090")
    alone = plan_memory(card, RELEASED, PlanSettings())
    shared = plan_memory(replace(card, free_mib=12_000), RELEASED, PlanSettings())
    assert 1 <= shared.streams < alone.streams
    assert shared.mib("talker") + shared.mib("acoustic") <= 12_000 - 256
    assert sum(item.mib for item in shared.items) == 12_000


def test_wishes_are_kept() -> None:
    """Data types, streams, keys and values, the share of the card, and no graphs."""
    settings = PlanSettings("float32", "bfloat16", 20, 2048, 10_000, memory_share=0.5, graphs=False)
    plan = plan_memory(find_card("h100"), RELEASED, settings)
    assert (plan.talker_dtype, plan.flow_dtype, plan.streams, plan.graphs) == ("float32", "bfloat16", 20, False)
    assert (plan.mib("talker", _KV), plan.mib("acoustic", _KV)) == (2048, 10_000)
    assert plan.mib("talker", "CUDA graphs") == 0
    assert plan.mib("talker") + plan.mib("acoustic") <= 0.5 * plan.card.memory_mib


def test_more_streams_than_replies_have_room_are_granted_with_a_window() -> None:
    """4 s for each are enough where the settings want so many: 12 by themselves, 18 at most on 12 GB."""
    card = find_card("rtx 3060")
    plan = plan_memory(card, RELEASED, PlanSettings(streams=18))
    assert plan.streams == 18 and 4 * 18 <= plan.context_s < 6 * 18


@pytest.mark.parametrize(
    ("card", "settings", "told"),
    [
        (
            Card.of_size(3),
            PlanSettings(),
            "does not fit on a card of 3 GB (2861 MiB): with the talker in bfloat16 and the flow in bfloat16, "
            "processes and weights take 4293 MiB, and one stream at least 883 MiB more for keys and values; "
            "found 2605 MiB that may be used, 0 of them for keys and values. What helps: a card of 5449 MiB",
        ),
        (
            find_card("rtx 3060"),
            PlanSettings(streams=100),
            "100 streams at least 35843 MiB more for keys and values; found 11673 MiB that may be used, 5176 of them "
            "for keys and values. What helps: max_streams = 18, or a card of 44569 MiB",
        ),
        (Card.of_size(6.5), PlanSettings("float32", "float32"), "bfloat16 for talker and flow"),
        (Card.of_size(5.1), PlanSettings(), "talker_graphs = false, which is slower"),
        (find_card("rtx 4090"), PlanSettings(flow_kv_mib=500), "no talker_kv_mib and kv_mib"),
        (replace(find_card("h100"), free_mib=2000), PlanSettings(), "(81559 MiB, 2000 free)"),
        (find_card("t4"), PlanSettings(flow_dtype="bfloat16"), "flow_dtype: Tesla T4 has no bfloat16"),
        (find_card("t4"), PlanSettings(talker_dtype="bfloat16"), "compute capability 7.5; it needs 8.0"),
        (
            Card("Tesla V100-SXM2-16GB", 16384, (7, 0)),
            PlanSettings(),
            "has compute capability 7.0: expected 7.5 or more",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_numbers_and_advice(card: Card, settings: PlanSettings, told: str) -> None:
    """What is needed, what is there, and which other settings would fit."""
    with pytest.raises(DoesNotFit, match=re.escape(told)):
        plan_memory(card, RELEASED, settings)


def plan() -> MemoryPlan:
    """One to print."""
    return plan_memory(Card.of_size(8.5), RELEASED, PlanSettings())


def test_the_table_says_that_nothing_is_measured() -> None:
    """The first line, the sum of each process, and where each number comes from."""
    lines = plan_table(plan()).splitlines()
    assert lines[0].startswith("Planned, not measured: Fun-CosyVoice3-0.5B on a card of 8.5 GB (8106 MiB")
    assert [line.split() for line in lines if "weights" in line] == [
        ["weights", "966", "computed"],
        ["flow", "weights", "366", "computed"],
        ["vocoder", "weights", "92", "computed"],
    ]
    assert "talker process (vLLM)                    2746 MiB" in lines
    assert lines[-1] == "5 realtime streams, 5 hops in a step, 32 s of sound in memory (88.3 MiB a second)"


def test_the_json_has_all_of_the_plan() -> None:
    """With its kind, the shares, and every line."""
    told = json.loads(plan_json(plan()))
    assert (told["kind"], told["streams"], told["flow_dtype"]) == ("planned", 5, "bfloat16")
    assert told["card"] == {
        "name": "a card of 8.5 GB",
        "memory_mib": 8106,
        "capability": [8, 0],
        "free_mib": None,
    }
    assert {item["basis"] for item in told["items"]} == {"computed", "estimated", "chosen"}
    assert sum(item["mib"] for item in told["items"]) == 8106
    assert 0 < told["talker_share"] < told["acoustic_share"] < 1
