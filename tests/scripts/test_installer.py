"""How pip is run and what the user sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from installer import Pip, PipError, explain, pip_environment

CHATTER = [
    "Looking in indexes: https://index/simple, file:///somewhere",
    "WARNING: Location 'file:///somewhere/aiohttp/' is ignored: it is neither a file nor a directory.",
    "Ignoring six: markers 'python_full_version >= \"3.12\"' don't match your environment",
    "Collecting aiohttp==3.14.5 (from -r requirements/cpu.txt (line 15))",
    "  Downloading aiohttp-3.14.5-cp311-cp311-manylinux2014_x86_64.whl (1.9 MB)",
    "",
]


def fake_pip(tmp_path: Path, script: str) -> tuple[Pip, list[str]]:
    """A Pip whose Python is a shell script, and the lines it shows."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    shown: list[str] = []
    return Pip(python, tmp_path / "tmp", shown.append), shown


def test_explain_drops_chatter_and_keeps_errors() -> None:
    """All that pip says about an error is shown, nothing of what it says otherwise."""
    errors = ["ERROR: Could not build wheels for jieba", "  error: command 'gcc' failed"]
    assert explain([*CHATTER, *errors]) == "pip said:\n" + "\n".join(errors)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("... [Errno -2] Name or service not known')': /simple/setuptools/", "could not be reached"),
        ("ReadTimeoutError: HTTPSConnectionPool: Read timed out.", "could not be reached"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one"),
    ],
)
def test_explain_says_what_to_do(line: str, hint: str) -> None:
    """Known causes come with a hint, before pip's own words."""
    first, *rest = explain([line]).splitlines()
    assert hint in first
    assert rest == ["pip said:", line]


def test_explain_shows_one_retry() -> None:
    """Of pip's attempts to reach an index only the last is shown."""
    retries = [f"WARNING: Retrying (Retry(total={n})) after connection broken by 'X'" for n in (2, 1, 0)]
    shown = explain([*retries, "ERROR: No matching distribution found for torch"])
    assert shown.count("Retrying") == 1
    assert "total=0" in shown


def test_pip_environment(tmp_path: Path) -> None:
    """Settings that would put packages elsewhere are dropped; the user's index settings stay."""
    environ = {"PIP_USER": "1", "PIP_TARGET": "/x", "PIP_INDEX_URL": "https://index", "PATH": "/bin"}
    expected = {"PIP_INDEX_URL": "https://index", "PATH": "/bin", "TMPDIR": str(tmp_path)}
    assert pip_environment(environ, tmp_path) == expected


@pytest.mark.command
def test_install_passes_arguments(tmp_path: Path) -> None:
    """pip gets the arguments, and never resolves dependencies itself."""
    pip, _ = fake_pip(tmp_path, f'echo "$@" > {tmp_path}/arguments')
    pip.install("-r", "cpu.txt", packages=3)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[-2:] == ["-r", "cpu.txt"]
    assert "--no-deps" in arguments


@pytest.mark.command
def test_install_fails_with_what_pip_said(tmp_path: Path) -> None:
    """A failing pip raises PipError with its words from both of its outputs."""
    pip, _ = fake_pip(tmp_path, "echo 'Collecting x'; echo 'ERROR: first'; echo 'ERROR: second' >&2; exit 1")
    with pytest.raises(PipError) as caught:
        pip.install("x", packages=1)
    assert str(caught.value) == "pip said:\nERROR: first\nERROR: second"


def test_progress_while_fetching(tmp_path: Path) -> None:
    """Packages that are there already count too, and what is fetched is measured in pip's temporary files."""
    pip, _ = fake_pip(tmp_path, "")
    (tmp_path / "tmp" / "pip-unpack-1").mkdir(parents=True)
    (tmp_path / "tmp" / "pip-unpack-1" / "a.whl").write_bytes(b"0" * 2_000_000)
    output = [*CHATTER, "Requirement already satisfied: idna==3.20 in site-packages", "Processing /wheels/b.whl"]
    assert pip.progress(output, 9).startswith("package 3 of 9, 2 MB fetched, ")


def test_progress_while_installing(tmp_path: Path) -> None:
    """Only whole packages count: pip writes RECORD last."""
    pip, _ = fake_pip(tmp_path, "")
    for name, whole in (("a-1.dist-info", True), ("b-1.dist-info", False)):
        folder = tmp_path / "lib" / "python3.11" / "site-packages" / name
        folder.mkdir(parents=True)
        if whole:
            (folder / "RECORD").touch()
    assert pip.progress(["Installing collected packages: a, b"], 2).startswith("installing, 1 packages done, ")


@pytest.mark.command
def test_install_reports_while_it_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user sees progress lines until pip ends."""
    monkeypatch.setattr("installer.REPORT_EVERY_S", 0.01)
    pip, shown = fake_pip(tmp_path, f"while [ ! -e {tmp_path}/go ]; do sleep 0.01; done")

    def say(line: str) -> None:
        shown.append(line)
        (tmp_path / "go").touch()  # the fake pip waits for the first report

    pip.say = say
    pip.install("x", packages=1)
    assert shown[0].startswith("package 0 of 1")
