"""The flow's golden cases: estimator, offline and masked passes, and the original's streaming loop hop by hop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from cosyvoice.config import DitConfig, FlowConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.ode import flow_noise
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.parity.golden import Case, Golden, deviation

MEL_TOLERANCE = 2e-5
# torch draws normal numbers as r * cos(angle) in fp32, with AVX2 by code of its own. Either code rounds an angle of up
# to 2 pi by 2**-22, and r, which is below 6 as uniform numbers have 24 bits, by 2**-23 of itself.
NOISE_TOLERANCE = 2 * 6 * (2.0**-22 + 2.0**-23)
_ESTIMATOR = "decoder.estimator."


def flow_config(state: dict[str, Tensor], dit: dict[str, Any]) -> FlowConfig:
    """Sizes from the tensors; heads and chunk from the fixture's metadata."""
    block = _ESTIMATOR + "transformer_blocks."
    dim = state[_ESTIMATOR + "input_embed.proj.weight"].shape[0]
    return FlowConfig(
        vocab=state["input_embedding.weight"].shape[0],
        lookahead_channels=state["pre_lookahead_layer.conv1.weight"].shape[0],
        lookahead_tokens=state["pre_lookahead_layer.conv1.weight"].shape[2] - 1,
        spk_embed_dim=state["spk_embed_affine_layer.weight"].shape[1],
        chunk_frames=dit["chunk"],
        dit=DitConfig(
            dim=dim,
            depth=sum(k.startswith(block) and k.endswith("attn.to_q.weight") for k in state),
            heads=dit["heads"],
            head_dim=dit["dim_head"],
            ff_mult=state[block + "0.ff.ff.0.0.weight"].shape[0] // dim,
        ),
    )


def flow_cases(golden: Golden) -> Iterator[Case]:
    """One case a recorded mel."""
    state, _ = golden.tensors("tiny_flow")
    d, meta = golden.tensors("dit")
    flow = Flow(flow_config(state, meta))
    flow.load_state_dict(state, strict=True)
    estimator = flow.decoder.estimator
    inputs = (d["x"], d["mu"], d["t"], d["spks"], d["cond"])
    yield Case("dit time embedding", deviation(estimator.time_embed(d["t"]), d["time_embed"]), MEL_TOLERANCE)
    x, cond, mu = (d[k].transpose(1, 2) for k in ("x", "cond", "mu"))
    embedded = estimator.input_embed(x, cond, mu, d["spks"])
    yield Case("dit input embedding", deviation(embedded, d["input_embed"]), MEL_TOLERANCE)
    yield Case("dit full attention", deviation(estimator(*inputs), d["out_full"]), MEL_TOLERANCE)
    masked = estimator(*inputs, chunk_frames=flow.config.chunk_frames)
    yield Case("dit block mask", deviation(masked, d["out_streaming"]), MEL_TOLERANCE)

    f, _ = golden.tensors("flow_offline")
    tokens = f["token"][0].tolist()
    prompt = (f["prompt_token"], f["prompt_feat"], f["embedding"])
    ahead = flow.pre_lookahead_layer(flow.input_embedding(torch.cat([f["prompt_token"], f["token"]], 1)), final=True)
    yield Case("flow look-ahead", deviation(ahead, f["prelook_out"]), MEL_TOLERANCE)
    yield Case("flow speaker", deviation(flow.speaker(f["embedding"]), f["spk80"]), MEL_TOLERANCE)
    noise, _ = golden.tensors("noise")
    recorded_noise = noise["flow.rand_noise"][0].T
    yield Case("flow noise", deviation(flow_noise()[: len(recorded_noise)], recorded_noise), NOISE_TOLERANCE)
    serving = FlowStepper(flow, FlowMemory(flow.config))
    for name, count, block_mask, finalize in (
        ("mel_offline", len(tokens), False, True),
        ("mel_streaming_mask_finalize", len(tokens), True, True),
        ("mel_prefix20_streaming", 20, True, False),
        ("mel_prefix38_streaming", 38, True, False),
    ):
        ahead = 0 if finalize else flow.config.lookahead_tokens
        mel = serving.full(tokens[: count + ahead], *prompt, block_mask=block_mask, finalize=finalize)
        yield Case(f"flow {name}", deviation(mel, f[name]), MEL_TOLERANCE)

    for name in ("tts_stream", "tts_stream_hop25", "tts_offline"):
        recorded, events = golden.tensors(name)
        for i, event in enumerate(events["events"]):
            kind, arguments = event[0], event[1]
            if kind == "flow":
                streaming, finalize = arguments["streaming"], arguments["finalize"]
                mel = serving.full(tokens[: arguments["n_token"]], *prompt, block_mask=streaming, finalize=finalize)
                yield Case(f"{name} mel {i // 2}", deviation(mel, recorded[f"ev{i}.flow_mel"]), MEL_TOLERANCE)

    voice = serving.voice(*prompt)
    stream = FlowStream(serving, voice)
    mels, used = [], 0
    while used < len(tokens):
        hop = stream.hop_tokens()
        final = len(tokens) - used <= hop + flow.config.lookahead_tokens
        end = len(tokens) if final else used + hop + flow.config.lookahead_tokens
        mels.append(serving.run(stream.hop(tokens[used:end], final=final)))
        used = len(tokens) if final else used + hop
    stream.close()
    incremental = torch.cat(mels, 1)[None]
    name = "mel_streaming_mask_finalize"
    yield Case("flow incremental hops", deviation(incremental, f[name]), MEL_TOLERANCE)
