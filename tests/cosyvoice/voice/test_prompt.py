"""Prompts: phase alignment, and encoding with the embedded checkpoint's speech tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.models import NANO
from cosyvoice.voice.features import TOKENIZER_RATE_HZ, mel_24k, resample, whisper_log_mel
from cosyvoice.voice.onnx_network import OnnxNetwork
from cosyvoice.voice.prompt import Prompt, PromptEncoder, flow_prompt
from cosyvoice.voice.recording import RecordingError, Wave, read_wave
from cosyvoice.voice.store import SHIPPED_VOICES
from tests.cosyvoice.uncloning import without_speaker_encoder


def counted(tokens: int) -> Prompt:
    """A prompt whose token i is i and whose mel frame j holds j."""
    frames = torch.arange(2.0 * tokens)
    return Prompt("", tuple(range(tokens)), frames[:, None].expand(-1, 80), torch.zeros(192))


def recording(name: str = "zh_male") -> tuple[Wave, int]:
    """A shipped recording of 3 s at 24 kHz."""
    return read_wave(SHIPPED_VOICES / f"{name}.wav")


# -- phase alignment ------------------------------------------------------------------------------------------------


@given(tokens=st.integers(0, 200), first_hop_tokens=st.integers(1, 22))
def test_flow_prompt_sets_the_first_hop(tokens: int, first_hop_tokens: int) -> None:
    """The first hop ends at the next chunk boundary after as many tokens as asked for, and less than a chunk is cut."""
    cut_tokens, mel = flow_prompt(counted(tokens), first_hop_tokens)
    kept = len(cut_tokens)
    assert cut_tokens == tuple(range(tokens - kept, tokens))
    assert mel[:, 0].tolist() == list(range(2 * (tokens - kept), 2 * tokens))
    assert tokens - kept < 25
    if tokens >= 25 - first_hop_tokens:
        assert 25 - kept % 25 == first_hop_tokens
        assert kept % 25 >= 3
    else:
        assert kept == tokens


def test_flow_prompt_uncut() -> None:
    """Without a wanted first hop the prompt stays whole."""
    prompt = counted(75)
    tokens, mel = flow_prompt(prompt, None)
    assert tokens == prompt.speech_tokens
    assert mel is prompt.mel


@pytest.mark.parametrize("first_hop_tokens", [-1, 0, 23, 24, 25])
def test_flow_prompt_refuses_hops_of_two_chunks(first_hop_tokens: int) -> None:
    """A hop that would compute the last prompt chunk as well is refused with that reason."""
    with pytest.raises(ValueError, match=r"expected 1 to 22 or None, found .* computed in the first hop as well"):
        flow_prompt(counted(75), first_hop_tokens)


def test_prompt_checks_its_shapes() -> None:
    """A prompt has two mel frames a token and a speaker vector of 192."""
    with pytest.raises(ValueError, match=r"expected mel \(4, 80\)"):
        Prompt("", (1, 2), torch.zeros(5, 80), torch.zeros(192))
    with pytest.raises(ValueError, match=r"speaker \(192,\), found .* and \(190,\)"):
        Prompt("", (1, 2), torch.zeros(4, 80), torch.zeros(190))


# -- encoding -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nano() -> PromptEncoder:
    """The embedded checkpoint's encoder."""
    return PromptEncoder(NANO)


def test_speech_tokens_are_those_of_the_whisper_mel(nano: PromptEncoder) -> None:
    """A recording's tokens are what the network makes of its log-mel at 16 kHz."""
    wave, rate_hz = recording()
    tokens = nano.speech_tokens(wave, rate_hz)
    mel = whisper_log_mel(resample(torch.from_numpy(wave), rate_hz, TOKENIZER_RATE_HZ))[None].numpy()
    expected = OnnxNetwork(NANO / "speech_tokenizer_v3.onnx").run(mel, np.array([mel.shape[2]], np.int32))
    assert len(tokens) == 75 and tokens == expected[0].tolist()
    assert len(set(tokens)) > 20


