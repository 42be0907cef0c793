"""All comparisons with recorded numbers of the original."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from cosyvoice.parity.end_to_end import end_to_end_cases
from cosyvoice.parity.flow import flow_cases
from cosyvoice.parity.frontend import frontend_cases
from cosyvoice.parity.golden import Case, Golden
from cosyvoice.parity.talker import talker_cases
from cosyvoice.parity.vocoder import vocoder_cases


@torch.no_grad()
def parity_cases(directory: Path) -> Iterator[Case]:
    """All cases of a directory, fp32 on the CPU. CheckpointError for a fixture that is missing or broken."""
    golden = Golden(directory)
    yield from frontend_cases(golden)
    yield from talker_cases(golden)
    yield from flow_cases(golden)
    yield from vocoder_cases(golden)
    yield from end_to_end_cases(golden)
