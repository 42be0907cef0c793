"""Reading weights: every fault names the file, what was expected and what was found."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cosyvoice.checkpoint import (
    FLOW_FILES,
    check_state,
    content_hash,
    find_file,
    load_module,
    load_state,
    load_talker_state,
    talker_shapes,
)
from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO


def test_pt_and_safetensors_load_alike(tmp_path: Path) -> None:
    """Both forms give float32 tensors; integer tensors keep their type."""
    state = {"a": torch.arange(4).half(), "n": torch.arange(3)}
    torch.save(state, tmp_path / "flow.pt")
    save_file(state, tmp_path / "flow.safetensors")
    one, two = load_state(tmp_path / "flow.pt"), load_state(tmp_path / "flow.safetensors")
    assert one["a"].dtype == torch.float32 and one["n"].dtype == torch.int64
    assert all(torch.equal(one[k], two[k]) for k in state)


def test_pickled_code_does_not_run(tmp_path: Path) -> None:
    """A .pt file that would call something when unpickled is refused and has called nothing."""
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (marker,)

    with (tmp_path / "flow.pt").open("wb") as file:
        pickle.dump({"a": Bomb()}, file, protocol=2)  # the protocol torch.save writes
    with pytest.raises(CheckpointError, match=r"flow\.pt: expected a complete state dict"):
        load_state(tmp_path / "flow.pt")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["flow.pt", "flow.safetensors"])
@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_truncated_files_are_named(tmp_path: Path, name: str, kept: float) -> None:
    """A file cut anywhere says how many bytes there are."""
    path = tmp_path / name
    state = {"a": torch.randn(100, 100)}
    if path.suffix == ".pt":
        torch.save(state, path)
    else:
        save_file(state, path)
    data = path.read_bytes()
    data = data[: int(kept * len(data)) if isinstance(kept, float) else kept]
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"{name}: expected a complete state dict, found {len(data)} bytes"):
        load_state(path)


def test_not_a_state_dict(tmp_path: Path) -> None:
    """A saved list is no state dict."""
    torch.save([1, 2], tmp_path / "flow.pt")
    with pytest.raises(CheckpointError, match="expected a dict of tensors, found list"):
        load_state(tmp_path / "flow.pt")


def test_missing_files_list_what_is_there(tmp_path: Path) -> None:
    """The error lists the names looked for and the files found."""
    with pytest.raises(CheckpointError, match=r"flow\.safetensors or flow\.pt, found an empty directory"):
        find_file(tmp_path, FLOW_FILES)
    (tmp_path / "hift.pt").touch()
    with pytest.raises(CheckpointError, match=r"found hift\.pt"):
        find_file(tmp_path, FLOW_FILES)
    with pytest.raises(CheckpointError, match="no such directory"):
        find_file(tmp_path / "none", FLOW_FILES)


def test_mismatches_are_named(tmp_path: Path) -> None:
    """Missing and unexpected keys, and wrong shapes."""
    state = {"a": torch.zeros(2), "b": torch.zeros(3)}
    with pytest.raises(CheckpointError, match="missing c; unexpected b"):
        check_state(tmp_path / "x.pt", state, {"a": (2,), "c": (1,)})
    with pytest.raises(CheckpointError, match=r"x\.pt: b: expected shape \(4,\), found \(3,\)"):
        check_state(tmp_path / "x.pt", state, {"a": (2,), "b": (4,)})


def test_modules_load_strictly(tmp_path: Path) -> None:
    """A module's own keys and shapes are what is expected of a file."""
    module = torch.nn.Linear(2, 3)
    load_module(tmp_path / "x.pt", module, {"weight": torch.ones(3, 2), "bias": torch.ones(3)})
    assert module.weight.sum() == 6 and not module.weight.requires_grad
    with pytest.raises(CheckpointError, match="missing bias"):
        load_module(tmp_path / "x.pt", module, {"weight": torch.ones(3, 2)})


@pytest.mark.model
def test_the_talker_of_the_embedded_checkpoint() -> None:
    """Its tensors are those of its configuration; naming a file that is not there is an error."""
    config = ModelConfig.load(NANO)
    path, state = load_talker_state(config)
    assert path.name == "llm.safetensors" and set(state) == set(talker_shapes(config.talker))
    with pytest.raises(CheckpointError, match=r"expected llm\.rl\.pt"):
        load_talker_state(config, "llm.rl.pt")


def test_content_hash_follows_the_content(tmp_path: Path) -> None:
    """Equal bytes, equal hash."""
    for name, data in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (content_hash(tmp_path / n) for n in "abc")
    assert a == b != c
