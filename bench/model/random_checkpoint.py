"""Makes a model directory like the released one, with random weights. It is for costs and start-up, not for listening.

    python -m bench.model.random_checkpoint /tmp/random --true-size
    rtserver say "Hello." --model /tmp/random -o noise.wav

Files, key names, types and the text vocabulary are those of the released 0.5B checkpoint. Without --true-size the
networks are small. The speech tokenizer is that of the embedded checkpoint, and the speaker network is a stand-in.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cosyvoice.checkpoint import talker_shapes
from cosyvoice.config import ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.models import NANO
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.weight_norm import add_weight_norm
from cosyvoice.voice.spk2info import VOICES_FILE

_BASE_TEXT_IDS = 151643  # Qwen2's vocabulary before <|endoftext|>
_DILATIONS = [[1, 3, 5]] * 3


@dataclass(frozen=True)
class Sizes:
    """The sizes that differ between a small and a true-size directory."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    dit_dim: int
    dit_depth: int
    dit_heads: int
    lookahead_channels: int
    vocoder_channels: int
    f0_channels: int


# Heads have 32 channels, the least that vLLM's CPU attention accepts.
SMALL = Sizes(64, 2, 2, 128, 64, 2, 2, 48, 64, 32)
TRUE = Sizes(896, 24, 14, 4864, 1024, 22, 16, 1024, 512, 512)


def write_configuration(directory: Path, sizes: Sizes) -> None:
    """Makes `directory` with the files that say how large the networks are."""
    qwen = directory / "CosyVoice-BlankEN"
    qwen.mkdir(parents=True, exist_ok=True)
    (directory / "cosyvoice3.yaml").write_text(_yaml(sizes), encoding="utf-8")
    (qwen / "config.json").write_text(json.dumps(_qwen_config(sizes)), encoding="utf-8")


def write_checkpoint(directory: Path, sizes: Sizes, seed: int = 0) -> None:
    """Makes `directory` and fills it."""
    config = write_acoustic_checkpoint(directory, sizes, seed)
    write_talker(config)
    (directory / "speech_tokenizer_v3.onnx").write_bytes((NANO / "speech_tokenizer_v3.onnx").read_bytes())
    (directory / "campplus.onnx").write_bytes(speaker_network(outputs=192))


def write_talker(config: ModelConfig) -> None:
    """The talker's weights."""
    shapes = talker_shapes(config.talker)
    torch.save({k: _random(k, shape) for k, shape in shapes.items()}, config.directory / "llm.pt")


def write_acoustic_checkpoint(directory: Path, sizes: Sizes, seed: int = 0) -> ModelConfig:
    """Makes `directory` with what flow and vocoder need: no talker, and nothing that encodes recordings."""
    write_configuration(directory, sizes)
    _write_tokenizer(directory / "CosyVoice-BlankEN")
    config = ModelConfig.load(directory)
    torch.manual_seed(seed)
    torch.save(Flow(config.flow).state_dict(), directory / "flow.pt")
    torch.save(_with_weight_norm(Hift(config.vocoder)), directory / "hift.pt")
    return config


def write_stored_voice(config: ModelConfig, name: str, tokens: int = 75) -> None:
    """A voice of the checkpoint (spk2info.pt) with a random prompt of so many speech tokens."""
    speech = torch.randint(0, config.talker.speech_tokens, (1, tokens))
    entry = {
        "flow_prompt_speech_token": speech,
        "llm_prompt_speech_token": speech,
        "prompt_speech_feat": torch.randn(1, tokens * config.flow.frames_per_token, config.flow.mel_bins),
        "flow_embedding": torch.randn(1, config.flow.spk_embed_dim),
        "prompt_text": torch.arange(20, 40)[None],
    }
    torch.save({name: entry}, config.directory / VOICES_FILE)


