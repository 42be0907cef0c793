"""Prompts as bytes, and the folder that keeps them."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.voice.keeping import KeepingLimits, prune
from cosyvoice.voice.prompt import Prompt
from cosyvoice.voice.prompt_cache import PromptCache, pack_prompt, unpack_prompt


def prompt(tokens: int = 3, transcript: str = "你好") -> Prompt:
    mel = torch.arange(2.0 * tokens)[:, None].expand(-1, 80).contiguous()
    return Prompt(transcript, tuple(range(tokens)), mel, torch.arange(192.0), added_silence_s=0.11)


def same(one: Prompt | None, other: Prompt) -> bool:
    assert one is not None
    texts = [(p.transcript, p.speech_tokens, p.added_silence_s) for p in (one, other)]
    return texts[0] == texts[1] and torch.equal(one.mel, other.mel) and torch.equal(one.speaker, other.speaker)


@pytest.mark.parametrize("tokens", [0, 1, 750])
def test_a_prompt_survives_as_bytes(tokens: int) -> None:
    """All of it comes back, in other memory than the bytes'."""
    found = unpack_prompt(pack_prompt(prompt(tokens)))
    assert (found.transcript, found.speech_tokens, found.added_silence_s) == ("你好", tuple(range(tokens)), 0.11)
    assert torch.equal(found.mel, prompt(tokens).mel) and torch.equal(found.speaker, torch.arange(192.0))
    found.speaker.fill_(0)
    assert unpack_prompt(pack_prompt(prompt(tokens))).speaker[1] == 1


@given(st.integers(0, 2000))
def test_torn_bytes_are_no_prompt(cut: int) -> None:
    """Bytes that end early are refused with their number."""
    data = pack_prompt(prompt(1))
    data = data[: cut % len(data)]
    with pytest.raises(ValueError, match=f"expected a packed prompt, found {len(data)} bytes"):
        unpack_prompt(data)


@given(st.binary(max_size=100))
def test_other_bytes_are_no_prompt(data: bytes) -> None:
    """No bytes raise anything else."""
    with pytest.raises(ValueError, match="expected a packed prompt"):
        unpack_prompt(data)


def test_what_is_put_is_there(tmp_path: Path) -> None:
    """For other caches of the folder too, under its key only, and in one file."""
    PromptCache(tmp_path / "made").put("a", prompt())
    cache = PromptCache(tmp_path / "made")
    assert "a" in cache and "b" not in cache
    assert same(cache.get("a"), prompt()) and cache.get("b") is None
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.safetensors"]


def test_the_least_recently_used_goes(tmp_path: Path) -> None:
    """Beyond the bound the one that was neither put nor got for longest is deleted; what a crash left behind too."""
    size_bytes = len(pack_prompt(prompt()))
    cache = PromptCache(tmp_path, KeepingLimits(time.time(), 3 * size_bytes))
    for age, key in enumerate("cba"):
        cache.put(key, prompt())
        os.utime(tmp_path / f"{key}.safetensors", (1000 + age, 1000 + age))
    (tmp_path / "half.tmp").write_text("x")
    os.utime(tmp_path / "half.tmp", (1, 1))
    assert cache.get("c") is not None  # the oldest is used again
    cache.put("d", prompt())
    assert {path.stem for path in tmp_path.iterdir()} == {"a", "c", "d"}


def test_what_was_not_used_for_long_goes(tmp_path: Path) -> None:
    """When another is put, and when somebody prunes."""
    limits = KeepingLimits(most_age_s=100.0)
    cache = PromptCache(tmp_path, limits)
    for key, age_s in (("old", 101), ("new", 50)):
        cache.put(key, prompt())
        os.utime(tmp_path / f"{key}.safetensors", (time.time() - age_s,) * 2)
    cache.put("newest", prompt())
    assert {path.stem for path in tmp_path.iterdir()} == {"new", "newest"}
    prune(tmp_path, limits, time.time() + 51)
    assert {path.stem for path in tmp_path.iterdir()} == {"newest"}
    prune(tmp_path / "none", limits, 0.0)


@pytest.mark.parametrize("limits", [KeepingLimits(most_age_s=0.0), KeepingLimits(most_bytes=0)])
def test_a_limit_of_none_writes_nothing(limits: KeepingLimits, tmp_path: Path) -> None:
    """The voice of a person never comes to the disk."""
    PromptCache(tmp_path / "made", limits).put("a", prompt())
    assert not (tmp_path / "made").exists()


def test_only_this_user_can_read_a_prompt(tmp_path: Path) -> None:
    """The folder and its files, also in a folder that was made with other rights before."""
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new"):
        PromptCache(tmp_path / name, KeepingLimits()).put("a", prompt())
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / name / "a.safetensors").stat().st_mode) == 0o600


def test_without_a_bound_all_stay(tmp_path: Path) -> None:
    """Nothing is deleted."""
    cache = PromptCache(tmp_path)
    for key in map(str, range(20)):
        cache.put(key, prompt(0))
    assert all(str(key) in cache for key in range(20))


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither reading nor writing is an error; the log says what was not cached."""
    (tmp_path / "file").touch()
    cache = PromptCache(tmp_path / "file" / "voices")
    assert cache.get("a") is None and caplog.text == ""
    cache.put("a", prompt())
    assert "a.safetensors: not cached" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"x" * 1000])
def test_a_damaged_prompt_is_not_there(damage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is as if it had never been, but for the log; the next one takes its place."""
    cache = PromptCache(tmp_path)
    cache.put("a", prompt())
    (tmp_path / "a.safetensors").write_bytes(damage)
    assert cache.get("a") is None and "a.safetensors: damaged" in caplog.text
    cache.put("a", prompt())
    assert same(cache.get("a"), prompt())
