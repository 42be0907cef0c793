"""The npm package of `clients/js`: built, packed, and installed in a clean folder.

The folder lies in `.venv-clients/`. It is made when a test first needs it, and made anew when the package changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_SOURCE = _ROOT / "clients" / "js"
_FOLDERS = _ROOT / ".venv-clients"
# Node 20 has no WebSocket of its own.
_SOCKETS = "ws@8.23.0"
# What npm prints where it cannot reach a registry. Any other failure fails the test.
_UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ECONNRESET")


def npm_package() -> Path:
    """A folder with `installed`, whose `node_modules` has the package and `ws`, and `source`, where it was built, with
    TypeScript. Skips the test if there is no npm, or no registry can be reached."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm: ./scripts/setup browser")
    digest = hashlib.sha256(_SOCKETS.encode())
    for path in _files():
        digest.update(f"{path.relative_to(_SOURCE)}\0".encode() + path.read_bytes())
    folder = _FOLDERS / f"js-{digest.hexdigest()[:12]}"
    _FOLDERS.mkdir(exist_ok=True)
    with (_FOLDERS / "js.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for older in _FOLDERS.glob("js-*"):
                shutil.rmtree(older)
            _make(folder)
    return folder


def _files() -> list[Path]:
    """What the package is made of: its sources, and nothing that npm has made."""
    made = {"node_modules", "dist"}
    found = [path for path in _SOURCE.rglob("*") if made.isdisjoint(path.relative_to(_SOURCE).parts)]
    return sorted(path for path in found if path.is_file())


def _make(folder: Path) -> None:
    """All or nothing."""
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    for path in _files():
        copy = half / "source" / path.relative_to(_SOURCE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    installed = half / "installed"
    installed.mkdir()
    (installed / "package.json").write_text('{"private": true, "type": "module"}\n')
    _npm(half / "source", "ci")
    _npm(half / "source", "pack", "--pack-destination", str(half))
    (tarball,) = half.glob("*.tgz")
    _npm(installed, "install", str(tarball), _SOCKETS)
    half.rename(folder)


def _npm(folder: Path, *arguments: str) -> None:
    command = ["npm", *arguments, "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ)
    if done.returncode:
        if any(sign in done.stderr for sign in _UNREACHABLE):
            pytest.skip("the npm registry cannot be reached")
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
