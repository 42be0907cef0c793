"""spk2info.pt: whole prompts, lone embeddings, and files that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO
from cosyvoice.voice.spk2info import load_spk2info


def stored_entries() -> dict[str, dict[str, torch.Tensor]]:
    """What the embedded checkpoint's spk2info.pt holds."""
    entries: dict[str, dict[str, torch.Tensor]] = torch.load(NANO / "spk2info.pt", weights_only=True)
    return entries


def test_no_spk2info(tmp_path: Path) -> None:
    """A directory without the file stores no voices."""
    assert load_spk2info(tmp_path / "spk2info.pt", 2187) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flow_embedding": torch.zeros(1, 191)}, r"flow_embedding: expected finite numbers of shape \(1, 192\)"),
        ({"flow_embedding": torch.full((1, 192), torch.nan)}, "flow_embedding: expected finite"),
        ({"prompt_speech_feat": torch.zeros(1, 149, 80)}, r"prompt_speech_feat: .*\(1, 156, 80\), found shape"),
        ({"prompt_text": None}, "prompt_text: expected integers of shape .*, found NoneType"),
        ({"prompt_text": torch.zeros(1, 3)}, "prompt_text: expected integers .* found torch.float32"),
        ({"llm_prompt_speech_token": torch.zeros(1, 75, dtype=torch.int32)}, "expected the same speech tokens"),
        ({"flow_prompt_speech_token": torch.full((1, 75), 2187)}, "expected ids from 0 to 2186, found 2187 to 2187"),
    ],
)
def test_spk2info_is_checked(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A stored voice with a wrong tensor is refused by file, voice and key."""
    path = tmp_path / "spk2info.pt"
    torch.save({"中文女": stored_entries()["中文女"] | change}, path)
    with pytest.raises(CheckpointError, match=rf"spk2info\.pt: 中文女: .*{message}"):
        load_spk2info(path, 2187)


@pytest.mark.parametrize("content", [b"", b"no torch file", (NANO / "spk2info.pt").read_bytes()[:5000]])
def test_corrupt_spk2info(tmp_path: Path, content: bytes) -> None:
    """A file that torch cannot read is refused by name."""
    (tmp_path / "spk2info.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"spk2info\.pt: expected a dict of voices saved by torch, found"):
        load_spk2info(tmp_path / "spk2info.pt", 2187)


def test_spk2info_executes_nothing(tmp_path: Path) -> None:
    """A pickled object other than tensors is refused, not executed."""
    torch.save({"中文女": {"embedding": Path("/")}}, tmp_path / "spk2info.pt")
    with pytest.raises(CheckpointError, match="expected a dict of voices"):
        load_spk2info(tmp_path / "spk2info.pt", 2187)
