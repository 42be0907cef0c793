"""A film may say that its samples lie in another file: none is read."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from rtserver.uploads.decode import decode
from rtserver.uploads.errors import UploadError
from tests.rtserver.uploads.files import sound_file, sweep

_WITH_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"dinf")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def with_box(data: bytes, kind: bytes, body: bytes) -> bytes:
    """The same boxes, those of one kind with another content."""
    written = b""
    while data:
        size, name = struct.unpack(">I4s", data[:8])
        inner = with_box(data[8:size], kind, body) if name in _WITH_BOXES else data[8:size]
        written += box(name, body if name == kind else inner)
        data = data[size:]
    return written


def samples_in(path: Path) -> bytes:
    """A data reference of QuickTime's: an alias record with an absolute path."""
    name, whole = path.name.encode(), str(path).encode()
    whole += b"\0" * (len(whole) % 2)
    record = bytes(14) + bytes([1]) + b"x".ljust(27, b"\0") + bytes(12)
    record += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(36)
    record += struct.pack(">hh", 2, len(whole)) + whole + struct.pack(">hh", -1, 0)
    return bytes(4) + struct.pack(">I", 1) + box(b"alis", record.ljust(200, b"\0"))


def test_samples_in_another_file_are_not_read(tmp_path: Path) -> None:
    """FFmpeg would read them, if it were told to follow such references."""
    data = sound_file("m4a-alac", sweep())
    other = tmp_path / "other.m4a"
    other.write_bytes(data)
    pointing = with_box(data, b"dref", samples_in(other)).replace(data[48:30000], bytes(29952))
    followed = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(io.BytesIO(pointing), "r", format="mov", container_options=followed) as file:
        frames = [frame.to_ndarray()[0] for frame in file.decode(audio=0)]
    assert np.abs(np.concatenate(frames) / 2.0**31 - sweep()).max() < 1e-6
    with pytest.raises(UploadError, match="found no sound in the file"):
        decode(pointing, 10.0)
