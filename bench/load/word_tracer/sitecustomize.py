"""Python runs this file at the start of each process whose PYTHONPATH has this folder. It records which files run.

Each process writes one file in the folder WORD_TRACER_NOTES, with a JSON object in each line. An object has the time
`s` (of the machine's monotonic clock, which all processes share) and either `file` or `path`. `file`: a file of the
package WORD_TRACER_PACKAGE that ran a function then. `path`: the objects of the package that a call passed through.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from types import FrameType
from typing import Any

BUCKET_S = 0.01  # a file or path is noted at most once in this time
# A path is noted when a method of this name is called: a word is handed on by such calls.
HANDS_ON = frozenset({"feed", "say", "write", "send"})

_package = os.environ["WORD_TRACER_PACKAGE"]
_root = os.path.dirname(_package) + os.sep
_notes = open(os.path.join(os.environ["WORD_TRACER_NOTES"], f"{os.getpid()}.jsonl"), "w", buffering=1)  # noqa: SIM115
_noted: set[tuple[object, int]] = set()


def _note(kind: str, value: str | tuple[str, ...], now_s: float) -> None:
    key = value, int(now_s / BUCKET_S)
    if key not in _noted:
        _noted.add(key)
        _notes.write(json.dumps({"s": now_s, kind: value}) + "\n")


def path_to(frame: FrameType | None, package: str) -> tuple[str, ...]:
    """The objects of `package` whose methods are on the stack, the outermost first. Each is there once, with its last
    method."""
    found: dict[int, str] = {}
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(package) and code.co_argcount and code.co_varnames[0] == "self":
            owner = frame.f_locals["self"]
            found.setdefault(id(owner), f"{type(owner).__name__}.{code.co_name}")
        frame = frame.f_back
    return tuple(reversed(found.values()))


def _on_call(frame: FrameType, event: str, argument: Any) -> None:
    code = frame.f_code
    if code.co_filename.startswith(_package) and code.co_name != "<module>":
        now_s = time.monotonic()
        _note("file", code.co_filename.removeprefix(_root), now_s)
        if code.co_name in HANDS_ON:
            _note("path", path_to(frame, _package), now_s)


_notes.write(json.dumps({"command": sys.orig_argv}) + "\n")
threading.settrace(_on_call)
sys.settrace(_on_call)
