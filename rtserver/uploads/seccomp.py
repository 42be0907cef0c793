"""Takes the network away from this process, and the means to start programs: a filter of system calls (seccomp).

It needs no privilege, and holds for the rest of the process's life. What it refuses fails with EPERM.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
# Classic BPF: load a word of the call's data; jump if equal, or if greater or equal; return.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_INSTRUCTION = struct.Struct("=HBBI")
# Of x86_64: from here on, calls of another interface to the same kernel.
_X32 = 0x40000000
# The audit number of the architecture, and the numbers of socket, connect, accept, bind, listen, execve, ptrace,
# accept4, execveat and io_uring_setup. (io_uring can make sockets, too.)
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (41, 42, 43, 49, 50, 59, 101, 288, 322, 425)),
    "aarch64": (0xC00000B7, (198, 203, 202, 200, 201, 221, 117, 242, 281, 425)),
}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_network() -> bool:
    """Whether it could be done: not on a system other than Linux, and not where the kernel has no such filters."""
    known = _CALLS.get(platform.machine())
    if platform.system() != "Linux" or known is None:
        return False
    code = _filter(*known)
    program = _Program(len(code) // _INSTRUCTION.size, code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_more = ctypes.c_ulong(0)
    if prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), no_more, no_more, no_more) != 0:
        return False
    return bool(prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program)) == 0)


def _filter(architecture: int, refused: tuple[int, ...]) -> bytes:
    """Refuses these calls and all of other architectures; allows the rest."""
    checks = len(refused) + 1  # each jumps to the last instruction when it applies
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 0, checks + 2, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, checks, 0, _X32),
        *((_IF_EQUAL, checks - 1 - place, 0, number) for place, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)
