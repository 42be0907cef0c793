"""A decoder process that does what its upload says: real processes that hang and crash on request."""

from __future__ import annotations

from rtserver.processes.program import Program

_CODE = """
import os, socket, sys
import numpy as np
from rtserver.uploads.errors import UploadError
from rtserver.uploads.process import MEMORY_BYTES, confine, serve

def decode(data, max_s):
    what, _, argument = data.decode().partition(" ")
    if what == "hang":
        os.mkdir(argument)  # tells the test that it is at work; files it may not write
        while True:
            pass
    if what == "die":
        os.kill(os.getpid(), int(argument))
    if what == "raise":
        raise RuntimeError("a mistake of ours")
    if what == "eat":
        bytearray(MEMORY_BYTES)
    if what == "write":
        open(argument, "w").write("something")
    if what == "refuse":
        raise UploadError(argument)
    return np.full(int(argument), 0.5, np.float32), 16000

confine(MEMORY_BYTES)
serve(socket.socket(fileno=int(sys.argv[-1])), decode)
"""

HOSTILE = Program("decoder", ("-c", _CODE))