def test_encode(clonable_dir: Path) -> None:
    """A recording gives tokens, two mel frames for each, a speaker vector and its transcript."""
    wave, rate_hz = recording()
    prompt = PromptEncoder(clonable_dir).encode(wave, rate_hz, "今天")
    assert prompt.transcript == "今天"
    assert prompt.text_ids is None
    assert len(prompt.speech_tokens) == 75
    expected = mel_24k(torch.from_numpy(wave))
    assert float((prompt.mel - expected[: len(prompt.mel)]).abs().max()) < 1e-4
    assert float(prompt.speaker.abs().max()) > 0
    assert prompt.added_silence_s == 0.0


def test_encode_appends_silence(clonable_dir: Path) -> None:
    """A recording that ends in speech is given 0.1 s of silence, of which the speaker vector knows nothing."""
    encoder = PromptEncoder(clonable_dir)
    wave, rate_hz = recording()
    cut = wave[: 48000 + 240]  # 2.01 s, ends in the middle of a word
    prompt = encoder.encode(cut, rate_hz, "")
    assert prompt.added_silence_s == pytest.approx(0.11)
    assert len(prompt.speech_tokens) == 53  # 2.12 s
    assert float(prompt.mel[-2:].max()) < -11.0
    assert torch.equal(prompt.speaker, encoder.speaker(cut, rate_hz))


def test_encode_counts_silence_that_survives_the_cut(clonable_dir: Path) -> None:
    """0.12 s of silence are too few when the cut to whole tokens takes 30 ms of them."""
    wave, rate_hz = recording()
    speech = np.concatenate([wave[: 48000 + 720], np.zeros(round(0.12 * rate_hz), np.float32)])
    encoder = PromptEncoder(clonable_dir)
    assert len(encoder.encode(speech, rate_hz, "").speech_tokens) == 54  # 2.15 s become 2.16 s
    enough = np.concatenate([wave[:48000], np.zeros(round(0.12 * rate_hz), np.float32)])
    assert encoder.encode(enough, rate_hz, "").added_silence_s == 0.0


def test_encode_of_longest_recording_stays_in_bounds(clonable_dir: Path) -> None:
    """30 s are accepted, and no silence is appended beyond what the tokenizer can take."""
    wave, rate_hz = recording()
    prompt = PromptEncoder(clonable_dir).encode(np.tile(wave[:48000], 15), rate_hz, "")
    assert prompt.added_silence_s == 0.0
    assert len(prompt.speech_tokens) == 750


@pytest.mark.parametrize("rate_hz", [16000, 44100, 48000])
def test_encode_other_rates(clonable_dir: Path, rate_hz: int) -> None:
    """There are two mel frames a token at any rate; read-only samples are fine."""
    wave = np.frombuffer(np.random.default_rng(0).normal(0, 0.1, round(0.77 * rate_hz)).astype("<f4").tobytes(), "<f4")
    prompt = PromptEncoder(clonable_dir).encode(wave, rate_hz, "")
    assert len(prompt.mel) == 2 * len(prompt.speech_tokens)
    assert len(prompt.speech_tokens) == 22  # 0.77 s and 0.1 s of silence, in whole tokens


def test_encode_refuses_unusable_recordings(clonable_dir: Path) -> None:
    """Recordings that are too short, too long or silent are refused."""
    encoder = PromptEncoder(clonable_dir)
    wave, rate_hz = recording()
    with pytest.raises(VoiceError, match=r"0\.5 to 30 s"):
        encoder.encode(wave[:11000], rate_hz, "")
    with pytest.raises(VoiceError, match=r"0\.5 to 30 s"):
        encoder.encode(np.tile(wave, 11), rate_hz, "")
    with pytest.raises(VoiceError, match="silence"):
        encoder.encode(wave * 0, rate_hz, "")


def test_long_sources_are_tokenized_in_pieces(nano: PromptEncoder) -> None:
    """Sources over 30 s give 25 tokens a second, the same as the recording's own where a piece begins with it."""
    wave, rate_hz = recording("en_female")
    tokens = nano.speech_tokens(np.tile(wave, 12), rate_hz)
    assert len(tokens) == 900
    assert tokens[:60] == nano.speech_tokens(wave, rate_hz)[:60]