def speaker_network(outputs: int) -> bytes:
    """An ONNX file: input [B, frames, 80] -> max over frames @ W [80, outputs], W[i, j] = sin(80 i + j).

    The protobuf is written by hand (with the field numbers of onnx.proto3), so that the package `onnx` is not needed.
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


def _random(key: str, shape: tuple[int, ...]) -> Tensor:
    if key.endswith("norm.weight"):
        return torch.ones(shape)
    return torch.randn(shape) * 0.02


def _with_weight_norm(hift: nn.Module) -> dict[str, Tensor]:
    add_weight_norm(hift)
    return hift.state_dict()


def _write_tokenizer(directory: Path) -> None:
    """Qwen2's byte alphabet, and as many unused tokens as Qwen2 has merged ones. So every id has its released value."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    alphabet = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    vocabulary = {token: i for i, token in enumerate(alphabet)}
    vocabulary |= {f"unused{i}": i for i in range(len(alphabet), _BASE_TEXT_IDS)}
    (directory / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (directory / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    (directory / "tokenizer_config.json").write_text('{"tokenizer_class": "Qwen2Tokenizer"}', encoding="utf-8")


def _qwen_config(sizes: Sizes) -> dict[str, object]:
    return {
        "model_type": "qwen2",
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": 2,
        "intermediate_size": sizes.ffn,
        "vocab_size": 151936,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-06,
        "max_position_embeddings": 32768,
    }


def _yaml(sizes: Sizes) -> str:
    """The yaml of the embedded checkpoint with other sizes. Its structure is that of the released one."""
    text = (NANO / "cosyvoice3.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("llm_input_size: 256", f"llm_input_size: {sizes.hidden}"),
        ("llm_output_size: 256", f"llm_output_size: {sizes.hidden}"),
        ("speech_token_size: 2187", "speech_token_size: 6561"),
        ("mix_ratio: [12, 15]", "mix_ratio: [5, 15]"),
        ("vocab_size: 2187", "vocab_size: 6561"),
        ("        channels: 256", f"        channels: {sizes.lookahead_channels}"),
        ("dim: 256", f"dim: {sizes.dit_dim}"),
        ("depth: 6", f"depth: {sizes.dit_depth}"),
        ("heads: 4", f"heads: {sizes.dit_heads}"),
        ("dim_head: 64", f"dim_head: {sizes.dit_dim // sizes.dit_heads}"),
        ("base_channels: 160", f"base_channels: {sizes.vocoder_channels}"),
        ("upsample_rates: [8, 5]", "upsample_rates: [8, 5, 3]"),
        ("upsample_kernel_sizes: [16, 11]", "upsample_kernel_sizes: [16, 11, 7]"),
        ("n_fft: 48", "n_fft: 16"),
        ("hop_len: 12", "hop_len: 4"),
        ("\n    resblock_kernel_sizes: [3, 7]", "\n    resblock_kernel_sizes: [3, 7, 11]"),
        ("\n    resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5]]", f"\n    resblock_dilation_sizes: {_DILATIONS}"),
        ("source_resblock_kernel_sizes: [5, 5]", "source_resblock_kernel_sizes: [7, 7, 11]"),
        ("source_resblock_dilation_sizes: [[1, 3], [1, 3]]", f"source_resblock_dilation_sizes: {_DILATIONS}"),
        ("cond_channels: 128", f"cond_channels: {sizes.f0_channels}"),
    ):
        if old not in text:
            raise SystemExit(f"expected {old!r} in the embedded checkpoint's yaml, found none")
        text = text.replace(old, new, 1)
    return text


def _float_value(name: str, dims: Sequence[str | int]) -> bytes:
    shape = b"".join(_bytes(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in dims)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return struct.pack("B", low | 0x80) + _varint(rest) if rest else struct.pack("B", low)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _numbers(field: int, values: Sequence[int]) -> bytes:
    return b"".join(_number(field, value) for value in values)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())


def main() -> int:
    """Runs the command and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--true-size", action="store_true", help="0.86 billion parameters, 3.4 GB in fp32")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_checkpoint(args.directory, TRUE if args.true_size else SMALL, args.seed)
    print(f"wrote {args.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
