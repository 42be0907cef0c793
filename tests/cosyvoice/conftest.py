"""Model directories for the tests."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

NANO = Path(__file__).parents[2] / "cosyvoice" / "nano" / "weights"


@pytest.fixture(scope="session")
def clonable_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like a released checkpoint's: no serving.json, no spk2info.pt, both ONNX files.

    The speech tokenizer is the embedded checkpoint's; the speaker network maps the loudest of each band to 192 numbers.
    """
    directory = tmp_path_factory.mktemp("clonable")
    shutil.copy(NANO / "cosyvoice3.yaml", directory)
    shutil.copytree(NANO / "CosyVoice-BlankEN", directory / "CosyVoice-BlankEN")
    (directory / "speech_tokenizer_v3.onnx").symlink_to(NANO / "speech_tokenizer_v3.onnx")
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))
    return directory


@pytest.fixture(scope="session")
def narrow_speaker_network() -> bytes:
    """A speaker network with one output too few."""
    return speaker_network(outputs=191)


def speaker_network(outputs: int) -> bytes:
    """An ONNX file: input [B, frames, 80] -> max over frames @ W [80, outputs], W[i, j] = sin(80 i + j).

    The protobuf is put together by hand (field numbers of onnx.proto3), so that the tests need no `onnx` package.
    """
    weight = np.sin(80.0 * np.arange(80)[:, None] + np.arange(outputs)).astype("<f4")
    axes = _text(1, "axes") + _numbers(8, [1]) + _number(20, 7)
    keepdims = _text(1, "keepdims") + _number(3, 0) + _number(20, 2)
    reduce = _text(1, "input") + _text(2, "loudest") + _text(4, "ReduceMax") + _bytes(5, axes) + _bytes(5, keepdims)
    matmul = _text(1, "loudest") + _text(1, "weight") + _text(2, "output") + _text(4, "MatMul")
    tensor = _numbers(1, weight.shape) + _number(2, 1) + _text(8, "weight") + _bytes(9, weight.tobytes())
    graph = (
        _bytes(1, reduce)
        + _bytes(1, matmul)
        + _text(2, "speaker")
        + _bytes(5, tensor)
        + _bytes(11, _float_value("input", ["batch", "frames", 80]))
        + _bytes(12, _float_value("output", ["batch", outputs]))
    )
    return _number(1, 8) + _bytes(8, _number(2, 13)) + _bytes(7, graph)


def _float_value(name: str, dims: list[str | int]) -> bytes:
    shape = b"".join(_bytes(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in dims)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return struct.pack("B", low | 0x80) + _varint(rest) if rest else struct.pack("B", low)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _numbers(field: int, values: tuple[int, ...] | list[int]) -> bytes:
    return b"".join(_number(field, value) for value in values)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
