"""What suits this CPU, with other programs in place of the one that measures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.cpu.ask import ask_flow_choice
from rtserver.engine.cpu.flow_choice import WITHOUT_BF16, FlowChoice

pytestmark = pytest.mark.command

FAILS = "raise SystemExit('no room')"


def ask(cache: Path, program: str, flags: tuple[str, ...] = ("amx_bf16",), patience_s: float = 30.0) -> FlowChoice:
    """Asks a program of one line."""
    model = ModelConfig.load(NANO)
    asked = ask_flow_choice(model, cache, flags=flags, environment={}, program=("-c", program), patience_s=patience_s)
    return asyncio.run(asked)


def tells(float32_s: float, bfloat16_s: float) -> str:
    """A program that has measured this."""
    return f'print(\'[{{"hops": 1, "float32_s": {float32_s}, "bfloat16_s": {bfloat16_s}}}]\')'


def test_a_processor_without_bfloat16_is_not_measured(tmp_path: Path) -> None:
    """Nothing is started, and nothing kept."""
    assert ask(tmp_path, FAILS, flags=("avx512f",)) == WITHOUT_BF16
    assert not list(tmp_path.iterdir())


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    """The next start does not measure. A processor with other instructions does."""
    measured = ask(tmp_path, tells(0.004, 0.002))
    assert measured.dtype == "bfloat16" and "4.0 ms in float32 and 2.0 in bfloat16" in measured.reason
    assert ask(tmp_path, FAILS) == measured
    assert ask(tmp_path, tells(0.004, 0.004), flags=("avx512_bf16",)).dtype == "float32"


def test_a_file_that_cannot_be_read_is_measured_again(tmp_path: Path) -> None:
    """And replaced."""
    ask(tmp_path, tells(0.004, 0.004))
    (file,) = (tmp_path / "costs").iterdir()
    file.write_text("[{]")
    assert ask(tmp_path, tells(0.004, 0.002)).dtype == "bfloat16"
    assert ask(tmp_path, FAILS).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("program", "told"),
    [(FAILS, "no room"), ("print('quick')", "malformed"), ("import time; time.sleep(60)", "not done within 0.2 s")],
)
def test_a_measurement_that_fails_leaves_float32(program: str, told: str, tmp_path: Path) -> None:
    """The server starts all the same, and says why. The next start tries again."""
    choice = ask(tmp_path, program, patience_s=0.2 if "sleep" in program else 30.0)
    assert choice.dtype == "float32" and told in choice.reason
    assert not list(tmp_path.iterdir())
