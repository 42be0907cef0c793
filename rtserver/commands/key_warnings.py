"""What is unsafe about how a server gets its keys, or how clients send them: warnings for its operator."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rtserver.config import ServerConfig, is_loopback

ON_COMMAND_LINE = (
    "--api-key: every user of this machine can read it in the list of processes; RTSERVER_API_KEY in the environment, "
    "or for a server --api-key-file, is safer"
)


def key_warnings(config: ServerConfig, *, on_command_line: bool, settings_file: Path | None) -> Iterator[str]:
    """on_command_line: whether a key was given as an argument. settings_file: where the settings came from."""
    if on_command_line:
        yield ON_COMMAND_LINE
    if not config.api_keys:
        return
    for path in (config.api_key_file, settings_file):
        if path is not None and str(path) != "-" and _others_can_read(Path(path)):
            yield f"{path}: others than its owner can read this file with keys: chmod 600 {path}"
    if config.tls_cert is None and not is_loopback(config.host):
        yield (
            f"{config.host}: clients of other machines send their keys in clear text: give --tls-cert and --tls-key, "
            "or let them come through a proxy with TLS only"
        )


def _others_can_read(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    return False
