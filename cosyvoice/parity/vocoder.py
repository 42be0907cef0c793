"""The vocoder's golden cases: f0, excitation and waves, whole and from prefixes, and the waves of streaming hops.

Waves are compared from the recorded mels: f0 is summed into the phase, which multiplies a small mel deviation.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from cosyvoice.config import VocoderConfig
from cosyvoice.parity.golden import Case, Golden, deviation
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.speed import MelSpeed
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.vocoder.weight_norm import fuse_weight_norm

WAVE_TOLERANCE = 1e-5
F0_TOLERANCE = 1e-9
# Two interpolations of mel values below 16 differ by the rounding of two products and a sum: half a step, 2**-21, each.
SPEED_TOLERANCE = 3 * 2.0**-21


def vocoder_config(state: dict[str, Tensor]) -> VocoderConfig:
    """Sizes from the fused tensors; rates, kernels and dilations are the released ones."""
    return VocoderConfig(
        base_channels=state["conv_pre.weight"].shape[0],
        f0_channels=state["f0_predictor.classifier.weight"].shape[1],
        mel_bins=state["conv_pre.weight"].shape[1],
        harmonics=state["m_source.l_linear.weight"].shape[1] - 1,
    )


@torch.inference_mode()
def vocoder_cases(golden: Golden) -> Iterator[Case]:
    """One case a recorded quantity; the fixtures' noise was rounded to bytes, so it is taken from there."""
    raw, _ = golden.tensors("tiny_hift")
    state = fuse_weight_norm(raw)
    hift = Hift(vocoder_config(state))
    hift.load_state_dict(state, strict=True)
    hift.eval()
    noise, _ = golden.tensors("noise")
    recorded_noise = noise["hift.sine_noise_u8"][0].float() / 256
    vocoder = Vocoder(hift, noise=recorded_noise, phase="fp32")

    def wave(mel: Tensor, final: bool) -> Tensor:
        return vocoder.decode([(vocoder.open(), mel, final)])[0][None]

    v, _ = golden.tensors("hift")
    mel = v["mel"]
    yield Case("vocoder f0", deviation(hift.f0_predictor(mel), v["f0_f64"]), F0_TOLERANCE)
    cut = hift.f0_predictor(mel[..., :63], final=False)
    yield Case("vocoder f0 of a prefix", deviation(cut, v["f0_f64_63_nofinal"]), F0_TOLERANCE)
    mixed = hift.m_source.mix_noise(recorded_noise[: mel.shape[2] * 480]).view(1, -1, 480)
    f0 = v["f0_f64"].float()
    cycles = hift.m_source.advance(f0, f0.new_zeros(1, 9, dtype=torch.float64), "fp32")
    source = hift.m_source(f0, hift.m_source.sines(cycles, "fp32"), mixed)
    yield Case("vocoder excitation", deviation(source[None], v["source"]), WAVE_TOLERANCE)
    yield Case("vocoder wave", deviation(wave(mel[0], True), v["wav_offline"]), WAVE_TOLERANCE)
    for frames in (40, 63, 100):
        prefix = wave(mel[0, :, :frames], False)
        yield Case(f"vocoder prefix {frames}", deviation(prefix, v[f"wav_prefix{frames}_nofinal"]), WAVE_TOLERANCE)

    for name in ("tts_stream", "tts_stream_hop25", "tts_offline"):
        recorded, meta = golden.tensors(name)
        stream, frames, hop = vocoder.open(), 0, 0
        for i, event in enumerate(meta["events"]):
            if event[0] == "flow":
                new = recorded[f"ev{i}.flow_mel"][0, :, frames:]
                frames += new.shape[1]
                out = vocoder.decode([(stream, new, event[1]["finalize"])])[0][None]
                yield Case(f"{name} wave {hop}", deviation(out, recorded[f"wav.{hop}"]), WAVE_TOLERANCE)
                hop += 1

    slow, _ = golden.tensors("tts_offline_speed125")
    recorded, _ = golden.tensors("tts_offline")
    faster = MelSpeed(1.25).feed(recorded["ev0.flow_mel"][0], True)
    yield Case("tts_offline_speed125 mel", deviation(faster[None], slow["flow_mel"]), SPEED_TOLERANCE)
    yield Case("tts_offline_speed125 wave", deviation(wave(slow["flow_mel"][0], True), slow["wav"]), WAVE_TOLERANCE)