def test_a_checkpoint_without_a_speaker_encoder_cannot_clone(tmp_path: Path) -> None:
    """A prompt is refused, and the message names what is missing."""
    uncloning = PromptEncoder(without_speaker_encoder(tmp_path / "model"))
    assert uncloning.can_tokenize
    assert not uncloning.can_clone
    wave, rate_hz = recording()
    refused = r"cannot clone voices: expected .*campplus\.onnx, found no such file"
    with pytest.raises(VoiceError, match=refused):
        uncloning.speaker(wave, rate_hz)
    with pytest.raises(VoiceError, match=refused):
        uncloning.encode(wave, rate_hz, "")
    with pytest.raises(VoiceError, match=refused):
        uncloning.fingerprint()


def test_missing_speech_tokenizer(tmp_path: Path) -> None:
    """A checkpoint without speech tokenizer is refused by file name."""
    encoder = PromptEncoder(tmp_path)
    assert not encoder.can_tokenize
    with pytest.raises(CheckpointError, match=r"speech_tokenizer_v3\.onnx: expected an ONNX network, found no such"):
        encoder.speech_tokens(*recording())


def test_corrupt_network(tmp_path: Path) -> None:
    """A truncated ONNX file is refused by name."""
    data = (NANO / "speech_tokenizer_v3.onnx").read_bytes()
    (tmp_path / "speech_tokenizer_v3.onnx").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"speech_tokenizer_v3\.onnx: expected an ONNX network, found"):
        PromptEncoder(tmp_path).speech_tokens(*recording())


def test_network_of_other_inputs(clonable_dir: Path, tmp_path: Path) -> None:
    """A network that takes other inputs than the one expected is refused."""
    shutil.copy(clonable_dir / "campplus.onnx", tmp_path / "speech_tokenizer_v3.onnx")
    with pytest.raises(CheckpointError, match=r"expected a network with 2 inputs, found \['input'\]"):
        PromptEncoder(tmp_path).speech_tokens(*recording())
    with pytest.raises(CheckpointError, match="expected a network that runs, found"):
        OnnxNetwork(tmp_path / "speech_tokenizer_v3.onnx").run(np.zeros((1, 5, 7), np.float32))


def test_speaker_network_of_another_size(clonable_dir: Path, tmp_path: Path, narrow_speaker_network: bytes) -> None:
    """A speaker network whose vector does not fit the flow is refused."""
    directory = tmp_path / "model"
    shutil.copytree(clonable_dir, directory)
    (directory / "campplus.onnx").write_bytes(narrow_speaker_network)
    with pytest.raises(CheckpointError, match=r"campplus\.onnx: expected 192 finite float32, found 191"):
        PromptEncoder(directory).speaker(*recording())


def test_fingerprint_follows_the_contents(clonable_dir: Path, tmp_path: Path) -> None:
    """Equal files have equal fingerprints, another speaker network has another one."""
    copied = tmp_path / "copy"
    shutil.copytree(clonable_dir, copied)
    fingerprint = PromptEncoder(clonable_dir).fingerprint()
    assert PromptEncoder(copied).fingerprint() == fingerprint
    (copied / "campplus.onnx").write_bytes((clonable_dir / "campplus.onnx").read_bytes() + b"\x32\1x")  # a doc string
    assert PromptEncoder(copied).fingerprint() != fingerprint


def test_sources_are_tokenized_piece_by_piece(nano: PromptEncoder) -> None:
    """Each piece of at most 30 s comes when it is asked for; together they are all tokens."""
    wave, rate_hz = recording("en_female")
    source = np.tile(wave, 12)
    pieces = nano.source_pieces(source, rate_hz)
    first = next(pieces)
    assert 375 <= len(first) <= 750
    rest = list(pieces)
    assert len(rest) == 1 and [*first, *rest[0]] == nano.speech_tokens(source, rate_hz)


@pytest.mark.parametrize(("seconds", "found"), [(0.09, "0.09"), (300.1, "300.10")])
def test_sources_are_bounded(nano: PromptEncoder, seconds: float, found: str) -> None:
    """0.1 s to 300 s, nothing shorter or longer; it is the recording that cannot be used."""
    noise = np.random.default_rng(0).normal(0, 0.1, round(16000 * seconds)).astype(np.float32)
    with pytest.raises(RecordingError, match=rf"expected 0\.1 to 300 s of audio, found {found} s"):
        next(nano.source_pieces(noise, 16000))
