"""Which GPU the server has, with other programs in place of the one that asks PyTorch."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rtserver.engine.api import EngineError
from rtserver.engine.card.ask import ask_card
from rtserver.engine.card.cards import Card

pytestmark = pytest.mark.command

_HERE = (Path(__file__),)
_NOWHERE = (Path("/nonexistent"),)
_T4 = 'print(\'{"name": "Tesla T4", "memory_mib": 14930, "capability": [7, 5], "free_mib": 14000}\')'


def ask(device: str, program: str, files: tuple[Path, ...] = _HERE, patience_s: float = 30.0) -> Card | None:
    """Asks a program of one line."""
    return asyncio.run(ask_card(device, files, ("-c", program), patience_s))  # type: ignore[arg-type]


def test_the_card_is_what_the_program_tells() -> None:
    """Name, memory, free memory and compute capability."""
    assert ask("auto", _T4) == Card("Tesla T4", 14930, (7, 5), 14000)
    assert ask("cuda", _T4, _NOWHERE) == Card("Tesla T4", 14930, (7, 5), 14000)


def test_without_a_driver_nothing_is_started() -> None:
    """On a CPU, and where the settings say cpu, the start takes no longer."""
    fails = "raise SystemExit(1)"
    assert ask("auto", fails, _NOWHERE) is None
    assert ask("cpu", fails) is None


def test_a_gpu_that_is_wanted_and_missing_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """With auto the CPU is taken, and the log says why, because the driver may be too old for this PyTorch."""
    assert ask("auto", "print('null')") is None
    assert "there is an NVIDIA driver" in caplog.text
    with pytest.raises(EngineError, match="expected a GPU"):
        ask("cuda", "print('null')")


def test_a_driver_that_fails_is_told() -> None:
    """With the program's last words, and how to do without."""
    with pytest.raises(EngineError, match=r"cannot be used \(SystemExit: no driver.*cpu"):
        ask("auto", "import sys; print('SystemExit: no driver', file=sys.stderr); sys.exit(1)")
    with pytest.raises(EngineError, match=r"did not answer within 0\.2 s"):
        ask("auto", "import time; time.sleep(60)", patience_s=0.2)


def test_pytorch_answers_on_this_machine() -> None:
    """The real program: a card, or none."""
    found = asyncio.run(ask_card("auto", _HERE))
    assert found is None or found.memory_mib > 0
