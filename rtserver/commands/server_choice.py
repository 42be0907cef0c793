"""Which server a command speaks through, and the options by which the user chooses it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from rtserver.config import DEFAULT_PORT


@dataclass(frozen=True)
class ServerChoice:
    """Which server a command speaks through."""

    # The address that the user gave. None: the user's own server on this machine, or a new one.
    url: str | None
    # A model directory, or nano.
    model: str = "nano"
    # For a new server; None for the default.
    cache_dir: Path | None = None
    # Whether a new server shows what its processes print.
    verbose: bool = False
    # What a new server makes ready before it speaks.
    languages: list[str] = field(default_factory=lambda: ["en", "zh"])
    voices: list[str] = field(default_factory=lambda: ["default"])


def add_speech_server(command: argparse.ArgumentParser) -> None:
    """Adds the options by which the user chooses the server."""
    command.add_argument(
        "--server", metavar="URL", help=f"a running server (default: your own on port {DEFAULT_PORT}, or a new one)"
    )
    command.add_argument(
        "--api-key", metavar="KEY",
        help="key for that server (default, and safer: RTSERVER_API_KEY of the environment)",
    )  # fmt: skip
    command.add_argument(
        "--model", default="nano", metavar="DIR|nano", help="model directory (default: the embedded voice)"
    )
    command.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="directory for prepared models (default: in ~/.cache)"
    )
    command.add_argument("-v", "--verbose", action="store_true", help="show what the engine processes print")
