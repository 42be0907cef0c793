"""Where the allocator puts large blocks."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# It prints how many bytes with pages of their own a second body of 20 MB has, and whether the setting was taken.
PROGRAM = """
import ctypes, sys
from rtserver.commands.large_blocks import separate_large_blocks

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Info
taken = sys.argv[1] == "set" and separate_large_blocks()
body = bytearray(20_000_000)
del body
before = mallinfo().hblkhd
body = bytearray(20_000_000)
print(mallinfo().hblkhd - before, taken)
"""


@pytest.mark.command
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_a_large_block_has_pages_of_its_own_also_after_another_was_freed() -> None:
    """Without the setting the second one has none."""
    told = {}
    for setting in ("set", "unset"):
        command = [sys.executable, "-c", PROGRAM, setting]
        told[setting] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(told["set"][0]) >= 20_000_000 and told["set"][1] == "True"
    assert told["unset"] == ["0", "False"]
