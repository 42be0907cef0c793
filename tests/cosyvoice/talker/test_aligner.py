"""The aligner while tokens come, and loading it from a model directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cosyvoice.checkpoint import ALIGNER_FILE
from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO
from cosyvoice.talker.aligner import SLOTS_PER_TOKEN, Aligner, AlignerConfig, AlignerStream, load_aligner


def random_aligner() -> Aligner:
    torch.manual_seed(0)
    return Aligner(AlignerConfig(speech_tokens=30, classes=12, dim=16)).eval()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The embedded checkpoint's configuration with an aligner of random weights."""
    config = ModelConfig.load(NANO).talker
    for name in ("cosyvoice3.yaml", "serving.json"):
        shutil.copy(NANO / name, tmp_path)
    shutil.copytree(NANO / "CosyVoice-BlankEN", tmp_path / "CosyVoice-BlankEN")
    state = Aligner(AlignerConfig(config.speech_tokens, config.text_rows)).state_dict()
    save_file({k: v.half() for k, v in state.items()}, tmp_path / ALIGNER_FILE)
    return tmp_path


@pytest.mark.parametrize("hops", [[120], [13, 38, 63, 88, 113, 120], [1, 2, 3, 40, 41, 120]])
def test_hop_by_hop_it_says_what_it_says_of_the_whole(hops: list[int]) -> None:
    """Each slot comes once, with the same numbers, though every hop computes only a few tokens before its own."""
    aligner = random_aligner()
    tokens = [(7 * i * i + 3) % 30 for i in range(120)]
    with torch.no_grad():
        whole = aligner(torch.tensor([tokens]))[0].numpy()
    stream = AlignerStream(aligner)
    pieces = [stream.feed(tokens[: hop + 3], hop, final=hop == 120) for hop in hops]
    assert [len(piece) for piece in pieces] == [SLOTS_PER_TOKEN * n for n in np.diff([0, *hops])]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_nothing_new_gives_no_slots() -> None:
    """A hop that was read before is not read again."""
    stream = AlignerStream(random_aligner())
    assert len(stream.feed([1] * 8, 5)) == 10
    assert stream.feed([1] * 8, 5).shape == (0, 12)


def test_it_does_not_read_beyond_its_lookahead() -> None:
    """Too few tokens ahead are an error unless there are no more."""
    stream = AlignerStream(random_aligner())
    with pytest.raises(ValueError, match="expected 3 tokens after 5, found 2"):
        stream.feed([1] * 7, 5)
    assert len(stream.feed([1] * 7, 7, final=True)) == 14


@pytest.mark.model
def test_a_directory_may_have_an_aligner(directory: Path) -> None:
    """It loads in full precision, ready to run; without the file there is none."""
    aligner = load_aligner(ModelConfig.load(directory))
    assert aligner is not None and not aligner.training and aligner.head.weight.dtype == torch.float32
    (directory / ALIGNER_FILE).unlink()
    assert load_aligner(ModelConfig.load(directory)) is None


@pytest.mark.model
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm.weight": torch.zeros(7)}, r"norm.weight: expected shape \(160,\), found \(7,\)"),
        ({"extra": torch.zeros(1)}, r"unexpected extra"),
        ({"norm.weight": torch.full((160,), torch.nan)}, r"norm.weight: expected finite numbers, found nan"),
    ],
)
def test_weights_that_do_not_fit_are_named(directory: Path, change: dict[str, torch.Tensor], message: str) -> None:
    """Another shape, a tensor too many, or no number: the error names the file and what was found."""
    path = directory / ALIGNER_FILE
    save_file({**load_file(path), **change}, path)
    with pytest.raises(CheckpointError, match=rf"{ALIGNER_FILE}: .*{message}"):
        load_aligner(ModelConfig.load(directory))


@pytest.mark.model
def test_it_looks_no_further_ahead_than_the_flow(directory: Path) -> None:
    """Tokens that a hop does not wait for are not there."""
    path = directory / "cosyvoice3.yaml"
    path.write_text(path.read_text().replace("pre_lookahead_len: 3", "pre_lookahead_len: 2"))
    with pytest.raises(CheckpointError, match=r"expected at most 2 tokens of look-ahead.*found 3"):
        load_aligner(ModelConfig.load(directory))


def test_text_that_is_no_phonemes_has_no_aligner(directory: Path) -> None:
    """An aligner beside a checkpoint that reads characters is a mistake, and said to be one."""
    (directory / "serving.json").unlink()
    with pytest.raises(CheckpointError, match="expected text ids that are phonemes"):
        load_aligner(ModelConfig.load(directory))
