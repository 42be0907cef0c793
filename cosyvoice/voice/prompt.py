"""A voice prompt: recording and transcript become speech tokens, mel and a speaker vector.

The speech tokenizer and the speaker network (CAM++) are ONNX files of the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.voice.features import (
    MEL_BINS,
    MEL_RATE_HZ,
    TOKENIZER_RATE_HZ,
    fbank_minus_mean,
    mel_24k,
    resample,
    whisper_log_mel,
)
from cosyvoice.voice.onnx_network import OnnxNetwork
from cosyvoice.voice.recording import Wave, check_wave, cut_at_silences, trailing_silence_s

SPEAKER_DIM = 192
FRAMES_PER_TOKEN = 2
TOKEN_S = 0.04

MIN_PROMPT_S = 0.5
MAX_PROMPT_S = 30.0  # the speech tokenizer has positions for no more
MIN_SOURCE_S = 0.1
MAX_SOURCE_S = 300.0
MIN_TRAILING_SILENCE_S = 0.1


@dataclass(frozen=True, eq=False)
class Prompt:
    """What conditions the model on a voice."""

    # What the recording says.
    transcript: str
    # P ids; none for a voice of which only the speaker vector is known.
    speech_tokens: tuple[int, ...]
    # [2P, 80].
    mel: Tensor
    # [192].
    speaker: Tensor
    # The prompt text as stored in spk2info.pt, with its <|endofprompt|>; None: encode the transcript.
    text_ids: tuple[int, ...] | None = None
    # Silence that was appended to the recording, because a prompt must end in 0.1 s of silence.
    added_silence_s: float = 0.0

    def __post_init__(self) -> None:
        expected = (FRAMES_PER_TOKEN * len(self.speech_tokens), MEL_BINS)
        if tuple(self.mel.shape) != expected or tuple(self.speaker.shape) != (SPEAKER_DIM,):
            raise ValueError(
                f"expected mel {expected} and speaker ({SPEAKER_DIM},), "
                f"found {tuple(self.mel.shape)} and {tuple(self.speaker.shape)}"
            )


def flow_prompt(
    prompt: Prompt, first_hop_tokens: int | None, chunk_tokens: int = 25, lookahead: int = 3
) -> tuple[tuple[int, ...], Tensor]:
    """The flow's part of a prompt as (tokens, mel). Its start is cut off so that the first hop has the wanted length.

    The first hop ends at the first chunk boundary after the prompt: it has chunk_tokens - P % chunk_tokens tokens, and
    the look-ahead. With None the prompt stays whole. A prompt of fewer than chunk_tokens - first_hop_tokens tokens is
    too short to be cut and stays whole too; its first hop has chunk_tokens - P tokens. Raises ValueError for a first
    hop outside 1 to chunk_tokens - lookahead.
    """
    if first_hop_tokens is None:
        return prompt.speech_tokens, prompt.mel
    longest = chunk_tokens - lookahead
    if not 1 <= first_hop_tokens <= longest:
        # The last whole chunk of the prompt would see generated tokens unless `lookahead` prompt tokens follow it.
        raise ValueError(
            f"first_hop_tokens: expected 1 to {longest} or None, found {first_hop_tokens}: fewer than {lookahead} "
            f"prompt tokens after a chunk boundary leave that prompt chunk to be computed in the first hop as well"
        )
    tail = chunk_tokens - first_hop_tokens
    if len(prompt.speech_tokens) < tail:
        return prompt.speech_tokens, prompt.mel
    cut = (len(prompt.speech_tokens) - tail) % chunk_tokens
    return prompt.speech_tokens[cut:], prompt.mel[cut * FRAMES_PER_TOKEN :]


class PromptEncoder:
    """Encodes recordings with the ONNX files of one model directory. Several threads may use it.

    The files are opened at the first use. `threads` is the number of cores that one inference may use.
    """

    def __init__(self, directory: Path, threads: int = 1) -> None:
        self._tokenizer = OnnxNetwork(directory / "speech_tokenizer_v3.onnx", threads)
        self._speaker_network = OnnxNetwork(directory / "campplus.onnx", threads)

    @property
    def can_tokenize(self) -> bool:
        """Whether the checkpoint has the network that turns a recording into speech tokens."""
        return self._tokenizer.path.is_file()

    @property
    def can_clone(self) -> bool:
        """Whether it also has the network that turns a recording into a speaker vector."""
        return self.can_tokenize and self._speaker_network.path.is_file()

    def encode(self, wave: Wave, rate_hz: int, transcript: str) -> Prompt:
        """The prompt of a recording [samples] of 0.5 to 30 s; `transcript` is what it says.

        Silence is appended when the recording does not end in 0.1 s of silence. Raises RecordingError when the
        recording cannot be used, VoiceError when the checkpoint cannot clone voices, CheckpointError when an ONNX file
        cannot be used.
        """
        check_wave(wave, rate_hz, MIN_PROMPT_S, MAX_PROMPT_S)
        speaker = self.speaker(wave, rate_hz)
        added = _missing_silence(wave, rate_hz)
        padded = torch.nn.functional.pad(_tensor(wave), (0, added))
        tokens = self._tokenize(resample(padded, rate_hz, TOKENIZER_RATE_HZ))
        mel = mel_24k(resample(padded, rate_hz, MEL_RATE_HZ))
        # Tokens and mel frames may differ in number at the end, so both are cut to whole tokens.
        count = min(len(mel) // FRAMES_PER_TOKEN, len(tokens))
        return Prompt(
            transcript=transcript,
            speech_tokens=tuple(tokens[:count]),
            mel=mel[: count * FRAMES_PER_TOKEN].clone(),
            speaker=speaker,
            added_silence_s=added / rate_hz,
        )

    def speaker(self, wave: Wave, rate_hz: int) -> Tensor:
        """The speaker vector [192] of a recording. Silence is not appended for it, because that would change its mean.

        Raises VoiceError when the checkpoint has no speaker network, CheckpointError when that cannot be used.
        """
        network = self._require_speaker_network()
        features = fbank_minus_mean(resample(_tensor(wave), rate_hz, TOKENIZER_RATE_HZ))
        vector = network.run(features[None].numpy()).reshape(-1)
        if vector.dtype != np.float32 or len(vector) != SPEAKER_DIM or not np.isfinite(vector).all():
            raise CheckpointError(
                f"{network.path}: expected {SPEAKER_DIM} finite float32, found {len(vector)} {vector.dtype}"
            )
        return torch.from_numpy(vector)

    def speech_tokens(self, wave: Wave, rate_hz: int) -> list[int]:
        """The tokens of all `source_pieces`, in one list."""
        return [token for piece in self.source_pieces(wave, rate_hz) for token in piece]

    def source_pieces(self, wave: Wave, rate_hz: int) -> Iterator[list[int]]:
        """The speech tokens (25 a second) of a recording of 0.1 to 300 s, as voice conversion needs them.

        A recording of more than 30 s is cut at silences. Each piece is tokenized when the caller takes it. Raises like
        `encode`.
        """
        check_wave(wave, rate_hz, MIN_SOURCE_S, MAX_SOURCE_S)
        wave_16k = resample(_tensor(wave), rate_hz, TOKENIZER_RATE_HZ).numpy()
        for piece in cut_at_silences(wave_16k, TOKENIZER_RATE_HZ, MAX_PROMPT_S, TOKEN_S):
            yield self._tokenize(_tensor(piece))

    def fingerprint(self) -> bytes:
        """Digest of the contents of both ONNX files. With other files the same recording gives another prompt."""
        return self._tokenizer.sha256 + self._require_speaker_network().sha256

    def _require_speaker_network(self) -> OnnxNetwork:
        network = self._speaker_network
        if not network.path.is_file():
            raise VoiceError(f"this checkpoint cannot clone voices: expected {network.path.name}, found no such file")
        return network

    def _tokenize(self, wave_16k: Tensor) -> list[int]:
        features = whisper_log_mel(wave_16k)[None].numpy()
        tokens = self._tokenizer.run(features, np.array([features.shape[2]], np.int32))
        if not np.issubdtype(tokens.dtype, np.integer):
            raise CheckpointError(f"{self._tokenizer.path}: expected integer token ids, found {tokens.dtype}")
        ids: list[int] = tokens.reshape(-1).tolist()
        return ids


def _missing_silence(wave: Wave, rate_hz: int) -> int:
    """Samples of silence to append, so that the recording ends in 0.1 s of silence after the cut to whole tokens."""
    length_s = len(wave) / rate_hz
    silence_s = trailing_silence_s(wave, rate_hz)
    if silence_s - length_s % TOKEN_S >= MIN_TRAILING_SILENCE_S - 1e-6:
        return 0
    wanted_s = length_s + max(0.0, MIN_TRAILING_SILENCE_S - silence_s)
    whole_s = min(math.ceil(wanted_s / TOKEN_S - 1e-6) * TOKEN_S, MAX_PROMPT_S)
    return round((whole_s - length_s) * rate_hz)


def _tensor(wave: Wave) -> Tensor:
    # A copy, because a wave decoded from a received buffer is read-only, and torch has no read-only tensors.
    return torch.from_numpy(np.array(wave, dtype=np.float32))
