"""`rtserver serve --dry-run`, on a machine without a GPU."""

from __future__ import annotations

import json

import pytest

from rtserver.commands.cli import main

RELEASED = ("--model", "Fun-CosyVoice3-0.5B")


def run(*arguments: str) -> int:
    """Of the command, after `serve`."""
    return main(["serve", *arguments])


def test_the_plan_is_printed_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """For a card that is not here, and a checkpoint that is not here."""
    assert run("--dry-run", *RELEASED, "--card", "rtx 4090") == 0
    told = capsys.readouterr().out
    assert told.startswith("Planned, not measured: Fun-CosyVoice3-0.5B on NVIDIA GeForce RTX 4090 (24564 MiB")
    assert "33 realtime streams" in told


def test_the_plan_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With the settings that the server would have."""
    arguments = ("--memory-gb", "24", "--max-streams", "4", "--flow-dtype", "float32", "--gpu-memory-share", "0.8")
    assert run("--dry-run", "json", *RELEASED, *arguments) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["streams"]) == ("planned", 4)
    assert (told["talker_dtype"], told["flow_dtype"]) == ("bfloat16", "float32")
    assert sum(item["mib"] for item in told["items"] if item["part"] != "spare") <= 0.8 * 24e9 / (1 << 20)


def test_a_part_of_a_known_card(capsys: pytest.CaptureFixture[str]) -> None:
    """--memory-gb with --card: as much of that card."""
    assert run("--dry-run", "json", *RELEASED, "--card", "h100", "--memory-gb", "20") == 0
    card = json.loads(capsys.readouterr().out)["card"]
    assert (card["name"], card["memory_mib"]) == ("NVIDIA H100 80GB HBM3", 19073)


def test_the_embedded_voice_has_a_plan_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Of its own sizes."""
    assert run("--dry-run", "--card", "rtx 3060") == 0
    assert "128 realtime streams" in capsys.readouterr().out


def test_a_cpu_has_no_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what runs there. The tests hide the bfloat16 of processors that have it."""
    assert run("--dry-run", "--device", "cpu") == 0
    told = capsys.readouterr().out
    assert "CPU: talker in float32, flow in float32 (this processor has no products in bfloat16), 32 realtime" in told
    assert run("--dry-run", "--device", "cpu", "--flow-dtype", "bfloat16", "--talker-dtype", "float16") == 0
    assert "CPU: talker in float16, flow in bfloat16, 32 realtime streams" in capsys.readouterr().out
    assert run("--dry-run", "--device", "cpu", *RELEASED) == 0
    assert "flow in float32, or bfloat16 where the processor" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--dry-run", *RELEASED, "--memory-gb", "3"), "does not fit on a card of 3 GB"),
        (("--dry-run", *RELEASED, "--card", "t4", "--talker-dtype", "bfloat16"), "has no bfloat16"),
        (("--dry-run", "--card", "voodoo"), "expected a name of one of these"),
        (("--dry-run", "--memory-gb", "-1"), "expected more than 0 GB"),
        (("--card", "h100"), "--card: expected --dry-run with it"),
        (("--memory-gb", "3"), "--memory-gb: expected --dry-run with it"),
        (("--dry-run", "--model", "/nonexistent/model"), "expected a model directory"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1."""
    assert run(*arguments) == 1
    assert told in capsys.readouterr().err
