"""The tolerant reader of hyperpyyaml."""

from pathlib import Path

import pytest

from cosyvoice.errors import CheckpointError
from cosyvoice.hyperyaml import load_hyperyaml


def read(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return load_hyperyaml(path)


def test_tags_become_plain_data(tmp_path: Path) -> None:
    """`!new:`, `!name:` and `!apply:` keep their arguments and run nothing."""
    marker = tmp_path / "ran"
    raw = read(
        tmp_path,
        f"a: !new:some.Class\n  size: 3\nb: !apply:os.system [touch {marker}]\nc: !name:f.g\n  x: [1, 2]\n",
    )
    assert raw == {"a": {"size": 3}, "b": [f"touch {marker}"], "c": {"x": [1, 2]}}
    assert not marker.exists()


def test_references_are_resolved(tmp_path: Path) -> None:
    """A reference is its target, dotted names reach inside, and `*` multiplies."""
    raw = read(tmp_path, "a: 25\nb:\n  c: 2\nd: !ref <a> * <b.c>\ne: [!ref <a>]\nf: !ref <d>\n")
    assert raw["d"] == 50 and raw["e"] == [25] and raw["f"] == 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1\n", "expected a mapping"),
        ("a: !ref <b>\n", "names <b>, found no such key"),
        ("a: !ref __import__('os')\n", "expected a !ref of names and numbers"),
        ("a: !ref <a>\n", "deeper than 32"),
        ("a: [1\n", "expected yaml"),
        ("a: !!python/object/apply:os.getcwd []\n", "expected yaml"),
        ("", "expected a mapping"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    """Every fault names the file, what was expected and what was found."""
    with pytest.raises(CheckpointError, match=message) as caught:
        read(tmp_path, text)
    assert "x.yaml" in str(caught.value)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    """No file, and a file that is no text."""
    with pytest.raises(CheckpointError, match="no such file"):
        load_hyperyaml(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="UTF-8"):
        load_hyperyaml(tmp_path / "b.yaml")
